"""Later dates for a store."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xfactor import panel as _panel
from xfactor.store import guards, layout, values
from xfactor.store.backends import PathLike, as_path, backend_of
from xfactor.store.joining import with_cells
from xfactor.store.opening import opened
from xfactor.store.rewriting import make_room
from xfactor.store.tables import Columns, add_rows, check_rows
from xfactor.store.transaction import Transaction, redone, transaction, write_key

DATE, ASSET = _panel.DATE, _panel.ASSET


def append_panel(
    panel: xr.Dataset, path: PathLike, *, progress: bool = False, resume: bool = False,
    backend: str | None = None, tables: Mapping[str, Columns] | None = None,
    cells: xr.Dataset | None = None,
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
    cells
        What the new dates say of old ones: fields on some dates of the store, with all its assets
        in their order. They replace what is stored, missing cells too, in the same step.

    Returns
    -------
    pathlib.Path or str
        The store's path.

    Raises
    ------
    PanelError
        Before anything is touched: if there is no store; if a date is not later than the store's
        last, dates are unsorted, double or carry a time zone, or assets are double; if a field is
        unknown, missing, or of another dtype or shape, or cells or rows do not fit the store; if
        another process is writing, or the store cannot resume. And, before anything is published,
        if a field whose attribute ``finite`` is true holds an infinity, or nothing can be written
        there.
    TypeError
        If `panel` or `cells` is not a Dataset.

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
    if resume:
        store.check_resume()

    def write() -> None:
        with store.locked("append_panel"):
            base = store.snapshot()
            plan = guards.check_append(opened(base), panel, store.address)
            check_rows(base, tables)
            guards.check_cells(opened(base), cells, store.address)
            make_room(store, len(plan.assets), progress)
            with transaction(
                store, "append_panel", key=write_key(panel), resume=resume, held=True
            ) as t:
                stored = opened(t.published)  # where nothing locks, another may have published
                plan = guards.check_append(stored, panel, store.address)
                _append(t, stored, panel, plan, cells)
                add_rows(t, tables)
                t.write(progress=progress)
                t.publish(t.published.attrs, t.published.coords)

    redone(write)
    return as_path(path)


def _append(
    t: Transaction, stored: xr.Dataset, panel: xr.Dataset, plan: guards.Append,
    cells: xr.Dataset | None,
) -> None:  # fmt: skip
    base = t.published
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
        data, old = v.data, cells is not None and name in cells and cells.sizes[DATE] > 0
        if cells is not None and old:
            data, blocks = with_cells(stored, cells[name], panel[name], plan, there, blocks)
            columns = None
        t.add(
            name, metadata, data, blocks, axis=axis, columns=columns, restated=old,
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
