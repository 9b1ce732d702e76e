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

from functools import partial
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import rolling as _rolling
from xfactor.kernels import shift as _shift

T = TypeVar("T", xr.DataArray, xr.Dataset)


def lag(x: T, periods: int = 1, *, dim: str = panel.DATE) -> T:
    """Put at each date the value of `periods` dates before.

    Parameters
    ----------
    x
        Numbers, codes or a mask (date, asset).
    periods
        How many dates back; 0 gives `x` again. Negative ones would look ahead and are refused.
    dim
        Dimension to move along.

    Returns
    -------
    DataArray or Dataset
        The first `periods` dates are missing: NaN for floats, False for masks, -1 for codes
        (int8 and int16). Wider integers are counts, not codes: they become float64.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.lag(xr.DataArray([1.0, 2.0, 3.0], dims="date")).values
    array([nan,  1.,  2.])
    """
    periods = panel.positive("periods", periods, 0)

    def shift(v: xr.DataArray) -> xr.DataArray:
        fill: Any = np.nan
        if v.dtype == np.bool_:
            fill = False
        elif v.dtype in (np.int8, np.int16):
            fill = panel.MISSING_CODE
        else:
            v = panel.as_float(v)
        return _window(_shift.lag_rows, v, dim, periods, 0, "lag", periods=periods, fill=fill)

    return _apply.over_variables(shift, x, dim, "lag")


def returns(
    x: T, periods: int = 1, *, dim: str = panel.DATE, where: xr.DataArray | None = None
) -> T:
    """Return over the last `periods` dates: x[t] / x[t - periods] - 1.

    Parameters
    ----------
    x
        Prices (date, asset), adjusted for splits and dividends if the total return is wanted.
    periods
        Number of dates the return spans.
    dim
        Dimension to move along.
    where
        Universe mask, applied to the prices.

    Returns
    -------
    DataArray or Dataset
        Decimal returns; missing where either price is, or where the earlier one is not positive.
        A gap is not filled: the return into and out of a missing price is missing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.returns(xr.DataArray([10.0, 11.0, 22.0], dims="date")).round(6).values
    array([nan, 0.1, 1. ])
    """
    periods = panel.positive("periods", periods)

    def change(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return _window(_shift.return_rows, v, dim, periods, 0, "returns", periods=periods)

    return _apply.over_variables(change, x, dim, "returns")


def forward_returns(
    x: T, periods: int = 1, *, dim: str = panel.DATE, where: xr.DataArray | None = None
) -> T:
    """Compound return over the next `periods` dates, t+1 to t+periods.

    **This reads ahead**, as nothing else in the package does.

    Parameters
    ----------
    x
        Decimal returns (date, asset), each over (t-1, t].
    periods
        Number of dates ahead.
    dim
        Dimension to move along.
    where
        Universe mask, applied to the returns.

    Returns
    -------
    DataArray or Dataset
        Decimal returns; missing where any of the returns is, and on the last `periods` dates. An
        asset that is delisted has none over its end: put the delisting return into `x`.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.forward_returns(xr.DataArray([0.5, 0.1, 0.2], dims="date"), 2).round(6).values
    array([0.32,  nan,  nan])
    """
    periods = panel.positive("periods", periods)

    def ahead(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return _window(_shift.forward_rows, v, dim, 0, periods, "forward_returns", periods=periods)

    return _apply.over_variables(ahead, x, dim, "forward_returns")


def rolling_mean(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Mean over the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    window
        Number of dates.
    min_obs
        Valid values needed; `window` if not given.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Means; missing where fewer than `min_obs` values are valid.

    Notes
    -----
    Sums are built from the parts of two date blocks and never by subtraction, so they do not
    drift and an outlier leaves no trace once it has left the window.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_mean(xr.DataArray([1.0, 2.0, 4.0], dims="date"), window=2).values
    array([nan, 1.5, 3. ])
    """
    return _roll(_rolling.MEAN, x, window, min_obs, 0, dim, where, "rolling_mean")


def rolling_std(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    ddof: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Standard deviation over the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    window
        Number of dates.
    min_obs
        Valid values needed; `window` if not given.
    ddof
        The divisor of the variance is n - ddof.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Standard deviations; missing where fewer than `min_obs` values are valid, or no more
        than `ddof`. Equal values give exactly 0.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_std(xr.DataArray([1.0, 3.0, 3.0], dims="date"), window=2, ddof=0).values
    array([nan,  1.,  0.])
    """
    ddof = panel.positive("ddof", ddof, 0)
    return _roll(_rolling.STD, x, window, min_obs, ddof, dim, where, "rolling_std")


def _roll(
    statistic: int,
    x: T,
    window: int,
    min_obs: int | None,
    ddof: int,
    dim: str,
    where: xr.DataArray | None,
    what: str,
) -> T:
    window = panel.positive("window", window)
    least = window if min_obs is None else panel.positive("min_obs", min_obs)
    options = {"statistic": statistic, "window": window, "min_obs": least, "ddof": ddof}

    def roll(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return _window(_rolling.rolling_rows, v, dim, window - 1, 0, what, **options)

    return _apply.over_variables(roll, x, dim, what)


def _window(
    kernel: _apply.Kernel,
    x: xr.DataArray,
    dim: str,
    before: int,
    after: int,
    what: str,
    **options: Any,
) -> xr.DataArray:
    """Run a window kernel of one input and one output of the same dtype."""
    run = partial(kernel, **options)
    args, outs = [_apply.Arg(x)], [_apply.Out((), x.dtype)]
    return _apply.window(run, args, outs, before=before, after=after, dim=dim, what=what)[0]
