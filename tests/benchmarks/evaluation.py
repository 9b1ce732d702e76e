"""Time and memory of many signals in one pass: ``python -m tests.benchmarks.evaluation``.

Decile returns and rank correlations of 100 signals of 2,520 x 5,000 float64, 15 % missing, made
chunk by chunk, against `np.sort` of one of them. Each number of signals runs in a process of its
own, which prints seconds per signal (graph, signals and all), what making the signals alone takes,
and the peak of its resident memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import dask
import dask.array as da
import numpy as np
import xarray as xr

import xfactor as xf
from tests.benchmarks.speed import panel

CHUNK = 252


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
    sort = min(_seconds(lambda: np.sort(base.values, axis=1)) for _ in range(3))
    forward = after.chunk(date=CHUNK)
    x = signals(base.chunk(date=CHUNK), count)
    with dask.config.set(scheduler="threads", num_workers=threads):
        made = _seconds(lambda: da.reduction(
            x.data, chunk=_nothing, aggregate=_nothing, dtype=float
        ).compute())  # fmt: skip
        before = _peak()
        start = time.perf_counter()
        result = xf.evaluate_signals(x, forward)
        graph = time.perf_counter() - start
        xf.compute(result)
        total = time.perf_counter() - start
    again = min(_seconds(lambda: np.sort(base.values, axis=1)) for _ in range(3))
    return {
        "signals": count, "threads": threads, "sort": min(sort, again), "graph": graph / count,
        "making": made / count, "total": total / count, "before": before, "peak": _peak(),
    }  # fmt: skip


def _nothing(block: np.ndarray, axis: object = None, keepdims: bool = True) -> np.ndarray:
    return np.zeros((1,) * block.ndim)


def _seconds(call: object) -> float:
    start = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - start


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(rows: Sequence[dict[str, float]]) -> str:
    """A table of what was measured."""
    lines = [
        f"{'signals':>7} {'threads':>7} {'s/signal':>9} {'of it graph':>11} {'np.sort':>8} "
        f"{'ratio':>6} {'(making them)':>13} {'peak MB':>8} {'before':>7}"
    ]
    lines += [
        f"{r['signals']:7} {r['threads']:7} {r['total']:9.3f} {r['graph']:11.3f} {r['sort']:8.3f} "
        f"{r['total'] / r['sort']:6.2f} {r['making']:13.3f} {r['peak']:8.0f} {r['before']:7.0f}"
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
