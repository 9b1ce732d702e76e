"""Batches of a table -> checked rows in runs: the one road of all long tables into a panel."""

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from xfactor import panel
from xfactor.ingest.cells import UNUSABLE, Words, numbers, truths
from xfactor.ingest.dates import Dates, shown, words_of
from xfactor.ingest.formats import Batch
from xfactor.ingest.owners import STRANGER, Owners
from xfactor.ingest.rejects import Rejects, row_id
from xfactor.ingest.schema import Field
from xfactor.ingest.sources import Part
from xfactor.ingest.spill import ASSET, ROW, Spill, Spilled, present

AHEAD = 2  # batches read while one is being checked
NO_DATE, NO_ASSET = "without a date", "without an asset"
NO_SPELL = "of a symbol that no asset has then"


@dataclass(frozen=True)
class Plan:
    """What is read: the parts, the fields, and the file's name of each column in each part.

    `first` is the number of the first part among those of all tables that are read together.
    """

    parts: Sequence[Part]
    fields: Sequence[Field]
    names: Sequence[Mapping[str, str]]
    date_format: str | None = None
    first: int = 0

    def date_words(self) -> Iterator[np.ndarray]:
        """Read the dates alone."""
        for part, names in zip(self.parts, self.names, strict=True):
            for batch in part.batches([names["date"]]):
                yield words_of(batch.columns[names["date"]])


