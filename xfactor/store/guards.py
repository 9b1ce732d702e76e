"""What may be written to a store: everything is checked before a byte is."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel as _panel
from xfactor.store import layout, values

DATE, ASSET = _panel.DATE, _panel.ASSET
# Attributes with a meaning of their own to xarray: values would come back changed.
RESERVED = ("_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates", "calendar")


@dataclass(frozen=True)
class Append:
    """How a panel goes onto a stored one.

    Parameters
    ----------
    assets
        Labels afterwards: those of the store in their order, then new ones.
    columns
        Position of each asset of the panel among them.
    new
        Assets that the store does not have.
    """

    assets: pd.Index
    columns: np.ndarray
    new: int

    @property
    def same(self) -> bool:
        """Whether the panel has all assets in the order of the store."""
        return np.array_equal(self.columns, np.arange(len(self.assets)))


def chunks_of(panel: xr.Dataset, chunk_dates: int | None = None) -> int:
    """Return the dates of a stored chunk; raise unless every field can be written in them.

    Parameters
    ----------
    panel
        Fields, lazy or not.
    chunk_dates
        Dates of the chunks of a store that is there.

    Returns
    -------
    int
        Dates in a chunk.
    """
    cut = {}
    for name, v in panel.data_vars.items():
        check_whole_assets(v, str(name))
        if DATE in v.chunksizes:
            cut[name] = v.chunksizes[DATE]
    usual = layout.chunk_dates(panel.sizes.get(ASSET, 1))
    if chunk_dates is None and all(len(c) == 1 and c[0] <= usual for c in cut.values()):
        return usual
    for name, found in cut.items():
        own = layout.store_chunk_dates(found)
        chunk_dates = own if chunk_dates is None else chunk_dates
        if own is None or chunk_dates is None or any(c % chunk_dates for c in found[:-1]):
            raise _panel.error(
                f"the chunks of {name} along 'date' are uneven, or not those of the other "
                f"fields: {', '.join(map(str, found[:4]))} ...",
                "equal chunks, the last may be shorter",
                f"Use panel.chunk(date={chunk_dates or layout.CHUNK_DATES})",
            )
    return chunk_dates or usual


def check_whole_assets(v: xr.DataArray, name: str) -> None:
    """Raise if an array is cut along any dim but date."""
    for dim, chunks in v.chunksizes.items():
        if dim != DATE and len(chunks) > 1:
            raise _panel.error(
                f"{name} is cut into {len(chunks)} chunks along {dim!r}",
                f"one chunk along {dim!r}",
                f"Use panel.chunk({dim}=-1)",
            )


def check_names(panel: xr.Dataset) -> None:
    """Raise if a name cannot be that of an array."""
    for name in panel.variables:
        text = str(name)
        bad = not text or "/" in text or text.startswith((".", "__")) or text == "zarr.json"
        if not isinstance(name, str) or bad or text == "xfactor":
            raise _panel.error(f"a field is named {name!r}", "a plain name", "Rename it")
        if name in panel.coords and " " in text:
            raise _panel.error(
                f"a coordinate is named {name!r}", "a name without blanks", "Rename it"
            )
    for name, v in panel.variables.items():
        if v.dtype.kind not in "biufmMOUT" or v.dtype == np.float16:
            raise _panel.error(
                f"{name} has the dtype {v.dtype}", "numbers, masks, dates or text", "Convert it"
            )
        _check_attrs(str(name), v.attrs, v.dtype.kind)
    _check_attrs("the panel", panel.attrs, "")


def _check_attrs(name: str, attrs: Mapping[Hashable, Any], kind: str) -> None:
    """Raise if an attribute is not JSON, or would change how values are read."""
    for key, value in attrs.items():
        try:
            json.dumps(values.plain(value), allow_nan=False)
        except (TypeError, ValueError):
            raise _panel.error(
                f"the attribute {key!r} of {name} is {value!r}",
                "text, finite numbers, or lists of them",
                "Change or leave out that attribute",
            ) from None
    taken = [k for k in RESERVED if k in attrs]
    if kind and (" since " in str(attrs.get("units", "")) or (kind in "mM" and "units" in attrs)):
        taken.append("units")
    if taken:
        raise _panel.error(
            f"{name} has the attribute {taken[0]!r} = {attrs[taken[0]]!r}, by which readers of "
            "Zarr would change its values",
            "values as they are",
            "Decode it (xarray.decode_cf) or rename that attribute",
        )


def check_append(stored: xr.Dataset, panel: xr.Dataset, where: str) -> Append:
    """Check that a panel can go onto a stored one; see `append_panel` for what is refused.

    Parameters
    ----------
    stored
        The store, opened.
    panel
        What is to be appended.
    where
        The store, for messages.

    Returns
    -------
    Append
        How the assets fit.
    """
    _panel.check_panel(panel)
    check_names(panel)
    _check_dates(stored.indexes[DATE], panel.indexes[DATE], where)
    append = _fit_assets(stored.indexes[ASSET], panel.indexes[ASSET], where)
    _check_fields(stored, panel, where)
    gaps = append.new or len(append.columns) < len(append.assets)
    for name in map(str, panel.data_vars):
        v = panel[name]
        check_whole_assets(v, name)
        _check_like(stored[name], v, name, where)
        if v.chunks is None and (v.attrs.get("finite") or stored[name].attrs.get("finite")):
            values.check_finite(name, v.values)  # lazy ones are looked at as they are written
        if gaps and ASSET in v.dims and not values.has_missing(v.dtype):
            raise _panel.error(
                f"{name} is {v.dtype}, which has no missing value, and the assets of the panel are "
                f"not those of {where}",
                "a float field, or all assets of the store and no other",
                f"Rewrite the store with {name} as float64",
            )
    _check_coords(stored, panel, append, where)
    return append


def _check_dates(there: pd.Index, given: pd.Index, where: str) -> None:
    if not len(given):
        raise _panel.error("the panel has no dates", "at least one to append", "Skip this append")
    if len(there) and given[0] <= there[-1]:
        known = given.isin(there)
        what = "is there already" if known[0] else "is not later"
        raise _panel.error(
            f"{given[0]:%Y-%m-%d} {what}: {where} ends on {there[-1]:%Y-%m-%d}",
            "dates after that",
            "Use panel.sel(date=slice(...)) for new dates, update_panel to restate old ones",
        )


def _fit_assets(there: pd.Index, given: pd.Index, where: str) -> Append:
    if len(there) and len(given) and is_text(there) != is_text(given):
        raise _panel.error(
            f"the asset labels of the panel are {given.dtype}, those of {where} {there.dtype}",
            "labels of one kind",
            "Convert them",
        )
    new = given[~given.isin(there)]
    assets = there.append(new) if len(new) else there
    return Append(assets, assets.get_indexer(given), len(new))


def is_text(labels: pd.Index) -> bool:
    """Say whether labels are text."""
    return labels.dtype.kind not in "iuf"


def _check_fields(stored: xr.Dataset, panel: xr.Dataset, where: str) -> None:
    needed = {str(n) for n, v in stored.data_vars.items() if DATE in v.dims}
    given = set(map(str, panel.data_vars))
    unknown = sorted(given - set(map(str, stored.data_vars)))
    if unknown:
        raise _panel.error(
            f"{where} has no {', '.join(unknown)}",
            "the fields it has",
            "Leave them out, or add them to the store first: add_fields",
        )
    lacking = sorted(needed - given)
    if lacking:
        raise _panel.error(
            f"the panel lacks {', '.join(lacking)}",
            f"all fields of {where}",
            "Add them; a field that is not known is missing (NaN) throughout",
        )


def _check_like(there: xr.DataArray, v: xr.DataArray, name: str, where: str) -> None:
    """Raise unless a field has the dims, labels and dtype of the stored one."""
    if set(there.dims) != set(v.dims):
        raise _panel.error(
            f"{name} has the dims {', '.join(map(str, v.dims)) or 'none'}",
            f"those of {where}: {', '.join(map(str, there.dims))}",
            "Bring it into that shape",
        )
    if not values.same_kind(there.dtype, v.dtype):
        raise _panel.error(
            f"{name} is {v.dtype} and in {where} {there.dtype}",
            "the same dtype",
            f"Use panel[{name!r}].astype({str(there.dtype)!r})",
        )
    for dim in (d for d in v.dims if d not in (DATE, ASSET)):
        same = v.sizes[dim] == there.sizes[dim]
        if same and dim in there.indexes:
            same = dim in v.indexes and v.indexes[dim].equals(there.indexes[dim])
        if not same:
            raise _panel.error(
                f"{name} has other {dim!r} labels than {where}",
                "the same labels in the same order",
                f"Use panel.reindex({dim}=open_panel(path).{dim})",
            )


def _check_coords(stored: xr.Dataset, panel: xr.Dataset, append: Append, where: str) -> None:
    for name in (str(n) for n in panel.coords if n not in panel.dims):
        if name not in stored.coords:
            raise _panel.error(
                f"{where} has no coordinate {name}",
                "those it has",
                f"Use panel.drop_vars({name!r})",
            )
        _check_like(stored[name], panel[name], name, where)
    for name in (str(n) for n in stored.coords if n not in stored.dims):
        needed = DATE in stored[name].dims or (append.new and ASSET in stored[name].dims)
        if needed and name not in panel.coords:
            who = "its dates" if DATE in stored[name].dims else f"the {append.new} new assets"
            raise _panel.error(
                f"the panel has no coordinate {name}",
                f"the {name} of {who}",
                f"Use panel.assign_coords({name}=...)",
            )


def check_labels(stored: xr.Dataset, fields: xr.Dataset, where: str) -> None:
    """Raise unless fields carry the labels of the store, in their order."""
    for dim in (str(d) for d in fields.dims if d in stored.dims):
        same = fields.sizes[dim] == stored.sizes[dim]
        if same and dim in stored.indexes:
            same = dim in fields.indexes and fields.indexes[dim].equals(stored.indexes[dim])
        if not same:
            raise _panel.error(
                f"the new fields have other {dim!r} labels than {where}",
                "the same labels in the same order",
                f"Use fields.reindex({dim}=open_panel(path).{dim})",
            )


def check_update(stored: xr.Dataset, cells: xr.Dataset, where: str) -> None:
    """Raise unless cells are cells of the store; see `update_panel`."""
    if not isinstance(cells, xr.Dataset):
        raise TypeError(f"cells are an xarray.Dataset; found {type(cells).__name__}.")
    unknown = sorted(str(n) for n in cells.data_vars if n not in stored.data_vars)
    if unknown:
        raise _panel.error(
            f"{where} has no {', '.join(unknown)}", "fields it has", "Add new ones with add_fields"
        )
    for dim in (DATE, ASSET):
        if dim in cells.dims:
            _check_known(stored.indexes[dim], cells, dim, where)
    for name in map(str, cells.data_vars):
        check_whole_assets(cells[name], name)
        _check_like(stored[name], cells[name], name, where)


def check_cells(stored: xr.Dataset, cells: xr.Dataset | None, where: str) -> None:
    """Raise unless cells are some dates of the store with all its assets; see `append_panel`."""
    if cells is None:
        return
    check_update(stored, cells, where)
    if not cells.indexes.get(ASSET, pd.Index([])).equals(stored.indexes[ASSET]):
        raise _panel.error(
            f"the cells have other assets than {where}",
            "all its assets in their order",
            f"Use cells.reindex({ASSET}=open_panel(path).{ASSET})",
        )


def _check_known(there: pd.Index, cells: xr.Dataset, dim: str, where: str) -> None:
    if dim not in cells.indexes:
        raise _panel.error(f"the cells have no {dim!r} labels", "one each", "Assign a coordinate")
    given = cells.indexes[dim]
    if not given.is_unique:
        raise _panel.error(
            f"the cells have the {dim} {given[given.duplicated()][0]!s} more than once",
            "each once",
            f"Use cells.drop_duplicates({dim!r})",
        )
    if dim == DATE:
        _panel.check_dates(given, "the cells")
    foreign = given[~given.isin(there)]
    if len(foreign):
        raise _panel.error(
            f"{where} has no {dim} {foreign[0]!s} ({len(foreign)} such)",
            f"{dim}s of the store",
            "Append new dates and assets with append_panel",
        )


def store_order(there: pd.Index, given: pd.Index) -> np.ndarray:
    """Return the positions of labels in the store."""
    return np.asarray(there.get_indexer(given), np.int64)
