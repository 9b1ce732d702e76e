"""What the estimators share: regressors as a list, and residuals."""

import uuid
from collections.abc import Sequence

import numpy as np
import xarray as xr

from xfactor import _apply, panel

INTERCEPT = "intercept"


def regressors(
    x: xr.DataArray | xr.Dataset, what: str, y: xr.DataArray, dim: str | None = None
) -> tuple[list[xr.DataArray], list[str]]:
    """Return the regressors as arrays, and one label for each.

    A Dataset gives one array for each variable; a DataArray with a `factor` dim gives one array
    with several labels; any other DataArray is one regressor. All must have `dim`, if it is given.
    """
    if panel.FACTOR in y.dims:
        raise panel.error(
            f"{what} found the dimension {panel.FACTOR!r} in y",
            "it free for the regressors",
            f"Use y.rename({panel.FACTOR}='portfolio')",
        )
    if isinstance(x, xr.Dataset):
        arrays = [panel.as_float(v.rename(k)) for k, v in x.data_vars.items()]
        labels = [str(k) for k in x.data_vars]
        wide = [str(k) for k, v in x.data_vars.items() if panel.FACTOR in v.dims]
        if wide:
            raise panel.error(
                f"{what} found the dimension {panel.FACTOR!r} in the variable {wide[0]!r}",
                "a variable for each factor, or one DataArray with that dimension",
                f"Pass x[{wide[0]!r}], or x[{wide[0]!r}].to_dataset({panel.FACTOR!r})",
            )
    elif isinstance(x, xr.DataArray):
        arrays = [panel.as_float(x)]
        labels = [str(x.name or "x")]
        if panel.FACTOR in x.dims:
            known = x.indexes.get(panel.FACTOR, range(x.sizes[panel.FACTOR]))
            labels = [str(k) for k in known]
            arrays = _pieces(arrays[0], labels)
    else:
        raise TypeError(
            f"{what} takes regressors as Dataset or DataArray; found {type(x).__name__}."
        )
    if not labels:
        raise panel.error(f"{what} found no regressor", "at least one", "Put variables into x")
    if INTERCEPT in labels or len(set(labels)) < len(labels):
        raise panel.error(
            f"{what} found the regressors {', '.join(labels)}",
            f"distinct names other than {INTERCEPT!r}",
            "Rename them; the constant is added by intercept=True",
        )
    if dim is not None:
        for a in arrays:
            panel.check_dim(a, dim, f"{what}, in {a.name or 'x'},")
    return arrays, labels


def _pieces(x: xr.DataArray, labels: list[str]) -> list[xr.DataArray]:
    """`x`, or each factor by itself where x is cut along factor: nothing need be joined."""
    if len(x.chunksizes.get(panel.FACTOR, (1,))) == 1:
        return [x]
    return [x.isel({panel.FACTOR: k}, drop=True).rename(name) for k, name in enumerate(labels)]


def over_dims_of(y: xr.DataArray, x: Sequence[xr.DataArray]) -> xr.DataArray:
    """Return y with the further dims of its regressors, the same along each."""
    for a in x:
        for dim in a.dims:
            if dim != panel.FACTOR and dim not in y.dims:
                labels = a.indexes.get(dim)
                y = y.expand_dims({dim: a.sizes[dim] if labels is None else labels}, -1)
    return y


def least_obs(min_obs: int | None, n_coefficients: int) -> int:
    """Observations needed: one more than coefficients, unless the caller says otherwise."""
    if min_obs is None:
        return n_coefficients + 1
    return max(panel.positive("min_obs", min_obs), n_coefficients)


def residual(
    y: xr.DataArray, x: Sequence[xr.DataArray], beta: xr.DataArray, alpha: xr.DataArray | None
) -> xr.DataArray:
    """Return y less the fitted value; always lazy, so that it costs nothing unless asked for."""
    y, beta, x = _finite(lazy(y)), lazy(beta), [lazy(v) for v in x]
    e = (y - fitted(x, beta, None if alpha is None else lazy(alpha))).transpose(*y.dims, ...)
    e = e.where(np.isfinite(e)).astype(y.dtype)
    return e.rename("residual").assign_attrs(long_name="residual", **units(y))


def fitted(
    x: Sequence[xr.DataArray], beta: xr.DataArray, alpha: xr.DataArray | None
) -> xr.DataArray:
    """Return alpha and the sum of the regressors times their betas."""
    parts = [
        part
        for v in x
        for part in (
            [v.isel({panel.FACTOR: k}, drop=True) for k in range(v.sizes[panel.FACTOR])]
            if panel.FACTOR in v.dims
            else [v]
        )
    ]
    each = [_finite(v) * beta.isel({panel.FACTOR: k}, drop=True) for k, v in enumerate(parts)]
    first, *others = each if alpha is None else [alpha, *each]
    return sum(others, start=first)


def lazy(a: xr.DataArray) -> xr.DataArray:
    """`a` as one dask chunk; named by chance, because hashing a panel takes longer than solving."""
    if a.chunks:
        return a
    chunked = a.variable.chunk({}, name=f"xfactor-{uuid.uuid4().hex}")
    return a.copy(data=chunked.data)  # its coords stay as they are: arithmetic compares them


def cut_as(a: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """`a`, cut as `like` is if it lies in memory: what is made of both has one cut then."""
    if a.chunks is not None or like.chunks is None:
        return a
    own = {d: c for d, c in like.chunksizes.items() if d in a.dims}
    return a.copy(data=a.variable.chunk(own, name=f"xfactor-{uuid.uuid4().hex}").data)


def _finite(a: xr.DataArray) -> xr.DataArray:
    return a.where(np.isfinite(a))


def units(y: xr.DataArray) -> dict[str, str]:
    return {"units": y.attrs["units"]} if "units" in y.attrs else {}


def tvalue(estimate: xr.DataArray, stderr: xr.DataArray) -> xr.DataArray:
    """Return the estimate over its error; missing where the error is 0."""
    return estimate / stderr.where(stderr > 0)


def arguments(y: xr.DataArray, arrays: Sequence[xr.DataArray]) -> list[_apply.Arg]:
    """Every regressor with a factor axis, so that the kernel can tell common from own ones."""
    wide = [
        a.drop_vars(panel.FACTOR, errors="ignore")
        if panel.FACTOR in a.dims
        else a.expand_dims(panel.FACTOR)
        for a in arrays
    ]
    return [_apply.Arg(y, name="y"), *[_apply.Arg(a, (panel.FACTOR,), "x") for a in wide]]


def columns(x: Sequence[xr.DataArray]) -> list[xr.DataArray]:
    """Every regressor as an array of its own, without a factor axis."""
    return [
        a.isel({panel.FACTOR: k}, drop=True) if panel.FACTOR in a.dims else a
        for a in x
        for k in range(a.sizes.get(panel.FACTOR, 1))
    ]


def default_lags(n_dates: int) -> int:
    """Return floor(4 (T / 100)^(2/9)), the usual number of Newey-West lags.

    Parameters
    ----------
    n_dates
        T, the length of the series.

    Returns
    -------
    int
        Lags.
    """
    return int(4 * (n_dates / 100) ** (2 / 9))
