"""Worst relative error of each estimator beside a peer: ``python -m tests.benchmarks.accuracy``.

Random panels with missing data, `SEEDS` of them. An error is relative to the largest value of its
kind in the same regression, so that a coefficient near 0 does not decide. To add a row, write a
function of a seed that gives pairs of arrays, ours and the peer's, and put it into `ROWS`.
"""

import argparse
from collections.abc import Callable, Iterable

import numpy as np
import statsmodels.api as sm
import xarray as xr
from linearmodels.panel import FamaMacBeth
from statsmodels.regression.rolling import RollingOLS
from statsmodels.stats import diagnostic, outliers_influence, stattools

import xfactor as xf
from tests.regression import constrained, oracles

SEEDS = 20
COEFFICIENTS, ERRORS = 1e-10, 1e-8  # what the tests ask for

Pairs = Iterable[tuple[str, np.ndarray, np.ndarray]]


def cube(x: xr.Dataset) -> np.ndarray:
    """Exposures (date, factor, asset)."""
    return x.to_dataarray("factor").transpose("date", "factor", "asset").values


def cross_sectional(seed: int, weighted: bool = False, se: str = "ols") -> Pairs:
    """Every date by itself, with 15 % missing."""
    y, x = oracles.problem(seed, dates=25, assets=60, missing=0.15)
    weights = y.copy(data=np.random.default_rng(seed).uniform(0.1, 5.0, y.shape))
    given = {"weights": weights} if weighted else {}
    got = xf.cross_sectional_ols(y, x, lag=0, se=se, **given)
    cov = {"cov_type": "HC1"} if se == "white" else {}
    fits = oracles.by_date(
        y.values, cube(x), lag=0, weights=weights.values if weighted else None, **cov
    )
    yield from factor_returns(got, fits)


def grouped(seed: int) -> Pairs:
    """Styles, countries and industries with weights, under the constraint of market caps."""
    y, x = oracles.problem(seed, dates=12, assets=80, missing=0.1)
    rng = np.random.default_rng(seed)
    cap = y.copy(data=rng.lognormal(size=y.shape))
    sets = {k: y.copy(data=rng.integers(-1, n, y.shape)) for k, n in (("a", 4), ("b", 6))}
    got = xf.cross_sectional_ols(y, x, lag=0, weights=cap**0.5, market_cap=cap, groups=sets)
    known = [(sets["a"].values, range(4)), (sets["b"].values, range(6))]
    fits = constrained.by_date(
        y.values, cube(x), known, lag=0, weights=cap.values**0.5, size=cap.values
    )
    yield from factor_returns(got, fits)


def factor_returns(got: xr.Dataset, fits: list) -> Pairs:
    """What a regression for each date gives beside its naive twins."""
    yield "coefficient", got.factor_return.values, oracles.stack(fits, "params")
    yield "error", got.stderr.values, oracles.stack(fits, "bse")
    yield "error", got.rsquared.values[:, None], oracles.stack(fits, "rsquared")[:, None]


def huber(seed: int) -> Pairs:
    """Iterated until nothing moves, as the peer is."""
    y, x = oracles.problem(seed, dates=6, assets=60, missing=0.1)
    settled = xf.Huber(tolerance=1e-12, max_iterations=300)
    got = xf.cross_sectional_ols(y, x, lag=0, robust=settled)
    for t in range(6):
        at = oracles.observed(y.values[t], cube(x)[t])
        z = oracles.design(cube(x)[t][:, at], True)
        model = sm.RLM(y.values[t, at], z, M=sm.robust.norms.HuberT(settled.k))
        peer = model.fit(maxiter=500, tol=1e-14, scale_est="mad")
        yield "coefficient", got.factor_return.values[t][None], peer.params[None]
        yield "error", got.stderr.values[t][None], peer.bse[None]


