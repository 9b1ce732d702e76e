"""Cutting work into blocks that stay in the processor's cache."""

from collections.abc import Callable, Iterator

import numpy as np

from xfactor.kernels._compile import kernel

# Cells a row block holds: 1 MB of float64, so that a kernel's few temporaries stay in L2.
BLOCK_CELLS = 2**17


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows of about `BLOCK_CELLS` cells each."""
    step = max(1, BLOCK_CELLS // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def by_rows(
    func: Callable[..., np.ndarray],
    x: np.ndarray,
    *others: np.ndarray | None,
    dtype: np.dtype | type | None = None,
    table: int = 0,
) -> np.ndarray:
    """Run `func`, which gives back the shape of what it gets, on row blocks of all arrays.

    `table`: cells of the tables that a row needs, where they are more than the row itself.
    """
    out = np.empty(x.shape, dtype=dtype or x.dtype)
    if x.size == 0:
        return out
    for rows in row_blocks(len(x), max(x.shape[1], table)):
        # Sums depend on the memory order.
        block = [None if a is None else np.ascontiguousarray(a[rows]) for a in (x, *others)]
        out[rows] = func(*block)
    return out


def finite(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy of `block` with infinities as NaN, and the count of valid cells in each row."""
    values, count = np.empty_like(block, order="C"), np.zeros(len(block), dtype=np.int64)
    _finite(compilable(block), values, count)
    return values, count


@kernel
def _finite(x, out, count):  # type: ignore[no-untyped-def]
    for r in range(len(x)):
        n = 0
        for j in range(x.shape[1]):
            v = x[r, j]
            valid = v - v == 0
            # -0.0 becomes 0.0: which of two equal zeros a SIMD minimum keeps is chance.
            out[r, j] = v + 0 if valid else np.nan
            n += valid
        count[r] = n


def compilable(a: np.ndarray, dtype: np.dtype | type | None = None) -> np.ndarray:
    """`a` in C order and writable (a copy if need be): Numba compiles once and not four times."""
    return np.require(a, dtype or a.dtype, ["C", "W"])
