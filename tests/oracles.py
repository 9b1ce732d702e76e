"""Naive twins of the transforms: plain Python over one row or one column, written to be read.

Each takes a list of floats, where NaN and infinities count as missing, and gives a list of the
same length. Row functions that break ties also take the labels of the columns.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
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


def rank(values, labels, method="ordinal", ascending=True, pct=False):
    order = by_label(values, labels, descending=not ascending)
    out = [NAN] * len(values)
    for j in order:
        places = [i + 1 for i, k in enumerate(order) if values[k] == values[j]]
        out[j] = {
            "ordinal": order.index(j) + 1,
            "average": sum(places) / len(places),
            "min": min(places),
            "max": max(places),
            "dense": len({values[k] for k in order[: places[0]]}),
        }[method]
        if pct:
            out[j] /= len(order)
    return out


def top(values, labels, n):
    """The last n of the ascending order: among equal values the later labels."""
    chosen = by_label(values, labels, descending=False)[-n:]
    return [j in chosen for j in range(len(values))]


def bottom(values, labels, n):
    chosen = by_label(values, labels, descending=False)[:n]
    return [j in chosen for j in range(len(values))]


def quantile(values, q):
    ordered = sorted(valid(values))
    if not ordered:
        return NAN
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def qcut(values, bins, breakpoints=None):
    source = values if breakpoints is None else [
        v for v, b in zip(values, breakpoints, strict=True) if b
    ]  # fmt: skip
    ordered = sorted(valid(source))
    if not ordered:
        return [-1] * len(values)
    pivots = [ordered[k * (len(ordered) - 1) // bins] for k in range(1, bins)]
    return [sum(v > p for p in pivots) if math.isfinite(v) else -1 for v in values]


def winsorize(values, low, high):
    ordered = sorted(valid(values))
    n = len(ordered)
    if n == 0:
        return [NAN] * len(values)
    least, most = ordered[int(low * n)], ordered[n - 1 - int(high * n)]
    return [min(max(v, least), most) if math.isfinite(v) else NAN for v in values]


def zscore(values, ddof=0):
    known = valid(values)
    if len(set(known)) < 2 or len(known) <= ddof:
        return [NAN] * len(values)
    exact = [Fraction(v) for v in known]
    mean = sum(exact) / len(exact)
    std = root(sum((v - mean) ** 2 for v in exact) / (len(exact) - ddof))
    return [float(Fraction(v) - mean) / std if math.isfinite(v) else NAN for v in values]


def standardize(values, low, high, ddof=0):
    return zscore(winsorize(values, low, high), ddof)


def demean(values):
    known = [Fraction(v) for v in valid(values)]
    mean = sum(known) / max(len(known), 1)
    return [float(Fraction(v) - mean) if math.isfinite(v) else NAN for v in values]


# --- columns: the history of one asset ----------------------------------------------------------


def lag(values, periods):
    return [values[t - periods] if t >= periods else NAN for t in range(len(values))]


def returns(values, periods):
    out = []
    for t, new in enumerate(values):
        old = values[t - periods] if t >= periods else NAN
        known = math.isfinite(new) and math.isfinite(old) and old > 0
        out.append(new / old - 1 if known else NAN)
    return out


def forward_returns(values, periods):
    out = []
    for t in range(len(values)):
        ahead = values[t + 1 : t + 1 + periods]
        if len(ahead) < periods or len(valid(ahead)) < periods:
            out.append(NAN)
        else:
            out.append(math.prod(1 + r for r in ahead) - 1)
    return out


def _windows(values, window):
    for t in range(len(values)):
        yield [Fraction(v) for v in valid(values[max(0, t - window + 1) : t + 1])]


def rolling_mean(values, window, min_obs=None):
    """In exact fractions, rounded once."""
    least = window if min_obs is None else min_obs
    return [
        float(sum(known) / len(known)) if len(known) >= max(least, 1) else NAN
        for known in _windows(values, window)
    ]


def rolling_std(values, window, min_obs=None, ddof=1):
    """In exact fractions up to the square root."""
    least = window if min_obs is None else min_obs
    out = []
    for known in _windows(values, window):
        if len(known) < max(least, 1) or len(known) <= ddof:
            out.append(NAN)
            continue
        mean = sum(known) / len(known)
        out.append(root(sum((v - mean) ** 2 for v in known) / (len(known) - ddof)))
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
