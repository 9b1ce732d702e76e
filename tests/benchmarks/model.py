"""What a task costs, what a cell costs, and from them a cluster of 100 workers, on paper."""

import argparse
import time
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from distributed import Client

import xfactor as xf
from tests.benchmarks.on_workers import cluster, watched
from tests.benchmarks.out_of_core import Size, approaches, simulate
from tests.benchmarks.scaling import operations, timed
from xfactor import _fusion, lecture
from xfactor.store import layout

WORKERS, ASSETS, DATES, FIELDS = 100, 25_000, 15_000, 200
READ = ("returns", "market_cap", "book_to_price", "adjusted_close")  # panels that the lecture reads
TRIVIAL = 20_000
SAMPLE = Size(1280, 5000, 128, 1)  # on which rates and memory are measured


def nothing(*needs: Any) -> None:
    """What a task does that does nothing."""


def trivial(tasks: int) -> tuple[dict[Any, Any], Any]:
    """A graph in the shape of ours: blocks read, two steps, a window of three, a part of a sum."""
    blocks = tasks // 5
    graph: dict[Any, Any] = {}
    for i in range(blocks):
        graph["open", i] = (nothing,)
        graph["first", i] = (nothing, ("open", i))
        graph["second", i] = (nothing, ("first", i))
        window = [("second", j) for j in range(max(0, i - 2), i + 1)]
        graph["window", i] = (nothing, *window)
        graph["part", i] = (nothing, ("window", i))
    graph["sum"] = (nothing, *[("part", i) for i in range(blocks)])
    return graph, "sum"


def cost_of_a_task(client: Client) -> tuple[float, float]:
    """Seconds for each task that does nothing, and those of the client and the scheduler."""
    client.get(*trivial(500))
    started, busy = time.perf_counter(), time.process_time()
    client.get(*trivial(TRIVIAL))
    wall, cpu = time.perf_counter() - started, time.process_time() - busy
    return wall / TRIVIAL, cpu / TRIVIAL


def imagined(chunk_dates: int) -> xr.Dataset:
    """The fields of the lecture in the size of the model, no data behind them."""
    shape, chunks = (DATES, ASSETS), (chunk_dates, ASSETS)
    dates = pd.bdate_range("1970-01-01", periods=DATES)
    fields = {f: (("date", "asset"), da.zeros(shape, chunks=chunks)) for f in READ}
    market = {"market_returns": ("date", da.zeros(DATES, chunks=chunk_dates))}
    coords = {"date": dates, "asset": np.arange(ASSETS)}
    return xr.Dataset(fields | market, coords=coords)


def lazy(*results: xr.Dataset | xr.DataArray) -> list[Any]:
    """The dask arrays of results."""
    held = [r.to_dataset(name="x") if isinstance(r, xr.DataArray) else r for r in results]
    return [v.data for h in held for v in h.variables.values() if v.chunks is not None]


def graphs(chunk_dates: int) -> tuple[int, float, float]:
    """Tasks of the whole lecture, seconds to describe it, seconds to draw its tasks together."""
    fields = imagined(chunk_dates)
    started = time.perf_counter()
    traits = lecture.characteristics(fields)
    one = lecture.approach_one(fields, traits, lecture.largest_names(fields))
    arrays = lazy(one.drop_vars("asset_beta"), lecture.approach_two(fields, traits))
    described = time.perf_counter()
    drawn = _fusion.drawn_together(arrays)
    return len(drawn.graph), described - started, time.perf_counter() - described


