"""The symbols of a panel's assets, as of a day."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel as _panel
from xfactor import store as _store

TABLE = "symbols"
SPELL = ["asset", "symbol", "start"]
NS = "datetime64[ns]"
FIRST, LAST = np.datetime64("1678-01-01", "ns"), np.datetime64("2262-01-01", "ns")


@dataclass(frozen=True)
class Symbols(Mapping[str, int]):
    """The symbols of a panel's assets; ``symbols(panel)["AAPL"]`` is the asset that has it.

    Parameters
    ----------
    asset
        int64 or text, label of the asset of each spell.
    symbol
        Its symbol from `start` to `end`, both included.
    start, end
        datetime64[ns].
    on
        The day on which symbols are looked up; without one, a symbol is that of the asset that
        had it last.
    """

    asset: np.ndarray
    symbol: np.ndarray
    start: np.ndarray
    end: np.ndarray
    on: np.datetime64 | None = None

    def __getitem__(self, symbol: str) -> Any:
        """Return the label of the asset with a symbol; of a list of symbols, those of each."""
        if isinstance(symbol, Iterable) and not isinstance(symbol, str):
            return [self[s] for s in symbol]
        own = np.flatnonzero(self.symbol == symbol)
        if self.on is not None:
            own = own[(self.start[own] <= self.on) & (self.on <= self.end[own])]
        if not len(own):
            raise self._unknown(symbol)
        found = self.asset[own[np.argmax(self.end[own])]]
        return found.item() if isinstance(found, np.generic) else found

    def __iter__(self) -> Iterator[str]:
        """Go through the symbols in alphabetical order."""
        there = np.ones(len(self.symbol), bool)
        if self.on is not None:
            there = (self.start <= self.on) & (self.on <= self.end)
        return iter(sorted({str(s) for s in self.symbol[there]}))

    def __len__(self) -> int:
        """Return the number of symbols."""
        return len(list(iter(self)))

    def __contains__(self, symbol: object) -> bool:
        """Say whether an asset has the symbol."""
        return symbol in set(self)

    def get(self, symbol: str, default: Any = None) -> Any:
        """Return the label of the asset with a symbol, or `default` if there is none.

        Parameters
        ----------
        symbol
            The symbol.
        default
            What to return without one.

        Returns
        -------
        int or str
            Label.
        """
        return self[symbol] if symbol in self else default

    def history(self, asset: Any) -> pd.DataFrame:
        """Return the symbols that an asset had.

        Parameters
        ----------
        asset
            Its label.

        Returns
        -------
        pandas.DataFrame
            ``symbol, start, end``, in the order of time.
        """
        own = np.flatnonzero(self.asset == asset)
        own = own[np.argsort(self.start[own], kind="stable")]
        return pd.DataFrame(
            {"symbol": self.symbol[own], "start": self.start[own], "end": self.end[own]}
        )

    def held(self, symbol: str, by: np.datetime64) -> Any:
        """Return the label of the asset that had a symbol last by a day, else of the first later.

        Parameters
        ----------
        symbol
            The symbol.
        by
            The day.

        Returns
        -------
        int or str
            Label.
        """
        own = np.flatnonzero(self.symbol == symbol)
        if not len(own):
            raise self._unknown(symbol)
        own = own[np.argsort(self.start[own], kind="stable")]
        found = self.asset[own[max(int((self.start[own] <= by).sum()) - 1, 0)]]
        return found.item() if isinstance(found, np.generic) else found

    def locate(self, symbols: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Return the position among the spells of each symbol as of its day, or -1.

        Parameters
        ----------
        symbols
            Text (n,), None where there is none.
        days
            datetime64 (n,).

        Returns
        -------
        numpy.ndarray
            int64 (n,).
        """
        spells = pd.DataFrame({"symbol": self.symbol, "start": self.start, "end": self.end})
        spells = spells.assign(spell=np.arange(len(spells))).sort_values("start", kind="stable")
        asked = pd.DataFrame({"symbol": symbols, "day": days.astype(NS)})
        asked = asked.assign(row=np.arange(len(asked))).dropna().sort_values("day", kind="stable")
        spells["symbol"], asked["symbol"] = (f["symbol"].astype(object) for f in (spells, asked))
        both = pd.merge_asof(asked, spells, left_on="day", right_on="start", by="symbol")
        both = both[both["day"] <= both["end"]]
        out = np.full(len(symbols), -1)
        out[both["row"].to_numpy()] = both["spell"].to_numpy(np.int64)
        return out

    def _unknown(self, symbol: str) -> Exception:
        ever = symbol in set(self.symbol.tolist())
        day = f" on {pd.Timestamp(self.on):%Y-%m-%d}" if self.on is not None else ""
        others = ", ".join(sorted(set(self))[:6])
        return _panel.error(
            f"no asset has the symbol {symbol!r}{day}",
            f"a symbol such as {others}",
            "It is known on other days: leave on= out" if ever else "Check its spelling",
        )


