"""Panels written to a store: whole, field by field, date by date, cell by cell."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel as _panel
from xfactor.store import guards, layout, values
from xfactor.store.backends import PathLike, backend_of
from xfactor.store.opening import opened
from xfactor.store.rewriting import grid, make_room, rewrite
from xfactor.store.snapshots import Snapshot
from xfactor.store.tables import Columns, add_rows, check_rows
from xfactor.store.transaction import Backend, Transaction, redone, transaction

DATE, ASSET = _panel.DATE, _panel.ASSET
# What a field of codes says of them.
FLAGS = ("flag_values", "flag_meanings")


def write_panel(
    panel: xr.Dataset, path: PathLike, *, overwrite: bool = False, progress: bool = False,
    resume: bool = False, backend: str | None = None,
) -> Any:  # fmt: skip
    """Write a panel to a new store, chunk by chunk.

    Parameters
    ----------
    panel
        The panel; lazy fields are computed chunk by chunk and never held whole. Their chunks
        along date must be equal (the last may be shorter) and become the store's; data in memory
        gets chunks of 256 dates.
    path
        Folder of the store, or its URL: ``s3://bucket/panel.zarr``, ``icechunk://folder``.
    overwrite
        Replace a store that is there: readers see the old panel until the new one is complete,
        and those who opened it before go on seeing it.
    progress
        Show a bar on standard error if it takes more than a second.
    resume
        If this fails or is killed, keep what is written; go on from what an earlier try with
        `resume` has left. Say so only for the same data.
    backend
        ``"zarr"`` or ``"icechunk"``; found out from the path if not given.

    Returns
    -------
    pathlib.Path or str
        The store's path.

    Raises
    ------
    PanelError
        If the panel is not one, its chunks cannot be written, the path is taken, or another
        process is writing.

    Notes
    -----
    A field whose attribute ``finite`` is true is refused with an infinity in it. The attribute
    ``fill="forward"`` of a field that repeats until it changes makes it smaller on disk.

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
    guards.check_names(panel)
    store = backend_of(path, backend)
    _check_free(store, overwrite)
    dates = guards.chunks_of(panel)
    with transaction(store, "write_panel", key=_key(panel), resume=resume, new=True) as t:
        _check_free(store, overwrite)  # another writer may have been quicker
        width = layout.capacity(panel.sizes[ASSET])
        for name, v in panel.variables.items():
            _add_variable(t, panel, str(name), v, dates, width)
        t.write(progress=progress)
        there = t.base.arrays if t.base is not None else {}
        drop = [n for n in there if n not in panel.variables]
        t.publish(_attrs(panel), _coords(panel), drop)
    return _as_path(path)


