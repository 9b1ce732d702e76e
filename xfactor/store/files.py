"""Files of a plain store: replaced in one step, linked, counted and removed."""

import errno
import json
import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xfactor.store.arrays import sync_file

METADATA = "zarr.json"


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Write an array's own metadata file, unless it says so already."""
    try:
        if json.loads(path.read_bytes()) == metadata:
            return
    except (OSError, ValueError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(metadata, indent=1).encode())


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step that survives a loss of power."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_file(path.parent)


def owned(path: Path) -> int:
    """Return the bytes that removing a file frees."""
    found = path.stat()
    return found.st_size if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else 0


def is_debris(folder: Path) -> bool:
    """Say whether a folder holds chunks but no metadata: an array gets that once published."""
    if not folder.is_dir() or (folder / METADATA).exists():
        return False
    return any(p.name == "c" or p.name.startswith("c.") or p.name[0].isdigit()
               for p in folder.iterdir())  # fmt: skip


def chunk_files(array: Path) -> list[Path]:
    """Return the chunks of an array, of any state; not those of arrays below it."""
    return [
        file
        for top in array.iterdir()
        for file in (top.rglob("*") if top.name == "c" and top.is_dir() else [top])
        if is_chunk(file)
    ]


def is_chunk(path: Path) -> bool:
    """Say whether a file is a chunk: no metadata, and whole."""
    hidden = path.name.startswith(".") or path.name.endswith(".partial")
    return not hidden and path.name != METADATA and path.is_file()


def link_file(source: Path, target: Path) -> None:
    """Make a hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError as problem:
        if problem.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV):
            raise
        shutil.copy2(source, target)
        sync_file(target)


def prune(folder: Path) -> None:
    """Remove empty folders below a folder."""
    for path in sorted(folder.rglob("*"), key=lambda p: -len(p.parts)):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
