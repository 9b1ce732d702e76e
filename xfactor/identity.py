"""Who is who: permanent asset numbers, the symbols they had and when, and prices by symbol."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
# What the lecture calls the fields -> those of the panel, the first that is there.
PRICES = {
    "price": ("adjusted_close", "close"),
    "open_price": ("open",),
    "close_price": ("close",),
}


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
        If `on` is no date; on look-up, if no asset has the symbol.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=3, seed=1)
    >>> panel = panel.assign_coords(symbol=("asset", ["AA", "BB", "CC"]))
    >>> xf.symbols(panel)["BB"] in panel.asset.values[1:2]
    True
    """
    day = None if on is None else _day(on, "on").to_datetime64().astype(NS)
    stored = _history(source)
    if stored is not None:
        asset, symbol, start, end = (stored[k].to_numpy() for k in (*SPELL, "end"))
        return Symbols(asset, symbol, start, end, on=day)
    opened = source if isinstance(source, xr.Dataset) else _store.open_panel(source)
    labels = opened[_panel.ASSET].to_numpy()
    named = opened["symbol"].to_numpy() if "symbol" in opened.coords else labels
    start, end = (np.full(len(labels), edge) for edge in (FIRST, LAST))
    return Symbols(labels, np.array([str(s) for s in named], object), start, end, on=day)


def _history(source: Any) -> pd.DataFrame | None:
    """Return the history of symbols of a store, or of the one that a panel was opened from."""
    if not isinstance(source, xr.Dataset):
        return _table(source)
    path = source.encoding.get("source")
    try:
        return _table(path) if path else None
    except _panel.PanelError:  # a file of another kind, or a store that has gone
        return None


def _table(path: str | os.PathLike[str]) -> pd.DataFrame | None:
    """Return the history of symbols of a store; a spell written again has its last end."""
    columns = _store.read_table(path, TABLE)
    return pd.DataFrame(columns).drop_duplicates(SPELL, keep="last") if columns else None


def _day(value: Any, name: str) -> pd.Timestamp:
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


def spells_from_table(
    symbol: Sequence[str], start: Any, end: Any, company: Sequence[Any]
) -> pd.DataFrame:
    """Give permanent numbers to the companies of a list of symbols.

    Parameters
    ----------
    symbol
        Symbols.
    start, end
        First and last day on which each was used; a missing end is open, a missing start too.
    company
        What tells companies apart: a vendor's permanent number, or a CIK. A company that changes
        its symbol stays one asset; a symbol of two companies is that of two assets.

    Returns
    -------
    pandas.DataFrame
        ``asset, symbol, start, end``: assets are the whole numbers given as `company`, or 1, 2 ...
        in the order of their first day and symbol.

    Raises
    ------
    PanelError
        If two companies have a symbol on the same day, or a spell ends before it starts.

    Examples
    --------
    >>> from xfactor.identity import spells_from_table
    >>> spells_from_table(["FB", "META"], ["2012-05-18", "2022-06-09"], ["2022-06-08", None],
    ...                   ["0001326801", "0001326801"]).asset.tolist()
    [1, 1]
    """
    frame = pd.DataFrame({"symbol": symbol, "start": start, "end": end, "company": company})
    for name, edge in (("start", FIRST), ("end", LAST)):
        frame[name] = pd.to_datetime(frame[name]).fillna(pd.Timestamp(edge)).astype(NS)
    frame = frame.sort_values(["start", "symbol"], kind="stable", ignore_index=True)
    if frame["company"].isna().any() or frame["symbol"].isna().any():
        raise _panel.error(
            "a spell has no symbol or no company", "both on each row", "Fill them in, or drop it"
        )
    _check_spells(frame)
    if pd.api.types.is_integer_dtype(frame["company"]):
        number = frame["company"].to_numpy(np.int64)
    else:
        number = pd.factorize(frame["company"])[0] + 1
    return frame.assign(asset=number.astype(np.int64))[["asset", "symbol", "start", "end"]]


def _check_spells(frame: pd.DataFrame) -> None:
    back = frame[frame["end"] < frame["start"]]
    if len(back):
        first = back.iloc[0]
        raise _panel.error(
            f"{first['symbol']!r} ends on {first['end']:%Y-%m-%d} and starts on "
            f"{first['start']:%Y-%m-%d}",
            "an end after the start",
            "Correct the dates",
        )
    ordered = frame.sort_values(["symbol", "start"], kind="stable")
    same = ordered["symbol"].eq(ordered["symbol"].shift())
    until = ordered.groupby("symbol")["end"].cummax().shift()
    both = ordered[same & (ordered["start"] <= until)]
    if len(both):
        first = both.iloc[0]
        raise _panel.error(
            f"the symbol {first['symbol']!r} is used twice on {first['start']:%Y-%m-%d}",
            "spells of a symbol that do not overlap",
            "Correct the dates",
        )


def spells_from_gaps(symbol: np.ndarray, date: np.ndarray, *, gap_days: int = 180) -> pd.DataFrame:
    """Tell assets apart by the gaps in the history of their symbols.

    Parameters
    ----------
    symbol, date
        Of each row of a table of prices, in any order.
    gap_days
        Calendar days without a row after which a symbol is taken to be that of another company.

    Returns
    -------
    pandas.DataFrame
        ``asset, symbol, start, end``: assets are 1, 2 ... in the order of their first day and
        symbol; `start` and `end` are the first and last row.

    Notes
    -----
    A rule for data without permanent numbers: it cannot see a company that changes its symbol,
    and takes a longer halt of trading for a new company. The days are stated, so that the choice
    is the reader's.

    Examples
    --------
    >>> import numpy as np
    >>> from xfactor.identity import spells_from_gaps
    >>> days = np.array(["2010-01-04", "2010-01-05", "2014-05-01"], "datetime64[D]")
    >>> spells_from_gaps(np.array(["S", "S", "S"]), days).asset.tolist()
    [1, 2]
    """
    gap_days = _panel.positive("gap_days", gap_days)
    rows = pd.DataFrame({"symbol": symbol, "date": np.asarray(date).astype(NS)})
    rows = rows.drop_duplicates().sort_values(["symbol", "date"], ignore_index=True)
    far = rows["date"].diff() > pd.Timedelta(days=gap_days)
    spell = (rows["symbol"].ne(rows["symbol"].shift()) | far).cumsum()
    found = rows.groupby(spell).agg(
        symbol=("symbol", "first"), start=("date", "min"), end=("date", "max")
    )
    found = found.sort_values(["start", "symbol"], kind="stable", ignore_index=True)
    found.insert(0, "asset", np.arange(1, len(found) + 1))
    return found


