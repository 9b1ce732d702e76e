"""Panels as built-in terms meet them: splits, gaps, listings, infinities, ties."""

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st

TARGET = "a00"


def market(seed=0, dates=30, assets=4, dtype=np.float64, gaps=0.15, adjusted=True, listed=True):
    """A panel of prices, numbers, codes, truths and days."""
    rng = np.random.default_rng(seed)
    shape, dims = (dates, assets), ("date", "asset")
    level = 50 * np.exp(np.cumsum(rng.normal(0, 0.05, shape), axis=0))
    factor = np.cumprod(rng.choice([1.0, 1.0, 0.5, 0.97], shape, p=[0.6, 0.3, 0.05, 0.05]), axis=0)
    close = level * factor  # as traded: it falls at splits and dividends
    spread = np.abs(rng.normal(0, 0.02, (2, *shape)))
    fields = {
        "close": close,
        "high": close * (1 + spread[0]),
        "low": close * (1 - spread[1]),
        "volume": rng.integers(0, 1000, shape).astype(float),
        "x": rng.integers(-3, 4, shape).astype(float),
        "y": rng.normal(size=shape).round(1),
    }
    for values in fields.values():
        values[rng.random(shape) < gaps] = np.nan
        values[rng.random(shape) < gaps / 4] = np.inf
    fields["z"] = np.where(rng.random(shape) < gaps, np.nan, rng.normal(size=shape))
    if gaps and dates > 12:
        for values in fields.values():
            values[5:12, rng.integers(assets)] = np.nan
    if adjusted:
        fields["adjusted_close"] = fields["close"] / factor
    days = np.datetime64("2020-01-01") + rng.integers(-30, 60, shape)
    days = days.astype("M8[ns]") + rng.integers(0, 24, shape).astype("m8[h]")
    days[rng.random(shape) < 0.2] = np.datetime64("NaT")
    ds = xr.Dataset(
        {k: (dims, v.astype(dtype)) for k, v in fields.items()}
        | {
            "good": (dims, rng.random(shape) < 0.6),
            "sector": (dims, rng.integers(-1, 3, shape).astype(np.int16)),
            "day": (dims, days),
        },
        coords={
            "date": pd.date_range("2020-01-01", periods=dates, freq="B"),
            "asset": rng.permutation([f"a{i:02d}" for i in range(assets)]),
        },
    )
    return ds.assign(listed=(dims, rng.random(shape) < 0.85)) if listed else ds


@st.composite
def markets(draw, min_dates=12):
    return market(
        seed=draw(st.integers(0, 2**32 - 1)),
        dates=draw(st.integers(min_dates, 26)),
        assets=draw(st.integers(1, 4)),
        gaps=draw(st.sampled_from([0.0, 0.05, 0.3, 0.9])),
        adjusted=draw(st.booleans()),
        listed=draw(st.booleans()),
    )
