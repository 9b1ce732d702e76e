"""Naive twins of the portfolio functions: plain Python over one date, pandas over one stream."""

import math

import numpy as np
import pandas as pd

NAN = math.nan


def weights(scores, labels, n=None, fraction=None, sizes=None):
    """Long-short weights of one date."""
    sizes = [1.0] * len(scores) if sizes is None else sizes
    names = [
        j
        for j, s in enumerate(scores)
        if math.isfinite(s) and math.isfinite(sizes[j]) and sizes[j] > 0
    ]
    names.sort(key=lambda j: (scores[j], labels[j]))
    wanted = n if n is not None else max(int(fraction * len(names)), 1)
    count = min(wanted, len(names) // 2)
    if count == 0:
        return [NAN] * len(scores)
    out = [0.0 if j in names else NAN for j in range(len(scores))]
    for leg, sign in ((names[:count], -1.0), (names[-count:], 1.0)):
        whole = sum(sizes[j] for j in leg)
        for j in leg:
            out[j] = sign * sizes[j] / whole
    return out


def portfolio_return(held, returns):
    """Return of one date: each leg is spread over its known returns."""
    pairs = [(w, r) for w, r in zip(held, returns, strict=True) if math.isfinite(w)]
    if not pairs:
        return NAN
    total = 0.0
    for sign in (1, -1):
        leg = [(sign * w, r) for w, r in pairs if sign * w > 0]
        known = [(w, r) for w, r in leg if math.isfinite(r)]
        if leg and not known:
            return NAN
        if leg:
            whole, reached = sum(w for w, _ in leg), sum(w for w, _ in known)
            total += sign * sum(w * r for w, r in known) * whole / reached
    return total


def performance(values, periods=252):
    """Mean, volatility, Sharpe ratio, compound return and worst drawdown of one stream."""
    r = pd.Series(values, dtype=float).replace([np.inf, -np.inf], np.nan)
    known = r.dropna()
    wealth = pd.concat([pd.Series([1.0]), (1 + r.fillna(0)).cumprod()], ignore_index=True)
    mean = known.mean() * periods
    volatility = known.std() * periods**0.5
    return {
        "mean": mean,
        "volatility": volatility,
        "sharpe": mean / volatility if volatility > 0 else NAN,
        "cumulative_return": wealth.iloc[-1] - 1,
        "drawdown": (wealth / wealth.cummax() - 1).min(),
        "n_obs": len(known),
    }


def tails(values, periods=252):
    """Hit rate, downside deviation, Sortino ratio, skewness and kurtosis, a value at a time."""
    r = [v for v in values if math.isfinite(v)]
    if not r:
        return dict.fromkeys(("hit_rate", "downside", "sortino", "skewness", "kurtosis"), NAN)
    mean = sum(r) / len(r)
    below = math.sqrt(sum(v * v for v in r if v < 0) / len(r)) * periods**0.5
    m2, m3, m4 = (sum((v - mean) ** p for v in r) / len(r) for p in (2, 3, 4))
    return {
        "hit_rate": sum(v > 0 for v in r) / len(r),
        "downside": below,
        "sortino": mean * periods / below if below > 0 else NAN,
        "skewness": m3 / m2**1.5 if m2 > 0 else NAN,
        "kurtosis": m4 / m2**2 if m2 > 0 else NAN,
    }


def neutral(row, exposures):
    """Nearest weights without exposures: the projection of the relative changes, by lstsq."""
    held = [j for j, w in enumerate(row) if math.isfinite(w) and w != 0]
    w = np.array([row[j] for j in held])
    x = np.array([[1.0, *exposures[j]] for j in held])
    if not held or len(held) <= x.shape[1] or np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    root = np.sqrt(np.abs(w))
    slope = np.linalg.lstsq(root[:, None] * x, root * np.sign(w), rcond=None)[0]
    new = np.abs(w) * (np.sign(w) - x @ slope)
    leg = np.abs(new).sum() / 2
    if leg < 1e-9:
        return None
    out = np.where(np.isfinite(row), 0.0, NAN)
    out[held] = new / leg
    return out
