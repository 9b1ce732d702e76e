"""Settings and fixtures shared by all tests.

Hypothesis profiles: ``HYPOTHESIS_PROFILE=ci pytest``; "dev" if not given.
"""

import contextlib
import os
from collections.abc import Iterator

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, settings

# Numba compiles in the middle of a first example and the machine may be shared, so a deadline
# would fail at random; the number of examples bounds the time instead.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# "dev" draws the same examples every time: what passed once does not fail on someone's machine.
settings.register_profile("dev", max_examples=30, derandomize=True, **COMMON)
settings.register_profile("ci", max_examples=200, print_blob=True, **COMMON)
settings.register_profile("nightly", max_examples=2000, print_blob=True, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


# Programs for peers that need not be installed.
collect_ignore_glob = ["benchmarks/peers/in_*.py"]


class ComputedError(AssertionError):
    """Something was computed that should have stayed lazy."""


@contextlib.contextmanager
def raise_if_computes() -> Iterator[None]:
    """Within this block any dask computation raises."""

    def scheduler(*args: object, **kwargs: object) -> None:
        raise ComputedError("a dask graph was computed")

    with dask.config.set(scheduler=scheduler):
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small graphs run fastest, and fail with a readable traceback, on the calling thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


def pytest_runtest_teardown() -> None:
    """Put back the scheduler where a client that could not connect has left dask without one."""
    if dask.config.get("scheduler") == "dask.distributed":
        from distributed import default_client

        try:
            default_client()
        except ValueError:
            dask.config.set(scheduler="synchronous")


@pytest.fixture(name="raise_if_computes")
def raise_if_computes_fixture() -> object:
    return raise_if_computes


@pytest.fixture
def panel() -> xr.Dataset:
    """A panel of 12 dates and 7 assets in no order of labels, with every kind of field."""
    rng = np.random.default_rng(7)
    shape = (12, 7)
    close = rng.lognormal(3.0, 0.5, shape)
    close[rng.random(shape) < 0.15] = np.nan
    dims = ("date", "asset")
    codes = rng.integers(-1, 3, shape).astype(np.int16)
    return xr.Dataset(
        {
            "close": (dims, close, {"units": "USD"}),
            "volume": (dims, rng.integers(0, 10_000, shape)),
            "weight": (dims, rng.random(shape).astype(np.float32)),
            "listed": (dims, rng.random(shape) < 0.8),
            "sector": (dims, codes, {"flag_values": [0, 1, 2], "flag_meanings": "a b c"}),
        },
        coords={
            "date": pd.date_range("2020-01-01", periods=shape[0], freq="B"),
            "asset": np.array([30, 10, 70, 20, 60, 50, 40]),
            "symbol": ("asset", ["CC", "AA", "GG", "BB", "FF", "EE", "DD"]),
        },
        attrs={"source": "drawn"},
    )
