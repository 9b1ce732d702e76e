"""Risk of portfolios: a naive twin that forms the matrix of assets by assets, and laws."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from tests.risk import oracles

BY_FACTOR = ("exposure", "marginal", "component", "share")
BY_ASSET = ("asset_marginal", "asset_component")
MISSING = ("spread", "drop", "missing")


def cube(x):
    return x.to_dataarray("factor").transpose("date", "asset", "factor").values


def naive(w, x, f, s, benchmark=None, missing="spread"):
    base = [None] * len(w) if benchmark is None else benchmark.values
    rows = zip(w.values, cube(x), f.values, s.values, base, strict=True)
    return [oracles.decomposition(*row, missing) for row in rows]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("lost", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("active", [False, True])
def test_risk_decomposition__equals_its_twin_with_the_matrix_of_assets(missing, lost, active):
    for seed in range(4):
        w, base, x, f, s = oracles.problem(seed, lost=lost)
        f[2, 1], f[2, :, 1], w[3] = np.nan, np.nan, np.nan
        base = base if active else None
        got = xf.risk_decomposition(w, x, f, s, benchmark=base, missing=missing, by_asset=True)
        want = naive(w, x, f, s, base, missing)
        names = ["risk", "factor_risk", "specific_risk", "coverage", "n_obs"]
        for name in [*names, *["beta"] * active]:
            np.testing.assert_allclose(got[name], oracles.stack(want, name), rtol=1e-9, atol=1e-15)
        for k, reason in enumerate(("missing_exposure", "thin")):
            np.testing.assert_array_equal(got.n_dropped[:, k], oracles.stack(want, reason))
        for names, shape in ((BY_FACTOR, (4,)), (BY_ASSET, (14,))):
            for name in names:
                stacked = oracles.stack(want, name, shape)
                np.testing.assert_allclose(got[name], stacked, rtol=1e-8, atol=1e-13)
        parts = (got.component.sum("factor", skipna=False), got.asset_component.sum("asset"))
        np.testing.assert_allclose(parts[0], got.risk, rtol=1e-12)
        np.testing.assert_allclose(parts[1].where(got.risk.notnull()), got.risk, rtol=1e-12)
        whole = got.share.sum("factor", skipna=False)
        np.testing.assert_allclose(whole, got.risk / got.risk.where(got.risk > 0), rtol=1e-12)
        assert got.risk.notnull().any() or lost == 0.5 or missing == "missing"


def test_risk_decomposition__is_that_of_the_sister_lecture():
    """FMCAR_j = b_j sum_i(b_i cov_ij) / var(active), and the split of FactorAnalytics."""
    rng = np.random.default_rng(1)
    returns = 0.01 * rng.standard_normal((300, 2))
    factors = xr.DataArray(
        returns, dims=("date", "factor"), coords={"factor": ["smb", "hml"]}
    ).assign_coords(date=np.arange(300))
    b, own = np.array([0.3, -0.2]), 2.5e-5
    cov = np.cov(returns.T)
    active = b @ cov @ b + own
    fmcar = [b[j] * sum(b[i] * cov[i, j] for i in range(2)) / active for j in range(2)]
    f = xf.factor_covariance(factors).covariance.isel(date=-1)
    x = xr.DataArray(b[None], dims=("asset", "factor"), coords={"factor": ["smb", "hml"]})
    one = xr.DataArray([1.0], dims="asset")
    got = xf.risk_decomposition(one, x, f, own * one)
    np.testing.assert_allclose(got.share, [*fmcar, own / active], rtol=1e-12)
    star, joint = np.array([*b, own**0.5]), np.eye(3)
    joint[:2, :2] = cov
    risk = np.sqrt(star @ joint @ star)
    np.testing.assert_allclose(got.marginal, joint @ star / risk, rtol=1e-12)
    np.testing.assert_allclose(got.component, star * (joint @ star) / risk, rtol=1e-12)
    np.testing.assert_allclose(got.exposure, star, rtol=1e-12)


def test_risk_decomposition__marginals_are_derivatives():
    w, _, x, f, s = oracles.problem(3, lost=0.0)
    w = w.where(np.isfinite(w), 0.0)
    got = xf.risk_decomposition(w, x, f, s, by_asset=True)
    step = 1e-6 * (w.asset == w.asset[4])
    slope = (xf.risk_decomposition(w + step, x, f, s).risk - got.risk) / 1e-6
    np.testing.assert_allclose(slope, got.asset_marginal[:, 4], rtol=1e-4, atol=1e-6)
    twice = xf.risk_decomposition(3.0 * w, x, f, s)
    np.testing.assert_allclose(twice.risk, 3.0 * got.risk, rtol=1e-12)
    np.testing.assert_allclose(twice.share, got.share, rtol=1e-9, atol=1e-12)


def test_risk_decomposition__groups_and_intercept_are_exposures_of_one():
    w, base, x, _, s = oracles.problem(4)
    rng = np.random.default_rng(5)
    sector = w.copy(data=rng.integers(-1, 3, w.shape).astype(np.int16))
    sector.attrs = {"flag_values": [0, 1, 2], "flag_meanings": "tech bank oil"}
    words = ("tech", "bank", "oil")
    dummies = {k: (sector == v).where(sector >= 0) * 1.0 for v, k in enumerate(words)}
    names = ["intercept", "bank", "x1", "tech", "x0", "oil", "x2"]
    root = rng.standard_normal((len(names), 9))
    f = xr.DataArray(
        root @ root.T, dims=("factor", "factor_2"), coords={"factor": names, "factor_2": names}
    )
    whole = x.assign(dummies).assign(constant=xr.ones_like(w))
    plain = {"factor": ["constant", *names[1:]], "factor_2": ["constant", *names[1:]]}
    for either in (x, x.to_dataarray("factor").transpose("date", "asset", "factor")):
        got = xf.risk_decomposition(w, either, f, s, groups=sector, benchmark=base)
        want = xf.risk_decomposition(w, whole, f.assign_coords(plain), s, benchmark=base)
        assert [str(k) for k in got.factor.values] == [*names, "specific"]
        for name in got.data_vars:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-12)


def test_risk_decomposition__many_portfolios_are_each_by_itself():
    w, base, x, f, s = oracles.problem(6)
    names = ["a", "b", "c"]
    many = xr.concat([w, base, -2.0 * w], "portfolio").assign_coords(portfolio=names)
    for stacked in (many, many.transpose("asset", "portfolio", "date")):
        got = xf.risk_decomposition(stacked, x, f, s, by_asset=True)
        assert got.risk.dims == ("date", "portfolio")
        for name, each in (("a", w), ("b", base), ("c", -2.0 * w)):
            want = xf.risk_decomposition(each, x, f, s, by_asset=True)
            xr.testing.assert_equal(got.sel(portfolio=name, drop=True), want)
        covariance = xf.portfolio_covariance(stacked, x, f, s)
        assert covariance.dims == ("date", "portfolio", "portfolio_2")
        np.testing.assert_allclose(
            np.einsum("tpp->tp", covariance), got.risk**2, rtol=1e-12, atol=1e-18
        )
        np.testing.assert_array_equal(covariance, covariance.values.swapaxes(1, 2))
        np.testing.assert_allclose(covariance[:, 0, 2], -2.0 * covariance[:, 0, 0], rtol=1e-12)
    covariances = xf.asset_covariance_product(x, f, s, w)
    held = np.stack([
        oracles.counted(a, np.isfinite(e).all(1) & np.isfinite(v))
        for a, e, v in zip(w.values, cube(x), s.values, strict=True)
    ])  # fmt: skip
    variance = (covariances.fillna(0.0) * held).sum("asset")
    np.testing.assert_allclose(variance, xf.portfolio_covariance(w, x, f, s), rtol=1e-12)
    drop = xf.portfolio_covariance(many[:2], x, f, s, missing="drop")
    dropped = xf.asset_covariance_product(x, f, s, w, missing="drop").fillna(0.0)
    np.testing.assert_allclose((dropped * base).sum("asset"), drop[:, 0, 1], rtol=1e-9, atol=1e-15)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_risk_decomposition__is_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(1, 12))
    w, base, x, f, s = oracles.problem(seed, dates)
    w = xr.concat([w, -w, base], "portfolio") if data.draw(st.booleans()) else w
    if data.draw(st.booleans()):
        w, base, x, f, s = (a.astype(np.float32) for a in (w, base, x, f, s))
    cut = {"date": data.draw(strategies.cuts(dates))}
    lazy = [a.chunk(cut) for a in (x, f, s)]
    options = {"missing": data.draw(st.sampled_from(MISSING))}
    want = xf.risk_decomposition(w, x, f, s, benchmark=base, by_asset=True, **options)
    got = xf.risk_decomposition(
        w.chunk(cut), *lazy, benchmark=base.chunk(cut), by_asset=True, **options
    )
    assert all(v.chunks is not None and v.dtype == want[k].dtype for k, v in got.items())
    assert got.risk.dtype == w.dtype
    assert_same_bits(got.compute(), want)
    for func in (xf.portfolio_covariance, product):
        want = func(w, x, f, s, **options)
        assert_same_bits(func(w.chunk(cut), *lazy, **options).compute(), want)


def product(w, *rest, **options):
    return xf.asset_covariance_product(*rest, w, **options)


def test_risk_decomposition__computes_nothing_early_and_never_looks_ahead(raise_if_computes):
    w, base, x, f, s = oracles.problem(7)
    lazy = [a.chunk(date=4) for a in (w, x, f, s)]
    with raise_if_computes():
        xf.risk_decomposition(*lazy, benchmark=base.chunk(date=4), by_asset=True)
        xf.portfolio_covariance(*lazy)
        xf.asset_covariance_product(*lazy[1:], lazy[0])
    panel = x.assign(w=w, base=base, f=f.rename(factor="i", factor_2="j"), s=s)

    def run(p):
        f = p.f.rename(i="factor", j="factor_2")
        args = (p[list(x)], f, p.s)
        active = xf.risk_decomposition(p.w, *args, benchmark=p.base, by_asset=True)
        return {"active": active, "product": xf.asset_covariance_product(*args, p.w),
                "variance": xf.portfolio_covariance(p.w, *args)}  # fmt: skip

    xf.testing.check_no_lookahead(run, panel)


def test_risk_decomposition__edges():
    _, base, x, f, s = oracles.problem(8, lost=0.0)
    zero = xf.risk_decomposition(0.0 * base, x, f, s, by_asset=True)
    assert float(zero.risk.max()) == 0.0
    assert float(abs(zero.component).max()) == 0.0
    assert bool(zero.share.isnull().all())
    assert bool(zero.coverage.isnull().all())
    same = xf.risk_decomposition(base, x, f, s, benchmark=base)
    np.testing.assert_allclose(same.risk, 0.0, atol=1e-18)
    np.testing.assert_allclose(same.beta, 1.0, rtol=1e-12)
    alone = xf.risk_decomposition(base[:, :1], x.isel(asset=[0]), f, s[:, :1])
    assert bool(alone.risk.notnull().all())
    nothing = xf.risk_decomposition(base[:, :0], x.isel(asset=slice(0)), f, s[:, :0])
    assert bool(nothing.risk.isnull().all())
    assert xf.risk_decomposition(base[:0], x.isel(date=slice(0)), f[:0], s[:0]).risk.shape == (0,)
    held = base.where(base.asset == base.asset[0], 0.0)  # others may lack anything
    full = xf.risk_decomposition(held, x, f, s).risk
    holes = x.where(x.asset == x.asset[0])
    np.testing.assert_allclose(xf.risk_decomposition(held, holes, f, s).risk, full, rtol=1e-12)
    static = xf.risk_decomposition(base[0], x.isel(date=0), f[0], s[0])
    np.testing.assert_allclose(static.risk, xf.risk_decomposition(base, x, f, s).risk[0])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_risk_decomposition__a_lost_leg_is_no_portfolio(sign):
    _, base, x, f, s = oracles.problem(10, lost=0.0)
    first = base.asset == base.asset[0]
    w = sign * base.where(~first, -base)  # one asset against all others
    s = s.where(~first)
    assert bool(xf.risk_decomposition(w, x, f, s).risk.isnull().all())
    assert bool(xf.risk_decomposition(w, x, f, s, missing="drop").risk.notnull().all())
    returns = s.where(~first) - 5e-4
    exposures = xr.ones_like(s).expand_dims(factor=["m"])
    earned = xf.attribute_returns(w, returns, exposures, f[:, :1, 0].assign_coords(factor=["m"]))
    assert bool(earned.portfolio_return.isnull().all())


def test_risk_decomposition__many_factors_are_summed_in_one_order():
    w, base, x, f, s = oracles.problem(11, dates=7, assets=40, factors=13, lost=0.02)
    want = xf.risk_decomposition(w, x, f, s, benchmark=base, by_asset=True)
    for cut in (1, 2, 3):
        lazy = [a.chunk(date=cut) for a in (w, x, f, s)]
        got = xf.risk_decomposition(*lazy, benchmark=base.chunk(date=cut), by_asset=True)
        assert_same_bits(got.compute(), want)


def test_risk_decomposition__errors_say_what_to_do():
    w, _, x, f, s = oracles.problem(9)
    run = xf.risk_decomposition
    for args, message in (
        ((w, x[["x0", "x1"]], f, s), "an exposure for each factor"),
        ((w, x.assign(x9=x.x0), f, s), "'x9'"),
        ((w, x, f.rename(factor_2="other"), s), "factor_covariance"),
        ((w, x, f.assign_coords(factor_2=["x1", "x0", "x2"]), s), "factor_2"),
        ((w.rename(asset="factor"), x, f, s), "'asset'"),
        ((w.expand_dims(factor=2), x, f, s), "free for the factors"),
        ((w.expand_dims(a=2, b=3), x, f, s), "one dimension of portfolios"),
        ((w[:, ::-1], x, f, s), "weights and specific_var have different labels"),
        ((w, x[{"asset": slice(2)}], f, s), "exposures has 2 labels along 'asset'"),
        ((w, x, f[:2], s), "factor_cov has 2 labels along 'date'"),
        ((w, x.rename(x0="specific"), f.assign_coords(factor=["specific", "x1", "x2"]), s),
         "specific"),
    ):  # fmt: skip
        with pytest.raises(xf.PanelError, match=message):
            run(*args)
    with pytest.raises(xf.PanelError, match="missing='zero'"):
        run(w, x, f, s, missing="zero")
    with pytest.raises(TypeError, match="weights"):
        run(w.values, x, f, s)
    with pytest.raises(TypeError, match="specific_var"):
        run(w, x, f, 0.1)
