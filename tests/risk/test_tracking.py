"""Portfolios of given exposures: the lecture's example, Lagrange's equations, laws."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from tests.risk import oracles

TARGET = {"x0": 0.5, "x1": -1.0, "x2": 0.0}


def test_tracking_portfolio__is_that_of_the_lecture():
    x = xr.DataArray(
        [[0.7, 1.1], [0.1, 0.5], [1.5, 1.3]], dims=("asset", "factor"),
        coords={"factor": ["a", "b"]},
    )  # fmt: skip
    got = xf.tracking_portfolio(x, {"a": 1.0, "b": 1.1})
    np.testing.assert_allclose(got.weights, [1 / 3, 1 / 6, 1 / 2], rtol=1e-13)
    assert int(got.n_obs) == 3
    factor = xf.tracking_portfolio(x, {"a": 1.0, "b": 0.0}).weights  # a factor portfolio
    np.testing.assert_allclose(
        [(factor * x.sel(factor="a")).sum(), (factor * x.sel(factor="b")).sum(), factor.sum()],
        [1.0, 0.0, 1.0], atol=1e-13,
    )  # fmt: skip


@pytest.mark.parametrize("budget", [1.0, 0.0, None])
@pytest.mark.parametrize("specific", [True, False])
def test_tracking_portfolio__equals_the_equations_of_lagrange(budget, specific):
    _, _, x, _, s = oracles.problem(1, lost=0.3)
    mask = s.copy(data=np.random.default_rng(2).random(s.shape) < 0.85)
    x, mask[3] = x.where(x.date != x.date[4]), False
    options = {"specific_var": s} if specific else {}
    got = xf.tracking_portfolio(x, TARGET, budget=budget, where=mask, **options)
    variance = np.where(mask, s if specific else 1.0, np.nan)
    cube = x.to_dataarray("factor").transpose("date", "asset", "factor").values
    for t in range(9):
        want = oracles.tracking(cube[t], list(TARGET.values()), variance[t], budget)
        if want is None:
            assert bool(got.weights[t].isnull().all())
            continue
        np.testing.assert_allclose(got.weights[t], want, rtol=1e-8, atol=1e-10)
        reached = (got.weights[t] * x.isel(date=t).fillna(0.0)).sum("asset")
        np.testing.assert_allclose([reached[k] for k in TARGET], list(TARGET.values()), atol=1e-12)
    assert got.weights.notnull().any()
    known, some = np.isfinite(cube).all(axis=2), np.isfinite(cube).any(axis=2)
    inside, valued = mask.values, np.isfinite(s.values) | (not specific)
    np.testing.assert_array_equal(got.n_obs, (known & inside & valued).sum(axis=1))
    lost = [known & ~inside, some & ~known & inside, known & inside & ~valued]
    np.testing.assert_array_equal(got.n_dropped, np.stack(lost, axis=2).sum(axis=1))


def test_tracking_portfolio__of_unit_exposures_is_the_mimicking_portfolio():
    _, _, x, _, _ = oracles.problem(3, lost=0.2, assets=30)
    names = list(x.data_vars)
    want = xf.mimicking_portfolios(x, lag=0)
    targets = xr.DataArray(
        np.eye(3), dims=("portfolio", "factor"), coords={"portfolio": names, "factor": names}
    )
    got = xf.tracking_portfolio(x, targets, budget=0.0).weights
    assert got.dims == ("date", "portfolio", "asset")
    np.testing.assert_allclose(got, want.sel(factor=names), rtol=1e-9, atol=1e-12)


def test_tracking_portfolio__has_exposures_to_groups():
    _, _, x, _, s = oracles.problem(4, lost=0.0, assets=30)
    sector = s.copy(data=np.random.default_rng(5).integers(-1, 3, s.shape))
    target = {"x0": 1.0, "x1": 0.0, "x2": 0.0, "0": 0.5, "1": 0.25, "2": 0.25}
    got = xf.tracking_portfolio(x, target, groups=sector, budget=None).weights
    for code, share in ((0, 0.5), (1, 0.25), (2, 0.25)):
        np.testing.assert_allclose(got.where(sector == code).sum("asset"), share, rtol=1e-11)
    assert float(abs(got.where(sector == -1)).max()) == 0.0
    repeated = xf.tracking_portfolio(x, target, groups=sector, budget=1.0).weights
    assert bool(repeated.isnull().all())  # the groups add up to the budget


@given(seed=st.integers(0, 10**6), data=st.data())
def test_tracking_portfolio__is_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(1, 12))
    _, _, x, f, s = oracles.problem(seed, dates)
    target = f.isel(factor_2=0, drop=True)
    cut = {"date": data.draw(strategies.cuts(dates))}
    want = xf.tracking_portfolio(x, target, specific_var=s)
    got = xf.tracking_portfolio(x.chunk(cut), target.chunk(cut), specific_var=s.chunk(cut))
    assert got.weights.chunks is not None
    assert_same_bits(got.compute(), want)


def test_tracking_portfolio__computes_nothing_early_and_never_looks_ahead(raise_if_computes):
    _, _, x, _, s = oracles.problem(6)
    with raise_if_computes():
        xf.tracking_portfolio(x.chunk(date=4), TARGET, specific_var=s.chunk(date=4))
    xf.testing.check_no_lookahead(
        lambda p: xf.tracking_portfolio(p[list(x)], TARGET, specific_var=p.s), x.assign(s=s)
    )


def test_tracking_portfolio__edges():
    _, _, x, _, _ = oracles.problem(7, lost=0.0)
    few = xf.tracking_portfolio(x.isel(asset=slice(3)), TARGET)
    assert bool(few.weights.isnull().all())
    assert few.n_obs.values.tolist() == [3] * 9
    assert bool(xf.tracking_portfolio(x.assign(x2=x.x0), TARGET).weights.isnull().all())
    assert bool(xf.tracking_portfolio(x.assign(x2=0.0 * x.x0), TARGET).weights.isnull().all())
    assert bool(xf.tracking_portfolio(x * np.nan, TARGET).weights.isnull().all())
    assert xf.tracking_portfolio(x.isel(asset=slice(0)), TARGET).weights.shape == (9, 0)
    near = x.assign(x2=x.x0 + 1e-4 * x.x2)  # ill-conditioned, and exact all the same
    got = (xf.tracking_portfolio(near, TARGET).weights * near).sum("asset")
    for k, v in TARGET.items():
        np.testing.assert_allclose(got[k], v, atol=1e-9)


def test_tracking_portfolio__errors_say_what_to_do():
    _, _, x, _, s = oracles.problem(8)
    with pytest.raises(xf.PanelError, match="an exposure for each factor"):
        xf.tracking_portfolio(x, {"x0": 1.0})
    with pytest.raises(xf.PanelError, match="target\\['x0'\\]"):
        xf.tracking_portfolio(x, TARGET | {"x0": "1"})
    with pytest.raises(xf.PanelError, match="budget"):
        xf.tracking_portfolio(x, TARGET, budget=np.nan)
    with pytest.raises(TypeError, match="where has dtype"):
        xf.tracking_portfolio(x, TARGET, where=s)
    with pytest.raises(TypeError, match="exposures"):
        xf.tracking_portfolio([1.0], TARGET)
    with pytest.raises(xf.PanelError, match="found no variable in exposures; needed one for each"):
        xf.tracking_portfolio(xr.Dataset(), TARGET)
    with pytest.raises(xf.PanelError, match="None as a dimension"):
        xf.tracking_portfolio(x, TARGET, dim=None)
    with pytest.raises(TypeError, match="target"):
        xf.tracking_portfolio(x, [1.0, 2.0])
