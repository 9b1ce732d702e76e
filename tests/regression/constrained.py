"""Naive twin of the regressions on groups: dense dummies, constraints solved for, statsmodels."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import statsmodels.api as sm

from tests.regression import oracles


@dataclass(frozen=True)
class Fit:
    """Coefficients and errors (F,), NaN for groups without assets; residuals of all assets (n,)."""

    params: np.ndarray
    bse: np.ndarray
    rsquared: float
    n_obs: int
    condition: float
    weights: np.ndarray  # (F, n): those of y in the coefficients


def fit(y, xs, codes, values, weights=None, size=None, constraint="weighted", intercept=True,
        white=False, min_obs=None, ridge=0.0):  # fmt: skip
    """y (n,) on xs (k, n) and on the groups of `codes`, one (n,) for each set, `values` known."""
    k, n, at_x = len(xs), len(y), int(intercept)
    total = at_x + k + sum(map(len, values))
    known = np.array([c in v for one, v in zip(codes, values, strict=True) for c in one])
    known = known.reshape(len(codes), n).all(axis=0)
    at = np.array([i for i in oracles.observed(y, xs, weights) if known[i]], dtype=int)
    w = np.ones(len(at)) if weights is None else weights[at]
    own = w if size is None else np.where(np.isfinite(size[at]) & (size[at] > 0), size[at], 0.0)
    columns = [*([np.ones(len(at))] if intercept else []), *xs[:, at]]
    place, conditions = list(range(len(columns))), []
    for s, (one, known_codes) in enumerate(zip(codes, values, strict=True)):
        row = np.zeros(total)
        for v in sorted(known_codes):
            member = one[at] == v
            if not member.any():
                continue
            j = at_x + k + sum(map(len, values[:s])) + list(known_codes).index(v)
            place.append(j)
            columns.append(member.astype(float))
            if constraint == "weighted":
                row[j] = own[member].sum()
            elif constraint == "unweighted":
                row[j] = 1.0
        if constraint == "drop_first":
            present = [v for v in known_codes if (one[at] == v).any()]
            if present:
                row[at_x + k + sum(map(len, values[:s])) + list(known_codes).index(present[0])] = 1
        if intercept or s > 0:
            conditions.append(row[place])
    d = np.column_stack(columns)
    c = [np.pad(r, (0, d.shape[1] - len(r))) for r in conditions]
    free = scipy.linalg.null_space(np.array(c)) if c else np.eye(d.shape[1])
    z = d @ free
    p = z.shape[1]
    out = np.full(total, np.nan), np.full(total, np.nan)
    holdings = np.full((total, n), np.nan)
    least = p + 1 if min_obs is None else max(min_obs, p)
    if len(at) < least:
        return Fit(*out, np.nan, len(at), np.nan, holdings)
    groups = d[:, at_x + k :] if codes else d[:, :at_x]
    root = np.sqrt(w)[:, None]
    left = root * d[:, at_x : at_x + k]
    if groups.shape[1]:
        q = scipy.linalg.orth(root * groups)
        left = left - q @ (q.T @ left)
    length = np.sqrt((left**2).sum(axis=0))
    start = np.sqrt((np.square(root * (d[:, at_x : at_x + k]))).sum(axis=0))
    if not (length > 1e-9 * start).all() or (k and not oracles.independent(left)):
        return Fit(*out, np.nan, len(at), np.inf, holdings)
    penalty = np.zeros(d.shape[1])
    penalty[at_x : at_x + k] = ridge * length**2
    inner = free.T @ (d.T @ (w[:, None] * d) + np.diag(penalty)) @ free
    h = free @ np.linalg.solve(inner, free.T @ (d * w[:, None]).T)
    if ridge:
        params = h @ y[at]
        e = y[at] - d @ params
        variance = (w * e**2).sum() / (len(at) - p) * (h**2 / w).sum(axis=1)
        mean = np.average(y[at], weights=w) if groups.shape[1] else 0.0
        rsquared = 1 - (w * e**2).sum() / (w * (y[at] - mean) ** 2).sum()
        rooted = np.vstack([left, np.diag(np.sqrt(ridge) * length)])
        condition = np.linalg.cond(rooted / np.sqrt((rooted**2).sum(axis=0)))
    else:
        found = sm.WLS(y[at], z, weights=w, hasconst=bool(groups.shape[1])).fit(method="qr")
        params = free @ found.params
        with np.errstate(divide="ignore", invalid="ignore"):  # saturated
            cov = found.cov_HC1 if white else found.cov_params()
            variance = np.diag(free @ cov @ free.T)
        rsquared = found.rsquared
        condition = np.linalg.cond(left / length) if k else 1.0
    bse = np.sqrt(np.maximum(variance, 0.0)) if len(at) > p else np.nan
    out[0][place], out[1][place] = params, bse
    holdings[place] = 0.0
    holdings[np.ix_(place, at)] = h
    return Fit(*out, rsquared, len(at), condition, holdings)


def by_date(y, x, sets, lag=1, weights=None, size=None, where=None, **options):
    """y (date, asset), x (date, factor, asset), sets of (codes (date, asset), values)."""
    x = oracles.lagged(x, lag)
    weights = None if weights is None else oracles.lagged(weights, lag)
    size = None if size is None else oracles.lagged(size, lag)
    codes = [np.where(np.isnan(c), -1, c) for c in (oracles.lagged(c, lag) for c, _ in sets)]
    if where is not None:
        y = np.where(oracles.lagged(where.astype(float), lag) == 1, y, np.nan)
    return [
        fit(
            y[t], x[t], [c[t] for c in codes], [v for _, v in sets],
            None if weights is None else weights[t], None if size is None else size[t], **options,
        )
        for t in range(len(y))
    ]  # fmt: skip
