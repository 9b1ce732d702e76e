"""Rolling regressions against statsmodels, exact fractions, their contracts and laws."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.rolling import RollingOLS

import xfactor as xf
from tests import contracts, strategies
from tests.regression import oracles

# One window: the rounding of some hundred products, and that of the oracle.
RTOL = 1e-9
NAMES = ["beta", "stderr", "alpha", "alpha_stderr", "rsquared", "n_obs"]


def factor_rows(f):
    return f.to_dataarray("factor").transpose("factor", "date").values.astype(float)


def check(got, naive, a, intercept=True, rtol=RTOL):
    one = got.isel(asset=a) if "asset" in got.dims else got
    first = 1 if intercept else 0
    params, bse = oracles.stack(naive, "params"), oracles.stack(naive, "bse")
    np.testing.assert_array_equal(one.n_obs, oracles.stack(naive, "n_obs"))
    np.testing.assert_allclose(one.beta, params[:, first:], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one.stderr, bse[:, first:], rtol=max(rtol, 1e-8))
    np.testing.assert_allclose(one.rsquared, oracles.stack(naive, "rsquared"), rtol=rtol, atol=1e-9)
    if intercept:
        np.testing.assert_allclose(one.alpha, params[:, 0], rtol=rtol, atol=rtol)
        np.testing.assert_allclose(one.alpha_stderr, bse[:, 0], rtol=max(rtol, 1e-8))


# --- oracle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("window", "min_obs"), [(20, 12), (20, 20), (7, 5), (150, 30)])
def test_rolling_ols__equals_statsmodels_rolling_ols(window, min_obs, intercept):
    y, f = oracles.streams(1, missing=0.1, assets=3, factors=2)
    got = xf.rolling_ols(y, f, window=window, min_obs=min_obs, intercept=intercept)
    z = oracles.design(factor_rows(f), intercept)
    span = min(window, 120)  # statsmodels needs a window within the history
    for a in range(3):
        fit = RollingOLS(
            y.values[:, a], z, window=span, min_nobs=min_obs, missing="drop", expanding=True
        ).fit()
        params, bse, r2 = fit.params, fit.bse, fit.rsquared
        known = np.isfinite(params).all(axis=1)
        one = got.isel(asset=a)
        np.testing.assert_array_equal(one.beta.notnull().all("factor"), known)
        first = 1 if intercept else 0
        np.testing.assert_allclose(one.beta[known], params[known, first:], rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(one.stderr[known], bse[known, first:], rtol=1e-7)
        if intercept:
            np.testing.assert_allclose(one.alpha[known], params[known, 0], rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(one.rsquared[known], r2[known], rtol=1e-6, atol=1e-8)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_rolling_ols__equals_one_regression_for_each_window(seed, data):
    dates = data.draw(st.integers(1, 40))
    factors = data.draw(st.integers(1, 3))
    intercept = data.draw(st.booleans())
    y, f = oracles.streams(
        seed, dates, 2, factors, missing=data.draw(st.sampled_from([0.0, 0.1, 0.4]))
    )
    window = data.draw(st.integers(factors + intercept, 45))
    min_obs = data.draw(st.integers(1, window))
    got = xf.rolling_ols(y, f, window=window, min_obs=min_obs, intercept=intercept)
    for a in range(2):
        naive = oracles.by_window(y.values[:, a], factor_rows(f), window, min_obs, intercept)
        check(got, naive, a, intercept, rtol=1e-6)  # a window of p dates can be ill-conditioned


def test_rolling_ols__default_min_obs_is_half_a_window_or_one_more_than_coefficients():
    y, f = oracles.streams(2, missing=0.3, factors=2)
    for window, least in ((30, 15), (5, 4), (4, 4), (3, 3)):
        got = xf.rolling_ols(y, f, window=window)
        np.testing.assert_array_equal(got.beta.notnull().all("factor"), got.n_obs >= least)


def test_rolling_ols__takes_regressors_of_each_asset():
    y, f = oracles.streams(3, assets=67, factors=1)
    own = y.copy(data=np.random.default_rng(1).normal(size=y.shape))
    got = xf.rolling_ols(y, xr.Dataset({"own": own, "common": f.f0}), window=15, min_obs=10)
    for a in (0, 33, 66):
        xs = np.stack([own.values[:, a], f.f0.values])
        check(got, oracles.by_window(y.values[:, a], xs, 15, 10), a)


def test_rolling_ols__takes_one_portfolio():
    y, f = oracles.streams(4)
    want = xf.rolling_ols(y, f, window=20).isel(asset=2, drop=True)
    one = y.isel(asset=2, drop=True)
    oracles.assert_same_bits(xf.rolling_ols(one, f, window=20), want)
    lazy = xf.rolling_ols(one.chunk(date=7), f.chunk(date=7), window=20).compute()
    oracles.assert_same_bits(lazy, want)


def test_rolling_ols__the_last_full_window_equals_time_series_ols():
    y, f = oracles.streams(5)
    whole = xf.time_series_ols(y, f, se="ols")
    got = xf.rolling_ols(y, f, window=500, min_obs=5).isel(date=-1)
    for name in NAMES:
        np.testing.assert_allclose(got[name], whole[name], rtol=1e-10)


def test_rolling_ols__eight_factors():
    y, f = oracles.streams(6, assets=2, factors=8, missing=0.02)
    got = xf.rolling_ols(y, f, window=60, min_obs=30)
    check(got, oracles.by_window(y.values[:, 1], factor_rows(f), 60, 30), 1)


# --- chunks and laziness ------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), data=st.data())
def test_rolling_ols__is_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(1, 40))
    y, f = oracles.streams(
        seed, dates, data.draw(st.sampled_from([1, 3, 130])), data.draw(st.integers(1, 2)),
        missing=data.draw(st.sampled_from([0.0, 0.3])),
        dtype=data.draw(st.sampled_from([np.float64, np.float32])),
    )  # fmt: skip
    if data.draw(st.booleans()):  # windows that are ill-conditioned, and solved from the data
        f = f.assign(f9=f.f0 + 1e-7 * f.f0**2)
    options = {
        "window": data.draw(st.integers(4, 45)), "intercept": data.draw(st.booleans()),
        "min_obs": data.draw(st.sampled_from([None, 1, 4])),
    }  # fmt: skip
    want = xf.rolling_ols(y, f, **options)
    cut = {"date": data.draw(strategies.cuts(dates))}
    both = cut | {"asset": data.draw(strategies.cuts(y.sizes["asset"], 1))}
    order = data.draw(st.sampled_from([("date", "asset"), ("asset", "date")]))
    got = xf.rolling_ols(y.transpose(*order).chunk(both), f.chunk(cut), **options)
    assert all(v.chunks is not None for v in got.data_vars.values())
    oracles.assert_same_bits(got.compute(), want)


def test_rolling_ols__empty_chunks_count_for_nothing():
    y, f = oracles.streams(7, dates=30)
    want = xf.rolling_ols(y, f, window=9)
    cut = {"date": (10, 0, 20)}
    oracles.assert_same_bits(xf.rolling_ols(y.chunk(cut), f.chunk(cut), window=9).compute(), want)


def test_rolling_ols__both_orders_of_dims_give_the_same_bits():
    y, f = oracles.streams(8, assets=67)
    want = xf.rolling_ols(y, f, window=20)
    oracles.assert_same_bits(xf.rolling_ols(y.transpose("asset", "date"), f, window=20), want)


def test_rolling_ols__computes_nothing_when_called(raise_if_computes):
    y, f = oracles.streams(9)
    y, f, mask = y.chunk(date=17), f.chunk(date=17), y.notnull().chunk(date=17)
    with raise_if_computes():
        xf.rolling_ols(y, f, window=20, where=mask)


# --- laws ---------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), data=st.data())
def test_rolling_ols__does_not_look_ahead(seed, data):
    y, f = oracles.streams(seed, 40, 3, 2)
    window = data.draw(st.integers(3, 45))
    t = data.draw(st.integers(1, 40))
    part = xf.rolling_ols(y[:t], f.isel(date=slice(t)), window=window)
    whole = xf.rolling_ols(y, f, window=window).isel(date=slice(t))
    oracles.assert_same_bits(part, whole)


@pytest.mark.parametrize("at", [20, 27, 29, 30, 33])  # the window cuts blocks at 0, 10, 20, ...
@pytest.mark.parametrize("where", ["y", "x", "both"])
@pytest.mark.parametrize("size", [1e9, np.inf])
def test_rolling_ols__an_outlier_that_has_left_leaves_no_trace(at, where, size):
    y, f = oracles.streams(10, dates=80, assets=2, missing=0.0)
    clean = xf.rolling_ols(y, f, window=10, min_obs=5)
    y, f = y.copy(deep=True), f.copy(deep=True)
    if where != "x":
        y[at] = size
    if where != "y":
        f["f0"][at] = size
    got = xf.rolling_ols(y, f, window=10, min_obs=5)
    untouched = np.r_[:at, at + 10 : 80]
    for name in NAMES:
        np.testing.assert_allclose(
            got[name][untouched], clean[name][untouched], rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("at", [20, 25, 29])  # blocks of 10: sums are taken about such values
@pytest.mark.parametrize("side", ["before", "after"])
def test_rolling_ols__an_outlier_at_the_edge_of_a_gap_leaves_no_trace(at, side):
    y, f = oracles.streams(10, dates=80, assets=2, missing=0.0)
    y[at + 1 if side == "before" else at - 6 : at + 7 if side == "before" else at, 0] = np.nan
    clean = xf.rolling_ols(y, f, window=10, min_obs=5)
    y = y.copy(deep=True)
    y[at] = 1e9
    got = xf.rolling_ols(y, f, window=10, min_obs=5)
    untouched = np.r_[:at, at + 10 : 80]
    for name in NAMES:
        np.testing.assert_allclose(
            got[name][untouched], clean[name][untouched], rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("at", [20, 25, 29])
def test_rolling_ols__windows_with_an_outlier_in_y_are_right(at):
    y, f = oracles.streams(11, dates=50, assets=1, factors=2, missing=0.0)
    y = y.copy(deep=True)
    y[at] = 1e9
    got = xf.rolling_ols(y, f, window=10)
    for t in range(at, at + 10):
        span = slice(t - 9, t + 1)
        params, bse = oracles.exact(y.values[span, 0], factor_rows(f)[:, span])
        largest = np.abs(params).max()
        np.testing.assert_allclose(got.beta[t, 0], params[1:], rtol=1e-9, atol=1e-12 * largest)
        np.testing.assert_allclose(got.stderr[t, 0], bse[1:], rtol=1e-9)


def test_rolling_ols__where_is_the_same_as_masking_by_hand():
    y, f = oracles.streams(12)
    mask = y.copy(data=np.random.default_rng(1).random(y.shape) < 0.6)
    want = xf.rolling_ols(y.where(mask), f, window=20)
    oracles.assert_same_bits(xf.rolling_ols(y, f, window=20, where=mask), want)


def test_rolling_ols__recovers_betas_that_change_with_the_regime():
    _, f = oracles.streams(13, missing=0.0)
    beta = np.where(np.arange(120) < 60, 1.5, -0.5)
    y = (0.01 + beta * f.f0 + 2 * f.f1).expand_dims(asset=["a"]).transpose("date", "asset")
    got = xf.rolling_ols(y, f, window=25)
    inside = np.r_[24:60, 84:120]
    np.testing.assert_allclose(got.beta[inside, 0, 0], beta[inside], atol=1e-10)
    np.testing.assert_allclose(got.beta[inside, 0, 1], 2.0, atol=1e-10)
    np.testing.assert_allclose(got.alpha[inside, 0], 0.01, atol=1e-10)


# --- ill-conditioned and deficient --------------------------------------------------------------


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("intercept", [True, False])
def test_rolling_ols__ill_conditioned_windows_keep_six_digits(condition, intercept):
    rng = np.random.default_rng(14)
    a, b, e = rng.normal(size=(3, 40))
    f = xr.Dataset({"a": ("date", a), "b": ("date", a + b / condition)})
    y = xr.DataArray((a + 0.1 * e)[:, None], dims=("date", "asset"))
    got = xf.rolling_ols(y, f, window=20, intercept=intercept)
    for t in (19, 25, 39):
        span = slice(t - 19, t + 1)
        params, bse = oracles.exact(y.values[span, 0], factor_rows(f)[:, span], intercept)
        first = 1 if intercept else 0
        np.testing.assert_allclose(got.beta[t, 0], params[first:], rtol=1e-6)
        np.testing.assert_allclose(got.stderr[t, 0], bse[first:], rtol=1e-6)


@pytest.mark.parametrize("kind", ["duplicate", "constant", "zero", "missing"])
def test_rolling_ols__deficient_windows_are_missing_and_keep_the_count(kind):
    y, f = oracles.streams(15, missing=0.0)
    bad = f.f2.copy(deep=True)
    stretch = slice(40, 80)
    bad[stretch] = {"duplicate": f.f0[stretch] * 3, "constant": 0.1, "zero": 0.0,
                    "missing": np.nan}[kind]  # fmt: skip
    f = f.assign(f2=bad)
    got = xf.rolling_ols(y, f, window=20, min_obs=8)
    whole = got.isel(date=slice(59, 80))
    for name in ("beta", "stderr", "alpha", "alpha_stderr", "rsquared"):
        assert bool(whole[name].isnull().all()), name
    np.testing.assert_array_equal(whole.n_obs, 0 if kind == "missing" else 20)
    for a in range(5):
        check(got, oracles.by_window(y.values[:, a], factor_rows(f), 20, 8), a, rtol=1e-6)


def test_rolling_ols__scales_and_levels_of_factors_do_not_matter():
    y, f = oracles.streams(16)
    want = xf.rolling_ols(y, f, window=20)
    got = xf.rolling_ols(y, f.assign(f0=f.f0 * 1e-9, f1=f.f1 * 1e9), window=20)
    scale = np.array([1e-9, 1e9, 1.0])
    np.testing.assert_allclose(got.beta * scale, want.beta, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(got.stderr * scale, want.stderr, rtol=1e-9)
    # A level of 1e6 costs the data 6 of its 16 digits before we see them.
    got = xf.rolling_ols(y, f.assign(f0=f.f0 + 1e6), window=20)
    np.testing.assert_allclose(got.beta, want.beta, rtol=1e-7, atol=1e-8)


# --- other inputs -------------------------------------------------------------------------------


def test_rolling_ols__keeps_float32_and_takes_whole_numbers():
    y, f = oracles.streams(17, dtype=np.float32)
    got = xf.rolling_ols(y, f, window=20)
    assert all(got[k].dtype == np.float32 for k in NAMES[:-1])
    want = xf.rolling_ols(y.astype(float), f.astype(float), window=20)
    np.testing.assert_array_equal(got.beta, want.beta.astype(np.float32))
    y, f = oracles.streams(18, missing=0.0)
    y, f = (100 * y).round(), (100 * f).round()
    want = xf.rolling_ols(y, f, window=20)
    oracles.assert_same_bits(xf.rolling_ols(y.astype(int), f.astype(int), window=20), want)


def test_rolling_ols__memory_order_does_not_matter_and_input_is_kept():
    y, f = oracles.streams(19, assets=67)
    before = y.copy(deep=True)
    y.values.flags.writeable = False
    want = xf.rolling_ols(y, f, window=20)
    contracts.assert_same_bits(y, before)
    for values in (np.asfortranarray(y.values), np.repeat(y.values, 2, axis=1)[:, ::2]):
        oracles.assert_same_bits(xf.rolling_ols(y.copy(data=values), f, window=20), want)


@pytest.mark.parametrize(("dates", "assets"), [(0, 3), (1, 3), (1, 1), (5, 0), (0, 0)])
@pytest.mark.parametrize("lazy", [True, False])
def test_rolling_ols__too_little_data_is_missing_not_an_error(dates, assets, lazy):
    y, f = oracles.streams(20, dates, assets, 1, missing=0.0)
    if lazy:
        y, f = y.chunk(), f.chunk()
    got = xf.rolling_ols(y, f, window=4).compute()
    assert got.beta.shape == (dates, assets, 1)
    assert bool(got.beta[:2].isnull().all())


def test_rolling_ols__loops_over_further_dims_of_y():
    y, f = oracles.streams(21)
    both = xr.concat([y, -2 * y], "kind").assign_coords(kind=["a", "b"])
    got = xf.rolling_ols(both, f, window=20)
    oracles.assert_same_bits(got.sel(kind="a", drop=True), xf.rolling_ols(y, f, window=20))


def test_rolling_ols__one_stream_on_the_regressors_of_each_asset():
    y, _ = oracles.streams(22, factors=1, missing=0.0)
    market = y.mean("asset")
    got = xf.rolling_ols(market, y.rename("own"), window=20)
    want = xf.rolling_ols(market, y.isel(asset=3).rename("own"), window=20)
    np.testing.assert_allclose(got.beta.isel(asset=3), want.beta, rtol=1e-12)


def test_rolling_ols__keeps_the_coordinates_of_dates_and_assets():
    y, f = oracles.streams(23)
    y = y.assign_coords(symbol=("asset", list("ABCDE")))
    got = xf.rolling_ols(y, f, window=20)
    assert got.beta.dims == ("date", "asset", "factor")
    assert list(got.factor.values) == ["f0", "f1", "f2"]
    np.testing.assert_array_equal(got.symbol, y.symbol)
    assert got.indexes["date"].equals(pd.DatetimeIndex(y.date.values))


def test_rolling_ols__errors_say_what_to_do():
    y, f = oracles.streams(24)
    with pytest.raises(xf.PanelError, match="window=3 was given with 4 coefficients"):
        xf.rolling_ols(y, f, window=3)
    with pytest.raises(xf.PanelError, match="window=0"):
        xf.rolling_ols(y, f, window=0)
    with pytest.raises(xf.PanelError, match="same chunks"):
        xf.rolling_ols(y.chunk(date=10), f.chunk(date=11), window=9)
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        xf.rolling_ols(y, f.isel(date=slice(3)), window=9)
