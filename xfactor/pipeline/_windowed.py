"""Terms that are classes: of some inputs, a window of dates and a mask."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import xarray as xr

from xfactor import panel, time_series
from xfactor.pipeline._frame import within
from xfactor.pipeline._term import Term, Value, check_mask, is_term
from xfactor.pipeline.data import Adjusted, Field, Ratio, field

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Frame, Step


class Windowed(Term):
    """A term made of the last `window_length` dates of its inputs.

    A subclass says what it needs by the class attributes `inputs`, `window_length`, `mask` and
    `params`; who makes a term of it may say otherwise.
    """

    inputs: Any = None
    window_length: Any = None
    mask: Any = None
    params: ClassVar[Sequence[str] | Mapping[str, Any]] = ()
    # The result is in the units of the first input: if that is a price, the result is brought back
    # to the level that was traded.
    in_price: ClassVar[bool] = False
    # Dates that a window has at least.
    least: ClassVar[int] = 1
    given: tuple[tuple[str, Any], ...] = ()

    def __new__(
        cls,
        inputs: Iterable[Any] | None = None,
        window_length: int | None = None,
        mask: Any = None,
        **params: Any,
    ) -> Self:
        length = _needed(cls, "window_length", window_length)
        length = panel.positive("window_length", length, cls.least)
        given = _needed(cls, "inputs", inputs)
        terms = [_input(cls, i) for i in ([given] if is_term(given) else given)]
        own = cls._checked(terms, length, _params(cls, params))
        return cls._of(
            terms,
            check_mask(mask if mask is not None else cls.mask, cls.__name__),
            window_length=length,
            given=tuple(own.items()),
        )

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters, if they and the inputs fit."""
        return params

    def param(self, name: str) -> Any:
        """The value of a parameter."""
        return dict(self.given)[name]

    def _before(self, frame: "Frame", rows: int) -> int:
        return self.window_length - 1

    @property
    def priced(self) -> bool:
        """Whether prices are adjusted within its windows."""
        return self.window_length > 1 and any(is_price(i) for i in self.inputs)

    @property
    def dependencies(self) -> tuple[Term, ...]:
        if not self.priced:
            return self.inputs
        inputs = [Adjusted._of([i]) if is_price(i) else i for i in self.inputs]
        return (*inputs, Ratio._of())

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        level = values.pop() if self.priced else None
        done = self._from(*values)
        if level is not None and self._levelled:
            done = self._at_level(done, self._last(level))
        return within(done, where)

    @property
    def _levelled(self) -> bool:
        """Whether a result of adjusted prices depends on their level."""
        return self.in_price and is_price(self.inputs[0])

    def _at_level(self, done: Value, level: xr.DataArray) -> Value:
        """A result of adjusted prices in those that were traded."""
        if isinstance(done, dict):
            return {k: v * level for k, v in done.items()}
        return done * level

    def _last(self, level: xr.DataArray) -> xr.DataArray:
        """The level of the newest date of each window that has one: a day may lack its close."""
        return time_series.ffill(level, limit=self.window_length - 1)

    def _from(self, *values: xr.DataArray) -> Value:
        """The value from those of the inputs, which begin `window_length` - 1 dates earlier."""
        raise NotImplementedError

    def label(self) -> str:
        shown = [f"{k}={panel.shown(v)}" for k, v in self.given]
        if self.window_length > 1:
            shown.insert(0, f"window_length={self.window_length}")
        return f"{type(self).__name__}({', '.join(shown)})"


def is_price(term: Term) -> bool:
    return isinstance(term, Field) and term.adjusted


def _needed(cls: type[Term], name: str, given: Any) -> Any:
    found = given if given is not None else getattr(cls, name)
    if found is None:
        raise panel.error(
            f"{cls.__name__} has no {name}",
            name,
            f"Pass {name}=, or set it in the class",
        )
    return found


def _input(cls: type[Term], given: Any) -> Term:
    if isinstance(given, str):
        return field(given)
    if not is_term(given):
        raise TypeError(
            f"inputs of {cls.__name__} are terms or names of fields; found {panel.shown(given)}."
        )
    return given


def _params(cls: type["Windowed"], given: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the class, as given or by their defaults."""
    defaults = cls.params if isinstance(cls.params, Mapping) else {}
    unknown = [k for k in given if k not in cls.params]
    if unknown:
        takes = ", ".join(cls.params) or "none"
        raise TypeError(f"{cls.__name__} has no parameter {unknown[0]!r}; it has: {takes}.")
    lacking = [k for k in cls.params if k not in given and k not in defaults]
    if lacking:
        raise TypeError(f"{cls.__name__} needs the parameter {lacking[0]!r}.")
    return {k: given.get(k, defaults.get(k)) for k in cls.params}
