"""What factors pay, by regressions across assets, and whether they explain the assets' means."""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import pricing
from xfactor.regression import _design, _rows
from xfactor.regression.cross_sectional import estimates
from xfactor.regression.inference import newey_west
from xfactor.regression.rolling import rolling_ols
from xfactor.regression.time_series import first_pass

_ROW, _COLUMN = "factor_", "other_factor_"  # dims of a covariance, away from the user's


def fama_macbeth(
    y: xr.DataArray,
    exposures: xr.DataArray | xr.Dataset | None = None,
    *,
    factors: xr.DataArray | xr.Dataset | None = None,
    window: int | None = None,
    weights: xr.DataArray | None = None,
    intercept: bool = True,
    lag: int = 1,
    lags: int | None = None,
    min_obs: int | None = None,
    min_dates: int | None = None,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Risk premia by Fama and MacBeth: a regression across assets on each date, then the mean.

    Either the `exposures` are known, or they are betas to be estimated from returns of `factors`
    (the two-pass regression). On each date the returns are regressed on them; the premium of a
    factor is the mean over the dates of its factor return.

    Parameters
    ----------
    y
        Returns (date, asset), decimal, in excess of cash where `intercept` is False. One chunk
        along `asset_dim`.
    exposures
        Characteristics or betas, as in `cross_sectional_ols`; or static ones without `dim`:
        (asset, factor), or a Dataset of (asset,). Chunks along date as in `y`.
    factors
        Factor returns (date,): a Dataset of variables, or a DataArray with a `factor` dim. Chunks
        along date as in `y`. Each asset's betas are estimated by a regression through time that
        always has an alpha. By default it is over the whole history: **in sample**, the betas of
        a date know its future, as in the lecture and in the textbooks.
    window
        Estimate the betas over this many trailing dates instead (`rolling_ols`), to be used
        `lag` dates later.
    weights
        Weights of the squared errors across assets, as in `cross_sectional_ols`.
    intercept
        Add a constant to the regressions across assets: the factor named "intercept". Its
        premium is 0 if the betas explain all of the mean excess returns.
    lag
        Dates by which exposures, rolling betas, weights and `where` are moved back, so that they
        were known when the return began. What has no dates cannot be moved.
    lags
        Lags of Newey-West; by default floor(4 (T / 100)^(2/9)), T the number of dates of `y`.
    min_obs
        Assets needed on a date; by default one more than coefficients.
    min_dates
        Dates needed for a beta; by default that of `time_series_ols` or `rolling_ols`.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask of the regressions across assets. Betas are estimated from all returns
        that are known, also from those outside the universe.

    Returns
    -------
    xarray.Dataset
        ``premium`` (factor,), decimal per date; ``stderr`` and ``tvalue`` by Newey-West,
        ``stderr_iid`` and ``tvalue_iid`` by std(ddof=1) / sqrt(T); ``n_obs`` (), the dates T that
        entered; ``factor_return`` (date, factor); ``n_assets`` and ``rsquared`` (), the means over
        those dates of the assets on a date and of its R2. With `factors`, ``beta`` (asset,
        factor), or (date, asset, factor) as known at the end of each date; that of the intercept
        is 1. With betas of the whole history, ``stderr_shanken`` and ``tvalue_shanken``, which
        allow for their being estimates. A date without a regression is missing in
        ``factor_return`` and does not enter the mean.

    Raises
    ------
    PanelError
        If both or neither of `exposures` and `factors` are given, `window` or `min_dates`
        without `factors`; if a factor has the dim `asset_dim` or an exposure has not, `y` has a
        dim `factor`, or factors or exposures have no distinct names; if a dim is missing,
        assets are cut into chunks, labels or chunks differ, or dates are not in order where
        exposures are moved back or betas roll.
    TypeError
        If an array holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    Shanken's variance of premium k is, with F the factors' covariance (divisor T - 1) and V the
    variance without correction, V_k = stderr_iid_k^2,

        (1 + c) (V_k - F_kk / T) + F_kk / T,   c = premium' F^-1 premium,

    over the factors only; the intercept has F_kk = 0. The premia contain the mean of the factors
    themselves, F / T of their variance; only the rest comes from the betas' errors and grows. On
    a panel without missing data this is the variance for iid residuals in Cochrane (12.19)
    exactly, for any regression across assets with the same weights on all dates. With missing data
    it is an approximation, missing where it is negative.

    The lecture regresses the mean returns on the betas, once, with iid errors. If no return is
    missing the premia are the same; its errors are not, because they take the assets' errors to be
    independent.

    Betas of the whole history need every date twice: a lazy `y` is read twice.

    References
    ----------
    Fama, E. and MacBeth, J. (1973). Risk, return, and equilibrium. Journal of Political Economy
    81, 607-636.

    Shanken, J. (1992). On the estimation of beta-pricing models. Review of Financial Studies 5,
    1-33.

    Cochrane, J. (2005). Asset Pricing, revised edition, section 12.2, equation 12.19, and 12.3.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=80, seed=1)
    >>> size = xf.standardize(panel.market_cap).rename("size")
    >>> fit = xf.fama_macbeth(panel.returns, size)
    >>> fit.premium.dims, int(fit.n_obs)
    (('factor',), 299)
    >>> fit = xf.fama_macbeth(panel.returns, factors=panel.market_returns.rename("market"))
    >>> bool((fit.stderr_shanken >= fit.stderr_iid).all())
    True
    """
    what = "fama_macbeth"
    _check_returns(y, dim, asset_dim, what)
    _check_options(exposures, factors, window, min_dates, what)
    lag = panel.positive("lag", lag, 0)
    if where is not None:
        panel.check_mask(y, where, "where")
    if weights is not None:
        panel.check_numbers(y, weights, "weights")
    if factors is not None:
        returns = _common(factors, y, dim, asset_dim, what)
        exposures = beta = _betas(y, factors, window, min_dates, dim, what)
        if window is None:
            (y,), (beta,) = _apply.again([y], [beta])
            exposures = beta
    assert exposures is not None  # one of the two is given
    x = _known(exposures, y, lag, dim, asset_dim, what)
    across = estimates(
        panel.masked(y, None if where is None else _rows.back(where, lag, dim)), x,
        weights=None if weights is None else _rows.back(panel.as_float(weights), lag, dim),
        intercept=intercept, min_obs=min_obs, dim=asset_dim, what=what,
    )  # fmt: skip
    result = _premia(across, lags, dim).assign_attrs(lag=lag)
    if factors is None:
        return result
    if window is None:
        error = _shanken(result, returns, dim, what)
        result["stderr_shanken"] = error.assign_attrs(long_name="standard error, Shanken (1992)")
        result["tvalue_shanken"] = _design.tvalue(result["premium"], error)
    if intercept:  # the constant's exposure, so that beta times premium is the mean explained
        known = beta.notnull().all(panel.FACTOR)
        beta = beta.reindex({panel.FACTOR: result[panel.FACTOR].values}, fill_value=1).where(known)
    return result.assign(beta=beta)


def _check_returns(y: xr.DataArray, dim: str, asset_dim: str, what: str) -> None:
    panel.one_array(y, what, "y")
    for each in (dim, asset_dim):
        panel.check_dim(y, each, what)


def _check_options(
    exposures: object, factors: object, window: int | None, min_dates: int | None, what: str
) -> None:
    if (exposures is None) == (factors is None):
        found = "neither exposures nor factors" if factors is None else "exposures and factors"
        raise panel.error(
            f"{what} was given {found}",
            "one of them",
            "Pass exposures that are known, or factors= returns whose betas are to be estimated",
        )
    for name, value in (("window", window), ("min_dates", min_dates)):
        if factors is None and value is not None:
            raise panel.error(
                f"{what} was given {name}={value} and exposures",
                f"{name} only where betas are estimated",
                f"Leave {name} out, or pass factors= in place of exposures",
            )


def _common(
    factors: xr.DataArray | xr.Dataset, y: xr.DataArray, dim: str, asset_dim: str, what: str
) -> list[xr.DataArray]:
    """Factor returns as arrays, refused unless they are the same for all assets."""
    arrays, labels = _design.regressors(factors, what, y)
    for label, a in zip(labels, arrays, strict=False):
        panel.check_dim(a, dim, what)
        if asset_dim in a.dims:
            raise panel.error(
                f"{what} found the dimension {asset_dim!r} in the factor {label!r}",
                "returns of factors, the same for all assets",
                "Pass what each asset has of its own as exposures, not as factors",
            )
    return arrays


def _known(
    x: xr.DataArray | xr.Dataset, y: xr.DataArray, lag: int, dim: str, asset_dim: str, what: str
) -> xr.DataArray | xr.Dataset:
    """Exposures known `lag` dates before, refused unless each asset has its own."""
    arrays, labels = _design.regressors(x, what, y)
    for label, a in zip(labels, arrays, strict=False):
        if asset_dim not in a.dims:
            raise panel.error(
                f"{what} found no dimension {asset_dim!r} in the exposure {label!r}",
                "an exposure of each asset",
                "Pass returns of factors as factors=",
            )

    def earlier(a: xr.DataArray) -> xr.DataArray:
        return _rows.back(
            panel.as_float(a), lag, dim
        )  # first as floats: codes would be moved as codes

    return x.map(earlier) if isinstance(x, xr.Dataset) else earlier(x)


def _betas(
    y: xr.DataArray,
    factors: xr.DataArray | xr.Dataset,
    window: int | None,
    min_dates: int | None,
    dim: str,
    what: str,
) -> xr.DataArray:
    if window is None:
        arrays, labels = _design.regressors(factors, what, y, dim)
        y = _design.over_dims_of(y, arrays)
        return first_pass(y, arrays, labels, True, min_dates, dim, what)[0]
    fit = rolling_ols(y, factors, window=window, se=None, min_obs=min_dates, dim=dim)
    return fit["beta"]


def _premia(across: dict[str, xr.DataArray], lags: int | None, dim: str) -> xr.Dataset:
    """Means of factor returns, and over the same dates of the other statistics."""
    f = _apply.whole(across["factor_return"], dim)
    mean, iid = newey_west(f, lags=lags, dim=dim), newey_west(f, lags=0, dim=dim)
    used = f.notnull().all(panel.FACTOR)

    def average(x: xr.DataArray) -> xr.DataArray:
        return _apply.whole(x, dim).astype(np.float64).where(used).mean(dim).astype(f.dtype)

    return xr.Dataset(
        {
            "premium": mean["mean"].assign_attrs(long_name="risk premium", units="decimal"),
            "stderr": mean["stderr"].assign_attrs(long_name="standard error, Newey-West"),
            "tvalue": mean["tvalue"],
            "stderr_iid": iid["stderr"].assign_attrs(long_name="standard error, iid"),
            "tvalue_iid": iid["tvalue"],
            "n_obs": mean["n_obs"].isel({panel.FACTOR: 0}, drop=True),
            "n_assets": average(across["n_obs"]),
            "rsquared": average(across["rsquared"]),
            "factor_return": across["factor_return"],
        },
        attrs={"lags": mean.attrs["lags"]},
    )


def _shanken(fit: xr.Dataset, factors: list[xr.DataArray], dim: str, what: str) -> xr.DataArray:
    """Standard errors that allow for estimated betas."""
    moments = _factor_covariance(factors, dim, what)
    premium = fit["premium"]
    args = [
        _apply.Arg(premium, (panel.FACTOR,)),
        _apply.Arg(fit["stderr_iid"], (panel.FACTOR,)),
        _apply.Arg(fit["n_obs"]),
        _apply.Arg(moments, (_ROW, _COLUMN)),
    ]
    out = _apply.Out((panel.FACTOR,), premium.dtype)
    return _apply.along(pricing.shanken_rows, args, [out], what=what)[0]


def _factor_covariance(factors: list[xr.DataArray], dim: str, what: str) -> xr.DataArray:
    args = _design.arguments(factors[0], factors)[1:]
    k = sum(a.data.sizes[panel.FACTOR] for a in args)
    out = _apply.Out((_ROW, _COLUMN), np.float64, {_ROW: range(k), _COLUMN: range(k)})
    return _apply.reduce(
        pricing.joint_sums, pricing.merge_joint, pricing.covariance, args, [out],
        dim=dim, what=what,
    )[0].drop_vars([_ROW, _COLUMN])  # fmt: skip


def grs_test(
    y: xr.DataArray,
    factors: xr.DataArray | xr.Dataset,
    *,
    dim: str = panel.DATE,
    asset_dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Test whether factors explain the mean returns of all assets: Gibbons, Ross and Shanken.

    The hypothesis is that every alpha of the regressions of the assets on the factors through
    time is 0, if residuals are normal and independent from date to date.

    Parameters
    ----------
    y
        Excess returns (date, asset) of portfolios, decimal. One chunk along `asset_dim`, any
        along date. For tens to hundreds of assets: a matrix of their products is kept for each
        chunk, and there must be more dates than assets.
    factors
        Returns of traded factors in excess of cash (date,): a Dataset of variables, or a
        DataArray with a `factor` dim. Chunks along date as in `y`.
    dim
        Dimension of dates.
    asset_dim
        Dimension of assets.
    where
        Universe mask: a cell outside is missing.

    Returns
    -------
    xarray.Dataset
        ``statistic`` and ``pvalue`` (), small if the factors leave alphas; ``n_obs``, the dates T;
        ``dof_numerator`` N and ``dof_denominator`` T - N - K, 0 if negative; ``alpha`` (asset,),
        decimal per date. Only dates count on which every asset and every factor is known: an asset
        that starts late costs all others its dates. ``statistic`` and ``pvalue`` are missing if T
        is not larger than N + K or the residuals' covariance is singular (an asset that is a sum of
        others or of factors, to 1e-6 of its variance); if the factors' own is, or T < K + 2,
        ``alpha`` too.

    Raises
    ------
    PanelError
        If a dim is missing, a factor has the dim `asset_dim`, `y` has a dim `factor`, factors
        have no distinct names, assets are cut into chunks, or labels or chunks differ.
    TypeError
        If `y` or `factors` holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    With S the covariance of residuals, O that of the K factors (both with divisor T), a the
    alphas and m the factors' means,

        (T - N - K) / N  a' S^-1 a / (1 + m' O^-1 m)

    has the distribution F(N, T - N - K). One pass sums means and centred products of factors and
    assets together, combined by date block and solved by Cholesky.

    References
    ----------
    Gibbons, M., Ross, S. and Shanken, J. (1989). A test of the efficiency of a given portfolio.
    Econometrica 57, 1121-1152.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xfactor as xf
    >>> rng = np.random.default_rng(1)
    >>> market = xr.DataArray(rng.normal(size=120), dims="date", name="market")
    >>> y = market + xr.DataArray(rng.normal(size=(120, 5)), dims=("date", "asset"))
    >>> test = xf.grs_test(y, market)
    >>> int(test.dof_numerator), int(test.dof_denominator), bool(test.pvalue > 0.05)
    (5, 114, True)
    >>> bool(xf.grs_test(y + 1, market).pvalue < 0.05)
    True
    """
    what = "grs_test"
    _check_returns(y, dim, asset_dim, what)
    y = panel.masked(y, where)
    arrays = _common(factors, y, dim, asset_dim, what)
    _, *args = _design.arguments(y, arrays)
    k = sum(a.data.sizes[panel.FACTOR] for a in args)
    one, count = _apply.Out((), y.dtype), _apply.Out((), np.int32)
    outs = [one, one, count, count, _apply.Out((asset_dim,), y.dtype)]
    statistic, pvalue, n_obs, dof, alpha = _apply.reduce(
        pricing.joint_sums, pricing.merge_joint,
        partial(pricing.grs, n_factors=k, dtype=y.dtype),
        [*args, _apply.Arg(y, (asset_dim,), "y")], outs, dim=dim, what=what,
    )  # fmt: skip
    return xr.Dataset(
        {
            "statistic": statistic.assign_attrs(long_name="GRS statistic"),
            "pvalue": pvalue,
            "n_obs": n_obs,
            "dof_numerator": y.sizes[asset_dim],
            "dof_denominator": dof,
            "alpha": alpha.assign_attrs(long_name="alpha", units="decimal"),
        }
    )
