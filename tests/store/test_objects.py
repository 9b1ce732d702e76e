"""Plain Zarr in a bucket: the lock, writers that died, damage."""

import json
import os
import subprocess
import sys

import pytest
import xarray as xr

import xfactor as xf
from tests.store.conftest import needs
from tests.store.test_icechunk import kill
from tests.store.test_store import assert_same_panel
from xfactor.store import leases, objects, owners
from xfactor.store.backends import backend_of
from xfactor.store.tasks import Target


@pytest.fixture
def store(bucket, panel):
    return xf.write_panel(panel.isel(date=slice(8)).chunk(date=4), f"{bucket}/deep/panel.zarr")


def beside(store):
    """Names of what lies beside the store: locks and staged chunks."""
    ours = backend_of(store)
    area = ours.place.prefix.rpartition("/")[0]
    return [k for k in ours.bucket.sizes(area) if not k.startswith(f"{ours.place.prefix}/")]


class Died(BaseException):
    """The process is gone: nothing is cleaned up."""


def test_store__leaves_nothing_beside_it(store, panel):
    xf.append_panel(panel.isel(date=slice(8, 12)), store)
    assert beside(store) == []


def test_store__is_zarr_to_others(store, panel, s3):
    """The published metadata is that of plain Zarr, and so is each array's own."""
    from zarr.storage import ObjectStore

    from xfactor.store.buckets import _opened

    xf.append_panel(panel.isel(date=slice(8, 12)), store)
    place = backend_of(store).place
    other = ObjectStore(_opened(place, place.prefix), read_only=True)
    xr.testing.assert_equal(xr.open_zarr(other).load(), panel)
    xr.testing.assert_equal(xr.open_zarr(other, consolidated=False).load(), panel)


@pytest.mark.parametrize(("step", "calls"), [("_copy_in", 0), ("_copy_in", 4), ("publish", 0)])
def test_append_panel__that_dies_is_swept_by_the_next(store, panel, monkeypatch, step, calls):
    before = xf.open_panel(store).compute()
    with monkeypatch.context() as patch:
        method, left = getattr(objects.BucketStage, step), [calls]

        def dying(self, *args):
            if left[0] == 0:
                raise Died
            left[0] -= 1
            return method(self, *args)

        patch.setattr(objects.BucketStage, step, dying)
        patch.setattr(objects.BucketStage, "discard", lambda self: None)
        with pytest.raises(Died):
            xf.append_panel(panel.isel(date=slice(8, 12)), store)
    assert beside(store)  # staged chunks
    xr.testing.assert_identical(xf.open_panel(store).compute(), before)
    xf.append_panel(panel.isel(date=slice(8, 12)), store)
    assert_same_panel(xf.open_panel(store), panel)
    assert beside(store) == []


def test_write_panel__that_died_while_it_published_can_be_done_again(bucket, panel, monkeypatch):
    address = f"{bucket}/panel.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(objects.Bucket, "write", dies_at(objects.METADATA, objects.Bucket.write))
        with pytest.raises(Died):
            xf.write_panel(panel, address)
    assert backend_of(address).objects()  # chunks that nothing publishes
    assert not backend_of(address).exists()
    xf.write_panel(panel, address)
    assert_same_panel(xf.open_panel(address), panel)


def die(*args):
    raise Died


def dies_at(name, write):
    def dying(self, key, *args, **options):
        if key.endswith(name):
            raise Died
        return write(self, key, *args, **options)

    return dying


def test_write_panel__is_resumed(bucket, panel, monkeypatch):
    address = f"{bucket}/panel.zarr"
    lazy = panel.chunk(date=4)
    with monkeypatch.context() as patch:
        patch.setattr(objects.BucketStage, "publish", die)
        with pytest.raises(Died):
            xf.write_panel(lazy, address, resume=True)
    monkeypatch.setattr(Target, "write", die)  # no chunk is to be written again
    xf.write_panel(lazy, address, resume=True)
    assert_same_panel(xf.open_panel(address), panel)
    assert beside(address) == []


# --- the lock -----------------------------------------------------------------------------------


def test_lock__is_held_by_one(store, panel):
    new = panel.isel(date=slice(8, 12))
    with (
        backend_of(store).locked("a test"),
        pytest.raises(xf.PanelError, match=r"being written by a test in process \d+ .*silence"),
    ):
        xf.append_panel(new, store)
    assert xf.open_panel(store).sizes["date"] == 8
    xf.append_panel(new, store)


