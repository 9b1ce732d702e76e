"""Statistics of the last `window` dates."""

from functools import partial
from numbers import Real

import xarray as xr

from xfactor import panel
from xfactor.kernels import rolling as _moments
from xfactor.kernels import rolling_order as _order
from xfactor.time_series._roll import roll
from xfactor.time_series._window import T

# Shares of the first and the last place of equal values in the rank they get.
_TIES = {"average": (0.5, 0.5), "min": (1.0, 0.0), "max": (0.0, 1.0)}


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
        Means, shaped as `x` and in its units; missing where fewer than `min_obs` values are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Notes
    -----
    Sums are built from the parts of two date blocks and never by subtraction, so they do not
    drift and an outlier leaves no trace once it has left the window.

    A chunk of dates works again through the `window` - 1 dates before it: keep chunks along date
    no shorter than the window where speed matters.

    References
    ----------
    van Herk, M. (1992). A fast algorithm for local minimum and maximum filters on rectangular and
    octagonal kernels. Pattern Recognition Letters 13, 517-521.

    Gil, J. and Werman, M. (1993). Computing 2-D min, median, and max filters. IEEE Transactions on
    Pattern Analysis and Machine Intelligence 15, 504-507.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_mean(xr.DataArray([1.0, 2.0, 4.0], dims="date"), window=2).values
    array([nan, 1.5, 3. ])
    """
    rows = partial(_moments.mean_rows, total=False)
    return roll(rows, x, window, min_obs, dim, where, "rolling_mean")


def rolling_sum(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Sum over the last `window` dates, t included.

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
        Sums of the valid values, shaped as `x` and in its units; missing where fewer than `min_obs`
        are valid. A missing value adds nothing, so with `min_obs` below `window` sums of unlike
        counts stand side by side.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_sum(xr.DataArray([1.0, 2.0, 4.0], dims="date"), window=2).values
    array([nan,  3.,  6.])
    """
    rows = partial(_moments.mean_rows, total=True)
    return roll(rows, x, window, min_obs, dim, where, "rolling_sum")


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
        Standard deviations, shaped as `x` and in its units; missing where fewer than `min_obs`
        values are valid, or no more than `ddof`. Equal values give exactly 0.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `ddof` is not a whole number of at least 0; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Chan, T., Golub, G. and LeVeque, R. (1983). Algorithms for computing the sample variance:
    analysis and recommendations. The American Statistician 37, 242-247.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_std(xr.DataArray([1.0, 3.0, 3.0], dims="date"), window=2, ddof=0).values
    array([nan,  1.,  0.])
    """
    rows = partial(_moments.var_rows, ddof=panel.positive("ddof", ddof, 0), root=True)
    return roll(rows, x, window, min_obs, dim, where, "rolling_std")


def rolling_var(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    ddof: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Variance over the last `window` dates, t included.

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
        Variances, shaped as `x` and in its units squared; missing where fewer than `min_obs` values
        are valid, or no more than `ddof`. Equal values give exactly 0.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `ddof` is not a whole number of at least 0; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Chan, T., Golub, G. and LeVeque, R. (1983). Algorithms for computing the sample variance:
    analysis and recommendations. The American Statistician 37, 242-247.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_var(xr.DataArray([1.0, 3.0, 3.0], dims="date"), window=2).values
    array([nan,  2.,  0.])
    """
    rows = partial(_moments.var_rows, ddof=panel.positive("ddof", ddof, 0), root=False)
    return roll(rows, x, window, min_obs, dim, where, "rolling_var", None)


