import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.identity import Symbols, spells_from_gaps, spells_from_table, write_symbols
from xfactor.ingest import ingest_records

DATES = pd.bdate_range("2012-01-02", "2014-12-31", name="date")
# S is Sprint until July 2013 and SentinelOne afterwards; FB becomes META and stays one asset.
SPELLS = pd.DataFrame(
    {
        "asset": [1, 2, 3, 3],
        "symbol": ["S", "S", "FB", "META"],
        "start": pd.to_datetime(["2012-01-02", "2014-03-03", "2012-05-18", "2014-06-09"]),
        "end": pd.to_datetime(["2013-07-10", "2014-12-31", "2014-06-08", "2014-12-31"]),
    }
)


@pytest.fixture
def store(tmp_path):
    values = np.arange(3 * len(DATES), dtype=float).reshape(len(DATES), 3)
    dims = ("date", "asset")
    panel = xr.Dataset(
        {"close": (dims, values), "adjusted_close": (dims, values / 2), "volume": (dims, values)},
        {"date": DATES, "asset": [1, 2, 3]},
    )
    path = xf.write_panel(panel, tmp_path / "panel.zarr")
    write_symbols(SPELLS, path)
    return path


def test_symbols__of_a_day_are_those_of_the_assets_that_had_them(store):
    assert xf.symbols(store, on="2013-07-10")["S"] == 1
    assert xf.symbols(store, on="2014-03-03")["S"] == 2
    assert xf.symbols(store)["S"] == 2
    assert xf.symbols(store)["FB"] == xf.symbols(store)["META"] == 3
    assert list(xf.symbols(store, on="2013-07-10")) == ["FB", "S"]
    assert xf.symbols(store)[["META", "S"]] == [3, 2]
    assert xf.symbols(store).history(3)["symbol"].tolist() == ["FB", "META"]


def test_symbols__of_an_open_panel_are_those_of_its_store(store):
    assert xf.symbols(xf.open_panel(store), on="2013-07-10")["S"] == 1


def test_symbols__without_a_history_are_the_coordinate_or_the_labels(store):
    panel = xr.Dataset(
        {"x": (("date", "asset"), np.zeros((1, 2)))}, {"date": DATES[:1], "asset": [7, 9]}
    )
    assert xf.symbols(panel)["9"] == 9
    named = panel.assign_coords(symbol=("asset", ["AA", "BB"]))
    assert dict(xf.symbols(named)) == {"AA": 7, "BB": 9}


