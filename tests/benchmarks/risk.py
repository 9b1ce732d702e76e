"""Time the functions of risk against reading what they read: ``python -m tests.benchmarks.risk``.

In the style of `tests.benchmarks.speed`: medians of five, taken in turns with the reference. The
panels are 2,520 x 5,000 float64, ten factors; the reference of the portfolios is `np.nansum` of
the ten exposures, one reading of them.
"""

import argparse
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf
from tests.benchmarks.speed import Row, blocks, measure, report


def rows(dates: int, assets: int, factors: int = 10) -> list[Row]:
    """What is measured."""
    rng = np.random.default_rng(0)
    coords = {"date": pd.date_range("2010-01-01", periods=dates, freq="B"), "asset": range(assets)}
    names = [f"x{k}" for k in range(factors)]

    def panel() -> xr.DataArray:
        return xr.DataArray(
            rng.standard_normal((dates, assets)), dims=("date", "asset"), coords=coords
        )

    x = xr.Dataset({k: panel() for k in names})
    cubes = [x[k].values for k in names]
    weights, specific, returns = abs(panel()), panel() ** 2 * 1e-4, panel() * 0.02
    lost = rng.random(specific.shape) < 0.02
    specific.values[lost] = np.nan
    ten = xr.concat([weights * panel() for _ in range(10)], "portfolio")
    f = xr.DataArray(
        0.01 * rng.standard_normal((dates, factors)), dims=("date", "factor"),
        coords={"date": coords["date"], "factor": names},
    )  # fmt: skip
    covariance = xf.factor_covariance(f, window=252).covariance
    cut = {"date": 256}
    lazy = [a.chunk(cut) for a in (weights, x, covariance, specific)]

    def read() -> object:
        return [np.nansum(a) for a in cubes]

    decompose = xf.risk_decomposition
    one = partial(decompose, weights, x, covariance, specific)
    reference = (f"np.nansum of {factors} arrays", read)
    frame = pd.DataFrame(f.values)
    return [
        Row("risk_decomposition", one, *reference),
        Row("risk_decomposition, benchmark",
            partial(decompose, weights, x, covariance, specific, benchmark=ten.isel(portfolio=0)),
            *reference),
        Row("risk_decomposition, 10 portfolios",
            partial(decompose, ten, x, covariance, specific), *reference),
        Row("risk_decomposition through dask", lambda: blocks(decompose(*lazy)),
            "the same on numpy", one),
        Row("asset_covariance_product",
            partial(xf.asset_covariance_product, x, covariance, specific, weights), *reference),
        Row("attribute_returns", partial(xf.attribute_returns, weights, returns, x, f), *reference),
        Row("specific_variance", partial(xf.specific_variance, returns, halflife=60),
            "ewm_var", partial(xf.ewm_var, returns, halflife=60)),
        Row("specific_variance, shrunk", shrunk(returns, weights),
            "ewm_var", partial(xf.ewm_var, returns, halflife=60)),
        Row("factor_covariance, 252", partial(xf.factor_covariance, f, window=252),
            "pandas rolling.cov", lambda: frame.rolling(252).cov()),
        Row("factor_covariance, fading", partial(xf.factor_covariance, f, halflife=60),
            "pandas ewm.cov", lambda: frame.ewm(halflife=60).cov()),
        Row("tracking_portfolio",
            partial(xf.tracking_portfolio, x, dict.fromkeys(names, 0.1), specific_var=specific),
            *reference),
    ]  # fmt: skip


def shrunk(returns: xr.DataArray, sizes: xr.DataArray) -> partial[xr.Dataset]:
    """Specific variances drawn towards those of ten groups of size."""
    groups = xf.qcut(sizes, 10)
    return partial(xf.specific_variance, returns, halflife=60, by=groups, weights=sizes, shrink=0.1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="only operations that start with one of these")
    parser.add_argument("--dates", type=int, default=2520)
    parser.add_argument("--assets", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    table = rows(chosen.dates, chosen.assets)
    table = [r for r in table if not chosen.names or r.name.startswith(tuple(chosen.names))]
    print(report(measure(table, chosen.repeats), chosen.dates * chosen.assets))


if __name__ == "__main__":
    main()
