"""Icechunk repositories: where they are, how they are opened, and what they say when they fail."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from zarr.abc.store import Store

from xfactor import panel as _panel
from xfactor.store.arrays import Strict
from xfactor.store.transaction import lost_race
from xfactor.store.urls import Place, s3_endpoint


@lru_cache(maxsize=1)
def library() -> Any:
    """Return Icechunk, with its log lines off unless they are asked for."""
    try:
        import icechunk
    except ImportError:
        raise _panel.error(
            "this store needs icechunk, which is not installed",
            "icechunk",
            "Run pip install 'xfactor[icechunk]'",
        ) from None
    if "ICECHUNK_LOG" not in os.environ:
        icechunk.set_logs_filter("error")
    return icechunk


@contextlib.contextmanager
def explained(address: str) -> Iterator[None]:
    """Turn what Icechunk raises into one line."""
    ice = library()
    try:
        yield
    except ice.ConflictError as problem:
        raise lost_race(address) from problem
    except (ice.IcechunkError, ValueError) as problem:
        if isinstance(problem, _panel.PanelError):
            raise
        lines = [s.strip(" x|") for s in str(problem).splitlines()]
        why = next((s for s in lines if s), type(problem).__name__)
        raise _panel.error(
            f"{address} cannot be used: {why[:300]}",
            "an Icechunk repository that answers",
            "Check the address, the credentials and the network",
        ) from problem


@dataclass(frozen=True)
class IcePlace:
    """Where a repository is: a local folder, or a prefix in a bucket."""

    folder: str = ""
    bucket: Place | None = None

    @property
    def address(self) -> str:
        """For messages."""
        return self.folder if self.bucket is None else f"icechunk+{self.bucket.address}"

    def storage(self) -> Any:
        """Return Icechunk's idea of it."""
        ice, place = library(), self.bucket
        if place is None:
            return ice.local_filesystem_storage(self.folder)
        given = place.settings
        if place.scheme == "s3":
            endpoint = s3_endpoint(given)
            return ice.s3_storage(
                bucket=place.bucket,
                prefix=place.prefix,
                region=given.get("region") or os.environ.get("AWS_REGION")
                or os.environ.get("AWS_DEFAULT_REGION") or ("us-east-1" if endpoint else None),
                endpoint_url=endpoint,
                allow_http=bool(endpoint and endpoint.startswith("http://")),
                force_path_style=endpoint is not None,
                **_keys(given),
            )  # fmt: skip
        if place.scheme == "gs":
            return ice.gcs_storage(bucket=place.bucket, prefix=place.prefix, from_env=True)
        if place.scheme == "az":
            account = given.get("account") or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")
            return ice.azure_storage(
                account=account, container=place.bucket, prefix=place.prefix, from_env=True
            )
        raise _panel.error(
            f"{self.address} was given", "s3, gs, az or a folder for Icechunk", "Change it"
        )


def _keys(given: Mapping[str, str]) -> dict[str, Any]:
    names = ("access_key_id", "secret_access_key", "session_token")
    return {n: given[n] for n in names if n in given} or {"from_env": True}


@lru_cache(maxsize=16)
def _repository(place: IcePlace, _process: int) -> Any:
    return library().Repository.open(place.storage())


def repository(place: IcePlace) -> Any:
    """Return the repository, opened once a process."""
    return _repository(place, os.getpid())


def forget() -> None:
    """Close the repositories of this process: one of them is about to be removed."""
    _repository.cache_clear()


@dataclass(frozen=True)
class Pinned:
    """Chunks of one version."""

    place: IcePlace
    version: str

    def open(self) -> Store:
        """Open it for reading."""
        with explained(self.place.address):
            session = repository(self.place).readonly_session(snapshot_id=self.version)
        return Strict(session.store)

    def taken(self, mark: str, failed: bool = False) -> bool:
        """Say whether the version is no more; chunks of one are never replaced."""
        if not failed:
            return False
        with explained(self.place.address):
            repo = library().Repository.open(self.place.storage())  # one that remembers nothing
        try:
            repo.readonly_session(snapshot_id=self.version)
        except library().IcechunkError:
            return True
        return False
