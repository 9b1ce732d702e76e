"""Transforms along date against their oracles, their contracts and their laws."""

import warnings
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, oracles, strategies
from tests.contracts import Case

NAN = np.nan
# The trace that an outlier may leave once it has left the window; running sums leave 1e-6.
TRACE = 1e-12


def _case(name, oracle, exact=False, **options):
    naive = partial(oracles.each, oracle, dim="date", **options)
    prices = name == "returns"
    return Case(
        name, getattr(xf, name), options, naive, dim="date", exact=exact, where=name != "lag",
        positive=prices, scaled=not prices,
    )  # fmt: skip


CASES = [
    *[_case("lag", oracles.lag, True, periods=p) for p in (1, 0, 3, 7, 50)],
    *[_case("returns", oracles.returns, periods=p) for p in (1, 2, 7, 50)],
    *[_case("forward_returns", oracles.forward_returns, periods=p) for p in (1, 2, 7, 50)],
    *[
        _case("rolling_mean", oracles.rolling_mean, window=w, min_obs=m)
        for w, m in [(5, None), (1, None), (4, 1), (7, 3), (50, 1), (3, 9)]
    ],
    *[
        _case("rolling_std", oracles.rolling_std, window=w, min_obs=m, ddof=d)
        for w, m, d in [(5, None, 1), (1, None, 0), (4, 1, 0), (7, 3, 1), (50, 2, 2)]
    ],
]

FUNCTIONS = contracts.by_name(CASES)
BACKWARD = [c for c in FUNCTIONS if c[0].name != "forward_returns"]
AHEAD = next(c for c in FUNCTIONS if c[0].name == "forward_returns")
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_function = pytest.mark.parametrize("cases", FUNCTIONS, ids=contracts.name_of)
each_backward = pytest.mark.parametrize("cases", BACKWARD, ids=contracts.name_of)
one_each = pytest.mark.parametrize("case", [c[0] for c in FUNCTIONS], ids=lambda c: c.name)
one_where = pytest.mark.parametrize(
    "case", [c[0] for c in FUNCTIONS if c[0].where], ids=lambda c: c.name
)


# --- what every transform promises --------------------------------------------------------------


def _bounded(case, x):
    """Returns so large that their product leaves the floats are the business of another test."""
    return x.clip(-1.5, 1.5).where(np.isfinite(x)) if case.name == "forward_returns" else x


@each_case
def test_transform__equals_the_naive_loop_on_the_fixed_panel(case):
    for dtype in (np.float64, np.float32):
        x = strategies.fixed_panel(dtype)
        contracts.check_oracle(case, abs(x) if case.positive else _bounded(case, x))


@each_function
@given(data=st.data())
def test_transform__equals_the_naive_loop(cases, data):
    case = data.draw(st.sampled_from(cases))
    x = data.draw(strategies.panels(positive=case.positive))
    contracts.check_oracle(case, _bounded(case, x))


@each_function
@given(data=st.data())
def test_transform__is_the_same_bit_for_bit_whatever_the_chunks(cases, data):
    case = data.draw(st.sampled_from(cases))
    x = data.draw(strategies.panels(positive=case.positive))
    contracts.check_chunks(case, _bounded(case, x), data)


@one_where
def test_transform__where_is_the_same_as_masking_by_hand(case):
    contracts.check_where(case)


@one_each
def test_transform__keeps_dims_coords_name_attrs_and_dtype(case):
    contracts.check_kept(case)


@one_each
def test_transform__computes_nothing_when_called(case, panel, raise_if_computes):
    contracts.check_lazy(case, panel, raise_if_computes)


@one_each
def test_transform__maps_over_a_dataset(case, panel):
    contracts.check_dataset(case, panel)


@one_each
def test_transform__loops_over_further_dims(case, panel):
    contracts.check_extra_dims(case, panel)


@one_each
def test_transform__takes_any_memory_order_and_number_type(case, panel):
    contracts.check_odd_arrays(case, panel)


