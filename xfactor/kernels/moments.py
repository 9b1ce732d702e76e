"""Mean and standard deviation of each group of a row, and what they make of its cells.

A mean is kept as a pivot, the group's first valid value, and the mean distance from it. So a
constant group has exact zeros for deviations, which a plain mean does not give (0.1 + 0.1 + 0.1
is not 3 * 0.1), and a high common level costs no digits.
"""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel, summing
from xfactor.kernels._groups import Groups

# Sums of squares outside of this range may have lost digits to underflow or have overflowed.
SMALL, LARGE = 1e-280, 1e300


class Moments(NamedTuple):
    """Tables (row, G + 1); the last column collects the cells of no group."""

    n: np.ndarray
    pivot: np.ndarray
    shift: np.ndarray  # the mean less the pivot
    std: np.ndarray


def moments(
    x: np.ndarray,
    groups: Groups,
    weights: np.ndarray | None = None,
    ddof: int | None = None,
) -> Moments:
    """Moments of the valid cells of each group; `std` stays 0 if no `ddof` is given.

    With `weights` (row, n) only cells of positive weight count; they weigh the mean, not the
    standard deviation.
    """
    n, pivot, shift, std = (np.zeros((len(x), groups.n + 1)) for _ in range(4))
    if weights is not None:
        use = np.isfinite(weights) & (weights > 0)
        x, weights = np.where(use, x, np.nan), np.where(use, weights, 0.0)
    x = compilable(x)
    if groups.one:
        _row_moments(x, -1.0 if ddof is None else float(ddof), n, pivot, shift, std)
    else:
        _means(x, groups.codes, groups.n, n, pivot, shift)
        if ddof is not None:
            _stds(x, groups.codes, groups.n, n, pivot, shift, float(ddof), std)
    if weights is not None:
        _weighted_means(x, compilable(weights, np.float64), groups.codes, groups.n, pivot, shift)
    return Moments(n, pivot, shift, std)


def scaled(x: np.ndarray, groups: Groups, centre: Moments, scale: np.ndarray) -> np.ndarray:
    """(x - mean) / scale[row, group]; missing where that is no number of the dtype of x."""
    out = np.empty(x.shape, dtype=x.dtype)
    largest = float(np.finfo(x.dtype).max)
    _scale(compilable(x), *groups, centre.pivot, centre.shift, scale, largest, out)
    return out


# --- rows of one group: loops that vectorise -----------------------------------------------------


@kernel
def _row_moments(x, ddof, n, pivot, shift, std):  # type: ignore[no-untyped-def]
    for r in range(len(x)):
        row = x[r]
        first = 0
        while first < len(row) and not row[first] - row[first] == 0.0:
            first += 1
        if first == len(row):
            continue
        p = np.float64(row[first])
        count = float(_row_count(row))
        d = _row_sum(row, p) / count
        n[r, 0] = count
        pivot[r, 0] = p
        shift[r, 0] = d
        if ddof >= 0.0:
            std[r, 0] = _std(_row_square(row, p, d), count, ddof, row, p, d)


@summing
def _row_count(x):  # type: ignore[no-untyped-def]
    n = 0
    for j in range(len(x)):
        n += 1 if abs(x[j]) < np.inf else 0
    return n


@summing
def _row_sum(x, pivot):  # type: ignore[no-untyped-def]
    total = 0.0
    for j in range(len(x)):
        total += x[j] - pivot if abs(x[j]) < np.inf else 0.0
    return total


@summing
def _row_square(x, pivot, shift):  # type: ignore[no-untyped-def]
    total = 0.0
    for j in range(len(x)):
        d = (x[j] - pivot) - shift
        total += d * d if abs(x[j]) < np.inf else 0.0
    return total


