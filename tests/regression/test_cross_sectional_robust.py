"""Huber's weights, a ridge, two stages and weights: against statsmodels and plain NumPy."""

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr

import xfactor as xf
from tests.regression import constrained, oracles
from tests.regression.test_cross_sectional_groups import check, cube, drawn_codes, drawn_weights

RTOL, STDERR_RTOL = 1e-10, 1e-8
EXACT = xf.Huber(tolerance=1e-12, max_iterations=200)
NAN = np.nan


# --- Huber --------------------------------------------------------------------------------------


def huber(y, z, k=1.345):
    """Statsmodels' fit, iterated until nothing moves."""
    model = sm.RLM(y, z, M=sm.robust.norms.HuberT(k))
    return model.fit(maxiter=500, tol=1e-14, scale_est="mad")


@pytest.mark.parametrize("k", [1.345, 0.7])
@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__huber_equals_statsmodels(k, intercept):
    y, x = oracles.problem(1, dates=8, assets=40, infinite=0.02)
    y[:, 3] += 50.0
    robust = xf.Huber(k=k, tolerance=1e-12, max_iterations=200)
    got = xf.cross_sectional_ols(y, x, lag=0, robust=robust, intercept=intercept)
    for t in range(8):
        at = oracles.observed(y.values[t], cube(x)[t])
        z = oracles.design(cube(x)[t][:, at], intercept)
        want = huber(y.values[t, at], z, k)
        np.testing.assert_allclose(got.factor_return[t], want.params, rtol=RTOL, atol=RTOL)
        np.testing.assert_allclose(got.stderr[t], bse(want, z), rtol=STDERR_RTOL)


def bse(fit, z):
    """Errors of Huber's first correction; statsmodels counts a constant that is not there."""
    u = fit.resid / fit.scale
    n, p = z.shape
    inside = (np.abs(u) <= fit.model.M.t).mean()
    factor = 1 + p / n * (1 - inside) / inside
    bent = (np.clip(u, -fit.model.M.t, fit.model.M.t) ** 2).sum() * fit.scale**2 / (n - p)
    own = factor * np.sqrt(bent * np.diag(np.linalg.inv(z.T @ z))) / inside
    if np.ptp(z[:, 0]) == 0.0:
        np.testing.assert_allclose(own, fit.bse, rtol=STDERR_RTOL)
    return own


def test_cross_sectional_ols__huber_with_groups_equals_statsmodels_on_dummies():
    y, x = oracles.problem(2, dates=5, assets=60)
    sector = drawn_codes(3, y, (0, 1, 2))
    got = xf.cross_sectional_ols(y, x, lag=0, groups=sector, robust=EXACT, constraint="drop_first")
    for t in range(5):
        codes = sector.values[t]
        at = [i for i in oracles.observed(y.values[t], cube(x)[t]) if codes[i] >= 0]
        dummies = np.array([codes == 1, codes == 2], dtype=float)
        z = oracles.design(np.concatenate([cube(x)[t], dummies])[:, at], True)
        want = huber(y.values[t, at], z)
        keep = [0, 1, 2, 3, 5, 6]
        np.testing.assert_allclose(got.factor_return[t, keep], want.params, rtol=RTOL, atol=RTOL)
        np.testing.assert_allclose(got.stderr[t, keep], want.bse, rtol=STDERR_RTOL)


def test_cross_sectional_ols__huber_weighs_errors_scaled_by_their_weights():
    y, x = oracles.problem(4, dates=4, assets=50)
    w = drawn_weights(5, y)
    got = xf.cross_sectional_ols(y, x, lag=0, weights=w, robust=EXACT)
    for t in range(4):
        at = oracles.observed(y.values[t], cube(x)[t], w.values[t])
        root = np.sqrt(w.values[t, at])
        z = oracles.design(cube(x)[t][:, at], True) * root[:, None]
        want = huber(y.values[t, at] * root, z)
        np.testing.assert_allclose(got.factor_return[t], want.params, rtol=RTOL, atol=RTOL)


def test_cross_sectional_ols__huber_keeps_the_constraint_to_the_weights_of_the_caller():
    y, x = oracles.problem(6, dates=4, assets=50, missing=0.0)
    sector, w = drawn_codes(7, y, (0, 1, 2), 0.0), drawn_weights(8, y, bad=0.0)
    got = xf.cross_sectional_ols(y, x, lag=0, groups=sector, weights=w, robust=xf.Huber())
    held = sum((w.where(sector == v)).sum("asset") * got.factor_return[:, 4 + v] for v in range(3))
    np.testing.assert_allclose(held, 0.0, atol=1e-10)


