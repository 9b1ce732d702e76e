"""The lecture on worker processes of this machine: ``python -m tests.benchmarks.cluster``.

``--memory``   a panel many times larger than the memory limit of the workers: what each step read,
               the largest memory of each worker, spilled bytes, restarts; then the results beside
               those of one process on a slice of the dates and of the assets.
``--scaling``  one worker and two, on what is bound by computing.
``--linear``   the whole lecture from 1,260 to 20,160 dates.
``--model``    the cost of a task, of a cell, and from them a cluster of 100 workers, on paper.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dask
import xarray as xr

import xfactor as xf
from tests.benchmarks import model, out_of_core, scaling
from tests.benchmarks.on_workers import Watched, cluster, fresh_peak, gap, watched
from tests.benchmarks.out_of_core import FIRST_DAY, Size, approaches
from xfactor.cli import options

TABLE = "{:<15} {:>8} {:>8} {:>10} {:>9} {:>6} {:>9} {:>10}  {}"
TOLERANCE = 1e-12  # where a sum over all of the history is worked out again from series in memory
WINDOW = 100  # of the rolling betas; their sums begin at multiples of it, and so does the slice
BEFORE = 252 + 1 + WINDOW  # dates at the start of a slice that miss what came before
SLICE_DATES, SLICE_ASSETS = 600, 64


# --- the steps: what each gives is small and comes back to this process ---------------------------


def simulate(folder: Path, size: Size) -> xr.Dataset:
    """Simulate the panel and write it."""
    out_of_core.simulate(folder, size)
    return xr.Dataset()


def factor_returns(folder: Path, size: Size) -> xr.Dataset:
    """Approach 1: factor returns, the portfolio, full-sample sensitivities."""
    one, _ = approaches(folder)
    names = ["sensitivity", "sensitivity_stderr", "sensitivity_tvalue"]
    return xf.compute(one[["factor_return", "portfolio_return", *names]])[0]


def cross_sections(folder: Path, size: Size) -> xr.Dataset:
    """Approach 2: exposures, a regression per date, premia with their errors."""
    return xf.compute(approaches(folder)[1])[0]


def asset_betas(folder: Path, size: Size) -> xr.Dataset:
    """Rolling betas of every asset, written to a store: the results are what is stored."""
    out_of_core.asset_betas(folder, size)
    return xr.Dataset()


def two_pass(folder: Path, size: Size) -> xr.Dataset:
    """Fama-MacBeth with betas of the whole history."""
    one, _ = approaches(folder)
    returns = xf.open_panel(folder / "panel.zarr").returns
    return xf.compute(xf.fama_macbeth(returns, factors=one.factor_return))[0]


def together(folder: Path, size: Size) -> xr.Dataset:
    """Both approaches at once, with the quantiles of every asset's rolling betas."""
    one, two = approaches(folder)
    two = two.rename({"factor": "premium_factor"})
    return xr.merge(
        xf.compute(one.drop_vars("asset_beta"), two.rename(factor_return="premia")),
        compat="no_conflicts",
    )


Step = Callable[[Path, Size], xr.Dataset]
STEPS: dict[str, Step] = {
    f.__name__: f
    for f in (simulate, factor_returns, cross_sections, asset_betas, two_pass, together)
}


@dataclass(frozen=True)
class Done:
    """A step, what it cost and what it gave."""

    step: str
    seconds: float
    watched: Watched
    read: int
    written: int
    own_peak: int  # of this process: client and scheduler
    result: xr.Dataset | None
    outcome: str
    failed: bool


def run(step: str, folder: Path, size: Size, workers: int, memory: int) -> Done:
    """Run a step on workers of its own."""
    fresh_peak()
    result, outcome = None, ""
    with cluster(workers, memory) as client:
        started = time.perf_counter()
        try:
            result = STEPS[step](folder, size)
        except Exception as problem:
            outcome = f"{type(problem).__name__}: {str(problem).splitlines()[0][:150]}"
        seconds = time.perf_counter() - started
        seen = watched(client)
    made = {"simulate": "panel.zarr", "asset_betas": "betas.zarr"}.get(step)
    written = sum(b for _, b in out_of_core.stored_fields(folder / made).values()) if made else 0
    over = [p for p in seen.peaks if p > memory]
    restarts = seen.started - workers
    faults = [
        *(["over the limit"] if over else []),
        *([f"{restarts} workers restarted"] if restarts else []),
        *([outcome] if outcome else []),
    ]
    return Done(
        step, seconds, seen, bytes_read(seen, folder), written, out_of_core.peak_rss(), result,
        "; ".join(faults) or "ok", bool(faults),
    )  # fmt: skip


