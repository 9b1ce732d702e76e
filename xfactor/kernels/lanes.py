"""Least squares for many columns side by side: one regression for each lane, in step.

Every column (asset) has its own regression on K regressors. What belongs to a block of columns
lies in rows of small arrays (row, LANES), and each step of the arithmetic is one short loop over
the lanes, with few arrays in it, so that the compiler can prove it safe to vectorise.

There are V = K + 1 variables: the regressors, then y. Their sums are taken about a pivot, the
first valid observation that came in. Rows: 0 the count, then V pivots, V first sums, and
P = V (V + 1) / 2 products, where u <= v stand at ``pair(u, v)``. A pivot is one of the
observations, so products about it exceed those about the mean by a factor of at most the count:
the cancellation is bounded, whatever the level of the data.
"""

import numpy as np

from xfactor.kernels._compile import kernel

# Lanes in step. 64 columns of 20 running sums are 10 kB and stay in the L1 cache; the suffix sums
# of a window of 100 are 1 MB and stay in L2.
LANES = 64

# A regressor of which less than this share is left after the others are projected out is solved
# again from the data: squaring it into the Gram matrix has cost too many digits.
ILL_CONDITIONED = 1e-6
# Less than this share of its length left (QR) is no information: rank deficient.
RANK_TOLERANCE = 1e-11
# A variable whose centred squares are below this share of its squares is a constant.
CONSTANT = 1e-29


@kernel
def pair(u, v):  # type: ignore[no-untyped-def]
    """Place of the product of variables u <= v."""
    return v * (v + 1) // 2 + u


@kernel
def load_row(y, x, t, left, width, row):  # type: ignore[no-untyped-def]
    """Put row t of x (date, K, n or 1) and of y (date, n) into row (V, LANES); NaN beyond."""
    k_all = x.shape[1]
    own = x.shape[2] == y.shape[1]
    for k in range(k_all):
        if own:
            for j in range(width):
                row[k, j] = x[t, k, left + j]
        else:
            value = x[t, k, 0]
            for j in range(LANES):
                row[k, j] = value
    for j in range(width):
        row[k_all, j] = y[t, left + j]
    for j in range(width, LANES):
        row[k_all, j] = np.nan


@kernel
def add_row(sums, row, work):  # type: ignore[no-untyped-def]
    """Add one observation to each lane whose variables are all finite; `row` is used up."""
    n_var = row.shape[0]
    for j in range(LANES):
        work[0, j] = 0.0
    for v in range(n_var):
        for j in range(LANES):
            work[0, j] += row[v, j] - row[v, j]  # 0 if finite, else NaN
    starting = 0
    for j in range(LANES):
        work[0, j] = 1.0 if work[0, j] == 0.0 else 0.0
        starting += work[0, j] > sums[0, j]
    if starting:  # a lane's first observation becomes its pivot
        for v in range(n_var):
            for j in range(LANES):
                if work[0, j] > sums[0, j]:
                    sums[1 + v, j] = row[v, j]
    for j in range(LANES):
        sums[0, j] += work[0, j]
    at = 1 + 2 * n_var
    for v in range(n_var):
        for j in range(LANES):
            gap = row[v, j] - sums[1 + v, j]
            row[v, j] = gap if work[0, j] != 0.0 else 0.0
        for j in range(LANES):
            sums[1 + n_var + v, j] += row[v, j]
        for u in range(v + 1):
            for j in range(LANES):
                sums[at, j] += row[u, j] * row[v, j]
            at += 1


