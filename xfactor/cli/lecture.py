"""``xfactor demo`` and ``xfactor run``: the lecture."""

import argparse
import math
import os
import time
from pathlib import Path

import dask

from xfactor import lecture, runs
from xfactor.cli import cluster
from xfactor.cli.options import count, momentum, symbols, terminal
from xfactor.panel import error
from xfactor.store import layout, open_panel

# Peak memory of the lecture: what the interpreter, the libraries and the compiled kernels need,
# and arrays of the size of one chunk, most of them for the graph and a few for each thread.
# `python -m tests.benchmarks.out_of_core --calibrate` prints measured peaks beside the plan.
BASE_BYTES = 600_000_000
ARRAYS = 100
ARRAYS_PER_THREAD = 10


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
    p.add_argument("store", type=Path, help="panel store")
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
    chunk_dates, threads = plan(args.assets, args.memory_limit, layout.CHUNK_DATES)
    print(f"Simulating {args.dates} dates x {args.assets} assets, seed {args.seed}.\n")
    with cluster.running(args), dask.config.set(num_workers=threads):
        result = runs.run_demo(
            args.out, dates=args.dates, assets=args.assets, seed=args.seed,
            chunk_dates=chunk_dates, min_names=args.min_names, progress=terminal(),
        )  # fmt: skip
    _print(result, started)


def _run(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    sizes = open_panel(args.store, start=args.start, end=args.end)
    stored = max(sizes.chunksizes["date"])
    _, threads = plan(sizes.sizes["asset"], args.memory_limit, stored, fixed=True)
    with cluster.running(args), dask.config.set(num_workers=threads):
        result = runs.run_lecture(
            args.store, args.out, start=args.start, end=args.end,
            symbols=args.portfolio,
            fraction=args.fraction, n=args.names, min_names=args.min_names, window=args.window,
            momentum=args.momentum,
            resume=args.resume, only_new=args.only_new,
            progress=terminal(),
        )  # fmt: skip
    _print(result, started)


def plan(
    n_assets: int, limit: int | None, chunk_dates: int, fixed: bool = False
) -> tuple[int, int]:
    """Choose dates in a chunk and threads so that the lecture stays below a memory limit.

    Parameters
    ----------
    n_assets
        Assets of the panel.
    limit
        Bytes; None for no limit.
    chunk_dates
        Dates in a chunk, at the most.
    fixed
        The chunks are there already: only the threads can be chosen.

    Returns
    -------
    tuple of int
        Dates in a chunk, threads.

    Raises
    ------
    PanelError
        If the limit is too small.
    """
    threads = os.cpu_count() or 1
    if limit is None:
        return chunk_dates, threads
    sizes = [chunk_dates] if fixed else [chunk_dates, 128, 64]
    for dates in sizes:  # a thread saves little, a chunk saves much
        for workers in range(threads, 0, -1):
            if peak(dates, n_assets, workers) <= limit:
                return dates, workers
    least = peak(dates, n_assets, 1)
    raise error(
        f"--memory-limit is {limit / 1e9:.3g} GB",
        f"about {least / 1e9:.3g} GB for chunks of {dates} dates x {n_assets} assets",
        f"Use --memory-limit {math.ceil(least / 1e8) / 10}GB"
        + (", or a store of smaller chunks" * fixed),
    )


def peak(dates: int, n_assets: int, threads: int) -> float:
    """Return the bytes that the lecture needs."""
    return BASE_BYTES + (ARRAYS + threads * ARRAYS_PER_THREAD) * dates * n_assets * 8


def _print(result: runs.LectureRun, started: float) -> None:
    print(f"{result.note}\n\n{result.text}" if result.note else result.text)
    if result.files:
        print("\nWritten:")
    for path in result.files:
        print(f"  {path}")
    print(f"\nDone in {time.perf_counter() - started:.1f} s.")
