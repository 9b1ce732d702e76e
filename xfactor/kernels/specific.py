"""Specific variances of a date drawn towards the mean of their groups."""

import numpy as np

from xfactor.kernels._blocks import row_blocks
from xfactor.kernels._groups import Groups, groups_of, spread


def shrink_rows(
    variance: np.ndarray,
    residual: np.ndarray,
    *beside: np.ndarray,
    given: tuple[str, ...],
    strength: float | None,
    fill: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Variances (row, n), of assets known now or in the universe.

    `given` names what is `beside`: "where", "by", "weights". Also counts by row: of own estimates,
    of cells filled, of known cells masked and wanted cells too thin (row, 2).
    """
    out = np.empty_like(variance)
    own, filled = (np.empty(len(variance), dtype=np.int32) for _ in range(2))
    lost = np.empty((len(variance), 2), dtype=np.int32)
    for rows in row_blocks(*variance.shape):
        parts = dict(zip(given, (a[rows] for a in beside), strict=True))
        known = np.isfinite(residual[rows])
        inside = parts.get("where", np.ones(known.shape, dtype=np.bool_))
        wanted = inside if "where" in parts else known
        deviation = np.sqrt(variance[rows].astype(np.float64))
        deviation[~inside] = np.nan
        estimated = np.isfinite(deviation)
        own[rows] = estimated.sum(axis=1)
        lost[rows, 0] = (known & ~inside).sum(axis=1)
        lost[rows, 1] = (wanted & ~estimated).sum(axis=1)
        if strength is not None or fill:
            groups = groups_of(parts.get("by"), known.shape)
            mean, scatter = _moments(deviation, parts.get("weights"), groups)
            if strength is not None:
                deviation = _drawn(deviation, mean, scatter, strength)
            if fill:
                deviation = np.where(wanted & ~estimated, mean, deviation)
        filled[rows] = (np.isfinite(deviation) & ~estimated).sum(axis=1)
        out[rows] = deviation**2
    return out, own, filled, lost


def _moments(
    deviation: np.ndarray, weights: np.ndarray | None, groups: Groups
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of each cell's group, and the root mean square distance from it."""
    known = np.isfinite(deviation)
    weight = known.astype(np.float64)
    if weights is not None:
        weight = np.where(known & np.isfinite(weights) & (weights > 0), weights, 0.0)
    values = np.where(known, deviation, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = spread(_sums(weight * values, groups) / _sums(weight, groups), groups)
        square = np.where(known & np.isfinite(mean), (values - mean) ** 2, 0.0)
        return mean, spread(np.sqrt(_sums(square, groups) / _sums(known * 1.0, groups)), groups)


def _sums(values: np.ndarray, groups: Groups) -> np.ndarray:
    """Sums by group (row, G)."""
    n_rows, wide = len(values), groups.n + 1
    place = groups.codes + wide * np.arange(n_rows, dtype=np.int64)[:, None]
    sums = np.bincount(place.ravel(), values.ravel(), minlength=n_rows * wide)
    return sums.reshape(n_rows, wide)[:, :-1]


def _drawn(
    deviation: np.ndarray, mean: np.ndarray, scatter: np.ndarray, strength: float
) -> np.ndarray:
    """Deviations moved to the mean by v = q |d - m| / (scatter + q |d - m|); of no group: kept."""
    pull = strength * np.abs(deviation - mean)
    share = np.divide(pull, scatter + pull, out=np.zeros_like(pull), where=scatter + pull > 0)
    drawn = share * mean + (1.0 - share) * deviation
    return np.where(np.isfinite(drawn), drawn, deviation)
