"""Later dates of a store: the fields that its records give there."""

import os
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel as _panel
from xfactor.ingest.asked import path_of
from xfactor.ingest.fields import FORMULAS, lay_out, records_of, repeated, specs_of
from xfactor.ingest.ledger import read_records
from xfactor.store import open_panel

# What the fields need beside the records.
BESIDE = ("split", "close")


def with_fundamentals(panel: xr.Dataset, store: str | os.PathLike[str]) -> xr.Dataset:
    """Give the later dates of a panel the fields that are made of a store's records.

    Parameters
    ----------
    panel
        Dates after the store's last, of its assets and new ones, with `close` and `split` where
        the store has them.
    store
        Path of the store that the dates are for.

    Returns
    -------
    xarray.Dataset
        `panel` with these fields, lazy; and with the store's last `sector` of each asset, where
        the store has one and `panel` does not. It is what `append_panel` takes.

    Raises
    ------
    PanelError
        If a date is not after the store's last, or `panel` lacks a field that is needed.

    Examples
    --------
    >>> import pathlib, tempfile, pandas as pd, xfactor as xf
    >>> from xfactor.ingest import ingest_prices, ingest_records, with_fundamentals
    >>> folder, line = pathlib.Path(tempfile.mkdtemp()), chr(10)
    >>> prices = ["date,ticker,close", "2013-02-28,A,10", "2013-03-01,A,11"]
    >>> _ = (folder / "prices.csv").write_text(line.join(prices))
    >>> store = folder / "panel.zarr"
    >>> _ = ingest_prices(folder / "prices.csv", store)
    >>> record = {"asset": "A", "item": "book_equity", "value": 5.0, "period_end": "2012-12-31",
    ...           "known_at": "2013-02-20"}
    >>> _ = ingest_records(pd.DataFrame([record]), store)
    >>> day = xf.open_panel(store)[["close", "returns", "listed"]].isel(date=[-1])
    >>> day = day.assign_coords(date=pd.DatetimeIndex(["2013-03-04"]))
    >>> with_fundamentals(day, store).book_equity.values
    array([[5.]])
    """
    _panel.check_panel(panel)
    stored = open_panel(path_of("store", store))
    past, dates = stored.indexes[_panel.DATE], panel.indexes[_panel.DATE]
    if dates[0] <= past[-1]:
        raise _panel.error(
            f"the panel begins on {dates[0]:%Y-%m-%d}, and {store} ends on {past[-1]:%Y-%m-%d}",
            "later dates",
            f"Use panel.sel(date=slice('{past[-1] + pd.Timedelta(days=1):%Y-%m-%d}', None))",
        )
    specs, assets = specs_of(stored), panel.indexes[_panel.ASSET]
    beside = [n for n in BESIDE if n in stored]
    for name in beside if specs else []:
        _panel.field(panel, name)
    # Splits since a report was known lie in the past, so the history stands before the new dates.
    before, after = (
        p.drop_vars([v for v in p.variables if v not in (*beside, *p.dims)])
        for p in (stored, panel)
    )
    whole = xr.concat([before.reindex({_panel.ASSET: assets}), after], _panel.DATE, join="exact")
    lengths = stored.chunksizes.get(_panel.DATE, (len(past),))
    edges = list(pairwise([0, *np.cumsum(lengths).tolist(), len(past) + len(dates)]))
    made = lay_out(
        whole,
        specs,
        lambda item: records_of(read_records(store, item), assets),
        repeated(store, stored),
        edges,
    ).isel({_panel.DATE: slice(len(past), None)})
    names = [n for n in made.data_vars if n in stored and (n in specs or n in FORMULAS)]
    if "sector" in stored and "sector" not in panel:
        last = stored["sector"].isel({_panel.DATE: -1}, drop=True)
        last = last.reindex({_panel.ASSET: assets}, fill_value=_panel.MISSING_CODE)
        made["sector"] = last.expand_dims({_panel.DATE: dates}).astype(stored["sector"].dtype)
        names.append("sector")
    if not names:
        return panel
    # The columns of new assets came as chunks of their own.
    made = made[names].chunk({_panel.ASSET: -1})
    return panel.assign({n: made[n].variable for n in names})
