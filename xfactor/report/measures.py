"""The numbers of a report: which can be had from a store, made lazily, computed in a few passes.

Each pass reads what it needs once, block by block; one after the other they need no more memory
than the lecture does. What a store lacks leaves out what depends on it, and says so.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply, cross_section, lecture, panel, time_series
from xfactor.evaluation import coverage, evaluate_signals
from xfactor.evaluation.means import means
from xfactor.plot.reduced import lazy_counts
from xfactor.portfolios import hedge, long_short, performance, portfolio_returns
from xfactor.regression import cross_sectional_ols, newey_west, rolling_ols, time_series_ols
from xfactor.report.inputs import (
    Inputs,
    Measures,
    Options,
    inputs_of,
    listed_of,
    portfolio_of,
)
from xfactor.risk import factor_covariance, risk_decomposition, specific_variance

# The factor of each known characteristic, and its sign: SMB is long the small.
SORTED = {"size": ("SMB", -1), "value": ("HML", 1), "momentum": ("MOM", 1)}
# Half-life of the risk model, and how many of them it looks back: what is older weighs under 2 %.
HALFLIFE, HALFLIVES = 63, 6
# Bytes of a field that signals are judged on in one pass.
PIECE = 2**25
BARS, LIMITS = 48, (-6.0, 6.0)  # of the histograms, in standard deviations


def measured(fields: xr.Dataset, options: Options) -> Measures:
    """Compute all that can be had from a panel.

    Parameters
    ----------
    fields
        A lazy panel.
    options
        Choices of the caller.

    Returns
    -------
    Measures
        Datasets in memory: series by date and tables, none of the size of the panel.
    """
    done = Measures()
    _coverage(fields, options, done)
    inputs = inputs_of(fields, options, done)
    if inputs is None:
        return done
    _first_pass(inputs, options, done)
    for part in (_betas, _risk, _signals):
        part(inputs, options, done)
    return done


# --- the passes ---------------------------------------------------------------------------------


def _first_pass(inputs: Inputs, options: Options, done: Measures) -> None:
    """Factor returns of both approaches, the portfolio, the histograms: one pass over the store."""
    lazy: dict[str, xr.Dataset] = {}
    factors = _factor_returns(inputs, options, done)
    if factors:
        lazy["factors"] = factors.to_dataarray(panel.FACTOR).to_dataset(name="factor_return")
    weights = portfolio_of(inputs, options, done)
    if weights is not None:
        own = portfolio_returns(weights, inputs.returns)
        lazy["portfolio"] = xr.Dataset({"portfolio_return": own})
    if inputs.traits:
        fit = cross_sectional_ols(inputs.returns, inputs.exposures)
        lazy["regressions"] = fit.drop_vars("residual")
        lazy["exposures"] = _histograms(inputs)
    computed = _apply.compute(*lazy.values(), progress=options.progress)
    found = dict(zip(lazy, computed, strict=True))
    _keep_known(found, done)
    done.found |= found
    if "factors" in found:
        known = found["factors"].factor_return
        done.found["performance"] = _apply.compute(
            performance(known, periods_per_year=options.periods_per_year)
        )[0]
    if "regressions" in found:
        mean = newey_west(found["regressions"].factor_return)
        done.found["premia"] = _apply.compute(mean)[0]
    _against_factors(options, done)


def _factor_returns(inputs: Inputs, options: Options, done: Measures) -> xr.Dataset:
    made: dict[str, xr.DataArray] = {}
    if "market_returns" in inputs.fields:
        made["market"] = inputs.fields["market_returns"].astype(np.float64)
    else:
        done.left_out["Market"] = "the store has no market_returns"
    legs: dict[str, Any] = {"fraction": options.fraction} if options.n is None else {}
    for name, trait in inputs.traits.data_vars.items():
        factor, sign = SORTED.get(str(name), (str(name), 1))
        weights = long_short(trait, n=options.n, min_names=options.min_names, **legs)
        made[factor] = portfolio_returns(sign * weights, inputs.returns)
    return xr.Dataset({k: v.drop_attrs() for k, v in made.items()})


def _histograms(inputs: Inputs) -> xr.Dataset:
    counts: dict[str, dict[str, xr.DataArray]] = {"raw": {}, "winsorized": {}}
    for name, trait in inputs.traits.data_vars.items():
        for kind, x in (
            ("raw", cross_section.zscore(trait)),
            ("winsorized", inputs.exposures[name]),
        ):
            counts[kind][str(name)], _ = lazy_counts(x, BARS, LIMITS)
    return xr.Dataset({k: xr.Dataset(v).to_dataarray(panel.FACTOR) for k, v in counts.items()})


def _keep_known(found: dict[str, xr.Dataset], done: Measures) -> None:
    """Take out factors and regressions that are missing on every date, and say so."""
    if "factors" in found:
        known = found["factors"].factor_return.notnull().any(panel.DATE)
        for name in found["factors"][panel.FACTOR].values[~known.values]:
            done.left_out[f"Factor {name}"] = "no date has enough names in each leg"
        found["factors"] = found["factors"].isel({panel.FACTOR: np.flatnonzero(known)})
        if not known.any():
            del found["factors"]
    if "regressions" in found and not bool(found["regressions"].rsquared.notnull().any()):
        del found["regressions"]
        done.left_out["Regressions across assets"] = "no date has enough assets with all exposures"
    if "exposures" in found:
        counts = found["exposures"].raw.sum("bar")
        for name in counts[panel.FACTOR].values[counts.values == 0]:
            done.left_out[f"Exposure {name}"] = "no date has values that differ"
        found["exposures"] = found["exposures"].isel({panel.FACTOR: np.flatnonzero(counts)})
        if not counts.any():
            del found["exposures"]
    if "portfolio" in found and not bool(found["portfolio"].portfolio_return.notnull().any()):
        del found["portfolio"]
        done.left_out["Portfolio"] = "no date has its return"


def _against_factors(options: Options, done: Measures) -> None:
    """Betas and hedge of the portfolio: series in memory."""
    if not {"factors", "portfolio"} <= set(done.found):
        return
    own, factors = (
        done.found["portfolio"].portfolio_return,
        done.found["factors"].factor_return.transpose(panel.DATE, panel.FACTOR),
    )
    static = time_series_ols(own, factors).drop_vars("residual")
    done.found["sensitivity"] = _apply.compute(static)[0]
    if not _long_enough(own, options, done, "Rolling betas and hedge"):
        return
    rolling = rolling_ols(own, factors, window=options.window)
    hedged = hedge(own, factors, window=options.window).hedged
    rolling, hedged = _apply.compute(rolling, hedged)
    if not bool(hedged.notnull().any()):
        done.left_out["Rolling betas and hedge"] = "no window has enough complete dates"
        return
    done.found["rolling"] = rolling
    known = hedged.notnull()
    streams = xr.concat([own.where(known), hedged], panel.FACTOR, coords="minimal",
                        compat="override")  # fmt: skip
    streams = streams.assign_coords({panel.FACTOR: ["unhedged", "hedged"]})
    done.found["hedge"] = _apply.compute(
        performance(streams, periods_per_year=options.periods_per_year).assign(stream=streams)
    )[0]


def _long_enough(x: xr.DataArray, options: Options, done: Measures, what: str) -> bool:
    if x.sizes[panel.DATE] > options.window:
        return True
    done.left_out[what] = f"{x.sizes[panel.DATE]} dates are no longer than a window"
    return False


def _betas(inputs: Inputs, options: Options, done: Measures) -> None:
    """Quantiles of the rolling betas of every asset: a pass that keeps none of the betas."""
    what = "Rolling betas of every asset"
    if "factors" not in done.found or not _long_enough(inputs.returns, options, done, what):
        return
    factors = done.found["factors"].factor_return.transpose(panel.DATE, panel.FACTOR)
    cuts = inputs.returns.chunksizes.get(panel.DATE)
    if cuts:
        factors = factors.chunk({panel.DATE: cuts})
    every = rolling_ols(inputs.returns, factors, window=options.window, se=None).beta
    lazy = cross_section.quantile(every, lecture.QUANTILES)
    (found,) = _apply.compute(lazy, progress=options.progress)
    if bool(found.notnull().any()):
        done.found["betas"] = found.to_dataset(name="beta_quantile")
    else:
        done.left_out[what] = "no window has enough complete dates"


def _risk(inputs: Inputs, options: Options, done: Measures) -> None:
    """Risk of the portfolio on the last date, from the last dates."""
    if not {"regressions", "portfolio"} <= set(done.found):
        return
    last = {panel.DATE: slice(-HALFLIFE * HALFLIVES, None)}
    recent = Inputs(
        inputs.fields.isel(last), inputs.returns.isel(last), inputs.traits.isel(last),
        inputs.exposures.isel(last), None,
    )  # fmt: skip
    weights = portfolio_of(recent, options, done)
    assert weights is not None  # there was one of the whole history
    fit = cross_sectional_ols(recent.returns, recent.exposures)
    variance = specific_variance(fit.residual, halflife=HALFLIFE).variance
    covariance = factor_covariance(fit.factor_return, halflife=HALFLIFE).covariance
    day = {panel.DATE: -1}
    parts = _apply.compute(
        weights.isel(day), recent.exposures.isel(day), covariance.isel(day), variance.isel(day),
        progress=options.progress,
    )  # fmt: skip
    (found,) = _apply.compute(risk_decomposition(*parts))
    if bool(found.risk.notnull()):
        done.found["risk"] = found
    else:
        done.left_out["Risk"] = "the last dates are too few for the covariance of the factors"


def _signals(inputs: Inputs, options: Options, done: Measures) -> None:
    """What came after the characteristics: correlations and buckets of several horizons."""
    if not inputs.traits:
        return
    rows = inputs.returns.sizes[panel.DATE]
    horizons = [h for h in options.horizons if h < rows]
    if not horizons:
        done.left_out["Signals"] = f"{rows} dates are no longer than the shortest horizon"
        return
    after = {h: time_series.forward_returns(inputs.returns, h) for h in horizons}
    parts: list[xr.Dataset] = []
    for span in _spans(inputs.returns):
        days = {panel.DATE: span}
        fit = evaluate_signals(
            inputs.traits.isel(days), {h: a.isel(days) for h, a in after.items()},
            bins=options.bins, listed=None if inputs.listed is None else inputs.listed.isel(days),
        )  # fmt: skip
        counts = fit[["n_obs", "n_dropped"]].astype(np.int64).sum(panel.DATE)
        lazy = fit[["ic", "returns", "spread"]].assign(counts)
        parts += _apply.compute(lazy, progress=options.progress)
    every = xr.concat([p[["n_obs", "n_dropped"]] for p in parts], "part").sum("part")
    names = ("ic", "returns", "spread")
    series = xr.Dataset({k: xr.concat([p[k] for p in parts], panel.DATE) for k in names})
    found = _means(series, horizons).assign(every)
    found["ic"] = series.ic.sel(horizon=horizons[0]).drop_vars("horizon")
    if bool(found.ic.notnull().any()):
        done.found["signals"] = found
    else:
        done.left_out["Signals"] = "no date has signals and the returns after them"


def _spans(x: xr.DataArray) -> list[slice]:
    """Dates in pieces of whole chunks and bounded size.

    Results of signals are by date; what all dates share, their means, is made of the series. In one
    graph of all dates a scheduler may hold the sorted returns of many of them.
    """
    rows = max(PIECE // (x.sizes[panel.ASSET] * 8), 1)
    cuts = x.chunksizes.get(panel.DATE, (x.sizes[panel.DATE],))
    edges = [0]
    for edge in np.cumsum(cuts).tolist():
        if edge - edges[-1] >= rows or edge == x.sizes[panel.DATE]:
            edges.append(edge)
    return [slice(a, b) for a, b in pairwise(edges)]


def _means(series: xr.Dataset, horizons: list[int]) -> xr.Dataset:
    """Means over the dates, under the names of `evaluate_signals`."""
    found = {
        begin: means(series[name].transpose(..., panel.DATE), horizons, None, panel.DATE)
        for name, begin in (("ic", "ic_"), ("returns", ""), ("spread", "spread_"))
    }
    done = xr.Dataset()
    for begin, part in found.items():
        done = done.assign({f"{begin}{k}": v for k, v in part.data_vars.items()})
    return done.assign(ic_ir=done.ic_mean / done.ic_std)


def _coverage(fields: xr.Dataset, options: Options, done: Measures) -> None:
    """Share of the listed assets that each field is known for, and why others are not."""
    listed = listed_of(fields)
    if listed is None:
        done.left_out["Listed assets"] = (
            "the store has no mask listed: coverage is the share of all assets it ever had"
        )
    parts = {
        str(k): coverage(v, listed=listed)
        for k, v in fields.data_vars.items()
        if set(v.dims) == {panel.DATE, panel.ASSET} and v.dtype.kind in "fi"
    }
    if not parts:
        done.left_out["Coverage"] = "the store has no field of numbers for dates and assets"
        return
    names = pd.Index(list(parts), name=panel.FACTOR)
    lazy = xr.concat(
        [p[["coverage"]].assign(p[["n_obs", "n_dropped"]].astype(np.int64).sum(panel.DATE))
         for p in parts.values()],
        names, coords="minimal", compat="override",
    )  # fmt: skip
    done.found["coverage"] = _apply.compute(lazy, progress=options.progress)[0]
