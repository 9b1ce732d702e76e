"""Time the package against references, side by side: ``python -m tests.benchmarks.speed``.

A ratio of two times on the same machine, taken in turns, means more than either time. To add a
row, append to `rows`. Medians of five; the arrays are 2,520 x 5,000 float64, 15 % missing.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import bottleneck
import dask
import numpy as np
import pandas as pd
import xarray as xr
from statsmodels.regression.rolling import RollingOLS

import xfactor as xf


@dataclass(frozen=True)
class Row:
    """An operation and what it is measured against."""

    name: str
    run: Callable[[], object]
    reference_name: str
    reference: Callable[[], object]
    scale: float = 1.0  # the reference does this share of the work: its time is multiplied


def panel(dates: int, assets: int, seed: int = 0) -> xr.DataArray:
    """Noise with 15 % missing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((dates, assets))
    x[rng.random(x.shape) < 0.15] = np.nan
    coords = {"date": pd.date_range("2010-01-01", periods=dates, freq="B"), "asset": range(assets)}
    return xr.DataArray(x, dims=("date", "asset"), coords=coords, name="x")


def rows(x: xr.DataArray, window: int = 100) -> list[Row]:
    """What is measured; add yours here."""
    v = x.values
    price = np.exp(x)
    lazy = x.chunk(date=256)
    codes = np.random.default_rng(2).integers(0, 11, v.shape).astype(np.int16)
    sector = x.copy(data=codes)

    def sort() -> object:
        return np.sort(v, axis=1)

    def mean() -> object:
        return bottleneck.move_mean(v, window, axis=0)

    def std() -> object:
        return bottleneck.move_std(v, window, axis=0, ddof=1)

    def copy() -> object:
        return v + 1.0

    return [
        Row("rank", lambda: xf.rank(x), "np.sort", sort),
        Row(
            "rank(average)",
            lambda: xf.rank(x, method="average"),
            "bottleneck.nanrankdata",
            lambda: bottleneck.nanrankdata(v, axis=1),
        ),
        Row("rank(average) again", lambda: xf.rank(x, method="average"), "np.sort", sort),
        Row("rank by 11 groups", lambda: xf.rank(x, by=sector), "np.sort", sort),
        Row("top", lambda: xf.top(x, 100), "np.sort", sort),
        Row("winsorize", lambda: xf.winsorize(x), "np.sort", sort),
        Row("standardize", lambda: xf.standardize(x), "np.sort", sort),
        Row("qcut(10)", lambda: xf.qcut(x, 10), "np.sort", sort),
        Row("quantile(.1 .5 .9)", lambda: xf.quantile(x, [0.1, 0.5, 0.9]), "np.sort", sort),
        Row(
            "demean",
            lambda: xf.demean(x),
            "v - bottleneck.nanmean",
            lambda: v - bottleneck.nanmean(v, axis=1)[:, None],
        ),
        Row(
            "demean by 11 groups",
            lambda: xf.demean(x, by=sector),
            "np.nanmean",
            lambda: np.nanmean(v, axis=1),
        ),
        *[
            Row(
                f"{name} through dask",
                lambda f=f: blocks(f(lazy)),
                "the same on numpy",
                lambda f=f: f(x),
            )
            for name, f in (("rank", xf.rank), ("standardize", xf.standardize))
        ],
        Row("lag", lambda: xf.lag(x), "v + 1", copy),
        Row("returns", lambda: xf.returns(price), "v + 1", copy),
        Row(
            "rolling_mean", lambda: xf.rolling_mean(x, window=window), "bottleneck.move_mean", mean
        ),
        Row("rolling_std", lambda: xf.rolling_std(x, window=window), "bottleneck.move_std", std),
        *[
            Row(
                f"rolling_{k}",
                partial(getattr(xf, f"rolling_{k}"), x, window=window),
                f"bottleneck.move_{k}",
                partial(getattr(bottleneck, f"move_{k}"), v, window, axis=0),
            )
            for k in ("sum", "max", "median", "rank")
        ],
        Row("rolling_skew", lambda: xf.rolling_skew(x, window=window), "bottleneck.move_std", std),
        Row(
            "rolling_corr",
            lambda: xf.rolling_corr(x, price, window=window),
            "bottleneck.move_std",
            std,
        ),
        Row(
            "decay_linear", lambda: xf.decay_linear(x, window=window), "bottleneck.move_mean", mean
        ),
        Row("ewm_mean", lambda: xf.ewm_mean(x, halflife=20), "bottleneck.move_mean", mean),
        *regressions(x, window),
        *cross_sectional_rows(x),
    ]


def blocks(x: xr.DataArray | xr.Dataset) -> object:
    """Compute every block, but do not join them: that copy is not the transform's."""
    arrays = list(x.data_vars.values()) if isinstance(x, xr.Dataset) else [x]
    alone = len(arrays) == 1  # else they share tasks, which must keep their names
    parts = [p for a in arrays for p in a.data.to_delayed(optimize_graph=alone).ravel()]
    return dask.compute(*parts, scheduler="synchronous")


