"""Rows of records and reports that cannot be used: the same in files, frames and Arrow tables."""

import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import xfactor as xf
from tests.ingest import files
from tests.ingest.test_sec import FILINGS, NUM, NUMBERS, SUB, total, tsv, zip_file
from xfactor.ingest import (
    as_known,
    explain,
    ingest_fundamentals,
    ingest_records,
    read_sec,
    with_fundamentals,
)

DATES = pd.bdate_range("2013-01-01", "2014-12-31", name="date")
GOOD = ("A", "x", "2012-12-31", "2013-02-20", "1.5", "0", "f")
NAMES = ["asset", "item", "period_end", "known_at", "value", "quarters", "filing"]
# Row, column and reason of each bad row; the first reason counts.
BAD = {
    ("", "", "", "", "", "", ""): ("asset", "without an asset"),
    ("A\0", "x", "2012-12-31", "2013-02-20", "1", "0", ""): ("asset", "without an asset"),
    ("A", "", "2012-12-31", "2013-02-20", "1", "0", ""): ("item", "without an item"),
    ("A", "net income", "2012-12-31", "2013-02-20", "1", "0", ""):
        ("item", "of an item that is no word"),
    ("A", "x", "2012", "2013-02-20", "1", "0", ""): ("period_end", "without a date"),
    ("A", "x", "2012-12-31", "", "1", "0", ""): ("known_at", "without a date"),
    ("A", "x", "2012-12-31", "2013-02-30", "1", "0", ""): ("known_at", "without a date"),
    ("A", "x", "2012-12-31", "2013-02-20", "many", "0", ""): ("value", "no number"),
    ("A", "x", "2012-12-31", "2013-02-20", "", "0", ""): ("value", "without a value"),
    ("A", "x", "2012-12-31", "2013-02-20", "1e400", "0", ""): ("value", "with an infinite value"),
    ("A", "x", "2012-12-31", "2013-02-20", "1", "7", ""): ("quarters", "of no 0 to 4 quarters"),
    ("A", "x", "2012-12-31", "2013-02-20", "1", "q", ""): ("quarters", "of no 0 to 4 quarters"),
    ("A", "x", "2012-12-31", "2012-12-30", "1", "0", ""):
        ("known_at", "known before their period ended"),
    ("A", "shares_outstanding", "2012-12-31", "2013-02-20", "0", "0", ""):
        ("value", "of shares not above 0"),
    ("ZZZ", "x", "2012-12-31", "2013-02-20", "1", "0", ""):
        ("asset", "of assets not in the store"),
}  # fmt: skip
ROWS = [GOOD, *BAD, ("B", *GOOD[1:])]
FORMS = ("csv", "crlf", "parquet", "frame", "category", "arrow", "two files")


def source_of(folder, form, rows, names=NAMES):
    """The rows as text, in one of the forms that a source may have."""
    frame = pd.DataFrame(rows, columns=names)
    if form == "category":
        return frame.astype("category")
    if form == "frame":
        return frame
    if form == "arrow":
        return pa.Table.from_pandas(frame)
    if form == "parquet":
        return files.parquet_file(folder, frame.to_dict("list"))
    if form == "two files":
        return [files.csv_file(folder, f, f"{i}.csv") for i, f in enumerate((frame[:9], frame[9:]))]
    ending = "\r\n" if form == "crlf" else "\n"
    frame.to_csv(folder / "t.csv", index=False, lineterminator=ending)
    return folder / "t.csv"


@pytest.fixture
def store(tmp_path):
    return files.panel_store(tmp_path, DATES, ["A", "B"])


@pytest.mark.parametrize("form", FORMS)
def test_ingest_records__rejects_row_by_row_in_every_form(tmp_path, store, form):
    rejects = tmp_path / "rejects.csv"
    summary = ingest_records(source_of(tmp_path, form, ROWS), store, rejects=rejects)
    assert (summary.rows_read, summary.rows_kept) == (len(ROWS), 2)
    expected = pd.Series([reason for _, reason in BAD.values()]).value_counts().to_dict()
    assert {k: n for k, n in summary.rejected.items() if n} == expected
    listed = pd.read_csv(rejects, keep_default_na=False).sort_values(["file", "row"])
    rows = range(2, len(ROWS)) if form != "two files" else [*range(2, 10), *range(1, 8)]
    assert listed["row"].tolist() == list(rows)
    assert list(zip(listed["column"], listed["reason"], strict=True)) == list(BAD.values())
    place = {name: i for i, name in enumerate(NAMES)}
    values = [row[place[column]] for row, (column, _) in BAD.items()]
    assert listed["value"].tolist() == values
    assert summary.rejects == str(rejects)
    assert "net income" in " ".join(summary.notes)
    np.testing.assert_array_equal(xf.open_panel(store)["x"].isel(date=-200), [1.5, 1.5])


