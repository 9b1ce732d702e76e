import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files, oracles
from tests.ingest.test_records import HISTORIES
from xfactor.ingest import as_known, explain, ingest_records

DATES = pd.date_range("2013-01-01", periods=40, freq="23D", name="date")
SYMBOLS = ["A", "B", "C"]
RULES = {
    "x": "latest(x)", "year": "annual(x)", "sum": "ttm(x)", "grown": "yoy(x)",
    "mean": "last_n(x, 3)", "days": "age(x)",
}  # fmt: skip


def frame_of(rows) -> pd.DataFrame:
    names = {"end": "period_end"}
    columns = ["asset", "end", "quarters", "known_at", "value"]
    frame = pd.DataFrame(rows, columns=columns).rename(columns=names)
    filing = [f"{r['asset']}-{i}" for i, r in enumerate(rows)]
    asset = [SYMBOLS[a] for a in frame["asset"]]
    return frame.assign(item="x", asset=asset, filing=filing).astype(
        {"period_end": "datetime64[ns]"}
    )


def store_of(folder, rows, name="panel.zarr", parts=1):
    store = files.panel_store(folder, DATES, SYMBOLS, name=name)
    frame = frame_of(rows)
    for i in range(parts):
        part = frame.iloc[i::parts]
        if len(part):
            ingest_records(part, store, fields=RULES, max_age_days=400)
    return store


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return iter(lambda: tmp_path_factory.mktemp("explain"), None)


