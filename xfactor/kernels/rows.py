"""Transforms of rows, by group: each works on blocks of rows that stay in cache."""

from collections.abc import Callable

import numpy as np

from xfactor.kernels._blocks import by_rows, finite, row_blocks
from xfactor.kernels._groups import Groups, groups_of, spread
from xfactor.kernels.moments import Moments, moments, scaled
from xfactor.kernels.order import sorted_rows
from xfactor.kernels.select import MANY, counts, order_statistics

# The median absolute deviation of a normal distribution is its standard deviation / 1.4826.
MAD_TO_STD = 1.4826

Optional = np.ndarray | None


# --- order statistics ---------------------------------------------------------------------------

# Where the quantile q of n ordered values lies, counted from 0, by NumPy's name of the method.
# The first ones round (n - 1) q, the last ones are n q + a + q (1 - a - b) - 1.
PLACES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "linear": lambda n, q: (n - 1) * q,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "nearest": lambda n, q: np.rint((n - 1) * q),
    "inverted_cdf": lambda n, q: np.ceil(n * q - 1),
    "interpolated_inverted_cdf": lambda n, q: n * q - 1,
    "hazen": lambda n, q: n * q + 0.5 - 1,
    "weibull": lambda n, q: n * q + q - 1,
    "median_unbiased": lambda n, q: n * q + (1 / 3 + q * (1 - 2 / 3)) - 1,
    "normal_unbiased": lambda n, q: n * q + (3 / 8 + q * (1 - 6 / 8)) - 1,
}


def group_quantiles(
    x: np.ndarray, groups: Groups, q: np.ndarray, method: str = "linear"
) -> np.ndarray:
    """Quantiles (row, G, len(q)), between order statistics as `method` says."""
    few = groups.one and len(q) <= MANY
    if few:
        size = counts(x)[:, None]
    else:
        ordered, first, size = sorted_rows(x, groups)
    last = np.maximum(size - 1, 0)[:, :, None]
    place = np.clip(PLACES[method](size[:, :, None], q), 0, last)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, last)
    if few:  # neighbours next to each other
        both = order_statistics(x, np.stack([below, above], axis=3).reshape(len(x), -1))
        a, b = both[:, None, ::2], both[:, None, 1::2]
    else:
        a, b = pick(ordered, first, below), pick(ordered, first, above)
    weight = place - below
    # Both ends of the segment are exact: the same two forms that numpy.quantile uses.
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.where(weight < 0.5, a + (b - a) * weight, b - (b - a) * (1.0 - weight))
        # The distance of two numbers may be none.
        value = np.where(np.isfinite(value), value, a * (1.0 - weight) + b * weight)
    return np.where((size > 0)[:, :, None], value, np.nan)


