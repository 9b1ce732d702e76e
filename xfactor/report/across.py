"""Sections about the assets of a date: regressions, signals, exposures, risk."""

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.report import bars, charts
from xfactor.report.charts import BAND, Look
from xfactor.report.elements import element, table
from xfactor.report.inputs import Measures, Options
from xfactor.report.measures import HALFLIFE, LIMITS
from xfactor.report.scales import number
from xfactor.report.tables import figures, grown_of
from xfactor.time_series import rolling_mean


def regressions(done: Measures, options: Options) -> str:
    """Return the section about regressions across assets.

    Parameters
    ----------
    done
        Results.
    options
        Choices of the caller.

    Returns
    -------
    str
        HTML.
    """
    fit, mean = done.found["regressions"], done.found["premia"]
    text = (
        "On each date the returns of all assets are regressed on their winsorized z-scores of the "
        "date before. A coefficient is the return of a portfolio with an exposure of 1 to its "
        "factor and 0 to the others; the intercept is the return of an average asset."
    )
    columns = {
        "mean a date": ("mean", "+.4%"), "std. error": ("stderr", ".4%"), "t": ("tvalue", "+.2f"),
        "dates": ("n_obs", ",.0f"),
    }  # fmt: skip
    grown = grown_of(fit.factor_return)
    return "".join([
        element("p", text),
        charts.line_chart(
            Look("Cumulative factor return", "of one standard deviation of exposure, in percent",
                 percent=True, digits=1, growth=True), grown,
        ),
        figures("Premia: means of the dates (Fama-MacBeth, Newey-West errors)", mean, columns),
        charts.line_chart(
            Look("R2 of the regressions", "share of the variance across assets", percent=True,
                 digits=1), _named(fit.rsquared, "R2"),
        ),
        charts.line_chart(
            Look("Assets in the regressions", "with a return and all exposures", digits=0),
            _named(fit.n_obs.astype(np.float64), "assets"),
        ),
    ])  # fmt: skip


