"""Order statistics and moments of rows: NumPy on blocks that stay in cache."""

import numpy as np

from xfactor.kernels._blocks import by_rows, finite, row_blocks


def winsorize_rows(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Set the int(low * n) smallest and int(high * n) largest of n valid to the next value."""

    def block(rows: np.ndarray) -> np.ndarray:
        rows, valid = finite(rows)
        ordered = np.sort(rows, axis=1)
        # A small nudge is not added to limit * n: int() of the plain product is what scipy does.
        bottom = (low * valid).astype(np.int64)
        top = np.maximum(valid - 1 - (high * valid).astype(np.int64), 0)
        each = np.arange(len(rows))
        return np.clip(rows, ordered[each, bottom, None], ordered[each, top, None])

    return by_rows(block, x)


def zscore_rows(x: np.ndarray, ddof: int) -> np.ndarray:
    """Subtract the mean and divide by the standard deviation; missing where that is 0."""

    def block(rows: np.ndarray) -> np.ndarray:
        deviation, valid, count = _deviations(rows)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
            peak = np.abs(deviation).max(axis=1)
            tiny = (peak > 0) & (peak < 1e-140)  # the squares would vanish
            deviation[tiny] /= peak[tiny, None]
            variance = (deviation * deviation).sum(axis=1, keepdims=True) / (count - ddof)
            usable = (variance > 0) & (variance < np.inf) & (count > ddof)
            scale = np.where(usable, np.sqrt(variance), np.nan)
            return np.where(valid, deviation / scale, np.nan)

    return by_rows(block, x)


def demean_rows(x: np.ndarray) -> np.ndarray:
    """Subtract the mean of the valid cells of each row."""

    def block(rows: np.ndarray) -> np.ndarray:
        deviation, valid, _ = _deviations(rows)
        return np.where(valid & np.isfinite(deviation), deviation, np.nan)

    return by_rows(block, x)


def _deviations(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deviations from the row mean in float64, 0 where missing; the valid cells; their count.

    The mean is taken about the first valid value. So a constant row gives exact zeros, which a
    plain mean does not (0.1 + 0.1 + 0.1 is not 3 * 0.1), and a large common level costs no digits.
    """
    valid = np.isfinite(rows)
    count = np.count_nonzero(valid, axis=1)[:, None]
    pivot = np.take_along_axis(rows, valid.argmax(axis=1)[:, None], axis=1).astype(np.float64)
    pivot[~np.isfinite(pivot)] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the floats: missing, not wrong
        deviation = np.where(valid, rows, pivot) - pivot
        deviation -= deviation.sum(axis=1, keepdims=True) / np.maximum(count, 1)
    deviation[~valid] = 0.0
    return deviation, valid, count


def quantile_rows(x: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Quantiles (row, len(q)) with linear interpolation between order statistics."""
    out = np.full((len(x), len(q)), np.nan, dtype=x.dtype)
    if x.size == 0:
        return out
    for rows in row_blocks(*x.shape):
        values, valid = finite(x[rows])
        ordered = np.sort(values, axis=1)
        place = q[None, :] * np.maximum(valid - 1, 0)[:, None]
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(valid - 1, 0)[:, None])
        a = np.take_along_axis(ordered, below, axis=1)
        b = np.take_along_axis(ordered, above, axis=1)
        weight = place - below
        # Both ends of the segment are exact: the same two forms that numpy.quantile uses.
        near_a, near_b = a + (b - a) * weight, b - (b - a) * (1.0 - weight)
        out[rows] = np.where(weight < 0.5, near_a, near_b)
    return out


def qcut_rows(x: np.ndarray, bins: int, breakpoints: np.ndarray | None = None) -> np.ndarray:
    """Bucket 0..bins-1 of each value: how many of the pivots lie below it; -1 where missing.

    The pivots are the order statistics at floor(k (n - 1) / bins), k = 1..bins-1: integers, so
    that equal values share a bucket and nothing is interpolated. `breakpoints` (bool) chooses
    the cells that the pivots are taken from.
    """
    out = np.empty(x.shape, dtype=np.int16)
    if x.size == 0:
        return out
    steps = np.arange(1, bins)
    for rows in row_blocks(*x.shape):
        values, valid = finite(x[rows])
        source, n = values, valid
        if breakpoints is not None:
            source, n = finite(np.where(breakpoints[rows], values, np.nan))
        place = steps[None, :] * np.maximum(n - 1, 0)[:, None] // bins
        pivots = np.take_along_axis(np.sort(source, axis=1), place, axis=1)
        labels = _buckets(values, pivots)
        labels[np.isnan(values) | (n == 0)[:, None]] = -1
        out[rows] = labels
    return out


def _buckets(values: np.ndarray, pivots: np.ndarray) -> np.ndarray:
    """Count the pivots below each value."""
    labels = np.zeros(values.shape, dtype=np.int16)
    if pivots.shape[1] <= 32:  # a few comparisons on whole rows beat a search for each cell
        for pivot in pivots.T:
            labels += values > pivot[:, None]
        return labels
    for row, cuts, found in zip(values, pivots, labels, strict=True):
        found[:] = np.searchsorted(cuts, row, side="left")
    return labels
