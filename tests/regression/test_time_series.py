"""Regressions over the whole history, and Newey-West, against statsmodels and their laws."""

from fractions import Fraction

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.regression import oracles
from xfactor import _apply
from xfactor.regression import inference
from xfactor.regression._design import default_lags

# statsmodels solves by QR in another order: the rounding of a few hundred products.
RTOL, STDERR_RTOL = 1e-10, 1e-8
# Sums over the dates combine in another order for other chunks.
CHUNKS = 1e-11
NAN = np.nan


def history(y, f, intercept, **cov):
    """Statsmodels fits of every asset; `cov` as for its `fit`."""
    xs = f.to_dataarray("factor").transpose("factor", "date").values
    columns = y.transpose("date", "asset").values.T
    return [oracles.ols(column, xs, intercept=intercept, **cov) for column in columns]


def check(got, naive, intercept):
    first = 1 if intercept else 0
    params, bse = oracles.stack(naive, "params"), oracles.stack(naive, "bse")
    np.testing.assert_array_equal(got.n_obs, oracles.stack(naive, "n_obs"))
    np.testing.assert_allclose(got.beta, params[:, first:], rtol=RTOL, atol=1e-12)
    np.testing.assert_allclose(got.stderr, bse[:, first:], rtol=STDERR_RTOL)
    np.testing.assert_allclose(got.tvalue, (params / bse)[:, first:], rtol=STDERR_RTOL, atol=1e-10)
    np.testing.assert_allclose(got.rsquared, oracles.stack(naive, "rsquared"), rtol=1e-9)
    if intercept:
        np.testing.assert_allclose(got.alpha, params[:, 0], rtol=RTOL, atol=1e-12)
        np.testing.assert_allclose(got.alpha_stderr, bse[:, 0], rtol=STDERR_RTOL)
        np.testing.assert_allclose(
            got.alpha_tvalue, params[:, 0] / bse[:, 0], rtol=STDERR_RTOL, atol=1e-10
        )
    else:
        assert "alpha" not in got


# --- time_series_ols: oracle --------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("factors", [1, 3])
def test_time_series_ols__equals_statsmodels_with_missing_data(intercept, factors):
    y, f = oracles.streams(1, factors=factors, missing=0.2)
    got = xf.time_series_ols(y, f, se="ols", intercept=intercept)
    check(got, history(y, f, intercept), intercept)


@pytest.mark.parametrize("intercept", [True, False])
def test_time_series_ols__white_equals_statsmodels_hc1(intercept):
    y, f = oracles.streams(2, missing=0.0)
    got = xf.time_series_ols(y, f, se="white", intercept=intercept)
    check(got, history(y, f, intercept, cov_type="HC1"), intercept)
    assert got.attrs == {"se": "white", "lags": 0}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("lags", [0, 1, 7, 200])
def test_time_series_ols__newey_west_equals_statsmodels_hac(intercept, lags):
    y, f = oracles.streams(3, missing=0.0)
    got = xf.time_series_ols(y, f, lags=lags, intercept=intercept)
    cov = {"maxlags": min(lags, 119), "use_correction": True}
    if lags < 120:  # statsmodels cannot take more lags than dates
        naive = history(y, f, intercept, cov_type="HAC", cov_kwds=cov)
        check(got, naive, intercept)
    assert bool(np.isfinite(got.stderr).all())


def test_time_series_ols__white_skips_missing_dates():
    y, f = oracles.streams(4, missing=0.2)
    got = xf.time_series_ols(y, f, se="white")
    check(got, history(y, f, True, cov_type="HC1"), True)


