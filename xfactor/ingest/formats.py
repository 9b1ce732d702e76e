"""Parquet, CSV and Arrow in batches of rows, each row with its number in the file.

CSV cells are taken as bytes: what they mean is decided by the column they are asked for, so that
one bad cell is one bad cell and not a file that cannot be read.
"""

import codecs
import csv
import io
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from xfactor import panel

BATCH_ROWS = 1 << 17
CSV_BLOCK = 4 << 20
# Tried in this order where a header has no comma, and the marks that a file may begin with.
DELIMITERS = (",", ";", "\t", "|")
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
READ_ERRORS = (
    pa.ArrowException, OSError, EOFError, csv.Error, UnicodeError, LookupError, OverflowError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Csv:
    """How CSV files are written; what is None shows in their first bytes."""

    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        given = self.delimiter
        if given is not None and (not isinstance(given, str) or len(given) != 1):
            raise panel.error(
                f"delimiter={panel.shown(given)} was given", "one character", "Correct it"
            )
        try:
            "".encode("utf-8" if self.encoding is None else self.encoding)
        except (LookupError, TypeError):
            raise panel.error(
                f"encoding={panel.shown(self.encoding)} is unknown", "the name of an encoding",
                "Use e.g. latin-1",
            ) from None  # fmt: skip


@dataclass(frozen=True)
class Ragged:
    """A line of a CSV file with too few or too many cells."""

    row: int
    expected: int
    found: int
    text: str


@dataclass(frozen=True)
class Batch:
    """Some rows: their numbers in the file (1 is the first below the header), their columns.

    `part` is the share of the file that was read when this batch was complete.
    """

    rows: np.ndarray
    columns: Mapping[str, pa.Array]
    ragged: Sequence[Ragged] = field(default=())
    part: float = 1.0

    def beside(self, fixed: Mapping[str, str | None]) -> "Batch":
        """Add columns of one value."""
        if not fixed:
            return self
        n = len(self.rows)
        more = {k: pa.array([v], pa.string()).take(pa.array(np.zeros(n, int))) for k, v in
                fixed.items()}  # fmt: skip
        return Batch(self.rows, {**self.columns, **more}, self.ragged, self.part)


class Reading:
    """What goes wrong while a file is read, in one line with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:  # fmt: skip
        """Turn an error of a reader into a PanelError."""
        if isinstance(cause, READ_ERRORS) and not isinstance(cause, panel.PanelError):
            raise panel.error(
                f"{self.name} cannot be read: {' '.join(str(cause).split())[:200]}",
                "a complete Parquet or CSV file",
                "Check the file, and the encoding and delimiter of a CSV file",
            ) from cause


def shell_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a glob of the shell: `*` stays within a folder, `**/` is any number of folders.

    Parameters
    ----------
    pattern
        The glob.

    Returns
    -------
    re.Pattern
        To be matched in full.
    """
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\])", pattern)
    return re.compile(
        "".join(known.get(p, p if p.startswith("[") else re.escape(p)) for p in pieces)
    )


# --- tables in memory ---------------------------------------------------------------------------


def slices(table: pa.Table, names: Sequence[str]) -> Iterator[Batch]:
    """Cut a table into batches.

    Parameters
    ----------
    table
        In memory.
    names
        Columns wanted.

    Yields
    ------
    Batch
        In order.
    """
    first = 1
    for chunk in table.select(list(names)).to_batches(max_chunksize=BATCH_ROWS):
        yield _numbered(chunk, first, (first + chunk.num_rows) / table.num_rows)
        first += chunk.num_rows


def _numbered(chunk: pa.RecordBatch, first: int, part: float) -> Batch:
    columns = dict(zip(chunk.schema.names, chunk.columns, strict=True))
    return Batch(np.arange(first, first + chunk.num_rows), columns, (), part)


# --- Parquet ------------------------------------------------------------------------------------


def parquet_header(system: Any, path: str, csv: Csv) -> list[str]:
    """Return the column names of a Parquet file.

    Parameters
    ----------
    system, path
        Where it is.
    csv
        Not used: Parquet knows how it is written.

    Returns
    -------
    list of str
        Top-level names.
    """
    return [str(n) for n in pq.read_schema(path, filesystem=system).names]


def parquet_types(system: Any, path: str) -> dict[str, pa.DataType]:
    """Return the type of each column of a Parquet file.

    Parameters
    ----------
    system, path
        Where it is.

    Returns
    -------
    dict
        Name -> type.
    """
    schema = pq.read_schema(path, filesystem=system)
    return dict(zip(schema.names, schema.types, strict=True))


def parquet_batches(system: Any, path: str, names: Sequence[str], csv: Csv) -> Iterator[Batch]:
    """Read a Parquet file row group by row group.

    Parameters
    ----------
    system, path
        Where it is.
    names
        Columns wanted.
    csv
        Not used.

    Yields
    ------
    Batch
        In order.
    """
    remote = not isinstance(system, pafs.LocalFileSystem)
    with system.open_input_file(path) as file:
        # The reader keeps what it has fetched in advance until the end of what it was asked for.
        # So it is asked for a few row groups at a time, and fetches in advance over a network only.
        whole = pq.ParquetFile(file, pre_buffer=remote)
        first, rows = 1, max(whole.metadata.num_rows, 1)
        for some in _row_groups(whole.metadata):
            for chunk in whole.iter_batches(BATCH_ROWS, row_groups=some, columns=list(names)):
                yield _numbered(chunk, first, (first + chunk.num_rows) / rows)
                first += chunk.num_rows


