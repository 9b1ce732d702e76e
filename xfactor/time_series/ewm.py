"""Exponentially weighted moments: newer values count for more."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import xarray as xr

from xfactor import _apply, _scan, panel
from xfactor.kernels import ewm as _ewm
from xfactor.kernels import ewm_moments as _ewm_moments
from xfactor.time_series._window import T


def ewm_mean(
    x: T,
    *,
    halflife: float | None = None,
    span: float | None = None,
    com: float | None = None,
    alpha: float | None = None,
    window: int | None = None,
    min_obs: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Exponentially weighted mean, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    halflife, span, com, alpha
        One of them, in sessions: a value so many sessions back counts half (above 0; infinity
        lets all count alike, an expanding mean); or, as in pandas, the ``span`` of a moving
        average (1 or more), the centre of mass (0 or more), or the weight that a new value gets in
        the end (above 0, at most 1).
    window
        Only the last `window` dates count; all so far if not given.
    min_obs
        Known values needed.
    dim
        Dimension of time.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Means, shaped as `x` and in its units; missing where fewer than `min_obs` values are known.
        At a date whose own value is missing it is that of the values before.

    Raises
    ------
    PanelError
        If not just one of `halflife`, `span`, `com` and `alpha` is given, or it is out of its
        range; if `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds
        `window`; if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit
        `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Notes
    -----
    A value k dates back has the weight (1 - alpha)^k, and the weights are divided by their sum:
    pandas' ``ewm(adjust=True, ignore_na=False)``. Without `window` a date needs all dates before
    it, so that blocks of dates wait for one another; with it they are worked on in parallel.

    References
    ----------
    pandas, user guide: windowing operations, exponentially weighted window.

    Roberts, S. (1959). Control chart tests based on geometric moving averages. Technometrics 1,
    239-250.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.ewm_mean(xr.DataArray([3.0, 0.0, 8.0], dims="date"), halflife=1).values
    array([3., 1., 5.])
    """
    options = {"decay": _decay(halflife, span, com, alpha), "min_obs": _count(min_obs)}
    kernels = (_ewm.mean_rows, _ewm.mean_window)
    return _moment(kernels, x, None, window, dim, where, "ewm_mean", options, panel.SAME)


