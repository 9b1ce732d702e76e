"""Information coefficients against scipy, date by date; their laws and accounts."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.evaluation import drawn, oracles
from xfactor.testing import check_no_lookahead

NAN = np.nan
# A correlation of a dozen float64 pairs, of which the sums of squares lose a few roundings.
TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
SINGLE = {"rtol": 1e-5, "atol": 3e-7}


def compare(got, want, single):
    np.testing.assert_allclose(got, want, **(SINGLE if single else TOLERANCE))


def naive(x, y, by=None, weights=None, **options):
    """Correlations (date, group) and the pairs in each."""
    w = [None] * x.sizes["date"] if weights is None else drawn.rows(weights)
    found = [
        [oracles.ic(a, b, c, g, d, **options) for g in (drawn.CODES if by is not None else (0,))]
        for a, b, c, d in zip(drawn.rows(x), drawn.rows(y), drawn.code_rows(by, x), w, strict=True)
    ]
    table = np.array(found)
    return table[..., 0], table[..., 1]


@given(data=st.data(), x=strategies.panels())
def test_ic__equals_scipy_on_each_date_and_group(data, x):
    y = data.draw(drawn.after(x))
    by = data.draw(st.none() | drawn.groups(x))
    where = data.draw(drawn.masks(x))
    least = data.draw(st.sampled_from([2, 3, 6]))
    got = xf.information_coefficient(x, y, by=by, where=where, min_obs=least)
    ic, n = naive(drawn.within(x, where), y, by, min_obs=least)
    shape = ic.shape if by is not None else ic.shape[:1]
    compare(got.ic.values, ic.reshape(shape), x.dtype == np.float32)
    np.testing.assert_array_equal(got.n_obs.values, n.reshape(shape))
    assert got.ic.dtype == x.dtype
    if by is not None:
        assert list(got.group.values) == ["a", "b", "c"]


@given(data=st.data(), x=strategies.panels(dtypes=(np.float64,)))
def test_ic__of_values_and_of_weighted_pairs_equals_the_naive_sums(data, x):
    y = data.draw(drawn.after(x))
    by = data.draw(st.none() | drawn.groups(x))
    method = data.draw(st.sampled_from(["pearson", "spearman"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights = x.copy(data=rng.choice([1.0, 2.5, 0.3, 0.0, -1.0, NAN, np.inf], x.shape))
    weights = data.draw(st.sampled_from([weights, weights.drop_vars("symbol")]))
    if method == "pearson" and data.draw(st.booleans()):
        weights = None
    got = xf.information_coefficient(x, y, by=by, weights=weights, method=method)
    ic, n = naive(x, y, by, weights, method=method)
    shape = ic.shape if by is not None else ic.shape[:1]
    compare(got.ic.values, ic.reshape(shape), False)
    np.testing.assert_array_equal(got.n_obs.values, n.reshape(shape))
    assert ("no_weight" in got.reason) == (weights is not None)


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_ic__equals_pandas_on_a_panel_with_ties():
    x = strategies.fixed_panel()
    y = x.copy(data=np.roll(x.values, 3, axis=1))
    got = xf.information_coefficient(x, y)
    a, b = (pd.DataFrame(drawn.rows(v)).replace([np.inf, -np.inf], NAN) for v in (x, y))
    for t in range(len(a)):
        want = a.loc[t].corr(b.loc[t], method="spearman", min_periods=2)
        np.testing.assert_allclose(got.ic.values[t], want, **TOLERANCE)


def test_ic__equal_weights_change_nothing():
    x = strategies.fixed_panel()
    y = x.copy(data=np.roll(x.values, 2, axis=1))
    plain = xf.information_coefficient(x, y)
    weighted = xf.information_coefficient(x, y, weights=xr.full_like(x, 3.0))
    np.testing.assert_allclose(weighted.ic, plain.ic, **TOLERANCE)
    np.testing.assert_array_equal(weighted.n_obs, plain.n_obs)


# --- the tables of alphalens, worked by hand ----------------------------------------------------

FACTOR = [[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]]
AGAINST = [[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]


def table(values):
    dates = pd.date_range("2015-01-01", periods=len(values))
    return xr.DataArray(values, dims=("date", "asset"), coords={"date": dates, "asset": [*"ABCD"]})


def test_ic__of_opposite_and_equal_orders():
    x, sector = table(FACTOR), xr.DataArray([1, 1, 2, 2], dims="asset")
    assert xf.information_coefficient(x, table(AGAINST)).ic.values.tolist() == [-1.0, -1.0]
    by_group = xf.information_coefficient(x, x, by=sector)
    assert by_group.ic.values.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert by_group["mean"].values.tolist() == [1.0, 1.0]


# --- horizons and errors ------------------------------------------------------------------------


def test_ic__horizons_are_each_by_itself_with_lags_enough():
    panel, _ = xf.simulate_panel(dates=80, assets=30, seed=2)
    x = panel.market_cap
    after = {h: xf.forward_returns(panel.returns, h) for h in (1, 5, 21)}
    got = xf.information_coefficient(x, after)
    assert got.attrs["lags"] == [3, 4, 20]
    stacked = xr.concat(after.values(), pd.Index(after, name="horizon"))
    contracts.assert_same_bits(xf.information_coefficient(x, stacked), got)
    for h, lags in zip(after, got.attrs["lags"], strict=True):
        one = got.sel(horizon=h, drop=True)
        alone = xf.information_coefficient(x, after[h].assign_coords(horizon=h))
        assert alone.attrs["lags"] == lags
        np.testing.assert_array_equal(one.ic, alone.ic)
        want = xf.newey_west(alone.ic, lags=lags)
        for name in ("mean", "stderr", "tvalue"):
            np.testing.assert_allclose(one[name], want[name], rtol=1e-10)
        np.testing.assert_allclose(one["std"], alone.ic.std("date", ddof=1), rtol=1e-10)
        np.testing.assert_allclose(one["ir"], one["mean"] / one["std"], rtol=1e-12)
        assert int(one.n_dates) == int(alone.ic.notnull().sum())


def test_mean__of_one_date_a_constant_and_nothing():
    x = table(FACTOR[:1])
    one = xf.information_coefficient(x, x)
    assert float(one["mean"]) == 1.0
    assert np.isnan(one[["std", "ir", "stderr", "tvalue"]].to_dataarray().values).all()
    constant = xf.information_coefficient(table(FACTOR * 3), table(FACTOR * 3))
    assert (float(constant["mean"]), float(constant["std"])) == (1.0, 0.0)
    assert np.isnan(constant["ir"])
    assert np.isnan(constant["tvalue"])
    none = xf.information_coefficient(x * NAN, x)
    assert np.isnan(none["mean"])
    assert int(none.n_dates) == 0


# --- accounts -----------------------------------------------------------------------------------


@given(data=st.data(), x=strategies.panels())
def test_accounts__sum_to_the_assets_of_each_date_and_group(data, x):
    y = data.draw(drawn.after(x))
    by = data.draw(st.none() | drawn.groups(x))
    masks = {k: data.draw(drawn.masks(x)) for k in ("where", "listed", "stale")}
    got = xf.information_coefficient(x, y, by=by, min_obs=4, **masks)
    total = got.n_obs + got.n_dropped.sum("reason")
    if by is None:
        assert bool((total == x.sizes["asset"]).all())
    else:
        codes = drawn.code_rows(by, x)
        want = np.stack([(np.array(codes) == g).sum(axis=1) for g in drawn.CODES], axis=1)
        np.testing.assert_array_equal(total.transpose("date", "group"), want)
    assert bool((got.n_dropped >= 0).all())
    reasons = {"not_listed": "listed", "masked": "where", "stale": "stale"}
    for reason, option in reasons.items():
        assert (reason in got.reason) == (masks[option] is not None)


def test_accounts__say_what_was_lost_and_why():
    x = xr.DataArray([[1.0, 2.0, 3.0, NAN, 5.0, 6.0, 7.0]], dims=("date", "asset"))
    y = xr.DataArray([[NAN, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]], dims=("date", "asset"))
    listed = xr.DataArray([True] * 6 + [False], dims="asset")
    where = xr.DataArray([True] * 5 + [False] * 2, dims="asset")
    stale = xr.DataArray([[False] * 4 + [True] * 3], dims=("date", "asset"))
    got = xf.information_coefficient(x, y, where=where, listed=listed, stale=stale)
    lost = dict(zip(got.reason.values.tolist(), got.n_dropped.values[0].tolist(), strict=True))
    assert lost == {
        "not_listed": 1, "masked": 1, "missing": 1, "stale": 1, "no_return": 1, "thin": 0,
    }  # fmt: skip
    thin = xf.information_coefficient(x, y, where=where, stale=stale, min_obs=3)
    assert int(thin.n_dropped.sel(reason="thin")[0]) == 2
    assert np.isnan(thin.ic.values).all()
    assert int(thin.n_obs[0]) == 0


# --- laws ---------------------------------------------------------------------------------------


@given(data=st.data(), x=strategies.panels(dtypes=(np.float64,), any_order=False))
def test_ic__does_not_change_with_units_or_storage_and_turns_with_the_sign(data, x):
    y = data.draw(drawn.after(x))
    got = xf.information_coefficient(x, y).ic
    np.testing.assert_array_equal(xf.information_coefficient(8.0 * x, 0.5 * y).ic, got)
    np.testing.assert_array_equal(xf.information_coefficient(-x, y).ic, -got)
    np.testing.assert_array_equal(xf.information_coefficient(y, x).ic, got)
    order = np.random.default_rng(0).permutation(x.sizes["asset"])
    moved = xf.information_coefficient(x.isel(asset=order), y.isel(asset=order)).ic
    np.testing.assert_array_equal(moved, got)
    assert not bool((abs(got) > 1).any())


@given(data=st.data(), x=strategies.panels())
def test_ic__is_the_same_bit_for_bit_whatever_the_chunks(data, x):
    y = data.draw(drawn.after(x))
    method = data.draw(st.sampled_from(["spearman", "pearson"]))
    options = {k: data.draw(drawn.masks(x)) for k in ("where", "stale")}
    by = data.draw(st.none() | drawn.groups(x))
    want = xf.information_coefficient(x, {1: y, 3: 2 * y}, method=method, by=by, **options)
    lazy = data.draw(strategies.chunked(x))
    cut = y.chunk(lazy.chunksizes) if data.draw(st.booleans()) else y
    if by is not None and data.draw(st.booleans()):
        by = by.chunk({d: lazy.chunksizes[d] for d in by.dims})
    got = xf.information_coefficient(lazy, {1: cut, 3: 2 * cut}, method=method, by=by, **options)
    assert got.ic.chunks is not None
    contracts.assert_same_bits(got.compute(), want)


def test_ic__of_extremes():
    tiny = table([[1e-300, 2e-300, 3e-300, 5e-300], [1e300, -1e300, 5e299, 2e300]])
    for method in ("spearman", "pearson"):
        got = xf.information_coefficient(tiny, tiny, method=method).ic.values
        np.testing.assert_allclose(got, 1.0, rtol=1e-12)
    zeros = table([[0.0, -0.0, 0.0, 1.0]])
    other = table([[1.0, 2.0, 3.0, 4.0]])
    want = oracles.ic([0.0, 0.0, 0.0, 1.0], [1.0, 2.0, 3.0, 4.0])[0]
    np.testing.assert_allclose(xf.information_coefficient(zeros, other).ic, [want])
    level = table([[0.1, 0.1, 0.1, 0.1]])
    for method in ("spearman", "pearson"):
        assert np.isnan(xf.information_coefficient(level, other, method=method).ic.values).all()


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (1, 1)])
def test_ic__of_no_dates_no_assets_or_one(shape):
    x = xr.DataArray(np.zeros(shape), dims=("date", "asset"))
    for each in (x, x.chunk(date=-1)):
        got = xf.information_coefficient(each, each).compute()
        assert got.ic.shape == shape[:1]
        assert bool(got.ic.isnull().all())
        assert int(got.n_dates) == 0


def test_ic__is_lazy(panel, raise_if_computes):
    x, y = panel["close"].chunk(date=5), panel["close"].chunk(date=5) ** 2
    by = panel["sector"].chunk(date=5)
    with raise_if_computes():
        got = xf.information_coefficient(
            x, {1: y, 2: y}, by=by, where=panel["listed"].chunk(date=5)
        )
    assert all(v.chunks is not None for v in got.data_vars.values())


def test_ic__takes_the_future_as_data_and_does_not_look_further():
    rng = np.random.default_rng(0)
    shape, dims = (40, 8), ("date", "asset")
    dates = pd.date_range("2020-01-01", periods=40)
    noise = {k: (dims, rng.normal(size=shape)) for k in ("signal", "after")}
    data = xr.Dataset(noise, coords={"date": dates})

    def dated(p):
        got = xf.information_coefficient(p.signal, p.after)
        return got[["ic", "n_obs", "n_dropped"]]

    check_no_lookahead(dated, data)


def test_ic__errors_say_what_to_do(panel):
    x = panel["close"]
    cases = [
        ({"forward": x.isel(asset=slice(3))}, "forward has 3 labels"),
        ({"forward": {}}, "no forward returns"),
        ({"forward": {0: x}}, "horizon=0"),
        ({"forward": x.isel(asset=0)}, "'asset'"),
        ({"min_obs": 1}, "min_obs=1"),
        ({"method": "kendall"}, "method='kendall'"),
        ({"x": x.rename(asset="name")}, "'asset'"),
        ({"x": x.expand_dims("reason")}, "'reason'"),
        ({"weights": x.isel(asset=0, drop=True)}, "no dimension 'asset'"),
        ({"lags": -1}, "lags=-1"),
        ({"by": xr.full_like(panel["sector"], -1).rename(None).drop_attrs()}, "by has no group"),
        ({"by": panel["sector"].drop_attrs().chunk(date=5), "x": x.chunk(date=5),
          "forward": x.chunk(date=5)}, "flag_values"),
        ({"x": x.chunk(asset=3), "forward": x.chunk(asset=3)}, "one chunk along 'asset'"),
    ]  # fmt: skip
    for options, text in cases:
        with pytest.raises(xf.PanelError, match=text) as found:
            xf.information_coefficient(**{"x": x, "forward": x, **options})
        assert "\n" not in str(found.value)
    with pytest.raises(TypeError, match="where has dtype"):
        xf.information_coefficient(x, x, where=x)


def test_ic__groups_of_any_codes_and_those_that_are_not_listed():
    x = table([[1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 2.0, 3.0]])
    y = table([[1.0, 3.0, 2.0, 4.0], [1.0, 2.0, 4.0, 3.0]])
    want = xf.information_coefficient(x.isel(asset=slice(3)), y.isel(asset=slice(3))).ic
    for low, high in ((0, 7), (7, 900_000), (900_000, 7), (0, 2**31 - 2)):
        codes = xr.DataArray([low, low, low, high], dims="asset")
        got = xf.information_coefficient(x, y, by=codes).ic
        np.testing.assert_array_equal(got.sel(group=str(low)), want)
        assert bool(got.sel(group=str(high)).isnull().all())
        listed = codes.assign_attrs(flag_values=[low], flag_meanings="only")
        alone = xf.information_coefficient(x, y, by=listed)
        np.testing.assert_array_equal(alone.ic.sel(group="only"), want)
        assert alone.sizes["group"] == 1


def test_ic__refuses_dates_out_of_order(panel):
    x = panel["close"].isel(date=slice(None, None, -1))
    for method in ("spearman", "pearson"):
        with pytest.raises(xf.PanelError, match="not sorted"):
            xf.information_coefficient(x, x, method=method)
