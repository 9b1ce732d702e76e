"""Fields that are made of records: laid out lazily, rebuilt from the first date that changes."""

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.ledger import read_records, tables
from xfactor.ingest.records import Block, History, Records, Splits, find_splits, sort_records
from xfactor.ingest.windows import Rule, history, parse_rule
from xfactor.store import add_fields, append_table, open_panel, update_panel

Source = Callable[[str], Records]
Formula = Callable[[xr.Dataset], xr.DataArray]


def _market_cap(fields: xr.Dataset) -> xr.DataArray:
    cap = fields["shares_outstanding"] * fields["close"]
    return cap.where((cap > 0) & (cap < np.inf))


def _book_to_price(fields: xr.Dataset) -> xr.DataArray:
    equity = fields["book_equity"]
    return equity.where(equity > 0) / fields["market_cap"]


# Fields made of other fields: what they need, how they are made, what they are.
FORMULAS: dict[str, tuple[tuple[str, ...], Formula, dict[str, Any]]] = {
    "market_cap": (
        ("shares_outstanding", "close"),
        _market_cap,
        {"units": "USD", "long_name": "shares outstanding x close as traded"},
    ),
    "book_to_price": (
        ("book_equity", "market_cap"),
        _book_to_price,
        {"units": "1", "long_name": "book equity / market cap, if above 0"},
    ),
}


@dataclass(frozen=True)
class Spec:
    """How a field is made: its rule, the days after which it is missing, what it is."""

    rule: Rule
    max_age_days: int
    attrs: Mapping[str, Any]


def specs_of(stored: xr.Dataset) -> dict[str, Spec]:
    """Return the specs of the fields of a store that are made of records.

    Parameters
    ----------
    stored
        An open store.

    Returns
    -------
    dict
        Field -> spec.
    """
    return {
        str(name): Spec(parse_rule(v.attrs["rule"]), int(v.attrs["max_age_days"]), dict(v.attrs))
        for name, v in stored.data_vars.items()
        if "rule" in v.attrs
    }


def records_of(frame: pd.DataFrame, assets: pd.Index) -> Records:
    """Return the records of the assets of a panel, sorted.

    Parameters
    ----------
    frame
        Records with the panel's labels.
    assets
        Labels; records of others are left out.

    Returns
    -------
    Records
        Their rows are those of `frame`.
    """
    at = assets.get_indexer(pd.Index(frame["asset"]))
    columns = [frame[n].to_numpy() for n in ("known_at", "period_end", "value", "quarters")]
    columns[2] = np.where(at < 0, np.nan, columns[2])
    return sort_records(at, *columns)


def lay_out(
    stored: xr.Dataset,
    specs: Mapping[str, Spec],
    source: Source,
    edges: list[tuple[int, int]] | None = None,
) -> xr.Dataset:
    """Lay fields out lazily, in the chunks of the store.

    Parameters
    ----------
    stored
        The panel, or some of its assets; all of its dates.
    specs
        What to make; fields of `FORMULAS` follow where these need them.
    source
        Item -> its records among the assets of `stored`.
    edges
        (start, stop) of the blocks of dates; the chunks of `stored` if not given.

    Returns
    -------
    xarray.Dataset
        Lazy (date, asset) fields; formulas also where what they need is in `stored`.
    """
    dates, n = stored.indexes[panel.DATE].to_numpy(), stored.sizes[panel.ASSET]
    edges = _edges(stored) if edges is None else edges
    ready = xr.Dataset(coords=stored.coords)
    items = {spec.rule.item: source(spec.rule.item) for spec in specs.values()}
    for name, spec in specs.items():
        found = history(items[spec.rule.item], spec.rule, n)
        splits = None
        if spec.rule.name == "carried" and "split" in stored:
            splits = find_splits(stored["split"], edges)
            found = _from_start(found, spec.rule, splits, dates)
        line, age = found.on(dates, n), np.timedelta64(spec.max_age_days, "D")
        tasks: list[Any] = []
        for start, stop in edges:
            block = line.block(start, stop)
            if spec.rule.name == "age":
                tasks.append((Block.age, block, age))
            elif splits is not None:
                tasks.append((_carried, block, age, splits, start, stop))
            else:
                tasks.append((Block.field, block, age))
        attrs = {**spec.attrs, "rule": str(spec.rule), "max_age_days": spec.max_age_days}
        ready[name] = _lazy(stored, name, float, tasks, edges).assign_attrs(attrs)
    for name, (needed, make, attrs) in FORMULAS.items():
        if set(needed) & {*specs, *ready.data_vars} and set(needed) <= {*ready, *stored}:
            others = {k: stored[k] for k in needed if k not in ready}
            ready[name] = make(ready.assign(others)).drop_attrs().assign_attrs(attrs)
    return ready


def _edges(stored: xr.Dataset) -> list[tuple[int, int]]:
    lengths = stored.chunksizes[panel.DATE]
    return list(pairwise([0, *np.cumsum(lengths).tolist()]))


def _from_start(found: History, rule: Rule, splits: Splits, dates: np.ndarray) -> History:
    """Put share counts on the basis of the panel's first date: one product carries them on."""
    basis = found.known_at
    if rule.n:
        basis = np.minimum(basis, found.period_end + np.timedelta64(rule.n, "D"))
    value = found.value / splits.until(dates, found.asset, basis)
    return History(found.asset, found.known_at, found.period_end, value)


def _carried(
    block: Block, age: np.timedelta64, splits: Splits, start: int, stop: int
) -> np.ndarray:
    return block.field(age) * splits.since_start(start, stop, block.assets)


