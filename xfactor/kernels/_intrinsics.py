"""Two instructions that Numba has no name for; each does the same in plain Python."""

from fractions import Fraction
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

LINE = 64  # bytes that memory hands over at once


def will_write(a: Any, i: int) -> None:
    """Tell the processor that item i of `a`, counted in memory order, is about to be written.

    Short rows written far apart would each wait for memory; asked for in time, they wait less.
    It changes nothing, and in Python does nothing.
    """


@overload(will_write)
def _will_write(a, i):  # type: ignore[no-untyped-def]
    return lambda a, i: _prefetch(a, i)


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing: Any, a: Any, i: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        pointer = builder.bitcast(place, cgutils.voidptr_t)
        word = context.get_value_type(types.int32)
        nothing = cgutils.ir.VoidType()
        kind = cgutils.ir.FunctionType(nothing, [cgutils.voidptr_t, word, word, word])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(hint, [pointer, word(1), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(a, types.intp), generate


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
