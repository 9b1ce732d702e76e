"""Bucket returns against naive loops, date by date; the spread, its order and its accounts."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.evaluation import drawn, oracles
from xfactor.testing import check_no_lookahead

NAN = np.nan
RTOL = 1e-11  # sums of a dozen returns, some of which cancel
SINGLE = {"rtol": 1e-5, "atol": 1e-7}

methods = st.sampled_from(["pivot", "ecdf", "rank"])


def naive(x, y, by, bins, method, min_names):
    """Means and counts (date, group, bucket)."""
    names = list(x.asset.values)
    found = [
        [
            oracles.bucket_returns(a, b, names, c, g, bins, method, min_names)
            for g in (drawn.CODES if by is not None else (0,))
        ]
        for a, b, c in zip(drawn.rows(x), drawn.rows(y), drawn.code_rows(by, x), strict=True)
    ]
    table = np.array(found, dtype=float)
    return table[:, :, 0], table[:, :, 1]


@given(data=st.data(), x=strategies.panels(), bins=st.integers(2, 5), method=methods)
def test_quantile_returns__equal_the_naive_loop(data, x, bins, method):
    y = data.draw(drawn.after(x))
    by = data.draw(st.none() | drawn.groups(x))
    where = data.draw(drawn.masks(x))
    least = data.draw(st.sampled_from([1, 3]))
    got = xf.quantile_returns(x, y, bins=bins, method=method, by=by, where=where, min_names=least)
    means, counts = naive(drawn.within(x, where), y, by, bins, method, least)
    if by is None:
        means, counts = means[:, 0], counts[:, 0]
    single = x.dtype == np.float32
    close = SINGLE if single else {"rtol": RTOL, "atol": 1e-13}
    np.testing.assert_allclose(got.returns.values, means, **close)
    np.testing.assert_array_equal(got.n_obs.values, counts)
    np.testing.assert_allclose(got.spread.values, means[..., -1] - means[..., 0], **close)
    assert got.returns.dtype == x.dtype
    total = got.n_obs.sum("bucket") + got.n_dropped.sum("reason")
    in_group = x.sizes["asset"]
    if by is not None:
        codes = np.array(drawn.code_rows(by, x))
        in_group = np.stack([(codes == g).sum(axis=1) for g in drawn.CODES], axis=1)
    np.testing.assert_array_equal(total.values, np.broadcast_to(in_group, total.shape))


@given(data=st.data(), x=strategies.panels(), method=methods)
def test_quantile_returns__are_the_same_bit_for_bit_whatever_the_chunks(data, x, method):
    y = data.draw(drawn.after(x))
    by = data.draw(st.none() | drawn.groups(x))
    where = data.draw(drawn.masks(x))
    options = {"bins": 3, "method": method, "by": by, "where": where}
    want = xf.quantile_returns(x, y, **options)
    lazy = data.draw(strategies.chunked(x))
    got = xf.quantile_returns(lazy, y.chunk(lazy.chunksizes), **options)
    assert got.returns.chunks is not None
    contracts.assert_same_bits(got.compute(), want)


def test_quantile_returns__of_a_table_worked_by_hand():
    dates = pd.date_range("2015-01-01", periods=2)
    coords = {"date": dates, "asset": [*"ABCD"]}
    x = xr.DataArray([[1.0, 2, 3, 4], [4, 3, 2, 1]], dims=("date", "asset"), coords=coords)
    y = xr.DataArray([[0.1, 0.2, 0.3, 0.4], [0.0, 0.2, 0.4, 0.8]], dims=x.dims, coords=coords)
    got = xf.quantile_returns(x, y, bins=2)
    np.testing.assert_allclose(got.returns, [[0.15, 0.35], [0.6, 0.1]])
    np.testing.assert_allclose(got["mean"], [0.375, 0.225])
    np.testing.assert_allclose(got.spread, [0.2, -0.5])
    half = xf.quantile_returns(x, y, bins=2, gross=1)
    np.testing.assert_allclose(half.spread, [0.1, -0.25])
    np.testing.assert_allclose(half.spread_tvalue, got.spread_tvalue)
    np.testing.assert_allclose(half.spread_stderr, got.spread_stderr / 2)
    sector = xr.DataArray([1, 1, 2, 2], dims="asset")
    by_group = xf.quantile_returns(x, y, bins=2, by=sector)
    np.testing.assert_allclose(by_group.returns[0], [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_allclose(by_group.returns[1], [[0.2, 0.0], [0.8, 0.4]])


def test_quantile_returns__do_not_choose_names_by_what_follows():
    """A name whose return is missing still has its place among the signals."""
    x = xr.DataArray([[1.0, 2.0, 3.0, 4.0]], dims=("date", "asset"))
    y = xr.DataArray([[0.1, NAN, NAN, 0.4]], dims=("date", "asset"))
    got = xf.quantile_returns(x, y, bins=2)
    np.testing.assert_allclose(got.returns[0], [0.1, 0.4])
    assert got.n_dropped.sel(reason="no_return").item() == 2
    thin = xf.quantile_returns(x, y, bins=2, min_names=2)
    assert bool(thin.returns.isnull().all())
    assert thin.n_dropped.sel(reason="thin").item() == 2


def test_means__are_those_of_newey_west_over_each_horizon():
    panel, _ = xf.simulate_panel(dates=90, assets=40, seed=3)
    after = {h: xf.forward_returns(panel.returns, h) for h in (1, 10)}
    got = xf.quantile_returns(panel.market_cap, after, bins=4)
    assert got.attrs["lags"] == [3, 9]
    for h, lags in zip(after, got.attrs["lags"], strict=True):
        one = got.sel(horizon=h)
        for series, prefix in (("returns", ""), ("spread", "spread_")):
            want = xf.newey_west(one[series], lags=lags)
            for name in ("mean", "stderr", "tvalue"):
                np.testing.assert_allclose(one[prefix + name], want[name], rtol=1e-9)
        np.testing.assert_array_equal(one.n_dates, one.returns.notnull().sum("date"))
        want = scipy.stats.spearmanr(range(4), one["mean"]).statistic
        np.testing.assert_allclose(one.monotonicity, want)
        np.testing.assert_allclose(one.min_step, np.diff(one["mean"]).min())


def test_monotonicity__is_one_where_means_rise_and_missing_where_one_is():
    x = xr.DataArray(np.arange(12.0)[None] + np.zeros((3, 1)), dims=("date", "asset"))
    rising = xf.quantile_returns(x, 0.01 * x, bins=4)
    assert (float(rising.monotonicity), float(rising.min_step) > 0) == (1.0, True)
    assert float(xf.quantile_returns(x, -0.01 * x, bins=4).monotonicity) == -1.0
    flat = xf.quantile_returns(x, xr.zeros_like(x), bins=4)
    assert np.isnan(flat.monotonicity)
    assert float(flat.min_step) == 0.0
    gap = xf.quantile_returns(x, x.where(x > 2), bins=4)
    assert np.isnan(gap.monotonicity)
    assert np.isnan(gap.min_step)


def test_quantile_returns__of_edge_rows():
    rows = [[NAN] * 4, [3.0] * 4, [2.0, NAN, NAN, NAN], [1.0, np.inf, -np.inf, 2.0]]
    x = xr.DataArray(rows, dims=("date", "asset"))
    y = xr.DataArray([[0.1, 0.2, 0.3, 0.4]] * 4, dims=("date", "asset"))
    got = xf.quantile_returns(x, y, bins=2).returns.values
    np.testing.assert_allclose(got, [[NAN, NAN], [0.25, NAN], [0.1, NAN], [0.1, 0.4]])


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (1, 1)])
def test_quantile_returns__of_no_dates_no_assets_or_one(shape):
    x = xr.DataArray(np.zeros(shape), dims=("date", "asset"))
    for each in (x, x.chunk(date=-1)):
        got = xf.quantile_returns(each, each, bins=2).compute()
        assert got.returns.shape == (shape[0], 2)
        assert int(got.n_dates.sum()) == (shape == (1, 1))


def test_quantile_returns__are_lazy(panel, raise_if_computes):
    x = panel["close"].chunk(date=5)
    by = panel["sector"].chunk(date=5)
    with raise_if_computes():
        got = xf.quantile_returns(x, {1: x, 4: x}, bins=3, by=by)
    assert all(v.chunks is not None for v in got.data_vars.values())


def test_quantile_returns__take_the_future_as_data_and_do_not_look_further():
    rng = np.random.default_rng(0)
    noise = {k: (("date", "asset"), rng.normal(size=(40, 9))) for k in ("signal", "after")}
    data = xr.Dataset(noise, coords={"date": pd.date_range("2020-01-01", periods=40)})
    check_no_lookahead(
        lambda p: xf.quantile_returns(p.signal, p.after, bins=3)[
            ["returns", "spread", "n_obs", "n_dropped"]
        ],
        data,
    )


def test_quantile_returns__errors_say_what_to_do(panel):
    x = panel["close"]
    cases = [
        ({"bins": 1}, "at least two buckets"),
        ({"bins": 2.5}, "bins=2.5"),
        ({"method": "equal"}, "method='equal'"),
        ({"gross": 3}, "gross=3"),
        ({"gross": True}, "gross=True"),
        ({"min_names": 0}, "min_names=0"),
        ({"x": x.expand_dims("bucket")}, "'bucket'"),
        ({"forward": x.isel(date=slice(3))}, "forward has 3 labels"),
    ]
    for options, text in cases:
        with pytest.raises(xf.PanelError, match=text) as found:
            xf.quantile_returns(**{"x": x, "forward": x, **options})
        assert "\n" not in str(found.value)
    with pytest.raises(TypeError, match="takes a DataArray as forward"):
        xf.quantile_returns(x, 3.0)
