"""Least squares in both directions, and inference."""

from xfactor.regression.cross_sectional import cross_sectional_ols
from xfactor.regression.inference import newey_west
from xfactor.regression.prediction import predict
from xfactor.regression.rolling import rolling_ols
from xfactor.regression.time_series import time_series_ols

__all__ = ["cross_sectional_ols", "newey_west", "predict", "rolling_ols", "time_series_ols"]
