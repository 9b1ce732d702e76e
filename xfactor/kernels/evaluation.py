"""Signals beside the returns that came after them, a row at a time, by group.

A row of a signal is sorted once; its rank correlation with the returns and the mean returns of its
buckets both come from that order. The order of the returns is the same for all signals and comes
from outside. Ranks are those among the cells that have both, so each order is walked and the cells
that the other lacks are passed over. Sums of ranks are whole numbers: nothing is rounded (as long
as the cube of a row's length is an int64, two million).
"""

from typing import NamedTuple

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import inlined, kernel
from xfactor.kernels._groups import LARGE, Groups, groups_of
from xfactor.kernels.buckets import Cuts, steps
from xfactor.kernels.order import mend_run, run_end, sort_rows

PIVOT, ECDF, RANK = range(3)
CUTS = {"pivot": PIVOT, "ecdf": ECDF, "rank": RANK}

# Counts of a row and group, before those of its buckets: cells with a signal, those with a return
# as well, and those that entered the correlation.
COUNTS = 3

Optional = np.ndarray | None


class Buckets(NamedTuple):
    """How to cut rows into buckets."""

    cuts: Cuts
    method: int
    least: int  # cells with a return that the mean of a bucket needs

    @property
    def n(self) -> int:
        """How many."""
        return len(self.cuts.shares) + 1


# --- orders -------------------------------------------------------------------------------------


def order_rows(x: np.ndarray, codes: Optional = None, *, values: tuple[int, ...]) -> np.ndarray:
    """The columns of each row in the order of its groups and values: int32 (row, n).

    ``~column`` where the value equals that before it in its group; n in the places behind the
    last cell that is known and has a group.
    """
    out = np.empty(x.shape, dtype=np.int32)
    for rows in row_blocks(*x.shape):
        groups = groups_from(None if codes is None else codes[rows], values, x[rows].shape)
        out[rows] = _order(compilable(x[rows]), groups, None)[0]
    return out


def order_dates(
    x: np.ndarray, *codes: np.ndarray, values: tuple[int, ...], **where: int
) -> np.ndarray:
    """The same for x (date, asset, n), and codes (date, asset) or (date, asset, n), as it is."""
    wide = [c[:, :, None] if c.ndim == 2 else c for c in codes]
    rows = [np.moveaxis(np.broadcast_to(a, x.shape), -1, 1) for a in (x, *wide)]
    n_dates, n, n_columns = rows[0].shape
    order = order_rows(*[a.reshape(n_dates * n, n_columns) for a in rows], values=values)
    return np.moveaxis(order.reshape(n_dates, n, n_columns), 1, -1)


def groups_from(codes: Optional, values: tuple[int, ...], shape: tuple[int, int]) -> Groups:
    """Groups numbered by their place among the `values` that codes can have; others are of none."""
    if codes is None:
        return groups_of(None, shape)
    known, n = np.array(values, dtype=np.int64), len(values)
    if (top := max(values)) < LARGE:
        table = np.full(top + 2, n, dtype=np.int32)  # the last place is for all others, also -1
        table[known] = np.arange(n)
        numbers = table[np.minimum(codes, top + 1).clip(-1)]
    else:
        sorter = np.argsort(known)
        at = sorter[np.minimum(np.searchsorted(known, codes, sorter=sorter), n - 1)]
        numbers = np.where(known[at] == codes, at, n).astype(np.int32)
    return Groups(np.ascontiguousarray(numbers), n, False)


def _order(rows: np.ndarray, groups: Groups, labels: Optional) -> tuple[np.ndarray, np.ndarray]:
    """The order of columns, as in `order_rows`, and the cells of each group (row, G)."""
    signed = rows + rows.dtype.type(0)  # -0.0 becomes 0.0
    keys, low_bits, columns, size = sort_rows(signed, groups, labels)
    order = np.empty(rows.shape, dtype=np.int32)
    _columns(keys, low_bits, columns, size, signed, order)
    return order, size