def test_time_series_ols__newey_west_keeps_the_distance_across_a_gap():
    y, f = oracles.streams(5, assets=2, factors=1, missing=0.15)
    got = xf.time_series_ols(y, f, lags=3)
    for a in range(2):
        column, x = y.values[:, a], f.f0.values
        at = oracles.observed(column, x[None])
        z = np.column_stack([np.ones(120), np.nan_to_num(x)])
        b = np.array([float(got.alpha[a]), float(got.beta[a, 0])])
        h = np.zeros((120, 2))
        h[at] = z[at] * (column[at] - z[at] @ b)[:, None]
        meat = h.T @ h
        for lag in (1, 2, 3):
            g = h[lag:].T @ h[:-lag]
            meat += (1 - lag / 4) * (g + g.T)
        bread = np.linalg.inv(z[at].T @ z[at])
        n = len(at)
        want = np.sqrt(np.diag(bread @ meat @ bread) * n / (n - 2))
        np.testing.assert_allclose([got.alpha_stderr[a], got.stderr[a, 0]], want, rtol=1e-9)


def test_time_series_ols__adjusted_rsquared_equals_statsmodels():
    y, f = oracles.streams(6, missing=0.0)
    for intercept in (True, False):
        got = xf.time_series_ols(y, f, se="ols", intercept=intercept)
        z = oracles.design(f.to_dataarray("factor").values, intercept)
        want = [sm.OLS(c, z, hasconst=intercept).fit().rsquared_adj for c in y.values.T]
        np.testing.assert_allclose(got.rsquared_adjusted, want, rtol=1e-9)


def test_time_series_ols__takes_one_portfolio():
    y, f = oracles.streams(7)
    want = xf.time_series_ols(y, f).isel(asset=0).compute()
    one = y.isel(asset=0)
    for own, factors in ((one, f), (one.chunk(date=13), f.chunk(date=13))):
        got = xf.time_series_ols(own, factors).compute()
        assert got.beta.dims == ("factor",)
        oracles.assert_close(got, want, rtol=1e-9, atol=1e-12)


def test_time_series_ols__takes_regressors_of_each_asset():
    y, f = oracles.streams(8, assets=70, factors=2)
    rng = np.random.default_rng(1)
    own = xr.Dataset({"own": y.copy(data=rng.normal(size=y.shape)), "common": f.f0})
    for se, cov in (("ols", {}), ("white", {"cov_type": "HC1"})):
        got = xf.time_series_ols(y, own, se=se)
        naive = [
            oracles.ols(y.values[:, a], np.stack([own.own.values[:, a], f.f0.values]), **cov)
            for a in range(70)
        ]
        check(got, naive, True)
    cube = xr.concat([own.own, f.f0.broadcast_like(y)], "factor").assign_coords(factor=["o", "c"])
    same = xf.time_series_ols(y, cube.transpose("date", "asset", "factor"), se="white")
    np.testing.assert_array_equal(same.beta, got.beta)
    np.testing.assert_allclose(same.stderr, got.stderr, rtol=1e-12)


# --- chunks and laziness ------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), data=st.data())
def test_time_series_ols__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(20, 60))
    y, f = oracles.streams(
        seed, dates, assets=data.draw(st.sampled_from([1, 3, 67])),
        factors=data.draw(st.integers(1, 3)), missing=data.draw(st.sampled_from([0.0, 0.2])),
    )  # fmt: skip
    options = {
        "se": data.draw(st.sampled_from(["ols", "white", "newey_west"])),
        "intercept": data.draw(st.booleans()),
    }
    want = xf.time_series_ols(y, f, **options).compute()
    cut = {"date": data.draw(strategies.cuts(dates))}
    both = cut | {"asset": data.draw(strategies.cuts(y.sizes["asset"], 1))}
    if data.draw(st.booleans()):
        y = y.transpose("asset", "date")
    got = xf.time_series_ols(y.chunk(both), f.chunk(cut), **options)
    assert all(v.chunks is not None for v in got.data_vars.values())
    oracles.assert_close(want, got.compute(), rtol=CHUNKS, atol=CHUNKS)


