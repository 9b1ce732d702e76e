"""Holding the buckets of a sort: what was known when it was made, and what came of it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, cross_section, panel, time_series
from xfactor.kernels import sorts as _sorts

REASON = "reason"
WEIGHTS = ("equal", "value", "signal")


def check_weights(
    weights: str, sizes: xr.DataArray | None, max_share: float | None, max_size: float | None
) -> None:
    """Refuse options of weights that do not go together."""
    panel.choice("weights", weights, WEIGHTS)
    if (weights == "value") != (sizes is not None):
        found = "no sizes were given" if sizes is None else "sizes were given"
        raise panel.error(
            f"weights={weights!r} and {found}",
            "sizes to weigh by, and only then",
            "Use weights='value', sizes=panel.market_cap" if sizes is None else "Use 'value'",
        )
    check_limits(sizes is not None or weights == "signal", sizes, max_share, max_size)


def check_limits(
    uneven: bool, sizes: xr.DataArray | None, max_share: float | None, max_size: float | None
) -> None:
    """Refuse limits of weights that are no fractions, or where there is nothing to limit."""
    for name, value, given in (
        ("max_share", max_share, uneven),
        ("max_size", max_size, sizes is not None),
    ):
        if value is None:
            continue
        if not 0 < panel.number(name, value) <= 1:
            raise panel.error(f"{name}={value!r} was given", f"0 < {name} <= 1", "Use e.g. 0.1")
        if not given:
            raise panel.error(
                f"{name}={value!r} was given without sizes", "sizes to limit", "Pass sizes="
            )


def positive_only(sizes: xr.DataArray) -> xr.DataArray:
    """Sizes, missing where there is nothing to hold."""
    sizes = panel.as_float(sizes)
    return sizes.where((sizes > 0) & np.isfinite(sizes))


def limited(
    sizes: xr.DataArray,
    max_size: float | None,
    dim: str,
    where: xr.DataArray | None,
    source: xr.DataArray | None,
) -> xr.DataArray:
    """Sizes pulled down to a quantile of their date, that of the breakpoint assets if given."""
    if max_size is None:
        return sizes
    among = sizes if source is None else sizes.where(source)
    if where is not None:
        among = among.where(where)
    most = cross_section.quantile(among, max_size, dim=dim).reset_coords(drop=True)
    return sizes.where(~(sizes > most), most)


def share_limited(
    labels: xr.DataArray, sizes: xr.DataArray, share: float, n_buckets: int, dim: str, what: str
) -> xr.DataArray:
    """Sizes of which none is above `share` of its bucket."""
    kernel = partial(_sorts.limit_share_rows, share=float(share), n_buckets=n_buckets)
    args = [_apply.Arg(labels, (dim,)), _apply.Arg(sizes, (dim,))]
    return _apply.along(kernel, args, [_apply.Out((dim,), sizes.dtype)], what=what)[0]


def states(
    labels: xr.DataArray, x: xr.DataArray, where: xr.DataArray | None, dim: str, what: str
) -> xr.DataArray:
    """Labels that remember why there is none: outside of the universe, or nothing to sort by."""
    args = [_apply.Arg(labels, (dim,)), _apply.Arg(x, (dim,))]
    if where is not None:
        args.append(_apply.Arg(panel.bare(x, where), (dim,) if dim in where.dims else ()))
    return _apply.along(_states, args, [_apply.Out((dim,), np.int16)], what=what)[0]


def _states(labels: np.ndarray, x: np.ndarray, *where: np.ndarray) -> np.ndarray:
    wide = [w[:, None] if w.ndim == 1 else w for w in where]  # a date inside or outside as a whole
    return _sorts.state_rows(labels, x, *wide)


def earned(
    state: xr.DataArray,
    returns: xr.DataArray,
    sizes: xr.DataArray | None,
    dims: Mapping[str, Any],
    *,
    lag: int,
    min_names: int,
    dim: str,
    what: str,
) -> xr.Dataset:
    """Returns, names and losses of the buckets held: states and sizes are moved back by `lag`.

    `dims` are those of the buckets and their labels, the last one running fastest.
    """
    for name in (*dims, REASON):
        if name in state.dims or name in returns.dims:
            raise panel.error(
                f"{what} found a dimension {name!r} in its input",
                "that name for its result",
                f"Rename it, e.g. x.rename({name}='before')",
            )
    returns = panel.as_float(returns)
    held = [state] if sizes is None else [state, sizes]
    if lag:  # what has no dates is held throughout
        held = [time_series.lag(h, lag) if panel.DATE in h.dims else h for h in held]
    shape = tuple(len(v) for v in dims.values())
    labelled = zip(("x", "returns", "sizes"), (held[0], returns, *held[1:]), strict=False)
    args = [_apply.Arg(a, (dim,), name) for name, a in labelled]
    names = tuple(dims)
    outs = [
        _apply.Out(names, returns.dtype, dims),
        _apply.Out(names, np.int32, dims),
        _apply.Out((), np.int32),
        _apply.Out((REASON,), np.int32, {REASON: _sorts.REASONS}),
    ]
    kernel = partial(_sorts.bucket_return_rows, shape=shape, least=min_names)
    made = _apply.along(kernel, args, outs, what=what)
    variables = dict(zip(("returns", "n_names", "n_obs", "n_dropped"), made, strict=True))
    result = xr.Dataset(variables, attrs={"lag": lag, "min_names": min_names})
    result["returns"].attrs = {"long_name": "portfolio return", "units": "decimal"}
    result["n_names"].attrs = {"long_name": "names with a return"}
    result["n_obs"].attrs = {"long_name": "names in portfolios that have a return"}
    result["n_dropped"].attrs = {"long_name": "names in none, by the first reason that applies"}
    return result
