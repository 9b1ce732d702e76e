"""Ranks: peers, laws, refusals."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.cross_section.cases import METHODS

NAN = np.nan


@given(x=strategies.panels(), method=st.sampled_from(METHODS), ascending=st.booleans())
def test_rank__is_unchanged_by_strictly_increasing_maps(x, method, ascending):
    finite = np.where(np.isfinite(x.values), x.values, NAN)
    places = np.searchsorted(np.unique(finite[~np.isnan(finite)]), finite).astype(x.dtype)
    mapped = x.copy(data=np.where(np.isnan(finite), NAN, (places - 3) ** 3).astype(x.dtype))
    options = {"method": method, "ascending": ascending}
    contracts.assert_same_bits(xf.rank(mapped, **options), xf.rank(x, **options))


@given(x=strategies.panels(), method=st.sampled_from(METHODS))
def test_rank__descending_ranks_the_negative(x, method):
    contracts.assert_same_bits(xf.rank(x, method=method, ascending=False), xf.rank(-x.assign_attrs(
        x.attrs), method=method).assign_attrs(x.attrs))  # fmt: skip


@given(x=strategies.panels(dtypes=(np.float64,)))
def test_rank__ordinal_gives_every_rank_once(x):
    for row in xf.rank(x).transpose("date", "asset").values:
        given_out = np.sort(row[~np.isnan(row)])
        np.testing.assert_array_equal(given_out, np.arange(1, len(given_out) + 1))


@pytest.mark.parametrize("method", ["average", "min", "max", "dense"])
@given(x=strategies.panels(dtypes=(np.float64,)))
def test_rank__equals_pandas_and_scipy(method, x):
    x = x.transpose("date", "asset")
    known = np.where(np.isfinite(x.values), x.values, NAN)
    got = xf.rank(x, method=method).values
    np.testing.assert_array_equal(got, pd.DataFrame(known).rank(axis=1, method=method).values)
    peer = scipy.stats.rankdata(known, method=method, axis=1, nan_policy="omit")
    np.testing.assert_array_equal(got, peer)


@given(x=strategies.panels(dtypes=(np.float64,)))
def test_rank__average_pct_equals_pandas(x):
    known = np.where(np.isfinite(x.values), x.values, NAN)
    got = xf.rank(x, method="average", pct=True)
    frame = pd.DataFrame(known).rank(axis=x.get_axis_num("asset"), pct=True)
    np.testing.assert_array_equal(got.values, frame.values)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 3, 129, 1000, 5000])
def test_rank__tells_neighbouring_floats_apart(n, dtype):
    """Values whose leading bits coincide: the sort keys drop their last bits."""
    rng = np.random.default_rng(n)
    for start in (1.0, -1.0, 1e-30, 3e6):
        steps = rng.permutation(n)
        base = np.array(start, dtype=dtype)
        values = base + steps * np.spacing(base)
        x = xr.DataArray(values[None].astype(dtype), dims=("date", "asset"))
        want = scipy.stats.rankdata(values)
        np.testing.assert_array_equal(xf.rank(x).values[0], want.astype(dtype))


def test_rank__covers_the_whole_range_of_floats():
    tiny = np.finfo(float).smallest_subnormal
    values = [np.finfo(float).max, 1.0, tiny, 0.0, -tiny, -1.0, np.finfo(float).min]
    x = xr.DataArray([values], dims=("date", "asset"))
    np.testing.assert_array_equal(xf.rank(x).values, [[7, 6, 5, 4, 3, 2, 1]])
    small = xr.DataArray(np.array([[3e38, 1e-45, 0, -1e-45, -3e38]], "f4"), dims=("date", "asset"))
    np.testing.assert_array_equal(xf.rank(small).values, [[5, 4, 3, 2, 1]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.bool_])
def test_rank__ties_go_by_label_and_minus_zero_is_zero(dtype):
    values = np.array([[0.0, -0.0, 0.0, -0.0]]).astype(dtype)
    x = xr.DataArray(values, dims=("date", "asset"), coords={"asset": ["d", "b", "c", "a"]})
    np.testing.assert_array_equal(xf.rank(x).values, [[4, 2, 3, 1]])
    np.testing.assert_array_equal(xf.rank(x, ascending=False).values, [[4, 2, 3, 1]])
    np.testing.assert_array_equal(xf.rank(x, method="average").values, [[2.5] * 4])


@pytest.mark.parametrize(
    ("labels", "want"),
    [
        (pd.to_datetime(["2020-01-04", "2020-01-01", "2020-01-03", "2020-01-02"]), [4, 1, 3, 2]),
        ([7, -3, 0, 2], [4, 1, 2, 3]),
        ([1.5, -0.5, 9.0, 1.0], [3, 1, 4, 2]),
        (["b", "a", "b", "a"], [3, 1, 4, 2]),  # twice the same: in the order of storage
        (pd.CategoricalIndex(list("dacb"), categories=list("dcba")), [4, 1, 3, 2]),
        (pd.CategoricalIndex(list("abcd"), categories=list("dcba")), [1, 2, 3, 4]),
    ],
    ids=["dates", "negative", "floats", "duplicates", "categories", "sorted categories"],
)
def test_rank__ties_go_by_labels_of_any_kind(labels, want):
    x = xr.DataArray(np.ones((1, 4)), dims=("date", "asset"), coords={"asset": labels})
    np.testing.assert_array_equal(xf.rank(x).values, [want])
    np.testing.assert_array_equal(xf.rank(x.chunk(date=1)).values, [want])


def test_rank__takes_a_multiindex_of_assets():
    pairs = pd.MultiIndex.from_tuples([("b", 1), ("a", 2), ("b", 0), ("a", 1)], names=["p", "q"])
    coords = xr.Coordinates.from_pandas_multiindex(pairs, "asset")
    x = xr.DataArray(np.ones((2, 4)), dims=("date", "asset"), coords=coords)
    got = xf.rank(x)
    np.testing.assert_array_equal(got.values, [[4, 2, 3, 1]] * 2)
    assert got.indexes["asset"].equals(pairs)


def test_rank__refuses_labels_that_have_no_order():
    x = xr.DataArray(np.ones((1, 2)), dims=("date", "asset"), coords={"asset": ["b", "a"]})
    mixed = x.assign_coords(asset=np.array(["b", 1], dtype=object))
    with pytest.raises(xf.PanelError, match="'asset' labels are of several kinds: int, str"):
        xf.rank(mixed)


@pytest.mark.parametrize("value", ["descending", None, 1, 0.0])
def test_rank__refuses_an_ascending_that_is_no_flag(panel, value):
    with pytest.raises(xf.PanelError, match=r"ascending=.* given; needed True or False"):
        xf.rank(panel["close"], ascending=value)


def test_rank__takes_the_bools_of_numpy(panel):
    want = xf.rank(panel["close"], pct=True, ascending=False)
    got = xf.rank(panel["close"], pct=np.True_, ascending=np.False_)
    contracts.assert_same_bits(got, want)
    contracts.assert_same_bits(xf.rank(panel["close"], pct=np.False_), xf.rank(panel["close"]))


def test_rank__refuses_an_unknown_method(panel):
    with pytest.raises(xf.PanelError, match="method='first' is unknown; choose from 'ordinal'"):
        xf.rank(panel["close"], method="first")
