"""Least squares across rows, and what all regressions share.

All give the same statistics, in this order: K betas, K standard errors, alpha, its standard error,
R2, and the number of observations. Each collects means and centred products, has
`lanes.solve_all` solve them, and solves what was ill-conditioned again from the data.
"""

from typing import Any

import numpy as np

from xfactor.kernels import lanes
from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import kernel, summing
from xfactor.kernels.lanes import LANES

Statistics = tuple[np.ndarray, ...]


def split(out: np.ndarray, n_regressors: int, dtype: Any) -> Statistics:
    """Cut statistics (row, 2 K + 5, ...) into beta, stderr, alpha, its stderr, R2 and n_obs."""
    k = n_regressors
    floats = [out[:, :k], out[:, k : 2 * k], *[out[:, 2 * k + i] for i in range(3)]]
    return (*[f.astype(dtype, copy=False) for f in floats], out[:, 2 * k + 3].astype(np.int32))


def n_products(n_variables: int) -> int:
    """Products of pairs of variables."""
    return n_variables * (n_variables + 1) // 2


def solve_columns(
    mean: np.ndarray, square: np.ndarray, intercept: bool, min_obs: int
) -> np.ndarray:
    """Solve from means (V + 1, n) and products (P, n): statistics (2 K + 5, n)."""
    n = mean.shape[1]
    pad = -n % LANES

    def lanes_of(a: np.ndarray) -> np.ndarray:
        wide = np.pad(a, ((0, 0), (0, pad))).reshape(len(a), -1, LANES)
        return np.ascontiguousarray(wide.swapaxes(0, 1))

    groups = lanes_of(mean)
    out = np.empty((len(groups), 2 * len(mean) + 1, LANES))
    lanes.solve_all(groups, lanes_of(square), intercept, min_obs, out)
    return out.swapaxes(0, 1).reshape(out.shape[1], -1)[:, :n]


# --- across a row -----------------------------------------------------------------------------


def row_lstsq(
    y: np.ndarray, *xs: np.ndarray, weighted: bool, intercept: bool, min_obs: int
) -> Statistics:
    """Regress each row of y (row, n) on regressors (row, n) or (row, k, n).

    If `weighted`, the last of `xs` are the weights. Returns ``(row, K)`` betas and errors and
    ``(row,)`` for the others.
    """
    regressors, weights = (xs[:-1], xs[-1]) if weighted else (xs, None)
    k = sum(1 if x.ndim == 2 else x.shape[1] for x in regressors)
    mean = np.empty((k + 2, len(y)))
    square = np.empty((n_products(k + 1), len(y)))
    for rows in row_blocks(len(y), y.shape[1] * (k + 1)):
        block = _row_block(y, regressors, weights, rows)
        _row_sums(*block, weighted, intercept, mean[:, rows], square[:, rows])
    out = solve_columns(mean, square, intercept, min_obs).T
    for r in np.flatnonzero(out[:, -1] == 1.0):  # rare: one at a time
        block = _row_block(y, regressors, weights, slice(r, r + 1))
        solve_by_qr(*block, weighted, intercept, out[r])
    return split(out, k, y.dtype)