@one_each
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_transform__of_an_empty_panel_is_empty(case, shape):
    contracts.check_empty(case, *shape)


@each_case
@pytest.mark.parametrize("cut", [(3, 0, 3), (0, 6), (6, 0), (1,) * 6])
def test_transform__takes_chunks_of_no_dates_and_of_one(case, cut):
    x = strategies.fixed_panel().isel(date=slice(6))
    contracts.assert_same_bits(case(x.chunk(date=cut)).compute(), case(x))


@each_case
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 26, 40])
def test_transform__takes_a_history_shorter_than_its_reach(case, n):
    x = strategies.fixed_panel().isel(date=slice(n))
    x = abs(x) if case.positive else _bounded(case, x)
    contracts.check_oracle(case, x)
    contracts.assert_same_bits(case(x.chunk(date=-1)).compute(), case(x))


@each_function
@given(data=st.data())
def test_transform__takes_every_asset_by_itself(cases, data):
    case = data.draw(st.sampled_from(cases))
    x = _bounded(case, data.draw(strategies.panels(positive=case.positive)))
    j = data.draw(st.integers(0, x.sizes["asset"] - 1))
    contracts.assert_same_bits(case(x.isel(asset=[j])), case(x).isel(asset=[j]))


@one_each
def test_transform__of_a_series_needs_no_asset_dim(case, panel):
    series = panel["close"].isel(asset=2, drop=True)
    want = case(panel["close"]).isel(asset=2, drop=True)
    xr.testing.assert_identical(case(series), want)
    xr.testing.assert_identical(case(series.chunk(date=5)).compute(), want)


# --- no look-ahead ------------------------------------------------------------------------------


@each_backward
@given(data=st.data())
def test_transform__never_looks_ahead(cases, data):
    """The prefix law: the result up to t is that of the history up to t, bit for bit."""
    case = data.draw(st.sampled_from(cases))
    x = data.draw(strategies.panels(min_dates=2, positive=case.positive))
    t = data.draw(st.integers(1, x.sizes["date"] - 1))
    past = slice(None, t)
    contracts.assert_same_bits(case(x.isel(date=past)), case(x).isel(date=past))


@given(data=st.data())
def test_forward_returns__never_looks_back(data):
    """The mirror of the prefix law."""
    case = data.draw(st.sampled_from(AHEAD))
    x = _bounded(case, data.draw(strategies.panels(min_dates=2)))
    t = data.draw(st.integers(1, x.sizes["date"] - 1))
    future = slice(t, None)
    contracts.assert_same_bits(case(x.isel(date=future)), case(x).isel(date=future))


@each_case
def test_transform__changes_with_tomorrow_only_if_it_is_forward_returns(case):
    x = abs(strategies.fixed_panel())
    for t in (1, 20, 39):
        changed = x.copy()
        changed[t] = 0.25
        before, after = case(x)[:t], case(changed)[:t]
        if case.name == "forward_returns" and case.options["periods"] == 1:
            np.testing.assert_allclose(after[t - 1].values, 0.25, rtol=1e-15)
        elif case.name != "forward_returns":
            contracts.assert_same_bits(after, before)


@given(x=strategies.panels(), n=st.integers(1, 5))
def test_forward_returns__of_n_dates_are_the_lagged_product_of_one(x, n):
    """In the other direction: lagged by n they are the trailing compound return."""
    r = _bounded(AHEAD[0], x).astype(float)
    trailing = 1.0
    for k in range(n):
        trailing = trailing * (1.0 + xf.lag(r, k))
    got = xf.lag(xf.forward_returns(r, n), n)
    late = {"date": slice(n, None)}  # the first n dates have no earlier date to be seen from
    np.testing.assert_allclose(got[late], (trailing - 1.0)[late], rtol=1e-9, atol=1e-11)


