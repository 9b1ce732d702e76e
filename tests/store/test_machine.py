"""A store against a model in memory, through any order of writes, refusals and crashes."""

import contextlib
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import xfactor as xf
from tests.store import model as m
from xfactor.store import append_table, files, plain
from xfactor.store.backends import backend_of

# What was done and compared; a difference ends the run, so none is counted.
TALLY: Counter[str] = Counter()

seeds = st.integers(0, 2**31)
extra = st.sampled_from(["alpha", "beta", "gamma"])


class Crash(BaseException):
    """The process is gone: nothing below it may tidy up."""


@contextlib.contextmanager
def crashing(where):
    """Die in the middle of a write: before, while or after chunks are moved in, or published."""
    replaced, moved = files.replace_file, plain.Staging._move_in
    calls = []

    def replace(path, content):
        if path.name == files.METADATA and where == "before it is published":
            raise Crash
        replaced(path, content)
        if where == "just after":
            raise Crash

    def move(self, name, array, *rest):
        if where == "while chunks are moved in" and calls:
            raise Crash
        calls.append(name)
        moved(self, name, array, *rest)

    with (
        mock.patch.object(files, "replace_file", replace),
        mock.patch.object(plain.Staging, "_move_in", move),
        mock.patch.object(plain.Staging, "discard"),
        contextlib.suppress(Crash),
    ):
        yield


