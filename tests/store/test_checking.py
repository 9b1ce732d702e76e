"""What a store says of itself: its contents, its damage, what it can do without."""

import json

import pytest
import xarray as xr

import xfactor as xf
from xfactor import cli
from xfactor.store import append_table, read_table


@pytest.fixture
def store(tmp_path, panel):
    return xf.write_panel(panel.chunk(date=4), tmp_path / "panel.zarr")


def files(path):
    return {p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file()}


def test_check__of_a_whole_store_finds_nothing_and_has_read_every_chunk(store):
    found = xf.check_panel_store(store)
    chunks = [p for n, p in files(store).items() if not n.endswith("zarr.json")]
    assert found.ok
    assert found.chunks == len(chunks)
    assert found.stored_bytes == sum(p.stat().st_size for p in chunks)
    assert "all as written" in str(found)


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone"])
def test_check__names_each_damaged_chunk_by_field_and_dates(store, how):
    for name in ("close/c/1/0", "sector/c/2/0"):
        file = store / name
        content = file.read_bytes()
        if how == "gone":
            file.unlink()
        else:
            middle = len(content) // 2
            flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            file.write_bytes({"flipped": flipped, "cut": content[:middle], "empty": b""}[how])
    found = xf.check_panel_store(store)
    assert [(d.field, d.where) for d in found.damages] == [
        ("close", "2020-01-07 to 2020-01-10"), ("sector", "2020-01-13 to 2020-01-16"),
    ]  # fmt: skip
    assert "2 damaged" in str(found)
    with pytest.raises(xf.PanelError, match="'close' cannot be read"):
        xf.open_panel(store)["close"].compute()
    xf.open_panel(store, end="2020-01-06")["close"].compute()  # the rest can be read


def test_check__knows_metadata_that_was_changed_and_takes_it_on_request(store, panel):
    document = json.loads((store / "zarr.json").read_text())
    document["attributes"]["note"] = "by hand"
    (store / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(xf.PanelError, match=r"changed by another program.*check --accept"):
        xf.open_panel(store)
    assert [d.field for d in xf.check_panel_store(store).damages] == ["zarr.json"]
    assert xf.check_panel_store(store, accept=True).ok
    assert xf.open_panel(store).attrs["note"] == "by hand"
    xr.testing.assert_equal(xf.open_panel(store).compute(), panel)


def test_check__accepts_no_damaged_chunk(store):
    document = json.loads((store / "zarr.json").read_text())
    document["attributes"]["note"] = "by hand"
    (store / "zarr.json").write_text(json.dumps(document))
    (store / "close/c/0/0").write_bytes(b"")
    assert len(xf.check_panel_store(store, accept=True).damages) == 2
    with pytest.raises(xf.PanelError, match="changed by another program"):
        xf.open_panel(store)


def test_gc__frees_what_restated_cells_have_left_and_nothing_else(store, panel):
    cells = panel[["close"]].isel(date=[1], asset=[2])
    for i in range(4):
        xf.update_panel(cells * 0 + i, store)
    before = xf.open_panel(store).compute()
    there = files(store)
    freed = xf.gc_panel_store(store)
    gone = there.keys() - files(store).keys()
    assert freed > 0
    assert all(n.startswith("close/") for n in gone)
    xr.testing.assert_identical(xf.open_panel(store).compute(), before)
    xr.testing.assert_equal(xr.open_zarr(store).compute(), before)
    assert xf.check_panel_store(store).ok
    assert xf.gc_panel_store(store) == 0


def test_info__says_what_is_there_without_reading_a_field(store, panel):
    append_table(store, "filings", {"asset": panel["asset"].values, "form": ["10-K"] * 7})
    for chunk in (p for n, p in files(store).items() if n.startswith("close/c/")):
        chunk.write_bytes(b"broken")
    info = xf.panel_info(store)
    assert info.dates[0] == 12
    assert info.assets == (7, 64)
    assert info.tables == {"filings": 7}
    assert info.books["version"] == 2
    assert list(info.fields.index) == sorted(panel.data_vars)
    assert info.fields.loc["weight", "dtype"] == "float32"
    assert info.fields.loc["close", "stored_bytes"] == 3 * len(b"broken")
    text = str(info)
    for words in ("12 dates, 2020-01-01 to 2020-01-16", "7 assets, room for 64", "7 rows"):
        assert words in text
    assert "<table" in info._repr_html_()
    assert repr(info) == str(info)


def test_tables__grow_and_keep_kinds_apart(store, panel):
    rows = {
        "asset": panel["asset"].values, "known_at": panel["date"].values[:7],
        "value": panel["close"].values[0], "form": ["10-K", "10-Q", "", "é", "10-K/A", "x", "y"],
    }  # fmt: skip
    append_table(store, "records", rows)
    append_table(store, "records", {k: v[:2] for k, v in rows.items()})
    got = read_table(store, "records")
    for name, values in rows.items():
        assert got[name].tolist() == [*list(values), *list(values[:2])] or name in (
            "known_at", "value",
        )  # fmt: skip
    assert got["known_at"].dtype == "datetime64[ns]"
    assert (got["known_at"][7:] == rows["known_at"][:2]).all()
    assert got["value"].shape == (9,)
    assert read_table(store, "nothing") == {}
    assert "records" not in xf.open_panel(store)
    before = {n: p.read_bytes() for n, p in files(store).items()}
    for bad, text in (
        ({"asset": rows["asset"]}, "columns"),
        ({**rows, "value": rows["value"].astype("f4")}, "'value' of 'records' is float32"),
        ({**rows, "value": rows["value"][:3]}, "one length"),
    ):
        with pytest.raises(xf.PanelError, match=text):
            append_table(store, "records", bad)
    assert {n: p.read_bytes() for n, p in files(store).items()} == before


def test_store_commands__do_what_the_functions_do(tmp_path, panel, capsys):
    source, store = tmp_path / "source.zarr", str(tmp_path / "store.zarr")
    later = tmp_path / "later.zarr"
    panel.isel(date=slice(8)).to_zarr(source, zarr_format=2, consolidated=True)
    xf.write_panel(panel.isel(date=slice(8, None)), later)
    assert cli.main(["store", "write", str(source), store]) == 0
    assert cli.main(["store", "append", str(later), store]) == 0
    assert "12 dates" in capsys.readouterr().out
    xr.testing.assert_equal(xf.open_panel(store).compute(), panel)
    assert cli.main(["store", "info", store]) == 0
    assert cli.main(["store", "rechunk", store, "--dates", "5", "--room", "100"]) == 0
    assert "5 x 100" in capsys.readouterr().out
    xr.testing.assert_equal(xf.open_panel(store).compute(), panel)
    assert cli.main(["store", "gc", store]) == 0
    assert cli.main(["store", "check", store]) == 0
    assert "all as written" in capsys.readouterr().out
    assert cli.main(["store", "append", str(later), store]) == 2
    assert "is there already" in capsys.readouterr().err
    assert cli.main(["store", "write", str(tmp_path / "nothing"), store]) == 2
    chunk = next((tmp_path / "store.zarr" / "close").rglob("*.1.0"))
    chunk.write_bytes(b"x")
    assert cli.main(["store", "check", store]) == 1
    assert "close, " in capsys.readouterr().out
