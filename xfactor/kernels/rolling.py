"""Moments of trailing windows: what is summed over a part, and what is made of the two parts.

`rolling_blocks` says how the parts come about. The sums of a suffix are moved to the prefix's pivot
before they are added. A suffix that is not empty has its pivot in the window too, so the gap
between the two pivots is a difference of members and no larger than the others.
"""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.rolling_blocks import LANES, run

# Below this the cubes that go with a sum of squares lose digits to underflow.
LEAST_SQUARE = 1e-190


def mean_rows(x: np.ndarray, *, total: bool, **where: int) -> np.ndarray:
    """Mean, or sum if `total`, of each column over the window that ends at each row."""
    steps = (begin, _add_1, _add_1, _mean)
    return run((compilable(x),), steps, 2, (total, 0), **where)


def var_rows(x: np.ndarray, *, ddof: int, root: bool, **where: int) -> np.ndarray:
    """Variance, or its square root."""
    steps = (begin, _add_2, _add_2, _var)
    return run((compilable(x),), steps, 3, (ddof, root), **where)


def skew_rows(x: np.ndarray, *, bias: bool, **where: int) -> np.ndarray:
    """Skewness, with or without its bias."""
    steps = (begin, _add_3, _add_3, _skew)
    return run((compilable(x),), steps, 4, (bias, 0), **where)


def decay_rows(x: np.ndarray, **where: int) -> np.ndarray:
    """Mean with weights that grow by one a row."""
    steps = (begin, _weigh_newer, _weigh_older, _decay)
    return run((compilable(x),), steps, 4, (where["window"], 0), **where)


@kernel
def begin(count, pivot, data, t, left, width):  # type: ignore[no-untyped-def]
    """Make row t the pivot of the lanes that have none; how many are still without one."""
    x = data[0][t, left : left + width]
    empty = 0
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        pivot[j] = v if valid and count[j] == 0.0 else pivot[j]
        empty += 0 if valid or count[j] > 0.0 else 1
    return empty


# --- sums of a part -----------------------------------------------------------------------------
# Powers of v - pivot, of valid values only. The subtraction stands before the choice, so that the
# choice is of numbers at hand and not of loads.


@kernel
def _add_1(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    x = data[0][t, left : left + width]
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        d = v - pivot[j]
        new[j] = old[j] + (1.0 if valid else 0.0)
        new[LANES + j] = old[LANES + j] + (d if valid else 0.0)


@kernel
def _add_2(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    x = data[0][t, left : left + width]
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        d = v - pivot[j]
        d = d if valid else 0.0
        new[j] = old[j] + (1.0 if valid else 0.0)
        new[LANES + j] = old[LANES + j] + d
        new[2 * LANES + j] = old[2 * LANES + j] + d * d


@kernel
def _add_3(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    x = data[0][t, left : left + width]
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        d = v - pivot[j]
        d = d if valid else 0.0
        new[j] = old[j] + (1.0 if valid else 0.0)
        new[LANES + j] = old[LANES + j] + d
        new[2 * LANES + j] = old[2 * LANES + j] + d * d
        new[3 * LANES + j] = old[3 * LANES + j] + d * d * d


# Weights of a prefix count from the block's first row, those of a suffix from the suffix's own, so
# both are positive: count, sum, sum of weights, weighted sum.


@kernel
def _weigh_newer(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    x = data[0][t, left : left + width]
    weight = np.float64(age)
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        d = v - pivot[j]
        d = d if valid else 0.0
        one = 1.0 if valid else 0.0
        new[j] = old[j] + one
        new[LANES + j] = old[LANES + j] + d
        new[2 * LANES + j] = old[2 * LANES + j] + weight * one
        new[3 * LANES + j] = old[3 * LANES + j] + weight * d


@kernel
def _weigh_older(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    # One more row before the others: each of their weights grows by one.
    x = data[0][t, left : left + width]
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        d = v - pivot[j]
        count = old[j] + (1.0 if valid else 0.0)
        total = old[LANES + j] + (d if valid else 0.0)
        new[j] = count
        new[LANES + j] = total
        new[2 * LANES + j] = old[2 * LANES + j] + count
        new[3 * LANES + j] = old[3 * LANES + j] + total


# --- the two parts together ---------------------------------------------------------------------
# What lies beyond the floats is missing, not infinite; comparisons with NaN are false.


@kernel
def _mean(a, b, pivot, gap, out, age, options):  # type: ignore[no-untyped-def]
    least, limit, total, _ = options
    for j in range(len(out)):
        n = a[j] + b[j]
        shift = b[j] * gap[j]
        shift = shift if b[j] > 0.0 else 0.0
        rest = a[LANES + j] + (b[LANES + j] + shift)
        value = pivot[j] * (n if total else 1.0) + rest / (1.0 if total else n)
        out[j] = value if n >= least and abs(value) <= limit else np.nan


@kernel
def _var(a, b, pivot, gap, out, age, options):  # type: ignore[no-untyped-def]
    least, limit, ddof, root = options
    for j in range(len(out)):
        n = a[j] + b[j]
        g = gap[j]
        g = g if b[j] > 0.0 else 0.0
        shift = b[j] * g
        rest = a[LANES + j] + (b[LANES + j] + shift)
        square = a[2 * LANES + j] + (b[2 * LANES + j] + g * (2.0 * b[LANES + j] + shift))
        square -= rest * rest / n
        value = (0.0 if square < 0.0 else square) / (n - ddof)
        value = np.sqrt(value) if root else value
        out[j] = value if n >= least and n > ddof and value <= limit else np.nan


@kernel
def _skew(a, b, pivot, gap, out, age, options):  # type: ignore[no-untyped-def]
    least, limit, bias, _ = options
    for j in range(len(out)):
        n = a[j] + b[j]
        g = gap[j]
        g = g if b[j] > 0.0 else 0.0
        shift = b[j] * g
        sum_b = b[LANES + j]
        square_b = b[2 * LANES + j]
        rest = a[LANES + j] + (sum_b + shift)
        square = a[2 * LANES + j] + (square_b + g * (2.0 * sum_b + shift))
        cube = g * (3.0 * square_b + g * (3.0 * sum_b + shift))
        cube = a[3 * LANES + j] + (b[3 * LANES + j] + cube)
        mean = rest / n
        cube -= mean * (3.0 * square - 2.0 * mean * rest)
        square -= mean * rest
        value = np.sqrt(n) * cube / (square * np.sqrt(square))
        value *= 1.0 if bias else np.sqrt(n * (n - 1.0)) / (n - 2.0)
        enough = n >= least and n >= (2.0 if bias else 3.0) and square > LEAST_SQUARE
        out[j] = value if enough and abs(value) <= limit else np.nan


@kernel
def _decay(a, b, pivot, gap, out, age, options):  # type: ignore[no-untyped-def]
    least, limit, window, _ = options
    more = window - age  # the weight of the block's first row
    for j in range(len(out)):
        weight_b = b[2 * LANES + j]
        shift = weight_b * gap[j]
        shift = shift if b[j] > 0.0 else 0.0
        rest = a[3 * LANES + j] + more * a[LANES + j] + (b[3 * LANES + j] + shift)
        weight = a[2 * LANES + j] + more * a[j] + weight_b
        value = pivot[j] + rest / weight
        out[j] = value if a[j] + b[j] >= least and abs(value) <= limit else np.nan
