"""Where rows come from: files, globs, folders, hive partitions, URLs, and tables in memory.

Every source becomes a list of parts that can be read again and again, each in batches of bounded
size. What a file is shows in its first bytes, not in its name.
"""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.fs as pafs

from xfactor import panel
from xfactor.ingest import formats
from xfactor.ingest.formats import Batch, Csv

Source: TypeAlias = str | os.PathLike[str] | pd.DataFrame | pa.Table
GLOB = frozenset("*?[")
EMPTY_KEY = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """A file, or a table in memory: its name, its columns, and its rows in batches.

    `fixed` are columns that have one value in the whole part: the partitions in a file's path.
    """

    name: str
    fixed: Mapping[str, str | None]
    csv: Csv
    system: Any = None
    path: str = ""
    table: pa.Table | None = None

    @cached_property
    def parquet(self) -> bool:
        """Say whether the file is Parquet, by its first bytes."""
        with self._reading(), self.system.open_input_stream(self.path, compression=None) as file:
            first = file.read(4)
        if not first:
            raise panel.error(f"{self.name} is empty", "a table with a header", "Check the file")
        return first == b"PAR1"

    @cached_property
    def stored(self) -> list[str]:
        """Return the names of the columns in the file itself, as they stand there."""
        if self.table is not None:
            return list(self.table.column_names)
        with self._reading():
            read = formats.parquet_header if self.parquet else formats.csv_header
            return read(self.system, self.path, self.csv)

    @property
    def header(self) -> list[str]:
        """Return the names of all columns: what a file says goes before what its path says."""
        return self.stored + [k for k in self.fixed if k not in self.stored]

    def types(self) -> dict[str, pa.DataType]:
        """Return the types of the columns where they are known without reading: not in CSV."""
        if self.table is not None:
            return dict(zip(self.table.schema.names, self.table.schema.types, strict=True))
        if not self.parquet:
            return {}
        with self._reading():
            return formats.parquet_types(self.system, self.path)

    def batches(self, names: Sequence[str]) -> Iterator[Batch]:
        """Read the columns `names`; each stands once in the header."""
        stored = [n for n in names if n in self.stored]
        fixed = {n: self.fixed[n] for n in names if n not in self.stored}
        if self.table is not None:
            yield from formats.slices(self.table, stored)
            return
        with self._reading():
            read = formats.parquet_batches if self.parquet else formats.csv_batches
            for batch in read(self.system, self.path, stored, self.csv):
                yield batch.beside(fixed)

    def _reading(self) -> formats.Reading:
        return formats.Reading(self.name)


def find_parts(source: Source | Sequence[Source], csv: Csv | None = None) -> list[Part]:
    """List the parts of a source, in a fixed order.

    Parameters
    ----------
    source
        A file, a glob, a folder (searched to its depths), a URL such as ``s3://bucket/folder``
        of these, a DataFrame, an Arrow table, or several of them.
    csv
        How CSV files are written.

    Returns
    -------
    list of Part
        At least one.

    Raises
    ------
    PanelError
        If nothing is there, or it cannot be reached.
    """
    csv = csv or Csv()
    several = list(source) if isinstance(source, list | tuple) else [source]
    parts: list[Part] = []
    for one in several:
        if isinstance(one, pd.DataFrame):
            parts.append(Part("the DataFrame", {}, csv, table=_from_pandas(one)))
        elif isinstance(one, pa.Table):
            parts.append(Part("the Arrow table", {}, csv, table=one))
        elif isinstance(one, str | os.PathLike):
            parts += _files(os.fspath(one), csv)
        else:
            raise panel.error(
                f"source holds {panel.shown(one)}", "files, DataFrames or Arrow tables",
                "Name a file, or convert it",
            )  # fmt: skip
    if not parts:
        raise panel.error("source names no file", "at least one", "Name a file")
    return parts


def _files(where: str, csv: Csv) -> list[Part]:
    if "://" in where:
        with formats.Reading(where):
            return [_part(*found, csv) for found in _remote(where)]
    path, top = Path(where), os.path.dirname(where)
    if path.is_dir():
        top = where
        found = [str(p) for p in sorted(path.rglob("*")) if p.is_file() and _wanted(p, path)]
        if not found:
            raise panel.error(
                f"{path} is a folder without files", "Parquet or CSV files", "Check the path"
            )
    elif path.exists():
        found = [where]
    else:
        found = sorted(glob.glob(where, recursive=True)) if GLOB & set(where) else []
        found = [f for f in found if os.path.isfile(f)]
        top = _before_glob(where)
    if not found:
        raise panel.error(f"nothing is at {path}", "a Parquet or CSV file", "Check the path")
    local = pafs.LocalFileSystem()
    return [_part(local, f, f, top, csv) for f in found]


def _before_glob(where: str) -> str:
    """Return the folder in which a glob begins."""
    while GLOB & set(where):
        where = where.rpartition("/")[0]
    return where


def _wanted(path: Path, top: Path) -> bool:
    """Leave out what writers of data sets put beside the data: `_SUCCESS`, `.crc` and the like."""
    return not any(p.startswith((".", "_")) for p in path.relative_to(top).parts)


def _part(system: Any, path: str, name: str, top: str, csv: Csv) -> Part:
    """Make a part of a file; the folders between it and `top` may be partitions."""
    folders = Path(os.path.relpath(path, top or ".")).parts[:-1]
    pairs = [folder.split("=", 1) for folder in folders if "=" in folder]
    fixed = {unquote(k): None if v == EMPTY_KEY else unquote(v) for k, v in pairs}
    return Part(name, fixed, csv, system, path)


def _remote(url: str) -> list[tuple[Any, str, str, str]]:
    """Return (file system, path, name, top) of the files at a URL: a file, a folder or a glob."""
    address, mark, options = url.partition("?") if "?" in url and "=" in url else (url, "", "")
    scheme, _, rest = address.partition("://")
    fixed = _before_glob(rest)
    system, path = pafs.FileSystem.from_uri(f"{scheme}://{fixed}{mark}{options}")
    if fixed == rest:
        info = system.get_file_info(path)
        if info.type == pafs.FileType.File:
            return [(system, path, url, os.path.dirname(path))]
    pattern = "" if fixed == rest else path + rest[len(fixed) :]
    listed = system.get_file_info(pafs.FileSelector(path, recursive=True))
    names = sorted(i.path for i in listed if i.type == pafs.FileType.File)
    names = [n for n in names if _wanted(Path(n), Path(path)) and _matches(n, pattern)]
    if not names:
        raise panel.error(f"nothing is at {url}", "Parquet or CSV files", "Check the URL")
    return [(system, n, f"{scheme}://{n.lstrip('/')}", path) for n in names]


def _matches(name: str, pattern: str) -> bool:
    """Match as a shell does: `*` stays within a folder, `**` does not."""
    return not pattern or bool(formats.shell_pattern(pattern).fullmatch(name))


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Convert; labelled levels of the index become columns, mixed columns become text."""
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame = frame.set_axis([str(c) for c in frame.columns], axis=1)
    columns = {}
    for i, name in enumerate(frame.columns):
        column = frame.iloc[:, i]
        try:
            columns[name, i] = pa.chunked_array([pa.Array.from_pandas(column)])
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            words = [None if _null(v) else str(v) for v in column]
            columns[name, i] = pa.chunked_array([pa.array(words, pa.string())])
    return pa.table(list(columns.values()), names=[name for name, _ in columns])


def _null(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or value != value
