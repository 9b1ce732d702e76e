"""One write to a store: what changes in which array, done block by block, published at the end."""

import contextlib
import hashlib
import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _schedulers
from xfactor import panel as _panel
from xfactor.store import snapshots, values
from xfactor.store.arrays import Receipt, StoredArray
from xfactor.store.layout import Block
from xfactor.store.opening import stored_variable
from xfactor.store.snapshots import Snapshot
from xfactor.store.tasks import Target, Work, write_tasks

T = TypeVar("T")


# Seconds until a write that lost a race is done again; each time one of the writers has won.
REDO_PAUSES = (0.0, 0.05, 0.1, *(0.2,) * 20)


_watching: ContextVar[list[int] | None] = ContextVar("_watching", default=None)


class LostRace(_panel.PanelError):
    """Another writer published first, and nothing of this write was."""


def lost_race(address: str) -> LostRace:
    """Return the error for a write that another one has overtaken."""
    return LostRace(
        f"another writer has published to {address} meanwhile, and nothing of this write was; "
        "needed the state that it began with. Try again: it is checked anew."
    )


def redone(write: Callable[[], T]) -> T:
    """Write; do it again, and check it again, as long as others are quicker."""
    for pause in REDO_PAUSES:
        try:
            return write()
        except LostRace:
            time.sleep(pause * (0.5 + random.random()))
    return write()


class Stage(Protocol):
    """Where a backend takes the chunks of a write, until it publishes them."""

    def array(
        self, name: str, metadata: dict[str, Any], base: Mapping[str, Any] | None, restated: bool
    ) -> StoredArray:
        """Return an array to write chunks of."""

    def written(self, array: StoredArray) -> set[str]:
        """Return the chunks of an array that are written already."""

    def collect(self, receipts: Sequence[Receipt]) -> None:
        """Take what tasks in other processes have returned."""

    def publish(
        self,
        changed: Mapping[str, StoredArray],
        kept: Mapping[str, dict[str, Any]],
        attributes: Mapping[str, Any],
        books: Mapping[str, Any],
    ) -> None:
        """Make it the store's state."""

    def discard(self) -> None:
        """Forget it."""


