"""Four writers that race: run as ``python racing.py ADDRESS``; prints the fate of each date."""

import os
import sys

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf
from tests.store.killed import forked


def day(i):
    """The panel of the i-th day."""
    return xr.Dataset(
        {"a": (("date", "asset"), np.full((1, 4), float(i)))},
        coords={"date": [pd.Timestamp("2020-01-01") + pd.Timedelta(days=i)], "asset": range(4)},
    )


def race(address, rank):
    """Append ten days, each as soon as the one before has been taken or refused."""
    for k in range(10):
        i = 1 + 4 * k + rank
        try:
            xf.append_panel(day(i), address)
            fate = "there"
        except xf.PanelError as problem:
            fate = str(problem)
        os.write(1, f"{i} {fate}\n".encode())  # whole lines, whoever else is writing


if __name__ == "__main__":
    racers = [forked(race, sys.argv[1], rank) for rank in range(4)]
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in racers))
