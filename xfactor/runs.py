"""The verbs that the command line calls: they read stores, compute, and write what they made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, cross_section, lecture, panel, plot, time_series
from xfactor.portfolios import portfolio_returns
from xfactor.regression import rolling_ols
from xfactor.simulate import simulate_panel
from xfactor.store import open_panel, write_panel
from xfactor.text import check_known, lecture_text

BETAS = "betas.zarr"


@dataclass(frozen=True)
class LectureRun:
    """What a run gives: computed results of both approaches, the text, and the files written."""

    one: xr.Dataset
    two: xr.Dataset
    text: str
    files: list[Path]


def run_lecture(
    store: str | Path,
    out: str | Path,
    *,
    start: Any = None,
    end: Any = None,
    symbols: list[str] | None = None,
    fraction: float = 0.2,
    n: int | None = None,
    min_names: int = lecture.MIN_NAMES,
    window: int = 100,
    momentum: tuple[int, int] = (252, 21),
    truth: xr.Dataset | None = None,
    progress: bool = False,
) -> LectureRun:
    """Run both approaches of the lecture on a panel store; save the pictures and the betas.

    Parameters
    ----------
    store
        Panel store with ``returns``, ``market_cap``, ``book_to_price``, ``market_returns`` and
        ``adjusted_close`` or ``close``.
    out
        Folder for the pictures and for ``betas.zarr``, the rolling betas of every asset.
    start, end
        First and last date; the whole history if not given.
    symbols
        The portfolio whose sensitivities are wanted, equal weights; by default the five largest
        companies of each date.
    fraction, n
        Share or number of names in each leg of the factor portfolios.
    min_names
        Names that each leg needs on a date.
    window
        Dates of the rolling regressions.
    momentum
        Lookback and skip of the momentum characteristic, in dates.
    truth
        Truth of a simulation, opened from a store, to be shown beside the estimates.
    progress
        Show bars on standard error.

    Returns
    -------
    LectureRun
        Results.

    Raises
    ------
    PanelError
        If the store, a field or a date is missing, or the history is too short.
    """
    fields = open_panel(store, start=start, end=end)
    for name in ("returns", "market_cap", "book_to_price", "market_returns"):
        panel.field(fields, name)
    lookback, skip = momentum
    needed = lookback + window + 2
    if fields.sizes[panel.DATE] < needed:
        raise panel.error(
            f"{store} has {fields.sizes[panel.DATE]} dates in this range",
            f"at least {needed} for a momentum of {lookback} and a window of {window} dates",
            "Use a longer range, or --momentum 60-5 --window 40",
        )
    traits = lecture.characteristics(fields, lookback=lookback, skip=skip)
    weights = lecture.named_portfolio(fields, symbols) if symbols else lecture.largest_names(fields)
    one = lecture.approach_one(
        fields, traits, weights, fraction=fraction, n=n, min_names=min_names, window=window
    )
    two = lecture.approach_two(fields, traits)
    beside = None
    if truth is not None:
        sorts = lecture.factor_portfolios(traits, fraction=fraction, n=n, min_names=min_names)
        beside = _true_loadings(truth, sorts, weights)
    every = {
        "one": one.drop_vars(["asset_beta", "asset_beta_quantile"]),
        "two": two,
        "snapshot": _snapshot(traits["value"]),
        "loadings": beside,
        "truth": None if truth is None else _last_truth(truth, window),
    }
    done = dict(zip(every, _apply.compute(*every.values(), progress=progress), strict=True))
    check_known(done["one"], done["two"])  # before anything is written
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    betas = _write_betas(fields.returns, done["one"].factor_return, window, out, progress)
    quantiles, last = _apply.compute(
        cross_section.quantile(betas, lecture.QUANTILES), betas.isel({panel.DATE: -1})
    )
    done["one"] = done["one"].assign(asset_beta_quantile=quantiles)
    known = None
    if truth is not None:
        known = truth_beside(done["one"], done["two"], done["loadings"], done["truth"], last)
    text = lecture_text(done["one"], done["two"], known)
    files = [out / BETAS]
    true_returns = None if truth is None else done["truth"].factor_returns
    files += plot.lecture_plots(done["one"], done["two"], done["snapshot"], out, true_returns)
    return LectureRun(done["one"], done["two"], text, files)


def run_demo(
    out: str | Path,
    *,
    dates: int = 1260,
    assets: int = 1000,
    seed: int = 0,
    chunk_dates: int = 256,
    min_names: int = lecture.MIN_NAMES,
    progress: bool = False,
) -> LectureRun:
    """Simulate a universe, write it to a store, run the lecture on it, show the truth beside.

    Parameters
    ----------
    out
        Folder for the stores ``panel.zarr`` and ``truth.zarr``, the betas and the pictures.
    dates, assets, seed
        Size of the universe, and the seed that determines it.
    chunk_dates
        Dates in a chunk: smaller ones need less memory.
    min_names
        Names that each leg needs on a date.
    progress
        Show bars on standard error.

    Returns
    -------
    LectureRun
        Results.
    """
    universe, truth = simulate_panel(dates=dates, assets=assets, seed=seed, chunk_dates=chunk_dates)
    out = Path(out)
    store = write_panel(universe, out / "panel.zarr", overwrite=True, progress=progress)
    kept = truth[["factor_returns", "exposure"]]
    known = write_panel(kept, out / "truth.zarr", overwrite=True, progress=progress)
    run = run_lecture(store, out, truth=open_panel(known), min_names=min_names, progress=progress)
    return LectureRun(run.one, run.two, run.text, [store, known, *run.files])


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


def _write_betas(
    returns: xr.DataArray, factors: xr.DataArray, window: int, out: Path, progress: bool
) -> xr.DataArray:
    """Write the rolling betas of every asset, the one large result; give them back as stored."""
    cuts = returns.chunksizes[panel.DATE]
    betas = rolling_ols(returns, factors.chunk({panel.DATE: cuts}), window=window, se=None).beta
    # A range that begins inside a stored chunk has a short first one: even them out, a chunk of
    # the new store taking from two of the old.
    even = betas.chunk({panel.DATE: max(cuts)}).transpose(panel.DATE, panel.ASSET, ...)
    path = write_panel(xr.Dataset({"beta": even}), out / BETAS, overwrite=True, progress=progress)
    return open_panel(path).beta


def _snapshot(value: xr.DataArray) -> xr.Dataset:
    """z-scores of one date, plain and winsorized: the lecture's two histograms."""
    day = value.isel({panel.DATE: [-1]})
    both = {"raw": cross_section.zscore(day), "winsorized": cross_section.standardize(day)}
    return xr.Dataset(both).isel({panel.DATE: 0})


def _true_loadings(truth: xr.Dataset, sorts: xr.Dataset, weights: xr.DataArray) -> xr.Dataset:
    """Loadings on the true factors of each portfolio, as they stood when each return began."""

    def loading(w: xr.DataArray) -> xr.DataArray:
        return time_series.lag(portfolio_returns(w, truth.exposure, lag=0))

    names = np.array(list(sorts), dtype=str)
    traded = xr.concat([loading(w) for w in sorts.values()], dim="traded")
    traded = traded.assign_coords(traded=names)
    return xr.Dataset({"sorts": traded, "portfolio": loading(weights)})


def _last_truth(truth: xr.Dataset, window: int) -> xr.Dataset:
    last = truth.exposure.isel({panel.DATE: slice(-window - 1, None)})
    return xr.Dataset({"factor_returns": truth.factor_returns}).assign(
        exposure=last.rename({panel.DATE: "recent"})
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
