"""Premia and the GRS test against linearmodels, statsmodels, naive two-pass, and their laws."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from linearmodels.datasets import french
from linearmodels.panel import FamaMacBeth
from scipy import stats

import xfactor as xf
from tests import strategies
from tests.regression import oracles

# Other solvers sum in another order: the rounding of some hundred products.
RTOL, STDERR_RTOL = 1e-10, 1e-8
# Sums over the dates combine in another order for other chunks.
CHUNKS = 1e-11
NAN = np.nan


def monthly():
    """Nine portfolios by size and momentum in excess of the riskless rate, and three factors."""
    data = french.load()
    names = [c for c in data.columns if c.startswith("S") and c[2:3] == "M"]
    returns = data[names].to_numpy() - data[["RF"]].to_numpy()
    coords = {"date": data["dates"].to_numpy(), "asset": names}
    factors = {f: ("date", data[f].to_numpy()) for f in ("MktRF", "SMB", "HML")}
    return xr.DataArray(returns, coords, ("date", "asset")), xr.Dataset(
        factors, {"date": coords["date"]}
    )


def wide(f):
    return f.to_dataarray("factor").transpose("factor", "date").values.astype(float)


def mean_errors(f, lags):
    """Mean of f (date, p) and its errors: Newey-West, missing dates in their place, and iid."""
    used = np.isfinite(f).all(axis=1)
    n = used.sum()
    mean = f[used].mean(axis=0)
    e = np.where(used[:, None], f - mean, 0.0)
    total = (e * e).sum(axis=0)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * (e[lag:] * e[:-lag]).sum(axis=0)
    return mean, np.sqrt(total / n / (n - 1)), f[used].std(axis=0, ddof=1) / np.sqrt(n), n


def betas(y, f):
    """Slopes (asset, factor) of a regression through time of each asset, with an alpha."""
    return np.array([oracles.ols(column, f).params[1:] for column in y.T])


def across(y, beta, intercept):
    """Factor returns (date, p) of y (date, asset) on beta (date, factor, asset)."""
    fits = [oracles.ols(r, b, intercept=intercept) for r, b in zip(y, beta, strict=True)]
    return oracles.stack(fits, "params"), fits


def check(got, f, lags, fits=None):
    mean, newey_west, iid, n = mean_errors(f, lags)
    np.testing.assert_allclose(got.factor_return, f, rtol=1e-8, atol=RTOL)
    np.testing.assert_allclose(got.premium, mean, rtol=RTOL, atol=1e-12)
    np.testing.assert_allclose(got.stderr, newey_west, rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.stderr_iid, iid, rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.tvalue, mean / newey_west, rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.tvalue_iid, mean / iid, rtol=STDERR_RTOL)
    assert int(got.n_obs) == n
    assert got.attrs["lags"] == lags
    if fits is not None:
        used = [t for t, row in enumerate(f) if np.isfinite(row).all()]
        for name, key in (("n_assets", "n_obs"), ("rsquared", "rsquared")):
            want = oracles.stack(fits, key)[used].mean()
            np.testing.assert_allclose(got[name], want, rtol=STDERR_RTOL)


# --- fama_macbeth: published figures and oracles ------------------------------------------------


def test_fama_macbeth__gives_the_two_pass_of_momentum_portfolios():
    y, f = monthly()
    got = xf.fama_macbeth(y, factors=f, intercept=False)
    assert list(got.factor.values) == ["MktRF", "SMB", "HML"]
    np.testing.assert_allclose(got.premium, [0.00615012, 0.00550446, -0.01193880], atol=5e-9)
    np.testing.assert_allclose(got.stderr_iid, [0.00151541, 0.00124741, 0.00256063], atol=5e-9)
    assert int(got.n_obs) == 819
    assert float(got.n_assets) == 9.0


@pytest.mark.parametrize("intercept", [True, False])
def test_fama_macbeth__equals_linearmodels_with_missing_data(intercept):
    y, x = oracles.problem(10, dates=60, assets=20, missing=0.15)
    table = x.assign(y=y).to_dataframe(dim_order=["asset", "date"]).dropna()
    z = table[list(x)]
    if intercept:
        z = z.assign(intercept=1.0)[["intercept", *x]]
    model = FamaMacBeth(table["y"], z)
    # It takes a date with as many assets as coefficients, and here is one.
    got = xf.fama_macbeth(y, x, lag=0, lags=5, intercept=intercept, min_obs=3 + intercept)
    iid = model.fit(cov_type="unadjusted", debiased=True)
    robust = model.fit(cov_type="kernel", kernel="bartlett", bandwidth=5, debiased=True)
    np.testing.assert_allclose(got.premium, iid.params, rtol=RTOL)
    np.testing.assert_allclose(got.stderr_iid, iid.std_errors, rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.tvalue_iid, iid.tstats, rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.stderr, robust.std_errors, rtol=STDERR_RTOL)
    each = iid.all_params.to_numpy()
    np.testing.assert_allclose(got.factor_return, each, rtol=1e-8, atol=RTOL)
    means = sm.OLS(each[:, 0], np.ones(60)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 5, "use_correction": True}
    )
    np.testing.assert_allclose(got.stderr[0], means.bse[0], rtol=STDERR_RTOL)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_fama_macbeth__dates_without_a_regression_do_not_enter(lag):
    y, x = oracles.problem(2, dates=50, assets=12, missing=0.15, infinite=0.02)
    y[20:23] = NAN
    got = xf.fama_macbeth(y, x, lag=lag, min_obs=6)
    cube = x.to_dataarray("factor").transpose("date", "factor", "asset").values
    fits = oracles.by_date(y.values, cube, lag, min_obs=6)
    f = oracles.stack(fits, "params")
    check(got, f, 3, fits)
    assert 5 < int(got.n_obs) < 45 - lag


@pytest.mark.parametrize("intercept", [True, False])
def test_fama_macbeth__equals_a_naive_two_pass(intercept):
    y, f = oracles.streams(3, assets=25, missing=0.1)
    got = xf.fama_macbeth(y, factors=f, intercept=intercept)
    beta = betas(y.values, wide(f))
    want, fits = across(y.values, np.broadcast_to(beta.T, (120, *beta.T.shape)), intercept)
    check(got, want, 4, fits)
    if intercept:
        np.testing.assert_array_equal(got.beta.sel(factor="intercept"), 1.0)
    np.testing.assert_allclose(got.beta.sel(factor=list(f)), beta, rtol=RTOL, atol=1e-12)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_fama_macbeth__equals_a_naive_two_pass_of_rolling_betas(lag):
    y, f = oracles.streams(4, dates=70, assets=12, factors=2, missing=0.1)
    y[:, 3] = NAN
    got = xf.fama_macbeth(y, factors=f, window=30, min_dates=20, lag=lag, lags=2)
    beta = np.stack([
        oracles.stack(oracles.by_window(c, wide(f), 30, 20), "params")[:, 1:] for c in y.values.T
    ], axis=-1)  # fmt: skip
    want, fits = across(y.values, oracles.lagged(beta, lag), True)
    check(got, want, 2, fits)
    own = got.beta.transpose("date", "factor", "asset")
    np.testing.assert_allclose(own[:, 1:], beta, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(own[:, 0], np.where(np.isnan(beta[:, 0]), NAN, 1.0))
    assert "stderr_shanken" not in got


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_fama_macbeth__shanken_is_cochrane_12_19_without_missing_data(intercept, weighted):
    y, f = monthly()
    n, factors, returns = y.sizes["date"], wide(f).T, y.values
    z = np.column_stack([np.ones(n), factors])
    b = np.linalg.lstsq(z, returns, rcond=None)[0]
    e = returns - z @ b
    x = np.column_stack([np.ones(9), b[1:].T]) if intercept else b[1:].T
    w = np.arange(1.0, 10.0) if weighted else np.ones(9)
    a = np.linalg.solve(x.T * w @ x, x.T * w)
    premium = a @ returns.mean(axis=0)
    of_factors = np.cov(factors.T)
    own = premium[intercept:]
    c = own @ np.linalg.solve(of_factors, own)
    added = np.zeros((len(premium), len(premium)))
    added[intercept:, intercept:] = of_factors
    covariance = (a @ (e.T @ e / (n - 1)) @ a.T * (1 + c) + added) / n
    weights = xr.DataArray(w, {"asset": y.asset}, ("asset",)) if weighted else None
    got = xf.fama_macbeth(y, factors=f, intercept=intercept, weights=weights)
    np.testing.assert_allclose(got.premium, premium, rtol=RTOL)
    np.testing.assert_allclose(got.stderr_shanken, np.sqrt(np.diag(covariance)), rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.tvalue_shanken, got.premium / got.stderr_shanken, rtol=1e-14)


def test_fama_macbeth__shanken_follows_its_formula_with_missing_data():
    y, f = oracles.streams(5, assets=25, missing=0.2)
    y[7] = NAN
    got = xf.fama_macbeth(y, factors=f)
    known = wide(f)[:, np.isfinite(wide(f)).all(axis=0)]
    of_factors = np.cov(known)
    own = got.premium.values[1:]
    c = own @ np.linalg.solve(of_factors, own)
    added = np.concatenate([[0.0], np.diag(of_factors)]) / int(got.n_obs)
    want = (1 + c) * (got.stderr_iid.values**2 - added) + added
    assert int(got.n_obs) == 119
    assert known.shape[1] < 119
    np.testing.assert_allclose(got.stderr_shanken, np.sqrt(want), rtol=STDERR_RTOL)


# --- fama_macbeth: laws -------------------------------------------------------------------------


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6), intercept=st.booleans())
def test_fama_macbeth__premia_are_the_lectures_one_regression_of_means(seed, intercept):
    y, f = oracles.streams(seed, dates=60, assets=15, missing=0.0)
    got = xf.fama_macbeth(y, factors=f, intercept=intercept)
    lecture = oracles.ols(y.values.mean(axis=0), betas(y.values, wide(f)).T, intercept=intercept)
    np.testing.assert_allclose(got.premium, lecture.params, rtol=1e-8, atol=1e-9)
    left = y.mean("date") - xr.dot(got.beta, got.premium, dim="factor")
    np.testing.assert_allclose(xr.dot(got.beta, left, dim="asset"), 0.0, atol=1e-8)


def test_fama_macbeth__a_factor_among_the_assets_alone_pays_its_mean():
    """One asset for each factor that is the factor: its premium is its mean, no error in beta."""
    _, f = oracles.streams(6, missing=0.0)
    y = f.to_dataarray("asset").transpose("date", "asset")
    got = xf.fama_macbeth(y, factors=f, intercept=False, min_obs=3)
    np.testing.assert_allclose(got.premium, y.mean("date"), rtol=1e-9)
    np.testing.assert_allclose(got.stderr_shanken, got.stderr_iid, rtol=1e-9)


def test_fama_macbeth__betas_passed_as_exposures_give_the_same():
    y, f = oracles.streams(7, assets=20)
    want = xf.fama_macbeth(y, factors=f).compute()
    beta = xf.time_series_ols(y, f, se="ols").beta
    for own in (beta, beta.transpose("factor", "asset"), beta.to_dataset("factor")):
        for lag in (0, 5):  # what has no dates is not moved
            got = xf.fama_macbeth(y, own, lag=lag)
            for name in ("premium", "stderr", "stderr_iid", "n_obs", "n_assets", "factor_return"):
                np.testing.assert_array_equal(got[name], want[name])
            assert "beta" not in got
            assert "stderr_shanken" not in got
    rolling = xf.rolling_ols(y, f, window=40).beta
    one = xf.fama_macbeth(y, rolling, lag=2)
    two = xf.fama_macbeth(y, factors=f, window=40, lag=2)
    oracles.assert_same_bits(one, two.drop_vars("beta"))


def test_fama_macbeth__universe_and_weights_are_those_of_the_regressions_across_assets():
    y, x = oracles.problem(8, assets=25)
    rng = np.random.default_rng(1)
    mask = y.copy(data=rng.random(y.shape) < 0.7)
    weights = y.copy(data=rng.lognormal(size=y.shape))
    for lag in (0, 2):
        options = {"weights": weights, "where": mask, "lag": lag, "intercept": False}
        want = xf.cross_sectional_ols(y, x, **options)
        got = xf.fama_macbeth(y, x, **options)
        np.testing.assert_array_equal(got.factor_return, want.factor_return)
        assert got.attrs["lag"] == lag
    y, f = oracles.streams(8, assets=25)
    mask = y.copy(data=rng.random(y.shape) < 0.7)
    got = xf.fama_macbeth(y, factors=f, where=mask, lag=0)
    whole = xf.time_series_ols(y, f, se="ols").beta  # from all returns, in the universe or not
    np.testing.assert_array_equal(got.beta[:, 1:], whole)
    want = xf.cross_sectional_ols(y, whole, where=mask, lag=0)
    np.testing.assert_array_equal(got.factor_return, want.factor_return)


def test_fama_macbeth__codes_and_masks_are_moved_as_numbers():
    y, x = oracles.problem(9, factors=2, missing=0.0)
    rng = np.random.default_rng(2)
    x = x.assign(x0=y.copy(data=rng.integers(0, 5, y.shape).astype(np.int16)), x1=x.x1 > 0)
    want = xf.cross_sectional_ols(y, x).factor_return
    np.testing.assert_array_equal(xf.fama_macbeth(y, x).factor_return, want)
    assert bool(want[0].isnull().all())


def test_fama_macbeth__takes_other_names_of_the_dims():
    y, f = oracles.streams(10, assets=20)
    want = xf.fama_macbeth(y, factors=f, window=50).compute()
    names = {"date": "month", "asset": "stock"}
    got = xf.fama_macbeth(y.rename(names).T, factors=f.rename(date="month"), window=50,
                          dim="month", asset_dim="stock")  # fmt: skip
    oracles.assert_same_bits(got.rename({v: k for k, v in names.items()}), want)


@pytest.mark.parametrize("window", [None, 50])
def test_fama_macbeth__further_dims_are_loops(window):
    y, f = oracles.streams(11, assets=20)
    two = xr.concat([y, y.where(y > -1.0)], pd.Index(["all", "some"], name="sample"))
    got = xf.fama_macbeth(two.chunk(date=50, sample=1), factors=f, window=window).compute()
    for name in ("all", "some"):
        want = xf.fama_macbeth(two.sel(sample=name), factors=f, window=window)
        oracles.assert_close(want, got.sel(sample=name), rtol=1e-9, atol=CHUNKS)


# --- chunks and laziness ------------------------------------------------------------------------


@settings(max_examples=16)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_fama_macbeth__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(25, 50))
    y, f = oracles.streams(seed, dates, 12, 2, data.draw(st.sampled_from([0.0, 0.2])))
    options = {"intercept": data.draw(st.booleans()), "lag": data.draw(st.integers(0, 2))}
    cut = {"date": data.draw(strategies.cuts(dates))}
    kind = data.draw(st.sampled_from(["history", "rolling", "static", "dated"]))
    if kind in ("history", "rolling"):
        options["window"] = 12 if kind == "rolling" else None
        want = xf.fama_macbeth(y, factors=f, **options).compute()
        got = xf.fama_macbeth(y.chunk(cut), factors=f.chunk(cut), **options)
    else:
        x = xr.DataArray(np.random.default_rng(seed).normal(size=12), dims="asset", name="x")
        x = x * xr.ones_like(y) if kind == "dated" else x
        want = xf.fama_macbeth(y, x, **options).compute()
        got = xf.fama_macbeth(y.chunk(cut), x.chunk(cut) if kind == "dated" else x, **options)
    assert all(v.chunks is not None for v in got.data_vars.values())
    got = got.compute()
    if kind != "history":  # every date and window by itself: bit for bit
        np.testing.assert_array_equal(got.factor_return, want.factor_return)
    oracles.assert_close(got, want, rtol=CHUNKS * 100, atol=CHUNKS)


@pytest.mark.parametrize("window", [None, 40])
def test_fama_macbeth__computes_nothing_when_called(window, raise_if_computes):
    y, f = oracles.streams(11, assets=20)
    y, f, mask = y.chunk(date=17), f.chunk(date=17), y.notnull().chunk(date=17)
    static = xr.DataArray(np.ones((20, 1)), dims=("asset", "factor"))
    with raise_if_computes():
        xf.fama_macbeth(y, factors=f, window=window, where=mask)
        xf.fama_macbeth(y, y.rename("x"), weights=y, where=mask)
        xf.fama_macbeth(y, static, where=mask)
        xf.grs_test(y, f, where=mask)


def test_fama_macbeth__single_precision_stays():
    y, f = oracles.streams(12, assets=20, dtype=np.float32)
    for options in ({"factors": f}, {"factors": f, "window": 40}):
        got = xf.fama_macbeth(y, **options)
        double = {k: v if k == "window" else v.astype(float) for k, v in options.items()}
        want = xf.fama_macbeth(y.astype(float), **double)
        assert all(v.dtype == np.float32 for k, v in got.data_vars.items() if k != "n_obs")
        for name in ("premium", "stderr", "stderr_iid", "rsquared"):
            np.testing.assert_allclose(got[name], want[name], rtol=1e-4, atol=1e-6)


# --- too little, and refusals -------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("window", [None, 10])
@pytest.mark.parametrize("case", ["missing", "infinite", "one date", "no date", "few assets"])
def test_fama_macbeth__too_little_is_missing_and_counted(case, window, lazy):
    y, f = oracles.streams(13, dates=30, assets=8, factors=2, missing=0.0)
    dates = {"one date": 1, "no date": 0}.get(case, 30)
    y, f = y[:dates], f.isel(date=slice(dates))
    y = {"missing": y * NAN, "infinite": y * np.inf, "few assets": y[:, :2]}.get(case, y)
    if lazy:
        y, f = y.chunk(date=7), f.chunk(date=7)
    got = xf.fama_macbeth(y, factors=f, window=window).compute()
    assert int(got.n_obs) == 0
    for name in ("premium", "stderr", "tvalue", "stderr_iid", "n_assets", "rsquared"):
        assert bool(got[name].isnull().all()), name
    if window is None:
        assert bool(got.stderr_shanken.isnull().all())


def test_fama_macbeth__one_regression_has_a_premium_and_no_error():
    y, x = oracles.problem(14, dates=4, missing=0.0)
    y[[0, 1, 3]] = NAN
    got = xf.fama_macbeth(y, x)
    np.testing.assert_allclose(got.premium, got.factor_return[2], rtol=1e-15)
    assert int(got.n_obs) == 1
    assert bool(got.stderr.isnull().all())
    assert bool(got.stderr_iid.isnull().all())


def test_fama_macbeth__refuses_what_it_cannot_use():
    y, f = oracles.streams(15, assets=20)
    x = y.rename("x")
    with pytest.raises(xf.PanelError, match="given neither exposures nor factors; needed one"):
        xf.fama_macbeth(y)
    with pytest.raises(xf.PanelError, match="given exposures and factors; needed one of them"):
        xf.fama_macbeth(y, x, factors=f)
    with pytest.raises(xf.PanelError, match="window=20 and exposures"):
        xf.fama_macbeth(y, x, window=20)
    with pytest.raises(xf.PanelError, match="min_dates=20 and exposures"):
        xf.fama_macbeth(y, x, min_dates=20)
    with pytest.raises(xf.PanelError, match=r"no dimension 'asset' in the exposure 'f0'.*factors="):
        xf.fama_macbeth(y, f)
    with pytest.raises(xf.PanelError, match="dimension 'asset' in the factor 'x'"):
        xf.fama_macbeth(y, factors=x)
    with pytest.raises(xf.PanelError, match="lag=-1"):
        xf.fama_macbeth(y, x, lag=-1)
    with pytest.raises(TypeError, match="takes a DataArray as y; found Dataset"):
        xf.fama_macbeth(f, x)
    with pytest.raises(xf.PanelError, match="2 chunks along 'asset'"):
        xf.fama_macbeth(y.chunk(asset=10), factors=f)


# --- grs_test -----------------------------------------------------------------------------------


def naive_grs(y, f):
    """Statistic, p-value and alphas by the formula, from y (date, asset) and f (factor, date)."""
    ok = np.isfinite(y).all(axis=1) & np.isfinite(f).all(axis=0)
    y, f = y[ok], f[:, ok].T
    (n, n_assets), k = y.shape, f.shape[1]
    fits = [sm.OLS(c, sm.add_constant(f)).fit() for c in y.T]
    alpha = np.array([fit.params[0] for fit in fits])
    e = np.column_stack([fit.resid for fit in fits])
    m, omega = f.mean(axis=0), np.cov(f.T, ddof=0).reshape(k, k)
    quadratic = alpha @ np.linalg.solve(e.T @ e / n, alpha) / (1 + m @ np.linalg.solve(omega, m))
    dof = n - n_assets - k
    statistic = dof / n_assets * quadratic
    return statistic, stats.f.sf(statistic, n_assets, dof), alpha, n


def check_grs(got, want, rtol=STDERR_RTOL):
    statistic, pvalue, alpha, n = want
    np.testing.assert_allclose(got.statistic, statistic, rtol=rtol)
    np.testing.assert_allclose(got.pvalue, pvalue, rtol=100 * rtol)
    np.testing.assert_allclose(got.alpha, alpha, rtol=rtol, atol=1e-12)
    assert int(got.n_obs) == n


def test_grs_test__gives_the_statistic_of_momentum_portfolios():
    y, f = monthly()
    got = xf.grs_test(y, f)
    np.testing.assert_allclose(got.statistic, 12.705640, atol=5e-7)
    assert (int(got.dof_numerator), int(got.dof_denominator)) == (9, 807)
    check_grs(got, naive_grs(y.values, wide(f)))


@pytest.mark.parametrize(("factors", "assets", "dates"), [(1, 1, 20), (3, 40, 150), (2, 5, 8)])
def test_grs_test__equals_the_formula_on_complete_dates(factors, assets, dates):
    y, f = oracles.streams(16, 2 * dates, assets, factors, missing=0.0)
    y[np.arange(0, dates, 2), np.arange(0, dates, 2) % assets] = NAN
    y[1, 0] = np.inf
    f["f0"][dates : dates + dates // 2 - 1] = NAN
    check_grs(xf.grs_test(y, f), naive_grs(y.values, wide(f)))


@given(seed=st.integers(0, 10**6), data=st.data())
def test_grs_test__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(1, 60))
    y, f = oracles.streams(seed, dates, 4, data.draw(st.integers(1, 3)), missing=0.05)
    want = xf.grs_test(y, f)
    cut = {"date": data.draw(strategies.cuts(dates))}
    if data.draw(st.booleans()):
        y, f = y.T, f.to_dataarray("factor")
    got = xf.grs_test(y.chunk(cut), f.chunk(cut))
    np.testing.assert_array_equal(got.n_obs, want.n_obs)
    # How much of the last asset the others leave, on few dates, decides the digits.
    oracles.assert_close(got.compute(), want, rtol=1e-8, atol=CHUNKS)


def test_grs_test__does_not_depend_on_how_assets_and_factors_are_packaged():
    y, f = oracles.streams(17, assets=6, missing=0.02)
    rng = np.random.default_rng(1)
    want = xf.grs_test(y, f)
    mixed = y.dot(xr.DataArray(rng.normal(size=(6, 6)), dims=("asset", "new"))).rename(new="asset")
    f = f.to_dataarray("factor").drop_vars("factor")
    turned = f.dot(xr.DataArray(rng.normal(size=(3, 3)), dims=("factor", "new")), dim="factor")
    for got in (xf.grs_test(mixed, f), xf.grs_test(y * 1e-6, turned.rename(new="factor") * 1e6)):
        np.testing.assert_allclose(got.statistic, want.statistic, rtol=1e-9)
        np.testing.assert_allclose(got.pvalue, want.pvalue, rtol=1e-7)


def test_grs_test__is_what_the_assets_add_to_the_squared_sharpe_ratio_of_the_factors():
    y, f = monthly()
    both = np.column_stack([wide(f).T, y.values])

    def squared_sharpe(r):
        return r.mean(axis=0) @ np.linalg.solve(np.cov(r.T, ddof=0), r.mean(axis=0))

    own = squared_sharpe(both[:, :3])
    want = 807 / 9 * (squared_sharpe(both) - own) / (1 + own)
    np.testing.assert_allclose(xf.grs_test(y, f).statistic, want, rtol=1e-10)


def test_grs_test__a_high_level_costs_only_the_digits_of_the_data():
    rng = np.random.default_rng(18)
    f, e = rng.integers(-512, 512, (2, 200, 4)) / 256  # exact at every level up to 2^40
    y = f @ rng.integers(-2, 3, (4, 4)) + e
    level = 2.0**30
    want = naive_grs(y + 0.5, f.T)[2:]
    for cut in (200, 13):
        got = xf.grs_test(
            xr.DataArray(y + level, dims=("date", "asset")).chunk(date=cut),
            xr.DataArray(f, dims=("date", "factor")).chunk(date=cut),
        )
        np.testing.assert_allclose(got.alpha, want[0] - 0.5 + level, rtol=1e-15)
        same = xf.grs_test(
            xr.DataArray(f + level, dims=("date", "asset")).chunk(date=cut),
            xr.DataArray(y, dims=("date", "factor")).chunk(date=cut),
        )
        alpha = naive_grs(f, y.T)[2] + level
        np.testing.assert_allclose(same.alpha, alpha, rtol=1e-15)


@pytest.mark.parametrize("kind", ["twice", "sum", "factor", "constant"])
@pytest.mark.parametrize("cut", [120, 17])
def test_grs_test__singular_residuals_give_missing_and_keep_the_alphas(kind, cut):
    y, f = oracles.streams(19, assets=4, missing=0.0)
    bad = {
        "twice": 2 * y[:, 0], "sum": y[:, 0] - y[:, 1], "factor": f.f0 - f.f1,
        "constant": xr.full_like(y[:, 0], 0.1),
    }[kind]  # fmt: skip
    y[:, 3] = bad.values
    got = xf.grs_test(y.chunk(date=cut), f.chunk(date=cut)).compute()
    assert bool(got.statistic.isnull())
    assert bool(got.pvalue.isnull())
    want = [oracles.ols(c, wide(f)).params[0] for c in y.values.T]
    np.testing.assert_allclose(got.alpha, want, rtol=RTOL, atol=1e-12)
    assert int(got.n_obs) == 120


@pytest.mark.parametrize("kind", ["duplicate", "constant", "missing"])
def test_grs_test__dependent_factors_give_missing(kind):
    y, f = oracles.streams(20, missing=0.0)
    bad = {"duplicate": f.f0 * 2, "constant": 0 * f.f0 + 0.1, "missing": f.f0 * NAN}[kind]
    got = xf.grs_test(y, f.assign(f2=bad))
    for name in ("statistic", "pvalue", "alpha"):
        assert bool(got[name].isnull().all())
    assert int(got.n_obs) == (0 if kind == "missing" else 120)


@pytest.mark.parametrize("dates", [0, 1, 4, 5, 8, 9])
@pytest.mark.parametrize("lazy", [True, False])
def test_grs_test__needs_more_dates_than_assets_and_factors(dates, lazy):
    y, f = oracles.streams(21, dates=dates, assets=5, missing=0.0)
    if lazy:
        y, f = y.chunk(date=3), f.chunk(date=3)
    got = xf.grs_test(y, f).compute()
    assert bool(got.statistic.notnull()) == (dates > 8)
    assert bool(got.pvalue.notnull()) == (dates > 8)
    assert bool(got.alpha.notnull().all()) == (dates >= 5)
    assert (int(got.n_obs), int(got.dof_denominator)) == (dates, max(dates - 8, 0))


def test_grs_test__where_is_the_same_as_masking_by_hand():
    y, f = oracles.streams(22)
    mask = y.copy(data=np.random.default_rng(1).random(y.shape) < 0.95)
    oracles.assert_same_bits(xf.grs_test(y, f, where=mask), xf.grs_test(y.where(mask), f))


def test_grs_test__further_dims_are_loops_and_single_precision_stays():
    y, f = oracles.streams(23)
    two = xr.concat([y, y.where(y > -1.5)], pd.Index(["all", "some"], name="sample"))
    got = xf.grs_test(two.chunk(date=30, sample=1).astype(np.float32), f.chunk(date=30)).compute()
    assert all(v.dtype == np.float32 for k, v in got.items() if k in ("statistic", "alpha"))
    for name in ("all", "some"):
        want = xf.grs_test(two.sel(sample=name), f)
        one = got.sel(sample=name)
        np.testing.assert_allclose(one.statistic, want.statistic, rtol=1e-5)
        np.testing.assert_allclose(one.alpha, want.alpha, rtol=1e-4, atol=1e-6)
        assert int(one.n_obs) == int(want.n_obs)


def test_grs_test__refuses_what_it_cannot_use():
    y, f = oracles.streams(24)
    with pytest.raises(xf.PanelError, match="dimension 'asset' in the factor 'returns'"):
        xf.grs_test(y, y)
    with pytest.raises(xf.PanelError, match="found the dimensions 'date'; needed 'asset'"):
        xf.grs_test(y[:, 0], f)
    with pytest.raises(xf.PanelError, match=r"grs_test found \d chunks along 'asset'"):
        xf.grs_test(y.chunk(asset=2), f)
    with pytest.raises(TypeError, match="takes regressors as Dataset or DataArray"):
        xf.grs_test(y, wide(f))
