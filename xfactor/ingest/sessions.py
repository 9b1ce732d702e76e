"""The sessions of a panel beside those of an exchange."""

import importlib
import warnings
from dataclasses import dataclass

import pandas as pd

from xfactor import panel
from xfactor.ingest.summary import listing


@dataclass(frozen=True)
class SessionCheck:
    """What a calendar says of some dates.

    Parameters
    ----------
    calendar
        Its name.
    missing
        Sessions of the calendar, between the first and the last date, that are not among these.
    extra
        Dates that are no sessions.
    """

    calendar: str
    missing: pd.DatetimeIndex
    extra: pd.DatetimeIndex


def check_sessions(dates: pd.DatetimeIndex, calendar: str) -> SessionCheck:
    """Compare the dates of a panel with the sessions of an exchange.

    Parameters
    ----------
    dates
        Labels of daily sessions, or of moments within them.
    calendar
        Name in `exchange_calendars`, e.g. "XNYS".

    Returns
    -------
    SessionCheck
        Sessions that are missing, and dates beside them.

    Raises
    ------
    PanelError
        If `exchange_calendars` is not installed, or does not know the name or the years.

    Examples
    --------
    >>> import pandas as pd
    >>> from xfactor.ingest import check_sessions
    >>> found = check_sessions(pd.DatetimeIndex(["2024-01-12", "2024-01-14", "2024-01-17"]), "XNYS")
    >>> [f"{d:%Y-%m-%d}" for d in found.missing], [f"{d:%Y-%m-%d}" for d in found.extra]
    (['2024-01-16'], ['2024-01-14'])
    """
    try:
        importlib.import_module("exchange_calendars")
    except ImportError:
        raise panel.error(
            f"calendar={calendar!r} was given, and exchange_calendars is not installed",
            "that package",
            "Type: python -m pip install exchange_calendars",
        ) from None
    days = _days(dates)
    try:
        sessions = _sessions(calendar, days[0], days[-1])
    except Exception as cause:  # its errors share no class but this
        raise panel.error(
            f"calendar={calendar!r} cannot be used: {' '.join(str(cause).split())[:200]}",
            "the name of an exchange, in years that its calendar knows",
            "Use e.g. XNYS",
        ) from cause
    inside = sessions[(sessions >= days[0]) & (sessions <= days[-1])]
    return SessionCheck(calendar, inside.difference(days), days.difference(inside))


def _days(dates: object) -> pd.DatetimeIndex:
    try:
        if dates is None or not len(dates):  # type: ignore[arg-type]
            raise ValueError
        found = pd.DatetimeIndex(dates)
        if found.tz is not None or found.isna().any():
            raise ValueError
    except (TypeError, ValueError):
        raise panel.error(
            f"dates={panel.shown(dates)} was given", "at least one date, none with a time zone",
            "Use e.g. panel.indexes['date']",
        ) from None  # fmt: skip
    days: pd.DatetimeIndex = found.normalize().unique().sort_values().as_unit("ns")
    return days


def _sessions(calendar: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """Return the sessions of some weeks more than asked for, for these may hold none."""
    exchanges = importlib.import_module("exchange_calendars")
    weeks = pd.Timedelta(days=14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own use of pandas
        warnings.simplefilter("ignore", FutureWarning)
        known = exchanges.get_calendar(calendar, start=first - weeks, end=last + weeks)
    return known.sessions.as_unit("ns")


def calendar_notes(dates: pd.DatetimeIndex, calendar: str | None) -> list[str]:
    """Say what a calendar misses among some dates, or finds too many.

    Parameters
    ----------
    dates
        Labels of a panel.
    calendar
        Name in `exchange_calendars`; None for no check.

    Returns
    -------
    list of str
        Notes for a summary.
    """
    if calendar is None:
        return []
    found = check_sessions(dates, calendar)

    def days(some: pd.DatetimeIndex) -> str:
        return listing([f"{d:%Y-%m-%d}" for d in some])

    notes = [f"dates are the sessions of {calendar}"]
    if len(found.missing) or len(found.extra):
        notes = []
    if len(found.missing):
        gone = panel.several(len(found.missing), "session", "sessions")
        notes.append(f"{gone} of {calendar} missing: {days(found.missing)}")
    if len(found.extra):
        more = panel.several(len(found.extra), "date is no session", "dates are no sessions")
        notes.append(f"{more} of {calendar}: {days(found.extra)}")
    return notes
