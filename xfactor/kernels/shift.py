"""Moving values along the dates: lags and returns over several dates."""

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


def return_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """x[t] / x[t - periods] - 1; NaN where either is missing or the earlier one is not > 0."""
    out = np.full((stop - start, *x.shape[1:]), np.nan, dtype=x.dtype)
    known = max(periods - start, 0)
    for rows in row_blocks(stop - start - known, x[0].size if len(x) else 0):
        first, last = start + known + rows.start, start + known + rows.stop
        past = x[first - periods : last - periods].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            # In float64: a return of 1e-4 has 3 digits left after 1.0001 was rounded to float32.
            change = x[first:last] / past - 1.0
            change[~((past > 0) & (past < np.inf) & np.isfinite(change))] = np.nan
            out[first - start : last - start] = change
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
