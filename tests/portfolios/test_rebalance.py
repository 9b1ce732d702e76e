"""Portfolios held through time: a naive twin with money in accounts, tables by hand, laws."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.portfolios import holding

NAN = np.nan
FIGURES = ("gross", "turnover", "n_obs")


def table(rows, start="2024-01-30", freq="B"):
    days = pd.date_range(start, periods=len(rows), freq=freq)
    return xr.DataArray(np.array(rows, dtype=float), {"date": days}, ("date", "asset"))


def drawn(seed, dates=60, assets=6, dtype=np.float64, gaps=0.1):
    """Weights wanted, returns and listings, with all that happens to them."""
    rng = np.random.default_rng(seed)
    shape = (dates, assets)
    w = rng.choice([0.0, 0.4, 0.1, -0.3, NAN], shape, p=[0.2, 0.3, 0.2, 0.2, 0.1])
    w[rng.random(dates) < 0.1] = NAN
    r = np.clip(0.1 * rng.standard_t(3, shape), -0.9, 1.5)
    r[rng.random(shape) < gaps] = NAN
    r[rng.random(shape) < 0.01] = np.inf
    r[rng.random(dates) < 0.05] = NAN
    listed = np.arange(dates)[:, None] < rng.integers(dates // 3, 2 * dates, assets)
    listed &= rng.random(shape) > 0.02
    labels = {"date": pd.date_range("2024-01-02", periods=dates, freq="3D"),
              "asset": rng.permutation([f"a{i:02d}" for i in range(assets)])}  # fmt: skip
    fields = {"weights": w.astype(dtype), "returns": r.astype(dtype), "listed": listed}
    return xr.Dataset({k: (("date", "asset"), v) for k, v in fields.items()}, labels)


options = st.fixed_dictionaries(
    {
        "when": st.sampled_from(["daily", "weekly", "monthly", "quarterly"]),
        "lag": st.integers(0, 2),
        "cohorts": st.integers(1, 4),
        "drift": st.sampled_from(["value", "legs"]),
        "proceeds": st.sampled_from(["spread", "cash"]),
    }
)


def by_hand(data, listed, options, delist=0.0):
    """The naive twin, on returns in which ends are filled."""
    w, r = data.weights.values.astype(float), data.returns.values.astype(float)
    target = np.full(w.shape, NAN)
    target[options["lag"] :] = w[: max(len(w) - options["lag"], 0)]
    mask = data.listed.values if listed else np.ones(r.shape, dtype=bool)
    for t, j in zip(*np.nonzero(~np.isfinite(r) & ~mask), strict=True):
        r[t, j] = delist if t and mask[t - 1, j] else 0.0
    trade = xf.rebalance_dates(data, options["when"]).values
    return holding.hold(
        target.tolist(), r.tolist(), trade, mask.tolist() if listed else None,
        cohorts=options["cohorts"], legs=options["drift"] == "legs",
        spread=options["proceeds"] == "spread",
    )  # fmt: skip


@given(seed=st.integers(0, 10**6), options=options, listed=st.booleans())
def test_rebalance__equals_accounts_with_money_in_them(seed, options, listed):
    for dtype, rtol in ((np.float64, 1e-9), (np.float32, 1e-5)):
        data = drawn(seed, dtype=dtype)
        more = {"listed": data.listed, "delist": -0.25} if listed else {}
        got = xf.rebalance(data.weights, data.returns, **options, **more)
        held, traded, told = by_hand(data, listed, options, -0.25)
        np.testing.assert_allclose(got.held, held, rtol=rtol, atol=rtol * 1e-3)
        np.testing.assert_allclose(got.traded, traded, rtol=rtol, atol=rtol)
        for k, name in enumerate(FIGURES):
            want = [row[k] for row in told]
            np.testing.assert_allclose(got[name], want, rtol=rtol, atol=rtol, err_msg=name)
        np.testing.assert_array_equal(got.n_dropped.transpose("date", "reason"),
                                      [row[3:] for row in told])  # fmt: skip
        assert got.held.dtype == got.gross.dtype == got.net.dtype == dtype


@given(seed=st.integers(0, 10**6), options=options, listed=st.booleans(), data=st.data())
def test_rebalance__is_the_same_bit_for_bit_whatever_the_chunks(seed, options, listed, data):
    x = drawn(seed, data.draw(st.integers(1, 40)))
    costs = abs(x.returns).fillna(0.01)
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"]))}

    def run(x, costs):
        more = {"listed": x.listed, "delist": -0.3} if listed else {}
        return xf.rebalance(x.weights, x.returns, costs=costs, **options, **more)

    got = run(x.chunk(cut), costs.chunk(cut))
    assert all(v.chunks is not None for v in got.data_vars.values())
    contracts.assert_same_bits(got.compute(), run(x, costs))


def test_rebalance__daily_is_what_portfolio_returns_gives():
    data = drawn(1)
    for lag in (0, 1, 2):
        got = xf.rebalance(data.weights, data.returns, when="daily", lag=lag)
        want = xf.portfolio_returns(data.weights, data.returns, lag=lag)
        np.testing.assert_allclose(got.gross, want, rtol=1e-12)
        again = xf.portfolio_returns(got.held, data.returns, lag=0)
        np.testing.assert_allclose(again, want, rtol=1e-12)
        wanted = xf.lag(data.weights, lag).fillna(0.0)
        np.testing.assert_array_equal(got.held, wanted.where(got.held.notnull()))


@given(seed=st.integers(0, 10**6), options=options)
def test_rebalance__held_weights_earn_the_gross_return(seed, options):
    data = drawn(seed)
    got = xf.rebalance(data.weights, data.returns, **options)
    again = xf.portfolio_returns(got.held, data.returns, lag=0)
    np.testing.assert_allclose(got.gross, again, rtol=1e-9, atol=1e-12)


def test_rebalance__a_long_portfolio_of_all_its_money_is_buy_and_hold():
    """Between trades its wealth is that of shares bought once; both drifts are the same."""
    data = drawn(2, gaps=0.0)
    r = data.returns.where(np.isfinite(data.returns), 0.0)
    w = xr.full_like(r, 1 / 6)
    trade = xf.rebalance_dates(r, "quarterly")
    got = xf.rebalance(w, r, when="quarterly")
    first = [*np.flatnonzero(trade)[1:], len(r)]
    for a, b in itertools.pairwise(first):
        wealth = (1 + r[a:b]).cumprod("date").mean("asset")
        np.testing.assert_allclose((1 + got.gross[a:b]).cumprod("date"), wealth, rtol=1e-12)
        assert bool((got.traded[a + 1 : b] == 0).all())
    legs = xf.rebalance(w, r, when="quarterly", drift="legs")
    np.testing.assert_allclose(legs.held, got.held, rtol=1e-12)


def test_rebalance__drifts_by_hand():
    r = table([[0, 0, 0], [0, 0, 0], [0.5, 0.0, 0.1], [0.0, 1.0, -0.5]])
    w = table([[0.5, 0.5, -1.0]] * 4)
    got = xf.rebalance(w, r)  # traded after January 31st, for February 1st
    assert got.held[:2].isnull().all()
    np.testing.assert_allclose(got.held[2], [0.5, 0.5, -1.0])
    # 1 earns 0.25 - 0.1: an account of 1.15 with 0.75, 0.5 and -1.1 in its names.
    np.testing.assert_allclose(got.gross[2], 0.15)
    np.testing.assert_allclose(got.held[3], np.array([0.75, 0.5, -1.1]) / 1.15)
    np.testing.assert_allclose(got.gross[3], (0.5 + 0.55) / 1.15)
    legs = xf.rebalance(w, r, drift="legs")
    np.testing.assert_allclose(legs.held[3], [0.6, 0.4, -1.0])  # a fund of 1.25, one of 1.1
    np.testing.assert_allclose(legs.gross[3], 0.4 + 0.5)
    np.testing.assert_allclose(got.turnover, [0, 0, 1, 0])


def test_rebalance__trades_what_the_drift_has_left_by_hand():
    r = table([[0.0, 0.0], [0.5, 0.0], [0.0, 0.0]], "2024-01-01", "D")
    got = xf.rebalance(table([[0.5, 0.5]] * 3, "2024-01-01", "D"), r, when="daily", lag=0,
                       costs=0.01)  # fmt: skip
    np.testing.assert_allclose(got.traded, [[0.5, 0.5], [0, 0], [-0.1, 0.1]], atol=1e-15)
    np.testing.assert_allclose(got.turnover, [0.5, 0, 0.1], atol=1e-15)
    np.testing.assert_allclose(got.cost, [0.01, 0, 0.002], atol=1e-15)
    np.testing.assert_allclose(got.net, [-0.01, 0.25, -0.002])


def test_rebalance__cohorts_of_jegadeesh_and_titman_by_hand():
    """Monthly, three months: each month's return is the mean of what three portfolios earn."""
    winners = [0, 1, 2, 3, 0, 1]
    w = table([[1.0 if j == k else 0.0 for j in range(4)] for k in winners], "2024-01-31", "ME")
    rng = np.random.default_rng(1)
    r = w.copy(data=rng.normal(0.01, 0.05, w.shape))
    got = xf.rebalance(w, r, cohorts=3)
    held = [[0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 0]]
    want = [r.values[t + 1, names].mean() for t, names in enumerate(held)]
    np.testing.assert_allclose(got.gross[1:], want, rtol=1e-12)
    share = [[names.count(j) / len(names) for j in range(4)] for names in held]
    np.testing.assert_allclose(got.held[1:], share, rtol=1e-12)
    # A third is renewed, and the others are brought back to a third each.
    drifted = np.array([0, 1, 1, 1]) * (1 + r.values[4]) / 3
    drifted = np.array([1, 1, 1, 0]) * (1 + r.values[3]) / 3 / (1 + got.gross.values[3])
    np.testing.assert_allclose(got.traded[4], [0, 1 / 3, 1 / 3, 1 / 3] - drifted, atol=1e-12)


