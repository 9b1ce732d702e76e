"""Options that say where a command runs: threads, worker processes of its own, or a cluster."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask

from xfactor.cli.options import count, size
from xfactor.panel import error

# Seconds: to reach a scheduler, and for its workers to come.
REACH, WORKERS = 10, 60
# What must be alike everywhere for the same bits, and for tasks to be understood.
ALIKE = ("python", "dask", "distributed", "numpy", "pandas", "xarray", "zarr", "numba", "xfactor")
SETTINGS = {
    "distributed.scheduler.no-workers-timeout": "300s",  # tasks end where no worker comes back
    "distributed.comm.timeouts.connect": f"{REACH}s",
    # A worker that took long to start again would be forgotten for good.
    "distributed.deploy.lost-worker-timeout": "1h",
}
# What glibc is told in worker processes. Dask has freed memory given back to the system at once,
# which also makes glibc map each array from 128 kB on anew, and a page touched the first time costs
# more than the arithmetic on it. With these, kernels' temporaries come from one heap; blocks are
# mapped as before. A heap for blocks too would be faster still, and hold more.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**21),
    "MALLOC_TRIM_THRESHOLD_": str(2**23),
    "MALLOC_ARENA_MAX": "1",
}
SPAWN = "distributed.nanny.pre-spawn-environ"


def add_options(p: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = p.add_argument_group("where it runs (threads of this process, if nothing is said)")
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a cluster, e.g. tcp://10.0.0.1:8786"
    )
    where.add_argument(
        "--local-cluster", type=count, metavar="N", help="N worker processes of one thread each"
    )
    memory_option(group)
    for name, what in (("ca", "authority"), ("cert", "certificate"), ("key", "key")):
        group.add_argument(
            f"--tls-{name}", type=Path, metavar="FILE", help=f"{what} (PEM), for tls://"
        )


def memory_option(p: Any) -> None:
    """Add ``--memory-limit SIZE``."""
    p.add_argument(
        "--memory-limit", type=size, metavar="SIZE",
        help="e.g. 2GB, of this process or of each worker: stay below it, or refuse",
    )  # fmt: skip


@contextlib.contextmanager
def running(args: argparse.Namespace) -> Iterator[int | None]:
    """Compute where the options say; give the number of workers, None for threads."""
    if args.scheduler is None and args.local_cluster is None:
        yield None
        return
    distributed = _distributed()
    # A client that was refused leaves dask's choice of scheduler changed: put it back in any case.
    with dask.config.set(SETTINGS | {"scheduler": dask.config.get("scheduler", None)}):
        if args.local_cluster is not None:
            with _local(distributed, args.local_cluster, args.memory_limit):
                yield args.local_cluster
        else:
            with _connected(distributed, args) as client:
                check_versions(client)
                written = [] if getattr(args, "plan", False) else [args.out]
                check_folders(client, [getattr(args, "store", None)], written)
                yield len(client.scheduler_info(n_workers=-1)["workers"])


def memory_of(args: argparse.Namespace) -> int | None:
    """Return the memory that each worker has, or this process may use; None if nothing says."""
    limit: int | None = args.memory_limit
    if limit is not None or getattr(args, "scheduler", None) is None:
        return limit
    from distributed import get_client

    workers = get_client().scheduler_info(n_workers=-1)["workers"].values()
    return min((w["memory_limit"] for w in workers if w["memory_limit"]), default=None)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise error(
            "dask's distributed scheduler is not installed",
            "it for --scheduler and --local-cluster",
            "Run: python -m pip install 'xfactor[distributed]'",
        ) from None
    return distributed


@contextlib.contextmanager
def _local(distributed: Any, workers: int, limit: int | None) -> Iterator[None]:
    with (
        dask.config.set({SPAWN: dask.config.get(SPAWN) | ALLOCATOR}),
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=limit or "auto",
            dashboard_address=":0", silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        if sys.stderr.isatty():
            print(f"{workers} workers; dashboard: {client.dashboard_link}", file=sys.stderr)
        yield


@contextlib.contextmanager
def _connected(distributed: Any, args: argparse.Namespace) -> Iterator[Any]:
    given = {"tls_ca_file": args.tls_ca, "tls_client_cert": args.tls_cert,
             "tls_client_key": args.tls_key}  # fmt: skip
    security = None
    if any(given.values()):
        absent = [str(f) for f in given.values() if f is None or not f.is_file()]
        if absent:
            raise error(
                f"--tls-ca, --tls-cert and --tls-key name no file: {', '.join(absent)}",
                "all three",
                "See cluster/README.md",
            )
        security = distributed.Security(
            require_encryption=True, **{k: str(v) for k, v in given.items()}
        )
    try:
        client = distributed.Client(args.scheduler, security=security, timeout=REACH)
        # Refused certificates may show only now: the next call would wait for ever.
        client.sync(client.scheduler.identity, callback_timeout=REACH)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as problem:
        why = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise error(
            f"no scheduler answered at {args.scheduler} ({why})",
            "the address that `dask scheduler` prints, tls:// with certificates",
            "Check it, and that this machine reaches it",
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError:
            raise error(
                f"the scheduler at {args.scheduler} has no workers after {WORKERS} s",
                "at least one",
                f"Start some: dask worker {args.scheduler} --nthreads 1 --memory-limit 2GB",
            ) from None
        yield client


def check_versions(client: Any) -> None:
    """Refuse workers of other versions: they would fail in the middle, or give other bits."""
    found = client.get_versions(packages=["xfactor", "xarray", "zarr", "numba", "pandas"])
    ours = _alike(found["client"])
    for where, other in [("the scheduler", found["scheduler"]), *found["workers"].items()]:
        theirs = _alike(other)
        names = ("python", "dask", "distributed") if where == "the scheduler" else ALIKE
        for name in names:
            if theirs.get(name) != ours.get(name):
                raise error(
                    f"{where} has {name} {theirs.get(name) or 'not installed'} and this process"
                    f" {ours.get(name)}",
                    "the same versions everywhere",
                    "Install the same on all machines",
                )


def _alike(versions: Any) -> dict[str, str | None]:
    python = str(versions["host"]["python"])
    return {**versions["packages"], "python": ".".join(python.split(".")[:2])}


def check_folders(client: Any, stores: list[Any], outs: list[Path]) -> None:
    """Refuse folders that the workers do not see: they would write to disks of their own."""
    local = [Path(s).resolve() for s in stores if s is not None and "://" not in str(s)]
    for out in outs:
        out.mkdir(parents=True, exist_ok=True)
    for folder in [*local, *(o.resolve() for o in outs)]:
        seen = client.run(os.path.isdir, str(folder))
        blind = [worker for worker, sees in seen.items() if not sees]
        if folder.is_dir() and blind:
            raise error(
                f"the worker {blind[0]} sees no folder {folder}",
                "a folder that all workers see under this path",
                "Use a shared disk, or a bucket (s3://)",
            )
