"""Portfolios of given exposures."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import tracking as _tracking
from xfactor.regression._groups import Groups
from xfactor.risk import _inputs

REASONS = ("masked", "missing_exposure", "thin")


def tracking_portfolio(
    exposures: xr.DataArray | xr.Dataset,
    target: Mapping[str, float] | xr.DataArray,
    *,
    specific_var: xr.DataArray | None = None,
    budget: float | None = 1.0,
    groups: Groups | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Portfolio with given exposures to factors, of least specific risk.

    With as many assets as factors, and one more, there is one such portfolio.

    Parameters
    ----------
    exposures
        Exposures: a Dataset with one variable (date, asset) per factor, or a DataArray with a
        `factor` dim. One chunk along `dim`.
    target
        Exposure wanted to each of these factors: a mapping, or a DataArray (factor,), or (date,
        factor); a further dim gives several portfolios. An exposure of 1 to one factor and 0 to
        the others is a factor portfolio.
    specific_var
        Specific variances (date, asset): the weights have the least specific variance. Without
        them, the least sum of squares. An asset without a positive one is not held.
    budget
        Sum of the weights: 1, or 0 for a portfolio that finances itself; None leaves it free.
    groups
        Codes of groups, each a factor with an exposure of 1 for its members, as in
        `cross_sectional_ols`; `target` then has their labels too. Exposures to all groups that
        each asset has one of add up to the budget, so leave that free.
    dim
        Dimension of the assets.
    where
        Universe mask: assets outside it are not held.

    Returns
    -------
    xarray.Dataset
        ``weights`` (date, asset), shares of the capital, 0 for assets that are not held; missing on
        dates with fewer assets than requirements, or with requirements that are not independent (a
        factor on which all assets have the same exposure, beside a budget). By date ``n_obs``, the
        assets that may be held, and ``n_dropped`` (reason): "masked", outside the universe;
        "missing_exposure", with some of the exposures; "thin", without a specific variance.

    Raises
    ------
    PanelError
        If the factors of `exposures` (with `groups`) and `target` are not the same, one is
        named "specific", `budget` or an exposure of `target` is no number, or `target` has more
        than one dim of portfolios; if `dim` is missing or cut into chunks, labels or chunks
        differ, or lazy `groups` have no ``flag_values``.
    TypeError
        If an array holds no numbers or is of another type, `groups` hold no integers, or
        `where` is not bool.

    Notes
    -----
    The shortest v with A v = c, v the weights times the specific deviation: v = A'l with A A'l = c,
    rows of A scaled to length 1. What rounding leaves of c - A v is solved for twice more.
    Requirements are not independent where A A' has an eigenvalue below 1e-12 of its largest.
    Weights at t use what is known at t: `portfolio_returns` lags them.

    References
    ----------
    Grinold, R. and Kahn, R. (2000). Active Portfolio Management. McGraw-Hill, chapter 2, technical
    appendix: characteristic portfolios.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray(
    ...     [[0.7, 1.1], [0.1, 0.5], [1.5, 1.3]], dims=("asset", "factor"),
    ...     coords={"factor": ["market", "size"]})
    >>> w = xf.tracking_portfolio(x, {"market": 1.0, "size": 1.1}).weights
    >>> w.round(6).values
    array([0.333333, 0.166667, 0.5     ])
    """
    what = "tracking_portfolio"
    if isinstance(target, Mapping):
        values = [panel.number(f"target[{k!r}]", v) for k, v in target.items()]
        target = xr.DataArray(
            np.array(values, dtype=np.float64), dims=panel.FACTOR,
            coords={panel.FACTOR: list(map(str, target))},
        )  # fmt: skip
    labels = _inputs.factor_labels(target, what, "target")
    if budget is not None:
        budget = panel.number("budget", budget)
    like = _like(exposures, what)
    panel.check_dim(like, dim, what)
    x = _inputs.exposures(exposures, groups, like, labels, dim=dim, what=what, beside="target")
    beside = {"where": where, "specific": specific_var}
    if where is not None:
        panel.check_mask(like, where, "where")
    if specific_var is not None:
        panel.check_numbers(like, specific_var, "specific_var")
        beside["specific"] = panel.as_float(specific_var)
    given = {
        k: _inputs.spread(panel.bare(like, a), like, dim)
        for k, a in beside.items()
        if a is not None
    }
    further = [_apply.Arg(a, (dim,)) for a in given.values()]
    wanted, axis = _inputs.several(
        _inputs.factor_values(target), [a.data for a in further] + x.arrays, what, "target"
    )
    kernel = partial(
        _tracking.tracking_rows, columns=x.columns, given=tuple(given), budget=budget,
        n_assets=like.sizes[dim],
    )  # fmt: skip
    count = _apply.Out((), np.int32)
    outs = [_apply.Out((axis, dim), wanted.data.dtype), count]
    outs.append(_apply.Out(("reason",), np.int32, {"reason": REASONS}))
    w, n_obs, lost = _apply.along(kernel, [wanted, *further, *x.args(dim)], outs, what=what)
    w = _inputs.squeezed(w).assign_attrs(long_name="portfolio weight", units="1")
    return xr.Dataset({"weights": w, "n_obs": n_obs, "n_dropped": lost})


def _like(x: xr.DataArray | xr.Dataset, what: str) -> xr.DataArray:
    """One exposure, for what goes beside it: the one of most dims."""
    if isinstance(x, xr.Dataset):
        if not x.data_vars:
            found = f"{what} found no variable in exposures"
            raise panel.error(found, "one for each factor", "Put variables into it")
        return max(x.data_vars.values(), key=lambda v: v.ndim)
    if isinstance(x, xr.DataArray):
        return x.isel({panel.FACTOR: 0}, drop=True) if panel.FACTOR in x.dims else x
    raise TypeError(f"{what} takes exposures as Dataset or DataArray; found {type(x).__name__}.")
