"""Read a table of reports and find the assets they belong to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.identity import Symbols
from xfactor.identity import symbols as symbols_of_store
from xfactor.ingest.companies import repeats
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


@dataclass(frozen=True)
class Directory:
    """The assets of a store, by symbol.

    Parameters
    ----------
    symbols
        Their symbols, and when.
    assets
        Labels of the panel.
    """

    symbols: Symbols
    assets: pd.Index

    def names(self) -> pd.Index:
        """Return the symbol that each asset had last."""
        order = np.argsort(self.symbols.end, kind="stable")
        last = dict(
            zip(self.symbols.asset[order].tolist(), self.symbols.symbol[order], strict=True)
        )
        return pd.Index([str(last.get(a, a)) for a in self.assets], dtype=object)

    def find(self, symbol: np.ndarray, known: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the position of the asset of each report, or -1.

        It is that which has the symbol when the report becomes known, else when the period ends,
        else the only one that ever had it.
        """
        spell = self.symbols.locate(symbol, known)
        spell = np.where(spell < 0, self.symbols.locate(symbol, end), spell)
        owners = pd.DataFrame({"symbol": self.symbols.symbol, "asset": self.symbols.asset})
        owners = owners.drop_duplicates()
        only = owners.drop_duplicates("symbol", keep=False)
        only = only.set_index("symbol")["asset"]
        position = self.assets.get_indexer(pd.Index(self.symbols.asset))[spell]
        place = pd.Index(only.index).get_indexer(pd.Index(symbol, dtype=object))
        alone = np.append(self.assets.get_indexer(pd.Index(only)), -1)[place]
        return np.where(spell < 0, alone, position)


def directory(store: str | os.PathLike[str], stored: xr.Dataset) -> Directory:
    """Return the assets of a store by symbol.

    Parameters
    ----------
    store, stored
        Path of a store, and the store opened.

    Returns
    -------
    Directory
        To find assets in.

    Raises
    ------
    PanelError
        If a symbol names several assets and the store has no history of symbols.
    """
    found = symbols_of_store(store)
    always = found.start == found.start.min(initial=found.start[0])
    twice = pd.Series(found.symbol[always]).duplicated()
    if twice.any():
        raise panel.error(
            f"the symbol {found.symbol[always][twice.to_numpy()][0]!r} names several assets of "
            "the store",
            "one asset for each symbol",
            "Give each asset of the store a symbol of its own",
        )
    return Directory(found, stored.indexes[panel.ASSET])


def match(
    reports: Reports, known: Directory, companies: Mapping[str, str], before: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Find the assets of the reports; drop those of unknown symbols and repeated ones.

    Parameters
    ----------
    reports
        What was read; the rows dropped are added to `rejected`.
    known
        The store's assets by symbol.
    companies
        Symbol -> company, where known.
    before
        Reports that the store has, as the columns of the frame that is returned.

    Returns
    -------
    tuple
        The frame of the reports kept, with the column `asset` (position in the panel), and
        sentences for the summary.

    Raises
    ------
    PanelError
        If none of the symbols is found.
    """
    notes, frame = list(reports.notes), reports.frame
    symbol, day, end = (frame[n].to_numpy() for n in ("symbol", "known", "end"))
    position = known.find(symbol, day, end)
    absent = sorted(set(symbol[position < 0]))
    reports.rejected["of symbols not in the store"] = int((position < 0).sum())
    if absent:
        notes.append(f"{len(absent)} symbols are not in the store: {listing(absent)}")
    frame = frame.assign(asset=position)[position >= 0]
    names = known.names()
    if frame.empty:
        raise panel.error(
            f"none of the symbols of the reports ({listing(absent)}) is in the store",
            f"symbols like {listing(names[:3].tolist())}",
            "Check the column; type --columns asset=NAME for another",
        )
    had = set(before["symbol"])
    dropped = repeats(pd.concat([before, frame], ignore_index=True), companies)
    dropped = {s: kept for s, kept in dropped.items() if s not in had}
    second = frame["symbol"].isin(list(dropped))
    reports.rejected["that repeat another symbol"] = int(second.sum())
    if dropped:
        pairs = [f"{symbol} ({kept} kept)" for symbol, kept in sorted(dropped.items())]
        notes.append(f"left out because they repeat another symbol: {listing(pairs)}")
    frame = frame[~second]
    without = sorted(set(names) - set(frame["symbol"]) - had)
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
