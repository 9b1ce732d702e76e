"""Which record gave a number, and what was known on a past day."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.identity import symbols
from xfactor.ingest.asked import day_of, path_of
from xfactor.ingest.fields import FORMULAS, rebuild, records_of, repeated, specs_of
from xfactor.ingest.ledger import KEYS, read_records
from xfactor.ingest.records import Records
from xfactor.ingest.windows import Rule, places, versions
from xfactor.store import open_panel

SHOWN = ["period_end", "quarters", "known_at", "value", "filing", "role", "weight", "replaced_on"]


@dataclass(frozen=True)
class Explanation:
    """Where a number of a panel comes from; `print` it, or read its attributes.

    Parameters
    ----------
    asset, field, date
        Label of the asset, the field, and the session.
    value
        What the store shows.
    rule
        How the field is made of records.
    records
        All records of the asset and item, by `known_at`: ``period_end, quarters, known_at, value,
        filing``; `role`, which is "used", "subtracted", "replaced" (by a later version known on
        the date), "not used" or "not yet known"; `weight`, how many times it is added less how
        many times it is subtracted: a first quarter that is taken from the half-year to leave
        the second is 0 in the sum of both; and `replaced_on`, when the next version of the same
        period became known, missing if none did.
    until
        First session from which other records give the number; None while none do.
    note
        A sentence where the number needs one, else empty.
    parts
        Explanations of the fields that it is made of, where it is made of others.
    symbol
        By which the asset was asked for, if it was.
    """

    asset: Any
    field: str
    date: pd.Timestamp
    value: float
    rule: str
    records: pd.DataFrame
    until: pd.Timestamp | None
    note: str
    parts: tuple["Explanation", ...] = ()
    symbol: str = ""

    def __str__(self) -> str:
        """Return a few lines, to be printed."""
        who = f"{self.symbol} (asset {self.asset})" if self.symbol else self.asset
        lines = [f"{self.field} of {who} on {self.date:%Y-%m-%d} is {self.value:,.10g}"]
        lines.append(f"  it is {self.rule}")
        used = self.records[self.records["role"].isin(["used", "subtracted"])]
        for r in used.itertuples():
            filed = f", filed as {r.filing}" if r.filing else ""
            sign = "less " if r.role == "subtracted" else ""
            lines.append(
                f"  {sign}{r.value:,.10g} for the period to {r.period_end:%Y-%m-%d}, known since "
                f"{_time(r.known_at)}{filed}"
            )
        if self.until is not None:
            lines.append(f"  other records give it from {self.until:%Y-%m-%d} on")
        lines += [f"  {self.note}"] * bool(self.note)
        return "\n".join([*lines, *(f"  {x}" for p in self.parts for x in str(p).split("\n"))])


def explain(store: str | os.PathLike[str], asset: Any, field: str, date: Any) -> Explanation:
    """Tell which records gave a number, when they became known, and what replaced them.

    Parameters
    ----------
    store
        Path of a store.
    asset
        Label of the asset, or its symbol as of the date; text of digits is a label if it is no
        symbol.
    field
        A field that is made of records, or of fields that are.
    date
        The day; the last session on or before it is meant.

    Returns
    -------
    Explanation
        To be printed, or read.

    Raises
    ------
    PanelError
        If the asset or field is unknown, the field is not made of records, or no session is on
        or before the date.

    Examples
    --------
    >>> import pathlib, tempfile, pandas as pd, xfactor as xf
    >>> from xfactor.ingest import explain, ingest_prices, ingest_records
    >>> folder, line = pathlib.Path(tempfile.mkdtemp()), chr(10)
    >>> prices = ["date,ticker,close", "2013-02-28,A,10", "2013-03-01,A,11"]
    >>> _ = (folder / "prices.csv").write_text(line.join(prices))
    >>> store = folder / "panel.zarr"
    >>> _ = ingest_prices(folder / "prices.csv", store)
    >>> records = pd.DataFrame({
    ...     "asset": "A", "item": "book_equity", "value": [5.0, 6.0], "period_end": "2012-12-31",
    ...     "known_at": ["2013-02-20", "2013-03-01"], "filing": ["10-K", "10-K/A"]})
    >>> _ = ingest_records(records, store)
    >>> print(explain(store, "A", "book_equity", "2013-02-28"))
    book_equity of A (asset 1) on 2013-02-28 is 5
      it is latest(book_equity)
      5 for the period to 2012-12-31, known since 2013-02-20, filed as 10-K
      other records give it from 2013-03-01 on
    """
    stored = open_panel(path_of("store", store))
    if not isinstance(field, str):
        raise panel.error(f"field={panel.shown(field)} was given", "a field's name", "Correct it")
    panel.field(stored, field)
    dates = stored.indexes[panel.DATE]
    day = _session(dates, date)
    label = _label(store, stored, asset, day)
    symbol = "" if str(label) == str(asset) else str(asset)
    cell = stored[[field]].sel({panel.DATE: [day], panel.ASSET: [label]})
    value = float(cell[field].compute().item())
    specs = specs_of(stored)
    if field in FORMULAS and field not in specs:
        needed, _, attrs = FORMULAS[field]
        parts = tuple(explain(store, asset, n, day) for n in needed if n in specs or n in FORMULAS)
        empty = pd.DataFrame(columns=SHOWN)
        rule = attrs["long_name"]
        return Explanation(label, field, day, value, rule, empty, None, "", parts, symbol)
    if field not in specs:
        raise panel.error(
            f"the field {field!r} is not made of records",
            f"one of {', '.join(sorted({*specs, *FORMULAS} & set(map(str, stored.data_vars))))}",
            "Only these have a history of reports",
        )
    spec = specs[field]
    frame = read_records(store, spec.rule.item, filings=True)
    records = records_of(frame, pd.Index([label]))
    used, less = _used(records, spec.rule, day)
    table = _table(records, frame, used, less, day)
    first = repeated(store, stored).get(label) if spec.one_class else None
    note = f"it is missing: its reports are those of the asset {first}, which has them"
    if first is None:
        note = _note(spec.rule, spec.max_age_days, records, used, value, day)
    until = _until(records, spec.rule, day, dates)
    rule = str(spec.rule)
    return Explanation(label, field, day, value, rule, table, until, note, symbol=symbol)


def as_known(store: str | os.PathLike[str], *, on: Any, restated: bool = False) -> xr.Dataset:
    """Open a panel as it was known on a past day.

    Parameters
    ----------
    store
        Path of a store.
    on
        The day.
    restated
        Whether each report shows the version that was the last one known on `on`, also on earlier
        dates: the history as a reader of that day would have found it, for looking at a company,
        not for tests of a strategy. By default each date shows what was known on that date.

    Returns
    -------
    xarray.Dataset
        Lazy. Fields made of records are rebuilt on all dates from the records that were known on
        `on`; after it, they show what was known then until it is too old. Other fields are as
        stored.

    Raises
    ------
    PanelError
        If there is no store, or `on` is no date.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> from xfactor.ingest import as_known
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> path = xf.write_panel(panel, tempfile.mkdtemp() + "/panel.zarr")
    >>> as_known(path, on="2000-01-10").sizes["date"]
    20
    """
    path_of("store", store)
    day, restated = day_of("on", on), panel.flag("restated", restated)

    def keep(frame: pd.DataFrame) -> pd.DataFrame:
        known = frame[frame["known_at"] <= day]
        if restated:
            ordered = known.sort_values("known_at", kind="stable")
            last = ordered.groupby(KEYS[:3])["value"].transform("last")
            known = ordered.assign(value=last)
        return known

    return rebuild(store, keep).assign_attrs(as_known=f"{day:%Y-%m-%d}")


def _session(dates: pd.DatetimeIndex, date: Any) -> pd.Timestamp:
    day = day_of("date", date)
    at = int(dates.searchsorted(day, side="right")) - 1
    if at < 0:
        raise panel.error(
            f"no session is on or before {day:%Y-%m-%d}",
            f"a day from {dates[0]:%Y-%m-%d} on",
            "Choose a later one",
        )
    return dates[at]


def _label(store: Any, stored: xr.Dataset, asset: Any, day: pd.Timestamp) -> Any:
    if isinstance(asset, str | int | np.integer) and asset in stored.indexes[panel.ASSET]:
        return asset
    if isinstance(asset, str):
        named = symbols(store)
        labels = stored.indexes[panel.ASSET]
        # On the command line a label is text too; a symbol of these digits goes before it.
        if asset not in set(named.symbol) and asset.isdecimal() and int(asset) in labels:
            return int(asset)
        return named.held(asset, day.to_datetime64())
    raise panel.error(
        f"the asset {panel.shown(asset)} is not in the store",
        f"labels like {', '.join(map(str, stored.indexes[panel.ASSET][:3]))}, or a symbol",
        "Correct it",
    )


def _used(records: Records, rule: Rule, day: pd.Timestamp) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the records that give a day's number, and of those subtracted."""
    known = np.flatnonzero(records.known_at <= day.to_datetime64())
    found = versions(records.keep(known), rule, 1)
    if not len(found.plus):
        return known[:0], known[:0]
    at = places(found.records, rule, 1)[1][-1]
    at = at[at >= 0]
    less = found.minus[at]
    return known[found.plus[at]], known[less[less >= 0]]


