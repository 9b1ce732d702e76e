"""Tests of residuals and of regressors, against statsmodels, plain loops and their laws."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats import diagnostic, outliers_influence, stattools

import xfactor as xf
from tests import contracts, strategies
from tests.regression import oracles
from xfactor.kernels import diagnostics as kernels

# A statistic is some thousand sums of float64; a p-value far out multiplies its error.
RTOL, PVALUE_RTOL = 1e-10, 1e-8
# A skewness near 0 is a difference of large numbers.
SKEWNESS_ATOL = 1e-13
# Sums over the dates combine in another order for other chunks.
CHUNKS = 1e-10
NAN = np.nan

FUNCTIONS = {
    "jarque_bera": lambda e, x, **options: xf.jarque_bera(e, **options),
    "breusch_pagan": lambda e, x, **options: xf.breusch_pagan(e, x, **options),
    "original": lambda e, x, **options: xf.breusch_pagan(e, x, method="original", **options),
    "durbin_watson": lambda e, x, **options: xf.durbin_watson(e, **options),
    "ljung_box": lambda e, x, **options: xf.ljung_box(e, lags=4, **options),
}
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def known(e, xs=None):
    """The complete observations of e (n,) and xs (k, n)."""
    ok = np.isfinite(e) if xs is None else np.isfinite(e) & np.isfinite(xs).all(axis=0)
    return ok.nonzero()[0]


def naive_jarque_bera(e):
    return np.array([*stattools.jarque_bera(e[known(e)]), len(known(e))])


def naive_breusch_pagan(e, xs, robust):
    at = known(e, xs)
    test = diagnostic.het_breuschpagan(e[at], oracles.design(xs[:, at], True), robust=robust)
    return np.array([*test[:2], len(at)])


def naive_durbin_watson(e):
    n = len(known(e))
    steps = [b - a for a, b in itertools.pairwise(e) if np.isfinite(b - a)]
    squares = sum(v * v for v in e[known(e)])
    return np.array([sum(d * d for d in steps) / len(steps) * (n - 1) / squares, n])


def naive_ljung_box(e, lags):
    n = len(known(e))
    d = e - e[known(e)].mean()
    squares = sum(v * v for v in d[known(e)])
    total = 0.0
    for lag in range(1, lags + 1):
        pairs = [d[t] * d[t - lag] for t in range(lag, len(d)) if np.isfinite(d[t] + d[t - lag])]
        total += (sum(pairs) / squares) ** 2 / len(pairs)
    return np.array([n * (n + 2) * total, n])


def check(got, wanted, names):
    """Results (asset,) against naive ones, one row for each asset."""
    wanted = np.array(wanted).T
    for name, want in zip(names, wanted, strict=True):
        rtol = PVALUE_RTOL if name == "pvalue" else RTOL
        atol = SKEWNESS_ATOL if name == "skewness" else 0.0
        np.testing.assert_allclose(got[name], want, rtol=rtol, atol=atol, err_msg=name)
    assert got.n_obs.dtype == np.int32


def data(seed, dates=120, assets=70, missing=0.15):
    """Residuals (date, asset) whose variance depends on the factors, and these."""
    y, f = oracles.streams(seed, dates, assets, factors=2, missing=missing, noise=1.0)
    e = (y - y.mean("date")) * (1 + 0.3 * np.abs(f.f0.fillna(0)))
    return e.transpose("date", "asset"), f


# --- oracles ------------------------------------------------------------------------------------


def test_jarque_bera__equals_statsmodels_without_the_missing():
    e, _ = data(1)
    names = ("statistic", "pvalue", "skewness", "kurtosis", "n_obs")
    check(xf.jarque_bera(e), [naive_jarque_bera(c) for c in e.values.T], names)
    by_date = xf.jarque_bera(e, dim="asset")
    assert by_date.statistic.dims == ("date",)
    check(by_date, [naive_jarque_bera(c) for c in e.values], names)


@pytest.mark.parametrize("method", ["koenker", "original"])
def test_breusch_pagan__equals_statsmodels_without_the_missing(method):
    e, f = data(2)
    xs = f.to_dataarray("factor").values
    got = xf.breusch_pagan(e, f, method=method)
    assert int(got.dof) == 2
    assert got.attrs == {"method": method}
    robust = method == "koenker"
    names = ("statistic", "pvalue", "n_obs")
    check(got, [naive_breusch_pagan(c, xs, robust) for c in e.values.T], names)
    cube = f.to_dataarray("factor").transpose("date", "factor")
    xr.testing.assert_identical(xf.breusch_pagan(e, cube, method=method), got)


@pytest.mark.parametrize("method", ["koenker", "original"])
def test_breusch_pagan__takes_regressors_of_each_asset_along_either_dim(method):
    y, x = oracles.problem(3, dates=40, assets=50, factors=3)
    cube = x.to_dataarray("factor").transpose("date", "asset", "factor")
    robust = method == "koenker"
    names = ("statistic", "pvalue", "n_obs")
    wanted = [naive_breusch_pagan(y.values[:, a], cube.values[:, a].T, robust) for a in range(50)]
    check(xf.breusch_pagan(y, cube, method=method), wanted, names)
    wanted = [naive_breusch_pagan(y.values[t], cube.values[t].T, robust) for t in range(40)]
    check(xf.breusch_pagan(y, x, method=method, dim="asset"), wanted, names)
    fixed = cube.isel(date=0, drop=True)
    wanted = [naive_breusch_pagan(y.values[t], fixed.values.T, robust) for t in range(40)]
    check(xf.breusch_pagan(y, fixed, method=method, dim="asset"), wanted, names)


def test_durbin_watson__equals_statsmodels_without_gaps():
    e, _ = data(4, missing=0.0)
    ends = e.where((e.date > e.date[5]) & (e.date < e.date[90])).transpose(*e.dims)
    for each, rows in ((e, slice(None)), (ends, slice(6, 90))):
        want = stattools.durbin_watson(each.values[rows])
        np.testing.assert_allclose(xf.durbin_watson(each).statistic, want, rtol=RTOL)


@pytest.mark.parametrize("lags", [1, 4, 25, None])
def test_ljung_box__equals_statsmodels_without_gaps(lags):
    e, _ = data(5, missing=0.0)
    for dates in (120, 31, 12):
        if lags == 25 and dates < 30:
            continue
        part = e.isel(date=slice(dates))
        used = max(1, min(10, dates // 5)) if lags is None else lags
        got = xf.ljung_box(part, lags=lags)
        assert got.attrs == {"lags": used, "model_dof": 0}
        tables = [diagnostic.acorr_ljungbox(c, lags=[used]) for c in part.values.T]
        check(got, [t.values[0] for t in tables], ("statistic", "pvalue"))


def test_ljung_box__takes_the_degrees_of_a_model_off():
    e, _ = data(6, assets=5, missing=0.0)
    tables = [diagnostic.acorr_ljungbox(c, lags=[6], model_df=2) for c in e.values.T]
    got = xf.ljung_box(e, lags=6, model_dof=2)
    check(got, [t.values[0] for t in tables], ("statistic", "pvalue"))


def test_durbin_watson_and_ljung_box__keep_the_place_of_missing_dates():
    e, _ = data(7, missing=0.3)
    check(xf.durbin_watson(e), [naive_durbin_watson(c) for c in e.values.T], ("statistic", "n_obs"))
    got = xf.ljung_box(e, lags=5)
    check(got, [naive_ljung_box(c, 5) for c in e.values.T], ("statistic", "n_obs"))


def test_durbin_watson_and_ljung_box__gaps_do_not_look_like_autocorrelation():
    rng = np.random.default_rng(8)
    e = xr.DataArray(rng.normal(size=(250, 2000)), dims=("date", "asset"))
    e = e.where(rng.random(e.shape) < 0.5)
    # Two standard errors: of a mean of 2000 statistics, and of a share. Without gaps the mean
    # statistic of white noise is 2 (n - 1) / n.
    test = xf.durbin_watson(e)
    excess = test.statistic - 2 * (1 - 1 / test.n_obs)
    assert abs(float(excess.mean())) < 2 * float(excess.std()) / np.sqrt(2000)
    share = float((xf.ljung_box(e).pvalue < 0.05).mean())
    assert abs(share - 0.05) < 2 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("dim", ["asset", "date"])
def test_vif__equals_statsmodels(dim):
    _, x = oracles.problem(9, dates=40, assets=30, factors=4)
    x = x.assign(x1=x.x0 + 0.1 * x.x1, x2=0.01 * x.x2 + 5)  # related, and far from 0
    cube = x.to_dataarray("factor")
    other = {"asset": "date", "date": "asset"}[dim]
    got = xf.vif(x, dim=dim)
    assert got.vif.dims == (other, "factor")
    for i in range(x.sizes[other]):
        xs = cube.isel({other: i}).transpose("factor", dim).values
        at = known(xs[0], xs)
        z = sm.add_constant(xs[:, at].T)
        want = [outliers_influence.variance_inflation_factor(z, k + 1) for k in range(4)]
        np.testing.assert_allclose(got.vif[i], want, rtol=RTOL)
        assert int(got.n_obs[i]) == len(at)


def test_vif__takes_factor_returns():
    _, f = oracles.streams(10)
    got = xf.vif(f, dim="date")
    assert got.vif.dims == ("factor",)
    z = sm.add_constant(f.to_dataarray("factor").transpose("date", ...).dropna("date").values)
    want = [outliers_influence.variance_inflation_factor(z, k + 1) for k in range(3)]
    np.testing.assert_allclose(got.vif, want, rtol=RTOL)
    assert int(got.n_obs) == len(z)


# --- chunks and laziness ------------------------------------------------------------------------


@each_function
@given(seed=st.integers(0, 10**6), draw=st.data())
def test_tests__are_the_same_whatever_the_chunks(name, seed, draw):
    test = FUNCTIONS[name]
    dates = draw.draw(st.integers(1, 50))
    missing = draw.draw(st.sampled_from([0.0, 0.3, 0.9]))
    e, f = data(seed, dates, draw.draw(st.sampled_from([1, 6])), missing)
    cut = draw.draw(strategies.cuts(dates))
    lazy = e.chunk(date=cut, asset=draw.draw(strategies.cuts(e.sizes["asset"])))
    got = test(lazy, f.chunk(date=cut))
    assert got.statistic.chunks is not None
    oracles.assert_close(got.compute(), test(e, f), rtol=CHUNKS, atol=CHUNKS)


@given(name=st.sampled_from(list(FUNCTIONS)), seed=st.integers(0, 10**6), draw=st.data())
def test_tests__of_a_date_are_the_same_bits_whatever_the_chunks(name, seed, draw):
    y, x = oracles.problem(seed, dates=9, assets=draw.draw(st.sampled_from([5, 30])))
    cut = draw.draw(strategies.cuts(9))
    got = FUNCTIONS[name](y.chunk(date=cut), x.chunk(date=cut), dim="asset").compute()
    oracles.assert_same_bits(got, FUNCTIONS[name](y, x, dim="asset"))


@given(seed=st.integers(0, 10**6), draw=st.data())
def test_vif__is_the_same_whatever_the_chunks(seed, draw):
    _, x = oracles.problem(seed, dates=20, assets=draw.draw(st.sampled_from([3, 15])), factors=9)
    cut = draw.draw(strategies.cuts(20))
    if draw.draw(st.booleans()):
        oracles.assert_same_bits(xf.vif(x.chunk(date=cut)).compute(), xf.vif(x))
        return
    x = x[["x0", "x1"]]
    got = xf.vif(x.chunk(date=cut), dim="date").compute()
    oracles.assert_close(got, xf.vif(x, dim="date"), rtol=CHUNKS)


def test_tests__compute_nothing_when_called(raise_if_computes):
    e, f = data(11, assets=5)
    lazy, factors = e.chunk(date=25), f.chunk(date=25)
    where = e.notnull().chunk(date=25)
    y, x = oracles.problem(11)
    with raise_if_computes():
        for test in FUNCTIONS.values():
            assert test(lazy, factors, where=where).statistic.chunks is not None
        for dim in ("date", "asset"):
            assert xf.vif(x.chunk(date=7), dim=dim, where=y.notnull()).vif.chunks is not None


def test_tests__take_the_residuals_of_the_regressions():
    y, f = oracles.streams(12)
    e = xf.time_series_ols(y, f).residual
    for test in FUNCTIONS.values():
        oracles.assert_same_bits(test(e, f).compute(), test(e.compute(), f))
    y, x = oracles.problem(12)
    e = xf.cross_sectional_ols(y, x).residual
    got = xf.breusch_pagan(e, xf.lag(x, 1), dim="asset").compute()
    assert got.statistic[1:].notnull().all()
    assert got.statistic[0].isnull()


# --- laws ---------------------------------------------------------------------------------------


@each_function
@pytest.mark.parametrize("power", [-900, -500, 500, 990])
def test_tests__do_not_depend_on_the_scale(name, power):
    e, f = data(13, assets=3)
    want = FUNCTIONS[name](e, f)
    scaled = e * 2.0**power
    oracles.assert_same_bits(FUNCTIONS[name](scaled, f), want)
    oracles.assert_same_bits(FUNCTIONS[name](scaled, f * 2.0**power), want)
    cut = {"date": 25}
    got = FUNCTIONS[name](scaled.chunk(cut), (f * 2.0**-power).chunk(cut)).compute()
    oracles.assert_same_bits(got, FUNCTIONS[name](e.chunk(cut), f.chunk(cut)).compute())


@each_function
def test_tests__hold_where_the_scale_changes_from_date_to_date(name):
    e, f = data(14, assets=3, missing=0.0)
    for half in (e.date > e.date[60], e.date < e.date[60]):
        small, zero = (e.where(half, v).transpose(*e.dims) for v in (e * 2.0**-500, 0.0))
        got, want = (FUNCTIONS[name](v.chunk(date=20), f.chunk(date=20)) for v in (small, zero))
        oracles.assert_close(got.compute(), want.compute(), rtol=CHUNKS)


@pytest.mark.parametrize("name", ["jarque_bera", "ljung_box"])
def test_tests__do_not_depend_on_the_level(name):
    e, _ = data(15, assets=3)
    e = (e * 2**15).round() / 2**15
    for level in (2.0**32, -(2.0**32)):
        for x in (e + level, (e + level).chunk(date=25)):
            got = FUNCTIONS[name](x, None).compute()
            oracles.assert_close(got, FUNCTIONS[name](e, None), rtol=RTOL, atol=SKEWNESS_ATOL)


@pytest.mark.parametrize("rows", [1, 25, 120])
def test_breusch_pagan_and_vif__do_not_depend_on_the_level_of_regressors(rows):
    e, f = data(15, assets=3)
    f = (f * 2**15).round() / 2**15
    high = (f + 2.0**32).chunk(date=rows)
    got = xf.breusch_pagan(e.chunk(date=rows), high).compute()
    oracles.assert_close(got, xf.breusch_pagan(e, f), rtol=RTOL)
    got = xf.vif(high, dim="date").compute()
    oracles.assert_close(got, xf.vif(f, dim="date"), rtol=RTOL)


@each_function
def test_tests__take_a_universe_as_missing_values(name):
    y, x = oracles.problem(16)
    for dim in ("date", "asset"):
        for mask in strategies.fixed_masks(y):
            got = FUNCTIONS[name](y, x, dim=dim, where=mask)
            want = FUNCTIONS[name](y.where(mask).transpose(*y.dims), x, dim=dim)
            oracles.assert_same_bits(got, want)


def test_vif__takes_a_universe_as_missing_values():
    y, x = oracles.problem(17)
    common = xr.Dataset({"market": x.x0.isel(asset=0, drop=True), "own": x.x1})
    for mask in strategies.fixed_masks(y):
        # Cells outside of it may have been a pivot: the last bits differ.
        oracles.assert_close(xf.vif(x, where=mask), xf.vif(x.where(mask)), rtol=1e-12)
        got = xf.vif(common, dim="date", where=mask)
        want = xf.vif(common.assign(own=x.x1.where(mask)), dim="date")
        oracles.assert_close(got, want, rtol=1e-12)
        far = x.where(mask, 1e12)
        oracles.assert_close(xf.vif(far, where=mask), xf.vif(x.where(mask)), rtol=1e-12)


def test_vif__does_not_depend_on_scale_and_level():
    _, x = oracles.problem(18, dates=3)
    want = xf.vif(x)
    for power in (-900, 5, 990):
        oracles.assert_same_bits(xf.vif(x * 2.0**power), want)
    oracles.assert_close(xf.vif(1e3 - 5 * x), want, rtol=1e-9)


@each_function
def test_tests__loop_over_further_dims_and_keep_float32(name):
    e, f = data(19, assets=3)
    test = FUNCTIONS[name]
    both = xr.concat([e, e**3], "kind").assign_coords(kind=["a", "b"])
    oracles.assert_same_bits(test(both, f).sel(kind="b", drop=True), test(e**3, f))
    alone = test(e.isel(asset=2), f)
    oracles.assert_close(test(e, f).isel(asset=2), alone, rtol=1e-12)
    single = test(e.astype(np.float32), f)
    wide = test(e.astype(np.float32).astype(float), f)
    for variable in single.data_vars:
        if variable not in ("n_obs", "dof"):
            assert single[variable].dtype == np.float32
            np.testing.assert_array_equal(single[variable], wide[variable].astype(np.float32))


def test_breusch_pagan__loops_over_further_dims_of_x():
    e, f = data(20, assets=3)
    both = xr.concat([f.f0, f.f1], "signal")
    got = xf.breusch_pagan(e, both)
    want = xf.breusch_pagan(e, f.f1.rename("x"))
    oracles.assert_close(got.isel(signal=1), want, rtol=1e-12)


# --- edges --------------------------------------------------------------------------------------


def columns(*values):
    """Columns as one array (date, asset)."""
    return xr.DataArray(np.array(values).T, dims=("date", "asset"))


@each_function
@pytest.mark.parametrize("lazy", [True, False])
def test_tests__too_little_to_tell_is_missing(name, lazy):
    x = xr.Dataset({"x": ("date", np.arange(8.0))})
    nothing, one = [NAN] * 8, [NAN, 0.3] + [NAN] * 6
    broken = [np.inf, -np.inf, NAN, 1.0, np.inf, NAN, -np.inf, NAN]
    e = columns(nothing, one, broken, [0.0] * 8)
    if lazy:
        e, x = e.chunk(date=3), x.chunk(date=3)
    got = FUNCTIONS[name](e, x).compute()
    np.testing.assert_array_equal(got.n_obs, [0, 1, 1, 8])
    for variable in set(got.data_vars) - {"n_obs", "dof"}:
        assert got[variable].isnull().all(), variable


@pytest.mark.parametrize("cut", [3, 8])
def test_tests__a_constant_has_no_variance(cut):
    e = columns([0.1] * 8, [0.1, -0.1] * 4).chunk(date=cut)
    x = xr.Dataset({"x": ("date", np.arange(8.0))}).chunk(date=cut)
    for test in (xf.jarque_bera(e), xf.ljung_box(e)):
        np.testing.assert_array_equal(test.statistic.isnull(), [True, False])
    for method in ("koenker", "original"):
        assert xf.breusch_pagan(e, x, method=method).statistic.isnull().all()
    np.testing.assert_allclose(xf.durbin_watson(e).statistic, [0.0, 4 * 7 / 8], rtol=1e-15)


def test_breusch_pagan__needs_more_observations_than_coefficients_and_independent_regressors():
    rng = np.random.default_rng(21)
    f = rng.normal(size=(2, 12))
    x = xr.Dataset({"a": ("date", f[0]), "b": ("date", f[1])})
    e = xr.DataArray(rng.normal(size=(12, 2)), dims=("date", "asset"))
    e[3:, 0] = NAN
    e[4:, 1] = NAN
    got = xf.breusch_pagan(e, x)
    np.testing.assert_array_equal(got.n_obs, [3, 4])
    np.testing.assert_array_equal(got.statistic.isnull(), [True, False])
    twice = x.assign(c=x.a + x.b)
    full = xr.DataArray(rng.normal(size=12), dims="date")
    got = xf.breusch_pagan(full, twice)
    assert got.statistic.isnull()
    assert got.pvalue.isnull()
    assert int(got.n_obs) == 12


def test_durbin_watson_and_ljung_box__need_a_pair():
    e = columns([1.0, NAN, 2.0, NAN, 4.0, NAN], [1.0, 2.0, NAN, NAN, NAN, 1.0])
    np.testing.assert_array_equal(xf.durbin_watson(e).statistic.isnull(), [True, False])
    np.testing.assert_array_equal(xf.ljung_box(e, lags=1).pvalue.isnull(), [True, False])
    assert xf.ljung_box(e, lags=3).pvalue.isnull().all()
    assert xf.ljung_box(e, lags=50).pvalue.isnull().all()


def test_vif__an_exact_dependence_is_infinite_and_leaves_the_others():
    _, x = oracles.problem(22, dates=4, assets=60, factors=4, missing=0.0)
    plain = xf.vif(x[["x0", "x1", "x3"]])
    got = xf.vif(x.assign(x2=3 * x.x0 - 2))
    np.testing.assert_array_equal(got.vif.sel(factor=["x0", "x2"]), np.full((4, 2), np.inf))
    rest = {"factor": ["x1", "x3"]}
    np.testing.assert_allclose(got.vif.sel(rest), plain.vif.sel(rest), rtol=1e-9)
    sums = xf.vif(x.assign(x3=x.x0 - x.x1 + x.x2))
    assert np.isinf(sums.vif).all()


def test_vif__near_a_dependence_keeps_the_digits_there_are():
    _, x = oracles.problem(23, dates=4, assets=60, factors=2, missing=0.0)
    for gap in (1e-2, 1e-4):
        near = x.assign(x1=x.x0 + gap * x.x1)
        want = [1 / (1 - exact_rsquared(near.x0[t], near.x1[t])) for t in range(4)]
        got = xf.vif(near).vif
        np.testing.assert_allclose(got, np.array([want, want]).T, rtol=20 * 1e-16 / gap**2)


def exact_rsquared(x, y):
    """R2 of two series in long double, as 1 - rest / total: the rest from rotated variables."""
    x, y = (v.values.astype(np.longdouble) for v in (x, y))
    x, y = x - x.mean(), y - y.mean()
    return 1 - (((y - x * (x @ y) / (x @ x)) ** 2).sum() / (y @ y))


def test_vif__a_constant_is_missing_and_leaves_the_others():
    _, x = oracles.problem(24, dates=6, missing=0.0)
    for dim in ("asset", "date"):
        want = xf.vif(x[["x0", "x2"]], dim=dim)
        for cut in (6, 2):
            for constant in (0.1, xr.where(x.x1 > 0, 0.3, 0.1 + 0.2)):  # or but for rounding
                got = xf.vif(x.assign(x1=0 * x.x1 + constant).chunk(date=cut), dim=dim)
                assert got.vif.sel(factor="x1").isnull().all()
                np.testing.assert_allclose(got.vif.sel(factor=["x0", "x2"]), want.vif, rtol=1e-12)


def test_vif__needs_more_observations_than_regressors():
    values = np.random.default_rng(25).normal(size=(3, 5, 2))
    x = xr.DataArray(values, dims=("date", "asset", "factor"))
    x[0, 2:, 0], x[1, 3:, 1], x[2, :, 1] = NAN, np.inf, NAN
    got = xf.vif(x)
    np.testing.assert_array_equal(got.n_obs, [2, 3, 0])
    np.testing.assert_array_equal(got.vif.isnull().all("factor"), [True, False, True])
    alone = xf.vif(x.isel(date=1, factor=[0]))
    np.testing.assert_array_equal(alone.vif, [1.0])


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize(("dates", "assets"), [(0, 3), (3, 0), (0, 0)])
def test_tests__take_no_dates_and_no_assets(lazy, dates, assets):
    e = xr.DataArray(np.zeros((dates, assets)), dims=("date", "asset"))
    x = xr.Dataset({"x": e})
    if lazy:
        e, x = e.chunk(), x.chunk()
    for dim, left in (("date", assets), ("asset", dates)):
        for test in FUNCTIONS.values():
            got = test(e, x, dim=dim).compute()
            np.testing.assert_array_equal(got.statistic, np.full(left, NAN))
            np.testing.assert_array_equal(got.n_obs, np.zeros(left))
        assert xf.vif(x, dim=dim).compute().vif.shape == (left, 1)


@pytest.mark.parametrize("name", ["jarque_bera", "durbin_watson", "ljung_box"])
def test_tests__compiled_or_not_give_the_same(name, monkeypatch):
    e, f = data(28, dates=20, assets=66)
    e = e.chunk(date=7)
    want = FUNCTIONS[name](e, f).compute()
    for loop in ("_means", "_powers", "_differences", "_pairs"):
        monkeypatch.setattr(kernels, loop, getattr(kernels, loop).py_func)
    oracles.assert_same_bits(FUNCTIONS[name](e, f).compute(), want)


def test_tests__do_not_change_their_input():
    e, f = data(26, assets=3)
    before = e.copy(deep=True), f.copy(deep=True)
    for v in (e, *f.values()):
        v.values.flags.writeable = False
    for test in FUNCTIONS.values():
        test(e, f)
    xf.vif(f, dim="date")
    contracts.assert_same_bits(e, before[0])
    contracts.assert_same_bits(f, before[1])


def test_tests__errors_say_what_to_do():
    e, f = data(27, assets=3)
    with pytest.raises(xf.PanelError, match=r"method='white' is unknown; choose from 'koenker'"):
        xf.breusch_pagan(e, f, method="white")
    with pytest.raises(xf.PanelError, match="needed 'time'"):
        xf.jarque_bera(e, dim="time")
    with pytest.raises(xf.PanelError, match="needed 'asset'"):
        xf.breusch_pagan(e, f, dim="asset")
    with pytest.raises(xf.PanelError, match="needed 'asset'"):
        xf.vif(f)
    with pytest.raises(xf.PanelError, match="model_dof=4 was given with 4 lags; needed more lags"):
        xf.ljung_box(e, lags=4, model_dof=4)
    with pytest.raises(xf.PanelError, match="lags=0"):
        xf.ljung_box(e, lags=0)
    with pytest.raises(xf.PanelError, match="same chunks"):
        xf.breusch_pagan(e.chunk(date=10), f.chunk(date=11))
    with pytest.raises(TypeError, match="durbin_watson takes a DataArray as residual"):
        xf.durbin_watson(f)
    with pytest.raises(TypeError, match="vif takes a DataArray as where"):
        xf.vif(f, dim="date", where=f.f0.values > 0)
    with pytest.raises(TypeError, match="where has dtype float64; needed bool"):
        xf.jarque_bera(e, where=e)
