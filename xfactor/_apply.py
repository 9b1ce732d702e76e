"""The one road from labels to kernels to dask: `along`, `window`, `reduce`.

A panel is chunked by date with all assets in a chunk, so three primitives carry everything:

- `along`: a kernel over whole rows (all assets of a date); every chunk by itself;
- `window`: a kernel along date that sees some earlier (or later) dates; neighbour chunks only;
- `reduce`: a sum over all dates; chunk, combine as a tree in a fixed order, finalise.

Each takes labelled arrays with the *core* dims that its kernel wants whole; all other dims are
*loop* dims, flattened to one axis before the kernel sees them. Each works on numpy-backed
arrays at once and on dask-backed ones lazily, with the same kernels and the same results.
"""

import contextlib
import itertools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import dask
import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from dask.diagnostics import ProgressBar
from dask.highlevelgraph import HighLevelGraph

from xfactor import panel

Kernel = Callable[..., Any]
Blocks = tuple[np.ndarray, ...]
T = TypeVar("T", xr.DataArray, xr.Dataset)

# Partial sums are combined this many at a time: few enough that a task's inputs stay small,
# many enough that the tree has few levels. Fixed, because the order decides the last bits.
TREE_WIDTH = 8

_HELD = "_xfactor_held"  # a DataArray computed among Datasets


@dataclass(frozen=True)
class Arg:
    """An input: labelled data and the dims that the kernel gets whole, in the kernel's order."""

    data: xr.DataArray
    core: tuple[str, ...] = ()


@dataclass(frozen=True)
class Out:
    """An output: its core dims, its dtype, and the labels of core dims that no input has."""

    core: tuple[str, ...]
    dtype: Any
    labels: Mapping[str, Any] = field(default_factory=dict)


def over_variables(func: Callable[[xr.DataArray], xr.DataArray], x: T, dim: str, what: str) -> T:
    """Apply a transform to a DataArray, or to every variable of a Dataset that has `dim`.

    Parameters
    ----------
    func
        Transform of one array.
    x
        What the caller passed.
    dim
        Dimension the transform works along.
    what
        Public name of the transform, for error messages.

    Returns
    -------
    DataArray or Dataset
        The same kind as `x`, with its dims, order, coords and attrs.
    """
    if isinstance(x, xr.Dataset):
        panel.check_dim(x, dim, what)
        done = {k: one(func, v) if dim in v.dims else v for k, v in x.data_vars.items()}
        return x.assign(done)
    if not isinstance(x, xr.DataArray):
        raise TypeError(f"{what} takes a DataArray or a Dataset; found {type(x).__name__}.")
    panel.check_dim(x, dim, what)
    return one(func, x)


def one(func: Callable[[xr.DataArray], xr.DataArray], x: xr.DataArray) -> xr.DataArray:
    """Apply `func` and give the result the order of dims, the coords, name and attrs of `x`.

    Parameters
    ----------
    func
        Transform of one array.
    x
        The array.

    Returns
    -------
    DataArray
        The result, in the shape of `x`.
    """
    out = func(x).transpose(*x.dims)
    out.attrs.update(x.attrs)
    return out.assign_coords(x.coords).rename(x.name)


def along(
    kernel: Kernel, args: Sequence[Arg], outs: Sequence[Out], *, what: str
) -> tuple[xr.DataArray, ...]:
    """Run a row kernel over every combination of loop labels: every date by itself.

    Parameters
    ----------
    kernel
        ``kernel(*arrays)`` with arrays ``(row, *core)``; returns one array ``(row, *core)``
        per output (a bare array if there is one output).
    args
        Inputs; each is broadcast over the loop dims that it lacks.
    outs
        Outputs.
    what
        Public name of the operation, for error messages.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(*loop, *core)``; dask-backed if any input is.
    """
    args = _checked(args, what)
    loop = _loop_dims(args)
    ordered = [a.data.transpose(*[d for d in loop if d in a.data.dims], *a.core) for a in args]
    dims = [tuple(map(str, a.dims)) for a in ordered]
    block = partial(_row_block, kernel, dims, loop, len(outs))
    arrays = _common_backing([a.data for a in ordered], dims, what)
    if isinstance(arrays[0], np.ndarray):
        results = block(*arrays)
        results = results if len(outs) > 1 else (results,)
    else:
        _whole_cores(args, what)
        results = _blockwise(block, arrays, dims, loop, outs, _sizes(args, outs), what)
    return tuple(_label(r, loop, o, args) for r, o in zip(results, outs, strict=True))


