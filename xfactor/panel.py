"""What a panel is: dimension names, missing values, dtypes, and the texts of the errors.

This is the bottom of the package: it knows xarray, but no kernel, no dask and no file.
"""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

DATE = "date"
ASSET = "asset"
FACTOR = "factor"
MISSING_CODE = -1
# In rows: longer than any history, and still what kernels can count with.
LONGEST = 2**53
# Units of a transform's result: those of its input. Else "1", or None for units of its own.
SAME = "same"
# Attributes that say what quantity an array holds, and are untrue of another one made from it.
ABOUT_QUANTITY = (
    "standard_name", "long_name", "flag_values", "flag_meanings", "flag_masks",
    "valid_min", "valid_max", "valid_range",
)  # fmt: skip


class PanelError(ValueError):
    """Input that cannot be used as it is: what was found, what was needed, what to do."""


def error(found: str, needed: str, remedy: str) -> PanelError:
    """Build the one error text of the package: found, needed, remedy, on one line.

    Parameters
    ----------
    found, needed, remedy
        Phrases without a final stop.

    Returns
    -------
    PanelError
        To be raised by the caller.
    """
    return PanelError(f"{found}; needed {needed}. {remedy}.")


def choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise unless `value` is one of the `allowed` words.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.
    allowed
        The words that the option takes.
    """
    words = list(allowed)
    if value not in words:
        listed = ", ".join(repr(w) for w in words)
        raise PanelError(f"{name}={value!r} is unknown; choose from {listed}.")


def positive(name: str, value: int, least: int = 1) -> int:
    """Return `value` as an int, or raise unless it is a whole number of at least `least`.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.
    least
        The smallest number allowed.

    Returns
    -------
    int
        `value`.
    """
    try:
        whole = not isinstance(value, bool) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole or value < least:
        raise PanelError(f"{name}={value!r} was given; needed a whole number of at least {least}.")
    return int(value)


def window_options(window: int, min_obs: int | None) -> tuple[int, int]:
    """Return `window` and `min_obs`, checked.

    Parameters
    ----------
    window
        Number of dates; one longer than any history takes all dates there are.
    min_obs
        Valid dates needed; `window` if not given.

    Returns
    -------
    tuple of int
        Both.
    """
    window = positive("window", window)
    least = window if min_obs is None else positive("min_obs", min_obs)
    if least > window:
        raise error(
            f"min_obs={min_obs} was given with window={window}",
            "no more than the window has",
            "Lower it, or widen the window",
        )
    return min(window, LONGEST), min(least, LONGEST)


def is_codes(dtype: np.dtype) -> bool:
    """Tell whether arrays of `dtype` hold codes, of which -1 is the missing one.

    Parameters
    ----------
    dtype
        Of an array.

    Returns
    -------
    bool
        True for signed integers of at most 4 bytes, of any byte order. Others are counts.
    """
    return dtype.kind == "i" and dtype.itemsize <= 4


def is_number(dtype: np.dtype) -> bool:
    """Tell whether arrays of `dtype` hold numbers, and not codes, a mask, dates or text.

    Parameters
    ----------
    dtype
        Of an array.

    Returns
    -------
    bool
        What a transform of a Dataset changes.
    """
    return dtype.kind in "fiu" and not is_codes(dtype)


def missing(dtype: np.dtype) -> Any:
    """Return what stands for a missing value in arrays of `dtype`.

    Parameters
    ----------
    dtype
        Of an array.

    Returns
    -------
    numpy.generic or None
        NaN, NaT, -1 for codes, False for masks; None where nothing does (counts, text).
    """
    if is_codes(dtype):
        return dtype.type(MISSING_CODE)
    known = {"f": np.nan, "M": "NaT", "m": "NaT", "b": False}
    return np.array(known[dtype.kind], dtype=dtype)[()] if dtype.kind in known else None


def described(attrs: Mapping[Any, Any], units: str | None = SAME) -> dict[Any, Any]:
    """Return the attributes of what a transform made of an array with `attrs`.

    Parameters
    ----------
    attrs
        Attributes of the array.
    units
        `SAME` keeps all. Otherwise the result is another quantity, and what names the old one
        goes; its units are "1" if the array had any, or dropped if None is given.

    Returns
    -------
    dict
        The attributes.
    """
    if units == SAME:
        return dict(attrs)
    kept = {k: v for k, v in attrs.items() if k not in (*ABOUT_QUANTITY, "units")}
    return kept | ({"units": units} if units is not None and "units" in attrs else {})


def as_float(x: xr.DataArray) -> xr.DataArray:
    """Return `x` with a floating dtype: float32 and float64 are kept, all else becomes float64.

    Parameters
    ----------
    x
        Any numeric or boolean array.

    Returns
    -------
    xarray.DataArray
        `x` itself where it is float32 or float64.
    """
    if x.dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        return x
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"{x.name or 'the array'} has dtype {x.dtype}; needed numbers. Convert it first."
        )
    return x.astype(np.float64)


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


def check_same_labels(
    *arrays: xr.DataArray, names: tuple[str, ...], fill: int | None = None
) -> None:
    """Raise unless arrays that share a dimension carry the same labels on it, in the same order.

    Parameters
    ----------
    *arrays
        Labelled arrays.
    names
        What to call them in the message.
    fill
        What a label that one lacks should get, if not NaN: for the message.
    """
    first = arrays[0]
    for other, name in zip(arrays[1:], names[1:], strict=True):
        for dim in set(first.dims) & set(other.dims):
            a, b = first.sizes[dim], other.sizes[dim]
            labelled = dim in first.indexes and dim in other.indexes
            options = "" if fill is None else f", fill_value={fill}"
            remedy = f"Use {name}.reindex_like({names[0]}{options})"
            if a != b:
                raise error(
                    f"{name} has {b} labels along {dim!r} and {names[0]} has {a}",
                    "the same labels",
                    remedy if labelled else "Give both labels, or the same length",
                )
            if labelled and not first.indexes[dim].equals(other.indexes[dim]):
                raise error(
                    f"{name} and {names[0]} have different labels along {dim!r}",
                    "the same labels in the same order",
                    remedy,
                )


def check_dim(x: xr.DataArray | xr.Dataset, dim: str, what: str) -> None:
    """Raise unless `x` has the dimension `dim`.

    Parameters
    ----------
    x
        What the caller passed.
    dim
        The dimension needed.
    what
        The public function's name, for the message.
    """
    if dim not in x.dims:
        found = ", ".join(repr(str(d)) for d in x.dims) or "none"
        raise error(f"{what} found the dimensions {found}", f"{dim!r}", "Pass dim= or rename")


def check_dates(dates: pd.Index, what: str = "the panel") -> None:
    """Raise unless `dates` are datetimes, without time zone, strictly increasing.

    Parameters
    ----------
    dates
        The labels of the date dimension.
    what
        What carries them, for the message.
    """
    if not isinstance(dates, pd.DatetimeIndex):
        raise error(
            f"the 'date' labels of {what} are {dates.dtype}",
            "datetime64",
            "Convert them with pandas.to_datetime",
        )
    if dates.tz is not None:
        raise error(
            f"the 'date' labels of {what} carry the time zone {dates.tz}",
            "session labels without a time zone",
            "Use dates.tz_localize(None)",
        )
    _check_increasing(dates, what, DATE, "panel")


def check_order(x: xr.DataArray | xr.Dataset, dim: str, what: str) -> None:
    """Raise if the labels of `x` along `dim` are datetimes that are not strictly increasing.

    What looks along dates would read the future. Labels of other kinds, or none, are taken to
    stand in order.

    Parameters
    ----------
    x
        What the caller passed.
    dim
        Dimension of time.
    what
        The public function's name, for the message.
    """
    dates = x.indexes.get(dim)
    if isinstance(dates, pd.DatetimeIndex):
        _check_increasing(dates, f"the input of {what}", dim, "x")


def _check_increasing(dates: pd.DatetimeIndex, what: str, dim: str, name: str) -> None:
    if dates.is_monotonic_increasing and dates.is_unique:  # pandas keeps both with the index
        return
    if dates.hasnans:
        raise error(f"{what} has missing dates", "a date on every row", "Drop those rows")
    if not dates.is_monotonic_increasing:
        at = int(np.argmax(np.diff(dates.asi8) < 0)) + 1
        raise error(
            f"the dates of {what} are not sorted: {_day(dates[at])} follows {_day(dates[at - 1])}",
            "strictly increasing dates",
            f"Use {name}.sortby({dim!r})",
        )
    raise error(
        f"{what} has the date {_day(dates[dates.duplicated()][0])} more than once",
        "strictly increasing dates",
        f"Drop the duplicates, e.g. {name}.drop_duplicates({dim!r})",
    )


def _day(label: pd.Timestamp) -> str:
    return str(label).removesuffix(" 00:00:00")


def check_panel(panel: xr.Dataset) -> xr.Dataset:
    """Check that a Dataset is a panel: a `date` dim, increasing; an `asset` dim, unique labels.

    Parameters
    ----------
    panel
        Dataset with one variable per field.

    Returns
    -------
    xarray.Dataset
        `panel` itself, so that the check can stand in a chain of calls.

    Raises
    ------
    PanelError
        If a dimension or its labels are missing, the dates are not strictly increasing
        datetimes, or an asset stands there twice.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> xf.check_panel(panel) is panel
    True
    """
    if not isinstance(panel, xr.Dataset):
        raise TypeError(f"a panel is an xarray.Dataset; found {type(panel).__name__}.")
    for dim in (DATE, ASSET):
        if dim not in panel.dims:
            found = ", ".join(repr(str(d)) for d in panel.dims) or "none"
            raise error(
                f"this is no panel: its dimensions are {found}",
                "'date' and 'asset'",
                "Rename the dimensions, e.g. ds.rename(time='date', ticker='asset')",
            )
        if dim not in panel.indexes:
            raise error(
                f"the panel has no labels along {dim!r}", "one label each", "Assign a coordinate"
            )
    check_dates(panel.indexes[DATE])
    assets = panel.indexes[ASSET]
    if not assets.is_unique:
        twice = assets[assets.duplicated()][0]
        raise error(
            f"the asset {twice!r} stands more than once in the panel",
            "unique assets",
            "Drop the duplicates, e.g. panel.drop_duplicates('asset')",
        )
    return panel


def one_array(x: object, what: str, name: str = "x") -> None:
    """Raise unless `x` is a DataArray.

    Parameters
    ----------
    x
        What the caller passed.
    what
        The public function's name, for the message.
    name
        The argument's name.
    """
    if not isinstance(x, xr.DataArray):
        found = type(x).__name__
        hint = " Use dataset.to_dataarray('factor'), or one of its variables." * (
            found == "Dataset"
        )
        raise TypeError(f"{what} takes a DataArray as {name}; found {found}.{hint}")


def field(panel: xr.Dataset, name: str) -> xr.DataArray:
    """Return one field of a panel, or raise an error that lists the fields there are.

    Parameters
    ----------
    panel
        The panel.
    name
        The field wanted.

    Returns
    -------
    xarray.DataArray
        The field.
    """
    if name not in panel:
        listed = ", ".join(sorted(str(v) for v in panel.data_vars))
        raise error(f"the panel has no field {name!r}", "a field", f"It has: {listed}")
    return panel[name]


def label_order(index: pd.Index) -> np.ndarray | None:
    """Return the storage positions in label order, or None where storage is in label order.

    Ties are broken by label, so that a result does not depend on how the assets are stored.

    Parameters
    ----------
    index
        Unique asset labels.

    Returns
    -------
    numpy.ndarray or None
        int64 positions (n,).
    """
    if isinstance(index, pd.CategoricalIndex):  # labels have an order of their own
        index = pd.Index(index.to_numpy())
    if index.is_monotonic_increasing:
        return None
    try:
        return np.argsort(index.to_numpy(), kind="stable").astype(np.int64)
    except TypeError as mixed:
        kinds = sorted({type(label).__name__ for label in index})
        raise error(
            f"the {index.name or 'asset'!r} labels are of several kinds: {', '.join(kinds)}",
            "labels of one kind, for ties are broken in their order",
            "Make all of them text, or numbers",
        ) from mixed


def shown(value: object) -> str:
    """Return what the caller passed as it stands in a message: on one line, and short.

    Parameters
    ----------
    value
        Anything.

    Returns
    -------
    str
        Its repr, or the name of its type where that is long.
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise unless it is one number, and not NaN.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.

    Returns
    -------
    float
        `value`.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise PanelError(f"{name}={shown(value)} was given; needed a number.")
    return float(value)


def flag(name: str, value: object) -> bool:
    """Return `value` as a bool, or raise unless it is True or False.

    Parameters
    ----------
    name
        The option's name, for the message.
    value
        What the caller passed.

    Returns
    -------
    bool
        `value`.
    """
    if not isinstance(value, bool | np.bool_):
        raise PanelError(f"{name}={shown(value)} was given; needed True or False.")
    return bool(value)