# --- lag, returns, forward_returns --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fill"), [("listed", False), ("sector", -1), ("volume", NAN), ("weight", NAN)]
)
def test_lag__keeps_the_dtype_and_fills_with_its_missing_value(panel, name, fill):
    x = panel[name]
    got = xf.lag(x, 2)
    # A count is no code: -1 shares would be a number, so wide integers become floats.
    assert got.dtype == (np.float64 if name == "volume" else x.dtype)
    np.testing.assert_array_equal(got[:2].values, np.full((2, 7), fill))
    np.testing.assert_array_equal(got[2:].values, x[:-2].values)
    contracts.assert_same_bits(xf.lag(x.chunk(date=5), 2).compute(), got)


@given(x=strategies.panels(), a=st.integers(0, 9), b=st.integers(0, 9))
def test_lag__twice_is_the_lag_of_the_sum(x, a, b):
    contracts.assert_same_bits(xf.lag(xf.lag(x, a), b), xf.lag(x, a + b))


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "<U3", "complex128"])
def test_lag__refuses_what_has_no_missing_value_here(dtype):
    x = xr.DataArray(np.zeros(3, dtype=dtype), dims="date")
    with pytest.raises(TypeError, match="needed numbers"):
        xf.lag(x)


@given(x=strategies.panels(dtypes=(np.float64,), positive=True), n=st.integers(1, 4))
def test_returns__equal_pandas_without_padding(x, n):
    x = x.transpose("date", "asset").where(np.isfinite(x))
    past = xf.lag(x, n)
    frame = x.to_pandas().pct_change(n, fill_method=None)
    got = xf.returns(x, n)
    known = (past > 0).values
    np.testing.assert_allclose(got.values[known], frame.values[known], rtol=1e-12, atol=1e-15)
    assert got.isnull().values[~known].all()


def test_returns__of_an_infinite_price_is_missing_on_both_sides():
    x = xr.DataArray([10.0, np.inf, 20.0, 22.0], dims="date")
    np.testing.assert_allclose(xf.returns(x).values, [NAN, NAN, NAN, 0.1], rtol=1e-12)


def test_returns__do_not_bridge_a_gap():
    x = xr.DataArray([10.0, NAN, 20.0, 22.0], dims="date")
    np.testing.assert_allclose(xf.returns(x).values, [NAN, NAN, NAN, 0.1], rtol=1e-12)
    np.testing.assert_allclose(xf.returns(x, 2).values, [NAN, NAN, 1.0, NAN])


@pytest.mark.parametrize("price", [0.0, -0.0, -5.0])
def test_returns__from_a_price_that_is_not_positive_are_missing(price):
    x = xr.DataArray([price, 10.0, 11.0], dims="date")
    np.testing.assert_allclose(xf.returns(x).values, [NAN, NAN, 0.1], rtol=1e-12)


def test_returns__of_float32_prices_lose_no_digits():
    """A return of 1e-4 has 4 digits left where the ratio was rounded to float32."""
    prices = np.float32([100.0, 100.01, 100.02])
    got = xf.returns(xr.DataArray(prices, dims="date")).values
    exact = prices[1:].astype(float) / prices[:-1] - 1
    np.testing.assert_allclose(got[1:], exact, rtol=contracts.SINGLE)


def test_forward_returns__of_float32_returns_lose_no_digits():
    x = xr.DataArray(np.float32([0.0, 1e-4, 1e-4]), dims="date")
    np.testing.assert_allclose(xf.forward_returns(x, 1).values[:2], x.values[1:], rtol=1e-7)
    np.testing.assert_allclose(xf.forward_returns(x, 2).values[0], 2.0001e-4, rtol=1e-6)


def test_forward_returns__count_infinities_as_missing_and_do_not_warn():
    x = xr.DataArray([0.0, -1.0, np.inf, 0.5, -1.0], dims="date")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(xf.forward_returns(x, 2).values, [NAN, NAN, -1, NAN, NAN])


def test_forward_returns__beyond_the_floats_are_missing_and_do_not_warn():
    x = xr.DataArray([0.0, 1e300, 1e300, 1.0], dims="date")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = xf.forward_returns(x, 2).values
    np.testing.assert_array_equal(got, [NAN, 2e300, NAN, NAN])