def test_cross_sectional_ols__huber_of_a_large_k_is_least_squares():
    y, x = oracles.problem(9)
    got = xf.cross_sectional_ols(y, x, robust=xf.Huber(k=1e6)).compute()
    want = xf.cross_sectional_ols(y, x).compute()
    oracles.assert_close(got, want, rtol=1e-9, atol=1e-11)


def test_cross_sectional_ols__huber_hardly_feels_an_outlier_and_says_so_in_time():
    y, x = oracles.problem(10, dates=3, assets=60, missing=0.0, noise=0.1)
    bad = y.copy()
    bad[:, 0] = 1e6
    clean = xf.cross_sectional_ols(y, x, lag=0).factor_return
    got = xf.cross_sectional_ols(bad, x, lag=0, robust=xf.Huber(max_iterations=200)).factor_return
    np.testing.assert_allclose(got, clean, atol=0.1)
    once = xf.cross_sectional_ols(bad, x, lag=0, robust=xf.Huber(max_iterations=1))
    assert bool(once.factor_return.isnull().all())
    assert bool(once.rsquared.isnull().all())
    np.testing.assert_array_equal(once.n_obs, 60)


def test_cross_sectional_ols__huber_without_noise_is_exact():
    y, x = oracles.problem(11, dates=3, noise=0.0, missing=0.0)
    y = xr.zeros_like(y)
    got = xf.cross_sectional_ols(y, x, lag=0, robust=xf.Huber())
    np.testing.assert_array_equal(got.factor_return, 0.0)


# --- ridge --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ridge", [1e-3, 0.5, 20.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_cross_sectional_ols__ridge_equals_the_penalised_equations(ridge, weighted):
    y, x = oracles.problem(12, dates=8, assets=50)
    x = x.assign(x1=1e3 * x.x1)
    w = drawn_weights(13, y) if weighted else None
    sets = {"a": drawn_codes(14, y, (0, 1, 2)), "b": drawn_codes(15, y, (0, 1))}
    for some in (sets, {"a": sets["a"]}):
        check(y, x, some, weights=w, ridge=ridge)


@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__ridge_without_groups_equals_the_penalised_equations(intercept):
    y, x = oracles.problem(16, dates=6, assets=30)
    got = xf.cross_sectional_ols(y, x, ridge=0.3, lag=0, intercept=intercept)
    naive = constrained.by_date(y.values, cube(x), [], 0, ridge=0.3, intercept=intercept)
    for name, mine in (("params", got.factor_return), ("bse", got.stderr),
                       ("rsquared", got.rsquared)):  # fmt: skip
        np.testing.assert_allclose(mine, oracles.stack(naive, name), rtol=STDERR_RTOL)


def test_cross_sectional_ols__a_ridge_shares_a_return_among_equal_exposures():
    y, x = oracles.problem(17, dates=4, assets=40, factors=2)
    one = xf.cross_sectional_ols(y, x, lag=0).factor_return
    for ridge in (1e-9, 1e-3):
        twice = x.assign(x2=x.x1)
        got = xf.cross_sectional_ols(y, twice, lag=0, ridge=ridge).factor_return
        np.testing.assert_allclose(got[:, 2], got[:, 3], rtol=1e-6)
        np.testing.assert_allclose(got[:, 2:].sum("factor"), one[:, 2], rtol=2 * ridge + 1e-6)