def bytes_read(seen: Watched, folder: Path) -> int:
    """Uncompressed bytes of all chunks that were read, each as often as it was."""
    total = 0.0
    for store in (folder / "panel.zarr", folder / "betas.zarr"):
        for name, (chunks, nbytes) in out_of_core.stored_fields(store).items():
            start = f"{name}/c/"
            times = sum(
                n for (s, key), n in seen.reads.items() if s == str(store) and key.startswith(start)
            )
            total += times * nbytes / chunks
    return round(total)


def line(done: Done) -> str:
    """One line of the table."""
    peaks = "/".join(f"{p / 1e6:.0f}" for p in done.watched.peaks)
    return TABLE.format(
        done.step, f"{done.seconds:.1f}", f"{done.read / 1e9:.2f}", f"{done.written / 1e9:.2f}",
        peaks, f"{done.watched.spilled / 1e6:.0f}", done.watched.started - len(done.watched.peaks),
        f"{done.own_peak / 1e6:.0f}", done.outcome,
    )  # fmt: skip


def memory_run(chosen: argparse.Namespace, folder: Path) -> int:
    """Run all steps, print a line for each, compare with one process."""
    size = out_of_core.fits(chosen.gigabytes, chosen.assets, chosen.chunk_dates, 1)
    limit = options.size(chosen.memory_limit)
    cells = size.dates * size.assets
    print(f"{size.dates} dates x {size.assets} assets, chunks of {size.chunk_dates} dates: "
          f"{cells * 75 / 1e9:.1f} GB, {cells * 75 / limit:.1f} x the limit of each of "
          f"{chosen.workers} workers, {limit / 1e6:.0f} MB")  # fmt: skip
    print(TABLE.format("step", "seconds", "GB read", "GB written", "peak MB", "MB spilled",
                       "restarts", "client MB", "outcome"), flush=True)  # fmt: skip
    results: dict[str, xr.Dataset] = {}
    failed = False
    for step in (s for s in chosen.steps if s != "simulate" or not chosen.kept):
        done = run(step, folder, size, chosen.workers, limit)
        print(line(done), flush=True)
        if chosen.held:
            for held in done.watched.held:
                most = ", ".join(f"{k} {b / 1e6:.0f}" for k, b in held.most_common(8))
                print(f"    held {held.total() / 1e6:.0f} MB: {most}", flush=True)
        failed |= done.failed
        if done.result is not None:
            results[step] = done.result
        elif step == "simulate":
            return 1
    return int(failed | compare(results, folder, size))


# --- the same by one process ----------------------------------------------------------------------


def simulated_alike(folder: Path, size: Size) -> tuple[xr.Dataset, xr.Dataset]:
    """The first dates of the panel, as stored and simulated by this process."""
    made, _ = xf.simulate_panel(
        dates=size.dates, assets=size.assets, chunk_dates=size.chunk_dates, start=FIRST_DAY
    )
    first = {"date": slice(0, min(2 * size.chunk_dates, size.dates))}
    return xf.compute(xf.open_panel(folder / "panel.zarr").isel(first), made.isel(first))


def later(x: xr.Dataset, start: int, before: int) -> xr.Dataset:
    """Dates from position `start` on, less the first that a slice cannot know."""
    return x.isel(date=slice(start + before, None))


