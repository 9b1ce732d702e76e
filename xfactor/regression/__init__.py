"""Least squares in both directions, and inference."""

from xfactor.regression.cross_sectional import cross_sectional_ols
from xfactor.regression.inference import newey_west
from xfactor.regression.mimicking import mimicking_portfolios
from xfactor.regression.robust import Huber
from xfactor.regression.rolling import rolling_ols
from xfactor.regression.time_series import time_series_ols
from xfactor.regression.weights import regression_weights

__all__ = [
    "Huber",
    "cross_sectional_ols",
    "mimicking_portfolios",
    "newey_west",
    "regression_weights",
    "rolling_ols",
    "time_series_ols",
]
