"""From rows (date, asset, values) to panel fields, a block of dates at a time.

The rows lie on disk in runs sorted by date (`spill`). One look at their keys finds the labels of
the panel and the rows that repeat a cell; after that every block of every field is made from the
runs by itself, when it is written, and no field is ever held whole.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd

from xfactor import panel
from xfactor.ingest.cells import ranked
from xfactor.ingest.labels import NEVER, Labels, read_labels, save_labels
from xfactor.ingest.rejects import Rejects
from xfactor.ingest.spill import ASSET, CODE, IDENTIFIER, ROW, Run, Spilled, drop, pieces, present
from xfactor.store import layout
from xfactor.store.layout import CHUNK_DATES

Block = Callable[[int, int], np.ndarray]
DAY = 86_400_000_000_000
DUPLICATES = ("reject", "first", "last", "error")
# Rows, and cells, of the blocks in which keys are looked at.
SCAN_ROWS, SCAN_CELLS = 1 << 21, 1 << 24
# Zstandard frames of Zarr hold less than this.
CHUNK_BYTES = 2**31 - 1
REPEATS, CONFLICTS = "that repeat another row", "that contradict another row of their cell"


@dataclass(frozen=True)
class Keys:
    """What one look at the keys found.

    Parameters
    ----------
    dates
        int64 ns, sorted: those with a row that is kept.
    first
        For each code of an asset its first date, the largest integer where no row is kept.
    kept
        Rows kept.
    lost
        For each date (int64 ns) the values of each field in rows that are not kept, and last the
        number of these rows.
    """

    dates: np.ndarray
    first: np.ndarray
    kept: int
    lost: Mapping[int, np.ndarray]


def scan(
    spilled: Spilled, assets: Sequence[str], duplicates: str, rejects: Rejects, source: object
) -> Keys:
    """Look at the keys of all rows once: labels, and rows that repeat a cell.

    Parameters
    ----------
    spilled
        The rows; those that are not kept are marked there.
    assets
        Words of the codes, for messages.
    duplicates
        "reject": rows that say the same count once, rows of a cell that differ are all rejected;
        "first" or "last" keeps that one in the order of the source; "error" raises.
    rejects
        Where they are counted.
    source
        For the message.

    Returns
    -------
    Keys
        Of the rows that are kept.

    Raises
    ------
    PanelError
        With duplicates="error", if a (date, asset) pair stands there twice.
    """
    n = len(assets)
    first = np.full(n, NEVER, np.int64)
    dates: list[np.ndarray] = []
    lost: dict[int, np.ndarray] = {}
    kept, more, example = 0, 0, ""
    for block in _scan_blocks(spilled, n):
        found = list(pieces(spilled, block))
        day = np.concatenate([d for *_, d in found])
        code = np.concatenate([run.read(ASSET, CODE, a, b) for run, a, b, _ in found])
        cell = day * n + code
        owner = np.full(len(block) * n, -1, np.int32)
        owner[cell] = np.arange(len(cell), dtype=np.int32)
        if (owner[cell] != np.arange(len(cell))).any():
            clash = np.flatnonzero(np.bincount(cell, minlength=len(owner))[cell] > 1)
            if duplicates == "error":
                cells = np.unique(cell[clash])
                more += len(clash) - len(cells)
                at, who = divmod(int(cells[0]), n)
                example = example or f"{assets[who]} on {_day(block[at])}"
                continue
            gone = _resolve(spilled, found, clash, cell[clash], duplicates, rejects)
            _count_lost(spilled, found, gone, block[day[gone]], lost)
            stays = np.ones(len(cell), bool)
            stays[gone] = False
            day, code = day[stays], code[stays]
        order = np.arange(len(day))[::-1]
        when = np.full(n, NEVER, np.int64)
        np.minimum.at(when, code[order], block[day[order]])
        first = np.minimum(first, when)
        dates.append(block[np.unique(day)])
        kept += len(day)
    if more:
        rows = panel.several(more, "more row", "more rows")
        raise panel.error(
            f"{source} has {rows} than (date, asset) pairs, the first for {example}",
            "one row for each date and asset",
            "Remove the duplicates",
        )
    return Keys(np.concatenate(dates or [np.empty(0, np.int64)]), first, kept, lost)


def _scan_blocks(spilled: Spilled, n: int) -> Iterator[np.ndarray]:
    """Cut the dates into blocks of bounded rows and cells, a date at the least."""
    dates = spilled.dates()
    rows = np.zeros(len(dates), np.int64)
    for run in spilled.runs:
        rows[np.searchsorted(dates, run.dates)] += np.diff(run.offsets)
    start, most = 0, max(SCAN_CELLS // max(n, 1), 1)
    total = np.cumsum(rows)
    while start < len(dates):
        before = total[start - 1] if start else 0
        stop = int(np.searchsorted(total, before + SCAN_ROWS, "right"))
        stop = min(max(stop, start + 1), start + most, len(dates))
        yield dates[start:stop]
        start = stop


def _day(ns: int) -> str:
    label = pd.Timestamp(int(ns))
    return f"{label:%Y-%m-%d}" if label == label.normalize() else str(label)


def _gather(
    spilled: Spilled, found: Sequence[tuple[Run, int, int, np.ndarray]], rows: np.ndarray,
    name: str, dtype: np.dtype,
) -> np.ndarray:  # fmt: skip
    """Return a column at positions of a block, that is, of its pieces one after the other."""
    whole = [run.read(name, dtype, a, b) for run, a, b, _ in found]
    return np.concatenate(whole)[rows]


def _resolve(
    spilled: Spilled, found: Sequence[tuple[Run, int, int, np.ndarray]], clash: np.ndarray,
    cell: np.ndarray, duplicates: str, rejects: Rejects,
) -> np.ndarray:  # fmt: skip
    """Decide which of the rows that share cells go; mark and count them."""
    ids = _gather(spilled, found, clash, ROW, IDENTIFIER)
    order = np.lexsort((ids, cell))
    clash, cell, ids = clash[order], cell[order], ids[order]
    head = np.append(True, cell[1:] != cell[:-1])
    group = np.cumsum(head) - 1
    if duplicates == "last":
        goes = np.append(~head[1:], False)
    else:
        goes = ~head
    differs = np.zeros(len(cell), bool)
    if duplicates == "reject":
        lead = np.flatnonzero(head)[group]
        for name, dtype in spilled.dtypes.items():
            v = _gather(spilled, found, clash, name, dtype)
            differs |= (v != v[lead]) & (present(v) | present(v[lead]))
        differs = np.bincount(group, differs)[group] > 0
        goes |= differs
    for reason, rows in ((CONFLICTS, goes & differs), (REPEATS, goes & ~differs)):
        if rows.any():
            rejects.add_rows("duplicate", reason, "", ids[rows], [])
    rejects.settle()
    gone = clash[goes]
    start = 0
    for run, a, b, _ in found:
        inside = gone[(gone >= start) & (gone < start + b - a)] - start + a
        if len(inside):
            drop(run, inside)
        start += b - a
    return gone


def _count_lost(
    spilled: Spilled, found: Sequence[tuple[Run, int, int, np.ndarray]], gone: np.ndarray,
    dates: np.ndarray, lost: dict[int, np.ndarray],
) -> None:  # fmt: skip
    """Count the values of rows that are not kept, and these rows, by date."""
    there = [present(_gather(spilled, found, gone, n, d)) for n, d in spilled.dtypes.items()]
    for i, mask in enumerate([*there, np.ones(len(gone), bool)]):
        for date, count in zip(*np.unique(dates[mask], return_counts=True), strict=True):
            lost.setdefault(int(date), np.zeros(len(there) + 1, np.int64))[i] += count


def counts_by_date(spilled: Spilled, keys: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Count what is kept.

    Parameters
    ----------
    spilled
        The rows.
    keys
        What a scan of them found.

    Returns
    -------
    tuple of numpy.ndarray
        Dates as int64 ns; (date, field) values, and in the last column rows.
    """
    dates = spilled.dates()
    counts = np.zeros((len(dates), len(spilled.dtypes) + 1), np.int64)
    for run in spilled.runs:
        at = np.searchsorted(dates, run.dates)
        counts[at] += np.column_stack([run.counts, np.diff(run.offsets)])
    for date, gone in keys.lost.items():
        counts[np.searchsorted(dates, date)] -= gone
    return dates, counts


