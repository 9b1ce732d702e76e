"""Which kind of store a path means."""

import os
from pathlib import Path

from xfactor import panel as _panel
from xfactor.store.plain import PlainStore
from xfactor.store.transaction import Backend

PathLike = str | os.PathLike[str]


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
    if backend is not None:
        _panel.choice("backend", backend, ("zarr", "icechunk"))
    return PlainStore(Path(path))
