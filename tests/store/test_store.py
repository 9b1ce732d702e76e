"""Panels on disk: what is written comes back, and nothing half-written is ever seen."""

import os
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from xfactor.store import layout
from xfactor.store.files import METADATA


def contents(path):
    """Every file below a folder with its bytes."""
    return {p.relative_to(path): p.read_bytes() for p in Path(path).rglob("*") if p.is_file()}


def assert_same_panel(got, want):
    """Equal values, dtypes, labels and attributes."""
    xr.testing.assert_equal(got.compute(), want.compute())
    for name in want.data_vars:
        assert got[name].dtype == want[name].dtype, name
        assert got[name].dims == want[name].dims
        assert got[name].attrs == want[name].attrs
    assert got.attrs == want.attrs


def failing(x):
    """`x`, with a second chunk that cannot be computed."""

    def broken(block, block_info=None):
        if block_info and block_info[0]["chunk-location"][0] > 0:
            raise RuntimeError("the machine is gone")
        return block

    return x.copy(data=da.map_blocks(broken, x.chunk(date=4).data, dtype=x.dtype))


@pytest.fixture
def store(tmp_path, panel):
    return xf.write_panel(panel.chunk(date=4), tmp_path / "panel.zarr")


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [None, 1, 5, 12], ids=str)
def test_write_panel__comes_back_as_it_was(tmp_path, panel, chunks):
    given_ = panel if chunks is None else panel.chunk(date=chunks)
    path = xf.write_panel(given_, tmp_path / "deep" / "panel.zarr")
    assert path == tmp_path / "deep" / "panel.zarr"
    opened = xf.open_panel(path)
    assert_same_panel(opened, panel)
    assert opened["close"].chunks[0] == (12,) if chunks is None else True
    assert all(len(v.chunks[1]) == 1 for v in opened.data_vars.values())


def test_write_panel__keeps_codes_masks_numbers_and_text_apart(tmp_path, panel):
    path = xf.write_panel(panel, tmp_path / "p")
    got = xf.open_panel(path)
    kinds = {n: str(got[n].dtype) for n in got.data_vars}
    assert kinds == {
        "close": "float64", "volume": "int64", "weight": "float32", "listed": "bool",
        "sector": "int16",
    }  # fmt: skip
    assert (got["sector"] == -1).any().compute()
    assert got["symbol"].values.tolist() == panel["symbol"].values.tolist()
    assert got["sector"].attrs == panel["sector"].attrs


@pytest.mark.parametrize(
    "labels",
    [
        list("gfbcade"),
        np.array(list("gfbcade"), dtype=object),
        [f"Ünïcødé-{i} 株" for i in range(7)],
        np.arange(7, 0, -1),
        np.arange(7) * 10**15,
    ],
    ids=["text", "objects", "unicode", "numbers", "long"],
)
def test_write_panel__takes_asset_labels_of_any_kind(tmp_path, panel, labels):
    renamed = panel.assign_coords(asset=labels)
    got = xf.open_panel(xf.write_panel(renamed, tmp_path / "p"))
    assert got["asset"].values.tolist() == list(labels)
    assert xf.rank(got["close"]).compute().equals(xf.rank(renamed["close"]))


@given(x=strategies.panels(any_order=False), data=st.data())
def test_write_panel__any_panel_with_any_even_chunks_comes_back(tmp_path_factory, x, data):
    size = data.draw(st.integers(1, x.sizes["date"]))
    ds = x.to_dataset(name="x").assign(code=xf.qcut(x, 3))
    ds = ds.chunk(date=size) if data.draw(st.booleans()) else ds
    path = xf.write_panel(ds, tmp_path_factory.mktemp("any") / "p")
    assert_same_panel(xf.open_panel(path), ds)


