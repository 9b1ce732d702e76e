"""Long tables of daily prices -> a new panel store."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.longform import Block, Rows, lazy_field, sort_rows
from xfactor.ingest.summary import Summary, listing, written
from xfactor.ingest.tables import Column, read_table
from xfactor.store import write_panel

DATE = Column(
    "date", "date", ("timestamp", "datetime", "time", "day", "trading day", "unnamed: 0", ""), True
)
SYMBOLS = ("symbol", "ticker", "ticker symbol", "permno", "sid", "stock", "name")
ASSET = Column("asset", "text", SYMBOLS, True)
FIELDS = (
    Column("open", "number", ("open price",)),
    Column("high", "number", ("high price",)),
    Column("low", "number", ("low price",)),
    Column("close", "number", ("close price", "last")),
    Column("volume", "number", ("vol", "volume traded")),
    Column("adjusted_close", "number", ("adj close", "adjclose", "close adjusted")),
    Column("dividend", "number", ("dividend amount", "dividends", "cash dividend")),
    Column("split", "number", ("split coefficient", "split ratio", "split factor")),
)
PRICES = ("open", "high", "low", "close", "adjusted_close")
VALUED = ("close", "adjusted_close")
ATTRS: dict[str, dict[str, Any]] = {
    "open": {"units": "USD", "long_name": "opening price, as traded"},
    "high": {"units": "USD", "long_name": "highest price, as traded"},
    "low": {"units": "USD", "long_name": "lowest price, as traded"},
    "close": {"units": "USD", "long_name": "closing price, as traded"},
    "volume": {"units": "shares", "long_name": "shares traded"},
    "adjusted_close": {
        "units": "USD",
        "long_name": "closing price adjusted backwards for splits and dividends",
    },
    "dividend": {"units": "USD", "long_name": "dividend per share, on the ex-date"},
    "split": {"units": "1", "long_name": "new shares per old share, on the ex-date"},
    "returns": {"units": "decimal per session", "long_name": "total return over (t-1, t]"},
    "listed": {"long_name": "between the first and the last price (in a gap, known only later)"},
    "market_returns": {
        "units": "decimal per session",
        "long_name": "total return of the market over (t-1, t]",
    },
}


def ingest_prices(
    source: str | os.PathLike[str],
    store: str | os.PathLike[str],
    *,
    market: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Summary:
    """Write a long table of prices to a new panel store.

    Parameters
    ----------
    source
        Parquet or CSV file (which may be gzipped), one row per date and asset in any order.
        Needed are a date, an asset (ticker or other name) and `close` or `adjusted_close`;
        `open`, `high`, `low`, `volume`, `dividend` and `split` are taken where they are there.
        Prices are as traded, except `adjusted_close`; `split` is new shares per old share.
    store
        Folder of the new store.
    market
        File of the same form for one market index or fund: gives the field `market_returns`.
    columns
        Our name -> the file's name, for columns of `source` that the usual names do not find,
        e.g. ``{"asset": "isin"}``.
    overwrite
        Replace a store that is there.
    progress
        Show a bar on standard error if the writing takes more than a second.

    Returns
    -------
    Summary
        What was read, kept, set to missing and written.

    Raises
    ------
    PanelError
        If a file is missing, unreadable or empty, a column is missing, a value is no date or no
        number, a (date, asset) pair stands there twice, or the path of the store is taken. No
        store is written then.

    Notes
    -----
    All numbers become float64 (date, asset). Prices, and split ratios, that are not above zero,
    and negative volumes become missing; so does anything infinite. `returns` are decimal total
    returns over (t-1, t], from `adjusted_close`; without it (close * split + dividend) /
    previous close - 1, where an absent dividend counts as 0 and an absent split as 1. A missing
    price makes the returns into and out of it missing. `listed` is True from an asset's first
    price to its last, both included.

    The labels of `asset` are the whole numbers 1, 2, ... in the order of (first date, symbol);
    the symbols stand in the coordinate `symbol`.

    Examples
    --------
    >>> import pathlib, tempfile, xfactor as xf
    >>> from xfactor.ingest import ingest_prices
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> table = "date,ticker,close" + chr(10) + "2013-01-02,A,10" + chr(10) + "2013-01-03,A,11"
    >>> _ = (folder / "prices.csv").write_text(table)
    >>> summary = ingest_prices(folder / "prices.csv", folder / "panel.zarr")
    >>> summary.rows_kept
    2
    >>> xf.open_panel(folder / "panel.zarr").returns.round(6).values
    array([[nan],
           [0.1]])
    """
    table = read_table(source, (DATE, ASSET, *FIELDS), columns or {}, one_of=VALUED)
    keep = table.texts["asset"].codes >= 0
    if not keep.any():
        raise panel.error(f"{source} names no asset in any row", "one on each", "Check the column")
    rows = sort_rows(table.dates["date"][keep], table.texts["asset"].keep(keep), table.path)
    values, cleared = clean({n: v[keep] for n, v in table.numbers.items()})
    values = {name: rows.sort(v) for name, v in values.items()}
    ready, notes = _panel(rows, values, table.path)
    if market is not None:
        ready["market_returns"], said = _market(market, rows.dates)
        notes += said
    for name, v in ready.data_vars.items():
        v.attrs = dict(ATTRS[str(name)])
    path = write_panel(ready, store, overwrite=overwrite, progress=progress)
    return Summary(
        source=str(source),
        store=str(store),
        rows_read=table.rows,
        rows_kept=int(keep.sum()),
        rejected={"without an asset": int((~keep).sum())},
        cleared=cleared,
        notes=tuple(notes),
        **written(path, [str(n) for n in ready.data_vars]),
    )


def clean(values: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Set impossible values to missing.

    Parameters
    ----------
    values
        Columns by our names.

    Returns
    -------
    tuple
        The columns, and the number of values set to missing by reason.
    """
    done, cleared = {}, {}
    for name, v in values.items():
        if name in (*PRICES, "split"):
            bad, why = ~((v > 0) & (v < np.inf)), "not above 0"
        elif name == "volume":
            bad, why = ~((v >= 0) & (v < np.inf)), "negative"
        else:
            bad, why = np.isinf(v), "infinite"
        bad &= ~np.isnan(v)
        done[name] = np.where(bad, np.nan, v) if bad.any() else v
        cleared[f"{name} {why}"] = int(bad.sum())
    return done, cleared


