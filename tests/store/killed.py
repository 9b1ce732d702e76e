"""Writers that are killed: run as ``python killed.py ADDRESS KILLS SEED``; prints what was found.

Each writer is a fork of this process, which has imported everything and started no thread: forking
is quick, so the kills fall all over an append and not only into imports.
"""

import os
import signal
import sys
import time

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf

START = pd.Timestamp("2020-01-01")


def day(i):
    """The only panel there can be on the i-th day."""
    values = np.arange(50.0)[None] + 1000 * i
    return xr.Dataset(
        {"a": (("date", "asset"), values), "b": (("date", "asset"), values.astype("f4"))},
        coords={"date": [START + pd.Timedelta(days=i)], "asset": np.arange(50)},
    )


def write(address, acknowledged):
    """Append days until killed; tell each one that was acknowledged."""
    while True:
        n = xf.open_panel(address).sizes["date"]
        xf.append_panel(day(n), address)
        os.write(acknowledged, (n + 1).to_bytes(4, "little"))


def verify(address):
    """Return the number of days if they are whole, else fail."""
    panel = xf.open_panel(address).compute()
    n = panel.sizes["date"]
    xr.testing.assert_equal(panel, xr.concat([day(i) for i in range(n)], "date"))
    return n


def forked(task, *args):
    pid = os.fork()
    if pid == 0:
        try:
            task(*args)
            os._exit(0)
        except BaseException as problem:
            print(repr(problem), flush=True)
            os._exit(1)
    return pid


def main(address, kills, seed):
    """Kill so many writers; after each the store must be whole, with all that was acknowledged."""
    rng = np.random.default_rng(seed)
    assert os.waitpid(forked(xf.write_panel, day(0), address), 0)[1] == 0
    began = time.monotonic()
    assert os.waitpid(forked(xf.append_panel, day(1), address), 0)[1] == 0
    took = time.monotonic() - began  # the machine may be busy: kills fall within two appends
    most = 2
    for _ in range(kills):
        reader, writer = os.pipe()
        pid = forked(write, address, writer)
        os.close(writer)
        time.sleep(rng.uniform(0, 2 * took))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with open(reader, "rb") as pipe:
            told = pipe.read()
        most = max(most, int.from_bytes(told[-4:], "little"))

        def check(least=most):
            n = verify(address)
            assert n >= least, f"{least} days were acknowledged, {n} are there"
            print(n, flush=True)

        if os.waitpid(forked(check), 0)[1] != 0:
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
