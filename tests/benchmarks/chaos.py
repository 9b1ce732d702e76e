"""Run the lecture while its workers are killed: ``python -m tests.benchmarks.chaos --runs 10``.

Each worker gets SIGKILL after a life drawn from an exponential distribution and counted from its
being ready; its nanny starts another. Both approaches are computed, and the rolling betas of every
asset are written to a store. A run is good if all results have the bits of those of threads in one
process, and the store has the same files with the same bytes.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask
import xarray as xr
from distributed import Client, Status

import xfactor as xf
from tests.benchmarks.on_workers import cluster, gap
from tests.benchmarks.out_of_core import Size, approaches, simulate

SIZE = Size(dates=1280, assets=500, chunk_dates=64, threads=2)
# A task whose worker died is blamed for it, and given up after a few times: here all die.
PATIENT = {
    "distributed__scheduler__allowed_failures": 100_000,
    "distributed__scheduler__no_workers_timeout": "600s",
    # A local cluster gives up a worker that is not there so long after its death: it may have come
    # back and died again.
    "distributed__deploy__lost_worker_timeout": "1h",
}
LIVES = (2.0, 5.0)  # mean seconds of a life: of the first run and of the last
TABLE = "{:>4} {:>10} {:>6} {:>8}  {}"


@dataclass(frozen=True)
class Run:
    """What became of a run."""

    mean_life: float
    kills: int
    seconds: float
    outcome: str

    @property
    def good(self) -> bool:
        """Whether workers died and nothing else changed."""
        return self.kills > 0 and self.outcome == "equal bits"


def lecture_on(folder: Path, betas: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """Both approaches, and every asset's rolling betas in a store."""
    one, two = approaches(folder)
    done = xf.compute(one.drop_vars("asset_beta"), two)
    every = one.asset_beta.transpose("date", "asset", ...)
    xf.write_panel(xr.Dataset({"beta": every}), betas)
    return done


class Killer(threading.Thread):
    """Kills each worker of a local cluster some time after it is ready.

    Parameters
    ----------
    made
        The cluster.
    mean_life
        Seconds.
    seed
        Of the lives.
    patience
        Seconds after which the cluster is closed, so that what waits for it ends with an error.
    """

    def __init__(self, made: Any, mean_life: float, seed: int, patience: float) -> None:
        super().__init__(daemon=True)
        self.made, self.mean_life, self.patience = made, mean_life, patience
        self.draw = random.Random(seed)
        self.over = threading.Event()
        self.kills = 0
        self.gave_up = False

    def run(self) -> None:
        """Watch the workers until it is over."""
        ends: dict[int, float] = {}
        begun = time.monotonic()
        while not self.over.wait(0.02):
            now = time.monotonic()
            for pid in self._ready():
                ends.setdefault(pid, now + self.draw.expovariate(1 / self.mean_life))
                if now >= ends[pid]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        self.kills += 1
                    ends[pid] = float("inf")
            if now - begun > self.patience:
                self.gave_up = True
                self.made.close()
                return

    def _ready(self) -> list[int]:
        nannies = list(self.made.workers.values())
        running = [n.process for n in nannies if n.status == n.process.status == Status.running]
        return [p.pid for p in running if p.pid]


@contextlib.contextmanager
def dying(client: Client, mean_life: float, seed: int, patience: float) -> Iterator[Killer]:
    """Kill workers while this lasts."""
    killer = Killer(client.cluster, mean_life, seed, patience)
    killer.start()
    try:
        yield killer
    finally:
        killer.over.set()
        killer.join()


def files(store: Path) -> dict[str, bytes]:
    """The chunks of a store, and all that lies beside them (metadata has times in it)."""
    found = {str(p.relative_to(store)): p for p in store.rglob("*") if p.is_file()}
    return {k: b"" if k.endswith("zarr.json") else p.read_bytes() for k, p in found.items()}


def difference(done: Any, betas: Path, expected: Any, undisturbed: Path) -> str:
    """In what a run differs from the undisturbed one."""
    far = max(gap(a, b) for a, b in zip(done, expected, strict=True))
    if far:
        return f"results differ by {far:.1e}"
    ours, theirs = files(betas), files(undisturbed)
    if ours.keys() != theirs.keys():
        return f"other files: {sorted(ours.keys() ^ theirs.keys())[:3]}"
    changed = [k for k in theirs if ours[k] != theirs[k]]
    return f"other bytes: {changed[:3]}" if changed else "equal bits"


def runs(
    n: int, folder: Path, *, workers: int = 2, patience: float = 300.0, size: Size = SIZE,
    lives: tuple[float, float] = LIVES,
) -> Iterator[Run]:  # fmt: skip
    """Do it `n` times, on one cluster; the panel and what is expected are made first.

    Parameters
    ----------
    n
        How often.
    folder
        For the stores.
    workers
        Processes.
    patience
        Seconds that a run may take.
    size
        Of the panel.
    lives
        Mean seconds of a worker's life, of the first run and of the last.
    """
    with dask.config.set(scheduler="threads"):
        simulate(folder, size)
        expected = lecture_on(folder, folder / "undisturbed.zarr")
    for i in range(n):
        mean_life = lives[0] + (lives[1] - lives[0]) * i / max(1, n - 1)
        betas = folder / f"betas{i}.zarr"
        with cluster(workers, 0, **PATIENT) as client:
            started = time.perf_counter()
            with dying(client, mean_life, i, patience) as killer:
                try:
                    done, outcome = lecture_on(folder, betas), ""
                    while not killer.kills:  # a short run may be over before the first death
                        shutil.rmtree(betas)
                        done = lecture_on(folder, betas)
                except Exception as problem:
                    outcome = f"{type(problem).__name__}: {str(problem).splitlines()[0][:150]}"
            seconds = time.perf_counter() - started
        if killer.gave_up:
            outcome = f"not done within {patience:.0f} s"
        outcome = outcome or difference(done, betas, expected, folder / "undisturbed.zarr")
        shutil.rmtree(betas, ignore_errors=True)
        yield Run(mean_life, killer.kills, seconds, outcome)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--patience", type=float, default=300, help="seconds for a run")
    parser.add_argument("--lives", type=float, nargs=2, default=LIVES, metavar="SECONDS",
                        help="mean life in the first and the last run (%(default)s)")  # fmt: skip
    parser.add_argument("--dates", type=int, default=SIZE.dates)
    parser.add_argument("--assets", type=int, default=SIZE.assets)
    parser.add_argument("--folder", type=Path, help="for the stores (default: a temporary one)")
    chosen = parser.parse_args()
    good = 0
    print(TABLE.format("run", "mean life", "kills", "seconds", "outcome"), flush=True)
    with tempfile.TemporaryDirectory(prefix="xfactor-", dir=chosen.folder) as folder:
        made = runs(
            chosen.runs, Path(folder), workers=chosen.workers, patience=chosen.patience,
            size=replace(SIZE, dates=chosen.dates, assets=chosen.assets),
            lives=tuple(chosen.lives),
        )  # fmt: skip
        for i, run in enumerate(made, 1):
            cells = f"{run.mean_life:.1f}", run.kills, f"{run.seconds:.1f}", run.outcome
            print(TABLE.format(i, *cells), flush=True)
            good += run.good
    print(f"{good} of {chosen.runs} runs lost workers and equal the undisturbed one")
    return int(good < chosen.runs)


if __name__ == "__main__":
    sys.exit(main())
