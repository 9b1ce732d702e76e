"""The history of symbols that rows of prices make."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xfactor.identity.lookup import FIRST, LAST, NS, SPELL
from xfactor.identity.spells import new_spells
from xfactor.ingest.longform import Blocks
from xfactor.ingest.past import Past, Placed
from xfactor.ingest.spill import present
from xfactor.store.layout import CHUNK_DATES
from xfactor.store.tables import Columns

COLUMNS = ["asset", "symbol", "start", "end"]
SYMBOL = "symbol"


def of_numbered(past: Past, placed: Placed) -> pd.DataFrame | None:
    """Return the history where symbols are told apart by their gaps.

    Parameters
    ----------
    past, placed
        The store, and the new rows.

    Returns
    -------
    pandas.DataFrame or None
        ``asset, symbol, start, end``: the only asset of a symbol has it on all days; of several
        each has it to its last price, the last one for good. None if no symbol has several.
    """
    if past.history is None and not placed.successors:
        return None
    assets, symbols = placed.labels.assets, placed.labels.symbols
    assert symbols is not None
    n_old = len(past.assets) if past.history is not None else 0
    start, end = np.full(len(assets), FIRST), np.full(len(assets), LAST)
    for new, previous, day in placed.successors:
        start[new] = np.datetime64(day, "ns")
        end[previous] = last_price(past, placed)[previous]
    taken = [p for _, p, _ in placed.successors if p < n_old]
    made = pd.DataFrame(dict(zip(COLUMNS, (assets, symbols, start, end), strict=True)))
    if past.history is None:
        return made
    changed = made.iloc[taken].drop(columns="start")
    begun = past.history.groupby("asset")["start"].max()
    changed = changed.assign(start=changed["asset"].map(begun))[COLUMNS]
    return pd.concat([changed, made.iloc[n_old:]])


def last_price(past: Past, placed: Placed) -> np.ndarray:
    """Return the day of each asset's last price.

    Parameters
    ----------
    past, placed
        The store, and the new rows.

    Returns
    -------
    numpy.ndarray
        datetime64[ns]; NaT where there is none.
    """
    out = np.full(len(placed.labels.assets), np.datetime64("NaT", "ns"))
    old = np.flatnonzero(past.last >= 0)
    out[old] = past.dates[past.last[old]].view("datetime64[ns]")
    new = np.flatnonzero(placed.last >= 0)
    out[new] = placed.labels.dates[placed.last[new]].view("datetime64[ns]")
    return out


def of_table(spells: pd.DataFrame, placed: Placed) -> pd.DataFrame:
    """Return the spells of a table that are those of the panel's assets.

    Parameters
    ----------
    spells
        ``asset, symbol, start, end``.
    placed
        The new rows.

    Returns
    -------
    pandas.DataFrame
        Some of them.
    """
    return spells[spells["asset"].isin(placed.labels.assets)]


def of_rows(
    blocks: Blocks, names: Sequence[str], words: Sequence[str], past: Past, placed: Placed
) -> tuple[pd.DataFrame, list[str]]:
    """Return the history where each row has the asset and its symbol of the day.

    Parameters
    ----------
    blocks, names
        The rows, and fields of which one is there where there is a price.
    words
        Of the codes of the field ``symbol``.
    past, placed
        The store, and the new rows.

    Returns
    -------
    tuple
        ``asset, symbol, start, end`` of spells that are new or end now: the first row with the
        symbol, and the last price before another one, or before another asset has it; open if
        neither. And the symbols that several assets have at once.
    """
    names, n = list(names), len(placed.labels.assets)
    old = past.history if past.history is not None else pd.DataFrame(columns=COLUMNS)
    current = old.sort_values("start", kind="stable").drop_duplicates("asset", keep="last")
    at = pd.Index(placed.labels.assets).get_indexer(pd.Index(current["asset"]))
    code = {w: i for i, w in enumerate(dict.fromkeys([*words, *current["symbol"]]))}
    has, since = np.full(n, -1), np.full(n, np.datetime64("NaT", "ns"))
    has[at], since[at] = current["symbol"].map(code), current["start"]
    seen = np.full(n, np.datetime64("NaT", "ns"))
    before = np.flatnonzero(past.last >= 0)
    seen[before] = past.dates[past.last[before]].view("datetime64[ns]")
    spells: list[tuple[int, int, np.datetime64, np.datetime64]] = []
    dates = placed.labels.dates.view("datetime64[ns]")
    for start in range(0, len(dates), CHUNK_DATES):
        stop = min(start + CHUNK_DATES, len(dates))
        said = blocks.block(SYMBOL, start, stop)
        there = np.zeros(said.shape, bool)
        for name in names:
            there |= present(blocks.block(name, start, stop))
        for asset in np.flatnonzero(((said >= 0) & (said != has)).any(axis=0)).tolist():
            days, own = dates[start:stop], said[:, asset]
            for row in np.flatnonzero(own >= 0).tolist():
                if own[row] == has[asset]:
                    continue
                if has[asset] >= 0:
                    known = np.flatnonzero(there[:row, asset])
                    end = days[known[-1]] if len(known) else seen[asset]
                    end = since[asset] if np.isnat(end) else max(end, since[asset])
                    spells.append((asset, int(has[asset]), since[asset], end))
                has[asset], since[asset] = own[row], days[row]
        some = there.any(axis=0)
        latest = dates[stop - 1 - there[::-1].argmax(axis=0)]
        seen = np.where(some, latest, seen)
    spells += [(a, int(has[a]), since[a], LAST) for a in np.flatnonzero(has >= 0).tolist()]
    made = pd.DataFrame(spells, columns=COLUMNS).astype({"start": NS, "end": NS})
    made, shared = _handed_on(made, seen)
    listed = np.array(list(code), object)
    made = made.assign(
        asset=placed.labels.assets[made["asset"]], symbol=listed[made["symbol"].to_numpy(np.int64)]
    )
    return made, sorted(str(listed[c]) for c in shared)


def _handed_on(spells: pd.DataFrame, seen: np.ndarray) -> tuple[pd.DataFrame, set[int]]:
    """End open spells where another asset has the symbol later, with the last price."""
    spells = spells.sort_values(["symbol", "start", "asset"], kind="stable", ignore_index=True)
    shared: set[int] = set()
    open_ = spells["end"].to_numpy() == LAST
    end = spells["end"].to_numpy().copy()
    following = spells["symbol"].eq(spells["symbol"].shift(-1)).to_numpy()
    for i in np.flatnonzero(open_ & following).tolist():
        last = seen[spells["asset"].iloc[i]]
        if last < spells["start"].iloc[i + 1]:
            end[i] = max(last, spells["start"].iloc[i].to_datetime64())
        else:
            shared.add(int(spells["symbol"].iloc[i]))
    return spells.assign(end=end), shared


def tables(spells: pd.DataFrame | None, past: Past, check: bool) -> dict[str, Columns]:
    """Return the rows by which a history grows, as tables to write.

    Parameters
    ----------
    spells
        ``asset, symbol, start, end``; None for no history.
    past
        The store.
    check
        Spells of a symbol must not overlap.

    Returns
    -------
    dict
        Empty if nothing is new.
    """
    if spells is None:
        return {}
    new = new_spells(spells, past.history, check=check)
    return {"symbols": {str(n): c.to_numpy() for n, c in new.items()}} if len(new) else {}


def joined(old: pd.DataFrame | None, new: pd.DataFrame | None) -> pd.DataFrame | None:
    """Put a history and what is new of it together.

    Parameters
    ----------
    old, new
        ``asset, symbol, start, end``; None for none.

    Returns
    -------
    pandas.DataFrame or None
        Each spell with its last end.
    """
    there = [f for f in (old, new) if f is not None]
    return pd.concat(there).drop_duplicates(SPELL, keep="last") if there else None


def latest(spells: pd.DataFrame, assets: np.ndarray) -> np.ndarray:
    """Return the symbol that each asset had last, blank if none.

    Parameters
    ----------
    spells
        ``asset, symbol, start, end``.
    assets
        Labels.

    Returns
    -------
    numpy.ndarray
        Text (asset,).
    """
    last = spells.sort_values("start", kind="stable").drop_duplicates("asset", keep="last")
    named = dict(zip(last["asset"].tolist(), last["symbol"], strict=True))
    return np.array([str(named.get(a, "")) for a in assets.tolist()], str)
