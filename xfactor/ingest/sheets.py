"""Tables read whole, each row with its number: what cannot be used is rejected, the rest is kept.

Records and reports are few beside prices, and have to be sorted by asset at once; so they are held
in memory. What they are held as is the same for files, frames and Arrow tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from xfactor import panel
from xfactor.ingest.cells import CONTROL, numbers, whole_numbers
from xfactor.ingest.dates import Dates, is_text, shown, split, words_of
from xfactor.ingest.rejects import Rejects, row_id
from xfactor.ingest.sources import Part
from xfactor.ingest.tables import Column, find_columns, no_column
from xfactor.ingest.zips import Member

# Rows that are no error of the source: they are left out also where bad ones end the ingest.
BESIDE = "beside"
NOTHING = {
    "date": np.array("NaT", "datetime64[ns]"),
    "number": np.array(np.nan),
    "text": np.array(None, object),
}


@dataclass(frozen=True)
class Piece:
    """Some rows of a part: its number, the rows' numbers in it, the columns by our names."""

    part: int
    rows: np.ndarray
    columns: Mapping[str, pa.Array]


class Sheet:
    """The rows of a source.

    Parameters
    ----------
    parts
        Files and tables.
    wanted
        Columns to look for.
    columns
        Our name -> the source's.
    one_of
        Columns of which all parts must have the same one: the first that they have.
    rejects
        Where to count what is not taken.
    first
        Number of the first part among those of `rejects`.

    Raises
    ------
    PanelError
        If it cannot be read, a column is missing, or has a type that will not do.
    """

    def __init__(
        self, parts: Sequence[Part | Member], wanted: Sequence[Column],
        columns: Mapping[str, str] | None, one_of: Sequence[str], rejects: Rejects, first: int = 0,
    ) -> None:  # fmt: skip
        self.rejects = rejects
        self._kinds = {c.name: c.kind for c in wanted}
        self._odd: dict[str, np.ndarray] = {}
        self.names = [find_columns(p.name, p.header, wanted, columns, one_of) for p in parts]
        _check_alike(parts, self.names, one_of)
        self._number = first
        self._pieces = [q for i, p in enumerate(parts) for q in self._read(i, p)]
        self.ids = _joined([row_id(first + q.part, q.rows) for q in self._pieces], np.int64)
        self.kept = np.ones(len(self.ids), bool)
        self._first = ""
        there = {name for names in self.names for name in names}
        self.columns = {
            c.name: self._column(c, [p.name for p in parts]) for c in wanted if c.name in there
        }

    def __contains__(self, name: object) -> bool:
        """Say whether the source has a column, by our name."""
        return name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column: datetime64[ns], float64, or str and None, missing if not understood."""
        return self.columns[name]

    def frame(self) -> pd.DataFrame:
        """Return the rows kept, and their number in the column `id`."""
        there = {**self.columns, "id": self.ids}
        return pd.DataFrame({name: v[self.kept] for name, v in there.items()})

    def reject(self, bad: np.ndarray, reason: str, column: str, kind: str = "required") -> None:
        """Leave rows out, of those that are still there."""
        for rows, ids, words in self._lists(bad & self.kept, column):
            self.rejects.add_rows(kind, reason, column, ids, words)
            self.kept[rows] = False
            where, row, theirs = self.rejects.where(int(ids[0]), column)
            self._first = self._first or f"row {row:,} of {where}, {theirs!r} {words[0]!r}"

    def clear(self, bad: np.ndarray, reason: str, column: str, kind: str = "range") -> None:
        """Count cells that are missing from now on, in rows that are still there."""
        for _, ids, words in self._lists(bad & self.kept, column):
            self.rejects.add_cells(kind, reason, column, ids, words)
        self.columns[column] = np.where(bad, np.nan, self.columns[column])

    def unread(self, name: str) -> np.ndarray:
        """Return a mask of the cells in which something stands that was not understood."""
        return self._odd.get(name, np.zeros(len(self.ids), bool))

    def settle(self, source: str) -> None:
        """Raise if a row is rejected that must not be, or none is kept."""
        self.rejects.settle()
        if not len(self.ids):
            raise panel.error(f"{source} has no rows", "at least one", "Check the file")
        if not self.kept.any():
            counted = "; ".join(f"{n:,} {why}" for why, n in self.rejects.rows.items() if n)
            raise panel.error(
                f"no row of {source} can be used: {counted}; the first is {self._first}",
                "at least one", "Check the columns",
            )  # fmt: skip

    # --- reading --------------------------------------------------------------------------------

    def _read(self, i: int, part: Part | Member) -> Iterator[Piece]:
        names = self.names[i]
        for batch in part.batches(list(dict.fromkeys(names.values()))):
            self.rejects.read += len(batch.rows) + len(batch.ragged)
            for r in batch.ragged:
                why = f"Expected {r.expected} columns, got {r.found}"
                text = why if "ragged" in self.rejects.stop else r.text
                ids = row_id(self._number + i, np.array([r.row]))
                self.rejects.add_rows("ragged", "with too few or too many cells", "", ids, [text])
            if len(batch.rows):
                columns = {
                    ours: _plain(batch.columns[theirs], self._kinds[ours])
                    for ours, theirs in names.items()
                }
                yield Piece(i, batch.rows, columns)

    def _column(self, column: Column, parts: Sequence[str]) -> np.ndarray:
        name = column.name
        theirs = next(n[name] for n in self.names if name in n)
        there = [q.columns[name] for q in self._pieces if name in q.columns]
        dates = Dates(theirs, None, lambda: map(words_of, there))
        nothing = NOTHING[column.kind]
        found, odd = [], []
        for q in self._pieces:
            v, bad = np.full(len(q.rows), nothing), None
            if name in q.columns:
                cells, path = q.columns[name], parts[q.part]
                if column.kind == "date":
                    v = dates.read(cells, path)
                else:
                    v, bad = (_words if column.kind == "text" else numbers)(cells, path, theirs)
            found.append(v)
            odd.append(np.zeros(len(q.rows), bool) if bad is None else bad)
        if any(o.any() for o in odd):
            self._odd[name] = _joined(odd, bool)
        return _joined(found, nothing.dtype)

    def _lists(
        self, bad: np.ndarray, column: str
    ) -> Iterator[tuple[np.ndarray, np.ndarray, list[str]]]:
        """Return (rows, their identifiers, their cells as text) of a mask, a piece at a time."""
        start = 0
        for q in self._pieces:
            rows = np.flatnonzero(bad[start : start + len(q.rows)])
            if len(rows):
                self.rejects.name_columns(dict(self.names[q.part]))
                cells = q.columns.get(column)
                listed = rows if self.rejects.path is not None else rows[:1]
                words = [""] if cells is None else [shown(cells, r) for r in listed]
                words += [""] * (len(rows) - len(words))
                yield rows + start, self.ids[rows + start], words
            start += len(q.rows)


def _joined(pieces: Sequence[np.ndarray], dtype: type | np.dtype) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *pieces]).astype(dtype, copy=False)


def _check_alike(
    parts: Sequence[Part | Member], names: Sequence[Mapping[str, str]], one_of: Sequence[str]
) -> None:
    """Raise unless all parts name their assets alike, and all or none say when they were known."""
    who = next((w for w in one_of if all(w in n for n in names)), None)
    some = {"known_at"} if any("known_at" in n for n in names) else set()
    needed = {*some, *({who or one_of[0]} if one_of else ())}
    for part, own in zip(parts, names, strict=True):
        for name in sorted(needed - set(own)):
            raise no_column(part.name, part.header, True, f"no column for {name!r}", name)


def _plain(cells: pa.Array, kind: str) -> pa.Array:
    """Return what categories stand for; and of dates and words, whole numbers as such."""
    if pa.types.is_dictionary(cells.type) and not is_text(cells.type):
        cells = cells.dictionary_decode()
    floats = pa.types.is_floating(cells.type) and kind != "number"
    return whole_numbers(cells) if floats else cells


def _words(cells: pa.Array, path: str, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the words of a column, None for nothing; a mask of those that are no text."""
    if pa.types.is_integer(cells.type):
        cells = cells.cast(pa.string())
    if not is_text(cells.type):
        raise panel.error(
            f"column {name!r} of {path} has the type {cells.type}", "text", "Convert it"
        )
    codes, words = split(cells)
    bare = [w.strip() for w in words]
    odd = np.array([bool(CONTROL.search(w)) for w in bare] + [False])
    known = np.array([*(None if o or not w else w for w, o in zip(bare, odd, strict=False)), None])
    return known.astype(object)[codes], odd[codes]
