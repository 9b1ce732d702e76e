"""Products of two variables over trailing windows, of rows where both are valid."""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.rolling_blocks import LANES, run

COV, CORR, BETA = range(3)

# Below this a sum of squares has lost digits to underflow: no variance to divide by.
LEAST_SQUARE = 1e-290

# Rows of a state: the count, the sums about the pivots, squares, products.
_X, _Y, _XX, _YY, _XY = (k * LANES for k in range(1, 6))


def pair_rows(
    x: np.ndarray, y: np.ndarray, *, statistic: int, ddof: int, **where: int
) -> np.ndarray:
    """Covariance, correlation, or slope of x on y; y (date, n) or (date,), common to all columns.

    The slope is that of a regression with a constant.
    """
    x = compilable(x)
    if y.ndim == 1:  # as many copies as `begin` and `_add` look at
        y = np.repeat(y[:, None], min(LANES, x.shape[1]), axis=1)
    data = (x, compilable(y, np.float64))
    return run(data, (begin, _add, _add, _finish), 6, (statistic, ddof), **where)


@kernel
def _left(data, left):  # type: ignore[no-untyped-def]
    """Where the columns of y begin that go with those of x from `left` on."""
    return left if data[1].shape[1] == data[0].shape[1] else 0


@kernel
def begin(count, pivot, data, t, left, width):  # type: ignore[no-untyped-def]
    """Make row t the pivots of the lanes that have none; how many are still without one."""
    x = data[0][t, left : left + width]
    left = _left(data, left)
    y = data[1][t, left : left + width]
    empty = 0
    for j in range(width):
        u = np.float64(x[j])
        v = y[j]
        valid = (u - u) + (v - v) == 0.0
        first = valid and count[j] == 0.0
        pivot[j] = u if first else pivot[j]
        pivot[LANES + j] = v if first else pivot[LANES + j]
        empty += 0 if valid or count[j] > 0.0 else 1
    return empty


@kernel
def _add(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    x = data[0][t, left : left + width]
    left = _left(data, left)
    y = data[1][t, left : left + width]
    for j in range(width):
        u = np.float64(x[j])
        v = y[j]
        valid = (u - u) + (v - v) == 0.0
        d = u - pivot[j]
        e = v - pivot[LANES + j]
        d = d if valid else 0.0
        e = e if valid else 0.0
        new[j] = old[j] + (1.0 if valid else 0.0)
        new[_X + j] = old[_X + j] + d
        new[_Y + j] = old[_Y + j] + e
        new[_XX + j] = old[_XX + j] + d * d
        new[_YY + j] = old[_YY + j] + e * e
        new[_XY + j] = old[_XY + j] + d * e


@kernel
def _finish(a, b, pivot, gap, out, age, options):  # type: ignore[no-untyped-def]
    least, limit, statistic, ddof = options
    for j in range(len(out)):
        n = a[j] + b[j]
        g = gap[j]
        h = gap[LANES + j]
        g = g if b[j] > 0.0 else 0.0
        h = h if b[j] > 0.0 else 0.0
        shift = b[j] * g
        lift = b[j] * h
        x = a[_X + j] + (b[_X + j] + shift)
        y = a[_Y + j] + (b[_Y + j] + lift)
        xx = a[_XX + j] + (b[_XX + j] + g * (2.0 * b[_X + j] + shift)) - x * x / n
        yy = a[_YY + j] + (b[_YY + j] + h * (2.0 * b[_Y + j] + lift)) - y * y / n
        xy = a[_XY + j] + (b[_XY + j] + g * b[_Y + j] + h * (b[_X + j] + shift)) - x * y / n
        enough = n >= least
        if statistic == COV:
            value = xy / (n - ddof)
            enough = enough and n > ddof
        elif statistic == BETA:
            value = xy / yy
            enough = enough and yy > LEAST_SQUARE
        else:
            value = max(-1.0, min(1.0, xy / (np.sqrt(xx) * np.sqrt(yy))))
            enough = enough and xx > LEAST_SQUARE and yy > LEAST_SQUARE
        out[j] = value if enough and abs(value) <= limit else np.nan
