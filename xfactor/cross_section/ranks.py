"""Ranks of the assets of each date, as counts, fractions or normal scores."""

from typing import Literal

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.cross_section._transform import T, transform
from xfactor.kernels import rank as _rank

SCORES = ("rank", "normal")


def rank(
    x: T,
    *,
    method: Literal["ordinal", "average", "min", "max", "dense"] = "ordinal",
    ascending: bool = True,
    pct: bool | Literal["ecdf", "hazen", "linear"] = False,
    scores: Literal["rank", "normal"] = "rank",
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
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
        Ranks r of n valid values as fractions: True or ``"ecdf"`` gives r / n, ``"hazen"``
        (r - 1/2) / n, ``"linear"`` (r - 1) / (n - 1), and 1/2 where n is 1. (These invert the
        methods ``"inverted_cdf"``, ``"hazen"`` and ``"linear"`` of `quantile`.) With
        ``method="dense"``, n is the number of distinct values.
    scores
        ``"normal"`` gives the normal quantiles of the Hazen fractions, so `pct` has nothing to
        say: -0.674 and 0.674 for two values.
    dim
        Dimension to rank along.
    where
        Universe mask.
    by
        Group codes: ranks within each group.

    Returns
    -------
    DataArray or Dataset
        Ranks (numbers, fractions or normal scores) as floats, shaped as `x`; missing where `x` is.

    Raises
    ------
    PanelError
        If `method`, `pct` or `scores` is unknown, `ascending` is neither True nor False, or `pct`
        is given with normal scores; if `x` lacks `dim` or is cut into chunks along it; if the
        labels along `dim` are of several kinds (ties go by their order); if `where` or `by` does
        not fit `x`: a dim that `x` lacks, other labels or other chunks.
    TypeError
        If `x` is neither a DataArray nor a Dataset, or is an array of dates or text; if `where` is
        not bool, or `by` not integer codes.

    References
    ----------
    zipline-reloaded, API reference: ``zipline.pipeline.Factor.rank``.

    Hazen, A. (1914). Storage to be provided in impounding reservoirs for municipal water supply.
    Transactions of the American Society of Civil Engineers 77, 1539-1640.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[3.0, 1.0, float("nan"), 1.0]], dims=("date", "asset"))
    >>> xf.rank(x).values
    array([[ 3.,  1., nan,  2.]])
    >>> xf.rank(x, method="average").values
    array([[3. , 1.5, nan, 1.5]])
    >>> sector = xr.DataArray([0, 0, 1, 1], dims="asset")
    >>> xf.rank(x, by=sector).values
    array([[ 2.,  1., nan,  1.]])
    """
    panel.choice("method", method, _rank.METHODS)
    panel.choice("scores", scores, SCORES)
    fraction = ("ecdf" if pct else None) if isinstance(pct, bool | np.bool_) else pct
    if fraction is not None:
        panel.choice("pct", fraction, _rank.FRACTIONS)
    if scores == "normal":
        if fraction is not None:
            raise panel.error(
                f"pct={pct!r} and scores='normal' were given", "one of them", "Leave pct out"
            )
        fraction = "hazen"
    ascending = panel.flag("ascending", ascending)
    return transform(
        _rank.rank_rows, x, dim, "rank", where=where, labelled=True, beside={"by": by},
        method=_rank.METHODS[method], ascending=ascending, fraction=fraction,
        normal=scores == "normal", units="1",
    )  # fmt: skip
