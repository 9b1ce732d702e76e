"""Time the way from records to fields: ``python -m tests.benchmarks.records``.

Quarterly records of 5,000 assets, many of them restated, onto 2,520 dates: sorting them, laying
them out, and the values of all dates, a block at a time; and the memory at the peak beside that of
the records themselves.
"""

import argparse
import resource
import time

import numpy as np

from xfactor.ingest.records import Records, sort_records
from xfactor.ingest.windows import history, parse_rule

DATES = np.arange("2010-01-01", "2019-12-31", dtype="datetime64[D]").astype("datetime64[ns]")
RULES = ("latest(x)", "ttm(x)", "yoy(x)", "last_n(x, 8, mean)")
BLOCK = 256
DAY = np.timedelta64(1, "D")


def draw(rows: int, assets: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Records in no order: quarters of 12 years, each of them restated some times."""
    rng = np.random.default_rng(seed)
    asset = rng.integers(0, assets, rows)
    quarter = rng.integers(0, 48, rows)
    end = (np.datetime64("2008-01", "M") + 3 * (quarter + 1)).astype("datetime64[D]") - DAY
    known = end + rng.integers(20, 800, rows) * DAY
    return asset, known.astype("datetime64[ns]"), end.astype("datetime64[ns]"), rng.random(rows)


def lay_out(records: Records, rule: str, dates: np.ndarray, assets: int) -> tuple[float, float]:
    """Return the seconds until the blocks can be made, and those that all of them take."""
    start = time.perf_counter()
    line = history(records, parse_rule(rule), assets).on(dates, assets)
    ready = time.perf_counter()
    for first in range(0, len(dates), BLOCK):
        line.block(first, min(first + BLOCK, len(dates))).field(550 * DAY)
    return ready - start, time.perf_counter() - ready


def main() -> None:
    """Print a line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--dates", type=int, default=2_520)
    parser.add_argument("--assets", type=int, default=5_000)
    args = parser.parse_args()
    dates = DATES[np.linspace(0, len(DATES) - 1, args.dates).astype(int)]
    history(sort_records(*draw(100, 5)), parse_rule("ttm(x)"), 5)  # compiles
    columns = draw(args.records, args.assets)
    start = time.perf_counter()
    records = sort_records(*columns)
    print(f"{args.records:,} records onto {args.dates:,} x {args.assets:,}")
    print(f"{'sorting':<20} {time.perf_counter() - start:6.2f} s")
    held = sum(c.nbytes for c in columns) + sum(a.nbytes for a in vars(records).values())
    for rule in RULES:
        windows, blocks = lay_out(records, rule, dates, args.assets)
        print(f"{rule:<20} {windows:6.2f} s, all blocks {blocks:6.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak {peak / 1e9:.2f} GB, of which the records {held / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
