"""Least squares over trailing windows of one block of columns, in one pass down the dates.

Columns stand in lanes as in `kernels.lanes`, and so do the V = K + 1 variables (the regressors,
then y) and their P products. A row of sums holds the count, V first sums and P products, about
an origin that is one of the observations. The dates are cut into blocks as long as the window; a
window is the suffix of one block and the prefix of the next. All that one date needs stays in
the L1 cache until its results are written; only the suffix sums of the block before lie in L2.
"""

import numpy as np

from xfactor.kernels._compile import inlined, kernel
from xfactor.kernels.columns import LANES, begin, observe
from xfactor.kernels.lanes import CONSTANT, ILL_CONDITIONED, pair

FIRST = 6  # where D starts in the rows of `work`


# The loop over blocks is left to Python: compiled, it would compile all this a second time.


@kernel
def solve_block(  # type: ignore[no-untyped-def]
    y, x, rows, left, suffix, older, start, intercept, min_obs, beta, stderr, each, n_obs
):
    """Regress columns left .. left + LANES of y on x over the windows that end in one block.

    y (date, n), x (date, K, n), or (date, K, 1) if common; `rows` = (first, end, place of the
    first in its block). suffix (window + 1, 1 + V + P, LANES): sums of the block before from each
    place on, about `older` (V, LANES); its last entry is empty. Windows that end at row `start`
    or later are written to beta and stderr (date, K, n), each (alpha, its error and R2, each
    (date, n)) and n_obs, which is -1 - n where the window must be solved again from its data.
    Errors are left out if stderr has no rows for them.
    Returns how many of those.
    """
    first, end, place = rows
    n_var = x.shape[1] + 1
    width = min(LANES, y.shape[1] - left)
    values = np.zeros((n_var, LANES))
    valid = np.zeros(LANES)
    prefix = np.zeros((2, suffix.shape[1], LANES))  # in turns: updating one would not vectorise
    now = 0
    origin = older.copy()
    gap = np.zeros((n_var, LANES))  # from the origin of this block's sums to that of the suffix
    mean = np.zeros((n_var, LANES))
    square = np.zeros((suffix.shape[1] - 1 - n_var, LANES))
    work = np.zeros((FIRST + 2 * n_var, LANES))
    waiting = width
    again = 0
    for t in range(first, end):
        if observe(y, x, t, left, values, valid):
            if waiting > 0:
                waiting = begin(values, valid, prefix[now], origin, width)
                for v in range(n_var):
                    for j in range(LANES):
                        gap[v, j] = older[v, j] - origin[v, j]
            _add(values, valid, origin, prefix[now], prefix[1 - now])
            now = 1 - now
        if t >= start:
            older_rows = place + t - first + 1 if first > 0 else suffix.shape[0] - 1
            _merge(prefix[now], suffix[older_rows], gap, mean, square, work)
            _solve(origin, mean, square, work, intercept, min_obs, stderr.shape[1] > 0)
            again += _write(mean, square, work, t - start, left, intercept, beta, stderr, each,
                            n_obs)  # fmt: skip
    return again


@kernel
def suffix_sums(y, x, rows, left, suffix, origin):  # type: ignore[no-untyped-def]
    """Sums of one block of dates from each place on, for the windows that end in the next."""
    first, end, place = rows
    n_var = x.shape[1] + 1
    width = min(LANES, y.shape[1] - left)
    values = np.zeros((n_var, LANES))
    valid = np.zeros(LANES)
    newer = suffix.shape[0] - 1
    waiting = width
    for v in range(n_var):
        for j in range(LANES):
            origin[v, j] = 0.0
    for t in range(end - 1, first - 1, -1):
        k = place + t - first
        some = observe(y, x, t, left, values, valid)
        if some and waiting > 0:
            waiting = begin(values, valid, suffix[newer], origin, width)
        _add(values, valid, origin, suffix[newer], suffix[k])
        newer = k


