"""What a computation will take, before anything runs: tasks, bytes read, memory.

The graph is drawn as it will run, each task's result gets a size, and a run is played through: the
same order, so many at once, results forgotten after their last use.
"""

import heapq
import math
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr
from dask._task_spec import DataNode, GraphNode
from dask.array import empty
from dask.array.core import Array
from dask.base import flatten
from dask.order import order

from xfactor import _fusion, _graph, _nbytes, _schedulers, panel

# The interpreter, the libraries and the compiled kernels, in bytes; and what the allocator and the
# scheduler hold beside the arrays, as a factor. `python -m tests.benchmarks.plan` measures both.
BASE = 320e6
SLACK = 1.15
COPIED = 0.7  # of its inputs, by a task
DECODED = 2  # times the bytes of a chunk, while it is read
# A worker is stopped from taking more above this share of its limit (distributed's default).
USABLE = 0.8


@dataclass(frozen=True, repr=False)
class Plan:
    """What a computation will take.

    Parameters
    ----------
    tasks
        Number of tasks.
    chunks
        Blocks of dates.
    read_bytes
        Bytes of chunks read from stores, uncompressed.
    result_bytes
        Bytes of the results.
    peak_bytes
        Predicted peak memory of each worker, or of this process on threads.
    workers, threads
        Worker processes, and threads of each.
    memory_limit
        Of each worker or of this process; None if nothing limits it.
    """

    tasks: int
    chunks: int
    read_bytes: int
    result_bytes: int
    peak_bytes: int
    workers: int
    threads: int
    memory_limit: int | None = None
    largest: tuple[str, int] = ("", 0)

    @property
    def fits(self) -> bool:
        """Whether the predicted peak is within the limit."""
        return self.memory_limit is None or self.peak_bytes <= self.memory_limit

    def check(self) -> None:
        """Refuse, with the numbers, what will not fit.

        Raises
        ------
        PanelError
            If the predicted peak exceeds the limit.
        """
        if not self.fits and self.memory_limit is not None:
            step, size = self.largest
            raise panel.error(
                f"the limit is {_gb(self.memory_limit)}",
                f"about {_gb(self.peak_bytes)} for {self.threads} threads; the largest step is"
                f" {step} with {_gb(size)}",
                f"Use --memory-limit {math.ceil(self.peak_bytes / 1e8) / 10}GB, fewer threads, or a"
                " store of smaller chunks (xf.rechunk_panel)",
            )

    def __str__(self) -> str:
        where = f"{self.workers} workers" if self.workers else f"{self.threads} threads"
        limit = ""
        if self.memory_limit is not None:
            limit = f" of {_gb(self.memory_limit)}: " + ("fits" if self.fits else "does not fit")
        return (
            f"{self.tasks} tasks for {self.chunks} blocks of dates on {where}\n"
            f"{_gb(self.read_bytes)} read, {_gb(self.result_bytes)} of results\n"
            f"peak memory about {_gb(self.peak_bytes)} each{limit}"
        )

    __repr__ = __str__  # at a prompt it is to be read


def _gb(n: float) -> str:
    return f"{n / 1e9:.2f} GB"


def plan(
    *results: Any,
    memory_limit: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    streamed: bool = False,
) -> Plan:
    """Predict what computing lazy results together takes; nothing is computed.

    Parameters
    ----------
    *results
        DataArrays and Datasets, as for `compute`.
    memory_limit
        Bytes of each worker, or of this process on threads. Of a worker's, 0.8 count: above
        that it takes no more work.
    workers
        Worker processes of one thread each; by default those of the active
        ``distributed.Client``. 0 for threads of this process.
    threads
        Threads, without workers; by default one for each core.
    streamed
        The results go to a store block by block and are not held.

    Returns
    -------
    Plan
        ``tasks``, ``chunks``, ``read_bytes``, ``peak_bytes`` (of each worker), ``fits``; its text
        says it in words, and ``check()`` raises if it does not fit.

    Raises
    ------
    TypeError
        If a result is neither a DataArray nor a Dataset.

    Notes
    -----
    Sizes of results are known for the functions of this package and taken to be those of their
    inputs elsewhere. Of data that are in memory already nothing is counted.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=100, assets=5, chunk_dates=50, seed=1)
    >>> planned = xf.plan(xf.rank(panel.returns), threads=1)
    >>> planned.chunks, planned.fits
    (2, True)
    """
    for r in results:
        if not isinstance(r, xr.DataArray | xr.Dataset):
            raise TypeError(f"plan takes DataArrays and Datasets; found {type(r).__name__}.")
    lazy = [
        v.data
        for r in results
        for v in (r.variables.values() if isinstance(r, xr.Dataset) else [r.variable])
        if v.chunks is not None
    ]
    if workers is None:
        workers = _active_workers()
    threads = 1 if workers else threads or os.cpu_count() or 1
    drawn = _Sized(lazy, merge=bool(workers))
    peaks = drawn.play(max(workers, 1), threads, streamed)
    share = memory_limit if not workers or memory_limit is None else int(memory_limit * USABLE)
    return Plan(
        tasks=len(drawn.graph),
        chunks=max((max(map(len, a.chunks), default=1) for a in lazy), default=0),
        read_bytes=int(sum(drawn.read.values())),
        result_bytes=int(sum(a.nbytes for a in lazy)),
        peak_bytes=int(BASE + SLACK * max(peaks, default=0.0)),
        workers=workers,
        threads=threads,
        memory_limit=share,
        largest=drawn.largest(),
    )


