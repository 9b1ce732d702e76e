"""The lecture "Fundamental Factor Models" on a panel: both approaches, lazily.

Approach 1 builds factor portfolios from characteristics and regresses returns on their returns
through time. Approach 2 makes exposures of the characteristics and regresses returns on them
across assets, date by date. Both are Datasets of dask arrays on a dask-backed panel: nothing runs
until they are computed, and what is computed together reads the panel once.
"""

from functools import partial

import numpy as np
import xarray as xr

from xfactor import cross_section, panel, time_series
from xfactor.portfolios import hedge, long_short, portfolio_returns
from xfactor.regression import cross_sectional_ols, newey_west, rolling_ols, time_series_ols

FACTORS = ("market", "SMB", "HML", "MOM")
QUANTILES = (0.1, 0.5, 0.9)
# A leg of fewer names than this is one company's news, not a factor: such dates are missing.
MIN_NAMES = 10


def characteristics(fields: xr.Dataset, *, lookback: int = 252, skip: int = 21) -> xr.Dataset:
    """Size, value and momentum of each asset on each date.

    Parameters
    ----------
    fields
        Panel with ``market_cap``, ``book_to_price`` and ``adjusted_close`` (or ``close``).
    lookback, skip
        Momentum is the return from t - lookback to t - skip.

    Returns
    -------
    xarray.Dataset
        ``size`` = log market cap, ``value`` = book to price, ``momentum`` (date, asset).

    Raises
    ------
    PanelError
        If a field is missing or the history is too short for the momentum.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=300, assets=20, seed=1)
    >>> list(lecture.characteristics(panel))
    ['size', 'value', 'momentum']
    """
    skip = panel.positive("skip", skip, 0)
    lookback = panel.positive("lookback", lookback, skip + 1)
    found = fields.sizes[panel.DATE]
    if found <= lookback + 1:
        raise panel.error(
            f"the panel has {found} dates",
            f"more than {lookback + 1} for a momentum of {lookback} dates",
            "Use more dates or a shorter momentum (--momentum 60)",
        )
    cap = panel.field(fields, "market_cap")
    price = panel.field(fields, "adjusted_close" if "adjusted_close" in fields else "close")
    past = time_series.lag(price, skip)
    # Without a price today there is no name to hold: a delisted one would keep its momentum.
    momentum = time_series.returns(past, lookback - skip).where(price.notnull())
    return xr.Dataset(
        {
            "size": xr.ufuncs.log(cap.where(cap > 0)).assign_attrs(long_name="log market cap"),
            "value": panel.field(fields, "book_to_price"),
            "momentum": momentum.assign_attrs(
                long_name=f"return from t-{lookback} to t-{skip}", units="decimal"
            ),
        }
    )


def factor_portfolios(
    characteristics: xr.Dataset,
    *,
    fraction: float | None = 0.2,
    n: int | None = None,
    min_names: int = MIN_NAMES,
) -> xr.Dataset:
    """Weights of SMB (small minus big), HML (high minus low value) and MOM (winners minus losers).

    Parameters
    ----------
    characteristics
        ``size``, ``value`` and ``momentum`` (date, asset).
    fraction, n
        Share or number of names in each leg, as in `long_short`; the lecture takes 1000.
    min_names
        A date on which a leg would have fewer names is missing.

    Returns
    -------
    xarray.Dataset
        Equal weights within each leg, one variable per factor.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=300, assets=20, seed=1)
    >>> list(lecture.factor_portfolios(lecture.characteristics(panel)))
    ['SMB', 'HML', 'MOM']
    """
    if n is not None:
        fraction = None
    sort = partial(long_short, fraction=fraction, n=n, min_names=min_names)
    return xr.Dataset(
        {
            "SMB": -sort(characteristics["size"]),
            "HML": sort(characteristics["value"]),
            "MOM": sort(characteristics["momentum"]),
        }
    )


