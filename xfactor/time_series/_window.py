"""How a transform along date reaches its kernel."""

from functools import partial
from typing import Any, TypeVar

import xarray as xr

from xfactor import _apply

T = TypeVar("T", xr.DataArray, xr.Dataset)


def window(
    kernel: _apply.Kernel,
    x: xr.DataArray,
    dim: str,
    before: int,
    after: int,
    what: str,
    **options: Any,
) -> xr.DataArray:
    """Run a window kernel of one input and one output of the same dtype."""
    run = partial(kernel, **options)
    args, outs = [_apply.Arg(x)], [_apply.Out((), x.dtype)]
    return _apply.window(run, args, outs, before=before, after=after, dim=dim, what=what)[0]
