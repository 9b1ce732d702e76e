"""Regressions through time, one for each asset: exposures from factor returns."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import column_lstsq, hac
from xfactor.regression import _design

STDERR = ("newey_west", "white", "ols")
_ROW, _COLUMN = "coefficient_", "other_coefficient_"  # dims of matrices, away from the user's


def time_series_ols(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    intercept: bool = True,
    se: Literal["newey_west", "white", "ols"] = "newey_west",
    lags: int | None = None,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Regress the whole history of each asset on factor returns: static sensitivities.

    y[t, a] = alpha[a] + sum_k beta[a, k] x[t, k] + e[t, a], over all dates at which y and all x
    are known.

    Parameters
    ----------
    y
        Returns (date, asset), or of one portfolio (date,). Any chunks along date.
    x
        Factor returns: a Dataset of variables, or a DataArray with a `factor` dim; common to all
        assets (date,) or each asset's own (date, asset). Chunks along date as in `y`.
    intercept
        Estimate alpha.
    se
        Standard errors: ``"newey_west"`` for errors that are heteroskedastic and autocorrelated,
        ``"white"`` for heteroskedastic ones, ``"ols"`` for neither. The first two look at the
        data a second time.
    lags
        Lags of Newey-West; by default floor(4 (T / 100)^(2/9)), T the number of dates.
    min_obs
        Dates needed; by default one more than coefficients.
    dim
        Dimension to regress along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``beta``, ``stderr``, ``tvalue`` (asset, factor); ``alpha``, ``alpha_stderr``,
        ``alpha_tvalue``, ``rsquared``, ``rsquared_adjusted``, ``n_obs`` (asset,); ``residual``
        (date, asset), always lazy. Missing where there are fewer than `min_obs` observations or
        the regressors are not independent; ``n_obs`` is kept.

    Notes
    -----
    One pass over the panel sums centred products, combined by date block. Robust errors are
    multiplied by sqrt(n / (n - p)). Missing dates keep their place: the product of two scores
    enters at their true distance in time, a missing score counts as 0 (statsmodels closes gaps).

    References
    ----------
    Newey, W. and West, K. (1987). A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix. Econometrica 55, 703-708.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=4, seed=1)
    >>> fit = xf.time_series_ols(panel.returns, panel.market_returns.rename("market"))
    >>> fit.beta.dims
    ('asset', 'factor')
    """
    what = "time_series_ols"
    panel.choice("se", se, STDERR)
    if lags is not None and se != "newey_west":
        raise panel.error(f"lags={lags} was given with se={se!r}", "no lags", "Leave lags out")
    panel.check_dim(y, dim, what)
    arrays, labels = _design.regressors(x, what, y)
    y = _design.over_dims_of(panel.masked(y, where), arrays)
    return _history(y, arrays, labels, intercept, se, lags, min_obs, dim, what)


