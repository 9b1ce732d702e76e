"""Panels in plain Zarr: write whole, add fields, open lazily.

A store is a Zarr v3 group with consolidated metadata, one array per field, chunked by date with
all assets in a chunk. It is published in one step: a new store is written beside its place and
renamed into it; new fields are written first, and become visible when the group's one metadata
file is replaced. A reader sees the old state or the new one, and a kill leaves the old one; but
for the moment in which a whole store is overwritten: between its two renames a kill leaves the old
store beside its place, and `open_panel` says where.
"""

import contextlib
import os
import shutil
import sys
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from dask.base import tokenize
from dask.core import flatten
from dask.diagnostics import ProgressBar
from dask.highlevelgraph import HighLevelGraph
from zarr.codecs import ZstdCodec

from xfactor import panel as _panel
from xfactor.store import layout

FORMAT = "xfactor-panel"
FORMAT_VERSION = 1


def write_panel(
    panel: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False,
    progress: bool = False,
) -> Path:  # fmt: skip
    """Write a panel to a new Zarr store, chunk by chunk.

    Parameters
    ----------
    panel
        The panel; lazy fields are computed chunk by chunk and never held whole. Their chunks
        along date must be equal (the last may be shorter) and become the store's; data in memory
        gets chunks of 256 dates.
    path
        Folder of the store.
    overwrite
        Replace a store that is there; it stays readable until the new one is complete.
    progress
        Show a bar on standard error if it takes more than a second.

    Returns
    -------
    pathlib.Path
        The store's path.

    Raises
    ------
    PanelError
        If the panel is not one, its chunks cannot be written, or the path is taken.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     xf.open_panel(path).sizes["date"]
    20
    """
    _panel.check_panel(panel)
    path = Path(path)
    if path.exists() and not overwrite:
        raise _panel.error(
            f"{path} is there already", "a path that is free", "Choose another, or overwrite it"
        )
    if path.exists() and not (is_store(path) and _format(path) == FORMAT):
        raise _panel.error(
            f"{path} is no panel store", "a panel store to overwrite", "Choose another path"
        )
    ready, encoding = _prepare(panel)
    ready.attrs |= {"format": FORMAT, "format_version": FORMAT_VERSION}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path, "partial")
    try:
        _write(ready, partial, encoding, progress)
        _consolidate(partial)
        _publish(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def add_fields(fields: xr.Dataset, path: str | os.PathLike[str], *, progress: bool = False) -> Path:
    """Add fields to a store: the same dates and assets, new variables.

    Parameters
    ----------
    fields
        Dataset with the store's `date` and `asset` labels; numpy-backed, or lazy with the
        store's chunks.
    path
        Folder of the store.
    progress
        Show a bar on standard error if it takes more than a second.

    Returns
    -------
    pathlib.Path
        The store's path.

    Raises
    ------
    PanelError
        If a label differs from the store's or a field is there already.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel[["close"]], folder + "/panel.zarr")
    ...     path = xf.add_fields(panel[["volume"]], path)
    ...     sorted(xf.open_panel(path).data_vars)
    ['close', 'volume']
    """
    path = Path(path)
    stored = open_panel(path)
    there = sorted(str(v) for v in fields.data_vars if v in stored)
    if there:
        raise _panel.error(
            f"{path} already has {', '.join(there)}", "new fields", "Rename them or leave them out"
        )
    for dim in (str(d) for d in fields.dims if d in stored.dims):
        same = fields.sizes[dim] == stored.sizes[dim]
        if same and dim in stored.indexes:
            same = dim in fields.indexes and fields.indexes[dim].equals(stored.indexes[dim])
        if not same:
            raise _panel.error(
                f"the new fields have other {dim!r} labels than {path}",
                "the same labels in the same order",
                f"Use fields.reindex({dim}=open_panel(path).{dim})",
            )
    chunk_dates = stored.chunksizes.get(_panel.DATE, (layout.CHUNK_DATES,))[0]
    ready, encoding = _prepare(
        fields.drop_vars([c for c in fields.coords if c in stored]), chunk_dates
    )
    partial = _beside(path, "partial")
    try:
        _write(ready, partial, encoding, progress)
        for name in map(str, ready.variables):
            # What lies there unpublished was left by a process that died.
            shutil.rmtree(path / name, ignore_errors=True)
            os.rename(partial / name, path / name)
        _consolidate(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def open_panel(
    path: str | os.PathLike[str],
    fields: Sequence[str] | None = None,
    *,
    start: Any = None,
    end: Any = None,
) -> xr.Dataset:
    """Open a panel lazily: labels are read, fields are not.

    Parameters
    ----------
    path
        Folder of the store.
    fields
        Fields wanted; all of them if not given.
    start, end
        First and last date wanted, both included, e.g. ``"2014-01-01"``.

    Returns
    -------
    xarray.Dataset
        Panel of dask arrays, one chunk for each stored chunk.

    Raises
    ------
    PanelError
        If there is no store, it is no panel, a field is unknown, or no date is left.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     opened = xf.open_panel(path, ["returns"], start="2000-01-10")
    >>> dict(opened.sizes)
    {'date': 15, 'asset': 5}
    """
    path = Path(path)
    if not path.exists():
        aside = [str(p) for p in path.parent.glob(f".{path.name}.*.old") if is_store(p)]
        raise _panel.error(
            f"nothing is at {path}",
            "a panel store",
            f"An overwrite was interrupted: rename {aside[0]} to {path}"
            if aside
            else "Check the path, or make one: xfactor ingest",
        )
    if not is_store(path):
        raise _panel.error(
            f"{path} is not a Zarr group", "a panel store", "Make one: xfactor ingest prices"
        )
    opened = xr.open_zarr(path, chunks={}, consolidated=True)
    _panel.check_panel(opened)
    opened[_panel.DATE] = opened[_panel.DATE].astype("datetime64[ns]")
    opened = opened.assign_coords({n: c.load() for n, c in opened.coords.items()})
    if isinstance(fields, str):
        fields = [fields]
    if fields is not None:
        opened = opened[[_panel.field(opened, name).name for name in fields]]
    if start is not None or end is not None:
        whole = opened.indexes[_panel.DATE]
        opened = opened.sel(date=slice(_day("start", start), _day("end", end)))
        if opened.sizes[_panel.DATE] == 0:
            raise _panel.error(
                f"{path} has no date in {start or 'the beginning'} to {end or 'the end'}",
                f"dates within {whole[0]:%Y-%m-%d} to {whole[-1]:%Y-%m-%d}",
                "Change start or end",
            )
    return opened


def _day(name: str, value: Any) -> Any:
    """Return `value` if pandas can read it as a date; a string keeps its precision (2014-05)."""
    try:
        pd.Timestamp(value)
    except (ValueError, TypeError):
        raise _panel.error(f"{name}={value!r} was given", "a date", "Use e.g. 2014-01-31") from None
    return value


def is_store(path: Path) -> bool:
    """Say whether a folder is a Zarr group with consolidated metadata.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    bool
        True if xarray can open it.
    """
    try:
        group = zarr.open_group(path, mode="r")
        return group.metadata.consolidated_metadata is not None
    except (FileNotFoundError, ValueError, OSError):
        return False


def _format(path: Path) -> object:
    return zarr.open_group(path, mode="r").attrs.get("format")


def _check_chunks(panel: xr.Dataset, chunk_dates: int | None) -> int:
    """Return the dates of a stored chunk; raise unless every field can be written in them."""
    for name, v in panel.data_vars.items():
        cuts = v.chunksizes
        for dim in (d for d, c in cuts.items() if d != _panel.DATE and len(c) > 1):
            raise _panel.error(
                f"{name} is cut into {len(cuts[dim])} chunks along {dim!r}",
                f"one chunk along {dim!r}",
                f"Use panel.chunk({dim}=-1)",
            )
        if _panel.DATE not in cuts:
            continue
        found = cuts[_panel.DATE]
        own = layout.store_chunk_dates(found)
        chunk_dates = own if chunk_dates is None else chunk_dates
        if own is None or chunk_dates is None or any(c % chunk_dates for c in found[:-1]):
            raise _panel.error(
                f"the chunks of {name} along 'date' are uneven, or not those of the other "
                f"fields: {', '.join(map(str, found[:4]))} ...",
                "equal chunks, the last may be shorter",
                f"Use panel.chunk(date={chunk_dates or layout.CHUNK_DATES})",
            )
    return chunk_dates or layout.CHUNK_DATES


def _prepare(
    panel: xr.Dataset, chunk_dates: int | None = None
) -> tuple[xr.Dataset, dict[Any, dict[str, Any]]]:
    """Give every variable the store's chunks and codec."""
    chunk_dates = _check_chunks(panel, chunk_dates)
    ready = panel.drop_encoding()
    encoding: dict[Any, dict[str, Any]] = {}
    for name in [n for n, v in ready.variables.items() if v.dtype.kind in "UT"]:
        ready[name] = (
            ready[name].load().astype(object)
        )  # Zarr v3 specifies strings of variable length
    for name, v in ready.variables.items():
        dims = tuple(map(str, v.dims))
        cuts = layout.chunk_shape(dims, v.shape, chunk_dates)
        level = layout.zstd_level(v.dtype.kind, v.attrs)
        encoding[name] = {"chunks": cuts, "compressors": [ZstdCodec(level=level)]}
        if v.dtype.kind == "f":
            encoding[name]["_FillValue"] = np.array(np.nan, v.dtype)[()]
        if name not in ready.indexes and v.chunks is None and _panel.DATE in dims:
            ready[name] = ready[name].chunk(dict(zip(dims, cuts, strict=True)))
    return ready.assign_attrs(chunk_dates=chunk_dates), encoding


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.{kind}")


def _write(ds: xr.Dataset, path: Path, encoding: Any, progress: bool) -> None:
    """Write all data to a new group, which nobody can see yet."""
    ds.to_zarr(path, mode="w-", encoding=encoding, consolidated=False, compute=False, zarr_format=3)
    lazy = {str(n): v for n, v in ds.variables.items() if v.chunks is not None}
    if not lazy:
        return
    with ProgressBar(minimum=1.0, out=sys.stderr) if progress else contextlib.nullcontext():
        _by_date(lazy, path).compute()


def _by_date(lazy: dict[str, xr.Variable], path: Path) -> da.Array:
    """Tasks that write the lazy variables, with one last task for each block of dates.

    xarray's own has a single last task. dask then takes all blocks to be needed to the end and
    may compute them before it writes any: memory would grow with the history.
    """
    group = zarr.open_group(path, mode="r+")
    data = [xr.conventions.encode_cf_variable(v, name=n).data for n, v in lazy.items()]
    stored = da.store(data, [group[n] for n in lazy], lock=False, compute=False)
    stored = stored if isinstance(stored, tuple) else (stored,)
    blocks: dict[int, list[Any]] = {}
    for v, array in zip(lazy.values(), stored, strict=True):
        axis = v.dims.index(_panel.DATE) if _panel.DATE in v.dims else None
        for key in flatten(array.__dask_keys__()):
            blocks.setdefault(0 if axis is None else key[1 + axis], []).append(key)
    name = "xfactor-written-" + tokenize(*[a.name for a in stored])
    layer = {(name, i): (_written, blocks[k]) for i, k in enumerate(sorted(blocks))}
    graph = HighLevelGraph.from_collections(name, layer, dependencies=stored)
    return da.Array(graph, name, ((1,) * len(layer),), dtype=bool)


def _written(blocks: list[Any]) -> np.ndarray:
    return np.ones(1, dtype=bool)


def _consolidate(path: Path) -> None:
    """Publish all arrays of a group with its one metadata file."""
    with warnings.catch_warnings():
        # Not in the v3 specification yet, but read by every zarr-python 3 and ignored by others,
        # who then see the arrays one by one. It is what publishes all fields in one step.
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
        zarr.consolidate_metadata(path)


def _publish(partial: Path, path: Path) -> None:
    """Put a complete store in its place; an older one is moved aside first, then removed."""
    if not path.exists():
        os.rename(partial, path)
        return
    aside = _beside(path, "old")
    os.rename(path, aside)
    try:
        os.rename(partial, path)
    except BaseException:
        os.rename(aside, path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
