"""What is known of the companies behind the symbols: sectors and share classes."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from xfactor import panel
from xfactor.ingest.prices import SYMBOLS
from xfactor.ingest.tables import Column, read_table

COLUMNS = (
    Column("asset", "text", SYMBOLS, True),
    Column("sector", "text", ("gics sector", "industry sector")),
    Column("cik", "text"),
)
# Balance sheets are rounded to millions, so among some hundred companies one equal figure is
# chance; two equal ones, and none that differs, are not.
EQUAL_PERIODS = 2


@dataclass(frozen=True)
class Securities:
    """Symbol -> sector, and symbol -> company (CIK), where known."""

    sectors: Mapping[str, str]
    companies: Mapping[str, str]


def read_securities(source: str | os.PathLike[str]) -> Securities:
    """Read a list of securities.

    Parameters
    ----------
    source
        Parquet or CSV file, one row per symbol, with a sector and/or a CIK.

    Returns
    -------
    Securities
        Two mappings.

    Raises
    ------
    PanelError
        If it cannot be read, has neither column, or a symbol stands there twice.
    """
    table = read_table(source, COLUMNS, one_of=("sector", "cik"))
    frame = pd.DataFrame({name: text.values() for name, text in table.texts.items()})
    frame = frame[frame["asset"].notna()]
    twice = frame["asset"].duplicated()
    if twice.any():
        raise panel.error(
            f"{source} has {frame['asset'][twice].iloc[0]!r} more than once",
            "one row for each symbol",
            "Remove the duplicates",
        )
    found = frame.set_index("asset")

    def column(name: str) -> dict[str, str]:
        if name not in found:
            return {}
        there = found[name].dropna()
        return dict(zip(map(str, there.index), there, strict=True))

    return Securities(column("sector"), column("cik"))


def sector_codes(
    symbols: Iterable[str], sectors: Mapping[str, str]
) -> tuple[np.ndarray, list[str]]:
    """Number the sectors in alphabetical order.

    Parameters
    ----------
    symbols
        Those of the panel.
    sectors
        Symbol -> sector.

    Returns
    -------
    tuple
        int16 code of each symbol, -1 where there is none; the sectors.
    """
    words = sorted(set(sectors.values()))
    number = {word: i for i, word in enumerate(words)}
    codes = [number.get(sectors.get(s, ""), panel.MISSING_CODE) for s in symbols]
    return np.array(codes, np.int16), words


def repeats(frame: pd.DataFrame, companies: Mapping[str, str]) -> dict[str, str]:
    """Find the symbols whose reports are those of another symbol: share classes, and mistakes.

    Parameters
    ----------
    frame
        Reports with the columns `symbol`, `asset` (position in the panel, which goes by first
        date and symbol), `end`, `known`, `book_equity`, `shares_outstanding`.
    companies
        Symbol -> company, where known. Symbols of one company repeat each other, and so do those
        whose book equity is equal in every period that both have, two at least.

    Returns
    -------
    dict
        Symbol to leave out -> the one that is kept: with share counts for the most periods, then
        the one listed first, then the first symbol.
    """
    groups: dict[str, set[str]] = {}
    for a, b in [*_same_company(frame, companies), *_same_balance_sheet(frame)]:
        together = groups.get(a, {a}) | groups.get(b, {b})
        groups.update(dict.fromkeys(together, together))
    periods = frame[frame["shares_outstanding"].notna()].groupby("symbol")["end"].nunique()
    counts, asset = periods.to_dict(), dict(zip(frame["symbol"], frame["asset"], strict=True))
    kept = {s: min(g, key=lambda s: (-counts.get(s, 0), asset[s])) for s, g in groups.items()}
    return {symbol: kept[symbol] for symbol in sorted(kept) if kept[symbol] != symbol}


def _same_company(frame: pd.DataFrame, companies: Mapping[str, str]) -> list[tuple[str, str]]:
    first: dict[str, str] = {}
    symbols = [s for s in sorted(set(frame["symbol"])) if s in companies]
    return [(first.setdefault(companies[s], s), s) for s in symbols]


def _same_balance_sheet(frame: pd.DataFrame) -> list[tuple[str, str]]:
    sheet = frame[frame["book_equity"].notna()].sort_values("known")
    sheet = sheet.drop_duplicates(["symbol", "end"], keep="first").sort_values("symbol")
    alike = sheet[sheet.duplicated(["end", "book_equity"], keep=False)]
    pairs = {
        pair
        for _, symbols in alike.groupby(["end", "book_equity"])["symbol"]
        for pair in combinations(symbols, 2)
    }
    sheet = sheet[sheet["symbol"].isin(alike["symbol"])]
    whole = {s: f.set_index("end")["book_equity"] for s, f in sheet.groupby("symbol")}
    found = []
    for a, b in sorted(pairs):
        both = pd.concat([whole[a], whole[b]], axis=1, join="inner")
        if len(both) >= EQUAL_PERIODS and (both.iloc[:, 0] == both.iloc[:, 1]).all():
            found.append((a, b))
    return found