@pytest.mark.parametrize("bad", list(BAD)[:-1])
def test_ingest_records__strict_stops_at_the_first_and_leaves_the_store(tmp_path, store, bad):
    before = files.bytes_of(store)
    rejects = tmp_path / "rejects.csv"
    later = ("A", "x", "2012-12-31", "2013-02-20", "later", "0", "")
    with pytest.raises(xf.PanelError, match=r"row 2") as caught:
        ingest_records(
            source_of(tmp_path, "csv", [GOOD, bad, later]), store, strict=True, rejects=rejects
        )
    assert "\n" not in str(caught.value)
    assert files.bytes_of(store) == before
    assert len(pd.read_csv(rejects)) == 2  # what the user needs to see is there all the same


def test_ingest_records__assets_of_others_are_no_error_of_a_strict_source(tmp_path, store):
    source = source_of(tmp_path, "frame", [GOOD, list(BAD)[-1]])
    assert ingest_records(source, store, strict=True).rows_kept == 1


def test_ingest_records__rows_of_too_few_or_too_many_cells_are_rejected(tmp_path, store):
    text = ",".join(NAMES) + "\n" + ",".join(GOOD) + "\nA,x\n" + ",".join(GOOD) + ",9\n"
    summary = ingest_records(files.text_file(tmp_path, text), store, rejects=tmp_path / "r.parquet")
    assert (summary.rows_read, summary.rows_kept) == (3, 1)
    listed = pq.read_table(tmp_path / "r.parquet").to_pydict()
    assert listed["row"] == [2, 3]
    assert set(listed["reason"]) == {"with too few or too many cells"}


@pytest.mark.parametrize("kind", ["date32", "timestamp", "category", "float", "text with a time"])
def test_ingest_records__times_and_types_of_columns(store, kind):
    days = pd.Series(pd.to_datetime(["2013-02-20 16:30", "2013-02-21 00:00"]))
    value: object = [1.0, 2.0]
    known = {
        "date32": pa.array(days.dt.date), "timestamp": days, "category": days.astype("category"),
        "float": [20130221.0, 20130221.0], "text with a time": ["2013-02-20 16:30", "20130221"],
    }[kind]  # fmt: skip
    columns = {"item": ["x", "y"], "period_end": [20121231] * 2, "asset_id": [1, 1]}
    frame = pd.DataFrame({**columns, "known_at": known, "value": value}).astype(
        {"item": "category", "asset_id": "category", "value": "category"}
    )
    if kind != "category":
        frame["known_at"] = known
    ingest_records(frame, store)
    first = "2013-02-20" if kind == "date32" else "2013-02-21"
    seen = xf.open_panel(store)["x"].sel(asset=1).dropna("date")
    assert seen.date.values[0] == np.datetime64(first)


def test_ingest_records__several_sources_agree_on_who_and_when(tmp_path, store):
    both = pd.DataFrame([GOOD], columns=NAMES)
    with pytest.raises(xf.PanelError, match="no column for 'known_at'"):
        ingest_records([both, both.drop(columns="known_at")], store)
    other = both.rename(columns={"asset": "cik"})
    with pytest.raises(xf.PanelError, match="no column for 'asset'"):
        ingest_records([both, other], store)


def test_ingest_records__does_not_write_its_rejects_over_the_source(tmp_path, store):
    path = source_of(tmp_path, "csv", [GOOD])
    before = path.read_bytes()
    with pytest.raises(xf.PanelError, match="is the source"):
        ingest_records(path, store, rejects=path)
    assert path.read_bytes() == before


REPORTS = [
    ("A", "2012-12-31", "5", "2", "2013-02-20"),
    ("", "2012-12-31", "5", "2", "2013-02-20"),
    ("A", "soon", "5", "2", "2013-02-20"),
    ("A", "2012-12-31", "5", "2", ""),
    ("A", "2012-12-31", "5", "2", "2012-12-01"),
    ("B", "2012-12-31", "many", "-1", "2013-02-20"),
    ("B", "2013-03-31", "1e999", "3", "2013-05-20"),
    ("Z", "2012-12-31", "5", "2", "2013-02-20"),
    ("A", "2012-12-31", "5", "2", "2013-02-20"),  # again
]
REPORT_NAMES = ["symbol", "period_end", "book_equity", "shares_outstanding", "known_at"]


