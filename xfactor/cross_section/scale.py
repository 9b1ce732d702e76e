"""From a characteristic to an exposure: limits, means and standard deviations of each date."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.cross_section._transform import T, transform
from xfactor.kernels import rows as _rows

Limit = float | None
Limits = float | Sequence[Limit] | np.ndarray | None
Method = Literal["count", "quantile", "mad", "sigma"]

# Without limits: fractions of the values, or standard deviations about the centre.
DEFAULT_LIMITS = {"count": 0.01, "quantile": 0.01, "mad": 3.0, "sigma": 3.0}
ZSCORES = ("standard", "robust")


def winsorize(
    x: T,
    limits: Limits = None,
    *,
    method: Method = "count",
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Pull the extreme values of each date in to the limits.

    Parameters
    ----------
    x
        Values (date, asset).
    limits
        For both sides, or (low, high), where None leaves a side as it is. Fractions of the
        values for ``"count"`` and ``"quantile"`` (0.01 if not given), standard deviations for
        ``"mad"`` and ``"sigma"`` (3 if not given).
    method
        ``"count"``: of n valid values the int(limit * n) smallest are set to the next one, and
        likewise the largest, so that every value was observed. Missing values are not counted
        (`scipy.stats.mstats.winsorize` counts them, and then fills them in); without missing
        values the result equals scipy's. ``"quantile"``: the limits are interpolated quantiles.
        ``"mad"``: median +- limit * 1.4826 * median absolute deviation. ``"sigma"``: mean +-
        limit * standard deviation (ddof 0). A deviation of 0 sets no limit.
    dim
        Dimension to work along.
    where
        Universe mask.
    by
        Group codes: limits of each group.

    Returns
    -------
    DataArray or Dataset
        Winsorized values, shaped as `x` and in its units; what is missing stays so.

    Raises
    ------
    PanelError
        If `method` is unknown; if `limits` are not one number or two, of at least 0, and as
        fractions of a sum below 1; if `x` lacks `dim` or is cut into chunks along it; if `where` or
        `by` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    See Also
    --------
    trim : Make the extreme values missing instead.

    References
    ----------
    Tukey, J. (1962). The future of data analysis. Annals of Mathematical Statistics 33, 1-67.

    scipy, ``scipy.stats.mstats.winsorize``: the counts, but of missing values too.

    Rousseeuw, P. and Croux, C. (1993). Alternatives to the median absolute deviation. Journal of
    the American Statistical Association 88, 1273-1283: the factor 1.4826.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[-99.0, 1.0, 2.0, 3.0, 99.0]], dims=("date", "asset"))
    >>> xf.winsorize(x, 0.2).values
    array([[1., 1., 2., 3., 3.]])
    >>> xf.winsorize(x, (None, 0.2)).values
    array([[-99.,   1.,   2.,   3.,   3.]])
    """
    return _limit(x, limits, method, False, dim, where, by, "winsorize")


def trim(
    x: T,
    limits: Limits = None,
    *,
    method: Method = "count",
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Make the extreme values of each date missing: what `winsorize` would change.

    Parameters
    ----------
    x
        Values (date, asset).
    limits, method
        As in `winsorize`. Values equal to a limit stay.
    dim
        Dimension to work along.
    where
        Universe mask.
    by
        Group codes: limits of each group.

    Returns
    -------
    DataArray or Dataset
        The values within the limits, shaped as `x` and in its units; others are missing.

    Raises
    ------
    PanelError
        If `method` is unknown; if `limits` are not one number or two, of at least 0, and as
        fractions of a sum below 1; if `x` lacks `dim` or is cut into chunks along it; if `where` or
        `by` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    References
    ----------
    Tukey, J. (1962). The future of data analysis. Annals of Mathematical Statistics 33, 1-67.

    Rousseeuw, P. and Croux, C. (1993). Alternatives to the median absolute deviation. Journal of
    the American Statistical Association 88, 1273-1283: the factor 1.4826.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[-99.0, 1.0, 2.0, 3.0, 99.0]], dims=("date", "asset"))
    >>> xf.trim(x, 0.2).values
    array([[nan,  1.,  2.,  3., nan]])
    """
    return _limit(x, limits, method, True, dim, where, by, "trim")


def zscore(
    x: T,
    *,
    ddof: int = 0,
    method: Literal["standard", "robust"] = "standard",
    weights: xr.DataArray | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Subtract the mean of each date and divide by its standard deviation.

    Parameters
    ----------
    x
        Values (date, asset).
    ddof
        The divisor of the variance is n - ddof.
    method
        ``"robust"`` takes the median for the mean, and 1.4826 times the median absolute
        deviation for the standard deviation.
    weights
        Weights of the mean, market caps for example: the weighted mean of the scores is then 0.
        The standard deviation stays that of equal weights. Mean and deviation are taken over the
        assets of positive weight; others are scored as well.
    dim
        Dimension to work along.
    where
        Universe mask.
    by
        Group codes: mean and deviation of each group.

    Returns
    -------
    DataArray or Dataset
        z-scores, without unit and shaped as `x`; missing where there is no mean (no positive
        weight) or no deviation: at most `ddof` values, or all equal, or with ``method="robust"``
        more than half of them equal.

    Raises
    ------
    PanelError
        If `method` is unknown, `ddof` is not a whole number of at least 0, or the robust method
        gets `ddof` or `weights`; if `x` lacks `dim` or is cut into chunks along it; if `where`,
        `by` or `weights` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, `by` not integer codes, or `weights` not numbers.

    References
    ----------
    Rousseeuw, P. and Croux, C. (1993). Alternatives to the median absolute deviation. Journal of
    the American Statistical Association 88, 1273-1283: the factor 1.4826.

    Menchero, J., Orr, D. and Wang, J. (2011). The Barra US equity model (USE4), methodology notes.
    MSCI: cap-weighted mean, equal-weighted standard deviation.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, float("nan"), 3.0]], dims=("date", "asset"))
    >>> xf.zscore(x).values
    array([[-1., nan,  1.]])
    >>> cap = xr.DataArray([3.0, 1.0, 1.0], dims="asset")
    >>> xf.zscore(x, weights=cap).values
    array([[-0.5,  nan,  1.5]])
    """
    ddof = panel.positive("ddof", ddof, 0)
    robust = _robust(method, ddof, weights)
    return transform(
        _rows.zscore_rows, x, dim, "zscore", where=where, beside={"by": by, "weights": weights},
        ddof=ddof, robust=robust, units="1",
    )  # fmt: skip


