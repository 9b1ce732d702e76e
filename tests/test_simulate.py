"""The simulated universe: its laws, its truth, and the recursion (`scan`) that it runs on."""

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from xfactor import _apply, _scan
from xfactor.kernels import simulate as kernel
from xfactor.simulate import SECTORS, simulate_panel
from xfactor.store.arrays import StoredArray

# A sum of five terms of size 0.1 or less.
ROUNDING = 1e-12

# With some 400 assets of 2 % specific volatility, the error of a factor return is about 0.1 %
# against its own 0.3 to 0.4 %: a correlation of 0.94 to 0.97.
RECOVERED = 0.9

PRICED = ("close", "adjusted_close", "volume", "market_cap")


@pytest.fixture(scope="module")
def simulated():
    panel, truth = simulate_panel(dates=700, assets=600, seed=3, chunk_dates=200)
    return dask.compute(panel, truth)


@pytest.fixture(scope="module")
def panel(simulated):
    return simulated[0]


@pytest.fixture(scope="module")
def truth(simulated):
    return simulated[1]


# --- the laws of simulate_panel -----------------------------------------------------------------


def test_simulate_panel__computes_nothing_at_construction(raise_if_computes):
    with raise_if_computes():
        made = simulate_panel(dates=30, assets=20, chunk_dates=7)
        for ds in made:
            for v in ds.data_vars.values():
                assert v.chunks is not None or v.ndim == 1
    assert made[0].chunksizes["date"] == (7, 7, 7, 7, 2)


@pytest.mark.parametrize("chunk_dates", [1, 100, 299, 1000])
def test_simulate_panel__does_not_depend_on_chunks(chunk_dates):
    kwargs = {"dates": 300, "assets": 40, "seed": 5}
    for one, other in zip(
        simulate_panel(**kwargs, chunk_dates=300),
        simulate_panel(**kwargs, chunk_dates=chunk_dates),
        strict=True,
    ):
        xr.testing.assert_identical(one.compute(), other.compute())


@pytest.mark.parametrize("dates", [1, 20, 290])
def test_simulate_panel__begins_with_the_shorter_one(dates):
    kwargs = {"assets": 40, "seed": 6, "chunk_dates": 64}
    for short, long in zip(
        simulate_panel(dates=dates, **kwargs), simulate_panel(dates=310, **kwargs), strict=True
    ):
        xr.testing.assert_identical(short.compute(), long.isel(date=slice(dates)).compute())


def test_simulate_panel__is_the_same_each_time_and_on_any_scheduler():
    panel, _ = simulate_panel(dates=60, assets=40, seed=7, chunk_dates=16)
    again, _ = simulate_panel(dates=60, assets=40, seed=7, chunk_dates=16)
    assert panel["close"].data.name == again["close"].data.name
    once = panel.compute(scheduler="threads")
    xr.testing.assert_identical(once, again.compute(scheduler="sync"))
    xr.testing.assert_identical(once, panel.compute(scheduler="threads"))


def test_simulate_panel__differs_by_seed():
    one, other = (simulate_panel(dates=5, assets=20, seed=s)[0].compute() for s in (0, 1))
    assert (one["close"] != other["close"]).all()


def test_simulate_panel__draws_factor_returns_whatever_the_number_of_assets():
    few, many = (simulate_panel(dates=9, assets=n, seed=1)[1].factor_returns for n in (1, 30))
    xr.testing.assert_identical(few, many)


def test_simulate_panel__chains_one_task_per_chunk():
    panel, _ = simulate_panel(dates=100, assets=10, chunk_dates=10)
    graph = dict(panel["close"].data.__dask_graph__())
    assert sum(k[0].startswith("xfactor-simulate") and len(k) == 2 for k in graph) == 10
    assert len(graph) <= 60


def test_simulate_panel__is_written_with_its_chunks(tmp_path):
    panel, _ = simulate_panel(dates=50, assets=20, seed=2, chunk_dates=16)
    stored = xf.open_panel(xf.write_panel(panel, tmp_path / "panel.zarr"))
    assert stored.chunksizes["date"] == (16, 16, 16, 2)
    xr.testing.assert_equal(stored.compute(), panel.compute())
    assert stored.sector.attrs["flag_meanings"].split() == list(SECTORS)
    assert stored.book_equity.attrs["fill"] == "forward"


