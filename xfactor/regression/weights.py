"""Weights of a regression across assets."""

from typing import Literal

import numpy as np
import xarray as xr

from xfactor import panel

KINDS = ("square_root", "inverse")


def regression_weights(
    x: xr.DataArray, *, method: Literal["square_root", "inverse"] = "square_root"
) -> xr.DataArray:
    """Weights of squared errors, for `cross_sectional_ols`.

    Specific variance falls with size: roughly as one over the square root of market cap, whose
    root then is the weight that makes errors alike. Where specific variances are known, their
    inverses are.

    Parameters
    ----------
    x
        Market caps, or specific variances (date, asset).
    method
        ``"square_root"`` of market cap, or the ``"inverse"`` of a variance.

    Returns
    -------
    DataArray
        (date, asset), missing where `x` is not a positive number.

    Raises
    ------
    PanelError
        If `method` is unknown.
    TypeError
        If `x` is no DataArray of numbers.

    References
    ----------
    Grinold, R. and Kahn, R. (2000). Active Portfolio Management. McGraw-Hill, chapter 3.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> cap = xr.DataArray([4.0, 0.0, 9.0], dims="asset")
    >>> xf.regression_weights(cap).values
    array([ 2., nan,  3.])
    >>> xf.regression_weights(cap, method="inverse").values[:1]
    array([0.25])
    """
    panel.one_array(x, "regression_weights")
    panel.choice("method", method, KINDS)
    x = panel.as_float(x)
    known = x.where((x > 0) & (x < np.inf))
    out = known**0.5 if method == "square_root" else 1.0 / known
    return out.rename("weights").drop_attrs(deep=False)
