"""Transforms that bring several fields together: residuals, fills and composite scores."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.cross_section._transform import T, transform
from xfactor.kernels import combine as _combine
from xfactor.kernels import rows as _rows

FILLS = ("median", "mean")


def neutralize(
    x: T,
    exposures: xr.DataArray | xr.Dataset | None = None,
    *,
    weights: xr.DataArray | None = None,
    min_obs: int | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Residual of each date's regression on exposures, groups, or both.

    Parameters
    ----------
    x
        Values (date, asset).
    exposures
        One regressor (date, asset) or (asset,), several with a dimension factor, or a Dataset of
        them. A constant is always among the regressors.
    weights
        Regression weights (date, asset); an asset without a positive one has no residual.
    min_obs
        Valid assets needed on a date; one more than coefficients if not given.
    dim
        Dimension to regress along.
    where
        Universe mask.
    by
        Group codes: every group has a constant of its own, so that the residual sums to zero
        within each. Groups are solved by their means (Frisch, Waugh and Lovell), not as dummies.

    Returns
    -------
    DataArray or Dataset
        Residuals, shaped as `x` and in its units: not correlated with the exposures. Missing where
        `x` or an exposure is, on dates with too few assets, and on dates whose exposures are
        collinear or constant (within the groups).

    Raises
    ------
    PanelError
        If neither `exposures` nor `by` is given, or an exposure does not vary along `dim`; if
        `min_obs` is not a whole number of at least 1; if `x` lacks `dim` or is cut into chunks
        along it; if an exposure, `where`, `by` or `weights` does not fit `x`: a dim that `x` lacks,
        other labels or other chunks.
    TypeError
        If `x` or `exposures` is neither a DataArray nor a Dataset, or `x`, an exposure or `weights`
        is an array of dates or text; if `where` is not bool, or `by` not integer codes.

    References
    ----------
    Frisch, R. and Waugh, F. (1933). Partial time regressions as compared with individual trends.
    Econometrica 1, 387-401.

    Lovell, M. (1963). Seasonal adjustment of economic time series and multiple regression analysis.
    Journal of the American Statistical Association 58, 993-1010.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 5.0]], dims=("date", "asset"))
    >>> size = xr.DataArray([[0.0, 1.0, 0.0, 1.0]], dims=("date", "asset"))
    >>> xf.neutralize(x, size).values
    array([[-1. , -1.5,  1. ,  1.5]])
    >>> xf.neutralize(x, by=xr.DataArray([0, 0, 1, 1], dims="asset")).values
    array([[-0.5,  0.5, -1. ,  1. ]])
    """
    arrays = {} if exposures is None else _several(exposures, "neutralize")
    if not arrays and by is None:
        raise panel.error(
            "neutralize found neither exposures nor by", "one of them", "Or use demean"
        )
    least = None if min_obs is None else panel.positive("min_obs", min_obs)
    beside = {"by": by, "weights": weights}
    beside |= {f"exposure {k}": e for k, e in arrays.items()}
    return transform(
        _combine.neutralize_rows, x, dim, "neutralize", where=where, beside=beside, min_obs=least
    )


