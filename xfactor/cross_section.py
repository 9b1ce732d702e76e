"""Transforms along the asset axis: every date by itself.

Shared by all functions here:

- `x` is a DataArray or a Dataset (each of its variables), numpy- or dask-backed, in any order of
  dims. Any chunks along date; one chunk along `dim`. The result is lazy if `x` is, has the kind,
  dims, order, coords and attrs of `x`, and is the same bit for bit whatever the chunks.
- NaN means missing, infinities count as missing. A missing cell does not enter the statistic and
  stays missing; it never spreads to another asset.
- `where` is a bool mask, the universe on each date: cells outside it are missing.
- float32 stays float32, statistics are accumulated in float64; other numbers become float64.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels import rank as _rank
from xfactor.kernels import rows as _rows

T = TypeVar("T", xr.DataArray, xr.Dataset)


def rank(
    x: T,
    *,
    method: Literal["ordinal", "average", "min", "max", "dense"] = "ordinal",
    ascending: bool = True,
    pct: bool = False,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> T:
    """Rank the assets of each date, 1 for the smallest.

    Parameters
    ----------
    x
        Values (date, asset).
    method
        What equal values get: ``"ordinal"`` ranks them in the order of their labels (so every
        rank from 1 to n is given once, and storage order does not matter); ``"average"``,
        ``"min"``, ``"max"`` and ``"dense"`` are those of `scipy.stats.rankdata`.
    ascending
        If False, 1 is for the largest; ties are still in label order.
    pct
        Divide by the number of valid values: ranks lie in (0, 1].
    dim
        Dimension to rank along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Ranks as floats, missing where `x` is.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 1.0]], dims=("date", "asset"))
    >>> xf.rank(x).values
    array([[ 3.,  1., nan,  2.]])
    >>> xf.rank(x, method="average").values
    array([[3. , 1.5, nan, 1.5]])
    """
    panel.choice("method", method, _rank.METHODS)
    options = {"method": _rank.METHODS[method], "ascending": ascending, "pct": pct}
    return _transform(_ranks, x, dim, where, "rank", labelled=True, **options)


def top(x: T, n: int, *, dim: str = panel.ASSET, where: xr.DataArray | None = None) -> T:
    """Mark the `n` assets with the largest values on each date.

    Exactly `n` are marked, or all valid ones where there are fewer. Both `top` and `bottom` cut
    the one ordinal rank (ties in label order), so on a date with at least 2 n valid values no
    asset is in both.

    Parameters
    ----------
    x
        Values (date, asset).
    n
        How many.
    dim
        Dimension to choose along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        bool, False where missing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.top(x, 2).values
    array([[ True, False, False,  True]])
    """
    n = panel.positive("n", n)
    return _transform(_rank.top_rows, x, dim, where, "top", np.bool_, labelled=True, n=n)


def bottom(x: T, n: int, *, dim: str = panel.ASSET, where: xr.DataArray | None = None) -> T:
    """Mark the `n` assets with the smallest values on each date; see `top`.

    Parameters
    ----------
    x
        Values (date, asset).
    n
        How many.
    dim
        Dimension to choose along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        bool, False where missing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.bottom(x, 1).values
    array([[False,  True, False, False]])
    """
    n = panel.positive("n", n)
    return _transform(_rank.bottom_rows, x, dim, where, "bottom", np.bool_, labelled=True, n=n)


def quantile(
    x: xr.DataArray,
    q: float | Sequence[float],
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.DataArray:
    """Quantiles of each date, with linear interpolation as in `numpy.quantile`.

    Parameters
    ----------
    x
        Values (date, asset).
    q
        Fraction in [0, 1], or several.
    dim
        Dimension to reduce.
    where
        Universe mask.

    Returns
    -------
    DataArray
        (date,) for one `q`, (date, quantile) for several; missing on a date without values.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.quantile(x, [0.5, 0.75]).values
    array([[2. , 2.5]])
    """
    fractions = np.atleast_1d(np.asarray(q, dtype=np.float64))
    if fractions.ndim != 1 or not ((fractions >= 0) & (fractions <= 1)).all():
        raise panel.error(f"q={q!r} was given", "fractions in [0, 1]", "Use e.g. q=[0.25, 0.75]")
    panel.one_array(x, "quantile")
    panel.check_dim(x, dim, "quantile")
    values = panel.masked(x, where)
    out = _apply.Out(("quantile",), values.dtype, {"quantile": fractions})
    kernel = partial(_rows.quantile_rows, q=fractions)
    (result,) = _apply.along(kernel, [_apply.Arg(values, (dim,))], [out], what="quantile")
    result = result.rename(x.name).assign_attrs(x.attrs)
    return result.isel(quantile=0) if np.ndim(q) == 0 else result


def qcut(
    x: xr.DataArray,
    bins: int,
    *,
    breakpoints_from: xr.DataArray | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> xr.DataArray:
    """Bucket each date into `bins` quantiles, 0 for the smallest values.

    The label counts the pivots below a value. The pivots are the order statistics at
    floor(k (n - 1) / bins) for k = 1 .. bins - 1, so equal values always share a bucket, nothing
    is interpolated, and ties never raise; where `pandas.qcut` computes its edges exactly, the
    labels are the same.

    Parameters
    ----------
    x
        Values (date, asset).
    bins
        Number of buckets, at most 32,767.
    breakpoints_from
        bool mask: the pivots are taken from these assets only (e.g. NYSE), the labels are given
        to all.
    dim
        Dimension to cut along.
    where
        Universe mask.

    Returns
    -------
    DataArray
        int16 labels 0 .. bins - 1; -1 where missing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0, 9.0]], dims=("date", "asset"))
    >>> xf.qcut(x, 2).values
    array([[ 1,  0, -1,  0,  1]], dtype=int16)
    """
    bins = panel.positive("bins", bins)
    if bins > np.iinfo(np.int16).max:
        raise panel.error(f"bins={bins} was given", "at most 32767 buckets", "Use rank instead")
    panel.one_array(x, "qcut")
    panel.check_dim(x, dim, "qcut")
    args = [_apply.Arg(panel.masked(x, where), (dim,))]
    if breakpoints_from is not None:
        panel.check_mask(x, breakpoints_from, "breakpoints_from")
        mask = breakpoints_from.rename("breakpoints_from")
        args.append(_apply.Arg(mask, (dim,) if dim in mask.dims else ()))
    kernel = partial(_qcut, bins=bins)

    def cut(_: xr.DataArray) -> xr.DataArray:
        return _apply.along(kernel, args, [_apply.Out((dim,), np.int16)], what="qcut")[0]

    return _apply.one(cut, x)


def winsorize(
    x: T,
    limits: float | tuple[float, float] = 0.01,
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> T:
    """Pull the extreme values of each date in to the nearest kept value.

    Of n valid values the int(limit * n) smallest are set to the next one, and likewise the
    largest. Missing values are not counted (`scipy.stats.mstats.winsorize` counts them, and then
    fills them in); without missing values the result equals scipy's.

    Parameters
    ----------
    x
        Values (date, asset).
    limits
        Fraction to pull in on each side, or (low, high).
    dim
        Dimension to work along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Winsorized values.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[-99.0, 1.0, 2.0, 3.0, 99.0]], dims=("date", "asset"))
    >>> xf.winsorize(x, 0.2).values
    array([[1., 1., 2., 3., 3.]])
    """
    low, high = limits if isinstance(limits, tuple) else (limits, limits)
    if not (low >= 0 and high >= 0 and low + high < 1):
        raise panel.error(
            f"limits={limits!r} was given", "fractions that sum to less than 1", "Use e.g. 0.01"
        )
    return _transform(_rows.winsorize_rows, x, dim, where, "winsorize", low=low, high=high)


def zscore(x: T, *, ddof: int = 0, dim: str = panel.ASSET, where: xr.DataArray | None = None) -> T:
    """Subtract the mean of each date and divide by its standard deviation.

    Parameters
    ----------
    x
        Values (date, asset).
    ddof
        The divisor of the variance is n - ddof.
    dim
        Dimension to work along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        z-scores; missing on a date whose standard deviation is 0 (one value, or all equal).

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, float("nan"), 3.0]], dims=("date", "asset"))
    >>> xf.zscore(x).values
    array([[-1., nan,  1.]])
    """
    ddof = panel.positive("ddof", ddof, 0)
    return _transform(_rows.zscore_rows, x, dim, where, "zscore", ddof=ddof)


def standardize(
    x: T,
    limits: float | tuple[float, float] = 0.01,
    *,
    ddof: int = 0,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
) -> T:
    """Winsorize, then z-score: the lecture's way from a characteristic to an exposure.

    Parameters
    ----------
    x
        Characteristic (date, asset).
    limits
        As in `winsorize`.
    ddof
        As in `zscore`.
    dim
        Dimension to work along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Exposures: mean 0 and standard deviation 1 on each date.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 1e9]], dims=("date", "asset"))
    >>> xf.standardize(x, 0.25).values
    array([[-1., -1.,  1.,  1.]])
    """
    return zscore(winsorize(x, limits, dim=dim, where=where), ddof=ddof, dim=dim)


def demean(x: T, *, dim: str = panel.ASSET, where: xr.DataArray | None = None) -> T:
    """Subtract the mean of each date.

    Parameters
    ----------
    x
        Values (date, asset).
    dim
        Dimension to work along.
    where
        Universe mask.

    Returns
    -------
    DataArray or Dataset
        Deviations from the mean.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, float("nan"), 3.0]], dims=("date", "asset"))
    >>> xf.demean(x).values
    array([[-1., nan,  1.]])
    """
    return _transform(_rows.demean_rows, x, dim, where, "demean")


def _transform(
    kernel: _apply.Kernel,
    x: T,
    dim: str,
    where: xr.DataArray | None,
    what: str,
    dtype: Any = None,
    labelled: bool = False,
    **options: Any,
) -> T:
    """Run a row kernel that keeps the shape; a `labelled` one gets the columns' label order."""

    def transform(v: xr.DataArray) -> xr.DataArray:
        v = panel.masked(v, where)
        if labelled and dim in v.indexes:
            options["order"] = panel.label_order(v.indexes[dim])
        out = _apply.Out((dim,), dtype or v.dtype)
        run = partial(kernel, **options)
        return _apply.along(run, [_apply.Arg(v, (dim,))], [out], what=what)[0]

    return _apply.over_variables(transform, x, dim, what)


def _ranks(
    x: np.ndarray, method: int, ascending: bool, pct: bool, order: np.ndarray | None = None
) -> np.ndarray:
    ranks = _rank.rank_rows(x, method, ascending, order)
    if pct:
        ranks /= np.maximum(np.isfinite(ranks).sum(axis=1, keepdims=True), 1)
    return ranks


def _qcut(x: np.ndarray, breakpoints: np.ndarray | None = None, *, bins: int) -> np.ndarray:
    if breakpoints is not None and breakpoints.ndim == 1:
        breakpoints = np.broadcast_to(breakpoints[:, None], x.shape)
    return _rows.qcut_rows(x, bins, breakpoints)
