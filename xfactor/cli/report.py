"""``xfactor report``: a page about a store."""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import dask

from xfactor import runs
from xfactor._plan import Plan
from xfactor.cli.cluster import memory_option
from xfactor.cli.lecture import threads_within
from xfactor.cli.options import count, counts, momentum, symbols, terminal
from xfactor.lecture import MIN_NAMES
from xfactor.store import open_panel


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``xfactor report``."""
    p = commands.add_parser("report", help="a page about a panel store: factors, signals, data")
    p.add_argument("store", help="folder or URL of the store")
    p.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="HTML file")
    p.add_argument("--start", help="first date, e.g. 2013-01-01")
    p.add_argument("--end", help="last date")
    p.add_argument("--title", help="title of the page (default: name of the store)")
    p.add_argument(
        "--portfolio", type=symbols, help="its symbols, e.g. MSFT,AAPL (default: the five largest)"
    )
    p.add_argument(
        "--signals", type=symbols, default=[], help="further fields to sort by, e.g. roe,accruals"
    )
    p.add_argument("--fraction", type=float, default=0.2, help="of the names in each leg (0.2)")
    p.add_argument("--names", type=count, help="names in each leg, instead of a fraction")
    p.add_argument(
        "--min-names", type=count, default=MIN_NAMES,
        help="names that each leg of a factor needs on a date (%(default)s)",
    )  # fmt: skip
    p.add_argument("--window", type=count, default=100, help="dates of rolling betas (100)")
    p.add_argument(
        "--momentum", type=momentum, default=(252, 21), metavar="LOOKBACK-SKIP",
        help="dates of the momentum characteristic (252-21)",
    )  # fmt: skip
    p.add_argument(
        "--horizons", type=counts, default=(1, 5, 21), help="dates ahead of the signals (1,5,21)"
    )
    p.add_argument("--bins", type=count, default=5, help="buckets of the signals (5)")
    memory_option(p)
    p.set_defaults(run=_report)


def _planned(store: str, asked: dict[str, Any], **limits: Any) -> Plan:
    """Plan the lecture, the largest of what the page computes one after another.

    A page can be made of fewer dates than the lecture needs: it is planned with shorter windows.
    """
    dates = open_panel(store, start=asked["start"], end=asked["end"]).sizes["date"]
    lookback, skip = asked["momentum"]
    short = {
        "window": max(2, min(asked["window"], dates // 4)),
        "momentum": (max(2, min(lookback, dates // 2)), min(skip, max(1, dates // 2) - 1)),
    }
    return runs.planned_lecture(store, **(asked | short), **limits)


def _report(args: argparse.Namespace) -> None:
    from xfactor.report import write_report  # brings matplotlib, which the others do not need

    started = time.perf_counter()
    asked = {"start": args.start, "end": args.end, "window": args.window,
             "momentum": args.momentum, "fraction": args.fraction, "n": args.names,
             "min_names": args.min_names}  # fmt: skip
    threads = threads_within(args, None, partial(_planned, args.store, asked))
    with dask.config.set(num_workers=threads):
        path = write_report(
            args.store, args.output, symbols=args.portfolio, signals=args.signals,
            horizons=args.horizons, bins=args.bins, title=args.title, progress=terminal(), **asked,
        )  # fmt: skip
    print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB, {time.perf_counter() - started:.1f} s.")
