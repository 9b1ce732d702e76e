"""What a stream of returns amounts to."""

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import wealth
from xfactor.regression import newey_west


def performance(
    returns: xr.DataArray | xr.Dataset,
    *,
    periods_per_year: float = 252,
    lags: int | None = None,
    dim: str = panel.DATE,
) -> xr.Dataset:
    """Mean, volatility, Sharpe ratio, t, cumulative return and worst drawdown.

    Parameters
    ----------
    returns
        Decimal returns (date,), or of many streams (date, factor); a Dataset of streams is taken
        as one array with a `factor` dim.
    periods_per_year
        Dates in a year.
    lags
        Newey-West lags of the t-value; see `newey_west`.
    dim
        Dimension of time.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``volatility`` (ddof 1) per year, ``sharpe`` their ratio (of excess returns,
        if that is what was given), ``tvalue`` of the mean (Newey-West), ``cumulative_return`` the
        compound return, ``drawdown`` the worst loss from a peak (0 or negative), ``n_obs``. A
        return below -1 is ruin: what is left is 0, for good. Missing returns are left out: a date
        without one earns nothing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([0.1, -0.5, 0.2], dims="date")
    >>> table = xf.performance(r, periods_per_year=1)
    >>> round(float(table.cumulative_return), 6), round(float(table.drawdown), 6)
    (-0.34, -0.5)
    """
    if isinstance(returns, xr.Dataset):
        returns = returns.to_dataarray(panel.FACTOR)
    panel.one_array(returns, "performance", "returns")
    panel.check_dim(returns, dim, "performance")
    panel.check_order(returns, dim, "performance")  # of the drawdown
    r = panel.as_float(returns)
    average = newey_west(r, lags=lags, dim=dim)
    mean = average["mean"] * periods_per_year
    plain = newey_west(r, lags=0, dim=dim)  # the error of a mean: deviation over root n
    volatility = plain.stderr * np.sqrt(plain.n_obs * periods_per_year)
    cumulative, drawdown = _apply.reduce(
        wealth.wealth_path,
        wealth.join_wealth,
        wealth.wealth_result,
        [_apply.Arg(r)],
        [_apply.Out((), np.float64), _apply.Out((), np.float64)],
        dim=dim,
        what="performance",
    )
    return xr.Dataset(
        {
            "mean": mean,
            "volatility": volatility,
            "sharpe": mean / volatility.where(volatility > 0),
            "tvalue": average.tvalue,
            "cumulative_return": cumulative,
            "drawdown": drawdown,
            "n_obs": average.n_obs,
        },
        attrs={"periods_per_year": periods_per_year, "lags": average.attrs["lags"]},
    )
