"""Exponentially weighted variances and covariances along the dates.

As the means of `ewm`, whose states and suffixes these extend: mean squares about the mean are
updated value by value too, and equal values have a variance of exactly 0. The mean that squares are
taken about is kept in two floats, the second for the digits that the first has lost, so that a
high level of the data costs none.
"""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.ewm import COUNT, FADED, LANES, MEAN, NO_WEIGHT, REACH, WEIGHT, begin

# Further kinds: what MEAN has LOST, and both of y. SQUARE: the mean square (in a suffix: the sum).
# PAIRS: twice the sum of w_i w_j over pairs, in a state as a share of WEIGHT squared; it is what
# takes the bias off. VALUE: without bias.
LOST, Y_MEAN, Y_LOST, SQUARE, PAIRS, VALUE = (MEAN + LANES * k for k in range(1, 7))
KINDS = 11

# Fewer pairs than these have lost digits on the way, see `_mend`.
FEW_PAIRS = 1e-250


def moment_rows(
    state: np.ndarray | None,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    decay: float,
    min_obs: int,
    bias: bool,
    root: bool,
    offset: int,
) -> tuple[tuple[np.ndarray], np.ndarray]:
    """Weighted covariance of x and y (n columns or one), or variance of x, up to each row."""
    x = compilable(x)
    state = begin(x, KINDS) if state is None else state.copy()
    out = np.empty_like(x)
    how = (decay, _least(min_obs, decay, bias), bias, root, float(np.finfo(x.dtype).max))
    _moment_rows(x, _other(x, y), state, out, how)
    return (out,), state


def moment_window(
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    decay: float,
    min_obs: int,
    window: int,
    bias: bool,
    root: bool,
    offset: int,
    start: int,
    stop: int,
) -> np.ndarray:
    """Weighted covariance or variance over the window that ends at each row."""
    x = compilable(x)
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    how = (decay, _least(min_obs, decay, bias), bias, root, float(np.finfo(x.dtype).max))
    other = _other(x, y)
    if _moment_window(x, other, out, how, window, offset, start):
        _mend(x, other, out, how, window, start)
    return out


def _mend(
    x: np.ndarray, y: np.ndarray, out: np.ndarray, how: tuple[float, ...], window: int, start: int
) -> None:
    """Values again where all but the newest of a window have next to no weight: row by row.

    Numerator and denominator of the value have left the range of floats there; a state holds
    their ratio.
    """
    for row in np.flatnonzero(np.isinf(out).any(axis=1)):
        columns = np.flatnonzero(np.isinf(out[row]))
        rows = slice(max(start + row - window + 1, 0), start + row + 1)
        part = compilable(x[rows, columns])
        other = y[rows, columns] if y.shape[1] == x.shape[1] else y[rows]
        values = np.empty_like(part)
        _moment_rows(part, compilable(other), begin(part, KINDS), values, how)
        out[row, columns] = values[-1]


def _least(min_obs: int, decay: float, bias: bool) -> float:
    """The count that a variance needs: without bias two, and none will do if one alone weighs."""
    if bias:
        return float(min_obs)
    return float(max(min_obs, 2)) if decay > 0 else np.inf


