"""Coefficients of the regressions across rows, their errors, and the portfolios they are."""

from collections.abc import Iterator

import numpy as np

from xfactor.kernels._compile import kernel, summing
from xfactor.kernels.row_data import usable
from xfactor.kernels.row_load import load, setup_of
from xfactor.kernels.row_problem import Problem
from xfactor.kernels.row_solve import Solved, rows_of


def coefficients(problem: Problem, rows: slice, solved: Solved) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and standard errors (row, F) of a batch: the constant, slopes, groups."""
    setup, share, there = setup_of(problem, solved)
    f, square = np.empty(there.shape), np.empty(there.shape)
    _coefficients(solved.beta, solved.root, solved.state, share, setup, f, square)
    free = np.where(solved.surplus > 0, solved.surplus, np.nan)
    if problem.model.white:
        for block, at in _blocks(problem, rows):
            state = rows_of(solved.state, at)
            seen = problem.observations(block, state)
            _scores(*seen, solved.beta[at], solved.root[at], state, share[at], setup, square[at])
        square *= (solved.state.n_obs / free)[:, None]
    else:
        square *= (solved.rss / free)[:, None]
    square = np.where(square > 0.0, square, square * 0.0)  # rounding of what is 0
    return np.where(there, f, np.nan), np.where(there, np.sqrt(square), np.nan)


def portfolios(problem: Problem, rows: slice, solved: Solved) -> np.ndarray:
    """Weights (row, F, n) with which y adds up to the coefficients."""
    setup, share, there = setup_of(problem, solved)
    out = np.zeros((*there.shape, problem.y.shape[1]))
    for block, at in _blocks(problem, rows):
        state = rows_of(solved.state, at)
        seen = problem.observations(block, state)
        _holdings(*seen, solved.beta[at], solved.root[at], state, share[at], setup, out[at])
        weight = np.empty((len(state.n_obs), problem.y.shape[1]))
        usable(*problem.values(block), weight)
        _unpack(weight, state.n_obs, out[at])
    out[~there] = np.nan
    return out


def _blocks(problem: Problem, rows: slice) -> Iterator[tuple[slice, slice]]:
    """Blocks of a batch, and where they lie in it."""
    for block in problem.blocks(rows):
        yield block, slice(block.start - rows.start, block.stop - rows.start)


@kernel
def _coefficients(slopes, root, state, share, setup, value, square):  # type: ignore[no-untyped-def]
    kinds = setup[0]
    h = np.empty(state.total.shape[1])
    p = np.empty(slopes.shape[1])
    for r in range(len(slopes)):
        for f in range(len(kinds)):
            value[r, f], square[r, f] = load(kinds[f], r, slopes, root, state, share, setup, h, p)


@kernel
def _orthonormal(z, root, m):  # type: ignore[no-untyped-def]
    """Multiply the regressors of a row by the inverse of R."""
    for k in range(z.shape[0] - 2):
        at = k * (k + 1) // 2
        for u in range(k):
            for i in range(m):
                z[k, i] -= root[at + u] * z[u, i]
        for i in range(m):
            z[k, i] /= root[at + k]


@kernel
def _scores(z, weight, code, slopes, root, state, share, setup, variance):  # type: ignore[no-untyped-def]
    """Sum of squared products of weights and residuals: White's variance of each coefficient.

    The squares are summed over groups and regressors, for all coefficients at once.
    """
    kinds = setup[0]
    k_all = slopes.shape[1]
    n_groups, n_first = state.total.shape[1], state.scale.shape[1]
    h, p, e = np.empty(n_groups), np.empty(k_all), np.empty(weight.shape[1])
    first, low = np.empty(n_first), np.empty((n_groups - n_first, n_groups))
    mixed, square = np.empty((n_groups, k_all)), np.empty((k_all, k_all))
    for r in range(len(slopes)):
        m = state.n_obs[r]
        for i in range(m):
            e[i] = z[r, k_all, i]
        for k in range(k_all):
            for i in range(m):
                e[i] -= slopes[r, k] * z[r, k, i]
        for i in range(m):
            e[i] *= e[i]
        _orthonormal(z[r], root[r], m)
        for k in range(k_all):
            for j in range(k + 1):
                square[k, j] = square[j, k] = _triple(z[r, k], z[r, j], e, m)
        _meat(z[r], weight[r], code[r], e, m, first, low, mixed)
        for f in range(len(kinds)):
            load(kinds[f], r, slopes, root, state, share, setup, h, p)
            variance[r, f] = _form(h, p, first, low, mixed, square)


@kernel
def _meat(z, weight, code, e, m, first, low, mixed):  # type: ignore[no-untyped-def]
    """Sums of squared residuals by group, by two groups, and by group and regressor."""
    n_first = len(first)
    first.fill(0.0)
    low.fill(0.0)
    mixed.fill(0.0)
    if code.shape[0] == 0 and n_first == 1:  # the constant
        for i in range(m):
            first[0] += weight[i] * weight[i] * e[i]
        for k in range(mixed.shape[1]):
            mixed[0, k] = _triple(z[k], weight, e, m)
    for s in range(code.shape[0]):
        for i in range(m):
            own = weight[i] * weight[i] * e[i]
            if s == 0:
                first[code[0, i]] += own
            else:
                for q in range(s + 1):
                    low[code[s, i] - n_first, code[q, i]] += own
        for k in range(mixed.shape[1]):
            for i in range(m):
                mixed[code[s, i], k] += weight[i] * z[k, i] * e[i]


@kernel
def _form(h, p, first, low, mixed, square):  # type: ignore[no-untyped-def]
    """Squares of h and p in these sums."""
    n_first = len(first)
    s = 0.0
    for g in range(len(h)):
        if h[g] == 0.0:
            continue
        own = 0.0
        for k in range(len(p)):
            own += 2.0 * mixed[g, k] * p[k]
        if g < n_first:
            own += first[g] * h[g]
        else:
            for j in range(g):
                own += 2.0 * low[g - n_first, j] * h[j]
            own += low[g - n_first, g] * h[g]
        s += own * h[g]
    for k in range(len(p)):
        for j in range(len(p)):
            s += p[k] * square[k, j] * p[j]
    return s


@summing
def _triple(a, b, c, m):  # type: ignore[no-untyped-def]
    s = 0.0
    for i in range(m):
        s += a[i] * b[i] * c[i]
    return s


@kernel
def _holdings(z, weight, code, slopes, root, state, share, setup, out):  # type: ignore[no-untyped-def]
    """Weights of the observations, at the front of each row of `out` (row, F, n)."""
    kinds = setup[0]
    h, p = np.empty(state.total.shape[1]), np.empty(slopes.shape[1])
    for r in range(len(slopes)):
        m = state.n_obs[r]
        _orthonormal(z[r], root[r], m)
        for f in range(len(kinds)):
            load(kinds[f], r, slopes, root, state, share, setup, h, p)
            held = out[r, f]
            for i in range(m):
                held[i] = h[0] * weight[r, i] if code.shape[1] == 0 and len(h) > 0 else 0.0
            for s in range(code.shape[1]):
                for i in range(m):
                    held[i] += h[code[r, s, i]] * weight[r, i]
            for k in range(len(p)):
                for i in range(m):
                    held[i] += p[k] * z[r, k, i]
            for i in range(m):
                held[i] *= weight[r, i]


@kernel
def _unpack(weight, count, out):  # type: ignore[no-untyped-def]
    """Move the front of each row of `out` to where the observations were; 0 elsewhere."""
    for r in range(len(out)):
        for f in range(out.shape[1]):
            i = count[r]
            for j in range(out.shape[2] - 1, -1, -1):
                use = weight[r, j] > 0.0
                i -= use
                out[r, f, j] = out[r, f, i] if use else 0.0
