"""Ingest long tables of growing size: ``python -m tests.benchmarks.ingest``.

A Parquet file of eight columns (date, symbol, six numbers) is written and ingested, for each of the
``--rows``; each ingest is a process of its own, ``--repeat`` of them, and the median is shown with
the largest resident set. `order` is that of the rows: "date", as most vendors sort them, or
"random", in which every run holds every date. Memory must not grow with the rows.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.out_of_core import peak_rss
from xfactor.ingest import ingest_table

ASSETS, DATES = 2000, 20_000  # more rows than these are more assets
GROUP = 1 << 17
TABLE = "{:>13} {:>7} {:>8} {:>8} {:>10} {:>9} {:>8} {:>6}"
HEADS = ("rows", "order", "file MB", "seconds", "M rows/s", "CPU s", "peak MB", "load")


def batches(rows: int, order: str) -> Iterator[pa.Table]:
    """Rows of a made-up table of prices, some groups at a time."""
    rng = np.random.default_rng(0)
    assets = max(ASSETS, rows // DATES)
    symbols = pa.array([f"S{i:05d}" for i in range(assets)])
    dates = pd.bdate_range("1950-01-01", periods=rows // assets).to_numpy("datetime64[D]")
    # A multiplier prime to the number of cells visits each once, in an order far from sorted.
    step = 1 if order == "date" else 1_000_003
    total = len(dates) * assets
    for start in range(0, total, GROUP):
        cell = np.arange(start, min(start + GROUP, total)) * step % total
        close = np.round(rng.lognormal(3.0, 0.5, len(cell)), 2)
        yield pa.table(
            {
                "date": dates[cell // assets],
                "symbol": symbols.take(pa.array(cell % assets)),
                "open": np.round(close * 1.01, 2),
                "high": np.round(close * 1.02, 2),
                "low": np.round(close * 0.98, 2),
                "close": close,
                "volume": rng.integers(0, 10**7, len(cell)),
                "adjusted_close": close * 0.9,
            }
        )


def write(path: Path, rows: int, order: str) -> None:
    """Write the table."""
    found = batches(rows, order)
    first = next(found)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in found:
            writer.write_table(table)


def ingest(path: Path) -> dict[str, float]:
    """Ingest the table in this process."""
    started, used = time.perf_counter(), time.process_time()
    summary = ingest_table(path, path.with_suffix(".zarr"), overwrite=True)
    return {
        "rows": summary.rows_kept,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "peak": peak_rss(),
    }


def child(path: Path) -> dict[str, float]:
    """Ingest the table in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.ingest", "--child", str(path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def measure(folder: Path, rows: int, order: str, repeat: int) -> float:
    """Print one line of the table; return the peak in MB."""
    path = folder / f"{rows}.parquet"
    write(path, rows, order)
    found = [child(path) for _ in range(repeat)]
    seconds = statistics.median(f["seconds"] for f in found)
    peak = max(f["peak"] for f in found) / 1e6
    print(TABLE.format(
        f"{int(found[0]['rows']):,}", order, f"{path.stat().st_size / 1e6:.0f}", f"{seconds:.1f}",
        f"{found[0]['rows'] / seconds / 1e6:.2f}",
        f"{statistics.median(f['cpu'] for f in found):.1f}", f"{peak:.0f}",
        f"{os.getloadavg()[0]:.1f}",
    ), flush=True)  # fmt: skip
    path.unlink()
    shutil.rmtree(path.with_suffix(".zarr"))
    return peak


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000, 50_000_000])
    parser.add_argument("--order", nargs="+", default=["date", "random"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for the files (default: a temporary one)")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(ingest(chosen.child)))
        return
    print(TABLE.format(*HEADS), flush=True)
    with tempfile.TemporaryDirectory(prefix="xfactor-", dir=chosen.folder) as name:
        for order in chosen.order:
            peaks = [measure(Path(name), r, order, chosen.repeat) for r in chosen.rows]
            print(f"memory of the last over that of the first: {peaks[-1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
