"""What a caller asks for, checked: paths and days."""

import os
from typing import Any

import pandas as pd

from xfactor import panel


def path_of(name: str, given: Any) -> str:
    """Return a path or URL as text.

    Parameters
    ----------
    name
        Of the argument, for the message.
    given
        What the caller passed.

    Returns
    -------
    str
        The path.

    Raises
    ------
    PanelError
        If it is none.
    """
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise panel.error(f"{name}={panel.shown(given)} was given", "a path", "Name a file")
    return str(os.fspath(given))


def day_of(name: str, given: Any) -> pd.Timestamp:
    """Return a day, or a time of it, without a time zone.

    Parameters
    ----------
    name
        Of the argument, for the message.
    given
        What the caller passed.

    Returns
    -------
    pandas.Timestamp
        In nanoseconds.

    Raises
    ------
    PanelError
        If it is none.
    """
    try:
        day = pd.Timestamp(given) if not isinstance(given, bool | int | float) else pd.NaT
        day = day if day is pd.NaT or day.tz is not None else day.as_unit("ns")
    except (ValueError, TypeError, OverflowError):
        day = pd.NaT
    if day is pd.NaT or day.tz is not None:
        raise panel.error(
            f"{name}={panel.shown(given)} was given", "a date without a time zone",
            "Use e.g. 2014-01-31",
        )  # fmt: skip
    return day
