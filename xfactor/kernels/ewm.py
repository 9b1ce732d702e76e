"""Exponentially weighted means along the dates, over the whole past or a trailing window.

A value k rows back has the weight decay^k. Weights are kept relative to that of the newest known
value, so that they do not vanish over a gap, however long. A mean is updated value by value (West
1979): nothing is subtracted from a running sum, and the mean of equal values is that value.

A state, and a part of a window, is one flat row of LANES numbers of each kind: the compiler sees
how far apart they lie and vectorises. A window is joined from a suffix of one block of rows and a
prefix of the next, as in `rolling`; a prefix is a state that begins with its block.
"""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel

# Columns worked on together: a state stays in the L1 cache, the suffixes of a window of 250 in L2.
LANES = 128

# Kinds: COUNT of known values, WEIGHT their sum of weights, their MEAN. FADED: in a state the
# weight of the newest known value as seen from the last row, in a suffix that of its first row.
# REACH: the weight of the newest value as seen from the border between suffix and prefix.
COUNT, WEIGHT, FADED, REACH, MEAN = (LANES * k for k in range(5))
KINDS = 5

# A weight below is none: products of smaller ones leave the range of floats.
NO_WEIGHT = 1e-300


def mean_rows(
    state: np.ndarray | None, x: np.ndarray, *, decay: float, min_obs: int, offset: int
) -> tuple[tuple[np.ndarray], np.ndarray]:
    """Weighted mean of each column up to each row."""
    x = compilable(x)
    state = begin(x, KINDS) if state is None else state.copy()
    out = np.empty_like(x)
    _mean_rows(x, state, out, decay, float(min_obs))
    return (out,), state


def mean_window(
    x: np.ndarray,
    *,
    decay: float,
    min_obs: int,
    window: int,
    offset: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Weighted mean of each column over the window that ends at each row."""
    x = compilable(x)
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    _mean_window(x, out, decay, float(min_obs), window, offset, start)
    return out


def begin(x: np.ndarray, kinds: int) -> np.ndarray:
    """A state for each LANES columns, in which nothing is known yet."""
    return np.zeros((-(-x.shape[1] // LANES), kinds * LANES))


@kernel
def _mean_rows(x, state, out, decay, min_obs):  # type: ignore[no-untyped-def]
    nothing = np.zeros(KINDS * LANES)
    for block in range(state.shape[0]):
        left = block * LANES
        width = min(LANES, x.shape[1] - left)
        for t in range(x.shape[0]):
            _add_mean(state[block], x[t], left, width, decay, 1.0)
            _put_mean(nothing, state[block], out[t], left, width, min_obs)


@kernel
def _mean_window(x, out, decay, min_obs, window, offset, start):  # type: ignore[no-untyped-def]
    n_rows, n = x.shape
    stop = start + out.shape[0]
    longest = min(window, n_rows)
    suffix = np.zeros((longest + 1, KINDS * LANES))  # the last one stays empty
    suffix[longest, REACH : REACH + LANES].fill(1.0)
    state = np.zeros(KINDS * LANES)
    for left in range(0, n, LANES):
        width = min(LANES, n - left)
        row = 0
        before = 0  # where the block before begins
        while row < stop:
            block_end = min(row + window - (offset + row) % window, n_rows)
            state.fill(0.0)
            reach = 1.0
            for t in range(row, min(block_end, stop)):
                reach *= decay
                _add_mean(state, x[t], left, width, decay, reach)
                if t >= start:
                    # Rows t - window + 1 .. row - 1 are a suffix of the block before, if any.
                    first = t - window + 1
                    older = suffix[first - before if 0 < row and first < row else longest]
                    _put_mean(older, state, out[t - start], left, width, min_obs)
            if block_end < stop:
                for t in range(block_end - 1, row - 1, -1):
                    newer = suffix[t + 1 - row if t < block_end - 1 else longest]
                    _add_older_mean(newer, suffix[t - row], x[t], left, width, decay)
            before = row
            row = block_end


@kernel
def _add_mean(s, x, left, width, decay, reach):  # type: ignore[no-untyped-def]
    """Let a state take in the next row."""
    for j in range(width):
        v = np.float64(x[left + j])
        known = v - v == 0.0
        faded = s[FADED + j] * decay
        faded = faded if faded > NO_WEIGHT else 0.0
        older = s[WEIGHT + j] * faded
        weight = older + 1.0
        mean = s[MEAN + j]
        # From the heavier side: rounding is then small beside what that side brings.
        new = mean + (v - mean) / weight if older > 1.0 else v - (v - mean) * (older / weight)
        s[MEAN + j] = new if known else mean
        s[WEIGHT + j] = weight if known else s[WEIGHT + j]
        s[FADED + j] = 1.0 if known else faded
        s[REACH + j] = reach if known else s[REACH + j]
        s[COUNT + j] += 1.0 if known else 0.0


@kernel
def _add_older_mean(old, new, x, left, width, decay):  # type: ignore[no-untyped-def]
    """Put the suffix `old` and the row before it into `new`."""
    for j in range(width):
        v = np.float64(x[left + j])
        known = v - v == 0.0
        first = old[COUNT + j] == 0.0
        faded = 1.0 if first else old[FADED + j] * decay
        faded = faded if faded > NO_WEIGHT else 0.0
        added = faded if known else 0.0
        weight = old[WEIGHT + j] + added
        change = (v - old[MEAN + j]) * (added / weight)
        new[MEAN + j] = old[MEAN + j] + (change if known else 0.0)
        new[WEIGHT + j] = weight
        new[FADED + j] = faded
        new[REACH + j] = old[REACH + j] * (decay if first and not known else 1.0)
        new[COUNT + j] = old[COUNT + j] + (1.0 if known else 0.0)


@kernel
def _put_mean(a, b, out, left, width, min_obs):  # type: ignore[no-untyped-def]
    """Mean of an older part and a newer one."""
    for j in range(width):
        older = a[WEIGHT + j] * a[REACH + j] * b[REACH + j]
        share = older / (older + b[WEIGHT + j])
        mean = b[MEAN + j] + (a[MEAN + j] - b[MEAN + j]) * share
        mean = a[MEAN + j] if b[COUNT + j] == 0.0 else mean
        enough = a[COUNT + j] + b[COUNT + j] >= min_obs
        out[left + j] = mean if enough and mean - mean == 0.0 else np.nan
