"""Dimensions and their labels: which there must be, in which order."""

import numpy as np
import pandas as pd
import xarray as xr

from xfactor.panel.errors import error, one_array, shown

DATE = "date"
ASSET = "asset"
FACTOR = "factor"


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
        If a dimension or its labels are missing, the dates are not strictly increasing datetimes
        without time zone, or an asset stands there twice.
    TypeError
        If `panel` is not a Dataset.

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
    if not isinstance(x, xr.DataArray | xr.Dataset):
        raise TypeError(f"{what} takes a DataArray or a Dataset; found {type(x).__name__}.")
    if not isinstance(dim, str):
        raise error(f"{what} got {shown(dim)} as a dimension", "its name", f"Use e.g. {DATE!r}")
    if dim not in x.dims:
        found = ", ".join(repr(str(d)) for d in x.dims) or "none"
        raise error(f"{what} found the dimensions {found}", f"{dim!r}", "Pass dim= or rename")


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


def stacked(x: xr.DataArray | xr.Dataset, what: str, name: str = "x") -> xr.DataArray:
    """Return the variables of a Dataset as one array with a dimension `factor`.

    Parameters
    ----------
    x
        What the caller passed.
    what
        The public function's name, for the message.
    name
        The argument's name.

    Returns
    -------
    xarray.DataArray
        `x` itself where it is a DataArray.
    """
    if not isinstance(x, xr.Dataset):
        one_array(x, what, name)
        return x
    if not x.data_vars:
        raise error(f"{what} found no variable in {name}", "at least one", "Put variables into it")
    if FACTOR in x.dims:
        raise error(
            f"{what} found the dimension {FACTOR!r} in the Dataset given as {name}",
            "it free for the names of its variables",
            f"Pass one of them, e.g. dataset[{str(next(iter(x.data_vars)))!r}]",
        )
    return x.to_dataarray(FACTOR)


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