def test_simulate_panel__is_written_block_by_block(tmp_path, monkeypatch):
    written, at_start = [], []
    write, simulate = StoredArray.write, kernel.simulate_rows

    def counting(array, where, values):
        written.extend([array.name] if np.ndim(values) == 2 else [])
        return write(array, where, values)

    def logging(*args, **kwargs):
        at_start.append(len(written))
        return simulate(*args, **kwargs)

    monkeypatch.setattr(StoredArray, "write", counting)
    monkeypatch.setattr(kernel, "simulate_rows", logging)
    panel, _ = simulate_panel(dates=60, assets=10, chunk_dates=10)
    xf.write_panel(panel, tmp_path / "panel.zarr")
    assert at_start == [11 * k for k in range(6)]


@pytest.mark.parametrize(
    "kwargs",
    [{"dates": 0}, {"assets": 1.5}, {"seed": -1}, {"chunk_dates": 0}, {"start": "soon"},
     {"start": "2260-01-01", "dates": 2000}],
)  # fmt: skip
def test_simulate_panel__refuses_what_is_no_panel(kwargs):
    with pytest.raises(xf.PanelError, match="needed"):
        simulate_panel(**kwargs)


# --- the panel ----------------------------------------------------------------------------------


def test_panel__is_a_panel_with_units_and_names(panel):
    assert xf.check_panel(panel) is panel
    assert panel.indexes["asset"].dtype == np.int64
    assert panel.indexes["date"].dtype == np.dtype("datetime64[ns]")
    assert (panel.indexes["date"].day_of_week < 5).all()
    assert len(set(panel.symbol.values)) == 600
    for v in panel.data_vars.values():
        assert v.attrs["long_name"]
        assert "units" in v.attrs or v.dtype.kind in "ib"


def test_panel__is_missing_outside_the_life_of_an_asset(panel):
    for name, v in panel.data_vars.items():
        if "asset" in v.dims and name not in ("listed", "sector"):
            assert v.where(~panel.listed).isnull().all(), name
    assert (panel.sector.where(~panel.listed, -1) == -1).all()
    for name in ("split", "shares_outstanding", "book_equity"):
        assert panel[name].where(panel.listed, 0.0).notnull().all(), name


def test_panel__lists_each_asset_once(panel):
    edges = np.diff(panel.listed.values.astype(int), axis=0, prepend=0)
    assert ((edges == 1).sum(axis=0) <= 1).all()


def test_panel__holds_its_identities_exactly(panel):
    cap = panel.shares_outstanding * panel["close"]
    np.testing.assert_array_equal(panel.market_cap, cap)
    ratio = (panel.book_equity / panel.market_cap).where(panel.book_equity > 0)
    np.testing.assert_array_equal(panel.book_to_price, ratio)
    assert (panel.shares_outstanding.fillna(1.0) % 1 == 0).all()


def test_panel__adjusts_prices_by_the_splits_so_far(panel):
    factor = panel.split.fillna(1.0).cumprod("date")
    np.testing.assert_allclose(panel["close"] * factor, panel.adjusted_close, rtol=ROUNDING)


def test_panel__returns_are_those_of_the_adjusted_prices(panel):
    by_price = xf.returns(panel.adjusted_close)
    ends = panel.listed & ~panel.listed.shift(date=-1, fill_value=True)
    assert (panel.returns.isnull() == by_price.isnull()).where(~ends, True).all()
    np.testing.assert_allclose(panel.returns.where(~ends), by_price, atol=ROUNDING)


def test_panel__gives_the_last_session_a_delisting_return_and_no_price(panel):
    ends = (panel.listed & ~panel.listed.shift(date=-1, fill_value=True)).values
    known = panel.returns.values[ends]
    assert np.isfinite(known[1:]).all()
    assert 0.1 < (known == -0.3).mean() < 0.6
    for name in PRICED:
        assert np.isnan(panel[name].values[ends]).all(), name


def test_panel__has_gaps_of_one_to_three_sessions(panel):
    ends = panel.listed & ~panel.listed.shift(date=-1, fill_value=True)
    gap = (panel["close"].isnull() & panel.listed & ~ends).values
    assert 0.003 < gap.sum() / panel.listed.values.sum() < 0.007
    padded = np.pad(gap.T.astype(int), ((0, 0), (1, 1))).ravel()
    starts, stops = np.flatnonzero(np.diff(padded) == 1), np.flatnonzero(np.diff(padded) == -1)
    lengths = stops - starts
    assert set(lengths[lengths > 0]) == {1, 2, 3}
    for name in PRICED:
        assert np.isnan(panel[name].values[gap]).all(), name
    around = gap | np.roll(gap, 1, axis=0)
    assert np.isnan(panel.returns.values[around]).all()


