"""A report: one page that needs nothing but itself."""

import os
import platform
import shlex
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pandas as pd

from xfactor import lecture, panel
from xfactor.report.elements import element, terms
from xfactor.report.inputs import Options, periods_per_year
from xfactor.report.measures import measured
from xfactor.report.sections import Section, headlines, sections
from xfactor.store import open_panel, panel_info
from xfactor.store.info import PanelInfo

LIBRARIES = ("xfactor", "numpy", "pandas", "xarray", "dask", "zarr", "numba", "scipy")
YEARS = ((0, "All"), (10, "10 years"), (5, "5 years"), (1, "1 year"))


def write_report(
    store: str | Path,
    path: str | Path,
    *,
    start: Any = None,
    end: Any = None,
    symbols: Sequence[str] | None = None,
    signals: Sequence[str] = (),
    fraction: float = 0.2,
    n: int | None = None,
    min_names: int = lecture.MIN_NAMES,
    window: int = 100,
    momentum: tuple[int, int] = (252, 21),
    horizons: Sequence[int] = (1, 5, 21),
    bins: int = 5,
    title: str | None = None,
    progress: bool = False,
) -> Path:
    """Write a page about a panel store: factors, betas, signals, risk, and the data themselves.

    The page is one HTML file that loads nothing: for a screen of any width, light or dark, and
    for print. It reads the store block by block, so one larger than memory will do.

    Parameters
    ----------
    store
        Panel store. What it lacks leaves out what depends on it, and the page says so: size
        needs ``market_cap``, value ``book_to_price``, momentum ``adjusted_close`` or ``close``,
        the market ``market_returns``; without ``returns`` they are those of the price. A bool
        field ``listed`` is the universe of the coverage.
    path
        File to write; one that is there is replaced when the new one is complete.
    start, end
        First and last date; the whole history if not given.
    symbols
        The portfolio whose betas, hedge and risk are shown, equal weights; by default the five
        largest companies of each date.
    signals
        Further fields (date, asset) that are treated like the characteristics: a factor that is
        long the high and short the low, an exposure, a signal.
    fraction, n
        Share or number of names in each leg of the factor portfolios.
    min_names
        Names that each leg needs on a date.
    window
        Dates of the rolling regressions.
    momentum
        Lookback and skip of the momentum characteristic, in dates.
    horizons
        Dates ahead over which signals are judged.
    bins
        Buckets of the signals.
    title
        Title of the page; the name of the store if not given.
    progress
        Show bars on standard error.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    PanelError
        If the store, a signal, a symbol or a date is missing, or an option cannot be used.

    Examples
    --------
    >>> import tempfile, xfactor as xf
    >>> from xfactor.report import write_report
    >>> panel, truth = xf.simulate_panel(dates=80, assets=40, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = xf.write_panel(panel[["close", "book_to_price"]], folder + "/panel.zarr")
    ...     page = write_report(store, folder + "/r.html", window=40, min_names=5).read_text()
    >>> "Factor portfolios" in page, "the store has no market_cap" in page
    (True, True)
    """
    chosen = {
        "start": start, "end": end, "symbols": _words("symbols", symbols or ()),
        "signals": _words("signals", signals), "fraction": fraction, "n": n,
        "min_names": min_names, "window": window, "momentum": tuple(momentum),
        "horizons": tuple(horizons), "bins": bins, "title": title,
    }  # fmt: skip
    fields = open_panel(store, start=start, end=end)
    info = panel_info(store)
    dates = fields.indexes[panel.DATE]
    options = _options(chosen, dates, progress)
    done = measured(fields, options)
    name = title or Path(str(store).rstrip("/")).name
    parts = sections(done, options, info)
    parts.append(
        Section("reproduce", "How to make this page again", _again(store, path, chosen, info))
    )
    top = headlines(done, info, dates, fields.sizes[panel.ASSET])
    return _publish(Path(path), _page(name, dates, fields.sizes[panel.ASSET], top, parts))


def _words(name: str, given: Sequence[str]) -> list[str]:
    if isinstance(given, str):
        raise panel.error(f"{name}={given!r} was given", "a list", f"Use {name}=[{given!r}]")
    return list(given)


