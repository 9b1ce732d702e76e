"""What a transform needs beside its input: the memory plan of a cluster counts on it."""

import ctypes
import gc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xfactor as xf

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
CHUNKS = 3.0  # the result is one of them
# What the allocator and the page tables add to a few arrays.
SLACK_MB = 3.0

TRANSFORMS = {
    "rank": lambda x, by: xf.rank(x, method="average"),
    "rank by": lambda x, by: xf.rank(x, by=by),
    "qcut by": lambda x, by: xf.qcut(x, 10, by=by),
    "winsorize by": lambda x, by: xf.winsorize(x, by=by),
    "standardize": lambda x, by: xf.standardize(x),
    "demean by": lambda x, by: xf.demean(x, by=by),
    "rolling_mean": lambda x, by: xf.rolling_mean(x, window=100),
    "rolling_std": lambda x, by: xf.rolling_std(x, window=100),
    "ewm_mean": lambda x, by: xf.ewm_mean(x, halflife=20),
    "returns": lambda x, by: xf.returns(x),
}


def megabytes(key):
    (line,) = (s for s in STATUS.read_text().splitlines() if s.startswith(key))
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not CLEAR.exists(), reason="the peak can be reset on Linux only")
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform__needs_at_most_three_chunks_of_memory(name):
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.normal(size=(256, 5000)), dims=("date", "asset"))
    by = xr.DataArray(rng.integers(0, 11, 5000).astype(np.int16), dims="asset")
    TRANSFORMS[name](x.isel(date=slice(2)), by)  # Numba compiles
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:  # else the heap that was freed before hides what is taken now
        trim(0)
    CLEAR.write_text("5")
    before = megabytes("VmRSS")
    TRANSFORMS[name](x, by)
    chunk = x.nbytes / 2**20
    extra = megabytes("VmHWM") - before
    print(f"{name}: {extra / chunk:.2f} chunks")
    assert extra <= CHUNKS * chunk + SLACK_MB
