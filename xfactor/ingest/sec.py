"""The SEC's Financial Statement Data Sets: quarterly zips of numbers as they were filed."""

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from xfactor import panel

BLOCK_BYTES = 1 << 23
LONGEST = 4
# Dates of values are rounded to the nearest end of a month.
ROUNDING = np.timedelta64(16, "D")
READ_ERRORS = (zipfile.BadZipFile, pa.ArrowException, OSError, EOFError, KeyError)
NUM = ("adsh", "tag", "ddate", "qtrs", "uom", "segments", "coreg", "value")
SUB = ("adsh", "cik", "form", "accepted")
KEY = ["cik", "item", "period_end", "quarters", "known_at"]


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

    Returns
    -------
    pandas.DataFrame
        ``cik, item, period_end, known_at, value, quarters, filing``, one row per record, sorted.
        `filing` is the accession number. ``attrs["rows_read"]`` counts the rows of all numbers.

    Raises
    ------
    PanelError
        If a file is missing or cannot be read.

    Notes
    -----
    Only totals of the company itself are taken: `segments` and `coreg` empty. A filing also
    repeats values of earlier periods; those are records too, and where they differ from what was
    filed then, restatements known from this filing on. In each filing an item is that tag of its
    list which comes first among those with a value for the newest period, for all its periods, so
    that no comparison is between two definitions. Values in other units (filers in CAD, JPY)
    are left out, and so are lengths beyond four quarters.

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
    wanted = dict(items or SEC_ITEMS)
    after = None if close is None else _time_of_day(close)
    parts, rows = [], 0
    for path in _paths(source):
        try:
            part, read = _read_zip(path, wanted, ciks, forms)
        except READ_ERRORS as cause:
            raise panel.error(
                f"{path} cannot be read: {' '.join(str(cause).split())[:120]}",
                "a zip of the Financial Statement Data Sets with sub.txt and num.txt",
                "Download it again",
            ) from cause
        parts.append(part)
        rows += read
    found = pd.concat(parts, ignore_index=True)
    found = _known(found, after)
    # Amended again before the same session: the last of them is what the session knows.
    found = found.sort_values([*KEY, "accepted", "filing"]).drop_duplicates(KEY, keep="last")
    found = found[["cik", "item", "period_end", "known_at", "value", "quarters", "filing"]]
    found = found.reset_index(drop=True)
    found.attrs["rows_read"] = rows
    return found


def _paths(source: Any) -> list[Path]:
    given = [source] if isinstance(source, str | os.PathLike) else list(source)
    paths: list[Path] = []
    for path in map(Path, given):
        paths += sorted(path.glob("*.zip")) if path.is_dir() else [path]
    absent = [p for p in paths if not p.is_file()]
    if absent or not paths:
        raise panel.error(
            f"no zip is at {absent[0] if absent else source}", "a file", "Check the path"
        )
    return paths


def _time_of_day(close: str) -> np.timedelta64:
    try:
        return pd.Timedelta(f"{close}:00").to_timedelta64()
    except ValueError:
        raise panel.error(f"close={panel.shown(close)} was given", "HH:MM", "Use 16:00") from None


def _read_zip(
    path: Path, items: Mapping[str, Tags], ciks: Sequence[int] | None, forms: Sequence[str] | None
) -> tuple[pd.DataFrame, int]:
    """Return the wanted records of one zip, with the time of acceptance, and the rows read."""
    with zipfile.ZipFile(path) as file:
        filed = pa.concat_tables(_blocks(file, "sub.txt", SUB)).to_pandas()
        filed = filed.assign(cik=filed["cik"].astype(np.int64))
        filed = filed[filed["cik"].isin(ciks)] if ciks is not None else filed
        filed = filed[filed["form"].isin(forms)] if forms is not None else filed
        tags = pa.array(sorted({t for item in items.values() for t in item.tags}))
        wanted = pa.array(filed["adsh"])
        kept, rows = [], 0
        for block in _blocks(file, "num.txt", NUM):
            rows += block.num_rows
            mask = pc.and_(pc.is_in(block["tag"], tags), pc.is_in(block["adsh"], wanted))
            for name in ("segments", "coreg"):
                mask = pc.and_(mask, pc.equal(pc.fill_null(block[name], ""), ""))
            kept.append(block.filter(mask).drop_columns(["segments", "coreg"]))
    numbers = pa.concat_tables(kept).to_pandas()
    parts = [_of_item(numbers, name, item) for name, item in items.items()]
    found = pd.concat(parts, ignore_index=True).merge(filed, on="adsh")
    return found.rename(columns={"adsh": "filing"}), rows


def _blocks(file: zipfile.ZipFile, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Read a tab-separated file a block at a time, as text; a column it lacks is empty."""
    with file.open(name) as stream:
        reader = pacsv.open_csv(
            stream,
            pacsv.ReadOptions(block_size=BLOCK_BYTES),
            pacsv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False),
            pacsv.ConvertOptions(
                check_utf8=False, include_columns=list(columns), include_missing_columns=True,
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True,
                null_values=[""],
            ),
        )  # fmt: skip
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _of_item(numbers: pd.DataFrame, name: str, item: Tags) -> pd.DataFrame:
    """Return the rows of one item, with one tag for each filing."""
    rank = {tag: i for i, tag in enumerate(item.tags)}
    own = numbers[numbers["tag"].isin(item.tags) & numbers["uom"].isin(item.units)]
    own = own.assign(
        rank=own["tag"].map(rank).astype(int),
        unit=own["uom"].map({u: i for i, u in enumerate(item.units)}).astype(int),
        value=own["value"].astype(float),
        quarters=own["qtrs"].astype(np.int64),
        period_end=pd.to_datetime(own["ddate"], format="%Y%m%d").astype("datetime64[ns]"),
    )
    own = own[own["value"].notna() & (own["quarters"] <= LONGEST)]
    newest = own[own["period_end"] == own.groupby("adsh")["period_end"].transform("max")]
    best = newest.groupby("adsh")["rank"].min()
    own = own[own["rank"] == own["adsh"].map(best)]
    own = own.sort_values("unit", kind="stable")
    own = own.drop_duplicates(["adsh", "period_end", "quarters"])
    return own[["adsh", "period_end", "quarters", "value"]].assign(item=name)


def _known(found: pd.DataFrame, close: np.timedelta64 | None) -> pd.DataFrame:
    """Say when each record was known; leave out those of periods that had not ended."""
    accepted = pd.to_datetime(found["accepted"]).astype("datetime64[ns]")
    day = accepted.dt.floor("D")
    known = accepted if close is None else day.where(accepted - day <= close, accepted)
    early = found["period_end"] > day
    end = found["period_end"].where(~early, day)
    rounded = found["period_end"] - day <= ROUNDING
    return found.assign(accepted=accepted, known_at=known, period_end=end)[rounded.to_numpy()]
