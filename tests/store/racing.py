"""One of several writers: run as ``python racing.py ADDRESS RANK``; prints the fate of each date."""

import sys

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf


def day(i):
    """The panel of the i-th day."""
    return xr.Dataset(
        {"a": (("date", "asset"), np.full((1, 4), float(i)))},
        coords={"date": [pd.Timestamp("2020-01-01") + pd.Timedelta(days=i)], "asset": range(4)},
    )


if __name__ == "__main__":
    for k in range(10):
        i = 1 + 4 * k + int(sys.argv[2])
        try:
            xf.append_panel(day(i), sys.argv[1])
            print(i, "there", flush=True)
        except xf.PanelError as problem:
            print(i, problem, flush=True)
