"""From a batch of cells to values: numbers, masks, and words with their numbers."""

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from xfactor import panel
from xfactor.ingest.dates import is_text, split

# What stands for nothing in a column of numbers; in one of text these are words.
NOTHING = tuple(dict.fromkeys((*pacsv.ConvertOptions().null_values, "None", "none", ".", "-")))
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.I)
TRUTH = {"true": 1, "t": 1, "yes": 1, "y": 1, "1": 1, "1.0": 1,
         "false": 0, "f": 0, "no": 0, "n": 0, "0": 0, "0.0": 0}  # fmt: skip
WHOLE = re.compile(r"[+-]?\d{1,18}")
ZEROS = re.compile(r"\.0*$")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]|\\x[0-9a-f]{2}|[\ud800-\udfff]")
BLANK, UNUSABLE = -1, -2
MOST_WORDS = 2_000_000


def numbers(column: pa.Array, path: str, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a column of numbers.

    Parameters
    ----------
    column
        Numbers, or text that holds them.
    path, name
        The file and its name of the column, for the messages.

    Returns
    -------
    tuple
        float64 (float32 where the column is), NaN for nothing; a mask of the cells that are no
        numbers, None if all are.

    Raises
    ------
    PanelError
        If the type of the column has nothing to do with numbers.
    """
    kind = column.type
    if is_text(kind):
        return _numbers_of_text(column)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise panel.error(f"column {name!r} of {path} has the type {kind}", "numbers", "Convert it")
    if not pa.types.is_float32(kind):
        column = column.cast(pa.float64(), safe=False)
    return column.to_numpy(zero_copy_only=False), None


def _numbers_of_text(column: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
    if not pa.types.is_dictionary(column.type):
        try:
            return column.cast(pa.float64()).to_numpy(zero_copy_only=False), None
        except pa.ArrowInvalid:
            pass
        plain = column.type if not pa.types.is_null(column.type) else pa.string()
        nothing = pc.is_in(column, value_set=pa.array(NOTHING).cast(plain))
        column = pc.if_else(nothing, pa.scalar(None, plain), column)
        try:
            return column.cast(pa.float64()).to_numpy(zero_copy_only=False), None
        except pa.ArrowInvalid:
            pass
    codes, words = split(column)
    read = [_number(w.strip()) for w in words]
    values = np.array([np.nan if v is None else v for v in read] + [np.nan])
    bad = np.array([v is None for v in read] + [False])[codes]
    return values[codes], bad if bad.any() else None


def _number(word: str) -> float | None:
    """Return the number that a word is, NaN if it stands for nothing, None if it is neither."""
    if word in NOTHING:
        return np.nan
    return float(word) if word.isascii() and NUMBER.fullmatch(word) else None


def truths(column: pa.Array, path: str, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a column of yes and no.

    Parameters
    ----------
    column
        Booleans, the numbers 0 and 1, or text such as true, no, 1.
    path, name
        The file and its name of the column, for the messages.

    Returns
    -------
    tuple
        int8: 1, 0, or -1 for nothing; a mask of the cells that are neither, None if there is none.
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        values, _ = numbers(column.cast(pa.int8()), path, name)
    elif is_text(kind):
        codes, words = split(column)
        found = [BLANK if not w.strip() or w.strip() in NOTHING
                 else TRUTH.get(w.strip().lower(), UNUSABLE) for w in words]  # fmt: skip
        return _usable(np.array([*found, BLANK], np.int8)[codes])
    else:
        values, _ = numbers(column, path, name)
    known = np.isin(values, (0.0, 1.0))
    empty = np.isnan(values)
    return _usable(np.where(known, np.where(known, values, 0), np.where(empty, BLANK, UNUSABLE)))


def _usable(found: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    bad = found == UNUSABLE
    return np.where(bad, BLANK, found).astype(np.int8), bad if bad.any() else None


@dataclass
class Words:
    """The distinct words of a column, numbered as they come.

    Parameters
    ----------
    what
        What they are, for messages.
    whole
        The words must be whole numbers; spellings of one number are one word.
    """

    what: str
    whole: bool = False
    code: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def encode(self, column: pa.Array, path: str, name: str) -> np.ndarray:
        """Return int32 codes of a batch: -1 for nothing, -2 for what cannot be used."""
        kind = column.type
        if pa.types.is_floating(kind):  # pandas makes floats of whole numbers with gaps
            column = whole_numbers(column)
        if pa.types.is_integer(column.type):
            column = column.cast(pa.string())
        elif not is_text(column.type):
            raise panel.error(
                f"column {name!r} of {path} has the type {kind}", "text", "Convert it"
            )
        codes, words = split(column)
        mine = np.array([*map(self._look, words), BLANK], np.int32)
        if len(self.code) > MOST_WORDS:
            raise panel.error(
                f"column {name!r} of {path} has more than {MOST_WORDS:,} distinct words",
                f"{self.what} that repeat from row to row",
                "Name another column",
            )
        return mine[codes]

    def _look(self, word: str) -> int:
        code = self._seen.get(word)
        if code is None:
            code = self._one(word)
            if len(self._seen) <= MOST_WORDS:  # what cannot be used may be of any number
                self._seen[word] = code
        return code

    def _one(self, word: str) -> int:
        word = word.strip()
        if self.whole:  # pandas writes 10001.0 where there are gaps
            word = ZEROS.sub("", word)
        if not word:
            return BLANK
        if CONTROL.search(word) or (self.whole and not WHOLE.fullmatch(word)):
            return UNUSABLE
        if self.whole:
            word = str(int(word))
        return self.code.setdefault(word, len(self.code))

    def listed(self) -> list[str]:
        """Return the words in the order of their codes."""
        return list(self.code)


def whole_numbers(column: pa.Array) -> pa.Array:
    """Return floats as whole numbers if they all are, else as they are.

    Parameters
    ----------
    column
        Floats: pandas makes them of whole numbers with gaps.

    Returns
    -------
    pyarrow.Array
        int64, or `column`.
    """
    wide = column.cast(pa.float64())
    whole = pc.all(pc.and_(pc.equal(wide, pc.trunc(wide)), pc.less(pc.abs(wide), 2.0**53)))
    return wide.cast(pa.int64()) if whole.as_py() else column


def ranked(words: list[str]) -> np.ndarray:
    """Return the place of each word in their order: by number if all are, else by letter.

    Parameters
    ----------
    words
        Distinct.

    Returns
    -------
    numpy.ndarray
        int32.
    """
    whole = all(WHOLE.fullmatch(w) for w in words)
    order = sorted(range(len(words)), key=lambda i: (int(words[i]) if whole else 0, words[i]))
    place = np.empty(len(words), np.int32)
    place[order] = np.arange(len(words))
    return place
