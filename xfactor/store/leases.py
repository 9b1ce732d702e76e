"""One writer at a time in a bucket, where nobody notices that a process has died.

The lock is an object that its holder renews; who finds one that has not been renewed for long, or
whose holder was a process of the same machine and runs no more, takes it over. Each step, to make
it, to renew it, to take it over, is a conditional write: two cannot both succeed.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator

from xfactor import panel as _panel
from xfactor.store import owners
from xfactor.store.buckets import Bucket

# A lock that is silent for so many seconds has no holder any more; a holder that could not renew
# its own for fewer stops writing.
SILENCE = 300.0
TRUST = 150.0
RENEW = 20.0


class Lease:
    """The lock of a store, held.

    Parameters
    ----------
    bucket, key
        The lock.
    content
        Its bytes: who holds it.
    etag
        Of the object as it is now.
    address
        The store, for messages.
    """

    def __init__(
        self, bucket: Bucket, key: str, content: bytes, etag: dict[str, str], address: str
    ) -> None:
        self.bucket, self.key, self.content, self.address = bucket, key, content, address
        self._etag: dict[str, str] | None = etag
        self._renewed = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="xfactor-lease", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._over.wait(RENEW):
            with contextlib.suppress(Exception):  # a request that fails is made again in time
                self.renew()

    def renew(self) -> None:
        """Say that the holder is alive."""
        began = time.monotonic()
        if self._etag is not None:
            self._etag = self.bucket.write(self.key, self.content, etag=self._etag)
            self._renewed = began

    def check(self) -> None:
        """Raise unless the lock is held for certain."""
        if self._etag is None or time.monotonic() - self._renewed > TRUST:
            raise _panel.error(
                f"the lock of {self.address} was lost: it could not be renewed in time",
                "a connection that lasts",
                "Nothing was published. Try again",
            )

    def release(self) -> None:
        """Give it back."""
        self._over.set()
        self._thread.join()
        found = self.bucket.read(self.key)
        if found is not None and self._etag is not None and found.etag == self._etag:
            self.bucket.remove([self.key])


@contextlib.contextmanager
def lease(bucket: Bucket, key: str, address: str, what: str) -> Iterator[Lease]:
    """Hold the lock of a store in a bucket.

    Parameters
    ----------
    bucket, key
        The lock object.
    address
        The store, for messages.
    what
        What is being done, for the messages of others.

    Yields
    ------
    Lease
        While it is held.

    Raises
    ------
    PanelError
        If another holds it.
    """
    content = json.dumps(owners.me(what) | {"nonce": os.urandom(8).hex()}).encode()
    etag = bucket.write(key, content, new=True)
    if etag is None:
        found = bucket.read(key)
        silent = 0.0 if found is None else time.time() - found.age
        if found is not None and (silent > SILENCE or _is_dead(found.content)):
            etag = bucket.write(key, content, etag=found.etag)
        if etag is None:
            raise _held(address, found.content if found else b"", silent)
    held = Lease(bucket, key, content, etag, address)
    try:
        yield held
    finally:
        held.release()


def _is_dead(text: bytes) -> bool:
    owner = owners.read(text)
    return owner is not None and owners.is_dead(owner)


def _held(address: str, text: bytes, silent: float) -> _panel.PanelError:
    owner = owners.read(text)
    who = "another process"
    if owner is not None:
        who = f"{owner['what']} in process {owner['pid']} on {owner['host']}"
    left = max(0.0, SILENCE - max(0.0, silent))
    return _panel.error(
        f"{address} is being written by {who}, which said so {max(0.0, silent):.0f} s ago",
        "one writer at a time",
        f"Try again; if it was killed on another machine, the store is free in {left:.0f} s "
        f"({SILENCE:.0f} s of silence)",
    )
