"""Who holds the lock of a store, and whether it is known to be dead."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any


def me(what: str) -> dict[str, Any]:
    """Return what a lock says of this process.

    Parameters
    ----------
    what
        What it is doing.

    Returns
    -------
    dict
        JSON: function, process, host, since when; and what tells the process from any other.
    """
    pid = os.getpid()
    return {
        "what": what, "host": socket.gethostname(), "pid": pid, "since": time.time(),
        "machine": machine(), "started": started(pid),
    }  # fmt: skip


def read(text: bytes) -> dict[str, Any] | None:
    """Return what a lock says; None if it says nothing yet."""
    try:
        found = json.loads(text)
        found["what"], found["pid"], found["host"], found["since"] + 0.0
    except (ValueError, KeyError, TypeError):
        return None
    return found


def machine() -> str | None:
    """Return what tells the processes that this one can see from all others; None if unknown.

    Host names do not: containers share them, and number their processes by themselves.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return None


def started(pid: int) -> int | None:
    """Return when a process of this machine was started, in ticks; None if it is not running."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(fields[18])  # proc(5): field 3 is the state, 22 the start


def is_dead(owner: dict[str, Any]) -> bool:
    """Say whether an owner is known not to run any more: only its own machine can tell."""
    here = machine()
    if here is None or owner.get("machine") != here or owner.get("started") is None:
        return False
    return started(owner["pid"]) != owner["started"]
