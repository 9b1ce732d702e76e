"""Naive twins of the functions of risk: one date at a time, matrices of assets by assets."""

import math

import numpy as np
import pandas as pd
import xarray as xr

NAN = math.nan


# --- covariances of factors ---------------------------------------------------------------------


def covariance(rows, decay=1.0, lags=0, demean=True, bias=False, least=2):
    """Long-run covariance of complete rows of a list, as double loops; None for a missing row."""
    known = [t for t, row in enumerate(rows) if row is not None]
    k = len(next(row for row in rows if row is not None)) if known else 0
    if len(known) < least:
        return None, len(known)
    weights = {t: decay ** (known[-1] - t) for t in known}
    total = sum(weights.values())
    weights = {t: w / total for t, w in weights.items()}
    mean = [sum(weights[t] * rows[t][i] for t in known) if demean else 0.0 for i in range(k)]
    out = np.zeros((k, k))
    for t in known:
        for s in known:
            gap = abs(t - s)
            if gap <= lags:
                w = math.sqrt(weights[t] * weights[s]) * (1 - gap / (lags + 1))
                for i in range(k):
                    for j in range(k):
                        out[i, j] += w * (rows[t][i] - mean[i]) * (rows[s][j] - mean[j])
    if demean and not bias:
        out /= 1 - sum(w * w for w in weights.values())
    return out, len(known)


def factor_covariance(f, window=None, halflife=None, least=2, **options):
    """Covariance of every date, with the rule for factors that are not known yet."""
    values = np.where(np.isfinite(f.values), f.values, np.nan).astype(float)
    n_dates, k = values.shape
    out, counts = np.full((n_dates, k, k), np.nan), np.zeros(n_dates, dtype=int)
    decay = 1.0 if halflife is None else 0.5 ** (1 / halflife)
    for t in range(n_dates):
        part = values[max(0, t + 1 - window) if window else 0 : t + 1]
        live = [i for i in range(k) if np.isfinite(part[:, i]).sum() >= least]
        rows = [list(r[live]) if live and np.isfinite(r[live]).all() else None for r in part]
        found, counts[t] = covariance(rows, decay, least=least, **options)
        if found is not None:
            out[np.ix_([t], live, live)] = found
    return out, counts


def ledoit_wolf(x, target):
    """Shrunk covariance (divisor n) and intensity of complete data x (n, p), by the formulas."""
    n, p = x.shape
    d = x - x.mean(axis=0)
    s = d.T @ d / n
    pi = np.zeros((p, p))
    for t in range(n):
        pi += (np.outer(d[t], d[t]) - s) ** 2 / n
    rho = 0.0
    if target == "scaled_identity":
        f = np.eye(p) * sum(s[i, i] for i in range(p)) / p
    else:
        r = [s[i, j] / math.sqrt(s[i, i] * s[j, j]) for i in range(p) for j in range(p) if i != j]
        mean = sum(r) / len(r)
        f = np.array([
            [s[i, i] if i == j else mean * math.sqrt(s[i, i] * s[j, j]) for j in range(p)]
            for i in range(p)
        ])  # fmt: skip
        for i in range(p):
            rho += pi[i, i]
            for j in range(p):
                if i != j:
                    product = d[:, i] * d[:, j] - s[i, j]
                    a = ((d[:, i] ** 2 - s[i, i]) * product).mean()
                    b = ((d[:, j] ** 2 - s[j, j]) * product).mean()
                    ratio = math.sqrt(s[j, j] / s[i, i])
                    rho += mean / 2 * (ratio * a + b / ratio)
    gamma = ((f - s) ** 2).sum()
    share = max(0.0, min((pi.sum() - rho) / gamma / n, 1.0))
    return share * f + (1 - share) * s, share


# --- portfolios ---------------------------------------------------------------------------------