@kernel
def _columns(keys, low_bits, columns, size, values, order):  # type: ignore[no-untyped-def]
    n = keys.shape[1]
    low = (np.int64(1) << low_bits) - 1
    run = np.empty(n, dtype=np.int64)
    spare = np.empty(n, dtype=np.int64)
    for r in range(len(keys)):
        row = keys[r]
        start = np.int64(0)
        for g in range(size.shape[1]):
            stop = start + size[r, g]
            i = start
            while i < stop:
                end = run_end(row, i, stop, low_bits)
                order[r, i] = columns[row[i] & low]
                if end > i + 1:
                    mend_run(row, values[r], columns, low_bits, i, end, run, spare)
                    order[r, i] = run[i]
                    for k in range(i + 1, end):
                        tied = values[r, run[k]] == values[r, run[k - 1]]
                        order[r, k] = ~run[k] if tied else run[k]
                i = end
            start = stop
        for k in range(start, n):
            order[r, k] = n


# --- rank correlations and buckets from one order -----------------------------------------------


def evaluate_rows(
    x: np.ndarray,
    *others: np.ndarray,
    values: tuple[int, ...],
    grouped: bool,
    horizons: int,
    correlated: bool,
    least: int = 2,
    buckets: Buckets | None = None,
    labels: Optional = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Series (row, H, G, S) and counts (row, H, G, C) of the signals x.

    `others` are the returns of each horizon; where `correlated`, the orders of each; and codes
    where `grouped`. Series are the rank correlation, then the mean return of each bucket and top
    less bottom. Counts are those of `COUNTS`, then the returns in each bucket's mean.
    """
    codes = others[-1] if grouped else None
    n_groups = len(values) if grouped else 1
    n_buckets = buckets.n if buckets else 0
    n_series = int(correlated) + (n_buckets + 1 if buckets else 0)
    shape = (len(x), horizons, n_groups)
    series = np.full((*shape, n_series), np.nan)
    counts = np.zeros((*shape, COUNTS + n_buckets), dtype=np.int32)
    for rows in row_blocks(*x.shape):
        block = compilable(x[rows])
        groups = groups_from(None if codes is None else codes[rows], values, block.shape)
        order, size = _order(block, groups, labels)
        valid = np.isfinite(block)
        for h in range(horizons):
            own, n = series[rows, h], counts[rows, h]
            n[:, :, 0] = size
            y = compilable(others[h][rows])
            if correlated:
                partner = compilable(others[horizons + h][rows])
                _rank_correlations(order, partner, valid, groups.codes, own, n, least)
            if buckets is not None:
                means = own[:, :, int(correlated) :]
                _bucket_means(order, size, *_places(size, buckets), buckets.method, y,
                              buckets.least, means, n)  # fmt: skip
    return series, counts


@kernel
def _rank_correlations(order, partner, valid, codes, series, counts, least):  # type: ignore[no-untyped-def]
    n_groups = series.shape[1]
    ranks = np.empty(order.shape[1], dtype=np.int32)
    ties = np.empty(n_groups, dtype=np.int64)
    for r in range(len(order)):
        _rank_partner(partner[r], valid[r], codes[r], n_groups, ranks, ties)
        _correlate(order[r], codes[r], n_groups, ranks, ties, series[r], counts[r], least)


@inlined
def _rank_partner(order, valid, codes, n_groups, ranks, ties):  # type: ignore[no-untyped-def]
    """Twice the average ranks of the returns among cells with a signal, 0 elsewhere.

    And sum(t^3 - t) over the runs of t equal ones of each group.
    """
    n = len(order)
    for g in range(n_groups):
        ties[g] = 0
    for j in range(n):
        ranks[j] = 0
    group = 0
    seen = np.int64(0)
    i = 0
    while i < n and order[i] < n:
        c = order[i]
        if n_groups > 1 and codes[c] != group:
            group = codes[c]
            seen = np.int64(0)
        end = i + 1
        while end < n and order[end] < 0:
            end += 1
        if end == i + 1:
            own = np.int64(valid[c])
            seen += own
            ranks[c] = 2 * seen * own
        else:
            many = np.int64(valid[c])
            for k in range(i + 1, end):
                many += valid[~order[k]]
            twice = 2 * seen + many + 1
            ranks[c] = twice if valid[c] else 0
            for k in range(i + 1, end):
                ranks[~order[k]] = twice if valid[~order[k]] else 0
            ties[group] += many * many * many - many
            seen += many
        i = end


@inlined
def _correlate(order, codes, n_groups, ranks, ties, series, counts, least):  # type: ignore[no-untyped-def]
    """The rank correlation of each group, from the order of the signal and ranks of returns."""
    n = len(order)
    group = 0
    i = 0
    while i < n and order[i] < n:
        if n_groups > 1:
            group = codes[order[i]]
        seen = np.int64(0)
        product = np.int64(0)
        tied = np.int64(0)
        while i < n and order[i] < n:
            c = order[i]
            if n_groups > 1 and codes[c] != group:
                break
            end = i + 1
            while end < n and order[end] < 0:
                end += 1
            rank = np.int64(ranks[c])
            if end == i + 1:
                seen += rank > 0
                product += 2 * seen * rank
            else:
                many = np.int64(rank > 0)
                for k in range(i + 1, end):
                    own = np.int64(ranks[~order[k]])
                    many += own > 0
                    rank += own
                product += (2 * seen + many + 1) * rank
                tied += many * many * many - many
                seen += many
            i = end
        counts[group, 1] = seen
        if seen >= least:
            counts[group, 2] = seen
            cubes = seen * seen * seen - seen  # 12 times a sum of squared ranks without ties
            spread_x = (cubes - tied) / 3
            spread_y = (cubes - ties[group]) / 3
            both = product - seen * (seen + 1) * (seen + 1)
            if spread_x > 0 and spread_y > 0:
                series[group, 0] = both / np.sqrt(spread_x * spread_y)


def _places(size: np.ndarray, buckets: Buckets) -> tuple[np.ndarray, np.ndarray]:
    """Which row of a table belongs to each group, and the table: where the buckets are cut."""
    n = size if buckets.method != PIVOT else np.maximum(size - 1, 0)
    sizes, places = steps(n, buckets.cuts, up=buckets.method == RANK)
    return np.searchsorted(sizes, n), places


@kernel
def _bucket_means(order, size, kind, places, method, y, least, means, counts):  # type: ignore[no-untyped-def]
    """Mean return of each bucket and, last, that of the highest less that of the lowest."""
    n_buckets = means.shape[2] - 1
    n = order.shape[1]
    for r in range(len(order)):
        start = np.int64(0)
        for g in range(size.shape[1]):
            stop = start + size[r, g]
            i = start
            pairs = 0
            for b in range(n_buckets):
                end = stop
                if b < n_buckets - 1:
                    end = start + places[kind[r, g], b]
                    if method == PIVOT:  # the cut is behind what equals the pivot
                        end = min(end + 1, stop)
                        while end < stop and order[r, end] < 0:
                            end += 1
                    elif method == ECDF:  # before it
                        while start < end < n and order[r, end] < 0:
                            end -= 1
                total = 0.0
                known = 0
                while i < end:
                    c = order[r, i]
                    v = y[r, c if c >= 0 else ~c]
                    valid = v - v == 0
                    total += v if valid else 0.0
                    known += valid
                    i += 1
                pairs += known
                if known >= least:
                    means[r, g, b] = total / known
                    counts[r, g, COUNTS + b] = known
            counts[r, g, 1] = pairs
            means[r, g, n_buckets] = means[r, g, n_buckets - 1] - means[r, g, 0]
            start = stop
