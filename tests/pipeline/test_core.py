"""What a term is, what a custom term sees, and what a pipeline gives."""

import contextlib
import copy
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import xfactor as xf
from tests import strategies
from tests.contracts import assert_same_bits
from xfactor.pipeline import (
    Column,
    CustomClassifier,
    CustomFactor,
    CustomFilter,
    DataSet,
    Latest,
    Pipeline,
    Returns,
    USEquityPricing,
    field,
    run_pipeline,
)

x, good, sector = field("x"), field("good", bool), field("sector", int)
DATES = pd.date_range("2020-01-01", periods=8, freq="B")
ASSETS = ["a", "b", "c", "d"]


def drawn(dates=8, assets=4, seed=0, **fields):
    """A small panel without a universe: x, y, a code with names, a truth."""
    rng = np.random.default_rng(seed)
    shape, dims = (dates, assets), ("date", "asset")
    x = rng.normal(size=shape).round(2)
    x[rng.random(shape) < 0.1] = np.nan
    coords = {
        "date": pd.date_range("2020-01-01", periods=dates, freq="B"),
        "asset": [f"a{i:02d}" for i in range(assets)] if assets != 4 else ASSETS,
    }
    flags = {"flag_values": [0, 1], "flag_meanings": "tech bank"}
    sector = rng.integers(-1, 2, shape).astype(np.int16)
    return xr.Dataset(
        {
            "x": (dims, x),
            "y": (dims, rng.normal(size=shape)),
            "close": (dims, rng.lognormal(3, 0.1, shape)),
            "sector": (dims, sector, flags),
            "good": (dims, rng.random(shape) < 0.7),
            **fields,
        },
        coords,
    )


class Seen(CustomFactor):
    """Notes what `compute` gets."""

    inputs = ["x"]
    window_length = 3
    calls = []

    def compute(self, today, assets, out, x):
        self.calls.append((today, list(assets), x.copy()))
        out[:] = x[-1] - x[0]


@pytest.fixture(autouse=True)
def _nothing_seen():
    Seen.calls.clear()


class Spread(CustomFactor):
    inputs = ["x", "y"]
    window_length = 2
    params = {"times": 1.0}
    outputs = ["wide", "narrow"]

    def compute(self, today, assets, out, x, y, times):
        out.wide[:] = times * (x[-1] - y[0])
        out.narrow[:] = -out.wide


class Level(CustomFactor):
    """Defined at the top, to be pickled by its name."""

    inputs = ["x"]
    window_length = 1
    params = ("level",)

    def compute(self, today, assets, out, x, level):
        out[:] = x[0] + level


# --- terms --------------------------------------------------------------------------------------

SOME = {
    "field": lambda: field("x"),
    "method": lambda: field("x").rank(method="min", mask=field("good", bool)),
    "arithmetic": lambda: (1 - field("x")) / field("y") ** 2 > 0.5,
    "groups": lambda: field("x").zscore(groupby=field("sector", int)),
    "words": lambda: field("sector", int).element_of(["tech", "bank"]) & ~field("good", bool),
    "custom": lambda: Level(level=2),
    "output": lambda: Spread(times=3).wide,
    "held": lambda: field("x").downsample("month_start"),
    "one": lambda: field("x")["a"],
    "window": lambda: Returns(window_length=3),
    "clipped": lambda: field("x").clip(-1, 1).fillna(0.0).top(3),
}


@pytest.mark.parametrize("name", SOME)
def test_term__is_one_object_frozen_hashable_and_picklable(name):
    term = SOME[name]()
    assert SOME[name]() is term
    assert {term: 1}[SOME[name]()] == 1
    for other in (pickle.loads(pickle.dumps(term)), copy.copy(term), copy.deepcopy(term)):
        assert other is term
    assert cloudpickle.loads(cloudpickle.dumps(term)) is term
    with pytest.raises(AttributeError, match="frozen"):
        term.mask = None
    with pytest.raises(xf.PanelError, match="truth value"):
        bool(term)
    assert "\n" not in repr(term)


