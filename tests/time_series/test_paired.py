"""Covariance, correlation and slope over the last `window` dates: peers, laws, refusals."""

import numpy as np
import pytest
import xarray as xr

import xfactor as xf
from tests import contracts
from tests.time_series import cases_rolling

NAN = np.nan
PAIRS = [xf.rolling_cov, xf.rolling_corr, xf.rolling_beta]
each_pair = pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)


def drawn(seed=0, n_dates=80, n_assets=3, level=0.0):
    rng = np.random.default_rng(seed)
    x = xr.DataArray(level + rng.normal(size=(n_dates, n_assets)), dims=("date", "asset"))
    return x.where(rng.random(x.shape) > 0.1)


def test_rolling_pairs__equal_pandas():
    x, y = drawn(1), drawn(2)
    # pandas counts the valid values of each variable, we those of both: give it only these.
    both = (x * y).notnull()
    rolling = x.where(both).to_pandas().rolling(20, min_periods=5)
    for name in ("cov", "corr"):
        want = getattr(rolling, name)(y.where(both).to_pandas(), pairwise=False).values
        got = getattr(xf, f"rolling_{name}")(x, y, window=20, min_obs=5).values
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@each_pair
def test_rolling_pairs__take_a_series_for_all_assets(function):
    """The same bits as the series repeated, for more assets than the kernel takes at a time."""
    x, market = drawn(3, n_assets=600), drawn(4, n_assets=1).isel(asset=0)
    whole = market.expand_dims(asset=600).transpose("date", "asset")
    got = function(x, market, window=9, min_obs=4)
    contracts.assert_same_bits(got, function(x, whole, window=9, min_obs=4))
    for each in (x.chunk(date=7, asset=257), x.chunk(date=13)):
        for other in (market, market.chunk(date=each.chunksizes["date"])):
            lazy = function(each, other, window=9, min_obs=4)
            contracts.assert_same_bits(lazy.compute(), got)


@pytest.mark.parametrize("factor", [1e-6, 3.7, -2e5])
def test_rolling_corr__of_proportional_series_is_1(factor):
    x = drawn(5)
    options = {"window": 12, "min_obs": 3}
    got = xf.rolling_corr(x, factor * x, **options).values[12:]
    np.testing.assert_allclose(got, np.sign(factor), rtol=0, atol=1e-12)
    assert (np.abs(got) <= 1).all()
    got = xf.rolling_beta(factor * x, x, **options).values[12:]
    np.testing.assert_allclose(got, factor, rtol=1e-12)


@each_pair
def test_rolling_pairs__keep_their_digits_at_a_high_level(function):
    x, y = drawn(6, level=1e8), drawn(7, level=-1e6)
    got = function(x, y, window=15, min_obs=4).values[:, 0]
    columns = x.values[:, 0].tolist(), y.values[:, 0].tolist()
    want = getattr(cases_rolling, function.__name__)(*columns, window=15, min_obs=4)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


@each_pair
@pytest.mark.parametrize("which", [0, 1])
def test_rolling_pairs__forget_an_outlier_that_has_left_the_window(function, which):
    clean = (drawn(8), drawn(9))
    dirty = (clean[0].copy(), clean[1].copy())
    dirty[which][10] = -1e12
    for window in (5, 16):
        after = slice(10 + window, None)
        got = function(*dirty, window=window, min_obs=3)[after]
        want = function(*clean, window=window, min_obs=3)[after]
        np.testing.assert_allclose(got.values, want.values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("value", [0.1, -1e8 - 0.3, 1e300])
def test_rolling_pairs__without_variance_are_missing_or_0(value):
    x = drawn(10).fillna(0.5)
    constant = xr.full_like(x, value)
    assert (xf.rolling_cov(x, constant, window=5)[4:] == 0).all()
    assert xf.rolling_corr(x, constant, window=5).isnull().all()
    assert xf.rolling_corr(constant, x, window=5).isnull().all()
    assert xf.rolling_beta(x, constant, window=5).isnull().all()
    assert (xf.rolling_beta(constant, x, window=5)[4:] == 0).all()


def test_rolling_beta__needs_min_obs_dates_on_which_both_are_valid():
    x = xr.DataArray([1.0, NAN, 3.0, 5.0], dims="date")
    y = xr.DataArray([1.0, 2.0, NAN, 3.0], dims="date")
    got = xf.rolling_beta(x, y, window=4, min_obs=2).values
    np.testing.assert_allclose(got, [NAN, NAN, NAN, 2.0])
    assert np.isnan(xf.rolling_beta(x, y, window=4, min_obs=3).values).all()


def test_rolling_beta__takes_no_labels_from_y(panel):
    market = panel["close"].isel(asset=0).assign_coords(kind="index")
    got = xf.rolling_beta(panel["close"], market, window=4)
    assert set(got.coords) == set(panel["close"].coords)
    fields = xf.rolling_beta(panel[["close", "weight"]], market, window=4)
    contracts.assert_same_bits(fields["close"], got)


@each_pair
def test_rolling_pairs__refuse_what_does_not_fit(function, panel):
    x = panel["close"]
    with pytest.raises(TypeError, match="takes a DataArray as y; found Dataset"):
        function(x, panel[["close"]], window=3)
    with pytest.raises(xf.PanelError, match="y has the dimension 'asset' and x has not"):
        function(x.isel(asset=0, drop=True), x, window=3)
    with pytest.raises(xf.PanelError, match="needed 'date'"):
        function(x, x.isel(date=0), window=3)
    with pytest.raises(xf.PanelError, match=r"labels along 'date' and x has .*y.reindex_like\(x\)"):
        function(x, x[:-1], window=3)
    with pytest.raises(xf.PanelError, match=r"cut differently along 'date'.*Use y.chunk\(date=x\."):
        function(x.chunk(date=4), x.chunk(date=3), window=3)
    with pytest.raises(xf.PanelError, match="window=0"):
        function(x, x, window=0)
