"""What values stand for: numbers, codes, missing ones; what their attributes say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

MISSING_CODE = -1
# Units of a transform's result: those of its input. Else "1", or None for units of its own.
SAME = "same"
# Attributes that say what quantity an array holds, and are untrue of another one made from it.
ABOUT_QUANTITY = (
    "standard_name", "long_name", "flag_values", "flag_meanings", "flag_masks",
    "valid_min", "valid_max", "valid_range",
)  # fmt: skip


def is_codes(dtype: np.dtype) -> bool:
    """Tell whether arrays of `dtype` hold codes, of which -1 is the missing one.

    Parameters
    ----------
    dtype
        Of an array.

    Returns
    -------
    bool
        True for signed integers of at most 4 bytes, of any byte order. Others are counts.
    """
    return dtype.kind == "i" and dtype.itemsize <= 4


def is_number(dtype: np.dtype) -> bool:
    """Tell whether arrays of `dtype` hold numbers, and not codes, a mask, dates or text.

    Parameters
    ----------
    dtype
        Of an array.

    Returns
    -------
    bool
        What a transform of a Dataset changes.
    """
    return dtype.kind in "fiu" and not is_codes(dtype)


def missing(dtype: np.dtype) -> Any:
    """Return what stands for a missing value in arrays of `dtype`.

    Parameters
    ----------
    dtype
        Of an array.

    Returns
    -------
    numpy.generic or None
        NaN, NaT, -1 for codes, False for masks; None where nothing does (counts, text).
    """
    if is_codes(dtype):
        return dtype.type(MISSING_CODE)
    known = {"f": np.nan, "M": "NaT", "m": "NaT", "b": False}
    return np.array(known[dtype.kind], dtype=dtype)[()] if dtype.kind in known else None


def described(attrs: Mapping[Any, Any], units: str | None = SAME) -> dict[Any, Any]:
    """Return the attributes of what a transform made of an array with `attrs`.

    Parameters
    ----------
    attrs
        Attributes of the array.
    units
        `SAME` keeps all. Otherwise the result is another quantity, and what names the old one
        goes; its units are "1" if the array had any, or dropped if None is given.

    Returns
    -------
    dict
        The attributes.
    """
    if units == SAME:
        return dict(attrs)
    kept = {k: v for k, v in attrs.items() if k not in (*ABOUT_QUANTITY, "units")}
    return kept | ({"units": units} if units is not None and "units" in attrs else {})


def as_float(x: xr.DataArray) -> xr.DataArray:
    """Return `x` with a floating dtype: float32 and float64 are kept, all else becomes float64.

    Parameters
    ----------
    x
        Any numeric or boolean array.

    Returns
    -------
    xarray.DataArray
        `x` itself where it is float32 or float64.
    """
    native = x.dtype.newbyteorder("=")
    if native in (np.dtype(np.float32), np.dtype(np.float64)):
        return x if x.dtype.isnative else x.astype(native)
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"{x.name or 'the array'} has dtype {x.dtype}; needed numbers. Convert it first."
        )
    return x.astype(np.float64)
