"""Read a long table of records, one row each, and find the assets they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xfactor import panel
from xfactor.ingest.asked import can_name
from xfactor.ingest.layout import titled
from xfactor.ingest.ledger import COLUMNS
from xfactor.ingest.prices import SYMBOLS
from xfactor.ingest.rejects import Rejects
from xfactor.ingest.reports import Directory
from xfactor.ingest.sheets import BESIDE, Sheet
from xfactor.ingest.sources import Part
from xfactor.ingest.summary import listing
from xfactor.ingest.tables import Column

WHO = ("asset", "asset_id", "cik")
WANTED = (
    Column("asset", "text", SYMBOLS),
    Column("asset_id", "number", ("id", "permno", "gvkey")),
    Column("cik", "text", ("cik number",)),
    Column("item", "text", ("tag", "field", "variable"), True),
    Column("period_end", "date", ("period ending", "datadate", "ddate", "period"), True),
    Column("known_at", "date", ("accepted", "filing date", "filed", "publication date", "rdq")),
    Column("value", "number", (), True),
    Column("quarters", "number", ("qtrs",)),
    Column("filing", "text", ("adsh", "accession number")),
)
LONGEST = 4


@dataclass(frozen=True)
class Filings:
    """Records read, with their symbols or companies.

    Parameters
    ----------
    source
        What was read, for messages and the summary.
    sheet
        All rows, and what was not taken.
    frame
        One row per record; of `WHO`, the column `who` that says whose it is; `id`, the row.
    who
        One of `WHO`.
    published
        Whether `known_at` is from the source.
    notes
        Sentences for the summary.
    """

    source: str
    sheet: Sheet
    frame: pd.DataFrame
    who: str
    published: bool
    notes: list[str]


def read_filings(
    parts: Sequence[Part], lag_days: int, columns: Mapping[str, str], rejects: Rejects
) -> Filings:
    """Read a long table of records.

    Parameters
    ----------
    parts
        Files and tables.
    lag_days
        Days from a period's end to the day a record is known, where the source does not say.
    columns
        Our name -> the source's name.
    rejects
        Where to count what is not taken.

    Returns
    -------
    Filings
        Without the rows that cannot be used.

    Raises
    ------
    PanelError
        If it cannot be read, a row is rejected that must not be, or none is left.
    """
    sheet, source = Sheet(parts, WANTED, columns, WHO, rejects), titled(parts)
    who = next(w for w in WHO if w in sheet)
    published = "known_at" in sheet
    if not published:
        sheet.columns["known_at"] = sheet["period_end"] + np.timedelta64(lag_days, "D")
    notes = [] if published else ["records are known some days after their period's end"]
    sheet.reject(pd.isna(sheet[who]), "without an asset", who, "asset")
    notes += _reject_items(sheet)
    for name in ("period_end", "known_at"):
        sheet.reject(np.isnat(sheet[name]), "without a date", name, "date")
    _reject_values(sheet)
    sheet.settle(source)
    frame = sheet.frame()
    frame["period_end"] = frame["period_end"].dt.floor("D")
    frame["filing"] = frame["filing"].fillna("") if "filing" in frame else ""
    frame["quarters"] = frame["quarters"] if "quarters" in frame else 0.0
    return Filings(source, sheet, frame, who, published, notes)


def _reject_items(sheet: Sheet) -> list[str]:
    """Leave out the rows whose item can name no field; say which items these are."""
    item = sheet["item"]
    sheet.reject(pd.isna(item), "without an item", "item")
    codes, words = pd.factorize(item)
    odd = np.array([not can_name(str(w)) for w in words] + [False], bool)
    sheet.reject(odd[codes], "of an item that is no word", "item")
    names = sorted(str(w) for w in words[odd[:-1]])
    return [f"items that can name no field: {listing(names)}; rename them"] if names else []


def _reject_values(sheet: Sheet) -> None:
    """Leave out the rows that have no value, or one that cannot be."""
    value, known = sheet["value"], sheet["known_at"]
    sheet.reject(sheet.unread("value"), "no number", "value", "value")
    sheet.reject(np.isnan(value), "without a value", "value")
    sheet.reject(np.isinf(value), "with an infinite value", "value")
    if "quarters" in sheet:
        odd = ~np.isin(sheet["quarters"], range(LONGEST + 1))
        sheet.reject(odd, "of no 0 to 4 quarters", "quarters")
    early = known < sheet["period_end"].astype("datetime64[D]")
    sheet.reject(early, "known before their period ended", "known_at")
    none = (sheet["item"] == "shares_outstanding") & (value <= 0)
    sheet.reject(none, "of shares not above 0", "value")


def match_filings(
    filings: Filings, assets: Directory, companies: Mapping[str, str]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Find the assets of records.

    Parameters
    ----------
    filings
        What was read; rows of unknown assets are rejected.
    assets
        The store's assets.
    companies
        Symbol -> CIK, where the records have one.

    Returns
    -------
    tuple
        Item -> its records as `ledger.COLUMNS`, and sentences for the summary.

    Raises
    ------
    PanelError
        If no asset is found.
    """
    frame, kind, notes = filings.frame, filings.who, list(filings.notes)
    at = _positions(frame, kind, assets, companies)
    absent = sorted({str(w) for w in frame[kind][at < 0]})
    lost = np.isin(filings.sheet.ids, frame["id"].to_numpy()[at < 0])
    filings.sheet.reject(lost, "of assets not in the store", kind, BESIDE)
    if (at < 0).all():
        raise panel.error(
            f"none of the assets of the records ({listing(absent)}) is in the store",
            f"assets like {listing(assets.names()[:3].tolist())}",
            "Pass securities=, a file with Symbol and CIK" if kind == "cik" else "Check the column",
        )
    if absent:
        who = panel.several(len(absent), "asset is", "assets are")
        notes.append(f"{who} not in the store: {listing(absent)}")
    kept = frame[at >= 0].assign(asset=assets.assets.to_numpy()[at[at >= 0]])
    kept = kept.assign(quarters=kept["quarters"].astype(np.int8), assumed=not filings.published)
    kept = kept[["item", *COLUMNS]]
    parts = kept.groupby("item", sort=True)
    return {str(n): f[list(COLUMNS)].reset_index(drop=True) for n, f in parts}, notes


def _positions(
    frame: pd.DataFrame, kind: str, assets: Directory, companies: Mapping[str, str]
) -> np.ndarray:
    if kind == "asset":
        known, end = frame["known_at"].to_numpy(), frame["period_end"].to_numpy()
        return assets.find(frame["asset"].to_numpy(object), known, end)
    if kind == "asset_id":
        return assets.assets.get_indexer(pd.Index(frame["asset_id"]))  # 1.5 is nobody's
    # Of the symbols of a company, the one that stands first in the store.
    own = {
        _number(companies[s]): i
        for i, s in reversed(list(enumerate(assets.names())))
        if s in companies
    }
    return np.array([own.get(_number(c), -1) for c in frame["cik"]], np.int64)


def _number(cik: Any) -> str:
    return str(cik).strip().removesuffix(".0").lstrip("0")
