"""How time goes with workers and with dates; for ``python -m tests.benchmarks.cluster``."""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dask
import numpy as np
import xarray as xr
from distributed import Client

import xfactor as xf
from tests.benchmarks.on_workers import cluster
from tests.benchmarks.out_of_core import Size, approaches, simulate

SPREAD = "{:<22} {:>9} {:>9} {:>6}  {}"
HISTORIES = (1260, 2520, 5040, 10080, 20160)


def of_dates(x: xr.DataArray) -> xr.DataArray:
    """One number of each date: what comes back is small, and every cell is needed."""
    return x.sum([d for d in x.dims if d != "date"])


def operations(fields: xr.Dataset, factors: xr.DataArray) -> dict[str, Callable[[], xr.DataArray]]:
    """What is bound by computing, each result reduced to a number of each date."""
    some = fields[["market_cap", "book_to_price", "volume"]]
    fit = {"window": 100, "se": None}
    return {
        "rank": lambda: of_dates(xf.rank(fields.market_cap)),
        "standardize": lambda: of_dates(xf.standardize(fields.market_cap)),
        "cross_sectional_ols": lambda: of_dates(
            xf.cross_sectional_ols(fields.returns, some).factor_return
        ),
        "rolling_ols": lambda: of_dates(xf.rolling_ols(fields.returns, factors, **fit).beta),
    }


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def scaling(chosen: argparse.Namespace, folder: Path) -> int:
    """Time operations on one worker and on two, in turns, and print the ratios of medians."""
    size = Size(chosen.dates, chosen.assets, chosen.chunk_dates, 2)
    with dask.config.set(scheduler="threads"):
        simulate(folder, size)
        fields = xf.open_panel(folder / "panel.zarr")
        factors = xf.compute(approaches(folder)[0].factor_return)[0]
    factors = factors.chunk(date=size.chunk_dates)
    print(f"{size.dates} dates x {size.assets} assets, chunks of {size.chunk_dates} dates, from a "
          f"store; medians of {chosen.repeats}, in turns")  # fmt: skip
    print(SPREAD.format("operation", "1 worker", "2 workers", "ratio", "million cells/s of one"))
    cells = size.dates * size.assets / 1e6
    worst = np.inf
    plain = chosen.plain
    with cluster(1, 0, plain) as one, cluster(2, 0, plain) as two:
        for name, made in operations(fields, factors).items():
            alone, both = in_turns([one, two], lambda m=made: xf.compute(m()), chosen.repeats)
            worst = min(worst, alone / both)
            ratio, rate = f"{alone / both:.2f}", f"{cells / alone:.1f}"
            print(SPREAD.format(name, f"{alone:.2f}", f"{both:.2f}", ratio, rate), flush=True)
    return int(worst < 1.7)


def in_turns(clients: Sequence[Client], work: Callable[[], Any], repeats: int) -> list[float]:
    """Median seconds on each of several clusters, after each has warmed up."""
    times: list[list[float]] = [[] for _ in clients]
    for i in range(repeats + 1):
        for client, taken in zip(clients, times, strict=True):
            with client.as_current():
                seconds = timed(work)
            if i:
                taken.append(seconds)
    return [statistics.median(t) for t in times]


def linear(chosen: argparse.Namespace, folder: Path) -> int:
    """Time the whole lecture on histories of several lengths; fit a line."""
    size = Size(HISTORIES[-1], 1000, 256, 2)
    with dask.config.set(scheduler="threads"):
        simulate(folder, size)
    print(f"whole lecture (both approaches, quantiles of all rolling betas), {size.assets} assets, "
          f"2 workers; medians of {chosen.repeats}")  # fmt: skip
    times: dict[int, list[float]] = {n: [] for n in HISTORIES}
    with cluster(2, 0):
        for i in range(chosen.repeats + 1):
            for n in HISTORIES:
                seconds = timed(lambda n=n: whole(folder, n))
                if i:
                    times[n].append(seconds)
    medians = np.array([statistics.median(times[n]) for n in HISTORIES])
    dates = np.array(HISTORIES, dtype=float)
    # Each length counts alike, short ones too: errors are relative to the time.
    a, b = np.linalg.lstsq(
        np.stack([1 / medians, dates / medians], axis=1), np.ones(len(dates)), rcond=None
    )[0]
    line = a + b * dates
    for n, seconds, fitted in zip(HISTORIES, medians, line, strict=True):
        print(
            f"{n:>6} dates {seconds:>8.2f} s   line {fitted:>8.2f} s   {seconds / fitted - 1:+.1%}"
        )
    left = ((medians - line) ** 2).sum() / ((medians - medians.mean()) ** 2).sum()
    most = np.abs(medians / line - 1).max()
    print(f"seconds = {a:.2f} + {1000 * b:.3f} per 1,000 dates, R2 {1 - left:.4f}, "
          f"largest deviation {most:.1%}")  # fmt: skip
    return int(1 - left < 0.99)


def whole(folder: Path, dates: int) -> tuple[xr.Dataset, xr.Dataset]:
    """The lecture on the first dates of the stored panel."""
    one, two = approaches(folder, slice(0, dates))
    return xf.compute(one.drop_vars("asset_beta"), two)
