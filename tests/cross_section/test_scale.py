"""Limits and scales: peers, laws, refusals."""

import warnings
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies

NAN = np.nan
SECTOR = xr.DataArray([0, 0, 0], dims="asset")


def test_winsorize__does_not_count_missing_values_where_scipy_does():
    """97 values and 3 missing, 3 % each side: scipy fills the gaps in and clips nothing on top."""
    values = np.arange(97.0)
    row = np.concatenate([values, np.full(3, NAN)])
    np.random.default_rng(0).shuffle(row)
    got = xf.winsorize(xr.DataArray([row], dims=("date", "asset")), 0.03).values[0]
    want = np.asarray(scipy.stats.mstats.winsorize(row[~np.isnan(row)], (0.03, 0.03)))
    np.testing.assert_array_equal(got[~np.isnan(row)], want)
    assert np.isnan(got[np.isnan(row)]).all()
    assert np.nanmax(got) == 94.0
    assert np.nanmin(got) == 2.0


@pytest.mark.parametrize("limits", [0.01, 0.05, 0.1, (0.2, 0.0), (0.0, 0.37), (0.3, 0.6)])
@pytest.mark.parametrize("n", [1, 2, 10, 99, 100])
def test_winsorize__equals_scipy_without_missing_values(limits, n):
    row = np.random.default_rng(n).normal(size=n).round(1)
    pair = limits if isinstance(limits, tuple) else (limits, limits)
    want = np.asarray(scipy.stats.mstats.winsorize(row, pair))
    got = xf.winsorize(xr.DataArray([row], dims=("date", "asset")), limits)
    np.testing.assert_array_equal(got.values[0], want)


@pytest.mark.parametrize(
    ("limits", "want"),
    [((0.5, 0.0), [4, 4, 4, 4, 5, 6]), ((0.0, 0.5), [1, 2, 3, 3, 3, 3])],
)
def test_winsorize__of_half_a_side_gives_what_zipline_gives(limits, want):
    x = xr.DataArray([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], dims=("date", "asset"))
    np.testing.assert_array_equal(xf.winsorize(x, limits).values, [want])


@given(x=strategies.panels(), limit=st.sampled_from([0.0, 0.01, 0.1, 0.4]))
def test_winsorize__keeps_to_values_that_were_there(x, limit):
    got = xf.winsorize(x, limit).transpose("date", "asset").values
    for before, after in zip(x.transpose("date", "asset").values, got, strict=True):
        assert np.isin(after[~np.isnan(after)], before).all()
        np.testing.assert_array_equal(np.isnan(after), ~np.isfinite(before))


@pytest.mark.parametrize("method", ["count", "mad"])
@pytest.mark.parametrize(
    "limits", [-0.1, NAN, (0.1, -0.2), (0.1,), (0.1, 0.1, 0.1), [], "a", "3", True, [[0.1, 0.2]]]
)
def test_winsorize__refuses_limits_that_are_none_in_one_line(panel, limits, method):
    for function in (xf.winsorize, xf.trim, xf.standardize):
        with pytest.raises(xf.PanelError, match=r"limits=.*; needed non-negative ") as refusal:
            function(panel["close"], limits, method=method)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("limits", [0.5, 1.0, (0.6, 0.4), np.inf])
def test_winsorize__refuses_limits_that_leave_nothing(panel, limits):
    for function in (xf.winsorize, xf.standardize):
        with pytest.raises(xf.PanelError, match="sum to less than 1"):
            function(panel["close"], limits)


def test_winsorize__takes_any_pair_for_limits(panel):
    want = xf.winsorize(panel["close"], (0.1, 0.2))
    for pair in ([0.1, 0.2], np.array([0.1, 0.2]), (np.float64(0.1), np.float32(0.2))):
        contracts.assert_same_bits(xf.winsorize(panel["close"], pair), want)
    for one in (np.float64(0.1), np.array(0.1)):
        contracts.assert_same_bits(
            xf.winsorize(panel["close"], one), xf.winsorize(panel["close"], 0.1)
        )


@given(x=strategies.panels(), ddof=st.integers(0, 2))
def test_zscore__has_mean_0_and_standard_deviation_1(x, ddof):
    z = xf.zscore(x.astype(float), ddof=ddof)
    known = np.isfinite(z).sum("asset")
    for row in z.isel(date=np.flatnonzero(known > 0)).transpose("date", "asset").values:
        assert abs(np.nanmean(row)) < 1e-9
        assert abs(np.nanstd(row, ddof=ddof) - 1) < 1e-9


