"""Plain Zarr in a bucket, published last.

As in a folder (see `plain`), a write makes its chunks where nobody reads, and one object, the
group's ``zarr.json``, publishes them all. What differs is that nothing can be renamed: staged
chunks are copied in by the bucket itself. They are not written to their final names at once, for
tasks of a writer that is taken to be dead may still be alive on some worker: they write to a
staging prefix that nobody looks at any more. The lock is renewed while it is held, it is checked
before each array is copied in, and ``zarr.json`` is replaced only if it is still the one that the
write began with.
"""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xfactor import panel as _panel
from xfactor.store import snapshots
from xfactor.store.arrays import Receipt, StoredArray
from xfactor.store.buckets import Bucket, Found, Objects
from xfactor.store.leases import Lease, lease
from xfactor.store.naming import ENCODING, has_naming, other_marks, renamed, state_naming
from xfactor.store.snapshots import Snapshot
from xfactor.store.transaction import lost_race
from xfactor.store.urls import Place

METADATA = "zarr.json"
CHUNK = re.compile(r"(.+?)/(c(/\d+)*|c(\.\d+)*|\d+(\.\d+)*)")
# In each staging prefix, so that it is found even if no chunk was written.
BEGUN = "begun"


class BucketStore:
    """A panel store below a prefix of a bucket.

    Parameters
    ----------
    place
        Where it is.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.address = place.address
        self.bucket = Bucket(place)
        self._lease: Lease | None = None

    def key(self, *parts: str) -> str:
        """Return the path of an object of the store."""
        return "/".join((self.place.prefix, *parts))

    def objects(self) -> dict[str, int]:
        """Return what is there: bytes by the path below the store."""
        start = f"{self.place.prefix}/"
        return {k.removeprefix(start): n for k, n in self.bucket.sizes(self.place.prefix).items()}

    # --- reading --------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Say whether something is there."""
        if self.published() is not None:
            return True
        # Chunks without metadata are what a writer left that died before it published.
        return any(_array_of(k) is None for k in self.objects())

    def published(self) -> Found | None:
        """Return the object that publishes."""
        return self.bucket.read(self.key(METADATA))

    def snapshot(self) -> Snapshot:
        """Return what is published now."""
        found = self.published()
        if found is None:
            raise _panel.error(
                f"nothing is at {self.address}",
                "a panel store",
                "Check the address, or make one: xfactor ingest",
            )
        return self._read(found)

    def _read(self, found: Found) -> Snapshot:
        return snapshots.read_document(
            found.content,
            self.address,
            lambda version: Objects(self.place, self.place.prefix, version),
        )

    # --- writing --------------------------------------------------------------------------------

    def check_resume(self) -> None:
        """Accept: what is staged stays."""

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Hold the lock of the store."""
        key = self.place.beside(f".{self.place.name}.lock")
        with lease(self.bucket, key, self.address, what) as self._lease:
            try:
                yield
            finally:
                self._lease = None

    def check_lock(self) -> None:
        """Raise unless the lock is held for certain."""
        assert self._lease is not None
        self._lease.check()

    def stage(self, key: str, resume: bool, base: Snapshot | None = None) -> "BucketStage":
        """Begin a write, under the lock: sweep what dead writers left, make or find the staging.

        Parameters
        ----------
        key
            What the write is: a resumed one has the key of the one that died.
        resume
            Take over the chunks that an earlier try has written.
        base
            The published state.
        """
        found = self.published()
        version = self._read(found).version if found is not None else None
        if version != (base.version if base is not None else None):
            raise lost_race(self.address)
        kept = self._sweep(key if resume else None)
        if kept is None:
            kept = self._staging(f"{key}-{uuid.uuid4().hex[:8]}")
            self.bucket.write(f"{kept}/{BEGUN}", b"")
        return BucketStage(self, kept, base, found)

    def _staging(self, rest: str) -> str:
        return self.place.beside(f".{self.place.name}.partial/{rest}")

    def _sweep(self, key: str | None) -> str | None:
        """Remove what dead writers staged; return the prefix that a write of this key left."""
        area = self.place.beside(f".{self.place.name}.partial")
        left = self.bucket.sizes(area)
        if not left:
            return None
        prefixes = sorted({p.removeprefix(f"{area}/").split("/")[0] for p in left})
        kept = next((p for p in prefixes if key and p.startswith(f"{key}-")), None)
        self.bucket.remove([p for p in left if not kept or not p.startswith(f"{area}/{kept}/")])
        if self.published() is not None:  # it may have died before all was said twice
            self._restore(self.snapshot())
        return f"{area}/{kept}" if kept else None

    def _restore(self, published: Snapshot) -> None:
        """Make the objects of single arrays say what is published."""
        self.write_metadata(published.arrays)

    def write_metadata(self, arrays: Mapping[str, Mapping[str, Any]]) -> None:
        """Write arrays' own metadata, for those who open a single one."""
        self.bucket.write_all(
            (self.key(name, METADATA), json.dumps(metadata, indent=1).encode())
            for name, metadata in arrays.items()
        )

    def accept(self, snapshot: Snapshot) -> None:
        """Publish what another program has made of the metadata."""
        attributes = snapshots.group_attributes(snapshot.attrs, snapshot.coords)
        books = snapshots.new_books("check_panel_store", snapshot.version + 1)
        document = snapshots.group_document(attributes, snapshot.arrays, books)
        self.bucket.write(self.key(METADATA), document.encode())

    def gc(self) -> int:
        """Remove what no published state needs; return the bytes that were freed."""
        published = self.snapshot()
        self._sweep(None)
        arrays = {n: published.array(n) for n in published.arrays}
        kept = {f"{name}/{key}" for name, array in arrays.items() for key in array.keys()}
        there = self.objects()
        gone = []
        for path in there.keys() - kept:
            name = _array_of(path)  # None for marks, metadata and what others have put there
            if name in arrays or (name is not None and f"{name}/{METADATA}" not in there):
                gone.append(path)
        restated = {name for name in map(_array_of, gone) if name in arrays}
        self.bucket.write_all(  # whoever reads them will be told
            (self.key(mark), str(published.version).encode())
            for name in sorted(restated) for mark in other_marks(arrays[name])
        )  # fmt: skip
        self.bucket.remove([self.key(path) for path in gone])
        return sum(there[path] for path in gone)


