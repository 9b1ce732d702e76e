"""The three primitives used directly, with kernels small enough to see through."""

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from xfactor import _apply
from xfactor._apply import Arg, Out

# A sum of at most 480 terms added up in another order.
REORDERED = 1e-13
TASKS_A_CHUNK = 3


def double(x):
    return 2.0 * x


def ends(x):
    """First and last value of each row, and how many there are."""
    return x[:, :2], np.full(len(x), x.shape[1])


def weighted(x, w):
    return (x * w).sum(axis=1)


def difference(x, *, offset, start, stop, before=1):
    """x[t] - x[t - before]; NaN before the first date."""
    out = np.full((stop - start, *x.shape[1:]), np.nan)
    for t in range(start, stop):
        if t >= before:
            out[t - start] = x[t] - x[t - before]
    return out


def where_am_i(x, *, offset, start, stop):
    """The position of each row in the whole history."""
    rows = np.arange(offset + start, offset + stop, dtype=float)
    return np.broadcast_to(rows[:, None], (stop - start, x.shape[-1]))


def sums(x, *, offset, start, stop):
    part = x[start:stop]
    return (np.nansum(part, axis=0), np.isfinite(part).sum(axis=0))


def add(a, b):
    return tuple(x + y for x, y in zip(a, b, strict=True))


def total(t):
    return t[0]


def minus_total(t):
    return -t[0]


def total_and_count(t):
    return t[0], t[1].astype(float)


FLOAT = Out((), np.float64)


def whole(n_dates=12, n_assets=5, seed=0):
    x = np.random.default_rng(seed).normal(size=(n_dates, n_assets))
    return xr.DataArray(x, dims=("date", "asset"), name="x")


def tasks(x):
    """Tasks of the graph after optimisation, the loading of the input not counted."""
    (optimised,) = dask.optimize(x.data)
    graph = dict(optimised.__dask_graph__())
    return len([k for k in graph if not str(k).startswith("('xarray-")])


# --- along --------------------------------------------------------------------------------------


def test_along__gives_several_outputs_with_core_dims_of_their_own():
    x = whole()
    outs = [Out(("end",), np.float64, {"end": ["first", "second"]}), Out((), np.int64)]
    for each in (x, x.chunk(date=5)):
        first, n = _apply.along(ends, [Arg(each, ("asset",))], outs, what="ends")
        assert first.dims == ("date", "end")
        assert first["end"].values.tolist() == ["first", "second"]
        np.testing.assert_array_equal(first.values, x.values[:, :2])
        np.testing.assert_array_equal(n.values, np.full(12, 5))
        assert n.dtype == np.int64


def test_along__broadcasts_an_input_over_the_loop_dims_that_it_lacks():
    x, w = whole(), whole().isel(date=0, drop=True).rename("w")
    want = (x * w).sum("asset")
    for a, b in [(x, w), (x.chunk(date=5), w), (x.chunk(date=5), w.chunk())]:
        args = [Arg(a, ("asset",)), Arg(b, ("asset",))]
        (got,) = _apply.along(weighted, args, [FLOAT], what="weighted")
        np.testing.assert_allclose(got.values, want.values, rtol=1e-14)


@given(x=strategies.panels(dtypes=(np.float64,)), data=st.data())
def test_along__is_the_same_for_any_chunks_and_further_dims(x, data):
    signals = xr.concat([x, x * 2, x - 1], dim="signal")
    dims = data.draw(st.permutations(signals.dims))
    lazy = data.draw(strategies.chunked(signals.transpose(*dims), ("date", "signal")))
    out = Out(("asset",), np.float64)
    (got,) = _apply.along(double, [Arg(lazy, ("asset",))], [out], what="double")
    np.testing.assert_array_equal(got.transpose(*dims).values, 2.0 * signals.transpose(*dims))


def test_along__of_one_row_without_any_loop_dim():
    row = whole().isel(date=3, drop=True)
    for each in (row, row.chunk()):
        (got,) = _apply.along(double, [Arg(each, ("asset",))], [Out(("asset",), float)], what="d")
        np.testing.assert_array_equal(got.values, 2 * row.values)
        first, n = _apply.along(
            ends, [Arg(each, ("asset",))], [Out(("e",), float, {"e": [0, 1]}), Out((), int)],
            what="ends",
        )  # fmt: skip
        np.testing.assert_array_equal(first.values, row.values[:2])
        assert int(n) == 5


# --- window -------------------------------------------------------------------------------------


