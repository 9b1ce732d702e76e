"""The lecture on a small simulated universe: definitions, laziness, truth and no look-ahead."""

import math

import numpy as np
import pytest
import xarray as xr

import xfactor as xf
from tests.regression.oracles import assert_close
from xfactor import lecture, runs
from xfactor.text import lecture_text

DATES, ASSETS, WINDOW = 420, 90, 60
MOMENTUM = {"lookback": 120, "skip": 5}
# Sums over all dates combine in another order for other chunks.
CHUNKS = 1e-9
NAN = math.nan


@pytest.fixture(scope="module")
def simulated():
    universe, truth = xf.simulate_panel(dates=DATES, assets=ASSETS, seed=3, chunk_dates=100)
    return universe.compute(), truth.compute()


@pytest.fixture(scope="module")
def universe(simulated):
    return simulated[0]


@pytest.fixture(scope="module")
def traits(universe):
    return lecture.characteristics(universe, **MOMENTUM)


def both(universe):
    """Both approaches, as lazy as their input."""
    x = lecture.characteristics(universe, **MOMENTUM)
    held = lecture.largest_names(universe)
    one = lecture.approach_one(universe, x, held, window=WINDOW)
    return one, lecture.approach_two(universe, x)


@pytest.fixture(scope="module")
def results(universe):
    return both(universe)


# --- characteristics ----------------------------------------------------------------------------


def test_characteristics__equal_a_plain_loop(universe, traits):
    cap = universe.market_cap.values
    price = universe.adjusted_close.values
    np.testing.assert_array_equal(traits["value"], universe.book_to_price)
    for a in (0, 17, 89):
        for t in range(DATES):
            size = math.log(cap[t, a]) if cap[t, a] > 0 else NAN
            assert float(traits["size"][t, a]) == pytest.approx(size, rel=1e-12, nan_ok=True)
            new = price[t - 5, a] if t >= 5 else NAN
            old = price[t - 120, a] if t >= 120 else NAN
            want = new / old - 1 if old > 0 and price[t, a] > 0 else NAN  # no price, no name
            assert float(traits["momentum"][t, a]) == pytest.approx(want, rel=1e-9, nan_ok=True)
    assert int(traits.momentum.notnull().sum()) > 0.4 * DATES * ASSETS


def test_characteristics__of_companies_without_value_are_missing(universe):
    odd = universe.copy(deep=True)
    odd["market_cap"][200, :3] = [0.0, -1.0, np.inf]
    size = lecture.characteristics(odd, **MOMENTUM)["size"]
    assert bool(size[200, :2].isnull().all())


def test_characteristics__take_close_where_nothing_is_adjusted(universe):
    plain = universe.drop_vars("adjusted_close")
    got = lecture.characteristics(plain, **MOMENTUM).momentum
    renamed = plain.assign(adjusted_close=plain["close"])
    xr.testing.assert_equal(got, lecture.characteristics(renamed, **MOMENTUM).momentum)


def test_characteristics__errors_say_what_to_do(universe):
    for name in ("market_cap", "book_to_price"):
        with pytest.raises(xf.PanelError, match=f"no field '{name}'.*It has: .*returns"):
            lecture.characteristics(universe.drop_vars(name))
    with pytest.raises(xf.PanelError, match="no field 'close'"):
        lecture.characteristics(universe.drop_vars(["close", "adjusted_close"]))
    with pytest.raises(xf.PanelError, match=r"200 dates; needed more than 253.*--momentum"):
        lecture.characteristics(universe.isel(date=slice(200)))
    with pytest.raises(xf.PanelError, match="lookback=21"):
        lecture.characteristics(universe, lookback=21, skip=21)
    with pytest.raises(xf.PanelError, match="skip=-1"):
        lecture.characteristics(universe, skip=-1)


# --- portfolios ---------------------------------------------------------------------------------


