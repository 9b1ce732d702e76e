"""What the pictures have in common: colours, axes light on ink, units of labels."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from matplotlib.transforms import ScaledTranslation

from xfactor import panel

# Those of Okabe and Ito (2008), which colour-blind readers can tell apart.
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
    "specific": COLOURS[5],
}
DASHES = ("-", "--", ":", "-.")  # for those that must take a colour a second time
INK = "#444444"
MINUS = "\N{MINUS SIGN}"  # as matplotlib writes it on axes
POINTS_PER_INCH = 72
TITLE_SIZE, LEGEND_SIZE = 12, 10
LEGEND_HANDLE = 4.8 * LEGEND_SIZE  # the line before a text of the legend, and the gap after it
BELOW = 38  # points from the axis to below its ticks and label
ERROR = 1.96  # standard errors of a band that holds the truth 19 times in 20


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
    return dressed(None, title, ylabel, percent=percent)


def dressed(
    ax: Axes | None, title: str, ylabel: str, xlabel: str = "", *, percent: bool = False,
    zero: bool = True,
) -> Axes:  # fmt: skip
    """Give Axes, or new ones, their texts and as little ink as they need.

    Parameters
    ----------
    ax
        Axes to draw on; new ones if None. Those given keep the texts they have already.
    title, ylabel, xlabel
        Texts.
    percent
        Write the y axis in percent.
    zero
        Draw the line of zero.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    if ax is None:
        ax = Figure(figsize=(9, 4), layout="constrained").subplots()
    if not ax.get_title(loc="left"):
        ax.set_title(title, loc="left")
    ax.set_ylabel(ax.get_ylabel() or ylabel)
    ax.set_xlabel(ax.get_xlabel() or xlabel)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis="y", linewidth=0.4, alpha=0.5)
    if zero:
        ax.axhline(0.0, color=INK, linewidth=0.8)
    if percent:
        in_percent(ax)
    return ax


def in_percent(ax: Axes) -> None:
    """Write the y axis in percent, with the digits that its range needs.

    Parameters
    ----------
    ax
        The axes.
    """
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def dated(ax: Axes, dates: np.ndarray) -> None:
    """Write short dates below Axes, if the labels are dates, and what they are.

    Parameters
    ----------
    ax
        The axes.
    dates
        Labels that are drawn.
    """
    ax.set_xlabel(ax.get_xlabel() or panel.DATE)
    if np.issubdtype(dates.dtype, np.datetime64):
        locator = AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def legend(ax: Axes, title: str | None = None) -> None:
    """Put a legend where it hides nothing: beside the title if both fit, or below the axis.

    Parameters
    ----------
    ax
        The axes; their title and labels are set.
    title
        Title of the legend.
    """
    texts = ax.get_legend_handles_labels()[1]
    figure = ax.get_figure(root=True)
    assert figure is not None
    room = POINTS_PER_INCH * ax.get_window_extent().width / figure.dpi
    entries = [_width(t, LEGEND_SIZE) + LEGEND_HANDLE for t in texts]
    if _width(ax.get_title(loc="left"), TITLE_SIZE) + sum(entries) <= room and not title:
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": len(texts)}
    else:
        columns = max(1, min(len(texts), int(room / max(entries, default=room))))
        down = ScaledTranslation(0.0, -BELOW / POINTS_PER_INCH, figure.dpi_scale_trans)
        place = {"loc": "upper left", "bbox_to_anchor": (0.0, 0.0), "ncols": columns,
                 "bbox_transform": ax.transAxes + down}  # fmt: skip
    ax.legend(frameon=False, borderaxespad=0.2, title=title, fontsize=LEGEND_SIZE, **place)


def _width(text: str, size: float) -> float:
    """About how many points a text takes: a letter is half as wide as it is high."""
    return 0.55 * size * len(text)


def colours(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return a colour and a line style for each name, no pair of them twice.

    Parameters
    ----------
    names
        Names drawn on the same Axes.

    Returns
    -------
    list of tuple of str
        Colour and style.
    """
    taken = [OWN_COLOUR[n] for n in names if n in OWN_COLOUR]
    free = [c for c in COLOURS if c not in taken] or list(COLOURS)
    pairs: list[tuple[str, str]] = []
    others = iter(c for _ in range(len(names)) for c in free)
    for name in names:
        own = OWN_COLOUR.get(name) or next(others)
        again = sum(c == own for c, _ in pairs)
        pairs.append((own, DASHES[again % len(DASHES)]))
    return pairs


def only(x: xr.DataArray, dims: Sequence[str], what: str) -> xr.DataArray:
    """Return `x` without dims of length 1, or raise if it has others than `dims`.

    Parameters
    ----------
    x
        A result.
    dims
        Dims that can be drawn.
    what
        Name of the function, for the message.

    Returns
    -------
    DataArray
        With no other dims.
    """
    x = x.squeeze([d for d in x.dims if d not in dims and x.sizes[d] == 1], drop=True)
    more = [str(d) for d in x.dims if d not in dims]
    if more:
        (first,) = x[more[0]].values[:1].tolist()
        raise panel.error(
            f"{what} found the dims {', '.join(map(str, x.dims))}",
            f"none but {', '.join(dims)}",
            f"Choose one, e.g. fit.sel({more[0]}={first!r})",
        )
    return x
