"""Which kind of store a path means."""

import os
from pathlib import Path
from typing import Any

from xfactor import panel as _panel
from xfactor.store.plain import PlainStore
from xfactor.store.transaction import Backend
from xfactor.store.urls import place_of

PathLike = str | os.PathLike[str]
ICECHUNK = ("icechunk://", "icechunk+")


def backend_of(path: PathLike, backend: str | None = None) -> Backend:
    """Return the store that a path means.

    Parameters
    ----------
    path
        Folder or URL.
    backend
        ``"zarr"`` or ``"icechunk"``; found out from the path if not given.

    Returns
    -------
    Backend
        The store; it need not be there yet.
    """
    if not isinstance(path, str) and not isinstance(path, os.PathLike):
        raise TypeError(f"a store is named by its path or URL; found {type(path).__name__}.")
    text = os.fspath(path)
    if backend is not None:
        _panel.choice("backend", backend, ("zarr", "icechunk"))
    named = text.startswith(ICECHUNK)
    if named and backend == "zarr":
        raise _panel.error(f"{text} and backend='zarr' were given", "one of the two", "Choose")
    if named or backend == "icechunk":
        return _icechunk(text.removeprefix("icechunk://").removeprefix("icechunk+"))
    if "://" not in text or text.startswith("file://"):
        return PlainStore(Path(text.removeprefix("file://")))
    from xfactor.store.objects import BucketStore  # not before it is needed: imports stay light

    return BucketStore(place_of(text))


def as_path(path: PathLike) -> Any:
    """Return what a write returns: a URL as it was given, a folder as a Path."""
    return path if isinstance(path, str) and "://" in path else Path(path)


def _icechunk(text: str) -> Backend:
    from xfactor.store.ice import IceStore
    from xfactor.store.repositories import IcePlace

    if "://" in text and not text.startswith("file://"):
        return IceStore(IcePlace(bucket=place_of(text)))
    return IceStore(IcePlace(folder=str(Path(text.removeprefix("file://")).absolute())))
