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
from xfactor.regression.mimicking import mimicking_portfolios
from xfactor.regression.prediction import predict
from xfactor.regression.robust import Huber
from xfactor.regression.rolling import rolling_ols
from xfactor.regression.time_series import time_series_ols
from xfactor.regression.weights import regression_weights

__all__ = [
    "Huber",
    "breusch_pagan",
    "cross_sectional_ols",
    "durbin_watson",
    "fama_macbeth",
    "grs_test",
    "jarque_bera",
    "ljung_box",
    "mimicking_portfolios",
    "newey_west",
    "predict",
    "regression_weights",
    "rolling_ols",
    "time_series_ols",
    "vif",
]
