"""Portfolios: sorts and weights from scores, returns from weights, hedges, performance."""

from xfactor.portfolios.french import fama_french_factors
from xfactor.portfolios.hedging import hedge
from xfactor.portfolios.performance import performance
from xfactor.portfolios.sorts import double_sort, quantile_portfolios
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
    "performance",
    "portfolio_returns",
    "portfolio_weights",
    "quantile_portfolios",
]
