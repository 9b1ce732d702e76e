"""Groups: the terms that say of which kind an asset is.

The value of a Classifier is an array of codes, -1 for none. If the codes stand for words, the
array says for which (`flag_values` and `flag_meanings`), and what is done with the words is done
once per word and not once per cell.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.pipeline import _rules
from xfactor.pipeline._term import CLASSIFIER, FACTOR, FILTER, MADE, Made, Term, make
from xfactor.pipeline.factor import aliased, downsampled

Word = Any  # a str, or the int of a group without a name


class Classifier(Term):
    """A group per date and asset, described: an integer or a word, for `groupby` and filters."""

    kind = CLASSIFIER
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other  # a key; `eq` compares values

    def __ne__(self, other: object) -> Any:
        return self._where(Differs(_word(other)), f"!= {other!r}")

    def eq(self, other: Word) -> Any:
        """Filter: the group of this name, or of this number."""
        return self._where(IsIn((_word(other),)), f"== {other!r}")

    def element_of(self, choices: Iterable[Word]) -> Any:
        """Filter: any of these groups."""
        words = tuple(sorted({_word(c) for c in choices}, key=repr))
        return self._where(IsIn(words), f"element_of({panel.shown(words)})")

    def startswith(self, prefix: str) -> Any:
        """Filter: names that begin with `prefix`."""
        return self._where(Text("startswith", _text(prefix)), f"startswith({prefix!r})")

    def endswith(self, suffix: str) -> Any:
        """Filter: names that end with `suffix`."""
        return self._where(Text("endswith", _text(suffix)), f"endswith({suffix!r})")

    def has_substring(self, substring: str) -> Any:
        """Filter: names that contain `substring`."""
        return self._where(Text("contains", _text(substring)), f"has_substring({substring!r})")

    def matches(self, pattern: str | re.Pattern[str]) -> Any:
        """Filter: names that match a regular expression from their beginning, as `re.match`."""
        try:
            compiled = re.compile(pattern)
        except (re.error, TypeError) as wrong:
            raise panel.error(
                f"pattern={panel.shown(pattern)} was given", "a regular expression", str(wrong)
            ) from wrong
        return self._where(Text("matches", compiled), f"matches({compiled.pattern!r})")

    def relabel(self, relabeler: Callable[[str], str | None]) -> Any:
        """A Classifier whose names are `relabeler` of those here; None puts into no group."""
        return make(CLASSIFIER, Relabel(relabeler), [self], "relabel")

    def isnull(self) -> Any:
        """Filter: assets of no group."""
        return make(FILTER, _rules.Present(missing=True), [self], "isnull", invents=True)

    def notnull(self) -> Any:
        """Filter: assets of some group."""
        return make(FILTER, _rules.Present(), [self], "notnull")

    def fillna(self, fill_value: Any) -> Any:
        """Assets of no group get this group, or the one that another Classifier tells."""
        if isinstance(fill_value, Term):
            if fill_value.kind != CLASSIFIER:
                raise TypeError(f"fillna takes a Classifier or a group; found {fill_value}.")
            return make(CLASSIFIER, FillGroup(None), [self, fill_value], "fillna", invents=True)
        word = _word(fill_value)
        return make(CLASSIFIER, FillGroup(word), [self], f"fillna({word!r})", invents=True)

    def peer_count(self, mask: Any = None) -> Any:
        """Factor: how many assets are in the same group."""
        return make(FACTOR, _rules.Peers(), [self], "peer_count", mask=mask)

    def downsample(
        self, frequency: Literal["year_start", "quarter_start", "month_start", "week_start"]
    ) -> Any:
        """The group of the first session of each period, held until the next begins."""
        return downsampled(self, frequency)

    def alias(self, name: str) -> Any:
        """The same, under another name in pictures."""
        return aliased(self, name)

    @property
    def latest(self) -> Self:
        """Itself."""
        return self

    def _where(self, rule: Any, text: str) -> Any:
        invents = isinstance(rule, Differs)
        return make(FILTER, rule, [self], text, invents=invents)


class MadeClassifier(Made, Classifier):
    """A Classifier that a method made."""


MADE[CLASSIFIER] = MadeClassifier


def _word(given: Any) -> Word:
    if isinstance(given, str):
        return given
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return int(given)
    raise TypeError(f"a group is a name or a number; found {panel.shown(given)}.")


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"needed text; found {panel.shown(given)}.")
    return given


# --- the words of codes -------------------------------------------------------------------------


def words_of(codes: xr.DataArray) -> dict[int, str] | None:
    """What each code stands for, if the codes say so."""
    meanings, values = codes.attrs.get("flag_meanings"), codes.attrs.get("flag_values")
    if meanings is None or values is None:
        return None
    words = meanings.split() if isinstance(meanings, str) else [str(w) for w in meanings]
    return dict(zip((int(v) for v in np.ravel(values)), words, strict=True))


def with_words(codes: xr.DataArray, words: dict[int, str] | None) -> xr.DataArray:
    """Codes that say what they stand for."""
    if words is None:
        return _rules.unnamed(codes)
    flags = {"flag_values": list(words), "flag_meanings": list(words.values())}
    return _rules.unnamed(codes).assign_attrs(flags)


def _needed(codes: xr.DataArray, what: str) -> dict[int, str]:
    words = words_of(codes)
    if words is None:
        raise panel.error(
            f"{what} was asked of codes without names",
            "the attributes flag_values and flag_meanings",
            "Compare the codes themselves, e.g. sector.eq(3)",
        )
    return words


def codes_of(codes: xr.DataArray, words: Iterable[Word]) -> list[int]:
    """The codes of groups given by name or by number; a name that is not there has none."""
    known = words_of(codes)
    found = []
    for word in words:
        if isinstance(word, int):
            found.append(word)
        elif known is None:
            _needed(codes, repr(word))
        else:
            found += [code for code, name in known.items() if name == word]
    return found


def looked_up(codes: xr.DataArray, table: dict[int, int]) -> xr.DataArray:
    """Each code's entry in the table, -1 for the rest: int32."""
    known = {code: entry for code, entry in table.items() if code >= 0}
    entries = np.full(max(known, default=-1) + 2, panel.MISSING_CODE, dtype=np.int32)
    entries[list(known)] = list(known.values())
    core = (panel.ASSET,) if panel.ASSET in codes.dims else ()
    kernel = partial(entry_rows, entries=entries)
    out = _apply.Out(core, np.int32)
    (found,) = _apply.along(kernel, [_apply.Arg(codes, core)], [out], what="relabel")
    return found.transpose(*codes.dims)


