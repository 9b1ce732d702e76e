"""Wrong input of all kinds, function by function: one line in words, never one of a library."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf

X = xr.DataArray(
    np.random.default_rng(0).normal(size=(30, 6)),
    {"date": pd.date_range("2020", periods=30), "asset": list("abcdef")},
    ("date", "asset"),
)
CODES = (X > 0).astype(np.int16)
NOTHING = xr.Dataset()
MATRIX = np.ones((2, 2))
WORDS = X.astype(str)
BY_FACTOR = xr.Dataset({"m": X.isel(asset=[0, 1]).rename(asset="factor")})

REFUSED = {
    "a matrix as a dim": (lambda: xf.rank(X, dim=MATRIX), "as a dimension; needed its name"),
    "a frame as a dim": (lambda: xf.lag(X, dim=pd.DataFrame()), "as a dimension; needed its name"),
    "a matrix as a word": (lambda: xf.rank(X, method=MATRIX), "method=.* is unknown; choose from"),
    "pct a matrix": (lambda: xf.rolling_rank(X, window=3, pct=MATRIX), "pct=.*True or False"),
    "bias a matrix": (lambda: xf.rolling_skew(X, window=3, bias=MATRIX), "bias=.*True or False"),
    "bias a word": (lambda: xf.ewm_std(X, halflife=3, bias="no"), "bias='no'.*True or False"),
    "halflife a matrix": (lambda: xf.ewm_mean(X, halflife=MATRIX), "halflife=.*needed a number"),
    "halflife and a Dataset": (lambda: xf.ewm_mean(X, halflife=3, span=NOTHING), "Keep one"),
    "window a frame": (lambda: xf.rolling_mean(X, window=pd.DataFrame()), "a whole number of"),
    "gross a matrix": (lambda: xf.quantile_returns(X, X, gross=MATRIX), "gross=.*a number"),
    "no signals": (lambda: xf.coverage(NOTHING), "coverage found no variable in x"),
    "no returns": (lambda: xf.performance(NOTHING), "performance found no variable in returns"),
    "no series": (lambda: xf.newey_west(NOTHING), "newey_west found no variable in x"),
    "no factor returns": (lambda: xf.factor_covariance(NOTHING), "no variable in factor_returns"),
    "factors in variables": (
        lambda: xf.factor_covariance(BY_FACTOR),
        r"dimension 'factor' in the Dataset .*Pass one of them, e.g. dataset\['m'\]",
    ),
    "turnover's lag a matrix": (lambda: xf.turnover(X, lag=MATRIX), "lag=.*a whole number"),
    "long a Dataset": (lambda: xf.portfolio_weights(CODES, long=NOTHING), "long=.*a whole number"),
    "min_names an array": (
        lambda: xf.fama_french_factors(X, X, X, min_names=MATRIX), "min_names=.*a whole number",
    ),
    "factors by style": (
        lambda: xf.hedge(X, X.isel(asset=0, drop=True).expand_dims(style=2), window=9),
        "factors has the dimension 'style' and returns has not",
    ),
    "intercept a word": (lambda: xf.predict(X, X, intercept="no"), "intercept='no'.*True or False"),
    "intercept a list": (
        lambda: xf.rolling_ols(X, X, window=9, intercept=[1]), r"intercept=\[1\].*True or False",
    ),
    "start no date": (lambda: xf.simulate_panel(dates=9, assets=3, start=np.nan), "no sessions"),
    "symbols of no assets": (lambda: xf.symbols(X.isel(asset=0).to_dataset(name="x")), "'asset'"),
    "symbols a matrix": (lambda: xf.get_pricing(X.to_dataset(name="x"), MATRIX), "symbols=.*given"),
    "fields a list of lists": (
        lambda: xf.get_pricing(X.to_dataset(name="x"), "a", fields=[["x"]]), r"fields=\[\['x'\]\]",
    ),
    "fields of three dims": (
        lambda: xf.get_pricing(X.expand_dims(style=2).to_dataset(name="x"), "a", fields="x"),
        "x has the dimensions 'style', 'date', 'asset'; needed values by date and asset",
    ),
    "no dates": (
        lambda: xf.get_pricing(X[:0].to_dataset(name="x"), "a"), "the panel has no dates",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input__is_refused_in_one_line(name):
    call, words = REFUSED[name]
    with pytest.raises(xf.PanelError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


WRONG_TYPES = {
    "returns a list": (
        lambda: xf.mimicking_portfolios(X, returns=[1]),
        "DataArray as returns; found list",
    ),
    "where a list": (
        lambda: xf.mimicking_portfolios(X, returns=X, where=[1]),
        "where takes a DataArray",
    ),
    "signals a list": (lambda: xf.coverage([1]), "takes a DataArray as x; found list"),
    "contributions of words": (
        lambda: xf.link_contributions(
            xr.Dataset({"contribution": WORDS.rename(asset="factor"), "portfolio_return": X[:, 0]})
        ),
        "contribution has dtype <U.*; needed numbers",
    ),
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_wrong_types__are_refused_in_one_line(name):
    call, words = WRONG_TYPES[name]
    with pytest.raises(TypeError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_specific_variance__takes_what_was_selected_of_one_asset():
    """A mask (date,) is one of all assets, whether or not it carries a label of its own."""
    mask = (X > -1).isel(asset=0)
    got = xf.specific_variance(X, window=9, where=mask)
    want = xf.specific_variance(X, window=9, where=mask.drop_vars("asset"))
    xr.testing.assert_identical(got.compute(), want.compute())
