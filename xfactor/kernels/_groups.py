"""Groups of cells within a row: small codes to index tables with, and values spread by them."""

from typing import NamedTuple

import numpy as np

# A table of groups may be this many times as long as a row; beyond that codes are renumbered.
SPARSE = 4


class Groups(NamedTuple):
    """To which group each cell of a block belongs."""

    codes: np.ndarray  # int32 (row, n): 0 .. n - 1, and n for a cell of no group
    n: int
    one: bool  # all cells are of one and the same group


def groups_of(by: np.ndarray | None, shape: tuple[int, int]) -> Groups:
    """Groups from integer codes, of which negative ones mean none; without codes, one group."""
    if by is None:
        return Groups(np.zeros(shape, dtype=np.int32), 1, True)
    if by.dtype.kind == "b":
        by = by.view(np.int8)
    least, most = (int(by.min()), int(by.max())) if by.size else (0, 0)
    if most > SPARSE * max(shape[1], 64):
        values, by = np.unique(by, return_inverse=True)
        by = by.reshape(shape).astype(np.int32) - int(np.searchsorted(values, 0))
        most = int(by.max())
    codes = np.ascontiguousarray(by, dtype=np.int32)
    n_groups = max(most + 1, 1)
    if least < 0:
        codes = np.where(codes < 0, np.int32(n_groups), codes)
    return Groups(codes, n_groups, least == 0 == most)


def spread(table: np.ndarray, groups: Groups) -> np.ndarray:
    """Give each cell the entry of its group: table (row, G), missing for cells of no group."""
    if groups.one:
        return np.broadcast_to(table, groups.codes.shape)
    n_rows = len(table)
    wide = np.full((n_rows, groups.n + 1), np.nan)
    wide[:, :-1] = table
    first = (groups.n + 1) * np.arange(n_rows, dtype=np.int32)[:, None]
    return np.take(wide, groups.codes + first)