def symbols(source: xr.Dataset | str | os.PathLike[str], *, on: Any = None) -> Symbols:
    """Return the symbols of a panel's assets, as of a day.

    Parameters
    ----------
    source
        A panel, or the path of a store. The history of symbols is that of the store; a panel
        that comes from none, or one without a history, has the symbols of its coordinate
        `symbol`, or its labels, on all days.
    on
        Day on which the symbols are looked up. Without one a symbol is that of the asset that
        had it last.

    Returns
    -------
    Symbols
        A mapping of symbol -> label of the asset.

    Raises
    ------
    PanelError
        If `source` is neither a panel nor the path of a store, or `on` is no date without time
        zone; on look-up, if no asset has the symbol.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=3, seed=1)
    >>> panel = panel.assign_coords(symbol=("asset", ["AA", "BB", "CC"]))
    >>> xf.symbols(panel)["BB"] in panel.asset.values[1:2]
    True
    """
    day = None if on is None else day_of(on, "on").to_datetime64().astype(NS)
    opened = opened_panel(source)
    stored = stored_history(source)
    if stored is not None:
        asset, symbol, start, end = (stored[k].to_numpy() for k in (*SPELL, "end"))
        return Symbols(asset, symbol, start, end, on=day)
    _panel.check_dim(opened, _panel.ASSET, "symbols")
    labels = opened[_panel.ASSET].to_numpy()
    named = opened["symbol"].to_numpy() if "symbol" in opened.coords else labels
    start, end = (np.full(len(labels), edge) for edge in (FIRST, LAST))
    return Symbols(labels, np.array([str(s) for s in named], object), start, end, on=day)


def opened_panel(source: Any) -> xr.Dataset:
    """Return a panel, opened if it is a path.

    Parameters
    ----------
    source
        A panel, or the path of a store.

    Returns
    -------
    xarray.Dataset
        Lazy where it was opened here.
    """
    if isinstance(source, str | os.PathLike):
        return _store.open_panel(source)
    if not isinstance(source, xr.Dataset):
        raise _panel.error(
            f"{_panel.shown(source)} was given", "a panel, or the path of a store",
            "Use xf.open_panel(path)",
        )  # fmt: skip
    if _panel.ASSET not in source.coords:
        raise _panel.error("the panel has no asset labels", "a panel", "Use xf.open_panel(path)")
    return source


def stored_history(source: Any) -> pd.DataFrame | None:
    """Return the history of symbols of a store, or of the one that a panel was opened from.

    Parameters
    ----------
    source
        A panel, or the path of a store.

    Returns
    -------
    pandas.DataFrame or None
        As of `history_table`.
    """
    if not isinstance(source, xr.Dataset):
        return history_table(source)
    path = source.encoding.get("source")
    try:
        return history_table(path) if path else None
    except _panel.PanelError:  # a file of another kind, or a store that has gone
        return None


def history_table(path: str | os.PathLike[str]) -> pd.DataFrame | None:
    """Return the history of symbols of a store; a spell written again has its last end.

    Parameters
    ----------
    path
        Path of the store.

    Returns
    -------
    pandas.DataFrame or None
        ``asset, symbol, start, end``; None where there is no history.
    """
    columns = _store.read_table(path, TABLE)
    return pd.DataFrame(columns).drop_duplicates(SPELL, keep="last") if columns else None


def day_of(value: Any, name: str) -> pd.Timestamp:
    """Read an option that is a day.

    Parameters
    ----------
    value, name
        What was given, and the option.

    Returns
    -------
    pandas.Timestamp
        Without time zone.
    """
    try:
        day = pd.Timestamp(value)
    except (ValueError, TypeError):
        day = pd.NaT
    if day is pd.NaT or day.tz is not None:
        raise _panel.error(
            f"{name}={_panel.shown(value)} was given", "a date without time zone",
            "Use e.g. 2014-01-31",
        )  # fmt: skip
    return day
