"""Regressions across assets, one for each date: factor returns from exposures."""

from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import row_lstsq, row_robust
from xfactor.regression import _design, _rows
from xfactor.regression._groups import Groups
from xfactor.regression.robust import Huber

STDERR = ("ols", "white")
METHODS = ("joint", "two_stage")
_COEFFICIENT = "coefficient_"  # a dim away from the user's


def cross_sectional_ols(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    weights: xr.DataArray | None = None,
    groups: Groups | None = None,
    market_cap: xr.DataArray | None = None,
    constraint: Literal["weighted", "unweighted", "drop_first"] = "weighted",
    method: Literal["joint", "two_stage"] = "joint",
    intercept: bool = True,
    se: Literal["ols", "white"] = "ols",
    robust: Huber | None = None,
    ridge: float = 0.0,
    lag: int = 1,
    min_obs: int | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Regress the returns of each date on the exposures of the assets: factor returns.

    On each date t, y[a, t] = f0[t] + sum_k x[a, k, t - lag] f_k[t] + sum_g f_g[t] + e[a, t], the
    last sum over the groups that a is in, is solved for the factor returns f by (weighted) least
    squares over the assets a.

    Parameters
    ----------
    y
        Returns (date, asset), decimal, each over (t-1, t]. One chunk along `dim`.
    x
        Exposures: a Dataset with one variable (date, asset) per factor, or a DataArray with a
        `factor` dim. Chunks along date as in `y`.
    weights
        Weights of the squared errors (date, asset), see `regression_weights`; an asset without a
        positive weight does not enter.
    groups
        Integer codes (date, asset) or (asset,), -1 for none: each group is a factor, an asset of
        no group does not enter. Several sets, a country and an industry, as a Dataset or mapping.
        A group is named by its code, or by ``flag_meanings`` if the codes have the attributes
        ``flag_values`` and ``flag_meanings``; several sets prefix their names ("country:3").
        Lazy codes need ``flag_values``; a code that is not among these is no group.
    market_cap
        Weights (date, asset) of the groups in the ``"weighted"`` constraint; what is missing or
        not positive counts as 0. By default `weights`, else every asset counts the same.
    constraint
        With an intercept the returns of the groups are known up to a constant. That of each set
        is fixed by a weighted mean of its groups' returns that is zero: by their assets' market
        caps (``"weighted"``: the intercept then is the return of the market), by equal weights of
        the groups (``"unweighted"``), or by a return of zero of the first group with assets
        (``"drop_first"``). Without an intercept the first set needs no constraint.
    method
        ``"joint"``, or ``"two_stage"``: y on intercept and groups, then what is left on the
        exposures, without an intercept. **Not the joint estimate** unless exposures have a mean
        of zero in every group: what groups and exposures have in common goes to the groups.
    intercept
        Add a constant exposure: the factor named "intercept".
    se
        Standard errors: the classical ones (``"ols"``: equal variance after weighting), or those
        for heteroskedastic errors (``"white"``, HC1: multiplied by sqrt(n / (n - p))).
    robust
        ``Huber()``: weights that bound the influence of outliers, found by iteration. The errors
        are Huber's, ``rsquared`` is that of the original weights.
    ridge
        Penalty on the exposures' returns: `ridge` times each exposure's own sum of (weighted)
        squares about its mean, within the groups, is added to its sum of squares. So 0.1 means
        the same for all exposures. Intercept and groups are free. (In two stages: its own sum of
        squares about zero.)
    lag
        Dates by which exposures, weights, groups and `where` are moved back, so that they were
        known when the return began. 0 regresses on exposures of the same date, as the lecture
        does: **that looks ahead** wherever the exposure is computed from that date's price.
    min_obs
        Assets needed on a date; by default one more than coefficients.
    dim
        Dimension to regress along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``factor_return`` and ``stderr``, decimal, and ``tvalue`` (date, factor): the intercept, the
        exposures, the groups; ``rsquared``, ``n_obs`` and ``condition`` (date,), and ``residual``
        (date, asset): the specific returns, always lazy. An asset with any value missing does not
        enter; a date with fewer than `min_obs` assets, or with exposures that are not independent
        within the groups, is missing and keeps its ``n_obs``. A group without assets on a date is
        missing there; on a date on which no group has a positive market cap the constraint says
        nothing, and intercept, groups and residuals are missing. An asset without weight has a
        residual, though it did not enter. ``condition`` is the condition number of the exposures as
        solved: weighted, less their means (within groups), and scaled; infinite where they are
        dependent.

    Raises
    ------
    PanelError
        If an option is unknown, `ridge` is negative, or `lag` or `min_obs` is no whole number
        (from 0 and 1); if `x` has no variable, two of one name or one named "intercept", `y`
        has a dim `factor`, a regressor and a group have one name, or lazy `groups` have no
        ``flag_values``; if `dim` is missing or cut into chunks, labels or chunks differ, or
        dates are not in order (with a lag); if options do not go together: `market_cap` without
        a constraint to use it, ``method="two_stage"`` without `groups`, or `robust` with `se`,
        `ridge` or `method`.
    TypeError
        If an array holds no numbers or is of another type, `groups` hold no integers, `where`
        is not bool, or `robust` is no `Huber`.

    Notes
    -----
    Groups are not dummies: exposures and returns are taken as deviations from group means (Frisch,
    Waugh and Lovell), which give the same slopes under every constraint; group returns follow from
    the means. Several sets are projected out by small equations for each date; sets that have too
    few assets in common to be told apart make the date missing. Errors of group returns are those
    of the constrained estimate. Deviations are solved by Cholesky; dates on which less than 1e-6 of
    an exposure's variance is left beside the others are solved again by an orthogonalisation of
    the data itself. Errors under a ridge leave out its bias; those of the two stages take each
    stage as if it were the only one.

    References
    ----------
    Fama, E. and MacBeth, J. (1973). Risk, return, and equilibrium. Journal of Political Economy 81,
    607-636.

    Heston, S. and Rouwenhorst, K. (1994). Does industrial structure explain the benefits of
    international diversification? Journal of Financial Economics 36, 3-27, equation 4.

    Huber, P. (1981). Robust Statistics. Wiley, sections 7.6 and 7.8.

    Lovell, M. (1963). Seasonal adjustment of economic time series and multiple regression analysis.
    Journal of the American Statistical Association 58, 993-1010.

    White, H. (1980). A heteroskedasticity-consistent covariance matrix estimator. Econometrica 48,
    817-838.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=80, seed=1)
    >>> size = xf.standardize(panel.market_cap).rename("size")
    >>> result = xf.cross_sectional_ols(panel.returns, size)
    >>> [str(name) for name in result.factor.values]
    ['intercept', 'size']
    >>> result = xf.cross_sectional_ols(panel.returns, size, groups=panel.sector)
    >>> [str(name) for name in result.factor.values[:4]]
    ['intercept', 'size', 'energy', 'materials']
    """
    what = "cross_sectional_ols"
    panel.one_array(y, what, "y")
    panel.check_dim(y, dim, what)
    kernel = _estimator(se, robust, method, groups is not None, ridge)
    lag = panel.positive("lag", lag, 0)
    design = _rows.design(
        y, x, weights=weights, groups=groups, market_cap=market_cap, constraint=constraint,
        intercept=intercept, ridge=ridge, lag=lag, min_obs=min_obs, dim=dim, what=what,
        white=se == "white",
    )  # fmt: skip
    if where is not None:
        panel.check_mask(y, where, "where")
        where = _rows.back(where, lag)
    y = panel.masked(y, where)
    found = _fit(y, design, kernel, dim, what)
    attrs: dict[str, Any] = {"lag": lag, "weighted": int(weights is not None), "se": se}
    attrs |= {"constraint": constraint, "method": method} if groups is not None else {}
    attrs |= {} if robust is None else {"robust": f"Huber(k={robust.k})", "se": "huber"}
    f = found["factor_return"]
    found["tvalue"] = _design.tvalue(f, found["stderr"])
    found["residual"] = _residual(y, f, design, dim, what)
    names = ("factor_return", "stderr", "tvalue", "rsquared", "n_obs", "condition", "residual")
    return xr.Dataset({n: found[n] for n in names}, attrs=attrs)


def estimates(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    weights: xr.DataArray | None,
    intercept: bool,
    min_obs: int | None,
    dim: str,
    what: str,
) -> dict[str, xr.DataArray]:
    """Factor returns of `cross_sectional_ols`, R2 and counts, of exposures of the same date: no
    residual, no t-values, for what is never computed takes time to describe.
    """  # noqa: D205
    design = _rows.design(
        y, x, weights=weights, groups=None, market_cap=None, constraint="weighted",
        intercept=intercept, ridge=0.0, lag=0, min_obs=min_obs, dim=dim, what=what,
    )  # fmt: skip
    return _fit(y, design, row_lstsq.fit_rows, dim, what)


def _fit(
    y: xr.DataArray, design: _rows.Design, kernel: _apply.Kernel, dim: str, what: str
) -> dict[str, xr.DataArray]:
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: design.factors})
    each, count = _apply.Out((), y.dtype), _apply.Out((), np.int32)
    f, stderr, rsquared, n_obs, condition = _apply.along(
        partial(kernel, model=design.model), [_apply.Arg(y, (dim,), "y"), *design.args(dim)],
        [labelled, labelled, each, count, each], what=what,
    )  # fmt: skip
    return {
        "factor_return": f.assign_attrs(long_name="factor return", units="decimal"),
        "stderr": stderr.assign_attrs(long_name="standard error"),
        "rsquared": rsquared,
        "n_obs": n_obs,
        "condition": condition.assign_attrs(long_name="condition number", units="1"),
    }


def _estimator(
    se: str, robust: Huber | None, method: str, grouped: bool, ridge: float
) -> _apply.Kernel:
    """Kernel of the estimate; combinations that are not one are refused."""
    panel.choice("se", se, STDERR)
    panel.choice("method", method, METHODS)
    if method == "two_stage" and not grouped:
        raise panel.error(
            "method='two_stage' was given without groups", "groups", "Use method='joint'"
        )
    if robust is None:
        return row_robust.two_stage_rows if method == "two_stage" else row_lstsq.fit_rows
    if not isinstance(robust, Huber):
        raise TypeError(f"robust takes Huber() or None; found {type(robust).__name__}.")
    if se != "ols" or ridge or method != "joint":
        raise panel.error(
            f"robust was given with se={se!r}, ridge={ridge!r} and method={method!r}",
            "the default of each",
            "Leave these out: Huber's estimate has errors of its own",
        )
    return partial(
        row_robust.huber_rows,
        k=robust.k,
        tolerance=robust.tolerance,
        max_iterations=robust.max_iterations,
    )


def _residual(
    y: xr.DataArray, f: xr.DataArray, design: _rows.Design, dim: str, what: str
) -> xr.DataArray:
    """Specific returns: y less what intercept, exposures and groups explain; always lazy."""
    f = f.drop_vars(panel.FACTOR).rename({panel.FACTOR: _COEFFICIENT})
    args = [_apply.Arg(y, (dim,)), _apply.Arg(f, (_COEFFICIENT,)), *design.explaining(dim)]
    if all(a.data.chunks is None for a in args):
        args = [_apply.Arg(_design.lazy(a.data), a.core) for a in args]
    kernel = partial(row_lstsq.residual_rows, model=design.model)
    (e,) = _apply.along(kernel, args, [_apply.Out((dim,), y.dtype)], what=what)
    return e.transpose(*y.dims, ...).assign_attrs(long_name="residual", **_design.units(y))
