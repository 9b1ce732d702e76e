"""The built-in terms from their definitions: one window of one asset at a time, in plain Python.

A window is a `Window`: an array for each field, the oldest date first. Prices in it are adjusted
for splits so that the newest known close is as it was traded; infinite numbers are NaN.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from scipy import stats

PRICES = ("close", "high", "low")


@dataclass
class Market:
    """Plain arrays (date, asset) of a panel, and the column of the target."""

    fields: dict
    dates: np.ndarray
    listed: np.ndarray
    target: int

    @classmethod
    def of(cls, panel, target):
        fields = {str(k): v.transpose("date", "asset").values for k, v in panel.data_vars.items()}
        shape = (panel.sizes["date"], panel.sizes["asset"])
        listed = fields.pop("listed", np.ones(shape, dtype=bool))
        for name, x in fields.items():
            if x.dtype.kind == "f":
                x = np.where(np.isfinite(x), x.astype(float), np.nan)
                fields[name] = np.where(listed, x, np.nan)
            elif x.dtype.kind == "M":
                fields[name] = np.where(listed, x, np.datetime64("NaT"))
            elif x.dtype.kind == "b":
                fields[name] = x & listed
            else:
                fields[name] = np.where(listed, x, -1)
        market = cls(
            fields, panel["date"].values, listed, list(panel["asset"].values).index(target)
        )
        fields["ret"] = market.each(lambda w: returns(w.close), 2)
        return market

    def window(self, t, j, n):
        rows = slice(t - n + 1, t + 1)
        w = {k: x[rows, j] for k, x in self.fields.items()}
        w["spy"] = self.fields["ret"][rows, self.target] if "ret" in self.fields else None
        w["today"] = self.dates[t]
        w["raw"] = w["close"]
        if "adjusted_close" in w and n > 1:
            ratio = w["adjusted_close"] / w["close"]
            known = ratio[np.isfinite(ratio)]
            last = known[-1] if len(known) else np.nan
            w |= {k: w[k] * ratio / last for k in PRICES}
            w["shares"] = w["volume"] / ratio * last
        else:
            w["shares"] = w["volume"]
        return SimpleNamespace(**w)

    def each(self, oracle, n):
        """`oracle` of every window; NaN where there is none, and outside the universe."""
        out = np.full(self.listed.shape, np.nan)
        for t in range(n - 1, len(self.dates)):
            for j in range(self.listed.shape[1]):
                if self.listed[t, j]:
                    out[t, j] = oracle(self.window(t, j, n))
        return out


def known(*arrays):
    """The dates on which all are known."""
    both = np.all([~np.isnan(a) for a in arrays], axis=0)
    return [a[both] for a in arrays] if len(arrays) > 1 else arrays[0][both]


def returns(x):
    return x[-1] / x[0] - 1 if x[0] > 0 and x[-1] >= 0 else np.nan


def growth(x):
    return (x[-1] - x[0]) / abs(x[0]) if x[0] != 0 else np.nan


def rate(x):
    return 100 * (x[-1] - x[0]) / x[0] if x[0] != 0 else np.nan


def mean(x):
    x = known(x)
    return x.mean() if len(x) else np.nan


def std(x):
    x = known(x)
    return np.sqrt(((x - x.mean()) ** 2).mean()) if len(x) else np.nan


def weighted(x, weights):
    x, weights = known(x, weights)
    return (x * weights).sum() / weights.sum() if len(x) and weights.sum() != 0 else np.nan


def drawdown(x):
    x = known(x)
    x = x[x >= 0]
    falls = [(x[i] - x[j]) / x[i] for i in range(len(x)) for j in range(i, len(x)) if x[i] > 0]
    return max(falls, default=0.0 if len(x) else np.nan)


def faded(n, decay):
    return decay ** np.arange(n - 1, -1, -1.0)


def ewma(x, decay):
    return weighted(x, faded(len(x), decay))


def ewmstd(x, decay):
    weights = faded(len(x), decay)
    x, weights = known(x, weights + 0 * x)
    if len(x) < 2:
        return np.nan
    center = np.average(x, weights=weights)
    variance = np.average((x - center) ** 2, weights=weights)
    return np.sqrt(variance * weights.sum() ** 2 / (weights.sum() ** 2 - (weights**2).sum()))


def rsi(x):
    moves = known(np.diff(x))
    ups, downs = moves[moves > 0].sum(), -moves[moves < 0].sum()
    return 100 * ups / (ups + downs) if ups + downs > 0 else np.nan


def place(x, best):
    if np.isnan(x).all():
        return np.nan
    return 100 * list(x).index(best(known(x))) / (len(x) - 1)


def middle(high, low):
    high, low = known(high), known(low)
    return (high.max() + low.min()) / 2 if len(high) and len(low) else np.nan


def stochastic(close, low, high):
    low, high = known(low), known(high)
    if not len(low) or not len(high) or high.max() == low.min():
        return np.nan
    return 100 * (close[-1] - low.min()) / (high.max() - low.min())


def true_range(high, low, close):
    three = [high[1] - low[1], abs(high[1] - close[0]), abs(low[1] - close[0])]
    three = [v for v in three if v == v]
    return max(three, default=np.nan)


def macd(x, fast, slow, signal):
    def at(k):
        end = len(x) - k
        return ewma(x[end - fast : end], 1 - 2 / (1 + fast)) - ewma(
            x[end - slow : end], 1 - 2 / (1 + slow)
        )

    return ewma(np.array([at(k) for k in range(signal - 1, -1, -1)]), 1 - 2 / (1 + signal))


def complete(x, y):
    return not np.isnan(x + y).any() and np.ptp(x) > 0 and np.ptp(y) > 0


def pearson(x, y):
    return np.corrcoef(x, y)[0, 1] if complete(x, y) else np.nan


def spearman(x, y):
    return stats.spearmanr(x, y)[0] if complete(x, y) else np.nan


def regression(y, x, output):
    if np.isnan(x + y).any() or np.ptp(x) == 0:
        return np.nan
    design = np.column_stack([np.ones_like(x), x])
    (alpha, beta), *_ = np.linalg.lstsq(design, y, rcond=None)
    if output in ("alpha", "beta"):
        return {"alpha": alpha, "beta": beta}[output]
    if output == "r_value":
        return pearson(x, y)
    df = len(x) - 2
    error = np.sqrt(((y - alpha - beta * x) ** 2).sum() / df / ((x - x.mean()) ** 2).sum())
    if output == "stderr":
        return error
    return 2 * stats.t.sf(abs(beta) / error, df) if np.ptp(y) > 0 else np.nan


def beta(y, x, share):
    n = len(y)
    y, x = known(y, x)
    if n - len(y) > share * n or len(y) < 2 or np.ptp(x) == 0:
        return np.nan
    return ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()


def business_days(first, last):
    """Days from Monday to Friday from `first` on, before `last`; backwards they are negative."""
    if np.isnat(first) or np.isnat(last):
        return np.nan
    first, last = first.astype("M8[D]"), last.astype("M8[D]")
    sign, step = (1, 1) if first <= last else (-1, -1)
    n = 0
    while first != last:
        n += first.item().weekday() < 5
        first = first + np.timedelta64(step, "D")
    return float(sign * n)
