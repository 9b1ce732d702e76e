"""Inputs of a primitive: checked, in the order of dims that its kernel wants; labels of outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xarray as xr

from xfactor import panel


@dataclass(frozen=True)
class Arg:
    """An input: labelled data and the dims that the kernel gets whole, in the kernel's order.

    `name` is what errors call data without a name of its own.
    """

    data: xr.DataArray
    core: tuple[str, ...] = ()
    name: str = ""

    def called(self) -> "Arg":
        """The same, its data with a name if it has one to give."""
        if self.data.name is not None or not self.name:
            return self
        return replace(self, data=self.data.rename(self.name))


@dataclass(frozen=True)
class Out:
    """An output: its core dims, its dtype, and the labels of core dims that no input has."""

    core: tuple[str, ...]
    dtype: Any
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Laid:
    """Inputs laid out for the kernel: for each its array and the names of the array's axes."""

    args: Sequence[Arg]
    loop: list[str]
    dims: list[tuple[str, ...]]
    arrays: list[Any]
    sizes: dict[str, int]
    lazy: bool
    what: str


def lay_out(args: Sequence[Arg], outs: Sequence[Out], first: str | None, what: str) -> Laid:
    """Check the inputs and put their axes in order.

    Without `first`: the loop dims, then the core dims. With it: that dim, the core dims, then
    the other loop dims.
    """
    args = [a.called() for a in args]
    _check(args, what)
    core = {d for a in args for d in a.core}
    found = (str(d) for a in args for d in a.data.dims if d not in core)
    loop = [d for d in dict.fromkeys(found) if d != first]
    ordered = []
    for a in args:
        own = [d for d in loop if d in a.data.dims]
        order = [*own, *a.core] if first is None else [first, *a.core, *own]
        ordered.append(a.data.transpose(*order))
    lazy = any(a.chunks is not None for a in ordered)
    if lazy:
        _whole_cores(args, what)
    sizes = {str(d): n for a in args for d, n in a.data.sizes.items()}
    return Laid(
        args,
        loop if first is None else [first, *loop],
        [tuple(map(str, a.dims)) for a in ordered],
        [a.data for a in ordered],
        sizes | {d: len(v) for o in outs for d, v in o.labels.items()},
        lazy,
        what,
    )


def _check(args: Sequence[Arg], what: str) -> None:
    names = tuple(str(a.data.name or f"input {i}") for i, a in enumerate(args))
    for i in range(len(args)):
        panel.check_same_labels(args[i].data, *[a.data for a in args[i + 1 :]], names=names[i:])
    for a in args:
        for dim in a.core:
            panel.check_dim(a.data, dim, what)


def in_order(args: Sequence[Arg], dim: str, what: str) -> None:
    """Refuse dates that are not strictly increasing: what looks along them would see the future."""
    for a in args:
        panel.check_order(a.data, dim, what)


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


def label(data: Any, dims: Sequence[str], out: Out, args: Sequence[Arg]) -> xr.DataArray:
    """Put dims and coords on a result: those of the inputs that lie within its dims."""
    dims = (*dims, *out.core)
    coords: dict[Any, Any] = {}
    for a in args:
        for key, coord in a.data.coords.items():
            if set(coord.dims) <= set(dims) - set(out.labels):
                coords.setdefault(key, coord)
    coords.update({d: list(v) for d, v in out.labels.items()})
    return xr.DataArray(data, dims=dims, coords=coords).rename(None)  # not dask's name