def window(
    kernel: Kernel,
    args: Sequence[Arg],
    outs: Sequence[Out],
    *,
    before: int = 0,
    after: int = 0,
    dim: str = panel.DATE,
    what: str,
) -> tuple[xr.DataArray, ...]:
    """Run a kernel along `dim` that needs `before` earlier and `after` later labels.

    Parameters
    ----------
    kernel
        ``kernel(*arrays, offset=, start=, stop=)`` with arrays ``(date, *core, n)``, n the
        flattened loop; an input without loop dims arrives as ``(date, *core)``. `offset` is the
        position of the first row in the whole history; rows start:stop are wanted, the
        others are there to be looked at. Returns ``(stop - start, *core, n)`` per output.
    args
        Inputs, all with `dim`.
    outs
        Outputs.
    before, after
        How far the kernel looks.
    dim
        The dimension it runs along.
    what
        Public name of the operation, for error messages.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(dim, *loop, *core)``.
    """
    args = _checked(args, what)
    loop = [d for d in _loop_dims(args) if d != dim]
    ordered = [a.data.transpose(dim, *a.core, *[d for d in loop if d in a.data.dims]) for a in args]
    dims = [tuple(map(str, a.dims)) for a in ordered]
    arrays = _common_backing([a.data for a in ordered], dims, what)
    block = partial(_column_block, kernel, dims, loop, len(outs))
    n = ordered[0].sizes[dim]
    if isinstance(arrays[0], np.ndarray):
        results = block(*arrays, offset=0, start=0, stop=n)
        results = results if len(outs) > 1 else (results,)
    else:
        _whole_cores(args, what)
        packed, name = _halo_graph(block, arrays, dims, [dim, *loop], (before, after), what)
        graph = HighLevelGraph.from_collections(name, packed, dependencies=arrays)
        chunks = _chunks(arrays, dims, [dim, *loop])
        sizes = _sizes(args, outs)
        results = _unpack(graph, name, chunks, outs, sizes)
    return tuple(_label(r, [dim, *loop], o, args) for r, o in zip(results, outs, strict=True))


def reduce(
    kernel: Kernel,
    combine: Kernel,
    finalise: Kernel,
    args: Sequence[Arg],
    outs: Sequence[Out],
    *,
    before: int = 0,
    dim: str = panel.DATE,
    what: str,
) -> tuple[xr.DataArray, ...]:
    """Sum over all of `dim` in one pass.

    Parameters
    ----------
    kernel
        As in `window`, but returns a tuple of arrays ``(*anything, n)``: the partial sums of
        rows start:stop.
    combine
        ``combine(earlier, later)`` of two such tuples gives one.
    finalise
        Takes the last tuple, returns ``(*core, n)`` per output.
    args, outs, before, dim, what
        As in `window`.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(*loop, *core)``, without `dim`.
    """
    args = _checked(args, what)
    loop = [d for d in _loop_dims(args) if d != dim]
    ordered = [a.data.transpose(dim, *a.core, *[d for d in loop if d in a.data.dims]) for a in args]
    dims = [tuple(map(str, a.dims)) for a in ordered]
    arrays = _common_backing([a.data for a in ordered], dims, what)
    block = partial(_partial_block, kernel, dims, loop)
    sizes = _sizes(args, outs)
    n = ordered[0].sizes[dim]
    if isinstance(arrays[0], np.ndarray):
        shape = tuple(sizes[d] for d in loop)
        total = block(*arrays, offset=0, start=0, stop=n)
        results = list(_as_tuple(_finish(finalise, len(outs), shape, total)))
    else:
        _whole_cores(args, what)
        packed, name = _halo_graph(block, arrays, dims, [dim, *loop], (before, 0), what)
        results = _tree(packed, name, arrays, dims, combine, finalise, dim, loop, outs, sizes)
    return tuple(_label(r, loop, o, args) for r, o in zip(results, outs, strict=True))


