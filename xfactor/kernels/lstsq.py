"""What regressions in both directions share.

Down columns all give the same statistics, in this order: K betas, K standard errors, alpha, its
standard error, R2, and the number of observations. Each regression collects means and centred
products, has `lanes.solve_all` solve them, and solves what was ill-conditioned again from the data.
"""

from typing import Any

import numpy as np

from xfactor.kernels import lanes
from xfactor.kernels._compile import kernel
from xfactor.kernels.lanes import LANES
from xfactor.kernels.row_data import centre, dot, gather, root_weigh, usable

Statistics = tuple[np.ndarray, ...]


def split(out: np.ndarray, n_regressors: int, dtype: Any) -> Statistics:
    """Cut statistics (row, 2 K + 5, ...) into beta, stderr, alpha, its stderr, R2 and n_obs."""
    k = n_regressors
    floats = [out[:, :k], out[:, k : 2 * k], *[out[:, 2 * k + i] for i in range(3)]]
    return (*[f.astype(dtype, copy=False) for f in floats], out[:, 2 * k + 3].astype(np.int32))


def n_products(n_variables: int) -> int:
    """Products of pairs of variables."""
    return n_variables * (n_variables + 1) // 2


def lanes_of(a: np.ndarray) -> np.ndarray:
    """Columns of a (row, n) in groups of lanes (group, row, LANES); beyond n there are zeros."""
    wide = np.pad(a, ((0, 0), (0, -a.shape[1] % LANES))).reshape(len(a), -1, LANES)
    return np.ascontiguousarray(wide.swapaxes(0, 1))


def solve_columns(
    mean: np.ndarray, square: np.ndarray, intercept: bool, min_obs: int
) -> np.ndarray:
    """Solve from means (V + 1, n) and products (P, n): statistics (2 K + 5, n)."""
    groups = lanes_of(mean)
    out = np.empty((len(groups), 2 * len(mean) + 1, LANES))
    lanes.solve_all(groups, lanes_of(square), intercept, min_obs, out)
    return out.swapaxes(0, 1).reshape(out.shape[1], -1)[:, : mean.shape[1]]


@kernel
def solve_by_qr(y, x, w, weighted, intercept, out):  # type: ignore[no-untyped-def]
    """Solve one ill-conditioned regression again from its observations.

    y (1, n), x (1, K, n), and the weights w (1, n), which are (1, 1) unless `weighted`.
    """
    k_all = x.shape[1]
    n_var = k_all + 1
    n = y.shape[1]
    z = np.empty((1, n_var + 1, n + 1))
    weight = np.empty((1, n + 1))
    count = np.zeros(1, dtype=np.int64)
    mean = np.zeros((n_var + 1, LANES))  # one regression uses one of the lanes
    root = np.zeros((n_var * (n_var + 1) // 2, LANES))
    work = np.zeros((2 * n_var + 6, LANES))
    solved = np.zeros((2 * k_all + 5, LANES))
    no_codes = np.empty((1, 0, n), dtype=np.int32)
    usable(y, x, w, no_codes, weight)
    gather(y, x, np.ones((1, 1)), no_codes, weight, z, no_codes, count)
    mean[n_var, 0] = count[0]
    if intercept:
        means = np.empty((1, n_var))
        centre(z, weight, count, means)
        for v in range(n_var):
            mean[v, 0] = means[0, v]
    if weighted:
        root_weigh(z, weight, count, n_var)
    orthogonalise(z[0], count[0], root, work, solved)
    lanes.back_substitute(mean, root, intercept, work, solved)
    for s in range(2 * k_all + 3):
        out[s] = solved[s, 0]
    out[2 * k_all + 4] = solved[2 * k_all + 4, 0]


@kernel
def orthogonalise(z, m, root, work, solved):  # type: ignore[no-untyped-def]
    """Triangle, its inverse diagonal, R2 and flag of one regression (lane 0), `z` used up.

    Gram-Schmidt, each column orthogonalised twice. The squares of the data are never formed, so
    a condition number of 1e8 costs 8 digits and not 16.
    """
    k_all = (len(solved) - 5) // 2
    for v in range(k_all + 1):
        at = v * (v + 1) // 2
        before = np.sqrt(dot(z, v, v, m))
        for _ in range(2):
            for u in range(v):
                r = dot(z, u, v, m)
                root[at + u, 0] += r
                for i in range(m):
                    z[v, i] -= r * z[u, i]
        left = np.sqrt(dot(z, v, v, m))
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
