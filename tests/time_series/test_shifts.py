"""Lags, changes and returns: peers, laws, refusals."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies

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


@pytest.mark.parametrize("function", [xf.diff, xf.growth, xf.returns, xf.forward_returns])
def test_returns__refuse_periods_of_0(panel, function):
    with pytest.raises(xf.PanelError, match="periods=0"):
        function(panel["close"], 0)