def rolling_skew(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    bias: bool = False,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Skewness over the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    window
        Number of dates.
    min_obs
        Valid values needed; `window` if not given.
    bias
        True: the third central moment over the cubed standard deviation, both with divisor n.
        False: the same times sqrt(n (n - 1)) / (n - 2) (adjusted Fisher-Pearson), as pandas has it.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Skewness, without unit and shaped as `x`; missing where fewer than `min_obs` or 3 values (2
        if `bias`) are valid, or all are equal.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Joanes, D. and Gill, C. (1998). Comparing measures of sample skewness and kurtosis. The
    Statistician 47, 183-189: g1 (`bias`) and G1.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_skew(xr.DataArray([1.0, 1.0, 4.0], dims="date"), window=3).round(6).values
    array([    nan,     nan, 1.732051])
    """
    rows = partial(_moments.skew_rows, bias=panel.flag("bias", bias))
    return roll(rows, x, window, min_obs, dim, where, "rolling_skew", "1")


def rolling_min(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Smallest value of the last `window` dates, t included.

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
        Smallest values, shaped as `x` and in its units; missing where fewer than `min_obs` values
        are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    van Herk, M. (1992). A fast algorithm for local minimum and maximum filters on rectangular and
    octagonal kernels. Pattern Recognition Letters 13, 517-521.

    Gil, J. and Werman, M. (1993). Computing 2-D min, median, and max filters. IEEE Transactions on
    Pattern Analysis and Machine Intelligence 15, 504-507.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_min(xr.DataArray([1.0, 2.0, 4.0], dims="date"), window=2).values
    array([nan,  1.,  2.])
    """
    rows = partial(_order.extreme_rows, sign=1.0)
    return roll(rows, x, window, min_obs, dim, where, "rolling_min")


def rolling_max(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Largest value of the last `window` dates, t included.

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
        Largest values, shaped as `x` and in its units; missing where fewer than `min_obs` values
        are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    van Herk, M. (1992). A fast algorithm for local minimum and maximum filters on rectangular and
    octagonal kernels. Pattern Recognition Letters 13, 517-521.

    Gil, J. and Werman, M. (1993). Computing 2-D min, median, and max filters. IEEE Transactions on
    Pattern Analysis and Machine Intelligence 15, 504-507.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_max(xr.DataArray([1.0, 2.0, 4.0], dims="date"), window=2).values
    array([nan,  2.,  4.])
    """
    rows = partial(_order.extreme_rows, sign=-1.0)
    return roll(rows, x, window, min_obs, dim, where, "rolling_max")


def rolling_median(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Median of the last `window` dates, t included.

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
        Medians, the mean of the middle two of an even number, shaped as `x` and in its units;
        missing where fewer than `min_obs` values are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_median(xr.DataArray([1.0, 9.0, 2.0], dims="date"), window=3).values
    array([nan, nan,  2.])
    """
    rows = partial(_order.quantile_rows, q=0.5)
    return roll(rows, x, window, min_obs, dim, where, "rolling_median")


def rolling_quantile(
    x: T,
    q: float,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Quantile of the last `window` dates, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    q
        Share of the values below the quantile, from 0 to 1.
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
        Quantiles, interpolated linearly between neighbours as by `numpy.quantile`, shaped as `x`
        and in its units; missing where fewer than `min_obs` values are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `q` is not a number from 0 to 1; if `x` lacks `dim`, or its dates do not strictly
        increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Hyndman, R. and Fan, Y. (1996). Sample quantiles in statistical packages. The American
    Statistician 50, 361-365: definition 7.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_quantile(xr.DataArray([1.0, 9.0, 2.0], dims="date"), 0.75, window=3).values
    array([nan, nan, 5.5])
    """
    if isinstance(q, bool) or not isinstance(q, Real) or not 0.0 <= q <= 1.0:
        raise panel.error(f"q={q!r} was given", "a number from 0 to 1", "Use 0.9 for 90 %")
    rows = partial(_order.quantile_rows, q=float(q))
    return roll(rows, x, window, min_obs, dim, where, "rolling_quantile")


def rolling_rank(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    method: str = "average",
    pct: bool = False,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Rank of the value at t among those of the last `window` dates.

    Parameters
    ----------
    x
        Values (date, asset).
    window
        Number of dates.
    min_obs
        Valid values needed; `window` if not given.
    method
        The rank that equal values share: "average", "min" or "max" of their places.
    pct
        Divide by the number of valid values.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Ranks, 1 for the smallest, or fractions with `pct`, shaped as `x`; missing where the value
        at t is, or where fewer than `min_obs` values are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `method` is unknown; if `x` lacks `dim`, or its dates do not strictly increase; if
        `where` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Kakushadze, Z. (2016). 101 formulaic alphas. Wilmott 2016(84), 72-81, appendix: ``ts_rank``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.rolling_rank(xr.DataArray([1.0, 9.0, 2.0], dims="date"), window=3, min_obs=1).values
    array([1., 2., 2.])
    """
    panel.choice("method", method, _TIES)
    rows = partial(_order.rank_rows, weights=_TIES[method], pct=panel.flag("pct", pct))
    return roll(rows, x, window, min_obs, dim, where, "rolling_rank", "1")
