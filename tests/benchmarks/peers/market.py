"""The panel on which the sides meet, as a store and as Parquet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

import xfactor as xf
from tests.benchmarks.peers.task import FIELDS, Size

LARGE = 20_000_000  # cells of a field


def blocks(size: Size, rows: int, seed: int = 0) -> Iterator[xr.Dataset]:
    """The panel, a few dates at a time: heavy tails, ties, assets that come and go, holes."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2000-01-03", periods=size.dates, freq="B")
    first = np.where(rng.random(size.assets) < 0.75, 0, rng.integers(0, size.dates, size.assets))
    last = np.where(rng.random(size.assets) < 0.9, size.dates,
                    rng.integers(0, size.dates, size.assets))  # fmt: skip
    log_price = rng.normal(3.0, 0.7, size.assets)
    shares = np.exp(rng.normal(17.0, 1.5, size.assets))
    book = np.exp(rng.normal(-0.7, 0.6, size.assets)) * np.exp(log_price)
    beta = rng.normal(1.0, 0.3, size.assets)
    for start in range(0, size.dates, rows):
        date = days[start : start + rows]
        shape = (len(date), size.assets)
        shock = 0.01 * beta * rng.standard_normal((len(date), 1))
        shock += 0.02 * rng.standard_t(4, shape)
        paths = log_price + np.cumsum(np.log1p(np.clip(shock, -0.5, 1.0)), axis=0)
        log_price = paths[-1]
        close = np.exp(paths)
        values = {
            "market_cap": shares * close,
            "book_to_price": np.round(book / close, 2),  # many ties
            "close": close,
            "returns": np.clip(shock, -0.5, 1.0),
        }
        at = np.arange(start, start + len(date))[:, None]
        listed = (at >= first) & (at < last)
        made = {}
        for name, v in values.items():
            known = listed & (rng.random(shape) > 0.03)
            made[name] = (("date", "asset"), np.where(known, v, np.nan))
        made["listed"] = (("date", "asset"), listed)
        yield xr.Dataset(made, {"date": date, "asset": np.arange(size.assets)})


def chunk_dates(size: Size) -> int:
    """Dates in a chunk: the default, and fewer where memory is to be short."""
    return 256 if size.dates * size.assets < LARGE else 64


def write(folder: Path, size: Size) -> None:
    """The same panel as a store and as Parquet: a row for each date and listed asset."""
    store, writer = folder / "panel.zarr", None
    rows = chunk_dates(size)
    for block in blocks(size, 4 * rows):  # several chunks: a store's first one alone may grow
        fields = block[list(FIELDS)]
        if writer is None:
            xf.write_panel(fields.chunk(date=rows), store)
        else:
            xf.append_panel(fields.chunk(date=rows), store)
        row, column = np.nonzero(block.listed.values)
        columns = {"date": pa.array(block.date.values[row].astype("datetime64[D]")),
                   "asset": pa.array(column.astype(np.int32))}  # fmt: skip
        for name in FIELDS:
            columns[name] = pa.array(block[name].values[row, column], from_pandas=True)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(folder / "panel.parquet", table.schema,
                                            compression="zstd", compression_level=1)  # fmt: skip
        writer.write_table(table)
    if writer is not None:
        writer.close()