def test_write_panel__takes_further_dims_dates_and_fields_of_one_dim(tmp_path, panel):
    more = panel.assign(
        exposure=(("date", "asset", "factor"), np.random.default_rng(0).normal(size=(12, 7, 3))),
        market=("date", np.linspace(0, 1, 12)),
        founded=("asset", np.arange(7.0)),
        reported=(("date", "asset"), np.full((12, 7), np.datetime64("2020-01-01", "ns"))),
        rate=0.5,
    ).assign_coords(factor=["value", "size", "momentum"])
    assert_same_panel(xf.open_panel(xf.write_panel(more, tmp_path / "p")), more)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_open_panel__gives_dates_in_nanoseconds_whatever_was_written(tmp_path, panel, unit):
    dates = panel.indexes["date"].as_unit(unit) + pd.Timedelta(minutes=1)
    path = xf.write_panel(panel.assign_coords(date=dates), tmp_path / "p")
    got = xf.open_panel(path).indexes["date"]
    assert got.dtype == "datetime64[ns]"
    assert (got == dates).all()


def test_write_panel__takes_a_panel_of_no_dates(tmp_path, panel):
    got = xf.open_panel(xf.write_panel(panel.isel(date=slice(0)), tmp_path / "p"))
    assert got.sizes["date"] == 0


def test_write_panel__does_not_touch_what_it_was_given(tmp_path, panel):
    panel["close"].encoding = {"chunks": (3, 3), "dtype": "f4"}
    before = panel.copy(deep=True)
    got = xf.open_panel(xf.write_panel(panel, tmp_path / "p"))
    xr.testing.assert_identical(panel, before)
    assert panel["close"].encoding == {"chunks": (3, 3), "dtype": "f4"}
    assert got["close"].dtype == np.float64


def test_write_panel__takes_what_was_opened_and_changed(tmp_path, store, panel):
    """The way of every pipeline: open, transform lazily, write; also onto itself."""
    opened = xf.open_panel(store)
    changed = opened.assign(score=xf.zscore(opened["close"]))
    xf.write_panel(changed, tmp_path / "other")
    assert_same_panel(xf.open_panel(tmp_path / "other"), panel.assign(
        score=xf.zscore(panel["close"])))  # fmt: skip
    xf.write_panel(changed, store, overwrite=True)
    assert_same_panel(xf.open_panel(store)[list(panel.data_vars)], panel)


# --- layout -------------------------------------------------------------------------------------


def test_store__has_the_planned_chunks_and_codecs(store, panel):
    group = zarr.open_group(store, mode="r")
    for name in panel.data_vars:
        array = group[name]
        assert array.chunks == (4, 64)
        codec, checksum = array.compressors
        assert checksum.to_dict()["name"] == "crc32c"
        level = layout.zstd_level(panel[name].dtype.kind, panel[name].attrs)
        assert codec.to_dict()["configuration"]["level"] == level
    assert group["date"].chunks == (4096,)
    assert group["xfactor"].attrs["format"] == "xfactor-panel"
    assert group.metadata.consolidated_metadata is not None


def test_store__of_data_in_memory_has_chunks_of_256_dates(tmp_path):
    x = xr.Dataset(
        {"a": (("date", "asset"), np.zeros((300, 2)))},
        coords={"date": pd.date_range("2020", periods=300), "asset": [1, 2]},
    )
    assert xf.open_panel(xf.write_panel(x, tmp_path / "p"))["a"].chunks == ((256, 44), (2,))


@pytest.mark.parametrize(
    ("dims", "shape", "want"),
    [
        (("date", "asset"), (1000, 50), (256, 128)),
        (("asset", "date"), (50, 1000), (128, 256)),
        (("date",), (10,), (256,)),
        (("date", "asset", "factor"), (300, 5, 3), (256, 128, 3)),
        (("factor", "date"), (0, 0), (1, 256)),
        ((), (), ()),
    ],
)
def test_chunk_shape__cuts_dates_only(dims, shape, want):
    assert layout.chunk_shape(dims, shape, 256, 128) == want


