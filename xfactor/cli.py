"""The command line: parse, call one function, print."""

import argparse
import math
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import dask

from xfactor import __version__, ingest, lecture, runs
from xfactor.panel import PanelError, error
from xfactor.store import layout, open_panel

# Peak memory of the lecture: what the interpreter, the libraries and the compiled kernels need,
# and arrays of the size of one chunk, most of them for the graph and a few for each thread.
# `python -m tests.benchmarks.out_of_core --calibrate` prints measured peaks beside the plan.
BASE_BYTES = 600_000_000
ARRAYS = 100
ARRAYS_PER_THREAD = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments after the program's name; those of the process if not given.

    Returns
    -------
    int
        Exit status: 0, or 2 if the input could not be used.
    """
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except PanelError as problem:
        print(f"xfactor: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        where = f" ({problem.filename})" if problem.filename else ""
        print(
            f"xfactor: {problem.strerror or problem}{where}; needed a file or folder to read or "
            "write. Check the path, the rights and the space.",
            file=sys.stderr,
        )
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xfactor", description="Fundamental factor models, out of core."
    )
    parser.add_argument("--version", action="version", version=f"xfactor {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _demo_parser(commands.add_parser(
        "demo", help="simulate a universe, run the lecture on it, compare with the truth"
    ))  # fmt: skip
    _run_parser(commands.add_parser("run", help="run the lecture on a panel store"))
    kinds = commands.add_parser("ingest", help="turn files into a panel store")
    _ingest_parsers(kinds.add_subparsers(required=True, metavar="WHAT"))
    return parser


def _demo_parser(p: argparse.ArgumentParser) -> None:
    p.add_argument("--dates", type=_count, default=1260, help="sessions (default %(default)s)")
    p.add_argument("--assets", type=_count, default=1000, help="assets (default %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="seed (default %(default)s)")
    p.add_argument("--out", type=Path, default=Path("xfactor-demo"), help="folder for the results")
    _legs_option(p)
    _memory_option(p)
    p.set_defaults(run=_demo)


def _run_parser(p: argparse.ArgumentParser) -> None:
    p.add_argument("store", type=Path, help="panel store")
    p.add_argument("--out", type=Path, default=Path("xfactor-run"), help="folder for the results")
    p.add_argument("--start", help="first date, e.g. 2013-01-01")
    p.add_argument("--end", help="last date")
    p.add_argument(
        "--portfolio", type=_symbols, help="its symbols, e.g. MSFT,AAPL (default: the five largest)"
    )
    p.add_argument("--fraction", type=float, default=0.2, help="of the names in each leg (0.2)")
    p.add_argument("--names", type=_count, help="names in each leg, instead of a fraction")
    _legs_option(p)
    p.add_argument("--window", type=_count, default=100, help="dates of rolling betas (100)")
    p.add_argument(
        "--momentum", type=_momentum, default=(252, 21), metavar="LOOKBACK-SKIP",
        help="dates of the momentum characteristic (252-21)",
    )  # fmt: skip
    _memory_option(p)
    p.set_defaults(run=_run)


def _ingest_parsers(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    p = kinds.add_parser("prices", help="long table of daily prices -> a new store")
    p.add_argument("source", type=Path, help="Parquet or CSV(.gz): date, symbol, close ...")
    p.add_argument("store", type=Path, help="panel store to make")
    p.add_argument("--market", type=Path, help="prices of an index fund: market_returns")
    p.add_argument("--overwrite", action="store_true", help="replace a store that is there")
    _columns_option(p)
    p.set_defaults(run=_ingest_prices)
    p = kinds.add_parser("fundamentals", help="table of reports -> fields of a store")
    p.add_argument("source", type=Path, help="Parquet or CSV(.gz): symbol, period end, items")
    p.add_argument("store", type=Path, help="panel store to add to")
    p.add_argument("--securities", type=Path, help="table of symbols and sectors")
    p.add_argument("--lag-days", type=int, default=90, help="days from period end to known (90)")
    p.add_argument("--max-age-days", type=int, default=550, help="days until stale (550)")
    _columns_option(p)
    p.set_defaults(run=_ingest_fundamentals)


def _columns_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--columns", type=_column, action="append", default=[], metavar="OURS=THEIRS",
        help="name of a column in the file, e.g. asset=Ticker (may be repeated)",
    )  # fmt: skip


def _legs_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--min-names", type=_count, default=lecture.MIN_NAMES,
        help="names that each leg of a factor needs on a date (%(default)s)",
    )  # fmt: skip


def _memory_option(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--memory-limit", type=_bytes, metavar="SIZE",
        help="e.g. 2GB: use fewer threads and smaller chunks to stay below it, or refuse",
    )  # fmt: skip


# --- the commands -------------------------------------------------------------------------------


def _demo(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    chunk_dates, threads = plan(args.assets, args.memory_limit, layout.CHUNK_DATES)
    print(f"Simulating {args.dates} dates x {args.assets} assets, seed {args.seed}.\n")
    with dask.config.set(num_workers=threads):
        result = runs.run_demo(
            args.out, dates=args.dates, assets=args.assets, seed=args.seed,
            chunk_dates=chunk_dates, min_names=args.min_names, progress=_terminal(),
        )  # fmt: skip
    _print(result, started)


def _run(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    sizes = open_panel(args.store, start=args.start, end=args.end)
    stored = max(sizes.chunksizes["date"])
    _, threads = plan(sizes.sizes["asset"], args.memory_limit, stored, fixed=True)
    with dask.config.set(num_workers=threads):
        result = runs.run_lecture(
            args.store, args.out, start=args.start, end=args.end,
            symbols=args.portfolio,
            fraction=args.fraction, n=args.names, min_names=args.min_names, window=args.window,
            momentum=args.momentum,
            progress=_terminal(),
        )  # fmt: skip
    _print(result, started)


def _ingest_prices(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_prices(
            args.source, args.store, market=args.market, columns=dict(args.columns),
            overwrite=args.overwrite, progress=_terminal(),
        )
    )  # fmt: skip


def _ingest_fundamentals(args: argparse.Namespace) -> None:
    print(
        ingest.ingest_fundamentals(
            args.source, args.store, securities=args.securities, lag_days=args.lag_days,
            max_age_days=args.max_age_days, columns=dict(args.columns), progress=_terminal(),
        )
    )  # fmt: skip


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
            if _peak(dates, n_assets, workers) <= limit:
                return dates, workers
    least = _peak(dates, n_assets, 1)
    raise error(
        f"--memory-limit is {limit / 1e9:.3g} GB",
        f"about {least / 1e9:.3g} GB for chunks of {dates} dates x {n_assets} assets",
        f"Use --memory-limit {math.ceil(least / 1e8) / 10}GB"
        + (", or a store of smaller chunks" * fixed),
    )


def _peak(dates: int, n_assets: int, threads: int) -> float:
    return BASE_BYTES + (ARRAYS + threads * ARRAYS_PER_THREAD) * dates * n_assets * 8


def _print(result: runs.LectureRun, started: float) -> None:
    print(result.text)
    print("\nWritten:")
    for path in result.files:
        print(f"  {path}")
    print(f"\nDone in {time.perf_counter() - started:.1f} s.")


def _terminal() -> bool:
    """Show progress to people, not to log files."""
    return sys.stderr.isatty()


# --- option types -------------------------------------------------------------------------------


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(i?)[bB]?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write e.g. 2GB or 500MB")
    return int(
        float(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2].lower() or " ")
    )


def _symbols(text: str) -> list[str]:
    return [s.strip() for s in text.split(",") if s.strip()]


def _momentum(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair of dates; write e.g. 252-21")
    if int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r}: the first must exceed the second, e.g. 252-21")
    return int(match[1]), int(match[2])


def _column(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise argparse.ArgumentTypeError(f"{text!r} is no pair; write e.g. asset=Ticker")
    return ours, theirs


if __name__ == "__main__":
    sys.exit(main())
