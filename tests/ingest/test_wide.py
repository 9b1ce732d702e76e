"""Wide tables are the long ones, laid out."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests.ingest import files
from xfactor.ingest import ingest_table, ingest_wide, wide

NAN = np.nan
DAYS = ["2024-01-02", "2024-01-03", "2024-01-04"]
CLOSE = {"Date": DAYS, "B": [1.0, 2.0, NAN], "A": [NAN, 3.0, 4.0]}
VOLUME = {"Date": ["2024-01-04", "2024-01-05"], "A": [40, 50], "C": [7, 8]}


def ingest(folder, sources, **options):
    options.setdefault("overwrite", True)
    summary = ingest_wide(sources, folder / "panel.zarr", **options)
    return xf.open_panel(folder / "panel.zarr").load(), summary


def test_ingest_wide__puts_fields_of_other_dates_and_assets_together(tmp_path):
    sources = {
        "close": files.csv_file(tmp_path, CLOSE, "close.csv"),
        "volume": files.parquet_file(tmp_path, VOLUME),
    }
    panel, summary = ingest(tmp_path, sources)
    assert list(panel.symbol.values) == ["B", "A", "C"]
    assert panel.sizes["date"] == 4
    np.testing.assert_array_equal(panel["close"][:3, :2], [[1, NAN], [2, 3], [NAN, 4]])
    np.testing.assert_array_equal(panel["volume"][2:, 1:], [[40, 7], [50, 8]])
    assert int(panel["close"].notnull().sum() + panel["volume"].notnull().sum()) == 8
    assert (summary.rows_read, summary.rows_kept) == (8, 8)
    assert summary.years == {2024: {"close": 4 / 12, "volume": 4 / 12}}


def test_ingest_wide__names_the_cells_that_it_leaves_out(tmp_path):
    text = "day,A,B\n2024-01-02,x,1\nsoon,2,3\n2024-01-03,,-4\n2024-01-04,5\n2024-01-05,6,1e400\n"
    source = files.text_file(tmp_path, text)
    rejects = tmp_path / "rejects.csv"
    schema = {"fields": {"close": {"above": 0, "units": "USD"}}}
    panel, summary = ingest(tmp_path, {"close": source}, schema=schema, rejects=rejects)
    listed = pd.read_csv(rejects, keep_default_na=False).drop(columns="file")
    assert sorted(listed.itertuples(index=False, name=None)) == [
        (1, "A", "x", "close no number"),
        (2, "A", "soon", "without a date"),
        (2, "B", "soon", "without a date"),
        (3, "B", "-4", "close not above 0"),
        (4, "A", "2024-01-04,5", "with too few or too many cells"),
        (5, "B", "1e400", "close not above 0"),
    ]
    assert panel["close"].attrs["units"] == "USD"
    assert summary.rows_read == summary.rows_kept + sum(summary.rejected.values())
    with pytest.raises(xf.PanelError, match=r"column 'A' of .* holds 'x' in row 1"):
        ingest(tmp_path, {"close": source}, strict=True)


@pytest.mark.parametrize(
    ("sources", "options", "match"),
    [
        ({}, {}, "mapping of fields"),
        ("close.csv", {}, "mapping of fields"),
        ({"close": "none.csv"}, {}, "nothing is at"),
        ({"a/b": pd.DataFrame(CLOSE)}, {}, "'a/b'"),
        ({"close": pd.DataFrame({"date": ["2024-01-02"]})}, {}, "no column beside"),
        ({"close": pd.DataFrame(CLOSE)}, {"schema": {"date": "day"}}, "no column 'day'"),
        ({"close": pd.DataFrame(CLOSE)}, {"schema": {"fields": {"x": {}}}}, "field 'x'"),
        ({"close": pd.DataFrame(CLOSE)[["Date", "A", "A"]]}, {}, "2 columns 'A'"),
        ({"close": pd.DataFrame({"date": ["2024-01-02"], "A": [NAN]})}, {}, "has no rows"),
    ],
)
def test_ingest_wide__refuses_in_one_line(tmp_path, sources, options, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        ingest(tmp_path, sources, **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 7), st.integers(1, 5)),
    text=st.booleans(),
    cells=st.sampled_from([1, 4, 1000]),
)
def test_ingest_wide__is_the_long_table_of_the_same_cells(seed, shape, text, cells):
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2023-12-28", periods=shape[0]).astype(str)
    symbols = rng.permutation(list("ABCDE"))[: shape[1]]
    values = np.where(rng.random(shape) < 0.5, rng.normal(size=shape).round(3), NAN)
    frame = pd.DataFrame(values, columns=symbols).assign(date=dates)
    frame = frame.sample(frac=1.0, random_state=seed % 1000)
    melted = frame.melt("date", var_name="symbol", value_name="x").dropna()
    if melted.empty:
        return
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide, "CELLS", cells)
        folder = Path(name)
        panel, _ = ingest(folder, {"x": files.csv_file(folder, frame) if text else frame})
        ingest_table(melted, folder / "long.zarr")
        xr.testing.assert_identical(panel, xf.open_panel(folder / "long.zarr").load())
