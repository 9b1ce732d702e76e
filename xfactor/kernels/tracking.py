"""Portfolios of given exposures and least risk, a row at a time."""

import numpy as np

from xfactor.kernels.exposures import Columns, blocks, contracted, emptied, weighed

# Requirements repeat or contradict one another where their products, scaled to a diagonal of 1,
# have a smallest eigenvalue below this share of the largest: exposures alike to a millionth.
DEPENDENT = 1e-12


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
        deviation = np.sqrt(np.where(usable, variance, 1.0))
        emptied(x, usable)
        out[rows] = _least(x, usable, deviation, target[rows].astype(np.float64), budget)
    return out.astype(target.dtype, copy=False), count, lost


def _least(
    x: np.ndarray,
    usable: np.ndarray,
    deviation: np.ndarray,
    target: np.ndarray,
    budget: float | None,
) -> np.ndarray:
    """Weights (row, P, n) of least sum of (deviation w)^2 with x w = target, and sum `budget`.

    In units of risk v = deviation w that is the shortest v with A v = c: v = A'l, A A'l = c, rows
    of A scaled to length 1. What rounding leaves of c - A v is solved for twice more.
    """
    if budget is not None:
        x = np.concatenate([x, usable[:, None, :].astype(np.float64)], axis=1)
        target = np.concatenate([target, np.full((*target.shape[:2], 1), budget)], axis=2)
    a = x / deviation[:, None, :]
    length = np.sqrt(contracted(a, a))[:, :, None]
    a /= np.where(length > 0, length, 1.0)
    products = weighed(a, a)
    few = usable.sum(axis=1) < a.shape[1]
    products[few] = np.eye(a.shape[1])
    scale = np.linalg.eigvalsh(products)
    solvable = (scale[:, 0] > DEPENDENT * scale[:, -1]) & (length > 0).all(axis=(1, 2)) & ~few
    products[~solvable] = np.eye(products.shape[1])
    c = target / np.where(length > 0, length, 1.0).swapaxes(1, 2)
    v = np.zeros((*target.shape[:2], a.shape[2]))
    for _ in range(3):
        left = np.linalg.solve(products, (c - weighed(v, a)).swapaxes(1, 2))
        v += np.einsum("rmp,rmn->rpn", left, a)
    v[~solvable] = np.nan
    return v / deviation[:, None, :]
