"""Buckets of rows, by group: cut at order statistics or by rank, in whole numbers."""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._blocks import by_rows, finite
from xfactor.kernels._compile import kernel
from xfactor.kernels._groups import Groups, groups_of, spread
from xfactor.kernels.order import sorted_rows
from xfactor.kernels.rank import ORDINAL, ranked
from xfactor.kernels.rows import pick

# So many comparisons with each cell cost less than a search.
FEW = 32

Optional = np.ndarray | None


class Cuts(NamedTuple):
    """Fractions of a row to cut it at, as whole numbers: share / whole, rising, without 0 and 1."""

    shares: tuple[int, ...]
    whole: int


def steps(n: np.ndarray, cuts: Cuts, *, up: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The sizes that occur in n (row, G), and cut * size of each, rounded down or up (size, K).

    In whole numbers: a cut of 3/10 is just that, and no size is near it by rounding.
    """
    whole = cuts.whole
    sizes = np.flatnonzero(np.bincount(n.ravel()))
    kind = np.int64 if whole * (int(sizes[-1]) + 1) < 2**63 else object
    product = np.multiply.outer(sizes.astype(kind), np.array(cuts.shares, dtype=kind))
    return sizes, ((product + (whole - 1 if up else 0)) // whole).astype(np.int64)


def bucket_rows(
    x: np.ndarray,
    by: np.ndarray | None = None,
    *,
    cuts: Cuts,
    order: np.ndarray | None = None,
) -> np.ndarray:
    """How many of the `cuts` c lie at or below (r - 1) / n, r the ordinal rank; -1 missing."""

    def block(rows: np.ndarray, by: np.ndarray | None) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        ranks, size = ranked(rows, groups, ORDINAL, True, order)
        sizes, least = steps(size.astype(np.int64), cuts, up=True)
        # The labels of all ranks of a group of each size, one after the other.
        tables = [
            np.searchsorted(t, np.arange(n), "right") for n, t in zip(sizes, least, strict=True)
        ]
        first = np.zeros(sizes[-1] + 1)
        first[sizes] = np.cumsum(sizes) - sizes
        at = spread(first[size.astype(np.int64)], groups) + ranks - 1.0
        known = ~np.isnan(ranks)
        labels = np.concatenate([*tables, [-1]])
        return labels[np.where(known, at, -1.0).astype(np.int64)]

    return by_rows(block, x, by, dtype=np.int16)


def qcut_rows(
    x: np.ndarray,
    by: Optional = None,
    breakpoints_from: Optional = None,
    *,
    cuts: Cuts,
    ecdf: bool,
) -> np.ndarray:
    """How many of its group's pivots lie below each value; -1 where it is missing.

    The pivots are order statistics: at floor(c (n - 1)) for each of the `cuts` c, or with `ecdf`
    at floor(c n), and then a value equal to a pivot is above it. So equal values share a bucket and
    nothing is interpolated. `breakpoints_from` (bool) chooses the cells that the pivots are taken
    from.
    """

    def block(rows: np.ndarray, by: Optional, mask: Optional) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        source = rows if mask is None else np.where(mask, rows, np.nan)
        ordered, first, size = sorted_rows(source, groups)
        n = np.maximum(size if ecdf else size - 1, 0)
        sizes, places = steps(n, cuts)
        kind = np.searchsorted(sizes, np.arange(sizes[-1] + 1))[n]
        values, _ = finite(rows)
        if groups.one and len(cuts.shares) <= FEW:
            labels = _count_few(values, pick(ordered, first, places[kind]), ecdf)
            known = np.isfinite(values) & (size > 0)
            return (labels + 1) * known - 1
        return _count(values, groups, (ordered, first, size), (kind, places), ecdf)

    return by_rows(block, x, by, breakpoints_from, dtype=np.int16, table=min(len(cuts.shares), FEW))


def _count_few(values: np.ndarray, pivots: np.ndarray, or_equal: bool) -> np.ndarray:
    """Count the pivots (row, 1, K) below each value, or not above it, by whole rows."""
    few = np.zeros(values.shape, dtype=np.int8)
    for k in range(pivots.shape[2]):
        pivot = pivots[:, :1, k]
        few += (values >= pivot if or_equal else values > pivot).view(np.int8)
    return few


def _count(
    values: np.ndarray,
    groups: Groups,
    source: tuple[np.ndarray, np.ndarray, np.ndarray],
    pivots: tuple[np.ndarray, np.ndarray],
    or_equal: bool,
) -> np.ndarray:
    """The same cell by cell, -1 where there is nothing to count; no table (row, G, K) is made."""
    ordered, first, size = source
    labels = np.full(values.shape, -1, dtype=np.int16)
    _count_below(values, groups.codes, ordered, first, size, *pivots, or_equal, labels)
    return labels


@kernel
def _count_below(values, codes, ordered, first, size, kind, places, or_equal, labels):  # type: ignore[no-untyped-def]
    n_groups = first.shape[1]
    for r in range(len(values)):
        for j in range(values.shape[1]):
            v = values[r, j]
            g = min(codes[r, j], n_groups - 1)
            if codes[r, j] >= n_groups or size[r, g] == 0 or not v - v == 0:
                continue
            start = first[r, g]
            own = places[kind[r, g]]
            low = 0
            high = len(own)
            while high - low > FEW:
                middle = (low + high) // 2
                pivot = ordered[r, start + own[middle]]
                if pivot < v or (or_equal and pivot == v):
                    low = middle + 1
                else:
                    high = middle
            for k in range(low, high):  # without branches that nobody can foresee
                pivot = ordered[r, start + own[k]]
                low += pivot < v or (or_equal and pivot == v)
            labels[r, j] = low
