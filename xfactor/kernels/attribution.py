"""Returns of portfolios split into those of factors and what is left, and linked over dates."""

import numpy as np

from xfactor.kernels.exposures import SPREAD, Columns, blocks, contracted, emptied, held, weighed


def attribution_rows(
    w: np.ndarray,
    returns: np.ndarray,
    factors: np.ndarray,
    *rest: np.ndarray,
    columns: Columns,
    benchmark: bool,
) -> tuple[np.ndarray, ...]:
    """Contributions (row, P, K + 2) to the returns of w (row, P, n), and exposures beside them.

    The last two are the specific part and that of assets without exposures. Also the return of
    each portfolio, that of the benchmark, and counts: of assets, and of those lost (row, P, 2).
    """
    base, sources = (rest[0], rest[1:]) if benchmark else (None, rest)
    n_rows, n_portfolios, k = (*w.shape[:2], len(columns))
    parts = np.empty((n_rows, n_portfolios, k + 2))
    exposure = np.full(parts.shape, np.nan)
    earned, other = (np.zeros(w.shape[:2]) for _ in range(2))
    count = np.empty(w.shape[:2], dtype=np.int32)
    lost = np.empty((*w.shape[:2], 2), dtype=np.int32)
    for rows, x in blocks(columns, sources, returns.shape):
        r = returns[rows].astype(np.float64)
        priced, known = np.isfinite(r), np.isfinite(x).all(axis=1)
        emptied(x, known)
        r = np.where(priced, r, 0.0)[:, None, :]
        weights = w[rows].astype(np.float64)
        here = np.isfinite(weights) & (weights != 0)
        weights = held(weights, priced, SPREAD)
        earned[rows] = contracted(weights, r)
        if base is not None:
            against = base[rows].astype(np.float64)[:, None, :]
            here = here | (np.isfinite(against) & (against != 0))
            against = held(against, priced, SPREAD)
            other[rows] = contracted(against, r)
            weights = weights - against
        b = weighed(weights, x)
        by_factor = np.where(b == 0, 0.0, b * factors[rows].astype(np.float64)[:, None, :])
        by_factor[~np.isfinite(by_factor)] = np.nan
        whole = contracted(np.where(known[:, None, :], weights, 0.0), r)
        exposure[rows, :, :k], parts[rows, :, :k] = b, by_factor
        parts[rows, :, k] = whole - by_factor.sum(axis=2)
        parts[rows, :, k + 1] = contracted(np.where(known[:, None, :], 0.0, weights), r)
        parts[rows, :, k + 1][np.isnan(earned[rows] - other[rows])] = np.nan
        priced, known = priced[:, None, :], known[:, None, :]
        count[rows] = (here & priced & known).sum(axis=2)
        lost[rows, :, 0] = (here & ~priced).sum(axis=2)
        lost[rows, :, 1] = (here & priced & ~known).sum(axis=2)
    floats = (parts, exposure, earned, other)
    return (*(a.astype(w.dtype, copy=False) for a in floats), count, lost)


def linked_rows(
    state: np.ndarray | None,
    parts: np.ndarray,
    portfolio: np.ndarray,
    benchmark: np.ndarray,
    *,
    offset: int,
) -> tuple[tuple[np.ndarray], np.ndarray]:
    """Contributions (date, K, n) to the compound return so far (Carino).

    Each date's are scaled by log growth per return, then their sum so that it is the compound
    return. The state is that sum and the log growth of portfolio and benchmark.
    """
    k = parts.shape[1]
    known = np.isfinite(portfolio) & np.isfinite(benchmark)
    p, b = (np.where(known, a, 0.0).astype(np.float64) for a in (portfolio, benchmark))
    split = np.isfinite(parts).all(axis=1) & known
    each = np.where(split[:, None], parts, 0.0).astype(np.float64)
    each[:, -1] += np.where(known & ~split, p - b, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = np.stack([np.log1p(np.where(a > -1.0, a, np.nan)) for a in (p, b)], axis=1)
        rows = np.concatenate([each * _scale(p, b)[:, None], growth], axis=1)
        first = np.zeros((1, *rows.shape[1:])) if state is None else state
        sums = np.cumsum(np.concatenate([first, rows]), axis=0)
        total = np.expm1(sums[1:, k:])
        linked = sums[1:, :k] / _scale(total[:, 0], total[:, 1])[:, None]
    return (linked.astype(parts.dtype, copy=False),), sums[-1:]


def _scale(p: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(log(1 + p) - log(1 + b)) / (p - b); its limit 1 / (1 + b) where both are equal."""
    gap = p - b
    ratio = np.log1p(gap / (1.0 + b)) / np.where(gap == 0, 1.0, gap)
    return np.where(gap == 0, 1.0 / (1.0 + b), ratio)