def test_lock__is_taken_over_from_one_who_is_silent(store, panel, monkeypatch):
    """And the other, if alive after all, neither publishes nor gives the lock away."""
    ours = backend_of(store)
    monkeypatch.setattr(leases, "SILENCE", -1.0)  # any age is too old
    with ours.locked("a sleeper"):
        stage = ours.stage("key", False, ours.snapshot())
        with backend_of(store).locked("another"):
            ours._lease.renew()
            monkeypatch.setattr(leases, "SILENCE", 300.0)
            with pytest.raises(xf.PanelError, match=r"lock of .* was lost"):
                stage.publish({}, ours.snapshot().arrays, {}, {"version": 9})
            with pytest.raises(xf.PanelError, match="being written by another"):
                xf.append_panel(panel.isel(date=slice(8, 12)), store)
    xf.append_panel(panel.isel(date=slice(8, 12)), store)
    assert_same_panel(xf.open_panel(store), panel)


def test_lock__of_a_process_that_was_killed_here_is_taken_over_at_once(store, panel):
    """Whoever died elsewhere, or cannot be told from one who did, is waited for."""
    ours, new = backend_of(store), panel.isel(date=slice(8, 12))
    key = ours.place.beside(f".{ours.place.name}.lock")
    died = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lives = owners.me("append_panel") | {"pid": died.pid, "started": owners.started(died.pid)}
    died.kill()
    died.wait()
    for other in ({"machine": "another"}, {"machine": None}, {"started": None}, {"pid": os.getpid(),
                  "started": owners.started(os.getpid())}):  # fmt: skip
        ours.bucket.write(key, json.dumps(lives | other).encode())
        with pytest.raises(xf.PanelError, match=r"append_panel in process.* free in (300|299) s"):
            xf.append_panel(new, store)
    ours.bucket.write(key, json.dumps(lives).encode())
    xf.append_panel(new, store)
    assert_same_panel(xf.open_panel(store), panel)


def test_publish__is_refused_to_one_who_was_overtaken(store, panel):
    """Even if it believes to hold the lock: what it began with is there no more."""
    ours = backend_of(store)
    with ours.locked("a sleeper"):
        stage = ours.stage("key", False, ours.snapshot())
        document = json.loads(ours.published().content)
        ours.bucket.write(ours.key("zarr.json"), json.dumps(document, indent=2).encode())
        with pytest.raises(xf.PanelError, match="another writer has published"):
            stage.publish({}, ours.snapshot().arrays, {}, {"version": 9})
    assert_same_panel(xf.open_panel(store), panel.isel(date=slice(8)))


# --- readers of old states, damage, kills -------------------------------------------------------


def test_update_panel__tells_readers_whose_chunks_are_gone(store, panel):
    old = xf.open_panel(store)
    want = panel["close"].isel(date=slice(8))
    for i in range(2):  # two older states stay readable
        xf.update_panel(panel[["close"]].isel(date=[0]) * 0 + i, store)
        xr.testing.assert_equal(old["close"].compute(), want)
    xf.update_panel(panel[["close"]].isel(date=[0]) * 0 + 9, store)
    with pytest.raises(xf.PanelError, match=r"rewritten since.*Open it again"):
        old["close"].compute()


def test_check__names_a_damaged_chunk_and_one_that_is_gone(store):
    ours = backend_of(store)
    key = ours.key("close", "c", "1", "0")
    content = ours.bucket.read(key).content
    ours.bucket.write(key, content[:-1] + bytes([content[-1] ^ 1]))
    ours.bucket.remove([ours.key("weight", "c", "0", "0")])
    damages = [str(d) for d in xf.check_panel_store(store).damages]
    assert damages == [
        "close, 2020-01-07 to 2020-01-10: its checksum does not match its bytes",
        "weight, 2020-01-01 to 2020-01-06: the chunk weight/c/0/0 is not there",
    ]
    with pytest.raises(xf.PanelError, match="'close' cannot be read"):
        xf.open_panel(store)["close"].compute()


def test_append_panel__killed_leaves_the_old_state_or_the_new(bucket):
    needs("moto")
    kill(f"{bucket}/panel.zarr", 6, 0)
