import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_fundamentals

DATES = pd.bdate_range("2013-01-01", "2014-12-31", name="date")
AAPL = ("AAPL", "2013-09-28", 100.0, 10.0)


def ingest(tmp_path, rows, symbols=("AAPL", "MSFT"), splits=None, columns=(), **options):
    """Write reports into a new store and open it."""
    number = len(list(tmp_path.glob("*.zarr")))
    store = files.panel_store(tmp_path, DATES, list(symbols), splits=splits, name=f"{number}.zarr")
    source = files.csv_file(tmp_path, files.reports(*rows, columns=columns), f"{number}.csv")
    summary = ingest_fundamentals(source, store, **options)
    panel = xf.open_panel(store).load().assign_coords(asset=list(symbols))
    return panel, summary


def values(panel, field, symbol="AAPL", start=None, end=None) -> np.ndarray:
    return np.unique(panel[field].sel(asset=symbol, date=slice(start, end)))


def test_ingest_fundamentals__derives_size_and_value(tmp_path):
    panel, summary = ingest(tmp_path, [AAPL, ("MSFT", "2013-06-30", 30.0, 6.0)])
    day = panel.sel(date="2014-01-02")
    np.testing.assert_array_equal(day["market_cap"], [100.0, 60.0])
    np.testing.assert_array_equal(day["book_to_price"], [1.0, 0.5])
    np.testing.assert_array_equal(day["fundamentals_age"], [96.0, 186.0])
    assert (summary.rows_read, summary.rows_kept) == (2, 2)
    assert panel["shares_outstanding"].attrs["units"] == "shares"
    assert panel["book_equity"].attrs["fill"] == "forward"
    assert "rule" not in panel["market_cap"].attrs


@pytest.mark.parametrize(("lag", "first"), [(90, "2013-12-27"), (2, "2013-09-30"), (0, None)])
def test_ingest_fundamentals__are_known_on_the_first_session_after_the_lag(tmp_path, lag, first):
    panel, _ = ingest(tmp_path, [AAPL], lag_days=lag)
    shown = panel["book_equity"].sel(asset="AAPL").dropna("date")
    assert shown.date.values[0] == np.datetime64(first or "2013-09-30")


def test_ingest_fundamentals__are_missing_when_too_old(tmp_path):
    panel, _ = ingest(tmp_path, [AAPL], max_age_days=100)
    shown = panel["book_equity"].sel(asset="AAPL").dropna("date")
    assert shown.date.values[-1] == np.datetime64("2014-01-06")
    for name in ("market_cap", "shares_outstanding", "fundamentals_age"):
        np.testing.assert_array_equal(panel[name].notnull(), panel["book_equity"].notnull())


def test_ingest_fundamentals__future_reports_never_change_the_past(tmp_path):
    first = ("AAPL", "2012-12-31", 50.0, 5.0)
    before, _ = ingest(tmp_path, [first])
    after, _ = ingest(tmp_path, [first, AAPL, ("MSFT", "2013-09-28", 7.0, 7.0)])
    past = slice(None, "2013-12-26")
    xr.testing.assert_identical(before.sel(date=past), after.sel(date=past))
    assert values(after, "book_equity", start="2013-12-27") == [100.0]


def test_ingest_fundamentals__shares_are_carried_by_a_split(tmp_path):
    splits = {("AAPL", "2014-06-09"): 7.0, ("AAPL", "2013-03-01"): 2.0}
    panel, _ = ingest(tmp_path, [AAPL], splits=splits)
    assert values(panel, "shares_outstanding", start="2013-12-27", end="2014-06-06") == [10.0]
    np.testing.assert_allclose(values(panel, "shares_outstanding", start="2014-06-09"), [70.0])
    np.testing.assert_allclose(values(panel, "market_cap", start="2014-06-09"), [700.0])


