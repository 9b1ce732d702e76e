"""Tasks drawn together for a cluster: the same bits, few of them, and no block waits in vain."""

from unittest import mock

import dask
import numpy as np
import pytest
import xarray as xr
from dask._task_spec import execute_graph
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from xfactor import _apply, _fusion, _schedulers, lecture


def arrays(*results):
    """The lazy arrays of labelled results."""
    held = [r if isinstance(r, xr.Dataset) else r.to_dataset(name="x") for r in results]
    return [v.data for ds in held for v in ds.variables.values() if v.chunks is not None]


def run_merged(lazy):
    """What the merged tasks give, run one after another here."""
    drawn = _fusion.drawn_together(lazy)
    wanted = {k for k, _ in drawn.found.values()}
    results = execute_graph(drawn.graph, keys=wanted)
    return [_schedulers._assembled(a, drawn.found, results) for a in lazy]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    panel, _ = xf.simulate_panel(dates=800, assets=40, seed=3, chunk_dates=40)
    path = xf.write_panel(panel, tmp_path_factory.mktemp("fusion") / "panel.zarr")
    return xf.open_panel(path)


def both_approaches(panel):
    traits = lecture.characteristics(panel)
    one = lecture.approach_one(panel, traits, lecture.largest_names(panel), min_names=2)
    return one, lecture.approach_two(panel, traits)


def test_lecture__has_the_same_bits_in_merged_tasks(stored):
    lazy = arrays(*both_approaches(stored))
    for got, want in zip(run_merged(lazy), dask.compute(*lazy), strict=True):
        np.testing.assert_array_equal(got, want)


STEPS = {
    "lag": lambda x: xf.lag(x, 2),
    "lead": lambda x: xf.forward_returns(x, 3),
    "rank": xf.rank,
    "sum": lambda x: xf.rolling_sum(x, window=3),
    "mean": lambda x: x - x.where(abs(x) < np.inf).mean("date"),
    "state": lambda x: xf.ewm_mean(x, halflife=2),
    "turned": lambda x: x.transpose(*reversed(x.dims)),
    "part": lambda x: x.isel(date=slice(1, None)),
    "newey_west": lambda x: x * xf.newey_west(x)["mean"],
    "whole": lambda x: x.chunk(date=-1),
}


@given(data=st.data(), x=strategies.panels(min_dates=5))
def test_any_steps__have_the_same_bits_in_merged_tasks(data, x):
    lazy = data.draw(strategies.chunked(x))
    steps = data.draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5))
    results = []
    for step in steps:
        if lazy.sizes["date"] < 2:
            break
        lazy = STEPS[step](lazy)
        results.append(lazy)
    wanted = arrays(*data.draw(st.lists(st.sampled_from(results), min_size=1, max_size=3)))
    with mock.patch.object(_fusion, "SENT", data.draw(st.sampled_from([-1, _fusion.SENT]))):
        merged = run_merged(wanted)
    for got, want in zip(merged, dask.compute(*wanted), strict=True):
        np.testing.assert_array_equal(got, want)


def exposures(panel):
    return panel[["market_cap", "book_to_price"]]


def large(made):
    """Made as if no input were small enough to be looked at whole."""

    def made_of(panel):
        with mock.patch.object(_apply, "KEPT", 0):
            return made(panel)

    return made_of


