"""Simulated universes with a known truth, of any size, generated chunk by chunk."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply, _scan, panel
from xfactor.kernels import simulate as _simulate

FACTORS = ("market", "size", "value", "momentum")
SECTORS = (
    "energy", "materials", "industrials", "consumer_discretionary", "consumer_staples",
    "health_care", "financials", "technology", "communication", "utilities", "real_estate",
)  # fmt: skip
_FIRST_ID = 10_001

_ATTRS: dict[str, dict[str, Any]] = {
    "close": {"units": "USD", "long_name": "closing price, unadjusted"},
    "adjusted_close": {
        "units": "USD",
        "long_name": "closing price in units of the share at its listing",
    },
    "volume": {"units": "shares", "long_name": "shares traded"},
    "returns": {"units": "1", "long_name": "return since the session before"},
    "split": {"units": "1", "long_name": "new shares for one old share, effective this session"},
    "shares_outstanding": {
        "units": "shares", "long_name": "shares outstanding", "fill": "forward",
    },
    "market_cap": {"units": "USD", "long_name": "shares outstanding times closing price"},
    "book_equity": {
        "units": "USD", "long_name": "book equity as last filed", "fill": "forward",
    },
    "book_to_price": {"units": "1", "long_name": "book equity over market capitalisation"},
    "sector": {
        "long_name": "sector",
        "flag_values": np.arange(len(SECTORS), dtype=np.int16),
        "flag_meanings": " ".join(SECTORS),
    },
    "listed": {"long_name": "whether the asset is listed"},
    "market_returns": {"units": "1", "long_name": "return of the market since the session before"},
    "risk_free": {"units": "1", "long_name": "riskless return since the session before"},
    "factor_returns": {"units": "1", "long_name": "true factor return"},
    "sector_returns": {"units": "1", "long_name": "true sector return"},
    "beta": {"units": "1", "long_name": "true market beta"},
    "exposure": {"units": "1", "long_name": "true exposure as known at the date"},
    "specific_returns": {"units": "1", "long_name": "true specific return"},
}  # fmt: skip


def simulate_panel(
    *,
    dates: int = 1260,
    assets: int = 1000,
    seed: int = 0,
    chunk_dates: int = 256,
    start: str = "2000-01-03",
) -> tuple[xr.Dataset, xr.Dataset]:
    """Simulate a market of daily prices and fundamentals whose factor returns are known.

    The return of an asset is the sum of

    - its beta times the return of the market,
    - its exposures to size, value and momentum as known one session before, times their returns,
    - the return of its sector, and
    - a heavy-tailed specific return.

    The exposures are those that `standardize` gives on the listed assets, from the log of
    ``market_cap``, from ``book_to_price`` and from the change of ``adjusted_close`` between 252
    and 21 sessions before; a missing one counts as 0. Assets are listed and delisted over time,
    prices have gaps, shares split, and each asset files its book equity and its number of shares
    every quarter, 30 to 90 days after the quarter's end.

    Parameters
    ----------
    dates
        Number of sessions: business days from `start` on.
    assets
        Number of assets, of which some are listed only later, or not yet.
    seed
        Seed of all randomness, a whole number of at least 0. The same `seed`, `assets` and
        `start` give the same values bit for bit, whatever `chunk_dates`; a longer simulation
        begins with the shorter one.
    chunk_dates
        Sessions in a chunk. Sessions are generated in their order, so a later chunk costs all
        earlier ones; memory holds a few chunks of all fields.
    start
        First date.

    Returns
    -------
    panel : Dataset
        Fields (date, asset), lazy, missing outside the life of an asset: ``close``,
        ``adjusted_close`` (close times all splits since the listing), ``volume``, ``returns``,
        ``split`` (1 on most days), ``shares_outstanding``, ``market_cap``, ``book_equity``,
        ``book_to_price`` (missing unless book equity is positive), ``sector`` (int16 codes of
        ``flag_meanings``, -1 missing) and ``listed`` (bool); and ``market_returns`` and
        ``risk_free`` (date,). The coordinate ``symbol`` (asset,) holds tickers. Money is in USD,
        returns are decimal. On the last session of its
        life an asset has no price: its return is the delisting return, -0.3 for a third of them.
        The return into and out of a gap in the prices is missing.
    truth : Dataset
        ``factor_returns`` (date, factor), ``sector_returns`` (date, sector), which sum to zero
        on each date, ``beta`` (asset,), ``exposure`` (date, asset, factor) as known at the date,
        so that it enters the return one date later, and ``specific_returns`` (date, asset),
        what is left of each return.

    Raises
    ------
    PanelError
        If a number is not a whole number in its range, or `start` is not a date.

    Notes
    -----
    Momentum needs 253 sessions of prices, so before that all its exposures are missing. The
    premia of the styles are larger than in life: five years are enough to see them.

    References
    ----------
    Rosenberg, B. (1974). Extra-market components of covariance in security returns. Journal of
    Financial and Quantitative Analysis 9, 263-274: the model.

    Carhart, M. (1997). On persistence in mutual fund performance. Journal of Finance 52, 57-82:
    momentum of months -12 to -2.

    Shumway, T. (1997). The delisting bias in CRSP data. Journal of Finance 52, 327-340.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=300, assets=50, seed=1)
    >>> dict(panel.sizes)
    {'date': 300, 'asset': 50}
    >>> lagged = xf.lag(truth.exposure).fillna(0.0)
    >>> explained = (lagged * truth.factor_returns).sum("factor")
    >>> by_sector = truth.sector_returns.isel(sector=panel.sector.load())
    >>> by_sector = by_sector.where(panel.sector >= 0, 0.0)
    >>> gap = panel.returns - explained - by_sector - truth.specific_returns
    >>> bool(abs(gap).max() < 1e-12)
    True
    """
    dates, assets = panel.positive("dates", dates), panel.positive("assets", assets)
    seed, chunk_dates = panel.positive("seed", seed, 0), panel.positive("chunk_dates", chunk_dates)
    sessions = _sessions(start, dates)
    ids = np.arange(_FIRST_ID, _FIRST_ID + assets)
    universe = _simulate.draw_universe(seed, assets)
    days, factors, sectors = _market(seed, sessions, chunk_dates)
    made = _scan.scan(
        partial(_simulate.simulate_rows, seed=seed, n=assets),
        [
            _apply.Arg(days),
            _apply.Arg(factors, (panel.FACTOR,)),
            _apply.Arg(sectors, ("sector",)),
        ],
        [_out(name, dtype, ids) for name, dtype in _simulate.FIELDS.items()],
        what="simulate",
    )
    fields = dict(zip(_simulate.FIELDS, made, strict=True))
    exposure, specific = fields.pop("exposure"), fields.pop("specific_returns")
    fields["market_returns"] = factors.sel({panel.FACTOR: "market"}, drop=True)
    fields["risk_free"] = days.copy(data=_simulate.draw_risk_free(seed, dates))
    truth = {
        "factor_returns": factors,
        "sector_returns": sectors,
        "beta": xr.DataArray(universe.beta.copy(), dims=panel.ASSET),
        "exposure": exposure.transpose(panel.DATE, panel.ASSET, panel.FACTOR),
        "specific_returns": specific,
    }
    labels = {"symbol": (panel.ASSET, _symbols(assets), {"long_name": "ticker"})}
    return _described(fields, labels), _described(truth, labels)


def _sessions(start: str, dates: int) -> pd.DatetimeIndex:
    try:
        return pd.bdate_range(start, periods=dates, name=panel.DATE).as_unit("ns")
    except (TypeError, ValueError, AttributeError) as reason:  # the last of NaT
        raise panel.error(
            f"start={start!r} and dates={dates} give no sessions ({reason})",
            "a date within 1678 to 2262",
            "Use e.g. start='2000-01-03'",
        ) from reason


def _market(
    seed: int, sessions: pd.DatetimeIndex, chunk_dates: int
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Days since 1970 (date,), factor returns (date, factor), sector returns (date, sector).

    They are drawn in tasks of their own, block by block, though they are small: dask finishes
    what follows from one block before it starts another that opens a new source. With nothing
    to open it would run the whole simulation, and hold it, before it writes the first block.
    """
    numbers = sessions.to_numpy().astype("datetime64[D]").astype(np.int64)
    days = xr.DataArray(numbers, dims=panel.DATE, coords={panel.DATE: sessions})
    days = days.chunk({panel.DATE: chunk_dates})
    outs = [
        _apply.Out((panel.FACTOR,), np.float64, {panel.FACTOR: FACTORS}),
        _apply.Out(("sector",), np.float64, {"sector": SECTORS}),
    ]
    kernel = partial(_simulate.market_rows, seed=seed)
    factors, sectors = _apply.window(kernel, [_apply.Arg(days)], outs, what="market")
    return days, factors, sectors


def _out(name: str, dtype: Any, ids: np.ndarray) -> _apply.Out:
    core = (panel.FACTOR, panel.ASSET) if name == "exposure" else (panel.ASSET,)
    return _apply.Out(core, dtype, {panel.ASSET: ids})


def _symbols(n: int) -> np.ndarray:
    """Tickers of four letters (more, if there are more assets than those can name)."""
    width = 4
    while 26**width < n:
        width += 1
    places = np.arange(n)[:, None] // 26 ** np.arange(width - 1, -1, -1) % 26
    return np.array(["".join(chr(65 + p) for p in row) for row in places])


def _described(variables: dict[str, xr.DataArray], labels: dict[str, Any]) -> xr.Dataset:
    described = {name: v.assign_attrs(_ATTRS[name]) for name, v in variables.items()}
    return xr.Dataset(described).assign_coords(labels)
