"""Plain Zarr in a folder, published last.

A write makes its chunks in a staging folder beside the store and flushes them to the disk. Then
they are moved in, and one rename of the group's one metadata file publishes them all: fields,
labels and attributes together. Until then nothing that a reader sees has changed, for

- new rows and new assets lie in chunks, or parts of chunks, beyond the published shape;
- cells that change get chunks under other names: Zarr v3 has several ways to name the chunks of
  an array, and a new state of an array takes the next. Unchanged chunks are hard links to the old.

So a reader who opened the old state goes on seeing it, and a kill at any moment leaves the old
state or the new one. What a dead writer left is swept by the next.
"""

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from xfactor import panel as _panel
from xfactor.store import files, snapshots
from xfactor.store.arrays import Folder, Receipt, StoredArray, sync_file, writing
from xfactor.store.locks import lock
from xfactor.store.naming import ENCODING, has_naming, other_marks, renamed, state_naming
from xfactor.store.snapshots import Snapshot


class PlainStore:
    """A panel store in a local folder.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # one store has one lock, whatever links lead to it
        self.address = str(path)

    # --- reading --------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Say whether something is at the path (an empty folder is nothing)."""
        if self.path.is_dir():
            return any(self.path.iterdir())
        return self.path.exists()

    def snapshot(self) -> Snapshot:
        """Return what is published now."""
        try:
            text = (self.path / files.METADATA).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise self._none() from None
        found = snapshots.read_document(
            text, self.address, lambda version: Folder(str(self.path), version)
        )
        if found.format_version == snapshots.FORMAT_VERSION:
            return found
        # An empty chunk was not written then, nor is it by other programs.
        return replace(found, opener=Folder(str(self.path), found.version, strict=False))

    def _none(self) -> _panel.PanelError:
        if any((self.path / f).exists() for f in (".zgroup", ".zmetadata")):
            return _panel.error(
                f"{self.address} is a group of Zarr v2",
                "a panel store, which is Zarr v3",
                "Make one of it: xf.write_panel(xr.open_zarr(OLD), NEW)",
            )
        if self.path.exists():
            return _panel.error(
                f"{self.address} is not a Zarr group",
                "a panel store",
                "Make one: xfactor ingest prices",
            )
        # Left by an overwrite of the first format that died between its two renames.
        aside = [str(p) for p in self.path.parent.glob(f".{self.path.name}.*.old")]
        return _panel.error(
            f"nothing is at {self.address}",
            "a panel store",
            f"An overwrite was interrupted: rename {aside[0]} to {self.path}"
            if aside
            else "Check the path, or make one: xfactor ingest",
        )

    # --- writing --------------------------------------------------------------------------------

    def check_resume(self) -> None:
        """Accept: what is staged stays."""

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Hold the lock of the store."""
        with lock(self.path, self.address, what):
            yield

    def stage(self, key: str, resume: bool, base: Snapshot | None = None) -> "Staging":
        """Begin a write, under the lock: sweep what dead writers left, make or find the staging.

        Parameters
        ----------
        key
            What the write is: a resumed one has the key of the one that died.
        resume
            Take over the chunks that an earlier try has written.
        base
            The published state, which the lock keeps as it is.
        """
        prefix = f".{self.path.name}."
        left = self._left()
        found = [p for p in left if resume and p.name.startswith(f"{prefix}{key}-")]
        for folder in (p for p in left if p not in found[:1]):
            shutil.rmtree(folder, ignore_errors=True)
        if (self.path / files.METADATA).exists():
            self._restore()
        folder = self.path.with_name(f"{prefix}{key}-{uuid.uuid4().hex[:8]}.partial")
        if found:
            os.rename(found[0], folder)  # whoever still writes to the old name writes to nothing
        with writing(self.address):
            folder.mkdir(exist_ok=True)
        return Staging(self, folder)

    def _left(self) -> list[Path]:
        """Return the staging folders of dead writers."""
        # No dot in between: .p.x.write-1234abcd.partial is being written by the store p.x.
        mine = re.compile(rf"\.{re.escape(self.path.name)}\.(\w+-)?[0-9a-f]{{8}}\.partial")
        return sorted(p for p in self.path.parent.iterdir() if mine.fullmatch(p.name))

    def _restore(self) -> None:
        """Make the files of single arrays say what is published, and sweep what is not."""
        published = self.snapshot()
        for name, metadata in published.arrays.items():
            files.write_metadata(self.path / name / files.METADATA, metadata)
        for folder in self._debris(published):
            shutil.rmtree(folder)
        for partial in self.path.rglob("*.partial"):
            partial.unlink(missing_ok=True)

    def _debris(self, published: Snapshot) -> list[Path]:
        """Return folders of chunks that were moved in and never published, or dropped since."""
        tops = {n.split("/")[0] for n in published.arrays}
        fields = [p for p in self.path.iterdir() if p.name not in tops]
        columns = (self.path / snapshots.BOOKS).glob("*/*")
        tables = [p for p in columns if p.relative_to(self.path).as_posix() not in published.arrays]
        return [p for p in fields + tables if files.is_debris(p)]

    def accept(self, snapshot: Snapshot) -> None:
        """Publish what another program has made of the metadata."""
        attributes = snapshots.group_attributes(snapshot.attrs, snapshot.coords)
        books = snapshots.new_books("check_panel_store", snapshot.version + 1)
        document = snapshots.group_document(attributes, snapshot.arrays, books)
        files.replace_file(self.path / files.METADATA, document.encode())

    def gc(self) -> int:
        """Remove what no published state needs; return the bytes that were freed."""
        published = self.snapshot()
        freed = 0
        for folder in self._left():
            freed += sum(files.owned(p) for p in folder.rglob("*"))
            shutil.rmtree(folder, ignore_errors=True)
        for name in published.arrays:
            folder = self.path / name
            array = published.array(name)
            kept = {folder / key for key in array.keys()}
            gone = [file for file in files.chunk_files(folder) if file not in kept]
            for file in gone:
                freed += files.owned(file)
                file.unlink()
            with contextlib.suppress(OSError):  # a full disk: whoever reads them is not told why
                for mark in other_marks(array) if gone else ():
                    files.replace_file(self.path / mark, str(published.version).encode())
            files.prune(folder)
        self._restore()  # last: it needs room
        return freed


class Staging:
    """A write in progress: whole chunks in a folder that nobody reads.

    Parameters
    ----------
    store
        Where it will be published.
    folder
        The staging folder.
    """

    def __init__(self, store: PlainStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.opener = Folder(str(folder))

    def array(
        self, name: str, metadata: dict[str, Any], base: Mapping[str, Any] | None, restated: bool
    ) -> StoredArray:
        """Return an array to write chunks of.

        Parameters
        ----------
        name
            Its path in the store.
        metadata
            As it will be published, but for the naming of chunks, which is chosen here.
        base
            Metadata of the published array of that name, if there is one.
        restated
            Published cells change.
        """
        naming = state_naming(base, metadata, restated)
        return StoredArray(self.opener, name, json.dumps(metadata | {ENCODING: naming}))

    def written(self, array: StoredArray) -> set[str]:
        """Return the chunks of an array that are written already."""
        folder = self.folder / array.name
        return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if files.is_chunk(p)}

    def collect(self, receipts: Sequence[Receipt]) -> None:
        """Nothing to be told: the chunks are in the folder."""

    def publish(
        self,
        changed: Mapping[str, StoredArray],
        kept: Mapping[str, dict[str, Any]],
        attributes: Mapping[str, Any],
        books: Mapping[str, Any],
    ) -> None:
        """Make the staged chunks and the metadata the store's state, in one rename.

        Parameters
        ----------
        changed
            Arrays written here.
        kept
            Metadata of arrays that stay as they are.
        attributes, books
            Of the new state.
        """
        arrays = dict(kept) | {n: a.metadata for n, a in changed.items()}
        document = snapshots.group_document(attributes, arrays, books)
        with writing(self.store.address):
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(sync_file, [p for p in self.folder.rglob("*") if files.is_chunk(p)]))
            if not self.store.exists():
                self._publish_new(changed, document)
                return
            published = self.store.snapshot()
            for name, array in changed.items():
                self._move_in(name, array, published)
            for name in published.arrays.keys() - arrays.keys():  # its chunks are being read
                (self.store.path / name / files.METADATA).unlink(missing_ok=True)
            files.replace_file(self.store.path / files.METADATA, document.encode())
        # From here on it is published. What follows is for readers of single arrays, and done by
        # the next write if the disk is full.
        with contextlib.suppress(OSError):
            for name, array in changed.items():
                files.write_metadata(self.store.path / name / files.METADATA, array.metadata)
        self.discard()

    def _publish_new(self, changed: Mapping[str, StoredArray], document: str) -> None:
        for name, array in changed.items():
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            files.write_metadata(self.folder / name / files.METADATA, array.metadata)
        files.replace_file(self.folder / files.METADATA, document.encode())
        for folder in [p for p in self.folder.rglob("*") if p.is_dir()]:
            sync_file(folder)
        os.rename(self.folder, self.store.path)
        sync_file(self.store.path.parent)

    def _move_in(self, name: str, array: StoredArray, published: Snapshot) -> None:
        """Move staged chunks to their place, with links to the old ones beside them."""
        target = self.store.path / name
        target.mkdir(parents=True, exist_ok=True)
        base = published.arrays.get(name)
        staged = self.written(array)
        touched = {target}
        if base is None or base[ENCODING] != array.metadata[ENCODING]:
            self._take_naming(target, array, published.version + 1)
            if base is not None and base["chunk_grid"] == array.metadata["chunk_grid"]:
                touched |= _link(target, base, array, staged)
        for key in staged:
            place = target / key
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.folder / name / key, place)
            touched.add(place.parent)
        for folder in touched:
            sync_file(folder)

    def _take_naming(self, target: Path, array: StoredArray, version: int) -> None:
        """Remove chunks of older states that had the names which this one takes.

        They are those of the state three restatements ago, or of a field of this name that was
        dropped. Who still reads it is told by a mark.
        """
        files.replace_file(self.store.path / array.mark, str(version).encode())
        for file in files.chunk_files(target):
            if has_naming(file.relative_to(target).as_posix(), array):
                file.unlink()

    def discard(self) -> None:
        """Remove the staging folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _link(target: Path, base: Mapping[str, Any], array: StoredArray, staged: set[str]) -> set[Path]:
    """Give the chunks that did not change their new names too."""
    touched = set()
    for there, key in renamed(base, array):
        if key in staged:
            continue
        place = target / key
        place.parent.mkdir(parents=True, exist_ok=True)
        files.link_file(target / there, place)
        touched.add(place.parent)
    return touched
