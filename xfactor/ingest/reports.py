"""Read a table of reports and find the assets they belong to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.companies import Securities, repeats
from xfactor.ingest.prices import SYMBOLS
from xfactor.ingest.summary import listing
from xfactor.ingest.tables import Column, Table, read_table

KEYS = (
    Column("asset", "text", SYMBOLS, True),
    Column(
        "period_end", "date", ("period ending", "fiscal date ending", "datadate", "period"), True
    ),
    Column("known_at", "date", ("filing date", "filed", "publication date", "rdq")),
)
ITEMS = (
    Column("book_equity", "number", ("total equity", "stockholders equity"), True),
    Column("shares_outstanding", "number", ("estimated shares outstanding", "common shares"), True),
)
DERIVED = ("market_cap", "book_to_price", "fundamentals_age", "sector")


@dataclass(frozen=True)
class Reports:
    """Reports read.

    Parameters
    ----------
    frame
        One row per report: symbol, end, known, and one column for each item.
    items
        Our name of each item -> the file's.
    rows_read
        Rows of the file.
    published
        Whether `known` is from the file.
    rejected, cleared
        Counts of rows and of values by reason; `match` adds to the former.
    notes
        Sentences for the summary.
    """

    frame: pd.DataFrame
    items: Mapping[str, str]
    rows_read: int
    published: bool
    rejected: dict[str, int]
    cleared: dict[str, int]
    notes: list[str]


def read_reports(
    source: str | os.PathLike[str], lag_days: int, columns: Mapping[str, str]
) -> Reports:
    """Read a table with one row per report.

    Parameters
    ----------
    source
        Parquet or CSV file.
    lag_days
        Days from a period's end to the day a report is known, if the file does not say.
    columns
        Our name -> the file's name; names beyond the usual ones are further items.

    Returns
    -------
    Reports
        Without those that name no asset or are known before their period ended.

    Raises
    ------
    PanelError
        If it cannot be read, or a report stands there twice.
    """
    table = read_table(source, (*KEYS, *ITEMS, *_further(columns)), columns)
    ends = table.dates["period_end"]
    known = table.dates.get("known_at", ends + np.timedelta64(lag_days, "D"))
    values, cleared = _items(table)
    symbols = table.texts["asset"].values()
    frame = pd.DataFrame({"symbol": symbols, "end": ends, "known": known, **values})
    nameless, early = frame["symbol"].isna(), frame["known"] < frame["end"]
    rejected = {
        "without an asset": int(nameless.sum()),
        "known before their period ended": int((early & ~nameless).sum()),
    }
    frame = frame[~nameless & ~early]
    twice = frame.duplicated(["symbol", "end", "known"])
    if twice.any():
        first = frame[twice].iloc[0]
        raise panel.error(
            f"{table.path} has {int(twice.sum()):,} repeated reports, the first of "
            f"{first['symbol']} for {first['end']:%Y-%m-%d}",
            "one row for each asset and period",
            "Remove the duplicates, or name the date of publication with --columns known_at=NAME",
        )
    published = "known_at" in table.dates
    notes = [] if published else [f"reports are known {lag_days} days after their period's end"]
    items = {name: table.names[name] for name in table.numbers}
    return Reports(frame, items, table.rows, published, rejected, cleared, notes)


def _items(table: Table) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return the values with the impossible ones missing, and how many those were."""
    values, cleared = {}, {}
    for name, v in table.numbers.items():
        bad, why = np.isinf(v), "infinite"
        if name == "shares_outstanding":
            bad, why = bad | (v <= 0), "not above 0"
        values[name] = np.where(bad, np.nan, v)
        cleared[f"{name} {why}"] = int(bad.sum())
    return values, cleared


def symbols_of(stored: xr.Dataset) -> pd.Index:
    """Return the symbols of a store's assets; their labels where it has no symbols.

    Parameters
    ----------
    stored
        An open store.

    Returns
    -------
    pandas.Index
        Strings.
    """
    label = stored["symbol"] if "symbol" in stored.coords else stored[panel.ASSET]
    return pd.Index([str(s) for s in label.to_numpy()], dtype=object)


def match(
    reports: Reports, symbols: pd.Index, known: Securities | None
) -> tuple[pd.DataFrame, list[str]]:
    """Find the assets of the reports; drop those of unknown symbols and repeated ones.

    Parameters
    ----------
    reports
        What was read; the rows dropped are added to `rejected`.
    symbols
        Those of the panel's assets, in their order.
    known
        What is known of the securities.

    Returns
    -------
    tuple
        The frame of the reports kept, with the column `asset` (position in the panel), and
        sentences for the summary.

    Raises
    ------
    PanelError
        If a symbol names several assets or none is found.
    """
    if not symbols.is_unique:
        raise panel.error(
            f"the symbol {symbols[symbols.duplicated()][0]!r} names several assets of the store",
            "one asset for each symbol",
            "Give each asset of the store a symbol of its own",
        )
    notes, frame = list(reports.notes), reports.frame
    position = symbols.get_indexer(pd.Index(frame["symbol"]))
    absent = sorted(set(frame["symbol"][position < 0]))
    reports.rejected["of symbols not in the store"] = int((position < 0).sum())
    if absent:
        notes.append(f"{len(absent)} symbols are not in the store: {listing(absent)}")
    frame = frame.assign(asset=position)[position >= 0]
    if frame.empty:
        raise panel.error(
            f"none of the symbols of the reports ({listing(absent)}) is in the store",
            f"symbols like {listing(symbols[:3].tolist())}",
            "Check the column; type --columns asset=NAME for another",
        )
    dropped = repeats(frame, known.companies if known is not None else {})
    second = frame["symbol"].isin(list(dropped))
    reports.rejected["that repeat another symbol"] = int(second.sum())
    if dropped:
        pairs = [f"{symbol} ({kept} kept)" for symbol, kept in sorted(dropped.items())]
        notes.append(f"left out because they repeat another symbol: {listing(pairs)}")
    frame = frame[~second]
    without = sorted(set(symbols) - set(frame["symbol"]))
    if without:
        notes.append(f"{len(without)} assets have no fundamentals: {listing(without)}")
    return frame, notes


def _further(columns: Mapping[str, str]) -> list[Column]:
    """Return the items beyond the usual ones that `columns` asks for."""
    usual = {c.name for c in (*KEYS, *ITEMS)}
    for name in columns:
        if name in DERIVED or not name.isidentifier():
            raise panel.error(
                f"columns names a field {name!r}", "a word that is not taken", "Choose another"
            )
    return [Column(name, "number", (), True) for name in columns if name not in usual]
