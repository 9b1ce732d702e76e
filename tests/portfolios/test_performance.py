"""Performance figures against pandas, their contracts and laws."""

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.portfolios import oracles
from tests.regression.oracles import assert_close

NAN = np.nan
FIGURES = ("mean", "volatility", "sharpe", "cumulative_return", "drawdown", "n_obs")


def drawn(seed, dates=60, streams=4, missing=0.1, level=0.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    r = np.clip(level + 0.05 * rng.standard_t(3, (dates, streams)), -0.9, 2.0)
    r[rng.random(r.shape) < missing] = NAN
    labels = {"factor": [f"p{i}" for i in range(streams)]}
    return xr.DataArray(r.astype(dtype), labels, ("date", "factor"))


@pytest.mark.parametrize("periods", [252, 12, 1])
def test_performance__equals_pandas(periods):
    r = drawn(1, level=0.01)
    got = xf.performance(r, periods_per_year=periods)
    for k in range(4):
        want = oracles.performance(r.values[:, k], periods)
        for name in FIGURES:
            np.testing.assert_allclose(got[name][k], want[name], rtol=1e-11, err_msg=name)
    assert got.attrs["periods_per_year"] == periods


@given(seed=st.integers(0, 10**6), data=st.data())
def test_performance__equals_pandas_on_drawn_streams(seed, data):
    r = drawn(seed, data.draw(st.integers(2, 40)), missing=data.draw(st.sampled_from([0.0, 0.3])))
    got = xf.performance(r)
    for k in range(4):
        want = oracles.performance(r.values[:, k])
        for name in FIGURES:
            np.testing.assert_allclose(got[name][k], want[name], rtol=1e-8, atol=1e-12)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_performance__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 40))
    r = drawn(seed, dates)
    r[:2] = [[0.1] * 4, [0.2] * 4]
    want = xf.performance(r)
    got = xf.performance(r.chunk(date=data.draw(strategies.cuts(dates))))
    assert all(v.chunks is not None for v in got.data_vars.values())
    assert_close(got.compute(), want, rtol=1e-9, atol=1e-11)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_performance__tails_equal_the_formulas_by_hand(seed, data):
    r = drawn(seed, data.draw(st.integers(1, 40)), missing=data.draw(st.sampled_from([0.0, 0.3])))
    r[0, 0] = np.inf
    got = xf.performance(r, periods_per_year=12)
    for k in range(4):
        for name, want in oracles.tails(r.values[:, k], 12).items():
            np.testing.assert_allclose(got[name][k], want, rtol=1e-8, atol=1e-9, err_msg=name)


def test_performance__of_four_returns_by_hand():
    """Of 10 %, -10 %, 0 and 20 %: two of four are gains, one is a loss of 0.01 squared."""
    got = xf.performance(xr.DataArray([0.1, -0.1, 0.0, 0.2], dims="date"), periods_per_year=4)
    np.testing.assert_allclose(got["mean"], 0.2)
    np.testing.assert_allclose(got.hit_rate, 0.5)
    np.testing.assert_allclose(got.downside, 0.1)  # root of 0.01 / 4, times the root of 4
    np.testing.assert_allclose(got.sortino, 2.0)
    np.testing.assert_allclose(got.skewness, 0.0, atol=1e-12)


@pytest.mark.parametrize("lags", [None, 3])
def test_performance__alpha_and_beta_are_those_of_statsmodels(lags):
    rng = np.random.default_rng(8)
    f = xr.DataArray(rng.normal(0.01, 0.05, (80, 2)), {"factor": ["a", "b"]}, ("date", "factor"))
    r = drawn(8, 80, missing=0.0).rename(factor="portfolio") + f.sel(factor="a", drop=True)
    got = xf.performance(r, f, periods_per_year=12, lags=lags)
    used = 4 * (80 / 100) ** (2 / 9) // 1 if lags is None else lags
    for k in range(4):
        fit = sm.OLS(r.values[:, k], sm.add_constant(f.values)).fit(
            cov_type="HAC", cov_kwds={"maxlags": int(used), "use_correction": True}
        )
        np.testing.assert_allclose(got.alpha[k], 12 * fit.params[0], rtol=1e-9)
        np.testing.assert_allclose(got.beta[k], fit.params[1:], rtol=1e-9)
        np.testing.assert_allclose(got.alpha_tvalue[k], fit.tvalues[0], rtol=1e-9)
        np.testing.assert_allclose(got.beta_tvalue[k], fit.tvalues[1:], rtol=1e-9)
        np.testing.assert_allclose(got.rsquared[k], fit.rsquared, rtol=1e-9)
    alone = xf.performance(r[:, 0], f.isel(factor=0, drop=True).rename("a"))
    assert alone.beta.dims == ("factor",)


