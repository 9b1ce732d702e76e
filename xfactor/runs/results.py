"""The results of a run in a store: which there are, written date by date, brought up to date."""

from pathlib import Path

import xarray as xr

from xfactor import _apply, lecture
from xfactor import panel as _panel
from xfactor.store import append_panel, open_panel, read_table, update_panel, write_panel
from xfactor.store.sources import Columns, Source
from xfactor.store.transaction import watching

DATE, ASSET, FACTOR = _panel.DATE, _panel.ASSET, _panel.FACTOR
RESULTS = "factors.zarr"
TRACES = "source"  # table of the store: what the results were made of
# Approach 2 has factors of its own, so they get a dim of their own beside those of approach 1.
FIT = {
    "factor_return": "regression_return", "stderr": "regression_stderr",
    "tvalue": "regression_tvalue", "rsquared": "regression_rsquared", "n_obs": "regression_n_obs",
    FACTOR: "regressor",
}  # fmt: skip
# So do the true factors of a simulation.
LOADINGS = {"sorts": "true_sorts", "portfolio": "true_portfolio",
            "traded": "sort", FACTOR: "true_factor"}  # fmt: skip


def stored_part(
    one: xr.Dataset, two: xr.Dataset, loadings: xr.Dataset | None, dates: int
) -> xr.Dataset:
    """Return of both approaches what is a value of a date, and so is stored and appended to.

    Parameters
    ----------
    one, two
        Results of `lecture.approach_one` and `lecture.approach_two`, lazy.
    loadings
        Loadings on the true factors of a simulation, as of `truth.true_loadings`.
    dates
        Dates in a stored chunk.

    Returns
    -------
    xarray.Dataset
        The panel to be stored.
    """
    fit = two[[n for n in FIT if n != FACTOR]].rename(FIT)
    made = one[["factor_return", "portfolio_return"]].assign(
        beta=one.asset_beta, beta_quantile=one.asset_beta_quantile
    )
    made = made.assign(fit)
    if loadings is not None:
        made = made.assign(loadings.rename(LOADINGS))
    # A range that begins inside a stored chunk has a short first one: even them out, a chunk of
    # the new store taking from two of the old.
    made = made.chunk({**dict.fromkeys(made.dims, -1), DATE: dates}).transpose(DATE, ASSET, ...)
    return made.drop_vars([c for c in made.coords if c not in (*made.dims, "symbol")])


def whole_part(stored: xr.Dataset, window: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Return both approaches, computed: what is stored, and what the whole history gives of it.

    Parameters
    ----------
    stored
        The results' panel.
    window
        Dates of the rolling regressions.

    Returns
    -------
    tuple of two xarray.Dataset
        As `lecture.approach_one`, without the betas of every asset, and `lecture.approach_two`.
    """
    (series,) = _apply.compute(stored.drop_dims(ASSET))
    one = lecture.sensitivities(series.portfolio_return, series.factor_return, window=window)
    one = one.assign(
        factor_return=series.factor_return,
        portfolio_return=series.portfolio_return,
        asset_beta_quantile=series.beta_quantile,
    )
    return one, lecture.with_premia(_named_back(series, FIT))


def loadings(stored: xr.Dataset) -> xr.Dataset:
    """Return the loadings on the true factors that were stored, computed."""
    return _named_back(stored, LOADINGS).load()


def _named_back(stored: xr.Dataset, names: dict[str, str]) -> xr.Dataset:
    there = {new: old for old, new in names.items()}
    found = stored[[n for n in there if n in stored.data_vars]]
    return found.drop_vars([c for c in found.coords if c not in found.dims]).rename(there)


def known_dates(
    path: Path, made: xr.Dataset, source: Source, fields: tuple[str, ...], now: Columns, run: str
) -> int:
    """Return how many dates of a run are stored and still hold.

    Parameters
    ----------
    path
        The results' store.
    made
        The results, lazy.
    source
        What they are made of.
    fields
        Names of the fields they are made of.
    now
        Traces of these fields.
    run
        Name of the run that the store must be of.

    Returns
    -------
    int
        The first dates of `made`; 0 if there is no such store.
    """
    if not path.exists():
        return 0
    there = open_panel(path)
    if there.attrs.get("run") != run:
        return 0
    dates, assets = there.indexes[DATE], there.indexes[ASSET]
    if len(dates) > made.sizes[DATE]:
        raise _panel.error(
            f"{path} goes on to {dates[-1]:%Y-%m-%d}",
            f"no date after {made.indexes[DATE][-1]:%Y-%m-%d}, the last one asked for",
            "Use a later end, or run it anew: without --resume and --only-new",
        )
    same_dates = dates.equals(made.indexes[DATE][: len(dates)])
    if not same_dates or not assets.equals(made.indexes[ASSET][: len(assets)]):
        return 0
    return min(source.unchanged(fields, read_table(path, TRACES), now), len(dates))


def bring_up(
    path: Path, made: xr.Dataset, known: int, traces: Columns, source: str, progress: bool
) -> int:
    """Write the dates that are not stored, or hold no more; what a killed try has written stays.

    Parameters
    ----------
    path
        The results' store.
    made
        The results, lazy: only the dates to be written are computed. Their attribute ``run``
        keeps chunks apart that were begun by another run.
    known
        As of `known_dates`.
    traces
        What the store is to remember of the source.
    source
        Digest of the source: keeps chunks apart that were begun from other values of it.
    progress
        Show a bar on standard error.

    Returns
    -------
    int
        Dates that a killed try has left written: they were not computed again.
    """
    with watching() as found:
        _write(path, made, known, traces, source, progress)
    return sum(found)


def _write(
    path: Path, made: xr.Dataset, known: int, traces: Columns, source: str, progress: bool
) -> None:
    there = open_panel(path).sizes[DATE] if known else 0
    tables = {TRACES: traces}
    if known == 0:
        write_panel(made, path, overwrite=True, resume=True, tables=tables, progress=progress)
        return
    made = made.assign_attrs(source=source)  # of the chunks; not published
    old, new = made.isel({DATE: slice(known, there)}), made.isel({DATE: slice(there, None)})
    restated = old.sizes[DATE] > 0
    if new.sizes[DATE]:
        # Until old dates are mended too, the store remembers that they are to be.
        done = None if restated else tables
        append_panel(new, path, resume=True, tables=done, progress=progress)
    if restated:
        update_panel(old, path, overwrite_missing=True, tables=tables, progress=progress)