def test_term__differs_where_it_says_something_else():
    x = field("x")
    pairs = [
        (x + 1, x + 1.5), (x + 1.0000001, x + 1.0000002), (x - 1, 1 - x), (x.top(3), x.top(4)),
        (x.rank(), x.rank(ascending=False)), (x.rank(), x.rank(mask=field("good", bool))),
        (Level(level=1), Level(level=2)), (Level(level=1), Level(level=True)),
        (x.alias("a"), x.alias("b")), (x / 0.0, x / -0.0), (field("x"), field("x", adjusted=True)),
        (Spread(), Spread(inputs=["y", "x"])), (x.mean(), x.mean(mask=field("good", bool))),
    ]  # fmt: skip
    assert [(a, b) for a, b in pairs if a is b] == []


def test_term__is_made_once_by_many_threads():
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(field("x").rank().top(7))) for _ in range(16)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(map(id, made))) == 1


MAIN = """
import sys, cloudpickle, numpy as np, xfactor as xf
from xfactor.pipeline import CustomFactor, Pipeline, field

class Mine(CustomFactor):
    inputs = ["close"]
    window_length = 2
    params = {"times": 2.0}
    def compute(self, today, assets, out, close, times):
        out[:] = times * close.sum(axis=0)

term = Mine(times=3.0).rank()
sys.stdout.buffer.write(cloudpickle.dumps((term, Pipeline({"mine": term}))))
"""


def test_term__of_a_class_in_main_reaches_another_process():
    """As from a notebook: the class is sent by value."""
    root = Path(xf.__file__).parents[1]
    sent = subprocess.run([sys.executable, "-c", MAIN], capture_output=True, check=True, cwd=root)
    term, pipe = cloudpickle.loads(sent.stdout)
    assert pipe.columns["mine"] is term
    panel = drawn()
    got = pipe.to_dataset(panel, DATES[1])["mine"]
    want = xf.rank(panel["close"] + panel["close"].shift(date=1)).isel(date=slice(1, None))
    np.testing.assert_array_equal(got, want)


NOTEBOOK = """
import numpy as np, pandas as pd, xarray as xr
from xfactor.pipeline import CustomFactor, Pipeline, run_pipeline

class Mine(CustomFactor):
    inputs = ["close"]
    window_length = 1
    def compute(self, today, assets, out, close):
        out[:] = LEVEL
        seen.append(today)

dates = pd.date_range("2020-01-01", periods=4)
close = xr.DataArray(np.ones((4, 2)), {"date": dates, "asset": [1, 2]})
panel = close.to_dataset(name="close")
for LEVEL in (1, 2):
    seen = []
    frame = run_pipeline(Pipeline({"mine": Mine()}), panel.chunk(date=2))
    print(frame["mine"].unique(), len(seen))
"""