def newey_west(
    x: xr.DataArray | xr.Dataset, *, lags: int | None = None, dim: str = panel.DATE
) -> xr.Dataset:
    """Mean of a series with its Newey-West standard error and t: Fama-MacBeth's second step.

    Parameters
    ----------
    x
        Series (date,), or many (date, factor), e.g. factor returns; a Dataset of series is taken
        as one array with a `factor` dim.
    lags
        Lags of the Bartlett kernel; by default floor(4 (T / 100)^(2/9)), T the number of dates;
        0 gives the plain standard error of a mean.
    dim
        Dimension to average along.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``stderr``, ``tvalue``, ``n_obs`` without `dim`. Missing values are left out.

    References
    ----------
    Newey, W. and West, K. (1987). Econometrica 55, 703-708; lags after Newey and West (1994).

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([0.0, 2.0, 0.0, 2.0], dims="date")
    >>> fit = xf.newey_west(x, lags=0)
    >>> float(fit["mean"]), round(float(fit.stderr), 6)
    (1.0, 0.57735)
    """
    if isinstance(x, xr.Dataset):
        x = x.to_dataarray(panel.FACTOR)
    panel.one_array(x, "newey_west")
    panel.check_dim(x, dim, "newey_west")
    aside = {panel.FACTOR: "series_"} if panel.FACTOR in x.dims else {}
    x = panel.as_float(x).rename(aside)  # here "factor" is not what is regressed on
    fit = _history(x, [], [], True, "newey_west", lags, 1, dim, "newey_west")
    names = {"alpha": "mean", "alpha_stderr": "stderr", "alpha_tvalue": "tvalue"}
    back = {new: old for old, new in aside.items()}
    keep = fit[[*names, "n_obs"]].drop_dims(panel.FACTOR, errors="ignore")
    return keep.rename(names | back).assign_attrs(fit.attrs)


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
    window = panel.positive("window", window)
    arrays, labels = _design.regressors(x, what, y)
    p = len(labels) + intercept
    if window < p:
        raise panel.error(
            f"window={window} was given with {p} coefficients", f"at least {p} dates", "Widen it"
        )
    if min_obs is None:
        min_obs = min(max(window // 2, p + 1), window)
    y = _design.over_dims_of(panel.masked(y, where), arrays)
    kernel = partial(
        column_lstsq.rolling_lstsq,
        window=window,
        intercept=intercept,
        min_obs=_design.least_obs(min_obs, p),
    )
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: labels})
    each = _apply.Out((), y.dtype)
    outs = [labelled, labelled, each, each, each, _apply.Out((), np.int32)]
    args = _arguments(y, arrays)
    results = _apply.window(kernel, args, outs, before=window - 1, dim=dim, what=what)
    names = ("beta", "stderr", "alpha", "alpha_stderr", "rsquared", "n_obs")
    fit = xr.Dataset(dict(zip(names, results, strict=True)), attrs={"window": window})
    return fit if intercept else fit.drop_vars(["alpha", "alpha_stderr"])


def default_lags(n_dates: int) -> int:
    """Return floor(4 (T / 100)^(2/9)), the usual number of Newey-West lags.

    Parameters
    ----------
    n_dates
        T, the length of the series.

    Returns
    -------
    int
        Lags.
    """
    return int(4 * (n_dates / 100) ** (2 / 9))


def _arguments(y: xr.DataArray, arrays: Sequence[xr.DataArray]) -> list[_apply.Arg]:
    """Every regressor with a factor axis, so that the kernel can tell common from own ones."""
    wide = [
        a.drop_vars(panel.FACTOR, errors="ignore")
        if panel.FACTOR in a.dims
        else a.expand_dims(panel.FACTOR)
        for a in arrays
    ]
    return [_apply.Arg(y), *[_apply.Arg(a, (panel.FACTOR,)) for a in wide]]


def _history(
    y: xr.DataArray,
    arrays: list[xr.DataArray],
    labels: list[str],
    intercept: bool,
    se: str,
    lags: int | None,
    min_obs: int | None,
    dim: str,
    what: str,
) -> xr.Dataset:
    """Estimate by one pass of summed products; a second pass if the errors are robust."""
    p = len(labels) + intercept
    least = _design.least_obs(min_obs, p)
    finalise = partial(_finalise, intercept=intercept, min_obs=least, dtype=y.dtype)
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: labels})
    each = _apply.Out((), y.dtype)
    means = _apply.Out((_ROW,), np.float64, {_ROW: labels})
    square = _apply.Out((_ROW, _COLUMN), np.float64, {_ROW: labels, _COLUMN: labels})
    outs = [labelled, labelled, each, each, each, _apply.Out((), np.int32), means, square]
    beta, stderr, alpha, alpha_stderr, rsquared, n_obs, x_mean, inverse = _apply.reduce(
        column_lstsq.history_sums, column_lstsq.merge_history, finalise, _arguments(y, arrays),
        outs, dim=dim, what=what,
    )  # fmt: skip
    residual = _design.residual(y, arrays, beta, alpha if intercept else None)
    attrs: dict[str, Any] = {"se": se}
    if se != "ols":
        attrs["lags"] = 0 if se == "white" else _lags(lags, y.sizes[dim])
        lazy = any(a.chunks is not None for a in (y, *arrays))
        e = residual if lazy else residual.compute(scheduler="threads")
        second = [x_mean, inverse, n_obs]
        errors = _robust_errors(e, arrays, second, intercept, attrs["lags"], dim, what)
        errors = errors.where(stderr.notnull().all(panel.FACTOR)).astype(y.dtype)
        start = 1 if intercept else 0
        stderr = errors.isel(error=slice(start, None)).rename(error=panel.FACTOR)
        if intercept:
            alpha_stderr = errors.isel(error=0, drop=True)
    fit = {
        "beta": beta,
        "stderr": stderr,
        "tvalue": _design.tvalue(beta, stderr),
        "rsquared": rsquared,
        "rsquared_adjusted": 1 - (1 - rsquared) * (n_obs - int(intercept)) / (n_obs - p),
        "n_obs": n_obs,
        "residual": residual,
    }
    if intercept:
        t = _design.tvalue(alpha, alpha_stderr)
        fit |= {"alpha": alpha, "alpha_stderr": alpha_stderr, "alpha_tvalue": t}
    return xr.Dataset(fit, attrs=attrs)