@pytest.mark.parametrize("se", ["ols", "newey_west"])
@pytest.mark.parametrize("chunks", [(10, 0, 20), (0, 30), (30, 0), (10, 0, 0, 20)])
def test_time_series_ols__empty_chunks_count_for_nothing(chunks, se):
    y, f = oracles.streams(9, dates=30, factors=1, missing=0.0)
    want = xf.time_series_ols(y, f, se=se).compute()
    cut = {"date": chunks}
    got = xf.time_series_ols(y.chunk(cut), f.chunk(cut), se=se).compute()
    oracles.assert_close(got, want, rtol=CHUNKS, atol=CHUNKS)


@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_time_series_ols__chunks_may_be_shorter_than_the_lags(chunk, missing):
    y, f = oracles.streams(35, factors=2, missing=missing)
    cut = {"date": chunk}
    got = xf.time_series_ols(y.chunk(cut), f.chunk(cut), lags=5).compute()
    whole = xf.time_series_ols(y.chunk(), f.chunk(), lags=5).compute()
    oracles.assert_close(got, whole, rtol=CHUNKS, atol=CHUNKS)
    if not missing:  # statsmodels closes gaps
        hac = {"maxlags": 5, "use_correction": True}
        check(got, history(y, f, True, cov_type="HAC", cov_kwds=hac), True)


@pytest.mark.parametrize("se", ["ols", "white", "newey_west"])
def test_time_series_ols__computes_nothing_when_called(se, raise_if_computes):
    y, f = oracles.streams(10)
    y, f, mask = y.chunk(date=17), f.chunk(date=17), y.notnull().chunk(date=17)
    with raise_if_computes():
        xf.time_series_ols(y, f, se=se, where=mask)


# --- laws ---------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), data=st.data())
def test_time_series_ols__recovers_what_has_no_noise(seed, data):
    _, f = oracles.streams(seed, dates=40, factors=data.draw(st.integers(1, 4)), missing=0.0)
    rng = np.random.default_rng(seed)
    beta = xr.DataArray(rng.normal(size=(5, len(f))), dims=("asset", "factor"))
    alpha = xr.DataArray(rng.normal(size=5), dims="asset")
    exact = alpha + xr.dot(f.to_dataarray("factor").drop_vars("factor"), beta, dim="factor")
    got = xf.time_series_ols(exact.transpose("date", "asset"), f, se=data.draw(
        st.sampled_from(["ols", "white", "newey_west"])))  # fmt: skip
    np.testing.assert_allclose(got.beta, beta, atol=1e-10)
    np.testing.assert_allclose(got.alpha, alpha, atol=1e-10)
    np.testing.assert_allclose(got.rsquared, 1.0, atol=1e-10)
    np.testing.assert_allclose(got.stderr, 0.0, atol=1e-7)


def test_time_series_ols__residual_is_orthogonal_lazy_and_like_y(raise_if_computes):
    y, f = oracles.streams(11, missing=0.1)
    with raise_if_computes():
        e = xf.time_series_ols(y, f, se="ols").residual
        assert e.chunks is not None
    e = e.compute()
    assert e.dims == y.dims
    np.testing.assert_allclose(e.sum("date"), 0.0, atol=1e-10)
    np.testing.assert_allclose((e * f.to_dataarray("factor")).sum("date"), 0.0, atol=1e-10)
    known = y.notnull() & f.to_dataarray("factor").notnull().all("factor")
    np.testing.assert_array_equal(e.notnull(), known)


@pytest.mark.parametrize("level", [1e2, 1e4, 1e6])
def test_time_series_ols__a_fit_that_is_nearly_perfect_has_right_errors(level):
    """What the fit leaves is 1e-4 to 1e-12 of the whole: it is not lost in the whole's rounding."""
    y, f = oracles.streams(12, missing=0.0)
    large = y + level * f.f0
    got = xf.time_series_ols(large, f, se="ols")
    want = oracles.stack(history(large, f, True), "bse")[:, 1:]
    np.testing.assert_allclose(got.stderr, want, rtol=1e-8)


