"""Turnover by weight and by name: tables by hand, a pandas loop, a peer's rule, laws."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.portfolios.test_rebalance import drawn, table

NAN = np.nan


def naive(weights, returns=None, legs=False):
    """Pandas, date by date: names without a return drift as the rest of their leg."""
    w, out = pd.DataFrame(weights), [NAN]
    for t in range(1, len(w)):
        new, old = w.iloc[t], w.iloc[t - 1].fillna(0.0)
        if returns is not None:
            r = pd.Series(returns[t]).replace([np.inf, -np.inf], NAN)
            level = pd.Series(0.0, old.index)
            total = 0.0
            for leg in (old > 0, old < 0):
                if not leg.any():
                    continue
                known = leg & r.notna()
                mean = (old * r)[known].sum() / old[known].sum() if known.any() else NAN
                r = r.where(r.notna() | ~leg, mean)
                level[leg] = 1 + mean
                total += (old * r)[leg].sum(skipna=False)
            whole = level if legs else pd.Series(1 + total, old.index)
            bad = (whole[old != 0] <= 0).any()
            old = (old * (1 + r) / whole).where(old != 0, 0.0)
            if bad or old.isna().any():
                out.append(NAN)
                continue
        missing = new.isna().all() or w.iloc[t - 1].isna().all()
        out.append(NAN if missing else 0.5 * (new.fillna(0.0) - old).abs().sum())
    return out


@given(seed=st.integers(0, 10**6), legs=st.booleans(), data=st.data())
def test_turnover__equals_the_pandas_loop_whatever_the_chunks(seed, legs, data):
    x = drawn(seed, data.draw(st.integers(1, 30)))
    x["returns"] = x.returns.clip(-0.3, 0.5)
    drift = "legs" if legs else "value"
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"]))}
    for r in (None, x.returns):
        got = xf.turnover(x.weights, r, drift=drift)
        want = naive(x.weights.values, None if r is None else r.values, legs)
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
        lazy = xf.turnover(x.weights.chunk(cut), None if r is None else r.chunk(cut), drift=drift)
        assert lazy.chunks is not None
        contracts.assert_same_bits(lazy.compute(), got)


def test_turnover__by_hand():
    """Half of 1, half of -1; a leg's name doubles: 0.5 becomes 2/3 of 1.5 in the account."""
    w = table([[0.5, 0.5, -1.0], [0.5, 0.5, -1.0], [1.0, 0.0, -1.0], [NAN] * 3, [1, 0, 0]])
    np.testing.assert_allclose(xf.turnover(w), [NAN, 0, 0.5, NAN, NAN])
    r = table([[9, 9, 9], [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    drifted = np.array([1.0, 0.5, -1.0]) / 1.5
    by_value = 0.5 * np.abs(w.values[1] - drifted).sum()
    np.testing.assert_allclose(xf.turnover(w, r), [NAN, by_value, 0.5, NAN, NAN])
    by_leg = 0.5 * (1 / 6 + 1 / 6)
    np.testing.assert_allclose(xf.turnover(w, r, drift="legs"), [NAN, by_leg, 0.5, NAN, NAN])


@pytest.mark.parametrize("drift", ["value", "legs"])
def test_turnover__of_what_is_held_is_what_rebalancing_trades(drift):
    """Of weights held (lag 0), and of the same weights as known the evening before (lag 1)."""
    data = drawn(3)
    w = data.weights.fillna(0.0).where(lambda w: (w != 0).any("asset"), 0.1)
    r = data.returns.clip(-0.3, 0.5).where(np.isfinite(data.returns), 0.0)
    held = xf.rebalance(w, r, when="monthly", drift=drift)
    assert int((held.turnover > 0.01).sum()) >= 5
    bought = int(np.argmax(held.gross.notnull().values))
    got = xf.turnover(held.held, r, lag=0, drift=drift)[bought + 1 :]
    np.testing.assert_allclose(got, held.turnover[bought + 1 :], atol=1e-14)
    daily = xf.rebalance(w, r, when="daily", drift=drift)
    np.testing.assert_allclose(xf.turnover(w, r, drift=drift)[1:-1], daily.turnover[2:], rtol=1e-11)


def test_turnover__of_an_exchange_is_one_for_each_leg():
    w = table([[1, 0, -1, 0], [0, 1, 0, -1]])
    assert float(xf.turnover(w)[1]) == 2.0
    assert float(xf.turnover(w.clip(0))[1]) == 1.0


def test_turnover__buy_and_hold_has_none():
    """The weights of a portfolio that is never traded."""
    rng = np.random.default_rng(4)
    r = table(rng.normal(0, 0.1, (30, 5)))
    wealth = (1 + r).cumprod("date")
    got = xf.turnover(wealth / wealth.sum("asset"), r)
    np.testing.assert_allclose(got[1:], 0.0, atol=1e-15)
    assert float(xf.turnover(wealth / wealth.sum("asset"))[1]) > 0.01


# --- names --------------------------------------------------------------------------------------


def quantile_turnover(codes, bucket, periods):
    """The rule of alphalens: names now that were not there `periods` dates ago, over those now."""
    sets = [set(np.flatnonzero(row == bucket)) for row in codes]
    out = [NAN] * min(periods, len(sets))
    for now, past in zip(sets[periods:], sets[:-periods], strict=False):
        out.append(len(now - past) / len(now) if now and past else NAN)
    return out


@given(x=strategies.panels(), periods=st.integers(1, 4), data=st.data())
def test_name_turnover__equals_the_loop_over_sets_for_all_buckets_at_once(x, periods, data):
    codes = xf.qcut(x, 3)
    buckets = xr.DataArray(range(3), dims="bucket", coords={"bucket": range(3)})
    got = xf.name_turnover(codes == buckets, periods)
    rows = codes.transpose("date", "asset").values
    for k in range(3):
        np.testing.assert_array_equal(got.sel(bucket=k), quantile_turnover(rows, k, periods))
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"]))}
    lazy = xf.name_turnover(xf.qcut(x.chunk(cut), 3) == buckets, periods)
    assert lazy.chunks is not None
    contracts.assert_same_bits(lazy.compute(), got)


def test_name_turnover__of_four_names_by_hand():
    """Names 0 and 1, then 1 and 2, then 1 and 2 again, then none, then 3."""
    held = [[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    members = table(held) > 0
    np.testing.assert_array_equal(xf.name_turnover(members), [NAN, 0.5, 0, NAN, NAN])
    np.testing.assert_array_equal(xf.name_turnover(members, 2), [NAN, NAN, 0.5, NAN, 1])


# --- both ---------------------------------------------------------------------------------------


def test_turnover__loops_over_further_dims_and_is_lazy(raise_if_computes):
    data = drawn(5)
    x = xr.concat([data.weights, -data.weights], "signal").transpose("date", "signal", "asset")
    got = xf.turnover(x, data.returns)
    np.testing.assert_array_equal(got[:, 1], xf.turnover(-data.weights, data.returns))
    assert xf.turnover(x.astype(np.float32)).dtype == np.float32
    with raise_if_computes():
        assert xf.turnover(x.chunk(date=9), data.returns.chunk(date=9)).chunks is not None
        assert xf.name_turnover(x.chunk(date=9) > 0).chunks is not None


def test_turnover__reads_the_past_only():
    data = drawn(6)
    xf.testing.check_no_lookahead(
        lambda x: {
            "kept": xf.turnover(x.weights),
            "drifted": xf.turnover(x.weights, x.returns),
            "held": xf.turnover(x.weights, x.returns, lag=0, drift="legs"),
            "names": xf.name_turnover(x.weights > 0, 2),
        },
        data,
    )


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("lazy", [True, False])
def test_turnover__takes_no_dates_and_no_assets(shape, lazy):
    x = xr.DataArray(np.zeros(shape), dims=("date", "asset"))
    x = x.chunk(date=-1) if lazy else x
    assert bool(xf.turnover(x, x).isnull().all())
    assert bool(xf.name_turnover(x == 0).isnull().all())


def test_turnover__errors_say_what_to_do():
    data = drawn(7)
    with pytest.raises(xf.PanelError, match="lag=2 was given; needed 0 or 1"):
        xf.turnover(data.weights, data.returns, lag=2)
    w = xr.DataArray(np.eye(3), dims=("date", "asset"))
    with pytest.raises(xf.PanelError, match="weights has 2 labels along 'date' and returns has 3"):
        xf.turnover(w[:2], w)
    with pytest.raises(xf.PanelError, match="drift='none'"):
        xf.turnover(data.weights, drift="none")
    with pytest.raises(xf.PanelError, match="needed 'date'"):
        xf.turnover(data.weights[0])
    with pytest.raises(xf.PanelError, match="not sorted"):
        xf.turnover(data.weights[::-1])
    with pytest.raises(TypeError, match="needed bool"):
        xf.name_turnover(data.weights)
    with pytest.raises(xf.PanelError, match="periods=0"):
        xf.name_turnover(data.weights > 0, 0)
