"""Regressions on exposures and groups: against dense dummies, laws of constraints, contracts."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.regression import constrained, oracles

RTOL, STDERR_RTOL = 1e-10, 1e-8
CONSTRAINTS = ("weighted", "unweighted", "drop_first")
NAN = np.nan


def cube(x):
    return x.to_dataarray("factor").transpose("date", "factor", "asset").values.astype(float)


def drawn_codes(seed, y, values, none=0.1):
    rng = np.random.default_rng(seed)
    codes = rng.choice(values, y.shape)
    codes[rng.random(y.shape) < none] = -1
    return xr.DataArray(
        codes.astype(np.int16), y.coords, y.dims, name="sector", attrs={"flag_values": list(values)}
    )


def drawn_weights(seed, y, bad=0.05):
    rng = np.random.default_rng(seed)
    w = rng.lognormal(0, 1, y.shape)
    for value in (0.0, NAN, -1.0, np.inf):
        w[rng.random(y.shape) < bad / 4] = value
    return y.copy(data=w)


def check(y, x, sets, lag=1, weights=None, market_cap=None, rtol=RTOL, se="ols", **options):
    """Everything but the residual, date by date, against dense dummies."""
    groups = {k: v for k, v in sets.items()} if len(sets) > 1 else next(iter(sets.values()))
    got = xf.cross_sectional_ols(
        y, x, groups=groups, lag=lag, weights=weights, market_cap=market_cap, se=se, **options
    )
    naive = constrained.by_date(
        y.values.astype(float), cube(x),
        [(c.broadcast_like(y).values.astype(float), c.attrs["flag_values"]) for c in sets.values()],
        lag, None if weights is None else weights.values,
        None if market_cap is None else market_cap.values, white=se == "white", **options,
    )  # fmt: skip
    np.testing.assert_array_equal(got.n_obs, oracles.stack(naive, "n_obs"))
    params, bse = oracles.stack(naive, "params"), oracles.stack(naive, "bse")
    np.testing.assert_allclose(got.factor_return, params, rtol=rtol, atol=rtol)
    slack = max(STDERR_RTOL, rtol)
    np.testing.assert_allclose(got.stderr, bse, rtol=slack, atol=1e-3 * slack)
    np.testing.assert_allclose(
        got.rsquared, oracles.stack(naive, "rsquared"), rtol=slack, atol=slack
    )
    condition = oracles.stack(naive, "condition")
    np.testing.assert_allclose(got.condition, condition, rtol=max(1e-7, rtol))
    return got


# --- oracle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("se", ["ols", "white"])
@pytest.mark.parametrize("weighted", [True, False])
def test_cross_sectional_ols__groups_equal_dense_dummies(constraint, se, weighted):
    y, x = oracles.problem(1, dates=12, assets=40, infinite=0.02)
    sector = drawn_codes(2, y, (3, 5, 8, 11))
    got = check(
        y, x, {"sector": sector}, weights=drawn_weights(3, y) if weighted else None,
        constraint=constraint, se=se,
    )  # fmt: skip
    assert int(got.factor_return.notnull().sum()) > 80
    assert [str(v) for v in got.factor.values[-4:]] == ["3", "5", "8", "11"]


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__two_and_three_sets_equal_dense_dummies(constraint, intercept):
    y, x = oracles.problem(4, dates=8, assets=60, factors=2)
    sets = {
        "country": drawn_codes(5, y, (0, 1, 2)),
        "industry": drawn_codes(6, y, (7, 2, 40)),
        "style": drawn_codes(7, y, (0, 1), none=0.0),
    }
    w = drawn_weights(8, y)
    two = dict(list(sets.items())[:2])
    for some, se in ((two, "white"), (sets, "ols")):
        got = check(y, x, some, weights=w, constraint=constraint, intercept=intercept, se=se)
        assert int(got.factor_return.notnull().sum()) > 50
    assert "industry:40" in got.factor


@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__market_caps_weigh_the_constraint_only(intercept):
    y, x = oracles.problem(9, dates=10, assets=50)
    sets = {"country": drawn_codes(5, y, (0, 1, 2)), "industry": drawn_codes(6, y, (1, 2, 4))}
    cap, w = drawn_weights(10, y, bad=0.3), drawn_weights(11, y)
    got = check(y, x, sets, market_cap=cap, weights=w, intercept=intercept)
    assert int(got.factor_return.notnull().sum()) > 80


@given(seed=st.integers(0, 10**6), data=st.data())
def test_cross_sectional_ols__groups_equal_dense_dummies_on_drawn_panels(seed, data):
    y, x = oracles.problem(
        seed, dates=3, assets=data.draw(st.integers(1, 16)), factors=data.draw(st.integers(1, 2)),
        missing=data.draw(st.sampled_from([0.0, 0.3])),
    )  # fmt: skip
    sector = drawn_codes(seed, y, (0, 1, 2), data.draw(st.sampled_from([0.0, 0.3])))
    if data.draw(st.booleans()):
        sector = sector.isel(date=0, drop=True)
    options = {
        "constraint": data.draw(st.sampled_from(CONSTRAINTS)),
        "intercept": data.draw(st.booleans()), "lag": data.draw(st.integers(0, 1)),
        "se": data.draw(st.sampled_from(["ols", "white"])),
        "min_obs": data.draw(st.sampled_from([None, 1, 8])),
    }  # fmt: skip
    # A thin date may be so ill-conditioned that the last digits differ.
    check(y, x, {"sector": sector}, rtol=1e-6, **options)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__white_errors_without_groups_equal_statsmodels(weighted, intercept):
    y, x = oracles.problem(12, dates=10, assets=30)
    w = drawn_weights(13, y) if weighted else None
    got = xf.cross_sectional_ols(y, x, se="white", weights=w, lag=0, intercept=intercept)
    naive = oracles.by_date(
        y.values, cube(x), 0, None if w is None else w.values, intercept=intercept, cov_type="HC1"
    )
    np.testing.assert_allclose(got.stderr, oracles.stack(naive, "bse"), rtol=STDERR_RTOL)
    plain = xf.cross_sectional_ols(y, x, weights=w, lag=0, intercept=intercept)
    np.testing.assert_array_equal(got.factor_return, plain.factor_return)


# --- ill-conditioned and deficient --------------------------------------------------------------


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("sets", [1, 2])
def test_cross_sectional_ols__groups_keep_six_digits_up_to_a_condition_of_1e8(condition, sets):
    rng = np.random.default_rng(14)
    n, dims = 60, ("date", "asset")
    a, b = rng.normal(size=(2, 2, n))
    x = xr.Dataset({"a": (dims, a), "b": (dims, a + b / condition)})
    y = xr.DataArray(a + 0.1 * rng.normal(size=(2, n)), dims=dims)
    one = [xr.DataArray(rng.integers(0, 3, n), dims="asset") for _ in range(sets)]
    got = xf.cross_sectional_ols(
        y, x, lag=0, groups={f"g{i}": c for i, c in enumerate(one)}, constraint="drop_first"
    )
    dummies = [(c == v).astype(float).values for c in one for v in (1, 2)]
    for t in range(2):
        params, bse = oracles.exact(y.values[t], [x.a.values[t], x.b.values[t], *dummies])
        keep = [i for i in range(3 + 3 * sets) if i not in (3, 6)]  # the bases are zero
        largest = np.abs(params[1:3]).max()
        np.testing.assert_allclose(
            got.factor_return[t, keep], params, rtol=1e-6, atol=1e-6 * largest
        )
        np.testing.assert_allclose(got.stderr[t, keep], bse, rtol=1e-6)
        # The angle between a and b, and so the condition, is known to 1e8 rounding errors.
        np.testing.assert_allclose(got.condition[t], condition * 2, rtol=0.5)


def test_cross_sectional_ols__exposures_that_groups_explain_are_dependent():
    y, x = oracles.problem(15, dates=6, assets=40, missing=0.0)
    country, industry = drawn_codes(1, y, (0, 1, 2), 0.0), drawn_codes(2, y, (0, 1), 0.0)
    both = {"country": country, "industry": industry}
    explained = {
        "one": (country, 0.1 * country),
        "two": (both, 0.1 * country - 0.7 * industry + 1e3),
        "unconnected": (
            {"country": country, "again": (country + 1).assign_attrs(flag_values=[1, 2, 3])},
            x.x0,
        ),
    }
    for groups, bad in explained.values():
        got = xf.cross_sectional_ols(y, x.assign(x1=bad), groups=groups, lag=0)
        for name in ("factor_return", "stderr", "rsquared", "residual"):
            assert bool(got[name].isnull().all()), name
        np.testing.assert_array_equal(got.n_obs, 40)
        np.testing.assert_array_equal(got.condition, np.inf)


def test_cross_sectional_ols__too_few_assets_have_no_condition_number():
    y, x = oracles.problem(16, dates=3, assets=5)
    got = xf.cross_sectional_ols(y, x, min_obs=6)
    assert bool(got.condition.isnull().all())


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_cross_sectional_ols__a_group_without_assets_is_missing_alone(constraint):
    y, x = oracles.problem(17, dates=4, assets=50, missing=0.0)
    sector = drawn_codes(1, y, (0, 1, 2), 0.0)
    gone = sector.where((sector != 0) | (sector.date == sector.date[0]), 2).astype(np.int16)
    gone.attrs = {"flag_values": [0, 1, 2, 9], "flag_meanings": "food cars banks mines"}
    got = xf.cross_sectional_ols(y, x, groups=gone, lag=0, constraint=constraint)
    here = got.factor_return.notnull()
    assert here.sel(factor="food").values.tolist() == [True, False, False, False]
    assert not bool(here.sel(factor="mines").any())
    assert bool(here.drop_sel(factor=["food", "mines"]).all())
    np.testing.assert_array_equal(got.residual.notnull(), True)
    if constraint == "drop_first":  # the base is the first that is there
        base = got.sel(factor=["food", "cars"]).isel(date=[0, 1])
        np.testing.assert_array_equal(base.factor_return.values.diagonal(), 0.0)
        np.testing.assert_array_equal(base.stderr.values.diagonal(), 0.0)


def test_cross_sectional_ols__one_group_alone_has_no_return_of_its_own():
    y, x = oracles.problem(18, dates=3, assets=30)
    same = xr.zeros_like(y, dtype=np.int16)
    for constraint in CONSTRAINTS:
        got = xf.cross_sectional_ols(y, x, groups=same, constraint=constraint)
        want = xf.cross_sectional_ols(y, x)
        np.testing.assert_array_equal(got.factor_return[1:, -1], 0.0)
        oracles.assert_close(
            got.isel(factor=slice(-1)).drop_vars("tvalue"), want.drop_vars("tvalue"), 1e-9, 1e-11
        )


def test_cross_sectional_ols__constraint_weights_that_are_all_missing_leave_the_slopes():
    y, x = oracles.problem(19, dates=3, assets=30, missing=0.0)
    sector = drawn_codes(1, y, (0, 1))
    got = xf.cross_sectional_ols(y, x, groups=sector, market_cap=y * NAN, lag=0)
    known = got.factor_return.notnull().all("date").values
    assert known.tolist() == [False, True, True, True, False, False]


# --- laws ---------------------------------------------------------------------------------------


def test_cross_sectional_ols__constraints_change_neither_slopes_nor_residuals():
    y, x = oracles.problem(20, dates=8, assets=60)
    sets = {"country": drawn_codes(1, y, (0, 1, 2)), "industry": drawn_codes(2, y, (0, 1))}
    w = drawn_weights(3, y)
    fits = [xf.cross_sectional_ols(y, x, groups=sets, weights=w, constraint=c) for c in CONSTRAINTS]
    fits.append(xf.cross_sectional_ols(y, x, groups=sets, weights=w, intercept=False))
    names = list(x.data_vars)
    for got in fits[1:]:
        for name in ("factor_return", "stderr"):
            same = got[name].sel(factor=names), fits[0][name].sel(factor=names)
            np.testing.assert_array_equal(*same)
        np.testing.assert_allclose(got.residual, fits[0].residual, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(got.rsquared, fits[0].rsquared)


def test_cross_sectional_ols__group_returns_obey_their_constraint():
    y, x = oracles.problem(21, dates=8, assets=60, missing=0.0)
    sector, cap = drawn_codes(1, y, (0, 1, 2), 0.0), np.exp(y)
    dummies = xr.concat([sector == v for v in (0, 1, 2)], "factor")
    f = xf.cross_sectional_ols(y, x, groups=sector, market_cap=cap, lag=0).factor_return
    held = (cap * dummies).sum("asset").transpose("date", "factor")
    np.testing.assert_allclose((held * f[:, -3:].values).sum("factor"), 0.0, atol=1e-10)
    f = xf.cross_sectional_ols(y, x, groups=sector, constraint="unweighted", lag=0).factor_return
    np.testing.assert_allclose(f[:, -3:].sum("factor"), 0.0, atol=1e-12)


def test_cross_sectional_ols__residuals_sum_to_zero_within_every_group():
    y, x = oracles.problem(22, dates=8, assets=80)
    sets = {"country": drawn_codes(1, y, (0, 1, 2)), "industry": drawn_codes(2, y, (0, 1))}
    w = drawn_weights(3, y, bad=0.0)
    e = xf.cross_sectional_ols(y, x, groups=sets, weights=w, lag=0).residual.compute()
    for codes in sets.values():
        for v in codes.attrs["flag_values"]:
            own = (w * e).where(codes == v)
            np.testing.assert_allclose(own.sum("asset") / abs(own).sum("asset"), 0.0, atol=1e-11)
        assert bool(e.where(codes < 0).isnull().all())


def test_cross_sectional_ols__recovers_simulated_group_returns_without_noise():
    y, x = oracles.problem(23, dates=6, assets=60, noise=0.0, missing=0.0)
    sector, cap = drawn_codes(1, y, (0, 1, 2), 0.0), np.exp(x.x0)
    true = np.array([0.3, -0.2, 0.1])
    got = xf.cross_sectional_ols(
        y + true[sector.values], x, groups=sector, market_cap=cap, lag=0
    ).factor_return
    np.testing.assert_allclose(got[:, -3:] + got[:, :1].values, [true] * 6, atol=1e-12)


def test_cross_sectional_ols__the_order_of_sets_only_moves_labels():
    y, x = oracles.problem(24, dates=5, assets=60)
    a, b = drawn_codes(1, y, (0, 1, 2)), drawn_codes(2, y, (4, 5))
    one = xf.cross_sectional_ols(y, x, groups={"a": a, "b": b}, se="white")
    two = xf.cross_sectional_ols(y, x, groups=xr.Dataset({"b": b, "a": a}), se="white")
    oracles.assert_close(two.sel(factor=one.factor), one, 1e-9, 1e-11)


# --- chunks and laziness ------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), data=st.data())
def test_cross_sectional_ols__groups_are_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 8))
    y, x = oracles.problem(
        seed, dates, assets=data.draw(st.sampled_from([6, 40])), factors=2,
        dtype=data.draw(st.sampled_from([np.float64, np.float32])),
    )  # fmt: skip
    sets = {"a": drawn_codes(seed, y, (0, 2)), "b": drawn_codes(seed + 1, y, (5, 1, 3))}
    if data.draw(st.booleans()):
        del sets["a"]
    options = {
        "lag": data.draw(st.integers(0, 2)), "intercept": data.draw(st.booleans()),
        "se": data.draw(st.sampled_from(["ols", "white"])),
        "constraint": data.draw(st.sampled_from(CONSTRAINTS)),
    }  # fmt: skip
    robust = data.draw(st.sampled_from([{}, {"ridge": 0.1}, {"method": "two_stage"}, None]))
    if robust is None:
        robust, options["se"] = {"robust": xf.Huber(max_iterations=8, tolerance=1e-2)}, "ols"
    options |= robust
    want = xf.cross_sectional_ols(y, x, weights=abs(y), groups=sets, **options).compute()
    cut = {"date": data.draw(strategies.cuts(dates))}
    lazy = {k: v.chunk(cut) for k, v in sets.items()}
    got = xf.cross_sectional_ols(
        y.chunk(cut), x.chunk(cut), weights=abs(y).chunk(cut), groups=lazy, **options
    )
    assert all(v.chunks is not None for v in got.data_vars.values())
    oracles.assert_same_bits(got.compute(), want)


def test_cross_sectional_ols__groups_compute_nothing_when_called(raise_if_computes):
    y, x = oracles.problem(25)
    sector = drawn_codes(1, y, (0, 1))
    with raise_if_computes():
        got = xf.cross_sectional_ols(y, x, groups=sector)
        assert got.residual.chunks is not None
        assert got.factor_return.chunks is None
        y, x, sector = y.chunk(date=7), x.chunk(date=7), sector.chunk(date=7)
        xf.cross_sectional_ols(y, x, groups=sector, market_cap=abs(y), se="white", lag=2)
        xf.cross_sectional_ols(y, x, groups=sector, robust=xf.Huber())
        xf.cross_sectional_ols(y, x, groups=sector.isel(date=0, drop=True), method="two_stage")


def test_cross_sectional_ols__takes_codes_of_any_integer_kind_static_or_not():
    y, x = oracles.problem(26, dates=5, assets=40)
    sector = drawn_codes(1, y, (0, 1), 0.0)
    bare = sector.drop_attrs()
    want = xf.cross_sectional_ols(y, x, groups=sector).compute()
    for codes in (bare, bare.astype(np.int64), bare.astype(np.uint8), bare.astype(bool)):
        oracles.assert_same_bits(xf.cross_sectional_ols(y, x, groups=codes).compute(), want)
    far = bare.astype(np.int64) * 10**9  # beyond any table
    got = xf.cross_sectional_ols(y, x, groups=far).compute()
    oracles.assert_same_bits(got.assign_coords(factor=want.factor), want)
    assert str(got.factor.values[-1]) == "1000000000"
    static = sector.isel(date=0, drop=True)
    wide = static.broadcast_like(y).transpose("date", "asset").assign_attrs(sector.attrs)
    for lag in (0, 1):
        got = xf.cross_sectional_ols(y, x, groups=static, lag=lag).compute()
        want = xf.cross_sectional_ols(y, x, groups=wide, lag=lag).compute()
        oracles.assert_same_bits(got, want)


@pytest.mark.parametrize(("dates", "assets"), [(0, 3), (3, 0), (1, 1), (2, 3), (0, 0)])
@pytest.mark.parametrize("lazy", [True, False])
def test_cross_sectional_ols__a_panel_too_small_for_groups_is_missing(dates, assets, lazy):
    y, x = oracles.problem(27, dates, assets, factors=2, missing=0.0)
    sector = xr.zeros_like(y, dtype=np.int16).assign_attrs(flag_values=[0, 1])
    if lazy:
        y, x, sector = y.chunk(), x.chunk(), sector.chunk()
    for options in ({}, {"method": "two_stage"}, {"robust": xf.Huber()}, {"se": "white"}):
        got = xf.cross_sectional_ols(y, x, groups=sector, lag=0, **options).compute()
        assert got.factor_return.shape == (dates, 5)
        assert bool(got.factor_return.isnull().all())
        assert got.residual.shape == (dates, assets)


def test_cross_sectional_ols__does_not_look_ahead_through_groups():
    y, x = oracles.problem(28, dates=12)
    sector = drawn_codes(1, y, (0, 1))
    whole = xf.cross_sectional_ols(y, x, groups=sector).compute()
    changed = sector.copy(deep=True)
    changed[6:] = 1 - changed[6:]  # memberships from date 6 on enter returns from date 7 on
    got = xf.cross_sectional_ols(y, x, groups=changed).compute()
    oracles.assert_same_bits(got.isel(date=slice(7)), whole.isel(date=slice(7)))


# --- errors -------------------------------------------------------------------------------------


def test_cross_sectional_ols__errors_about_groups_say_what_to_do():
    y, x = oracles.problem(29)
    sector = drawn_codes(1, y, (0, 1))

    def refused(match, kind=xf.PanelError, **options):
        with pytest.raises(kind, match=match):
            xf.cross_sectional_ols(y, x, **options)

    refused("'ols', 'white'", se="hac")
    refused("'weighted', 'unweighted', 'drop_first'", groups=sector, constraint="sum")
    refused("no constraint to use it", market_cap=y)
    refused("constraint='weighted'", groups=sector, market_cap=y, constraint="unweighted")
    refused("an intercept or a second", groups=sector, market_cap=y, intercept=False)
    refused("integer codes", TypeError, groups=sector.astype(float))
    refused("found list", TypeError, groups=[sector])
    refused("no set of groups", groups={})
    refused("has no group", groups=sector.assign_attrs(flag_values=[-1]))
    refused("repeat a code", groups=sector.assign_attrs(flag_values=[0, 0]))
    refused("one meaning", groups=sector.assign_attrs(flag_meanings="a b c"))
    refused("'asset'", groups=sector.isel(asset=0, drop=True))
    named = sector.assign_attrs(flag_meanings="x0 b")
    refused("two factors named 'x0'", groups=named)
    lazy = sector.drop_attrs().chunk(date=5)
    with pytest.raises(xf.PanelError, match=r"sector.assign_attrs\(flag_values=range\(n\)\)"):
        xf.cross_sectional_ols(y.chunk(date=5), x.chunk(date=5), groups=lazy)
