import io
import zipfile

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import Tags, explain, ingest_records, read_sec, zips

NUM = ["adsh", "tag", "version", "ddate", "qtrs", "uom", "segments", "coreg", "value", "footnote"]
SUB = ["adsh", "cik", "name", "form", "accepted"]
FILINGS = [
    ("0-1", 11, 'ONE "QUOTED', "10-Q", "2009-05-05 09:10:00.0"),
    ("0-2", 11, "ONE", "10-Q", "2009-08-05 16:30:00.0"),
    ("0-3", 11, "ONE", "10-Q/A", "2009-09-01 16:00:00.0"),
    ("0-4", 22, "TWO", "10-K", "2009-08-07 17:05:00.0"),
]


def total(adsh, tag, ddate, qtrs, value, uom="USD", segments="", coreg=""):
    return (adsh, tag, "us-gaap/2009", ddate, qtrs, uom, segments, coreg, value, 'a "note')


NUMBERS = [
    total("0-1", "NetIncomeLoss", 20090331, 1, "10.0000"),
    total("0-2", "NetIncomeLoss", 20090630, 2, "25.0000"),
    total("0-2", "NetIncomeLoss", 20090331, 1, "10.0000"),
    total("0-2", "NetIncomeLoss", 20090630, 2, "7.0000", segments="Segment=A;"),
    total("0-2", "NetIncomeLoss", 20090630, 2, "8.0000", coreg="Sub"),
    total("0-2", "NetIncomeLoss", 20090630, 2, "9.0000", uom="CAD"),
    total("0-2", "NetIncomeLoss", 20090630, 8, "99.0000"),
    total("0-2", "NetIncomeLoss", 20080630, 2, ""),
    total("0-2", "ProfitLoss", 20090630, 2, "26.0000"),
    total("0-3", "NetIncomeLoss", 20090630, 2, "24.0000"),
    total("0-2", "StockholdersEquity", 20081231, 0, "80.0000"),
    total("0-2", "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
          20090630, 0, "90.0000"),
    total("0-2", "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
          20081231, 0, "85.0000"),
    total("0-4", "EntityCommonStockSharesOutstanding", 20090831, 0, "5.0000", uom="shares"),
    total("0-4", "Assets", 20090630, 0, "7.5000"),
]  # fmt: skip


def tsv(header, rows) -> str:
    return "\n".join("\t".join(map(str, r)) for r in [header, *rows]) + "\n"


def zip_file(folder, numbers=NUMBERS, filings=FILINGS, name="2009q3.zip", header=NUM):
    path = folder / name
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("sub.txt", tsv(SUB, filings))
        file.writestr("num.txt", tsv(header, numbers))
    return path


def rows_of(records, item):
    own = records[records["item"] == item]
    return list(
        zip(
            own["period_end"].dt.strftime("%Y-%m-%d"), own["quarters"], own["value"], own["filing"],
            strict=True,
        )
    )  # fmt: skip


def test_read_sec__takes_totals_of_the_company_only(tmp_path):
    records = read_sec(zip_file(tmp_path))
    assert rows_of(records, "net_income") == [
        ("2009-03-31", 1, 10.0, "0-1"),
        ("2009-03-31", 1, 10.0, "0-2"),
        ("2009-06-30", 2, 25.0, "0-2"),
        ("2009-06-30", 2, 24.0, "0-3"),
    ]
    assert records.attrs["rows_read"] == len(NUMBERS)


def test_read_sec__takes_one_tag_for_all_periods_of_a_filing(tmp_path):
    records = read_sec(zip_file(tmp_path))
    assert rows_of(records, "book_equity") == [
        ("2008-12-31", 0, 85.0, "0-2"),
        ("2009-06-30", 0, 90.0, "0-2"),
    ]


def test_read_sec__a_filing_after_the_close_is_known_in_the_next_session(tmp_path):
    path = zip_file(tmp_path)
    known = read_sec(path).groupby("filing")["known_at"].first()
    assert known.astype(str).tolist() == [
        "2009-05-05 00:00:00", "2009-08-05 16:30:00", "2009-09-01 00:00:00", "2009-08-07 17:05:00",
    ]  # fmt: skip
    known = read_sec(path, close=None).groupby("filing")["known_at"].first()
    assert known.dt.strftime("%H:%M").tolist() == ["09:10", "16:30", "16:00", "17:05"]


