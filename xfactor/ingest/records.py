"""Which record of a history shows on which date: the as-of join, and shares carried by splits.

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


@dataclass(frozen=True)
class Records:
    """The records of one field that ever show, sorted by asset and then by `known_at`.

    Parameters
    ----------
    asset
        Position of the asset in the panel.
    known_at, period_end
        datetime64[ns].
    value
        float64, none missing.
    """

    asset: np.ndarray
    known_at: np.ndarray
    period_end: np.ndarray
    value: np.ndarray

    def showing(self, dates: np.ndarray, assets: int) -> np.ndarray:
        """Return the position of the record that shows in each (date, asset) cell, or -1.

        `dates` may be any stretch of the panel's: records known before it count from its start.
        """
        cells = np.full((len(dates), assets), -1, np.int64)
        row = np.searchsorted(dates, self.known_at, side="left")
        within = np.flatnonzero(row < len(dates))
        np.maximum.at(cells, (row[within], self.asset[within]), within)
        return np.maximum.accumulate(cells, axis=0, out=cells)

    def field(self, dates: np.ndarray, assets: int, max_age: np.timedelta64) -> np.ndarray:
        """Return the value that shows in each cell; NaN where none does or it is too old."""
        return self._spread(self.value, dates, assets, max_age)

    def age(self, dates: np.ndarray, assets: int, max_age: np.timedelta64) -> np.ndarray:
        """Return the days since the period end of the record that shows; NaN as in `field`."""
        ended = self.period_end.astype("datetime64[ns]").view(np.int64).astype(float)
        then = self._spread(ended, dates, assets, max_age)
        now = dates.astype("datetime64[ns]").view(np.int64).astype(float)
        return (now[:, None] - then) / float(DAY.astype("timedelta64[ns]").astype(np.int64))

    def _spread(
        self, values: np.ndarray, dates: np.ndarray, assets: int, max_age: np.timedelta64
    ) -> np.ndarray:
        shown = self.showing(dates, assets)
        expired = np.append(self.period_end + max_age, np.datetime64("NaT"))[shown]
        return np.where(dates[:, None] <= expired, np.append(values, np.nan)[shown], np.nan)


def records(
    asset: np.ndarray, known_at: np.ndarray, period_end: np.ndarray, value: np.ndarray
) -> Records:
    """Sort the records of one field and leave out those without a value or that never show.

    Parameters
    ----------
    asset, known_at, period_end, value
        As in `Records`, in any order; a missing value is no record.

    Returns
    -------
    Records
        Ready to be joined.
    """
    there = np.flatnonzero(~np.isnan(value))
    order = there[np.lexsort((period_end[there], known_at[there], asset[there]))]
    asset, period = asset[order], period_end[order].astype("datetime64[ns]")
    # One key for asset and period, so that a running maximum starts anew with each asset.
    _, rank = np.unique(period, return_inverse=True)
    key = asset * (len(order) + 1) + rank
    live = key == np.maximum.accumulate(key)
    kept = order[live]
    return Records(asset[live], known_at[kept], period[live], value[kept])


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
