"""Prices and tables in any sequence of appends by date are those of one ingest of everything."""

import itertools
import re
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
from xfactor.ingest import ingest_prices, ingest_records, ingest_table, spill
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
    for low, high in itertools.pairwise(edges):
        part = table[(table["date"] >= low) & (table["date"] < high)]
        if len(part):
            ingest_prices(part, store, append=append, **options)
            append = True


def check(table, cuts, folder, options, refusal):
    """All at once is what the pieces make, unless the first of them cannot be a panel."""
    refused = None
    try:
        ingest_prices(table, folder / "whole.zarr", **options)
        in_pieces(table, cuts, folder / "pieces.zarr", **options)
    except xf.PanelError as error:
        refused = str(error)
    if refused is None:
        same(folder / "whole.zarr", folder / "pieces.zarr")
    else:
        assert re.search(refusal, refused)


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
        check(table, cuts, folder, options, "no price above 0")
        assert {p.name for p in folder.iterdir()} <= {"whole.zarr", "pieces.zarr"}


@given(rows=ROWS, cuts=st.sets(st.integers(1, 11), max_size=4), named=st.booleans())
def test_ingest_prices__of_given_assets_in_any_sequence_of_appends_is_one_ingest(rows, cuts, named):
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
        check(table, cuts, folder, options, "no price above 0|can be used|no asset in")


@given(
    rows=ROWS, cuts=st.sets(st.integers(1, 11), max_size=4), chunk=st.sampled_from([1, 3, 256]),
    ids=st.sampled_from(["numbered", "given"]),
)  # fmt: skip
def test_ingest_table__in_any_sequence_of_appends_is_one_ingest(rows, cuts, chunk, ids):
    table = table_of(rows, ("close", "volume"))
    table["sector"] = table["symbol"].map({"A": "oil", "B": "banks", "C": "", "D": "oil"})
    # Every code is there from the start.
    more = {"date": DATES[0], "symbol": ["Y", "Z"], "close": 1.0, "volume": 1.0}
    table = pd.concat([table, pd.DataFrame(more | {"sector": ["oil", "banks"]})])
    if ids == "given":
        table["symbol"] = table["symbol"].map(lambda s: str(ord(s)))
    schema = {
        "asset": {"column": "symbol", "ids": ids},
        "fields": {"close": {}, "volume": {"dtype": "float32"}, "sector": {"kind": "code"}},
    }
    with tempfile.TemporaryDirectory() as name:
        whole, pieces = Path(name) / "whole.zarr", Path(name) / "pieces.zarr"
        ingest_table(table, whole, schema=schema, chunk_dates=chunk)
        edges = [DATES[0], *DATES[sorted(cuts)], DATES[-1] + pd.Timedelta(days=1)]
        for low, high in itertools.pairwise(edges):
            part = table[(table["date"] >= low) & (table["date"] < high)]
            if len(part):
                options = {"append": True} if low > DATES[0] else {"chunk_dates": chunk}
                ingest_table(part, pieces, schema=schema, **options)
        first, second = xf.open_panel(whole).load(), xf.open_panel(pieces).load()
        if ids == "given":
            first, second = first.sortby("asset"), second.sortby("asset")
        xr.testing.assert_identical(first, second)


# --- what an append says, and what it refuses ---------------------------------------------------


def prices(start, stop, symbols="AB", **columns):
    rows = [(d, s, 10.0) for d in DATES[start:stop] for s in symbols]
    return pd.DataFrame(rows, columns=["date", "symbol", "close"]).assign(**columns)


def test_append__says_what_is_new_and_covers_the_new_dates(tmp_path):
    ingest_prices(prices(0, 5), tmp_path / "p.zarr")
    summary = ingest_prices(prices(5, 8, "ABC"), tmp_path / "p.zarr", append=True)
    assert (summary.dates, summary.assets, summary.rows_read) == (8, 3, 9)
    assert "appended: 3 dates, 1 new asset" in summary.notes
    assert summary.fields["returns"] == pytest.approx(8 / 9)


def test_append__splits_and_dividends_of_the_first_new_day_count(tmp_path):
    ingest_prices(prices(0, 2, split=1.0, dividend=0.0), tmp_path / "p.zarr")
    later = prices(2, 3, split=2.0, dividend=1.0)
    ingest_prices(later.assign(close=[5.0, 6.0]), tmp_path / "p.zarr", append=True)
    np.testing.assert_allclose(xf.open_panel(tmp_path / "p.zarr")["returns"][2], [0.1, 0.3])


