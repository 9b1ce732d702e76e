"""Long tables of any form -> the panel that pandas makes of the rows that were kept."""

import gzip
import itertools
import math
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import formats, ingest_table, longform, spill

NAN = np.nan
TABLE = {
    "date": ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04"],
    "symbol": ["B", "B", "A", "A"],
    "close": [10.0, 11.0, 30.0, NAN],
    "volume": [1, 2, 3, 4],
}


def ingest(folder, source, **options):
    """Ingest to a store in the folder; return the panel in memory and the summary."""
    options.setdefault("overwrite", True)
    summary = ingest_table(source, folder / "panel.zarr", **options)
    return xf.open_panel(folder / "panel.zarr").load(), summary


def rows_of(path):
    read = pq.read_table if path.suffix == ".parquet" else pacsv.read_csv
    return read(path).to_pandas()


# --- the oracle ---------------------------------------------------------------------------------

DAYS = [str(d) for d in pd.bdate_range("2023-12-27", periods=8).date]
DATE_CELL = st.sampled_from([*DAYS * 3, DAYS[0].replace("-", ""), "", "soon", "2024-13-01"])
ASSET_CELL = st.sampled_from(["A", "B", "C", " A", "", "NA", "A\0"])
NUMBER_CELL = st.sampled_from(["1", "2.5", "-3", "", "NA", "x", "1e400", "1,5", "7 ", "-inf"])
ROW = st.tuples(DATE_CELL, ASSET_CELL, NUMBER_CELL, NUMBER_CELL)


def oracle(rows, required, duplicates):
    """Keep, reject and pivot row by row: (kept rows, rejected rows, rejected cells)."""
    read, lost, cells = [], 0, 0
    for date, asset, *numbers in rows:
        day = pd.to_datetime(date, errors="coerce", format="ISO8601") if date else pd.NaT
        name = asset.strip()
        if pd.isna(day) or not name or "\0" in name:
            lost += 1
            continue
        values = []
        for text in numbers:
            try:
                value = NAN if text in ("", "NA") else float(text)
                wrong = math.isinf(value) or value < -2
            except ValueError:
                value, wrong = NAN, True
            cells += wrong
            values.append(NAN if wrong else value)
        if required and math.isnan(values[0]):
            lost += 1
            continue
        read.append((day, name, *values))
    kept = []
    groups = {}
    for row in read:
        groups.setdefault(row[:2], []).append(row)
    for group in groups.values():
        same = len({repr(row) for row in group}) == 1
        if duplicates == "first" or (duplicates == "reject" and same):
            kept.append(group[0])
        elif duplicates == "last":
            kept.append(group[-1])
        lost += len(group) - (1 if kept and kept[-1] in group else 0)
    return kept, lost, cells


