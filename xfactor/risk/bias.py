"""Whether forecasts of risk were right."""

import numpy as np
import xarray as xr
from scipy import special

from xfactor import panel, time_series
from xfactor.regression import newey_west


def bias_statistic(
    returns: xr.DataArray,
    risk: xr.DataArray,
    *,
    window: int | None = None,
    min_obs: int | None = None,
    lag: int = 1,
    confidence: float = 0.95,
    dim: str = panel.DATE,
) -> xr.Dataset:
    """Standard deviation of returns over forecasts of their risk: 1 if the forecasts were right.

    Parameters
    ----------
    returns
        Returns (date,) of a portfolio, or of many (date, portfolio), decimal, over (t-1, t].
    risk
        Forecasts of their standard deviation, per date: those of `risk_decomposition`. Dims among
        those of `returns`, the same chunks.
    window
        Dates of a rolling statistic. Without it the statistic is that of the whole history.
    min_obs
        Dates needed in a window; by default all of them. At least two.
    lag
        Dates by which the forecasts are moved back: 1 compares the return at t with the forecast
        made at t-1. 0 is in sample.
    confidence
        Probability of the band.
    dim
        Dimension of time.

    Returns
    -------
    xarray.Dataset
        ``standardized`` (date,), returns over forecasts, missing where either is or the forecast
        is not above 0; ``bias``, its standard deviation (ddof 1): above 1 risk was forecast too
        low; ``lower`` and ``upper``, between which the bias of right forecasts lies with the
        probability `confidence`; ``n_obs``. With `window` all by date; else of the whole history,
        but for ``standardized``.

    Raises
    ------
    PanelError
        If `confidence` is not between 0 and 1, `lag`, `window` or `min_obs` is no whole number
        (from 0, 1 and 2), or `min_obs` is more than `window` or given without it; if `returns`
        have no `dim`, `risk` has other dims, labels or chunks, or dates are not in order.
    TypeError
        If `returns` or `risk` is no DataArray of numbers.

    Notes
    -----
    The band is that of independent normal returns: n - 1 times the square of the bias has the
    chi-squared distribution with n - 1 degrees of freedom. For 95% it is about 1 +- sqrt(2 / n).
    Returns have fat tails, so right forecasts leave it more often.

    References
    ----------
    Menchero, J., Orr, D. and Wang, J. (2011). The Barra US equity model (USE4), methodology notes.
    MSCI, appendix on bias statistics.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([0.0, 0.02, -0.02, 0.02, -0.02], dims="date")
    >>> result = xf.bias_statistic(r, xr.full_like(r, 0.01), window=4)
    >>> round(float(result.bias[-1]), 4), round(float(result.upper[-1]), 4)
    (2.3094, 1.7653)
    """
    what = "bias_statistic"
    panel.one_array(returns, what, "returns")
    panel.check_dim(returns, dim, what)
    lag = panel.positive("lag", lag, 0)
    level = panel.number("confidence", confidence)
    if not 0 < level < 1:
        raise panel.error(
            f"confidence={confidence!r} was given", "a probability between 0 and 1", "Use 0.95"
        )
    r = panel.as_float(returns)
    panel.check_numbers(r, risk, "risk")
    panel.check_order(r, dim, what)
    forecast = panel.bare(r, panel.as_float(risk))
    if lag and dim in forecast.dims:
        forecast = time_series.lag(forecast, lag, dim=dim)
    z = (r / forecast.where(forecast > 0)).transpose(*r.dims)
    z = z.where(np.isfinite(z)).astype(r.dtype).assign_attrs(long_name="standardized return")
    if window is None:
        if min_obs is not None:
            raise panel.error(
                f"min_obs={min_obs} was given without window", "a window", "Leave it out"
            )
        fit = newey_west(z, lags=0, dim=dim)
        bias, n_obs = fit.stderr * np.sqrt(fit.n_obs), fit.n_obs
    else:
        window, least = panel.window_options(window, min_obs)
        if least < 2:
            raise panel.error(f"min_obs={least} was given", "2 dates or more", "Raise it")
        bias = time_series.rolling_std(z, window=window, min_obs=least, ddof=1, dim=dim)
        known = z.notnull().astype(z.dtype)
        n_obs = time_series.rolling_sum(known, window=window, min_obs=1, dim=dim).astype(np.int32)
    lower, upper = (_band(n_obs, (1 + sign * level) / 2).where(bias.notnull()) for sign in (-1, 1))
    return xr.Dataset(
        {
            "standardized": z,
            "bias": bias.drop_attrs().assign_attrs(long_name="bias statistic", units="1"),
            "lower": lower.astype(bias.dtype),
            "upper": upper.astype(bias.dtype),
            "n_obs": n_obs.drop_attrs(),
        },
        attrs={"window": window or 0, "lag": lag, "confidence": level},
    )


def _band(n_obs: xr.DataArray, probability: float) -> xr.DataArray:
    """Quantile of the bias of right forecasts."""
    return xr.apply_ufunc(_quantile, n_obs, probability, dask="parallelized", output_dtypes=[float])


def _quantile(n_obs: np.ndarray, probability: float) -> np.ndarray:
    """Looked up by the number of dates: there are far fewer of these than cells."""
    freedom = np.maximum(np.arange(np.max(n_obs, initial=0) + 1) - 1.0, 1.0)
    return np.sqrt(special.chdtri(freedom, 1.0 - probability) / freedom)[n_obs]
