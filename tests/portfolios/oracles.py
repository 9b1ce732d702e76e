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
