"""``xfactor demo`` and ``xfactor run``: the lecture."""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dask

from xfactor import lecture, runs
from xfactor._plan import Plan
from xfactor.cli import cluster
from xfactor.cli.options import count, momentum, symbols, terminal
from xfactor.store import layout


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    _demo_parser(commands.add_parser(
        "demo", help="simulate a universe, run the lecture on it, compare with the truth"
    ))  # fmt: skip
    _run_parser(commands.add_parser("run", help="run the lecture on a panel store"))


def _demo_parser(p: argparse.ArgumentParser) -> None:
    p.add_argument("--dates", type=count, default=1260, help="sessions (default %(default)s)")
    p.add_argument("--assets", type=count, default=1000, help="assets (default %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="seed (default %(default)s)")
    p.add_argument("--out", type=Path, default=Path("xfactor-demo"), help="folder for the results")
    _legs_option(p)
    cluster.add_options(p)
    p.set_defaults(run=_demo)


def _run_parser(p: argparse.ArgumentParser) -> None:
    p.add_argument("store", help="folder or URL of the panel store")
    p.add_argument("--out", type=Path, default=Path("xfactor-run"), help="folder for the results")
    p.add_argument("--start", help="first date, e.g. 2013-01-01")
    p.add_argument("--end", help="last date")
    p.add_argument(
        "--portfolio", type=symbols, help="its symbols, e.g. MSFT,AAPL (default: the five largest)"
    )
    p.add_argument("--fraction", type=float, default=0.2, help="of the names in each leg (0.2)")
    p.add_argument("--names", type=count, help="names in each leg, instead of a fraction")
    _legs_option(p)
    p.add_argument("--window", type=count, default=100, help="dates of rolling betas (100)")
    p.add_argument(
        "--momentum", type=momentum, default=(252, 21), metavar="LOOKBACK-SKIP",
        help="dates of the momentum characteristic (252-21)",
    )  # fmt: skip
    going_on = p.add_mutually_exclusive_group()
    going_on.add_argument(
        "--resume", action="store_true",
        help="go on with the run in the folder where it was killed: finished dates stay",
    )  # fmt: skip
    going_on.add_argument(
        "--only-new", action="store_true",
        help="compute just the dates appended, or restated, since the run in the folder",
    )  # fmt: skip
    p.add_argument(
        "--plan", action="store_true",
        help="say what it will take (tasks, bytes read, memory) and compute nothing",
    )  # fmt: skip
    cluster.add_options(p)
    p.set_defaults(run=_run)


def _legs_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--min-names", type=count, default=lecture.MIN_NAMES,
        help="names that each leg of a factor needs on a date (%(default)s)",
    )  # fmt: skip


def _demo(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    with cluster.running(args) as workers:
        chunk_dates, threads = _chunks_and_threads(args, workers)
        print(f"Simulating {args.dates} dates x {args.assets} assets, seed {args.seed}.\n")
        with dask.config.set(num_workers=threads):
            result = runs.run_demo(
                args.out, dates=args.dates, assets=args.assets, seed=args.seed,
                chunk_dates=chunk_dates, min_names=args.min_names, progress=terminal(),
            )  # fmt: skip
    _print(result, started)


def _chunks_and_threads(args: argparse.Namespace, workers: int | None) -> tuple[int, int]:
    """Choose dates in a chunk and threads that stay below the limit: the largest that do."""
    limit, threads = cluster.memory_of(args), os.cpu_count() or 1
    if limit is None:
        return layout.CHUNK_DATES, threads
    plans = partial(
        runs.planned_demo, args.dates, args.assets, workers=workers or 0, memory_limit=limit
    )
    for dates in (layout.CHUNK_DATES, 128, 64):  # a thread saves little, a chunk saves much
        for n in range(threads, 0, -1):
            planned = plans(dates, threads=n)
            if planned.fits:
                return dates, n
    planned.check()
    return dates, 1


def _run(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    legs = {"fraction": args.fraction, "n": args.names, "min_names": args.min_names}
    asked = {"start": args.start, "end": args.end, "window": args.window,
             "momentum": args.momentum, **legs}  # fmt: skip
    with cluster.running(args) as workers:
        planned = partial(runs.planned_lecture, args.store, **asked)
        if args.plan:
            print(planned(workers=workers or 0, memory_limit=cluster.memory_of(args)))
            return
        threads = threads_within(args, workers, planned)
        with dask.config.set(num_workers=threads):
            result = runs.run_lecture(
                args.store, args.out, symbols=args.portfolio, resume=args.resume,
                only_new=args.only_new, progress=terminal(), **asked,
            )  # fmt: skip
    _print(result, started)


def threads_within(
    args: argparse.Namespace, workers: int | None, planned: Callable[..., Plan]
) -> int:
    """Return as many threads as fit the limit.

    Raises
    ------
    PanelError
        If not even one thread fits.
    """
    limit, threads = cluster.memory_of(args), os.cpu_count() or 1
    if limit is None:
        return threads
    for n in range(threads, 0, -1):
        found = planned(workers=workers or 0, threads=n, memory_limit=limit)
        if found.fits:
            return n
    found.check()
    return 1


def _print(result: runs.LectureRun, started: float) -> None:
    print(f"{result.note}\n\n{result.text}" if result.note else result.text)
    if result.files:
        print("\nWritten:")
    for path in result.files:
        print(f"  {path}")
    print(f"\nDone in {time.perf_counter() - started:.1f} s.")
