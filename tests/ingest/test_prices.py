import dataclasses
import gzip
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_prices

NAN = np.nan


def ingest(tmp_path, source, **options) -> xr.Dataset:
    ingest_prices(source, tmp_path / "panel.zarr", **options)
    return xf.open_panel(tmp_path / "panel.zarr").load()


def changed(**columns) -> dict:
    return {k: v for k, v in (files.PRICES | columns).items() if v is not None}


def test_ingest_prices__lays_rows_out_as_a_panel(tmp_path):
    panel = ingest(tmp_path, files.csv_file(tmp_path, files.PRICES))
    assert panel.date.values.astype("datetime64[D]").astype(str).tolist() == [
        "2013-01-02",
        "2013-01-03",
        "2013-01-04",
    ]
    np.testing.assert_array_equal(panel["close"], [[10, NAN], [11, 30], [5.5, 33]])
    np.testing.assert_array_equal(panel["volume"], [[100, NAN], [200, 10], [400, 20]])
    np.testing.assert_array_equal(panel["split"], [[1, NAN], [1, 1], [2, 1]])
    np.testing.assert_array_equal(panel["listed"], [[1, 0], [1, 1], [1, 1]])
    floats = [v for v in panel.data_vars if v != "listed"]
    assert all(panel[v].dtype == np.float64 for v in floats)
    assert set(floats) == {
        *("open", "high", "low", "close", "volume", "adjusted_close", "dividend", "split"),
        "returns",
    }
    assert panel["close"].attrs["units"] == "USD"


def test_ingest_prices__numbers_assets_by_first_date_then_symbol(tmp_path):
    panel = ingest(tmp_path, files.csv_file(tmp_path, files.PRICES))
    assert panel.asset.dtype == np.int64
    assert panel.asset.values.tolist() == [1, 2]
    assert list(panel.symbol.values) == ["B", "A"]


@pytest.mark.parametrize("write", [files.csv_file, files.parquet_file])
def test_ingest_prices__the_order_of_rows_does_not_matter(tmp_path, write):
    table = pd.DataFrame(files.PRICES)
    first = ingest(tmp_path, write(tmp_path, table.to_dict("list")))
    shuffled = table.sample(frac=1.0, random_state=3).to_dict("list")
    again = ingest(tmp_path, write(tmp_path, shuffled), overwrite=True)
    xr.testing.assert_identical(first, again)


def test_ingest_prices__returns_are_those_of_the_adjusted_close(tmp_path):
    panel = ingest(tmp_path, files.csv_file(tmp_path, files.PRICES))
    xr.testing.assert_equal(panel["returns"], xf.returns(panel["adjusted_close"]))


def test_ingest_prices__without_adjusted_close_splits_and_dividends_make_returns(tmp_path):
    table = changed(adjusted_close=None, dividend_amount=[0, 1.1, NAN, 0, 3.0])
    summary = ingest_prices(files.csv_file(tmp_path, table), tmp_path / "panel.zarr")
    panel = xf.open_panel(tmp_path / "panel.zarr")
    expected = [[NAN, NAN], [0.21, NAN], [0.0, 0.2]]
    np.testing.assert_allclose(panel["returns"], expected, atol=1e-12)
    assert "close, split, dividend" in " ".join(summary.notes)


def test_ingest_prices__missing_price_makes_both_returns_missing(tmp_path):
    table = {"date": ["2013-01-0" + d for d in "2345"], "ticker": ["A"] * 4}
    panel = ingest(tmp_path, files.csv_file(tmp_path, table | {"close": [1.0, NAN, 2.0, 3.0]}))
    np.testing.assert_array_equal(panel["returns"][:, 0], [NAN, NAN, NAN, 0.5])
    assert panel["listed"].all()


def test_ingest_prices__a_price_not_above_zero_is_missing_and_counted(tmp_path):
    table = changed(close=[10.0, 0.0, -5.5, 30.0, np.inf], volume=[1, -2, 3, 4, 5])
    summary = ingest_prices(files.csv_file(tmp_path, table), tmp_path / "panel.zarr")
    panel = xf.open_panel(tmp_path / "panel.zarr")
    np.testing.assert_array_equal(panel["close"], [[10, NAN], [NAN, 30], [NAN, NAN]])
    assert summary.cleared["close not above 0"] == 3
    assert summary.cleared["volume negative"] == 1
    assert "3 close not above 0" in str(summary)


def test_ingest_prices__listed_ends_with_the_last_price(tmp_path):
    table = changed(close=[10, 11, NAN, NAN, 33], adjusted_close=[10, 11, NAN, NAN, 33])
    panel = ingest(tmp_path, files.csv_file(tmp_path, table))
    np.testing.assert_array_equal(panel["listed"], [[1, 0], [1, 0], [0, 1]])


