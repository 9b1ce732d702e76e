"""Arrays of a store, read by their published metadata and written in whole chunks."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.metadata.v3 import ArrayV3Metadata
from zarr.core.sync import sync
from zarr.storage import LocalStore, StorePath, WrapperStore

from xfactor import panel as _panel

# A read that fails is tried again after these seconds: networks and disks hiccup.
PAUSES = (0.05, 0.5)


# What a write returns to the process that publishes: None where the chunks alone are enough.
Receipt = tuple[str, str, bytes] | None


class Opener(Protocol, Hashable):
    """Says where chunks lie, in a way that travels to other processes."""

    def open(self) -> Store:
        """Open the Zarr store."""

    def taken(self, mark: str, failed: bool = False) -> bool:
        """Say whether the names of an array's chunks stand for a later state, or none, by now.

        Asked after each read, and, with `failed`, to find out why one has failed.
        """


class MissingChunk(OSError):
    """A chunk that was published is not there."""


class Rewritten(OSError):
    """A chunk has been replaced by one of a later state."""


class Strict(WrapperStore[Store]):
    """A store in which a missing chunk is an error: Zarr would take it to be full of nothing."""

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key; raise if they are those of a chunk and not there."""
        found = await self._store.get(key, prototype, byte_range)
        if found is None and not key.endswith("zarr.json"):
            raise MissingChunk(f"the chunk {key} is not there")
        return found

    async def getsize(self, key: str) -> int:
        """Return the bytes of a key, which Zarr's own wrapper would read to count."""
        try:
            return await self._store.getsize(key)
        except FileNotFoundError:
            raise MissingChunk(f"the chunk {key} is not there") from None


class Flushing(LocalStore):
    """A folder whose files are on their way to the disk when a call returns.

    Waiting for each would leave the processor idle: whoever publishes waits for all of them.
    """

    async def set(self, key: str, value: Buffer) -> None:
        """Write the bytes of a key and have the system begin to flush them."""
        if not self.root.is_dir():  # it would be made anew, and tasks of a dead write live on
            raise FileNotFoundError(f"the folder {self.root} is not there (any more)")
        await super().set(key, value)
        await asyncio.to_thread(begin_flush, self.root / key)