def counted(w, usable, missing="spread"):
    """Weights that count, or None where the portfolio is missing."""
    if not np.isfinite(w).any():
        return None
    w = np.where(np.isfinite(w), w, 0.0)
    lacking = [j for j in range(len(w)) if w[j] != 0 and not usable[j]]
    kept = np.where(usable, w, 0.0)
    if missing == "missing" and lacking:
        return None
    if missing == "spread":
        for sign in (1, -1):
            leg = sign * w > 0
            if leg.any() and kept[leg].sum() == 0:
                return None
            if leg.any():
                kept[leg] *= w[leg].sum() / kept[leg].sum()
    return kept


def asset_covariance(x, f, s):
    """The matrix of one date, assets by assets; what is missing in x or s is missing there."""
    return x @ f @ x.T + np.diag(s)


def decomposition(w, x, f, s, benchmark=None, missing="spread"):
    """Risk of one date and portfolio: a dict, empty where it is missing."""
    known = np.isfinite(x).all(axis=1)
    usable = known & np.isfinite(s) & (np.nan_to_num(s, nan=-1.0) >= 0)
    x, s = np.where(usable[:, None], x, 0.0), np.where(usable, s, 0.0)
    gross = np.where(np.isfinite(w), np.abs(w), 0.0)
    held, base = counted(w, usable, missing), None
    if benchmark is not None:
        gross = gross + np.where(np.isfinite(benchmark), np.abs(benchmark), 0.0)
        base = counted(benchmark, usable, missing)
    out = {
        "n_obs": ((gross > 0) & usable).sum(),
        "missing_exposure": ((gross > 0) & ~known).sum(),
        "thin": ((gross > 0) & known & ~usable).sum(),
        "coverage": gross[usable].sum() / gross.sum() if gross.sum() > 0 else NAN,
    }
    if held is None or (benchmark is not None and base is None):
        return out
    active = held - base if benchmark is not None else held
    b, e = x.T @ active, math.sqrt((s * active**2).sum())
    out |= {"specific_risk": e, "exposure": [*b, e]}
    exposed = b != 0
    if not np.isfinite(f[np.ix_(exposed, exposed)]).all():
        return out
    f = np.nan_to_num(f)
    sigma = asset_covariance(x, f, s)
    variance = active @ sigma @ active
    risk = math.sqrt(variance)
    out |= {
        "risk": risk, "factor_risk": math.sqrt(max(b @ f @ b, 0)),
        "marginal": [*(v / risk for v in f @ b), e / risk] if risk > 0 else [NAN] * (len(b) + 1),
        "asset_marginal": np.where(usable, sigma @ active / risk if risk > 0 else NAN, NAN),
    }  # fmt: skip
    out["component"] = [*(b * (f @ b) / risk), e * e / risk] if risk > 0 else [0.0] * (len(b) + 1)
    out["share"] = [c / risk for c in out["component"]] if risk > 0 else [NAN] * (len(b) + 1)
    if risk > 0:
        out["asset_component"] = active * (sigma @ active) / risk
    if benchmark is not None:
        whole = base @ sigma @ base
        out["beta"] = held @ sigma @ base / whole if whole > 0 else NAN
    return out


def stack(found, name, shape=()):
    """One entry of the dicts of all dates as an array, missing where a date has none."""
    rows = [np.asarray(d[name], dtype=float) if name in d else np.full(shape, NAN) for d in found]
    return np.stack(rows)


# --- problems -----------------------------------------------------------------------------------


