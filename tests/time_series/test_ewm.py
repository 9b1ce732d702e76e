"""Exponential weights: peers, laws, edges, refusals."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.time_series import cases_recursive

NAN = np.nan
SPEEDS = [{"halflife": 3.7}, {"span": 12}, {"com": 0.3}, {"alpha": 0.07}]
SECOND = [xf.ewm_var, xf.ewm_std]
each_window = pytest.mark.parametrize("window", [None, 20, 400])


def series(values):
    return xr.DataArray(np.asarray(values, dtype=float), dims="date")


@given(
    x=strategies.panels(dtypes=(np.float64,), any_order=False),
    speed=st.sampled_from(SPEEDS),
    bias=st.booleans(),
    least=st.integers(1, 6),
)
def test_ewm__equals_pandas(x, speed, bias, least):
    known = x.where(np.isfinite(x))
    peer = known.to_pandas().ewm(**speed, min_periods=least, adjust=True, ignore_na=False)
    size = contracts.size_of(x)
    mean = xf.ewm_mean(x, **speed, min_obs=least)
    np.testing.assert_allclose(mean.values, peer.mean().values, rtol=1e-9, atol=1e-9 * size)
    got = xf.ewm_var(x, **speed, bias=bias, min_obs=least).values
    # One value has no variance without bias. pandas asks whether (sum w)^2 equals sum w^2 exactly,
    # and once the weights have faded rounding says no: it then gives 0 (seen with 3.1.1).
    enough = bias | (known.notnull().cumsum("date") > 1)
    want = peer.var(bias=bias).where(enough.values).values
    # Squares of pandas' rounding: its variance of equal values need not be 0.
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-12 * size**2 + 1e-300)
    roots = xf.ewm_std(x, **speed, bias=bias, min_obs=least).values
    np.testing.assert_allclose(roots, np.sqrt(got), rtol=1e-15)


def test_ewm_var__of_one_value_long_ago_is_missing():
    x = series([-1.0, *[NAN] * 30])
    assert np.isnan(xf.ewm_var(x, span=12).values).all()
    assert (xf.ewm_var(x, span=12, bias=True).values == 0).all()


def test_ewm__of_an_infinite_halflife_is_that_of_all_values_so_far(panel):
    x = panel["close"]
    mean = xf.ewm_mean(x, halflife=np.inf, min_obs=3)
    peer = x.where(np.isfinite(x)).to_pandas().expanding(3)
    np.testing.assert_allclose(mean.values, peer.mean().values, rtol=1e-13)
    std = xf.ewm_std(x, halflife=np.inf, min_obs=3)
    np.testing.assert_allclose(std.values, peer.std().values, rtol=1e-10)
    lazy = xf.ewm_mean(x.chunk(date=3), halflife=np.inf, min_obs=3)
    contracts.assert_same_bits(lazy.compute(), mean)


def test_ewm_cov__equals_pandas():
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.normal(size=(300, 2)), dims=("date", "asset"))
    x = x.where(rng.random(x.shape) > 0.2)
    one, other = x[:, 0], x[:, 1]
    for bias in (True, False):
        want = one.to_series().ewm(halflife=9).cov(other.to_series(), bias=bias)
        got = xf.ewm_cov(one, other, halflife=9, bias=bias).values
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-14)


@each_window
def test_ewm_cov__of_a_history_with_itself_is_its_variance(panel, window):
    x = panel["close"]
    options = {"span": 5, "window": window}
    contracts.assert_same_bits(xf.ewm_cov(x, x, **options), xf.ewm_var(x, **options))
    twice = xf.ewm_cov(x, 2.0 * x, **options)  # a factor of 2 rounds nothing
    contracts.assert_same_bits(twice, 2.0 * xf.ewm_var(x, **options))


@each_window
def test_ewm_cov__with_one_series_is_that_with_a_panel_of_it(panel, window):
    x = panel["close"]
    market = x.mean("asset")
    options = {"span": 5, "window": window}
    want = xf.ewm_cov(x, market.broadcast_like(x), **options)
    contracts.assert_same_bits(xf.ewm_cov(x, market, **options), want)
    for y in (market, market.chunk(date=5)):
        got = xf.ewm_cov(x.chunk(date=5), y, **options).compute()
        contracts.assert_same_bits(got, want)


@pytest.mark.parametrize("speed", SPEEDS)
def test_ewm__over_a_window_longer_than_the_history_is_that_of_the_whole_past(speed):
    x = strategies.fixed_panel()
    for function in (xf.ewm_mean, *SECOND):
        got, want = function(x, window=40, **speed), function(x, **speed)
        np.testing.assert_allclose(got.values, want.values, rtol=1e-10, atol=1e-13)


@each_window
@pytest.mark.parametrize("value", [0.1, -1e8 - 0.3, 1e-300, 1e300])
def test_ewm__of_a_constant_is_it_exactly_and_its_deviation_exactly_0(value, window):
    x = xr.DataArray(np.full((100, 3), value), dims=("date", "asset"))
    x[30:50, 1] = NAN
    for each in (x, x.chunk(date=9)):
        assert (xf.ewm_mean(each, span=7, window=window).dropna("date") == value).all().compute()
        for function in SECOND:
            got = function(each, span=7, window=window).compute()[1:]
            assert (got.isel(asset=[0, 2]) == 0).all()
            assert got.isel(asset=1).fillna(0).max() == 0


@each_window
@pytest.mark.parametrize("level", [1e8, -1e12])
def test_ewm_std__keeps_its_digits_at_a_high_level(level, window):
    column = (level + np.random.default_rng(1).normal(size=60)).tolist()
    got = xf.ewm_std(series(column), com=9, window=window).values
    np.testing.assert_allclose(got, cases_recursive.ewm_std(column, com=9, window=window), 1e-11)
    mean = xf.ewm_mean(series(column), com=9, window=window).values
    np.testing.assert_allclose(mean, cases_recursive.ewm_mean(column, com=9, window=window), 1e-15)


@pytest.mark.parametrize("outlier", [1e9, -1e12])
def test_ewm__forgets_an_outlier_that_has_left_the_window(outlier):
    clean = np.random.default_rng(0).normal(size=80)
    dirty = clean.copy()
    dirty[10] = outlier
    for function in (xf.ewm_mean, *SECOND):
        for window in (5, 16):
            options = {"halflife": 30, "window": window}
            got = function(series(dirty), **options).values[10 + window :]
            want = function(series(clean), **options).values[10 + window :]
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


GAPS = {
    "one value after the gap": [1.0, 5.0, 2.0, *[NAN] * 400, 7.0],
    "values after the gap": [1.0, 5.0, 2.0, *[NAN] * 400, 7.0, 7.5, 3.0],
    "two gaps": [1.0, 5.0, *[NAN] * 390, 2.0, *[NAN] * 390, 7.0, NAN],
    "a level left behind": [1e9, *[NAN] * 800, 0.1, 0.3, *[NAN] * 3],
    "almost underflow": [1.0, 5.0, *[NAN] * 168, 2.0, *[NAN] * 168, 7.0, 1.0],
}


@pytest.mark.parametrize("window", [None, 405, 2000])
@pytest.mark.parametrize("name", GAPS)
def test_ewm__survives_gaps_in_which_all_weights_vanish(name, window):
    """At alpha = 7/8 a weight leaves the floats after 341 sessions."""
    column = GAPS[name]
    options = {"alpha": 0.875, "window": window}
    for dtype in (np.float64, np.float32):
        values = np.array(column, dtype=dtype)
        x = xr.DataArray(values, dims="date")
        rtol = 1e-9 if dtype == np.float64 else 1e-6
        for naive in (cases_recursive.ewm_mean, cases_recursive.ewm_var, cases_recursive.ewm_std):
            got = getattr(xf, naive.__name__)(x, **options)
            want = naive(values.tolist(), **options)
            np.testing.assert_allclose(got.values, want, rtol)
            cut = getattr(xf, naive.__name__)(x.chunk(date=97), **options)
            contracts.assert_same_bits(cut.compute(), got)


@pytest.mark.parametrize("n_assets", [127, 128, 129, 300])
def test_ewm__works_in_lanes_of_any_number_of_assets(n_assets):
    """The kernel takes 128 columns at a time; an asset must not notice which lane it is in."""
    rng = np.random.default_rng(4)
    x = xr.DataArray(rng.normal(size=(30, n_assets)), dims=("date", "asset"))
    x = x.where(rng.random(x.shape) > 0.2)
    for function in (xf.ewm_mean, xf.ewm_std):
        for window in (None, 7):
            got = function(x, span=4, window=window)
            for j in (0, 126, n_assets - 1):
                one = function(x[:, [j]], span=4, window=window)
                contracts.assert_same_bits(got[:, [j]], one)


@each_window
def test_ewm_std__without_bias_needs_two_values_that_weigh(window):
    x = series([NAN, 1.0, NAN, 3.0])
    got = xf.ewm_std(x, halflife=1, window=window).values
    np.testing.assert_array_equal(np.isnan(got), [True, True, True, False])
    got = xf.ewm_std(x, halflife=1, window=window, bias=True).values
    np.testing.assert_array_equal(np.isnan(got), [True, False, False, False])
    assert np.isnan(xf.ewm_std(x, alpha=1, window=window).values).all()
    np.testing.assert_array_equal(xf.ewm_mean(x, alpha=1, window=window).values, [NAN, 1, 1, 3])


@each_window
@pytest.mark.parametrize("size", [1e-150, 1e150, 1e300])
def test_ewm__of_tiny_and_huge_values_is_right_or_missing(size, window):
    """Squares may leave the range of floats; a wrong number must not come of it."""
    x = series([1.0, 2.0, 4.0, 8.0, -8.0])
    for function in (xf.ewm_mean, xf.ewm_std):
        got = function(x * size, span=3, window=window).values
        want = function(x, span=3, window=window).values * size
        wrong = ~np.isnan(got) & ~np.isclose(got, want, rtol=1e-9, atol=0)
        assert not wrong.any(), (got, want)


def test_ewm_var__that_float32_cannot_hold_is_missing():
    x = xr.DataArray(np.float32([1e30, -1e30]), dims="date")
    for window in (None, 2):
        got = xf.ewm_var(x, span=3, window=window, bias=True).values
        np.testing.assert_array_equal(got, [0, NAN])


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [xf.ewm_mean, *SECOND], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "none of them was given; needed one of halflife, span, com and alpha"),
        ({"span": 3, "alpha": 0.5}, "span=3 and alpha=0.5 was given"),
        ({"halflife": 0}, "halflife=0 was given; needed a number above 0"),
        ({"span": 0.5}, "of at least 1"),
        ({"com": -1}, "of at least 0"),
        ({"alpha": 0}, "above 0 and at most 1"),
        ({"alpha": 1.5}, "above 0 and at most 1"),
        ({"com": np.inf}, "com=inf"),
        ({"span": "3 days"}, "span='3 days'"),
        ({"span": True}, "span=True"),
        ({"span": 3, "window": 0}, "window=0"),
        ({"span": 3, "min_obs": 0}, "min_obs=0"),
    ],
)
def test_ewm__refuses_wrong_options(panel, function, options, text):
    with pytest.raises(xf.PanelError, match=text):
        function(panel["close"], **options)


def test_ewm_cov__refuses_a_partner_that_does_not_fit(panel):
    x = panel["close"]
    with pytest.raises(TypeError, match="y"):
        xf.ewm_cov(x, 3.0, span=3)
    with pytest.raises(xf.PanelError, match="'date'"):
        xf.ewm_cov(x, x.isel(date=0, drop=True), span=3)
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        xf.ewm_cov(x, x[1:], span=3)
    with pytest.raises(xf.PanelError, match="dimension 'signal'"):
        xf.ewm_cov(x, x.expand_dims(signal=2), span=3)
