"""Correlations of two variables across a row, by group, also with weights; counts of cells."""

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._groups import Groups
from xfactor.kernels.evaluation import COUNTS, groups_from
from xfactor.kernels.moments import moments, scaled
from xfactor.kernels.rank import AVERAGE, ranked


def correlation_rows(
    x: np.ndarray,
    *others: np.ndarray,
    values: tuple[int, ...],
    grouped: bool,
    horizons: int,
    weighted: bool,
    ranks: bool,
    least: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Correlations (row, H, G, 1) and counts (row, H, G, C), as `evaluate_rows` gives them.

    `others` are the returns of each horizon, weights where `weighted`, codes where `grouped`. With
    weights there is one more count, before the last one: cells that have a positive weight too.
    """
    codes = others[-1] if grouped else None
    shape = (len(x), horizons, len(values) if grouped else 1)
    series = np.full((*shape, 1), np.nan)
    counts = np.zeros((*shape, COUNTS + int(weighted)), dtype=np.int32)
    for rows in row_blocks(*x.shape):
        block = compilable(x[rows], np.float64)
        groups = groups_from(None if codes is None else codes[rows], values, block.shape)
        valid = np.isfinite(block)
        weights = others[horizons][rows].astype(np.float64) if weighted else np.ones(block.shape)
        for h in range(horizons):
            y = others[h][rows].astype(np.float64)
            known = valid & np.isfinite(y)
            used = known & (weights > 0) & (weights < np.inf)
            steps = [valid, known, used] if weighted else [valid, known]
            n = counts[rows, h]
            for k, cells in enumerate(steps):
                n[:, :, k] = _sums(cells, groups)
            enough = n[:, :, -2] >= least
            n[:, :, -1] = np.where(enough, n[:, :, -2], 0)
            found = _correlations(block, y, np.where(used, weights, 0.0), groups, ranks)
            series[rows, h, :, 0] = np.where(enough, found, np.nan)
    return series, counts


def _correlations(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, groups: Groups, ranks: bool
) -> np.ndarray:
    """Correlation of the cells of positive weight of each group (row, G)."""
    x, y = (_scores(np.where(weights > 0, v, np.nan), weights, groups, ranks) for v in (x, y))
    xx, yy, xy = (_sums(weights * p, groups) for p in (x * x, y * y, x * y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return xy / np.sqrt(xx * yy)


def _scores(values: np.ndarray, weights: np.ndarray, groups: Groups, ranks: bool) -> np.ndarray:
    """Deviations from the weighted mean in standard deviations, so that squares fit; 0 if none."""
    if ranks:
        values = ranked(values, groups, AVERAGE, True, None)[0]
    m = moments(values, groups, weights, ddof=0)
    scores = scaled(values, groups, m, np.where((m.std > 0) & (m.std < np.inf), m.std, np.nan))
    return np.nan_to_num(scores, nan=0.0)


def _sums(cells: np.ndarray, groups: Groups) -> np.ndarray:
    """Sums of each row and group (row, G)."""
    n_rows, wide = len(cells), groups.n + 1
    at = groups.codes + wide * np.arange(n_rows)[:, None]
    sums = np.bincount(at.ravel(), cells.ravel(), minlength=n_rows * wide)
    return sums.reshape(n_rows, wide)[:, : groups.n]


def count_rows(*arrays: np.ndarray, values: tuple[int, ...], grouped: bool, n: int) -> np.ndarray:
    """How many cells of each group are True in all masks: (row, G) int32.

    `arrays` are masks, then codes where `grouped`: (row, n), or (row,) if the same in all columns.
    """
    rows = [a[:, None] if a.ndim == 1 else a for a in arrays]
    shape = (len(rows[0]), n)
    cells = np.ones(shape, dtype=np.bool_)
    for mask in rows[: len(rows) - int(grouped)]:
        cells &= mask
    codes = np.broadcast_to(rows[-1], shape) if grouped else None
    return _sums(cells, groups_from(codes, values, shape)).astype(np.int32)


def dropped_rows(*counts: np.ndarray) -> np.ndarray:
    """How many cells each step leaves out, of how many there are before and after it: (row, R)."""
    return -np.diff(np.stack(counts, axis=1), axis=1)
