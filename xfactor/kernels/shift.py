"""Moving values along the dates: lags, changes and returns over several dates."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import kernel


def lag_rows(
    x: np.ndarray, *, periods: int, fill: Any, offset: int, start: int, stop: int
) -> np.ndarray:
    """Row t gets row t - periods; `fill` where that lies before the first row."""
    known = max(periods - start, 0)
    if known == 0 < periods:  # rows that were joined for this: nobody else has them
        return x[start - periods : stop - periods]
    out = np.empty((stop - start, *x.shape[1:]), dtype=x.dtype)
    out[:known] = fill
    if known < stop - start:
        out[known:] = x[start + known - periods : stop - periods]
    return out


def lead_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """Row t of a mask gets row t + periods; False where that lies behind the last row."""
    out = np.zeros((stop - start, *x.shape[1:]), dtype=x.dtype)
    later = x[start + periods : stop + periods]
    out[: len(later)] = later
    return out


def diff_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """x[t] - x[t - periods]; NaN where either is missing."""
    return _changes(_diff, x, periods, start, stop)


def growth_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """(x[t] - x[t - periods]) / |x[t - periods]|; NaN where either is missing, or the latter 0."""
    return _changes(_growth, x, periods, start, stop)


def return_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """x[t] / x[t - periods] - 1; NaN unless the earlier price is > 0 and the later one >= 0."""
    return _changes(_return, x, periods, start, stop)


def _changes(
    change: Callable[..., None], x: np.ndarray, periods: int, start: int, stop: int
) -> np.ndarray:
    """``change(new, old, limit, out)`` of each row and the one `periods` before."""
    out = np.empty((stop - start, *x.shape[1:]), dtype=x.dtype)
    known = min(max(periods - start, 0), len(out))
    out[:known] = np.nan
    x = compilable(x)
    new, old = x[start + known : stop], x[start + known - periods : stop - periods]
    limit = float(np.finfo(x.dtype).max)
    change(new.reshape(-1), old[: len(new)].reshape(-1), limit, out[known:].reshape(-1))
    return out


# In float64: a return of 1e-4 has 3 digits left after 1.0001 was rounded to float32. What is not
# finite, or beyond what the result can hold, is missing.


@kernel
def _diff(new, old, limit, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        change = np.float64(new[i]) - np.float64(old[i])
        out[i] = change if abs(change) <= limit else np.nan


@kernel
def _growth(new, old, limit, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        past = np.float64(old[i])
        change = (np.float64(new[i]) - past) / abs(past)
        out[i] = change if abs(change) <= limit else np.nan


@kernel
def _return(new, old, limit, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        now, past = np.float64(new[i]), np.float64(old[i])
        change = now / past - 1.0
        known = (past > 0.0) & (past < np.inf) & (now >= 0.0) & (abs(change) <= limit)
        out[i] = change if known else np.nan


def forward_rows(
    x: np.ndarray, *, periods: int, skip: int, log: bool, offset: int, start: int, stop: int
) -> np.ndarray:
    """Compound return over rows t+skip+1 .. t+skip+periods; NaN where any of them is missing.

    A return of -1 or less leaves nothing, whatever comes after it; its logarithm is missing.
    """
    out = np.full((stop - start, *x.shape[1:]), np.nan, dtype=x.dtype)
    full = min(stop, len(x) - periods - skip) - start
    if full <= 0 or x.size == 0:
        return out
    first = start + skip + 1
    ahead = x[first : first + full + periods - 1].reshape(full + periods - 1, -1)
    flat = out.reshape(len(out), -1)
    for columns in row_blocks(ahead.shape[1], len(ahead)):
        r = np.ascontiguousarray(ahead[:, columns], dtype=np.float64)
        ruin = r <= -1.0
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            growth = np.where(ruin, 1.0, 1.0 + r)
            growth[~np.isfinite(r)] = np.nan
            growth = _over(np.multiply, growth, periods)
            if ruin.any():
                growth[_over(np.logical_or, ruin, periods) & ~np.isnan(growth)] = 0.0
            if log:
                growth = np.log(np.where(growth > 0.0, growth, np.nan))
            else:
                growth -= 1.0
            growth[~(growth <= np.finfo(x.dtype).max)] = np.nan
        flat[:full, columns] = growth
    return out


def _over(join: np.ufunc, x: np.ndarray, periods: int) -> np.ndarray:
    """`join` rows t .. t + periods - 1 of x: the joins of 1, 2, 4, ... rows, and of these.

    What is joined first depends on `periods` only, so the bits are the same wherever x begins.
    """
    n = len(x) - periods + 1
    parts, taken, width = [], 0, 1
    while width <= periods:
        if periods & width:
            parts.append(x[taken : taken + n])
            taken += width
        if 2 * width <= periods:
            x = join(x[:-width], x[width:])
        width *= 2
    return reduce(join, parts)