def fillna(
    x: T,
    *,
    method: Literal["median", "mean"] = "median",
    min_obs: int = 1,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Replace missing values by the median of their date, or of their group.

    Parameters
    ----------
    x
        Values (date, asset).
    method
        What of the valid values is filled in.
    min_obs
        Valid values needed; a group with fewer stays as it is.
    dim
        Dimension to work along.
    where
        Universe mask: only what lies in it is filled. Without it an asset gets values before it
        was listed, and after.
    by
        Group codes: the median of each group. A cell of no group stays as it is.

    Returns
    -------
    DataArray or Dataset
        Values, shaped as `x` and in its units, without gaps but for dates or groups with fewer than
        `min_obs` values; infinities are gaps. Missing outside `where`.

    Raises
    ------
    PanelError
        If `method` is unknown, or `min_obs` is not a whole number of at least 1; if `x` lacks `dim`
        or is cut into chunks along it; if `where` or `by` does not fit `x`: a dim that `x` lacks,
        other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 6.0, float("nan")]], dims=("date", "asset"))
    >>> xf.fillna(x).values
    array([[1., 2., 6., 2.]])
    >>> xf.fillna(x, by=xr.DataArray([0, 0, 1, 1], dims="asset")).values
    array([[1., 2., 6., 6.]])
    """
    panel.choice("method", method, FILLS)
    least = panel.positive("min_obs", min_obs)
    return transform(
        _rows.fill_rows, x, dim, "fillna", beside={"by": by, "where": where}, method=method,
        min_obs=least,
    )  # fmt: skip


def composite(
    x: xr.DataArray | xr.Dataset,
    weights: Mapping[str, float] | None = None,
    *,
    min_obs: int = 1,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.DataArray:
    """One score from several: their weighted sum, the weights shared out over what is known.

    Where some scores of an asset are missing, the weights of the others are scaled up so that
    their absolute values sum to the same.

    Parameters
    ----------
    x
        Scores, made comparable by `standardize` or `rank`: a Dataset of fields (date, asset), or
        a DataArray (date, asset, factor).
    weights
        A weight for each field; negative for those of which less is better. Equal ones that sum
        to 1 if not given: the mean.
    min_obs
        Scores an asset needs.
    dim
        Dimension of the assets.
    where
        Universe mask.

    Returns
    -------
    DataArray
        (date, asset), in the units of the scores; missing where fewer than `min_obs` of them are
        known, or all that are known have weight 0.

    Raises
    ------
    PanelError
        If `x` has no field; if `weights` are not one finite number for each field, or all 0; if
        `min_obs` is not a whole number from 1 to the number of fields; if a field lacks `dim`, is
        cut into chunks along it, or does not fit the first one (another dim, other labels or other
        chunks); if `where` does not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or a field is an array of dates or text; if
        `where` is not bool.

    References
    ----------
    Asness, C., Frazzini, A. and Pedersen, L. (2019). Quality minus junk. Review of Accounting
    Studies 24, 34-112.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> nan = float("nan")
    >>> value = xr.DataArray([[1.0, 2.0, nan]], dims=("date", "asset"))
    >>> size = xr.DataArray([[3.0, nan, nan]], dims=("date", "asset"))
    >>> scores = xr.Dataset({"value": value, "size": size})
    >>> xf.composite(scores, {"value": 0.5, "size": -0.5}).values
    array([[-1.,  2., nan]])
    """
    fields = _several(x, "composite")
    least = panel.positive("min_obs", min_obs)
    if least > len(fields):
        raise panel.error(
            f"min_obs={least} was given for {len(fields)} scores", "no more than these", "Lower it"
        )
    first, *others = (panel.masked(v, where) for v in fields.values())
    for v in others:  # a score of fewer dims, or of more, has no cell for each of the others
        panel.check_dim(v, dim, "composite")
        panel.check_beside(first, v, str(v.name))
    sums = _weights(weights, list(fields))
    kernel = partial(_combine.composite_rows, weights=sums, min_obs=least)
    args = [_apply.Arg(v, (dim,)) for v in (first, *others)]
    out = _apply.Out((dim,), np.result_type(*[a.data.dtype for a in args]))
    (score,) = _apply.along(kernel, args, [out], what="composite")
    return score.transpose(*first.dims).rename("composite")


def _several(x: xr.DataArray | xr.Dataset, what: str) -> dict[str, xr.DataArray]:
    """The fields of a Dataset, or the labels of a factor dim, each as an array of its own."""
    if isinstance(x, xr.Dataset):
        fields = {str(k): v.rename(k) for k, v in x.data_vars.items()}
    elif not isinstance(x, xr.DataArray):
        raise TypeError(f"{what} takes a DataArray or a Dataset; found {type(x).__name__}.")
    elif panel.FACTOR in x.dims:
        labels = x.indexes.get(panel.FACTOR, range(x.sizes[panel.FACTOR]))
        each = (x.isel({panel.FACTOR: k}, drop=True) for k in range(len(labels)))
        fields = {str(k): v.rename(str(k)) for k, v in zip(labels, each, strict=True)}
    else:
        fields = {str(x.name or "x"): x}
    if not fields:
        raise panel.error(f"{what} found no field", "at least one", "Put variables into x")
    return fields


def _weights(weights: Mapping[str, float] | None, names: list[str]) -> tuple[float, ...]:
    if weights is None:
        return (1.0 / len(names),) * len(names)
    if not isinstance(weights, Mapping):
        raise panel.error(
            f"weights={panel.shown(weights)} was given",
            "a mapping of fields to numbers",
            f"Use e.g. {dict.fromkeys(names[:2], 0.5)}",
        )
    given = {str(k): panel.number(f"the weight of {k}", v) for k, v in weights.items()}
    if set(given) != set(names):
        raise panel.error(
            f"weights has {', '.join(given) or 'nothing'}",
            f"a weight for each of {', '.join(names)}",
            "Give 0 to what should not count",
        )
    if not np.isfinite(list(given.values())).all() or not any(given.values()):
        raise panel.error(f"weights={weights!r} was given", "finite weights, not all 0", "Set them")
    return tuple(given[n] for n in names)