@given(
    rows=st.lists(ROW, min_size=1, max_size=25),
    required=st.booleans(),
    duplicates=st.sampled_from(["reject", "first", "last"]),
    run_rows=st.sampled_from([1, 3, 100]),
    chunk=st.sampled_from([1, 3, 256]),
    parts=st.integers(1, 3),
    shuffle=st.randoms(use_true_random=False),
)
def test_ingest_table__is_the_pivot_of_the_rows_kept(
    rows, required, duplicates, run_rows, chunk, parts, shuffle
):
    kept, lost, cells = oracle(rows, required, duplicates)
    schema = {"fields": {"x": {"min": -2, "required": required}, "y": {"min": -2}}}
    options = {"schema": schema, "duplicates": duplicates, "chunk_dates": chunk}
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(spill, "RUN_BYTES", run_rows * (8 + 4 + 8 + 16))
        patch.setattr(longform, "SCAN_ROWS", 4)
        table = pd.DataFrame(rows, columns=["date", "symbol", "x", "y"])
        cut = np.array_split(np.arange(len(rows)), parts)
        sources = [
            files.csv_file(folder, table.iloc[c], f"{i}.csv") for i, c in enumerate(cut) if len(c)
        ]
        if not kept:
            with pytest.raises(xf.PanelError, match=r"no row of|names no asset"):
                ingest(folder, sources, **options)
            return
        rejects = folder / "rejects.csv"
        panel, summary = ingest(folder, sources, rejects=rejects, **options)

        frame = pd.DataFrame(kept, columns=["date", "symbol", "x", "y"])
        first = frame.groupby("symbol")["date"].min()
        symbols = sorted(first.index, key=lambda s: (first[s], s))
        assert list(panel.symbol.values) == symbols
        for field in ("x", "y"):
            wide = frame.pivot(index="date", columns="symbol", values=field)[symbols]
            np.testing.assert_array_equal(panel[field], wide)
            assert panel.indexes["date"].equals(pd.DatetimeIndex(wide.index).as_unit("ns"))
        assert (summary.rows_read, summary.rows_kept) == (len(rows), len(kept))
        assert sum(summary.rejected.values()) == lost == len(rows) - len(kept)
        if not required:
            assert sum(summary.cleared.values()) == cells
            assert len(rows_of(rejects)) == lost + cells
        for count in summary.counts:
            assert count.values == panel[count.name].notnull().sum()

        if duplicates == "reject":  # then the order of the rows says nothing
            order = list(range(len(rows)))
            shuffle.shuffle(order)
            other, again = ingest(folder, table.iloc[order], **options)
            xr.testing.assert_identical(panel, other)
            assert again.rejected == summary.rejected


# --- forms of the source ------------------------------------------------------------------------


def forms(folder):
    """The same table in every form: name -> source."""
    frame = pd.DataFrame(TABLE)
    whole = files.csv_file(folder, TABLE, "whole.csv")
    for i in (0, 2):
        files.csv_file(folder / "parts", frame.iloc[i : i + 2], f"{i}.csv")
    for month, rows in frame.groupby(frame["date"].str[:7]):
        place = folder / "hive" / f"month={month}" / "symbol=_"
        place.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), place / "0.parquet")
    (folder / "hive" / "_SUCCESS").write_text("")
    (folder / "whole.csv.gz").write_bytes(gzip.compress(whole.read_bytes()))
    (folder / "semicolons.csv").write_bytes(whole.read_bytes().replace(b",", b";"))
    return {
        "csv": whole,
        "gzip": folder / "whole.csv.gz",
        "parquet": files.parquet_file(folder, TABLE),
        "folder": folder / "parts",
        "glob": str(folder / "parts" / "*.csv"),
        "list": [folder / "parts" / "2.csv", folder / "parts" / "0.csv"],
        "hive": folder / "hive",
        "pandas": frame,
        "indexed": frame.set_index(["date", "symbol"]),
        "arrow": pa.table(TABLE),
        "URL": (folder / "parts").as_uri(),
        "URL glob": folder.as_uri() + "/part*/[02].csv",
    }


FORMS = ("gzip", "parquet", "folder", "glob", "list", "hive", "pandas", "indexed", "arrow", "URL",
         "URL glob")  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_ingest_table__reads_every_form_alike(tmp_path, form):
    (tmp_path / "parts").mkdir()
    found = forms(tmp_path)
    columns = {"close": "close", "volume": "volume"}
    first, told = ingest(tmp_path, found["csv"], columns=columns)
    other, summary = ingest(tmp_path, found[form], columns=columns)
    xr.testing.assert_identical(first, other)
    assert (summary.rows_read, summary.counts) == (told.rows_read, told.counts)


def test_ingest_table__partitions_of_a_folder_are_columns(tmp_path):
    for symbol, close in (("A%2FB", 1.0), ("__HIVE_DEFAULT_PARTITION__", 2.0)):
        place = tmp_path / "data" / f"symbol={symbol}"
        place.mkdir(parents=True)
        files.csv_file(place, {"date": ["2024-01-02"], "close": [close]})
    panel, summary = ingest(tmp_path, tmp_path / "data")
    assert list(panel.symbol.values) == ["A/B"]
    assert summary.rejected == {"without an asset": 1}


