"""Attribution of returns: a loop over assets, sums that are the portfolio's return, linking."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from tests.risk import oracles


def problem(seed=1, dates=10, lost=0.15):
    w, base, x, _, r = oracles.problem(seed, dates, lost=lost)
    rng = np.random.default_rng(seed + 1)
    f = xr.DataArray(
        0.02 * rng.standard_normal((dates, 3)), dims=("date", "factor"),
        coords={"date": w.date, "factor": list(x)},
    )  # fmt: skip
    return w / 3, base, x, f, 60.0 * (r - 5e-4)


@pytest.mark.parametrize("lag", [0, 1, 2])
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("lost", [0.0, 0.15, 0.6])
def test_attribute_returns__equals_the_loop_and_sums_to_the_return(lag, active, lost):
    w, base, x, f, r = problem(lost=lost)
    f[4, 1], w[6] = np.nan, np.nan
    got = xf.attribute_returns(w, r, x, f, lag=lag, benchmark=base if active else None)
    cube = x.to_dataarray("factor").transpose("date", "asset", "factor").values
    nothing = np.full(w.shape[1], np.nan)
    want = [
        oracles.attribution(
            w.values[t - lag] if t >= lag else nothing, r.values[t],
            cube[t - lag] if t >= lag else np.full(cube[0].shape, np.nan), f.values[t],
            None if not active else base.values[t - lag] if t >= lag else nothing,
        )
        for t in range(len(w))
    ]  # fmt: skip
    parts = oracles.stack(want, "contribution", (5,))
    np.testing.assert_allclose(got.contribution, parts, rtol=1e-9, atol=1e-14)
    for k, name in enumerate(("missing_return", "missing_exposure")):
        np.testing.assert_array_equal(got.n_dropped[:, k], oracles.stack(want, name))
    np.testing.assert_array_equal(got.n_obs, oracles.stack(want, "n_obs"))
    earned = xf.portfolio_returns(w, r, lag=lag)
    np.testing.assert_allclose(got.portfolio_return, earned, rtol=1e-12, atol=1e-15)
    if active:
        earned = earned - xf.portfolio_returns(base, r, lag=lag)
    whole = got.contribution.sum("factor", skipna=False)
    known = np.isfinite(parts).all(axis=1)
    np.testing.assert_allclose(whole[known], earned[known], rtol=1e-12, atol=1e-14)
    assert known.any()


def test_attribute_returns__leaves_the_residuals_of_the_regression():
    w, _, x, _, r = problem(3, dates=14, lost=0.05)
    sector = r.copy(data=np.random.default_rng(3).integers(0, 2, r.shape))
    fit = xf.cross_sectional_ols(r, x, groups=sector)
    got = xf.attribute_returns(w, r, x, fit.factor_return, groups=sector)
    held = xf.lag(w.where(np.isfinite(w)))
    clean = (got.n_dropped.sum("reason") == 0) & got.contribution.notnull().all("factor")
    specific = (held * fit.residual).sum("asset")
    own = got.contribution.sel(factor="specific")
    np.testing.assert_allclose(own[clean.values], specific[clean.values], rtol=1e-9, atol=1e-14)
    assert int(clean.sum()) >= 3
    exposure = (held * xf.lag(x.x1)).sum("asset")
    np.testing.assert_allclose(
        got.exposure.sel(factor="x1")[clean.values], exposure[clean.values], rtol=1e-9
    )


def test_attribute_returns__of_a_mimicking_portfolio_is_its_factor_return():
    _, _, x, _, r = problem(4, lost=0.0)
    fit = xf.cross_sectional_ols(r, x)
    p = xf.mimicking_portfolios(x, lag=0).rename(factor="portfolio")
    got = xf.attribute_returns(p, r, x, fit.factor_return).contribution
    for name in x.data_vars:
        own = got.sel(portfolio=name)
        np.testing.assert_allclose(
            own.sel(factor=name), fit.factor_return.sel(factor=name), rtol=1e-9
        )
        np.testing.assert_allclose(own.sel(factor="specific"), own.sel(factor=name) * 0, atol=1e-12)


def test_link_contributions__sum_to_the_compound_return():
    w, base, x, f, r = problem(5)
    f[3, 0] = np.nan
    for benchmark in (None, base):
        result = xf.attribute_returns(w, r, x, f, benchmark=benchmark)
        linked = xf.link_contributions(result)
        p = result.portfolio_return
        b = result.benchmark_return if benchmark is not None else 0.0 * p
        known = (p + b).notnull()
        compound = (1 + p.where(known, 0.0)).cumprod() - (1 + b.where(known, 0.0)).cumprod()
        np.testing.assert_allclose(linked.sum("factor"), compound, rtol=1e-10, atol=1e-14)
        scale = np.zeros(len(p))  # Carino, date by date
        for t in range(len(p)):
            if known[t]:
                scale[t] = (np.log1p(p[t]) - np.log1p(b[t])) / (p[t] - b[t])
        total_p = (1 + p.where(known, 0.0)).prod() - 1
        total_b = (1 + b.where(known, 0.0)).prod() - 1
        whole = (np.log1p(total_p) - np.log1p(total_b)) / (total_p - total_b)
        size = result.contribution.sel(factor="x2").where(
            result.contribution.notnull().all("factor")
        )
        want = float((size.fillna(0.0) * scale).sum() / whole)
        np.testing.assert_allclose(linked.sel(factor="x2")[-1], want, rtol=1e-9)


def test_link_contributions__nothing_is_left_after_ruin_and_equal_returns_have_a_limit():
    r = xr.DataArray([[0.1], [-1.0], [0.5]], dims=("date", "asset"))
    x = xr.DataArray([[[1.0]]] * 3, dims=("date", "asset", "factor"), coords={"factor": ["m"]})
    f = xr.DataArray([[0.1], [-1.0], [0.5]], dims=("date", "factor"), coords={"factor": ["m"]})
    one = xr.DataArray([1.0], dims="asset")
    ruin = xf.link_contributions(xf.attribute_returns(one, r, x, f, lag=0))
    np.testing.assert_allclose(ruin[:, 0], [0.1, np.nan, np.nan], rtol=1e-12)
    even = xf.link_contributions(xf.attribute_returns(one, abs(r), x, f, benchmark=one, lag=0))
    np.testing.assert_allclose(even, 0.0, atol=1e-15)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_attribute_returns__is_the_same_bit_for_bit_whatever_the_chunks(seed, data):
    dates = data.draw(st.integers(2, 12))
    w, base, x, f, r = problem(seed, dates)
    w = xr.concat([w, -w], "portfolio") if data.draw(st.booleans()) else w
    if data.draw(st.booleans()):
        w, base, x, f, r = (a.astype(np.float32) for a in (w, base, x, f, r))
    cut = {"date": data.draw(strategies.cuts(dates))}
    want = xf.attribute_returns(w, r, x, f, benchmark=base)
    lazy = xf.attribute_returns(*[a.chunk(cut) for a in (w, r, x, f)], benchmark=base.chunk(cut))
    assert all(v.chunks is not None for v in lazy.values())
    assert lazy.contribution.dtype == w.dtype
    assert_same_bits(lazy.compute(), want)
    assert_same_bits(xf.link_contributions(lazy).compute(), xf.link_contributions(want))


def test_attribute_returns__computes_nothing_early_and_never_looks_ahead(raise_if_computes):
    w, base, x, f, r = problem(7)
    with raise_if_computes():
        lazy = xf.attribute_returns(*[a.chunk(date=4) for a in (w, r, x, f)])
        xf.link_contributions(lazy)
    panel = x.assign(w=w, base=base, r=r, f=f.rename(factor="k"))

    def run(p):
        f = p.f.rename(k="factor")
        result = xf.attribute_returns(p.w, p.r, p[list(x)], f, benchmark=p.base)
        return {"result": result, "linked": xf.link_contributions(result)}

    xf.testing.check_no_lookahead(run, panel)


def test_attribute_returns__errors_say_what_to_do():
    w, _, x, f, r = problem(8)
    run = xf.attribute_returns
    with pytest.raises(xf.PanelError, match="an exposure for each factor"):
        run(w, r, x[["x0"]], f)
    with pytest.raises(xf.PanelError, match="unexplained"):
        run(w, r, x, f.assign_coords(factor=["unexplained", "x1", "x2"]))
    with pytest.raises(xf.PanelError, match="'factor'"):
        run(w, r, x, f[:, 0])
    for args, words in (
        ((w[:2], r, x, f), "weights has 2"),
        ((w, r, x, f[:2]), "factor_returns has 2"),
        ((w, r, x[{"asset": slice(2)}], f), "exposures has 2"),
    ):
        with pytest.raises(xf.PanelError, match=words):
            run(*args)
    with pytest.raises(xf.PanelError, match="lag=-1"):
        run(w, r, x, f, lag=-1)
    with pytest.raises(TypeError, match="returns"):
        run(w, 0.1, x, f)
    with pytest.raises(xf.PanelError, match="no field 'contribution'"):
        xf.link_contributions(x)
    with pytest.raises(TypeError, match="attribute_returns"):
        xf.link_contributions(w)