def test_factor_portfolios__are_small_minus_big_and_high_minus_low(traits):
    w = lecture.factor_portfolios(traits, n=12)
    day = {"date": 300}
    assert int((w.SMB.isel(day) > 0).sum()) == 12
    for name, trait, sign in (("SMB", "size", -1), ("HML", "value", 1), ("MOM", "momentum", 1)):
        score = sign * traits[trait].isel(day)
        held = w[name].isel(day)
        assert float(score.where(held > 0).min()) >= float(score.where(held == 0).max())
        assert float(score.where(held < 0).max()) <= float(score.where(held == 0).min())
        np.testing.assert_allclose(held.where(held > 0).sum(), 1.0)
    share = lecture.factor_portfolios(traits, fraction=0.2)
    valid = int(traits["size"].isel(day).notnull().sum())
    assert int((share.SMB.isel(day) > 0).sum()) == valid // 5
    thin = lecture.factor_portfolios(traits, n=5)  # fewer than the least number of names
    assert all(bool(v.isnull().all()) for v in thin.values())
    meant = lecture.factor_portfolios(traits, n=5, min_names=5)
    assert int((meant.HML.isel(day) < 0).sum()) == 5


def test_factor_returns__equal_means_of_yesterdays_legs(universe, traits):
    w = lecture.factor_portfolios(traits, n=12)
    got = lecture.factor_returns(universe, w)
    assert list(got) == ["market", "SMB", "HML", "MOM"]
    xr.testing.assert_equal(got.market, universe.market_returns)
    for t in (200, 301, 419):
        r = universe.returns[t]
        long, short = (s(w.HML[t - 1]) for s in (lambda x: x > 0, lambda x: x < 0))
        want = float(r.where(long).mean()) - float(r.where(short).mean())
        assert float(got.HML[t]) == pytest.approx(want, rel=1e-10, abs=1e-14)


def test_largest_names__are_the_largest_on_each_date(universe):
    w = lecture.largest_names(universe, 5)
    np.testing.assert_allclose(w.sum("asset"), 1.0)
    cap = universe.market_cap
    for t in (0, 100, 419):
        held = w[t].notnull()
        assert int(held.sum()) == 5
        assert float(cap[t].where(held).min()) >= float(cap[t].where(~held).max())


def test_largest_names__sum_to_one_where_there_are_fewer_names(universe):
    few = universe.isel(asset=slice(3))
    w = lecture.largest_names(few, 5)
    held = few.market_cap.notnull().any("asset")
    assert bool(held.any())
    np.testing.assert_allclose(w.sum("asset"), held.astype(float))


def test_named_portfolio__holds_the_named_in_equal_weights(universe):
    names = [str(s) for s in universe.symbol.values[[3, 7, 9]]]
    w = lecture.named_portfolio(universe, names)
    assert w.dims == universe.returns.dims
    np.testing.assert_allclose(w[:, [3, 7, 9]], 1 / 3)
    assert bool(w.drop_isel(asset=[3, 7, 9]).isnull().all())
    with pytest.raises(xf.PanelError, match=r"no asset named NOPE, NOR; .*It has e\.g\. "):
        lecture.named_portfolio(universe, [names[0], "NOPE", "NOR"])
    with pytest.raises(xf.PanelError, match="no field 'symbol'"):
        lecture.named_portfolio(universe.drop_vars("symbol"), names)


def test_named_portfolio__a_name_given_twice_or_borne_by_two_assets_counts_in_full(universe):
    name = str(universe.symbol.values[3])
    w = lecture.named_portfolio(universe, [name, name])
    np.testing.assert_allclose(w[0].sum(), 1.0)
    twice = universe.symbol.values.copy()
    twice[4] = twice[3]
    w = lecture.named_portfolio(universe.assign_coords(symbol=("asset", twice)), [name])
    np.testing.assert_allclose(w[0].sum(), 1.0)


# --- the approaches -----------------------------------------------------------------------------