def tasks_of_operations(chunk_dates: int) -> dict[str, float]:
    """Tasks for each block of dates, of single operations."""
    fields = imagined(chunk_dates).assign(volume=lambda p: p.market_cap)
    factors = xr.DataArray(
        da.zeros((DATES, 4), chunks=(chunk_dates, 4)),
        dims=("date", "factor"),
        coords={"date": fields.date, "factor": list("abcd")},
    )
    blocks = -(-DATES // chunk_dates)
    made = operations(fields, factors)
    return {k: len(_fusion.drawn_together(lazy(f())).graph) / blocks for k, f in made.items()}


def rates(folder: Path) -> dict[str, float]:
    """Million cells a second of one processor: the lecture, and bare reading of its fields."""
    stored = xf.open_panel(folder / "panel.zarr")[list(READ)]
    cells = SAMPLE.dates * SAMPLE.assets / 1e6

    def read() -> None:
        xf.compute(*(stored[f].max() for f in READ))

    def both() -> None:
        one, two = approaches(folder)
        xf.compute(one.drop_vars("asset_beta"), two)

    found = {}
    with dask.config.set(scheduler="synchronous"):
        for name, work in (("reading", read), ("lecture", both)):
            work()
            found[name] = cells / min(timed(work) for _ in range(3))
    return found


def memory(folder: Path) -> tuple[float, float]:
    """Bytes of a worker that has imported and compiled all, and arrays of a block beside them."""
    tiny = folder / "tiny"
    simulate(tiny, Size(400, 60, 64, 1))
    peaks = []
    for where in (tiny, folder):
        with cluster(1, "8GB") as client:
            one, two = approaches(where)
            xf.compute(one.drop_vars("asset_beta"), two)
            peaks.append(watched(client).peaks[0])
    return peaks[0], (peaks[1] - peaks[0]) / (SAMPLE.chunk_dates * SAMPLE.assets * 8)


def model(chosen: argparse.Namespace, folder: Path) -> int:
    """Measure costs; print what they mean for the large cluster."""
    with cluster(2, 0) as client:
        wall, cpu = cost_of_a_task(client)
    print(f"{TRIVIAL} tasks that do nothing, 2 workers: {1e3 * wall:.2f} ms each, "
          f"{1e3 * cpu:.2f} ms of the processor of client and scheduler", flush=True)  # fmt: skip
    with dask.config.set(scheduler="threads"):
        simulate(folder, SAMPLE)
    speed = rates(folder)
    print(f"one processor: {speed['reading']:.1f} million cells/s when only reading the "
          f"{len(READ)} fields, {speed['lecture']:.2f} for all of it", flush=True)  # fmt: skip
    base, arrays = memory(folder)
    print(f"one worker: {base / 1e6:.0f} MB, and {arrays:.0f} arrays of the size of a block",
          flush=True)  # fmt: skip
    cells = DATES * ASSETS
    print(
        f"\n{ASSETS:,} assets x {DATES:,} dates x {FIELDS} fields: "
        f"{cells * 8 / 1e9:.1f} GB a field, "
        f"{cells * 8 * FIELDS / 1e12:.2f} TB; "
        f"the lecture reads {cells * 8 * len(READ) / 1e9:.0f} GB"
    )
    for chunk in (layout.chunk_dates(ASSETS), 32):
        print_model(chunk, cpu, speed, base, arrays)
    return 0


def print_model(
    chunk: int, cost: float, speed: dict[str, float], base: float, arrays: float
) -> None:
    """What the costs mean for one size of chunks."""
    blocks = -(-DATES // chunk)
    tasks, described, drawn = graphs(chunk)
    rounds = -(-blocks // WORKERS)
    work = DATES * ASSETS / 1e6 / speed["lecture"]
    scheduler = tasks * cost
    compute = work * rounds / blocks  # whole rounds: the last leaves workers idle
    names = ", ".join(f"{k} {v:.1f}" for k, v in tasks_of_operations(chunk).items())
    print(
        f"\nchunks of {chunk} dates: {blocks} blocks of dates, {chunk * ASSETS * 8 / 1e6:.1f} MB "
        f"for each field, {blocks * FIELDS:,} chunks"
    )
    print(f"  tasks for each block: lecture {tasks / blocks:.1f}; {names}")
    print(
        f"  lecture: {tasks} tasks, {described + drawn:.1f} s to describe and draw together, "
        f"{scheduler:.1f} s of the scheduler"
    )
    print(
        f"  computing: {work:.0f} s of one processor, {compute:.1f} s on {WORKERS} workers "
        f"({blocks / rounds / WORKERS:.0%} busy); each reads "
        f"{DATES * ASSETS * 8 * len(READ) / compute / 1e9 / WORKERS:.2f} GB/s meanwhile"
    )
    print(f"  memory: {(base + arrays * chunk * ASSETS * 8) / 1e9:.2f} GB for each worker")
    parts = {
        "the client's drawing of the graph": described + drawn,
        "the scheduler": scheduler,
        "computing": compute,
    }
    print(
        f"  bound by {max(parts, key=parts.__getitem__)}; in all about "
        f"{described + drawn + max(scheduler, compute):.0f} s",
        flush=True,
    )