NOT_EMPTY = HISTORIES.filter(bool)
# Every example writes a store: shrinking one would take longer than reading it.
SOME = settings(max_examples=6, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@SOME
@given(rows=NOT_EMPTY, parts=st.integers(2, 4), order=st.randoms(use_true_random=False))
def test_ingest_records__in_any_parts_and_order_is_in_one_go(folders, rows, parts, order):
    folder = next(folders)
    whole = xf.open_panel(store_of(folder, rows)).load()
    order.shuffle(rows)
    split = xf.open_panel(store_of(folder, rows, "parts.zarr", parts)).load()
    xr.testing.assert_equal(whole[sorted(whole)], split[sorted(split)])
    for name, rule in (("x", "latest"), ("sum", "ttm"), ("mean", "last_n")):
        expected = oracles.field(rows, DATES, range(3), rule, 400, n=3)
        np.testing.assert_allclose(split[name], expected, rtol=1e-12, atol=1e-12)


@SOME
@given(rows=NOT_EMPTY, cell=st.tuples(st.integers(0, len(DATES) - 1), st.integers(0, 2)))
def test_explain__names_the_records_that_give_the_number(folders, rows, cell):
    store = store_of(next(folders), rows)
    stored = xf.open_panel(store).load()
    day, symbol = DATES[cell[0]], SYMBOLS[cell[1]]
    for field in ("x", "sum", "mean", "year"):
        found = explain(store, symbol, field, day)
        shown = stored[field].isel(asset=cell[1]).sel(date=day).item()
        np.testing.assert_equal(found.value, shown)
        assert (found.records["known_at"][found.records["role"] != "not yet known"] <= day).all()
        if not np.isnan(shown):
            total = (found.records["value"] * found.records["weight"]).sum()
            expected = {"mean": total / 3}.get(field, total)
            np.testing.assert_allclose(shown, expected, atol=1e-12)
        if found.until is not None:
            assert found.until > day
            assert (
                explain(store, symbol, field, found.until).records["role"] != found.records["role"]
            ).any()


@SOME
@given(rows=NOT_EMPTY, today=st.integers(0, len(DATES) - 1))
def test_as_known__is_the_panel_of_the_records_known_then(folders, rows, today):
    folder, day = next(folders), DATES[today]
    store = store_of(folder, rows)
    now, then = xf.open_panel(store).load(), as_known(store, on=day)
    assert then["x"].chunks is not None
    until = slice(None, day)
    xr.testing.assert_equal(
        then.sel(date=until).load().drop_attrs(), now.sel(date=until).drop_attrs()
    )
    known = [r for r in rows if r["known_at"] <= day]
    expected = oracles.field(known, DATES, range(3), "ttm", 400)
    np.testing.assert_allclose(then["sum"], expected, atol=1e-12)


ROWS = [
    ("A", "book_equity", "2012-12-31", "2013-02-20", 5.0, "10-K"),
    ("A", "book_equity", "2012-12-31", "2013-06-03", 6.0, "10-K/A"),
    ("A", "book_equity", "2013-12-31", "2014-02-20", 7.0, "10-K"),
    ("A", "shares_outstanding", "2012-12-31", "2013-02-20", 2.0, "10-K"),
]
NAMES = ["asset", "item", "period_end", "known_at", "value", "filing"]
DAILY = pd.bdate_range("2013-01-01", "2014-12-31", name="date")


@pytest.fixture
def store(tmp_path):
    path = files.panel_store(tmp_path, DAILY, ["A", "B"], splits={("A", "2013-10-01"): 4.0})
    rules = {"book_equity": "book_equity", "shares_outstanding": "carried(shares_outstanding)"}
    ingest_records(pd.DataFrame(ROWS, columns=NAMES), path, fields=rules)
    return path


def test_explain__tells_what_replaced_a_record(store):
    found = explain(store, "A", "book_equity", "2013-06-02")  # a Sunday
    assert found.date == pd.Timestamp("2013-05-31")
    assert found.value == 5.0
    assert found.until == pd.Timestamp("2013-06-03")
    assert found.records["role"].tolist() == ["used", "not yet known", "not yet known"]
    later = explain(store, 1, "book_equity", "2013-06-03")
    assert later.records["role"].tolist() == ["replaced", "used", "not yet known"]
    assert later.records["replaced_on"].iloc[0] == pd.Timestamp("2013-06-03")
    assert "6 for the period to 2012-12-31, known since 2013-06-03, filed as 10-K/A" in str(later)


def test_explain__goes_down_to_the_records_of_what_is_derived(store):
    found = explain(store, "A", "book_to_price", "2014-01-02")
    assert found.value == pytest.approx(6.0 / (2 * 4 * 10))
    text = str(found)
    assert "10-K/A" in text
    assert "times 4 for the splits since" in text


def test_explain__says_why_a_number_is_missing(store):
    assert "no record was known" in str(explain(store, "B", "book_equity", "2013-06-03"))
    assert "more than 550" in explain(store, "A", "shares_outstanding", "2014-12-31").note


def test_as_known__restated_shows_the_last_version_known_then_on_earlier_dates_too(store):
    plain, revised = (as_known(store, on="2013-12-31", restated=r) for r in (False, True))
    days = ["2013-02-19", "2013-02-20", "2013-06-03", "2014-03-03"]
    for panel, expected in ((plain, [np.nan, 5, 6, 6]), (revised, [np.nan, 6, 6, 6])):
        np.testing.assert_array_equal(panel["book_equity"].sel(date=days, asset=1), expected)


@pytest.mark.parametrize(
    ("asset", "field", "date", "match"),
    [
        ("Z", "book_equity", "2013-06-03", "no asset has the symbol 'Z'"),
        (77, "book_equity", "2013-06-03", "77 is not in the store"),
        ("A", "close", "2013-06-03", "'close' is not made of records"),
        ("A", "sales", "2013-06-03", "no field 'sales'"),
        ("A", "book_equity", "2012-06-03", "no session is on or before"),
        ("A", "book_equity", "soon", "'soon' was given"),
    ],
)
def test_explain__refuses_in_one_line(store, asset, field, date, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        explain(store, asset, field, date)
    assert "\n" not in str(caught.value)


def test_explain__text_of_digits_is_a_label_unless_it_is_a_symbol(tmp_path):
    row = {"item": "x", "period_end": "2012-12-31", "known_at": "2013-01-01"}
    for symbols, meant in ((["A", "B"], 2), (["2", "B"], 1)):
        store = files.panel_store(tmp_path, DATES, symbols, name=f"{symbols[0]}.zarr")
        frame = pd.DataFrame([row | {"asset": s, "value": i + 1.0} for i, s in enumerate(symbols)])
        ingest_records(frame, store)
        found = explain(store, "2", "x", DATES[5])
        assert (found.asset, found.value) == (meant, float(meant))
