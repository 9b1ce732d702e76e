"""Ranks along a row, without argsort.

`numpy.sort` on integers is a SIMD sort, several times faster than `argsort`. So each value
becomes one integer key: its bits in an order that sorts like the value, the lowest bits replaced
by the column's place in label order. Sorting the keys ranks the row and breaks ties by label. A
second pass mends the rare runs whose truncated bits coincide though the values differ, and
shares ranks among equal values.
"""

from functools import partial

import numpy as np

from xfactor.kernels._blocks import by_rows
from xfactor.kernels._compile import kernel

ORDINAL, AVERAGE, MIN, MAX, DENSE = range(5)
METHODS = {"ordinal": ORDINAL, "average": AVERAGE, "min": MIN, "max": MAX, "dense": DENSE}
_LAST = np.iinfo(np.int64).max


def rank_rows(
    x: np.ndarray, method: int = ORDINAL, ascending: bool = True, order: np.ndarray | None = None
) -> np.ndarray:
    """Rank 1..n of each value in its row; NaN where missing. `order`: columns in label order."""
    columns = np.arange(x.shape[1]) if order is None else order
    return by_rows(partial(_rank_block, method=method, ascending=ascending, order=columns), x)


def top_rows(x: np.ndarray, n: int, order: np.ndarray | None = None) -> np.ndarray:
    """True for the `n` largest of each row: the last `n` places of the ordinal rank."""
    columns = np.arange(x.shape[1]) if order is None else order

    def block(rows: np.ndarray) -> np.ndarray:
        ranks = _rank_block(rows, ORDINAL, True, columns)
        valid = np.isfinite(rows).sum(axis=1, keepdims=True)
        return ranks > valid - n

    return by_rows(block, x, np.bool_)


def bottom_rows(x: np.ndarray, n: int, order: np.ndarray | None = None) -> np.ndarray:
    """True for the `n` smallest of each row: the first `n` places of the ordinal rank."""
    columns = np.arange(x.shape[1]) if order is None else order
    return by_rows(lambda rows: _rank_block(rows, ORDINAL, True, columns) <= n, x, np.bool_)


def _rank_block(rows: np.ndarray, method: int, ascending: bool, order: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(rows)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    low_bits = 32 if rows.dtype == np.float32 else max(1, int(len(order) - 1).bit_length())
    signed = rows + rows.dtype.type(0) if ascending else 0 - rows  # -0.0 becomes 0.0
    integers = signed.view(np.int32 if rows.dtype == np.float32 else np.int64)
    keys = _keys(integers, np.isfinite(rows), place, low_bits)
    keys.sort(axis=1)
    return _ranks(keys, signed, order, low_bits, method)


@kernel
def _keys(bits, valid, place, low_bits):  # type: ignore[no-untyped-def]
    """Order-preserving integers, the column's label place in the low bits; missing ones last."""
    keys = np.empty(bits.shape, dtype=np.int64)
    shift = 32 if bits.itemsize == 4 else 0
    for r in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            wide = np.int64(bits[r, j]) << shift
            wide ^= (wide >> 63) & _LAST  # negative floats sort backwards by their bits
            keys[r, j] = ((wide >> low_bits) << low_bits) | place[j] if valid[r, j] else _LAST
    return keys


@kernel
def _ranks(keys, values, order, low_bits, method):  # type: ignore[no-untyped-def]
    n_rows, n = keys.shape
    out = np.full(values.shape, np.nan, dtype=values.dtype)
    low = (np.int64(1) << low_bits) - 1
    run = np.empty(n, dtype=np.int64)
    spare = np.empty(n, dtype=np.int64)
    for r in range(n_rows):
        row, i, dense = keys[r], 0, 0
        while i < n and row[i] != _LAST:
            stop = i + 1
            while stop < n and row[stop] != _LAST and row[stop] >> low_bits == row[i] >> low_bits:
                stop += 1
            for k in range(i, stop):
                run[k] = order[row[k] & low]
            if stop - i > 1:
                _sort_run(values[r], run, spare, i, stop)
            while i < stop:  # groups of equal values
                end = i + 1
                while end < stop and values[r, run[end]] == values[r, run[i]]:
                    end += 1
                dense += 1
                for k in range(i, end):
                    if method == ORDINAL:
                        out[r, run[k]] = k + 1
                    elif method == AVERAGE:
                        out[r, run[k]] = 0.5 * (i + 1 + end)
                    elif method == MIN:
                        out[r, run[k]] = i + 1
                    elif method == MAX:
                        out[r, run[k]] = end
                    else:
                        out[r, run[k]] = dense
                i = end
    return out


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
