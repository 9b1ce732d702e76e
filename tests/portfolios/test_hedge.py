"""Hedges against rolling betas by hand, in-sample residuals, and the prefix law."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.regression.oracles import assert_same_bits, streams
from xfactor.kernels.ridge import ridge_rows

NAN = np.nan


def by_hand(r, f, window, lag):
    """Return less yesterday's betas times today's factor returns, date by date."""
    beta = xf.rolling_ols(r, f, window=window).beta.values
    rows = f.to_dataarray("factor").transpose("date", "factor").values
    out = np.full(r.shape, NAN)
    for t in range(lag, len(rows)):
        out[t] = r.values[t] - beta[t - lag] @ rows[t]
    return out


@pytest.mark.parametrize("lag", [0, 1, 3])
@pytest.mark.parametrize("factors", [1, 3])
def test_hedge__is_the_return_less_lagged_betas_times_factor_returns(lag, factors):
    y, f = streams(1, factors=factors)
    got = xf.hedge(y, f, window=30, lag=lag)
    np.testing.assert_allclose(got.hedged, by_hand(y, f, 30, lag), rtol=1e-12, atol=1e-13)
    assert got.hedged.dims == y.dims
    assert int(got.hedged.notnull().sum()) > 200
    one = xf.hedge(y.isel(asset=1), f, window=30, lag=lag)
    assert one.hedged.dims == ("date",)
    assert one.beta.dims == ("date", "factor")
    np.testing.assert_allclose(one.hedged, got.hedged[:, 1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("lag", [1, 2])
def test_hedge__notional_is_beta_times_the_value_when_the_hedge_is_set(lag):
    y, f = streams(11)
    r = y.isel(asset=1, drop=True)
    got = xf.hedge(r, f, window=30, lag=lag, value=1e6)
    np.testing.assert_array_equal(got.notional, 1e6 * got.beta)
    assert got.notional.dims == ("date", "factor")
    value = (1 + r.fillna(0.0)).cumprod("date").assign_attrs(units="USD")
    dated = xf.hedge(r, f, window=30, lag=lag, value=value)
    past = value.values[:-lag]
    np.testing.assert_allclose(dated.notional[lag:], got.beta[lag:] * past[:, None], rtol=1e-12)
    assert dated.notional.attrs["units"] == "USD"
    many = xf.hedge(y, f, window=30, value=1e6)
    assert many.notional.dims == ("date", "asset", "factor")
    whole = xf.hedge(r, f, window=None, value=2.0)
    np.testing.assert_array_equal(whole.notional, 2 * whole.beta)
    assert "notional" not in xf.hedge(r, f, window=30)


def test_hedge__earns_what_the_notional_of_each_factor_loses():
    """In money: the portfolio's gain less notional times factor return is V times hedged."""
    y, f = streams(12, missing=0.0)
    r = y.isel(asset=0, drop=True)
    got = xf.hedge(r, f, window=30, value=5e5)
    gain = 5e5 * r - (got.notional * f.to_dataarray("factor")).sum("factor", skipna=False)
    np.testing.assert_allclose(got.hedged, gain / 5e5, rtol=1e-10, atol=1e-13)


def test_hedge__reads_the_past_only_but_in_sample():
    y, f = streams(13, 60, 3, 2)
    data = f.assign(y=y)

    def run(window):
        return lambda x: xf.hedge(
            x.y, x[["f0", "f1"]], window=window, value=abs(x.y.isel(asset=0, drop=True)) + 1.0
        )

    xf.testing.check_no_lookahead(run(10), data)
    with pytest.raises(xf.testing.LookaheadError):
        xf.testing.check_no_lookahead(run(None), data)


def ridge_by_hand(r, f, window, least, ridge):
    """Ridge regression of each window on its complete dates, by least squares on added rows."""
    out = np.full((len(r), f.shape[1]), NAN)
    for t in range(len(r)):
        y, x = r[max(t - window + 1, 0) : t + 1], f[max(t - window + 1, 0) : t + 1]
        known = np.isfinite(y) & np.isfinite(x).all(axis=1)
        if known.sum() < least:
            continue
        y, x = y[known] - y[known].mean(), x[known] - x[known].mean(axis=0)
        extra = np.diag(np.sqrt(ridge * (x**2).sum(axis=0)))
        rows = np.concatenate([x, extra]), np.concatenate([y, np.zeros(len(extra))])
        out[t] = np.linalg.lstsq(*rows, rcond=None)[0]
    return out


