"""Moments of trailing windows, without drift and without dependence on the chunks.

The dates are cut into blocks of `window` rows, counted from the panel's first date. A window is
then a suffix of one block and a prefix of the next (van Herk 1992; Gil and Werman 1993), and its
sums are those of the two parts. Nothing is ever subtracted, so an outlier that has left the window
leaves no trace; and all that a window needs lies inside it, so the result does not depend on where
the history is cut into chunks.

Sums of squares are taken about a pivot: for a suffix its newest valid value, for a prefix its
oldest. A pivot is a member of its part, so the squares about it exceed those about the mean by a
factor of at most the count: the cancellation is bounded, whatever the level of the data.
"""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel

MEAN, STD = range(2)
# Columns worked on together: the running sums of a block of assets stay in the L1 cache, and the
# suffix sums of a window of 250 in L2.
LANES = 128


def rolling_rows(
    x: np.ndarray,
    *,
    statistic: int,
    window: int,
    min_obs: int,
    ddof: int,
    offset: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Mean or standard deviation of each column over the window that ends at each row."""
    x = compilable(x)
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    _rolling(x, out, statistic, window, float(max(min_obs, 1)), float(ddof), offset, start)
    return out


@kernel
def _rolling(x, out, statistic, window, min_obs, ddof, offset, start):  # type: ignore[no-untyped-def]
    # Sums of a part: count, sum, pivot, sum of squares, LANES of each in one flat row, so that
    # the compiler sees how far apart they lie and vectorises.
    n_rows, n = x.shape
    stop = start + out.shape[0]
    rows = 4 if statistic == STD else 3
    suffix = np.zeros((window + 1, rows * LANES))  # the last one stays empty: no older block
    prefix = np.zeros(rows * LANES)
    for left in range(0, n, LANES):
        width = min(LANES, n - left)
        row = 0
        while row < stop:
            block_end = min(row + window - (offset + row) % window, n_rows)
            for j in range(rows * LANES):
                prefix[j] = 0.0
            for t in range(row, min(block_end, stop)):
                _add(prefix, prefix, x[t], left, width, statistic)
                if t >= start:
                    # Rows t - window + 1 .. row - 1 are a suffix of the block before, if any.
                    older = (offset + t + 1) % window
                    if older == 0 or row == 0:
                        older = window
                    if statistic == STD:
                        _std(prefix, suffix[older], out[t - start], left, width, min_obs, ddof)
                    else:
                        _mean(prefix, suffix[older], out[t - start], left, width, min_obs)
            for t in range(block_end - 1, row - 1, -1):
                if block_end < stop:
                    # suffix[k]: the sums of the block's rows from its k-th on.
                    k = (offset + t) % window
                    newer = suffix[k + 1 if t < block_end - 1 else window]
                    _add(newer, suffix[k], x[t], left, width, statistic)
            row = block_end


@kernel
def _add(old, new, x, left, width, statistic):  # type: ignore[no-untyped-def]
    """Put the sums of `old` and one more row into `new`, which may be `old`."""
    if statistic == STD:  # before the count changes
        for j in range(width):
            v = np.float64(x[left + j])
            d = v - (v if old[j] == 0.0 else old[2 * LANES + j])
            new[3 * LANES + j] = old[3 * LANES + j] + (d * d if v - v == 0.0 else 0.0)
    for j in range(width):
        v = np.float64(x[left + j])
        valid = v - v == 0.0
        pivot = v if old[j] == 0.0 else old[2 * LANES + j]
        new[j] = old[j] + (1.0 if valid else 0.0)
        new[LANES + j] = old[LANES + j] + (v - pivot if valid else 0.0)
        new[2 * LANES + j] = pivot if valid else old[2 * LANES + j]


@kernel
def _mean(a, b, out, left, width, min_obs):  # type: ignore[no-untyped-def]
    for j in range(width):
        n_a = a[j]
        n_b = b[j]
        n = n_a + n_b
        rest_a = a[LANES + j] / (n_a if n_a > 1.0 else 1.0)
        rest_b = b[LANES + j] / (n_b if n_b > 1.0 else 1.0)
        gap = (b[2 * LANES + j] - a[2 * LANES + j]) + (rest_b - rest_a)
        value = a[2 * LANES + j] + (rest_a + gap * (n_b / (n if n > 1.0 else 1.0)))
        # Beyond the floats is missing, not infinite.
        out[left + j] = value if n >= min_obs and value - value == 0.0 else np.nan


@kernel
def _std(a, b, out, left, width, min_obs, ddof):  # type: ignore[no-untyped-def]
    for j in range(width):
        n_a = a[j]
        n_b = b[j]
        n = n_a + n_b
        share_a = 1.0 / (n_a if n_a > 1.0 else 1.0)
        share_b = 1.0 / (n_b if n_b > 1.0 else 1.0)
        rest_a = a[LANES + j] * share_a
        rest_b = b[LANES + j] * share_b
        # Means relative to their pivots, and the pivots' difference: at a high level the
        # difference of two rounded means would have lost the digits that count.
        gap = (b[2 * LANES + j] - a[2 * LANES + j]) + (rest_b - rest_a)
        square = a[3 * LANES + j] - a[LANES + j] * rest_a
        square += b[3 * LANES + j] - b[LANES + j] * rest_b
        both = n_a * n_b / (n if n > 1.0 else 1.0)
        square += gap * gap * both if both > 0.0 else 0.0
        value = np.sqrt((square if square > 0.0 else 0.0) / (n - ddof))
        enough = n >= min_obs and n > ddof and square - square == 0.0
        out[left + j] = value if enough else np.nan