def compute(*objects: Any, progress: bool = False) -> tuple[Any, ...]:
    """Compute lazy results together: what they have in common is read and worked out once.

    Parameters
    ----------
    *objects
        DataArrays and Datasets; anything else is passed through.
    progress
        Show a bar on standard error if it takes more than a second.

    Returns
    -------
    tuple
        The objects, numpy-backed.

    Notes
    -----
    ``dask.compute(dataset)`` of dask 2026.8 raises "Missing dependency" on a Dataset in which one
    variable is made from another; here it is given the arrays.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=30, assets=5, seed=1)
    >>> ranks, mean = xf.compute(xf.rank(panel.returns), panel.returns.mean())
    >>> ranks.shape
    (30, 5)
    """
    held = [o.to_dataset(name=_HELD) if isinstance(o, xr.DataArray) else o for o in objects]
    lazy = [
        (i, name)
        for i, o in enumerate(held)
        if isinstance(o, xr.Dataset)
        for name, v in o.variables.items()
        if v.chunks is not None
    ]
    arrays = [held[i].variables[name].data for i, name in lazy]
    with ProgressBar(minimum=1.0, out=sys.stderr) if progress else contextlib.nullcontext():
        values = dask.compute(*arrays)
    held = [o.copy() if isinstance(o, xr.Dataset) else o for o in held]
    for (i, name), value in zip(lazy, values, strict=True):
        held[i][name] = held[i].variables[name].copy(deep=False, data=value)
    return tuple(
        h[_HELD].rename(o.name) if isinstance(o, xr.DataArray) else h
        for h, o in zip(held, objects, strict=True)
    )


# --- checks -----------------------------------------------------------------------------------


def _checked(args: Sequence[Arg], what: str) -> Sequence[Arg]:
    names = tuple(str(a.data.name or f"input {i}") for i, a in enumerate(args))
    for i in range(len(args)):
        panel.check_same_labels(args[i].data, *[a.data for a in args[i + 1 :]], names=names[i:])
    for a in args:
        for dim in a.core:
            panel.check_dim(a.data, dim, what)
    return args


def _loop_dims(args: Sequence[Arg]) -> list[str]:
    core = {d for a in args for d in a.core}
    found = (str(d) for a in args for d in a.data.dims if d not in core)
    return list(dict.fromkeys(found))


def _sizes(args: Sequence[Arg], outs: Sequence[Out]) -> dict[str, int]:
    sizes = {str(d): n for a in args for d, n in a.data.sizes.items()}
    return sizes | {d: len(v) for o in outs for d, v in o.labels.items()}


def _whole_cores(args: Sequence[Arg], what: str) -> None:
    """Refuse a core dim that is cut into chunks: joining them silently could fill the memory."""
    for a in args:
        for dim in a.core:
            found = len(a.data.chunksizes.get(dim, (1,)))
            if found > 1:
                rows = a.data.chunksizes.get(panel.DATE, (1,))[0]
                cost = a.data.sizes[dim] * rows * a.data.dtype.itemsize / 1e6
                raise panel.error(
                    f"{what} found {found} chunks along {dim!r} in {a.data.name or 'its input'}",
                    f"one chunk along {dim!r}",
                    f"Use x.chunk({dim}=-1): {cost:.3g} MB a block at {rows} dates",
                )


