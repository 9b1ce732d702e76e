"""Which factors a portfolio's realised return came from."""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, _scan, panel
from xfactor.kernels import attribution as _attribution
from xfactor.regression import _rows
from xfactor.regression._groups import Groups
from xfactor.risk import _inputs
from xfactor.risk._inputs import SPECIFIC

UNEXPLAINED = "unexplained"
REASON = "reason"
REASONS = ("missing_return", "missing_exposure")


def attribute_returns(
    weights: xr.DataArray,
    returns: xr.DataArray,
    exposures: xr.DataArray | xr.Dataset,
    factor_returns: xr.DataArray,
    *,
    benchmark: xr.DataArray | None = None,
    groups: Groups | None = None,
    lag: int = 1,
    dim: str = panel.ASSET,
) -> xr.Dataset:
    """Split the realised return of portfolios into those of factors and what is specific.

    On each date the return of a portfolio is the sum over the factors of its exposure, as known
    `lag` dates before, times the factor's return, and the specific returns of its assets.

    Parameters
    ----------
    weights
        Weights (date, asset), or (asset,) for the same on every date; one further dim gives
        several portfolios. A missing weight is not held.
    returns
        Returns (date, asset), decimal, each over (t-1, t].
    exposures
        Exposures: a Dataset with one variable (date, asset) per factor, or a DataArray with a
        `factor` dim. One chunk along `dim`.
    factor_returns
        Returns (date, factor) of these factors: those of `cross_sectional_ols` for example, whose
        "intercept" has an exposure of 1.
    benchmark
        Weights (date, asset) or (asset,) of a benchmark: what is split is the active return, that
        of `weights` less that of the benchmark.
    groups
        Codes of groups whose returns are factors, as in `cross_sectional_ols`.
    lag
        Dates by which weights, benchmark, exposures and groups are moved back: those known when
        the return began. 0 takes those of the same date: **that looks ahead**.
    dim
        Dimension of the assets.

    Returns
    -------
    xarray.Dataset
        ``contribution`` (date, factor), decimal, with two more labels: "specific", and
        "unexplained" for held assets without exposures, whose return cannot be split. Together they
        sum to ``portfolio_return``, with a benchmark less ``benchmark_return``. ``exposure``
        (date, factor) of what is held, missing for these two. ``n_obs``, held assets that are
        split; ``n_dropped`` (reason): "missing_return", left out, their weight spread over the
        others of their leg as in `portfolio_returns`; "missing_exposure", those that are
        unexplained. With a benchmark these count the assets of both. A factor without a return on
        a date is missing there, and so is the specific part, unless nothing is exposed to it.

    Raises
    ------
    PanelError
        If the factors of `exposures` (with `groups`) and `factor_returns` are not the same, one
        is named "specific" or "unexplained", `weights` have a dim `factor` or more than one of
        portfolios, or `lag` is no whole number of at least 0; if `dim` is missing or cut into
        chunks, labels or chunks differ, dates are not in order (with a lag), or lazy `groups`
        have no ``flag_values``.
    TypeError
        If an array holds no numbers or is of another type, or `groups` hold no integers.

    References
    ----------
    Grinold, R. and Kahn, R. (2000). Active Portfolio Management. McGraw-Hill, chapter 17.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=60, assets=50, seed=1)
    >>> size = xf.standardize(panel.market_cap).rename("size")
    >>> fit = xf.cross_sectional_ols(panel.returns, size)
    >>> w = xf.long_short(size, fraction=0.2)
    >>> result = xf.attribute_returns(w, panel.returns, size, fit.factor_return)
    >>> [str(k) for k in result.factor.values]
    ['intercept', 'size', 'specific', 'unexplained']
    >>> gap = result.contribution.sum("factor") - xf.portfolio_returns(w, panel.returns)
    >>> bool(abs(gap).max() < 1e-12)
    True
    """
    what = "attribute_returns"
    lag = panel.positive("lag", lag, 0)
    weights = _inputs.checked_weights(weights, what, "weights", dim)
    labels = _inputs.factor_labels(factor_returns, what, "factor_returns")
    if UNEXPLAINED in labels:
        raise panel.error(
            f"{what} found the factor {UNEXPLAINED!r} in factor_returns",
            "that name free for what is no factor's", "Rename the factor",
        )  # fmt: skip
    panel.one_array(returns, what, "returns")
    panel.check_dim(returns, dim, f"{what}, in returns,")
    panel.check_same_labels(returns, weights, names=("returns", "weights"))
    panel.check_same_labels(returns, factor_returns, names=("returns", "factor_returns"))
    r = panel.as_float(returns)
    x = _inputs.exposures(
        exposures, groups, r, labels, dim=dim, what=what, beside="factor_returns"
    ).back(lag)
    for array in x.arrays:
        panel.check_same_labels(returns, array, names=("returns", "exposures"))
    further = [_apply.Arg(r, (dim,), "returns"), _inputs.factor_values(factor_returns)]
    if benchmark is not None:
        base = _inputs.checked_weights(benchmark, what, "benchmark", dim)
        further.append(_apply.Arg(_rows.back(base, lag), (dim,), "benchmark"))
    held = _apply.Arg(_rows.back(weights, lag), (dim,), "weights")
    first, own = _inputs.several(held, [*(a.data for a in further), *x.arrays], what, "weights")
    kernel = partial(
        _attribution.attribution_rows, columns=x.columns, benchmark=benchmark is not None
    )
    dtype = weights.dtype
    each, count = _apply.Out((own,), dtype), _apply.Out((own,), np.int32)
    names = [*labels, SPECIFIC, UNEXPLAINED]
    wide = _apply.Out((own, panel.FACTOR), dtype, {panel.FACTOR: names})
    outs = {"contribution": wide, "exposure": wide, "portfolio_return": each,
            "benchmark_return": each, "n_obs": count,
            "n_dropped": _apply.Out((own, REASON), np.int32, {REASON: REASONS})}  # fmt: skip
    found = _apply.along(kernel, [first, *further, *x.args(dim)], list(outs.values()), what=what)
    result = {k: _inputs.squeezed(a) for k, a in zip(outs, found, strict=True)}
    if benchmark is None:
        result.pop("benchmark_return")
    for name in ("contribution", "portfolio_return", "benchmark_return"):
        if name in result:
            result[name].attrs = {"long_name": name.replace("_", " "), "units": "decimal"}
    return xr.Dataset(result, attrs={"lag": lag, "active": int(benchmark is not None)})


