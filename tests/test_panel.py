"""What a panel is, and the texts of the errors."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from xfactor import panel as _panel


def test_check_panel__gives_back_the_panel_itself(panel):
    assert xf.check_panel(panel) is panel


BROKEN = {
    "no date": (
        lambda p: p.rename(date="time"),
        r"its dimensions are 'time', 'asset'; needed 'date' and 'asset'. Rename",
    ),
    "no asset": (lambda p: p.isel(asset=0), r"its dimensions are 'date'; needed 'date' and"),
    "no dims": (lambda p: xr.Dataset({"a": 1}), r"its dimensions are none"),
    "no date labels": (lambda p: p.drop_vars("date"), r"no labels along 'date'"),
    "no asset labels": (lambda p: p.drop_vars("asset"), r"no labels along 'asset'"),
    "number dates": (
        lambda p: p.assign_coords(date=range(12)),
        r"'date' labels of the panel are int64; needed datetime64. Convert them with",
    ),
    "text dates": (
        lambda p: p.assign_coords(date=[f"2020-01-{i:02d}" for i in range(1, 13)]),
        r"needed datetime64",
    ),
    "missing date": (
        lambda p: p.assign_coords(date=[pd.NaT, *p.indexes["date"][1:]]),
        r"has missing dates",
    ),
    "unsorted": (
        lambda p: p.isel(date=[0, 1, 3, 2]),
        r"not sorted: 2020-01-03 follows 2020-01-06; needed strictly increasing dates. "
        r"Use panel.sortby\('date'\)",
    ),
    "falling": (lambda p: p.isel(date=slice(None, None, -1)), r"not sorted"),
    "date twice": (
        lambda p: p.isel(date=[0, 1, 1, 2]),
        r"has the date 2020-01-02 more than once",
    ),
    "asset twice": (
        lambda p: p.isel(asset=[0, 1, 1]),
        r"the asset .*10.* stands more than once in the panel; needed unique assets",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_check_panel__says_what_was_found_and_what_to_do_on_one_line(panel, name):
    breaks, text = BROKEN[name]
    with pytest.raises(xf.PanelError, match=text) as caught:
        xf.check_panel(breaks(panel))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_check_panel__refuses_what_is_no_dataset(panel):
    with pytest.raises(TypeError, match=r"xarray.Dataset; found DataArray"):
        xf.check_panel(panel["close"])


def test_check_dates__refuses_a_time_zone():
    dates = pd.date_range("2020", periods=3, tz="UTC")
    with pytest.raises(xf.PanelError, match=r"time zone UTC.*tz_localize\(None\)"):
        _panel.check_dates(dates)


def test_panel_error__is_a_value_error():
    assert issubclass(xf.PanelError, ValueError)


def test_check_panel__takes_a_panel_of_no_dates_or_one(panel):
    for n in (0, 1):
        xf.check_panel(panel.isel(date=slice(n)))


def test_field__lists_the_fields_there_are(panel):
    with pytest.raises(xf.PanelError, match=r"no field 'open'.*It has: close, listed, sector"):
        _panel.field(panel, "open")


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("f4", "f4"), ("f8", "f8"), ("i2", "f8"), ("u1", "f8"), ("?", "f8"), ("f2", "f8")],
)
def test_as_float__keeps_floats_and_converts_numbers(dtype, kept):
    x = xr.DataArray(np.ones(3, dtype=dtype), dims="asset")
    got = _panel.as_float(x)
    assert got.dtype == np.dtype(kept)
    assert (got is x) == (dtype == kept)


def test_as_float__makes_native_bytes():
    got = _panel.as_float(xr.DataArray(np.ones(3, dtype=">f8"), dims="asset"))
    assert got.dtype == np.float64
    assert got.dtype.isnative


@pytest.mark.parametrize("value", [3, np.int16(3), 3.0])
def test_positive__gives_an_int(value):
    got = _panel.positive("n", value)
    assert got == 3
    assert type(got) is int


@pytest.mark.parametrize("value", [0, -1, 2.5, True, np.nan, np.inf, None, "3", [3]])
def test_positive__refuses_what_is_no_count(value):
    with pytest.raises(xf.PanelError, match=r"n=.* was given; needed a whole number of at least 1"):
        _panel.positive("n", value)


def test_label_order__sorts_positions_by_label_and_says_when_there_is_nothing_to_do():
    assert _panel.label_order(pd.Index(["a", "b", "c"])) is None
    order = _panel.label_order(pd.Index(["c", "a", "b"]))
    assert order.tolist() == [1, 2, 0]
    assert order.dtype == np.int64


# What is refused, and which cells of what its remedy gives are in the universe, or in group 1.
IN = xr.DataArray(np.arange(12) % 3 == 1, dims="date").values
MENDABLE = {
    "short mask": ("where", lambda m: m[1:], IN & (np.arange(12) > 0)),
    "mask in another order": ("where", lambda m: m[::-1], IN),
    "mask with gaps": ("where", lambda m: m.where(m.date > m.date[2]), IN & (np.arange(12) > 2)),
    "mask as object": ("where", lambda m: m[2:].reindex_like(m), IN & (np.arange(12) > 1)),
    "mask as codes": ("where", lambda m: m.astype("i2") * 2 - 1, IN),
    "mask in other chunks": ("where", lambda m: m.chunk(date=(5, 5, 2)), IN),
    "short codes": ("by", lambda m: m.astype("i2")[1:], IN & (np.arange(12) > 0)),
    "codes with gaps": ("by", lambda m: (m * 70_000.0).where(m), IN),
    "codes in other chunks": ("by", lambda m: m.astype(int).chunk(date=(5, 5, 2)), IN),
}


@pytest.mark.parametrize("name", MENDABLE)
def test_remedy__does_what_is_meant(name, panel):
    """The line of the message, run as it stands, gives an input that is taken and is right."""
    option, broken, want = MENDABLE[name]
    x = panel["close"].rename("x").chunk(date=(5, 2, 5))
    other = broken(xr.ones_like(panel["listed"]) & xr.DataArray(IN, dims="date"))
    with pytest.raises((xf.PanelError, TypeError), match="Use ") as caught:
        xf.rank(x, **{option: other})
    line = str(caught.value).partition("Use ")[2].removesuffix(".").removeprefix(f"{option}=")
    mended = eval(line, {"x": x, option: other, "mask": other, "codes": other})
    xf.rank(x, **{option: mended})
    np.testing.assert_array_equal((mended > 0).values, np.repeat(want[:, None], 7, axis=1))


def test_chunks_that_differ__are_named_by_the_first(panel):
    x = panel["close"].chunk(date=(5, 2, 5))
    text = r"cut differently along 'date': chunk 1 has 5 labels in where and 2 in close; needed"
    with pytest.raises(xf.PanelError, match=text):
        xf.rank(x, where=panel["listed"].chunk(date=(5, 5, 2)))


@pytest.mark.parametrize("other", ["missing", "longer"])
def test_check_same_labels__compares_lengths_where_there_are_no_labels(other):
    a = xr.DataArray(np.zeros(3), dims="asset", name="a")
    b = xr.DataArray(np.zeros(4 if other == "longer" else 3), dims="asset", name="b")
    if other == "longer":
        with pytest.raises(xf.PanelError, match="b has 4 labels along 'asset' and a has 3"):
            _panel.check_same_labels(a, b, names=("a", "b"))
    else:
        _panel.check_same_labels(a, b, names=("a", "b"))