def largest_names(fields: xr.Dataset, n: int = 5) -> xr.DataArray:
    """Weights of the `n` largest companies, equal weights, chosen anew on each date.

    Parameters
    ----------
    fields
        Panel with ``market_cap``.
    n
        How many.

    Returns
    -------
    DataArray
        Weights (date, asset) that sum to 1; all names there are, where there are fewer than `n`.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=30, assets=20, seed=1)
    >>> float(lecture.largest_names(panel)[-1].sum())
    1.0
    """
    chosen = cross_section.top(panel.field(fields, "market_cap"), n)
    count = chosen.sum(panel.ASSET)
    count = count.where(count > 0)  # a date without names divides by nothing
    return (xr.ones_like(chosen, dtype=np.float64) / count).where(chosen)


def named_portfolio(fields: xr.Dataset, symbols: list[str]) -> xr.DataArray:
    """Equal weights in the named assets on every date.

    Parameters
    ----------
    fields
        Panel with ``returns`` and a ``symbol`` coordinate on asset.
    symbols
        The names.

    Returns
    -------
    DataArray
        Weights (date, asset).

    Raises
    ------
    PanelError
        If a symbol is not in the panel.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=30, assets=4, seed=1)
    >>> names = [str(s) for s in panel.symbol.values[:2]]
    >>> lecture.named_portfolio(panel, names).isel(date=0).values
    array([0.5, 0.5, nan, nan])
    """
    known = [str(s) for s in panel.field(fields.reset_coords(), "symbol").values]
    absent = [s for s in symbols if s not in known]
    if absent:
        raise panel.error(
            f"the panel has no asset named {', '.join(absent)}",
            "symbols of the panel",
            f"It has e.g. {', '.join(known[:5])}",
        )
    named = np.isin(known, symbols)
    held = np.where(named, 1.0 / named.sum(), np.nan)
    returns = panel.field(fields, "returns")
    weights = xr.DataArray(held, dims=panel.ASSET, coords={panel.ASSET: returns[panel.ASSET]})
    return xr.zeros_like(returns, dtype=np.float64) + weights


def approach_one(
    fields: xr.Dataset,
    characteristics: xr.Dataset,
    portfolio: xr.DataArray,
    *,
    fraction: float | None = 0.2,
    n: int | None = None,
    min_names: int = MIN_NAMES,
    window: int = 100,
) -> xr.Dataset:
    """Sort assets by characteristics, then regress returns on the portfolios' returns.

    Parameters
    ----------
    fields
        Panel with ``returns`` and ``market_returns``.
    characteristics
        ``size``, ``value`` and ``momentum`` (date, asset).
    portfolio
        Weights (date, asset) of the portfolio whose sensitivities are wanted.
    fraction, n
        Share or number of names in each leg.
    min_names
        Names needed in each leg, as in `factor_portfolios`.
    window
        Dates of the rolling regressions.

    Returns
    -------
    xarray.Dataset
        ``factor_return`` (date, factor) of market, SMB, HML and MOM; ``portfolio_return``
        (date,); ``sensitivity``, ``sensitivity_stderr``, ``sensitivity_tvalue`` (factor,)
        over the whole history; ``rolling_sensitivity`` (date, factor) of the portfolio;
        ``asset_beta`` (date, asset, factor), the rolling betas of every asset, and
        ``asset_beta_quantile`` (date, factor, quantile) of them; ``hedged_return`` (date,) with
        betas known the day before, ``hedged_in_sample`` with those of the whole history.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=400, assets=50, seed=1)
    >>> x = lecture.characteristics(panel)
    >>> one = lecture.approach_one(panel, x, lecture.largest_names(panel))
    >>> one.factor_return.dims
    ('date', 'factor')
    """
    returns = panel.field(fields, "returns")
    sorts = factor_portfolios(characteristics, fraction=fraction, n=n, min_names=min_names)
    factors = factor_returns(fields, sorts)
    own = portfolio_returns(portfolio, returns)
    every = rolling_ols(returns, factors, window=window, se=None).beta
    return sensitivities(own, factors, window=window).assign(
        factor_return=factors.to_dataarray(panel.FACTOR).transpose(panel.DATE, ...),
        portfolio_return=own,
        asset_beta=every,
        asset_beta_quantile=cross_section.quantile(every, QUANTILES),
    )


