"""What a report can be made of: the characteristics, returns and portfolio that a store allows."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import cross_section, lecture, panel, time_series


@dataclass(frozen=True)
class Options:
    """What the caller may choose; see `write_report`."""

    symbols: list[str] | None
    signals: list[str]
    fraction: float
    n: int | None
    min_names: int
    window: int
    momentum: tuple[int, int]
    horizons: tuple[int, ...]
    bins: int
    periods_per_year: float
    progress: bool


@dataclass
class Measures:
    """Computed results by section, and why others are left out."""

    found: dict[str, xr.Dataset] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """The lazy panel, and what is made of it before anything is computed."""

    fields: xr.Dataset
    returns: xr.DataArray
    traits: xr.Dataset
    exposures: xr.Dataset
    listed: xr.DataArray | None


def inputs_of(fields: xr.Dataset, options: Options, done: Measures) -> Inputs | None:
    """Return what the passes work on, lazily.

    Parameters
    ----------
    fields
        A lazy panel.
    options
        Choices of the caller.
    done
        Where to say what is left out.

    Returns
    -------
    Inputs or None
        None if there are no returns.
    """
    returns = _returns(fields, done)
    if returns is None:
        return None
    traits = _traits(fields, options, done)
    exposures = cross_section.standardize(traits) if traits else traits
    return Inputs(fields, returns, traits, exposures, listed_of(fields))


def listed_of(fields: xr.Dataset) -> xr.DataArray | None:
    """Return the mask of listed assets, if there is one.

    Parameters
    ----------
    fields
        A panel.

    Returns
    -------
    DataArray or None
        bool (date, asset).
    """
    listed = fields.get("listed")
    return listed if listed is not None and listed.dtype == bool else None


def portfolio_of(inputs: Inputs, options: Options, done: Measures) -> xr.DataArray | None:
    """Return the weights of the portfolio that is looked at.

    Parameters
    ----------
    inputs
        What there is.
    options
        Choices of the caller.
    done
        Where to say what is left out.

    Returns
    -------
    DataArray or None
        Weights (date, asset); None without a way to choose.
    """
    if options.symbols:
        named = inputs.fields.assign(returns=inputs.returns)
        return lecture.named_portfolio(named, options.symbols)
    if "market_cap" in inputs.fields:
        return lecture.largest_names(inputs.fields)
    done.left_out["Portfolio, its betas, hedge and risk"] = (
        "the store has no market_cap to choose the largest companies by; name symbols"
    )
    return None


def periods_per_year(dates: pd.DatetimeIndex) -> float:
    """Return how many dates a year has: 252, 52, 12, 4 or 1, whichever is nearest.

    Parameters
    ----------
    dates
        Dates of the panel; of bars within the day the sessions are counted, times their bars.

    Returns
    -------
    float
        Dates in a year.
    """
    if len(dates) < 2:
        return 252.0
    days = (dates[-1] - dates[0]) / pd.Timedelta(days=1)
    sessions = dates.normalize().nunique()
    rate = (sessions - 1) * 365.25 / days if sessions > 1 else 252.0
    usual = np.array([252.0, 52.0, 12.0, 4.0, 1.0])
    return float(usual[np.abs(np.log(usual / rate)).argmin()] * round(len(dates) / sessions))


def _returns(fields: xr.Dataset, done: Measures) -> xr.DataArray | None:
    if "returns" in fields:
        return fields["returns"]
    for price in ("adjusted_close", "close"):
        if price in fields:
            done.left_out["Dividends"] = f"the store has no returns: they are those of {price}"
            return time_series.returns(fields[price])
    done.left_out["Factors, betas, signals and risk"] = "the store has neither returns nor prices"
    return None


def _traits(fields: xr.Dataset, options: Options, done: Measures) -> xr.Dataset:
    """The characteristics that the store has fields for."""
    made: dict[str, xr.DataArray] = {}
    if "market_cap" in fields:
        cap = fields["market_cap"]
        made["size"] = xr.ufuncs.log(cap.where(cap > 0))
    else:
        done.left_out["Size (SMB)"] = "the store has no market_cap"
    if "book_to_price" in fields:
        made["value"] = fields["book_to_price"]
    else:
        done.left_out["Value (HML)"] = "the store has no book_to_price"
    lookback, skip = options.momentum
    price = next((fields[p] for p in ("adjusted_close", "close") if p in fields), None)
    if price is None:
        done.left_out["Momentum (MOM)"] = "the store has neither adjusted_close nor close"
    elif fields.sizes[panel.DATE] <= lookback + 1:
        done.left_out["Momentum (MOM)"] = (
            f"{fields.sizes[panel.DATE]} dates are too few for a momentum of {lookback}"
        )
    else:
        past = time_series.returns(time_series.lag(price, skip), lookback - skip)
        made["momentum"] = past.where(price.notnull())
    made |= {name: panel.field(fields, name) for name in options.signals}
    for name in options.signals:
        if set(made[name].dims) != {panel.DATE, panel.ASSET}:
            raise panel.error(
                f"the signal {name!r} has the dims {', '.join(map(str, made[name].dims))}",
                "a number for each date and asset", "Choose another field",
            )  # fmt: skip
    return xr.Dataset({k: v.drop_attrs() for k, v in made.items()})
