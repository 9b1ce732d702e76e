"""The whole lecture by xfactor, duckdb and polars: ``python -m tests.benchmarks.peers``.

The task is that of `task`; with --parts, parts of it beside zipline and alphalens too, which start
from frames in memory where the others read from disk. Each side runs in a process of its own, in
turn with the others, first on a tiny panel; its answers must be xfactor's. "read" is reading the
chunks of the same fields with bare Zarr by as many threads. "cpu s" is user and system time of all
threads, which other load moves less than the wall clock.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.peers.market import write
from tests.benchmarks.peers.parts import parts, peer_python
from tests.benchmarks.peers.sides import Side, measure, table
from tests.benchmarks.peers.task import TINY, Size

XFACTOR = Side("xfactor", "in_xfactor", "lecture")
READ = Side("read (bare zarr)", "in_xfactor", "read", compared=False)
DUCKDB = Side("duckdb", "in_duckdb", "lecture", needs=("duckdb",))
POLARS = Side("polars", "in_polars", "lecture", needs=("polars",))
IN_MEMORY = [XFACTOR, READ, DUCKDB, POLARS]

GB = 10**9
OUT_OF_CORE = [
    Side("xfactor, 1 GB", "in_xfactor", "lecture", cap=GB),
    READ,
    Side("duckdb, 1 GB", "in_duckdb", "lecture", {"memory": "1GB"}, needs=("duckdb",)),
    Side("duckdb, 2 GB", "in_duckdb", "lecture", {"memory": "2GB"}, needs=("duckdb",)),
    Side("polars, streaming", "in_polars", "lecture", {"streaming": True}, needs=("polars",)),
]


def prepare(folder: Path, size: Size) -> None:
    """Write the panel and the tiny one."""
    for where, own in ((folder, size), (folder / "tiny", TINY)):
        if not (where / "panel.zarr").exists():
            where.mkdir(parents=True, exist_ok=True)
            write(where, own)


def chosen_size(args: argparse.Namespace) -> Size:
    """The size asked for."""
    dates, assets = (252, 5000) if args.small else (5000, 8000) if args.large else (2520, 5000)
    dates, assets = args.dates or dates, args.assets or assets
    return Size(dates, assets, min(1000, assets // 5), args.threads)


def options() -> argparse.ArgumentParser:
    """What may be asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dates", type=int, help="(2520)")
    parser.add_argument("--assets", type=int, help="(5000)")
    parser.add_argument("--small", action="store_true", help="252 x 5000")
    parser.add_argument("--large", action="store_true", help="5000 x 8000, with limits of memory")
    parser.add_argument("--parts", action="store_true", help="parts of it, also by others")
    parser.add_argument("--peer-venv", type=Path, help="environment of zipline and alphalens, "
                        "made if it is not there (default: this one)")  # fmt: skip
    parser.add_argument("--repeats", type=int, help="of each side (5; 1 with --large)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sides", nargs="+", help="only these, by the first word of their name")
    parser.add_argument("--folder", type=Path, help="for the panels, kept and used again")
    return parser


def wanted(sides: list[Side], names: list[str] | None) -> list[Side]:
    """The sides asked for."""
    return [s for s in sides if names is None or s.name.split(",")[0].split()[0] in names]


def whole(args: argparse.Namespace, folder: Path, size: Size) -> bool:
    """Print the table of the whole lecture; say whether something failed."""
    sides = wanted(OUT_OF_CORE if args.large else IN_MEMORY, args.sides)
    results = measure(sides, folder, size, args.repeats or (1 if args.large else 5))
    print(table(sides, results))
    named = {s.name.split(",")[0].split()[0]: m for s, m in zip(sides, results, strict=True)}
    if {"xfactor", "read"} <= set(named):
        ratio = named["xfactor"].median / named["read"].median
        print(f"whole lecture / read: {ratio:.2f}")
    return any(m.failed for m in results)


def in_parts(args: argparse.Namespace, folder: Path, size: Size) -> bool:
    """Print a table for each part; say whether something failed."""
    failed = False
    for title, all_sides in parts(peer_python(args.peer_venv)).items():
        sides = wanted(all_sides, args.sides)
        results = measure(sides, folder, size, args.repeats or 3)
        print(f"\n{title}\n{table(sides, results)}", flush=True)
        failed |= any(m.failed for m in results)
    return failed


def main() -> int:
    """Measure and print."""
    args = options().parse_args()
    size = chosen_size(args)
    # Panels that are kept have the folder of their size.
    kept = args.folder and args.folder / f"{size.dates}-{size.assets}"
    folder = kept or Path(tempfile.mkdtemp(prefix="xfactor-"))
    try:
        prepare(folder, size)
        print(f"{size.dates} x {size.assets}, {size.threads} threads, "
              f"load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
        failed = (in_parts if args.parts else whole)(args, folder, size)
        print(f"load {os.getloadavg()[0]:.1f}")
    finally:
        if args.folder is None:
            shutil.rmtree(folder)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