def test_ingest_prices__numbered_vendor_names_are_known(tmp_path):
    text = (
        ",1. open,4. close,5. adjusted close,7. dividend amount,8. split coefficient,Ticker\n"
        "2013-01-02,1,2,2,0,1,A\n2013-01-03,1,3,3,0,1,A\n"
    )
    panel = ingest(tmp_path, files.text_file(tmp_path, text))
    assert set(panel.data_vars) == {
        *("open", "close", "adjusted_close", "dividend", "split", "returns", "listed")
    }


def test_ingest_prices__columns_name_what_the_aliases_do_not(tmp_path):
    table = {"d": ["2013-01-02"], "isin": ["US1"], "px": [3.0], "close": [9.0]}
    columns = {"date": "d", "asset": "isin", "close": "px"}
    panel = ingest(tmp_path, files.csv_file(tmp_path, table), columns=columns)
    assert panel["close"].item() == 3.0


@pytest.mark.parametrize("text", ["NA", "TRUE", "NULL", "123", "nan"])
def test_ingest_prices__a_ticker_that_looks_like_something_else_stays_a_ticker(tmp_path, text):
    source = files.text_file(tmp_path, f"date,ticker,close\n2013-01-02,{text},1\n")
    assert str(ingest(tmp_path, source).symbol.values[0]) == text


def test_ingest_prices__rows_without_an_asset_are_rejected_and_counted(tmp_path):
    source = files.text_file(tmp_path, "date,ticker,close\n2013-01-02,A,1\n2013-01-02,,1\n")
    summary = ingest_prices(source, tmp_path / "panel.zarr")
    assert (summary.rows_read, summary.rows_kept) == (2, 1)
    assert summary.rejected == {"without an asset": 1}


DATES = {
    "iso": ["2013-01-31", "2013-02-01"],
    "compact": ["20130131", "20130201"],
    "american": ["1/31/2013", "2/1/2013"],
    "european": ["31/01/2013", "01/02/2013"],
    "german": ["31.01.2013", "01.02.2013"],
    "with time": ["2013-01-31 00:00:00", "2013-02-01 00:00:00"],
}


@pytest.mark.parametrize("spelling", DATES)
def test_ingest_prices__reads_dates_in_the_usual_spellings(tmp_path, spelling):
    table = {"date": DATES[spelling], "ticker": ["A", "A"], "close": [1.0, 2.0]}
    panel = ingest(tmp_path, files.csv_file(tmp_path, table))
    assert panel.indexes["date"].equals(pd.DatetimeIndex(DATES["iso"], name="date"))


@pytest.mark.parametrize(
    "dates",
    [
        np.array(DATES["iso"], "datetime64[D]"),
        np.array(DATES["iso"], "datetime64[ns]"),
        np.array([20130131, 20130201]),
        np.array(DATES["iso"]),
    ],
    ids=lambda d: str(d.dtype),
)
def test_ingest_prices__reads_dates_of_every_parquet_type(tmp_path, dates):
    table = {"date": dates, "ticker": ["A", "A"], "close": [1.0, 2.0]}
    panel = ingest(tmp_path, files.parquet_file(tmp_path, table))
    assert panel.indexes["date"].equals(pd.DatetimeIndex(DATES["iso"], name="date"))
    assert panel.date.dtype == "datetime64[ns]"


def test_ingest_prices__reads_gzip_bom_and_crlf(tmp_path):
    plain = files.csv_file(tmp_path, files.PRICES)
    first = ingest(tmp_path, plain)
    odd = b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(odd))
    xr.testing.assert_identical(first, ingest(tmp_path, tmp_path / "table.csv.gz", overwrite=True))


def test_ingest_prices__market_returns_span_the_sessions_of_the_panel(tmp_path):
    market = {"date": ["2013-01-01", "2013-01-02", "2013-01-03"], "Adj Close": [1.0, 2.0, 3.0]}
    table = changed(date=["2013-01-01", "2013-01-03", "2013-01-04", "2013-01-03", "2013-01-04"])
    source = files.csv_file(tmp_path, table)
    other = files.csv_file(tmp_path, market, "market.csv")
    summary = ingest_prices(source, tmp_path / "panel.zarr", market=other)
    panel = xf.open_panel(tmp_path / "panel.zarr")
    np.testing.assert_allclose(panel["market_returns"], [NAN, 2.0, NAN])
    assert "missing on 1 date" in " ".join(summary.notes)


def test_ingest_prices__market_without_adjusted_close_counts_its_dividends(tmp_path):
    market = {"date": ["2013-01-02", "2013-01-03"], "close": [10.0, 10.0], "dividend": [0, 1.0]}
    other = files.csv_file(tmp_path, market, "market.csv")
    panel = ingest(tmp_path, files.csv_file(tmp_path, files.PRICES), market=other)
    np.testing.assert_allclose(panel["market_returns"], [NAN, 0.1, NAN])


