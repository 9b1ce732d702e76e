"""Stores written by earlier releases open for ever, and can be written to."""

import shutil

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from tests.store import model as m
from tests.store import releases
from xfactor.store.backends import backend_of

FORMATS = sorted(p.stem for p in releases.DATA.glob("*.zip"))


@pytest.fixture(params=FORMATS)
def store(request, tmp_path):
    shutil.unpack_archive(releases.DATA / f"{request.param}.zip", tmp_path / "p")
    return tmp_path / "p"


def test_releases__none_is_lost():
    assert {"format_1", "format_2"} <= set(FORMATS)


def test_open_panel__gives_what_the_formulas_give(store):
    assert m.difference(xf.open_panel(store), releases.panel()) == ""
    if m.tables(store):
        found = m.tables(store)["filings"]
        assert all((found[c] == a).all() for c, a in releases.rows().items())


def test_release__written_today_is_what_it_always_was(tmp_path):
    releases.write(tmp_path / "p")
    m.assert_holds(tmp_path / "p", releases.panel())


@pytest.mark.parametrize("assets", [(30, 10, 20), (20, 30, 10), (30,), (20, 40)], ids=str)
def test_append_panel__goes_on(store, assets):
    """Delisted assets and new ones are missing: no code 0, no day in 1970."""
    new, old = releases.panel(range(7, 11), assets), releases.panel()
    xf.append_panel(new, store)
    m.assert_holds(store, m.appended(old, new))


def test_update_panel__goes_on(store):
    cells = releases.panel()[["close", "reported", "sector", "weight"]].drop_vars("symbol")
    cells = cells.isel(date=[1, 6], asset=[2, 0])
    cells["close"][:], cells["sector"][:] = 5.0, 2
    cells["reported"][:] = np.datetime64("2024-02-03", "ns")
    xf.update_panel(cells, store)
    m.assert_holds(store, m.restated(releases.panel(), cells, False))


def test_rechunk_panel__makes_it_a_store_of_this_release(store):
    xf.rechunk_panel(store, chunk_dates=3)
    m.assert_holds(store, releases.panel())
    assert backend_of(store).snapshot().format_version == 2


def test_append_panel__with_a_time_of_day_keeps_it(store):
    """Days since a date, as the first format stored, have no room for hours."""
    new = releases.panel(range(7, 9))
    new = new.assign_coords(date=new.indexes["date"] + pd.Timedelta(hours=7, minutes=30))
    xf.append_panel(new, store)
    m.assert_holds(store, m.appended(releases.panel(), new))


def test_update_panel__with_a_time_of_day_keeps_it(store):
    cells = releases.panel()[["reported"]].drop_vars("symbol").isel(date=[1])
    cells["reported"][:] = np.datetime64("2024-02-03T07:30:00.5", "ns")
    xf.update_panel(cells, store)
    m.assert_holds(store, m.restated(releases.panel(), cells, False))