def test_forward_returns__of_a_delisted_asset_are_missing():
    """A peer pads the price, so that a delisted asset earns 0.0 for ever."""
    x = xr.DataArray([0.1, 0.1, NAN, NAN, NAN], dims="date")
    np.testing.assert_allclose(xf.forward_returns(x).values, [0.1, NAN, NAN, NAN, NAN])


# --- rolling ------------------------------------------------------------------------------------


@given(
    x=strategies.panels(dtypes=(np.float64,), any_order=False),
    window=st.integers(1, 20),
    data=st.data(),
)
def test_rolling_mean__equals_pandas(x, window, data):
    least = data.draw(st.integers(1, window))
    known = x.where(np.isfinite(x))
    want = known.to_pandas().rolling(window, min_periods=least).mean().values
    got = xf.rolling_mean(x, window=window, min_obs=least)
    # Looser than the oracle: it is pandas that drifts.
    np.testing.assert_allclose(got.values, want, rtol=1e-7, atol=1e-9 * contracts.size_of(x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("outlier", [1e9, -1e12])
def test_rolling__forgets_an_outlier_that_has_left_the_window(outlier, dtype):
    rng = np.random.default_rng(0)
    clean = xr.DataArray(rng.normal(size=(80, 3)).astype(dtype), dims=("date", "asset"))
    dirty = clean.copy()
    dirty[10] = outlier
    for window in (5, 7, 16):
        after = slice(10 + window, None)
        for function in (xf.rolling_mean, xf.rolling_std):
            got = function(dirty, window=window)[after]
            want = function(clean, window=window)[after]
            np.testing.assert_allclose(got.values, want.values, rtol=TRACE, atol=TRACE)


@pytest.mark.parametrize("value", [0.1, -1e8 - 0.3, 1e-300, 1e300])
@pytest.mark.parametrize("window", [2, 3, 10, 64])
def test_rolling_std__of_a_constant_is_exactly_0_and_its_mean_exact(value, window):
    x = xr.DataArray(np.full((100, 2), value), dims=("date", "asset"))
    for each in (x, x.chunk(date=9)):
        assert (xf.rolling_std(each, window=window)[window - 1 :] == 0).all().compute()
        assert (xf.rolling_mean(each, window=window)[window - 1 :] == value).all().compute()


@pytest.mark.parametrize("level", [1e8, -1e12])
@pytest.mark.parametrize("window", [3, 20])
def test_rolling_std__keeps_its_digits_at_a_high_level(level, window):
    """Against exact fractions of the very numbers: nothing is lost in rounding x."""
    rng = np.random.default_rng(1)
    x = xr.DataArray(level + rng.normal(size=(60, 1)), dims=("date", "asset"))
    column = x.values[:, 0].tolist()
    got = xf.rolling_std(x, window=window).values[:, 0]
    np.testing.assert_allclose(got, oracles.rolling_std(column, window), rtol=1e-11)
    exact = oracles.rolling_mean(column, window)
    got = xf.rolling_mean(x, window=window).values[:, 0]
    np.testing.assert_allclose(got, exact, rtol=4e-16)


def test_rolling_std__keeps_its_digits_beside_an_outlier_in_the_window():
    column = [1e9, *np.random.default_rng(2).normal(size=30).tolist()]
    got = xf.rolling_std(xr.DataArray(column, dims="date"), window=8).values
    np.testing.assert_allclose(got, oracles.rolling_std(column, 8), rtol=1e-9)


def test_rolling__has_a_rounding_that_does_not_grow_with_the_history():
    rng = np.random.default_rng(3)
    x = rng.normal(size=20_000) + 100
    got = xf.rolling_mean(xr.DataArray(x, dims="date"), window=250).values
    last = sum(Fraction(v) for v in x[-250:].tolist()) / 250
    assert abs(got[-1] - float(last)) < 1e-13


@pytest.mark.parametrize("n_assets", [127, 128, 129, 300])
def test_rolling__works_in_lanes_of_any_number_of_assets(n_assets):
    """The kernel takes 128 columns at a time; an asset must not notice which lane it is in."""
    rng = np.random.default_rng(4)
    x = xr.DataArray(rng.normal(size=(30, n_assets)), dims=("date", "asset"))
    x = x.where(rng.random(x.shape) > 0.2)
    for function in (xf.rolling_mean, xf.rolling_std):
        got = function(x, window=7, min_obs=3)
        for j in (0, 126, n_assets - 1):
            one = function(x[:, [j]], window=7, min_obs=3)
            contracts.assert_same_bits(got[:, [j]], one)


def test_rolling__needs_min_obs_valid_values_and_more_than_ddof():
    x = xr.DataArray([1.0, NAN, 3.0, NAN, NAN], dims="date")
    got = xf.rolling_mean(x, window=3, min_obs=1).values
    np.testing.assert_array_equal(got, [1, 1, 2, 3, 3])
    got = xf.rolling_std(x, window=3, min_obs=1).values
    np.testing.assert_allclose(got, [NAN, NAN, np.sqrt(2), NAN, NAN])
    got = xf.rolling_std(x, window=3, min_obs=1, ddof=0).values
    np.testing.assert_allclose(got, [0, 0, 1, 0, 0])


@pytest.mark.parametrize("size", [1e-150, 1e150, 1e300])
def test_rolling__of_tiny_and_huge_values_is_right_or_missing(size):
    """Squares may leave the range of floats; a wrong number must not come of it."""
    x = xr.DataArray([1.0, 2.0, 4.0, 8.0], dims="date")
    for function in (xf.rolling_mean, xf.rolling_std):
        got = function(x * size, window=2).values
        want = function(x, window=2).values * size
        wrong = ~np.isnan(got) & ~np.isclose(got, want, rtol=1e-9, atol=0)
        assert not wrong.any(), (got, want)


@pytest.mark.parametrize("function", [xf.rolling_mean, xf.rolling_std])
def test_rolling__takes_a_window_far_longer_than_the_history(function):
    x = xr.DataArray([1.0, 3.0], dims="date")
    assert np.isfinite(function(x, window=100_000, min_obs=2).values).tolist() == [False, True]


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, 1.5, True, "2", None, NAN])
@pytest.mark.parametrize(
    ("function", "option"),
    [
        (xf.lag, "periods"),
        (xf.returns, "periods"),
        (xf.forward_returns, "periods"),
        (xf.rolling_mean, "window"),
        (xf.rolling_std, "window"),
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_transform__refuses_what_is_no_count(panel, function, option, value):
    with pytest.raises(xf.PanelError, match=f"{option}=.*needed a whole number of at least"):
        function(panel["close"], **{option: value})


@pytest.mark.parametrize("function", [xf.returns, xf.forward_returns])
def test_returns__refuse_periods_of_0(panel, function):
    with pytest.raises(xf.PanelError, match="periods=0"):
        function(panel["close"], 0)


@pytest.mark.parametrize("options", [{"min_obs": 0}, {"min_obs": 2.5}, {"ddof": -1}])
def test_rolling_std__refuses_wrong_options(panel, options):
    (name,) = options
    with pytest.raises(xf.PanelError, match=name):
        xf.rolling_std(panel["close"], window=3, **options)


@one_each
def test_transform__refuses_a_missing_dimension(case, panel):
    with pytest.raises(xf.PanelError, match=r"dimensions 'time', 'asset'; needed 'date'"):
        case(panel["close"].rename(date="time"))


@one_where
def test_transform__refuses_a_universe_that_is_no_mask(case, panel):
    with pytest.raises(TypeError, match="needed bool"):
        case(panel["close"], where=panel["sector"])


@one_where
def test_transform__refuses_a_universe_cut_differently(case, panel):
    with pytest.raises(xf.PanelError, match="cut differently along 'date'"):
        case(panel["close"].chunk(date=4), where=panel["listed"].chunk(date=3))
