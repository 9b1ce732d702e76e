"""The order of the cells in a row, by group and value, without argsort.

Each cell becomes one integer key: its group in the highest bits, then the leading bits of its
value in an order that sorts like the value, and in the lowest bits the column's place in label
order. The keys of a row are sorted byte by byte from the 32 leading bits that differ (radix sort),
which leaves next to nothing out of order; an insertion sort puts that right, and where it would
take long the row is sorted by all bytes. A last pass mends the rare runs whose truncated values
coincide though the values differ.
"""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._blocks import finite
from xfactor.kernels._compile import inlined, kernel
from xfactor.kernels._groups import Groups

_SIGN = np.uint64(1 << 63)
_BYTES = 4  # sorted by at first
_MOVES = 4  # for each key, that insertion may take; more are dearer than sorting by all bytes


class Order(NamedTuple):
    """Rows in order: groups one after the other, in each the values, then what is missing."""

    keys: np.ndarray  # (row, n), sorted
    low_bits: int  # of a key, that hold the place of its column in label order
    columns: np.ndarray  # the columns in label order
    size: np.ndarray  # valid cells (row, G)


def sort_rows(values: np.ndarray, groups: Groups, columns: np.ndarray | None = None) -> Order:
    """Sort rows of values without -0.0; equal ones in the order of `columns`, else of storage."""
    columns = np.arange(values.shape[1]) if columns is None else columns
    low_bits = max(1, int(len(columns) - 1).bit_length())
    group_bits = int(groups.n - 1).bit_length()
    bits = values.view(np.int32 if values.dtype == np.float32 else np.int64)
    keys = np.empty(values.shape, dtype=np.uint64)
    size = np.zeros((len(values), groups.n + 1), dtype=np.int64)
    _make_keys(bits, groups.codes, groups.n, columns, low_bits, group_bits, keys, size)
    _sort_keys(keys, size[:, :-1].sum(axis=1))
    return Order(keys.view(np.int64), low_bits, columns, size[:, :-1])


