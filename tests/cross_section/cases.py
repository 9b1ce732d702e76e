"""The table of transforms along asset, each with its naive twin."""

from functools import partial

import numpy as np
import xarray as xr

import xfactor as xf
from tests import oracles
from tests.contracts import Case

ABOUT_CASE = ("exact", "dtype", "scaled", "fills", "rounds")
METHODS = ("ordinal", "average", "min", "max", "dense")


def case(name, oracle, labelled=False, twin=None, function=None, **options):
    """The transform `name` and its naive twin, which takes the assets of one date as a list.

    Options named in `ABOUT_CASE` describe the case; the others go to the transform and, unless
    `twin` has other ones, to its twin.
    """
    about = {k: options.pop(k) for k in ABOUT_CASE if k in options}
    naive = partial(
        oracles.each, oracle, dim="asset", labelled=labelled, **(options if twin is None else twin)
    )
    return Case(name, function or getattr(xf, name), options, naive, **about)


def ranked(**options):
    """A case of `rank`: whole ranks are exact, fractions are divided once."""
    return case("rank", oracles.rank, labelled=True, exact=True, scaled=False, **options)


def static(x, dim="asset"):
    """An exposure that goes with the labels of the assets, in whatever order they are stored."""
    labels = x[dim].values
    place = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
    return xr.DataArray((place**2 % 7).astype(float), dims=dim, coords={dim: labels})


def neutralized(x, **options):
    """`neutralize` on an exposure made from the labels, for the table has no room for a second
    input; tests with exposures of their own are elsewhere.
    """
    if "asset" not in x.coords:
        zeros = xr.DataArray(np.zeros(x.sizes.get("asset", 1)), dims="asset")
        return xf.neutralize(x, zeros, **options)
    return xf.neutralize(x, static(x), **options)


LIMITS = [(0.1, 0.1, 0.1), (0.0, 0.0, 0.0), ((0.05, 0.3), 0.05, 0.3), ((None, 0.2), 0.0, 0.2)]
WIDTHS = [(None, 3.0, 3.0), (1.5, 1.5, 1.5), ((None, 1.0), np.inf, 1.0)]

CASES = [
    *[ranked(method=m, ascending=a) for m in METHODS for a in (True, False)],
    *[ranked(method=m, pct=p) for m in METHODS for p in (True, "hazen", "linear")],
    case(
        "rank", oracles.rank, True, scaled=False, scores="normal", method="average", ascending=False
    ),
    *[
        case(
            name, oracle, True, exact=True, dtype=np.bool_, twin={"n": n, "exact": every}, n=n,
            function=partial(getattr(xf, name), exact=every),
        )
        for name, oracle in (("top", oracles.top), ("bottom", oracles.bottom))
        for n in (1, 3)
        for every in (True, False)
    ],
    *[
        case("between", oracles.between, exact=True, dtype=np.bool_, low=a, high=b)
        for a, b in [(0.0, 1.0), (0.0, 0.5), (0.25, 0.75), (1.0, 1.0)]
    ],
    *[
        case("qcut", oracles.qcut, m == "rank", exact=True, dtype=np.int16, bins=b, method=m)
        for m in ("pivot", "ecdf", "rank")
        for b in (1, 2, 5, 40, [0, 0.3, 0.7, 1], [0, 1 / 3, 0.5, 2 / 3, 1], [0, 1])
    ],
    *[
        case(
            name, oracle, exact=m == "count", twin={"low": a, "high": b, "method": m},
            limits=limits, method=m,
        )
        for name, oracle in (("winsorize", oracles.winsorize), ("trim", oracles.trim))
        for m, choices in (
            ("count", LIMITS), ("quantile", LIMITS), ("mad", WIDTHS), ("sigma", WIDTHS)
        )
        for limits, a, b in choices
    ],
    *[case("zscore", oracles.zscore, scaled=False, ddof=d) for d in (0, 1)],
    case("zscore", oracles.robust_zscore, scaled=False, twin={}, method="robust"),
    *[
        case(
            "standardize", oracles.standardize, scaled=False, rounds=True, limits=limits,
            method=m, ddof=1, twin={"low": limits, "high": limits, "ddof": 1, "method": m},
        )
        for m, limits in (("count", 0.2), ("sigma", 1.5))
    ],
    case("demean", oracles.demean),
    *[
        case("fillna", oracles.fillna, fills=True, method=m, min_obs=n)
        for m in ("median", "mean")
        for n in (1, 3)
    ],
    case("neutralize", oracles.neutralize, labelled=True, function=neutralized),
]  # fmt: skip
