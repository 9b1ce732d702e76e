"""Time and memory of many signals in one pass: ``python -m tests.benchmarks.evaluation``.

Decile returns and rank correlations of 100 signals of 2,520 x 5,000 float64, 15 % missing, made
chunk by chunk, against `np.sort` of one of them. Each number of signals runs in a process of its
own, which prints seconds per signal (graph, signals and all) on the clock and of all processors,
what making a signal alone takes, and the peak of its resident memory beside what it was before
(two panels of 100 MB) and the size of the result.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import dask
import dask.array as da
import numpy as np
import xarray as xr

import xfactor as xf
from tests.benchmarks.speed import panel

CHUNK = 252
T = TypeVar("T")


def signals(base: xr.DataArray, count: int) -> xr.DataArray:
    """Lazy signals (factor, date, asset), one a chunk: `base` in other orders of its assets."""
    rng = np.random.default_rng(1)
    orders = [rng.permutation(base.sizes["asset"]) for _ in range(min(count, 20))]
    values = base.data

    def made(block: np.ndarray, factor: int) -> np.ndarray:
        return block[None][:, :, orders[factor % len(orders)]]

    parts = [
        da.map_blocks(
            made, values, factor=k, new_axis=0, dtype=values.dtype,
            chunks=((1,), *values.chunks), name=f"signal-{k}",
        )
        for k in range(count)
    ]  # fmt: skip
    coords = {"factor": range(count), "date": base.date, "asset": base.asset}
    return xr.DataArray(da.concatenate(parts), dims=("factor", "date", "asset"), coords=coords)


def run(count: int, dates: int, assets: int, threads: int) -> dict[str, float]:
    """Evaluate so many signals in this process."""
    after = panel(dates, assets, seed=5)
    base = panel(dates, assets)
    small = signals(base[:20, :50].chunk(date=10), 2)
    xf.compute(xf.evaluate_signals(small, after[:20, :50].chunk(date=10)))  # Numba compiles
    forward = after.chunk(date=CHUNK)
    x = signals(base.chunk(date=CHUNK), count)

    def sort() -> object:
        return np.sort(base.values, axis=1)

    def make() -> object:
        return da.reduction(x.data, chunk=nothing, aggregate=nothing, dtype=float).compute()

    def evaluate() -> int:
        (result,) = xf.compute(xf.evaluate_signals(x, forward))
        return result.nbytes

    sorting = [timed(sort)[:2] for _ in range(3)]
    with dask.config.set(scheduler="threads", num_workers=threads):
        making, _, _ = timed(make)
        before = peak()
        wall, cpu, size = timed(evaluate)
    sorting += [timed(sort)[:2] for _ in range(3)]
    return {
        "signals": count, "threads": threads, "wall": wall / count, "cpu": cpu / count,
        "sort": min(w for w, _ in sorting), "sort_cpu": min(c for _, c in sorting),
        "making": making / count, "before": before, "peak": peak(), "result": size / 2**20,
    }  # fmt: skip


def nothing(block: np.ndarray, axis: object = None, keepdims: bool = True) -> np.ndarray:
    """A cell in the place of a block: what the signals cost alone."""
    return np.zeros((1,) * block.ndim)


def timed(call: Callable[[], T]) -> tuple[float, float, T]:
    """Seconds on the clock and of all processors, and the result."""
    start = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - start[0], time.process_time() - start[1], result


def peak() -> float:
    """Resident memory at its highest so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(rows: Sequence[dict[str, float]]) -> str:
    """A table of what was measured."""
    lines = [
        "signals threads  s/signal (making it)  np.sort  ratio   cpu s/signal  np.sort  ratio   "
        "MB peak  before  result"
    ]
    lines += [
        f"{r['signals']:7} {r['threads']:7} {r['wall']:9.3f} {r['making']:11.3f} {r['sort']:8.3f} "
        f"{r['wall'] / r['sort']:6.2f} {r['cpu']:14.3f} {r['sort_cpu']:8.3f} "
        f"{r['cpu'] / r['sort_cpu']:6.2f} {r['peak']:9.0f} {r['before']:7.0f} {r['result']:7.0f}"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--signals", type=int, nargs="*", default=[10, 100])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--dates", type=int, default=2520)
    parser.add_argument("--assets", type=int, default=5000)
    parser.add_argument("--here", action="store_true", help="one case, in this process, as JSON")
    chosen = parser.parse_args()
    if chosen.here:
        print(json.dumps(run(chosen.signals[0], chosen.dates, chosen.assets, chosen.threads[0])))
        return
    rows = []
    for threads in chosen.threads:
        for count in chosen.signals:
            own = [f"--signals={count}", f"--threads={threads}", f"--dates={chosen.dates}"]
            call = [sys.executable, "-m", "tests.benchmarks.evaluation", "--here", *own]
            call.append(f"--assets={chosen.assets}")
            done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    print(report(rows))


if __name__ == "__main__":
    main()
