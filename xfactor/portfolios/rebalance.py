"""Portfolios held through time: traded on some dates, drifting with their returns between."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply, _scan, panel, time_series
from xfactor.kernels import holding as _holding
from xfactor.time_series._listed import check_delisting, with_ends

# The periods of each clock, as pandas names them.
CLOCKS = {
    "daily": None,
    "weekly": "W",
    "monthly": "M",
    "quarterly": "Q",
    "annual": "Y",
    "june": "Y-JUN",
}
Clock = Literal["daily", "weekly", "monthly", "quarterly", "annual", "june"]
REASONS = ("not_listed", "missing")

Costs = float | xr.DataArray | Callable[[xr.DataArray], xr.DataArray]


def rebalance_dates(
    x: xr.DataArray | xr.Dataset, when: Clock = "monthly", *, dim: str = panel.DATE
) -> xr.DataArray:
    """Tell which dates begin with new weights: those that follow the end of a period.

    Parameters
    ----------
    x
        Anything with datetimes along `dim`.
    when
        ``"daily"``, ``"weekly"`` (weeks begin on Monday), ``"monthly"``, ``"quarterly"``,
        ``"annual"`` (the year's end) or ``"june"`` (the end of June, as Fama and French).
    dim
        Dimension of time.

    Returns
    -------
    DataArray
        bool (date,): True on the first date of each period, so that the trade stands between it
        and the last date of the period before; also on the first date of all. It takes the labels
        up to a date to tell.

    Raises
    ------
    PanelError
        If `when` is unknown, `dim` is missing, or the labels are no datetimes in increasing
        order.

    Examples
    --------
    >>> import pandas as pd, xarray as xr, xfactor as xf
    >>> days = pd.DatetimeIndex(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"])
    >>> x = xr.DataArray([0.0] * 4, {"date": days}, "date")
    >>> xf.rebalance_dates(x).values
    array([ True, False,  True, False])
    """
    what = "rebalance_dates"
    panel.choice("when", when, CLOCKS)
    panel.check_dim(x, dim, what)
    first = np.ones(x.sizes[dim], dtype=bool)
    period = CLOCKS[when]
    if period is not None:
        labels = x.indexes.get(dim)
        if labels is None:
            raise panel.error(f"x has no labels along {dim!r}", "datetimes", "Assign a coordinate")
        panel.check_dates(labels, "x")
        first[1:] = np.diff(_numbers(labels, period)) != 0
    coords = {dim: x[dim]} if dim in x.coords else {}
    return xr.DataArray(first, coords, (dim,))


def _numbers(labels: pd.Index, period: str) -> np.ndarray:
    return pd.DatetimeIndex(labels).to_period(period).asi8


def rebalance(
    weights: xr.DataArray,
    returns: xr.DataArray,
    *,
    when: Clock | xr.DataArray = "monthly",
    lag: int = 1,
    cohorts: int = 1,
    drift: Literal["value", "legs"] = "value",
    listed: xr.DataArray | None = None,
    delist: float | xr.DataArray | None = None,
    proceeds: Literal["spread", "cash"] = "spread",
    costs: Costs = 0.0,
    dim: str = panel.ASSET,
) -> xr.Dataset:
    """Hold a portfolio through time: trade to the weights on some dates, and drift between.

    Parameters
    ----------
    weights
        Weights wanted, (date, asset), known at the end of each date: of `long_short`, for example;
        (asset,) for the same at all times. A missing weight is 0; a date without any is no
        portfolio. Further dims give several portfolios in one pass.
    returns
        Returns (date, asset), decimal, each over (t-1, t].
    when
        Clock of the trades, see `rebalance_dates`; or a bool array (date,), True on the dates
        that begin with new weights. Between them nothing is traded.
    lag
        Dates by which the weights are moved back: on a trading date t the portfolio is put into
        the weights of t - lag before the return of t is earned. 1 trades monthly weights at the
        end of the last session of the month. 0 **looks ahead**.
    cohorts
        Portfolios that are held side by side (Jegadeesh and Titman 1993): each trading date renews
        one of them, the oldest, and leaves the names of the others; all that there are then get
        equal shares of the capital. 1 trades everything.
    drift
        ``"value"``: the portfolio is one account with a capital of 1, and a weight becomes
        w (1 + r) / (1 + sum of w r); what the weights lack to 1 is cash and earns nothing.
        ``"legs"``: each leg is a fund of its own, whose size stays (French's factors: long return
        less short return, whatever has been won before). A long portfolio of weights that sum to
        1 is the same under both.
    listed
        bool (date, asset), True while an asset can be held. On the first date on which it is
        not, a holding earns its return if that is known, else `delist`, and is then paid out.
        Without it an asset that stops is one that has no return until the next trade.
    delist
        Delisting return, decimal: a number as -0.3 (Shumway 1997), or an array (asset,) or (date,
        asset). Needs `listed`. 0 if not given: the last price is paid.
    proceeds
        Where the weight goes that was paid out, or was wanted in an asset that is not listed on
        the evening of the trade: ``"spread"`` over the other names of the leg in proportion to
        their weights (cash, if there are none), or ``"cash"`` until the next trade.
    costs
        Cost per unit of weight traded, one way (0.001 is ten basis points): a number, or an array
        (date, asset), (asset,) or (date,) whose rates at t are those at the end of session t, when
        the trade is made that stands at t + 1. Or a function that takes ``traded`` and gives the
        costs, (date, asset) or (date,), as shares of the capital.
    dim
        Dimension of the assets.

    Returns
    -------
    xarray.Dataset
        ``held`` (date, asset): the weights that earned the return of each date, known before it
        but for the calendar (`lag` is in them: they go with ``portfolio_returns(..., lag=0)``);
        missing where there is no portfolio. ``traded``: the change made to get them, after the
        drift; paying out is no trade. (date,): ``gross`` return, ``cost``, ``net`` = gross - cost,
        ``turnover`` = half of the sum of abs(traded), ``n_obs`` names held with a return, and
        ``n_dropped`` (reason, date), names ``"not_listed"``: wanted or held and taken out;
        ``"missing"``: held without a return.

    Raises
    ------
    PanelError
        If an option is unknown or no number of its range, `delist` stands without `listed` or
        is below -1, a rate of `costs` is negative, or `when` has another dim than `date`; if a
        dim is missing, assets are cut into chunks, labels or chunks differ, or dates are not in
        order.
    TypeError
        If an array holds no numbers or is of another type, `listed` or `when` is not bool, or
        `costs` as a function gives no DataArray.

    Notes
    -----
    A name without a return, still listed, earns what the rest of its leg earns, as in
    `portfolio_returns`: with ``when="daily"`` and all else by default, ``gross`` is what that
    gives. A leg without any known return stands still and the return of the date is missing. An
    account that has lost all it had holds nothing until the next trade. While fewer than `cohorts`
    have been bought, those that there are share the capital.

    Blocks of dates are one chain: each waits for the holdings of the one before.

    References
    ----------
    Jegadeesh, N. and Titman, S. (1993). Returns to buying winners and selling losers. Journal of
    Finance 48, 65-91.

    Shumway, T. (1997). The delisting bias in CRSP data. Journal of Finance 52, 327-340.

    Examples
    --------
    >>> import pandas as pd, xarray as xr, xfactor as xf
    >>> days = pd.DatetimeIndex(["2024-01-31", "2024-02-01", "2024-02-02"])
    >>> r = xr.DataArray([[0.0, 0.0], [1.0, 0.0], [0.3, 0.0]], {"date": days}, ("date", "asset"))
    >>> w = xr.full_like(r, 0.5)
    >>> book = xf.rebalance(w, r, costs=0.01)
    >>> book.held.round(4).values
    array([[   nan,    nan],
           [0.5   , 0.5   ],
           [0.6667, 0.3333]])
    >>> book.gross.round(4).values, book.net.round(4).values
    (array([nan, 0.5, 0.2]), array([ nan, 0.49, 0.2 ]))
    """
    what = "rebalance"
    panel.one_array(weights, what, "weights")
    panel.one_array(returns, what, "returns")
    for x in (weights, returns):
        panel.check_dim(x, dim, what)
    panel.check_dim(returns, panel.DATE, what)
    panel.check_same_labels(returns, weights, names=("returns", "weights"))
    further = [str(d) for d in returns.dims if d not in {*weights.dims, panel.DATE}]
    if further:
        raise panel.error(
            f"returns has the dimension {further[0]!r} and weights has not",
            "one return of each name on a date",
            f"Select one label of {further[0]!r}, or expand weights",
        )
    panel.choice("drift", drift, ("value", "legs"))
    panel.choice("proceeds", proceeds, ("spread", "cash"))
    lag = panel.positive("lag", lag, 0)
    r = panel.as_float(returns)
    last = check_delisting(r, listed, delist)
    if listed is not None:
        r = with_ends(r, listed, 0.0 if last is None else last, panel.DATE)
    w = panel.as_float(weights)
    if panel.DATE not in w.dims:
        w = w.expand_dims({panel.DATE: returns[panel.DATE]})
    kernel = partial(
        _holding.hold_rows,
        cohorts=panel.positive("cohorts", cohorts),
        legs=drift == "legs",
        spread=proceeds == "spread",
        dtypes=(w.dtype, r.dtype),
    )
    wanted = _apply.Arg(time_series.lag(w, lag), (dim,), "weights")
    panels = [wanted, _apply.Arg(r, (dim,), "returns")]
    masks = [] if listed is None else [_apply.Arg(listed, (dim,))]
    args = [*panels, _apply.Arg(_clock(when, returns)), *masks]
    held, traded, *figures = _scan.scan(kernel, args, _outs(dim, w.dtype, r.dtype), what=what)
    order = list(dict.fromkeys((*w.dims, *returns.dims)))
    held, traded = held.transpose(*order), traded.transpose(*order)
    cost = _cost(traded, figures[1], costs, dim)
    attrs = {"lag": lag, "cohorts": cohorts, "drift": drift}
    return _described(held, traded, cost, *figures).assign_attrs(attrs)


def _clock(when: Clock | xr.DataArray, returns: xr.DataArray) -> xr.DataArray:
    if isinstance(when, str):
        return rebalance_dates(returns, when)
    panel.one_array(when, "rebalance", "when")
    if when.dims != (panel.DATE,):
        dims = ", ".join(map(repr, when.dims)) or "none"
        raise panel.error(f"when has the dimensions {dims}", "'date' alone", "Use one clock")
    panel.check_mask(returns, when, "when")
    return when


def _described(
    held: xr.DataArray,
    traded: xr.DataArray,
    cost: xr.DataArray,
    gross: xr.DataArray,
    turned: xr.DataArray,
    n_obs: xr.DataArray,
    n_dropped: xr.DataArray,
) -> xr.Dataset:
    cost = cost.astype(gross.dtype)
    flow = {"units": "share of the capital"}
    earned = {"units": "decimal"}
    made = {
        "held": held.assign_attrs(long_name="weight held", **flow),
        "traded": traded.assign_attrs(long_name="weight traded", **flow),
        "gross": gross.assign_attrs(long_name="return before costs", **earned),
        "cost": cost.assign_attrs(long_name="cost of trades", **earned),
        "net": (gross - cost).assign_attrs(long_name="return after costs", **earned),
        "turnover": turned.assign_attrs(long_name="turnover", **flow),
        "n_obs": n_obs.assign_attrs(long_name="names held with a return"),
        "n_dropped": n_dropped.assign_attrs(long_name="names left out, by reason"),
    }
    return xr.Dataset(made)


def _cost(traded: xr.DataArray, turnover: xr.DataArray, costs: Costs, dim: str) -> xr.DataArray:
    """What the trades of each date cost, a share of the capital."""
    if callable(costs):
        found = costs(traded)
        panel.one_array(found, "rebalance", "costs(traded)")
        return _sum(dim, found) if dim in found.dims else found
    if not isinstance(costs, xr.DataArray):
        rate = panel.number("costs", costs)
        if not 0 <= rate < np.inf:
            raise panel.error(f"costs={rate} was given", "0 or more", "Use e.g. 0.001")
        return 2.0 * rate * turnover
    panel.check_numbers(traded, costs, "costs")
    rates = panel.bare(traded, panel.as_float(costs))
    if panel.DATE in rates.dims:
        rates = time_series.lag(rates)
    if dim in rates.dims:
        return _sum(dim, traded, rates)
    return (2.0 * rates * turnover).where(turnover != 0, 0.0)  # whatever the rate then is


def _sum(dim: str, *arrays: xr.DataArray) -> xr.DataArray:
    args = [_apply.Arg(a, (dim,)) for a in arrays]
    outs = [_apply.Out((), arrays[0].dtype)]
    return _apply.along(_holding.cost_rows, args, outs, what="rebalance")[0]


def _outs(dim: str, weight: Any, earned: Any) -> list[_apply.Out]:
    counts = _apply.Out(("reason",), np.int64, {"reason": REASONS})
    return [
        _apply.Out((dim,), weight),
        _apply.Out((dim,), weight),
        _apply.Out((), earned),
        _apply.Out((), earned),
        _apply.Out((), np.int64),
        counts,
    ]
