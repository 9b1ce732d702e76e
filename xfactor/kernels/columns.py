"""Observations of many columns side by side, date after date, for sums down the dates.

Columns (assets) stand in lanes of small arrays (row, LANES), the variables in rows: the regressors,
then y. A loop over the lanes touches few arrays, and does not write to one argument what it read
from another that may be the same: else the compiler cannot prove that it may vectorise.
"""

import numpy as np

from xfactor.kernels._compile import kernel

# Wide enough that a loop takes longer than starting it, and that a row of results fills a good
# part of a page. The sums of a regression on 3 factors are then 15 kB and stay in the L1 cache.
LANES = 128


@kernel
def observe(y, x, t, left, values, valid):  # type: ignore[no-untyped-def]
    """Load one date; `valid` is 1 where all is finite. False if it cannot be in any lane."""
    k_all = x.shape[1]
    own = x.shape[2] == y.shape[1]
    width = min(LANES, y.shape[1] - left)
    for j in range(LANES):
        valid[j] = 0.0
    if not own:
        for k in range(k_all):
            if not np.isfinite(x[t, k, 0]):
                return False
        for k in range(k_all):
            value = x[t, k, 0]
            for j in range(LANES):
                values[k, j] = value
    for j in range(width):
        value = np.float64(y[t, left + j])
        values[k_all, j] = value
        valid[j] = 1.0 if value - value == 0.0 else 0.0
    if own:
        for k in range(k_all):
            for j in range(width):
                value = x[t, k, left + j]
                values[k, j] = value
                valid[j] = valid[j] if value - value == 0.0 else 0.0
    return True


@kernel
def begin(values, valid, sums, origin, width):  # type: ignore[no-untyped-def]
    """Make a lane's first observation its origin; return how many lanes still have none."""
    for v in range(values.shape[0]):
        for j in range(LANES):
            origin[v, j] = values[v, j] if valid[j] > sums[0, j] else origin[v, j]
    waiting = 0
    for j in range(width):
        waiting += sums[0, j] + valid[j] == 0.0
    return waiting
