"""Start Dask workers as Slurm jobs and keep them until interrupted.

``python cluster/slurm.py --jobs 4 --queue normal`` prints the scheduler's address; give it to
``cluster/smoke.py``, ``xfactor run --scheduler`` or ``Client(address)``. The scheduler runs in this
process, so start it where the nodes can reach it. Needs ``python -m pip install dask-jobqueue``.
"""

import argparse
import signal
import threading
from pathlib import Path

import dask
from dask_jobqueue import SLURMCluster
from distributed.security import Security

from xfactor.cli.cluster import ALLOCATOR


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Dask workers as Slurm jobs.")
    parser.add_argument("--jobs", type=int, default=2, help="one worker each (default %(default)s)")
    parser.add_argument("--queue", help="partition (default: the cluster's)")
    parser.add_argument("--account", help="that pays for the jobs")
    parser.add_argument("--memory", default="2GB", help="of each job (default %(default)s)")
    parser.add_argument("--walltime", default="01:00:00", help="of each job (default %(default)s)")
    parser.add_argument("--interface", help="network device that the nodes share, e.g. ib0")
    parser.add_argument("--port", type=int, default=0, help="of the scheduler (default: any)")
    parser.add_argument("--logs", help="folder for the jobs' output (default: where this is run)")
    parser.add_argument("--local-directory", default="/tmp", help="of a node, to spill to (/tmp)")
    parser.add_argument(
        "--tls", type=Path, help="folder that cluster/tls.sh made, seen by all nodes"
    )
    return parser.parse_args()


def encryption(folder: Path | None) -> dict[str, object]:
    """Arguments for a cluster that only holders of the folder's certificate can use."""
    if folder is None:
        return {}
    ca, cert, key = (str(folder.resolve() / f"{name}.pem") for name in ("ca", "cert", "key"))
    pairs = {f"tls_{role}_cert": cert for role in ("scheduler", "worker", "client")}
    pairs |= {f"tls_{role}_key": key for role in ("scheduler", "worker", "client")}
    security = Security(tls_ca_file=ca, require_encryption=True, **pairs)
    return {"protocol": "tls://", "security": security}


def start(chosen: argparse.Namespace) -> SLURMCluster:
    # By default a scheduler without workers lets its clients wait for ever; jobs may queue.
    dask.config.set({"distributed.scheduler.no-workers-timeout": "30 minutes"})
    cluster = SLURMCluster(
        queue=chosen.queue,
        account=chosen.account,
        cores=1,  # one thread: the memory limit is a process's, and threads would share it
        processes=1,
        memory=chosen.memory,
        walltime=chosen.walltime,
        interface=chosen.interface,
        log_directory=chosen.logs,
        local_directory=chosen.local_directory,
        job_script_prologue=[f"export {name}={value}" for name, value in ALLOCATOR.items()],
        scheduler_options={"port": chosen.port, "dashboard_address": ":0"},
        **encryption(chosen.tls),
    )
    # Not scale(): that would not submit another job for one that was cancelled or ran out of time.
    cluster.adapt(minimum_jobs=chosen.jobs, maximum_jobs=chosen.jobs)
    return cluster


def main() -> None:
    chosen = options()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with start(chosen) as cluster:
        print(cluster.scheduler_address, flush=True)
        print("Ctrl-C ends the jobs", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