# Tasks for each chunk of the store: at most 3 for one operation, 25 for the lecture. Errors of
# Newey and West over the whole history take two passes: 2, and the trees of their sums.
TASKS = {
    "rank": (1, lambda p: xf.rank(p.market_cap)),
    "standardize": (1, lambda p: xf.standardize(exposures(p))),
    "qcut": (1, lambda p: xf.qcut(p.market_cap, 10)),
    "lag": (2, lambda p: xf.lag(p.returns)),
    "rolling_mean": (2, lambda p: xf.rolling_mean(p.returns, window=20)),
    "ewm_mean": (3, lambda p: xf.ewm_mean(p.returns, halflife=20)),
    "cross_sectional_ols": (2, lambda p: xf.cross_sectional_ols(p.returns, exposures(p))),
    "rolling_ols": (2, lambda p: xf.rolling_ols(p.returns, p[["market_returns"]], window=60)),
    "fama_macbeth": (2.3, lambda p: xf.fama_macbeth(p.returns, exposures(p))),
    "quantile_returns": (2.3, lambda p: xf.quantile_returns(p.market_cap, p.returns)),
    "information_coefficient": (
        2.3, lambda p: xf.information_coefficient(p.market_cap, p.returns)
    ),
    "ols, no lags": (1.3, lambda p: xf.time_series_ols(p.returns, p[["market_returns"]], se="ols")),
    "newey_west": (1.1, lambda p: xf.newey_west(p.returns)),
    "newey_west, large": (2.4, large(lambda p: xf.newey_west(p.returns))),
    "time_series_ols": (2.4, lambda p: xf.time_series_ols(p.returns, p[["market_returns"]])),
    "time_series_ols, large": (
        2.4, large(lambda p: xf.time_series_ols(p.returns, p[["market_returns"]]))
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", TASKS)
def test_an_operation__takes_few_tasks_for_each_chunk(stored, operation):
    most, made = TASKS[operation]
    result = made(stored)
    result = result.drop_vars("residual", errors="ignore") if operation != "rank" else result
    drawn = _fusion.drawn_together(arrays(result))
    assert len(drawn.graph) <= most * len(stored.chunksizes["date"])


def test_lecture__takes_few_tasks_for_each_chunk(stored):
    one, two = both_approaches(stored)
    drawn = _fusion.drawn_together(arrays(one, two))
    assert len(drawn.graph) <= 16 * len(stored.chunksizes["date"])


def test_blocks__wait_for_few_others(stored):
    """The first task that regresses block k needs neither the blocks after it nor all before."""
    fit = xf.rolling_ols(stored.returns, stored[["market_returns"]], window=60).beta
    drawn = _fusion.drawn_together(arrays(fit))
    for key, _ in drawn.found.values():
        assert len(drawn.graph[key].dependencies) <= 3


def test_windows__take_edges_of_other_blocks_and_nothing_else_of_them(stored, monkeypatch):
    monkeypatch.setattr(_fusion, "SENT", 0)
    fit = xf.cross_sectional_ols(stored.returns, exposures(stored)).factor_return
    drawn = _fusion.drawn_together(arrays(fit))
    titles = {key: key[0].rsplit("-", 1)[0] for key in drawn.graph}
    fitted = [k for k, title in titles.items() if title == "lag+cross_sectional_ols"]
    assert len(fitted) == len(stored.chunksizes["date"])
    for key in fitted:
        needs = sorted(titles[d] for d in drawn.graph[key].dependencies)
        assert needs in (["edge", "open"], [])  # the first block is read where it is used
    held = {k: task.func.wanted for k, task in drawn.graph.items() if titles[k] == "edge"}
    assert all(k[0].startswith("edge-") for wanted in held.values() for k in wanted)


def test_wide_panels__are_cut_where_a_block_is_too_large_for_one_task(stored, monkeypatch):
    wide = xr.Dataset({f"f{i}": stored["returns"] * float(i + 1) for i in range(12)})
    lazy = arrays(wide.map(lambda x: xf.rolling_mean(xf.rank(x), window=3)))
    want = dask.compute(*lazy)
    blocks = len(stored.chunksizes["date"])
    assert len(_fusion.drawn_together(lazy).graph) <= 2 * blocks
    monkeypatch.setattr(_fusion, "MOST", 3 * 40 * 40 * 8)  # three fields of a block
    drawn = _fusion.drawn_together(lazy)
    assert 4 * blocks <= len(drawn.graph) <= 11 * blocks
    for got, know in zip(run_merged(lazy), want, strict=True):
        np.testing.assert_array_equal(got, know)


def test_names__say_what_a_task_does(stored):
    drawn = _fusion.drawn_together(arrays(xf.rank(xf.lag(stored.market_cap))))
    titles = {k[0].rsplit("-", 1)[0] for k in drawn.graph}
    assert titles == {"open", "lag+rank", "kept"}
    assert drawn.names == ("lag", "rank")
