"""Regressions over trailing windows, one for each asset and date: rolling exposures."""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import column_lstsq
from xfactor.regression import _design


def rolling_ols(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    window: int,
    min_obs: int | None = None,
    intercept: bool = True,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Regress each asset on factor returns over the last `window` dates: rolling sensitivities.

    Parameters
    ----------
    y
        Returns (date, asset), or of one portfolio (date,). Any chunks along date.
    x
        Factor returns as in `time_series_ols`. Chunks along date as in `y`.
    window
        Number of dates, t included.
    min_obs
        Complete observations needed; by default the larger of window // 2 and one more than
        coefficients.
    intercept
        Estimate alpha.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``beta`` and ``stderr`` (date, asset, factor), ``alpha``, ``alpha_stderr``, ``rsquared``,
        ``n_obs`` (date, asset). Missing where fewer than `min_obs` dates of the window are
        complete or the factors are not independent in it; ``n_obs`` is kept.

    Notes
    -----
    The sums of a window are made from the parts of two date blocks and never by subtraction: no
    drift, no trace of an outlier that has left, and the same bits whatever the chunks.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=4, seed=1)
    >>> market = panel.market_returns.rename("market")
    >>> fit = xf.rolling_ols(panel.returns, market, window=100)
    >>> fit.beta.dims
    ('date', 'asset', 'factor')
    """
    what = "rolling_ols"
    panel.check_dim(y, dim, what)
    window, least = panel.window_options(window, min_obs)
    arrays, labels = _design.regressors(x, what, y)
    p = len(labels) + intercept
    if window < p:
        raise panel.error(
            f"window={window} was given with {p} coefficients", f"at least {p} dates", "Widen it"
        )
    if min_obs is None:
        least = min(max(window // 2, p + 1), window)
    y = _design.over_dims_of(panel.masked(y, where), arrays)
    kernel = partial(
        column_lstsq.rolling_lstsq,
        window=window,
        intercept=intercept,
        min_obs=_design.least_obs(least, p),
    )
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: labels})
    each = _apply.Out((), y.dtype)
    outs = [labelled, labelled, each, each, each, _apply.Out((), np.int32)]
    args = _design.arguments(y, arrays)
    results = _apply.window(kernel, args, outs, before=window - 1, dim=dim, what=what)
    names = ("beta", "stderr", "alpha", "alpha_stderr", "rsquared", "n_obs")
    fit = xr.Dataset(dict(zip(names, results, strict=True)), attrs={"window": window})
    return fit if intercept else fit.drop_vars(["alpha", "alpha_stderr"])
