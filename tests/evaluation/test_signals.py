"""Many signals in one pass: the same numbers as one by one, sorted once, made and forgotten."""

import weakref

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests import contracts, strategies
from tests.benchmarks import evaluation as benchmark
from tests.evaluation import drawn
from xfactor.kernels import evaluation as kernels
from xfactor.testing import check_no_lookahead

NAMES = {"mean": "ic_mean", "std": "ic_std", "ir": "ic_ir", "stderr": "ic_stderr",
         "tvalue": "ic_tvalue", "n_dates": "ic_n_dates", "n_obs": "ic_n_obs"}  # fmt: skip


@pytest.fixture(params=["one horizon", "two"])
def forward(request):
    x = strategies.fixed_panel()
    y = x.copy(data=np.roll(x.values, 5, axis=1)).drop_attrs()
    return y if request.param == "one horizon" else {1: y, 6: 2 * y**2}


def grouping(x):
    codes = np.random.default_rng(1).integers(-1, 2, x.shape).astype(np.int16)
    return xr.DataArray(codes, dims=x.dims, coords={d: x[d] for d in x.dims})


@pytest.mark.parametrize("grouped", [False, True])
def test_evaluate_signals__is_both_functions_in_one(forward, grouped):
    x = strategies.fixed_panel()
    options = {"by": grouping(x) if grouped else None, "where": next(strategies.fixed_masks(x))}
    got = xf.evaluate_signals(x, forward, bins=3, gross=1, **options)
    buckets = xf.quantile_returns(x, forward, bins=3, gross=1, **options)
    contracts.assert_same_bits(got[list(buckets.data_vars)], buckets)
    ic = xf.information_coefficient(x, forward, **options).drop_vars(["n_dropped", "reason"])
    own = got[["ic", *NAMES.values()]].rename({v: k for k, v in NAMES.items()})
    for name in ic.data_vars:
        contracts.assert_same_bits(own[name].drop_vars("reason", errors="ignore"), ic[name])


FUNCTIONS = {
    "evaluate_signals": lambda x, y, **o: xf.evaluate_signals(x, y, bins=3, **o),
    "information_coefficient": xf.information_coefficient,
    "pearson": lambda x, y, **o: xf.information_coefficient(x, y, method="pearson", **o),
    "quantile_returns": lambda x, y, **o: xf.quantile_returns(x, y, bins=3, **o),
    "rank_autocorrelation": lambda x, y, **o: xf.rank_autocorrelation(x, **o),
    "quantile_turnover": lambda x, y, **o: xf.quantile_turnover(x, bins=3, **o),
    "coverage": lambda x, y, **o: xf.coverage(x, **o),
    "event_returns": lambda x, y, **o: xf.event_returns(x, y, before=2, after=3, bins=3, **o),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("grouped", [False, True])
def test_signals__together_are_each_by_itself(name, grouped):
    one = strategies.fixed_panel()
    y = one.copy(data=np.roll(one.values, 5, axis=1)).drop_attrs()
    x = drawn.signals(one)
    options = {"by": grouping(one) if grouped else None, "where": next(strategies.fixed_masks(one))}
    function = FUNCTIONS[name]
    wanted = [function(x.sel(factor=f), y, **options) for f in x.factor.values]
    for dims in (("factor", "date", "asset"), ("asset", "date", "factor")):
        got = function(x.transpose(*dims), y, **options)
        cut = x.transpose(*dims).chunk(date=7, factor=2)
        lazy = function(cut, y.chunk(date=7), **options)
        contracts.assert_same_bits(lazy.compute(), got)
        for f, want in zip(x.factor.values, wanted, strict=True):
            for key in want.data_vars:
                own = got[key]
                own = own.sel(factor=f) if "factor" in own.dims else own
                np.testing.assert_array_equal(own.transpose(*want[key].dims), want[key])
    fields = x.to_dataset("factor")
    contracts.assert_same_bits(function(fields, y, **options), function(x, y, **options))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signals__results_say_nothing_of_the_coords_of_others(name):
    one = strategies.fixed_panel()
    y = one.drop_vars("symbol").assign_coords(note="after", size=("date", np.arange(40)))
    got = FUNCTIONS[name](one.assign_coords(day=("date", np.arange(40))), y)
    assert set(got.coords) <= {"date", "day", "bucket", "event", "reason"}


@pytest.mark.parametrize("name", [k for k in FUNCTIONS if k != "event_returns"])
def test_signals__are_evaluated_up_to_each_date(name):
    rng = np.random.default_rng(0)
    noise = {k: (("date", "asset"), rng.normal(size=(40, 9))) for k in ("signal", "after")}
    data = xr.Dataset(noise, coords={"date": pd.date_range("2020-01-01", periods=40)})

    def dated(p):
        got = FUNCTIONS[name](p.signal, p.after)
        return got[[k for k, v in got.data_vars.items() if "date" in v.dims]]

    check_no_lookahead(dated, data)


# --- one pass -----------------------------------------------------------------------------------

BLOCKS, DATES, ASSETS, COUNT = 4, 10, 30, 25


class Made:
    """Signals made block by block, and how many blocks are alive."""

    def __init__(self):
        self.alive = self.most = self.made = 0

    def block(self, block_info):
        place = block_info[None]["chunk-location"]
        values = np.random.default_rng(list(place)).normal(size=(1, DATES, ASSETS))
        self.made += 1
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(values, self.gone)
        return values

    def gone(self):
        self.alive -= 1

    def array(self):
        chunks = ((1,) * COUNT, (DATES,) * BLOCKS, (ASSETS,))
        blocks = da.map_blocks(self.block, chunks=chunks, dtype=float, meta=np.empty((0, 0, 0)))
        return xr.DataArray(blocks, dims=("factor", "date", "asset"))


def test_one_pass__makes_a_block_once_forgets_it_and_sorts_the_returns_once(monkeypatch):
    sorted_ = []

    def order_dates(x, *codes, **options):
        sorted_.append(x.shape)
        return whole(x, *codes, **options)

    whole = kernels.order_dates
    monkeypatch.setattr(kernels, "order_dates", order_dates)
    signals = Made()
    after = np.random.default_rng(0).normal(size=(BLOCKS * DATES, ASSETS))
    y = xr.DataArray(after, dims=("date", "asset")).chunk(date=DATES)
    result = xf.evaluate_signals(signals.array(), y, bins=3)
    assert signals.made == 0
    xf.compute(result)
    assert signals.made == BLOCKS * COUNT
    assert signals.most <= 2
    assert len(sorted_) == BLOCKS


def test_benchmark__runs_and_its_table_has_a_line_for_each_case():
    row = benchmark.run(2, 30, 20, 1)
    text = benchmark.report([row, row])
    assert len(text.splitlines()) == 3
    assert row["wall"] > 0
    assert row["result"] > 0
