"""Weights and returns of portfolios, a row at a time."""

import numpy as np

from xfactor.kernels._blocks import row_blocks
from xfactor.kernels.rank import rank_rows


def long_short_rows(
    x: np.ndarray,
    *sizes: np.ndarray,
    n: int | None,
    fraction: float | None,
    least: int = 1,
    order: np.ndarray | None = None,
) -> np.ndarray:
    """Long the largest, short the smallest: legs of 1 and -1; 0 between, NaN where missing.

    A leg never takes more than half of the valid cells, so the legs are disjoint. With `sizes`,
    the names of a leg are weighted by them, and a cell without a positive size is missing. A row
    whose legs would have fewer than `least` names is NaN.
    """
    out = np.empty(x.shape, dtype=x.dtype)
    for rows in row_blocks(*x.shape):
        size = np.ones(x[rows].shape) if not sizes else sizes[0][rows].astype(np.float64)
        score = np.where((size > 0) & np.isfinite(size), x[rows], np.nan).astype(x.dtype)
        ranks = rank_rows(score, order=order)
        valid = np.isfinite(ranks).sum(axis=1, keepdims=True)
        share = np.maximum((fraction * valid + 1e-9).astype(np.int64), 1) if fraction else n
        count = np.minimum(np.asarray(share), valid // 2)
        weights = _leg(ranks > valid - count, size) - _leg(ranks <= count, size)
        out[rows] = np.where(np.isfinite(ranks) & (count >= least), weights, np.nan)
    return out


def _leg(chosen: np.ndarray, size: np.ndarray) -> np.ndarray:
    held = np.where(chosen, size, 0.0)
    total = held.sum(axis=1, keepdims=True)
    return held / np.where(total > 0, total, 1.0)


def portfolio_return_rows(weights: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Return of each row's portfolio (row,); each leg is spread over its known returns."""
    out = np.empty(len(weights), dtype=returns.dtype)
    for rows in row_blocks(*weights.shape):
        w, r = weights[rows].astype(np.float64), returns[rows].astype(np.float64)
        given = np.isfinite(w)
        known = given & np.isfinite(r)
        w = np.where(given, w, 0.0)
        long = _leg_return(np.maximum(w, 0.0), r, known)
        short = _leg_return(np.maximum(-w, 0.0), r, known)
        out[rows] = np.where(given.any(axis=1), long - short, np.nan)
    return out


def _leg_return(w: np.ndarray, r: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Sum of w r over known cells, scaled up to the leg's whole weight; NaN if none is known."""
    whole = w.sum(axis=1)
    w = np.where(known, w, 0.0)
    reached = w.sum(axis=1)
    earned = (w * np.where(known, r, 0.0)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, earned * (whole / np.where(reached > 0, reached, np.nan)), 0.0)


def leg_rows(legs: np.ndarray, *sizes: np.ndarray, short: bool, least: int) -> np.ndarray:
    """Weights from legs: 1 long, 2 `short`, 0 neither, -1 missing; a row with a thin leg is NaN.

    A name of a leg without a positive size is missing.
    """
    out = np.empty(legs.shape, dtype=sizes[0].dtype if sizes else np.float64)
    for rows in row_blocks(*legs.shape):
        size = np.ones(legs[rows].shape) if not sizes else sizes[0][rows].astype(np.float64)
        known = (legs[rows] >= 0) & (size > 0) & np.isfinite(size)
        long = known & (legs[rows] == 1)
        sold = known & (legs[rows] == 2)
        enough = long.sum(axis=1) >= least
        if short:
            enough &= sold.sum(axis=1) >= least
        weights = _leg(long, size) - _leg(sold, size)
        out[rows] = np.where(known & enough[:, None], weights, np.nan)
    return out