def _row_groups(metadata: Any) -> Iterator[list[int]]:
    """Put row groups together until they are worth a call."""
    some, rows = [], 0
    for i in range(metadata.num_row_groups):
        some.append(i)
        rows += metadata.row_group(i).num_rows
        if rows >= 4 * BATCH_ROWS or i == metadata.num_row_groups - 1:
            yield some
            some, rows = [], 0


# --- CSV ----------------------------------------------------------------------------------------


class _Utf8:
    """Turns the bytes of a file into UTF-8 piece by piece; what is none is escaped.

    The reader could do this itself, but would end with a byte that it cannot read.
    """

    def __init__(self, encoding: str) -> None:
        known = codecs.lookup(encoding).name
        self._plain = known == "utf-8"
        decoder = codecs.getincrementaldecoder("utf-8-sig" if self._plain else known)
        self._decoder = decoder("backslashreplace")
        self._begun = False

    def __call__(self, piece: Any) -> bytes:
        data = bytes(piece)
        idle = self._begun and not self._decoder.getstate()[0]
        if self._plain and idle and data.isascii():
            return data
        self._begun = True
        return self._decoder.decode(data).encode("utf-8", "backslashreplace")


def _stream(system: Any, path: str, encoding: str | None) -> tuple[Any, Any]:
    """Return the file as it is, to ask how far it was read, and the text in it as UTF-8."""
    if encoding is None:
        file, plain = _plain(system, path)
        with file:
            encoding = _encoding(plain.read(4))
    file, plain = _plain(system, path)
    return file, pa.TransformInputStream(plain, _Utf8(encoding))


def _plain(system: Any, path: str) -> tuple[Any, Any]:
    file = system.open_input_file(path)
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return file, pa.CompressedInputStream(file, "gzip") if zipped else file


def _encoding(first: bytes) -> str:
    """Return the encoding that the first four bytes of a file tell of."""
    for mark, encoding in MARKS:
        if first.startswith(mark):
            return encoding
    # A header is ASCII, or begins so: a zero in every other byte is UTF-16 without a mark.
    zeros = [b == 0 for b in first]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8"


def csv_header(system: Any, path: str, csv_: Csv) -> list[str]:
    """Return the column names of a CSV file.

    Parameters
    ----------
    system, path
        Where it is.
    csv_
        How it is written.

    Returns
    -------
    list of str
        Empty if it has no line.
    """
    return _header(system, path, csv_)[1]


def _header(system: Any, path: str, csv_: Csv) -> tuple[int, list[str], str]:
    """Return the number of empty lines above the header, its names, and the delimiter."""
    delimiter = csv_.delimiter or DELIMITERS[0]
    above, names = _first_line(system, path, csv_.encoding, delimiter)
    if csv_.delimiter is None and len(names) == 1:
        delimiter = max(DELIMITERS, key=names[0].count)
        above, names = _first_line(system, path, csv_.encoding, delimiter)
    return above, names, delimiter


def _first_line(
    system: Any, path: str, encoding: str | None, delimiter: str
) -> tuple[int, list[str]]:
    _, stream = _stream(system, path, encoding)
    with stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8", newline="")
        lines = csv.reader(text, delimiter=delimiter)
        for above, row in enumerate(lines):
            if row:
                return above, row
    return 0, []


def csv_batches(system: Any, path: str, names: Sequence[str], csv_: Csv) -> Iterator[Batch]:
    """Read a CSV file, which may be gzipped, block by block; cells are bytes.

    Parameters
    ----------
    system, path
        Where it is.
    names
        Columns wanted.
    csv_
        How it is written.

    Yields
    ------
    Batch
        In order. Rows of another length than the header stand in `ragged`.
    """
    above, stored, delimiter = _header(system, path, csv_)
    place = {n: f"{i:06d}" for i, n in reversed(list(enumerate(stored)))}
    wanted = [place[n] for n in names]
    ragged: list[Ragged] = []

    def keep(row: Any) -> str:
        at = row.number - above - 1  # it counts the header, and what was skipped above
        ragged.append(Ragged(at, row.expected_columns, row.actual_columns, row.text))
        return "skip"

    file, stream = _stream(system, path, csv_.encoding)
    size = max(file.size(), 1)
    options = {
        # One thread: only then do the rows have numbers. The rest of the work runs beside it.
        "read_options": pacsv.ReadOptions(
            use_threads=False, block_size=CSV_BLOCK, skip_rows=above, skip_rows_after_names=1,
            column_names=[f"{i:06d}" for i in range(len(stored))],
        ),
        "parse_options": pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep
        ),
        "convert_options": pacsv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.binary()), include_columns=wanted,
            strings_can_be_null=False, check_utf8=False,
        ),
    }  # fmt: skip
    done, told = 0, 0
    with file, stream, pacsv.open_csv(stream, **options) as reader:
        for chunk in reader:
            skipped = np.array([r.row for r in ragged], np.int64)
            kept = np.arange(done, done + chunk.num_rows)
            # The k-th kept row stands k + 1 lines below the header, and one more for each ragged
            # row above it.
            rows = kept + 1 + np.searchsorted(skipped - 1 - np.arange(len(skipped)), kept, "right")
            columns = dict(zip(names, chunk.columns, strict=True))
            yield Batch(rows, columns, ragged[told:], file.tell() / size)
            done, told = done + chunk.num_rows, len(ragged)
    if ragged[told:]:
        none = {n: pa.array([], pa.binary()) for n in names}
        yield Batch(np.empty(0, np.int64), none, ragged[told:])
