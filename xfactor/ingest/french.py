"""The daily factor files of Kenneth French's data library, in their original form."""

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel

DATA = re.compile(r"\s*(\d{6}|\d{8})\s*,")
DAY = re.compile(r"\s*\d{8}\s*$")
# Codes for missing, in the files' percent.
MISSING = (-99.99, -999.0)


def read_french(path: str | os.PathLike[str]) -> xr.Dataset:
    r"""Read a daily factor file of Kenneth French's data library.

    Parameters
    ----------
    path
        The CSV file as downloaded (it may be gzipped): lines of text, a header, one row per day
        in percent, a copyright line.

    Returns
    -------
    xarray.Dataset
        One variable (date,) for each column, under its own name without blanks (``Mkt-RF``,
        ``SMB``, ``HML``, ``RF``, ``Mom``): decimal returns, NaN where the file has -99.99 or
        -999.

    Raises
    ------
    PanelError
        If there is no file, no daily section or more than one, or a line that cannot be read.

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
    lines = _lines(path)
    is_data = [bool(DATA.match(line)) for line in lines]
    starts = [i for i, now in enumerate(is_data) if now and (i == 0 or not is_data[i - 1])]
    if len(starts) != 1 or starts[0] == 0:
        raise panel.error(
            f"{path} has {len(starts)} sections of data", "one, below a header", "Cut out one"
        )
    names = [word.strip() for word in lines[starts[0] - 1].split(",")][1:]
    body = [line.split(",") for line, now in zip(lines, is_data, strict=True) if now]
    width = next((i for i, row in enumerate(body) if len(row) != len(names) + 1), None)
    if width is not None or not all(names) or len(set(names)) < len(names):
        shown = lines[starts[0] - 1 if width is None else starts[0] + width].strip()[:60]
        raise panel.error(
            f"{path} has the line {shown!r}", f"{len(names) + 1} named columns", "Check the file"
        )
    try:
        if not all(DAY.match(row[0]) for row in body):
            raise ValueError("some of its dates are months")
        dates = pd.to_datetime([row[0].strip() for row in body], format="%Y%m%d")
        percent = np.array([row[1:] for row in body], dtype=object).astype(float)
    except ValueError as cause:
        raise panel.error(
            f"{path} cannot be read: {str(cause)[:80]}", "daily dates YYYYMMDD and numbers",
            "Take the daily file",
        ) from cause  # fmt: skip
    dates = pd.DatetimeIndex(dates, name=panel.DATE).as_unit("ns")
    panel.check_dates(dates, str(path))
    decimal = np.where(np.isin(percent, MISSING), np.nan, percent) / 100.0
    attrs = {"units": "decimal per session"}
    columns = {n: (panel.DATE, decimal[:, i], attrs) for i, n in enumerate(names)}
    return xr.Dataset(columns, {panel.DATE: dates})


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