def test_time_series_ols__where_is_the_same_as_masking_by_hand():
    y, f = oracles.streams(12)
    mask = y.copy(data=np.random.default_rng(1).random(y.shape) < 0.6)
    want = xf.time_series_ols(y.where(mask), f).compute()
    oracles.assert_same_bits(xf.time_series_ols(y, f, where=mask).compute(), want)


def test_time_series_ols__leverage_of_the_portfolio_scales_its_sensitivities():
    y, f = oracles.streams(13)
    one, three = xf.time_series_ols(y, f).compute(), xf.time_series_ols(3 * y, f).compute()
    for name in ("beta", "stderr", "alpha", "alpha_stderr"):
        np.testing.assert_allclose(three[name], 3 * one[name], rtol=1e-9)
    np.testing.assert_allclose(three.tvalue, one.tvalue, rtol=1e-9)


# --- ill-conditioned and deficient --------------------------------------------------------------


def exact(y, xs, intercept, lags=None):
    """Coefficients and errors in fractions over complete dates; a gap keeps its length in time."""
    at = oracles.observed(y, xs)
    params, bse = oracles.exact(y[at], xs[:, at], intercept)
    if lags is None:
        return params, bse
    rows = {t: [Fraction(float(v)) for v in r] for t, r in
            zip(at, oracles.design(xs[:, at], intercept), strict=True)}  # fmt: skip
    p = len(params)
    pairs = [(i, j) for i in range(p) for j in range(p)]
    inverse = oracles._inverse(
        [[sum(r[i] * r[j] for r in rows.values()) for j in range(p)] for i in range(p)]
    )
    moment = [sum(r[i] * Fraction(float(y[t])) for t, r in rows.items()) for i in range(p)]
    b = [sum(a * m for a, m in zip(line, moment, strict=True)) for line in inverse]
    h = {t: [(Fraction(float(y[t])) - sum(c * z for c, z in zip(b, r, strict=True))) * z
             for z in r] for t, r in rows.items()}  # fmt: skip
    meat = [[Fraction(0)] * p for _ in range(p)]
    for lag in range(-lags, lags + 1):
        weight = 1 - Fraction(abs(lag), lags + 1)
        for t in h:
            if t + lag in h:
                for i, j in pairs:
                    meat[i][j] += weight * h[t][i] * h[t + lag][j]
    n = len(at)
    variance = [sum(inverse[k][i] * meat[i][j] * inverse[k][j] for i, j in pairs) for k in range(p)]
    return params, np.sqrt([float(v * n / (n - p)) for v in variance])


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("se", ["ols", "white", "newey_west"])
@pytest.mark.parametrize("common", [True, False])
def test_time_series_ols__ill_conditioned_regressors_keep_six_digits(
    condition, intercept, se, common
):
    rng = np.random.default_rng(14)
    a, b, e = rng.normal(size=(3, 60, 2))
    y = xr.DataArray(a + 0.1 * e, dims=("date", "asset"))
    y[7:9, 1] = np.nan
    dims = ("date", "asset")
    f = xr.Dataset({"a": (dims, 5.0 + a), "b": (dims, 5.0 + a + b / condition)})
    f = f.isel(asset=0) if common else f
    options = {"se": se, "intercept": intercept} | ({"lags": 3} if se == "newey_west" else {})
    got = xf.time_series_ols(y, f, **options)
    lazy = xf.time_series_ols(y.chunk(date=13), f.chunk(date=13), **options).compute()
    lags = {"ols": None, "white": 0, "newey_west": 3}[se]
    first = 1 if intercept else 0
    for i in range(2):
        one = f if common else f.isel(asset=i)
        params, bse = exact(y.values[:, i], np.stack([one.a, one.b]), intercept, lags)
        for each in (got, lazy):
            np.testing.assert_allclose(each.beta[i], params[first:], rtol=1e-6)
            np.testing.assert_allclose(each.stderr[i], bse[first:], rtol=1e-6)
            if intercept:
                np.testing.assert_allclose(each.alpha[i], params[0], rtol=1e-6)
                np.testing.assert_allclose(each.alpha_stderr[i], bse[0], rtol=1e-6)


