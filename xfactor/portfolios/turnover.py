"""How much of a portfolio is replaced."""

from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel, time_series
from xfactor.kernels import holding as _holding


def turnover(
    weights: xr.DataArray,
    returns: xr.DataArray | None = None,
    *,
    lag: int = 1,
    drift: Literal["value", "legs"] = "value",
    dim: str = panel.ASSET,
) -> xr.DataArray:
    """Half of what is traded to get from the weights of the date before to those of the date.

    Parameters
    ----------
    weights
        Weights (date, asset), further dims are several portfolios. A missing weight is 0.
    returns
        Returns (date, asset), decimal: weights drift with them from date to date, and only what
        then is missing to the new ones is traded. Without them weights are taken to stay.
    lag
        Dates after which the weights meet returns: 1 for weights that are known at the end of a
        date, as of `long_short`; 0 for those that earned its return, as ``held`` of `rebalance`.
    drift
        ``"value"`` or ``"legs"``: how weights drift, see `rebalance`.
    dim
        Dimension of the assets.

    Returns
    -------
    DataArray
        (date,): 0.5 times the sum of abs(w[t, i] - drifted w[t-1, i]), a share of the capital. A
        long portfolio that is exchanged for another has 1, a long-short one 2. Missing on the
        first date and where either date has no weights, or nothing is left of the account.

    Raises
    ------
    PanelError
        If `drift` is unknown or `lag` is neither 0 nor 1; if a dim is missing, assets are cut
        into chunks, labels or chunks differ, or dates are not in order.
    TypeError
        If `weights` or `returns` is no DataArray of numbers.

    Notes
    -----
    A name without a return drifts as the rest of its leg does, as in `portfolio_returns`; a leg
    without any makes the date missing. Legs of which nothing is left likewise.

    References
    ----------
    DeMiguel, V., Garlappi, L. and Uppal, R. (2009). Optimal versus naive diversification: how
    inefficient is the 1/N portfolio strategy? Review of Financial Studies 22, 1915-1953: the sum,
    against drifted weights, without the half.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> w = xr.DataArray([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]], dims=("date", "asset"))
    >>> r = xr.DataArray([[0.0, 0.0], [0.5, -0.1], [0.0, 0.0]], dims=("date", "asset"))
    >>> xf.turnover(w).values
    array([nan, 0. , 0.5])
    >>> xf.turnover(w, r).values
    array([  nan, 0.125, 0.5  ])
    """
    what = "turnover"
    panel.one_array(weights, what, "weights")
    for needed in (panel.DATE, dim):
        panel.check_dim(weights, needed, what)
    panel.choice("drift", drift, ("value", "legs"))
    if panel.positive("lag", lag, 0) > 1:
        raise panel.error(f"lag={lag!r} was given", "0 or 1", "Use rebalance(...).turnover")
    w = panel.as_float(weights)
    arrays = [w, time_series.lag(w)]
    if returns is not None:
        panel.one_array(returns, what, "returns")
        panel.check_dim(returns, dim, what)
        panel.check_same_labels(returns, weights, names=("returns", "weights"))
        arrays.append(time_series.lag(panel.as_float(returns), 1 - lag))
    kernel = partial(_holding.turnover_rows, legs=drift == "legs")
    names = ("weights", "weights before", "returns")
    args = [_apply.Arg(a, (dim,), k) for a, k in zip(arrays, names, strict=False)]
    (traded,) = _apply.along(kernel, args, [_apply.Out((), w.dtype)], what=what)
    return traded.assign_attrs(long_name="turnover", units="share of the capital")


def name_turnover(
    members: xr.DataArray, periods: int = 1, *, dim: str = panel.ASSET
) -> xr.DataArray:
    """Share of the members of a bucket or leg that were none some dates before.

    Parameters
    ----------
    members
        bool (date, asset), True for the members: ``weights > 0`` for the long leg,
        ``qcut(x, 5) == 4`` for the highest bucket, or with a further dim for all of them,
        ``qcut(x, 5) == xr.DataArray(range(5), dims="bucket")``.
    periods
        Dates between the two.
    dim
        Dimension of the assets.

    Returns
    -------
    DataArray
        (date,), from 0 to 1, float64; missing on the first `periods` dates and where there are no
        members on one of the two.

    Raises
    ------
    PanelError
        If `periods` is no whole number of at least 1; if a dim is missing, assets are cut into
        chunks, or dates are not in order.
    TypeError
        If `members` is no DataArray of bool.

    References
    ----------
    alphalens-reloaded, API reference: ``alphalens.performance.quantile_turnover``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> held = [[True, True, False], [True, False, True], [True, False, True]]
    >>> xf.name_turnover(xr.DataArray(held, dims=("date", "asset"))).values
    array([nan, 0.5, 0. ])
    """
    what = "name_turnover"
    panel.one_array(members, what, "members")
    for needed in (panel.DATE, dim):
        panel.check_dim(members, needed, what)
    panel.check_mask(members, members, "members")
    before = time_series.lag(members, panel.positive("periods", periods))
    args = [_apply.Arg(a, (dim,)) for a in (members, before)]
    (share,) = _apply.along(_holding.newcomer_rows, args, [_apply.Out((), np.float64)], what=what)
    return share.assign_attrs(long_name="share of new names", units="1")
