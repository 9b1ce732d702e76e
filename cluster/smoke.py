"""Run both approaches of the lecture on a cluster and compare with threads of this process.

``python cluster/smoke.py tcp://10.0.0.1:8786 --folder /shared/scratch``

The folder must be seen under the same path by this process and by all workers. Ends with status 1
if a result of the cluster differs by more than 1e-12, and says by how much.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import dask
import numpy as np
import xarray as xr
from distributed import Client

import xfactor as xf
from xfactor import lecture

TOLERANCE = 1e-12  # the order of sums is fixed, so that even the last bits should agree


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare a cluster with threads.")
    parser.add_argument("address", help="of the scheduler, e.g. tcp://10.0.0.1:8786")
    parser.add_argument("--folder", type=Path, help="that all workers see (default: a new one)")
    parser.add_argument("--workers", type=int, default=1, help="to wait for (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for them (60)")
    parser.add_argument("--dates", type=int, default=1260)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--chunk-dates", type=int, default=128)
    return parser.parse_args()


def lecture_on(folder: Path, chosen: argparse.Namespace) -> dict[str, xr.Dataset]:
    """Simulate, store and analyse a panel, with whatever scheduler is active."""
    panel, _ = xf.simulate_panel(
        dates=chosen.dates, assets=chosen.assets, chunk_dates=chosen.chunk_dates
    )
    fields = xf.open_panel(xf.write_panel(panel, folder / "panel.zarr"))
    traits = lecture.characteristics(fields)
    one = lecture.approach_one(fields, traits, lecture.largest_names(fields))
    two = lecture.approach_two(fields, traits)
    betas = xr.Dataset({"beta": one.asset_beta.transpose("date", "asset", ...)})
    stored = xf.open_panel(xf.write_panel(betas, folder / "betas.zarr"))
    opened = xf.open_panel(folder / "panel.zarr")
    names = ("panel", "approach 1", "approach 2", "stored betas")
    done = xf.compute(opened, one.drop_vars("asset_beta"), two, stored)
    return dict(zip(names, done, strict=True))


def difference(a: xr.Dataset, b: xr.Dataset) -> float:
    """Largest difference of two results, relative where values exceed 1; inf if one is missing."""
    largest = 0.0
    for name in a.data_vars:
        x, y = (np.asarray(v[name].values, dtype=np.float64) for v in (a, b))
        if x.shape != y.shape or not np.array_equal(np.isnan(x), np.isnan(y)):
            return np.inf
        known = ~np.isnan(x)
        gap = np.abs(x[known] - y[known]) / np.maximum(1.0, np.abs(y[known]))
        largest = max(largest, gap.max(initial=0.0))
    return largest


def timed(folder: Path, chosen: argparse.Namespace, what: str) -> dict[str, xr.Dataset]:
    started = time.perf_counter()
    results = lecture_on(folder, chosen)
    print(f"{what}: {time.perf_counter() - started:.1f} s")
    return results


def compare(client: Client, folder: Path, chosen: argparse.Namespace) -> int:
    client.get_versions(check=True)  # a worker with another numpy or dask gives other errors later
    blind = [w for w, sees in client.run(os.path.isdir, str(folder)).items() if not sees]
    if blind:
        # It would write its chunks to a disk of its own, and they would read as missing here.
        return refuse(f"{folder} is not seen by {', '.join(blind)}. Use --folder")
    (folder / "cluster").mkdir()
    (folder / "threads").mkdir()
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    ours = timed(folder / "cluster", chosen, f"{workers} workers at {chosen.address}")
    with dask.config.set(scheduler="threads"):
        theirs = timed(folder / "threads", chosen, "threads of this process")
    gaps = {name: difference(ours[name], theirs[name]) for name in ours}
    for name, gap in gaps.items():
        print(f"{name}: largest difference {gap:.3g}")
    worst = max(gaps.values())
    print("equal" if worst <= TOLERANCE else f"DIFFERENT: {worst:.3g} > {TOLERANCE:.0e}")
    return int(worst > TOLERANCE)


def refuse(reason: str) -> int:
    print(f"smoke: {reason}.", file=sys.stderr)
    return 1


def main() -> int:
    chosen = options()
    try:
        client = Client(chosen.address, timeout=chosen.timeout)
    except OSError:
        return refuse(f"no scheduler answers at {chosen.address}")
    folder = Path(tempfile.mkdtemp(prefix="xfactor-smoke-", dir=chosen.folder))
    folder.chmod(0o777)  # workers may run as another user
    try:
        client.wait_for_workers(chosen.workers, timeout=chosen.timeout)
        return compare(client, folder, chosen)
    except TimeoutError as problem:
        return refuse(str(problem))
    finally:
        client.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
