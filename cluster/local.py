"""Run the lecture on a panel store with worker processes of this machine.

``python cluster/local.py STORE --workers 2 --memory-limit 2GB``
"""

import argparse
import time
from pathlib import Path

from distributed import Client, LocalCluster, get_task_stream

from xfactor import runs


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the lecture on worker processes.")
    parser.add_argument("store", type=Path, help="panel store")
    parser.add_argument("--out", type=Path, default=Path("xfactor-run"), help="folder for results")
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    parser.add_argument("--memory-limit", default="2GB", help="of each process (%(default)s)")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    # One thread in each process: the kernels then share neither the interpreter nor the memory
    # limit, and a chunk more or less in flight is what decides whether a worker survives.
    with (
        LocalCluster(
            n_workers=chosen.workers,
            threads_per_worker=1,
            memory_limit=chosen.memory_limit,
            dashboard_address=None,
        ) as cluster,
        Client(cluster),  # while it is open, everything that xfactor computes runs on it
        get_task_stream() as tasks,
    ):
        started = time.perf_counter()
        result = runs.run_lecture(chosen.store, chosen.out)
        seconds = time.perf_counter() - started
    print(result.text)
    print("\nWritten:")
    for path in result.files:
        print(f"  {path}")
    print(f"\n{len(tasks.data)} tasks on {chosen.workers} processes in {seconds:.1f} s.")


if __name__ == "__main__":
    main()
