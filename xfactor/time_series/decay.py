"""Statistics of the last `window` dates with weights."""

import xarray as xr

from xfactor import panel
from xfactor.kernels import rolling as _moments
from xfactor.time_series._roll import roll
from xfactor.time_series._window import T


def decay_linear(
    x: T,
    *,
    window: int,
    min_obs: int | None = None,
    dim: str = panel.DATE,
    where: xr.DataArray | None = None,
) -> T:
    """Mean over the last `window` dates with weights that fall linearly with age.

    Parameters
    ----------
    x
        Values (date, asset).
    window
        Number of dates.
    min_obs
        Valid values needed; `window` if not given.
    dim
        Dimension to roll along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Weighted means, shaped as `x` and in its units; missing where fewer than `min_obs` values
        are valid.

    Raises
    ------
    PanelError
        If `window` or `min_obs` is not a whole number of at least 1, or `min_obs` exceeds `window`;
        if `x` lacks `dim`, or its dates do not strictly increase; if `where` does not fit `x`: a
        dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool.

    Notes
    -----
    The weights are window, window - 1, ... 1 from t backwards, divided by their sum over the valid
    values. (zipline's `LinearWeightedMovingAverage` divides by the sum of all weights, as if a
    missing value were 0.)

    References
    ----------
    Kakushadze, Z. (2016). 101 formulaic alphas. Wilmott 2016(84), 72-81, appendix:
    ``decay_linear``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> xf.decay_linear(xr.DataArray([3.0, 6.0, 9.0], dims="date"), window=2).values
    array([nan,  5.,  8.])
    """
    return roll(_moments.decay_rows, x, window, min_obs, dim, where, "decay_linear")
