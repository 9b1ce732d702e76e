"""How a panel is cut and where it is computed changes no bit; no row knows the future.

And trees of terms as hypothesis draws them, against a naive evaluation of the same tree.
"""

import operator

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xfactor as xf
from tests import oracles, strategies
from tests.contracts import assert_same_bits
from xfactor.pipeline import (
    CustomClassifier,
    CustomFactor,
    CustomFilter,
    Pipeline,
    Returns,
    USEquityPricing,
    field,
    run_pipeline,
)

cap, book, close = field("market_cap"), field("book_to_price"), USEquityPricing.close
sector = field("sector", int)
LARGE = cap.top(12)
HISTORY = 25  # dates that the longest chain of windows needs


class Momentum(CustomFactor):
    inputs = [Returns(window_length=5)]
    window_length = 4

    def compute(self, today, assets, out, returns):
        out[:] = returns[0]


class Volatility(CustomFactor):
    inputs = [Returns(window_length=2)]
    window_length = 10
    mask = LARGE
    params = {"times": 2.0}
    outputs = ["level", "low"]

    def compute(self, today, assets, out, returns, times):
        out.level[:] = times * returns.std(axis=0)
        out.low[:] = returns.min(axis=0)


class Range(CustomFactor):
    inputs = [close, "volume"]
    window_length = 6

    def compute_block(self, dates, assets, out, price, volume):
        out[:] = price.max(axis=1) - price.min(axis=1) + np.log1p(volume.sum(axis=1))


class Rising(CustomFilter):
    inputs = [close]
    window_length = 3

    def compute(self, today, assets, out, price):
        out[:] = price[-1] > price[0]


