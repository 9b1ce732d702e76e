"""A folder beside the store for what an ingest needs on the way, gone when it ends."""

import contextlib
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

from xfactor.store.backends import backend_of

OWNER = "owner"


def alone(store: Path, what: str) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of a store from reading its old state to writing the new one.

    Parameters
    ----------
    store
        Its folder; it need not be there yet.
    what
        The function that ingests, for the message of others.

    Returns
    -------
    context manager
        Raises PanelError if another process, or thread, is writing.
    """
    return backend_of(store).locked(what)


@contextlib.contextmanager
def work_folder(store: Path) -> Iterator[Path]:
    """Make a folder beside a store, for the time of this block.

    What an ingest that was killed left there is removed first.

    Parameters
    ----------
    store
        Place of the store.

    Yields
    ------
    pathlib.Path
        An empty folder but for a file that names this process.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    for left in store.parent.glob(f".{store.name}.*.ingest"):
        if _abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = store.absolute().with_name(f".{store.name}.{uuid.uuid4().hex[:8]}.ingest")
    folder.mkdir()
    (folder / OWNER).write_text(f"{socket.gethostname()} {os.getpid()}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Say whether the process that made a folder was on this machine and has ended."""
    try:
        host, pid = (folder / OWNER).read_text().split()
        if host != socket.gethostname() or int(pid) == os.getpid():
            return False
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except (OSError, ValueError):
        return False
    return False
