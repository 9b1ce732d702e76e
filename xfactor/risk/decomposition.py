"""Risk of portfolios, and whose it is: that of the factors, of the specific returns, of assets."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import risk as _risk
from xfactor.regression._groups import Groups
from xfactor.risk import _inputs
from xfactor.risk._inputs import SPECIFIC, Missing

REASON = "reason"
REASONS = ("missing_exposure", "thin")


def risk_decomposition(
    weights: xr.DataArray,
    exposures: xr.DataArray | xr.Dataset,
    factor_cov: xr.DataArray,
    specific_var: xr.DataArray,
    *,
    benchmark: xr.DataArray | None = None,
    groups: Groups | None = None,
    missing: Missing = "spread",
    by_asset: bool = False,
    dim: str = panel.ASSET,
) -> xr.Dataset:
    """Total, factor and specific risk of portfolios, and the contribution of each factor.

    The returns of the assets have the covariance X F X' + D: exposures X, factor covariance F,
    specific variances D. All are taken as of the same date t: what is forecast is the risk of
    the portfolio held from the end of t on.

    Parameters
    ----------
    weights
        Weights (date, asset), or (asset,) for the same on every date, as shares of the capital,
        long positive and short negative; one further dim gives several portfolios, at the cost of
        one reading of the exposures. A missing weight is not held.
    exposures
        Exposures: a Dataset with one variable (date, asset) per factor, or a DataArray with a
        `factor` dim. One chunk along `dim`.
    factor_cov
        Covariance (date, factor, factor_2) of the factors, decimal squared: that of
        `factor_covariance`. Its factors are those of the exposures and groups; one named
        "intercept" has an exposure of 1.
    specific_var
        Specific variances (date, asset), decimal squared: those of `specific_variance`.
    benchmark
        Weights (date, asset) or (asset,) of a benchmark: the risk is that of `weights` less these,
        the active risk.
    groups
        Codes of groups whose returns are factors, as in `cross_sectional_ols`.
    missing
        What becomes of a held asset that lacks an exposure or a specific variance: its weight is
        spread over the other assets of its leg, long or short (``"spread"``), as
        `portfolio_returns` does with missing returns; it is left out, and its risk with it
        (``"drop"``); or the portfolio is missing on that date (``"missing"``). A benchmark is
        treated by itself. It is never taken as an exposure of 0.
    by_asset
        Add the contributions of the assets: panels, and a second reading of the exposures.
    dim
        Dimension of the assets.

    Returns
    -------
    xarray.Dataset
        Per date and portfolio ``risk``, ``factor_risk`` and ``specific_risk``: standard deviations
        of a date's return, decimal, risk^2 the sum of the squares of the other two. Along `factor`,
        with "specific" as the last label: ``exposure`` of the portfolio (of "specific", the
        specific risk), ``marginal`` the change of risk per unit of exposure, ``component`` exposure
        times marginal, which sums to risk, and ``share`` component over risk, which sums to 1. With
        `by_asset` ``asset_marginal``, the change of risk per unit of weight, missing for an asset
        that lacks something, and ``asset_component``, weight (as it counts) times that, which sums
        to risk. ``n_obs``, held assets that count; ``n_dropped`` (reason), held ones that do not:
        "missing_exposure", or "thin", without a specific variance; ``coverage``, the share of the
        gross weight that counts. With a benchmark ``beta``, the portfolio's covariance with it over
        its variance; ``n_obs``, ``n_dropped`` and ``coverage`` then are those of both.

        Missing on dates on which a whole leg lacks something, or (but for ``exposure`` and
        ``specific_risk``) a factor that the portfolio is exposed to has no covariance. A portfolio
        of no risk has components of 0 and no shares.

    Raises
    ------
    PanelError
        If `missing` is unknown or `by_asset` is not True or False; if the factors of
        `exposures` (with `groups`) and `factor_cov` are not the same, one is named "specific",
        `factor_cov` has not the dims `factor` and `factor_2` with the same labels, or `weights`
        have a dim `factor` or more than one of portfolios; if `dim` is missing or cut into
        chunks, labels or chunks differ, or lazy `groups` have no ``flag_values``.
    TypeError
        If an array holds no numbers or is of another type, or `groups` hold no integers.

    Notes
    -----
    With b = X'w the factors' marginals are F b / risk, and the specific part enters as one more
    factor with the exposure sqrt(w'D w) and a variance of 1. Against a benchmark the ``share`` of
    factor j is its marginal contribution to active risk squared (FMCAR),
    b_j sum_i(b_i cov_ij) / var(active). No matrix of assets by assets is formed. Under normal
    returns value at risk and expected shortfall are multiples of risk, and so are their components.

    References
    ----------
    Grinold, R. and Kahn, R. (2000). Active Portfolio Management. McGraw-Hill, chapter 3.
    Meucci, A. (2007). Risk contributions from generic user-defined factors. Risk 20(6), 84-88.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> w = xr.DataArray([0.5, 0.5], dims="asset")
    >>> beta = xr.DataArray([[1.0], [0.6]], dims=("asset", "factor"), coords={"factor": ["market"]})
    >>> f = xr.DataArray([[0.04]], dims=("factor", "factor_2"), coords={"factor": ["market"]})
    >>> result = xf.risk_decomposition(w, beta, f, xr.DataArray([0.01, 0.03], dims="asset"))
    >>> round(float(result.risk), 6), result.share.round(4).values
    (0.18868, array([0.7191, 0.2809]))
    """
    what = "risk_decomposition"
    p = _problem(
        weights, exposures, factor_cov, specific_var, benchmark, groups, missing, dim, what
    )
    own, dtype = p.axis, p.dtype
    each, count = _apply.Out((own,), dtype), _apply.Out((own,), np.int32)
    wide = _apply.Out((own, panel.FACTOR), dtype, {panel.FACTOR: [*p.factors, SPECIFIC]})
    outs = {"risk": each, "factor_risk": each, "specific_risk": each, "exposure": wide,
            "marginal": wide, "component": wide, "share": wide, "beta": each, "coverage": each,
            "n_obs": count, "n_dropped": _apply.Out((own, REASON), np.int32, {REASON: REASONS}),
    }  # fmt: skip
    kernel = partial(_risk.decomposition_rows, plan=p.plan)
    found = _apply.along(kernel, p.args, list(outs.values()), what=what)
    result = {k: _inputs.squeezed(a) for k, a in zip(outs, found, strict=True)}
    if benchmark is None:
        result.pop("beta")
    if panel.flag("by_asset", by_asset):
        by = partial(_risk.asset_rows, plan=p.plan)
        panels = _apply.along(by, p.args, [_apply.Out((own, dim), dtype)] * 2, what=what)
        for name, a in zip(("asset_marginal", "asset_component"), panels, strict=True):
            result[name] = _inputs.squeezed(a)
    return xr.Dataset({k: _named(k, a) for k, a in result.items()}, attrs={"missing": missing})


_NAMES = {
    "risk": "risk", "factor_risk": "factor risk", "specific_risk": "specific risk",
    "marginal": "marginal risk", "component": "contribution to risk",
    "share": "share of the variance", "asset_marginal": "marginal risk",
    "asset_component": "contribution to risk", "coverage": "share of the gross weight that counts",
}  # fmt: skip


def _named(name: str, a: xr.DataArray) -> xr.DataArray:
    return a.assign_attrs(long_name=_NAMES[name], units="1") if name in _NAMES else a


def asset_covariance_product(
    exposures: xr.DataArray | xr.Dataset,
    factor_cov: xr.DataArray,
    specific_var: xr.DataArray,
    weights: xr.DataArray,
    *,
    groups: Groups | None = None,
    missing: Missing = "spread",
    dim: str = panel.ASSET,
) -> xr.DataArray:
    """Product of the assets' covariance matrix and weights: (X F X' + D) w.

    Each asset's covariance with the portfolio. The matrix itself is never formed.

    Parameters
    ----------
    exposures, factor_cov, specific_var, weights, groups, missing, dim
        As in `risk_decomposition`.

    Returns
    -------
    DataArray
        Covariances (date, asset), beside a dim of portfolios if the weights have one, decimal
        squared; missing for assets that lack an exposure or a specific variance.

    Raises
    ------
    PanelError
        If `missing` is unknown; if the factors of `exposures` (with `groups`) and `factor_cov`
        are not the same, one is named "specific", `factor_cov` has not the dims `factor` and
        `factor_2` with the same labels, or `weights` have a dim `factor` or more than one of
        portfolios; if `dim` is missing or cut into chunks, labels or chunks differ, or lazy
        `groups` have no ``flag_values``.
    TypeError
        If an array holds no numbers or is of another type, or `groups` hold no integers.

    References
    ----------
    Rosenberg, B. (1974). Extra-market components of covariance in security returns. Journal of
    Financial and Quantitative Analysis 9, 263-274.

    Grinold, R. and Kahn, R. (2000). Active Portfolio Management. McGraw-Hill, chapter 3.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> beta = xr.DataArray([[1.0], [0.5]], dims=("asset", "factor"), coords={"factor": ["market"]})
    >>> f = xr.DataArray([[0.04]], dims=("factor", "factor_2"), coords={"factor": ["market"]})
    >>> own = xr.DataArray([0.01, 0.03], dims="asset")
    >>> w = xr.DataArray([1.0, 0.0], dims="asset")
    >>> xf.asset_covariance_product(beta, f, own, w).values
    array([0.05, 0.02])
    """
    what = "asset_covariance_product"
    p = _problem(weights, exposures, factor_cov, specific_var, None, groups, missing, dim, what)
    kernel = partial(_risk.product_rows, plan=p.plan)
    (product,) = _apply.along(kernel, p.args, [_apply.Out((p.axis, dim), p.dtype)], what=what)
    return _inputs.squeezed(product).assign_attrs(long_name="covariance with the portfolio")


def portfolio_covariance(
    weights: xr.DataArray,
    exposures: xr.DataArray | xr.Dataset,
    factor_cov: xr.DataArray,
    specific_var: xr.DataArray,
    *,
    groups: Groups | None = None,
    missing: Missing = "spread",
    dim: str = panel.ASSET,
) -> xr.DataArray:
    """Covariances of portfolios with one another: W'(X F X' + D) W.

    Parameters
    ----------
    weights, exposures, factor_cov, specific_var, groups, missing, dim
        As in `risk_decomposition`. Without a dim of portfolios the result is the variance.

    Returns
    -------
    DataArray
        (date, portfolio, portfolio_2) if the dim of portfolios is named "portfolio"; decimal
        squared, symmetric. Missing for portfolios whose risk is.

    Raises
    ------
    PanelError
        If `missing` is unknown; if the factors of `exposures` (with `groups`) and `factor_cov`
        are not the same, one is named "specific", `factor_cov` has not the dims `factor` and
        `factor_2` with the same labels, or `weights` have a dim `factor` or more than one of
        portfolios; if `dim` is missing or cut into chunks, labels or chunks differ, or lazy
        `groups` have no ``flag_values``.
    TypeError
        If an array holds no numbers or is of another type, or `groups` hold no integers.

    References
    ----------
    Rosenberg, B. (1974). Extra-market components of covariance in security returns. Journal of
    Financial and Quantitative Analysis 9, 263-274.

    Grinold, R. and Kahn, R. (2000). Active Portfolio Management. McGraw-Hill, chapter 3.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> beta = xr.DataArray([[1.0], [0.5]], dims=("asset", "factor"), coords={"factor": ["market"]})
    >>> f = xr.DataArray([[0.04]], dims=("factor", "factor_2"), coords={"factor": ["market"]})
    >>> own = xr.DataArray([0.01, 0.03], dims="asset")
    >>> w = xr.DataArray([[1.0, 0.0], [0.0, 1.0]], dims=("portfolio", "asset"))
    >>> xf.portfolio_covariance(w, beta, f, own).round(6).values
    array([[0.05, 0.02],
           [0.02, 0.04]])
    """
    what = "portfolio_covariance"
    p = _problem(weights, exposures, factor_cov, specific_var, None, groups, missing, dim, what)
    second = f"{p.axis}_2"
    labels = p.args[0].data.indexes.get(p.axis, range(p.args[0].data.sizes[p.axis]))
    kernel = partial(_risk.cross_rows, plan=p.plan)
    out = _apply.Out((p.axis, second), p.dtype, {second: list(labels)})
    (covariance,) = _apply.along(kernel, p.args, [out], what=what)
    if p.single:
        covariance = _inputs.squeezed(covariance).isel({second: 0}, drop=True)
    return covariance.assign_attrs(long_name="covariance of portfolios")


@dataclass(frozen=True)
class _Problem:
    """Inputs of a kernel of risk, in its order."""

    args: list[_apply.Arg]
    plan: _risk.Plan
    factors: list[str]
    axis: str  # the dim of portfolios
    single: bool  # made up, because the weights have none

    @property
    def dtype(self) -> np.dtype:
        return self.args[0].data.dtype


def _problem(
    weights: xr.DataArray,
    exposures: xr.DataArray | xr.Dataset,
    factor_cov: xr.DataArray,
    specific_var: xr.DataArray,
    benchmark: xr.DataArray | None,
    groups: Groups | None,
    missing: str,
    dim: str,
    what: str,
) -> _Problem:
    panel.choice("missing", missing, _inputs.MISSING)
    weights = _inputs.checked_weights(weights, what, "weights", dim)
    factors = _inputs.factor_labels(factor_cov, what, "factor_cov")
    panel.one_array(specific_var, what, "specific_var")
    panel.check_dim(specific_var, dim, f"{what}, in specific_var,")
    for other, name in ((weights, "weights"), (factor_cov, "factor_cov")):
        panel.check_same_labels(specific_var, other, names=("specific_var", name))
    specific = panel.as_float(specific_var)
    x = _inputs.exposures(
        exposures, groups, specific, factors, dim=dim, what=what, beside="factor_cov"
    )
    for array in x.arrays:
        panel.check_same_labels(specific_var, array, names=("specific_var", "exposures"))
    covariance = _inputs.covariance_arg(factor_cov, what)
    further = [_apply.Arg(specific, (dim,), "specific_var"), covariance]
    if benchmark is not None:
        base = _inputs.checked_weights(benchmark, what, "benchmark", dim)
        further.append(_apply.Arg(base, (dim,), "benchmark"))
    beside = [*(a.data for a in further), *x.arrays]
    first, axis = _inputs.several(_apply.Arg(weights, (dim,)), beside, what, "weights")
    return _Problem(
        [first, *further, *x.args(dim)],
        _risk.Plan(x.columns, benchmark is not None, missing),
        factors,
        axis,
        axis not in weights.dims,
    )
