"""Covariances of a few series up to each date: weighted, long-run, shrunk.

Every date is worked out anew from the rows that it looks back on, about their own mean: no drift,
no cancellation. Series are few (factors), so this costs little beside making them. Products are
`einsum`'s, not BLAS': its sums neither depend on the number of threads nor on the chunk.
"""

from dataclasses import dataclass

import numpy as np

# A weighted sample has this share of its weight on one observation: it has no variance.
ALONE = 1e-12


@dataclass(frozen=True)
class Weighting:
    """How fast the past fades (1.0: not at all) and how many lags are added."""

    decay: float = 1.0
    lags: int = 0


@dataclass(frozen=True)
class Estimator:
    """What is estimated: `correlation` None takes correlations from the weighting of variances."""

    variance: Weighting
    correlation: Weighting | None
    shrink: str | None
    demean: bool
    bias: bool
    min_obs: int


def rolling_covariance(
    x: np.ndarray, *, estimator: Estimator, window: int, offset: int, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariances (date, K, K, n), counts and intensities (date, n) over the last `window` rows."""
    lower = [max(0, t - window + 1) for t in range(start, stop)]
    return _each(x, lower, range(start, stop), estimator)


def growing_covariance(
    state: np.ndarray | None, x: np.ndarray, *, estimator: Estimator, offset: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """The same over all rows so far; the state is the rows."""
    past = 0 if state is None else len(state)
    rows = x if state is None else np.concatenate([state, x])
    return _each(rows, [0] * len(x), range(past, len(rows)), estimator), rows


def _each(
    x: np.ndarray, lower: list[int], ends: range, estimator: Estimator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k, n = x.shape[1:]
    covariance = np.full((len(ends), k, k, n), np.nan, dtype=x.dtype)
    count = np.zeros((len(ends), n), dtype=np.int32)
    intensity = np.full((len(ends), n), np.nan, dtype=x.dtype)
    for i in range(n):
        series = np.ascontiguousarray(x[:, :, i].T, dtype=np.float64)
        known = np.isfinite(series)
        for t, (first, end) in enumerate(zip(lower, ends, strict=True)):
            rows = slice(first, end + 1)
            found, count[t, i], intensity[t, i] = covariance_at(
                series[:, rows], known[:, rows], estimator
            )
            covariance[t, :, :, i] = found
    return covariance, count, intensity


def covariance_at(
    x: np.ndarray, known: np.ndarray, estimator: Estimator
) -> tuple[np.ndarray, int, float]:
    """Covariance (K, K) of the rows of x (K, date), the number of dates, and the intensity.

    Series with fewer than `min_obs` known values are missing and leave the others alone; of these
    only dates count on which all are known, so that the matrix is positive semi-definite.
    """
    out = np.full((len(x), len(x)), np.nan)
    live = known.sum(axis=1) >= estimator.min_obs
    dates = known[live].all(axis=0) if live.any() else np.zeros(x.shape[1], dtype=np.bool_)
    count = int(dates.sum())
    if count < estimator.min_obs:
        return out, count, np.nan
    part = np.where(dates, x[live], 0.0)
    found = _weighted(part, dates, estimator.variance, estimator)
    if estimator.correlation is not None:
        other = _weighted(part, dates, estimator.correlation, estimator)
        found = _with_correlations(found, other)
    intensity = np.nan
    if estimator.shrink is not None:
        found, intensity = _shrunk(part, dates, found, estimator)
    out[np.ix_(live, live)] = found
    return out, count, intensity


def _weights(dates: np.ndarray, decay: float) -> np.ndarray:
    """Weights that sum to 1, relative to the newest date that counts."""
    newest = int(np.flatnonzero(dates)[-1])
    age = newest - np.arange(len(dates), dtype=np.float64)
    w = np.where(dates, decay ** np.maximum(age, 0.0), 0.0)
    return w / w.sum()


def _deviations(x: np.ndarray, w: np.ndarray, demean: bool) -> np.ndarray:
    """X less its weighted mean, the mean taken a second time of what rounding left of it."""
    if not demean:
        return x
    x = x - (x * w).sum(axis=1, keepdims=True)
    return x - (x * w).sum(axis=1, keepdims=True)


def _weighted(
    x: np.ndarray, dates: np.ndarray, weighting: Weighting, estimator: Estimator
) -> np.ndarray:
    w = _weights(dates, weighting.decay)
    d = _deviations(x, w, estimator.demean) * np.sqrt(w)  # 0 on dates that do not count
    sums = np.einsum("it,jt->ij", d, d)
    if weighting.lags:
        before = np.zeros_like(d)
        for lag in range(1, min(weighting.lags, d.shape[1] - 1) + 1):
            before[:, lag:] += (1.0 - lag / (weighting.lags + 1.0)) * d[:, :-lag]
        cross = np.einsum("it,jt->ij", d, before)
        sums = sums + (cross + cross.T)
    return sums * _unbiased(w, estimator)


def _unbiased(w: np.ndarray, estimator: Estimator) -> float:
    """What takes off the bias of a weighted mean from the same values: n / (n - 1) if all alike."""
    if estimator.bias or not estimator.demean:
        return 1.0
    spread = 1.0 - float((w * w).sum())
    return 1.0 / spread if spread > ALONE else np.nan


def _with_correlations(variances: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Covariance of the variances of one matrix and the correlations of another."""
    scale = np.sqrt(np.diag(variances)) * _inverse_root(np.diag(other))
    found = np.outer(scale, scale) * other
    np.fill_diagonal(found, np.diag(variances))
    return found


def _inverse_root(variance: np.ndarray) -> np.ndarray:
    """1 / deviation; 0 of a constant, which correlates with nothing."""
    deviation = np.sqrt(variance)
    return np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)


