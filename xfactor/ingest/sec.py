"""The SEC's Financial Statement Data Sets: quarterly zips of numbers as they were filed."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xfactor import panel
from xfactor.ingest.asked import path_of, rejects_of
from xfactor.ingest.rejects import Rejects
from xfactor.ingest.sheets import BESIDE, Sheet
from xfactor.ingest.tables import Column
from xfactor.ingest.zips import READ_ERRORS, Member

LONGEST = 4
# Dates of values are rounded to the nearest end of a month.
ROUNDING = np.timedelta64(16, "D")
NUM = (
    Column("adsh", "text", (), True),
    Column("tag", "text", (), True),
    Column("ddate", "date", (), True),
    Column("qtrs", "number", (), True),
    Column("uom", "text", (), True),
    Column("value", "number", (), True),
)
SUB = (
    Column("adsh", "text", (), True),
    Column("cik", "number", (), True),
    Column("form", "text", (), True),
    Column("accepted", "date", (), True),
)
TOTALS = ("segments", "coreg")  # empty in the totals of the company itself
KEY = ["cik", "item", "period_end", "quarters", "known_at"]
COLUMNS = ["cik", "item", "period_end", "known_at", "value", "quarters", "filing"]


@dataclass(frozen=True)
class Tags:
    """What an item is called in filings: tags in the order of preference, and units it may have."""

    tags: tuple[str, ...]
    units: tuple[str, ...] = ("USD",)


PER_SHARE = ("USD/shares", "USD")
SEC_ITEMS: dict[str, Tags] = {
    "book_equity": Tags(
        (
            "StockholdersEquity",
            "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
            "PartnersCapital",
        )
    ),
    "total_assets": Tags(("Assets",)),
    "total_liabilities": Tags(("Liabilities",)),
    "cash": Tags(
        (
            "CashAndCashEquivalentsAtCarryingValue",
            "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents",
        )
    ),
    "long_term_debt": Tags(("LongTermDebtNoncurrent", "LongTermDebt")),
    "net_income": Tags(
        ("NetIncomeLoss", "ProfitLoss", "NetIncomeLossAvailableToCommonStockholdersBasic")
    ),
    "revenue": Tags(
        (
            "Revenues",
            "RevenueFromContractWithCustomerExcludingAssessedTax",
            "RevenueFromContractWithCustomerIncludingAssessedTax",
            "SalesRevenueNet",
            "SalesRevenueGoodsNet",
        )
    ),
    "cost_of_revenue": Tags(("CostOfRevenue", "CostOfGoodsAndServicesSold", "CostOfGoodsSold")),
    "gross_profit": Tags(("GrossProfit",)),
    "operating_income": Tags(("OperatingIncomeLoss",)),
    "operating_cash_flow": Tags(
        (
            "NetCashProvidedByUsedInOperatingActivities",
            "NetCashProvidedByUsedInOperatingActivitiesContinuingOperations",
        )
    ),
    "capital_expenditure": Tags(("PaymentsToAcquirePropertyPlantAndEquipment",)),
    "shares_outstanding": Tags(
        ("EntityCommonStockSharesOutstanding", "CommonStockSharesOutstanding"), ("shares",)
    ),
    "earnings_per_share": Tags(("EarningsPerShareDiluted", "EarningsPerShareBasic"), PER_SHARE),
}


def read_sec(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    items: Mapping[str, Tags] | None = None,
    ciks: Sequence[int] | None = None,
    forms: Sequence[str] | None = None,
    close: str | None = "16:00",
    strict: bool = False,
    rejects: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    r"""Read records from Financial Statement Data Sets, as `ingest_records` takes them.

    Parameters
    ----------
    source
        One zip as published (``2009q3.zip``), several, or a folder of them.
    items
        Item -> tags in the order of preference and units; `SEC_ITEMS` if not given.
    ciks
        Companies wanted; all if not given.
    forms
        Forms wanted, e.g. ``["10-K", "10-Q", "10-K/A", "10-Q/A"]``; all if not given.
    close
        Time of day, in the SEC's time zone, by which a filing must be accepted to be known at the
        end of that day's session. A later one is known in the next session; with None, all are.
    strict
        Raise at the first row that cannot be read, instead of leaving it out.
    rejects
        File in which to list what is left out: file, row (1 is the first below the header),
        column, value, reason. Parquet by its suffix, otherwise CSV.

    Returns
    -------
    pandas.DataFrame
        ``cik, item, period_end, known_at, value, quarters, filing``, one row per record, sorted.
        `filing` is the accession number. ``attrs["rows_read"]`` counts the rows of all numbers,
        ``attrs["rejected"]`` the rows left out by reason.

    Raises
    ------
    PanelError
        If a file is missing or cannot be read, or all that is wanted of it is rejected.

    Notes
    -----
    Only totals of the company itself are taken: `segments` and `coreg` empty. A filing also
    repeats values of earlier periods; those are records too, and where they differ from what was
    filed then, restatements known from this filing on. In each filing an item is that tag of its
    list which comes first among those with a value for the newest period, for all its periods, so
    that no comparison is between two definitions. Values in other units (filers in CAD, JPY)
    are left out, and so are lengths beyond four quarters. Among what is wanted, rows without a
    value or with one that cannot be read are rejected.

    Dates of values are rounded to the end of a month there; one that would lie after the filing is
    set to the filing's day. The numbers are read in blocks of 8 MB, of which only the wanted tags
    are kept.

    References
    ----------
    U.S. Securities and Exchange Commission, Financial Statement Data Sets (readme.htm in each).

    Examples
    --------
    >>> import pathlib, tempfile, zipfile
    >>> from xfactor.ingest import read_sec
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "2009q3.zip"
    >>> with zipfile.ZipFile(path, "w") as file:
    ...     file.writestr("sub.txt", "adsh\tcik\tform\taccepted\n"
    ...                   "0-1\t37996\t10-Q\t2009-08-07 17:05:00.0\n")
    ...     file.writestr("num.txt", "adsh\ttag\tddate\tqtrs\tuom\tsegments\tcoreg\tvalue\n"
    ...                   "0-1\tAssets\t20090630\t0\tUSD\t\t\t5.0\n")
    >>> read_sec(path)[["cik", "item", "known_at", "value"]].values.tolist()
    [[37996, 'total_assets', Timestamp('2009-08-07 17:05:00'), 5.0]]
    """
    wanted = _wanted(items, ciks, forms)
    after = None if close is None else _time_of_day(close)
    paths = _paths(source)
    names = [f"{p}/{m}" for p in paths for m in ("sub.txt", "num.txt")]
    listed = rejects_of(rejects, strict, names, paths)
    with listed.listing():
        parts, rows = [], 0
        for i, path in enumerate(paths):
            try:
                part, read = _read_zip(path, wanted, listed, 2 * i)
            except READ_ERRORS as cause:
                if isinstance(cause, panel.PanelError):
                    raise
                raise panel.error(
                    f"{path} cannot be read: {' '.join(str(cause).split())[:120]}",
                    "a zip of the Financial Statement Data Sets with sub.txt and num.txt",
                    "Download it again",
                ) from cause
            parts.append(_known(*part, after))
            rows += read
    found = pd.concat(parts, ignore_index=True)
    if found.empty and any(listed.rows.values()):
        counted = "; ".join(f"{n:,} {why}" for why, n in listed.rows.items() if n)
        raise panel.error(
            f"no row of {paths[0]} can be used: {counted}", "at least one", "Check the files"
        )
    # Amended again before the same session: the last of them is what the session knows.
    found = found.sort_values([*KEY, "accepted", "filing"]).drop_duplicates(KEY, keep="last")
    found = found[COLUMNS].reset_index(drop=True)
    found.attrs |= {"rows_read": rows, "rejected": dict(listed.rows)}
    return found


@dataclass(frozen=True)
class Wanted:
    """What is taken: items, and of whom and in which forms (all if None)."""

    items: Mapping[str, Tags]
    ciks: Sequence[int] | None
    forms: Sequence[str] | None

    def tags(self) -> pa.Array:
        """Return all tags, as they stand in a file."""
        return pa.array(sorted({t.encode() for item in self.items.values() for t in item.tags}))


def _wanted(items: Any, ciks: Any, forms: Any) -> Wanted:
    items = SEC_ITEMS if items is None else items
    if not isinstance(items, Mapping) or not all(isinstance(t, Tags) for t in items.values()):
        raise panel.error(
            f"items={panel.shown(items)} was given", "a mapping of items to Tags",
            "Write {'assets': Tags(('Assets',))}",
        )  # fmt: skip
    for name, given, kind in (("ciks", ciks, int | np.integer), ("forms", forms, str)):
        several = isinstance(given, list | tuple | set | frozenset | np.ndarray | pd.Series)
        if given is not None and not (several and all(isinstance(g, kind) for g in given)):
            words = "whole numbers" if name == "ciks" else "forms such as '10-K'"
            raise panel.error(f"{name}={panel.shown(given)} was given", f"a list of {words}",
                              "Put it into a list")  # fmt: skip
    return Wanted(
        dict(items), None if ciks is None else list(ciks), None if forms is None else list(forms)
    )


def _paths(source: Any) -> list[Path]:
    given = list(source) if isinstance(source, list | tuple) else [source]
    paths: list[Path] = []
    for path in (Path(path_of("source", g)) for g in given):
        paths += sorted(path.glob("*.zip")) if path.is_dir() else [path]
    absent = [p for p in paths if not p.is_file()]
    if absent or not paths:
        raise panel.error(
            f"no zip is at {absent[0] if absent else source}", "a file", "Check the path"
        )
    return paths


def _time_of_day(close: str) -> np.timedelta64:
    try:
        hours, minutes = (int(w) for w in close.split(":"))
        if 0 <= hours < 24 and 0 <= minutes < 60:
            return np.timedelta64(60 * hours + minutes, "m")
        raise ValueError
    except (ValueError, AttributeError):
        raise panel.error(f"close={panel.shown(close)} was given", "HH:MM", "Use 16:00") from None


def _read_zip(
    path: Path, wanted: Wanted, rejects: Rejects, first: int
) -> tuple[tuple[pd.DataFrame, Sheet], int]:
    """Return the wanted numbers of one zip with their filings, and the rows of numbers read."""
    with zipfile.ZipFile(path) as file:
        filed = _filed(Member(file, str(path), "sub.txt"), wanted, rejects, first)
        tags, adsh = wanted.tags(), pa.array([a.encode() for a in filed["adsh"]], pa.binary())

        def choose(columns: dict[str, pa.Array]) -> pa.Array:
            mask = pc.and_(pc.is_in(columns["tag"], tags), pc.is_in(columns["adsh"], adsh))
            for name in TOTALS:
                mask = pc.and_(mask, pc.equal(columns[name], b""))
            return mask

        member = Member(file, str(path), "num.txt", ("tag", "adsh", *TOTALS), choose)
        sheet = Sheet([member], NUM, None, (), rejects, first + 1)
    for name, reason, kind in (
        ("ddate", "without a date", "date"),
        ("qtrs", "of no whole number of quarters", "required"),
        ("value", "no number", "value"),
    ):
        sheet.reject(_unusable(sheet, name), reason, name, kind)
    sheet.reject(np.isnan(sheet["value"]), "without a value", "value", BESIDE)
    sheet.reject(np.isinf(sheet["value"]), "with an infinite value", "value")
    rejects.settle()
    numbers = sheet.frame()
    parts = [_of_item(numbers, name, item) for name, item in wanted.items.items()]
    found = pd.concat(parts, ignore_index=True).merge(filed, on="adsh")
    return (found.rename(columns={"adsh": "filing"}), sheet), member.rows


def _unusable(sheet: Sheet, name: str) -> np.ndarray:
    v = sheet[name]
    if name == "ddate":
        return np.isnat(v)
    return sheet.unread(name) if name == "value" else ~((v >= 0) & (v == np.floor(v)))


def _filed(member: Member, wanted: Wanted, rejects: Rejects, first: int) -> pd.DataFrame:
    """Return the filings wanted: adsh, cik, form, accepted."""
    sheet = Sheet([member], SUB, None, (), rejects, first)
    sheet.reject(pd.isna(sheet["adsh"]), "without an accession number", "adsh")
    cik = sheet["cik"]
    sheet.reject(~((cik > 0) & (cik == np.floor(cik)) & (cik < 2**53)), "without a CIK", "cik")
    sheet.reject(np.isnat(sheet["accepted"]), "without a date", "accepted", "date")
    again = np.zeros(len(sheet.ids), bool)
    again[sheet.kept] = pd.Series(sheet["adsh"][sheet.kept]).duplicated()
    sheet.reject(again, "of an accession number that is there already", "adsh", "duplicate")
    rejects.settle()
    filed = sheet.frame().drop(columns="id").astype({"cik": np.int64})
    for name, some in (("cik", wanted.ciks), ("form", wanted.forms)):
        filed = filed if some is None else filed[filed[name].isin(some)]
    return filed


def _of_item(numbers: pd.DataFrame, name: str, item: Tags) -> pd.DataFrame:
    """Return the rows of one item, with one tag for each filing."""
    rank = {tag: i for i, tag in enumerate(item.tags)}
    own = numbers[numbers["tag"].isin(item.tags) & numbers["uom"].isin(item.units)]
    own = own[own["qtrs"] <= LONGEST]
    own = own.assign(
        rank=own["tag"].map(rank).astype(int),
        unit=own["uom"].map({u: i for i, u in enumerate(item.units)}).astype(int),
        quarters=own["qtrs"].astype(np.int64),
        period_end=own["ddate"],
    )
    newest = own[own["period_end"] == own.groupby("adsh")["period_end"].transform("max")]
    best = newest.groupby("adsh")["rank"].min()
    own = own[own["rank"] == own["adsh"].map(best)]
    # Of several values of one period, which no filing should have, the choice is the same in any
    # order of rows.
    own = own.sort_values(["unit", "value"], kind="stable")
    own = own.drop_duplicates(["adsh", "period_end", "quarters"])
    return own[["adsh", "period_end", "quarters", "value", "id"]].assign(item=name)


def _known(found: pd.DataFrame, sheet: Sheet, close: np.timedelta64 | None) -> pd.DataFrame:
    """Say when each record was known; leave out those of periods that had not ended."""
    accepted = found["accepted"]
    day = accepted.dt.floor("D")
    known = accepted if close is None else day.where(accepted - day <= close, accepted)
    early = found["period_end"] > day
    end = found["period_end"].where(~early, day)
    rounded = found["period_end"] - day <= ROUNDING
    lost = np.isin(sheet.ids, found["id"][~rounded])
    sheet.reject(lost, "of a period that had not ended", "ddate", BESIDE)
    return found.assign(known_at=known, period_end=end)[rounded.to_numpy()]
