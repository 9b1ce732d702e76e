import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_records

DATES = pd.bdate_range("2013-01-01", "2014-12-31", name="date")
GOOD = {
    "asset": "A",
    "item": "x",
    "period_end": "2012-12-31",
    "known_at": "2013-02-20",
    "value": 1.0,
}


def rows(*changes) -> pd.DataFrame:
    return pd.DataFrame([GOOD | c for c in changes])


@pytest.fixture
def store(tmp_path):
    return files.panel_store(tmp_path, DATES, ["A", "B"])


def shown(store, day="2013-06-03", field="x"):
    return xf.open_panel(store)[field].sel(date=day).values.tolist()


@pytest.mark.parametrize("form", ["frame", "csv", "parquet"])
def test_ingest_records__reads_frames_and_files_by_usual_names(tmp_path, store, form):
    frame = rows({}, {"asset": "B", "value": 2.0, "item": "y"})
    renamed = frame.rename(columns={"asset": "ticker", "known_at": "filing date"})
    source = frame
    if form == "csv":
        source = files.csv_file(tmp_path, renamed)
    elif form == "parquet":
        source = files.parquet_file(tmp_path, renamed.to_dict("list"))
    summary = ingest_records(source, store)
    np.testing.assert_equal(shown(store), [1.0, np.nan])
    np.testing.assert_equal(shown(store, field="y"), [np.nan, 2.0])
    assert (summary.rows_read, summary.rows_kept) == (2, 2)
    assert set(summary.fields) == {"x", "y"}
    assert xf.open_panel(store)["x"].attrs["rule"] == "latest(x)"


def test_ingest_records__takes_labels_and_companies_for_assets(tmp_path, store):
    ingest_records(rows({}).assign(asset_id=2).drop(columns="asset"), store)
    np.testing.assert_equal(shown(store), [np.nan, 1.0])
    listing = files.text_file(tmp_path, "Symbol,CIK\nB,0000000011\nA,22\n", "securities.csv")
    by_cik = rows({"cik": 22}, {"cik": 99}).drop(columns="asset")
    summary = ingest_records(by_cik, store, securities=listing)
    assert shown(store) == [1.0, 1.0]
    assert summary.rejected["of assets not in the store"] == 1


@pytest.mark.parametrize(
    "known",
    [[20130603, 20130604], [20130603.0, 20130604.0], ["2013-06-03", "2013-06-03 22:00"],
     ["3/6/2013", "4/06/2013"], [pd.Timestamp("2013-06-03"), pd.Timestamp("2013-06-04")]],
)  # fmt: skip
def test_ingest_records__reads_dates_of_a_frame_as_those_of_a_file(store, known):
    # The third row says that the day stands first.
    frame = rows({"value": 1.0}, {"value": 2.0}).assign(known_at=known, period_end=20130331)
    if known[0] == "3/6/2013":
        frame = pd.concat([frame, rows({"asset": "B", "known_at": "28/06/2013"})])
        frame["period_end"] = 20130331
    assert ingest_records(frame, store).rows_kept == len(frame)
    days = pd.DatetimeIndex(["2013-05-31", "2013-06-03", "2013-06-04"])
    seen = xf.open_panel(store)["x"].sel(date=days).isel(asset=0)
    np.testing.assert_equal(seen.values, [np.nan, 1.0, 2.0])


def test_ingest_records__an_asset_id_that_is_no_whole_number_is_nobodys(store):
    ids = rows({}, {"value": 2.0}).drop(columns="asset").assign(asset_id=[1.0, 2.9])
    assert ingest_records(ids, store).rejected["of assets not in the store"] == 1
    np.testing.assert_equal(shown(store), [1.0, np.nan])


