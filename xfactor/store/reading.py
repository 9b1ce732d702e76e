"""Panels opened from a store."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from xfactor.store.backends import PathLike, backend_of
from xfactor.store.opening import between, opened
from xfactor.store.versions import state_at


def open_panel(
    path: PathLike,
    fields: Sequence[str] | None = None,
    *,
    start: Any = None,
    end: Any = None,
    backend: str | None = None,
    snapshot: str | None = None,
    as_of: Any = None,
) -> xr.Dataset:
    """Open a panel lazily: labels are read, fields are not.

    Parameters
    ----------
    path
        Folder of the store, or its URL.
    fields
        Fields wanted; all of them if not given.
    start, end
        First and last date wanted, both included, e.g. ``"2014-01-01"``.
    backend
        As in `write_panel`.
    snapshot
        The version wanted, an id of `store_history`; the present one if not given. Icechunk only.
    as_of
        The version that was the present one at this time; UTC if it has no time zone. Icechunk
        only.

    Returns
    -------
    xarray.Dataset
        Panel of dask arrays, one chunk for each stored chunk. It is what the store had published
        when it was opened, whatever is written later.

    Raises
    ------
    PanelError
        If there is no store, it is no panel, its metadata is damaged, a field is unknown, `start`,
        `end` or `as_of` is not a date, or no date is left; if there is no such version, none are
        kept, or both `snapshot` and `as_of` are given. And when a field is computed: if a chunk is
        damaged or not there.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     opened = xf.open_panel(path, ["returns"], start="2000-01-10")
    >>> dict(opened.sizes)
    {'date': 15, 'asset': 5}
    """
    state = state_at(backend_of(path, backend), snapshot, as_of)
    wanted = [fields] if isinstance(fields, str) else fields
    found = between(opened(state, wanted), start, end, str(path))
    found.encoding["source"] = str(path)  # as xarray does: what else is in the store can be found
    return found