@kernel
def _add(values, valid, origin, sums, out):  # type: ignore[no-untyped-def]
    """`out` = `sums` and the valid observations of one date; `values` is used up."""
    n_var = values.shape[0]
    for j in range(LANES):
        out[0, j] = sums[0, j] + valid[j]
    at = 1 + n_var
    for v in range(n_var):
        for j in range(LANES):
            value = values[v, j] - origin[v, j]
            value = value if valid[j] != 0.0 else 0.0
            values[v, j] = value
            out[1 + v, j] = sums[1 + v, j] + value
        for u in range(v + 1):
            for j in range(LANES):
                out[at, j] = sums[at, j] + values[u, j] * values[v, j]
            at += 1


@inlined
def _merge(a, b, gap, mean, square, work):  # type: ignore[no-untyped-def]
    """Centred products of two sets of sums, the origin of b being `gap` beyond that of a.

    All is taken about the origin of a, which is an observation of the window: what cancels
    exceeds what is left by a factor of at most the count. work: the count, its inverse.
    mean: relative to that origin.
    """
    n_var = gap.shape[0]
    for j in range(LANES):
        n = a[0, j] + b[0, j]
        work[0, j] = n
        work[1, j] = 1.0 / (n if n > 1.0 else 1.0)
    at = 0
    product = 1 + n_var
    for v in range(n_var):
        for j in range(LANES):
            work[2, j] = b[1 + v, j] + b[0, j] * gap[v, j]
        for j in range(LANES):
            work[3, j] = a[1 + v, j] + work[2, j]
        for j in range(LANES):
            mean[v, j] = work[3, j] * work[1, j]
        for u in range(v + 1):
            for j in range(LANES):
                s = a[product + at, j] + b[product + at, j]
                s += gap[u, j] * work[2, j] + gap[v, j] * b[1 + u, j]
                square[at, j] = s - mean[u, j] * work[3, j]
            at += 1


@inlined
def _solve(origin, mean, square, work, intercept, min_obs, errors):  # type: ignore[no-untyped-def]
    """Solve by L D L': betas to the last row of `square`'s triangle, alpha to the last mean.

    On entry `mean` is relative to `origin`. Rows of `work`: 0 the count, 1 its inverse (both on
    entry), 2 status (0 solved, 1 ill-conditioned, 2 no solution), 3 the square of alpha's error
    over the variance of a residual, 4 that variance, 5 R2, then V rows of D, inverted but for the
    last, and K squares of errors over the variance.
    """
    n_var = origin.shape[0]
    k_all = n_var - 1
    for v in range(n_var):
        for j in range(LANES):
            mean[v, j] += origin[v, j]
        if not intercept:
            for u in range(v + 1):
                for j in range(LANES):
                    square[pair(u, v), j] += mean[u, j] * mean[v, j] * work[0, j]
    for j in range(LANES):
        work[2, j] = 0.0 if work[0, j] >= min_obs else 2.0
        work[3, j] = work[1, j]
    for v in range(n_var):
        _eliminate(square, v, work)
        if v < k_all:
            _invert(square, mean, v, work)
    p = k_all + 1 if intercept else k_all
    last = pair(k_all, k_all)
    for j in range(LANES):
        left = work[FIRST + k_all, j]
        left = left if left > 0.0 else 0.0
        spare = work[0, j] - p
        work[4, j] = left / spare if spare > 0.0 else np.nan
        whole = square[last, j]
        work[5, j] = 1.0 - left / whole if whole > 0.0 else np.nan
    _substitute(mean, square, work)
    if errors:
        _invert_triangle(square, work, n_var)


@inlined
def _eliminate(square, v, work):  # type: ignore[no-untyped-def]
    """Column v of the triangle: its factors above the diagonal, and what they leave of it."""
    for u in range(1, v):
        for k in range(u):
            for j in range(LANES):
                square[pair(u, v), j] -= square[pair(k, u), j] * square[pair(k, v), j]
    for j in range(LANES):
        work[FIRST + v, j] = square[pair(v, v), j]
    for u in range(v):
        for j in range(LANES):
            factor = square[pair(u, v), j] * work[FIRST + u, j]
            work[FIRST + v, j] -= factor * square[pair(u, v), j]
            square[pair(u, v), j] = factor


