"""An append that also restates: one array of old dates that change, and new ones behind them."""

from typing import Any

import xarray as xr

from xfactor import panel as _panel
from xfactor.store import guards, layout, values
from xfactor.store.arrays import StoredArray

DATE, ASSET = _panel.DATE, _panel.ASSET


def with_cells(
    stored: xr.Dataset, cells: xr.DataArray, new: xr.DataArray, plan: guards.Append,
    there: StoredArray, blocks: list[layout.Block],
) -> tuple[Any, list[layout.Block]]:  # fmt: skip
    """Return old dates that change and new ones, one after the other, and where they go.

    Parameters
    ----------
    stored
        The store, opened.
    cells, new
        A field on dates of the store with all its assets, and on the new dates.
    plan
        How the new assets fit.
    there
        The stored array.
    blocks
        Where the new dates go.

    Returns
    -------
    tuple
        Values, lazy where the given ones are; the chunks to be written.
    """
    dtype = stored[str(new.name)].dtype
    fill = _panel.missing(dtype)
    fill = values.fill_value(dtype) if fill is None else fill
    whole = xr.concat(
        [a.drop_vars([c for c in a.coords if c not in a.dims])
         .reindex({ASSET: plan.assets}, fill_value=fill).astype(dtype)
         for a in (cells, new)],
        DATE, join="exact",
    )  # fmt: skip
    axis = there.dims.index(DATE)
    at = guards.store_order(stored.indexes[DATE], cells.indexes[DATE])
    return (
        whole.transpose(*there.dims).variable.data,
        layout.joined_blocks(
            layout.restated_blocks(at.tolist(), there.shape[axis], there.chunks[axis]), blocks
        ),
    )