@given(x=strategies.panels(dtypes=(np.float64,)), shift=st.integers(-1000, 1000))
def test_zscore__is_unchanged_by_affine_maps(x, shift):
    whole = np.round(x.clip(-1e6, 1e6)).where(np.isfinite(x))  # sums of whole numbers are exact
    z = xf.zscore(whole)
    np.testing.assert_array_equal(xf.zscore(whole * 4.0).values, z.values)
    np.testing.assert_allclose(xf.zscore(whole + shift).values, z.values, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(xf.zscore(whole * -3.0).values, -z.values, rtol=1e-9, atol=1e-12)


def test_zscore__keeps_its_digits_at_a_high_level():
    x = xr.DataArray([[1.0, 2.0, 3.0, 6.0]], dims=("date", "asset"))
    np.testing.assert_allclose(xf.zscore(x + 2.0**50).values, xf.zscore(x).values, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1e-150, 1e150, 1e300])
def test_zscore__of_tiny_and_huge_values_is_right_or_missing(size):
    """Squares may leave the range of floats; zeros must not come of it."""
    x = xr.DataArray([[1.0, 2.0, 3.0]], dims=("date", "asset"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = xf.zscore(x * size).values
    assert np.isnan(got).all() or np.allclose(got, xf.zscore(x).values, rtol=1e-12)


def test_demean__of_the_largest_floats_is_right_or_missing():
    x = xr.DataArray([[1.7e308, -1.7e308, 0.0]], dims=("date", "asset"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = xf.demean(x).values
    assert (np.isnan(got) | (got == x.values)).all()


@pytest.mark.parametrize("function", [xf.demean, partial(xf.neutralize, by=SECTOR)])
def test_demean_and_neutralize__beyond_float32_are_missing(function):
    x = xr.DataArray(np.float32([[3e38, 3e38, -3e38]]), dims=("date", "asset"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = function(x).values
    np.testing.assert_allclose(got, [[2e38, 2e38, NAN]], rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        partial(xf.zscore, method="robust"),
        partial(xf.winsorize, method="mad"),
        partial(xf.trim, method="sigma"),
        partial(xf.quantile, q=0.3),
        lambda x: xf.composite(xr.Dataset({"a": x, "b": x}), {"a": 2.0, "b": 2.0}),
    ],
)
def test_transform__of_the_largest_floats_does_not_warn(function):
    x = xr.DataArray([[1.7e308, -1.7e308, 1.6e308, 0.0, 1.0, -1.0]], dims=("date", "asset"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isinf(function(x).values).any()
        assert not np.isinf(function((2e-270 * x).astype(np.float32)).values).any()


def test_zscore__robust_takes_a_distance_beyond_the_floats_for_a_large_one():
    x = xr.DataArray([[1.6e308, -1.6e308, 1.0, 2.0, 3.0]], dims=("date", "asset"))
    np.testing.assert_allclose(xf.zscore(x, method="robust").values[0, 2:4], [-1 / 1.4826, 0.0])


@pytest.mark.parametrize("first", [0, 1, 3])
def test_demean__by_weights_keeps_its_digits_beside_an_outlier_of_no_weight(first):
    """Wherever it is stored: a mean about the first value would have the digits of that one."""
    values, weights = [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]
    values.insert(first, 1e12)
    weights.insert(first, 1e-15)
    exact = sum(Fraction(v) * Fraction(w) for v, w in zip(values, weights, strict=True))
    exact /= sum(map(Fraction, weights))
    x, w = (xr.DataArray([a], dims=("date", "asset")) for a in (values, weights))
    want = [float(Fraction(v) - exact) for v in values]
    np.testing.assert_allclose(xf.demean(x, weights=w).values, [want], rtol=1e-13, atol=1e-15)
    constant = xf.demean(0.1 + 0 * x, weights=w / 3)
    assert (constant == 0).all()


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
@pytest.mark.parametrize("value", [0.1, 1e8 + 0.1, -7.3])
def test_zscore__of_a_constant_is_missing_and_its_deviation_exactly_0(n, value):
    x = xr.DataArray(np.full((1, n), value), dims=("date", "asset"))
    assert xf.zscore(x).isnull().all()
    assert (xf.demean(x) == 0).all()


@given(x=strategies.panels(), limit=st.sampled_from([0.0, 0.1, 0.3]))
def test_standardize__is_winsorize_then_zscore(x, limit):
    want = xf.zscore(xf.winsorize(x, limit), ddof=1)
    contracts.assert_same_bits(xf.standardize(x, limit, ddof=1), want)


@given(x=strategies.panels())
def test_demean__sums_to_zero(x):
    rest = xf.demean(x.astype(float)).sum("asset")
    assert (abs(rest) <= 1e-12 * (1 + contracts.size_of(x))).all()


@pytest.mark.parametrize("ddof", [-1, 0.5])
def test_zscore__refuses_a_wrong_ddof(panel, ddof):
    with pytest.raises(xf.PanelError, match="ddof"):
        xf.zscore(panel["close"], ddof=ddof)