class BucketStage:
    """A write in progress: whole chunks below a prefix that nobody reads.

    Parameters
    ----------
    store
        Where it will be published.
    prefix
        Of the staged chunks.
    base
        The published state.
    found
        The object that publishes it.
    """

    def __init__(
        self, store: BucketStore, prefix: str, base: Snapshot | None, found: Found | None
    ) -> None:
        self.store, self.prefix = store, prefix
        self.opener = Objects(store.place, prefix)
        self._base, self._found = base, found
        self._there: set[str] | None = None

    def array(
        self, name: str, metadata: dict[str, Any], base: Mapping[str, Any] | None, restated: bool
    ) -> StoredArray:
        """Return an array to write chunks of; see `Stage.array`."""
        naming = state_naming(base, metadata, restated)
        self._there = None
        return StoredArray(self.opener, name, json.dumps(metadata | {ENCODING: naming}))

    def written(self, array: StoredArray) -> set[str]:
        """Return the chunks of an array that are written already."""
        if self._there is None:  # one list of all: arrays may be many, and requests are slow
            self._there = set(self.store.bucket.sizes(self.prefix))
        start = f"{self.prefix}/{array.name}/"
        found = (k.removeprefix(start) for k in self._there if k.startswith(start))
        return {k for k in found if has_naming(k, array)}

    def collect(self, receipts: Sequence[Receipt]) -> None:
        """Tasks have written: what is there is to be listed anew."""
        self._there = None

    def publish(
        self,
        changed: Mapping[str, StoredArray],
        kept: Mapping[str, dict[str, Any]],
        attributes: Mapping[str, Any],
        books: Mapping[str, Any],
    ) -> None:
        """Copy the staged chunks in and publish them; see `Stage.publish`."""
        store = self.store
        arrays = dict(kept) | {n: a.metadata for n, a in changed.items()}
        document = snapshots.group_document(attributes, arrays, books).encode()
        for name, array in changed.items():
            store.check_lock()
            self._copy_in(name, array, int(books["version"]))
        store.check_lock()
        condition: Any = {"new": True} if self._found is None else {"etag": self._found.etag}
        if store.bucket.write(store.key(METADATA), document, **condition) is None:
            raise lost_race(store.address)
        # From here on it is published. What follows is for readers of single arrays.
        store.write_metadata({n: a.metadata for n, a in changed.items()})
        dropped = set(self._base.arrays if self._base else ()) - arrays.keys()
        store.bucket.remove([store.key(n, METADATA) for n in dropped])
        self.discard()

    def _copy_in(self, name: str, array: StoredArray, version: int) -> None:
        """Copy staged chunks to their place, and the old ones that stay to their new names."""
        base = self._base.arrays.get(name) if self._base is not None else None
        staged = self.written(array)
        pairs = [(f"{self.prefix}/{name}/{k}", self.store.key(name, k)) for k in staged]
        if base is None or base[ENCODING] != array.metadata[ENCODING]:
            if self._base is not None:  # who reads an older state that had these names is told
                self.store.bucket.write(self.store.key(array.mark), str(version).encode())
            if base is not None and base["chunk_grid"] == array.metadata["chunk_grid"]:
                pairs += [
                    (self.store.key(name, old), self.store.key(name, new))
                    for old, new in renamed(base, array) if new not in staged
                ]  # fmt: skip
        self.store.bucket.copy(pairs)

    def discard(self) -> None:
        """Remove what was staged."""
        self.store.bucket.remove(list(self.store.bucket.sizes(self.prefix)))


def _array_of(path: str) -> str | None:
    """Return the array that a path is a chunk of; None if it is none's."""
    found = CHUNK.fullmatch(path)
    return found[1] if found else None
