"""Several writers at once: what was acknowledged is there, what was refused was told why."""

import json
import multiprocessing
import random
import time

import dask
import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from tests.store import model as m
from tests.store import racing
from tests.store.conftest import needs
from tests.store.test_icechunk import run

START = pd.Timestamp("2020-01-01")


def panel(date, number):
    """One date on which every value says who wrote it."""
    made = m.drawn([date], [3, 1, 2], 0)[["close", "market"]].drop_vars("factor", errors="ignore")
    return made.assign(close=made["close"] * 0 + number, market=made["market"] * 0 + number).fillna(
        number
    )


def appends(path, who, tries, barrier, said):
    """Append the next date until ten are acknowledged, whatever the others do."""
    with dask.config.set(scheduler="synchronous"):
        barrier.wait()
        for k in range(tries):
            number, why, heard = who * 100 + k + 1.0, "not yet", []
            while why:
                date = xf.open_panel(path).indexes["date"][-1] + pd.Timedelta(days=1)
                new, why = panel(date, number), ""
                for name in set(xf.open_panel(path).data_vars) - set(new.data_vars):
                    new[name] = new["close"]
                try:
                    xf.append_panel(new, path)
                except xf.PanelError as refusal:
                    why = str(refusal)
                    time.sleep(random.uniform(0.0, 0.02))
                heard.append(("append", number, date, why))
            said.put(heard)


def others(path, who, tries, barrier, said):
    """Restate the first date and add fields, whatever the others do."""
    with dask.config.set(scheduler="synchronous"):
        barrier.wait()
        for k in range(tries):
            number = who * 100 + k + 1.0
            time.sleep(random.uniform(0.0, 0.1))
            try:
                if k % 2:
                    cells = panel(START, number).drop_vars("symbol")
                    xf.update_panel(cells, path)
                    said.put([("update", number, START, "")])
                else:
                    there = xf.open_panel(path)
                    new = there[["close"]].rename(close=f"f{who}_{k}").drop_vars("symbol")
                    xf.add_fields(new, path)
                    said.put([("add", f"f{who}_{k}", START, "")])
            except xf.PanelError as refusal:
                said.put([("other", number, START, str(refusal))])


def race(path, jobs, tries=10):
    context = multiprocessing.get_context("fork")
    barrier, said = context.Barrier(len(jobs)), context.Queue()
    started = [
        context.Process(target=job, args=(path, i, tries, barrier, said))
        for i, job in enumerate(jobs)
    ]
    for process in started:
        process.start()
    heard = [h for _ in range(len(jobs) * tries) for h in said.get(timeout=100)]
    for process in started:
        process.join(60)
        assert process.exitcode == 0
    return heard


WHY = ("is being written by", "is there already", "is not later", "lacks", "other 'date' labels")


def check(path, heard):
    """Every acknowledged append stands in the store, on its date, and nothing else."""
    appended = {date: number for what, number, date, why in heard if what == "append" and not why}
    assert all(any(w in why for w in WHY) for *_, why in heard if why)
    found = xf.open_panel(path).load()
    assert found.indexes["date"].tolist() == [START, *sorted(appended)]
    for date, number in appended.items():
        np.testing.assert_array_equal(found["close"].sel(date=date), number)
        assert float(found["market"].sel(date=date)) == number
    assert m.difference(m.bare(path), found) == ""
    return appended, found


@pytest.fixture
def store(tmp_path):
    return xf.write_panel(panel(START, 0.0), tmp_path / "p")


def test_append_panel__by_4_processes_loses_nothing(store):
    heard = race(store, [appends] * 4)
    appended, _ = check(store, heard)
    assert len(appended) == sum(not why for *_, why in heard) == 40
    assert len(heard) > 40, "some were refused: else nobody raced"
    assert [p.name for p in store.parent.iterdir()] == [store.name]


def test_update_panel_and_add_fields__beside_appends_lose_nothing(store):
    heard = race(store, [appends, appends, others, others])
    appended, found = check(store, heard)
    added = {number for what, number, *_ in heard if what == "add"}
    assert added == set(found.data_vars) - {"close", "market"}
    updates = [number for what, number, _, why in heard if what == "update"]
    assert found["close"].values[0, 0] in (updates or [0.0])
    assert len(appended) == 20


# --- where nothing locks, and by leases ---------------------------------------------------------


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("s3", "icechunk")]


@pytest.fixture(params=["icechunk+s3", *SLOW])
def elsewhere(request, tmp_path):
    """A store of one day in a bucket, or in a local repository."""
    if "icechunk" in request.param:
        needs("icechunk")
    if "s3" in request.param:
        url = f"{request.getfixturevalue('bucket')}/panel"
        return xf.write_panel(racing.day(0), url if request.param == "s3" else f"icechunk+{url}")
    return xf.write_panel(racing.day(0), f"icechunk://{tmp_path}/panel")


TOLD = (*WHY, "another writer has published")


def raced(address, *jobs):
    """Have writers race; return what was acknowledged, and why the rest was not."""
    told = [json.loads(line) for line in run("racing.py", address, *jobs).splitlines()]
    refused = [t["why"] for t in told if t["why"]]
    assert refused, "some were refused: else nobody raced"
    assert all(any(w in why for w in TOLD) for why in refused), set(refused)
    done = [t for t in told if not t["why"]]
    assert len(done) == len(jobs) * racing.TURNS
    return done


def test_append_panel__by_4_processes_loses_nothing_elsewhere(elsewhere):
    done = raced(elsewhere, *["append"] * 4)
    want = {0: 0} | {t["at"]: t["number"] for t in done}
    found = xf.open_panel(elsewhere)["a"].values
    assert sorted(want) == list(range(41))
    np.testing.assert_array_equal(found, [[want[i]] * 4 for i in range(41)])


def test_store__written_by_4_processes_in_4_ways_loses_nothing_elsewhere(elsewhere):
    done = raced(elsewhere, "append", "append", "restate", "add")
    found = xf.open_panel(elsewhere).load()
    want = {t["at"]: t["number"] for t in done if t["job"] == "append"}
    assert found.sizes["date"] == 21
    np.testing.assert_array_equal(found["a"][1:], [[want[i]] * 4 for i in range(1, 21)])
    restated = [t["number"] for t in done if t["job"] == "restate"]
    np.testing.assert_array_equal(found["a"][0], [0, 0, restated[-1], 0])
    added = {t["at"]: t["number"] for t in done if t["job"] == "add"}
    assert set(found.data_vars) == {"a", *added}
    for name, number in added.items():
        assert found[name][0, 0] == number
