"""What is small once the sums are made: normal equations by NumPy, Newey-West errors."""

import numpy as np

from tests.benchmarks.peers.task import LAGS


def pairs(k: int) -> list[tuple[int, int]]:
    """Pairs i <= j of the k regressors, of which products are summed."""
    return [(i, j) for i in range(k) for j in range(i, k)]


def coefficients(sums: np.ndarray, k: int, least: int) -> np.ndarray:
    """Coefficients (row, 1 + k) from sums (row, .): n, x.., x x.., y, x y..

    NaN where n is below `least`.
    """
    sums = np.nan_to_num(np.asarray(sums, np.float64))
    n, x = sums[:, 0], sums[:, 1 : 1 + k]
    xx = sums[:, 1 + k : 1 + k + len(pairs(k))]
    y, xy = sums[:, -1 - k], sums[:, -k:]
    out = np.full((len(n), 1 + k), np.nan)
    known = n >= least
    safe = np.where(known, n, 1.0)
    gram = np.empty((len(n), k, k))
    for p, (i, j) in enumerate(pairs(k)):
        gram[:, i, j] = gram[:, j, i] = xx[:, p] - x[:, i] * x[:, j] / safe
    right = xy - x * (y / safe)[:, None]
    slopes = np.linalg.solve(gram[known], right[known][..., None])[..., 0]
    out[known, 1:] = slopes
    out[known, 0] = (y[known] - (slopes * x[known]).sum(axis=1)) / n[known]
    return out


def premia(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and Newey-West error (times sqrt(T / (T - 1))) of each column of known dates."""
    f = f[~np.isnan(f).any(axis=1)]
    n = len(f)
    e = f - f.mean(axis=0)
    long_run = (e * e).sum(axis=0)
    for lag in range(1, LAGS + 1):
        long_run += 2 * (1 - lag / (LAGS + 1)) * (e[lag:] * e[:-lag]).sum(axis=0)
    return f.mean(axis=0), np.sqrt(long_run) / n * np.sqrt(n / (n - 1))