class Stores(RuleBasedStateMachine):
    """Every rule does the same to a store and to a model; they must stay equal."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "panel[1].zarr"
        self.day, self.next_asset = 0, 1000
        self.tables, self.readers = {}, []
        self.crash, self.crashes = None, 0

    def teardown(self):
        TALLY["examples"] += 1
        shutil.rmtree(self.folder)

    # --- draws ----------------------------------------------------------------------------------

    def dates(self, n):
        self.day += n
        return pd.date_range("2020-01-01", periods=self.day)[-n:].as_unit("ns")

    def assets(self, data, new):
        known = self.model.asset.values.tolist()
        kept = data.draw(st.lists(st.sampled_from(known), unique=True))
        self.next_asset += new
        listed = range(self.next_asset - new, self.next_asset)
        return data.draw(st.permutations([*kept, *listed])) if new < 9 else [*listed, *kept]

    def fields(self):
        return sorted({"alpha", "beta", "gamma"} & set(self.model.data_vars))

    def done(self, write, model, tables=None):
        """Write; with a crash in it the store is what it was or what it should become."""
        TALLY[self.what] += 1
        if self.crash is None:
            write()
        else:
            where, self.crash = self.crash, None
            TALLY[f"died {where}"] += 1
            self.crashes += 1
            before = backend_of(self.path).snapshot().books
            with crashing(where):
                write()
            after = backend_of(self.path).snapshot().books
            if after["version"] == before["version"] or after["by"] != self.what:
                return
        self.model = model
        self.tables = self.tables if tables is None else tables

    # --- rules ----------------------------------------------------------------------------------

    @initialize(n=st.integers(1, 6), k=st.integers(1, 5), seed=seeds, cut=st.integers(1, 4),
                lazy=st.booleans())  # fmt: skip
    def write(self, n, k, seed, cut, lazy):
        self.next_asset += k
        assets = np.random.default_rng(seed).permutation(range(1000, 1000 + k))
        self.model = m.drawn(self.dates(n), assets, seed)
        TALLY["write_panel"] += 1
        xf.write_panel(self.model.chunk(date=cut) if lazy else self.model, self.path)

    @rule(where=st.sampled_from(["before it is published", "while chunks are moved in",
                                 "just after"]))  # fmt: skip
    def crash_in_the_next_write(self, where):
        self.crash = where

    @rule(
        data=st.data(), n=st.integers(1, 4), seed=seeds, lazy=st.booleans(),
        new=st.sampled_from([0, 0, 1, 2, 70]), rows=st.booleans(), static=st.booleans(),
    )  # fmt: skip
    def append(self, data, n, seed, lazy, new, rows, static):
        assets = self.assets(data, new)
        if not assets:
            return
        panel = m.drawn(self.dates(n), assets, seed, self.fields())
        panel = panel.drop_vars([f for f in panel.data_vars if f not in self.model])
        if not static:
            panel = panel.drop_vars("founded", errors="ignore")
        tables = {"trades": {"asset": np.arange(n), "text": np.array(["é"] * n, object)}}
        want = m.appended(self.model, panel)
        given = panel.chunk(date=data.draw(st.integers(1, n))) if lazy else panel
        self.what = "append_panel"
        self.done(
            lambda: xf.append_panel(given, self.path, tables=tables if rows else None),
            want, self.more(tables) if rows else None,
        )  # fmt: skip

    def more(self, tables):
        there = dict(self.tables)
        for name, columns in tables.items():
            old = there.get(name, {c: a[:0] for c, a in columns.items()})
            there[name] = {c: np.concatenate([old[c], a]) for c, a in columns.items()}
        return there

    @rule(n=st.integers(0, 5), name=st.sampled_from(["trades", "filings"]), seed=seeds)
    def append_rows(self, n, name, seed):
        columns = {
            "asset": np.arange(n) + seed, "text": np.array([f"r{seed}"] * n, dtype=object),
        }  # fmt: skip
        self.what = "append_table"
        self.done(
            lambda: append_table(self.path, name, columns), self.model,
            self.more({name: columns}) if n else None,
        )  # fmt: skip

    @rule(data=st.data(), seed=seeds, gone=st.booleans(), lazy=st.booleans())
    def restate(self, data, seed, gone, lazy):
        pick = {
            d: data.draw(st.lists(st.sampled_from(self.model[d].values.tolist()), min_size=1,
                                  max_size=5, unique=True)) for d in ("date", "asset")
        }  # fmt: skip
        dates = pd.DatetimeIndex(sorted(pick["date"])).as_unit("ns")
        cells = m.drawn(dates, pick["asset"], seed, self.fields()).drop_vars("symbol")
        names = data.draw(st.sets(st.sampled_from(sorted(self.model.data_vars)), min_size=1))
        cells = cells[sorted(names)]
        want = m.restated(self.model, cells, gone)
        self.what = "update_panel"
        given = cells.chunk() if lazy else cells
        self.done(lambda: xf.update_panel(given, self.path, overwrite_missing=gone), want)

    @rule(name=extra, seed=seeds)
    def add(self, name, seed):
        if name in self.model:
            return
        drawn = m.drawn(self.model.date.values, self.model.asset.values, seed, [name])
        new = drawn[[name]].drop_vars("symbol")
        self.what = "add_fields"
        self.done(lambda: xf.add_fields(new, self.path), self.model.assign({name: new[name]}))

    @rule(dates=st.integers(1, 5), room=st.sampled_from([0, 1, 3, 60]))
    def rechunk(self, dates, room):
        self.what = "rechunk_panel"
        n = self.model.sizes["asset"]
        self.done(
            lambda: xf.rechunk_panel(self.path, chunk_dates=dates, capacity=n + room), self.model
        )

    @rule(
        seed=seeds, k=st.integers(1, 4),
        drop=st.sets(st.sampled_from(["close", "sector", "founded", "market"]), max_size=2),
    )  # fmt: skip
    def overwrite(self, seed, k, drop):
        panel = m.drawn(self.dates(3), range(5, 5 + k), seed).drop_vars(drop)
        self.what = "write_panel"
        self.done(lambda: xf.write_panel(panel, self.path, overwrite=True), panel, {})

    @rule()
    def refuse(self):
        before = {p: p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}
        with pytest.raises(xf.PanelError, match="is there already"):
            xf.append_panel(self.model.isel(date=[-1]), self.path)
        TALLY["append refused"] += 1
        assert {p: p.read_bytes() for p in self.folder.rglob("*") if p.is_file()} == before

    @rule()
    def sweep(self):
        """What no state needs goes: older readers may then fail, but not be wrong."""
        backend_of(self.path).gc()
        TALLY["gc"] += 1
        self.readers = [(opened, was, -99) for opened, was, _ in self.readers]

    @precondition(lambda self: len(self.readers) < 2)
    @rule()
    def open_and_keep(self):
        self.readers.append((xf.open_panel(self.path), self.model, self.begun()))

    def begun(self):
        """Count writes: one that dies sweeps before it begins what its forerunner dropped."""
        return backend_of(self.path).snapshot().version + self.crashes

    @precondition(lambda self: self.readers)
    @rule()
    def close(self):
        self.readers.pop(0)

    # --- what must hold after each --------------------------------------------------------------

    @invariant()
    def store_is_the_model(self):
        m.assert_holds(self.path, self.model)
        TALLY["steps after which the store was compared"] += 1
        found = m.tables(self.path)
        assert found.keys() == self.tables.keys()
        for name, columns in self.tables.items():
            for column, array in columns.items():
                assert found[name][column].tolist() == array.tolist()

    @invariant()
    def readers_see_what_they_opened(self):
        now = self.begun()
        for opened, was, then in self.readers:
            try:
                assert m.difference(opened, was) == ""
                TALLY["older readers compared"] += 1
            except (xf.PanelError, OSError):
                TALLY["older readers refused"] += 1
                assert now - then > 1, "one write later everything is still there"


# A failing run is short enough to be read as it is; making it shorter would take minutes.
COMMON = {"phases": [Phase.generate], "deadline": None, "suppress_health_check": list(HealthCheck)}


def test_store__is_the_model_after_any_writes():
    few = settings(max_examples=8, stateful_step_count=16, derandomize=True, **COMMON)
    run_state_machine_as_test(Stores, settings=few)


@pytest.mark.proof
@pytest.mark.parametrize("batch", range(10))
def test_store__is_the_model_after_any_writes__200_times_30(batch, capsys):
    """Ten batches of 20 examples; prints what all so far have done and compared."""
    many = settings(max_examples=20, stateful_step_count=30, **COMMON)
    seed(batch)(get_state_machine_test(Stores, settings=many))()
    with capsys.disabled():
        print(f"\nbatch {batch}: 0 differences;", dict(TALLY))
