"""Writers killed at any moment: the store is what it was or what it should become."""

import multiprocessing
import os
import random
import signal
import time

import dask
import pandas as pd
import pytest

import xfactor as xf
from tests.store import model as m

START = pd.Timestamp("2020-01-01")


def panel(dates, assets, seed):
    """Two fields suffice: what tears is one beside the other, or one within itself."""
    made = m.drawn(dates, assets, seed)
    return made[["close", "sector", "market"]].drop_vars("factor", errors="ignore")


def step(state, i):
    """The i-th write on a state: what to call, and the state it should lead to."""
    rng = random.Random(i)
    kind = rng.choice(["append", "append", "update", "rechunk", "overwrite", "add"])
    if kind == "append":
        day = state.indexes["date"][-1] + pd.Timedelta(days=1)
        known = state.asset.values.tolist()
        assets = rng.sample(known, max(1, len(known) - 1)) + [10_000 + i] * (i % 3 == 0)
        new = panel(pd.date_range(day, periods=rng.randint(1, 5)), assets, i)
        for name in set(state.data_vars) - set(new.data_vars):
            new[name] = new["close"] * 2
        return (lambda path: xf.append_panel(new, path)), m.appended(state, new)
    if kind == "update":
        at = {"date": sorted(rng.sample(range(state.sizes["date"]), 2)), "asset": [0]}
        cells = state[["close", "market"]].isel(at).drop_vars("symbol").copy(deep=True)
        cells["close"][:], cells["market"][:] = float(i), -float(i)
        return (lambda path: xf.update_panel(cells, path)), m.restated(state, cells, True)
    if kind == "rechunk":
        return (lambda path: xf.rechunk_panel(path, chunk_dates=rng.randint(2, 5))), state
    if kind == "add":
        name = f"extra_{i}"
        new = (state[["close"]] * i).drop_vars("symbol").rename(close=name)
        return (lambda path: xf.add_fields(new, path)), state.assign({name: new[name]})
    new = panel(pd.date_range(START, periods=7), [3, 1, 2], i).chunk(date=3)
    return (lambda path: xf.write_panel(new, path, overwrite=True)), new.load()


def child(path, state, first, done):
    """Write one after another, and say before and after each: `done` is the intent log."""
    with dask.config.set(scheduler="synchronous"):
        for i in range(first, first + 1000):
            write, state = step(state, i)
            done.send((i, "begin"))
            write(path)
            done.send((i, "end"))


def killed(path, state, first, delay):
    """Kill a writer after some time; return the states the store may be in, and the next step."""
    mine, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=child, args=(path, state, first, theirs)
    )
    process.start()
    theirs.close()
    mine.recv()  # it begins its first write
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    log = [(first, "begin")]
    while mine.poll():
        try:
            log.append(mine.recv())
        except EOFError:
            break
    mine.close()
    return log


def kill_many(folder, n):
    path = folder / "panel.zarr"
    state = panel(pd.date_range(START, periods=7), [3, 1, 2], 0)
    xf.write_panel(state.chunk(date=3), path)
    rng, i, torn, usual = random.Random(5), 0, [], 0.1
    took = {"old": 0, "new": 0, "between": 0}
    for _ in range(n):
        log = killed(path, state, i, rng.uniform(0.0, 2 * usual))
        last, what = log[-1]
        for k in range(i, last + (what == "end")):
            state = step(state, k)[1]
        i, states = last + 1, [state]
        if what == "begin":
            states.append(step(state, last)[1])
        found = [w for w in states if m.difference(xf.open_panel(path), w) == ""]
        seen = [w for w in states if m.difference(m.bare(path), w) == ""]
        took[
            "between" if what == "end" else "new" if found and found[0] is not state else "old"
        ] += 1
        torn += [] if found and seen and found[0] is seen[0] else [last]
        state = found[0] if found else xf.open_panel(path).load()
        write, state = step(state, i)  # goes on by itself
        start = time.perf_counter()
        write(path)
        usual = time.perf_counter() - start  # so that kills are spread over a write or two
        i += 1
        assert m.difference(xf.open_panel(path), state) == ""
        assert os.listdir(folder) == [path.name]
        assert not list(path.rglob("*.partial"))
        unpublished = {p.name for p in path.iterdir() if p.is_dir()} - set(state.variables)
        assert not {u for u in unpublished if (path / u / "zarr.json").exists()}
    assert torn == []
    return took


def test_store__survives_30_kills(tmp_path):
    took = kill_many(tmp_path, 30)
    assert took["old"] > 3, took


@pytest.mark.slow
def test_store__survives_200_kills(tmp_path):
    took = kill_many(tmp_path, 200)
    print(took)
    # Where flushing takes no time a write is over as soon as it is published.
    assert min(took["old"], took["new"] + took["between"]) > 3, took
