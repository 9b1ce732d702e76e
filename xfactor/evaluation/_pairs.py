"""Signals beside what came after them, in one pass: rank correlations and means of buckets."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply
from xfactor.evaluation._data import GROUP, HORIZON, Ahead, Signals
from xfactor.kernels import correlation as _correlation
from xfactor.kernels import evaluation as _evaluation

SERIES, COUNT = "quantity_", "count_"  # dims of a kernel's outputs, away from the user's


@dataclass(frozen=True)
class Measured:
    """Series by date, and counts beside them, as `kernels.evaluation.evaluate_rows` orders them."""

    series: xr.DataArray
    counts: xr.DataArray

    def count(self, k: int) -> xr.DataArray:
        """One of the counts."""
        return self.counts.isel({COUNT: k})


def correlated_in_order(
    s: Signals, ahead: Ahead, *, correlated: bool, least: int, buckets: _evaluation.Buckets | None
) -> Measured:
    """Rank correlations if `correlated`, means of `buckets` if there are any; one sort a signal."""
    orders = [_order(s, r) for r in ahead.returns] if correlated else []
    n_buckets = buckets.n if buckets else 0
    kernel = partial(
        _evaluation.evaluate_rows,
        values=s.values,
        grouped=s.groups is not None,
        horizons=len(ahead.horizons),
        correlated=correlated,
        least=least,
        buckets=buckets,
        labels=s.label_order,
    )
    n_series = int(correlated) + (n_buckets + 1 if buckets else 0)
    return _measured(kernel, s, ahead, orders, n_series, _evaluation.COUNTS + n_buckets)


def correlated_by_value(
    s: Signals, ahead: Ahead, *, ranks: bool, least: int, weights: xr.DataArray | None
) -> Measured:
    """Correlations of values, or of ranks with weights."""
    kernel = partial(
        _correlation.correlation_rows,
        values=s.values,
        grouped=s.groups is not None,
        horizons=len(ahead.horizons),
        weighted=weights is not None,
        ranks=ranks,
        least=least,
    )
    beside = [] if weights is None else [weights]
    return _measured(kernel, s, ahead, beside, 1, _evaluation.COUNTS + len(beside))


def _order(s: Signals, r: xr.DataArray) -> xr.DataArray:
    """The columns of each date in the order of its returns, found once for all signals.

    By tasks that dask does not fuse with those of the signals: each would sort the returns anew.
    """
    codes = []
    for arg in s.codes:
        c = arg.data
        if s.dim not in c.dims:
            c = c.expand_dims({s.dim: r.sizes[s.dim]})
            if c.chunks is not None:
                other = s.x if r.chunks is None else r
                c = c.chunk({s.dim: other.chunksizes.get(s.dim, -1)})
        codes.append(_apply.Arg(c, arg.core))
    args = [_apply.Arg(r, (s.asset_dim,)), *codes]
    out = _apply.Out((s.asset_dim,), np.int32)
    kernel = partial(_evaluation.order_dates, values=s.values)
    return _apply.window(kernel, args, [out], dim=s.dim, what=s.what)[0]


def _measured(
    kernel: _apply.Kernel,
    s: Signals,
    ahead: Ahead,
    beside: Sequence[xr.DataArray],
    n_series: int,
    n_counts: int,
) -> Measured:
    further = [d for d in s.x.dims if d not in (s.dim, s.asset_dim)]
    if s.x.chunks is None and further and s.x.size:
        parts = [
            _measured(kernel, *one, n_series, n_counts)
            for one in _each(s, ahead, beside, further[0])
        ]
        series, counts = (
            xr.concat([getattr(p, name) for p in parts], further[0])
            for name in ("series", "counts")
        )
        return Measured(series, counts)
    args = [_apply.Arg(a, (s.asset_dim,)) for a in (s.x, *ahead.returns, *beside)]
    labels = {HORIZON: ahead.horizons, GROUP: s.group_labels}
    outs = [
        _apply.Out((HORIZON, GROUP, SERIES), np.float64, {**labels, SERIES: range(n_series)}),
        _apply.Out((HORIZON, GROUP, COUNT), np.int32, {**labels, COUNT: range(n_counts)}),
    ]
    found = _apply.along(kernel, [*args, *s.codes], outs, what=s.what)
    series, counts = (s.ungrouped(ahead.named(a)) for a in found)
    dtype = np.result_type(s.x.dtype, *[r.dtype for r in ahead.returns])
    series, counts = series.drop_vars(SERIES), counts.drop_vars(COUNT)
    return Measured(series.astype(dtype, copy=False), counts)


def _each(
    s: Signals, ahead: Ahead, beside: Sequence[xr.DataArray], dim: Hashable
) -> Iterator[tuple[Signals, Ahead, list[xr.DataArray]]]:
    """One signal at a time: else the returns would be copied for each."""
    for i in range(s.x.sizes[dim]):

        def one(a: xr.DataArray, i: int = i) -> xr.DataArray:
            return a.isel({dim: i}) if dim in a.dims else a

        groups = None if s.groups is None else replace(s.groups, codes=one(s.groups.codes))
        returns = [one(r) for r in ahead.returns]
        yield (
            replace(s, x=one(s.x), groups=groups),
            replace(ahead, returns=returns),
            [one(b) for b in beside],
        )
