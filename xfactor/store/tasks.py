"""What a task writes: one chunk of one array, and the graph of all of them."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph

from xfactor import panel as _panel
from xfactor.store import layout, values
from xfactor.store.arrays import Receipt, StoredArray
from xfactor.store.layout import Block


@dataclass(frozen=True)
class Target:
    """One array being written, as a task sees it.

    Parameters
    ----------
    new
        The array to write to.
    old
        The published one, where its values are to be kept.
    axis
        Of the dates (or rows); None if it has none.
    columns
        Axis of the assets, and the positions that the new values go to; None if it has none or
        all assets are given in their order.
    keep
        A missing new value leaves what is there.
    finite
        An infinity is refused.
    """

    new: StoredArray
    old: StoredArray | None
    axis: int | None
    columns: tuple[int, np.ndarray] | None = None
    keep: bool = False
    finite: bool = False

    def write(self, block: Block, given: np.ndarray) -> Receipt:
        """Write one chunk: the new values where they belong, the old ones or nothing elsewhere."""
        given = np.asarray(given)
        if self.finite:
            values.check_finite(self.new.name, given)
        stored = values.stored_values(self.new.name, given, self.new.metadata)
        region = self.new.region(self.axis, block.chunk)
        shape = tuple(s.stop - s.start for s in region)
        if stored.shape != shape or block.kept or self.keep or self.columns is not None:
            stored = self._merged(block, stored, given, shape)
        return self.new.write(region, stored)

    def _merged(
        self, block: Block, stored: np.ndarray, given: np.ndarray, shape: tuple[int, ...]
    ) -> np.ndarray:
        out = np.empty(shape, stored.dtype)
        out[...] = _fill(self.new)
        if block.kept and self.old is not None:
            self._put_old(block, out)
        index: list[Any] = [slice(None)] * len(shape)
        if self.axis is not None:
            index[self.axis] = _positions(block.rows)
        if self.columns is not None:
            index[self.columns[0]] = _positions(self.columns[1])
        where = _orthogonal(index, shape)
        if self.keep:
            known = ~_is_missing(given)
            stored = np.where(known, stored, out[where])
        out[where] = stored
        return out

    def _put_old(self, block: Block, out: np.ndarray) -> None:
        assert self.old is not None
        region = list(self.old.region(None, 0))
        axis = self.axis
        if axis is not None:
            start = block.chunk * self.new.chunks[axis]
            region[axis] = slice(start, start + block.kept)
        found = self.old[tuple(region)]
        out[tuple(slice(0, n) for n in found.shape)] = found


def _fill(array: StoredArray) -> Any:
    fill = array.metadata["fill_value"]
    return float(fill) if array.dtype.kind == "f" else fill


def _positions(at: Any) -> Any:
    """Return positions as a slice where they follow each other: no copy is needed then."""
    if isinstance(at, range):
        return slice(at.start, at.stop)
    at = np.asarray(at, np.int64)
    if len(at) and (np.diff(at) == 1).all():
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def _orthogonal(index: list[Any], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Make an index that takes each dim by itself, also where several have positions."""
    if sum(isinstance(i, np.ndarray) for i in index) < 2:
        return tuple(index)
    full = [
        np.arange(n)[i] if isinstance(i, slice) else i for i, n in zip(index, shape, strict=True)
    ]
    return np.ix_(*full)


def _is_missing(given: np.ndarray) -> np.ndarray:
    if given.dtype.kind == "f":
        return np.isnan(given)
    if given.dtype.kind in "mM":
        return np.isnat(given)
    if given.dtype.kind in "OUT":
        return np.array([v is None or v == "" or v != v for v in given.ravel()]).reshape(
            given.shape
        )
    if _panel.is_codes(given.dtype):
        return given == _panel.MISSING_CODE
    return np.zeros(given.shape, bool)


@dataclass(frozen=True)
class Work:
    """Blocks of one array that are to be written.

    Parameters
    ----------
    target
        The array.
    blocks
        Chunks to be written.
    data
        Their new values one after another along the target's axis: a dask array, or one in memory.
    """

    target: Target
    blocks: Sequence[Block]
    data: Any

    def key(self, block: Block) -> str:
        """Return the name of the chunk that a block becomes."""
        chunk = [0] * self.target.new.ndim
        if self.target.axis is not None:
            chunk[self.target.axis] = block.chunk
        return self.target.new.key(tuple(chunk))

    def aligned(self) -> da.Array:
        """Return the new values cut at the edges of the blocks, everything else whole."""
        chunks: list[Any] = [-1 if n else (0,) for n in self.data.shape]
        if self.target.axis is not None:
            chunks[self.target.axis] = layout.block_lengths(self.blocks)
        if isinstance(self.data, da.Array):
            return self.data.rechunk(dict(enumerate(chunks)))
        return _views(np.asarray(self.data), tuple(chunks))


def _views(data: np.ndarray, chunks: tuple[Any, ...]) -> da.Array:
    """Return an array as dask has it, each block a view: `da.from_array` copies all of it."""
    cut = da.core.normalize_chunks(chunks, data.shape, dtype=data.dtype)
    name = f"xfactor-given-{uuid.uuid4().hex}"
    keys = product([name], *(range(len(lengths)) for lengths in cut))
    blocks = [data[at] for at in da.core.slices_from_chunks(cut)]
    return da.Array(dict(zip(keys, blocks, strict=True)), name, cut, dtype=data.dtype)


def write_tasks(todo: Sequence[tuple[Work, Collection[int]]]) -> da.Array:
    """Return tasks that write blocks, with one last task for each block of dates.

    With a single last task dask takes all blocks to be needed to the end and may compute them
    before it writes any: memory would grow with the history.

    Parameters
    ----------
    todo
        Work, and which of its blocks.

    Returns
    -------
    dask.array.Array
        Compute it, and they are written; it holds a list of receipts for each block of dates.
    """
    layer: dict[Any, Any] = {}
    by_chunk: dict[int, list[Any]] = {}
    sources = []
    name = "xfactor-write-" + tokenize(*[(w.target.new, len(at)) for w, at in todo])
    for j, (work, at) in enumerate(todo):
        data = work.aligned()
        sources.append(data)
        keys = list(flatten(data.__dask_keys__()))
        for i in at:
            block = work.blocks[i]
            source = keys[0 if work.target.axis is None else i]
            # A task for the target, shared by its blocks, would have dask go field by field.
            layer[f"{name}-block", j, i] = (partial(work.target.write, block), source)
            by_chunk.setdefault(block.chunk, []).append((f"{name}-block", j, i))
    for i, chunk in enumerate(sorted(by_chunk)):
        layer[name, i] = (_written, by_chunk[chunk])
    graph = HighLevelGraph.from_collections(name, layer, dependencies=sources)
    return da.Array(graph, name, ((1,) * len(by_chunk),), dtype=object)


def _written(receipts: list[Receipt]) -> np.ndarray:
    made = np.empty(1, dtype=object)
    made[0] = [r for r in receipts if r is not None]
    return made
