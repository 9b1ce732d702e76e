"""Least squares by plane rotations (Givens 1958): weights that fade, histories that grow.

For each column the triangle R of a QR factorisation of its observations (constant, regressors, y)
is kept, row u <= column v at ``pair(u, v)``; the last diagonal is the root of what the regression
leaves of y. One more observation is rotated in, and fading multiplies R by the root of the decay.
The data are never squared, so a condition number of 1e8 costs 8 digits and not 16, and nothing is
subtracted that was added before. It takes a few times as long as sums of products do.

Columns stand in lanes, as in `kernels.columns`. A state is R and, in the row after it, the count
of observations.
"""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.column_lstsq import regressors
from xfactor.kernels.columns import LANES, observe
from xfactor.kernels.lanes import RANK_TOLERANCE, pair
from xfactor.kernels.lstsq import Statistics, n_products

# Squares of numbers below this have left the floats: no length to divide by.
NOTHING = 1e-150
# What is left of the squares of a constant y beside its mean, by rounding in long histories.
ROUNDING = 1e-26


def growing_lstsq(
    state: np.ndarray | None,
    y: np.ndarray,
    *xs: np.ndarray,
    decay: float,
    intercept: bool,
    min_obs: int,
    errors: bool = True,
    offset: int,
) -> tuple[Statistics, np.ndarray]:
    """Regress each column of y (date, n) on the regressors over all rows up to each row.

    A row k rows back has the weight decay^k. Returns statistics as `rolling_lstsq` does.
    """
    x, y = regressors(y, xs), compilable(y)
    fit = _results(y, x, len(y))
    if state is None:
        n_columns = x.shape[1] + 1 + intercept
        state = np.zeros((-(-y.shape[1] // LANES), n_products(n_columns) + 1, LANES))
    else:
        state = state.copy()
    for i, left in enumerate(range(0, y.shape[1], LANES)):
        _grow(y, x, left, state[i], np.sqrt(decay), intercept, min_obs, *fit)
    return _shaped(fit, errors), state


def fading_lstsq(
    y: np.ndarray,
    *xs: np.ndarray,
    decay: float,
    window: int,
    intercept: bool,
    min_obs: int,
    errors: bool = True,
    offset: int,
    start: int,
    stop: int,
) -> Statistics:
    """Regress each column over the window that ends at each row, a row k back weighing decay^k.

    Windows are suffixes and prefixes of blocks of dates, as in `kernels.rolling`: the rows of a
    suffix's triangle are rotated into the prefix's, like so many observations.
    """
    x, y = regressors(y, xs), compilable(y)
    fit = _results(y, x, stop - start)
    n_columns = x.shape[1] + 1 + intercept
    suffix = np.zeros((min(window, len(y)) + 1, n_products(n_columns) + 1, LANES))
    root = np.sqrt(decay)
    for left in range(0, y.shape[1], LANES):
        first = before = 0
        while first < stop:
            end = min(first + window - (offset + first) % window, len(y))
            if min(end, stop) > start:
                rows = (before, first, min(end, stop))
                _fade(y, x, left, rows, suffix, root, window, start, intercept, min_obs, *fit)
            if end < stop:
                _suffixes(y, x, left, first, end, suffix, root, intercept)
            before, first = first, end
    return _shaped(fit, errors)


def _results(y: np.ndarray, x: np.ndarray, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for 2 K + 3 statistics (row, statistic, n), and for counts."""
    shape = (n_rows, 2 * x.shape[1] + 3, y.shape[1])
    return np.empty(shape, dtype=y.dtype), np.empty((n_rows, y.shape[1]), dtype=np.int32)


def _shaped(fit: tuple[np.ndarray, np.ndarray], errors: bool) -> Statistics:
    out, n_obs = fit
    k = (out.shape[1] - 3) // 2
    alpha, alpha_stderr, rsquared = (out[:, 2 * k + i] for i in range(3))
    if not errors:
        return out[:, :k], alpha, rsquared, n_obs
    return out[:, :k], out[:, k : 2 * k], alpha, alpha_stderr, rsquared, n_obs


@kernel
def _grow(y, x, left, state, root, intercept, min_obs, out, n_obs):  # type: ignore[no-untyped-def]
    row, work = _room(x.shape[1] + 1, intercept)
    valid = np.zeros(LANES)
    for t in range(y.shape[0]):
        _scale(state, root)
        _observe(y, x, t, left, 1.0, intercept, row, valid)
        _rotate(state, row, valid, work)
        _solve(state, work, t, left, intercept, min_obs, out, n_obs)


@kernel
def _fade(  # type: ignore[no-untyped-def]
    y, x, left, rows, suffix, root, window, start, intercept, min_obs, out, n_obs
):
    before, first, end = rows
    row, work = _room(x.shape[1] + 1, intercept)
    valid = np.zeros(LANES)
    prefix = np.zeros(suffix.shape[1:])
    whole = np.zeros(suffix.shape[1:])
    n_columns = row.shape[0]
    faded = 1.0
    for t in range(first, end):
        _scale(prefix, root)
        _observe(y, x, t, left, 1.0, intercept, row, valid)
        _rotate(prefix, row, valid, work)
        faded *= root
        if t < start:
            continue
        for i in range(whole.shape[0]):
            for j in range(LANES):
                whole[i, j] = prefix[i, j]
        oldest = t - window + 1
        if first > 0 and oldest < first:  # rows max(oldest, before) .. first - 1 are a suffix
            older = suffix[max(oldest, before) - before]
            last = older.shape[0] - 1
            for j in range(LANES):
                valid[j] = 0.0
            for u in range(n_columns):
                for v in range(n_columns):
                    for j in range(LANES):
                        row[v, j] = older[pair(u, v), j] * faded if v >= u else 0.0
                _rotate(whole, row, valid, work)
            for j in range(LANES):
                whole[last, j] += older[last, j]
        _solve(whole, work, t - start, left, intercept, min_obs, out, n_obs)


@kernel
def _suffixes(y, x, left, first, end, suffix, root, intercept):  # type: ignore[no-untyped-def]
    """Triangles of rows k .. end - 1 for each k of a block, as weighed at its last row."""
    row, work = _room(x.shape[1] + 1, intercept)
    valid = np.zeros(LANES)
    weight = 1.0
    for t in range(end - 1, first - 1, -1):
        own = suffix[t - first]
        for i in range(own.shape[0]):
            for j in range(LANES):
                own[i, j] = suffix[t + 1 - first, i, j] if t < end - 1 else 0.0
        _observe(y, x, t, left, weight, intercept, row, valid)
        _rotate(own, row, valid, work)
        weight *= root


@kernel
def _room(n_var, intercept):  # type: ignore[no-untyped-def]
    """A row of the design, and scratch."""
    n_columns = n_var + (1 if intercept else 0)
    return np.zeros((n_columns, LANES)), np.zeros((n_columns + 4, LANES))


@kernel
def _scale(state, root):  # type: ignore[no-untyped-def]
    for i in range(state.shape[0] - 1):  # the count does not fade
        for j in range(LANES):
            state[i, j] *= root


@kernel
def _observe(y, x, t, left, weight, intercept, row, valid):  # type: ignore[no-untyped-def]
    """Load one date as a row of the design times `weight`; 0 where it is not complete."""
    first = 1 if intercept else 0
    some = observe(y, x, t, left, row[first:], valid)
    for v in range(row.shape[0]):
        for j in range(LANES):
            value = 1.0 if v < first else row[v, j]
            row[v, j] = value * weight if some and valid[j] != 0.0 else 0.0
    if not some:
        for j in range(LANES):
            valid[j] = 0.0


@kernel
def _rotate(state, row, valid, work):  # type: ignore[no-untyped-def]
    """Rotate a row into the triangle; `row` is used up."""
    n_columns = row.shape[0]
    for j in range(LANES):
        state[n_columns * (n_columns + 1) // 2, j] += valid[j]
    for u in range(n_columns):
        at = pair(u, u)
        for j in range(LANES):
            a = state[at, j]
            b = row[u, j]
            h = np.sqrt(a * a + b * b)
            inverse = 1.0 / (h if h > 0.0 else 1.0)
            work[0, j] = a * inverse if h > 0.0 else 1.0
            work[1, j] = b * inverse
            state[at, j] = h
        for v in range(u + 1, n_columns):
            at = pair(u, v)
            for j in range(LANES):
                work[2, j] = work[0, j] * row[v, j] - work[1, j] * state[at, j]
            for j in range(LANES):
                state[at, j] = work[0, j] * state[at, j] + work[1, j] * row[v, j]
            for j in range(LANES):
                row[v, j] = work[2, j]


@kernel
def _solve(state, work, t, left, intercept, min_obs, out, n_obs):  # type: ignore[no-untyped-def]
    """Coefficients, errors, R2 and count from the triangle, to row t of the results."""
    n_columns = work.shape[0] - 4
    p = n_columns - 1
    first = 1 if intercept else 0
    k_all = p - first
    width = min(LANES, n_obs.shape[1] - left)
    inverse = np.empty(p)  # a column of the inverse of R
    beta = np.empty(p)
    error = np.empty(p)
    for j in range(width):
        n = state[n_columns * (n_columns + 1) // 2, j]
        n_obs[t, left + j] = np.int32(n)
        solved = n >= min_obs
        for v in range(p):
            length = 0.0
            for u in range(v + 1):
                length += state[pair(u, v), j] ** 2
            own = state[pair(v, v), j]
            solved = solved and own > NOTHING and own > RANK_TOLERANCE * np.sqrt(length)
        rest = state[pair(p, p), j] ** 2
        total = rest
        for u in range(first, p):
            total += state[pair(u, p), j] ** 2
        varies = total > ROUNDING * (total + state[pair(0, p), j] ** 2)
        spare = n - p
        variance = rest / spare if solved and spare > 0.0 else np.nan
        for u in range(p):
            error[u] = 0.0
            beta[u] = np.nan
        if solved:
            for i in range(p - 1, -1, -1):
                value = state[pair(i, p), j]
                for k in range(i + 1, p):
                    value -= state[pair(i, k), j] * beta[k]
                beta[i] = value / state[pair(i, i), j]
            for c in range(p):
                for i in range(c, -1, -1):
                    value = 1.0 if i == c else 0.0
                    for k in range(i + 1, c + 1):
                        value -= state[pair(i, k), j] * inverse[k]
                    inverse[i] = value / state[pair(i, i), j]
                    error[i] += inverse[i] ** 2
        for k in range(k_all):
            out[t, k, left + j] = beta[first + k]
            out[t, k_all + k, left + j] = np.sqrt(error[first + k] * variance)
        out[t, 2 * k_all, left + j] = beta[0] if intercept else np.nan
        out[t, 2 * k_all + 1, left + j] = np.sqrt(error[0] * variance) if intercept else np.nan
        out[t, 2 * k_all + 2, left + j] = 1.0 - rest / total if solved and varies else np.nan
