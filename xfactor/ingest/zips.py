"""Tab-separated files in a zip, a block at a time, each row with its number."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from xfactor.ingest.formats import Batch, Ragged, _Utf8

BLOCK_BYTES = 1 << 23
READ_ERRORS = (
    zipfile.BadZipFile, zlib.error, pa.ArrowException, OSError, EOFError, KeyError,
    NotImplementedError, RuntimeError, UnicodeError, OverflowError,
)  # fmt: skip
BOM = b"\xef\xbb\xbf"


@dataclass
class Member:
    """A file of a zip, to be read as a part is.

    Parameters
    ----------
    zip_file, path
        The zip, open, and where it is.
    member
        The file in it.
    needed
        Columns that `choose` looks at.
    choose
        Columns of a block -> a mask of the rows wanted; all if not given.
    rows
        Counts the rows read.
    """

    zip_file: zipfile.ZipFile
    path: str
    member: str
    needed: Sequence[str] = ()
    choose: Callable[[dict[str, pa.Array]], pa.Array] | None = None
    rows: int = 0

    def __post_init__(self) -> None:
        with self.zip_file.open(self.member) as stream:
            line = stream.readline().removeprefix(BOM).rstrip(b"\r\n")
        self.name = f"{self.path}/{self.member}"
        self.header = [w.decode("utf-8", "backslashreplace") for w in line.split(b"\t")]

    def batches(self, names: Sequence[str]) -> Iterator[Batch]:
        """Read columns as bytes; one of `needed` that is not there is empty."""
        there = [n for n in dict.fromkeys((*names, *self.needed)) if n in self.header]
        place = {n: f"{i:06d}" for i, n in reversed(list(enumerate(self.header)))}
        ragged: list[Ragged] = []

        def keep(row: pacsv.InvalidRow) -> str:
            ragged.append(
                Ragged(row.number - 1, row.expected_columns, row.actual_columns, row.text)
            )
            return "skip"

        told = 0
        with self.zip_file.open(self.member) as stream:
            for block in self._blocks(stream, [place[n] for n in there], keep):
                skipped = np.array([r.row for r in ragged], np.int64)
                kept = np.arange(self.rows, self.rows + block.num_rows)
                self.rows += block.num_rows
                # Each row stands one line lower for each ragged one above it.
                above = np.searchsorted(skipped - 1 - np.arange(len(skipped)), kept, "right")
                yield self._chosen(kept + 1 + above, dict(zip(there, block.columns, strict=True)),
                                   ragged[told:])  # fmt: skip
                told = len(ragged)
        if ragged[told:]:
            yield Batch(np.empty(0, np.int64), {}, ragged[told:])

    def _blocks(
        self, stream: object, columns: list[str], keep: Callable[[pacsv.InvalidRow], str]
    ) -> Iterator[pa.RecordBatch]:
        # Bytes that are no UTF-8 are escaped: the reader cannot hand over a bad row with such.
        text = pa.TransformInputStream(pa.PythonFile(stream, "r"), _Utf8("utf-8"))
        with pacsv.open_csv(
            text,
            # One thread: only then do the rows have numbers.
            pacsv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, skip_rows_after_names=1,
                column_names=[f"{i:06d}" for i in range(len(self.header))],
            ),
            pacsv.ParseOptions(
                delimiter="\t", quote_char=False, double_quote=False, invalid_row_handler=keep
            ),
            pacsv.ConvertOptions(
                check_utf8=False, include_columns=columns, strings_can_be_null=False,
                column_types=dict.fromkeys(columns, pa.binary()),
            ),
        ) as reader:  # fmt: skip
            yield from reader

    def _chosen(
        self, rows: np.ndarray, columns: dict[str, pa.Array], ragged: Sequence[Ragged]
    ) -> Batch:
        if self.choose is None:
            return Batch(rows, columns, ragged)
        empty = pa.array([b""] * len(rows), pa.binary())
        mask = self.choose({n: columns.get(n, empty) for n in self.needed})
        kept = {n: c.filter(mask) for n, c in columns.items()}
        return Batch(rows[mask.to_numpy(zero_copy_only=False)], kept, ragged)
