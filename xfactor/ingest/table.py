"""Any long table, one row per date and asset -> a panel store, new or longer."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.ingest.layout import LongTable, folder_of, free, long_table, titled
from xfactor.ingest.longform import DUPLICATES, Stretches, dates_in_chunk
from xfactor.ingest.past import Past, check_later, past_of, place
from xfactor.ingest.plan import make_plan
from xfactor.ingest.rejects import KINDS
from xfactor.ingest.schema import read_schema
from xfactor.ingest.sessions import calendar_notes
from xfactor.ingest.sources import Source, find_parts
from xfactor.ingest.summary import Summary
from xfactor.ingest.work import alone
from xfactor.store import append_panel, write_panel


def ingest_table(
    source: Source | Sequence[Source],
    store: str | os.PathLike[str],
    *,
    append: bool = False,
    schema: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    duplicates: str = "reject",
    strict: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    calendar: str | None = None,
    chunk_dates: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Summary:
    """Write a long table of any size, one row per date and asset, to a panel store.

    Parameters
    ----------
    source
        A Parquet or CSV file (which may be gzipped), a glob, a folder (in both, folders such as
        ``symbol=A`` are columns, for whoever names them), a URL such as ``s3://bucket/folder`` of
        these, a DataFrame, an Arrow table, or a list of them. Rows may stand in any order.
    store
        Folder of the store.
    append
        The rows are of dates after the store's last and go onto it; all of its fields are in the
        table, and no other.
    schema
        TOML file, or a mapping of the same form, that says what the columns are (see Notes).
    columns
        Our name -> the file's name, over those of the schema: ``{"asset": "permno"}``. Fields
        that the schema does not have are taken as numbers.
    duplicates
        What to do with rows of the same date and asset. "reject": rows that say the same count
        once, rows that contradict each other are all rejected, so that the order of the rows does
        not matter; "first" or "last": that one in the order of the source; "error".
    strict
        Raise at the first row or cell that cannot be taken, instead of leaving it out.
    rejects
        File in which to list what is left out: file, row (1 is the first below the header),
        column, value, reason. Parquet by its suffix, otherwise CSV.
    calendar
        Name of an exchange in `exchange_calendars`, such as "XNYS": sessions that the table
        misses, or has beside the calendar's, are noted in the summary.
    chunk_dates
        Dates in a chunk of the store; 256 if not given, or fewer where there are many assets.
    overwrite
        Replace a store that is there.
    progress
        Show bars on standard error if it takes more than a second.

    Returns
    -------
    Summary
        Rows read, kept and rejected by reason; for every field values, empty and rejected cells,
        and coverage by year. It prints.

    Raises
    ------
    PanelError
        If a file or column is missing, a file is damaged, nothing is left, something is rejected
        that must not be, or another process is writing to the store; and of an append, if a row is
        not of a later date, or a word is none of the store's codes. The store is not touched then.

    Notes
    -----
    A schema, all of it optional::

        date = "Date"                    # or {column = "Date", format = "%d/%m/%Y"}
        asset = "permno"                 # or {column = "permno", ids = "given"}
        [csv]
        delimiter = ";"
        encoding = "latin-1"
        [fields.close]
        column = "PRC"                   # else the column of this name, whatever its case
        above = 0                        # or min, max: what is out of range becomes missing
        units = "USD"                    # kept in the store, as is long_name
        required = true                  # a row without it is rejected
        [fields.dividend_yield]
        unit = "percent"                 # basis points, thousands, millions ...; or scale = 0.01
        dtype = "float32"
        [fields.industry]
        kind = "code"                    # words: int16 codes in their order, -1 for none
        [fields.tradable]
        kind = "mask"                    # yes or no: bool, nothing is False

    If no field is named, every column of numbers, or of yes and no, becomes one.

    With ``ids = "numbered"`` assets get the numbers 1, 2, ... in the order of (first date, name),
    and their names in the coordinate `symbol`; with "given" the column holds whole numbers, which
    are permanent identifiers, and these become the labels. A date is read as it is written if
    that is possible in one way only; dates like 1/2/2013 take their meaning from the whole column.

    The table is read once, in batches, sorted in pieces that lie in a folder beside the store
    (some 12 bytes a row and 8 a number) and written block by block; so memory does not grow with
    it, and on a cluster the blocks are made by the workers. An ingest that was killed leaves the
    old store or none; run it again, from the start: what it left is removed.

    An append finds the assets of the store by their names, or labels; new ones stand behind the
    others. With numbered assets the panel is that of one ingest of all rows.

    Examples
    --------
    >>> import pandas as pd, tempfile, xfactor as xf
    >>> table = pd.DataFrame({
    ...     "day": ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-03"],
    ...     "isin": ["US1", "US1", "DE2", ""],
    ...     "yield": ["2.5", "n.a.", "4", "1"],
    ... })
    >>> schema = {"date": "day", "asset": "isin", "fields": {"yield": {"unit": "percent"}}}
    >>> store = tempfile.mkdtemp() + "/panel.zarr"
    >>> summary = xf.ingest.ingest_table(table, store, schema=schema)
    >>> summary.rows_read, summary.rows_kept, summary.rejected
    (4, 3, {'without an asset': 1})
    >>> xf.open_panel(store)["yield"].values
    array([[0.025,   nan],
           [  nan, 0.04 ]])
    """
    spec = read_schema(schema, columns)
    panel.choice("duplicates", duplicates, DUPLICATES)
    if chunk_dates is not None:
        chunk_dates = panel.positive("chunk_dates", chunk_dates)
    stop = frozenset(KINDS if panel.flag("strict", strict) else ())
    if panel.flag("append", append) and panel.flag("overwrite", overwrite):
        raise panel.error("append and overwrite were given", "one of them", "Choose")
    path = folder_of(store) if append else free(store, overwrite)
    parts = find_parts(source, spec.csv)
    title = titled(parts)
    with alone(path, "ingest_table"):
        path = path if append else free(store, overwrite)  # another may have been quicker
        past = past_of(path) if append else Past()
        given = spec.ids == "given" if past.stored is None else past.symbols is None
        plan, notes = make_plan(parts, spec)
        with long_table(plan, given, path, stop, rejects) as table:
            table.read(duplicates, title, progress)
            if past.stored is None:
                table.place()
                chunk = dates_in_chunk(table.labels, chunk_dates, title)
                ready = xr.Dataset(table.lazy_fields(chunk), table.labels.coords())
                notes += calendar_notes(table.labels.index, calendar)
                write_panel(ready, path, overwrite=overwrite, progress=progress)
            else:
                check_later(past, table.keys, title, path)
                ready = _later(table, past, given)
                notes += calendar_notes(table.labels.index, calendar)
                append_panel(ready, path, progress=progress)
    return table.summary(title, store, notes)


def _later(table: LongTable, past: Past, given: bool) -> xr.Dataset:
    """Lay out rows that go onto a store, in its codes."""
    assert past.stored is not None
    none = Stretches(*(np.empty(0, np.int64) for _ in range(3)))
    table.place(place(table.keys, table.words(), none, past, 0, given).labels)
    fields = {}
    for spec in table.plan.fields:
        stored = past.stored.data_vars.get(spec.name)
        words = None
        if spec.kind == "code" and stored is not None:
            words = str(stored.attrs.get("flag_meanings", "")).split(" ")
        fields[spec.name] = table.lazy(spec, past.chunk, len(past.dates), words)
    return xr.Dataset(fields, table.labels.coords())