@pytest.mark.parametrize(
    ("symbol", "on", "match"),
    [
        ("ZZ", None, "no asset has the symbol 'ZZ'"),
        ("S", "2013-12-02", "'S' on 2013-12-02.*known on other days"),
        ("S", "soon", "on='soon'"),
        (3, None, "no asset has the symbol 3"),
    ],
)
def test_symbols__refuse_in_one_line(store, symbol, on, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        xf.symbols(store, on=on)[symbol]
    assert "\n" not in str(caught.value)


def test_symbols__get_gives_the_default_as_any_mapping(store):
    found = xf.symbols(store)
    assert (found.get("META"), found.get("ZZ"), found.get("ZZ", 0)) == (found["META"], None, 0)


def test_get_pricing__an_end_that_is_a_year_means_symbols_as_of_its_last_day(store):
    year, day = (xf.get_pricing(store, "S", end=end) for end in ("2014", "2014-12-31"))
    pd.testing.assert_series_equal(year, day)


def test_get_pricing__of_a_field_of_the_market_is_refused(store):
    panel = xf.open_panel(store).assign(market_returns=("date", np.zeros(len(DATES))))
    with pytest.raises(xf.PanelError, match="market_returns has no asset dimension"):
        xf.get_pricing(panel, "S", fields="market_returns")


def test_write_symbols__appends_what_is_new_and_ends_a_spell(store):
    assert write_symbols(SPELLS, store) == 0
    later = SPELLS.assign(end=SPELLS["end"].where(SPELLS.index != 3, pd.Timestamp("2014-09-30")))
    later.loc[4] = [3, "MVRS", pd.Timestamp("2014-10-01"), pd.Timestamp("2014-12-31")]
    assert write_symbols(later, store) == 2
    assert xf.symbols(store, on="2014-09-30")["META"] == 3
    assert "META" not in xf.symbols(store, on="2014-10-01")
    assert xf.symbols(store)["MVRS"] == 3
    with pytest.raises(xf.PanelError, match="'S' is used twice on 2014-12-01"):
        write_symbols(
            SPELLS.iloc[[0]].assign(start=pd.Timestamp("2014-12-01"), end=DATES[-1]), store
        )
    with pytest.raises(xf.PanelError, match="asset 9 of 'S' is not in"):
        write_symbols(SPELLS.assign(asset=9), store)


# --- from tables and gaps -----------------------------------------------------------------------


def test_spells_from_table__numbers_companies_and_not_symbols():
    found = spells_from_table(
        ["S", "FB", "S", "META"],
        ["2012-01-02", "2012-05-18", "2014-03-03", "2014-06-09"],
        ["2013-07-10", "2014-06-08", None, None],
        ["sprint", "facebook", "sentinel", "facebook"],
    )
    assert found["symbol"].tolist() == ["S", "FB", "S", "META"]
    assert found["asset"].tolist() == [1, 2, 3, 2]
    given_ids = spells_from_table(["A", "B"], [None, None], [None, None], [10107, 14593])
    assert given_ids["asset"].tolist() == [10107, 14593]


@pytest.mark.parametrize(
    ("symbol", "start", "end", "match"),
    [
        (
            ["S", "S"],
            ["2012-01-02", "2013-01-02"],
            ["2013-01-02", None],
            "used twice on 2013-01-02",
        ),
        (["S", "T"], ["2012-01-02", "2013-01-02"], ["2011-01-02", None], "after the start"),
        (["S", None], ["2012-01-02", "2013-01-02"], [None, None], "has no symbol or no company"),
    ],
)
def test_spells_from_table__refuses_in_one_line(symbol, start, end, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        spells_from_table(symbol, start, end, ["a", "b"])
    assert "\n" not in str(caught.value)


ROWS = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 400)), min_size=1, max_size=40)


@given(rows=ROWS, gap=st.integers(1, 60))
def test_spells_from_gaps__cut_where_a_symbol_pauses(rows, gap):
    days = np.datetime64("2010-01-01") + np.array([d for _, d in rows])
    found = spells_from_gaps(np.array([s for s, _ in rows]), days, gap_days=gap)
    expected = []
    for symbol in "AB":
        own = sorted({d for s, d in rows if s == symbol})
        for i, day in enumerate(own):
            if i == 0 or day - own[i - 1] > gap:
                expected.append([symbol, day, day])
            expected[-1][2] = day
    expected.sort(key=lambda e: (e[1], e[0]))
    assert found["symbol"].tolist() == [e[0] for e in expected]
    start = (found["start"] - pd.Timestamp("2010-01-01")).dt.days
    end = (found["end"] - pd.Timestamp("2010-01-01")).dt.days
    assert list(zip(start, end, strict=True)) == [(e[1], e[2]) for e in expected]
    assert found["asset"].tolist() == list(range(1, len(expected) + 1))


@given(rows=ROWS, day=st.integers(0, 400))
def test_locate__finds_the_spell_of_the_day(rows, day):
    origin = np.datetime64("2010-01-01")
    spells = spells_from_gaps(
        np.array([s for s, _ in rows]), origin + np.array([d for _, d in rows]), gap_days=20
    )
    known = Symbols(*(spells[k].to_numpy() for k in ("asset", "symbol", "start", "end")))
    at = known.locate(np.array(["A", "B", None], object), np.repeat(origin + day, 3))
    for found, symbol in zip(at, ["A", "B", None], strict=True):
        own = spells[(spells["symbol"] == symbol) & (spells["start"] <= origin + day)]
        own = own[own["end"] >= origin + day]
        assert found == (own.index[0] if len(own) else -1)