def ewm_var(
    x: T,
    *,
    halflife: float | None = None,
    span: float | None = None,
    com: float | None = None,
    alpha: float | None = None,
    bias: bool = False,
    window: int | None = None,
    min_obs: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Exponentially weighted variance, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    halflife, span, com, alpha
        One of them: how fast weights fall, as in `ewm_mean`.
    bias
        True divides by the sum of the weights. False takes the bias off that a weighted mean
        from the same values brings, as pandas does: with equal weights, the divisor n - 1.
    window
        Only the last `window` dates count; all so far if not given.
    min_obs
        Known values needed; without `bias` two at least.
    dim
        Dimension of time.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Variances, shaped as `x` and in its units squared; missing where too few values are known.
        Equal values give exactly 0. At a date whose own value is missing it is that of the values
        before.

    Raises
    ------
    PanelError
        If not just one of `halflife`, `span`, `com` and `alpha` is given, or it is out of its
        range; if `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds
        `window`; if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit
        `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Notes
    -----
    With the weights w of `ewm_mean` and that mean m it is sum(w (x - m)^2) / sum(w); without
    `bias`, that times sum(w)^2 / (sum(w)^2 - sum(w^2)): pandas'
    ``ewm(adjust=True, ignore_na=False).var``. It keeps its digits at any level of `x`.

    References
    ----------
    pandas, user guide: windowing operations, exponentially weighted window.

    J.P. Morgan and Reuters (1996). RiskMetrics technical document, 4th edition, chapter 5: the same
    weights, about a mean of 0.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([1.0, 4.0, 4.0], dims="date")
    >>> xf.ewm_var(x, halflife=1, bias=True).round(6).values
    array([0.      , 2.      , 1.102041])
    """
    return _second(
        x, None, (halflife, span, com, alpha), bias, False, window, min_obs, dim, where, "ewm_var"
    )


def ewm_std(
    x: T,
    *,
    halflife: float | None = None,
    span: float | None = None,
    com: float | None = None,
    alpha: float | None = None,
    bias: bool = False,
    window: int | None = None,
    min_obs: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Exponentially weighted standard deviation, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    halflife, span, com, alpha
        One of them: how fast weights fall, as in `ewm_mean`.
    bias
        True divides by the sum of the weights. False takes the bias off that a weighted mean
        from the same values brings, as pandas does: with equal weights, the divisor n - 1.
    window
        Only the last `window` dates count; all so far if not given.
    min_obs
        Known values needed; without `bias` two at least.
    dim
        Dimension of time.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Standard deviations, the roots of what `ewm_var` gives, shaped as `x` and in its units;
        missing where too few values are known.

    Raises
    ------
    PanelError
        If not just one of `halflife`, `span`, `com` and `alpha` is given, or it is out of its
        range; if `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds
        `window`; if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit
        `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    pandas, user guide: windowing operations, exponentially weighted window.

    J.P. Morgan and Reuters (1996). RiskMetrics technical document, 4th edition, chapter 5: the same
    weights, about a mean of 0.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([0.01, -0.02, 0.03], dims="date")
    >>> xf.ewm_std(x, span=60).round(6).values
    array([     nan, 0.021213, 0.025344])
    """
    return _second(
        x, None, (halflife, span, com, alpha), bias, True, window, min_obs, dim, where, "ewm_std"
    )


def ewm_cov(
    x: T,
    y: xr.DataArray,
    *,
    halflife: float | None = None,
    span: float | None = None,
    com: float | None = None,
    alpha: float | None = None,
    bias: bool = False,
    window: int | None = None,
    min_obs: int = 1,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Exponentially weighted covariance of two histories, t included.

    Parameters
    ----------
    x
        Values (date, asset).
    y
        Values (date, asset), or (date,): the market, for example.
    halflife, span, com, alpha
        One of them: how fast weights fall, as in `ewm_mean`.
    bias
        True divides by the sum of the weights. False takes the bias off that a weighted mean
        from the same values brings, as pandas does: with equal weights, the divisor n - 1.
    window
        Only the last `window` dates count; all so far if not given.
    min_obs
        Known pairs needed; without `bias` two at least.
    dim
        Dimension of time.
    where
        Universe mask, applied to `x`.

    Returns
    -------
    DataArray or Dataset
        Covariances, shaped as `x`, in the units of `x` times those of `y`; missing where too few
        dates have both values. At a date that lacks one of them it is that of the dates before.

    Raises
    ------
    PanelError
        If not just one of `halflife`, `span`, `com` and `alpha` is given, or it is out of its
        range; if `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds
        `window`; if `x` or `y` lacks `dim`, or its dates do not strictly increase; if `y` or
        `where` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or `y` not a DataArray; if one of them is an
        array of dates or text; if `where` is not bool.

    References
    ----------
    pandas, user guide: windowing operations, exponentially weighted window.

    J.P. Morgan and Reuters (1996). RiskMetrics technical document, 4th edition, chapter 5: the same
    weights, about a mean of 0.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([1.0, 2.0, 4.0], dims="date")
    >>> xf.ewm_cov(x, 2.0 * x, com=1, bias=True).round(6).values
    array([0.      , 0.444444, 2.857143])
    """
    panel.one_array(y, "ewm_cov", "y")
    panel.check_dim(y, dim, "ewm_cov")
    return _second(
        x, y, (halflife, span, com, alpha), bias, False, window, min_obs, dim, where, "ewm_cov"
    )


def _second(
    x: T,
    y: xr.DataArray | None,
    speed: tuple[float | None, float | None, float | None, float | None],
    bias: bool,
    root: bool,
    window: int | None,
    min_obs: int,
    dim: str,
    where: xr.DataArray | None,
    what: str,
) -> T:
    options = {
        "decay": _decay(*speed),
        "min_obs": _count(min_obs),
        "bias": panel.flag("bias", bias),
        "root": root,
    }
    kernels = (_ewm_moments.moment_rows, _ewm_moments.moment_window)
    units = panel.SAME if root else None
    return _moment(kernels, x, y, window, dim, where, what, options, units)


def _moment(
    kernels: tuple[_apply.Kernel, _apply.Kernel],
    x: T,
    y: xr.DataArray | None,
    window: int | None,
    dim: str,
    where: xr.DataArray | None,
    what: str,
    options: dict[str, Any],
    units: str | None,
) -> T:
    """Run the kernel of the whole past, or of a window."""
    if window is not None:
        window, options["min_obs"] = panel.window_options(window, options["min_obs"])

    def run(v: xr.DataArray) -> xr.DataArray:
        if y is not None:
            panel.check_numbers(v, y, "y")
        v = panel.masked(v, where)
        args = [_apply.Arg(v.rename("x"))]  # what errors call it
        if y is not None:
            args.append(_apply.Arg(panel.as_float(y).rename("y")))
        outs = [_apply.Out((), v.dtype)]
        if window is None:
            return _scan.scan(partial(kernels[0], **options), args, outs, dim=dim, what=what)[0]
        kernel = partial(kernels[1], window=window, **options)
        return _apply.window(kernel, args, outs, before=window - 1, dim=dim, what=what)[0]

    return _apply.over_variables(run, x, dim, what, units=units)


def _count(min_obs: int) -> int:
    return panel.positive("min_obs", min_obs)


def _decay(
    halflife: float | None, span: float | None, com: float | None, alpha: float | None
) -> float:
    """What the weight of a value is multiplied by from one date to the next."""
    given = {"halflife": halflife, "span": span, "com": com, "alpha": alpha}
    known = {name: value for name, value in given.items() if value is not None}
    if len(known) != 1:
        found = " and ".join(f"{k}={panel.shown(v)}" for k, v in known.items()) or "none of them"
        raise panel.error(f"{found} was given", "one of halflife, span, com and alpha", "Keep one")
    ((name, value),) = known.items()
    needed, fits, decay = _SPEEDS[name]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not fits(number):
        raise panel.PanelError(f"{name}={panel.shown(value)} was given; needed a number {needed}.")
    return decay(number)


# For each name: its limits in words and as a test, and the factor from one date to the next.
_SPEEDS: dict[str, tuple[str, Callable[[float], bool], Callable[[float], float]]] = {
    "halflife": ("above 0", lambda v: v > 0, lambda v: 0.5 ** (1.0 / v)),
    "span": ("of at least 1", lambda v: 1 <= v < math.inf, lambda v: (v - 1.0) / (v + 1.0)),
    "com": ("of at least 0", lambda v: 0 <= v < math.inf, lambda v: v / (1.0 + v)),
    "alpha": ("above 0 and at most 1", lambda v: 0 < v <= 1, lambda v: 1.0 - v),
}