@given(
    x=strategies.panels(dtypes=(np.float64,), max_dates=15, max_assets=4),
    before=st.integers(0, 20),
    data=st.data(),
)
def test_window__sees_enough_of_the_neighbours_and_knows_where_it_is(x, before, data):
    x = x.where(np.isfinite(x))
    lazy = data.draw(strategies.chunked(x, ("date", "asset")))

    def kernel(a, **where):
        return difference(a, before=before, **where)

    results = [
        _apply.window(kernel, [Arg(each)], [FLOAT], before=before, what="difference")[0]
        for each in (x, lazy)
    ]
    np.testing.assert_array_equal(results[1].values, results[0].values)
    (place,) = _apply.window(where_am_i, [Arg(lazy)], [FLOAT], before=before, what="place")
    want = np.broadcast_to(np.arange(x.sizes["date"])[:, None], place.shape)
    np.testing.assert_array_equal(place.values, want)


@given(
    x=strategies.panels(dtypes=(np.float64,), max_dates=15, max_assets=4),
    halo=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    data=st.data(),
)
def test_window__shows_no_more_dates_than_were_asked_for(x, halo, data):
    """A kernel that reads what it should not know must not find it."""
    seen = []

    def kernel(a, *, offset, start, stop):
        seen.append((start <= halo[0], len(a) - stop <= halo[1]))
        return a[start:stop]

    lazy = data.draw(strategies.chunked(x))
    (got,) = _apply.window(kernel, [Arg(lazy)], [FLOAT], before=halo[0], after=halo[1], what="k")
    np.testing.assert_array_equal(got.transpose(*x.dims).values, x.values)
    assert all(map(all, seen))


def test_window__hands_over_an_input_of_dates_only_and_core_dims():
    y, x = whole(), whole(seed=1).rename(asset="factor").isel(factor=slice(2)).rename("f")

    def kernel(y, x, *, offset, start, stop):
        assert x.shape == (len(y), 2)
        return y[start:stop, None, :] * x[start:stop, :, None]

    want = (y * x).transpose("date", "asset", "factor")
    for a, b in [(y, x), (y.chunk(date=5, asset=2), x.chunk(date=5)), (y.chunk(date=5), x)]:
        args = [Arg(a), Arg(b, ("factor",))]
        (got,) = _apply.window(kernel, args, [Out(("factor",), float)], before=1, what="outer")
        assert got.dims == ("date", "asset", "factor")
        np.testing.assert_array_equal(got.values, want.values)


def test_window__of_a_series():
    series = whole().isel(asset=1, drop=True)
    want = np.concatenate([[np.nan], np.diff(series.values)])
    for each in (series, series.chunk(date=5)):
        (got,) = _apply.window(difference, [Arg(each)], [FLOAT], before=1, what="difference")
        assert got.dims == ("date",)
        np.testing.assert_array_equal(got.values, want)


def test_window__reads_over_several_chunks_of_one_date():
    x = whole()

    def kernel(a, **where):
        return difference(a, before=7, **where)

    (got,) = _apply.window(kernel, [Arg(x.chunk(date=1))], [FLOAT], before=7, what="difference")
    np.testing.assert_array_equal(got.values[7:], x.values[7:] - x.values[:-7])


# --- reduce -------------------------------------------------------------------------------------


@given(x=strategies.panels(dtypes=(np.float64,)), data=st.data())
def test_reduce__equals_the_whole_for_any_chunks(x, data):
    lazy = data.draw(strategies.chunked(x.where(np.isfinite(x)), ("date", "asset")))
    (whole_,) = _apply.reduce(sums, add, total, [Arg(lazy.compute())], [FLOAT], what="sums")
    got, n = _apply.reduce(sums, add, total_and_count, [Arg(lazy)], [FLOAT, FLOAT], what="sums")
    assert got.dims == ("asset",)
    scale = float(abs(lazy).sum())
    np.testing.assert_allclose(got.values, whole_.values, rtol=0, atol=REORDERED * scale)
    np.testing.assert_array_equal(n.values, np.isfinite(x).sum("date").values)


@pytest.mark.parametrize("n_chunks", [1, 2, 8, 9, 64, 65, 200])
def test_reduce__combines_as_many_chunks_as_there_are(n_chunks):
    x = xr.DataArray(np.ones((n_chunks, 2)), dims=("date", "asset")).chunk(date=1)
    (got,) = _apply.reduce(sums, add, total, [Arg(x)], [FLOAT], what="sums")
    assert got.values.tolist() == [n_chunks, n_chunks]


