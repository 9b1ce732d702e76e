"""Objects in a bucket: read, written, listed, copied, with the conditions that make writes safe."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from zarr.abc.store import Store

from xfactor import panel as _panel
from xfactor.store.arrays import Strict
from xfactor.store.urls import Place, s3_endpoint

# Requests under way at a time where many small ones are to be made.
REQUESTS = 16


@lru_cache(maxsize=1)
def library() -> Any:
    """Return obstore."""
    try:
        import obstore
        import obstore.store
    except ImportError:
        raise _panel.error(
            "a store in a bucket needs obstore, which is not installed",
            "obstore",
            "Run pip install 'xfactor[s3]'",
        ) from None
    return obstore


@lru_cache(maxsize=32)
def _opened(place: Place, prefix: str) -> Any:
    config: dict[str, Any] = dict(place.settings)
    client: dict[str, Any] = {}
    if place.scheme == "s3":
        endpoint = s3_endpoint(config)
        if endpoint:
            config["endpoint"] = endpoint
            client["allow_http"] = endpoint.startswith("http://")
    url = f"{place.scheme}://{place.bucket}" + (f"/{prefix}" if prefix else "")
    with explained(place.address):
        return library().store.from_url(url, config=config or None, client_options=client or None)


@contextlib.contextmanager
def explained(address: str) -> Iterator[None]:
    """Turn what the library raises into one line; missing objects and lost races pass."""
    errors = library().exceptions
    try:
        yield
    except (errors.AlreadyExistsError, errors.PreconditionError, FileNotFoundError):
        raise
    except errors.BaseError as problem:
        first = str(problem).splitlines()[0]
        raise _panel.error(
            f"{address} cannot be used: {first[:300]}",
            "a bucket that answers",
            "Check the address, the credentials (AWS_ACCESS_KEY_ID ...) and the network",
        ) from problem


@dataclass(frozen=True)
class Objects:
    """Chunks below a prefix: those of a published state, or of one in the making."""

    place: Place
    prefix: str
    version: int | None = None

    def open(self) -> Store:
        """Open it as a Zarr store."""
        from zarr.storage import ObjectStore

        made = ObjectStore(_opened(self.place, self.prefix), read_only=self.version is not None)
        return made if self.version is None else Strict(made)

    def taken(self, mark: str, failed: bool = False) -> bool:
        """Say whether a later state has left its mark."""
        found = Bucket(self.place).read(f"{self.prefix}/{mark}")
        return found is not None and int(found.content) > (self.version or 0)


@dataclass(frozen=True)
class Found:
    """An object: its bytes, and what tells it from a later one of its name."""

    content: bytes
    etag: dict[str, str]
    age: float


class Bucket:
    """The bucket of a place; keys are paths in the bucket.

    Parameters
    ----------
    place
        Bucket and settings; its prefix serves for messages only.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.store = _opened(place, "")

    def read(self, key: str) -> Found | None:
        """Return an object, or None."""
        with explained(self.place.address):
            try:
                got = library().get(self.store, key)
            except FileNotFoundError:
                return None
            meta = got.meta
            return Found(got.bytes().to_bytes(), _etag(meta), meta["last_modified"].timestamp())

    def write(
        self, key: str, content: bytes, *, new: bool = False, etag: dict[str, str] | None = None
    ) -> dict[str, str] | None:
        """Write an object.

        Parameters
        ----------
        key, content
            Its name and bytes.
        new
            Only if there is none.
        etag
            Only if it is still this one.

        Returns
        -------
        dict or None
            The new tag; None if the condition does not hold.
        """
        errors = library().exceptions
        mode: Any = "create" if new else etag or "overwrite"
        with explained(self.place.address):
            try:
                return _etag(library().put(self.store, key, content, mode=mode))
            except (errors.AlreadyExistsError, errors.PreconditionError):
                return None

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return all objects below a prefix (a whole part of the path) with their bytes."""
        with explained(self.place.address):
            batches = library().list(self.store, f"{prefix}/", chunk_size=1000)
            return {o["path"]: int(o["size"]) for batch in batches for o in batch}

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects in the bucket, without moving their bytes here."""

        def one(pair: tuple[str, str]) -> None:
            with explained(self.place.address):
                library().copy(self.store, *pair)

        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(one, pairs))

    def write_all(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Write many small objects."""
        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(lambda pair: self.write(*pair), objects))

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects, whether they are there or not."""
        with explained(self.place.address), contextlib.suppress(FileNotFoundError):
            if keys:
                library().delete(self.store, list(keys))


def _etag(meta: Any) -> dict[str, str]:
    return {k: meta[k] for k in ("e_tag", "version") if meta.get(k) is not None}
