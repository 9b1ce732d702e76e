"""Naive twins of the regressions: one regression at a time, by statsmodels or in fractions."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import statsmodels.api as sm
import xarray as xr

# Of a regressor's length, scaled to 1, what the others must leave of it.
INDEPENDENT = 1e-9


@dataclass(frozen=True)
class Fit:
    """Coefficients and their errors (p,), the constant first if there is one."""

    params: np.ndarray
    bse: np.ndarray
    rsquared: float
    n_obs: int


def observed(y, xs, weights=None):
    """Positions of the complete observations of y (n,) and xs (k, n)."""
    ok = np.isfinite(y) & np.isfinite(xs).all(axis=0)
    if weights is not None:
        ok &= np.isfinite(weights) & (np.where(np.isnan(weights), 0, weights) > 0)
    return np.flatnonzero(ok)


def design(xs, intercept):
    """Columns (n, p) of the regression."""
    ones = [np.ones(xs.shape[1])] if intercept else []
    return np.column_stack([*ones, *xs])


def independent(columns):
    length = np.sqrt((columns**2).sum(axis=0))
    if not (length > 0).all():
        return False
    return np.linalg.svd(columns / length, compute_uv=False)[-1] > INDEPENDENT


def ols(y, xs, weights=None, intercept=True, min_obs=None, **cov):
    """Regression of y (n,) on xs (k, n) over the complete observations; NaN if there is none."""
    y, xs = np.asarray(y, float), np.asarray(xs, float)
    p = len(xs) + intercept
    least = p + 1 if min_obs is None else max(min_obs, p)
    at = observed(y, xs, weights)
    nothing = Fit(np.full(p, np.nan), np.full(p, np.nan), np.nan, len(at))
    if len(at) < least:
        return nothing
    z = design(xs[:, at], intercept)
    if not independent(z):
        return nothing
    w = np.ones(len(at)) if weights is None else np.asarray(weights, float)[at]
    fit = sm.WLS(y[at], z, weights=w, hasconst=intercept).fit(method="qr", **cov)
    bse = fit.bse if len(at) > p else np.full(p, np.nan)
    return Fit(fit.params, bse, fit.rsquared, len(at))


def exact(y, xs, intercept=True):
    """Coefficients and errors in fractions, rounded once: the truth however ill-conditioned."""
    rows = [[Fraction(float(v)) for v in row] for row in design(np.asarray(xs), intercept)]
    target = [Fraction(float(v)) for v in y]
    p = len(rows[0])
    gram = [[sum(r[i] * r[j] for r in rows) for j in range(p)] for i in range(p)]
    inverse = _inverse(gram)
    moment = [sum(r[i] * v for r, v in zip(rows, target, strict=True)) for i in range(p)]
    b = [sum(a * m for a, m in zip(line, moment, strict=True)) for line in inverse]
    left = [
        v - sum(c * z for c, z in zip(b, r, strict=True)) for r, v in zip(rows, target, strict=True)
    ]
    s2 = sum(e * e for e in left) / max(len(rows) - p, 1)
    bse = [float(s2 * inverse[i][i]) ** 0.5 for i in range(p)]
    return np.array([float(c) for c in b]), np.array(bse)


def _inverse(a):
    n = len(a)
    m = [[*row, *[Fraction(int(i == j)) for j in range(n)]] for i, row in enumerate(a)]
    for i in range(n):
        k = next(k for k in range(i, n) if m[k][i] != 0)
        m[i], m[k] = m[k], m[i]
        m[i] = [v / m[i][i] for v in m[i]]
        for k in range(n):
            if k != i and m[k][i] != 0:
                m[k] = [v - m[k][i] * w for v, w in zip(m[k], m[i], strict=True)]
    return [row[n:] for row in m]


def lagged(x, lag):
    """x (date, ...) moved down by `lag` rows."""
    out = np.full(x.shape, np.nan)
    out[lag:] = x[: len(x) - lag]
    return out


def by_date(y, x, lag=1, weights=None, where=None, **options):
    """Factor returns date by date: y (date, asset), x (date, factor, asset), all as numpy."""
    x = lagged(x, lag)
    weights = None if weights is None else lagged(weights, lag)
    if where is not None:
        y = np.where(lagged(where.astype(float), lag) == 1, y, np.nan)
    return [
        ols(y[t], x[t], None if weights is None else weights[t], **options) for t in range(len(y))
    ]


def by_window(y, x, window, min_obs, intercept=True):
    """Rolling regressions of y (date,) on x (factor, date)."""
    return [
        ols(
            y[max(0, t - window + 1) : t + 1],
            x[:, max(0, t - window + 1) : t + 1],
            intercept=intercept,
            min_obs=min_obs,
        )
        for t in range(len(y))
    ]


def stack(fits, name):
    """One attribute of many fits, as an array (row, ...)."""
    return np.array([getattr(f, name) for f in fits])


# --- problems to solve --------------------------------------------------------------------------


def problem(seed, dates=30, assets=20, factors=3, missing=0.1, noise=1.0, dtype=np.float64,
            infinite=0.0):  # fmt: skip
    """Returns (date, asset) and a Dataset of exposures, which explain a part of them."""
    rng = np.random.default_rng(seed)
    coords = {
        "date": np.arange(dates).astype("datetime64[D]").astype("datetime64[ns]"),
        "asset": rng.permutation([f"a{i:03d}" for i in range(assets)]),
    }
    dims = ("date", "asset")
    x = rng.normal(size=(factors, dates, assets))
    true = rng.normal(size=(factors, dates, 1))
    y = (x * true).sum(axis=0) + noise * rng.standard_t(4, (dates, assets))
    for each in (y, *x):
        each[rng.random(each.shape) < missing] = np.nan
        each[rng.random(each.shape) < infinite] = np.inf
    exposures = xr.Dataset({f"x{k}": (dims, x[k].astype(dtype)) for k in range(factors)}, coords)
    return xr.DataArray(y.astype(dtype), coords, dims, name="returns"), exposures


def streams(seed, dates=120, assets=5, factors=3, missing=0.1, noise=0.5, dtype=np.float64):
    """Returns (date, asset) and a Dataset of factor returns (date,), missing values in both."""
    rng = np.random.default_rng(seed)
    coords = {
        "date": np.arange(dates).astype("datetime64[D]").astype("datetime64[ns]"),
        "asset": rng.permutation([f"a{i:03d}" for i in range(assets)]),
    }
    f = rng.normal(size=(dates, factors))
    y = f @ rng.normal(size=(factors, assets)) + 0.1 + noise * rng.standard_t(4, (dates, assets))
    y[rng.random(y.shape) < missing] = np.nan
    f[rng.random(f.shape) < missing / 5] = np.nan
    returns = xr.DataArray(y.astype(dtype), coords, ("date", "asset"), name="returns")
    names = [f"f{k}" for k in range(factors)]
    dated = {"date": coords["date"]}
    return returns, xr.Dataset(
        {n: ("date", f[:, k].astype(dtype)) for k, n in enumerate(names)}, dated
    )


def assert_same_bits(got, want):
    """Every variable the same bit for bit (one kind of NaN), in the same order of dims."""
    assert list(got.data_vars) == list(want.data_vars)
    for name in want.data_vars:
        assert got[name].dims == want[name].dims, name
        assert got[name].dtype == want[name].dtype, name
        np.testing.assert_array_equal(got[name].values, want[name].values, err_msg=str(name))


def assert_close(got, want, rtol, atol=0.0):
    """Every variable close, missing in the same cells."""
    assert list(got.data_vars) == list(want.data_vars)
    for name in want.data_vars:
        one = want[name].transpose(*got[name].dims)
        np.testing.assert_allclose(
            got[name].values, one.values, rtol=rtol, atol=atol, err_msg=str(name)
        )
