"""What a figure can show of data that may be larger than memory: few points, few counts.

The work is done where the data are, block by block; only what is drawn comes back. The results
are the same whatever the chunks.
"""

import math
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor._apply import Arg, Out

# More points of a line than a figure has columns of pixels.
POINTS = 4000
PER_BUCKET = 4  # the first, the lowest, the highest and the last


def thinned(x: xr.DataArray, *, points: int = POINTS) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the dates and values of each line of `x`, no more of them than a figure can show.

    Parameters
    ----------
    x
        Series (date,) or (date, factor), lazy or not.
    points
        Points of a line, at the most about; shorter lines are returned as they are.

    Returns
    -------
    list of tuple of numpy.ndarray
        Labels of the dates and values, a pair for each line. Of a longer line the dates are cut
        into buckets, and of each the first, the lowest, the highest and the last known value are
        kept at their own dates, so that the picture is the same: nothing is averaged. A bucket
        without a value is a gap.

    References
    ----------
    Jugel, U., Jerzak, Z., Hackenbroich, G. and Markl, V. (2014). M4: a visualization-oriented time
    series data aggregation. Proceedings of the VLDB Endowment 7, 797-808.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xfactor.plot.reduced import thinned
    >>> dates = pd.date_range("2000-01-01", periods=10_000)
    >>> x = xr.DataArray(np.arange(10_000.0), dims="date", coords={"date": dates})
    >>> [(days, values)] = thinned(x, points=400)
    >>> values.size <= 400, float(values[-1])
    (True, 9999.0)
    """
    panel.check_dim(x, panel.DATE, "thinned")
    labels = x[panel.DATE].values
    others = [d for d in x.dims if d != panel.DATE]
    rows = x.sizes[panel.DATE]
    if rows <= points:
        (whole,) = _apply.compute(x)
        values = whole.transpose(panel.DATE, *others).values
        values = values.reshape(rows, math.prod(x.sizes[d] for d in others))
        return [(labels, column) for column in values.T]
    width = -(-rows * PER_BUCKET // points)

    def kernel(a: np.ndarray, offset: int, start: int, stop: int) -> tuple[np.ndarray, ...]:
        at = offset + np.arange(start, stop)
        return _corners(at, a[start:stop].reshape(stop - start, -1).astype(np.float64), width)

    every = {"point": range(PER_BUCKET * -(-rows // width))}
    places, values = _apply.reduce(
        kernel, lambda a, b: _joined(a, b, width), lambda total: total, [Arg(x)],
        [Out(("point",), dtype, every) for dtype in (np.int64, np.float64)], what="thinned",
    )  # fmt: skip
    found = [o.transpose("point", ...) for o in _apply.compute(places, values)]
    at, kept = (o.values.reshape(o.sizes["point"], -1) for o in found)
    return [_distinct(labels, at[:, k], kept[:, k]) for k in range(at.shape[1])]


def _corners(at: np.ndarray, values: np.ndarray, width: int) -> tuple[np.ndarray, ...]:
    """Places and values (4 x buckets, n) of the rows `at`, consecutive places in the history."""
    cuts = np.flatnonzero(np.diff(at // width)) + 1
    parts = [
        _pick(np.broadcast_to(p[:, None], v.shape), v)
        for p, v in zip(np.split(at, cuts), np.split(values, cuts), strict=True)
        if len(p)
    ]
    if not parts:
        empty = np.empty((0, values.shape[1]))
        return empty.astype(np.int64), empty
    return tuple(np.concatenate(p) for p in zip(*parts, strict=True))


def _pick(at: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First, lowest, highest and last known row of one bucket, in the order of their places."""
    known = np.isfinite(values)
    rows = np.stack([
        known.argmax(axis=0),
        np.where(known, values, np.inf).argmin(axis=0),
        np.where(known, values, -np.inf).argmax(axis=0),
        np.where(known.any(axis=0), len(values) - 1 - known[::-1].argmax(axis=0), 0),
    ])  # fmt: skip
    rows.sort(axis=0)
    kept = np.take_along_axis(np.where(known, values, np.nan), rows, axis=0)
    return np.take_along_axis(at, rows, axis=0), kept


