"""The portfolios whose returns are the factor returns of a regression across assets."""

from functools import partial
from typing import Literal

import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import row_lstsq
from xfactor.regression import _rows
from xfactor.regression._groups import Groups


def mimicking_portfolios(
    x: xr.DataArray | xr.Dataset,
    *,
    returns: xr.DataArray | None = None,
    weights: xr.DataArray | None = None,
    groups: Groups | None = None,
    market_cap: xr.DataArray | None = None,
    constraint: Literal["weighted", "unweighted", "drop_first"] = "weighted",
    intercept: bool = True,
    ridge: float = 0.0,
    lag: int = 1,
    min_obs: int | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.DataArray:
    """Portfolios that earn the factor returns of `cross_sectional_ols`.

    A least-squares coefficient is a sum of returns times weights that depend on exposures only:
    those of a portfolio. Without a ridge that of an exposure has an exposure of 1 to its own, 0 to
    all others and to every group; with an intercept its weights sum to zero.

    Parameters
    ----------
    x
        Exposures, as in `cross_sectional_ols`.
    returns
        Returns (date, asset): assets without one do not enter, as in the regression. Without
        them every asset with exposures enters, as when the portfolio is formed.
    weights, groups, market_cap, constraint, intercept, ridge
        As in `cross_sectional_ols`.
    lag
        As in `cross_sectional_ols`: the weights at t are those that earn the return at t. Those
        to be held from the end of t on come with 0.
    min_obs, dim, where
        As in `cross_sectional_ols`.

    Returns
    -------
    DataArray
        Weights (date, factor, asset) with ``(portfolios * y).sum("asset")`` the factor returns.
        0 for assets that do not enter; missing on dates that have no factor returns, and for
        groups without assets.

    Raises
    ------
    PanelError
        For any of the reasons of `cross_sectional_ols`, as far as its options are here.
    TypeError
        If an array holds no numbers or is of another type, `groups` hold no integers, or
        `where` is not bool.

    Notes
    -----
    The result has as many panels as there are factors, so keep it lazy.

    References
    ----------
    Fama, E. (1976). Foundations of Finance. Basic Books, chapter 9.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=30, assets=80, seed=1)
    >>> size = xf.standardize(panel.market_cap).rename("size")
    >>> portfolios = xf.mimicking_portfolios(size, lag=0)
    >>> portfolios.sel(factor="size").sum("asset").round(9).values[-1].item()
    0.0
    """
    what = "mimicking_portfolios"
    lag = panel.positive("lag", lag, 0)
    if returns is not None:
        panel.one_array(returns, what, "returns")
    like = _like(x, what) if returns is None else returns
    panel.check_dim(like, dim, what)
    if where is not None:
        panel.check_mask(like, where, "where")
    design = _rows.design(
        like, x, weights=weights, groups=groups, market_cap=market_cap, constraint=constraint,
        intercept=intercept, ridge=ridge, lag=lag, min_obs=min_obs, dim=dim, what=what,
    )  # fmt: skip
    args = design.args(dim)
    where = None if where is None else _rows.back(where, lag)
    if returns is not None:
        args = [_apply.Arg(panel.masked(returns, where), (dim,), "returns"), *args]
    elif where is not None:
        args[0] = _apply.Arg(panel.masked(args[0].data, where), args[0].core)
    kernel = partial(row_lstsq.portfolio_rows, model=design.model, valued=returns is not None)
    out = _apply.Out((panel.FACTOR, dim), args[0].data.dtype, {panel.FACTOR: design.factors})
    (portfolios,) = _apply.along(kernel, args, [out], what=what)
    return portfolios.rename("portfolio").assign_attrs(long_name="portfolio weight", units="1")


def _like(x: xr.DataArray | xr.Dataset, what: str) -> xr.DataArray:
    """One exposure, for what goes beside it."""
    if isinstance(x, xr.Dataset):
        if not x.data_vars:
            raise panel.error(f"{what} found no regressor", "at least one", "Put variables into x")
        return next(iter(x.data_vars.values()))
    if not isinstance(x, xr.DataArray):
        raise TypeError(f"{what} takes exposures as Dataset or DataArray; {type(x).__name__}.")
    return x.isel({panel.FACTOR: 0}, drop=True) if panel.FACTOR in x.dims else x
