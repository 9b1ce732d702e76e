"""Statistics of the last `window` dates: peers, laws, refusals."""

from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import xfactor as xf
from tests import contracts, strategies
from tests.time_series import cases_rolling

NAN = np.nan
ONE = [
    xf.rolling_mean, xf.rolling_sum, xf.rolling_std, xf.rolling_var, xf.rolling_skew,
    xf.decay_linear, xf.rolling_min, xf.rolling_max, xf.rolling_median, xf.rolling_rank,
]  # fmt: skip
each_of_one = pytest.mark.parametrize("function", ONE, ids=lambda f: f.__name__)
# The trace that an outlier may leave once it has left the window; running sums leave 1e-6.
TRACE = 1e-12


# pandas drifts, so it is allowed more than the oracle; the exact ones are compared bit for bit.
PANDAS = {"mean": 1e-9, "sum": 1e-9, "var": 1e-7, "min": 0, "max": 0, "median": 0, "rank": 0}


@given(
    x=strategies.panels(dtypes=(np.float64,), any_order=False),
    window=st.integers(1, 20),
    name=st.sampled_from(sorted(PANDAS)),
    data=st.data(),
)
def test_rolling__equals_pandas(x, window, name, data):
    least = data.draw(st.integers(1, window))
    known = x.where(np.isfinite(x)) + 0.0
    want = getattr(known.to_pandas().rolling(window, min_periods=least), name)().values
    got = getattr(xf, f"rolling_{name}")(x, window=window, min_obs=least).values
    if PANDAS[name] == 0:
        np.testing.assert_array_equal(got, want)
    else:
        scale = contracts.size_of(x) ** (2 if name == "var" else 1)
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=PANDAS[name] * scale + 1e-300)


def test_rolling_skew_and_quantile__equal_scipy_numpy_and_pandas():
    rng = np.random.default_rng(7)
    x = xr.DataArray(rng.standard_t(4, size=(60, 5)), dims=("date", "asset"))
    x = x.where(rng.random(x.shape) > 0.2)
    for bias in (True, False):
        got = xf.rolling_skew(x, window=20, min_obs=5, bias=bias).values
        want = [
            stats.skew(x.values[t - 19 : t + 1], axis=0, bias=bias, nan_policy="omit")
            for t in range(19, 60)
        ]
        np.testing.assert_allclose(got[19:], np.array(want), rtol=1e-10)
    pandas = x.to_pandas().rolling(20, min_periods=5)
    np.testing.assert_allclose(got, pandas.skew().values, rtol=1e-9)
    for q in (0.0, 0.25, 0.5, 0.9, 1.0):
        got = xf.rolling_quantile(x, q, window=20, min_obs=5).values
        want = [np.nanquantile(x.values[t - 19 : t + 1], q, axis=0) for t in range(19, 60)]
        np.testing.assert_allclose(got[19:], np.array(want), rtol=1e-14)
    median = xf.rolling_median(x, window=20, min_obs=5)
    contracts.assert_same_bits(xf.rolling_quantile(x, 0.5, window=20, min_obs=5), median)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("outlier", [1e9, -1e12])
@each_of_one
def test_rolling__forgets_an_outlier_that_has_left_the_window(function, outlier, dtype):
    rng = np.random.default_rng(0)
    clean = xr.DataArray(rng.normal(size=(80, 3)).astype(dtype), dims=("date", "asset"))
    # The first dates of a block missing: its first windows have but the one part.
    clean[{"date": [*range(14, 18), *range(28, 31)], "asset": 1}] = NAN
    dirty = clean.copy()
    dirty[10] = outlier
    for window in (5, 7, 16):
        after = slice(10 + window, None)
        got = function(dirty, window=window, min_obs=3)[after]
        want = function(clean, window=window, min_obs=3)[after]
        np.testing.assert_allclose(got.values, want.values, rtol=TRACE, atol=TRACE)


