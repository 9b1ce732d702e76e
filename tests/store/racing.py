"""Writers that race: run as ``python racing.py ADDRESS JOB JOB ...``; prints what each was told.

Each does its ten turns as a daemon would: who is refused looks at the store again and goes on from
what is there, until it is acknowledged. Each value says who wrote it.
"""

import json
import os
import random
import sys
import time

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf
from tests.store.killed import forked

START = pd.Timestamp("2020-01-01")
TURNS = 10


def day(i, number=None, fields=("a",)):
    """The panel of the i-th day, full of one number."""
    values = np.full((1, 4), float(i if number is None else number))
    return xr.Dataset(
        {name: (("date", "asset"), values) for name in fields},
        coords={"date": [START + pd.Timedelta(days=i)], "asset": range(4)},
    )


def appends(address, rank, number):
    """Append the next date."""
    there = xf.open_panel(address)
    at = there.sizes["date"]
    yield at
    xf.append_panel(day(at, number, there.data_vars), address)


def restates(address, rank, number):
    """Restate a cell that is this writer's alone."""
    yield rank
    xf.update_panel(day(0, number).isel(asset=[rank]), address)


def adds(address, rank, number):
    """Add a field."""
    there = xf.open_panel(address)
    yield f"f{number}"
    xf.add_fields(there[["a"]].rename(a=f"f{number}") * 0 + number, address)


JOBS = {"append": appends, "restate": restates, "add": adds}


def race(address, job, rank):
    """Do one job ten times, whatever the others do."""
    random.seed(rank)
    for k in range(TURNS):
        number, why = 100 * (rank + 1) + k, "not yet"
        while why:
            turn, why = JOBS[job](address, rank, number), ""
            at = next(turn)
            try:
                next(turn, None)
            except xf.PanelError as problem:
                why = str(problem)
                time.sleep(random.uniform(0.0, 0.1))
            line = json.dumps({"job": job, "at": at, "number": number, "why": why})
            os.write(1, f"{line}\n".encode())  # whole lines, whoever else is writing


if __name__ == "__main__":
    racers = [forked(race, sys.argv[1], job, rank) for rank, job in enumerate(sys.argv[2:])]
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in racers))
