"""Pictures of results: each function takes labelled results and returns matplotlib Axes.

Results may be lazy, and of any size: what is drawn is worked out block by block, long lines keep
only the points that can be seen, and values are counted where they are. Nothing touches pyplot,
its windows or its settings. Importing this module imports matplotlib; nothing else in the package
does.
"""

from xfactor.plot.distributions import exposure_histogram, histogram
from xfactor.plot.maps import correlation, coverage_map
from xfactor.plot.of_lecture import lecture_plots
from xfactor.plot.risk import risk_shares
from xfactor.plot.series import betas, cumulative, drawdown, hedged, lines, multiples
from xfactor.plot.signals import ic_decay, ic_histogram, ic_series, quantile_bars, spread
from xfactor.plot.style import COLOURS, axes

__all__ = [
    "COLOURS",
    "axes",
    "betas",
    "correlation",
    "coverage_map",
    "cumulative",
    "drawdown",
    "exposure_histogram",
    "hedged",
    "histogram",
    "ic_decay",
    "ic_histogram",
    "ic_series",
    "lecture_plots",
    "lines",
    "multiples",
    "quantile_bars",
    "risk_shares",
    "spread",
]
