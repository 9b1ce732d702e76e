"""The observations of a regression across a row: gathered, centred, weighted.

A regression has V = K + 1 variables, the regressors and then y, in rows of ``z``, and S sets of
groups: each asset is in one group of each set. Groups of all sets are numbered through. Centring
projects every variable on the groups (or on the constant, the only group there is without sets):
by the theorem of Frisch, Waugh and Lovell what is left gives the slopes, and no group becomes a
dummy. The projections themselves are kept, since group effects are made of them.
"""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._compile import kernel, summing


class State(NamedTuple):
    """What is known of each row after its pass; G groups, H of them not of the first set."""

    projection: np.ndarray  # (row, V, G): coefficients of each variable on the groups
    total: np.ndarray  # (row, G): their weights
    scale: np.ndarray  # (row, G - H): the triangle of the groups' equations: diagonal, first set
    low: np.ndarray  # (row, H, G): the same, other sets, whole rows
    size: np.ndarray  # (row, G): their weights in the constraint
    n_obs: np.ndarray  # int64 (row,)
    spread: np.ndarray  # (row,): sum of squares of y, about its mean if there are groups
    connected: np.ndarray  # bool (row,): the sets of groups


class Observations(NamedTuple):
    """The observations of a block of rows, at the front of each row."""

    z: np.ndarray  # (row, V + 1, more than n): the variables, then the weights of the constraint
    weight: np.ndarray  # (row, more than n)
    code: np.ndarray  # int32 (row, S, more than n)


@kernel
def usable(y, x, w, codes, weight):  # type: ignore[no-untyped-def]
    """Put the weight of each asset of each row into `weight`; 0 if it is not an observation.

    y (row, n), x (row, K, n), codes (row, S, n), -1 for no group; weights (row, n), or (1, 1) for
    equal ones.
    """
    n = y.shape[1]
    weighted = w.shape == y.shape
    for r in range(len(y)):
        for j in range(n):
            own = w[r, j] if weighted else w[0, 0]
            use = y[r, j] - y[r, j] == 0.0 and 0.0 < own < np.inf
            weight[r, j] = own if use else 0.0
        for k in range(x.shape[1]):
            for j in range(n):
                weight[r, j] = weight[r, j] if x[r, k, j] - x[r, k, j] == 0.0 else 0.0
        for s in range(codes.shape[1]):
            for j in range(n):
                weight[r, j] = weight[r, j] if codes[r, s, j] >= 0 else 0.0


@kernel
def gather(y, x, size, codes, weight, z, code, n_obs):  # type: ignore[no-untyped-def]
    """Bring the `usable` observations of each row to the front, their weights to a mean of 1.

    The weights of the constraint, unless they are (1, 1), go to the last row of z.
    """
    k_all = x.shape[1]
    sized = size.shape == y.shape
    for r in range(len(y)):
        m = pack(y[r], weight[r], z[r, k_all])
        for k in range(k_all):
            pack(x[r, k], weight[r], z[r, k])
        if sized:
            pack(size[r], weight[r], z[r, z.shape[1] - 1])
        for s in range(codes.shape[1]):
            pack(codes[r, s], weight[r], code[r, s])
        pack(weight[r], weight[r], weight[r])  # last: the others went by it
        mean = total(weight[r], m) / m
        for i in range(m):
            weight[r, i] /= mean
        n_obs[r] = m


@kernel
def pack(values, weight, out):  # type: ignore[no-untyped-def]
    """Move the values with a weight to the front of `out`; without a branch, return how many."""
    m = 0
    for j in range(len(values)):
        out[m] = values[j]
        m += weight[j] > 0.0
    return m


@kernel
def centre(z, weight, count, mean):  # type: ignore[no-untyped-def]
    """Take off each variable's mean over the row, and return it in `mean` (row, V)."""
    for r in range(len(mean)):
        m = count[r]
        for v in range(mean.shape[1]):
            pivot = z[r, v, 0] if m > 0 else 0.0  # about a value: a constant leaves exact zeros
            shift = weighted_total(weight[r], z[r, v], pivot, m) / m if m > 0 else 0.0
            mean[r, v] = pivot + shift
            for i in range(m):
                z[r, v, i] = (z[r, v, i] - pivot) - shift