@kernel
def merge(a, b, mean, square, work):  # type: ignore[no-untyped-def]
    """Means and count (V + 1) and centred products of two sets of sums; either may be empty."""
    n_var = mean.shape[0] - 1
    for j in range(LANES):
        n_a = a[0, j]
        n_b = b[0, j]
        mean[n_var, j] = n_a + n_b
        work[0, j] = 1.0 / (n_a if n_a > 1.0 else 1.0)
        work[1, j] = 1.0 / (n_b if n_b > 1.0 else 1.0)
    for j in range(LANES):
        n = mean[n_var, j]
        share = b[0, j] / (n if n > 1.0 else 1.0)
        work[2, j] = share
        work[3, j] = share * a[0, j]
    gaps = 4
    for v in range(n_var):
        # Means relative to their pivots, and the pivots' difference: at a high level the
        # difference of two rounded means would have lost the digits that count.
        for j in range(LANES):
            mean[v, j] = a[1 + n_var + v, j] * work[0, j]
        for j in range(LANES):
            rest = b[1 + n_var + v, j] * work[1, j] - mean[v, j]
            gap = (b[1 + v, j] - a[1 + v, j]) + rest
            work[gaps + v, j] = gap if work[2, j] > 0.0 else 0.0
        for j in range(LANES):
            mean[v, j] = a[1 + v, j] + (mean[v, j] + work[gaps + v, j] * work[2, j])
    at = 0
    first, product = 1 + n_var, 1 + 2 * n_var
    for v in range(n_var):
        for u in range(v + 1):
            for j in range(LANES):
                square[at, j] = a[product + at, j] - a[first + u, j] * a[first + v, j] * work[0, j]
            for j in range(LANES):
                square[at, j] += work[gaps + u, j] * work[gaps + v, j] * work[3, j]
            for j in range(LANES):
                s = b[product + at, j] - b[first + u, j] * b[first + v, j] * work[1, j]
                square[at, j] += s
            at += 1


@kernel
def solve(mean, square, intercept, min_obs, work, out):  # type: ignore[no-untyped-def]
    """Regression of each lane from its count, means and centred products, which are used up.

    out: K betas, K standard errors, alpha, its standard error, R2, count, and a flag: 0 solved,
    1 ill-conditioned (solve again from the data), 2 no solution. `square` becomes the upper
    triangle R with R'R = the products; its last row is what the regression leaves of y'y.
    """
    n_var = mean.shape[0] - 1
    k_all = n_var - 1
    flag = 2 * k_all + 4
    for j in range(LANES):
        out[flag - 1, j] = mean[n_var, j]
        out[flag, j] = 0.0 if mean[n_var, j] >= min_obs else 2.0
    for v in range(n_var):
        for u in range(v + 1):
            at = pair(u, v)
            if not intercept:
                for j in range(LANES):
                    square[at, j] += mean[u, j] * mean[v, j] * mean[n_var, j]
            if u == v:
                for j in range(LANES):
                    work[0, j] = square[at, j]
            for k in range(u):
                for j in range(LANES):
                    square[at, j] -= square[pair(k, u), j] * square[pair(k, v), j]
            if u < v:
                for j in range(LANES):
                    square[at, j] *= work[1 + u, j]
            elif v < k_all:
                _pivot(square, at, mean, v, work, out, flag)
    last = pair(k_all, k_all)
    for j in range(LANES):
        left = square[last, j] if square[last, j] > 0.0 else 0.0
        square[last, j] = left
        out[flag - 2, j] = 1.0 - left / work[0, j] if work[0, j] > 0.0 else np.nan


@kernel
def _pivot(square, at, mean, v, work, out, flag):  # type: ignore[no-untyped-def]
    """Take the root of a diagonal of the triangle, its inverse to work[1 + v]; set the flags."""
    n_var = mean.shape[0] - 1
    for j in range(LANES):
        level = mean[v, j] * mean[v, j] * mean[n_var, j] * CONSTANT
        status = 1.0 if square[at, j] < ILL_CONDITIONED * work[0, j] else 0.0
        status = status if work[0, j] > level else 2.0
        out[flag, j] = status if status > out[flag, j] else out[flag, j]
    for j in range(LANES):
        s = square[at, j]
        root = np.sqrt(s if s > 0.0 else 1.0)
        square[at, j] = root
        work[1 + v, j] = 1.0 / root


