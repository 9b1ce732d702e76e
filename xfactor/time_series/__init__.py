"""Transforms along date: every asset by itself.

Shared by all functions here:

- `x` is a DataArray or a Dataset, numpy- or dask-backed, in any order of dims and with any chunks.
  The result is lazy if `x` is, has the kind, dims, order and coords of `x` (those of other inputs
  are left out), and is the same bit for bit whatever the chunks.
- Of a Dataset the numbers that have `dim` are transformed. Codes (signed integers of at most 4
  bytes, -1 is missing), masks, dates and text stay as they are. `lag`, `ffill` and `age` take them
  too (`ffill` no masks), and refuse what they cannot move.
- A result in the units of `x` has the attrs of `x`. One that is another quantity (returns, growth,
  ages, ranks, variances, covariances, ...) loses those that name the old one (`long_name`,
  `standard_name`, flags and valid ranges); its `units`, if `x` has any, become "1", or are dropped
  where it has units of its own (variances, covariances, betas).
- Dates must be strictly increasing, or a PanelError is raised. Labels that are no datetimes are
  taken to stand in order.
- The value at t uses values up to t only; `forward_returns` alone reads ahead.
- NaN means missing, infinities count as missing.
- `where` is a bool mask, the universe on each date: cells outside it are missing.
- float32 stays float32, statistics are accumulated in float64; other numbers become float64.
- One row is one session: `periods` and `window` count the rows of the panel. `min_obs` is at most
  the `window`.
- Chunks along date much shorter than the window cost time: a chunk works again through the dates
  before it that its windows need. With a window of 250, chunks of 10 dates go through every date 26
  times, chunks of 250 or more at most twice.
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
