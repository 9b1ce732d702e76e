"""Recursions along the dates that carry a level, a last value or its age from row to row.

One row is taken at a time, so a result does not depend on where the history is cut into chunks.
Compound returns of a window are made from blocks of dates, as in `rolling`.
"""

from typing import Any

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel

# Columns worked on together: their state and a row of each array stay in the L1 cache.
LANES = 512
# The parts of a window of 250 for so many columns stay in L2.
WINDOW_LANES = 128
NO_LIMIT = np.iinfo(np.int64).max


def compound_rows(
    state: np.ndarray | None, x: np.ndarray, *, most: float, offset: int
) -> tuple[tuple[np.ndarray], np.ndarray]:
    """Wealth from 1 on, never above `most`, less 1; NaN where the return is missing.

    With a `most` of 1 it is wealth relative to its peak. Who has lost everything has nothing:
    wealth is never negative, and stays at 0.
    """
    x = compilable(x)
    level = np.ones(x.shape[1]) if state is None else state.copy()
    out = np.empty_like(x)
    _compound(x, level, out, most, float(np.finfo(x.dtype).max))
    return (out,), level


@kernel
def _compound(x, level, out, most, largest):  # type: ignore[no-untyped-def]
    rows, n = x.shape
    for left in range(0, n, LANES):
        right = min(left + LANES, n)
        for t in range(rows):
            for j in range(left, right):
                r = np.float64(x[t, j])
                known = r - r == 0.0
                step = (1.0 + r if r > -1.0 else 0.0) if known else 1.0
                new = level[j] * step if step > 0.0 else 0.0  # not inf * 0
                new = new if new < most else most
                level[j] = new
                # Beyond the floats is missing, not infinite.
                out[t, j] = new - 1.0 if known and new - 1.0 <= largest else np.nan


def compound_window(
    x: np.ndarray, *, window: int, min_obs: int, offset: int, start: int, stop: int
) -> np.ndarray:
    """Compound return of the rows t - window + 1 .. t, of those that are known."""
    x = compilable(x)
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    least = float(max(min_obs, 1))
    _compound_window(x, out, window, least, offset, start, float(np.finfo(x.dtype).max))
    return out


@kernel
def _compound_window(x, out, window, min_obs, offset, start, largest):  # type: ignore[no-untyped-def]
    # A part of a window: the count of its returns and their growth, WINDOW_LANES of each.
    n_rows, n = x.shape
    stop = start + out.shape[0]
    longest = min(window, n_rows)
    suffix = np.empty((longest + 1, 2 * WINDOW_LANES))
    prefix = np.empty(2 * WINDOW_LANES)
    _nothing(suffix[longest])  # stays so: no older block
    for left in range(0, n, WINDOW_LANES):
        width = min(WINDOW_LANES, n - left)
        row = 0
        before = 0  # where the block before begins
        while row < stop:
            block_end = min(row + window - (offset + row) % window, n_rows)
            _nothing(prefix)
            for t in range(row, min(block_end, stop)):
                _grow(prefix, prefix, x[t], left, width)
                if t >= start:
                    # Rows t - window + 1 .. row - 1 are a suffix of the block before, if any.
                    first = t - window + 1
                    older = suffix[first - before if 0 < row and first < row else longest]
                    _join(prefix, older, out[t - start], left, width, min_obs, largest)
            if block_end < stop:
                for t in range(block_end - 1, row - 1, -1):
                    newer = suffix[t + 1 - row if t < block_end - 1 else longest]
                    _grow(newer, suffix[t - row], x[t], left, width)
            before = row
            row = block_end


@kernel
def _nothing(part):  # type: ignore[no-untyped-def]
    for j in range(WINDOW_LANES):
        part[j] = 0.0
        part[WINDOW_LANES + j] = 1.0


@kernel
def _grow(old, new, x, left, width):  # type: ignore[no-untyped-def]
    """Put the count and growth of `old` and one more row into `new`, which may be `old`."""
    for j in range(width):
        r = np.float64(x[left + j])
        known = r - r == 0.0
        step = (1.0 + r if r > -1.0 else 0.0) if known else 1.0
        new[j] = old[j] + (1.0 if known else 0.0)
        new[WINDOW_LANES + j] = old[WINDOW_LANES + j] * step if step > 0.0 else 0.0


@kernel
def _join(a, b, out, left, width, min_obs, largest):  # type: ignore[no-untyped-def]
    for j in range(width):
        one, other = a[WINDOW_LANES + j], b[WINDOW_LANES + j]
        value = (one * other if one > 0.0 and other > 0.0 else 0.0) - 1.0
        out[left + j] = value if a[j] + b[j] >= min_obs and value <= largest else np.nan


def age_rows(
    state: tuple[np.ndarray, np.ndarray] | None, x: np.ndarray, *, offset: int
) -> tuple[tuple[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Rows since the value last changed; NaN where it is missing."""
    x = compilable(x)
    if state is None:
        last, age = np.full(x.shape[1], np.nan), np.zeros(x.shape[1], dtype=np.int64)
    else:
        last, age = state[0].copy(), state[1].copy()
    out = np.empty_like(x)
    _age(x, last, age, out)
    return (out,), (last, age)


@kernel
def _age(x, last, age, out):  # type: ignore[no-untyped-def]
    for t in range(x.shape[0]):
        for j in range(x.shape[1]):
            v = np.float64(x[t, j])
            known = v - v == 0.0
            changed = known and v != last[j]  # also from the NaN of an asset not seen yet
            age[j] = 0 if changed else age[j] + 1
            last[j] = v if changed else last[j]
            out[t, j] = age[j] if known else np.nan


def fill_rows(
    state: tuple[np.ndarray, np.ndarray] | None, x: np.ndarray, *, fill: Any, offset: int
) -> tuple[tuple[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The last known value; `fill` is what stands for missing."""
    x = compilable(x)
    last, age = _unseen(x, fill) if state is None else (state[0].copy(), state[1].copy())
    out = np.empty_like(x)
    _fill(x, last, age, out, fill, NO_LIMIT, 0)
    return (out,), (last, age)


def fill_window(
    x: np.ndarray, *, limit: int, fill: Any, offset: int, start: int, stop: int
) -> np.ndarray:
    """The last known value, if it is at most `limit` rows old."""
    x = compilable(x)
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    _fill(x[:stop], *_unseen(x, fill), out, fill, limit, start)
    return out


def _unseen(x: np.ndarray, fill: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.full(x.shape[1], fill, dtype=x.dtype), np.zeros(x.shape[1], dtype=np.int64)


@kernel
def _fill(x, last, age, out, fill, limit, start):  # type: ignore[no-untyped-def]
    for t in range(x.shape[0]):
        for j in range(x.shape[1]):
            v = x[t, j]
            known = v - v == 0 and v != fill  # floats by the first, codes by the second
            age[j] = 0 if known else age[j] + 1
            last[j] = v if known else last[j]
            if t >= start:
                out[t - start, j] = last[j] if age[j] <= limit else fill
