"""Tables of annual or quarterly items -> point-in-time fields of a panel store."""

import os
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.companies import read_securities, sector_codes
from xfactor.ingest.longform import Block, lazy_field
from xfactor.ingest.records import Records, Splits, find_splits, records
from xfactor.ingest.reports import match, read_reports, symbols_of
from xfactor.ingest.summary import Summary, written
from xfactor.store import add_fields, open_panel

# Splits up to this long after a period's end are in its report: large companies file by day 60.
# Of the five splits that fall soon after a period's end in the data this was tried on, the three
# after 22 to 51 days are in the reports, and the two after 60 and 69 days are not.
FILING = np.timedelta64(59, "D")
ATTRS: dict[str, dict[str, Any]] = {
    "book_equity": {"units": "USD", "long_name": "book equity, newest known report"},
    "shares_outstanding": {
        "units": "shares",
        "long_name": "shares outstanding, newest known count carried to the date by splits",
    },
    "market_cap": {"units": "USD", "long_name": "shares outstanding x close as traded"},
    "book_to_price": {"units": "1", "long_name": "book equity / market cap, if above 0"},
    "fundamentals_age": {"units": "days", "long_name": "days since the end of the period shown"},
}


def ingest_fundamentals(
    source: str | os.PathLike[str],
    store: str | os.PathLike[str],
    *,
    securities: str | os.PathLike[str] | None = None,
    lag_days: int = 90,
    max_age_days: int = 550,
    columns: Mapping[str, str] | None = None,
    progress: bool = False,
) -> Summary:
    """Add point-in-time fundamentals to a store of prices.

    Parameters
    ----------
    source
        Parquet or CSV file (which may be gzipped), one row per asset and fiscal period in any
        order. Needed are an asset (the store's symbol), the period's end, `book_equity` in USD
        and `shares_outstanding` on the share basis of the report; a date of publication,
        `known_at`, is used where there is one.
    store
        Folder of a store with `close` as traded, and `split` if there were any.
    securities
        File with one row per symbol: a sector gives the field `sector`, and a `CIK` tells which
        symbols are share classes of one company.
    lag_days
        Days from the period's end until the report is taken as known, where `source` has no
        date of publication.
    max_age_days
        Days from the period's end after which a value is missing.
    columns
        Our name -> the file's name, for columns that the usual names do not find, and for
        further items: ``{"total_assets": "Total Assets"}`` adds the field `total_assets`.
    progress
        Show a bar on standard error if the writing takes more than a second.

    Returns
    -------
    Summary
        What was read, kept, left out and written.

    Raises
    ------
    PanelError
        If a file is missing, unreadable or empty, a column is missing, a value is no date or no
        number, a report stands there twice, no symbol is in the store, or the store lacks
        `close` or has the fields already. The store is as before then.

    Notes
    -----
    On date t a field shows the value of the newest period known by t, of that period the version
    known last; a report becomes known on the first session on or after its day. An older period
    that is restated later does not displace a newer one. A value that a report lacks is no
    record: the period before keeps showing until it is too old. `fundamentals_age` is that of
    `book_equity`.

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
    counts for the most periods (then the one listed first, then the first symbol) is kept.

    `sector` holds one code per asset for all dates, -1 where there is none: the file has no
    history of it.

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
    lag_days = panel.positive("lag_days", lag_days, 0)
    max_age_days = panel.positive("max_age_days", max_age_days)
    stored = open_panel(store)
    panel.field(stored, "close")
    reports = read_reports(source, lag_days, columns or {})
    known = read_securities(securities) if securities is not None else None
    frame, notes = match(reports, symbols_of(stored), known)
    items = sorted(reports.items)
    fields = _fields(frame, stored, items, np.timedelta64(max_age_days, "D"), reports.published)
    for name in items:
        other = {"long_name": f"{reports.items[name]}, newest known report"}
        fields[name].attrs = {**ATTRS.get(name, other), "fill": "forward"}
    if known is not None and known.sectors:
        fields["sector"] = _sector(stored, known.sectors)
    path = add_fields(fields, store, progress=progress)
    return Summary(
        source=str(source),
        store=str(store),
        rows_read=reports.rows_read,
        rows_kept=len(frame),
        rejected=reports.rejected,
        cleared=reports.cleared,
        notes=tuple(notes),
        **written(path, [str(n) for n in fields.data_vars]),
    )


def _fields(
    frame: pd.DataFrame,
    stored: xr.Dataset,
    items: list[str],
    max_age: np.timedelta64,
    published: bool,
) -> xr.Dataset:
    """Lay the fields out lazily, in the store's chunks."""
    asset, known, end = (frame[k].to_numpy() for k in ("asset", "known", "end"))
    history = {name: records(asset, known, end, frame[name].to_numpy(float)) for name in items}
    dates, n = stored.indexes[panel.DATE].to_numpy(), stored.sizes[panel.ASSET]

    def shown(name: str) -> Block:
        return lambda start, stop: history[name].field(dates[start:stop], n, max_age)

    def age(start: int, stop: int) -> np.ndarray:
        return history["book_equity"].age(dates[start:stop], n, max_age)

    makes = {name: shown(name) for name in items} | {"fundamentals_age": age}
    if "split" in stored:
        counts = history["shares_outstanding"]
        basis = counts.known_at
        if not published:
            basis = np.minimum(basis, counts.period_end + FILING)
        makes["shares_outstanding"] = _carried(counts, basis, stored, max_age)
    ready = xr.Dataset(coords=stored.coords)
    for name, make in makes.items():
        ready[name] = _lazy(stored, name, float, make)
    cap = ready["shares_outstanding"] * stored["close"]
    ready["market_cap"] = cap.where((cap > 0) & (cap < np.inf))
    equity = ready["book_equity"]
    ready["book_to_price"] = equity.where(equity > 0) / ready["market_cap"]
    for name in ("market_cap", "book_to_price", "fundamentals_age"):
        ready[name].attrs = dict(ATTRS[name])
    return ready


