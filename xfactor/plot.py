"""Pictures of results: each function takes labelled results and returns matplotlib Axes.

Importing this module imports matplotlib; nothing else in the package does. Colours are those of
Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from xfactor import panel

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# A factor keeps its colour in every picture; others take what is left, in order.
OWN_COLOUR = {
    "market": COLOURS[0],
    "SMB": COLOURS[1],
    "size": COLOURS[1],
    "HML": COLOURS[2],
    "value": COLOURS[2],
    "MOM": COLOURS[3],
    "momentum": COLOURS[3],
    "intercept": COLOURS[6],
}


def axes(title: str, ylabel: str, *, percent: bool = False) -> Axes:
    """Return empty Axes on a figure of their own, without pyplot's global state.

    Parameters
    ----------
    title, ylabel
        Texts.
    percent
        Write the y axis in percent.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; their figure is ``ax.figure``.

    Examples
    --------
    >>> from xfactor import plot
    >>> plot.axes("A title", "percent").get_title(loc="left")
    'A title'
    """
    ax = Figure(figsize=(9, 4), layout="constrained").subplots()
    ax.set_title(title, loc="left")
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", linewidth=0.4, alpha=0.5)
    ax.axhline(0.0, color="#444444", linewidth=0.8)
    if percent:
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    return ax


def lines(
    x: xr.DataArray, title: str, ylabel: str, *, percent: bool = False, ax: Axes | None = None,
    style: str = "-", suffix: str = "",
) -> Axes:  # fmt: skip
    """Draw one line per factor over the dates.

    Parameters
    ----------
    x
        Series (date,) or (date, factor).
    title, ylabel
        Texts.
    percent
        Write the y axis in percent.
    ax
        Axes to draw on; new ones if not given.
    style
        matplotlib line style.
    suffix
        Added to each label of the legend.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xfactor import plot
    >>> dates = pd.date_range("2020-01-01", periods=2)
    >>> x = xr.DataArray([0.1, 0.2], dims="date", coords={"date": dates}, name="SMB")
    >>> len(plot.lines(x, "SMB", "daily return").lines)
    2
    """
    ax = ax or axes(title, ylabel, percent=percent)
    if panel.FACTOR not in x.dims:
        x = x.expand_dims({panel.FACTOR: [str(x.name or "")]})
    dates = x[panel.DATE].values
    names = [str(name) for name in x[panel.FACTOR].values]
    for k, name in enumerate(names):
        series = x.isel({panel.FACTOR: k})
        colour = _colour(name, k)
        ax.plot(dates, series, style, color=colour, linewidth=1.2, label=f"{name}{suffix}")
    if any(names):
        ax.legend(frameon=False, ncols=4)
    return ax


def _colour(name: str, place: int) -> str:
    return OWN_COLOUR.get(name, COLOURS[place % len(COLOURS)])


def multiples(
    x: xr.DataArray, title: str, ylabel: str, *, percent: bool = False,
    band: tuple[xr.DataArray, xr.DataArray] | None = None,
) -> Figure:  # fmt: skip
    """Draw each factor on Axes of its own, one below the other, on one scale.

    Parameters
    ----------
    x
        Series (date, factor).
    title, ylabel
        Texts.
    percent
        Write the y axis in percent.
    band
        Lower and upper ends (date, factor) of a shaded band.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xfactor import plot
    >>> coords = {"date": pd.date_range("2020-01-01", periods=2), "factor": ["SMB", "HML"]}
    >>> x = xr.DataArray(np.ones((2, 2)), coords=coords, dims=list(coords))
    >>> len(plot.multiples(x, "Returns", "daily return").axes)
    2
    """
    names = [str(name) for name in x[panel.FACTOR].values]
    figure = Figure(figsize=(9, 1 + 1.5 * len(names)), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    grid = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)
    for k, (ax, name) in enumerate(zip(grid[:, 0], names, strict=True)):
        colour = _colour(name, k)
        ax.axhline(0.0, color="#444444", linewidth=0.8)
        if band is not None:
            low, high = (b.isel({panel.FACTOR: k}) for b in band)
            dates = x[panel.DATE].values
            ax.fill_between(dates, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(x[panel.DATE].values, x.isel({panel.FACTOR: k}), color=colour, linewidth=0.8)
        ax.set_title(name, fontsize=10, loc="right")
        ax.spines[["top", "right"]].set_visible(False)
        if percent:
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.supylabel(ylabel, fontsize=10)
    return figure


def cumulative(returns: xr.DataArray, title: str, *, ax: Axes | None = None, style: str = "-",
               suffix: str = "") -> Axes:  # fmt: skip
    """Draw compound returns; a missing return earns nothing.

    Parameters
    ----------
    returns
        Decimal returns (date,) or (date, factor).
    title
        Title.
    ax, style, suffix
        As in `lines`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xfactor import plot
    >>> dates = pd.date_range("2020-01-01", periods=2)
    >>> r = xr.DataArray([0.1, 0.1], dims="date", coords={"date": dates}, name="SMB")
    >>> ax = plot.cumulative(r, "SMB")
    >>> round(float(ax.lines[-1].get_ydata()[-1]), 6)
    0.21
    """
    wealth = (1.0 + returns.fillna(0.0)).cumprod(panel.DATE) - 1.0
    wealth = wealth.assign_coords(returns.coords).rename(returns.name)
    return lines(
        wealth, title, "cumulative return", percent=True, ax=ax, style=style, suffix=suffix
    )


def histogram(values: dict[str, xr.DataArray], title: str, xlabel: str) -> Figure:
    """Draw histograms side by side, each on its own scale.

    Parameters
    ----------
    values
        Title of each panel, and its values.
    title, xlabel
        Texts.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Examples
    --------
    >>> import xarray as xr
    >>> from xfactor import plot
    >>> len(plot.histogram({"raw": xr.DataArray([1.0, 2.0])}, "x", "value").axes)
    1
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    panels = np.atleast_1d(figure.subplots(1, len(values)))
    for ax, (name, x) in zip(panels, values.items(), strict=True):
        known = np.asarray(x)[np.isfinite(np.asarray(x))]
        ax.hist(known, bins=40, color=COLOURS[0])
        ax.set_title(f"{name} ({known.size} assets)", fontsize=10)
        ax.set_xlabel(xlabel)
        ax.set_ylabel("assets")
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def lecture_plots(
    one: xr.Dataset, two: xr.Dataset, snapshot: xr.Dataset, folder: Path,
    truth: xr.DataArray | None = None,
) -> list[Path]:  # fmt: skip
    """Save the lecture's pictures as PNG files.

    Parameters
    ----------
    one, two
        Computed results of `lecture.approach_one` and `lecture.approach_two`.
    snapshot
        ``raw`` and ``winsorized`` z-scores of book to price on one date.
    folder
        Where to; it is made if need be.
    truth
        True factor returns (date, factor), drawn beside the estimates of approach 2.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    traded = one.factor_return
    sorts = traded.sel({panel.FACTOR: [f for f in traded[panel.FACTOR].values if f != "market"]})
    streams = xr.concat(
        [one.portfolio_return, one.hedged_return], dim=panel.FACTOR, coords="minimal",
        compat="override",
    )  # fmt: skip
    known = one.hedged_return.notnull()
    streams = streams.assign_coords({panel.FACTOR: ["unhedged", "hedged"]})
    streams = streams.isel({panel.DATE: np.flatnonzero(known)})
    estimated = cumulative(two.factor_return, "Approach 2: factor returns")
    if truth is not None:
        both = [f for f in two[panel.FACTOR].values if f in truth[panel.FACTOR].values]
        seen = two.factor_return.sel({panel.FACTOR: both}).notnull()
        true = truth.sel({panel.FACTOR: both}).where(seen)
        cumulative(true, "", ax=estimated, style=":", suffix=" (true)")
    betas = one.asset_beta_quantile
    day = np.datetime_as_string(snapshot[panel.DATE].values, unit="D")
    pictures = {
        "1_daily_factor_returns": multiples(
            sorts, "Daily returns of the factor portfolios", "daily return", percent=True
        ),
        "2_cumulative_factor_returns": cumulative(sorts, "Factor portfolios held over time"),
        "3_market": lines(
            traded.sel({panel.FACTOR: ["market"]}), "Market", "daily return", percent=True
        ),
        "4_rolling_betas": lines(
            one.rolling_sensitivity,
            f"Rolling betas of the portfolio ({one.attrs['window']} dates)",
            "beta",
        ),
        "5_betas_of_every_asset": multiples(
            betas.isel(quantile=1),
            f"Rolling betas of every asset ({one.attrs['window']} dates): median, 10 % to 90 %",
            "beta",
            band=(betas.isel(quantile=0), betas.isel(quantile=-1)),
        ),
        "6_winsorized_exposures": histogram(
            {"z-score": snapshot.raw, "winsorized, then z-score": snapshot.winsorized},
            f"Book to price on {day}",
            "z-score",
        ),
        "7_cross_sectional_factor_returns": estimated,
        "8_hedged": cumulative(streams.transpose(panel.DATE, ...), "Hedged and unhedged"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures.items():
        figure = picture if isinstance(picture, Figure) else picture.get_figure(root=True)
        assert figure is not None  # Axes of ours always have one
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110)
        paths.append(path)
    return paths
