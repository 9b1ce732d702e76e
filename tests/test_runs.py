"""Runs that are killed and gone on with, and runs that compute what is new: the same bits."""

import contextlib
import json
import multiprocessing
import random
import time
from itertools import pairwise
from pathlib import Path

import dask
import dask.threaded
import numpy as np
import pytest
import xarray as xr
from zarr.storage import LocalStore

import xfactor as xf
from tests.benchmarks import out_of_core
from tests.conftest import raise_if_computes
from xfactor import plot, runs
from xfactor.runs import results as written
from xfactor.runs import running
from xfactor.store import tasks

DATES, ASSETS, CHUNK = 330, 90, 32
OPTIONS = {"momentum": (40, 5), "window": 30, "min_names": 3}
FIELDS = ("returns", "market_cap", "book_to_price", "market_returns", "adjusted_close")
# Chunks before its own that the results of a date are made of. The window's betas need factor
# returns, these the weights of the date before, and their momentum looks back twice: each step may
# begin within a chunk, and all of that chunk is computed.
WINDOW, LAG, MOMENTUM = -(-29 // CHUNK), 1, -(-35 // CHUNK) + -(-5 // CHUNK)
REACH = {
    "returns": WINDOW, "market_returns": WINDOW, "market_cap": WINDOW + LAG,
    "book_to_price": WINDOW + LAG, "adjusted_close": WINDOW + LAG + MOMENTUM,
}  # fmt: skip


@pytest.fixture(scope="module")
def panel():
    universe, _ = xf.simulate_panel(dates=DATES, assets=ASSETS, seed=3, chunk_dates=CHUNK)
    return universe[[*FIELDS]].compute()


def shows_nothing(patch):
    """Tables and pictures take most of the time of a small run."""
    patch.setattr(plot, "lecture_plots", lambda *_: [])
    patch.setattr(running, "lecture_text", lambda *_: "the tables")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    shows_nothing(monkeypatch)


@pytest.fixture(scope="module")
def whole(panel, tmp_path_factory):
    """Results of an undisturbed run on everything."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        shows_nothing(patch)
        return run_on(panel, folder)


def stored(panel, path):
    return xf.write_panel(panel.chunk(date=CHUNK), path)


def run_on(panel, folder, **options):
    """Results of a run on a panel."""
    out = folder / "whole-out"
    runs.run_lecture(stored(panel, folder / "whole.zarr"), out, **OPTIONS | options)
    return results(out)


def results(out):
    return xf.open_panel(out / runs.RESULTS).load()


def appended(panel, cuts, store, out, **options):
    """Append stretches of a panel to a store, each followed by a run on what is new."""
    for first, last in pairwise(cuts):
        part = panel.isel(date=slice(first, last))
        xf.append_panel(part, store) if first else stored(part, store)
        run = runs.run_lecture(store, out, only_new=True, **OPTIONS | options)
    return run


@contextlib.contextmanager
def chunks_read(store):
    """Which chunks of dates of the fields of a store are read."""
    found, get = [], LocalStore.get

    async def noting(self, key, prototype, byte_range=None):
        field, _, chunk = key.partition("/c/")
        if Path(self.root) == store and field in FIELDS and byte_range is None:
            found.append((field, int(chunk.split("/")[0])))
        return await get(self, key, prototype, byte_range)

    LocalStore.get = noting
    try:
        yield found
    finally:
        LocalStore.get = get


# --- only what is new ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "cuts"),
    [(None, [0, 100, 101, 128, 139, 304, DATES]), (7, [0, 150, 304, DATES])],
    ids=["whole", "from within a chunk"],
)
def test_only_new__gives_the_bits_of_a_run_on_everything(panel, whole, start, cuts, tmp_path):
    options = {} if start is None else {"start": str(panel.date.values[start])[:10]}
    want = whole if start is None else run_on(panel, tmp_path, **options)
    run = appended(panel, cuts, tmp_path / "p.zarr", tmp_path / "out", **options)
    got = results(tmp_path / "out")
    xr.testing.assert_equal(got, want)
    assert got.attrs.keys() == want.attrs.keys()
    assert run.note == f"Computed 26 dates, from {str(panel.date.values[304])[:10]} on."


def test_only_new__what_the_whole_history_gives_is_that_of_everything(panel, tmp_path):
    a = appended(panel, [0, 200, DATES], tmp_path / "p.zarr", tmp_path / "out")
    b = runs.run_lecture(stored(panel, tmp_path / "q.zarr"), tmp_path / "b", **OPTIONS)
    xr.testing.assert_equal(a.one, b.one)
    xr.testing.assert_equal(a.two, b.two)


def test_only_new__with_listings_and_delistings_in_between(panel, tmp_path):
    """Parts name their assets in an order of their own, some new, some gone."""
    rng = np.random.default_rng(1)
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    labels = panel.asset.values
    for first, last, held in ((0, 150, labels[:70]), (150, 190, labels[10:80]),
                              (190, DATES, labels[20:])):  # fmt: skip
        part = panel.isel(date=slice(first, last)).sel(asset=rng.permutation(held))
        xf.append_panel(part, store) if first else stored(part, store)
        runs.run_lecture(store, out, only_new=True, **OPTIONS)
    got = results(out)
    assert got.sizes["asset"] == ASSETS
    want = run_on(xf.open_panel(store).load(), tmp_path)
    xr.testing.assert_equal(got.isel(date=slice(190, None)), want.isel(date=slice(190, None)))
    # Sums across more assets are put together in another order, and old dates keep theirs.
    for name, v in want.data_vars.items():
        np.testing.assert_allclose(got[name], v, rtol=1e-11, atol=1e-14, err_msg=name)


def test_only_new__reads_the_trailing_dates_only(panel, tmp_path):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    appended(panel, [0, 300], store, out)
    xf.append_panel(panel.isel(date=slice(300, 310)), store)
    with chunks_read(store) as found:
        runs.run_lecture(store, out, only_new=True, **OPTIONS)
    first = 300 // CHUNK
    read = {field: sorted(k for f, k in found if f == field and k < first) for field in FIELDS}
    assert read == {field: list(range(first - n, first)) for field, n in REACH.items()}
    # Of the last chunks: to see whether old dates are the same, to compute, to remember; pictures.
    assert {k for _, k in found} <= set(range(310 // CHUNK + 1))
    assert max(map(found.count, found)) <= 4


def test_only_new__of_nothing_new_says_so_and_writes_nothing(panel, tmp_path):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    appended(panel, [0, 200], store, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    with chunks_read(store) as found:
        run = runs.run_lecture(store, out, only_new=True, **OPTIONS)
    day = str(panel.date.values[199])[:10]
    assert run.text == f"Nothing new: {out / runs.RESULTS} has all 200 dates of {store}, to {day}."
    assert run.files == []
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before
    assert {k for _, k in found} == {199 // CHUNK}


@pytest.mark.parametrize(("at", "more"), [(3, 5), (195, 0), (195, 5), (322, 5)])
def test_only_new__begins_with_the_first_chunk_that_was_restated(panel, at, more, tmp_path):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    appended(panel, [0, DATES - more], store, out)
    cells = panel[["book_to_price"]].isel(date=[at])
    xf.update_panel(cells * 2, store)
    if more:
        xf.append_panel(panel.isel(date=slice(DATES - more, None)), store)
    run = runs.run_lecture(store, out, only_new=True, **OPTIONS)
    first = at // CHUNK * CHUNK
    dates = panel.date.values
    assert run.note == f"Computed {DATES - first} dates, from {str(dates[first])[:10]} on."
    xr.testing.assert_equal(results(out), run_on(xf.open_panel(store).load(), tmp_path))
    again = runs.run_lecture(store, out, only_new=True, **OPTIONS)
    assert again.text.startswith("Nothing new")


def test_only_new__an_append_that_restates_and_lists_an_asset(panel, tmp_path):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    appended(panel.isel(asset=slice(80)), [0, 300], store, out)
    cells = xf.open_panel(store, ["returns"]).isel(date=[170]).load().drop_vars("symbol") * 3
    xf.append_panel(panel.isel(date=slice(300, None)), store, cells=cells)
    runs.run_lecture(store, out, only_new=True, **OPTIONS)
    xr.testing.assert_equal(results(out), run_on(xf.open_panel(store).load(), tmp_path))


def test_only_new__that_failed_between_new_dates_and_old_ones_is_mended(
    panel, whole, tmp_path, monkeypatch
):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    wrong = panel.assign(returns=panel.returns.where(panel.date != panel.date[170], 0.5))
    appended(wrong, [0, 300], store, out)
    xf.update_panel(panel[["returns"]].isel(date=[170]), store, overwrite_missing=True)
    xf.append_panel(panel.isel(date=slice(300, None)), store)

    def full(*_, **__):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(written, "update_panel", full)
        with pytest.raises(OSError, match="full"):
            runs.run_lecture(store, out, only_new=True, **OPTIONS)
    assert results(out).sizes["date"] == DATES
    runs.run_lecture(store, out, only_new=True, **OPTIONS)
    xr.testing.assert_equal(results(out), whole)


def test_only_new__of_a_store_rewritten_with_more_room_computes_all(panel, tmp_path):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    appended(panel, [0, 300], store, out)
    xf.rechunk_panel(store, chunk_dates=CHUNK, capacity=300)
    xf.append_panel(panel.isel(date=slice(300, None)), store)
    run = runs.run_lecture(store, out, only_new=True, **OPTIONS)
    assert run.note.startswith(f"Computed {DATES} dates")
    xr.testing.assert_equal(results(out), run_on(panel, tmp_path))


def test_only_new__other_fields_of_the_store_do_not_matter(panel, tmp_path):
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    appended(panel.assign(sector=panel.returns * 0), [0, 300], store, out)
    xf.update_panel(panel[["returns"]].isel(date=[5]).rename(returns="sector"), store)
    assert runs.run_lecture(store, out, only_new=True, **OPTIONS).text.startswith("Nothing new")


def test_run_lecture__anew_replaces_what_is_there(panel, tmp_path):
    store, out = stored(panel, tmp_path / "p.zarr"), tmp_path / "out"
    runs.run_lecture(store, out, **OPTIONS)
    first = results(out)
    with chunks_read(store) as found:
        runs.run_lecture(store, out, **OPTIONS | {"window": 40})
    assert {k for _, k in found} == set(range(-(-DATES // CHUNK)))
    assert not results(out).beta.equals(first.beta)
    xr.testing.assert_equal(results(out).factor_return, first.factor_return)


# --- what is refused ----------------------------------------------------------------------------

OTHERS = {
    "window": ({"window": 40}, r"made with window 30, and this one has 40"),
    "momentum": ({"momentum": (50, 5)}, r"momentum \[40, 5\]"),
    "fraction": ({"fraction": 0.3}, r"fraction 0\.2"),
    "names": ({"n": 12}, r"n not given, and this one has 12"),
    "range": ({"start": "2000-02-01"}, r"start not given, and this one has '2000-02-01'"),
    "portfolio": ({"symbols": ["AAAA"]}, r"the portfolio's assets not given"),
}


@pytest.fixture(scope="module")
def done(panel, tmp_path_factory):
    """Store and folder of a run that is finished."""
    folder = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        shows_nothing(patch)
        store = stored(panel, folder / "p.zarr")
        runs.run_lecture(store, folder / "out", **OPTIONS)
    return store, folder / "out"


@pytest.mark.parametrize("way", ["resume", "only_new"])
@pytest.mark.parametrize("case", OTHERS)
def test_run_lecture__of_another_call_is_not_gone_on_with(done, way, case):
    store, out = done
    before = (out / "run.json").read_text()
    changed, match = OTHERS[case]
    with raise_if_computes() if case != "portfolio" else contextlib.nullcontext(), pytest.raises(
        xf.PanelError, match=match
    ) as problem:  # fmt: skip
        runs.run_lecture(store, out, **OPTIONS | changed | {way: True})
    assert "\n" not in str(problem.value)
    assert (out / "run.json").read_text() == before


@pytest.mark.parametrize("way", ["resume", "only_new"])
def test_run_lecture__of_another_store_is_not_gone_on_with(panel, done, way, tmp_path):
    _, out = done
    other = stored(panel, tmp_path / "q.zarr")
    with pytest.raises(xf.PanelError, match=r"made with the store '.*p\.zarr', and.*q\.zarr"):
        runs.run_lecture(other, out, **OPTIONS | {way: True})


def test_resume__of_a_store_that_has_changed_is_refused(panel, tmp_path):
    store, out = stored(panel.isel(date=slice(300)), tmp_path / "p.zarr"), tmp_path / "out"
    runs.run_lecture(store, out, **OPTIONS)
    xf.append_panel(panel.isel(date=slice(300, None)), store)
    with pytest.raises(xf.PanelError, match=r"the store has changed since.*Use --only-new"):
        runs.run_lecture(store, out, resume=True, **OPTIONS)


def test_only_new__does_not_go_back(panel, done):
    store, out = done
    end = str(panel.date.values[250])[:10]
    with pytest.raises(xf.PanelError, match=rf"goes on to .*; needed no date after {end}"):
        runs.run_lecture(store, out, only_new=True, end=end, **OPTIONS)


def test_run_lecture__a_damaged_record_is_one_line(panel, tmp_path):
    store, out = stored(panel, tmp_path / "p.zarr"), tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text('{"call"')
    with pytest.raises(xf.PanelError, match=r"run\.json cannot be read"):
        runs.run_lecture(store, out, resume=True, **OPTIONS)
    with pytest.raises(xf.PanelError, match="resume and only_new were given"):
        runs.run_lecture(store, out, resume=True, only_new=True, **OPTIONS)


# --- killed -------------------------------------------------------------------------------------


def slowly(store, out, options):
    """A run whose blocks take a while to be written, so that kills fall between them."""
    write = tasks.Target.write

    def pausing(self, block, given):
        receipt = write(self, block, given)
        time.sleep(0.002)
        return receipt

    tasks.Target.write = pausing
    dask.threaded.default_pool = None  # its threads did not come along with the fork
    with dask.config.set(scheduler="synchronous"):
        runs.run_lecture(store, out, **OPTIONS | options)


def killed(store, out, when, **options):
    """Kill a run in a process of its own once `when()` says so; say whether it was alive."""
    process = multiprocessing.get_context("fork").Process(target=slowly, args=(store, out, options))
    process.start()
    while process.is_alive() and not when():
        time.sleep(0.005)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def finished(out):
    """Blocks of dates of which a killed run has left every field, and the number of fields."""
    fields = [p for f in out.glob(f".{runs.RESULTS}.*.partial") for p in f.iterdir()]
    # A field's chunks are c/BLOCK, with /0 for each further dim; or named c.BLOCK... once restated.
    blocks = [
        {int(c.name.split(".")[-1]) for c in f.glob("c/*") if not c.name.endswith(".partial")}
        for f in fields
        if f.name in WANTED
    ]
    return set.intersection(*blocks) if len(blocks) == len(WANTED) else set()


WANTED = ("factor_return", "portfolio_return", "beta", "beta_quantile", "regression_return",
          "regression_stderr", "regression_tvalue", "regression_rsquared",
          "regression_n_obs")  # fmt: skip


def test_resume__computes_no_finished_block_again(panel, whole, tmp_path):
    store, out = stored(panel, tmp_path / "p.zarr"), tmp_path / "out"
    assert killed(store, out, lambda: len(finished(out)) >= 7)
    done = finished(out)
    assert len(done) >= 7
    assert not (out / runs.RESULTS).exists()
    assert not json.loads((out / "run.json").read_text())["finished"]
    with chunks_read(store) as found:
        run = runs.run_lecture(store, out, resume=True, **OPTIONS)
    last = DATES // CHUNK
    had = sum(min(CHUNK, DATES - k * CHUNK) for k in done)
    assert run.note == f"Went on with the run in {out}: it had {had} of {DATES} dates."
    xr.testing.assert_equal(results(out), whole)
    left = set(range(last + 1)) - done
    needed = {k - back for k in left for back in range(max(REACH.values()) + 1)}
    # The last chunk is read to see whether the store is the same, and for the picture of its date.
    assert {k for _, k in found} <= needed | {last} != set(range(last + 1))
    assert sorted(p.name for p in out.iterdir()) == [runs.RESULTS, "run.json"]


def test_resume__sweeps_what_a_run_left_that_died_when_it_had_published(panel, whole, tmp_path):
    store, out = stored(panel, tmp_path / "p.zarr"), tmp_path / "out"
    runs.run_lecture(store, out, **OPTIONS)
    record = json.loads((out / "run.json").read_text()) | {"finished": False}
    (out / "run.json").write_text(json.dumps(record))
    (out / f".{runs.RESULTS}.f328_8fe7-c5468935.partial").mkdir()
    (out / f".{runs.RESULTS}.lock").touch()
    run = runs.run_lecture(store, out, resume=True, **OPTIONS)
    assert run.note == f"Went on with the run in {out}: it had {DATES} of {DATES} dates."
    assert sorted(p.name for p in out.iterdir()) == [runs.RESULTS, "run.json"]
    xr.testing.assert_equal(results(out), whole)


def test_run__without_resume_begins_anew_after_a_kill(panel, whole, tmp_path):
    store, out = stored(panel, tmp_path / "p.zarr"), tmp_path / "out"
    assert killed(store, out, lambda: len(finished(out)) >= 3)
    with chunks_read(store) as found:
        runs.run_lecture(store, out, **OPTIONS)
    assert {k for _, k in found} == set(range(DATES // CHUNK + 1))
    xr.testing.assert_equal(results(out), whole)


def test_only_new__after_a_kill_and_a_restatement_takes_nothing_over(panel, tmp_path):
    store, out = stored(panel, tmp_path / "p.zarr"), tmp_path / "out"
    assert killed(store, out, lambda: len(finished(out)) >= 3)
    xf.update_panel(panel[["market_cap"]].isel(date=[10]) * 9, store)
    runs.run_lecture(store, out, only_new=True, **OPTIONS)
    xr.testing.assert_equal(results(out), run_on(xf.open_panel(store).load(), tmp_path))


def kill_many(panel, whole, folder, times):
    """Kill runs at random instants, each gone on with until one comes through; count the kills."""
    rng, kills, took = random.Random(2), 0, None
    for i in range(times):
        store, out = folder / f"{i}.zarr", folder / f"out{i}"
        first = rng.choice([DATES, 200, 250])
        stored(panel.isel(date=slice(first)), store)
        options = {"resume": True}
        if first < DATES:  # kills fall into the run on what is new
            runs.run_lecture(store, out, **OPTIONS)
            xf.append_panel(panel.isel(date=slice(first, None)), store)
            options = {"only_new": True}
        if took is None:
            started = time.perf_counter()
            killed(store, folder / "timed", lambda: False)
            took = time.perf_counter() - started
        for _ in range(3):
            until = time.perf_counter() + rng.uniform(0, took)
            kills += killed(store, out, lambda until=until: time.perf_counter() > until, **options)
            if (out / runs.RESULTS).exists():  # what is published is whole
                got = results(out)
                xr.testing.assert_equal(got, whole.isel(date=slice(got.sizes["date"])))
        runs.run_lecture(store, out, **OPTIONS | options)
        xr.testing.assert_equal(results(out), whole)
        assert {p.name for p in out.iterdir()} == {runs.RESULTS, "run.json"}  # nothing is left
    return kills


def test_run__killed_at_random_instants_gives_the_same_bits(panel, whole, tmp_path):
    kills = kill_many(panel, whole, tmp_path, 4)
    assert kills >= 4


@pytest.mark.slow
def test_run__killed_at_100_random_instants_gives_the_same_bits(panel, whole, tmp_path):
    kills = kill_many(panel, whole, tmp_path, 34)
    print(f"{kills} runs killed")
    assert kills >= 50


# --- on a cluster -------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_run__on_a_cluster_is_what_it_is_on_threads(panel, whole, processes, tmp_path):
    distributed = pytest.importorskip("distributed")
    store, out = tmp_path / "p.zarr", tmp_path / "out"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
        dask.config.set(scheduler="distributed"),
    ):
        appended(panel, [0, 250, DATES], store, out)
    xr.testing.assert_equal(results(out), whole)


# --- memory -------------------------------------------------------------------------------------

LIMIT = 1_000_000_000  # the libraries and compiled kernels take some 500 MB of it


@pytest.mark.slow
def test_run__of_a_panel_larger_than_memory_streams(tmp_path):
    """Simulated, run and compared with the truth by a process that may not have more."""
    size = out_of_core.fits(gigabytes=1.3, assets=4000, chunk_dates=32, threads=1)
    measured = out_of_core.run_step("demo", tmp_path, size, LIMIT)
    assert not measured.failed, measured.outcome
    assert xf.open_panel(tmp_path / runs.RESULTS).nbytes > LIMIT / 2
    assert 0 < measured.peak_bytes <= LIMIT
    print(f"peak {measured.peak_bytes / 1e6:.0f} MB, passes {measured.reads}")