@pytest.mark.parametrize("se", ["ols", "white"])
def test_time_series_ols__a_level_of_1e8_costs_nothing_that_the_data_have(se):
    rng = np.random.default_rng(15)
    x = 1e8 + rng.integers(-8, 9, size=(2, 90)) / 8  # exact in float64
    y = 1e8 + rng.integers(-80, 81, size=90) / 8
    data = xr.DataArray(y[:, None], dims=("date", "asset"))
    f = xr.Dataset({"a": ("date", x[0]), "b": ("date", x[1])})
    params, bse = exact(y, x, True, None if se == "ols" else 0)
    for cut in ({}, {"date": 20}):
        got = xf.time_series_ols(data.chunk(cut), f.chunk(cut), se=se).compute()
        np.testing.assert_allclose(got.beta[0], params[1:], rtol=1e-12)
        np.testing.assert_allclose(got.alpha[0], params[0], rtol=1e-10)
        np.testing.assert_allclose(got.stderr[0], bse[1:], rtol=1e-7)
        np.testing.assert_allclose(got.alpha_stderr[0], bse[0], rtol=1e-7)


@pytest.mark.parametrize("se", ["ols", "white", "newey_west"])
def test_time_series_ols__eight_like_factors_have_errors_where_they_have_betas(se):
    rng = np.random.default_rng(15)
    common, own = rng.normal(size=(300, 1)), rng.normal(size=(300, 8))
    f = xr.DataArray(common + 0.05 * own, dims=("date", "factor"))  # correlations of 0.9975
    y = xr.DataArray(common + rng.normal(size=(300, 1)), dims=("date", "asset"))
    got = xf.time_series_ols(y, f, se=se)
    cov = {
        "ols": {}, "white": {"cov_type": "HC1"},
        "newey_west": {"cov_type": "HAC", "cov_kwds": {"maxlags": 5, "use_correction": True}},
    }[se]  # fmt: skip
    want = oracles.ols(y.values[:, 0], f.values.T, **cov)
    np.testing.assert_allclose(got.beta[0], want.params[1:], rtol=1e-9)
    np.testing.assert_allclose(got.stderr[0], want.bse[1:], rtol=1e-8)


@pytest.mark.parametrize("se", ["ols", "white", "newey_west"])
def test_time_series_ols__the_scales_and_levels_of_factors_do_not_matter(se):
    y, f = oracles.streams(16)
    want = xf.time_series_ols(y, f, se=se)
    got = xf.time_series_ols(y, f.assign(f0=f.f0 * 1e-9, f1=f.f1 * 1e9), se=se)
    scale = np.array([1e-9, 1e9, 1.0])
    np.testing.assert_allclose(got.beta * scale, want.beta, rtol=1e-10)
    np.testing.assert_allclose(got.stderr * scale, want.stderr, rtol=1e-10)


@pytest.mark.parametrize("se", ["ols", "white", "newey_west"])
def test_time_series_ols__a_high_level_of_a_factor_costs_only_its_own_digits(se):
    y, f = oracles.streams(16)
    want = xf.time_series_ols(y, f, se=se)
    # A level of 1e6 costs the data 6 of its 16 digits before we see them.
    got = xf.time_series_ols(y, f.assign(f0=f.f0 + 1e6), se=se)
    np.testing.assert_allclose(got.beta, want.beta, rtol=1e-8)
    np.testing.assert_allclose(got.stderr, want.stderr, rtol=1e-8)


