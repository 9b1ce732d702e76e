"""Weights and returns of portfolios, a row at a time."""

from typing import Any

import numpy as np

from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels._compile import kernel, summing
from xfactor.kernels.select import MISSING, counts, end_rows


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
        score = x[rows]
        if sizes:
            size = sizes[0][rows].astype(np.float64)
            score = np.where((size > 0) & np.isfinite(size), score, np.nan).astype(x.dtype)
        valid = counts(score)
        share: Any = n
        if fraction:
            share = np.maximum((fraction * valid + 1e-9).astype(np.int64), 1)
        count = np.minimum(share, valid // 2)
        sides = np.empty(score.shape, dtype=np.int8)
        end_rows(score, count, count, order, sides)
        if sizes:
            weights = _leg(sides == 1, size) - _leg(sides == -1, size)
            out[rows] = np.where((sides > MISSING) & (count >= least)[:, None], weights, np.nan)
        else:
            _equal_legs(sides, count, least, out[rows])
    return out


@kernel
def _equal_legs(sides, count, least, out):  # type: ignore[no-untyped-def]
    for r in range(len(sides)):
        enough = count[r] >= least
        share = 1.0 / max(count[r], 1)
        for j in range(sides.shape[1]):
            side = sides[r, j]
            out[r, j] = side * share if enough and side != MISSING else np.nan


def _leg(chosen: np.ndarray, size: np.ndarray) -> np.ndarray:
    held = np.where(chosen, size, 0.0)
    total = held.sum(axis=1, keepdims=True)
    return held / np.where(total > 0, total, 1.0)


def portfolio_return_rows(weights: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Return of each row's portfolio (row,); each leg is spread over its known returns."""
    out = np.empty(len(weights), dtype=returns.dtype)
    _portfolio_returns(compilable(weights), compilable(returns), out)
    return out


@kernel
def _portfolio_returns(weights, returns, out):  # type: ignore[no-untyped-def]
    for r in range(len(weights)):
        held, long, long_known, long_earned, short, short_known, short_earned = _leg_sums(
            weights[r], returns[r]
        )
        result = 0.0 if held > 0 else np.nan
        if long > 0.0:
            result += long_earned * (long / (long_known if long_known > 0.0 else np.nan))
        if short > 0.0:
            result -= short_earned * (short / (short_known if short_known > 0.0 else np.nan))
        out[r] = result


@summing
def _leg_sums(weights, returns):  # type: ignore[no-untyped-def]
    """Names held; of each leg the weight, that of known returns, and what they earn."""
    held = 0
    long = 0.0
    long_known = 0.0
    long_earned = 0.0
    short = 0.0
    short_known = 0.0
    short_earned = 0.0
    for j in range(len(weights)):
        w = np.float64(weights[j])
        r = np.float64(returns[j])
        given = abs(w) < np.inf
        known = abs(r) < np.inf
        held += 1 if given else 0
        up = w if given and w > 0.0 else 0.0
        down = -w if given and w < 0.0 else 0.0
        own = r if known else 0.0
        long += up
        short += down
        up = up if known else 0.0
        down = down if known else 0.0
        long_known += up
        short_known += down
        long_earned += up * own
        short_earned += down * own
    return held, long, long_known, long_earned, short, short_known, short_earned


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
