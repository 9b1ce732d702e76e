"""Least squares in both directions, and inference."""

from xfactor.regression.cross_sectional import cross_sectional_ols
from xfactor.regression.fama_macbeth import fama_macbeth, grs_test
from xfactor.regression.inference import newey_west
from xfactor.regression.rolling import rolling_ols
from xfactor.regression.time_series import time_series_ols

__all__ = [
    "cross_sectional_ols",
    "fama_macbeth",
    "grs_test",
    "newey_west",
    "rolling_ols",
    "time_series_ols",
]
