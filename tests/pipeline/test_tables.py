"""What zipline's methods give, by hand: rows of numbers and what they become.

`_` is missing. Every table runs in memory and in chunks. The edge rows are those on which zipline
was run: where it gave nonsense or raised, the result is what it says elsewhere that it should be.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xfactor.pipeline import Latest, Pipeline, field, run_pipeline

_ = np.nan
INF = np.inf
x, m, g = field("x"), field("m", bool), field("g", int)
T, F = True, False


def evaluate(term, x=None, *, m=None, g=None, words=None, start="2020-01-01", chunks=None, **more):
    """The values of a term on rows of the fields x, m (a filter) and g (groups)."""
    rows = {"x": x, "m": m, "g": g, **more}
    shape = next(np.shape(v) for v in rows.values() if v is not None)
    names = {} if words is None else {"flag_values": [*range(len(words))], "flag_meanings": words}
    fields = {
        "x": np.zeros(shape) if x is None else np.asarray(x, dtype=float),
        "m": np.ones(shape, bool) if m is None else np.asarray(m, dtype=bool),
        "g": np.zeros(shape, np.int16) if g is None else np.asarray(g, dtype=np.int16),
        **{k: np.asarray(v) for k, v in more.items()},
    }
    coords = {
        "date": pd.date_range("2020-01-01", periods=shape[0], freq="B"),
        "asset": list("abcdefghijklmnopqrstuvwxyz"[: shape[1]]),
    }
    panel = xr.Dataset({k: (("date", "asset"), v) for k, v in fields.items()}, coords)
    panel["g"].attrs = names | ({} if words is None else {"flag_meanings": " ".join(words)})
    if chunks:
        panel = panel.chunk(date=chunks)
    return Pipeline({"it": term}).to_dataset(panel, start)["it"]


def assert_table(term, want, x=None, **fields):
    want = np.asarray(want)
    for chunks in (None, 1):
        got = evaluate(term, x, chunks=chunks, **fields).values
        if want.dtype.kind in "bi":
            np.testing.assert_array_equal(got, want)
            assert got.dtype.kind == want.dtype.kind or got.dtype.kind == "f"
        else:
            np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)


# --- ranks --------------------------------------------------------------------------------------

TIES = [[3, 1, 3, _, 2, 1], [-1, -5, -1, -1, _, 0], [_, _, _, _, _, _], [7, 7, 7, 7, 7, 7]]
RANKS = {
    ("ordinal", True): [[4, 1, 5, _, 3, 2], [2, 1, 3, 4, _, 5], [_] * 6, [1, 2, 3, 4, 5, 6]],
    ("average", True): [[4.5, 1.5, 4.5, _, 3, 1.5], [3, 1, 3, 3, _, 5], [_] * 6, [3.5] * 6],
    ("min", True): [[4, 1, 4, _, 3, 1], [2, 1, 2, 2, _, 5], [_] * 6, [1] * 6],
    ("max", True): [[5, 2, 5, _, 3, 2], [4, 1, 4, 4, _, 5], [_] * 6, [6] * 6],
    ("dense", True): [[3, 1, 3, _, 2, 1], [2, 1, 2, 2, _, 3], [_] * 6, [1] * 6],
    ("ordinal", False): [[1, 4, 2, _, 3, 5], [2, 5, 3, 4, _, 1], [_] * 6, [1, 2, 3, 4, 5, 6]],
    ("average", False): [[1.5, 4.5, 1.5, _, 3, 4.5], [3, 5, 3, 3, _, 1], [_] * 6, [3.5] * 6],
    ("min", False): [[1, 4, 1, _, 3, 4], [2, 5, 2, 2, _, 1], [_] * 6, [1] * 6],
    ("max", False): [[2, 5, 2, _, 3, 5], [4, 5, 4, 4, _, 1], [_] * 6, [6] * 6],
    ("dense", False): [[1, 3, 1, _, 2, 3], [2, 3, 2, 2, _, 1], [_] * 6, [1] * 6],
}


@pytest.mark.parametrize(("method", "ascending"), RANKS)
def test_rank(method, ascending):
    assert_table(x.rank(method=method, ascending=ascending), RANKS[method, ascending], TIES)


MASK = [[T, T, F, T, T, F], [F, T, T, T, T, T], [T] * 6, [F, F, F, T, T, F]]
MASKED_RANKS = {
    "ordinal": [[3, 1, _, _, 2, _], [_, 1, 2, 3, _, 4], [_] * 6, [_, _, _, 1, 2, _]],
    "average": [[3, 1, _, _, 2, _], [_, 1, 2.5, 2.5, _, 4], [_] * 6, [_, _, _, 1.5, 1.5, _]],
    "min": [[3, 1, _, _, 2, _], [_, 1, 2, 2, _, 4], [_] * 6, [_, _, _, 1, 1, _]],
    "max": [[3, 1, _, _, 2, _], [_, 1, 3, 3, _, 4], [_] * 6, [_, _, _, 2, 2, _]],
    "dense": [[3, 1, _, _, 2, _], [_, 1, 2, 2, _, 3], [_] * 6, [_, _, _, 1, 1, _]],
}


@pytest.mark.parametrize("method", MASKED_RANKS)
def test_rank__within_a_mask(method):
    assert_table(x.rank(method=method, mask=m), MASKED_RANKS[method], TIES, m=MASK)


GROUPS = [[0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 1, 1], [2, 2, -1, -1, 5, 5]]
GROUP_RANKS = {
    "ordinal": [[2, 1, 3, _, 2, 1], [1, 1, 2, 2, _, 3], [_] * 6, [1, 2, _, _, 1, 2]],
    "min": [[2, 1, 2, _, 2, 1], [1, 1, 1, 2, _, 3], [_] * 6, [1, 1, _, _, 1, 1]],
    "max": [[3, 1, 3, _, 2, 1], [2, 1, 2, 2, _, 3], [_] * 6, [2, 2, _, _, 2, 2]],
    "dense": [[2, 1, 2, _, 2, 1], [1, 1, 1, 2, _, 3], [_] * 6, [1, 1, _, _, 1, 1]],
}  # fmt: skip


@pytest.mark.parametrize("method", GROUP_RANKS)
def test_rank__within_groups(method):
    assert_table(x.rank(method=method, groupby=g), GROUP_RANKS[method], TIES, g=GROUPS)


def test_rank__within_groups_and_a_mask():
    want = [[2, 1, _, _, 1, _], [_, 1, 1, 2, _, 3], [_] * 6, [_, _, _, _, 1, _]]
    assert_table(x.rank(mask=m, groupby=g), want, TIES, m=MASK, g=GROUPS)


# --- statistics across assets: x, what is asked, what it gives -----------------------------------

ROOT = np.sqrt(1.5)
STATISTICS = {
    "demean": (x.demean(), [[1, 2, 3, _]], [[-1, 0, 1, _]]),
    "demean mask": (x.demean(mask=m), [[1, 2, 3, 8]], [[-0.5, 0.5, _, _]]),
    "demean groups": (x.demean(groupby=g), [[1, 2, 3, 9]], [[-0.5, 0.5, _, 0]]),
    "demean mask groups": (x.demean(mask=m, groupby=g), [[1, 2, 3, 9]], [[-0.5, 0.5, _, _]]),
    "zscore": (x.zscore(), [[1, 2, 3, _]], [[-ROOT, 0, ROOT, _]]),
    "zscore mask": (x.zscore(mask=m), [[1, 2, 3, 8]], [[-1, 1, _, _]]),
    "zscore groups": (x.zscore(groupby=g), [[1, 2, 3, 9]], [[-1, 1, _, _]]),
    "top": (x.top(2), [[1, 4, 3, _]], [[F, T, T, F]]),
    "top mask": (x.top(1, mask=m), [[1, 2, 3, 8]], [[F, T, F, F]]),
    "top groups": (x.top(1, groupby=g), [[1, 2, 3, 9]], [[F, T, F, T]]),
    "top of few": (x.top(9), [[1, _, 3, _]], [[T, F, T, F]]),
    "bottom": (x.bottom(2), [[1, 4, 3, _]], [[T, F, T, F]]),
    "bottom mask": (x.bottom(1, mask=m), [[5, 2, 1, 0]], [[F, T, F, F]]),
    "bottom groups": (x.bottom(1, groupby=g), [[1, 2, 3, 9]], [[T, F, F, T]]),
    "rank top": (x.rank().top(2), [[1, 4, 3, _]], [[F, T, T, F]]),
    "rank bottom": (x.rank().bottom(2), [[1, 4, 3, _]], [[T, F, T, F]]),
    "rank mask top": (x.rank(mask=m).top(1), [[1, 2, 3, 8]], [[F, T, F, F]]),
    "rank descending top": (x.rank(ascending=False).top(1), [[1, 4, 3, _]], [[T, F, F, F]]),
    "rank dense top": (x.rank("dense").top(2), [[1, 3, 3, 2]], [[F, T, T, F]]),
    "rank top mask": (x.rank().top(1, mask=m), [[1, 2, 3, 8]], [[F, T, F, F]]),
    "quartiles": (x.quartiles(), [[1, 2, 3, 4]], [[0, 1, 2, 3]]),
    "quantiles": (x.quantiles(2), [[4, 1, 3, _]], [[1, 0, 0, -1]]),
    "quantiles mask": (x.quantiles(2, mask=m), [[2, 1, 3, 4]], [[1, 0, -1, -1]]),
    "quantiles groups": (x.quantiles(2, groupby=g), [[2, 1, 3, 4]], [[1, 0, -1, 0]]),
    "mean": (x - x.mean(), [[1, 2, 6, _]], [[-2, -1, 3, _]]),
    "mean mask": (x - x.mean(mask=m), [[1, 2, 6, 9]], [[-0.5, 0.5, 4.5, 7.5]]),
    "stddev": (0 * x + x.stddev(), [[1, 3, _, _]], [[1, 1, _, _]]),
    "max": (0 * x + x.max(), [[-1, -3, _, -2]], [[-1, -1, _, -1]]),
    "min": (0 * x + x.min(), [[-1, -3, _, -2]], [[-3, -3, _, -3]]),
    "median": (0 * x + x.median(), [[1, 2, 9, _]], [[2, 2, 2, _]]),
    "median even": (0 * x + x.median(mask=m), [[1, 4, 9, 9]], [[2.5] * 4]),
    "sum": (0 * x + x.sum(), [[1, 2, 9, _]], [[12, 12, 12, _]]),
    "notnull_count": (0 * x + x.notnull_count(), [[1, 2, 9, _]], [[3, 3, 3, _]]),
    "one asset": (x - x["b"], [[1, 2, 9, _]], [[-1, 0, 7, _]]),
    "peer_count": (g.peer_count(), [[0, 0, 0, 0]], [[2, 2, _, 1]]),
    "peer_count mask": (g.peer_count(mask=m), [[0, 0, 0, 0]], [[2, 2, _, _]]),
}  # fmt: skip
BESIDE = {"m": [[T, T, F, F]], "g": [[0, 0, -1, 7]]}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistic(name):
    term, rows, want = STATISTICS[name]
    assert_table(term, want, rows, **BESIDE)


TEN = [[*range(10, 0, -1)]]
WINSORIZED = {
    (0.1, 0.9): [[9, 9, 8, 7, 6, 5, 4, 3, 2, 2]],
    (0.0, 0.8): [[8, 8, 8, 7, 6, 5, 4, 3, 2, 1]],
    (0.25, 1.0): [[10, 9, 8, 7, 6, 5, 4, 3, 3, 3]],
    (0.05, 0.95): TEN,  # half a value is none
}


@pytest.mark.parametrize("limits", WINSORIZED)
def test_winsorize(limits):
    assert_table(x.winsorize(*limits), WINSORIZED[limits], TEN)


def test_winsorize__counts_valid_values_within_masks_and_groups():
    rows = [[1, 2, 3, 4, _, 9, 9, 9]]
    want = [[2, 2, 3, 3, _, _, _, _]]
    assert_table(x.winsorize(0.25, 0.75), [[2, 2, 3, 4, _, 9, 9, 9]], [[1, 2, 3, 4, _, 9, 9, 9]])
    assert_table(x.winsorize(0.25, 0.75, mask=m), want, rows, m=[[T] * 5 + [F] * 3])
    assert_table(x.winsorize(0.25, 0.75, groupby=g), want, rows, g=[[0] * 5 + [-1] * 3])


PERCENTILES = {
    (0, 50): [[T, T, T, F, F, F]], (50, 100): [[F, F, T, T, T, F]],
    (25, 75): [[F, T, T, T, F, F]], (26, 74): [[F, F, T, F, F, F]],
    (0, 100): [[T, T, T, T, T, F]], (10, 20): [[F, F, F, F, F, F]],
}  # fmt: skip


@pytest.mark.parametrize("limits", PERCENTILES)
def test_percentile_between__includes_both_ends(limits):
    assert_table(x.percentile_between(*limits), PERCENTILES[limits], [[1, 2, 3, 4, 5, _]])


def test_percentile_between__within_masks_and_groups():
    rows, inside = [[1, 2, 3, 40, 50, 60]], [[T, T, T, F, F, F]]
    assert_table(x.percentile_between(50, 100, mask=m), [[F, T, T, F, F, F]], rows, m=inside)
    both = [[F, T, T, F, T, T]]
    assert_table(x.percentile_between(50, 100, groupby=g), both, rows, g=[[0, 0, 0, 1, 1, 1]])


# --- one value at a time ------------------------------------------------------------------------

ODD = [[-4, 0, 0.5, _, INF, -INF]]
CELLS = {
    "clip": (x.clip(-1, 1), [[-1, 0, 0.5, _, 1, -1]]),
    "fillna": (x.fillna(9), [[-4, 0, 0.5, 9, INF, -INF]]),
    "fillna term": (x.fillna(x.notnull_count() * 0 + 7), [[-4, 0, 0.5, 7, INF, -INF]]),
    "isnull": (x.isnull(), [[F, F, F, T, F, F]]),
    "isnan": (x.isnan(), [[F, F, F, T, F, F]]),
    "notnull": (x.notnull(), [[T, T, T, F, T, T]]),
    "notnan": (x.notnan(), [[T, T, T, F, T, T]]),
    "isfinite": (x.isfinite(), [[T, T, T, F, F, F]]),
    "lt": (x < 0.5, [[T, T, F, F, F, T]]),
    "le": (x <= 0.5, [[T, T, T, F, F, T]]),
    "gt": (0.5 > x, [[T, T, F, F, F, T]]),
    "eq": (x.eq(0), [[F, T, F, F, F, F]]),
    "ne": (x != 0, [[T, F, T, T, T, T]]),
    "arithmetic": (1 + 2 * x - x / 2, [[-5, 1, 1.75, _, _, _]]),
    "swapped": (3 - x, [[7, 3, 2.5, _, -INF, INF]]),
    "1 / x": (1 / x, [[-0.25, INF, 2, _, 0, -0.0]]),
    "pow": (x**2, [[16, 0, 0.25, _, INF, INF]]),
    "rpow": (2**x, [[0.0625, 1, np.sqrt(2), _, INF, 0]]),
    "mod": (x % 3, [[2, 0, 0.5, _, _, _]]),
    "neg": (-x, [[4, 0, -0.5, _, -INF, INF]]),
    "abs": (x.abs(), [[4, 0, 0.5, _, INF, INF]]),
    "abs()": (abs(x), [[4, 0, 0.5, _, INF, INF]]),
    "sqrt": (x.sqrt(), [[_, 0, np.sqrt(0.5), _, INF, _]]),
    "log": (x.log(), [[_, -INF, np.log(0.5), _, INF, _]]),
    "exp": (x.exp(), [[np.exp(-4), 1, np.exp(0.5), _, INF, 0]]),
    "& |": ((x < 1) & (x > -1) | x.isnull(), [[F, T, T, T, F, F]]),
    "~": (~(x < 1), [[F, F, F, T, T, F]]),
    "if_else": ((x > 0).if_else(x, -x), [[4, 0, 0.5, _, INF, INF]]),
    "if_else filters": ((x > 0).if_else(x > 9, x < -1), [[T, F, F, F, T, T]]),
    "if_else groups": ((x > 0).if_else(x.bottom(9).if_else(g, g), g), [[0, 0, 0, 0, 0, 0]]),
    "latest": (Latest([x]), ODD),
    "alias": (x.alias("x again"), ODD),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_cellwise(name):
    term, want = CELLS[name]
    assert_table(term, want, ODD)


FUNCTIONS = [
    "abs", "log", "log10", "log1p", "exp", "expm1", "sqrt", "sin", "cos", "tan", "arcsin", "arccos",
    "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function__is_that_of_numpy_without_warnings(name):
    rows = np.array([[-2, -1, -0.5, 0, 0.5, 1, 2, _]])
    with np.errstate(all="ignore"):
        want = getattr(np, name)(rows)
    for chunks in (None, 1):
        got = evaluate(getattr(x, name)(), rows, chunks=chunks).values
        np.testing.assert_array_equal(got, want)


# --- the edge rows of definitions: all missing, constant, one valid, two valid, infinite ----------

EDGES = [[_] * 5, [2] * 5, [_, _, 7, _, _], [_, 3, _, 1, _], [INF, 1, 2, 3, -INF]]
ZERO = 0 * x.fillna(0).clip(0, 0)  # to see a number per date at all assets
ON_EDGES = {
    "rank": (
        x.rank("average"),
        [[_] * 5, [3] * 5, [_, _, 1, _, _], [_, 2, _, 1, _], [_, 1, 2, 3, _]],
    ),
    "zscore": (x.zscore(), [[_] * 5, [_] * 5, [_] * 5, [_, 1, _, -1, _], [_, -ROOT, 0, ROOT, _]]),
    "winsorize": (
        x.winsorize(0.2, 0.8),
        [[_] * 5, [2] * 5, [_, _, 7, _, _], [_, 3, _, 1, _], [_, 1, 2, 3, _]],
    ),
    "quantiles": (
        x.quantiles(2),
        [[-1] * 5, [0] * 5, [-1, -1, 0, -1, -1], [-1, 1, -1, 0, -1], [-1, 0, 0, 1, -1]],
    ),
    "demean": (x.demean(), [[_] * 5, [0] * 5, [_, _, 0, _, _], [_, 1, _, -1, _], [_, -1, 0, 1, _]]),
    "top": (  # the last of ties, so that no asset is in top and bottom
        x.top(1),
        [[F] * 5, [F, F, F, F, T], [F, F, T, F, F], [F, T, F, F, F], [F, F, F, T, F]],
    ),
    "bottom": (
        x.bottom(1),
        [[F] * 5, [T, F, F, F, F], [F, F, T, F, F], [F, F, F, T, F], [F, T, F, F, F]],
    ),
    "percentile_between": (
        x.percentile_between(50, 100),
        [[F] * 5, [T] * 5, [F, F, T, F, F], [F, T, F, F, F], [F, F, T, T, F]],
    ),
    "mean": (x.mean() + ZERO, [[_] * 5, [2] * 5, [7] * 5, [2] * 5, [2] * 5]),
    "max": (x.max() + ZERO, [[_] * 5, [2] * 5, [7] * 5, [3] * 5, [3] * 5]),
    "min": (x.min() + ZERO, [[_] * 5, [2] * 5, [7] * 5, [1] * 5, [1] * 5]),
    "sum": (x.sum() + ZERO, [[_] * 5, [10] * 5, [7] * 5, [4] * 5, [6] * 5]),
    "median": (x.median() + ZERO, [[_] * 5, [2] * 5, [7] * 5, [2] * 5, [2] * 5]),
    "stddev": (
        x.stddev() + ZERO,
        [[_] * 5, [0] * 5, [0] * 5, [1] * 5, [np.sqrt(2 / 3)] * 5],
    ),
    "notnull_count": (
        x.notnull_count() + ZERO,
        [[0] * 5, [5] * 5, [1] * 5, [2] * 5, [3] * 5],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_EDGES)
def test_edge_rows(name):
    term, want = ON_EDGES[name]
    assert_table(term, want, EDGES)


WITHIN = {
    "rank": x.rank("average", mask=m),
    "zscore": x.zscore(mask=m),
    "winsorize": x.winsorize(0.2, 0.8, mask=m),
    "quantiles": x.quantiles(2, mask=m),
    "demean": x.demean(mask=m),
    "top": x.top(1, mask=m),
    "bottom": x.bottom(1, mask=m),
    "percentile_between": x.percentile_between(50, 100, mask=m),
}


@pytest.mark.parametrize("name", WITHIN)
def test_edge_rows__are_what_a_mask_leaves(name):
    """Values outside the mask are as if they were not there."""
    inside = np.isfinite(EDGES)
    assert_table(WITHIN[name], ON_EDGES[name][1], np.where(inside, EDGES, 1e6), m=inside)


# --- groups -------------------------------------------------------------------------------------

CODES = [[0, 1, 2, -1], [2, 2, 0, 1]]
WORDS = ["tech", "bank", "textile"]
CLASSIFIERS = {
    "eq": (g.eq("bank"), [[F, T, F, F], [F, F, F, T]]),
    "eq a number": (g.eq(2), [[F, F, T, F], [T, T, F, F]]),
    "eq nothing": (g.eq("gold"), [[F] * 4] * 2),
    "ne": (g != "bank", [[T, F, T, T], [T, T, T, F]]),
    "element_of": (g.element_of(["tech", "bank"]), [[T, T, F, F], [F, F, T, T]]),
    "element_of numbers": (g.element_of([0, 2]), [[T, F, T, F], [T, T, T, F]]),
    "startswith": (g.startswith("te"), [[T, F, T, F], [T, T, T, F]]),
    "endswith": (g.endswith("ile"), [[F, F, T, F], [T, T, F, F]]),
    "has_substring": (g.has_substring("an"), [[F, T, F, F], [F, F, F, T]]),
    "matches": (g.matches("t.*e$"), [[F, F, T, F], [T, T, F, F]]),
    "matches from the beginning": (g.matches("ext"), [[F] * 4] * 2),
    "isnull": (g.isnull(), [[F, F, F, T], [F] * 4]),
    "notnull": (g.notnull(), [[T, T, T, F], [T] * 4]),
    "fillna": (g.fillna("bank"), [[0, 1, 2, 1], [2, 2, 0, 1]]),
    "fillna new": (g.fillna("gold"), [[0, 1, 2, 3], [2, 2, 0, 1]]),
    "fillna new, named": (g.fillna("gold").eq("gold"), [[F, F, F, T], [F] * 4]),
    "fillna term": (
        g.fillna(g.relabel(str.upper).fillna("BANK")).eq("BANK"),
        [[F, F, F, T], [F] * 4],
    ),
    "relabel": (g.relabel(lambda w: w[0]).eq("t"), [[T, F, T, F], [T, T, T, F]]),
    "relabel to none": (
        g.relabel({"tech": "A", "bank": "B"}.get).isnull(),
        [[F, F, T, T], [T, T, F, F]],
    ),
    "peer_count": (g.peer_count(), [[1, 1, 1, _], [2, 2, 1, 1]]),
    "demean by relabelled": (
        x.demean(groupby=g.relabel(lambda w: w[0])),
        [[-1, 0, 1, _], [0, 0, 0, 0]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier(name):
    term, want = CLASSIFIERS[name]
    assert_table(term, want, [[1, 2, 3, 4], [1, 1, 1, 4]], g=CODES, words=WORDS)


INTEGERS = {
    "eq": (g.eq(1), [[F, T, F, F], [F, F, F, T]]),
    "ne": (g != 1, [[T, F, T, T], [T, T, T, F]]),
    "element_of": (g.element_of([1, 2]), [[F, T, T, F], [T, T, F, T]]),
    "fillna": (g.fillna(5), [[0, 1, 2, 5], [2, 2, 0, 1]]),
    "fillna term": (g.fillna(g.fillna(9)), [[0, 1, 2, 9], [2, 2, 0, 1]]),
    "isnull": (g.isnull(), [[F, F, F, T], [F] * 4]),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_classifier_of_integers(name):
    term, want = INTEGERS[name]
    assert_table(term, want, g=CODES)


def test_classifier_of_words__is_a_category_of_all_its_words():
    names = np.array([["b", "a"], ["", "b"]], dtype=object)
    dims = ("date", "asset")
    coords = {"date": pd.date_range("2020-01-01", periods=2), "asset": [1, 2]}
    panel = xr.Dataset({"names": (dims, names)}, coords)
    term = field("names", str)
    frame = run_pipeline(Pipeline({"n": term, "b": term.eq("b"), "none": term.isnull()}), panel)
    assert frame["b"].tolist() == [T, F, F, T]
    assert frame["none"].tolist() == [F, F, T, F]
    assert frame["n"].astype(object).where(frame["n"].notna(), None).tolist() == [
        "b",
        "a",
        None,
        "b",
    ]


# --- downsampling -------------------------------------------------------------------------------

DAYS = pd.to_datetime(
    ["2019-12-30", "2019-12-31", "2020-01-02", "2020-01-03", "2020-01-06", "2020-03-31",
     "2020-04-01", "2020-04-02", "2021-01-04"]
)  # fmt: skip
HELD = {
    "year_start": [0, 0, 2, 2, 2, 2, 2, 2, 8],
    "quarter_start": [0, 0, 2, 2, 2, 2, 6, 6, 8],
    "month_start": [0, 0, 2, 2, 2, 5, 6, 6, 8],
    "week_start": [0, 0, 0, 0, 4, 5, 5, 5, 8],
}


@pytest.mark.parametrize("frequency", HELD)
@pytest.mark.parametrize("cut", [None, 1, 4])
def test_downsample__holds_the_first_session_of_each_period(frequency, cut):
    values = np.arange(9.0)[:, None]
    panel = xr.Dataset({"x": (("date", "asset"), values)}, {"date": DAYS, "asset": ["a"]})
    panel = panel if cut is None else panel.chunk(date=cut)
    terms = {
        "x": x.downsample(frequency),
        "odd": (x % 2).eq(1).downsample(frequency),
        "sum": x + x.downsample(frequency),
    }
    for start in range(9):  # the value of a date does not depend on where a run begins
        ds = Pipeline(terms).to_dataset(panel, DAYS[start])
        np.testing.assert_array_equal(ds["x"].values[:, 0], HELD[frequency][start:])
        odd = np.array(HELD[frequency][start:]) % 2 == 1
        np.testing.assert_array_equal(ds["odd"].values[:, 0], odd)
        np.testing.assert_array_equal(
            ds["sum"].values[:, 0], np.arange(start, 9) + HELD[frequency][start:]
        )


def test_downsample__of_groups_keeps_their_names():
    term = g.downsample("year_start")
    held = evaluate(term, g=[[0, 1], [1, 0]], words=["a", "b"])
    np.testing.assert_array_equal(held, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(
        evaluate(term.eq("b"), g=[[0, 1], [1, 0]], words=["a", "b"]), [[F, T], [F, T]]
    )


# --- zipline's bugs, by the letters of the list; each must be absent ------------------------------


def test_bug_a__top_1_of_negatives_is_the_highest():
    assert_table(x.top(1), [[F, F, T]], [[-3, -2, -1]])
    assert_table(x.bottom(1), [[T, F, F]], [[-3, -2, -1]])


def test_bug_b__clip_heeds_its_mask():
    assert_table(x.clip(-1, 1, mask=m), [[1, _, -1]], [[5, 5, -5]], m=[[T, F, T]])


def test_bug_c__a_missing_value_leaves_its_group_ranked():
    for method in ("ordinal", "average", "min", "max", "dense"):
        want = [[2, _, 1, 1]]
        assert_table(x.rank(method, groupby=g), want, [[2, _, 1, 5]], g=[[0, 0, 0, 1]])


def test_bug_d__quantiles_take_ties_and_empty_rows():
    rows = [[0, 0, 0, 0, 1, 2, 3, 4], [_] * 8, [5] * 8]
    buckets = evaluate(x.quantiles(4), rows).values
    assert (buckets[0, :4] == 0).all()  # equal values share a bucket
    assert (np.diff(buckets[0]) >= 0).all()
    assert buckets[0, -1] == 3
    assert (buckets[1] == -1).all()
    assert (buckets[2] == 0).all()


def test_bug_e__integers_rank_as_numbers_below_zero_too():
    whole = np.array([[-3, 2, -7, 0]])
    assert_table(field("w").rank(), [[2, 4, 1, 3]], w=whole)
    assert_table(field("w").top(1), [[F, T, F, F]], w=whole)


@pytest.mark.parametrize("method", ["average", "min", "max", "dense"])
def test_bug_f__a_missing_value_leaves_its_row_ranked(method):
    assert_table(x.rank(method), [[2, _, 1]], [[5, _, 4]])


def test_bug_g__winsorize_gives_what_its_code_says():
    rows = [[1, 2, 3, 4, 5, 6]]
    assert_table(x.winsorize(0.5, 1.0), [[4, 4, 4, 4, 5, 6]], rows)
    assert_table(x.winsorize(1 / 6, 0.5), [[2, 2, 3, 3, 3, 3]], rows)
    assert_table(x.winsorize(0, 0.5), [[1, 2, 3, 3, 3, 3]], rows)


def test_bug_h__winsorize_takes_an_empty_row():
    assert_table(x.winsorize(0.1, 0.9), [[_, _, _]], [[_, _, _]])
    assert evaluate(x.winsorize(0.1, 0.9), np.zeros((2, 0))).shape == (2, 0)


def test_tied_assets__are_not_both_in_top_and_bottom():
    """Zipline ranks -x for the top, so ties favour the first asset on both sides."""
    rows = [[1, 1, 1, 1]]
    top, bottom = x.rank().top(2), x.rank().bottom(2)
    assert_table(top & bottom, [[F] * 4], rows)
    assert_table(x.rank().top(2), [[F, F, T, T]], rows)
    assert_table(bottom, [[T, T, F, F]], rows)