@pytest.mark.parametrize(
    ("kind", "attrs", "level"),
    [("f", {}, -5), ("f", {"fill": "forward"}, 1), ("i", {}, 1), ("b", {}, 1), ("M", {}, 1)],
)
def test_zstd_level__is_high_where_rows_repeat(kind, attrs, level):
    assert layout.zstd_level(kind, attrs) == level


@pytest.mark.parametrize(
    ("chunks", "want"),
    [
        (None, 256), ((), 256), ((10,), 10), ((10, 10, 3), 10), ((10, 10), 10),
        ((10, 12), None), ((3, 10, 10), None), ((10, 3, 10), None),
    ],
)  # fmt: skip
def test_store_chunk_dates__takes_equal_chunks_with_a_shorter_last(chunks, want):
    assert layout.store_chunk_dates(chunks) == want


# --- opening ------------------------------------------------------------------------------------


def test_open_panel__reads_labels_but_no_field(store, raise_if_computes, panel):
    for name in panel.data_vars:  # chunks that nobody could read
        for chunk in (p for p in (store / name / "c").rglob("*") if p.is_file()):
            chunk.write_bytes(b"broken")
    opened = xf.open_panel(store, start="2020-01-02")
    assert all(v.chunks is not None for v in opened.data_vars.values())
    assert all(c.chunks is None for c in opened.coords.values())
    with raise_if_computes():
        xf.rolling_mean(xf.rank(opened["close"], where=opened["listed"]), window=3)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the codec says
        opened["close"].compute()


@pytest.mark.parametrize(
    ("start", "end", "n"),
    [
        ("2020-01-06", None, 9), (None, "2020-01-03", 3), ("2020-01-02", "2020-01-03", 2),
        (pd.Timestamp("2020-01-06"), np.datetime64("2020-01-06"), 1), ("2019", "2021", 12),
    ],
)  # fmt: skip
def test_open_panel__takes_both_ends_of_a_range(store, panel, start, end, n):
    got = xf.open_panel(store, start=start, end=end)
    assert got.sizes["date"] == n
    want = panel.sel(date=slice(start, end))
    xr.testing.assert_equal(got.compute()["close"], want["close"])


def test_open_panel__takes_fields_by_name_in_the_order_asked(store):
    got = xf.open_panel(store, ["volume", "close"])
    assert list(got.data_vars) == ["volume", "close"]
    assert "symbol" in got.coords


def test_open_panel__says_which_fields_there_are(store):
    with pytest.raises(xf.PanelError, match=r"no field 'open'.*It has: close, listed"):
        xf.open_panel(store, ["close", "open"])


def test_open_panel__takes_a_bare_name_for_no_list_of_letters(store):
    """A bare name must not make it look for the fields c, l, o, s, e."""
    assert list(xf.open_panel(store, "close").data_vars) == ["close"]


def test_open_panel__names_the_dates_there_are(store):
    with pytest.raises(xf.PanelError, match=r"no date in 2030.*2020-01-01 to 2020-01-16"):
        xf.open_panel(store, start="2030-01-01")


def test_open_panel__says_what_is_missing(tmp_path):
    with pytest.raises(xf.PanelError, match="nothing is at"):
        xf.open_panel(tmp_path / "nowhere")
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(xf.PanelError, match="is not a Zarr group"):
            xf.open_panel(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"zarr_format": 2, "consolidated": True}, r"Zarr v2.*xf.write_panel\(xr.open_zarr"),
        ({"zarr_format": 3, "consolidated": True}, "this is no panel: its dimensions are 'x'"),
        ({"zarr_format": 3, "consolidated": False}, "without consolidated metadata"),
    ],
)
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_open_panel__refuses_a_zarr_group_that_is_no_panel(tmp_path, options, text):
    xr.Dataset({"a": ("x", [1.0, 2.0])}).to_zarr(tmp_path / "z", **options)
    with pytest.raises(xf.PanelError, match=text):
        xf.open_panel(tmp_path / "z")


