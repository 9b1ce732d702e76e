"""The Filters and Classifiers that name assets, and those that are methods under another name."""

import pickle

import numpy as np
import pytest

from tests.contracts import assert_same_bits
from tests.pipeline.markets import market
from xfactor import PanelError
from xfactor.pipeline import Pipeline, SimpleMovingAverage, field
from xfactor.pipeline.classifiers import Everything, Quantiles
from xfactor.pipeline.filters import (
    All,
    AllPresent,
    Any,
    AtLeastN,
    MaximumFilter,
    NotNullFilter,
    NullFilter,
    PercentileFilter,
    SingleAsset,
    StaticAssets,
    StaticSids,
)

x, y, good = field("x"), field("y"), field("good", bool)
sector = field("sector", int)


def values(term, panel, **options):
    return Pipeline({"it": term}).to_dataset(panel, **options)["it"].transpose("date", "asset")


def test_filters__that_are_methods_are_the_same_terms():
    assert PercentileFilter(x, 10, 90, good) is x.percentile_between(10, 90, good)
    assert PercentileFilter(x, 10, 90, groupby=sector) is x.percentile_between(
        10, 90, groupby=sector
    )
    assert MaximumFilter(x) is x.top(1)
    assert MaximumFilter(x, sector, good) is x.top(1, good, sector)
    assert NullFilter(x) is x.isnull()
    assert NotNullFilter(sector) is sector.notnull()
    assert Quantiles([x], 5, good) is x.quantiles(5, good)
    assert Quantiles(x, bins=3, groupby=sector) is x.quantiles(3, groupby=sector)


def test_maximum__of_negative_numbers():
    """zipline takes the smallest of them."""
    panel = market(gaps=0, listed=False)
    below = -1 - y.abs()
    got = values(MaximumFilter(below), panel)
    at = got["asset"].values[got.values.argmax(axis=1)]
    assert (got.sum("asset") == 1).all()
    nearest = abs(panel["y"])
    assert (nearest.sel(asset=at, date=got["date"]).values.diagonal() == nearest.min("asset")).all()


@pytest.mark.parametrize("chunks", [None, {"date": 7}])
def test_static_assets__on_the_dates_of_the_universe(chunks):
    panel = market(1)
    panel = panel if chunks is None else panel.chunk(chunks)
    chosen = StaticAssets(np.array(["a02", "a00", "not there"]))
    got = values(chosen, panel)
    assert (got.chunks is None) == (chunks is None)
    want = panel["listed"] & panel["asset"].isin(["a00", "a02"])
    np.testing.assert_array_equal(got.values, want.values)
    # in the places where a filter stands: a screen, a mask, beside others
    np.testing.assert_array_equal(
        values(x.rank(mask=chosen), panel).values,
        values(x.rank(mask=chosen & good.downsample("week_start") | chosen), panel).values,
    )
    screened = Pipeline({"it": x}, screen=chosen).to_dataset(panel)
    np.testing.assert_array_equal(screened["screen"].transpose("date", "asset").values, want.values)
    ranks = values(SimpleMovingAverage(["x"], 3, mask=chosen), panel, start=panel["date"].values[3])
    assert ranks.where(~panel["asset"].isin(["a00", "a02"])).isnull().all()


def test_static_assets__by_label_in_any_order_and_only_once():
    assert StaticAssets([3, 1, 3]) is StaticAssets((np.int64(1), 3))
    assert StaticSids([3, 1]) is StaticSids({1, 3})
    term = SingleAsset("a01")
    assert pickle.loads(pickle.dumps(term)) is term
    panel = market(listed=False)
    np.testing.assert_array_equal(values(term, panel).values, values(StaticSids(["a01"]), panel))


def test_single_asset__that_is_not_there():
    with pytest.raises(PanelError, match="no asset 'SPY'; needed one of its labels"):
        values(SingleAsset("SPY"), market())


def test_everything__is_one_group():
    panel = market(2)
    everything = values(Everything(), panel)
    np.testing.assert_array_equal(everything.values, np.where(panel["listed"], 0, -1))
    for method in ("demean", "zscore", "rank"):
        plain, grouped = getattr(x, method)(), getattr(x, method)(groupby=Everything())
        np.testing.assert_array_equal(values(grouped, panel), values(plain, panel))


def test_windows_of_filters__at_hand():
    panel = market(listed=False, dates=4, assets=1).isel(asset=[0])
    panel["good"] = panel["good"].copy(data=np.array([[True], [False], [True], [True]]))
    start = panel["date"].values[2]
    terms = {"all": All([good], 3), "any": Any([good], 3), "most": AtLeastN([good], 3, N=2),
             "all of 2": All([good], 2), "any of 1": Any([~good], 1)}  # fmt: skip
    ds = Pipeline(terms).to_dataset(panel, start)
    got = {name: ds[name].values.ravel().tolist() for name in terms}
    assert got == {
        "all": [False, False], "any": [True, True], "most": [True, True],
        "all of 2": [False, True], "any of 1": [False, False],
    }  # fmt: skip


def test_all_present__counts_infinite_numbers_as_missing():
    panel = market(listed=False, gaps=0, dates=3, assets=2)
    panel["x"][1, 0] = np.inf
    got = values(AllPresent(["x"], 2), panel, start=panel["date"].values[1])
    np.testing.assert_array_equal(got.values, [[False, True], [False, True]])


def test_custom_classes__are_where_zipline_has_them():
    from xfactor import pipeline
    from xfactor.pipeline import classifiers, factors, filters

    assert filters.CustomFilter is pipeline.CustomFilter
    assert classifiers.CustomClassifier is pipeline.CustomClassifier
    assert factors.CustomFactor is pipeline.CustomFactor
    for module in (pipeline, classifiers, factors, filters):
        assert len(set(module.__all__)) == len(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: StaticAssets("AAPL"), "takes labels of assets; found 'AAPL'"),
        (lambda: StaticAssets(3), "takes labels of assets; found 3"),
        (lambda: All([x], 3), "All takes a Filter; found x"),
        (lambda: AllPresent([good], 3), "AllPresent takes a Factor or a Classifier"),
        (lambda: AtLeastN([good], 3, N=0), "N=0 was given"),
        (lambda: NullFilter(good), "takes a Factor or a Classifier; found good"),
        (lambda: NotNullFilter(3), "takes a Factor or a Classifier; found 3"),
        (lambda: PercentileFilter(sector, 1, 2), "PercentileFilter takes a Factor"),
        (lambda: PercentileFilter(x, 50, 50), "min_percentile=50.0 and max_percentile=50.0"),
        (lambda: MaximumFilter(good), "MaximumFilter takes a Factor"),
        (lambda: Quantiles([x, y], 5), "given 2 inputs"),
        (lambda: Quantiles([good], 5), "Quantiles takes a Factor"),
    ],
)
def test_bad_parameters__are_told_in_one_line(make, text):
    with pytest.raises((PanelError, TypeError), match=text) as told:
        make()
    assert "\n" not in str(told.value)


def test_chunks__change_no_bit_of_static_terms():
    panel = market(8)
    for term in (StaticAssets(["a01"]), Everything(), MaximumFilter(x, Everything())):
        assert_same_bits(values(term, panel.chunk(date=4)).compute(), values(term, panel))
