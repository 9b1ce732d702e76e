"""Panels and fields that are new to a store."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from xfactor import panel as _panel
from xfactor.store import guards, layout, values
from xfactor.store.backends import PathLike, as_path, backend_of
from xfactor.store.opening import opened
from xfactor.store.rewriting import grid, make_room
from xfactor.store.snapshots import Damaged
from xfactor.store.tables import Columns, add_rows, check_rows
from xfactor.store.transaction import Backend, Transaction, transaction, write_key

DATE, ASSET = _panel.DATE, _panel.ASSET


def write_panel(
    panel: xr.Dataset, path: PathLike, *, overwrite: bool = False, progress: bool = False,
    resume: bool = False, backend: str | None = None, tables: Mapping[str, Columns] | None = None,
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
        `resume` has left. Say so only for the same data. Icechunk cannot, and refuses it.
    backend
        ``"zarr"`` or ``"icechunk"``; found out from the path if not given.
    tables
        Tables of rows to be written in the same step.

    Returns
    -------
    pathlib.Path or str
        The store's path.

    Raises
    ------
    PanelError
        If the panel is not one; if a name, dtype, attribute or the chunks of a field cannot be
        written; if the path is taken, or with `overwrite` by something else than a panel store; if
        rows do not fit together, another process is writing, or the store cannot resume. And,
        before anything is published, if a field whose attribute ``finite`` is true holds an
        infinity, or nothing can be written there.
    TypeError
        If `panel` is not a Dataset.

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
    overwrite = _panel.flag("overwrite", overwrite)  # a word would delete what is there
    guards.check_names(panel)
    store = backend_of(path, backend)
    if resume:
        store.check_resume()
    _check_free(store, overwrite)
    dates = guards.chunks_of(panel)
    with transaction(store, "write_panel", key=write_key(panel), resume=resume, new=True) as t:
        _check_free(store, overwrite)  # another writer may have been quicker
        width = layout.capacity(panel.sizes[ASSET])
        for name, v in panel.variables.items():
            _add_variable(t, panel, str(name), v, dates, width)
        made = add_rows(t, tables, fresh=True)
        t.write(progress=progress)
        there = t.base.arrays if t.base is not None else {}
        drop = [n for n in there if n not in panel.variables and n not in made]
        t.publish(_attrs(panel), _coords(panel), drop)
    return as_path(path)


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
        Before anything is touched: if there is no store, a label differs from the store's, or a
        field is there already; if a name, dtype, attribute or the chunks of a field cannot be
        written; if rows do not fit their table, or another process is writing. And, before anything
        is published, if a field whose attribute ``finite`` is true holds an infinity, or nothing
        can be written there.
    TypeError
        If `fields` is not a Dataset.

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
    if not isinstance(fields, xr.Dataset):
        hint = " Use array.to_dataset(name='score')." if isinstance(fields, xr.DataArray) else ""
        raise TypeError(f"fields are an xarray.Dataset; found {type(fields).__name__}.{hint}")
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
            base = t.published
            stored = opened(base)  # where nothing locks, another may have published
            guards.check_labels(stored, fields, str(path))
            width = grid(base, stored)[1]
            for name, v in new.variables.items():
                _add_variable(t, new, str(name), v, dates, width)
            add_rows(t, tables)
            t.write(progress=progress)
            t.publish(base.attrs, {*base.coords, *_coords(new)})
    return as_path(path)


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
    except Damaged as problem:  # may be a store with years of data in it: its owner decides
        raise _panel.error(
            f"the metadata of {store.address} is damaged: {problem.why}",
            "a panel store to overwrite",
            "Restore its zarr.json, or remove the store yourself, or choose another path",
        ) from problem
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
