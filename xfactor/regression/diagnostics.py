"""Tests of residuals (normal, alike in variance, without memory) and of regressors (distinct).

All assets (or all dates) are tested side by side, in one pass over the panel.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import diagnostics as kernels
from xfactor.kernels import regressor_tests
from xfactor.regression import _design

METHODS = ("koenker", "original")


def jarque_bera(
    residual: xr.DataArray, *, dim: str = panel.DATE, where: xr.DataArray | None = None
) -> xr.Dataset:
    """Test whether residuals are normally distributed, by their skewness and kurtosis.

    The statistic n / 6 (S^2 + (K - 3)^2 / 4) has two degrees of freedom. S and K are of central
    moments divided by n.

    Parameters
    ----------
    residual
        Residuals (date, asset), e.g. ``time_series_ols(...).residual``; or any other values.
        Any chunks.
    dim
        Dimension to test along: ``"date"`` for each asset, ``"asset"`` for each date.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``statistic``, ``pvalue``, ``skewness``, ``kurtosis`` (3 if normal) and ``n_obs``, without
        `dim`: (asset,). Missing values are left out. All but ``n_obs`` are missing where there are
        not two different values.

    Raises
    ------
    PanelError
        If `residual` has no `dim`, or `where` has other dims, labels or chunks.
    TypeError
        If `residual` is no DataArray of numbers, or `where` is not bool.

    References
    ----------
    Jarque, C. and Bera, A. (1987). A test for normality of observations and regression residuals.
    International Statistical Review 55, 163-172. Moments of date blocks are joined as in Pebay,
    P. (2008), Sandia report SAND2008-6212.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=40, seed=1)
    >>> fit = xf.time_series_ols(panel.returns, panel.market_returns.rename("market"))
    >>> test = xf.jarque_bera(fit.residual)
    >>> share = (test.pvalue < 0.05).mean()  # of assets whose residuals are not normal
    >>> 0 <= float(share) <= 1
    True
    """
    x = _values(residual, where, dim, "jarque_bera")
    names = ("statistic", "pvalue", "skewness", "kurtosis", "n_obs")
    return _test(
        kernels.moment_sums, kernels.merge_moments, kernels.jarque_bera,
        [_apply.Arg(x)], names, x.dtype, dim, "jarque_bera",
    )  # fmt: skip


def breusch_pagan(
    residual: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    method: Literal["koenker", "original"] = "koenker",
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Test whether the variance of residuals changes with regressors (heteroskedasticity).

    The squared residuals are regressed on a constant and x. A small p-value says that the variance
    is not the same everywhere, and that classical standard errors are wrong.

    Parameters
    ----------
    residual
        Residuals (date, asset), or (date,).
    x
        What the variance may depend on, mostly the regressors themselves: a Dataset of variables or
        a DataArray with a `factor` dim; common to all assets (date,) or each asset's own
        (date, asset). A constant is always added; x has none. Chunks as in `residual`.
    method
        ``"koenker"``: n R2, whatever the distribution of the residuals. ``"original"``: half of the
        explained squares of e^2 / mean(e^2), for normal residuals only.
    dim
        Dimension to test along: ``"date"`` for each asset, ``"asset"`` for each date.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``statistic``, ``pvalue``, ``n_obs`` without `dim`: (asset,); and ``dof``, the number of
        regressors. An observation with any value missing is left out. Statistic and p-value are
        missing with fewer than two observations more than regressors, where all squares are equal,
        and where less than 1e-6 of a regressor's variance is left beside the others.

    Raises
    ------
    PanelError
        If `method` is unknown; if `dim` is missing, `x` has no variable, two of one name or one
        named "intercept", `residual` has a dim `factor`, or labels or chunks differ.
    TypeError
        If `residual` or `x` holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    Equals ``het_breuschpagan`` of statsmodels, which wants the constant to be in its regressors.
    The regression across assets of `cross_sectional_ols` is on exposures `lag` dates back: give
    them here as they entered there, ``xf.lag(x, 1)``.

    References
    ----------
    Breusch, T. and Pagan, A. (1979). A simple test for heteroscedasticity and random coefficient
    variation. Econometrica 47, 1287-1294. Koenker, R. (1981). A note on studentizing a test for
    heteroscedasticity. Journal of Econometrics 17, 107-112.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=40, seed=1)
    >>> market = panel.market_returns.rename("market")
    >>> fit = xf.time_series_ols(panel.returns, market)
    >>> test = xf.breusch_pagan(fit.residual, market)
    >>> test.statistic.dims, int(test.dof)
    (('asset',), 1)
    """
    what = "breusch_pagan"
    panel.choice("method", method, METHODS)
    e = _values(residual, where, dim, what)
    arrays, labels = _design.regressors(x, what, e)
    for a in arrays:
        panel.check_dim(a, dim, what)
    args = _design.arguments(_design.over_dims_of(e, arrays), arrays)
    finalise = partial(regressor_tests.breusch_pagan, koenker=method == "koenker")
    names = ("statistic", "pvalue", "n_obs")
    test = _test(
        regressor_tests.square_sums,
        regressor_tests.merge_variables,
        finalise,
        args,
        names,
        e.dtype,
        dim,
        what,
    )
    return test.assign(dof=np.int32(len(labels))).assign_attrs(method=method)


