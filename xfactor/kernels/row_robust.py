"""Regressions across rows in several steps: Huber's weights, and groups before regressors."""

from dataclasses import replace

import numpy as np

from xfactor.kernels import row_lstsq
from xfactor.kernels.lstsq import Statistics
from xfactor.kernels.row_data import usable
from xfactor.kernels.row_lstsq import Fit
from xfactor.kernels.row_problem import Model, Problem

# A median absolute deviation of normal numbers over their standard deviation.
MAD_OF_NORMAL = 0.6744897501960817


def huber_rows(
    y: np.ndarray,
    *arrays: np.ndarray,
    model: Model,
    k: float,
    tolerance: float,
    max_iterations: int,
) -> Statistics:
    """Regress each row of y (row, n) with weights that bound the influence of large residuals.

    As `fit_rows`. Every row stops by itself, so that its result does not depend on its neighbours.
    """
    parts = []
    for rows in row_lstsq.batches(len(y)):
        problem = Problem(y[rows], tuple(a[rows] for a in arrays), model)
        parts.append(_huber(problem, k, tolerance, max_iterations))
    return row_lstsq.statistics(Fit(*map(np.concatenate, zip(*parts, strict=True))), y.dtype)


def _huber(problem: Problem, k: float, tolerance: float, max_iterations: int) -> Fit:
    first = row_lstsq.fit(problem)
    weight = _weights(problem)
    start = residual = _residual(problem, slice(None), first.f)
    f, stderr, rsquared = (a.copy() for a in (first.f, first.stderr, first.rsquared))
    scale = _scale(residual, weight)
    left = np.flatnonzero(np.isfinite(scale) & (scale > 0.0))
    residual = residual.copy()
    for _ in range(max_iterations):
        if not len(left):
            break
        known = residual[left] * np.sqrt(weight[left])
        own = weight[left] * _bounded(known, k * scale[left, None])
        f[left] = row_lstsq.fit(_reweighted(problem, left, own, weight[left])).f
        new = _residual(problem, left, f[left])
        moved = np.abs(new - residual[left]) * np.sqrt(weight[left])
        residual[left] = new
        scale[left] = _scale(new, weight[left])
        settled = ~(np.nanmax(moved, axis=1, initial=0.0) > tolerance * scale[left])
        left = left[~settled]
    f[left] = np.nan  # did not settle: no guess
    ratio = _squares(residual, weight) / _squares(start, weight)
    rsquared = np.where(ratio > 0.0, 1.0 - (1.0 - rsquared) * ratio, rsquared)
    stderr *= _error_ratio(first, start, residual, weight, scale, k)[:, None]
    unsettled = np.isin(np.arange(len(f)), left)
    rsquared[unsettled] = np.nan
    return first._replace(f=f, stderr=np.where(np.isnan(f), np.nan, stderr), rsquared=rsquared)


def _bounded(u: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Huber's weights: 1 up to the limit, limit / |u| beyond."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.minimum(1.0, limit / np.abs(u))


def _weights(problem: Problem) -> np.ndarray:
    """Weights of the observations, of a mean of 1; NaN for all else."""
    out = np.empty(problem.y.shape)
    usable(*problem.values(slice(None)), out)
    out[out == 0.0] = np.nan
    count = np.count_nonzero(~np.isnan(out), axis=1)
    return out * (count / np.maximum(np.nansum(out, axis=1), 1e-300))[:, None]


def _residual(problem: Problem, rows: slice | np.ndarray, f: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of infinities, which are not observations
        return problem.y[rows].astype(np.float64) - row_lstsq.fitted(problem, rows, f)


def _reweighted(
    problem: Problem, rows: np.ndarray, weight: np.ndarray, size: np.ndarray
) -> Problem:
    """The same regression with other weights; those of the constraint stay what they were."""
    model = problem.model
    sized = bool(model.sets)
    own = [size if problem.size is None else problem.size[rows]] if sized else []
    arrays = (*(x[rows] for x in problem.xs), weight, *own, *(c[rows] for c in problem.codes))
    return Problem(problem.y[rows], arrays, replace(model, weighted=True, sized=sized))


def _scale(residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Median absolute residual about 0 (row,), as a standard deviation."""
    u = np.sort(np.abs(residual * np.sqrt(weight)), axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(u), axis=1)
    n = u.shape[1]
    if n == 0:
        return np.full(len(u), np.nan)
    row = np.arange(len(u))
    low, high = u[row, np.maximum(count - 1, 0) // 2], u[row, np.minimum(count // 2, n - 1)]
    return (low + high) / 2.0 / MAD_OF_NORMAL


def _squares(residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    total = np.nansum(weight * residual**2, axis=1)
    return np.where(total > 0.0, total, np.nan)


def _error_ratio(
    first: Fit,
    start: np.ndarray,
    residual: np.ndarray,
    weight: np.ndarray,
    scale: np.ndarray,
    k: float,
) -> np.ndarray:
    """Huber's errors over those of least squares (row,): his first correction (1981, 7.6)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n, free = first.n_obs, np.where(first.surplus > 0, first.surplus, np.nan)
        u = residual * np.sqrt(weight) / scale[:, None]
        inside = np.nansum(np.abs(u) <= k, axis=1) / n
        bent = np.nansum(np.clip(u, -k, k) ** 2, axis=1) / free * scale**2
        factor = 1.0 + (n - free) / n * (1.0 - inside) / inside
        ratio = factor * np.sqrt(bent) / inside / np.sqrt(_squares(start, weight) / free)
        return np.where(scale > 0.0, ratio, 1.0)


def two_stage_rows(y: np.ndarray, *arrays: np.ndarray, model: Model) -> Statistics:
    """Regress each row of y (row, n) on the groups, then what is left on the regressors.

    As `fit_rows`, with the errors of each stage by itself.
    """
    parts = []
    for rows in row_lstsq.batches(len(y)):
        problem = Problem(y[rows], tuple(a[rows] for a in arrays), model)
        parts.append(_two_stages(problem))
    return row_lstsq.statistics(Fit(*map(np.concatenate, zip(*parts, strict=True))), y.dtype)


def _two_stages(problem: Problem) -> Fit:
    model, everything = problem.model, slice(None)
    observed = np.empty(problem.y.shape)
    usable(*problem.values(everything), observed)
    y = np.where(observed > 0.0, problem.y, np.nan).astype(np.float64)
    weights = [] if problem.weights is None else [problem.weights]
    size = [] if problem.size is None else [problem.size]
    grouped = Problem(y, (*weights, *size, *problem.codes), replace(model, min_obs=1, ridge=0.0))
    one = row_lstsq.fit(grouped)
    left = y - row_lstsq.fitted(grouped, everything, one.f)
    slopes = replace(model, intercept=False, sized=False, sets=(), min_obs=1)
    two = row_lstsq.fit(Problem(left, (*problem.xs, *weights), slopes))
    at, k = int(model.intercept), problem.n_regressors
    surplus = one.surplus - k
    p = one.n_obs - surplus
    least = p + 1 if model.min_obs is None else np.maximum(p, model.min_obs)
    ok = (one.n_obs >= least) & np.isfinite(two.f).all(axis=1)

    def joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(ok[:, None], np.concatenate([a[:, :at], b, a[:, at:]], axis=1), np.nan)

    rsquared = 1.0 - (1.0 - one.rsquared) * (1.0 - two.rsquared)
    condition = np.where(one.n_obs >= least, two.condition, np.nan)
    return Fit(
        joined(one.f, two.f),
        joined(one.stderr, two.stderr),
        np.where(ok, rsquared, np.nan),
        one.n_obs,
        condition,
        surplus,
    )
