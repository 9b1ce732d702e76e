"""Read one vendor table: find its columns, give them types, refuse what cannot be understood.

A table is a Parquet or CSV file in long form. The readers ask for columns by the package's own
names; a column of the file answers to a name by the `columns` mapping of the caller, or else by
the aliases below. What comes back is plain arrays, so nothing above knows a file format.
"""

import csv
import gzip
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from xfactor import panel
from xfactor.ingest.dates import date_column
from xfactor.ingest.summary import shorten

COLUMNS_SHOWN = 30
READ_ERRORS = (pa.ArrowException, OSError, EOFError, csv.Error, UnicodeDecodeError)


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
    path = Path(source)
    parquet, zipped = _sniff(path)
    try:
        header = _parquet_header(path) if parquet else _csv_header(path, zipped)
        names = _resolve(path, header, wanted, columns, one_of)
        kinds = {names[c.name]: c.kind for c in wanted if c.name in names}
        arrow = _read_parquet(path, kinds) if parquet else _read_csv(path, zipped, kinds)
    except READ_ERRORS as cause:
        raise panel.error(
            f"{path} cannot be read: {' '.join(str(cause).split())[:200]}",
            "a Parquet or CSV file in UTF-8",
            "Check that it is complete",
        ) from cause
    if arrow.num_rows == 0:
        raise panel.error(f"{path} has no rows", "at least one", "Check the file")
    dates: dict[str, np.ndarray] = {}
    texts: dict[str, Text] = {}
    numbers: dict[str, np.ndarray] = {}
    for c in (c for c in wanted if c.name in names):
        column, theirs = arrow.column(names[c.name]), names[c.name]
        if c.kind == "date":
            dates[c.name] = date_column(column, path, theirs)
        elif c.kind == "text":
            texts[c.name] = _text(column, path, theirs)
        else:
            numbers[c.name] = _number(column, path, theirs)
    return Table(path, arrow.num_rows, dates, texts, numbers, names)


def _sniff(path: Path) -> tuple[bool, bool]:
    """Say whether the file is Parquet, and whether it is gzipped."""
    if not path.exists():
        raise panel.error(f"nothing is at {path}", "a Parquet or CSV file", "Check the path")
    if path.is_dir():
        raise panel.error(f"{path} is a folder", "one Parquet or CSV file", "Name a file in it")
    with path.open("rb") as file:
        first = file.read(4)
    if not first:
        raise panel.error(f"{path} is empty", "a table with a header", "Check the file")
    return first == b"PAR1", first[:2] == b"\x1f\x8b"


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


def _resolve(
    path: Path,
    header: list[str],
    wanted: Sequence[Column],
    columns: Mapping[str, str] | None,
    one_of: Sequence[str],
) -> dict[str, str]:
    """Return our name -> the file's name."""
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


# --- files --------------------------------------------------------------------------------------


def _parquet_header(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def _read_parquet(path: Path, kinds: Mapping[str, str]) -> pa.Table:
    return pq.read_table(path, columns=list(kinds))


def _csv_header(path: Path, zipped: bool) -> list[str]:
    with gzip.open(path) if zipped else path.open("rb") as file:
        lines = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        return next((row for row in lines if row), [])


def _read_csv(path: Path, zipped: bool, kinds: Mapping[str, str]) -> pa.Table:
    """Read with the types asked for; where that fails, as text, so that the error can be named."""
    words = pa.dictionary(pa.int32(), pa.string())
    types = {n: pa.float64() if kind == "number" else words for n, kind in kinds.items()}
    try:
        return _parse_csv(path, zipped, types)
    except pa.ArrowInvalid:
        return _parse_csv(path, zipped, dict.fromkeys(kinds, words))


def _parse_csv(path: Path, zipped: bool, types: Mapping[str, pa.DataType]) -> pa.Table:
    with pa.input_stream(str(path), compression="gzip" if zipped else None) as stream:
        options = pacsv.ConvertOptions(column_types=types, include_columns=list(types))
        return pacsv.read_csv(stream, convert_options=options)


# --- values -------------------------------------------------------------------------------------


def _text(column: pa.ChunkedArray, path: Path, name: str) -> Text:
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    if pa.types.is_dictionary(column.type):
        encoded = column.unify_dictionaries().combine_chunks()
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        encoded = pc.dictionary_encode(column).combine_chunks()
    else:
        raise panel.error(
            f"column {name!r} of {path} has the type {column.type}", "text", "Convert it"
        )
    codes = encoded.indices.fill_null(panel.MISSING_CODE).to_numpy(zero_copy_only=False)
    words = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    blank = np.array([w is None or not str(w).strip() for w in words] + [True])
    return Text(np.where(blank[codes], panel.MISSING_CODE, codes), words)


def _number(column: pa.ChunkedArray, path: Path, name: str) -> np.ndarray:
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text_as_number(_text(column, path, name), path, name)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise panel.error(f"column {name!r} of {path} has the type {kind}", "numbers", "Convert it")
    return column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64, copy=False)


def _text_as_number(text: Text, path: Path, name: str) -> np.ndarray:
    values = pd.to_numeric(pd.Series(text.words, dtype=object), errors="coerce").to_numpy(float)
    empty = pacsv.ConvertOptions().null_values
    bad = np.array(
        [bool(np.isnan(v)) and w not in empty for v, w in zip(values, text.words, strict=True)]
    )
    rows = np.flatnonzero(np.append(bad, False)[text.codes])
    if len(rows):
        raise panel.error(
            f"column {name!r} of {path} holds {shorten(text.words[text.codes[rows[0]]])!r} in row "
            f"{rows[0] + 1:,} ({len(rows):,} such rows)",
            "numbers",
            "Correct or empty these cells",
        )
    return np.append(values, np.nan)[text.codes]
