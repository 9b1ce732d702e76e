"""From scores to portfolio weights, and from weights to returns."""

from functools import partial, reduce
from operator import and_

import xarray as xr

from xfactor import _apply, cross_section, panel, time_series
from xfactor.kernels import holding as _holding
from xfactor.kernels import portfolio as _portfolio


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

    Notes
    -----
    Neutral weights are the nearest ones: they minimise the sum of (change of w)^2 / abs(w) given
    that w'X = 0 and the sum is 0, so that small positions change by little. They are abs(w) times
    the residuals of the regression of the sides, 1 and -1, on X, weighted by abs(w); then both
    legs are scaled by the same number.

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
    elif not 0 < float(fraction or 0) <= 0.5:
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
    args = [_apply.Arg(values, (dim,))]
    if sizes is not None:
        args.append(_apply.Arg(panel.as_float(sizes), (dim,)))

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
    lag = panel.positive("lag", lag, 0)
    held = panel.as_float(weights)
    if lag and panel.DATE in held.dims:  # weights without dates are held throughout
        held = time_series.lag(held, lag)
    r = panel.as_float(returns)
    args = [_apply.Arg(held, (dim,)), _apply.Arg(r, (dim,))]
    out = _apply.Out((), r.dtype)
    (result,) = _apply.along(
        _portfolio.portfolio_return_rows, args, [out], what="portfolio_returns"
    )
    return result.assign_attrs(long_name="portfolio return", units="decimal")