class Backend(Protocol):
    """A kind of store."""

    address: str

    def check_resume(self) -> None:
        """Raise if nothing of a write that failed can be kept."""

    def exists(self) -> bool:
        """Say whether something is there."""

    def snapshot(self) -> Snapshot:
        """Return what is published now."""

    def locked(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Hold the store's lock."""

    def stage(self, key: str, resume: bool, base: Snapshot | None = None) -> Stage:
        """Begin a write on a published state; LostRace if it is that no more."""

    def accept(self, snapshot: Snapshot) -> None:
        """Publish what another program has made of the metadata."""

    def gc(self) -> int:
        """Remove what nothing needs; return the bytes freed."""


class Transaction:
    """Collects what a write changes, does it, publishes it.

    Parameters
    ----------
    backend
        The store, whose lock is held.
    base
        What is published now; None for a new store.
    what
        The function that writes, for the books.
    key
        Tells writes apart, for `resume`.
    resume
        Go on with what an interrupted write of the same key has written.
    """

    def __init__(
        self, backend: Backend, base: Snapshot | None, what: str, key: str, resume: bool
    ) -> None:
        self.backend = backend
        self.base = base
        # What was staged holds rows of the state it began from: it fits no other.
        self._key = f"{key}_{base.books.get(snapshots.DIGEST, '')[:12] if base else ''}"
        self._what, self._resume = what, resume
        self._work: list[Work] = []
        self._changed: dict[str, StoredArray] = {}

    @cached_property
    def _stage(self) -> Stage:
        """Made when it is first needed, so that a refusal touches nothing."""
        return self.backend.stage(self._key, self._resume, self.base)

    @property
    def published(self) -> Snapshot:
        """What is published now; not for a store that is new."""
        assert self.base is not None
        return self.base

    def discard(self) -> None:
        """Forget what was written, unless it is to be resumed."""
        if "_stage" in self.__dict__ and not self._resume:
            self._stage.discard()

    def add(
        self,
        name: str,
        metadata: dict[str, Any],
        data: Any,
        blocks: Sequence[Block],
        *,
        axis: int | None,
        columns: tuple[int, np.ndarray] | None = None,
        restated: bool = False,
        keep_old: bool = True,
        keep_missing: bool = False,
        finite: bool = False,
    ) -> None:
        """Say that blocks of an array get new values.

        Parameters
        ----------
        name
            Path of the array.
        metadata
            As it is to be published.
        data
            The new values, numpy or dask, blocks one after another along `axis`.
        blocks
            Chunks to be written.
        axis
            Of the blocks.
        columns
            Axis and positions of the assets that are given.
        restated
            Published cells change.
        keep_old
            Cells that are not given keep what is published; else they are missing.
        keep_missing
            So do cells that are given as missing.
        finite
            Infinities are refused.
        """
        before = self.base.arrays.get(name) if self.base is not None else None
        new = self._stage.array(name, metadata, before, restated)
        old = self.base.array(name) if before is not None and keep_old else None  # type: ignore[union-attr]
        self._changed[name] = new
        target = Target(new, old, axis, columns, keep_missing, finite)
        self._work.append(Work(target, blocks, data))

    def whole(
        self, name: str, variable: xr.Variable, width: Mapping[str, int], restated: bool = False
    ) -> None:
        """Say that a small array is written whole.

        Parameters
        ----------
        name
            Path of the array.
        variable
            Its values.
        width
            Chunk along each dim; the length of the dim if not given. An array that goes on as it
            was keeps its chunks.
        restated
            It gets new chunks even so.
        """
        chunks = tuple(
            max(1, width.get(str(d), n)) for d, n in zip(variable.dims, variable.shape, strict=True)
        )
        before = self.base.arrays.get(name) if self.base is not None else None
        extends = before is not None and not restated and self._extends(name, variable)
        if before is not None and extends:
            chunks = tuple(before["chunk_grid"]["configuration"]["chunk_shape"])
        metadata = values.array_metadata(variable, chunks)
        if before is not None and extends:
            metadata |= {k: before[k] for k in ("data_type", "codecs", "fill_value")}
            if values.is_coded(before):
                coded = {k: v for k, v in before["attributes"].items() if k in values.CODED}
                metadata["attributes"] |= coded
        array = self._stage.array(name, metadata, before, not extends)
        self._changed[name] = array
        if 0 not in array.shape:
            stored = values.stored_values(name, np.asarray(variable.values), metadata)
            array.write(array.region(None, 0), stored)

    def _extends(self, name: str, variable: xr.Variable) -> bool:
        """Say whether an array goes on as it was: readers of the old state may read the new."""
        assert self.base is not None
        old = stored_variable(self.base, name, lazy=False)
        if old.dims != variable.dims or not values.same_kind(old.dtype, variable.dtype):
            return False
        sizes = zip(old.dims, variable.shape, old.shape, self.base.array(name).chunks, strict=True)
        if any(n < m or (n > c and d != _panel.DATE) for d, n, m, c in sizes):
            return False
        now = variable[tuple(slice(0, n) for n in old.shape)]
        there = xr.Variable(old.dims, old.values)
        return bool(there.equals(xr.Variable(now.dims, now.values)))  # type: ignore[no-untyped-call]

    def write(self, *, progress: bool = False) -> None:
        """Do the work: lazily given values are computed block by block, and forgotten."""
        todo = []
        written = [self._stage.written(work.target.new) for work in self._work]
        if self._resume and (told := _watching.get()) is not None:
            told.append(_finished_dates(self._work, written))
        for work, done in zip(self._work, written, strict=True):
            at = [i for i, b in enumerate(work.blocks) if work.key(b) not in done]
            if at:
                todo.append((work, at))
        if todo:
            for receipts in _schedulers.compute(write_tasks(todo), progress=progress)[0]:
                self._stage.collect(receipts)
        for work in self._work:
            lost = set(map(work.key, work.blocks)) - self._stage.written(work.target.new)
            if lost:
                raise _panel.error(
                    f"{len(lost)} chunks of {work.target.new.name!r} did not arrive in "
                    f"{self.backend.address}",
                    "workers that see the folder of the store",
                    "Use a shared folder, or an object store",
                )

    def publish(
        self,
        attrs: Mapping[str, Any],
        coords: Collection[str],
        drop: Collection[str] = (),
    ) -> None:
        """Publish all that was written.

        Parameters
        ----------
        attrs
            The panel's attributes.
        coords
            Names of coordinates that are not named like a dim.
        drop
            Arrays that are not to be published any more.
        """
        before = dict(self.base.arrays) if self.base is not None else {}
        kept = {n: m for n, m in before.items() if n not in self._changed and n not in drop}
        version = self.base.version + 1 if self.base is not None else 1
        self._stage.publish(
            self._changed,
            kept,
            snapshots.group_attributes(attrs, tuple(sorted(coords))),
            snapshots.new_books(self._what, version),
        )


def _finished_dates(works: Sequence[Work], written: Sequence[set[str]]) -> int:
    """Count the dates of the blocks that are written in every field."""
    each = [
        {b.chunk: len(b.rows) for b in work.blocks if work.key(b) in done}
        for work, done in zip(works, written, strict=True)
        if work.target.axis is not None and "/" not in work.target.new.name  # no table of rows
    ]
    common = set[int].intersection(*map(set, each)) if each else set()
    return sum(each[0][chunk] for chunk in common)


@contextlib.contextmanager
def watching() -> Iterator[list[int]]:
    """Learn what resumed writes take over.

    Yields
    ------
    list of int
        For each of them the dates that an earlier try has left finished in every field.
    """
    told: list[int] = []
    token = _watching.set(told)
    try:
        yield told
    finally:
        _watching.reset(token)


@contextlib.contextmanager
def transaction(
    backend: Backend,
    what: str,
    *,
    key: str = "write",
    resume: bool = False,
    new: bool = False,
    held: bool = False,
) -> Iterator[Transaction]:
    """Hold the lock of a store, give a transaction, clean up.

    Parameters
    ----------
    backend
        The store.
    what
        The function that writes.
    key
        Tells writes apart, for `resume`.
    resume
        Go on with what an interrupted write of the same key has written; keep it on failure.
    new
        The store need not be there.
    held
        The caller holds the lock.

    Yields
    ------
    Transaction
        Publish it, or it leaves no trace.
    """
    with contextlib.nullcontext() if held else backend.locked(what):
        base = backend.snapshot() if not new or backend.exists() else None
        made = Transaction(backend, base, what, key, resume)
        try:
            yield made
        except BaseException:
            made.discard()
            raise


def write_key(panel: xr.Dataset) -> str:
    """Return what tells one write from another: labels, schema and attributes."""
    digest = hashlib.sha256()
    for dim in (_panel.DATE, _panel.ASSET):
        labels = panel.indexes.get(dim, pd.Index([]))
        digest.update(repr(pd.util.hash_pandas_object(labels).sum()).encode())
    schema = sorted((str(n), str(v.dtype), v.dims, v.shape) for n, v in panel.variables.items())
    attrs = {str(k): values.plain(v) for k, v in panel.attrs.items()}
    digest.update(json.dumps([schema, attrs], default=str, sort_keys=True).encode())
    return digest.hexdigest()[:12]