@pytest.mark.parametrize("se", ["ols", "white", "newey_west"])
@pytest.mark.parametrize("kind", ["duplicate", "sum", "constant", "zero", "missing"])
def test_time_series_ols__dependent_factors_give_missing_and_keep_the_count(se, kind):
    y, f = oracles.streams(17, missing=0.1)
    bad = {
        "duplicate": f.f0 * 2, "sum": 0.1 * f.f0 + 0.7 * f.f1, "missing": f.f0 * NAN,
        "constant": xr.full_like(f.f0, 0.1), "zero": 0 * f.f0.fillna(0),
    }[kind]  # fmt: skip
    got = xf.time_series_ols(y, f.assign(f2=bad), se=se).compute()
    for name in ("beta", "stderr", "tvalue", "alpha", "alpha_stderr", "rsquared", "residual"):
        assert bool(got[name].isnull().all()), name
    known = y.notnull() & f.assign(f2=bad).to_dataarray().notnull().all("variable")
    np.testing.assert_array_equal(got.n_obs, known.sum("date"))


def test_time_series_ols__min_obs_is_the_least_number_of_dates():
    y, f = oracles.streams(18, missing=0.3)
    cut = int(xf.time_series_ols(y, f, se="ols").n_obs.median())
    got = xf.time_series_ols(y, f, se="ols", min_obs=cut)
    np.testing.assert_array_equal(got.beta.notnull().all("factor"), got.n_obs >= cut)
    assert 0 < int(got.beta.isnull().all("factor").sum()) < 5


# --- other inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize(("dates", "assets"), [(1, 1), (1, 4), (2, 3), (3, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("se", ["ols", "newey_west"])
def test_time_series_ols__too_little_data_is_missing_not_an_error(dates, assets, lazy, se):
    y, f = oracles.streams(19, dates, assets, factors=1, missing=0.0)
    if lazy:
        y, f = y.chunk(), f.chunk()
    got = xf.time_series_ols(y, f, se=se).compute()
    assert got.beta.shape == (assets, 1)
    assert bool(got.beta.isnull().all())
    np.testing.assert_array_equal(got.n_obs, dates)


def test_time_series_ols__keeps_float32():
    y, f = oracles.streams(20, dtype=np.float32)
    got = xf.time_series_ols(y, f)
    assert {got[k].dtype.name for k in ("beta", "stderr", "alpha", "residual", "rsquared")} == {
        "float32"
    }
    want = xf.time_series_ols(y.astype(float), f.astype(float))
    np.testing.assert_array_equal(got.beta, want.beta.astype(np.float32))
    np.testing.assert_allclose(got.stderr, want.stderr, rtol=1e-5)


def test_time_series_ols__takes_whole_numbers_and_infinite_ones():
    y, f = oracles.streams(21, missing=0.0)
    y, f = (100 * y).round(), (100 * f).round()
    want = xf.time_series_ols(y, f).compute()
    oracles.assert_same_bits(xf.time_series_ols(y.astype(int), f.astype(int)).compute(), want)
    holes = y.copy(deep=True)
    holes[3:9, 1] = NAN
    want = xf.time_series_ols(holes, f, se="ols").drop_vars("residual")
    endless = y.copy(deep=True)
    endless[3:9, 1] = [np.inf, -np.inf] * 3
    got = xf.time_series_ols(endless, f, se="ols").drop_vars("residual")
    oracles.assert_same_bits(got, want)


def test_time_series_ols__does_not_change_its_input():
    y, f = oracles.streams(22)
    before = y.copy(deep=True), f.copy(deep=True)
    for v in (y, *f.values()):
        v.values.flags.writeable = False
    xf.time_series_ols(y, f).compute()
    contracts.assert_same_bits(y, before[0])
    contracts.assert_same_bits(f, before[1])


