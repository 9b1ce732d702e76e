"""Where lazy arrays are computed: on the cluster that the caller is connected to, or on threads."""

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import dask
from dask.array.core import Array
from dask.base import get_scheduler
from dask.diagnostics import ProgressBar
from dask.utils import parse_timedelta

from xfactor import _fusion, panel

PATIENCE = 1.0  # seconds before a bar is shown


def client() -> Any:
    """Return the active client of a cluster, or None.

    Returns
    -------
    distributed.Client or None
        None where dask would run on threads, or on the scheduler that its settings name.

    Raises
    ------
    PanelError
        If the client does not reach its scheduler: one that was refused stays the active one.
    """
    owner: Any = getattr(get_scheduler(), "__self__", None)
    if not hasattr(owner, "scheduler_info"):
        return None
    patience = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    until = time.monotonic() + patience
    while owner.status in ("newly-created", "connecting") and time.monotonic() < until:
        time.sleep(0.05)
    if owner.status in ("newly-created", "connecting"):
        raise panel.error(
            f"the active dask client has not reached its scheduler within {patience:g} s",
            "a connected one, or none",
            "Close it (distributed.default_client().close()), or make it anew",
        )
    return owner


def compute(*arrays: Array, progress: bool = False) -> tuple[Any, ...]:
    """Compute arrays together.

    Parameters
    ----------
    *arrays
        Lazy arrays.
    progress
        Show a bar on standard error if it takes more than a second.

    Returns
    -------
    tuple
        What `dask.compute` gives.

    Raises
    ------
    PanelError
        If the cluster has no workers, or they died of it.
    """
    cluster = client()
    if cluster is None or not arrays:
        with bar(progress):
            return dask.compute(*arrays)
    drawn = _fusion.drawn_together(arrays)
    results = _on(cluster, drawn, progress)
    return tuple(_assembled(a, drawn.found, results) for a in arrays)


def pieces(array: Array, progress: bool = False) -> list[Any]:
    """Compute an array of one dim whose blocks are anything.

    Parameters
    ----------
    array
        Lazy.
    progress
        As in `compute`.

    Returns
    -------
    list
        What each block is.
    """
    cluster = client()
    if cluster is None:
        with bar(progress):
            return list(dask.compute(*array.to_delayed()))
    drawn = _fusion.drawn_together([array])
    results = _on(cluster, drawn, progress)
    where = [drawn.found[key] for key in array.__dask_keys__()]
    return [results[merged][place] for merged, place in where]


def bar(progress: bool) -> Any:
    """Return the bar of the local schedulers, or nothing."""
    return ProgressBar(minimum=PATIENCE, out=sys.stderr) if progress else contextlib.nullcontext()


def _on(cluster: Any, drawn: _fusion.Drawn, progress: bool) -> dict[Any, tuple[Any, ...]]:
    """Run a graph on a cluster and bring back the results that are wanted."""
    from distributed import wait
    from distributed.scheduler import KilledWorker, NoWorkerError

    keys = list(dict.fromkeys(k for k, _ in drawn.found.values()))
    with dask.annotate(priority=drawn.ranks.get):  # by dates: dask's order may open many blocks
        futures = cluster.get(drawn.graph, keys, sync=False)
    try:
        if progress:
            with contextlib.suppress(TimeoutError):
                wait(futures, timeout=PATIENCE)  # type: ignore[no-untyped-call]
            _show(futures)
        return dict(zip(keys, cluster.gather(futures), strict=True))
    except KilledWorker as problem:
        raise _killed(problem) from None
    except NoWorkerError as problem:
        raise panel.error(
            f"the cluster had no worker for {problem.timeout:.0f} s",
            "workers",
            "Start some (dask worker ADDRESS), or see why theirs ended",
        ) from None
    finally:
        with contextlib.suppress(Exception):  # the cluster may have gone: that is the error to see
            cluster.cancel([f for f in futures if not f.done()], reason="xfactor stopped")


def _show(futures: Sequence[Any]) -> None:
    """Draw a bar on standard error until all is done."""
    from distributed.diagnostics.progressbar import TextProgressBar

    class Bar(TextProgressBar):
        def _draw_bar(self, remaining: int, all: int, **_: Any) -> None:
            share = 1 - remaining / all if all else 1.0
            done = "#" * int(self.width * share)
            line = f"\r[{done:<{self.width}}] | {share:4.0%} Completed | {self.elapsed:.1f} s"
            print(line, end="", file=sys.stderr, flush=True)

        def _draw_stop(self, **_: Any) -> None:
            print(file=sys.stderr, flush=True)

    if not all(f.done() for f in futures):
        Bar(futures)  # type: ignore[no-untyped-call]


def _killed(problem: Any) -> panel.PanelError:
    """Explain that a task took its workers with it."""
    title = str(problem.task[0] if isinstance(problem.task, tuple) else problem.task)
    step = title.rsplit("-", 1)[0]
    limit = getattr(problem.last_worker, "memory_limit", 0)
    given = f" (memory limit {limit / 1e9:.3g} GB each)" if limit else ""
    died = problem.allowed_failures + 1
    return panel.error(
        f"the step {step} died with {died} workers, one after another{given}",
        "more memory for each worker, as a rule: a worker that exceeds its limit is ended",
        "Give workers more (--memory-limit), one thread each (--nthreads 1), or use a store of"
        " smaller chunks (xf.rechunk_panel); xf.plan(result) tells what it needs",
    )


def _assembled(array: Array, found: Any, results: dict[Any, tuple[Any, ...]]) -> Any:
    """Put the blocks of an array together."""

    def blocks(keys: Any) -> Any:
        if isinstance(keys, list):
            return [blocks(k) for k in keys]
        merged, place = found[keys]
        return results[merged][place]

    finalize, extra = array.__dask_postcompute__()
    return finalize(blocks(array.__dask_keys__()), *extra)
