"""Compiled kernels on disk: found by the next process, never the wrong ones, never in the way."""

import os
import subprocess
import sys
import textwrap

import pytest

from xfactor.kernels import _cache, _compile

SCRIPT = textwrap.dedent("""
    import sys
    import numpy as np
    from xfactor.kernels import _cache, _compile

    FACTOR = float(sys.argv[1])

    @_compile.kernel
    def scaled(x):
        total = 0.0
        for value in x:
            total += value * FACTOR
        return total

    x = np.arange(5).astype(sys.argv[2])
    print(scaled(x), sum(scaled.stats.cache_hits.values()))
""")


@pytest.fixture
def run(tmp_path):
    """Run the script in a process of its own and return (result, kernels found on disk)."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(factor=2.0, dtype="f8", cache=tmp_path / "cache"):
        done = subprocess.run(
            [sys.executable, str(script), str(factor), dtype],
            env=os.environ | {"XFACTOR_CACHE_DIR": str(cache)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        result, hits = done.stdout.split()
        return float(result), int(hits)

    return run


def files(folder):
    return sorted(p for p in folder.glob("kernels-*/*") if p.name != "used")


def test_cache__serves_the_next_process_and_only_what_was_compiled_for(run, tmp_path):
    assert run() == (20.0, 0)
    assert run() == (20.0, 1)
    assert run(dtype="f4") == (20.0, 0)  # another type
    assert run(factor=3.0) == (30.0, 0)  # another constant
    assert run(factor=3.0) == (30.0, 1)
    assert run() == (20.0, 1)
    assert len(files(tmp_path / "cache")) == 3


@pytest.mark.parametrize("damage", [b"", b"no pickle", None])
def test_cache__compiles_anew_where_a_file_is_damaged(run, tmp_path, damage):
    run()
    (path,) = files(tmp_path / "cache")
    path.write_bytes(path.read_bytes()[:-9] if damage is None else damage)
    assert run() == (20.0, 0)
    assert run() == (20.0, 1)


@pytest.mark.parametrize("cache", ["", "/dev/null/nowhere"])
def test_cache__is_not_needed(run, cache):
    assert run(cache=cache) == (20.0, 0)


def test_cache__drops_folders_of_other_versions_after_a_month(run, tmp_path):
    old, recent = (tmp_path / "cache" / f"kernels-{k}" for k in ("old", "recent"))
    for folder, age in ((old, 31), (recent, 29)):
        folder.mkdir(parents=True)
        (folder / "used").touch()
        then = (folder / "used").stat().st_mtime - age * 86400
        os.utime(folder / "used", (then, then))
    run()
    assert not old.exists()
    assert recent.exists()


def test_constants__are_those_of_called_functions_too():
    @_compile.kernel
    def inner(x):
        return x + LEAST

    globals()["_inner"] = inner

    def outer(x):
        return _inner(x) * MOST  # noqa: F821

    assert _cache.constants(outer) == [("MOST", "7"), ("LEAST", "(1, 2.5)")]


LEAST, MOST = (1, 2.5), 7
