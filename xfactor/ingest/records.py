"""Records as they were filed, what they show on which date, and shares carried by splits.

A record says: of this asset, for the period that ended then, known from that day on, the value
was this. On date t a field shows the record of the newest period among those known by t, and of
that period the version known last. A record that arrives when a newer period is known already
therefore never shows; with those left out, the last one known is the one to show.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

DAY = np.timedelta64(1, "D")
NS = "datetime64[ns]"


@dataclass(frozen=True)
class Records:
    """The records of one item, sorted by asset, `known_at`, `period_end` and `quarters`.

    Parameters
    ----------
    asset
        int64, position of the asset in the panel.
    known_at, period_end
        datetime64[ns]; the latter without a time of day.
    value
        float64, none missing.
    quarters
        int64, quarters that the value is of; 0 for a point in time, or where nobody says.
    assumed
        bool, whether `known_at` is a guess from the period's end.
    row
        int64, position of each record in the arrays that were sorted.
    """

    asset: np.ndarray
    known_at: np.ndarray
    period_end: np.ndarray
    value: np.ndarray
    quarters: np.ndarray
    assumed: np.ndarray
    row: np.ndarray

    def keep(self, mask: np.ndarray) -> "Records":
        """Return the records of `mask`."""
        return Records(*(getattr(self, f)[mask] for f in self.__dataclass_fields__))

    def starts(self, assets: int) -> np.ndarray:
        """Return the position at which each asset's records begin, and where the last ends."""
        return np.searchsorted(self.asset, np.arange(assets + 1))

    def days(self) -> np.ndarray:
        """Return the periods' ends as int64 days."""
        return self.period_end.astype("datetime64[D]").astype(np.int64)

    def latest(self) -> "History":
        """Return what shows where the newest period's last version is wanted."""
        # One key for asset and period, so that a running maximum starts anew with each asset.
        days = self.days()
        low = days.min(initial=0)
        key = self.asset * (days.max(initial=0) - low + 1) + (days - low)
        live = key == np.maximum.accumulate(key)
        return History(*(a[live] for a in (self.asset, self.known_at, self.period_end, self.value)))


def sort_records(
    asset: np.ndarray,
    known_at: np.ndarray,
    period_end: np.ndarray,
    value: np.ndarray,
    quarters: np.ndarray | None = None,
    assumed: np.ndarray | None = None,
) -> Records:
    """Sort the records of one item and leave out those without a value.

    Parameters
    ----------
    asset, known_at, period_end, value, quarters, assumed
        As in `Records`, in any order; a missing or infinite value is no record.

    Returns
    -------
    Records
        Sorted.
    """
    quarters = np.zeros(len(asset), np.int64) if quarters is None else quarters.astype(np.int64)
    assumed = np.zeros(len(asset), bool) if assumed is None else assumed.astype(bool)
    there = np.flatnonzero(np.isfinite(value))
    days = period_end.astype("datetime64[D]").astype(NS)
    row = there[_order(*(k[there] for k in (asset, known_at.astype(NS), days, quarters)))]
    return Records(
        asset[row].astype(np.int64),
        known_at[row].astype(NS),
        days[row],
        value[row],
        quarters[row],
        assumed[row],
        row,
    )