class Slice:
    """The last dates of the panel, all that this process works out on them."""

    def __init__(self, folder: Path, size: Size, factors: xr.DataArray) -> None:
        self.folder, self.size, self.factors = folder, size, factors
        self.start = max(0, size.dates - SLICE_DATES - BEFORE) // WINDOW * WINDOW
        self.one, self.two = approaches(folder, slice(self.start, None))
        self.returns = xf.open_panel(folder / "panel.zarr").returns

    def factor_returns(self, result: xr.Dataset) -> dict[str, float]:
        """Dates of the slice; full-sample sensitivities from the series of the cluster."""
        names = ["factor_return", "portfolio_return"]
        ours = xf.compute(self.one[names])[0]
        fit = xf.time_series_ols(result.portfolio_return, self.factors)
        again = xr.Dataset({"sensitivity": fit.beta, "sensitivity_tvalue": fit.tvalue})
        return {
            "factor returns": gap(later(result[names], self.start, 254), later(ours, 0, 254)),
            "sensitivities of these": gap(result, again),
        }

    def cross_sections(self, result: xr.Dataset) -> dict[str, float]:
        """Regressions per date; premia from the factor returns of the cluster."""
        names = ["factor_return", "stderr", "rsquared", "n_obs"]
        ours = xf.compute(self.two[names])[0]
        mean = xf.newey_west(result.factor_return)
        again = xr.Dataset({"premium": mean["mean"], "premium_stderr": mean.stderr})
        return {
            "regressions by date": gap(later(result[names], self.start, 254), later(ours, 0, 254)),
            "premia of these": gap(result, again),
        }

    def asset_betas(self, result: xr.Dataset) -> dict[str, float]:
        """What is stored for the dates of the slice, every asset."""
        stored = xf.open_panel(self.folder / "betas.zarr")
        ours = xr.Dataset({"beta": self.one.asset_beta.transpose("date", "asset", ...)})
        pair = xf.compute(later(stored, self.start, BEFORE), later(ours, 0, BEFORE))
        return {"rolling betas": gap(*pair)}

    def two_pass(self, result: xr.Dataset) -> dict[str, float]:
        """Betas of some assets over all dates; dates of the slice on all assets' betas."""
        some = {"asset": slice(None, None, max(1, self.size.assets // SLICE_ASSETS))}
        fit = xf.time_series_ols(self.returns.isel(some), self.factors, se="ols")
        beta = result.beta.sel(factor=self.factors.factor.values)
        dates = {"date": slice(self.start, None)}
        across = xf.cross_sectional_ols(self.returns.isel(dates), beta, lag=0)
        betas, ours = xf.compute(fit[["beta"]], across[["factor_return"]])
        mean = xf.newey_west(result.factor_return)
        again = xr.Dataset({"premium": mean["mean"], "stderr": mean.stderr})
        return {
            "betas of the whole history": gap(beta.isel(some).to_dataset(), betas),
            "regressions on them": gap(result.isel(dates), ours),
            "their premia": gap(result, again),
        }

    def together(self, result: xr.Dataset) -> dict[str, float]:
        """The quantiles of all assets' betas, and the hedge."""
        names = ["asset_beta_quantile", "rolling_sensitivity", "hedged_return"]
        ours = xf.compute(self.one[names])[0]
        before = BEFORE + 1
        return {
            "quantiles of betas, hedges": gap(
                later(result[names], self.start, before), later(ours, 0, before)
            )
        }


def compare(results: dict[str, xr.Dataset], folder: Path, size: Size) -> bool:
    """Print how far results are from those of one process; say whether any is too far."""
    if "factor_returns" not in results:
        return False
    print(f"\nBeside one process, {SLICE_DATES} dates and {SLICE_ASSETS} assets:")
    gaps: dict[str, float] = {}
    with dask.config.set(scheduler="threads"):
        gaps["panel"] = gap(*simulated_alike(folder, size))
        alike = Slice(folder, size, results["factor_returns"].factor_return)
        for step, result in results.items():
            if hasattr(alike, step):
                gaps |= getattr(alike, step)(result)
    for name, far in gaps.items():
        print(f"{name:<40} {'equal bits' if far == 0 else f'largest difference {far:.1e}'}")
    return any(far > TOLERANCE for far in gaps.values())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    for name in ("memory", "scaling", "linear", "model"):
        what.add_argument(f"--{name}", action="store_const", const=name, dest="what")
    parser.add_argument("--gigabytes", type=float, default=16.0, help="of panel (%(default)s)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory-limit", default="1GB", help="of each worker (%(default)s)")
    parser.add_argument("--assets", type=int, default=8000)
    parser.add_argument("--chunk-dates", type=int, default=64)
    parser.add_argument("--dates", type=int, default=5120, help="for --scaling (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of what is timed (%(default)s)")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS)
    parser.add_argument(
        "--plain",
        action="store_true",
        help="for --scaling: workers that get "
        "memory as dask has it, not as xfactor's scripts and commands",
    )
    parser.add_argument("--held", action="store_true", help="show what workers held at the most")
    parser.add_argument("--folder", type=Path, help="for the stores (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the stores")
    parser.add_argument("--kept", type=Path, help="use the panel that an earlier run has kept")
    return parser.parse_args()


RUNS: dict[str, Callable[[argparse.Namespace, Path], int]] = {
    "memory": memory_run,
    "scaling": scaling.scaling,
    "linear": scaling.linear,
    "model": model.model,
}


def main() -> int:
    """Measure and print."""
    chosen = _options()
    if chosen.folder:
        chosen.folder.mkdir(parents=True, exist_ok=True)
    folder = chosen.kept or Path(tempfile.mkdtemp(prefix="xfactor-", dir=chosen.folder))
    try:
        return RUNS[chosen.what](chosen, folder)
    finally:
        if chosen.keep or chosen.kept:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
