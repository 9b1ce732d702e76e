"""Kernels without labels: what the compiled code does, its Python source does too.

Through the labelled functions the kernels have their oracles already; here are the claims that
only the bare arrays show, and the jitted functions run as Python so that coverage sees their lines.
"""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests import strategies
from xfactor.kernels import (
    _blocks,
    _groups,
    buckets,
    order,
    rank,
    rolling,
    rolling_order,
    rows,
    shift,
)
from xfactor.kernels._groups import groups_of

NAN = np.nan


@st.composite
def arrays(draw, max_rows=12, max_columns=6):
    shape = (draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns)))
    return draw(strategies.cells(shape, draw(st.sampled_from([np.float64, np.float32]))))


KERNELS = {
    "rank": lambda x: rank.rank_rows(x, method=rank.AVERAGE),
    "top": lambda x: rank.top_rows(x, n=2),
    "bottom": lambda x: rank.bottom_rows(x, n=2),
    "rank by": lambda x: rank.rank_rows(x, codes(x), method=rank.DENSE),
    "winsorize": lambda x: rows.limit_rows(x, method="count", limits=(0.1, 0.2), trim=False),
    "winsorize by": lambda x: rows.limit_rows(
        x, codes(x), method="mad", limits=(1.0, 1.0), trim=True
    ),
    "zscore": lambda x: rows.zscore_rows(x, ddof=1),
    "zscore by": lambda x: rows.zscore_rows(x, codes(x), ddof=1),
    "demean": rows.demean_rows,
    "demean by": lambda x: rows.demean_rows(x, codes(x)),
    "quantile": lambda x: rows.quantile_rows(x, q=np.array([0.1, 0.5])),
    "quantile by": lambda x: rows.quantile_rows(x, codes(x), q=np.array([0.1, 0.5])).sum(axis=2),
    "qcut": lambda x: buckets.qcut_rows(x, cuts=equal(3), ecdf=False),
    "many buckets": lambda x: buckets.qcut_rows(x, codes(x), cuts=equal(50), ecdf=True),
    "rank buckets": lambda x: buckets.bucket_rows(x, codes(x), cuts=equal(3)),
}


def codes(x):
    """Groups 0, 1, 2 and none, the same on each row."""
    return np.broadcast_to(np.arange(x.shape[1]) % 4 - 1, x.shape)


def equal(bins):
    return buckets.Cuts(tuple(range(1, bins)), bins)


WINDOWS = {
    "lag": (lambda x, **w: shift.lag_rows(x, periods=2, fill=NAN, **w), 2, 0),
    "returns": (lambda x, **w: shift.return_rows(x, periods=2, **w), 2, 0),
    "forward": (lambda x, **w: shift.forward_rows(x, periods=2, skip=1, log=False, **w), 0, 3),
    "mean": (lambda x, **w: rolling.mean_rows(x, total=False, window=3, min_obs=1, **w), 2, 0),
    "std": (lambda x, **w: rolling.var_rows(x, ddof=1, root=True, window=3, min_obs=2, **w), 2, 0),
    "decay": (lambda x, **w: rolling.decay_rows(x, window=3, min_obs=1, **w), 2, 0),
    "max": (lambda x, **w: rolling_order.extreme_rows(x, sign=1.0, window=3, min_obs=1, **w), 2, 0),
}


@pytest.mark.parametrize("name", KERNELS)
@given(x=arrays())
def test_row_kernel__does_not_change_its_input_and_takes_each_row_alone(name, x):
    before = x.copy()
    whole = KERNELS[name](x)
    np.testing.assert_array_equal(x, before)
    one_by_one = np.concatenate([KERNELS[name](row[None]) for row in x])
    np.testing.assert_array_equal(whole, one_by_one)


@pytest.mark.parametrize("name", WINDOWS)
@given(x=arrays(), data=st.data())
def test_window_kernel__needs_no_more_rows_than_its_reach(name, x, data):
    x = np.clip(x, -0.9, 9) if name == "forward" else x
    kernel, before, after = WINDOWS[name]
    whole = kernel(x, offset=0, start=0, stop=len(x))
    a = data.draw(st.integers(0, len(x) - 1))
    b = data.draw(st.integers(a + 1, len(x)))
    first, last = max(0, a - before), min(len(x), b + after)
    part = kernel(x[first:last], offset=first, start=a - first, stop=b - first)
    np.testing.assert_array_equal(part, whole[a:b])


@pytest.mark.parametrize("method", rank.METHODS.values(), ids=rank.METHODS.keys())
@given(x=arrays())
def test_rank__compiled_equals_its_python_source(method, x):
    x = x + x.dtype.type(0)  # -0.0 becomes 0.0, as the caller of these sees to
    groups = groups_of(codes(x), x.shape)
    columns = np.random.default_rng(x.shape[1]).permutation(x.shape[1])
    ordered = order.sort_rows(x, groups, columns)
    highest = [ordered.size.astype(float) for _ in range(2)]
    got = rank._ranks.py_func(*ordered, x, method, highest[0])
    np.testing.assert_array_equal(got, rank._ranks(*ordered, x, method, highest[1]))
    np.testing.assert_array_equal(*highest)


