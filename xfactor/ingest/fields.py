"""Fields that are made of records: laid out lazily, rebuilt from the first date that changes."""

import os
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.classes import TABLE, company_rows, read_companies, repeats
from xfactor.ingest.ledger import read_records, tables
from xfactor.ingest.records import Block, Records, Splits, find_splits, sort_records
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


# Splits up to this long after a period's end are in its report: large companies file by day 60.
# Of the five splits that fall soon after a period's end in the data this was tried on, the three
# after 22 to 51 days are in the reports, and the two after 60 and 69 days are not.
FILING_DAYS = 59
# Beyond this nothing is too old, and the days fit into nanoseconds.
LONGEST_AGE = 100_000
# Attribute of the fields in which a company with several share classes counts once.
CLASSES = "share_classes"
ONE_CLASS = {CLASSES: "one"}


@dataclass(frozen=True)
class Spec:
    """How a field is made: its rule, the days after which it is missing, what it is."""

    rule: Rule
    max_age_days: int
    attrs: Mapping[str, Any]

    @property
    def one_class(self) -> bool:
        """Say whether assets that repeat another are left out."""
        return CLASSES in self.attrs


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
    names = ("known_at", "period_end", "value", "quarters", "assumed")
    columns = [frame[n].to_numpy() for n in names]
    columns[2] = np.where(at < 0, np.nan, columns[2])
    return sort_records(at, *columns)


def lay_out(
    stored: xr.Dataset,
    specs: Mapping[str, Spec],
    source: Source,
    repeated: Collection[Any] = (),
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
    repeated
        Labels of the assets whose reports are those of another.
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
    second = np.flatnonzero(stored.indexes[panel.ASSET].isin(list(repeated)))
    for name, spec in specs.items():
        records = items[spec.rule.item]
        if spec.one_class and len(second):
            records = records.keep(~np.isin(records.asset, second))
        splits = None
        if spec.rule.name == "carried" and "split" in stored:
            splits = find_splits(stored["split"], edges)
            records = _from_start(records, spec.rule, splits, dates)
        line = history(records, spec.rule, n).on(dates, n)
        age = np.timedelta64(min(spec.max_age_days, LONGEST_AGE), "D")
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


def _from_start(records: Records, rule: Rule, splits: Splits, dates: np.ndarray) -> Records:
    """Put share counts on the basis of the panel's first date: one product carries them on."""
    filed = records.period_end + np.timedelta64(rule.n or FILING_DAYS, "D")
    basis = np.where(records.assumed, np.minimum(records.known_at, filed), records.known_at)
    value = records.value / splits.until(dates, records.asset, basis)
    return replace(records, value=value)


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
    companies: Mapping[Any, str] | None = None,
    beside: Mapping[str, xr.DataArray] | None = None,
    progress: bool = False,
) -> tuple[Path, list[str], dict[Any, Any]]:
    """Append records to a store, and make or renew the fields that depend on them.

    Parameters
    ----------
    store
        Path of the store.
    fresh
        Item -> records that are not in the store.
    specs
        Fields that are to be in the store afterwards; those that are there stay as they were made.
    companies
        Label of an asset -> its company, as a list of securities tells.
    beside
        Other new fields.
    progress
        Show a bar on standard error.

    Returns
    -------
    tuple
        The store's path, the fields written, and the assets whose reports are those of another.

    Raises
    ------
    PanelError
        If a field is there that is not made of records, or by another rule.
    """
    stored = open_panel(store)
    there = specs_of(stored)
    _check_rules(stored, there, specs)
    labels = stored.indexes[panel.ASSET]
    whole = {i: pd.concat([read_records(store, i), f], ignore_index=True) for i, f in fresh.items()}

    def frame_of(item: str) -> pd.DataFrame:
        return whole[item] if item in whole else read_records(store, item)

    known = read_companies(store)
    rows = company_rows(companies or {}, known)
    wanted = tables(fresh) | ({TABLE: rows} if len(rows["asset"]) else {})
    before, after = {}, {}
    if any(spec.one_class for spec in {**there, **specs}.values()):
        before = _repeats(lambda item: read_records(store, item), known, labels)
        after = _repeats(frame_of, known | dict(companies or {}), labels)
    done: list[str] = []
    moved = {a for a in {*before, *after} if (a in before) != (a in after)}
    cells = _changed(stored, there, fresh, frame_of, moved, after)
    if cells is not None:
        update_panel(cells, store, tables=wanted, overwrite_missing=True, progress=progress)
        done, wanted = [str(n) for n in cells.data_vars], {}
    new = {n: s for n, s in specs.items() if n not in there}
    made = lay_out(stored, new, lambda item: records_of(frame_of(item), labels), after)
    made = made.assign({n: v for n, v in (beside or {}).items() if n not in stored})
    made = made.drop_vars([n for n in made.data_vars if n in stored])
    if made.data_vars:
        add_fields(made, store, tables=wanted, progress=progress)
        done, wanted = [*done, *map(str, made.data_vars)], {}
    for name, columns in wanted.items():
        append_table(store, name, columns)
    return Path(store), done, after


def _repeats(
    frame_of: Callable[[str], pd.DataFrame], companies: Mapping[Any, str], labels: pd.Index
) -> dict[Any, Any]:
    return repeats(frame_of("book_equity"), frame_of("shares_outstanding"), companies, labels)


def repeated(store: str | os.PathLike[str], stored: xr.Dataset) -> dict[Any, Any]:
    """Return the assets of a store whose reports are those of another, where that matters.

    Parameters
    ----------
    store, stored
        Path of the store, and the store opened.

    Returns
    -------
    dict
        Label -> that of the asset which stands for it.
    """
    if not any(spec.one_class for spec in specs_of(stored).values()):
        return {}
    labels = stored.indexes[panel.ASSET]
    return _repeats(lambda item: read_records(store, item), read_companies(store), labels)


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
    frame_of: Callable[[str], pd.DataFrame],
    moved: Collection[Any],
    after: Collection[Any],
) -> xr.Dataset | None:
    """Return the cells of the fields there that may change; None if there are none.

    They are those of new records, and all of the assets that were shown and are not any more
    because they repeat another, or the other way round (`moved`).
    """
    hit = {
        n: s for n, s in specs.items()
        if len(fresh.get(s.rule.item, ())) or (moved and s.one_class)
    }  # fmt: skip
    if not hit:
        return None
    came = [fresh[i] for i in {s.rule.item for s in hit.values()} if i in fresh]
    if moved:
        all_of = map(frame_of, {s.rule.item for s in hit.values()})
        came += [f[f["asset"].isin(list(moved))] for f in all_of]
    rows = pd.concat(came)
    dates = stored.indexes[panel.DATE]
    if rows.empty:
        return None
    first = int(np.searchsorted(dates.to_numpy(), rows["known_at"].to_numpy().min()))
    if first == len(dates):
        return None
    some = stored.isel({panel.ASSET: stored.indexes[panel.ASSET].isin(rows["asset"])})
    labels = some.indexes[panel.ASSET]
    cells = lay_out(some, hit, lambda item: records_of(frame_of(item), labels), after)
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
        stored, specs_of(stored), lambda item: records_of(keep(read_records(store, item)), assets),
        repeated(store, stored),
    )  # fmt: skip
    return stored.assign({n: made[n] for n in made.data_vars if n in stored})
