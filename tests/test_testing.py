"""The leak checker: what it passes, what it catches and what it says."""

import re

import numpy as np
import pytest
import xarray as xr

import xfactor as xf
from tests.time_series import test_contracts as time_contracts
from xfactor.testing import LookaheadError, check_no_lookahead


@pytest.fixture(scope="module")
def small():
    """Sixty dates of nine assets with prices, returns, codes, a mask and counts."""
    rng = np.random.default_rng(3)
    shape = (60, 9)
    r = 0.02 * rng.standard_normal(shape)
    r[rng.random(shape) < 0.05] = np.nan
    dims = ("date", "asset")
    return xr.Dataset(
        {
            "price": (dims, 50 * np.exp(np.nancumsum(r, axis=0))),
            "returns": (dims, r),
            "weight": (dims, rng.standard_normal(shape).astype(np.float32)),
            "sector": (dims, rng.integers(-1, 3, shape).astype(np.int16)),
            "listed": (dims, rng.random(shape) < 0.8),
            "volume": (dims, rng.integers(0, 1000, shape)),
            "market": ("date", 0.01 * rng.standard_normal(60)),
            "currency": (dims, rng.choice(["EUR", "USD"], shape)),
            "reported": (dims, np.datetime64("2019-01-01", "ns") + rng.integers(0, 9, shape)),
            "founded": ("asset", np.arange(9)),
        },
        coords={
            "date": np.datetime64("2020-01-01", "ns") + np.arange(60) * np.timedelta64(1, "D"),
            "asset": [f"a{i}" for i in range(9)],
        },
    )


def caught(func, data, **options):
    with pytest.raises(LookaheadError) as found:
        check_no_lookahead(func, data, **options)
    text = str(found.value)
    assert "\n" not in text
    return text


# --- what passes --------------------------------------------------------------------------------

BACKWARD = [c[0] for c in time_contracts.BACKWARD]


@pytest.mark.parametrize("case", BACKWARD, ids=lambda c: c.name)
def test_transform_along_date__passes(case, small):
    few = small["returns"][:40, :4]  # longer than the windows of most cases
    check_no_lookahead(lambda x: case(case.suited(x)), few, cuts=2)


ACROSS = {
    "rank": lambda p: xf.rank(p.returns, where=p.listed),
    "zscore": lambda p: xf.zscore(p[["returns", "weight", "market"]]),
    "standardize": lambda p: xf.standardize(p.weight),
    "winsorize": lambda p: xf.winsorize(p.returns, 0.1),
    "demean": lambda p: xf.demean(p.returns),
    "qcut": lambda p: xf.qcut(p.returns, 3),
    "top and bottom": lambda p: (xf.top(p.returns, 2), xf.bottom(p.returns, 2)),
    "quantile": lambda p: xf.quantile(p.returns, 0.5),
}


@pytest.mark.parametrize("name", ACROSS)
def test_transform_across_assets__passes(name, small):
    check_no_lookahead(ACROSS[name], small, cuts=2)


def factors(p):
    return xr.concat([p.market, p.returns.mean("asset")], dim="factor").assign_coords(
        factor=["market", "mean"]
    )


MODELS = {
    "rolling_ols": lambda p: xf.rolling_ols(p.returns, factors(p), window=20),
    "cross_sectional_ols": lambda p: xf.cross_sectional_ols(
        p.returns, p[["weight", "price"]].map(xf.zscore), lag=1
    ),
    "long_short": lambda p: xf.portfolio_returns(xf.long_short(p.weight, n=3), p.returns),
    "weights": lambda p: xf.long_short(p.weight, fraction=0.3, where=p.listed),
    "hedge": lambda p: xf.hedge(p.returns.mean("asset"), factors(p)[:1], window=20),
}


@pytest.mark.parametrize("name", MODELS)
def test_model__passes(name, small):
    check_no_lookahead(MODELS[name], small, cuts=2)


