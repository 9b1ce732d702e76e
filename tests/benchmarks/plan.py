"""The memory that a plan predicts beside what is measured: ``python -m tests.benchmarks.plan``.

Each computation runs in a process of its own, after the same one on a tiny panel, so that kernels
are compiled or loaded; the peak is the largest resident set of the process (``--workers`` runs it
on worker processes instead, and takes the largest of them). Ends with status 1 if a prediction is
off by more than ``--within``.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import xarray as xr

import xfactor as xf
from tests.benchmarks.out_of_core import peak_rss
from xfactor import lecture

TABLE = "{:<24} {:<15} {:>8} {:>6} {:>8} {:>8} {:>6} {:>8}"


def _lecture(panel: xr.Dataset) -> list[xr.Dataset]:
    traits = lecture.characteristics(panel, lookback=100)
    one = lecture.approach_one(panel, traits, lecture.largest_names(panel), min_names=2, window=60)
    return [one, lecture.approach_two(panel, traits)]


def both_approaches(panel: xr.Dataset) -> list[Any]:
    """Both approaches of the lecture without the betas of every asset."""
    one, two = _lecture(panel)
    return [one.drop_vars(["asset_beta", "asset_beta_quantile"]), two]


def approach_two(panel: xr.Dataset) -> list[Any]:
    """Exposures and a regression for each date."""
    return [_lecture(panel)[1]]


def betas(panel: xr.Dataset) -> list[Any]:
    """Quantiles of the rolling betas of every asset."""
    return [_lecture(panel)[0][["asset_beta_quantile"]]]


def ranks(panel: xr.Dataset) -> list[Any]:
    """Ranks of one field, in memory."""
    return [xf.rank(panel.market_cap)]


def regressions(panel: xr.Dataset) -> list[Any]:
    """Regressions of every asset over the whole history, Newey-West errors: two passes."""
    fit = xf.time_series_ols(panel.returns, panel[["market_returns"]])
    return [fit.drop_vars("residual")]


MADE: dict[str, Callable[[xr.Dataset], list[Any]]] = {
    f.__name__: f for f in (both_approaches, approach_two, betas, ranks, regressions)
}


def measure(store: str, tiny: str, name: str, workers: int, threads: int) -> dict[str, Any]:
    """Plan and run one computation in this process."""
    make = MADE[name]
    if not workers:
        xf.compute(*make(xf.open_panel(tiny)))
        planned = xf.plan(*make(xf.open_panel(store)), threads=threads, workers=0)
        started = time.perf_counter()
        with dask.config.set(num_workers=threads):
            xf.compute(*make(xf.open_panel(store)))
        peak = peak_rss()
    else:
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, memory_limit=0,
                         dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):  # fmt: skip
            xf.compute(*make(xf.open_panel(tiny)))
            planned = xf.plan(*make(xf.open_panel(store)))
            started = time.perf_counter()
            xf.compute(*make(xf.open_panel(store)))
            peak = max(client.run(peak_rss).values())
    return {
        "tasks": planned.tasks,
        "planned": planned.peak_bytes,
        "measured": peak,
        "seconds": time.perf_counter() - started,
    }


def compared(
    folder: Path, size: tuple[int, int, int], names: list[str], runs: list[tuple[int, int]]
) -> list[float]:
    """Print a line for each computation; return predicted over measured."""
    dates, assets, chunk = size
    ratios = []
    tiny, store = folder / "tiny.zarr", folder / f"{dates}-{assets}-{chunk}.zarr"
    if not tiny.exists():
        xf.write_panel(xf.simulate_panel(dates=400, assets=40, chunk_dates=64)[0], tiny)
    xf.write_panel(xf.simulate_panel(dates=dates, assets=assets, chunk_dates=chunk)[0], store)
    for name, (workers, threads) in itertools.product(names, runs):
        order = [str(store), str(tiny), name, workers, threads]
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.plan", "--child", json.dumps(order)],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        m = json.loads(done.stdout.splitlines()[-1])
        ratios.append(m["planned"] / m["measured"])
        where = f"{workers} work." if workers else f"{threads} thr."
        print(TABLE.format(
            f"{dates} x {assets} by {chunk}", name, where, m["tasks"], f"{m['planned'] / 1e6:.0f}",
            f"{m['measured'] / 1e6:.0f}", f"{ratios[-1]:.2f}", f"{m['seconds']:.1f}",
        ), flush=True)  # fmt: skip
    return ratios


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--within", type=float, default=1.5)
    parser.add_argument("--quick", action="store_true", help="one small panel only")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(*chosen.child)))
        return 0
    sizes = [(2048, 3000, 256), (1024, 6000, 64), (1024, 12000, 256)]
    runs = [(0, 1), (0, 2), (2, 1)]
    print(TABLE.format("dates x assets by chunk", "", "on", "tasks", "plan MB", "peak MB", "ratio",
                       "seconds"))  # fmt: skip
    ratios: list[float] = []
    for size in sizes[: 1 if chosen.quick else None]:
        with tempfile.TemporaryDirectory() as folder:
            ratios += compared(Path(folder), size, list(MADE), runs)
    print(f"predicted over measured: {min(ratios):.2f} to {max(ratios):.2f}")
    return int(not 1 / chosen.within <= min(ratios) <= max(ratios) <= chosen.within)


if __name__ == "__main__":
    sys.exit(main())