def test_read_sec__a_date_rounded_beyond_the_filing_is_its_day(tmp_path):
    assert not rows_of(read_sec(zip_file(tmp_path)), "shares_outstanding")  # 24 days: not rounding
    numbers = [total("0-4", "EntityCommonStockSharesOutstanding", 20090815, 0, "5", "shares")]
    found = rows_of(read_sec(zip_file(tmp_path, numbers)), "shares_outstanding")
    assert found == [("2009-08-07", 0, 5.0, "0-4")]


def test_read_sec__reads_files_without_segments_and_selects(tmp_path):
    at = NUM.index("segments")
    older = [r[:at] + r[at + 1 :] for r in NUMBERS if not r[at]]
    header = [n for n in NUM if n != "segments"]
    whole = read_sec(zip_file(tmp_path, older, header=header))
    pd.testing.assert_frame_equal(whole, read_sec(zip_file(tmp_path)), check_like=True)
    assert set(read_sec(zip_file(tmp_path), ciks=[22])["cik"]) == {22}
    assert set(read_sec(zip_file(tmp_path), forms=["10-Q/A"])["filing"]) == {"0-3"}
    items = {"profit": Tags(("ProfitLoss",))}
    assert rows_of(read_sec(tmp_path, items=items), "profit") == [("2009-06-30", 2, 26.0, "0-2")]


def test_read_sec__does_not_depend_on_blocks_nor_on_the_files(tmp_path, monkeypatch):
    whole = read_sec(zip_file(tmp_path))
    two = [
        zip_file(tmp_path, [r for r in NUMBERS if r[0] in some], name=f"{i}.zip")
        for i, some in enumerate((["0-1", "0-3"], ["0-2", "0-4"]))
    ]
    pd.testing.assert_frame_equal(read_sec(two), whole)
    monkeypatch.setattr(zips, "BLOCK_BYTES", 300)
    pd.testing.assert_frame_equal(read_sec(two), whole)


@pytest.mark.parametrize("kind", ["none", "text", "no num", "truncated"])
def test_read_sec__refuses_in_one_line(tmp_path, kind):
    path = tmp_path / "x.zip"
    if kind == "text":
        path.write_text("no zip")
    elif kind == "no num":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("sub.txt", tsv(SUB, FILINGS))
    elif kind == "truncated":
        path.write_bytes(zip_file(tmp_path).read_bytes()[:-40])
    with pytest.raises(xf.PanelError, match=r"no zip is at|cannot be read") as caught:
        read_sec(path)
    assert "\n" not in str(caught.value)


def test_read_sec__refuses_a_close_that_is_no_time(tmp_path):
    with pytest.raises(xf.PanelError, match="close='four'"):
        read_sec(zip_file(tmp_path), close="four")


def test_ingest_records__of_filings_by_cik_gives_quarters_of_the_year_to_date(tmp_path):
    dates = pd.bdate_range("2009-05-01", "2009-12-31", name="date")
    store = files.panel_store(tmp_path, dates, ["ONE", "TWO"])
    listing = files.text_file(tmp_path, "Symbol,CIK\nONE,0000000011\nTWO,22\n", "securities.csv")
    fields = {"earnings": "latest(net_income)", "total_assets": "total_assets"}
    summary = ingest_records(read_sec(zip_file(tmp_path)), store, fields=fields, securities=listing)
    assert summary.rejected["of assets not in the store"] == 0
    shown = xf.open_panel(store)["earnings"].sel(asset=1)
    days = ["2009-05-04", "2009-05-05", "2009-08-05", "2009-08-06", "2009-08-31", "2009-09-01"]
    np.testing.assert_array_equal(shown.sel(date=days), [np.nan, 10, 10, 15, 15, 14])
    text = str(explain(store, "ONE", "earnings", "2009-09-01"))
    assert "24 for the period to 2009-06-30, known since 2009-09-01, filed as 0-3" in text
    assert "less 10 for the period to 2009-03-31" in text


def test_read_sec__of_bytes_that_are_no_text_reads_the_rest(tmp_path):
    buffer = io.BytesIO(tsv(NUM, NUMBERS).replace('a "note', "n\xe9e").encode("latin-1"))
    path = tmp_path / "2009q3.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("sub.txt", tsv(SUB, FILINGS))
        file.writestr("num.txt", buffer.getvalue())
    assert len(read_sec(path)) == len(read_sec(zip_file(tmp_path, name="b.zip")))
