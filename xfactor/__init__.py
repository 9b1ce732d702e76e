"""Fundamental factor models, out of core: xarray panels on Zarr, computed with Dask."""

import importlib

from xfactor._apply import compute
from xfactor.cross_section import (
    bottom,
    demean,
    qcut,
    quantile,
    rank,
    standardize,
    top,
    winsorize,
    zscore,
)
from xfactor.panel import PanelError, check_panel
from xfactor.portfolios import hedge, long_short, performance, portfolio_returns
from xfactor.regression import cross_sectional_ols, newey_west, rolling_ols, time_series_ols
from xfactor.simulate import simulate_panel
from xfactor.store import add_fields, open_panel, write_panel
from xfactor.time_series import forward_returns, lag, returns, rolling_mean, rolling_std

__version__ = "0.1.0"

__all__ = [
    "PanelError",
    "add_fields",
    "bottom",
    "check_panel",
    "compute",
    "cross_sectional_ols",
    "demean",
    "forward_returns",
    "hedge",
    "lag",
    "long_short",
    "newey_west",
    "open_panel",
    "performance",
    "portfolio_returns",
    "qcut",
    "quantile",
    "rank",
    "returns",
    "rolling_mean",
    "rolling_ols",
    "rolling_std",
    "simulate_panel",
    "standardize",
    "time_series_ols",
    "top",
    "winsorize",
    "write_panel",
    "zscore",
]

_MODULES = ("ingest", "lecture", "plot")  # imported at first use: they bring pyarrow or matplotlib


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"xfactor.{name}")
    raise AttributeError(f"module 'xfactor' has no attribute {name!r}")
