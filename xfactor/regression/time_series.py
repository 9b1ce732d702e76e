"""Regressions through time, one for each asset: exposures from factor returns."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import column_lstsq, hac
from xfactor.regression import _design

STDERR = ("newey_west", "white", "ols")
_ROW, _COLUMN = "coefficient_", "other_coefficient_"  # dims of matrices, away from the user's


def time_series_ols(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    intercept: bool = True,
    se: Literal["newey_west", "white", "ols"] = "newey_west",
    lags: int | None = None,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Regress the whole history of each asset on factor returns: static sensitivities.

    y[t, a] = alpha[a] + sum_k beta[a, k] x[t, k] + e[t, a], over all dates at which y and all x
    are known.

    Parameters
    ----------
    y
        Returns (date, asset), or of one portfolio (date,). Any chunks along date.
    x
        Factor returns: a Dataset of variables, or a DataArray with a `factor` dim; common to all
        assets (date,) or each asset's own (date, asset). Chunks along date as in `y`.
    intercept
        Estimate alpha.
    se
        Standard errors: ``"newey_west"`` for errors that are heteroskedastic and autocorrelated,
        ``"white"`` for heteroskedastic ones, ``"ols"`` for neither. The first two look at the
        data a second time.
    lags
        Lags of Newey-West; by default floor(4 (T / 100)^(2/9)), T the number of dates.
    min_obs
        Dates needed; by default one more than coefficients.
    dim
        Dimension to regress along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``beta``, ``stderr``, ``tvalue`` (asset, factor); ``alpha``, ``alpha_stderr``,
        ``alpha_tvalue``, ``rsquared``, ``rsquared_adjusted``, ``n_obs`` (asset,); ``residual``
        (date, asset), always lazy. alpha and residual have the units of `y`. Missing where there
        are fewer than `min_obs` observations or the regressors are not independent; ``n_obs`` is
        kept.

    Raises
    ------
    PanelError
        If `se` is unknown, `lags` or `min_obs` is no whole number (from 0 and 1), or `lags` is
        given with another `se` than ``"newey_west"``; if `dim` is missing, `x` has no variable,
        two of one name or one named "intercept", `y` has a dim `factor`, or labels or chunks
        differ. For robust errors also if dates are not in order.
    TypeError
        If `y` or `x` holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    One pass over the panel sums products, combined by date block. The sums carry twice the digits
    of float64 (Dekker 1971), so coefficients and errors keep 6 digits up to a condition number of
    1e8; a regressor of whose length the others leave less than 1e-11 is not independent. Robust
    errors are multiplied by sqrt(n / (n - p)). Missing dates keep their place: the product of two
    scores enters at their true distance in time, a missing score counts as 0 (statsmodels closes
    gaps).

    References
    ----------
    Dekker, T. J. (1971). A floating-point technique for extending the available precision.
    Numerische Mathematik 18, 224-242.

    Newey, W. and West, K. (1987). A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix. Econometrica 55, 703-708.

    White, H. (1980). A heteroskedasticity-consistent covariance matrix estimator. Econometrica 48,
    817-838.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=4, seed=1)
    >>> fit = xf.time_series_ols(panel.returns, panel.market_returns.rename("market"))
    >>> fit.beta.dims
    ('asset', 'factor')
    """
    what = "time_series_ols"
    intercept = panel.flag("intercept", intercept)
    panel.choice("se", se, STDERR)
    if lags is not None and se != "newey_west":
        raise panel.error(f"lags={lags} was given with se={se!r}", "no lags", "Leave lags out")
    panel.one_array(y, what, "y")
    panel.check_dim(y, dim, what)
    arrays, labels = _design.regressors(x, what, y, dim)
    y = _design.over_dims_of(panel.masked(y, where), arrays)
    return history(y, arrays, labels, intercept, se, lags, min_obs, dim, what)


def history(
    y: xr.DataArray,
    arrays: list[xr.DataArray],
    labels: list[str],
    intercept: bool,
    se: str,
    lags: int | None,
    min_obs: int | None,
    dim: str,
    what: str,
) -> xr.Dataset:
    """Estimate by one pass of summed products; a second pass if the errors are robust."""
    beta, stderr, alpha, alpha_stderr, rsquared, n_obs, x_mean, root = first_pass(
        y, arrays, labels, intercept, min_obs, dim, what
    )
    p = len(labels) + intercept
    known = (beta, alpha, x_mean, root)
    (y, *arrays), (beta, alpha, x_mean, root) = _apply.again((y, *arrays), known)
    residual = _design.residual(y, arrays, beta, alpha if intercept else None)
    attrs: dict[str, Any] = {"se": se}
    if se != "ols":
        attrs["lags"] = 0 if se == "white" else lags_of(lags, y.sizes[dim])
        lazy = any(a.chunks is not None for a in (y, *arrays))
        e = residual if lazy else residual.compute(scheduler="threads")
        second = [x_mean, root, n_obs]
        errors = _robust_errors(e, arrays, second, intercept, attrs["lags"], dim, what)
        errors = errors.where(stderr.notnull().all(panel.FACTOR)).astype(y.dtype)
        start = 1 if intercept else 0
        stderr = errors.isel(error=slice(start, None)).rename(error=panel.FACTOR)
        if intercept:
            alpha_stderr = errors.isel(error=0, drop=True)
    fit = {
        "beta": beta,
        "stderr": stderr,
        "tvalue": _design.tvalue(beta, stderr),
        "rsquared": rsquared,
        "rsquared_adjusted": (1 - (1 - rsquared) * (n_obs - int(intercept)) / (n_obs - p)).astype(
            y.dtype
        ),
        "n_obs": n_obs,
        "residual": residual,
    }
    if intercept:
        t = _design.tvalue(alpha, alpha_stderr)
        fit |= {"alpha": alpha, "alpha_stderr": alpha_stderr, "alpha_tvalue": t}
    return xr.Dataset(fit, attrs=attrs)


