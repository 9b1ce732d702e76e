"""Order statistics of a row without sorting it: radix selection.

Few places of a row are wanted: the cells are counted by the leading bits of their values, and only
those that share them with a wanted place are looked at again. The values are exact, so they do not
depend on how they are found.
"""

import numpy as np

from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import inlined, kernel, summing

BITS = 11  # looked at together: a table of their counts fits in the L1 cache
MANY = 8  # so many places are found faster by sorting

MISSING = -2  # in place of a side

_SIGN = np.uint64(1 << 63)


def order_statistics(x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The values at `places` (row, K), counted from 0, of the valid cells of each row in order.

    float64; NaN where a row has no valid cell. A place beyond the last is the last.
    """
    out = np.empty(places.shape)
    _select_rows(compilable(x), places.astype(np.int64, copy=False), out)
    return out


def counts(x: np.ndarray) -> np.ndarray:
    """Valid cells of each row."""
    out = np.empty(len(x), dtype=np.int64)
    _count_rows(compilable(x), out)
    return out


def end_rows(
    x: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    order: np.ndarray | None,
    out: np.ndarray,
) -> np.ndarray:
    """`out` with -1 in the `lowest` (row,) first and 1 in the `highest` last places of each row.

    Equal values in the order of the columns `order`. Other valid cells get 0, and what is not
    valid `MISSING`.
    """
    columns = np.arange(x.shape[1]) if order is None else order
    ends = np.stack([lowest - 1, counts(x) - highest], axis=1)
    limits = order_statistics(x, np.maximum(ends, 0))
    _legs(compilable(x), limits, lowest, highest, columns.astype(np.int64, copy=False), out)
    return out


@kernel
def _count_rows(x, out):  # type: ignore[no-untyped-def]
    for r in range(len(x)):
        out[r] = _count(x[r])


@summing
def _count(x):  # type: ignore[no-untyped-def]
    n = 0
    for j in range(len(x)):
        n += 1 if abs(x[j]) < np.inf else 0
    return n


@kernel
def _select_rows(x, places, out):  # type: ignore[no-untyped-def]
    n_columns = x.shape[1]
    values = np.empty(n_columns + 1, dtype=np.float64)
    bits = values.view(np.int64)
    keys = np.empty(n_columns + 1, dtype=np.uint64)
    chosen = np.empty(n_columns + 1, dtype=np.uint64)
    spare = np.empty(n_columns + 1, dtype=np.uint64)
    table = np.empty(1 << BITS, dtype=np.int32)
    found = np.empty(1, dtype=np.uint64)
    as_float = found.view(np.float64)
    for r in range(len(x)):
        n = 0
        for j in range(n_columns):
            v = np.float64(x[r, j])
            values[n] = v + 0.0  # -0.0 becomes 0.0
            n += 1 if abs(v) < np.inf else 0
        differ = np.uint64(0)
        for i in range(n):
            own = bits[i]
            own ^= (own >> 63) & np.int64(0x7FFFFFFFFFFFFFFF)  # negative floats sort backwards
            keys[i] = np.uint64(own) ^ _SIGN
            differ |= keys[i] ^ keys[0]
        top = 0
        while differ != 0:
            differ >>= np.uint64(1)
            top += 1
        shift = max(top - BITS, 0)
        _tally(keys, n, shift, table)
        bucket = 0
        before = 0  # keys in the buckets before this one
        size = -1  # keys gathered from it
        for k in range(places.shape[1]):
            if n == 0:
                out[r, k] = np.nan
                continue
            place = min(places[r, k], n - 1)
            if place < before:
                bucket = 0
                before = 0
                size = -1
            while place >= before + table[bucket]:
                before += table[bucket]
                bucket += 1
                size = -1
            if size < 0:
                size = _choose(keys, n, shift, bucket, chosen)
            key = _nth(chosen, size, place - before, spare)
            own = np.int64(key ^ _SIGN)
            found[0] = np.uint64(own ^ ((own >> 63) & np.int64(0x7FFFFFFFFFFFFFFF)))
            out[r, k] = as_float[0]


@inlined
def _tally(keys, n, shift, table):  # type: ignore[no-untyped-def]
    """Count the keys by BITS of their bits from `shift` on."""
    for b in range(len(table)):
        table[b] = 0
    mask = np.uint64(len(table) - 1)
    for i in range(n):
        table[(keys[i] >> np.uint64(shift)) & mask] += 1


@inlined
def _choose(keys, n, shift, bucket, chosen):  # type: ignore[no-untyped-def]
    """Gather the keys of a bucket."""
    mask = np.uint64((1 << BITS) - 1)
    size = 0
    for i in range(n):
        chosen[size] = keys[i]
        size += 1 if (keys[i] >> np.uint64(shift)) & mask == np.uint64(bucket) else 0
    return size


@kernel
def _nth(keys, n, place, spare):  # type: ignore[no-untyped-def]
    """The key at a place of the first n in order, by the highest bit in which they differ."""
    for i in range(n):
        spare[i] = keys[i]
    while n > 1:
        differ = np.uint64(0)
        for i in range(n):
            differ |= spare[i] ^ spare[0]
        if differ == 0:
            break
        bit = _SIGN
        while differ & bit == 0:
            bit >>= np.uint64(1)
        zeros = 0
        for i in range(n):
            zeros += 1 if spare[i] & bit == 0 else 0
        wanted = np.uint64(0) if place < zeros else bit
        place -= 0 if place < zeros else zeros
        size = 0
        for i in range(n):
            own = spare[i]
            spare[size] = own
            size += 1 if own & bit == wanted else 0
        n = size
    return spare[0]


@kernel
def _legs(x, limits, lowest, highest, columns, out):  # type: ignore[no-untyped-def]
    for r in range(len(x)):
        low = limits[r, 0]
        high = limits[r, 1]
        below = 0
        at_low = 0
        above = 0
        at_high = 0
        for j in range(x.shape[1]):
            v = np.float64(x[r, j])
            known = abs(v) < np.inf
            below += 1 if v < low and known else 0
            at_low += 1 if v == low else 0
            above += 1 if v > high and known else 0
            at_high += 1 if v == high else 0
        least = lowest[r] - below  # so many of the equal ones belong to the leg, if there is one
        most = highest[r] - above
        some_low = lowest[r] > 0
        some_high = highest[r] > 0
        for j in range(x.shape[1]):
            v = np.float64(x[r, j])
            side = 0
            side -= 1 if some_low and (v < low or (v == low and at_low == least)) else 0
            side += 1 if some_high and (v > high or (v == high and at_high == most)) else 0
            out[r, j] = side if abs(v) < np.inf else MISSING
        if some_low and at_low > least:
            _first_ones(x[r], low, columns, least, out[r])
        if some_high and at_high > most:
            _last_ones(x[r], high, columns, most, out[r])


@kernel
def _first_ones(x, limit, columns, n, out):  # type: ignore[no-untyped-def]
    for i in range(len(columns)):
        j = columns[i]
        if n > 0 and x[j] == limit:
            out[j] -= 1
            n -= 1


@kernel
def _last_ones(x, limit, columns, n, out):  # type: ignore[no-untyped-def]
    for i in range(len(columns) - 1, -1, -1):
        j = columns[i]
        if n > 0 and x[j] == limit:
            out[j] += 1
            n -= 1
