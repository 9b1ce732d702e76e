"""Rolling statistics: naive twins of one asset's history, and the table of cases."""

import math
from fractions import Fraction
from functools import partial

import numpy as np
import xarray as xr

import xfactor as xf
from tests import oracles
from tests.contracts import Case
from tests.oracles import NAN, root, valid
from tests.time_series.cases import case


def _windows(values, window, min_obs, least=1):
    """The valid values of each window as exact fractions; none where they are too few."""
    least = max(window if min_obs is None else min_obs, least)
    for t in range(len(values)):
        known = valid(values[max(0, t - window + 1) : t + 1])
        yield [Fraction(v) for v in known] if len(known) >= least else []


def _moment(known, power):
    """Sum of powers of the distances from the mean."""
    mean = sum(known) / len(known)
    return sum((v - mean) ** power for v in known)


def rolling_mean(values, window, min_obs=None):
    """In exact fractions, rounded once."""
    each = _windows(values, window, min_obs)
    return [float(sum(known) / len(known)) if known else NAN for known in each]


def rolling_sum(values, window, min_obs=None):
    return [float(sum(known)) if known else NAN for known in _windows(values, window, min_obs)]


def rolling_var(values, window, min_obs=None, ddof=1):
    each = _windows(values, window, min_obs, ddof + 1)
    return [float(_moment(known, 2) / (len(known) - ddof)) if known else NAN for known in each]


def rolling_std(values, window, min_obs=None, ddof=1):
    """In exact fractions up to the square root."""
    each = _windows(values, window, min_obs, ddof + 1)
    return [root(_moment(known, 2) / (len(known) - ddof)) if known else NAN for known in each]


def rolling_skew(values, window, min_obs=None, bias=False):
    out = []
    for known in _windows(values, window, min_obs, 2 if bias else 3):
        n = len(known)
        if len(set(known)) < 2:
            out.append(NAN)
            continue
        # The third moment over the cubed deviation: as one root, it is squared first.
        third, second = _moment(known, 3) / n, _moment(known, 2) / n
        value = math.copysign(root(third**2 / second**3), third)
        out.append(value if bias else value * math.sqrt(n * (n - 1)) / (n - 2))
    return out


def rolling_min(values, window, min_obs=None):
    return [float(min(known)) if known else NAN for known in _windows(values, window, min_obs)]


def rolling_max(values, window, min_obs=None):
    return [float(max(known)) if known else NAN for known in _windows(values, window, min_obs)]


def rolling_quantile(values, q, window, min_obs=None):
    each = _windows(values, window, min_obs)
    return [oracles.quantile([float(v) for v in known], q) for known in each]


