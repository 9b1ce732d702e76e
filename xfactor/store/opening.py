"""Panels opened lazily from what a store has published."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from dask.base import tokenize

from xfactor import _nbytes
from xfactor import panel as _panel
from xfactor.store import values
from xfactor.store.snapshots import Snapshot


def stored_variable(snapshot: Snapshot, name: str, *, lazy: bool) -> xr.Variable:
    """Return a variable of a store.

    Parameters
    ----------
    snapshot
        The state.
    name
        Path of the array.
    lazy
        A dask array with a chunk for each stored chunk; else read now.

    Returns
    -------
    xarray.Variable
        Decoded.
    """
    array = snapshot.array(name)
    attrs = {k: v for k, v in array.metadata["attributes"].items() if k != "coordinates"}
    data: Any
    if lazy:
        data = da.from_array(
            array,
            chunks=tuple(min(c, max(n, 1)) for n, c in zip(array.shape, array.chunks, strict=True)),
            name=f"open-{name}-" + tokenize(array.opener, name, array.document),
            inline_array=True,
            asarray=False,
            fancy=False,
            meta=np.empty((0,) * array.ndim, array.dtype),
        )
        _nbytes.note(data.name, data.chunks, data.dtype.itemsize)
    else:
        data = array.read()
    return values.decoded(name, xr.Variable(array.dims, data, attrs), array.metadata)


def opened(snapshot: Snapshot, fields: Sequence[str] | None = None) -> xr.Dataset:
    """Return the panel of a state: labels are read, fields are not.

    Parameters
    ----------
    snapshot
        The state.
    fields
        Fields wanted; all of them if not given.

    Returns
    -------
    xarray.Dataset
        The panel.

    Raises
    ------
    PanelError
        If a field is not there, or it is no panel.
    """
    names = snapshot.variables
    dims = {d for n in names for d in snapshot.array(n).dims}
    coords = [n for n in names if n in dims or n in snapshot.coords]
    there = [n for n in names if n not in coords]
    wanted = _panel.names("fields", fields, there)
    unknown = [n for n in wanted if n not in there]
    if unknown:
        raise _panel.error(
            f"the panel has no field {unknown[0]!r}",
            "a field",
            f"It has: {', '.join(sorted(there))}",
        )
    labels = {n: stored_variable(snapshot, n, lazy=False) for n in coords}
    data = {n: stored_variable(snapshot, n, lazy=True) for n in wanted}
    if fields is not None:  # labels of dims that none of these fields has
        used = {d for v in data.values() for d in v.dims} | {_panel.DATE, _panel.ASSET}
        labels = {n: v for n, v in labels.items() if set(v.dims) <= used}
    made = xr.Dataset(data, labels, dict(snapshot.attrs))
    return _panel.check_panel(made)


def between(panel: xr.Dataset, start: Any, end: Any, where: str) -> xr.Dataset:
    """Return the dates of a panel from `start` to `end`, both included.

    Parameters
    ----------
    panel
        The panel.
    start, end
        Dates, or None.
    where
        What it is, for the message.

    Returns
    -------
    xarray.Dataset
        At least one date.
    """
    if start is None and end is None:
        return panel
    whole = panel.indexes[_panel.DATE]
    cut = panel.sel({_panel.DATE: slice(_day("start", start), _day("end", end))})
    if cut.sizes[_panel.DATE] == 0:
        raise _panel.error(
            f"{where} has no date in {start or 'the beginning'} to {end or 'the end'}",
            f"dates within {whole[0]:%Y-%m-%d} to {whole[-1]:%Y-%m-%d}",
            "Change start or end",
        )
    return cut


def _day(name: str, value: Any) -> Any:
    """Return `value` if pandas can read it as a date; a string keeps its precision (2014-05)."""
    try:
        pd.Timestamp(value)
        if isinstance(value, Real):  # pandas takes nanoseconds since 1970
            raise TypeError
    except (ValueError, TypeError):
        raise _panel.error(
            f"{name}={_panel.shown(value)} was given", "a date", "Use e.g. 2014-01-31"
        ) from None
    return value