def test_approaches__are_lazy_until_computed_and_the_same_whatever_the_chunks(
    universe, results, raise_if_computes
):
    lazy = universe.chunk(date=90)
    with raise_if_computes():
        one, two = both(lazy)
        for result in (one, two):
            assert all(v.chunks is not None for v in result.data_vars.values())
    one, two = xf.compute(one, two)
    # Hedges and premia stand on sums over all dates; what is left of them is small.
    assert_close(one, results[0].compute(), rtol=1e-7, atol=CHUNKS)
    assert_close(two, results[1].compute(), rtol=1e-7, atol=CHUNKS)
    np.testing.assert_array_equal(one.factor_return, results[0].factor_return)
    np.testing.assert_array_equal(one.asset_beta, results[0].asset_beta)
    np.testing.assert_array_equal(two.factor_return, results[1].factor_return)


def test_approach_one__has_what_it_says(results):
    one = results[0]
    dims = {
        "factor_return": {"date", "factor"}, "portfolio_return": {"date"},
        "sensitivity": {"factor"}, "sensitivity_stderr": {"factor"},
        "sensitivity_tvalue": {"factor"}, "rolling_sensitivity": {"date", "factor"},
        "asset_beta": {"date", "asset", "factor"},
        "asset_beta_quantile": {"date", "factor", "quantile"},
        "hedged_return": {"date"}, "hedged_in_sample": {"date"},
    }  # fmt: skip
    for name, wanted in dims.items():
        assert set(one[name].dims) == wanted, name
        assert bool(one[name].notnull().any()), name
    assert [str(f) for f in one.factor.values] == list(lecture.FACTORS)


def test_approach_one__sensitivities_are_regressions_of_the_portfolio(results):
    one = results[0].compute()
    f = one.factor_return.to_dataset("factor")
    static = xf.time_series_ols(one.portfolio_return, f)
    np.testing.assert_allclose(one.sensitivity, static.beta, rtol=1e-12)
    rolling = xf.rolling_ols(one.portfolio_return, f, window=WINDOW)
    np.testing.assert_array_equal(one.rolling_sensitivity, rolling.beta)
    median = one.asset_beta.median("asset")
    np.testing.assert_allclose(
        one.asset_beta_quantile.sel(quantile=0.5).transpose(*median.dims), median, rtol=1e-9
    )


def test_approach_one__hedging_takes_away_most_of_the_variance(results):
    one = results[0].compute()
    known = one.hedged_return.notnull()
    plain = float(one.portfolio_return.where(known).var())
    assert float(one.hedged_return.var()) < 0.9 * plain
    assert float(one.hedged_in_sample.where(known).var()) < 0.9 * plain


def test_approach_one__the_portfolio_has_the_market_beta_of_its_names(results):
    one = results[0]
    assert 0.5 < float(one.sensitivity.sel(factor="market")) < 1.5
    market = one.asset_beta_quantile.sel(factor="market", quantile=0.5)
    assert 0.6 < float(market.mean()) < 1.4


def test_approach_two__recovers_the_true_factor_returns(simulated):
    universe, truth = simulated
    two = lecture.approach_two(universe, lecture.characteristics(universe))
    for name in ("size", "value", "momentum"):
        got, true = two.factor_return.sel(factor=name), truth.factor_returns.sel(factor=name)
        # 60 assets with specific risk: the estimate is noisy, and the signal is there.
        assert float(xr.corr(got, true, dim="date")) > 0.25, name
        slack = 4 * float(two.premium_stderr.sel(factor=name))
        true_mean = float(true.where(got.notnull()).mean())
        assert abs(float(two.premium.sel(factor=name)) - true_mean) < slack


def test_approach_two__premia_are_means_with_newey_west_errors(results):
    two = results[1]
    np.testing.assert_allclose(two.premium, two.factor_return.mean("date"), rtol=1e-9)
    fit = xf.newey_west(two.factor_return)
    np.testing.assert_array_equal(two.premium_stderr, fit.stderr)
    assert "residual" not in two


def test_approach_two__lag_zero_is_the_lectures_own(universe, traits):
    two = lecture.approach_two(universe, traits, lag=0)
    exposures = xf.standardize(traits, 0.01)
    want = xf.cross_sectional_ols(universe.returns, exposures, lag=0).factor_return
    np.testing.assert_array_equal(two.factor_return, want)


