"""What the regressions across assets take: moved back in time, checked, in the kernel's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xfactor import _apply, panel, time_series
from xfactor.kernels.row_problem import Model
from xfactor.regression import _design
from xfactor.regression._groups import Groups, GroupSet, group_sets

CONSTRAINTS = ("weighted", "unweighted", "drop_first")


@dataclass(frozen=True)
class Design:
    """Regressors and what goes beside them, all as of the dates of the returns."""

    regressors: list[xr.DataArray]
    beside: list[xr.DataArray]  # weights, weights of the constraint
    sets: list[GroupSet]
    factors: list[str]  # labels of the coefficients
    model: Model

    def args(self, dim: str) -> list[_apply.Arg]:
        """Inputs of the kernel after y."""
        return _along(dim, *self.regressors, *self.beside, *(s.codes for s in self.sets))

    def explaining(self, dim: str) -> list[_apply.Arg]:
        """Those of them that explain y."""
        return _along(dim, *self.regressors, *(s.codes for s in self.sets))


def _along(dim: str, *arrays: xr.DataArray) -> list[_apply.Arg]:
    return [
        _apply.Arg(a, (panel.FACTOR, dim) if panel.FACTOR in a.dims else (dim,), "x")
        for a in arrays
    ]


def design(
    like: xr.DataArray,
    x: xr.DataArray | xr.Dataset,
    *,
    weights: xr.DataArray | None,
    groups: Groups | None,
    market_cap: xr.DataArray | None,
    constraint: str,
    intercept: bool,
    ridge: float,
    lag: int,
    min_obs: int | None,
    dim: str,
    what: str,
    white: bool = False,
) -> Design:
    """Check and move back what the caller passed, to go with `like` (date, asset)."""
    panel.choice("constraint", constraint, CONSTRAINTS)
    intercept = panel.flag("intercept", intercept)
    if not 0.0 <= panel.number("ridge", ridge) < np.inf:
        raise panel.error(f"ridge={ridge!r} was given", "a number of at least 0", "Use ridge=0.1")
    arrays, labels = _design.regressors(x, what, like)
    sets = group_sets(groups, like, dim, what)
    constrained = constraint == "weighted" and len(sets) > (0 if intercept else 1)
    if market_cap is not None and not constrained:
        raise panel.error(
            "market_cap was given and no constraint to use it",
            "groups, constraint='weighted', and an intercept or a second set",
            "Leave market_cap out; weights= are those of the regression",
        )
    names = [*([_design.INTERCEPT] if intercept else []), *labels]
    names += [k for s in sets for k in s.labels]
    if len(set(names)) < len(names):
        twice = next(k for k in names if names.count(k) > 1)
        raise panel.error(
            f"{what} found two factors named {twice!r}", "distinct names", "Rename the regressor"
        )
    for k, a in _given(weights, market_cap):
        panel.check_numbers(like, a, k)
    beside = [panel.as_float(a.rename(k)) for k, a in _given(weights, market_cap)]
    model = Model(
        intercept=intercept,
        weighted=weights is not None,
        sized=market_cap is not None,
        sets=tuple(s.values for s in sets),
        constraint=constraint,
        min_obs=None if min_obs is None else panel.positive("min_obs", min_obs),
        white=white,
        ridge=float(ridge),
    )
    moved = [GroupSet(back(s.codes, lag), s.values, s.labels) for s in sets]
    return Design(
        [back(a, lag) for a in arrays], [back(a, lag) for a in beside], moved, names, model
    )


def back(a: xr.DataArray, lag: int, dim: str = panel.DATE) -> xr.DataArray:
    """Return `a` as it was `lag` dates before; what has no dates stays."""
    return time_series.lag(a, lag, dim=dim) if lag and dim in a.dims else a


def _given(
    weights: xr.DataArray | None, market_cap: xr.DataArray | None
) -> Sequence[tuple[str, xr.DataArray]]:
    both = {"weights": weights, "market_cap": market_cap}
    return [(k, a) for k, a in both.items() if a is not None]