# --- two stages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_cross_sectional_ols__two_stages_are_two_regressions(weighted, intercept):
    y, x = oracles.problem(18, dates=8, assets=50, infinite=0.02)
    sector = drawn_codes(19, y, (0, 1, 2))
    w = drawn_weights(20, y) if weighted else None
    got = xf.cross_sectional_ols(
        y, x, groups=sector, weights=w, method="two_stage", lag=0, intercept=intercept
    )
    known = np.isfinite(y) & np.isfinite(x.to_dataarray()).all("variable") & (sector >= 0)
    first = constrained.by_date(
        y.where(known).values, np.empty((8, 0, 50)), [(sector.values.astype(float), (0, 1, 2))], 0,
        None if w is None else w.values, intercept=intercept,
    )  # fmt: skip
    at = int(intercept)
    for t, one in enumerate(first):
        groups = one.params[at:][sector.values[t]] + (one.params[0] if intercept else 0.0)
        left = np.where(known.values[t], y.values[t] - groups, NAN)
        weight = None if w is None else w.values[t]
        two = oracles.ols(left, cube(x)[t], weight, intercept=False)
        want = np.concatenate([one.params[:at], two.params, one.params[at:]])
        np.testing.assert_allclose(got.factor_return[t], want, rtol=RTOL, atol=RTOL)
        want = np.concatenate([one.bse[:at], two.bse, one.bse[at:]])
        np.testing.assert_allclose(got.stderr[t], want, rtol=STDERR_RTOL)
        e = got.residual.values[t]
        seen = known.values[t] if w is None else known.values[t] & np.isin(
            np.arange(50), oracles.observed(left, cube(x)[t], weight)
        )  # fmt: skip
        own = np.ones(seen.sum()) if w is None else w.values[t, seen]
        mean = np.average(y.values[t, seen], weights=own)
        r2 = 1 - (own * e[seen] ** 2).sum() / (own * (y.values[t, seen] - mean) ** 2).sum()
        np.testing.assert_allclose(got.rsquared[t], r2, rtol=1e-9)


def test_cross_sectional_ols__two_stages_are_the_joint_estimate_of_demeaned_exposures():
    y, x = oracles.problem(21, dates=5, assets=60, missing=0.0)
    sector = drawn_codes(22, y, (0, 1), 0.0)
    x = xf.demean(x, by=sector)
    joint = xf.cross_sectional_ols(y, x, groups=sector, lag=0)
    two = xf.cross_sectional_ols(y, x, groups=sector, lag=0, method="two_stage")
    np.testing.assert_allclose(two.factor_return, joint.factor_return, atol=1e-12)
    mixed = xf.cross_sectional_ols(
        y, x + sector, groups=sector, lag=0, method="two_stage"
    ).factor_return
    assert float(abs(mixed - joint.factor_return).max()) > 0.01


# --- weights and refusals -----------------------------------------------------------------------


def test_regression_weights__are_missing_unless_positive_and_finite():
    x = xr.DataArray([[4.0, 0.0, -1.0, NAN, np.inf, 0.25]], dims=("date", "asset"), name="cap")
    root = xf.regression_weights(x)
    np.testing.assert_array_equal(root, [[2.0, NAN, NAN, NAN, NAN, 0.5]])
    inverse = xf.regression_weights(x, method="inverse")
    np.testing.assert_array_equal(inverse, [[0.25, NAN, NAN, NAN, NAN, 4.0]])
    assert xf.regression_weights(x.astype(np.float32)).dtype == np.float32
    with pytest.raises(xf.PanelError, match="'square_root', 'inverse'"):
        xf.regression_weights(x, method="log")


def test_regression_weights__are_lazy(raise_if_computes):
    y, _ = oracles.problem(23)
    with raise_if_computes():
        assert xf.regression_weights(y.chunk(date=7)).chunks is not None


def test_regression_weights__by_inverse_variance_beat_equal_ones():
    y, x = oracles.problem(24, dates=40, assets=60, missing=0.0, noise=0.0)
    rng = np.random.default_rng(25)
    variance = xr.zeros_like(y) + np.exp(rng.normal(0, 2, 60))
    noisy = y + np.sqrt(variance) * rng.normal(size=y.shape)
    true = xf.cross_sectional_ols(y, x, lag=0).factor_return
    w = xf.regression_weights(variance, method="inverse")
    errors = [
        float(abs(xf.cross_sectional_ols(noisy, x, lag=0, weights=v).factor_return - true).mean())
        for v in (w, None)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_cross_sectional_ols__refuses_what_is_not_one_estimate():
    y, x = oracles.problem(26)
    for options in ({"se": "white"}, {"ridge": 0.1}):
        with pytest.raises(xf.PanelError, match="errors of its own"):
            xf.cross_sectional_ols(y, x, robust=xf.Huber(), **options)
    with pytest.raises(TypeError, match="robust takes Huber"):
        xf.cross_sectional_ols(y, x, robust="huber")
    with pytest.raises(xf.PanelError, match="without groups"):
        xf.cross_sectional_ols(y, x, method="two_stage")
    for bad in (-0.1, np.inf, NAN):
        with pytest.raises(xf.PanelError, match="ridge="):
            xf.cross_sectional_ols(y, x, ridge=bad)
    for bad in ({"k": 0.0}, {"tolerance": NAN}, {"max_iterations": 0}):
        with pytest.raises(xf.PanelError, match="was given"):
            xf.Huber(**bad)
