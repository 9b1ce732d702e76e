"""Delisting returns: on which session, from which source, and when not."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_prices
from xfactor.ingest.delisting import find_delisting
from xfactor.ingest.labels import Labels

NAN = np.nan
DATES = [str(d.date()) for d in pd.bdate_range("2024-01-01", periods=5)]
# A is there to the end, B ends on the second date, C on the fourth, D has no price.
LAST = {"A": 5, "B": 2, "C": 4}


def prices(**columns):
    rows = [(d, s, 10.0) for s, n in LAST.items() for d in DATES[:n]] + [(DATES[0], "D", NAN)]
    frame = pd.DataFrame(rows, columns=["date", "symbol", "close"])
    return frame.assign(**columns)


def ingest(tmp_path, table, **options):
    summary = ingest_prices(table, tmp_path / "panel.zarr", overwrite=True, **options)
    panel = xf.open_panel(tmp_path / "panel.zarr").load()
    return panel.assign_coords(asset=[str(s) for s in panel.symbol.values]), summary


def ends(panel):
    """The returns other than 0 by asset and date position."""
    found = panel["returns"]
    return {
        (str(s), i): round(float(found.sel(asset=s)[i]), 12)
        for s, i in itertools.product(panel.asset.values, range(5))
        if found.sel(asset=s)[i] not in (0.0,) and not np.isnan(found.sel(asset=s)[i])
    }


def test_delisting__without_an_option_nothing_is_added(tmp_path):
    panel, _ = ingest(tmp_path, prices())
    assert ends(panel) == {}


def test_delisting__fill_is_earned_on_the_session_after_the_last_price(tmp_path):
    panel, summary = ingest(tmp_path, prices(), delisting_fill=-0.3, delisting_after=1)
    assert ends(panel) == {("B", 2): -0.3, ("C", 4): -0.3}
    assert not panel["listed"].sel(asset="B")[2]
    assert bool(panel["listed"].sel(asset="B")[1])
    assert "delisting returns: 0 given, 2 of -0.3" in summary.notes


def test_delisting__fill_needs_an_absence_of_some_sessions(tmp_path):
    panel, _ = ingest(tmp_path, prices(), delisting_fill=-0.3, delisting_after=3)
    assert ends(panel) == {("B", 2): -0.3}
    assert ends(ingest(tmp_path, prices(), delisting_fill=-0.3)[0]) == {}


@pytest.mark.parametrize("day", [None, DATES[1], DATES[3], "2025-06-01"])
def test_delisting__given_returns_go_before_the_fill(tmp_path, day):
    given = {"ticker": ["B", "A", "Z"], "dlret": [-0.5, -0.1, 0.2]}
    given |= {} if day is None else {"date": [day] * 3}
    source = files.csv_file(tmp_path, given)
    panel, summary = ingest(
        tmp_path, prices(), delisting=source, delisting_fill=-0.3, delisting_after=1
    )
    assert ends(panel) == {("B", 2): -0.5, ("C", 4): -0.3}
    said = " ".join(summary.notes)
    assert "of Z: not in the table" in said
    early = day in DATES
    assert ("before the last price, not used: A" in said) == early
    assert ("after the panel's last date: A" in said) != early


def test_delisting__a_column_of_the_table_counts_where_it_is_not_followed_by_prices(tmp_path):
    value = [0.1 if i == 0 else NAN for i in range(12)]  # of A, on its first date
    value[6] = -0.4  # of B, on its last date
    panel, summary = ingest(tmp_path, prices(DLRET=value))
    assert ends(panel) == {("B", 2): -0.4}
    assert "before the last price, not used: A" in " ".join(summary.notes)
    assert panel["delisting_return"].sel(asset="B")[1] == -0.4


def test_delisting__a_portfolio_that_holds_the_last_price_earns_it(tmp_path):
    panel, _ = ingest(tmp_path, prices(), delisting_fill=-0.3, delisting_after=3)
    weights = panel["listed"] / panel["listed"].sum("asset")
    earned = xf.portfolio_returns(weights, panel["returns"])
    np.testing.assert_allclose(earned[2], -0.1)
    np.testing.assert_allclose(earned[3], 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"delisting_fill": -1.5}, "delisting_fill=-1.5"),
        ({"delisting_fill": "low"}, "delisting_fill='low'"),
        ({"delisting_fill": -0.3, "delisting_after": 0}, "delisting_after=0"),
        ({"delisting": {"ticker": ["B"], "dlret": ["S"]}}, "holds 'S' in row 1"),
        ({"delisting": {"ticker": ["B"], "dlret": [-2]}}, "holds '-2' in row 1"),
        ({"delisting": {"ticker": ["B", "B"], "dlret": [0, 0]}}, "'B' more than once"),
        ({"delisting": {"ticker": ["B"]}}, "no column for 'delisting_return'"),
    ],
)
def test_delisting__refuses_what_it_cannot_use(tmp_path, options, match):
    if isinstance(options.get("delisting"), dict):
        options = options | {"delisting": files.csv_file(tmp_path, options["delisting"])}
    with pytest.raises(xf.PanelError, match=match):
        ingest(tmp_path, prices(), **options)
    assert not (tmp_path / "panel.zarr").exists()


@given(data=st.data())
def test_delisting__agrees_with_a_loop_over_assets(data):
    n_dates, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    dates = pd.bdate_range("2024-01-01", periods=n_dates).as_unit("ns")
    symbols = np.array(list("ABCDE")[:n])
    labels = Labels(dates.asi8, np.arange(n), symbols, np.arange(n + 1))

    def each(cell):
        return data.draw(st.lists(cell, min_size=n, max_size=n))

    last = np.array(each(st.sampled_from([-2, *range(n_dates)])))
    given_at, known = each(st.integers(-1, n_dates)), np.array(each(st.booleans()))
    days = [dates[0] + pd.tseries.offsets.BDay(i) for i in given_at]
    fill = data.draw(st.sampled_from([None, -0.3]))
    after = data.draw(st.integers(1, 3))
    table = pd.DataFrame({"asset": symbols, "return": -0.1, "date": days})[known]
    source = table if len(table) else None
    found, _ = find_delisting(source, fill, after, labels=labels, last=last, column=None)
    got = found.put(np.zeros((n_dates, n)), 0)
    want = np.zeros((n_dates, n))
    for a in range(n):
        if last[a] < 0 or last[a] == n_dates - 1:
            continue
        if known[a] and min(given_at[a], n_dates - 1) >= last[a]:
            want[last[a] + 1, a] = -0.1
        elif fill is not None and last[a] <= n_dates - 1 - after:
            want[last[a] + 1, a] = fill
    np.testing.assert_array_equal(got, want)
    cut = n_dates // 2
    halves = [found.put(np.zeros((cut, n)), 0), found.put(np.zeros((n_dates - cut, n)), cut)]
    np.testing.assert_array_equal(np.concatenate(halves), got)


def test_delisting__is_read_back_lazily_with_the_rest(tmp_path):
    """Chunks of dates do not change it."""
    dates = pd.bdate_range("2020-01-01", periods=600)
    table = pd.DataFrame(
        [(d, s, 5.0) for s, n in (("A", 600), ("B", 256), ("C", 512)) for d in dates[:n]],
        columns=["date", "symbol", "close"],
    )
    panel, _ = ingest(tmp_path, table, delisting_fill=-0.3)
    hits = xr.where(panel["returns"] == -0.3, 1, 0)
    assert [int(hits.sel(asset=s).argmax("date")) for s in "BC"] == [256, 512]
    assert int(hits.sum()) == 2
