"""An append that restates old dates, and writes made under one lock."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from xfactor.store import read_table
from xfactor.store.backends import backend_of

DATES = np.datetime64("2024-01-01", "ns") + np.arange(12) * np.timedelta64(1, "D")


def made(dates, assets, seed):
    rng = np.random.default_rng(seed)
    dims, shape = ("date", "asset"), (len(dates), len(assets))
    return xr.Dataset(
        {
            "x": (dims, np.where(rng.random(shape) < 0.2, np.nan, rng.normal(size=shape))),
            "listed": (dims, rng.random(shape) < 0.5),
            "code": (dims, rng.integers(-1, 3, shape).astype(np.int16)),
        },
        {"date": dates, "asset": assets},
    )


@given(
    n=st.integers(1, 11), chunk=st.sampled_from([1, 3, 5, 256]), at=st.sets(st.integers(0, 10)),
    assets=st.permutations([7, 8, 9, 10]), lazy=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_append_panel__with_cells_is_the_restated_panel_and_the_new_dates(
    tmp_path_factory, n, chunk, at, assets, lazy, seed
):
    at = sorted(a for a in at if a < n)
    old, new = made(DATES[:n], [7, 8, 9], seed), made(DATES[n:], assets[: 2 + seed % 3], seed + 1)
    cells = made(DATES[at], [7, 8, 9], seed + 2)[["x", "listed"]]
    path = xf.write_panel(old.chunk(date=chunk), tmp_path_factory.mktemp("cells") / "p.zarr")
    before = xf.open_panel(path)
    xf.append_panel(new, path, cells=cells.chunk(date=1) if lazy and at else cells)
    got = xf.open_panel(path).load()
    labels = got.asset.values
    assert labels[:3].tolist() == [7, 8, 9]
    fill = {"x": np.nan, "listed": False, "code": -1}
    for name, v in old.data_vars.items():
        want = v.copy(deep=True)
        if name in cells:
            want.loc[{"date": DATES[at]}] = cells[name]
        parts = [w.reindex(asset=labels, fill_value=fill[name]) for w in (want, new[name])]
        np.testing.assert_array_equal(got[name], np.concatenate(parts))
        assert got[name].dtype == v.dtype
    xr.testing.assert_identical(before.load(), old)  # who opened it before sees what was there


def test_append_panel__refuses_cells_that_are_not_the_store_s(tmp_path):
    path = xf.write_panel(made(DATES[:5], [7, 8], 1), tmp_path / "p.zarr")
    new = made(DATES[5:], [7, 8], 2)
    for cells, match in (
        (made(DATES[6:7], [7, 8], 3), "has no date"),
        (made(DATES[2:3], [8], 3), "other assets"),
        (made(DATES[2:3], [7, 8], 3).rename(x="y"), "has no y"),
    ):
        with pytest.raises(xf.PanelError, match=match):
            xf.append_panel(new, path, cells=cells)
    assert xf.open_panel(path).sizes["date"] == 5


def test_write_panel__with_tables_replaces_those_that_were_there(tmp_path):
    panel = made(DATES, [7, 8], 1)
    for rows in (3, 2):
        tables = {"t": {"a": np.arange(rows)}}
        path = xf.write_panel(panel, tmp_path / "p.zarr", overwrite=True, tables=tables)
        assert read_table(path, "t")["a"].tolist() == list(range(rows))
    xf.write_panel(panel, path, overwrite=True)
    assert read_table(path, "t") == {}


def test_lock__writes_of_the_thread_that_holds_it_are_part_of_one(tmp_path):
    path = xf.write_panel(made(DATES[:5], [7, 8], 1), tmp_path / "p.zarr")
    with backend_of(path).locked("a long write"):
        xf.append_panel(made(DATES[5:], [7, 8], 2), path)
        assert (tmp_path / ".p.zarr.lock").exists()
    assert not (tmp_path / ".p.zarr.lock").exists()
    assert xf.open_panel(path).sizes["date"] == 12
