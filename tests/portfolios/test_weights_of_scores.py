"""Weights of buckets and of whole rankings against naive loops and tables made by hand."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.portfolios import oracles_sorts as twins
from xfactor import testing

NAN = np.nan
DIMS = ("date", "asset")
SECTOR = [0, 0, 1, 1, 1]
NONE = [0] * 5

# As alphalens defines them, worked by hand: scores, groups, options, weights.
WEIGHTS = [
    ([1, 2, 3, 6, NAN], NONE, {}, [-2 / 6, -1 / 6, 0, 3 / 6, NAN]),
    ([1, 2, 3, 4, 5], NONE, {}, [-2 / 6, -1 / 6, 0, 1 / 6, 2 / 6]),
    ([1, 2, 3, 4, 5], NONE, {"method": "equal"}, [-0.25, -0.25, 0, 0.25, 0.25]),
    ([9, 1, 2, 5, NAN], NONE, {"method": "equal"}, [0.25, -0.25, -0.25, 0.25, NAN]),
    # Equal scores at the median have no side; what is left shares half of the whole.
    ([1, 2, 2, 2, 9], NONE, {"method": "equal"}, [-0.5, 0, 0, 0, 0.5]),
    ([1, 2, 2, 8, 9], NONE, {"method": "equal"}, [-0.5, 0, 0, 0.25, 0.25]),
    ([3, 3, 3, 4, NAN], NONE, {"method": "equal"}, [0, 0, 0, 1, NAN]),
    ([1, 3, 10, 20, 30], SECTOR, {}, [-0.25, 0.25, -0.25, 0, 0.25]),
    ([1, 3, 10, 20, 60], SECTOR, {}, [-0.25, 0.25, -1 / 6, -1 / 12, 0.25]),
    ([1, 3, 10, 20, 60], SECTOR, {"method": "equal"}, [-0.25, 0.25, -0.25, 0, 0.25]),
    ([1, 3, 1, 1, 2], NONE, {"demeaned": False}, [1 / 8, 3 / 8, 1 / 8, 1 / 8, 2 / 8]),
    ([1, 3, 1, 1, 2], SECTOR, {"demeaned": False}, [1 / 8, 3 / 8, 1 / 8, 1 / 8, 2 / 8]),
    ([1, -3, 1, 1, 2], NONE, {"demeaned": False}, [1 / 8, -3 / 8, 1 / 8, 1 / 8, 2 / 8]),
    ([4, -3, 1, 1, 2], NONE, {"demeaned": False, "method": "equal"}, [0.2, -0.2, 0.2, 0.2, 0.2]),
    # Ranks 1, 2.5, 2.5, 4 lie 1.5, 0, 0, 1.5 from their mean.
    ([1, 5, 5, 700, NAN], NONE, {"method": "rank"}, [-0.5, 0, 0, 0.5, NAN]),
    ([1, 2, 30, 400, 5000], NONE, {"method": "rank"}, [-1 / 3, -1 / 6, 0, 1 / 6, 1 / 3]),
    # Nothing to tell apart: a group, or a date, without weights.
    ([7, 7, 10, 20, 30], SECTOR, {}, [NAN, NAN, -0.5, 0, 0.5]),
    ([7, 7, 7, 7, NAN], NONE, {}, [NAN] * 5),
    ([0.1] * 5, NONE, {"method": "rank"}, [NAN] * 5),
    ([1, NAN, 10, np.inf, 30], SECTOR, {}, [NAN, NAN, -0.5, NAN, 0.5]),
    ([1, 3, 10, 20, 30], [0, 0, -1, -1, -1], {}, [-0.5, 0.5, NAN, NAN, NAN]),
]


@pytest.mark.parametrize(("scores", "groups", "options", "weights"), WEIGHTS)
def test_factor_weights__worked_by_hand(scores, groups, options, weights):
    x = xr.DataArray([scores], dims=DIMS).astype(float)
    by = None if groups is NONE else xr.DataArray(groups, dims="asset")
    got = xf.factor_weights(x, by=by, **options)
    np.testing.assert_allclose(got[0], weights, rtol=1e-12, atol=1e-15)


options_of_scores = st.fixed_dictionaries(
    {"method": st.sampled_from(["signal", "rank", "equal"]), "demeaned": st.booleans()}
)


@given(x=strategies.panels(), options=options_of_scores, data=st.data())
def test_factor_weights__equals_the_naive_loop_whatever_the_chunks(x, options, data):
    by, mask = (data.draw(st.none() | s(x)) for s in (strategies.codes, strategies.masks))
    got = xf.factor_weights(x, by=by, where=mask, **options)
    assert got.dims == x.dims
    assert got.dtype == x.dtype
    rows = x if mask is None else x.where(mask)
    rows = rows.transpose(*DIMS).values.astype(float).tolist()
    groups = [[0] * x.sizes["asset"]] * len(rows)
    if by is not None:
        groups = by.broadcast_like(x).transpose(*DIMS).values.tolist()
    want = [twins.factor_weights(r, g, **options) for r, g in zip(rows, groups, strict=True)]
    np.testing.assert_allclose(
        got.transpose(*DIMS), want, rtol=1e-5, atol=2e-7 if x.dtype == np.float32 else 1e-8
    )
    lazy = data.draw(strategies.chunked(x))
    cut = xf.factor_weights(lazy, by=by, where=mask, **options)
    assert cut.chunks is not None
    contracts.assert_same_bits(cut.compute(), got)


@given(x=strategies.panels(any_order=False), options=options_of_scores)
def test_factor_weights__are_neutral_and_of_gross_exposure_one(x, options):
    w = xf.factor_weights(x.astype(float), **options)
    known = w.notnull().any("asset")
    np.testing.assert_allclose(abs(w).sum("asset"), known.astype(float), rtol=1e-9)
    if options["demeaned"] and options["method"] != "equal":
        np.testing.assert_allclose(w.sum("asset"), 0.0, atol=1e-7)


def test_factor_weights__sees_no_future(panel):
    testing.check_no_lookahead(
        lambda p: xf.factor_weights(p["close"], by=p["sector"], where=p["listed"]), panel
    )


def test_factor_weights__errors_say_what_to_do(panel):
    with pytest.raises(xf.PanelError, match="method='value' is unknown"):
        xf.factor_weights(panel["close"], method="value")
    with pytest.raises(xf.PanelError, match="demeaned=1 was given"):
        xf.factor_weights(panel["close"], demeaned=1)
    with pytest.raises(TypeError, match="takes a DataArray"):
        xf.factor_weights(panel)
    with pytest.raises(TypeError, match="by has dtype float64"):
        xf.factor_weights(panel["close"], by=panel["close"])


# --- portfolio_weights ----------------------------------------------------------------------------


def leg(cells, chosen, sizes, share):
    own = [j for j, c in enumerate(cells) if c in chosen and sizes[j] > 0]
    raw = [sizes[j] for j in own]
    raw = twins.limit_share(raw, share) if share is not None and own else raw
    return {j: w / sum(raw) for j, w in zip(own, raw, strict=True)}


def naive(labels, long, short, sizes, share, least):
    """Weights of one date."""
    sizes = [s if math.isfinite(s) else 0.0 for s in sizes]
    legs = [leg(labels, long, sizes, share), leg(labels, short, sizes, share)]
    if len(legs[0]) < least or (short and len(legs[1]) < least):
        return [NAN] * len(labels)
    out = [0.0 if c >= 0 and s > 0 else NAN for c, s in zip(labels, sizes, strict=True)]
    for sign, own in zip((1, -1), legs, strict=True):
        for j, w in own.items():
            out[j] = sign * w
    return out


LEGS = [([2], [0]), ([1, 2], [0]), ([2], []), ([7], [0]), ([0, 1, 2], [])]


@given(x=strategies.panels(), legs=st.sampled_from(LEGS), data=st.data())
def test_portfolio_weights__equals_the_naive_loop_whatever_the_chunks(x, legs, data):
    long, short = legs
    mask = data.draw(st.none() | strategies.masks(x))
    labels = xf.qcut(x, 3)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    sizes = x.copy(data=rng.choice([1.0, 3.0, 9.5, 1e3, 0.0, NAN, np.inf], x.shape))
    options = {"min_names": data.draw(st.integers(1, 3))}
    share = None
    if data.draw(st.booleans()):
        share = options["max_share"] = data.draw(st.sampled_from([0.2, 0.4, 0.75, 1.0]))
    else:
        sizes = data.draw(st.sampled_from([sizes, None]))
    got = xf.portfolio_weights(
        labels, long=long, short=short or None, sizes=sizes, where=mask, **options
    )
    assert got.dims == x.dims
    ones = xr.ones_like(x, dtype=float) if sizes is None else sizes
    own = labels if mask is None else labels.where(mask, -1)
    rows = [a.transpose(*DIMS).values.tolist() for a in (own, ones)]
    want = [naive(c, long, short, s, share, options["min_names"]) for c, s in zip(*rows,
            strict=True)]  # fmt: skip
    np.testing.assert_allclose(got.transpose(*DIMS), want, rtol=1e-9)
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"])), "asset": -1}
    lazy = xf.portfolio_weights(
        labels.chunk(cut), long=long, short=short or None, where=mask, **options,
        sizes=None if sizes is None else sizes.chunk(cut),
    )  # fmt: skip
    assert lazy.chunks is not None
    contracts.assert_same_bits(lazy.compute(), got)


def test_portfolio_weights__earns_what_the_sort_does():
    """Two roads to the same number: weights of buckets, and the returns of the sort."""
    x = strategies.fixed_panel(shape=(30, 40))
    rng = np.random.default_rng(0)
    r = x.copy(data=np.where(rng.random(x.shape) < 0.1, NAN, rng.normal(size=x.shape)))
    cap = x.copy(data=rng.lognormal(0, 2, x.shape))
    for options in ({}, {"max_share": 0.2}, {"max_size": 0.7}):
        sort = xf.quantile_portfolios(x, r, 4, weights="value", sizes=cap, **options)
        w = xf.portfolio_weights(xf.qcut(x, 4), long=3, short=0, sizes=cap, **options)
        got = xf.portfolio_returns(w, r)
        known = sort["spread"].notnull()
        assert int(known.sum()) > 20
        np.testing.assert_allclose(got.where(known), sort["spread"], rtol=1e-9, atol=1e-12)


def test_portfolio_weights__sees_no_future_and_is_lazy(panel, raise_if_computes):
    def weights(p):
        return xf.portfolio_weights(
            xf.qcut(p["close"], 3), long=2, short=[0, 1], sizes=p["weight"], max_share=0.5,
            max_size=0.8, where=p["listed"], breakpoints_from=p["listed"],
        )  # fmt: skip

    testing.check_no_lookahead(weights, panel)
    with raise_if_computes():
        assert weights(panel.chunk(date=4)).chunks is not None


def test_portfolio_weights__errors_say_what_to_do(panel):
    labels = xf.qcut(panel["close"], 3)
    with pytest.raises(TypeError, match="needed buckets"):
        xf.portfolio_weights(panel["close"], long=1)
    for long, short in ((1, 1), ([1, 2], [0, 2]), ([], 1)):
        with pytest.raises(xf.PanelError, match="buckets to hold, and others to sell"):
            xf.portfolio_weights(labels, long=long, short=short)
    with pytest.raises(xf.PanelError, match="long=-1"):
        xf.portfolio_weights(labels, long=-1)
    with pytest.raises(xf.PanelError, match="without sizes"):
        xf.portfolio_weights(labels, long=2, max_size=0.5)
    with pytest.raises(xf.PanelError, match="max_share=2"):
        xf.portfolio_weights(labels, long=2, sizes=panel["close"], max_share=2)


def test_weights__of_many_signals_are_those_of_each():
    x = strategies.fixed_panel()
    many = xr.concat([x, -x, x.where(x > 0)], "signal").assign_coords(signal=["a", "b", "c"])
    cap = abs(x.where(np.isfinite(x), 1.0)) + 1.0
    by = xr.DataArray(np.arange(x.sizes["asset"]) % 3, dims="asset", coords={"asset": x.asset})

    def both(v):
        labels = xf.qcut(v, 3)
        legs = xf.portfolio_weights(labels, long=2, short=0, sizes=cap, max_share=0.4, max_size=0.8)
        return legs, xf.factor_weights(v, by=by)

    for dims in (("signal", "date", "asset"), ("asset", "date", "signal")):
        for got, k in zip(both(many.transpose(*dims)), range(2), strict=True):
            assert got.dims == dims
            for name in "abc":
                want = both(many.sel(signal=name, drop=True))[k]
                one = got.sel(signal=name, drop=True).transpose(*want.dims)
                np.testing.assert_array_equal(one, want)