def _table(
    records: Records, frame: pd.DataFrame, used: np.ndarray, less: np.ndarray, day: pd.Timestamp
) -> pd.DataFrame:
    """Return all records of an asset with the part that each plays."""
    shown = frame.iloc[records.row].reset_index(drop=True)
    following = shown.groupby(["period_end", "quarters"])["known_at"].shift(-1)
    role = np.where(following <= day, "replaced", "not used")
    role = np.where(shown["known_at"] > day, "not yet known", role)
    role[less], role[used] = "subtracted", "used"
    weight = np.bincount(used, minlength=len(shown)) - np.bincount(less, minlength=len(shown))
    return shown.assign(role=role, weight=weight, replaced_on=following)[SHOWN]


def _until(
    records: Records, rule: Rule, day: pd.Timestamp, dates: pd.DatetimeIndex
) -> pd.Timestamp | None:
    now = [a.tolist() for a in _used(records, rule, day)]
    for later in np.unique(records.known_at[records.known_at > day.to_datetime64()]):
        if [a.tolist() for a in _used(records, rule, pd.Timestamp(later))] != now:
            at = int(dates.searchsorted(pd.Timestamp(later)))
            return dates[at] if at < len(dates) else None
    return None


def _note(
    rule: Rule, max_age_days: int, records: Records, used: np.ndarray, value: float,
    day: pd.Timestamp,
) -> str:  # fmt: skip
    if not len(used):
        return "no record was known"
    if np.isnan(value):
        age = (day - pd.Timestamp(records.period_end[used].max())).days
        if age > max_age_days:
            return f"it is missing: the period ended {age} days before, more than {max_age_days}"
        return "it is missing: a report of its window is not known"
    if rule.name == "carried" and value != records.value[used[0]]:
        return f"times {value / records.value[used[0]]:,.10g} for the splits since"
    return ""


def _time(known_at: pd.Timestamp) -> str:
    return f"{known_at:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
