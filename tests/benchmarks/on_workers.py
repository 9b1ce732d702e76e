"""A local cluster whose workers are watched: what they read, the memory they had, their deaths."""

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import numpy as np
import xarray as xr
from dask.utils import key_split
from distributed import Client, LocalCluster, Worker, WorkerPlugin

from tests.benchmarks.out_of_core import UNRESERVED, counted_reads, peak_rss
from xfactor.cli.cluster import ALLOCATOR, SPAWN

# Without workers the scheduler would wait for ever.
WAIT = {"distributed.scheduler.no-workers-timeout": "120s"}


class Watch(WorkerPlugin):
    """Counts the chunks that a worker reads and looks at what it holds, also after a restart."""

    name = "watch"

    def setup(self, worker: Worker) -> None:
        self.stack = contextlib.ExitStack()
        worker.reads = self.stack.enter_context(counted_reads())
        worker.held = Counter()
        self.looking = hasattr(worker.data, "fast")  # not without a limit
        threading.Thread(target=self._look, args=[worker], daemon=True).start()

    def teardown(self, worker: Worker) -> None:
        self.looking = False
        self.stack.close()

    def _look(self, worker: Worker) -> None:
        """Keep what is held, by kind of task, whenever it is clearly more than ever before."""
        while self.looking:
            time.sleep(0.05)
            weights = worker.data.fast.weights
            if sum(list(weights.values())) > 1.05 * worker.held.total():
                held: Counter[str] = Counter()
                for key, nbytes in list(weights.items()):
                    held[key_split(key)] += nbytes
                worker.held = held


@dataclass(frozen=True)
class Watched:
    """What the workers had done when they were asked."""

    reads: Counter[tuple[str, str]] = field(default_factory=Counter)
    peaks: list[int] = field(default_factory=list)  # bytes, each worker
    held: list[Counter[str]] = field(default_factory=list)  # results kept, at the most: bytes
    spilled: int = 0  # bytes, over the lives of all
    started: int = 0  # workers, restarts included


def _ask(dask_worker: Worker) -> tuple[Counter[tuple[str, str]], int, Counter[str], int]:
    metrics = getattr(dask_worker.data, "cumulative_metrics", {})
    spilled = int(metrics.get(("disk-write", "bytes"), 0))
    return dask_worker.reads, peak_rss(), dask_worker.held, spilled


def _starts(dask_scheduler: Any) -> int:
    events = dask_scheduler.get_events("all")
    return sum(e["action"] == "add-worker" for _, e in events if isinstance(e, dict))


def watched(client: Client) -> Watched:
    """Ask all workers."""
    told = list(client.run(_ask).values())
    starts = client.run_on_scheduler(_starts)
    if not told:
        return Watched(started=starts)
    reads, peaks, held, spilled = zip(*told, strict=True)
    return Watched(sum(reads, Counter()), list(peaks), list(held), sum(spilled), starts)


def fresh_peak() -> None:
    """Forget the largest resident set of this process, where the system lets us."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@contextlib.contextmanager
def cluster(
    workers: int, memory: int | str, plain: bool = False, **config: Any
) -> Iterator[Client]:
    """Worker processes of one thread each, on this machine, that everything runs on meanwhile.

    Parameters
    ----------
    workers
        How many.
    memory
        Limit of each.
    plain
        Workers get memory as dask has it, not as the scripts and commands of xfactor.
    **config
        Settings of dask with ``__`` for each dot, beside those of this module.
    """
    chosen = {k.replace("__", ".").replace("_", "-"): v for k, v in config.items()}
    spawn = dask.config.get(SPAWN) | ({} if plain else ALLOCATOR) | UNRESERVED
    with (
        dask.config.set({SPAWN: spawn, **WAIT, **chosen}),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=memory, dashboard_address=":0"
        ) as made,
        Client(made) as client,
    ):
        logging.getLogger("distributed").setLevel(logging.ERROR)
        client.register_plugin(Watch())
        yield client


def gap(a: xr.Dataset, b: xr.Dataset) -> float:
    """Largest difference, relative where values exceed 1; 0 if all bits are equal."""
    worst = 0.0
    for name in b.data_vars:
        x, y = np.asarray(a[name].transpose(*b[name].dims).values), np.asarray(b[name].values)
        if x.shape != y.shape or x.dtype != y.dtype:
            return np.inf
        if x.tobytes() == y.tobytes():
            continue
        if x.dtype.kind != "f" or not np.array_equal(np.isnan(x), np.isnan(y)):
            return np.inf
        off = np.abs(x - y) / np.maximum(1.0, np.abs(y))
        worst = max(worst, float(np.nanmax(off)), np.finfo(float).tiny)
    return worst
