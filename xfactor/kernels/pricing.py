"""Moments of assets and factors together, and the tests of asset pricing made from them."""

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import fdtrc

from xfactor.kernels.lanes import CONSTANT, ILL_CONDITIONED

Moments = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def joint_sums(*xs: np.ndarray, offset: int, start: int, stop: int) -> Moments:
    """Count (n,), pivots and means about them (V, n), and centred products (V, V, n).

    They are those of the complete ones among the rows start:stop. An input is (date, k, n), or
    (date, k): the same for all n. A pivot is an observation, so that means can be compared and
    merged without the digits that a high level would cost.
    """
    n = next(x.shape[2] for x in xs if x.ndim == 3)
    n_var = sum(x.shape[1] for x in xs)
    count, pivot, shift = np.zeros(n), np.zeros((n_var, n)), np.zeros((n_var, n))
    square = np.zeros((n_var, n_var, n))
    for j in range(n):
        parts = [x[start:stop] if x.ndim == 2 else x[start:stop, :, j] for x in xs]
        rows = np.concatenate(parts, axis=1, dtype=np.float64)
        rows = rows[np.isfinite(rows).all(axis=1)]
        if len(rows):
            count[j], pivot[:, j] = len(rows), rows[0]
            rows -= rows[0].copy()
            shift[:, j] = rows.mean(axis=0)
            rows -= shift[:, j]
            square[:, :, j] = rows.T @ rows
    return count, pivot, shift, square


def merge_joint(a: Moments, b: Moments) -> Moments:
    """Combine the moments of two stretches of dates (Chan, Golub and LeVeque 1983)."""
    n = a[0] + b[0]
    share = b[0] / np.maximum(n, 1.0)
    gap = np.where(b[0] > 0, (b[1] - a[1]) + (b[2] - a[2]), 0.0)
    pivot = np.where(a[0] > 0, a[1], b[1])
    shift = np.where(a[0] > 0, a[2] + gap * share, b[2])
    square = a[3] + b[3] + gap[:, None] * gap[None] * (share * a[0])
    return n, pivot, shift, square


def covariance(total: Moments) -> np.ndarray:
    """Covariance (V, V, n), divisor T - 1; missing where there are fewer than two dates."""
    count, _, _, square = total
    return np.where(count > 1, square / np.maximum(count - 1, 1.0), np.nan)


def _triangle(square: np.ndarray) -> np.ndarray | None:
    """Cholesky factor of products scaled to a diagonal of at most 1; None if there is no rank.

    The square of a pivot is the share of a variable's variance that those before it leave. As in
    the regressions over the history, squares cannot tell less than 1e-6 from nothing.
    """
    try:
        root = np.linalg.cholesky(square)
    except np.linalg.LinAlgError:
        return None
    return root if bool((np.diag(root) ** 2 >= ILL_CONDITIONED).all()) else None


# --- Gibbons, Ross and Shanken ------------------------------------------------------------------


def grs(total: Moments, *, n_factors: int, dtype: Any) -> tuple[np.ndarray, ...]:
    """Statistic, p-value, dates, denominator's degrees of freedom (n,), and alphas (N, n).

    The variables are the factors, then the assets.
    """
    count, pivot, shift, square = total
    k, n_assets = n_factors, len(pivot) - n_factors
    statistic, alpha = np.full(len(count), np.nan), np.full((n_assets, len(count)), np.nan)
    dof = np.maximum(count - n_assets - k, 0.0)
    for j in range(len(count)):
        mean = pivot[:, j] + shift[:, j]
        if count[j] >= k + 2:  # one more than coefficients, as in the regressions
            quadratic, alpha[:, j] = _test(count[j], mean, square[:, :, j], k)
            if n_assets and dof[j] > 0:
                statistic[j] = dof[j] / n_assets * quadratic
    pvalue = fdtrc(n_assets, np.where(dof > 0, dof, np.nan), statistic)
    floats = [v.astype(dtype) for v in (statistic, pvalue, alpha)]
    counts = [v.astype(np.int32) for v in (count, dof)]
    return (*floats[:2], *counts, floats[2])


def _test(count: float, mean: np.ndarray, square: np.ndarray, k: int) -> tuple[float, np.ndarray]:
    """The ratio a' S^-1 a / (1 + m' O^-1 m) with S and O over T, and alphas; NaN if singular."""
    variance = np.diag(square)
    varies = variance > CONSTANT * count * mean * mean
    scale = np.sqrt(np.where(varies, variance, 1.0))
    unit = np.where(varies[:, None] & varies, square / (scale[:, None] * scale), 0.0)
    level = mean / scale
    nothing = np.full(len(mean) - k, np.nan)
    root = _triangle(unit[:k, :k])
    if root is None:
        return np.nan, nothing
    slopes = solve_triangular(root, unit[:k, k:], lower=True)
    sharpe = solve_triangular(root, level[:k], lower=True)
    alpha = level[k:] - slopes.T @ sharpe
    left = _triangle(unit[k:, k:] - slopes.T @ slopes)
    if left is None:
        return np.nan, alpha * scale[k:]
    z = solve_triangular(left, alpha, lower=True)
    return count * (z @ z) / (1.0 + count * (sharpe @ sharpe)), alpha * scale[k:]


# --- errors in variables ------------------------------------------------------------------------


def shanken_rows(
    premium: np.ndarray, stderr: np.ndarray, n_obs: np.ndarray, of_factors: np.ndarray
) -> np.ndarray:
    """Standard errors (row, p) of premia whose betas were estimated over the same dates.

    `of_factors` (row, K, K) is the factors' covariance. Where p = K + 1 the first premium is the
    constant's: nobody estimated its exposure, and no factor moves it.
    """
    k = of_factors.shape[1]
    first = premium.shape[1] - k
    out = np.full(premium.shape, np.nan)
    for r in range(len(premium)):
        scale = np.sqrt(np.diag(of_factors[r]))
        if n_obs[r] < 1 or not (scale > 0).all():
            continue
        root = _triangle(of_factors[r] / (scale[:, None] * scale))
        if root is None:
            continue
        z = solve_triangular(root, premium[r, first:] / scale, lower=True, check_finite=False)
        own = np.concatenate([np.zeros(first), scale * scale]) / n_obs[r]
        variance = (1.0 + z @ z) * (stderr[r].astype(np.float64) ** 2 - own) + own
        out[r] = np.sqrt(np.where(variance >= 0, variance, np.nan))
    return out.astype(premium.dtype)
