"""What looks at the panel twice reads it twice: blocks are not kept from one pass to the next."""

import weakref

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xfactor as xf
from xfactor import _apply

BLOCKS, DATES, ASSETS = 24, 10, 6
# Blocks that a scheduler has in hand at once, for the halo of Newey-West and a few tasks ahead.
AT_ONCE = 8

RESULTS = {
    "robust errors": lambda y, f: xf.time_series_ols(y, f, lags=2).stderr,
    "residuals": lambda y, f: xf.jarque_bera(xf.time_series_ols(y, f, se="ols").residual).pvalue,
    "two passes": lambda y, f: xf.fama_macbeth(y, factors=f).stderr_shanken,
    "hedge in sample": lambda y, f: xf.hedge(y, f, window=None).hedged.std("date"),
    "own regressors": lambda y, f: xf.time_series_ols(y, (2 * y).rename("own"), lags=1).stderr,
}


class Panel:
    """Noise (date, asset) made block by block, and how many blocks are alive."""

    def __init__(self):
        self.alive = self.most = self.made = 0

    def block(self, block_info):
        place = block_info[None]["chunk-location"][0]
        values = np.random.default_rng(place).normal(size=(DATES, ASSETS))
        self.made += 1
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(values, self.gone)
        return values

    def gone(self):
        self.alive -= 1

    def array(self):
        chunks = ((DATES,) * BLOCKS, (ASSETS,))
        values = da.map_blocks(self.block, chunks=chunks, dtype=float, meta=np.empty((0, 0)))
        return xr.DataArray(values, dims=("date", "asset"), name="returns")


@pytest.mark.parametrize("name", RESULTS)
def test_second_look__reads_the_panel_again_and_holds_few_blocks(name, monkeypatch):
    source = Panel()
    y = source.array()
    monkeypatch.setattr(_apply, "KEPT", y.nbytes // 2)
    factors = xr.DataArray(np.random.default_rng(99).normal(size=BLOCKS * DATES), dims="date")
    factors = factors.rename("market").chunk(date=DATES)
    lazy = RESULTS[name](y, factors)
    assert source.made == 0
    got = lazy.compute(scheduler="synchronous")
    assert source.most <= AT_ONCE, f"{source.most} of {BLOCKS} blocks alive at once"
    assert source.made == 2 * BLOCKS
    want = RESULTS[name](y.compute(), factors.compute())
    xr.testing.assert_allclose(got, want, rtol=1e-10)


def test_second_look__keeps_what_is_small():
    source = Panel()
    y = source.array()
    xf.time_series_ols(y, y.mean("asset").rename("mean")).stderr.compute()
    assert source.made == BLOCKS