def _lazy(
    stored: xr.Dataset, name: str, dtype: type, tasks: list[Any], edges: list[tuple[int, int]]
) -> xr.DataArray:
    dims = (panel.DATE, panel.ASSET)
    key = f"ingest-{name}-{uuid.uuid4().hex}"
    chunks = (tuple(stop - start for start, stop in edges), (stored.sizes[panel.ASSET],))
    graph = {(key, i, 0): task for i, task in enumerate(tasks)}
    return xr.DataArray(
        da.Array(graph, key, chunks, dtype=dtype), {d: stored[d] for d in dims}, dims
    )


def constant_rows(stored: xr.Dataset, name: str, row: np.ndarray) -> xr.DataArray:
    """Return a lazy field with the same row on all dates.

    Parameters
    ----------
    stored
        An open store.
    name
        What to call it.
    row
        (asset,).

    Returns
    -------
    xarray.DataArray
        (date, asset).
    """
    edges = _edges(stored)
    tasks = [(partial(np.tile, row), (stop - start, 1)) for start, stop in edges]
    return _lazy(stored, name, row.dtype.type, tasks, edges)


def publish(
    store: str | os.PathLike[str],
    fresh: Mapping[str, pd.DataFrame],
    specs: Mapping[str, Spec],
    *,
    beside: Mapping[str, xr.DataArray] | None = None,
    progress: bool = False,
) -> tuple[Path, list[str]]:
    """Append records to a store, and make or renew the fields that depend on them.

    Parameters
    ----------
    store
        Path of the store.
    fresh
        Item -> records that are not in the store.
    specs
        Fields that are to be in the store afterwards; those that are there stay as they were made.
    beside
        Other new fields.
    progress
        Show a bar on standard error.

    Returns
    -------
    tuple
        The store's path, and the fields written.

    Raises
    ------
    PanelError
        If a field is there that is not made of records, or by another rule.
    """
    stored = open_panel(store)
    there = specs_of(stored)
    _check_rules(stored, there, specs)
    wanted = tables(fresh)
    whole = {i: pd.concat([read_records(store, i), f], ignore_index=True) for i, f in fresh.items()}

    def records(item: str, assets: pd.Index) -> Records:
        return records_of(whole[item] if item in whole else read_records(store, item), assets)

    done: list[str] = []
    cells = _changed(stored, there, fresh, records)
    if cells is not None:
        update_panel(cells, store, tables=wanted, overwrite_missing=True, progress=progress)
        done, wanted = [str(n) for n in cells.data_vars], {}
    new = {n: s for n, s in specs.items() if n not in there}
    made = lay_out(stored, new, lambda item: records(item, stored.indexes[panel.ASSET]))
    made = made.assign({n: v for n, v in (beside or {}).items() if n not in stored})
    made = made.drop_vars([n for n in made.data_vars if n in stored])
    if made.data_vars:
        add_fields(made, store, tables=wanted, progress=progress)
        done, wanted = [*done, *map(str, made.data_vars)], {}
    for name, columns in wanted.items():
        append_table(store, name, columns)
    return Path(store), done


def _check_rules(stored: xr.Dataset, there: Mapping[str, Spec], specs: Mapping[str, Spec]) -> None:
    for name in (n for n in specs if n in stored):
        if name not in there:
            raise panel.error(
                f"the store already has {name}, which is not made of records",
                "a new field",
                "Choose another name for it",
            )
        old, new = there[name], specs[name]
        if (old.rule, old.max_age_days) != (new.rule, new.max_age_days):
            raise panel.error(
                f"{name} is {new.rule} for {new.max_age_days} days, and in the store "
                f"{old.rule} for {old.max_age_days}",
                "the rule of the store",
                "Leave it out, or choose another name for the field",
            )


def _changed(
    stored: xr.Dataset,
    specs: Mapping[str, Spec],
    fresh: Mapping[str, pd.DataFrame],
    records: Callable[[str, pd.Index], Records],
) -> xr.Dataset | None:
    """Return the cells of the fields there that new records may change; None if there are none."""
    hit = {n: s for n, s in specs.items() if len(fresh.get(s.rule.item, ()))}
    if not hit:
        return None
    came = pd.concat([fresh[i] for i in {s.rule.item for s in hit.values()}])
    dates = stored.indexes[panel.DATE]
    first = int(np.searchsorted(dates.to_numpy(), came["known_at"].to_numpy().min()))
    if first == len(dates):
        return None
    some = stored.isel({panel.ASSET: stored.indexes[panel.ASSET].isin(came["asset"])})
    cells = lay_out(some, hit, lambda item: records(item, some.indexes[panel.ASSET]))
    names = [n for n in cells.data_vars if n in stored]
    return cells[names].isel({panel.DATE: slice(first, None)})


def rebuild(
    store: str | os.PathLike[str], keep: Callable[[pd.DataFrame], pd.DataFrame]
) -> xr.Dataset:
    """Open a store with its record fields made anew of some of the records.

    Parameters
    ----------
    store
        Path of the store.
    keep
        Records of an item -> those to use.

    Returns
    -------
    xarray.Dataset
        Lazy; other fields as stored.
    """
    stored = open_panel(store)
    assets = stored.indexes[panel.ASSET]
    made = lay_out(
        stored, specs_of(stored), lambda item: records_of(keep(read_records(store, item)), assets)
    )
    return stored.assign({n: made[n] for n in made.data_vars if n in stored})
