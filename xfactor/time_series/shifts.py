"""Values of other dates: lags, changes and returns."""

import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import shift as _shift
from xfactor.time_series._listed import check_delisting, later, with_ends
from xfactor.time_series._window import T, any_dtype, movable, window


def lag(x: T, periods: int = 1, *, dim: str = panel.DATE, where: xr.DataArray | None = None) -> T:
    """Put at each date the value of `periods` dates before.

    Parameters
    ----------
    x
        Numbers, codes, a mask or datetimes (date, asset).
    periods
        How many dates back; 0 gives `x` again. Negative ones would look ahead and are refused.
    dim
        Dimension to move along.
    where
        Universe mask, applied to the values before they are moved.

    Returns
    -------
    DataArray or Dataset
        Values, shaped as `x` and in its units. The first `periods` dates are missing: NaN for
        floats, False for masks, -1 for codes (signed integers of at most 4 bytes), NaT for
        datetimes. Other integers are counts: they become float64. All fields of a Dataset are
        moved.

    Raises
    ------
    PanelError
        If `periods` is not a whole number of at least 0; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is text; if a field of a Dataset is text; if
        `where` is not bool.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.lag(xr.DataArray([1.0, 2.0, 3.0], dims="date")).values
    array([nan,  1.,  2.])
    """
    periods = panel.positive("periods", periods, 0)

    def shift(v: xr.DataArray) -> xr.DataArray:
        v, fill = movable(v)
        if where is not None:
            panel.check_mask(v, where, "where")
            v = v.where(where, fill)
        return window(_shift.lag_rows, v, dim, periods, 0, "lag", periods=periods, fill=fill)

    return _apply.over_variables(shift, x, dim, "lag", takes=any_dtype)


def diff(x: T, periods: int = 1, *, dim: str = panel.DATE, where: xr.DataArray | None = None) -> T:
    """Change over the last `periods` dates: x[t] - x[t - periods].

    Parameters
    ----------
    x
        Values (date, asset).
    periods
        Number of dates the change spans.
    dim
        Dimension to move along.
    where
        Universe mask, applied to the values.

    Returns
    -------
    DataArray or Dataset
        Changes, shaped as `x` and in its units; missing where either value is.

    Raises
    ------
    PanelError
        If `periods` is not a whole number of at least 1; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.diff(xr.DataArray([1.0, 3.0, 2.0], dims="date")).values
    array([nan,  2., -1.])
    """
    return _change(_shift.diff_rows, x, periods, dim, where, "diff", panel.SAME)


