"""Ridge regressions from covariances, one for each row."""

import numpy as np

from xfactor.kernels._blocks import row_blocks


def ridge_rows(*cov: np.ndarray, count: int, ridge: float) -> np.ndarray:
    """Slopes (row, count) of y on the others, a penalty of `ridge` variances added to each.

    `cov`: for each variable its covariances with itself, with those after it, and with y. NaN
    where one is missing or a variable does not vary.
    """
    out = np.empty((len(cov[0]), count), dtype=cov[0].dtype)
    for rows in row_blocks(len(out), count * count):  # systems are several times their input
        out[rows] = _slopes([c[rows] for c in cov], count, ridge)
    return out


def _slopes(cov: list[np.ndarray], count: int, ridge: float) -> np.ndarray:
    square = np.empty((len(cov[0]), count, count))
    right = np.empty((len(cov[0]), count, 1))
    parts = iter(cov)
    for i in range(count):
        for j in range(i, count):
            square[:, i, j] = square[:, j, i] = next(parts)
        right[:, i, 0] = next(parts)
    # In units of each variable's deviation, so that a small variance is no small pivot.
    size = np.sqrt(np.diagonal(square, axis1=1, axis2=2))
    good = np.isfinite(right).all(axis=(1, 2)) & np.isfinite(square).all(axis=(1, 2))
    good &= (size > 0).all(axis=1)
    out = np.full((len(right), count), np.nan, dtype=cov[0].dtype)
    scale = size[good]
    system = square[good] / (scale[:, :, None] * scale[:, None, :]) + ridge * np.eye(count)
    out[good] = np.linalg.solve(system, right[good] / scale[:, :, None])[..., 0] / scale
    return out