@kernel
def back_substitute(mean, root, intercept, work, out):  # type: ignore[no-untyped-def]
    """Coefficients and standard errors from the triangle; missing where the flag is set.

    work: 1 .. K the inverse diagonal of R. Then scratch: the residual variance, the square of
    alpha's error over it, and column c of the inverse of R.
    """
    n_var = mean.shape[0] - 1
    k_all = n_var - 1
    flag = 2 * k_all + 4
    variance, spread, column = n_var, n_var + 1, n_var + 2
    p = k_all + 1 if intercept else k_all
    for j in range(LANES):
        n = mean[n_var, j]
        left = root[pair(k_all, k_all), j]
        s2 = left / (n - p) if n > p else np.nan
        work[variance, j] = s2 if out[flag, j] == 0.0 else np.nan
        work[spread, j] = 1.0 / (n if n > 1.0 else 1.0)
    for j in range(LANES):
        out[2 * k_all, j] = mean[k_all, j]
    for i in range(k_all - 1, -1, -1):
        for j in range(LANES):
            out[i, j] = root[pair(i, k_all), j]
            out[k_all + i, j] = 0.0
        for k in range(i + 1, k_all):
            for j in range(LANES):
                out[i, j] -= root[pair(i, k), j] * out[k, j]
        for j in range(LANES):
            out[i, j] *= work[1 + i, j]
        for j in range(LANES):
            out[2 * k_all, j] -= out[i, j] * mean[i, j]
    for c in range(k_all):
        for j in range(LANES):
            work[column + c, j] = work[1 + c, j]
        for i in range(c - 1, -1, -1):
            for j in range(LANES):
                work[column + i, j] = 0.0
            for k in range(i + 1, c + 1):
                for j in range(LANES):
                    work[column + i, j] -= root[pair(i, k), j] * work[column + k, j]
            for j in range(LANES):
                work[column + i, j] *= work[1 + i, j]
        for j in range(LANES):
            work[0, j] = 0.0
        for i in range(c + 1):
            for j in range(LANES):
                work[0, j] += work[column + i, j] * mean[i, j]
            for j in range(LANES):
                out[k_all + i, j] += work[column + i, j] * work[column + i, j]
        for j in range(LANES):
            work[spread, j] += work[0, j] * work[0, j]
    for i in range(k_all):
        for j in range(LANES):
            out[k_all + i, j] = np.sqrt(out[k_all + i, j] * work[variance, j])
    for j in range(LANES):
        error = np.sqrt(work[spread, j] * work[variance, j])
        out[2 * k_all + 1, j] = error if intercept else np.nan
    for i in range(2 * k_all + 3):
        if i == 2 * k_all and not intercept:
            for j in range(LANES):
                out[i, j] = np.nan
        for j in range(LANES):
            out[i, j] = out[i, j] if out[flag, j] == 0.0 else np.nan


@kernel
def block_sums(y, x, rows, left, window, start, prefix, suffix, mean, square):  # type: ignore[no-untyped-def]
    """Run down one block of dates, `rows` = (first, end, its first row's place in the block).

    Rows from `start` on get the means (row, V + 1, LANES) and centred products (row, P, LANES) of
    their window: prefix of this block and suffix of the one before. Then `suffix` is made anew
    from this block, for the next one; its last entry stays empty.
    """
    first, end, place = rows
    n_var = x.shape[1] + 1
    width = min(LANES, y.shape[1] - left)
    values = np.zeros((n_var, LANES))
    work = np.zeros((2 * n_var + 6, LANES))
    for i in range(prefix.shape[0]):
        for j in range(LANES):
            prefix[i, j] = 0.0
    for t in range(first, end):
        load_row(y, x, t, left, width, values)
        add_row(prefix, values, work)
        if t >= start:
            older = place + t - first + 1  # the suffix holds the rows from here on
            older = older if older < window else suffix.shape[0] - 1
            merge(prefix, suffix[older], mean[t - start], square[t - start], work)
    last = suffix.shape[0] - 1
    for t in range(end - 1, first - 1, -1):
        k = place + t - first
        newer = k + 1 if t < end - 1 else last
        if k < last:
            for i in range(prefix.shape[0]):
                for j in range(LANES):
                    suffix[k, i, j] = suffix[newer, i, j]
            load_row(y, x, t, left, width, values)
            add_row(suffix[k], values, work)


@kernel
def solve_all(mean, square, intercept, min_obs, out):  # type: ignore[no-untyped-def]
    """Solve many sets of lanes: mean (row, V + 1, LANES), square (row, P, LANES)."""
    work = np.zeros((2 * mean.shape[1] + 6, LANES))
    for r in range(mean.shape[0]):
        solve(mean[r], square[r], intercept, min_obs, work, out[r])
        back_substitute(mean[r], square[r], intercept, work, out[r])
