"""The factors of Fama and French, and momentum: 2 x 3 sorts on size and one characteristic."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply, _scan, panel, time_series
from xfactor.kernels import formation as _formation
from xfactor.portfolios import _buckets

SORT, SIZE, LEVEL = "sort", "size", "level"
PORTFOLIOS: dict[str, tuple[str, ...]] = {SIZE: ("small", "big"), LEVEL: ("low", "middle", "high")}
YEAR = 12
BEFORE_JUNE = 6  # months: the market value in book to market is that of December


class _Defaults(NamedTuple):
    rule: _formation.Rule
    rebalance: str
    accounting_lag: int
    min_names: int


RULES = {
    "osap": _Defaults(_formation.Rule(True, False, 1), "june", 6, 1),
    "jkp": _Defaults(_formation.Rule(False, True, 10), "month", 4, 3),
}
NYSE = "NYSE"


def fama_french_factors(
    returns: xr.DataArray,
    market_cap: xr.DataArray,
    book_equity: xr.DataArray,
    *,
    exchange: xr.DataArray | None = None,
    breakpoints_from: xr.DataArray | None = None,
    operating_profitability: xr.DataArray | None = None,
    asset_growth: xr.DataArray | None = None,
    total_assets: xr.DataArray | None = None,
    rule: Literal["osap", "jkp"] = "osap",
    rebalance: Literal["june", "month"] | None = None,
    accounting_lag: int | None = None,
    min_names: int | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """SMB, HML and momentum, RMW and CMA, from daily or monthly data.

    Each is made of six value-weighted portfolios: two of size, split at the median, by three of a
    characteristic, split at the 30 % and 70 % quantiles, that are formed at the end of June (for
    momentum of each month) and held until they are formed again.

    Parameters
    ----------
    returns
        Returns (date, asset), decimal, each over (t-1, t], delisting returns included. Dates are
        sessions or months; which of them are the last of a month is found from their labels.
    market_cap
        Market equity ME (date, asset). One without a positive one is not sorted, and not held.
    book_equity
        Book equity BE (date, asset); where it is not positive there is no book to market.
    exchange
        Exchanges (asset,) or (date, asset), text or codes with `flag_meanings`: medians and
        quantiles are those of the assets on the NYSE, as in the original.
    breakpoints_from
        bool mask, in place of `exchange`: medians and quantiles are those of these assets; of all
        if neither is given.
    operating_profitability
        Profits over book equity (date, asset): adds RMW, high minus low.
    asset_growth
        Growth of total assets over the year before (date, asset): adds CMA, low minus high.
    total_assets
        Total assets (date, asset), to make the growth of, in place of `asset_growth`.
    rule
        ``"osap"`` (Chen and Zimmermann 2022): a breakpoint is a quantile of type 7, small is up
        to the median, low up to the 30 % quantile, high above the 70 %. ``"jkp"`` (Jensen, Kelly
        and Pedersen 2023): a breakpoint is the smallest value with so large a share of the
        values up to it, from 10 assets or more; a value equal to one is above it; and the
        defaults of the next three options are theirs.
    rebalance
        ``"june"``, the default: yearly, and book to market is that of June's book equity (see
        `accounting_lag`) over the ME of the December before. ``"month"``, that of jkp: monthly,
        over the ME of the month.
    accounting_lag
        Months from the label of an accounting number to the month's end at which it is used; by
        default 6, 4 with jkp. These are for panels in which a number stands at the end of
        its fiscal period. **Pass 0 where it stands at the date on which it became known**, as
        in a panel made by the ingest: it would be used half a year late otherwise.
    min_names
        A portfolio of fewer names with a return is missing, and its factor; by default 1, 3
        with jkp.
    dim
        Dimension of assets.
    where
        Universe mask, at the time of formation.

    Returns
    -------
    xarray.Dataset
        Decimal returns (date,): ``market``, all assets by value, not less cash; ``SMB`` and
        ``HML`` of the sort on book to market; ``MOM``; with the further characteristics ``RMW``
        and ``CMA``, and with both ``SMB5``, the mean of the SMB of the three yearly sorts. Beside
        them the portfolios: ``returns`` and ``n_names`` (sort, date, size, level), ``n_obs``
        (sort, date) and ``n_dropped`` (sort, date, reason), as in `quantile_portfolios`. Missing
        until portfolios have been formed.

    Raises
    ------
    PanelError
        If an option is unknown, `accounting_lag` or `min_names` is no whole number (from 0 and
        1); if both `asset_growth` and `total_assets` or both `exchange` and `breakpoints_from`
        are given, or the codes of `exchange` name no NYSE; if the dates are no increasing
        datetimes, assets are cut into chunks, or arrays have other labels or chunks than
        `market_cap`.
    TypeError
        If an array holds no numbers or is of another type, or a mask is not bool.

    Notes
    -----
    The return at t is weighted by the ME of the date before, t - 1. As long as no shares are
    issued these are the weights of a portfolio bought at formation and held; with issues
    and buybacks they stay those of a holder of all shares, and no weights are to be carried
    along. Momentum at the end of month m is the return over the months m - 11 to m - 1; an asset
    needs a return in each of them, and to have been there in month m - 12.

    A portfolio is held from the first date of a new month on, when it is known that the last
    one was the last of its month.

    References
    ----------
    Fama, E. and French, K. (1993). Common risk factors in the returns on stocks and bonds. Journal
    of Financial Economics 33, 3-56.

    Fama, E. and French, K. (2015). A five-factor asset pricing model. Journal of Financial
    Economics 116, 1-22.

    Carhart, M. (1997). On persistence in mutual fund performance. Journal of Finance 52, 57-82:
    momentum.

    Chen, A. and Zimmermann, T. (2022). Open source cross-sectional asset pricing. Critical Finance
    Review 11, 207-264.

    Jensen, T., Kelly, B. and Pedersen, L. (2023). Is there a replication crisis in finance? Journal
    of Finance 78, 2465-2518.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=600, assets=200, seed=1)
    >>> factors = xf.fama_french_factors(
    ...     panel.returns, panel.market_cap, panel.book_equity, accounting_lag=0
    ... )
    >>> last = xf.compute(factors[["market", "SMB", "HML", "MOM"]].isel(date=-1))[0]
    >>> bool(last.to_dataarray().notnull().all())
    True
    >>> factors.n_names.sel(sort="momentum").dims
    ('date', 'size', 'level')
    """
    what = "fama_french_factors"
    panel.choice("rule", rule, RULES)
    default = RULES[rule]
    rebalance = default.rebalance if rebalance is None else rebalance  # type: ignore[assignment]
    panel.choice("rebalance", rebalance, ("june", "month"))
    months = default.accounting_lag if accounting_lag is None else accounting_lag
    least = panel.positive("min_names", default.min_names if min_names is None else min_names)
    fields = {"cap": market_cap, "returns": returns, "book": book_equity}
    further = {
        "profitability": operating_profitability, "growth": asset_growth, "assets": total_assets,
    }  # fmt: skip
    fields |= {name: x for name, x in further.items() if x is not None}
    if exchange is not None:
        if breakpoints_from is not None:
            raise panel.error(
                "exchange and breakpoints_from were given", "one of them", "Leave one out"
            )
        breakpoints_from = _on_exchange(exchange, NYSE)
    fields = _checked(fields, breakpoints_from, where, dim, what)
    plan = _plan(
        fields["cap"].indexes[panel.DATE],
        list(fields),
        rebalance == "june",
        panel.positive("accounting_lag", months, 0),
    )
    args = [_apply.Arg(x.rename(name), (dim,)) for name, x in fields.items()]
    kernel = partial(_formation.formation_scan, names=tuple(fields), plan=plan, rule=default.rule)
    outs = [_apply.Out((dim,), np.int16)] * len(plan.sorts)
    held = _scan.scan(kernel, args, outs, what=what)
    cap = _buckets.positive_only(fields["cap"])
    options: dict[str, Any] = {"min_names": least, "dim": dim}
    before = time_series.lag(cap)
    sorts = [
        _buckets.earned(state, fields["returns"], before, PORTFOLIOS, lag=0, what=what, **options)
        for state in held
    ]
    result = xr.concat(sorts, SORT, coords="minimal", compat="override", combine_attrs="override")
    result = result.assign_coords({SORT: list(plan.sorts)})
    factors = _factors(result["returns"])
    factors = {"market": _market(fields, cap, least, dim, what), **factors}
    described = {k: v.assign_attrs(units="decimal", long_name=k) for k, v in factors.items()}
    return xr.Dataset(described | dict(result.data_vars)).assign_attrs(
        rule=rule, rebalance=rebalance, accounting_lag=months, min_names=least
    )


def _on_exchange(exchange: xr.DataArray, name: str) -> xr.DataArray:
    """Tell which assets are listed on an exchange."""
    panel.one_array(exchange, "fama_french_factors", "exchange")
    if exchange.dtype.kind in "OUT":
        return exchange == name
    words = exchange.attrs.get("flag_meanings", ())
    words = words.split() if isinstance(words, str) else list(words)
    codes = list(exchange.attrs.get("flag_values", range(len(words))))
    if name not in words or len(codes) != len(words):
        raise panel.error(
            f"exchange has the codes of {', '.join(map(str, words)) or 'nothing'}",
            f"text, or codes with flag_meanings that name {name}",
            "Or give a mask: breakpoints_from",
        )
    return exchange == codes[words.index(name)]


def _checked(
    fields: Mapping[str, xr.DataArray],
    source: xr.DataArray | None,
    where: xr.DataArray | None,
    dim: str,
    what: str,
) -> dict[str, xr.DataArray]:
    """Fields as floats and masks of the shape of the market cap, beside each other."""
    public = {
        "cap": "market_cap", "book": "book_equity", "profitability": "operating_profitability",
        "growth": "asset_growth", "assets": "total_assets",
    }  # fmt: skip
    cap = fields["cap"]
    for name, x in fields.items():
        own = public.get(name, name)
        panel.one_array(x, what, own)
        for each in (panel.DATE, dim):
            panel.check_dim(x, each, what)
        panel.check_numbers(x if name == "returns" else cap, x, own)
    if panel.DATE not in cap.indexes:
        raise panel.error("market_cap has no labels along 'date'", "dates", "Assign a coordinate")
    panel.check_dates(cap.indexes[panel.DATE], f"the input of {what}")
    if "growth" in fields and "assets" in fields:
        raise panel.error(
            "asset_growth and total_assets were given", "one of them", "Leave one out"
        )
    found = {name: panel.as_float(x) for name, x in fields.items()}
    for name, mask, option in (("source", source, "breakpoints_from"), ("inside", where, "where")):
        if mask is not None:
            panel.check_mask(cap, mask, option)
            found[name] = xr.ones_like(cap, dtype=np.bool_) & panel.bare(cap, mask)
    return found


def _plan(
    dates: pd.DatetimeIndex, given: list[str], june: bool, accounting_lag: int
) -> _formation.Plan:
    """When portfolios are formed and which rows they read, from the labels of the dates."""
    month = np.asarray(dates.year * YEAR + dates.month - 1, dtype=np.int64)
    closes = _last(month)
    # A year from July to June; its last month is June whatever the last date in it.
    forms, ends = closes, month
    if june:
        years = (month + YEAR - 6) // YEAR
        forms, ends = _last(years), years * YEAR + 5

    def months_before(n: int) -> np.ndarray:
        return np.searchsorted(month, ends - n, side="right") - 1

    then, value = months_before(accounting_lag), months_before(BEFORE_JUNE if june else 0)
    sort = partial(_formation.Sort, forms=forms)
    sorts = {"book_to_market": sort("book_to_market", reads=(("book", then), ("cap", value)))}
    if "profitability" in given:
        sorts["profitability"] = sort(
            "profitability", reads=(("profitability", then), ("book", then))
        )
    if "growth" in given:
        sorts["investment"] = sort("itself", reads=(("growth", then),))
    if "assets" in given:
        year_before = months_before(accounting_lag + YEAR)
        sorts["investment"] = sort("growth", reads=(("assets", then), ("assets", year_before)))
    sorts["momentum"] = _formation.Sort("momentum", closes, ())
    return _formation.Plan(month, closes, sorts)


def _last(period: np.ndarray) -> np.ndarray:
    """The last date of each period: known by the first of the next, so never the last of all."""
    last = np.zeros(len(period), dtype=bool)
    last[:-1] = period[1:] != period[:-1]
    return last


def _market(
    fields: Mapping[str, Any], cap: xr.DataArray, least: int, dim: str, what: str
) -> xr.DataArray:
    """Return of all assets of the universe by their ME of the date before."""
    known = cap.notnull()
    known = known & fields["inside"] if "inside" in fields else known
    state = known.astype(np.int16) - np.int16(1)  # the one bucket, or missing
    held = _buckets.earned(
        state, fields["returns"], cap, {"all": (0,)}, lag=1, min_names=least, dim=dim, what=what
    )
    return held["returns"].isel(all=0, drop=True)


def _factors(returns: xr.DataArray) -> dict[str, xr.DataArray]:
    """Differences of the means of portfolios; missing if one of these is."""
    level = returns.mean(SIZE, skipna=False)
    high = level.sel({LEVEL: "high"}, drop=True) - level.sel({LEVEL: "low"}, drop=True)
    size = returns.mean(LEVEL, skipna=False)
    small = size.sel({SIZE: "small"}, drop=True) - size.sel({SIZE: "big"}, drop=True)
    pick = {name: {SORT: name} for name in returns[SORT].values.tolist()}
    found = {
        "SMB": small.sel(pick["book_to_market"], drop=True),
        "HML": high.sel(pick["book_to_market"], drop=True),
        "MOM": high.sel(pick["momentum"], drop=True),
    }
    yearly = [name for name in pick if name != "momentum"]
    if "profitability" in pick:
        found["RMW"] = high.sel(pick["profitability"], drop=True)
    if "investment" in pick:
        found["CMA"] = -high.sel(pick["investment"], drop=True)
    if len(yearly) == 3:
        found["SMB5"] = small.sel({SORT: yearly}).mean(SORT, skipna=False)
    return found
