"""A long table while it is ingested: read, its keys looked at, its fields laid out lazily."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest import longform
from xfactor.ingest.cells import Words
from xfactor.ingest.intake import NO_ASSET, Intake, Plan, check_rows
from xfactor.ingest.labels import Labels, label
from xfactor.ingest.longform import Blocks, Keys, lazy_field
from xfactor.ingest.owners import Owners
from xfactor.ingest.rejects import Rejects
from xfactor.ingest.schema import Field
from xfactor.ingest.sources import Part
from xfactor.ingest.spill import Spilled
from xfactor.ingest.summary import FieldCounts, Summary, listing
from xfactor.ingest.work import work_folder

NAMED = 3
SMALL_CODES = np.iinfo(np.int16).max
DIMS = (panel.DATE, panel.ASSET)


class LongTable:
    """The rows of a plan on their way into a panel.

    Parameters
    ----------
    plan
        What is read.
    given
        The assets are whole numbers, which become the labels.
    rejects
        Where to count what is left out.
    folder
        For the runs.
    assets
        Words of the assets, if other tables have them too.
    owners
        Which asset has which symbol when.
    """

    spilled: Spilled
    keys: Keys
    labels: Labels
    blocks: Blocks

    def __init__(
        self, plan: Plan, given: bool, rejects: Rejects, folder: Path, assets: Words | None = None,
        owners: Owners | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.given, self.rejects, self.folder = plan, given, rejects, folder
        self.assets, self.owners = assets or Words("assets", whole=given), owners
        if owners is not None:
            self.assets = owners.words()
        self._intake = Intake(plan, self.assets, rejects, folder / "rows", owners)
        self._words: dict[str, list[str]] = {}
        self._by_date: tuple[np.ndarray, np.ndarray] = (np.empty(0), np.empty(0))

    def read(self, duplicates: str, title: str, progress: bool) -> None:
        """Read all rows and look at their keys."""
        self.spilled = self._intake.run(progress)
        check_rows(self.rejects, title, self.rejects.read - sum(self.rejects.rows.values()))
        words = self.words()
        self.keys = longform.scan(self.spilled, words, duplicates, self.rejects, title)
        check_rows(self.rejects, title, self.keys.kept)
        self._by_date = longform.counts_by_date(self.spilled, self.keys)

    def words(self, field: str | None = None) -> list[str]:
        """Return the words of the codes of the assets, or of a field."""
        if field is not None:
            return self._intake.codes[field].listed()
        return self.assets.listed() if self.owners is None else self.owners.labels()

    def place(self, labels: Labels | None = None) -> None:
        """Give the panel its labels: its own, or those that it shares with other tables."""
        self.labels = labels or label(
            [self.keys.first], [self.keys.dates], self.words(), self.given
        )
        self.blocks = longform.make_blocks(self.spilled, self.labels, self.folder)

    def lazy_fields(self, chunk_dates: int, before: int = 0) -> dict[str, xr.Variable]:
        """Lay out every field."""
        return {f.name: self.lazy(f, chunk_dates, before) for f in self.plan.fields}

    def lazy(
        self, spec: Field, chunk_dates: int, before: int = 0, known: Sequence[str] | None = None
    ) -> xr.Variable:
        """Lay out a field; codes are those of the words `known`, or of its own in their order."""
        attrs = dict(spec.attrs)
        make: longform.Block = partial(self.blocks.block, spec.name)
        dtype = spec.stored
        if spec.kind == "mask":
            make, dtype = partial(is_true, self.blocks, spec.name), np.dtype(bool)
        elif spec.kind == "code":
            table, words = longform.recoded(self._intake.codes[spec.name].listed())
            if known is not None:
                table, words = self._known_codes(spec.name, known), list(known)
            dtype = np.dtype(np.int16 if len(words) <= SMALL_CODES else np.int32)
            make = partial(coded, self.blocks, spec.name, table.astype(dtype))
            attrs |= {
                "flag_values": np.arange(len(words), dtype=dtype).tolist(),
                "flag_meanings": " ".join("_".join(w.split()) for w in words),
            }
        data = lazy_field(spec.name, self.labels.sizes, dtype, make, chunk_dates, before)
        return xr.Variable(DIMS, data, attrs)

    def _known_codes(self, name: str, known: Sequence[str]) -> np.ndarray:
        """Return the code of each of the words of a field among those of a store."""
        place = {w: i for i, w in enumerate(known)}
        own = ["_".join(w.split()) for w in self._intake.codes[name].listed()]
        strange = [w for w in own if w not in place]
        if strange:
            raise panel.error(
                f"{name} has the words {listing(strange)}, which are none of the store's codes",
                f"words such as {listing(list(known))}",
                "Ingest all rows again, with overwrite",
            )
        return np.array([*(place[w] for w in own), panel.MISSING_CODE], np.int32)

    def counts(self) -> tuple[FieldCounts, ...]:
        """Return what became of the cells of each field."""
        total = self._by_date[1].sum(axis=0)
        return tuple(
            FieldCounts(
                f.name, int(total[i]), self._intake.empty[f.name],
                {why: n for (name, why), n in self.rejects.cells.items() if name == f.name},
            )
            for i, f in enumerate(self.plan.fields)
        )  # fmt: skip

    def years(self) -> dict[int, dict[str, float]]:
        """Return for each year and field the share of the kept rows that have a value."""
        dates, counts = self._by_date
        year = dates.view("datetime64[ns]").astype("datetime64[Y]").astype(int) + 1970
        names = [f.name for f in self.plan.fields]
        found = {}
        for y in np.unique(year[counts[:, -1] > 0]).tolist():
            total = counts[year == y].sum(axis=0)
            found[y] = {n: float(total[i] / total[-1]) for i, n in enumerate(names)}
        return found

    def summary(self, title: str, store: str | os.PathLike[str], notes: Sequence[str]) -> Summary:
        """Return what was read, kept and left out."""
        counts = self.counts()
        cells = len(self.labels.dates) * len(self.labels.assets)
        shares = {c.name: c.values / cells for c in counts}
        return Summary(
            source=title, store=str(store), fields=shares, notes=tuple(notes),
            dates=len(self.labels.dates), assets=len(self.labels.assets),
            span=span(self.labels.index), **self.said(),
        )  # fmt: skip

    def said(self) -> dict[str, Any]:
        """Return the arguments of a `Summary` that are known when the rows are read."""
        rejects = self.rejects
        ranges = {(f.name, f.out_of_range()): 0 for f in self.plan.fields if f.kind == "number"}
        cells = {**ranges, **rejects.cells}
        return {
            "rows_read": rejects.read,
            "rows_kept": self.keys.kept,
            "rejected": {NO_ASSET: 0, **rejects.rows},
            "cleared": {f"{name} {why}": n for (name, why), n in cells.items()},
            "counts": self.counts(),
            "years": self.years(),
            "rejects": None if rejects.path is None else str(rejects.path),
        }


def is_true(blocks: Blocks, name: str, start: int, stop: int) -> np.ndarray:
    """Return a block of a mask.

    Parameters
    ----------
    blocks, name
        Of a field that holds 1, 0 and -1.
    start, stop
        Dates.

    Returns
    -------
    numpy.ndarray
        bool.
    """
    return blocks.block(name, start, stop) == 1


def coded(blocks: Blocks, name: str, table: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return a block of codes, numbered in the order of their words.

    Parameters
    ----------
    blocks, name
        Of a field that holds codes in the order in which the words came.
    table
        The new code of each, one more for -1.
    start, stop
        Dates.

    Returns
    -------
    numpy.ndarray
        With the dtype of `table`.
    """
    return table[blocks.block(name, start, stop)]