class Board(CustomClassifier):
    inputs = [cap]
    window_length = 1
    categories = ["small", "large"]

    def compute(self, today, assets, out, size):
        known = np.isfinite(size[0])
        out[known] = size[0][known] > np.sort(size[0][known])[known.sum() // 2 :][:1]


def twenty():
    value = book.winsorize(0.05, 0.95).zscore(groupby=sector)
    momentum, score = Momentum(), book.rank(mask=LARGE)
    columns = {
        "cap": cap.log(),
        "value": value,
        "momentum": momentum.demean(mask=LARGE),
        "rank": momentum.rank("average", groupby=Board()),
        "returns": Returns(window_length=3),
        "excess": Returns(window_length=2) - Returns(window_length=2).mean(mask=LARGE),
        "volatility": Volatility().level,
        "low": Volatility(times=1.0).low.fillna(0.0),
        "range": Range(),
        "rising": Rising(),
        "board": Board(),
        "sector": sector.relabel(lambda name: name[0]),
        "peers": sector.peer_count(mask=LARGE),
        "quintile": score.quintiles(),
        "held": score.downsample("week_start"),
        "month": Rising().downsample("month_start"),
        "between": book.percentile_between(20, 80, mask=LARGE),
        "clipped": (1 / book).clip(-5, 5),
        "beside": (momentum > 0).if_else(value, -value),
        "against": Returns(window_length=2) - Returns(window_length=2)[10003],
    }
    assert len(columns) == 20
    return Pipeline(columns, screen=LARGE | score.top(3) | ~Rising())


@pytest.fixture(scope="module")
def panel():
    simulated, _ = xf.simulate_panel(dates=160, assets=25, seed=2)
    return simulated.compute()


@settings(max_examples=max(settings().max_examples // 3, 10))
@given(data=st.data(), label=st.sampled_from(["close", "open"]))
def test_twenty_terms__are_the_same_bit_for_bit_however_cut(panel, data, label):
    cut = panel.chunk(date=data.draw(strategies.cuts(panel.sizes["date"])))
    first = data.draw(st.integers(HISTORY, panel.sizes["date"] - 1))
    last = data.draw(st.integers(first, panel.sizes["date"] - 1))
    dates = panel.date.values[first], panel.date.values[last]
    want = twenty().to_dataset(panel, *dates, label=label).compute()
    assert_same_bits(twenty().to_dataset(cut, *dates, label=label).compute(), want)
    frames = [run_pipeline(twenty(), p, *dates, label=label) for p in (panel, cut)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    assert len(frames[0]) == int(want["screen"].sum())


def test_row__does_not_depend_on_where_a_run_begins(panel):
    dates = panel.date.values
    whole = run_pipeline(twenty(), panel, dates[HISTORY])
    for first in (HISTORY + 1, 70, len(dates) - 1):
        part = run_pipeline(twenty(), panel.chunk(date=11), dates[first])
        pd.testing.assert_frame_equal(
            part.reset_index(), whole.loc[dates[first] :].reset_index(), check_exact=True
        )


@pytest.mark.slow  # each worker compiles
def test_twenty_terms__on_threads_and_on_a_cluster(panel):
    distributed = pytest.importorskip("distributed")
    lazy, start = panel.chunk(date=30), panel.date.values[HISTORY]
    with dask.config.set(scheduler="threads"):
        here = twenty().to_dataset(lazy, start).compute()
        frame = run_pipeline(twenty(), lazy, start)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        dask.config.set(scheduler="distributed"),
    ):
        there = twenty().to_dataset(lazy, start).compute()
        frame_there = run_pipeline(twenty(), lazy, start)
    assert_same_bits(there, here)
    pd.testing.assert_frame_equal(frame_there, frame, check_exact=True)


@pytest.mark.parametrize(("label", "cut"), [("close", None), ("open", 32)])
def test_no_row__knows_the_future(panel, label, cut):
    fields = panel[["close", "adjusted_close", "volume", "market_cap", "book_to_price",
                    "sector", "listed"]]  # fmt: skip
    fields = fields if cut is None else fields.chunk(date=cut)
    # With this seed the first cut lies behind the history that the windows need.
    start = panel.date.values[HISTORY]
    xf.testing.check_no_lookahead(
        lambda p: twenty().to_dataset(p, start, label=label), fields, cuts=3, seed=7
    )


# --- trees of terms -----------------------------------------------------------------------------

DATES = pd.date_range("2020-01-01", periods=6, freq="B")
GOOD = field("good", bool)
GROUP = field("group", int)
BINARY = {"add": operator.add, "sub": operator.sub, "mul": operator.mul,
          "truediv": operator.truediv}  # fmt: skip
COMPARED = {"lt": operator.lt, "ge": operator.ge, "ne": operator.ne}
RANKS = ("ordinal", "average", "min", "max", "dense")

numbers = st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0])
masks = st.deferred(
    lambda: st.one_of(
        st.none(),
        st.just(("good",)),
        st.tuples(st.just("compare"), st.sampled_from(sorted(COMPARED)), trees, numbers),
        st.tuples(st.just("end"), st.sampled_from(["top", "bottom"]), trees, st.integers(1, 4)),
        st.tuples(st.sampled_from(["and", "or"]), st.just(("good",)), masks.filter(bool)),
        st.tuples(st.just("not"), masks.filter(bool)),
    )
)
groups = st.booleans()
# What is exact in floats, so that ranks of it have one answer: no statistics among it.
trees = st.deferred(
    lambda: st.one_of(
        st.tuples(st.just("field"), st.sampled_from("xy")),
        st.tuples(st.just("field"), st.sampled_from("xy")),
        st.tuples(st.sampled_from(sorted(BINARY)), trees, trees),
        st.tuples(st.just("scalar"), st.sampled_from(sorted(BINARY)), trees, numbers),
        st.tuples(st.just("neg"), trees),
        st.tuples(st.just("rank"), st.sampled_from(RANKS), st.booleans(), trees, masks, groups),
        st.tuples(st.just("choose"), masks.filter(bool), trees, trees),
    )
)
statistics = st.tuples(st.sampled_from(["zscore", "demean"]), trees, masks, groups)


def term_of(tree):
    """The tree as a term."""
    kind, *rest = tree
    if kind == "field":
        return field(*rest)
    if kind == "good":
        return GOOD
    if kind in BINARY:
        return BINARY[kind](*map(term_of, rest))
    if kind == "scalar":
        return BINARY[rest[0]](term_of(rest[1]), rest[2])
    if kind == "neg":
        return -term_of(rest[0])
    if kind == "compare":
        return COMPARED[rest[0]](term_of(rest[1]), rest[2])
    if kind == "end":
        return getattr(term_of(rest[1]), rest[0])(rest[2])
    if kind in ("and", "or"):
        a, b = map(term_of, rest)
        return a & b if kind == "and" else a | b
    if kind == "not":
        return ~term_of(rest[0])
    if kind == "choose":
        which, one, other = map(term_of, rest)
        return which.if_else(one, other)
    *options, inner, mask, grouped = rest
    beside = {
        "mask": None if mask is None else term_of(mask),
        "groupby": GROUP if grouped else None,
    }
    return getattr(term_of(inner), kind)(*options, **beside)


def naive(tree, tables):
    """The tree by pandas and, for what looks across assets, by one row of one group at a time."""
    kind, *rest = tree
    if kind == "field":
        return tables[rest[0]]
    if kind == "good":
        return tables["good"]
    if kind in BINARY:
        return BINARY[kind](*(naive(t, tables) for t in rest))
    if kind == "scalar":
        return BINARY[rest[0]](naive(rest[1], tables), rest[2])
    if kind == "neg":
        return -naive(rest[0], tables)
    if kind == "compare":
        return COMPARED[rest[0]](naive(rest[1], tables), rest[2])
    if kind == "end":
        rows = getattr(oracles, rest[0])
        return across(lambda row, names: rows(row, names, rest[2]), naive(rest[1], tables), None)
    if kind in ("and", "or"):
        a, b = (naive(t, tables) for t in rest)
        return a & b if kind == "and" else a | b
    if kind == "not":
        return ~naive(rest[0], tables)
    if kind == "choose":
        which, one, other = (naive(t, tables) for t in rest)
        return one.where(which, other)
    *options, inner, mask, grouped = rest
    x = naive(inner, tables)
    x = x if mask is None else x.where(naive(mask, tables))
    return across(ROWS[kind](*options), x, tables["group"] if grouped else None)


ROWS = {
    "rank": lambda method, ascending: (
        lambda row, names: oracles.rank(row, names, method, ascending)
    ),
    "zscore": lambda: lambda row, names: oracles.zscore(row),
    "demean": lambda: lambda row, names: oracles.demean(row),
}


def across(function, x, codes):
    """A function of a row and its labels on each row, or on each group of it."""
    out = pd.DataFrame(np.nan, x.index, x.columns, dtype=object)
    for date in x.index:
        of = pd.Series(0, x.columns) if codes is None else codes.loc[date]
        for code in set(of) - {-1}:
            names = of.index[of == code]
            out.loc[date, names] = function(x.loc[date, names].tolist(), list(names))
    return out.infer_objects() if codes is None else out.astype(float)


@st.composite
def small_panels(draw):
    """Few different numbers, so that ties abound; missing and infinite ones."""
    shape = (len(DATES), draw(st.integers(1, 7)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.choice([-3.0, -1.0, 0.0, 1.0, 2.0, 5.0, np.nan, np.inf], (2, *shape),
                        p=[0.15, 0.15, 0.1, 0.15, 0.15, 0.1, 0.15, 0.05])  # fmt: skip
    names = draw(st.permutations([f"a{i}" for i in range(shape[1])]))
    dims = ("date", "asset")
    return xr.Dataset(
        {
            "x": (dims, values[0]),
            "y": (dims, values[1]),
            "good": (dims, rng.random(shape) < 0.7),
            "group": (dims, rng.integers(-1, 2, shape).astype(np.int16)),
        },
        {"date": DATES, "asset": list(names)},
    )


@settings(max_examples=2 * settings().max_examples)
@given(panel=small_panels(), tree=st.one_of(trees, statistics), data=st.data())
def test_tree_of_terms__is_what_naive_evaluation_gives(panel, tree, data):
    tables = {k: panel[k].to_pandas() for k in panel.data_vars}
    with np.errstate(all="ignore"):
        want = naive(tree, tables).to_numpy(dtype=float)
    cut = data.draw(st.none() | strategies.cuts(len(DATES)))
    panel = panel if cut is None else panel.chunk(date=cut)
    got = Pipeline({"tree": term_of(tree)}).to_dataset(panel)["tree"]
    exact = tree[0] not in ("zscore", "demean")
    np.testing.assert_allclose(
        got.values, want, rtol=0 if exact else 1e-12, atol=0 if exact else 1e-12
    )
