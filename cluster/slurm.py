"""Start Dask workers as Slurm jobs and keep them until interrupted. Not run by our tests.

``python cluster/slurm.py --jobs 4 --queue normal`` prints the scheduler's address; give it to
``cluster/smoke.py`` or to ``Client(address)`` in a script. Needs ``pip install dask-jobqueue``.
"""

import argparse
import time

from dask_jobqueue import SLURMCluster


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Dask workers as Slurm jobs.")
    parser.add_argument("--jobs", type=int, default=2, help="one worker each (default %(default)s)")
    parser.add_argument("--queue", help="partition (default: the cluster's)")
    parser.add_argument("--memory", default="4GB", help="of each job (default %(default)s)")
    parser.add_argument("--walltime", default="01:00:00", help="of each job (default %(default)s)")
    parser.add_argument("--interface", help="network device that the nodes share, e.g. ib0")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    with SLURMCluster(
        queue=chosen.queue,
        cores=1,
        processes=1,
        memory=chosen.memory,
        walltime=chosen.walltime,
        interface=chosen.interface,
    ) as cluster:
        cluster.scale(jobs=chosen.jobs)
        print(f"{cluster.scheduler_address}  (Ctrl-C ends the jobs)", flush=True)
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            print("ended")


if __name__ == "__main__":
    main()
