"""Input that no regression can use: one line that says what was found, what was needed."""

import numpy as np
import pytest
import xarray as xr

import xfactor as xf

DIMS = ("date", "asset")
RNG = np.random.default_rng(0)
Y, X = (xr.DataArray(RNG.normal(size=(3, 40)), dims=DIMS, name=k) for k in "yx")
G = xr.DataArray(np.tile(np.arange(40) % 4, (3, 1)), dims=DIMS, name="g")
ols = xf.cross_sectional_ols

CALLS = {
    "y an ndarray, across": (lambda: ols(Y.values, X), "takes a DataArray as y"),
    "y an ndarray, through time": (lambda: xf.time_series_ols(Y.values, X), "DataArray as y"),
    "y a Dataset": (lambda: xf.rolling_ols(Y.to_dataset(), X, window=3), "found Dataset"),
    "x without dates": (lambda: xf.time_series_ols(Y, X[0]), "in x, found .*needed 'date'"),
    "x without dates, rolling": (lambda: xf.rolling_ols(Y, X[0], window=3), "needed 'date'"),
    "a factor dim in a variable": (
        lambda: ols(Y, xr.Dataset({"m": X.expand_dims(factor=2)})),
        "dimension 'factor' in the variable 'm'",
    ),
    "weights by factor": (lambda: ols(Y, X, weights=X.expand_dims(factor=2)), "weights has the"),
    "weights an ndarray": (lambda: ols(Y, X, weights=np.ones(3)), "weights takes a DataArray"),
    "where a word": (lambda: ols(Y, X, where="a"), "where takes a DataArray"),
    "where a word, two-pass": (lambda: xf.fama_macbeth(Y, X, where="a"), "where takes"),
    "where an ndarray": (lambda: xf.predict(Y, X, where=np.ones(3)), "where takes"),
    "ridge a word": (lambda: ols(Y, X, ridge="a"), "ridge='a' was given; needed a number"),
    "k a word": (lambda: xf.Huber(k="a"), "k='a' was given; needed a number"),
    "expanding a word": (lambda: xf.rolling_ols(Y, X, expanding="yes"), "needed True or False"),
    "y without a name": (
        lambda: xf.rolling_ols(Y.rename(None), X[:2].rename(None), window=2),
        "x has 2 labels along 'date' and y has 3; needed",
    ),
    "y without a name, across": (
        lambda: ols(Y.rename(None), X[:2].rename(None)),
        "x has 2 labels along .* and y has 3",
    ),
    "codes like hashes": (lambda: ols(Y, X, groups=G + 2**53), "needed codes below 2\\^31"),
    "codes beyond integers": (
        lambda: ols(Y, X, groups=G.astype("u8") + np.uint64(2**63)),
        "needed codes below 2\\^31",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_regressions__refuse_in_one_line(name):
    call, text = CALLS[name]
    with pytest.raises((xf.PanelError, TypeError), match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "i4", "i8", "u8"])
def test_cross_sectional_ols__groups_of_any_integers_are_lagged_as_codes(dtype):
    codes = (G + (0 if dtype.endswith("1") else 300)).astype(dtype)
    got = ols(Y, X, groups=codes)
    np.testing.assert_array_equal(got.n_obs, [0, 40, 40])
    np.testing.assert_allclose(got.factor_return, ols(Y, X, groups=G.astype("i2")).factor_return)


def test_predict__takes_static_exposures_and_a_dated_universe():
    y = xr.DataArray(RNG.normal(size=(30, 12)), dims=DIMS)
    universe = y > -1
    got = xf.predict(y, X[0, :12].drop_vars("date", errors="ignore"), where=universe, min_dates=3)
    assert got.prediction.where(~universe).isnull().all()
    assert got.prediction[-1].where(universe[-1], drop=True).notnull().all()


def test_regressions__keep_float32():
    y, f = Y.astype("f4"), X[:, 0].astype("f4").rename("m")
    for fit in (xf.time_series_ols(y, f), xf.rolling_ols(y, f, window=3), ols(y, X.astype("f4"))):
        assert {v.dtype for v in fit.values() if v.dtype.kind == "f"} == {np.dtype("f4")}