def test_rebalance__names_of_a_cohort_drift_until_it_is_renewed():
    """Two assets in each cohort: only the cohorts, not their names, are brought back."""
    r = table([[0, 0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], "2024-01-31", "ME")
    w = table([[0.5, 0.5]] * 4, "2024-01-31", "ME")
    got = xf.rebalance(w, r, cohorts=2)
    np.testing.assert_allclose(got.held[1], [0.5, 0.5])
    old = np.array([2 / 3, 1 / 3])
    np.testing.assert_allclose(got.held[2], (old + 0.5) / 2)
    np.testing.assert_allclose(got.held[3], [0.5, 0.5])


# --- what ends ----------------------------------------------------------------------------------


def ending():
    r = table([[0, 0, 0], [0.1, 0, 0], [NAN, 0.1, 0], [NAN, 0.2, 0]], "2024-01-01", "D")
    listed = r.notnull()
    return xr.full_like(r, 1.0) * [0.5, 0.25, 0.25], r, listed


def test_rebalance__pays_out_what_ends_and_spreads_it_over_the_leg():
    w, r, listed = ending()
    when = xr.DataArray([True, False, False, False], dims="date")
    got = xf.rebalance(w, r, when=when, lag=0, listed=listed, delist=-0.5)
    # 0.5 grows to 0.55 of 1.05, then half of it is lost and 0.25 of the others each earn.
    held = np.array([0.55, 0.25, 0.25]) / 1.05
    np.testing.assert_allclose(got.held[2], held)
    np.testing.assert_allclose(got.gross[2], -0.5 * held[0] + 0.1 * held[1])
    left = np.array([0, 0.275, 0.25])
    np.testing.assert_allclose(got.held[3], left / left.sum())
    assert got.n_dropped.sel(reason="not_listed").values.tolist() == [0, 0, 0, 1]
    assert got.n_obs.values.tolist() == [3, 3, 3, 2]
    before = np.array([0, 0.275, 0.25]) / (0.275 + 0.275 + 0.25)
    np.testing.assert_allclose(got.traded[3], got.held[3].values - before, atol=1e-15)
    cash = xf.rebalance(w, r, when=when, lag=0, listed=listed, delist=-0.5, proceeds="cash")
    np.testing.assert_allclose(cash.held[3], before)
    np.testing.assert_allclose(cash.gross[3], 0.2 * before[1])
    assert bool((cash.traded[1:] == 0).all())


def test_rebalance__of_a_delisting_return_for_each_asset_or_date():
    w, r, listed = ending()
    each = xr.DataArray([-0.5, 7.0, 7.0], dims="asset")
    dated = xr.full_like(r, 9.0)
    dated[2, 0] = -0.5
    want = xf.rebalance(w, r, when="daily", listed=listed, delist=-0.5)
    for delist in (each, dated):
        got = xf.rebalance(w, r, when="daily", listed=listed, delist=delist)
        xr.testing.assert_identical(got, want)
    plain = xf.rebalance(w, r, when="daily", listed=listed)
    np.testing.assert_allclose(plain.gross[2] - want.gross[2], 0.25)


def test_rebalance__a_return_that_is_known_counts_before_the_delisting_return():
    w, r, listed = ending()
    listed[1, 0] = False  # it has its last return on the first date off the list
    want = xf.rebalance(w, r, when="daily", lag=0, listed=listed, delist=-0.5)
    np.testing.assert_allclose(want.gross[1], 0.05)
    np.testing.assert_allclose(want.held[2, 0], 0.0)


def test_rebalance__does_not_buy_what_is_no_longer_listed():
    w, r, listed = ending()
    got = xf.rebalance(w, r, when="daily", listed=listed)
    np.testing.assert_allclose(got.held[3], [0, 0.5, 0.5])
    assert int(got.n_dropped.sel(reason="not_listed")[3]) == 1
    cash = xf.rebalance(w, r, when="daily", listed=listed, proceeds="cash")
    np.testing.assert_allclose(cash.held[3], [0, 0.25, 0.25])


def test_rebalance__without_other_names_the_proceeds_are_cash():
    r = table([[0.0], [0.0], [NAN], [NAN]], "2024-01-01", "D")
    got = xf.rebalance(xr.ones_like(r), r, when="daily", listed=r.notnull(), delist=-0.3)
    np.testing.assert_allclose(got.gross, [NAN, 0, -0.3, 0])


# --- edges --------------------------------------------------------------------------------------


def test_rebalance__what_is_lost_is_lost_until_the_next_trade():
    r = table([[0, 0], [3.0, 0.1], [0.5, 0.5], [0.1, 0.2]], "2024-01-01", "D")
    w = table([[-1.0, 0.5]] * 4, "2024-01-01", "D")
    when = xr.DataArray([False, True, False, True], dims="date")
    for lag in (0, 1):
        got = xf.rebalance(w, r, when=when, lag=lag)
        np.testing.assert_allclose(got.gross, [NAN, -2.95, 0.0, 0.0])
        np.testing.assert_allclose(got.held[2], [0.0, 0.0])
        np.testing.assert_allclose(got.held[3], [-1.0, 0.5])


def test_rebalance__a_date_without_weights_sells_everything():
    r = table([[0.1, 0.1]] * 4, "2024-01-01", "D")
    w = table([[0.5, 0.5], [NAN, NAN], [0.0, 0.0], [1.0, 0.0]], "2024-01-01", "D")
    got = xf.rebalance(w, r, when="daily", lag=0)
    np.testing.assert_allclose(got.gross, [0.1, NAN, 0.0, 0.1])
    np.testing.assert_allclose(got.traded, [[0.5, 0.5], [-0.5, -0.5], [0, 0], [1, 0]])


def test_rebalance__further_dims_are_several_portfolios_in_one_pass():
    data = drawn(3)
    x = xr.concat([data.weights, -data.weights, data.weights.shift(date=3)], "signal")
    x = x.assign_coords(signal=["a", "b", "c"])
    options = {"listed": data.listed, "delist": -0.3, "cohorts": 2, "costs": 0.01}
    for dims in (("signal", "date", "asset"), ("date", "asset", "signal")):
        got = xf.rebalance(x.transpose(*dims), data.returns, **options)
        assert got.held.dims == dims
        assert set(got.net.dims) == {"date", "signal"}
        assert set(got.n_dropped.dims) == {"date", "signal", "reason"}
        for name in x.signal.values:
            want = xf.rebalance(x.sel(signal=name), data.returns, **options)
            one = got.sel(signal=name).transpose(*want.dims)
            for k in want.data_vars:
                np.testing.assert_array_equal(one[k].transpose(*want[k].dims), want[k])
        cut = xf.rebalance(x.transpose(*dims).chunk(date=7, signal=2), data.returns.chunk(date=7),
                           **{**options, "listed": data.listed.chunk(date=7)})  # fmt: skip
        contracts.assert_same_bits(cut.compute(), got)


def test_rebalance__takes_weights_without_dates():
    data = drawn(4)
    alone = data.weights[3]
    want = xf.rebalance(alone.drop_vars("date").expand_dims(date=data.date), data.returns)
    xr.testing.assert_identical(xf.rebalance(alone.drop_vars("date"), data.returns), want)
    lazy = xf.rebalance(alone.drop_vars("date"), data.returns.chunk(date=9))
    contracts.assert_same_bits(lazy.compute(), want)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("lazy", [True, False])
def test_rebalance__takes_no_dates_and_no_assets(shape, lazy):
    x = xr.DataArray(np.zeros(shape), {"date": pd.date_range("2020", periods=shape[0])},
                     ("date", "asset"))  # fmt: skip
    x = x.chunk(date=-1) if lazy else x
    got = xf.rebalance(x, x, listed=x == 0).compute()
    assert got.held.shape == shape
    assert bool(got.gross.isnull().all())


@pytest.mark.parametrize("cut", [(3, 0, 3), (0, 6), (6, 0), (1,) * 6])
def test_rebalance__takes_chunks_of_no_dates_and_of_one(cut):
    x = drawn(5, 6)

    def run(x):
        return xf.rebalance(x.weights, x.returns, listed=x.listed, when="daily")

    contracts.assert_same_bits(run(x.chunk(date=cut)).compute(), run(x))


# --- costs --------------------------------------------------------------------------------------


def test_rebalance__costs_in_every_form():
    data = drawn(6)
    run = {"weights": data.weights, "returns": data.returns, "when": "weekly"}
    base = xf.rebalance(**run, costs=0.002)
    np.testing.assert_allclose(base.cost, 0.004 * base.turnover, rtol=1e-12)
    np.testing.assert_allclose(base.net, base.gross - base.cost, rtol=1e-12)
    like = xr.full_like(data.returns, 0.002)
    dated = like.isel(asset=0, drop=True)
    for costs in (like, like[0].drop_vars("date"), dated, lambda w: 0.002 * abs(w),
                  lambda w: 0.002 * abs(w).sum("asset"), np.float64(0.002)):  # fmt: skip
        got = xf.rebalance(**run, costs=costs)
        np.testing.assert_allclose(got.cost, base.cost, rtol=1e-12)
        assert got.cost.dims == ("date",)


def test_rebalance__cost_rates_are_those_of_the_evening_of_the_trade():
    r = table([[0.0]] * 3, "2024-01-01", "D")
    w = table([[1.0], [2.0], [9.0]], "2024-01-01", "D")
    rates = table([[0.1], [0.2], [0.5]], "2024-01-01", "D")
    got = xf.rebalance(w, r, when="daily", costs=rates)
    np.testing.assert_allclose(got.cost, [0, 0.1, 0.2])


def test_rebalance__a_rate_that_is_missing_matters_only_where_there_is_a_trade():
    r = table([[0.0, 0.0]] * 3, "2024-01-01", "D")
    w = table([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]], "2024-01-01", "D")
    rates = xr.DataArray([0.1, NAN], dims="asset")
    np.testing.assert_allclose(xf.rebalance(w, r, when="daily", costs=rates, lag=0).cost, [0.1, 0,
                               NAN])  # fmt: skip