def _options(chosen: Mapping[str, Any], dates: pd.DatetimeIndex, progress: bool) -> Options:
    skip = panel.positive("skip", chosen["momentum"][1], 0)
    horizons = tuple(panel.positive("horizons", h) for h in chosen["horizons"])
    if not horizons:
        raise panel.error("horizons is empty", "at least one", "Use e.g. (1, 5, 21)")
    return Options(
        chosen["symbols"] or None,
        chosen["signals"],
        chosen["fraction"],
        None if chosen["n"] is None else panel.positive("n", chosen["n"]),
        panel.positive("min_names", chosen["min_names"]),
        panel.positive("window", chosen["window"], 2),
        (panel.positive("lookback", chosen["momentum"][0], skip + 1), skip),
        tuple(sorted(set(horizons))),
        panel.positive("bins", chosen["bins"], 2),
        periods_per_year(dates),
        progress,
    )


def _page(
    name: str, dates: pd.DatetimeIndex, n_assets: int, top: str, parts: Sequence[Section]
) -> str:
    files = resources.files("xfactor.report")
    style, script = (files.joinpath(f).read_text("utf-8") for f in ("report.css", "report.js"))
    contents = "".join(f"<li>{element('a', s.title, href=f'#{s.name}')}</li>" for s in parts)
    buttons = "".join(
        f'<button type="button" data-years="{y}" aria-pressed="{str(y == 0).lower()}">{text}'
        "</button>"
        for y, text in YEARS
    )
    span = f"{dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}, {n_assets:,} assets"
    body = "".join(
        f'<section aria-labelledby="{s.name}"><h2 id="{s.name}" tabindex="-1">'
        f"{escape(s.title)}</h2>{s.html}</section>"
        for s in parts
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"{element('title', name + ', factor report')}<style>{style}</style></head><body>"
        '<a class="skip" href="#main">To the report</a>'
        f"<header>{element('h1', name)}{element('p', span, class_='soft')}{top}"
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav></header>'
        '<main id="main" tabindex="-1"><div class="range" role="group" '
        f'aria-label="Dates shown in the charts" hidden>{buttons}'
        '<label>from <input type="date"></label><label>to <input type="date"></label></div>'
        f"{body}</main>"
        f"<footer>Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Numbers in the tables are those "
        "of the whole history, whatever the range of the charts.</footer>"
        f"<script>{script}</script></body></html>\n"
    )


# --- how it was made ----------------------------------------------------------------------------


def _again(store: Any, path: Any, chosen: Mapping[str, Any], info: PanelInfo) -> str:
    defaults = write_report.__kwdefaults__ or {}
    own = {
        k: v for k, v in chosen.items()
        if v not in (None, [], ()) and v != defaults.get(k)
    }  # fmt: skip
    words = ["xfactor", "report", str(store), "-o", str(path)]
    for key, value in own.items():
        words += [OPTION[key], _text(value)]
    call = "".join(f",\n    {k}={v!r}" for k, v in own.items())
    python = f"from xfactor.report import write_report\n\nwrite_report(\n    {str(store)!r},\n    "
    python += f"{str(path)!r}{call},\n)"
    written = " by ".join(str(info.books[k]) for k in ("written", "by") if k in info.books)
    facts = [
        ("store", str(info.path)),
        ("its version", f"{info.books.get('version', 1)}" + (f", {written}" if written else "")),
        ("Python", f"{platform.python_version()} on {sys.platform}"),
        *[(k, _version(k)) for k in LIBRARIES],
    ]
    return f"{_code(' '.join(map(shlex.quote, words)))}{_code(python)}{terms(facts)}"


# The options of the command line, by the names of the function.
OPTION = {
    "start": "--start", "end": "--end", "symbols": "--portfolio", "signals": "--signals",
    "fraction": "--fraction", "n": "--names", "min_names": "--min-names", "window": "--window",
    "momentum": "--momentum", "horizons": "--horizons", "bins": "--bins", "title": "--title",
}  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, tuple):  # momentum has a dash, horizons have commas
        return ("-" if len(value) == 2 and value[0] > value[1] else ",").join(map(str, value))
    return str(value)


def _code(text: str) -> str:
    return f'<pre tabindex="0" role="region" aria-label="Code">{element("code", text)}</pre>'


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _publish(path: Path, text: str) -> Path:
    """Write beside the file, then rename: a reader or a kill never meets half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path
