"""Covariances of factor returns, as known on each date."""

from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, _scan, panel
from xfactor.kernels import covariance as _covariance
from xfactor.kernels.covariance import Estimator, Weighting

FACTOR_2 = "factor_2"
SHRINK = ("constant_correlation", "scaled_identity")


def factor_covariance(
    factor_returns: xr.DataArray | xr.Dataset,
    *,
    window: int | None = None,
    halflife: float | None = None,
    correlation_halflife: float | None = None,
    lags: int = 0,
    correlation_lags: int | None = None,
    shrink: Literal["constant_correlation", "scaled_identity"] | None = None,
    demean: bool = True,
    bias: bool = False,
    min_obs: int | None = None,
    dim: str = panel.DATE,
) -> xr.Dataset:
    """Covariance matrix of factor returns up to each date.

    Parameters
    ----------
    factor_returns
        Returns (date, factor), decimal: those of `cross_sectional_ols` for example, or a Dataset
        of variables (date,).
    window
        Only the last `window` dates count, t included; all so far if not given. Blocks of dates
        then wait for one another, and a date costs as much as it has dates before it.
    halflife
        Dates after which a return counts half; all count alike if not given.
    correlation_halflife
        Half-life for the correlations alone, usually a longer one; `halflife` is then that of the
        variances. Infinity lets all dates count alike.
    lags
        Newey-West lags with Bartlett weights 1 - l / (lags + 1): the long-run covariance, per
        date, of returns that are autocorrelated. 0 for none.
    correlation_lags
        Lags for the correlations alone; `lags` if not given.
    shrink
        Draw the matrix towards one that is estimated with less error, by the share that minimises
        the expected squared error: ``"constant_correlation"`` (own variances, the mean
        correlation) or ``"scaled_identity"`` (the mean variance, no correlation). Not together
        with lags or with options for correlations.
    demean
        Take deviations from the (weighted) mean. False takes the mean to be zero.
    bias
        True divides by the sum of the weights. False takes off the bias that the estimated mean
        brings: with equal weights, the divisor n - 1. Without `demean` there is none.
    min_obs
        Dates needed; by default one more than factors, with a window at least half of its dates.
    dim
        Dimension of time.

    Returns
    -------
    xarray.Dataset
        ``covariance`` (date, factor, factor_2), decimal returns squared, per date: symmetric and
        positive semi-definite up to rounding; ``n_obs`` (date,), the dates that count; and with
        `shrink` ``shrinkage`` (date,), the share of the target, 0 to 1. A factor with fewer than
        `min_obs` known returns is missing in its row and column and does not touch the others. Of
        these only dates count on which all are known. Fewer of them than `min_obs`: missing.

    Raises
    ------
    PanelError
        If `shrink` is unknown or given with lags or an option for correlations, a half-life is
        not above 0, `window`, `min_obs` or lags are no whole numbers (from 1, 1 and 0),
        `min_obs` is more than `window`, or `demean` or `bias` is not True or False; if `dim` or
        `factor` is missing, there is a dim `factor_2`, or dates are not in order.
    TypeError
        If `factor_returns` holds no numbers or is of another type.

    Notes
    -----
    With weights w that sum to 1 and deviations d, the matrix is sum_t w[t] d[t] d[t]', without
    `bias` divided by 1 - sum w^2 (pandas' ``ewm(adjust=True)``). Newey-West products at distance l
    have the weight sqrt(w[t] w[t-l]), which keeps the matrix positive semi-definite; a date that
    does not count keeps its place and is 0. The share of the target is that of the papers with
    1 / n replaced by the weights, and n by 1 / sum w^2; it is found before the bias is taken off.
    The covariance at t uses returns up to t: it is a forecast for what comes after.

    References
    ----------
    Newey, W. and West, K. (1987). A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix. Econometrica 55, 703-708, equation 5.

    Ledoit, O. and Wolf, M. (2004). A well-conditioned estimator for large-dimensional covariance
    matrices. Journal of Multivariate Analysis 88, 365-411, section 3.3.

    Ledoit, O. and Wolf, M. (2004). Honey, I shrunk the sample covariance matrix. Journal of
    Portfolio Management 30(4), 110-119, appendices A and B.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> f = xr.DataArray(
    ...     [[0.01, 0.0], [0.03, 0.02], [-0.01, 0.01], [0.01, 0.05]],
    ...     dims=("date", "factor"), coords={"factor": ["market", "size"]})
    >>> result = xf.factor_covariance(f, window=4)
    >>> (1e4 * result.covariance.isel(date=-1)).round(6).values
    array([[2.666667, 0.666667],
           [0.666667, 4.666667]])
    """
    what = "factor_covariance"
    f = _series(factor_returns, what, dim)
    window, least = _reach(window, min_obs, f.sizes[panel.FACTOR])
    estimator = Estimator(
        variance=_weighting(halflife, lags, "halflife", "lags"),
        correlation=_of_correlations(halflife, correlation_halflife, lags, correlation_lags),
        shrink=shrink,
        demean=panel.flag("demean", demean),
        bias=panel.flag("bias", bias),
        min_obs=least,
    )
    if shrink is not None:
        panel.choice("shrink", shrink, SHRINK)
        if lags or estimator.correlation is not None:
            raise panel.error(
                f"shrink={shrink!r} was given with lags or an option for correlations",
                "one of the two: the formula is that of one sample without lags",
                "Leave one out",
            )
    args = [_apply.Arg(f, (panel.FACTOR,))]
    labels = list(f.indexes.get(panel.FACTOR, range(f.sizes[panel.FACTOR])))
    each = _apply.Out((), f.dtype)
    outs = [
        _apply.Out((panel.FACTOR, FACTOR_2), f.dtype, {FACTOR_2: labels}),
        _apply.Out((), np.int32),
        each,
    ]
    if window is None:
        grow = partial(_covariance.growing_covariance, estimator=estimator)
        found = _scan.scan(grow, args, outs, dim=dim, what=what)
    else:
        window = min(window, max(f.sizes[dim], 1))
        roll = partial(_covariance.rolling_covariance, estimator=estimator, window=window)
        found = _apply.window(roll, args, outs, before=window - 1, dim=dim, what=what)
    matrix, n_obs, share = found
    attrs: dict[str, Any] = {"window": window or 0, "lags": lags, "shrink": shrink or "none"}
    result = {"covariance": matrix.assign_attrs(long_name="factor covariance"), "n_obs": n_obs}
    if shrink is not None:
        result["shrinkage"] = share.assign_attrs(long_name="share of the target", units="1")
    return xr.Dataset(result, attrs=attrs)


