"""Forks of an Icechunk session: shared by the tasks of a process, copied to those of others."""

import os
import pickle
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.core.metadata.v3 import ArrayV3Metadata
from zarr.storage import StorePath

from xfactor import panel as _panel
from xfactor.store.arrays import Receipt, StoredArray, writing
from xfactor.store.repositories import library


@dataclass
class Live:
    """A fork being written in this process, and the chunks it got."""

    session: Any
    process: int = field(default_factory=os.getpid)
    keys: set[str] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock)


LIVE: dict[str, Live] = {}


def live(token: str) -> Live | None:
    """Return a fork if it is being written by this process (not by one this was forked from)."""
    found = LIVE.get(token)
    return found if found is not None and found.process == os.getpid() else None


@dataclass(frozen=True)
class Forked:
    """One array of a session being written; it travels as a copy of the fork."""

    token: str
    packed: bytes = field(repr=False)
    alone: bool = False

    def session(self) -> Any:
        """Return the fork itself in the process that publishes, a copy of it in others."""
        here = live(self.token)
        return pickle.loads(self.packed) if here is None else here.session

    def open(self) -> Store:
        """Open it for writing."""
        library()
        return self.session().store

    def taken(self, mark: str, failed: bool = False) -> bool:
        """Say that nobody else writes to it."""
        return False


class IceArray(StoredArray):
    """An array of a session being written."""

    def write(self, region: tuple[slice, ...], values: np.ndarray) -> Receipt:
        """Write whole chunks; return the changes if the publishing process cannot see them."""
        assert isinstance(self.opener, Forked)
        library()
        session, here = self.opener.session(), live(self.opener.token)
        if here is None and self.opener.alone:
            raise _panel.error(
                f"{self.name!r} has other dims than in the store",
                "to be written by one process, for Icechunk cannot merge that",
                "Use a local scheduler, or write to another path",
            )
        path = StorePath(session.store, self.name)
        metadata = ArrayV3Metadata.from_dict(self.metadata)
        array = zarr.Array(zarr.AsyncArray(metadata, path, {"write_empty_chunks": True}))
        with writing(self.name):
            array[region] = values
        key = self.key(tuple(s.start // c for s, c in zip(region, self.chunks, strict=True)))
        if here is None:
            return self.opener.token, key, pickle.dumps(session)
        with here.guard:
            here.keys.add(key)
        return None
