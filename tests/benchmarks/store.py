"""Time the store against bare Zarr, side by side: ``python -m tests.benchmarks.store``.

Bare Zarr writes and reads the same chunks with the same codecs, chunk by chunk on as many threads,
and keeps no promise: no flush to the disk, no publishing, no labels. Medians, taken in turns.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

import xfactor as xf
from xfactor.store import layout

THREADS = os.cpu_count() or 1


def noise(dates: int, assets: int, fields: int, start: int = 0) -> xr.Dataset:
    """Fields of noise, 15 % missing."""
    rng = np.random.default_rng(start)
    labels = {
        "date": pd.date_range("2000-01-01", periods=start + dates, freq="B")[start:],
        "asset": np.arange(assets),
    }
    values = {}
    for i in range(fields):
        x = rng.standard_normal((dates, assets))
        x[rng.random(x.shape) < 0.15] = np.nan
        values[f"field_{i}"] = (("date", "asset"), x)
    return xr.Dataset(values, labels)


def bare_arrays(panel: xr.Dataset, path: Path) -> dict[str, zarr.Array]:
    """Make Zarr arrays with the chunks and codecs of the store."""
    group = zarr.open_group(path, mode="w")
    dates = layout.chunk_dates(panel.sizes["asset"])
    return {
        str(name): group.create_array(
            str(name), shape=v.shape, dtype=v.dtype, fill_value=np.nan,
            chunks=layout.chunk_shape(
                ("date", "asset"), v.shape, dates, layout.capacity(panel.sizes["asset"])
            ),
            compressors=[ZstdCodec(level=layout.zstd_level(v.dtype.kind, v.attrs)), Crc32cCodec()],
        )
        for name, v in panel.data_vars.items()
    }  # fmt: skip


def each_chunk(arrays: dict[str, zarr.Array], do: Callable[[str, slice], object]) -> None:
    """Do something with each chunk of each array, on all threads."""
    todo = [
        (name, slice(at, min(at + a.chunks[0], a.shape[0])))
        for name, a in arrays.items() for at in range(0, a.shape[0], a.chunks[0])
    ]  # fmt: skip
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda job: do(*job), todo))


def bare_write(panel: xr.Dataset, path: Path, *, flush: bool) -> None:
    """Write with Zarr alone."""
    arrays = bare_arrays(panel, path)
    each_chunk(arrays, lambda n, at: arrays[n].__setitem__(at, panel[n].values[at]))
    for file in (p for p in path.rglob("*") if flush and p.is_file()):
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def bare_read(path: Path) -> None:
    """Read all chunks with Zarr alone."""
    arrays = {str(n): a for n, a in zarr.open_group(path, mode="r").arrays()}
    each_chunk(arrays, lambda n, at: arrays[n][at])


def store_read(path: Path) -> None:
    """Read all chunks of a store, each by a task; they are not joined, as nobody would."""
    opened = xf.open_panel(path)
    parts = [p for v in opened.data_vars.values() for p in v.data.to_delayed().ravel()]
    dask.compute(*[dask.delayed(np.shape)(p) for p in parts], scheduler="threads")


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Time one call: by the clock, and of the processor in this process."""
    start, busy = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - busy


def settled() -> None:
    """Have the system write what it still holds: nobody's clock is to pay for another's bytes."""
    os.sync()


def in_turns(
    repeats: int, *, before: Callable[[], object] = settled, **calls: Callable[[], object]
) -> dict[str, tuple[float, float]]:
    """Median seconds of each call, by the clock and of the processor, taken in turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(1 + repeats):
        for name, call in calls.items():
            before()
            times[name].append(seconds(call))
    times = {name: took[1:] for name, took in times.items()}  # the first loads and warms up
    return {
        name: (statistics.median(t for t, _ in took), statistics.median(t for _, t in took))
        for name, took in times.items()
    }


def share(reference: tuple[float, float], own: tuple[float, float]) -> str:
    """Say what part of the speed of a reference is reached."""
    return f"{reference[0] / own[0]:.0%} ({reference[1] / own[1]:.0%} by processor time)"


def throughput(folder: Path, dates: int, assets: int, repeats: int) -> list[str]:
    """Writing and reading noise, the case in which the codec helps least."""
    panel = noise(dates, assets, 4)
    size = sum(v.nbytes for v in panel.data_vars.values()) / 1e9

    def clear() -> None:
        for name in ("store", "bare"):
            shutil.rmtree(folder / name, ignore_errors=True)
        settled()

    times = in_turns(
        repeats,
        before=clear,
        flushed=lambda: bare_write(panel, folder / "bare", flush=True),
        bare=lambda: bare_write(panel, folder / "bare", flush=False),
        store=lambda: xf.write_panel(panel, folder / "store"),
    )
    bare_write(panel, folder / "bare", flush=False)
    reads = in_turns(
        repeats, store=lambda: store_read(folder / "store"), bare=lambda: bare_read(folder / "bare")
    )
    store, bare, flushed = (times[n] for n in ("store", "bare", "flushed"))
    return [
        f"write {size / store[0]:.2f} GB/s: {share(bare, store)} of bare Zarr, "
        f"{share(flushed, store)} of one that flushes to the disk",
        f"read {size / reads['store'][0]:.2f} GB/s: "
        f"{share(reads['bare'], reads['store'])} of bare Zarr",
    ]


def one_day(folder: Path, dates: int, assets: int, repeats: int) -> str:
    """Appending one day to a history of 10 fields."""
    path = xf.write_panel(noise(dates, assets, 10), folder / "history")
    days = [noise(1, assets, 10, start=dates + i) for i in range(repeats)]
    took = [seconds(lambda day=day: xf.append_panel(day, path))[0] for day in days]
    return f"one day appended to {dates} x {assets} x 10: {statistics.median(took):.2f} s"


def opening(folder: Path, fields: int, repeats: int) -> str:
    """Opening a store with many fields."""
    path = xf.write_panel(noise(20, 50, fields), folder / "many")
    took = in_turns(repeats, opened=lambda: xf.open_panel(path))["opened"][0]
    return f"open_panel of {fields} fields: {took:.2f} s"


def compression(folder: Path, dates: int, assets: int) -> str:
    """Fundamentals: each value stands for 63 days, assets report on different ones."""
    rng = np.random.default_rng(3)
    quarter = (np.arange(dates)[:, None] + rng.integers(0, 63, assets)) // 63
    reports = rng.lognormal(3.0, 1.0, (quarter.max() + 1, assets))
    values = np.take_along_axis(reports, quarter, axis=0)
    panel = noise(dates, assets, 0).assign(book=(("date", "asset"), values, {"fill": "forward"}))
    path = xf.write_panel(panel, folder / "fundamentals")
    stored = sum(p.stat().st_size for p in (path / "book").rglob("*") if p.is_file())
    return f"fundamentals, carried forward: {values.nbytes / stored:.0f} times smaller on disk"


def report(dates: int, assets: int, fields: int, repeats: int) -> str:
    """Measure everything, in a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = throughput(folder, dates, assets, repeats)
        lines.append(one_day(folder, dates, assets, repeats))
        lines.append(opening(folder, fields, repeats))
        lines.append(compression(folder, dates, assets))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--dates", type=int, default=2520)
    parser.add_argument("--assets", type=int, default=5000)
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    print(report(chosen.dates, chosen.assets, chosen.fields, chosen.repeats))


if __name__ == "__main__":
    main()
