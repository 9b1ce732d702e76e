"""What of a store has changed since something was made of it."""

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from tests.store import model as m
from xfactor.store.sources import digest, source

FIELDS = ("close", "market")
ASSETS = [3, 1, 2]


@pytest.fixture
def store(address):
    whole = m.drawn(pd.date_range("2020-01-01", periods=20), ASSETS, 1)
    whole = whole[["close", "market", "weight"]].drop_vars("factor", errors="ignore")
    xf.write_panel(whole.isel(date=slice(10)).chunk(date=4), address)
    return address, whole


def same(store, known, **between):
    there = source(store, **between)
    return there.unchanged(FIELDS, known, there.traces(FIELDS))


def test_traces__of_a_store_that_stayed_the_same(store):
    address, whole = store
    known = source(address).traces(FIELDS)
    assert known["stop"].tolist() == [4, 8, 10]
    assert digest(known) == digest(source(address).traces(FIELDS))
    assert same(address, known) == 10
    xf.append_panel(whole.isel(date=slice(10, 15)), address)
    assert same(address, known) == 10
    now = source(address).traces(FIELDS)
    assert digest(now) != digest(known)
    both = {c: np.concatenate([known[c], now[c][2:]]) for c in known}
    assert same(address, both) == same(address, now) == 15


@pytest.mark.parametrize(("at", "left"), [(0, 0), (5, 4), (9, 8)])
@pytest.mark.parametrize("more", [False, True])
def test_traces__of_a_store_that_was_restated(store, at, left, more):
    address, whole = store
    known = source(address).traces(FIELDS)
    if more:
        xf.append_panel(whole.isel(date=slice(10, 15)), address)
    cells = whole[["close"]].isel(date=[at]).drop_vars("symbol", errors="ignore") * 0 + 5.0
    xf.update_panel(cells.fillna(5.0), address)
    assert same(address, known) == left


def test_traces__do_not_see_other_fields_or_listings_within_the_room(store):
    address, whole = store
    known = source(address).traces(FIELDS)
    cells = whole[["weight"]].isel(date=[3]).drop_vars("symbol", errors="ignore") * 0 + 5
    xf.update_panel(cells, address)
    more = m.drawn(pd.date_range("2020-01-11", periods=3), [7, *ASSETS], 2)[list(whole.data_vars)]
    xf.append_panel(more, address)
    assert same(address, known) == 10


def test_traces__between_dates(store):
    address, whole = store
    days = whole.date.values.astype("datetime64[D]").astype(str)
    part = source(address, start=days[2], end=days[5])
    assert (part.first, part.last) == (2, 6)
    known = part.traces(FIELDS)
    assert known["stop"].tolist() == [4, 6]
    assert same(address, known, start=days[2]) == 4
    assert same(address, known, start=days[2], end=days[4]) == 2  # to the chunk
    assert same(address, known, start=days[4]) == 2
    assert {c: v.tolist() for c, v in part.from_date(known, 2).items()}["stop"] == [6]


def test_traces__of_other_chunks_are_other_traces(store):
    address, _ = store
    known = source(address).traces(FIELDS)
    xf.rechunk_panel(address, chunk_dates=5)
    assert same(address, known) == 0


def test_traces__of_a_chunk_that_is_gone_are_one_line(tmp_path):
    whole = m.drawn(pd.date_range("2020-01-01", periods=8), ASSETS, 1)[["close", "market"]]
    path = xf.write_panel(whole.drop_vars("factor", errors="ignore").chunk(date=4), tmp_path / "p")
    there = source(path)
    (path / "close" / "c" / "0" / "0").unlink()
    with pytest.raises(xf.PanelError, match="'close' cannot be read, date 0 to 3"):
        there.traces(FIELDS)