@pytest.mark.parametrize("factors", [1, 3])
@pytest.mark.parametrize("ridge", [0.01, 0.5])
def test_hedge__ridge_is_least_squares_on_added_rows(ridge, factors, raise_if_computes):
    y, f = streams(14, factors=factors)
    got = xf.hedge(y, f, window=20, ridge=ridge)
    wide = f.to_dataarray("factor").transpose("date", "factor").values
    for j in range(y.sizes["asset"]):
        want = ridge_by_hand(y.values[:, j], wide, 20, max(factors + 2, 10), ridge)
        beta = got.beta.isel(asset=j).transpose("date", "factor")
        np.testing.assert_allclose(beta[1:], want[:-1], rtol=1e-8, atol=1e-11)
        hedged = y.values[1:, j] - (want[:-1] * wide[1:]).sum(axis=1)
        np.testing.assert_allclose(got.hedged.isel(asset=j)[1:], hedged, rtol=1e-8, atol=1e-11)
    assert got.attrs["ridge"] == ridge
    with raise_if_computes():
        lazy = xf.hedge(y.chunk(date=9), f.chunk(date=9), window=20, ridge=ridge)
    np.testing.assert_array_equal(lazy.hedged.compute(), got.hedged)
    xf.testing.check_no_lookahead(
        lambda x: xf.hedge(x.y, x[list(f)], window=20, ridge=ridge), f.assign(y=y), cuts=2
    )


def test_hedge__ridge_shrinks_and_keeps_what_least_squares_cannot_tell_apart():
    y, f = streams(15, missing=0.0, factors=1)
    r = y.isel(asset=0, drop=True)
    plain, shrunk = (xf.hedge(r, f, window=30, ridge=k).beta for k in (0.0, 0.25))
    np.testing.assert_allclose(shrunk, plain / 1.25, rtol=1e-9)
    twice = f.assign(twin=2 * f["f0"])
    assert bool(xf.hedge(r, twice, window=30).beta.isnull().all())
    both = xf.hedge(r, twice, window=30, ridge=0.1)
    np.testing.assert_allclose(both.beta.sel(factor="f0"), 2 * both.beta.sel(factor="twin"))
    assert int(both.hedged.notnull().sum()) > 100


def test_hedge__in_sample_is_residual_and_alpha():
    y, f = streams(2)
    got = xf.hedge(y, f, window=None)
    fit = xf.time_series_ols(y, f, se="ols")
    np.testing.assert_allclose(got.hedged, fit.residual + fit.alpha, rtol=1e-11, atol=1e-12)
    assert got.beta.dims == ("asset", "factor")
    assert got.attrs["in_sample"] == 1


def test_hedge__takes_factors_in_any_form():
    y, f = streams(3)
    want = xf.hedge(y, f, window=30).hedged
    wide = f.to_dataarray("factor")
    for factors in (wide, wide.transpose("date", "factor"), wide.drop_vars("factor")):
        for order in (("date", "asset"), ("asset", "date")):
            got = xf.hedge(y.transpose(*order), factors, window=30).hedged
            assert got.dims == order
            np.testing.assert_allclose(got.transpose("date", "asset"), want, rtol=1e-12)
    alone = xf.hedge(y, f.f1, window=30)
    np.testing.assert_allclose(alone.hedged, xf.hedge(y, f[["f1"]], window=30).hedged, rtol=1e-12)
    assert list(alone.beta.factor.values) == ["f1"]


@given(seed=st.integers(0, 10**6), data=st.data())
def test_hedge__is_the_same_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 40))
    y, f = streams(seed, dates, 3, 2)
    window = data.draw(st.sampled_from([None, 4, 15]))
    want = xf.hedge(y, f, window=window)
    cut = {"date": data.draw(strategies.cuts(dates))}
    got = xf.hedge(y.chunk(cut), f.chunk(cut), window=window)
    assert got.hedged.chunks is not None
    np.testing.assert_allclose(got.compute().hedged, want.hedged, rtol=1e-9, atol=1e-10)


@given(seed=st.integers(0, 10**6), t=st.integers(1, 60))
def test_hedge__does_not_look_ahead(seed, t):
    y, f = streams(seed, 60, 2, 2)
    part = xf.hedge(y[:t], f.isel(date=slice(t)), window=15)
    assert_same_bits(part, xf.hedge(y, f, window=15).isel(date=slice(t)))


