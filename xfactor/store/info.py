"""What is in a store, without reading its fields."""

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xfactor import panel as _panel
from xfactor.store.arrays import StoredArray
from xfactor.store.backends import PathLike, backend_of
from xfactor.store.opening import stored_variable
from xfactor.store.snapshots import Snapshot
from xfactor.store.tables import table_columns, table_names
from xfactor.store.values import TIME

DATE, ASSET = _panel.DATE, _panel.ASSET


@dataclass(frozen=True)
class PanelInfo:
    """What a store holds; it prints as a table.

    Parameters
    ----------
    path
        The store.
    books
        Format, version (how many times it was written), time and function of the last write.
    dates
        Their number, the first and the last.
    assets
        Their number, and how many the chunks have room for.
    fields
        One row a field: dtype, dims, chunk, bytes, stored_bytes, ratio.
    tables
        Rows of each table.
    """

    path: str
    books: dict[str, Any]
    dates: tuple[int, Any, Any]
    assets: tuple[int, int]
    fields: pd.DataFrame
    tables: dict[str, int]

    def __str__(self) -> str:
        """Return the table."""
        number, first, last = self.dates
        span = f", {first:%Y-%m-%d} to {last:%Y-%m-%d}" if number else ""
        n, room = self.assets
        total, stored = (int(self.fields[c].sum()) for c in ("bytes", "stored_bytes"))
        lines = [
            f"{self.path}: version {self.books.get('version', 1)}"
            + (f", {self.books['by']} at {self.books['written']}" if "by" in self.books else ""),
            f"  {number:,} dates{span}",
            f"  {n:,} assets, room for {room:,}",
            f"  {len(self.fields)} fields, {total / 1e6:,.1f} MB, {stored / 1e6:,.1f} MB stored",
        ]
        if len(self.fields):
            lines += ["", *("  " + line for line in self._shown().to_string().splitlines())]
        lines += [f"  table {name}: {rows:,} rows" for name, rows in self.tables.items()]
        return "\n".join(lines)

    __repr__ = __str__  # what a prompt shows

    def _repr_html_(self) -> str:
        """Return the tables for a notebook."""
        name, *facts = str(self).partition("\n\n")[0].splitlines()
        parts = [
            f"<p><strong>{escape(name)}</strong><br>{escape('; '.join(map(str.strip, facts)))}"
        ]
        parts += ["</p>", self._shown().to_html(border=0) if len(self.fields) else ""]
        if self.tables:
            rows = pd.DataFrame({"rows": [f"{n:,}" for n in self.tables.values()]}, self.tables)
            parts.append(rows.rename_axis("table").to_html(border=0))
        return "".join(parts)

    def _shown(self) -> pd.DataFrame:
        """The fields with their sizes as people read them."""
        return self.fields.assign(
            bytes=[f"{b / 1e6:,.1f} MB" for b in self.fields["bytes"]],
            stored_bytes=[f"{b / 1e6:,.1f} MB" for b in self.fields["stored_bytes"]],
            ratio=[f"{r:.1f}" for r in self.fields["ratio"]],
        )


def panel_info(path: PathLike, *, backend: str | None = None) -> PanelInfo:
    """Say what is in a store: dates, assets, fields, their chunks and bytes. No field is read.

    Parameters
    ----------
    path
        The store.
    backend
        As in `write_panel`.

    Returns
    -------
    PanelInfo
        Print it.

    Raises
    ------
    PanelError
        If there is no store or its metadata is damaged.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     info = xf.panel_info(path)
    >>> info.assets, info.fields.loc["close", "chunk"]
    ((5, 64), '256 x 64')
    """
    store = backend_of(path, backend)
    snapshot = store.snapshot()
    labels = stored_variable(snapshot, DATE, lazy=False).values
    assets = snapshot.array(ASSET).shape[0]
    dims = {d for n in snapshot.variables for d in snapshot.array(n).dims}
    names = [n for n in snapshot.variables if n not in dims and n not in snapshot.coords]
    arrays = {n: snapshot.array(n) for n in names}
    rooms = [a.chunks[a.dims.index(ASSET)] for a in arrays.values() if ASSET in a.dims]
    ends = (pd.Timestamp(labels[0]), pd.Timestamp(labels[-1])) if len(labels) else (None, None)
    return PanelInfo(
        store.address,
        dict(snapshot.books),
        (len(labels), *ends),
        (assets, min(rooms, default=assets)),
        _fields(snapshot, arrays),
        {t: _rows(snapshot, t) for t in table_names(snapshot)},
    )


def _fields(snapshot: Snapshot, arrays: dict[str, StoredArray]) -> pd.DataFrame:
    rows = []
    for array in arrays.values():
        size = int(np.prod(array.shape)) * array.dtype.itemsize
        counts = [-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True)]
        stored = sum(array.stored_bytes(i) for i in np.ndindex(*counts))
        rows.append({
            "dtype": _dtype(array),
            "dims": " x ".join(array.dims),
            "chunk": " x ".join(map(str, array.chunks)),
            "bytes": size,
            "stored_bytes": stored,
            "ratio": size / stored if stored else float("nan"),
        })  # fmt: skip
    return pd.DataFrame(rows, index=pd.Index(list(arrays), name="field"), columns=[
        "dtype", "dims", "chunk", "bytes", "stored_bytes", "ratio",
    ])  # fmt: skip


def _dtype(array: StoredArray) -> str:
    units = str(array.metadata["attributes"].get("units", ""))
    if (array.dtype.kind == "i" and " since " in units) or units == TIME["units"]:
        return "date"
    return "text" if array.dtype == object else str(array.dtype)


def _rows(snapshot: Snapshot, table: str) -> int:
    return int(snapshot.array(f"xfactor/{table}/{table_columns(snapshot, table)[0]}").shape[0])
