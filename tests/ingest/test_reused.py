"""A ticker that another company takes over is another asset, and symbols are those of a day."""

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from tests.ingest import files
from xfactor.identity import spells_from_gaps
from xfactor.identity.lookup import history_table
from xfactor.ingest import ingest_prices

NAN = np.nan


def rows(symbol, start, end, price=10.0, **columns):
    days = pd.bdate_range(start, end)
    return pd.DataFrame({"date": days, "symbol": symbol, "close": price, **columns})


# Sprint until July 2013, SentinelOne years later; A is there all the time, B pauses for a quarter.
TABLE = pd.concat(
    [rows("S", "2013-05-01", "2013-07-10", 7.0), rows("S", "2021-06-30", "2021-08-31", 42.0),
     rows("A", "2013-05-01", "2021-08-31"), rows("B", "2014-01-01", "2014-03-31"),
     rows("B", "2014-07-01", "2014-09-30")]
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("reused") / "p.zarr"
    ingest_prices(TABLE.sample(frac=1.0, random_state=1), path)
    return path


def test_reused__is_another_asset_by_default(store):
    panel = xf.open_panel(store).load()
    assert panel.symbol.values.tolist() == ["A", "S", "B", "S"]
    assert panel.asset.values.tolist() == [1, 2, 3, 4]
    close = panel["close"].sel(date="2013-07-10")
    np.testing.assert_array_equal(close, [10.0, 7.0, NAN, NAN])
    listed = panel["listed"].sel(date="2015-01-05")
    assert listed.values.tolist() == [True, False, False, False]
    assert np.isnan(panel["returns"].sel(date="2021-06-30", asset=4))
    assert (panel.attrs["ids"], panel.attrs["gap_days"]) == ("numbered", 400)


def test_reused__symbols_and_prices_are_those_of_the_day(store):
    panel = xf.open_panel(store)
    assert xf.symbols(panel)["S"] == 4
    assert xf.symbols(panel, on="2013-06-03")["S"] == 2
    assert xf.symbols(panel, on="2021-07-01")["S"] == 4
    assert "S" not in xf.symbols(panel, on="2017-01-02")
    assert xf.symbols(panel)[["A", "B"]] == [1, 3]
    early = xf.get_pricing(panel, ["S", "A"], end="2013-07-10")
    assert early["S"].tolist() == [7.0] * len(early)
    late = xf.get_pricing(panel, "S", start="2021-07-01", end="2021-07-30")
    assert set(late) == {42.0}


@pytest.mark.parametrize("gap", [0, 60, 5000])
def test_reused__gap_days_is_the_reader_s_choice(tmp_path, gap):
    summary = ingest_prices(TABLE, tmp_path / "p.zarr", gap_days=gap)
    symbols = xf.open_panel(tmp_path / "p.zarr").symbol.values.tolist()
    assert symbols == (["A", "S", "B", "B", "S"] if gap == 60 else ["A", "S", "B"])
    said = "2 assets have the symbol of another, after a gap of more than 60 days: B, S"
    assert (said in summary.notes) == (gap == 60)
    assert (history_table(tmp_path / "p.zarr") is None) == (gap != 60)


@pytest.mark.parametrize("seed", range(6))
def test_reused__assets_are_those_of_spells_from_gaps(tmp_path, seed):
    rng = np.random.default_rng(seed)
    cells = rng.choice(4 * 300, 40, replace=False)
    table = pd.DataFrame({
        "date": np.datetime64("2020-01-01") + cells // 4,
        "symbol": np.array(list("ABCD"))[cells % 4], "close": 1.0 + np.arange(40),
    })  # fmt: skip
    ingest_prices(table, tmp_path / "p.zarr", gap_days=20)
    panel = xf.open_panel(tmp_path / "p.zarr").load()
    spells = spells_from_gaps(table["symbol"].to_numpy(), table["date"].to_numpy(), gap_days=20)
    assert panel.asset.values.tolist() == spells["asset"].tolist()
    assert panel.symbol.values.tolist() == spells["symbol"].tolist()
    for spell in spells.itertuples():
        own = table[
            (table["symbol"] == spell.symbol) & table["date"].between(spell.start, spell.end)
        ]
        own = own.set_index("date")["close"].sort_index()
        got = panel["close"].sel(asset=spell.asset).to_series().dropna()
        pd.testing.assert_series_equal(got, own, check_names=False, check_freq=False,
                                       check_index_type=False)  # fmt: skip
        assert xf.symbols(panel, on=spell.end)[spell.symbol] == spell.asset


SPELLS = {
    "ticker": ["FB", "META", "S", "S"], "permno": [13407, 13407, 50001, 90002],
    "namedt": ["2012-05-18", "2022-06-09", "", "2021-06-30"],
    "nameendt": ["2022-06-08", "", "2013-07-10", ""],
}  # fmt: skip
MOVED = pd.concat([rows("FB", "2022-06-01", "2022-06-08"), rows("META", "2022-06-09", "2022-06-15"),
                   rows("S", "2022-06-01", "2022-06-15", 42.0)])  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "frame"])
