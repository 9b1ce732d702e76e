"""Slopes of the regressions across rows, from sums over the observations.

One pass collects the products of the centred variables and their projections on the groups. Rows
of which the products have lost too many digits are solved again from their observations.
"""

from typing import NamedTuple

import numpy as np

from xfactor.kernels import lanes
from xfactor.kernels._compile import kernel
from xfactor.kernels.lanes import LANES
from xfactor.kernels.lstsq import lanes_of, n_products, orthogonalise
from xfactor.kernels.row_data import State, dot
from xfactor.kernels.row_problem import Problem


class Solved(NamedTuple):
    """Slopes of a batch of rows, and what errors and group effects are made of."""

    beta: np.ndarray  # (row, K)
    root: np.ndarray  # (row, P): R of the regressors, its last entry what they leave of y'y
    state: State
    rss: np.ndarray  # (row,): sum of squared residuals
    enough: np.ndarray  # bool (row,): observations
    dependent: np.ndarray  # bool (row,): the regressors are
    surplus: np.ndarray  # (row,): observations less coefficients

    @property
    def ok(self) -> np.ndarray:
        """Rows that have a solution."""
        return self.enough & ~self.dependent


def solve(problem: Problem, rows: slice) -> Solved:
    """Solve a batch of rows."""
    model, k = problem.model, problem.n_regressors
    n = rows.stop - rows.start
    state = _empty(n, k + 1, model.n_groups, len(model.sets[0]) if model.sets else model.n_groups)
    square = np.empty((n_products(k + 1), n))
    for block in problem.blocks(rows):
        at = slice(block.start - rows.start, block.stop - rows.start)
        own = rows_of(state, at)
        _products(problem.observations(block, own).z, own.n_obs, square[:, at])
    if not model.sets:
        state.spread[:] = square[-1]
    diagonal = [v * (v + 3) // 2 for v in range(k)]
    square[diagonal] *= 1.0 + model.ridge
    beta, root, flag = _from_products(square, k)
    for r in np.flatnonzero(flag == 1.0):  # rare: one at a time
        one = slice(rows.start + r, rows.start + r + 1)
        own = rows_of(state, slice(r, r + 1))
        z = problem.observations(one, own).z[0, : k + 1]
        flag[r] = _again(z, own.n_obs[0], model.ridge, beta[r], root[r][:, None])
    groups = np.count_nonzero(state.total > 0.0, axis=1)
    p = k + np.maximum(groups - max(len(model.sets) - 1, 0), 0)
    least = p + 1 if model.min_obs is None else np.maximum(p, model.min_obs)
    penalty = model.ridge / (1.0 + model.ridge) * (_lengths(root, k) * beta**2).sum(axis=1)
    return Solved(
        beta,
        root,
        state,
        root[:, -1] - penalty if model.ridge else root[:, -1],
        state.n_obs >= least,
        (flag != 0.0) | ~state.connected,
        state.n_obs - p,
    )


def _empty(n: int, n_var: int, n_groups: int, first: int) -> State:
    return State(
        np.zeros((n, n_var, n_groups)),
        np.zeros((n, n_groups)),
        np.full((n, first), np.inf),
        np.zeros((n, n_groups - first, n_groups)),
        np.zeros((n, n_groups)),
        np.zeros(n, dtype=np.int64),
        np.zeros(n),
        np.ones(n, dtype=np.bool_),
    )


def rows_of(state: State, rows: slice) -> State:
    """Some rows of a batch."""
    return State(*(a[rows] for a in state))


def _from_products(square: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes (row, K), triangles (row, P) and flags (row,) from products (P, row)."""
    n = square.shape[1]
    products = lanes_of(square)
    mean = np.zeros((len(products), k + 2, LANES))
    out = np.empty((len(products), 2 * k + 5, LANES))
    lanes.solve_all(mean, products, False, 0, out)
    solved = out.swapaxes(1, 2).reshape(-1, out.shape[1])[:n]
    root = products.swapaxes(1, 2).reshape(-1, products.shape[1])[:n]
    return solved[:, :k].copy(), np.ascontiguousarray(root), solved[:, -1].copy()


def _lengths(root: np.ndarray, k: int) -> np.ndarray:
    """Squared lengths of the regressors (row, K)."""
    starts = [v * (v + 1) // 2 for v in range(k)]
    squares = np.square(root[:, : n_products(k)])
    return np.add.reduceat(squares, starts, axis=1) if k else squares


def rsquared(solved: Solved) -> np.ndarray:
    """Share of the sum of squares explained (row,)."""
    spread = np.where(solved.ok & (solved.state.spread > 0.0), solved.state.spread, np.nan)
    return np.asarray(1.0 - solved.rss / spread)


def condition(solved: Solved) -> np.ndarray:
    """Condition number of the centred regressors, each scaled to length 1 (row,)."""
    k = solved.beta.shape[1]
    triangle = np.zeros((len(solved.beta), k, k))
    row, column = np.triu_indices(k)
    triangle[:, row, column] = solved.root[:, column * (column + 1) // 2 + row]
    length = np.sqrt(_lengths(solved.root, k))
    ok = solved.ok & (length > 0.0).all(axis=1)
    triangle[~ok] = np.eye(k)
    triangle[ok] /= length[ok, None, :]
    values = np.linalg.svd(triangle, compute_uv=False) if k else np.ones((len(ok), 1))
    found = values[:, 0] / values[:, -1]
    return np.where(ok, found, np.where(solved.enough, np.inf, np.nan))


@kernel
def _products(z, count, square):  # type: ignore[no-untyped-def]
    for r in range(len(count)):
        for v in range(z.shape[1] - 1):
            for u in range(v + 1):
                square[v * (v + 1) // 2 + u, r] = dot(z[r], u, v, count[r])


@kernel
def _again(z, m, ridge, beta, root):  # type: ignore[no-untyped-def]
    """Solve one row by orthogonalisation of its observations z (V, n); return its flag.

    A ridge is one more observation for each regressor: its root there, 0 for all else.
    """
    k_all = len(beta)
    if ridge > 0.0:
        for k in range(k_all):
            length = np.sqrt(ridge * dot(z, k, k, m))
            for v in range(k_all + 1):
                z[v, m + k] = length if v == k else 0.0
        m += k_all
    work = np.zeros((k_all + 2, 1))
    solved = np.zeros((2 * k_all + 5, 1))
    for i in range(len(root)):
        root[i, 0] = 0.0
    orthogonalise(z, m, root, work, solved)
    last = k_all * (k_all + 1) // 2
    for k in range(k_all - 1, -1, -1):
        beta[k] = root[last + k, 0]
        for j in range(k + 1, k_all):
            beta[k] -= root[j * (j + 1) // 2 + k, 0] * beta[j]
        beta[k] *= work[1 + k, 0]
    return solved[2 * k_all + 4, 0]