def first_pass(
    y: xr.DataArray,
    arrays: list[xr.DataArray],
    labels: list[str],
    intercept: bool,
    min_obs: int | None,
    dim: str,
    what: str,
) -> tuple[xr.DataArray, ...]:
    """Return betas and their plain errors, alpha and its own, R2 and the number of observations;
    then means of the regressors and what makes these orthonormal.
    """  # noqa: D205
    p = len(labels) + intercept
    least = _design.least_obs(min_obs, p)
    finalise = partial(
        column_lstsq.solve_precise, intercept=intercept, min_obs=least, dtype=y.dtype
    )
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: labels})
    each = _apply.Out((), y.dtype)
    means = _apply.Out((_ROW,), np.float64, {_ROW: labels})
    square = _apply.Out((_ROW, _COLUMN), np.float64, {_ROW: labels, _COLUMN: labels})
    outs = [labelled, labelled, each, each, each, _apply.Out((), np.int32), means, square]
    return _apply.reduce(
        column_lstsq.precise_sums, column_lstsq.merge_precise, finalise,
        _design.arguments(y, arrays), outs, dim=dim, what=what,
    )  # fmt: skip


def lags_of(lags: int | None, n_dates: int) -> int:
    """Lags asked for, or the usual number."""
    return _design.default_lags(n_dates) if lags is None else panel.positive("lags", lags, 0)


def _robust_errors(
    e: xr.DataArray,
    arrays: list[xr.DataArray],
    first_pass: list[xr.DataArray],
    intercept: bool,
    lags: int,
    dim: str,
    what: str,
) -> xr.DataArray:
    """Standard errors (asset, error) by the sandwich of summed scores."""
    x_mean, root, n_obs = first_pass
    arrays = [_design.cut_as(x, e) for x in arrays]
    args = [_design.arguments(e, [])[0], *_orthonormal(arrays, x_mean if intercept else None, root)]
    labels = [*([_design.INTERCEPT] if intercept else []), *x_mean[_ROW].values]
    meat_out = _apply.Out((_ROW, _COLUMN), np.float64, {_ROW: labels, _COLUMN: labels})
    kernel = partial(hac.score_sums, intercept=intercept, lags=lags)
    add = partial(hac.add_scores, lags=lags)
    (meat,) = _apply.reduce(kernel, add, _meat, args, [meat_out], ends=lags, dim=dim, what=what)
    meat = meat.rename({_ROW: "score", _COLUMN: "other_score"})
    args = [
        _apply.Arg(root, (_ROW, _COLUMN)),
        _apply.Arg(x_mean.rename({_ROW: "mean"}), ("mean",)),
        _apply.Arg(meat, ("score", "other_score")),
        _apply.Arg(n_obs),
    ]
    out = _apply.Out(("error",), np.float64, {"error": labels})
    bare = [_apply.Arg(a.data.drop_vars(a.core, errors="ignore"), a.core) for a in args]
    return _apply.along(partial(hac.sandwich_rows, intercept=intercept), bare, [out], what=what)[0]


def _orthonormal(
    arrays: Sequence[xr.DataArray], mean: xr.DataArray | None, root: xr.DataArray
) -> list[_apply.Arg]:
    """Regressors made orthonormal over each asset's history.

    Scores of regressors that are nearly alike would lose the digits that set them apart.
    """
    columns = _design.columns(arrays)
    if mean is not None:
        columns = [x - mean.isel({_ROW: i}, drop=True) for i, x in enumerate(columns)]
    args = []
    for k in range(len(columns)):
        z = columns[0] * root.isel({_ROW: 0, _COLUMN: k}, drop=True)
        for i in range(1, k + 1):
            z = z + columns[i] * root.isel({_ROW: i, _COLUMN: k}, drop=True)
        args.append(_apply.Arg(z.expand_dims(panel.FACTOR), (panel.FACTOR,)))
    return args


def _meat(total: hac.Part) -> np.ndarray:
    return total[0]