def _series(factor_returns: xr.DataArray | xr.Dataset, what: str, dim: str) -> xr.DataArray:
    f = panel.stacked(factor_returns, what, "factor_returns")
    panel.check_dim(f, dim, what)
    panel.check_dim(f, panel.FACTOR, what)
    if FACTOR_2 in f.dims:
        raise panel.error(
            f"{what} found the dimension {FACTOR_2!r}", "it free for the result", "Rename it"
        )
    if f.chunks is not None:  # variables of a Dataset come as one chunk each: a few numbers a date
        f = f.chunk({panel.FACTOR: -1})
    return panel.as_float(f)


def _weighting(halflife: float | None, lags: int, name: str, count: str) -> Weighting:
    decay = 1.0
    if halflife is not None:
        dates = panel.number(name, halflife)
        if not dates > 0:
            raise panel.error(f"{name}={halflife!r} was given", "a number above 0", "Use e.g. 90")
        decay = float(0.5 ** (1.0 / dates))
    return Weighting(decay, panel.positive(count, lags, 0))


def _of_correlations(
    halflife: float | None, own: float | None, lags: int, own_lags: int | None
) -> Weighting | None:
    if own is None and own_lags is None:
        return None
    return _weighting(
        halflife if own is None else own,
        lags if own_lags is None else own_lags,
        "correlation_halflife",
        "correlation_lags",
    )


def _reach(window: int | None, min_obs: int | None, n_factors: int) -> tuple[int | None, int]:
    """The window, None for all dates so far, and the dates needed."""
    if window is None:
        return None, n_factors + 1 if min_obs is None else panel.positive("min_obs", min_obs)
    window, least = panel.window_options(window, min_obs)
    if min_obs is None:
        least = min(max(window // 2, n_factors + 1), window)
    return window, least