def write_symbols(spells: pd.DataFrame, path: str | os.PathLike[str]) -> int:
    """Write the history of symbols to a panel store, or what is new of it.

    Parameters
    ----------
    spells
        ``asset, symbol, start, end``, assets by the store's labels. Spells that the store has
        stay; one that is given again with another end gets that end.
    path
        Path of the store.

    Returns
    -------
    int
        Number of spells that are new or have a new end.

    Raises
    ------
    PanelError
        If an asset is not in the store, or spells of a symbol overlap.
    """
    stored = _store.open_panel(path)
    absent = spells[~spells["asset"].isin(stored.indexes[_panel.ASSET])]
    if len(absent):
        raise _panel.error(
            f"the asset {absent['asset'].iloc[0]} of {absent['symbol'].iloc[0]!r} is not in {path}",
            "assets of the store",
            "Leave it out",
        )
    kinds = {"asset": np.int64, "symbol": object, "start": NS, "end": NS}
    new = pd.DataFrame({n: spells[n].to_numpy().astype(kind) for n, kind in kinds.items()})
    old = _table(path)
    if old is not None:
        both = new.merge(old, on=SPELL, how="left", suffixes=("", "_before"))
        new = new[(both["end"] != both["end_before"]).to_numpy()]
        whole = pd.concat([old, new]).drop_duplicates(SPELL, keep="last")
    _check_spells(whole if old is not None else new)
    if len(new):
        _store.append_table(path, TABLE, {n: new[n].to_numpy() for n in kinds})
    return len(new)


def get_pricing(
    panel: xr.Dataset | str | os.PathLike[str],
    symbols: str | Sequence[str],
    *,
    fields: str | Sequence[str] = "price",
    start: Any = None,
    end: Any = None,
    on: Any = None,
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

    Returns
    -------
    pandas.DataFrame or pandas.Series
        Computed. Of a list of symbols and one field: dates x symbols. Of one symbol and a list of
        fields: dates x fields. Of two lists: dates x (field, symbol), so that
        ``frame["volume"]`` is dates x symbols. Of one symbol and one field: a series.

    Raises
    ------
    PanelError
        If a symbol or field is unknown, or no date is left.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=3, seed=1)
    >>> panel = panel.assign_coords(symbol=("asset", ["AA", "BB", "CC"]))
    >>> xf.get_pricing(panel, ["CC", "AA"], fields="returns").columns.tolist()
    ['CC', 'AA']
    """
    opened = panel if isinstance(panel, xr.Dataset) else _store.open_panel(panel)
    one, single = isinstance(symbols, str), isinstance(fields, str)
    wanted, names = _listed("symbols", symbols), _listed("fields", fields)
    days = opened.indexes[_panel.DATE]
    first = days[0] if start is None else _day(start, "start")
    last = days[-1] if end is None else _day(end, "end")
    rows = days.slice_indexer(first, end if isinstance(end, str) else last)
    if not len(days[rows]):
        raise _panel.error(
            f"no date is in {start or days[0]} to {end or days[-1]}",
            f"dates within {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}",
            "Change start or end",
        )
    # end="2014" is the whole year to pandas, so the symbols are those of its last day too.
    by = max(last, days[rows][-1]) if on is None else _day(on, "on")
    found = _symbols(panel)
    assets = [found.held(s, by.to_datetime64()) for s in wanted]
    part = xr.Dataset({n: _panel.field(opened, _field(opened, n)).variable for n in names})
    part = part.assign_coords({d: opened[d] for d in (_panel.DATE, _panel.ASSET)})
    for n, v in part.data_vars.items():
        if _panel.ASSET not in v.dims:
            raise _panel.error(
                f"{n} has no asset dimension", "fields of single assets", f"Read panel[{str(n)!r}]"
            )
    part = part.isel({_panel.DATE: rows}).sel({_panel.ASSET: assets}).compute()
    frames = {
        n: pd.DataFrame(v.transpose(_panel.DATE, _panel.ASSET).to_numpy(), days[rows], wanted)
        for n, v in part.data_vars.items()
    }
    if one:
        columns = pd.DataFrame({n: f[symbols] for n, f in frames.items()})
        return columns[names[0]].rename(symbols) if single else columns
    return frames[names[0]] if single else pd.concat(frames, axis=1)


_symbols = symbols  # `get_pricing` has a parameter of this name


def _listed(name: str, given: Any) -> list[Any]:
    """Return one word, or a list of them, as a list."""
    found: list[Any] = []
    if isinstance(given, Iterable):
        found = [given] if isinstance(given, str) else list(given)
    if not found:
        raise _panel.error(
            f"{name}={_panel.shown(given)} was given", f"one or more {name}", "Name one, or a list"
        )
    return found


def _field(opened: xr.Dataset, name: str) -> str:
    there = [n for n in PRICES.get(name, ()) if n in opened]
    return name if name in opened or not there else there[0]
