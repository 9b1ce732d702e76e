"""Long tables of daily prices -> a panel store, new or longer."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from xfactor import panel
from xfactor.ingest.identities import Identities, identities
from xfactor.ingest.layout import folder_of, free, long_table, titled
from xfactor.ingest.past import Past, check_later, past_of
from xfactor.ingest.placing import Ends
from xfactor.ingest.plan import make_plan
from xfactor.ingest.pricing import write_prices
from xfactor.ingest.returns import PRICES, VALUED
from xfactor.ingest.schema import Field, Schema, checked_columns
from xfactor.ingest.sources import Source, find_parts
from xfactor.ingest.summary import Summary
from xfactor.ingest.tables import SYMBOLS as SYMBOLS
from xfactor.ingest.tables import Column
from xfactor.ingest.work import alone

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
# What a strict ingest of prices does not take; it still leaves out rows without an asset, and
# numbers that can be no prices.
STOP = frozenset(("ragged", "date", "value", "duplicate"))
# Where ids are given, the column of the assets and that of their symbols are two.
LABELS = ("permno", "permaticker", "sid", "id", "asset id")
TICKERS = ("ticker", "ticker symbol", "tsymbol")
LIMITS: dict[str, dict[str, Any]] = {
    **{name: {"above": 0.0} for name in (*PRICES, "split")},
    "volume": {"least": 0.0},
    "delisting_return": {"least": -1.0},
}


def ingest_prices(
    source: Source | Sequence[Source],
    store: str | os.PathLike[str],
    *,
    append: bool = False,
    market: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    symbols: Source | Sequence[Source] | None = None,
    gap_days: int | None = None,
    ids: str | None = None,
    delisting: Source | None = None,
    delisting_fill: float | None = None,
    delisting_after: int = 5,
    calendar: str | None = None,
    strict: bool = True,
    rejects: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Summary:
    """Write a long table of prices of any size to a panel store, or append later dates to one.

    Parameters
    ----------
    source
        Parquet or CSV files (which may be gzipped), globs, folders, URLs, DataFrames or Arrow
        tables, as in `ingest_table`; one row per date and asset in any order. Needed are a date,
        an asset (ticker or other name) and `close` or `adjusted_close`; `open`, `high`, `low`,
        `volume`, `dividend`, `split` and `delisting_return` are taken where they are there.
        Prices are as traded, except `adjusted_close`; `split` is new shares per old share.
    store
        Folder of the store.
    append
        The rows are of dates after the store's last and go onto it (see Notes).
    market
        File of the same form for one market index or fund: gives the field `market_returns`.
    columns
        Our name -> the file's name, for columns of `source` that the usual names do not find,
        e.g. ``{"asset": "isin"}``.
    symbols
        Table of which asset had which symbol when: columns symbol, id, start and end (both
        included, empty where open). The ids become the labels if they are whole numbers. Rows of a
        symbol on a day on which no asset has it are left out and counted.
    gap_days
        Without `symbols` or ids: a symbol that has no price for more than so many calendar days
        is that of another asset afterwards; 0 for never. 400 for a new store if not given, so
        that yearly tables stay whole; the store's own for an append.
    ids
        "numbered": assets are named by symbols; "given": the column of the assets (permno, sid,
        id ...) holds permanent whole numbers, which become the labels, and a column `symbol`, if
        there is one, gives the history of their symbols. The store's own for an append.
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
        number, a (date, asset) pair stands there twice, the path of the store is taken, or
        another process is writing to it; and of an append, if a row is not of a later date. The
        store is not touched then.

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

    The labels of `asset` are the whole numbers 1, 2, ... in the order of (first date, symbol),
    where they are not given; the symbols, the last of each asset, stand in the coordinate
    `symbol`. Where a symbol was that of several assets, or an asset had several, the store also
    keeps their history, by which `symbols` and `get_pricing` look them up as of a day. Memory,
    and what a kill leaves, are those of `ingest_table`.

    An append gives the panel that one ingest of all rows gives, with the same options (and the
    table of delisting returns given again): returns span the last date of the store and the
    first new one; prices after a gap make `listed` True in it, and take back a delisting return;
    one that becomes known later goes to its old date. All of it becomes visible in one step.
    Given ids that are new stand behind the others. `adjusted_close` must be on the basis of the
    store's: a vendor that adjusts all history anew with every dividend needs a new ingest, and
    the notes name the assets whose adjusted and other prices disagree at the seam. Fields made
    of records are made on the new dates too (`with_fundamentals`); what else the store has is
    missing there.

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
    known = ("date", "asset", "symbol", *(c.name for c in (*FIELDS, DELISTING)))
    columns = checked_columns(columns)
    for ours in columns:
        if ours not in known:
            raise panel.error(f"columns names {ours!r}", f"one of {', '.join(known)}", "Correct it")
    stop = STOP if panel.flag("strict", strict) else frozenset[str]()
    ends = Ends(delisting, delisting_fill, delisting_after)
    if panel.flag("append", append) and panel.flag("overwrite", overwrite):
        raise panel.error("append and overwrite were given", "one of them", "Choose")
    path = folder_of(store) if append else free(store, overwrite)
    parts = find_parts(source)
    title = titled(parts)
    with alone(path, "ingest_prices"):
        path = path if append else free(store, overwrite)  # another may have been quicker
        past = past_of(path) if append else Past()
        who = identities(past, ids, symbols, gap_days)
        plan, notes = make_plan(
            parts, _schema(columns, who), optional=True, one_of=VALUED,
            asset=(*LABELS, *SYMBOLS) if who.spelled else SYMBOLS,
        )  # fmt: skip
        with long_table(plan, who.whole, path, stop, rejects, who.owners) as table:
            table.read("error" if strict else "reject", title, progress)
            check_later(past, table.keys, title, path)
            return write_prices(
                table, who, past, ends, path, title=title, store=str(store), notes=notes,
                market=market, fields=FIELDS, calendar=calendar, overwrite=overwrite,
                progress=progress,
            )  # fmt: skip


def _schema(columns: Mapping[str, str], who: Identities) -> Schema:
    fields = [
        Field(c.name, columns.get(c.name), c.aliases, **LIMITS.get(c.name, {}))
        for c in (*FIELDS, DELISTING)
    ]
    if who.spelled:
        fields.append(Field("symbol", columns.get("symbol"), TICKERS, kind="code"))
    elif "symbol" in columns:
        raise panel.error(
            "columns names 'symbol'", "it only beside ids='given'",
            "Name the column of the symbols 'asset', or use ids='given'",
        )  # fmt: skip
    return Schema(tuple(fields), date=columns.get("date"), asset=columns.get("asset"))