def test_symbols_table__gives_the_assets_and_their_history(tmp_path, form):
    table = pd.DataFrame(SPELLS)
    source = files.csv_file(tmp_path, SPELLS, "symbols.csv") if form == "csv" else table
    more = pd.concat([MOVED, rows("ZZ", "2022-06-01", "2022-06-02")])
    summary = ingest_prices(more, tmp_path / "p.zarr", symbols=source)
    assert summary.rejected["of a symbol that no asset has then"] == 2
    panel = xf.open_panel(tmp_path / "p.zarr").load()
    assert panel.asset.values.tolist() == [13407, 90002]
    assert panel.symbol.values.tolist() == ["META", "S"]
    assert panel["close"].notnull().all()
    np.testing.assert_array_equal(panel["returns"][1:], np.zeros((10, 2)))
    assert xf.symbols(panel, on="2022-06-08")["FB"] == 13407
    assert xf.symbols(panel)["META"] == 13407
    assert xf.symbols(panel).history(13407)["symbol"].tolist() == ["FB", "META"]
    assert xf.get_pricing(panel, ["FB", "S"], end="2022-06-08").shape == (6, 2)


def test_symbols_table__of_an_append_is_the_stores_own_history(tmp_path):
    ingest_prices(MOVED, tmp_path / "p.zarr", symbols=pd.DataFrame(SPELLS))
    summary = ingest_prices(rows("META", "2022-06-16", "2022-06-17"), tmp_path / "p.zarr",
                            append=True)  # fmt: skip
    assert summary.rows_kept == 2
    assert xf.open_panel(tmp_path / "p.zarr").sizes == {"date": 13, "asset": 2}


def test_ids_given__symbols_of_the_rows_are_the_history(tmp_path):
    table = MOVED.assign(permno=MOVED["symbol"].map({"FB": 13407, "META": 13407, "S": 9}))
    ingest_prices(table, tmp_path / "p.zarr", ids="given")
    panel = xf.open_panel(tmp_path / "p.zarr")
    assert panel.asset.values.tolist() == [9, 13407]
    assert panel.symbol.values.tolist() == ["S", "META"]
    assert xf.symbols(panel, on="2022-06-08")["FB"] == 13407
    assert "FB" not in xf.symbols(panel, on="2022-06-09")
    assert xf.symbols(panel)["META"] == 13407


def test_ids_given__a_symbol_of_two_share_classes_is_noted(tmp_path):
    table = pd.concat([rows("BRK", "2022-06-01", "2022-06-08", permno=n) for n in (1, 2)])
    summary = ingest_prices(table, tmp_path / "p.zarr", ids="given")
    assert "symbols of several assets at once: BRK" in summary.notes


