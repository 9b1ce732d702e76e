"""Stores rewritten with another layout: other chunks, more room, today's format."""

from typing import Any

import xarray as xr

from xfactor import panel as _panel
from xfactor.store import layout, values
from xfactor.store.backends import PathLike, as_path, backend_of
from xfactor.store.opening import opened, stored_variable
from xfactor.store.snapshots import FORMAT_VERSION, Snapshot
from xfactor.store.transaction import Backend, Transaction, transaction

DATE, ASSET = _panel.DATE, _panel.ASSET


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
        If there is no store; if `chunk_dates` or `capacity` is not a whole number of at least 1, or
        there are more assets than `capacity`; if another process is writing, or nothing can be
        written there.

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
        stored = opened(t.published)
        n = stored.sizes[ASSET]
        width = layout.capacity(n) if capacity is None else _panel.positive("capacity", capacity)
        if width < n:
            raise _panel.error(f"capacity={width} was given", f"at least {n} assets", "Raise it")
        dates = grid(t.published, stored)[0] if chunk_dates is None else chunk_dates
        rewrite(t, _panel.positive("chunk_dates", dates), width, progress)
    return as_path(path)


def rewrite(t: Transaction, dates: int, width: int, progress: bool) -> None:
    """Write all fields anew, with so many dates and room for so many assets in a chunk."""
    base = t.published
    old = base.format_version < FORMAT_VERSION
    for name in base.variables:
        array = base.array(name)
        stored = stored_variable(base, name, lazy=True)
        if DATE not in array.dims or name == DATE:
            if ASSET in array.dims or old:
                t.whole(name, stored.load(), {DATE: layout.LABELS, ASSET: width}, restated=True)
            continue
        chunks = layout.chunk_shape(array.dims, array.shape, dates, width)
        axis = array.dims.index(DATE)
        blocks = layout.appended_blocks(0, array.shape[axis], dates) if array.shape[axis] else []
        metadata = values.array_metadata(stored, chunks)
        t.add(name, metadata, stored.data, blocks, axis=axis, restated=True, keep_old=False)
    t.write(progress=progress)
    t.publish(base.attrs, base.coords)


def make_room(store: Backend, n_assets: int, progress: bool) -> None:
    """Rewrite a store whose chunks are too narrow, with room for more than is needed now.

    Also one of an earlier format: its chunks have no checksum, empty ones are not there, codes and
    dates that nobody gave are zeros in it, and days have no room for hours.
    """
    base = store.snapshot()
    rooms = [
        a.chunks[a.dims.index(ASSET)] for a in map(base.array, base.variables) if ASSET in a.dims
    ]
    if min(rooms) >= n_assets and base.format_version == FORMAT_VERSION:
        return
    stored = opened(base)
    width = layout.capacity(max(n_assets, stored.sizes[ASSET]))
    with transaction(store, "rechunk_panel", held=True) as t:
        rewrite(t, grid(base, stored)[0], width, progress)


def grid(base: Snapshot, stored: xr.Dataset) -> tuple[int, int]:
    """Return dates in a chunk and room for assets of a store."""
    dates, width = layout.chunk_dates(stored.sizes[ASSET]), layout.capacity(stored.sizes[ASSET])
    for array in (base.array(n) for n in base.variables if n != DATE):
        if DATE in array.dims:
            dates = array.chunks[array.dims.index(DATE)]
        if ASSET in array.dims:
            width = array.chunks[array.dims.index(ASSET)]
    return dates, width
