"""The one road from labels to kernels to dask: `along`, `window`, `reduce`.

A panel is chunked by date with all assets in a chunk, so three primitives carry everything:

- `along`: a kernel over whole rows (all assets of a date); every chunk by itself;
- `window`: a kernel along date that sees some earlier (or later) dates; neighbour chunks only;
- `reduce`: a sum over all dates; chunk, combine as a tree in a fixed order, finalise.

Each takes labelled arrays with the *core* dims that its kernel wants whole; all other dims are
*loop* dims, flattened to one axis before the kernel sees them. Each works on numpy-backed
arrays at once and on dask-backed ones lazily, with the same kernels and the same results.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xfactor import _blocks, _graph, _schedulers, panel
from xfactor._blocks import Kernel
from xfactor._inputs import Arg, Out, in_order, label, lay_out

__all__ = [
    "Arg",
    "Kernel",
    "Out",
    "again",
    "along",
    "collect",
    "compute",
    "one",
    "over_variables",
    "reduce",
    "whole",
    "window",
]

T = TypeVar("T", xr.DataArray, xr.Dataset)

# Bytes that are rather kept than read or made a second time: series, not panels.
KEPT = 2**26

_HELD = "_xfactor_held"  # a DataArray computed among Datasets


def over_variables(
    func: Callable[[xr.DataArray], xr.DataArray],
    x: T,
    dim: str,
    what: str,
    *,
    units: str | None = panel.SAME,
    takes: Callable[[np.dtype], bool] = panel.is_number,
) -> T:
    """Apply a transform to a DataArray, or to the variables of a Dataset that it is meant for.

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
    units
        Units of the result, as in `panel.described`.
    takes
        Tells by its dtype whether a variable of a Dataset is transformed. Those that are not, and
        those without `dim`, stay as they are.

    Returns
    -------
    DataArray or Dataset
        The same kind as `x`, with its dims, order and coords.
    """
    if isinstance(x, xr.Dataset):
        panel.check_dim(x, dim, what)
        meant = {k: v for k, v in x.data_vars.items() if dim in v.dims and takes(v.dtype)}
        return x.assign({k: one(func, v, units) for k, v in meant.items()})
    if not isinstance(x, xr.DataArray):
        raise TypeError(f"{what} takes a DataArray or a Dataset; found {type(x).__name__}.")
    panel.check_dim(x, dim, what)
    return one(func, x, units)


def one(
    func: Callable[[xr.DataArray], xr.DataArray], x: xr.DataArray, units: str | None = panel.SAME
) -> xr.DataArray:
    """Apply `func` and give the result the order of dims, the coords and the name of `x`.

    Coords that only other inputs of `func` have are dropped.

    Parameters
    ----------
    func
        Transform of one array.
    x
        The array.
    units
        Units of the result, as in `panel.described`.

    Returns
    -------
    DataArray
        The result, in the shape of `x`.
    """
    done = x.copy(deep=False, data=func(x).transpose(*x.dims).data)
    done.attrs = panel.described(x.attrs, units)
    done.encoding = {}  # how the values of `x` were stored
    return done


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
    laid = _graph.with_one_backing(lay_out(args, outs, None, what))
    block = _blocks.row_block(laid, kernel, len(outs))
    if laid.lazy:
        results = _graph.blockwise(laid, block, outs)
    else:
        results = _several(block(*laid.arrays), outs)
    return tuple(label(r, laid.loop, o, args) for r, o in zip(results, outs, strict=True))


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
        The dimension it runs along; dates must be strictly increasing.
    what
        Public name of the operation, for error messages.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(dim, *loop, *core)``.
    """
    laid = _graph.with_one_backing(lay_out(args, outs, dim, what))
    in_order(args, dim, what)
    block = _blocks.column_block(laid, kernel, len(outs))
    if laid.lazy:
        results = _graph.windows(laid, block, (before, after), outs)
    else:
        whole = {"offset": 0, "start": 0, "stop": laid.sizes[dim]}
        results = _several(block(*laid.arrays, **whole), outs)
    return tuple(label(r, laid.loop, o, args) for r, o in zip(results, outs, strict=True))


