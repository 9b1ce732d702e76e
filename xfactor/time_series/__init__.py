"""Transforms along date: every asset by itself.

Shared by all functions here:

- `x` is a DataArray or a Dataset (each of its variables), numpy- or dask-backed, in any order of
  dims and with any chunks. The result is lazy if `x` is, has the kind, dims, order, coords and
  attrs of `x`, and is the same bit for bit whatever the chunks.
- The value at t uses values up to t only; `forward_returns` alone reads ahead.
- NaN means missing, infinities count as missing.
- `where` is a bool mask, the universe on each date: cells outside it are missing.
- float32 stays float32, statistics are accumulated in float64; other numbers become float64.
- One row is one session: `periods` and `window` count the rows of the panel.
"""

from xfactor.time_series.decay import decay_linear
from xfactor.time_series.ewm import ewm_cov, ewm_mean, ewm_std, ewm_var
from xfactor.time_series.paired import rolling_beta, rolling_corr, rolling_cov
from xfactor.time_series.recursive import age, cumulative_returns, drawdown, ffill
from xfactor.time_series.rolling import (
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
from xfactor.time_series.shifts import diff, forward_returns, growth, lag, returns

__all__ = [
    "age",
    "cumulative_returns",
    "decay_linear",
    "diff",
    "drawdown",
    "ewm_cov",
    "ewm_mean",
    "ewm_std",
    "ewm_var",
    "ffill",
    "forward_returns",
    "growth",
    "lag",
    "returns",
    "rolling_beta",
    "rolling_corr",
    "rolling_cov",
    "rolling_max",
    "rolling_mean",
    "rolling_median",
    "rolling_min",
    "rolling_quantile",
    "rolling_rank",
    "rolling_skew",
    "rolling_std",
    "rolling_sum",
    "rolling_var",
]
