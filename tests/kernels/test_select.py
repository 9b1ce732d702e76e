"""Selection gives what sorting gives."""

import numpy as np
import pytest

from xfactor.kernels import rank, rows, select
from xfactor.kernels._groups import groups_of

NAN = np.nan
MAKERS = {
    "normal": lambda z: z,
    "many ties": lambda z: np.round(z),
    "one value": lambda z: np.full_like(z, 3.0),
    "zeros of both signs": lambda z: np.round(z) * -0.0,
    "all magnitudes": lambda z: np.sign(z) * np.exp(40 * z),
    "two clusters": lambda z: np.where(z > 0, 1e9 + z, 1e-3 * z),
    "neighbours among the floats": lambda z: 1.0 + 1e-15 * np.round(z),
    "with huge ones": lambda z: np.where(z > 1, 1e30 * z, z),
}


def drawn(make, n, dtype, seed=0):
    rng = np.random.default_rng(n + seed)
    with np.errstate(over="ignore"):
        x = MAKERS[make](rng.standard_normal((12, n))).astype(dtype)
    x[rng.random(x.shape) < 0.2] = NAN
    x[rng.random(x.shape) < 0.05] = np.inf
    x[0] = NAN
    return x


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 7, 400])
@pytest.mark.parametrize("make", MAKERS)
def test_order_statistics__are_those_of_the_sorted_row(make, n, dtype):
    x = drawn(make, n, dtype)
    before = x.copy()
    x.flags.writeable = False
    places = np.random.default_rng(n).integers(0, n + 2, (len(x), 6))  # in no order
    got = select.order_statistics(x, places)
    for r in range(len(x)):
        valid = np.sort(x[r][np.isfinite(x[r])].astype(np.float64))
        last = len(valid) - 1
        want = valid[np.minimum(places[r], last)] if len(valid) else np.full(6, NAN)
        np.testing.assert_array_equal(got[r], want)
        assert not np.signbit(got[r][got[r] == 0]).any()
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(select.counts(x), np.isfinite(x).sum(axis=1))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 400])
@pytest.mark.parametrize("make", MAKERS)
def test_end_rows__are_the_ends_of_the_ordinal_rank(make, n, ordered):
    x = drawn(make, n, np.float64)
    rng = np.random.default_rng(n)
    order = rng.permutation(n) if ordered else None
    valid = select.counts(x)
    low = rng.integers(0, valid // 2 + 1)
    high = rng.integers(0, valid - low + 1)
    ranks = rank.rank_rows(x, order=order)
    want = (ranks > (valid - high)[:, None]).astype(int) - (ranks <= low[:, None])
    got = select.end_rows(x, low, high, order, np.empty(x.shape, dtype=np.int8))
    np.testing.assert_array_equal(got, np.where(np.isnan(ranks), select.MISSING, want))
    for ends, take in ((rank.top_rows, -1), (rank.bottom_rows, 1)):
        some = ends(x, n=3, order=order)
        edge = ranks * take <= 3 if take > 0 else ranks > valid[:, None] - 3
        np.testing.assert_array_equal(some, edge)


@pytest.mark.parametrize("method", rows.PLACES)
def test_group_quantiles__few_and_many_are_the_same(method):
    x = drawn("normal", 400, np.float64)
    many = np.linspace(0, 1, 40)
    assert len(many) > select.MANY
    groups = groups_of(None, x.shape)
    whole = rows.group_quantiles(x, groups, many, method)
    for k in range(0, 40, 5):
        few = rows.group_quantiles(x, groups, many[k : k + 5], method)
        np.testing.assert_array_equal(few, whole[:, :, k : k + 5])


@pytest.mark.parametrize("make", ["normal", "many ties"])
def test_select__compiled_equals_its_python_source(make, monkeypatch):
    x = drawn(make, 12, np.float64)
    places = np.tile(np.array([5, 0, 9, 5]), (len(x), 1))
    want = select.order_statistics(x, places)
    low = select.counts(x) // 3
    ends = select.end_rows(x, low, low, None, np.empty(x.shape, dtype=np.int8))
    for name in ("_tally", "_choose", "_nth", "_count", "_first_ones", "_last_ones"):
        monkeypatch.setattr(select, name, getattr(select, name).py_func)
    got = np.empty(want.shape)
    with np.errstate(over="ignore"):
        select._select_rows.py_func(x, places, got)
    np.testing.assert_array_equal(got, want)
    limits = select.order_statistics(
        x, np.stack([np.maximum(low - 1, 0), np.maximum(select.counts(x) - low, 0)], axis=1)
    )
    found = np.empty(x.shape, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        select._legs.py_func(x, limits, low, low, np.arange(12), found)
    np.testing.assert_array_equal(found, ends)
