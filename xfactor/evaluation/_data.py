"""What an evaluation is given: signals within their universe, what came after, groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import correlation as _correlation
from xfactor.regression._groups import GroupSet, group_sets

HORIZON, GROUP, BUCKET, REASON = "horizon", "group", "bucket", "reason"

Array = xr.DataArray | None
Forward = xr.DataArray | Mapping[int, xr.DataArray]


@dataclass(frozen=True)
class Signals:
    """Signals as floats, missing where they do not count, and where the others went."""

    x: xr.DataArray
    groups: GroupSet | None
    reasons: list[str]  # why cells are missing in x
    counts: list[xr.DataArray]  # cells before the first reason, and after each
    dim: str
    asset_dim: str
    what: str

    @property
    def codes(self) -> list[_apply.Arg]:
        """The group codes as an input of a kernel, if there are any."""
        if self.groups is None:
            return []
        codes = _cut_like(self.x, panel.bare(self.x, self.groups.codes), self.dim)
        return [_apply.Arg(codes, (self.asset_dim,))]

    @property
    def values(self) -> tuple[int, ...]:
        """The group codes there are."""
        return () if self.groups is None else self.groups.values

    @property
    def group_labels(self) -> list[str]:
        """A label for each group; one for all assets without groups."""
        return ["all"] if self.groups is None else self.groups.labels

    @property
    def label_order(self) -> np.ndarray | None:
        """The columns in label order, in which ties are broken."""
        index = self.x.indexes.get(self.asset_dim)
        return None if index is None else panel.label_order(index)

    def ungrouped(self, x: xr.DataArray) -> xr.DataArray:
        """Drop the dim of groups if there are none."""
        return x.isel({GROUP: 0}, drop=True) if self.groups is None else x


def signals(
    x: xr.DataArray | xr.Dataset,
    *,
    where: Array,
    by: Array,
    listed: Array = None,
    stale: Array = None,
    dim: str,
    asset_dim: str,
    what: str,
    taken: Sequence[str] = (),
) -> Signals:
    """Check the signals and what goes beside them; count what is left out, step by step.

    `taken` are the dims of the result that the signals must not have.
    """
    x = panel.stacked(x, what)
    for each in (dim, asset_dim):
        panel.check_dim(x, each, what)
    panel.check_order(x, dim, what)
    for name in (*taken, GROUP, REASON):
        if name in x.dims:
            raise panel.error(
                f"{what} found a dimension {name!r} in {x.name or 'x'}",
                "that name for its result",
                f"Rename it, e.g. x.rename({name}='{name}_')",
            )
    x = panel.as_float(x).drop_attrs().rename(None)
    groups = None
    if by is not None:
        if isinstance(by, xr.DataArray) and by.name is None:
            by = by.rename("by")  # what errors call it
        (groups,) = group_sets(by, x, asset_dim, what)
    steps = {"not_listed": listed, "masked": where}
    masks: list[xr.DataArray] = []
    reasons: list[str] = []
    whole = Signals(x, groups, reasons, [], dim, asset_dim, what)
    counts = [_count(whole, masks)]
    for reason, mask in steps.items():
        if mask is not None:
            panel.check_mask(x, mask, "where" if reason == "masked" else "listed")
            masks.append(_cut_like(x, panel.bare(x, mask), dim))
            reasons.append(reason)
            counts.append(_count(whole, masks))
    for mask in masks:
        x = x.where(mask)
    reasons.append("missing")
    if stale is not None:
        panel.check_mask(x, stale, "stale")
        counts.append(_count(whole, [_finite(x)]))
        x = x.where(~panel.bare(x, stale))
        reasons.append("stale")
    x = x.transpose(*whole.x.dims)
    return Signals(x, groups, reasons, counts, dim, asset_dim, what)


def _cut_like(x: xr.DataArray, beside: xr.DataArray, dim: str) -> xr.DataArray:
    """A mask or codes of each date, in the chunks of `x`, also if they are in memory.

    They are counted without `x`, and what is lazy but static would take them in one block.
    """
    if x.chunks is None or beside.chunks is not None or dim not in beside.dims:
        return beside
    return beside.chunk({d: x.chunksizes[d] for d in beside.dims})


def _finite(x: xr.DataArray) -> xr.DataArray:
    return abs(x) < np.inf


def known(s: Signals) -> xr.DataArray:
    """How many assets have a signal that counts."""
    return _count(s, [_finite(s.x)])


def _count(s: Signals, masks: Sequence[xr.DataArray]) -> xr.DataArray:
    """Cells of each date and group that are in all masks."""
    n = s.x.sizes[s.asset_dim]
    if not masks and s.groups is None:
        return xr.DataArray(np.int32(n))
    args = [_apply.Arg(m, (s.asset_dim,) if s.asset_dim in m.dims else ()) for m in masks]
    out = _apply.Out((GROUP,), np.int32, {GROUP: s.group_labels})
    kernel = partial(_correlation.count_rows, values=s.values, grouped=s.groups is not None, n=n)
    (counted,) = _apply.along(kernel, [*args, *s.codes], [out], what=s.what)
    return s.ungrouped(counted)


def dropped(reasons: Sequence[str], counts: Sequence[xr.DataArray], what: str) -> xr.DataArray:
    """How many assets each reason took, from how many there were before and after it."""
    args = [_apply.Arg(c) for c in counts]
    out = _apply.Out((REASON,), np.int32, {REASON: list(reasons)})
    (lost,) = _apply.along(_correlation.dropped_rows, args, [out], what=what)
    return lost.assign_attrs(long_name="assets left out", units="1")


# --- what came after ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ahead:
    """Returns after each date by horizon, and whether the caller gave several."""

    returns: list[xr.DataArray]
    horizons: list[int]
    several: bool

    def named(self, x: xr.DataArray) -> xr.DataArray:
        """Drop the dim of horizons where the caller did not ask for any."""
        return x if self.several else x.isel({HORIZON: 0}, drop=True)


def ahead(forward: Forward, s: Signals) -> Ahead:
    """The forward returns one by one, with the labels of the signals only."""
    several = isinstance(forward, Mapping) or HORIZON in getattr(forward, "dims", ())
    if isinstance(forward, Mapping):
        found = dict(forward)
    elif several:
        labels = forward[HORIZON].values.tolist()
        found = {h: forward.isel({HORIZON: i}, drop=True) for i, h in enumerate(labels)}
    else:
        own = getattr(forward, "coords", {}).get(HORIZON)
        found = {1 if own is None or own.ndim else own.item(): forward}
    if not found:
        raise panel.error(f"{s.what} found no forward returns", "at least one horizon", "Add one")
    horizons = [panel.positive("horizon", h) for h in found]
    returns = []
    for r in found.values():
        panel.one_array(r, s.what, "forward")
        for each in (s.dim, s.asset_dim):
            panel.check_dim(r, each, s.what)
        panel.check_numbers(s.x, r, "forward")
        returns.append(panel.as_float(panel.bare(s.x, r)).drop_attrs().rename(None))
    return Ahead(returns, horizons, several)
