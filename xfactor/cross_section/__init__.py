"""Transforms along the asset axis: every date by itself.

Shared by all functions here:

- `x` is a DataArray or a Dataset, numpy- or dask-backed, in any order of dims. Any chunks along
  date; one chunk along `dim`. The result is lazy if `x` is, has the kind, dims, order and coords
  of `x` (those of other inputs are left out), and is the same bit for bit whatever the chunks.
- Of a Dataset the numbers that have `dim` are transformed. Codes (signed integers of at most 4
  bytes, -1 is missing), masks, dates and text stay as they are.
- A result in the units of `x` has the attrs of `x`. One that is another quantity (ranks, scores,
  buckets, masks) loses those that name the old one (`long_name`, `standard_name`, flags and valid
  ranges), and its `units`, if `x` has any, become "1".
- NaN means missing, infinities count as missing. A missing cell does not enter the statistic and
  stays missing; it never spreads to another asset.
- `where` is a bool mask, the universe on each date: cells outside it are missing.
- `by` are integer group codes, (asset,) or (date, asset): every group of a date is treated by
  itself. A negative code means no group: the result is missing there (`fillna` keeps the value).
- float32 stays float32, statistics are accumulated in float64; other numbers become float64.
"""

from xfactor.cross_section.buckets import between, bottom, qcut, quantile, top
from xfactor.cross_section.combine import composite, fillna, neutralize
from xfactor.cross_section.ranks import rank
from xfactor.cross_section.scale import demean, standardize, trim, winsorize, zscore

__all__ = [
    "between",
    "bottom",
    "composite",
    "demean",
    "fillna",
    "neutralize",
    "qcut",
    "quantile",
    "rank",
    "standardize",
    "top",
    "trim",
    "winsorize",
    "zscore",
]
