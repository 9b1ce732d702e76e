"""Plain text tables: aligned, complete, missing values shown as such."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xfactor.text import table

LABELS = ["market", "SMB", "a rather long label"]


def lines(columns, formats="+.2f .1%", title="Title"):
    return table(title, columns, formats).split("\n")


def drawn():
    return {
        "beta": pd.Series([1.0, -123.456, np.nan], index=LABELS),
        "share": pd.Series([0.5, np.inf, 12.0], index=LABELS),
    }


def test_table__has_a_title_a_heading_and_a_row_for_each_label():
    got = lines(drawn())
    assert got[0] == "Title"
    assert got[1].split() == ["beta", "share"]
    assert [line[2:21].strip() for line in got[2:]] == LABELS
    assert len(got) == 5


def test_table__aligns_columns_to_the_right():
    got = lines(drawn())
    assert len({len(line) for line in got[1:]}) == 1
    at = got[1].index("beta") + len("beta")
    for line, cell in zip(got[2:], ["+1.00", "-123.46", "-"], strict=True):
        assert line[:at].endswith(" " + cell)
    assert [line.split()[-1] for line in got[2:]] == ["50.0%", "-", "1200.0%"]


def test_table__shows_missing_and_infinite_values_as_a_dash():
    got = lines({"x": pd.Series([np.nan, np.inf, -np.inf, 0.0], index=list("abcd"))}, ".1f")
    assert [line.split()[1] for line in got[2:]] == ["-", "-", "-", "0.0"]


def test_table__a_heading_wider_than_its_cells_sets_the_width():
    got = lines({"a long heading": pd.Series([1.0], index=["b"])}, ".0f")
    assert got[1:] == ["    a long heading", "  b              1"]


def test_table__takes_arrays_and_puts_other_columns_in_the_order_of_the_first():
    first = xr.DataArray([1.0, 2.0], dims="factor", coords={"factor": ["a", "b"]}, name="f")
    second = xr.DataArray([20.0, 10.0], dims="factor", coords={"factor": ["b", "a"]}, name="g")
    got = lines({"first": first, "second": second}, ".0f .0f")
    assert [line.split() for line in got[2:]] == [["a", "1", "10"], ["b", "2", "20"]]


def test_table__a_label_that_a_column_lacks_is_missing():
    columns = {"x": pd.Series([1.0, 2.0], index=["a", "b"]), "y": pd.Series([3.0], index=["b"])}
    assert [line.split() for line in lines(columns, ".0f .0f")[2:]] == [
        ["a", "1", "-"], ["b", "2", "3"],
    ]  # fmt: skip


def test_table__wants_a_format_for_each_column():
    with pytest.raises(ValueError, match="argument"):
        lines(drawn(), ".1f")


def test_table__whole_numbers_are_formatted_like_others():
    got = lines({"n": pd.Series([3, 4], index=["a", "b"])}, ".1f")
    assert [line.split()[1] for line in got[2:]] == ["3.0", "4.0"]
