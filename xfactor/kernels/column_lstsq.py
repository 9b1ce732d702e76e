"""Least squares down the dates: over windows, and over the whole history, for every column."""

from typing import Any

import numpy as np

from xfactor.kernels import history_lstsq, window_lstsq
from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.columns import LANES
from xfactor.kernels.lstsq import Statistics, n_products, solve_by_qr, solve_columns, split


def rolling_lstsq(
    y: np.ndarray,
    *xs: np.ndarray,
    window: int,
    intercept: bool,
    min_obs: int,
    errors: bool = True,
    offset: int,
    start: int,
    stop: int,
) -> Statistics:
    """Regress each column of y (date, n) on the regressors over the window ending at each row.

    A regressor is (date, k, n), or (date, k): common to all columns. Returns ``(date, K, n)``
    betas and errors and ``(date, n)`` for the others; without `errors` only betas, alpha, R2 and
    counts, which takes a fifth less time.

    The sums of a window are those of a suffix and a prefix of date blocks, as in
    `kernels.rolling`: nothing is subtracted and the chunks do not matter.
    """
    x = regressors(y, xs)
    y = compilable(y)
    n_var = x.shape[1] + 1
    shape = (stop - start, y.shape[1])
    n_errors = n_var - 1 if errors else 0  # none: nothing is to be written to them
    beta, stderr = (np.empty((shape[0], k, shape[1]), dtype=y.dtype) for k in (n_var - 1, n_errors))
    each = tuple(np.empty(s, y.dtype) for s in (shape, shape if errors else (0, shape[1]), shape))
    n_obs = np.empty(shape, dtype=np.int32)
    suffix = np.empty((window + 1, 1 + n_var + n_products(n_var), LANES))
    suffix[window] = 0.0
    older = np.zeros((n_var, LANES))
    again = 0
    for left in range(0, shape[1], LANES):
        first = 0
        while first < stop:
            place = (offset + first) % window
            end = min(first + window - place, stop)
            rows = (first, end, place)
            if end > start:  # else it is there for its suffix only
                again += window_lstsq.solve_block(
                    y, x, rows, left, suffix, older, start, intercept, min_obs, beta, stderr,
                    each, n_obs,
                )  # fmt: skip
            if end < stop:
                window_lstsq.suffix_sums(y, x, rows, left, suffix, older)
            first = end
    if again:
        _windows_again(y, x, window, intercept, start, (beta, stderr, *each, n_obs))
    alpha, alpha_stderr, rsquared = each
    if not errors:
        return beta, alpha, rsquared, n_obs
    return beta, stderr, alpha, alpha_stderr, rsquared, n_obs


def _windows_again(
    y: np.ndarray, x: np.ndarray, window: int, intercept: bool, start: int, fit: Statistics
) -> None:
    """Solve ill-conditioned windows from their data; compiled only where there are any."""
    beta, stderr, *each, n_obs = fit
    t, column = which = np.nonzero(n_obs < 0)
    k = x.shape[1]
    solved = np.zeros((len(t), 2 * k + 5))
    _solve_windows(compilable(y, np.float64), x, window, intercept, start, *which, solved)
    beta[t, :, column] = solved[:, :k]
    if stderr.shape[1]:
        stderr[t, :, column] = solved[:, k : 2 * k]
    for i, one in enumerate(each):
        if len(one):
            one[t, column] = solved[:, 2 * k + i]
    n_obs[t, column] = -1 - n_obs[t, column]


@kernel
def _solve_windows(y, x, window, intercept, start, rows, columns, out):  # type: ignore[no-untyped-def]
    k_all = x.shape[1]
    one = np.ones((1, 1))
    for i in range(len(rows)):
        column = columns[i]
        last = start + rows[i]
        first = max(0, last - window + 1)
        own = column if x.shape[2] == y.shape[1] else 0
        y_row = np.empty((1, last + 1 - first))
        x_row = np.empty((1, k_all, last + 1 - first))
        for r in range(first, last + 1):
            y_row[0, r - first] = y[r, column]
            for k in range(k_all):
                x_row[0, k, r - first] = x[r, k, own]
        solve_by_qr(y_row, x_row, one, False, intercept, out[i])


