"""Groups of cells within a row: small codes to index tables with, and values spread by them."""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._compile import kernel

# Codes up to here are renumbered with a table of all codes there could be, larger ones by sorting.
LARGE = 2**19


class Groups(NamedTuple):
    """To which group each cell of a block belongs."""

    codes: np.ndarray  # int32 (row, n): 0 .. n - 1, and n for a cell of no group
    n: int  # no more than there are cells in a row
    one: bool  # there are no codes: all cells are of one group


def groups_of(by: np.ndarray | None, shape: tuple[int, int]) -> Groups:
    """Groups from integer codes, of which negative ones mean none; without codes, one group.

    Codes that reach beyond the length of a row are numbered anew within each row, so that tables
    (row, G) are never longer than the rows. Nothing but the place in such a table comes of the
    numbers: results are the same whichever rows are looked at together.
    """
    if by is None:
        return Groups(np.zeros(shape, dtype=np.int32), 1, True)
    if by.dtype.kind == "b":
        by = by.view(np.int8)
    most = int(by.max(initial=0))
    if most >= max(shape[1], 1):
        return Groups(*_renumbered(by, most), False)
    n_groups = most + 1
    codes = by.astype(np.int32, order="C", copy=False)
    # Tested before they are narrowed: a large negative code would come out positive.
    if int(by.min(initial=0)) < 0:
        codes = np.where(by < 0, np.int32(n_groups), codes)
    return Groups(codes, n_groups, False)


def _renumbered(by: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """Codes 0, 1, 2, ... in the order in which each row has them, and how many a row has."""
    if most >= LARGE:
        values, places = np.unique(by, return_inverse=True)
        by = places.reshape(by.shape) - np.searchsorted(values, 0)
        most = int(by.max())
    codes = np.empty(by.shape, dtype=np.int32)
    seen, number = (np.zeros(most + 1, dtype=np.int64) for _ in range(2))
    n_groups = _number(np.require(by, np.int64, ["C", "W"]), seen, number, codes)
    return codes, n_groups


@kernel
def _number(by, seen, number, codes):  # type: ignore[no-untyped-def]
    most = 1
    for r in range(len(by)):
        n = 0
        for j in range(by.shape[1]):
            code = by[r, j]
            if code >= 0 and seen[code] != r + 1:
                seen[code] = r + 1
                number[code] = n
                n += 1
            codes[r, j] = number[code] if code >= 0 else -1
        most = max(most, n)
    for r in range(len(by)):
        for j in range(by.shape[1]):
            if codes[r, j] < 0:
                codes[r, j] = most
    return most


def spread(table: np.ndarray, groups: Groups) -> np.ndarray:
    """Give each cell the entry of its group: table (row, G), missing for cells of no group."""
    if groups.one:
        return np.broadcast_to(table, groups.codes.shape)
    n_rows = len(table)
    wide = np.full((n_rows, groups.n + 1), np.nan)
    wide[:, :-1] = table
    first = (groups.n + 1) * np.arange(n_rows, dtype=np.int32)[:, None]
    return np.take(wide, groups.codes + first)
