"""Choosing and sorting the assets of each date: the ends, ranges, quantiles and buckets."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.cross_section._transform import T, run, transform
from xfactor.kernels import buckets as _buckets
from xfactor.kernels import rank as _rank
from xfactor.kernels import rows as _rows

Places = Literal[
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf",
    "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased",
]  # fmt: skip
CUTS = ("pivot", "ecdf", "rank")
QUANTILE = "quantile"  # dim of several quantiles
MOST = int(np.iinfo(np.int16).max)  # buckets
PLAIN = 10**6  # a denominator up to here is meant ...
ROUNDING = 1e-14  # ... where the float is so near


def top(
    x: T,
    n: int,
    *,
    exact: bool = True,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Mark the `n` assets with the largest values on each date.

    Exactly `n` are marked, or all valid ones where there are fewer. Both `top` and `bottom` cut
    the one ordinal rank (ties in label order), so on a date with at least 2 n valid values no
    asset is in both (unless ``exact=False``).

    Parameters
    ----------
    x
        Values (date, asset).
    n
        How many.
    exact
        If False, whatever equals the last one chosen is marked too: which of equal values are
        in does not hang on labels, and there may be more than `n`.
    dim
        Dimension to choose along.
    where
        Universe mask.
    by
        Group codes: `n` of each group.

    Returns
    -------
    DataArray or Dataset
        bool, shaped as `x`; False where missing.

    Raises
    ------
    PanelError
        If `n` is not a whole number of at least 1, or `exact` neither True nor False; if `x` lacks
        `dim` or is cut into chunks along it; if the labels along `dim` are of several kinds (ties
        go by their order); if `where` or `by` does not fit `x`: a dim that `x` lacks, other labels
        or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    References
    ----------
    zipline-reloaded, API reference: ``zipline.pipeline.Factor.top``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.top(x, 2).values
    array([[ True, False, False,  True]])
    >>> tied = xr.DataArray([[5.0, 5.0, 9.0, 1.0]], dims=("date", "asset"))
    >>> xf.top(tied, 2, exact=False).values
    array([[ True,  True,  True, False]])
    """
    return _end(_rank.top_rows, x, n, exact, dim, where, by, "top")