@pytest.mark.parametrize("window", [10, 300, 1000])
def test_rolling_order__is_exact_for_long_windows_with_ties(window):
    rng = np.random.default_rng(9)
    x = xr.DataArray(rng.integers(0, 400, (2200, 2)).astype(float), dims=("date", "asset"))
    x = x.where(rng.random(x.shape) > 0.15)
    rolling = x.to_pandas().rolling(window, min_periods=5)
    for name in ("median", "rank", "min", "max"):
        got = getattr(xf, f"rolling_{name}")(x, window=window, min_obs=5)
        np.testing.assert_array_equal(got.values, getattr(rolling, name)().values)


@pytest.mark.parametrize("value", [0.1, -1e8 - 0.3, 1e-300, 1e300])
@pytest.mark.parametrize("window", [2, 3, 10, 64])
def test_rolling_std__of_a_constant_is_exactly_0_and_its_mean_exact(value, window):
    x = xr.DataArray(np.full((100, 2), value), dims=("date", "asset"))
    for each in (x, x.chunk(date=9)):
        assert (xf.rolling_std(each, window=window)[window - 1 :] == 0).all().compute()
        assert (xf.rolling_var(each, window=window)[window - 1 :] == 0).all().compute()
        assert xf.rolling_skew(each, window=window).isnull().all().compute()
        for function in (xf.rolling_mean, xf.decay_linear, xf.rolling_median):
            assert (function(each, window=window)[window - 1 :] == value).all().compute()
        total = xf.rolling_sum(each, window=window)[window - 1 :]
        assert (total == window * value).all().compute()


@pytest.mark.parametrize("level", [1e8, -1e12])
@pytest.mark.parametrize("window", [3, 20])
def test_rolling_std__keeps_its_digits_at_a_high_level(level, window):
    """Against exact fractions of the very numbers: nothing is lost in rounding x."""
    rng = np.random.default_rng(1)
    x = xr.DataArray(level + rng.normal(size=(60, 1)), dims=("date", "asset"))
    column = x.values[:, 0].tolist()
    got = xf.rolling_std(x, window=window).values[:, 0]
    np.testing.assert_allclose(got, cases_rolling.rolling_std(column, window), rtol=1e-11)
    for name in ("rolling_mean", "rolling_sum", "decay_linear"):
        exact = getattr(cases_rolling, name)(column, window)
        got = getattr(xf, name)(x, window=window).values[:, 0]
        np.testing.assert_allclose(got, exact, rtol=4e-16)
    got = xf.rolling_skew(x, window=window).values[:, 0]
    want = cases_rolling.rolling_skew(column, window)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


def test_rolling_std__keeps_its_digits_beside_an_outlier_in_the_window():
    column = [1e9, *np.random.default_rng(2).normal(size=30).tolist()]
    got = xf.rolling_std(xr.DataArray(column, dims="date"), window=8).values
    np.testing.assert_allclose(got, cases_rolling.rolling_std(column, 8), rtol=1e-9)


def test_rolling__has_a_rounding_that_does_not_grow_with_the_history():
    rng = np.random.default_rng(3)
    x = rng.normal(size=20_000) + 100
    got = xf.rolling_mean(xr.DataArray(x, dims="date"), window=250).values
    last = sum(Fraction(v) for v in x[-250:].tolist()) / 250
    assert abs(got[-1] - float(last)) < 1e-13


@pytest.mark.parametrize("n_assets", [255, 256, 257, 600])
def test_rolling__works_in_lanes_of_any_number_of_assets(n_assets):
    """The kernel takes 256 columns at a time; an asset must not notice which lane it is in."""
    rng = np.random.default_rng(4)
    x = xr.DataArray(rng.normal(size=(30, n_assets)), dims=("date", "asset"))
    x = x.where(rng.random(x.shape) > 0.2)
    for function in (xf.rolling_mean, xf.rolling_std, xf.rolling_median):
        got = function(x, window=7, min_obs=3)
        for j in (0, 254, n_assets - 1):
            one = function(x[:, [j]], window=7, min_obs=3)
            contracts.assert_same_bits(got[:, [j]], one)


