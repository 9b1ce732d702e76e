"""Small vendor files, written by the tests that need them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

import xfactor as xf

PRICES = {
    "date": ["2013-01-02", "2013-01-03", "2013-01-04", "2013-01-03", "2013-01-04"],
    "symbol": ["B", "B", "B", "A", "A"],
    "open": [9.0, 10.0, 5.0, 30.0, 31.0],
    "high": [11.0, 11.0, 6.0, 33.0, 33.0],
    "low": [9.0, 9.0, 5.0, 30.0, 30.0],
    "close": [10.0, 11.0, 5.5, 30.0, 33.0],
    "adjusted_close": [5.0, 5.5, 5.5, 30.0, 33.0],
    "volume": [100, 200, 400, 10, 20],
    "dividend_amount": [0.0, 0.0, 0.0, 0.0, 0.0],
    "split_coefficient": [1.0, 1.0, 2.0, 1.0, 1.0],
}


def csv_file(folder: Path, columns: dict, name: str = "table.csv") -> Path:
    path = folder / name
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def parquet_file(folder: Path, columns: dict, name: str = "table.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


def text_file(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def panel_store(
    folder: Path,
    dates: pd.DatetimeIndex,
    symbols: list[str],
    *,
    close: float = 10.0,
    splits: dict[tuple[str, str], float] | None = None,
    name: str = "panel.zarr",
) -> Path:
    """Write a store with one close for all cells and the splits given by (symbol, date)."""
    shape = (len(dates), len(symbols))
    split = xr.DataArray(np.ones(shape), {"date": dates, "symbol": symbols}, ("date", "symbol"))
    for (symbol, day), ratio in (splits or {}).items():
        split.loc[{"symbol": symbol, "date": day}] = ratio
    dims = ("date", "asset")
    panel = xr.Dataset(
        {"close": (dims, np.full(shape, close)), "split": (dims, split.values)},
        {"date": dates, "asset": np.arange(1, len(symbols) + 1), "symbol": ("asset", symbols)},
    )
    return xf.write_panel(panel, folder / name)


def reports(*rows: tuple, columns: tuple[str, ...] = ()) -> dict:
    """Lay (ticker, period end, equity, shares, ...) rows out as the columns of a file."""
    names = ("Ticker Symbol", "Period Ending", "Total Equity", "Estimated Shares Outstanding")
    return dict(zip((*names, *columns), map(list, zip(*rows, strict=True)), strict=True))


def bytes_of(store: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(store)): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()
    }