def durbin_watson(
    residual: xr.DataArray, *, dim: str = panel.DATE, where: xr.DataArray | None = None
) -> xr.Dataset:
    """Autocorrelation of residuals from one date to the next, as the Durbin-Watson statistic.

    sum (e[t] - e[t-1])^2 / sum e[t]^2: about 2 without autocorrelation, towards 0 if it is
    positive, towards 4 if it is negative.

    Parameters
    ----------
    residual
        Residuals (date, asset), in the order of time.
    dim
        Dimension to test along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``statistic`` and ``n_obs`` without `dim`: (asset,). The statistic is missing where no two
        neighbours are known or all residuals are 0. There is no p-value: the distribution depends
        on the regressors (`ljung_box` has one).

    Raises
    ------
    PanelError
        If `residual` has no `dim`, its dates are not in order, or `where` has other dims,
        labels or chunks.
    TypeError
        If `residual` is no DataArray of numbers, or `where` is not bool.

    Notes
    -----
    Missing values keep their place: a difference is of two neighbouring dates that are both known,
    and the sum of the m differences there are counts as m out of n - 1, so that gaps do not pull
    the statistic to 0. Without gaps this is the usual statistic; statsmodels, given a series
    without its missing values, takes differences across the gaps. Values missing before the first
    or after the last known one make no gap.

    References
    ----------
    Durbin, J. and Watson, G. (1950). Testing for serial correlation in least squares regression I.
    Biometrika 37, 409-428. On gaps: Savin, N. and White, K. (1978). Testing for autocorrelation
    with missing observations. Econometrica 46, 59-67.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> e = xr.DataArray([1.0, -1.0, 1.0, -1.0], dims="date")
    >>> float(xf.durbin_watson(e).statistic)
    3.0
    """
    x = _values(residual, where, dim, "durbin_watson")
    return _test(
        kernels.difference_sums, kernels.merge_differences, kernels.durbin_watson,
        [_apply.Arg(x)], ("statistic", "n_obs"), x.dtype, dim, "durbin_watson", before=1,
    )  # fmt: skip


