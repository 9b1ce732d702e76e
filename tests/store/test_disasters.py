"""Full disks, folders that cannot be written, writers that are interrupted, odd paths."""

import errno
import os
import resource
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.store import model as m
from tests.store.conftest import needs
from tests.store.test_store import assert_same_panel, contents
from xfactor.store import files, locks, plain
from xfactor.store.backends import backend_of

FULL = OSError(errno.ENOSPC, "No space left on device")


def noise(dates, assets=400, start=0):
    x = np.random.default_rng(start).normal(size=(dates, assets))
    return xr.Dataset(
        {"a": (("date", "asset"), x), "b": (("date", "asset"), -x)},
        coords={"date": pd.date_range("2000", periods=start + dates, unit="ns")[start:],
                "asset": np.arange(assets)},
    )  # fmt: skip


@pytest.fixture(params=["zarr", "icechunk"])
def store(request, tmp_path):
    if request.param == "icechunk":
        needs("icechunk")
    prefix = "icechunk://" if request.param == "icechunk" else ""
    return xf.write_panel(noise(40), f"{prefix}{tmp_path}/panel")


@pytest.fixture
def small_files():
    """No file may become larger than 300 kB: a chunk does not fit, all else does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


WRITES = {
    "append": lambda store: xf.append_panel(noise(300, start=40), store),
    "append to more assets": lambda store: xf.append_panel(noise(1, 900, start=40), store),
    "overwrite": lambda store: xf.write_panel(noise(600), store, overwrite=True),
    "add": lambda store: xf.add_fields(noise(40)[["a"]].rename(a="c"), store),
}


@pytest.mark.parametrize("write", ["append", "overwrite"])
def test_writes__to_a_full_disk_are_refused_and_leave_nothing(store, tmp_path, small_files, write):
    before = contents(tmp_path)
    with pytest.raises(xf.PanelError, match=r"cannot be written: .*too large.*Nothing was publish"):
        WRITES[write](store)
    assert contents(tmp_path) == before
    assert_same_panel(xf.open_panel(store), noise(40))
    small = noise(1, start=40)
    xf.append_panel(small, store)
    assert_same_panel(xf.open_panel(store), xr.concat([noise(40), small], "date"))


def full_at(monkeypatch, moment):
    """Have the disk be full when one kind of metadata is written."""
    replace = files.replace_file

    def refusing(path, content):
        if moment(path):
            raise FULL
        replace(path, content)

    monkeypatch.setattr(files, "replace_file", refusing)


@pytest.mark.parametrize("write", WRITES)
def test_writes__whose_metadata_finds_a_full_disk_publish_nothing(tmp_path, monkeypatch, write):
    store = xf.write_panel(noise(40), tmp_path / "panel")
    with monkeypatch.context() as patch:
        full_at(patch, lambda path: path == store / "zarr.json")
        with pytest.raises(xf.PanelError, match="cannot be written: No space left on device"):
            WRITES[write](store)
    assert os.listdir(tmp_path) == ["panel"]
    m.assert_holds(store, noise(40))
    WRITES[write](store)
    assert xf.check_panel_store(store).ok


def test_update_panel__that_finds_a_full_disk_once_published_is_published(tmp_path, monkeypatch):
    """Only readers of single arrays miss something, until the next write."""
    store, cells = xf.write_panel(noise(40), tmp_path / "panel"), noise(40)[["a"]] * 2
    with monkeypatch.context() as patch:
        full_at(patch, lambda path: path == store / "a" / "zarr.json")
        xf.update_panel(cells, store)
    m.assert_holds(store, noise(40).assign(a=cells["a"]))
    xf.append_panel(noise(1, start=40), store)
    alone = xr.open_zarr(store, consolidated=False, chunks=None)
    np.testing.assert_array_equal(alone["a"][:40], cells["a"])


def test_gc__needs_no_room(tmp_path, monkeypatch):
    store = xf.write_panel(noise(40), tmp_path / "panel")
    xf.update_panel(noise(40)[["a"]] * 2, store)

    def full(*args):
        raise FULL

    monkeypatch.setattr(locks.os, "pwrite", full)
    full_at(monkeypatch, lambda path: True)
    assert xf.gc_panel_store(store) > 0
    assert not (store / "a" / "c").exists()
    m.assert_holds(store, noise(40).assign(a=noise(40)["a"] * 2))


def test_writes__below_a_file_are_refused(tmp_path):
    (tmp_path / "file").write_text("thesis")
    for backend in ("zarr", "icechunk"):
        with pytest.raises(xf.PanelError, match="cannot be written"):
            xf.write_panel(noise(3), tmp_path / "file" / "panel", backend=backend)
    assert contents(tmp_path) == {Path("file"): b"thesis"}


def test_writes__to_a_folder_that_may_only_be_read_are_refused(store, tmp_path, monkeypatch):
    before = contents(tmp_path)

    def denied(path, *args):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(locks.os, "open", denied)
        with pytest.raises(xf.PanelError, match=r"panel' cannot be written: Permission denied"):
            xf.append_panel(noise(1, start=40), store)
    assert contents(tmp_path) == before


# --- interrupted --------------------------------------------------------------------------------


def lazily(panel, block):
    """`panel` in chunks of 20 dates that a function sees as they are computed."""
    cut = panel.chunk(date=20)
    seen = da.map_blocks(block, cut["a"].data, dtype=float, meta=np.empty((0, 0)))
    return cut.assign(a=cut["a"].copy(data=seen))


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, MemoryError])
def test_writes__that_are_interrupted_leave_nothing(store, tmp_path, problem):
    """Nor do the tasks that are still being done in other threads."""
    before = contents(tmp_path)

    def block(values, block_info=None):
        at = block_info[0]["chunk-location"][0]
        if at == 1:
            raise problem
        time.sleep(0.1 * (at > 1))
        return values

    with pytest.raises(problem):
        xf.append_panel(lazily(noise(200, start=40), block), store)
    assert contents(tmp_path) == before
    time.sleep(0.5)
    if isinstance(backend_of(store), plain.PlainStore):
        assert contents(tmp_path) == before
    rest = noise(200, start=40)
    xf.append_panel(rest, store)
    assert_same_panel(xf.open_panel(store), xr.concat([noise(40), rest], "date"))


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["zarr", "icechunk"])
@pytest.mark.parametrize("name", ["päńel 中", "a b [c] *", ".hidden", "per%20cent", "q?x=1", "a "])
def test_store__may_have_any_name(tmp_path, name, backend):
    if backend == "icechunk":
        needs("icechunk")
    path, options = tmp_path / name, {"backend": backend}
    xf.write_panel(noise(5), path, **options)
    xf.append_panel(noise(3, start=5), path, **options)
    xf.update_panel(noise(5) * 2, path, **options)
    want = xr.concat([noise(5) * 2, noise(3, start=5)], "date")
    assert_same_panel(xf.open_panel(path, **options), want)
    assert xf.check_panel_store(path, **options).ok
    assert os.listdir(tmp_path) == [name]


def test_store__behind_a_link_stays_there(tmp_path):
    real = xf.write_panel(noise(5), tmp_path / "disk" / "panel")
    link = tmp_path / "link"
    link.symlink_to(real)
    xf.append_panel(noise(3, start=5), link)
    assert_same_panel(xf.open_panel(real), xr.concat([noise(5), noise(3, start=5)], "date"))
    xf.write_panel(noise(9), link, overwrite=True)
    assert_same_panel(xf.open_panel(real), noise(9))
    assert link.is_symlink()
    assert (os.listdir(tmp_path / "disk"), sorted(os.listdir(tmp_path))) == (
        ["panel"], ["disk", "link"],
    )  # fmt: skip


# --- text ---------------------------------------------------------------------------------------


def named(dates, texts, start=0):
    made = noise(dates, len(texts), start)
    return made.assign(name=(("date", "asset"), np.array([texts] * dates, dtype=object)))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, ""])
def test_text__that_is_missing_is_empty(tmp_path, missing):
    path = xf.write_panel(named(3, ["a", missing, "ü"]), tmp_path / "p")
    xf.append_panel(named(2, [missing, "b", "nan"], start=3).chunk(date=1), path)
    got = xf.open_panel(path)["name"].values.tolist()
    assert got == [["a", "", "ü"]] * 3 + [["", "b", "nan"]] * 2


@pytest.mark.parametrize("other", [1, 2.5, True, b"a", ("a",)])
def test_text__is_no_other_thing(tmp_path, other):
    panel = named(3, ["a", "b", "c"])
    panel["name"].values[1, 1] = other
    with pytest.raises(xf.PanelError, match=r"'name' holds .* of the type \w+; needed text"):
        xf.write_panel(panel, tmp_path / "p")
    assert os.listdir(tmp_path) == []
