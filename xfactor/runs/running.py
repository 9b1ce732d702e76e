"""The lecture on a store, and on a simulated one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from xfactor import __version__, _apply, cross_section, lecture, plot
from xfactor import panel as _panel
from xfactor.runs import record as records
from xfactor.runs.record import Record
from xfactor.runs.results import (
    RESULTS,
    bring_up,
    known_dates,
    loadings,
    stored_part,
    whole_part,
)
from xfactor.runs.truth import last_truth, true_loadings, truth_beside
from xfactor.simulate import simulate_panel
from xfactor.store import gc_panel_store, open_panel, write_panel
from xfactor.store.sources import Columns, Source, digest, source
from xfactor.text import lecture_text

DATE, ASSET = _panel.DATE, _panel.ASSET
FIELDS = ("returns", "market_cap", "book_to_price", "market_returns")
TRUTH = ("factor_returns", "exposure")  # what the demo writes of it


@dataclass(frozen=True)
class LectureRun:
    """What a run gives: computed results of both approaches, the text, and the files written.

    ``note`` says what was computed, where a run went on with an earlier one.
    """

    one: xr.Dataset
    two: xr.Dataset
    text: str
    files: list[Path]
    note: str = ""


def run_lecture(
    store: str | Path,
    out: str | Path,
    *,
    start: Any = None,
    end: Any = None,
    symbols: list[str] | None = None,
    fraction: float = 0.2,
    n: int | None = None,
    min_names: int = lecture.MIN_NAMES,
    window: int = 100,
    momentum: tuple[int, int] = (252, 21),
    truth: xr.Dataset | None = None,
    resume: bool = False,
    only_new: bool = False,
    progress: bool = False,
) -> LectureRun:
    """Run both approaches of the lecture on a panel store; save results and pictures.

    What is a value of a date goes to ``factors.zarr``, block by block of dates; what the whole
    history gives (static sensitivities, premia) is computed from that.

    Parameters
    ----------
    store
        Panel store with ``returns``, ``market_cap``, ``book_to_price``, ``market_returns`` and
        ``adjusted_close`` or ``close``.
    out
        Folder for the pictures, for ``factors.zarr`` and for ``run.json``, which says what was
        asked. The store has ``factor_return`` (date, factor) and ``portfolio_return`` (date,) of
        approach 1, ``beta`` (date, asset, factor), the rolling betas of every asset, and
        ``beta_quantile`` (date, factor, quantile) of them; of approach 2
        ``regression_factor_return``, ``regression_stderr``, ``regression_tvalue``
        (date, regressor), ``regression_rsquared`` and ``regression_n_obs`` (date,).
    start, end
        First and last date; the whole history if not given.
    symbols
        The portfolio whose sensitivities are wanted, equal weights; by default the five largest
        companies of each date.
    fraction, n
        Share or number of names in each leg of the factor portfolios.
    min_names
        Names that each leg needs on a date.
    window
        Dates of the rolling regressions.
    momentum
        Lookback and skip of the momentum characteristic, in dates.
    truth
        Truth of a simulation, opened from a store, to be shown beside the estimates.
    resume
        Go on with the run in `out` where it failed or was killed: blocks of dates that it has
        written are not computed again. Without such a run begin one.
    only_new
        Compute just the dates that were appended to the store since the run in `out`, and those
        from the first chunk on whose values were restated. The results are those of a run on
        everything, to the bit; if assets were listed in between, older dates may differ in the
        last digits, for sums over more assets are put together in another order. Without a run
        in `out` compute all.
    progress
        Show bars on standard error.

    Returns
    -------
    LectureRun
        Results. Its text says so, and no file is written, where `only_new` finds nothing new.

    Raises
    ------
    PanelError
        If the store, a field or a date is missing, or the history is too short. With `resume` or
        `only_new`, if the run in `out` was of another store, other options or another release; with
        `resume`, if the store has changed since it began.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> from xfactor import runs
    >>> panel, truth = xf.simulate_panel(dates=130, assets=60, seed=1)
    >>> options = {"momentum": (40, 5), "window": 30, "min_names": 5, "only_new": True}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel.isel(date=slice(120)), folder + "/panel.zarr")
    ...     first = runs.run_lecture(path, folder + "/out", **options)
    ...     path = xf.append_panel(panel.isel(date=slice(120, None)), path)
    ...     second = runs.run_lecture(path, folder + "/out", **options)
    >>> second.note
    'Computed 10 dates, from 2000-06-19 on.'
    """
    if resume and only_new:
        raise _panel.error("resume and only_new were given", "one of them", "Leave one out")
    out = Path(out)
    given = source(store, start=start, end=end)
    check_fields(given.panel, store, momentum, window)
    held = None if symbols is None else lecture.named_portfolio(given.panel, symbols)
    legs: dict[str, Any] = {"fraction": fraction, "n": n, "min_names": min_names}
    made = lazily(given.panel, held, truth, window, momentum, legs)
    fields = (*FIELDS, "adjusted_close" if "adjusted_close" in given.panel else "close")
    now = given.traces(fields)
    asked = Record(
        {
            "store": _place(store),
            "start": None if start is None else str(start),
            "portfolio": None if held is None else _assets(held),
            **legs,
            "window": window,
            "momentum": list(momentum),
            "truth": truth is not None,
            "release": __version__,
        },
        digest(now),
    )
    run, known, say = _going_on(out, made, given, fields, now, asked, resume, only_new)
    dates = made.indexes[DATE]
    written = known
    nothing = only_new and run.finished and known == len(dates)
    if not nothing:
        out.mkdir(parents=True, exist_ok=True)
        run = replace(run, source=asked.source, finished=False).save(out)
        if known < len(dates):
            made = made.assign_attrs(run=run.run)
            traces = given.from_date(now, known)
            written += bring_up(out / RESULTS, made, known, traces, run.source, progress)
        else:  # killed after its last write was published: what that left is swept by the next
            gc_panel_store(out / RESULTS)
    stored = open_panel(out / RESULTS)
    one, two = whole_part(stored, window)
    if nothing:
        text = f"Nothing new: {out / RESULTS} has all {len(dates):,} dates of {store}"
        return LectureRun(one, two, f"{text}, to {dates[-1]:%Y-%m-%d}.", [])
    text, files = _shown(out, given.panel, stored, one, two, truth, window)
    run = replace(run, finished=True).save(out)
    return LectureRun(one, two, text, [out / RESULTS, *files], say(written))


def check_fields(
    fields: xr.Dataset, store: str | Path, momentum: tuple[int, int], window: int
) -> None:
    """Refuse a panel that the lecture cannot run on."""
    for name in FIELDS:
        _panel.field(fields, name)
    needed = momentum[0] + window + 2
    if fields.sizes[DATE] < needed:
        raise _panel.error(
            f"{store} has {fields.sizes[DATE]} dates in this range",
            f"at least {needed} for a momentum of {momentum[0]} and a window of {window} dates",
            "Use a longer range, or --momentum 60-5 --window 40",
        )


def lazily(
    fields: xr.Dataset, held: xr.DataArray | None, truth: xr.Dataset | None, window: int,
    momentum: tuple[int, int], legs: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    """Return what is to be stored."""
    traits = lecture.characteristics(fields, lookback=momentum[0], skip=momentum[1])
    weights = lecture.largest_names(fields) if held is None else held
    one = lecture.approach_one(fields, traits, weights, window=window, **legs)
    two = lecture.approach_two(fields, traits)
    beside = None
    if truth is not None:
        beside = true_loadings(truth, lecture.factor_portfolios(traits, **legs), weights)
    return stored_part(one, two, beside, max(fields.chunksizes[DATE]))


def _going_on(
    out: Path, made: xr.Dataset, given: Source, fields: tuple[str, ...], now: Columns,
    asked: Record, resume: bool, only_new: bool,
) -> tuple[Record, int, Callable[[int], str]]:  # fmt: skip
    """Return the run to go on with, or a new one; the dates that it has published.

    And what is to be said, given how many dates it had written, published or not.
    """
    there = records.read(out) if resume or only_new else None
    if there is None:
        return asked.anew(), 0, lambda _: ""
    records.check_same(there, asked, out)
    if resume and there.source != asked.source:
        raise _panel.error(
            f"the store has changed since the run in {out} began",
            "the values that it began with",
            "Use --only-new, which computes what is new, or run it anew: without --resume",
        )
    known = known_dates(out / RESULTS, made, given, fields, now, there.run)
    if known == 0 and there.source != asked.source:
        there = asked.anew()  # or it would take over chunks begun from other values
    dates = made.indexes[DATE]
    if resume or known == len(dates):
        went_on = f"Went on with the run in {out}: it had"
        return there, known, lambda n: f"{went_on} {n:,} of {len(dates):,} dates."
    new = f"Computed {len(dates) - known:,} dates, from {dates[known]:%Y-%m-%d} on."
    return there, known, lambda _: new


def _shown(
    out: Path, fields: xr.Dataset, stored: xr.Dataset, one: xr.Dataset, two: xr.Dataset,
    truth: xr.Dataset | None, window: int,
) -> tuple[str, list[Path]]:  # fmt: skip
    """Return the tables; draw the pictures."""
    known, true_returns = None, None
    day = fields.book_to_price.isel({DATE: [-1]})
    if truth is not None:
        last, recent = _apply.compute(stored.beta.isel({DATE: -1}), last_truth(truth, window))
        known, true_returns = (
            truth_beside(one, two, loadings(stored), recent, last),
            recent.factor_returns,
        )
    text = lecture_text(one, two, known)
    (snapshot,) = _apply.compute(_snapshot(day))
    return text, plot.lecture_plots(one, two, snapshot, out, true_returns)


def _snapshot(day: xr.DataArray) -> xr.Dataset:
    """z-scores of one date, plain and winsorized: the lecture's two histograms."""
    both = {"raw": cross_section.zscore(day), "winsorized": cross_section.standardize(day)}
    return xr.Dataset(both).isel({DATE: 0})


