"""How a rolling statistic reaches its kernel."""

from functools import partial

import xarray as xr

from xfactor import _apply, panel
from xfactor.time_series._window import T
from xfactor.time_series._window import window as _window


def roll(
    rows: _apply.Kernel,
    x: T,
    window: int,
    min_obs: int | None,
    dim: str,
    where: xr.DataArray | None,
    what: str,
    units: str | None = panel.SAME,
) -> T:
    """Run a kernel of trailing windows on an array, or on the variables of a Dataset."""
    n, least = panel.window_options(window, min_obs)
    kernel = partial(rows, window=n, min_obs=least)

    def one(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return _window(kernel, v, dim, n - 1, 0, what)

    return _apply.over_variables(one, x, dim, what, units=units)
