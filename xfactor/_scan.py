"""A fourth primitive beside those of `_apply`: `scan` carries a state along date.

Recursions (a price path, an exponential weight) need what came before, but as a state of fixed
size and not as a window of rows. `scan` runs them as one chain of tasks, block after block, each
handing its state to the next.
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from xfactor import _blocks, _graph, panel
from xfactor._blocks import Kernel
from xfactor._inputs import Arg, Laid, Out, in_order, label, lay_out

# What a task gives back beside its arrays. It counts as one more output, so that a block is a
# tuple even where the kernel has a single output.
_STATE = Out((), np.dtype(object))


def scan(
    kernel: Kernel,
    args: Sequence[Arg],
    outs: Sequence[Out],
    *,
    dim: str = panel.DATE,
    what: str,
) -> tuple[xr.DataArray, ...]:
    """Run a kernel along `dim` that carries a state from row to row.

    Parameters
    ----------
    kernel
        ``kernel(state, *arrays, offset=)`` with arrays ``(date, *core, n)``, n the flattened
        loop, as in `_apply.window`; an input without loop dims arrives as ``(date, *core)``.
        `offset` is the position of the first row in the whole history; `state` is what the
        kernel gave back for the rows before, None at the first. Returns a tuple of arrays
        ``(date, *core, n)``, one per output, and the new state. The state that came in must
        stay as it is: a task may run twice. Results do not depend on the chunks if the kernel
        takes one row at a time.
    args
        Inputs, all with `dim`. Memory stays bounded if one of them is read or made block by
        block: dask finishes what follows from a block before it opens the next one's source.
        With nothing to open it would run the whole chain, and hold it, before anything else.
    outs
        Outputs.
    dim
        The dimension it runs along; dates must be strictly increasing.
    what
        Public name of the operation, for error messages.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(dim, *loop, *core)``; dask-backed if any input is.
    """
    for a in args:
        panel.check_dim(a.data, dim, what)
    laid = _graph.with_one_backing(lay_out(args, outs, dim, what))
    in_order(args, dim, what)
    block = partial(_scan_block, kernel, laid.dims, laid.loop[1:])
    if laid.lazy:
        tasks, name = _chain(laid, block)
        graph = HighLevelGraph.from_collections(name, tasks, dependencies=laid.arrays)
        chunks = _graph.chunks_of(laid, laid.loop)
        results = _graph.unpack(graph, name, chunks, [*outs, _STATE], laid.sizes)[:-1]
    else:
        results = list(block(0, None, *laid.arrays)[:-1])
    return tuple(label(r, laid.loop, o, args) for r, o in zip(results, outs, strict=True))


def _scan_block(
    kernel: Kernel,
    dims: list[tuple[str, ...]],
    loop: list[str],
    offset: int,
    before: tuple[Any, ...] | None,
    *arrays: np.ndarray,
) -> tuple[Any, ...]:
    """One block: the kernel's arrays with the loop before the core dims, then its state.

    `before` is the whole block of earlier dates, not its state alone: one task less per block,
    and schedulers run a task where the largest of its inputs lies, so nothing moves.
    """
    columns, shape = _blocks.to_columns(arrays, dims, loop)
    results, state = kernel(None if before is None else before[-1], *columns, offset=offset)
    shaped = [np.moveaxis(r, -1, 1).reshape((len(r), *shape, *r.shape[1:-1])) for r in results]
    return (*shaped, state)


def _chain(laid: Laid, block: Kernel) -> tuple[dict[Any, Any], str]:
    """One task per block; along the first loop dim each gets the result of the one before."""
    chunks = _graph.chunks_of(laid, laid.loop)
    edges = _graph.edges_of(chunks[0])
    name = f"xfactor-{laid.what}-" + tokenize(block, *laid.arrays)
    tasks: dict[Any, Any] = {}
    for index in itertools.product(*[range(len(c)) for c in chunks]):
        i, *rest = index
        place = dict(zip(laid.loop, index, strict=True))
        pieces = [
            (a.name, *[place.get(d, 0) for d in names])
            for a, names in zip(laid.arrays, laid.dims, strict=True)
        ]
        before = (name, i - 1, *rest) if i else None
        tasks[(name, *index)] = (block, edges[i], before, *pieces)
    return tasks, name
