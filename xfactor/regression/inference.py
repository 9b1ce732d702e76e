"""Means with errors that allow for autocorrelation."""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import hac
from xfactor.regression import _design
from xfactor.regression.time_series import history, lags_of


def newey_west(
    x: xr.DataArray | xr.Dataset, *, lags: int | None = None, dim: str = panel.DATE
) -> xr.Dataset:
    """Mean of a series with its Newey-West standard error and t: Fama-MacBeth's second step.

    Parameters
    ----------
    x
        Series (date,), or many (date, factor), e.g. factor returns; a Dataset of series is taken
        as one array with a `factor` dim.
    lags
        Lags of the Bartlett kernel; by default floor(4 (T / 100)^(2/9)), T the number of dates;
        0 gives the plain standard error of a mean.
    dim
        Dimension to average along.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``stderr``, in the units of `x`, ``tvalue`` and ``n_obs``, without `dim`. A
        missing value does not count in the mean; it keeps its place in time, so that lags are
        distances in dates, and its products are 0.

    Notes
    -----
    With e = x - mean(x) over the n known values the variance of the mean is

        (sum e[t]^2 + 2 sum_l (1 - l / (lags + 1)) sum_t e[t] e[t - l]) / (n (n - 1)),

    l from 1 to `lags`.

    Raises
    ------
    PanelError
        If `x` has no `dim`, or `lags` is no whole number of at least 0.
    TypeError
        If `x` holds no numbers or is of another type.

    References
    ----------
    Newey, W. and West, K. (1987). A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix. Econometrica 55, 703-708.

    Newey, W. and West, K. (1994). Automatic lag selection in covariance matrix estimation. Review
    of Economic Studies 61, 631-653: the number of lags.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([0.0, 2.0, 0.0, 2.0], dims="date")
    >>> fit = xf.newey_west(x, lags=0)
    >>> float(fit["mean"]), round(float(fit.stderr), 6)
    (1.0, 0.57735)
    """
    x = panel.stacked(x, "newey_west")
    panel.check_dim(x, dim, "newey_west")
    aside = {panel.FACTOR: "series_"} if panel.FACTOR in x.dims else {}
    x = panel.as_float(x)
    if x.nbytes <= _apply.KEPT:
        return _at_once(x, lags, dim)
    x = x.rename(aside)  # here "factor" is not what is regressed on
    fit = history(x, [], [], True, "newey_west", lags, 1, dim, "newey_west")
    names = {"alpha": "mean", "alpha_stderr": "stderr", "alpha_tvalue": "tvalue"}
    back = {new: old for old, new in aside.items()}
    keep = fit[[*names, "n_obs"]].drop_dims(panel.FACTOR, errors="ignore")
    return keep.rename(names | back).assign_attrs(fit.attrs)


def _at_once(x: xr.DataArray, lags: int | None, dim: str) -> xr.Dataset:
    """The same of series that are small enough to be looked at whole, in one task."""
    n = lags_of(lags, x.sizes[dim])
    if n:
        panel.check_order(x, dim, "newey_west")
    x = _apply.whole(x, dim)
    each = _apply.Out((), x.dtype)
    mean, _, stderr, n_obs = _apply.along(
        partial(_mean_rows, lags=n), [_apply.Arg(x, (dim,))],
        [each, each, each, _apply.Out((), np.int32)], what="newey_west",
    )  # fmt: skip
    found = {"mean": mean, "stderr": stderr, "tvalue": _design.tvalue(mean, stderr)}
    return xr.Dataset(found | {"n_obs": n_obs}, attrs={"se": "newey_west", "lags": n})


def _mean_rows(x: np.ndarray, *, lags: int) -> tuple[np.ndarray, ...]:
    return hac.mean_rows(x, np.full(len(x), lags))