def test_ingest_fundamentals__a_split_soon_after_the_period_end_is_in_the_report(tmp_path):
    for day, expected in [("2013-11-26", 10.0), ("2013-11-27", 20.0)]:  # 59 and 60 days after
        panel, _ = ingest(tmp_path, [AAPL], splits={("AAPL", day): 2.0})
        np.testing.assert_allclose(
            values(panel, "shares_outstanding", start="2014-01-02"), expected
        )


def test_ingest_fundamentals__a_split_before_publication_is_in_the_report(tmp_path):
    for day, expected in [("2014-02-03", 10.0), ("2014-02-04", 20.0)]:
        rows = [(*AAPL, "2014-02-03")]
        splits = {("AAPL", day): 2.0}
        panel, _ = ingest(tmp_path, rows, splits=splits, columns=("Filing Date",))
        np.testing.assert_allclose(
            values(panel, "shares_outstanding", start="2014-02-05"), expected
        )


def test_ingest_fundamentals__dates_of_publication_replace_the_lag(tmp_path):
    rows = [
        ("AAPL", "2013-06-30", 1.0, 1.0, "2013-08-01"),
        ("AAPL", "2013-09-30", 2.0, 1.0, "2013-11-01"),
        ("AAPL", "2013-06-30", 99.0, 1.0, "2014-02-03"),  # restated, after the newer period
        ("AAPL", "2013-09-30", 3.0, 1.0, "2014-03-03"),  # restated
    ]
    panel, _ = ingest(tmp_path, rows, columns=("Filing Date",))
    shown = panel["book_equity"].sel(asset="AAPL")
    changes = shown[np.append(True, shown.values[1:] != shown.values[:-1])].dropna("date")
    assert changes.values.tolist()[-3:] == [1.0, 2.0, 3.0]
    assert changes.date.values[-2:].astype("datetime64[D]").astype(str).tolist() == [
        "2013-11-01",
        "2014-03-03",
    ]


def test_ingest_fundamentals__a_value_that_is_missing_leaves_the_one_before(tmp_path):
    rows = [("AAPL", "2012-12-31", 50.0, 5.0), ("AAPL", "2013-09-28", 100.0, np.nan)]
    panel, _ = ingest(tmp_path, rows)
    day = panel.sel(asset="AAPL", date="2014-01-02")
    assert (day["book_equity"].item(), day["shares_outstanding"].item()) == (100.0, 5.0)


def test_ingest_fundamentals__shares_not_above_zero_are_missing_and_counted(tmp_path):
    rows = [("AAPL", "2013-09-28", 100.0, -5.0), ("MSFT", "2013-09-28", 100.0, 0.0)]
    panel, summary = ingest(tmp_path, rows)
    assert panel["market_cap"].isnull().all()
    assert panel["book_equity"].notnull().any()
    assert summary.cleared["shares_outstanding not above 0"] == 2


def test_ingest_fundamentals__negative_equity_has_no_book_to_price(tmp_path):
    panel, _ = ingest(tmp_path, [("AAPL", "2013-09-28", -100.0, 5.0)])
    assert values(panel, "book_equity", start="2014-01-02") == [-100.0]
    assert panel["book_to_price"].isnull().all()


def test_ingest_fundamentals__further_items_become_fields(tmp_path):
    rows = [(*AAPL, 500.0)]
    columns = {"total_assets": "Total Assets"}
    panel, _ = ingest(tmp_path, rows, columns=("Total Assets",))
    assert "total_assets" not in panel
    store = files.panel_store(tmp_path, DATES, ["AAPL"], name="further.zarr")
    table = files.reports(*rows, columns=("Total Assets",))
    ingest_fundamentals(files.csv_file(tmp_path, table), store, columns=columns)
    assert np.nanmax(xf.open_panel(store)["total_assets"]) == 500.0


