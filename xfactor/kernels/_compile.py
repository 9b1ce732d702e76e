"""How kernels are compiled: without the interpreter's lock, division by zero as in NumPy.

Python's error for a division by zero would put a branch at each division and so stop the compiler
from vectorising the loop around it.
"""

from typing import Any

from numba import njit

from xfactor.kernels._cache import keep


def kernel(func: Any) -> Any:
    """Compile on first use, or take what an earlier process compiled."""
    return keep(njit(nogil=True, error_model="numpy")(func))


def summing(func: Any) -> Any:
    """As `kernel`, for sums of clean numbers: the compiler orders the additions, always alike."""
    return keep(njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(func))


# A part of one kernel with a name of its own: compiled there only, and not once more by itself.
inlined = njit(nogil=True, error_model="numpy", inline="always")
