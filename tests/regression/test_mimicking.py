"""Portfolios of the factors: they earn the factor returns, and nothing else is in them."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.regression import constrained, oracles
from tests.regression.test_cross_sectional_groups import (
    CONSTRAINTS,
    cube,
    drawn_codes,
    drawn_weights,
)


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_mimicking_portfolios__earn_the_factor_returns(lag, intercept, ridge):
    y, x = oracles.problem(1, dates=8, assets=50)
    sets = {"a": drawn_codes(2, y, (0, 1, 2)), "b": drawn_codes(3, y, (0, 1))}
    base = {"weights": drawn_weights(4, y), "lag": lag, "intercept": intercept, "ridge": ridge}
    for groups in (None, sets["a"], sets):
        options = base | {"groups": groups, "constraint": "unweighted"}
        f = xf.cross_sectional_ols(y, x, **options).factor_return
        p = xf.mimicking_portfolios(x, returns=y, **options)
        assert p.dims == ("date", "factor", "asset")
        earned = (p * y.where(np.isfinite(y), 0.0)).sum("asset", skipna=False)
        np.testing.assert_allclose(earned, f, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_mimicking_portfolios__equal_the_rows_of_the_solution_matrix(constraint):
    y, x = oracles.problem(5, dates=6, assets=40)
    sector, w, cap = drawn_codes(6, y, (0, 1, 2)), drawn_weights(7, y), None
    cap = drawn_weights(8, y) if constraint == "weighted" else None
    got = xf.mimicking_portfolios(
        x, returns=y, groups=sector, weights=w, constraint=constraint, market_cap=cap
    )
    naive = constrained.by_date(
        y.values, cube(x), [(sector.values.astype(float), (0, 1, 2))], 1, w.values,
        None if cap is None else cap.values, constraint=constraint,
    )  # fmt: skip
    np.testing.assert_allclose(got, oracles.stack(naive, "weights"), rtol=1e-9, atol=1e-12)


def test_mimicking_portfolios__have_an_exposure_of_one_to_their_own_factor_only():
    y, x = oracles.problem(9, dates=5, assets=50)
    sector = drawn_codes(10, y, (0, 1), 0.0)
    p = xf.mimicking_portfolios(x, groups=sector, lag=0)
    styles = p.sel(factor=list(x.data_vars))
    exposures = [v.fillna(0.0) for v in x.values()]
    exposures += [xr.ones_like(y), (sector == 0).astype(float), (sector == 1).astype(float)]
    for k, v in enumerate(exposures):
        own = (styles * v).sum("asset").transpose("date", "factor")
        want = np.zeros((5, 3)) + (np.arange(3) == k)
        np.testing.assert_allclose(own, want, atol=1e-12)


def test_mimicking_portfolios__where_and_missing_exposures_are_not_held():
    y, x = oracles.problem(11, dates=5, assets=50, infinite=0.02)
    mask = y.copy(data=np.random.default_rng(1).random(y.shape) < 0.7)
    for given_x in (x, x.to_dataarray("factor").transpose("date", "factor", "asset")):
        p = xf.mimicking_portfolios(given_x, where=mask, lag=0)
        known = np.isfinite(x.to_dataarray()).all("variable") & mask
        np.testing.assert_array_equal((p != 0).all("factor"), known)
    empty = xf.mimicking_portfolios(x, where=xr.zeros_like(mask), lag=0)
    assert bool(empty.isnull().all())


@given(seed=st.integers(0, 10**6), data=st.data())
def test_mimicking_portfolios__are_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 10))
    y, x = oracles.problem(seed, dates, assets=12, factors=2)
    sector = drawn_codes(seed, y, (0, 2))
    lag = data.draw(st.integers(0, 2))
    want = xf.mimicking_portfolios(x, groups=sector, weights=abs(y), lag=lag)
    cut = {"date": data.draw(strategies.cuts(dates))}
    got = xf.mimicking_portfolios(
        x.chunk(cut), groups=sector.chunk(cut), weights=abs(y).chunk(cut), lag=lag
    )
    assert got.chunks is not None
    np.testing.assert_array_equal(got.values, want.values)


def test_mimicking_portfolios__compute_nothing_when_called(raise_if_computes):
    y, x = oracles.problem(12)
    with raise_if_computes():
        lazy = x.chunk(date=7)
        xf.mimicking_portfolios(lazy, weights=abs(y).chunk(date=7))
        xf.mimicking_portfolios(lazy, returns=y.chunk(date=7), lag=0)


def test_mimicking_portfolios__errors_say_what_to_do():
    y, x = oracles.problem(13)
    with pytest.raises(xf.PanelError, match="no regressor"):
        xf.mimicking_portfolios(xr.Dataset())
    with pytest.raises(TypeError, match="list"):
        xf.mimicking_portfolios([x.x0])
    with pytest.raises(xf.PanelError, match="'asset'"):
        xf.mimicking_portfolios(x.rename(asset="stock"))
    with pytest.raises(xf.PanelError, match="different labels"):
        xf.mimicking_portfolios(x, weights=y[:, ::-1])
