"""The records of a panel store: a table for each item, to which rows are appended as filed.

Rows are never changed: a restatement is a row that became known later. What a field showed on any
day can therefore be told, and rebuilt, at any time.
"""

import os
from collections.abc import Mapping

import numpy as np
import pandas as pd

from xfactor import panel
from xfactor.store import read_table
from xfactor.store.backends import backend_of
from xfactor.store.tables import table_names

PREFIX = "records_"
KEYS = ["asset", "period_end", "quarters", "known_at"]
COLUMNS = {
    "asset": np.int64,
    "period_end": "datetime64[ns]",
    "quarters": np.int8,
    "known_at": "datetime64[ns]",
    "value": np.float64,
    "assumed": np.bool_,  # nobody says when it was known: some days after the period's end
    "filing": object,
}
NO_RECORDS = pd.DataFrame({name: np.empty(0, kind) for name, kind in COLUMNS.items()})


def stored_items(store: str | os.PathLike[str]) -> list[str]:
    """Return the items of which a store has records.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    list of str
        Sorted.
    """
    names = table_names(backend_of(store, None).snapshot())
    return [n.removeprefix(PREFIX) for n in names if n.startswith(PREFIX)]


def read_records(
    store: str | os.PathLike[str], item: str, *, filings: bool = False
) -> pd.DataFrame:
    """Return the records of an item in the order in which they were appended.

    Parameters
    ----------
    store
        Path of the store.
    item
        Name of the item; one without records gives an empty frame.
    filings
        Read what each record was filed as, too; it is blank otherwise.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, `asset` as the panel's label.
    """
    wanted = [name for name in COLUMNS if filings or name != "filing"]
    columns = read_table(store, PREFIX + item, wanted)
    if not columns:
        return NO_RECORDS
    frame = pd.DataFrame({name: columns[name] for name in wanted})
    return frame if filings else frame.assign(filing="")


def tables(records: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, np.ndarray]]:
    """Return records as the tables that hold them.

    Parameters
    ----------
    records
        Item -> records.

    Returns
    -------
    dict
        Name of the table -> its columns; none for an item without records.
    """
    return {
        PREFIX + item: {n: frame[n].to_numpy().astype(kind) for n, kind in COLUMNS.items()}
        for item, frame in records.items()
        if len(frame)
    }


def news(stored: pd.DataFrame, frame: pd.DataFrame, item: str) -> pd.DataFrame:
    """Return the records that are not in the store yet.

    Parameters
    ----------
    stored, frame
        Records of one item: those in the store, and those that came.
    item
        Its name, for the message.

    Returns
    -------
    pandas.DataFrame
        Each record once.

    Raises
    ------
    PanelError
        If there are two values for one asset, period and day.
    """
    both = pd.concat([stored, frame], ignore_index=True) if len(stored) else frame
    again = both.duplicated(KEYS).to_numpy()
    if not again.any():
        return frame
    # Only what stands there twice is compared: a record appended again is no error.
    twice = both[both.duplicated(KEYS, keep=False)]
    different = twice.groupby(KEYS)["value"].transform("nunique") > 1
    if different.any():
        first = twice[different].iloc[0]
        raise panel.error(
            f"{item} of the asset {first['asset']} for {first['period_end']:%Y-%m-%d} has two "
            f"values known at {first['known_at']:%Y-%m-%d}",
            "one value for each asset, item, period and time of publication",
            "Give a restatement the day on which it was published, or pass received=",
        )
    return frame[~again[len(both) - len(frame) :]]


def restated(stored: pd.DataFrame, frame: pd.DataFrame, received: np.datetime64) -> pd.DataFrame:
    """Date the new versions of reports that came in a file without dates of publication.

    Parameters
    ----------
    stored, frame
        Records of one item: those in the store, and those that came.
    received
        Day on which the file arrived.

    Returns
    -------
    pandas.DataFrame
        Without the values that the store's last version has already; other values of periods that
        are in the store are known from `received` on.
    """
    period = KEYS[:3]
    last = stored.sort_values("known_at", kind="stable").drop_duplicates(period, keep="last")
    beside = (
        frame[period].merge(last[[*period, "value"]], on=period, how="left")["value"].to_numpy()
    )
    there = ~np.isnan(beside)
    later = np.maximum(frame["known_at"].to_numpy(), received.astype("datetime64[ns]"))
    known = np.where(there, later, frame["known_at"].to_numpy())
    return frame.assign(known_at=known)[~there | (beside != frame["value"].to_numpy())]