def _lags(lags: int | None, n_dates: int) -> int:
    return default_lags(n_dates) if lags is None else panel.positive("lags", lags, 0)


def _finalise(total: Any, *, intercept: bool, min_obs: int, dtype: Any) -> tuple[np.ndarray, ...]:
    fit = column_lstsq.solve_history(total, intercept=intercept, min_obs=min_obs, dtype=dtype)
    solved = np.asarray(np.isfinite(fit[0]).all(axis=0))
    return (*fit, total[0][:-2], hac.inverse_products(total, intercept, solved))


def _robust_errors(
    e: xr.DataArray,
    arrays: list[xr.DataArray],
    first_pass: list[xr.DataArray],
    intercept: bool,
    lags: int,
    dim: str,
    what: str,
) -> xr.DataArray:
    """Standard errors (asset, error) by the sandwich of summed scores."""
    x_mean, inverse, n_obs = first_pass
    args = _arguments(e, arrays)
    if intercept:
        args = [args[0], *_centred(args[1:], x_mean)]
    labels = [*([_design.INTERCEPT] if intercept else []), *x_mean[_ROW].values]
    meat_out = _apply.Out((_ROW, _COLUMN), np.float64, {_ROW: labels, _COLUMN: labels})
    kernel = partial(hac.score_sums, intercept=intercept, lags=lags)
    (meat,) = _apply.reduce(
        kernel, hac.add_scores, _only, args, [meat_out], before=lags, dim=dim, what=what
    )
    meat = meat.rename({_ROW: "score", _COLUMN: "other_score"})
    args = [
        _apply.Arg(inverse, (_ROW, _COLUMN)),
        _apply.Arg(x_mean.rename({_ROW: "mean"}), ("mean",)),
        _apply.Arg(meat, ("score", "other_score")),
        _apply.Arg(n_obs),
    ]
    out = _apply.Out(("error",), np.float64, {"error": labels})
    bare = [_apply.Arg(a.data.drop_vars(a.core, errors="ignore"), a.core) for a in args]
    return _apply.along(partial(hac.sandwich_rows, intercept=intercept), bare, [out], what=what)[0]


def _centred(args: Sequence[_apply.Arg], x_mean: xr.DataArray) -> list[_apply.Arg]:
    """Regressors less each asset's own mean of them."""
    mean = x_mean.rename({_ROW: panel.FACTOR}).drop_vars(panel.FACTOR, errors="ignore")
    centred, at = [], 0
    for arg in args:
        k = arg.data.sizes[panel.FACTOR]
        own = mean.isel({panel.FACTOR: slice(at, at + k)})
        centred.append(_apply.Arg(arg.data - own, arg.core))
        at += k
    return centred


def _only(total: tuple[np.ndarray]) -> np.ndarray:
    return total[0]
