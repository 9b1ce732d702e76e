"""How a rolling statistic reaches its kernel."""

from functools import partial

import xarray as xr

from xfactor import _apply, panel
from xfactor.time_series._window import T
from xfactor.time_series._window import window as _window


def window_options(window: int, min_obs: int | None) -> tuple[int, int]:
    """`window` and `min_obs`, checked."""
    window = panel.positive("window", window)
    least = window if min_obs is None else panel.positive("min_obs", min_obs)
    return window, least


def roll(
    rows: _apply.Kernel,
    x: T,
    window: int,
    min_obs: int | None,
    dim: str,
    where: xr.DataArray | None,
    what: str,
) -> T:
    """Run a kernel of trailing windows on an array, or on the variables of a Dataset."""
    n, least = window_options(window, min_obs)
    kernel = partial(rows, window=n, min_obs=least)

    def one(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return _window(kernel, v, dim, n - 1, 0, what)

    return _apply.over_variables(one, x, dim, what)
