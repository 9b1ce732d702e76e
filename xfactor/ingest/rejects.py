"""What was not taken from a file: counted by reason, listed in a file, or the end of the ingest."""

import contextlib
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from xfactor import panel
from xfactor.ingest.dates import unreadable
from xfactor.ingest.summary import shorten

# What may be wrong. An ingest stops at the first of its `stop` and counts the others.
KINDS = ("ragged", "date", "asset", "value", "range", "required", "duplicate")
SCHEMA = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("column", pa.string()), ("value", pa.string()),
     ("reason", pa.string())]
)  # fmt: skip
# A row is known by the number of its file and its number in it.
ROW_BITS = 40
PENDING = 1 << 16
LONGEST = 200
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def row_id(part: int, rows: np.ndarray) -> np.ndarray:
    """Return the identifiers of rows; they order as the rows do in the source.

    Parameters
    ----------
    part
        Number of the part.
    rows
        Numbers in the part.

    Returns
    -------
    numpy.ndarray
        int64.
    """
    return (part << ROW_BITS) | rows.astype(np.int64)


class Rejects:
    """Counts what was not taken, writes it to a file, and raises where it must not be.

    Parameters
    ----------
    path
        The file, Parquet by its suffix, otherwise CSV; None for none.
    stop
        Kinds that end the ingest.
    parts
        Name of each part, and where the columns are assets, these: the number of a row is then
        that of a cell, counted along the lines.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        stop: frozenset[str],
        parts: Sequence[tuple[str, Sequence[str]]],
    ) -> None:
        self.path, self.stop, self.parts = _file(path), stop, parts
        self.rows: Counter[str] = Counter()
        self.cells: Counter[tuple[str, str]] = Counter()
        self.read = 0
        self._pending: list[tuple[Any, ...]] = []
        self._writer: Any = None
        self._partial: Path | None = None
        self._columns: dict[str, str] = {}
        self._first: tuple[int, panel.PanelError] | None = None

    def name_columns(self, names: dict[str, str]) -> None:
        """Say what the columns are called in the files."""
        self._columns = names

    def add_rows(
        self, kind: str, reason: str, column: str, ids: np.ndarray, values: Sequence[str]
    ) -> None:
        """Count rows that are not taken; `column` is ours, empty for the whole row."""
        self._stop(kind, reason, column, ids, values)
        self.rows[reason] += len(ids)
        self._list(reason, column, ids, values)

    def add_cells(
        self, kind: str, reason: str, column: str, ids: np.ndarray, values: Sequence[str]
    ) -> None:
        """Count cells that are not taken, of rows that are."""
        self._stop(kind, reason, column, ids, values)
        self.cells[column, reason] += len(ids)
        self._list(f"{column} {reason}", column, ids, values)

    def _stop(
        self, kind: str, reason: str, column: str, ids: np.ndarray, values: Sequence[str]
    ) -> None:
        """Keep the error for the first row that must not be rejected."""
        at = int(ids.min()) if kind in self.stop and len(ids) else -1
        if at < 0 or (self._first is not None and self._first[0] <= at):
            return
        self._first = at, self._error(kind, reason, column, ids, values)

    def settle(self) -> None:
        """Raise if something was rejected that must not be: the first in the source."""
        if self._first is not None:
            raise self._first[1]

    def _error(
        self, kind: str, reason: str, column: str, ids: np.ndarray, values: Sequence[str]
    ) -> panel.PanelError:
        file, row, theirs = self.where(int(ids.min()), column)
        word = shorten(values[0] if values else "")
        if kind == "ragged":
            return panel.error(f"{file} cannot be read: row {row:,}: {word}", "complete rows",
                              "Check the file")  # fmt: skip
        if kind == "date":
            return unreadable(len(ids), self.read, theirs, file, row, word)
        if kind == "value":
            such = panel.several(len(ids), "such row", "such rows")
            return panel.error(
                f"column {theirs!r} of {file} holds {word!r} in row {row:,} ({such})",
                reason.removeprefix("no ") + "s",
                "Write decimals with a point"
                if DECIMAL_COMMA.fullmatch(word)
                else "Correct or empty these cells",
            )
        return panel.error(
            f"row {row:,} of {file} is {reason}" if kind in ("asset", "required", "duplicate")
            else f"column {theirs!r} of {file} is {reason} in row {row:,}: {word!r}",
            "values that fit the schema", "Correct the row, or ingest without strict",
        )  # fmt: skip

    def where(self, identifier: int, column: str) -> tuple[str, int, str]:
        """Return the file of a row, its number in it, and what a column is called there."""
        name, across = self.parts[identifier >> ROW_BITS]
        row = identifier & ((1 << ROW_BITS) - 1)
        if across:
            row, at = divmod(row, len(across))
            return name, row, across[at]
        return name, row, self._columns.get(column, column)

    # --- the file -------------------------------------------------------------------------------

    def _list(self, reason: str, column: str, ids: np.ndarray, values: Sequence[str]) -> None:
        if self.path is None:
            return
        padded = values if len(values) else [""] * len(ids)
        for i, value in zip(ids.tolist(), padded, strict=True):
            self._pending.append((*self.where(i, column), value[:LONGEST], reason))
        if len(self._pending) >= PENDING:
            self._flush()

    def _flush(self) -> None:
        if self.path is None or (not self._pending and self._writer is not None):
            return
        columns = zip(*self._pending, strict=True) if self._pending else [[] for _ in SCHEMA]
        table = pa.table([list(c) for c in columns], schema=SCHEMA)
        if self._writer is None:
            self._partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.partial")
            write = pq.ParquetWriter if self.path.suffix == ".parquet" else pacsv.CSVWriter
            self._writer = write(self._partial, SCHEMA)
        self._writer.write_table(table)
        self._pending.clear()

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """Within this block rows are rejected; the file is in its place when it ends.

        Also where it ends with an error, if something was listed by then: that is what the user
        needs to see. A kill leaves the older file.
        """
        try:
            yield
        except BaseException:
            self._finish(publish=bool(self._pending) or self._writer is not None)
            raise
        self._finish(publish=True)

    def _finish(self, publish: bool) -> None:
        if self.path is None or not publish:
            return
        self._flush()
        self._writer.close()
        assert self._partial is not None
        os.replace(self._partial, self.path)


def _file(given: str | os.PathLike[str] | None) -> Path | None:
    """Return the file to list rejects in; raise now, and not after hours, if it cannot be made."""
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike):
        raise panel.error(f"rejects={panel.shown(given)} was given", "a file", "Name a file")
    path = Path(given)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise panel.error(
            f"rejects={path} was given", "a file in a folder that is there",
            "Name a file" if path.is_dir() else f"Make the folder {path.parent} first",
        )  # fmt: skip
    return path
