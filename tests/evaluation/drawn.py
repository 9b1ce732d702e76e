"""What the tests of the evaluation draw: signals with what came after them, groups and masks."""

import numpy as np
import xarray as xr
from hypothesis import strategies as st

from tests import strategies

CODES = (0, 2, 5)


@st.composite
def groups(draw, x):
    """Codes with gaps and cells of no group, of each date or for good."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dims = draw(st.sampled_from([("date", "asset"), ("asset",)]))
    values = rng.choice([-1, *CODES], [x.sizes[d] for d in dims]).astype(np.int16)
    return xr.DataArray(
        values, dims=dims, coords={d: x[d] for d in dims},
        attrs={"flag_values": list(CODES), "flag_meanings": "a b c"},
    )  # fmt: skip


@st.composite
def after(draw, x):
    """Returns that came after, with ties, missing and infinite ones, in the labels of `x`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = np.clip(rng.standard_t(3, x.shape), -5, 5) * 0.1
    if draw(st.booleans()):
        y = np.round(y, 1)
    y[rng.random(x.shape) < draw(st.sampled_from([0.0, 0.2, 0.8, 1.0]))] = np.nan
    y[rng.random(x.shape) < draw(st.sampled_from([0.0, 0.1]))] = np.inf
    return x.copy(data=y.astype(x.dtype)).drop_vars("symbol").drop_attrs()


def masks(x):
    """A mask or none."""
    return st.none() | strategies.masks(x)


def rows(x):
    """Values (date, asset) as floats."""
    return x.transpose("date", "asset").values.astype(float)


def code_rows(by, x):
    """Codes of each date, None without."""
    if by is None:
        return [None] * x.sizes["date"]
    return by.broadcast_like(x).transpose("date", "asset").values


def within(x, where):
    """Signals within the universe."""
    return x if where is None else x.where(where).transpose(*x.dims)


def signals(x):
    """Three signals beside each other."""
    x = x.drop_vars("symbol", errors="ignore")
    several = xr.concat([x, -2.0 * x, x.where(x > 0.0)], "factor")
    return several.assign_coords(factor=["a", "b", "c"]).astype(x.dtype)