def _panel(
    rows: Rows, values: Mapping[str, np.ndarray], path: Path
) -> tuple[xr.Dataset, list[str]]:
    """Lay out every field lazily, `returns` and `listed` among them."""
    notes = []
    if "adjusted_close" in values:
        before = gross = values["adjusted_close"]
    else:
        before, gross = values["close"], total_value(values)
        used = ", ".join(f for f in ("close", "split", "dividend") if f in values)
        notes.append(f"no adjusted close: returns are made of {used}")
    first, last = rows.life(~np.isnan(before) | ~np.isnan(values.get("close", before)))
    if (last < 0).all():
        raise panel.error(f"{path} has no price above 0", "at least one", "Check the column")
    never = rows.symbols[last < 0].tolist()
    if never:
        notes.append(f"{len(never)} assets have no price at all: {listing(never)}")

    def change(start: int, stop: int) -> np.ndarray:
        out = np.full((stop - start, len(rows.symbols)), np.nan)
        low = max(start, 1)
        with np.errstate(over="ignore"):
            growth = rows.block(gross, low, stop) / rows.block(before, low - 1, stop - 1)
        out[low - start :] = np.where(np.isinf(growth), np.nan, growth) - 1.0
        return out

    def listed(start: int, stop: int) -> np.ndarray:
        date = np.arange(start, stop)[:, None]
        return (first <= date) & (date <= last)

    makes: dict[str, Block] = {n: partial(rows.block, v) for n, v in values.items()}
    makes |= {"returns": change, "listed": listed}
    sizes = {panel.DATE: len(rows.dates), panel.ASSET: len(rows.symbols)}
    fields = {
        n: (tuple(sizes), lazy_field(n, sizes, bool if n == "listed" else float, make))
        for n, make in makes.items()
    }
    ids = np.arange(1, len(rows.symbols) + 1)
    coords = {panel.DATE: rows.dates, panel.ASSET: ids, "symbol": (panel.ASSET, rows.symbols)}
    return xr.Dataset(fields, coords), notes


def total_value(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what a share of the session before is worth now: close * split + dividend.

    Parameters
    ----------
    values
        Columns by our names; `close` is there, an absent split counts as 1, a dividend as 0.

    Returns
    -------
    numpy.ndarray
        USD.
    """
    total = values["close"]
    if "split" in values:
        total = total * np.nan_to_num(values["split"], nan=1.0)
    if "dividend" in values:
        total = total + np.nan_to_num(values["dividend"], nan=0.0)
    return total


def _market(
    source: str | os.PathLike[str], dates: pd.DatetimeIndex
) -> tuple[xr.DataArray, list[str]]:
    """Read the total return of one market index over the panel's sessions."""
    whole = read_table(source, (DATE, Column("asset", "text", SYMBOLS), *FIELDS), one_of=VALUED)
    labels = pd.DatetimeIndex(whole.dates["date"])
    if not labels.is_unique:
        raise panel.error(
            f"{source} has the date {labels[labels.duplicated()][0]:%Y-%m-%d} more than once",
            "one row for each date, of one market index",
            "Leave one index in the file",
        )
    values, _ = clean(whole.numbers)
    frame = pd.DataFrame(values, index=labels).sort_index()
    if "adjusted_close" in frame:
        level = frame["adjusted_close"]
    else:
        frame = frame[frame["close"].notna()]
        gross = total_value({str(k): v.to_numpy() for k, v in frame.items()})
        level = (gross / frame["close"].shift()).fillna(1.0).cumprod()
    # Prices first, returns second: with fewer sessions in the panel than in the file, the return
    # at t must still span the panel's (t-1, t].
    level = level.reindex(dates)
    change = (level / level.shift() - 1.0).to_numpy()
    missing = int(np.isnan(change[1:]).sum())
    notes = [f"market_returns missing on {missing:,} dates, beside the first"] if missing else []
    return xr.DataArray(change, dims=panel.DATE), notes
