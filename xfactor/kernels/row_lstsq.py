"""Least squares across each row, on regressors and on groups."""

from collections.abc import Iterator

import numpy as np

from xfactor.kernels import row_effects, row_solve
from xfactor.kernels.lstsq import Statistics
from xfactor.kernels.row_problem import Model, Problem

# Rows solved together: bounds what is kept of each row between the passes.
BATCH = 256


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
    problem = Problem(y, arrays, model)
    parts = []
    for rows in _batches(len(y)):
        solved = row_solve.solve(problem, rows)
        f, stderr = row_effects.coefficients(problem, rows, solved)
        r2, number = row_solve.rsquared(solved), row_solve.condition(solved)
        parts.append((f, stderr, r2, solved.state.count, number))
    f, stderr, rsquared, n_obs, condition = map(np.concatenate, zip(*parts, strict=True))
    f, stderr, rsquared, condition = (
        a.astype(y.dtype, copy=False) for a in (f, stderr, rsquared, condition)
    )
    return f, stderr, rsquared, n_obs.astype(np.int32), condition


def portfolio_rows(*arrays: np.ndarray, model: Model, valued: bool) -> np.ndarray:
    """Weights (row, F, n) with which y adds up to the coefficients of `fit_rows`.

    The arrays are those of `fit_rows`; without y if not `valued`.
    """
    y = arrays[0] if valued else np.zeros((len(arrays[0]), arrays[0].shape[-1]))
    problem = Problem(y, arrays[valued:], model)
    dtype = arrays[0].dtype
    parts = [
        row_effects.portfolios(problem, rows, row_solve.solve(problem, rows)).astype(dtype)
        for rows in _batches(len(y))
    ]
    return np.concatenate(parts)


def _batches(n: int) -> Iterator[slice]:
    """At least one, also of no rows."""
    for start in range(0, max(n, 1), BATCH):
        yield slice(start, min(start + BATCH, n))
