"""Regressions over trailing windows, one for each asset and date: rolling exposures."""

from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, _scan, panel
from xfactor.kernels import column_lstsq, rotations
from xfactor.regression import _design


def rolling_ols(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    window: int | None = None,
    expanding: bool = False,
    halflife: float | None = None,
    se: Literal["ols"] | None = "ols",
    min_obs: int | None = None,
    intercept: bool = True,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Regress each asset on factor returns up to each date: rolling sensitivities.

    The regression of t is over the last `window` dates, or over all dates so far (`expanding`);
    with `halflife` newer dates count for more.

    Parameters
    ----------
    y
        Returns (date, asset), or of one portfolio (date,). Any chunks along date.
    x
        Factor returns as in `time_series_ols`. Chunks along date as in `y`.
    window
        Number of dates, t included. Give either this or `expanding`.
    expanding
        Take all dates so far. Blocks of dates then wait for one another.
    halflife
        Dates after which an observation counts half: weighted least squares with the weights
        0.5^(age / halflife). All count alike if not given.
    se
        Standard errors: classical ones, or None to leave them out, which saves a fifth of the
        time and four of the ten results of three factors.
    min_obs
        Complete observations needed; by default one more than coefficients, in a window at least
        half of its dates.
    intercept
        Estimate alpha.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    xarray.Dataset
        ``beta`` and ``stderr`` (date, asset, factor), ``alpha`` and ``alpha_stderr``, in the units
        of `y`, ``rsquared``, ``n_obs`` (date, asset). Missing where fewer than `min_obs` dates of
        the window are complete or the factors are not independent in it; ``n_obs``, the count
        whatever the weights, is kept.

    Raises
    ------
    PanelError
        If both or neither of `window` and `expanding` are given, `window` has fewer dates than
        there are coefficients or than `min_obs`, `halflife` is not above 0, or `se` is unknown;
        if `dim` is missing, dates are not in order, `x` has no variable, two of one name or one
        named "intercept", `y` has a dim `factor`, or labels or chunks differ.
    TypeError
        If `y` or `x` holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    The sums of a window are made from the parts of two date blocks and never by subtraction: no
    drift, no trace of an outlier that has left, and the same bits whatever the chunks. With
    `halflife` or `expanding` the parts are triangles of a QR factorisation, to which observations
    are added by plane rotations (Givens 1958). A window of faded weights takes about three
    times as long as a plain one, and factors on a level far above their variation lose digits:
    the level over the variation times 1e-16.

    References
    ----------
    Givens, W. (1958). Computation of plane unitary rotations transforming a general matrix to
    triangular form. Journal of the Society for Industrial and Applied Mathematics 6, 26-50.

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
    panel.one_array(y, what, "y")
    panel.check_dim(y, dim, what)
    if se is not None:
        panel.choice("se", se, ("ols",))
    intercept = panel.flag("intercept", intercept)
    arrays, labels = _design.regressors(x, what, y, dim)
    p = len(labels) + intercept
    window, least = _reach(window, panel.flag("expanding", expanding), min_obs, p)
    attrs: dict[str, Any] = {"window": window or 0, "expanding": int(expanding)}
    decay = None if halflife is None else _decay(halflife)
    y = _design.over_dims_of(panel.masked(y, where), arrays)
    labelled = _apply.Out((panel.FACTOR,), y.dtype, {panel.FACTOR: labels})
    each, count = _apply.Out((), y.dtype), _apply.Out((), np.int32)
    outs = {"beta": labelled, "stderr": labelled, "alpha": each, "alpha_stderr": each,
            "rsquared": each, "n_obs": count}  # fmt: skip
    if se is None:
        outs = {name: out for name, out in outs.items() if "stderr" not in name}
    args = _design.arguments(y, arrays)
    options: dict[str, Any] = {"intercept": intercept, "min_obs": least, "errors": se is not None}
    if window is None:
        options["decay"] = 1.0 if decay is None else decay
        grow = partial(rotations.growing_lstsq, **options)
        results = _scan.scan(grow, args, list(outs.values()), dim=dim, what=what)
    else:
        window = min(window, max(y.sizes[dim], 1))  # a longer one takes all there is
        rows: _apply.Kernel = column_lstsq.rolling_lstsq
        if decay is not None:
            rows, options["decay"] = rotations.fading_lstsq, decay
        kernel = partial(rows, window=window, **options)
        results = _apply.window(
            kernel, args, list(outs.values()), before=window - 1, dim=dim, what=what
        )
    attrs |= {} if halflife is None else {"halflife": float(halflife)}
    fit = xr.Dataset(dict(zip(outs, results, strict=True)), attrs=attrs)
    return fit if intercept else fit.drop_vars(["alpha", "alpha_stderr"], errors="ignore")


def _reach(
    window: int | None, expanding: bool, min_obs: int | None, p: int
) -> tuple[int | None, int]:
    """The window, None for all dates so far, and the observations needed."""
    if (window is None) != bool(expanding):
        raise panel.error(
            f"window={window!r} and expanding={expanding!r} were given",
            "one of them",
            "Use e.g. window=100, or expanding=True",
        )
    if window is None:
        return None, _design.least_obs(min_obs, p)
    window, least = panel.window_options(window, min_obs)
    if window < p:
        raise panel.error(
            f"window={window} was given with {p} coefficients", f"at least {p} dates", "Widen it"
        )
    if min_obs is None:
        least = min(max(window // 2, p + 1), window)
    return window, _design.least_obs(least, p)


def _decay(halflife: float) -> float:
    """What a weight is multiplied by from one date to the next."""
    dates = panel.number("halflife", halflife)
    if not dates > 0:
        raise panel.error(f"halflife={halflife!r} was given", "a number above 0", "Use e.g. 60")
    return float(0.5 ** (1.0 / dates))
