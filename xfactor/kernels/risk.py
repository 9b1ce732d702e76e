"""Risk of portfolios from exposures, factor covariances and specific variances, date by date.

The covariance of the assets is X F X' + D. It is never formed: X'w has as many numbers as there
are factors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xfactor.kernels.exposures import Columns, blocks, contracted, emptied, held, weighed


@dataclass(frozen=True)
class Plan:
    """What the arrays of a kernel are, and how a held asset that lacks something counts."""

    columns: Columns
    benchmark: bool
    missing: str


class Block(NamedTuple):
    """A few dates: weights that count, what they weigh, and what was lost."""

    rows: slice
    w: np.ndarray  # (row, P, n), less the benchmark's
    benchmark: np.ndarray | None  # (row, 1, n)
    exposures: np.ndarray  # (row, K, n), 0 where the asset does not count
    specific: np.ndarray  # (row, 1, n), the same
    covariance: np.ndarray  # (row, K, K)
    gross: np.ndarray  # (row, P, n), sizes of the weights as given, the benchmark's beside them
    known: np.ndarray  # (row, n): all exposures
    usable: np.ndarray  # (row, n): and a specific variance


def _prepared(
    w: np.ndarray, specific: np.ndarray, covariance: np.ndarray, rest: tuple[np.ndarray, ...],
    plan: Plan,
) -> Iterator[Block]:  # fmt: skip
    benchmark, sources = (rest[0], rest[1:]) if plan.benchmark else (None, rest)
    for rows, x in blocks(plan.columns, sources, specific.shape):
        known = np.isfinite(x).all(axis=1)
        s = specific[rows].astype(np.float64)
        usable = known & np.isfinite(s) & (s >= 0)
        emptied(x, usable)
        s = np.where(usable, s, 0.0)[:, None, :]
        own = w[rows].astype(np.float64)
        active, gross, other = held(own, usable, plan.missing), _sizes(own), None
        if benchmark is not None:
            beside = benchmark[rows].astype(np.float64)[:, None, :]
            other = held(beside, usable, plan.missing)
            active, gross = active - other, gross + _sizes(beside)
        yield Block(rows, active, other, x, s, covariance[rows], gross, known, usable)


def _sizes(w: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(w), np.abs(w), 0.0)


def _through(b: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The product b F (row, P, K); missing where it needs a covariance that is."""
    hole = ~np.isfinite(covariance)
    through = np.einsum("rpk,rkl->rpl", b, np.where(hole, 0.0, covariance))
    if hole.any():
        exposed = (b != 0).astype(np.float64)
        through[np.einsum("rpk,rkl->rpl", exposed, hole.astype(np.float64)) > 0] = np.nan
    return through


def _times(b: np.ndarray, through: np.ndarray) -> np.ndarray:
    """Products of b and `through`; without exposure 0, whatever is missing."""
    return np.where(b == 0, 0.0, b * through)


def decomposition_rows(
    w: np.ndarray, specific: np.ndarray, covariance: np.ndarray, *rest: np.ndarray, plan: Plan
) -> tuple[np.ndarray, ...]:
    """Risk of portfolios w (row, P, n) and whose it is.

    Total, factor and specific risk (row, P); exposures, marginal and component risk and shares
    (row, P, K + 1), the specific part last; beta and coverage (row, P); counts (row, P) and of
    those lost (row, P, 2).
    """
    n_rows, n_portfolios = w.shape[:2]
    wide = (n_rows, n_portfolios, len(plan.columns) + 1)
    exposure, marginal, component, share = (np.empty(wide) for _ in range(4))
    total, factor, own, beta, coverage = (np.empty(wide[:2]) for _ in range(5))
    count = np.empty(wide[:2], dtype=np.int32)
    lost = np.empty((*wide[:2], 2), dtype=np.int32)
    for b in _prepared(w, specific, covariance, rest, plan):
        rows = b.rows
        x = weighed(b.w, b.exposures)
        through = _through(x, b.covariance)
        of_factors = _times(x, through)
        risk, common = _spread(of_factors.sum(axis=2)), contracted(b.w * b.specific, b.w)
        whole = np.sqrt(risk + common)
        factor[rows], own[rows], total[rows] = np.sqrt(risk), np.sqrt(common), whole
        exposure[rows, :, :-1], exposure[rows, :, -1] = x, own[rows]
        slope = _over(1.0, whole)[:, :, None]
        marginal[rows, :, :-1] = through * slope
        marginal[rows, :, -1] = own[rows] * slope[:, :, 0]
        part = component[rows]
        part[:, :, :-1], part[:, :, -1] = of_factors, common
        share[rows] = part * slope**2
        part *= np.where(whole[:, :, None] == 0, 0.0, slope)
        beta[rows] = _beta(b, x)
        coverage[rows], count[rows], lost[rows] = _accounts(b)
    dtype = w.dtype
    floats = (total, factor, own, exposure, marginal, component, share, beta, coverage)
    return (*(a.astype(dtype, copy=False) for a in floats), count, lost)


