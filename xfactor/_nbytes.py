"""How large the results of tasks are: noted where graphs are made, added up by a plan."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xfactor._inputs import Out

MOST_KNOWN = 20_000  # names of tasks


@dataclass(frozen=True)
class Results:
    """How large the results of the tasks of one name are."""

    chunks: tuple[tuple[int, ...], ...]
    cell_bytes: float

    def nbytes(self, index: Sequence[int]) -> float:
        """Bytes of one of them."""
        cells = math.prod(c[i] for c, i in zip(self.chunks, index, strict=False))
        return cells * self.cell_bytes


# What the graphs made last give, by the names of their tasks.
KNOWN: OrderedDict[str, Results] = OrderedDict()


def note(name: str, chunks: tuple[tuple[int, ...], ...], cell_bytes: float) -> None:
    """Remember how large the results of tasks are."""
    KNOWN[name] = Results(chunks, cell_bytes)
    if len(KNOWN) > MOST_KNOWN:
        KNOWN.popitem(last=False)


def cell_bytes(outs: Sequence[Out], sizes: dict[str, int]) -> float:
    """Bytes for each cell of the loop of what a kernel gives."""
    return float(
        sum(np.dtype(o.dtype).itemsize * math.prod(sizes[d] for d in o.core) for o in outs)
    )
