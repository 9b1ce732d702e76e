"""Does a store hold what it says? Everything is read, every damage named."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dask.array as da
import numpy as np

from xfactor import _schedulers
from xfactor import panel as _panel
from xfactor.store import snapshots
from xfactor.store.arrays import StoredArray, reason
from xfactor.store.backends import PathLike, backend_of
from xfactor.store.opening import opened, stored_variable
from xfactor.store.snapshots import Snapshot

DATE = _panel.DATE


@dataclass(frozen=True)
class Damage:
    """A part of a store that cannot be trusted.

    Parameters
    ----------
    field
        The field, or the column of a table.
    where
        The dates, or rows.
    reason
        What is wrong.
    """

    field: str
    where: str
    reason: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.field}, {self.where}: {self.reason}"


@dataclass(frozen=True)
class StoreCheck:
    """What a check of a store found.

    Parameters
    ----------
    path
        The store.
    chunks
        Chunks that were read.
    stored_bytes
        Their bytes on disk.
    damages
        What is damaged, by field and dates; empty if all is well.
    """

    path: str
    chunks: int
    stored_bytes: int
    damages: list[Damage] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages

    def __str__(self) -> str:
        """Return the findings, a line each."""
        read = f"{self.path}: {self.chunks:,} chunks read ({self.stored_bytes / 1e6:,.1f} MB)"
        if self.ok:
            return f"{read}, all as written."
        return "\n".join([f"{read}, {len(self.damages)} damaged:", *map(str, self.damages)])


def check_panel_store(
    path: PathLike, *, accept: bool = False, progress: bool = False, backend: str | None = None
) -> StoreCheck:
    """Read every chunk of a store, compare it with its checksum, and name what is damaged.

    Parameters
    ----------
    path
        The store.
    accept
        If another program has changed the metadata on purpose, and all else is well, take it as
        it is now: a new checksum is written.
    progress
        Show a bar on standard error if it takes more than a second.
    backend
        As in `write_panel`.

    Returns
    -------
    StoreCheck
        Its ``ok`` says whether all is well; its ``damages`` name field, dates and reason.

    Raises
    ------
    PanelError
        If there is no store, or it is no panel's; with `accept`, if another process is writing.
        Damage is not raised but named in the result.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     before = xf.check_panel_store(path)
    ...     chunk = path / "close" / "c" / "0" / "0"
    ...     _ = chunk.write_bytes(chunk.read_bytes()[:-1] + b"!")
    ...     after = xf.check_panel_store(path)
    >>> before.ok, [str(d) for d in after.damages]
    (True, ['close, 2000-01-03 to 2000-01-28: its checksum does not match its bytes'])
    """
    store = backend_of(path, backend)
    damages: list[Damage] = []
    try:
        snapshot = store.snapshot()
    except snapshots.Damaged as problem:
        damages.append(Damage("zarr.json", "all dates", problem.why))
        if problem.snapshot is None:
            return StoreCheck(store.address, 0, 0, damages)
        snapshot = problem.snapshot
    chunks = [
        (snapshot.array(name), index)
        for name in snapshot.arrays
        for index in _chunks(snapshot.array(name))
    ]
    found = _schedulers.pieces(_checks(chunks), progress)
    dates = _dates(snapshot)
    for (array, index), (_, why) in zip(chunks, found, strict=True):
        if why:
            damages.append(Damage(array.name, _where(array, index, dates), why))
    done = StoreCheck(store.address, len(chunks), sum(n for n, _ in found), damages)
    if accept and all(d.field == "zarr.json" for d in damages) and damages:
        with store.locked("check_panel_store"):
            store.accept(snapshot)
        return StoreCheck(done.path, done.chunks, done.stored_bytes)
    return done


def _checks(chunks: Sequence[tuple[StoredArray, tuple[int, ...]]]) -> da.Array:
    name = f"xfactor-check-{uuid.uuid4().hex}"
    tasks = {(name, i): (_check_chunk, array, at) for i, (array, at) in enumerate(chunks)}
    return da.Array(tasks, name, ((1,) * len(tasks),), dtype=object)


def _chunks(array: StoredArray) -> list[tuple[int, ...]]:
    counts = [-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True)]
    return list(np.ndindex(*counts))


def _check_chunk(array: StoredArray, index: tuple[int, ...]) -> tuple[int, str]:
    """Return the stored bytes of a chunk, and what is wrong with it."""
    region = tuple(
        slice(i * c, min((i + 1) * c, n))
        for i, c, n in zip(index, array.chunks, array.shape, strict=True)
    )
    try:
        size = array.stored_bytes(index)
        array.array[region]
    except Exception as problem:
        return 0, reason(problem)
    return size, ""


def _dates(snapshot: Snapshot) -> Any:
    try:
        return stored_variable(snapshot, DATE, lazy=False).values
    except (_panel.PanelError, KeyError):
        return None


def _where(array: StoredArray, index: tuple[int, ...], dates: Any) -> str:
    if not array.ndim or (array.dims[0] == _panel.ASSET and DATE not in array.dims):
        return "all dates"
    axis = array.dims.index(DATE) if DATE in array.dims else 0
    size = array.chunks[axis]
    first, last = index[axis] * size, min((index[axis] + 1) * size, array.shape[axis]) - 1
    if DATE not in array.dims or dates is None:
        return f"{array.dims[axis]} {first} to {last}"
    ends = [str(np.datetime64(dates[i], "m")).removesuffix("T00:00") for i in (first, last)]
    return f"{ends[0]} to {ends[1]}"


def gc_panel_store(path: PathLike, *, backend: str | None = None) -> int:
    """Remove what no reader of the present state needs.

    That is older states of cells that were restated, and what a killed write has left: it cannot
    be resumed from then on. Those who opened an older state and still read it get an error; a bare
    ``xr.open_zarr`` of an older state reads NaN, as Zarr does where a chunk is not there. An
    Icechunk store keeps the versions of the last seven days.

    Parameters
    ----------
    path
        The store.
    backend
        As in `write_panel`.

    Returns
    -------
    int
        Bytes freed.

    Raises
    ------
    PanelError
        If there is no store, its metadata is damaged, or another process is writing.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     path = xf.update_panel(panel[["close"]].isel(date=[0]) * 2, path)
    ...     xf.gc_panel_store(path) > 0, xf.gc_panel_store(path)
    (True, 0)
    """
    store = backend_of(path, backend)
    with store.locked("gc_panel_store"):
        opened(store.snapshot())  # nothing is removed from what cannot be opened
        return store.gc()