def regressions(x: xr.DataArray, window: int) -> list[Row]:
    """Least squares in both directions, with three factors."""
    v = x.values
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((len(v), 3))
    factors = xr.DataArray(noise, dims=("date", "factor"), coords={"date": x.date})
    exposures = xr.Dataset({k: x.copy(data=rng.standard_normal(v.shape)) for k in "abc"})
    cubes = [exposures[k].values for k in "abc"]
    some = min(5, v.shape[1])

    def sums() -> object:
        return [np.nansum(a, axis=1) for a in (v, *cubes)]

    def numpy_ols() -> object:
        design = np.stack([np.ones_like(v), *cubes], axis=2)
        design[np.isnan(v)] = 0.0
        y = np.nan_to_num(v)
        gram = design.transpose(0, 2, 1) @ design
        return np.linalg.solve(gram, design.transpose(0, 2, 1) @ y[:, :, None])

    def statsmodels_rolling() -> object:
        design = np.column_stack([np.ones(len(v)), factors.values])
        return [
            RollingOLS(v[:, a], design, window, min_nobs=max(window // 2, 5), missing="drop")
            .fit()
            .params
            for a in range(some)
        ]

    own = partial(xf.cross_sectional_ols, x, exposures, lag=0)
    rolling = partial(xf.rolling_ols, window=window)
    lazy, lazy_factors = x.chunk(date=256), factors.chunk(date=256)
    return [
        Row("per-date OLS", own, "np.nansum of 4 arrays", sums),
        Row("per-date OLS", own, "np.linalg.solve", numpy_ols),
        Row(
            "time_series_ols",
            lambda: xf.time_series_ols(x, factors, se="ols"),
            "np.nansum of 4 arrays",
            sums,
        ),
        Row(
            "rolling_ols",
            lambda: rolling(x, factors),
            f"statsmodels, {some} assets scaled",
            statsmodels_rolling,
            v.shape[1] / some,
        ),
        Row(
            "rolling_ols(se=None)",
            lambda: rolling(x, factors, se=None),
            f"statsmodels, {some} assets scaled",
            statsmodels_rolling,
            v.shape[1] / some,
        ),
        *[
            Row(
                f"rolling_ols, {name}",
                partial(xf.rolling_ols, x, factors, **reach),
                "rolling_ols",
                lambda: rolling(x, factors),
            )
            for name, reach in (
                ("fading", {"window": window, "halflife": 30}),
                ("expanding", {"expanding": True}),
            )
        ],
        Row(
            "rolling_ols through dask",
            lambda: blocks(rolling(lazy, lazy_factors)),
            "the same on numpy",
            lambda: rolling(x, factors),
        ),
        Row(
            "time_series_ols through dask",
            lambda: blocks(xf.time_series_ols(lazy, lazy_factors, se="ols").drop_vars("residual")),
            "the same on numpy",
            lambda: xf.time_series_ols(x, factors, se="ols"),
        ),
    ]


def cross_sectional_rows(x: xr.DataArray) -> list[Row]:
    """Regressions across assets on groups and in their robust kinds, with three factors."""
    v = x.values
    rng = np.random.default_rng(3)
    exposures = xr.Dataset({k: x.copy(data=rng.standard_normal(v.shape)) for k in "abc"})
    cubes = [exposures[k].values for k in "abc"]
    sector = x.copy(data=rng.integers(0, 11, v.shape).astype(np.int16))
    sector.attrs["flag_values"] = list(range(11))
    country = x.copy(data=rng.integers(0, 20, v.shape).astype(np.int16))
    weights = x.copy(data=rng.lognormal(0.0, 1.0, v.shape))
    lazy = [a.chunk(date=256) for a in (x, exposures, weights, sector)]

    def sums() -> object:
        return [np.nansum(a, axis=1) for a in (v, *cubes)]

    def ols(**options: object) -> Callable[[], object]:
        return partial(xf.cross_sectional_ols, x, exposures, lag=0, **options)

    def through_dask() -> object:
        y, z, w, g = lazy
        fit = xf.cross_sectional_ols(y, z, weights=w, groups=g, lag=0).drop_vars("residual")
        return dask.compute(fit, scheduler="synchronous")

    def huber() -> object:
        some = slice(len(v) // 10)
        return xf.cross_sectional_ols(x[some], exposures.isel(date=some), lag=0, robust=xf.Huber())

    grouped = ols(weights=weights, groups=sector)
    both = {"country": country, "sector": sector}
    reference = ("np.nansum of 4 arrays", sums)
    return [
        Row("per-date WLS, 11 groups", grouped, *reference),
        Row("per-date WLS, 11 groups, white", ols(weights=weights, groups=sector, se="white"),
            *reference),
        Row("per-date WLS, 20 and 11 groups", ols(weights=weights, groups=both), *reference),
        Row("per-date Huber, a tenth of the dates", huber, *reference, 0.1),
        Row("per-date WLS, 11 groups through dask", through_dask, "the same on numpy", grouped),
    ]  # fmt: skip


def measure(table: Sequence[Row], repeats: int = 5) -> list[tuple[Row, float, float]]:
    """Median seconds of each operation and its reference, taken in turns after one warm-up."""
    results = []
    for row in table:
        row.run()  # Numba compiles
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats):
            for call, into in zip((row.run, row.reference), times, strict=True):
                start = time.perf_counter()
                call()
                into.append(time.perf_counter() - start)
        results.append((row, statistics.median(times[0]), row.scale * statistics.median(times[1])))
    return results


def report(results: Sequence[tuple[Row, float, float]], cells: int) -> str:
    """A table of medians and ratios."""
    lines = [f"{'operation':<20} {'s':>8} {'ns/cell':>8}   {'reference':<28} {'s':>8} {'ratio':>6}"]
    for row, own, other in results:
        lines.append(
            f"{row.name:<20} {own:8.3f} {own / cells * 1e9:8.1f}   "
            f"{row.reference_name:<28} {other:8.3f} {own / other:6.2g}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="only operations that start with one of these")
    parser.add_argument("--dates", type=int, default=2520)
    parser.add_argument("--assets", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    x = panel(chosen.dates, chosen.assets)
    table = [r for r in rows(x) if not chosen.names or r.name.startswith(tuple(chosen.names))]
    print(report(measure(table, chosen.repeats), x.size))


if __name__ == "__main__":
    main()
