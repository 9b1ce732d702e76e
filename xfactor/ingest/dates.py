"""Turn a column of dates, in any of the usual spellings, into datetime64[ns]."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xfactor import panel
from xfactor.ingest.summary import shorten

# Each of these reads one way only, so a word is read by the first that fits it.
PLAIN = ("ISO8601", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y")
# By month or by day first: a word does not say which it is, and a guess could shuffle history. The
# whole column has to.
SLASHED = ("%m/%d/%Y", "%d/%m/%Y")
SLASHES = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
# Labels of months and years, which pandas would read as their first day: before they are over.
PERIOD = re.compile(r"\d{1,7}|\d{4}-\d{1,2}")
# pandas knows words for the moment of reading: no dates of a file.
MOMENT = re.compile(r"\D*")
LEAST, MOST = np.datetime64("1678-01-01", "us"), np.datetime64("2262-01-01", "us")
NONE = np.datetime64("NaT", "us")


def date_column(column: pa.Array, path: Path, name: str) -> np.ndarray:
    """Return the dates of a whole column.

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
    values = Dates(name, None, lambda: [words_of(column)]).read(column, str(path))
    bad = np.flatnonzero(np.isnat(values))
    if len(bad):
        raise unreadable(len(bad), len(values), name, path, bad[0] + 1, shown(column, bad[0]))
    return values


def unreadable(
    bad: int, read: int, name: str, path: object, row: int, word: str
) -> panel.PanelError:
    """Build the message for dates that cannot be read.

    Parameters
    ----------
    bad, read
        Dates that cannot be read, and all of them.
    name, path
        Column and file.
    row, word
        The first of them.

    Returns
    -------
    PanelError
        To be raised.
    """
    return panel.error(
        f"{bad:,} of {read:,} dates read from column {name!r} of {path} cannot be parsed, the "
        f"first in row {row:,}: {shorten(word)!r}",
        "dates in one spelling",
        "Write them as YYYY-MM-DD",
    )


def shown(column: pa.Array, at: int) -> str:
    """Return a cell as text, for a message.

    Parameters
    ----------
    column
        Of any type.
    at
        Position.

    Returns
    -------
    str
        Empty where the cell is missing.
    """
    try:
        value = column[int(at)].as_py()
    except (OverflowError, ValueError):  # a date that Python cannot hold
        whole = pa.int32() if column.type.bit_width == 32 else pa.int64()
        value = str(column.slice(int(at), 1).cast(whole).to_pylist()[0])
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "" if value is None else str(value)