@kernel
def root_weigh(z, weight, count, n_var):  # type: ignore[no-untyped-def]
    """Multiply the variables by the root of the weights, which `weight` becomes."""
    for r in range(len(weight)):
        for i in range(count[r]):
            weight[r, i] = np.sqrt(weight[r, i])
        for v in range(n_var):
            for i in range(count[r]):
                z[r, v, i] *= weight[r, i]


@kernel
def centre_groups(z, weight, code, n_groups, state):  # type: ignore[no-untyped-def]
    """Take off the means of the groups of the first set."""
    n_var = state.projection.shape[1]
    first = np.zeros(n_groups, dtype=np.int64)
    pivot = np.zeros(n_groups)
    shift = np.zeros(n_groups)
    for r in range(len(state.n_obs)):
        m = state.n_obs[r]
        state.spread[r] = about_mean(z[r, n_var - 1], weight[r], m)
        in_group = state.total[r]
        for g in range(n_groups):
            in_group[g] = 0.0
        for i in range(m):
            in_group[code[r, 0, i]] += weight[r, i]
        for i in range(m - 1, -1, -1):
            first[code[r, 0, i]] = i
        for g in range(n_groups):
            state.scale[r, g] = np.sqrt(in_group[g]) if in_group[g] > 0.0 else np.inf
        for v in range(n_var):
            for g in range(n_groups):  # about a value, as for a whole row
                pivot[g] = z[r, v, first[g]] if in_group[g] > 0.0 else 0.0
                shift[g] = 0.0
            for i in range(m):
                g = code[r, 0, i]
                z[r, v, i] -= pivot[g]
                shift[g] += weight[r, i] * z[r, v, i]
            for g in range(n_groups):
                shift[g] /= in_group[g] if in_group[g] > 0.0 else 1.0
                state.projection[r, v, g] = pivot[g] + shift[g]
            for i in range(m):
                z[r, v, i] -= shift[code[r, 0, i]]


@kernel
def group_sizes(size, code, count, out):  # type: ignore[no-untyped-def]
    """Sum weights of the constraint over each group; those not known count as 0."""
    for r in range(len(out)):
        for g in range(out.shape[1]):
            out[r, g] = 0.0
        for s in range(code.shape[1]):
            for i in range(count[r]):
                own = size[r, i]
                out[r, code[r, s, i]] += own if 0.0 < own < np.inf else 0.0


# --- sums ---------------------------------------------------------------------------------------


@summing
def total(weight, m):  # type: ignore[no-untyped-def]
    """Sum of the first m."""
    s = 0.0
    for i in range(m):
        s += weight[i]
    return s


@summing
def weighted_total(weight, values, pivot, m):  # type: ignore[no-untyped-def]
    """Sum of weighted distances from the pivot."""
    s = 0.0
    for i in range(m):
        s += weight[i] * (values[i] - pivot)
    return s


@summing
def square(values, weight, m):  # type: ignore[no-untyped-def]
    """Weighted sum of squares."""
    s = 0.0
    for i in range(m):
        s += weight[i] * values[i] * values[i]
    return s


@summing
def _about(values, weight, pivot, shift, m):  # type: ignore[no-untyped-def]
    s = 0.0
    for i in range(m):
        d = (values[i] - pivot) - shift
        s += weight[i] * d * d
    return s


@kernel
def about_mean(values, weight, m):  # type: ignore[no-untyped-def]
    """Weighted sum of squared distances from the mean, of weights that sum to m."""
    if m == 0:
        return 0.0
    pivot = values[0]
    return _about(values, weight, pivot, weighted_total(weight, values, pivot, m) / m, m)


@summing
def dot(z, u, v, m):  # type: ignore[no-untyped-def]
    """Product of two variables."""
    s = 0.0
    for i in range(m):
        s += z[u, i] * z[v, i]
    return s
