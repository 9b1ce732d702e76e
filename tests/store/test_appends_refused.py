"""Bad appends and updates: refused in one line, and not a byte of the store is touched."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.store import model as m
from tests.store.test_store import contents

DATES = pd.date_range("2020-01-01", periods=8)
ASSETS = [3, 1, 2]


def later(seed=2):
    return m.drawn(pd.date_range("2020-01-09", periods=3), ASSETS, seed)


def infinite(p):
    return p.assign(close=p["close"].where(p["close"] > 0, np.inf))


BAD = {
    "a date that is there": (lambda p: p.assign_coords(date=DATES[-1:].append(p.indexes["date"][1:])
                             ), "2020-01-08 is there already"),
    "an earlier date": (lambda p: p.assign_coords(date=pd.date_range("2019-01-01", periods=3)),
                        "is not later"),
    "a date in between": (lambda p: p.assign_coords(date=p.indexes["date"] - pd.Timedelta(hours=30)
                          ), "is not later"),
    "no dates": (lambda p: p.isel(date=slice(0)), "no dates"),
    "unsorted dates": (lambda p: p.isel(date=[1, 0, 2]), "not sorted"),
    "double dates": (lambda p: p.isel(date=[0, 0, 1]), "not sorted|twice|more than once"),
    "a time zone": (lambda p: p.assign_coords(date=p.indexes["date"].tz_localize("UTC")),
                    "time zone"),
    "dates that are text": (lambda p: p.assign_coords(date=["a", "b", "c"]), "date"),
    "double assets": (lambda p: p.isel(asset=[0, 0, 1]), "asset"),
    "assets of another kind": (lambda p: p.assign_coords(asset=["a", "b", "c"]), "labels"),
    "no asset labels": (lambda p: p.drop_vars("asset"), "asset"),
    "a field missing": (lambda p: p.drop_vars("weight"), "lacks weight"),
    "a field unknown": (lambda p: p.assign(new=p["close"]), "has no new"),
    "float32 for float64": (lambda p: p.assign(close=p["close"].astype("f4")), "close is float32"),
    "float64 for float32": (lambda p: p.assign(weight=p["weight"].astype("f8")), "weight is"),
    "int for bool": (lambda p: p.assign(listed=p["listed"].astype(int)), "listed is int64"),
    "int64 for int16": (lambda p: p.assign(sector=p["sector"].astype(int)), "sector is int64"),
    "text for dates": (lambda p: p.assign(reported=p["reported"].astype(str)), "reported is"),
    "a dim less": (lambda p: p.assign(close=p["market"]), "close has the dims date"),
    "a dim more": (lambda p: p.assign(market=p["close"]), "market has the dims"),
    "factors in another order": (lambda p: p.isel(factor=[1, 0]), "'factor' labels"),
    "a factor less": (lambda p: p.isel(factor=[0]), "'factor' labels"),
    "a coordinate unknown": (lambda p: p.assign_coords(name=("asset", ASSETS)), "no coordinate"),
    "new assets without their symbol": (
        lambda p: p.assign_coords(asset=[3, 1, 9]).drop_vars("symbol"), "no coordinate symbol"),
    "an infinity": (infinite, "close.*infinity"),
    "an infinity, lazily": (lambda p: infinite(p).chunk(date=1), "close.*infinity"),
    "an infinity and no room": (
        lambda p: infinite(m.drawn(p.indexes["date"], range(200), 1)), "close.*infinity"),
    "assets cut": (lambda p: p.chunk(asset=2), "chunks along 'asset'"),
    "no panel": (lambda p: p.rename(asset="stock"), "no panel"),
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return xf.write_panel(m.drawn(DATES, ASSETS, 1).chunk(date=3), tmp_path / "in" / "p")


@pytest.mark.parametrize("name", BAD)
def test_append_panel__refuses_and_touches_nothing(store, name):
    breaks, text = BAD[name]
    before = contents(store.parent)
    with pytest.raises(xf.PanelError, match=text) as caught:
        xf.append_panel(breaks(later()), store)
    assert "\n" not in str(caught.value)
    assert contents(store.parent) == before


@pytest.mark.parametrize("assets", [[3, 1, 2], [2, 1, 3], [1, 3], [9, 3, 2, 1]])
def test_append_panel__takes_what_is_good(store, assets):
    """The same panel without what was wrong with it is taken."""
    new = m.drawn(pd.date_range("2020-01-09", periods=3), assets, 2)
    xf.append_panel(new, store)
    m.assert_holds(store, m.appended(m.drawn(DATES, ASSETS, 1), new))


def test_append_panel__with_a_lazy_infinity_and_no_room_publishes_nothing_of_it(store):
    """Room is made in a step of its own, before the lazy field is computed."""
    new = infinite(m.drawn(pd.date_range("2020-01-09", periods=3), range(200), 1))
    with pytest.raises(xf.PanelError, match="infinity"):
        xf.append_panel(new.chunk(date=1), store)
    m.assert_holds(store, m.drawn(DATES, ASSETS, 1))


ROWS = {
    "columns of two lengths": {"a": np.arange(2), "b": np.arange(3)},
    "a column less": {"a": np.arange(2)},
    "a column more": {"a": np.arange(2), "b": np.arange(2), "c": np.arange(2)},
    "another dtype": {"a": np.arange(2), "b": np.arange(2.0)},
    "a matrix": {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))},
    "ragged rows": {"a": [[1], [1, 2]], "b": np.arange(2)},
    "a name like a folder": {"a/b": np.arange(2)},
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("assets", [ASSETS, range(200)], ids=["fits", "no room"])
def test_append_panel__with_bad_rows_touches_nothing(store, name, assets):
    xf.store.append_table(store, "trades", {"a": np.arange(2), "b": np.arange(2)})
    before = contents(store.parent)
    new = m.drawn(pd.date_range("2020-01-09", periods=3), assets, 2)
    with pytest.raises(xf.PanelError):
        xf.append_panel(new, store, tables={"trades": ROWS[name]})
    assert contents(store.parent) == before


def test_append_table__says_which_column_is_ragged(store):
    with pytest.raises(xf.PanelError, match="rows of the column 'a' of 't' differ in length"):
        xf.store.append_table(store, "t", {"a": [[1], [1, 2]]})
    with pytest.raises(xf.PanelError, match=r"columns of 't' have the shapes \[\(1,\), \(2,\)\]"):
        xf.store.append_table(store, "t", {"a": [1], "b": [1, 2]})
    with pytest.raises(TypeError, match="a table is arrays by column name; found list"):
        xf.store.append_table(store, "t", [1, 2])
    with pytest.raises(TypeError, match="tables are columns by table name; found list"):
        xf.write_panel(xf.open_panel(store), store.parent / "new", tables=[1])
    with pytest.raises(xf.PanelError, match="is named 3; needed a plain name"):
        xf.store.append_table(store, 3, {"a": [1]})
    with pytest.raises(xf.PanelError, match=r"columns='a' was given; .* Use columns=\['a'\]"):
        xf.store.read_table(store, "t", "a")


BAD_CELLS = {
    "a field unknown": (lambda c: c.rename(close="new"), "has no new"),
    "a date unknown": (lambda c: c.assign_coords(date=[np.datetime64("2030-01-01")]), "no date"),
    "an asset unknown": (lambda c: c.assign_coords(asset=[3, 77]), "no asset 77"),
    "an asset twice": (lambda c: c.isel(asset=[0, 0]), "more than once"),
    "a date twice": (lambda c: c.isel(date=[0, 0]), "more than once"),
    "another dtype": (lambda c: c.astype("f4"), "close is float32"),
    "no labels": (lambda c: c.drop_vars("asset"), "labels"),
    "a dim less": (lambda c: c.isel(date=0, drop=True), "dims"),
    "an infinity": (lambda c: c * np.inf, "infinity"),
}


@pytest.mark.parametrize("name", BAD_CELLS)
def test_update_panel__refuses_and_touches_nothing(store, name):
    breaks, text = BAD_CELLS[name]
    cells = xr.full_like(m.drawn(DATES, ASSETS, 1)[["close"]].isel(date=[4], asset=[0, 2]), 5.0)
    before = contents(store.parent)
    with pytest.raises(xf.PanelError, match=text):
        xf.update_panel(breaks(cells), store)
    assert contents(store.parent) == before
    xf.update_panel(cells, store)


ATTRIBUTES = [
    {"scale_factor": 2.0}, {"add_offset": 1.0}, {"_FillValue": 3.0}, {"missing_value": 0},
    {"units": "days since 2000-01-01"}, {"coordinates": "b"}, {"x": np.nan},
    {"seen": pd.Timestamp("2020")},
]  # fmt: skip


@pytest.mark.parametrize("attrs", ATTRIBUTES, ids=str)
def test_write_panel__refuses_attributes_that_change_values(tmp_path, attrs):
    """With them other numbers would come back, or an error once all had been written."""
    made = m.drawn(DATES, ASSETS, 1)
    made["close"].attrs = attrs
    with pytest.raises(xf.PanelError, match=f"attribute '{next(iter(attrs))}'"):
        xf.write_panel(made, tmp_path / "p")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("attrs", [{"units": "days"}, {"a": [1, 2], "b": np.float32(0.5)}], ids=str)
def test_write_panel__keeps_all_other_attributes(tmp_path, attrs):
    made = m.drawn(DATES, ASSETS, 1)
    made["close"].attrs = made["sector"].attrs = made.attrs = attrs
    m.assert_holds(xf.write_panel(made, tmp_path / "p"), made)
