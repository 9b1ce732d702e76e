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

# Of a variable that lies in the span of several sets rounding leaves about 1e-15 of its length.
SPANNED = 1e-24
# Less than this share of a group's weight left by the other sets: the sets are not connected.
UNCONNECTED = 1e-9


class Data(NamedTuple):
    """A block of rows; what is not there has shape 1 x 1, or no sets."""

    y: np.ndarray  # (row, n)
    x: np.ndarray  # (row, K, n)
    weights: np.ndarray  # (row, n)
    size: np.ndarray  # (row, n): weights of the constraint
    codes: np.ndarray  # int32 (row, S, n): a group's number, -1 for none
    starts: np.ndarray  # int64 (S + 1,): the first group of each set, and their number
    weighted: bool
    sized: bool
    constant: bool  # a constant, and no sets


class State(NamedTuple):
    """What is known of each row after its pass; G groups, H of them not of the first set."""

    projection: np.ndarray  # (row, V, G): coefficients of each variable on the groups
    total: np.ndarray  # (row, G): their weights
    scale: np.ndarray  # (row, G): the triangle of the groups' equations: diagonal, first set
    low: np.ndarray  # (row, H, G): the same, other sets, whole rows
    size: np.ndarray  # (row, G): their weights in the constraint
    count: np.ndarray  # (row,)
    spread: np.ndarray  # (row,): sum of squares of y, about its mean if there are groups
    connected: np.ndarray  # bool (row,)


@kernel
def usable(data, r, weight):  # type: ignore[no-untyped-def]
    """Put the weight of each asset of row r into `weight`; 0 if it is not an observation."""
    y, x, w, codes = data.y, data.x, data.weights, data.codes
    n = y.shape[1]
    for j in range(n):
        weight[j] = w[r, j] if data.weighted else 1.0
    for j in range(n):
        use = y[r, j] - y[r, j] == 0.0 and 0.0 < weight[j] < np.inf
        weight[j] = weight[j] if use else 0.0
    for k in range(x.shape[1]):
        for j in range(n):
            weight[j] = weight[j] if x[r, k, j] - x[r, k, j] == 0.0 else 0.0
    for s in range(codes.shape[1]):
        for j in range(n):
            weight[j] = weight[j] if codes[r, s, j] >= 0 else 0.0


@kernel
def pack(values, weight, out):  # type: ignore[no-untyped-def]
    """Move the values with a weight to the front of `out`; without a branch, return how many."""
    m = 0
    for j in range(len(values)):
        out[m] = values[j]
        m += weight[j] > 0.0
    return m


@kernel
def gather(data, r, z, weight, code):  # type: ignore[no-untyped-def]
    """Bring the observations of row r to the front of `z`, their weights scaled to a mean of 1."""
    k_all = data.x.shape[1]
    usable(data, r, weight)
    m = pack(data.y[r], weight, z[k_all])
    for k in range(k_all):
        pack(data.x[r, k], weight, z[k])
    if data.sized:
        pack(data.size[r], weight, z[k_all + 1])
    for s in range(data.codes.shape[1]):
        pack(data.codes[r, s], weight, code[s])
    if data.weighted:
        pack(weight, weight, weight)
        mean = total(weight, m) / m
        for i in range(m):
            weight[i] /= mean
    else:
        for i in range(m):
            weight[i] = 1.0
    return m


@kernel
def centre(z, weight, m, mean):  # type: ignore[no-untyped-def]
    """Take off each variable's mean over the row, and return it in `mean` (V,)."""
    for v in range(len(mean)):
        pivot = z[v, 0] if m > 0 else 0.0  # about a value: a constant leaves exact zeros
        shift = weighted_total(weight, z[v], pivot, m) / m if m > 0 else 0.0
        mean[v] = pivot + shift
        for i in range(m):
            z[v, i] = (z[v, i] - pivot) - shift


@kernel
def root_weigh(z, weight, n_var, m):  # type: ignore[no-untyped-def]
    """Multiply the variables by the root of the weights, which `weight` becomes."""
    for i in range(m):
        weight[i] = np.sqrt(weight[i])
    for v in range(n_var):
        for i in range(m):
            z[v, i] *= weight[i]


@kernel
def prepare(data, r, z, weight, code, state):  # type: ignore[no-untyped-def]
    """Observations of row r in `z`, centred and times the root of their weights; return how many.

    `weight` is left with the roots of the weights, `code` with the groups.
    """
    n_var = data.x.shape[1] + 1
    m = gather(data, r, z, weight, code)
    state.count[r] = m
    state.connected[r] = True
    if data.codes.shape[1] > 0:
        state.spread[r] = _about_mean(z[n_var - 1], weight, m)
        _centre_groups(z, weight, code, m, r, data, state)
    elif data.constant:
        centre(z, weight, m, state.projection[r, :, 0])
        state.total[r, 0] = m
        state.size[r, 0] = m
        state.scale[r, 0] = np.sqrt(float(m)) if m > 0 else np.inf
    if data.weighted:
        root_weigh(z, weight, n_var, m)
    return m


