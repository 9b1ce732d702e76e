"""Compound growth and drawdown of a stretch of dates, and of two stretches together."""

import numpy as np

Wealth = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def wealth_path(r: np.ndarray, *, offset: int, start: int, stop: int) -> Wealth:
    """Growth, highest and lowest wealth, worst drawdown (n,) from 1 at the start; NaN earns 0."""
    step = np.where(np.isfinite(r[start:stop]), r[start:stop], 0.0).astype(np.float64)
    growth = np.maximum(1.0 + step, 0.0)  # who has lost everything has nothing: not less
    path = np.concatenate([np.ones((1, r.shape[1])), np.cumprod(growth, axis=0)])
    fall = path / np.maximum.accumulate(path, axis=0) - 1.0
    return path[-1], path.max(axis=0), path.min(axis=0), fall.min(axis=0)


def join_wealth(a: Wealth, b: Wealth) -> Wealth:
    """One stretch after another: the worst fall lies in one of them, or from a's peak into b."""
    across = a[0] * b[2] / a[1] - 1.0
    return (
        a[0] * b[0],
        np.maximum(a[1], a[0] * b[1]),
        np.minimum(a[2], a[0] * b[2]),
        np.minimum(np.minimum(a[3], b[3]), across),
    )


def wealth_result(total: Wealth) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative return and worst drawdown (n,)."""
    return total[0] - 1.0, total[3]


def side_sums(r: np.ndarray, *, offset: int, start: int, stop: int) -> tuple[np.ndarray]:
    """Known returns, those above 0, and the sum of squares of those below (3, n)."""
    x = r[start:stop].astype(np.float64)
    known = np.isfinite(x)
    loss = np.minimum(np.where(known, x, 0.0), 0.0)
    gains = (known & (x > 0.0)).sum(axis=0)
    squares = (loss**2).sum(axis=0)
    return (np.stack([known.sum(axis=0), gains, squares]),)


def join_sides(a: tuple[np.ndarray], b: tuple[np.ndarray]) -> tuple[np.ndarray]:
    """Both stretches together."""
    return (a[0] + b[0],)


def side_result(total: tuple[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Share above 0, and root mean square of those below 0 (n,); NaN of no returns."""
    known, gains, squares = total[0]
    n = np.where(known > 0, known, np.nan)
    return gains / n, np.sqrt(squares / n)
