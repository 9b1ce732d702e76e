"""Lags, changes and returns: peers, laws, refusals."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.time_series import cases_shifts

NAN = np.nan


@given(x=strategies.panels(), n=st.integers(1, 5))
def test_forward_returns__of_n_dates_are_the_lagged_product_of_one(x, n):
    """In the other direction: lagged by n they are the trailing compound return."""
    r = x.clip(-1.5, 1.5).where(np.isfinite(x)).astype(float)
    trailing = 1.0
    for k in range(n):
        trailing = trailing * (1.0 + xf.lag(r, k)).clip(0.0)
    got = xf.lag(xf.forward_returns(r, n), n)
    late = {"date": slice(n, None)}  # the first n dates have no earlier date to be seen from
    np.testing.assert_allclose(got[late], (trailing - 1.0)[late], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "dtype", "fill"),
    [
        ("listed", bool, False),
        ("sector", np.int8, -1),
        ("sector", ">i2", -1),
        ("sector", np.int32, -1),
        # A count is no code: -1 shares would be a number, so other integers become floats.
        ("volume", np.int64, NAN),
        ("volume", np.uint16, NAN),
        ("weight", np.float32, NAN),
        ("volume", "datetime64[s]", np.datetime64("NaT")),
        ("volume", "timedelta64[s]", np.timedelta64("NaT")),
    ],
)
def test_lag__keeps_the_dtype_and_fills_with_its_missing_value(panel, name, dtype, fill):
    x = panel[name].astype(dtype)
    got = xf.lag(x, 2)
    native = np.dtype(dtype).newbyteorder("=")
    assert got.dtype == (np.float64 if name == "volume" and native.kind in "iu" else native)
    np.testing.assert_array_equal(got[:2].values, np.full((2, 7), fill))
    np.testing.assert_array_equal(got[2:].values, x[:-2].values)
    contracts.assert_same_bits(xf.lag(x.chunk(date=5), 2).compute(), got)
    contracts.assert_same_bits(xf.lag(x.to_dataset(), 2)[name], got)
    masked = xf.lag(x, 2, where=panel["listed"])[2:]
    want = np.where(panel["listed"][:-2], x[:-2].values, fill)
    np.testing.assert_array_equal(masked.values, want)


@given(x=strategies.panels(), a=st.integers(0, 9), b=st.integers(0, 9))
def test_lag__twice_is_the_lag_of_the_sum(x, a, b):
    contracts.assert_same_bits(xf.lag(xf.lag(x, a), b), xf.lag(x, a + b))


@pytest.mark.parametrize("dtype", ["<U3", "complex128"])
def test_lag__refuses_what_has_no_missing_value_here(dtype):
    x = xr.DataArray(np.zeros(3, dtype=dtype), dims="date", name="code")
    for each in (x, x.to_dataset()):
        with pytest.raises(TypeError, match=r"code has dtype .*; needed numbers"):
            xf.lag(each)


def test_lag__of_more_dates_than_any_history_is_missing(panel):
    assert xf.lag(panel["close"], 10**20).isnull().all()


@given(x=strategies.panels(dtypes=(np.float64,)), n=st.integers(1, 4))
def test_returns__equal_pandas_without_padding(x, n):
    x = x.transpose("date", "asset").where(np.isfinite(x))
    past = xf.lag(x, n)
    frame = x.to_pandas().pct_change(n, fill_method=None)
    got = xf.returns(x, n)
    known = ((past > 0) & (x >= 0)).values
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


def test_returns__to_0_are_a_total_loss_and_to_a_negative_price_missing():
    x = xr.DataArray([10.0, 0.0, 10.0, -10.0], dims="date")
    np.testing.assert_array_equal(xf.returns(x).values, [NAN, -1.0, NAN, NAN])


def test_returns__of_float32_prices_lose_no_digits():
    """A return of 1e-4 has 4 digits left where the ratio was rounded to float32."""
    prices = np.float32([100.0, 100.01, 100.02])
    got = xf.returns(xr.DataArray(prices, dims="date")).values
    exact = prices[1:].astype(float) / prices[:-1] - 1
    np.testing.assert_allclose(got[1:], exact, rtol=contracts.SINGLE)


def test_returns_and_growth__that_float32_cannot_hold_are_missing_and_do_not_warn():
    x = xr.DataArray(np.float32([1e-30, 1e30, -1e30]), dims="date")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xf.returns(x).isnull().values.tolist() == [True, True, True]
        assert xf.growth(x).isnull().values.tolist() == [True, True, False]
        assert xf.diff(3e8 * x).isnull().values.tolist() == [True, False, True]


@given(x=strategies.panels(dtypes=(np.float64,)), n=st.integers(1, 4))
def test_diff__equals_pandas(x, n):
    x = x.transpose("date", "asset").where(np.isfinite(x))
    np.testing.assert_array_equal(xf.diff(x, n).values, x.to_pandas().diff(n).values)


@given(x=strategies.panels(dtypes=(np.float64,)), n=st.integers(1, 4))
def test_growth__is_the_return_of_what_was_positive_and_has_the_sign_of_the_change(x, n):
    got, change = xf.growth(x, n), xf.diff(x, n)
    known = xf.lag(x, n) > 0
    r = xf.returns(x, n)
    both = known & (x >= 0)
    np.testing.assert_allclose(got.where(both), r.where(both), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(np.sign(got), np.sign(change.where(xf.lag(x, n) != 0)))


@pytest.mark.parametrize("old", [0.0, -0.0, NAN, np.inf, -np.inf])
def test_growth__from_0_or_from_a_missing_value_is_missing(old):
    x = xr.DataArray([old, 5.0, -5.0], dims="date")
    np.testing.assert_array_equal(xf.growth(x).values, [NAN, NAN, -2.0])


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


@pytest.mark.parametrize("rest", [1e200, 0.5, -3.0])
def test_forward_returns__of_what_is_lost_stay_lost(rest):
    """Products of negative wealth would be a gain, of 0 and infinity a gap."""
    x = xr.DataArray([0.0, rest, -1.5, rest, rest, rest, 0.0], dims="date")
    got = xf.forward_returns(x, 5).values
    np.testing.assert_array_equal(got, [-1.0, -1.0, *[NAN] * 5])
    lost = xf.cumulative_returns(x, window=5).values
    np.testing.assert_array_equal(lost[5:], got[:2])


@given(n=st.integers(1, 300), rows=st.integers(1, 320), seed=st.integers(0, 9))
def test_forward_returns__have_the_same_bits_wherever_history_begins(n, rows, seed):
    """However many dates a chunk has, and whichever it begins with."""
    r = np.random.default_rng(seed).normal(0.0, 0.02, (320, 3))
    x = xr.DataArray(r, dims=("date", "asset"))
    whole = xf.forward_returns(x, n)
    contracts.assert_same_bits(xf.forward_returns(x[-rows:], n), whole[-rows:])
    lazy = xf.forward_returns(x.chunk(date=rows), n)
    contracts.assert_same_bits(lazy.compute(), whole)
    if n < 320:
        want = np.prod(1 + r[1 : n + 1], axis=0) - 1
        np.testing.assert_allclose(whole.values[0], want, rtol=1e-12, atol=1e-13)


def test_forward_returns__of_a_delisted_asset_are_missing():
    """A peer pads the price, so that a delisted asset earns 0.0 for ever."""
    x = xr.DataArray([0.1, 0.1, NAN, NAN, NAN], dims="date")
    np.testing.assert_allclose(xf.forward_returns(x).values, [0.1, NAN, NAN, NAN, NAN])


# --- forward returns over the end of an asset ---------------------------------------------------


def with_an_end(r, listed, delist):
    """A list of returns in which an end is filled: the delisting return, then 0."""
    out = list(r)
    for t, there in enumerate(listed):
        if not there and not np.isfinite(r[t]):
            out[t] = delist if t and listed[t - 1] else 0.0
    return out


@given(x=strategies.panels(dtypes=(np.float64,)), seed=st.integers(0, 999), data=st.data())
def test_forward_returns__over_ends_equal_the_naive_loop_whatever_the_chunks(x, seed, data):
    x = x.clip(-1.5, 1.5).where(np.isfinite(x)).transpose("date", "asset")
    rng = np.random.default_rng(seed)
    life = rng.integers(0, x.sizes["date"] + 9, x.sizes["asset"])
    listed = x.copy(data=np.arange(x.sizes["date"])[:, None] < life)
    listed &= rng.random(x.shape) > 0.05
    periods, skip = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 3))
    each = xr.DataArray(rng.choice([-1.0, -0.3, 0.0, 0.5], x.sizes["asset"]), dims="asset")
    got = xf.forward_returns(x, periods, skip=skip, listed=listed, delist=each)
    for j in range(x.sizes["asset"]):
        there = listed.values[:, j]
        filled = with_an_end(x.values[:, j], there, float(each[j]))
        want = cases_shifts.forward_returns(filled, periods, skip)
        bought = [t + skip < len(there) and bool(there[t + skip]) for t in range(len(there))]
        np.testing.assert_allclose(got[:, j], np.where(bought, want, NAN), rtol=1e-9, atol=1e-12)
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"]))}
    lazy = xf.forward_returns(
        x.chunk(cut), periods, skip=skip, listed=listed.chunk(cut), delist=each
    )
    assert lazy.chunks is not None
    contracts.assert_same_bits(lazy.compute(), got)


def test_forward_returns__over_an_end_by_hand():
    """It is 20 % up, then is delisted with a loss of half, and is money from then on."""
    x = xr.DataArray([0.1, 0.2, NAN, NAN, NAN], dims="date")
    listed = xr.DataArray([True, True, False, False, False], dims="date")
    for periods, want in [
        (1, [0.2, -0.5, NAN, NAN, NAN]),
        (2, [1.2 * 0.5 - 1, -0.5, NAN, NAN, NAN]),
        (3, [1.2 * 0.5 - 1, -0.5, NAN, NAN, NAN]),
        (4, [1.2 * 0.5 - 1, NAN, NAN, NAN, NAN]),
    ]:
        got = xf.forward_returns(x, periods, listed=listed, delist=-0.5)
        np.testing.assert_allclose(got, want, rtol=1e-14)
    late = xf.forward_returns(x, 1, skip=1, listed=listed, delist=-0.5)
    np.testing.assert_allclose(late, [-0.5, NAN, NAN, NAN, NAN])
    lost = xf.forward_returns(x, 2, log=True, listed=listed, delist=-1.0)
    assert bool(lost.isnull().all())
    logs = xf.forward_returns(x, 2, log=True, listed=listed, delist=-0.5)
    np.testing.assert_allclose(logs[:2], np.log([0.6, 0.5]), rtol=1e-14)


def test_forward_returns__a_known_return_counts_before_the_delisting_return():
    x = xr.DataArray([0.1, 0.2, -0.4, NAN], dims="date")
    listed = xr.DataArray([True, True, False, False], dims="date")
    got = xf.forward_returns(x, 2, listed=listed, delist=-0.9)
    np.testing.assert_allclose(got[:2], [1.2 * 0.6 - 1, -0.4], rtol=1e-14)


def test_forward_returns__a_gap_of_a_listed_asset_is_not_an_end():
    x = xr.DataArray([0.1, NAN, 0.2, 0.3], dims="date")
    got = xf.forward_returns(x, 1, listed=xr.ones_like(x, dtype=bool), delist=-0.5)
    np.testing.assert_allclose(got, [NAN, 0.2, 0.3, NAN])


def test_forward_returns__take_a_delisting_return_for_each_asset_and_date(panel, raise_if_computes):
    x = panel["close"] / 1000 - 0.02
    want = xf.forward_returns(x, 2, listed=panel["listed"], delist=-0.3)
    for delist in (xr.full_like(x, -0.3), xr.full_like(x[0], -0.3).drop_vars("date")):
        got = xf.forward_returns(x, 2, listed=panel["listed"], delist=delist)
        contracts.assert_same_bits(got, want)
    fields = xf.forward_returns(
        panel[["close", "volume", "sector"]] / 1e5, 2, listed=panel["listed"], delist=-0.3
    )
    assert set(fields.data_vars) == {"close", "volume", "sector"}
    x = x.astype(np.float32)
    got = xf.forward_returns(x, 2, listed=panel["listed"], delist=delist)
    assert got.dtype == np.float32
    lazy = panel.chunk(date=5)
    with raise_if_computes():
        got = xf.forward_returns(lazy["close"], 2, listed=lazy["listed"], delist=-0.3)
        assert got.chunks is not None


@pytest.mark.parametrize("more", [{}, {"skip": 1}, {"log": True}, {"delist": -0.3}], ids=str)
def test_forward_returns__read_ahead(more):
    market = xf.simulate_panel(dates=60, assets=8, seed=1)[0][["returns", "listed"]].compute()

    def ahead(x):
        return xf.forward_returns(x.returns, **more, **{k: x.listed for k in ends})

    ends = ["listed"] if "delist" in more else []
    with pytest.raises(xf.testing.LookaheadError):
        xf.testing.check_no_lookahead(ahead, market)
    reach = 1 + more.get("skip", 0)  # and no further than they say
    xf.testing.check_no_lookahead(lambda x: xf.lag(ahead(x), reach), market)


def test_forward_returns__errors_say_what_to_do(panel):
    x, listed = panel["close"], panel["listed"]
    for more, words in [
        ({"skip": -1}, "skip=-1"),
        ({"log": 1}, "log=1 was given; needed True or False"),
        ({"listed": listed}, "listed was given without delist"),
        ({"delist": -0.3}, "delist=-0.3 was given without listed"),
        ({"listed": listed, "delist": -30}, "delist=-30.0 was given; needed a decimal return"),
        ({"listed": listed, "delist": "OSAP"}, "delist='OSAP'"),
        ({"listed": listed, "delist": x[:, ::-1]}, "different labels"),
        ({"listed": listed[:, ::-1], "delist": -0.3}, "different labels"),
    ]:
        with pytest.raises(xf.PanelError, match=words):
            xf.forward_returns(x, **more)
    with pytest.raises(TypeError, match="needed bool"):
        xf.forward_returns(x, listed=x, delist=-0.3)


@pytest.mark.parametrize("function", [xf.diff, xf.growth, xf.returns, xf.forward_returns])
def test_returns__refuse_periods_of_0(panel, function):
    with pytest.raises(xf.PanelError, match="periods=0"):
        function(panel["close"], 0)