def test_rolling__needs_min_obs_valid_values_and_more_than_ddof():
    x = xr.DataArray([1.0, NAN, 3.0, NAN, NAN], dims="date")
    got = xf.rolling_mean(x, window=3, min_obs=1).values
    np.testing.assert_array_equal(got, [1, 1, 2, 3, 3])
    got = xf.rolling_std(x, window=3, min_obs=1).values
    np.testing.assert_allclose(got, [NAN, NAN, np.sqrt(2), NAN, NAN])
    got = xf.rolling_std(x, window=3, min_obs=1, ddof=0).values
    np.testing.assert_allclose(got, [0, 0, 1, 0, 0])


@pytest.mark.parametrize("size", [1e-150, 1e150, 1e300])
def test_rolling__of_tiny_and_huge_values_is_right_or_missing(size):
    """Squares may leave the range of floats; a wrong number must not come of it."""
    x = xr.DataArray([1.0, 2.0, 4.0, 8.0], dims="date")
    skew = xf.rolling_skew(x * size, window=3).values
    assert (np.isnan(skew) | np.isclose(skew, xf.rolling_skew(x, window=3).values)).all()
    for function in (xf.rolling_mean, xf.rolling_sum, xf.rolling_std, xf.decay_linear):
        got = function(x * size, window=2).values
        want = function(x, window=2).values * size
        wrong = ~np.isnan(got) & ~np.isclose(got, want, rtol=1e-9, atol=0)
        assert not wrong.any(), (got, want)


def test_rolling__of_float32_beyond_its_range_is_missing():
    x = xr.DataArray(np.float32([3e38, 3e38, 1.0]), dims="date")
    np.testing.assert_array_equal(xf.rolling_sum(x, window=2), np.float32([NAN, NAN, 3e38]))
    assert xf.rolling_var(x, window=3).isnull().all()


def test_decay_linear__does_not_count_a_missing_value_as_0():
    """zipline gives (1 * 10 + 3 * 10) / 6 here."""
    x = xr.DataArray([10.0, NAN, 10.0], dims="date")
    assert xf.decay_linear(x, window=3, min_obs=1).values[-1] == 10.0
    np.testing.assert_allclose(xf.decay_linear(x * [1, 1, 2], window=3, min_obs=1)[-1], 17.5)


@each_of_one
def test_rolling__takes_a_window_far_longer_than_the_history(function):
    x = xr.DataArray([1.0, 3.0, 4.0], dims="date")
    got = np.isfinite(function(x, window=100_000, min_obs=3).values)
    assert got.tolist() == [False, False, True]


@pytest.mark.parametrize("options", [{"min_obs": 0}, {"min_obs": 2.5}, {"ddof": -1}])
def test_rolling_std__refuses_wrong_options(panel, options):
    (name,) = options
    with pytest.raises(xf.PanelError, match=name):
        xf.rolling_std(panel["close"], window=3, **options)


def test_rolling_rank_and_quantile__refuse_wrong_options(panel):
    with pytest.raises(xf.PanelError, match="method='dense' is unknown"):
        xf.rolling_rank(panel["close"], window=3, method="dense")
    half = xf.rolling_quantile(panel["close"], 0.5, window=3)
    contracts.assert_same_bits(xf.rolling_quantile(panel["close"], np.float32(0.5), window=3), half)
    for q in (-0.1, 1.1, NAN, True, "0.5"):
        with pytest.raises(xf.PanelError, match="needed a number from 0 to 1"):
            xf.rolling_quantile(panel["close"], q, window=3)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, 1.5, True, "2", None, NAN])
@pytest.mark.parametrize(
    ("function", "option"),
    [
        (xf.lag, "periods"),
        (xf.returns, "periods"),
        (xf.forward_returns, "periods"),
        (xf.rolling_mean, "window"),
        (xf.rolling_std, "window"),
    ],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_transform__refuses_what_is_no_count(panel, function, option, value):
    with pytest.raises(xf.PanelError, match=f"{option}=.*needed a whole number of at least"):
        function(panel["close"], **{option: value})