def test_check__passes_what_differs_by_rounding_only(small):
    """A sum in another order, as of a library that blocks by shape."""

    def shaped(x):
        flip = x.sizes["date"] % 2 == 0
        return (x.isel(asset=slice(None, None, -1)) if flip else x).mean("asset") - 1e-3

    check_no_lookahead(shaped, small["returns"].fillna(0.0))
    check_no_lookahead(shaped, small["weight"])


def test_check__passes_results_with_fewer_dates_and_names_of_their_own(small):
    def monthly(p):
        last = p.price.resample(date="ME").last()
        return {"monthly": last, "rest": (p[["weight"]], [xf.lag(p.volume)])}

    check_no_lookahead(monthly, small)


def test_check__passes_fields_as_they_are_and_those_without_dates(small):
    check_no_lookahead(lambda p: p, small)
    check_no_lookahead(lambda p: p.assign(signal=2 * p.returns), small.chunk(date=16))
    empty = small.assign(splits=0 * small.returns.notnull() > 0)  # nothing in it: none of func's
    for data in (empty, empty.chunk(date=16)):
        check_no_lookahead(lambda p: p.assign(signal=xf.lag(p.returns)), data, cuts=2)
    text = caught(lambda p: p.assign(founded=p.founded + 1), small)
    assert text.startswith("'founded' has the dimensions 'asset'")


@pytest.mark.parametrize("n", [3, 4, 5])
def test_check__takes_a_history_of_few_dates_and_no_assets(small, n):
    x = small["returns"][:n]
    check_no_lookahead(xf.diff, x)
    with pytest.raises(xf.PanelError, match="nothing was compared"):
        check_no_lookahead(xf.diff, x[:, :0])
    caught(lambda v: v.shift(date=-1), x.fillna(0.0))


def test_check__works_without_labels():
    x = xr.DataArray(np.random.default_rng(0).normal(size=(30, 4)), dims=("date", "asset"))
    check_no_lookahead(xf.lag, x)
    text = caught(lambda v: v.shift(date=-1), x)
    assert re.search(r"moved on number \d+ for asset number \d+", text)


# --- what is caught -----------------------------------------------------------------------------


def one_asset(p):
    leak = p.returns.shift(date=-1)
    return p.returns.where(p.asset != "a7", leak)


def second_variable(p):
    return xr.Dataset({"good": xf.lag(p.returns), "bad": xf.forward_returns(p.returns)})


def at_the_end_only(p):
    """The last date of the history is treated in another way."""
    last = xr.DataArray(np.arange(p.sizes["date"]) == p.sizes["date"] - 1, dims="date")
    return p.returns.fillna(0.0).where(~last, 7.0)


def clipped(p):
    bound = 3 * p.returns.std()
    return p.returns.clip(-bound, bound)