def ljung_box(
    residual: xr.DataArray,
    *,
    lags: int | None = None,
    model_dof: int = 0,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Test whether residuals are autocorrelated at any of the first lags, by Ljung and Box's Q.

    Q = n (n + 2) sum_k r[k]^2 / (n - k) over the lags k = 1 .. `lags`, r[k] the autocorrelation.

    Parameters
    ----------
    residual
        Residuals (date, asset), in the order of time.
    lags
        How many autocorrelations are tested together; by default 10, or a fifth of the dates if
        that is less. Few lags find what lives in them; many find slow decay and seasons, with less
        power against each. Memory of the sums grows with 3 `lags` numbers an asset.
    model_dof
        Coefficients of an ARMA model that the values are the residuals of; taken off the degrees
        of freedom. 0 for regressions on factors.
    dim
        Dimension to test along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``statistic``, ``pvalue`` and ``n_obs`` without `dim`: (asset,). Statistic and p-value are
        missing where a lag has no pair of known values, or all values are equal.

    Raises
    ------
    PanelError
        If `lags` is no whole number of at least 1, or `model_dof` none of at least 0 and below
        `lags`; if `residual` has no `dim`, its dates are not in order, or `where` has other
        dims, labels or chunks.
    TypeError
        If `residual` is no DataArray of numbers, or `where` is not bool.

    Notes
    -----
    Missing values keep their place: a lag is a distance in dates, a product is of two known
    values, and n - k becomes the number of pairs there are. Without gaps this is
    ``acorr_ljungbox`` of statsmodels, which closes gaps if the missing values are dropped first.

    References
    ----------
    Ljung, G. and Box, G. (1978). On a measure of lack of fit in time series models. Biometrika 65,
    297-303. On missing values: Stoffer, D. and Toloi, C. (1992). A note on the Ljung-Box-Pierce
    portmanteau statistic with missing data. Statistics and Probability Letters 13, 391-396.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=40, seed=1)
    >>> fit = xf.time_series_ols(panel.returns, panel.market_returns.rename("market"))
    >>> test = xf.ljung_box(fit.residual, lags=5)
    >>> autocorrelated = test.pvalue < 0.05
    >>> float(autocorrelated.mean()) < 0.5  # a share of the assets
    True
    """
    what = "ljung_box"
    x = _values(residual, where, dim, what)
    if lags is None:
        lags = max(1, min(10, x.sizes[dim] // 5))
    lags = panel.positive("lags", lags)
    model_dof = panel.positive("model_dof", model_dof, 0)
    if model_dof >= lags:
        raise panel.error(
            f"model_dof={model_dof} was given with {lags} lags", "more lags", "Raise lags"
        )
    test = _test(
        partial(kernels.lag_sums, lags=lags), kernels.merge_lags,
        partial(kernels.ljung_box, model_dof=model_dof),
        [_apply.Arg(x)], ("statistic", "pvalue", "n_obs"), x.dtype, dim, what, before=lags,
    )  # fmt: skip
    return test.assign_attrs(lags=lags, model_dof=model_dof)


def vif(
    x: xr.DataArray | xr.Dataset,
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Variance inflation factor of each regressor: how far the others explain it.

    1 / (1 - R2) of the regression of one regressor on a constant and the others: by so much its
    coefficient's variance is larger than if it were uncorrelated with them. 1 is none; 10 is often
    called too much.

    Parameters
    ----------
    x
        Regressors: a Dataset of variables or a DataArray with a `factor` dim. Exposures
        (date, asset, factor), or factor returns (date, factor) with ``dim="date"``.
    dim
        Dimension over which they are correlated: ``"asset"`` for each date, ``"date"`` for each
        asset.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``vif`` without `dim`: (date, factor), and ``n_obs`` (date,). An observation with any
        regressor missing is left out.

        Infinite for regressors of an exact dependence (where the correlations have an eigenvalue
        below 1e-12); what takes no part in it keeps its value. Missing for a constant, which the
        others do not notice, and with no more observations than regressors.

    Raises
    ------
    PanelError
        If `dim` is missing, `x` has no variable, two of one name or one named "intercept", or
        labels or chunks differ.
    TypeError
        If `x` holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    The diagonal of the inverse of the correlations, from sums of one pass. It has about 15 digits
    less those of the factor itself.

    References
    ----------
    Marquardt, D. (1970). Generalized inverses, ridge regression, biased linear estimation, and
    nonlinear estimation. Technometrics 12, 591-612.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.Dataset({"a": ("asset", [1.0, 2, 3, 4]), "b": ("asset", [1.0, -1, -1, 1])})
    >>> xf.vif(x).vif.values.round(6)
    array([1., 1.])
    """
    what = "vif"
    arrays, labels = _design.regressors(x, what, xr.DataArray(0.0))
    for a in arrays:
        panel.check_dim(a, dim, what)
    if where is not None:
        panel.one_array(where, what, "where")
        fits = [i for i, a in enumerate(arrays) if set(where.dims) <= set(a.dims)]
        at = fits[0] if fits else 0  # one regressor missing, and the observation is left out
        arrays[at] = panel.masked(arrays[at], where)
    dtype = np.result_type(*arrays)
    labelled = _apply.Out((panel.FACTOR,), dtype, {panel.FACTOR: labels})
    inflation, n_obs = _apply.reduce(
        regressor_tests.regressor_sums, regressor_tests.merge_variables,
        partial(_typed, regressor_tests.variance_inflation, dtype),
        _design.arguments(arrays[0], arrays)[1:], [labelled, _apply.Out((), np.int32)],
        dim=dim, what=what,
    )  # fmt: skip
    return xr.Dataset({"vif": inflation.assign_attrs(long_name="variance inflation factor"),
                       "n_obs": n_obs})  # fmt: skip


def _values(x: xr.DataArray, where: xr.DataArray | None, dim: str, what: str) -> xr.DataArray:
    panel.one_array(x, what, "residual")
    panel.check_dim(x, dim, what)
    return panel.masked(x, where)


def _test(
    sums: _apply.Kernel,
    merge: _apply.Kernel,
    finalise: _apply.Kernel,
    args: Sequence[_apply.Arg],
    names: Sequence[str],
    dtype: Any,
    dim: str,
    what: str,
    before: int = 0,
) -> xr.Dataset:
    """One pass of sums along `dim`, whichever it is; the last of `names` is a count."""
    outs = [*[_apply.Out((), dtype)] * (len(names) - 1), _apply.Out((), np.int32)]
    results = _apply.reduce(
        sums, merge, partial(_typed, finalise, dtype), args, outs,
        before=before, dim=dim, what=what,
    )  # fmt: skip
    return xr.Dataset(dict(zip(names, results, strict=True)))


def _typed(finalise: _apply.Kernel, dtype: Any, total: Any) -> tuple[np.ndarray, ...]:
    *floats, n_obs = finalise(total)
    with np.errstate(over="ignore"):
        return (*[f.astype(dtype, copy=False) for f in floats], n_obs.astype(np.int32))
