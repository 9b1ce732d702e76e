"""Ends, ranges, quantiles and buckets: peers, laws, refusals."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, oracles, strategies
from xfactor.kernels import rows

NAN = np.nan


@given(x=strategies.panels(), n=st.integers(1, 8))
def test_top_and_bottom__mark_exactly_n_and_never_the_same_asset(x, n):
    x = x.transpose("date", "asset")
    high, low, finite = xf.top(x, n).values, xf.bottom(x, n).values, np.isfinite(x.values)
    valid = finite.sum(axis=1)
    np.testing.assert_array_equal(high.sum(axis=1), np.minimum(valid, n))
    np.testing.assert_array_equal(low.sum(axis=1), np.minimum(valid, n))
    assert not (high & low)[valid >= 2 * n].any()
    assert not (high | low)[~finite].any()


@given(x=strategies.panels(), n=st.integers(1, 8))
def test_top__leaves_nothing_larger_out(x, n):
    x = x.transpose("date", "asset")
    for row, chosen in zip(x.values, xf.top(x, n).values, strict=True):
        left = row[~chosen & np.isfinite(row)]
        assert left.size == 0 or left.max() <= row[chosen].min()


def test_top__of_negative_values_is_the_largest():
    """A peer compares the bits of floats as integers and returns the smallest."""
    x = xr.DataArray([[-3.0, -1.0, -2.0]], dims=("date", "asset"))
    np.testing.assert_array_equal(xf.top(x, 1).values, [[False, True, False]])


@pytest.mark.parametrize("function", [xf.top, xf.bottom])
def test_top_and_bottom__refuse_an_exact_that_is_no_flag(panel, function):
    with pytest.raises(xf.PanelError, match="exact='no' was given; needed True or False"):
        function(panel["close"], 3, exact="no")
    want = function(panel["close"], 3)
    contracts.assert_same_bits(function(panel["close"], 3, exact=np.True_), want)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, NAN, np.inf, None, "3"])
@pytest.mark.parametrize("function", [xf.top, xf.bottom])
def test_top_and_bottom__refuse_a_wrong_number(panel, function, n):
    with pytest.raises(xf.PanelError, match="needed a whole number"):
        function(panel["close"], n)


Q = [0.0, 0.1, 0.25, 0.5, 2 / 3, 1.0]


@given(x=strategies.panels(dtypes=(np.float64,)))
def test_quantile__equals_the_naive_loop(x):
    for q in Q:
        got = xf.quantile(x, q)
        rows = x.transpose("date", "asset").values.tolist()
        want = got.copy(data=[oracles.quantile(row, q) for row in rows])
        contracts.assert_values(got, want, contracts.size_of(x))


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
@given(x=strategies.panels())
def test_quantile__equals_numpy(x):
    known = np.where(np.isfinite(x.values), x.values, NAN).astype(x.dtype)
    want = np.nanquantile(known.astype(float), Q, axis=x.get_axis_num("asset")).T
    got = xf.quantile(x, Q)
    assert got.dtype == x.dtype
    assert got.dims == ("date", "quantile")
    for same in (tuple(Q), np.array(Q), pd.Index(Q), (q for q in Q)):
        contracts.assert_same_bits(xf.quantile(x, same), got)
    rtol = 1e-15 if x.dtype == np.float64 else contracts.SINGLE
    atol = contracts.size_of(x) * (1e-16 if x.dtype == np.float64 else 1e-7)
    np.testing.assert_allclose(got.values, want, rtol=rtol, atol=atol)


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
@pytest.mark.parametrize("method", rows.PLACES)
@settings(max_examples=settings().max_examples // 3)
@given(
    x=strategies.panels(dtypes=(np.float64,)), q=st.lists(st.floats(0, 1), min_size=1, max_size=4)
)
def test_quantile__equals_numpy_in_every_method(method, x, q):
    known = np.where(np.isfinite(x.values), x.values, NAN)
    want = np.nanquantile(known, q, axis=x.get_axis_num("asset"), method=method).T
    got = xf.quantile(x, q, method=method).values
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=contracts.size_of(x) * 1e-14)


@given(x=strategies.panels(), data=st.data())
def test_quantile__is_the_same_bit_for_bit_whatever_the_chunks(x, data):
    lazy = data.draw(strategies.chunked(x))
    for q in (Q, 0.3):
        contracts.assert_same_bits(xf.quantile(lazy, q).compute(), xf.quantile(x, q))


@given(x=strategies.panels(), data=st.data())
def test_quantile__where_is_the_same_as_masking_by_hand(x, data):
    mask = data.draw(strategies.masks(x))
    by_hand = x.where(mask).transpose(*x.dims)
    contracts.assert_same_bits(xf.quantile(x, Q, where=mask), xf.quantile(by_hand, Q))


def test_quantile__computes_nothing_when_called(panel, raise_if_computes):
    chunked = panel.chunk(date=5)
    with raise_if_computes():
        assert xf.quantile(chunked["close"], Q, where=chunked["listed"]).chunks is not None
        assert xf.quantile(chunked["close"], 0.5).chunks is not None


def test_quantile__keeps_date_coords_name_and_attrs(panel):
    one, several = xf.quantile(panel["close"], 0.5), xf.quantile(panel["close"], [0.5, 0.9])
    assert one.dims == ("date",)
    assert float(one["quantile"]) == 0.5
    assert several["quantile"].values.tolist() == [0.5, 0.9]
    assert several.name == "close"
    assert several.attrs == panel["close"].attrs
    xr.testing.assert_equal(several["date"], panel["date"])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_quantile__of_an_empty_panel_is_missing(shape):
    x = xr.DataArray(np.zeros(shape), dims=("date", "asset"))
    for each in (x, x.chunk(date=-1)):
        got = xf.quantile(each, [0.5, 0.9]).compute()
        assert got.shape == (shape[0], 2)
        assert got.isnull().all()


def test_quantile__of_the_largest_floats_lies_between_them():
    x = xr.DataArray([[-1.6e308, 1.6e308]], dims=("date", "asset"))
    np.testing.assert_allclose(xf.quantile(x, [0.25, 0.5, 1.0]).values, [[-0.8e308, 0, 1.6e308]])


def test_quantile__refuses_a_dimension_of_the_name_of_its_own(panel):
    """The second would take the place of the first."""
    once = xf.quantile(panel["close"], [0.1, 0.9], by=panel["sector"])
    for x in (once, once.to_dataset(name="close")):
        with pytest.raises(xf.PanelError, match=r"close has a dimension 'quantile'; .*Rename it"):
            xf.quantile(x, 0.5)


@pytest.mark.parametrize("q", [-0.1, 1.1, NAN, [0.5, 2.0], [[0.5]], "a", None, True, ["a"]])
def test_quantile__refuses_what_is_no_fraction(panel, q):
    with pytest.raises(xf.PanelError, match="fractions in"):
        xf.quantile(panel["close"], q)


def test_quantile__maps_over_a_dataset(panel):
    ds = panel[["close", "weight"]].assign(alone=("date", np.arange(12.0)))
    got = xf.quantile(ds, [0.1, 0.5])
    assert got.attrs == ds.attrs
    for name in ("close", "weight"):
        contracts.assert_same_bits(got[name], xf.quantile(ds[name], [0.1, 0.5]))
    xr.testing.assert_identical(got["alone"], ds["alone"])
    assert "asset" not in got.dims


def test_quantile__refuses_what_is_no_array():
    with pytest.raises(TypeError, match="quantile takes a DataArray"):
        xf.quantile(np.zeros((2, 3)), 0.5)


@given(x=strategies.panels(dtypes=(np.float64,)), bins=st.integers(1, 12))
def test_qcut__equals_exact_arithmetic_of_interpolated_edges(x, bins):
    x = x.transpose("date", "asset")
    for row, labels in zip(x.values.tolist(), xf.qcut(x, bins).values, strict=True):
        known = sorted(Fraction(v) for v in oracles.valid(row))
        if not known:
            assert (labels == -1).all()
            continue
        edges = []
        for k in range(1, bins):
            place = Fraction(k * (len(known) - 1), bins)
            low, high = known[int(place)], known[min(int(place) + 1, len(known) - 1)]
            edges.append(low + (high - low) * (place - int(place)))
        want = [sum(v > e for e in edges) if np.isfinite(v) else -1 for v in row]
        assert labels.tolist() == want


@pytest.mark.parametrize("bins", [2, 3, 5, 10])
@pytest.mark.parametrize("missing", [0, 7])
def test_qcut__equals_pandas_where_its_edges_are_exact(bins, missing):
    rng = np.random.default_rng(bins)
    values = rng.permutation(12 * bins + 1).astype(float)
    row = np.concatenate([values, np.full(missing, NAN)])
    rng.shuffle(row)
    want = pd.Series(pd.qcut(row, bins, labels=False)).fillna(-1).to_numpy()
    got = xf.qcut(xr.DataArray([row], dims=("date", "asset")), bins)
    np.testing.assert_array_equal(got.values[0], want)


@given(x=strategies.panels(), bins=st.integers(1, 12))
def test_qcut__is_monotone_and_equal_values_share_a_bucket(x, bins):
    x = x.transpose("date", "asset")
    for row, labels in zip(x.values, xf.qcut(x, bins).values, strict=True):
        known = np.isfinite(row)
        order = np.argsort(row[known], kind="stable")
        values, found = row[known][order], labels[known][order]
        assert (np.diff(found) >= 0).all()
        assert (np.diff(found)[np.diff(values) == 0] == 0).all()
        assert ((found >= 0) & (found < bins)).all()
        assert (labels[~known] == -1).all()


@given(x=strategies.panels(), bins=st.integers(1, 5), data=st.data())
def test_qcut__takes_the_pivots_from_the_breakpoint_assets(x, bins, data):
    mask = data.draw(strategies.masks(x))
    whole = mask.broadcast_like(x).transpose("date", "asset").values.tolist()
    rows = x.transpose("date", "asset").values.astype(float).tolist()
    want = [oracles.qcut(r, bins=bins, breakpoints=m) for r, m in zip(rows, whole, strict=True)]
    got = xf.qcut(x, bins, breakpoints_from=mask)
    np.testing.assert_array_equal(got.transpose("date", "asset").values, want)
    lazy = data.draw(strategies.chunked(x))
    contracts.assert_same_bits(xf.qcut(lazy, bins, breakpoints_from=mask).compute(), got)


def test_qcut__refuses_breakpoints_that_are_no_mask(panel):
    """astype(bool) would make True of a missing value and of the code -1."""
    for values in (panel["close"], panel["sector"]):
        with pytest.raises(TypeError, match="breakpoints_from"):
            xf.qcut(panel["close"], 3, breakpoints_from=values)


@pytest.mark.parametrize(
    "bins",
    [
        *[0, -1, 2.5, True, 40_000, "ab", None, [], [0], [0.1, 1], [0, 0.9], [0, 0.5, 0.5, 1]],
        *[
            {"a": 1},
            xr.DataArray([0, 1]),
            [0, 0.7, 0.3, 1],
            [0, NAN, 1],
            [0, "a", 1],
            [-1, 1],
            [[0, 1]],
            np.linspace(0, 1, 40_000),
        ],
    ],
)
def test_qcut__refuses_wrong_bins_in_one_line(panel, bins):
    with pytest.raises(xf.PanelError, match="bins") as refusal:
        xf.qcut(panel["close"], bins)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("edges", [[0, 0.3, 0.7, 1], [0, 0.05, 0.5, 1], [0, 1]])
@pytest.mark.parametrize("missing", [0, 7])
def test_qcut__of_unequal_parts_equals_pandas_where_its_edges_are_exact(edges, missing):
    rng = np.random.default_rng(3)
    row = np.concatenate([rng.permutation(np.arange(241.0)), np.full(missing, NAN)])
    rng.shuffle(row)
    want = pd.Series(pd.qcut(row, edges, labels=False)).fillna(-1).to_numpy()
    got = xf.qcut(xr.DataArray([row], dims=("date", "asset")), edges)
    np.testing.assert_array_equal(got.values[0], want)


@pytest.mark.parametrize("method", ["pivot", "ecdf", "rank"])
@pytest.mark.parametrize("n", [2, 3, 7, 10, 100])
def test_qcut__of_equal_edges_is_that_of_so_many_bins(method, n):
    """However they were computed: 0.1 + 0.1 + 0.1 and linspace mean 3/10."""
    x = xr.DataArray(np.random.default_rng(n).normal(size=(1, 4 * n)), dims=("date", "asset"))
    want = xf.qcut(x, n, method=method)
    for edges in (
        np.linspace(0, 1, n + 1),
        [k / n for k in range(n + 1)],
        [Fraction(k, n) for k in range(n + 1)],
        [0, *np.cumsum([1 / n] * (n - 1)), 1],
        *([np.arange(11, dtype=np.float32) / np.float32(10)] if n == 10 else []),
    ):
        contracts.assert_same_bits(xf.qcut(x, edges, method=method), want)


def test_qcut__by_rank_counts_in_whole_numbers():
    """In float32 the product of a rank and a number of bins has no digits left for the cut."""
    n, bins = 3001, 30_011
    x = xr.DataArray(np.arange(n, dtype=np.float32)[None], dims=("date", "asset"))
    want = [r * bins // n for r in range(n)]
    np.testing.assert_array_equal(xf.qcut(x, bins, method="rank").values, [want])


@pytest.mark.parametrize(
    ("low", "high"), [("a", 1), (None, 1), (0, True), (0.5, 0.4), (-0.1, 1), (NAN, 1)]
)
def test_between__refuses_what_are_no_fractions_in_one_line(panel, low, high):
    with pytest.raises(xf.PanelError, match=r"(low|high)=.* given; needed") as refusal:
        xf.between(panel["close"], low, high)
    with pytest.raises(xf.PanelError, match="low=a DataArray was given; needed a number"):
        xf.between(panel["close"], panel["close"], 1)
    assert "\n" not in str(refusal.value)


def test_qcut__takes_more_bins_than_assets(panel):
    got = xf.qcut(panel["close"], 32_767)
    np.testing.assert_array_equal(xf.rank(got.where(got >= 0)), xf.rank(panel["close"]))
