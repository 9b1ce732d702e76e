"""Start a Dask scheduler and workers over SSH and keep them until interrupted.

``python cluster/ssh.py node1 node1 node2 --workers 4`` starts the scheduler on the first host and
four workers on each of the others, and prints the scheduler's address; give it to
``cluster/smoke.py``, ``xfactor run --scheduler`` or ``Client(address)``. Hosts must let this user
in by key, and have Python and xfactor at the same place (or ``--python``). With ``DASK_CONFIG`` set
to the dask.yaml of ``cluster/tls.sh`` connections are encrypted. Needs ``pip install asyncssh``.
"""

import argparse
import signal
import sys
import threading

import asyncssh
import dask
from distributed import SSHCluster
from distributed.deploy import SpecCluster

from xfactor.cli.cluster import ALLOCATOR, SPAWN


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Dask scheduler and workers over SSH.")
    parser.add_argument("hosts", nargs="+", help="the scheduler's, then those of workers")
    parser.add_argument("--workers", type=int, default=1, help="on each host (%(default)s)")
    parser.add_argument("--memory-limit", default="2GB", help="of each worker (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="of the scheduler (default: any)")
    parser.add_argument("--python", default=sys.executable, help="on the hosts (%(default)s)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds to start (%(default)s)")
    ssh = parser.add_argument_group("SSH (default: what ~/.ssh says)")
    ssh.add_argument("--user")
    ssh.add_argument("--key", help="file of the private key")
    ssh.add_argument("--known-hosts", help="file of the hosts' public keys")
    ssh.add_argument("--ssh-port", type=int)
    return parser.parse_args()


def login(chosen: argparse.Namespace) -> dict[str, object]:
    """Arguments of asyncssh.connect; what was not given is left to ~/.ssh/config."""
    given = {
        "username": chosen.user,
        "client_keys": [chosen.key] if chosen.key else None,
        "known_hosts": chosen.known_hosts,
        "port": chosen.ssh_port,
    }
    return {name: value for name, value in given.items() if value is not None}


def start(chosen: argparse.Namespace) -> SpecCluster:
    # Hosts inherit this configuration. By default a scheduler without workers lets clients wait
    # for ever.
    dask.config.set({"distributed.scheduler.no-workers-timeout": "5 minutes"})
    dask.config.set({SPAWN: dask.config.get(SPAWN) | ALLOCATOR})
    return SSHCluster(
        chosen.hosts,
        connect_options={"connect_timeout": chosen.timeout, **login(chosen)},
        # One thread: the memory limit is a process's, and threads would share it.
        worker_options={
            "n_workers": chosen.workers,
            "nthreads": 1,
            "memory_limit": chosen.memory_limit,
            "death_timeout": 60,
        },
        scheduler_options={"port": chosen.port, "dashboard_address": ":0"},
        remote_python=chosen.python,
    )


def main() -> int:
    chosen = options()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        cluster = start(chosen)
    except (OSError, asyncssh.Error, RuntimeError) as problem:
        reason = problem.__cause__ or problem
        print(
            f"ssh: no cluster on {', '.join(chosen.hosts)} ({reason}); needed are hosts that "
            f"`ssh HOST {chosen.python} -m distributed.cli.dask_spec --help` works on.",
            file=sys.stderr,
        )
        return 1
    with cluster:
        print(cluster.scheduler_address, flush=True)
        print("Ctrl-C ends it", flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