# --- adding fields ------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
def test_add_fields__leaves_the_others_as_they_are(store, panel, lazy):
    new = xr.Dataset({"score": xf.zscore(panel["close"]), "group": xf.qcut(panel["close"], 3)})
    before = contents(store)
    xf.add_fields(new.chunk(date=4) if lazy else new, store)
    assert_same_panel(xf.open_panel(store), panel.merge(new))
    after = contents(store)
    changed = {k for k in before if before[k] != after[k]}
    assert changed == {Path("zarr.json")}


def test_add_fields__takes_a_field_derived_from_the_store_itself(store, panel):
    opened = xf.open_panel(store)
    xf.add_fields(xr.Dataset({"score": xf.rank(opened["close"])}), store)
    xr.testing.assert_equal(xf.open_panel(store)["score"].compute(), xf.rank(panel["close"]))
    assert xf.open_panel(store).attrs == panel.attrs


def refused_fields(panel):
    new = panel[["close"]].rename(close="new")
    wide = panel.assign(f=(("date", "asset", "factor"), np.zeros((12, 7, 2))))[["f"]]
    return {
        "a field twice": (panel[["close"]], "already has close"),
        "fewer dates": (new.isel(date=slice(5)), "other 'date' labels"),
        "other assets": (new.isel(asset=slice(3)), "other 'asset' labels"),
        "order of assets": (new.isel(asset=slice(None, None, -1)), "other 'asset' labels"),
        "no labels": (new.drop_vars("asset"), "other 'asset' labels"),
        "other chunks": (new.chunk(date=5), "chunk"),
        "cut assets": (new.chunk(date=4, asset=2), "chunk"),
        "a dim of another size": (wide, "factor"),
    }


@pytest.mark.parametrize("name", list(refused_fields(xr.Dataset(
    {"close": (("date", "asset"), np.zeros((12, 7)))},
    coords={"date": pd.date_range("2020", periods=12), "asset": range(7)})))
)  # fmt: skip
def test_add_fields__refuses_and_leaves_every_byte_as_it_was(tmp_path, panel, name):
    factors = panel.assign(e=(("date", "asset", "factor"), np.zeros((12, 7, 3))))
    path = xf.write_panel(factors.chunk(date=4), tmp_path / "p")
    before = contents(path)
    fields, text = refused_fields(panel)[name]
    with pytest.raises(xf.PanelError, match=text):
        xf.add_fields(fields, path)
    assert contents(path) == before


def test_add_fields__takes_a_Dataset_only(store, panel):
    before = contents(store)
    for fields, found in (
        (panel["close"].rename("new"), "DataArray. Use array.to_"),
        ([1], "list"),
    ):
        with pytest.raises(TypeError, match=f"fields are an xarray.Dataset; found {found}"):
            xf.add_fields(fields, store)
    assert contents(store) == before


def test_add_fields__that_dies_is_not_seen_and_can_be_done_again(store, panel):
    before = xf.open_panel(store).compute()
    new = panel[["close"]].rename(close="new")
    with pytest.raises(RuntimeError, match="gone"):
        xf.add_fields(xr.Dataset({"new": failing(new["new"])}), store)
    xr.testing.assert_identical(xf.open_panel(store).compute(), before)
    again = new.astype(np.float32)  # what was left on disk has another dtype
    xf.add_fields(again, store)
    got = xf.open_panel(store)["new"].compute()
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got.values, again["new"].values)


# --- refusals, failures and kills ---------------------------------------------------------------

