"""Compiled kernels kept on disk: a new process, or a new worker, loads them and compiles nothing.

Numba's own cache looks at the file of a function but not at what it calls, and two processes that
compile one function for different types at once can swap their code. Here the folder belongs to a
digest of all sources of the kernels and of the compiler, and each compiled form is a file named
after the types, the processor and the constants it was made for, written under another name first.
Whatever goes wrong with it, kernels are compiled as without a cache.
"""

import contextlib
import hashlib
import os
import pickle
import shutil
import sys
import time
import types
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache

FOLDER = "XFACTOR_CACHE_DIR"  # the environment's name for another place; "" keeps nothing
UNUSED_DAYS = 30  # folders of other versions are dropped after so long
CONSTANTS = (bool, int, float, str, tuple, np.number, np.ndarray, types.NoneType)


@cache
def folder() -> Path | None:
    """Where compiled kernels are kept, made if need be; None where nothing can be written."""
    root = os.environ.get(FOLDER)
    if root is None:
        home = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
        root = str(Path(home) if home else Path("~/.cache").expanduser()) + "/xfactor"
    if not root:
        return None
    own = Path(root) / f"kernels-{_sources()}"
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        (own / "used").touch()
        _drop_unused(own)
        return own if os.access(own, os.W_OK) else None
    except OSError:
        return None


def _sources() -> str:
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _drop_unused(own: Path) -> None:
    for other in own.parent.glob("kernels-*"):
        with contextlib.suppress(OSError):
            unused = time.time() - (other / "used").stat().st_mtime
            if other != own and unused > UNUSED_DAYS * 86400:
                shutil.rmtree(other, ignore_errors=True)


class _Locator:
    """Tells Numba where the files are; their names say all the rest."""

    def __init__(self, py_func: Any) -> None:
        self._py_file = py_func.__code__.co_filename  # in Numba's warnings

    def ensure_cache_path(self) -> None: ...

    def get_cache_path(self) -> str:
        return str(folder())

    def get_source_stamp(self) -> str:
        return ""

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Locator":
        return cls(py_func)


class _Impl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # noqa: RUF012


class _Files:
    """Compiled forms of one function, a file each."""

    def __init__(self, py_func: Any) -> None:
        self.func = py_func

    def _path(self, key: Any) -> tuple[Path, str] | None:
        own = folder()
        text = repr((key, constants(self.func)))
        if own is None or " at 0x" in text:  # a function given as an argument has no lasting name
            return None
        name = f"{self.func.__module__}.{self.func.__qualname__}"
        return own / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}", text

    def load(self, key: Any) -> Any:
        """What was compiled for `key`, or None."""
        found = self._path(key)
        if found is None:
            return None
        path, text = found
        try:
            kept, data = pickle.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except Exception:
            return None
        return data if kept == text else None

    def save(self, key: Any, data: Any) -> None:
        """Keep what was compiled for `key`."""
        found = self._path(key)
        if found is None:
            return
        path, text = found
        draft = path.with_name(f"{uuid.uuid4().hex}.draft")
        try:
            draft.write_bytes(pickle.dumps((text, data), protocol=5))
            draft.replace(path)
        except OSError:  # a full disk, a folder swept away
            draft.unlink(missing_ok=True)

    def flush(self) -> None: ...


class _Cache(FunctionCache):  # type: ignore[misc]
    _impl_class = _Impl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self._cache_file = _Files(py_func)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            return None


def keep(dispatcher: Any) -> Any:
    """Let a compiled function keep its forms on disk, if there is a place."""
    if folder() is not None and hasattr(dispatcher, "_cache"):
        with contextlib.suppress(Exception):  # what is private in Numba may change
            dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher


def constants(func: Any, seen: frozenset[Any] = frozenset()) -> list[tuple[str, str]]:
    """Names and values of the constants compiled into a function and into those that it calls."""
    found = []
    code, names = func.__code__, set(func.__code__.co_names)
    for inner in code.co_consts:
        names |= set(inner.co_names) if isinstance(inner, types.CodeType) else set()
    for name in sorted(names):
        value = func.__globals__.get(name)
        if name in func.__globals__ and isinstance(value, CONSTANTS):
            text = value.tobytes().hex() if isinstance(value, np.ndarray) else repr(value)
            found.append((name, text))
        own = getattr(value, "py_func", None)
        if own is not None and own not in seen:
            found += constants(own, seen | {func})
    return found