def _place(store: str | Path) -> str:
    return str(store) if "://" in str(store) else str(Path(store).resolve())


def _assets(held: xr.DataArray) -> list[Any]:
    """Labels of the assets that a portfolio holds throughout: its symbols may change hands."""
    first = held.isel({DATE: 0}).load()
    return first[ASSET].values[first.notnull().values].tolist()


def run_demo(
    out: str | Path,
    *,
    dates: int = 1260,
    assets: int = 1000,
    seed: int = 0,
    chunk_dates: int = 256,
    min_names: int = lecture.MIN_NAMES,
    progress: bool = False,
) -> LectureRun:
    """Simulate a universe, write it to a store, run the lecture on it, show the truth beside.

    Parameters
    ----------
    out
        Folder for the stores ``panel.zarr`` and ``truth.zarr``, the results and the pictures.
    dates, assets, seed
        Size of the universe, and the seed that determines it.
    chunk_dates
        Dates in a chunk: smaller ones need less memory.
    min_names
        Names that each leg needs on a date.
    progress
        Show bars on standard error.

    Returns
    -------
    LectureRun
        Results.
    """
    universe, truth = simulate_panel(dates=dates, assets=assets, seed=seed, chunk_dates=chunk_dates)
    out = Path(out)
    store = write_panel(universe, out / "panel.zarr", overwrite=True, progress=progress)
    kept = truth[list(TRUTH)]
    known = write_panel(kept, out / "truth.zarr", overwrite=True, progress=progress)
    run = run_lecture(store, out, truth=open_panel(known), min_names=min_names, progress=progress)
    return replace(run, files=[store, known, *run.files])
