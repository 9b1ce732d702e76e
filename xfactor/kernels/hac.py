"""Covariances that allow for heteroskedastic and autocorrelated errors (Newey and West 1987)."""

import numpy as np

COLUMNS = 256  # worked on together, so that a chunk's scores of all regressors stay small


def score_sums(
    e: np.ndarray, *xs: np.ndarray, intercept: bool, lags: int, offset: int, start: int, stop: int
) -> tuple[np.ndarray]:
    """Long-run sums of scores (p, p, n) over rows start:stop, with Bartlett weights.

    The scores are h = e (1, x'). With g[t] the weighted sum of the `lags` scores before t, the sum
    is h h' + h g' + g h': one pass, whatever the number of lags. A missing score counts as 0.
    """
    n = e.shape[1]
    parts = []
    for left in range(0, n, COLUMNS):
        columns = slice(left, left + COLUMNS)
        block = [x[:, :, None] if x.ndim == 2 else x[:, :, columns] for x in xs]
        parts.append(_sums(e[:, columns], block, intercept, lags, start, stop))
    return (np.concatenate(parts, axis=2),)


def _sums(
    e: np.ndarray, xs: list[np.ndarray], intercept: bool, lags: int, start: int, stop: int
) -> np.ndarray:
    ones = [np.ones((len(e), 1, 1))] if intercept else []
    scores = np.concatenate([z * e[:, None, :] for z in (*ones, *xs)], axis=1, dtype=np.float64)
    scores[~np.isfinite(scores)] = 0.0
    now = scores[start:stop]
    before = np.zeros_like(now)
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1.0)
        known = max(lag - start, 0)
        if known < stop - start:
            before[known:] += weight * scores[start + known - lag : stop - lag]
    cross = np.einsum("tin,tjn->ijn", now, before)
    return np.einsum("tin,tjn->ijn", now, now) + cross + cross.swapaxes(0, 1)


def add_scores(a: tuple[np.ndarray], b: tuple[np.ndarray]) -> tuple[np.ndarray]:
    """Add the sums of two stretches of dates."""
    return (a[0] + b[0],)


def bread(total: tuple[np.ndarray, np.ndarray], intercept: bool) -> np.ndarray:
    """Inverse (p, p, n) of Z'Z, Z = (1, x), from the means and centred products of the history."""
    mean, square = total
    k = len(mean) - 2
    n = np.maximum(mean[-1], 1.0)
    x_mean = mean[:k].T
    gram = np.empty((mean.shape[1], k, k))
    row, column = np.tril_indices(k)
    gram[:, row, column] = gram[:, column, row] = square[: len(row)].T
    if not intercept:
        gram += n[:, None, None] * x_mean[:, :, None] * x_mean[:, None, :]
    scale = np.sqrt(np.einsum("nii->ni", gram))
    scale[~(scale > 0)] = np.nan
    unit = gram / (scale[:, :, None] * scale[:, None, :])
    singular = ~np.isfinite(unit).all(axis=(1, 2))
    singular[~singular] |= np.abs(np.linalg.det(unit[~singular])) < 1e-14
    unit[singular] = np.eye(k)
    inverse = np.linalg.solve(unit, np.broadcast_to(np.eye(k), unit.shape))
    inverse /= np.nan_to_num(scale[:, :, None] * scale[:, None, :], nan=1.0)
    inverse[singular] = np.nan
    if not intercept:
        return np.moveaxis(inverse, 0, -1)
    corner = np.einsum("nij,nj->ni", inverse, x_mean)
    full = np.empty((len(gram), k + 1, k + 1))
    full[:, 1:, 1:] = inverse
    full[:, 0, 1:] = full[:, 1:, 0] = -corner
    full[:, 0, 0] = 1.0 / n + np.einsum("ni,ni->n", corner, x_mean)
    return np.moveaxis(full, 0, -1)


def sandwich_rows(bread: np.ndarray, meat: np.ndarray, n_obs: np.ndarray) -> np.ndarray:
    """Standard errors (row, p) from bread and meat (row, p, p), with n / (n - p) for small n."""
    p = bread.shape[1]
    n = n_obs[:, None].astype(np.float64)
    variance = np.einsum("rij,rjk,rki->ri", bread, meat, bread)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > p, np.sqrt(variance * n / (n - p)), np.nan)
