"""What the page says: a section for each part of the results, in the reader's order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.plot.maps import correlations
from xfactor.report import across, charts
from xfactor.report.charts import BAND, Look
from xfactor.report.elements import Cell, element, table, tiles
from xfactor.report.holdings import data_section
from xfactor.report.inputs import Measures, Options
from xfactor.report.scales import number
from xfactor.report.tables import figures, grown_of
from xfactor.store.info import PanelInfo
from xfactor.time_series import drawdown


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    name: str
    title: str
    html: str


def sections(done: Measures, options: Options, info: PanelInfo) -> list[Section]:
    """Return the sections for which there are results.

    Parameters
    ----------
    done
        Results.
    options
        Choices of the caller.
    info
        What the store holds.

    Returns
    -------
    list of Section
        In order.
    """
    makers: list[tuple[str, str, str, Callable[[Measures, Options], str]]] = [
        ("factors", "factors", "Factor portfolios", _factors),
        ("sensitivity", "portfolio", "The portfolio's betas", _portfolio),
        ("betas", "betas", "Betas of every asset", _betas),
        ("hedge", "hedge", "Hedged and unhedged", _hedge),
        ("regressions", "regressions", "Regressions across assets", across.regressions),
        ("signals", "signals", "What came after the signals", across.signals),
        ("exposures", "exposures", "Exposures before and after winsorizing", across.exposures),
        ("risk", "risk", "Where the portfolio's risk comes from", across.risk),
    ]
    made = [
        Section(name, title, make(done, options))
        for needed, name, title, make in makers
        if needed in done.found
    ]
    return [*made, Section("data", "Data and what was left out", data_section(done, info))]


def headlines(done: Measures, info: PanelInfo, dates: pd.DatetimeIndex, n_assets: int) -> str:
    """Return the numbers that come first.

    Parameters
    ----------
    done
        Results.
    info
        What the store holds.
    dates, n_assets
        Size of the panel.

    Returns
    -------
    str
        HTML.
    """
    values = [
        (f"{len(dates):,}", "dates"),
        (f"{n_assets:,}", "assets"),
        (f"{len(info.fields):,}", "fields"),
    ]
    if "performance" in done.found:
        found = done.found["performance"]
        for name in found[panel.FACTOR].values:
            one = found.sel({panel.FACTOR: name})
            what = f"{name} a year, t\N{NO-BREAK SPACE}{number(float(one.tvalue), '.1f')}"
            values.append((number(float(one["mean"]), "+.1%"), what))
    if "hedge" in done.found:
        before, after = done.found["hedge"].volatility.values
        values.append((number(1 - after / before, ".0%"), "of the portfolio's volatility hedged"))
    if "signals" in done.found:
        first = done.found["signals"].isel(horizon=0)
        best = int(np.nanargmax(np.abs(first.ic_tvalue.values)))
        t = number(float(first.ic_tvalue[best]), ".1f")
        what = f"mean IC of {first[panel.FACTOR].values[best]}, t\N{NO-BREAK SPACE}{t}"
        values.append((number(float(first.ic_mean[best]), "+.3f"), what))
    return tiles(values)


# --- sections -----------------------------------------------------------------------------------


def _factors(done: Measures, options: Options) -> str:
    returns = done.found["factors"].factor_return
    grown = grown_of(returns)
    size = f"{options.n} names" if options.n else f"{100 * options.fraction:g} % of the names"
    text = (
        f"Each factor holds the {size} at one end of a characteristic against those at the other, "
        "equal weights, chosen anew on each date by what was known the date before. SMB is small "
        "less big, HML high less low book to price, MOM winners less losers."
    )
    parts = [
        element("p", text),
        charts.line_chart(
            Look("Cumulative return", "decimal returns compounded, in percent; a range begins at 0",
                 percent=True, digits=1, growth=True), grown,
        ),
        charts.line_chart(
            Look("Drawdown", "loss since the highest wealth so far, in percent", percent=True,
                 digits=1), drawdown(returns),
        ),
        _performance(done.found["performance"], options),
    ]  # fmt: skip
    if returns.sizes[panel.FACTOR] > 1:
        parts.append(_correlation(returns))
    return "".join(parts)


def _performance(found: xr.Dataset, options: Options) -> str:
    columns = {
        "mean a year": ("mean", "+.2%"), "volatility": ("volatility", ".2%"),
        "Sharpe": ("sharpe", "+.2f"), "t": ("tvalue", "+.2f"),
        "cumulative": ("cumulative_return", "+.1%"), "worst drawdown": ("drawdown", ".1%"),
        "above 0": ("hit_rate", ".1%"), "skewness": ("skewness", "+.2f"),
        "kurtosis": ("kurtosis", ".1f"), "dates": ("n_obs", ",.0f"),
    }  # fmt: skip
    per_year = f"{options.periods_per_year:g}"
    return figures(f"The whole history ({per_year} dates a year; t by Newey-West)", found, columns)


def _correlation(returns: xr.DataArray) -> str:
    found = correlations(returns)
    names = [str(n) for n in found[panel.FACTOR].values]
    rows: list[list[str | Cell]] = [
        [name, *[Cell(number(v, ".2f"), 0.0 if i == j or np.isnan(v) else float(v))
                 for j, v in enumerate(found.values[i])]]
        for i, name in enumerate(names)
    ]  # fmt: skip
    return table("Correlation of the factor returns, over dates on which all are known",
                 ["", *names], rows)  # fmt: skip


def _portfolio(done: Measures, options: Options) -> str:
    fit = done.found["sensitivity"]
    held = (
        ", ".join(options.symbols) if options.symbols else "the five largest companies of each date"
    )
    text = (
        f"The portfolio holds {held}, equal weights. Its return is regressed on those of the "
        f"factors: over the whole history (R2 {number(float(fit.rsquared), '.3f')}, "
        f"{int(fit.n_obs):,} dates, errors by Newey-West)"
    )
    columns = {"beta": ("beta", "+.3f"), "std. error": ("stderr", ".3f"), "t": ("tvalue", "+.2f")}
    parts = [figures("Betas over the whole history", fit, columns)]
    if "rolling" in done.found:
        rolling = done.found["rolling"]
        text += f", and over the last {options.window} dates of each date"
        error = BAND * rolling.stderr
        parts.append(
            charts.line_chart(
                Look(f"Rolling betas ({options.window} dates)",
                     "with a band of 1.96 standard errors up and down"),
                rolling.beta, (rolling.beta - error, rolling.beta + error),
            )
        )  # fmt: skip
    return element("p", text + ".") + "".join(parts)


def _betas(done: Measures, options: Options) -> str:
    low, middle, high = (done.found["betas"].beta_quantile.isel(quantile=k) for k in range(3))
    text = (
        f"Each asset's return is regressed on those of the factors over the last {options.window} "
        "dates of each date. The line is the median of the assets, the band holds the middle 80 %."
    )
    drawn = [
        charts.line_chart(
            Look(f"Beta to {name}", "median, 10 % to 90 % of the assets"),
            middle.sel({panel.FACTOR: [name]}),
            (low.sel({panel.FACTOR: [name]}), high.sel({panel.FACTOR: [name]})),
        )
        for name in middle[panel.FACTOR].values
    ]
    return element("p", text) + "".join(drawn)


def _hedge(done: Measures, options: Options) -> str:
    found = done.found["hedge"]
    text = (
        "The hedge sells the factors at betas known the date before. Dates before the first betas "
        "are left out of both."
    )
    columns = {
        "mean a year": ("mean", "+.2%"), "volatility": ("volatility", ".2%"),
        "Sharpe": ("sharpe", "+.2f"), "t": ("tvalue", "+.2f"),
        "worst drawdown": ("drawdown", ".1%"), "dates": ("n_obs", ",.0f"),
    }  # fmt: skip
    known = found.stream.notnull().any(panel.FACTOR)
    streams = found.stream.isel({panel.DATE: np.flatnonzero(known)})
    grown = grown_of(streams)
    return "".join([
        element("p", text),
        charts.line_chart(
            Look("Cumulative return of the portfolio", "decimal returns compounded, in percent",
                 percent=True, digits=1, growth=True), grown,
        ),
        figures("Dates with known betas", found, columns),
    ])  # fmt: skip
