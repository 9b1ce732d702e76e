"""What every kind of store must hold: folder, bucket, Icechunk in either."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from tests.store.conftest import needs
from tests.store.test_store import assert_same_panel, failing
from xfactor.store import append_table, read_table
from xfactor.store.backends import backend_of
from xfactor.store.urls import place_of


def later(panel, days=30):
    """The same fields on later dates."""
    return panel.assign_coords(date=panel.indexes["date"] + pd.Timedelta(days=days)) * 1


def state(address):
    """What is published: version and all that is stored."""
    store = backend_of(address)
    return store.snapshot().version, xf.open_panel(address).compute()


def assert_untouched(address, before):
    version, panel = state(address)
    assert version == before[0]
    xr.testing.assert_identical(panel, before[1])


def test_store__life_of_a_panel(address, panel):
    """Written, appended to, relisted, restated, extended, rechunked, overwritten: as in memory."""
    rows = {"id": np.arange(3), "who": np.array(["a", "b", "c"])}
    assert not backend_of(address).exists()
    xf.write_panel(panel.isel(date=slice(8)).chunk(date=4), address)
    early = xf.open_panel(address)
    xf.append_panel(panel.isel(date=slice(8, 10)), address, tables={"records": rows})
    xf.append_panel(panel.isel(date=slice(10, 12), asset=slice(None, None, -1)), address)
    assert_same_panel(xf.open_panel(address), panel)

    cell = panel[["close"]].isel(date=[3, 9], asset=[2]) * 0 + 99.0
    xf.update_panel(cell, address)
    want = panel.copy(deep=True)
    want["close"][[3, 9], 2] = 99.0
    assert_same_panel(xf.open_panel(address), want)
    assert_same_panel(early, panel.isel(date=slice(8)))  # who opened it before sees what it was

    more = xr.Dataset({"score": want["close"] * 2})
    xf.add_fields(more.chunk(date=4), address)
    append_table(address, "records", rows)
    want = want.merge(more)
    xf.rechunk_panel(address, chunk_dates=5)
    got = xf.open_panel(address)
    assert_same_panel(got, want)
    assert got["close"].chunks[0] == (5, 5, 2)
    assert read_table(address, "records")["who"].tolist() == ["a", "b", "c"] * 2
    checked = xf.check_panel_store(address)
    assert checked.ok, str(checked)
    assert xf.panel_info(address).tables == {"records": 6}

    narrow = panel[["close"]].isel(asset=slice(3), date=slice(2)).astype(np.float32)
    xf.write_panel(narrow, address, overwrite=True)
    assert_same_panel(xf.open_panel(address), narrow)
    xf.gc_panel_store(address)
    assert_same_panel(xf.open_panel(address), narrow)


def test_append_panel__makes_room_for_listings(address, panel):
    """More new assets than the chunks have room for, some of the old ones gone."""
    xf.write_panel(panel.drop_vars("volume"), address)
    many = np.arange(1000, 1080)
    new = later(panel).drop_vars("volume").isel(asset=slice(0, 2))
    new = new.reindex(asset=[*new["asset"].values, *many], fill_value={"sector": -1, "symbol": ""})
    new["listed"] = new["listed"] == 1
    xf.append_panel(new, address)
    got = xf.open_panel(address).compute()
    assert got.sizes == {"date": 24, "asset": 87}
    xr.testing.assert_equal(got["close"][:12, :7], panel["close"])
    xr.testing.assert_equal(got["close"].sel(date=new.date, asset=new.asset), new["close"])
    assert np.isnan(got["close"][12:, 2:7]).all()


REFUSED = {
    "a date twice": (lambda p: p.isel(date=slice(8, 12)), "is there already"),
    "an earlier date": (lambda p: later(p, -300), "is not later"),
    "a field missing": (lambda p: later(p).drop_vars("close"), "lacks close"),
    "a field unknown": (lambda p: later(p).assign(x=p["close"].variable), "has no x"),
    "another dtype": (lambda p: later(p).assign(close=1 * later(p)["listed"]), "the same dtype"),
    "no panel": (lambda p: later(p).rename(date="time"), "no panel"),
}


def test_append_panel__refuses_and_touches_nothing(address, panel):
    xf.write_panel(panel.isel(date=slice(10)), address)
    before = state(address)
    for breaks, text in REFUSED.values():
        with pytest.raises(xf.PanelError, match=text):
            xf.append_panel(breaks(panel), address)
    assert_untouched(address, before)


def test_store__that_fails_to_be_written_is_as_it_was(address, panel):
    xf.write_panel(panel.isel(date=slice(8)).chunk(date=4), address)
    before = state(address)
    broken = panel.chunk(date=4).assign(close=failing(panel["close"]))
    with pytest.raises(RuntimeError, match="gone"):
        xf.write_panel(broken, address, overwrite=True)
    with pytest.raises(RuntimeError, match="gone"):
        xf.add_fields(xr.Dataset({"new": broken["close"].isel(date=slice(8))}), address)
    assert_untouched(address, before)
    xf.append_panel(panel.isel(date=slice(8, 12)), address)
    assert_same_panel(xf.open_panel(address), panel)


def test_write_panel__that_fails_can_be_done_again(address, panel):
    broken = panel.chunk(date=4).assign(close=failing(panel["close"]))
    with pytest.raises(RuntimeError, match="gone"):
        xf.write_panel(broken, address)
    assert not backend_of(address).exists()
    with pytest.raises(xf.PanelError, match="nothing is at"):
        xf.open_panel(address)
    xf.write_panel(panel, address)
    with pytest.raises(xf.PanelError, match="is there already"):
        xf.write_panel(panel, address)
    assert_same_panel(xf.open_panel(address), panel)


# --- readers of older states ---------------------------------------------------------------------


def swept(address):
    """Remove older states, whatever their age."""
    store = backend_of(address)
    return store.gc(keep_days=0) if address.startswith("icechunk") else store.gc()


def noise(panel):
    """A field too large to lie in Icechunk's own files."""
    x = np.random.default_rng(0).normal(size=(12, 300))
    return xr.Dataset(
        {"close": (("date", "asset"), x), "other": (("date", "asset"), x + 1)},
        coords={"date": panel["date"], "asset": np.arange(300)},
    )


