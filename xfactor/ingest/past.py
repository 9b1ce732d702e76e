"""What a store holds that later rows go onto."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.identity.lookup import history_table
from xfactor.ingest.labels import NEVER, Labels, Later
from xfactor.ingest.longform import DAY, Keys, Stretches
from xfactor.store import open_panel

NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Past:
    """A store that rows go onto; `stored` is None where there is none yet.

    Parameters
    ----------
    stored
        Its panel.
    last
        Date position of each asset's last price, -2 for none.
    history
        Its table of symbols, if it has one.
    """

    stored: xr.Dataset | None = None
    last: np.ndarray = field(default_factory=lambda: NONE)
    history: pd.DataFrame | None = None

    @property
    def dates(self) -> np.ndarray:
        """Return the dates as int64 ns."""
        if self.stored is None:
            return NONE
        return self.stored.indexes[panel.DATE].as_unit("ns").asi8

    @property
    def chunk(self) -> int:
        """Return the dates of a chunk."""
        fields = [] if self.stored is None else self.stored.data_vars.values()
        return next(
            (c[panel.DATE][0] for c in (v.chunksizes for v in fields) if panel.DATE in c), 1
        )

    @property
    def assets(self) -> np.ndarray:
        """Return the labels of the assets."""
        return NONE if self.stored is None else self.stored[panel.ASSET].to_numpy()

    @property
    def symbols(self) -> np.ndarray | None:
        """Return the symbol of each asset, None where they have none."""
        if self.stored is None or "symbol" not in self.stored.coords:
            return None
        return self.stored["symbol"].to_numpy().astype(str)

    def places(self, words: Sequence[str], given: bool) -> np.ndarray:
        """Return the position of the asset of each word, the last that had it; -1 if none."""
        names = self.assets if given or self.symbols is None else self.symbols
        known = {str(name): i for i, name in enumerate(names.tolist())}
        return np.array([known.get(w, -1) for w in words], np.int64)


def past_of(store: str | os.PathLike[str]) -> Past:
    """Read what rows that go onto a store must know of it.

    Parameters
    ----------
    store
        Its path.

    Returns
    -------
    Past
        Of the store.

    Raises
    ------
    PanelError
        If there is none.
    """
    stored = open_panel(store)
    if stored[panel.ASSET].dtype.kind not in "iu":
        raise panel.error(
            f"the assets of {store} are {stored[panel.ASSET].dtype}", "whole numbers",
            "Rows go onto a store that an ingest has made",
        )  # fmt: skip
    last = last_true(stored["listed"]) if "listed" in stored else NONE
    return Past(stored, last, history_table(store))


def last_true(mask: xr.DataArray) -> np.ndarray:
    """Return the position of the last date on which each asset is True, -2 for none.

    Parameters
    ----------
    mask
        (date, asset); read from its end, a chunk at a time, until all assets are found.

    Returns
    -------
    numpy.ndarray
        int64 (asset,).
    """
    mask = mask.transpose(panel.DATE, panel.ASSET)
    last = np.full(mask.sizes[panel.ASSET], -2, np.int64)
    stop = mask.sizes[panel.DATE]
    for length in reversed(mask.chunksizes.get(panel.DATE, (stop,))):
        block = mask[stop - length : stop].to_numpy()
        found = (last < 0) & block.any(axis=0)
        last[found] = stop - 1 - block[::-1, found].argmax(axis=0)
        stop -= length
        if (last >= 0).all():
            break
    return last


def check_later(past: Past, keys: Keys, title: str, store: object) -> None:
    """Raise unless all rows are of dates after the store's last.

    Parameters
    ----------
    past
        The store.
    keys
        Of the rows.
    title, store
        For the message.
    """
    if past.stored is None:
        return
    end, early = past.dates[-1], keys.dates[keys.dates <= past.dates[-1]]
    if len(early):
        found = panel.several(len(early), "date that is", "dates that are")
        raise panel.error(
            f"{title} has rows on {found} not later than "
            f"{pd.Timestamp(end):%Y-%m-%d}, with which {store} ends, the first on "
            f"{pd.Timestamp(early[0]):%Y-%m-%d}",
            "later dates only",
            "Leave these rows out; xf.update_panel restates cells, and an ingest of everything "
            "with overwrite replaces the store",
        )


@dataclass(frozen=True)
class Placed:
    """Rows placed among the assets of a store and new ones.

    Parameters
    ----------
    labels
        The new dates; all assets, those of the store first.
    first, last
        Position of each asset's first and last price among the new dates; -1 and -2 for none.
    successors
        (position of a new asset, that of the asset that had its symbol before, the date of its
        first price in ns) of each asset that took over a symbol.
    """

    labels: Labels
    first: np.ndarray
    last: np.ndarray
    successors: Sequence[tuple[int, int, int]]


def place(
    keys: Keys, words: Sequence[str], found: Stretches, past: Past, gap_days: int, given: bool
) -> Placed:
    """Find the asset of every row: one of the store, or a new one.

    Parameters
    ----------
    keys, words
        Of the rows: their codes, and the words of these.
    found
        When each code has a price, cut at gaps of more than `gap_days`.
    past
        The store.
    gap_days
        A symbol without a price for longer is another asset's afterwards; 0 for never.
    given
        The words are the labels of assets.

    Returns
    -------
    Placed
        New assets are numbered in the order of (first date, word); given ones stand in the order
        of their labels.
    """
    order = np.lexsort((found.first, found.asset))
    code, first, last = found.asset[order], found.first[order], found.last[order]
    head = np.append(True, code[1:] != code[:-1])[: len(code)]
    known = past.places(words, given)
    begins = ~head
    if gap_days and len(code) and len(past.last):
        before = np.where(known[code] >= 0, past.last[known[code]], -2)
        paused = keys.dates[first] - past.dates[np.maximum(before, 0)] > gap_days * DAY
        begins |= head & (before >= 0) & paused
    fresh = np.flatnonzero((keys.first < NEVER) & (known < 0))
    new = [(int(keys.first[c]), words[c], c, -1) for c in fresh.tolist()]
    new += [(int(keys.dates[first[i]]), words[code[i]], int(code[i]), int(i))
            for i in np.flatnonzero(begins)]  # fmt: skip
    new.sort(key=lambda n: (0, int(n[1])) if given else (n[0], n[1]))
    position = np.append(np.where(keys.first < NEVER, known, -1), -1).astype(np.int32)
    start, owner = len(past.assets), np.where(begins, -1, position[code])
    later: list[tuple[int, int, int]] = []
    successors: list[tuple[int, int, int]] = []
    for at, (_, _, who, i) in enumerate(new, start):
        if i < 0:
            position[who] = at
        else:
            owner[i] = at
            later.append((who, int(first[i]), at))
    owner = np.where(owner < 0, position[code], owner)
    for i in np.flatnonzero(begins).tolist():
        previous = position[code[i]] if head[i] else owner[i - 1]
        successors.append((int(owner[i]), int(previous), int(keys.dates[first[i]])))
    columns = np.array(sorted(later), np.int64).reshape(-1, 3).T
    labels = _labels(keys, [n[1] for n in new], past, position, Later(*columns), given)
    return Placed(labels, *_life(owner, first, last, len(labels.assets)), successors)


def _labels(
    keys: Keys, new: Sequence[str], past: Past, position: np.ndarray, later: Later, given: bool
) -> Labels:
    number = np.arange(1, len(new) + 1) + past.assets.max(initial=0)
    if given:
        number = np.array([int(w) for w in new], np.int64)
    old = past.symbols if past.symbols is not None else np.empty(0, str)
    symbols = None if given else np.array([*old.tolist(), *new], str)
    assets = np.concatenate([past.assets.astype(np.int64), number])
    return Labels(keys.dates, assets, symbols, position, later)


def _life(
    owner: np.ndarray, first: np.ndarray, last: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    begin, end = np.full(n, -1, np.int64), np.full(n, -2, np.int64)
    begin[owner], end[owner] = first, last
    return begin, end


# --- old cells that new rows change -------------------------------------------------------------


@dataclass(frozen=True)
class Cells:
    """Single cells of a field: date positions, asset positions, values."""

    row: np.ndarray
    asset: np.ndarray
    value: np.ndarray


def listed_in_gaps(past: Past, back: np.ndarray) -> Cells:
    """Return the cells between an asset's last price and the store's end, if prices go on.

    Parameters
    ----------
    past
        The store.
    back
        Which of its assets have a price among the new rows.

    Returns
    -------
    Cells
        True.
    """
    end = len(past.dates)
    who = np.flatnonzero(back & (past.last >= 0) & (past.last < end - 1))
    length = end - 1 - past.last[who]
    asset = np.repeat(who, length)
    begun = np.repeat(np.cumsum(length) - length, length)
    row = past.last[asset] + 1 + np.arange(len(asset)) - begun
    return Cells(row, asset, np.ones(len(row), bool))


def after_last(field: xr.DataArray, last: np.ndarray, ask: np.ndarray) -> np.ndarray:
    """Return what stands on the session after each asset's last price.

    Parameters
    ----------
    field
        Of the store.
    last
        Date position of the last price, -2 for none.
    ask
        Assets to look at.

    Returns
    -------
    numpy.ndarray
        float64 (asset,); NaN where nothing does, or it was not looked at.
    """
    field = field.transpose(panel.DATE, panel.ASSET)
    out, start = np.full(len(last), np.nan), 0
    at = np.where(ask & (last >= 0), last + 1, -1)
    for length in field.chunksizes.get(panel.DATE, (field.sizes[panel.DATE],)):
        here = np.flatnonzero((at >= start) & (at < start + length))
        if len(here):
            rows, place = np.unique(at[here], return_inverse=True)
            out[here] = field[rows].to_numpy()[place, here]
        start += length
    return out


def restated(past: Past, changes: Mapping[str, Cells]) -> xr.Dataset | None:
    """Lay changed cells out as `append_panel` takes them.

    Parameters
    ----------
    past
        The store.
    changes
        Cells of each field.

    Returns
    -------
    xarray.Dataset or None
        The dates with a change, lazy; None if there is none.
    """
    if past.stored is None or not any(len(c.row) for c in changes.values()):
        return None
    rows = np.unique(np.concatenate([c.row for c in changes.values()]))
    made = {}
    for name, cells in changes.items():
        stored = past.stored[name].isel({panel.DATE: rows})
        put = Cells(np.searchsorted(rows, cells.row), cells.asset, cells.value)
        data = da.map_blocks(partial(_put, put), stored.data, dtype=stored.dtype)
        made[name] = stored.copy(data=data)
    found = xr.Dataset(made)
    return found.drop_vars([c for c in found.coords if c not in found.dims])


def _put(cells: Cells, block: np.ndarray, block_info: Any = None) -> np.ndarray:
    out = np.array(block)
    if block_info:
        low, high = block_info[0]["array-location"][0]
        here = (cells.row >= low) & (cells.row < high)
        out[cells.row[here] - low, cells.asset[here]] = cells.value[here]
    return out
