"""Rank autocorrelation, turnover, coverage and returns around membership, against naive loops."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.evaluation import drawn, oracles
from xfactor.testing import LookaheadError, check_no_lookahead

NAN = np.nan
TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
# Compound returns of seven dates in float64, from float32 returns.
SINGLE = {"rtol": 1e-5, "atol": 1e-6}


def table(values):
    dates = pd.date_range("2015-01-01", periods=len(values))
    coords = {"date": dates, "asset": [*"ABCD"]}
    return xr.DataArray(np.array(values, dtype=float), dims=("date", "asset"), coords=coords)


# --- rank autocorrelation -----------------------------------------------------------------------


@given(data=st.data(), x=strategies.panels(), periods=st.integers(1, 4))
def test_autocorrelation__equals_the_correlation_of_pairs_of_dates(data, x, periods):
    by = data.draw(st.none() | drawn.groups(x))
    where = data.draw(drawn.masks(x))
    got = xf.rank_autocorrelation(x, periods=periods, by=by, where=where)
    rows = drawn.rows(drawn.within(x, where))
    codes = drawn.code_rows(by, x)
    for t in range(len(rows)):
        before = rows[t - periods] if t >= periods else np.full(rows.shape[1], NAN)
        for i, g in enumerate(drawn.CODES if by is not None else (0,)):
            want, n = oracles.ic(rows[t], before, codes[t], g)
            own = got.isel(date=t) if by is None else got.isel(date=t, group=i)
            np.testing.assert_allclose(
                own.autocorrelation, want, **(SINGLE if x.dtype == np.float32 else TOLERANCE)
            )
            assert int(own.n_obs) == n


UP, PAIRS, DOWN = [1, 2, 3, 4], [2, 1, 4, 3], [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("values", "periods", "want"),
    [
        ([UP, UP, UP, UP], 1, [NAN, 1, 1, 1]),
        ([DOWN, UP, DOWN, UP], 1, [NAN, -1, -1, -1]),
        ([UP, PAIRS, DOWN, UP, PAIRS, DOWN, PAIRS], 3, [NAN, NAN, NAN, 1, 1, 1, 0.6]),
    ],
)
def test_autocorrelation__of_tables_worked_by_hand(values, periods, want):
    got = xf.rank_autocorrelation(table(values), periods=periods).autocorrelation
    np.testing.assert_allclose(got, want, atol=1e-15)


# --- turnover -----------------------------------------------------------------------------------


@given(
    data=st.data(),
    x=strategies.panels(),
    periods=st.integers(1, 3),
    method=st.sampled_from(["pivot", "rank"]),
)
def test_turnover__equals_the_naive_sets(data, x, periods, method):
    by = data.draw(st.none() | drawn.groups(x))
    where = data.draw(drawn.masks(x))
    got = xf.quantile_turnover(x, bins=3, method=method, periods=periods, by=by, where=where)
    label = xf.qcut(x, 3, method=method, by=by, where=where)
    label = label.transpose("date", "asset").values
    codes = drawn.code_rows(by, x)
    for t in range(len(label)):
        before = label[t - periods] if t >= periods else np.full(label.shape[1], -1)
        for i, g in enumerate(drawn.CODES if by is not None else (0,)):
            own = [j for j in range(label.shape[1]) if by is None or codes[t][j] == g]
            want = oracles.turnover(label[t][own], before[own], 3)
            cell = got.isel(date=t) if by is None else got.isel(date=t, group=i)
            np.testing.assert_allclose(cell.turnover, want)
            np.testing.assert_array_equal(
                cell.n_obs, [(label[t][own] == b).sum() for b in range(3)]
            )
            whole = len(own) if by is not None else x.sizes["asset"]
            assert int(cell.n_obs.sum() + cell.n_dropped.sum()) == whole


@pytest.mark.parametrize(
    ("values", "bucket", "want"),
    [
        ([UP, DOWN, UP, UP], 3, [NAN, 1, 1, 0]),
        ([UP, UP, UP, UP], 2, [NAN, 0, 0, 0]),
        ([UP, DOWN, UP, DOWN], 1, [NAN, 1, 1, 1]),
    ],
)
def test_turnover__of_tables_worked_by_hand(values, bucket, want):
    got = xf.quantile_turnover(table(values), bins=4)
    np.testing.assert_array_equal(got.turnover.sel(bucket=bucket), want)
    np.testing.assert_allclose(got["mean"].sel(bucket=bucket), np.mean(want[1:]))


def test_turnover__needs_an_earlier_date_with_names():
    got = xf.quantile_turnover(table([UP, [NAN] * 4, UP, [1, 2, NAN, NAN]]), bins=2)
    np.testing.assert_array_equal(got.turnover, [[NAN] * 2, [NAN] * 2, [NAN] * 2, [0, 1]])


# --- coverage -----------------------------------------------------------------------------------


@given(data=st.data(), x=strategies.panels())
def test_coverage__counts_signals_in_the_universe(data, x):
    by = data.draw(st.none() | drawn.groups(x))
    masks = {k: data.draw(drawn.masks(x)) for k in ("where", "listed", "stale")}
    got = xf.coverage(x, by=by, **masks)
    wide = {
        k: np.full(drawn.rows(x).shape, k != "stale")
        if m is None
        else m.broadcast_like(x).transpose("date", "asset").values
        for k, m in masks.items()
    }
    universe = wide["where"] & wide["listed"]
    known = universe & np.isfinite(drawn.rows(x)) & ~wide["stale"]
    codes = drawn.code_rows(by, x)
    for i, g in enumerate(drawn.CODES if by is not None else (0,)):
        own = got if by is None else got.isel(group=i)
        group = np.ones_like(known) if by is None else np.array(codes) == g
        n, whole = (known & group).sum(axis=1), (universe & group).sum(axis=1)
        with np.errstate(invalid="ignore"):
            share = np.where(whole > 0, n / whole, NAN)
        np.testing.assert_array_equal(own.coverage, share)
        np.testing.assert_array_equal(own.n_obs, n)
        total = own.n_obs + own.n_dropped.sum("reason")
        np.testing.assert_array_equal(total, group.sum(axis=1))


# --- events -------------------------------------------------------------------------------------


@given(data=st.data(), x=strategies.panels(max_dates=12), least=st.sampled_from([1, 2]))
def test_events__equal_the_naive_loops(data, x, least):
    r = data.draw(drawn.after(x))
    by = data.draw(st.none() | drawn.groups(x))
    before, after = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 3))
    options = {"before": before, "after": after, "bins": 2, "by": by}
    got = xf.event_returns(x, r, **options)
    label = xf.qcut(x, 2, by=by).transpose("date", "asset").values.tolist()
    rows = drawn.rows(r).tolist()
    close = SINGLE if x.dtype == np.float32 else TOLERANCE
    for t in range(len(rows)):
        for b in range(2):
            want = [oracles.event(label, rows, t, e, b) for e in range(-before, after + 1)]
            cell = got.isel(date=t, bucket=b)
            np.testing.assert_allclose(cell.returns, [w[0] for w in want], **close)
            np.testing.assert_allclose(cell.cumulative_returns, [w[1] for w in want], **close)
    out = got.n_dropped.sum([d for d in got.n_dropped.dims if d != "date"])
    in_groups = [r.count(-1) for r in label]
    if by is not None:  # those of no group are in no account
        none = ~np.isin(np.array(drawn.code_rows(by, x)), drawn.CODES)
        in_groups = (np.array(label) == -1).sum(axis=1) - none.sum(axis=1)
    np.testing.assert_array_equal(out, in_groups)
    lazy = data.draw(strategies.chunked(x))
    cut = xf.event_returns(lazy, r.chunk(lazy.chunksizes), **options)
    contracts.assert_same_bits(cut.compute(), got)
    some = xf.event_returns(x, r, min_names=least, **options)
    enough = got.n_obs >= least
    np.testing.assert_array_equal(some.returns, got.returns.where(enough))
    np.testing.assert_array_equal(some.n_obs, got.n_obs.where(enough, 0))


def test_events__of_prices_that_halve():
    """A held at 1/2 a date, B level: a table worked by hand."""
    x = xr.DataArray([[1.0, 0.0]] * 7, dims=("date", "asset"))
    r = xr.DataArray([[-0.5, 0.0]] * 7, dims=("date", "asset"))
    got = xf.event_returns(x, r, before=1, after=2, bins=2)
    np.testing.assert_allclose(got.cumulative_mean, [[0, 0, 0, 0], [1.0, 0.0, -0.5, -0.75]])
    np.testing.assert_allclose(got["mean"].sel(bucket=1), -0.5)
    np.testing.assert_array_equal(got.n_dates.sel(bucket=1), [6, 7, 6, 5])


def test_events__of_ruin_and_gaps():
    x = xr.DataArray(np.ones((4, 1)), dims=("date", "asset"))
    r = xr.DataArray([[0.1], [-1.0], [0.3], [NAN]], dims=("date", "asset"))
    got = xf.event_returns(x, r, before=0, after=3, bins=[0, 0.5, 1]).cumulative_returns
    got = got.sel(bucket=0)
    np.testing.assert_allclose(got[0], [0.0, -1.0, -1.0, NAN])
    np.testing.assert_allclose(got[1], [0.0, 0.3, NAN, NAN], rtol=1e-12)
    np.testing.assert_allclose(got[3], [0.0, NAN, NAN, NAN])


def test_events__read_ahead_and_the_leak_check_says_so():
    rng = np.random.default_rng(0)
    noise = {k: (("date", "asset"), rng.normal(size=(40, 9))) for k in ("signal", "returns")}
    data = xr.Dataset(noise, coords={"date": pd.date_range("2020-01-01", periods=40)})

    def around(p, **options):
        got = xf.event_returns(p.signal, 0.01 * p.returns, bins=3, **options)
        return got[["returns", "cumulative_returns"]]

    with pytest.raises(LookaheadError):
        check_no_lookahead(lambda p: around(p, after=2), data)
    check_no_lookahead(lambda p: around(p, before=2, after=0), data)


# --- all of them --------------------------------------------------------------------------------

FUNCTIONS = [
    xf.rank_autocorrelation,
    lambda x, **o: xf.quantile_turnover(x, bins=3, **o),
    xf.coverage,
]


@given(data=st.data(), x=strategies.panels(), which=st.sampled_from(range(3)))
def test_persistence__is_the_same_bit_for_bit_whatever_the_chunks(data, x, which):
    by = data.draw(st.none() | drawn.groups(x))
    where = data.draw(drawn.masks(x))
    want = FUNCTIONS[which](x, by=by, where=where)
    got = FUNCTIONS[which](data.draw(strategies.chunked(x)), by=by, where=where)
    assert got.n_obs.chunks is not None
    contracts.assert_same_bits(got.compute(), want)


def test_persistence__is_lazy(panel, raise_if_computes):
    x, by = panel["close"].chunk(date=5), panel["sector"].chunk(date=5)
    with raise_if_computes():
        results = [f(x, by=by) for f in FUNCTIONS]
        results.append(xf.event_returns(x, x, before=2, after=7, bins=3, by=by))
    for result in results:
        lazy = [v for k, v in result.data_vars.items() if k != "n_universe"]
        assert all(v.chunks is not None for v in lazy)


def test_persistence__errors_say_what_to_do(panel):
    x = panel["close"]
    calls = [
        (lambda: xf.rank_autocorrelation(x, periods=0), "periods=0"),
        (lambda: xf.quantile_turnover(x, periods=-1), "periods=-1"),
        (lambda: xf.quantile_turnover(x, bins=1), "at least two buckets"),
        (lambda: xf.coverage(x.isel(asset=0)), "'asset'"),
        (lambda: xf.rank_autocorrelation(x.isel(date=slice(None, None, -1))), "not sorted"),
        (lambda: xf.event_returns(x, x, before=-1), "before=-1"),
        (lambda: xf.event_returns(x, x.isel(asset=slice(2))), "returns has 2 labels"),
        (lambda: xf.event_returns(x.expand_dims("event"), x), "'event'"),
    ]
    for call, text in calls:
        with pytest.raises(xf.PanelError, match=text):
            call()
