"""What the functions of risk take: weights, exposures and covariances in their kernels' order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import xarray as xr

from xfactor import _apply, panel
from xfactor.kernels.exposures import BLANK, DROP, SPREAD, Column, Columns
from xfactor.regression import _design, _rows
from xfactor.regression._groups import Groups, group_sets

Missing = Literal["spread", "drop", "missing"]
MISSING = (SPREAD, DROP, BLANK)

SPECIFIC = "specific"
# Dims away from the user's.
_ONE, _COLUMN, _ROW, _OTHER = "portfolio_", "column_", "row_", "other_"


@dataclass(frozen=True)
class Exposures:
    """Arrays of exposures and group codes, and in them a column for each factor."""

    arrays: list[xr.DataArray]
    columns: Columns

    def args(self, dim: str) -> list[_apply.Arg]:
        """Inputs of a kernel, the last ones."""
        return [
            _apply.Arg(a, (_COLUMN, dim) if _COLUMN in a.dims else (dim,), "exposures")
            for a in self.arrays
        ]

    def back(self, lag: int) -> "Exposures":
        """The same as of `lag` dates before."""
        return Exposures([_rows.back(a, lag) for a in self.arrays], self.columns)


def exposures(
    x: xr.DataArray | xr.Dataset,
    groups: Groups | None,
    like: xr.DataArray,
    factors: Sequence[str],
    *,
    dim: str,
    what: str,
    beside: str,
) -> Exposures:
    """Put exposures in the order of `factors`, the labels of `beside`.

    The intercept of a regression across assets has an exposure of 1, a group of its codes one of
    1 for its members. Factors without exposures and exposures without a factor are refused.
    """
    arrays, labels = _design.regressors(x, what, like, dim)
    found: dict[str, Column] = {_design.INTERCEPT: Column()}
    names = iter(labels)
    for i, a in enumerate(arrays):
        wide = panel.FACTOR in a.dims
        for at in range(a.sizes[panel.FACTOR] if wide else 1):
            found[next(names)] = Column(i, at if wide else None)
    arrays = [
        a.drop_vars(panel.FACTOR, errors="ignore").rename({panel.FACTOR: _COLUMN})
        if panel.FACTOR in a.dims
        else a
        for a in arrays
    ]
    for s in group_sets(groups, _widest(like, arrays), dim, what):
        found |= {k: Column(len(arrays), code=v) for k, v in zip(s.labels, s.values, strict=True)}
        arrays.append(s.codes)
    lacking = [k for k in factors if k not in found]
    surplus = [k for k in found if k not in factors and k != _design.INTERCEPT]
    if lacking or surplus:
        raise panel.error(
            f"{what} found the factors {', '.join(factors)} in {beside} and the exposures "
            f"{', '.join(k for k in found if k != _design.INTERCEPT)}",
            "an exposure for each factor and a factor for each exposure",
            f"Select the same factors in both, e.g. {(lacking + surplus)[0]!r}",
        )
    return Exposures(arrays, tuple(found[k] for k in factors))


def _widest(like: xr.DataArray, arrays: Sequence[xr.DataArray]) -> xr.DataArray:
    """What codes go beside: the array with the most dims."""
    return max((like, *arrays), key=lambda a: a.ndim)


def factor_labels(a: xr.DataArray, what: str, name: str) -> list[str]:
    """Labels of the factors of `a`."""
    panel.one_array(a, what, name)
    panel.check_dim(a, panel.FACTOR, f"{what}, in {name},")
    labels = [str(k) for k in a.indexes.get(panel.FACTOR, range(a.sizes[panel.FACTOR]))]
    if SPECIFIC in labels:
        raise panel.error(
            f"{what} found the factor {SPECIFIC!r} in {name}",
            "that name free for what is no factor's",
            "Rename the factor",
        )
    return labels


def covariance_arg(covariance: xr.DataArray, what: str) -> _apply.Arg:
    """Factor covariances with dims of their own, so that they need no labels of the exposures."""
    others = [d for d in covariance.dims if d not in (panel.DATE, panel.FACTOR)]
    second = f"{panel.FACTOR}_2"
    if second not in others:
        raise panel.error(
            f"{what} found the dimensions {', '.join(map(repr, map(str, covariance.dims)))} in "
            "factor_cov",
            f"{panel.FACTOR!r} and {second!r}",
            "Take the covariance of factor_covariance, or rename",
        )
    first, other = (covariance.indexes.get(d) for d in (panel.FACTOR, second))
    if first is not None and other is not None and list(first) != list(other):
        raise panel.error(
            f"factor_cov has other labels along {second!r} than along {panel.FACTOR!r}",
            "the same labels in the same order",
            "Select the same factors along both",
        )
    names = {panel.FACTOR: _ROW, second: _OTHER}
    bare = panel.as_float(covariance).drop_vars(list(names), errors="ignore").rename(names)
    return _apply.Arg(bare, (_ROW, _OTHER), "factor_cov")


def factor_values(f: xr.DataArray) -> _apply.Arg:
    """Values for each factor (date, factor), in a dim of their own."""
    bare = panel.as_float(f).drop_vars(panel.FACTOR, errors="ignore")
    return _apply.Arg(bare.rename({panel.FACTOR: _ROW}), (_ROW,), "factor_returns")


def several(
    arg: _apply.Arg, beside: Sequence[xr.DataArray], what: str, name: str
) -> tuple[_apply.Arg, str]:
    """`arg` with an axis of portfolios, and its name: the one dim that nothing beside it has.

    A kernel gets all portfolios of a date together, so that its exposures are read once.
    """
    known = {*arg.core, panel.DATE, *(d for a in beside for d in a.dims)}
    own = [str(d) for d in arg.data.dims if d not in known]
    if len(own) > 1:
        raise panel.error(
            f"{what} found the dimensions {', '.join(map(repr, own))} in {name}",
            "one dimension of portfolios at most",
            f"Use {name}.stack(portfolio={own!r}, create_index=False)",
        )
    if own:
        return _apply.Arg(arg.data, (own[0], *arg.core), name), own[0]
    return _apply.Arg(arg.data.expand_dims(_ONE), (_ONE, *arg.core), name), _ONE


def checked_weights(weights: xr.DataArray, what: str, name: str, dim: str) -> xr.DataArray:
    """Weights as floats."""
    panel.one_array(weights, what, name)
    panel.check_dim(weights, dim, f"{what}, in {name},")
    if panel.FACTOR in weights.dims:
        raise panel.error(
            f"{what} found the dimension {panel.FACTOR!r} in {name}",
            "it free for the factors",
            f"Use {name}.rename({panel.FACTOR}='portfolio')",
        )
    return panel.as_float(weights)


def spread(a: xr.DataArray, like: xr.DataArray, dim: str) -> xr.DataArray:
    """`a`, spread over the assets of `like` if it has none."""
    if dim in a.dims:
        return a
    # Of one asset selected from several its label is left: it is that of none here.
    return a.drop_vars(dim, errors="ignore").expand_dims({dim: like.sizes[dim]})


def squeezed(a: xr.DataArray) -> xr.DataArray:
    """Drop the axis of portfolios where there is only one, and the caller gave none."""
    return a.isel({_ONE: 0}, drop=True) if _ONE in a.dims else a