def problem(seed, dates=9, assets=14, factors=3, lost=0.1):
    """Weights, benchmark, exposures, factor covariance and specific variances, with holes."""
    rng = np.random.default_rng(seed)
    coords = {
        "date": pd.date_range("2021-01-01", periods=dates, freq="B"),
        "asset": [f"a{i:02d}" for i in rng.permutation(assets)],
    }
    names = [f"x{k}" for k in range(factors)]

    def panel(values):
        return xr.DataArray(values, dims=("date", "asset"), coords=coords)

    def holes(values, share):
        hole = rng.random(values.shape) < share
        return np.where(hole, rng.choice([NAN, np.inf], values.shape), values)

    w = rng.standard_normal((dates, assets)) * (rng.random((dates, assets)) < 0.7)
    base = np.abs(rng.standard_normal((dates, assets)))
    x = xr.Dataset(
        {k: panel(holes(rng.standard_normal((dates, assets)), lost / factors)) for k in names}
    )
    root = 0.01 * rng.standard_normal((dates, factors, factors + 2))
    f = xr.DataArray(
        np.einsum("tij,tkj->tik", root, root),
        dims=("date", "factor", "factor_2"),
        coords={"date": coords["date"], "factor": names, "factor_2": names},
    )
    s = panel(holes(rng.random((dates, assets)) * 1e-3, lost / 2))
    return panel(holes(w, 0.05)), panel(base / base.sum(axis=1, keepdims=True)), x, f, s


# --- specific variances -------------------------------------------------------------------------


def shrunk(deviations, codes, weights, strength, fill, wanted):
    """Deviations of one date drawn towards the weighted mean of their groups."""
    out = list(deviations)
    for g in {c for c in codes if c >= 0}:
        group = [j for j, c in enumerate(codes) if c == g]
        known = [j for j in group if math.isfinite(deviations[j])]
        heavy = [j for j in known if math.isfinite(weights[j]) and weights[j] > 0]
        if not heavy:
            continue
        mean = sum(weights[j] * deviations[j] for j in heavy) / sum(weights[j] for j in heavy)
        scatter = math.sqrt(sum((deviations[j] - mean) ** 2 for j in known) / len(known))
        for j in group:
            if math.isfinite(deviations[j]) and strength:
                pull = strength * abs(deviations[j] - mean)
                v = pull / (scatter + pull) if scatter + pull > 0 else 0.0
                out[j] = v * mean + (1 - v) * deviations[j]
            elif not math.isfinite(deviations[j]) and fill and wanted[j]:
                out[j] = mean
    return out


# --- tracking -----------------------------------------------------------------------------------


def tracking(x, target, variance, budget):
    """Weights of least specific variance by the normal equations of Lagrange, or None."""
    usable = np.isfinite(x).all(axis=1) & np.isfinite(variance) & (variance > 0)
    a = x[usable].T
    if budget is not None:
        a, target = np.vstack([a, np.ones(usable.sum())]), [*target, budget]
    if np.linalg.matrix_rank(a) < len(a):
        return None
    m, n = a.shape
    system = np.block([[np.diag(variance[usable]), a.T], [a, np.zeros((m, m))]])
    out = np.zeros(len(x))
    out[usable] = np.linalg.solve(system, [*np.zeros(n), *target])[:n]
    return out


# --- attribution --------------------------------------------------------------------------------


def attribution(w, r, x, f, benchmark=None):
    """Contributions of one date: a dict, without contributions where the return is missing."""
    priced, known = np.isfinite(r), np.isfinite(x).all(axis=1)
    here = np.isfinite(w) & (w != 0)
    held, base = counted(w, priced), None
    if benchmark is not None:
        here |= np.isfinite(benchmark) & (benchmark != 0)
        base = counted(benchmark, priced)
    out = {
        "n_obs": (here & priced & known).sum(),
        "missing_return": (here & ~priced).sum(),
        "missing_exposure": (here & priced & ~known).sum(),
    }
    if held is None or (benchmark is not None and base is None):
        return out
    active = held if base is None else held - base
    parts = []
    for k in range(x.shape[1]):
        b = sum(active[j] * x[j, k] for j in range(len(w)) if known[j])
        parts.append(0.0 if b == 0 else b * f[k] if math.isfinite(f[k]) else NAN)
    earned = [active[j] * r[j] if priced[j] else 0.0 for j in range(len(w))]
    split = sum(e for e, k in zip(earned, known, strict=True) if k)
    other = sum(e for e, k in zip(earned, known, strict=True) if not k)
    return out | {"contribution": [*parts, split - sum(parts), other], "return": sum(earned)}
