"""The ingest of real vendor files, against what is known of them."""

import os
from pathlib import Path

import numpy as np
import pytest

import xfactor as xf
from xfactor.ingest import (
    Tags,
    as_known,
    check_sessions,
    explain,
    french_sections,
    ingest_fundamentals,
    ingest_prices,
    ingest_records,
    ingest_table,
    read_french,
    read_sec,
)

DATA = Path(
    os.environ.get("XFACTOR_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(),
    reason=f"the real data is not at {DATA}; XFACTOR_DATA names the folder that holds it",
)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    store = tmp_path_factory.mktemp("real") / "sp500.zarr"
    prices = ingest_prices(
        DATA / "sp500_daily" / "prices.parquet", store, market=DATA / "sp500_daily" / "SPY.csv"
    )
    fundamentals = ingest_fundamentals(
        DATA / "nyse" / "fundamentals.csv.gz",
        store,
        securities=DATA / "nyse" / "securities.csv",
        columns={"total_assets": "Total Assets"},
    )
    panel = xf.open_panel(store).load()
    panel = panel.assign_coords(asset=[str(s) for s in panel["symbol"].values])
    return panel, prices, fundamentals


def test_real_data__counts_are_those_of_the_files(ingested):
    panel, prices, fundamentals = ingested
    assert dict(panel.sizes) == {"date": 2265, "asset": 494}
    assert (prices.rows_read, prices.rows_kept) == (1_058_267, 1_058_267)
    assert not any(prices.cleared.values())
    assert int(panel["listed"].sum()) == 1_058_267
    assert int(panel["listed"].isel(date=0).sum()) == 436
    assert int(panel["split"].where(panel["split"] != 1).count()) == 108
    assert fundamentals.rows_read == 1_781
    assert fundamentals.rejected["that repeat another symbol"] == 16
    outside = fundamentals.rejected["of symbols not in the store"]
    assert sum(fundamentals.rejected.values()) == 16 + outside  # every row could be read
    assert fundamentals.rows_kept == 1_781 - 16 - outside
    assert fundamentals.cleared["shares_outstanding not above 0"] == 4
    assert any("90 symbols are not in the store" in note for note in fundamentals.notes)


def test_real_data__returns_equal_those_of_close_split_and_dividend(ingested):
    panel, _, _ = ingested
    gross = panel["close"] * panel["split"] + panel["dividend"]
    difference = abs(gross / xf.lag(panel["close"]) - 1 - panel["returns"])
    assert np.quantile(difference.values[difference.notnull().values], 0.99) < 1e-10


def test_real_data__market_returns_are_those_of_the_market(ingested):
    panel, _, _ = ingested
    factors = read_french(DATA / "french" / "F-F_Research_Data_Factors_daily.CSV")
    factors = factors.sel(date=panel.date)  # every session of the panel is one of the library's
    market = factors["Mkt-RF"] + factors["RF"]
    assert np.corrcoef(panel["market_returns"][1:], market[1:])[0, 1] > 0.98
    assert np.corrcoef(panel["returns"].mean("asset")[1:], market[1:])[0, 1] > 0.98


def test_real_data__momentum_factor_is_read(ingested):
    mom = read_french(DATA / "french" / "F-F_Momentum_Factor_daily.CSV")["Mom"]
    assert mom.size == 25_298
    assert mom.sel(date="2022-12-30").item() == pytest.approx(-0.0026)


def test_real_data__market_cap_is_shares_times_unadjusted_close(ingested):
    panel, _, _ = ingested
    apple = panel.sel(asset="AAPL")
    day = apple.sel(date="2013-12-31")
    assert day["shares_outstanding"].item() == pytest.approx(925e6, rel=0.01)
    assert day["market_cap"].item() == pytest.approx(925e6 * 561.0, rel=0.01)


def test_real_data__a_split_does_not_change_the_market_cap(ingested):
    panel, _, _ = ingested
    apple = panel["market_cap"].sel(asset="AAPL", date=slice("2013-12-31", "2014-12-31"))
    assert float(apple.min()) > 4.4e11
    assert float(apple.max()) < 8e11
    # Mastercard's 10:1 and Gilead's 2:1 split came between a period's end and its report.
    assert 6e10 < panel["market_cap"].sel(asset="MA", date="2014-06-30").item() < 1.2e11
    assert 6e10 < panel["market_cap"].sel(asset="GILD", date="2013-06-28").item() < 1.2e11


def test_real_data__a_balance_sheet_under_two_symbols_counts_once(ingested):
    panel, _, _ = ingested
    # PG carries the reports of REGN in this file, by mistake of its maker.
    has = panel["book_equity"].notnull().any("date")
    for first, second in [("DISCA", "DISCK"), ("NWSA", "NWS"), ("REGN", "PG")]:
        assert has.sel(asset=first)
        assert not has.sel(asset=second)


def test_real_data__nothing_is_known_before_its_time(ingested):
    panel, _, _ = ingested
    age = panel["fundamentals_age"]
    assert float(age.min()) >= 90
    assert float(age.max()) <= 550
    for name in ("book_equity", "total_assets"):
        assert (panel[name].notnull() == age.notnull()).all()
    assert not panel["market_cap"].sel(date=slice(None, "2012-03-01")).notnull().any()


def test_real_data__book_to_price_is_within_reason(ingested):
    panel, _, _ = ingested
    ratio = panel["book_to_price"].sel(date=slice("2013-04-01", "2016-12-30"))
    known = ratio.values[ratio.notnull().values]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    assert 0.12 < low < 0.25 < middle < 0.40 < high < 0.60
    assert known.min() > 0


def test_real_data__sectors_are_the_eleven_of_the_list(ingested):
    panel, _, _ = ingested
    sector = panel["sector"]
    words = sector.attrs["flag_meanings"].split()
    assert len(words) == 11
    assert words[int(sector.sel(asset="XOM")[0])] == "Energy"
    assert int(sector.sel(asset="BKNG")[0]) == -1  # in the list of 2016 under another symbol


# --- records ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def at_period_end(tmp_path_factory):
    """Reports known on the day their period ended: what the data's description counts."""
    store = tmp_path_factory.mktemp("real-end") / "sp500.zarr"
    ingest_prices(DATA / "sp500_daily" / "prices.parquet", store)
    ingest_fundamentals(DATA / "nyse" / "fundamentals.csv.gz", store, lag_days=0, max_age_days=10)
    panel = xf.open_panel(store)[["book_equity", "market_cap", "fundamentals_age"]].load()
    age = panel["fundamentals_age"]
    first = age.notnull() & ~age.shift(date=1).notnull()
    return panel.where(first).assign_coords(asset=panel["symbol"].values.astype(str))


def test_real_data__book_to_market_at_period_end_is_that_of_the_description(at_period_end):
    ratio = (at_period_end["book_equity"] / at_period_end["market_cap"]).values
    ratio = ratio[np.isfinite(ratio)]
    assert 1_200 <= ratio.size <= 1_237  # less the second share classes
    found = np.quantile(ratio, [0.01, 0.25, 0.5, 0.75, 0.99, 1.0])
    np.testing.assert_allclose(found, [-0.10, 0.17, 0.31, 0.50, 1.34, 4.74], atol=0.011)
    cap = at_period_end["market_cap"]
    assert float(cap.median()) == pytest.approx(18.0e9, rel=0.01)
    known = {("AAPL", "2013"): 4.47, ("XOM", "2012"): 4.00, ("MSFT", "2013"): 2.89}
    for (symbol, year), expected in known.items():
        own = cap.sel(asset=symbol, date=year).dropna("date")
        # At the close of the first session on or after the end; the description takes the last
        # before it where it is no session (Apple's 28 September 2013).
        assert float(own[0]) / 1e11 == pytest.approx(expected, abs=0.07)


@pytest.fixture(scope="module")
def filed(tmp_path_factory):
    """Filings of two quarters, ingested one zip after the other, the later one first."""
    store = tmp_path_factory.mktemp("real-sec") / "sp500.zarr"
    ingest_prices(DATA / "sp500_daily" / "prices.parquet", store)
    fields = {
        "earnings": "latest(net_income)",
        "assets": "latest(total_assets)",
        "growth": "yoy(net_income)",
        "flow": "latest(operating_cash_flow)",
    }
    securities = DATA / "nyse" / "securities.csv"
    for quarter in ("2010q2", "2009q3"):
        records = read_sec(DATA / "sec_fsds" / f"{quarter}.zip")
        ingest_records(records, store, fields=fields, securities=securities)
    return store


def test_real_data__numbers_of_the_filings_are_counted_as_described():
    tags = {
        "assets": "Assets",
        "equity": "StockholdersEquity",
        "income": "NetIncomeLoss",
        "shares": "CommonStockSharesOutstanding",
    }
    units = ("USD", "shares", "CAD", "JPY", "KRW", "BRL")
    items = {name: Tags((tag,), units) for name, tag in tags.items()}
    for quarter, rows, counts in (
        ("2009q3", 126_650, (426, 352, 359, 157)),
        ("2010q2", 136_044, (508, 432, 444, 213)),
    ):
        records = read_sec(DATA / "sec_fsds" / f"{quarter}.zip", items=items)
        assert records.attrs["rows_read"] == rows
        assert not set(records.attrs["rejected"]) - {"without a value"}
        found = records.groupby("item")["filing"].nunique()
        np.testing.assert_allclose(found[["assets", "equity", "income", "shares"]], counts, atol=2)


def test_real_data__filings_show_what_was_filed_from_the_session_after(filed):
    panel = xf.open_panel(filed)
    apple = panel.sel(asset=xf.symbols(panel)["AAPL"]).load()
    # The 10-Q of the quarter to March 2010 came on 21 April 2010: net income of $3,074 million.
    found = explain(filed, "AAPL", "earnings", "2010-06-01")
    known = found.records.loc[found.records["role"] == "used", "known_at"].iloc[0]
    assert known.floor("D") == np.datetime64("2010-04-21")
    assert apple["earnings"].sel(date="2010-06-01").item() == 3_074e6
    assert apple["earnings"].sel(date="2010-04-20").item() != 3_074e6
    assert apple["growth"].sel(date="2010-06-01").item() == pytest.approx(3_074 / 1_620 - 1)


def test_real_data__no_filing_shows_before_it_was_accepted(filed):
    panel = xf.open_panel(filed)
    first = read_sec(DATA / "sec_fsds" / "2009q3.zip")["known_at"].min()
    early = panel.sel(date=slice(None, str(first - np.timedelta64(1, "D"))))
    for name in ("earnings", "assets", "growth", "flow"):
        assert not early[name].notnull().any()
    assert int(panel["assets"].sel(date="2010-06-30").notnull().sum()) > 200
    then = as_known(filed, on="2009-12-31")["assets"].sel(date="2010-06-30")
    now = panel["assets"].sel(date="2010-06-30")
    assert int((then != now).sum()) > 200


def test_real_data__all_sections_of_the_portfolio_files_are_read():
    for name, rows, columns in (("25_Portfolios_5x5", 10, 25), ("10_Industry_Portfolios", 8, 10)):
        path = DATA / "french" / f"{name}.CSV"
        assert len(french_sections(path)) == rows
        for i in range(rows):
            section = read_french(path, i)
            assert len(section.data_vars) == columns
    industries = read_french(path, "value weighted returns", frequency="monthly")
    assert industries.sizes["date"] == 1167
    assert industries["Hlth"].sel(date="2023-09-30").item() == pytest.approx(-0.0471)


def test_real_data__monthly_portfolios_are_the_daily_ones_compounded():
    folder, title = DATA / "french", "value weighted returns"
    monthly = read_french(folder / "10_Industry_Portfolios.CSV", title, frequency="monthly")
    daily = read_french(folder / "10_Industry_Portfolios_Daily.trimmed.csv.gz")
    for name in ("NoDur", "HiTec", "Hlth"):
        whole = (1 + daily[name].sel(date=slice("2010", "2019"))).resample(date="ME").prod() - 1
        both = monthly[name].sel(date=whole.date)
        # Of two vintages of the library, which restates history.
        assert float(abs(both - whole).median()) < 1e-3
        assert np.corrcoef(both, whole)[0, 1] > 0.99


def test_real_data__sessions_are_those_of_the_exchange(ingested):
    panel, _, _ = ingested
    pytest.importorskip("exchange_calendars")
    found = check_sessions(panel.indexes["date"], "XNYS")
    assert (len(found.missing), len(found.extra)) == (0, 0)


def test_real_data__the_five_year_set_has_the_gaps_that_its_description_counts(tmp_path):
    source = DATA / "sp500_5yr" / "prices.parquet"
    summary = ingest_prices(source, tmp_path / "panel.zarr")
    assert (summary.rows_read, summary.rows_kept) == (606_801, 606_801)
    assert (summary.dates, summary.assets) == (1_258, 503)
    empty = {c.name: c.empty for c in summary.counts}
    assert empty == {"open": 384, "high": 208, "low": 227, "close": 0, "volume": 406}
    assert not any(summary.cleared.values())
    panel = xf.open_panel(tmp_path / "panel.zarr")
    complete = panel["close"].notnull().sum("date").values == 1_258
    assert int(complete.sum()) == 447
    assert set(summary.years) == set(range(2012, 2018))


def test_real_data__the_nyse_excerpt_agrees_with_the_daily_prices(tmp_path, ingested):
    panel, _, _ = ingested
    source = DATA / "nyse" / "prices-split-adjusted.excerpt.csv"
    summary = ingest_table(source, tmp_path / "panel.zarr", schema={"fields": {"close": {}}})
    assert (summary.rows_read, summary.rows_kept) == (7_048, 7_048)
    assert (summary.dates, summary.assets) == (1_762, 4)
    excerpt = xf.open_panel(tmp_path / "panel.zarr").load()
    assert summary.span == ("2010-01-04", "2016-12-30")
    symbols = [str(s) for s in excerpt.symbol.values]
    assert sorted(symbols) == ["AAL", "DOW", "EQIX", "ZION"]
    known = excerpt.assign_coords(asset=symbols)["close"].drop_sel(asset="DOW")
    same = panel["close"].sel(date=known.date, asset=known.asset)
    assert float(abs(known / same - 1).max()) < 4e-4
