"""Rows of prices placed among the assets of a store and new ones, and the fields they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest import histories
from xfactor.ingest.delisting import Delisting, find_delisting
from xfactor.ingest.identities import GIVEN, NUMBERED, Identities
from xfactor.ingest.labels import Labels
from xfactor.ingest.layout import DIMS, LongTable
from xfactor.ingest.longform import Block, lazy_field
from xfactor.ingest.past import Cells, Past, Placed, after_last, listed_in_gaps, place, restated
from xfactor.ingest.returns import (
    PARTS,
    VALUED,
    Rows,
    listed_block,
    returns_block,
    total_value,
)
from xfactor.ingest.sources import Source
from xfactor.ingest.summary import listing

ATTRS: dict[str, dict[str, Any]] = {
    "open": {"units": "USD", "long_name": "opening price, as traded"},
    "high": {"units": "USD", "long_name": "highest price, as traded"},
    "low": {"units": "USD", "long_name": "lowest price, as traded"},
    "close": {"units": "USD", "long_name": "closing price, as traded"},
    "volume": {"units": "shares", "long_name": "shares traded"},
    "adjusted_close": {
        "units": "USD",
        "long_name": "closing price adjusted backwards for splits and dividends",
    },
    "dividend": {"units": "USD", "long_name": "dividend per share, on the ex-date"},
    "split": {"units": "1", "long_name": "new shares per old share, on the ex-date"},
    "delisting_return": {
        "units": "decimal",
        "long_name": "return from the last price to what was paid after it",
    },
    "returns": {"units": "decimal per session", "long_name": "total return over (t-1, t]"},
    "listed": {"long_name": "between the first and the last price (in a gap, known only later)"},
    "market_returns": {
        "units": "decimal per session",
        "long_name": "total return of the market over (t-1, t]",
    },
}


DELISTING, MARKET = "delisting_return", "market_returns"
# Returns of one price on two bases differ by more.
SAME = 1e-4
FIRST_NS = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Ends:
    """The options of delisting returns."""

    source: Source | None
    fill: float | None
    after: int


class Prices:
    """Rows of prices, placed among the assets of a store and new ones.

    Parameters
    ----------
    table
        Read.
    who
        How assets are told apart.
    past
        The store that the rows go onto, if any.
    """

    def __init__(self, table: LongTable, who: Identities, past: Past) -> None:
        self.table, self.who, self.past = table, who, past
        self.names = [f.name for f in table.plan.fields if f.kind == "number"]
        self.valued = [n for n in VALUED if n in self.names]
        table.place()
        found = table.blocks.stretches(self.valued, who.gap_days)
        code = np.flatnonzero(table.labels.position[:-1] >= 0)
        order = np.empty(len(code), np.int64)
        order[table.labels.position[code]] = code
        by_code = type(found)(order[found.asset], found.first, found.last)
        self.placed: Placed = place(
            table.keys, table.words(), by_code, past, who.gap_days, who.whole
        )
        table.place(self.placed.labels)
        self.labels = self.placed.labels
        new, self.notes = self._history()
        self.tables = histories.tables(new, past, check=who.rule != GIVEN)
        self.spells = histories.joined(past.history, new)

    def panel(
        self, ends: Ends, title: str, chunk: int
    ) -> tuple[xr.Dataset, xr.Dataset | None, list[str]]:
        """Lay out every field lazily; also the old cells that change."""
        first, last = self.placed.first.copy(), self.placed.last
        notes = self._check_fields(title)
        fields = self._fields()
        made_of = self._made_of(fields)
        if self.past.stored is None and (last < 0).all():
            raise panel.error(f"{title} has no price above 0", "at least one", "Check the column")
        if "adjusted_close" not in made_of:
            notes.append(f"no adjusted close: returns are made of {', '.join(made_of)}")
        never = self._named(self._ended() < 0)
        if never and self.past.stored is None:
            notes.append(
                f"{panel.several(len(never), 'asset has', 'assets have')} no price at all: "
                f"{listing(never)}"
            )
        before = self._before([*fields, DELISTING])
        rows = Rows(self.table.blocks, before)
        delisted, cells, said = self._delisted(ends, rows)
        first[: len(self.past.last)][(self.past.last >= 0) & (last[: len(self.past.last)] >= 0)] = 0
        makes: dict[str, Block] = {n: partial(rows.block, n) for n in fields}
        makes |= {
            "returns": partial(returns_block, rows, tuple(made_of), delisted),
            "listed": partial(listed_block, first, last),
        }
        offset = len(self.past.dates)
        made = {
            n: (DIMS, lazy_field(n, self.labels.sizes, bool if n == "listed" else float, make,
                                 chunk, offset))
            for n, make in makes.items()
        }  # fmt: skip
        notes += said + self._basis(rows, made_of)
        return xr.Dataset(made, self.labels.coords()), cells, notes

    def _fields(self) -> list[str]:
        if self.past.stored is None:
            return self.names
        known = [n for n in ATTRS if n not in ("returns", "listed", MARKET)]
        return [n for n in known if n in self.past.stored]

    def _made_of(self, fields: Sequence[str]) -> list[str]:
        return ["adjusted_close"] if "adjusted_close" in fields else [
            n for n in PARTS if n in fields
        ]  # fmt: skip

    def _check_fields(self, title: str) -> list[str]:
        """Compare the fields of the rows with those of the store."""
        if self.past.stored is None:
            return []
        fields = self._fields()
        if "listed" not in self.past.stored or "returns" not in self.past.stored:
            raise panel.error(
                "the store has no fields returns and listed", "one that ingest_prices has made",
                "Use ingest_table(append=True), or xf.append_panel",
            )  # fmt: skip
        needed = self._made_of(fields)
        if needed[:1] and needed[0] not in self.names:
            raise panel.error(
                f"{title} has no column for {needed[0]!r}",
                "it, for the returns of the store are made of it",
                f"In Python columns={{{needed[0]!r}: 'NAME'}}",
            )
        more = [n for n in self.names if n not in fields and n != DELISTING]
        for name in (n for n in more if n in PARTS and needed != ["adjusted_close"]):
            raise panel.error(
                f"{title} has a column for {name!r}, and the store has no such field",
                "the fields that its returns are made of",
                "Ingest all rows again, with overwrite",
            )
        less = [n for n in fields if n not in self.names]
        notes = [f"not fields of the store, left out: {listing(more)}"] if more else []
        return notes + ([f"missing on the new dates: {listing(less)}"] if less else [])

    def _before(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the last date of the store, for all assets."""
        stored = self.past.stored
        if stored is None:
            return {}
        out = {}
        for name in (n for n in names if n in stored):
            row = stored[name].isel({panel.DATE: -1}).to_numpy()
            out[name] = np.full(len(self.labels.assets), np.nan)
            out[name][: len(row)] = row
        return out

    def _ended(self) -> np.ndarray:
        """Return the position of each asset's last price among all dates, -2 for none."""
        last = self.placed.last
        out = np.where(last >= 0, last + len(self.past.dates), -2)
        old = out[: len(self.past.last)]
        np.copyto(old, self.past.last, where=old < 0)
        return out

    def _delisted(self, ends: Ends, rows: Rows) -> tuple[Delisting, xr.Dataset | None, list[str]]:
        """Find delisting returns on the new dates, and old cells that change."""
        past, n_old = self.past, len(self.past.dates)
        whole = Labels(
            np.concatenate([past.dates, self.labels.dates]), self.labels.assets,
            self.labels.symbols, self.labels.position,
        )  # fmt: skip
        back = self.placed.last[: len(past.last)] >= 0
        dead = (past.last >= 0) & (past.last < n_old - 1)
        column = self._column(rows)
        old = np.full(len(self.labels.assets), np.nan)
        if (past.stored is not None and (dead & (back | (ends.fill is not None))).any()) or (
            past.stored is not None and (ends.source is not None or column is not None)
        ):
            assert past.stored is not None
            old[: len(past.last)] = after_last(past.stored["returns"], past.last, dead)
        kept = old.copy()
        kept[: len(back)][back] = np.nan
        found, notes = find_delisting(
            ends.source,
            ends.fill,
            ends.after,
            labels=whole,
            last=self._ended(),
            column=column,
            kept=kept,
            places=self._places(),
        )
        n = len(past.last)
        there = np.where(found.when[:n] == past.last + 1, found.value[:n], np.nan)
        there[back] = np.nan
        changed = dead & ~((there == old[:n]) | (np.isnan(there) & np.isnan(old[:n])))
        who = np.flatnonzero(changed)
        changes = {
            "returns": Cells(past.last[who] + 1, who, there[who]),
            "listed": listed_in_gaps(past, back),
        }
        new = Delisting(np.where(found.when >= n_old, found.when - n_old, -1), found.value)
        return new, restated(past, changes), notes

    def _column(self, rows: Rows) -> tuple[np.ndarray, np.ndarray] | None:
        """Return each asset's latest delisting return in the prices, and its date position."""
        stored = DELISTING in rows.before
        if DELISTING not in self.names and not stored:
            return None
        value, at = np.full(len(self.labels.assets), np.nan), np.full(len(self.labels.assets), -2)
        if DELISTING in self.names:
            value, at = self.table.blocks.latest(DELISTING)
        at = np.where(at >= 0, at + len(self.past.dates), at)
        if stored:  # on the store's last date there was no place for it yet
            row = rows.before[DELISTING]
            late = (at < 0) & ~np.isnan(row)
            value, at = np.where(late, row, value), np.where(late, len(self.past.dates) - 1, at)
        return value, at

    def _places(self) -> dict[str, list[tuple[int, int]]]:
        """Return for each name of an asset since when (ns) it is that of which position."""
        found: dict[str, list[tuple[int, int]]] = {}
        if self.who.whole or self.spells is None:
            named = self.labels.assets if self.labels.symbols is None else self.labels.symbols
            found = {str(name): [(FIRST_NS, i)] for i, name in enumerate(named.tolist())}
        spells = pd.DataFrame(columns=histories.COLUMNS) if self.spells is None else self.spells
        position = pd.Index(self.labels.assets).get_indexer(pd.Index(spells["asset"]))
        start = spells["start"].to_numpy().astype("datetime64[ns]").view(np.int64)
        rows = zip(spells["symbol"], start.tolist(), position.tolist(), strict=True)
        for symbol, day, at in sorted(r for r in rows if r[2] >= 0):
            found.setdefault(symbol, []).append((day, at))
        return found

    def _basis(self, rows: Rows, made_of: Sequence[str]) -> list[str]:
        """Name assets whose adjusted close steps at the seam where their other prices do not."""
        needed = ("adjusted_close", "close")
        if (
            not rows.before
            or "adjusted_close" not in made_of
            or any(n not in rows.before or n not in self.names for n in needed)
        ):
            return []
        new = {n: rows.block(n, 0, 1)[0] for n in PARTS if n in self.names}
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            plain = total_value(new) / rows.before["close"]
            other = rows.block("adjusted_close", 0, 1)[0] / rows.before["adjusted_close"]
            steps = np.abs(other / plain - 1.0) > SAME
        if not steps.any():
            return []
        return [
            f"adjusted closes on another basis than the store's, by close, split and dividend of "
            f"the first new date: {listing(self._named(steps))}"
        ]

    def _named(self, mask: np.ndarray) -> list[str]:
        names = self.labels.assets if self.labels.symbols is None else self.labels.symbols
        return [str(n) for n in names[mask]]

    def _history(self) -> tuple[pd.DataFrame | None, list[str]]:
        """Return the spells that are new or end now, and notes."""
        if self.who.owners is not None:
            return histories.of_table(self.who.owners.spells, self.placed), []
        if self.who.rule == NUMBERED:
            made = self.placed.successors
            reused = sorted({self._named(np.array([n]))[0] for n, _, _ in made})
            who = panel.several(len(made), "asset has", "assets have")
            said = (
                f"{who} the symbol of another, after a gap of more than "
                f"{self.who.gap_days} days: {listing(reused)}"
            )
            return histories.of_numbered(self.past, self.placed), [said] if made else []
        if histories.SYMBOL not in self.table.spilled.dtypes:
            return None, []
        spells, shared = histories.of_rows(
            self.table.blocks, self.valued, self.table.words(histories.SYMBOL), self.past,
            self.placed,
        )  # fmt: skip
        return spells, [f"symbols of several assets at once: {listing(shared)}"] if shared else []

    def symbols(self) -> np.ndarray | None:
        """Return the symbol that each asset had last, None if they have none."""
        if self.who.rule == NUMBERED or self.spells is None:
            return self.labels.symbols if self.who.rule == NUMBERED else self._blank()
        return histories.latest(self.spells, self.labels.assets)

    def _blank(self) -> np.ndarray | None:
        """Return the symbols that the store has, for assets that nobody named."""
        if self.past.symbols is None:
            return None
        more = len(self.labels.assets) - len(self.past.assets)
        return np.array([*self.past.symbols.tolist(), *[""] * more], str)
