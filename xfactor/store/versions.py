"""Versions of a store: which there are, and how one is opened again."""

from typing import Any, Protocol, runtime_checkable

import pandas as pd

from xfactor import panel as _panel
from xfactor.store.backends import PathLike, backend_of
from xfactor.store.snapshots import Snapshot, Version
from xfactor.store.transaction import Backend

COLUMNS = ["id", "time", "what", "message"]


@runtime_checkable
class Versioned(Protocol):
    """A kind of store that keeps its versions."""

    def history(self) -> list[Version]:
        """Return the versions there are, the newest first."""

    def at(self, version: str) -> Snapshot:
        """Return a version by its id."""


def store_history(path: PathLike, *, backend: str | None = None) -> pd.DataFrame:
    """List the versions of a store that can be opened.

    Parameters
    ----------
    path
        The store.
    backend
        As in `write_panel`.

    Returns
    -------
    pandas.DataFrame
        One row a version, the newest first: ``id`` (what `open_panel` takes as `snapshot`),
        ``time`` (UTC), ``what`` (the function that wrote it) and ``message``. A plain store keeps
        the present version only.

    Raises
    ------
    PanelError
        If there is no store, or its metadata is damaged.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     history = xf.store_history(path)
    >>> history["what"].tolist()
    ['write_panel']
    """
    store = backend_of(path, backend)
    if isinstance(store, Versioned):
        versions = store.history()
    else:
        books = store.snapshot().books
        time = pd.Timestamp(books["written"]) if "written" in books else pd.NaT
        number = str(books.get("version", 1))
        versions = [Version(number, time, str(books.get("by", "")), f"version {number}")]
    return pd.DataFrame([[getattr(v, c) for c in COLUMNS] for v in versions], columns=COLUMNS)


def state_at(store: Backend, version: str | None, as_of: Any) -> Snapshot:
    """Return a published state: the present one, that of an id, or that of a time.

    Parameters
    ----------
    store
        The store.
    version
        An id of its history.
    as_of
        A time.

    Returns
    -------
    Snapshot
        The state.
    """
    if version is None and as_of is None:
        return store.snapshot()
    if version is not None and as_of is not None:
        raise _panel.error("snapshot= and as_of= were given", "one of the two", "Leave one out")
    if not isinstance(store, Versioned):
        raise _panel.error(
            f"{store.address} is plain Zarr, which keeps its present version only",
            "a store of Icechunk for snapshot= and as_of=",
            "Write it with backend='icechunk'",
        )
    history = store.history()
    if version is not None:
        if version not in {v.id for v in history}:
            raise _panel.error(
                f"{store.address} has no version {version!r}", "an id of its history",
                "See store_history",
            )  # fmt: skip
        return store.at(version)
    time = _instant(as_of)
    for known in history:
        if known.time <= time:
            return store.at(known.id)
    first = f"{history[-1].time:%Y-%m-%d %H:%M:%S} UTC" if history else "no time"
    raise _panel.error(
        f"{store.address} has no version of {time:%Y-%m-%d %H:%M:%S} UTC",
        f"a time from {first} on, which is its oldest version",
        "See store_history",
    )


def _instant(as_of: Any) -> pd.Timestamp:
    try:
        time = pd.Timestamp(as_of)
    except (ValueError, TypeError):
        time = pd.NaT
    if time is pd.NaT:
        raise _panel.error(f"as_of={as_of!r} was given", "a time", "Use e.g. 2024-01-31T18:00")
    return time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