def test_append__a_delisting_return_that_becomes_known_goes_to_its_date(tmp_path):
    ingest_prices(prices(0, 5), tmp_path / "p.zarr")
    ingest_prices(prices(5, 8, "A"), tmp_path / "p.zarr", append=True)
    before = xf.open_panel(tmp_path / "p.zarr")
    given_ = pd.DataFrame({"symbol": ["B"], "dlret": [-0.6]})
    ingest_prices(prices(8, 9, "A"), tmp_path / "p.zarr", append=True, delisting=given_)
    after = xf.open_panel(tmp_path / "p.zarr")["returns"].load()
    assert after[5, 1] == -0.6
    assert np.isnan(before["returns"][5, 1])  # who opened it before sees what was there
    assert int((after == -0.6).sum()) == 1
    # It stays where nobody says anything, and goes where prices follow.
    ingest_prices(prices(9, 10, "A"), tmp_path / "p.zarr", append=True, delisting_fill=-0.3)
    assert xf.open_panel(tmp_path / "p.zarr")["returns"][5, 1] == -0.6
    ingest_prices(prices(10, 11), tmp_path / "p.zarr", append=True)
    panel = xf.open_panel(tmp_path / "p.zarr").load()
    assert np.isnan(panel["returns"][5, 1])
    assert panel["listed"].all()


def test_append__names_closes_that_are_adjusted_anew(tmp_path):
    ingest_prices(prices(0, 2, dividend=0.0, adjusted_close=10.0), tmp_path / "p.zarr")
    day = prices(2, 3, dividend=[1.0, 0.0], adjusted_close=10.0)  # A's history is 9 now
    summary = ingest_prices(day, tmp_path / "p.zarr", append=True)
    assert "adjusted closes on another basis" in " ".join(summary.notes)
    assert " ".join(summary.notes).endswith("of the first new date: A appended: 1 date, 0 new "
                                            "assets")  # fmt: skip


def test_append__makes_the_fields_of_records_too_and_leaves_others_missing(tmp_path):
    store = tmp_path / "p.zarr"
    ingest_prices(prices(0, 5), store)
    record = {"asset": "A", "item": "book_equity", "value": 5.0, "period_end": "2023-12-31",
              "known_at": "2024-01-02"}  # fmt: skip
    ingest_records(pd.DataFrame([record]), store)
    panel = xf.open_panel(store)
    mine = xr.Dataset({"mine": panel["close"] * 2}, {d: panel[d] for d in ("date", "asset")})
    xf.store.add_fields(mine, store)
    summary = ingest_prices(prices(5, 7), store, append=True)
    panel = xf.open_panel(store).load()
    assert (panel["book_equity"][1:, 0] == 5.0).all()
    assert panel["mine"][5:].isnull().all()
    assert "not given by prices, missing on the new dates: mine" in summary.notes


def test_append__market_returns_span_the_seam(tmp_path):
    market = files.csv_file(tmp_path, {"date": DATES.strftime("%Y-%m-%d"),
                                       "close": np.arange(1.0, 13.0)})  # fmt: skip
    ingest_prices(prices(0, 5), tmp_path / "p.zarr", market=market)
    ingest_prices(prices(5, 8), tmp_path / "p.zarr", append=True, market=market)
    ingest_prices(prices(8, 9), tmp_path / "p.zarr", append=True)
    found = xf.open_panel(tmp_path / "p.zarr")["market_returns"]
    np.testing.assert_allclose(found, [NAN, *(1 / np.arange(1.0, 8.0)), NAN])


REFUSED = {
    "an earlier date": (prices(3, 6), {}, "rows on 2 dates that are not later than 2024-01-05"),
    "no price": (prices(5, 6).assign(close=NAN, adjusted_close=1.0), {}, None),
    "another column for the returns": (prices(5, 6, split=1.0), {}, "column for 'split'"),
    "no close": (prices(5, 6).rename(columns={"close": "adjusted_close"}), {}, "for 'close'"),
    "another rule": (prices(5, 6), {"gap_days": 3}, "made with gap_days=400"),
    "given ids": (prices(5, 6), {"ids": "given"}, "made with ids='numbered'"),
    "a table": (prices(5, 6), {"symbols": SPELLS}, "made with ids='numbered'"),
    "overwrite": (prices(5, 6), {"overwrite": True}, "append and overwrite"),
    "not a flag": (prices(5, 6), {"append": "yes"}, "append='yes'"),
}


@pytest.mark.parametrize("case", [k for k, v in REFUSED.items() if v[2]])
def test_append__refuses_in_one_line_and_touches_nothing(tmp_path, case):
    table, options, match = REFUSED[case]
    ingest_prices(prices(0, 5), tmp_path / "p.zarr")
    before = files.bytes_of(tmp_path / "p.zarr")
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest_prices(table, tmp_path / "p.zarr", **{"append": True, **options})
    assert "\n" not in str(caught.value)
    assert files.bytes_of(tmp_path / "p.zarr") == before
    assert {p.name for p in tmp_path.iterdir()} == {"p.zarr"}


