"""Transforms along the asset axis against their oracles, their contracts and their laws."""

import warnings
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, oracles, strategies
from tests.contracts import Case

NAN = np.nan


def _case(name, oracle, labelled=False, exact=False, dtype=None, oracle_options=None, **options):
    naive = partial(
        oracles.each, oracle, dim="asset", labelled=labelled,
        **(options if oracle_options is None else oracle_options),
    )  # fmt: skip
    scaled = name not in ("rank", "zscore", "standardize")
    return Case(
        name, getattr(xf, name), options, naive, exact=exact, dtype=dtype, scaled=scaled,
        dataset=name != "qcut",
    )  # fmt: skip


METHODS = ("ordinal", "average", "min", "max", "dense")
CASES = [
    *[
        _case("rank", oracles.rank, True, True, method=m, ascending=a)
        for m in METHODS
        for a in (True, False)
    ],
    _case("rank", oracles.rank, True, pct=True),
    _case("rank", oracles.rank, True, pct=True, method="average", ascending=False),
    *[_case("top", oracles.top, True, True, np.bool_, n=n) for n in (1, 3)],
    *[_case("bottom", oracles.bottom, True, True, np.bool_, n=n) for n in (1, 3)],
    *[_case("qcut", oracles.qcut, False, True, np.int16, bins=b) for b in (1, 2, 5, 40)],
    *[
        _case(
            "winsorize", oracles.winsorize, False, True,
            oracle_options={"low": low, "high": high}, limits=limits,
        )
        for limits, low, high in [(0.1, 0.1, 0.1), (0.0, 0.0, 0.0), ((0.05, 0.3), 0.05, 0.3)]
    ],
    *[_case("zscore", oracles.zscore, ddof=d) for d in (0, 1)],
    _case(
        "standardize", oracles.standardize, oracle_options={"low": 0.2, "high": 0.2, "ddof": 1},
        limits=0.2, ddof=1,
    ),
    _case("demean", oracles.demean),
]  # fmt: skip

FUNCTIONS = contracts.by_name(CASES)
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_function = pytest.mark.parametrize("cases", FUNCTIONS, ids=contracts.name_of)
one_each = pytest.mark.parametrize("case", [c[0] for c in FUNCTIONS], ids=lambda c: c.name)


# --- what every transform promises --------------------------------------------------------------


@each_case
def test_transform__equals_the_naive_loop_on_the_fixed_panel(case):
    for dtype in (np.float64, np.float32):
        contracts.check_oracle(case, strategies.fixed_panel(dtype))


@each_function
@given(x=strategies.panels(), data=st.data())
def test_transform__equals_the_naive_loop(cases, x, data):
    contracts.check_oracle(data.draw(st.sampled_from(cases)), x)


@each_function
@given(x=strategies.panels(), data=st.data())
def test_transform__is_the_same_bit_for_bit_whatever_the_chunks(cases, x, data):
    contracts.check_chunks(data.draw(st.sampled_from(cases)), x, data)


@each_case
def test_transform__takes_every_date_by_itself(case):
    x = strategies.fixed_panel()
    whole = case(x)
    for t in range(x.sizes["date"]):
        contracts.assert_same_bits(case(x.isel(date=[t])), whole.isel(date=[t]))


@one_each
def test_transform__where_is_the_same_as_masking_by_hand(case):
    contracts.check_where(case)


@one_each
def test_transform__keeps_dims_coords_name_attrs_and_dtype(case):
    contracts.check_kept(case)


@one_each
def test_transform__computes_nothing_when_called(case, panel, raise_if_computes):
    contracts.check_lazy(case, panel, raise_if_computes)


@pytest.mark.parametrize("case", [c[0] for c in FUNCTIONS if c[0].dataset], ids=lambda c: c.name)
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


@each_function
@given(x=strategies.panels(), data=st.data())
def test_transform__does_not_depend_on_the_order_of_storage(cases, x, data):
    case = data.draw(st.sampled_from(cases))
    order = data.draw(st.permutations(range(x.sizes["asset"])))
    got, want = case(x.isel(asset=order)), case(x).isel(asset=order)
    if case.exact:
        xr.testing.assert_identical(got, want)
    else:
        contracts.assert_values(got, want, contracts.size_of(x) if case.scaled else 1.0)


