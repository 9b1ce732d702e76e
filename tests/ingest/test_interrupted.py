"""An ingest of records that ends between its steps, or is killed in one: run again, it is whole."""

import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import fields, fundamentals, ingest_fundamentals

DATES = pd.date_range("2013-01-07", periods=12, freq="60D", name="date")
NAMES = ["symbol", "period_end", "book_equity", "shares_outstanding"]
FIRST = pd.DataFrame([("A", "2012-12-31", 5.0, 1.0), ("B", "2012-12-31", 5.0, 2.0)], columns=NAMES)
LATER = pd.DataFrame([("A", "2013-12-31", 7.0, 1.0), ("B", "2013-12-31", 7.0, 2.0)], columns=NAMES)
RULES = {"grown": "yoy(book_equity)"}


class EndedError(BaseException):
    """What no `except Exception` stops."""


def store_of(folder, name="panel.zarr"):
    """A store of reports; the next ones show that B repeats A, and there is a list of sectors."""
    store = files.panel_store(folder, DATES, ["A", "B"], name=name)
    first = files.text_file(folder, "Symbol,Sector\nA,Media\n", "first.csv")
    files.text_file(folder, "Symbol,Sector\nB,Energy\n", "later.csv")
    ingest_fundamentals(FIRST, store, securities=first)
    return store


def later(folder, store):
    listing = folder / "later.csv"
    return ingest_fundamentals(LATER, store, securities=listing, fields=RULES)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("module", "step"),
    [(fields, "update_panel"), (fields, "add_fields"), (fundamentals, "update_panel")],
)
def test_ingest_fundamentals__that_ended_between_steps_is_done_again(
    tmp_path, monkeypatch, module, step, after
):
    whole = store_of(tmp_path, "whole.zarr")
    later(tmp_path, whole)
    store = store_of(tmp_path)
    before = xf.open_panel(store).load()
    real = getattr(module, step)

    def ends(*args, **options):
        if after:
            real(*args, **options)
        raise EndedError

    with monkeypatch.context() as patch:
        patch.setattr(module, step, ends)
        with pytest.raises(EndedError):
            later(tmp_path, store)
    between = xf.open_panel(store).load()
    xr.testing.assert_equal(  # the past is as it was, whatever was written
        between["book_equity"].sel(date=slice(None, "2013-12-31"), asset=1),
        before["book_equity"].sel(date=slice(None, "2013-12-31"), asset=1),
    )
    later(tmp_path, store)
    found, expected = xf.open_panel(store).load(), xf.open_panel(whole).load()
    xr.testing.assert_identical(found[sorted(found)], expected[sorted(expected)])


KILLED = """
import os, pathlib, signal, sys
from tests.ingest import test_interrupted as t
from xfactor.store.transaction import Transaction

def publish(self, *args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

Transaction.publish = publish
folder = pathlib.Path(sys.argv[1])
t.later(folder, folder / "panel.zarr")
"""


def test_ingest_fundamentals__that_was_killed_is_done_again(tmp_path):
    whole = store_of(tmp_path, "whole.zarr")
    later(tmp_path, whole)
    store = store_of(tmp_path)
    before = xf.open_panel(store).load()
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    xr.testing.assert_identical(xf.open_panel(store).load(), before)
    later(tmp_path, store)
    found, expected = xf.open_panel(store).load(), xf.open_panel(whole).load()
    xr.testing.assert_identical(found[sorted(found)], expected[sorted(expected)])
    assert np.isfinite(found["grown"].isel(date=-1, asset=0))
