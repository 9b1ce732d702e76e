"""What goes beside values: masks, codes and weights, with the same labels and chunks."""

from itertools import zip_longest

import numpy as np
import xarray as xr

from xfactor.panel.errors import PanelError, error
from xfactor.panel.labels import check_same_labels
from xfactor.panel.values import MISSING_CODE, as_float


def masked(x: xr.DataArray, where: xr.DataArray | None) -> xr.DataArray:
    """Return `x` as floats, missing outside the universe `where`.

    Parameters
    ----------
    x
        Values.
    where
        Boolean universe mask with dims among those of `x`, or None for everything.

    Returns
    -------
    xarray.DataArray
        Same dims as `x`.
    """
    x = as_float(x)
    if where is None:
        return x
    check_mask(x, where, "where")
    return x.where(bare(x, where))


def bare(x: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Return `other` without coords but the labels that `x` has too: a result has those of `x`.

    Parameters
    ----------
    x
        Values.
    other
        What goes with them.

    Returns
    -------
    xarray.DataArray
        `other` itself where it has none to lose.
    """
    own = set(other.coords) - set(x.indexes)
    return other.drop_vars(own) if own else other


def check_mask(x: xr.DataArray, mask: xr.DataArray, name: str) -> None:
    """Raise unless `mask` is bool, has no dims but those of `x`, its labels and its chunks.

    Parameters
    ----------
    x
        Values.
    mask
        What the caller passed.
    name
        The option's name, for the message.
    """
    _check_array(mask, name)
    if mask.dtype != np.bool_:
        remedy = {"f": f"Use {name}=mask.fillna(False).astype(bool)", "i": f"Use {name}=mask > 0"}
        remedy |= {"O": remedy["f"], "u": remedy["i"]}
        hint = remedy.get(mask.dtype.kind, "Compare it with what you mean")
        raise TypeError(f"{name} has dtype {mask.dtype}; needed bool. {hint}.")
    check_beside(x, mask, name, fill=False)


def check_codes(x: xr.DataArray, codes: xr.DataArray, name: str) -> None:
    """Raise unless `codes` are integers or bool that fit beside `x`, as in `check_mask`.

    Parameters
    ----------
    x
        Values.
    codes
        What the caller passed: group codes, negative ones for cells of no group.
    name
        The option's name, for the message.
    """
    _check_array(codes, name)
    if codes.dtype.kind not in "iub":
        remedy = f"Use {name}=codes.fillna(-1).astype('int64')"
        if codes.dtype.kind not in "f":
            remedy = "Number the labels, e.g. with pandas.factorize"
        raise TypeError(f"{name} has dtype {codes.dtype}; needed integer codes. {remedy}.")
    check_beside(x, codes, name, fill=MISSING_CODE)


def check_numbers(x: xr.DataArray, numbers: xr.DataArray, name: str) -> None:
    """Raise unless `numbers` are numeric and fit beside `x`, as in `check_mask`.

    Parameters
    ----------
    x
        Values.
    numbers
        What the caller passed, weights for example.
    name
        The option's name, for the message.
    """
    _check_array(numbers, name)
    as_float(numbers.rename(name))
    check_beside(x, numbers, name)


def _check_array(other: object, name: str) -> None:
    if not isinstance(other, xr.DataArray):
        raise TypeError(f"{name} takes a DataArray; found {type(other).__name__}.")


def check_beside(x: xr.DataArray, other: xr.DataArray, name: str, fill: int | None = None) -> None:
    """Raise unless `other` has no dims but those of `x`, its labels and its chunks.

    Parameters
    ----------
    x
        Values.
    other
        What the caller passed to go with them.
    name
        The option's name, for the message.
    fill
        What a label that `other` lacks should get, if not NaN.
    """
    own = str(x.name or "x")
    further = [str(d) for d in other.dims if d not in x.dims]
    if further:
        raise error(
            f"{name} has the dimension {further[0]!r} and {own} has not",
            f"dimensions among {', '.join(map(repr, x.dims))}",
            f"Select one label of {further[0]!r}, or expand {own}",
        )
    check_same_labels(x, other, names=(own, name), fill=fill)
    for dim in set(x.chunksizes) & set(other.chunksizes):
        found, wanted = other.chunksizes[dim], x.chunksizes[dim]
        if found != wanted:
            raise cut_differently(f"{name} and {own} are", str(dim), (name, found), (own, wanted))


def cut_differently(
    subject: str, dim: str, mine: tuple[str, tuple[int, ...]], wanted: tuple[str, tuple[int, ...]]
) -> PanelError:
    """Build the error for two arrays with other chunks along `dim`.

    Parameters
    ----------
    subject
        How the sentence begins.
    dim
        The dimension.
    mine, wanted
        Name and chunks of the array to be cut anew, and of the other.

    Returns
    -------
    PanelError
        It names the first chunks that differ.
    """
    pairs = enumerate(zip_longest(mine[1], wanted[1], fillvalue="no"))
    at, (has, needs) = next((i, p) for i, p in pairs if p[0] != p[1])
    return error(
        f"{subject} cut differently along {dim!r}: chunk {at} has {has} labels in {mine[0]} and "
        f"{needs} in {wanted[0]}",
        "the same chunks",
        f"Use {mine[0]}.chunk({dim}={wanted[0]}.chunksizes[{dim!r}])",
    )
