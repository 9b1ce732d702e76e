"""Wide tables, dates down and assets across, one for each field -> a new panel store."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xarray as xr

from xfactor import panel
from xfactor.ingest import longform
from xfactor.ingest.cells import NOTHING, Words
from xfactor.ingest.dates import is_text
from xfactor.ingest.formats import Batch, Reading
from xfactor.ingest.intake import Plan, check_rows
from xfactor.ingest.labels import Labels, label
from xfactor.ingest.layout import LongTable, free, span, titled
from xfactor.ingest.plan import check_once, find_column
from xfactor.ingest.rejects import KINDS, Rejects
from xfactor.ingest.schema import Field, Schema, read_schema
from xfactor.ingest.sessions import calendar_notes
from xfactor.ingest.sources import Part, Source, find_parts
from xfactor.ingest.summary import Summary
from xfactor.ingest.tables import DATE
from xfactor.ingest.work import alone, work_folder
from xfactor.store import write_panel

# Cells melted at once: a line may hold many thousand assets.
CELLS = 1 << 18


def ingest_wide(
    sources: Mapping[str, Source | Sequence[Source]],
    store: str | os.PathLike[str],
    *,
    schema: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    duplicates: str = "reject",
    strict: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    calendar: str | None = None,
    chunk_dates: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Summary:
    """Write wide tables, dates down and assets across, one for each field, to a new panel store.

    Parameters
    ----------
    sources
        Field -> its table: a file, several of them, or whatever else `ingest_table` takes. The
        dates stand in the column named date, or else in the first; every other column is an asset.
    store
        Folder of the new store.
    schema
        TOML file or mapping as of `ingest_table`: its `fields` give kind, unit, range and attrs of
        the fields named there, `date` the column of the dates, `asset.ids` the labels.
    duplicates, strict, rejects, calendar, chunk_dates, overwrite, progress
        As of `ingest_table`; what is rejected is a cell.

    Returns
    -------
    Summary
        Its rows are the cells that hold something, in all tables; its years give for each field
        the share of cells of the panel with a value.

    Raises
    ------
    PanelError
        If a file or column is missing, a file is damaged, nothing is left, or something is
        rejected that must not be. The store is not touched then.

    Notes
    -----
    The panel is that of the same cells in a long table: its dates and assets are those with a
    value in any of the tables.

    Examples
    --------
    >>> import pandas as pd, tempfile, xfactor as xf
    >>> close = pd.DataFrame({"date": ["2024-01-02", "2024-01-03"], "A": [1.0, 2.0], "B": ["", 5]})
    >>> store = tempfile.mkdtemp() + "/panel.zarr"
    >>> summary = xf.ingest.ingest_wide({"close": close}, store)
    >>> xf.open_panel(store)["close"].values
    array([[ 1., nan],
           [ 2.,  5.]])
    """
    spec = read_schema(schema)
    panel.choice("duplicates", duplicates, longform.DUPLICATES)
    if chunk_dates is not None:
        chunk_dates = panel.positive("chunk_dates", chunk_dates)
    stop = frozenset(KINDS if panel.flag("strict", strict) else ())
    path = free(store, overwrite)
    plans = _plans(sources, spec)
    parts = [p for plan in plans for p in plan.parts]
    title = titled(parts)
    across = [(p.name, p.assets) for p in parts if isinstance(p, WidePart)]
    listed = Rejects(rejects, stop, across)
    given = spec.ids == "given"
    assets = Words("assets", whole=given)
    with alone(path, "ingest_wide"), listed.listing(), work_folder(path) as folder:
        free(store, overwrite)  # another may have been quicker
        tables = []
        for i, plan in enumerate(plans):
            place = folder / f"{i:03d}"
            tables.append(LongTable(plan, given, listed, place, assets))
            tables[-1].read(duplicates, titled(plan.parts), progress)
        keys = [t.keys for t in tables]
        labels = label([k.first for k in keys], [k.dates for k in keys], assets.listed(), given)
        check_rows(listed, title, sum(t.keys.kept for t in tables))
        chunk = longform.dates_in_chunk(labels, chunk_dates, title)
        notes = calendar_notes(labels.index, calendar)
        fields: dict[str, xr.Variable] = {}
        for table in tables:
            table.place(labels)
            fields |= table.lazy_fields(chunk)
        write_panel(
            xr.Dataset(fields, labels.coords()), path, overwrite=overwrite, progress=progress
        )
    counts = tuple(c for t in tables for c in t.counts())
    size = len(labels.dates) * len(labels.assets)
    return Summary(
        source=title, store=str(store), fields={c.name: c.values / size for c in counts},
        dates=len(labels.dates), assets=len(labels.assets), span=span(labels.index),
        notes=tuple(notes), **{
            **tables[0].said(), "counts": counts, "years": _years(tables, labels),
            "rows_kept": sum(t.keys.kept for t in tables),
        },
    )  # fmt: skip


def _years(tables: Sequence[LongTable], labels: Labels) -> dict[int, dict[str, float]]:
    year = labels.index.year.to_numpy()
    found: dict[int, dict[str, float]] = {y: {} for y in np.unique(year).tolist()}
    for table in tables:
        dates, counts = longform.counts_by_date(table.spilled, table.keys)
        total = np.zeros(len(year), np.int64)
        total[np.searchsorted(labels.dates, dates[counts[:, 0] > 0])] = counts[counts[:, 0] > 0, 0]
        for y, shares in found.items():
            cells = int((year == y).sum()) * len(labels.assets)
            shares[table.plan.fields[0].name] = float(total[year == y].sum() / cells)
    return found


def _plans(
    sources: Mapping[str, Source | Sequence[Source]], schema: Schema
) -> list[Plan]:  # fmt: skip
    if not isinstance(sources, Mapping) or not sources:
        raise panel.error(
            f"sources={panel.shown(sources)} was given", "a mapping of fields to tables",
            "Use e.g. {'close': 'close.csv'}",
        )  # fmt: skip
    specs = {f.name: f for f in schema.fields}
    for name in specs:
        if name not in sources:
            raise panel.error(
                f"the schema names the field {name!r}", f"one of {', '.join(sources)}", "Correct it"
            )
    plans: list[Plan] = []
    first = 0
    for name, source in sources.items():
        # An empty cell is no row, so a field is required in every row there is.
        one = read_schema({"fields": {name: {}}}).fields[0]
        spec = replace(specs.get(name, one), required=False)
        parts = [_melted(p, schema, spec) for p in find_parts(source, schema.csv)]
        names = [{"date": "date", "asset": "asset", spec.name: "value"} for _ in parts]
        plans.append(Plan(parts, (spec,), names, schema.date_format, first))
        first += len(parts)
    return plans


def _melted(part: Part, schema: Schema, spec: Field) -> "WidePart":
    header = part.stored
    date = find_column(Field("date", schema.date, DATE.aliases), header)
    if schema.date is not None and date is None:
        raise panel.error(f"{part.name} has no column {schema.date!r}", "its dates", "Correct it")
    date = date if date is not None else next(iter(header), "")
    for name in header:
        check_once(part, name)
    assets = tuple(c for c in header if c != date)
    if not assets:
        raise panel.error(f"{part.name} has no column beside its dates", "assets", "Check it")
    return WidePart(**{**vars_of(part), "day": date, "assets": assets})


def vars_of(part: Part) -> dict[str, Any]:
    """Return what a part was made of.

    Parameters
    ----------
    part
        The part.

    Returns
    -------
    dict
        Arguments of its class.
    """
    names = ("name", "fixed", "csv", "system", "path", "table")
    return {n: getattr(part, n) for n in names}


@dataclass(frozen=True)
class WidePart(Part):
    """A wide table read as a long one of the columns date, asset and value."""

    day: str = ""
    assets: tuple[str, ...] = ()

    def batches(self, names: Sequence[str]) -> Iterator[Batch]:
        """Melt the cells that hold something; the number of a row is that of the cell."""
        if list(names) == ["date"]:
            for batch in super().batches([self.day]):
                yield Batch(batch.rows, {"date": batch.columns[self.day]})
            return
        words = pa.array(self.assets)
        step = max(CELLS // len(self.assets), 1)
        for batch in super().batches([self.day, *self.assets]):
            ragged = [replace(r, row=r.row * len(self.assets)) for r in batch.ragged]
            for low in range(0, max(len(batch.rows), 1), step):
                with Reading(self.name):
                    melted = self._melt(batch, low, step, words, ragged if low == 0 else [])
                yield melted

    def _melt(
        self, batch: Batch, low: int, step: int, words: pa.Array, ragged: Sequence[Any]
    ) -> Batch:
        rows = batch.rows[low : low + step]
        values, cells, lines = [], [], []
        for i, asset in enumerate(self.assets):
            column = batch.columns[asset].slice(low, len(rows))
            there = np.flatnonzero(~_nothing(column))
            values.append(column.take(pa.array(there)))
            cells.append(rows[there] * len(self.assets) + i)
            lines.append(there)
        line, cell = np.concatenate(lines), np.concatenate(cells)
        order = np.argsort(cell)
        if len({v.type for v in values}) > 1:
            words_too = any(is_text(v.type) for v in values)
            values = [v.cast(pa.string() if words_too else pa.float64()) for v in values]
        whole = pa.concat_arrays(values)
        columns = {
            "date": batch.columns[self.day].slice(low, len(rows)).take(pa.array(line[order])),
            "asset": pa.DictionaryArray.from_arrays(
                pa.array((cell[order] % len(self.assets)).astype(np.int32)), words
            ),
            "value": whole.take(pa.array(order)),
        }
        return Batch(cell[order], columns, ragged, batch.part)


def _nothing(column: pa.Array) -> np.ndarray:
    """Say which cells hold nothing."""
    if is_text(column.type) and not pa.types.is_dictionary(column.type):
        plain = pa.string() if pa.types.is_null(column.type) else column.type
        empty = pc.is_in(column, value_set=pa.array(NOTHING).cast(plain))
        return pc.or_(empty, pc.is_null(column)).to_numpy(zero_copy_only=False)
    return pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