def test_reduce__of_a_series_is_a_number():
    series = whole().isel(asset=1, drop=True)
    for each in (series, series.chunk(date=5)):
        (got,) = _apply.reduce(sums, add, total, [Arg(each)], [FLOAT], what="sums")
        assert got.dims == ()
        assert float(got) == pytest.approx(float(series.sum()), rel=REORDERED)


def test_reduce__sees_the_halo_that_was_asked_for():
    x = whole()

    # The earlier date is in the halo, which only the first chunk lacks.
    def steps(a, *, offset, start, stop):
        return (np.nansum(difference(a, offset=offset, start=start, stop=stop), axis=0),)

    for each in (x, x.chunk(date=5), x.chunk(date=1, asset=2)):
        (got,) = _apply.reduce(steps, add, total, [Arg(each)], [FLOAT], before=1, what="steps")
        np.testing.assert_allclose(got.values, x.values[-1] - x.values[0], atol=REORDERED * 100)


def test_reduce__of_parts_that_keep_their_ends_joins_neighbours_in_order():
    """Steps across the edges of parts: each is the first and the last row, and the steps within."""
    x = whole(n_dates=70)

    def steps(a, *, offset, start, stop):
        part = a[start:stop]
        return abs(np.diff(part, axis=0)).sum(axis=0), part[:1], part[-1:]

    def join(a, b):
        return a[0] + b[0] + abs(b[1] - a[2])[0], a[1], b[2]

    for each in (x, x.chunk(date=5), x.chunk(date=1, asset=2)):
        (got,) = _apply.reduce(steps, join, total, [Arg(each)], [FLOAT], ends=1, what="steps")
        np.testing.assert_allclose(got, abs(x.diff("date")).sum("date"), rtol=REORDERED)
        backwards = each.assign_coords(date=pd.date_range("2020", periods=70)[::-1])
        with pytest.raises(xf.PanelError, match="not sorted"):
            _apply.reduce(steps, join, total, [Arg(backwards)], [FLOAT], ends=1, what="steps")


def test_reduce__keeps_two_ways_to_finalise_apart():
    """The same sums, finalised in two ways, computed together: the graphs merge by key."""
    x = whole().chunk(date=5)
    (plus,) = _apply.reduce(sums, add, total, [Arg(x)], [FLOAT], what="sums")
    (minus,) = _apply.reduce(sums, add, minus_total, [Arg(x)], [FLOAT], what="sums")
    a, b = dask.compute(plus, minus)
    np.testing.assert_array_equal(a.values, -b.values)


@pytest.mark.parametrize("primitive", ["along", "window", "reduce"])
def test_primitive__shares_its_blocks_with_the_same_call(primitive):
    """Calling twice must not compute twice: equal keys for equal work."""
    x = whole().chunk(date=5)
    call = {
        "along": lambda: _apply.along(
            double, [Arg(x, ("asset",))], [Out(("asset",), float)], what="d"
        ),
        "window": lambda: _apply.window(difference, [Arg(x)], [FLOAT], before=1, what="d"),
        "reduce": lambda: _apply.reduce(sums, add, total, [Arg(x)], [FLOAT], what="d"),
    }[primitive]
    assert call()[0].data.name == call()[0].data.name


# --- checks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("primitive", [_apply.along, _apply.window])
def test_primitive__refuses_inputs_cut_differently(primitive):
    a, b = whole().chunk(date=5), whole(seed=1).chunk(date=4).rename("y")
    with pytest.raises(
        xf.PanelError,
        match=r"mix found inputs cut differently along 'date': chunk 0 has 4 labels in y and 5 in "
        r"x; needed the same chunks. Use y.chunk\(date=x.chunksizes\['date'\]\)",
    ):
        primitive(weighted, [Arg(a), Arg(b)], [FLOAT], what="mix")


def test_primitive__names_dim_found_line_and_cost_where_a_core_dim_is_cut():
    x = xr.DataArray(da.zeros((500, 4000), chunks=(250, 1000)), dims=("date", "asset"), name="px")
    with pytest.raises(
        xf.PanelError,
        match=r"rank found 4 chunks along 'asset' in px; needed one chunk along 'asset'. "
        r"Use x.chunk\(asset=-1\): 8 MB a block at 250 dates",
    ):
        xf.rank(x)


