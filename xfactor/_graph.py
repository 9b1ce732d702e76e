"""Which tasks there are.

Arrays here have axes with names (`Laid.dims`) and no labels. Loop dims are those that a kernel
sees flattened to one axis.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.graph_manipulation import bind, wait_on
from dask.highlevelgraph import HighLevelGraph

from xfactor import _nbytes, panel
from xfactor._blocks import Kernel, combine_all, edge, finish, halo_block, unwrapped
from xfactor._inputs import Laid, Out

# Partial sums are combined this many at a time: few enough that a task's inputs stay small,
# many enough that the tree has few levels. Fixed, because the order decides the last bits.
TREE_WIDTH = 8


def with_one_backing(laid: Laid) -> Laid:
    """All inputs numpy arrays, or all dask arrays with equal chunks along the dims they share."""
    if not laid.lazy:
        return replace(laid, arrays=[np.asarray(a) for a in laid.arrays])
    cuts: dict[str, tuple[int, ...]] = {}
    first: dict[str, str] = {}
    for i, (a, names) in enumerate(zip(laid.arrays, laid.dims, strict=True)):
        for dim, own in zip(names, getattr(a, "chunks", ()), strict=False):
            name = str(laid.args[i].data.name or f"input {i}")
            known = cuts.setdefault(dim, own)
            other = first.setdefault(dim, name)
            if known != own:
                subject = f"{laid.what} found inputs"
                raise panel.cut_differently(subject, dim, (name, own), (other, known))

    def lazy(a: Any, names: tuple[str, ...]) -> Any:
        if hasattr(a, "dask"):
            return a
        own = tuple(cuts.get(d, (s,)) for d, s in zip(names, a.shape, strict=True))
        return da.from_array(np.asarray(a), chunks=own, name=None)

    return replace(laid, arrays=list(map(lazy, laid.arrays, laid.dims)))


def blockwise(laid: Laid, block: Kernel, outs: Sequence[Out]) -> list[Any]:
    """One task per block; blockwise, so that dask fuses it with elementwise work around it."""
    pairs = [p for a, n in zip(laid.arrays, laid.dims, strict=True) for p in (a, n)]
    name = f"xfactor-{laid.what}-" + tokenize(block, outs, *laid.arrays)
    if len(outs) == 1:
        out = outs[0]
        ind = (*laid.loop, *out.core)
        new = {d: laid.sizes[d] for d in out.core if not any(d in n for n in laid.dims)}
        meta = np.empty((0,) * len(ind), dtype=out.dtype)
        made = da.blockwise(
            block, ind, *pairs, name=name, new_axes=new, align_arrays=False, meta=meta
        )
        _nbytes.note(name, made.chunks, made.dtype.itemsize)
        return [made]
    meta = np.empty((0,) * len(laid.loop), dtype=object)
    packed = da.blockwise(
        block, tuple(laid.loop), *pairs, name=name, align_arrays=False, dtype=object, meta=meta
    )
    return unpack(packed.dask, name, packed.chunks, outs, laid.sizes)


def blocks(laid: Laid, kernel: Kernel) -> da.Array:
    """An array with one result of any type per block of the only loop dim."""
    pairs = [p for a, n in zip(laid.arrays, laid.dims, strict=True) for p in (a, n)]
    name = f"xfactor-{laid.what}-" + tokenize(kernel, *laid.arrays)
    block = partial(_plain_block, kernel)
    meta = np.empty((0,), dtype=object)
    return da.blockwise(
        block, tuple(laid.loop), *pairs, name=name, align_arrays=False, dtype=object, meta=meta
    )


def _plain_block(kernel: Kernel, *blocks: Any) -> Any:
    return kernel(*[unwrapped(b) for b in blocks])


def unpack(
    graph: HighLevelGraph,
    name: str,
    chunks: tuple[tuple[int, ...], ...],
    outs: Sequence[Out],
    sizes: dict[str, int],
) -> list[Any]:
    """Give each output of a many-valued block an array of its own."""
    indices = list(itertools.product(*[range(len(c)) for c in chunks]))
    results = []
    _nbytes.note(name, chunks, _nbytes.cell_bytes(outs, sizes))
    for k, out in enumerate(outs):
        extra = (0,) * len(out.core)
        meta = np.empty((0,) * (len(chunks) + len(extra)), dtype=out.dtype)
        own_chunks = chunks + tuple((sizes[d],) for d in out.core)
        if len(outs) == 1 and not extra:
            results.append(da.Array(graph, name, own_chunks, meta=meta))
            continue
        own = f"{name}-{k}"
        _nbytes.note(own, own_chunks, meta.dtype.itemsize)
        which = None if len(outs) == 1 else k
        layer = {(own, *ix, *extra): (pick, (name, *ix), which) for ix in indices}
        layers: dict[str, Any] = {**graph.layers, own: layer}
        needs: dict[str, Any] = {**graph.dependencies, own: {name}}
        results.append(da.Array(HighLevelGraph(layers, needs), own, own_chunks, meta=meta))
    return results


def pick(block: Any, k: int | None) -> Any:
    """One of the outputs of a block, not copied."""
    return block if k is None else block[k]


def chunks_of(laid: Laid, dims: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Chunks along each of `dims`."""
    known: dict[str, tuple[int, ...]] = {}
    for a, names in zip(laid.arrays, laid.dims, strict=True):
        known.update(zip(names, a.chunks, strict=True))
    return tuple(known[d] for d in dims)


