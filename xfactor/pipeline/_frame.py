"""The panel as a pipeline sees it, and the values of terms on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.pipeline._rules import masked
from xfactor.pipeline._term import Term, Value, describe

LABELS = {"close": 0, "open": 1}  # how many sessions a row's data lies before its label
LISTED = "listed"


@dataclass(frozen=True)
class Frame:
    """A panel, the positions of the first and last date wanted, and which rows they show."""

    panel: xr.Dataset
    first: int
    last: int
    lag: int
    universe: xr.DataArray | None

    @property
    def assets(self) -> pd.Index:
        """The labels of the assets."""
        return self.panel.indexes[panel.ASSET]

    def dates(self, rows: int = 0) -> pd.DatetimeIndex:
        """The labels from `rows` dates before the first one on."""
        return self.panel.indexes[panel.DATE][self.first - rows : self.last + 1]

    def read(self, name: str, rows: int) -> xr.DataArray:
        """A field, or a coordinate of the assets, from `rows` dates before the first one on."""
        found = self.panel[name] if name in self.panel.coords else panel.field(self.panel, name)
        further = [str(d) for d in found.dims if d not in (panel.DATE, panel.ASSET)]
        if further:
            raise panel.error(
                f"the field {name!r} has the dimension {further[0]!r}",
                "'date' and 'asset' only",
                f"Select one label of {further[0]!r}",
            )
        found = found.reset_coords(drop=True)
        return self._cut(found, rows).transpose(panel.DATE, panel.ASSET, missing_dims="ignore")

    def listed(self, rows: int) -> xr.DataArray | None:
        """The universe, likewise."""
        return None if self.universe is None else self._cut(self.universe, rows)

    def _cut(self, x: xr.DataArray, rows: int) -> xr.DataArray:
        if panel.DATE not in x.dims:
            return x
        begin, end = self.first - rows - self.lag, self.last + 1 - self.lag
        return x.isel({panel.DATE: slice(begin, end)}).assign_coords(date=self.dates(rows))


def make_frame(
    data: xr.Dataset,
    start: Any,
    end: Any,
    label: Literal["close", "open"],
    universe: str | xr.DataArray | None,
) -> Frame:
    """Check what was asked for, and find the dates."""
    panel.check_panel(data)
    panel.choice("label", label, LABELS)
    dates = data.indexes[panel.DATE]
    # Compared, and not searched for, because units of time may differ.
    first = 0 if start is None else int((dates < _day(start, "start")).sum())
    stop = len(dates) if end is None else int((dates <= _day(end, "end")).sum())
    if first >= stop:
        span = f"{_text(dates[0])} to {_text(dates[-1])}" if len(dates) else "none"
        raise panel.error(
            f"no session between {start} and {end}",
            "at least one",
            f"The panel has the dates: {span}",
        )
    return Frame(data, first, stop - 1, LABELS[label], _universe(data, universe))


def _day(given: Any, name: str) -> pd.Timestamp:
    try:
        if isinstance(given, int | float | np.number):  # nanoseconds since 1970 to pandas
            raise TypeError(f"{name} is a number")
        day = pd.Timestamp(given)
        if day is pd.NaT:
            raise ValueError(f"{name} is missing")
    except (ValueError, TypeError) as unclear:
        raise panel.error(
            f"{name}={panel.shown(given)} was given", "a date", "Use e.g. '2011-01-01'"
        ) from unclear
    return day.tz_localize(None)


def _text(day: pd.Timestamp) -> str:
    return str(day).removesuffix(" 00:00:00")


def _universe(data: xr.Dataset, given: str | xr.DataArray | None) -> xr.DataArray | None:
    if given is None:
        listed = data.get(LISTED)
        return listed if listed is not None and listed.dtype == np.bool_ else None
    mask = panel.field(data, given) if isinstance(given, str) else given
    grid = data[panel.DATE].variable.to_base_variable(), data[panel.ASSET].variable
    like = xr.DataArray(
        np.broadcast_to(np.False_, (grid[0].size, grid[1].size)),
        {d: data.indexes[d] for d in (panel.DATE, panel.ASSET)},
        (panel.DATE, panel.ASSET),
    )
    panel.check_mask(like, mask, "universe")
    return mask.reset_coords(drop=True)


def evaluate(terms: Iterable[Term], frame: Frame) -> dict[Term, Value]:
    """The values of terms on the dates wanted, each made once."""
    wanted = list(terms)
    order = in_order(wanted)
    rows = history(wanted, order, frame)
    values: dict[Term, Value] = {}
    for term in order:
        before = term._before(frame, rows[term])
        needed = rows[term] + before
        inputs = [_trimmed(values[d], rows[d] - needed) for d in term.dependencies]
        where = None
        if term.mask is not None:
            where = _trimmed(values[term.mask], rows[term.mask] - rows[term])
        early = term.shrinks or before == 0  # else a window's last date decides
        value = term._evaluate(inputs, where if early else None, Step(frame, needed))
        value = _trimmed(value, before)
        value = value if early else within(value, where)
        values[term] = within(value, frame.listed(rows[term])) if term.invents else value
    return {t: _trimmed(values[t], rows[t]) for t in wanted}


@dataclass(frozen=True)
class Step:
    """Where an evaluation stands: it reads and writes from `rows` dates before the first one on."""

    frame: Frame
    rows: int

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Labels of its rows."""
        return self.frame.dates(self.rows)

    @property
    def universe(self) -> xr.DataArray | None:
        """Universe on its rows."""
        return self.frame.listed(self.rows)

    def read(self, name: str) -> xr.DataArray:
        """A field on its rows."""
        return self.frame.read(name, self.rows)


