"""Portfolios: weights from scores, returns from weights; held through time, hedged, judged."""

from xfactor.portfolios.hedging import hedge
from xfactor.portfolios.performance import performance
from xfactor.portfolios.rebalance import rebalance, rebalance_dates
from xfactor.portfolios.turnover import name_turnover, turnover
from xfactor.portfolios.weights import long_short, portfolio_returns

__all__ = [
    "hedge",
    "long_short",
    "name_turnover",
    "performance",
    "portfolio_returns",
    "rebalance",
    "rebalance_dates",
    "turnover",
]
