"""The task by xfactor, from its store, and what reading that store costs alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import xarray as xr
import zarr

import xfactor as xf
from tests.benchmarks.peers.task import (
    CLIP,
    FIELDS,
    LAGS,
    LEAST,
    LOOKBACK,
    MIXED,
    SKIP,
    WINDOW,
    Answer,
    Size,
)  # fmt: skip
from xfactor.lecture import characteristics, factor_portfolios


def use_threads(threads: int) -> None:
    """So many for all that follows."""
    dask.config.set(num_workers=threads)


def lecture(folder: Path, size: Size) -> Answer:
    """All five steps."""
    panel = xf.open_panel(folder / "panel.zarr")
    r = panel.returns
    traits = characteristics(panel, lookback=LOOKBACK, skip=SKIP)
    sorts = factor_portfolios(traits, n=size.n, min_names=1)
    factors = sorts.map(lambda w: xf.portfolio_returns(w, r))
    twopass = xf.fama_macbeth(r, factors=factors, lags=LAGS, min_dates=LEAST)
    rolling = xf.rolling_ols(r, factors, window=WINDOW, min_obs=LEAST, se=None)
    known = r.notnull() & rolling.alpha.notnull()
    n = known.sum("asset")
    exposures = xf.standardize(traits, CLIP, method="quantile")
    across = xf.fama_macbeth(r, exposures, lags=LAGS)
    means = {
        name: rolling[name].where(known, 0.0).sum("asset", skipna=False) / n.where(n > 0)
        for name in ("beta", "alpha")
    }
    results = xf.compute(
        factors.to_dataarray("factor"), xr.Dataset(means | {"n": n}),
        twopass[["beta", "premium", "stderr"]], across[["premium", "stderr", "factor_return"]],
    )  # fmt: skip
    f, means, twopass, across = results
    return {
        "factors": f.transpose("date", "factor").values,
        "betas": twopass.beta.sel(factor=list(sorts)).transpose("asset", "factor").values,
        "premium": twopass.premium.values,
        "premium_error": twopass.stderr.values,
        "rolling_beta": means.beta.transpose("date", "factor").values,
        "rolling_alpha": means.alpha.values,
        "rolling_n": means.n.values.astype(np.float64),
        "across": across.factor_return.transpose("date", "factor").values,
        "across_premium": across.premium.values,
        "across_error": across.stderr.values,
    }


def ranks(folder: Path, size: Size) -> Answer:
    """Ordinal ranks of book to price."""
    panel = xf.open_panel(folder / "panel.zarr")
    made = xf.rank(panel.book_to_price) * (panel.asset % MIXED)
    return {"mixed": xf.compute(made.sum("asset"))[0].values}


def sorts(folder: Path, size: Size) -> Answer:
    """SMB and HML, returns of the same date."""
    panel = xf.open_panel(folder / "panel.zarr")
    smb = -xf.long_short(panel.market_cap, n=size.n)
    hml = xf.long_short(panel.book_to_price, n=size.n)
    made = [xf.portfolio_returns(w, panel.returns, lag=0) for w in (smb, hml)]
    return {"factors": np.column_stack([f.values for f in xf.compute(*made)])}


def deciles(folder: Path, size: Size) -> Answer:
    """Mean returns of the next date by decile, and rank correlations with them."""
    panel = xf.open_panel(folder / "panel.zarr")
    price = xf.ffill(panel["close"])  # alphalens' pct_change pads
    later = xf.forward_returns(xf.returns(price))
    fit = xf.evaluate_signals(panel.market_cap, later, where=later.notnull())
    means, correlation = xf.compute(fit["returns"], fit.ic)
    return {
        "deciles": means.squeeze().transpose("date", "bucket").values,
        "correlation": correlation.squeeze().values,
    }


def read(folder: Path, size: Size) -> Answer:
    """Read every chunk of the four fields once with bare Zarr, and keep nothing."""
    arrays = [zarr.open_array(folder / "panel.zarr" / name, mode="r") for name in FIELDS]
    jobs = [(a, i) for i in range(0, arrays[0].shape[0], arrays[0].chunks[0]) for a in arrays]

    def one(job: tuple[zarr.Array, int]) -> float:
        array, start = job
        return float(array[start : start + array.chunks[0]][0, 0])

    with ThreadPoolExecutor(size.threads) as pool:
        return {"first": np.array(list(pool.map(one, jobs)))}
