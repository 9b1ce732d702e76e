"""Least squares in both directions, inference, and tests of what is left."""

from xfactor.regression.cross_sectional import cross_sectional_ols
from xfactor.regression.diagnostics import (
    breusch_pagan,
    durbin_watson,
    jarque_bera,
    ljung_box,
    vif,
)
from xfactor.regression.fama_macbeth import fama_macbeth, grs_test
from xfactor.regression.inference import newey_west
from xfactor.regression.prediction import predict
from xfactor.regression.rolling import rolling_ols
from xfactor.regression.time_series import time_series_ols

__all__ = [
    "breusch_pagan",
    "cross_sectional_ols",
    "durbin_watson",
    "fama_macbeth",
    "grs_test",
    "jarque_bera",
    "ljung_box",
    "newey_west",
    "predict",
    "rolling_ols",
    "time_series_ols",
    "vif",
]
