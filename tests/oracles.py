"""Naive twins of the transforms: plain Python over one row or one column, written to be read.

Each takes a list of floats, where NaN and infinities count as missing, and gives a list of the
same length. Row functions that break ties also take the labels of the columns.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.stats
import xarray as xr

NAN = math.nan


def valid(values: Sequence[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)]


def root(square: Fraction) -> float:
    """Square root of a fraction that may be too small or too large for a float."""
    shift = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(square / Fraction(4) ** shift), shift)


def by_label(values: Sequence[float], labels: Sequence[Any], descending: bool) -> list[int]:
    """Columns of the valid values, sorted by value, equal ones by label."""
    columns = [j for j, v in enumerate(values) if math.isfinite(v)]
    columns.sort(key=lambda j: labels[j])
    columns.sort(key=lambda j: -values[j] if descending else values[j])  # a stable sort
    return columns


# --- rows: the assets of one date ---------------------------------------------------------------


def rank(values, labels, method="ordinal", ascending=True, pct=False, scores="rank"):
    order = by_label(values, labels, descending=not ascending)
    n = len({values[j] for j in order}) if method == "dense" else len(order)
    out = [NAN] * len(values)
    for j in order:
        places = [i + 1 for i, k in enumerate(order) if values[k] == values[j]]
        r = {
            "ordinal": order.index(j) + 1,
            "average": sum(places) / len(places),
            "min": min(places),
            "max": max(places),
            "dense": len({values[k] for k in order[: places[0]]}),
        }[method]
        if scores == "normal":
            r = scipy.stats.norm.ppf((r - 0.5) / n)
        elif pct == "linear":
            r = (r - 1) / (n - 1) if n > 1 else r / 2
        elif pct:
            r = (r - 0.5 * (pct == "hazen")) / n
        out[j] = r
    return out


def top(values, labels, n, exact=True):
    """The last n of the ascending order: among equal values the later labels."""
    chosen = by_label(values, labels, descending=False)[-n:]
    also = [values[j] for j in chosen if not exact]
    return [j in chosen or v in also for j, v in enumerate(values)]


def bottom(values, labels, n, exact=True):
    chosen = by_label(values, labels, descending=False)[:n]
    also = [values[j] for j in chosen if not exact]
    return [j in chosen or v in also for j, v in enumerate(values)]


def quantile(values, q):
    ordered = sorted(valid(values))
    if not ordered:
        return NAN
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def edges_of(bins):
    """The inner edges of equal buckets, or of those given, whose floats mean simple fractions."""
    if isinstance(bins, int):
        return [Fraction(k, bins) for k in range(1, bins)]
    return [Fraction(q).limit_denominator(1000) for q in bins[1:-1]]


def qcut(values, *labels, bins, breakpoints=None, method="pivot"):
    edges = edges_of(bins)
    if method == "rank":
        n = len(valid(values))
        ranks = rank(values, *labels)
        return [sum(Fraction(r - 1) >= q * n for q in edges) if r == r else -1 for r in ranks]
    chosen = [True] * len(values) if breakpoints is None else breakpoints
    ordered = sorted(valid([v for v, b in zip(values, chosen, strict=True) if b]))
    n = len(ordered)
    if n == 0:
        return [-1] * len(values)
    if method == "ecdf":
        share = [Fraction(sum(p <= v for p in ordered), n) for v in values]
        bucket = [sum(f > q for q in edges) for f in share]
    else:
        pivots = [ordered[math.floor(q * (n - 1))] for q in edges]
        bucket = [sum(v > p for p in pivots) for v in values]
    return [k if math.isfinite(v) else -1 for v, k in zip(values, bucket, strict=True)]


def between(values, low, high):
    least, most = quantile(values, low), quantile(values, high)
    return [math.isfinite(v) and least <= v <= most for v in values]


def median_and_mad(values):
    median = quantile(values, 0.5)
    return median, 1.4826 * quantile([abs(v - median) for v in valid(values)], 0.5)


def mean_and_std(values, ddof=0):
    """Both in exact fractions, the root rounded once; None where there is none."""
    exact = [Fraction(v) for v in valid(values)]
    if len(exact) <= ddof or not exact:
        return None, None
    mean = sum(exact) / len(exact)
    return mean, root(sum((v - mean) ** 2 for v in exact) / (len(exact) - ddof))


def limits_of(values, low, high, method):
    ordered = sorted(valid(values))
    n = len(ordered)
    if n == 0:
        return NAN, NAN
    if method == "count":
        return ordered[int(low * n)], ordered[n - 1 - int(high * n)]
    if method == "quantile":
        return quantile(values, low), quantile(values, 1 - high)
    centre, scale = median_and_mad(values) if method == "mad" else mean_and_std(values)
    if scale == 0:
        return -math.inf, math.inf
    return float(centre) - low * scale, float(centre) + high * scale


def winsorize(values, low, high, method="count"):
    least, most = limits_of(values, low, high, method)
    return [min(max(v, least), most) if math.isfinite(v) else NAN for v in values]


def trim(values, low, high, method="count"):
    least, most = limits_of(values, low, high, method)
    return [v if math.isfinite(v) and least <= v <= most else NAN for v in values]


def zscore(values, ddof=0):
    mean, std = mean_and_std(values, ddof)
    if len(set(valid(values))) < 2 or not std:
        return [NAN] * len(values)
    return [float(Fraction(v) - mean) / std if math.isfinite(v) else NAN for v in values]


def robust_zscore(values):
    median, mad = median_and_mad(values) if valid(values) else (NAN, NAN)
    return [(v - median) / mad if math.isfinite(v) and mad > 0 else NAN for v in values]


def standardize(values, low, high, ddof=0, method="count"):
    return zscore(winsorize(values, low, high, method), ddof)


def demean(values):
    known = [Fraction(v) for v in valid(values)]
    mean = sum(known) / max(len(known), 1)
    return [float(Fraction(v) - mean) if math.isfinite(v) else NAN for v in values]


def fillna(values, method, min_obs):
    known = valid(values)
    fill = NAN
    if len(known) >= min_obs:
        fill = quantile(values, 0.5) if method == "median" else float(mean_and_std(values)[0])
    return [v if math.isfinite(v) else fill for v in values]


def neutralize(values, labels):
    """Residual on a constant and on the exposure that the table makes from the labels."""
    place = [sorted(labels).index(name) for name in labels]
    exposure = [float(p**2 % 7) for p in place]
    use = [j for j, v in enumerate(values) if math.isfinite(v)]
    out = [NAN] * len(values)
    if len(use) < 3 or len({exposure[j] for j in use}) < 2:
        return out
    x, y = ([Fraction(a[j]) for j in use] for a in (exposure, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope /= sum((a - mean_x) ** 2 for a in x)
    for j, a, b in zip(use, x, y, strict=True):
        out[j] = float(b - mean_y - slope * (a - mean_x))
    return out


# --- over a whole panel -------------------------------------------------------------------------


def each(
    function: Callable[..., Any], x: xr.DataArray, dim: str, labelled: bool = False, **options: Any
) -> xr.DataArray:
    """Run a row or column function along `dim` of a two-dimensional `x`, line by line."""
    (other,) = [d for d in x.dims if d != dim]
    first = (list(x[dim].values),) if labelled else ()
    lines = x.transpose(other, dim).values.astype(float).tolist()
    result = np.array([function(line, *first, **options) for line in lines])
    return xr.DataArray(result, dims=(other, dim), coords={other: x[other], dim: x[dim]})
