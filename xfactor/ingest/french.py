"""The files of Kenneth French's data library, in their original form."""

import gzip
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.ingest.summary import listing, shorten

DATA = re.compile(r"\s*(\d{4}|\d{6}|\d{8})\s*,")
# Codes for missing, also in the sections that are not in percent.
MISSING = (-99.99, -999.0)
# Digits of a date -> what a section of such dates is called, and how they are read.
FREQUENCY = {8: "daily", 6: "monthly", 4: "annual"}
SPELLED = {"daily": "%Y%m%d", "monthly": "%Y%m", "annual": "%Y"}
PERIOD = {"daily": "session", "monthly": "month", "annual": "year"}


@dataclass(frozen=True)
class Section:
    """A table in a file: its title (empty for the only table of a factor file), lines, names."""

    title: str
    frequency: str
    header: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Return the title and the frequency."""
        return f"{self.title or 'untitled'} ({self.frequency})"


def read_french(
    path: str | os.PathLike[str],
    section: str | int | None = None,
    *,
    frequency: str | None = None,
) -> xr.Dataset:
    r"""Read a file of Kenneth French's data library, as downloaded.

    Parameters
    ----------
    path
        The CSV file (it may be gzipped): lines of text; sections of a title, a header and one row
        per day, month or year; a copyright line.
    section
        Which of several: words of its title, in upper or lower case, or its number, from 0.
        `french_sections` lists them.
    frequency
        "daily", "monthly" or "annual", where sections differ in that.

    Returns
    -------
    xarray.Dataset
        One variable (date,) for each column, under its own name without blanks at the ends
        (``Mkt-RF``, ``SMB``, ``Mom``, ``Hlth``, ``SMALL LoBM``); NaN where the file has -99.99 or
        -999. Returns are decimal; other sections (numbers of firms, market caps in millions of
        USD, ratios) are as they stand. A month is labelled with its last day, and a year too.

    Raises
    ------
    PanelError
        If there is no file, no section or not one that is meant, or a line that cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xfactor.ingest import read_french
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "Mom.CSV"
    >>> _ = path.write_text("Some text.\n\n,Mom   \n20130102,   0.50\n20130103, -99.99\n")
    >>> read_french(path)["Mom"].values
    array([0.005,   nan])
    """
    path = Path(path)
    found = _choose(path, _sections(path), section, frequency)
    names, rows = _cells(path, found)
    dates = _dates(path, found, [row[0].strip() for row in rows])
    try:
        values = np.array([row[1:] for row in rows], dtype=object).astype(float)
    except ValueError as cause:
        raise panel.error(
            f"{path} cannot be read: {str(cause)[:80]}", "numbers", "Check the file"
        ) from cause
    values = np.where(np.isin(values, MISSING), np.nan, values)
    percent, attrs = _units(found)
    values = values / 100.0 if percent else values
    columns = {n: (panel.DATE, values[:, i], attrs) for i, n in enumerate(names)}
    return xr.Dataset(columns, {panel.DATE: dates})


def french_sections(path: str | os.PathLike[str]) -> list[str]:
    r"""List the sections of a file of Kenneth French's data library.

    Parameters
    ----------
    path
        The CSV file.

    Returns
    -------
    list of str
        Title and frequency of each, in the order of their numbers.

    Raises
    ------
    PanelError
        If there is no file, or no section in it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xfactor.ingest import french_sections
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "10.CSV"
    >>> text = "Text\n\n  Returns -- Monthly\n,A\n201301, 1\n\n  Number of Firms\n,A\n201301, 5\n"
    >>> _ = path.write_text(text)
    >>> french_sections(path)
    ['Returns -- Monthly (monthly)', 'Number of Firms (monthly)']
    """
    path = Path(path)
    return [str(s) for s in _sections(path)]


def _sections(path: Path) -> list[Section]:
    lines = _lines(path)
    digits = [len(m[1]) if (m := DATA.match(line)) else 0 for line in lines]
    starts = [i for i, now in enumerate(digits) if now and (i == 0 or not digits[i - 1])]
    if not starts or starts[0] == 0:
        raise panel.error(
            f"{path} has no section of data" if not starts else f"{path} begins with data",
            "a section, below a header",
            "Check the file",
        )
    found = []
    for before, start in pairwise([-1, *starts]):
        stop = next((i for i in range(start, len(lines)) if not digits[i]), len(lines))
        # The title stands right above the header, down from the last blank line or row of data.
        first = start - 1
        while first - 1 > max(before, -1) and lines[first - 1].strip() and not digits[first - 1]:
            first -= 1
        title = " ".join(line.strip() for line in lines[first : start - 1])
        found.append(
            Section(title, FREQUENCY[digits[start]], lines[start - 1], tuple(lines[start:stop]))
        )
    return found


def _choose(
    path: Path, sections: list[Section], section: str | int | None, frequency: str | None
) -> Section:
    if frequency is not None:
        panel.choice("frequency", frequency, SPELLED)
    fit = [s for s in sections if frequency in (None, s.frequency)]
    if isinstance(section, str):
        words = " ".join(section.lower().split())
        fit = [s for s in fit if words in " ".join(str(s).lower().split())]
    elif section is not None:
        fit = [s for s in fit if s is sections[section]] if 0 <= section < len(sections) else []
    if len(fit) == 1:
        return fit[0]
    raise panel.error(
        f"{path} has {len(fit)} sections of data"
        + (f" like {panel.shown(section)}" if section is not None else ""),
        f"one of {len(sections)}",
        f"Name one with section=: {listing([shorten(str(s)) for s in fit or sections])}",
    )


def _cells(path: Path, section: Section) -> tuple[list[str], list[list[str]]]:
    names = [word.strip() for word in section.header.split(",")][1:]
    rows = [line.split(",") for line in section.lines]
    odd = next((i for i, row in enumerate(rows) if len(row) != len(names) + 1), None)
    if odd is not None or not all(names) or len(set(names)) < len(names):
        line = section.header if odd is None else section.lines[odd]
        raise panel.error(
            f"{path} has the line {line.strip()[:60]!r}",
            f"{len(names) + 1} named columns",
            "Check the file",
        )
    return names, rows


def _dates(path: Path, section: Section, words: list[str]) -> pd.DatetimeIndex:
    frequency = section.frequency
    try:
        odd = next((w for w in words if FREQUENCY.get(len(w)) != frequency), None)
        if odd is not None:
            raise ValueError(f"the date {odd!r} is not {frequency}")
        dates = pd.to_datetime(words, format=SPELLED[frequency])
    except ValueError as cause:
        raise panel.error(
            f"{path} cannot be read: {str(cause)[:80]}",
            f"{frequency} dates {SPELLED[frequency]}",
            "Check the file",
        ) from cause
    if frequency != "daily":
        last = pd.offsets.MonthEnd(0) if frequency == "monthly" else pd.offsets.YearEnd(0)
        dates = dates + last
    dates = pd.DatetimeIndex(dates, name=panel.DATE).as_unit("ns")
    panel.check_dates(dates, str(path))
    return dates


def _units(section: Section) -> tuple[bool, dict[str, Any]]:
    """Say whether a section is in percent, and what its values are."""
    title = section.title.lower()
    named = {"long_name": section.title} if section.title else {}
    if not title or "return" in title or "factor" in title:
        return True, {"units": f"decimal per {PERIOD[section.frequency]}", **named}
    if "market cap" in title or "firm size" in title:
        return False, {"units": "million USD", **named}
    ratio = "number of firms" in title or "be/me" in title or "be / sum of me" in title
    return False, {**({"units": "1"} if ratio else {}), **named}


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise panel.error(f"no file is at {path}", "a file of the data library", "Check the path")
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as cause:
        raise panel.error(
            f"{path} cannot be read: {cause}", "a text file", "Download it again"
        ) from cause
    return raw.decode("latin-1").splitlines()