def _other(x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    other = x if y is None else y if y.ndim == 2 else y[:, None]
    return compilable(other, np.float64)


@kernel
def _moment_rows(x, y, state, out, how):  # type: ignore[no-untyped-def]
    decay, min_obs, bias, root, largest = how
    line = np.empty(LANES)
    for block in range(state.shape[0]):
        left = block * LANES
        width = min(LANES, x.shape[1] - left)
        s = state[block]
        for t in range(x.shape[0]):
            u, u_left = _row_of(y, t, x.shape[1], left, line)
            _add(s, x[t], u, left, u_left, width, decay, 1.0)
            kind = SQUARE if bias else VALUE
            for j in range(width):
                v = np.sqrt(s[kind + j]) if root else s[kind + j]
                enough = s[COUNT + j] >= min_obs and np.abs(v) <= largest
                out[t, left + j] = v if enough else np.nan


@kernel
def _moment_window(x, y, out, how, window, offset, start):  # type: ignore[no-untyped-def]
    decay = how[0]
    n_rows, n = x.shape
    stop = start + out.shape[0]
    longest = min(window, n_rows)
    suffix = np.zeros((longest + 1, VALUE))  # the last one stays empty
    suffix[longest, REACH : REACH + LANES].fill(1.0)
    state = np.zeros(KINDS * LANES)
    line = np.empty(LANES)
    unsure = 0
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
                u, u_left = _row_of(y, t, n, left, line)
                _add(state, x[t], u, left, u_left, width, decay, reach)
                if t >= start:
                    first = t - window + 1
                    older = suffix[first - before if 0 < row and first < row else longest]
                    unsure += _put(older, state, out[t - start], left, width, how)
            if block_end < stop:
                for t in range(block_end - 1, row - 1, -1):
                    newer = suffix[t + 1 - row if t < block_end - 1 else longest]
                    u, u_left = _row_of(y, t, n, left, line)
                    _add_older(newer, suffix[t - row], x[t], u, left, u_left, width, decay)
            before = row
            row = block_end
    return unsure


@kernel
def _row_of(y, t, n, left, line):  # type: ignore[no-untyped-def]
    """A row of y and where in it the lanes begin; one value for all columns fills `line`."""
    if y.shape[1] == n:
        return y[t], left
    line.fill(y[t, 0])
    return line, 0


@kernel
def _add(s, x, y, left, y_left, width, decay, reach):  # type: ignore[no-untyped-def]
    """Let a state take in the next row."""
    for j in range(width):
        v = np.float64(x[left + j])
        u = y[y_left + j]
        known = (v - v) + (u - u) == 0.0
        faded = s[FADED + j] * decay
        faded = faded if faded > NO_WEIGHT else 0.0
        older = s[WEIGHT + j] * faded
        share = 1.0 / (older + 1.0)
        gap = (v - s[MEAN + j]) - s[LOST + j]
        y_gap = (u - s[Y_MEAN + j]) - s[Y_LOST + j]
        product = gap * y_gap if s[COUNT + j] > 0.0 else 0.0
        square = s[SQUARE + j]
        both = older * s[PAIRS + j] + 2.0
        # The older part's moments times `older`, divided by it: this stays right where it is 0.
        value = ((1.0 + older) * square + product) / both
        square = older * (square + product * share) * share
        # From the heavier side: rounding is then small beside what that side brings.
        heavy = older > 1.0
        rest = older * share
        mean = s[MEAN + j] if heavy else v
        low = s[LOST + j] + gap * share if heavy else -gap * rest
        high = mean + low
        y_mean = s[Y_MEAN + j] if heavy else u
        y_low = s[Y_LOST + j] + y_gap * share if heavy else -y_gap * rest
        y_high = y_mean + y_low
        s[VALUE + j] = value if known else s[VALUE + j]
        s[SQUARE + j] = square if known else s[SQUARE + j]
        s[PAIRS + j] = older * both * share * share if known else s[PAIRS + j]
        s[LOST + j] = low - (high - mean) if known else s[LOST + j]
        s[MEAN + j] = high if known else s[MEAN + j]
        s[Y_LOST + j] = y_low - (y_high - y_mean) if known else s[Y_LOST + j]
        s[Y_MEAN + j] = y_high if known else s[Y_MEAN + j]
        s[WEIGHT + j] = older + 1.0 if known else s[WEIGHT + j]
        s[FADED + j] = 1.0 if known else faded
        s[REACH + j] = reach if known else s[REACH + j]
        s[COUNT + j] += 1.0 if known else 0.0


@kernel
def _add_older(old, new, x, y, left, y_left, width, decay):  # type: ignore[no-untyped-def]
    """Put the suffix `old` and the row before it into `new`. MEAN stays at the newest value."""
    for j in range(width):
        v = np.float64(x[left + j])
        u = y[y_left + j]
        known = (v - v) + (u - u) == 0.0
        first = old[COUNT + j] == 0.0
        faded = 1.0 if first else old[FADED + j] * decay
        faded = faded if faded > NO_WEIGHT else 0.0
        added = faded if known else 0.0
        weight = old[WEIGHT + j] + added
        share = added / weight
        mean = v if first else old[MEAN + j]
        y_mean = u if first else old[Y_MEAN + j]
        gap = (v - mean) - old[LOST + j]
        y_gap = (u - y_mean) - old[Y_LOST + j]
        square = old[WEIGHT + j] * share * (gap * y_gap)
        new[SQUARE + j] = old[SQUARE + j] + (square if known and not first else 0.0)
        new[PAIRS + j] = old[PAIRS + j] + 2.0 * added * old[WEIGHT + j]
        new[LOST + j] = old[LOST + j] + (gap * share if known else 0.0)
        new[MEAN + j] = mean if known else old[MEAN + j]
        new[Y_LOST + j] = old[Y_LOST + j] + (y_gap * share if known else 0.0)
        new[Y_MEAN + j] = y_mean if known else old[Y_MEAN + j]
        new[WEIGHT + j] = weight
        new[FADED + j] = faded
        new[REACH + j] = old[REACH + j] * (decay if first and not known else 1.0)
        new[COUNT + j] = old[COUNT + j] + (1.0 if known else 0.0)


@kernel
def _put(a, b, out, left, width, how):  # type: ignore[no-untyped-def]
    """Value of a suffix and the state after it; infinity if it has lost digits, and how many."""
    _, min_obs, bias, root, largest = how
    unsure = 0
    for j in range(width):
        weight = b[WEIGHT + j]
        fade = a[REACH + j] * (b[REACH + j] if weight > 0.0 else 1.0)
        older = a[WEIGHT + j] * fade
        total = older + weight
        gap = (a[MEAN + j] - b[MEAN + j]) + (a[LOST + j] - b[LOST + j])
        y_gap = (a[Y_MEAN + j] - b[Y_MEAN + j]) + (a[Y_LOST + j] - b[Y_LOST + j])
        across = older * weight
        square = fade * a[SQUARE + j] + weight * b[SQUARE + j]
        square += across / total * (gap * y_gap) if across > 0.0 else 0.0
        both = fade * fade * a[PAIRS + j] + weight * weight * b[PAIRS + j] + 2.0 * across
        value = square / total if bias else square * total / both
        value = np.sqrt(value) if root else value
        value = value if np.abs(value) <= largest else np.nan
        # Numerator and denominator have left the range of floats.
        few = both < FEW_PAIRS and not bias
        enough = a[COUNT + j] + b[COUNT + j] >= min_obs
        out[left + j] = (np.inf if few else value) if enough else np.nan
        unsure += 1 if few and enough else 0
    return unsure
