"""Predictions: a naive twin, the law of no look-ahead, truth recovered, refusals."""

import numpy as np
import pytest
import xarray as xr

import xfactor as xf
from tests.regression import oracles

NAN = np.nan


def naive(y, x, horizon, window, least, **options):
    """Date by date: y (date, asset), x (date, factor, asset) as numpy; slopes, means, sums."""
    growth = np.full(y.shape, NAN)
    for t in range(horizon - 1, len(y)):
        growth[t] = np.prod(1.0 + y[t - horizon + 1 : t + 1], axis=0) - 1.0
    fits = oracles.by_date(growth, x, lag=horizon, **options)
    slopes = oracles.stack(fits, "params")
    out = np.full(y.shape, NAN)
    for t in range(len(y)):
        past = slopes[: t + 1] if window is None else slopes[max(0, t - window + 1) : t + 1]
        known = past[np.isfinite(past).all(axis=1)]
        if len(known) >= least:
            premium = known.mean(axis=0)
            out[t] = premium[0] + premium[1:] @ x[t]
    return out


@pytest.mark.parametrize(("horizon", "window"), [(1, None), (1, 8), (3, None), (5, 10)])
def test_predict__equals_the_naive_loop(horizon, window):
    y, x = oracles.problem(3, dates=45, missing=0.03, infinite=0.01)
    y = 0.02 * y
    cube = x.to_dataarray("factor").transpose("date", "factor", "asset").values
    got = xf.predict(y, x, horizon=horizon, window=window, min_dates=6)
    finite = np.where(np.isfinite(y.values), y.values, NAN)
    cube = np.where(np.isfinite(cube), cube, NAN)
    want = naive(finite, cube, horizon, window, 6)
    assert np.isfinite(want).any()
    np.testing.assert_allclose(got.prediction.values, want, rtol=1e-9, atol=1e-13)
    by_factor = xf.predict(y, x.to_dataarray("factor"), horizon=horizon, window=window, min_dates=6)
    oracles.assert_same_bits(by_factor, got)


@pytest.mark.parametrize("window", [None, 7])
@pytest.mark.parametrize("cut", [1, 4, (3, 0, 20, 17), -1])
def test_predict__is_the_same_bit_for_bit_whatever_the_chunks(window, cut):
    y, x = oracles.problem(5, dates=40)
    options = {"horizon": 3, "window": window, "min_dates": 4}
    want = xf.predict(y, x, **options)
    got = xf.predict(y.chunk(date=cut), x.chunk(date=cut), **options)
    oracles.assert_same_bits(got.compute(), want)


def test_predict__computes_nothing_when_called(raise_if_computes):
    y, x = oracles.problem(5)
    with raise_if_computes():
        got = xf.predict(y.chunk(date=7), x.chunk(date=7), horizon=2)
    assert all(v.chunks is not None for v in got.data_vars.values())


@pytest.mark.parametrize("horizon", [1, 5])
def test_predict__never_reads_the_future(horizon):
    y, x = oracles.problem(7, dates=60)
    panel = x.assign(returns=y)

    def expected(panel):
        return xf.predict(
            panel.returns, panel[["x0", "x1", "x2"]], horizon=horizon, window=12, min_dates=3
        )

    xf.testing.check_no_lookahead(expected, panel)


def test_predict__finds_the_premia_that_are_there():
    """Returns of the next 5 dates are 2 a - b, so the predictions come to rank them rightly."""
    rng = np.random.default_rng(0)
    dims, shape = ("date", "asset"), (80, 60)
    a, b = (xr.DataArray(rng.normal(size=shape), dims=dims) for _ in range(2))
    drift = (0.02 * a - 0.01 * b).shift(date=1)
    y = drift + 0.01 * rng.normal(size=shape)
    got = xf.predict(y, xr.Dataset({"a": a, "b": b}), min_dates=20)
    last = got.premium.isel(date=-1)
    np.testing.assert_allclose(last.values, [0.0, 0.02, -0.01], atol=5e-4)
    ahead = xf.forward_returns(y, 1)
    assert got.prediction.isnull()[:20].all()
    assert xr.corr(got.prediction[20:-1], ahead[20:-1]) > 0.85


def test_predict__gives_nothing_outside_the_universe():
    y, x = oracles.problem(9)
    universe = xr.ones_like(y, dtype=bool)
    universe[:, :5] = False
    got = xf.predict(y, x, min_dates=3, where=universe).prediction
    assert got[:, :5].isnull().all()
    alone = xf.predict(y[:, 5:], x.isel(asset=slice(5, None)), min_dates=3).prediction
    np.testing.assert_allclose(got[:, 5:].values, alone.values, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"horizon": 0}, "horizon=0 was given"),
        ({"window": 0}, "window=0 was given"),
        ({"min_dates": 0}, "min_dates=0 was given"),
    ],
)
def test_predict__refuses_wrong_options(options, text):
    y, x = oracles.problem(1)
    with pytest.raises(xf.PanelError, match=text):
        xf.predict(y, x, **options)


def test_predict__refuses_what_is_no_panel():
    y, x = oracles.problem(1)
    with pytest.raises(TypeError, match="predict takes a DataArray as y"):
        xf.predict(x, x)
    with pytest.raises(xf.PanelError, match="'date'"):
        xf.predict(y.isel(date=0, drop=True), x.isel(date=0, drop=True))
