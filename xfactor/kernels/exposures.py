"""Exposures of a few dates at a time in one block, and portfolios weighed by them.

The block (row, K, n) fits in the processor's cache: each array of the panel is read once, and what
follows (which assets are usable, products with weights) finds the block there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xfactor.kernels._blocks import row_blocks

# What becomes of a held asset of which something is missing.
SPREAD, DROP, BLANK = "spread", "drop", "missing"


@dataclass(frozen=True)
class Column:
    """Where exposures to one factor come from: an array, a row of its factor axis, or a code.

    Without `source` all exposures are 1.
    """

    source: int | None = None
    at: int | None = None
    code: int | None = None


Columns = tuple[Column, ...]


def blocks(
    columns: Columns, sources: Sequence[np.ndarray], shape: tuple[int, int]
) -> Iterator[tuple[slice, np.ndarray]]:
    """Row slices and exposures (row, K, n) of them; a cell of no group is missing."""
    n_rows, n = shape
    for rows in row_blocks(n_rows, n * max(len(columns), 1)):
        block = np.empty((rows.stop - rows.start, len(columns), n))
        grouped: dict[int, np.ndarray] = {}
        for k, c in enumerate(columns):
            if c.source is None:
                block[:, k] = 1.0
            elif c.code is None:
                a = sources[c.source][rows]
                block[:, k] = a if a.ndim == 2 else a[:, c.at]
            else:
                member = sources[c.source][rows] == c.code
                block[:, k] = member
                grouped[c.source] = grouped.get(c.source, False) | member
        for s, member in grouped.items():
            first = next(k for k, c in enumerate(columns) if c.source == s)
            block[:, first][~member] = np.nan
        yield rows, block


def emptied(block: np.ndarray, usable: np.ndarray) -> None:
    """Make the exposures of cells that are not usable (row, n) 0, in place."""
    if not usable.all():
        np.copyto(block, 0.0, where=~usable[:, None, :])


def held(w: np.ndarray, usable: np.ndarray, missing: str) -> np.ndarray:
    """Weights (row, P, n) that count, 0 for assets that are not held or not usable (row, n).

    `SPREAD` scales each leg up to its whole weight; a leg without usable assets is NaN, and so is
    a portfolio without any weight, or with `BLANK` one that lacks something.
    """
    given = np.isfinite(w)
    w = np.where(given, w, 0.0)
    usable = usable[:, None, :]
    kept = np.where(usable, w, 0.0)
    lacking = ((w != 0) & ~usable).any(axis=2)
    if missing == SPREAD and lacking.any():
        scale = np.ones_like(kept)
        for sign in (1.0, -1.0):
            whole, reached = (np.maximum(sign * a, 0.0).sum(axis=2) for a in (w, kept))
            ratio = np.divide(whole, reached, out=np.full_like(whole, np.nan), where=reached > 0)
            scale = np.where(sign * w > 0, np.where(whole > 0, ratio, 1.0)[:, :, None], scale)
        # A lost leg has no kept weight to carry the NaN.
        kept = np.where(np.isnan(scale).any(axis=2, keepdims=True), np.nan, kept * scale)
    blank = ~given.any(axis=2)
    if missing == BLANK:
        blank |= lacking
    return np.where(blank[:, :, None], np.nan, kept) if blank.any() else kept


def weighed(w: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Exposures (row, P, K) of portfolios: sums that do not depend on the number of threads."""
    return np.einsum("rpn,rkn->rpk", w, block)


def contracted(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Sums over the last axis of w v."""
    return np.einsum("...n,...n->...", w, v)
