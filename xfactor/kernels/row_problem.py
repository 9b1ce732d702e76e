"""What is regressed across rows, and its arrays in the layout that compiled code wants."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xfactor.kernels import row_data, row_sets
from xfactor.kernels._blocks import compilable, row_blocks
from xfactor.kernels.row_data import Observations, State

# A table of codes may have this many places; codes that lie further apart are searched for.
TABLE = 2**16

Rows = slice | np.ndarray


@dataclass(frozen=True)
class Model:
    """What is regressed, and under which constraint.

    The effects of groups are told apart from the constant, and from another set's, only under
    constraints: with an intercept one for each set, without it one for each set but the first. A
    constraint is a weighted sum of a set's effects that is zero.
    """

    intercept: bool
    weighted: bool = False
    sized: bool = False  # weights of the constraint are given
    sets: tuple[tuple[int, ...], ...] = ()  # the codes of each set's groups
    constraint: str = "weighted"
    min_obs: int | None = None
    white: bool = False
    ridge: float = 0.0

    @property
    def starts(self) -> np.ndarray:
        """Number of the first group of each set, then the number of groups."""
        return np.cumsum([0, *map(len, self.sets)]).astype(np.int64)

    @property
    def n_groups(self) -> int:
        """Groups of all sets; the constant is one where there are no sets."""
        return int(self.starts[-1]) if self.sets else int(self.intercept)


class Problem:
    """The arrays of a regression, of which it gives out blocks of rows."""

    def __init__(self, y: np.ndarray, arrays: tuple[np.ndarray, ...], model: Model) -> None:
        rest = list(arrays)
        self.model, self.y = model, y
        self.codes = [rest.pop() for _ in model.sets][::-1]
        self.size = rest.pop() if model.sized else None
        self.weights = rest.pop() if model.weighted else None
        self.xs = rest
        self.n_regressors = sum(1 if x.ndim == 2 else x.shape[1] for x in rest)
        self._numbers = [Numbers(s, int(k)) for s, k in zip(model.sets, model.starts, strict=False)]

    def blocks(self, rows: slice) -> Iterator[slice]:
        """Blocks of rows small enough for the cache, also with what is made of each group."""
        model, n_var = self.model, self.n_regressors + 1
        cells = max(self.y.shape[1] * n_var, (n_var + model.n_groups) * model.n_groups)
        for block in row_blocks(rows.stop - rows.start, cells):
            yield slice(rows.start + block.start, rows.start + block.stop)

    def values(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows of y (row, n), regressors (row, K, n), weights, and groups (row, S, n)."""
        y = compilable(self.y[rows], np.float64)
        return y, self.regressors(rows), _or_one(self.weights, rows), self.groups(rows)

    def observations(self, rows: slice, state: State) -> Observations:
        """Observations, centred and times the root of their weights; fills in `state`."""
        model, n, k = self.model, self.y.shape[1], self.n_regressors
        y, x, w, codes = self.values(rows)
        z = np.empty((len(y), k + 2, n + k + 1))  # K more for a ridge
        weight = np.empty((len(y), n + 1))
        code = np.empty((len(y), len(model.sets), n + 1), dtype=np.int32)
        size = _or_one(self.size, rows)
        row_data.usable(y, x, w, codes, weight)
        row_data.gather(y, x, size, codes, weight, z, code, state.n_obs)
        if model.sets:
            row_data.centre_groups(z, weight, code, len(model.sets[0]), state)
            if len(model.sets) > 1:
                row_sets.centre_sets(z, weight, code, model.starts, state)
            if model.sized:
                row_data.group_sizes(z[:, k + 1], code, state.n_obs, state.size)
            else:
                state.size[:] = state.total
        elif model.intercept:
            row_data.centre(z, weight, state.n_obs, state.projection[:, :, 0])
            state.total[:] = state.size[:] = state.n_obs[:, None]
            state.scale[:] = np.sqrt(np.where(state.n_obs > 0, state.n_obs, np.inf))[:, None]
        if model.weighted:
            row_data.root_weigh(z, weight, state.n_obs, k + 1)
        return Observations(z, weight, code)

    def regressors(self, rows: Rows) -> np.ndarray:
        """Regressors side by side (row, K, n)."""
        if not self.xs:
            return np.empty((len(self.y[rows]), 0, self.y.shape[1]))
        parts = [x[rows, None, :] if x.ndim == 2 else x[rows] for x in self.xs]
        return compilable(np.concatenate(parts, axis=1), np.float64)

    def groups(self, rows: Rows) -> np.ndarray:
        """Number of each asset's group in each set, int32 (row, S, n)."""
        n_rows, n = self.y[rows].shape
        codes = np.empty((n_rows, len(self.codes), n), dtype=np.int32)
        for s, (raw, numbers) in enumerate(zip(self.codes, self._numbers, strict=True)):
            codes[:, s] = numbers.of(raw[rows])
        return codes


def _or_one(a: np.ndarray | None, rows: Rows) -> np.ndarray:
    return np.ones((1, 1)) if a is None else compilable(a[rows], np.float64)


class Numbers:
    """The number of each code's group, counted from `first`; -1 for codes that are not known."""

    def __init__(self, values: tuple[int, ...], first: int = 0) -> None:
        known = np.array(values, dtype=np.int64)
        order = np.argsort(known)
        self.known = known[order]
        self.numbers = (order + first).astype(np.int32)
        self.least = int(self.known[0])
        span = int(self.known[-1]) - self.least
        self.table = np.full(span + 3 if span < TABLE else 0, -1, dtype=np.int32)
        if len(self.table):  # its ends are for the codes beyond
            self.table[known - self.least + 1] = np.arange(first, first + len(known))

    def of(self, raw: np.ndarray) -> np.ndarray:
        """Numbers (int32) of codes of any shape and dtype."""
        if raw.dtype.kind == "f":  # wide codes that were moved in time
            raw = np.where(np.isfinite(raw), raw, -1.0)
        codes = raw.astype(np.int64)
        if len(self.table):
            codes -= self.least - 1
            return self.table.take(codes, mode="clip")
        at = np.minimum(np.searchsorted(self.known, codes), len(self.known) - 1)
        return np.where(self.known[at] == codes, self.numbers[at], np.int32(-1))