@pytest.mark.parametrize("form", FORMS)
def test_ingest_fundamentals__rejects_rows_and_clears_cells_in_every_form(tmp_path, store, form):
    source = source_of(tmp_path, form, REPORTS, REPORT_NAMES)
    summary = ingest_fundamentals(source, store, rejects=tmp_path / "rejects.csv")
    assert (summary.rows_read, summary.rows_kept) == (9, 4)
    assert {k: n for k, n in summary.rejected.items() if n} == {
        "without an asset": 1, "without a date": 2, "known before their period ended": 1,
        "of symbols not in the store": 1,
    }  # fmt: skip
    assert {k: n for k, n in summary.cleared.items() if n} == {
        "book_equity no number": 1, "book_equity infinite": 1, "shares_outstanding not above 0": 1,
    }  # fmt: skip
    listed = pd.read_csv(tmp_path / "rejects.csv", keep_default_na=False)
    assert sorted(zip(listed["row"], listed["column"], listed["value"], strict=True)) == [
        (2, "symbol", ""), (3, "period_end", "soon"), (4, "known_at", ""),
        (5, "known_at", "2012-12-01"), (6, "book_equity", "many"), (6, "shares_outstanding", "-1"),
        (7, "book_equity", "1e999"), (8, "symbol", "Z"),
    ]  # fmt: skip
    day = xf.open_panel(store).sel(date="2013-06-03")
    np.testing.assert_array_equal(day["book_equity"], [5.0, np.nan])
    np.testing.assert_array_equal(day["shares_outstanding"], [2.0, 3.0])


@pytest.mark.parametrize("row", range(1, 7))
def test_ingest_fundamentals__strict_stops_at_the_first(tmp_path, store, row):
    before = files.bytes_of(store)
    source = source_of(tmp_path, "csv", [REPORTS[0], REPORTS[row]], REPORT_NAMES)
    with pytest.raises(xf.PanelError, match="row 2") as caught:
        ingest_fundamentals(source, store, strict=True)
    assert "\n" not in str(caught.value)
    assert files.bytes_of(store) == before


SEC_BAD = [
    (total("0-1", "Assets", "soon", 0, "1"), "ddate", "without a date"),
    (total("0-1", "Assets", 20090331, "x", "1"), "qtrs", "of no whole number of quarters"),
    (total("0-1", "Assets", 20090331, 0, "many"), "value", "no number"),
    (total("0-1", "Assets", 20090331, 0, "1e999"), "value", "with an infinite value"),
    (("0-1", "Assets"), "", "with too few or too many cells"),
]


def test_read_sec__rejects_rows_with_their_number(tmp_path):
    whole = read_sec(zip_file(tmp_path))
    numbers = [r for pair in zip(NUMBERS, [b[0] for b in SEC_BAD], strict=False) for r in pair]
    numbers += NUMBERS[len(SEC_BAD) :]
    filings = [*FILINGS, ("0-5", "none", "X", "10-Q", "2009-08-07 17:05:00.0"),
               ("0-6", "33", "X", "10-Q", "never"), FILINGS[0]]  # fmt: skip
    rejects = tmp_path / "rejects.csv"
    found = read_sec(zip_file(tmp_path, numbers, filings), rejects=rejects)
    pd.testing.assert_frame_equal(found, whole)
    listed = pd.read_csv(rejects, keep_default_na=False)
    listed["member"] = listed["file"].str.rpartition("/")[2]
    sub = listed[listed["member"] == "sub.txt"].sort_values("row")
    assert sub["row"].tolist() == [5, 6, 7]
    assert sub["column"].tolist() == ["cik", "accepted", "adsh"]
    num = listed[(listed["member"] == "num.txt")].sort_values("row")
    bad = num[num["row"].isin([2, 4, 6, 8, 10])]
    assert list(zip(bad["column"], bad["reason"], strict=True)) == [b[1:] for b in SEC_BAD]
    assert found.attrs["rejected"]["no number"] == 1
    assert sum(found.attrs["rejected"].values()) == len(listed)


@pytest.mark.parametrize("bad", range(len(SEC_BAD)))
def test_read_sec__strict_stops_at_the_first(tmp_path, bad):
    path = zip_file(tmp_path, [NUMBERS[0], SEC_BAD[bad][0]])
    with pytest.raises(xf.PanelError, match="row 2"):
        read_sec(path, strict=True)
    assert len(read_sec(path)) == 1


