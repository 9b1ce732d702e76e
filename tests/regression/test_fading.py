"""Regressions over all dates so far, and with weights that fade: oracle, contracts, laws."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.regression import oracles
from tests.regression.test_rolling import RTOL, check, factor_rows

REACHES = {
    "expanding": {"expanding": True},
    "expanding, fading": {"expanding": True, "halflife": 9.0},
    "window, fading": {"window": 25, "halflife": 7.0},
}
each_reach = pytest.mark.parametrize("reach", REACHES)
LEAST = 8


def fit(y, f, reach, **options):
    return xf.rolling_ols(y, f, min_obs=LEAST, **REACHES[reach], **options)


def naive(y, f, window=None, halflife=None, expanding=False, intercept=True):
    """One weighted regression for each date of y (date,), on f (factor, date)."""
    fits = []
    for t in range(len(y)):
        first = 0 if window is None else max(0, t - window + 1)
        age = t - np.arange(first, t + 1)
        w = None if halflife is None else 0.5 ** (age / halflife)
        dates = slice(first, t + 1)
        fits.append(oracles.ols(y[dates], f[:, dates], w, intercept, LEAST))
    return fits


@each_reach
@pytest.mark.parametrize("intercept", [True, False])
def test_rolling_ols__equals_one_weighted_regression_for_each_date(reach, intercept):
    y, f = oracles.streams(3, dates=70, assets=3, factors=2, missing=0.15)
    got = fit(y, f, reach, intercept=intercept)
    for a in range(3):
        want = naive(y.values[:, a], factor_rows(f), intercept=intercept, **REACHES[reach])
        check(got, want, a, intercept, RTOL)


@each_reach
def test_rolling_ols__fading_takes_regressors_of_each_asset(reach):
    y, f = oracles.streams(4, dates=40, assets=3, factors=1)
    own = y.copy(data=np.random.default_rng(0).normal(size=y.shape)).rename("own")
    got = fit(y, xr.Dataset({"own": own, "f0": f.f0}), reach)
    for a in range(3):
        xs = np.stack([own.values[:, a], f.f0.values])
        check(got, naive(y.values[:, a], xs, **REACHES[reach]), a)


@each_reach
@given(seed=st.integers(0, 50), data=st.data())
def test_rolling_ols__fading_is_the_same_bit_for_bit_whatever_the_chunks(reach, seed, data):
    y, f = oracles.streams(seed, dates=60, assets=3, factors=2, missing=0.2)
    lazy = data.draw(strategies.chunked(y, ("date",)))
    got = fit(lazy, f.chunk(date=lazy.chunksizes["date"]), reach)
    oracles.assert_same_bits(got.compute(), fit(y, f, reach))


@each_reach
def test_rolling_ols__fading_computes_nothing_when_called(reach, raise_if_computes):
    y, f = oracles.streams(5)
    with raise_if_computes():
        got = fit(y.chunk(date=20), f.chunk(date=20), reach)
    assert all(v.chunks is not None for v in got.data_vars.values())


@each_reach
@given(seed=st.integers(0, 50), t=st.integers(1, 59))
def test_rolling_ols__fading_does_not_look_ahead(reach, seed, t):
    y, f = oracles.streams(seed, dates=60, assets=2, factors=2)
    past = slice(None, t)
    got = fit(y.isel(date=past), f.isel(date=past), reach)
    oracles.assert_same_bits(got, fit(y, f, reach).isel(date=past))


def test_rolling_ols__expanding_ends_where_time_series_ols_does():
    y, f = oracles.streams(6)
    last = xf.rolling_ols(y, f, expanding=True).isel(date=-1)
    whole = xf.time_series_ols(y, f, se="ols")
    for name in ("beta", "stderr", "alpha", "alpha_stderr", "rsquared"):
        np.testing.assert_allclose(last[name], whole[name], rtol=1e-10)


@pytest.mark.parametrize("window", [25, 400])
def test_rolling_ols__with_an_endless_halflife_is_that_without(window):
    y, f = oracles.streams(7)
    got = xf.rolling_ols(y, f, window=window, min_obs=9, halflife=np.inf)
    want = xf.rolling_ols(y, f, window=window, min_obs=9)
    for name in want.data_vars:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-13)


def test_rolling_ols__fading_forgets_an_outlier_that_has_left_the_window():
    y, f = oracles.streams(8, dates=80, missing=0.0)
    dirty = y.copy()
    dirty[10] = 1e9
    got, want = fit(dirty, f, "window, fading"), fit(y, f, "window, fading")
    after = slice(10 + 25, None)
    for name in want.data_vars:
        np.testing.assert_array_equal(got[name][after], want[name][after])


@each_reach
@pytest.mark.parametrize("condition", [1e4, 1e8])
def test_rolling_ols__fading_keeps_six_digits_of_ill_conditioned_regressors(reach, condition):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 40))
    xs = np.stack([a, a + b / condition])
    y = xs[0] + 2.0 * xs[1] + 1e-9 * rng.normal(size=40)
    f = xr.Dataset({k: ("date", x) for k, x in zip("ab", xs, strict=True)})
    got = fit(xr.DataArray(y, dims="date"), f, reach).isel(date=-1)
    options = REACHES[reach]
    first = 40 - options.get("window", 40)
    w = 0.5 ** (np.arange(39 - first, -1, -1) / options.get("halflife", np.inf))
    z = oracles.design(xs[:, first:], True)
    root = np.sqrt(w)
    want, bse = oracles.exact(y[first:] * root, (z * root[:, None]).T, intercept=False)
    np.testing.assert_allclose(got.beta, want[1:], rtol=1e-6)
    np.testing.assert_allclose(got.stderr, bse[1:], rtol=1e-6)


@each_reach
@pytest.mark.parametrize("level", [1.0, 1e8])
def test_rolling_ols__fading_of_dependent_or_constant_regressors_is_missing_and_counted(
    reach, level
):
    y, f = oracles.streams(9, dates=30, missing=0.0)
    twice = f[["f0"]].assign(again=level * f.f0)
    constant = f[["f0"]].assign(constant=xr.full_like(f.f0, 0.1 * level))
    for x in (twice, constant):
        got = fit(y, x, reach)
        assert got.beta.isnull().all()
        assert got.alpha.isnull().all()
        assert (got.n_obs.isel(date=-1) == min(30, REACHES[reach].get("window", 30))).all()


@each_reach
def test_rolling_ols__fading_over_a_long_gap_and_of_nothing_is_right(reach):
    y, f = oracles.streams(10, dates=300, assets=3, factors=1, missing=0.0)
    y[20:290, 0] = np.nan
    y[:, 1] = np.nan
    got = fit(y, f, reach)
    assert got.beta.isel(asset=1).isnull().all()
    assert (got.n_obs.isel(asset=1) == 0).all()
    for a in (0, 2):
        check(got, naive(y.values[:, a], factor_rows(f), **REACHES[reach]), a, rtol=1e-7)


@each_reach
def test_rolling_ols__fading_keeps_float32_and_lanes_apart(reach):
    y, f = oracles.streams(11, dates=30, assets=300, factors=1, dtype=np.float32)
    got = fit(y, f, reach)
    assert got.beta.dtype == np.float32
    for a in (0, 127, 128, 299):
        contracts.assert_same_bits(got.isel(asset=[a]), fit(y[:, [a]], f, reach))


@pytest.mark.parametrize("reach", [*REACHES.values(), {"window": 25}])
def test_rolling_ols__without_errors_is_the_same_less_the_errors(reach):
    y, f = oracles.streams(12, factors=2)
    f = f.assign(f1=f.f0 + 1e-5 * f.f1)  # windows that are solved again
    want = xf.rolling_ols(y, f, **reach)
    got = xf.rolling_ols(y, f, se=None, **reach)
    oracles.assert_same_bits(got, want.drop_vars(["stderr", "alpha_stderr"]))
    assert got.beta.notnull().any()
    plain = xf.rolling_ols(y, f, se=None, intercept=False, **reach)
    assert list(plain.data_vars) == ["beta", "rsquared", "n_obs"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"window": 20, "se": "white"}, "se='white' is unknown; choose from 'ols'"),
        ({}, "window=None and expanding=False were given; needed one of them"),
        ({"window": 20, "expanding": True}, "window=20 and expanding=True were given"),
        ({"window": 20, "halflife": 0}, "halflife=0 was given; needed a number above 0"),
        ({"expanding": True, "halflife": "a year"}, "halflife='a year' was given"),
        ({"expanding": True, "min_obs": 0}, "min_obs=0 was given"),
    ],
)
def test_rolling_ols__refuses_a_reach_that_is_none(options, text):
    y, f = oracles.streams(1)
    with pytest.raises(xf.PanelError, match=text):
        xf.rolling_ols(y, f, **options)