def as_stored(x: xr.Dataset) -> xr.Dataset:
    """Return a lazy Dataset as if it had been written: to plan what will be made of it.

    Parameters
    ----------
    x
        Lazy variables, however they are made.

    Returns
    -------
    xarray.Dataset
        The same labels, dtypes and chunks; not to be computed.
    """

    def unread(v: xr.DataArray) -> xr.DataArray:
        if v.chunks is None:
            return v
        array = empty(v.shape, dtype=v.dtype, chunks=v.chunks, name=f"stored-{uuid.uuid4().hex}")
        _nbytes.note(array.name, array.chunks, array.dtype.itemsize)
        return v.copy(data=array)

    return x.map(unread, keep_attrs=True)


def _active_workers() -> int:
    client = _schedulers.client()
    return len(client.scheduler_info(n_workers=-1)["workers"]) if client else 0


class _Sized:
    """A graph with the bytes that each task reads, works with, and gives."""

    def __init__(self, arrays: Sequence[Array], *, merge: bool) -> None:
        self.wanted = {k for a in arrays for k in flatten(a.__dask_keys__())}
        self.known = {a.name: _nbytes.Results(a.chunks, a.dtype.itemsize) for a in arrays}
        low = _fusion.low_level(arrays)
        self.read: dict[Any, float] = {}
        self.gives: dict[Any, float] = {}
        for key in sorted(low, key=order(low).__getitem__):
            self._size(low, key)
        self.needs: dict[Any, set[Any]] = {k: set(t.dependencies) for k, t in low.items()}
        # Pieces of neighbour blocks are joined, columns are turned: a part of the inputs, copied.
        self.works = {
            k: max(self.gives[k], *self._within(k, low[k]))
            + DECODED * self.read.get(k, 0.0)
            + COPIED * sum(self.gives[d] for d in low[k].dependencies)
            for k in low
        }
        for key, task in low.items():  # a view: its bytes are no longer those of the whole block
            if getattr(task, "func", None) is _graph.pick:
                (block,) = task.dependencies
                self.gives[block] = max(0.0, self.gives[block] - self.gives[key])
                self.works[key] = 0.0
        self.graph: dict[Any, Any] = low
        if merge:
            self._merge(_fusion.merged(low, self.wanted))

    def _size(self, low: dict[Any, GraphNode], key: Any) -> None:
        stack = [key]
        while stack:
            top = stack[-1]
            if top in self.gives:
                stack.pop()
                continue
            todo = [d for d in low[top].dependencies if d not in self.gives]
            if todo:
                stack.extend(todo)
                continue
            task = low[top]
            read = sum(_reads(task))
            if read:
                self.read[top] = read
            self.gives[top] = self._result(top, task, read)

    def _result(self, key: Any, task: GraphNode, read: float) -> float:
        if isinstance(task, DataNode):
            return 0.0  # in memory already
        if isinstance(key, tuple):
            found = self.known.get(key[0]) or _nbytes.KNOWN.get(key[0])
            if found is not None:
                return found.nbytes([i for i in key[1:] if isinstance(i, int)])
            if any(word in str(key[0]) for word in ("sum", "mean", "any-", "all-", "count", "max")):
                return 0.0  # one number for a row or a column
        return max([read, *(self.gives[d] for d in task.dependencies)])

    def _within(self, key: Any, task: GraphNode) -> list[float]:
        """Sizes of the results inside a task that dask has made of several."""
        index = key[1:] if isinstance(key, tuple) else ()
        found = [0.0]
        for node in _nodes(task):
            inner = (
                node.key if isinstance(node.key, tuple) else (str(node.key).split("_.")[0], *index)
            )
            known = _nbytes.KNOWN.get(inner[0])
            if known is not None:
                found.append(known.nbytes([i for i in inner[1:] if isinstance(i, int)]))
        return found

    def _merge(self, drawn: _fusion.Drawn) -> None:
        gives, works, read = {}, {}, {}
        for key, task in drawn.graph.items():
            merged = task.func
            held = peak = 0.0
            own = {t.key for t in merged.tasks}
            for inner, done in zip(merged.tasks, merged.last, strict=True):
                held += self.gives[inner.key]
                peak = max(peak, held - self.gives[inner.key] + self.works[inner.key])
                held -= sum(self.gives[k] for k in done if k in own)
            gives[key] = sum(self.gives[k] for k in merged.wanted)
            works[key] = peak
            read[key] = sum(self.read.get(t.key, 0.0) for t in merged.tasks)
        self.graph, self.gives, self.works = dict(drawn.graph), gives, works
        self.read = read
        self.needs = {k: set(t.dependencies) for k, t in drawn.graph.items()}
        self.wanted = {k for k, _ in drawn.found.values()}

    def largest(self) -> tuple[str, int]:
        """The task that works with most, by its operation."""
        if not self.works:
            return "", 0
        key = max(self.works, key=self.works.__getitem__)
        name = str(key[0] if isinstance(key, tuple) else key)
        step = _fusion.OURS.match(name)
        return (step[1] if step else name.rsplit("-", 1)[0]), int(self.works[key])

    def play(self, workers: int, threads: int, streamed: bool) -> list[float]:
        """Play a run through; return the peak of each worker.

        A task goes to the worker that holds most of what it needs, and takes copies of the rest.
        """
        first = order(self.graph)
        users = Counter(d for needs in self.needs.values() for d in needs)
        missing = {k: len(n) for k, n in self.needs.items()}
        after: dict[Any, list[Any]] = {k: [] for k in self.graph}
        for key, needs in self.needs.items():
            for d in needs:
                after[d].append(key)
        start = sorted((k for k, n in missing.items() if n == 0), key=first.__getitem__)
        ready = [(first[k], i, k) for i, k in enumerate(start)]
        count = len(ready)
        held: list[dict[Any, float]] = [{} for _ in range(workers)]
        now = [0.0] * workers
        peaks = [0.0] * workers
        running: list[tuple[float, int, int, Any]] = []
        free = [threads] * workers
        clock = 0.0
        while ready or running:
            while ready and any(free):
                _, _, key = heapq.heappop(ready)
                at = self._worker(key, held, free)
                for d in self.needs[key]:
                    if d not in held[at]:
                        held[at][d] = self.gives[d]
                        now[at] += self.gives[d]
                now[at] += self.works[key]
                peaks[at] = max(peaks[at], now[at])
                free[at] -= 1
                count += 1
                heapq.heappush(running, (clock + 1e6 + self.works[key], count, at, key))
            clock, _, at, key = heapq.heappop(running)
            free[at] += 1
            now[at] -= self.works[key]
            keep = users[key] or (key in self.wanted and not streamed)
            if keep:
                held[at][key] = self.gives[key]
                now[at] += self.gives[key]
                peaks[at] = max(peaks[at], now[at])
            for d in self.needs[key]:
                users[d] -= 1
                if users[d] == 0 and (d not in self.wanted or streamed):
                    for w in range(workers):
                        now[w] -= held[w].pop(d, 0.0)
            for user in after[key]:
                missing[user] -= 1
                if missing[user] == 0:
                    count += 1
                    heapq.heappush(ready, (first[user], count, user))
        return peaks

    def _worker(self, key: Any, held: Sequence[dict[Any, float]], free: Sequence[int]) -> int:
        able = [w for w, n in enumerate(free) if n]
        return max(able, key=lambda w: sum(held[w].get(d, 0.0) for d in self.needs[key]))


def _reads(task: GraphNode) -> Iterator[float]:
    """Bytes of each region of a stored array that a task reads."""
    stored: dict[Any, Any] = {}
    regions = []
    for node in _nodes(task):
        value = getattr(node, "value", None)
        if hasattr(value, "opener"):
            stored[node.key] = value
        elif isinstance(value, tuple) and value and all(isinstance(i, slice) for i in value):
            regions.append(value)
    for array in stored.values():
        size = array.dtype.itemsize
        fitting = [r for r in regions if len(r) == array.ndim] or [(slice(None),) * array.ndim]
        yield size * math.prod(
            len(range(*s.indices(n))) for s, n in zip(fitting[0], array.shape, strict=True)
        )


def _nodes(task: Any) -> Iterator[Any]:
    yield task
    for arg in getattr(task, "args", ()):
        inner = arg.values() if isinstance(arg, dict) else [arg]
        for each in inner:
            if isinstance(each, GraphNode):
                yield from _nodes(each)
