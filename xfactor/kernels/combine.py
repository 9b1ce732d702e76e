"""Rows of several fields together: residuals on exposures and groups, composite scores."""

import numpy as np

from xfactor.kernels._blocks import row_blocks
from xfactor.kernels._groups import Groups, groups_of
from xfactor.kernels.moments import moments, scaled
from xfactor.kernels.row_lstsq import row_lstsq


def neutralize_rows(
    x: np.ndarray,
    by: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    min_obs: int | None = None,
    **exposures: np.ndarray,
) -> np.ndarray:
    """Residual (row, n) of x on a constant, or on the groups of `by`, and on exposures (row, n).

    By the theorem of Frisch, Waugh and Lovell the residual is that of a regression of deviations
    from group means on deviations from group means: no group becomes a dummy.
    """
    out = np.full(x.shape, np.nan, dtype=x.dtype)
    if x.size == 0:
        return out
    for rows in row_blocks(len(x), x.shape[1] * (1 + len(exposures))):
        out[rows] = _residual(
            [x[rows], *[e[rows] for e in exposures.values()]],
            None if by is None else by[rows],
            None if weights is None else weights[rows],
            min_obs,
        )
    return out


def _residual(
    variables: list[np.ndarray],
    by: np.ndarray | None,
    weights: np.ndarray | None,
    min_obs: int | None,
) -> np.ndarray:
    groups = groups_of(by, variables[0].shape)
    known = groups.codes < groups.n
    for v in variables:
        known &= np.isfinite(v)
    if weights is not None:
        known &= np.isfinite(weights) & (weights > 0)
    y, *xs = (_deviation(v, known, groups, weights) for v in variables)
    count = np.count_nonzero(known, axis=1)
    in_group = moments(np.where(known, 0.0, np.nan), groups).n[:, :-1]
    coefficients = len(xs) + np.count_nonzero(in_group, axis=1)
    enough = count >= np.maximum(coefficients + 1 if min_obs is None else min_obs, coefficients)
    if xs:
        w = () if weights is None else (weights,)
        beta = row_lstsq(
            y, *xs, *w, weighted=weights is not None, intercept=False, min_obs=len(xs)
        )[0]
        for k, e in enumerate(xs):
            y = y - beta[:, k, None] * e
    # A residual of float32 values may be none of these.
    largest = np.finfo(variables[0].dtype).max
    return np.where(enough[:, None] & (np.abs(y) <= largest), y, np.nan)


def _deviation(
    v: np.ndarray,
    known: np.ndarray,
    groups: Groups,
    weights: np.ndarray | None,
) -> np.ndarray:
    values = np.where(known, v, np.nan).astype(np.float64)
    m = moments(values, groups, weights)
    return scaled(values, groups, m, np.ones_like(m.std))


def composite_rows(*scores: np.ndarray, weights: tuple[float, ...], min_obs: int) -> np.ndarray:
    """Weighted sum of scores (row, n), the weights scaled up to make good for missing scores."""
    out = np.empty(scores[0].shape, dtype=np.result_type(*scores))
    largest = np.finfo(out.dtype).max
    for rows in row_blocks(*out.shape) if out.size else ():
        total, weight, count = (np.zeros(out[rows].shape) for _ in range(3))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for score, w in zip(scores, weights, strict=True):
                known = np.isfinite(score[rows])
                total += np.where(known, score[rows], 0.0) * w
                weight += known * abs(w)
                count += known
            total *= np.where(count == len(scores), 1.0, sum(map(abs, weights)) / weight)
        out[rows] = np.where((count >= min_obs) & (np.abs(total) <= largest), total, np.nan)
    return out
