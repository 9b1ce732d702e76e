"""Least squares without labels: what the compiled code does, its Python source does too."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.regression import oracles
from xfactor.kernels import (
    column_lstsq,
    columns,
    hac,
    history_lstsq,
    lanes,
    lstsq,
    row_lstsq,
    window_lstsq,
)

NAN = np.nan
ROWS = {"weighted": False, "intercept": True, "min_obs": 4}


def drawn(seed, rows=6, columns=30, k=2, missing=0.1):
    """y (row, n) and k regressors (row, n)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(k, rows, columns))
    y = x.sum(axis=0) + rng.normal(size=(rows, columns))
    for a in (y, *x):
        a[rng.random(a.shape) < missing] = NAN
    return y, list(x)


def windowed(y, *xs, window=5, min_obs=4, intercept=True, offset=0, start=0, stop=None):
    stop = len(y) if stop is None else stop
    return column_lstsq.rolling_lstsq(
        y, *xs, window=window, intercept=intercept, min_obs=min_obs, offset=offset, start=start,
        stop=stop,
    )  # fmt: skip


@pytest.mark.parametrize("intercept", [True, False])
def test_row_lstsq__takes_rows_and_cubes_alike(intercept):
    y, xs = drawn(1, k=3)
    options = ROWS | {"intercept": intercept}
    want = row_lstsq.row_lstsq(y, *xs, **options)
    cube = np.stack(xs[1:], axis=1)
    for a, b in zip(row_lstsq.row_lstsq(y, xs[0], cube, **options), want, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [r.shape for r in want] == [(6, 3), (6, 3), (6,), (6,), (6,), (6,)]
    for t in range(6):
        fit = oracles.ols(y[t], np.stack(xs)[:, t], intercept=intercept, min_obs=4)
        np.testing.assert_allclose(want[0][t], fit.params[int(intercept) :], rtol=1e-10)


@given(seed=st.integers(0, 10**6), cut=st.integers(1, 5))
def test_row_lstsq__takes_each_row_alone(seed, cut):
    y, xs = drawn(seed)
    whole = row_lstsq.row_lstsq(y, *xs, **ROWS)
    parts = [row_lstsq.row_lstsq(y[s], *[x[s] for x in xs], **ROWS) for s in (slice(cut),
             slice(cut, None))]  # fmt: skip
    for a, *b in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(a, np.concatenate(b))


def test_row_lstsq__does_not_change_its_input():
    y, xs = drawn(2)
    xs.append(np.abs(y))
    before = [a.copy() for a in (y, *xs)]
    for a in (y, *xs):
        a.flags.writeable = False
    row_lstsq.row_lstsq(y, *xs, weighted=True, intercept=True, min_obs=4)
    for a, b in zip((y, *xs), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("columns", [1, 127, 128, 129])
@pytest.mark.parametrize("common", [True, False])
def test_rolling_lstsq__every_column_is_as_if_alone(columns, common):
    y, xs = drawn(3, rows=20, columns=columns)
    own = np.stack(xs, axis=1)
    x = own[:, :, 0] if common else own
    whole = windowed(y, x)
    for j in (0, columns // 2, columns - 1):
        one = x if common else np.ascontiguousarray(own[:, :, j : j + 1])
        alone = windowed(np.ascontiguousarray(y[:, j : j + 1]), one)
        for a, b in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(a[..., j], b[..., 0])


@given(seed=st.integers(0, 10**6), data=st.data())
def test_rolling_lstsq__needs_only_the_window_before_its_first_row(seed, data):
    window = data.draw(st.integers(4, 12))
    y, xs = drawn(seed, rows=30, columns=3)
    x = np.stack(xs, axis=1)
    whole = windowed(y, x, window=window)
    first = data.draw(st.integers(0, 29))
    last = data.draw(st.integers(first + 1, 30))
    halo = max(0, first - window + 1)
    part = windowed(y[halo:last], x[halo:last], window=window, offset=halo, start=first - halo)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_array_equal(a[first:last], b)


def test_history_sums__merge_to_those_of_the_whole_in_any_cut():
    y, xs = drawn(4, rows=40, columns=70)
    x = np.stack(xs, axis=1)
    y, x = y + 1e6, x - 1e3  # a level: centred sums do not feel it
    whole = column_lstsq.history_sums(y, x, offset=0, start=0, stop=40)
    for cut in (1, 7, 20, 39):
        a = column_lstsq.history_sums(y, x, offset=0, start=0, stop=cut)
        b = column_lstsq.history_sums(y, x, offset=0, start=cut, stop=40)
        for got, want in zip(column_lstsq.merge_history(a, b), whole, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-8)


def test_history_sums__of_no_rows_are_empty_and_merge_to_the_other():
    y, xs = drawn(5, rows=10, columns=3)
    x = np.stack(xs, axis=1)
    whole = column_lstsq.history_sums(y, x, offset=0, start=0, stop=10)
    nothing = column_lstsq.history_sums(y, x, offset=0, start=10, stop=10)
    np.testing.assert_array_equal(nothing[0][-1], 0.0)
    for pair in ((whole, nothing), (nothing, whole)):
        for got, want in zip(column_lstsq.merge_history(*pair), whole, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("lags", [0, 1, 3, 50])
def test_score_sums__add_up_whatever_the_cut(lags):
    rng = np.random.default_rng(6)
    e, x = rng.normal(size=(40, 300)), rng.normal(size=(40, 2))
    options = {"intercept": True, "lags": lags, "offset": 0}
    whole = hac.score_sums(e, x, start=0, stop=40, **options)
    for cut in (0, 1, 17, 40):
        a = hac.score_sums(e, x, start=0, stop=cut, **options)
        b = hac.score_sums(e, x, start=cut, stop=40, **options)
        for got, want in zip(hac.add_scores(a, b, lags=lags), whole, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
    h = np.concatenate([np.ones((40, 1)), x], axis=1) * e[:, 270:271]
    want = h.T @ h
    for lag in range(1, min(lags, 39) + 1):
        g = h[lag:].T @ h[:-lag]
        want = want + (1 - lag / (lags + 1)) * (g + g.T)
    np.testing.assert_allclose(whole[0][:, :, 270], want, rtol=1e-10)


@given(
    cuts=st.lists(st.integers(0, 12), max_size=8).map(sorted),
    lags=st.integers(0, 15),
    data=st.data(),
)
def test_score_sums__add_up_in_any_brackets(cuts, lags, data):
    rng = np.random.default_rng(8)
    e, x = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    e[rng.random((12, 2)) < 0.2] = np.nan
    edges = [0, *cuts, 12]

    def part(start, stop):
        return hac.score_sums(e, x, intercept=True, lags=lags, offset=0, start=start, stop=stop)

    parts = [part(*stretch) for stretch in itertools.pairwise(edges)]
    while len(parts) > 1:
        i = data.draw(st.integers(0, len(parts) - 2))
        parts[i : i + 2] = [hac.add_scores(*parts[i : i + 2], lags=lags)]
    for got, want in zip(parts[0], part(0, 12), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_score_sums__of_no_columns_are_empty():
    meat, head, tail = hac.score_sums(
        np.ones((5, 0)), np.ones((5, 2)), intercept=True, lags=1, offset=0, start=0, stop=5
    )
    assert (meat.shape, head.shape, tail.shape) == ((3, 3, 0), (1, 3, 0), (1, 3, 0))


def test_score_sums__keep_no_more_than_what_the_neighbours_need():
    e = np.random.default_rng(9).normal(size=(500, 3))
    options = {"intercept": True, "lags": 4, "offset": 0, "start": 0, "stop": 500}
    for part in (a := hac.score_sums(e, **options), hac.add_scores(a, a, lags=4)):
        assert all(x.base is None for x in part)  # views would keep the scores of all rows
        assert sum(x.nbytes for x in part) == 8 * 3 * (1 + 4 + 4)


@pytest.mark.parametrize("intercept", [True, False])
def test_solve_columns__python_source_gives_what_the_compiled_code_gives(intercept, monkeypatch):
    y, xs = drawn(7, rows=12, columns=3)
    mean, square = column_lstsq.history_sums(y, np.stack(xs, axis=1), offset=0, start=0, stop=12)
    want = lstsq.solve_columns(mean.copy(), square.copy(), intercept, 4)
    for name in ("pair", "_pivot", "solve", "back_substitute", "solve_all"):
        monkeypatch.setattr(lanes, name, getattr(lanes, name).py_func)
    with np.errstate(all="ignore"):  # compiled code does not warn
        got = lstsq.solve_columns(mean.copy(), square.copy(), intercept, 4)
    # The compiler may contract a product and a sum into one rounding.
    np.testing.assert_allclose(got[:, :3], want[:, :3], rtol=1e-12)


def with_python_source(monkeypatch, *modules):
    """Replace the compiled functions of the modules by what they were compiled from."""
    for module in modules:
        for name, value in list(vars(module).items()):
            source = getattr(value, "py_func", None)
            if source is not None:
                monkeypatch.setattr(module, name, source)


@pytest.mark.parametrize("intercept", [True, False])
def test_rolling_lstsq__python_source_gives_what_the_compiled_code_gives(intercept, monkeypatch):
    y, xs = drawn(8, rows=14, columns=2)
    x = np.stack(xs, axis=1)
    want = windowed(y, x, intercept=intercept)
    with_python_source(monkeypatch, window_lstsq, columns, lanes)
    with np.errstate(all="ignore"):
        got = windowed(y, x, intercept=intercept)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
def test_solve_precise__python_source_gives_what_the_compiled_code_gives(intercept, monkeypatch):
    y, xs = drawn(9, rows=20, columns=2)
    x = np.stack([xs[0], xs[0] + 1e-7 * xs[1]], axis=1)  # the second parts of numbers count

    def solved():
        a, b = (
            column_lstsq.precise_sums(y, x, offset=0, start=start, stop=start + 10)
            for start in (0, 10)
        )
        total = column_lstsq.merge_precise(a, b)
        return column_lstsq.solve_precise(total, intercept=intercept, min_obs=4, dtype=np.float64)

    want = solved()
    with_python_source(monkeypatch, history_lstsq, columns, lanes)
    with np.errstate(all="ignore"):
        got = solved()
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_row_lstsq__python_source_gives_what_the_compiled_code_gives(monkeypatch):
    y, xs = drawn(9, columns=9, missing=0.05)
    xs.append(xs[0] + 1e-6 * xs[1])  # solved again from the data
    weights = np.abs(np.nan_to_num(y))
    options = {"weighted": True, "intercept": True, "min_obs": 4}
    want = row_lstsq.row_lstsq(y, *xs, weights, **options)
    for name in list(vars(lstsq)):
        source = getattr(getattr(lstsq, name), "py_func", None)
        if source is not None:
            monkeypatch.setattr(lstsq, name, source)
    with np.errstate(all="ignore"):
        got = row_lstsq.row_lstsq(y, *xs, weights, **options)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