def _order(*keys: np.ndarray) -> np.ndarray:
    """Return the order by several keys, the first of which counts most.

    Where they fit, they are packed into one whole number: sorting that takes a third of the time.
    """
    packed = np.zeros(len(keys[0]), np.int64)
    room = 1
    for key in keys:
        whole = key.view(np.int64) if key.dtype.kind == "M" else key.astype(np.int64)
        low = whole.min(initial=whole[0] if len(whole) else 0)
        step = np.gcd.reduce(whole - low) or 1  # of times: whole days, minutes or seconds
        width = int((whole.max(initial=low) - low) // step) + 1
        room *= width
        if room >= 2**63:
            return np.lexsort(keys[::-1])
        packed = packed * width + (whole - low) // step
    return np.argsort(packed, kind="stable")


@dataclass(frozen=True)
class History:
    """What a field shows, event by event, sorted by asset and then by `known_at`.

    Parameters
    ----------
    asset, known_at, period_end
        As in `Records`; `period_end` is that of the newest period.
    value
        float64; missing where the newest period is known but not what it is compared with.
    """

    asset: np.ndarray
    known_at: np.ndarray
    period_end: np.ndarray
    value: np.ndarray

    def on(self, dates: np.ndarray, assets: int) -> "Timeline":
        """Lay the events out along the dates of a panel."""
        row = np.searchsorted(dates, self.known_at, side="left")
        width = len(dates) + 1  # the last row is "after the panel"
        small = np.uint16 if width < 2**16 else np.int64
        order = np.argsort(row.astype(small), kind="stable")
        return Timeline(self, dates, assets, self.asset * width + row, order, row[order])


@dataclass(frozen=True)
class Timeline:
    """Events by the date on which they first show.

    Parameters
    ----------
    history, dates, assets
        What is laid out, and along what.
    key
        Asset and row of each event in one number; increasing.
    order, row
        Events in the order of their rows, and these rows.
    """

    history: History
    dates: np.ndarray
    assets: int
    key: np.ndarray
    order: np.ndarray
    row: np.ndarray

    def block(self, start: int, stop: int) -> "Block":
        """Cut out what the dates `start` to `stop` (before the end) need: a task of its own."""
        width = len(self.dates) + 1
        own = np.arange(self.assets) * width
        last = np.searchsorted(self.key, own + start, side="right") - 1
        last = last[(last >= 0) & (self.key[last] >= own)] if len(self.key) else last[:0]
        low, high = np.searchsorted(self.row, [start + 1, stop])
        inside = self.order[low:high]
        events = np.concatenate([last, inside])
        rows = np.concatenate([np.zeros(len(last), np.int64), self.row[low:high] - start])
        h = self.history
        return Block(
            self.dates[start:stop], self.assets, rows, h.asset[events],
            h.period_end[events], h.value[events],
        )  # fmt: skip


@dataclass(frozen=True)
class Block:
    """What shows on a few dates: the events before them in their first row, then the others."""

    dates: np.ndarray
    assets: int
    row: np.ndarray
    asset: np.ndarray
    period_end: np.ndarray
    value: np.ndarray

    def field(self, max_age: np.timedelta64) -> np.ndarray:
        """Return the value that shows in each cell; NaN where none does or it is too old."""
        return self._spread(self.value, max_age)

    def age(self, max_age: np.timedelta64) -> np.ndarray:
        """Return the days since the end of the period that shows; NaN as in `field`."""
        ended = self.period_end.view(np.int64).astype(float)
        then = self._spread(np.where(np.isnan(self.value), np.nan, ended), max_age)
        now = self.dates.astype(NS).view(np.int64).astype(float)
        return (now[:, None] - then) / float(DAY.astype("timedelta64[ns]").astype(np.int64))

    def _spread(self, values: np.ndarray, max_age: np.timedelta64) -> np.ndarray:
        cells = np.full((len(self.dates), self.assets), -1, np.int64)
        # In the order of dates, and of an asset in the order of events: the last one stays.
        cells[self.row, self.asset] = np.arange(len(self.row))
        shown = np.maximum.accumulate(cells, axis=0, out=cells)
        last = np.datetime64(np.iinfo(np.int64).max, "ns") - max_age  # beyond it the sum wraps
        old = np.minimum(self.period_end, last) + max_age
        expired = np.append(old, np.datetime64("NaT", "ns"))[shown]
        return np.where(self.dates[:, None] <= expired, np.append(values, np.nan)[shown], np.nan)


@dataclass(frozen=True)
class Splits:
    """All splits of a panel, sorted by date position: new shares per old share."""

    row: np.ndarray
    asset: np.ndarray
    ratio: np.ndarray

    def until(self, dates: np.ndarray, asset: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """Return the product of an asset's splits up to the day `basis`, for each of the pairs."""
        events = pd.DataFrame({"asset": self.asset, "day": dates[self.row], "ratio": self.ratio})
        counts = pd.DataFrame({"asset": asset, "basis": basis, "count": np.arange(len(asset))})
        both = counts.merge(events, on="asset")
        both = both[both["day"] <= both["basis"]]
        product = both.groupby("count")["ratio"].prod()
        return product.reindex(np.arange(len(asset)), fill_value=1.0).to_numpy(float)

    def since_start(self, start: int, stop: int, assets: int) -> np.ndarray:
        """Return the product of splits from the panel's first date on, for a block of dates."""
        dense = np.ones((stop - start, assets))
        known = self.row < stop
        # Splits before the block all enter its first row, in the order of their dates.
        row = np.maximum(self.row[known] - start, 0)
        np.multiply.at(dense, (row, self.asset[known]), self.ratio[known])
        return np.cumprod(dense, axis=0, out=dense)


def find_splits(split: xr.DataArray, edges: Iterable[tuple[int, int]]) -> Splits:
    """Find the splits in a field, reading a block of dates at a time.

    Parameters
    ----------
    split
        (date, asset), new shares per old share; 1 or missing where there is none.
    edges
        (start, stop) of the blocks.

    Returns
    -------
    Splits
        Those that are numbers above 0 and not 1.
    """
    found = []
    for start, stop in edges:
        block = split.isel(date=slice(start, stop)).to_numpy()
        row, asset = np.nonzero((block > 0) & (block < np.inf) & (block != 1))
        found.append((row + start, asset, block[row, asset]))
    rows, assets, ratios = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Splits(rows, assets, ratios)
