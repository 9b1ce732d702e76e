"""Read a long table of records, one row each, and find the assets they belong to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from xfactor import panel
from xfactor.ingest.cells import whole_numbers
from xfactor.ingest.dates import Dates, shown, unreadable, words_of
from xfactor.ingest.ledger import COLUMNS
from xfactor.ingest.prices import SYMBOLS
from xfactor.ingest.reports import Directory
from xfactor.ingest.summary import listing
from xfactor.ingest.tables import Column, read_table

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
FRAME = "the frame"


@dataclass(frozen=True)
class Filings:
    """Records read, with their symbols or companies.

    Parameters
    ----------
    source
        What was read, for the summary.
    frame
        One row per record; of `WHO`, the columns that the source has.
    rows_read
        Rows of the source.
    published
        Whether `known_at` is from the source.
    rejected, cleared
        Counts of rows left out, and of values set missing, by reason.
    """

    source: str
    frame: pd.DataFrame
    rows_read: int
    published: bool
    rejected: dict[str, int]
    cleared: dict[str, int]


def read_filings(
    source: str | os.PathLike[str] | pd.DataFrame, lag_days: int, columns: Mapping[str, str]
) -> Filings:
    """Read a long table of records.

    Parameters
    ----------
    source
        Parquet or CSV file, or a frame.
    lag_days
        Days from a period's end to the day a record is known, where the source does not say.
    columns
        Our name -> the source's name.

    Returns
    -------
    Filings
        Without the rows that cannot be used.

    Raises
    ------
    PanelError
        If it cannot be read.
    """
    given = isinstance(source, pd.DataFrame)
    raw = _from_frame(source, columns) if given else _from_file(source, columns)
    published = "known_at" in raw
    if not published:
        raw["known_at"] = raw["period_end"] + np.timedelta64(lag_days, "D")
    raw["quarters"] = raw["quarters"] if "quarters" in raw else 0.0
    raw["filing"] = raw["filing"].fillna("") if "filing" in raw else ""
    frame, rejected = _usable(raw)
    name = "a DataFrame" if given else str(source)
    return Filings(name, frame, len(raw), published, rejected, {})


def _from_file(source: Any, columns: Mapping[str, str]) -> pd.DataFrame:
    table = read_table(source, WANTED, columns, one_of=WHO)
    texts = {name: text.values() for name, text in table.texts.items()}
    return pd.DataFrame({**table.dates, **table.numbers, **texts})


def _from_frame(source: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    frame = source.rename(columns={theirs: ours for ours, theirs in columns.items()})
    needed = [c.name for c in WANTED if c.required]
    absent = [n for n in needed if n not in frame]
    if absent or not set(WHO) & set(frame):
        listed = ", ".join(map(str, frame.columns[:30]))
        raise panel.error(
            f"the frame has no column {absent[0] if absent else 'asset'!r}",
            f"{', '.join(needed)} and one of {', '.join(WHO)}",
            f"It has: {listed}; rename one",
        )
    frame = frame[[c.name for c in WANTED if c.name in frame]].reset_index(drop=True).copy()
    for column in (c for c in WANTED if c.name in frame):
        if column.kind == "date":
            frame[column.name] = _dates(frame[column.name])
        elif column.kind == "number":
            frame[column.name] = _numbers(frame[column.name])
    return frame


def _dates(column: pd.Series) -> np.ndarray:
    """Return the dates of a column; missing where it is empty.

    It is read as one of a file is: pandas would take 20130331 for nanoseconds, and 3/4/2013 for
    the fourth of March, also where it is the third of April.
    """
    try:
        cells = pa.array(column, from_pandas=True)
    except pa.ArrowException as cause:
        raise _wrong(column, cause, "dates without time zone") from cause
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    cells = whole_numbers(cells) if pa.types.is_floating(cells.type) else cells
    days = Dates(str(column.name), None, lambda: [words_of(cells)]).read(cells, FRAME)
    bad = np.flatnonzero(np.isnat(days) & column.notna().to_numpy())
    if len(bad):
        first = bad[0]
        raise unreadable(
            len(bad), len(days), str(column.name), FRAME, first + 1, shown(cells, first)
        )
    return days


def _numbers(column: pd.Series) -> pd.Series:
    try:
        found = column.astype(float)
    except (ValueError, TypeError) as cause:
        raise _wrong(column, cause, "numbers") from cause
    return found


def _wrong(column: pd.Series, cause: Exception, needed: str) -> panel.PanelError:
    why = " ".join(str(cause).split())[:80]
    return panel.error(
        f"the column {str(column.name)!r} of {FRAME} cannot be read: {why}", needed, "Convert it"
    )


def _usable(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Leave out the rows that are no record, and count them by reason; the first reason counts."""
    who = raw[[w for w in WHO if w in raw]]
    quarters = raw["quarters"]
    reasons = {
        "without an asset": who.isna().all(axis=1),
        "without an item": raw["item"].isna(),
        "without a date": raw["period_end"].isna() | raw["known_at"].isna(),
        "without a value": raw["value"].isna(),
        "with an infinite value": np.isinf(raw["value"]),
        "of no 0 to 4 quarters": ~quarters.isin(range(LONGEST + 1)),
        "known before their period ended": raw["known_at"] < raw["period_end"].dt.floor("D"),
        "of shares not above 0": raw["item"].eq("shares_outstanding") & (raw["value"] <= 0),
    }
    rejected, left = {}, np.ones(len(raw), bool)
    for reason, bad in reasons.items():
        rejected[reason] = int((bad.to_numpy() & left).sum())
        left &= ~bad.to_numpy()
    frame = raw[left].assign(period_end=raw["period_end"].dt.floor("D"))
    words = [w for w in frame["item"].unique() if not str(w).isidentifier()]
    if words:
        raise panel.error(
            f"the item {panel.shown(words[0])} is no word", "items that can name a field",
            "Rename it, e.g. total_assets",
        )  # fmt: skip
    return frame, rejected


def match_filings(
    filings: Filings, assets: Directory, companies: Mapping[str, str]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Find the assets of records.

    Parameters
    ----------
    filings
        What was read; rows of unknown assets are added to `rejected`.
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
    frame, notes = filings.frame, []
    kind = next(w for w in WHO if w in frame)
    at = _positions(frame, kind, assets, companies)
    absent = sorted({str(w) for w in frame[kind][at < 0]})
    filings.rejected["of assets not in the store"] = int((at < 0).sum())
    if (at < 0).all():
        raise panel.error(
            f"none of the assets of the records ({listing(absent)}) is in the store",
            f"assets like {listing(assets.names()[:3].tolist())}",
            "Pass securities=, a file with Symbol and CIK" if kind == "cik" else "Check the column",
        )
    if absent:
        notes.append(f"{len(absent)} assets are not in the store: {listing(absent)}")
    if not filings.published:
        notes.append("records are known some days after their period's end")
    kept = frame[at >= 0].assign(asset=assets.assets.to_numpy()[at[at >= 0]])
    kept = kept.assign(quarters=kept["quarters"].astype(np.int8))[["item", *COLUMNS]]
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
