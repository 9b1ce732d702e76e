"""Portfolios: weights from scores, returns from weights, hedges, performance."""

from xfactor.portfolios.hedging import hedge
from xfactor.portfolios.performance import performance
from xfactor.portfolios.weights import long_short, portfolio_returns

__all__ = ["hedge", "long_short", "performance", "portfolio_returns"]
