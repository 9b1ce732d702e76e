"""From scores to portfolio weights, and from weights to returns."""

from collections.abc import Sequence
from functools import partial, reduce
from operator import and_
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, cross_section, panel, time_series
from xfactor.kernels import holding as _holding
from xfactor.kernels import portfolio as _portfolio
from xfactor.kernels import sorts as _sorts
from xfactor.portfolios import _buckets


def long_short(
    x: xr.DataArray,
    *,
    n: int | None = None,
    fraction: float | None = None,
    sizes: xr.DataArray | None = None,
    min_names: int = 1,
    neutral_to: xr.DataArray | xr.Dataset | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.DataArray:
    """Weights of a portfolio long the largest scores and short the smallest.

    Parameters
    ----------
    x
        Scores (date, asset): a characteristic or a predicted return.
    n
        Names in each leg. Give either `n` or `fraction`.
    fraction
        Share of the valid names in each leg, in (0, 0.5]; at least one name.
    sizes
        Weight the names of a leg by these (date, asset), e.g. market cap; a name without a
        positive size is left out. Equal weights if not given.
    min_names
        A date on which a leg would have fewer names than this is missing.
    neutral_to
        Exposures that the portfolio shall not have on any date: (date, asset) or (asset,), several
        with a dimension factor, or a Dataset; as known at t: betas, or standardized
        characteristics. A name without one of them is left out.
    dim
        Dimension to sort along.
    where
        Universe mask.

    Returns
    -------
    DataArray
        Weights in the shape of `x`: the long leg sums to 1, the short leg to -1, names between
        get 0, missing scores stay missing. A leg takes at most half of the valid names, so no
        name is in both; a date with fewer than two valid names is missing. The weights at t use
        what is known at t: `portfolio_returns` lags them. With `neutral_to` the legs still sum to
        1 and -1, the exposures w'X are 0 up to rounding, and names may be in the other leg than
        their score; missing where there are not more names than exposures and one, the
        exposures are collinear or constant among them, or nothing else is left of the portfolio.

    Raises
    ------
    PanelError
        If both or neither of `n` and `fraction` are given, `n` or `min_names` is no whole
        number of at least 1, `fraction` is outside of (0, 0.5], or an exposure has no `dim`; if
        `dim` is missing or cut into chunks, or labels or chunks differ.
    TypeError
        If `x`, `sizes` or `neutral_to` holds no numbers, `x` or `neutral_to` is of another
        type, or `where` is not bool.

    Notes
    -----
    Neutral weights are the nearest ones: they minimise the sum of (change of w)^2 / abs(w) given
    that w'X = 0 and the sum is 0, so that small positions change by little. They are abs(w) times
    the residuals of the regression of the sides, 1 and -1, on X, weighted by abs(w); then both
    legs are scaled by the same number.

    References
    ----------
    Jegadeesh, N. and Titman, S. (1993). Returns to buying winners and selling losers. Journal of
    Finance 48, 65-91: equal-weighted legs of the ends of a ranking.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, 2.0, float("nan")]], dims=("date", "asset"))
    >>> xf.long_short(x, n=1).values
    array([[ 1., -1.,  0., nan]])
    >>> x = xr.DataArray([[4.0, 3.0, 2.0, 1.0]], dims=("date", "asset"))
    >>> beta = xr.DataArray([1.5, 0.5, 1.0, 0.5], dims="asset")
    >>> w = xf.long_short(x, n=2, neutral_to=beta)
    >>> w.round(2).values
    array([[ 0.3,  0.7, -0.6, -0.4]])
    >>> bool(abs((w * beta).sum()) < 1e-15)
    True
    """
    if (n is None) == (fraction is None):
        raise panel.error(
            f"n={n!r} and fraction={fraction!r} were given", "one of them", "Use e.g. fraction=0.2"
        )
    if n is not None:
        n = panel.positive("n", n)
    elif not 0 < panel.number("fraction", fraction) <= 0.5:
        raise panel.error(f"fraction={fraction!r} was given", "0 < fraction <= 0.5", "Use 0.2")
    panel.one_array(x, "long_short")
    panel.check_dim(x, dim, "long_short")
    values = panel.masked(x, where)
    if neutral_to is not None:
        values = values.where(_complete(values, neutral_to))
    order = panel.label_order(values.indexes[dim]) if dim in values.indexes else None
    kernel = partial(
        _portfolio.long_short_rows,
        n=n,
        fraction=fraction,
        least=panel.positive("min_names", min_names),
        order=order,
    )
    args = [_apply.Arg(values, (dim,), "x")]
    if sizes is not None:
        panel.check_numbers(x.rename("x"), sizes, "sizes")
        panel.check_dim(sizes, dim, "long_short, in sizes,")
        args.append(_apply.Arg(panel.as_float(sizes), (dim,), "sizes"))

    def choose(_: xr.DataArray) -> xr.DataArray:
        outs = [_apply.Out((dim,), values.dtype)]
        weights = _apply.along(kernel, args, outs, what="long_short")[0]
        return weights if neutral_to is None else _neutral(weights, neutral_to, dim)

    weights = _apply.one(choose, x)
    weights.attrs = {"long_name": "portfolio weight", "units": "share of each leg"}
    return weights


def _complete(x: xr.DataArray, exposures: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Whether all exposures are known."""
    if isinstance(exposures, xr.Dataset):
        if not exposures.data_vars:
            raise panel.error(
                "long_short found no variable in neutral_to", "an exposure", "Leave it out"
            )
        each = [xr.ufuncs.isfinite(panel.as_float(v)) for v in exposures.data_vars.values()]
    else:
        panel.one_array(exposures, "long_short", "neutral_to")
        known = xr.ufuncs.isfinite(panel.as_float(exposures))
        own = panel.FACTOR in known.dims and panel.FACTOR not in x.dims
        each = [known.all(panel.FACTOR) if own else known]
    for known in each:
        panel.check_mask(x, known, "neutral_to")
    return reduce(and_, [panel.bare(x, known) for known in each])


def _neutral(weights: xr.DataArray, exposures: xr.DataArray | xr.Dataset, dim: str) -> xr.DataArray:
    side = xr.ufuncs.sign(weights).where(weights != 0)
    left = cross_section.neutralize(side, exposures, weights=abs(weights), dim=dim)
    args = [_apply.Arg(a, (dim,)) for a in (weights, left)]
    outs = [_apply.Out((dim,), weights.dtype)]
    return _apply.along(_holding.neutral_rows, args, outs, what="long_short")[0]


def portfolio_returns(
    weights: xr.DataArray, returns: xr.DataArray, *, lag: int = 1, dim: str = panel.ASSET
) -> xr.DataArray:
    """Return of a portfolio rebalanced on every date to the given weights.

    Parameters
    ----------
    weights
        Weights (date, asset), long positive and short negative; (asset,) for the same on every
        date; further dims give several portfolios. A missing weight is not held.
    returns
        Returns (date, asset), decimal, each over (t-1, t].
    lag
        Dates by which the weights are moved back: those known when the return began. 0 uses the
        weights of the same date, as the lecture does: **that looks ahead**.
    dim
        Dimension to sum over.

    Returns
    -------
    DataArray
        (date,), decimal. Names without a return on the date are left out and each leg's weight is
        spread over the others, as a mean over known returns does. Missing where all weights are
        or a leg has no known return; weights of 0 throughout earn 0.

    Raises
    ------
    PanelError
        If `dim` is missing or cut into chunks, `lag` is no whole number of at least 0, labels
        or chunks differ, or dates are not in order (with a lag).
    TypeError
        If `weights` or `returns` is no DataArray of numbers.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> w = xr.DataArray([[1.0, -1.0]] * 2, dims=("date", "asset"))
    >>> r = xr.DataArray([[0.0, 0.0], [0.03, 0.01]], dims=("date", "asset"))
    >>> xf.portfolio_returns(w, r).round(6).values
    array([ nan, 0.02])
    """
    panel.one_array(weights, "portfolio_returns", "weights")
    panel.one_array(returns, "portfolio_returns", "returns")
    panel.check_dim(weights, dim, "portfolio_returns")
    panel.check_dim(returns, dim, "portfolio_returns")
    panel.check_same_labels(returns, weights, names=("returns", "weights"))
    lag = panel.positive("lag", lag, 0)
    held = panel.as_float(weights)
    if lag and panel.DATE in held.dims:  # weights without dates are held throughout
        held = time_series.lag(held, lag)
    r = panel.as_float(returns)
    args = [_apply.Arg(held, (dim,), "weights"), _apply.Arg(r, (dim,), "returns")]
    out = _apply.Out((), r.dtype)
    (result,) = _apply.along(
        _portfolio.portfolio_return_rows, args, [out], what="portfolio_returns"
    )
    return result.assign_attrs(long_name="portfolio return", units="decimal")


def portfolio_weights(
    labels: xr.DataArray,
    *,
    long: int | Sequence[int],
    short: int | Sequence[int] | None = None,
    sizes: xr.DataArray | None = None,
    max_share: float | None = None,
    max_size: float | None = None,
    breakpoints_from: xr.DataArray | None = None,
    min_names: int = 1,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.DataArray:
    """Weights of a portfolio long some buckets and short others.

    Parameters
    ----------
    labels
        Buckets (date, asset) as `qcut` gives them: signed integers of at most 4 bytes, -1 for
        missing.
    long
        Bucket to be held, or several.
    short
        Bucket to be sold, or several; none for a portfolio without a short leg.
    sizes
        Weigh the names of a leg by these (date, asset), e.g. market cap; a name without a
        positive size is left out. Equal weights if not given.
    max_share
        The largest share that a name may have of its leg; what is above it goes to the others in
        proportion. A leg of too few names for it has equal weights.
    max_size
        Sizes count up to this quantile of theirs on the date.
    breakpoints_from
        bool mask: the quantile of `max_size` is that of these assets.
    min_names
        A date on which a leg would have fewer names is missing.
    dim
        Dimension of assets.
    where
        Universe mask.

    Returns
    -------
    DataArray
        Weights in the shape of `labels`: the long leg sums to 1, the short leg to -1, names of
        other buckets get 0, missing labels stay missing. No name can be in both legs. For the
        ends of a ranking use `long_short`, for all names of it `factor_weights`.

    Raises
    ------
    PanelError
        If `long` names no bucket, a bucket is negative or in both legs, `max_share` or
        `max_size` is outside of (0, 1] or given without `sizes`, or `min_names` is no whole
        number of at least 1; if `dim` is missing or cut into chunks, or labels or chunks
        differ.
    TypeError
        If `labels` are no signed integers of at most 4 bytes, `sizes` hold no numbers, a mask
        is not bool, or one of them is no DataArray.

    References
    ----------
    Jensen, T., Kelly, B. and Pedersen, L. (2023). Is there a replication crisis in finance? Journal
    of Finance 78, 2465-2518: sizes up to a quantile.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 4.0, float("nan")]], dims=("date", "asset"))
    >>> cap = xr.DataArray([[1.0, 1.0, 3.0, 1.0, 1.0]], dims=("date", "asset"))
    >>> xf.portfolio_weights(xf.qcut(x, 2), long=1, short=0, sizes=cap).values
    array([[-0.5 , -0.5 ,  0.75,  0.25,   nan]])
    """
    what = "portfolio_weights"
    panel.one_array(labels, what, "labels")
    panel.check_dim(labels, dim, what)
    if not panel.is_codes(labels.dtype):
        raise TypeError(
            f"labels has dtype {labels.dtype}; needed buckets, int16 as of qcut. "
            "For scores use factor_weights or long_short."
        )
    bought, sold = _codes("long", long), _codes("short", [] if short is None else short)
    if not bought or set(bought) & set(sold):
        raise panel.error(
            f"long={long!r} and short={short!r} were given",
            "buckets to hold, and others to sell",
            "Use e.g. long=9, short=0",
        )
    _buckets.check_limits(sizes is not None, sizes, max_share, max_size)
    least = panel.positive("min_names", min_names)
    legs = labels.isin(bought).astype(np.int16) + np.int16(2) * labels.isin(sold)
    legs = legs.where(labels >= 0, np.int16(panel.MISSING_CODE))
    if where is not None:
        panel.check_mask(labels, where, "where")
        legs = legs.where(panel.bare(labels, where), np.int16(panel.MISSING_CODE))
    args = [_apply.Arg(legs, (dim,))]
    if sizes is not None:
        panel.check_numbers(labels, sizes, "sizes")
        sizes = _buckets.positive_only(panel.bare(labels, sizes))
        if breakpoints_from is not None:
            panel.check_mask(labels, breakpoints_from, "breakpoints_from")
        sizes = _buckets.limited(sizes, max_size, dim, where, breakpoints_from)
        if max_share is not None:
            held = legs.where(sizes.notnull(), np.int16(panel.MISSING_CODE))
            sizes = _buckets.share_limited(held, sizes, max_share, 3, dim, what)
        args.append(_apply.Arg(sizes, (dim,)))
    kernel = partial(_portfolio.leg_rows, short=bool(sold), least=least)
    out = _apply.Out((dim,), np.float64 if sizes is None else sizes.dtype)

    def weigh(_: xr.DataArray) -> xr.DataArray:
        return _apply.along(kernel, args, [out], what=what)[0]

    weights = _apply.one(weigh, labels)
    weights.attrs = {"long_name": "portfolio weight", "units": "share of each leg"}
    return weights


def _codes(name: str, given: Any) -> list[int]:
    alone = isinstance(given, xr.Dataset) or np.ndim(given) == 0
    several = [given] if alone else list(given)
    return [panel.positive(name, label, 0) for label in several]


def factor_weights(
    x: xr.DataArray,
    *,
    method: Literal["signal", "rank", "equal"] = "signal",
    demeaned: bool = True,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> xr.DataArray:
    """Weights of a portfolio of all names, by their scores: long the high, short the low ones.

    Parameters
    ----------
    x
        Scores (date, asset).
    method
        What weights are in proportion to: ``"signal"``, the distance of a score from the mean of
        its date; ``"rank"``, that of its rank (equal scores share theirs); ``"equal"``, the
        sign of its distance from the median, each side having half of the whole.
    demeaned
        If False the scores count as they are, not their distance: with positive ones the
        portfolio is long only.
    dim
        Dimension of assets.
    where
        Universe mask.
    by
        Group codes: weights of each group by itself, of which all have the same gross exposure
        (sector neutral, where demeaned).

    Returns
    -------
    DataArray
        Weights in the shape of `x`, the absolute ones of a date sum to 1. Missing where the score
        is, and where the scores of a group, or a date, are all equal, or, not demeaned, all 0.

    Raises
    ------
    PanelError
        If `method` is unknown or `demeaned` is not True or False; if `dim` is missing or cut
        into chunks, or labels or chunks differ.
    TypeError
        If `x` is no DataArray of numbers, `where` is not bool, or `by` holds no integers.

    Notes
    -----
    The signal weights, and the equal ones, are those of alphalens (its ``factor_weights``), also
    by group.

    References
    ----------
    alphalens-reloaded, API reference: ``alphalens.performance.factor_weights``: signal and equal
    weights.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 6.0, float("nan")]], dims=("date", "asset"))
    >>> xf.factor_weights(x).round(6).values
    array([[-0.333333, -0.166667,  0.      ,  0.5     ,       nan]])
    >>> xf.factor_weights(x, method="equal").values
    array([[-0.25, -0.25,  0.25,  0.25,   nan]])
    """
    panel.one_array(x, "factor_weights")
    panel.choice("method", method, ("signal", "rank", "equal"))
    panel.flag("demeaned", demeaned)
    panel.check_dim(x, dim, "factor_weights")
    values = panel.masked(x, where)
    args = [_apply.Arg(values, (dim,))]
    if by is not None:
        panel.check_codes(values, by, "by")
        # As wide as the values: a group that is the same for all assets of a date has no `dim`.
        codes = by if dim in by.dims else by.broadcast_like(values)
        args.append(_apply.Arg(panel.bare(values, codes), (dim,)))
    kernel = partial(_sorts.factor_weight_rows, method=method, demeaned=demeaned)

    def weigh(_: xr.DataArray) -> xr.DataArray:
        out = _apply.Out((dim,), values.dtype)
        return _apply.along(kernel, args, [out], what="factor_weights")[0]

    weights = _apply.one(weigh, x)
    weights.attrs = {"long_name": "portfolio weight", "units": "share of gross exposure"}
    return weights
