"""What a term is: a frozen description of one value per date and asset, and of how it is made.

Terms hold no data. Two equal descriptions are one object, so that what a pipeline needs twice is
computed once, and a term can be a key, be compared by `is`, and be sent to another process.
"""

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self
from weakref import WeakValueDictionary

import numpy as np
import xarray as xr

from xfactor import panel

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Frame, Step

Value = Any  # xr.DataArray; a dict of them, by output; or None for an adjustment there is not
Options = tuple[tuple[str, Any], ...]

_TERMS: "WeakValueDictionary[Any, Term]" = WeakValueDictionary()
_LOCK = threading.Lock()

FACTOR, FILTER, CLASSIFIER = "factor", "filter", "classifier"


class Term:
    """A frozen description. Users meet its three kinds: `Factor`, `Filter`, `Classifier`."""

    kind: ClassVar[str]
    inputs: Any = ()
    mask: Any = None
    # Gives values to cells where all its inputs are missing, which the universe must take back.
    invents: Any = False
    # Applies its mask itself, to whole columns of its windows.
    shrinks: ClassVar[bool] = False
    # The value has one number per date, and not one per asset.
    per_date: Any = False
    # Takes terms of several outputs, to give one of them.
    selects: ClassVar[bool] = False
    _key: Any
    _options: Options

    @classmethod
    def _of(cls, inputs: Iterable["Term"] = (), mask: Any = None, **options: Any) -> Self:
        """The one term of this description."""
        inputs = tuple(inputs)
        if not cls.selects:
            _one_output(inputs)
        given: Options = tuple(sorted(options.items()))
        key = (cls, inputs, mask, _exact(given))
        try:
            hash(key)
        except TypeError as unhashable:
            raise panel.error(
                f"{cls.__name__} was given {_unhashable(given)}",
                "parameters that cannot change",
                "Use a tuple in place of a list or an array",
            ) from unhashable
        with _LOCK:
            term = _TERMS.get(key)
            if term is None:
                term = object.__new__(cls)
                own = {"inputs": inputs, "mask": mask, "_key": key, "_options": given}
                term.__dict__.update(options, **own)
                _TERMS[key] = term
        return term  # type: ignore[return-value]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self} is frozen: make another term instead of setting {name!r}.")

    def __reduce__(self) -> Any:
        return _again, (type(self), self.inputs, self.mask, dict(self._options))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __bool__(self) -> bool:
        raise panel.error(
            f"{self} was used as a truth value",
            "a Filter, which has one truth per date and asset",
            "Combine with &, | and ~, and compare with .eq()",
        )

    def __repr__(self) -> str:
        return describe(self)

    @property
    def dependencies(self) -> tuple["Term", ...]:
        """The terms whose values `_evaluate` gets, beside that of the mask."""
        return self.inputs

    def _before(self, frame: "Frame", rows: int) -> int:
        """How many dates of its inputs it needs before the first of its own dates."""
        return 0

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        """Make the value, on all dates that the inputs have."""
        raise NotImplementedError(f"{type(self).__name__} has no way to be computed.")

    def label(self) -> str:
        """Name in a picture and in messages, without what it is made of."""
        shown = [f"{k}={panel.shown(v)}" for k, v in self._options if v is not None]
        return f"{type(self).__name__}({', '.join(shown)})"


def _again(cls: type[Term], inputs: Any, mask: Any, options: dict[str, Any]) -> Term:
    return cls._of(inputs, mask, **options)


def _exact(x: Any) -> Any:
    """What tells 1 from 1.0 and True, which Python holds for equal."""
    return tuple(map(_exact, x)) if isinstance(x, tuple) else (type(x), x)


def _one_output(inputs: tuple[Term, ...]) -> None:
    for term in inputs:
        names = getattr(term, "outputs", None)
        if names:
            listed = ", ".join(names)
            raise panel.error(
                f"{term} has the outputs {listed}", "one of them", f"Use the term's .{names[0]}"
            )


def _unhashable(options: Options) -> str:
    for name, value in options:
        try:
            hash(value)
        except TypeError:
            return f"{name}={panel.shown(value)}"
    return "what cannot be hashed"


class Made(Term):
    """A term that a method made: its `rule` computes it, its `text` names it."""

    rule: Callable[..., xr.DataArray]
    text: str
    before: int

    def _before(self, frame: "Frame", rows: int) -> int:
        return self.before

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        return self.rule(values, where)

    def label(self) -> str:
        return self.text


MADE: dict[str, type[Made]] = {}


def make(
    kind: str,
    rule: Callable[..., xr.DataArray],
    inputs: Iterable[Term],
    text: str,
    *,
    mask: Any = None,
    before: int = 0,
    invents: bool = False,
    per_date: bool = False,
) -> Any:
    """A term of this kind from a rule, which must be equal to another one that does the same."""
    options = {"text": text, "before": before, "invents": invents, "per_date": per_date}
    return MADE[kind]._of(inputs, check_mask(mask, text), rule=rule, **options)


def describe(term: Term) -> str:
    """One line: the term and the names of what it is made of."""
    inner = ", ".join(i.label() for i in term.inputs)
    return f"{term.label()} <- {inner}" if inner else term.label()


def is_term(x: Any) -> bool:
    """Tell terms from constants."""
    return isinstance(x, Term)


def constant(x: Any, what: str) -> Any:
    """A number that may stand beside a term; anything else is refused."""
    if isinstance(x, bool | np.bool_) or not np.isscalar(x) or isinstance(x, str | bytes):
        raise TypeError(f"{what} takes a Factor or a number; found {panel.shown(x)}.")
    return x.item() if isinstance(x, np.generic) else x


def check_mask(mask: Any, what: str) -> Any:
    """`mask` itself, if it is a Filter or None."""
    if mask is not None and getattr(mask, "kind", None) != FILTER:
        raise TypeError(f"mask of {what} takes a Filter; found {panel.shown(mask)}.")
    return mask


def check_kind(term: Any, kind: str, what: str) -> Any:
    """`term` itself, if it is of this kind."""
    if getattr(term, "kind", None) != kind:
        raise TypeError(f"{what} takes a {kind.capitalize()}; found {panel.shown(term)}.")
    return term