# --- blocks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stretches:
    """When assets have prices: the position of the asset, of its first date and of its last."""

    asset: np.ndarray
    first: np.ndarray
    last: np.ndarray


@dataclass(frozen=True)
class Blocks:
    """Dense blocks of the fields of a spilled table. Small: tasks carry it, and read the rest."""

    spilled: Spilled
    labels: str

    @property
    def width(self) -> int:
        """Return the number of assets."""
        return len(read_labels(self.labels).assets)

    def block(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return the dates `start` to `stop` (before the end) of a field."""
        labels = read_labels(self.labels)
        dates, n = labels.dates, len(labels.assets)
        dtype = self.spilled.dtypes[name]
        dense = np.full((stop - start) * n, np.nan if dtype.kind == "f" else -1, dtype)
        for run, low, high, day in pieces(self.spilled, dates[start:stop]) if stop > start else ():
            at = labels.find(run.read(ASSET, CODE, low, high), day + start)
            values, cell = run.read(name, dtype, low, high), day * n + at
            if (at < 0).any():
                values, cell = values[at >= 0], cell[at >= 0]
            dense[cell] = values
        return dense.reshape(stop - start, n)

    def stretches(
        self, names: Sequence[str], gap_days: int = 0, chunk: int = CHUNK_DATES
    ) -> "Stretches":
        """Return when each asset has one of the fields, cut where it lacks them for long."""
        labels = read_labels(self.labels)
        dates, n = labels.dates, len(labels.assets)
        gap = gap_days * DAY
        first, last = np.full(n, -1, np.int64), np.full(n, -2, np.int64)
        ended: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for start in range(0, len(dates), chunk):
            stop = min(start + chunk, len(dates))
            there = np.zeros((stop - start, n), bool)
            for name in names:
                there |= present(self.block(name, start, stop))
            for low, high in _spans(dates[start:stop], gap):
                part = there[low:high]
                some = part.any(axis=0)
                here = start + low + part.argmax(axis=0)
                if gap:
                    far = some & (last >= 0) & (dates[here] - dates[np.maximum(last, 0)] > gap)
                    who = np.flatnonzero(far)
                    ended.append((who, first[who], last[who]))
                    first[who] = -1
                first = np.where(some & (first < 0), here, first)
                last = np.where(some, start + high - 1 - part[::-1].argmax(axis=0), last)
        who = np.flatnonzero(last >= 0)
        ended.append((who, first[who], last[who]))
        return Stretches(*(np.concatenate(c) for c in zip(*ended, strict=True)))

    def latest(self, name: str, chunk: int = CHUNK_DATES) -> tuple[np.ndarray, np.ndarray]:
        """Return each asset's last value of a field, and its date position: NaN, -2 if none."""
        labels = read_labels(self.labels)
        dates, n = labels.dates, len(labels.assets)
        value, last = np.full(n, np.nan), np.full(n, -2, np.int64)
        for start in range(0, len(dates), chunk):
            dense = self.block(name, start, min(start + chunk, len(dates)))
            there = present(dense)
            some = np.flatnonzero(there.any(axis=0))
            at = len(dense) - 1 - there[::-1, some].argmax(axis=0)
            value[some], last[some] = dense[at, some], start + at
        return value, last


def _spans(dates: np.ndarray, gap: int) -> Iterator[tuple[int, int]]:
    """Cut dates into spans in which no gap fits."""
    low = 0
    while low < len(dates):
        high = len(dates) if not gap else int(np.searchsorted(dates, dates[low] + gap, "right"))
        yield low, high
        low = high


def make_blocks(spilled: Spilled, labels: Labels, folder: Path) -> Blocks:
    """Put the labels beside the runs, for the tasks that make blocks.

    Parameters
    ----------
    spilled
        The runs.
    labels
        Of the panel; its dates are all dates of the rows that are kept.
    folder
        Where.

    Returns
    -------
    Blocks
        Of this table.
    """
    path = folder / f"{len(list(folder.glob('*.labels.npz')))}.labels.npz"
    save_labels(labels, path)
    return Blocks(spilled, str(path))


def dates_in_chunk(labels: Labels, wanted: int | None, source: object) -> int:
    """Return the dates of a chunk of the store; raise if it cannot be stored.

    Parameters
    ----------
    labels
        Of the panel.
    wanted
        By the caller; None for what suits the number of assets.
    source
        For the message.

    Returns
    -------
    int
        At least 1.
    """
    n = len(labels.assets)
    dates = layout.chunk_dates(n) if wanted is None else wanted
    size = min(dates, len(labels.dates)) * n * 8
    if size > CHUNK_BYTES:
        raise panel.error(
            f"{source} names {n:,} assets on {len(labels.dates):,} dates: a chunk of {dates} dates "
            f"has {size / 1e9:.1f} GB",
            "less than 2.1 GB",
            f"Use chunk_dates={max(CHUNK_BYTES // (n * 16), 1)}, or check the column of the assets",
        )
    return dates


def recoded(words: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Number words in their order instead of that in which they came.

    Parameters
    ----------
    words
        Of the codes.

    Returns
    -------
    tuple
        The new code of each code, one more for -1; the words in their order.
    """
    place = ranked(list(words))
    ordered = [""] * len(place)
    for word, at in zip(words, place, strict=True):
        ordered[at] = word
    return np.append(place, -1).astype(np.int32), ordered


def lazy_field(
    name: str, sizes: Mapping[str, int], dtype: type | np.dtype, make: Block,
    chunk_dates: int = CHUNK_DATES, before: int = 0,
) -> da.Array:  # fmt: skip
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
    before
        Dates of the store that these go onto: the first chunk fills its last.

    Returns
    -------
    dask.array.Array
        Lazy.
    """
    dates, assets = sizes[panel.DATE], sizes[panel.ASSET]
    head = min(chunk_dates - before % chunk_dates, dates)
    edges = [0, *range(head, dates, chunk_dates), dates] if dates else [0, 0]
    key = f"ingest-{name}-{id(make):x}"
    graph = {(key, i, 0): (make, start, stop) for i, (start, stop) in enumerate(pairwise(edges))}
    chunks = (tuple(np.diff(edges).tolist()), (assets,))
    return da.Array(graph, key, chunks, dtype=dtype)
