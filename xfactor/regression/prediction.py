"""Expected returns from the premia that past regressions have paid."""

import numpy as np
import xarray as xr

from xfactor import panel, time_series
from xfactor.regression import _design
from xfactor.regression.cross_sectional import cross_sectional_ols

# Premia of fewer dates than this are noise, not an expectation.
LEAST_DATES = 20


def predict(
    y: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    horizon: int = 1,
    window: int | None = None,
    min_dates: int | None = None,
    weights: xr.DataArray | None = None,
    intercept: bool = True,
    min_obs: int | None = None,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Predict the returns of the next dates from exposures, by what exposures have earned so far.

    On each date s the compound return over (s - horizon, s] is regressed across assets on the
    exposures known at s - horizon, which gives the premia of s. The prediction made at t is the
    exposures at t times the mean premia of all dates up to t, or of the last `window` of them. It
    uses nothing that was not known at t.

    Parameters
    ----------
    y
        Returns (date, asset), decimal, each over (t-1, t]. One chunk along asset.
    x
        Exposures: a Dataset with one variable (date, asset) per factor, or a DataArray with a
        `factor` dim. Chunks along date as in `y`.
    horizon
        Dates ahead that are predicted: the compound return over (t, t + horizon].
    window
        Average the premia of that many dates; of all so far if not given.
    min_dates
        Premia needed; by default `window`, or 20 without one.
    weights, intercept, min_obs
        Of the regressions, as in `cross_sectional_ols`.
    where
        Universe mask: who enters the regressions, and who is predicted.

    Returns
    -------
    xarray.Dataset
        ``prediction`` (date, asset), decimal, over `horizon` dates: to be held against
        ``forward_returns(y, horizon)``. Missing where an exposure is, and until enough premia are
        known. ``premium`` (date, factor): the mean that the prediction is made with.

    Raises
    ------
    PanelError
        If `horizon`, `window`, `min_dates` or `min_obs` is no whole number of at least 1, or
        `min_dates` is more than `window`; if `x` has no variable, two of one name or one named
        "intercept", or `y` has a dim `factor`; if a dim is missing, assets are cut into chunks,
        labels or chunks differ, or dates are not in order.
    TypeError
        If an array holds no numbers or is of another type, or `where` is not bool.

    Notes
    -----
    This is the lecture's "offset the returns", and Lewellen's (2015) forecast from cumulative or
    rolling averages of Fama-MacBeth slopes. With a horizon above 1 the regressions overlap in
    time; that does not bias a mean.

    An asset enters the regression of s only if it has a return on each of the `horizon` dates: one
    delisted on the way does not.

    References
    ----------
    Lewellen, J. (2015). The cross-section of expected stock returns. Critical Finance Review 4,
    1-44.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=80, seed=1)
    >>> exposures = xf.standardize(panel[["market_cap", "book_to_price"]])
    >>> expected = xf.predict(panel.returns, exposures, horizon=21, window=120)
    >>> weights = xf.long_short(expected.prediction, fraction=0.2)
    >>> expected.prediction.dims
    ('date', 'asset')
    """
    what = "predict"
    horizon = panel.positive("horizon", horizon)
    window = None if window is None else panel.positive("window", window)
    least = LEAST_DATES if window is None else window
    least = least if min_dates is None else panel.positive("min_dates", min_dates)
    panel.one_array(y, what, "y")
    panel.check_dim(y, panel.DATE, what)
    arrays, _ = _design.regressors(x, what, y)
    past = y if horizon == 1 else time_series.cumulative_returns(y, window=horizon)
    slopes = cross_sectional_ols(
        past, x, weights=weights, intercept=intercept, lag=horizon, min_obs=min_obs, where=where
    ).factor_return
    if window is None:
        premium = time_series.ewm_mean(slopes, halflife=float("inf"), min_obs=least)
    else:
        premium = time_series.rolling_mean(slopes, window=window, min_obs=least)
    alpha = premium.isel({panel.FACTOR: 0}, drop=True) if intercept else None
    beta = premium.isel({panel.FACTOR: slice(1, None)}) if intercept else premium
    prediction = _design.fitted(arrays, beta, alpha)
    prediction = prediction if where is None else prediction.where(where)
    prediction = prediction.where(np.isfinite(prediction)).transpose(*y.dims, ...).astype(y.dtype)
    prediction = prediction.rename("prediction")
    prediction.attrs = {"long_name": "predicted return", "units": "decimal"}
    return xr.Dataset(
        {
            "prediction": prediction,
            "premium": premium.assign_attrs(long_name="mean premium", units="decimal"),
        },
        attrs={"horizon": horizon, "window": window or 0},
    )
