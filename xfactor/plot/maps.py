"""Tables as colours: how much of a universe is known, and what moves together."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from xfactor import panel
from xfactor._apply import compute
from xfactor.plot.style import MINUS

OTHER = f"{panel.FACTOR}_2"
# Both are even in lightness, so they read in print and by colour-blind readers.
SHARES, SIGNED = "cividis", "PuOr_r"


def coverage_map(
    coverage: xr.Dataset | xr.DataArray, title: str = "Coverage", *, periods: int = 60,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw how much of the universe has each signal, through time.

    Parameters
    ----------
    coverage
        Result of `coverage` of a Dataset of fields, or shares (date, factor) from 0 to 1.
    title
        Title.
    periods
        Columns, at the most: each is the mean of as many neighbouring dates.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a row for each field, dark where little is known, white where nothing can be (an
        empty universe).

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> fit = xf.coverage(panel[["close", "book_to_price"]], listed=panel.listed)
    >>> [label.get_text() for label in plot.coverage_map(fit).get_yticklabels()]
    ['close', 'book_to_price']
    """
    x = coverage.coverage if isinstance(coverage, xr.Dataset) else coverage
    if panel.FACTOR not in x.dims:
        x = x.expand_dims({panel.FACTOR: [str(x.name or "")]})
    shares, starts = period_means(x, periods)
    (shares,) = compute(shares)
    names = [str(name) for name in x[panel.FACTOR].values]
    if ax is None:
        height = 1.4 + 0.32 * len(names)
        ax = Figure(figsize=(9, height), layout="constrained").subplots()
    image = ax.imshow(
        shares.transpose(panel.FACTOR, ...), aspect="auto", cmap=SHARES, vmin=0.0, vmax=1.0,
        interpolation="nearest",
    )  # fmt: skip
    bar = ax.figure.colorbar(image, ax=ax, format=PercentFormatter(1.0, symbol=" %"))
    bar.outline.set_visible(False)
    bar.set_label("share of the universe")
    ax.set_yticks(range(len(names)), names)
    shown = np.unique(np.linspace(0, len(starts) - 1, 7).round().astype(int))
    ax.set_xticks(shown, [_day(starts[i]) for i in shown])
    ax.set_xlabel(ax.get_xlabel() or f"{panel.DATE}, first of each column")
    ax.set_title(ax.get_title(loc="left") or title, loc="left")
    ax.spines[:].set_visible(False)
    return ax


def period_means(x: xr.DataArray, periods: int) -> tuple[xr.DataArray, np.ndarray]:
    """Average over neighbouring dates, lazily.

    Parameters
    ----------
    x
        Series (date, ...).
    periods
        How many means, at the most.

    Returns
    -------
    means : DataArray
        (period, ...), without missing values where any is known.
    starts : numpy.ndarray
        First date of each.
    """
    rows = x.sizes[panel.DATE]
    width = -(-rows // panel.positive("periods", periods))
    cuts = range(0, rows, width)
    means = [x.isel({panel.DATE: slice(i, i + width)}).mean(panel.DATE) for i in cuts]
    return xr.concat(means, "period"), x[panel.DATE].values[::width]


def correlation(
    returns: xr.DataArray, title: str = "Correlation of factor returns", *, ax: Axes | None = None
) -> Axes:
    """Draw which factors move together.

    Parameters
    ----------
    returns
        Factor returns (date, factor); the dates count on which all are known. Or a covariance or
        correlation (factor, factor_2), such as that of a date of `factor_covariance`.
    title
        Title.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; correlations, -1 to 1, written into the cells of up to 12 factors.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import plot
    >>> panel, truth = xf.simulate_panel(dates=60, assets=40, seed=1)
    >>> ax = plot.correlation(truth.factor_returns)
    >>> ax.texts[0].get_text()
    '1.00'
    """
    (found,) = compute(correlations(returns))
    names = [str(name) for name in found[panel.FACTOR].values]
    n = len(names)
    if ax is None:
        side = 2.2 + 0.55 * min(n, 16)
        ax = Figure(figsize=(side + 1.2, side), layout="constrained").subplots()
    image = ax.imshow(found, cmap=SIGNED, vmin=-1.0, vmax=1.0, interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.outline.set_visible(False)
    bar.set_label("correlation")
    ax.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(n), names)
    for i, j in np.ndindex(n, n) if n <= 12 else []:
        value = float(found[i, j])
        if np.isfinite(value):
            ink = _ink(image.to_rgba(np.array([value]))[0])
            ax.text(
                j,
                i,
                f"{value:z.2f}".replace("-", MINUS),
                ha="center",
                va="center",
                color=ink,
                fontsize=9,
            )
    ax.set_title(ax.get_title(loc="left") or title, loc="left")
    ax.spines[:].set_visible(False)
    return ax


def _ink(ground: np.ndarray) -> str:
    """White or black, whichever stands out more on a colour (WCAG's luminance)."""
    c = ground[:3]
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return "white" if linear @ (0.2126, 0.7152, 0.0722) < 0.18 else "black"


def correlations(returns: xr.DataArray) -> xr.DataArray:
    """Return the correlations that `correlation` draws, lazily.

    Parameters
    ----------
    returns
        As there.

    Returns
    -------
    DataArray
        (factor, factor_2); missing for a factor that does not vary.
    """
    if OTHER in returns.dims:
        products = returns.transpose(panel.FACTOR, OTHER)
    else:
        x = returns.transpose(panel.DATE, panel.FACTOR).astype(np.float64)
        known = xr.ufuncs.isfinite(x).all(panel.FACTOR)
        apart = (x - x.where(known).mean(panel.DATE)).where(known, 0.0)
        products = xr.dot(apart, apart.rename({panel.FACTOR: OTHER}), dim=panel.DATE)
    places = np.arange(products.sizes[panel.FACTOR])
    own = products.isel({panel.FACTOR: ("own", places), OTHER: ("own", places)})
    size = xr.ufuncs.sqrt(own.where(own > 0)).drop_vars([panel.FACTOR, OTHER], errors="ignore")
    scaled = products / size.rename(own=panel.FACTOR) / size.rename(own=OTHER)
    return scaled.clip(-1.0, 1.0)


def _day(label: np.generic) -> str:
    if isinstance(label, np.datetime64):
        return str(np.datetime_as_string(label, unit="D"))
    return str(label)
