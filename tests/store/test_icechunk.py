"""Icechunk: versions, races, kills, other processes."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.store.conftest import needs
from tests.store.racing import day
from tests.store.test_store import assert_same_panel
from xfactor.store import backends


@pytest.fixture
def store(tmp_path, panel):
    needs("icechunk")
    return xf.write_panel(panel.isel(date=slice(8)), f"icechunk://{tmp_path}/panel")


@pytest.fixture
def shared(bucket):
    """A store of one day in a bucket, where nothing locks."""
    needs("icechunk")
    return xf.write_panel(day(0), f"icechunk+{bucket}/panel")


# --- versions -----------------------------------------------------------------------------------


def test_open_panel__goes_back_in_time(store, panel):
    xf.append_panel(panel.isel(date=slice(8, 12)), store)
    xf.update_panel(panel[["close"]].isel(date=[0]) * 0 + 5, store)
    history = xf.store_history(store)
    assert history["what"].tolist() == ["update_panel", "append_panel", "write_panel"]
    assert history["time"].is_monotonic_decreasing
    assert history["message"][1] == "append_panel, version 2: asset 7, date 12"
    first = panel.isel(date=slice(8))
    assert_same_panel(xf.open_panel(store, snapshot=history["id"][2]), first)
    assert_same_panel(xf.open_panel(store, snapshot=history["id"][1]), panel)
    assert_same_panel(xf.open_panel(store, as_of=history["time"][2]), first)
    between = history["time"][1] + (history["time"][0] - history["time"][1]) / 2
    assert_same_panel(xf.open_panel(store, as_of=between), panel)
    assert_same_panel(xf.open_panel(store, as_of=str(between.tz_localize(None))), panel)
    assert float(xf.open_panel(store, as_of="2200")["close"][0, 0]) == 5


def test_open_panel__says_which_versions_there_are(store, tmp_path, panel):
    with pytest.raises(xf.PanelError, match="no version 'x'"):
        xf.open_panel(store, snapshot="x")
    with pytest.raises(xf.PanelError, match="no version of 2001-01-01"):
        xf.open_panel(store, as_of="2001-01-01")
    with pytest.raises(xf.PanelError, match="one of the two"):
        xf.open_panel(store, snapshot="x", as_of="2001")
    with pytest.raises(xf.PanelError, match="a time"):
        xf.open_panel(store, as_of="soon")
    plain = xf.write_panel(panel, tmp_path / "plain")
    with pytest.raises(xf.PanelError, match="backend='icechunk'"):
        xf.open_panel(plain, as_of="2001-01-01")


def test_gc__forgets_old_versions_and_frees_their_bytes(store, panel):
    noise = np.random.default_rng(0).normal(size=panel["close"].shape)  # beyond what is inlined
    wide = panel[["close"]].copy(data={"close": noise})
    wide = xr.concat([wide.assign_coords(asset=panel["asset"] + 100 * i) for i in range(20)],
                     "asset")  # fmt: skip
    xf.write_panel(wide.drop_vars("symbol"), store, overwrite=True)
    xf.update_panel(wide[["close"]] * 2, store)
    ice = backends.backend_of(store)
    assert ice.gc() == 0  # all of it is younger than a week
    assert len(xf.store_history(store)) == 3
    assert ice.gc(keep_days=0) > wide["close"].nbytes // 2
    assert len(xf.store_history(store)) == 1
    np.testing.assert_array_equal(xf.open_panel(store)["close"], wide["close"] * 2)


def test_store__is_zarr_to_others(store, panel):
    import icechunk

    folder = str(store).removeprefix("icechunk://")
    repo = icechunk.Repository.open(icechunk.local_filesystem_storage(folder))
    got = xr.open_zarr(repo.readonly_session("main").store, consolidated=False)
    xr.testing.assert_equal(got.load(), panel.isel(date=slice(8)))


def test_write_panel__leaves_a_folder_that_is_not_its_own(tmp_path, panel):
    needs("icechunk")
    (tmp_path / "thesis.txt").write_text("text")
    for overwrite in (False, True):
        with pytest.raises(xf.PanelError, match=r"there already|no panel store"):
            xf.write_panel(panel, tmp_path, backend="icechunk", overwrite=overwrite)
    assert os.listdir(tmp_path) == ["thesis.txt"]


# --- other processes ----------------------------------------------------------------------------


def written_elsewhere(monkeypatch):
    """Have each block written as by another process: from what was pickled."""
    from xfactor.store import forks, tasks

    here = tasks.Target.write

    def write(target, block, given):
        target = pickle.loads(pickle.dumps(target))
        with monkeypatch.context() as patch:
            patch.setattr(forks, "live", lambda token: None)
            receipt = here(target, block, given)
        assert len(receipt[-1]) < 3000  # the chunk is in the store; what travels is its name
        return receipt

    monkeypatch.setattr(tasks.Target, "write", write)


def test_store__takes_what_tasks_elsewhere_have_written(tmp_path, panel, monkeypatch):
    """Each task writes to a copy of the session and hands its changes back."""
    needs("icechunk")
    from xfactor.store.forks import LIVE

    written_elsewhere(monkeypatch)
    address = f"icechunk://{tmp_path}/panel"
    xf.write_panel(panel.isel(date=slice(8)).chunk(date=4), address)
    xf.append_panel(panel.isel(date=slice(8, 12)), address)
    assert_same_panel(xf.open_panel(address), panel)
    xf.write_panel(panel.chunk(date=3), address, overwrite=True)  # other chunks, same arrays
    assert_same_panel(xf.open_panel(address), panel)
    assert LIVE == {}


def test_write_panel__with_other_dims_is_written_by_one_process(tmp_path, panel, monkeypatch):
    needs("icechunk")
    address = f"icechunk://{tmp_path}/panel"
    xf.write_panel(panel, address)
    market = panel[["weight"]].assign(close=panel["close"].isel(asset=0, drop=True))
    with monkeypatch.context() as patch:
        written_elsewhere(patch)
        with pytest.raises(xf.PanelError, match="'close' has other dims"):
            xf.write_panel(market, address, overwrite=True)
    assert_same_panel(xf.open_panel(address), panel)
    xf.write_panel(market, address, overwrite=True)
    assert_same_panel(xf.open_panel(address), market)


@pytest.mark.slow
def test_store__is_written_and_read_by_other_processes(tmp_path, panel):
    needs("icechunk")
    address = f"icechunk://{tmp_path}/panel"
    with dask.config.set(scheduler="processes", num_workers=2):
        xf.write_panel(panel.chunk(date=4), address)
        assert_same_panel(xf.open_panel(address), panel)


# --- races --------------------------------------------------------------------------------------


def interrupt(monkeypatch, other):
    """Have `other` run just before the next commit."""
    from xfactor.store import ice

    publish = ice.IceStage.publish

    def second(self, *args):
        monkeypatch.setattr(ice.IceStage, "publish", publish)
        other()
        publish(self, *args)

    monkeypatch.setattr(ice.IceStage, "publish", second)


def run(script, *args):
    """Run a script of this folder; return what it prints."""
    here = Path(__file__)
    done = subprocess.run(
        [sys.executable, here.with_name(script), *map(str, args)], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(here.parents[2])}, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def values(address):
    return xf.open_panel(address)["a"].values[:, 0].tolist()


def test_append_panel__overtaken_by_an_earlier_date_is_done_again(shared, monkeypatch):
    interrupt(monkeypatch, lambda: xf.append_panel(day(1), shared))
    xf.append_panel(day(2), shared)
    assert values(shared) == [0, 1, 2]


def test_append_panel__overtaken_by_a_later_date_is_refused(shared, monkeypatch):
    interrupt(monkeypatch, lambda: xf.append_panel(day(2), shared))
    with pytest.raises(xf.PanelError, match="2020-01-02 is not later"):
        xf.append_panel(day(1), shared)
    assert values(shared) == [0, 2]


def test_append_panel__overtaken_by_the_same_date_is_refused(shared, monkeypatch):
    interrupt(monkeypatch, lambda: xf.append_panel(day(1) + 1, shared))
    with pytest.raises(xf.PanelError, match="2020-01-02 is there already"):
        xf.append_panel(day(1), shared)
    assert values(shared) == [0, 2]


def test_update_panel__overtaken_is_refused_and_nothing_is_merged(shared, monkeypatch):
    interrupt(monkeypatch, lambda: xf.append_panel(day(1), shared))
    with pytest.raises(xf.PanelError, match=r"another writer.*Try again"):
        xf.update_panel(day(0) + 9, shared)
    assert values(shared) == [0, 1]


# --- kills --------------------------------------------------------------------------------------


def kill(address, kills, seed):
    found = [int(line) for line in run("killed.py", address, kills, seed).split()]
    assert len(found) == kills
    assert found == sorted(found)
    return found


def test_append_panel__killed_leaves_the_old_state_or_the_new(tmp_path):
    needs("icechunk")
    kill(f"icechunk://{tmp_path}/panel", 12, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_append_panel__killed_a_hundred_times(tmp_path, seed):
    needs("icechunk")
    kill(f"icechunk://{tmp_path}/panel", 100, seed)


def test_append_panel__a_second_local_writer_is_refused(store, panel):
    day = panel.isel(date=slice(8, 12))
    with (
        backends.backend_of(store).locked("a test"),
        ThreadPoolExecutor(1) as other,  # who holds the lock may go on itself
        pytest.raises(xf.PanelError, match="being written by a test"),
    ):
        other.submit(xf.append_panel, day, store).result()
    assert xf.open_panel(store).sizes["date"] == 8


def test_timestamps__are_utc(store):
    assert xf.store_history(store)["time"].dt.tz is not None
    assert (pd.Timestamp.now("UTC") - xf.store_history(store)["time"][0]).total_seconds() < 600
