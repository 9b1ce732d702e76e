"""The 2 x 3 factors against loops of pandas, tables of ties by hand, and premia that are known."""

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
from xfactor.kernels import formation
from xfactor.portfolios.french import RULES

NAN = np.nan
few = settings(max_examples=max(settings().max_examples // 4, 5))


def market(n_dates, n_assets, frequency, seed=0, start="2018-03-05"):
    """A panel of what the factors are made of, with gaps and ties."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(start, periods=n_dates, freq=frequency)
    shape = (n_dates, n_assets)
    r = np.clip(rng.normal(0.001, 0.05, shape), -0.9, 0.9)
    base = rng.choice([1.0, 2.0, 5.0, 50.0], n_assets)
    cap = np.cumprod(1 + r, axis=0) * base
    step = np.arange(n_dates)[:, None] // max(n_dates // 7, 1)
    wave = rng.normal(size=(8, n_assets))
    fields = {
        "returns": r,
        "cap": cap,
        "book": np.round(np.exp(wave)[step[:, 0]] * 3) * base,
        "profitability": np.round(wave[step[:, 0]], 1),
        "growth": wave[::-1][step[:, 0]],
        "assets": np.exp(wave[::-1])[step[:, 0]],
    }
    for name, v in fields.items():
        v[rng.random(shape) < (0.1 if name != "book" else 0.02)] = NAN
    r[rng.random(shape) < 0.01] = np.inf
    r[n_dates // 3 : n_dates // 3 + n_dates // 5, :1] = NAN  # away for a while
    fields["nyse"] = rng.random(shape) < 0.7
    fields["inside"] = rng.random(shape) < 0.9
    coords = {"date": dates, "asset": rng.permutation(n_assets)}
    return xr.Dataset({k: (("date", "asset"), v) for k, v in fields.items()}, coords=coords)


def factors(p, assets=False, nyse=True, **options):
    investment = {"total_assets": p["assets"]} if assets else {"asset_growth": p["growth"]}
    return xf.fama_french_factors(
        p["returns"], p["cap"], p["book"], operating_profitability=p["profitability"],
        breakpoints_from=p["nyse"] if nyse else None, where=p["inside"], **investment, **options,
    )  # fmt: skip


CASES = [
    ("B", 700, {"rule": "osap"}),
    ("B", 600, {"rule": "jkp", "min_names": 1}),
    ("ME", 60, {"rule": "osap", "min_names": 2}),
    ("ME", 50, {"rule": "jkp", "rebalance": "june", "min_names": 1}),
    ("W", 150, {"rule": "osap", "accounting_lag": 0}),
    ("QE", 30, {"rule": "osap"}),
    ("B", 420, {"rule": "osap", "rebalance": "month", "accounting_lag": 3}),
]


@pytest.mark.parametrize("assets", [True, False])
@pytest.mark.parametrize(("frequency", "n", "options"), CASES)
def test_factors__equal_the_loops_of_pandas(frequency, n, options, assets):
    p = market(n, 47, frequency, seed=n)
    got = factors(p, assets=assets, **options)
    defaults = {"osap": (True, 6, 1), "jkp": (False, 4, 3)}[options["rule"]]
    own = {
        "rule": options["rule"],
        "june": {"june": True, "month": False}.get(options.get("rebalance"), defaults[0]),
        "accounting_lag": options.get("accounting_lag", defaults[1]),
        "least": options.get("min_names", defaults[2]),
    }
    frames = {k: v.to_pandas() for k, v in p.data_vars.items() if k not in ("nyse", "inside")}
    del frames["growth" if assets else "assets"]
    want = twins.french(frames, p["nyse"].to_pandas(), p["inside"].to_pandas(), **own)
    assert set(want) == set(got["sort"].values)
    for sort, r in want.items():
        six = got["returns"].sel(sort=sort).stack(cell=("size", "level"))
        np.testing.assert_allclose(six.transpose("date", "cell"), r, rtol=1e-9, atol=1e-12)
        smb, high = twins.two_by_three(r)
        name, sign = {
            "book_to_market": ("HML", 1), "momentum": ("MOM", 1), "profitability": ("RMW", 1),
            "investment": ("CMA", -1),
        }[sort]  # fmt: skip
        np.testing.assert_allclose(got[name], sign * high, rtol=1e-7, atol=1e-12)
        if sort == "book_to_market":
            np.testing.assert_allclose(got["SMB"], smb, rtol=1e-7, atol=1e-12)
    known = [int(got[k].notnull().sum()) for k in ("SMB", "HML", "RMW", "CMA", "SMB5")]
    assert min(known) > (0 if frequency == "QE" else 10)
    total = got["n_obs"] + got["n_dropped"].sum("reason")
    assert bool((total == 47).all())


def test_factors__of_quarters_have_no_momentum():
    p = market(30, 23, "QE")
    assert bool(factors(p)["MOM"].isnull().all())


def test_factors__market_is_weighted_by_the_value_of_the_date_before():
    p = market(40, 15, "B")
    got = factors(p)["market"]
    known = (p["cap"] > 0) & p["inside"]
    w = p["cap"].where(known).shift(date=1)
    r = p["returns"].where(np.isfinite(p["returns"]))
    want = (w * r).sum("asset") / w.where(r.notnull()).sum("asset")
    np.testing.assert_allclose(got[1:], want[1:], rtol=1e-12)
    assert np.isnan(got[0])


# Ten breakpoint names, 1 to 10, and others: where each falls. Type 7: the 30 % quantile lies at
# place 2.7, 3.7, the 70 % one at 6.3, 7.3, the median at 5.5. Discrete: 3, 7 and 5.
TEN = list(range(1, 11))
TIES = [  # rule, breakpoint values, values, third of each, half of each
    ("osap", TEN, [3, 3.69, 3.71, 4, 7, 7.29, 7.31, 8], [0, 0, 1, 1, 1, 1, 2, 2], None),
    ("osap", TEN, [5, 5.5, 5.51, 6], None, [0, 0, 1, 1]),
    ("jkp", TEN, [2.99, 3, 6.99, 7, 11], [0, 1, 1, 2, 2], None),
    ("jkp", TEN, [4.99, 5, 5.01], None, [0, 1, 1]),
    # Eleven names: the quantiles of type 7 are names themselves, and these are in the lower part.
    ("osap", range(11), [3, 3.01, 7, 7.01], [0, 1, 1, 2], None),
    ("osap", range(11), [5, 5.01], None, [0, 1]),
    # 131 names: 0.7 * 130 is 90.99999999999999 in floats; the breakpoint is name 91.
    ("osap", range(131), [91, 91.5], [1, 2], None),
    # Equal names at the breakpoints share the lower part, or the upper one.
    ("osap", [1] * 4 + [2] * 2 + [3] * 4, [1, 2, 3], [0, 1, 1], [0, 0, 1]),
    ("jkp", [1] * 4 + [2] * 2 + [3] * 4, [0.5, 1, 2, 3], [0, 1, 1, 2], [0, 0, 1, 1]),
    ("osap", [4], [3, 4, 5], [0, 0, 2], [0, 0, 1]),
    ("jkp", range(9), [3], [-1], [-1]),  # fewer than ten names make no breakpoints
]


@pytest.mark.parametrize(("rule", "source", "values", "thirds", "halves"), TIES)
def test_breakpoints__ties_worked_by_hand(rule, source, values, thirds, halves):
    x = np.array([[*source, *values]], dtype=float)
    chosen = np.arange(x.shape[1])[None] < len(source)
    for cuts, want in ((formation.THIRDS, thirds), (formation.HALVES, halves)):
        if want is not None:
            got = formation.cut(x, chosen, cuts, RULES[rule].rule)
            assert got[0, len(source) :].tolist() == want


def test_formation__is_at_the_end_of_june_with_the_market_value_of_december():
    """Names change places in December, and in July; what counts is December over June's size."""
    dates = pd.date_range("2019-10-31", "2020-09-30", freq="ME")
    ones = np.ones((len(dates), 6))
    cap = ones * [1, 1, 1, 9, 9, 9]
    book = ones * [1, 2, 3, 9, 18, 27]
    book[dates > "2019-12-31"] = 1.0  # reports of the new year are not used
    r = np.tile(np.arange(6.0), (len(dates), 1)) / 100
    p = xr.Dataset(
        {k: (("date", "asset"), v) for k, v in (("r", r), ("cap", cap), ("book", book))},
        coords={"date": dates, "asset": list("abcdef")},
    )
    got = xf.fama_french_factors(p["r"], p["cap"], p["book"])
    july = int(np.flatnonzero(dates == "2020-07-31")[0])
    assert got["HML"].isnull().values.tolist() == [True] * july + [False] * 3
    np.testing.assert_allclose(got["HML"][july:], 0.02, rtol=1e-12)
    np.testing.assert_allclose(got["SMB"][july:], -0.03, rtol=1e-12)
    assert got["n_names"].sel(sort="book_to_market")[-1].values.tolist() == [[1] * 3] * 2
    turned = p["book"].copy(data=np.tile([3.0, 2, 1, 27, 18, 9], (len(dates), 1)))
    later = p["book"].where(p["date"] < np.datetime64("2020-06-01"), turned)
    fresh = xf.fama_french_factors(p["r"], p["cap"], later, accounting_lag=0)
    np.testing.assert_allclose(fresh["HML"][july:], -0.02, rtol=1e-12)


def test_momentum__is_the_return_from_twelve_to_two_months_before():
    """A jump counts from two to twelve months before the month that is held."""
    dates = pd.date_range("2018-01-31", periods=36, freq="ME")
    rng = np.random.default_rng(0)
    r = rng.normal(0, 1e-4, (36, 12))
    jump = 15
    r[jump, 0] = 1.0
    r[jump, 11] = -0.6
    ones = xr.DataArray(np.ones((36, 12)) * ([1.0, 9.0] * 6), dims=("date", "asset"),
                        coords={"date": dates})  # fmt: skip
    returns = ones.copy(data=r)
    first, last = jump + 2, jump + 12
    base = xf.fama_french_factors(returns, ones, ones)
    moved = returns.copy(deep=True)
    moved[:, 0] += 0.5  # the winner's portfolio, in whatever month it is held
    moved[jump, 0] = 1.0
    moved[:jump, 0] = returns[:jump, 0]
    more = xf.fama_french_factors(moved, ones, ones)
    assert base["MOM"].notnull().values.tolist() == [k >= 13 for k in range(36)]
    # Before the jump counts, the name is in no portfolio for its sake.
    np.testing.assert_allclose(more["MOM"][:jump], base["MOM"][:jump])
    held = base["returns"].sel(sort="momentum", size="small", level="high")
    assert held.notnull().sum() == 23
    gain = more["MOM"][first : last + 1] - base["MOM"][first : last + 1]
    assert bool((gain > 0.05).all())


@few
@given(data=st.data(), seed=st.integers(0, 99))
def test_factors__are_the_same_bit_for_bit_whatever_the_chunks(data, seed):
    frequency, n = data.draw(st.sampled_from([("B", 420), ("ME", 40)]))
    rule = data.draw(st.sampled_from(["osap", "jkp"]))
    p = market(n, 14, frequency, seed).astype(data.draw(st.sampled_from([float, np.float32])))
    p = p.assign(nyse=p["nyse"] > 0, inside=p["inside"] > 0)
    want = factors(p, rule=rule, min_names=1)
    cut = {"date": data.draw(strategies.cuts(n)), "asset": -1}
    got = factors(p.chunk(cut), rule=rule, min_names=1)
    assert all(v.chunks is not None for v in got.data_vars.values())
    contracts.assert_same_bits(got.compute(), want)
    assert want["SMB"].dtype == p["returns"].dtype


def test_factors__of_several_universes_in_one_pass():
    p = market(320, 16, "B")
    bare = p.drop_vars(["inside"])
    both = xr.concat([p["inside"], ~p["inside"]], "universe").assign_coords(universe=["a", "b"])
    cap = xr.concat([p["cap"], p["cap"]], "universe").assign_coords(universe=["a", "b"])
    wide = bare.assign(inside=both, cap=cap).transpose("universe", "date", "asset")
    got = factors(wide, nyse=False)
    lazy = factors(wide.chunk(date=64, universe=1), nyse=False)
    for name in ("a", "b"):
        want = factors(p.assign(inside=both.sel(universe=name, drop=True)), nyse=False)
        for k in ("market", "HML", "MOM", "returns", "n_dropped"):
            one = got[k].sel(universe=name, drop=True).transpose(*want[k].dims)
            np.testing.assert_array_equal(one, want[k])
            two = lazy[k].sel(universe=name, drop=True).transpose(*want[k].dims)
            np.testing.assert_array_equal(two, want[k])


@pytest.mark.parametrize("rule", ["osap", "jkp"])
def test_factors__see_no_future(rule):
    p = market(460, 60, "B")
    testing.check_no_lookahead(lambda f: factors(f, rule=rule, min_names=1), p, cuts=4)


def test_factors__compute_nothing_when_called(raise_if_computes):
    p = market(60, 8, "B").chunk(date=20)
    with raise_if_computes():
        got = factors(p, assets=True)
    assert list(got.data_vars)[:7] == ["market", "SMB", "HML", "MOM", "RMW", "CMA", "SMB5"]


def test_factors__edges():
    """One date, one asset, nothing known, nobody listed on the NYSE."""
    for n_dates, n_assets in ((1, 5), (300, 1), (300, 0)):
        got = factors(market(n_dates, n_assets, "B"))
        assert bool(got["HML"].isnull().all())
    p = market(330, 40, "B")
    none = xr.zeros_like(p["cap"]) * NAN
    got = xf.fama_french_factors(p["returns"], p["cap"], none)
    assert bool(got["HML"].isnull().all())
    assert bool(got["MOM"].notnull().any())
    nobody = xr.zeros_like(p["nyse"])
    got = xf.fama_french_factors(p["returns"], p["cap"], p["book"], breakpoints_from=nobody)
    assert bool(got["SMB"].isnull().all())
    assert int(got["n_obs"].sum()) == 0


def test_factors__errors_say_what_to_do():
    p = market(30, 5, "B")
    r, cap, book = p["returns"], p["cap"], p["book"]
    with pytest.raises(xf.PanelError, match="rule='french' is unknown"):
        xf.fama_french_factors(r, cap, book, rule="french")
    with pytest.raises(xf.PanelError, match="rebalance='july' is unknown"):
        xf.fama_french_factors(r, cap, book, rebalance="july")
    with pytest.raises(xf.PanelError, match="accounting_lag=-1"):
        xf.fama_french_factors(r, cap, book, accounting_lag=-1)
    with pytest.raises(xf.PanelError, match="asset_growth and total_assets"):
        xf.fama_french_factors(r, cap, book, asset_growth=book, total_assets=book)
    back = p.isel(date=slice(None, None, -1))
    with pytest.raises(xf.PanelError, match="not sorted"):
        xf.fama_french_factors(back["returns"], back["cap"], back["book"])
    with pytest.raises(xf.PanelError, match="book_equity"):
        xf.fama_french_factors(r, cap, book[:20])
    with pytest.raises(TypeError, match="takes a DataArray as book_equity"):
        xf.fama_french_factors(r, cap, p)
    with pytest.raises(TypeError, match="breakpoints_from has dtype"):
        xf.fama_french_factors(r, cap, book, breakpoints_from=cap)
    number = p.assign_coords(date=np.arange(30))
    with pytest.raises(xf.PanelError, match="datetime64"):
        xf.fama_french_factors(number["returns"], number["cap"], number["book"])


def test_factors__of_no_dates_are_none_and_labels_are_plain_strings():
    p = market(30, 5, "B")
    r, cap, book = (p[k].isel(date=slice(0)) for k in ("returns", "cap", "book"))
    for rule in ("osap", "jkp"):
        got = xf.fama_french_factors(r, cap, book, rule=rule)
        assert got.SMB.shape == (0,)
        assert all(got[d].dtype.kind == "U" for d in ("sort", "size", "level"))


# --- premia that are known ------------------------------------------------------------------------

MONTHS, PREMIA, DEVIATION = 180, {"SMB": 0.004, "HML": 0.006}, 0.03


def universe(seed):
    """Returns of small and big, cheap and dear companies, whose premia are known.

    Loadings are those that make SMB and HML the two factors themselves, but for specific risk:
    half of a factor either way, by the parts of 2 x 3 sorts that a name never leaves.
    """
    rng = np.random.default_rng(seed)
    n = 120
    small, level = np.arange(n) % 2 == 0, np.arange(n) // 2 % 10
    value = np.where(level < 3, -0.5, np.where(level < 7, 0.0, 0.5))
    factor = {k: m + DEVIATION * rng.normal(size=MONTHS) for k, m in PREMIA.items()}
    r = factor["SMB"][:, None] * np.where(small, 0.5, -0.5) + factor["HML"][:, None] * value
    r = r + 0.01 * rng.normal(size=(MONTHS, 1)) + 0.05 * rng.normal(size=(MONTHS, n))
    cap = np.tile(np.where(small, 1.0, 1e4) * rng.uniform(1, 2, n), (MONTHS, 1))
    book = cap * (level + rng.uniform(0, 0.5, n))
    dates = pd.date_range("2000-01-31", periods=MONTHS, freq="ME")
    coords = {"date": dates, "asset": np.arange(n)}
    fields = {"returns": r, "cap": cap, "book": book + cap}
    return xr.Dataset({k: (("date", "asset"), v) for k, v in fields.items()}, coords=coords)


@pytest.mark.slow
def test_premia__are_recovered_within_two_errors_on_most_seeds():
    seeds = range(200)
    hits = dict.fromkeys(PREMIA, 0)
    for seed in seeds:
        p = universe(seed)
        made = xf.fama_french_factors(p["returns"], p["cap"], p["book"])
        for name, truth in PREMIA.items():
            found = xf.newey_west(made[name], lags=0)
            hits[name] += abs(float(found["mean"]) - truth) < 2 * float(found.stderr)
    assert {k: n for k, n in hits.items() if n < 0.95 * len(seeds)} == {}


def test_exchange__is_a_mask_by_name():
    p = market(40, 30, "ME")
    want = factors(p)
    text = xr.where(p["nyse"], "NYSE", "AMEX")
    codes = xr.where(p["nyse"], 2, -1).astype(np.int16)
    codes.attrs = {"flag_values": [1, 2], "flag_meanings": "NASDAQ NYSE"}
    options = {"asset_growth": p["growth"], "where": p["inside"]}
    profits = {"operating_profitability": p["profitability"]}
    for exchange in (text, codes):
        got = xf.fama_french_factors(
            p["returns"], p["cap"], p["book"], exchange=exchange, **options, **profits
        )
        for name in want:
            np.testing.assert_array_equal(got[name], want[name])
    for bad, match in (
        ({"exchange": codes.drop_attrs()}, "flag_meanings that name NYSE"),
        ({"exchange": text, "breakpoints_from": p["nyse"]}, "one of them"),
    ):
        with pytest.raises(xf.PanelError, match=match):
            xf.fama_french_factors(p["returns"], p["cap"], p["book"], **bad)