def test_delisting__of_a_reused_symbol_goes_to_the_asset_that_had_it(tmp_path):
    gone = pd.DataFrame({"symbol": ["S"], "dlret": [-0.9], "date": ["2013-07-11"]})
    ingest_prices(TABLE, tmp_path / "p.zarr", delisting=gone)
    panel = xf.open_panel(tmp_path / "p.zarr").load()
    assert panel["returns"].sel(asset=2, date="2013-07-11") == -0.9
    with pytest.raises(xf.PanelError, match="no date for 'S', which is the symbol of several"):
        ingest_prices(TABLE, tmp_path / "q.zarr", delisting=gone.drop(columns="date"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"gap_days": -1}, "gap_days=-1"),
        ({"gap_days": "long"}, "gap_days='long'"),
        ({"ids": "mine"}, "'mine'"),
        ({"ids": "given"}, "names no asset"),
        ({"ids": "given", "gap_days": 3}, "ids='given' and gap_days=3"),
        ({"symbols": pd.DataFrame(SPELLS), "gap_days": 3}, "symbols and gap_days=3"),
        ({"symbols": pd.DataFrame(SPELLS), "ids": "given"}, "symbols and ids='given'"),
        ({"symbols": pd.DataFrame(SPELLS).drop(columns="permno")}, "no column for 'id'"),
        ({"symbols": pd.DataFrame(SPELLS).assign(namedt="soon")}, "holds 'soon'"),
        ({"symbols": pd.DataFrame(SPELLS).assign(namedt="")}, "'S' is used twice"),
        ({"symbols": pd.DataFrame(SPELLS)[:0]}, "symbols= has no rows"),
        ({"symbols": 3}, "source holds 3"),
        ({"columns": {"symbol": "symbol"}}, "columns names 'symbol'"),
    ],
)
def test_identity_options__are_refused_in_one_line(tmp_path, options, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest_prices(MOVED, tmp_path / "p.zarr", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "p.zarr").exists()


# --- what a file looks like ---------------------------------------------------------------------

TEXT = "date,ticker,close\n2013-01-02,A,1.5\n2013-01-03,A,3\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv__delimiter_and_encoding_show_in_the_file(tmp_path, encoding, delimiter):
    (tmp_path / "t.csv").write_bytes(TEXT.replace(",", delimiter).encode(encoding))
    ingest_prices(tmp_path / "t.csv", tmp_path / "p.zarr")
    np.testing.assert_array_equal(xf.open_panel(tmp_path / "p.zarr")["close"], [[1.5], [3.0]])


def test_csv__decimal_commas_are_named(tmp_path):
    (tmp_path / "t.csv").write_text(TEXT.replace(",", ";").replace(".", ","))
    with pytest.raises(xf.PanelError, match=r"'close'.*holds '1,5' in row 1.*with a point"):
        ingest_prices(tmp_path / "t.csv", tmp_path / "p.zarr")


def test_rejects__in_a_folder_that_is_not_there_are_refused_at_once(tmp_path):
    with pytest.raises(xf.PanelError, match="Make the folder"):
        ingest_prices(MOVED, tmp_path / "p.zarr", rejects=tmp_path / "new" / "rejects.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [None, 3, [1]])
def test_arguments__of_another_kind_get_one_line(tmp_path, given):
    for call in (
        lambda: xf.symbols(given),
        lambda: xf.get_pricing(given, "A"),
        lambda: ingest_prices(MOVED, given),
        lambda: xf.ingest.ingest_table(MOVED, given),
        lambda: ingest_prices(given, tmp_path / "p.zarr"),
    ):
        with pytest.raises(xf.PanelError) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_market__a_split_or_dividend_without_a_close_goes_to_the_next_close(tmp_path):
    days = [f"2022-06-0{d}" for d in (1, 2, 3, 6)]
    market = {"date": days, "close": [10.0, NAN, 6.0, 6.0], "split": [1, 2, 1, 1],
              "dividend": [0, 1.0, 0.5, 0]}  # fmt: skip
    table = rows("A", "2022-06-01", "2022-06-06").drop(index=1)
    ingest_prices(table, tmp_path / "p.zarr", market=files.csv_file(tmp_path, market))
    # A share of 10 is paid 1, becomes two, which are paid 0.5 each and stand at 6.
    found = xf.open_panel(tmp_path / "p.zarr")["market_returns"]
    np.testing.assert_allclose(found, [NAN, 0.4, 0.0], atol=1e-12)