def time_series(seed: int, se: str) -> Pairs:
    """Every asset by itself. Newey-West without gaps, which statsmodels would close."""
    y, f = oracles.streams(seed, missing=0.0 if se == "newey_west" else 0.15)
    got = xf.time_series_ols(y, f, se=se)
    lags = got.attrs.get("lags", 0)
    cov = {
        "ols": {},
        "white": {"cov_type": "HC1"},
        "newey_west": {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": True}},
    }[se]
    xs = f.to_dataarray("factor").transpose("factor", "date").values
    fits = [oracles.ols(column, xs, **cov) for column in y.values.T]
    both = [np.column_stack([got[a], got[b]]) for a, b in
            (("alpha", "beta"), ("alpha_stderr", "stderr"))]  # fmt: skip
    yield "coefficient", both[0], oracles.stack(fits, "params")
    yield "error", both[1], oracles.stack(fits, "bse")
    yield "error", got.rsquared.values[:, None], oracles.stack(fits, "rsquared")[:, None]


def rolling(seed: int) -> Pairs:
    """Windows of 40 dates."""
    y, f = oracles.streams(seed, dates=150, assets=4, missing=0.15)
    f = f.fillna(0.0)
    got = xf.rolling_ols(y, f, window=40, min_obs=20)
    design = sm.add_constant(f.to_dataarray("factor").transpose("date", "factor").values)
    for a in range(4):
        options = {"min_nobs": 20, "missing": "drop", "expanding": True}
        peer = RollingOLS(y.values[:, a], design, 40, **options).fit()
        one = got.isel(asset=a)
        yield "coefficient", np.column_stack([one.alpha, one.beta]), peer.params
        yield "error", np.column_stack([one.alpha_stderr, one.stderr]), peer.bse
        yield "error", one.rsquared.values[:, None], np.asarray(peer.rsquared)[:, None]


def fading(seed: int, **reach: float) -> Pairs:
    """Weights that halve every 15 dates."""
    y, f = oracles.streams(seed, dates=80, assets=2, missing=0.15)
    got = xf.rolling_ols(y, f, min_obs=20, halflife=15, **reach)
    xs = f.to_dataarray("factor").transpose("factor", "date").values
    for a in range(2):
        fits = []
        for t in range(80):
            dates = slice(max(0, t + 1 - reach.get("window", 80)), t + 1)
            age = t - np.arange(80)[dates]
            w = 0.5 ** (age / 15)
            fits.append(oracles.ols(y.values[dates, a], xs[:, dates], w, min_obs=20))
        one = got.isel(asset=a)
        yield "coefficient", np.column_stack([one.alpha, one.beta]), oracles.stack(fits, "params")
        errors = np.column_stack([one.alpha_stderr, one.stderr])
        yield "error", errors, oracles.stack(fits, "bse")


def fama_macbeth(seed: int) -> Pairs:
    """Against linearmodels, iid and kernel errors."""
    y, x = oracles.problem(seed, dates=60, assets=30, missing=0.15)
    table = x.assign(y=y).to_dataframe(dim_order=["asset", "date"]).dropna()
    z = table[list(x)].assign(intercept=1.0)[["intercept", *x]]
    model = FamaMacBeth(table["y"], z)
    got = xf.fama_macbeth(y, x, lag=0, lags=5)
    iid = model.fit(cov_type="unadjusted", debiased=True)
    kernel = model.fit(cov_type="kernel", kernel="bartlett", bandwidth=5, debiased=True)
    yield "coefficient", got.premium.values[None], iid.params.to_numpy()[None]
    yield "error", got.stderr_iid.values[None], iid.std_errors.to_numpy()[None]
    yield "error", got.stderr.values[None], kernel.std_errors.to_numpy()[None]


def newey_west(seed: int) -> Pairs:
    """The mean of a series."""
    x = np.random.default_rng(seed).normal(size=300).cumsum()
    got = xf.newey_west(xr.DataArray(x, dims="date"), lags=7)
    peer = sm.OLS(x, np.ones(300)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": True}
    )
    yield "coefficient", np.array([[got["mean"]]]), peer.params[None]
    yield "error", np.array([[got.stderr]]), peer.bse[None]


def residual_tests(seed: int) -> Pairs:
    """Jarque-Bera, Breusch-Pagan, Durbin-Watson and Ljung-Box of the residuals of 20 assets."""
    e, f = oracles.streams(seed, dates=300, assets=20, missing=0.0)
    design = sm.add_constant(f.to_dataarray("factor").transpose("date", "factor").values)
    peers = {
        "jarque_bera": (xf.jarque_bera(e), lambda v: stattools.jarque_bera(v)[:2]),
        "koenker": (
            xf.breusch_pagan(e, f),
            lambda v: diagnostic.het_breuschpagan(v, design)[:2],
        ),
        "original": (
            xf.breusch_pagan(e, f, method="original"),
            lambda v: diagnostic.het_breuschpagan(v, design, robust=False)[:2],
        ),
        "ljung_box": (
            xf.ljung_box(e, lags=8),
            lambda v: diagnostic.acorr_ljungbox(v, [8]).to_numpy()[0],
        ),
    }
    for got, peer in peers.values():
        want = np.array([peer(column) for column in e.values.T])
        yield "coefficient", got.statistic.values[:, None], want[:, :1]
        yield "error", got.pvalue.values[:, None], want[:, 1:]
    want = np.array([stattools.durbin_watson(column) for column in e.values.T])
    yield "coefficient", xf.durbin_watson(e).statistic.values[:, None], want[:, None]


def inflation(seed: int) -> Pairs:
    """Variance inflation factors of each date."""
    _, x = oracles.problem(seed, dates=10, assets=40, missing=0.0)
    want = [
        [outliers_influence.variance_inflation_factor(sm.add_constant(z.T), k + 1)
         for k in range(len(z))]
        for z in cube(x)
    ]  # fmt: skip
    yield "coefficient", xf.vif(x).vif.values, np.array(want)


ROWS: dict[str, tuple[str, Callable[[int], Pairs]]] = {
    "cross_sectional_ols": ("statsmodels OLS", cross_sectional),
    "cross_sectional_ols weighted": ("statsmodels WLS", lambda s: cross_sectional(s, True)),
    "cross_sectional_ols white": (
        "statsmodels HC1",
        lambda s: cross_sectional(s, True, "white"),
    ),
    "cross_sectional_ols groups": ("WLS on dummies, null space", grouped),
    "cross_sectional_ols Huber": ("statsmodels RLM", huber),
    "time_series_ols": ("statsmodels OLS", lambda s: time_series(s, "ols")),
    "time_series_ols white": ("statsmodels HC1", lambda s: time_series(s, "white")),
    "time_series_ols newey_west": ("statsmodels HAC", lambda s: time_series(s, "newey_west")),
    "rolling_ols": ("statsmodels RollingOLS", rolling),
    "rolling_ols fading": ("statsmodels WLS", lambda s: fading(s, window=40)),
    "rolling_ols expanding": ("statsmodels WLS", lambda s: fading(s, expanding=True)),
    "fama_macbeth": ("linearmodels FamaMacBeth", fama_macbeth),
    "newey_west": ("statsmodels HAC", newey_west),
    "tests of residuals": ("statsmodels", residual_tests),
    "vif": ("statsmodels", inflation),
}


def worst(row: Callable[[int], Pairs], seeds: Iterable[int]) -> dict[str, float]:
    """The largest relative errors of coefficients and of errors (statistics, p-values)."""
    found = {"coefficient": 0.0, "error": 0.0}
    for seed in seeds:
        for kind, got, want in row(seed):
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
            known = ~np.isnan(want).all(axis=-1)
            if known.any():
                got, want = got[known], want[known]
                size = np.nanmax(np.abs(want), axis=-1, keepdims=True)
                size[size == 0.0] = 1.0
                found[kind] = max(found[kind], float(np.nanmax(np.abs(got - want) / size)))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = range(parser.parse_args().seeds)
    print(f"{'estimator':<30} {'peer':<26} {'coefficients':>12} {'errors':>9}")
    for name, (peer, row) in ROWS.items():
        found = worst(row, seeds)
        print(f"{name:<30} {peer:<26} {found['coefficient']:12.1e} {found['error']:9.1e}")


if __name__ == "__main__":
    main()