@kernel
def _std(square, n, ddof, x, pivot, shift):  # type: ignore[no-untyped-def]
    """Standard deviation of n valid values, which `x` has among others that are NaN."""
    if not n > ddof:
        return 0.0
    if n == 1.0 or SMALL < square < LARGE:
        return np.sqrt(square / (n - ddof))
    peak = 0.0
    for j in range(len(x)):
        d = abs((x[j] - pivot) - shift)
        peak = d if peak < d < np.inf else peak
    total = 0.0
    for j in range(len(x)):
        d = ((x[j] - pivot) - shift) / (peak if peak > 0.0 else 1.0)
        total += d * d if d - d == 0.0 else 0.0
    return peak * np.sqrt(total / (n - ddof))


# --- rows of many groups: a missing cell is counted in a last one, which nobody reads -----------


@kernel
def _means(x, codes, n_groups, n, pivot, shift):  # type: ignore[no-untyped-def]
    for r in range(len(x)):
        for j in range(x.shape[1]):
            valid = x[r, j] - x[r, j] == 0.0
            v = np.float64(x[r, j] if valid else 0.0)
            g = codes[r, j] if valid else n_groups
            p = v if n[r, g] == 0.0 else pivot[r, g]
            pivot[r, g] = p
            n[r, g] += 1.0
            shift[r, g] += v - p
        for g in range(n_groups):
            shift[r, g] /= n[r, g] if n[r, g] > 0.0 else 1.0
        n[r, n_groups] = 0.0


@kernel
def _weighted_means(x, w, codes, n_groups, pivot, shift):  # type: ignore[no-untyped-def]
    # Twice: the first cell may be an outlier of next to no weight, about which the others lose
    # their digits, so the mean found becomes the pivot of a second one.
    total = np.zeros(n_groups + 1)
    for r in range(len(x)):
        for again in range(2):
            for g in range(n_groups + 1):
                pivot[r, g] += shift[r, g] if again == 1 else 0.0
                total[g] = 0.0
                shift[r, g] = 0.0
            for j in range(x.shape[1]):
                valid = x[r, j] - x[r, j] == 0.0
                g = codes[r, j] if valid else n_groups
                total[g] += w[r, j]
                shift[r, g] += w[r, j] * (x[r, j] - pivot[r, g]) if valid else 0.0
            for g in range(n_groups):
                shift[r, g] /= total[g]  # without weights: NaN, no mean


@kernel
def _stds(x, codes, n_groups, n, pivot, shift, ddof, std):  # type: ignore[no-untyped-def]
    own = np.empty(x.shape[1])
    for r in range(len(x)):
        for j in range(x.shape[1]):
            valid = x[r, j] - x[r, j] == 0.0
            g = codes[r, j] if valid else n_groups
            d = ((x[r, j] if valid else 0.0) - pivot[r, g]) - shift[r, g]
            std[r, g] += d * d
        for g in range(n_groups):
            if n[r, g] > 1.0 and not (SMALL < std[r, g] < LARGE):  # rare: one group at a time
                for j in range(x.shape[1]):
                    own[j] = x[r, j] if codes[r, j] == g else np.nan
            std[r, g] = _std(std[r, g], n[r, g], ddof, own, pivot[r, g], shift[r, g])


@kernel
def _scale(x, codes, n_groups, one, pivot, shift, scale, largest, out):  # type: ignore[no-untyped-def]
    for r in range(len(x)):
        if one:
            _scale_row(x[r], pivot[r, 0], shift[r, 0], scale[r, 0], largest, out[r])
            continue
        for j in range(x.shape[1]):
            g = codes[r, j]
            z = ((x[r, j] - pivot[r, g]) - shift[r, g]) / scale[r, g]
            out[r, j] = z if abs(z) <= largest and g < n_groups else np.nan


@kernel
def _scale_row(x, pivot, shift, scale, largest, out):  # type: ignore[no-untyped-def]
    for j in range(len(x)):
        z = ((x[j] - pivot) - shift) / scale
        out[j] = z if abs(z) <= largest else np.nan