def test_ingest_prices__summary_prints_aligned_lines(tmp_path):
    summary = ingest_prices(files.csv_file(tmp_path, files.PRICES), tmp_path / "panel.zarr")
    lines = str(summary).splitlines()
    assert "rows         5 of 5 kept" in lines
    assert "panel        3 dates x 2 assets" in lines
    assert "dates        2013-01-02 to 2013-01-04" in lines
    assert {line[12] for line in lines} == {" "}
    assert summary.fields["close"] == 1.0
    assert summary.fields["listed"] == 5 / 6
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.dates = 1


# --- what cannot be used ------------------------------------------------------------------------

BAD_TEXT = {
    "": "is empty",
    "\n\n": "cannot be read|no column",
    "date,ticker,close\n": "has no rows",
    "date,price,close\n2013-01-02,A,1\n": "no column for 'asset'.*'price'.*--columns asset=NAME",
    "ticker,close\nA,1\n": "no column for 'date'.*--columns date=NAME",
    "date,ticker,open\n2013-01-02,A,1\n": "no column for 'close' or 'adjusted_close'",
    "date,ticker,close,close\n2013-01-02,A,1,2\n": "has 2 columns 'close'",
    "date,ticker,close\n2013-01-02,A,x1\n": "'close'.*holds 'x1' in row 1",
    'date,ticker,close\n2013-01-02,A,1\n2013-01-03,A,"1,5"\n': "holds '1,5' in row 2",
    "date,ticker,close\n2013-01-02,A,1\n2013-13-99,A,1\n": "1 of 2 dates.*row 2: '2013-13-99'",
    "date,ticker,close\n2013-01-02,A,1\n,A,1\n": "1 of 2 dates.*row 2",
    "date,ticker,close\n1/2/2013,A,1\n3/4/2013,A,1\n": "month/day or day/month",
    "date,ticker,close\n2013-01-02T00:00:00Z,A,1\n": "time zone",
    "date,ticker,close\n0001-01-01,A,1\n": "1 of 1 dates",
    "date,ticker,close\n201301,A,1\n": "1 of 1 dates",
    "date,ticker,close\n2013-01,A,1\n": "1 of 1 dates",
    "date,ticker,close\n2013-01-02,A,1,9\n": "cannot be read.*Expected 3 columns, got 4",
    "date,ticker,close\n2013-01-02,,1\n": "names no asset",
    "date,ticker,close\n2013-01-02,A,0\n": "no price above 0",
    "date,ticker,close\n2013-01-02,A,1\n2013-01-02,B,1\n2013-01-02,A,2\n2013-01-02,A,3\n": (
        "2 more rows than .date, asset. pairs, the first for A on 2013-01-02"
    ),
}


def fails(tmp_path, source, match, **options):
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest_prices(source, tmp_path / "panel.zarr", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "panel.zarr").exists()
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("text", BAD_TEXT)
def test_ingest_prices__refuses_in_one_line_and_writes_nothing(tmp_path, text):
    fails(tmp_path, files.text_file(tmp_path, text), BAD_TEXT[text])


def test_ingest_prices__refuses_a_file_that_is_not_there(tmp_path):
    fails(tmp_path, tmp_path / "none.csv", "nothing is at")


def test_ingest_prices__refuses_a_folder(tmp_path):
    fails(tmp_path, tmp_path, "is a folder")


@pytest.mark.parametrize(
    "content", [b"PAR1rubbish", b"\x1f\x8brubbish", b"\xff\xfe\x00d", b"\x89PNG\r\n\x1a\n\x00\x00"]
)
def test_ingest_prices__refuses_bytes_that_are_no_table(tmp_path, content):
    (tmp_path / "table").write_bytes(content)
    fails(tmp_path, tmp_path / "table", "cannot be read|no column")