REFUSED = {
    "no panel": (lambda p: p.rename(date="time"), "no panel"),
    "unsorted": (lambda p: p.isel(date=[1, 0]), "not sorted"),
    "uneven chunks": (lambda p: p.chunk(date=(3, 4, 5)), r"uneven.*: 3, 4, 5.*panel.chunk\(date="),
    "cut assets": (lambda p: p.chunk(date=4, asset=2), "'asset'"),
    "fields cut differently": (
        lambda p: p.assign(close=p["close"].chunk(date=4), weight=p["weight"].chunk(date=3)),
        "'date'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_write_panel__refuses_in_plain_words_and_leaves_nothing(tmp_path, panel, name):
    breaks, text = REFUSED[name]
    with pytest.raises(xf.PanelError, match=text):
        xf.write_panel(breaks(panel), tmp_path / "p")
    assert os.listdir(tmp_path) == []


def test_write_panel__refuses_a_path_that_is_taken(store, panel):
    before = contents(store)
    with pytest.raises(xf.PanelError, match="is there already"):
        xf.write_panel(panel, store)
    assert contents(store) == before


@pytest.mark.parametrize("kind", ["folder", "file", "other zarr"])
def test_write_panel__overwrites_panel_stores_only(tmp_path, panel, kind):
    """Whatever else may lie at that path, nobody asked for it to go."""
    path = tmp_path / "mine"
    if kind == "file":
        path.write_text("text")
    elif kind == "folder":
        path.mkdir()
        (path / "thesis.txt").write_text("text")
    else:
        xr.Dataset({"a": ("x", [1.0])}).to_zarr(path, zarr_format=2, consolidated=True)
    before = path.read_text() if kind == "file" else contents(path)
    with pytest.raises(xf.PanelError, match="is no panel store"):
        xf.write_panel(panel, path, overwrite=True)
    assert (path.read_text() if kind == "file" else contents(path)) == before


@pytest.mark.parametrize(
    "damage", [lambda t: t[: len(t) // 2], lambda t: t.replace("2020", "2021")]
)
def test_write_panel__overwrites_nothing_whose_metadata_is_damaged(store, panel, damage):
    xf.write_panel(panel.assign_attrs(since="2020"), store, overwrite=True)
    metadata = store / "zarr.json"
    metadata.write_text(damage(metadata.read_text()))
    before = contents(store)
    words = (
        "metadata of .* is damaged: .*; needed a panel store to overwrite. Restore its zarr.json"
    )
    with pytest.raises(xf.PanelError, match=words):
        xf.write_panel(panel, store, overwrite=True)
    assert contents(store) == before


def test_write_panel__overwrites_on_True_only(store, panel):
    before = contents(store)
    with pytest.raises(xf.PanelError, match="overwrite='no' was given; needed True or False"):
        xf.write_panel(panel, store, overwrite="no")
    assert contents(store) == before


@pytest.mark.parametrize("path", [3, None, ["a"], b"a"])
def test_stores__are_named_by_path_or_url(path):
    with pytest.raises(TypeError, match="a store is named by its path or URL; found"):
        xf.open_panel(path)


def test_open_panel__says_what_fields_and_dates_it_takes(store):
    for more, words in [
        ({"fields": 3}, "fields=3 was given; needed a list of names"),
        ({"start": -1}, "start=-1 was given; needed a date"),
        ({"end": 1.5}, "end=1.5 was given; needed a date"),
    ]:
        with pytest.raises(xf.PanelError, match=words):
            xf.open_panel(store, **more)


def test_write_panel__that_fails_leaves_no_store(tmp_path, panel):
    broken = panel.chunk(date=4).assign(close=failing(panel["close"]))
    with pytest.raises(RuntimeError, match="gone"):
        xf.write_panel(broken, tmp_path / "p")
    assert os.listdir(tmp_path) == []


def test_write_panel__that_fails_to_overwrite_leaves_the_old_one(store, panel):
    before = contents(store)
    broken = panel.chunk(date=4).assign(close=failing(panel["close"]))
    with pytest.raises(RuntimeError, match="gone"):
        xf.write_panel(broken, store, overwrite=True)
    assert contents(store) == before
    assert os.listdir(store.parent) == [store.name]


def test_write_panel__overwrites(store, panel):
    xf.write_panel(panel[["close"]] * 2, store, overwrite=True)
    got = xf.open_panel(store)
    assert list(got.data_vars) == ["close"]
    xr.testing.assert_equal(got["close"].compute(), panel["close"] * 2)
    assert os.listdir(store.parent) == [store.name]


def test_write_panel__killed_in_the_middle_leaves_the_old_one(store, panel):
    """The process dies without a chance to clean up: the way of the out-of-memory killer."""
    before = contents(store)
    code = f"""
import os, dask, xfactor as xf
dask.config.set(scheduler="synchronous")
panel = xf.open_panel({str(store)!r})
def die(block, block_info=None):
    if block_info and block_info[0]["chunk-location"][0] == 1:
        os._exit(9)
    return block
dead = panel["close"].copy(data=panel["close"].data.map_blocks(die, dtype=float))
xf.write_panel(panel.assign(close=dead), {str(store)!r}, overwrite=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=120, cwd=Path(xf.__file__).parents[1]
    )
    assert done.returncode == 9
    assert contents(store) == before
    assert_same_panel(xf.open_panel(store), panel)
    left = [n for n in os.listdir(store.parent) if n != store.name]
    assert all(not (store.parent / n / METADATA).exists() for n in left)


def test_write_panel__holds_no_field_whole(tmp_path):
    """Chunks are written as they come: never more than a few are alive at a time."""
    alive, most = 0, 0

    def gone():
        nonlocal alive
        alive -= 1

    def block(block_info=None):
        nonlocal alive, most
        made = np.zeros((10, 50))
        weakref.finalize(made, gone)
        alive += 1
        most = max(most, alive)
        return made

    lazy = da.map_blocks(block, chunks=((10,) * 40, (50,)), dtype=float, meta=np.empty((0, 0)))
    ds = xr.Dataset(
        {"a": (("date", "asset"), lazy)},
        coords={"date": pd.date_range("2020", periods=400), "asset": np.arange(50)},
    )
    with dask.config.set(scheduler="synchronous"):
        xf.write_panel(ds, tmp_path / "p")
    assert most <= 3
    assert alive == 0
    assert xf.open_panel(tmp_path / "p").sizes["date"] == 400


def test_write_panel__makes_no_copy_of_data_in_memory(tmp_path):
    data = np.random.default_rng(1).normal(size=(256 * 20, 500))
    ds = xr.Dataset(
        {"a": (("date", "asset"), data)},
        coords={"date": pd.date_range("2000", periods=len(data)), "asset": np.arange(500)},
    )
    with dask.config.set(scheduler="synchronous"):
        xf.write_panel(ds.isel(date=slice(256)), tmp_path / "warm")
        tracemalloc.start()
        xf.write_panel(ds, tmp_path / "p")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < data.nbytes / 3  # a few chunks of the 20
    np.testing.assert_array_equal(xf.open_panel(tmp_path / "p")["a"], data)


# --- readers of older states --------------------------------------------------------------------


def test_reader__sees_what_it_opened_or_is_told_so_and_never_a_mixture(store, panel):
    """Three restatements later the names of the chunks are taken again."""
    cells = panel[["close"]].isel(date=[1, 5, 9]) * 0
    states = [xf.open_panel(store)]
    for i in range(1, 6):
        xf.update_panel(cells + i, store)
        states.append(xf.open_panel(store))
    told = 0
    for i, state in enumerate(states):
        want = panel["close"].copy()
        if i:
            want[dict(date=[1, 5, 9])] = want[dict(date=[1, 5, 9])].where(
                cells["close"].isnull().values, float(i)
            )
        for rows in (slice(0, 4), slice(4, 8), slice(8, 12), slice(0, 12)):
            try:
                got = state["close"].isel(date=rows).compute()
            except xf.PanelError as problem:
                if "rewritten since the panel was opened" not in str(problem):
                    raise
                told += 1
                continue
            xr.testing.assert_equal(got, want.isel(date=rows))
    assert 0 < told <= 12  # the last three states are there for sure
