"""How a transform along date reaches its kernel."""

from functools import partial
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xfactor import _apply, panel

T = TypeVar("T", xr.DataArray, xr.Dataset)


def movable(x: xr.DataArray) -> tuple[xr.DataArray, Any]:
    """`x` in a dtype that has a missing value, and that value: NaN, NaT, -1 or False.

    Counts have none and become float64. Bytes are native, as kernels want them.
    """
    if x.dtype.kind in "Mmb" or panel.is_codes(x.dtype):
        x = x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    else:
        x = panel.as_float(x)
    return x, panel.missing(x.dtype)


def any_dtype(dtype: np.dtype) -> bool:
    """What moves values takes all fields of a Dataset, and refuses those it cannot move."""
    return True


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
