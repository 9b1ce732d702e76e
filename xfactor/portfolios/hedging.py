"""Taking the factors out of a stream of returns."""

import numpy as np
import xarray as xr

from xfactor import _apply, panel, time_series
from xfactor.regression import rolling_ols, time_series_ols


def hedge(
    returns: xr.DataArray,
    factors: xr.DataArray | xr.Dataset,
    *,
    window: int | None = 100,
    min_obs: int | None = None,
    lag: int = 1,
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
    value
        What the portfolio is worth, in any currency: a number, or (date,) its value at the end of
        each date. The hedge of a date is sold for that of `lag` dates before.

    Returns
    -------
    xarray.Dataset
        ``hedged``, in the shape of `returns`, missing until betas are known; and ``beta``
        (date, factor), the hedge held on each date: against V of the portfolio, beta V of the
        factor portfolio are sold. Without `window`, ``beta`` is (factor,). With `value`,
        ``notional`` is that beta V, what is sold of each factor, negative where it is bought.

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
    returns = panel.as_float(returns)
    if window is None:
        beta = time_series_ols(returns, factors, se="ols", min_obs=min_obs).beta
        (returns,), (beta,) = _apply.again([returns], [beta])
    else:
        lag = panel.positive("lag", lag, 0)
        beta = rolling_ols(returns, factors, window=window, se=None, min_obs=min_obs).beta
        beta = time_series.lag(beta, lag) if lag else beta
    if isinstance(factors, xr.Dataset):
        factors = factors.to_dataarray(panel.FACTOR)
    elif panel.FACTOR not in factors.dims:
        factors = factors.expand_dims({panel.FACTOR: beta[panel.FACTOR].values})
    factors = factors.assign_coords({panel.FACTOR: beta[panel.FACTOR].values})
    returns, factors = (a.where(np.isfinite(a)) for a in (returns, factors))
    hedged = (returns - xr.dot(factors, beta, dim=panel.FACTOR)).transpose(*returns.dims)
    hedged = hedged.astype(returns.dtype).assign_attrs(long_name="hedged return", units="decimal")
    made = {"hedged": hedged, "beta": beta}
    if value is not None:
        made["notional"] = _notional(beta, value, lag if window is not None else 0)
    return xr.Dataset(
        made,
        attrs={
            "in_sample": int(window is None),
            "window": window or 0,
            "lag": lag if window is not None else 0,
        },
    )


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