@inlined
def _invert(square, mean, v, work):  # type: ignore[no-untyped-def]
    """Invert element v of D and set the status."""
    for j in range(LANES):
        whole = square[pair(v, v), j]
        left = work[FIRST + v, j]
        level = mean[v, j] * mean[v, j] * work[0, j] * CONSTANT
        status = 1.0 if left < ILL_CONDITIONED * whole else 0.0
        status = status if whole > level else 2.0
        work[2, j] = status if status > work[2, j] else work[2, j]
        work[FIRST + v, j] = 1.0 / (left if left > 0.0 else 1.0)


@inlined
def _substitute(mean, factor, work):  # type: ignore[no-untyped-def]
    """Back-substitution; the square of alpha's error."""
    n_var = mean.shape[0]
    k_all = n_var - 1
    for k in range(k_all):  # alpha = mean of y - (inverse of L times means of x)' (factors of y)
        for i in range(k):
            for j in range(LANES):
                mean[k, j] -= factor[pair(i, k), j] * mean[i, j]
        for j in range(LANES):
            mean[k_all, j] -= mean[k, j] * factor[pair(k, k_all), j]
            work[3, j] += mean[k, j] * mean[k, j] * work[FIRST + k, j]
    for i in range(k_all - 2, -1, -1):
        for k in range(i + 1, k_all):
            for j in range(LANES):
                factor[pair(i, k_all), j] -= factor[pair(i, k), j] * factor[pair(k, k_all), j]


@inlined
def _invert_triangle(factor, work, n_var):  # type: ignore[no-untyped-def]
    """The diagonal of the inverse, from the columns of that of L: in place, without their signs."""
    k_all = n_var - 1
    error = FIRST + n_var
    for i in range(k_all):
        for j in range(LANES):
            work[error + i, j] = work[FIRST + i, j]
        for k in range(i + 1, k_all):
            for m in range(i + 1, k):
                for j in range(LANES):
                    factor[pair(i, k), j] -= factor[pair(m, k), j] * factor[pair(i, m), j]
            for j in range(LANES):
                f = factor[pair(i, k), j]
                work[error + i, j] += f * f * work[FIRST + k, j]


@inlined
def _write(mean, factor, work, t, left, intercept, beta, stderr, each, n_obs):  # type: ignore[no-untyped-def]
    """Write row t of the results; return how many lanes are ill-conditioned."""
    alpha, alpha_stderr, rsquared = each
    k_all = beta.shape[1]
    error = FIRST + k_all + 1
    width = min(LANES, n_obs.shape[1] - left)
    again = 0
    for j in range(width):
        n = np.int32(work[0, j])
        n_obs[t, left + j] = -1 - n if work[2, j] == 1.0 else n
        again += work[2, j] == 1.0
        work[4, j] = work[4, j] if work[2, j] == 0.0 else np.nan
    for k in range(k_all):
        for j in range(width):
            value = factor[pair(k, k_all), j]
            beta[t, k, left + j] = value if work[2, j] == 0.0 else np.nan
    for k in range(stderr.shape[1]):
        for j in range(width):
            stderr[t, k, left + j] = np.sqrt(work[error + k, j] * work[4, j])
    for j in range(width):
        rsquared[t, left + j] = work[5, j] if work[2, j] == 0.0 else np.nan
    for j in range(width):
        solved = intercept and work[2, j] == 0.0
        alpha[t, left + j] = mean[k_all, j] if solved else np.nan
        work[4, j] = work[4, j] if solved else np.nan
    if stderr.shape[1] > 0:
        for j in range(width):
            alpha_stderr[t, left + j] = np.sqrt(work[3, j] * work[4, j])
    return again
