"""Prices that were read -> fields of a store, and the summary."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.ingest.identities import Identities
from xfactor.ingest.labels import Labels
from xfactor.ingest.later import with_fundamentals
from xfactor.ingest.layout import LongTable
from xfactor.ingest.longform import dates_in_chunk
from xfactor.ingest.past import Past
from xfactor.ingest.placing import ATTRS, MARKET, Ends, Prices
from xfactor.ingest.returns import (
    market_returns,
)
from xfactor.ingest.sessions import calendar_notes
from xfactor.ingest.summary import Summary, listing, written
from xfactor.ingest.tables import Column
from xfactor.store import append_panel, write_panel


def write_prices(
    table: LongTable, who: Identities, past: Past, ends: Ends, path: Path, *, title: str,
    store: str, notes: list[str], market: str | os.PathLike[str] | None,
    fields: Sequence[Column], calendar: str | None, overwrite: bool, progress: bool,
) -> Summary:  # fmt: skip
    """Write the rows of a table of prices.

    Parameters
    ----------
    table
        Read.
    who
        How assets are told apart.
    past
        The store that the rows go onto, if any.
    ends
        Options of delisting returns.
    path
        The store.
    title, store, notes
        For the summary.
    market, fields
        File of a market index, and the columns it may have.
    calendar, overwrite, progress
        As of `ingest_prices`.

    Returns
    -------
    Summary
        What was done.
    """
    found = Prices(table, who, past)
    chunk = _chunk(past, found.labels, title)
    ready, cells, said = found.panel(ends, title, chunk)
    notes = notes + said
    dates = found.labels.index
    whole = dates if past.stored is None else past.stored.indexes[panel.DATE][-1:].append(dates)
    notes += calendar_notes(whole, calendar)
    if market is not None and (past.stored is None or MARKET in past.stored):
        moved, said = market_returns(market, whole, fields)
        ready[MARKET] = moved[len(whole) - len(dates) :]
        notes += said
    for name, v in ready.data_vars.items():
        v.attrs = dict(ATTRS[str(name)])
    notes += found.notes
    named, tables = found.symbols(), found.tables
    if named is not None:
        ready = ready.assign_coords(symbol=(panel.ASSET, named))
    names = [str(n) for n in ready.data_vars]
    if past.stored is None:
        ready.attrs = who.attrs()
        write_panel(ready, path, overwrite=overwrite, progress=progress, tables=tables)
    else:
        ready, said = _completed(ready, past, path)
        notes += said
        more = len(found.labels.assets) - len(past.assets)
        news = (panel.several(len(dates), "date", "dates"),
                panel.several(more, "new asset", "new assets"))  # fmt: skip
        notes.append(f"appended: {', '.join(news)}")
        append_panel(ready, path, tables=tables, cells=cells, progress=progress)
    return Summary(
        source=title, store=store, notes=tuple(notes), **table.said(),
        **written(path, names, start=len(past.dates)),
    )  # fmt: skip


def _chunk(past: Past, labels: Labels, title: str) -> int:
    if past.stored is None:
        return dates_in_chunk(labels, None, title)
    return past.chunk


def _completed(ready: xr.Dataset, past: Past, path: Path) -> tuple[xr.Dataset, list[str]]:
    """Give later dates the fields that the store has beside those of prices."""
    assert past.stored is not None
    made = with_fundamentals(ready, path)
    lacking = [str(n) for n, v in past.stored.data_vars.items()
               if panel.DATE in v.dims and n not in made]  # fmt: skip
    sizes = dict(ready.sizes)
    for name in lacking:
        there = past.stored[name]
        fill = panel.missing(there.dtype)
        if fill is None or not set(there.dims) <= set(sizes):
            raise panel.error(
                f"the store has a field {name!r} that prices do not give",
                "a field that can be missing on the new dates",
                "Append with xf.append_panel",
            )
        shape = tuple(sizes[d] for d in there.dims)
        made[name] = (there.dims, np.full(shape, fill, there.dtype), there.attrs)
    notes = [f"not given by prices, missing on the new dates: {listing(lacking)}"]
    return made, notes if lacking else []
