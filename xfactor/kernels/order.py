"""The order of the cells in a row, by group and value, without argsort.

`numpy.sort` on integers is a SIMD sort, several times faster than `argsort`. So each cell becomes
one integer key: its group in the highest bits, then the leading bits of its value in an order that
sorts like the value, and in the lowest bits the column's place in label order. Sorting the keys
orders the row by group, value and label. A second pass mends the rare runs whose truncated values
coincide though the values differ.
"""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._blocks import finite
from xfactor.kernels._compile import kernel
from xfactor.kernels._groups import Groups

_LAST = np.iinfo(np.int64).max  # the key of a cell that is missing or of no group
_SIGN = np.uint64(1 << 63)


class Order(NamedTuple):
    """Rows in order: groups one after the other, in each the values, then what is missing."""

    keys: np.ndarray  # (row, n), sorted
    low_bits: int  # of a key, that hold the place of its column in label order
    columns: np.ndarray  # the columns in label order
    size: np.ndarray  # valid cells (row, G)


def sort_rows(values: np.ndarray, groups: Groups, columns: np.ndarray | None = None) -> Order:
    """Sort rows of values without -0.0; equal ones in the order of `columns`, else of storage."""
    columns = np.arange(values.shape[1]) if columns is None else columns
    place = np.empty_like(columns)
    place[columns] = np.arange(len(columns))
    low_bits = max(1, int(len(columns) - 1).bit_length())
    group_bits = int(groups.n - 1).bit_length()
    bits = values.view(np.int32 if values.dtype == np.float32 else np.int64)
    keys = _keys(bits, groups.codes, groups.n, place, low_bits, group_bits)
    size = np.zeros((len(values), groups.n + 1), dtype=np.int64)
    if groups.one:
        size[:, 0] = np.count_nonzero(keys != _LAST, axis=1)
    else:
        _count(keys, groups.codes, groups.n, size)
    keys.sort(axis=1)
    return Order(keys, low_bits, columns, size[:, :-1])


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
def _keys(bits, codes, n_groups, place, low_bits, group_bits):  # type: ignore[no-untyped-def]
    keys = np.empty(bits.shape, dtype=np.int64)
    single = bits.itemsize == 4
    infinite = np.int64(0x7F800000 if single else 0x7FF0000000000000)
    magnitude = np.int64(0x7FFFFFFF if single else _LAST)
    widen = 32 if single else 0
    low = np.uint64(low_bits)
    dropped = np.uint64(low_bits + group_bits)
    top = np.uint64((64 - group_bits) % 64)
    for r in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            own = np.int64(bits[r, j])
            wide = own << widen
            wide ^= (wide >> 63) & _LAST  # negative floats sort backwards by their bits
            high = (np.uint64(wide) ^ _SIGN) >> dropped
            key = (np.uint64(codes[r, j]) << top) | (high << low) | np.uint64(place[j])
            known = (own & magnitude) < infinite and codes[r, j] < n_groups
            keys[r, j] = np.int64(key ^ _SIGN) if known else _LAST
    return keys


@kernel
def _count(keys, codes, n_groups, size):  # type: ignore[no-untyped-def]
    """Valid cells of each group; the others go to the last column, without a branch."""
    for r in range(len(keys)):
        for j in range(keys.shape[1]):
            size[r, codes[r, j] if keys[r, j] != _LAST else n_groups] += 1


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