def _joined(earlier: Any, later: Any, width: int) -> tuple[np.ndarray, ...]:
    """Both one after the other; a bucket that is cut in two is picked from again."""
    pairs = list(zip(earlier, later, strict=True))
    (end, begin), _ = pairs
    if not len(end) or not len(begin) or end[-1, 0] // width != begin[0, 0] // width:
        return tuple(np.concatenate(p) for p in pairs)
    shared = _pick(*[np.concatenate([a[-PER_BUCKET:], b[:PER_BUCKET]]) for a, b in pairs])
    return tuple(
        np.concatenate([a[:-PER_BUCKET], s, b[PER_BUCKET:]])
        for (a, b), s in zip(pairs, shared, strict=True)
    )


def _distinct(
    labels: np.ndarray, at: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One point for each place: the lowest of a bucket may be its first, too."""
    own = np.concatenate([[True], np.diff(at) != 0])
    return labels[at[own]], values[own]


def counted(
    x: xr.DataArray, bins: int = 40, limits: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Count the values of an array of any size, block by block.

    Parameters
    ----------
    x
        Numbers of any dims; lazy ones in one chunk along all dims but the dates.
    bins
        Number of bars, of equal width.
    limits
        Ends of the first and the last bar; values beyond them are counted in these two. Without
        limits they are the smallest and the largest value, and a lazy `x` is read twice.

    Returns
    -------
    counts, edges : numpy.ndarray
        Values in each bar (bins,), and where the bars begin and end (bins + 1,). Missing values
        and infinities are not counted. Without any value the edges are 0 and 1.

    Examples
    --------
    >>> import xarray as xr
    >>> from xfactor.plot.reduced import counted
    >>> x = xr.DataArray([0.0, 0.5, 1.0, 4.0, float("nan")], dims="asset")
    >>> counts, edges = counted(x, 2)
    >>> counts.tolist(), edges.tolist()
    ([3, 1], [0.0, 2.0, 4.0])
    """
    bins = panel.positive("bins", bins)
    if limits is None:
        low, high = (float(v) for v in _apply.compute(*_ends(x)))
        limits = (low, high) if low <= high else (0.0, 1.0)
    counts, edges = lazy_counts(x, bins, limits)
    return _apply.compute(counts)[0].values, edges


def lazy_counts(
    x: xr.DataArray, bins: int, limits: tuple[float, float]
) -> tuple[xr.DataArray, np.ndarray]:
    """Return the counts of `counted` before they are computed, and the edges.

    Parameters
    ----------
    x, bins, limits
        As in `counted`.

    Returns
    -------
    counts : DataArray
        Values in each bar (bar,), lazy if `x` is.
    edges : numpy.ndarray
        Where the bars begin and end (bins + 1,).
    """
    low, high = limits
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise panel.error(f"limits={limits}", "two finite numbers, the smaller first", "Swap them")
    edges = np.histogram_bin_edges([], bins, (low, high))

    def kernel(a: np.ndarray, **_: int) -> tuple[np.ndarray]:
        known = a[np.isfinite(a)].astype(np.float64)
        return (np.histogram(known.clip(edges[0], edges[-1]), edges)[0][:, None],)

    (counts,) = _summed(x, kernel, np.add, [Out(("bar",), np.int64, {"bar": range(bins)})])
    return counts, edges


def _ends(x: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Smallest and largest finite value."""

    def kernel(a: np.ndarray, **_: int) -> tuple[np.ndarray]:
        known = a[np.isfinite(a)]
        return (np.array([[-known.min(initial=np.inf)], [known.max(initial=-np.inf)]], float),)

    (ends,) = _summed(x, kernel, np.maximum, [Out(("end",), np.float64, {"end": range(2)})])
    return -ends.isel(end=0), ends.isel(end=1)


def _summed(x: xr.DataArray, kernel: Any, add: np.ufunc, outs: list[Out]) -> Any:
    if not x.dims:
        x = x.expand_dims("value")
    first = panel.DATE if panel.DATE in x.dims else str(x.dims[0])
    core = tuple(str(d) for d in x.dims if d != first)
    return _apply.reduce(
        kernel, lambda a, b: (add(a[0], b[0]),), lambda total: total, [Arg(x, core)], outs,
        dim=first, what="counted",
    )  # fmt: skip
