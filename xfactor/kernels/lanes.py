"""Least squares for many columns side by side: one regression for each lane, in step.

Every column (asset) has its own regression on K regressors. What belongs to a block of columns
lies in rows of small arrays (row, LANES), and each step of the arithmetic is one short loop over
the lanes, with few arrays in it, so that the compiler can prove it safe to vectorise.

There are V = K + 1 variables: the regressors, then y, and P = V (V + 1) / 2 products of them, where
that of u <= v stands at ``pair(u, v)``.
"""

import numpy as np

from xfactor.kernels._compile import kernel

# Lanes in step: all that one step needs stays in the L1 cache.
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
def solve_all(mean, square, intercept, min_obs, out):  # type: ignore[no-untyped-def]
    """Solve many sets of lanes: mean (row, V + 1, LANES), square (row, P, LANES)."""
    work = np.zeros((2 * mean.shape[1] + 6, LANES))
    for r in range(mean.shape[0]):
        solve(mean[r], square[r], intercept, min_obs, work, out[r])
        back_substitute(mean[r], square[r], intercept, work, out[r])