class Intake:
    """Checks the rows of a plan and spills them.

    Parameters
    ----------
    plan
        What to read.
    assets
        Words of the assets so far.
    rejects
        Where to count what is not taken.
    folder
        For the runs.
    owners
        Which asset has which symbol when: the words are symbols then, and the codes its assets.
    """

    def __init__(
        self, plan: Plan, assets: Words, rejects: Rejects, folder: Path,
        owners: Owners | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.assets, self.rejects, self.owners = plan, assets, rejects, owners
        self.codes = {f.name: Words(f"words of {f.name}") for f in plan.fields if f.kind == "code"}
        self.dates = Dates(plan.names[0]["date"], plan.date_format, plan.date_words)
        self.spill = Spill(folder, {f.name: f.stored for f in plan.fields})
        self.empty = dict.fromkeys((f.name for f in plan.fields), 0)

    def run(self, progress: bool = False) -> Spilled:
        """Read everything."""
        with _bar(progress) as show:
            for i, (part, names) in enumerate(zip(self.plan.parts, self.plan.names, strict=True)):
                self.rejects.name_columns(dict(names))
                with ahead(part.batches(list(dict.fromkeys(names.values())))) as batches:
                    for batch in batches:
                        self._take(self.plan.first + i, part, names, batch)
                        self.rejects.settle()
                        show((i + batch.part) / len(self.plan.parts), self.rejects.read)
        return self.spill.close()

    def _take(self, i: int, part: Part, names: Mapping[str, str], batch: Batch) -> None:
        self.rejects.read += len(batch.rows) + len(batch.ragged)
        self._ragged(i, batch)
        if not len(batch.rows):
            return
        ids = row_id(i, batch.rows)
        columns = {ours: batch.columns[theirs] for ours, theirs in names.items()}
        dates = self.dates.read(columns["date"], part.name)
        codes = self.assets.encode(columns["asset"], part.name, names["asset"])
        if self.owners is not None:
            codes = self.owners.find(codes, dates)
        keep = self._keyed(ids, columns, dates, codes)
        values: dict[str, np.ndarray] = {}
        for spec in self.plan.fields:
            if spec.name in columns:
                v = self._field(spec, columns[spec.name], part.name, names[spec.name], ids, keep)
            else:
                v = np.full(len(ids), np.nan if spec.stored.kind == "f" else -1, spec.stored)
                self.empty[spec.name] += int(keep.sum())
            values[spec.name] = v
        keep = self._complete(ids, keep, values)
        if not keep.all():
            dates, codes, ids = dates[keep], codes[keep], ids[keep]
            values = {n: v[keep] for n, v in values.items()}
        self.spill.add(dates.view(np.int64), {**values, ASSET: codes, ROW: ids})

    def _ragged(self, i: int, batch: Batch) -> None:
        for r in batch.ragged:
            why = f"Expected {r.expected} columns, got {r.found}"
            text = why if "ragged" in self.rejects.stop else r.text
            ids = row_id(i, np.array([r.row]))
            self.rejects.add_rows("ragged", "with too few or too many cells", "", ids, [text])

    def _keyed(
        self, ids: np.ndarray, columns: Mapping[str, pa.Array], dates: np.ndarray, codes: np.ndarray
    ) -> np.ndarray:
        """Reject rows without a date or an asset; return a mask of the others."""
        keep = np.ones(len(ids), bool)
        undated = np.isnat(dates)
        for kind, reason, name, bad in (
            ("date", NO_DATE, "date", undated),
            ("asset", NO_ASSET, "asset", (codes < 0) & (codes != STRANGER) & ~undated),
            ("asset", NO_SPELL, "asset", (codes == STRANGER) & ~undated),
        ):
            rows = np.flatnonzero(bad)
            if len(rows):
                words = self._words(kind, columns[name], rows)
                self.rejects.add_rows(kind, reason, name, ids[rows], words)
                keep[rows] = False
        return keep

    def _field(
        self, spec: Field, column: pa.Array, path: str, theirs: str, ids: np.ndarray,
        keep: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """Return the values of a field; count the cells that cannot be used."""
        say = partial(self._cells, spec.name, column, ids, keep)
        if spec.kind == "code":
            v = self.codes[spec.name].encode(column, path, theirs)
            unread = v == UNUSABLE
            v = np.where(unread, -1, v).astype(np.int32) if unread.any() else v
            say("value", "no word", unread)
        elif spec.kind == "mask":
            v, bad = truths(column, path, theirs)
            say("value", "no yes or no", bad)
            unread = bad if bad is not None else np.zeros(1, bool)
        else:
            v, unread = self._number(spec, column, path, theirs, say)
        there = present(v)
        if not there.all():
            lost = ~there & keep
            self.empty[spec.name] += int(lost.sum()) - int((lost & unread).sum())
        return v

    def _number(
        self, spec: Field, column: pa.Array, path: str, theirs: str, say: "partial[None]"
    ) -> tuple[np.ndarray, np.ndarray]:
        v, bad = numbers(column, path, theirs)
        say("value", "no number", bad)
        with np.errstate(over="ignore", under="ignore"):
            if spec.multiply != 1.0 or spec.divide != 1.0:
                v = v.astype(np.float64, copy=False) * spec.multiply / spec.divide
            v = v.astype(spec.stored, copy=False)
        inside = (v > spec.above) & (v >= spec.least) & (v <= spec.most) & (np.abs(v) < np.inf)
        unread = np.zeros(len(v), bool) if bad is None else bad
        if not inside.all():
            out = ~inside & ~np.isnan(v)
            if out.any():
                say("range", spec.out_of_range(), out)
                v = np.where(out, v.dtype.type(np.nan), v)
                unread = unread | out
        return v, unread

    def _cells(
        self, name: str, column: pa.Array, ids: np.ndarray, keep: np.ndarray, kind: str,
        reason: str, bad: np.ndarray | None,
    ) -> None:  # fmt: skip
        if bad is None or not bad.any():
            return
        rows = np.flatnonzero(bad & keep)
        if len(rows):
            words = self._words(kind, column, rows)
            self.rejects.add_cells(kind, reason, name, ids[rows], words)

    def _words(self, kind: str, column: pa.Array, rows: np.ndarray) -> list[str]:
        """Return the cells as text, for whoever will read them."""
        if self.rejects.path is not None:
            return [shown(column, r) for r in rows]
        return [shown(column, rows[0])] if kind in self.rejects.stop else []

    def _complete(
        self, ids: np.ndarray, keep: np.ndarray, values: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Reject rows without a value of a required field."""
        for spec in (f for f in self.plan.fields if f.required):
            rows = np.flatnonzero(keep & ~present(values[spec.name]))
            if len(rows):
                reason = f"without {spec.name}"
                self.rejects.add_rows("required", reason, spec.name, ids[rows], [])
                keep = keep.copy()
                keep[rows] = False
        return keep


@contextlib.contextmanager
def ahead(batches: Iterable[Batch]) -> Iterator[Iterator[Batch]]:
    """Read batches in another thread, a few ahead.

    Parameters
    ----------
    batches
        To be read.

    Yields
    ------
    iterator of Batch
        The same, in the same order; an error of the reader is raised where it is read.
    """
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(AHEAD)
    over = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not over.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def read() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as problem:  # it belongs to the thread that waits
            put(problem)

    def take() -> Iterator[Batch]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    reader = threading.Thread(target=read, name="xfactor-ingest", daemon=True)
    reader.start()
    try:
        yield take()
    finally:
        over.set()
        reader.join()


@contextlib.contextmanager
def _bar(progress: bool) -> Iterator["partial[None]"]:
    """Show on standard error how much was read, if it takes more than a second."""
    started = last = time.monotonic()
    shown_ = False

    def show(part: float, rows: int) -> None:
        nonlocal last, shown_
        now = time.monotonic()
        if progress and now - started > 1.0 and now - last > 0.2:
            last, shown_ = now, True
            rate = rows / (now - started) / 1e6
            sys.stderr.write(f"\rreading {part:4.0%}  {rows:,} rows  {rate:.1f} M rows/s  ")
            sys.stderr.flush()

    yield partial(show)
    if shown_:
        sys.stderr.write("\r" + " " * 60 + "\r")


def check_rows(rejects: Rejects, source: object, kept: int) -> None:
    """Raise if nothing was read, or nothing kept.

    Parameters
    ----------
    rejects
        The counts.
    source
        For the message.
    kept
        Rows kept.
    """
    if rejects.read == 0:
        raise panel.error(f"{source} has no rows", "at least one", "Check the file")
    if rejects.rows[NO_ASSET] == rejects.read:
        raise panel.error(f"{source} names no asset in any row", "one on each",
                          "Check the column, and the encoding of the file")  # fmt: skip
    if kept == 0:
        counted = "; ".join(f"{n:,} {reason}" for reason, n in rejects.rows.items())
        raise panel.error(
            f"no row of {source} can be used: {counted}", "at least one", "Check the columns"
        )
