"""Panels in an Icechunk repository: versions that stay, and writers that race without a lock.

A write is a session; its commit is the one step that publishes. Each array of it gets a fork of
the session, which tasks of this process share. In other processes each task writes to a copy of
that fork and returns it, a kilobyte that names the chunk, to be merged before the commit.

Icechunk refuses the commit of a session that another has overtaken, and nothing is merged here:
the write fails, or is checked and done again on the new state. In a local folder Icechunk itself
loses commits that race, so there the store's own lock is held.
"""

import contextlib
import json
import pickle
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zarr.abc.store import Store
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.core.sync import sync

from xfactor import panel as _panel
from xfactor.store import snapshots
from xfactor.store.arrays import Receipt, StoredArray
from xfactor.store.forks import LIVE, Forked, IceArray, Live
from xfactor.store.locks import lock
from xfactor.store.repositories import IcePlace, Pinned, explained, forget, library, repository
from xfactor.store.snapshots import Snapshot, Version
from xfactor.store.transaction import lost_race

METADATA = "zarr.json"
BRANCH = "main"
# Versions younger than this survive a clean-up, and so do chunks that a writer may be about to
# publish.
KEEP_DAYS = 7.0


class IceStore:
    """A panel store in an Icechunk repository.

    Parameters
    ----------
    place
        Where it is.
    """

    def __init__(self, place: IcePlace) -> None:
        self.place = place
        self.address = place.address
        self.path = None if place.bucket is not None else Path(place.folder)

    def _there(self) -> bool:
        """Say whether a repository is there."""
        if self.path is not None and not self.path.is_dir():
            return False
        with explained(self.address):
            return bool(library().Repository.exists(self.place.storage()))

    def exists(self) -> bool:
        """Say whether something is there; a repository nothing was published to is nothing."""
        if not self._there():
            path = self.path
            return path is not None and path.exists() and (path.is_file() or any(path.iterdir()))
        return self._document(self._tip()) is not None

    def _tip(self) -> str:
        with explained(self.address):
            return str(repository(self.place).lookup_branch(BRANCH))

    def _document(self, version: str) -> bytes | None:
        with explained(self.address):
            store = repository(self.place).readonly_session(snapshot_id=version).store
            found = sync(store.get(METADATA, default_buffer_prototype()))
        return None if found is None else found.to_bytes()

    def snapshot(self) -> Snapshot:
        """Return what is published now."""
        if not self._there():
            raise self._none()
        return self.at(self._tip())

    def at(self, version: str) -> Snapshot:
        """Return a version by its id."""
        text = self._document(version)
        if text is None:
            raise self._none()
        return snapshots.read_document(text, self.address, lambda _: Pinned(self.place, version))

    def _none(self) -> _panel.PanelError:
        return _panel.error(
            f"nothing is at {self.address}",
            "a panel store of Icechunk",
            "Check the path, or make one: xfactor ingest",
        )

    def history(self) -> list[Version]:
        """Return the versions there are, the newest first."""
        if not self._there():
            raise self._none()
        with explained(self.address):
            found = list(repository(self.place).ancestry(branch=BRANCH))
        return [
            Version(v.id, v.written_at, str(v.metadata.get("by", "")), v.message)
            for v in found if v.metadata.get("format") == snapshots.FORMAT
        ]  # fmt: skip

    def check_resume(self) -> None:
        """Refuse: what was not committed is not there."""
        raise _panel.error(
            f"resume=True was given for {self.address}",
            "plain Zarr, for Icechunk keeps nothing of a write that was not committed",
            "Leave it out: a write that failed begins anew, or append in several steps",
        )

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Hold the lock of a local store; elsewhere a commit that was overtaken is refused."""
        if self.path is None:
            yield
            return
        with lock(self.path, self.address, what):
            yield

    def stage(self, key: str, resume: bool, base: Snapshot | None = None) -> "IceStage":
        """Begin a write on a published state.

        Parameters
        ----------
        key, resume
            Of no use here, see `check_resume`.
        base
            The published state.
        """
        made = not self._there()
        if made:
            with contextlib.suppress(library().IcechunkError):  # another writer may be quicker
                library().Repository.create(self.place.storage())
        with explained(self.address):
            session = repository(self.place).writable_session(BRANCH)
        if base is None:
            overtaken = self._document(session.snapshot_id) is not None
        else:
            overtaken = getattr(base.opener, "version", None) != session.snapshot_id
        if overtaken:
            raise lost_race(self.address)
        return IceStage(self, session, base, made)

    def accept(self, snapshot: Snapshot) -> None:
        """Publish what another program has made of the metadata."""
        self.stage("accept", False, snapshot).publish(
            {},
            snapshot.arrays,
            snapshots.group_attributes(snapshot.attrs, snapshot.coords),
            snapshots.new_books("check_panel_store", snapshot.version + 1),
        )

    def gc(self, keep_days: float = KEEP_DAYS) -> int:
        """Forget old versions and remove what no other needs.

        Parameters
        ----------
        keep_days
            Versions younger than so many days stay. Where others may be writing, leave it longer
            than a write takes.

        Returns
        -------
        int
            Bytes that were freed.
        """
        self.snapshot()
        before = datetime.now(UTC) - timedelta(days=keep_days)
        with explained(self.address):
            repo = repository(self.place)
            repo.expire_snapshots(before)
        return self.sweep(before)

    def sweep(self, before: datetime) -> int:
        """Remove what no version needs; return the bytes freed.

        In a local folder, whose lock is held, nobody is writing, so that is what dead writers left.
        In a bucket what is younger than `before` may be about to be published.
        """
        limit = before if self.path is None else datetime.now(UTC)
        with explained(self.address):
            return int(repository(self.place).garbage_collect(limit).bytes_deleted)


class IceStage:
    """A write in progress: a session and a fork for each array.

    Parameters
    ----------
    store
        The repository.
    session
        Nothing was written to it yet.
    base
        The published state it began with.
    made
        The repository was made for it.
    """

    def __init__(self, store: IceStore, session: Any, base: Snapshot | None, made: bool) -> None:
        self.store = store
        self._session, self._base, self._made = session, base, made
        self._tokens: dict[str, str] = {}
        self._received: list[bytes] = []
        self._keys: dict[str, set[str]] = {}

    def array(
        self, name: str, metadata: dict[str, Any], base: Mapping[str, Any] | None, restated: bool
    ) -> StoredArray:
        """Return an array to write chunks of."""
        fork = self._session.fork()
        # Icechunk cannot merge copies of a fork in which an array was made anew, so an array with
        # other chunks stays the same one to it: all chunks get written, and what is left of the
        # old ones is removed at the end. Other dims need a new array.
        anew = base is not None and len(base["shape"]) != len(metadata["shape"])
        if anew:
            sync(fork.store.delete(f"{name}/{METADATA}"))
        put(fork.store, f"{name}/{METADATA}", metadata)
        token = uuid.uuid4().hex
        LIVE[token] = Live(fork)
        self._tokens[name] = token
        self._keys[token] = LIVE[token].keys
        return IceArray(Forked(token, pickle.dumps(fork), anew), name, json.dumps(metadata))

    def written(self, array: StoredArray) -> set[str]:
        """Return the chunks of an array that are written already."""
        return set(self._keys[self._tokens[array.name]])

    def collect(self, receipts: Sequence[Receipt]) -> None:
        """Take what tasks in other processes have returned."""
        for receipt in receipts:
            assert receipt is not None
            token, key, changes = receipt
            self._keys[token].add(key)
            self._received.append(changes)

    def publish(
        self,
        changed: Mapping[str, StoredArray],
        kept: Mapping[str, dict[str, Any]],
        attributes: Mapping[str, Any],
        books: Mapping[str, Any],
    ) -> None:
        """Commit; see `Stage.publish`."""
        arrays = dict(kept) | {n: a.metadata for n, a in changed.items()}
        document = snapshots.group_document(attributes, arrays, books)
        with explained(self.store.address):
            for token in self._tokens.values():
                self._session.merge(LIVE[token].session)
            for changes in self._received:
                self._session.merge(pickle.loads(changes))
            self._put_groups(arrays, document)
            self._remove_old(changed, arrays)
            message = f"{books['by']}, version {books['version']}: {_extent(arrays)}"
            self._session.commit(message, dict(books))
        self._forget()

    def _put_groups(self, arrays: Mapping[str, Any], document: str) -> None:
        """Write the groups; that of the root holds all metadata, as in plain Zarr."""
        root = json.loads(document)
        for name, node in root["consolidated_metadata"]["metadata"].items():
            if name not in arrays:
                put(self._session.store, f"{name}/{METADATA}", node)
        put(self._session.store, METADATA, root)

    def _remove_old(self, changed: Mapping[str, StoredArray], arrays: Mapping[str, Any]) -> None:
        """Remove arrays that are dropped, and chunks that an array with other chunks has not."""
        for name, old in (self._base.arrays if self._base else {}).items():
            if name not in arrays:
                sync(self._session.store.delete(f"{name}/{METADATA}"))
            elif name in changed and len(old["shape"]) == changed[name].ndim:
                gone = set(self._base.array(name).keys()) - set(changed[name].keys())  # type: ignore[union-attr]
                if gone:  # these are chunks under the old metadata only
                    put(self._session.store, f"{name}/{METADATA}", old)
                    for key in gone:
                        sync(self._session.store.delete(f"{name}/{key}"))
                    put(self._session.store, f"{name}/{METADATA}", arrays[name])

    def discard(self) -> None:
        """Forget what was written; in a local folder its bytes go too."""
        self._forget()
        if self.store.path is None:
            return
        if self._made and not self.store.exists():
            forget()
            shutil.rmtree(self.store.path, ignore_errors=True)
        else:
            with contextlib.suppress(_panel.PanelError):  # the next clean-up removes them
                self.store.sweep(datetime.now(UTC))

    def _forget(self) -> None:
        for token in self._tokens.values():
            LIVE.pop(token, None)


def put(store: Store, key: str, document: Mapping[str, Any]) -> None:
    """Write a metadata document."""
    sync(store.set(key, cpu.Buffer.from_bytes(json.dumps(document).encode())))


def _extent(arrays: Mapping[str, dict[str, Any]]) -> str:
    labels = {n: m["shape"][0] for n, m in arrays.items() if m.get("dimension_names") == [n]}
    return ", ".join(f"{n} {size}" for n, size in sorted(labels.items()))
