"""Prices of a few symbols as a pandas frame."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel as _panel
from xfactor.identity.lookup import day_of, opened_panel
from xfactor.identity.lookup import symbols as symbols_of

# What the lecture calls the fields -> those of the panel, the first that is there.
PRICES = {
    "price": ("adjusted_close", "close"),
    "open_price": ("open",),
    "close_price": ("close",),
}


def get_pricing(
    panel: xr.Dataset | str | os.PathLike[str],
    symbols: str | Sequence[str],
    *,
    fields: str | Sequence[str] = "price",
    start: Any = None,
    end: Any = None,
    on: Any = None,
    start_date: Any = None,
    end_date: Any = None,
) -> pd.DataFrame | pd.Series:
    """Return fields of a few assets as a pandas frame, as the lecture's platform did.

    Parameters
    ----------
    panel
        A panel, or the path of a store.
    symbols
        One symbol, or a list of them.
    fields
        One field, or a list: fields of the panel, or ``"price"`` (the close adjusted for splits
        and dividends where the panel has it), ``"open_price"`` and ``"close_price"``.
    start, end
        First and last date, both included.
    on
        Day as of which the symbols are meant: of the assets that had a symbol by then, the one
        that had it last; else the first that had it later. `end` if not given, or else the last
        date.
    start_date, end_date
        The lecture's words for `start` and `end`, which its lines may keep.

    Returns
    -------
    pandas.DataFrame or pandas.Series
        Computed, in the units of the panel. Of a list of symbols and one field: dates x symbols. Of
        one symbol and a list of fields: dates x fields. Of two lists: dates x (field, symbol), so
        that ``frame["volume"]`` is dates x symbols. Of one symbol and one field: a series.

    Raises
    ------
    PanelError
        If `panel` is neither a panel nor the path of a store; if a symbol or field is unknown, none
        is given, or a field has no assets; if `start`, `end` or `on` is not a date without time
        zone, a date is given by both its words, or no date is left.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=3, seed=1)
    >>> panel = panel.assign_coords(symbol=("asset", ["AA", "BB", "CC"]))
    >>> xf.get_pricing(panel, ["CC", "AA"], fields="returns").columns.tolist()
    ['CC', 'AA']
    >>> xf.get_pricing(panel, "AA", fields="returns", start_date="2000-01-10").size
    15
    """
    start, end = _either("start", start, start_date), _either("end", end, end_date)
    opened = opened_panel(panel)
    _panel.check_panel(opened)
    one, single = isinstance(symbols, str), isinstance(fields, str)
    wanted, names = _listed("symbols", symbols), _listed("fields", fields)
    days = opened.indexes[_panel.DATE]
    if not len(days):
        raise _panel.error("the panel has no dates", "at least one", "Open another range")
    first = days[0] if start is None else day_of(start, "start")
    last = days[-1] if end is None else day_of(end, "end")
    rows = days.slice_indexer(first, end if isinstance(end, str) else last)
    if not len(days[rows]):
        raise _panel.error(
            f"no date is in {start or days[0]} to {end or days[-1]}",
            f"dates within {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}",
            "Change start or end",
        )
    # end="2014" is the whole year to pandas, so the symbols are those of its last day too.
    by = max(last, days[rows][-1]) if on is None else day_of(on, "on")
    found = symbols_of(panel)
    assets = [found.held(s, by.to_datetime64()) for s in wanted]
    part = xr.Dataset({n: _panel.field(opened, _field(opened, n)).variable for n in names})
    part = part.assign_coords({d: opened[d] for d in (_panel.DATE, _panel.ASSET)})
    for n, v in part.data_vars.items():
        if _panel.ASSET not in v.dims:
            raise _panel.error(
                f"{n} has no asset dimension", "fields of single assets", f"Read panel[{str(n)!r}]"
            )
        if len(v.dims) > 2:
            raise _panel.error(
                f"{n} has the dimensions {', '.join(map(repr, map(str, v.dims)))}",
                "values by date and asset", f"Read panel[{str(n)!r}]",
            )  # fmt: skip
    part = part.isel({_panel.DATE: rows}).sel({_panel.ASSET: assets}).compute()
    frames = {
        n: pd.DataFrame(v.transpose(_panel.DATE, _panel.ASSET).to_numpy(), days[rows], wanted)
        for n, v in part.data_vars.items()
    }
    if one:
        columns = pd.DataFrame({n: f[symbols] for n, f in frames.items()})
        return columns[names[0]].rename(symbols) if single else columns
    return frames[names[0]] if single else pd.concat(frames, axis=1)


def _either(name: str, ours: Any, lecture: Any) -> Any:
    """Return a date under our name or the lecture's."""
    if ours is not None and lecture is not None:
        raise _panel.error(
            f"{name}={_panel.shown(ours)} and {name}_date={_panel.shown(lecture)} were given",
            "one of them", f"Leave {name}_date out",
        )  # fmt: skip
    return lecture if ours is None else ours


def _listed(name: str, given: Any) -> list[Any]:
    """Return one word, or a list of them, as a list."""
    found: list[Any] = []
    if isinstance(given, np.ndarray | xr.DataArray | pd.Series | pd.Index):
        given = np.ravel(given).tolist()
    if isinstance(given, Iterable):
        found = [given] if isinstance(given, str) else list(given)
    if not found or not all(isinstance(word, str) for word in found):
        raise _panel.error(
            f"{name}={_panel.shown(given)} was given", f"one or more {name}", "Name one, or a list"
        )
    return found


def _field(opened: xr.Dataset, name: str) -> str:
    there = [n for n in PRICES.get(name, ()) if n in opened]
    return name if name in opened or not there else there[0]
