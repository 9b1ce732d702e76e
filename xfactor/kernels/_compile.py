"""How kernels are compiled: without the interpreter's lock, division by zero as in NumPy.

Python's error for a division by zero would put a branch at each division and so stop the compiler
from vectorising the loop around it.
"""

from numba import njit

kernel = njit(nogil=True, error_model="numpy")

# For sums of clean numbers: the compiler chooses the order of the additions, always the same one.
summing = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})

# A part of one kernel with a name of its own: compiled there only, and not once more by itself.
inlined = njit(nogil=True, error_model="numpy", inline="always")
