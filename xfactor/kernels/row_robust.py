"""Regressions across rows in several steps: Huber's weights, and groups before regressors."""

from dataclasses import replace

import numpy as np

from xfactor.kernels import row_lstsq
from xfactor.kernels._compile import kernel
from xfactor.kernels.lstsq import Statistics
from xfactor.kernels.row_data import usable
from xfactor.kernels.row_lstsq import Fit
from xfactor.kernels.row_problem import Model, Problem

# A median absolute deviation of normal numbers over their standard deviation.
MAD_OF_NORMAL = 0.6744897501960817


@np.errstate(divide="ignore", invalid="ignore")  # infinities, which are not observations
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
    start = _residual(problem, slice(None), first.f)
    residual, f = start.copy(), first.f.copy()
    scale = _scale(residual, weight)
    left = np.flatnonzero(scale > 0.0)
    for _ in range(max_iterations):
        if not len(left):
            break
        own, root = weight[left], np.sqrt(weight[left])
        bent = own * _bounded(residual[left] * root, k * scale[left, None])
        f[left] = row_lstsq.fit(_reweighted(problem, left, bent, own)).f
        new = _residual(problem, left, f[left])
        scale[left] = _scale(new, own)
        moved = np.nanmax(np.abs(new - residual[left]) * root, axis=1, initial=0.0)
        residual[left] = new
        left = left[moved > tolerance * scale[left]]
    f[left] = np.nan  # did not settle: no guess
    ratio = _squares(residual, weight) / _squares(start, weight)
    rsquared = np.where(ratio > 0.0, 1.0 - (1.0 - first.rsquared) * ratio, first.rsquared)
    rsquared[left] = np.nan
    stderr = first.stderr * _error_ratio(first, start, residual, weight, scale, k)[:, None]
    return first._replace(f=f, stderr=np.where(np.isnan(f), np.nan, stderr), rsquared=rsquared)


def _bounded(u: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Huber's weights: 1 up to the limit, limit / |u| beyond."""
    return np.minimum(1.0, limit / np.abs(u))


def _weights(problem: Problem) -> np.ndarray:
    """Weights of the observations, of a mean of 1; NaN for all else."""
    out = np.empty(problem.y.shape)
    usable(*problem.values(slice(None)), out)
    out[out == 0.0] = np.nan
    count = np.count_nonzero(~np.isnan(out), axis=1)
    return out * (count / np.maximum(np.nansum(out, axis=1), 1e-300))[:, None]


def _residual(problem: Problem, rows: slice | np.ndarray, f: np.ndarray) -> np.ndarray:
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
    out = np.empty(len(residual))
    _medians(residual, weight, np.empty(residual.shape[1]), out)
    return out / MAD_OF_NORMAL


@kernel
def _medians(residual, weight, known, out):  # type: ignore[no-untyped-def]
    for r in range(len(residual)):
        n = 0
        for j in range(residual.shape[1]):
            u = abs(residual[r, j]) * np.sqrt(weight[r, j])
            if u - u == 0.0:
                known[n] = u
                n += 1
        if n == 0:
            out[r] = np.nan
            continue
        upper = _select(known, n, n // 2)
        lower = upper
        if n % 2 == 0:  # what lies before the place is no larger: take the largest
            lower = known[0]
            for i in range(n // 2):
                lower = known[i] if known[i] > lower else lower
        out[r] = (lower + upper) / 2.0


@kernel
def _select(a, n, k):  # type: ignore[no-untyped-def]
    """Bring the k-th smallest of the first n to its place, smaller ones before it; return it.

    Hoare's selection about the middle of three: a sort does several times the work.
    """
    left, right = 0, n - 1
    while left < right:
        x, y, z = a[left], a[(left + right) // 2], a[right]
        pivot = max(min(x, y), min(max(x, y), z))
        i, j = left, right
        while i <= j:
            while a[i] < pivot:
                i += 1
            while a[j] > pivot:
                j -= 1
            if i <= j:
                own = a[i]
                a[i] = a[j]
                a[j] = own
                i += 1
                j -= 1
        if k <= j:
            right = j
        elif k >= i:
            left = i
        else:
            break
    return a[k]


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