def signals(done: Measures, options: Options) -> str:
    """Return the section about what came after the signals.

    Parameters
    ----------
    done
        Results.
    options
        Choices of the caller.

    Returns
    -------
    str
        HTML.
    """
    fit = done.found["signals"]
    horizons = [int(h) for h in fit["horizon"].values]
    text = (
        "The information coefficient is the rank correlation of a characteristic with the returns "
        "that came after it, across the assets of a date. This looks ahead, on purpose: it judges "
        "signals and is no input of a strategy."
    )
    window = min(63, fit.sizes[panel.DATE])
    smooth = rolling_mean(fit.ic.transpose(panel.DATE, ...), window=window,
                          min_obs=-(-window // 2))  # fmt: skip
    rows = [
        [str(name), f"{h:,}", *[number(float(one[v]), f) for v, f in (
            ("ic_mean", "+.4f"), ("ic_stderr", ".4f"), ("ic_tvalue", "+.2f"), ("ic_ir", "+.3f"),
            ("spread_mean", "+.3%"), ("spread_tvalue", "+.2f"), ("ic_n_dates", ",.0f"),
        )]]
        for name in fit[panel.FACTOR].values
        for h in horizons
        for one in [fit.sel({panel.FACTOR: name, "horizon": h})]
    ]  # fmt: skip
    heads = [
        "",
        "dates ahead",
        "mean IC",
        "std. error",
        "t",
        "mean / std",
        "spread",
        "its t",
        "dates",
    ]
    labels = [f"{h} dates" if h > 1 else "1 date" for h in horizons]
    names = [str(n) for n in fit[panel.FACTOR].values]
    means = fit.transpose(panel.FACTOR, "horizon", "bucket", ...)
    parts = [
        element("p", text),
        charts.line_chart(
            Look("Information coefficient",
                 f"rolling mean of {window} dates, returns of the {_ahead(horizons[0])}"), smooth,
        ),
        bars.bar_chart(
            Look("Mean information coefficient by horizon", "with 1.96 standard errors up and down",
                 digits=4), labels, _rows(names, means.ic_mean), "returns over the next",
            _rows(names, BAND * means.ic_stderr),
        ),
        table("Mean information coefficients, and the highest less the lowest bucket", heads, rows),
        bars.bar_chart(
            Look("Mean return by bucket",
                 f"of the {_ahead(horizons[0])}, in percent, with 1.96 standard errors",
                 percent=True, digits=3),
            [str(b + 1) for b in range(fit.sizes["bucket"])],
            _rows(names, means["mean"].isel(horizon=0)), "bucket, 1 the lowest values",
            _rows(names, BAND * means.stderr.isel(horizon=0)),
        ),
    ]  # fmt: skip
    return "".join(parts)


def exposures(done: Measures, options: Options) -> str:
    """Return the section about exposures before and after winsorizing.

    Parameters
    ----------
    done
        Results.
    options
        Choices of the caller.

    Returns
    -------
    str
        HTML.
    """
    found = done.found["exposures"]
    edges = np.linspace(*LIMITS, found.sizes["bar"] + 1)
    text = (
        "Characteristics become exposures: the extreme 1 % on each side are set to the next value, "
        "then each date gets a mean of 0 and a standard deviation of 1. Counted over all dates; "
        "the outermost bars hold what lies beyond."
    )
    drawn = [
        bars.histogram(
            Look(str(name), f"share of {int(one.raw.sum()):,} values, in percent", percent=True),
            edges, {"raw": one.raw.values, "winsorized": one.winsorized.values},
            "standard deviations from the mean of the date",
        )
        for name in found[panel.FACTOR].values
        for one in [found.sel({panel.FACTOR: name})]
    ]  # fmt: skip
    return element("p", text) + "".join(drawn)


def risk(done: Measures, options: Options) -> str:
    """Return the section about the portfolio's risk.

    Parameters
    ----------
    done
        Results.
    options
        Choices of the caller.

    Returns
    -------
    str
        HTML.
    """
    found = done.found["risk"]
    day = pd.Timestamp(found.coords[panel.DATE].item())
    risk = float(found.risk)
    per_year = number(risk * options.periods_per_year**0.5, ".1%")
    text = (
        f"On {day:%Y-%m-%d} the portfolio's risk is {number(risk, '.2%')} a date, {per_year} a "
        "year, by covariances of "
        f"the factor returns and specific variances with a half-life of {HALFLIFE} dates; "
        f"{int(found.n_obs):,} held assets count."
    )
    names = [str(n) for n in found[panel.FACTOR].values]
    columns = {
        "exposure": ("exposure", "+.3f"), "marginal risk": ("marginal", "+.3%"),
        "component": ("component", "+.3%"), "share": ("share", "+.1%"),
    }  # fmt: skip
    # What is specific comes last. It is no exposure: formally it has one, its risk, that misleads.
    styles = xr.DataArray(np.arange(len(names)) < len(names) - 1, dims=panel.FACTOR)
    shown = found.assign({k: found[k].where(styles) for k in ("exposure", "marginal")})
    return "".join([
        element("p", text),
        bars.bars_across(
            Look("Share of the risk", "in percent; they sum to 100 %", percent=True, digits=1),
            names, found.share.values,
        ),
        figures("Per date: component is exposure times marginal risk, and sums to the risk",
                 shown, columns),
    ])  # fmt: skip


def _named(x: xr.DataArray, name: str) -> xr.DataArray:
    return x.expand_dims({panel.FACTOR: [name]}).transpose(panel.DATE, panel.FACTOR)


def _rows(names: list[str], x: xr.DataArray) -> dict[str, np.ndarray]:
    return dict(zip(names, x.values, strict=True))


def _ahead(horizon: int) -> str:
    return "next date" if horizon == 1 else f"next {horizon} dates"
