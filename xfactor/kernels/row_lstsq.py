"""Least squares across each row, on regressors and on groups."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from xfactor.kernels import row_effects, row_solve
from xfactor.kernels.lstsq import Statistics
from xfactor.kernels.row_problem import Model, Problem

# Rows solved together: bounds what is kept of each row between the passes.
BATCH = 256


class Fit(NamedTuple):
    """The regressions of all rows, as float64."""

    f: np.ndarray  # (row, F): the constant, the slopes, the groups
    stderr: np.ndarray  # (row, F)
    rsquared: np.ndarray  # (row,), and all that follow
    n_obs: np.ndarray
    condition: np.ndarray
    surplus: np.ndarray  # observations less coefficients


def row_lstsq(
    y: np.ndarray, *xs: np.ndarray, weighted: bool, intercept: bool, min_obs: int
) -> Statistics:
    """Regress each row of y (row, n) on regressors (row, n) or (row, k, n).

    If `weighted`, the last of `xs` are the weights. Returns ``(row, K)`` betas and errors and
    ``(row,)`` alpha, its error, R2 and the number of observations.
    """
    model = Model(intercept=intercept, weighted=weighted, min_obs=min_obs)
    f, stderr, rsquared, n_obs, _ = fit_rows(y, *xs, model=model)
    if intercept:
        return f[:, 1:], stderr[:, 1:], f[:, 0], stderr[:, 0], rsquared, n_obs
    nothing = np.full(len(y), np.nan, dtype=y.dtype)
    return f, stderr, nothing, nothing, rsquared, n_obs


def fit_rows(y: np.ndarray, *arrays: np.ndarray, model: Model) -> Statistics:
    """Regress each row of y (row, n).

    `arrays` are the regressors (row, n) or (row, k, n), then the weights, the weights of the
    constraint, and the codes of each set, as far as the model has them. Returns coefficients and
    errors (row, F), R2, number of observations and condition number (row,). The F coefficients
    are the constant, the slopes, the groups.
    """
    return statistics(fit(Problem(y, arrays, model)), y.dtype)


def statistics(found: Fit, dtype: np.dtype) -> Statistics:
    """Put a fit into the dtypes of results."""
    f, stderr, rsquared, condition = (
        a.astype(dtype, copy=False)
        for a in (found.f, found.stderr, found.rsquared, found.condition)
    )
    return f, stderr, rsquared, found.n_obs.astype(np.int32), condition


def fit(problem: Problem) -> Fit:
    """Solve all rows, in batches."""
    parts = []
    for rows in batches(len(problem.y)):
        solved = row_solve.solve(problem, rows)
        part = (
            *row_effects.coefficients(problem, rows, solved),
            row_solve.rsquared(solved),
            solved.state.n_obs,
            row_solve.condition(solved),
            solved.surplus,
        )
        parts.append(part)
    return Fit(*map(np.concatenate, zip(*parts, strict=True)))


def fitted(problem: Problem, rows: slice | np.ndarray, f: np.ndarray) -> np.ndarray:
    """Values that coefficients (row, F) give the assets (row, n); missing where they give none."""
    model = problem.model
    at = int(model.intercept)
    total = np.zeros(problem.y[rows].shape)
    if at:
        total += f[:, :1]
    x = problem.regressors(rows)
    for k in range(x.shape[1]):
        total += f[:, at + k, None] * x[:, k]
    if model.sets:
        effects = np.pad(f[:, at + x.shape[1] :], ((0, 0), (0, 1)), constant_values=np.nan)
        for codes in problem.groups(rows).swapaxes(0, 1):
            total += np.take_along_axis(effects, codes, 1)  # -1, no group, takes the last
    return total


def portfolio_rows(*arrays: np.ndarray, model: Model, valued: bool) -> np.ndarray:
    """Weights (row, F, n) with which y adds up to the coefficients of `fit_rows`.

    The arrays are those of `fit_rows`; without y if not `valued`.
    """
    y = arrays[0] if valued else np.zeros((len(arrays[0]), arrays[0].shape[-1]))
    problem = Problem(y, arrays[valued:], model)
    dtype = arrays[0].dtype
    parts = [
        row_effects.portfolios(problem, rows, row_solve.solve(problem, rows)).astype(dtype)
        for rows in batches(len(y))
    ]
    return np.concatenate(parts)


def batches(n: int) -> Iterator[slice]:
    """Rows to be solved together; at least one batch, also of no rows."""
    for start in range(0, max(n, 1), BATCH):
        yield slice(start, min(start + BATCH, n))


def residual_rows(y: np.ndarray, f: np.ndarray, *arrays: np.ndarray, model: Model) -> np.ndarray:
    """What the coefficients f (row, F) leave of y (row, n); arrays as in `fit_rows`, no weights."""
    problem = Problem(y, arrays, replace(model, weighted=False, sized=False))
    out = np.empty(y.shape, dtype=y.dtype)
    for rows in problem.blocks(slice(0, len(y))):
        with np.errstate(invalid="ignore"):  # infinities are missing
            e = y[rows] - fitted(problem, rows, f[rows])
        out[rows] = np.where(np.isfinite(e), e, np.nan)
    return out
