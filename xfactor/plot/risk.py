"""Where the risk of a portfolio comes from."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from xfactor import panel
from xfactor._apply import compute
from xfactor.plot.series import lines
from xfactor.plot.style import COLOURS, INK, MINUS, dressed, only


def risk_shares(
    fit: xr.Dataset, title: str = "Where the risk comes from", *, ax: Axes | None = None
) -> Axes:
    """Draw the share of each factor, and of the assets' own risk, in the risk of a portfolio.

    Parameters
    ----------
    fit
        Result of `risk_decomposition` for one portfolio: ``share`` (factor,), which is drawn as
        bars, or (date, factor), drawn as lines.
    title
        Title.
    ax
        Axes to draw on; new ones if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, in percent of the risk; the shares sum to 100 %, and one is negative where a
        factor takes risk away.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xfactor as xf
    >>> from xfactor import plot
    >>> w = xr.DataArray([0.5, 0.5], dims="asset")
    >>> beta = xr.DataArray([[1.0], [0.6]], dims=("asset", "factor"), coords={"factor": ["market"]})
    >>> f = xr.DataArray([[0.04]], dims=("factor", "factor_2"), coords={
    ...     "factor": ["market"], "factor_2": ["market"]})
    >>> d = xr.DataArray([0.02, 0.04], dims="asset")
    >>> ax = plot.risk_shares(xf.risk_decomposition(w, beta, f, d))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['market', 'specific']
    """
    share = only(panel.field(fit, "share"), (panel.DATE, panel.FACTOR), "risk_shares")
    if panel.DATE in share.dims:
        return lines(share, title, "share of the risk", percent=True, ax=ax)
    (share,) = compute(share)
    names = [str(name) for name in share[panel.FACTOR].values]
    if ax is None:
        ax = Figure(figsize=(9, max(4.0, 1.2 + 0.28 * len(names))), layout="constrained").subplots()
    ax = dressed(ax, title, "", "share of the risk", zero=False)
    colours = [COLOURS[5] if name == "specific" else COLOURS[0] for name in names]
    shares = share.values.round(3)  # as written, so that no bar of -0.0 % leans to the left
    bars = ax.barh(names, np.nan_to_num(shares), color=colours, height=0.6)
    texts = ["-" if np.isnan(v) else f"{100 * v:z.1f} %".replace("-", MINUS) for v in shares]
    ax.bar_label(bars, texts, padding=4, fontsize=9)
    ax.axvline(0.0, color=INK, linewidth=0.8)
    ax.margins(x=0.12)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return ax
