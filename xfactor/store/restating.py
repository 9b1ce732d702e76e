"""Cells of a store that turned out to be other than they were."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from xfactor import panel as _panel
from xfactor.store import guards, layout
from xfactor.store.backends import PathLike, as_path, backend_of
from xfactor.store.opening import opened
from xfactor.store.rewriting import make_room
from xfactor.store.tables import Columns, add_rows, check_rows
from xfactor.store.transaction import Transaction, transaction

DATE, ASSET = _panel.DATE, _panel.ASSET
# What a field of codes says of them.
FLAGS = ("flag_values", "flag_meanings")


def update_panel(
    cells: xr.Dataset, path: PathLike, *, overwrite_missing: bool = False, progress: bool = False,
    backend: str | None = None, tables: Mapping[str, Columns] | None = None,
) -> Any:  # fmt: skip
    """Restate cells of a store: some fields, on some dates, of some assets.

    All of it becomes visible in one step. Readers who opened the store before go on seeing what
    they opened: chunks of the two older states of a field stay, and who reads one that is older
    yet, or was removed by `gc_panel_store`, gets an error that says so. That holds for what
    `open_panel` gives. Whoever holds a bare ``xr.open_zarr`` across three restatements of a field,
    or a clean-up, reads newer values or NaN without a word: they should open it again.

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
        Before anything is touched: if there is no store; if a date, asset or field is not in the
        store, stands there twice, or is of another dtype or shape; if rows do not fit their table,
        or another process is writing. And, before anything is published, if a field whose attribute
        ``finite`` is true would hold an infinity, or nothing can be written there.
    TypeError
        If `cells` is not a Dataset.

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
            base = t.published
            stored = opened(base)  # where nothing locks, another may have published
            guards.check_update(stored, cells, store.address)
            for name in map(str, cells.data_vars):
                _update(t, stored, cells[name], name, not overwrite_missing)
            add_rows(t, tables)
            t.write(progress=progress)
            t.publish(base.attrs, base.coords)
    return as_path(path)


def _update(t: Transaction, stored: xr.Dataset, cells: xr.DataArray, name: str, keep: bool) -> None:
    there = t.published.array(name)
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