def test_time_series_ols__loops_over_further_dims_of_y():
    y, f = oracles.streams(23)
    both = xr.concat([y, -2 * y], "kind").assign_coords(kind=["a", "b"])
    got = xf.time_series_ols(both, f).compute()
    want = xf.time_series_ols(y, f).compute()
    oracles.assert_close(got.sel(kind="a", drop=True), want, rtol=1e-12)
    np.testing.assert_allclose(got.beta.sel(kind="b"), -2 * want.beta, rtol=1e-12)


def test_time_series_ols__loops_over_further_dims_of_x():
    y, f = oracles.streams(24, factors=1)
    both = xr.concat([f.f0, f.f0**3], "signal")
    got = xf.time_series_ols(y, both, se="ols").compute()
    want = xf.time_series_ols(y, (f.f0**3).rename("f0"), se="ols").compute()
    np.testing.assert_allclose(got.beta.isel(signal=1), want.beta, rtol=1e-12)


def test_time_series_ols__one_stream_on_the_regressors_of_each_asset():
    y, _ = oracles.streams(25, factors=1, missing=0.0)
    market = y.mean("asset")
    got = xf.time_series_ols(market, y.rename("own"), se="ols").compute()
    want = xf.time_series_ols(market, y.isel(asset=3).rename("own"), se="ols")
    np.testing.assert_allclose(got.beta.isel(asset=3), want.beta, rtol=1e-12)


def test_time_series_ols__errors_say_what_to_do():
    y, f = oracles.streams(26)
    with pytest.raises(xf.PanelError, match=r"se='hac' is unknown; choose from 'newey_west'"):
        xf.time_series_ols(y, f, se="hac")
    with pytest.raises(xf.PanelError, match="lags=-1"):
        xf.time_series_ols(y, f, lags=-1)
    with pytest.raises(xf.PanelError, match="'date'"):
        xf.time_series_ols(y.rename(date="time"), f)
    with pytest.raises(xf.PanelError, match="same chunks"):
        xf.time_series_ols(y.chunk(date=10), f.chunk(date=11))


@pytest.mark.parametrize("cut", [1, 2])
def test_regressions__take_regressors_cut_along_factor(cut):
    y, f = oracles.streams(1)
    wide = f.to_dataarray("factor").transpose("date", "factor")
    lazy, cut_up = y.chunk(date=30), wide.chunk(date=30, factor=cut)
    want = xf.rolling_ols(y, wide, window=30)
    xr.testing.assert_identical(xf.rolling_ols(lazy, cut_up, window=30).compute(), want)
    want = xf.time_series_ols(y, wide)
    xr.testing.assert_allclose(xf.time_series_ols(lazy, cut_up).compute(), want, rtol=1e-9)


# --- newey_west ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lags", [0, 1, 4, 11, None])
def test_newey_west__equals_statsmodels_regression_on_a_constant(lags):
    y, _ = oracles.streams(30, missing=0.0)
    got = xf.newey_west(y, lags=lags)
    used = default_lags(120) if lags is None else lags
    assert got.attrs["lags"] == used
    for a in range(5):
        fit = sm.OLS(y.values[:, a], np.ones(120)).fit(
            cov_type="HAC", cov_kwds={"maxlags": used, "use_correction": True}
        )
        np.testing.assert_allclose(got["mean"][a], fit.params[0], rtol=RTOL)
        np.testing.assert_allclose(got.stderr[a], fit.bse[0], rtol=STDERR_RTOL)
        np.testing.assert_allclose(got.tvalue[a], fit.tvalues[0], rtol=STDERR_RTOL)


def test_newey_west__without_lags_is_the_error_of_a_mean():
    y, _ = oracles.streams(31, missing=0.2)
    got = xf.newey_west(y, lags=0)
    np.testing.assert_allclose(got["mean"], y.mean("date"), rtol=1e-12)
    want = y.std("date", ddof=1) / np.sqrt(y.count("date"))
    np.testing.assert_allclose(got.stderr, want, rtol=1e-12)
    np.testing.assert_array_equal(got.n_obs, y.count("date"))


