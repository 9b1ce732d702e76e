"""Disks that fail, networks that cut short, bytes that flip: an error, never a wrong number."""

import asyncio
import random

import numpy as np
import pandas as pd
import pytest
from zarr.storage import WrapperStore

import xfactor as xf
from tests.store import model as m
from xfactor.store import arrays

DATES = pd.date_range("2020-01-01", periods=7)
ASSETS = [3, 1, 2]


@pytest.fixture
def panel():
    return m.drawn(DATES, ASSETS, 1)


@pytest.fixture
def store(tmp_path, panel):
    path = xf.write_panel(panel.chunk(date=4), tmp_path / "p")
    xf.store.append_table(path, "trades", {"a": np.arange(5), "text": np.array(["é"] * 5, object)})
    return path


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(arrays, "PAUSES", (0.0, 0.0))


class Flaky(WrapperStore):
    """A store that fails one call in twenty, cuts one read in a hundred, and is slow at random."""

    rng = random.Random(0)
    faults = 0

    @classmethod
    def restart(cls, seed):
        cls.rng, cls.faults = random.Random(seed), 0

    async def hiccup(self, share=0.05):
        if self.rng.random() < 0.05:
            await asyncio.sleep(0.001)
        if self.rng.random() < share:
            Flaky.faults += 1
            raise OSError("the network is down")

    async def get(self, key, prototype, byte_range=None):
        await self.hiccup()
        found = await super().get(key, prototype, byte_range)
        if found is not None and self.rng.random() < 0.01:
            Flaky.faults += 1
            return found[: self.rng.randrange(len(found))]
        return found

    async def set(self, key, value):
        await self.hiccup()
        if self.rng.random() < 0.01:  # a part arrives, and it says so
            Flaky.faults += 1
            await super().set(key, value[: self.rng.randrange(len(value))])
            raise OSError("the connection was lost")
        await super().set(key, value)


@pytest.fixture
def flaky(monkeypatch):
    opened = arrays.Folder.open
    monkeypatch.setattr(arrays.Folder, "open", lambda self: Flaky(opened(self)))
    arrays._opened.cache_clear()
    yield
    arrays._opened.cache_clear()


def test_reads__from_a_failing_disk_are_right_or_an_error(store, panel, flaky):
    outcomes = {"right": 0, "error": 0}
    faults = 0
    for seed in range(40):
        Flaky.restart(seed)
        try:
            assert m.difference(xf.open_panel(store), panel) == ""
            outcomes["right"] += 1
        except (xf.PanelError, OSError):
            outcomes["error"] += 1
        faults += Flaky.faults
    assert faults > 20
    assert outcomes["right"] > 30, outcomes  # a second and third try heal most


def test_writes__to_a_failing_disk_are_done_whole_or_not_at_all(store, panel, flaky):
    outcomes = {"done": 0, "error": 0}
    want = panel
    for seed in range(40):
        day = want.indexes["date"][-1] + pd.Timedelta(days=1)
        new = m.drawn(pd.date_range(day, periods=1), ASSETS, seed)
        cells = (new[["close", "weight"]] * 2).assign_coords(date=want.date[[seed % 5]])
        calls = [
            (lambda c=new: xf.append_panel(c, store), m.appended(want, new)),
            (lambda c=cells: xf.update_panel(c.drop_vars("symbol"), store),
             m.restated(want, cells, False)),
        ]  # fmt: skip
        write, after = calls[seed % 2]
        Flaky.restart(seed)
        try:
            write()
            want = after
            outcomes["done"] += 1
        except (xf.PanelError, OSError):
            outcomes["error"] += 1
        Flaky.rng = random.Random(1)
        Flaky.rng.random = lambda: 1.0  # a calm disk to look with
        m.assert_holds(store, want)
    assert min(outcomes.values()) > 3, outcomes


def damages(size):
    """Ways to damage a file of some bytes."""
    places = sorted({0, 5, size // 2, size - 5, size - 1})
    for at in (p for p in places if 0 <= p < size):
        for bit in (0x01, 0x80):
            yield (
                f"bit {bit} of byte {at}",
                lambda b, at=at, bit=bit: b[:at] + bytes([b[at] ^ bit]) + b[at + 1 :],
            )
    for n in sorted({0, size - 1}):
        yield f"cut to {n}", lambda b, n=n: b[:n]
    yield "gone", lambda b: None
    yield "with a byte more", lambda b: b + b"\0"


def seen(path):
    return xf.open_panel(path).load(), m.tables(path)


def test_damage__to_any_file_is_an_error_and_never_another_number(store, panel):
    tables = m.tables(store)
    found = {"error": 0, "right": 0}
    for file in sorted(p for p in store.rglob("*") if p.is_file()):
        content = file.read_bytes()
        for what, damage in damages(len(content)):
            damaged = damage(content)
            file.unlink() if damaged is None else file.write_bytes(damaged)
            try:
                got, rows = seen(store)
            except (xf.PanelError, OSError):
                found["error"] += 1
                file.write_bytes(content)
                continue
            file.write_bytes(content)
            where = f"{file.relative_to(store)}, {what}"
            assert m.difference(got, panel) == "", where
            assert all((rows[t][c] == a).all() for t in tables for c, a in tables[t].items()), where
            # Only the files of single arrays may be damaged without being missed: no reader of
            # the panel looks at them, and the next write restores them. And the marks that tell
            # readers of older states that names are taken: whoever reads this one needs none.
            assert file.name in ("zarr.json", ".c-slash", ".c-dot", ".v2-dot"), where
            found["right"] += 1
    assert found["error"] > 100, found
    seen(store)


@pytest.mark.parametrize("write", ["append", "update", "rechunk"])
def test_writes__do_not_build_on_damaged_chunks(store, panel, write):
    """Half of a chunk is kept by a write: if it cannot be read nothing is published."""
    new = m.drawn(pd.date_range("2020-01-08", periods=1), ASSETS, 2)
    chunk = store / "close" / "c" / "1" / "0"
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    cells = panel[["close"]].isel(date=[6], asset=[0]).drop_vars("symbol") * 0 + 1.0
    calls = {
        "append": lambda: xf.append_panel(new, store),
        "update": lambda: xf.update_panel(cells, store),
        "rechunk": lambda: xf.rechunk_panel(store, chunk_dates=2),
    }
    with pytest.raises(xf.PanelError, match="'close' cannot be read"):
        calls[write]()
    chunk.write_bytes(content)
    m.assert_holds(store, panel)
    calls[write]()