def test_panel__changes_book_equity_on_filing_dates_only(panel):
    days = panel.indexes["date"]
    before, after = panel.book_equity.values[:-1], panel.book_equity.values[1:]
    changed = (before != after) & np.isfinite(before) & np.isfinite(after)
    for column in np.flatnonzero(changed.any(axis=0)):
        filed = days[1:][changed[:, column]]
        gaps = np.diff(filed.values) / np.timedelta64(1, "D")
        assert ((gaps > 85) & (gaps < 97)).all()  # a quarter, and a weekend to wait
        ends = [{d - pd.Timedelta(lag, "D") for lag in range(30, 93)} for d in filed]
        assert all(any(e.is_month_end for e in candidates) for candidates in ends)
    assert changed.sum() > 2000


def test_panel__changes_shares_on_filing_dates_and_splits_only(panel):
    book = panel.book_equity.values
    filed = np.diff(book, axis=0) != 0
    shares, split = panel.shares_outstanding.values, panel.split.values
    changed = (np.diff(shares, axis=0) != 0) & np.isfinite(shares[1:]) & np.isfinite(shares[:-1])
    assert (filed | (split[1:] != 1.0))[changed].all()
    only_split = np.isfinite(split[1:]) & (split[1:] != 1.0) & ~filed
    assert only_split.sum() > 5
    ratio = shares[1:][only_split] / shares[:-1][only_split]
    np.testing.assert_allclose(ratio, split[1:][only_split], rtol=1e-3)


def test_panel__codes_the_sectors(panel):
    sector = panel.sector
    assert sector.dtype == np.int16
    assert list(sector.attrs["flag_values"]) == list(range(11))
    assert len(sector.attrs["flag_meanings"].split()) == 11
    listed = sector.values[panel.listed.values]
    assert set(listed) == set(range(-1, 11))
    highest = sector.max("date")
    assert (sector.where(panel.listed, highest) == highest).all()  # static


def test_panel__covers_what_a_universe_has(panel):
    first, last = panel.listed.isel(date=0), panel.listed.isel(date=-1)
    assert 0.5 < first.mean() < 0.7
    assert (first & ~last).mean() > 0.03
    assert (~first & last).mean() > 0.05
    assert 0.01 < (panel.book_equity < 0).sum() / panel.listed.sum() < 0.06
    assert 1.5 < np.log(panel.market_cap.isel(date=0)).std() < 2.1
    assert (panel.volume.fillna(0.0) >= 0).all()
    assert (panel.risk_free > 0).all()
    assert panel.risk_free.max() < 0.001
    assert panel.returns.min() >= -0.95


# --- the truth ----------------------------------------------------------------------------------


def test_truth__adds_up_to_the_returns(panel, truth):
    lagged = truth.exposure.fillna(0.0).values[:-1]
    explained = np.einsum("tik,tk->ti", lagged, truth.factor_returns.values[1:])
    code = panel.sector.values.max(axis=0)
    by_sector = np.where(code >= 0, truth.sector_returns.values[1:, code], 0.0)
    total = explained + by_sector + truth.specific_returns.values[1:]
    np.testing.assert_allclose(panel.returns.values[1:], total, rtol=0, atol=ROUNDING)


def test_truth__exposure_is_what_the_package_computes_from_the_fields(panel, truth):
    price = panel.adjusted_close
    raw = {
        "size": np.log(panel.market_cap),
        "value": panel.book_to_price,
        "momentum": xf.lag(price, 21) / xf.lag(price, 252) - 1.0,
    }
    for name, x in raw.items():
        expected = xf.standardize(x, where=panel.listed)
        actual = truth.exposure.sel(factor=name)
        np.testing.assert_array_equal(actual, expected, err_msg=name)
    beta = truth.beta.where(panel.listed).transpose("date", "asset")
    np.testing.assert_array_equal(truth.exposure.sel(factor="market"), beta)


def test_truth__sector_returns_sum_to_zero(truth):
    np.testing.assert_allclose(truth.sector_returns.sum("sector"), 0.0, atol=ROUNDING)


def test_truth__market_is_the_market_of_the_panel(panel, truth):
    np.testing.assert_array_equal(panel.market_returns, truth.factor_returns.sel(factor="market"))


