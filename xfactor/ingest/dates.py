"""Turn a column of dates, in any of the usual spellings, into datetime64[ns]."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xfactor import panel
from xfactor.ingest.summary import shorten

# Tried in turn; one spelling must fit the whole column. The second list is by day or by month
# first: where both fit, the file does not say which it is, and a guess could shuffle history.
PLAIN = ("ISO8601", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y")
SLASHED = ("%m/%d/%Y", "%d/%m/%Y")
# Labels of months and years, which pandas would read as their first day: before they are over.
PERIOD = re.compile(r"\d{1,7}|\d{4}-\d{1,2}")
LEAST, MOST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")


def date_column(column: pa.ChunkedArray, path: Path, name: str) -> np.ndarray:
    """Return the dates of a column.

    Parameters
    ----------
    column
        Dates, timestamps without time zone, text, or whole numbers such as 20130102.
    path, name
        The file and its name of the column, for the messages.

    Returns
    -------
    numpy.ndarray
        datetime64[ns], none missing.

    Raises
    ------
    PanelError
        If a date is missing, cannot be parsed, or carries a time zone.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        raise _zoned(path, name)
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind):
        values = column.cast(pa.timestamp("us"), safe=False).to_numpy()
        return _complete(values, values, path, name)
    if pa.types.is_integer(kind):
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise panel.error(
                f"column {name!r} of {path} has the type {kind}", "dates", "Convert it"
            )
        column = pc.dictionary_encode(column)
    encoded = column.unify_dictionaries().combine_chunks()
    words = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    parsed = np.append(_parse(words, path, name), np.datetime64("NaT"))
    return _complete(parsed[codes], np.append(words, "")[codes], path, name)


def _parse(words: np.ndarray, path: Path, name: str) -> np.ndarray:
    """Parse distinct words; NaT where the best spelling does not fit."""
    best = np.full(len(words), np.datetime64("NaT"), "datetime64[us]")
    for spelling in (*PLAIN, *SLASHED):
        parsed = _spelled(words, spelling, path, name)
        if np.isnat(parsed).sum() < np.isnat(best).sum():
            best = parsed
        if not np.isnat(best).any():
            break
    both = [_spelled(words, s, path, name) for s in SLASHED]
    if len(words) and not any(np.isnat(p).any() for p in both) and (both[0] != both[1]).any():
        raise panel.error(
            f"column {name!r} of {path} holds dates like {shorten(words[0])!r}, which can "
            "be read as month/day or day/month",
            "dates that read one way only",
            "Write them as YYYY-MM-DD",
        )
    return best


def _spelled(words: np.ndarray, spelling: str, path: Path, name: str) -> np.ndarray:
    try:
        parsed = pd.to_datetime(pd.Series(words, dtype=object), format=spelling, errors="coerce")
    except ValueError:  # several time zones in one column
        raise _zoned(path, name) from None
    if getattr(parsed.dtype, "tz", None) is not None:
        raise _zoned(path, name)
    periods = np.array([PERIOD.fullmatch(w) is not None for w in words], bool)
    return np.where(periods, np.datetime64("NaT"), parsed.to_numpy().astype("datetime64[us]"))


def _complete(values: np.ndarray, shown: np.ndarray, path: Path, name: str) -> np.ndarray:
    """Return nanoseconds, or raise if a row has no date or one that these cannot hold."""
    values = values.astype("datetime64[us]")
    bad = np.flatnonzero(np.isnat(values) | (values < LEAST) | (values > MOST))
    if len(bad):
        raise panel.error(
            f"{len(bad):,} of {len(values):,} dates in column {name!r} of {path} cannot be "
            f"parsed, the first in row {bad[0] + 1:,}: {shorten(str(shown[bad[0]]))!r}",
            "dates in one spelling",
            "Write them as YYYY-MM-DD",
        )
    return values.astype("datetime64[ns]")


def _zoned(path: Path, name: str) -> panel.PanelError:
    return panel.error(
        f"the dates in column {name!r} of {path} carry a time zone",
        "session labels without one",
        "Write them as YYYY-MM-DD",
    )