def test_ingest_fundamentals__counts_symbols_on_either_side(tmp_path):
    rows = [AAPL, ("ZZZ", "2013-09-28", 1.0, 1.0), ("ZZZ", "2012-09-28", 1.0, 1.0)]
    _, summary = ingest(tmp_path, rows)
    assert summary.rejected["of symbols not in the store"] == 2
    notes = " ".join(summary.notes)
    assert "1 symbol is not in the store: ZZZ" in notes
    assert "1 asset has no fundamentals: MSFT" in notes


# --- share classes and sectors ------------------------------------------------------------------

CLASSES = [
    ("NWS", "2013-06-30", 50.0, np.nan),
    ("NWS", "2014-06-30", 60.0, 6.0),
    ("NWSA", "2013-06-30", 50.0, 5.0),
    ("NWSA", "2014-06-30", 60.0, 6.0),
]


def securities(tmp_path, *rows):
    names = ("Ticker symbol", "GICS Sector", "CIK")
    table = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return files.csv_file(tmp_path, table, "securities.csv")


@pytest.mark.parametrize("with_cik", [False, True])
def test_ingest_fundamentals__counts_a_company_of_two_classes_once(tmp_path, with_cik):
    options = {}
    if with_cik:
        rows = [("NWS", "Media", "0001"), ("NWSA", "Media", "0001"), ("AAPL", "IT", "0002")]
        options["securities"] = securities(tmp_path, *rows)
    rows = [*CLASSES, AAPL]
    panel, summary = ingest(tmp_path, rows, symbols=("AAPL", "NWS", "NWSA"), **options)
    has = panel["book_equity"].notnull().any("date").values
    np.testing.assert_array_equal(has, [True, False, True])
    assert summary.rejected["that repeat another symbol"] == 2
    assert "NWS (NWSA kept)" in " ".join(summary.notes)


def test_ingest_fundamentals__of_equal_classes_keeps_the_first_symbol(tmp_path):
    rows = [(s, end, 9.0, 9.0) for s in ("BB", "AA") for end in ("2013-06-30", "2014-06-30")]
    panel, _ = ingest(tmp_path, rows, symbols=("AA", "BB"))
    np.testing.assert_array_equal(panel["book_equity"].notnull().any("date"), [True, False])


def test_ingest_fundamentals__three_classes_are_one_company(tmp_path):
    rows = [(s, end, 9.0, 9.0) for s in "ABC" for end in ("2013-06-30", "2014-06-30")]
    listing = securities(tmp_path, ("C", "Media", "1"), ("D", "Media", "1"))
    rows.append(("D", "2014-06-30", 8.0, 9.0))  # of the company of C, by CIK only
    panel, _ = ingest(tmp_path, rows, symbols=tuple("ABCD"), securities=listing)
    has = panel["book_equity"].notnull().any("date").values
    np.testing.assert_array_equal(has, [True, False, False, False])


def test_ingest_fundamentals__keeps_the_class_that_is_in_the_store(tmp_path):
    panel, summary = ingest(tmp_path, CLASSES, symbols=("NWS", "AAPL"))
    assert summary.rejected["that repeat another symbol"] == 0
    assert panel["book_equity"].sel(asset="NWS").notnull().any()


def test_ingest_fundamentals__one_equal_figure_makes_no_share_class(tmp_path):
    rows = [
        ("AAPL", "2013-06-30", 50.0, 5.0),
        ("AAPL", "2014-06-30", 60.0, 5.0),
        ("MSFT", "2013-06-30", 50.0, 5.0),
        ("MSFT", "2014-06-30", 61.0, 5.0),
    ]
    _, summary = ingest(tmp_path, rows)
    assert summary.rejected["that repeat another symbol"] == 0


def test_ingest_fundamentals__sectors_become_codes_with_their_meanings(tmp_path):
    listing = securities(tmp_path, ("MSFT", "Information Technology", "1"), ("X", "Energy", "2"))
    panel, _ = ingest(tmp_path, [AAPL], securities=listing)
    sector = panel["sector"]
    assert sector.dtype == np.int16
    assert np.unique(sector.sel(asset="AAPL")) == [-1]
    assert np.unique(sector.sel(asset="MSFT")) == [1]
    assert list(sector.attrs["flag_values"]) == [0, 1]
    assert sector.attrs["flag_meanings"] == "Energy Information_Technology"


