"""Moving values along the dates: lags, changes and returns over several dates."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xfactor.kernels._blocks import row_blocks


def lag_rows(
    x: np.ndarray, *, periods: int, fill: Any, offset: int, start: int, stop: int
) -> np.ndarray:
    """Row t gets row t - periods; `fill` where that lies before the first row."""
    out = np.full((stop - start, *x.shape[1:]), fill, dtype=x.dtype)
    known = max(periods - start, 0)
    if known < stop - start:
        out[known:] = x[start + known - periods : stop - periods]
    return out


def diff_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """x[t] - x[t - periods]; NaN where either is missing."""
    return _changes(lambda new, old: new - old, x, periods, start, stop)


def growth_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """(x[t] - x[t - periods]) / |x[t - periods]|; NaN where either is missing, or the latter 0."""
    return _changes(lambda new, old: (new - old) / np.abs(old), x, periods, start, stop)


def return_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """x[t] / x[t - periods] - 1; NaN where either is missing or the earlier one is not > 0."""
    return _changes(_return, x, periods, start, stop)


def _return(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    change = new / old - 1.0
    change[~((old > 0) & (old < np.inf))] = np.nan
    return change


def _changes(
    change: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    periods: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """``change(new, old)`` of each row and the one `periods` before; NaN where it is not finite."""
    out = np.full((stop - start, *x.shape[1:]), np.nan, dtype=x.dtype)
    known = max(periods - start, 0)
    for rows in row_blocks(stop - start - known, x[0].size if len(x) else 0):
        first, last = start + known + rows.start, start + known + rows.stop
        # In float64: a return of 1e-4 has 3 digits left after 1.0001 was rounded to float32.
        past = x[first - periods : last - periods].astype(np.float64)
        part = out[first - start : last - start]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            part[...] = change(x[first:last], past)
        part[~np.isfinite(part)] = np.nan  # also what float32 cannot hold
    return out


def forward_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """Compound return over rows t+1 .. t+periods; NaN where any of them is missing."""
    out = np.full((stop - start, *x.shape[1:]), np.nan, dtype=x.dtype)
    full = min(stop, len(x) - periods) - start
    if full > 0:
        growth = np.ones((full, *x.shape[1:]))
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(1, periods + 1):
                ahead = x[start + k : start + k + full].astype(np.float64)
                growth *= 1.0 + ahead
            growth[~np.isfinite(growth)] = np.nan
            out[:full] = growth - 1.0
        out[~np.isfinite(out)] = np.nan
    return out
