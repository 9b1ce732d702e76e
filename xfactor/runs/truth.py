"""The truth of a simulation in the terms of the estimates."""

import numpy as np
import xarray as xr

from xfactor import cross_section, time_series
from xfactor import panel as _panel
from xfactor.portfolios import portfolio_returns


def truth_beside(
    one: xr.Dataset, two: xr.Dataset, loadings: xr.Dataset, truth: xr.Dataset, last: xr.DataArray
) -> xr.Dataset:
    """Return the truth in the terms of the estimates, for the tables.

    The simulated returns are linear in true factors. So the return of a factor portfolio is, but
    for specific returns, its loadings A[t] on the true factors times their returns; and whoever
    has loadings e on the true factors has sensitivities e A[t]^-1 to the traded ones.

    Parameters
    ----------
    one, two
        Computed results.
    loadings
        ``sorts`` (date, traded, factor) and ``portfolio`` (date, factor): loadings at t - 1.
    truth
        ``factor_returns`` (date, factor); ``exposure`` of the last window (date, asset, factor).
    last
        Estimated betas of every asset on the last date (asset, factor).

    Returns
    -------
    xarray.Dataset
        Means, sensitivities and correlations: of what belongs to approach 1 along ``traded``, of
        what belongs to approach 2 along ``factor``.
    """
    f = truth.factor_returns
    a = _traded_loadings(loadings, one)
    traded = one.factor_return.rename(factor="traded")
    sorts = xr.dot(a, f, dim="factor").where(traded.notnull())
    inverse = xr.DataArray(
        _inverse(a.values), coords={**a.coords}, dims=("date", "factor", "traded")
    )
    own = xr.dot(loadings.portfolio, inverse, dim="factor")
    beta = _true_betas(truth, inverse)
    names = [n for n in two["factor"].values if n in f["factor"].values]
    true = f.sel(factor=names).where(two.factor_return.sel(factor=names).notnull())
    last = last.rename(factor="traded")
    return xr.Dataset(
        {
            "sort_mean": sorts.mean("date") * 252,
            "sort_correlation": xr.corr(traded, sorts, dim="date"),
            "sensitivity": own.mean("date"),
            "beta_median": cross_section.quantile(beta, 0.5),
            "beta_correlation": xr.corr(beta, last, dim="asset"),
            "factor_return": f.sel(factor=names),
            "premium": true.mean("date"),
            "premium_correlation": xr.corr(two.factor_return.sel(factor=names), true, dim="date"),
        }
    )


def true_loadings(truth: xr.Dataset, sorts: xr.Dataset, weights: xr.DataArray) -> xr.Dataset:
    """Loadings on the true factors of each portfolio, as they stood when each return began.

    Parameters
    ----------
    truth
        ``exposure`` (date, asset, factor).
    sorts
        Weights of the factor portfolios.
    weights
        Weights of the portfolio.

    Returns
    -------
    xarray.Dataset
        ``sorts`` (date, traded, factor) and ``portfolio`` (date, factor).
    """

    def loading(w: xr.DataArray) -> xr.DataArray:
        return time_series.lag(portfolio_returns(w, truth.exposure, lag=0))

    names = np.array(list(sorts), dtype=str)
    traded = xr.concat([loading(w) for w in sorts.values()], dim="traded")
    traded = traded.assign_coords(traded=names)
    return xr.Dataset({"sorts": traded, "portfolio": loading(weights)})


def last_truth(truth: xr.Dataset, window: int) -> xr.Dataset:
    """Return what `truth_beside` needs of the truth: exposures of the last window only.

    Parameters
    ----------
    truth
        ``factor_returns`` (date, factor) and ``exposure`` (date, asset, factor).
    window
        Dates.

    Returns
    -------
    xarray.Dataset
        The same, exposures along ``recent``.
    """
    last = truth.exposure.isel({_panel.DATE: slice(-window - 1, None)})
    return xr.Dataset({"factor_returns": truth.factor_returns}).assign(
        exposure=last.rename({_panel.DATE: "recent"})
    )


def _traded_loadings(loadings: xr.Dataset, one: xr.Dataset) -> xr.DataArray:
    """A (date, traded, factor): the market is the first true factor itself."""
    market = xr.zeros_like(loadings.sorts.isel(traded=[0])).assign_coords(traded=["market"])
    market[..., 0] = 0.0
    market.loc[{"factor": "market"}] = 1.0
    a = xr.concat([market, loadings.sorts], dim="traded").transpose("date", "traded", "factor")
    return a.sel(traded=one["factor"].values)


def _inverse(a: np.ndarray) -> np.ndarray:
    known = np.isfinite(a).all(axis=(1, 2))
    out = np.full_like(a, np.nan)
    out[known] = np.linalg.solve(a[known], np.broadcast_to(np.eye(a.shape[1]), a[known].shape))
    return out


def _true_betas(truth: xr.Dataset, inverse: xr.DataArray) -> xr.DataArray:
    """Mean over the last window of each asset's true sensitivities to the traded factors."""
    x = truth.exposure.isel(recent=slice(None, -1))
    recent = inverse.isel(date=slice(-x.sizes["recent"], None)).rename(date="recent")
    x = x.assign_coords(recent=recent["recent"])  # known at t - 1, for the return at t
    return xr.dot(x, recent, dim=("factor",)).mean("recent")