def pick(ordered: np.ndarray, first: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values at places (row, G, K) counted from the first of each group, as float64."""
    at = np.minimum(first[:, :, None] + place, ordered.shape[1] - 1)
    picked = np.take_along_axis(ordered, at.reshape(len(at), -1), axis=1)
    return picked.reshape(at.shape).astype(np.float64)


def quantile_rows(
    x: np.ndarray, by: Optional = None, *, q: np.ndarray, method: str = "linear"
) -> np.ndarray:
    """Quantiles (row, len(q)) of each row; by group (row, n, len(q)), each cell its group's."""
    shape = (len(x), len(q)) if by is None else (*x.shape, len(q))
    out = np.full(shape, np.nan, dtype=x.dtype)
    if x.size == 0:
        return out
    n_columns = x.shape[1]
    for rows in row_blocks(len(x), max(n_columns, (1 if by is None else n_columns) * len(q))):
        groups = groups_of(None if by is None else by[rows], x[rows].shape)
        found = group_quantiles(x[rows], groups, q, method)
        if by is None:
            out[rows] = found[:, 0]
        else:
            for k in range(len(q)):
                out[rows, :, k] = spread(found[:, :, k], groups)
    return out


def between_rows(x: np.ndarray, by: Optional = None, *, low: float, high: float) -> np.ndarray:
    """True where a value lies between two quantiles of its group, both included."""

    def block(rows: np.ndarray, by: Optional) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        bounds = group_quantiles(rows, groups, np.array([low, high]))
        least, most = (spread(bounds[:, :, k], groups) for k in range(2))
        return (rows >= least) & (rows <= most) & np.isfinite(rows)

    return by_rows(block, x, by, dtype=np.bool_)


def fill_rows(
    x: np.ndarray, by: Optional = None, where: Optional = None, *, method: str, min_obs: int
) -> np.ndarray:
    """Replace what is missing by the median or mean of its group, within `where`."""

    def block(rows: np.ndarray, by: Optional, where: Optional) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        known = np.isfinite(rows) if where is None else np.isfinite(rows) & where
        values = np.where(known, rows, np.nan)
        m = moments(values, groups)
        centre = (m.pivot + m.shift)[:, :-1]
        if method == "median":
            centre = group_quantiles(values, groups, np.array([0.5]))[:, :, 0]
        fill = spread(np.where(m.n[:, :-1] >= min_obs, centre, np.nan), groups)
        filled = np.where(known, values, fill)
        return filled if where is None else np.where(where, filled, np.nan)

    return by_rows(block, x, by, where)


# --- limits and scale ---------------------------------------------------------------------------

Limits = tuple[float, float]


def limit_rows(
    x: np.ndarray, by: Optional = None, *, method: str, limits: Limits, trim: bool
) -> np.ndarray:
    """Pull values beyond the limits of their group in to these, or make them missing."""

    def block(rows: np.ndarray, by: Optional) -> np.ndarray:
        return _limited(rows, groups_of(by, rows.shape), method, limits, trim)

    return by_rows(block, x, by)


def zscore_rows(
    x: np.ndarray,
    by: Optional = None,
    weights: Optional = None,
    *,
    ddof: int,
    robust: bool = False,
    limits: Limits | None = None,
    limit_method: str = "count",
) -> np.ndarray:
    """Distance from the mean in standard deviations; with `limits`, of the winsorized values."""

    def block(rows: np.ndarray, by: Optional, weights: Optional) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        if limits is not None:
            rows = _limited(rows, groups, limit_method, limits, trim=False)
        if robust:
            m = _median_and_mad(rows, groups)
        else:
            m = moments(rows, groups, weights, ddof)
        return scaled(rows, groups, m, np.where((m.std > 0) & (m.std < np.inf), m.std, np.nan))

    return by_rows(block, x, by, weights)


def demean_rows(x: np.ndarray, by: Optional = None, weights: Optional = None) -> np.ndarray:
    """Distance from the mean of the group."""

    def block(rows: np.ndarray, by: Optional, weights: Optional) -> np.ndarray:
        groups = groups_of(by, rows.shape)
        m = moments(rows, groups, weights)
        return scaled(rows, groups, m, np.ones_like(m.std))

    return by_rows(block, x, by, weights)


def _limited(
    rows: np.ndarray, groups: Groups, method: str, limits: Limits, trim: bool
) -> np.ndarray:
    rows, _ = finite(rows)
    low, high = LIMITS[method](rows, groups, *limits)
    low, high = spread(low, groups), spread(high, groups)
    if trim:
        return np.where((rows >= low) & (rows <= high), rows, np.nan)
    return np.clip(rows, low, high).astype(rows.dtype, copy=False)


def _count_limits(
    rows: np.ndarray, groups: Groups, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """The order statistics next to the int(low * n) smallest and int(high * n) largest."""
    if groups.one:
        size = counts(rows)[:, None]
    else:
        ordered, first, size = sorted_rows(rows, groups)
    # A small nudge is not added to limit * n: int() of the plain product is what scipy does.
    bottom = (low * size).astype(np.int64)
    top = np.maximum(size - 1 - (high * size).astype(np.int64), 0)
    places = np.stack([bottom, top], axis=2)
    if groups.one:
        picked = order_statistics(rows, places[:, 0])[:, None]
    else:
        picked = pick(ordered, first, places)
    return picked[:, :, 0], picked[:, :, 1]


def _quantile_limits(
    rows: np.ndarray, groups: Groups, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    bounds = group_quantiles(rows, groups, np.array([low, 1.0 - high]))
    return bounds[:, :, 0], bounds[:, :, 1]


def _mad_limits(
    rows: np.ndarray, groups: Groups, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    return _around(_median_and_mad(rows, groups), low, high)


def _sigma_limits(
    rows: np.ndarray, groups: Groups, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    return _around(moments(rows, groups, ddof=0), low, high)


LIMITS = {
    "count": _count_limits,
    "quantile": _quantile_limits,
    "mad": _mad_limits,
    "sigma": _sigma_limits,
}


def _around(m: Moments, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """So many standard deviations about the mean; where the deviation is 0 there is no bound."""
    centre, std = (m.pivot + m.shift)[:, :-1], m.std[:, :-1]
    with np.errstate(invalid="ignore", over="ignore"):
        least, most = centre - low * std, centre + high * std
    bounded = (std > 0) & (std < np.inf)
    return np.where(bounded, least, -np.inf), np.where(bounded, most, np.inf)


def _median_and_mad(rows: np.ndarray, groups: Groups) -> Moments:
    """The median for a mean, the scaled median distance from it for a standard deviation."""
    half = np.array([0.5])
    rows, _ = finite(rows)
    median = group_quantiles(rows, groups, half)[:, :, 0]
    with np.errstate(over="ignore"):  # a distance beyond the floats is a large one, not missing
        distance = np.abs(rows - spread(median, groups))
        distance = np.minimum(distance, np.finfo(np.float64).max)
        std = MAD_TO_STD * group_quantiles(distance, groups, half)[:, :, 0]
    none = np.zeros((len(rows), 1))
    pivot, std = (np.hstack([t, none]) for t in (median, std))
    return Moments(np.zeros_like(pivot), pivot, np.zeros_like(pivot), std)
