"""What something was made of: fields of a store, chunk by chunk, and what of them has changed."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xfactor import panel as _panel
from xfactor.store.backends import PathLike, backend_of
from xfactor.store.opening import between, opened
from xfactor.store.snapshots import Snapshot

DATE, ASSET = _panel.DATE, _panel.ASSET
THREADS = 8  # checksums are read from many small places
COLUMNS = ("chunk", "size", "stop", "assets", "digest")
Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """A state of a store, and the rows that something is made of.

    Parameters
    ----------
    snapshot
        The state.
    panel
        Its panel between the dates wanted, lazy.
    first, last
        Rows of the store that are wanted: first:last.
    """

    snapshot: Snapshot
    panel: xr.Dataset
    first: int
    last: int

    def traces(self, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return what tells the present values of fields from others, a row for each chunk.

        Of chunks that are complete it is their checksums, which are read without the chunks; of
        the last, which an append will change, the values.

        Parameters
        ----------
        fields
            Their names.

        Returns
        -------
        dict of numpy.ndarray
            Columns of a table, for `unchanged`.
        """
        size, assets = self._size(fields), self.panel.sizes[ASSET]
        rows = [
            (k, size, min((k + 1) * size, self.last), assets)
            for k in range(self.first // size, -(-self.last // size))
        ]
        with ThreadPoolExecutor(THREADS) as pool:
            digests = list(pool.map(lambda row: self._digest(fields, *row), rows))
        made = np.array([(*r, d) for r, d in zip(rows, digests, strict=True)], np.int64)
        return dict(zip(COLUMNS, made.reshape(-1, len(COLUMNS)).T, strict=True))

    def from_date(self, traces: Columns, begin: int) -> dict[str, np.ndarray]:
        """Return the rows of traces whose chunks have dates from `begin` on."""
        wanted = traces["stop"] > self.first + begin
        return {c: v[wanted] for c, v in traces.items()}

    def unchanged(self, fields: tuple[str, ...], known: Columns, now: Columns) -> int:
        """Return how many dates of `panel` are as they were, to the chunk.

        Parameters
        ----------
        fields
            Their names.
        known
            Traces of an earlier state, or of several one after another: later ones count.
        now
            Traces of this state.

        Returns
        -------
        int
            Position in `panel` of the first date that was not there, or whose chunk has changed.
        """
        present = _by_chunk(now)
        same = self.first
        for chunk, row in sorted(_by_chunk(known).items()):
            size, stop, _, there = row
            if size != self._size(fields) or chunk * size > same or stop > self.last:
                break
            if row != present.get(chunk) and there != self._digest(fields, chunk, *row[:3]):
                break
            same = stop
        return max(0, same - self.first)

    def _size(self, fields: tuple[str, ...]) -> int:
        array = self.snapshot.array(fields[0])
        return array.chunks[array.dims.index(DATE)]

    def _digest(
        self, fields: tuple[str, ...], chunk: int, size: int, stop: int, assets: int
    ) -> int:
        digest = hashlib.sha256()
        for name in fields:
            array = self.snapshot.array(name)
            digest.update(name.encode())
            if stop == (chunk + 1) * size:
                axis = array.dims.index(DATE)
                digest.update(array.trace(tuple(chunk * (i == axis) for i in range(array.ndim))))
                continue
            ends = {DATE: slice(chunk * size, stop), ASSET: slice(0, assets)}
            found = array[tuple(ends.get(d, slice(None)) for d in array.dims)]
            digest.update(repr((found.shape, found.dtype)).encode() + found.tobytes())
        return int.from_bytes(digest.digest()[:8], "little", signed=True)


def digest(traces: Columns) -> str:
    """Return one short text for all traces."""
    return hashlib.sha256(np.stack([traces[c] for c in COLUMNS]).tobytes()).hexdigest()[:16]


def _by_chunk(traces: Columns) -> dict[int, tuple[int, ...]]:
    """Return the last row of each chunk."""
    rows = zip(*(traces[c].tolist() for c in COLUMNS), strict=True) if traces else ()
    return {row[0]: row[1:] for row in rows}


def source(path: PathLike, *, start: Any = None, end: Any = None) -> Source:
    """Open a store for something to be made of it.

    Parameters
    ----------
    path
        The store.
    start, end
        As in `open_panel`.

    Returns
    -------
    Source
        Its ``panel`` is what `open_panel` gives.
    """
    snapshot = backend_of(path).snapshot()
    whole = opened(snapshot)
    panel = between(whole, start, end, str(path))
    panel.encoding["source"] = str(path)
    first = int(whole.indexes[DATE].get_loc(panel.indexes[DATE][0])) if panel.sizes[DATE] else 0
    return Source(snapshot, panel, first, first + panel.sizes[DATE])
