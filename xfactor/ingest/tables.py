"""Read one small table whole: find its columns, give them types, refuse what is not understood.

A table is a Parquet or CSV file that fits in memory; `ingest_table` takes larger ones. Readers ask
for columns by the package's own names; a column of the file answers to a name by the `columns`
mapping of the caller, or else by the aliases below. What comes back is plain arrays, so nothing
above knows a file format.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from xfactor import panel
from xfactor.ingest.cells import numbers
from xfactor.ingest.dates import date_column, is_text, shown, split
from xfactor.ingest.sources import find_parts
from xfactor.ingest.summary import shorten

COLUMNS_SHOWN = 30


@dataclass(frozen=True)
class Column:
    """A column that a reader asks for: its name here, its kind, the names vendors give it."""

    name: str
    kind: Literal["date", "text", "number"]
    aliases: tuple[str, ...] = ()
    required: bool = False


SYMBOLS = ("symbol", "ticker", "ticker symbol", "permno", "sid", "stock", "name")
DATE = Column(
    "date", "date", ("timestamp", "datetime", "time", "day", "trading day", "unnamed: 0", ""), True
)
ASSET = Column("asset", "text", SYMBOLS, True)


@dataclass(frozen=True)
class Text:
    """A text column: `words[codes]`, with the code -1 where there is none."""

    codes: np.ndarray
    words: np.ndarray

    def keep(self, mask: np.ndarray) -> "Text":
        """Return the rows of `mask`."""
        return Text(self.codes[mask], self.words)

    def values(self) -> np.ndarray:
        """Return one Python string for each row, None where there is none."""
        return np.concatenate([self.words, [None]])[self.codes]


@dataclass(frozen=True)
class Table:
    """Columns read from `path`: datetime64[ns], `Text` or float64 by kind; `names` in the file."""

    path: Path
    rows: int
    dates: Mapping[str, np.ndarray]
    texts: Mapping[str, Text]
    numbers: Mapping[str, np.ndarray]
    names: Mapping[str, str]


def read_table(
    source: str | os.PathLike[str],
    wanted: Sequence[Column],
    columns: Mapping[str, str] | None = None,
    one_of: Sequence[str] = (),
) -> Table:
    """Read the wanted columns of a Parquet or CSV file (which may be gzipped).

    Parameters
    ----------
    source
        The file. What it is shows in its first bytes, not in its name.
    wanted
        Columns to look for; those that are not required may be absent.
    columns
        Our name -> the file's name, where the aliases do not do; None if the caller of the
        ingest has no way to give it for this file.
    one_of
        Names of which at least one must be there.

    Returns
    -------
    Table
        At least one row.

    Raises
    ------
    PanelError
        If the file is missing, empty or unreadable, a column is missing, or a value of it is
        no date or no number.
    """
    if not isinstance(source, str | os.PathLike):
        raise panel.error(
            f"{panel.shown(source)} was given as a file", "a path", "Name a Parquet or CSV file"
        )
    path = Path(source)
    if path.is_dir():
        raise panel.error(f"{path} is a folder", "one Parquet or CSV file", "Name a file in it")
    (part,) = find_parts(path)
    names = find_columns(path, part.header, wanted, columns, one_of)
    batches = list(part.batches(list(dict.fromkeys(names.values()))))
    for ragged in (r for b in batches for r in b.ragged):
        raise panel.error(
            f"{path} cannot be read: row {ragged.row:,}: Expected {ragged.expected} columns, got "
            f"{ragged.found}",
            "complete rows",
            "Check the file",
        )
    rows = sum(len(b.rows) for b in batches)
    if rows == 0:
        raise panel.error(f"{path} has no rows", "at least one", "Check the file")
    dates: dict[str, np.ndarray] = {}
    texts: dict[str, Text] = {}
    number: dict[str, np.ndarray] = {}
    for c in (c for c in wanted if c.name in names):
        theirs = names[c.name]
        whole = pa.chunked_array([b.columns[theirs] for b in batches]).unify_dictionaries()
        column = pa.concat_arrays(whole.chunks)
        if c.kind == "date":
            dates[c.name] = date_column(column, path, theirs)
        elif c.kind == "text":
            texts[c.name] = _text(column, path, theirs)
        else:
            number[c.name] = _number(column, path, theirs)
    return Table(path, rows, dates, texts, number, names)


# --- columns ------------------------------------------------------------------------------------


def normal(name: str) -> str:
    """Reduce a column name to its words: ``"5. Adjusted_Close "`` is ``"adjusted close"``.

    Parameters
    ----------
    name
        As it stands in a file.

    Returns
    -------
    str
        Lower case, blanks between words.
    """
    bare = re.sub(r"^\s*\d+\.\s+", "", name).strip().strip("<>").lower()
    return re.sub(r"[\s_.\-]+", " ", bare).strip()


def find_columns(
    path: Path | str,
    header: list[str],
    wanted: Sequence[Column],
    columns: Mapping[str, str] | None,
    one_of: Sequence[str],
) -> dict[str, str]:
    """Find the columns of a table.

    Parameters
    ----------
    path, header
        The file, and its columns.
    wanted, columns, one_of
        As in `read_table`.

    Returns
    -------
    dict
        Our name -> the file's name.

    Raises
    ------
    PanelError
        If one that is needed is not there, or stands there twice.
    """
    known = [c.name for c in wanted]
    names: dict[str, str] = dict(columns or {})
    absent = partial(no_column, path, header, columns is not None)
    for ours, theirs in names.items():
        if ours not in known:
            raise panel.error(f"columns names {ours!r}", f"one of {', '.join(known)}", "Correct it")
        if theirs not in header:
            raise absent(f"no column {theirs!r}", ours)
    words = {normal(name): name for name in reversed(header)}
    for column in wanted:
        hits = [words[a] for a in (normal(column.name), *column.aliases) if a in words]
        if column.name not in names and hits:
            names[column.name] = hits[0]
        if column.required and column.name not in names:
            raise absent(f"no column for {column.name!r}", column.name)
    if one_of and not set(one_of) & set(names):
        listed = " or ".join(repr(n) for n in one_of)
        raise absent(f"no column for {listed}", one_of[0])
    for name in names.values():
        if header.count(name) > 1:
            raise panel.error(
                f"{path} has {header.count(name)} columns {name!r}", "one", "Rename them"
            )
    return names


def no_column(
    path: Path | str, header: list[str], mapped: bool, what: str, ours: str
) -> panel.PanelError:
    """Build the message for a column that is not there.

    Parameters
    ----------
    path, header
        The file, and its columns.
    mapped
        The caller has a way to name the column.
    what
        What is not there.
    ours
        Our name of it.

    Returns
    -------
    PanelError
        To be raised.
    """
    more = len(header) - COLUMNS_SHOWN
    listed = ", ".join(repr(shorten(h)) for h in header[:COLUMNS_SHOWN])
    remedy = f"Rename one {ours!r}"
    if mapped:
        remedy = f"Type --columns {ours}=NAME, or in Python columns={{{ours!r}: 'NAME'}}"
    return panel.error(
        f"{path} has {what}",
        f"one of its columns: {listed}" + (f" and {more} more" if more > 0 else ""),
        remedy,
    )


# --- values -------------------------------------------------------------------------------------


def _text(column: pa.Array, path: Path, name: str) -> Text:
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    if not is_text(column.type):
        raise panel.error(
            f"column {name!r} of {path} has the type {column.type}", "text", "Convert it"
        )
    codes, words = split(column)
    blank = np.array([not w.strip() for w in words] + [True])
    return Text(np.where(blank[codes], panel.MISSING_CODE, codes), words)


def _number(column: pa.Array, path: Path, name: str) -> np.ndarray:
    values, bad = numbers(column, str(path), name)
    if bad is not None:
        rows = np.flatnonzero(bad)
        raise panel.error(
            f"column {name!r} of {path} holds {shorten(shown(column, rows[0]))!r} in row "
            f"{rows[0] + 1:,} ({panel.several(len(rows), 'such row', 'such rows')})",
            "numbers",
            "Correct or empty these cells",
        )
    return values.astype(np.float64, copy=False)
