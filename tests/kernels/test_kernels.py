"""Kernels without labels: what the compiled code does, its Python source does too.

Through the labelled functions the kernels have their oracles already; here are the claims that
only the bare arrays show, and the jitted functions run as Python so that coverage sees their lines.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from xfactor.kernels import _blocks, rank, rolling, rows, shift

NAN = np.nan


@st.composite
def arrays(draw, max_rows=12, max_columns=6):
    shape = (draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns)))
    return draw(strategies.cells(shape, draw(st.sampled_from([np.float64, np.float32]))))


KERNELS = {
    "rank": lambda x: rank.rank_rows(x, rank.AVERAGE),
    "top": lambda x: rank.top_rows(x, 2),
    "bottom": lambda x: rank.bottom_rows(x, 2),
    "winsorize": lambda x: rows.winsorize_rows(x, 0.1, 0.2),
    "zscore": lambda x: rows.zscore_rows(x, 1),
    "demean": rows.demean_rows,
    "quantile": lambda x: rows.quantile_rows(x, np.array([0.1, 0.5])),
    "qcut": lambda x: rows.qcut_rows(x, 3),
    "many buckets": lambda x: rows.qcut_rows(x, 50),
}
WINDOWS = {
    "lag": (lambda x, **w: shift.lag_rows(x, periods=2, fill=NAN, **w), 2, 0),
    "returns": (lambda x, **w: shift.return_rows(x, periods=2, **w), 2, 0),
    "forward": (lambda x, **w: shift.forward_rows(x, periods=2, **w), 0, 2),
    "mean": (
        lambda x, **w: rolling.rolling_rows(
            x, statistic=rolling.MEAN, window=3, min_obs=1, ddof=0, **w
        ),
        2,
        0,
    ),
    "std": (
        lambda x, **w: rolling.rolling_rows(
            x, statistic=rolling.STD, window=3, min_obs=2, ddof=1, **w
        ),
        2,
        0,
    ),
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
    n = x.shape[1]
    order = np.random.default_rng(n).permutation(n)
    place = np.empty_like(order)
    place[order] = np.arange(n)
    low = 32 if x.dtype == np.float32 else max(1, (n - 1).bit_length())
    bits = x.view(np.int32 if x.dtype == np.float32 else np.int64)
    keys = rank._keys.py_func(bits, np.isfinite(x), place, low)
    np.testing.assert_array_equal(keys, rank._keys(bits, np.isfinite(x), place, low))
    keys.sort(axis=1)
    got = rank._ranks.py_func(keys, x, order, low, method)
    np.testing.assert_array_equal(got, rank._ranks(keys, x, order, low, method))


@given(values=st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=20))
def test_sort_run__is_a_stable_sort(values):
    x = np.array(values)
    for sort in (rank._sort_run, rank._sort_run.py_func):
        run = np.arange(len(x))
        sort(x, run, np.empty_like(run), 0, len(x))
        np.testing.assert_array_equal(run, np.argsort(x, kind="stable"))


@pytest.mark.parametrize("statistic", [rolling.MEAN, rolling.STD])
@given(x=arrays(8, 2), window=st.integers(1, 5))
def test_rolling__compiled_equals_its_python_source(statistic, x, window):
    """To rounding: the compiler may fuse a product and a sum."""
    out = [np.empty(x.shape) for _ in range(2)]
    x = x.astype(float)
    rolling._rolling(x, out[0], statistic, window, 1, 0, 0, 0)
    rolling._rolling.py_func(x, out[1], statistic, window, 1, 0, 0, 0)
    scale = np.abs(np.where(np.isfinite(x), x, 0)).max()
    np.testing.assert_allclose(out[0], out[1], rtol=1e-9, atol=1e-12 * scale)


def test_rolling__parts_run_as_python():
    """The inner functions, called as Python once, on numbers that can be checked by hand."""
    x = np.array([[1.0, NAN], [3.0, np.inf], [8.0, 5.0]])
    sums = np.zeros(4 * rolling.LANES)
    with np.errstate(invalid="ignore"):  # inf - inf, which compiled code does not report
        for row in x:
            rolling._add.py_func(sums, sums, row, 0, 2, rolling.STD)
    table = sums.reshape(4, rolling.LANES)[:, :2]  # count, sum, pivot, squares about the pivot
    np.testing.assert_array_equal(table, [[3, 1], [9, 0], [1, 5], [53, 0]])
    empty, out = np.zeros_like(sums), np.zeros(2)
    rolling._mean.py_func(sums, empty, out, 0, 2, 1.0)
    np.testing.assert_allclose(out, [4.0, 5.0])
    with np.errstate(invalid="ignore", divide="ignore"):
        rolling._std.py_func(empty, sums, out, 0, 2, 1.0, 1.0)
    np.testing.assert_allclose(out, [np.std([1, 3, 8], ddof=1), NAN])


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
