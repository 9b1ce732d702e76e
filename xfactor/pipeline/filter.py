"""Truths: the terms that say which assets."""

from collections.abc import Callable
from typing import Any, Literal, Self

from xfactor.pipeline import _rules
from xfactor.pipeline._term import FILTER, MADE, Made, Term, check_kind, is_term, make
from xfactor.pipeline.factor import aliased, downsampled


def _binary(name: str, sign: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Term, other: Any) -> Any:
        if getattr(other, "kind", None) != FILTER:
            return NotImplemented
        inputs = [other, self] if swapped else [self, other]
        per_date = all(i.per_date for i in inputs)
        return make(FILTER, _rules.Cellwise(name, (None, None)), inputs, sign, per_date=per_date)

    return method


class Filter(Term):
    """True or False per date and asset, described. Combine with ``&``, ``|`` and ``~``."""

    kind = FILTER

    __and__ = __rand__ = _binary("and_", "&")
    __or__ = __ror__ = _binary("or_", "|")

    def __invert__(self) -> Any:
        rule = _rules.Cellwise("inv", (None,))
        return make(FILTER, rule, [self], "~", invents=True, per_date=self.per_date)

    def if_else(self, if_true: Any, if_false: Any) -> Any:
        """The values of one term where the filter is true, and those of another elsewhere."""
        kind = getattr(if_true, "kind", None)
        if not is_term(if_true) or kind is None:
            raise TypeError(f"if_else takes two terms; found {if_true!r}.")
        check_kind(if_false, kind, "if_else")
        inputs = [self, if_true, if_false]
        return make(kind, _rules.Choose(), inputs, "if_else", invents=True)

    def downsample(
        self, frequency: Literal["year_start", "quarter_start", "month_start", "week_start"]
    ) -> Any:
        """The value of the first session of each period, held until the next begins."""
        return downsampled(self, frequency)

    def alias(self, name: str) -> Any:
        """The same, under another name in pictures."""
        return aliased(self, name)

    @property
    def latest(self) -> Self:
        """Itself."""
        return self


class MadeFilter(Made, Filter):
    """A Filter that a method made."""


MADE[FILTER] = MadeFilter