def span(dates: pd.DatetimeIndex) -> tuple[str, str]:
    """Return the first and the last date as text.

    Parameters
    ----------
    dates
        At least one.

    Returns
    -------
    tuple of str
        YYYY-MM-DD.
    """
    return f"{dates[0]:%Y-%m-%d}", f"{dates[-1]:%Y-%m-%d}"


def titled(parts: Sequence[Part]) -> str:
    """Name the parts of a source together.

    Parameters
    ----------
    parts
        Of a source.

    Returns
    -------
    str
        For messages and the summary.
    """
    more = len(parts) - NAMED
    names = ", ".join(p.name for p in parts[:NAMED])
    return names + (f" and {more:,} more" if more > 0 else "")


@contextlib.contextmanager
def long_table(
    plan: Plan, given: bool, store: Path, stop: frozenset[str],
    rejects: str | os.PathLike[str] | None, owners: Owners | None = None,
) -> Iterator[LongTable]:  # fmt: skip
    """Give a long table the files it needs, for the time of this block.

    Parameters
    ----------
    plan
        What is read.
    given
        The assets are whole numbers, which become the labels.
    store
        Place of the store.
    stop
        Kinds of rejects that end the ingest.
    rejects
        File to list the others in.
    owners
        Which asset has which symbol when.

    Yields
    ------
    LongTable
        Not yet read.
    """
    names = [(p.name, ()) for p in plan.parts]
    listed = Rejects(rejects, stop, names)
    with listed.listing(), work_folder(store) as folder:
        yield LongTable(plan, given, listed, folder, owners=owners)


def folder_of(store: str | os.PathLike[str]) -> Path:
    """Return the path of a store that rows go to; raise unless it is a folder's.

    Parameters
    ----------
    store
        What the caller named.

    Returns
    -------
    pathlib.Path
        Its folder.
    """
    if not isinstance(store, str | os.PathLike) or "://" in os.fspath(store):
        raise panel.error(
            f"store={panel.shown(store)} was given", "the path of a folder",
            "Ingest to a folder, then xf.write_panel(xf.open_panel(FOLDER), URL)",
        )  # fmt: skip
    return Path(store)


def free(store: str | os.PathLike[str], overwrite: bool) -> Path:
    """Return the path of the store to make; raise now, and not after hours, if it is taken.

    Parameters
    ----------
    store
        Its folder.
    overwrite
        It may be there.

    Returns
    -------
    pathlib.Path
        Its folder.
    """
    path = folder_of(store)
    if path.exists() and not panel.flag("overwrite", overwrite):
        raise panel.error(
            f"{path} is there already", "a path that is free", "Choose another, or overwrite it"
        )
    return path
