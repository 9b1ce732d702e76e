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

from xfactor import _apply, panel

# What a task gives back beside its arrays. It counts as one more output, so that a block is a
# tuple even where the kernel has a single output.
_STATE = _apply.Out((), np.dtype(object))


def scan(
    kernel: _apply.Kernel,
    args: Sequence[_apply.Arg],
    outs: Sequence[_apply.Out],
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
        The dimension it runs along.
    what
        Public name of the operation, for error messages.

    Returns
    -------
    tuple of DataArray
        One per output, dims ``(dim, *loop, *core)``; dask-backed if any input is.
    """
    args = _apply._checked(args, what)
    for a in args:
        panel.check_dim(a.data, dim, what)
    loop = [d for d in _apply._loop_dims(args) if d != dim]
    ordered = [a.data.transpose(dim, *a.core, *[d for d in loop if d in a.data.dims]) for a in args]
    dims = [tuple(map(str, a.dims)) for a in ordered]
    arrays = _apply._common_backing([a.data for a in ordered], dims, what)
    block = partial(_scan_block, kernel, dims, loop)
    if isinstance(arrays[0], np.ndarray):
        results = list(block(0, None, *arrays)[:-1])
    else:
        _apply._whole_cores(args, what)
        packed, name = _chain(block, arrays, dims, [dim, *loop], what)
        graph = HighLevelGraph.from_collections(name, packed, dependencies=arrays)
        chunks = _apply._chunks(arrays, dims, [dim, *loop])
        sizes = _apply._sizes(args, outs)
        results = _apply._unpack(graph, name, chunks, [*outs, _STATE], sizes)[:-1]
    labelled = (_apply._label(r, [dim, *loop], o, args) for r, o in zip(results, outs, strict=True))
    return tuple(x.rename(None) for x in labelled)  # xarray takes the name of a dask array over


def _scan_block(
    kernel: _apply.Kernel,
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
    columns, shape = _apply._to_columns(arrays, dims, loop)
    results, state = kernel(None if before is None else before[-1], *columns, offset=offset)
    shaped = [np.moveaxis(r, -1, 1).reshape((len(r), *shape, *r.shape[1:-1])) for r in results]
    return (*shaped, state)


def _chain(
    block: _apply.Kernel,
    arrays: list[Any],
    dims: list[tuple[str, ...]],
    loop: list[str],
    what: str,
) -> tuple[dict[Any, Any], str]:
    """One task per block; along the first loop dim each gets the result of the one before."""
    chunks = _apply._chunks(arrays, dims, loop)
    edges = np.concatenate([[0], np.cumsum(chunks[0])]).astype(int).tolist()
    name = f"xfactor-{what}-" + tokenize(block, *arrays)
    graph: dict[Any, Any] = {}
    for index in itertools.product(*[range(len(c)) for c in chunks]):
        i, *rest = index
        where = dict(zip(loop, index, strict=True))
        pieces = [
            (a.name, *[where.get(d, 0) for d in names])
            for a, names in zip(arrays, dims, strict=True)
        ]
        before = (name, i - 1, *rest) if i else None
        graph[(name, *index)] = (block, edges[i], before, *pieces)
    return graph, name
