"""Statistics of two variables over the last `window` dates.

Only dates on which both are valid count.
"""

from functools import partial

import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import rolling_pairs as _pairs
from xfactor.time_series._window import T


def rolling_cov(
    x: T,
    y: xr.DataArray,
    *,
    window: int,
    min_obs: int | None = None,
    ddof: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Covariance with `y` over the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    y
        Second variable: dims among those of `x`, e.g. (date,) for a market's return.
    window
        Number of dates.
    min_obs
        Dates needed on which both are valid; `window` if not given.
    ddof
        The divisor is n - ddof.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Covariances, shaped as `x`, in the units of `x` times those of `y`; missing where fewer than
        `min_obs` dates are valid, or no more than `ddof`.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `ddof` is not a whole number of at least 0; if `x` or `y` lacks `dim`, or its dates do
        not strictly increase; if `y` or `where` does not fit `x`: a dim that `x` lacks, other
        labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or `y` not a DataArray; if one of them is an
        array of dates or text; if `where` is not bool.

    References
    ----------
    Kakushadze, Z. (2016). 101 formulaic alphas. Wilmott 2016(84), 72-81, appendix: ``covariance``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([1.0, 2.0, 4.0], dims="date")
    >>> xf.rolling_cov(x, 2 * x, window=2).values
    array([nan,  1.,  4.])
    """
    ddof = panel.positive("ddof", ddof, 0)
    return _pair(_pairs.COV, x, y, window, min_obs, ddof, dim, where, "rolling_cov")


def rolling_corr(
    x: T,
    y: xr.DataArray,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Correlation with `y` over the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    y
        Second variable: dims among those of `x`, e.g. (date,) for a market's return.
    window
        Number of dates.
    min_obs
        Dates needed on which both are valid; `window` if not given.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Correlations, from -1 to 1, shaped as `x`; missing where fewer than `min_obs` dates are
        valid, or either variable is constant.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` or `y` lacks `dim`, or its dates do not strictly increase; if `y` or `where` does not
        fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or `y` not a DataArray; if one of them is an
        array of dates or text; if `where` is not bool.

    References
    ----------
    Kakushadze, Z. (2016). 101 formulaic alphas. Wilmott 2016(84), 72-81, appendix: ``correlation``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([1.0, 2.0, 4.0], dims="date")
    >>> xf.rolling_corr(x, -x, window=3).round(12).values
    array([nan, nan, -1.])
    """
    return _pair(_pairs.CORR, x, y, window, min_obs, 0, dim, where, "rolling_corr")


def rolling_beta(
    x: T,
    y: xr.DataArray,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Slope of `x` on `y` over the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    y
        Second variable: dims among those of `x`, e.g. (date,) for a market's return.
    window
        Number of dates.
    min_obs
        Dates needed on which both are valid; `window` if not given.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Slopes cov(x, y) / var(y), those of a regression with a constant, shaped as `x`, in the
        units of `x` by those of `y`; missing where fewer than `min_obs` dates are valid, or `y` is
        constant.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` or `y` lacks `dim`, or its dates do not strictly increase; if `y` or `where` does not
        fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or `y` not a DataArray; if one of them is an
        array of dates or text; if `where` is not bool.

    References
    ----------
    Sharpe, W. (1963). A simplified model for portfolio analysis. Management Science 9, 277-293.

    zipline-reloaded, API reference: ``zipline.pipeline.factors.SimpleBeta``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> market = xr.DataArray([1.0, 2.0, 4.0], dims="date")
    >>> xf.rolling_beta(3 * market + 1, market, window=2).values
    array([nan,  3.,  3.])
    """
    return _pair(_pairs.BETA, x, y, window, min_obs, 0, dim, where, "rolling_beta")


def _pair(
    statistic: int,
    x: T,
    y: xr.DataArray,
    window: int,
    min_obs: int | None,
    ddof: int,
    dim: str,
    where: xr.DataArray | None,
    what: str,
) -> T:
    panel.one_array(y, what, "y")
    panel.check_dim(y, dim, what)
    y = panel.as_float(y).rename("y")
    n, least = panel.window_options(window, min_obs)
    rows = partial(_pairs.pair_rows, statistic=statistic, ddof=ddof, window=n, min_obs=least)

    def one(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where).rename("x")  # what errors call it
        further = [str(d) for d in y.dims if d not in v.dims]
        if further:
            raise panel.error(
                f"y has the dimension {further[0]!r} and x has not",
                f"dimensions among {', '.join(map(repr, map(str, v.dims)))}",
                f"Select one label of {further[0]!r}",
            )
        args, outs = [_apply.Arg(v), _apply.Arg(y)], [_apply.Out((), v.dtype)]
        return _apply.window(rows, args, outs, before=n - 1, dim=dim, what=what)[0]

    units = "1" if statistic == _pairs.CORR else None
    return _apply.over_variables(one, x, dim, what, units=units)
