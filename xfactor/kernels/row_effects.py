"""Coefficients of the regressions across rows, their errors, and the portfolios they are."""

import numpy as np

from xfactor.kernels._compile import kernel, summing
from xfactor.kernels.row_data import usable
from xfactor.kernels.row_load import Loads
from xfactor.kernels.row_problem import Problem
from xfactor.kernels.row_solve import Solved, rows_of


def coefficients(problem: Problem, rows: slice, solved: Solved) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and standard errors (row, F) of a batch: the constant, slopes, groups."""
    make = Loads(problem, solved)
    f, square = np.empty(make.there.shape), np.empty(make.there.shape)
    for block in problem.blocks(rows):
        at = slice(block.start - rows.start, block.stop - rows.start)
        h, p = make.loads(at, f[at], square[at])
        if problem.model.white:
            state = rows_of(solved.state, at)
            seen = problem.observations(block, state)
            fixed = state.n_obs, state.scale.shape[1], solved.beta[at], solved.root[at]
            _scores(*seen, *fixed, h, p, square[at])
    free = np.where(solved.surplus > 0, solved.surplus, np.nan)
    square *= ((solved.state.n_obs if problem.model.white else solved.rss) / free)[:, None]
    square = np.where(square > 0.0, square, square * 0.0)  # rounding of what is 0
    return np.where(make.there, f, np.nan), np.where(make.there, np.sqrt(square), np.nan)


def portfolios(problem: Problem, rows: slice, solved: Solved) -> np.ndarray:
    """Weights (row, F, n) with which y adds up to the coefficients."""
    make = Loads(problem, solved)
    out = np.zeros((*make.there.shape, problem.y.shape[1]))
    f, square = np.empty(make.there.shape), np.empty(make.there.shape)
    for block in problem.blocks(rows):
        at = slice(block.start - rows.start, block.stop - rows.start)
        h, p = make.loads(at, f[at], square[at])
        state = rows_of(solved.state, at)
        seen = problem.observations(block, state)
        _holdings(*seen, state.n_obs, solved.root[at], h, p, out[at])
        weight = np.empty((len(h), problem.y.shape[1]))
        usable(*problem.values(block), weight)
        _unpack(weight, state.n_obs, out[at])
    out[~make.there] = np.nan
    return out


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
def _scores(z, weight, code, n_obs, n_first, slopes, root, h, p, variance):  # type: ignore[no-untyped-def]
    """Sum of squared products of weights and residuals: White's variance of each coefficient.

    The squares are summed over groups and regressors, for all coefficients at once.
    """
    k_all, n_groups = p.shape[2], h.shape[2]
    first, low = np.empty(n_first), np.empty((n_groups - n_first, n_groups))
    mixed, square = np.empty((n_groups, k_all)), np.empty((k_all, k_all))
    e = np.empty(weight.shape[1])
    for r in range(len(n_obs)):
        m = n_obs[r]
        for i in range(m):
            e[i] = z[r, k_all, i]
        for k in range(k_all):
            for i in range(m):
                e[i] -= slopes[r, k] * z[r, k, i]
        for i in range(m):
            e[i] *= e[i]
        _orthonormal(z[r], root[r], m)
        for k in range(k_all):
            for j in range(k_all):
                square[k, j] = _triple(z[r, k], z[r, j], e, m) if j <= k else 0.0
        _meat(z[r], weight[r], code[r], e, m, first, low, mixed)
        for f in range(h.shape[1]):
            variance[r, f] = _form(h[r, f], p[r, f], first, low, mixed, square)


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
        for j in range(k):
            s += 2.0 * p[k] * square[k, j] * p[j]
        s += p[k] * square[k, k] * p[k]
    return s


@summing
def _triple(a, b, c, m):  # type: ignore[no-untyped-def]
    s = 0.0
    for i in range(m):
        s += a[i] * b[i] * c[i]
    return s


@kernel
def _holdings(z, weight, code, n_obs, root, h, p, out):  # type: ignore[no-untyped-def]
    """Weights of the observations, at the front of each row of `out` (row, F, n)."""
    constant = code.shape[1] == 0 and h.shape[2] > 0
    for r in range(len(n_obs)):
        m = n_obs[r]
        _orthonormal(z[r], root[r], m)
        for f in range(h.shape[1]):
            held = out[r, f]
            for i in range(m):
                held[i] = h[r, f, 0] * weight[r, i] if constant else 0.0
            for s in range(code.shape[1]):
                for i in range(m):
                    held[i] += h[r, f, code[r, s, i]] * weight[r, i]
            for k in range(p.shape[2]):
                for i in range(m):
                    held[i] += p[r, f, k] * z[r, k, i]
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
