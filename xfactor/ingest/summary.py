"""What an ingest did, in a few lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.store import open_panel

SHOWN = 6
WIDEST = 40
ABREAST = 6


@dataclass(frozen=True)
class FieldCounts:
    """What became of the cells of a field, in the rows that have a date and an asset.

    Parameters
    ----------
    name
        The field.
    values
        Values in the panel.
    empty
        Cells in which nothing stood.
    rejected
        Cells set to missing, by reason.
    """

    name: str
    values: int
    empty: int
    rejected: Mapping[str, int]


@dataclass(frozen=True)
class Summary:
    """What an ingest read, kept, left out and wrote; `print` it, or read its attributes.

    Parameters
    ----------
    source, store
        The file that was read and the store that was written.
    rows_read, rows_kept
        Rows of the file, and those of them that entered the panel.
    rejected
        Rows left out, by reason.
    cleared
        Single values set to missing, by reason.
    fields
        For each field written, the share of cells that have a value: among the cells of listed
        assets where the store has a field `listed`, among all otherwise.
    dates, assets
        Size of the panel.
    span
        First and last date.
    notes
        Sentences about choices that the data forced.
    counts
        What became of the cells of each field that was read.
    years
        For each year, and each field that was read, the share of the kept rows with a value.
    rejects
        The file in which what was left out is listed.
    """

    source: str
    store: str
    rows_read: int
    rows_kept: int
    rejected: Mapping[str, int]
    cleared: Mapping[str, int]
    fields: Mapping[str, float]
    dates: int
    assets: int
    span: tuple[str, str]
    notes: tuple[str, ...] = field(default=())
    counts: tuple[FieldCounts, ...] = field(default=())
    years: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    rejects: str | None = None

    def __str__(self) -> str:
        """Return a few aligned lines, to be printed."""
        rows = f"{self.rows_kept:,} of {self.rows_read:,} kept"
        lines = [
            ("source", self.source),
            ("store", self.store),
            ("rows", "; ".join([rows, *_counts(self.rejected)])),
            ("panel", f"{self.dates:,} dates x {self.assets:,} assets"),
            ("dates", f"{self.span[0]} to {self.span[1]}"),
        ]
        if any(self.cleared.values()):
            lines.append(("set missing", "; ".join(_counts(self.cleared))))
        covered = [f"{name} {100 * share:.1f}%" for name, share in self.fields.items()]
        for start in range(0, len(covered), 4):
            lines.append(("" if start else "coverage", ", ".join(covered[start : start + 4])))
        if self.rejects is not None:
            lines.append(("rejects", self.rejects))
        lines += [("note", text) for text in self.notes]
        lines += [*self._field_lines(), *self._year_lines()]
        return "\n".join(f"{head:<12} {text}" for head, text in lines)

    def _field_lines(self) -> list[tuple[str, str]]:
        if not self.counts:
            return []
        wide = max(len(c.name) for c in self.counts)
        lines = [("cells", f"{'':<{wide}} {'values':>13} {'empty':>13} {'rejected':>13}")]
        for c in self.counts:
            gone = sum(c.rejected.values())
            lines.append(("", f"{c.name:<{wide}} {c.values:>13,} {c.empty:>13,} {gone:>13,}"))
        return lines

    def _year_lines(self) -> list[tuple[str, str]]:
        """Shares of rows with a value by year, a few fields beside each other."""
        names = [c.name for c in self.counts]
        lines = []
        for start in range(0, len(names), ABREAST):
            wide = {n: max(len(n), 6) for n in names[start : start + ABREAST]}
            lines.append(("in year", " ".join(f"{n:>{w}}" for n, w in wide.items())))
            for year, share in self.years.items():
                cells = (f"{100 * share[n]:>{w - 1}.1f}%" for n, w in wide.items())
                lines.append((f"{year}", " ".join(cells)))
        return lines


def shorten(text: str) -> str:
    """Cut a word of a file to a length fit for a message.

    Parameters
    ----------
    text
        The word.

    Returns
    -------
    str
        At most 40 characters.
    """
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def listing(names: list[str]) -> str:
    """Name the first few of a list and say how many more there are.

    Parameters
    ----------
    names
        Words in the order to show them.

    Returns
    -------
    str
        E.g. ``"AN, BBBY and 3 more"``.
    """
    more = len(names) - SHOWN
    return ", ".join(map(shorten, names[:SHOWN])) + (f" and {more} more" if more > 0 else "")


def written(store: Path, names: list[str], start: int = 0) -> dict[str, Any]:
    """Look into the store for the parts of a summary that describe the panel.

    Parameters
    ----------
    store
        Folder of the store.
    names
        The fields that were written.
    start
        The first date on which they were.

    Returns
    -------
    dict
        The arguments `fields`, `dates`, `assets` and `span` of `Summary`.
    """
    stored = open_panel(store)
    dates = stored.indexes[panel.DATE]
    listed = stored["listed"] if "listed" in stored else None
    both = {panel.DATE, panel.ASSET}
    counts, cells = {}, {}
    new = stored.isel({panel.DATE: slice(start, None)})
    listed = None if listed is None else listed.isel({panel.DATE: slice(start, None)})
    for name in names:
        present = _present(new[name])
        if listed is not None and name != "listed" and both <= set(present.dims):
            counts[name], cells[name] = (present & listed).sum(), listed.sum()
        else:
            counts[name], cells[name] = present.sum(), xr.DataArray(present.size)
    found = xr.Dataset({**counts, **{f"{n}/cells": c for n, c in cells.items()}}).compute()
    return {
        "fields": {n: float(found[n]) / max(int(found[f"{n}/cells"]), 1) for n in names},
        "dates": stored.sizes[panel.DATE],
        "assets": stored.sizes[panel.ASSET],
        "span": (f"{dates[0]:%Y-%m-%d}", f"{dates[-1]:%Y-%m-%d}"),
    }


def _present(x: xr.DataArray) -> xr.DataArray:
    if x.dtype.kind == "f":
        return x.notnull()
    return x if x.dtype == np.bool_ else x != panel.MISSING_CODE


def _counts(reasons: Mapping[str, int]) -> list[str]:
    return [f"{n:,} {reason}" for reason, n in reasons.items() if n]
