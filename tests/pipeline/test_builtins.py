"""The built-in Factors: each against its definition, and what all of them promise."""

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from tests.pipeline.builtins import CLASSIFIERS, FACTORS, FILTERS
from tests.pipeline.markets import TARGET, market, markets
from tests.pipeline.oracles import Market
from xfactor.pipeline import Pipeline, field

CASES = [*FACTORS, *FILTERS, *CLASSIFIERS]
ROWS = max(c.rows for c in CASES)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.term.kind} {c.name}")
good = field("good", bool)


def column(case):
    return f"{case.term.kind} {case.name}"


def whole(term, panel, rows, **options):
    """The term on all dates that have `rows` of history, (date, asset)."""
    got = Pipeline({"it": term}).to_dataset(panel, panel["date"].values[rows - 1], **options)
    return got["it"].transpose("date", "asset")


@each_case
@settings(max_examples=5)
@given(panel=markets())
def test_builtin__is_what_its_definition_gives(case, panel):
    rows = case.rows
    want = Market.of(panel, TARGET).each(case.oracle, rows)[rows - 1 :]
    got = whole(case.term, panel, rows)
    assert got.dtype == {"factor": np.float64, "filter": np.bool_}.get(case.term.kind, got.dtype)
    absent = {"factor": np.nan, "filter": 0.0, "classifier": -1.0}[case.term.kind]
    want = np.where(np.isnan(want), absent, want)
    np.testing.assert_allclose(got.values.astype(float), want, rtol=1e-7, atol=1e-9)


@settings(max_examples=6)
@given(panel=markets(), data=st.data())
def test_builtins__do_not_depend_on_chunks_and_compute_nothing_early(panel, data):
    pipe = Pipeline({column(c): c.term for c in CASES})
    start = panel["date"].values[ROWS - 1]
    want = pipe.to_dataset(panel, start)
    lazy = data.draw(strategies.chunked(panel))
    got = pipe.to_dataset(lazy, start)
    assert all(v.chunks is not None for v in got.data_vars.values())
    for name, values in xf.compute(got)[0].items():
        assert_same_bits(values, want[name].transpose(*values.dims))


def test_builtins__compute_nothing_early(raise_if_computes):
    pipe = Pipeline({column(c): c.term for c in CASES})
    lazy = market().chunk(date=7)
    with raise_if_computes():
        pipe.to_dataset(lazy, lazy["date"].values[ROWS])


@each_case
def test_mask__leaves_the_values_of_others_alone(case):
    if not hasattr(case.term, "window_length"):
        pytest.skip("made by a method, or without a mask")
    panel = market(3)
    plain = whole(case.term, panel, case.rows)
    term = type(case.term)._of(case.term.inputs, good, **dict(case.term._options))
    inside = whole(good, panel, case.rows)
    fill = {"factor": np.nan, "filter": False, "classifier": -1}[case.term.kind]
    assert_same_bits(
        whole(term, panel, case.rows), plain.where(inside, np.asarray(fill, plain.dtype))
    )


@each_case
def test_label_open__is_that_of_the_date_before(case):
    if not case.shifts:
        pytest.skip("counts days to the label")
    panel = market(4)
    dates = panel["date"].values
    at_close = whole(case.term, panel, case.rows).values
    at_open = Pipeline({"it": case.term}).to_dataset(panel, dates[case.rows], label="open")["it"]
    np.testing.assert_array_equal(at_open.transpose("date", "asset").values, at_close[:-1])


@each_case
def test_one_asset_and_one_date__are_enough(case):
    panel = market(5, dates=case.rows, gaps=0).sel(asset=[TARGET])
    got = whole(case.term, panel, case.rows)
    want = Market.of(panel, TARGET).each(case.oracle, case.rows)[-1, 0]
    absent = {"factor": np.nan, "filter": 0.0, "classifier": -1.0}[case.term.kind]
    np.testing.assert_allclose(got.item(), absent if np.isnan(want) else want, rtol=1e-7, atol=1e-9)


@each_case
def test_term__is_one_object_and_travels(case):
    assert pickle.loads(pickle.dumps(case.term)) is case.term


def test_float32__is_kept_and_close():
    panel = market(6, gaps=0.05)
    numbers = [c for c in FACTORS if not c.name.startswith("BusinessDays")]
    pipe = Pipeline({c.name: c.term for c in numbers})
    start = panel["date"].values[ROWS]
    single = panel.map(lambda v: v.astype(np.float32) if v.dtype.kind == "f" else v)
    double = single.map(lambda v: v.astype(float) if v.dtype.kind == "f" else v)
    got, want = pipe.to_dataset(single, start), pipe.to_dataset(double, start)
    for name, values in got.items():
        assert values.dtype == np.float32, name
        scale = 1 + abs(want[name]).max().item()
        np.testing.assert_allclose(values, want[name], rtol=1e-4, atol=2e-6 * scale, err_msg=name)


def test_builtins__do_not_read_the_future():
    cases = [c for c in [*FACTORS, *FILTERS] if c.shifts]
    pipe = Pipeline({column(c): c.term for c in cases})

    def func(panel):
        if panel.sizes["date"] < ROWS:
            return xr.Dataset({name: xr.full_like(panel["x"], np.nan) for name in pipe.columns})
        known = pipe.to_dataset(panel, panel["date"].values[ROWS - 1])
        return known.astype(float).reindex(date=panel["date"])

    xf.testing.check_no_lookahead(func, market(7, dates=60, gaps=0.02).drop_vars("day"))