def test_ingest_prices__refuses_a_truncated_gzip(tmp_path):
    whole = gzip.compress(files.csv_file(tmp_path, files.PRICES).read_bytes() * 50)
    (tmp_path / "table.csv.gz").write_bytes(whole[: len(whole) // 2])
    fails(tmp_path, tmp_path / "table.csv.gz", "cannot be read")


@pytest.mark.parametrize(
    ("columns", "match"),
    [({"asset": "tickr"}, "no column 'tickr'.*'symbol'"), ({"sedol": "symbol"}, "names 'sedol'")],
)
def test_ingest_prices__refuses_columns_that_are_not_there(tmp_path, columns, match):
    fails(tmp_path, files.csv_file(tmp_path, files.PRICES), match, columns=columns)


@pytest.mark.parametrize(
    ("column", "match"),
    [
        ({"close": [True]}, "'close'.*type bool"),
        ({"ticker": [1.5]}, "'ticker'.*type double"),
        ({"date": [1.5]}, "'date'.*type double"),
        ({"date": pd.DatetimeIndex(["2013-01-02"], tz="UTC")}, "time zone"),
        ({"close": ["x"]}, "holds 'x'"),
    ],
)
def test_ingest_prices__refuses_parquet_columns_of_the_wrong_type(tmp_path, column, match):
    table = {"date": ["2013-01-02"], "ticker": ["A"], "close": [1.0]} | column
    fails(tmp_path, files.parquet_file(tmp_path, table), match)


def test_ingest_prices__refuses_a_market_of_several_symbols(tmp_path):
    source = files.csv_file(tmp_path, files.PRICES)
    fails(tmp_path, source, "2013-01-03 more than once", market=source)


def test_ingest_prices__tells_to_rename_where_no_option_names_the_column(tmp_path):
    market = files.csv_file(tmp_path, {"date": ["2013-01-02"], "level": [1.0]}, "market.csv")
    fails(tmp_path, files.csv_file(tmp_path, files.PRICES), "Rename one 'close'", market=market)


# What breaks parsers: quotes, line ends, NUL, other encodings, huge numbers, stray separators.
TOKENS = [
    b"",
    b"\0",
    b"\xff",
    b",",
    b"\n",
    b"\r",
    b'"',
    b"1e400",
    b"9" * 400,
    b"x",
    b"\xef\xbb\xbf",
]
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(TOKENS))


@given(edits=st.lists(EDIT, max_size=3), keep=st.floats(0, 1), whole=st.booleans())
def test_ingest_prices__a_damaged_file_is_read_or_refused_in_one_line(edits, keep, whole):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = files.csv_file(folder, files.PRICES).read_bytes()
        for at, length, token in edits:
            cut = int(at * len(data))
            data = data[:cut] + token + data[cut + length :]
        source = folder / "damaged"
        source.write_bytes(data if whole else data[: int(keep * len(data))])
        refused = ""
        try:
            ingest_prices(source, folder / "panel.zarr")
        except xf.PanelError as error:
            refused = str(error)
        assert "\n" not in refused
        assert bool(refused) != (folder / "panel.zarr").exists()


def test_ingest_prices__keeps_the_store_that_is_there(tmp_path):
    source = files.csv_file(tmp_path, files.PRICES)
    ingest_prices(source, tmp_path / "panel.zarr")
    before = files.bytes_of(tmp_path / "panel.zarr")
    bad = files.text_file(tmp_path, "date,ticker,close\n2013-01-02,A,x\n", "bad.csv")
    for again, overwrite in [(source, False), (bad, True)]:
        with pytest.raises(xf.PanelError):
            ingest_prices(again, tmp_path / "panel.zarr", overwrite=overwrite)
        assert files.bytes_of(tmp_path / "panel.zarr") == before


def test_ingest_prices__without_strict_bad_rows_and_cells_are_left_out_and_listed(tmp_path):
    text = (
        "date,ticker,close\n2013-01-02,A,10\nsoon,A,1\n2013-01-03,A,x\n2013-01-04,A,11\n"
        "2013-01-04,B,1\n2013-01-04,B,2\n2013-01-07,A,12,9\n"
    )
    rejects = tmp_path / "rejects.csv"
    source = files.text_file(tmp_path, text)
    summary = ingest_prices(source, tmp_path / "panel.zarr", strict=False, rejects=rejects)
    panel = xf.open_panel(tmp_path / "panel.zarr").load()
    np.testing.assert_array_equal(panel["close"], [[10], [NAN], [11]])
    assert (summary.rows_read, summary.rows_kept) == (7, 3)
    assert sorted(n for n in summary.rejected.values() if n) == [1, 1, 2]
    assert sorted(pd.read_csv(rejects)["row"]) == [2, 3, 5, 6, 7]


# --- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [3, 4])
def test_ingest_prices__never_looks_ahead(tmp_path, days):
    rng = np.random.default_rng(1)
    dates = pd.bdate_range("2013-01-01", periods=6)
    long = pd.DataFrame(
        {
            "date": np.repeat(dates.strftime("%Y-%m-%d"), 3),
            "ticker": np.tile(list("ABC"), 6),
            "adjusted_close": rng.lognormal(size=18),
        }
    )
    whole = ingest(tmp_path, files.csv_file(tmp_path, long.to_dict("list")))
    start = files.csv_file(tmp_path, long[: 3 * days].to_dict("list"))
    cut = ingest(tmp_path, start, overwrite=True)
    xr.testing.assert_identical(cut["returns"], whole["returns"][:days])