@one_each
def test_transform__of_a_single_date_needs_no_date_dim(case, panel):
    row = panel["close"].isel(date=3, drop=True)
    want = case(panel["close"]).isel(date=3, drop=True)
    xr.testing.assert_identical(case(row), want)
    xr.testing.assert_identical(case(row.chunk()).compute(), want)


# --- rows that break naive code (the table of the design) ---------------------------------------

MIDDLE = [3.0] * 5
EDGE_ROWS = {
    "all missing": ([NAN] * 5, [NAN] * 5, [NAN] * 5, [NAN] * 5, [-1] * 5),
    "constant": ([0.1] * 5, MIDDLE, [NAN] * 5, [0.1] * 5, [0] * 5),
    "one valid": (
        [NAN, NAN, 7.0, NAN, NAN],
        [NAN, NAN, 1.0, NAN, NAN],
        [NAN] * 5,
        [NAN, NAN, 7.0, NAN, NAN],
        [-1, -1, 0, -1, -1],
    ),
    "two valid": (
        [NAN, 1.0, NAN, 2.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [NAN, -1.0, NAN, 1.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [-1, 0, -1, 1, -1],
    ),
    "inf inside": (
        [np.inf, 1.0, -np.inf, 2.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [NAN, -1.0, NAN, 1.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [-1, 0, -1, 1, -1],
    ),
    "ties at a cut": (
        [1.0, 2.0, 2.0, 2.0, 3.0],
        [1.0, 3.0, 3.0, 3.0, 5.0],
        (np.array([-1.0, 0.0, 0.0, 0.0, 1.0]) / np.sqrt(0.4)).tolist(),
        [2.0, 2.0, 2.0, 2.0, 2.0],
        [0, 0, 0, 0, 1],
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("column", ["rank", "zscore", "winsorize", "qcut"])
@pytest.mark.parametrize("row", EDGE_ROWS)
def test_edge_row__gives_what_the_design_says(row, column, dtype):
    values, *wanted = EDGE_ROWS[row]
    x = xr.DataArray(np.array([values], dtype=dtype), dims=("date", "asset"))
    place = ["rank", "zscore", "winsorize", "qcut"].index(column)
    got = {
        "rank": lambda: xf.rank(x, method="average"),
        "zscore": lambda: xf.zscore(x),
        "winsorize": lambda: xf.winsorize(x, 0.2),
        "qcut": lambda: xf.qcut(x, 2),
    }[column]()
    np.testing.assert_allclose(got.values[0], np.array(wanted[place], dtype=dtype), rtol=1e-6)


# --- rank, top, bottom --------------------------------------------------------------------------


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
    ],
    ids=["dates", "negative", "floats", "duplicates"],
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


# --- quantile and qcut --------------------------------------------------------------------------

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
    rtol = 1e-15 if x.dtype == np.float64 else contracts.SINGLE
    atol = contracts.size_of(x) * (1e-16 if x.dtype == np.float64 else 1e-7)
    np.testing.assert_allclose(got.values, want, rtol=rtol, atol=atol)


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


@pytest.mark.parametrize("q", [-0.1, 1.1, NAN, [0.5, 2.0], [[0.5]]])
def test_quantile__refuses_what_is_no_fraction(panel, q):
    with pytest.raises(xf.PanelError, match="fractions in"):
        xf.quantile(panel["close"], q)


@pytest.mark.parametrize("name", ["quantile", "qcut"])
def test_function_of_one_array__refuses_a_dataset_in_plain_words(panel, name):
    option = 0.5 if name == "quantile" else 2
    with pytest.raises(TypeError, match=name):
        getattr(xf, name)(panel[["close"]], option)


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
    want = [oracles.qcut(r, bins, m) for r, m in zip(rows, whole, strict=True)]
    got = xf.qcut(x, bins, breakpoints_from=mask)
    np.testing.assert_array_equal(got.transpose("date", "asset").values, want)
    lazy = data.draw(strategies.chunked(x))
    contracts.assert_same_bits(xf.qcut(lazy, bins, breakpoints_from=mask).compute(), got)


def test_qcut__refuses_breakpoints_that_are_no_mask(panel):
    """astype(bool) would make True of a missing value and of the code -1."""
    for values in (panel["close"], panel["sector"]):
        with pytest.raises(TypeError, match="breakpoints_from"):
            xf.qcut(panel["close"], 3, breakpoints_from=values)


@pytest.mark.parametrize("bins", [0, -1, 2.5, True, 40_000])
def test_qcut__refuses_a_wrong_number_of_bins(panel, bins):
    with pytest.raises(xf.PanelError, match="bins"):
        xf.qcut(panel["close"], bins)


def test_qcut__takes_more_bins_than_assets(panel):
    got = xf.qcut(panel["close"], 32_767)
    np.testing.assert_array_equal(xf.rank(got.where(got >= 0)), xf.rank(panel["close"]))


# --- winsorize, zscore, standardize, demean -----------------------------------------------------


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


@pytest.mark.parametrize("limits", [-0.1, 0.5, 1.0, (0.6, 0.4), NAN, (0.1, -0.2)])
def test_winsorize__refuses_limits_that_leave_nothing(panel, limits):
    for function in (xf.winsorize, xf.standardize):
        with pytest.raises(xf.PanelError, match="limits"):
            function(panel["close"], limits)


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


# --- refusals shared by all ---------------------------------------------------------------------


@one_each
def test_transform__refuses_assets_cut_into_chunks(case, panel):
    with pytest.raises(xf.PanelError, match=r"chunks along 'asset'.*Use x.chunk\(asset=-1\)"):
        case(panel["close"].chunk(asset=2))


@one_each
def test_transform__refuses_a_missing_dimension(case, panel):
    with pytest.raises(xf.PanelError, match=r"dimensions 'date', 'id'; needed 'asset'"):
        case(panel["close"].rename(asset="id"))


@one_each
def test_transform__refuses_text(case, panel):
    with pytest.raises(TypeError, match="needed numbers"):
        case(panel["close"].astype(str))


@one_each
def test_transform__refuses_a_universe_that_is_no_mask(case, panel):
    with pytest.raises(TypeError, match="needed bool"):
        case(panel["close"], where=panel["sector"])


@one_each
def test_transform__refuses_a_universe_in_another_order(case, panel):
    with pytest.raises(xf.PanelError, match="different labels along 'asset'"):
        case(panel["close"], where=panel["listed"].isel(asset=slice(None, None, -1)))
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        case(panel["close"], where=panel["listed"].isel(date=slice(3)))


@one_each
def test_transform__refuses_a_universe_with_dims_that_the_values_lack(case, panel):
    with pytest.raises(xf.PanelError, match="where"):
        case(panel["close"].isel(date=0, drop=True), where=panel["listed"])


@one_each
def test_transform__refuses_a_universe_cut_differently(case, panel):
    """Else dask cuts both to pieces without a word."""
    with pytest.raises(xf.PanelError, match="cut differently along 'date'"):
        case(panel["close"].chunk(date=4), where=panel["listed"].chunk(date=3))


def test_transform__names_the_field_whose_dims_the_universe_exceeds(panel):
    ds = panel[["close"]].assign(founded=("asset", np.arange(7.0)))
    with pytest.raises(xf.PanelError, match="where has the dimension 'date' and founded has not"):
        xf.rank(ds, where=panel["listed"])


def test_rank__refuses_an_unknown_method(panel):
    with pytest.raises(xf.PanelError, match="method='first' is unknown; choose from 'ordinal'"):
        xf.rank(panel["close"], method="first")


@pytest.mark.parametrize("n", [0, -1, 1.5, True, NAN, np.inf, None, "3"])
@pytest.mark.parametrize("function", [xf.top, xf.bottom])
def test_top_and_bottom__refuse_a_wrong_number(panel, function, n):
    with pytest.raises(xf.PanelError, match="needed a whole number"):
        function(panel["close"], n)


@pytest.mark.parametrize("ddof", [-1, 0.5])
def test_zscore__refuses_a_wrong_ddof(panel, ddof):
    with pytest.raises(xf.PanelError, match="ddof"):
        xf.zscore(panel["close"], ddof=ddof)
