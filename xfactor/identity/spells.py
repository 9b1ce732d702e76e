"""Spells of symbols: which asset had which symbol, from when to when."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from xfactor import panel as _panel
from xfactor import store as _store
from xfactor.identity.lookup import FIRST, LAST, NS, SPELL, TABLE, history_table


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
    check_spells(frame)
    if pd.api.types.is_integer_dtype(frame["company"]):
        number = frame["company"].to_numpy(np.int64)
    else:
        number = pd.factorize(frame["company"])[0] + 1
    return frame.assign(asset=number.astype(np.int64))[["asset", "symbol", "start", "end"]]


def check_spells(frame: pd.DataFrame) -> None:
    """Raise if a spell ends before it starts, or two of a symbol overlap.

    Parameters
    ----------
    frame
        ``symbol, start, end``.
    """
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
    new = new_spells(spells, history_table(path), check=True)
    if len(new):
        _store.append_table(path, TABLE, {str(n): c.to_numpy() for n, c in new.items()})
    return len(new)


def new_spells(spells: pd.DataFrame, old: pd.DataFrame | None, *, check: bool) -> pd.DataFrame:
    """Return the spells that a history lacks, or has with another end.

    Parameters
    ----------
    spells
        ``asset, symbol, start, end``.
    old
        What is stored; None for nothing.
    check
        Raise if spells of a symbol overlap afterwards.

    Returns
    -------
    pandas.DataFrame
        Rows to append, with the dtypes that are stored.
    """
    kinds = {"asset": np.int64, "symbol": object, "start": NS, "end": NS}
    new = pd.DataFrame({n: spells[n].to_numpy().astype(kind) for n, kind in kinds.items()})
    whole = new
    if old is not None:
        both = new.merge(old, on=SPELL, how="left", suffixes=("", "_before"))
        new = new[(both["end"] != both["end_before"]).to_numpy()]
        whole = pd.concat([old, new]).drop_duplicates(SPELL, keep="last")
    if check:
        check_spells(whole)
    return new
