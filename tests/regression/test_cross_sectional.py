"""Regressions across assets against statsmodels, exact fractions, their contracts and laws."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.regression import oracles

# statsmodels solves by QR in another order: the rounding of a few dozen products.
RTOL, STDERR_RTOL = 1e-10, 1e-8
# A sum of a hundred products of size 1 that cancel.
ORTHOGONAL = 1e-11
NAN = np.nan


def cube(x):
    return x.to_dataarray("factor").transpose("date", "factor", "asset").values.astype(float)


def check(y, x, lag=1, where=None, weights=None, rtol=RTOL, **options):
    got = xf.cross_sectional_ols(y, x, lag=lag, where=where, weights=weights, **options)
    naive = oracles.by_date(
        y.transpose("date", "asset").values.astype(float), cube(x), lag,
        None if weights is None else weights.values.astype(float),
        None if where is None else where.values, **options,
    )  # fmt: skip
    np.testing.assert_array_equal(got.n_obs, oracles.stack(naive, "n_obs"))
    params, bse = oracles.stack(naive, "params"), oracles.stack(naive, "bse")
    np.testing.assert_allclose(got.factor_return, params, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(got.stderr, bse, rtol=max(STDERR_RTOL, rtol))
    np.testing.assert_allclose(got.tvalue, params / bse, rtol=max(STDERR_RTOL, rtol), atol=rtol)
    r2 = oracles.stack(naive, "rsquared")
    np.testing.assert_allclose(got.rsquared, r2, rtol=STDERR_RTOL, atol=max(1e-10, rtol))
    return got


# --- oracle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 1, 2])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_cross_sectional_ols__equals_statsmodels_date_by_date(lag, intercept, weighted):
    y, x = oracles.problem(1, assets=25, infinite=0.02)
    rng = np.random.default_rng(2)
    weights = None
    if weighted:
        w = rng.lognormal(0, 2, y.shape)
        w[rng.random(y.shape) < 0.2] = 0.0
        w[rng.random(y.shape) < 0.05] = NAN
        w[rng.random(y.shape) < 0.05] = -1.0
        w[rng.random(y.shape) < 0.05] = np.inf
        weights = y.copy(data=w)
    got = check(y, x, lag, weights=weights, intercept=intercept)
    assert int(got.factor_return.notnull().sum()) > 60


@given(seed=st.integers(0, 10**6), data=st.data())
def test_cross_sectional_ols__equals_statsmodels_on_drawn_panels(seed, data):
    factors = data.draw(st.integers(1, 4))
    y, x = oracles.problem(
        seed, dates=6, assets=data.draw(st.integers(1, 12)), factors=factors,
        missing=data.draw(st.sampled_from([0.0, 0.2, 0.6])),
        infinite=data.draw(st.sampled_from([0.0, 0.05])),
    )  # fmt: skip
    mask = y.copy(data=np.random.default_rng(seed).random(y.shape) < 0.8)
    where = data.draw(st.sampled_from([None, mask]))
    # A thin date may be so ill-conditioned that the last digits differ.
    check(y, x, data.draw(st.integers(0, 2)), where, rtol=1e-7)


@pytest.mark.parametrize("min_obs", [4, 10, 12])
def test_cross_sectional_ols__min_obs_is_the_least_number_of_assets(min_obs):
    y, x = oracles.problem(3, missing=0.15)
    got = check(y, x, min_obs=min_obs)
    known = got.factor_return.notnull().all("factor")
    np.testing.assert_array_equal(known, got.n_obs >= min_obs)
    assert 0 < int(known.sum())


def test_cross_sectional_ols__saturated_date_has_coefficients_and_no_errors():
    y, x = oracles.problem(4, assets=3, factors=2, missing=0.0)
    got = xf.cross_sectional_ols(y, x, lag=0, min_obs=3)
    assert bool(got.factor_return.notnull().all())
    assert bool(got.stderr.isnull().all())
    np.testing.assert_allclose(got.residual, 0.0, atol=1e-10)


def test_cross_sectional_ols__takes_a_dataset_or_an_array_with_a_factor_dim():
    y, x = oracles.problem(5)
    want = xf.cross_sectional_ols(y, x)
    assert list(want.factor.values) == ["intercept", "x0", "x1", "x2"]
    for dims in (("factor", "date", "asset"), ("date", "asset", "factor")):
        got = xf.cross_sectional_ols(y, x.to_dataarray("factor").transpose(*dims))
        oracles.assert_same_bits(got, want)
        assert list(got.factor.values) == list(want.factor.values)


def test_cross_sectional_ols__one_array_is_one_regressor_named_after_it():
    y, x = oracles.problem(6, factors=1)
    want = xf.cross_sectional_ols(y, x)
    got = xf.cross_sectional_ols(y, x["x0"])
    oracles.assert_same_bits(got, want)
    unnamed = xf.cross_sectional_ols(y, x["x0"].rename(None))
    assert list(unnamed.factor.values) == ["intercept", "x"]


def test_cross_sectional_ols__eight_factors_and_more_factors_than_assets():
    y, x = oracles.problem(7, assets=130, factors=8, missing=0.02)
    check(y, x)
    few = xf.cross_sectional_ols(y.isel(asset=slice(7)), x.isel(asset=slice(7)))
    assert bool(few.factor_return.isnull().all())
    assert int(few.n_obs.max()) > 0


# --- ill-conditioned and deficient --------------------------------------------------------------


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__keeps_six_digits_up_to_a_condition_of_1e8(condition, intercept):
    rng = np.random.default_rng(8)
    n = 40
    a, b = rng.normal(size=(2, 3, n))
    x = xr.Dataset({"a": (("date", "asset"), a), "b": (("date", "asset"), a + b / condition)})
    y = xr.DataArray(a + 0.1 * rng.normal(size=(3, n)), dims=("date", "asset"))
    got = xf.cross_sectional_ols(y, x, lag=0, intercept=intercept)
    for t in range(3):
        params, bse = oracles.exact(y.values[t], [v.values[t] for v in x.values()], intercept)
        largest = np.abs(params[-2:]).max()
        np.testing.assert_allclose(got.factor_return[t], params, rtol=1e-6, atol=1e-6 * largest)
        np.testing.assert_allclose(got.stderr[t], bse, rtol=1e-6)


@pytest.mark.parametrize(("small", "large"), [(1e-9, 1e9), (1e-20, 1e20)])
def test_cross_sectional_ols__the_scales_of_exposures_do_not_matter(small, large):
    y, x = oracles.problem(9)
    want = xf.cross_sectional_ols(y, x)
    scale = np.array([1.0, small, large, 1.0])
    got = xf.cross_sectional_ols(y, x.assign(x0=x.x0 * small, x1=x.x1 * large))
    np.testing.assert_allclose(got.factor_return * scale, want.factor_return, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(got.stderr * scale, want.stderr, rtol=1e-9)


def test_cross_sectional_ols__a_high_level_of_an_exposure_costs_only_its_own_digits():
    y, x = oracles.problem(10, missing=0.0)
    got = xf.cross_sectional_ols(y, x.assign(x0=x.x0 + 1e9), lag=0)
    for t in range(5):
        level = [(x.x0 + 1e9).values[t], x.x1.values[t], x.x2.values[t]]
        params, bse = oracles.exact(y.values[t], level)
        np.testing.assert_allclose(got.factor_return[t], params, rtol=1e-7)
        np.testing.assert_allclose(got.stderr[t], bse, rtol=1e-7)


DEFICIENT = {
    "duplicate": lambda x: x.x0.copy(),
    "multiple": lambda x: -3.7 * x.x0,
    "sum": lambda x: x.x0 + x.x1,
    "constant": lambda x: xr.full_like(x.x0, 0.1),
    "zero": lambda x: xr.zeros_like(x.x0),
    "missing": lambda x: xr.full_like(x.x0, NAN),
    "infinite": lambda x: xr.full_like(x.x0, np.inf),
}


@pytest.mark.parametrize("kind", list(DEFICIENT))
@pytest.mark.parametrize("weighted", [True, False])
def test_cross_sectional_ols__dependent_exposures_give_missing_and_keep_the_count(kind, weighted):
    y, x = oracles.problem(11, missing=0.05)
    bad = DEFICIENT[kind](x)
    x = x.assign(x2=xr.where(np.arange(30) % 2 == 0, bad.T, x.x2.T).transpose("date", "asset"))
    weights = abs(y.fillna(1.0)) + 0.1 if weighted else None
    got = xf.cross_sectional_ols(y, x, weights=weights, lag=0)
    odd = slice(1, None, 2)
    for name in ("factor_return", "stderr", "tvalue", "rsquared", "residual"):
        assert bool(got[name].isel(date=slice(0, None, 2)).isnull().all()), name
    assert bool(got.factor_return.isel(date=odd).notnull().all())
    complete = np.isfinite(y) & np.isfinite(x.to_dataarray()).all("variable")
    if weighted:
        complete &= np.isfinite(weights)
    np.testing.assert_array_equal(got.n_obs, complete.sum("asset"))


def test_cross_sectional_ols__a_constant_exposure_is_the_intercept_where_none_is_added():
    y, x = oracles.problem(12, factors=2)
    want = xf.cross_sectional_ols(y, x, lag=0)
    ones = x.assign(one=xr.ones_like(x.x0))[["one", "x0", "x1"]]
    got = xf.cross_sectional_ols(y, ones, lag=0, intercept=False)
    np.testing.assert_allclose(got.factor_return, want.factor_return, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got.stderr, want.stderr, rtol=1e-9)


# --- residual -----------------------------------------------------------------------------------


def test_cross_sectional_ols__residual_is_y_less_the_fit():
    y, x = oracles.problem(13)
    got = xf.cross_sectional_ols(y, x, lag=1)
    f = got.factor_return
    moved = oracles.lagged(cube(x), 1)
    fit = f.values[:, :1] + np.einsum("tk,tka->ta", f.values[:, 1:], moved)
    want = np.where(np.isfinite(y.values - fit), y.values - fit, NAN)
    np.testing.assert_allclose(got.residual, want, rtol=1e-12, atol=1e-12)
    assert got.residual.dims == y.dims


def test_cross_sectional_ols__residual_is_missing_where_an_input_is_infinite():
    y, x = oracles.problem(13, infinite=0.05)
    fit = xf.cross_sectional_ols(y, x, lag=0)
    residual = fit.residual.compute()  # and warns of nothing
    known = np.isfinite(y) & np.isfinite(x.to_dataarray()).all("variable")
    known &= fit.factor_return.notnull().all("factor")  # a thin date has none
    np.testing.assert_array_equal(residual.notnull(), known)


@pytest.mark.parametrize("weighted", [True, False])
def test_cross_sectional_ols__residual_is_orthogonal_to_the_exposures(weighted):
    y, x = oracles.problem(14, assets=100)
    w = abs(y.where(np.isfinite(y), 1.0)) + 0.1
    got = xf.cross_sectional_ols(y, x, lag=0, weights=w if weighted else None)
    e = got.residual.compute() * (w if weighted else 1.0)
    for v in (xr.ones_like(e), *x.values()):
        products = e * v.where(np.isfinite(v))
        scale = abs(products).sum("asset")
        np.testing.assert_allclose(products.sum("asset") / scale, 0.0, atol=ORTHOGONAL)


def test_cross_sectional_ols__residual_is_lazy_even_for_arrays_in_memory(raise_if_computes):
    y, x = oracles.problem(15)
    with raise_if_computes():
        got = xf.cross_sectional_ols(y, x)
        assert got.residual.chunks is not None
        assert got.factor_return.chunks is None


# --- chunks and laziness ------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), data=st.data())
def test_cross_sectional_ols__is_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(1, 12))
    y, x = oracles.problem(
        seed, dates, assets=data.draw(st.sampled_from([2, 4, 9, 70])),
        factors=data.draw(st.integers(1, 3)), missing=data.draw(st.sampled_from([0.0, 0.2])),
        dtype=data.draw(st.sampled_from([np.float64, np.float32])),
    )  # fmt: skip
    options = {
        "lag": data.draw(st.integers(0, 2)), "intercept": data.draw(st.booleans()),
        "min_obs": data.draw(st.sampled_from([None, 1, 5])),
    }  # fmt: skip
    weights = data.draw(st.sampled_from([None, abs(y), y]))
    want = xf.cross_sectional_ols(y, x, weights=weights, **options).compute()
    cut = {"date": data.draw(strategies.cuts(dates))}
    if data.draw(st.booleans()):
        y = y.transpose("asset", "date")
    got = xf.cross_sectional_ols(
        y.chunk(cut), x.chunk(cut), weights=None if weights is None else weights.chunk(cut),
        **options,
    )  # fmt: skip
    assert all(v.chunks is not None for v in got.data_vars.values())
    got = got.compute()
    got["residual"] = got.residual.transpose("date", "asset")
    oracles.assert_same_bits(got, want)


def test_cross_sectional_ols__computes_nothing_when_called(raise_if_computes):
    y, x = oracles.problem(16)
    mask = y.notnull().chunk(date=7)
    y, x = y.chunk(date=7), x.chunk(date=7)
    with raise_if_computes():
        xf.cross_sectional_ols(y, x, where=mask, weights=abs(y), lag=2)


def test_cross_sectional_ols__refuses_chunks_along_asset():
    y, x = oracles.problem(17)
    with pytest.raises(xf.PanelError, match=r"one chunk along 'asset'.*asset=-1"):
        xf.cross_sectional_ols(y.chunk(asset=5), x.chunk(asset=5))


# --- laws ---------------------------------------------------------------------------------------


def test_cross_sectional_ols__where_is_the_same_as_masking_by_hand():
    y, x = oracles.problem(18)
    mask = y.copy(data=np.random.default_rng(1).random(y.shape) < 0.7)
    want = xf.cross_sectional_ols(y.where(xf.lag(mask)), x).compute()
    oracles.assert_same_bits(xf.cross_sectional_ols(y, x, where=mask).compute(), want)


def test_cross_sectional_ols__the_order_of_assets_does_not_matter():
    y, x = oracles.problem(19, assets=70)
    order = np.random.default_rng(1).permutation(70)
    want = xf.cross_sectional_ols(y, x).drop_vars("residual")
    got = xf.cross_sectional_ols(y.isel(asset=order), x.isel(asset=order)).drop_vars("residual")
    oracles.assert_close(got, want, rtol=1e-10, atol=1e-12)


def test_cross_sectional_ols__equal_weights_of_any_size_change_nothing():
    y, x = oracles.problem(20)
    want = xf.cross_sectional_ols(y, x).compute()
    for size in (1e-12, 1.0, 7.0, 1e12):
        got = xf.cross_sectional_ols(y, x, weights=xr.full_like(y, size)).compute()
        oracles.assert_close(got, want, rtol=1e-9, atol=1e-11)


def test_cross_sectional_ols__recovers_factor_returns_without_noise():
    y, x = oracles.problem(21, noise=0.0, missing=0.0)
    got = xf.cross_sectional_ols(y, x, lag=0)
    np.testing.assert_allclose(got.rsquared, 1.0, atol=1e-12)
    np.testing.assert_allclose(got.factor_return.isel(factor=0), 0.0, atol=1e-12)


def test_cross_sectional_ols__does_not_look_ahead():
    y, x = oracles.problem(22)
    whole = xf.cross_sectional_ols(y, x).compute()
    for t in (1, 10, 29):
        part = xf.cross_sectional_ols(y[:t], x.isel(date=slice(t))).compute()
        oracles.assert_same_bits(part, whole.isel(date=slice(t)))
    changed = x.copy(deep=True)
    changed["x0"][10:] = 99.0  # exposures from date 10 on enter returns from date 11 on
    got = xf.cross_sectional_ols(y, changed).compute()
    oracles.assert_same_bits(got.isel(date=slice(11)), whole.isel(date=slice(11)))


# --- other inputs -------------------------------------------------------------------------------


def test_cross_sectional_ols__keeps_float32_and_accumulates_in_float64():
    y, x = oracles.problem(23, dtype=np.float32)
    got = xf.cross_sectional_ols(y, x)
    assert {got[k].dtype.name for k in ("factor_return", "stderr", "rsquared", "residual")} == {
        "float32"
    }
    want = xf.cross_sectional_ols(y.astype(float), x.astype(float))
    np.testing.assert_array_equal(got.factor_return, want.factor_return.astype(np.float32))


def test_cross_sectional_ols__takes_whole_numbers_and_strided_memory():
    y, x = oracles.problem(24, missing=0.0)
    y, x = (100 * y).round(), (100 * x).round()
    want = xf.cross_sectional_ols(y, x).compute()
    oracles.assert_same_bits(xf.cross_sectional_ols(y.astype(int), x.astype(np.int32)).compute(),
                             want)  # fmt: skip
    strided = y.copy(data=np.repeat(np.asfortranarray(y.values), 2, axis=1)[:, ::2])
    swapped = x.map(lambda v: v.copy(data=v.values.astype(">f8")))
    oracles.assert_same_bits(xf.cross_sectional_ols(strided, swapped).compute(), want)


def test_cross_sectional_ols__does_not_change_its_input():
    y, x = oracles.problem(25)
    before = y.copy(deep=True), x.copy(deep=True)
    for v in (y, *x.values()):
        v.values.flags.writeable = False
    xf.cross_sectional_ols(y, x, weights=abs(y)).compute()
    contracts.assert_same_bits(y, before[0])
    contracts.assert_same_bits(x, before[1])


@pytest.mark.parametrize(("dates", "assets"), [(0, 3), (3, 0), (1, 1), (1, 5), (4, 1), (0, 0)])
@pytest.mark.parametrize("lazy", [True, False])
def test_cross_sectional_ols__a_panel_too_small_is_missing_not_an_error(dates, assets, lazy):
    y, x = oracles.problem(26, dates, assets, factors=2, missing=0.0)
    if lazy:
        y, x = y.chunk(), x.chunk()
    got = xf.cross_sectional_ols(y, x).compute()
    assert got.factor_return.shape == (dates, 3)
    assert bool(got.factor_return[:1].isnull().all())
    assert got.residual.shape == (dates, assets)


def test_cross_sectional_ols__loops_over_further_dims_of_y():
    y, x = oracles.problem(27)
    both = xr.concat([y, -2 * y.where(y > 0)], "kind").assign_coords(kind=["a", "b"])
    got = xf.cross_sectional_ols(both.transpose("date", "kind", "asset"), x).compute()
    for kind, one in (("a", y), ("b", -2 * y.where(y > 0))):
        want = xf.cross_sectional_ols(one, x).compute()
        mine = got.sel(kind=kind, drop=True)
        oracles.assert_same_bits(mine, want)


def test_cross_sectional_ols__loops_over_further_dims_of_x():
    y, x = oracles.problem(28, factors=1)
    both = xr.concat([x.x0, x.x0**3], "signal")
    got = xf.cross_sectional_ols(y, both).compute()
    want = xf.cross_sectional_ols(y, (x.x0**3).rename("x0")).compute()
    np.testing.assert_array_equal(got.factor_return.isel(signal=1), want.factor_return)


def test_cross_sectional_ols__keeps_out_coordinates_that_describe_only_the_exposures():
    y, x = oracles.problem(29, factors=2)
    told = x.to_dataarray("factor").assign_coords(kind=("factor", ["style", "industry"]))
    got = xf.cross_sectional_ols(y, told)
    assert got.sizes["factor"] == 3


@pytest.mark.parametrize("lag", [0, 1])
def test_cross_sectional_ols__takes_a_universe_weights_and_exposures_without_dates(lag):
    y, x = oracles.problem(30, factors=1, missing=0.0)
    some = xr.DataArray(np.arange(20) < 15, dims="asset", coords={"asset": y.asset})
    got = xf.cross_sectional_ols(y, x, where=some, lag=lag)
    assert int(got.n_obs.max()) == 15
    fixed = x.x0.isel(date=0, drop=True)
    got = xf.cross_sectional_ols(y, fixed, weights=abs(fixed), lag=lag)
    want = xf.cross_sectional_ols(y, fixed.broadcast_like(y), weights=abs(fixed), lag=0)
    np.testing.assert_array_equal(got.factor_return[lag:], want.factor_return[lag:])


def test_cross_sectional_ols__an_asset_without_weight_does_not_enter_even_alone():
    one = xr.DataArray([[1.0]], dims=("date", "asset"))
    got = xf.cross_sectional_ols(one, one + 1, weights=0 * one, lag=0, intercept=False, min_obs=1)
    assert int(got.n_obs[0]) == 0


# --- errors -------------------------------------------------------------------------------------


def test_cross_sectional_ols__errors_say_what_to_do():
    y, x = oracles.problem(31)
    with pytest.raises(xf.PanelError, match="no regressor"):
        xf.cross_sectional_ols(y, xr.Dataset())
    with pytest.raises(xf.PanelError, match="intercept"):
        xf.cross_sectional_ols(y, x.rename(x0="intercept"))
    with pytest.raises(xf.PanelError, match="lag=-1"):
        xf.cross_sectional_ols(y, x, lag=-1)
    with pytest.raises(xf.PanelError, match="min_obs=0"):
        xf.cross_sectional_ols(y, x, min_obs=0)
    with pytest.raises(xf.PanelError, match="different labels"):
        xf.cross_sectional_ols(y, x.isel(asset=slice(None, None, -1)))
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        xf.cross_sectional_ols(y, x.isel(date=slice(5)))
    with pytest.raises(TypeError, match="found list"):
        xf.cross_sectional_ols(y, [x.x0])
    with pytest.raises(TypeError, match="bool"):
        xf.cross_sectional_ols(y, x, where=y)
    with pytest.raises(xf.PanelError, match="'asset'"):
        xf.cross_sectional_ols(y.rename(asset="stock"), x)
    with pytest.raises(xf.PanelError, match="'factor' in y"):
        xf.cross_sectional_ols(y.rename(asset="factor"), x, dim="factor")