@pytest.mark.parametrize("name", ["returns", "market_returns"])
def test_approach_one__names_a_field_that_is_missing(universe, traits, name):
    held = lecture.largest_names(universe)
    with pytest.raises(xf.PanelError, match=f"no field '{name}'"):
        lecture.approach_one(universe.drop_vars(name), traits, held)


@pytest.mark.parametrize("t", [300, 351, 419])
def test_approaches__do_not_look_ahead(universe, results, t):
    one, two = both(universe.isel(date=slice(t)))
    whole = results[0].isel(date=slice(t)), results[1].isel(date=slice(t))
    for name in ("factor_return", "asset_beta", "rolling_sensitivity", "hedged_return",
                 "portfolio_return", "asset_beta_quantile"):  # fmt: skip
        np.testing.assert_array_equal(one[name], whole[0][name], err_msg=name)
    for name in ("factor_return", "stderr", "tvalue", "rsquared", "n_obs"):
        np.testing.assert_array_equal(two[name], whole[1][name], err_msg=name)


def test_approaches__the_last_prices_do_not_move_the_last_factor_returns(universe, results):
    """Exposures known at t enter no return before t + 1."""
    changed = universe.copy(deep=True)
    for name in ("market_cap", "adjusted_close", "book_to_price"):
        changed[name][-1] = changed[name][-1, ::-1].values
    one, two = both(changed)
    np.testing.assert_array_equal(one.factor_return, results[0].factor_return)
    np.testing.assert_array_equal(two.factor_return, results[1].factor_return)


# --- text and runs ------------------------------------------------------------------------------


def test_lecture_text__shows_every_part(results):
    text = lecture_text(*xf.compute(*results))
    for words in ("Approach 1", "Sensitivities", "Rolling betas (60 dates)", "Approach 2",
                  "Fama-MacBeth", "hedged in sample", "SMB", "momentum", "intercept"):  # fmt: skip
        assert words in text
    assert "nan" not in text


@pytest.mark.parametrize("assets", [4, 40])  # 40: too few for a leg, enough for approach 2
def test_lecture_text__of_a_universe_too_small_is_no_bare_crash(universe, assets):
    few = universe.isel(asset=slice(assets))
    results = xf.compute(*both(few))
    try:
        text = lecture_text(*results)
    except xf.PanelError:
        return
    assert "Approach 2" in text


def test_run_demo__writes_its_stores_and_pictures_and_shows_the_truth(tmp_path):
    run = runs.run_demo(tmp_path, dates=380, assets=ASSETS, seed=3, chunk_dates=128)
    assert all(f.exists() for f in run.files)
    assert {"panel.zarr", "truth.zarr", "factors.zarr"} <= {f.name for f in run.files}
    assert "true" in run.text
    universe = xf.open_panel(tmp_path / "panel.zarr")
    stored = xf.open_panel(tmp_path / "factors.zarr").beta.compute()
    x = lecture.characteristics(universe)
    want = lecture.approach_one(universe, x, lecture.largest_names(universe)).asset_beta.compute()
    np.testing.assert_array_equal(stored.transpose(*want.dims), want)
    assert stored.indexes["date"].equals(want.indexes["date"])


def test_run_lecture__names_what_is_missing(tmp_path):
    universe, _ = xf.simulate_panel(dates=120, assets=8, seed=1)
    store = xf.write_panel(universe.drop_vars("book_to_price"), tmp_path / "a.zarr")
    with pytest.raises(xf.PanelError, match="no field 'book_to_price'"):
        runs.run_lecture(store, tmp_path)
    store = xf.write_panel(universe, tmp_path / "b.zarr")
    with pytest.raises(xf.PanelError, match="120 dates in this range; needed at least 354"):
        runs.run_lecture(store, tmp_path)
    with pytest.raises(xf.PanelError, match="no asset named NOPE"):
        runs.run_lecture(store, tmp_path, symbols=["NOPE"], momentum=(40, 5), window=20)
