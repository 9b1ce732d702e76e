"""Means of series by date, with errors that allow for overlapping returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.evaluation._data import BUCKET, GROUP, HORIZON, REASON, Signals
from xfactor.kernels import hac
from xfactor.regression._design import default_lags, tvalue


def lags_of(lags: int | None, horizon: int, n_dates: int) -> int:
    """Newey-West lags: what the caller gave, or enough for returns over `horizon` dates."""
    if lags is not None:
        return panel.positive("lags", lags, 0)
    return max(default_lags(n_dates), horizon - 1)


def means(series: xr.DataArray, horizons: Sequence[int], lags: int | None, dim: str) -> xr.Dataset:
    """Return mean, std, stderr, tvalue and n_dates over the dates; `lags` in the attrs.

    The same as `newey_west`, which reads its series twice: these are short, but may be dear to
    make. So a series comes to one task whole.
    """
    several = HORIZON in series.dims
    own = [lags_of(lags, h, series.sizes[dim]) for h in horizons]
    if series.chunks is not None:
        series = series.chunk({dim: -1})
    reach = xr.DataArray(np.array(own), dims=HORIZON) if several else xr.DataArray(own[0])
    args = [_apply.Arg(series, (dim,)), _apply.Arg(reach)]
    outs = [*[_apply.Out((), series.dtype)] * 3, _apply.Out((), np.int32)]
    found = _apply.along(hac.mean_rows, args, outs, what="the mean of a series")
    mean, std, stderr, n = found
    return xr.Dataset(
        {"mean": mean, "std": std, "stderr": stderr, "tvalue": tvalue(mean, stderr), "n_dates": n},
        attrs={"lags": own if several else own[0]},
    )


def arranged(variables: dict[str, xr.DataArray], s: Signals, **attrs: Any) -> xr.Dataset:
    """The results together, dims in the order of the signals', then those that results add."""
    own = [d for d in s.x.dims if d != s.asset_dim]
    order = [*own, HORIZON, GROUP, BUCKET, "event", REASON]
    done = {name: v.transpose(*[d for d in order if d in v.dims]) for name, v in variables.items()}
    return xr.Dataset(done, attrs=attrs)