def rolling_median(values, window, min_obs=None):
    out = []
    for known in _windows(values, window, min_obs):
        n, ordered = len(known), sorted(known)
        out.append(float((ordered[(n - 1) // 2] + ordered[n // 2]) / 2) if known else NAN)
    return out


def rolling_rank(values, window, min_obs=None, method="average", pct=False):
    out = []
    for new, known in zip(values, _windows(values, window, min_obs), strict=True):
        if not known or not math.isfinite(new):
            out.append(NAN)
            continue
        first, last = 1 + sum(v < new for v in known), sum(v <= new for v in known)
        place = {"min": first, "max": last, "average": (first + last) / 2}[method]
        out.append(place / len(known) if pct else place)
    return out


def decay_linear(values, window, min_obs=None):
    least = window if min_obs is None else min_obs
    out = []
    for t in range(len(values)):
        ages = [a for a in range(min(window, t + 1)) if math.isfinite(values[t - a])]
        total = sum((window - a) * Fraction(values[t - a]) for a in ages)
        weight = sum(window - a for a in ages)
        out.append(float(total / weight) if len(ages) >= max(least, 1) else NAN)
    return out


# --- two variables ------------------------------------------------------------------------------


def _pairs(x, y, window, min_obs, least=1):
    """Centred sums of squares and products of the dates on which both are valid, and the count."""
    least = max(window if min_obs is None else min_obs, least)
    for t in range(len(x)):
        dates = range(max(0, t - window + 1), t + 1)
        both = [
            (Fraction(x[s]), Fraction(y[s]))
            for s in dates
            if math.isfinite(x[s]) and math.isfinite(y[s])
        ]
        if len(both) < least:
            yield None
            continue
        n = len(both)
        u, v = sum(a for a, _ in both) / n, sum(b for _, b in both) / n
        yield (
            n,
            sum((a - u) ** 2 for a, _ in both),
            sum((b - v) ** 2 for _, b in both),
            sum((a - u) * (b - v) for a, b in both),
        )


def rolling_cov(x, y, window, min_obs=None, ddof=1):
    each = _pairs(x, y, window, min_obs, ddof + 1)
    return [float(p[3] / (p[0] - ddof)) if p else NAN for p in each]


def rolling_corr(x, y, window, min_obs=None):
    each = _pairs(x, y, window, min_obs)
    return [
        math.copysign(root(p[3] ** 2 / (p[1] * p[2])), p[3]) if p and p[1] and p[2] else NAN
        for p in each
    ]


def rolling_beta(x, y, window, min_obs=None):
    return [float(p[3] / p[2]) if p and p[2] else NAN for p in _pairs(x, y, window, min_obs)]


def market(n):
    """A second variable of the date alone: noise, some dates missing; a prefix of a longer one."""
    y = np.random.default_rng(8).normal(size=1000)[:n]
    y[3::7] = NAN
    return y


def partner(values):
    """A second variable of each cell: no line, bounded, with dates of its own missing."""
    values = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(values) > 3, NAN, np.round(np.cos(3 * values), 3))


def with_market(name):
    """The function of two variables as one of `x`, against a series (date,)."""

    def call(x, **options):
        n = x.sizes.get("date", 3)
        y = xr.DataArray(market(n), dims="date")
        return getattr(xf, name)(x, y, **options)

    return call


def with_partner(name):
    """The same, against an array of the dims of `x`."""

    def call(x, **options):
        if isinstance(x, xr.Dataset):
            fields = {k: v for k, v in x.items() if "date" in v.dims and v.dtype.kind == "f"}
            return x.assign({k: call(v, **options) for k, v in fields.items()})
        y = xr.apply_ufunc(partner, x, dask="parallelized", output_dtypes=[float])
        return getattr(xf, name)(x, y, **options)

    return call


def pair_cases(oracle, scaled, each):
    name = oracle.__name__
    for options in each:
        for second, wrapped in ((market, with_market), (partner, with_partner)):

            def naive(values, second=second, **options):
                y = second(len(values)) if second is market else second(values)
                return oracle(values, y.tolist(), **options)

            twin = partial(oracles.each, naive, dim="date", **options)
            label = f"{name} with {second.__name__}"
            units = None if scaled else "1"
            yield Case(label, wrapped(name), options, twin, dim="date", scaled=scaled, units=units)


# Window and min_obs: all valid, one date, some, longer than the history.
WINDOWS = [{"window": w, "min_obs": m} for w, m in [(5, None), (1, None), (4, 1), (7, 3), (50, 1)]]
SOME = [{"window": w, "min_obs": m} for w, m in [(5, None), (7, 3)]]

CASES = [
    *[case("rolling_mean", rolling_mean, **o) for o in WINDOWS],
    case("rolling_sum", rolling_sum, window=7, min_obs=3),
    *[
        case("rolling_std", rolling_std, window=w, min_obs=m, ddof=d)
        for w, m, d in [(5, None, 1), (1, None, 0), (4, 1, 0), (7, 3, 1), (50, 2, 2)]
    ],
    case("rolling_var", rolling_var, units=None, window=7, min_obs=3),
    *[case("rolling_skew", rolling_skew, scaled=False, **o) for o in SOME],
    case("rolling_skew", rolling_skew, scaled=False, window=50, min_obs=1, bias=True),
    *[case("decay_linear", decay_linear, **o) for o in WINDOWS],
    *[case("rolling_min", rolling_min, exact=True, **o) for o in SOME],
    case("rolling_max", rolling_max, exact=True, window=7, min_obs=3),
    *[case("rolling_median", rolling_median, exact=True, **o) for o in WINDOWS],
    case("rolling_quantile", rolling_quantile, q=0.3, window=7, min_obs=3),
    case("rolling_rank", rolling_rank, exact=True, units="1", window=7, min_obs=3),
    case("rolling_rank", rolling_rank, exact=True, window=6, min_obs=1, method="min", pct=True),
    case("rolling_rank", rolling_rank, exact=True, window=50, min_obs=2, method="max"),
    *pair_cases(rolling_cov, True, SOME[1:]),
    *pair_cases(rolling_corr, False, SOME[1:]),
    *pair_cases(rolling_beta, True, SOME[1:]),
]
