"""Risk: covariances of factors, specific variances, and what of a portfolio's risk is whose."""

from xfactor.risk.covariance import factor_covariance
from xfactor.risk.decomposition import (
    asset_covariance_product,
    portfolio_covariance,
    risk_decomposition,
)

__all__ = [
    "asset_covariance_product",
    "factor_covariance",
    "portfolio_covariance",
    "risk_decomposition",
]
