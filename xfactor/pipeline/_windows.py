"""Statistics of trailing windows that no labelled function gives, in NumPy.

What can be joined from neighbouring parts is made of windows of 1, 2, 4, ... dates: few passes over
the data, and which parts are joined depends on the length only, so that chunks do not matter.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply
from xfactor.kernels._blocks import row_blocks
from xfactor.kernels.rank import AVERAGE, rank_rows

Parts = tuple[np.ndarray, ...]
# Joins the parts of older rows with those of as many newer rows; also told how many the older are.
Join = Callable[[Parts, Parts, int], Parts]


def windows_of(
    kernel: Callable[..., Any],
    values: Sequence[xr.DataArray],
    window: int,
    what: str,
    dtype: Any = None,
    **options: Any,
) -> xr.DataArray:
    """Run a kernel of trailing windows on arrays."""
    run = partial(kernel, window=window, **options)
    outs = [_apply.Out((), dtype or values[0].dtype)]
    args = [_apply.Arg(v) for v in values]
    return _apply.window(run, args, outs, before=window - 1, what=what)[0]


def drawdown_rows(x: np.ndarray, *, window: int, offset: int, start: int, stop: int) -> np.ndarray:
    """Largest fall from a peak to a later value, over the peak; values below 0 are missing."""

    def begin(x: np.ndarray) -> Parts:
        x = np.where(x >= 0, x, np.nan)
        return x, x, x * 0

    def join(a: Parts, b: Parts, width: int) -> Parts:
        fall = (a[0] - b[1]) / a[0]
        worst = np.fmax(np.fmax(a[2], b[2]), fall)
        return np.fmax(a[0], b[0]), np.fmin(a[1], b[1]), worst

    return _joined(x, begin, join, lambda parts: parts[2], window, start, stop)


def place_rows(
    x: np.ndarray, *, sign: int, window: int, offset: int, start: int, stop: int
) -> np.ndarray:
    """Place of the largest (`sign` 1) or smallest (-1) value, the first of equals.

    From 0 for the oldest row of the window to 100 for the newest.
    """

    def begin(x: np.ndarray) -> Parts:
        return sign * x, np.where(x == x, 0.0, np.nan)

    def join(a: Parts, b: Parts, width: int) -> Parts:
        newer = (b[0] > a[0]) | np.isnan(a[0])
        return np.where(newer, b[0], a[0]), np.where(newer, b[1] + width, a[1])

    def finish(parts: Parts) -> np.ndarray:
        return 100.0 * parts[1] / (window - 1)

    return _joined(x, begin, join, finish, window, start, stop)


def _joined(
    x: np.ndarray,
    begin: Callable[[np.ndarray], Parts],
    join: Join,
    finish: Callable[[Parts], np.ndarray],
    window: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Windows joined from parts, some columns at a time; infinite values are missing."""
    first = start - window + 1
    lacking = max(-first, 0)  # rows before the history
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    for columns in row_blocks(x.shape[1], stop - first):
        rows = np.full((stop - first, len(range(*columns.indices(x.shape[1])))), np.nan)
        rows[lacking:] = x[first + lacking : stop, columns]
        rows[np.isinf(rows)] = np.nan
        with np.errstate(all="ignore"):
            out[:, columns] = finish(_over(join, begin(rows), window))
    return out


def _over(join: Join, parts: Parts, window: int) -> Parts:
    """Join `window` neighbouring rows."""
    n = len(parts[0]) - window + 1
    done: Parts | None = None
    taken, width = 0, 1
    while True:
        if window & width:
            newer = tuple(p[taken : taken + n] for p in parts)
            done = newer if done is None else join(done, newer, taken)
            taken += width
        if 2 * width > window:
            assert done is not None  # the highest bit of `window` is set
            return done
        parts = join(tuple(p[:-width] for p in parts), tuple(p[width:] for p in parts), width)
        width *= 2


def count_rows(
    x: np.ndarray, *, least: int, window: int, offset: int, start: int, stop: int
) -> np.ndarray:
    """True where at least `least` of the last `window` rows are true."""
    total = np.cumsum(x, axis=0, dtype=np.int32)
    count = total[start:stop].copy()
    whole = min(max(window - start, 0), stop - start)  # windows that begin before the rows
    count[whole:] -= total[start + whole - window : stop - window]
    return count >= least


def spearman_rows(
    x: np.ndarray, y: np.ndarray, *, window: int, offset: int, start: int, stop: int
) -> np.ndarray:
    """Correlation of average ranks over complete windows; y (date, n), or (date,) for all columns.

    Ranks are halves, so that the sums of their products are exact.
    """
    out = np.full((stop - start, x.shape[1]), np.nan, dtype=x.dtype)
    first = max(start, window - 1)
    if first >= stop or not x.shape[1]:
        return out
    y = y.reshape(len(y), -1)
    held = slice(first - window + 1, stop)
    a, b = (np.lib.stride_tricks.sliding_window_view(v[held], window, axis=0) for v in (x, y))
    for rows in row_blocks(len(a), window * x.shape[1]):
        out[first - start + rows.start : first - start + rows.stop] = _spearman(a[rows], b[rows])
    return out


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of windows (date, n, window), and (date, n or 1, window)."""
    found = np.full(a.shape[:2], np.nan)
    known_b = np.isfinite(b).all(axis=-1)
    known = np.isfinite(a).all(axis=-1) & known_b
    ranks_b = np.full(b.shape, np.nan)
    ranks_b[known_b] = _ranks(b[known_b])
    for part in row_blocks(int(known.sum()), a.shape[-1]):
        date, column = (place[part] for place in np.nonzero(known))
        u = _ranks(a[date, column])
        v = ranks_b[date, column if b.shape[1] > 1 else 0]
        uu, vv, uv = ((p * q).sum(axis=-1) for p, q in ((u, u), (v, v), (u, v)))
        varies = (uu > 0) & (vv > 0)
        r = uv[varies] / np.sqrt(uu[varies] * vv[varies])
        found[date[varies], column[varies]] = np.clip(r, -1.0, 1.0)
    return found


def _ranks(rows: np.ndarray) -> np.ndarray:
    """Average ranks of each row, less their mean."""
    ranks = rank_rows(np.ascontiguousarray(rows, dtype=np.float64), method=AVERAGE)
    return ranks - (rows.shape[-1] + 1) / 2