def test_ingest_records__counts_what_it_leaves_out_by_its_first_reason(store):
    bad = [
        {"asset": None}, {"item": None, "asset": None}, {"value": np.nan}, {"value": np.inf},
        {"quarters": 7}, {"known_at": "2012-12-30"}, {"known_at": None},
        {"item": "shares_outstanding", "value": 0.0}, {"asset": "ZZZ"},
    ]  # fmt: skip
    frame = rows({}, *bad)
    frame["quarters"] = frame["quarters"].fillna(0)
    summary = ingest_records(frame, store)
    assert summary.rows_kept == 1
    assert {k: n for k, n in summary.rejected.items() if n} == {
        "without an asset": 2,
        "without a value": 1,
        "with an infinite value": 1,
        "of no 0 to 4 quarters": 1,
        "known before their period ended": 1,
        "without a date": 1,
        "of shares not above 0": 1,
        "of assets not in the store": 1,
    }


def test_ingest_records__without_times_of_publication_takes_the_lag(store):
    frame = rows({}).drop(columns="known_at")
    summary = ingest_records(frame, store, lag_days=45)
    np.testing.assert_equal(shown(store, "2013-02-13")[0], np.nan)
    assert shown(store, "2013-02-14")[0] == 1.0
    assert any("some days after" in note for note in summary.notes)


def test_ingest_records__a_record_again_is_left_out_and_new_fields_are_made_of_old_ones(store):
    ingest_records(rows({}), store)
    summary = ingest_records(rows({}, {}), store, fields={"mean": "last_n(x, 1)"})
    assert "2 of 2 records were in the store already" in summary.notes
    assert shown(store, field="mean")[0] == 1.0
    assert list(summary.fields) == ["mean"]


def test_ingest_records__share_counts_are_carried_by_splits_unless_asked_otherwise(tmp_path):
    store = files.panel_store(tmp_path, DATES, ["A"], splits={("A", "2013-04-01"): 4.0})
    ingest_records(rows({"item": "shares_outstanding", "value": 2.0}), store)
    assert shown(store, "2013-03-28", "market_cap") == [20.0]
    assert shown(store, "2013-04-01", "market_cap") == [80.0]


BAD = [
    (rows({}).drop(columns="value"), {}, "no column for 'value'"),
    (rows({}).drop(columns="asset"), {}, "no column for 'asset'"),
    (rows({"value": "many"}), {}, "1 no number; the first is row 1 of .*'value' 'many'"),
    (rows({"period_end": "soon"}), {}, "1 without a date; .*'period_end' 'soon'"),
    (rows({"period_end": "2012"}), {}, "1 without a date; .*'period_end' '2012'"),
    (rows({"period_end": 2012.5}), {}, "'period_end' of the DataFrame has the type double"),
    (rows({"known_at": "03/04/2013"}), {}, "month/day or day/month"),
    (rows({"known_at": "2013-02-20T22:00Z"}), {}, "time zone"),
    (rows({}).assign(known_at=[[1]]), {}, "'known_at' of the DataFrame has the type list"),
    (rows({"asset": "ZZZ"}), {}, r"none of the assets of the records \(ZZZ\)"),
    (rows({"item": "net income"}), {}, "1 of an item that is no word; .*'net income'"),
    (rows({}, {"value": 2.0}), {}, "has two values known at 2013-02-20"),
    (rows({}), {"fields": {"f": "mean(x)"}}, "cannot be read"),
    (rows({}), {"fields": {"f": "ttm(y)"}}, "no records of 'y'"),
    (rows({}), {"fields": {"close": "ttm(x)"}}, "already has close"),
    (rows({}), {"max_age_days": 0}, "max_age_days"),
    (rows({}), {"received": "soon"}, "received='soon'"),
    (rows({}), {"lag_days": -1}, "lag_days"),
]


@pytest.mark.parametrize(("frame", "options", "match"), BAD)
def test_ingest_records__refuses_in_one_line_and_leaves_the_store(store, frame, options, match):
    before = files.bytes_of(store)
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest_records(frame, store, **options)
    assert "\n" not in str(caught.value)
    assert files.bytes_of(store) == before