def sorted_rows(x: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Valid values of each row in order, group after group; the first place and size (row, G).

    What lies behind the last group is missing.
    """
    values, count = finite(x)
    if groups.one:
        values.sort(axis=1)
        return values, np.zeros((len(x), 1), dtype=np.int64), count[:, None]
    order = sort_rows(values, groups)
    ordered = np.full_like(values, np.nan)
    _gather(order.keys, values, order.low_bits, order.size, ordered)
    return ordered, np.cumsum(order.size, axis=1) - order.size, order.size


@kernel
def _make_keys(bits, codes, n_groups, columns, low_bits, group_bits, keys, size):  # type: ignore[no-untyped-def]
    """Keys of the valid cells, in label order; how many of each group, the others in the last."""
    single = bits.itemsize == 4
    infinite = np.int64(0x7F800000 if single else 0x7FF0000000000000)
    magnitude = np.int64(0x7FFFFFFF if single else 0x7FFFFFFFFFFFFFFF)
    widen = 32 if single else 0
    low = np.uint64(low_bits)
    dropped = np.uint64(low_bits + group_bits)
    group_at = np.uint64((64 - group_bits) % 64)
    for r in range(len(bits)):
        n = 0
        for i in range(len(columns)):
            own = np.int64(bits[r, columns[i]])
            code = codes[r, columns[i]]
            wide = own << widen
            wide ^= (wide >> 63) & np.int64(0x7FFFFFFFFFFFFFFF)  # negative floats sort backwards
            high = (np.uint64(wide) ^ _SIGN) >> dropped
            keys[r, n] = (np.uint64(code) << group_at) | (high << low) | np.uint64(i)
            known = (own & magnitude) < infinite and code < n_groups
            size[r, code if known else n_groups] += 1
            n += 1 if known else 0


@kernel
def _sort_keys(keys, size):  # type: ignore[no-untyped-def]
    """Sort the first size[r] keys of each row r."""
    spare = np.empty(keys.shape[1], dtype=np.uint64)
    places = np.empty((8, 256), dtype=np.int32)
    for r in range(len(keys)):
        n = size[r]
        differ = np.uint64(0)
        for i in range(n):
            differ |= keys[r, i] ^ keys[r, 0]
        top = 0
        while differ != 0:
            differ >>= np.uint64(1)
            top += 1
        base = top - 8 * _BYTES if top > 8 * _BYTES else 0
        while True:  # by the leading bytes, then if need be by all
            _by_bytes(keys[r], spare, places, n, base, (top - base + 7) // 8)
            if base == 0 or _insert(keys[r], n, _MOVES * n):
                break
            base = 0


@inlined
def _by_bytes(keys, spare, places, n, base, n_bytes):  # type: ignore[no-untyped-def]
    """Sort the first n keys by their bits from `base` on, the lowest byte first: stable."""
    byte = np.uint64(255)
    for p in range(n_bytes):
        for b in range(256):
            places[p, b] = 0
    for i in range(n):
        bits = keys[i] >> np.uint64(base)
        for p in range(n_bytes):
            places[p, (bits >> np.uint64(8 * p)) & byte] += 1
    for p in range(n_bytes):
        before = 0
        for b in range(256):
            count = places[p, b]
            places[p, b] = before
            before += count
    source, target = keys, spare
    for p in range(n_bytes):
        shift = np.uint64(base + 8 * p)
        for i in range(n):
            b = (source[i] >> shift) & byte
            target[places[p, b]] = source[i]
            places[p, b] += 1
        source, target = target, source
    if n_bytes % 2 == 1:
        for i in range(n):
            keys[i] = spare[i]


@inlined
def _insert(keys, n, moves):  # type: ignore[no-untyped-def]
    """Insertion sort of keys that are almost in order; False, half done, if it takes too long."""
    for i in range(1, n):
        key = keys[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key
        moves -= i - j
        if moves < 0:
            break
    return moves >= 0


@kernel
def run_end(keys, start, stop, low_bits):  # type: ignore[no-untyped-def]
    """Where the run of keys that differ in their low bits only, and starts at `start`, ends."""
    high = keys[start] >> low_bits
    end = start + 1
    while end < stop and keys[end] >> low_bits == high:
        end += 1
    return end


@kernel
def mend_run(keys, values, columns, low_bits, start, end, run, spare):  # type: ignore[no-untyped-def]
    """Put the columns of a run of keys into `run`, in order of their whole values."""
    low = (np.int64(1) << low_bits) - 1
    for k in range(start, end):
        run[k] = columns[keys[k] & low]
    _sort_run(values, run, spare, start, end)


@kernel
def _gather(keys, values, low_bits, size, ordered):  # type: ignore[no-untyped-def]
    n = keys.shape[1]
    low = (np.int64(1) << low_bits) - 1
    columns = np.arange(n)
    run = np.empty(n, dtype=np.int64)
    spare = np.empty(n, dtype=np.int64)
    for r in range(len(keys)):
        stop = size[r].sum()
        i = np.int64(0)
        while i < stop:
            end = run_end(keys[r], i, stop, low_bits)
            if end == i + 1:
                ordered[r, i] = values[r, keys[r, i] & low]
            else:
                mend_run(keys[r], values[r], columns, low_bits, i, end, run, spare)
                for k in range(i, end):
                    ordered[r, k] = values[r, run[k]]
            i = end


@kernel
def _sort_run(values, run, spare, start, stop):  # type: ignore[no-untyped-def]
    """Stable merge sort of run[start:stop] by value; nothing to do where it is in order."""
    sorted_up_to = start + 1
    while sorted_up_to < stop and values[run[sorted_up_to]] >= values[run[sorted_up_to - 1]]:
        sorted_up_to += 1
    width = 1 if sorted_up_to < stop else stop - start
    while width < stop - start:
        left = start
        while left < stop:
            middle = min(left + width, stop)
            right = min(middle + width, stop)
            a = left
            b = middle
            for k in range(left, right):
                if a < middle and (b >= right or values[run[b]] >= values[run[a]]):
                    spare[k] = run[a]
                    a += 1
                else:
                    spare[k] = run[b]
                    b += 1
            left = right
        for k in range(start, stop):
            run[k] = spare[k]
        width *= 2