def add_fields(
    fields: xr.Dataset, path: PathLike, *, progress: bool = False, backend: str | None = None,
    tables: Mapping[str, Columns] | None = None,
) -> Any:  # fmt: skip
    """Add fields to a store: the same dates and assets, new variables.

    Parameters
    ----------
    fields
        Dataset with the store's `date` and `asset` labels; numpy-backed, or lazy with the
        store's chunks.
    path
        The store.
    progress
        Show a bar on standard error if it takes more than a second.
    backend
        As in `write_panel`.
    tables
        Rows to be appended to tables of the store in the same step.

    Returns
    -------
    pathlib.Path or str
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
    store = backend_of(path, backend)
    with store.locked("add_fields"):
        stored = opened(store.snapshot())
        there = sorted(str(v) for v in fields.data_vars if v in stored)
        if there:
            raise _panel.error(
                f"{path} already has {', '.join(there)}",
                "new fields",
                "Rename them or leave them out",
            )
        guards.check_names(fields)
        guards.check_labels(stored, fields, str(path))
        dates, _ = grid(store.snapshot(), stored)
        new = fields.drop_vars([c for c in fields.coords if c in stored.coords])
        guards.chunks_of(new, dates)
        check_rows(store.snapshot(), tables)
        make_room(store, stored.sizes[ASSET], progress)
        with transaction(store, "add_fields", held=True) as t:
            base = _base(t)
            stored = opened(base)  # where nothing locks, another may have published
            guards.check_labels(stored, fields, str(path))
            width = grid(base, stored)[1]
            for name, v in new.variables.items():
                _add_variable(t, new, str(name), v, dates, width)
            add_rows(t, tables)
            t.write(progress=progress)
            t.publish(base.attrs, {*base.coords, *_coords(new)})
    return _as_path(path)


def append_panel(
    panel: xr.Dataset, path: PathLike, *, progress: bool = False, resume: bool = False,
    backend: str | None = None, tables: Mapping[str, Columns] | None = None,
) -> Any:  # fmt: skip
    """Append later dates to a store.

    Assets are aligned by label, in whatever order they come: those that the panel does not have
    (delisted) are missing on the new dates, new ones (listed) are missing before. Nothing is
    rewritten but the last chunk of dates; new listings beyond the spare room of the chunks
    rewrite the store with more room, in a step of its own.

    Parameters
    ----------
    panel
        All fields of the store, with their dtypes, on dates after its last. Lazy fields are
        computed chunk by chunk, in parallel on the active cluster, and never held whole.
    path
        The store.
    progress
        Show a bar on standard error if it takes more than a second.
    resume
        As in `write_panel`.
    backend
        As in `write_panel`.
    tables
        Rows to be appended to tables of the store in the same step.

    Returns
    -------
    pathlib.Path or str
        The store's path.

    Raises
    ------
    PanelError
        Before anything is touched: if a date is not later than the store's last, dates are
        unsorted, double or carry a time zone, assets are double, a field is unknown, missing, or
        of another dtype or shape, or another process is writing. And, before anything is
        published, if a field whose attribute ``finite`` is true holds an infinity.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel.isel(date=slice(15)), folder + "/panel.zarr")
    ...     path = xf.append_panel(panel.isel(date=slice(15, None)), path)
    ...     xf.open_panel(path)["close"].equals(panel["close"])
    True
    """
    store = backend_of(path, backend)
    if not isinstance(panel, xr.Dataset):
        raise TypeError(f"a panel is an xarray.Dataset; found {type(panel).__name__}.")

    def write() -> None:
        with store.locked("append_panel"):
            base = store.snapshot()
            plan = guards.check_append(opened(base), panel, store.address)
            check_rows(base, tables)
            make_room(store, len(plan.assets), progress)
            with transaction(store, "append_panel", key=_key(panel), resume=resume, held=True) as t:
                stored = opened(_base(t))  # where nothing locks, another may have published
                plan = guards.check_append(stored, panel, store.address)
                _append(t, stored, panel, plan)
                add_rows(t, tables)
                t.write(progress=progress)
                t.publish(_base(t).attrs, _base(t).coords)

    redone(write)
    return _as_path(path)


def _append(t: Transaction, stored: xr.Dataset, panel: xr.Dataset, plan: guards.Append) -> None:
    base = _base(t)
    dates = stored.indexes[DATE].append(panel.indexes[DATE].as_unit("ns"))
    sizes = {**stored.sizes, DATE: len(dates), ASSET: len(plan.assets)}
    t.whole(DATE, xr.Variable(DATE, dates, stored[DATE].attrs), {DATE: layout.LABELS})
    if plan.new:
        labels = plan.assets.to_numpy()
        t.whole(ASSET, xr.Variable(ASSET, labels, stored[ASSET].attrs), {})
    for name in (n for n in base.variables if n not in (DATE, ASSET)):
        there = base.array(name)
        if DATE not in there.dims:
            if ASSET in there.dims and (plan.new or name in panel):
                t.whole(name, _static(stored, panel, name, plan), {})
            continue
        v = panel[name].transpose(*there.dims).variable
        shape = tuple(sizes[d] for d in there.dims)
        axis = there.dims.index(DATE)
        blocks = layout.appended_blocks(there.shape[axis], shape[axis], there.chunks[axis])
        columns = None
        if ASSET in there.dims and not plan.same:
            columns = (there.dims.index(ASSET), plan.columns)
        metadata = {**there.metadata, "shape": list(shape)}
        t.add(
            name, metadata, v.data, blocks, axis=axis, columns=columns,
            finite=bool(v.attrs.get("finite") or there.metadata["attributes"].get("finite")),
        )  # fmt: skip


def _static(stored: xr.Dataset, panel: xr.Dataset, name: str, plan: guards.Append) -> xr.Variable:
    """Return what does not change with dates, with what the new panel says of its assets."""
    there = stored[name].variable.load()
    axis = there.dims.index(ASSET)
    shape = list(there.shape)
    shape[axis] = len(plan.assets)
    made = np.full(shape, values.fill_value(there.dtype), there.dtype)
    if there.dtype.kind in "mM":
        made = np.full(shape, np.array("NaT", there.dtype))
    made[tuple(slice(0, n) for n in there.shape)] = there.values
    if name in panel:
        given = panel[name].transpose(*there.dims).values
        np.moveaxis(made, axis, 0)[plan.columns] = np.moveaxis(given, axis, 0)
    return xr.Variable(there.dims, made, there.attrs)


def update_panel(
    cells: xr.Dataset, path: PathLike, *, overwrite_missing: bool = False, progress: bool = False,
    backend: str | None = None, tables: Mapping[str, Columns] | None = None,
) -> Any:  # fmt: skip
    """Restate cells of a store: some fields, on some dates, of some assets.

    All of it becomes visible in one step. Readers who opened the store before go on seeing what
    they opened.

    Parameters
    ----------
    cells
        Fields of the store with some of its dates and assets, in any order of assets. A missing
        cell (NaN, -1, NaT, "") leaves what is stored. Where all cells of a field are
        replaced, missing ones too, so are the meanings of its codes: its attributes
        `flag_values` and `flag_meanings`, if any.
    path
        The store.
    overwrite_missing
        Missing cells are written too: what is stored there is gone.
    progress
        Show a bar on standard error if it takes more than a second.
    backend
        As in `write_panel`.
    tables
        Rows to be appended to tables of the store in the same step.

    Returns
    -------
    pathlib.Path or str
        The store's path.

    Raises
    ------
    PanelError
        Before anything is touched: if a date, asset or field is not in the store, stands there
        twice, or is of another dtype or shape; or if another process is writing.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     cell = panel[["close"]].isel(date=[3], asset=[2]).compute()
    ...     path = xf.update_panel(cell * 0 + 99, path)
    ...     float(xf.open_panel(path)["close"][3, 2])
    99.0
    """
    store = backend_of(path, backend)
    with store.locked("update_panel"):
        stored = opened(store.snapshot())
        guards.check_update(stored, cells, store.address)
        check_rows(store.snapshot(), tables)
        make_room(store, stored.sizes[ASSET], progress)
        with transaction(store, "update_panel", held=True) as t:
            base = _base(t)
            stored = opened(base)  # where nothing locks, another may have published
            guards.check_update(stored, cells, store.address)
            for name in map(str, cells.data_vars):
                _update(t, stored, cells[name], name, not overwrite_missing)
            add_rows(t, tables)
            t.write(progress=progress)
            t.publish(base.attrs, base.coords)
    return _as_path(path)


def _update(t: Transaction, stored: xr.Dataset, cells: xr.DataArray, name: str, keep: bool) -> None:
    there = _base(t).array(name)
    v = cells.transpose(*there.dims)
    if 0 in v.shape:
        return
    axis = None
    if DATE in there.dims:
        axis = there.dims.index(DATE)
        at = guards.store_order(stored.indexes[DATE], cells.indexes[DATE])
        blocks = layout.restated_blocks(at.tolist(), there.shape[axis], there.chunks[axis])
    else:
        blocks = [layout.Block(0, 1, (), 0)]
    columns = None
    if ASSET in there.dims:
        columns = (
            there.dims.index(ASSET),
            guards.store_order(stored.indexes[ASSET], cells.indexes[ASSET]),
        )
    metadata = there.metadata
    if not keep and v.shape == stored[name].shape:  # new codes for all cells may have new meanings
        flags = {k: v.attrs[k] for k in FLAGS if k in v.attrs}
        metadata = {**metadata, "attributes": {**metadata["attributes"], **flags}}
    t.add(
        name, metadata, v.data, blocks, axis=axis, columns=columns, restated=True,
        keep_missing=keep, finite=bool(there.metadata["attributes"].get("finite")),
    )  # fmt: skip


def rechunk_panel(
    path: PathLike, *, chunk_dates: int | None = None, capacity: int | None = None,
    progress: bool = False, backend: str | None = None,
) -> Any:  # fmt: skip
    """Rewrite a store with other chunks, or more room for new listings.

    All fields are read and written once, chunk by chunk; the new layout becomes visible in one
    step, and readers of the old one go on reading it.

    Parameters
    ----------
    path
        The store.
    chunk_dates
        Dates in a chunk; as they are if not given.
    capacity
        Assets that the chunks have room for; if not given, those there are and a sixteenth more.
    progress
        Show a bar on standard error if it takes more than a second.
    backend
        As in `write_panel`.

    Returns
    -------
    pathlib.Path or str
        The store's path.

    Raises
    ------
    PanelError
        If there are more assets than `capacity`, or another process is writing.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     path = xf.rechunk_panel(path, chunk_dates=10)
    ...     xf.open_panel(path)["close"].chunks
    ((10, 10), (5,))
    """
    store = backend_of(path, backend)
    with transaction(store, "rechunk_panel") as t:
        stored = opened(_base(t))
        n = stored.sizes[ASSET]
        width = layout.capacity(n) if capacity is None else _panel.positive("capacity", capacity)
        if width < n:
            raise _panel.error(f"capacity={width} was given", f"at least {n} assets", "Raise it")
        dates = chunk_dates or grid(_base(t), stored)[0]
        rewrite(t, _panel.positive("chunk_dates", dates), width, progress)
    return _as_path(path)


def _add_variable(
    t: Transaction, panel: xr.Dataset, name: str, v: xr.Variable, dates: int, width: int
) -> None:
    """Write a variable that is new or replaces one of its name."""
    if name in panel.indexes or DATE not in v.dims:
        t.whole(name, v, {DATE: layout.LABELS, ASSET: width})
        return
    dims = tuple(map(str, v.dims))
    axis = dims.index(DATE)
    metadata = values.array_metadata(v, layout.chunk_shape(dims, v.shape, dates, width))
    blocks = layout.appended_blocks(0, v.shape[axis], dates) if v.shape[axis] else []
    t.add(
        name, metadata, v.data, blocks, axis=axis, restated=True, keep_old=False,
        finite=bool(v.attrs.get("finite")),
    )  # fmt: skip


def _base(t: Transaction) -> Snapshot:
    assert t.base is not None
    return t.base


def _check_free(store: Backend, overwrite: bool) -> None:
    if not store.exists():
        return
    if not overwrite:
        raise _panel.error(
            f"{store.address} is there already",
            "a path that is free",
            "Choose another, or overwrite it",
        )
    try:
        mine = store.snapshot().books.get("format") == "xfactor-panel"
    except _panel.PanelError:
        mine = False
    if not mine:
        raise _panel.error(
            f"{store.address} is no panel store",
            "a panel store to overwrite",
            "Choose another path",
        )


def _coords(panel: xr.Dataset) -> list[str]:
    return [str(n) for n in panel.coords if n not in panel.dims]


def _attrs(panel: xr.Dataset) -> dict[str, Any]:
    return {str(k): values.plain(v) for k, v in panel.attrs.items()}


def _key(panel: xr.Dataset) -> str:
    """Return what tells one write from another: labels and schema."""
    digest = hashlib.sha256()
    for dim in (DATE, ASSET):
        labels = panel.indexes.get(dim, pd.Index([]))
        digest.update(repr(pd.util.hash_pandas_object(labels).sum()).encode())
    schema = sorted((str(n), str(v.dtype), v.dims, v.shape) for n, v in panel.variables.items())
    digest.update(json.dumps(schema, default=str).encode())
    return digest.hexdigest()[:12]


def _as_path(path: PathLike) -> Any:
    return path if isinstance(path, str) and "://" in path else Path(path)