def _row_block(
    y: np.ndarray, xs: tuple[np.ndarray, ...], weights: np.ndarray | None, rows: slice
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of y, of the regressors side by side (row, K, n), and of the weights (else 1 x 1)."""
    parts = [x[rows, None, :] if x.ndim == 2 else x[rows] for x in xs]
    x = compilable(np.concatenate(parts, axis=1), np.float64)
    w = np.ones((1, 1)) if weights is None else weights[rows]
    return (
        compilable(y[rows], np.float64),
        x,
        compilable(w, np.float64),
    )


@kernel
def _row_sums(y, x, w, weighted, intercept, mean, square):  # type: ignore[no-untyped-def]
    n_var = x.shape[1] + 1
    z = np.empty((n_var, y.shape[1] + 1))
    weight = np.empty(y.shape[1] + 1)
    for r in range(len(y)):
        m = _observations(y, x, w, r, weighted, intercept, z, weight, mean[:, r])
        for v in range(n_var):
            for u in range(v + 1):
                s = _dot(z, u, v, m)
                if not intercept:  # solve() adds the means back
                    s -= mean[u, r] * mean[v, r] * m
                square[v * (v + 1) // 2 + u, r] = s


@kernel
def _observations(y, x, w, r, weighted, intercept, z, weight, mean):  # type: ignore[no-untyped-def]
    """Bring the complete observations of row r to the front of z, centred and root-weighted."""
    k_all = x.shape[1]
    n = y.shape[1]
    for j in range(n):
        weight[j] = w[r, j] if weighted else 1.0
    for j in range(n):  # weight 0: not an observation
        weight[j] = weight[j] if y[r, j] - y[r, j] == 0.0 and weight[j] > 0.0 else 0.0
    for k in range(k_all):
        for j in range(n):
            weight[j] = weight[j] if x[r, k, j] - x[r, k, j] == 0.0 else 0.0
    m = _pack(y[r], weight, z[k_all])
    for k in range(k_all):
        _pack(x[r, k], weight, z[k])
    _pack(weight, weight, weight)
    total = _total(weight, m)
    for v in range(k_all + 1):
        pivot = z[v, 0] if m > 0 else 0.0  # about a value: a constant leaves exact zeros
        shift = _weighted_total(weight, z[v], pivot, m) / total if m > 0 else 0.0
        mean[v] = pivot + shift
        if intercept:
            for i in range(m):
                z[v, i] = (z[v, i] - pivot) - shift
    if weighted:
        for i in range(m):
            weight[i] = np.sqrt(weight[i] * (m / total))
        for v in range(k_all + 1):
            for i in range(m):
                z[v, i] *= weight[i]
    mean[k_all + 1] = m
    return m


@kernel
def _pack(values, weight, out):  # type: ignore[no-untyped-def]
    """Move the values with a weight to the front of `out`; without a branch, return how many."""
    m = 0
    for j in range(len(values)):
        use = 0.0 < weight[j] < np.inf
        out[m] = values[j]
        m += use
    return m


@summing
def _total(weight, m):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(m):
        total += weight[i]
    return total


@summing
def _weighted_total(weight, values, pivot, m):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(m):
        total += weight[i] * (values[i] - pivot)
    return total


@kernel
def solve_by_qr(y, x, w, weighted, intercept, out):  # type: ignore[no-untyped-def]
    """Solve one ill-conditioned regression (row 0) again from its observations.

    Gram-Schmidt, each column orthogonalised twice. The squares of the data are never formed, so
    a condition number of 1e8 costs 8 digits and not 16.
    """
    k_all = x.shape[1]
    n_var = k_all + 1
    z = np.empty((n_var, y.shape[1] + 1))
    weight = np.empty(y.shape[1] + 1)
    mean = np.zeros((n_var + 1, LANES))  # one regression uses one of the lanes
    root = np.zeros((n_var * (n_var + 1) // 2, LANES))
    work = np.zeros((2 * n_var + 6, LANES))
    solved = np.zeros((2 * k_all + 5, LANES))
    m = _observations(y, x, w, 0, weighted, intercept, z, weight, mean[:, 0])
    for v in range(n_var):
        at = v * (v + 1) // 2
        before = np.sqrt(_dot(z, v, v, m))
        for _ in range(2):
            for u in range(v):
                r = _dot(z, u, v, m)
                root[at + u, 0] += r
                for i in range(m):
                    z[v, i] -= r * z[u, i]
        left = np.sqrt(_dot(z, v, v, m))
        if v == k_all:
            root[at + v, 0] = left * left
            solved[2 * k_all + 2, 0] = 1.0 - (left / before) ** 2 if before > 0.0 else np.nan
            continue
        if not left > lanes.RANK_TOLERANCE * before:
            solved[2 * k_all + 4, 0] = 2.0
            left = 1.0
        root[at + v, 0] = left
        work[1 + v, 0] = 1.0 / left
        for i in range(m):
            z[v, i] /= left
    lanes.back_substitute(mean, root, intercept, work, solved)
    for s in range(2 * k_all + 3):
        out[s] = solved[s, 0]
    out[2 * k_all + 4] = solved[2 * k_all + 4, 0]


@summing
def _dot(z, u, v, m):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(m):
        total += z[u, i] * z[v, i]
    return total
