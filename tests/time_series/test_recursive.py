"""Compound returns, drawdowns, last values and their age: peers, laws, edges, refusals."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.time_series import cases_recursive

NAN = np.nan


def series(values, dtype=float):
    return xr.DataArray(np.asarray(values, dtype=dtype), dims="date")


def returns_of(x):
    """Returns with a few losses of everything."""
    return x.clip(-1.5, 1.5).where(np.isfinite(x)).transpose(*x.dims)


# --- compound returns and drawdowns -------------------------------------------------------------


@settings(max_examples=20)  # most of the time goes into the errors of a performance
@given(x=strategies.panels(dtypes=(np.float64,), any_order=False))
def test_cumulative_returns_and_drawdown__end_where_performance_does(x):
    r = returns_of(x)
    table = xf.performance(r)
    got = xf.cumulative_returns(r).ffill("date")[-1].fillna(0.0)
    np.testing.assert_allclose(got.values, table.cumulative_return.values, rtol=1e-12, atol=1e-12)
    lowest = xf.drawdown(r).min("date").fillna(0.0)
    np.testing.assert_allclose(lowest.values, table.drawdown.values, rtol=1e-12, atol=1e-12)


@given(x=strategies.panels(dtypes=(np.float64,), any_order=False), n=st.integers(1, 20))
def test_cumulative_returns__of_a_window_are_the_forward_returns_of_its_start(x, n):
    r = returns_of(x).clip(min=-0.9)
    got = xf.cumulative_returns(r, window=n)[n:]
    want = xf.lag(xf.forward_returns(r, n), n)[n:]
    np.testing.assert_allclose(got.values, want.values, rtol=1e-12, atol=1e-12)


def test_cumulative_returns__carry_the_level_over_a_gap():
    r = series([NAN, 0.5, NAN, np.inf, 1.0])
    np.testing.assert_array_equal(xf.cumulative_returns(r).values, [NAN, 0.5, NAN, NAN, 2.0])


def test_cumulative_returns_and_drawdown__stay_at_a_loss_of_everything():
    r = series([0.5, -1.2, 9.0, 1e300, 1e300])
    for window in (None, 4):
        got = xf.cumulative_returns(r, window=window, min_obs=window and 1).values
        np.testing.assert_array_equal(got, [0.5, -1, -1, -1, -1])
    np.testing.assert_array_equal(xf.drawdown(r).values, [0, -1, -1, -1, -1])


def test_cumulative_returns__of_a_window_forget_a_loss_of_everything_that_has_left_it():
    r = series([0.5, -1.0, 0.5, 1.0, 0.0])
    got = xf.cumulative_returns(r, window=2).values
    np.testing.assert_array_equal(got, [NAN, -1, -1, 2, 1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_cumulative_returns__beyond_the_floats_are_missing_and_do_not_warn(dtype):
    huge = 1e30 if dtype == np.float32 else 1e300
    r = series([0.0, huge, huge, 0.0, -1.0], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = xf.cumulative_returns(r).values
        part = xf.cumulative_returns(r, window=3, min_obs=1).values
        fall = xf.drawdown(r).values
    np.testing.assert_array_equal(whole, np.array([0, huge, NAN, NAN, -1], dtype))
    np.testing.assert_array_equal(part, np.array([0, huge, NAN, NAN, -1], dtype))
    np.testing.assert_array_equal(fall, [0, 0, 0, 0, -1])


@pytest.mark.parametrize("size", [1e-3, 1e-9])
def test_cumulative_returns__of_a_century_of_days_keep_their_digits(size):
    rng = np.random.default_rng(0)
    column = (size * rng.normal(size=25_000)).tolist()
    wealth = np.prod([np.longdouble(1) + np.longdouble(r) for r in column])
    got = xf.cumulative_returns(series(column)).values[-1]
    assert abs(got - float(wealth - 1)) < 1e-12
    got = xf.cumulative_returns(series(column), window=250).values
    last = np.prod([np.longdouble(1) + np.longdouble(r) for r in column[-250:]])
    assert abs(got[-1] - float(last - 1)) < 1e-14


def test_drawdown__recovers_from_a_fall_to_almost_nothing():
    """1e-12 of wealth is left and grows back: a sum of returns would have lost its digits."""
    column = [1 - 1e-12 - 1, *[-0.9] * 12, *[9.0] * 12, 0.5, -0.5]
    got = xf.drawdown(series(column)).values
    np.testing.assert_allclose(got, cases_recursive.drawdown(column), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_assets", [127, 129, 513])
def test_cumulative_returns__work_in_lanes_of_any_number_of_assets(n_assets):
    rng = np.random.default_rng(4)
    r = xr.DataArray(rng.normal(size=(30, n_assets)) / 9, dims=("date", "asset"))
    r = r.where(rng.random(r.shape) > 0.2)
    for options in ({}, {"window": 7, "min_obs": 3}):
        got = xf.cumulative_returns(r, **options)
        for j in (0, 126, n_assets - 1):
            contracts.assert_same_bits(got[:, [j]], xf.cumulative_returns(r[:, [j]], **options))


def test_cumulative_returns__take_a_window_far_longer_than_the_history():
    got = xf.cumulative_returns(series([1.0, 0.5]), window=100_000, min_obs=2)
    np.testing.assert_array_equal(got.values, [NAN, 2.0])


# --- last values and their age ------------------------------------------------------------------


@given(x=strategies.panels(any_order=False), n=st.none() | st.integers(1, 50))
def test_ffill__equals_pandas(x, n):
    known = x.where(np.isfinite(x)).astype(x.dtype)
    np.testing.assert_array_equal(xf.ffill(x, limit=n).values, known.to_pandas().ffill(limit=n))


def test_ffill__limit_counts_sessions_and_not_missing_values():
    x = series([1.0, NAN, NAN, 4.0, NAN])
    np.testing.assert_array_equal(xf.ffill(x, limit=1).values, [1, 1, NAN, 4, 4])


@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("dtype", [np.int8, ">i2", np.int32, "datetime64[s]"])
def test_ffill__of_codes_and_dates_keeps_them(limit, dtype):
    none = -1 if np.dtype(dtype).kind == "i" else np.datetime64("NaT").astype(int)
    x = series([none, 2, none, none, none, 0, none], np.int64).astype(dtype)
    late = 2 if limit is None else none
    want = series([none, 2, 2, 2, late, 0, 0], np.int64).astype(x.dtype.newbyteorder("="))
    contracts.assert_same_bits(xf.ffill(x, limit=limit), want)
    contracts.assert_same_bits(xf.ffill(x.chunk(date=2), limit=limit).compute(), want)
    ds = xr.Dataset({"x": x, "mask": x == x[1]})
    xr.testing.assert_identical(xf.ffill(ds, limit=limit), ds.assign(x=want))


@pytest.mark.parametrize("limit", [None, 3])
def test_ffill__neither_fills_nor_reads_cells_outside_the_universe(limit):
    x = series([1.0, NAN, 3.0, NAN, NAN])
    where = series([True, False, False, True, True], bool)
    want = [1.0, NAN, NAN, 1.0, 1.0 if limit is None else NAN]
    np.testing.assert_array_equal(xf.ffill(x, limit=limit, where=where).values, want)
    codes = x.fillna(-1).astype(np.int16)
    got = xf.ffill(codes, limit=limit, where=where)
    contracts.assert_same_bits(got, series(want).fillna(-1).astype(np.int16))


def test_ffill__takes_a_limit_longer_than_any_history(panel):
    for each in (panel["close"], panel["sector"]):
        contracts.assert_same_bits(xf.ffill(each, limit=10**20), xf.ffill(each))


def test_ffill__refuses_masks_and_a_limit_of_0(panel):
    with pytest.raises(TypeError, match="listed has dtype bool, in which nothing is missing"):
        xf.ffill(panel["listed"])
    with pytest.raises(xf.PanelError, match="limit=0"):
        xf.ffill(panel["close"], limit=0)


@given(x=strategies.panels(dtypes=(np.float64,)))
def test_age__is_how_far_back_the_filled_value_began(x):
    """Taken back by their age, the filled values are the same; one date more, they differ."""
    x = x.transpose("date", "asset")
    filled, ages = xf.ffill(x).values, xf.age(x).values
    for t, j in zip(*np.nonzero(~np.isnan(ages)), strict=True):
        start = t - int(ages[t, j])
        assert (filled[start : t + 1, j] == filled[t, j]).all()
        assert start == 0 or filled[start - 1, j] != filled[t, j]


@pytest.mark.parametrize("dtype", [np.int8, ">i2", np.int32])
def test_age__of_codes_takes_minus_1_as_missing(dtype):
    x = series([-1, 2, -1, 2, 0, 0], dtype)
    for each in (x, x.chunk(date=2)):
        np.testing.assert_array_equal(xf.age(each).values, [NAN, 0, NAN, 2, 0, 1])


def test_age__of_counts_and_masks_knows_every_cell():
    np.testing.assert_array_equal(xf.age(series([-1, -1, 3], np.int64)).values, [0, 1, 0])
    np.testing.assert_array_equal(xf.age(series([True, True, False], bool)).values, [0, 1, 0])


def test_age__of_minus_0_is_that_of_0():
    np.testing.assert_array_equal(xf.age(series([0.0, -0.0, 0.0])).values, [0, 1, 2])


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"window": 0}, "window=0"),
        ({"window": 2.5}, "window=2.5"),
        ({"window": 3, "min_obs": 0}, "min_obs=0"),
        ({"min_obs": 3}, "min_obs=3 was given without window"),
    ],
)
def test_cumulative_returns__refuse_wrong_options(panel, options, text):
    with pytest.raises(xf.PanelError, match=text):
        xf.cumulative_returns(panel["close"], **options)