# --- what cannot be used ------------------------------------------------------------------------

HEADER = "Ticker Symbol,Period Ending,Total Equity,Estimated Shares Outstanding\n"
BAD_TEXT = {
    "": "is empty",
    HEADER: "has no rows",
    "Ticker Symbol,Period Ending,Equity\nAAPL,2013-09-28,1\n": (
        "no column for 'book_equity'.*'Equity'.*--columns book_equity=NAME"
    ),
    HEADER + "AAPL,2013-09-28,1,1\nAAPL,2013-09-28,2,1\n": (
        "book_equity of the asset 1 for 2013-09-28 has two values"
    ),
    HEADER + "AAPL,soon,1,1\n": "1 without a date; .*'Period Ending' 'soon'",
    HEADER + "ZZZ,2013-09-28,1,1\n": r"none of the symbols of the reports \(ZZZ\) is in the store",
}


def fails(tmp_path, source, match, store=None, **options):
    store = store or files.panel_store(tmp_path, DATES, ["AAPL", "MSFT"])
    before = files.bytes_of(store)
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest_fundamentals(source, store, **options)
    assert "\n" not in str(caught.value)
    assert files.bytes_of(store) == before


@pytest.mark.parametrize("text", BAD_TEXT)
def test_ingest_fundamentals__refuses_in_one_line_and_leaves_the_store(tmp_path, text):
    fails(tmp_path, files.text_file(tmp_path, text), BAD_TEXT[text])


def good(tmp_path):
    return files.csv_file(tmp_path, files.reports(AAPL))


def test_ingest_fundamentals__refuses_a_missing_file(tmp_path):
    fails(tmp_path, tmp_path / "none.csv", "nothing is at")


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"asset": "tickr"}, "no column 'tickr'"),
        ({"market_cap": "Total Equity"}, "'market_cap'.*not taken"),
        ({"total assets": "Total Equity"}, "'total assets'"),
    ],
)
def test_ingest_fundamentals__refuses_columns_that_will_not_do(tmp_path, columns, match):
    fails(tmp_path, good(tmp_path), match, columns=columns)


@pytest.mark.parametrize("options", [{"lag_days": -1}, {"max_age_days": 0}])
def test_ingest_fundamentals__refuses_senseless_options(tmp_path, options):
    fails(tmp_path, good(tmp_path), next(iter(options)), **options)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Ticker symbol,Name\nAAPL,Apple\n", "no column for 'sector' or 'cik'"),
        ("Ticker symbol,GICS Sector\nAAPL,IT\nAAPL,IT\n", "'AAPL' more than once"),
    ],
)
def test_ingest_fundamentals__refuses_a_list_of_securities_that_will_not_do(tmp_path, text, match):
    listing = files.text_file(tmp_path, text, "securities.csv")
    fails(tmp_path, good(tmp_path), match, securities=listing)


def test_ingest_fundamentals__again_changes_nothing(tmp_path):
    store = files.panel_store(tmp_path, DATES, ["AAPL"])
    ingest_fundamentals(good(tmp_path), store)
    before = files.bytes_of(store)
    again = ingest_fundamentals(good(tmp_path), store)
    assert "2 of 2 records were in the store already" in again.notes
    assert files.bytes_of(store) == before


