"""Hypothesis strategies: panels as they come, with all that breaks naive code, and their chunks.

Floats are bounded by 1e6 and never subnormal: beyond that every implementation differs in the last
digits, and a test that draws them ends up skipped. Extremes have tests of their own.
"""

import itertools
import math

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

MAX_DATES, MAX_ASSETS, BOUND = 40, 12, 1e6
TIED = (0.0, -0.0, 1.0, -1.0, 2.5)
BROKEN = (math.nan, math.inf, -math.inf)


def numbers(width: int = 64) -> st.SearchStrategy[float]:
    """Finite floats of bounded size."""
    return st.floats(-BOUND, BOUND, allow_subnormal=False, width=width)


@st.composite
def _drawn_cells(draw, shape, dtype):
    """Every cell drawn by hypothesis: small, but shrinks to the smallest counterexample."""
    cell = st.one_of(
        st.sampled_from(TIED), st.sampled_from(BROKEN), numbers(8 * np.dtype(dtype).itemsize)
    )
    return draw(hnp.arrays(dtype, shape, elements=cell))


@st.composite
def _seeded_cells(draw, shape, dtype):
    """Cells from a generator whose kind is drawn: large panels at little cost."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = draw(st.sampled_from([2, 3, 6, 1000]))
    scale = draw(st.sampled_from([1.0, 1e-3, 1e5]))
    level = draw(st.sampled_from([0.0, 1.0, 1e3]))
    if distinct < 1000:
        x = rng.integers(-distinct, distinct, shape) * scale
    else:
        x = level + np.clip(rng.standard_t(3, shape), -9, 9) * scale
    constant = rng.random(shape[0]) < draw(st.sampled_from([0.0, 0.2]))
    x[constant] = 0.1
    x[rng.random(shape) < draw(st.sampled_from([0.0, 0.15, 0.7, 1.0]))] = np.nan
    broken = rng.random(shape) < draw(st.sampled_from([0.0, 0.1]))
    x[broken] = rng.choice([np.inf, -np.inf], shape)[broken]
    return x.astype(dtype)


@st.composite
def cells(draw, shape, dtype):
    """Values (date, asset) of a float dtype, missing and infinite ones among them."""
    small = math.prod(shape) <= 30
    return draw(_drawn_cells(shape, dtype) if small else _seeded_cells(shape, dtype))


@st.composite
def asset_labels(draw, n):
    """Unique labels, integers or strings, in any order."""
    order = draw(st.permutations(range(n)))
    if draw(st.booleans()):
        return np.array([10 * i for i in order], dtype=np.int64)
    return np.array([f"a{i:02d}" for i in order])


@st.composite
def panels(
    draw,
    min_dates=1,
    max_dates=MAX_DATES,
    min_assets=1,
    max_assets=MAX_ASSETS,
    dtypes=(np.float64, np.float32),
    any_order=True,
):
    """One field (date, asset): labels in any order, dims in any order, attrs and a name."""
    shape = (
        draw(st.integers(min_dates, max_dates)),
        draw(st.integers(min_assets, max_assets)),
    )
    values = draw(cells(shape, draw(st.sampled_from(dtypes))))
    x = xr.DataArray(
        values,
        dims=("date", "asset"),
        coords={
            "date": pd.date_range("2021-01-01", periods=shape[0], freq="B"),
            "asset": draw(asset_labels(shape[1])),
        },
        name="field",
        attrs={"units": "1"},
    )
    x = x.assign_coords(symbol=("asset", [f"S{i}" for i in range(shape[1])]))
    return x.transpose("asset", "date") if any_order and draw(st.booleans()) else x


@st.composite
def cuts(draw, n, min_parts=2):
    """Chunk lengths that sum to `n`: at least two where that is possible."""
    most = max(n - 1, 0)
    inner = st.sets(st.integers(1, most), min_size=min(min_parts - 1, most), max_size=4)
    edges = [0, *sorted(draw(inner) if most else []), n]
    return tuple(b - a for a, b in itertools.pairwise(edges))


@st.composite
def chunked(draw, x, dims=("date",)):
    """`x` on dask, cut along `dims`."""
    return x.chunk({d: draw(cuts(x.sizes[d])) for d in dims} | {
        d: -1 for d in x.dims if d not in dims
    })  # fmt: skip


@st.composite
def masks(draw, x):
    """A bool mask with the labels of `x`; sometimes of one of its dims only."""
    dims = draw(st.sampled_from([("date", "asset"), ("asset", "date"), ("asset",), ("date",)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    values = rng.random([x.sizes[d] for d in dims]) < share
    return xr.DataArray(values, dims=dims, coords={d: x[d] for d in dims})


@st.composite
def codes(draw, x):
    """Group codes with the labels of `x`, static or not: few or sparse ones, -1 for none, bool."""
    dims = draw(st.sampled_from([("date", "asset"), ("asset", "date"), ("asset",), ("date",)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    known = draw(st.sampled_from([(0,), (0, 1), (-1, 0, 1, 2), (-1, 3), (-1,), (-7, 2, 40_000)]))
    values = rng.choice(known, [x.sizes[d] for d in dims])
    kinds = [np.int64, np.int32] + [np.int16] * (max(known) < 100) + [np.bool_] * (known == (0, 1))
    values = values.astype(draw(st.sampled_from(kinds)))
    return xr.DataArray(values, dims=dims, coords={d: x[d] for d in dims})


def fixed_panel(dtype=np.float64, shape=(MAX_DATES, MAX_ASSETS)):
    """One panel with everything in it, for the tests that need no search: always the same."""
    rng = np.random.default_rng(11)
    x = rng.standard_t(3, shape)
    x[::3] = rng.integers(-3, 3, x[::3].shape)  # ties
    x[rng.random(shape) < 0.2] = np.nan
    x[rng.random(shape) < 0.05] = np.inf
    x[4], x[9], x[13, 1:], x[17, 2:] = 0.1, np.nan, np.nan, np.nan
    labels = rng.permutation([f"a{i:02d}" for i in range(shape[1])])
    coords = {"date": pd.date_range("2021-01-01", periods=shape[0], freq="B"), "asset": labels}
    return xr.DataArray(
        x.astype(dtype), dims=("date", "asset"), coords=coords, name="field", attrs={"units": "1"}
    ).assign_coords(symbol=("asset", [f"S{i}" for i in range(shape[1])]))


def fixed_masks(x):
    """Universe masks of both dims, in both orders, and of one dim only."""
    rng = np.random.default_rng(5)
    for dims in (("date", "asset"), ("asset", "date"), ("asset",), ("date",)):
        values = rng.random([x.sizes[d] for d in dims]) < 0.7
        yield xr.DataArray(values, dims=dims, coords={d: x[d] for d in dims})
