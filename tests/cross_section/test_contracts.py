"""What every transform along asset promises, checked for each line of the table of cases."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.cross_section.cases import CASES

NAN = np.nan


FUNCTIONS = contracts.by_name(CASES)
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_function = pytest.mark.parametrize("cases", FUNCTIONS, ids=contracts.name_of)
one_each = pytest.mark.parametrize("case", [c[0] for c in FUNCTIONS], ids=lambda c: c.name)


# --- what every transform promises --------------------------------------------------------------


@each_case
def test_transform__equals_the_naive_loop_on_the_fixed_panel(case):
    for dtype in (np.float64, np.float32):
        contracts.check_oracle(case, strategies.fixed_panel(dtype))


@each_function
@given(x=strategies.panels(), data=st.data())
def test_transform__equals_the_naive_loop(cases, x, data):
    contracts.check_oracle(data.draw(st.sampled_from(cases)), x)


@each_function
@given(x=strategies.panels(), data=st.data())
def test_transform__is_the_same_bit_for_bit_whatever_the_chunks(cases, x, data):
    contracts.check_chunks(data.draw(st.sampled_from(cases)), x, data)


@each_case
def test_transform__takes_every_date_by_itself(case):
    x = strategies.fixed_panel()
    whole = case(x)
    for t in range(x.sizes["date"]):
        contracts.assert_same_bits(case(x.isel(date=[t])), whole.isel(date=[t]))


@one_each
def test_transform__where_is_the_same_as_masking_by_hand(case):
    contracts.check_where(case)


@one_each
def test_transform__keeps_dims_coords_name_attrs_and_dtype(case):
    contracts.check_kept(case)


@one_each
def test_transform__computes_nothing_when_called(case, panel, raise_if_computes):
    contracts.check_lazy(case, panel, raise_if_computes)


@pytest.mark.parametrize("case", [c[0] for c in FUNCTIONS if c[0].dataset], ids=lambda c: c.name)
def test_transform__maps_over_a_dataset(case, panel):
    contracts.check_dataset(case, panel)


@one_each
def test_transform__loops_over_further_dims(case, panel):
    contracts.check_extra_dims(case, panel)


@one_each
def test_transform__takes_any_memory_order_and_number_type(case, panel):
    contracts.check_odd_arrays(case, panel)


@one_each
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_transform__of_an_empty_panel_is_empty(case, shape):
    contracts.check_empty(case, *shape)


@each_function
@given(x=strategies.panels(), data=st.data())
def test_transform__does_not_depend_on_the_order_of_storage(cases, x, data):
    case = data.draw(st.sampled_from(cases))
    order = data.draw(st.permutations(range(x.sizes["asset"])))
    got, want = case(x.isel(asset=order)), case(x).isel(asset=order)
    if case.exact:
        xr.testing.assert_identical(got, want)
    else:
        contracts.assert_values(got, want, contracts.size_of(x) if case.scaled else 1.0)


@one_each
def test_transform__of_a_single_date_needs_no_date_dim(case, panel):
    row = panel["close"].isel(date=3, drop=True)
    want = case(panel["close"]).isel(date=3, drop=True)
    xr.testing.assert_identical(case(row), want)
    xr.testing.assert_identical(case(row.chunk()).compute(), want)


# --- groups -------------------------------------------------------------------------------------


# With groups, `neutralize` has a constant for each but slopes in common: see test_combine.
@pytest.mark.parametrize(
    "cases", [c for c in FUNCTIONS if c[0].name != "neutralize"], ids=contracts.name_of
)
@settings(max_examples=settings().max_examples // 2)  # each runs a transform for every group
@given(x=strategies.panels(), data=st.data())
def test_transform__by_takes_every_group_by_itself(cases, x, data):
    """The oracle of `by` is `where`: each group alone."""
    case = data.draw(st.sampled_from(cases))
    codes = data.draw(strategies.codes(x))
    got = case(x, by=codes)
    lazy = data.draw(strategies.chunked(x))
    contracts.assert_same_bits(case(lazy, by=codes).compute(), got)
    missing = {"b": False, "i": -1}.get(got.dtype.kind, NAN)
    whole = codes.broadcast_like(x).transpose(*got.dims)
    want = got.copy(data=np.full(got.shape, missing, dtype=got.dtype))
    if case.fills:  # what is known stays, of a group or not
        want = x.where(np.isfinite(x)).transpose(*got.dims)
    for code in np.unique(whole.values[whole.values >= 0]):
        alone = case(x, where=codes == code)
        want = alone.where(whole == code, want).astype(got.dtype).transpose(*got.dims)
    if case.exact:
        np.testing.assert_array_equal(got.values, want.values)
    else:
        contracts.assert_values(got, want, contracts.size_of(x) if case.scaled else 1.0)


@one_each
def test_transform__refuses_groups_that_are_no_codes(case, panel):
    with pytest.raises(TypeError, match=r"by has dtype float64; .*fillna\(-1\)"):
        case(panel["close"], by=panel["sector"].astype(float))
    with pytest.raises(TypeError, match=r"by has dtype .*factorize"):
        case(panel["close"], by=panel["sector"].astype(str))
    with pytest.raises(xf.PanelError, match="different labels along 'asset'"):
        case(panel["close"], by=panel["sector"].isel(asset=slice(None, None, -1)))
    with pytest.raises(xf.PanelError, match="cut differently along 'date'"):
        case(panel["close"].chunk(date=4), by=panel["sector"].chunk(date=3))


@one_each
@pytest.mark.parametrize("none", [-1, -7, -3_000_000_000, np.iinfo(np.int64).min])
def test_transform__by_takes_a_negative_code_of_any_size_for_none(case, none):
    """Narrowed to int32 some of them are 0, or point at memory that is not theirs."""
    x = strategies.fixed_panel()
    rng = np.random.default_rng(1)
    for dims in (("asset",), ("date", "asset")):
        codes = rng.choice([0, 0, 1, none], [x.sizes[d] for d in dims])
        by = xr.DataArray(codes, dims=dims, coords={d: x[d] for d in dims})
        contracts.assert_same_bits(case(x, by=by), case(x, by=by.clip(-1)))


@one_each
@pytest.mark.parametrize("spread", [1, 7919, 2**40])
def test_transform__by_is_the_same_whatever_the_numbers_and_the_dates_beside(case, spread):
    """Dates of one group, of few and of many groups: how they are summed must not hang on this."""
    rng = np.random.default_rng(2)
    x = xr.DataArray(np.exp(rng.normal(size=(9, 700))), dims=("date", "asset"))
    codes = rng.integers(0, 600, x.shape) % np.array([1, 5, 600] * 3)[:, None]
    by = xr.DataArray(codes, dims=x.dims)
    want = case(x, by=by)
    got = case(x.chunk(date=(1, 2, 4, 2)), by=by * spread)
    contracts.assert_same_bits(got.compute(), want)


@one_each
def test_transform__by_computes_nothing_when_called(case, panel, raise_if_computes):
    chunked = panel.chunk(date=5)
    with raise_if_computes():
        assert case(chunked["close"], by=chunked["sector"]).chunks is not None
        assert case(chunked["close"], by=panel["sector"].isel(date=0, drop=True)).chunks is not None


# --- rows that break naive code (the table of the design) ---------------------------------------

MIDDLE = [3.0] * 5
EDGE_ROWS = {
    "all missing": ([NAN] * 5, [NAN] * 5, [NAN] * 5, [NAN] * 5, [-1] * 5),
    "constant": ([0.1] * 5, MIDDLE, [NAN] * 5, [0.1] * 5, [0] * 5),
    "one valid": (
        [NAN, NAN, 7.0, NAN, NAN],
        [NAN, NAN, 1.0, NAN, NAN],
        [NAN] * 5,
        [NAN, NAN, 7.0, NAN, NAN],
        [-1, -1, 0, -1, -1],
    ),
    "two valid": (
        [NAN, 1.0, NAN, 2.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [NAN, -1.0, NAN, 1.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [-1, 0, -1, 1, -1],
    ),
    "inf inside": (
        [np.inf, 1.0, -np.inf, 2.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [NAN, -1.0, NAN, 1.0, NAN],
        [NAN, 1.0, NAN, 2.0, NAN],
        [-1, 0, -1, 1, -1],
    ),
    "ties at a cut": (
        [1.0, 2.0, 2.0, 2.0, 3.0],
        [1.0, 3.0, 3.0, 3.0, 5.0],
        (np.array([-1.0, 0.0, 0.0, 0.0, 1.0]) / np.sqrt(0.4)).tolist(),
        [2.0, 2.0, 2.0, 2.0, 2.0],
        [0, 0, 0, 0, 1],
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("column", ["rank", "zscore", "winsorize", "qcut"])
@pytest.mark.parametrize("row", EDGE_ROWS)
def test_edge_row__gives_what_the_design_says(row, column, dtype):
    values, *wanted = EDGE_ROWS[row]
    x = xr.DataArray(np.array([values], dtype=dtype), dims=("date", "asset"))
    place = ["rank", "zscore", "winsorize", "qcut"].index(column)
    got = {
        "rank": lambda: xf.rank(x, method="average"),
        "zscore": lambda: xf.zscore(x),
        "winsorize": lambda: xf.winsorize(x, 0.2),
        "qcut": lambda: xf.qcut(x, 2),
    }[column]()
    np.testing.assert_allclose(got.values[0], np.array(wanted[place], dtype=dtype), rtol=1e-6)


# --- refusals shared by all ---------------------------------------------------------------------


@one_each
def test_transform__refuses_assets_cut_into_chunks(case, panel):
    with pytest.raises(xf.PanelError, match=r"chunks along 'asset'.*Use x.chunk\(asset=-1\)"):
        case(panel["close"].chunk(asset=2))


@one_each
def test_transform__refuses_a_missing_dimension(case, panel):
    with pytest.raises(xf.PanelError, match=r"dimensions 'date', 'id'; needed 'asset'"):
        case(panel["close"].rename(asset="id"))


@one_each
def test_transform__refuses_text(case, panel):
    with pytest.raises(TypeError, match="needed numbers"):
        case(panel["close"].astype(str))


@one_each
def test_transform__refuses_a_universe_that_is_no_mask(case, panel):
    with pytest.raises(TypeError, match="needed bool"):
        case(panel["close"], where=panel["sector"])


@one_each
def test_transform__refuses_a_universe_in_another_order(case, panel):
    with pytest.raises(xf.PanelError, match="different labels along 'asset'"):
        case(panel["close"], where=panel["listed"].isel(asset=slice(None, None, -1)))
    with pytest.raises(xf.PanelError, match="labels along 'date'"):
        case(panel["close"], where=panel["listed"].isel(date=slice(3)))


@one_each
def test_transform__refuses_a_universe_with_dims_that_the_values_lack(case, panel):
    with pytest.raises(xf.PanelError, match="where"):
        case(panel["close"].isel(date=0, drop=True), where=panel["listed"])


@one_each
def test_transform__refuses_a_universe_cut_differently(case, panel):
    """Else dask cuts both to pieces without a word."""
    with pytest.raises(xf.PanelError, match="cut differently along 'date'"):
        case(panel["close"].chunk(date=4), where=panel["listed"].chunk(date=3))


def test_transform__names_the_field_whose_dims_the_universe_exceeds(panel):
    ds = panel[["close"]].assign(founded=("asset", np.arange(7.0)))
    with pytest.raises(xf.PanelError, match="where has the dimension 'date' and founded has not"):
        xf.rank(ds, where=panel["listed"])