LEAKS = {
    "shift": lambda p: p.returns.shift(date=-1),
    "forward_returns": lambda p: xf.forward_returns(p.returns, 2),
    "demeaned over the history": lambda p: p.returns - p.returns.mean("date"),
    "bfill": lambda p: p.returns.bfill("date"),
    "rank over the history": lambda p: p.returns.rank("date"),
    "one asset": one_asset,
    "second variable": second_variable,
    "mask": lambda p: p.returns.where(p.listed.shift(date=-1, fill_value=False)),
    "codes": lambda p: xf.lag(p.returns).where(p.sector.shift(date=-1, fill_value=-1) == 1),
    "counts": lambda p: p.returns * p.volume.max("date"),
    "end": at_the_end_only,
    "winsorized over the history": clipped,
    "interpolated": lambda p: p.returns.interpolate_na("date"),
    "a series": lambda p: p.market / p.market.std(),
    "number of dates": lambda p: p.returns * p.sizes["date"],
    "centred window": lambda p: p.returns.rolling(date=3, center=True, min_periods=1).mean(),
    "assets that live": lambda p: p.returns.isel(asset=p.returns[-1].notnull().values),
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("name", LEAKS)
def test_leak__is_caught(name, chunked, small):
    if chunked and name in ("bfill", "rank over the history", "interpolated", "assets that live"):
        small = small.chunk(date=-1) if name != "assets that live" else small
    elif chunked:
        small = small.chunk(date=16)
    caught(LEAKS[name], small)


@pytest.mark.parametrize("name", ["shift", "mask", "codes", "bfill"])
def test_leak_of_one_date__is_caught_at_the_date_of_the_cut(name, small):
    text = caught(LEAKS[name], small, cuts=2)
    moved = re.search(r"moved on (\S+)", text)[1]
    cut = re.search(r"rows after (\S+)", text)[1]
    assert moved == cut


def test_message__names_variable_date_asset_cut_change_and_values(small):
    x = small["returns"].fillna(0.0)
    text = caught(lambda p: one_asset(p.to_dataset()), x, cuts=2, seed=1)
    found = re.fullmatch(
        r"'returns' moved on (\S+) for asset 'a7' when the rows after (\S+) were truncated: "
        r"from (\S+) to nan; needed values that use the panel up to their own date\. Lag .*\.",
        text,
    )
    assert found, text
    assert found[1] == found[2]
    tomorrow = x.sel(asset="a7").shift(date=-1).sel(date=found[1]).item()
    assert float(found[3]) == tomorrow


def test_message__names_the_variable_that_moved_first(small):
    text = caught(second_variable, small)
    assert text.startswith("'bad' moved on")
    text = caught(lambda p: (p.returns, {"deep": LEAKS["shift"](p)}), small)
    assert text.startswith("'result[1].deep' moved on")


def test_message__names_the_kind_of_change(small):
    """Leaks that a shorter history does not show, or only one with other values."""

    def gone(p):
        return p.market * xr.where(p.market[-1].isnull(), 2.0, 1.0)

    def other(p):
        last = p.market[-1]
        strange = last.notnull() & (last != small.market[-1]) & (p.sizes["date"] == 60)
        return p.market * xr.where(strange, 2.0, 1.0)

    assert "were set to missing: from" in caught(gone, small)
    assert "were perturbed: from" in caught(other, small)


def test_result_without_dates__is_refused_with_the_reason(small):
    text = caught(lambda p: xf.time_series_ols(p.returns, factors(p), se="ols").beta, small)
    assert "one value for the whole history" in text
    assert "rolling" in text


def test_result_that_is_no_array__is_refused(small):
    with pytest.raises(TypeError, match="func gave a float"):
        check_no_lookahead(lambda p: 1.0, small)
    with pytest.raises(TypeError, match="func gave no arrays"):
        check_no_lookahead(lambda p: {}, small)


def test_error_of_func__says_when_it_was_raised(small):
    def needs_many(p):
        if p.sizes["date"] < 60:
            raise ValueError("too short")
        return p.returns

    with pytest.raises(ValueError, match="too short") as found:
        check_no_lookahead(needs_many, small)
    assert "were truncated" in found.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"cuts": 1}, "cuts=1"),
        ({"seed": -1}, "seed=-1"),
        ({"dim": "t"}, "'t'"),
        ({"rtol": "a"}, "rtol='a' was given; needed a number of at least 0"),
        ({"atol": -1.0}, "atol=-1.0"),
        ({"rtol": np.nan}, "rtol=nan"),
    ],
)
def test_check__refuses_wrong_options(small, options, text):
    with pytest.raises(xf.PanelError, match=text):
        check_no_lookahead(lambda p: p, small, **options)


def test_check__refuses_a_history_without_a_middle(small):
    with pytest.raises(xf.PanelError, match="2 dates; needed 3 or more"):
        check_no_lookahead(lambda p: p, small.isel(date=slice(2)))
    with pytest.raises(TypeError, match="takes a Dataset"):
        check_no_lookahead(lambda p: p, small.to_dataframe())
    with pytest.raises(TypeError, match="takes a function, then a panel; found int"):
        check_no_lookahead(5, small)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("order", [slice(None, None, -1), [0, 1, 1, 2, 3]])
def test_check__refuses_dates_out_of_order(small, order, chunked):
    data = (small.chunk(date=16) if chunked else small).isel(date=order)
    with pytest.raises(xf.PanelError, match=r"needed strictly increasing dates. .*x\."):
        check_no_lookahead(lambda p: p.returns, data)


