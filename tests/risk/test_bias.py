"""Bias statistics: pandas, and forecasts known to be right."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits


def problem(seed=1, dates=40):
    rng = np.random.default_rng(seed)
    coords = {"date": pd.date_range("2021-01-01", periods=dates, freq="B")}
    risk = rng.lognormal(-4, 0.3, (dates, 3))
    r = np.vstack([np.full((1, 3), 0.01), risk[:-1]]) * rng.standard_normal((dates, 3))
    r[rng.random(r.shape) < 0.1] = np.nan
    risk[rng.random(r.shape) < 0.05] = 0.0
    dims = ("date", "portfolio")
    return xr.DataArray(r, dims=dims, coords=coords), xr.DataArray(risk, dims=dims, coords=coords)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_bias_statistic__agrees_with_pandas(lag):
    r, risk = problem()
    forecast = pd.DataFrame(risk.values).shift(lag)
    z = pd.DataFrame(r.values) / forecast.where(forecast > 0)
    got = xf.bias_statistic(r, risk, window=12, min_obs=6, lag=lag)
    np.testing.assert_allclose(got.standardized, z, rtol=1e-12)
    np.testing.assert_allclose(got.bias, z.rolling(12, min_periods=6).std(), rtol=1e-9)
    counts = z.notna().rolling(12, min_periods=1).sum()
    np.testing.assert_array_equal(got.n_obs, counts)
    for side, p in (("lower", 0.025), ("upper", 0.975)):
        band = np.sqrt(stats.chi2.ppf(p, counts - 1) / (counts - 1)).where(counts >= 6)
        np.testing.assert_allclose(got[side], band, rtol=1e-9)
    whole = xf.bias_statistic(r, risk, lag=lag)
    np.testing.assert_allclose(whole.bias, z.std(), rtol=1e-10)
    np.testing.assert_array_equal(whole.n_obs, z.notna().sum())


def test_bias_statistic__of_right_forecasts_lies_in_its_band_as_often_as_it_says():
    rng = np.random.default_rng(2)
    r = xr.DataArray(rng.standard_normal((60, 2000)), dims=("date", "portfolio"))
    got = xf.bias_statistic(r, xr.ones_like(r), confidence=0.9)
    inside = (got.bias > got.lower) & (got.bias < got.upper)
    assert abs(float(inside.mean()) - 0.9) < 0.03
    low = xf.bias_statistic(r, 0.5 * xr.ones_like(r))
    np.testing.assert_allclose(low.bias, 2.0 * got.bias, rtol=1e-12)


def test_bias_statistic__of_the_risk_of_a_portfolio_in_a_known_market():
    """The whole chain: factor and specific returns, their covariances, a forecast, its bias."""
    rng = np.random.default_rng(3)
    n, k, dates = 30, 2, 1500
    coords = {"date": pd.date_range("2010-01-01", periods=dates, freq="B"), "asset": range(n)}
    f = xr.DataArray(
        0.01 * rng.standard_normal((dates, k)), dims=("date", "factor"),
        coords={"date": coords["date"], "factor": ["a", "b"]},
    )  # fmt: skip
    x = xr.DataArray(
        rng.standard_normal((n, k)), dims=("asset", "factor"),
        coords={"asset": range(n), "factor": ["a", "b"]},
    )  # fmt: skip
    e = xr.DataArray(0.02 * rng.standard_normal((dates, n)), dims=("date", "asset"), coords=coords)
    w = xr.DataArray(rng.standard_normal(n) / n, dims="asset", coords={"asset": range(n)})
    returns = xf.portfolio_returns(w, xr.dot(f, x, dim="factor") + e)
    risk = xf.risk_decomposition(
        w, x, xf.factor_covariance(f, window=250).covariance,
        xf.specific_variance(e, window=250).variance,
    ).risk  # fmt: skip
    got = xf.bias_statistic(returns, risk)
    assert float(got.lower) < float(got.bias) < float(got.upper)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_bias_statistic__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 20))
    r, risk = problem(seed, dates)
    cut = {"date": data.draw(strategies.cuts(dates))}
    lazy = xf.bias_statistic(r.chunk(cut), risk.chunk(cut), window=5, min_obs=2)
    assert all(v.chunks is not None for v in lazy.values())
    assert_same_bits(lazy.compute(), xf.bias_statistic(r, risk, window=5, min_obs=2))
    whole = xf.bias_statistic(r.chunk(cut), risk.chunk(cut)).compute()
    xr.testing.assert_allclose(whole, xf.bias_statistic(r, risk), rtol=1e-12)


def test_bias_statistic__computes_nothing_early_and_never_looks_ahead(raise_if_computes):
    r, risk = problem(4)
    with raise_if_computes():
        xf.bias_statistic(r.chunk(date=9), risk.chunk(date=9), window=5)
        xf.bias_statistic(r.chunk(date=9), risk.chunk(date=9))
    xf.testing.check_no_lookahead(
        lambda p: xf.bias_statistic(p.r, p.risk, window=8, min_obs=4),
        xr.Dataset({"r": r, "risk": risk}),
    )


def test_bias_statistic__edges_and_refusals():
    r, risk = problem(5)
    none = xf.bias_statistic(r, 0.0 * risk)
    assert bool(none.bias.isnull().all())
    assert bool(none.lower.isnull().all())
    for options, message in (
        ({"confidence": 1.0}, "confidence=1.0"), ({"lag": -1}, "lag=-1"),
        ({"min_obs": 3}, "window"), ({"window": 5, "min_obs": 1}, "min_obs=1"),
    ):  # fmt: skip
        with pytest.raises(xf.PanelError, match=message):
            xf.bias_statistic(r, risk, **options)
    with pytest.raises(xf.PanelError, match="dimension"):
        xf.bias_statistic(r[:, 0], risk)
    with pytest.raises(TypeError, match="risk"):
        xf.bias_statistic(r, 0.1)


def test_bias_statistic__band_is_that_of_the_chi_squared_distribution_of_each_count():
    r, risk = problem(6)
    got = xf.bias_statistic(r.where(np.random.default_rng(6).random(r.shape) > 0.3), risk,
                            window=8, min_obs=2, confidence=0.9)  # fmt: skip
    n = got.n_obs.values
    known = got.bias.notnull().values
    assert len(set(n[known])) > 3
    for name, p in (("lower", 0.05), ("upper", 0.95)):
        want = np.sqrt(stats.chi2.ppf(p, n[known] - 1) / (n[known] - 1))
        np.testing.assert_allclose(got[name].values[known], want, rtol=1e-12)
