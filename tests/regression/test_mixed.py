"""Inputs in memory beside lazy ones: any mix gives what arrays in memory give."""

import itertools

import pytest
import xarray as xr

import xfactor as xf

FIRST_TEN = {"asset": slice(10)}

THROUGH_TIME = {
    "time_series_ols": lambda y, x, w: xf.time_series_ols(y, x, where=w),
    "time_series_ols, white": lambda y, x, w: xf.time_series_ols(y, x, where=w, se="white"),
    "time_series_ols, own factors": lambda y, x, w: xf.time_series_ols(
        y.rename("y"), (x.sel(factor="market", drop=True) + y.fillna(0.0)).rename("own"), where=w
    ),
    "rolling_ols": lambda y, x, w: xf.rolling_ols(y, x, window=60, where=w),
    "rolling_ols, fading": lambda y, x, w: xf.rolling_ols(y, x, window=60, halflife=20, where=w),
    "rolling_ols, expanding": lambda y, x, w: xf.rolling_ols(y, x, expanding=True, where=w),
    "fama_macbeth, two-pass": lambda y, x, w: xf.fama_macbeth(y, factors=x, where=w),
    "grs_test": lambda y, x, w: xf.grs_test(
        y.isel(FIRST_TEN).fillna(0.0), x, where=w.isel(FIRST_TEN) | True
    ),
}
ACROSS = {
    "cross_sectional_ols": lambda y, x, w: xf.cross_sectional_ols(y, x, where=w),
    "fama_macbeth": lambda y, x, w: xf.fama_macbeth(y, x, where=w),
    "newey_west": lambda y, x, w: xf.newey_west(y.where(w)),
}


@pytest.fixture(scope="module")
def inputs():
    """Returns, factors, exposures and universe: in memory and lazy."""
    panel, truth = xf.simulate_panel(dates=150, assets=30, seed=1, chunk_dates=50)
    exposures = xf.standardize(panel[["book_to_price", "market_cap"]])
    lazy = (panel.returns, truth.factor_returns, exposures, panel.listed)
    return dict(zip("yfxw", zip(xf.compute(*lazy), lazy, strict=True), strict=True))


@pytest.mark.parametrize("name", [*THROUGH_TIME, *ACROSS])
def test_regression__takes_inputs_in_memory_beside_lazy_ones(name, inputs):
    fit = (THROUGH_TIME | ACROSS)[name]
    ys, ws, xs = inputs["y"], inputs["w"], inputs["f" if name in THROUGH_TIME else "x"]
    want, *others = (fit(y, x, w) for y, x, w in itertools.product(ys, xs, ws))
    want, *others = xf.compute(want, *others)
    for got in others:
        xr.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-13)