def test_read_sec__a_bad_row_that_is_no_text_is_rejected(tmp_path, capfd):
    path = tmp_path / "2009q3.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("sub.txt", tsv(SUB, FILINGS))
        odd = b"n\xe9e\tAssets\n"
        file.writestr("num.txt", tsv(NUM, NUMBERS[:1]).encode() + odd)
    rejects = tmp_path / "rejects.csv"
    assert len(read_sec(path, rejects=rejects)) == 1
    listed = pd.read_csv(rejects)
    assert listed["value"].tolist() == ["n\\xe9e\tAssets"]
    assert capfd.readouterr() == ("", "")


def test_read_sec__a_column_that_is_not_there_is_an_error(tmp_path):
    header = ["adsh", "tag", "uom", "segments", "coreg", "value"]
    path = zip_file(tmp_path, [], header=header)
    with pytest.raises(xf.PanelError, match=r"num\.txt has no column for 'ddate'"):
        read_sec(path)


# --- arguments of a wrong type ------------------------------------------------------------------

RECORDS = pd.DataFrame([GOOD], columns=NAMES)
WRONG = {
    "read_sec(None)": lambda store: read_sec(None),
    "read_sec(5)": lambda store: read_sec(5),
    "read_sec([])": lambda store: read_sec([]),
    "read_sec([None])": lambda store: read_sec([None]),
    "read_sec(items)": lambda store: read_sec(store, items={"x": "Assets"}),
    "read_sec(items list)": lambda store: read_sec(store, items=["Assets"]),
    "read_sec(ciks)": lambda store: read_sec(store, ciks="37996"),
    "read_sec(ciks of text)": lambda store: read_sec(store, ciks=["37996"]),
    "read_sec(forms)": lambda store: read_sec(store, forms="10-K"),
    "read_sec(close)": lambda store: read_sec(store, close=16),
    "read_sec(close late)": lambda store: read_sec(store, close="25:00"),
    "read_sec(strict)": lambda store: read_sec(store, strict="yes"),
    "read_sec(rejects)": lambda store: read_sec(store, rejects=3),
    "explain(store)": lambda store: explain(None, "A", "x", "2013-06-03"),
    "explain(asset)": lambda store: explain(store, None, "x", "2013-06-03"),
    "explain(asset list)": lambda store: explain(store, [1], "x", "2013-06-03"),
    "explain(asset nan)": lambda store: explain(store, np.nan, "x", "2013-06-03"),
    "explain(field)": lambda store: explain(store, "A", None, "2013-06-03"),
    "explain(field list)": lambda store: explain(store, "A", ["x"], "2013-06-03"),
    "explain(date)": lambda store: explain(store, "A", "x", None),
    "explain(date list)": lambda store: explain(store, "A", "x", ["2013-06-03"]),
    "explain(date number)": lambda store: explain(store, "A", "x", 20130603),
    "explain(date zone)": lambda store: explain(store, "A", "x", "2013-06-03T00:00Z"),
    "as_known(store)": lambda store: as_known(None, on="2013-06-03"),
    "as_known(on)": lambda store: as_known(store, on=None),
    "as_known(restated)": lambda store: as_known(store, on="2013-06-03", restated="no"),
    "with_fundamentals(store)": lambda store: with_fundamentals(xf.open_panel(store), None),
} | {
    f"{ingest.__name__}({name}={wrong!r})": (
        lambda store, ingest=ingest, name=name, wrong=wrong: ingest(
            **{"source": RECORDS, "store": store, name: wrong}
        )
    )
    for ingest in (ingest_records, ingest_fundamentals)
    for name, wrongs in {
        "source": (None, 5, [], [5], {"a": 1}),
        "store": (None, 5, b"x"),
        "fields": ("x", ["x"], {"f": 3}, {3: "latest(x)"}, {"f g": "latest(x)"}),
        "columns": ("x", ["x"], {"value": 3}, {3: "value"}),
        "securities": (5, ["x"]),
        "lag_days": ("x", None, 2.5, 10**9, True),
        "max_age_days": ("x", 2.5, np.nan, [3]),
        "received": (3, "soon", pd.NaT, pd.Timestamp("2013-06-03", tz="UTC"), ["2013-06-03"]),
        "strict": ("yes", None, 1),
        "rejects": (3, ["x"]),
    }.items()
    for wrong in wrongs
}


@pytest.mark.parametrize("call", WRONG)
def test_wrong_arguments__are_refused_in_one_line(tmp_path, store, call):
    before = files.bytes_of(store)
    with pytest.raises(xf.PanelError) as caught:
        WRONG[call](store)
    assert "\n" not in str(caught.value)
    assert files.bytes_of(store) == before


def test_ingest_records__nothing_is_too_old_with_a_limit_of_any_length(store):
    ingest_records(RECORDS, store, max_age_days=10**12)
    assert xf.open_panel(store)["x"].isel(date=-1, asset=0) == 1.5