def growth(
    x: T, periods: int = 1, *, dim: str = panel.DATE, where: xr.DataArray | None = None
) -> T:
    """Growth over the last `periods` dates of what may be negative: (new - old) / abs(old).

    Parameters
    ----------
    x
        Values (date, asset): earnings, for example. Prices have `returns`.
    periods
        Number of dates the growth spans.
    dim
        Dimension to move along.
    where
        Universe mask, applied to the values.

    Returns
    -------
    DataArray or Dataset
        Decimal growth, shaped as `x`, positive where the value has risen; missing where either
        value is, or where the earlier one is 0.

    Raises
    ------
    PanelError
        If `periods` is not a whole number of at least 1; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Notes
    -----
    This is zipline's ``PercentChange``. It is `returns` wherever the earlier value is positive and
    the later one not negative.

    References
    ----------
    zipline-reloaded, API reference: ``zipline.pipeline.factors.PercentChange``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.growth(xr.DataArray([-2.0, -1.0, 1.0, 0.5], dims="date")).values
    array([ nan,  0.5,  2. , -0.5])
    """
    return _change(_shift.growth_rows, x, periods, dim, where, "growth")


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
        Decimal returns, shaped as `x`; missing where either price is, where the earlier one is not
        positive, or the later one is negative. A gap is not filled: the return into and out of a
        missing price is missing.

    Raises
    ------
    PanelError
        If `periods` is not a whole number of at least 1; if `x` lacks `dim`, or its dates do not
        strictly increase; if `where` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    References
    ----------
    Campbell, J., Lo, A. and MacKinlay, C. (1997). The Econometrics of Financial Markets. Princeton
    University Press, section 1.4.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.returns(xr.DataArray([10.0, 11.0, 22.0], dims="date")).round(6).values
    array([nan, 0.1, 1. ])
    """
    return _change(_shift.return_rows, x, periods, dim, where, "returns")


def _change(
    kernel: _apply.Kernel,
    x: T,
    periods: int,
    dim: str,
    where: xr.DataArray | None,
    what: str,
    units: str = "1",
) -> T:
    periods = panel.positive("periods", periods)

    def change(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        return window(kernel, v, dim, periods, 0, what, periods=periods)

    return _apply.over_variables(change, x, dim, what, units=units)


def forward_returns(
    x: T,
    periods: int = 1,
    *,
    skip: int = 0,
    log: bool = False,
    listed: xr.DataArray | None = None,
    delist: float | xr.DataArray | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Compound return over the next `periods` dates, t+skip+1 to t+skip+periods.

    **This reads ahead**, as nothing else in the package does.

    Parameters
    ----------
    x
        Decimal returns (date, asset), each over (t-1, t].
    periods
        Number of dates ahead.
    skip
        Dates between what is known and the trade: with 1 the return of t + 1 is not earned.
    log
        Give the logarithm of the growth instead; missing after a total loss.
    listed
        bool (date, asset), True while an asset can be held. Needs `delist`.
    delist
        Delisting return, decimal: a number as -0.3, or an array (asset,) or (date, asset). It is
        earned on the first date on which an asset is not listed any more, unless `x` has a return
        there; from then on the money earns 0, for as long as `x` has no return.
    dim
        Dimension to move along.
    where
        Universe mask, applied to the returns.

    Returns
    -------
    DataArray or Dataset
        Decimal returns, shaped as `x`; missing where any of the returns is, and on the last
        `periods` + `skip` dates. Without `delist` an asset has none over its end; with it those of
        assets that are listed at t + skip, when they are bought. A return of -1 or less leaves
        nothing: the compound return is -1, as in `cumulative_returns`.

    Raises
    ------
    PanelError
        If one of `listed` and `delist` is given and the other is not; if `periods` is not a whole
        number of at least 1, `skip` of at least 0, `log` neither True nor False, or `delist` a
        number below -1 or infinite; if `x` lacks `dim`, or its dates do not strictly increase; if
        `where`, `listed` or `delist` does not fit `x`: a dim that `x` lacks, other labels or other
        chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` or
        `listed` is not bool, or `delist` an array of something else than numbers.

    Notes
    -----
    Prices that are padded after the end let an asset earn 0.0 for ever: what ``pct_change`` of
    pandas before 3 does, and what a backtest on it calls a survivor. Shumway (1997) finds -0.3 on
    average for delistings for bad performance on NYSE and AMEX. For returns less their mean of each
    date, compose: ``demean(forward_returns(x, 5), where=universe)``.

    References
    ----------
    Shumway, T. (1997). The delisting bias in CRSP data. Journal of Finance 52, 327-340.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([0.5, 0.1, 0.2, float("nan")], dims="date")
    >>> xf.forward_returns(r, 2).round(6).values
    array([0.32,  nan,  nan,  nan])
    >>> xf.forward_returns(r, 2, listed=r.notnull(), delist=-0.5).round(6).values
    array([ 0.32, -0.4 ,   nan,   nan])
    """
    what = "forward_returns"
    options = {
        "periods": panel.positive("periods", periods),
        "skip": panel.positive("skip", skip, 0),
        "log": panel.flag("log", log),
    }
    reach = options["periods"] + options["skip"]
    if listed is not None and delist is None:
        raise panel.error("listed was given without delist", "both", "Pass e.g. delist=-0.3")

    def ahead(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        last = check_delisting(v, listed, delist)
        if listed is None or last is None:
            return window(_shift.forward_rows, v, dim, 0, reach, what, **options)
        v = with_ends(v, listed, last, dim)
        held = window(_shift.forward_rows, v, dim, 0, reach, what, **options)
        return held.where(panel.bare(held, later(listed, options["skip"], dim)))

    return _apply.over_variables(ahead, x, dim, what, units="1")
