"""What a plan says before anything runs, against what is known of the graph and the store."""

import subprocess
import sys
from pathlib import Path

import dask
import pytest

import xfactor as xf
from xfactor import _nbytes, lecture

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    panel, _ = xf.simulate_panel(dates=300, assets=50, seed=3, chunk_dates=60)
    return xf.open_panel(xf.write_panel(panel, tmp_path_factory.mktemp("plan") / "panel.zarr"))


def test_plan__counts_tasks_chunks_and_bytes_and_computes_nothing(stored, raise_if_computes):
    with raise_if_computes():
        planned = xf.plan(xf.rank(stored.market_cap), workers=0, threads=1)
    assert (planned.tasks, planned.chunks) == (5, 5)
    assert planned.read_bytes == planned.result_bytes == 300 * 50 * 8
    assert planned.fits
    planned.check()


def test_plan__reads_each_chunk_once_whatever_is_made_of_it(stored):
    x = stored.returns
    planned = xf.plan(xf.rank(x), xf.rolling_mean(x, window=20), xf.rank(xf.lag(x)), workers=2)
    assert planned.read_bytes == x.nbytes


def test_plan__reads_the_chunks_of_the_dates_wanted(stored):
    part = stored.isel(date=slice(30, 90))  # half of each of two chunks, which are read whole
    assert xf.plan(xf.rank(part.market_cap), threads=1).read_bytes == 2 * 60 * 50 * 8


def test_plan__grows_with_threads_and_chunks_and_shrinks_with_workers(stored):
    def peak(x, **where):
        made = xf.rolling_ols(x.returns, x[["market_returns"]], window=20)
        return xf.plan(made, streamed=True, **where).peak_bytes

    def peak_of(dates):
        return peak(xf.simulate_panel(dates=400, assets=900, chunk_dates=dates)[0], threads=1)

    assert peak(stored, threads=4) > peak(stored, threads=1)
    assert peak_of(200) > peak_of(50)
    assert peak(stored, workers=4) <= peak(stored, threads=4)


def test_plan__does_not_grow_with_history_where_results_are_streamed():
    def peak(dates, streamed):
        panel, _ = xf.simulate_panel(dates=dates, assets=2000, chunk_dates=50)
        return xf.plan(xf.rank(panel.market_cap), threads=1, streamed=streamed).peak_bytes

    assert peak(2000, True) < 1.05 * peak(500, True)
    assert peak(2000, False) > peak(500, False) + 1500 * 2000 * 8


def test_plan__refuses_with_the_numbers(stored):
    traits = lecture.characteristics(stored, lookback=40, skip=5)
    planned = xf.plan(lecture.approach_two(stored, traits), memory_limit=10**8, threads=2)
    assert not planned.fits
    assert "does not fit" in str(planned)
    with pytest.raises(xf.PanelError, match=r"limit is 0\.10 GB; needed about 0\.\d\d GB for 2"):
        planned.check()


def test_plan__of_what_is_in_memory_is_no_work():
    panel, _ = xf.simulate_panel(dates=30, assets=5)
    planned = xf.plan(panel.load(), threads=1)
    assert (planned.tasks, planned.read_bytes, planned.result_bytes) == (0, 0, 0)


@pytest.mark.parametrize("dates", [30, 4])
def test_plan__knows_how_large_sums_are_that_keep_the_ends_of_their_dates(dates):
    """As those of Newey and West do, whose blocks may be shorter than the lags."""
    panel, _ = xf.simulate_panel(dates=300, assets=50, seed=3, chunk_dates=dates)
    fit = xf.time_series_ols(panel.returns, panel[["market_returns"]], lags=12)
    graph = dict(fit.stderr.data.dask)
    sums = [k for k in graph if "-sum" in k[0]]
    assert len({k[0] for k in sums}) >= 4  # levels of two trees
    for key, parts in zip(sums, dask.get(graph, sums), strict=True):
        held = sum(a.nbytes for a in parts)
        assert held <= _nbytes.KNOWN[key[0]].nbytes(key[1:]) <= 3 * held


@pytest.mark.slow
def test_plan__is_within_half_of_what_is_measured():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.plan", "--quick"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
