"""How the value of a term is made of the values of its inputs: calls of labelled functions.

A rule is equal to another one that does the same, and can be pickled: so it names functions and
holds plain options.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, cross_section, panel, time_series
from xfactor.kernels._blocks import row_blocks

Where = xr.DataArray | None

CELLWISE: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(operator, name)
        for name in (
            "add", "sub", "mul", "truediv", "mod", "pow", "neg",
            "lt", "le", "eq", "ne", "ge", "gt", "and_", "or_", "inv",
        )
    },
    **{
        name: getattr(np, name)
        for name in (
            "abs", "log", "log10", "log1p", "exp", "expm1", "sqrt", "sin", "cos", "tan", "arcsin",
            "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
            "isnan", "isfinite",
        )
    },
}  # fmt: skip


@dataclass(frozen=True)
class Cellwise:
    """One value at a time; None among `operands` stands for the next of the inputs."""

    function: str
    operands: tuple[Any, ...]

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Apply the function."""
        dtype = self.of(*[np.zeros(1, dtype=v.dtype) for v in values]).dtype
        args, out = [_apply.Arg(v) for v in values], _apply.Out((), dtype)
        return _apply.along(self.of, args, [out], what=self.function)[0]

    def of(self, *values: np.ndarray) -> np.ndarray:
        """Apply the function to arrays."""
        left = iter(values)
        operands = [next(left) if o is None else o for o in self.operands]
        with np.errstate(all="ignore"):  # 1 / 0 is missing, and no news
            return CELLWISE[self.function](*operands)


@dataclass(frozen=True)
class Across:
    """A transform of `cross_section`; the second input, if any, is the groups."""

    function: str
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Apply the transform."""
        x, *groups = values
        by = groups[0] if groups else None
        transform = getattr(cross_section, self.function)
        return transform(x, where=where, by=by, **dict(self.options))


@dataclass(frozen=True)
class Rolling:
    """A transform of `time_series`, with an input beside if it takes two."""

    function: str
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Apply the transform."""
        x, *others = values
        return getattr(time_series, self.function)(x, *others, **dict(self.options))


@dataclass(frozen=True)
class Masked:
    """The input where the mask is true."""

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Set the others to missing."""
        return masked(values[0], where)


@dataclass(frozen=True)
class Clip:
    """Values pulled in to two bounds."""

    low: float
    high: float

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Pull in."""
        return masked(values[0].clip(self.low, self.high), where)


@dataclass(frozen=True)
class Fill:
    """Missing values replaced by a constant, or by those of the second input."""

    value: Any

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Replace."""
        x, *other = values
        return unnamed(x.where(present(x), other[0] if other else self.value))


@dataclass(frozen=True)
class Choose:
    """The first of two where the filter is true, else the second."""

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Choose."""
        which, one, other = values
        return unnamed(one.where(which, other))


@dataclass(frozen=True)
class Present:
    """True where there is a value, or (`missing`) where there is none."""

    missing: bool = False

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Tell."""
        known = present(values[0])
        return ~known if self.missing else known


@dataclass(frozen=True)
class OneAsset:
    """The series of one asset."""

    asset: Any

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Select it."""
        assets = values[0].indexes[panel.ASSET]
        if self.asset not in assets:
            raise panel.error(
                f"the panel has no asset {self.asset!r}",
                "one of its labels",
                "Look it up, e.g. xf.symbols(panel)['AAPL']",
            )
        return values[0].isel({panel.ASSET: assets.get_loc(self.asset)}, drop=True)


@dataclass(frozen=True)
class Summary:
    """One number per date, of the valid values."""

    function: str

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Reduce along asset."""
        (x,) = values
        if self.function == "median":
            return unnamed(cross_section.quantile(x, 0.5, where=where))
        args = [x] if where is None else [x, full(where, x)]
        kernel = partial(summary_rows, function=self.function)
        (found,) = _apply.along(
            kernel,
            [_apply.Arg(a, (panel.ASSET,)) for a in args],
            [_apply.Out((), np.float64)],
            what=self.function,
        )
        return found


def summary_rows(x: np.ndarray, *masks: np.ndarray, function: str) -> np.ndarray:
    """A statistic of the finite values of each row, and of its mask; NaN where there are none."""
    out = np.empty(len(x))
    for rows in row_blocks(*x.shape):
        known = np.isfinite(x[rows])
        for mask in masks:
            known &= mask[rows]
        n = known.sum(axis=1)
        found = SUMMARIES[function](x[rows], known, n)
        out[rows] = n if function == "notnull_count" else np.where(n > 0, found, np.nan)
    return out


def _sum(x: np.ndarray, known: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.where(known, x, 0.0).sum(axis=1, dtype=np.float64)


def _mean(x: np.ndarray, known: np.ndarray, n: np.ndarray) -> np.ndarray:
    return _sum(x, known, n) / np.maximum(n, 1)


def _std(x: np.ndarray, known: np.ndarray, n: np.ndarray) -> np.ndarray:
    away = np.where(known, x - _mean(x, known, n)[:, None], 0.0)
    return np.sqrt(_mean(away * away, known, n))


def _max(x: np.ndarray, known: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.where(known, x, -np.inf).max(axis=1, initial=-np.inf)


def _min(x: np.ndarray, known: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.where(known, x, np.inf).min(axis=1, initial=np.inf)


def _count(x: np.ndarray, known: np.ndarray, n: np.ndarray) -> np.ndarray:
    return n


SUMMARIES = {
    "mean": _mean, "stddev": _std, "max": _max, "min": _min, "sum": _sum, "notnull_count": _count,
}  # fmt: skip


@dataclass(frozen=True)
class Peers:
    """How many assets are in the group of each."""

    def __call__(self, values: list[xr.DataArray], where: Where) -> xr.DataArray:
        """Count along asset."""
        codes = masked(values[0], where)
        out = _apply.Out((panel.ASSET,), np.float64)
        return _apply.along(peers, [_apply.Arg(codes, (panel.ASSET,))], [out], what="peer_count")[0]


def peers(codes: np.ndarray) -> np.ndarray:
    """Sizes of the groups, at each of their members; NaN without a group."""
    counts = np.full(codes.shape, np.nan)
    for row, out in zip(codes, counts, strict=True):
        known = row >= 0
        _, group, size = np.unique(row[known], return_inverse=True, return_counts=True)
        out[known] = size[group]
    return counts


def present(x: xr.DataArray) -> xr.DataArray:
    """True where there is a value: neither NaN nor NaT nor the code of what is missing."""
    if panel.is_codes(x.dtype):
        return x != panel.MISSING_CODE
    return x.notnull()


def masked(x: xr.DataArray, where: Where) -> xr.DataArray:
    """`x`, missing outside the mask, in its dtype."""
    if where is None:
        return x
    return x & where if x.dtype == np.bool_ else x.where(where, panel.missing(x.dtype))


def unnamed(x: xr.DataArray) -> xr.DataArray:
    """`x` without what its attributes say: it is another quantity now."""
    done = x.copy(deep=False)
    done.attrs = {}
    return done


def full(x: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """`x` with the dims, and the chunks, of `like`."""
    if set(x.dims) == set(like.dims):
        return x.transpose(*like.dims)
    wide = x.broadcast_like(like).transpose(*like.dims)
    return wide.chunk(like.chunksizes) if like.chunks is not None else wide
