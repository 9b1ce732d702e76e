"""From rows (date, asset, values) to panel fields, a block of dates at a time.

The rows are sorted once into the order of the panel's cells. After that a block of dates is a
slice of them, so a field is built lazily, chunk by chunk, and no field is ever held whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd

from xfactor import panel
from xfactor.ingest.tables import Text
from xfactor.store.layout import CHUNK_DATES

Block = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Rows:
    """Rows in cell order.

    Parameters
    ----------
    dates, symbols
        The labels of the panel; assets in the order of (first date, symbol).
    cell
        int64, strictly increasing: date position * number of assets + asset position.
    order
        Position of each of these rows in the table that was read.
    """

    dates: pd.DatetimeIndex
    symbols: np.ndarray
    cell: np.ndarray
    order: np.ndarray | None

    def sort(self, column: np.ndarray) -> np.ndarray:
        """Put a column of the table that was read into cell order."""
        return column if self.order is None else column[self.order]

    def block(self, column: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return the dates `start` to `stop` (before the end) of a sorted column, dense."""
        n = len(self.symbols)
        low, high = np.searchsorted(self.cell, [start * n, stop * n])
        dense = np.full((stop - start) * n, np.nan)
        dense[self.cell[low:high] - start * n] = column[low:high]
        return dense.reshape(stop - start, n)

    def life(self, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each asset's first and last date position with a `valid` row; -1, -2 if none."""
        date, asset = np.divmod(self.cell[valid], len(self.symbols))
        first = np.full(len(self.symbols), len(self.dates), np.int64)
        last = np.full(len(self.symbols), -2, np.int64)
        first[asset[::-1]] = date[::-1]  # rows are sorted by date, so the last write is the first
        last[asset] = date
        return np.where(last < 0, -1, first), last


def sort_rows(dates: np.ndarray, assets: Text, path: Path) -> Rows:
    """Find the labels of a long table and sort its rows into cell order.

    Parameters
    ----------
    dates, assets
        Keys of each row; each row has both.
    path
        The file, for the message.

    Returns
    -------
    Rows
        Sorted.

    Raises
    ------
    PanelError
        If a (date, asset) pair stands there twice.
    """
    day, labels = pd.factorize(dates)
    rank = np.argsort(np.argsort(labels))
    labels, day = np.sort(labels), rank[day]
    first = np.full(len(assets.words), len(labels), np.int64)
    np.minimum.at(first, assets.codes, day)
    by_age = sorted(range(len(first)), key=lambda i: (first[i], str(assets.words[i])))
    used = np.array([i for i in by_age if first[i] < len(labels)])
    position = np.empty(len(first), np.int64)
    position[used] = np.arange(len(used))
    cell = day * len(used) + position[assets.codes]
    order = None
    if (cell[1:] <= cell[:-1]).any():
        order = np.argsort(cell, kind="stable")
        cell = cell[order]
    symbols = assets.words[used].astype(str)
    again = np.flatnonzero(cell[1:] == cell[:-1])
    if len(again):
        at, who = divmod(int(cell[again[0]]), len(used))
        raise panel.error(
            f"{path} has {len(again):,} more rows than (date, asset) pairs, the first for "
            f"{symbols[who]} on {pd.Timestamp(labels[at]):%Y-%m-%d}",
            "one row for each date and asset",
            "Remove the duplicates",
        )
    return Rows(pd.DatetimeIndex(labels, name=panel.DATE), symbols, cell, order)


def lazy_field(
    name: str, sizes: Mapping[str, int], dtype: type, make: Block, chunk_dates: int = CHUNK_DATES
) -> da.Array:
    """Return a lazy (date, asset) array whose chunks are made when they are written.

    Parameters
    ----------
    name
        What to call it in the graph.
    sizes
        Lengths of the dims date and asset.
    dtype
        Of the values.
    make
        (start, stop) -> the values of these dates.
    chunk_dates
        Dates in a chunk.

    Returns
    -------
    dask.array.Array
        Lazy.
    """
    dates, assets = sizes[panel.DATE], sizes[panel.ASSET]
    edges = [*range(0, dates, chunk_dates), dates]
    key = f"ingest-{name}-{id(make):x}"
    graph = {(key, i, 0): (make, start, stop) for i, (start, stop) in enumerate(pairwise(edges))}
    chunks = (tuple(np.diff(edges).tolist()), (assets,))
    return da.Array(graph, key, chunks, dtype=dtype)
