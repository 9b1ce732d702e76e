"""How good signals are: what came after them, by bucket and as correlations."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from xfactor import panel
from xfactor._apply import compute
from xfactor.plot.reduced import counted
from xfactor.plot.series import lines
from xfactor.plot.style import COLOURS, ERROR, dressed, legend, only
from xfactor.time_series import rolling_mean

BUCKET, HORIZON = "bucket", "horizon"


def quantile_bars(
    fit: xr.Dataset, title: str = "Mean return by bucket", *, ax: Axes | None = None
) -> Axes:
    """Draw the mean return of each bucket of a signal as bars, with their errors.

    Parameters
    ----------
    fit
        Result of `quantile_returns` or `evaluate_signals` for one signal: ``mean`` and ``stderr``
        (bucket,) or (horizon, bucket).
    title
        Title.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: decimal returns over the horizon, in percent, bucket 1 that of the smallest
        signals; a bar of the error is 1.96 standard errors up and down.

    Raises
    ------
    PanelError
        If `fit` is of several signals or groups.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> after = xf.forward_returns(panel.returns, 1)
    >>> fit = xf.quantile_returns(panel.book_to_price, after, bins=5)
    >>> len(plot.quantile_bars(fit).patches)
    5
    """
    means, errors = (
        _by_horizon(only(panel.field(fit, k), (HORIZON, BUCKET), "quantile_bars"))
        for k in ("mean", "stderr")
    )
    means, errors = compute(means, errors)
    ax = dressed(ax, title, "mean return over the horizon", "bucket of the signal", percent=True)
    places = np.arange(1, means.sizes[BUCKET] + 1)
    width = 0.8 / means.sizes[HORIZON]
    for k, horizon in enumerate(means[HORIZON].values):
        at = places + (k - (means.sizes[HORIZON] - 1) / 2) * width
        ax.bar(
            at, means[k], width, yerr=ERROR * errors[k], color=COLOURS[k % len(COLOURS)],
            ecolor="#666666", error_kw={"linewidth": 1.0}, label=f"{_dates(horizon)} ahead",
        )  # fmt: skip
    ax.set_xticks(places)
    if means.sizes[HORIZON] > 1:
        legend(ax)
    return ax


def spread(
    fit: xr.Dataset, title: str = "Highest less lowest bucket", *, window: int = 63,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the spread of a signal's buckets on each date, and its rolling mean.

    Parameters
    ----------
    fit
        Result of `quantile_returns`, `evaluate_signals` or `quantile_portfolios` for one signal
        and horizon: ``spread`` (date,).
    title
        Title.
    window
        Dates of the rolling mean; half of them must be known.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: decimal returns over the horizon, in percent.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> fit = xf.quantile_portfolios(panel.book_to_price, panel.returns, 5)
    >>> len(plot.spread(fit, window=20).lines)
    3
    """
    x = only(panel.field(fit, "spread"), (panel.DATE,), "spread")
    return _with_mean(x, window, title, "return over the horizon", ax, percent=True)


def ic_series(
    fit: xr.Dataset, title: str = "Information coefficient", *, window: int = 63,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the information coefficient of each date, and its rolling mean.

    Parameters
    ----------
    fit
        Result of `information_coefficient` or `evaluate_signals` for one signal and horizon:
        ``ic`` (date,).
    title
        Title.
    window
        Dates of the rolling mean; half of them must be known.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; correlations, -1 to 1.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> after = xf.forward_returns(panel.returns, 1)
    >>> fit = xf.information_coefficient(panel.book_to_price, after)
    >>> plot.ic_series(fit, window=20).get_ylabel()
    'rank correlation'
    """
    x = only(panel.field(fit, "ic"), (panel.DATE,), "ic_series")
    return _with_mean(x, window, title, _correlation(fit), ax)


def ic_histogram(
    fit: xr.Dataset, title: str = "Information coefficients", *, bins: int = 40,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw how the information coefficients of the dates are spread, and their mean.

    Parameters
    ----------
    fit
        As in `ic_series`.
    title
        Title.
    bins
        Bars.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> after = xf.forward_returns(panel.returns, 1)
    >>> fit = xf.information_coefficient(panel.book_to_price, after)
    >>> plot.ic_histogram(fit).get_ylabel()
    'dates'
    """
    x = only(panel.field(fit, "ic"), (panel.DATE,), "ic_histogram")
    counts, edges = counted(x, bins)
    (mean,) = compute(_mean(fit, "mean"))
    ax = dressed(ax, title, "dates", _correlation(fit), zero=False)
    ax.stairs(counts, edges, fill=True, color=COLOURS[5])
    ax.axvline(float(mean), color=COLOURS[1], label=f"mean {float(mean):+.3f}")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax)
    return ax