def _common_backing(arrays: list[Any], dims: list[tuple[str, ...]], what: str) -> list[Any]:
    """All numpy, or all dask with equal chunks along the dims that they share."""
    if not any(hasattr(a, "dask") for a in arrays):
        return [np.asarray(a) for a in arrays]
    chunks: dict[str, tuple[int, ...]] = {}
    for a, names in zip(arrays, dims, strict=True):
        if not hasattr(a, "dask"):
            continue
        for dim, cuts in zip(names, a.chunks, strict=True):
            known = chunks.setdefault(dim, cuts)
            if known != cuts:
                raise panel.error(
                    f"{what} found inputs cut differently along {dim!r}: chunks of "
                    f"{known[0]} and of {cuts[0]}",
                    "the same chunks",
                    f"Use .chunk({dim}={known[0]}) on both, or open them with the same chunks",
                )
    return [
        a
        if hasattr(a, "dask")
        else da.from_array(
            np.asarray(a),
            chunks=tuple(chunks.get(d, (s,)) for d, s in zip(n, a.shape, strict=True)),
            name=None,
        )
        for a, n in zip(arrays, dims, strict=True)
    ]


# --- blocks: what one task does ------------------------------------------------------------------


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _row_block(
    kernel: Kernel, dims: list[tuple[str, ...]], loop: list[str], n_out: int, *blocks: Any
) -> Any:
    """Flatten the loop dims to rows, run the kernel, and give the rows their shape back."""
    arrays = [_unwrapped(b) for b in blocks]
    sizes = {
        d: s for a, n in zip(arrays, dims, strict=True) for d, s in zip(n, a.shape, strict=True)
    }
    shape = tuple(sizes[d] for d in loop)
    rows = [_to_rows(a, n, loop, shape) for a, n in zip(arrays, dims, strict=True)]
    results = _as_tuple(kernel(*rows))
    shaped = tuple(r.reshape(shape + r.shape[1:]) for r in results)
    return shaped if n_out > 1 else shaped[0]


