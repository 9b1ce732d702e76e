"""Covariances of factor returns: the formulas, pandas, statsmodels, Ledoit and Wolf."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.sandwich_covariance import S_hac_simple

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from tests.risk import oracles


def series(seed=1, dates=40, factors=3, lost=0.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((factors, factors))
    x = 0.01 * rng.standard_t(4, (dates, factors)) @ root + 0.01
    hole = rng.random(x.shape) < lost
    x[hole] = rng.choice([np.nan, np.inf], x.shape)[hole]
    return xr.DataArray(
        x.astype(dtype), dims=("date", "factor"),
        coords={"date": pd.date_range("2021-01-01", periods=dates, freq="B"),
                "factor": [f"f{k}" for k in range(factors)]},
    )  # fmt: skip


OPTIONS = [
    {}, {"window": 12}, {"halflife": 5}, {"window": 9, "halflife": 4, "bias": True},
    {"window": 15, "lags": 3}, {"lags": 2, "halflife": 6, "demean": False}, {"lags": 60},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("lost", [0.0, 0.15])
def test_factor_covariance__equals_the_double_sum(options, lost):
    f = series(2, dates=26, lost=lost)
    f[:8, 1] = np.nan  # one factor begins later
    got = xf.factor_covariance(f, min_obs=4, **options)
    want, counts = oracles.factor_covariance(f, least=4, **options)
    np.testing.assert_allclose(got.covariance, want, rtol=1e-9, atol=1e-17)
    np.testing.assert_array_equal(got.n_obs, counts)
    assert np.isfinite(want).any()


def test_factor_covariance__agrees_with_pandas():
    f = series(3)
    frame = pd.DataFrame(f.values)
    for mine, theirs in (
        ({"window": 15}, frame.rolling(15).cov()),
        ({}, frame.expanding().cov()),
        ({"halflife": 7}, frame.ewm(halflife=7).cov()),
        ({"halflife": 7, "bias": True}, frame.ewm(halflife=7).cov(bias=True)),
    ):
        got = xf.factor_covariance(f, min_obs=15, **mine).covariance[14:]
        np.testing.assert_allclose(got, theirs.values.reshape(40, 3, 3)[14:], rtol=1e-9)


def test_factor_covariance__with_lags_agrees_with_statsmodels():
    f = series(4)
    got = xf.factor_covariance(f, window=40, lags=4, bias=True).covariance[-1]
    demeaned = f.values - f.values.mean(axis=0)
    np.testing.assert_allclose(got, S_hac_simple(demeaned, nlags=4) / 40, rtol=1e-10)


@pytest.mark.parametrize("target", ["scaled_identity", "constant_correlation"])
@pytest.mark.parametrize("dates", [8, 30])
def test_factor_covariance__shrinks_by_the_formulas_of_ledoit_and_wolf(target, dates):
    f = series(5, dates=dates, factors=5)
    got = xf.factor_covariance(f, window=dates, min_obs=6, shrink=target, bias=True).isel(date=-1)
    want, share = oracles.ledoit_wolf(f.values, target)
    assert 0 < share < 1
    np.testing.assert_allclose(got.shrinkage, share, rtol=1e-9)
    np.testing.assert_allclose(got.covariance, want, rtol=1e-9)
    plain = xf.factor_covariance(f, window=dates, min_obs=6, shrink=target).isel(date=-1)
    np.testing.assert_allclose(plain.covariance, want * dates / (dates - 1), rtol=1e-9)


def test_factor_covariance__shrinks_equal_weights_and_very_slow_ones_alike():
    f = series(6, dates=60, factors=4)
    for target in ("scaled_identity", "constant_correlation"):
        even = xf.factor_covariance(f, shrink=target)
        slow = xf.factor_covariance(f, shrink=target, halflife=1e9)
        xr.testing.assert_allclose(even.covariance, slow.covariance, rtol=1e-6)
        xr.testing.assert_allclose(even.shrinkage, slow.shrinkage, rtol=1e-6)


def test_factor_covariance__takes_variances_and_correlations_from_their_own_weights():
    f = series(7)
    got = xf.factor_covariance(
        f, halflife=5, lags=2, correlation_halflife=20, correlation_lags=0
    ).covariance
    quick = xf.factor_covariance(f, halflife=5, lags=2).covariance.values
    slow = xf.factor_covariance(f, halflife=20).covariance.values
    root = np.sqrt(np.einsum("tii->ti", quick) / np.einsum("tii->ti", slow))
    np.testing.assert_allclose(got, slow * root[:, :, None] * root[:, None, :], rtol=1e-9)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_factor_covariance__is_positive_and_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 30))
    f = series(seed, dates, data.draw(st.integers(1, 6)), data.draw(st.sampled_from([0.0, 0.2])),
               data.draw(st.sampled_from([np.float64, np.float32])))  # fmt: skip
    options = data.draw(st.sampled_from([
        *OPTIONS, {"shrink": "scaled_identity"}, {"shrink": "constant_correlation", "window": 8},
        {"correlation_halflife": 30, "halflife": 3, "lags": 1},
    ]))  # fmt: skip
    want = xf.factor_covariance(f, min_obs=3, **options)
    lazy = f.chunk(date=data.draw(strategies.cuts(dates)))
    got = xf.factor_covariance(lazy, min_obs=3, **options)
    assert got.covariance.chunks is not None
    assert got.covariance.dtype == f.dtype
    assert_same_bits(got.compute(), want)
    for matrix in want.covariance.values.astype(float):
        known = np.isfinite(np.diag(matrix))
        part = matrix[np.ix_(known, known)]
        np.testing.assert_array_equal(part, part.T)
        if known.any():
            least = np.linalg.eigvalsh(part)[0]
            assert least >= -(1e-6 if f.dtype == np.float32 else 1e-13) * np.trace(part)


def test_factor_covariance__scales_with_the_returns_and_keeps_its_digits_at_any_level():
    f = series(8)
    for options in OPTIONS:
        base = xf.factor_covariance(f, **options).covariance
        xr.testing.assert_allclose(
            xf.factor_covariance(4.0 * f, **options).covariance, 16.0 * base, rtol=1e-12
        )
        if options.get("demean", True):
            far = xf.factor_covariance(f + 1e4, **options).covariance
            xr.testing.assert_allclose(far, base, rtol=1e-7)


def test_factor_covariance__edges():
    f = series(9, dates=10)
    constant = f.copy(data=f.values * [1.0, 0.0, 1.0])
    for shrink in (None, "constant_correlation", "scaled_identity"):
        got = xf.factor_covariance(constant, shrink=shrink).covariance[-1]
        assert np.isfinite(got).all()
        if shrink != "scaled_identity":
            assert float(abs(got.sel(factor="f1")).max()) == 0.0
    one = xf.factor_covariance(f[:, :1], shrink="constant_correlation")
    np.testing.assert_allclose(one.covariance[-1, 0, 0], f[:, 0].var(ddof=1), rtol=1e-12)
    empty = xf.factor_covariance(f * np.nan)
    assert bool(empty.covariance.isnull().all())
    assert int(empty.n_obs.max()) == 0
    assert xf.factor_covariance(f[:0], window=5).covariance.shape == (0, 3, 3)
    alone = xf.factor_covariance(f, halflife=1e-3, min_obs=2).covariance  # one date has all weight
    assert bool(alone.isnull().all())
    several = xr.concat([f, -2.0 * f], "model")
    both = xf.factor_covariance(several, window=5).covariance
    np.testing.assert_array_equal(
        both.isel(model=0).transpose("date", "factor", "factor_2"),
        xf.factor_covariance(f, window=5).covariance,
    )


def test_factor_covariance__computes_nothing_early_and_never_looks_ahead(raise_if_computes):
    f = series(10, lost=0.05)
    with raise_if_computes():
        xf.factor_covariance(f.chunk(date=7))
        xf.factor_covariance(f.to_dataset("factor").chunk(date=7), window=5)
    for options in (*OPTIONS, {"shrink": "constant_correlation"}):
        xf.testing.check_no_lookahead(
            lambda x, o=options: xf.factor_covariance(x, min_obs=4, **o), f
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shrink": "identity"}, "shrink='identity' is unknown"),
        ({"shrink": "scaled_identity", "lags": 1}, "one of the two"),
        ({"shrink": "scaled_identity", "correlation_halflife": 9}, "one of the two"),
        ({"halflife": 0}, "halflife=0"), ({"lags": -1}, "lags=-1"), ({"window": 0}, "window=0"),
        ({"window": 5, "min_obs": 6}, "min_obs=6"), ({"correlation_halflife": -1}, "correlation"),
        ({"demean": 2}, "demean=2"),
    ],
)  # fmt: skip
def test_factor_covariance__refuses_bad_options(options, message):
    with pytest.raises(xf.PanelError, match=message):
        xf.factor_covariance(series(), **options)


def test_factor_covariance__refuses_bad_arrays():
    f = series()
    with pytest.raises(xf.PanelError, match="'factor'"):
        xf.factor_covariance(f[:, 0])
    with pytest.raises(xf.PanelError, match="not sorted"):
        xf.factor_covariance(f[::-1])
    with pytest.raises(TypeError, match="factor_returns"):
        xf.factor_covariance([f])