def test_compute__sees_the_variables_of_its_notebook_as_they_are():
    """dask's tokens of a class in __main__ would give it a copy of them."""
    root = Path(xf.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.split("\n")[:2] == ["[1.] 4", "[2.] 4"]


def test_equal_terms__are_computed_once():
    panel = drawn()
    columns = {"seen": Seen(), "rank": Seen().rank(), "again": Seen(window_length=3) + Seen()}
    frame = run_pipeline(Pipeline(columns, screen=Seen().notnull()), panel, DATES[2])
    assert [today for today, _, _ in Seen.calls] == list(DATES[2:])
    np.testing.assert_array_equal(frame["again"], 2 * frame["seen"])


# --- custom terms -------------------------------------------------------------------------------


def test_compute__sees_windows_oldest_first_to_the_row_of_today():
    panel = drawn()
    run_pipeline(Pipeline({"seen": Seen()}), panel, DATES[3], DATES[6])
    x = panel["x"].values
    assert len(Seen.calls) == 4
    for (today, assets, window), t in zip(Seen.calls, range(3, 7), strict=True):
        assert today == DATES[t]
        assert isinstance(today, pd.Timestamp)
        assert assets == ASSETS
        np.testing.assert_array_equal(window, x[t - 2 : t + 1])


def test_compute__sees_the_assets_of_its_mask_only():
    panel, good = drawn(), field("good", bool)
    frame = Pipeline({"seen": Seen(mask=good)}).to_dataset(panel, DATES[2])["seen"].values
    for (_, assets, window), t in zip(Seen.calls, range(2, 8), strict=True):
        inside = panel["good"].values[t]
        assert assets == list(np.array(ASSETS)[inside])
        np.testing.assert_array_equal(window, panel["x"].values[t - 2 : t + 1, inside])
        assert np.isnan(frame[t - 2, ~inside]).all()


def test_compute__is_not_called_where_its_mask_has_no_assets():
    class Most(CustomFactor):
        inputs = ["x"]
        window_length = 1
        mask = good

        def compute(self, today, assets, out, x):
            out[:] = x.max()  # an error on no values

    panel = drawn()
    panel["x"] = panel["x"].fillna(0.0)
    panel["good"][2:4] = False
    most = Pipeline({"most": Most()}).to_dataset(panel)["most"]
    inside = panel["x"].where(panel["good"])
    want = inside.max("asset").where(panel["good"]).transpose("date", "asset")
    np.testing.assert_array_equal(most, want)
    assert most[2:4].isnull().all()


@pytest.mark.parametrize("dim", ["asset", "date"])
def test_compute__takes_masks_and_inputs_of_one_dim(dim):
    panel = drawn(dates=30, assets=5)
    flat = {"date": 0} if dim == "asset" else {"asset": 0}
    for name in ("good", "y"):
        thin = panel[name].isel(flat, drop=True)
        wide = thin.broadcast_like(panel["x"]).transpose("date", "asset")
        panel = panel.assign({f"thin_{name}": thin, f"wide_{name}": wide})

    class Pair(CustomFactor):
        window_length = 4

        def compute(self, today, assets, out, x, y):
            out[:] = (x * y).sum(axis=0)

    got, want = (
        Pair(inputs=["x", f"{kind}_y"], mask=field(f"{kind}_good", bool))
        for kind in ("thin", "wide")
    )
    for data in (panel, panel.chunk(date=7)):
        ds = Pipeline({"got": got, "want": want}).to_dataset(data, panel.date.values[5]).compute()
        np.testing.assert_array_equal(ds["got"], ds["want"])
    assert ds["got"].notnull().any()


def test_outputs_and_params__are_attributes_and_arguments():
    panel = drawn()
    spread = Spread(times=3.0)
    wide, narrow = spread
    assert wide is spread.wide
    frame = run_pipeline(Pipeline({"w": spread.wide, "n": narrow}), panel, DATES[1])
    want = 3.0 * (panel["x"] - panel["y"].shift(date=1)).values[1:]
    got = frame["w"].unstack().to_numpy()
    np.testing.assert_array_equal(got, want[:, : got.shape[1]])
    np.testing.assert_array_equal(frame["n"], -frame["w"])
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = spread.other
    with pytest.raises(xf.PanelError, match=r"Add term\.wide"):
        Pipeline({"both": spread})


class ByBlock(Spread):
    mask = field("good", bool)

    def compute_block(self, dates, assets, out, x, y, times):
        assert x.shape == (len(dates), self.window_length, len(assets))
        out.wide[:] = times * (x[:, -1] - y[:, 0])
        out.narrow[:] = -out.wide


class ByDate(Spread):
    mask = field("good", bool)


@given(data=st.data())
def test_compute_block__gives_what_compute_gives(data):
    dates = data.draw(st.integers(4, 30))
    panel = drawn(dates, data.draw(st.integers(1, 6)), seed=data.draw(st.integers(0, 99)))
    mask = data.draw(strategies.masks(panel["x"]))
    panel = panel.assign(good=mask.transpose(*[d for d in ("date", "asset") if d in mask.dims]))
    cut = data.draw(strategies.cuts(dates))
    length = data.draw(st.integers(1, 4))
    start = panel.date.values[data.draw(st.integers(length - 1, dates - 1))]
    both = {}
    for cls in (ByBlock, ByDate):
        term = cls(window_length=length, times=2.0)
        both[cls] = Pipeline({"wide": term.wide, "narrow": term.narrow})
    want = both[ByDate].to_dataset(panel, start)
    for pipe in both.values():
        assert_same_bits(pipe.to_dataset(panel.chunk(date=cut), start).compute(), want.compute())


class Rising(CustomFilter):
    inputs = ["close"]
    window_length = 2

    def compute(self, today, assets, out, close):
        out[:] = close[-1] > close[0]


class Kind(CustomClassifier):
    inputs = ["x"]
    window_length = 1
    categories = ["low", "high"]

    def compute(self, today, assets, out, x):
        out[x[0] < 0] = 0
        out[x[0] >= 0] = 1


def test_custom_filter_and_classifier():
    panel = drawn()
    pipe = Pipeline({"rising": Rising(), "kind": Kind(), "high": Kind().eq("high")})
    pipe.add(field("y").demean(groupby=Kind()), "away")
    frame = run_pipeline(pipe, panel, DATES[1])
    x, close = panel["x"], panel["close"]
    cells = [(d, a) for d, a in frame.index]
    assert frame["rising"].tolist() == [
        bool(close.sel(date=d, asset=a) > close.shift(date=1).sel(date=d, asset=a))
        for d, a in cells
    ]
    values = [float(x.sel(date=d, asset=a)) for d, a in cells]
    assert frame["kind"].dtype == pd.CategoricalDtype(["low", "high"])
    want = [None if np.isnan(v) else "high" if v >= 0 else "low" for v in values]
    assert [None if pd.isna(k) else k for k in frame["kind"]] == want
    assert frame["high"].tolist() == [w == "high" for w in want]
    np.testing.assert_allclose(frame["away"].groupby([frame.index.get_level_values(0),
                               frame["kind"]], observed=True).mean(), 0, atol=1e-12)  # fmt: skip


def test_compute__that_fails_says_when():
    class Fails(CustomFactor):
        inputs = ["x"]
        window_length = 1

        def compute(self, today, assets, out, x):
            if today == DATES[3]:
                raise ValueError("mine")
            out[:] = 0

    with pytest.raises(ValueError, match="mine") as caught:
        run_pipeline(Pipeline({"f": Fails()}), drawn())
    assert caught.value.__notes__ == ["in Fails.compute on 2020-01-06"]


def test_compute__may_not_change_its_panel():
    class Greedy(CustomFactor):
        inputs = ["x", "y"]
        window_length = 2

        def compute(self, today, assets, out, x, y):
            x[np.isnan(x)] = 0.0
            out[:] = x.sum(axis=0)

    panel = drawn()
    before = panel.copy(deep=True)
    for mask in (None, good):
        with contextlib.suppress(ValueError):
            run_pipeline(Pipeline({"g": Greedy(mask=mask)}), panel, DATES[1])
    xr.testing.assert_identical(panel, before)


# --- what a row knows ---------------------------------------------------------------------------


def test_label_open__row_d_is_what_label_close_gives_for_the_session_before():
    panel = drawn()
    pipe = Pipeline(
        {
            "seen": Seen(mask=field("good", bool)),
            "rank": field("x").rank(),
            "ret": Returns(window_length=3),
        },
        screen=field("y") > -1,
    )
    close = run_pipeline(pipe, panel, DATES[2], DATES[6])
    asked = [today for today, _, _ in Seen.calls]
    Seen.calls.clear()
    opened = run_pipeline(pipe, panel, DATES[3], DATES[7], label="open")
    assert [today for today, _, _ in Seen.calls] == list(DATES[3:8])
    assert asked == list(DATES[2:7])
    moved = close.index.set_levels(close.index.levels[0].shift(1, freq="B"), level=0)
    pd.testing.assert_frame_equal(opened, close.set_axis(moved), check_freq=False)
    with pytest.raises(xf.PanelError, match="needs 1 dates before 2020-01-01") as caught:
        run_pipeline(Pipeline({"x": field("x")}), panel, label="open")
    assert "\n" not in str(caught.value)


def test_universe__is_all_that_terms_know():
    panel = drawn(dates=12, assets=6)
    listed = panel["good"]
    pipe = Pipeline({
        "rank": field("x").rank(), "null": field("x").isnull(), "other": ~(field("y") > 0),
        "filled": field("x").fillna(0.0), "seen": Seen(), "sector": field("sector", int),
    })  # fmt: skip
    want = run_pipeline(pipe, panel.drop_vars("good").assign(listed=listed), DATES[2])
    by_name = run_pipeline(pipe, panel, DATES[2], universe="good")
    by_mask = run_pipeline(pipe, panel, DATES[2], universe=listed)
    shown = listed.sel(date=slice(DATES[2], None))
    assert len(want) == int(shown.sum())
    for got in (by_name, by_mask):
        pd.testing.assert_frame_equal(got, want)
    masked = xf.rank(panel["x"], where=listed).sel(date=want.index.levels[0])
    np.testing.assert_array_equal(want["rank"], masked.values[shown.values])
    ds = pipe.to_dataset(panel, DATES[2], universe="good")
    for name, nothing in {"null": False, "other": False, "sector": -1}.items():
        assert (ds[name].values[~shown.values] == nothing).all(), name
    assert np.isnan(ds["filled"].values[~shown.values]).all()


def test_universe__hides_the_past_of_an_asset_not_yet_listed():
    panel = drawn()
    panel = panel.assign(listed=panel["good"].copy(data=np.ones((8, 4), bool)))
    panel["listed"][:4, 0] = False
    run_pipeline(Pipeline({"seen": Seen()}), panel, DATES[4], DATES[4])
    ((_, assets, window),) = Seen.calls
    assert assets == ASSETS
    assert np.isnan(window[:2, 0]).all()


class Prices(CustomFactor):
    inputs = [USEquityPricing.close]
    window_length = 3
    calls = []

    def compute(self, today, assets, out, close):
        self.calls.append(close.copy())
        out[:] = close[0]


@pytest.mark.parametrize("cut", [None, 2])
def test_windows_of_prices__are_adjusted_to_their_last_date(cut):
    """Two for one on the fifth date: windows that span it see earlier prices halved."""
    traded = np.array([10.0, 11, 12, 13, 7, 7.5, 8, 8.5])[:, None]
    factor = np.array([0.5] * 4 + [1.0] * 4)[:, None]
    dims = ("date", "asset")
    panel = xr.Dataset(
        {"close": (dims, traded), "adjusted_close": (dims, 3 * traded * factor)},
        {"date": DATES, "asset": ["a"]},
    )
    panel = panel if cut is None else panel.chunk(date=cut)
    Prices.calls.clear()
    columns = {
        "old": Prices(),
        "now": USEquityPricing.close.latest,
        "ret": Returns(window_length=2),
    }
    frame = run_pipeline(Pipeline(columns), panel, DATES[2])
    want = [[10, 11, 12], [11, 12, 13], [6, 6.5, 7], [6.5, 7, 7.5], [7, 7.5, 8], [7.5, 8, 8.5]]
    np.testing.assert_allclose(
        np.sort([c[:, 0] for c in Prices.calls], axis=0), np.sort(want, axis=0)
    )
    np.testing.assert_allclose(frame["old"], [w[0] for w in want], rtol=1e-15)
    np.testing.assert_array_equal(frame["now"], traded[2:, 0])  # as traded
    np.testing.assert_allclose(frame["ret"], [12 / 11 - 1, 13 / 12 - 1, 7 / 6.5 - 1, 7.5 / 7 - 1,
                               8 / 7.5 - 1, 8.5 / 8 - 1])  # fmt: skip


# --- errors -------------------------------------------------------------------------------------


def test_too_little_history__names_the_term_and_the_dates():
    class Long(CustomFactor):
        inputs = [Returns(window_length=3)]
        window_length = 4

        def compute(self, today, assets, out, returns):
            out[:] = returns[0]

    pipe = Pipeline({"x": field("x"), "long": Long().rank()})
    with pytest.raises(xf.PanelError) as caught:
        run_pipeline(pipe, drawn(), DATES[3])
    told = str(caught.value)
    for needed in ("Long(window_length=4)", "needs 5 dates", "2020-01-06", "has 3", "2020-01-08"):
        assert needed in told
    assert "\n" not in told
    assert len(run_pipeline(pipe, drawn(), "2020-01-08")) > 0


WRONG = {
    "unknown field": (lambda: run(field("nothing")), xf.PanelError, "nothing"),
    "a truth as a number": (lambda: run(field("good")), xf.PanelError, "bool"),
    "a number as a truth": (lambda: run(field("x", bool)), xf.PanelError, "float"),
    "a number as a group": (lambda: run(field("x", int)), xf.PanelError, "float"),
    "a list as a parameter": (lambda: Level(level=[1]), xf.PanelError, "tuple"),
    "no parameter": (lambda: Level(), TypeError, "'level'"),
    "another parameter": (lambda: Level(level=1, depth=2), TypeError, "'depth'"),
    "no window": (lambda: CustomFactor(inputs=["x"]), xf.PanelError, "window_length"),
    "no inputs": (lambda: CustomFactor(window_length=2), xf.PanelError, "inputs"),
    "a window of none": (lambda: Seen(window_length=0), xf.PanelError, "window_length"),
    "no compute": (lambda: run(CustomFactor(["x"], 1)), NotImplementedError, "compute"),
    "a number as an input": (lambda: CustomFactor([3], 1), TypeError, "inputs"),
    "a factor as a mask": (lambda: x.rank(mask=field("y")), TypeError, "Filter"),
    "a factor as a mask of a class": (lambda: Seen(mask=x), TypeError, "Filter"),
    "a factor as groups": (lambda: x.rank(groupby=x), TypeError, "Classifier"),
    "text beside a factor": (lambda: x + "1", TypeError, "str|'1'"),
    "a method of none": (lambda: x.rank(method="best"), xf.PanelError, "best"),
    "no bins": (lambda: x.quantiles(0), xf.PanelError, "bins"),
    "top none": (lambda: x.top(0), xf.PanelError, "N"),
    "percentiles": (lambda: x.percentile_between(90, 10), xf.PanelError, "percentile_between"),
    "fractions": (lambda: x.winsorize(5, 95), xf.PanelError, "fractions"),
    "bounds": (lambda: x.clip(2, 1), xf.PanelError, "min_bound"),
    "a period": (lambda: x.downsample("day"), xf.PanelError, "month_start"),
    "a filter and a factor": (lambda: good & x, TypeError, "&"),
    "two kinds": (lambda: good.if_else(x, good), TypeError, "if_else"),
    "words of numbers": (lambda: run(field("plain", int).startswith("t")), xf.PanelError, "flag"),
    "a group of floats": (lambda: sector.eq(1.5), TypeError, "name or a number"),
    "an unknown asset": (lambda: run(x - x["z"]), xf.PanelError, "'z'"),
    "a rank of one number": (lambda: x.mean().rank(), xf.PanelError, "one number per date"),
    "a mean of one number": (lambda: x.mean().mean(), xf.PanelError, "one number per date"),
    "a top of one asset": (lambda: x["a"].top(1), xf.PanelError, "one number per date"),
    "a column of one number": (lambda: run(x.mean()), xf.PanelError, "per asset"),
    "no term": (lambda: Pipeline({"m": 3}), TypeError, "term"),
    "a name": (lambda: Pipeline({"date": x}), xf.PanelError, "date"),
    "a screen of numbers": (lambda: Pipeline(screen=x), TypeError, "Filter"),
    "no columns": (lambda: run_pipeline(Pipeline(), drawn()), xf.PanelError, "columns"),
    "no pipeline": (lambda: run_pipeline(x, drawn()), TypeError, "Pipeline"),
    "no dates": (lambda: run(x, "2021-01-01"), xf.PanelError, "2020-01-01 to 2020-01-10"),
    "dates in turn": (lambda: run(x, DATES[4], DATES[2]), xf.PanelError, "no session"),
    "a year as a number": (lambda: run(x, 2020), xf.PanelError, "'2011-01-01'"),
    "no date at all": (lambda: run(x, "soon"), xf.PanelError, "soon"),
    "not a time": (lambda: run(x, pd.NaT), xf.PanelError, "NaT"),
    "a label": (lambda: run(x, label="noon"), xf.PanelError, "noon"),
    "a universe of numbers": (lambda: run(x, universe="x"), TypeError, "bool"),
    "no universe": (lambda: run(x, universe="none"), xf.PanelError, "none"),
    "a dtype": (lambda: Column(complex), xf.PanelError, "complex"),
    "a call of a dataset": (lambda: DataSet(), TypeError, "not called"),
    "outputs": (lambda: Spread(outputs=["mean"]), xf.PanelError, "Rename"),
    "a pattern": (lambda: sector.matches("("), xf.PanelError, "regular expression"),
}  # fmt: skip


def run(term, *dates, **options):
    plain = (("date", "asset"), np.zeros((8, 4), dtype=np.int32))
    return run_pipeline(Pipeline({"c": term}), drawn(plain=plain), *dates, **options)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong__is_told_in_one_line(name):
    call, kind, told = WRONG[name]
    with pytest.raises(kind, match=told) as caught:
        call()
    assert "\n" not in str(caught.value)


# --- pipelines ----------------------------------------------------------------------------------


def test_pipeline__adds_removes_and_overwrites():
    pipe = Pipeline({"x": x})
    with pytest.raises(xf.PanelError, match="overwrite"):
        pipe.add(x.rank(), "x")
    pipe.add(x.rank(), "x", overwrite=True)
    assert pipe.columns == {"x": x.rank()}
    pipe.columns["other"] = x  # a copy
    with pytest.raises(xf.PanelError, match="There are: x"):
        pipe.remove("other")
    assert pipe.remove("x") is x.rank()
    assert pipe.columns == {}
    pipe.set_screen(good)
    with pytest.raises(xf.PanelError, match="has a screen"):
        pipe.set_screen(~good)
    pipe.set_screen(~good, overwrite=True)
    assert pipe.screen is ~good


def test_frame__has_the_layout_of_the_lecture():
    panel = drawn().assign(
        day=(("date", "asset"), np.full((8, 4), np.datetime64("2019-05-01", "ns"))),
        code=(("date", "asset"), np.arange(32).reshape(8, 4)),
        single=(("date", "asset"), np.ones((8, 4), np.float32)),
    )
    columns = {
        "b": x, "a": good, "rank": x.rank(), "single": field("single"), "sector": sector,
        "code": field("code", int), "day": field("day", "datetime64[ns]"),
        "bucket": x.quantiles(2),
    }  # fmt: skip
    frame = run_pipeline(Pipeline(columns, screen=field("y") > 0), panel, DATES[1], DATES[4])
    assert list(frame.columns) == list(columns)
    assert frame.index.names == ["date", "asset"]
    shown = (panel["y"] > 0).sel(date=slice(DATES[1], DATES[4])).to_pandas().stack()
    assert list(frame.index) == list(shown.index[shown])
    assert frame.dtypes.astype(str).to_dict() == {
        "b": "float64", "a": "bool", "rank": "float64", "single": "float32",
        "sector": "category", "code": "int32", "day": "datetime64[ns]", "bucket": "int16",
    }  # fmt: skip
    assert list(frame["sector"].cat.categories) == ["tech", "bank"]
    codes = panel["sector"].sel(date=slice(DATES[1], DATES[4])).values.ravel()[shown.values]
    np.testing.assert_array_equal(frame["sector"].cat.codes, codes)
    # What users do with it.
    assert frame.loc["2020-01-02"].index.name == "asset"
    assert frame.xs("a", level="asset").index.name == "date"
    assert len(frame["b"].unstack()) <= 4


def test_frame__of_nothing_has_its_columns():
    frame = run_pipeline(Pipeline({"x": x, "sector": sector}, screen=field("y") > 99), drawn())
    assert len(frame) == 0
    assert list(frame.columns) == ["x", "sector"]
    assert frame.index.names == ["date", "asset"]
    assert frame.dtypes.astype(str).tolist() == ["float64", "category"]
    assert frame["x"].groupby(level=0).mean().empty


def test_frame__without_a_screen_leaves_out_what_nobody_knows():
    panel = drawn()
    panel["x"][2, 1] = np.nan
    frame = run_pipeline(Pipeline({"x": x, "null": x.rank()}), panel)
    assert (DATES[2], "b") not in frame.index
    assert len(frame) == int(panel["x"].notnull().sum())


@pytest.mark.parametrize(
    "day",
    ["2020-01-03", pd.Timestamp("2020-01-03", tz="UTC"), np.datetime64("2020-01-03"),
     pd.Timestamp("2020-01-03").date(), pd.Timestamp("2020-01-03", tz="US/Eastern"),
     pd.Timestamp("2020-01-03").as_unit("ns")],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_dates__are_taken_as_they_come(day, unit):
    panel = drawn()
    panel["date"] = panel.indexes["date"].as_unit(unit)
    frame = run_pipeline(Pipeline({"y": field("y")}), panel, day, day)
    assert list(frame.index.unique("date")) == [DATES[2]]
    now = pd.Timestamp("2020-01-03 09:30:00.000000001")
    assert len(run_pipeline(Pipeline({"y": field("y")}), panel, now, "2020-01-06")) == 4


def test_dates__between_sessions_take_those_inside():
    frame = run_pipeline(Pipeline({"y": field("y")}), drawn(), "2020-01-04", "2020-01-07")
    assert list(frame.index.unique(0)) == list(DATES[3:5])


def test_to_dataset__is_lazy_and_keeps_chunks(raise_if_computes):
    panel = drawn(dates=20, assets=5).chunk(date=6)
    pipe = Pipeline(
        {"seen": Seen(mask=good), "rank": x.rank(groupby=sector), "five": x.top(3),
         "held": x.downsample("month_start"), "away": x - x.mean(), "kind": Kind(),
         "spread": Spread().wide, "one": x - x["a00"],
         "ret": Returns(window_length=3), "words": sector.startswith("t")},
        screen=x.top(2) | good,
    )  # fmt: skip
    with raise_if_computes():
        ds = pipe.to_dataset(panel, panel.date.values[2])
    assert all(v.chunks == ((4, 6, 6, 2), (5,)) for v in ds.data_vars.values())
    assert ds["screen"].chunks == ((4, 6, 6, 2), (5,))
    assert Seen.calls == []
    whole = pipe.to_dataset(panel.compute(), panel.date.values[2])
    assert_same_bits(ds.compute(), whole.compute())


def test_pipeline__runs_from_the_path_of_a_store(tmp_path):
    panel = drawn(dates=20, assets=5)
    xf.write_panel(panel.chunk(date=6), tmp_path / "p.zarr")
    pipe = Pipeline({"rank": x.rank(), "sector": sector, "seen": Seen()}, screen=good)
    want = run_pipeline(pipe, panel, "2020-01-10", "2020-01-20")
    for path in (tmp_path / "p.zarr", str(tmp_path / "p.zarr")):
        got = run_pipeline(pipe, path, "2020-01-10", "2020-01-20")
        assert list(got.index) == list(want.index)
        pd.testing.assert_frame_equal(got.reset_index(drop=True), want.reset_index(drop=True))


def test_fields__may_be_coordinates_of_the_assets():
    panel = drawn().assign_coords(country=("asset", ["us", "us", "de", "de"]))
    pipe = Pipeline({"x": field("y").demean(groupby=field("country", str))},
                    screen=field("country", str).eq("de"))  # fmt: skip
    frame = run_pipeline(pipe, panel, DATES[7])
    y = panel["y"].values[7]
    np.testing.assert_allclose(frame["x"], [(y[2] - y[3]) / 2, (y[3] - y[2]) / 2])


def test_latest__is_the_field_itself():
    ds = Pipeline({"a": Latest([x]), "b": x.latest, "c": x}).to_dataset(drawn())
    for name in "ab":
        np.testing.assert_array_equal(ds[name], ds["c"])


# --- memory -------------------------------------------------------------------------------------

NARROW = """
import resource, sys
import numpy as np, pandas as pd, xfactor as xf
import dask
from xfactor.pipeline import CustomFactor, Pipeline, field, run_pipeline

class Mean(CustomFactor):
    inputs = ["a"]
    window_length = 20
    def compute(self, today, assets, out, a):
        out[:] = a.mean(axis=0)

path = sys.argv[1]
top = field("a").rank().top(10)
pipe = Pipeline({"mean": Mean(), "b": field("b").zscore()}, screen=top)
dates = xf.open_panel(path).indexes["date"]
run_pipeline(pipe, path, dates[20], dates[40])  # what compiles is not counted
with open("/proc/self/clear_refs", "w") as f:
    f.write("5")
def mb(key):
    (line,) = (s for s in open("/proc/self/status") if s.startswith(key))
    return int(line.split()[1]) / 1024
before = mb("VmRSS")
with dask.config.set(num_workers=2):
    frame = run_pipeline(pipe, path, dates[20])
print(len(frame), mb("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_narrow_frame__of_a_large_panel_needs_a_few_chunks(tmp_path):
    """640 MB of two fields, 8 MB a chunk: the peak does not grow with the panel."""
    dates, assets, step = 10_000, 4000, 250
    rng = np.random.default_rng(0)
    for at in range(0, dates, step):
        days = pd.date_range("1970-01-01", periods=dates, freq="B")[at : at + step]
        part = xr.Dataset(
            {k: (("date", "asset"), rng.normal(size=(step, assets))) for k in "ab"},
            {"date": days, "asset": np.arange(assets)},
        )
        if at == 0:
            xf.write_panel(part.chunk(date=step), tmp_path / "p.zarr")
        else:
            xf.append_panel(part.chunk(date=step), tmp_path / "p.zarr")
    done = subprocess.run(
        [sys.executable, "-c", NARROW, str(tmp_path / "p.zarr")],
        capture_output=True, text=True, check=True, cwd=Path(xf.__file__).parents[1],
    )  # fmt: skip
    rows, peak = done.stdout.split()
    print(f"{float(peak):.0f} MB above the start")
    assert int(rows) == 10 * (dates - 20)
    assert float(peak) < 200