@kernel
def _centre_groups(z, weight, code, m, r, data, state):  # type: ignore[no-untyped-def]
    n_groups = data.starts[1]
    n_var = state.projection.shape[1]
    size = state.size[r]
    in_group = state.total[r]
    first = np.zeros(n_groups, dtype=np.int64)
    pivot = np.zeros(n_groups)
    shift = np.zeros(n_groups)
    group = code[0]
    for g in range(len(in_group)):
        in_group[g] = 0.0
        size[g] = 0.0
    for i in range(m):
        in_group[group[i]] += weight[i]
    for i in range(m - 1, -1, -1):
        first[group[i]] = i
    for g in range(n_groups):
        state.scale[r, g] = np.sqrt(in_group[g]) if in_group[g] > 0.0 else np.inf
    for v in range(n_var):
        for g in range(n_groups):  # about a value, as for a whole row
            pivot[g] = z[v, first[g]] if in_group[g] > 0.0 else 0.0
            shift[g] = 0.0
        for i in range(m):
            g = group[i]
            z[v, i] -= pivot[g]
            shift[g] += weight[i] * z[v, i]
        for g in range(n_groups):
            shift[g] /= in_group[g] if in_group[g] > 0.0 else 1.0
            state.projection[r, v, g] = pivot[g] + shift[g]
        for i in range(m):
            z[v, i] -= shift[group[i]]
    if data.codes.shape[1] > 1:
        state.connected[r] = _link(weight, code, m, data.starts, in_group, state.scale[r],
                                   state.low[r])  # fmt: skip
        _centre_sets(z, weight, code, m, r, state)
    if data.sized:
        for s in range(data.codes.shape[1]):
            for i in range(m):
                known = 0.0 < z[n_var, i] < np.inf
                size[code[s, i]] += z[n_var, i] if known else 0.0
    else:
        for g in range(len(size)):
            size[g] = in_group[g]


# --- several sets: small dense equations, built from the weights that groups have in common -----


@kernel
def _link(weight, code, m, starts, in_group, scale, low):  # type: ignore[no-untyped-def]
    """Triangle of the groups' normal equations; return whether it has full rank.

    The sets have a constant in common, so one group of each further set has no coefficient. Its
    diagonal is infinite, as is that of a group without assets: the coefficient comes out as 0.
    """
    n_first = starts[1]
    for h in range(low.shape[0]):
        for g in range(low.shape[1]):
            low[h, g] = 0.0
    for s in range(1, code.shape[0]):
        for i in range(m):
            h = code[s, i]
            in_group[h] += weight[i]
            for q in range(s + 1):
                low[h - n_first, code[q, i]] += weight[i]
    connected = True
    for s in range(1, code.shape[0]):
        based = False
        for i in range(starts[s], starts[s + 1]):
            row = low[i - n_first]
            if in_group[i] == 0.0 or not based:
                based = based or in_group[i] > 0.0
                row[i] = np.inf
            for j in range(i):
                for k in range(n_first, j):
                    row[j] -= row[k] * low[j - n_first, k]
                row[j] /= scale[j] if j < n_first else low[j - n_first, j]
            square = row[i]
            for j in range(i):
                square -= row[j] * row[j]
            if square < np.inf and not square > UNCONNECTED * row[i]:
                connected = False
                square = np.inf
            row[i] = np.sqrt(square)
    return connected


@kernel
def forward(scale, low, t):  # type: ignore[no-untyped-def]
    """Solve L u = t in place, for the triangle L of the groups' equations."""
    n_first = low.shape[1] - low.shape[0]
    for j in range(n_first):
        t[j] /= scale[j]
    for i in range(n_first, len(t)):
        for j in range(i):
            t[i] -= low[i - n_first, j] * t[j]
        t[i] /= low[i - n_first, i]


@kernel
def backward(scale, low, t):  # type: ignore[no-untyped-def]
    """Solve L' u = t in place."""
    n_first = low.shape[1] - low.shape[0]
    for i in range(len(t) - 1, n_first - 1, -1):
        for k in range(i + 1, len(t)):
            t[i] -= low[k - n_first, i] * t[k]
        t[i] /= low[i - n_first, i]
    for j in range(n_first):
        for k in range(n_first, len(t)):
            t[j] -= low[k - n_first, j] * t[k]
        t[j] /= scale[j]


@kernel
def _centre_sets(z, weight, code, m, r, state):  # type: ignore[no-untyped-def]
    """Project on all sets, twice: the second time takes off what rounding has left."""
    n_groups = state.total.shape[1]
    effect = np.empty(n_groups)
    for v in range(state.projection.shape[1]):
        before = _square(z[v], weight, m)
        for _ in range(2):
            for g in range(n_groups):
                effect[g] = 0.0
            for s in range(code.shape[0]):
                for i in range(m):
                    effect[code[s, i]] += weight[i] * z[v, i]
            forward(state.scale[r], state.low[r], effect)
            backward(state.scale[r], state.low[r], effect)
            for s in range(code.shape[0]):
                for i in range(m):
                    z[v, i] -= effect[code[s, i]]
            for g in range(n_groups):
                state.projection[r, v, g] += effect[g]
        if _square(z[v], weight, m) <= SPANNED * before:
            for i in range(m):
                z[v, i] = 0.0


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
def _square(values, weight, m):  # type: ignore[no-untyped-def]
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
def _about_mean(values, weight, m):  # type: ignore[no-untyped-def]
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