def test_ingest_fundamentals__in_parts_is_in_one_go(tmp_path):
    rows = [
        ("AAPL", "2012-12-31", 1.0, 1.0),
        ("MSFT", "2012-12-31", 5.0, 2.0),
        ("AAPL", "2013-06-30", 2.0, 3.0),
        ("MSFT", "2013-03-31", 6.0, np.nan),
    ]
    splits = {("AAPL", "2013-12-02"): 2.0, ("MSFT", "2013-03-04"): 3.0}
    whole, _ = ingest(tmp_path, rows, splits=splits)
    store = files.panel_store(tmp_path, DATES, ["AAPL", "MSFT"], splits=splits, name="parts.zarr")
    for i in (3, 0, 2, 1):
        source = files.csv_file(tmp_path, files.reports(rows[i]), "part.csv")
        ingest_fundamentals(source, store)
    parts = xf.open_panel(store).load().assign_coords(asset=["AAPL", "MSFT"])
    xr.testing.assert_equal(parts[sorted(parts)], whole[sorted(whole)])


def test_ingest_fundamentals__what_a_later_file_says_anew_is_known_when_it_arrived(tmp_path):
    store = files.panel_store(tmp_path, DATES, ["AAPL"])
    ingest_fundamentals(good(tmp_path), store)
    rows = [("AAPL", "2013-09-28", 120.0, 10.0), ("AAPL", "2013-12-31", 130.0, 10.0)]
    later = files.csv_file(tmp_path, files.reports(*rows), "later.csv")
    fails(tmp_path, later, "two values.*received=", store)
    ingest_fundamentals(later, store, received="2014-02-03")
    shown = xf.open_panel(store)["book_equity"].sel(asset=1)
    days = ["2014-01-31", "2014-02-03", "2014-03-28", "2014-04-01"]
    np.testing.assert_array_equal(shown.sel(date=days), [100, 120, 120, 130])


def test_ingest_fundamentals__makes_further_fields_by_rule(tmp_path):
    rows = [("AAPL", "2012-09-29", 80.0, 1.0), AAPL]
    panel, _ = ingest(tmp_path, rows, fields={"equity_growth": "yoy(book_equity)"})
    np.testing.assert_allclose(values(panel, "equity_growth", start="2013-12-27"), [0.25])
    assert panel["equity_growth"].sel(asset="AAPL", date="2013-12-26").isnull()


def test_ingest_fundamentals__refuses_another_rule_for_a_field_there(tmp_path):
    store = files.panel_store(tmp_path, DATES, ["AAPL"])
    ingest_fundamentals(good(tmp_path), store)
    fails(tmp_path, good(tmp_path), "in the store latest", store, max_age_days=100)
    fails(
        tmp_path, good(tmp_path), "not made of records", store, fields={"close": "age(book_equity)"}
    )
    fails(tmp_path, good(tmp_path), "no records of 'sales'", store, fields={"x": "ttm(sales)"})


def test_ingest_fundamentals__refuses_a_store_without_close(tmp_path):
    panel = xr.Dataset(
        {"returns": (("date", "asset"), np.zeros((2, 1)))}, {"date": DATES[:2], "asset": [1]}
    )
    store = xf.write_panel(panel, tmp_path / "no-close.zarr")
    fails(tmp_path, good(tmp_path), "no field 'close'", store)


def test_ingest_fundamentals__refuses_a_path_without_store(tmp_path):
    with pytest.raises(xf.PanelError, match="nothing is at"):
        ingest_fundamentals(good(tmp_path), tmp_path / "none.zarr")


def test_ingest_fundamentals__refuses_symbols_that_name_two_assets(tmp_path):
    store = files.panel_store(tmp_path, DATES, ["AAPL", "AAPL"])
    fails(tmp_path, good(tmp_path), "'AAPL' names several assets", store)


def test_ingest_fundamentals__rows_known_before_their_period_ended_are_rejected(tmp_path):
    rows = [(*AAPL, "2013-09-01"), ("MSFT", "2013-06-30", 1.0, 1.0, "2013-08-01")]
    panel, summary = ingest(tmp_path, rows, columns=("Filing Date",))
    assert summary.rejected["known before their period ended"] == 1
    assert panel["book_equity"].sel(asset="AAPL").isnull().all()