def test_performance__of_a_portfolio_of_factors_has_no_alpha(raise_if_computes):
    rng = np.random.default_rng(9)
    f = xr.DataArray(rng.normal(0.01, 0.05, (50, 2)), {"factor": ["a", "b"]}, ("date", "factor"))
    r = (2 * f.sel(factor="a") - f.sel(factor="b")).drop_vars("factor", errors="ignore")
    got = xf.performance(r, f)
    np.testing.assert_allclose(got.beta, [2, -1], rtol=1e-12)
    np.testing.assert_allclose(got.alpha, 0.0, atol=1e-12)
    with raise_if_computes():
        lazy = xf.performance(r.chunk(date=7), f.chunk(date=7))
    np.testing.assert_allclose(lazy.compute().alpha_tvalue.isnull(), got.alpha_tvalue.isnull())


def test_performance__takes_one_stream_and_is_lazy(raise_if_computes):
    r = drawn(2)
    want = xf.performance(r).isel(factor=1, drop=True)
    assert_close(xf.performance(r.isel(factor=1, drop=True)), want, rtol=1e-12)
    with raise_if_computes():
        xf.performance(r.chunk(date=7))


def test_performance__tvalue_is_that_of_newey_west():
    r = drawn(3)
    for lags in (None, 0, 4):
        got = xf.performance(r, lags=lags)
        want = xf.newey_west(r, lags=lags)
        np.testing.assert_array_equal(got.tvalue, want.tvalue)
        assert got.attrs["lags"] == want.attrs["lags"]


def test_performance__the_worst_fall_may_begin_at_the_start():
    r = xr.DataArray([-0.2, 0.1, -0.05, 1.0], dims="date")
    for x in (r, r.chunk(date=1), r.chunk(date=2), r.chunk(date=3)):
        np.testing.assert_allclose(xf.performance(x).compute().drawdown, -0.2)


def test_performance__a_total_loss_stays_lost():
    r = xr.DataArray([0.1, -1.0, 0.5, 0.2], dims="date")
    for x in (r, r.chunk(date=1), r.chunk(date=2)):
        got = xf.performance(x).compute()
        assert float(got.cumulative_return) == -1.0
        assert float(got.drawdown) == -1.0


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_performance__a_loss_beyond_everything_does_not_depend_on_chunks(chunk):
    r = xr.DataArray([-1.5, 0.5, 1.0, -0.2, 0.3], dims="date")  # a long-short portfolio can
    want = xf.performance(r)
    got = xf.performance(r.chunk(date=chunk)).compute()
    np.testing.assert_allclose(got.drawdown, want.drawdown, rtol=1e-12)
    np.testing.assert_allclose(got.cumulative_return, want.cumulative_return, rtol=1e-12)


def test_performance__missing_returns_earn_nothing_and_do_not_count():
    r = xr.DataArray([0.1, NAN, -0.2, np.inf, 0.3], dims="date")
    got = xf.performance(r)
    want = oracles.performance([0.1, -0.2, 0.3])
    for name in FIGURES:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-12)


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("values", [[[0.1, NAN]], [[NAN, NAN], [0.1, NAN]], [[0.1, 0.1]] * 2])
def test_performance__too_little_data_is_missing_not_an_error(lazy, values):
    r = xr.DataArray(values, dims=("date", "factor"))
    got = xf.performance(r.chunk() if lazy else r).compute()
    assert bool(got.sharpe.isnull().all())
    np.testing.assert_allclose(got["mean"][0], 0.1 * 252)
    assert (got.volatility[0] == 0) == (len(values) == 2 and values[0][1] == 0.1)


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("shape", [(0, 2), (3, 0)])
def test_performance__takes_no_dates_and_no_streams(lazy, shape):
    r = xr.DataArray(np.zeros(shape), dims=("date", "factor"))
    got = xf.performance(r.chunk() if lazy else r).compute()
    assert got["mean"].shape == (shape[1],)


def test_performance__accumulates_float32_in_float64():
    r = drawn(4, dates=900, level=1.0, missing=0.0, dtype=np.float32)  # 2 ** 900 is a float
    got = xf.performance(r)
    want = xf.performance(r.astype(np.float64))
    for name in ("mean", "volatility", "tvalue"):
        # A float32 result is rounded a few times, at 6e-8.
        np.testing.assert_allclose(got[name], want[name], rtol=6e-7, err_msg=name)


def test_performance__errors_say_what_to_do():
    with pytest.raises(xf.PanelError, match="'date'"):
        xf.performance(drawn(5).rename(date="time"))
    with pytest.raises(xf.PanelError, match="lags=-2"):
        xf.performance(drawn(5), lags=-2)
    with pytest.raises(xf.PanelError, match=r"Use returns.rename\(factor='portfolio'\)"):
        xf.performance(drawn(5), drawn(5)[:, 0].drop_vars("factor").rename("market"))
    for periods, words in (
        (0, "number above 0"),
        (-12, "number above 0"),
        (NAN, "needed a number"),
    ):
        with pytest.raises(xf.PanelError, match=words):
            xf.performance(drawn(5), periods_per_year=periods)


def test_performance__every_figure_says_what_it_is():
    r = drawn(6).rename(factor="portfolio")
    table = xf.performance(r, r[:, 0].drop_vars("portfolio").rename("market"))
    assert all({"long_name", "units"} <= set(v.attrs) for v in table.data_vars.values())
