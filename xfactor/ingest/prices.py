"""Long tables of daily prices -> a new panel store."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.delisting import Delisting, find_delisting
from xfactor.ingest.layout import DIMS, LongTable, free, long_table, titled
from xfactor.ingest.longform import Block, Blocks, dates_in_chunk, lazy_field
from xfactor.ingest.plan import make_plan
from xfactor.ingest.schema import Field, Schema, checked_columns
from xfactor.ingest.sessions import calendar_notes
from xfactor.ingest.sources import Source, find_parts
from xfactor.ingest.summary import Summary, listing, written
from xfactor.ingest.tables import DATE, Column, read_table
from xfactor.ingest.tables import SYMBOLS as SYMBOLS
from xfactor.store import write_panel

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
DELISTING = Column("delisting_return", "number", ("dlret", "delist return"))
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
    "delisting_return": {
        "units": "decimal",
        "long_name": "return from the last price to what was paid after it",
    },
    "returns": {"units": "decimal per session", "long_name": "total return over (t-1, t]"},
    "listed": {"long_name": "between the first and the last price (in a gap, known only later)"},
    "market_returns": {
        "units": "decimal per session",
        "long_name": "total return of the market over (t-1, t]",
    },
}


# What a strict ingest of prices does not take; it still leaves out rows without an asset, and
# numbers that can be no prices.
STOP = frozenset(("ragged", "date", "value", "duplicate"))
LIMITS: dict[str, dict[str, Any]] = {
    **{name: {"above": 0.0} for name in (*PRICES, "split")},
    "volume": {"least": 0.0},
    "delisting_return": {"least": -1.0},
}


def ingest_prices(
    source: Source | Sequence[Source],
    store: str | os.PathLike[str],
    *,
    market: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    delisting: Source | None = None,
    delisting_fill: float | None = None,
    delisting_after: int = 5,
    calendar: str | None = None,
    strict: bool = True,
    rejects: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Summary:
    """Write a long table of prices of any size to a new panel store.

    Parameters
    ----------
    source
        Parquet or CSV files (which may be gzipped), globs, folders, URLs, DataFrames or Arrow
        tables, as in `ingest_table`; one row per date and asset in any order. Needed are a date,
        an asset (ticker or other name) and `close` or `adjusted_close`; `open`, `high`, `low`,
        `volume`, `dividend`, `split` and `delisting_return` are taken where they are there.
        Prices are as traded, except `adjusted_close`; `split` is new shares per old share.
    store
        Folder of the new store.
    market
        File of the same form for one market index or fund: gives the field `market_returns`.
    columns
        Our name -> the file's name, for columns of `source` that the usual names do not find,
        e.g. ``{"asset": "isin"}``.
    delisting
        Table of the columns asset and `delisting_return` (decimal), perhaps with a date; it goes
        before the column of the same name in `source`.
    delisting_fill
        Delisting return of assets that end without one, e.g. -0.3; None for none.
    delisting_after
        An asset has ended if its last price is at least so many sessions before the last of the
        panel. It counts for `delisting_fill` only.
    calendar
        Name of an exchange in `exchange_calendars`, such as "XNYS": sessions that the table
        misses, or has beside the calendar's, are noted in the summary.
    strict
        Raise where a date or number cannot be read, a line has too few or too many cells, or a
        (date, asset) pair stands there twice. Otherwise these are left out, as in `ingest_table`.
    rejects
        File in which to list what is left out: file, row, column, value, reason. Parquet by its
        suffix, otherwise CSV.
    overwrite
        Replace a store that is there.
    progress
        Show bars on standard error if it takes more than a second.

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

    A delisting return is earned after the last price: it becomes the return of the session that
    follows the one of the last price, whatever date it carries itself, and `listed` is False
    there. Weights set at the last price (`lag` 1) so meet it, and later ones do not. If prices
    follow its date it is not used; if the panel ends with the last price there is no place for
    it. The notes of the summary count both. That an asset has ended is known only later, as
    it is of `listed` in a gap: neither is for signals.

    The labels of `asset` are the whole numbers 1, 2, ... in the order of (first date, symbol);
    the symbols stand in the coordinate `symbol`. Memory, and what a kill leaves, are those of
    `ingest_table`.

    Examples
    --------
    >>> import pandas as pd, tempfile, xfactor as xf
    >>> from xfactor.ingest import ingest_prices
    >>> table = pd.DataFrame({
    ...     "date": ["2013-01-02", "2013-01-03", "2013-01-04", "2013-01-02"],
    ...     "ticker": ["A", "A", "A", "B"],
    ...     "close": [10.0, 11.0, 11.0, 5.0],
    ... })
    >>> store = tempfile.mkdtemp() + "/panel.zarr"
    >>> summary = ingest_prices(table, store, delisting_fill=-0.3, delisting_after=2)
    >>> summary.rows_kept
    4
    >>> xf.open_panel(store).returns.round(6).values
    array([[ nan,  nan],
           [ 0.1, -0.3],
           [ 0. ,  nan]])
    """
    known = ("date", "asset", *(c.name for c in (*FIELDS, DELISTING)))
    columns = checked_columns(columns)
    for ours in columns:
        if ours not in known:
            raise panel.error(f"columns names {ours!r}", f"one of {', '.join(known)}", "Correct it")
    path = free(store, overwrite)
    parts = find_parts(source)
    title = titled(parts)
    plan, notes = make_plan(parts, _schema(columns), optional=True, one_of=VALUED)
    stop = STOP if panel.flag("strict", strict) else frozenset[str]()
    with long_table(plan, False, path, stop, rejects) as table:
        table.read("error" if strict else "reject", title, progress)
        table.place()
        chunk = dates_in_chunk(table.labels, None, title)
        ends = partial(find_delisting, delisting, delisting_fill, delisting_after)
        ready, said = _panel(table, title, ends, chunk)
        notes += said + calendar_notes(table.labels.index, calendar)
        if market is not None:
            ready["market_returns"], said = _market(market, table.labels.index)
            notes += said
        for name, v in ready.data_vars.items():
            v.attrs = dict(ATTRS[str(name)])
        write_panel(ready, path, overwrite=overwrite, progress=progress)
    return Summary(
        source=title,
        store=str(store),
        notes=tuple(notes),
        **table.said(),
        **written(path, [str(n) for n in ready.data_vars]),
    )


def _schema(columns: Mapping[str, str]) -> Schema:
    fields = [
        Field(c.name, columns.get(c.name), c.aliases, **LIMITS.get(c.name, {}))
        for c in (*FIELDS, DELISTING)
    ]
    return Schema(tuple(fields), date=columns.get("date"), asset=columns.get("asset"))


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
    table: LongTable, title: str, ends: "partial[tuple[Delisting, list[str]]]", chunk: int
) -> tuple[xr.Dataset, list[str]]:
    """Lay out every field lazily, `returns` and `listed` among them."""
    notes = []
    blocks, labels = table.blocks, table.labels
    names = [f.name for f in table.plan.fields]
    if "adjusted_close" not in names:
        used = ", ".join(f for f in ("close", "split", "dividend") if f in names)
        notes.append(f"no adjusted close: returns are made of {used}")
    first, last = blocks.life([n for n in VALUED if n in names])
    if (last < 0).all():
        raise panel.error(f"{title} has no price above 0", "at least one", "Check the column")
    symbols = labels.symbols if labels.symbols is not None else np.empty(0, str)
    never = symbols[last < 0].tolist()
    if never:
        notes.append(f"{len(never)} assets have no price at all: {listing(never)}")
    column = blocks.latest(DELISTING.name) if DELISTING.name in names else None
    delisted, said = ends(labels=labels, last=last, column=column)
    makes: dict[str, Block] = {n: partial(blocks.block, n) for n in names}
    makes |= {
        "returns": partial(_returns, blocks, tuple(names), delisted),
        "listed": partial(_listed, first, last),
    }
    fields = {
        n: (DIMS, lazy_field(n, labels.sizes, bool if n == "listed" else float, make, chunk))
        for n, make in makes.items()
    }
    return xr.Dataset(fields, labels.coords()), notes + said


def _returns(
    blocks: Blocks, names: tuple[str, ...], delisted: Delisting, start: int, stop: int
) -> np.ndarray:
    """Return total returns of some dates, delisting returns among them."""
    low = max(start, 1)
    if "adjusted_close" in names:
        both = blocks.block("adjusted_close", low - 1, stop)
        before, gross = both[:-1], both[1:]
    else:
        wanted = [n for n in ("close", "split", "dividend") if n in names]
        used = {str(n): blocks.block(n, low - 1, stop) for n in wanted}
        before, gross = used["close"][:-1], total_value(used)[1:]
    out = np.full((stop - start, before.shape[1]), np.nan)
    with np.errstate(over="ignore"):
        growth = gross / before
    out[low - start :] = np.where(np.isinf(growth), np.nan, growth) - 1.0
    return delisted.put(out, start)


def _listed(first: np.ndarray, last: np.ndarray, start: int, stop: int) -> np.ndarray:
    date = np.arange(start, stop)[:, None]
    return (first <= date) & (date <= last)


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
