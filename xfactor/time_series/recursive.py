"""What is carried from date to date: compound returns, drawdowns, last values and their age."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, _scan, panel
from xfactor.kernels import recursive as _recursive
from xfactor.time_series._window import T, any_dtype, movable
from xfactor.time_series._window import window as _window


def cumulative_returns(
    x: T,
    *,
    window: int | None = None,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Compound return since the first date, or over the last `window` dates, t included.

    Parameters
    ----------
    x
        Decimal returns (date, asset), each over (t-1, t].
    window
        Number of dates; all of them so far if not given.
    min_obs
        Known returns needed in a window; `window` if not given.
    dim
        Dimension to compound along.
    where
        Universe mask, applied to the returns.

    Returns
    -------
    DataArray or Dataset
        Decimal returns, shaped as `x`. Since the first date: missing where the return of the date
        is; a gap earns nothing, and the level before it is carried over it. Of a window: missing
        where fewer than `min_obs` of its returns are known.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `min_obs` is given without `window`; if `x` lacks `dim`, or its dates do not strictly
        increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Notes
    -----
    A return of -1 or below is ruin: what is left is 0, for good. What leaves the range of floats
    is missing.

    References
    ----------
    Campbell, J., Lo, A. and MacKinlay, C. (1997). The Econometrics of Financial Markets. Princeton
    University Press, section 1.4.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([0.5, float("nan"), 0.2, -0.5], dims="date")
    >>> xf.cumulative_returns(r).round(6).values
    array([ 0.5,  nan,  0.8, -0.1])
    >>> xf.cumulative_returns(r, window=2, min_obs=1).round(6).values
    array([ 0.5,  0.5,  0.2, -0.4])
    """
    what = "cumulative_returns"
    if window is None:
        if min_obs is not None:
            remedy = "Pass window=, or leave min_obs out"
            raise panel.error(f"min_obs={min_obs!r} was given without window", "both", remedy)
        return _compound(x, np.inf, dim, where, what)
    window, least = panel.window_options(window, min_obs)
    options = {"window": window, "min_obs": least}

    def roll(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return _window(_recursive.compound_window, v, dim, window - 1, 0, what, **options)

    return _apply.over_variables(roll, x, dim, what, units="1")


def drawdown(x: T, *, dim: str = panel.DATE, where: xr.DataArray | None = None) -> T:
    """Loss since the highest wealth so far, from decimal returns.

    Parameters
    ----------
    x
        Decimal returns (date, asset), each over (t-1, t].
    dim
        Dimension to compound along.
    where
        Universe mask, applied to the returns.

    Returns
    -------
    DataArray or Dataset
        Decimal, from -1 to 0, shaped as `x`: wealth over its highest so far, the 1 at the start
        among them, less 1. Missing where the return is; a gap earns nothing. The lowest of all
        dates is the ``drawdown`` of `performance`.

    Raises
    ------
    PanelError
        If `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Grossman, S. and Zhou, Z. (1993). Optimal investment strategies for controlling drawdowns.
    Mathematical Finance 3, 241-276.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([-0.5, 0.5, 1.0, -0.25], dims="date")
    >>> xf.drawdown(r).values
    array([-0.5 , -0.25,  0.  , -0.25])
    """
    return _compound(x, 1.0, dim, where, "drawdown")


def _compound(x: T, most: float, dim: str, where: xr.DataArray | None, what: str) -> T:
    def carry(v: xr.DataArray) -> xr.DataArray:
        return _carried(_recursive.compound_rows, panel.masked(v, where), dim, what, most=most)

    return _apply.over_variables(carry, x, dim, what, units="1")


def age(x: T, *, dim: str = panel.DATE, where: xr.DataArray | None = None) -> T:
    """Sessions since the value last changed: how stale it is.

    Parameters
    ----------
    x
        Numbers, codes or a mask (date, asset).
    dim
        Dimension of time.
    where
        Universe mask, applied to the values.

    Returns
    -------
    DataArray or Dataset
        Sessions, shaped as `x`: 0 on the first known date and on those of a change; missing where
        `x` is (codes, signed integers of at most 4 bytes, where they are -1). Dates without a value
        count, but are no change: the age goes on if the same value comes back.

    Raises
    ------
    PanelError
        If `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text, or a Dataset
        with such a field; if `where` is not bool.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.age(xr.DataArray([5.0, 5.0, float("nan"), 5.0, 6.0], dims="date")).values
    array([ 0.,  1., nan,  3.,  0.])
    """

    def carry(v: xr.DataArray) -> xr.DataArray:
        known = v != panel.MISSING_CODE if panel.is_codes(v.dtype) else None
        v = panel.masked(v, where)
        return _carried(_recursive.age_rows, v if known is None else v.where(known), dim, "age")

    return _apply.over_variables(carry, x, dim, "age", units="1", takes=any_dtype)


def ffill(
    x: T, *, limit: int | None = None, dim: str = panel.DATE, where: xr.DataArray | None = None
) -> T:
    """Fill missing values with the last known one.

    Parameters
    ----------
    x
        Numbers, codes or datetimes (date, asset).
    limit
        How many sessions old a value may be; any age if not given. With a limit, dates are
        worked on in parallel; without it a date waits for those before.
    dim
        Dimension to fill along.
    where
        Universe mask: cells outside it are not filled, and nothing is filled from them.

    Returns
    -------
    DataArray or Dataset
        Values, shaped as `x` and in its units; missing before the first known one, and where it is
        older than `limit`. Codes (signed integers of at most 4 bytes, -1 is missing) and datetimes
        keep their dtype, other integers become float64. Masks of a Dataset stay as they are.

    Raises
    ------
    PanelError
        If `limit` is not a whole number of at least 1; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, is a mask (nothing in it is missing) or text;
        if a field of a Dataset is text; if `where` is not bool.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([1.0, float("nan"), float("nan"), 4.0], dims="date")
    >>> xf.ffill(x, limit=1).values
    array([ 1.,  1., nan,  4.])
    """
    limit = None if limit is None else min(panel.positive("limit", limit), panel.LONGEST)

    def carry(v: xr.DataArray) -> xr.DataArray:
        if v.dtype == np.bool_:
            found = f"{v.name or 'the array'} has dtype bool, in which nothing is missing"
            raise TypeError(f"{found}; needed numbers or codes. Fill the other fields only.")
        v, fill = movable(v)
        if v.dtype.kind in "Mm":  # as integers, for Numba's sake
            filled = carried(v.astype(np.int64), fill.astype(np.int64))
            return filled.astype(v.dtype)
        return carried(v, fill)

    def carried(v: xr.DataArray, fill: Any) -> xr.DataArray:
        if where is not None:
            panel.check_mask(v, where, "where")
            v = v.where(where, fill)
        if limit is None:
            v = _carried(_recursive.fill_rows, v, dim, "ffill", fill=fill)
        else:
            kernel = _recursive.fill_window
            v = _window(kernel, v, dim, limit, 0, "ffill", limit=limit, fill=fill)
        return v if where is None else v.where(where, fill)

    return _apply.over_variables(carry, x, dim, "ffill", takes=_has_gaps)


def _has_gaps(dtype: np.dtype) -> bool:
    return dtype != np.bool_


def _carried(
    kernel: _apply.Kernel, x: xr.DataArray, dim: str, what: str, **options: Any
) -> xr.DataArray:
    """Run a scan kernel of one input and one output of the same dtype."""
    outs = [_apply.Out((), x.dtype)]
    return _scan.scan(partial(kernel, **options), [_apply.Arg(x)], outs, dim=dim, what=what)[0]
