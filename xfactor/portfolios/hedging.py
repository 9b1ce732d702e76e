"""Taking the factors out of a stream of returns."""

from functools import partial, reduce
from operator import add

import numpy as np
import xarray as xr

from xfactor import _apply, panel, time_series
from xfactor.kernels import ridge as _ridge
from xfactor.regression import rolling_ols, time_series_ols


def hedge(
    returns: xr.DataArray,
    factors: xr.DataArray | xr.Dataset,
    *,
    window: int | None = 100,
    min_obs: int | None = None,
    lag: int = 1,
    ridge: float = 0.0,
    value: float | xr.DataArray | None = None,
) -> xr.Dataset:
    """Hedge returns against factors: r[t] less the sum of beta[k, t - lag] F[k, t].

    Parameters
    ----------
    returns
        Returns of a portfolio (date,), or of many (date, asset).
    factors
        Returns of the factor portfolios: a Dataset of variables (date,), or (date, factor).
    window
        Dates that the betas are estimated over, by `rolling_ols` with an intercept. None takes
        the betas of the whole history, as the lecture does: **in sample**, `lag` has no meaning.
    min_obs
        As in `rolling_ols`: by default half of the window is enough for a beta.
    lag
        Dates by which the betas are moved back; 1 hedges with what was known the day before.
    ridge
        Shrinks betas that the data hardly tell apart: the b that minimises the mean of
        (r - a - b'F)^2 plus `ridge` times the sum of b[k]^2 var(F[k]), over the window. 0 is least
        squares; 0.1 takes a tenth off the beta of a single factor, about. Needs `window`.
    value
        What the portfolio is worth, in any currency: a number, or (date,) its value at the end of
        each date. The hedge of a date is sold for that of `lag` dates before.

    Returns
    -------
    xarray.Dataset
        ``hedged``, decimal, in the shape of `returns`, missing until betas are known; and ``beta``
        (date, factor), the hedge held on each date: against V of the portfolio, beta V of the
        factor portfolio are sold. Without `window`, ``beta`` is (factor,). With `value`,
        ``notional`` is that beta V, what is sold of each factor, negative where it is bought.

    Raises
    ------
    PanelError
        If `ridge` is negative or given without `window`, or `lag` is no whole number of at
        least 0; and for any of the reasons of `rolling_ols`, without `window` of
        `time_series_ols`.
    TypeError
        If `returns` or `factors` holds no numbers or is of another type.

    References
    ----------
    Hoerl, A. and Kennard, R. (1970). Ridge regression: biased estimation for nonorthogonal
    problems. Technometrics 12, 55-67.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=4, seed=1)
    >>> portfolio = panel.returns.mean("asset")
    >>> market = panel.market_returns.rename("market")
    >>> result = xf.hedge(portfolio, market)
    >>> bool(result.hedged.std() < portfolio.std())
    True
    >>> sold = xf.hedge(portfolio, market, value=1e6).notional[-1]
    >>> bool(sold == 1e6 * result.beta[-1])
    True
    """
    panel.one_array(returns, "hedge", "returns")
    _check_further(returns, factors)
    returns = panel.as_float(returns)
    ridge = panel.number("ridge", ridge)
    if not 0 <= ridge < np.inf or (ridge and window is None):
        found = f"ridge={ridge} was given with window={window}"
        raise panel.error(found, "a number from 0 on, and a window", "Use e.g. ridge=0.1")
    if window is None:
        beta = time_series_ols(returns, factors, se="ols", min_obs=min_obs).beta
        (returns,), (beta,) = _apply.again([returns], [beta])
    else:
        lag = panel.positive("lag", lag, 0)
        # Where betas are shrunk this serves for its checks and labels; lazily it is never run.
        beta = rolling_ols(returns, factors, window=window, se=None, min_obs=min_obs).beta
    if isinstance(factors, xr.Dataset):
        factors = factors.to_dataarray(panel.FACTOR)
    elif panel.FACTOR not in factors.dims:
        factors = factors.expand_dims({panel.FACTOR: beta[panel.FACTOR].values})
    factors = factors.assign_coords({panel.FACTOR: beta[panel.FACTOR].values})
    returns, factors = (a.where(np.isfinite(a)) for a in (returns, factors))
    if window is not None:
        if ridge:
            beta = _shrunk(returns, factors, window, min_obs, ridge)
        beta = time_series.lag(beta, lag) if lag else beta
    hedged = (returns - _explained(factors, beta)).transpose(*returns.dims)
    hedged = hedged.astype(returns.dtype).assign_attrs(long_name="hedged return", units="decimal")
    made = {"hedged": hedged, "beta": beta}
    if value is not None:
        made["notional"] = _notional(beta, value, lag if window is not None else 0)
    return xr.Dataset(
        made,
        attrs={
            "in_sample": int(window is None),
            "window": window or 0,
            "ridge": ridge,
            "lag": lag if window is not None else 0,
        },
    )


def _check_further(returns: xr.DataArray, factors: xr.DataArray | xr.Dataset) -> None:
    """Refuse factors with a dim that returns lack: a hedge has the shape of what it hedges."""
    own = {*returns.dims, panel.FACTOR}
    further = [str(d) for d in getattr(factors, "dims", ()) if d not in own]
    if further:
        raise panel.error(
            f"factors has the dimension {further[0]!r} and returns has not",
            "the same factors for all, or dimensions among those of returns",
            f"Select one label of {further[0]!r}, or expand returns",
        )


def _explained(factors: xr.DataArray, beta: xr.DataArray) -> xr.DataArray:
    """Sum of beta times factor; `xr.dot` would cut the chunks of the result anew."""
    each = (
        factors.isel({panel.FACTOR: k}, drop=True) * beta.isel({panel.FACTOR: k}, drop=True)
        for k in range(factors.sizes[panel.FACTOR])
    )
    return reduce(add, each)


def _shrunk(
    returns: xr.DataArray, factors: xr.DataArray, window: int, min_obs: int | None, ridge: float
) -> xr.DataArray:
    """Ridge betas of rolling windows, from the covariances over complete dates."""
    count = factors.sizes[panel.FACTOR]
    labels = {panel.FACTOR: factors[panel.FACTOR].values}
    known = returns.notnull() & factors.notnull().all(panel.FACTOR)
    least = max(count + 2, window // 2) if min_obs is None else min_obs
    cov_of = partial(time_series.rolling_cov, window=window, min_obs=min(least, window))
    y = returns.where(known)
    each = [
        factors.isel({panel.FACTOR: k}, drop=True).where(known).transpose(*y.dims)
        for k in range(count)
    ]
    cov = [cov_of(u, v) for k, u in enumerate(each) for v in [*each[k:], y]]
    kernel = partial(_ridge.ridge_rows, count=count, ridge=ridge)
    outs = [_apply.Out((panel.FACTOR,), y.dtype, labels)]
    return _apply.along(kernel, [_apply.Arg(c) for c in cov], outs, what="hedge")[0]


def _notional(beta: xr.DataArray, value: float | xr.DataArray, lag: int) -> xr.DataArray:
    if isinstance(value, xr.DataArray):
        panel.check_same_labels(beta, value, names=("returns", "value"))
        amount = panel.as_float(value)
        if panel.DATE in amount.dims:
            amount = time_series.lag(amount, lag)
    else:
        amount = xr.DataArray(panel.number("value", value))
    sold = (beta * panel.bare(beta, amount)).transpose(..., panel.FACTOR)
    units = value.attrs.get("units") if isinstance(value, xr.DataArray) else None
    names = {"long_name": "sold of each factor"} | ({"units": units} if units else {})
    return sold.assign_attrs(names)
