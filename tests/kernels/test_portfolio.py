"""Kernels of portfolios without labels: rows alone, input kept, stretches of dates joined."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xfactor.kernels import portfolio, wealth

NAN = np.nan
LEGS = {"n": 2, "fraction": None}


def drawn(seed, shape=(6, 9), dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=shape), 1)
    x[rng.random(shape) < 0.2] = NAN
    x[rng.random(shape) < 0.05] = np.inf
    return x.astype(dtype)


@given(seed=st.integers(0, 10**6), cut=st.integers(1, 5))
def test_long_short_rows__takes_each_row_alone_and_keeps_its_input(seed, cut):
    x, size = drawn(seed), np.abs(drawn(seed + 1))
    before = x.copy(), size.copy()
    x.flags.writeable = size.flags.writeable = False
    whole = portfolio.long_short_rows(x, size, **LEGS)
    parts = [portfolio.long_short_rows(x[s], size[s], **LEGS) for s in (slice(cut),
             slice(cut, None))]  # fmt: skip
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(size, before[1])


def test_long_short_rows__is_the_same_across_its_row_blocks():
    x = drawn(1, (3000, 97))  # more cells than one block holds
    whole = portfolio.long_short_rows(x, n=None, fraction=0.2)
    np.testing.assert_array_equal(
        whole[2500:], portfolio.long_short_rows(x[2500:], n=None, fraction=0.2)
    )
    np.testing.assert_allclose(np.nansum(np.abs(whole), axis=1), 2.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_portfolio_return_rows__takes_each_row_alone(dtype):
    w, r = drawn(2, dtype=dtype), drawn(3, dtype=dtype)
    whole = portfolio.portfolio_return_rows(w, r)
    assert whole.dtype == dtype
    alone = [portfolio.portfolio_return_rows(w[[t]], r[[t]])[0] for t in range(6)]
    np.testing.assert_array_equal(whole, alone)


def test_portfolio_return_rows__of_equal_returns_is_the_net_weight():
    w = drawn(4)
    w[~np.isfinite(w)] = NAN
    got = portfolio.portfolio_return_rows(w, np.full(w.shape, 0.5))
    np.testing.assert_allclose(got, 0.5 * np.nansum(w, axis=1), rtol=1e-12, atol=1e-15)


@given(seed=st.integers(0, 10**6), cuts=st.sets(st.integers(1, 29), max_size=4))
def test_join_wealth__of_stretches_is_the_wealth_of_the_whole(seed, cuts):
    rng = np.random.default_rng(seed)
    r = rng.uniform(-0.9, 1.5, (30, 5))
    r[rng.random(r.shape) < 0.2] = NAN
    r[rng.random(r.shape) < 0.02] = -1.0
    whole = wealth.wealth_path(r, offset=0, start=0, stop=30)
    edges = [0, *sorted(cuts), 30]
    total = wealth.wealth_path(r, offset=0, start=0, stop=edges[1])
    for a, b in itertools.pairwise(edges[1:]):
        total = wealth.join_wealth(total, wealth.wealth_path(r, offset=0, start=a, stop=b))
    for got, want in zip(wealth.wealth_result(total), wealth.wealth_result(whole), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_wealth_path__of_no_dates_is_the_beginning():
    start = wealth.wealth_path(np.zeros((0, 2)), offset=0, start=0, stop=0)
    cumulative, drawdown = wealth.wealth_result(start)
    np.testing.assert_array_equal(cumulative, [0.0, 0.0])
    np.testing.assert_array_equal(drawdown, [0.0, 0.0])
