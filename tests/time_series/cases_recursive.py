"""What is carried from date to date: naive twins of one asset's history, and the cases."""

import math
from fractions import Fraction
from functools import partial

import xarray as xr

import xfactor as xf
from tests import oracles
from tests.contracts import Case
from tests.oracles import NAN, root, valid
from tests.time_series.cases import case
from tests.time_series.cases_rolling import pair_cases

# --- compound returns, drawdowns, last values and their age -------------------------------------


def cumulative_returns(values, window=None, min_obs=None):
    """In exact fractions; the whole past is taken again for each date."""
    least = (1 if window is None else window) if min_obs is None else min_obs
    out = []
    for t, today in enumerate(values):
        known = valid(values[: t + 1] if window is None else values[max(0, t - window + 1) : t + 1])
        wealth = math.prod([1 + Fraction(max(r, -1)) for r in known])
        missing = len(known) < least or (window is None and not math.isfinite(today))
        out.append(NAN if missing else float(wealth - 1))
    return out


def drawdown(values):
    out, wealth, peak = [], Fraction(1), Fraction(1)
    for r in values:
        if not math.isfinite(r):
            out.append(NAN)
            continue
        wealth *= 1 + Fraction(max(r, -1))
        peak = max(peak, wealth)
        out.append(float(wealth / peak - 1))
    return out


def age(values):
    out, last, changed = [], None, None
    for t, v in enumerate(values):
        if math.isfinite(v) and v != last:
            last, changed = v, t
        out.append(t - changed if math.isfinite(v) else NAN)
    return out


def ffill(values, limit=None):
    out = []
    for t in range(len(values)):
        oldest = 0 if limit is None else max(0, t - limit)
        known = valid(values[oldest : t + 1])
        out.append(known[-1] if known else NAN)
    return out


def _ffill_of_numbers(x, **options):
    """What the table says of every number type; that codes stay codes has a test of its own."""
    if isinstance(x, xr.DataArray) and x.dtype.kind != "f":
        x = x.astype(float)
    return xf.ffill(x, **options)


# --- exponential weights ------------------------------------------------------------------------

# The exact factor from one date to the next; that of a halflife of 1 session is 1/2.
SPEEDS = {
    "halflife": lambda v: {1: Fraction(1, 2), 0.5: Fraction(1, 4)}[v],
    "span": lambda v: 1 - Fraction(2) / (Fraction(v) + 1),
    "com": lambda v: Fraction(v) / (1 + Fraction(v)),
    "alpha": lambda v: 1 - Fraction(v),
}


def _weighted(rows, window, min_obs, speed):
    """For each date the known (weight, row) of its window; none where they are too few.

    Weights are taken from the newest known row on: only their ratios count.
    """
    ((name, value),) = speed.items()
    decay = SPEEDS[name](value)
    for t in range(len(rows)):
        first = 0 if window is None else max(0, t - window + 1)
        known = [k for k in range(first, t + 1) if len(valid(rows[k])) == len(rows[k])]
        weighted = [(decay ** (known[-1] - k), [Fraction(v) for v in rows[k]]) for k in known]
        yield weighted if len(known) >= min_obs else []


def ewm_mean(values, window=None, min_obs=1, **speed):
    out = []
    for known in _weighted([[v] for v in values], window, min_obs, speed):
        total = sum(w for w, _ in known)
        out.append(float(sum(w * v for w, (v,) in known) / total) if known else NAN)
    return out


def covariances(xs, ys, window=None, min_obs=1, bias=False, **speed):
    """In exact fractions."""
    out = []
    for known in _weighted(list(zip(xs, ys, strict=True)), window, min_obs, speed):
        total = sum(w for w, _ in known)
        pairs = total**2 - sum(w**2 for w, _ in known)
        if not known or (not bias and not pairs):
            out.append(None)
            continue
        x_mean = sum(w * x for w, (x, _) in known) / total
        y_mean = sum(w * y for w, (_, y) in known) / total
        sums = sum(w * (x - x_mean) * (y - y_mean) for w, (x, y) in known)
        out.append(sums / total if bias else sums * total / pairs)
    return out


def ewm_var(values, **options):
    return [NAN if v is None else float(v) for v in covariances(values, values, **options)]


def ewm_std(values, **options):
    return [NAN if v is None else root(v) for v in covariances(values, values, **options)]


def ewm_cov(x, y, **options):
    return [NAN if v is None else float(v) for v in covariances(x, y, **options)]


CASES = [
    *[
        case("cumulative_returns", cumulative_returns, domain="returns", scaled=False, **o)
        for o in [
            {}, {"window": 5}, {"window": 1}, {"window": 7, "min_obs": 3},
            {"window": 50, "min_obs": 1},
        ]
    ],
    case("drawdown", drawdown, domain="returns", scaled=False),
    case("age", age, exact=True, units="1", moves=True),
    *[
        Case(
            "ffill", _ffill_of_numbers, o, partial(oracles.each, ffill, dim="date", **o),
            dim="date", exact=True, fills=True, moves=True,
        )
        for o in [{}, {"limit": 1}, {"limit": 3}, {"limit": 50}]
    ],
    *[
        case("ewm_mean", ewm_mean, **o)
        for o in [
            {"halflife": 1}, {"com": 0, "min_obs": 2}, {"span": 9, "window": 7, "min_obs": 3},
            {"alpha": 0.25, "window": 50}, {"alpha": 1, "window": 3},
        ]
    ],
    *[
        case(name, naive, units=units, **o)
        for name, naive, units in [("ewm_var", ewm_var, None), ("ewm_std", ewm_std, "same")]
        for o in [
            {"span": 20}, {"com": 3, "min_obs": 4, "bias": True}, {"halflife": 0.5, "window": 5},
            {"span": 9, "window": 7, "min_obs": 3, "bias": True},
        ]
    ],
    *pair_cases(
        ewm_cov, True,
        [{"com": 9, "min_obs": 4, "bias": True}, {"alpha": 0.25, "window": 7}],
    ),
]  # fmt: skip
