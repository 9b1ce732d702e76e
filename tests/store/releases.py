"""Stores as each release wrote them, kept for ever: ``python -m tests.store.releases NAME``.

That makes ``data/NAME.zip`` with this release; what is there is never made anew. Their values
follow from formulas, so that nothing but this file is needed to know them.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf
from xfactor.store import append_table

DATA = Path(__file__).with_name("data")


def panel(dates=range(7), assets=(30, 10, 20)):
    """Every kind of field, by formulas of the day and the asset's label."""
    day, label = np.arange(dates.start, dates.stop)[:, None], np.array(assets)[None, :]
    x = day * 1.5 + label / 8.0
    gone = (day * 7 + label) % 4 == 0
    dims = ("date", "asset")
    reported = np.datetime64("2019-01-01", "ns") + (day * 5 + label).astype("m8[D]")
    return xr.Dataset(
        {
            "close": (dims, np.where(gone, np.nan, x), {"units": "USD"}),
            "weight": (dims[::-1], np.where(gone, np.nan, -x).astype(np.float32).T),
            "book": (dims, x // 4, {"fill": "forward"}),
            "sector": (dims, ((day + label) % 5 - 1).astype(np.int16), {"flag_values": [0, 1, 2]}),
            "listed": (dims, ~gone),
            "reported": (dims, np.where(gone, np.datetime64("NaT", "ns"), reported)),
            "exposure": ((*dims, "factor"), np.stack([x, -x], axis=2)),
            "market": ("date", day[:, 0] / 4.0),
            "founded": ("asset", label[0] * 1.0),
        },
        coords={
            "date": pd.date_range("2020-01-01", periods=dates.stop, unit="ns")[dates.start :],
            "asset": label[0],
            "factor": ["value", "size"],
            "symbol": ("asset", np.array([f"S{a}é" for a in assets], dtype=object)),
        },
        attrs={"source": "formulas"},
    )


def rows():
    """A table of numbers, dates and text."""
    n = np.arange(4)
    return {
        "amount": n / 2.0,
        "seen": np.datetime64("2020-01-01", "ns") + n.astype("m8[D]"),
        "text": np.array([f"row {i}" for i in n], dtype=object),
    }


def write(path):
    """Write what is kept of this release: a store that has been written to, not only made."""
    xf.write_panel(panel(range(5)).chunk(date=2), path)
    xf.append_panel(panel(range(5, 7)), path)
    cells = panel()[["close"]].isel(date=[1], asset=[0]).drop_vars("symbol")
    xf.update_panel(cells * 0 + 1.5 + 30 / 8.0, path)
    append_table(path, "filings", rows())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "p")
        shutil.make_archive(str(DATA / sys.argv[1]), "zip", Path(folder) / "p")