def test_ingest_records__of_a_reused_symbol_go_to_the_asset_that_had_it(store):
    rows = pd.DataFrame(
        {
            "asset": ["S", "S", "S"], "item": "x", "value": [1.0, 2.0, 3.0],
            "period_end": pd.to_datetime(["2012-12-31", "2013-12-31", "2013-06-30"]),
            "known_at": pd.to_datetime(["2013-02-20", "2014-03-10", "2013-08-01"]),
        }
    )  # fmt: skip
    ingest_records(rows, store)
    last = xf.open_panel(store)["x"].sel(date="2014-04-01")
    # The third became known when nobody had the symbol: it belongs to the one of its period.
    np.testing.assert_array_equal(last, [3.0, 2.0, np.nan])


# --- prices -------------------------------------------------------------------------------------


def test_get_pricing__has_the_lecture_s_shapes(store):
    one = xf.get_pricing(store, "META", fields="price", start="2014-01-01", end="2014-01-31")
    assert isinstance(one, pd.Series)
    assert one.index[0] == pd.Timestamp("2014-01-01")
    panel = xf.open_panel(store)
    np.testing.assert_array_equal(one, panel["adjusted_close"].sel(asset=3, date="2014-01"))
    many = xf.get_pricing(panel, ["META", "S"], start="2014-04", end="2014-04")
    assert many.columns.tolist() == ["META", "S"]
    assert len(many.pct_change()[1:]) == len(panel.sel(date="2014-04").date) - 1
    np.testing.assert_array_equal(many["S"], panel["adjusted_close"].sel(asset=2, date="2014-04"))
    both = xf.get_pricing(store, "META", fields=["close_price", "volume"])
    assert both.columns.tolist() == ["close_price", "volume"]
    cube = xf.get_pricing(store, ["META", "S"], fields=["price", "volume"])
    pd.testing.assert_frame_equal(cube["price"], xf.get_pricing(store, ["META", "S"]))
    same = xf.get_pricing(store, "META", start_date="2014-1-1", end_date="2014-1-31")
    pd.testing.assert_series_equal(same, one)


def test_get_pricing__means_symbols_as_of_the_end_or_the_day_given(store):
    early = xf.get_pricing(store, "S", start="2012-06-01", end="2013-12-31")
    close = xf.open_panel(store)["adjusted_close"].sel(date=slice("2012-06-01", "2013-12-31"))
    np.testing.assert_array_equal(early, close.sel(asset=1))
    late = xf.get_pricing(store, "S", start="2012-06-01", end="2013-12-31", on="2014-04-01")
    np.testing.assert_array_equal(late, close.sel(asset=2))


@pytest.mark.parametrize(
    ("symbols", "options", "match"),
    [
        ("ZZ", {}, "no asset has the symbol 'ZZ'"),
        ("S", {"fields": "vwap"}, "no field 'vwap'"),
        ("S", {"start": "2020-01-01"}, "no date is in"),
        ("S", {"start": "soon"}, "start='soon'"),
        ("S", {"end": "2014", "end_date": "2015"}, "end='2014' and end_date='2015' were given"),
        ("S", {"end": pd.Timestamp("2014-01-02", tz="UTC")}, "end=.*without time zone"),
        ("S", {"fields": []}, r"fields=\[\]"),
        ("S", {"fields": None}, "fields=None"),
        ([], {}, r"symbols=\[\]"),
        (3, {}, "symbols=3"),
    ],
)
def test_get_pricing__refuses_in_one_line(store, symbols, options, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        xf.get_pricing(store, symbols, **options)
    assert "\n" not in str(caught.value)


def test_files__panel_store_has_symbols(tmp_path):
    path = files.panel_store(tmp_path, DATES[:3], ["AA", "BB"])
    assert xf.symbols(path)["BB"] == 2
