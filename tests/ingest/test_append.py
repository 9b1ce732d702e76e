"""Prices and tables in any sequence of appends by date are those of one ingest of everything."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.identity.lookup import history_table
from xfactor.ingest import ingest_prices, ingest_records, ingest_table, longform, spill
from xfactor.store import layout
from xfactor.store.backends import backend_of

NAN = np.nan
DATES = pd.bdate_range("2024-01-01", periods=12)
FIELDS = ("close", "adjusted_close", "split", "dividend", "volume", "delisting_return")
# Symbols come, pause and end; some cells and prices are not there.
ROW = st.tuples(
    st.integers(0, 11), st.sampled_from("ABCD"), st.sampled_from([1.0, 2.0, 3.5, NAN]),
    st.sampled_from([1.0, 2.0, NAN]), st.sampled_from([0.0, 0.25, NAN]),
    st.sampled_from([NAN, NAN, -0.5, 0.1]),
)  # fmt: skip
ROWS = st.lists(ROW, min_size=1, max_size=30, unique_by=lambda r: r[:2])
SPELLS = pd.DataFrame(
    [("A", 7, None, "2024-01-08"), ("A", 9, "2024-01-10", None), ("B", 5, None, None),
     ("C", 5, None, None), ("D", 30, "2024-01-03", None)],
    columns=["symbol", "id", "start", "end"],
)  # fmt: skip


def table_of(rows, fields):
    frame = pd.DataFrame(rows, columns=["at", "symbol", "close", "split", "dividend",
                                        "delisting_return"])  # fmt: skip
    frame["date"] = DATES[frame["at"]]
    frame["adjusted_close"], frame["volume"] = frame["close"] / 2, 10.0 + frame["at"]
    return frame[["date", "symbol", *[f for f in FIELDS if f in fields]]]


def effective(store):
    """The history of symbols that holds."""
    found = history_table(store)
    if found is None:
        return []
    return sorted(map(tuple, found.astype(str).to_numpy().tolist()))


def same(one, other):
    """All of two stores: values, labels, attrs, histories."""
    first, second = xf.open_panel(one).load(), xf.open_panel(other).load()
    if first.attrs["ids"] != "numbered":  # new ids stand behind the others
        first, second = first.sortby("asset"), second.sortby("asset")
    xr.testing.assert_identical(first, second)
    assert effective(one) == effective(other)


def in_pieces(table, cuts, store, **options):
    """Ingest the rows up to the first cut, append those up to the next, and so on."""
    edges = [DATES[0], *DATES[sorted(cuts)], DATES[-1] + pd.Timedelta(days=1)]
    append = False
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        part = table[(table["date"] >= low) & (table["date"] < high)]
        if len(part):
            ingest_prices(part, store, append=append, **options)
            append = True


@given(
    rows=ROWS,
    cuts=st.sets(st.integers(1, 11), max_size=4),
    fields=st.sampled_from([FIELDS, FIELDS[:2], ("close",), ("close", "split", "dividend"),
                            ("adjusted_close", "volume"), ("close", "delisting_return")]),
    gap=st.sampled_from([0, 2, 4, 400]),
    fill=st.sampled_from([None, -0.3]),
    after=st.integers(1, 3),
    given_=st.lists(st.sampled_from("ABCD"), unique=True, max_size=3),
    chunk=st.sampled_from([1, 3, 256]),
    run_rows=st.sampled_from([1, 100]),
    day=st.sampled_from([DATES[3], DATES[8]]),
)  # fmt: skip
def test_ingest_prices__in_any_sequence_of_appends_is_one_ingest(
    rows, cuts, fields, gap, fill, after, given_, chunk, run_rows, day
):
    table = table_of(rows, fields)
    options = {"gap_days": gap, "delisting_fill": fill, "delisting_after": after}
    if given_ and gap in (0, 400):  # a row of a symbol that is used again later may change hands
        options["delisting"] = pd.DataFrame({"asset": given_, "return": -0.4, "date": day})
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(spill, "RUN_BYTES", run_rows * 60)
        patch.setattr(layout, "CHUNK_DATES", chunk)
        try:
            ingest_prices(table, folder / "whole.zarr", **options)
            in_pieces(table, cuts, folder / "pieces.zarr", **options)
        except xf.PanelError as error:  # the first rows hold no price
            assert "no price above 0" in str(error)
            return
        same(folder / "whole.zarr", folder / "pieces.zarr")
        assert {p.name for p in folder.iterdir()} == {"whole.zarr", "pieces.zarr"}


@given(rows=ROWS, cuts=st.sets(st.integers(1, 11), max_size=4), named=st.booleans())
def test_ingest_prices__of_given_assets_in_any_sequence_of_appends_is_one_ingest(
    rows, cuts, named
):
    table = table_of(rows, ("close", "split"))
    options = {"symbols": SPELLS}
    if named:
        # An id for each asset, whose symbol changes now and then.
        ids = table["symbol"].map({"A": 7, "B": 5, "C": 9, "D": 30})
        symbol = table["symbol"].where(table["date"] < DATES[5], "X" + table["symbol"])
        table, options = table.assign(permno=ids, symbol=symbol), {"ids": "given"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not named:  # B and C are one asset: it may have one row a day
            table = table[~((table["symbol"] == "C") & table["date"].isin(
                table.loc[table["symbol"] == "B", "date"]))]  # fmt: skip
        try:
            ingest_prices(table, folder / "whole.zarr", **options)
            in_pieces(table, cuts, folder / "pieces.zarr", **options)
        except xf.PanelError as error:
            assert any(s in str(error) for s in ("no price above 0", "can be used", "no asset in"))
            return
        same(folder / "whole.zarr", folder / "pieces.zarr")
