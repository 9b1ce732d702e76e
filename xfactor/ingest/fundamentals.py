"""Reports, wide or long -> records in a panel store, and the point-in-time fields of them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest import ledger
from xfactor.ingest.asked import can_name, day_of, path_of, rejects_of
from xfactor.ingest.companies import Securities, read_securities, renews, sector_field
from xfactor.ingest.fields import ONE_CLASS, Spec, publish, specs_of
from xfactor.ingest.filings import match_filings, read_filings
from xfactor.ingest.rejects import Rejects
from xfactor.ingest.reports import Directory, directory, match, read_reports
from xfactor.ingest.sheets import BESIDE
from xfactor.ingest.sources import Part, Source, find_parts
from xfactor.ingest.summary import Summary, listing, written
from xfactor.ingest.windows import Rule, parse_rule
from xfactor.store import open_panel, update_panel

MAX_AGE_DAYS = 550
# What an item becomes if nobody says; a share count times a price needs the splits between them.
SHOWN_AS = {"shares_outstanding": "carried"}
# Days from a period's end that are taken for its publication: more is a slip.
LONGEST_LAG = 3_660
ATTRS: dict[str, dict[str, Any]] = {
    "book_equity": {"units": "USD", "long_name": "book equity, newest known report"},
    "shares_outstanding": {
        "units": "shares",
        "long_name": "shares outstanding, newest known count carried to the date by splits",
    },
    "fundamentals_age": {"units": "days", "long_name": "days since the end of the period shown"},
}


def ingest_fundamentals(
    source: Source | Sequence[Source],
    store: str | os.PathLike[str],
    *,
    securities: str | os.PathLike[str] | None = None,
    lag_days: int = 90,
    max_age_days: int | None = None,
    columns: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    received: Any = None,
    strict: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Summary:
    """Add reports and the point-in-time fields made of them to a store of prices.

    Parameters
    ----------
    source
        As in `ingest_table`: Parquet or CSV files, DataFrames, Arrow tables, one row per asset
        and fiscal period in any order. Needed are an asset (the store's symbol), the period's
        end, `book_equity` in USD and `shares_outstanding` on the share basis of the report; a
        date of publication, `known_at`, is used where there is one.
    store
        Folder of a store with `close` as traded, and `split` if there were any.
    securities
        File with one row per symbol: a sector gives the field `sector`, and a `CIK` tells which
        symbols are share classes of one company.
    lag_days
        Days from the period's end until the report is taken as known, where `source` has no
        date of publication.
    max_age_days
        Days from the period's end after which a value is missing; 550 if not given.
    columns
        Our name -> the file's name, for columns that the usual names do not find, and for
        further items: ``{"total_assets": "Total Assets"}`` adds the field `total_assets`.
    fields
        Further fields -> their rules, see `ingest_records`:
        ``{"equity_growth": "yoy(book_equity)"}``.
    received
        Day on which a file without dates of publication arrived: what it says anew of periods
        that the store has is known from then on.
    strict
        Raise at the first row or value that cannot be used, instead of leaving it out. Rows of
        assets that the store does not have are left out in any case.
    rejects
        File in which to list what is left out: file, row (1 is the first below the header),
        column, value, reason. Parquet by its suffix, otherwise CSV.
    progress
        Show a bar on standard error if the writing takes more than a second.

    Returns
    -------
    Summary
        What was read, kept, left out and written.

    Raises
    ------
    PanelError
        If a file is missing, unreadable or empty, a column is missing, no row can be used, a
        report stands there with two values, no symbol is in the store, or the store lacks
        `close` or has a field that is not made of records. The store is as before then.

    Notes
    -----
    On date t a field shows the value of the newest period known by t, of that period the version
    known last; a report becomes known on the first session on or after its day. An older period
    that is restated later does not displace a newer one. A value that a report lacks is no
    record: the period before keeps showing until it is too old. `fundamentals_age` is that of
    `book_equity`.

    The reports themselves are kept in the store. Further files may follow, in any order: reports
    that are there are left out, new ones are appended, and the fields are renewed from the first
    date that changes. `explain` tells which report gave a number, `as_known` gives the panel as
    it was known on a day.

    `shares_outstanding` is the reported count times the product of `split` since the report, so
    that it is on the same basis as `close` on each date and `market_cap` =
    shares_outstanding * close. A report takes account of every split before its publication, also
    after its period's end. So the product is over (known_at, t]; where `source` has no date of
    publication, the splits within 60 days of the period's end, the time in which large companies
    must file, are taken to be in the report. Splits before the panel's first date are not known.
    Counts of 0 or below are missing. `book_to_price` is missing where book equity is not above 0.

    Share classes repeat one balance sheet, which would count a company twice; so would a symbol
    that carries another's reports by mistake. Such symbols have the same CIK in `securities`, or
    equal book equity in every period that both have, two at least. Only the one with share
    counts for the most periods, then the first of the panel, is shown. Which symbols these are
    follows from all reports and CIKs that the store has, on all dates: a later file may take a
    symbol out, or bring it back.

    `sector` holds one code per asset for all dates, -1 where there is none: the file has no
    history of it. A later list of securities renews it for the symbols that it names.

    Examples
    --------
    >>> import pathlib, tempfile, xfactor as xf
    >>> from xfactor.ingest import ingest_fundamentals, ingest_prices
    >>> folder, line = pathlib.Path(tempfile.mkdtemp()), chr(10)
    >>> prices = ["date,ticker,close", "2013-03-29,A,10", "2013-04-02,A,11"]
    >>> _ = (folder / "prices.csv").write_text(line.join(prices))
    >>> _ = ingest_prices(folder / "prices.csv", folder / "panel.zarr")
    >>> report = ["ticker,period_end,book_equity,shares_outstanding", "A,2012-12-31,550,100"]
    >>> _ = (folder / "reports.csv").write_text(line.join(report))
    >>> _ = ingest_fundamentals(folder / "reports.csv", folder / "panel.zarr")
    >>> xf.open_panel(folder / "panel.zarr").book_to_price.values
    array([[nan],
           [0.5]])
    """
    given = _given(store, lag_days, columns, received)
    asked = _asked(fields)
    stored = open_panel(store)
    panel.field(stored, "close")
    parts = find_parts(source)
    listed = _listed(rejects, strict, parts)
    with listed.listing():
        reports = read_reports(parts, given.lag_days, given.columns, listed)
        known = read_securities(securities) if securities is not None else Securities({}, {})
        assets = directory(store, stored)
        frame, notes = match(reports, assets)
        specs = _specs(stored, _usual(reports.items), max_age_days, ONE_CLASS)
        specs |= _specs(stored, asked, max_age_days, ONE_CLASS)
        long = {
            item: _as_records(frame, item, assets.assets, not reports.published)
            for item in reports.items
        }
        fresh = _fresh(store, long, None if reports.published else given.received)
        _check_items(store, specs, fresh)
        sector = sector_field(stored, assets.names(), known.sectors)
        path, made, second = publish(
            store, fresh, specs, companies=_by_asset(known.companies, assets),
            beside={} if sector is None else {"sector": sector}, progress=progress,
        )  # fmt: skip
        if sector is not None and renews(stored, sector):
            update_panel(
                sector.to_dataset(name="sector"), store, overwrite_missing=True, progress=progress
            )
            made = [*made, "sector"]
        ids = frame["id"].to_numpy()[np.isin(assets.assets[frame["asset"]], list(second))]
        lost = np.isin(reports.sheet.ids, ids)
        reports.sheet.reject(lost, "that repeat another symbol", "asset", BESIDE)
    notes = [*notes, *_class_notes(store, assets, second), *_news_note(long, fresh)]
    return _summary(reports.source, path, reports.sheet.kept, listed, notes, made)


def ingest_records(
    source: Source | Sequence[Source],
    store: str | os.PathLike[str],
    *,
    fields: Mapping[str, str] | None = None,
    securities: str | os.PathLike[str] | None = None,
    lag_days: int = 90,
    max_age_days: int | None = None,
    columns: Mapping[str, str] | None = None,
    received: Any = None,
    strict: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Summary:
    """Append records (asset, item, period, time of publication, value) to a store of prices.

    Parameters
    ----------
    source
        As in `ingest_table`: Parquet or CSV files, DataFrames, Arrow tables, with one row per
        record: an `asset` (its symbol), an `asset_id` (its label in the store) or a `cik`; the
        `item`; the `period_end`; the `value`; and where there are any, `known_at` (time of
        publication), `quarters` (that the value is of: 1 to 4, 0 for a point in time) and
        `filing` (what it was filed as).
    store
        Path of the store.
    fields
        Field -> how it is made of an item's records (see Notes). Without it, each item that no
        field is made of becomes a field of its name, its newest report; `shares_outstanding` is
        carried by splits.
    securities
        File with a symbol and a CIK per row, where `source` has a `cik`.
    lag_days
        Days from the period's end until a record is taken as known, where `source` does not say.
    max_age_days
        Days from the newest period's end after which a value is missing; 550 if not given.
    columns
        Our name -> the file's name, for columns that the usual names do not find.
    received
        Day on which a file without times of publication arrived: what it says anew of periods
        that the store has is known from then on.
    strict
        Raise at the first row or value that cannot be used, instead of leaving it out. Rows of
        assets that the store does not have are left out in any case.
    rejects
        File in which to list what is left out: file, row (1 is the first below the header),
        column, value, reason. Parquet by its suffix, otherwise CSV.
    progress
        Show a bar on standard error if the writing takes more than a second.

    Returns
    -------
    Summary
        What was read, kept, left out and written.

    Raises
    ------
    PanelError
        If the source cannot be read, no row of it can be used, a rule is none, a record has two
        values, no asset is in the store, or a field is there that is made otherwise. The store is
        as before then.

    Notes
    -----
    A record counts from the first session on or after `known_at`: one with a time of day counts
    from the next day. A row that is no record (no asset, no date, no finite value, known before
    its period ended) is rejected, whatever it came in. Rules:

    ``latest(item)``
        the newest period known, of that period the version known last.
    ``annual(item)``
        the same among values of four quarters.
    ``ttm(item)``
        the sum of the newest quarter and of the three before it, each as known on the day.
    ``yoy(item)``, ``change(item)``, ``ttm_yoy(item)``
        growth (new - old) / abs(old), or difference, against the quarter that ended a year
        earlier; growth of the sum of four quarters.
    ``last_n(item, n, statistic)``
        mean, sum, std, min, max or first (oldest) of the n newest periods known.
    ``age(item)``
        days since the end of the period that `latest` shows.
    ``carried(item)``
        `latest`, times the splits since the record became known; where the source does not say
        when, the splits within 59 days of the period's end are taken to be in it.

    A window in which a report is missing is missing: the value before does not stand in for it.
    The quarter before is the period that ends nearest to 91 days before, within 30 days; fiscal
    quarters of weeks are found so, and a missing one is not replaced by its neighbour. Where
    records are of the year to date, a quarter is the difference of two of them, from the day on
    which both are known; a record of the quarter itself comes before.

    Records are only ever appended. Ingesting them at once, or file by file in any order, gives
    the same fields.

    Examples
    --------
    >>> import pathlib, tempfile, pandas as pd, xfactor as xf
    >>> from xfactor.ingest import ingest_prices, ingest_records
    >>> folder, line = pathlib.Path(tempfile.mkdtemp()), chr(10)
    >>> prices = ["date,ticker,close", "2013-02-28,A,10", "2013-03-01,A,11"]
    >>> _ = (folder / "prices.csv").write_text(line.join(prices))
    >>> _ = ingest_prices(folder / "prices.csv", folder / "panel.zarr")
    >>> quarters = pd.DataFrame({
    ...     "asset": "A", "item": "net_income", "value": [1.0, 2.0, 3.0, 4.0],
    ...     "period_end": ["2012-03-31", "2012-06-30", "2012-09-30", "2012-12-31"],
    ...     "known_at": ["2012-05-01", "2012-08-01", "2012-11-01", "2013-03-01"]})
    >>> _ = ingest_records(quarters, folder / "panel.zarr",
    ...                    fields={"earnings": "ttm(net_income)"})
    >>> xf.open_panel(folder / "panel.zarr").earnings.values.ravel()
    array([nan, 10.])
    """
    given = _given(store, lag_days, columns, received)
    asked = _asked(fields)
    stored = open_panel(store)
    parts = find_parts(source)
    listed = _listed(rejects, strict, parts)
    with listed.listing():
        filings = read_filings(parts, given.lag_days, given.columns, listed)
        known = read_securities(securities) if securities is not None else Securities({}, {})
        long, notes = match_filings(filings, directory(store, stored), known.companies)
        made_of = {spec.rule.item for spec in specs_of(stored).values()}
        if fields is None:
            asked = {i: Rule(SHOWN_AS.get(i, "latest"), i) for i in long if i not in made_of}
        specs = _specs(stored, asked, max_age_days)
        fresh = _fresh(store, long, None if filings.published else given.received)
        _check_items(store, specs, fresh)
        path, made, _ = publish(store, fresh, specs, progress=progress)
    notes = [*notes, *_news_note(long, fresh)]
    return _summary(filings.source, path, filings.sheet.kept, listed, notes, made)


@dataclass(frozen=True)
class Given:
    """Options of the caller, checked."""

    lag_days: int
    columns: Mapping[str, str]
    received: np.datetime64 | None


def _given(store: Any, lag_days: Any, columns: Any, received: Any) -> Given:
    path_of("store", store)
    days = panel.positive("lag_days", lag_days, 0)
    if days > LONGEST_LAG:
        raise panel.error(f"lag_days={days} was given", f"at most {LONGEST_LAG}", "Lower it")
    return Given(days, _mapping("columns", columns), _arrival(received))


def _mapping(name: str, given: Any) -> dict[str, str]:
    """Return a mapping of words, or raise."""
    pairs = {} if given is None else given
    if not isinstance(pairs, Mapping) or not all(
        isinstance(w, str) for pair in pairs.items() for w in pair
    ):
        raise panel.error(
            f"{name}={panel.shown(given)} was given", "a mapping of words to words",
            "Write {'ours': 'theirs'}",
        )  # fmt: skip
    return dict(pairs)


def _listed(rejects: Any, strict: Any, parts: Sequence[Part]) -> Rejects:
    """Return where to count what is not taken."""
    files = [Path(p.path) for p in parts if p.path]
    return rejects_of(rejects, strict, [p.name for p in parts], files)


def _summary(
    source: str, store: Path, kept: np.ndarray, listed: Rejects, notes: Sequence[str],
    made: list[str],
) -> Summary:  # fmt: skip
    return Summary(
        source=source,
        store=str(store),
        rows_read=listed.read,
        rows_kept=int(kept.sum()),
        rejected=Counter(listed.rows),
        cleared=Counter({f"{name} {why}": n for (name, why), n in listed.cells.items()}),
        notes=tuple(notes),
        rejects=None if listed.path is None else str(listed.path),
        **written(store, made),
    )


def _arrival(received: Any) -> np.datetime64 | None:
    return None if received is None else day_of("received", received).to_datetime64()


def _asked(fields: Any) -> dict[str, Rule]:
    rules = _mapping("fields", fields)
    for name in (n for n in rules if not can_name(n)):
        raise panel.error(f"fields names {panel.shown(name)}", "a word", "Choose another name")
    return {name: parse_rule(text) for name, text in rules.items()}


def _usual(items: Sequence[str]) -> dict[str, Rule]:
    """Return the fields of a table of annual reports."""
    rules = {item: Rule("latest", item) for item in items}
    rules["shares_outstanding"] = Rule("carried", "shares_outstanding")
    return rules | {"fundamentals_age": Rule("age", "book_equity")}


def _specs(
    stored: xr.Dataset, rules: Mapping[str, Rule], max_age_days: int | None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Spec]:  # fmt: skip
    """Return specs; a field that is in the store keeps what is not asked for."""
    there, out = specs_of(stored), {}
    days = panel.positive("max_age_days", MAX_AGE_DAYS if max_age_days is None else max_age_days)
    for name, rule in rules.items():
        old = there.get(name)
        age = old.max_age_days if old is not None and max_age_days is None else days
        long_name = f"{rule.item.replace('_', ' ')}, newest known report"
        if rule.name != "latest":
            long_name = f"{rule}, as known"
        attrs = {**ATTRS.get(name, {"long_name": long_name}), **(more or {})}
        out[name] = Spec(rule, age, attrs if rule.name == "age" else {**attrs, "fill": "forward"})
    return out


def _fresh(
    store: str | os.PathLike[str], long: Mapping[str, pd.DataFrame], received: np.datetime64 | None
) -> dict[str, pd.DataFrame]:
    """Return the records of each item that are not in the store."""
    fresh = {}
    for item, frame in long.items():
        stored = ledger.read_records(store, item)
        if received is not None and len(stored):
            frame = ledger.restated(stored, frame, received)
        fresh[item] = ledger.news(stored, frame, item)
    return fresh


def _check_items(
    store: str | os.PathLike[str], specs: Mapping[str, Spec], fresh: Mapping[str, pd.DataFrame]
) -> None:
    there = {*ledger.stored_items(store), *fresh}
    for name, spec in specs.items():
        if spec.rule.item not in there:
            raise panel.error(
                f"{name} is {spec.rule}, and there are no records of {spec.rule.item!r}",
                f"one of {', '.join(sorted(there)) or 'none'}",
                "Correct the rule",
            )


def _as_records(frame: pd.DataFrame, item: str, assets: pd.Index, assumed: bool) -> pd.DataFrame:
    """Return the records of one column of a table of reports."""
    there = frame[frame[item].notna()]
    return pd.DataFrame(
        {
            "asset": assets.to_numpy()[there["asset"]],
            "period_end": there["end"].dt.floor("D").to_numpy(),
            "known_at": there["known"].to_numpy(),
            "value": there[item].to_numpy(float),
            "quarters": np.int8(0),
            "assumed": assumed,
            "filing": "",
        }
    )[list(ledger.COLUMNS)]


def _news_note(
    long: Mapping[str, pd.DataFrame], fresh: Mapping[str, pd.DataFrame]
) -> tuple[str, ...]:
    came, new = (sum(map(len, m.values())) for m in (long, fresh))
    were = "was" if came - new == 1 else "were"
    told = (
        f"{came - new:,} of {panel.several(came, 'record', 'records')} {were} in the store already"
    )
    return () if came == new else (told,)


def _by_asset(companies: Mapping[str, str], assets: Directory) -> dict[Any, str]:
    """Return the company of each asset of the store, where a list of securities tells."""
    names = zip(assets.assets.tolist(), assets.names(), strict=True)
    return {label: companies[symbol] for label, symbol in names if symbol in companies}


def _class_notes(
    store: str | os.PathLike[str], assets: Directory, second: Mapping[Any, Any]
) -> list[str]:
    """Say which assets show nothing, and why."""
    names = dict(zip(assets.assets.tolist(), assets.names(), strict=True))
    notes = []
    if second:
        pairs = sorted(f"{names[a]} ({names[b]} kept)" for a, b in second.items())
        notes.append(f"left out because they repeat another symbol: {listing(pairs)}")
    there = set(ledger.read_records(store, "book_equity")["asset"]) | {
        *ledger.read_records(store, "shares_outstanding")["asset"]
    }
    without = sorted(name for label, name in names.items() if label not in there)
    if without:
        who = panel.several(len(without), "asset has", "assets have")
        notes.append(f"{who} no fundamentals: {listing(without)}")
    return notes