def too_long(p):
    return xf.rolling_mean(xf.forward_returns(p.returns.fillna(0.0), 5), window=57)


VACUOUS = {
    "values": (too_long, "'returns'"),
    "mask": (lambda p: too_long(p) > 0, "'returns'"),
    "codes": (lambda p: xf.qcut(too_long(p), 2), "'returns'"),
    "one of several": (lambda p: {"a": p.returns, "b": too_long(p)}, "'b'"),
    "dates": (lambda p: xf.lag(p.reported, 59), "'reported'"),
    "last date only": (lambda p: xf.lag(p.price, 59), "'price'"),
    "text": (lambda p: p.currency.where(p.date > p.date[-1]), "'currency'"),
}


@pytest.mark.parametrize("name", VACUOUS)
def test_check__that_compares_nothing_does_not_pass(name, small):
    func, variable = VACUOUS[name]
    few = small[["price", "returns", "currency", "reported"]]
    for data in (few, few.chunk(date=30))[: 1 + (name == "values")]:
        with pytest.raises(xf.PanelError, match=f"{variable} is missing on every date up to 2020"):
            check_no_lookahead(func, data, cuts=2)


def test_check__leaves_the_panel_of_the_caller_as_it_was(small):
    before = small.copy(deep=True)

    def adds(p):
        p["twice"] = 2 * p.returns
        p.attrs["mine"] = 1
        return p.drop_vars("founded")

    check_no_lookahead(adds, small, cuts=2)
    xr.testing.assert_identical(small, before)


# --- how it works -------------------------------------------------------------------------------


def test_check__cuts_early_and_at_the_second_last_date_and_always_at_the_same(small):
    def seen(seed):
        lengths = []
        check_no_lookahead(lambda p: lengths.append(p.sizes["date"]) or p.returns, small, seed=seed)
        return sorted({n for n in lengths if n < 60})

    first = seen(0)
    assert len(first) == 5
    assert first[0] <= 13
    assert first[-1] == 59
    assert seen(0) == first
    assert seen(1) != first


def test_check__keeps_the_past_dtypes_chunks_and_labels(small):
    lazy = small.chunk(date=16)
    panels = []
    check_no_lookahead(lambda p: panels.append(p) or p.returns, lazy, cuts=2)
    for p in panels[1:]:
        n = p.sizes["date"]
        for name, v in lazy.data_vars.items():
            assert p[name].dtype == v.dtype
            assert p[name].dims == v.dims
            if n == 60:
                assert p[name].chunks == v.chunks
    cut = panels[1].sizes["date"]
    for p in panels[2:4]:
        xr.testing.assert_identical(p.isel(date=slice(cut)).load(), small.isel(date=slice(cut)))
        assert not p.isel(date=slice(cut, None)).load().equals(small.isel(date=slice(cut, None)))


def test_check__of_a_lazy_panel_pulls_no_panel(small):
    """Whatever is computed is small: one number a date, or one row."""
    import dask

    sizes = []

    def watching(graph, keys, **kwargs):
        result = dask.get(graph, keys, **kwargs)
        sizes.extend(np.asarray(r).size for r in _leaves(result))
        return result

    big = xr.concat([small.returns] * 20, dim="asset").assign_coords(asset=range(180))
    lazy = big.chunk(date=10)
    with dask.config.set(scheduler=watching):
        check_no_lookahead(lambda x: xf.rolling_mean(x, window=5), lazy, cuts=2)
    assert sizes
    assert max(sizes) <= 60


def _leaves(x):
    if isinstance(x, list | tuple):
        for each in x:
            yield from _leaves(each)
    else:
        yield x


def test_limits__follow_dtype_and_options(small):
    """A move of 1e-7 is a leak in float64 and rounding in float32; atol= forgives more."""

    def tiny(x):
        return x + 1e-7 * (x.sizes["date"] == 60)

    x = small["returns"].fillna(0.0) + 1.0
    caught(tiny, x)
    check_no_lookahead(tiny, x, atol=1e-6)
    check_no_lookahead(tiny, x, rtol=1e-6)
    check_no_lookahead(tiny, x.astype(np.float32))
