"""How good a signal is: what comes after it, how long it lasts, how much of the universe it has.

Many signals are one array with a `factor` dim: all functions work on it in one pass.
"""

from xfactor.evaluation.buckets import quantile_returns
from xfactor.evaluation.correlation import information_coefficient
from xfactor.evaluation.events import event_returns
from xfactor.evaluation.persistence import coverage, quantile_turnover, rank_autocorrelation
from xfactor.evaluation.signals import evaluate_signals

__all__ = [
    "coverage",
    "evaluate_signals",
    "event_returns",
    "information_coefficient",
    "quantile_returns",
    "quantile_turnover",
    "rank_autocorrelation",
]
