"""What each coefficient of the regressions across rows is made of.

A coefficient is a sum of y times weights: the root of an asset's weight, times the sum of that
root times ``h`` of its groups and of ``p`` times its orthonormal regressors. These are the centred
ones (times the root) times the inverse of the triangle R. Errors follow from h and p.
"""

import numpy as np

from xfactor.kernels._compile import kernel
from xfactor.kernels.row_data import State
from xfactor.kernels.row_problem import Model, Problem
from xfactor.kernels.row_sets import backward, forward
from xfactor.kernels.row_solve import Solved, rows_of


class Loads:
    """Makes h and p of the coefficients of a batch."""

    def __init__(self, problem: Problem, solved: Solved) -> None:
        model, k = problem.model, problem.n_regressors
        self.solved, self.share = solved, _shares(model, solved.state)
        self.setup = (_kinds(model, k), _sets(model), _signs(model), model.ridge)
        kinds = self.setup[0]
        self.there = np.repeat(solved.ok[:, None], len(kinds), axis=1)  # which coefficients are
        self.there[:, kinds >= k] &= solved.state.total[:, kinds[kinds >= k] - k] > 0.0

    def loads(
        self, rows: slice, value: np.ndarray, square: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return h (row, F, G) and p (row, F, K); set coefficients and squares (row, F)."""
        beta, root = self.solved.beta[rows], self.solved.root[rows]
        state = rows_of(self.solved.state, rows)
        h = np.empty((*value.shape, self.share.shape[1]))
        p = np.empty((*value.shape, beta.shape[1]))
        _load_all(beta, root, state, self.share[rows], self.setup, h, p, value, square)
        return h, p


def _kinds(model: Model, k: int) -> np.ndarray:
    """What each coefficient is: slope j as j, group g as K + g, a constant beside groups as -1."""
    slopes = range(k)
    groups = range(k, k + model.n_groups)
    if not model.sets:
        return np.array([*groups, *slopes], dtype=np.int64)
    return np.array([*([-1] if model.intercept else []), *slopes, *groups], dtype=np.int64)


def _sets(model: Model) -> np.ndarray:
    sizes = [len(s) for s in model.sets] if model.sets else [model.n_groups]
    return np.repeat(np.arange(len(sizes)), sizes)


def _signs(model: Model) -> np.ndarray:
    """How the constraint of each set (column) enters an effect of each set (row), or the constant.

    What is taken off the effects of a set goes to the constant (last row), or without one to the
    effects of the first set.
    """
    n = max(len(model.sets), 1)
    sign = np.zeros((n + 1, n))
    for s in range(0 if model.intercept else 1, len(model.sets)):
        sign[s, s] = -1.0
        sign[n if model.intercept else 0, s] = 1.0
    return sign


def _shares(model: Model, state: State) -> np.ndarray:
    """Weights of the groups in their set's constraint, which sum to 1 (row, G)."""
    total, size = state.total, state.size
    share = np.zeros_like(size)
    for s, (a, b) in enumerate(zip(model.starts[:-1], model.starts[1:], strict=True)):
        if s == 0 and not model.intercept:
            continue
        there = total[:, a:b] > 0.0
        if model.constraint == "weighted":
            own = size[:, a:b]
        elif model.constraint == "unweighted":
            own = there.astype(np.float64)
        else:
            own = there & (np.cumsum(there, axis=1) == 1)
        with np.errstate(invalid="ignore"):
            share[:, a:b] = own / own.sum(axis=1, keepdims=True)
    return share


@kernel
def _load_all(slopes, root, state, share, setup, h, p, value, square):  # type: ignore[no-untyped-def]
    for r in range(value.shape[0]):
        for f in range(value.shape[1]):
            value[r, f], square[r, f] = _load(
                setup[0][f], r, slopes, root, state, share, setup, h[r, f], p[r, f]
            )


@kernel
def _load(kind, r, slopes, root, state, share, setup, h, p):  # type: ignore[no-untyped-def]
    """Set h (G,) and p (K,) of a coefficient; return it, and its variance over the residuals'."""
    sets, sign, ridge = setup[1], setup[2], setup[3]
    k_all = len(p)
    value = 0.0
    for k in range(k_all):
        p[k] = 1.0 if k == kind else 0.0
    for g in range(len(h)):
        h[g] = 0.0
    if kind < 0 or kind >= k_all:
        group = kind - k_all
        own = sets[group] if kind >= 0 else len(sign) - 1
        for g in range(len(h)):
            h[g] = 1.0 if g == group else 0.0
            if sign[own, sets[g]] != 0.0:
                h[g] += sign[own, sets[g]] * share[r, g]
            value += h[g] * state.projection[r, k_all, g]
            for k in range(k_all):
                p[k] -= state.projection[r, k, g] * h[g]
    for k in range(k_all):
        value += p[k] * slopes[r, k]
    forward(state.scale[r], state.low[r], h)
    square = _square(h)
    backward(state.scale[r], state.low[r], h)
    for v in range(k_all):
        at = v * (v + 1) // 2
        for u in range(v):
            p[v] -= root[r, at + u] * p[u]
        p[v] /= root[r, at + v]
    square += _square(p)
    if ridge > 0.0:
        square -= _penalty(root[r], p, ridge)
    return value, square


@kernel
def _penalty(root, p, ridge):  # type: ignore[no-untyped-def]
    """What the penalty has added to the squares: it is in R'R, not in the scatter of the data."""
    q = p.copy()
    penalty = 0.0
    for v in range(len(p) - 1, -1, -1):
        for j in range(v + 1, len(p)):
            q[v] -= root[j * (j + 1) // 2 + v] * q[j]
        q[v] /= root[v * (v + 3) // 2]
        penalty += _square(root[v * (v + 1) // 2 : v * (v + 3) // 2 + 1]) * q[v] * q[v]
    return ridge / (1.0 + ridge) * penalty


@kernel
def _square(a):  # type: ignore[no-untyped-def]
    s = 0.0
    for i in range(len(a)):
        s += a[i] * a[i]
    return s
