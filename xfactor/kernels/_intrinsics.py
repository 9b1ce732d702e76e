"""An instruction that Numba has no name for; in plain Python it does the same."""

from fractions import Fraction
from typing import Any

from numba import types
from numba.extending import intrinsic, overload


def product_error(a: float, b: float, product: float) -> float:
    """What rounding took from the product of a and b."""
    return float(Fraction(float(a)) * Fraction(float(b)) - Fraction(float(product)))


@overload(product_error)
def _product_error(a, b, product):  # type: ignore[no-untyped-def]
    return lambda a, b, product: _multiply_add(a, b, -product)


@intrinsic  # type: ignore[untyped-decorator]
def _multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), generate