def test_hedge__betas_held_are_known_the_day_before():
    y, f = streams(4)
    want = xf.hedge(y, f, window=15).beta
    changed = y.copy(deep=True)
    changed[60:] = 9.0
    np.testing.assert_array_equal(xf.hedge(changed, f, window=15).beta[:61], want[:61])


def test_hedge__of_the_factors_themselves_is_nothing():
    _, f = streams(5, missing=0.0)
    r = 2 * f.f0 - f.f1
    for window in (20, None):
        got = xf.hedge(r, f, window=window).hedged
        np.testing.assert_allclose(got.dropna("date"), 0.0, atol=1e-11)


def test_hedge__keeps_float32_and_is_lazy(raise_if_computes):
    y, f = streams(6, dtype=np.float32)
    assert xf.hedge(y, f, window=20).hedged.dtype == np.float32
    y, f = y.chunk(date=9), f.chunk(date=9)
    with raise_if_computes():
        assert xf.hedge(y, f, window=20).hedged.chunks is not None
        assert xf.hedge(y, f, window=None).hedged.chunks is not None


@pytest.mark.parametrize("window", [20, None])
def test_hedge__takes_whole_numbers(window):
    y, f = streams(7, missing=0.0)
    y = (100 * y).round()
    got = xf.hedge(y.astype(int), f, window=window).hedged
    np.testing.assert_array_equal(got, xf.hedge(y, f, window=window).hedged)


@pytest.mark.parametrize("window", [20, None])
def test_hedge__infinite_values_are_missing(window):
    y, f = streams(8, missing=0.0)
    y[50, 1] = np.inf
    f["f0"][60] = -np.inf
    got = xf.hedge(y, f, window=window).hedged
    want = xf.hedge(y.where(np.isfinite(y)), f.where(np.isfinite(f)), window=window).hedged
    np.testing.assert_array_equal(got, want)


def test_hedge__errors_say_what_to_do():
    y, f = streams(9)
    with pytest.raises(xf.PanelError, match="lag=-1"):
        xf.hedge(y, f, lag=-1)
    with pytest.raises(xf.PanelError, match=r"ridge=-1\.0 was given with window=20"):
        xf.hedge(y, f, window=20, ridge=-1)
    with pytest.raises(xf.PanelError, match=r"ridge=0\.1 was given with window=None"):
        xf.hedge(y, f, window=None, ridge=0.1)
    with pytest.raises(xf.PanelError, match="value='much'"):
        xf.hedge(y, f, window=20, value="much")
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        xf.hedge(y, f, window=20, value=y[:40, 0])
    with pytest.raises(xf.PanelError, match="window=2"):
        xf.hedge(y, f, window=2)
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        xf.hedge(y, f.isel(date=slice(40)), window=9)
    with pytest.raises(TypeError, match="found list"):
        xf.hedge(y, [f.f0], window=9)


def test_hedge__too_little_data_is_missing_not_an_error():
    y, f = streams(10, 3, 2, 1, missing=0.0)
    assert bool(xf.hedge(y, f, window=100).hedged.isnull().all())
    assert xf.hedge(y[:0], f.isel(date=slice(0)), window=100).hedged.shape == (0, 2)
    assert bool(xf.hedge(y[:2], f.isel(date=slice(2)), window=None).hedged.isnull().all())
    assert xr.DataArray(xf.hedge(y[:, :0], f, window=9).hedged).shape == (3, 0)


@pytest.mark.parametrize("window", [20, None])
def test_hedge__keeps_the_chunks_of_returns(window):
    y, f = streams(10)
    dates = y.sizes["date"]
    chunks = {"date": (7, 23, dates - 30)}
    got = xf.hedge(y.chunk(chunks), f.chunk(chunks), window=window)
    assert got.hedged.chunks == y.chunk(chunks).chunks
    assert got.chunks  # raises if those of two variables differ


def test_hedge__ridge_of_many_assets_needs_memory_for_blocks_of_systems_only():
    rng = np.random.default_rng(11)
    cells = 40_000
    half = rng.standard_normal((cells, 3, 5))
    square = half @ half.transpose(0, 2, 1)
    right = rng.standard_normal((cells, 3))
    cov = []
    for i in range(3):
        cov += [square[:, i, j].copy() for j in range(i, 3)] + [right[:, i].copy()]
    tracemalloc.start()
    got = ridge_rows(*cov, count=3, ridge=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    penalty = 0.1 * np.eye(3) * square[:, range(3), range(3)][:, :, None]
    want = np.linalg.solve(square + penalty, right[..., None])[..., 0]
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    assert peak < 2 * sum(c.nbytes for c in cov)
