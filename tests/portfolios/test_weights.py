"""Long-short weights and portfolio returns against naive loops, their contracts and laws."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.portfolios import oracles

NAN = np.nan
# Shares of a leg, or a sum of a dozen returns of bounded size.
RTOL = 1e-12

choices = st.one_of(
    st.builds(lambda n: {"n": n}, st.integers(1, 9)),
    st.builds(lambda f: {"fraction": f}, st.sampled_from([0.01, 0.1, 0.2, 0.3, 0.5])),
)


def naive(x, sizes=None, **options):
    """The oracle on each date of x (date, asset)."""
    labels = list(x.asset.values)
    values = x.transpose("date", "asset").values.astype(float)
    other = [None] * len(values) if sizes is None else sizes.transpose("date", "asset").values
    out = [oracles.weights(row, labels, sizes=s, **options) for row, s in zip(values, other,
           strict=True)]  # fmt: skip
    return np.array(out)


# --- long_short ---------------------------------------------------------------------------------


@given(x=strategies.panels(), options=choices, data=st.data())
def test_long_short__equals_the_naive_loop(x, options, data):
    sizes = None
    if data.draw(st.booleans()):
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        sizes = x.copy(data=rng.choice([1.0, 2.5, 1e6, 0.0, -1.0, NAN, np.inf], x.shape))
    got = xf.long_short(x, sizes=sizes, **options)
    want = naive(x, sizes, **options)
    single = x.dtype == np.float32
    np.testing.assert_allclose(
        got.transpose("date", "asset").values, want, rtol=2e-7 if single else RTOL
    )


@given(x=strategies.panels(), options=choices, data=st.data())
def test_long_short__is_the_same_bit_for_bit_whatever_the_chunks(x, options, data):
    sizes = data.draw(st.sampled_from([None, abs(x)]))
    mask = data.draw(st.none() | strategies.masks(x))
    want = xf.long_short(x, sizes=sizes, where=mask, **options)
    lazy = data.draw(strategies.chunked(x))
    cut = None if sizes is None else sizes.chunk(lazy.chunksizes)
    got = xf.long_short(lazy, sizes=cut, where=mask, **options)
    assert got.chunks is not None
    contracts.assert_same_bits(got.compute(), want)


@given(x=strategies.panels(), options=choices)
def test_long_short__legs_sum_to_one_and_are_disjoint(x, options):
    w = xf.long_short(x, **options)
    known = w.notnull().any("asset")
    long, short = w.where(w > 0).sum("asset"), w.where(w < 0).sum("asset")
    np.testing.assert_allclose(long, known.astype(float), rtol=1e-6)
    np.testing.assert_allclose(short, -known.astype(float), rtol=1e-6)
    np.testing.assert_array_equal((w > 0).sum("asset"), (w < 0).sum("asset"))
    np.testing.assert_array_equal(known, np.isfinite(x).sum("asset") >= 2)
    top = x.where(w > 0).min("asset")
    bottom = x.where(w < 0).max("asset")
    assert bool((top >= bottom).where(known, True).all())


@given(x=strategies.panels(any_order=False), options=choices, seed=st.integers(0, 99))
def test_long_short__does_not_depend_on_how_assets_are_stored(x, options, seed):
    order = np.random.default_rng(seed).permutation(x.sizes["asset"])
    got = xf.long_short(x.isel(asset=order), **options)
    contracts.assert_same_bits(got, xf.long_short(x, **options).isel(asset=order))


@given(x=strategies.panels(), options=choices)
def test_long_short__of_the_negative_is_the_negative_unless_scores_are_tied(x, options):
    broken = xr.apply_ufunc(
        lambda v: v + 1e-9 * np.arange(v.shape[-1]), x.where(np.isfinite(x)).rank("asset"),
        input_core_dims=[["asset"]], output_core_dims=[["asset"]],
    )  # fmt: skip
    xr.testing.assert_allclose(xf.long_short(-broken, **options), -xf.long_short(broken, **options))


@pytest.mark.parametrize("n", [1, 7, 20])
def test_long_short__earns_the_mean_of_the_top_less_that_of_the_bottom(n):
    rng = np.random.default_rng(1)
    x = strategies.fixed_panel(shape=(40, 60))
    r = x.copy(data=np.where(rng.random(x.shape) < 0.1, NAN, rng.normal(size=x.shape)))
    got = xf.portfolio_returns(xf.long_short(x, n=n), r)
    enough = xf.lag((np.isfinite(x).sum("asset") >= 2 * n).astype(float)) == 1
    best, worst = xf.lag(xf.top(x, n)), xf.lag(xf.bottom(x, n))
    want = (r.where(best).mean("asset") - r.where(worst).mean("asset")).where(enough)
    assert int(want.notnull().sum()) > 25
    np.testing.assert_allclose(got.where(enough), want, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("names", "fraction", "leg"),
    [(10, 0.2, 2), (14, 0.2, 2), (15, 0.2, 3), (10, 0.3, 3), (3, 0.01, 1), (2, 0.5, 1), (7, 0.5, 3),
     (100, 0.1, 10), (1000, 0.3, 300)],
)  # fmt: skip
def test_long_short__a_fraction_is_rounded_down_to_at_least_one_name(names, fraction, leg):
    x = xr.DataArray(np.arange(names)[None], dims=("date", "asset"))
    w = xf.long_short(x, fraction=fraction)
    assert int((w > 0).sum()) == int((w < 0).sum()) == leg


@pytest.mark.parametrize(("names", "fraction", "leg"), [(100, 0.29, 29), (200, 0.145, 29)])
def test_long_short__a_whole_number_of_names_survives_the_rounding_of_floats(names, fraction, leg):
    x = xr.DataArray(np.arange(names)[None], dims=("date", "asset"))
    assert int((xf.long_short(x, fraction=fraction) > 0).sum()) == leg


def test_long_short__sizes_weight_the_names_of_a_leg():
    x = xr.DataArray([[5.0, 4.0, 3.0, 2.0, 1.0, 9.0]], dims=("date", "asset"))
    sizes = xr.DataArray([[3.0, 1.0, 7.0, 1.0, 4.0, 0.0]], dims=("date", "asset"))
    got = xf.long_short(x, n=2, sizes=sizes)
    np.testing.assert_allclose(got, [[0.75, 0.25, 0.0, -0.2, -0.8, NAN]])


def test_long_short__never_takes_more_than_half_of_the_names():
    x = xr.DataArray([[1.0, 2.0, 3.0, NAN, np.inf], [1.0, NAN, NAN, NAN, NAN]],
                     dims=("date", "asset"))  # fmt: skip
    np.testing.assert_array_equal(xf.long_short(x, n=50), [[-1.0, 0.0, 1.0, NAN, NAN], [NAN] * 5])


def test_long_short__a_date_whose_legs_lack_names_is_missing():
    x = xr.DataArray([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, NAN, 4.0]], dims=("date", "asset"))
    got = xf.long_short(x, n=2, min_names=2)
    np.testing.assert_array_equal(got, [[-0.5, -0.5, 0.5, 0.5], [NAN] * 4])
    with pytest.raises(xf.PanelError, match="min_names=0"):
        xf.long_short(x, n=2, min_names=0)


def test_long_short__keeps_shape_labels_and_dtype(raise_if_computes):
    for dtype in (np.float64, np.float32):
        x = strategies.fixed_panel(dtype).transpose("asset", "date")
        x.values.flags.writeable = False
        got = xf.long_short(x, n=2)
        assert got.dims == x.dims
        assert got.dtype == dtype
        assert set(got.coords) == set(x.coords)
        with raise_if_computes():
            lazy = xf.long_short(x.chunk(date=5), fraction=0.2, where=(x > 0).chunk(date=5))
            assert lazy.chunks is not None
    whole = (10 * strategies.fixed_panel().where(lambda v: np.isfinite(v), 0)).round()
    np.testing.assert_array_equal(xf.long_short(whole.astype(int), n=2), xf.long_short(whole, n=2))


@pytest.mark.parametrize(("dates", "assets"), [(0, 3), (3, 0), (1, 1), (0, 0), (2, 1)])
@pytest.mark.parametrize("lazy", [True, False])
def test_long_short__too_few_names_are_missing_not_an_error(dates, assets, lazy):
    x = xr.DataArray(np.ones((dates, assets)), dims=("date", "asset"))
    x = x.chunk() if lazy else x
    w = xf.long_short(x, n=1).compute()
    assert w.shape == (dates, assets)
    assert bool(w.isnull().all())
    r = xf.portfolio_returns(x, x, lag=0).compute()
    np.testing.assert_array_equal(r, np.ones(dates) if assets else np.full(dates, NAN))


def test_long_short__loops_over_further_dims():
    x = strategies.fixed_panel()
    both = xr.concat([x, -x], "signal").transpose("date", "signal", "asset")
    got = xf.long_short(both, n=3)
    assert got.dims == both.dims
    np.testing.assert_array_equal(got.isel(signal=1), xf.long_short(-x, n=3))


# --- neutral legs -------------------------------------------------------------------------------


def exposures(x, k, seed=0, missing=0.05):
    """Several exposures with the labels of x (date, asset)."""
    rng = np.random.default_rng(seed)
    values = rng.normal([1.0, 0.0, 5.0][:k], [0.4, 1.0, 2.0][:k], (*x.shape, k))
    values[rng.random(values.shape) < missing] = NAN
    return xr.DataArray(values, {d: x[d] for d in x.dims}, (*x.dims, "factor"))


@pytest.mark.parametrize("k", [1, 3])
@given(x=strategies.panels(any_order=False), seed=st.integers(0, 99), data=st.data())
def test_long_short__neutral_weights_are_the_nearest_without_exposures(k, x, seed, data):
    f = exposures(x, k, seed)
    sizes = None
    if data.draw(st.booleans()):
        rng = np.random.default_rng(seed)
        sizes = x.copy(data=rng.choice([1.0, 2.5, 30.0], x.shape))
    got = xf.long_short(x, n=4, sizes=sizes, neutral_to=f)
    known = np.isfinite(f).all("factor")
    plain = xf.long_short(x.where(known), n=4, sizes=sizes)
    single = x.dtype == np.float32
    for w, row, e in zip(got.values, plain.values, f.values, strict=True):
        want = oracles.neutral(row.astype(float), e)
        if want is None:
            assert np.isnan(w).all()
        elif np.abs(want[np.isfinite(want)]).max() < 30:
            np.testing.assert_allclose(w, want, rtol=1e-3 if single else 1e-7,
                                       atol=1e-3 if single else 1e-9)  # fmt: skip
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"]))}
    lazy = xf.long_short(
        x.chunk(cut), n=4, sizes=None if sizes is None else sizes.chunk(cut),
        neutral_to=f.chunk(cut),
    )  # fmt: skip
    assert lazy.chunks is not None
    contracts.assert_same_bits(lazy.compute(), got)


@pytest.mark.parametrize("sizes", [False, True])
def test_long_short__neutral_weights_have_legs_of_one_and_no_exposure(sizes):
    rng = np.random.default_rng(2)
    x = strategies.fixed_panel(shape=(30, 80)).where(lambda v: np.isfinite(v), 0.5)
    x = x + 1e-6 * rng.normal(size=x.shape)
    f = exposures(x, 3, missing=0.02)
    more = {"sizes": x.copy(data=rng.lognormal(3, 2, x.shape))} if sizes else {}
    w = xf.long_short(x, fraction=0.3, neutral_to=f, **more)
    assert bool(w.notnull().any("asset").all())
    held = w.fillna(0.0)
    np.testing.assert_allclose((held * f.fillna(0.0)).sum("asset"), 0.0, atol=1e-12)
    np.testing.assert_allclose(held.clip(min=0).sum("asset"), 1.0, rtol=1e-12)
    np.testing.assert_allclose(held.clip(max=0).sum("asset"), -1.0, rtol=1e-12)
    plain = xf.long_short(x, fraction=0.3, **more)
    assert float(xr.corr(held, plain)) > 0.8
    np.testing.assert_array_equal(w.isnull(), f.isnull().any("factor"))


def test_long_short__is_neutral_to_exposures_in_every_form():
    x = strategies.fixed_panel(shape=(20, 40))
    f = exposures(x, 2)
    want = xf.long_short(x, n=8, neutral_to=f)
    several = xr.Dataset({"a": f[..., 0], "b": f[..., 1]})
    for form in (f.transpose("factor", "date", "asset"), several):
        np.testing.assert_allclose(xf.long_short(x, n=8, neutral_to=form), want, rtol=1e-12)
    alone = f[3, :, 0].drop_vars("date")
    got = xf.long_short(x, n=8, neutral_to=alone).fillna(0.0)
    np.testing.assert_allclose((got * alone.fillna(0.0)).sum("asset"), 0.0, atol=1e-12)
    both = xr.concat([x, -x], "signal").transpose("date", "signal", "asset")
    each = xf.long_short(both, n=8, neutral_to=f)
    np.testing.assert_array_equal(each.isel(signal=0), want)
    masked = xf.long_short(x, n=8, neutral_to=f, where=x > -1)
    by_hand = xf.long_short(x.where(x > -1), n=8, neutral_to=f)
    np.testing.assert_array_equal(masked, by_hand)


def test_long_short__without_anything_left_after_the_exposures_is_missing():
    x = xr.DataArray(np.arange(8.0)[None], dims=("date", "asset"))
    side = xr.DataArray([-1.0, -1, -1, 0, 0, 1, 1, 1], dims="asset")
    assert bool(xf.long_short(x, n=3, neutral_to=side).isnull().all())  # all of it
    assert bool(xf.long_short(x, n=3, neutral_to=xr.ones_like(side)).isnull().all())
    assert bool(xf.long_short(x, n=1, neutral_to=side).isnull().all())


def test_long_short__neutral_reads_the_past_only_and_is_lazy(raise_if_computes):
    x = strategies.fixed_panel(shape=(40, 30))
    data = xr.Dataset({"x": x, "beta": exposures(x, 1).isel(factor=0)})
    xf.testing.check_no_lookahead(lambda d: xf.long_short(d.x, n=5, neutral_to=d.beta), data)
    with raise_if_computes():
        lazy = data.chunk(date=7)
        assert xf.long_short(lazy.x, n=5, neutral_to=lazy.beta).chunks is not None


def test_long_short__errors_say_what_to_do():
    x = strategies.fixed_panel()
    with pytest.raises(TypeError, match="neutral_to; found list"):
        xf.long_short(x, n=2, neutral_to=[x])
    with pytest.raises(TypeError, match="sizes takes a DataArray; found list"):
        xf.long_short(x, n=2, sizes=[1])
    with pytest.raises(TypeError, match="takes a DataArray as x; found list"):
        xf.long_short([1], n=2)
    for options, words in [
        ({}, "n=None and fraction=None"),
        ({"n": 2, "fraction": 0.2}, "one of them"),
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, "n=2.5"),
        ({"fraction": 0.6}, "fraction=0.6"),
        ({"fraction": 0}, "fraction=0 "),
        ({"fraction": -0.1}, "fraction=-0.1"),
        ({"fraction": NAN}, "fraction=nan"),
        ({"fraction": "tenth"}, "fraction='tenth' was given; needed a number"),
        ({"n": 1, "sizes": x[:3]}, "sizes has 3 labels along 'date' and x has"),
        ({"n": 1, "dim": "stock"}, "'stock'"),
        ({"n": 1, "sizes": x.isel(asset=slice(None, None, -1))}, "different labels"),
        ({"n": 1, "neutral_to": x.isel(asset=slice(None, None, -1))}, "different labels"),
        ({"n": 1, "neutral_to": x.expand_dims(style=2)}, "has the dimension 'style'"),
        ({"n": 1, "neutral_to": xr.Dataset()}, "no variable in neutral_to"),
        ({"n": 1, "sizes": x.expand_dims(style=2)}, "sizes has the dimension 'style'"),
        ({"n": 1, "sizes": x.isel(asset=0, drop=True)}, "in sizes, found .* needed 'asset'"),
        ({"n": np.ones((2, 2))}, "a whole number"),
        ({"n": 1, "dim": np.ones((2, 2))}, "as a dimension; needed its name"),
    ]:
        with pytest.raises(xf.PanelError, match=words):
            xf.long_short(x, **options)


# --- portfolio_returns --------------------------------------------------------------------------


@given(x=strategies.panels(any_order=False), data=st.data())
def test_portfolio_returns__equals_the_naive_loop(x, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 9999)))
    w = x.copy(data=rng.choice([0.0, 0.3, -0.3, 1.0, -2.0, NAN, np.inf], x.shape))
    lag = data.draw(st.integers(0, 2))
    got = xf.portfolio_returns(w, x, lag=lag)
    assert got.dims == ("date",)
    assert got.dtype == x.dtype
    held = np.full(w.shape, NAN)
    held[lag:] = w.values[: max(len(w) - lag, 0)]
    want = [oracles.portfolio_return(a, b) for a, b in zip(held, x.values, strict=True)]
    size = contracts.size_of(x)
    single = x.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=2e-7 if single else 1e-9,
                               atol=size * (2e-7 if single else 1e-11))  # fmt: skip


@given(x=strategies.panels(), data=st.data())
def test_portfolio_returns__is_the_same_bit_for_bit_whatever_the_chunks(x, data):
    w = xf.long_short(x, n=2)
    lag = data.draw(st.integers(0, 2))
    want = xf.portfolio_returns(w, x, lag=lag)
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"]))}
    got = xf.portfolio_returns(w.chunk(cut), x.chunk(cut), lag=lag)
    assert got.chunks is not None
    contracts.assert_same_bits(got.compute(), want)


def test_portfolio_returns__spreads_a_missing_return_over_its_leg():
    w = xr.DataArray([[0.5, 0.25, 0.25, -0.4, -0.6]], dims=("date", "asset"))
    r = xr.DataArray([[0.1, NAN, 0.3, 0.2, np.inf]], dims=("date", "asset"))
    got = xf.portfolio_returns(w, r, lag=0)
    np.testing.assert_allclose(got, [(0.5 * 0.1 + 0.25 * 0.3) / 0.75 - 0.2])
    nothing = r.copy(data=[[NAN, NAN, NAN, 0.2, 0.1]])
    assert bool(xf.portfolio_returns(w, nothing, lag=0).isnull().all())


def test_portfolio_returns__takes_several_portfolios():
    x = strategies.fixed_panel()
    w = xr.concat([xf.long_short(x, n=1), xf.long_short(x, n=3)], "portfolio")
    w = w.assign_coords(portfolio=["one", "three"])
    for dims in (("portfolio", "date", "asset"), ("date", "asset", "portfolio")):
        got = xf.portfolio_returns(w.transpose(*dims), x)
        assert set(got.dims) == {"date", "portfolio"}
        for name in ("one", "three"):
            want = xf.portfolio_returns(w.sel(portfolio=name, drop=True), x)
            np.testing.assert_array_equal(got.sel(portfolio=name), want)


def test_portfolio_returns__uses_weights_of_earlier_dates_only():
    x = strategies.fixed_panel()
    r = x.where(np.isfinite(x), 0.0)
    w = xf.long_short(x, n=2)
    whole = xf.portfolio_returns(w, r)
    for t in (1, 7, 30):
        contracts.assert_same_bits(xf.portfolio_returns(w[:t], r[:t]), whole[:t])
    changed = w.copy(deep=True)
    changed[20:] = 5.0
    np.testing.assert_array_equal(xf.portfolio_returns(changed, r)[:21], whole[:21])


def test_portfolio_returns__is_linear_in_complete_returns():
    rng = np.random.default_rng(3)
    x = strategies.fixed_panel()
    a, b = (x.copy(data=rng.normal(size=x.shape)) for _ in range(2))
    w = x.copy(data=rng.normal(size=x.shape))
    got = xf.portfolio_returns(w, 2 * a - 3 * b)
    want = 2 * xf.portfolio_returns(w, a) - 3 * xf.portfolio_returns(w, b)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(xf.portfolio_returns(w, a, lag=0), (w * a).sum("asset"), rtol=1e-9)


def test_portfolio_returns__takes_whole_numbers_and_is_lazy(raise_if_computes):
    w = xr.DataArray([[1, -1], [0, 2]], dims=("date", "asset"))
    r = xr.DataArray([[3, 1], [5, 4]], dims=("date", "asset"))
    np.testing.assert_array_equal(xf.portfolio_returns(w, r, lag=0), [2.0, 8.0])
    np.testing.assert_array_equal(xf.portfolio_returns(w, r), [NAN, 1.0])
    with raise_if_computes():
        assert xf.portfolio_returns(w.chunk(date=1), r.chunk(date=1)).chunks is not None


def test_portfolio_returns__errors_say_what_to_do():
    x = strategies.fixed_panel()
    with pytest.raises(xf.PanelError, match="lag=-1"):
        xf.portfolio_returns(x, x, lag=-1)
    with pytest.raises(xf.PanelError, match=r"Use weights.reindex_like\(returns\)"):
        xf.portfolio_returns(x[::5], x)  # monthly weights, daily returns
    with pytest.raises(xf.PanelError, match="different labels"):
        xf.portfolio_returns(x, x.isel(asset=slice(None, None, -1)))
    with pytest.raises(xf.PanelError, match="'asset'"):
        xf.portfolio_returns(x.isel(asset=0), x)
    with pytest.raises(xf.PanelError, match="one chunk along 'asset'"):
        xf.portfolio_returns(x.chunk(asset=5), x.chunk(asset=5))
