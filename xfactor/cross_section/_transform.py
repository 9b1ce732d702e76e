"""How a transform along asset reaches its kernel, with what goes beside the values."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xfactor import _apply, panel

T = TypeVar("T", xr.DataArray, xr.Dataset)
Array = xr.DataArray | None


def transform(
    kernel: _apply.Kernel,
    x: T,
    dim: str,
    what: str,
    *,
    where: Array = None,
    dtype: Any = None,
    units: str | None = panel.SAME,
    labelled: bool = False,
    beside: Mapping[str, Array] | None = None,
    **options: Any,
) -> T:
    """Run a row kernel that keeps the shape; a `labelled` one gets the columns' label order.

    Arrays in `beside` reach the kernel under their names: ``by`` and masks as they are, all else
    as floats. `units` are those of the result, as in `panel.described`; one of another dtype, a
    mask or a bucket, is another quantity.
    """
    units = units if dtype is None else "1"

    def one(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        own = dict(options)
        if labelled and dim in v.indexes:
            own["order"] = panel.label_order(v.indexes[dim])
        out = _apply.Out((dim,), dtype or v.dtype)
        return run(kernel, v, dim, what, out, beside or {}, own)

    return _apply.over_variables(one, x, dim, what, units=units)


def run(
    kernel: _apply.Kernel,
    x: xr.DataArray,
    dim: str,
    what: str,
    out: _apply.Out,
    beside: Mapping[str, Array],
    options: Mapping[str, Any],
) -> xr.DataArray:
    """Run a row kernel on one array and on what goes beside it."""
    args, names = [_apply.Arg(x, (dim,))], []
    for name, other in beside.items():
        if other is None:
            continue
        other = _checked(x, other, name, dim)
        args.append(_apply.Arg(other.rename(name), (dim,) if dim in other.dims else ()))
        names.append(name)
    call = partial(_call, kernel, tuple(names), dict(options))
    return _apply.along(call, args, [out], what=what)[0]


def _checked(x: xr.DataArray, other: xr.DataArray, name: str, dim: str) -> xr.DataArray:
    if name == "by":
        panel.check_codes(x, other, name)
    elif name in ("where", "breakpoints_from"):
        panel.check_mask(x, other, name)
    else:
        panel.check_numbers(x, other, name)
        if name.startswith("exposure") and dim not in other.dims:
            raise panel.error(
                f"{name} has no dimension {dim!r}",
                f"exposures that vary along {dim!r}",
                "Leave it out: a constant is always among the regressors",
            )
        other = panel.as_float(other)
    return panel.bare(x, other)


def _call(
    kernel: _apply.Kernel,
    names: tuple[str, ...],
    options: Mapping[str, Any],
    x: np.ndarray,
    *others: np.ndarray,
) -> Any:
    wide = [np.broadcast_to(a[:, None], x.shape) if a.ndim == 1 else a for a in others]
    return kernel(x, **dict(zip(names, wide, strict=True)), **options)