def bottom(
    x: T,
    n: int,
    *,
    exact: bool = True,
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
    exact
        If False, whatever equals the last one chosen is marked too: which of equal values are
        in does not hang on labels, and there may be more than `n`.
    dim
        Dimension to choose along.
    where
        Universe mask.
    by
        Group codes: `n` of each group.

    Returns
    -------
    DataArray or Dataset
        bool, shaped as `x`; False where missing.

    Raises
    ------
    PanelError
        If `n` is not a whole number of at least 1, or `exact` neither True nor False; if `x` lacks
        `dim` or is cut into chunks along it; if the labels along `dim` are of several kinds (ties
        go by their order); if `where` or `by` does not fit `x`: a dim that `x` lacks, other labels
        or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    References
    ----------
    zipline-reloaded, API reference: ``zipline.pipeline.Factor.bottom``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.bottom(x, 1).values
    array([[False,  True, False, False]])
    """
    return _end(_rank.bottom_rows, x, n, exact, dim, where, by, "bottom")


def _end(
    kernel: _apply.Kernel,
    x: T,
    n: int,
    exact: bool,
    dim: str,
    where: xr.DataArray | None,
    by: xr.DataArray | None,
    what: str,
) -> T:
    return transform(
        kernel, x, dim, what, where=where, dtype=np.bool_, labelled=True, beside={"by": by},
        n=panel.positive("n", n), exact=panel.flag("exact", exact),
    )  # fmt: skip


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
        bool, shaped as `x`; False where missing.

    Raises
    ------
    PanelError
        If `low` and `high` are not fractions with 0 <= low <= high <= 1; if `x` lacks `dim` or is
        cut into chunks along it; if `where` or `by` does not fit `x`: a dim that `x` lacks, other
        labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    References
    ----------
    zipline-reloaded, API reference: ``zipline.pipeline.Factor.percentile_between``.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.between(x, 0.5, 1.0).values
    array([[ True, False, False,  True]])
    """
    low, high = panel.number("low", low), panel.number("high", high)
    if not 0 <= low <= high <= 1:
        raise panel.error(
            f"low={low!r} and high={high!r} were given",
            "0 <= low <= high <= 1",
            "Use fractions, e.g. between(x, 0.1, 0.9)",
        )
    return transform(
        _rows.between_rows, x, dim, "between", where=where, dtype=np.bool_, beside={"by": by},
        low=low, high=high,
    )  # fmt: skip


def quantile(
    x: T,
    q: float | Sequence[float] | np.ndarray,
    *,
    method: Places = "linear",
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Quantiles of each date, as those of `numpy.quantile`.

    Parameters
    ----------
    x
        Values (date, asset).
    q
        Fraction in [0, 1], or several.
    method
        Where a quantile lies among the order statistics, as in `numpy.quantile`: ``"linear"``,
        ``"lower"``, ``"higher"``, ``"midpoint"``, ``"nearest"``, ``"inverted_cdf"``,
        ``"interpolated_inverted_cdf"``, ``"hazen"``, ``"weibull"``, ``"median_unbiased"`` or
        ``"normal_unbiased"``.
    dim
        Dimension to reduce.
    where
        Universe mask.
    by
        Group codes: every asset gets the quantile of its group, and `dim` stays.

    Returns
    -------
    DataArray or Dataset
        (date,) for one `q`, (date, quantile) for several; with `by` (date, asset) and (date, asset,
        quantile). In the units of `x`. Missing on a date, or in a group, without values.

    Raises
    ------
    PanelError
        If `q` is not made of fractions in [0, 1], `method` is unknown, or `x` has a dim
        ``quantile``; if `x` lacks `dim` or is cut into chunks along it; if `where` or `by` does not
        fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    References
    ----------
    Hyndman, R. and Fan, Y. (1996). Sample quantiles in statistical packages. The American
    Statistician 50, 361-365.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 2.0]], dims=("date", "asset"))
    >>> xf.quantile(x, [0.5, 0.75]).values
    array([[2. , 2.5]])
    >>> xf.quantile(x, [0.5, 0.75], method="higher").values
    array([[2., 3.]])
    >>> sector = xr.DataArray([0, 0, 1, 1], dims="asset")
    >>> xf.quantile(x, 0.5, by=sector).values
    array([[2., 2., 2., 2.]])
    """
    panel.choice("method", method, _rows.PLACES)
    fractions = _fractions(q)

    def one(v: xr.DataArray) -> xr.DataArray:
        if QUANTILE in v.dims:
            raise panel.error(
                f"{v.name or 'x'} has a dimension 'quantile'",
                "that name for the result",
                "Rename it, e.g. x.rename(quantile='before')",
            )
        values = panel.masked(v, where)
        core = (QUANTILE,) if by is None else (dim, QUANTILE)
        out = _apply.Out(core, values.dtype, {QUANTILE: fractions})
        options = {"q": fractions, "method": method}
        found = run(_rows.quantile_rows, values, dim, "quantile", out, {"by": by}, options)
        found = found.rename(v.name).assign_attrs(v.attrs)
        if by is not None:
            found = found.transpose(*v.dims, QUANTILE)
        return found.isel({QUANTILE: 0}) if _listed(q) is None else found

    if isinstance(x, xr.Dataset):
        panel.check_dim(x, dim, "quantile")
        meant = {k: dim in v.dims and panel.is_number(v.dtype) for k, v in x.data_vars.items()}
        done = {k: one(v) if meant[k] else v for k, v in x.data_vars.items()}
        return xr.Dataset(done, attrs=x.attrs)
    panel.one_array(x, "quantile")
    panel.check_dim(x, dim, "quantile")
    return one(x)


def _listed(given: Any) -> list[Any] | None:
    """What is in a list, an array or the like; None if `given` is none of these."""
    one = isinstance(given, str | bytes) or not isinstance(given, Iterable)
    return None if one or getattr(given, "ndim", 1) == 0 else list(given)


def _fractions(q: Any) -> np.ndarray:
    """One fraction, or each of several, checked: (K,)."""
    several = _listed(q)
    try:
        numbers = [panel.number("q", one) for one in ([q] if several is None else several)]
    except panel.PanelError:
        numbers = [np.nan]
    if not all(0 <= n <= 1 for n in numbers):
        raise panel.error(
            f"q={panel.shown(q)} was given", "fractions in [0, 1]", "Use e.g. q=[0.25, 0.75]"
        )
    return np.array(numbers, dtype=np.float64)


def qcut(
    x: T,
    bins: int | Sequence[float] | np.ndarray,
    *,
    method: Literal["pivot", "ecdf", "rank"] = "pivot",
    breakpoints_from: xr.DataArray | None = None,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> T:
    """Bucket each date by quantiles, 0 for the smallest values.

    Ties never raise, and only ``method="rank"`` parts equal values.

    Parameters
    ----------
    x
        Values (date, asset).
    bins
        Number of buckets, at most 32,767; or their edges as fractions of the assets, such as
        ``[0, 0.3, 0.7, 1]``. These are taken for what they stand for: 0.3 is 3/10, and 1 / 3 is
        a third.
    method
        Of n valid values and the inner edges q: ``"pivot"`` counts the pivots below a value,
        which are the order statistics at floor(q (n - 1)); where `pandas.qcut` computes its edges
        exactly, the labels are the same. ``"ecdf"`` counts the edges below F(x), the share of
        values not above x (Jensen, Kelly and Pedersen 2023). ``"rank"`` counts the edges not above
        (r - 1) / n, r the ordinal rank, so that the sizes of equal buckets differ by at most one.
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
        int16 labels, shaped as `x`: 0 for the lowest bucket; -1 where missing.

    Raises
    ------
    PanelError
        If `bins` are neither a number from 1 to 32,767 nor fractions that rise from 0 to 1; if
        `method` is unknown, or ``"rank"`` with `breakpoints_from`, or with labels along `dim` of
        several kinds (ties go by their order); if `x` lacks `dim` or is cut into chunks along it;
        if `where`, `by` or `breakpoints_from` does not fit `x`: a dim that `x` lacks, other labels
        or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` or
        `breakpoints_from` is not bool, or `by` not integer codes.

    References
    ----------
    Jensen, T., Kelly, B. and Pedersen, L. (2023). Is there a replication crisis in finance? Journal
    of Finance 78, 2465-2518.

    Fama, E. and French, K. (1993). Common risk factors in the returns on stocks and bonds. Journal
    of Financial Economics 33, 3-56: breakpoints of NYSE stocks for all.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 1.0, 9.0]], dims=("date", "asset"))
    >>> xf.qcut(x, 2).values
    array([[ 1,  0, -1,  0,  1]], dtype=int16)
    >>> xf.qcut(x, 4, method="rank").values
    array([[ 2,  0, -1,  1,  3]], dtype=int16)
    >>> xf.qcut(xr.DataArray(range(10), dims="asset"), [0, 0.3, 0.7, 1]).values
    array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2], dtype=int16)
    """
    panel.choice("method", method, CUTS)
    options: dict[str, Any] = {"dtype": np.int16, "where": where, "cuts": cuts_of(bins)}
    if method == "rank":
        if breakpoints_from is not None:
            raise panel.error(
                "breakpoints_from was given with method='rank'",
                "one of them",
                "Use method='pivot' or 'ecdf'",
            )
        beside = {"by": by}
        return transform(
            _buckets.bucket_rows, x, dim, "qcut", labelled=True, beside=beside, **options
        )
    beside = {"by": by, "breakpoints_from": breakpoints_from}
    return transform(
        _buckets.qcut_rows, x, dim, "qcut", beside=beside, ecdf=method == "ecdf", **options
    )


def cuts_of(bins: Any) -> _buckets.Cuts:
    """Where to cut: between so many equal buckets, or at the inner ones of the edges given."""
    several = _listed(bins)
    n = panel.positive("bins", bins) if several is None else len(several) - 1
    if n > MOST:
        raise panel.error(
            f"bins={panel.shown(bins)} was given", "at most 32767 buckets", "Use rank instead"
        )
    shares, whole = tuple(range(1, n)), n
    if several is not None:
        numbers = [panel.number("bins", b) for b in several]
        if [*numbers[:1], *numbers[-1:]] != [0, 1] or any(a >= b for a, b in pairwise(numbers)):
            raise panel.error(
                f"bins={panel.shown(bins)} was given",
                "a number of buckets, or fractions that rise from 0 to 1",
                "Use e.g. bins=[0, 0.3, 0.7, 1]",
            )
        edges = [_exact(b) for b in several]
        whole = math.lcm(*[e.denominator for e in edges])
        shares = tuple(int(e * whole) for e in edges[1:-1])
    return _buckets.Cuts(shares, whole)


def _exact(share: Any) -> Fraction:
    """The plain fraction that a float stands for: 3/10 for 0.3, a third for 0.3333333333333333."""
    written = Fraction(str(share))  # of a float32 the few digits that it was written with
    plain = written.limit_denominator(PLAIN)
    return plain if abs(plain - written) < ROUNDING else written
