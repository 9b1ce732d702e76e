"""Returns of prices: blocks of dates, across the seam of a store and new rows, and of a market."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.delisting import Delisting
from xfactor.ingest.longform import Blocks
from xfactor.ingest.tables import DATE, SYMBOLS, Column, read_table

PRICES = ("open", "high", "low", "close", "adjusted_close")
VALUED = ("close", "adjusted_close")
# Of which returns are made where there is no adjusted close.
PARTS = ("close", "split", "dividend")


def clean(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Set impossible values to missing.

    Parameters
    ----------
    values
        Columns by our names.

    Returns
    -------
    dict
        The columns.
    """
    done = {}
    for name, v in values.items():
        if name in (*PRICES, "split"):
            bad = ~((v > 0) & (v < np.inf))
        elif name == "volume":
            bad = ~((v >= 0) & (v < np.inf))
        else:
            bad = np.isinf(v)
        done[name] = np.where(bad, np.nan, v) if bad.any() else v
    return done


@dataclass(frozen=True)
class Rows:
    """The fields of new rows, with the last date of the store at position -1."""

    blocks: Blocks
    before: Mapping[str, np.ndarray]

    def block(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return the dates `start` to `stop` of a field, missing where no file has it."""
        if name in self.blocks.spilled.dtypes:
            made = self.blocks.block(name, max(start, 0), stop)
        else:
            made = np.full((stop - max(start, 0), self.blocks.width), np.nan)
        return made if start >= 0 else np.concatenate([self.before[name][None], made])


def returns_block(
    rows: Rows, names: Sequence[str], delisted: Delisting, start: int, stop: int
) -> np.ndarray:
    """Return total returns of some dates, delisting returns among them.

    Parameters
    ----------
    rows
        The prices.
    names
        What returns are made of.
    delisted
        Delisting returns.
    start, stop
        Dates.

    Returns
    -------
    numpy.ndarray
        (date, asset).
    """
    low = start if rows.before else max(start, 1)
    if "adjusted_close" in names:
        both = rows.block("adjusted_close", low - 1, stop)
        before, gross = both[:-1], both[1:]
    else:
        used = {str(n): rows.block(n, low - 1, stop) for n in PARTS if n in names}
        before, gross = used["close"][:-1], total_value(used)[1:]
    out = np.full((stop - start, before.shape[1]), np.nan)
    with np.errstate(over="ignore"):
        growth = gross / before
    out[low - start :] = np.where(np.isinf(growth), np.nan, growth) - 1.0
    return delisted.put(out, start)


def listed_block(first: np.ndarray, last: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return which assets lie between their first and their last price.

    Parameters
    ----------
    first, last
        Date positions.
    start, stop
        Dates.

    Returns
    -------
    numpy.ndarray
        bool (date, asset).
    """
    date = np.arange(start, stop)[:, None]
    return (first <= date) & (date <= last)


def total_value(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what a share of the session before is worth now: close * split + dividend.

    Parameters
    ----------
    values
        Columns by our names; `close` is there, an absent split counts as 1, a dividend as 0.

    Returns
    -------
    numpy.ndarray
        USD.
    """
    total = values["close"]
    if "split" in values:
        total = total * np.nan_to_num(values["split"], nan=1.0)
    if "dividend" in values:
        total = total + np.nan_to_num(values["dividend"], nan=0.0)
    return total


def market_returns(
    source: str | os.PathLike[str], dates: pd.DatetimeIndex, fields: Sequence[Column]
) -> tuple[xr.DataArray, list[str]]:
    """Read the total return of one market index over the panel's sessions.

    Parameters
    ----------
    source
        Its prices.
    dates
        Of the panel.
    fields
        Columns that the file may have.

    Returns
    -------
    tuple
        Returns (date,); notes.

    Raises
    ------
    PanelError
        If a date stands there twice, or the file cannot be read.
    """
    whole = read_table(source, (DATE, Column("asset", "text", SYMBOLS), *fields), one_of=VALUED)
    labels = pd.DatetimeIndex(whole.dates["date"])
    if not labels.is_unique:
        raise panel.error(
            f"{source} has the date {labels[labels.duplicated()][0]:%Y-%m-%d} more than once",
            "one row for each date, of one market index",
            "Leave one index in the file",
        )
    frame = pd.DataFrame(clean(whole.numbers), index=labels).sort_index()
    level = frame["adjusted_close"] if "adjusted_close" in frame else _level(frame)
    # Prices first, returns second: with fewer sessions in the panel than in the file, the return
    # at t must still span the panel's (t-1, t].
    level = level.reindex(dates)
    change = (level / level.shift() - 1.0).to_numpy()
    missing = int(np.isnan(change[1:]).sum())
    notes = (
        [f"market_returns missing on {panel.several(missing, 'date', 'dates')}, beside the first"]
        if missing
        else []
    )
    return xr.DataArray(change, dims=panel.DATE), notes


def _level(frame: pd.DataFrame) -> pd.Series:
    """Chain close, splits and dividends; those of a date without a close go to the next close."""
    split = frame["split"].fillna(1.0) if "split" in frame else pd.Series(1.0, frame.index)
    paid = frame["dividend"].fillna(0.0) if "dividend" in frame else pd.Series(0.0, frame.index)
    level, before, shares, cash = [], np.nan, 1.0, 0.0
    value = 1.0
    for price, ratio, dividend in zip(frame["close"], split, paid, strict=True):
        shares, cash = shares * ratio, cash + shares * dividend  # paid on the shares before
        if not np.isnan(price):
            if not np.isnan(before):
                value *= (price * shares + cash) / before
            before, shares, cash = price, 1.0, 0.0
        level.append(value if not np.isnan(price) else np.nan)
    return pd.Series(level, frame.index)