def test_truth__specific_returns_have_heavy_tails(truth):
    z = truth.specific_returns / truth.specific_returns.std("date")
    assert float((z**4).mean()) > 3.5


def test_truth__is_recovered_by_regression_on_lagged_exposures(panel, truth):
    exposure, returns = truth.exposure.values, panel.returns.values
    dummies = np.eye(12)[panel.sector.values.max(axis=0)][:, :11]
    estimates = []
    for t in range(254, len(returns)):
        x = np.hstack([exposure[t - 1], dummies])
        rows = np.isfinite(x).all(axis=1) & np.isfinite(returns[t])
        estimates.append(np.linalg.lstsq(x[rows], returns[t, rows], rcond=None)[0][:4])
    true = truth.factor_returns.values[254:]
    found = [np.corrcoef(e, f)[0, 1] for e, f in zip(np.array(estimates).T, true.T, strict=True)]
    assert np.mean(found) > RECOVERED, found


# --- scan ---------------------------------------------------------------------------------------


def decaying_sums(state, x, w, *, offset):
    """Sum of w x with weights that halve each row, and the row's number; one row at a time."""
    total = np.zeros(x.shape[1]) if state is None else state[0]
    assert (0 if state is None else state[1]) == offset
    rows = []
    for row, weight in zip(x, w, strict=True):
        total = 0.5 * total + weight * row
        rows.append(total)
    number = np.broadcast_to(np.arange(offset, offset + len(x))[:, None], x.shape)
    return (np.array(rows), number), (total, offset + len(x))


def only_sums(state, x, w, *, offset):
    (sums, _), state = decaying_sums(state, x, w, offset=offset)
    return (sums,), state


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.normal(size=(3, 11, 4)), dims=("signal", "date", "asset"))
    x = x.assign_coords(date=pd.bdate_range("2020-01-01", periods=11), asset=list("abcd"))
    return x, xr.DataArray(rng.normal(size=11), dims="date", coords={"date": x.date})


def scanned(step, x, w, dtypes):
    outs = [_apply.Out((), d) for d in dtypes]
    return _scan.scan(step, [_apply.Arg(x), _apply.Arg(w)], outs, what="test")


@pytest.mark.parametrize(
    "chunks", [{"date": 4}, {"date": 1, "asset": 3}, {"date": (5, 1, 5), "signal": 2}]
)
def test_scan__does_not_depend_on_chunks(series, chunks, raise_if_computes):
    x, w = series
    whole = scanned(decaying_sums, x, w, (float, int))
    with raise_if_computes():
        lazy = scanned(decaying_sums, x.chunk(chunks), w, (float, int))
    for a, b in zip(whole, lazy, strict=True):
        assert isinstance(b.data, da.Array)
        xr.testing.assert_identical(a, b.compute())
        assert b.dtype == a.dtype


def test_scan__agrees_with_a_loop(series):
    x, w = series
    (sums,) = scanned(only_sums, x.chunk(date=3), w, (float,))
    total = xr.zeros_like(x.isel(date=0))
    for t in range(x.sizes["date"]):
        total = 0.5 * total + w[t] * x[:, t]
        np.testing.assert_allclose(sums.isel(date=t), total.values, rtol=1e-14)


def test_scan__leaves_the_state_of_a_block_alone(series):
    x, w = series
    (sums,) = scanned(only_sums, x.chunk(date=3), w, (float,))
    np.testing.assert_array_equal(sums.compute(), sums.compute(scheduler="sync"))


def test_scan__runs_only_what_a_prefix_needs(series):
    x, w = series
    (sums,) = scanned(only_sums, x.chunk(date=3), w, (float,))
    tasks = sums.isel(date=slice(3)).data
    (culled,) = dask.optimize(tasks)
    names = [k for k in dict(culled.__dask_graph__()) if str(k[0]).startswith("xfactor-test")]
    assert {k[1] for k in names} <= {0}


def test_scan__refuses_an_input_without_the_dim(series):
    x, w = series
    with pytest.raises(xf.PanelError, match="'date'"):
        scanned(only_sums, x.isel(date=0, drop=True), w, (float,))


def test_scan__refuses_a_core_dim_in_pieces(series):
    x, w = series
    args = [_apply.Arg(x.chunk(date=4, asset=2), ("asset",)), _apply.Arg(w)]
    with pytest.raises(xf.PanelError, match="one chunk along 'asset'"):
        _scan.scan(only_sums, args, [_apply.Out(("asset",), float)], what="test")
