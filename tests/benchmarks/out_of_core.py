"""Run the lecture on a panel larger than the memory: ``python -m tests.benchmarks.out_of_core``.

A store of at least ``--gigabytes`` (uncompressed) is simulated and written chunk by chunk; then
both approaches run over it. Each step is a process of its own that may not allocate more than
``--memory``: it ends with an error, and the script with status 1, if it needs more. Every read of
a stored chunk is counted: a result that needs a field has read each of its chunks once, or twice if
it needs returns again after the betas of the whole history.

``--calibrate`` measures instead what `xfactor demo` needs at several sizes, beside what its plan
says: chunks and threads are chosen by it under ``--memory-limit``.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

import xfactor as xf
from xfactor import lecture, runs
from xfactor.cli import options
from xfactor.kernels.simulate import FIELDS

FIRST_DAY = "1970-01-01"  # many dates, and none may lie beyond 2262
TRUTH = ("exposure", "specific_returns")  # simulated, but no fields of the panel
TABLE = "{:<15} {:>9} {:>8} {:>8} {:>10} {:>6} {:>9} {:>8}  {}"


@dataclass(frozen=True)
class Size:
    """What is simulated, and in which pieces."""

    dates: int
    assets: int
    chunk_dates: int
    threads: int


CALIBRATION = [
    Size(1260, assets, chunk_dates, threads)
    for assets in (1000, 4000)
    for chunk_dates in (256, 128, 64)
    for threads in (1, 2)
]

# Every step runs on this one first, so that the compilation of its kernels is timed by itself.
TINY = Size(400, 30, 64, 1)

# pyarrow, which pandas loads for strings, reserves 1 GiB of addresses at its first allocation. They
# are never touched, but count as allocated.
UNRESERVED = {"ARROW_DEFAULT_MEMORY_POOL": "system"}


@dataclass(frozen=True)
class Measured:
    """What one step cost; `reads` are chunks read over chunks stored, for each field read."""

    step: str
    compile_seconds: float
    seconds: float
    read_bytes: int
    written_bytes: int
    reads: dict[str, float]
    most_reads: int
    peak_bytes: int
    outcome: str
    failed: bool = False


# --- the steps: each runs in a process of its own -----------------------------------------------


def simulate(folder: Path, size: Size) -> str:
    """Simulate the panel and write it, chunk by chunk."""
    panel, _ = xf.simulate_panel(
        dates=size.dates, assets=size.assets, chunk_dates=size.chunk_dates, start=FIRST_DAY
    )
    xf.write_panel(panel, folder / "panel.zarr")
    return (
        f"{size.dates} x {size.assets}, chunks of {size.chunk_dates}, {panel.nbytes / 1e9:.2f} GB"
    )


def approaches(folder: Path, dates: slice = slice(None)) -> tuple[xr.Dataset, xr.Dataset]:
    """Both approaches on dates of the stored panel."""
    fields = xf.open_panel(folder / "panel.zarr").isel(date=dates)
    traits = lecture.characteristics(fields)
    one = lecture.approach_one(fields, traits, lecture.largest_names(fields))
    return one, lecture.approach_two(fields, traits)


def factor_returns(folder: Path, size: Size) -> str:
    """Approach 1: factor returns and full-sample sensitivities."""
    one, _ = approaches(folder)
    names = ["factor_return", "sensitivity", "sensitivity_stderr", "sensitivity_tvalue"]
    (done,) = xf.compute(one[names])
    return "sensitivity " + _listed(done.sensitivity)


def asset_betas(folder: Path, size: Size) -> str:
    """Approach 1: rolling betas of every asset, written to a store."""
    one, _ = approaches(folder)
    betas = one.asset_beta.transpose("date", "asset", ...)
    path = xf.write_panel(xr.Dataset({"beta": betas}), folder / "betas.zarr")
    last = xf.open_panel(path).beta[-1].load()
    return f"{betas.nbytes / 1e9:.2f} GB; last median " + _listed(last.median("asset"))


def cross_sections(folder: Path, size: Size) -> str:
    """Approach 2: standardized exposures, a regression per date, premia with their errors."""
    _, two = approaches(folder)
    (done,) = xf.compute(two)
    return "premium t " + _listed(done.premium_tvalue)


def two_pass(folder: Path, size: Size) -> str:
    """Betas of every asset over the whole history, then premia across assets: Fama-MacBeth."""
    one, _ = approaches(folder)
    returns = xf.open_panel(folder / "panel.zarr").returns
    (fit,) = xf.compute(xf.fama_macbeth(returns, factors=one.factor_return))
    return f"premium {_listed(1e4 * fit.premium)} bp"


def together(folder: Path, size: Size) -> str:
    """Both approaches at once, with the quantiles of the betas of every asset."""
    one, two = approaches(folder)
    done, cross = xf.compute(one.drop_vars("asset_beta"), two)
    return f"sensitivity {_listed(done.sensitivity)}; premium t {_listed(cross.premium_tvalue)}"


def demo(folder: Path, size: Size) -> str:
    """Run what `xfactor demo` runs."""
    runs.run_demo(
        folder,
        dates=size.dates,
        assets=size.assets,
        chunk_dates=size.chunk_dates,
        min_names=1,  # the small panel that compiles the kernels has thin legs
    )
    return ""


STEPS: dict[str, Callable[[Path, Size], str]] = {
    f.__name__: f
    for f in (simulate, factor_returns, asset_betas, cross_sections, two_pass, together, demo)
}
LECTURE = ("simulate", "factor_returns", "asset_betas", "cross_sections", "two_pass", "together")
# What is needed again after all of it was seen is read again; all else is read once.
READ_TWICE = {"two_pass": {"returns"}}


def _listed(x: xr.DataArray) -> str:
    return " ".join(f"{v:.3f}" for v in x.values)


# --- measuring, inside the process of a step ------------------------------------------------------


@contextlib.contextmanager
def counted_reads() -> Iterator[Counter[tuple[str, str]]]:
    """Count how often Zarr reads each chunk of local stores: (store, key of the chunk)."""
    counts: Counter[tuple[str, str]] = Counter()
    get = LocalStore.get

    async def counting(self: LocalStore, key: str, *args: Any, **options: Any) -> Any:
        if "/c/" in key:
            counts[str(self.root), key] += 1
        return await get(self, key, *args, **options)

    LocalStore.get = counting  # type: ignore[method-assign]
    try:
        yield counts
    finally:
        LocalStore.get = get  # type: ignore[method-assign]


def stored_fields(store: Path) -> dict[str, tuple[int, int]]:
    """Number of chunks and uncompressed bytes of each field of a store, labels left out."""
    if not store.exists():
        return {}
    arrays = dict(zarr.open_group(store, mode="r").arrays())
    return {
        name: (a.nchunks, a.nbytes)
        for name, a in arrays.items()
        if name != "date" and "date" in (a.metadata.dimension_names or ())
    }


def peak_rss() -> int:
    """Largest resident set of this process in bytes.

    getrusage reports the parent's as well, where that was larger when it started this process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(step: str, folder: Path, size: Size, memory: int) -> Measured:
    """Run a step in this process, which may not allocate more than `memory` bytes (0: any)."""
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    outcome, failed = "", False
    started = time.perf_counter()
    with dask.config.set(num_workers=size.threads):
        STEPS[step](folder / "tiny", TINY)
        compiled = time.perf_counter()
        with counted_reads() as counts:
            try:
                outcome = STEPS[step](folder, size)
            except MemoryError as problem:
                outcome, failed = f"out of memory {problem}", True
    seconds = time.perf_counter() - compiled
    panel = folder / "panel.zarr"
    own = {key: n for (store, key), n in counts.items() if store == str(panel)}
    fields = stored_fields(panel)
    reads = {
        f: sum(n for key, n in own.items() if key.startswith(f"{f}/c/")) / chunks
        for f, (chunks, _) in fields.items()
    }
    made = {"simulate": fields, "asset_betas": stored_fields(folder / "betas.zarr")}.get(step, {})
    return Measured(
        step=step,
        compile_seconds=compiled - started,
        seconds=seconds,
        read_bytes=round(sum(reads[f] * fields[f][1] for f in fields)),
        written_bytes=sum(n for _, n in made.values()),
        reads={f: n for f, n in reads.items() if n},
        most_reads=max((n for key, n in own.items() if key.split("/")[0] in fields), default=0),
        peak_bytes=peak_rss(),
        outcome=outcome,
        failed=failed,
    )


