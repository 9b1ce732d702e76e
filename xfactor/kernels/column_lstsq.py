"""Least squares down the dates: over windows, and over the whole history, for every column."""

from typing import Any

import numpy as np

from xfactor.kernels import lanes
from xfactor.kernels._blocks import compilable
from xfactor.kernels._compile import kernel
from xfactor.kernels.lanes import LANES
from xfactor.kernels.lstsq import Statistics, n_products, solve_by_qr, solve_columns, split


def rolling_lstsq(
    y: np.ndarray,
    *xs: np.ndarray,
    window: int,
    intercept: bool,
    min_obs: int,
    offset: int,
    start: int,
    stop: int,
) -> Statistics:
    """Regress each column of y (date, n) on the regressors over the window ending at each row.

    A regressor is (date, k, n), or (date, k): common to all columns. Returns ``(date, K, n)``
    betas and errors and ``(date, n)`` for the others.

    The sums of a window are those of a suffix and a prefix of date blocks, as in
    `kernels.rolling`: nothing is subtracted and the chunks do not matter.
    """
    x = _regressors(y, xs)
    y = compilable(y)
    n_var = x.shape[1] + 1
    n = y.shape[1]
    out = np.empty((stop - start, 2 * n_var + 3, n))
    suffix = np.zeros((window + 1, 1 + 2 * n_var + n_products(n_var), LANES))
    for left in range(0, n, LANES):
        suffix[:] = 0.0
        row = 0
        while row < stop:
            place = (offset + row) % window
            end = min(row + window - place, stop)
            _window_block(y, x, (row, end, place), left, window, start, suffix, intercept,
                          min_obs, out)  # fmt: skip
            row = end
    _windows_again(y, x, window, intercept, start, out)
    return split(out, n_var - 1, y.dtype)


def _window_block(
    y: np.ndarray,
    x: np.ndarray,
    rows: tuple[int, int, int],
    left: int,
    window: int,
    start: int,
    suffix: np.ndarray,
    intercept: bool,
    min_obs: int,
    out: np.ndarray,
) -> None:
    first, end, _ = rows
    wanted = max(start, first)
    count = max(end - wanted, 0)
    n_var = x.shape[1] + 1
    mean = np.empty((count, n_var + 1, LANES))
    square = np.empty((count, n_products(n_var), LANES))
    prefix = np.empty(suffix.shape[1:])
    lanes.block_sums(y, x, rows, left, window, wanted, prefix, suffix, mean, square)
    if not count:
        return  # a block of dates that are there for their suffix only
    solved = np.empty((count, out.shape[1], LANES))
    lanes.solve_all(mean, square, intercept, min_obs, solved)
    width = min(LANES, y.shape[1] - left)
    out[wanted - start : end - start, :, left : left + width] = solved[:, :, :width]


def _windows_again(
    y: np.ndarray, x: np.ndarray, window: int, intercept: bool, start: int, out: np.ndarray
) -> None:
    """Solve ill-conditioned windows from their data; compiled only where there are any."""
    which = np.argwhere(out[:, -1] == 1.0)
    if len(which):
        _solve_windows(compilable(y, np.float64), x, window, intercept, start, which, out)


@kernel
def _solve_windows(y, x, window, intercept, start, which, out):  # type: ignore[no-untyped-def]
    k_all = x.shape[1]
    one = np.ones((1, 1))
    result = np.zeros(out.shape[1])
    for i in range(which.shape[0]):
        t, column = which[i, 0], which[i, 1]
        last = start + t
        first = max(0, last - window + 1)
        own = column if x.shape[2] == y.shape[1] else 0
        y_row = np.empty((1, last + 1 - first))
        x_row = np.empty((1, k_all, last + 1 - first))
        for r in range(first, last + 1):
            y_row[0, r - first] = y[r, column]
            for k in range(k_all):
                x_row[0, k, r - first] = x[r, k, own]
        for s in range(out.shape[1]):
            result[s] = out[t, s, column]
        solve_by_qr(y_row, x_row, one, False, intercept, result)
        for s in range(out.shape[1]):
            out[t, s, column] = result[s]


def _regressors(y: np.ndarray, xs: tuple[np.ndarray, ...]) -> np.ndarray:
    """(date, K, n), or (date, K, 1) where all regressors are common to the columns."""
    if not xs:
        return np.empty((len(y), 0, 1))
    n = y.shape[1] if any(x.ndim == 3 for x in xs) else 1
    cubes = [x if x.ndim == 3 else x[:, :, None] for x in xs]
    wide = [np.broadcast_to(x, (*x.shape[:2], n)) for x in cubes]
    return compilable(np.concatenate(wide, axis=1), np.float64)


# --- over the whole history -------------------------------------------------------------------


def history_sums(
    y: np.ndarray, *xs: np.ndarray, offset: int, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count and means (V + 1, n), centred products (V (V + 1) / 2, n) of rows start:stop."""
    y = compilable(y[start:stop])
    x = _regressors(y, tuple(x[start:stop] for x in xs))
    n_rows, n = y.shape
    n_var = x.shape[1] + 1
    mean = np.zeros((n_var + 1, n))
    square = np.zeros((n_products(n_var), n))
    empty = np.zeros((1, 1 + 2 * n_var + len(square), LANES))
    prefix = np.empty(empty.shape[1:])
    one_mean, one_square = np.zeros((1, len(mean), LANES)), np.zeros((1, len(square), LANES))
    for left in range(0, n, LANES):
        rows = (0, n_rows, 0)
        last = n_rows - 1
        lanes.block_sums(y, x, rows, left, 1, last, prefix, empty, one_mean, one_square)
        width = min(LANES, n - left)
        mean[:, left : left + width] = one_mean[0, :, :width]
        square[:, left : left + width] = one_square[0, :, :width]
    return mean, square


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
