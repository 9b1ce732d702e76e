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
from numba import njit

from xfactor.kernels._blocks import compilable

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
    _rolling(x, out, statistic, window, min_obs, ddof, offset, start)
    return out


@njit(nogil=True)
def _rolling(x, out, statistic, window, min_obs, ddof, offset, start):  # type: ignore[no-untyped-def]
    n_rows, n = x.shape
    stop = start + out.shape[0]
    suffix = np.zeros((window + 1, 4, LANES))  # the last one stays empty: no older block
    prefix = np.zeros((4, LANES))  # count, pivot, sum, sum of squares about the pivot
    for left in range(0, n, LANES):
        width = min(LANES, n - left)
        row = 0
        while row < stop:
            block_end = min(row + window - (offset + row) % window, n_rows)
            _copy(suffix[window], prefix)
            for t in range(row, min(block_end, stop)):
                _add(prefix, x, t, left, width)
                if t >= start:
                    # Rows t - window + 1 .. row - 1 are a suffix of the block before, if any.
                    older = (offset + t + 1) % window
                    if older == 0 or row == 0:
                        older = window
                    _finish(
                        prefix, suffix[older], out, t - start, left, width, statistic, min_obs, ddof
                    )
            for t in range(block_end - 1, row - 1, -1):
                if block_end < stop:
                    # suffix[k]: the sums of the block's rows from its k-th on.
                    k = (offset + t) % window
                    _copy(suffix[k + 1 if t < block_end - 1 else window], suffix[k])
                    _add(suffix[k], x, t, left, width)
            row = block_end
    return out


@njit(nogil=True)
def _copy(source, target):  # type: ignore[no-untyped-def]
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@njit(nogil=True)
def _add(sums, x, t, left, width):  # type: ignore[no-untyped-def]
    for j in range(width):
        v = np.float64(x[t, left + j])
        valid = v - v == 0.0
        pivot = v if valid and sums[0, j] == 0.0 else sums[1, j]
        d = v - pivot if valid else 0.0
        sums[0, j] += 1.0 if valid else 0.0
        sums[1, j] = pivot
        sums[2, j] += d
        sums[3, j] += d * d


@njit(nogil=True)
def _finish(a, b, out, t, left, width, statistic, min_obs, ddof):  # type: ignore[no-untyped-def]
    for j in range(width):
        n_a = a[0, j]
        n_b = b[0, j]
        n = n_a + n_b
        # Means relative to their pivots, and the pivots' difference: at a high level the
        # difference of two rounded means would have lost the digits that count.
        rest_a = a[2, j] / max(n_a, 1.0)
        rest_b = b[2, j] / max(n_b, 1.0)
        base = a[1, j] if n_a > 0.0 else b[1, j]
        first = rest_a if n_a > 0.0 else rest_b
        gap = (b[1, j] - base) + (rest_b - first) if n_b > 0.0 else 0.0
        value = base + (first + gap * (n_b / max(n, 1.0)))
        if statistic == STD:
            square = a[3, j] - a[2, j] * a[2, j] / max(n_a, 1.0)
            square += b[3, j] - b[2, j] * b[2, j] / max(n_b, 1.0)
            square += gap * gap * (n_a * n_b / max(n, 1.0))
            value = np.sqrt(max(square, 0.0) / (n - ddof)) if n > ddof else np.nan
        # Beyond the floats is missing, not infinite.
        out[t, left + j] = value if n >= max(min_obs, 1.0) and value - value == 0.0 else np.nan
