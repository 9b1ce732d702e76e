"""What an asset earns when its listing ends."""

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.kernels import shift as _shift
from xfactor.time_series._window import window


def check_delisting(
    r: xr.DataArray, listed: xr.DataArray | None, delist: float | xr.DataArray | None
) -> float | xr.DataArray | None:
    """Return `delist`, as a float of at least -1 or an array beside `r`; raise on anything else."""
    if listed is not None:
        panel.check_mask(r, listed, "listed")
    if delist is None:
        return None
    if listed is None:
        raise panel.error(
            f"delist={panel.shown(delist)} was given without listed",
            "both",
            "Pass listed=, a bool array that is False once an asset has gone",
        )
    if isinstance(delist, xr.DataArray):
        panel.check_numbers(r, delist, "delist")
        return panel.bare(r, panel.as_float(delist))
    value = panel.number("delist", delist)
    if not -1 <= value < np.inf:
        raise panel.error(f"delist={value} was given", "a decimal return from -1 on", "Use -0.3")
    return value


def with_ends(
    r: xr.DataArray, listed: xr.DataArray, delist: float | xr.DataArray, dim: str
) -> xr.DataArray:
    """`r` with `delist` on the first date on which an asset is not listed any more, then 0.

    A return that is known stays.
    """
    before = window(_shift.lag_rows, listed, dim, 1, 0, "listed", periods=1, fill=np.False_)
    listed, before = panel.bare(r, listed), panel.bare(r, before)
    unknown = ~np.isfinite(r) & ~listed
    given = delist if isinstance(delist, float) else delist.astype(r.dtype)
    ended = r.where(~(unknown & before), given)
    return ended.where(~(unknown & ~before), 0.0).transpose(*r.dims).astype(r.dtype)


def later(x: xr.DataArray, periods: int, dim: str) -> xr.DataArray:
    """The mask `x` of `periods` dates later; False where there are none."""
    return window(_shift.lead_rows, x, dim, 0, periods, "listed", periods=periods)
