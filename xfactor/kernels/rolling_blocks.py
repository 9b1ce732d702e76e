"""The walk over blocks of dates that the statistics of trailing windows share.

The dates are cut into blocks of `window` rows, counted from the panel's first date. A window is
then a suffix of one block and a prefix of the next (van Herk 1992; Gil and Werman 1993), and what
is known of it is put together from the two parts. Nothing is ever subtracted, so an outlier that
has left the window leaves no trace; and all that a window needs lies inside it, so the result does
not depend on where the history is cut into chunks.

What is known of a part is its *state*: n_states numbers for each of LANES columns, in one flat row
(a statistic's k-th number stands at k * LANES + j), the count of valid values first. Sums are taken
about a pivot: for the suffixes of a block its newest valid value, for its prefixes the oldest. The
pivot of a part that is not empty is a member of it, so the squares about it exceed those about the
mean by a factor of at most the count: the cancellation is bounded, whatever the level of the data,
and the sums of a constant are exactly 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from xfactor.kernels._compile import kernel

# Columns worked on together. Fewer would read rows in pieces too short for the processor to fetch
# ahead; more would push the running sums out of the L1 cache.
LANES = 256


def run(
    data: tuple[np.ndarray, ...],
    steps: tuple[Callable[..., Any], ...],
    n_states: int,
    extra: tuple[float, float] = (0.0, 0.0),
    *,
    window: int,
    min_obs: int,
    offset: int,
    start: int,
    stop: int,
    blank: float = 0.0,
) -> np.ndarray:
    """Walk over `data` with the functions `steps` (see `walk`).

    They get as options the number of values needed, the largest number of the dtype, and `extra`.
    """
    x = data[0]
    out = np.empty((stop - start, x.shape[1]), dtype=x.dtype)
    options = (float(max(min_obs, 1)), float(np.finfo(x.dtype).max), *map(float, extra))
    walk(data, out, *steps, n_states, blank, window, offset, start, options)
    return out


@kernel
def walk(  # type: ignore[no-untyped-def]
    data, out, begin, newer, older, finish, n_states, blank, window, offset, start, options
):
    """Fill `out` with a statistic of the windows that end at rows start, start + 1, ...

    `data` is a tuple of arrays (date, n). The functions get row t and `width` columns from `left`:

    - ``begin(count, pivot, data, t, left, width)`` makes row t the pivot of the lanes that have
      none yet, and gives back how many are still without one;
    - ``newer(old, new, pivot, data, t, left, width, age, options)`` makes `new` of a prefix and its
      next row, the `age`-th of the block; ``older``, with the same arguments, of a suffix and the
      row before it. `old` and `new` never overlap, or the compiler could not vectorise;
    - ``finish(a, b, pivot, gap, out_row, age, options)`` joins prefix `a` and suffix `b`; `pivot`
      is the prefix's, `gap` the suffix's less the prefix's.
    """
    n_rows, n = data[0].shape
    stop = start + out.shape[0]
    suffix = np.full((min(window, n_rows) + 1, n_states * LANES), blank)  # [m]: of the last m rows
    for j in range(LANES):
        suffix[0, j] = 0.0
    prefix = np.empty((2, n_states * LANES))
    pivot = np.zeros(len(data) * LANES)
    last = np.zeros(len(data) * LANES)
    gap = np.zeros(len(data) * LANES)
    for left in range(0, n, LANES):
        width = min(LANES, n - left)
        row = 0
        while row < stop:
            place = (offset + row) % window
            end = min(row + window - place, n_rows)
            for j in range(n_states * LANES):
                prefix[row % 2, j] = suffix[0, j]
            for j in range(
                len(pivot)
            ):  # an empty prefix has the suffix's pivot, whatever was before
                pivot[j] = last[j]
            empty = width
            for t in range(row, min(end, stop)):
                age = place + t - row
                old = prefix[t % 2]
                new = prefix[1 - t % 2]
                if empty > 0:
                    empty = begin(old, pivot, data, t, left, width)
                    for j in range(len(gap)):
                        gap[j] = last[j] - pivot[j]
                newer(old, new, pivot, data, t, left, width, age, options)
                if t >= start:
                    rest = suffix[window - 1 - age if row > 0 else 0]
                    into = out[t - start, left : left + width]
                    finish(new, rest, pivot, gap, into, age, options)
            if end < stop:
                empty = width
                for t in range(end - 1, row - 1, -1):
                    old = suffix[end - 1 - t]
                    new = suffix[end - t]
                    if empty > 0:
                        empty = begin(old, last, data, t, left, width)
                    age = place + t - row
                    older(old, new, last, data, t, left, width, age, options)
            row = end
