"""Several sets of groups in one regression: small dense equations for each row.

Their matrix holds the weights that two groups have in common. It is the identity, scaled, on the
first set, so its triangle is kept as a diagonal (scale) and as whole rows for the others (low).
"""

import numpy as np

from xfactor.kernels._compile import kernel
from xfactor.kernels.row_data import square

# Of a variable that lies in the span of several sets rounding leaves about 1e-15 of its length.
SPANNED = 1e-24
# Less than this share of a group's weight left by the other sets: the sets are not connected.
UNCONNECTED = 1e-9


@kernel
def link(weight, code, m, starts, in_group, scale, low):  # type: ignore[no-untyped-def]
    """Triangle of the groups' normal equations; return whether it has full rank.

    The sets have a constant in common, so one group of each further set has no coefficient. Its
    diagonal is infinite, as is that of a group without assets: the coefficient comes out as 0.
    """
    n_first = starts[1]
    for h in range(low.shape[0]):
        for g in range(low.shape[1]):
            low[h, g] = 0.0
    for g in range(n_first, len(in_group)):
        in_group[g] = 0.0
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
                for k in range(j if j >= n_first else 0):
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
def centre_sets(z, weight, code, starts, state):  # type: ignore[no-untyped-def]
    """Project on all sets, twice: the second time takes off what rounding has left."""
    n_groups = state.total.shape[1]
    effect = np.empty(n_groups)
    for r in range(len(state.n_obs)):
        m = state.n_obs[r]
        scale, low = state.scale[r], state.low[r]
        state.connected[r] = link(weight[r], code[r], m, starts, state.total[r], scale, low)
        for v in range(state.projection.shape[1]):
            before = square(z[r, v], weight[r], m)
            for g in range(starts[1], n_groups):
                state.projection[r, v, g] = 0.0
            for _ in range(2):
                for g in range(n_groups):
                    effect[g] = 0.0
                for s in range(code.shape[1]):
                    for i in range(m):
                        effect[code[r, s, i]] += weight[r, i] * z[r, v, i]
                forward(scale, low, effect)
                backward(scale, low, effect)
                for s in range(code.shape[1]):
                    for i in range(m):
                        z[r, v, i] -= effect[code[r, s, i]]
                for g in range(n_groups):
                    state.projection[r, v, g] += effect[g]
            if square(z[r, v], weight[r], m) <= SPANNED * before:
                for i in range(m):
                    z[r, v, i] = 0.0