class Dates:
    """Reads the dates of one column, batch by batch, in the same way throughout.

    Parameters
    ----------
    name
        The column, for the messages.
    spelling
        As of ``strptime``; None for the usual ones.
    look
        Gives all words of the column. It is called, once, when a word could be read by day or by
        month first.
    """

    def __init__(
        self, name: str, spelling: str | None, look: Callable[[], Iterable[np.ndarray]]
    ) -> None:
        self.name, self.spelling, self.look = name, spelling, look
        self._slashed = ""

    def read(self, column: pa.Array, path: str) -> np.ndarray:
        """Return datetime64[ns] of a batch; missing where there is none that can be used."""
        kind = column.type
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            raise self._zoned(path)
        if pa.types.is_temporal(kind) and not (
            pa.types.is_time(kind) or pa.types.is_duration(kind)
        ):
            return _in_range(column.cast(pa.timestamp("us"), safe=False).to_numpy(False))
        if pa.types.is_integer(kind):
            column = column.cast(pa.string())
        elif not is_text(kind):
            raise panel.error(
                f"column {self.name!r} of {path} has the type {kind}", "dates", "Convert it"
            )
        codes, words = split(column)
        return _in_range(np.append(self._parse(words, path), NONE)[codes])

    def _parse(self, words: np.ndarray, path: str) -> np.ndarray:
        if self.spelling is not None:
            return self._spelled(words, self.spelling, path)
        out = np.full(len(words), NONE)
        for spelling in PLAIN:
            left = np.flatnonzero(np.isnat(out))
            if not len(left):
                break
            out[left] = self._spelled(words[left], spelling, path)
        left = np.flatnonzero(np.isnat(out))
        left = left[[SLASHES.fullmatch(w) is not None for w in words[left]]] if len(left) else left
        if len(left):
            self._slashed = self._slashed or self._decide(path)
            out[left] = self._spelled(words[left], self._slashed, path)
        return out

    def _decide(self, path: str) -> str:
        """Say whether the whole column reads by month or by day first."""
        fits, differ, example = np.zeros(2, int), False, ""
        for words in self.look():
            words = words[[SLASHES.fullmatch(w) is not None for w in words]]
            both = [self._spelled(words, s, path) for s in SLASHED]
            fits += [(~np.isnat(p)).sum() for p in both]
            differ |= bool((both[0] != both[1]).any())
            example = example or next(iter(words), "")
        if fits[0] == fits[1] and differ:
            raise panel.error(
                f"column {self.name!r} of {path} holds dates like {shorten(example)!r}, which can "
                "be read as month/day or day/month",
                "dates that read one way only",
                "Write them as YYYY-MM-DD",
            )
        return SLASHED[0] if fits[0] >= fits[1] else SLASHED[1]

    def _spelled(self, words: np.ndarray, spelling: str, path: str) -> np.ndarray:
        try:
            parsed = pd.to_datetime(
                pd.Series(words, dtype=object), format=spelling, errors="coerce"
            )
        except ValueError as cause:
            if spelling == self.spelling:
                raise panel.error(
                    f"the date format {spelling!r} cannot be used: {' '.join(str(cause).split())}",
                    "one of strptime, e.g. %d/%m/%Y",
                    "Correct it",
                ) from None
            raise self._zoned(path) from None  # several time zones in one column
        if getattr(parsed.dtype, "tz", None) is not None or parsed.dtype == object:
            raise self._zoned(path)
        values = parsed.to_numpy().astype("datetime64[us]")
        if spelling == "ISO8601":
            odd = [bool(PERIOD.fullmatch(w) or MOMENT.fullmatch(w)) for w in words]
            values = np.where(np.array(odd, bool), NONE, values)
        return values

    def _zoned(self, path: str) -> panel.PanelError:
        return panel.error(
            f"the dates in column {self.name!r} of {path} carry a time zone",
            "session labels without one",
            "Write them as YYYY-MM-DD",
        )


def is_text(kind: pa.DataType) -> bool:
    """Say whether a column holds text: strings or bytes, plain or numbered.

    Parameters
    ----------
    kind
        Type of the column.

    Returns
    -------
    bool
        True if it does.
    """
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    found = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
             pa.types.is_binary, pa.types.is_large_binary, pa.types.is_null)  # fmt: skip
    return any(is_kind(kind) for is_kind in found)


def split(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the code of each row, -1 where there is nothing, and the distinct words.

    Parameters
    ----------
    column
        Text.

    Returns
    -------
    tuple of numpy.ndarray
        int64 codes; object array of str, in which bytes that are no UTF-8 stand escaped.
    """
    if pa.types.is_null(column.type):
        return np.full(len(column), -1), np.empty(0, object)
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    words = column.dictionary.to_pylist()
    words = [w.decode("utf-8", "backslashreplace") if isinstance(w, bytes) else w for w in words]
    out = np.empty(len(words), object)
    out[:] = ["" if w is None else w for w in words]
    return codes, out


def words_of(column: pa.Array) -> np.ndarray:
    """Return the distinct words of a column of text or whole numbers.

    Parameters
    ----------
    column
        A batch.

    Returns
    -------
    numpy.ndarray
        object array of str.
    """
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    return split(column)[1] if is_text(column.type) else np.empty(0, object)


def _in_range(values: np.ndarray) -> np.ndarray:
    """Return nanoseconds; missing where these cannot hold the date."""
    values = values.astype("datetime64[us]")
    with np.errstate(invalid="ignore"):
        inside = (values >= LEAST) & (values <= MOST)
    return np.where(inside, values, NONE).astype("datetime64[ns]")
