"""What one task of a primitive does: its blocks in the shape that kernels see, and back."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from xfactor._inputs import Laid

Kernel = Callable[..., Any]


def row_block(laid: Laid, kernel: Kernel, n_out: int) -> Kernel:
    """A function of blocks: flatten the loop to rows, run the kernel, give the rows their shape."""
    return partial(_row_block, kernel, laid.dims, laid.loop, n_out)


def _row_block(
    kernel: Kernel, dims: list[tuple[str, ...]], loop: list[str], n_out: int, *blocks: Any
) -> Any:
    arrays = [unwrapped(b) for b in blocks]
    sizes = _sizes(arrays, dims)
    shape = tuple(sizes[d] for d in loop)
    rows = [_to_rows(a, n, loop, shape) for a, n in zip(arrays, dims, strict=True)]
    results = as_tuple(kernel(*rows))
    shaped = tuple(r.reshape(shape + r.shape[1:]) for r in results)
    return shaped if n_out > 1 else shaped[0]


def column_block(laid: Laid, kernel: Kernel, n_out: int) -> Kernel:
    """A function of blocks: flatten the loop to columns, run the kernel, loop before core dims."""
    return partial(_column_block, kernel, laid.dims, laid.loop[1:], n_out)


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
    columns, shape = to_columns(arrays, dims, loop)
    results = as_tuple(kernel(*columns, offset=offset, start=start, stop=stop))
    shaped = tuple(np.moveaxis(r, -1, 1).reshape((len(r), *shape, *r.shape[1:-1])) for r in results)
    return shaped if n_out > 1 else shaped[0]


def partial_block(laid: Laid, kernel: Kernel) -> Kernel:
    """A function of blocks: flatten the loop to columns and run a kernel of partial sums."""
    return partial(_partial_block, kernel, laid.dims, laid.loop[1:])


def _partial_block(
    kernel: Kernel, dims: list[tuple[str, ...]], loop: list[str], *arrays: np.ndarray, **where: int
) -> Any:
    return kernel(*to_columns(arrays, dims, loop)[0], **where)


def as_tuple(result: Any) -> tuple[Any, ...]:
    """A kernel's result as a tuple, also of one."""
    return result if isinstance(result, tuple) else (result,)


def to_columns(
    arrays: Sequence[np.ndarray], dims: list[tuple[str, ...]], loop: list[str]
) -> tuple[list[np.ndarray], tuple[int, ...]]:
    """Arrays (date, *core, n), n the flattened `loop`, and its shape; an input without loop dims
    stays as it is, unless none has any.
    """  # noqa: D205
    sizes = _sizes(arrays, dims)
    shape = tuple(sizes[d] for d in loop)
    looped = any(d in loop for n in dims for d in n)
    columns = []
    for a, names in zip(arrays, dims, strict=True):
        mine = [d for d in names if d in loop]
        if looped and not mine:
            columns.append(a)
            continue
        lead = a.shape[: a.ndim - len(mine)]
        view = a.reshape(lead + tuple(sizes[d] if d in mine else 1 for d in loop))
        columns.append(_broadcast(view, lead + shape).reshape((*lead, math.prod(shape))))
    return columns, shape


def _to_rows(a: np.ndarray, names: tuple[str, ...], loop: list[str], shape: Any) -> np.ndarray:
    n_core = sum(d not in loop for d in names)
    core = a.shape[a.ndim - n_core :]
    view = a.reshape(tuple(s if d in names else 1 for d, s in zip(loop, shape, strict=True)) + core)
    return _broadcast(view, shape + core).reshape((math.prod(shape), *core))


def _broadcast(a: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """As `np.broadcast_to`, whose views are never writable: a kernel would copy them."""
    return a if a.shape == shape else np.broadcast_to(a, shape)


def _sizes(arrays: Sequence[np.ndarray], dims: list[tuple[str, ...]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for a, names in zip(arrays, dims, strict=True):
        sizes.update(zip(names, a.shape, strict=True))
    return sizes


def unwrapped(block: Any) -> np.ndarray:
    """Take the array out of the nested lists in which blockwise hands over a contracted dim."""
    while isinstance(block, list):
        (block,) = block
    return np.asarray(block)


def edge(block: np.ndarray, first: int, last: int) -> np.ndarray:
    """Some rows of a block, copied: they do not keep the others in memory."""
    return block[first:last].copy()


def halo_block(block: Kernel, offset: int, start: int, stop: int, *pieces: list[np.ndarray]) -> Any:
    """Join a chunk and what is needed of its neighbours; run the block."""
    arrays = [np.concatenate(p) if len(p) > 1 else p[0] for p in pieces]
    return block(*arrays, offset=offset, start=start, stop=stop)


def finish(finalise: Kernel, n_out: int, shape: tuple[int, ...], total: Any) -> Any:
    """Finalise summed parts and give the columns the shape of the loop."""
    results = as_tuple(finalise(total))
    shaped = tuple(np.moveaxis(r, -1, 0).reshape(shape + r.shape[:-1]) for r in results)
    return shaped if n_out > 1 else shaped[0]


def combine_all(combine: Kernel, parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = combine(total, part)
    return total