def test_append__refuses_stores_that_are_none_or_no_prices(tmp_path):
    with pytest.raises(xf.PanelError, match="nothing is at"):
        ingest_prices(prices(0, 1), tmp_path / "none.zarr", append=True)
    ingest_table(prices(0, 5), tmp_path / "table.zarr")
    with pytest.raises(xf.PanelError, match="no fields returns and listed"):
        ingest_prices(prices(5, 6), tmp_path / "table.zarr", append=True)
    with pytest.raises(xf.PanelError, match="not later than"):
        ingest_table(prices(4, 6), tmp_path / "table.zarr", append=True)
    assert not (tmp_path / "none.zarr").exists()


def test_append__words_that_are_no_codes_of_the_store_are_refused(tmp_path):
    schema = {"fields": {"sector": {"kind": "code"}}}
    ingest_table(prices(0, 2, sector="real estate"), tmp_path / "t.zarr", schema=schema)
    ingest_table(
        prices(2, 3, sector="real estate"), tmp_path / "t.zarr", schema=schema, append=True
    )
    assert (xf.open_panel(tmp_path / "t.zarr")["sector"] == 0).all()
    with pytest.raises(xf.PanelError, match="the words oil, which are none of the store's codes"):
        ingest_table(prices(3, 4, sector="oil"), tmp_path / "t.zarr", schema=schema, append=True)


# --- several at once, and kills -----------------------------------------------------------------


def test_ingest__refuses_at_once_while_another_is_writing(tmp_path):
    store = tmp_path / "p.zarr"
    ingest_prices(prices(0, 5), store)
    with backend_of(store).locked("something long"):
        refused = []

        def attempt():
            for run in (
                lambda: ingest_prices(prices(5, 6), store, append=True),
                lambda: ingest_prices(prices(5, 6), store, overwrite=True),
                lambda: ingest_table(prices(5, 6), store, overwrite=True),
            ):
                with pytest.raises(xf.PanelError, match="being written by something long"):
                    run()
                refused.append(True)

        other = threading.Thread(target=attempt)
        other.start()
        other.join()
    assert len(refused) == 3
    assert xf.open_panel(store).sizes["date"] == 5


RACER = """
import sys, pandas as pd, xfactor as xf
from xfactor.ingest import ingest_prices
day = pd.DataFrame({"date": [sys.argv[2]], "symbol": ["A"], "close": [11.0]})
while True:
    try:
        ingest_prices(day, sys.argv[1], append=True)
        break
    except xf.PanelError as error:
        if "being written" not in str(error):
            print(error)
            break
"""


def test_ingest__appends_at_once_lose_nothing(tmp_path):
    """Each waits for the other; the later date first makes the earlier one a clear refusal."""
    store = tmp_path / "p.zarr"
    ingest_prices(prices(0, 5), store)
    days = [f"{d:%Y-%m-%d}" for d in DATES[5:8]]
    runs = [subprocess.Popen([sys.executable, "-c", RACER, str(store), d], text=True,
                             stdout=subprocess.PIPE) for d in days]  # fmt: skip
    said = [run.communicate()[0] for run in runs]
    assert not any(run.returncode for run in runs)
    panel = xf.open_panel(store).load()
    appended = [f"{d:%Y-%m-%d}" for d in panel.indexes["date"][5:]]
    assert appended[-1] == days[-1]
    for day, text in zip(days, said, strict=True):
        assert (day in appended) == (not text)
        assert not text or "not later than" in text
    assert (panel["close"].sel(asset=1)[5:] == 11.0).all()


KILLED = """
import os, signal, sys, pandas as pd
from xfactor.ingest import ingest_prices, placing, spill
where = sys.argv[3]
def stop(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "reading":
    spill.Spill._flush = stop
elif where == "placing":
    placing.place = stop
elif where == "writing":
    from xfactor.store import arrays
    arrays.StoredArray.write = stop
else:
    from xfactor.store import plain
    plain.Staging._move_in = stop
ingest_prices(pd.read_parquet(sys.argv[1]), sys.argv[2], append=True, delisting_fill=-0.3,
              delisting_after=1)
"""


@pytest.mark.parametrize("where", ["reading", "placing", "writing", "publishing"])
def test_append__a_kill_leaves_the_old_store_and_the_next_run_is_whole(tmp_path, where):
    whole, store = tmp_path / "whole.zarr", tmp_path / "p.zarr"
    options = {"delisting_fill": -0.3, "delisting_after": 1}
    table = pd.concat([prices(0, 5), prices(5, 7, "A"), prices(7, 12)])
    ingest_prices(table, whole, **options)
    first = table["date"] < DATES[7]
    ingest_prices(table[first], store, **options)
    before = xf.open_panel(store).load()
    files.parquet_file(tmp_path, {n: c.to_numpy() for n, c in table[~first].items()})
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "table.parquet"), str(store), where]
    )
    assert done.returncode == -signal.SIGKILL
    xr.testing.assert_identical(xf.open_panel(store).load(), before)
    ingest_prices(table[~first], store, append=True, **options)
    same(whole, store)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"whole.zarr", "p.zarr", "table.parquet"}