def test_primitive__refuses_labels_that_differ():
    a = whole().assign_coords(asset=list("abcde"))
    b = whole(seed=1).assign_coords(asset=list("abced")).rename("y")
    with pytest.raises(xf.PanelError, match=r"y and x have different labels along 'asset'"):
        _apply.along(weighted, [Arg(a, ("asset",)), Arg(b, ("asset",))], [FLOAT], what="w")


def test_primitive__mixes_lazy_and_loaded_inputs():
    x, y = whole(), whole(seed=1).rename("y")
    args = [Arg(x.chunk(date=5), ("asset",)), Arg(y, ("asset",))]
    (got,) = _apply.along(weighted, args, [FLOAT], what="w")
    assert got.chunks == ((5, 5, 2),)
    np.testing.assert_allclose(got.values, (x * y).sum("asset").values, rtol=1e-14)


WITH_OTHERS = {
    "quantile by": lambda p, o: xf.quantile(p["close"], 0.5, by=o["sector"]),
    "quantile where": lambda p, o: xf.quantile(p["close"], [0.5], where=o["listed"]),
    "composite": lambda p, o: xf.composite(p[["close", "weight"]], where=o["listed"]),
    "zscore": lambda p, o: xf.zscore(p["close"], by=o["sector"], weights=o["weight"]),
    "qcut": lambda p, o: xf.qcut(p["close"], 2, breakpoints_from=o["listed"]),
    "neutralize": lambda p, o: xf.neutralize(p["close"], o["weight"]),
    "ewm_cov": lambda p, o: xf.ewm_cov(p["close"], o["weight"].isel(asset=0), span=3),
    "rolling_beta": lambda p, o: xf.rolling_beta(p["close"], o["weight"], window=3),
    "long_short": lambda p, o: xf.long_short(p["close"], n=1, sizes=o["weight"], where=o["listed"]),
    "Dataset": lambda p, o: xf.rank(p[["close"]], by=o["sector"], where=o["listed"])["close"],
}


@pytest.mark.parametrize("name", WITH_OTHERS)
def test_result__has_the_coords_of_x_and_of_no_other_input(name, panel):
    x = panel.assign_coords(currency="USD")
    own = panel["symbol"].str.lower()
    others = panel.assign_coords(universe="big", kind=("date", np.arange(12)), symbol=own)
    got = WITH_OTHERS[name](x, others)
    assert set(got.coords) - {"quantile"} == {
        c for c in x.coords if set(x[c].dims) <= set(got.dims)
    }
    for coord in set(got.coords) - {"quantile"}:
        xr.testing.assert_identical(
            got[coord].reset_coords(drop=True), x[coord].reset_coords(drop=True)
        )


# --- graphs -------------------------------------------------------------------------------------

OPERATIONS = {
    "rank": xf.rank,
    "top": lambda x: xf.top(x, 3),
    "qcut": lambda x: xf.qcut(x, 5),
    "quantile": lambda x: xf.quantile(x, [0.1, 0.9]),
    "winsorize": xf.winsorize,
    "standardize": xf.standardize,
    "demean": xf.demean,
    "lag": xf.lag,
    "returns": xf.returns,
    "forward_returns": xf.forward_returns,
    "rolling_mean": lambda x: xf.rolling_mean(x, window=10),
    "rolling_std": lambda x: xf.rolling_std(x, window=100),
    "whole chain": lambda x: xf.rolling_mean(xf.standardize(xf.returns(x)), window=10),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_graph__has_few_tasks_a_chunk(name):
    x = xr.DataArray(da.zeros((640, 8), chunks=(10, 8)), dims=("date", "asset"))
    steps = 3 if name == "whole chain" else 1
    assert tasks(OPERATIONS[name](x)) <= steps * TASKS_A_CHUNK * 64


def test_graph__of_row_transforms_fuses_to_one_task_a_chunk():
    x = xr.DataArray(da.zeros((640, 8), chunks=(10, 8)), dims=("date", "asset"))
    assert tasks(xf.rank(xf.standardize(-x)) + 1.0) == 64


def test_compute__gives_back_all_that_it_got(panel, capsys):
    x, ds = panel["close"].chunk(date=5), panel[["volume"]].chunk(date=5)
    for progress in (False, True):
        a, b, c = _apply.compute(x, ds, 3, progress=progress)
        xr.testing.assert_identical(a, panel["close"])
        xr.testing.assert_identical(b, panel[["volume"]])
        assert c == 3
    assert capsys.readouterr().out == ""