def right_or_told(old, want):
    try:
        return np.array_equal(old.compute(), want)
    except xf.PanelError as problem:
        return "rewritten since" in str(problem)


def test_gc__tells_readers_of_older_states(address, panel):
    want = noise(panel)
    xf.write_panel(want, address)
    old = xf.open_panel(address)
    xf.update_panel(want[["close"]] * 2, address)
    now = xf.open_panel(address)
    assert swept(address) > 0
    with pytest.raises(xf.PanelError, match=r"rewritten since.*Open it again"):
        old["close"].compute()
    np.testing.assert_array_equal(now["close"], want["close"] * 2)
    for i in range(3):  # the chunks' names come round, and are still not those of the old state
        xf.update_panel(want[["close"]] + i, address)
        with pytest.raises(xf.PanelError, match=r"rewritten since.*Open it again"):
            old["close"].compute()


@pytest.mark.parametrize("sweep", [False, True])
def test_readers__of_a_field_that_went_do_not_get_one_of_its_name(address, panel, sweep):
    want = noise(panel)
    xf.write_panel(want, address)
    old = xf.open_panel(address)
    xf.write_panel(want[["other"]], address, overwrite=True)
    if sweep:
        swept(address)
    xf.add_fields(want[["close"]] * -1, address)
    assert right_or_told(old["close"], want["close"])
    np.testing.assert_array_equal(xf.open_panel(address)["close"], want["close"] * -1)


# --- resumed ------------------------------------------------------------------------------------


def test_resume__is_refused_where_nothing_can_be_kept(tmp_path, panel):
    needs("icechunk")
    address = f"icechunk://{tmp_path}/panel"
    with pytest.raises(xf.PanelError, match=r"resume=True.*Icechunk.*Leave it out"):
        xf.write_panel(panel, address, resume=True)
    assert list(tmp_path.iterdir()) == []
    xf.write_panel(panel.isel(date=slice(8)), address)
    before = state(address)
    with pytest.raises(xf.PanelError, match=r"resume=True.*Icechunk.*Leave it out"):
        xf.append_panel(panel.isel(date=slice(8, 12)), address, resume=True)
    assert_untouched(address, before)


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://host/panel.zarr", "begins with s3"),
        ("s3://bucket", "a bucket and a path"),
        ("s3:///panel.zarr", "a bucket and a path"),
        ("icechunk+ftp://host/p", "begins with s3"),
    ],
)
def test_backend_of__refuses_what_it_cannot_reach(url, text):
    with pytest.raises(xf.PanelError, match=text):
        xf.open_panel(url)


def test_backend_of__refuses_a_url_that_contradicts_the_backend():
    with pytest.raises(xf.PanelError, match="one of the two"):
        xf.open_panel("icechunk://here", backend="zarr")


def test_place_of__keeps_settings_out_of_messages():
    place = place_of("s3://b/a/panel.zarr?secret_access_key=xyz&region=eu-west-1")
    assert place.settings == {"secret_access_key": "xyz", "region": "eu-west-1"}
    assert (place.bucket, place.prefix, place.name) == ("b", "a/panel.zarr", "panel.zarr")
    assert place.beside(".lock") == "a/.lock"
    assert "xyz" not in place.address + repr(place)


@pytest.mark.parametrize(
    ("library", "module", "url"),
    [("icechunk", "ice", "icechunk://x"), ("obstore", "buckets", "s3://b/x")],
)
def test_backend_of__says_which_library_is_lacking(monkeypatch, tmp_path, library, module, url):
    loaded = __import__(f"xfactor.store.{module}", fromlist=["library"])
    loaded.library.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, library, None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    with pytest.raises(xf.PanelError, match=rf"needs {library}, which is not installed.*pip"):
        xf.open_panel(url)
    loaded.library.cache_clear()
