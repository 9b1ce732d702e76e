"""Arithmetic, comparisons and functions of single numbers."""

from collections.abc import Callable
from typing import Any

from xfactor.pipeline import _rules
from xfactor.pipeline._term import FACTOR, FILTER, Term, constant, is_term, make

SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "mod": "%", "pow": "**",
    "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">",
}  # fmt: skip


def _binary(name: str, kind: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Term, other: Any) -> Any:
        if getattr(other, "kind", FACTOR) != FACTOR:
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        sign = SIGNS[name]
        operands = tuple(None if is_term(o) else constant(o, sign) for o in pair)
        inputs = [o for o in pair if is_term(o)]
        shown = [" " if o is None else f" {o:g} " for o in operands]
        rule = _rules.Cellwise(name, operands)
        return make(
            kind, rule, inputs, sign.join(shown).strip(), invents=name == "ne",
            per_date=all(i.per_date for i in inputs),
        )  # fmt: skip

    return method


def _unary(name: str, kind: str = FACTOR, invents: bool = False) -> Callable[[Any], Any]:
    def method(self: Term) -> Any:
        rule = _rules.Cellwise(name, (None,))
        return make(kind, rule, [self], name, invents=invents, per_date=self.per_date)

    method.__name__ = name
    method.__doc__ = f"NumPy's `{name}` of each value."
    return method


class Arithmetic(Term):
    """What a Factor does with one value at a time, by NumPy's functions."""

    kind = FACTOR

    __add__ = _binary("add", FACTOR)
    __radd__ = _binary("add", FACTOR, swapped=True)
    __sub__ = _binary("sub", FACTOR)
    __rsub__ = _binary("sub", FACTOR, swapped=True)
    __mul__ = _binary("mul", FACTOR)
    __rmul__ = _binary("mul", FACTOR, swapped=True)
    __truediv__ = _binary("truediv", FACTOR)
    __rtruediv__ = _binary("truediv", FACTOR, swapped=True)
    __mod__ = _binary("mod", FACTOR)
    __rmod__ = _binary("mod", FACTOR, swapped=True)
    __pow__ = _binary("pow", FACTOR)
    __rpow__ = _binary("pow", FACTOR, swapped=True)
    __neg__ = _unary("neg")
    __lt__ = _binary("lt", FILTER)
    __le__ = _binary("le", FILTER)
    __ge__ = _binary("ge", FILTER)
    __gt__ = _binary("gt", FILTER)
    __ne__ = _binary("ne", FILTER)
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other  # a key; `eq` compares values

    abs = __abs__ = _unary("abs")
    log, log10, log1p = _unary("log"), _unary("log10"), _unary("log1p")
    exp, expm1, sqrt = _unary("exp"), _unary("expm1"), _unary("sqrt")
    sin, cos, tan = _unary("sin"), _unary("cos"), _unary("tan")
    arcsin, arccos, arctan = _unary("arcsin"), _unary("arccos"), _unary("arctan")
    sinh, cosh, tanh = _unary("sinh"), _unary("cosh"), _unary("tanh")
    arcsinh, arccosh, arctanh = _unary("arcsinh"), _unary("arccosh"), _unary("arctanh")
    isnan = _unary("isnan", FILTER, invents=True)
    isfinite = _unary("isfinite", FILTER)

    def eq(self, other: Any) -> Any:
        """Filter: values equal to a number or to those of another Factor."""
        return _binary("eq", FILTER)(self, other)