# --- clocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "firsts"),
    [
        ("weekly", ["2023-12-28", "2024-01-01", "2024-01-08"]),
        ("monthly", ["2023-12-28", "2024-01-01", "2024-02-01"]),
        ("quarterly", ["2023-12-28", "2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]),
        ("annual", ["2023-12-28", "2024-01-01", "2025-01-01"]),
        ("june", ["2023-12-28", "2024-07-01", "2025-07-01"]),
    ],
)
def test_rebalance_dates__follow_the_end_of_a_period(when, firsts):
    days = pd.bdate_range("2023-12-28", "2025-12-31")
    got = xf.rebalance_dates(xr.DataArray(np.zeros(len(days)), {"date": days}, "date"), when)
    assert list(days[got.values][: len(firsts)]) == [pd.Timestamp(d) for d in firsts]


@pytest.mark.parametrize("when", ["daily", "weekly", "monthly", "quarterly", "annual", "june"])
def test_rebalance_dates__are_the_first_of_each_period_of_pandas(when):
    days = pd.bdate_range("2019-12-25", "2024-02-02")
    days = days[np.random.default_rng(1).random(len(days)) < 0.6]
    x = xr.DataArray(np.zeros(len(days)), {"date": days}, "date")
    names = {"daily": days, "weekly": days.isocalendar().year * 100 + days.isocalendar().week,
             "monthly": days.strftime("%Y-%m"), "quarterly": days.to_period("Q"),
             "annual": days.year, "june": days.year + (days.month > 6)}  # fmt: skip
    want = ~pd.Series(np.asarray(names[when])).duplicated().values
    np.testing.assert_array_equal(xf.rebalance_dates(x, when).values, want)
    monthly = x.resample(date="ME").first()  # of monthly data every date is one
    if when == "monthly":
        assert bool(xf.rebalance_dates(monthly, when).all())


# --- time, laziness, errors ---------------------------------------------------------------------


@given(options=options, listed=st.booleans())
def test_rebalance__reads_the_past_only(options, listed):
    data = drawn(7, 40)
    options["lag"] = max(options["lag"], 1)

    def run(x):
        more = {"listed": x.listed, "delist": -0.3} if listed else {}
        return xf.rebalance(x.weights, x.returns, **options, **more, costs=abs(x.returns))

    late = run(data)
    if not all(bool(v[:-3].notnull().any()) for v in late.data_vars.values()):
        return
    for t in (5, 20, 33):
        part = run(data.isel(date=slice(t)))
        contracts.assert_same_bits(part, late.isel(date=slice(t)))
    xf.testing.check_no_lookahead(run, data, cuts=3)


def test_rebalance__with_lag_0_looks_ahead():
    data = drawn(8, 40)
    with pytest.raises(xf.testing.LookaheadError):
        xf.testing.check_no_lookahead(
            lambda x: xf.rebalance(xf.returns(1 + abs(x.returns)), x.returns, when="daily",
                                   lag=0).held.shift(date=-1), data)  # fmt: skip


def test_rebalance__computes_nothing_when_called(raise_if_computes):
    data = drawn(9).chunk(date=7)
    with raise_if_computes():
        got = xf.rebalance(
            data.weights, data.returns, listed=data.listed, delist=-0.3, costs=abs(data.returns)
        )
    assert all(v.chunks is not None for v in got.data_vars.values())


def test_rebalance__errors_say_what_to_do():
    data = drawn(10)
    w, r = data.weights, data.returns
    for more, words in [
        ({"when": "yearly"}, "when='yearly' is unknown"),
        ({"lag": -1}, "lag=-1"),
        ({"cohorts": 0}, "cohorts=0"),
        ({"drift": "none"}, "drift='none'"),
        ({"proceeds": "none"}, "proceeds='none'"),
        ({"delist": -0.3}, "delist=-0.3 was given without listed"),
        ({"delist": -30, "listed": data.listed}, "delist=-30.0 was given; needed a decimal"),
        ({"costs": -0.1}, "costs=-0.1"),
        ({"costs": "low"}, "costs='low'"),
        ({"dim": "stock"}, "'stock'"),
        ({"returns": r.expand_dims(style=2)}, "returns has the dimension 'style'"),
        ({"drift": np.ones((2, 2))}, "drift=.* is unknown"),
        ({"when": data.listed}, "when has the dimensions 'date', 'asset'; needed 'date' alone"),
        ({"weights": w[::5]}, r"Use weights.reindex_like\(returns\)"),
        ({"returns": r.drop_vars("date")}, "no labels along 'date'"),
        ({"returns": r[::-1]}, "different labels along 'date'|not sorted"),
        ({"returns": r[::-1], "weights": w[::-1]}, "not sorted"),
        ({"returns": r[::-1], "weights": w[::-1], "when": data.listed[::-1, 0]}, "not sorted"),
    ]:
        with pytest.raises(xf.PanelError, match=words):
            xf.rebalance(**{"weights": w, "returns": r, **more})
    with pytest.raises(TypeError, match="needed bool"):
        xf.rebalance(w, r, listed=r)
    for wrong, kind in (([1], "list"), (None, "NoneType"), (w.values, "ndarray")):
        with pytest.raises(TypeError, match=f"takes a DataArray or a Dataset; found {kind}"):
            xf.rebalance_dates(wrong)
    with pytest.raises(TypeError, match="takes a DataArray as when; found ndarray"):
        xf.rebalance(w, r, when=np.ones(r.sizes["date"], bool))
    with pytest.raises(TypeError, match="needed bool"):
        xf.rebalance(w, r, when=r[:, 0])
