"""How values are spread: histograms of data of any size."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from xfactor.plot.reduced import counted
from xfactor.plot.style import COLOURS, dressed, legend


def histogram(values: dict[str, xr.DataArray], title: str, xlabel: str) -> Figure:
    """Draw histograms side by side, each on its own scale.

    Parameters
    ----------
    values
        Title of each panel, and its values; lazy ones are counted block by block.
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
        counts, edges = counted(x)
        ax.stairs(counts, edges, fill=True, color=COLOURS[0])
        ax.set_title(f"{name} ({int(counts.sum()):,} values)", fontsize=10)
        ax.set_xlabel(xlabel)
        ax.set_ylabel("values")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def exposure_histogram(
    before: xr.DataArray, after: xr.DataArray, title: str = "Exposures", *,
    xlabel: str = "exposure, standard deviations", names: tuple[str, str] = ("raw", "winsorized"),
    bins: int = 60, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the histograms of an exposure before and after winsorizing over each other.

    Parameters
    ----------
    before, after
        Exposures of any dims, such as ``zscore(x)`` and ``standardize(x)`` (date, asset). Lazy
        ones are counted block by block, where they are; they are read twice, first for their
        range.
    title, xlabel
        Texts.
    names
        What the legend calls them.
    bins
        Bars.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Both share their bars; counts are on a logarithmic scale, on which a few
        outliers can be seen beside many thousands of others.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=30, assets=50, seed=1)
    >>> x = panel.book_to_price
    >>> plot.exposure_histogram(xf.zscore(x), xf.standardize(x)).get_yscale()
    'log'
    """
    counts, edges = counted(before, bins)
    ends = (float(edges[0]), float(edges[-1]))
    others, _ = counted(after, bins, ends)
    ax = dressed(ax, title, "values", xlabel, zero=False)
    for heights, name, colour, fill in (
        (counts, names[0], COLOURS[5], True),
        (others, names[1], COLOURS[1], False),
    ):
        label = f"{name} ({int(heights.sum()):,} values)"
        # On a log scale the bars need a foot above 0.
        ax.stairs(heights, edges, baseline=0.5, fill=fill, color=colour, linewidth=1.5, label=label)
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.5)
    legend(ax)
    return ax
