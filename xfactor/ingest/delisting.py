"""What assets returned after their last price."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from xfactor import panel
from xfactor.ingest.cells import Words, numbers
from xfactor.ingest.dates import Dates, shown, words_of
from xfactor.ingest.labels import Labels
from xfactor.ingest.plan import check_once, find_column
from xfactor.ingest.schema import Field
from xfactor.ingest.sources import Part, Source, find_parts
from xfactor.ingest.summary import listing
from xfactor.ingest.tables import ASSET, DATE, no_column

RETURN = Field("delisting_return", aliases=("dlret", "delist return", "return", "returns"))
KEY, DAY = Field("asset", aliases=ASSET.aliases), Field("date", aliases=DATE.aliases)
ALWAYS = np.iinfo(np.int64).max
Places = Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Delisting:
    """Delisting returns: the date position of each asset at which it is earned, -1 for none."""

    when: np.ndarray
    value: np.ndarray

    def put(self, returns: np.ndarray, start: int) -> np.ndarray:
        """Put them into the block of returns that begins at a date position; return it."""
        here = (self.when >= start) & (self.when < start + len(returns))
        assets = np.flatnonzero(here)
        returns[self.when[assets] - start, assets] = self.value[assets]
        return returns


def find_delisting(
    source: Source | None, fill: float | None, after: int, *, labels: Labels, last: np.ndarray,
    column: tuple[np.ndarray, np.ndarray] | None, kept: np.ndarray | None = None,
    places: Places | None = None,
) -> tuple[Delisting, list[str]]:  # fmt: skip
    """Decide what every asset returns after its last price.

    Parameters
    ----------
    source
        Table of delisting returns, which go first.
    fill
        For assets that have ended without one.
    after
        Sessions without a price at the end of the panel that make an asset one that has ended.
    labels
        Of the panel.
    last
        Date position of each asset's last price, -2 for none.
    column
        Delisting returns of the price table, and their date positions, which go second.
    kept
        Delisting returns that the store has, NaN for none, which go third.
    places
        For each name of an asset, since when (ns) it is that of which position.

    Returns
    -------
    tuple
        The returns; notes.

    Raises
    ------
    PanelError
        If an option or the table cannot be used.
    """
    after = panel.positive("delisting_after", after)
    if fill is not None and not -1.0 <= panel.number("delisting_fill", fill) < np.inf:
        raise panel.error(f"delisting_fill={fill} was given", "at least -1", "Use e.g. -0.3")
    n = len(last)
    value, known = np.full(n, np.nan), np.full(n, -1, np.int64)
    if column is not None:
        value, known = column
    notes = []
    if source is not None:
        theirs, when, strangers = _read(source, labels, places)
        given = ~np.isnan(theirs)
        value, known = np.where(given, theirs, value), np.where(given, when, known)
        if strangers:
            notes.append(f"delisting returns of {listing(strangers)}: not in the table of prices")
    given = ~np.isnan(value) & (last >= 0)
    early = given & (known < last)
    if early.any():
        notes.append(f"delisting returns before the last price, not used: {_named(labels, early)}")
    late = given & ~early & (last == len(labels.dates) - 1)
    if late.any():
        notes.append(f"delisting returns after the panel's last date: {_named(labels, late)}")
    used = given & ~early & ~late
    stays = np.zeros(n, bool) if kept is None else ~np.isnan(kept) & ~used & (last >= 0)
    value = value if kept is None else np.where(stays, kept, value)
    filled = np.zeros(n, bool)
    if fill is not None:
        ended = (last >= 0) & (last <= len(labels.dates) - 1 - after)
        filled = ended & ~used & ~stays
        value = np.where(filled, fill, value)
    if source is not None or column is not None or fill is not None:
        by_option = f", {int(filled.sum()):,} of {fill}" if fill is not None else ""
        notes.append(f"delisting returns: {int(used.sum()):,} given{by_option}")
    return Delisting(np.where(used | stays | filled, last + 1, -1), value), notes


def _named(labels: Labels, mask: np.ndarray) -> str:
    symbols = labels.assets if labels.symbols is None else labels.symbols
    return listing([str(s) for s in symbols[mask]])


def _read(
    source: Source, labels: Labels, places: Places | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the return of each asset and its date position, and symbols that are not there."""
    symbols = labels.assets if labels.symbols is None else labels.symbols
    if places is None:
        places = {str(s): [(0, i)] for i, s in enumerate(symbols)}
    value, when = np.full(len(symbols), np.nan), np.full(len(symbols), ALWAYS)
    seen: set[int] = set()
    strangers = []
    for part in find_parts(source):
        for symbol, number, day in _rows(part):
            if symbol not in places:
                strangers.append(symbol)
                continue
            at = _owner(part.name, symbol, day, places[symbol])
            if at in seen:
                raise panel.error(
                    f"{part.name} has {symbol!r} more than once", "one row for each asset",
                    "Remove the duplicates",
                )  # fmt: skip
            seen.add(at)
            value[at] = number
            if not np.isnat(day):
                sessions = np.searchsorted(labels.dates, day.astype(np.int64), "right")
                when[at] = sessions - 1
    return value, when, strangers


def _owner(
    name: str, symbol: str, day: np.datetime64, owners: Sequence[tuple[int, int]]
) -> int:  # fmt: skip
    """Return the position of the asset that had a symbol on a day."""
    if len({at for _, at in owners}) == 1:
        return owners[0][1]
    if np.isnat(day):
        raise panel.error(
            f"{name} has no date for {symbol!r}, which is the symbol of several assets",
            "a date, or the assets' own labels", "Add the column date",
        )  # fmt: skip
    ns = int(day.astype("datetime64[ns]").astype(np.int64))
    return [at for start, at in owners if start <= ns or start == owners[0][0]][-1]


def _rows(part: Part) -> Iterator[tuple[str, float, np.datetime64]]:
    asset, column = _needed(part, KEY), _needed(part, RETURN)
    day = find_column(DAY, part.header)
    wanted = list(dict.fromkeys([asset, column] if day is None else [asset, column, day]))
    for name in wanted:
        check_once(part, name)
    words = Words("assets")
    dates = None if day is None else Dates(day, None, partial(_words, part, day))
    for batch in part.batches(wanted):
        codes = words.encode(batch.columns[asset], part.name, asset)
        found, bad = numbers(batch.columns[column], part.name, column)
        wrong = (found < -1) | np.isinf(found) | (False if bad is None else bad)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise panel.error(
                f"column {column!r} of {part.name} holds {shown(batch.columns[column], at)!r} in "
                f"row {batch.rows[at]:,}",
                "decimal returns of at least -1",
                "Correct or empty these cells",
            )
        days = np.full(len(codes), np.datetime64("NaT", "ns"))
        if dates is not None:
            days = dates.read(batch.columns[dates.name], part.name)
        listed = words.listed()
        for code, number, when in zip(codes.tolist(), found.tolist(), days, strict=True):
            if code >= 0 and number == number:
                yield listed[code], number, when


def _words(part: Part, day: str) -> Iterator[np.ndarray]:
    return (words_of(batch.columns[day]) for batch in part.batches([day]))


def _needed(part: Part, spec: Field) -> str:
    name = find_column(spec, part.header)
    if name is None:
        what = f"no column for {spec.name!r}"
        raise no_column(part.name, part.header, False, what, spec.name)
    return name
