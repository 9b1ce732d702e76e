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
        if case.name == "forward_returns" and case.options == {"periods": 1}:
            np.testing.assert_allclose(after[t - 1].values, 0.25, rtol=1e-15)
        elif case.name != "forward_returns":
            contracts.assert_same_bits(after, before)


# --- refusals -------------------------------------------------------------------------------------


@one_each
def test_transform__refuses_a_missing_dimension(case, panel):
    with pytest.raises(xf.PanelError, match=r"dimensions 'time', 'asset'; needed 'date'"):
        case(panel["close"].rename(date="time"))


def looks_back(name, **options):
    return lambda x: getattr(xf, name)(x, **options)


# Those of the package that look along dates in another way than the table of transforms.
MODELS = {
    "newey_west": looks_back("newey_west", lags=2),
    "performance": looks_back("performance", lags=0),
    "portfolio_returns": lambda x: xf.portfolio_returns(x, x),
    "cross_sectional_ols": lambda x: xf.cross_sectional_ols(x, x.rename("own")),
    "rolling_ols": lambda x: xf.rolling_ols(x, x.isel(asset=0, drop=True), window=5),
    "time_series_ols": lambda x: xf.time_series_ols(x, x.isel(asset=0, drop=True), lags=2),
}
LOOKING = {c[0].name: c[0] for c in FUNCTIONS} | MODELS


@pytest.mark.parametrize("name", LOOKING)
def test_transform__refuses_dates_that_are_not_strictly_increasing(name, panel):
    """What looks back would read the future."""
    x = panel["close"].fillna(1.0)
    for each in (x, x.chunk(date=5)):
        with pytest.raises(xf.PanelError, match=r"not sorted.*Use x.sortby\('date'\)"):
            LOOKING[name](each.isel(date=slice(None, None, -1)))
        with pytest.raises(xf.PanelError, match=r"has the date 2020-01-02 more than once"):
            LOOKING[name](each.isel(date=[0, 1, 1, 2, 3, 4, 5, 6, 7, 8]))


def test_transform__takes_dates_out_of_order_where_order_does_not_matter(panel):
    x = panel["close"].isel(date=slice(None, None, -1))
    xf.rank(x)
    xf.newey_west(x, lags=0)
    xf.lag(x.assign_coords(date=range(12, 0, -1)))  # numbers are no dates


WINDOWED = [next(c for c in each if c.options.get("window")) for each in FUNCTIONS
            if any(c.options.get("window") for c in each)]  # fmt: skip


@pytest.mark.parametrize("case", WINDOWED, ids=lambda c: c.name)
def test_transform__takes_any_window_but_none_shorter_than_min_obs(case):
    x = case.suited(strategies.fixed_panel())

    def over(**window):
        return case.function(x, **{**case.options, **window})

    got, want = over(window=10**20, min_obs=2), over(window=10**15, min_obs=2)
    contracts.assert_values(got, want, contracts.size_of(x) if case.scaled else 1.0)
    over(window=3, min_obs=3)
    with pytest.raises(xf.PanelError, match="min_obs=4 was given with window=3; needed no more"):
        over(window=3, min_obs=4)


@one_where
def test_transform__refuses_a_universe_that_is_no_mask(case, panel):
    with pytest.raises(TypeError, match="needed bool"):
        case(panel["close"], where=panel["sector"])


@one_where
def test_transform__refuses_a_universe_cut_differently(case, panel):
    with pytest.raises(xf.PanelError, match="cut differently along 'date'"):
        case(panel["close"].chunk(date=4), where=panel["listed"].chunk(date=3))