@given(x=arrays(), data=st.data())
def test_groups_of__parts_the_cells_of_a_row_as_their_codes_do(x, data):
    known = st.sampled_from([0, 1, 2, 11, 2**18, 2**40, -1, -(2**40)])
    by = data.draw(hnp.arrays(np.int64, x.shape, elements=known))
    groups = groups_of(by, x.shape)
    assert groups.n <= max(x.shape[1], 1)
    for codes, own in zip(by, groups.codes, strict=True):
        np.testing.assert_array_equal(own == groups.n, codes < 0)
        same, alike = codes[:, None] == codes, own[:, None] == own
        np.testing.assert_array_equal(alike[codes >= 0], same[codes >= 0])
    small = np.minimum(by, 20)
    seen = [np.zeros(21, dtype=np.int64) for _ in range(4)]
    got, want = (np.empty(by.shape, dtype=np.int32) for _ in range(2))
    n = _groups._number.py_func(small, *seen[:2], got)
    assert n == _groups._number(small, *seen[2:], want)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("n", [1, 2, 255, 5000])
@pytest.mark.parametrize(
    "make",
    [
        lambda z: z,
        lambda z: np.exp(3 * z),
        lambda z: np.round(z, 1),
        lambda z: np.where(z > 0, 1e9 + z, 1e-3 * z),  # two clusters: leading bits part no others
        lambda z: 1e6 * np.round(z) + 1e-4 * z,
        lambda z: (
            1.0 + 1e-15 * np.round(z)
        ),  # neighbours among the floats: truncated keys are equal
        lambda z: np.zeros_like(z),
        lambda z: z.astype(np.float32),
    ],
)
def test_sort_rows__orders_by_group_value_and_label(make, n):
    rng = np.random.default_rng(n)
    x = make(rng.standard_normal((3, n)))
    x[rng.random(x.shape) < 0.15] = NAN
    x = x + x.dtype.type(0)  # no -0.0
    columns = rng.permutation(n)
    place = np.argsort(columns)
    groups = groups_of(rng.integers(-1, 3, x.shape), x.shape)
    ordered = order.sort_rows(x, groups, columns)
    ranks = rank._ranks(*ordered, x, rank.ORDINAL, ordered.size.astype(float))
    for r in range(len(x)):
        use = np.flatnonzero(np.isfinite(x[r]) & (groups.codes[r] < groups.n))
        want = use[np.lexsort((place[use], x[r, use], groups.codes[r, use]))]
        sizes = np.bincount(groups.codes[r, use], minlength=groups.n)
        np.testing.assert_array_equal(ordered.size[r], sizes)
        counts = np.concatenate([np.arange(1, k + 1) for k in sizes])
        np.testing.assert_array_equal(ranks[r, want], counts)


@given(values=st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=20))
def test_sort_run__is_a_stable_sort(values):
    x = np.array(values)
    for sort in (order._sort_run, order._sort_run.py_func):
        run = np.arange(len(x))
        sort(x, run, np.empty_like(run), 0, len(x))
        np.testing.assert_array_equal(run, np.argsort(x, kind="stable"))


@pytest.mark.parametrize("n_columns", [0, 1, 1000, _blocks.BLOCK_CELLS, 3 * _blocks.BLOCK_CELLS])
@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_row_blocks__cover_every_row_once(n_rows, n_columns):
    seen = [r for s in _blocks.row_blocks(n_rows, n_columns) for r in range(s.start, s.stop)]
    assert seen == list(range(n_rows))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("n", [3, 1000])
def test_row_kernel__is_the_same_however_the_rows_are_blocked(name, n, monkeypatch):
    x = np.random.default_rng(n).normal(size=(20, n))
    x[x > 1.2] = NAN
    want = KERNELS[name](x)
    monkeypatch.setattr(_blocks, "BLOCK_CELLS", 3 * n)
    np.testing.assert_array_equal(KERNELS[name](x), want)
    np.testing.assert_array_equal(KERNELS[name](np.asfortranarray(x)), want)


@pytest.mark.parametrize(
    ("shape", "most", "kernel"),
    [
        ((13_000, 10), 256, lambda x, by: rows.quantile_rows(x, by, q=np.array([0.1, 0.5, 0.9]))),
        ((40, 10_000), 40_000, lambda x, by: buckets.qcut_rows(x, by, cuts=equal(50), ecdf=False)),
        ((40_000, 3), 3, lambda x, by: buckets.qcut_rows(x, cuts=equal(500), ecdf=True)),
    ],
)
def test_row_kernel__of_many_groups_or_cuts_needs_no_large_tables(shape, most, kernel):
    rng = np.random.default_rng(0)
    x, by = rng.normal(size=shape), rng.integers(0, most, shape)
    kernel(x[:2], by[:2])  # compiles
    tracemalloc.start()
    out = kernel(x, by)
    peak = tracemalloc.get_traced_memory()[1] - out.nbytes
    tracemalloc.stop()
    assert peak < 40 * 8 * _blocks.BLOCK_CELLS