def sensitivities(
    portfolio_return: xr.DataArray, factors: xr.DataArray | xr.Dataset, *, window: int = 100
) -> xr.Dataset:
    """Regress the return of a portfolio on factor returns, and hedge it: of approach 1 what needs
    these series only.

    Parameters
    ----------
    portfolio_return
        Returns (date,).
    factors
        Factor returns: one variable (date,) each, or (date, factor).
    window
        Dates of the rolling regressions.

    Returns
    -------
    xarray.Dataset
        ``sensitivity`` and what goes with it, ``rolling_sensitivity``, ``hedged_return`` and
        ``hedged_in_sample``, as in `approach_one`.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=300, assets=60, seed=1)
    >>> market = panel[["market_returns"]]
    >>> made = lecture.sensitivities(panel.returns.isel(asset=0), market)
    >>> made.rolling_sensitivity.dims
    ('date', 'factor')
    """  # noqa: D205
    static = time_series_ols(portfolio_return, factors)
    rolling = rolling_ols(portfolio_return, factors, window=window)
    return xr.Dataset(
        {
            "sensitivity": static.beta,
            "sensitivity_stderr": static.stderr,
            "sensitivity_tvalue": static.tvalue,
            "sensitivity_rsquared": static.rsquared,
            "rolling_sensitivity": rolling.beta,
            "hedged_return": hedge(portfolio_return, factors, window=window).hedged,
            "hedged_in_sample": hedge(portfolio_return, factors, window=None).hedged,
        },
        attrs={"window": window},
    )


def factor_returns(fields: xr.Dataset, weights: xr.Dataset) -> xr.Dataset:
    """Return of the market and of each factor portfolio on each date.

    Parameters
    ----------
    fields
        Panel with ``returns`` and ``market_returns``.
    weights
        Weights (date, asset), one variable per factor.

    Returns
    -------
    xarray.Dataset
        One variable (date,) per factor, decimal.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=300, assets=60, seed=1)
    >>> weights = lecture.factor_portfolios(lecture.characteristics(panel))
    >>> list(lecture.factor_returns(panel, weights))
    ['market', 'SMB', 'HML', 'MOM']
    """
    returns = panel.field(fields, "returns")
    made = {str(k): portfolio_returns(w, returns) for k, w in weights.data_vars.items()}
    return xr.Dataset({"market": panel.field(fields, "market_returns"), **made})


def approach_two(
    fields: xr.Dataset, characteristics: xr.Dataset, *, limits: float = 0.01, lag: int = 1
) -> xr.Dataset:
    """Winsorize and z-score the characteristics, regress each date's returns on them.

    Parameters
    ----------
    fields
        Panel with ``returns``.
    characteristics
        Characteristics (date, asset), one variable each.
    limits
        Fraction winsorized on each side.
    lag
        Dates between the exposures and the return; 0 is the lecture's own (look-ahead) choice.

    Returns
    -------
    xarray.Dataset
        ``factor_return``, ``stderr``, ``tvalue`` (date, factor), ``rsquared``, ``n_obs`` (date,)
        of the regressions; ``premium``, ``premium_stderr``, ``premium_tvalue`` (factor,): mean
        factor returns with Newey-West errors, the premia of Fama and MacBeth.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=300, assets=50, seed=1)
    >>> two = lecture.approach_two(panel, lecture.characteristics(panel))
    >>> [str(f) for f in two.factor.values]
    ['intercept', 'size', 'value', 'momentum']
    """
    exposures = cross_section.standardize(characteristics, limits)
    fit = cross_sectional_ols(panel.field(fields, "returns"), exposures, lag=lag)
    return with_premia(fit.drop_vars("residual"))


def with_premia(fit: xr.Dataset) -> xr.Dataset:
    """Put the premia of Fama and MacBeth beside regressions date by date.

    Parameters
    ----------
    fit
        ``factor_return`` (date, factor), and what else there is.

    Returns
    -------
    xarray.Dataset
        `fit` with ``premium``, ``premium_stderr`` and ``premium_tvalue`` (factor,).

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor import lecture
    >>> panel, truth = xf.simulate_panel(dates=300, assets=60, seed=1)
    >>> fit = xf.cross_sectional_ols(panel.returns, xf.standardize(panel[["book_to_price"]]))
    >>> lecture.with_premia(fit).premium.dims
    ('factor',)
    """
    premium = newey_west(fit.factor_return)
    return fit.assign(
        premium=premium["mean"],
        premium_stderr=premium.stderr,
        premium_tvalue=premium.tvalue,
    )
