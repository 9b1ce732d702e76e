"""Covariances that allow for heteroskedastic and autocorrelated errors (Newey and West 1987)."""

import numpy as np

# Long-run sums of the scores of a stretch of dates, the scores of its first dates and of its last.
Part = tuple[np.ndarray, np.ndarray, np.ndarray]

COLUMNS = 256  # worked on together, so that a chunk's scores of all regressors stay small


def score_sums(
    e: np.ndarray, *xs: np.ndarray, intercept: bool, lags: int, offset: int, start: int, stop: int
) -> Part:
    """Long-run sums of scores (p, p, n) over pairs of rows in start:stop, with Bartlett weights.

    The scores are h = e (1, x')'. With g[t] the weighted sum of the `lags` scores before t, the sum
    is h h' + h g' + g h': one pass, whatever the number of lags. A missing score counts as 0.

    The first and the last `lags` scores (rows, p, n) come along, for the pairs with dates outside:
    all scores if there are fewer.
    """
    n = e.shape[1]
    e, xs = e[start:stop], tuple(x[start:stop] for x in xs)
    parts = []
    for left in range(0, max(n, 1), COLUMNS):
        columns = slice(left, left + COLUMNS)
        block = [x[:, :, None] if x.ndim == 2 else x[:, :, columns] for x in xs]
        parts.append(_sums(_scores(e[:, columns], block, intercept), lags))
    meat, head, tail = (np.concatenate(p, axis=2) for p in zip(*parts, strict=True))
    return meat, head, tail


def _scores(e: np.ndarray, xs: list[np.ndarray], intercept: bool) -> np.ndarray:
    ones = [np.ones((len(e), 1, 1))] if intercept else []
    scores = np.concatenate([z * e[:, None, :] for z in (*ones, *xs)], axis=1, dtype=np.float64)
    scores[~np.isfinite(scores)] = 0.0
    return scores


def _sums(scores: np.ndarray, lags: int) -> Part:
    rows = len(scores)
    before = np.zeros_like(scores)
    for lag in range(1, min(lags, rows - 1) + 1):
        before[lag:] += _weight(lag, lags) * scores[: rows - lag]
    meat = np.einsum("tin,tjn->ijn", scores, scores) + _both_ways(scores, before)
    return meat, scores[:lags], _last(scores, lags)


def add_scores(a: Part, b: Part, *, lags: int) -> Part:
    """Sums of two stretches of dates that follow one another, `a` the earlier; of any lengths.

    What neither has are the pairs of a date of `a` and one of `b`, at most `lags` apart: those of
    the last scores of `a` with the first of `b`.
    """
    meat, first, earlier = a
    other, later, last = b
    head = np.concatenate([first, later[: lags - len(first)]])
    tail = np.concatenate([_last(earlier, lags - len(last)), last])
    return meat + other + _across(earlier, later, lags), head, tail


def _across(earlier: np.ndarray, later: np.ndarray, lags: int) -> np.ndarray:
    """Weighted products of the last scores of a stretch with the first of the next one."""
    m = len(earlier)
    before = np.zeros_like(later)
    for lag in range(1, min(lags, m + len(later) - 1) + 1):
        first, last = max(lag - m, 0), min(lag, len(later))
        before[first:last] += _weight(lag, lags) * earlier[m + first - lag : m + last - lag]
    return _both_ways(later, before)


def _both_ways(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    cross = np.einsum("tin,tjn->ijn", now, before)
    return cross + cross.swapaxes(0, 1)


def _weight(lag: int, lags: int) -> float:
    return 1.0 - lag / (lags + 1.0)


def _last(scores: np.ndarray, lags: int) -> np.ndarray:
    return scores[max(len(scores) - lags, 0) :]


def sandwich_rows(
    root: np.ndarray, x_mean: np.ndarray, meat: np.ndarray, n_obs: np.ndarray, intercept: bool
) -> np.ndarray:
    """Standard errors (row, p) from long-run sums of scores (row, p, p), with n / (n - p).

    The scores are those of regressors made orthonormal by `root` (row, K, K), beside a constant
    about their means if there is an intercept: the errors keep their digits however alike the
    regressors and whatever their level. alpha is mean(y) - mean(x)' beta.
    """
    p = meat.shape[1]
    n = n_obs[:, None].astype(np.float64)
    to_errors = root
    if intercept:
        to_errors = np.zeros_like(meat)
        to_errors[:, 0, 0] = 1.0 / np.maximum(n_obs, 1)
        to_errors[:, 0, 1:] = -np.einsum("ri,rij->rj", x_mean, root)
        to_errors[:, 1:, 1:] = root
    variance = np.einsum("rij,rjk,rik->ri", to_errors, meat, to_errors, optimize=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > p, np.sqrt(variance * n / (n - p)), np.nan)


def mean_rows(x: np.ndarray, lags: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean, standard deviation (ddof 1), error of the mean and count of each row of a series.

    The same errors as above, for a series (row, date) that is there whole; `lags` (row,). A
    missing value keeps its place and counts as 0.
    """
    x = np.ascontiguousarray(x)  # the order of a sum depends on the memory order
    known = np.isfinite(x)
    n = np.count_nonzero(known, axis=1)
    first = np.argmax(known, axis=1) if x.shape[1] else np.zeros(len(x), dtype=np.int64)
    pivot = np.zeros(len(x))
    pivot[n > 0] = x[np.arange(len(x)), first][n > 0] if x.shape[1] else 0.0
    count = np.where(n > 0, n, np.nan)
    e = np.where(known, x - pivot[:, None], 0.0)
    shift = e.sum(axis=1) / count
    e = np.where(known, e - shift[:, None], 0.0)
    square = (e * e).sum(axis=1)
    total = square.copy()
    for lag in range(1, min(int(lags.max(initial=0)), x.shape[1] - 1) + 1):
        weight = np.maximum(1.0 - lag / (lags + 1.0), 0.0)
        total += 2.0 * weight * (e[:, lag:] * e[:, :-lag]).sum(axis=1)
    left = np.where(n > 1, n - 1.0, np.nan)
    stderr = np.sqrt(np.maximum(total, 0.0) / (count * left))
    results = [
        a.astype(x.dtype, copy=False) for a in (pivot + shift, np.sqrt(square / left), stderr)
    ]
    return (*results, n.astype(np.int32))
