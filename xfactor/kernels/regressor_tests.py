"""Tests of residuals on regressors, and of regressors on each other, from column sums of products.

A stretch of dates is (exponents, pivots, sums). Each variable is divided by a power of two, as in
`kernels.diagnostics`, and is summed about a pivot: two stretches meet in the larger size, and a
high level costs no digits. The pivot is the value nearest to 0, so that taking it off rounds no
value by more than a bit of its own.
"""

from typing import Any

import numpy as np
from scipy.special import chdtrc

from xfactor.kernels import column_lstsq
from xfactor.kernels.diagnostics import LOWEST, exponents, plain

NO_SCALE = 300  # regressors of an exponent below this in size are squared as they are

# A regressor whose correlations with the others have an eigenvalue below this is explained by
# them: sums of squares know about 15 digits, some of which the sums have cost.
SINGULAR = 1e-12
# Share of an eigenvector that is more than the rounding of a zero.
TAKES_PART = 1e-16
CONSTANT = 1e-29  # centred squares below this share of the squares: a constant


def square_sums(e: np.ndarray, *xs: np.ndarray, offset: int, start: int, stop: int) -> Any:
    """Exponents, pivots, and means and centred products of e^2 and of its regressors."""
    e = plain(e[start:stop])
    size = exponents(e)
    z = e * np.ldexp(1.0, -size)
    return _variables(z * z, 2 * size, [x[start:stop] for x in xs])


def regressor_sums(*xs: np.ndarray, offset: int, start: int, stop: int) -> Any:
    """Sums of regressors alone, beside a variable that is 0."""
    n = max([x.shape[2] for x in xs if x.ndim == 3], default=1)
    zero = np.zeros((stop - start, n))
    return _variables(zero, np.full(n, LOWEST), [x[start:stop] for x in xs])


def _variables(y: np.ndarray, y_size: np.ndarray, xs: list[np.ndarray]) -> Any:
    sizes: list[np.ndarray] = []
    pivots: list[np.ndarray] = []
    moved: list[np.ndarray] = []
    for x in xs:
        size = exponents(x)
        extreme = (np.abs(size) >= NO_SCALE) & (size != LOWEST)
        size[~extreme & (size != LOWEST)] = 0
        if extreme.any():
            x = np.ldexp(x.astype(np.float64), -size)
        pivot = _smallest(x)
        moved.append(x - pivot)
        for rows, values in ((sizes, size), (pivots, pivot)):
            wide = values[:, None] if x.ndim == 2 else values
            rows.append(np.broadcast_to(wide, (len(wide), y.shape[1])))
    history = column_lstsq.history_sums(y, *moved, offset=0, start=0, stop=len(y))
    about = np.concatenate([*pivots, np.zeros((1, y.shape[1]))])
    return np.concatenate([*sizes, y_size[None]]), about, history


def _smallest(x: np.ndarray) -> np.ndarray:
    """The finite value nearest to 0 along the first axis, in float64; 0 where there is none."""
    if not len(x):
        return np.zeros(x.shape[1:])
    at = np.where(np.isfinite(x), np.abs(x), np.inf).argmin(axis=0)
    values = np.take_along_axis(x, at[None], axis=0)[0].astype(np.float64)
    return np.where(np.isfinite(values), values, 0.0)


def merge_variables(a: Any, b: Any) -> Any:
    """Join two stretches of `square_sums` or `regressor_sums`: both to the pivot of the first."""
    larger = np.maximum(a[0], b[0])
    row, column = np.tril_indices(len(larger))
    pivots, histories = [], []
    for size, pivot, (mean, square) in (a, b):
        by = size - larger
        pivots.append(np.ldexp(pivot, by))
        means = np.concatenate([np.ldexp(mean[:-1], by), mean[-1:]])
        histories.append((means, np.ldexp(square, by[row] + by[column])))
    some = histories[0][0][-1] > 0
    histories[1][0][:-1] += np.where(some, pivots[1] - pivots[0], 0.0)
    return larger, np.where(some, *pivots), column_lstsq.merge_history(*histories)


def _whole(total: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means and centred products; the level of a mean tells rounding from variance."""
    _, pivot, (mean, square) = total
    return np.concatenate([mean[:-1] + pivot, mean[-1:]]), square


def breusch_pagan(total: Any, *, koenker: bool) -> tuple[np.ndarray, ...]:
    """Statistic, p-value, count; missing where the regression has no solution.

    What is explained is b'S_xy and not the total less the rest: next to nothing explained, which
    is the rule, would be lost in the rounding of the total.
    """
    mean, square = history = _whole(total)
    k = len(mean) - 2
    dtype = np.dtype(np.float64)
    fit = column_lstsq.solve_history(history, intercept=True, min_obs=k + 2, dtype=dtype)
    beta, n = fit[0], mean[-1]
    explained = np.zeros_like(n)
    for i in range(k):  # in this order, whatever the number of columns
        explained += beta[i] * square[i - k - 1]
    explained = np.maximum(explained, 0.0)
    varies = square[-1] > 0.0
    if koenker:
        statistic = n * (explained / np.where(varies, square[-1], np.nan))
    else:
        level = np.where(varies, mean[k], np.nan)
        statistic = explained / (2.0 * level * level)
    return statistic, chdtrc(float(k), statistic), n


def variance_inflation(total: Any) -> tuple[np.ndarray, np.ndarray]:
    """Diagonal (K, n) of the inverse correlations, and counts; infinite where there is none."""
    mean, square = _whole(total)
    k = len(mean) - 2
    n = mean[-1]
    products = np.empty((len(n), k, k))
    row, column = np.tril_indices(k)
    products[:, row, column] = products[:, column, row] = square[: len(row)].T
    spread = np.einsum("nii->ni", products)
    level = CONSTANT * n[:, None] * mean[:k].T * mean[:k].T
    varies = np.isfinite(products).all(axis=2) & (spread > level) & (n[:, None] > k)
    root = np.sqrt(np.where(varies, spread, 1.0))
    correlation = products / root[:, :, None] / root[:, None, :]
    both = varies[:, :, None] & varies[:, None, :]
    correlation = np.where(both, correlation, np.eye(k))
    values, vectors = np.linalg.eigh(correlation)
    share = vectors * vectors
    singular = values[:, None, :] < SINGULAR
    lost = np.where(share > TAKES_PART, np.inf, 0.0)
    parts = np.where(singular, lost, share / np.where(singular, 1.0, values[:, None, :]))
    inflation = np.zeros((len(n), k))
    for i in range(k):  # in this order, whatever the number of columns
        inflation += parts[:, :, i]
    inflation = np.where(varies, np.maximum(inflation, 1.0), np.nan)
    return inflation.T, n
