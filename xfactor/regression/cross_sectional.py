"""Regressions across assets, one for each date: factor returns from exposures."""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel, time_series
from xfactor.kernels import row_lstsq, row_problem
from xfactor.regression import _design


def cross_sectional_ols(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    weights: xr.DataArray | None = None,
    intercept: bool = True,
    lag: int = 1,
    min_obs: int | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Regress the returns of each date on the exposures of the assets: factor returns.

    On each date t, y[a, t] = f0[t] + sum_k x[a, k, t - lag] f_k[t] + e[a, t] is solved for the
    factor returns f by (weighted) least squares over the assets a.

    Parameters
    ----------
    y
        Returns (date, asset), decimal, each over (t-1, t]. One chunk along `dim`.
    x
        Exposures: a Dataset with one variable (date, asset) per factor, or a DataArray with a
        `factor` dim. Chunks along date as in `y`.
    weights
        Weights of the squared errors (date, asset), e.g. the square root of market cap; an asset
        without a positive weight does not enter.
    intercept
        Add a constant exposure: the factor named "intercept".
    lag
        Dates by which exposures, weights and `where` are moved back, so that they were known
        when the return began. 0 regresses on exposures of the same date, as the lecture does:
        **that looks ahead** wherever the exposure is computed from that date's price.
    min_obs
        Assets needed on a date; by default one more than coefficients.
    dim
        Dimension to regress along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``factor_return``, ``stderr`` and ``tvalue`` (date, factor), ``rsquared`` and ``n_obs``
        (date,), and ``residual`` (date, asset): the specific returns, always lazy. An asset with
        any value missing does not enter; a date with fewer than `min_obs` assets, or with
        exposures that are not independent, is missing and keeps its ``n_obs``.

    Notes
    -----
    Standard errors are the classical ones (equal variance, after weighting). Exposures are
    centred, then solved by Cholesky; dates on which less than 1e-6 of an exposure's variance is
    left beside the others are solved again by an orthogonalisation of the data itself.

    References
    ----------
    Fama, E. and MacBeth, J. (1973). Risk, return, and equilibrium. Journal of Political Economy
    81, 607-636.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=80, seed=1)
    >>> size = xf.standardize(panel.market_cap).rename("size")
    >>> result = xf.cross_sectional_ols(panel.returns, size)
    >>> [str(name) for name in result.factor.values]
    ['intercept', 'size']
    """
    what = "cross_sectional_ols"
    panel.check_dim(y, dim, what)
    arrays, labels = _design.regressors(x, what, y)
    lag = panel.positive("lag", lag, 0)
    arrays = [_back(a, lag) for a in arrays]
    where = None if where is None else _back(where, lag)
    weights = None if weights is None else _back(weights, lag)
    y = panel.masked(y, where)
    inputs = [*arrays] if weights is None else [*arrays, panel.as_float(weights)]
    args = [_apply.Arg(y, (dim,))]
    args += [_apply.Arg(a, _core(a, dim)) for a in inputs]
    names = [_design.INTERCEPT, *labels] if intercept else labels
    kernel = partial(
        _factor_returns,
        weighted=weights is not None,
        intercept=intercept,
        min_obs=_design.least_obs(min_obs, len(names)),
    )
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: names})
    outs = [labelled, labelled, _apply.Out((), y.dtype), _apply.Out((), np.int32)]
    f, stderr, rsquared, n_obs = _apply.along(kernel, args, outs, what=what)
    alpha = f.isel({panel.FACTOR: 0}, drop=True) if intercept else None
    beta = f.isel({panel.FACTOR: slice(1, None)}) if intercept else f
    return xr.Dataset(
        {
            "factor_return": f.assign_attrs(long_name="factor return", units="decimal"),
            "stderr": stderr.assign_attrs(long_name="standard error"),
            "tvalue": _design.tvalue(f, stderr),
            "rsquared": rsquared,
            "n_obs": n_obs,
            "residual": _design.residual(y, arrays, beta, alpha),
        },
        attrs={"lag": lag, "weighted": int(weights is not None)},
    )


def _back(a: xr.DataArray, lag: int) -> xr.DataArray:
    return time_series.lag(a, lag) if lag and panel.DATE in a.dims else a


def _core(a: xr.DataArray, dim: str) -> tuple[str, ...]:
    return (panel.FACTOR, dim) if panel.FACTOR in a.dims else (dim,)


def _factor_returns(
    y: np.ndarray, *xs: np.ndarray, weighted: bool, intercept: bool, min_obs: int
) -> tuple[np.ndarray, ...]:
    """Row regressions with the constant as first coefficient."""
    model = row_problem.Model(intercept=intercept, weighted=weighted, min_obs=min_obs)
    return row_lstsq.fit_rows(y, *xs, model=model)[:4]