def standardize(
    x: T,
    limits: Limits = None,
    *,
    method: Method = "count",
    ddof: int = 0,
    weights: xr.DataArray | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Winsorize, then z-score: the lecture's way from a characteristic to an exposure.

    Both happen in one pass over the data.

    Parameters
    ----------
    x
        Characteristic (date, asset).
    limits, method
        As in `winsorize`.
    ddof, weights
        As in `zscore`.
    dim
        Dimension to work along.
    where
        Universe mask.
    by
        Group codes: each group by itself.

    Returns
    -------
    DataArray or Dataset
        Exposures, without unit and shaped as `x`: mean 0 (weighted, with `weights`) and standard
        deviation 1 (by `ddof`) on each date, or in each group. Missing where those of `zscore` are.

    Raises
    ------
    PanelError
        If `method` is unknown; if `limits` are not one number or two, of at least 0, and as
        fractions of a sum below 1; if `ddof` is not a whole number of at least 0; if `x` lacks
        `dim` or is cut into chunks along it; if `where`, `by` or `weights` does not fit `x`: a dim
        that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, `by` not integer codes, or `weights` not numbers.

    References
    ----------
    Quantopian lecture series: Fundamental Factor Models.

    Menchero, J., Orr, D. and Wang, J. (2011). The Barra US equity model (USE4), methodology notes.
    MSCI: cap-weighted mean, equal-weighted standard deviation.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 1e9]], dims=("date", "asset"))
    >>> xf.standardize(x, 0.25).values
    array([[-1., -1.,  1.,  1.]])
    """
    ddof = panel.positive("ddof", ddof, 0)
    return transform(
        _rows.zscore_rows, x, dim, "standardize", where=where,
        beside={"by": by, "weights": weights}, ddof=ddof, limits=_sides(limits, method),
        limit_method=method, units="1",
    )  # fmt: skip


def demean(
    x: T,
    *,
    weights: xr.DataArray | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Subtract the mean of each date.

    Parameters
    ----------
    x
        Values (date, asset).
    weights
        Weights of the mean; what has no positive weight does not enter it, but is demeaned too.
    dim
        Dimension to work along.
    where
        Universe mask.
    by
        Group codes: the mean of each group.

    Returns
    -------
    DataArray or Dataset
        Deviations from the mean, shaped as `x` and in its units; missing where there is no mean.

    Raises
    ------
    PanelError
        If `x` lacks `dim` or is cut into chunks along it; if `where`, `by` or `weights` does not
        fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, `by` not integer codes, or `weights` not numbers.

    References
    ----------
    zipline-reloaded, API reference: ``zipline.pipeline.Factor.demean``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, float("nan"), 3.0, 5.0]], dims=("date", "asset"))
    >>> xf.demean(x).values
    array([[-2., nan,  0.,  2.]])
    >>> xf.demean(x, by=xr.DataArray([0, 0, 0, 1], dims="asset")).values
    array([[-1., nan,  1.,  0.]])
    """
    beside = {"by": by, "weights": weights}
    return transform(_rows.demean_rows, x, dim, "demean", where=where, beside=beside)


def _limit(
    x: T,
    limits: Limits,
    method: str,
    drop: bool,
    dim: str,
    where: xr.DataArray | None,
    by: xr.DataArray | None,
    what: str,
) -> T:
    return transform(
        _rows.limit_rows, x, dim, what, where=where, beside={"by": by}, method=method,
        limits=_sides(limits, method), trim=drop,
    )  # fmt: skip


def _sides(limits: Limits, method: str) -> tuple[float, float]:
    """The limits of both sides; None becomes a limit that nothing exceeds."""
    panel.choice("method", method, DEFAULT_LIMITS)
    fractions = method in ("count", "quantile")
    needed = "non-negative numbers of standard deviations"
    if fractions:
        needed = "non-negative fractions that sum to less than 1"
    wrong = panel.error(
        f"limits={panel.shown(limits)} was given",
        f"{needed}, one for both sides or (low, high)",
        f"Use e.g. {DEFAULT_LIMITS[method]}",
    )
    given = DEFAULT_LIMITS[method] if limits is None else limits
    pair = isinstance(given, tuple | list) or (isinstance(given, np.ndarray) and given.ndim == 1)
    sides = list(given) if pair else [given, given]  # type: ignore[arg-type]
    open_end = 0.0 if fractions else float("inf")
    try:
        numbers = [open_end if s is None else panel.number("limits", s) for s in sides]
    except panel.PanelError:
        raise wrong from None
    if len(numbers) != 2 or min(numbers) < 0 or (fractions and sum(numbers) >= 1):
        raise wrong
    return numbers[0], numbers[1]


def _robust(method: str, ddof: int, weights: xr.DataArray | None) -> bool:
    panel.choice("method", method, ZSCORES)
    if method == "robust" and (ddof or weights is not None):
        raise panel.error(
            "method='robust' was given with ddof or weights",
            "neither: a median has none",
            "Leave them out",
        )
    return method == "robust"
