"""Run both approaches of the lecture on a cluster and compare with threads of this process.

``python cluster/smoke.py tcp://10.0.0.1:8786 --workers 4 --folder /shared/scratch``

The folder must be seen under the same path by this process and by all workers. Ends with status 1
if a result of the cluster differs by more than 1e-12, and says by how much.
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import dask
import numpy as np
import xarray as xr
from dask.utils import format_bytes
from distributed import Client
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

import xfactor as xf
from xfactor import lecture
from xfactor.cli.cluster import check_folders, check_versions

TOLERANCE = 1e-12  # the order of sums is fixed, so that even the last bits should agree


class SmokeError(Exception):
    """The cluster cannot be used as it is; the text says what to do."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare a cluster with threads.")
    parser.add_argument("address", help="of the scheduler, e.g. tcp://10.0.0.1:8786")
    parser.add_argument("--folder", type=Path, help="that all workers see (default: a new one)")
    parser.add_argument("--workers", type=int, default=1, help="to wait for (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for them (60)")
    parser.add_argument("--dates", type=int, default=1260)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--chunk-dates", type=int, default=128)
    tls = parser.add_argument_group("TLS (default: what dask's configuration says)")
    for name in ("ca", "cert", "key"):
        tls.add_argument(f"--tls-{name}", type=Path, metavar="PEM")
    return parser.parse_args()


# --- connecting -----------------------------------------------------------------------------------


def security(chosen: argparse.Namespace) -> Security | None:
    """Certificates of the three options; None leaves it to dask's configuration."""
    files = {name: getattr(chosen, f"tls_{name}") for name in ("ca", "cert", "key")}
    if not any(files.values()):
        return None
    for name, path in files.items():
        if path is None or not path.is_file():
            raise SmokeError(f"--tls-{name}: found {path or 'nothing'}, needed a PEM file")
    return Security(
        tls_ca_file=str(files["ca"]),
        tls_client_cert=str(files["cert"]),
        tls_client_key=str(files["key"]),
        require_encryption=True,
    )


def connect(chosen: argparse.Namespace) -> Client:
    try:
        client = Client(chosen.address, timeout=chosen.timeout, security=security(chosen))
        # Seen: connected, and no answer, where the scheduler does not trust our certificate.
        client.sync(client.scheduler.identity, callback_timeout=chosen.timeout)
        return client
    except TypeError as problem:  # what distributed raises where certificates are missing
        if "ssl_context" not in str(problem):
            raise
        raise SmokeError(
            f"{chosen.address} wants certificates: give --tls-ca, --tls-cert and --tls-key, or set "
            "DASK_CONFIG to the dask.yaml of cluster/tls.sh"
        ) from problem
    except (OSError, RuntimeError) as problem:  # RuntimeError: encryption required, address is tcp
        cause = problem.__cause__ or problem
        raise SmokeError(
            f"no connection to {chosen.address} within {chosen.timeout:g} s ({cause}); needed are "
            "the scheduler's address, tls:// where it uses certificates, and those of its CA"
        ) from problem


# --- is the cluster fit for it? -------------------------------------------------------------------


def code_version() -> str:
    """Digest of the files of xfactor: the same version may be installed from another commit."""
    digest = hashlib.sha256()
    root = Path(xf.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def check_files(client: Client) -> None:
    """Raise with one line if a worker has the same versions, but other files of xfactor."""
    here = code_version()
    for worker, theirs in client.run(code_version).items():
        if theirs != here:
            raise SmokeError(
                f"xfactor's files differ on {worker} ({theirs}, here {here}). Install the same ones"
            )


def describe(client: Client) -> None:
    """Print what usually goes wrong later: threads, memory, waiting for ever."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    limit = min(w["memory_limit"] for w in workers)
    threads = max(w["nthreads"] for w in workers)
    print(f"{len(workers)} workers, {threads} thread(s) and {format_bytes(limit)} each")
    if threads > 1:
        print("  note: threads share a worker's memory limit; --nthreads 1 is safer")
    if client.run_on_scheduler(patience) is None:
        print("  note: without workers this scheduler waits for ever; set no-workers-timeout")


def patience(dask_scheduler: object = None) -> float | None:
    """Seconds after which the scheduler gives up a task that no worker can run."""
    return getattr(dask_scheduler, "no_workers_timeout", None)


def comings(client: Client) -> tuple[int, int]:
    """How many workers the scheduler has seen come and go until now."""
    actions = [event.get("action") for _, event in client.get_events("all")]
    return actions.count("add-worker"), actions.count("remove-worker")


# --- the lecture, twice ---------------------------------------------------------------------------


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
    print(f"the lecture on {what} ...", flush=True)
    folder.mkdir()
    started = time.perf_counter()
    results = lecture_on(folder, chosen)
    print(f"{what}: {time.perf_counter() - started:.1f} s", flush=True)
    return results


def on_cluster(client: Client, folder: Path, chosen: argparse.Namespace) -> dict[str, xr.Dataset]:
    """Results of the cluster; workers that died meanwhile are waited for and counted."""
    came, went = comings(client)
    results = timed(folder, chosen, chosen.address)
    now_came, now_went = comings(client)
    if now_went > went:
        client.wait_for_workers(chosen.workers, timeout=chosen.timeout)
        now_came, now_went = comings(client)
        print(f"  meanwhile {now_went - went} worker(s) died and {now_came - came} came")
    return results


def compare(client: Client, folder: Path, chosen: argparse.Namespace) -> int:
    client.wait_for_workers(chosen.workers, timeout=chosen.timeout)
    check_versions(client)
    check_files(client)
    check_folders(client, [folder], [])
    describe(client)
    ours = on_cluster(client, folder / "cluster", chosen)
    with dask.config.set(scheduler="threads"):
        theirs = timed(folder / "threads", chosen, "threads of this process")
    gaps = {name: difference(ours[name], theirs[name]) for name in ours}
    for name, gap in gaps.items():
        print(f"{name}: largest difference {gap:.3g}")
    worst = max(gaps.values())
    print("equal" if worst <= TOLERANCE else f"DIFFERENT: {worst:.3g} > {TOLERANCE:.0e}")
    return int(worst > TOLERANCE)


def smoke(chosen: argparse.Namespace) -> int:
    with connect(chosen) as client:
        folder = Path(tempfile.mkdtemp(prefix="xfactor-smoke-", dir=chosen.folder))
        folder.chmod(0o777)  # workers may run as another user
        try:
            return compare(client, folder, chosen)
        except TimeoutError as problem:
            raise SmokeError(str(problem)) from problem
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    # check_versions says the same in one line, and about the packages that matter.
    warnings.simplefilter("ignore", VersionMismatchWarning)
    try:
        return smoke(options())
    except (SmokeError, xf.PanelError) as problem:  # the latter, too, where workers died too often
        print(f"smoke: {str(problem).rstrip('.')}.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
