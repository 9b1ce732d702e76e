"""Risk: covariances of factors, specific variances, and what of a portfolio's risk is whose."""

from xfactor.risk.attribution import attribute_returns, link_contributions
from xfactor.risk.bias import bias_statistic
from xfactor.risk.covariance import factor_covariance
from xfactor.risk.decomposition import (
    asset_covariance_product,
    portfolio_covariance,
    risk_decomposition,
)
from xfactor.risk.specific import specific_variance
from xfactor.risk.tracking import tracking_portfolio

__all__ = [
    "asset_covariance_product",
    "attribute_returns",
    "bias_statistic",
    "factor_covariance",
    "link_contributions",
    "portfolio_covariance",
    "risk_decomposition",
    "specific_variance",
    "tracking_portfolio",
]
