"""What a stored value looks like: dtypes on disk, what stands for missing, and back."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.metadata.v3 import ArrayV3Metadata
from zarr.storage import MemoryStore

from xfactor import panel as _panel
from xfactor.store import layout

# Dates are whole nanoseconds since 1970 in every store, so that what is appended fits what is
# there; xarray's own choice of a unit depends on the values.
TIME = {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian"}
NOT_A_TIME = int(np.iinfo(np.int64).min)

# Attributes by which a variable says that its stored values are not its values.
CODED = ("units", "calendar", "_FillValue", "missing_value", "scale_factor", "add_offset", "dtype")


def fill_value(dtype: np.dtype) -> Any:
    """Return what stands in cells that were never given: NaN, -1 for codes, False, "", NaT.

    Parameters
    ----------
    dtype
        Of the values; other integers have no missing value and get 0.

    Returns
    -------
    object
        A value that the stored dtype holds.
    """
    if dtype.kind in "mM":
        return NOT_A_TIME
    if dtype.kind in "OUT":
        return ""
    if dtype.kind == "f":
        return np.nan
    return -1 if _panel.is_codes(dtype) else dtype.type(0).item()


def has_missing(dtype: np.dtype) -> bool:
    """Say whether a dtype has a value for "not known"."""
    return dtype.kind in "fmMbOUT" or _panel.is_codes(dtype)


def check_finite(name: str, given: np.ndarray) -> None:
    """Raise if a field that says it is finite holds an infinity."""
    if given.dtype.kind == "f" and np.isinf(given).any():
        raise _panel.error(
            f"{name!r} holds an infinity",
            "finite or missing values, as its attribute finite says",
            "Use x.where(np.isfinite(x))",
        )


def same_kind(a: np.dtype, b: np.dtype) -> bool:
    """Say whether two dtypes hold the same values: any text, dates of any unit, else equal."""
    if a.kind in "OUT" or b.kind in "OUT":
        return a.kind in "OUT" and b.kind in "OUT"
    return a.kind == b.kind if a.kind in "mM" else a.newbyteorder("=") == b.newbyteorder("=")


def array_metadata(
    variable: xr.Variable, chunks: tuple[int, ...], shape: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Return the Zarr metadata of a new array.

    Parameters
    ----------
    variable
        Gives dims, dtype and attributes.
    chunks
        Shape of a chunk; may be larger than the array.
    shape
        Of the array, if not the variable's.

    Returns
    -------
    dict
        JSON of an array's ``zarr.json``: plain zstd, then a crc32c of each chunk.
    """
    kind = variable.dtype.kind
    dtype: Any = {"M": "int64", "m": "int64", "O": str, "U": str, "T": str}.get(
        kind, variable.dtype.newbyteorder("=")
    )
    attrs = {str(k): plain(v) for k, v in variable.attrs.items()}
    if kind == "M":
        attrs |= TIME | {"_FillValue": NOT_A_TIME}
    if kind == "m":
        attrs |= {"dtype": "timedelta64[ns]", "units": "nanoseconds", "_FillValue": NOT_A_TIME}
    array = zarr.create_array(
        MemoryStore(),
        shape=variable.shape if shape is None else shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill_value(variable.dtype),
        compressors=[ZstdCodec(level=layout.zstd_level(kind, variable.attrs)), Crc32cCodec()],
        dimension_names=tuple(map(str, variable.dims)),
        attributes=attrs,
    )
    assert isinstance(array.metadata, ArrayV3Metadata)
    return as_json(array.metadata)


def as_json(metadata: ArrayV3Metadata) -> dict[str, Any]:
    """Return an array's metadata as what stands in its ``zarr.json``."""
    (buffer,) = metadata.to_buffer_dict(default_buffer_prototype()).values()
    return json.loads(buffer.to_bytes())


def plain(value: Any) -> Any:
    """Return an attribute as JSON has it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def stored_values(name: str, values: np.ndarray, metadata: Mapping[str, Any]) -> np.ndarray:
    """Turn values into what an array stores.

    Parameters
    ----------
    name
        Of the array, for messages.
    values
        Numbers, dates or text.
    metadata
        The array's.

    Returns
    -------
    numpy.ndarray
        Of the stored dtype.
    """
    kind, attrs = values.dtype.kind, metadata["attributes"]
    if kind == "M":
        if attrs.get("units") == TIME["units"]:
            return values.astype("datetime64[ns]").view(np.int64)
        encoded = xr.conventions.encode_cf_variable(
            xr.Variable(("x",), values.reshape(-1), encoding=_time_encoding(metadata))
        )
        return np.asarray(encoded.data).reshape(values.shape)
    if kind == "m":
        return values.astype("timedelta64[ns]").view(np.int64)
    if kind in "OUT":
        return _text(name, values)
    return values.astype(metadata["data_type"], copy=False)


def _text(name: str, values: np.ndarray) -> np.ndarray:
    """Return text as objects, "" where there is none; Zarr would make text of whatever comes."""
    made = values.astype(object)
    made[pd.isna(made)] = ""
    for value in made.flat:
        if not isinstance(value, str):
            raise _panel.error(
                f"{name!r} holds {value!r} of the type {type(value).__name__}",
                "text, or None where there is none",
                "Convert it: x.astype(str), or to numbers",
            )
    return made


def _time_encoding(metadata: Mapping[str, Any]) -> dict[str, Any]:
    attrs = metadata["attributes"]
    return {
        "units": attrs["units"],
        "calendar": attrs.get("calendar", "proleptic_gregorian"),
        "dtype": np.dtype(metadata["data_type"]),
    }


def is_coded(metadata: Mapping[str, Any]) -> bool:
    """Say whether stored values need decoding by CF conventions."""
    attrs = metadata["attributes"]
    if metadata["data_type"] in ("float32", "float64") and "units" in attrs:
        return " since " in str(attrs["units"]) or bool({"scale_factor", "add_offset"} & set(attrs))
    timed = " since " in str(attrs.get("units", ""))
    return timed or any(k in attrs for k in CODED if k not in ("units", "calendar"))


def decoded(name: str, variable: xr.Variable, metadata: Mapping[str, Any]) -> xr.Variable:
    """Turn a stored variable into its values; lazily, if it is lazy.

    Parameters
    ----------
    name
        Of the variable.
    variable
        Stored values, with the array's attributes.
    metadata
        The array's.

    Returns
    -------
    xarray.Variable
        Dates as nanoseconds.
    """
    if variable.dtype.kind == "f":  # an older store marks missing floats by the NaN they are
        variable.attrs.pop("_FillValue", None)
    if not is_coded(metadata):
        return variable
    made = xr.conventions.decode_cf_variable(name, variable)
    if made.dtype.kind == "M" and made.dtype != "datetime64[ns]":
        made = made.astype("datetime64[ns]")
    return made
