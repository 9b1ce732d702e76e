"""Fundamental factor models, out of core: xarray panels on Zarr, computed with Dask."""

import importlib

from xfactor._apply import compute
from xfactor.cross_section import (
    between,
    bottom,
    composite,
    demean,
    fillna,
    neutralize,
    qcut,
    quantile,
    rank,
    standardize,
    top,
    trim,
    winsorize,
    zscore,
)
from xfactor.panel import PanelError, check_panel
from xfactor.portfolios import hedge, long_short, performance, portfolio_returns
from xfactor.regression import (
    Huber,
    cross_sectional_ols,
    mimicking_portfolios,
    newey_west,
    regression_weights,
    rolling_ols,
    time_series_ols,
)
from xfactor.simulate import simulate_panel
from xfactor.store import add_fields, open_panel, write_panel
from xfactor.time_series import (
    age,
    cumulative_returns,
    decay_linear,
    diff,
    drawdown,
    ewm_cov,
    ewm_mean,
    ewm_std,
    ewm_var,
    ffill,
    forward_returns,
    growth,
    lag,
    returns,
    rolling_beta,
    rolling_corr,
    rolling_cov,
    rolling_max,
    rolling_mean,
    rolling_median,
    rolling_min,
    rolling_quantile,
    rolling_rank,
    rolling_skew,
    rolling_std,
    rolling_sum,
    rolling_var,
)

__version__ = "0.1.0"

__all__ = [
    "Huber",
    "PanelError",
    "add_fields",
    "age",
    "between",
    "bottom",
    "check_panel",
    "composite",
    "compute",
    "cross_sectional_ols",
    "cumulative_returns",
    "decay_linear",
    "demean",
    "diff",
    "drawdown",
    "ewm_cov",
    "ewm_mean",
    "ewm_std",
    "ewm_var",
    "ffill",
    "fillna",
    "forward_returns",
    "growth",
    "hedge",
    "lag",
    "long_short",
    "mimicking_portfolios",
    "neutralize",
    "newey_west",
    "open_panel",
    "performance",
    "portfolio_returns",
    "qcut",
    "quantile",
    "rank",
    "regression_weights",
    "returns",
    "rolling_beta",
    "rolling_corr",
    "rolling_cov",
    "rolling_max",
    "rolling_mean",
    "rolling_median",
    "rolling_min",
    "rolling_ols",
    "rolling_quantile",
    "rolling_rank",
    "rolling_skew",
    "rolling_std",
    "rolling_sum",
    "rolling_var",
    "simulate_panel",
    "standardize",
    "time_series_ols",
    "top",
    "trim",
    "winsorize",
    "write_panel",
    "zscore",
]

# Imported at first use: they bring pyarrow or matplotlib, or belong in tests only.
_MODULES = ("ingest", "lecture", "plot", "testing")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"xfactor.{name}")
    raise AttributeError(f"module 'xfactor' has no attribute {name!r}")
