"""What a stream of returns amounts to."""

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import wealth
from xfactor.regression import jarque_bera, newey_west, time_series_ols


def performance(
    returns: xr.DataArray | xr.Dataset,
    factors: xr.DataArray | xr.Dataset | None = None,
    *,
    periods_per_year: float = 252,
    lags: int | None = None,
    dim: str = panel.DATE,
) -> xr.Dataset:
    """Mean, volatility, Sharpe ratio, t, losses and tails of many streams of returns at once.

    Parameters
    ----------
    returns
        Decimal returns (date,), or of many streams (date, factor); a Dataset of streams is taken
        as one array with a `factor` dim.
    factors
        Returns that the streams are judged against, as in `time_series_ols`: a Dataset of
        variables (date,), or a DataArray (date,) or (date, factor). Streams then need another
        dim than `factor`.
    periods_per_year
        Dates in a year.
    lags
        Newey-West lags of the t-values; see `newey_west`.
    dim
        Dimension of time.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``volatility`` (ddof 1) per year, ``sharpe`` their ratio (of excess returns,
        if that is what was given), ``tvalue`` of the mean (Newey-West), ``cumulative_return`` the
        compound return, ``drawdown`` the worst loss from a peak (0 or negative), ``hit_rate`` the
        share of returns above 0, ``downside`` the root of the mean of min(r, 0)^2 per year,
        ``sortino`` mean over downside, ``skewness`` and ``kurtosis`` (3 if normal) as in
        `jarque_bera`, ``n_obs``. With `factors`: ``alpha`` per year, ``alpha_tvalue``, ``beta``
        and ``beta_tvalue`` with the dim `factor`, ``rsquared``: **in sample**, of all dates at
        which the stream and all factors are known. A return below -1 is ruin: what is left is 0,
        for good. Missing returns are left out: a date without one earns nothing.

    Raises
    ------
    PanelError
        If streams and `factors` both have the dim `factor`, `periods_per_year` is not above 0,
        or `lags` is no whole number of at least 0; if `dim` is missing, labels or chunks
        differ, or dates are not in order.
    TypeError
        If `returns` or `factors` holds no numbers or is of another type.

    References
    ----------
    Sharpe, W. (1994). The Sharpe ratio. Journal of Portfolio Management 21(1), 49-58.

    Sortino, F. and Price, L. (1994). Performance measurement in a downside risk framework. Journal
    of Investing 3, 59-64.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([0.1, -0.5, 0.2], dims="date")
    >>> table = xf.performance(r, periods_per_year=1)
    >>> round(float(table.cumulative_return), 6), round(float(table.drawdown), 6)
    (-0.34, -0.5)
    >>> round(float(table.hit_rate), 6), round(float(table.downside), 6)
    (0.666667, 0.288675)
    """
    what = "performance"
    returns = panel.stacked(returns, what, "returns")
    panel.check_dim(returns, dim, what)
    panel.check_order(returns, dim, what)  # of the drawdown
    periods_per_year = panel.number("periods_per_year", periods_per_year)
    if not 0 < periods_per_year < np.inf:
        raise panel.error(
            f"periods_per_year={periods_per_year} was given", "a number above 0", "Use e.g. 252"
        )
    r = panel.as_float(returns)
    average = newey_west(r, lags=lags, dim=dim)
    mean = average["mean"] * periods_per_year
    plain = newey_west(r, lags=0, dim=dim)  # the error of a mean: deviation over root n
    volatility = plain.stderr * np.sqrt(plain.n_obs * periods_per_year)
    cumulative, drawdown = _reduced(
        (wealth.wealth_path, wealth.join_wealth, wealth.wealth_result), r, dim
    )
    hits, below = _reduced((wealth.side_sums, wealth.join_sides, wealth.side_result), r, dim)
    downside = below * np.sqrt(periods_per_year)
    shape = jarque_bera(r, dim=dim)
    table = xr.Dataset(
        {
            "mean": mean,
            "volatility": volatility,
            "sharpe": mean / volatility.where(volatility > 0),
            "tvalue": average.tvalue,
            "cumulative_return": cumulative,
            "drawdown": drawdown,
            "hit_rate": hits,
            "downside": downside,
            "sortino": mean / downside.where(downside > 0),
            "skewness": shape.skewness,
            "kurtosis": shape.kurtosis,
            "n_obs": average.n_obs,
        },
        attrs={"periods_per_year": periods_per_year, "lags": average.attrs["lags"]},
    )
    if factors is not None:
        table = table.assign(_against(r, factors, periods_per_year, lags, dim))
    for name, (long_name, units) in _NAMES.items():
        if name in table:
            table[name].attrs = {"long_name": long_name, "units": units}
    return table


_NAMES = {
    "mean": ("mean return", "decimal per year"),
    "volatility": ("volatility", "decimal per root of a year"),
    "sharpe": ("Sharpe ratio", "per root of a year"),
    "tvalue": ("t of the mean return", "1"),
    "cumulative_return": ("compound return", "decimal"),
    "drawdown": ("worst loss from a peak", "decimal"),
    "hit_rate": ("share of returns above 0", "1"),
    "downside": ("downside deviation", "decimal per root of a year"),
    "sortino": ("Sortino ratio", "per root of a year"),
    "skewness": ("skewness", "1"),
    "kurtosis": ("kurtosis", "1"),
    "n_obs": ("returns that count", "1"),
    "alpha": ("alpha", "decimal per year"),
    "alpha_tvalue": ("t of alpha", "1"),
    "beta": ("beta", "1"),
    "beta_tvalue": ("t of beta", "1"),
    "rsquared": ("R squared", "1"),
}


def _reduced(
    kernels: tuple[_apply.Kernel, _apply.Kernel, _apply.Kernel], r: xr.DataArray, dim: str
) -> tuple[xr.DataArray, ...]:
    outs = [_apply.Out((), np.float64), _apply.Out((), np.float64)]
    return _apply.reduce(*kernels, [_apply.Arg(r)], outs, dim=dim, what="performance")


def _against(
    r: xr.DataArray,
    factors: xr.DataArray | xr.Dataset,
    periods_per_year: float,
    lags: int | None,
    dim: str,
) -> dict[str, xr.DataArray]:
    if panel.FACTOR in r.dims:
        raise panel.error(
            "performance found the dimension 'factor' in returns, which factors need",
            "another name for the streams",
            "Use returns.rename(factor='portfolio'), or dataset.to_dataarray('portfolio')",
        )
    fit = time_series_ols(r.rename("returns"), factors, lags=lags, dim=dim)
    return {
        "alpha": fit.alpha * periods_per_year,
        "alpha_tvalue": fit.alpha_tvalue,
        "beta": fit.beta,
        "beta_tvalue": fit.tvalue,
        "rsquared": fit.rsquared,
    }
