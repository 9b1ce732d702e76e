"""Rows on disk in sorted runs, so that any block of dates can be read without the others.

A run is what fits a buffer, sorted by date: one plain file for each column, and an index of where
its dates begin. A block of dates is a slice of each run, so a table of any size and in any order
becomes a panel with a bounded part of it in memory, and every block by itself: in another thread,
or on another machine that sees the folder.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

# One buffer, in bytes. Larger ones make fewer runs; a block reads from all runs.
RUN_BYTES = 128 << 20
ASSET, ROW = ".asset", ".row"  # no field begins with a dot
CODE, IDENTIFIER = np.dtype(np.int32), np.dtype(np.int64)
DROPPED = -1


@dataclass(frozen=True)
class Run:
    """The dates (int64 ns) of a run, and the first row of each; one more for the end."""

    path: str
    dates: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray

    def read(self, column: str, dtype: np.dtype, low: int, high: int) -> np.ndarray:
        """Return the rows `low` to `high` of a column."""
        size = np.dtype(dtype).itemsize
        return np.fromfile(f"{self.path}{column}", dtype, high - low, offset=low * size)

    def between(self, first: int, last: int) -> slice:
        """Return the positions of the dates from `first` to `last`, both included."""
        return slice(
            int(np.searchsorted(self.dates, first)), int(np.searchsorted(self.dates, last, "right"))
        )


@dataclass(frozen=True)
class Spilled:
    """All runs of a table in a folder, and the dtypes of its fields. Small: tasks carry it."""

    folder: str
    dtypes: Mapping[str, np.dtype] = field(hash=False)

    @property
    def runs(self) -> list[Run]:
        """Return the runs; their index is read once in a process."""
        return _runs(self.folder)

    def dates(self) -> np.ndarray:
        """Return the distinct dates, sorted."""
        return np.unique(np.concatenate([r.dates for r in self.runs] or [np.empty(0, np.int64)]))


@lru_cache(maxsize=32)
def _runs(folder: str) -> list[Run]:
    found = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as index:
            found.append(
                Run(str(path.with_suffix("")), index["dates"], index["offsets"], index["counts"])
            )
    return found


class Spill:
    """Takes rows and writes runs.

    Parameters
    ----------
    folder
        An empty folder.
    dtypes
        Of each field; missing values are NaN, or negative.
    """

    def __init__(self, folder: Path, dtypes: Mapping[str, np.dtype]) -> None:
        folder.mkdir(parents=True)
        self.folder, self.dtypes = folder, dict(dtypes)
        kinds: dict[str, np.dtype] = {ASSET: CODE, ROW: IDENTIFIER, **self.dtypes}
        self._kinds = kinds
        row = 8 + sum(k.itemsize for k in kinds.values())
        self._size = max(RUN_BYTES // row, 1)
        self._dates = np.empty(self._size, np.int64)
        self._columns = {n: np.empty(self._size, k) for n, k in kinds.items()}
        self._used, self._count = 0, 0

    def add(self, dates: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Add rows: int64 ns, and all columns, `ASSET` and `ROW` among them."""
        done = 0
        while done < len(dates):
            take = slice(done, min(len(dates), done + self._size - self._used))
            place = slice(self._used, self._used + take.stop - take.start)
            self._dates[place] = dates[take]
            for name, column in self._columns.items():
                column[place] = columns[name][take]
            self._used, done = place.stop, take.stop
            if self._used == self._size:
                self._flush()

    def close(self) -> Spilled:
        """Write the last run; return all."""
        self._flush()
        self._columns, self._dates = {}, np.empty(0, np.int64)
        return Spilled(str(self.folder), self.dtypes)

    def _flush(self) -> None:
        if not self._used:
            return
        dates = self._dates[: self._used]
        order = None if (dates[1:] >= dates[:-1]).all() else sort_order(dates)
        dates = dates if order is None else dates[order]
        first = np.flatnonzero(np.append(True, dates[1:] != dates[:-1]))
        path = self.folder / f"{self._count:06d}"
        counts = np.zeros((len(first), len(self.dtypes)), np.int64)
        for name in self._kinds:
            column = self._columns[name][: self._used]
            column = column if order is None else column[order]
            with open(f"{path}{name}", "wb") as file:
                column.tofile(file)
            if name in self.dtypes:
                counts[:, list(self.dtypes).index(name)] = np.add.reduceat(
                    present(column), first, dtype=np.int64
                )
        offsets = np.append(first, self._used)
        np.savez(f"{path}.npz", dates=dates[first], offsets=offsets, counts=counts)
        self._used, self._count = 0, self._count + 1


def present(column: np.ndarray) -> np.ndarray:
    """Say which values are there.

    Parameters
    ----------
    column
        Floats, or codes.

    Returns
    -------
    numpy.ndarray
        bool.
    """
    return ~np.isnan(column) if column.dtype.kind == "f" else column >= 0


def sort_order(dates: np.ndarray) -> np.ndarray:
    """Return the stable order of dates.

    Few distinct dates are numbered first: NumPy sorts 16-bit integers by radix, in one pass.

    Parameters
    ----------
    dates
        int64.

    Returns
    -------
    numpy.ndarray
        Positions.
    """
    low, high = int(dates.min()), int(dates.max())
    day = 86_400_000_000_000
    if high - low < day << 16 and not ((dates - low) % day).any():
        return np.argsort(((dates - low) // day).astype(np.uint16), kind="stable")
    return np.argsort(dates, kind="stable")


def pieces(spilled: Spilled, dates: np.ndarray) -> Iterator[tuple[Run, int, int, np.ndarray]]:
    """Find the rows of a block of dates.

    Parameters
    ----------
    spilled
        The runs.
    dates
        int64 ns, sorted; all dates of a run between the first and the last are among them.

    Yields
    ------
    tuple
        A run, its rows from and to, and the position in `dates` of each of these rows.
    """
    for run in spilled.runs:
        there = run.between(dates[0], dates[-1])
        if there.start < there.stop:
            edges = run.offsets[there.start : there.stop + 1]
            position = np.searchsorted(dates, run.dates[there])
            yield run, int(edges[0]), int(edges[-1]), np.repeat(position, np.diff(edges))


def drop(run: Run, rows: np.ndarray) -> None:
    """Mark rows of a run as not to be used.

    Parameters
    ----------
    run
        The run.
    rows
        Positions in it.
    """
    path = f"{run.path}{ASSET}"
    column = np.memmap(path, np.int32, "r+", shape=(os.path.getsize(path) // 4,))
    column[rows] = DROPPED
    column.flush()
