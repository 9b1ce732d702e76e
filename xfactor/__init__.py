"""Fundamental factor models, out of core: xarray panels on Zarr, computed with Dask."""

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
from xfactor.store import add_fields, open_panel, write_panel
from xfactor.time_series import forward_returns, lag, returns, rolling_mean, rolling_std

__version__ = "0.1.0"

__all__ = [
    "PanelError",
    "add_fields",
    "bottom",
    "check_panel",
    "demean",
    "forward_returns",
    "lag",
    "open_panel",
    "qcut",
    "quantile",
    "rank",
    "returns",
    "rolling_mean",
    "rolling_std",
    "standardize",
    "top",
    "winsorize",
    "write_panel",
    "zscore",
]
