"""Cutting work into blocks that stay in the processor's cache."""

from collections.abc import Callable, Iterator

import numpy as np

# Cells a row block holds: 1 MB of float64, so that a kernel's few temporaries stay in L2.
BLOCK_CELLS = 2**17


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows of about `BLOCK_CELLS` cells each."""
    step = max(1, BLOCK_CELLS // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def by_rows(
    func: Callable[[np.ndarray], np.ndarray], x: np.ndarray, dtype: np.dtype | type | None = None
) -> np.ndarray:
    """Run `func`, which gives back the shape of what it gets, on row blocks of `x`."""
    out = np.empty(x.shape, dtype=dtype or x.dtype)
    if x.size == 0:
        return out
    for rows in row_blocks(*x.shape):
        out[rows] = func(np.ascontiguousarray(x[rows]))  # sums depend on the memory order
    return out


def finite(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy of `block` with infinities as NaN, and the count of valid cells in each row."""
    block = np.ascontiguousarray(block)
    valid = np.isfinite(block)
    values = np.where(valid, block, block.dtype.type(np.nan))
    values += 0  # -0.0 becomes 0.0: which of two equal zeros a SIMD minimum keeps is chance
    return values, np.count_nonzero(valid, axis=1)


def compilable(a: np.ndarray, dtype: np.dtype | type | None = None) -> np.ndarray:
    """`a` in C order and writable (a copy if need be): Numba compiles once and not four times."""
    return np.require(a, dtype or a.dtype, ["C", "W"])
