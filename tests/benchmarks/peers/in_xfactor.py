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


def read(folder: Path, size: Size) -> Answer:
    """Read every chunk of the four fields once with bare Zarr, and keep nothing."""
    arrays = [zarr.open_array(folder / "panel.zarr" / name, mode="r") for name in FIELDS]
    jobs = [(a, i) for i in range(0, arrays[0].shape[0], arrays[0].chunks[0]) for a in arrays]

    def one(job: tuple[zarr.Array, int]) -> float:
        array, start = job
        return float(array[start : start + array.chunks[0]][0, 0])

    with ThreadPoolExecutor(size.threads) as pool:
        return {"first": np.array(list(pool.map(one, jobs)))}
