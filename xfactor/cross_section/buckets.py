"""Choosing and sorting the assets of each date: the ends, ranges, quantiles and buckets."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.cross_section._transform import T, run, transform
from xfactor.kernels import rank as _rank
from xfactor.kernels import rows as _rows

CUTS = ("pivot", "ecdf", "rank")


def top(
    x: T,
    n: int,
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
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
    by
        Group codes: `n` of each group.

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
    return _end(_rank.top_rows, x, n, dim, where, by, "top")


def bottom(
    x: T,
    n: int,
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
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
    by
        Group codes: `n` of each group.

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
    return _end(_rank.bottom_rows, x, n, dim, where, by, "bottom")


def _end(
    kernel: _apply.Kernel,
    x: T,
    n: int,
    dim: str,
    where: xr.DataArray | None,
    by: xr.DataArray | None,
    what: str,
) -> T:
    n = panel.positive("n", n)
    return transform(
        kernel, x, dim, what, where=where, dtype=np.bool_, labelled=True, beside={"by": by}, n=n
    )


def between(
    x: T,
    low: float,
    high: float,
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Mark the assets whose values lie between two quantiles of their date, both included.

    Parameters
    ----------
    x
        Values (date, asset).
    low, high
        Fractions in [0, 1]; the quantiles are those of `quantile`.
    dim
        Dimension to choose along.
    where
        Universe mask.
    by
        Group codes: quantiles of each group.

    Returns
    -------
    DataArray or Dataset
        bool, False where missing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.between(x, 0.5, 1.0).values
    array([[ True, False, False,  True]])
    """
    if not 0 <= low <= high <= 1:
        raise panel.error(
            f"low={low!r} and high={high!r} were given",
            "0 <= low <= high <= 1",
            "Use fractions, e.g. between(x, 0.1, 0.9)",
        )
    return transform(
        _rows.between_rows, x, dim, "between", where=where, dtype=np.bool_, beside={"by": by},
        low=float(low), high=float(high),
    )  # fmt: skip


def quantile(
    x: T,
    q: float | Sequence[float],
    *,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
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
    by
        Group codes: every asset gets the quantile of its group, and `dim` stays.

    Returns
    -------
    DataArray or Dataset
        (date,) for one `q`, (date, quantile) for several; with `by` (date, asset) and
        (date, asset, quantile). Missing on a date, or in a group, without values.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.quantile(x, [0.5, 0.75]).values
    array([[2. , 2.5]])
    >>> sector = xr.DataArray([0, 0, 1, 1], dims="asset")
    >>> xf.quantile(x, 0.5, by=sector).values
    array([[2., 2., 2., 2.]])
    """
    fractions = np.atleast_1d(np.asarray(q, dtype=np.float64))
    if fractions.ndim != 1 or not ((fractions >= 0) & (fractions <= 1)).all():
        raise panel.error(f"q={q!r} was given", "fractions in [0, 1]", "Use e.g. q=[0.25, 0.75]")

    def one(v: xr.DataArray) -> xr.DataArray:
        values = panel.masked(v, where)
        core = ("quantile",) if by is None else (dim, "quantile")
        out = _apply.Out(core, values.dtype, {"quantile": fractions})
        beside = {"by": by}
        found = run(_rows.quantile_rows, values, dim, "quantile", out, beside, {"q": fractions})
        found = found.rename(v.name).assign_attrs(v.attrs)
        if by is not None:
            found = found.transpose(*v.dims, "quantile")
        return found.isel(quantile=0) if np.ndim(q) == 0 else found

    if isinstance(x, xr.Dataset):
        panel.check_dim(x, dim, "quantile")
        meant = {k: dim in v.dims and panel.is_number(v.dtype) for k, v in x.data_vars.items()}
        done = {k: one(v) if meant[k] else v for k, v in x.data_vars.items()}
        return xr.Dataset(done, attrs=x.attrs)
    panel.one_array(x, "quantile")
    panel.check_dim(x, dim, "quantile")
    return one(x)


def qcut(
    x: T,
    bins: int,
    *,
    method: Literal["pivot", "ecdf", "rank"] = "pivot",
    breakpoints_from: xr.DataArray | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Bucket each date into `bins` quantiles, 0 for the smallest values.

    Ties never raise, and only ``method="rank"`` parts equal values.

    Parameters
    ----------
    x
        Values (date, asset).
    bins
        Number of buckets, at most 32,767.
    method
        ``"pivot"`` counts the pivots below a value, which are the order statistics at
        floor(k (n - 1) / bins) for k = 1 .. bins - 1: where `pandas.qcut` computes its edges
        exactly, the labels are the same. ``"ecdf"`` is ceil(bins * F(x)) - 1, F the share of
        values not above x (Jensen, Kelly and Pedersen 2023). ``"rank"`` cuts the ordinal rank, so
        that the sizes of buckets differ by at most one.
    breakpoints_from
        bool mask: pivots or F are taken from these assets only (e.g. NYSE), the labels are given
        to all. Not with ``method="rank"``.
    dim
        Dimension to cut along.
    where
        Universe mask.
    by
        Group codes: buckets within each group.

    Returns
    -------
    DataArray or Dataset
        int16 labels 0 .. bins - 1; -1 where missing.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 1.0, 9.0]], dims=("date", "asset"))
    >>> xf.qcut(x, 2).values
    array([[ 1,  0, -1,  0,  1]], dtype=int16)
    >>> xf.qcut(x, 4, method="rank").values
    array([[ 2,  0, -1,  1,  3]], dtype=int16)
    """
    bins = panel.positive("bins", bins)
    panel.choice("method", method, CUTS)
    if bins > np.iinfo(np.int16).max:
        raise panel.error(f"bins={bins} was given", "at most 32767 buckets", "Use rank instead")
    options: dict[str, Any] = {"dtype": np.int16, "where": where, "bins": bins}
    if method == "rank":
        if breakpoints_from is not None:
            raise panel.error(
                "breakpoints_from was given with method='rank'",
                "one of them",
                "Use method='pivot' or 'ecdf'",
            )
        beside = {"by": by}
        return transform(_rank.bucket_rows, x, dim, "qcut", labelled=True, beside=beside, **options)
    beside = {"by": by, "breakpoints_from": breakpoints_from}
    return transform(
        _rows.qcut_rows, x, dim, "qcut", beside=beside, ecdf=method == "ecdf", **options
    )
