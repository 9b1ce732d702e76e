"""Portfolios: sorts, weights and returns; held through time, hedged, judged."""

from xfactor.portfolios.french import fama_french_factors
from xfactor.portfolios.hedging import hedge
from xfactor.portfolios.performance import performance
from xfactor.portfolios.rebalance import rebalance, rebalance_dates
from xfactor.portfolios.sorts import double_sort, quantile_portfolios
from xfactor.portfolios.turnover import name_turnover, turnover
from xfactor.portfolios.weights import (
    factor_weights,
    long_short,
    portfolio_returns,
    portfolio_weights,
)

__all__ = [
    "double_sort",
    "factor_weights",
    "fama_french_factors",
    "hedge",
    "long_short",
    "name_turnover",
    "performance",
    "portfolio_returns",
    "portfolio_weights",
    "quantile_portfolios",
    "rebalance",
    "rebalance_dates",
    "turnover",
]
