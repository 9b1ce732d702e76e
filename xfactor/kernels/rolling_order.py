"""Order statistics of trailing windows: extremes, quantiles, ranks. They are exact.

Extremes come from the two parts of a window like sums. For quantiles and ranks the valid values of
a column's window are kept in order: each date one value goes and one comes, and those between the
two places move by one. Two binary searches and a move of a third of the window, on average, cost
less than a heap up to windows of thousands of dates.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.rolling_blocks import LANES, run

# Columns turned into rows together: the float64 of one cache line.
COLUMNS = 8
# Values searched by counting: a jump that is guessed wrong costs more than a few dozen comparisons.
COUNTED = 128


def extreme_rows(x: np.ndarray, *, sign: float, **where: int) -> np.ndarray:
    """Smallest (`sign` 1) or largest (-1) value of each column's windows."""
    steps = (_no_pivot, _add_extreme, _add_extreme, _extreme)
    return run((compilable(x),), steps, 2, (sign, 0), blank=np.inf, **where)


def quantile_rows(x: np.ndarray, *, q: float, **where: int) -> np.ndarray:
    """The q-th quantile, interpolated between neighbours."""
    return _in_order(x, _quantile, (q, 0.0, 0.0), **where)


def rank_rows(
    x: np.ndarray, *, weights: tuple[float, float], pct: bool, **where: int
) -> np.ndarray:
    """Rank of the newest value: the first and last place of values equal to it, weighted."""
    return _in_order(x, _rank, (*weights, float(pct)), **where)


# --- extremes -----------------------------------------------------------------------------------


@kernel
def _no_pivot(count, pivot, data, t, left, width):  # type: ignore[no-untyped-def]
    return 0


@kernel
def _add_extreme(old, new, pivot, data, t, left, width, age, options):  # type: ignore[no-untyped-def]
    sign = options[2]
    x = data[0][t, left : left + width]
    for j in range(width):
        v = np.float64(x[j])
        valid = v - v == 0.0
        signed = sign * v if valid else np.inf
        best = old[LANES + j]
        new[j] = old[j] + (1.0 if valid else 0.0)
        new[LANES + j] = signed if signed < best else best


@kernel
def _extreme(a, b, pivot, gap, out, age, options):  # type: ignore[no-untyped-def]
    least, _, sign, _ = options
    for j in range(len(out)):
        v = a[LANES + j]
        w = b[LANES + j]
        value = sign * (v if v < w else w)
        out[j] = value + 0.0 if a[j] + b[j] >= least else np.nan  # no -0.0: which zero is chance


# --- windows in order ---------------------------------------------------------------------------


def _in_order(
    x: np.ndarray,
    read: Callable[..., Any],
    extra: tuple[float, float, float],
    *,
    window: int,
    min_obs: int,
    offset: int,
    start: int,
    stop: int,
) -> np.ndarray:
    x = compilable(x)
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    _ordered(x, out, read, window, start, max(min_obs, 1), extra)
    return out


@kernel
def _ordered(x, out, read, window, start, least, extra):  # type: ignore[no-untyped-def]
    n = x.shape[1]
    n_rows = start + out.shape[0]
    columns = np.empty((COLUMNS, n_rows))
    results = np.empty((COLUMNS, n_rows))
    values = np.empty(min(window, n_rows) + 1)
    for left in range(0, n, COLUMNS):
        width = min(COLUMNS, n - left)
        for t in range(n_rows):
            for j in range(width):
                v = np.float64(x[t, left + j])
                columns[j, t] = v + 0.0 if v - v == 0.0 else np.nan
        for j in range(width):
            _slide(columns[j], results[j], values, read, window, least, extra)
        for t in range(start, n_rows):
            for j in range(width):
                out[t - start, left + j] = results[j, t]


@kernel
def _slide(column, result, values, read, window, least, extra):  # type: ignore[no-untyped-def]
    """Move the window over one column; `values` holds its valid values in order."""
    n = 0
    for t in range(len(column)):
        new = column[t]
        old = column[t - window] if t >= window else np.nan
        come = new == new
        go = old == old
        if come or go:
            # Where nothing goes or comes, it is as if it did at the end.
            gone, to = _places(values, n, old if go else np.inf, new if come else np.inf)
            if gone < to:
                to -= 1
                _close(values[gone : to + 1])
            else:
                _open(values[to : gone + 1])
            if come:
                values[to] = new
            n += (1 if come else 0) - (1 if go else 0)
        result[t] = read(values, n, new, extra) if n >= least else np.nan


@kernel
def _places(values, n, u, v):  # type: ignore[no-untyped-def]
    """How many of the first n values are less than u, and how many less than v."""
    a = 0
    b = 0
    while n > COUNTED:
        half = n // 2
        a += half if values[a + half - 1] < u else 0
        b += half if values[b + half - 1] < v else 0
        n -= half
    # The rest is counted: a loop without jumps, four at a time.
    near_u = values[a : a + n]
    near_v = values[b : b + n]
    for i in range(n):
        a += near_u[i] < u
        b += near_v[i] < v
    return a, b


@kernel
def _close(part):  # type: ignore[no-untyped-def]
    """Move all but the first of `part` one place down, by fours: such moves run as vectors."""
    m = len(part) - 1
    i = 0
    while i < m - 4:
        p, q, r, s = part[i + 1], part[i + 2], part[i + 3], part[i + 4]
        part[i] = p
        part[i + 1] = q
        part[i + 2] = r
        part[i + 3] = s
        i += 4
    while i < m:
        part[i] = part[i + 1]
        i += 1


@kernel
def _open(part):  # type: ignore[no-untyped-def]
    """Move all but the last of `part` one place up."""
    i = len(part) - 1
    while i >= 4:
        p, q, r, s = part[i - 1], part[i - 2], part[i - 3], part[i - 4]
        part[i] = p
        part[i - 1] = q
        part[i - 2] = r
        part[i - 3] = s
        i -= 4
    while i > 0:
        part[i] = part[i - 1]
        i -= 1


@kernel
def _quantile(values, n, new, extra):  # type: ignore[no-untyped-def]
    place = extra[0] * (n - 1)
    low = int(place)
    part = place - low
    a = values[low]
    if part == 0.0:
        return a
    b = values[low + 1]
    if part == 0.5:  # the mean of two, as everyone rounds it
        return 0.5 * (a + b) if abs(a + b) < np.inf else 0.5 * a + 0.5 * b
    return a + (b - a) * part if part < 0.5 else b - (b - a) * (1.0 - part)


@kernel
def _rank(values, n, new, extra):  # type: ignore[no-untyped-def]
    if new != new:
        return np.nan
    first, last = _places(values, n, new, np.nextafter(new, np.inf))
    return (extra[0] * (first + 1) + extra[1] * last) / (n if extra[2] else 1)
