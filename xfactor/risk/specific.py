"""Variances of what the factors leave unexplained."""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel, time_series
from xfactor.kernels import specific as _specific
from xfactor.risk import _inputs

REASONS = ("masked", "thin")
FEWEST = 20  # dates of a variance, without a window: its error is then a third of it


def specific_variance(
    residual: xr.DataArray,
    *,
    window: int | None = None,
    halflife: float | None = None,
    min_obs: int | None = None,
    by: xr.DataArray | None = None,
    weights: xr.DataArray | None = None,
    shrink: float | None = None,
    fill: bool = False,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Variance of the specific return of each asset, from its past and from assets like it.

    Parameters
    ----------
    residual
        Specific returns (date, asset), decimal: the residuals of `cross_sectional_ols`, or of a
        regression through time.
    window
        Only the last `window` dates count, t included; all so far if not given: then an asset
        keeps its variance for good, so say by `where` which assets there are.
    halflife
        Dates after which a return counts half; all count alike if not given.
    min_obs
        Known returns needed for an asset's own variance; by default half of the window, without
        one 20.
    by
        Group codes (date, asset) or (asset,) of assets that are alike, -1 for none: deciles of
        size from `qcut`, for example. One group of all if not given.
    weights
        Weights (date, asset) of the group's mean, market cap for example; what is missing or not
        positive counts as 0. Equal ones if not given.
    shrink
        Strength q of the pull towards the group's mean, see Notes; 0.1 is usual. None for none.
    fill
        Give an asset without a variance of its own the group's mean. Only cells in the universe
        `where` are filled, or, without one, those with a residual.
    dim
        Dimension of the assets.
    where
        Universe mask; outside it residuals do not count and variances are missing.

    Returns
    -------
    xarray.Dataset
        ``variance`` (date, asset), decimal squared, per date: known at the end of t, a forecast
        for what comes after. Missing where too few returns are known and nothing fills it. And by
        date ``n_obs``, the assets with a variance of their own; ``n_filled``; ``n_dropped``
        (reason): "masked", cells with a residual outside the universe, and "thin", cells of the
        universe (without one: with a residual) without a variance of their own.

    Raises
    ------
    PanelError
        If `shrink` is not above 0, `by` or `weights` is given with neither `shrink` nor `fill`,
        `fill` is not True or False, `window` or `min_obs` is no whole number of at least 1,
        `min_obs` is more than `window`, or `halflife` is not above 0; if a dim is missing,
        assets are cut into chunks, labels or chunks differ, or dates are not in order.
    TypeError
        If an array holds no numbers or is of another type, `by` holds no integers, or `where`
        is not bool.

    Notes
    -----
    An asset's own variance is that of `ewm_var`. With d its root and, over the group, m the
    weighted mean of d and s the root mean square of d - m (equal weights), the shrunk deviation is
    v m + (1 - v) d, v = q |d - m| / (s + q |d - m|): the further out, the more it is estimation
    error. A group without positive weights pulls and fills nothing.

    References
    ----------
    Menchero, J., Orr, D. and Wang, J. (2011). The Barra US equity model (USE4), methodology notes.
    MSCI, section on specific risk: Bayesian shrinkage.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=100, assets=50, seed=1)
    >>> size = xf.qcut(panel.market_cap, 5)
    >>> result = xf.specific_variance(truth.specific_returns, halflife=40, by=size, shrink=0.1)
    >>> result.variance.dims, [str(k) for k in result.reason.values]
    (('date', 'asset'), ['masked', 'thin'])
    """
    what = "specific_variance"
    panel.one_array(residual, what, "residual")
    panel.check_dim(residual, dim, what)
    panel.check_dim(residual, panel.DATE, what)
    if shrink is not None and not 0 < panel.number("shrink", shrink) < np.inf:
        raise panel.error(f"shrink={shrink!r} was given", "a number above 0", "Use 0.1, or None")
    if (by is not None or weights is not None) and shrink is None and not panel.flag("fill", fill):
        raise panel.error(
            "by or weights was given, but no shrink and no fill to use it", "one of them",
            "Use e.g. shrink=0.1",
        )  # fmt: skip
    e = panel.as_float(residual)
    beside = _beside(e, where, by, weights, dim)
    variance = time_series.ewm_var(
        e, halflife=np.inf if halflife is None else halflife, window=window,
        min_obs=_least(window, min_obs), where=where,
    )  # fmt: skip
    kernel = partial(
        _specific.shrink_rows, given=tuple(beside), strength=shrink, fill=panel.flag("fill", fill)
    )
    args = [_apply.Arg(a, (dim,)) for a in (variance, e, *beside.values())]
    count = _apply.Out((), np.int32)
    outs = [_apply.Out((dim,), e.dtype), count, count]
    outs.append(_apply.Out(("reason",), np.int32, {"reason": REASONS}))
    found, own, filled, lost = _apply.along(kernel, args, outs, what=what)
    found = found.transpose(*residual.dims).assign_attrs(long_name="specific variance")
    return xr.Dataset(
        {"variance": found, "n_obs": own, "n_filled": filled, "n_dropped": lost},
        attrs={"window": window or 0, "halflife": halflife or 0.0, "shrink": shrink or 0.0},
    )


def _beside(
    e: xr.DataArray,
    where: xr.DataArray | None,
    by: xr.DataArray | None,
    weights: xr.DataArray | None,
    dim: str,
) -> dict[str, xr.DataArray]:
    """What the caller passed, checked; an array without the assets is spread over them."""
    found: dict[str, xr.DataArray] = {}
    if where is not None:
        panel.check_mask(e, where, "where")
        found["where"] = where
    if by is not None:
        panel.check_codes(e, by, "by")
        found["by"] = by
    if weights is not None:
        panel.check_numbers(e, weights, "weights")
        found["weights"] = panel.as_float(weights)
    found = {k: panel.bare(e, a) for k, a in found.items()}
    return {k: _inputs.spread(a, e, dim) for k, a in found.items()}


def _least(window: int | None, min_obs: int | None) -> int:
    if min_obs is not None:
        return panel.positive("min_obs", min_obs)
    return FEWEST if window is None else max(panel.positive("window", window) // 2, 2)
