"""The ingest of real vendor files, against what is known of them."""

import os
from pathlib import Path

import numpy as np
import pytest

import xfactor as xf
from xfactor.ingest import (
    check_sessions,
    ingest_fundamentals,
    ingest_prices,
    ingest_table,
    read_french,
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