# --- the parent: one child for each step ----------------------------------------------------------


def run_step(step: str, folder: Path, size: Size, memory: int) -> Measured:
    """Run a step in a process of its own and return what it measured."""
    order = {"step": step, "folder": str(folder), "memory": memory, "size": asdict(size)}
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name if __name__ == "__main__" else __name__,
         "--child", json.dumps(order)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env=os.environ | UNRESERVED,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Measured(
            step, 0.0, 0.0, 0, 0, {}, 0, 0, f"exit {done.returncode}: {last}", failed=True
        )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def fits(gigabytes: float, assets: int, chunk_dates: int, threads: int) -> Size:
    """Dates that make the panel at least so large, in whole chunks."""
    a_date = assets * sum(np.dtype(d).itemsize for f, d in FIELDS.items() if f not in TRUTH)
    chunks = -(-gigabytes * 1e9 // (a_date * chunk_dates))
    return Size(int(chunks) * chunk_dates, assets, chunk_dates, threads)


def line(m: Measured) -> str:
    """One line of the table."""
    moved = m.read_bytes + m.written_bytes
    passes = f"{max(m.reads.values()):.2f} ({m.most_reads})" if m.reads else "-"
    return TABLE.format(
        m.step, f"{m.compile_seconds:.1f}", f"{m.seconds:.1f}", f"{m.read_bytes / 1e9:.2f}",
        f"{m.written_bytes / 1e9:.2f}", f"{moved / 1e9 / max(m.seconds, 1e-9):.2f}", passes,
        f"{m.peak_bytes / 1e6:.0f}", m.outcome,
    )  # fmt: skip


def lecture_within(folder: Path, size: Size, memory: int) -> list[Measured]:
    """Run all steps of the lecture, print a line for each."""
    heads = (
        "step",
        "compile s",
        "seconds",
        "GB read",
        "GB written",
        "GB/s",
        "passes",
        "peak MB",
        "outcome",
    )
    print(TABLE.format(*heads), flush=True)
    results = []
    for step in LECTURE:
        results.append(run_step(step, folder, size, memory))
        print(line(results[-1]), flush=True)
        if results[-1].failed:
            break
    for m in results:
        if uneven(m):
            print(f"{m.step} read more, or less, than it should: {uneven(m)}")
    return results


def uneven(m: Measured) -> dict[str, float]:
    """Fields that a step did not read as often as it should."""
    twice = READ_TWICE.get(m.step, set())
    return {f: n for f, n in m.reads.items() if n != (2.0 if f in twice else 1.0)}


def calibrate(sizes: Sequence[Size]) -> None:
    """Print the peak of `xfactor demo` at several sizes beside the prediction of its plan."""
    table = "{:>6} {:>6} {:>6} {:>8} {:>8} {:>8} {:>6}"
    print(table.format("dates", "assets", "chunk", "threads", "peak MB", "plan MB", "ratio"))
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            m = run_step("demo", Path(folder), size, 0)
        peak = m.peak_bytes
        planned = runs.planned_demo(
            size.dates, size.assets, size.chunk_dates, workers=0, threads=size.threads
        ).peak_bytes
        print(table.format(
            size.dates, size.assets, size.chunk_dates, size.threads, f"{peak / 1e6:.0f}",
            f"{planned / 1e6:.0f}", f"{planned / peak:.2f}" if peak else m.outcome,
        ), flush=True)  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=8.0, help="of panel (%(default)s)")
    parser.add_argument("--memory", default="2GB", help="of each process (%(default)s)")
    parser.add_argument("--assets", type=int, default=8000)
    parser.add_argument("--chunk-dates", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="for the stores (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the stores")
    parser.add_argument("--calibrate", action="store_true", help="measure `xfactor demo` instead")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    chosen = _options()
    if chosen.child:
        order = chosen.child
        m = measure(order["step"], Path(order["folder"]), Size(**order["size"]), order["memory"])
        print(json.dumps(asdict(m)))
        return 0
    if chosen.calibrate:
        calibrate(CALIBRATION)
        return 0
    size = fits(chosen.gigabytes, chosen.assets, chosen.chunk_dates, chosen.threads)
    if chosen.folder:
        chosen.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="xfactor-", dir=chosen.folder))
    try:
        results = lecture_within(folder, size, options.size(chosen.memory))
    finally:
        if chosen.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    return int(any(m.failed or uneven(m) for m in results))


if __name__ == "__main__":
    sys.exit(main())
