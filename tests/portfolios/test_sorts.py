"""Sorts into portfolios against naive loops, their contracts and laws, and tables made by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests import contracts, strategies
from tests.portfolios import oracles_sorts as twins
from xfactor import testing

NAN = np.nan
VARIABLES = ("returns", "n_names", "n_obs", "n_dropped", "spread")
few = settings(max_examples=settings().max_examples // 2)


def beside(x, seed, choices=(0.01, -0.02, 0.5, 0.0, NAN, np.inf)):
    """Values with the labels of x from a seed: some of a few choices, the others noise."""
    rng = np.random.default_rng(seed)
    v = np.where(rng.random(x.shape) < 0.3, rng.choice(choices, x.shape), rng.normal(size=x.shape))
    return x.copy(data=v.astype(x.dtype)).drop_attrs()


def whole(mask, x):
    """A mask, or codes, as lists of the shape (date, asset)."""
    return mask.broadcast_like(x).transpose("date", "asset").values.tolist()


def naive(xs, returns, *, lag, sizes=None, where=None, breakpoints_from=None, by=None, **options):
    """The twin on every date: arrays (date, ...) of returns, names, entered, dropped."""
    rows = [x.transpose("date", "asset").values.astype(float).tolist() for x in (*xs, returns)]
    more = {"inside": where, "breakpoints": breakpoints_from, "groups": by, "sizes": sizes}
    more = {k: whole(v, xs[0]) for k, v in more.items() if v is not None}
    blank = [NAN] * returns.sizes["asset"]
    names = list(returns["asset"].values)
    done = []
    past = [twins.lagged(x, lag, blank) for x in rows[:-1]]
    for t, r in enumerate(rows[-1]):
        known = t >= lag  # nothing is known of the dates before the first
        own = {k: v[t - lag] for k, v in more.items()} if known else {}
        if "sizes" in more:
            own.setdefault("sizes", blank)
        done.append(twins.sort_date([x[t] for x in past], r, names, **own, **options))
    return [np.array(part, dtype=float) for part in zip(*done, strict=True)]


def assert_sort(got, want, dims, scale):
    mean, names, entered, dropped = want
    n = got.sizes["date"]
    shape = got["returns"].transpose("date", *dims).shape
    contracts.assert_values(
        got["returns"].transpose("date", *dims),
        xr.DataArray(mean.reshape(shape), dims=("date", *dims)),
        scale,
    )
    np.testing.assert_array_equal(got["n_names"].transpose("date", *dims).values.reshape(n, -1),
                                  names)  # fmt: skip
    np.testing.assert_array_equal(got["n_obs"], entered)
    np.testing.assert_array_equal(got["n_dropped"].transpose("date", "reason"), dropped)


choices = st.fixed_dictionaries(
    {
        "bins": st.sampled_from([1, 2, 3, 7, [0, 0.3, 0.7, 1]]),
        "method": st.sampled_from(["pivot", "ecdf", "rank"]),
        "min_names": st.integers(1, 3),
        "lag": st.integers(0, 2),
        "weights": st.sampled_from(["equal", "value", "signal"]),
        "max_share": st.sampled_from([None, 0.2, 0.5]),
    }
)


@given(x=strategies.panels(), options=choices, data=st.data())
def test_quantile_portfolios__equals_the_naive_loop(x, options, data):
    seed = data.draw(st.integers(0, 999))
    more = {"where": data.draw(st.none() | strategies.masks(x))}
    more["by"] = data.draw(st.none() | strategies.codes(x))
    if options["method"] != "rank":
        more["breakpoints_from"] = data.draw(st.none() | strategies.masks(x))
    if options["weights"] == "value":
        more["sizes"] = abs(beside(x, seed + 1, (0.0, 1.0, 1e4, NAN, np.inf)))
    if options["weights"] == "equal":
        options = {**options, "max_share": None}
    returns = beside(x, seed)
    got = xf.quantile_portfolios(x, returns, **options, **more)
    options = dict(options)
    weights = options.pop("weights")
    want = naive(
        [x], returns, bins=[options.pop("bins")], least=options.pop("min_names"),
        share=options.pop("max_share"), signal=weights == "signal", **options, **more,
    )  # fmt: skip
    if weights == "signal":
        # Whether the name at the mean has no weight, or 1e-17, is chance; alone in its bucket it
        # is a return or none. Short of that both agree.
        alone = got["n_names"].transpose("date", "bucket").values <= 1
        a = got["returns"].transpose("date", "bucket").values
        ok = ~alone & np.isfinite(a) & np.isfinite(want[0])
        single = x.dtype == np.float32
        np.testing.assert_allclose(
            a[ok], want[0][ok], rtol=1e-3 if single else 1e-6, atol=2e-2 if single else 1e-6
        )
        np.testing.assert_array_equal(got["n_names"].transpose("date", "bucket").values, want[1])
        return
    assert_sort(got, want, ("bucket",), contracts.size_of(returns))


@given(x=strategies.panels(), options=choices, data=st.data())
def test_quantile_portfolios__accounts_for_every_asset(x, options, data):
    returns = beside(x, data.draw(st.integers(0, 999)))
    mask = data.draw(st.none() | strategies.masks(x))
    options = {**options, "weights": "equal", "max_share": None}
    got = xf.quantile_portfolios(x, returns, where=mask, **options)
    total = got["n_obs"] + got["n_dropped"].sum("reason")
    np.testing.assert_array_equal(total, np.full(x.sizes["date"], x.sizes["asset"]))
    entered = got["n_names"].where(got["returns"].notnull()).sum("bucket")
    np.testing.assert_array_equal(entered, got["n_obs"])
    assert list(got["n_dropped"]["reason"].values) == list(twins.REASONS)


@few
@given(x=strategies.panels(), options=choices, data=st.data())
def test_quantile_portfolios__is_the_same_bit_for_bit_whatever_the_chunks(x, options, data):
    seed = data.draw(st.integers(0, 999))
    mask, by = (data.draw(st.none() | s(x)) for s in (strategies.masks, strategies.codes))
    sizes = None
    if options["weights"] == "value":
        sizes = abs(beside(x, seed + 1, (0.0, 1.0, 1e4, NAN)))
        options = {**options, "max_size": 0.8}
    if options["weights"] == "equal":
        options = {**options, "max_share": None}
    returns = beside(x, seed)
    want = xf.quantile_portfolios(x, returns, sizes=sizes, where=mask, by=by, **options)
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"])), "asset": -1}
    lazy = None if sizes is None else sizes.chunk(cut)
    got = xf.quantile_portfolios(
        x.chunk(cut), returns.chunk(cut), sizes=lazy, where=mask, by=by, **options
    )
    assert all(got[name].chunks is not None for name in VARIABLES)
    contracts.assert_same_bits(got.compute(), want)


@pytest.mark.parametrize("lag", [0, 1])
def test_quantile_portfolios__is_what_pandas_groups_give(lag):
    """A peer: qcut and groupby of pandas on values whose edges are exact."""
    rng = np.random.default_rng(0)
    x = strategies.fixed_panel(shape=(30, 41))
    x = x.copy(data=rng.permuted(np.tile(np.arange(41.0), (30, 1)), axis=1))
    r = x.copy(data=rng.normal(size=x.shape))
    got = xf.quantile_portfolios(x, r, 5, lag=lag)
    for t in range(lag, 30):
        label = pd.qcut(x.values[t - lag], 5, labels=False)
        want = pd.Series(r.values[t]).groupby(label).mean()
        np.testing.assert_allclose(got["returns"][t], want, rtol=1e-12)
        assert got["spread"][t] == pytest.approx(want[4] - want[0])


# Two groups, returns over the next period, as alphalens lays them out: factor quantiles counted
# from 1 there. Means by quantile worked by hand.
SCORES = [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, NAN, 8.0], [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]]
AHEAD = [[0.1, 0.3, -0.1, 0.1, 0.2, 0.4, 0.9, NAN], [0.0, 0.2, 0.1, 0.3, 0.5, -0.1, 0.2, 0.4]]
GROUP = [0, 0, 1, 1, 0, 0, 1, 1]
MEANS = [  # bins, by group, date, bucket: mean
    (2, False, 0, [0.1, 0.3]),
    (2, False, 1, [0.25, 0.15]),
    (2, True, 0, [(0.1 + 0.3 - 0.1 + 0.1) / 4, 0.3]),
    (2, True, 1, [(0.5 - 0.1 + 0.2 + 0.4) / 4, (0.0 + 0.2 + 0.1 + 0.3) / 4]),
    (4, False, 1, [0.3, 0.2, 0.2, 0.1]),
]


@pytest.mark.parametrize(("bins", "grouped", "date", "means"), MEANS)
def test_quantile_portfolios__means_worked_by_hand(bins, grouped, date, means):
    x = xr.DataArray(SCORES, dims=("date", "asset"))
    r = xr.DataArray(AHEAD, dims=("date", "asset"))
    by = xr.DataArray(GROUP, dims="asset") if grouped else None
    got = xf.quantile_portfolios(x, r, bins, lag=0, by=by)
    np.testing.assert_allclose(got["returns"][date], means, rtol=1e-12)


def test_quantile_portfolios__weights_worked_by_hand():
    dims = ("date", "asset")
    x = xr.DataArray([[1.0, 2.0, 3.0, 4.0]], dims=dims)
    r = xr.DataArray([[0.1, 0.2, 0.3, 0.4]], dims=dims)
    cap = xr.DataArray([[1.0, 3.0, 9.0, 1.0]], dims=dims)

    def means(**options):
        return xf.quantile_portfolios(x, r, 2, lag=0, **options)["returns"].values[0]

    value = {"weights": "value", "sizes": cap}
    np.testing.assert_allclose(means(**value), [0.175, 0.31])
    # 9 of 10 is pulled to 60 %: 1.5 beside 1.
    np.testing.assert_allclose(means(**value, max_share=0.6), [0.16, 0.6 * 0.3 + 0.4 * 0.4])
    np.testing.assert_allclose(means(**value, max_share=0.5), [0.15, 0.35])
    # The median size is 2: sizes 1, 2, 2, 1.
    np.testing.assert_allclose(means(**value, max_size=0.5), [0.5 / 3, 1 / 3])
    # That of the first and the last name is 1: equal weights.
    nyse = xr.DataArray([True, False, False, True], dims="asset")
    got = xf.portfolio_weights(
        xf.qcut(x, 1), long=0, sizes=cap, max_size=0.5, breakpoints_from=nyse
    )
    np.testing.assert_allclose(got, [[0.25] * 4])
    # Distances 1.5, 0.5, 0.5, 1.5 from the mean of 2.5.
    np.testing.assert_allclose(means(weights="signal"), [0.125, 0.375])


def test_quantile_portfolios__reasons_worked_by_hand():
    dims = ("date", "asset")
    x = xr.DataArray([[1.0, 2.0, NAN, NAN, 5.0, 6.0, 7.0]] * 2, dims=dims)
    r = xr.DataArray([[NAN] * 7, [0.1, NAN, NAN, 0.2, 0.3, 0.4, 0.5]], dims=dims)
    where = xr.DataArray([True] * 4 + [False, True, True], dims="asset")
    got = xf.quantile_portfolios(x, r, [0, 0.5, 1], where=where, min_names=2)
    # At first nothing was sorted yet, and nothing has a return.
    assert got["n_dropped"][0].values.tolist() == [7, 0, 0, 0, 0]
    # Names 2; 4; 3; 1; and 0, the only one of its bucket that has a return.
    assert got["n_dropped"][1].values.tolist() == [1, 1, 1, 1, 1]
    assert got["n_obs"].values.tolist() == [0, 2]
    assert got["n_names"][1].values.tolist() == [1, 2]
    np.testing.assert_allclose(got["returns"][1], [NAN, 0.45])
    assert np.isnan(got["spread"][1])


def test_quantile_portfolios__of_many_signals_are_those_of_each():
    x = strategies.fixed_panel()
    r, cap = beside(x, 1), abs(beside(x, 2))
    signals = xr.concat([x, -x, x.where(x > 0)], "signal").assign_coords(signal=["a", "b", "c"])
    horizons = xr.concat([r, 2 * r], "horizon").assign_coords(horizon=[1, 5])
    options = {"bins": 3, "weights": "value", "sizes": cap, "max_share": 0.5}
    for dims in (("signal", "date", "asset"), ("date", "asset", "signal")):
        many = signals.transpose(*dims)
        got = xf.quantile_portfolios(many, horizons, **options)
        lazy = xf.quantile_portfolios(
            many.chunk(date=7, signal=2), horizons.chunk(date=7),
            **options | {"sizes": cap.chunk(date=7)},
        )  # fmt: skip
        contracts.assert_same_bits(lazy.compute(), got)
        for s in ("a", "b", "c"):
            for h in (1, 5):
                want = xf.quantile_portfolios(
                    signals.sel(signal=s, drop=True), horizons.sel(horizon=h, drop=True), **options
                )
                one = got.sel(signal=s, horizon=h, drop=True)
                for name in VARIABLES:
                    a = one[name].transpose(*want[name].dims)
                    np.testing.assert_array_equal(a, want[name])


def test_quantile_portfolios__sees_no_future(panel):
    def sort(fields):
        return xf.quantile_portfolios(
            fields["close"], fields["weight"], 2, weights="value", sizes=abs(fields["weight"]),
            where=fields["listed"], by=fields["sector"],
        )  # fmt: skip

    rng = np.random.default_rng(0)
    returns = rng.normal(size=panel["close"].shape)
    testing.check_no_lookahead(sort, panel.assign(weight=(("date", "asset"), returns)))


def test_quantile_portfolios__computes_nothing_when_called(panel, raise_if_computes):
    lazy = panel.chunk(date=5)
    with raise_if_computes():
        got = xf.quantile_portfolios(
            lazy["close"], lazy["weight"], 3, weights="value", sizes=lazy["weight"],
            where=lazy["listed"], by=lazy["sector"], max_share=0.5, max_size=0.9,
        )  # fmt: skip
        assert all(v.chunks is not None for v in got.data_vars.values())
        two = xf.double_sort(lazy[["close", "volume"]], lazy["weight"], 2, dependent=True)
        assert all(v.chunks is not None for v in two.data_vars.values())


def test_quantile_portfolios__edges():
    """All missing, constant, one name, no names, no dates."""
    dims = ("date", "asset")
    x = xr.DataArray([[NAN] * 3, [1.0] * 3, [NAN, 2.0, NAN]], dims=dims)
    r = xr.DataArray([[0.1, 0.2, 0.3]] * 3, dims=dims)
    got = xf.quantile_portfolios(x, r, 2, lag=0)
    np.testing.assert_allclose(got["returns"], [[NAN, NAN], [0.2, NAN], [0.2, NAN]])
    assert got["spread"].isnull().all()
    for shape in ((0, 3), (3, 0)):
        none = xr.DataArray(np.zeros(shape), dims=dims)
        for each in (none, none.chunk(date=-1)):
            done = xf.quantile_portfolios(each, each, 2).compute()
            assert done["returns"].shape == (shape[0], 2)
            assert done["returns"].isnull().all()


def test_quantile_portfolios__keeps_float32(panel):
    r = panel["close"].astype(np.float32)
    assert xf.quantile_portfolios(panel["close"], r, 2)["returns"].dtype == np.float32
    assert xf.quantile_portfolios(r, panel["close"], 2)["returns"].dtype == np.float64


WRONG = [
    ({"weights": "value"}, "no sizes were given"),
    ({"sizes": "close"}, "sizes were given"),
    ({"weights": "cap"}, "weights='cap' is unknown"),
    ({"max_share": 0.2}, "without sizes"),
    ({"weights": "signal", "max_share": 1.5}, "max_share=1.5"),
    ({"weights": "value", "sizes": "close", "max_size": 0}, "max_size=0"),
    ({"lag": -1}, "lag=-1"),
    ({"min_names": 0}, "min_names=0"),
    ({"bins": 0}, "bins=0"),
    ({"bins": (0.7, 0.3)}, "bins="),
    ({"bins": ("a", 1)}, "bins="),
]


@pytest.mark.parametrize(("options", "text"), WRONG)
def test_quantile_portfolios__errors_say_what_to_do(panel, options, text):
    options = {k: panel[v] if k == "sizes" else v for k, v in options.items()}
    with pytest.raises(xf.PanelError, match=text) as refusal:
        xf.quantile_portfolios(panel["close"], panel["close"], **options)
    assert "\n" not in str(refusal.value)


def test_quantile_portfolios__refuses_other_chunks_and_labels(panel):
    x = panel["close"]
    with pytest.raises(xf.PanelError, match="cut differently"):
        xf.quantile_portfolios(x.chunk(date=5), x.chunk(date=6))
    with pytest.raises(xf.PanelError, match=r"Use close.reindex_like\(returns\)"):
        xf.quantile_portfolios(x[::5], x)
    with pytest.raises(xf.PanelError, match="different labels"):
        xf.quantile_portfolios(x, x.isel(asset=slice(None, None, -1)))
    with pytest.raises(TypeError, match="takes a DataArray as returns"):
        xf.quantile_portfolios(x, panel)


# --- double_sort ----------------------------------------------------------------------------------


both = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["pivot", "ecdf", "rank"]),
        "dependent": st.booleans(),
        "min_names": st.integers(1, 2),
        "lag": st.integers(0, 1),
        "max_share": st.sampled_from([None, 0.4]),
    }
)
TWO = [[2, [0, 0.3, 0.7, 1]], [3, 2]]
THREE = [[2, 2, 2], [2, [0, 0.5, 1], 3]]


@given(x=strategies.panels(), options=both, bins=st.sampled_from(TWO + THREE), data=st.data())
def test_double_sort__equals_the_naive_loop(x, options, bins, data):
    seed = data.draw(st.integers(0, 999))
    xs = [x.rename("one"), *[beside(x, seed + k).rename(f"also {k}") for k in range(1, len(bins))]]
    more = {"where": data.draw(st.none() | strategies.masks(x))}
    more["by"] = data.draw(st.none() | strategies.codes(x))
    if options["method"] != "rank":
        more["breakpoints_from"] = data.draw(st.none() | strategies.masks(x))
    if options["max_share"] is not None:
        more["sizes"] = abs(beside(x, seed + 9, (0.0, 1.0, 1e4, NAN)))
    returns = beside(x, seed)
    given_bins = [(0.3, 0.7) if isinstance(b, list) and len(b) == 4 else b for b in bins]
    got = xf.double_sort(xs, returns, given_bins, **options, **more)
    names = [str(a.name) for a in xs]
    own = dict(options)
    want = naive(
        xs, returns, bins=bins, least=own.pop("min_names"), share=own.pop("max_share"), **own,
        **more,
    )  # fmt: skip
    assert_sort(got, want, names, contracts.size_of(returns))
    cut = {"date": data.draw(strategies.cuts(x.sizes["date"])), "asset": -1}
    if "sizes" in more:
        more["sizes"] = more["sizes"].chunk(cut)
    lazy = [a.chunk(cut) for a in xs]
    again = xf.double_sort(lazy, returns.chunk(cut), given_bins, **options, **more)
    contracts.assert_same_bits(again.compute(), got)


def test_double_sort__spread_is_the_mean_over_the_other_buckets():
    x = strategies.fixed_panel(shape=(20, 40))
    other = beside(x, 3).rename("other")
    got = xf.double_sort([x, other], beside(x, 4), [2, 3])
    r = got["returns"]
    np.testing.assert_allclose(
        got["spread"].sel(characteristic="other"),
        ((r[:, 0, 2] - r[:, 0, 0]) + (r[:, 1, 2] - r[:, 1, 0])) / 2,
        rtol=1e-12,
    )
    lacks = r.isnull().any(["field", "other"])
    assert bool(got["spread"].sel(characteristic="field").isnull()[lacks.values].all())
    assert got["spread"].notnull().any()


def test_double_sort__of_one_bucket_each_is_a_quantile_sort():
    x = strategies.fixed_panel()
    alone = xf.quantile_portfolios(x, beside(x, 1), 4)
    pair = xf.double_sort([x, abs(x).rename("other")], beside(x, 1), [4, 1])
    np.testing.assert_array_equal(pair["returns"].isel(other=0), alone["returns"])
    np.testing.assert_array_equal(pair["n_dropped"], alone["n_dropped"])


def test_double_sort__takes_a_dataset_and_sees_no_future(panel):
    fields = panel[["close", "weight"]]
    got = xf.double_sort(fields, panel["close"], 2)
    assert got["returns"].dims == ("date", "close", "weight")
    rng = np.random.default_rng(0)
    returns = rng.normal(size=panel["close"].shape)

    def sort(p):
        return xf.double_sort(p[["close", "weight"]], p["r"], 2, dependent=True)

    testing.check_no_lookahead(sort, panel.assign(r=(("date", "asset"), returns)))


def test_double_sort__errors_say_what_to_do(panel):
    x, y = panel["close"], panel["weight"]
    for wrong in ([x], [x, x], [x, y, x, y], [x, y.rename(None)]):
        with pytest.raises(xf.PanelError, match="two or three"):
            xf.double_sort(wrong, x)
    with pytest.raises(TypeError, match="quantile_portfolios sorts by one"):
        xf.double_sort(x, x)
    with pytest.raises(xf.PanelError, match="for 2 characteristics"):
        xf.double_sort([x, y], x, [2, 3, 4])
    with pytest.raises(xf.PanelError, match="both named 'asset'"):
        xf.double_sort([x, y.rename("asset")], x)
    with pytest.raises(xf.PanelError, match="both named 'reason'"):
        xf.double_sort([x, y.rename("reason")], x)
    with pytest.raises(xf.PanelError, match="found a dimension 'bucket'"):
        xf.quantile_portfolios(x.expand_dims(bucket=2), x)
    with pytest.raises(xf.PanelError, match="bins make 40000 portfolios"):
        xf.double_sort([x, y], x, 200)
    with pytest.raises(xf.PanelError, match="was given without sizes"):
        xf.double_sort([x, y], x, max_share=0.2)


@pytest.mark.parametrize("dependent", [True, False])
def test_double_sort__of_many_signals_are_those_of_each(dependent):
    x = strategies.fixed_panel()
    size, r = abs(beside(x, 2)).rename("size"), beside(x, 1)
    many = xr.concat([x, -x], "signal").assign_coords(signal=["a", "b"]).rename("value")
    got = xf.double_sort([many, size], r, 2, dependent=dependent, sizes=size)
    for name in "ab":
        own = [many.sel(signal=name, drop=True), size]
        want = xf.double_sort(own, r, 2, dependent=dependent, sizes=size)
        for k in VARIABLES:
            one = got[k].sel(signal=name, drop=True).transpose(*want[k].dims)
            np.testing.assert_array_equal(one, want[k])


def test_quantile_portfolios__of_what_never_changes_are_held_throughout():
    r = beside(strategies.fixed_panel(), 1)
    x = xr.DataArray(np.arange(12.0), dims="asset", coords={"asset": r["asset"]})
    got = xf.quantile_portfolios(x, r, 2)
    r = r.where(np.isfinite(r))
    np.testing.assert_allclose(got["spread"], r[:, 6:].mean("asset") - r[:, :6].mean("asset"))
