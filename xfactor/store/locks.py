"""One writer at a time."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from xfactor import panel as _panel
from xfactor.store import owners
from xfactor.store.arrays import writing


@contextlib.contextmanager
def lock(folder: Path, store: str, what: str) -> Iterator[None]:
    """Hold the lock of a store; the operating system gives it back when a process dies.

    Parameters
    ----------
    folder
        Of the store. The lock file lies beside it; it exists while someone writes, and says who.
    store
        The store, for the message.
    what
        What is being done, for the message of others.

    Yields
    ------
    None
        While the lock is held.

    Raises
    ------
    PanelError
        If another process, or another thread of this one, holds it, or nothing can be written.
    """
    path = folder.with_name(f".{folder.name}.lock")
    with writing(store):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _acquire(path, store)
    try:
        with contextlib.suppress(OSError):  # on a full disk it is held and says nothing
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(owners.me(what)).encode(), 0)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # before it is given back: who waits then sees that the file is gone
        os.close(handle)


def _acquire(path: Path, store: str) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(handle, 4096, 0)
            os.close(handle)
            raise _held(text, store) from None
        except BaseException:
            os.close(handle)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(handle).st_ino:
                return handle
        os.close(handle)  # the one who held it has just removed the file


def _held(text: bytes, store: str) -> _panel.PanelError:
    owner = owners.read(text)
    who = "another process, since a moment ago"
    if owner is not None:
        who = (
            f"{owner['what']} in process {owner['pid']} on {owner['host']}, "
            f"for {max(0, time.time() - owner['since']):.0f} s"
        )
    return _panel.error(
        f"{store} is being written by {who}", "one writer at a time", "Wait for it, then try again"
    )
