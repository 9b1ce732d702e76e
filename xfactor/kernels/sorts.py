"""Portfolios of the buckets of a row: what they earn, how many names they hold, who is left out."""

import numpy as np

from xfactor.kernels._blocks import by_rows, compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels._groups import groups_of, spread
from xfactor.kernels.moments import moments
from xfactor.kernels.rank import AVERAGE, ranked
from xfactor.kernels.rows import group_quantiles

# Why a name is in no portfolio; the order is that in which names are lost.
REASONS = ("not_listed", "masked", "missing", "missing_return", "thin")
NOT_LISTED, OUTSIDE, MISSING, NO_RETURN, THIN = range(5)

# A state is a bucket, or says why there is none: nothing to sort by; outside of the universe, with
# or without something to sort by; no group, or no breakpoints, to sort by what there is. On dates
# before the first sort it is UNKNOWN.
UNKNOWN, MASKED, MASKED_UNKNOWN, UNSORTED = -1, -2, -3, -4


def state_rows(labels: np.ndarray, x: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Labels, -1 where missing, as states that remember why; `where` (row, n) is the universe."""
    known = np.isfinite(x)
    states = np.where(labels >= 0, labels, np.where(known, UNSORTED, UNKNOWN))
    if where is not None:
        states = np.where(where, states, np.where(known, MASKED, MASKED_UNKNOWN))
    return states.astype(np.int16)


def bucket_return_rows(
    state: np.ndarray, returns: np.ndarray, *sizes: np.ndarray, shape: tuple[int, ...], least: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean return, names and losses of each bucket of a row, weighted by `sizes` if given.

    Buckets are numbered through in the order of an array of `shape`. Gives the returns and the
    names (row, *shape), those that entered (row,) and those that did not (row, reason). A bucket
    of fewer than `least` names with a return, or without weight, has no return.
    """
    n_rows, n_buckets = len(state), int(np.prod(shape))
    mean = np.zeros((n_rows, n_buckets))
    names = np.zeros((n_rows, n_buckets), dtype=np.int32)
    entered = np.zeros(n_rows, dtype=np.int32)
    dropped = np.zeros((n_rows, len(REASONS)), dtype=np.int32)
    values = compilable(returns)
    weight = compilable(sizes[0]) if sizes else values
    held = compilable(state, np.int16)
    _bucket_returns(held, values, weight, bool(sizes), least, mean, names, entered, dropped)
    mean = mean.astype(returns.dtype).reshape(n_rows, *shape)
    return mean, names.reshape(n_rows, *shape), entered, dropped


@kernel
def _bucket_returns(state, returns, sizes, weighted, least, mean, names, entered, dropped):  # type: ignore[no-untyped-def]
    n_buckets = mean.shape[1]
    weight = np.empty(n_buckets)
    for r in range(len(state)):
        for k in range(n_buckets):
            weight[k] = 0.0
        for j in range(state.shape[1]):
            s = state[r, j]
            v = np.float64(returns[r, j])
            w = np.float64(sizes[r, j]) if weighted else 1.0
            known = v - v == 0.0
            if s >= 0 and w >= 0.0 and w < np.inf:
                if known:
                    weight[s] += w
                    mean[r, s] += w * v
                    names[r, s] += 1
                else:
                    dropped[r, NO_RETURN] += 1
            elif not known and (s == UNKNOWN or s == MASKED_UNKNOWN):
                dropped[r, NOT_LISTED] += 1
            elif s == MASKED or s == MASKED_UNKNOWN:
                dropped[r, OUTSIDE] += 1
            else:
                dropped[r, MISSING] += 1
        for k in range(n_buckets):
            if names[r, k] >= least and weight[k] > 0.0:
                mean[r, k] /= weight[k]
                entered[r] += names[r, k]
            else:
                mean[r, k] = np.nan
                dropped[r, THIN] += names[r, k]


def limit_share_rows(
    labels: np.ndarray, sizes: np.ndarray, *, share: float, n_buckets: int
) -> np.ndarray:
    """Sizes pulled down to a level of their bucket, so that none is above `share` of its sum.

    What a bucket of n names, n `share` <= 1, has left is equal sizes.
    """
    out = np.empty(sizes.shape, dtype=sizes.dtype)
    _limit_share(compilable(labels, np.int16), compilable(sizes), share, n_buckets, out)
    return out


@kernel
def _limit_share(labels, sizes, share, n_buckets, out):  # type: ignore[no-untyped-def]
    level = np.empty(n_buckets)
    free = np.empty(n_buckets)
    held = np.empty(n_buckets, dtype=np.int64)
    for r in range(len(labels)):
        smallest = np.full(n_buckets, np.inf)
        first = True
        for k in range(n_buckets):
            level[k] = np.inf
            held[k] = 0
        moving = True
        while moving:  # what was pulled down weighs on the others: each round can only add names
            count = np.zeros(n_buckets, dtype=np.int64)
            for k in range(n_buckets):
                free[k] = 0.0
            for j in range(labels.shape[1]):
                k = labels[r, j]
                if k >= 0:
                    size = np.float64(sizes[r, j])
                    smallest[k] = min(smallest[k], size)
                    if size > level[k]:
                        count[k] += 1
                    else:
                        free[k] += size
            moving = False
            for k in range(n_buckets):
                if first or count[k] > held[k]:
                    moving = True
                    left = 1.0 - share * count[k]
                    possible = left > 1e-9 and free[k] > 0.0
                    level[k] = share * free[k] / left if possible else smallest[k]
                    # Where all are equal nothing is left to be found.
                    held[k] = count[k] if possible else labels.shape[1]
            first = False
        for j in range(labels.shape[1]):
            k = labels[r, j]
            size = sizes[r, j]
            out[r, j] = size if k < 0 or size <= level[k] else level[k]


# --- weights of all names of a row ----------------------------------------------------------------


def factor_weight_rows(
    x: np.ndarray, by: np.ndarray | None = None, *, method: str, demeaned: bool
) -> np.ndarray:
    """Weights by the value of each cell, absolute ones sum to 1 in its group, then in the row."""

    def block(rows: np.ndarray, by: np.ndarray | None) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        values = np.where(np.isfinite(rows), rows, np.nan).astype(np.float64)
        if method == "rank":
            values = ranked(values, groups, AVERAGE, True, None)[0]
        if demeaned and method == "equal":
            centre = group_quantiles(values, groups, np.array([0.5]))[:, :, 0]
        elif demeaned:
            m = moments(values, groups)
            centre = (m.pivot + m.shift)[:, :-1]
        else:
            centre = np.zeros((len(values), groups.n))
        values = values - spread(centre, groups)
        if method == "equal":
            values = _sides(values, groups, demeaned)
        values = _over(values, spread(_sums(np.abs(values), groups), groups))
        gross = np.nansum(np.abs(values), axis=1, keepdims=True)
        return _over(values, gross)

    return by_rows(block, x, by)


def _sides(values: np.ndarray, groups, balanced: bool) -> np.ndarray:  # type: ignore[no-untyped-def]
    """1 and -1 by the sign, 0 for 0; `balanced` shares 1 among the names of each side."""
    sign = np.sign(values)
    if not balanced:
        return sign
    out = np.where(np.isnan(values), np.nan, 0.0)
    for side in (1.0, -1.0):
        mine = sign == side
        count = spread(_sums(mine.astype(np.float64), groups), groups)
        np.divide(sign, count, out=out, where=mine)
    return out


def _sums(values: np.ndarray, groups) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Sum of the valid cells of each group (row, G)."""
    m = moments(values, groups)
    return ((m.pivot + m.shift) * m.n)[:, :-1]


def _over(values: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Values over a total; missing where there is none."""
    return values / np.where(total > 0, total, np.nan)