def begin_flush(path: Path) -> None:
    """Have the system write a file to the disk, without waiting for it."""
    if hasattr(os, "posix_fadvise"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def sync_file(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Folder:
    """Chunks in a local folder: those of a published state, or of one in the making."""

    path: str
    version: int | None = None
    strict: bool = True

    def open(self) -> Store:
        """Open the folder."""
        if self.version is None:
            return Flushing(self.path)
        found = LocalStore(self.path, read_only=True)
        return Strict(found) if self.strict else found

    def taken(self, mark: str, failed: bool = False) -> bool:
        """Say whether a later state has left its mark."""
        try:
            return int((Path(self.path) / mark).read_text()) > (self.version or 0)
        except FileNotFoundError:
            return False


@lru_cache(maxsize=64)
def _opened(opener: Opener) -> Store:
    return opener.open()


@dataclass(frozen=True)
class StoredArray:
    """An array of a store; it travels to other processes and slices like a NumPy array.

    Parameters
    ----------
    opener
        Where its chunks lie.
    name
        Path of the array in the store.
    document
        Its metadata, the JSON text of a Zarr v3 array.
    """

    opener: Opener
    name: str
    document: str

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Metadata as a dict."""
        return json.loads(self.document)

    @cached_property
    def array(self) -> zarr.Array[Any]:
        """The Zarr array, made from this metadata and from no file."""
        path = StorePath(_opened(self.opener), self.name)
        metadata = ArrayV3Metadata.from_dict(self.metadata)
        return zarr.Array(zarr.AsyncArray(metadata, path, {"write_empty_chunks": True}))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made anew in each process."""
        return {"opener": self.opener, "name": self.name, "document": self.document}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what `__getstate__` gave."""
        self.__dict__.update(state)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.metadata["shape"])

    @property
    def ndim(self) -> int:
        """Number of dims."""
        return len(self.shape)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dims."""
        return tuple(map(str, self.metadata.get("dimension_names") or ()))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""
        return tuple(self.metadata["chunk_grid"]["configuration"]["chunk_shape"])

    @cached_property
    def dtype(self) -> np.dtype:
        """Dtype of what a read gives; text is objects."""
        kind = self.metadata["data_type"]
        return np.dtype(object) if kind == "string" or isinstance(kind, dict) else np.dtype(kind)

    def __getitem__(self, region: Any) -> np.ndarray:
        """Read a region; what cannot be read is an error that says where, never a guess."""
        for pause in (*PAUSES, None):
            try:
                values = np.asarray(self.array[region])
                if self.opener.taken(self.mark):  # after the read, so that there is no gap between
                    raise Rewritten("it was rewritten since the panel was opened")
                return values.astype(object) if self.dtype == object else values
            except Exception as problem:
                if isinstance(problem, Rewritten):
                    raise self._unreadable(region, problem) from problem
                if pause is None:
                    raise self._unreadable(region, self._cause(problem)) from problem
                time.sleep(pause)
        raise AssertionError

    def _cause(self, problem: Exception) -> Exception:
        with contextlib.suppress(Exception):  # what cannot answer has told its own reason
            if self.opener.taken(self.mark, failed=True):
                return Rewritten(
                    "it was rewritten since the panel was opened, and older states were removed"
                )
        return problem

    def _unreadable(self, region: Any, problem: Exception) -> _panel.PanelError:
        first = region[0] if isinstance(region, tuple) and region else region
        where = ""
        if isinstance(first, slice) and self.dims and first.start is not None:
            where = f", {self.dims[0]} {first.start} to {first.stop - 1}"
        return _panel.error(
            f"{self.name!r} cannot be read{where}: {reason(problem)}",
            "the chunks that were there when the panel was opened",
            "Open it again; if that does not help: xfactor store check",
        )

    def read(self) -> np.ndarray:
        """Read all of it."""
        return self[tuple(slice(0, n) for n in self.shape)]

    @property
    def mark(self) -> str:
        """Path of the file that says since which state the names of its chunks are taken again.

        Zarr has a few ways to name the chunks of an array. A state in which cells change takes the
        next; before one is taken again its mark is left, so who still reads the state that had it
        before finds out, and never mixes states.
        """
        naming = self.metadata["chunk_key_encoding"]
        separator = naming.get("configuration", {}).get("separator", "/")
        kind = "c" if naming["name"] == "default" else "v2"
        return f"{self.name}/.{kind}-{'dot' if separator == '.' else 'slash'}"

    def key(self, chunk: tuple[int, ...]) -> str:
        """Return the name of a chunk's file below the array."""
        return self.array.metadata.encode_chunk_key(chunk)

    def keys(self) -> list[str]:
        """Return the names of all its chunks."""
        counts = [-(-n // c) for n, c in zip(self.shape, self.chunks, strict=True)]
        return [self.key(c) for c in np.ndindex(*counts)]

    def stored_bytes(self, chunk: tuple[int, ...]) -> int:
        """Return the bytes of a chunk as it is stored."""
        return sync(_opened(self.opener).getsize(f"{self.name}/{self.key(chunk)}"))

    def trace(self, chunk: tuple[int, ...]) -> bytes:
        """Return bytes that differ where a stored chunk does: its checksum, or all of it.

        The checksum are the last four bytes, and no others are read.
        """
        summed = self.metadata["codecs"][-1]["name"] == "crc32c"
        store, key = _opened(self.opener), f"{self.name}/{self.key(chunk)}"
        wanted = SuffixByteRequest(4) if summed else None
        try:
            found = sync(store.get(key, default_buffer_prototype(), wanted))
        except Exception as problem:
            region = tuple(slice(i * c, i * c + c) for i, c in zip(chunk, self.chunks, strict=True))
            raise self._unreadable(region, self._cause(problem)) from problem
        return b"" if found is None else found.to_bytes()

    def region(self, axis: int | None, chunk: int) -> tuple[slice, ...]:
        """Return what a chunk along one axis covers, everything else whole."""
        whole = [slice(0, n) for n in self.shape]
        if axis is not None:
            size = self.chunks[axis]
            whole[axis] = slice(chunk * size, min((chunk + 1) * size, self.shape[axis]))
        return tuple(whole)

    def write(self, region: tuple[slice, ...], values: np.ndarray) -> Receipt:
        """Write whole chunks; return what the one who publishes must be told of it."""
        with writing(self.name):
            self.array[region] = values
        return None


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn what a disk or a network says to a write into one line."""
    try:
        yield
    except _panel.PanelError:
        raise
    except Exception as problem:
        raise _panel.error(
            f"{what!r} cannot be written: {reason(problem)}",
            "room, and the right to write there",
            "Nothing was published. Make room (xfactor store gc) or mend it, then do it again",
        ) from problem


def reason(problem: Exception) -> str:
    """Say in a few words why a chunk cannot be read."""
    text = str(problem) or type(problem).__name__
    if "checksum" in text.lower():
        return "its checksum does not match its bytes"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return text.splitlines()[0].strip(" x|")[:200]