def _spread(variance: np.ndarray) -> np.ndarray:
    """A variance that rounding took below 0 is 0."""
    return np.maximum(variance, 0.0)


def _over(a: float | np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(b.shape, np.nan), where=b > 0)


def _beta(b: Block, active: np.ndarray) -> np.ndarray:
    """Covariance of the portfolio with the benchmark over the benchmark's variance."""
    if b.benchmark is None:
        return np.full(b.w.shape[:2], np.nan)
    own = weighed(b.benchmark, b.exposures)
    through = _through(own, b.covariance)
    variance = _times(own, through).sum(axis=2) + contracted(b.benchmark * b.specific, b.benchmark)
    covariance = _times(active, through).sum(axis=2) + contracted(b.w * b.specific, b.benchmark)
    return 1.0 + covariance * _over(1.0, variance)


def _accounts(b: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of the gross weight that counts, held assets that count, and those lost by reason."""
    here = b.gross != 0
    usable, known = b.usable[:, None, :], b.known[:, None, :]
    kept = np.where(usable, b.gross, 0.0).sum(axis=2)
    lost = [(here & ~known).sum(axis=2), (here & known & ~usable).sum(axis=2)]
    share = _over(kept, b.gross.sum(axis=2))
    return share, (here & usable).sum(axis=2), np.stack(lost, axis=2)


def asset_rows(
    w: np.ndarray, specific: np.ndarray, covariance: np.ndarray, *rest: np.ndarray, plan: Plan
) -> tuple[np.ndarray, np.ndarray]:
    """Marginal and component risk of each asset (row, P, n); one without exposures has no first."""
    marginal, component = (np.empty(w.shape, dtype=w.dtype) for _ in range(2))
    for b in _prepared(w, specific, covariance, rest, plan):
        product, variance = _product(b)
        risk = np.sqrt(_spread(variance))[:, :, None]
        slope = _over(1.0, risk)
        marginal[b.rows] = np.where(b.usable[:, None, :], product * slope, np.nan)
        component[b.rows] = product * b.w * np.where(risk == 0, 0.0, slope)
    return marginal, component


def product_rows(
    w: np.ndarray, specific: np.ndarray, covariance: np.ndarray, *rest: np.ndarray, plan: Plan
) -> np.ndarray:
    """The assets' covariance times w (row, P, n)."""
    out = np.empty(w.shape, dtype=w.dtype)
    for b in _prepared(w, specific, covariance, rest, plan):
        out[b.rows] = np.where(b.usable[:, None, :], _product(b)[0], np.nan)
    return out


def _product(b: Block) -> tuple[np.ndarray, np.ndarray]:
    """X F X'w + D w (row, P, n), and w' times it."""
    x = weighed(b.w, b.exposures)
    through = _through(x, b.covariance)
    product = np.einsum("rpk,rkn->rpn", np.nan_to_num(through), b.exposures) + b.specific * b.w
    unknown = np.isnan(through)
    if unknown.any():
        touched = np.einsum("rpk,rkn->rpn", unknown * 1.0, (b.exposures != 0) * 1.0) > 0
        product[touched] = np.nan
    variance = _times(x, through).sum(axis=2) + contracted(b.w * b.specific, b.w)
    return product, variance


def cross_rows(
    w: np.ndarray, specific: np.ndarray, covariance: np.ndarray, *rest: np.ndarray, plan: Plan
) -> np.ndarray:
    """Covariances of the portfolios with one another (row, P, P)."""
    out = np.empty((*w.shape[:2], w.shape[1]), dtype=w.dtype)
    for b in _prepared(w, specific, covariance, rest, plan):
        x = weighed(b.w, b.exposures)
        through = _through(x, b.covariance)
        both = np.einsum("rpn,rqn->rpq", b.w * b.specific, b.w)
        for q in range(w.shape[1]):
            both[:, :, q] += _times(x[:, q : q + 1], through).sum(axis=2)
        out[b.rows] = 0.5 * (both + both.swapaxes(1, 2))
    return out
