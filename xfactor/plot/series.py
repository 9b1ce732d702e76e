"""Series over the dates: factor returns, losses from a peak, rolling betas, hedges."""

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xfactor import panel
from xfactor._apply import compute
from xfactor.plot.reduced import POINTS, thinned
from xfactor.plot.style import ERROR, colours, dated, dressed, legend, only
from xfactor.time_series import cumulative_returns
from xfactor.time_series import drawdown as _drawdown


def lines(
    x: xr.DataArray, title: str, ylabel: str, *, percent: bool = False, ax: Axes | None = None,
    style: str = "-", suffix: str = "",
) -> Axes:  # fmt: skip
    """Draw one line per factor over the dates.

    Parameters
    ----------
    x
        Series (date,) or (date, factor), lazy or not; long ones are thinned, see `reduced.thinned`.
        A missing value is a gap.
    title, ylabel
        Texts.
    percent
        Write the y axis in percent.
    ax
        Axes to draw on; new ones if not given.
    style
        matplotlib line style of all lines; by default colours that return are dashed.
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
    ax = dressed(ax, title, ylabel, percent=percent)
    if panel.FACTOR not in x.dims:
        x = x.expand_dims({panel.FACTOR: [str(x.name or "")]})
    x = only(x, (panel.DATE, panel.FACTOR), "lines").transpose(panel.DATE, panel.FACTOR)
    names = [str(name) for name in x[panel.FACTOR].values]
    drawn = zip(names, colours(names), thinned(x), strict=True)
    for name, (colour, dash), (dates, values) in drawn:
        dash = dash if style == "-" else style
        ax.plot(dates, values, dash, color=colour, linewidth=1.2, label=f"{name}{suffix}")
    dated(ax, x[panel.DATE].values)
    if any(names):
        legend(ax)
    return ax


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
    x = only(x, (panel.DATE, panel.FACTOR), "multiples").transpose(panel.DATE, panel.FACTOR)
    names = [str(name) for name in x[panel.FACTOR].values]
    figure = Figure(figsize=(9, 1 + 1.5 * len(names)), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    grid = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)
    drawn = zip(grid[:, 0], names, colours(names), thinned(x), strict=True)
    for k, (ax, name, (colour, _), (dates, values)) in enumerate(drawn):
        dressed(ax, "", "", percent=percent)
        if band is not None:
            _shade(ax, *[b.isel({panel.FACTOR: k}) for b in band], colour=colour)
        ax.plot(dates, values, color=colour, linewidth=0.8)
        ax.set_title(name, fontsize=10, loc="right")
    dated(grid[-1, 0], x[panel.DATE].values)
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
    wealth = cumulative_returns(returns.fillna(0.0)).rename(returns.name)
    return lines(
        wealth, title, "cumulative return", percent=True, ax=ax, style=style, suffix=suffix
    )


def drawdown(returns: xr.DataArray, title: str = "Drawdown", *, ax: Axes | None = None) -> Axes:
    """Draw the loss since the highest wealth so far.

    Parameters
    ----------
    returns
        Decimal returns (date,) or (date, factor).
    title
        Title.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, in percent, 0 or below. Missing where the return is.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> from xfactor import plot
    >>> dates = pd.date_range("2020-01-01", periods=3)
    >>> r = xr.DataArray([0.1, -0.5, 0.1], dims="date", coords={"date": dates}, name="SMB")
    >>> float(plot.drawdown(r).lines[-1].get_ydata()[1])
    -0.5
    """
    losses = _drawdown(returns).rename(returns.name)
    return lines(losses, title, "loss since the peak", percent=True, ax=ax)


def betas(
    fit: xr.Dataset | xr.DataArray, title: str = "Rolling betas", *, band: float = ERROR,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw betas over the dates, each with a band.

    Parameters
    ----------
    fit
        Result of `rolling_ols` for one asset or portfolio: ``beta`` and, for the band, ``stderr``
        (date, factor). Or quantiles of the betas of many assets (date, factor, quantile): the
        middle one is the line, the first and the last are the band.
    title
        Title.
    band
        Half its width in standard errors: 1.96 holds the true beta 19 times in 20, if the errors
        of the regression are as assumed. 0 for none.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. The band of a history longer than a figure can show is drawn on every k-th date.

    Raises
    ------
    PanelError
        If the betas are of several assets.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=150, assets=4, seed=1)
    >>> market = panel.market_returns.rename("market")
    >>> fit = xf.rolling_ols(panel.returns.isel(asset=0), market, window=60)
    >>> plot.betas(fit).get_ylabel()
    'beta'
    """
    if isinstance(fit, xr.Dataset):
        middle = panel.field(fit, "beta")
        error = band * fit.stderr if band and "stderr" in fit else None
        ends = None if error is None else (middle - error, middle + error)
    else:
        places = (0, fit.sizes["quantile"] // 2, -1)
        low, middle, high = (fit.isel(quantile=k, drop=True) for k in places)
        ends = (low, high)
    ax = lines(only(middle, (panel.DATE, panel.FACTOR), "betas"), title, "beta", ax=ax)
    if ends is not None:
        names = [str(name) for name in middle[panel.FACTOR].values]
        for k, (colour, _) in enumerate(colours(names)):
            own = (only(e.isel({panel.FACTOR: k}), (panel.DATE,), "betas") for e in ends)
            _shade(ax, *own, colour=colour)
    return ax


def hedged(
    returns: xr.DataArray, hedged: xr.DataArray, title: str = "Hedged and unhedged", *,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the compound return of a portfolio, and of the same portfolio hedged.

    Parameters
    ----------
    returns
        Decimal returns (date,) of the portfolio.
    hedged
        Those of the hedged portfolio, as `hedge` gives them. Dates on which they are not known
        yet are left out of both, so that both start together.
    title
        Title.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; the legend says the volatility of each, per date.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=150, assets=4, seed=1)
    >>> mine = panel.returns.mean("asset")
    >>> both = xf.hedge(mine, panel.market_returns.rename("market"), window=60)
    >>> [line.get_label().split(",")[0] for line in plot.hedged(mine, both.hedged).lines[1:]]
    ['unhedged', 'hedged']
    """
    known = hedged.notnull()
    streams = xr.concat(
        [returns.where(known), hedged], dim=panel.FACTOR, coords="minimal", compat="override"
    )
    deviations = streams.std(panel.DATE, ddof=1)
    known, streams, deviations = compute(known, streams, deviations)
    names = [
        f"{name}, {100 * float(s):.2f} % a date"
        for name, s in zip(("unhedged", "hedged"), deviations, strict=True)
    ]
    streams = streams.assign_coords({panel.FACTOR: names}).isel({panel.DATE: known.values})
    return cumulative(streams.transpose(panel.DATE, ...), title, ax=ax)


def _shade(ax: Axes, low: xr.DataArray, high: xr.DataArray, *, colour: str) -> None:
    every = slice(None, None, -(-low.sizes[panel.DATE] // POINTS))
    low, high = compute(*[end.isel({panel.DATE: every}) for end in (low, high)])
    ax.fill_between(low[panel.DATE].values, low, high, color=colour, alpha=0.2, linewidth=0)
