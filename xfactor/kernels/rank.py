"""Ranks along a row, by group; percentiles and normal scores of them."""

from functools import partial

import numpy as np
from scipy.special import ndtri

from xfactor.kernels._blocks import by_rows
from xfactor.kernels._compile import kernel
from xfactor.kernels._groups import Groups, groups_of, spread
from xfactor.kernels.order import mend_run, run_end, sort_rows
from xfactor.kernels.select import counts, end_rows

ORDINAL, AVERAGE, MIN, MAX, DENSE = range(5)
METHODS = {"ordinal": ORDINAL, "average": AVERAGE, "min": MIN, "max": MAX, "dense": DENSE}

# How a rank r of n becomes a fraction.
FRACTIONS = ("ecdf", "hazen", "linear")


def rank_rows(
    x: np.ndarray,
    by: np.ndarray | None = None,
    *,
    method: int = ORDINAL,
    ascending: bool = True,
    order: np.ndarray | None = None,
    fraction: str | None = None,
    normal: bool = False,
) -> np.ndarray:
    """Rank 1..n of each value in its row and group; NaN where missing.

    `order`: the columns in label order. `fraction`: ranks as fractions of n. `normal`: the
    fractions as quantiles of the normal distribution.
    """
    block = partial(
        _rank_block,
        method=method,
        ascending=ascending,
        order=order,
        fraction=fraction,
        normal=normal,
    )
    return by_rows(block, x, by)


def top_rows(
    x: np.ndarray,
    by: np.ndarray | None = None,
    *,
    n: int,
    exact: bool = True,
    order: np.ndarray | None = None,
) -> np.ndarray:
    """True for the `n` largest of each row and group: the last `n` places of the ordinal rank.

    Without `exact` also for what equals the smallest of these.
    """

    def block(rows: np.ndarray, by: np.ndarray | None) -> np.ndarray:
        if by is None and exact:
            return _ends(rows, 0, n, order) == 1
        groups = groups_of(by, rows.shape)
        ranks, size = ranked(rows, groups, ORDINAL if exact else MAX, True, order)
        return ranks > spread(size, groups) - n

    return by_rows(block, x, by, dtype=np.bool_)


def bottom_rows(
    x: np.ndarray,
    by: np.ndarray | None = None,
    *,
    n: int,
    exact: bool = True,
    order: np.ndarray | None = None,
) -> np.ndarray:
    """True for the `n` smallest of each row and group: the first `n` places of that rank."""

    def block(rows: np.ndarray, by: np.ndarray | None) -> np.ndarray:
        if by is None and exact:
            return _ends(rows, n, 0, order) == -1
        groups = groups_of(by, rows.shape)
        return ranked(rows, groups, ORDINAL if exact else MIN, True, order)[0] <= n

    return by_rows(block, x, by, dtype=np.bool_)


def _ends(x: np.ndarray, lowest: int, highest: int, order: np.ndarray | None) -> np.ndarray:
    """Sides as of `end_rows`, where the numbers are those of all rows."""
    sides = np.empty(x.shape, dtype=np.int8)
    n = counts(x)
    return end_rows(x, np.minimum(lowest, n), np.minimum(highest, n), order, sides)


def _rank_block(
    rows: np.ndarray,
    by: np.ndarray | None,
    *,
    method: int,
    ascending: bool,
    order: np.ndarray | None,
    fraction: str | None,
    normal: bool,
) -> np.ndarray:
    groups = groups_of(by, rows.shape)
    ranks, size = ranked(rows, groups, method, ascending, order)
    if fraction is None:
        return ranks
    n = spread(size, groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        if fraction == "ecdf":
            scores = ranks / n
        elif fraction == "hazen":
            scores = (ranks - 0.5) / n
        else:  # the only one of its group is in the middle, as all equal ones are
            scores = np.where(n == 1, ranks * 0.5, (ranks - 1.0) / (n - 1.0))
    return ndtri(scores) if normal else scores


def ranked(
    rows: np.ndarray, groups: Groups, method: int, ascending: bool, order: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks, and the highest rank of each group (row, G)."""
    signed = rows + rows.dtype.type(0) if ascending else 0 - rows  # -0.0 becomes 0.0
    sorted_ = sort_rows(signed, groups, order)
    highest = sorted_.size.astype(np.float64)
    return _ranks(*sorted_, signed, method, highest), highest


@kernel
def _ranks(keys, low_bits, columns, size, values, method, highest):  # type: ignore[no-untyped-def]
    out = np.full(values.shape, np.nan, dtype=values.dtype)
    low = (np.int64(1) << low_bits) - 1
    run = np.empty(values.shape[1], dtype=np.int64)
    spare = np.empty(values.shape[1], dtype=np.int64)
    for r in range(len(keys)):
        row = keys[r]
        start = np.int64(0)  # a plain 0 would compile what it is passed to once more
        for g in range(size.shape[1]):
            stop = start + size[r, g]
            distinct = np.int64(0)
            i = start
            while i < stop:
                end = run_end(row, i, stop, low_bits)
                if end == i + 1:
                    distinct += 1
                    out[r, columns[row[i] & low]] = distinct if method == DENSE else end - start
                else:
                    mend_run(row, values[r], columns, low_bits, i, end, run, spare)
                    distinct += _share(run, i, end, start, distinct, values[r], method, out[r])
                i = end
            if method == DENSE:
                highest[r, g] = distinct
            start = stop
    return out


@kernel
def _share(run, i, stop, start, distinct, values, method, out):  # type: ignore[no-untyped-def]
    """Rank the cells in run[i:stop], equal ones by `method`; return how many values differ."""
    before = distinct
    while i < stop:
        end = i + 1
        while end < stop and values[run[end]] == values[run[i]]:
            end += 1
        distinct += 1
        for k in range(i, end):
            if method == ORDINAL:
                out[run[k]] = k + 1 - start
            elif method == AVERAGE:
                out[run[k]] = 0.5 * (i + 1 + end) - start
            elif method == MIN:
                out[run[k]] = i + 1 - start
            elif method == MAX:
                out[run[k]] = end - start
            else:
                out[run[k]] = distinct
        i = end
    return distinct - before
