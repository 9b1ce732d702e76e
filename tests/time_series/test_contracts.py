"""What every transform along date promises, checked for each line of the tables of cases."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.time_series import cases_recursive, cases_rolling, cases_shifts

CASES = [*cases_recursive.CASES, *cases_rolling.CASES, *cases_shifts.CASES]

FUNCTIONS = contracts.by_name(CASES)
BACKWARD = [c for c in FUNCTIONS if not c[0].ahead]
AHEAD = [c for c in FUNCTIONS if c[0].ahead]
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_function = pytest.mark.parametrize("cases", FUNCTIONS, ids=contracts.name_of)
each_backward = pytest.mark.parametrize("cases", BACKWARD, ids=contracts.name_of)
one_each = pytest.mark.parametrize("case", [c[0] for c in FUNCTIONS], ids=lambda c: c.name)
one_where = pytest.mark.parametrize(
    "case", [c[0] for c in FUNCTIONS if c[0].where], ids=lambda c: c.name
)


# --- what every transform promises --------------------------------------------------------------


@each_case
def test_transform__equals_the_naive_loop_on_the_fixed_panel(case):
    for dtype in (np.float64, np.float32):
        x = strategies.fixed_panel(dtype)
        contracts.check_oracle(case, case.suited(x))


@each_function
@given(data=st.data())
def test_transform__equals_the_naive_loop(cases, data):
    case = data.draw(st.sampled_from(cases))
    x = data.draw(strategies.panels())
    contracts.check_oracle(case, case.suited(x))


@each_function
@given(data=st.data())
def test_transform__is_the_same_bit_for_bit_whatever_the_chunks(cases, data):
    case = data.draw(st.sampled_from(cases))
    x = data.draw(strategies.panels())
    contracts.check_chunks(case, case.suited(x), data)


@one_where
def test_transform__where_is_the_same_as_masking_by_hand(case):
    contracts.check_where(case)


@one_each
def test_transform__keeps_dims_coords_name_attrs_and_dtype(case):
    contracts.check_kept(case)


@one_each
def test_transform__computes_nothing_when_called(case, panel, raise_if_computes):
    contracts.check_lazy(case, panel, raise_if_computes)


@one_each
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


@each_case
@pytest.mark.parametrize("cut", [(3, 0, 3), (0, 6), (6, 0), (1,) * 6])
def test_transform__takes_chunks_of_no_dates_and_of_one(case, cut):
    x = strategies.fixed_panel().isel(date=slice(6))
    contracts.assert_same_bits(case(x.chunk(date=cut)).compute(), case(x))


@each_case
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 26, 40])
def test_transform__takes_a_history_shorter_than_its_reach(case, n):
    x = strategies.fixed_panel().isel(date=slice(n))
    x = case.suited(x)
    contracts.check_oracle(case, x)
    contracts.assert_same_bits(case(x.chunk(date=-1)).compute(), case(x))


@each_function
@given(data=st.data())
def test_transform__takes_every_asset_by_itself(cases, data):
    case = data.draw(st.sampled_from(cases))
    x = case.suited(data.draw(strategies.panels()))
    j = data.draw(st.integers(0, x.sizes["asset"] - 1))
    contracts.assert_same_bits(case(x.isel(asset=[j])), case(x).isel(asset=[j]))


@one_each
def test_transform__of_a_series_needs_no_asset_dim(case, panel):
    series = panel["close"].isel(asset=2, drop=True)
    want = case(panel["close"]).isel(asset=2, drop=True)
    xr.testing.assert_identical(case(series), want)
    xr.testing.assert_identical(case(series.chunk(date=5)).compute(), want)


# --- no look-ahead ------------------------------------------------------------------------------


@each_backward
@given(data=st.data())
def test_transform__never_looks_ahead(cases, data):
    """The prefix law: the result up to t is that of the history up to t, bit for bit."""
    case = data.draw(st.sampled_from(cases))
    x = data.draw(strategies.panels(min_dates=2))
    t = data.draw(st.integers(1, x.sizes["date"] - 1))
    past = slice(None, t)
    contracts.assert_same_bits(case(x.isel(date=past)), case(x).isel(date=past))


@pytest.mark.parametrize("cases", AHEAD, ids=contracts.name_of)
@given(data=st.data())
def test_transform_that_reads_ahead__never_looks_back(cases, data):
    """The mirror of the prefix law."""
    case = data.draw(st.sampled_from(cases))
    x = case.suited(data.draw(strategies.panels(min_dates=2)))
    t = data.draw(st.integers(1, x.sizes["date"] - 1))
    future = slice(t, None)
    contracts.assert_same_bits(case(x.isel(date=future)), case(x).isel(date=future))


@each_case
def test_transform__changes_with_tomorrow_only_if_it_is_forward_returns(case):
    x = abs(strategies.fixed_panel())
    for t in (1, 20, 39):
        changed = x.copy()
        changed[t] = 0.25
        before, after = case(x)[:t], case(changed)[:t]
        if case.name == "forward_returns" and case.options["periods"] == 1:
            np.testing.assert_allclose(after[t - 1].values, 0.25, rtol=1e-15)
        elif case.name != "forward_returns":
            contracts.assert_same_bits(after, before)


# --- refusals -------------------------------------------------------------------------------------


@one_each
def test_transform__refuses_a_missing_dimension(case, panel):
    with pytest.raises(xf.PanelError, match=r"dimensions 'time', 'asset'; needed 'date'"):
        case(panel["close"].rename(date="time"))


@one_where
def test_transform__refuses_a_universe_that_is_no_mask(case, panel):
    with pytest.raises(TypeError, match="needed bool"):
        case(panel["close"], where=panel["sector"])


@one_where
def test_transform__refuses_a_universe_cut_differently(case, panel):
    with pytest.raises(xf.PanelError, match="cut differently along 'date'"):
        case(panel["close"].chunk(date=4), where=panel["listed"].chunk(date=3))