def link_contributions(attribution: xr.Dataset, *, dim: str = panel.DATE) -> xr.DataArray:
    """Contributions to the compound return up to each date: they sum to it, as daily ones do not.

    Parameters
    ----------
    attribution
        What `attribute_returns` gives.
    dim
        Dimension of time.

    Returns
    -------
    DataArray
        Contributions (date, factor), decimal, whose sum over `factor` is the compound return of
        the portfolio from the first date on, less that of the benchmark if there is one. A date
        without a return earns nothing; one whose return is not split is "unexplained". Missing
        from the date on which nothing is left.

    Raises
    ------
    PanelError
        If `contribution`, `portfolio_return` or `dim` is missing, chunks differ or `factor` is
        cut into them, or dates are not in order.
    TypeError
        If `attribution` is no Dataset.

    Notes
    -----
    The contributions of a date are multiplied by (ln(1 + p) - ln(1 + b)) / (p - b), p and b its
    portfolio and benchmark returns, and their sum is divided by the same of the compound returns.
    Blocks of dates wait for one another.

    References
    ----------
    Carino, D. (1999). Combining attribution effects over time. Journal of Performance Measurement
    3(4), 5-14.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> r = xr.DataArray([[0.1], [0.1]], dims=("date", "asset"))
    >>> x = xr.DataArray([[[1.0]]] * 2, dims=("date", "asset", "factor"), coords={"factor": ["m"]})
    >>> f = xr.DataArray([[0.04], [0.1]], dims=("date", "factor"), coords={"factor": ["m"]})
    >>> w = xr.DataArray([1.0], dims="asset")
    >>> result = xf.attribute_returns(w, r, x, f, lag=0)
    >>> xf.link_contributions(result).round(4).values
    array([[0.04 , 0.06 , 0.   ],
           [0.147, 0.063, 0.   ]])
    """
    what = "link_contributions"
    if not isinstance(attribution, xr.Dataset):
        found = type(attribution).__name__
        raise TypeError(f"{what} takes the Dataset of attribute_returns; found {found}.")
    parts = panel.as_float(panel.field(attribution, "contribution"))
    panel.check_dim(parts, dim, what)
    earned = panel.as_float(panel.field(attribution, "portfolio_return"))
    base = attribution.get("benchmark_return", xr.zeros_like(earned))
    args = [_apply.Arg(parts, (panel.FACTOR,)), _apply.Arg(earned), _apply.Arg(base)]
    out = _apply.Out((panel.FACTOR,), parts.dtype)
    (linked,) = _scan.scan(_attribution.linked_rows, args, [out], dim=dim, what=what)
    return linked.assign_attrs(long_name="cumulative contribution", units="decimal")