def reduce(
    kernel: Kernel,
    combine: Kernel,
    finalise: Kernel,
    args: Sequence[Arg],
    outs: Sequence[Out],
    *,
    before: int = 0,
    ends: int = 0,
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
        As in `window`; without `before` and `ends` a sum does not depend on the order, and none is
        asked for.
    ends
        How many rows of its inputs a part keeps at each end, to be combined with those of its
        neighbours: they count in what a part takes.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(*loop, *core)``, without `dim`.
    """
    laid = _graph.with_one_backing(lay_out(args, outs, dim, what))
    if before or ends:
        in_order(args, dim, what)
    block = _blocks.partial_block(laid, kernel)
    loop = laid.loop[1:]
    if laid.lazy:
        results = _graph.tree(laid, block, before, ends, combine, finalise, outs)
    else:
        total = block(*laid.arrays, offset=0, start=0, stop=laid.sizes[dim])
        shape = tuple(laid.sizes[d] for d in loop)
        results = _several(_blocks.finish(finalise, len(outs), shape, total), outs)
    return tuple(label(r, loop, o, args) for r, o in zip(results, outs, strict=True))


def again(
    arrays: Sequence[xr.DataArray], after: Sequence[xr.DataArray]
) -> tuple[list[xr.DataArray], list[xr.DataArray]]:
    """Return `arrays` to be read a second time, once `after` has been made of them.

    Without this a scheduler reads each block once and keeps it until its second use, which waits
    for the last block: it would hold the panel.

    Parameters
    ----------
    arrays
        What is needed twice.
    after
        What the first pass over them gives.

    Returns
    -------
    tuple of two lists of DataArray
        The same `arrays`, those that are in memory or no larger than `KEPT` as they were; and the
        same `after`, to be used with them.
    """
    panels = [a for a in arrays if a.chunks is not None and a.nbytes > KEPT]
    if not panels or any(a.chunks is None for a in after):
        return list(arrays), list(after)
    read, known = _graph.again([a.data for a in panels], [a.data for a in after])
    second = {id(a): a.copy(data=data) for a, data in zip(panels, read, strict=True)}
    return [second.get(id(a), a) for a in arrays], [
        a.copy(data=data) for a, data in zip(after, known, strict=True)
    ]


def whole(x: xr.DataArray, dim: str = panel.DATE) -> xr.DataArray:
    """Return a short series in one block: a task for all dates instead of several for each block.

    Parameters
    ----------
    x
        One number, or a few, for each date.
    dim
        The dates.

    Returns
    -------
    DataArray
        `x`, in one block along `dim` if it is lazy and no larger than `KEPT`.
    """
    small = x.chunks is not None and x.nbytes <= KEPT
    return x.chunk({dim: -1}) if small else x


def collect(kernel: Kernel, args: Sequence[Arg], *, what: str, progress: bool = False) -> list[Any]:
    """Run a kernel on each block of rows, now, and bring what it gives into memory.

    Parameters
    ----------
    kernel
        ``kernel(*arrays)`` with the arrays of one block, loop dims first; returns what is small
        beside them, of any type.
    args
        Inputs, all with the same one loop dim.
    what
        Public name of the operation, for error messages.
    progress
        Show a bar on standard error if it takes more than a second.

    Returns
    -------
    list
        What the kernel gave for each block, in order.
    """
    laid = _graph.with_one_backing(lay_out(args, (), None, what))
    if not laid.lazy:
        return [kernel(*laid.arrays)]
    return _schedulers.pieces(_graph.blocks(laid, kernel), progress)


def _several(result: Any, outs: Sequence[Out]) -> list[np.ndarray]:
    return list(result) if len(outs) > 1 else [result]


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
        The objects in their order, numpy-backed.

    Raises
    ------
    PanelError
        If a cluster has no workers, or a step takes them with it; if a chunk of a store cannot be
        read, or a step itself raises one. Other errors of a step come through as they are.

    Notes
    -----
    ``dask.compute(dataset)`` of dask 2026.8 raises "Missing dependency" on a Dataset in which one
    variable is made from another; here it is given the arrays. With an active
    ``distributed.Client`` it runs there, the tasks of each block of dates drawn together.

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
    values = _schedulers.compute(*arrays, progress=progress)
    held = [o.copy() if isinstance(o, xr.Dataset) else o for o in held]
    for (i, name), value in zip(lazy, values, strict=True):
        held[i][name] = held[i].variables[name].copy(deep=False, data=value)
    return tuple(
        h[_HELD].rename(o.name) if isinstance(o, xr.DataArray) else h
        for h, o in zip(held, objects, strict=True)
    )