def test_ingest_table__reads_from_object_storage(tmp_path):
    """A local server that speaks S3; the URL names it, credentials come from the environment."""
    server = pytest.importorskip("moto.server")
    boto = pytest.importorskip("boto3")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    try:
        host, port = running.get_host_and_port()
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        client = boto.client(
            "s3", region_name="us-east-1", endpoint_url=f"http://{host}:{port}", **keys
        )
        client.create_bucket(Bucket="bucket")
        path = files.parquet_file(tmp_path, TABLE)
        client.upload_file(str(path), "bucket", "prices/year=2024/0.parquet")
        url = f"endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        local, _ = ingest(tmp_path, path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            for where in ("prices", "prices/*/0.parquet", "prices/year=2024/0.parquet"):
                names = {"close": "close", "volume": "volume"}
                remote, _ = ingest(tmp_path, f"s3://bucket/{where}?{url}", columns=names)
                xr.testing.assert_identical(local, remote)
            with pytest.raises(xf.PanelError, match=r"nothing is at s3://|cannot be read"):
                ingest(tmp_path, f"s3://bucket/none?{url}")
    finally:
        running.stop()


# --- schemas ------------------------------------------------------------------------------------

TOML = """
date = {column = "Day", format = "%d/%m/%Y"}
asset = {column = "Permno", ids = "given"}
[csv]
delimiter = ";"
encoding = "latin-1"
[fields.price]
column = "PRC"
above = 0
required = true
units = "EUR"
[fields.margin]
column = "Marge é"
unit = "percent"
dtype = "float32"
[fields.assets]
column = "Total"
unit = "thousands"
max = 1e9
[fields.sector]
kind = "code"
[fields.open]
kind = "mask"
"""
VENDOR = (
    "Day;Permno;PRC;Marge é;Total;Sector;Open\n"
    "01/02/2024;20;10;2,5;1;Real Estate;yes\n"
    "01/02/2024;7;5;25;2000000;Energy;0\n"
    "02/02/2024;20;0;1;1;Energy;yes\n"
    "02/02/2024;x7;1;1;1;;maybe\n"
    "02/02/2024;007;6;;3;;maybe\n"
)


def test_ingest_table__a_schema_gives_names_units_ranges_and_kinds(tmp_path):
    (tmp_path / "schema.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "vendor.csv").write_bytes(VENDOR.encode("latin-1"))
    rejects = tmp_path / "rejects.parquet"
    panel, summary = ingest(
        tmp_path, tmp_path / "vendor.csv", schema=tmp_path / "schema.toml", rejects=rejects
    )
    assert panel.asset.values.tolist() == [7, 20]
    assert "symbol" not in panel
    assert list(panel.date.dt.strftime("%Y-%m-%d").values) == ["2024-02-01", "2024-02-02"]
    np.testing.assert_array_equal(panel["price"], [[5, 10], [6, NAN]])
    assert panel["price"].attrs == {"units": "EUR"}
    np.testing.assert_array_equal(panel["margin"], np.float32([[0.25, NAN], [NAN, NAN]]))
    assert panel["margin"].dtype == np.float32
    np.testing.assert_array_equal(panel["assets"], [[NAN, 1000], [3000, NAN]])
    assert panel["sector"].dtype == np.int16
    np.testing.assert_array_equal(panel["sector"], [[0, 1], [-1, -1]])
    assert panel["sector"].attrs["flag_meanings"] == "Energy Real_Estate"
    np.testing.assert_array_equal(panel["open"], [[False, True], [False, False]])

    assert summary.rejected == {"without an asset": 1, "without price": 1}
    listed = rows_of(rejects)
    assert list(listed.columns) == ["file", "row", "column", "value", "reason"]
    assert set(listed["file"]) == {str(tmp_path / "vendor.csv")}
    assert sorted(listed.drop(columns="file").itertuples(index=False, name=None)) == [
        (1, "Marge é", "2,5", "margin no number"),
        (2, "Total", "2000000", "assets outside -inf to 1e+09"),
        (3, "PRC", "", "without price"),
        (3, "PRC", "0", "price not above 0"),
        (4, "Permno", "x7", "without an asset"),
        (5, "Open", "maybe", "open no yes or no"),
    ]
    margin = next(c for c in summary.counts if c.name == "margin")
    assert (margin.values, margin.rejected) == (1, {"no number": 1})
    assert summary.years[2024]["margin"] == 1 / 3
    assert "margin" in str(summary)
    assert str(rejects) in str(summary)


def test_ingest_table__takes_all_columns_of_numbers_where_none_is_named(tmp_path):
    table = {**TABLE, "1. Adj Close": [1.0] * 4, "name": list("wxyz"), "ok": [True, False] * 2}
    for write in (files.csv_file, files.parquet_file):
        panel, summary = ingest(
            tmp_path, write(tmp_path, table), columns={"asset": "symbol"}, schema={"date": "date"}
        )
        names = {"close", "volume", "adj_close"}
        assert set(panel.data_vars) == names | ({"ok"} if write is files.parquet_file else set())
        assert "name" in " ".join(summary.notes)


def test_ingest_table__refuses_a_column_that_stands_there_twice(tmp_path):
    source = files.text_file(tmp_path, "date,asset,v,v\n2020-01-02,A,1,2\n")
    with pytest.raises(xf.PanelError, match="has 2 columns 'v'"):
        ingest_table(source, tmp_path / "panel.zarr")
    assert not (tmp_path / "panel.zarr").exists()


def test_ingest_table__ids_that_pandas_wrote_as_floats_are_whole_numbers(tmp_path):
    rows = ["2020-01-02,10001.0,1", "2020-01-03,10001,2", "2020-01-03,10001.5,3", "2020-01-03,.,4"]
    source = files.text_file(tmp_path, "\n".join(["date,asset,v", *rows]))
    schema = {"asset": {"column": "asset", "ids": "given"}}
    summary = ingest_table(source, tmp_path / "panel.zarr", schema=schema)
    found = xf.open_panel(tmp_path / "panel.zarr")
    assert found["asset"].values.tolist() == [10001]
    assert found["v"].values.tolist() == [[1.0], [2.0]]
    assert summary.rejected["without an asset"] == 2


BAD_SCHEMAS = {
    "prices = 1": "has 'prices'",
    "date = 1": "date = 1",
    "[fields.x]\nkind = 'text'": "kind of .*'text'",
    "[fields.x]\nunit = 'dozens'": "unit of .*'dozens'",
    "[fields.x]\nunit = 'percent'\nscale = 2": "either unit or scale",
    "[fields.x]\nmin = 2\nmax = 1": "no more than max",
    "[fields.x]\nmin = 'low'": "min of",
    "[fields.x]\nscale = 0": "other than 0",
    "[fields.x]\nkind = 'mask'\nmin = 0": "for it is a mask",
    "[fields.x]\nrequired = 'yes'": "True or False",
    "[fields.'a/b']\n": "names a field 'a/b'",
    "[fields.date]\n": "names a field 'date'",
    "[fields.close]\ncolumn = 'shut'": "no column 'shut'",
    "[csv]\ndelimiter = ';;'": "one character",
    "[csv]\nencoding = 'utf-9'": "'utf-9' is unknown",
    "asset = {column = 'symbol', ids = 'mine'}": "'mine' is unknown",
    "date = {column = 'date', format = '%Q'}": "'%Q' cannot be used",
    "date = [": "cannot be read",
}


@pytest.mark.parametrize("text", BAD_SCHEMAS)
def test_ingest_table__refuses_a_schema_it_does_not_understand(tmp_path, text):
    (tmp_path / "schema.toml").write_text(text)
    source = files.csv_file(tmp_path, TABLE)
    with pytest.raises(xf.PanelError, match=BAD_SCHEMAS[text]) as caught:
        ingest(tmp_path, source, schema=tmp_path / "schema.toml")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "panel.zarr").exists()


# --- strict, duplicates, refusals ---------------------------------------------------------------

STRICT = {
    "date,symbol,x\n2024-01-02,A,1\n2024-01-03,A\n": "row 2: Expected 3 columns, got 2",
    "date,symbol,x\n2024-01-02,A,1\nsoon,A,2\n": "row 2: 'soon'",
    "date,symbol,x\n2024-01-02,A,1\n2024-01-03,,2\n": "row 2 of .* without an asset",
    "date,symbol,x\n2024-01-02,A,1\n2024-01-03,A,b\n": "'x' of .* holds 'b' in row 2",
    "date,symbol,x\n2024-01-02,A,1\n2024-01-03,A,-1\n": "'x' of .* negative in row 2: '-1'",
    "date,symbol,x\n2024-01-02,A,1\n2024-01-03,A,\n": "row 2 of .* without x",
    "date,symbol,x\n2024-01-02,A,1\n2024-01-02,A,1\n": "row 2 of .* that repeat another row",
}  # fmt: skip


@pytest.mark.parametrize("text", STRICT)
def test_ingest_table__strict_stops_at_the_first(tmp_path, text):
    source = files.text_file(tmp_path, text)
    options = {"schema": {"fields": {"x": {"min": 0, "required": True}}}}
    _, summary = ingest(tmp_path, source, **options)
    assert summary.rows_read == 2
    assert sum(summary.rejected.values()) == 1
    before = files.bytes_of(tmp_path / "panel.zarr")
    with pytest.raises(xf.PanelError, match=STRICT[text]):
        ingest(tmp_path, source, strict=True, **options)
    assert files.bytes_of(tmp_path / "panel.zarr") == before
    clean = files.text_file(tmp_path, "\n".join(text.split("\n")[:2]) + "\n")
    assert ingest(tmp_path, clean, strict=True, **options)[1].rows_kept == 1


def test_ingest_table__numbers_rows_as_they_stand_in_the_file(tmp_path, monkeypatch):
    """Across blocks of the reader, below lines of another length, with line ends in cells."""
    monkeypatch.setattr(formats, "CSV_BLOCK", 64)
    lines, bad = [], []
    for i in range(200):
        value = "x" if i % 7 == 3 else f"{i}"
        extra = ",9" if i % 11 == 5 else ""
        name = f'"A\n{i}"' if i % 13 == 2 else f"A{i}"
        lines.append(f"2024-01-02,{name},{value}{extra}\n")
        if extra or i % 13 == 2 or value == "x":
            bad.append(i + 1)
    source = files.text_file(tmp_path, "\ndate,symbol,v\n" + "".join(lines))
    _, summary = ingest(tmp_path, source, rejects=tmp_path / "rejects.csv")
    assert summary.rows_read == 200
    assert sorted(set(rows_of(tmp_path / "rejects.csv")["row"])) == bad


@pytest.mark.parametrize(
    ("options", "match"),
    [({"duplicates": "mean"}, "duplicates='mean'"), ({"chunk_dates": 0}, "chunk_dates=0"),
     ({"calendar": "MOON"}, "calendar='MOON'"), ({"columns": {"close": 1}}, "close = 1"),
     ({"duplicates": "error"}, "1 more row than .*first for B on 2024-01-02")],
)  # fmt: skip
def test_ingest_table__refuses_options_in_one_line(tmp_path, options, match):
    table = pd.concat([pd.DataFrame(TABLE), pd.DataFrame(TABLE).head(1)])
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest(tmp_path, table, **options)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == []


@pytest.mark.parametrize("source", [7, [], [7], "nothing*.csv", "no/folder"])
def test_ingest_table__refuses_what_is_no_source(tmp_path, source):
    with pytest.raises(xf.PanelError, match=r"nothing is at|source"):
        ingest(tmp_path, source)


def test_ingest_table__refuses_a_panel_whose_chunks_cannot_be_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(longform, "CHUNK_BYTES", 47)
    with pytest.raises(
        xf.PanelError, match=r"names 2 assets on 3 dates: a chunk of 256.*chunk_dates=1"
    ):
        ingest(tmp_path, pd.DataFrame(TABLE))
    panel, _ = ingest(tmp_path, pd.DataFrame(TABLE), chunk_dates=2)
    assert dict(panel.sizes) == {"date": 3, "asset": 2}


def test_ingest_table__dates_by_day_or_month_first_read_as_the_whole_source_does(tmp_path):
    first = {"date": ["1/2/2024"] * 2, "symbol": ["A", "B"], "x": [1, 2]}
    second = {"date": ["13/2/2024"], "symbol": ["A"], "x": [3]}
    sources = [files.csv_file(tmp_path, t, f"{i}.csv") for i, t in enumerate([first, second])]
    panel, _ = ingest(tmp_path, sources)
    assert list(panel.date.dt.strftime("%Y-%m-%d").values) == ["2024-02-01", "2024-02-13"]
    with pytest.raises(xf.PanelError, match="month/day or day/month"):
        ingest(tmp_path, sources[0])


def test_ingest_table__notes_sessions_beside_the_calendar(tmp_path):
    pytest.importorskip("exchange_calendars")
    dates = ["2024-01-12", "2024-01-13", "2024-01-17"]
    table = pd.DataFrame({"date": dates, "symbol": "A", "x": 1.0})
    _, summary = ingest(tmp_path, table, calendar="XNYS")
    assert "1 session of XNYS missing: 2024-01-16" in summary.notes
    assert "1 date is no session of XNYS: 2024-01-13" in summary.notes
    _, summary = ingest(tmp_path, table.iloc[:1], calendar="XNYS")
    assert "dates are the sessions of XNYS" in summary.notes


def test_ingest_table__says_how_to_get_the_calendars(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(xf.PanelError, match=r"not installed.*pip install exchange_calendars"):
        ingest(tmp_path, pd.DataFrame(TABLE), calendar="XNYS")


# --- what a kill leaves; clusters -----------------------------------------------------------------

KILLED = """
import os, signal, sys
from xfactor.ingest import ingest_table, longform
def stop(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
longform.{where} = stop
ingest_table(sys.argv[1], sys.argv[2], overwrite=True, rejects=sys.argv[3])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of Unix")
@pytest.mark.parametrize("where", ["scan", "make_blocks"])
def test_ingest_table__a_kill_leaves_the_old_store_and_the_next_run_cleans_up(tmp_path, where):
    source = files.csv_file(tmp_path, TABLE)
    ingest(tmp_path, source, columns={"close": "close"})
    before = files.bytes_of(tmp_path / "panel.zarr")
    words = [str(source), str(tmp_path / "panel.zarr"), str(tmp_path / "rejects.csv")]
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(where=where), *words],
        env=os.environ | {"PYTHONPATH": str(Path(xf.__file__).parents[1])},
    )
    assert done.returncode == -signal.SIGKILL
    assert files.bytes_of(tmp_path / "panel.zarr") == before
    assert len(list(tmp_path.glob(".panel.zarr.*.ingest"))) == 1
    panel, _ = ingest(tmp_path, source)
    assert set(panel.data_vars) == {"close", "volume"}
    assert not list(tmp_path.glob(".*"))


def test_ingest_table__blocks_are_made_by_the_workers_of_a_cluster(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(spill, "RUN_BYTES", 500)
    dates = pd.bdate_range("2024-01-01", periods=20)
    table = pd.DataFrame(
        [(d, s, i) for i, (d, s) in enumerate(itertools.product(dates, "CAB"))],
        columns=["date", "symbol", "x"],
    )
    here, _ = ingest(tmp_path, table, chunk_dates=4)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        there, _ = ingest(tmp_path, table, chunk_dates=4)
    xr.testing.assert_identical(here, there)
