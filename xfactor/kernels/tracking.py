"""Portfolios of given exposures and least risk, a row at a time."""

import numpy as np

from xfactor.kernels.exposures import Columns, blocks, contracted

# Requirements of which less than this is left beside the others contradict or repeat them.
DEPENDENT = 1e-10


def tracking_rows(
    target: np.ndarray,
    *rest: np.ndarray,
    columns: Columns,
    given: tuple[str, ...],
    budget: float | None,
    n_assets: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (row, P, n) for targets (row, P, K); counts (row,) and of those lost (row, 3).

    `given` names the arrays before the exposures: "where", "specific".
    """
    beside = dict(zip(given, rest, strict=False))
    n_rows, n_targets = target.shape[:2]
    out = np.full((n_rows, n_targets, n_assets), np.nan)
    count, lost = np.empty(n_rows, dtype=np.int32), np.empty((n_rows, 3), dtype=np.int32)
    own = [k for k, c in enumerate(columns) if c.source is not None]
    for rows, x in blocks(columns, rest[len(given) :], (n_rows, n_assets)):
        finite = np.isfinite(x)
        known, some = finite.all(axis=1), finite[:, own].any(axis=1)
        inside = beside["where"][rows] if "where" in beside else np.ones_like(known)
        variance = np.ones(known.shape)
        if "specific" in beside:
            variance = beside["specific"][rows].astype(np.float64)
        valued = np.isfinite(variance) & (variance > 0)
        usable = known & inside & valued
        count[rows] = usable.sum(axis=1)
        lost[rows] = np.stack(
            [
                (known & ~inside).sum(axis=1),
                (some & ~known & inside).sum(axis=1),
                (known & inside & ~valued).sum(axis=1),
            ],
            axis=1,
        )
        for i, row in enumerate(range(rows.start, rows.stop)):
            u = usable[i]
            found = _least(x[i][:, u], np.sqrt(variance[i][u]), target[row], budget)
            if found is not None:
                out[row] = 0.0
                out[row][:, u] = found
            out[row][~np.isfinite(target[row]).all(axis=1)] = np.nan
    return out.astype(target.dtype, copy=False), count, lost


def _least(
    x: np.ndarray, deviation: np.ndarray, target: np.ndarray, budget: float | None
) -> np.ndarray | None:
    """Weights (P, n) of least sum of (deviation w)^2 with x w = target, and of sum `budget`.

    In units of risk v = deviation w that is the shortest v with A v = c, from a QR of A'.
    """
    if budget is not None:
        x = np.concatenate([x, np.ones((1, x.shape[1]))])
        target = np.concatenate([target, np.full((len(target), 1), budget)], axis=1)
    if x.shape[1] < len(x):
        return None
    a = x / deviation
    length = np.sqrt(contracted(a, a))
    if not (length > 0).all():
        return None
    q, r = np.linalg.qr((a / length[:, None]).T)
    left = np.linalg.svd(r, compute_uv=False)
    if left[-1] <= DEPENDENT * left[0]:
        return None
    y = np.linalg.solve(r.T, (target / length).T)
    return np.einsum("nm,mp->pn", q, y) / deviation