def _carried(
    shares: Records, basis: np.ndarray, stored: xr.Dataset, max_age: np.timedelta64
) -> Block:
    """Return the maker of share counts carried by the splits after the day `basis`."""
    dates, n = stored.indexes[panel.DATE].to_numpy(), stored.sizes[panel.ASSET]
    lengths = stored.chunksizes[panel.DATE]
    edges = pairwise([0, *np.cumsum(lengths).tolist()])
    splits: Splits = find_splits(stored["split"], edges)
    # On the basis of the panel's first date, a count can be carried to any date by one product.
    first = shares.value / splits.until(dates, shares.asset, basis)
    at_start = Records(shares.asset, shares.known_at, shares.period_end, first)

    def make(start: int, stop: int) -> np.ndarray:
        counts = at_start.field(dates[start:stop], n, max_age)
        return counts * splits.since_start(start, stop, n)

    return make


def _sector(stored: xr.Dataset, sectors: Mapping[str, str]) -> xr.DataArray:
    codes, words = sector_codes(symbols_of(stored), sectors)

    def make(start: int, stop: int) -> np.ndarray:
        return np.repeat(codes[None], stop - start, axis=0)

    return _lazy(stored, "sector", np.int16, make).assign_attrs(
        long_name="sector, one for all dates",
        flag_values=list(range(len(words))),
        flag_meanings=" ".join("_".join(w.split()) for w in words),
        fill="forward",
    )


def _lazy(stored: xr.Dataset, name: str, dtype: type, make: Block) -> xr.DataArray:
    dims = (panel.DATE, panel.ASSET)
    chunk = stored.chunksizes[panel.DATE][0]
    data = lazy_field(name, {d: stored.sizes[d] for d in dims}, dtype, make, chunk)
    return xr.DataArray(data, dims=dims, coords={d: stored[d] for d in dims})
