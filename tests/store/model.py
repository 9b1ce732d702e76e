"""What a store should hold, kept in memory by plain xarray: the other side of the proofs."""

import numpy as np
import pandas as pd
import xarray as xr

import xfactor as xf
from xfactor.store.backends import backend_of
from xfactor.store.tables import read_table, table_names

FILL = {"f": np.nan, "i": -1, "b": False, "M": np.datetime64("NaT", "ns"), "T": "", "O": ""}


def drawn(dates, assets, seed, fields=()):
    """A panel of every kind of field, some cells missing; `fields` are further float fields."""
    rng = np.random.default_rng(seed)
    n, m = len(dates), len(assets)

    def gappy(shape):
        return np.where(rng.random(shape) < 0.2, np.nan, rng.normal(size=shape))

    days = rng.integers(0, 9000, (n, m)).astype("M8[D]").astype("M8[ns]")
    days[rng.random((n, m)) < 0.2] = np.datetime64("NaT")
    dims = ("date", "asset")
    return xr.Dataset(
        {
            "close": (dims, gappy((n, m)), {"units": "USD", "finite": True}),
            "weight": (("asset", "date"), gappy((m, n)).astype(np.float32)),
            "sector": (dims, rng.integers(-1, 4, (n, m)).astype(np.int16), {"flag_values": [0, 1]}),
            "listed": (dims, rng.random((n, m)) < 0.7),
            "reported": (dims, days),
            "exposure": ((*dims, "factor"), gappy((n, m, 2))),
            "market": ("date", gappy(n)),
            "founded": ("asset", gappy(m)),
            **{name: (dims, gappy((n, m))) for name in fields},
        },
        coords={
            "date": pd.DatetimeIndex(dates).as_unit("ns"),
            "asset": np.asarray(assets),
            "factor": ["value", "size"],
            "symbol": ("asset", np.array([f"S{a}-{seed}" for a in assets], dtype=object)),
        },
        attrs={"source": "drawn"},
    )


def appended(model, panel):
    """`model` with later dates: assets by label, new ones last, what is not given missing."""
    assets = [*model.asset.values, *[a for a in panel.asset.values if a not in model.asset.values]]
    fills = {n: FILL[v.dtype.kind] for n, v in model.variables.items() if n not in model.dims}
    old = model.reindex(asset=assets, fill_value=fills)
    dates = model.indexes["date"].append(panel.indexes["date"])
    made = old.reindex(date=dates, fill_value=fills)
    new = panel.reindex(asset=assets, fill_value=fills)
    given = made.indexes["asset"].isin(panel.indexes["asset"])
    for name in (n for n in old.variables if n not in old.dims):
        v = made[name]
        if "date" in v.dims:
            v.loc[{"date": panel.date}] = new[name].transpose(*v.dims)
        elif "asset" in v.dims and name in panel:
            v[given] = new[name][given]
    return made


def restated(model, cells, overwrite_missing):
    """`model` with cells replaced; missing ones keep what is there unless they are to go too."""
    made = model.copy(deep=True)
    for name in cells.data_vars:
        v = made[name]
        at = {d: cells[d] for d in ("date", "asset") if d in v.dims}
        given = cells[name].transpose(*v.dims)
        if not overwrite_missing:
            fill = FILL[v.dtype.kind]
            missing = given.isnull() if v.dtype.kind in "fM" else given == fill
            if v.dtype.kind != "b":
                given = given.where(~missing, v.loc[at])
        v.loc[at] = given.astype(v.dtype)
    return made


def tables(path):
    """Every table of a store."""
    return {n: read_table(path, n) for n in table_names(backend_of(path).snapshot())}


def difference(got, want):
    """Say how a panel differs from what it should be; empty if in nothing."""
    if set(got.variables) != set(want.variables):
        return f"variables {sorted(got.variables)}"
    for name, v in want.variables.items():
        found = got[name].variable
        if found.dims != v.dims or found.shape != v.shape:
            return f"{name}: {found.sizes}"
        if v.dtype.kind not in "OUT" and found.dtype != v.dtype:
            return f"{name}: {found.dtype}"
        if not np.array_equal(found.values, v.values, equal_nan=v.dtype.kind in "fM"):
            return f"{name}: {found.values} instead of {v.values}"
        if found.attrs != v.attrs:
            return f"{name}: attributes {found.attrs}"
    return "" if got.attrs == want.attrs else f"attributes {got.attrs}"


def bare(path):
    """What anyone sees who knows nothing of this package."""
    return xr.open_zarr(path, chunks=None).load()


def assert_holds(path, want):
    """The store is `want`, seen by this package and by xarray alone."""
    assert difference(xf.open_panel(path), want) == ""
    assert difference(bare(path), want) == ""