# --- Ledoit and Wolf: how far to go from the sample to a target ---------------------------------


def _shrunk(
    x: np.ndarray, dates: np.ndarray, sample: np.ndarray, estimator: Estimator
) -> tuple[np.ndarray, float]:
    """A sample covariance drawn towards a target, and by how much of the way."""
    w = _weights(dates, estimator.variance.decay)
    d = _deviations(x, w, estimator.demean)
    s = np.einsum("it,jt->ij", d * w, d)
    target, own = _TARGETS[str(estimator.shrink)](d, w, s)
    error = _product_errors(d, w, s).sum()
    distance = ((target - s) ** 2).sum()
    if not distance > ALONE * (s**2).sum():  # the sample is the target
        return sample, 0.0
    # (w * w).sum() is 1 / n where all weigh alike.
    intensity = float(min(max((error - own) / distance * (w * w).sum(), 0.0), 1.0))
    scale = _unbiased(w, estimator)
    return intensity * target * scale + (1.0 - intensity) * sample, intensity


def _product_errors(d: np.ndarray, w: np.ndarray, s: np.ndarray) -> np.ndarray:
    """pi_ij: the variance of the products whose mean s_ij is."""
    squares = d * d
    return np.einsum("it,jt->ij", squares * w, squares) - s * s


def _scaled_identity(d: np.ndarray, w: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean variance on the diagonal; its own error is not in the formula."""
    return np.eye(len(s)) * (np.trace(s) / len(s)), 0.0


def _constant_correlation(d: np.ndarray, w: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, float]:
    """Own variances, one correlation; and rho, what its errors have in common with the sample's."""
    variance = np.diag(s)
    root, inverse = np.sqrt(variance), _inverse_root(variance)
    varying = int((inverse > 0).sum())
    correlations = np.outer(inverse, inverse) * s
    pairs = varying * (varying - 1)
    off = correlations.sum() - np.trace(correlations)
    mean = off / pairs if pairs else 0.0
    target = mean * np.outer(root, root)
    np.fill_diagonal(target, variance)
    # theta_ij: covariance of the squares of i and the products of i and j.
    theta = np.einsum("it,jt->ij", d**3 * w, d) - variance[:, None] * s
    common = mean * (inverse[:, None] * root) * theta
    errors = np.diag(_product_errors(d, w, s))
    return target, float(errors.sum() + common.sum() - np.trace(common))


_TARGETS = {
    "scaled_identity": _scaled_identity,
    "constant_correlation": _constant_correlation,
}