def in_order(wanted: Iterable[Term]) -> list[Term]:
    """All terms that are needed, each after what it is made of."""
    order: dict[Term, None] = {}
    stack = [(t, False) for t in reversed(list(wanted))]
    while stack:
        term, done = stack.pop()
        if term in order:
            continue
        if done:
            order[term] = None
            continue
        stack.append((term, True))
        stack += [(t, False) for t in reversed(parts(term))]
    return list(order)


def parts(term: Term) -> list[Term]:
    """What a term is made of, its mask among it."""
    return [*term.dependencies, *([] if term.mask is None else [term.mask])]


def history(wanted: list[Term], order: list[Term], frame: Frame) -> dict[Term, int]:
    """How many dates before the first one each term is needed on."""
    rows = dict.fromkeys(order, 0)
    because: dict[Term, Term] = {}
    for term in reversed(order):
        needed = rows[term] + term._before(frame, rows[term])
        wants = [(part, needed) for part in term.dependencies]
        wants += [] if term.mask is None else [(term.mask, rows[term])]
        for part, least in wants:  # a term may be both
            if least > rows[part]:
                rows[part], because[part] = least, term
    most = max(order, key=lambda t: rows[t], default=None)
    if most is not None and rows[most] + frame.lag > frame.first:
        _too_short(most, rows[most] + frame.lag, because, frame)
    if frame.lag > frame.first:
        _too_short(order[0], frame.lag, because, frame)
    return rows


def _too_short(term: Term, rows: int, because: dict[Term, Term], frame: Frame) -> None:
    chain = [term]
    while chain[-1] in because:
        chain.append(because[chain[-1]])
    named = next((t for t in reversed(chain) if t._before(frame, 0)), term)
    dates = frame.panel.indexes[panel.DATE]
    wanted = _text(dates[frame.first])
    later = f"Start at {_text(dates[rows])} or later" if rows < len(dates) else "Use more dates"
    raise panel.error(
        f"{describe(named)} needs {rows} dates before {wanted}, and the panel has {frame.first}: "
        f"it begins on {_text(dates[0])}",
        f"{rows} earlier dates",
        later,
    )


def _trimmed(value: Value, rows: int) -> Value:
    """Without the first `rows` dates."""
    if isinstance(value, dict):
        return {k: _trimmed(v, rows) for k, v in value.items()}
    if rows == 0 or value is None or panel.DATE not in value.dims:
        return value
    return value.isel({panel.DATE: slice(rows, None)})


def within(value: Value, where: xr.DataArray | None) -> Value:
    """Missing outside the mask."""
    if isinstance(value, dict):
        return {k: within(v, where) for k, v in value.items()}
    if where is None or panel.ASSET not in value.dims:
        return value
    return masked(value, where)