def edges_of(cuts: Sequence[int]) -> list[int]:
    """Where chunks begin and end."""
    return [0, *itertools.accumulate(cuts)]


def windows(laid: Laid, block: Kernel, halo: tuple[int, int], outs: Sequence[Out]) -> list[Any]:
    """One task per block of the loop, with its neighbours along the first loop dim."""
    tasks, name = _halo_tasks(laid, block, halo)
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=laid.arrays)
    return unpack(graph, name, chunks_of(laid, laid.loop), outs, laid.sizes)


def _halo_tasks(laid: Laid, block: Kernel, halo: tuple[int, int]) -> tuple[dict[Any, Any], str]:
    chunks = chunks_of(laid, laid.loop)
    edges = edges_of(chunks[0])
    name = f"xfactor-{laid.what}-" + tokenize(block, halo, *laid.arrays)
    tasks: dict[Any, Any] = {}
    for index in itertools.product(*[range(len(c)) for c in chunks]):
        i = index[0]
        first = max(0, edges[i] - halo[0])
        last = min(edges[-1], edges[i + 1] + halo[1])
        lo = min(int(np.searchsorted(edges, first, side="right")) - 1, i)  # a chunk may be empty
        hi = max(int(np.searchsorted(edges, last, side="left")), i + 1)
        place = dict(zip(laid.loop, index, strict=True))
        pieces: list[list[Any]] = []
        for a, names in zip(laid.arrays, laid.dims, strict=True):
            rest = [place.get(d, 0) for d in names[1:]]
            pieces.append([])
            for j in range(lo, hi):
                rows = max(first - edges[j], 0), min(last, edges[j + 1]) - edges[j]
                if rows == (0, edges[j + 1] - edges[j]):
                    pieces[-1].append((a.name, j, *rest))
                else:
                    pieces[-1].append((_edge(a, rows), j, *rest))
                    tasks[pieces[-1][-1]] = (edge, (a.name, j, *rest), *rows)
        start, stop = edges[i] - first, edges[i + 1] - first
        tasks[(name, *index)] = (halo_block, block, first, start, stop, *pieces)
    return tasks, name


def _edge(a: Any, rows: tuple[int, int]) -> str:
    """The name of the tasks that take these rows of a block of `a`, and note how large they are.

    A window needs little of the block before: no more is kept or sent to another worker.
    """
    name = "edge-" + tokenize(a.name, rows)
    chunks = ((rows[1] - rows[0],) * a.numblocks[0], *a.chunks[1:])
    _nbytes.note(name, chunks, a.dtype.itemsize)
    return name


def tree(
    laid: Laid,
    block: Kernel,
    before: int,
    ends: int,
    combine: Kernel,
    finalise: Kernel,
    outs: Sequence[Out],
) -> list[Any]:
    """Partial sums of all date blocks, combined always in the same order.

    A block takes `before` rows of the one before; a part keeps `ends` rows at each end of its own.
    """
    tasks, name = _halo_tasks(laid, block, (before, 0))
    dates, *chunks = chunks_of(laid, laid.loop)
    # The blocks may be shared with a reduction that combines or finalises them in another way.
    own = f"{name}-{tokenize(combine, finalise, outs)}"
    levels = _levels(name, own, len(dates))
    columns = len(laid.arrays)
    for level, (part, count) in enumerate(levels):
        rows = min(ends, max(dates) * TREE_WIDTH**level)
        # Sums of products, to twice the digits, and the ends, for each column.
        cell_bytes = 16.0 * ((columns + 2) ** 2 + columns * rows)
        _nbytes.note(part, ((1,) * count, *chunks), cell_bytes)
    done = f"{own}-final"
    for index in itertools.product(*[range(len(c)) for c in chunks]):
        for (part, count), (total, _) in itertools.pairwise(levels):
            keys = [(part, i, *index) for i in range(count)]
            for i in range(0, count, TREE_WIDTH):
                group = keys[i : i + TREE_WIDTH]
                tasks[(total, i // TREE_WIDTH, *index)] = (combine_all, combine, group)
        shape = tuple(c[i] for c, i in zip(chunks, index, strict=True))
        tasks[(done, *index)] = (finish, finalise, len(outs), shape, (levels[-1][0], 0, *index))
    graph = HighLevelGraph.from_collections(done, tasks, dependencies=laid.arrays)
    return unpack(graph, done, tuple(chunks), outs, laid.sizes)


def _levels(name: str, own: str, count: int) -> list[tuple[str, int]]:
    """Names of the partial sums, from the blocks of dates up, and how many there are of each."""
    levels = [(name, count)]
    while count > 1:
        count = -(-count // TREE_WIDTH)
        levels.append((f"{own}-sum{len(levels) - 1}", count))
    return levels


def again(arrays: Sequence[Any], after: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The same arrays by tasks of their own, none of which starts before all of `after` is known.

    What two arrays have in common they have in common again: the seed is that of `after` alone.
    `after` comes back behind the same gate: what is still to be made of it would otherwise seem to
    have time, and dask would read blocks ahead that wait for it.
    """
    seed = tokenize(*[a.name for a in after])
    known = wait_on(*after) if len(after) > 1 else (wait_on(*after),)
    return [bind(a, list(after), seed=seed) for a in arrays], list(known)