def entry_rows(codes: np.ndarray, *, entries: np.ndarray) -> np.ndarray:
    """The entry of each code; the last one is for all others."""
    last = len(entries) - 1
    return entries[np.where((codes >= 0) & (codes < last), codes, last)]


@dataclass(frozen=True)
class IsIn:
    """True for some groups."""

    words: tuple[Word, ...]

    def __call__(self, values: list[xr.DataArray], where: xr.DataArray | None) -> xr.DataArray:
        """Compare codes."""
        return _rules.unnamed(values[0].isin(codes_of(values[0], self.words)))


@dataclass(frozen=True)
class Differs:
    """True for all groups but one; also without a group."""

    word: Word

    def __call__(self, values: list[xr.DataArray], where: xr.DataArray | None) -> xr.DataArray:
        """Compare codes."""
        return _rules.unnamed(~values[0].isin(codes_of(values[0], (self.word,))))


@dataclass(frozen=True)
class Text:
    """True for the groups whose names pass a test."""

    test: str
    pattern: Any

    def __call__(self, values: list[xr.DataArray], where: xr.DataArray | None) -> xr.DataArray:
        """Test each name, and look the codes up."""
        tests: dict[str, Callable[[str], Any]] = {
            "startswith": lambda word: word.startswith(self.pattern),
            "endswith": lambda word: word.endswith(self.pattern),
            "contains": lambda word: self.pattern in word,
            "matches": lambda word: self.pattern.match(word),
        }
        words = _needed(values[0], self.test)
        passed = [code for code, word in words.items() if tests[self.test](word)]
        return _rules.unnamed(values[0].isin(passed))


@dataclass(frozen=True)
class Relabel:
    """Other names; groups that get the same become one."""

    relabeler: Callable[[str], str | None]

    def __call__(self, values: list[xr.DataArray], where: xr.DataArray | None) -> xr.DataArray:
        """Rename each group."""
        new = {code: self.relabeler(w) for code, w in _needed(values[0], "relabel").items()}
        names = sorted({w for w in new.values() if w is not None})
        table = {code: names.index(w) for code, w in new.items() if w is not None}
        codes = looked_up(values[0], table)
        return with_words(codes, dict(enumerate(names)))


@dataclass(frozen=True)
class FillGroup:
    """A group for those that have none."""

    word: Word

    def __call__(self, values: list[xr.DataArray], where: xr.DataArray | None) -> xr.DataArray:
        """Fill in the code of the group, which may be a new one."""
        codes, *other = values
        words = words_of(codes)
        if other:
            return self._from(codes, other[0], words)
        if isinstance(self.word, int) or words is None:
            code = self.word if isinstance(self.word, int) else codes_of(codes, (self.word,))[0]
        else:
            same = [c for c, w in words.items() if w == self.word]
            code = same[0] if same else max(words, default=-1) + 1
            words = {**words, code: self.word}
        filled = codes.astype(np.int32).where(_rules.present(codes), np.int32(code))
        return with_words(filled, words)

    def _from(
        self, codes: xr.DataArray, other: xr.DataArray, words: dict[int, str] | None
    ) -> xr.DataArray:
        theirs = words_of(other)
        if (words is None) != (theirs is None):
            raise panel.error("fillna found names in one of two", "names in both", "Name both")
        if words is not None and theirs is not None:
            names = dict.fromkeys([*words.values(), *theirs.values()])
            new = {name: code for code, name in enumerate(names)}
            codes = looked_up(codes, {c: new[w] for c, w in words.items()})
            other = looked_up(other, {c: new[w] for c, w in theirs.items()})
            words = {code: name for name, code in new.items()}
        filled = codes.astype(np.int32).where(_rules.present(codes), other)
        return with_words(filled, words)
