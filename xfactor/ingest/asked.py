"""What a caller asks for, checked: paths, days, names, and where to list what is left out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xfactor import panel
from xfactor.ingest.rejects import KINDS, Rejects

# Of an item or field: it stands in a folder of its name.
LONGEST_NAME = 100


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


def rejects_of(rejects: Any, strict: Any, names: Sequence[str], files: Sequence[Path]) -> Rejects:
    """Return where to count what is not taken from a source.

    Parameters
    ----------
    rejects, strict
        What the caller passed: a path or None, True or False.
    names
        Of the parts of the source.
    files
        Those among them that must not be written over.

    Returns
    -------
    Rejects
        Nothing counted yet.

    Raises
    ------
    PanelError
        If an option will not do.
    """
    stop = frozenset(KINDS if panel.flag("strict", strict) else ())
    path = None if rejects is None else Path(path_of("rejects", rejects))
    if path is not None and any(f.resolve() == path.resolve() for f in files):
        raise panel.error(f"rejects={str(path)!r} is the source", "another file", "Rename it")
    return Rejects(path, stop, [(name, ()) for name in names])


def can_name(word: str) -> bool:
    """Say whether a word can name an item or a field.

    Parameters
    ----------
    word
        Any text.

    Returns
    -------
    bool
        True for a word of letters, digits and underscores that is not too long.
    """
    return word.isidentifier() and len(word.encode()) <= LONGEST_NAME
