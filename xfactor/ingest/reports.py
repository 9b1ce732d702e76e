"""Read a table of reports and find the assets they belong to."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.identity import Symbols
from xfactor.identity import symbols as symbols_of_store
from xfactor.ingest.asked import can_name
from xfactor.ingest.layout import titled
from xfactor.ingest.prices import SYMBOLS
from xfactor.ingest.rejects import Rejects
from xfactor.ingest.sheets import BESIDE, Sheet
from xfactor.ingest.sources import Part
from xfactor.ingest.summary import listing
from xfactor.ingest.tables import Column

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
    source
        What was read, for messages and the summary.
    sheet
        All rows, and what was not taken.
    frame
        One row per report: symbol, end, known, id (the row), and one column for each item.
    items
        Names of the items.
    published
        Whether `known` is from the source.
    notes
        Sentences for the summary.
    """

    source: str
    sheet: Sheet
    frame: pd.DataFrame
    items: Sequence[str]
    published: bool
    notes: list[str]


def read_reports(
    parts: Sequence[Part], lag_days: int, columns: Mapping[str, str], rejects: Rejects
) -> Reports:
    """Read a table with one row per report.

    Parameters
    ----------
    parts
        Files and tables.
    lag_days
        Days from a period's end to the day a report is known, if the source does not say.
    columns
        Our name -> the source's name; names beyond the usual ones are further items.
    rejects
        Where to count what is not taken.

    Returns
    -------
    Reports
        Without those that name no asset or are known before their period ended.

    Raises
    ------
    PanelError
        If it cannot be read, a row is rejected that must not be, or none is left.
    """
    wanted = (*KEYS, *ITEMS, *_further(columns))
    sheet, source = Sheet(parts, wanted, columns, (), rejects), titled(parts)
    published = "known_at" in sheet
    if not published:
        sheet.columns["known_at"] = sheet["period_end"] + np.timedelta64(lag_days, "D")
    sheet.reject(pd.isna(sheet["asset"]), "without an asset", "asset", "asset")
    for name in ("period_end", "known_at"):
        sheet.reject(np.isnat(sheet[name]), "without a date", name, "date")
    early = sheet["known_at"] < sheet["period_end"].astype("datetime64[D]")
    sheet.reject(early, "known before their period ended", "known_at")
    items = sorted(c.name for c in wanted if c.kind == "number")
    for name in items:
        sheet.clear(sheet.unread(name), "no number", name, "value")
        sheet.clear(np.isinf(sheet[name]), "infinite", name)
        if name == "shares_outstanding":
            sheet.clear(sheet[name] <= 0, "not above 0", name)
    sheet.settle(source)
    names = {"asset": "symbol", "period_end": "end", "known_at": "known"}
    frame = sheet.frame().rename(columns=names)
    notes = [] if published else [f"reports are known {lag_days} days after their period's end"]
    return Reports(source, sheet, frame, items, published, notes)


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


def match(reports: Reports, known: Directory) -> tuple[pd.DataFrame, list[str]]:
    """Find the assets of the reports; leave out those of unknown symbols.

    Parameters
    ----------
    reports
        What was read.
    known
        The store's assets by symbol.

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
    lost = np.isin(reports.sheet.ids, frame["id"].to_numpy()[position < 0])
    reports.sheet.reject(lost, "of symbols not in the store", "asset", BESIDE)
    if absent:
        who = panel.several(len(absent), "symbol is", "symbols are")
        notes.append(f"{who} not in the store: {listing(absent)}")
    frame = frame.assign(asset=position)[position >= 0]
    if frame.empty:
        raise panel.error(
            f"none of the symbols of the reports ({listing(absent)}) is in the store",
            f"symbols like {listing(known.names()[:3].tolist())}",
            "Check the column; type --columns asset=NAME for another",
        )
    return frame, notes


def _further(columns: Mapping[str, str]) -> list[Column]:
    """Return the items beyond the usual ones that `columns` asks for."""
    usual = {c.name for c in (*KEYS, *ITEMS)}
    for name in columns:
        if name in DERIVED or not can_name(name):
            raise panel.error(
                f"columns names a field {panel.shown(name)}",
                "a word that is not taken",
                "Choose another",
            )
    return [Column(name, "number", (), True) for name in columns if name not in usual]
