"""Exposures of a few dates at a time in one block, and portfolios weighed by them.

The block (row, K, n) fits in the processor's cache: each array of the panel is read once, and what
follows (which assets are usable, products with weights) finds the block there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import summing

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
    out = np.empty(w.shape)
    _held(compilable(w, np.float64), usable, missing == SPREAD, missing == BLANK, out)
    return out


@summing
def _held(w, usable, spread, blank, out):  # type: ignore[no-untyped-def]
    for r in range(w.shape[0]):
        for p in range(w.shape[1]):
            long = short = kept_long = kept_short = 0.0
            given = lost = 0
            for j in range(w.shape[2]):
                v = w[r, p, j]
                known = v - v == 0.0
                v = v if known else 0.0
                k = v if usable[r, j] else 0.0
                long += max(v, 0.0)
                short += min(v, 0.0)
                kept_long += max(k, 0.0)
                kept_short += min(k, 0.0)
                given += known
                lost += k != v
            legless = (long > 0.0 and kept_long == 0.0) or (short < 0.0 and kept_short == 0.0)
            gone = given == 0 or (blank and lost > 0) or (spread and legless)
            up = long / kept_long if spread and kept_long > 0.0 else 1.0
            down = short / kept_short if spread and kept_short < 0.0 else 1.0
            for j in range(w.shape[2]):
                v = w[r, p, j]
                v = v if v - v == 0.0 and usable[r, j] else 0.0
                out[r, p, j] = np.nan if gone else v * (up if v > 0.0 else down)


def weighed(w: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Exposures (row, P, K) of portfolios: sums that do not depend on the number of threads."""
    out = np.empty((*w.shape[:2], block.shape[1]))
    _weighed(w, block, out)
    return out


@summing
def _weighed(w, block, out):  # type: ignore[no-untyped-def]
    for r in range(w.shape[0]):
        for p in range(w.shape[1]):
            for k in range(block.shape[1]):
                total = 0.0 if w.shape[2] > 0 else np.nan  # no asset could be held
                for j in range(w.shape[2]):
                    total += w[r, p, j] * block[r, k, j]
                out[r, p, k] = total


def contracted(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Sums over the last axis of w v."""
    return np.einsum("...n,...n->...", w, v)