def regressors(y: np.ndarray, xs: tuple[np.ndarray, ...]) -> np.ndarray:
    """(date, K, n), or (date, K, 1) where all regressors are common to the columns."""
    if not xs:
        return np.empty((len(y), 0, 1))
    n = y.shape[1] if any(x.ndim == 3 for x in xs) else 1
    cubes = [x if x.ndim == 3 else x[:, :, None] for x in xs]
    wide = [np.broadcast_to(x, (*x.shape[:2], n)) for x in cubes]
    return compilable(np.concatenate(wide, axis=1), np.float64)


# --- over the whole history -------------------------------------------------------------------


def precise_sums(
    y: np.ndarray, *xs: np.ndarray, offset: int, start: int, stop: int
) -> tuple[np.ndarray, ...]:
    """Sums of rows start:stop: count (n,), origin (V, n), first sums and products in two parts."""
    y = compilable(y[start:stop])
    x = regressors(y, tuple(x[start:stop] for x in xs))
    n = y.shape[1]
    n_var = x.shape[1] + 1
    size = n_var + n_products(n_var)
    total = (np.zeros(n), np.zeros((n_var, n)), np.zeros((size, n)), np.zeros((size, n)))
    history_lstsq.sum_columns(y, x, *total)
    return total


def merge_precise(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Combine the sums of two stretches of dates."""
    total = tuple(x.copy() for x in a)
    history_lstsq.merge_columns(*total, *b)
    return total


def solve_precise(
    total: tuple[np.ndarray, ...], *, intercept: bool, min_obs: int, dtype: Any
) -> tuple[np.ndarray, ...]:
    """Regress every column from the sums of the whole history.

    Beside the statistics: the means of the regressors (K, n), and the root (K, K, n) that makes
    their deviations orthonormal; NaN where there is no solution.
    """
    n_var, n = total[1].shape
    k = n_var - 1
    out, mean, root = np.empty((2 * k + 3, n)), np.empty((k, n)), np.empty((k, k, n))
    history_lstsq.solve_columns(*total, intercept, min_obs, out, mean, root)
    fit = [r.astype(dtype, copy=False) for r in (out[:k], out[k : 2 * k], *out[2 * k :])]
    return (*fit, total[0].astype(np.int32), mean, root)


# --- means and centred products, as other statistics need them ----------------------------------


def history_sums(
    y: np.ndarray, *xs: np.ndarray, offset: int, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count and means (V + 1, n), centred products (V (V + 1) / 2, n) of rows start:stop."""
    count, origin, total, _ = precise_sums(y, *xs, offset=offset, start=start, stop=stop)
    first, square = total[: len(origin)], total[len(origin) :]
    shift = first / np.maximum(count, 1.0)
    row, column = np.tril_indices(len(origin))
    return np.concatenate([origin + shift, count[None]]), square - first[row] * shift[column]


def merge_history(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Combine the sums of two stretches of dates (Chan, Golub and LeVeque 1983)."""
    (mean_a, square_a), (mean_b, square_b) = a, b
    n_a, n_b = mean_a[-1], mean_b[-1]
    n = np.maximum(n_a + n_b, 1.0)
    gap = np.where(n_b > 0, mean_b[:-1] - mean_a[:-1], 0.0)
    mean = np.where(n_a > 0, mean_a[:-1] + gap * (n_b / n), mean_b[:-1])
    row, column = np.tril_indices(len(gap))
    square = square_a + square_b + gap[row] * gap[column] * (n_a * n_b / n)
    return np.concatenate([mean, [n_a + n_b]]), square


def solve_history(
    total: tuple[np.ndarray, np.ndarray], *, intercept: bool, min_obs: int, dtype: Any
) -> Statistics:
    """Regress every column from the sums of the whole history."""
    mean, square = total
    n_var = len(mean) - 1
    out = solve_columns(mean, square, intercept, min_obs)
    # No second look at the data here: what squares cannot tell apart is missing, not guessed.
    out[: 2 * n_var + 1, out[-1] != 0.0] = np.nan
    return tuple(r[0] for r in split(out[None], n_var - 1, dtype))
