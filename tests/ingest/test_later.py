import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_fundamentals, ingest_records, with_fundamentals

DATES = pd.bdate_range("2013-01-01", "2014-12-31", name="date")
SYMBOLS = ["AAPL", "MSFT", "NEW"]
SPLITS = {("AAPL", "2013-12-02"): 2.0, ("AAPL", "2014-06-09"): 7.0, ("MSFT", "2014-08-01"): 3.0}
ROWS = [
    ("AAPL", "2012-12-31", 1.0, 1.0),
    ("MSFT", "2012-12-31", 5.0, 2.0),
    ("AAPL", "2013-06-30", 2.0, 3.0),
    ("MSFT", "2014-03-31", 6.0, np.nan),
]


def add(tmp_path, store):
    listing = files.text_file(tmp_path, "Symbol,Sector\nMSFT,IT\nNEW,Energy\n", "securities.csv")
    source = files.csv_file(tmp_path, files.reports(*ROWS))
    fields = {"grown": "yoy(book_equity)"}
    ingest_fundamentals(source, store, securities=listing, fields=fields, max_age_days=500)


@pytest.mark.parametrize("cut", [1, 250, 400])
def test_with_fundamentals__appended_dates_are_those_of_the_whole(tmp_path, cut):
    whole = files.panel_store(tmp_path, DATES, SYMBOLS, splits=SPLITS, name="whole.zarr")
    plain = xf.open_panel(whole)
    first = plain.isel(date=slice(cut)).load()
    parts = xf.write_panel(first, tmp_path / "parts.zarr")
    for store in (whole, parts):
        add(tmp_path, store)
    later = with_fundamentals(plain.isel(date=slice(cut, None)).load(), parts)
    assert later["book_equity"].chunks is not None
    xf.append_panel(later, parts)
    expected, found = xf.open_panel(whole).load(), xf.open_panel(parts).load()
    xr.testing.assert_equal(found[sorted(found)], expected[sorted(expected)])


def test_with_fundamentals__takes_new_assets_in_any_order(tmp_path):
    store = files.panel_store(tmp_path, DATES[:300], SYMBOLS[:2])
    add(tmp_path, store)
    later = files.panel_store(tmp_path, DATES[300:], ["NEW", "MSFT", "AAPL"], name="later.zarr")
    panel = xf.open_panel(later).assign_coords(asset=[9, 2, 1]).load()
    found = with_fundamentals(panel, store)["book_equity"].isel(date=-1).sel(asset=[1, 2, 9])
    # AAPL's is too old by then.
    np.testing.assert_array_equal(found, [np.nan, 6, np.nan])


def test_with_fundamentals__of_a_new_asset_goes_onto_the_store(tmp_path):
    store = files.panel_store(tmp_path, DATES[:300], SYMBOLS[:2])
    add(tmp_path, store)
    panel = xf.open_panel(files.panel_store(tmp_path, DATES[300:], SYMBOLS, name="later.zarr"))
    panel = panel.assign_coords(asset=[1, 2, 9]).load()
    later = with_fundamentals(panel, store)
    assert {len(later[n].chunks[1]) for n in ("book_equity", "sector")} == {1}
    xf.append_panel(later, store)
    found = xf.open_panel(store)
    assert found.asset.values.tolist() == [1, 2, 9]
    np.testing.assert_array_equal(found["book_equity"].isel(date=-1), [np.nan, 6, np.nan])


def test_with_fundamentals__refuses_in_one_line(tmp_path):
    store = files.panel_store(tmp_path, DATES[:300], SYMBOLS)
    add(tmp_path, store)
    later = xf.open_panel(files.panel_store(tmp_path, DATES[299:], SYMBOLS, name="later.zarr"))
    with pytest.raises(xf.PanelError, match=r"needed later dates.*sel") as caught:
        with_fundamentals(later, store)
    assert "\n" not in str(caught.value)
    with pytest.raises(xf.PanelError, match="no field 'split'"):
        with_fundamentals(later.isel(date=slice(1, None)).drop_vars("split"), store)


def test_ingest_records__reach_into_appended_dates(tmp_path):
    """Records that were known after the store's last date show once the dates are there."""
    store = files.panel_store(tmp_path, DATES[:300], SYMBOLS)
    rows = pd.DataFrame(
        {"asset": "MSFT", "item": "x", "value": [1.0, 2.0], "quarters": 0.0,
         "period_end": ["2013-12-31", "2014-06-30"], "known_at": ["2014-02-03", "2014-08-01"]}
    )  # fmt: skip
    ingest_records(rows, store)
    later = xf.open_panel(files.panel_store(tmp_path, DATES[300:], SYMBOLS, name="later.zarr"))
    xf.append_panel(with_fundamentals(later.load(), store), store)
    shown = xf.open_panel(store)["x"].sel(asset=2, date=["2014-02-03", "2014-07-31", "2014-08-01"])
    np.testing.assert_array_equal(shown, [1, 1, 2])