@pytest.mark.parametrize(("dates", "lags"), [(1, 1), (50, 3), (100, 4), (500, 5), (1000, 6),
                                             (2520, 8)])  # fmt: skip
def test_newey_west__default_lags_follow_the_formula(dates, lags):
    assert default_lags(dates) == int(4 * (dates / 100) ** (2 / 9)) == lags


@given(seed=st.integers(0, 10**6), data=st.data())
def test_newey_west__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(1, 50))
    y, _ = oracles.streams(seed, dates, missing=data.draw(st.sampled_from([0.0, 0.3])))
    lags = data.draw(st.sampled_from([None, 0, 3, 60]))
    want = xf.newey_west(y, lags=lags)
    got = xf.newey_west(y.chunk(date=data.draw(strategies.cuts(dates))), lags=lags)
    assert got.stderr.chunks is not None
    oracles.assert_close(got.compute(), want, rtol=1e-10, atol=CHUNKS)


@pytest.mark.parametrize("cut", [{"date": n} for n in (1, 2, 3, 50, -1)] + [None])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_newey_west__of_large_inputs_is_that_of_small_ones(cut, missing, monkeypatch):
    y, _ = oracles.streams(36, missing=missing)
    want = xf.newey_west(y, lags=5)
    monkeypatch.setattr(_apply, "KEPT", 0)
    monkeypatch.setattr(inference, "_at_once", None)  # not the way of small ones
    got = xf.newey_west(y if cut is None else y.chunk(cut), lags=5)
    oracles.assert_close(got.compute(), want, rtol=1e-10, atol=CHUNKS)


def test_newey_west__keeps_a_factor_dim_and_its_labels():
    y, _ = oracles.streams(32)
    wide = y.rename(asset="factor")
    got = xf.newey_west(wide)
    assert got["mean"].dims == ("factor",)
    np.testing.assert_array_equal(got.factor, wide.factor)
    alone = xf.newey_west(wide.isel(factor=2, drop=True))
    assert alone["mean"].dims == ()
    np.testing.assert_allclose(got.stderr[2], alone.stderr, rtol=1e-12)


def test_newey_west__a_shift_moves_the_mean_and_leaves_the_error():
    y, _ = oracles.streams(33)
    here, there = xf.newey_west(y), xf.newey_west(y + 1000.0)
    np.testing.assert_allclose(there["mean"], here["mean"] + 1000, rtol=1e-12)
    np.testing.assert_allclose(there.stderr, here.stderr, rtol=1e-9)


@pytest.mark.parametrize("lazy", [True, False])
def test_newey_west__too_little_data_is_missing_not_an_error(lazy):
    x = xr.DataArray([[1.0, NAN, 2.0], [1.0, NAN, NAN]], dims=("date", "factor"))
    got = xf.newey_west(x.chunk() if lazy else x).compute()
    np.testing.assert_array_equal(got["mean"], [1.0, NAN, 2.0])
    np.testing.assert_array_equal(got.n_obs, [2, 0, 1])
    np.testing.assert_array_equal(got.stderr, [0.0, NAN, NAN])
    np.testing.assert_array_equal(got.tvalue, [NAN, NAN, NAN])


@pytest.mark.parametrize("lazy", [True, False])
def test_newey_west__takes_no_dates_and_no_series(lazy):
    for dates, series in ((0, 3), (3, 0), (0, 0)):
        x = xr.DataArray(np.zeros((dates, series)), dims=("date", "factor"))
        got = xf.newey_west(x.chunk() if lazy else x).compute()
        np.testing.assert_array_equal(got["mean"], np.full(series, NAN))
        np.testing.assert_array_equal(got.n_obs, np.zeros(series))


def test_newey_west__computes_nothing_when_called(raise_if_computes):
    y, _ = oracles.streams(34)
    with raise_if_computes():
        xf.newey_west(y.chunk(date=9))