def ic_decay(
    fit: xr.Dataset, title: str = "Information coefficient by horizon", *, ax: Axes | None = None
) -> Axes:
    """Draw the mean information coefficient of each horizon, with its error.

    Parameters
    ----------
    fit
        Result of `information_coefficient` or `evaluate_signals` with several horizons: their
        means and errors (horizon,), or (factor, horizon) for a line for each signal.
    title
        Title.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; a bar of the error is 1.96 standard errors up and down.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> after = {h: xf.forward_returns(panel.returns, h) for h in (1, 5, 10)}
    >>> fit = xf.information_coefficient(panel.book_to_price, after)
    >>> [int(h) for h in plot.ic_decay(fit).get_xticks()]
    [1, 5, 10]
    """
    dims = (panel.FACTOR, HORIZON)
    means, errors = compute(*[
        _by_horizon(only(_mean(fit, k), dims, "ic_decay")) for k in ("mean", "stderr")
    ])  # fmt: skip
    several = panel.FACTOR in means.dims
    if not several:
        means, errors = (x.expand_dims(panel.FACTOR) for x in (means, errors))
    means, errors = (x.transpose(*dims) for x in (means, errors))
    ax = dressed(ax, title, f"mean {_correlation(fit)}", "horizon, dates")
    at = means[HORIZON].values
    n = means.sizes[panel.FACTOR]
    for k in range(n):
        beside = (k - (n - 1) / 2) * 0.008 * np.ptp(at)  # or errors would hide each other
        name = str(means[panel.FACTOR].values[k]) if several else None
        ax.errorbar(
            at + beside, means[k], ERROR * errors[k], color=COLOURS[k % len(COLOURS)], marker="o",
            markersize=4, linewidth=1.2, capsize=3, label=name,
        )  # fmt: skip
    ax.set_xticks(at)
    if several:
        legend(ax)
    return ax


def _with_mean(
    x: xr.DataArray, window: int, title: str, ylabel: str, ax: Axes | None, *, percent: bool = False
) -> Axes:
    window = min(panel.positive("window", window), x.sizes[panel.DATE])
    smooth = rolling_mean(x, window=window, min_obs=-(-window // 2))
    both = xr.concat([x, smooth], panel.FACTOR, coords="minimal", compat="override")
    names = ["each date", f"mean of {window} dates"]
    both = both.assign_coords({panel.FACTOR: names}).transpose(panel.DATE, ...)
    ax = lines(both, title, ylabel, percent=percent, ax=ax)
    faint, strong = ax.lines[-2:]
    faint.set(color=COLOURS[5], linewidth=0.6, alpha=0.7)
    strong.set(color=COLOURS[1], linewidth=1.6)
    legend(ax)
    return ax


def _mean(fit: xr.Dataset, name: str) -> xr.DataArray:
    """A mean over the dates; correlations beside bucket returns have names of their own."""
    return panel.field(fit, f"ic_{name}" if f"ic_{name}" in fit else name)


def _by_horizon(x: xr.DataArray) -> xr.DataArray:
    return x if HORIZON in x.dims else x.drop_vars(HORIZON, errors="ignore").expand_dims(
        {HORIZON: [int(x.coords.get(HORIZON, 1))]}
    )  # fmt: skip


def _correlation(fit: xr.Dataset) -> str:
    return "correlation" if fit.attrs.get("method") == "pearson" else "rank correlation"


def _dates(horizon: int) -> str:
    return f"{horizon} date" if horizon == 1 else f"{horizon} dates"