def _block_sizes(arrays: Sequence[np.ndarray], dims: list[tuple[str, ...]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for a, names in zip(arrays, dims, strict=True):
        sizes.update(zip(names, a.shape, strict=True))
    return sizes


def _unwrapped(block: Any) -> np.ndarray:
    """Take the array out of the nested lists in which blockwise hands over a contracted dim."""
    while isinstance(block, list):
        (block,) = block
    return np.asarray(block)


def _to_rows(a: np.ndarray, names: tuple[str, ...], loop: list[str], shape: Any) -> np.ndarray:
    n_core = sum(d not in loop for d in names)
    core = a.shape[a.ndim - n_core :]
    view = a.reshape(tuple(s if d in names else 1 for d, s in zip(loop, shape, strict=True)) + core)
    return np.broadcast_to(view, shape + core).reshape((math.prod(shape), *core))


def _column_block(
    kernel: Kernel,
    dims: list[tuple[str, ...]],
    loop: list[str],
    n_out: int,
    *arrays: np.ndarray,
    offset: int,
    start: int,
    stop: int,
) -> Any:
    """Flatten the loop dims to columns, run the kernel, put the loop before the core dims."""
    columns, shape = _to_columns(arrays, dims, loop)
    results = _as_tuple(kernel(*columns, offset=offset, start=start, stop=stop))
    shaped = tuple(np.moveaxis(r, -1, 1).reshape((len(r), *shape, *r.shape[1:-1])) for r in results)
    return shaped if n_out > 1 else shaped[0]


def _partial_block(
    kernel: Kernel,
    dims: list[tuple[str, ...]],
    loop: list[str],
    *arrays: np.ndarray,
    offset: int,
    start: int,
    stop: int,
) -> Any:
    columns, _ = _to_columns(arrays, dims, loop)
    return kernel(*columns, offset=offset, start=start, stop=stop)


def _to_columns(
    arrays: Sequence[np.ndarray], dims: list[tuple[str, ...]], loop: list[str]
) -> tuple[list[np.ndarray], tuple[int, ...]]:
    sizes = {
        d: s for a, n in zip(arrays, dims, strict=True) for d, s in zip(n, a.shape, strict=True)
    }
    shape = tuple(sizes[d] for d in loop)
    columns = []
    for a, names in zip(arrays, dims, strict=True):
        mine = [d for d in names if d in loop]
        if not mine and any(d in loop for n in dims for d in n):
            columns.append(a)
            continue
        lead = a.shape[: a.ndim - len(mine)]
        view = a.reshape(lead + tuple(sizes[d] if d in mine else 1 for d in loop))
        columns.append(np.broadcast_to(view, lead + shape).reshape((*lead, math.prod(shape))))
    return columns, shape


def _halo_block(
    block: Kernel,
    offset: int,
    start: int,
    stop: int,
    drop: int,
    rows: int,
    *pieces: list[np.ndarray],
) -> Any:
    """Join the pieces of neighbour chunks, less the rows that nobody asked for; run the block."""
    arrays = []
    for piece in pieces:
        trimmed = [piece[0][drop:], *piece[1:]]
        surplus = sum(map(len, trimmed)) - rows
        trimmed[-1] = trimmed[-1][: len(trimmed[-1]) - surplus]
        arrays.append(np.concatenate(trimmed) if len(trimmed) > 1 else trimmed[0])
    return block(*arrays, offset=offset, start=start, stop=stop)


# --- graphs -------------------------------------------------------------------------------------


def _blockwise(
    block: Kernel,
    arrays: list[Any],
    dims: list[tuple[str, ...]],
    loop: list[str],
    outs: Sequence[Out],
    sizes: dict[str, int],
    what: str,
) -> list[Any]:
    """Blockwise graph, so that dask fuses it with the elementwise work before and after it."""
    pairs = [p for a, n in zip(arrays, dims, strict=True) for p in (a, n)]
    name = f"xfactor-{what}-" + tokenize(block, *arrays)
    if len(outs) == 1:
        out = outs[0]
        ind = (*loop, *out.core)
        new = {d: sizes[d] for d in out.core if not any(d in n for n in dims)}
        meta = np.empty((0,) * len(ind), dtype=out.dtype)
        return [
            da.blockwise(block, ind, *pairs, name=name, new_axes=new, align_arrays=False, meta=meta)
        ]
    packed = da.blockwise(
        block, tuple(loop), *pairs, name=name, align_arrays=False, dtype=object,
        meta=np.empty((0,) * len(loop), dtype=object),
    )  # fmt: skip
    chunks = packed.chunks
    return _unpack(packed.dask, name, chunks, outs, sizes)


def _unpack(
    graph: HighLevelGraph,
    name: str,
    chunks: tuple[tuple[int, ...], ...],
    outs: Sequence[Out],
    sizes: dict[str, int],
) -> list[Any]:
    """Give each output of a many-valued block an array of its own."""
    indices = list(itertools.product(*[range(len(c)) for c in chunks]))
    results = []
    for k, out in enumerate(outs):
        extra = (0,) * len(out.core)
        meta = np.empty((0,) * (len(chunks) + len(extra)), dtype=out.dtype)
        own_chunks = chunks + tuple((sizes[d],) for d in out.core)
        if len(outs) == 1 and not extra:
            results.append(da.Array(graph, name, own_chunks, meta=meta))
            continue
        own = f"{name}-{k}"
        layer = {
            (own, *ix, *extra): (_pick, (name, *ix), None if len(outs) == 1 else k)
            for ix in indices
        }
        layers: dict[str, Any] = {**graph.layers, own: layer}
        needs: dict[str, Any] = {**graph.dependencies, own: {name}}
        results.append(da.Array(HighLevelGraph(layers, needs), own, own_chunks, meta=meta))
    return results


def _pick(block: Any, k: int | None) -> Any:
    return block if k is None else block[k]


def _chunks(
    arrays: list[Any], dims: list[tuple[str, ...]], loop: list[str]
) -> tuple[tuple[int, ...], ...]:
    known = {
        d: c for a, n in zip(arrays, dims, strict=True) for d, c in zip(n, a.chunks, strict=True)
    }
    return tuple(known[d] for d in loop)


def _halo_graph(
    block: Kernel,
    arrays: list[Any],
    dims: list[tuple[str, ...]],
    loop: list[str],
    halo: tuple[int, int],
    what: str,
) -> tuple[dict[Any, Any], str]:
    """One task per block of the loop; along the first loop dim it also gets its neighbours."""
    chunks = _chunks(arrays, dims, loop)
    edges = np.concatenate([[0], np.cumsum(chunks[0])]).astype(int).tolist()
    name = f"xfactor-{what}-" + tokenize(block, halo, *arrays)
    graph: dict[Any, Any] = {}
    for index in itertools.product(*[range(len(c)) for c in chunks]):
        i = index[0]
        first = max(0, edges[i] - halo[0])
        last = min(edges[-1], edges[i + 1] + halo[1])
        lo = min(int(np.searchsorted(edges, first, side="right")) - 1, i)  # a chunk may be empty
        hi = max(int(np.searchsorted(edges, last, side="left")), i + 1)
        drop = first - edges[lo]
        where = dict(zip(loop, index, strict=True))
        rows = last - first
        pieces = [
            [(a.name, j, *[where.get(d, 0) for d in names[1:]]) for j in range(lo, hi)]
            for a, names in zip(arrays, dims, strict=True)
        ]
        start, stop = edges[i] - first, edges[i + 1] - first
        graph[(name, *index)] = (_halo_block, block, first, start, stop, drop, rows, *pieces)
    return graph, name


def _tree(
    packed: dict[Any, Any],
    name: str,
    arrays: list[Any],
    dims: list[tuple[str, ...]],
    combine: Kernel,
    finalise: Kernel,
    dim: str,
    loop: list[str],
    outs: Sequence[Out],
    sizes: dict[str, int],
) -> list[Any]:
    """Combine the partial sums of all date blocks, always in the same order."""
    chunks = _chunks(arrays, dims, loop)
    n_dates = len(_chunks(arrays, dims, [dim])[0])
    # The blocks may be shared with a reduction that combines or finalises them in another way.
    tree = f"{name}-{tokenize(combine, finalise, outs)}"
    done = f"{tree}-final"
    for index in itertools.product(*[range(len(c)) for c in chunks]):
        keys = [(name, i, *index) for i in range(n_dates)]
        level = 0
        while len(keys) > 1:
            groups = [keys[i : i + TREE_WIDTH] for i in range(0, len(keys), TREE_WIDTH)]
            keys = [(f"{tree}-sum{level}", i, *index) for i in range(len(groups))]
            for key, group in zip(keys, groups, strict=True):
                packed[key] = (_combine_all, combine, group)
            level += 1
        shape = tuple(c[i] for c, i in zip(chunks, index, strict=True))
        packed[(done, *index)] = (_finish, finalise, len(outs), shape, keys[0])
    layers = HighLevelGraph.from_collections(done, packed, dependencies=arrays)
    return _unpack(layers, done, chunks, outs, sizes)


def _combine_all(combine: Kernel, parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = combine(total, part)
    return total


def _finish(finalise: Kernel, n_out: int, shape: tuple[int, ...], total: Any) -> Any:
    results = _as_tuple(finalise(total))
    shaped = tuple(np.moveaxis(r, -1, 0).reshape(shape + r.shape[:-1]) for r in results)
    return shaped if n_out > 1 else shaped[0]


# --- labels -------------------------------------------------------------------------------------


def _label(data: Any, loop: list[str], out: Out, args: Sequence[Arg]) -> xr.DataArray:
    """Put dims and coords on a result: those of the inputs that lie within its dims."""
    dims = (*loop, *out.core)
    coords: dict[Any, Any] = {}
    for a in args:
        for key, coord in a.data.coords.items():
            if set(coord.dims) <= set(dims) and key not in out.labels:
                coords.setdefault(key, coord)
    coords.update({d: list(v) for d, v in out.labels.items()})
    return xr.DataArray(data, dims=dims, coords=coords).rename(None)  # not dask's name
