"""Both editions of the lecture's pipeline, as a user writes them, against plain pandas.

The classes are those of the lecture; what changed are the imports, and where the data comes from.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xfactor as xf
from xfactor.pipeline import (
    Column,
    CustomFactor,
    DataSet,
    Latest,
    Pipeline,
    Returns,
    USEquityPricing,
    run_pipeline,
)

DATA = Path(os.environ.get("XFACTOR_DATA", Path(__file__).parents[3] / "shared" / "data"))
START, END = "2001-01-02", "2001-03-30"
# The lecture's own 1 / pb warns as it does in NumPy.
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero")


class morningstar:
    class valuation(DataSet):
        shares_outstanding = Column(float)

    class valuation_ratios(DataSet):
        pb_ratio = Column(float)


class Fundamentals(DataSet):
    market_cap = Column(float)
    pb_ratio = Column(float)


class MarketCap(CustomFactor):
    inputs = [morningstar.valuation.shares_outstanding, USEquityPricing.close]
    window_length = 1

    def compute(self, today, assets, out, shares, close_price):
        out[:] = shares * close_price


class BookToPrice(CustomFactor):
    inputs = [morningstar.valuation_ratios.pb_ratio]
    window_length = 1

    def compute(self, today, assets, out, pb):
        out[:] = 1 / pb


class Momentum(CustomFactor):
    inputs = [Returns(window_length=20)]
    window_length = 20

    def compute(self, today, assets, out, lag_returns):
        out[:] = lag_returns[0]


def make_pipeline(n):
    pipe = Pipeline()

    market_cap = MarketCap()
    pipe.add(market_cap, "market_cap")
    book_to_price = BookToPrice()
    pipe.add(book_to_price, "book_to_price")

    returns = Returns(inputs=[USEquityPricing.close], window_length=2)
    pipe.add(returns, "returns")

    market_cap_rank = market_cap.rank()
    pipe.add(market_cap_rank, "market_cap_rank")
    book_to_price_rank = book_to_price.rank()
    pipe.add(book_to_price_rank, "book_to_price_rank")

    biggest = market_cap_rank.top(n)
    smallest = market_cap_rank.bottom(n)
    highpb = book_to_price_rank.top(n)
    lowpb = book_to_price_rank.bottom(n)

    pipe.set_screen(biggest | smallest | highpb | lowpb)
    pipe.add(biggest, "biggest")
    pipe.add(smallest, "smallest")
    pipe.add(highpb, "highpb")
    pipe.add(lowpb, "lowpb")
    return pipe


def make_later_pipeline(n):
    tradable = (USEquityPricing.close.latest > 15) & Latest([Fundamentals.market_cap]).notnull()

    market_cap = Latest([Fundamentals.market_cap], mask=tradable)
    book_to_price = 1 / Latest([Fundamentals.pb_ratio], mask=tradable)
    momentum = Momentum(mask=tradable)

    market_cap_rank = market_cap.rank(mask=tradable)
    book_to_price_rank = book_to_price.rank(mask=tradable)
    momentum_rank = momentum.rank(mask=tradable)

    biggest, smallest = market_cap_rank.top(n), market_cap_rank.bottom(n)
    highpb, lowpb = book_to_price_rank.top(n), book_to_price_rank.bottom(n)
    top, bottom = momentum_rank.top(n), momentum_rank.bottom(n)

    return Pipeline(
        columns={
            "market_cap": market_cap,
            "book_to_price": book_to_price,
            "momentum": momentum,
            "Returns": Returns(inputs=[USEquityPricing.close], window_length=2),
            "market_cap_rank": market_cap_rank,
            "book_to_price_rank": book_to_price_rank,
            "momentum_rank": momentum_rank,
            "biggest": biggest,
            "smallest": smallest,
            "highpb": highpb,
            "lowpb": lowpb,
            "top": top,
            "bottom": bottom,
        },
        screen=tradable & (biggest | smallest | highpb | lowpb | top | bottom),
    )


def spread(results, returns, long, short):
    """Steps 1 to 3 of the lecture: subset, returns, mean by day."""
    legs = [results[results[leg]][returns].groupby(level=0).mean() for leg in (long, short)]
    return legs[0] - legs[1]


# --- the same by hand ---------------------------------------------------------------------------


def wide(panel, name):
    """A field as a pandas table of dates by assets, missing where the asset is not listed."""
    table = panel[name].to_pandas().sort_index(axis=1)
    return (
        table.where(panel["listed"].to_pandas().sort_index(axis=1)) if "listed" in panel else table
    )


def ends(ranks, n):
    """The n highest and the n lowest of ranks 1, 2, ..."""
    highest = ranks.rank(axis=1, ascending=False) <= n
    return highest, ranks <= n


def by_hand(panel, market_cap, book_to_price, tradable, n):
    finite = [x.where(np.isfinite(x) & tradable) for x in (market_cap, book_to_price)]
    ranks = [x.rank(axis=1, method="first") for x in finite]
    (biggest, smallest), (highpb, lowpb) = (ends(r, n) for r in ranks)
    price = wide(panel, "adjusted_close")
    return {
        "market_cap": market_cap.where(tradable),
        "book_to_price": book_to_price.where(tradable),
        "returns": price / price.shift() - 1,
        "market_cap_rank": ranks[0],
        "book_to_price_rank": ranks[1],
        "biggest": biggest,
        "smallest": smallest,
        "highpb": highpb,
        "lowpb": lowpb,
    }


def stacked(tables, shown):
    """Tables as columns, the rows that are shown."""
    cells = shown.stack()
    return pd.DataFrame({name: t.stack()[cells] for name, t in tables.items()})


def first_by_hand(panel, n):
    market_cap = wide(panel, "shares_outstanding") * wide(panel, "close")
    tables = by_hand(panel, market_cap, 1 / wide(panel, "pb_ratio"), market_cap.notna() | True, n)
    shown = tables["biggest"] | tables["smallest"] | tables["highpb"] | tables["lowpb"]
    return stacked(tables, shown)


def later_by_hand(panel, n):
    market_cap, price = wide(panel, "market_cap"), wide(panel, "adjusted_close")
    tradable = (wide(panel, "close") > 15) & market_cap.notna()
    tables = by_hand(panel, market_cap, 1 / wide(panel, "pb_ratio"), tradable, n)
    tables["momentum"] = (price.shift(19) / price.shift(38) - 1).where(tradable)
    tables["momentum_rank"] = tables["momentum"].rank(axis=1, method="first")
    tables["top"], tables["bottom"] = ends(tables["momentum_rank"], n)
    members = [tables[k] for k in ("biggest", "smallest", "highpb", "lowpb", "top", "bottom")]
    tables["Returns"] = tables.pop("returns")
    return stacked(tables, tradable & np.logical_or.reduce(members))


def assert_same_frame(got, want):
    want = want[list(got.columns)]
    pd.testing.assert_frame_equal(
        got, want.loc[pd.IndexSlice[got.index[0][0] : got.index[-1][0], :], :], rtol=1e-12,
        check_names=False, check_freq=False, check_index_type=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def panel():
    simulated, _ = xf.simulate_panel(dates=400, assets=120, seed=3)
    simulated = simulated.drop_vars("returns").chunk(date=64)
    ratio = 1 / simulated.book_to_price  # zero and negative ones among them
    rng = np.random.default_rng(0)
    odd = xr.DataArray(rng.random(ratio.shape) < 0.01, ratio.coords, ratio.dims)
    return simulated.assign(pb_ratio=ratio.where(~odd, 0.0).transpose("date", "asset"))


def test_first_edition__is_what_pandas_gives(panel):
    results = run_pipeline(make_pipeline(20), panel, START, END)
    want = first_by_hand(panel.compute(), 20)
    assert_same_frame(results, want)
    assert np.isinf(want["book_to_price"]).any()  # 1 / 0 is shown, but has no rank
    assert results.index.nlevels == 2
    a_day = results.groupby(level=0)[["biggest", "smallest", "highpb", "lowpb"]].sum()
    assert (a_day == 20).all(axis=None)

    for long, short in (("smallest", "biggest"), ("highpb", "lowpb")):
        pd.testing.assert_series_equal(
            spread(results, "returns", long, short),
            spread(want, "returns", long, short).loc[START:END],
            rtol=1e-12, check_freq=False, check_names=False, check_index_type=False,
        )  # fmt: skip


def test_later_edition__is_what_pandas_gives(panel):
    results = run_pipeline(make_later_pipeline(15), panel, START, END)
    want = later_by_hand(panel.compute(), 15)
    assert_same_frame(results, want)
    legs = {"SMB": ("smallest", "biggest"), "HML": ("highpb", "lowpb"), "MOM": ("top", "bottom")}
    for name, (long, short) in legs.items():
        got = spread(results, "Returns", long, short)
        ours = spread(want, "Returns", long, short).loc[START:END]
        np.testing.assert_allclose(got, ours, rtol=1e-9, atol=1e-15, err_msg=name)
        assert got.notna().all()


def test_first_edition__is_a_day_late_where_the_lecture_says_so(panel):
    """Under label="open" the row of a date holds the session before, as it did on Quantopian."""
    close = run_pipeline(make_pipeline(20), panel, START, END)
    dates = panel.indexes["date"]
    late = run_pipeline(
        make_pipeline(20), panel, dates[dates.get_loc(START) + 1], dates[dates.get_loc(END) + 1],
        label="open",
    )  # fmt: skip
    np.testing.assert_array_equal(late["returns"], close["returns"])
    np.testing.assert_array_equal(
        dates.get_indexer(late.index.get_level_values(0)),
        dates.get_indexer(close.index.get_level_values(0)) + 1,
    )


@pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the recorded market data is not at {DATA}; set XFACTOR_DATA"
)
def test_lecture__on_real_prices_and_reports(tmp_path, capsys):
    from xfactor import ingest

    path, daily = tmp_path / "panel.zarr", DATA / "sp500_daily"
    ingest.ingest_prices(daily / "prices.parquet", path, market=daily / "SPY.csv")
    ingest.ingest_fundamentals(
        DATA / "nyse" / "fundamentals.csv.gz", path,
        securities=DATA / "nyse" / "securities.csv", lag_days=90,
    )  # fmt: skip
    panel = xf.open_panel(path)
    panel = panel.assign(pb_ratio=1 / panel.book_to_price)
    results = run_pipeline(make_later_pipeline(70), panel, "2014-01-02", "2016-12-30")
    assert_same_frame(results, later_by_hand(panel.compute(), 70))
    official = ingest.read_french(DATA / "french" / "F-F_Research_Data_Factors_daily.CSV")
    hml = spread(results, "Returns", "highpb", "lowpb")
    theirs = official["HML"].to_pandas().reindex(hml.index)
    found = hml.corr(theirs)
    with capsys.disabled():
        print(f"\nHML of the lecture's pipeline and the official one, 2014-2016: {found:.3f}")
    assert found > 0.6
