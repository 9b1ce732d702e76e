"""Moving values along the dates: lags and returns over several dates."""

from typing import Any

import numpy as np


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
    past = lag_rows(x, periods=periods, fill=np.nan, offset=offset, start=start, stop=stop)
    past[~(past > 0)] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        out = x[start:stop] / past - x.dtype.type(1)
    out[~np.isfinite(out)] = np.nan
    return out


def forward_rows(x: np.ndarray, *, periods: int, offset: int, start: int, stop: int) -> np.ndarray:
    """Compound return over rows t+1 .. t+periods; NaN where any of them is missing."""
    out = np.full((stop - start, *x.shape[1:]), np.nan, dtype=x.dtype)
    full = min(stop, len(x) - periods) - start
    if full > 0:
        growth = np.ones((full, *x.shape[1:]))
        for k in range(1, periods + 1):
            growth *= 1.0 + x[start + k : start + k + full]
        growth[~np.isfinite(growth)] = np.nan
        out[:full] = growth - 1.0
    return out
