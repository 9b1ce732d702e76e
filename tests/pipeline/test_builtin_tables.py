"""Built-in Factors on rows computed by hand: zipline's own tables, splits, and bad parameters."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xfactor import PanelError
from xfactor.pipeline import (
    EWMA,
    RSI,
    VWAP,
    Aroon,
    AtLeastN,
    AverageDollarVolume,
    BollingerBands,
    Clip,
    CustomFactor,
    IchimokuKinkoHyo,
    MACDSignal,
    MaxDrawdown,
    PeerCount,
    Pipeline,
    Returns,
    RollingLinearRegressionOfReturns,
    RollingPearson,
    RollingPearsonOfReturns,
    SimpleBeta,
    SimpleMovingAverage,
    TrueRange,
    USEquityPricing,
    WeightedAverageValue,
    field,
    run_pipeline,
)
from xfactor.pipeline.factors import (
    EWMSTD,
    AnnualizedVolatility,
    BusinessDaysSincePreviousEvent,
    BusinessDaysUntilNextEvent,
    LinearWeightedMovingAverage,
    RateOfChangePercentage,
)

_ = np.nan
close = USEquityPricing.close


def panel_of(**fields):
    """A panel of fields of columns, an asset each: A, B, ..."""
    arrays = {k: np.array(v, dtype=None if k == "day" else float) for k, v in fields.items()}
    arrays = {k: v[:, None] if v.ndim == 1 else v for k, v in arrays.items()}
    dates, assets = next(iter(arrays.values())).shape
    coords = {
        "date": pd.date_range("2020-01-01", periods=dates, freq="B"),
        "asset": list("ABCDEFG")[:assets],
    }
    return xr.Dataset({k: (("date", "asset"), v) for k, v in arrays.items()}, coords)


def last(term, **fields):
    """The values of a term on the last date."""
    panel = panel_of(**fields)
    got = Pipeline({"it": term}).to_dataset(panel, panel["date"].values[-1])["it"]
    return got.transpose("date", "asset").values[-1]


# --- the tables of zipline ----------------------------------------------------------------------

SPY = [-0.03, -0.02, -0.01, 0, 0.01, 0.02, 0.03, 0.04]
MSFT = [0.03, -0.03, 0.02, -0.02, 0.04, -0.03, 0.01, -0.02]
FB = [0.04, 0.02, 0.01, 0.01, -0.01, -0.02, -0.02, -0.02]
# Prices of which these are the returns.
WEALTH = np.cumprod(1 + np.vstack([[0, 0, 0], np.column_stack([SPY, MSFT, FB])]), axis=0)


def on_last_four_dates(term):
    panel = panel_of(close=WEALTH)
    got = Pipeline({"it": term}).to_dataset(panel, panel["date"].values[-4])["it"]
    return got.transpose("date", "asset").values


def test_rolling_pearson_of_returns__zipline_example():
    got = on_last_four_dates(RollingPearsonOfReturns("A", returns_length=2, correlation_length=5))
    want = [[1, 0.15, -0.96], [1, 0.10, -0.96], [1, -0.16, -0.94], [1, -0.16, -0.85]]
    np.testing.assert_allclose(got, want, atol=0.0051)


def test_rolling_linear_regression_of_returns__zipline_example():
    fit = RollingLinearRegressionOfReturns("A", returns_length=2, regression_length=5)
    alpha, beta, *__ = fit
    # The third columns of zipline's tables are not of its data: the last beta of FB is -0.7.
    want = [[0, 0.011], [0, -0.004], [0, 0.007], [0, 0.002]]
    np.testing.assert_allclose(on_last_four_dates(alpha)[:, :2], want, atol=0.00051)
    want = [[1, 0.3], [1, 0.2], [1, -0.3], [1, -0.3]]
    np.testing.assert_allclose(on_last_four_dates(beta)[:, :2], want, atol=0.051)
    np.testing.assert_allclose(on_last_four_dates(beta)[-1, 2], -0.7, atol=1e-9)
    np.testing.assert_allclose(on_last_four_dates(fit.p_value)[:, 0], 0, atol=1e-12)


def test_ichimoku__zipline_example():
    days, assets = np.arange(52)[:, None], np.arange(5)
    fields = {"high": assets + 2 + days, "close": assets + 1 + days, "low": assets + days}
    lines = [last(line, **fields) for line in IchimokuKinkoHyo()]
    tenkan, kijun = 48.0 + assets, 39.5 + assets
    want = [tenkan, kijun, (tenkan + kijun) / 2, 26.5 + assets, 27.0 + assets]
    np.testing.assert_array_equal(lines, want)


def test_ichimoku__lags_by_sessions_whatever_the_window():
    chikou = IchimokuKinkoHyo(window_length=70, chikou_span_length=26).chikou_span
    prices = np.arange(70.0)
    assert last(chikou, high=prices, low=prices, close=prices) == 69 - 25


def test_aroon__the_first_of_equal_values():
    lows = [[2, 1, 5], [1, 1, 5], [1, 2, 5]]
    highs = [[3, 9, _], [9, 9, _], [4, 3, _]]
    down, up = Aroon(window_length=3)
    np.testing.assert_array_equal(last(down, low=lows, high=highs), [50, 0, 0])
    np.testing.assert_array_equal(last(up, low=lows, high=highs), [50, 0, _])


def test_rsi__by_hand():
    prices = [[1, 3, 1, 1], [2, 2, 1, _], [1, 1, 1, 2], [3, 0, 1, 3]]
    np.testing.assert_allclose(last(RSI(window_length=4), close=prices), [75, 0, _, 100])


def test_true_range__the_three_ranges():
    fields = {"high": [[5, 5, 5, _], [6, 6, 6, 6]], "low": [[1, 1, 1, 1], [4, 4, 4, 4]],
              "close": [[5, 1, 9, _], [5, 5, 5, 5]]}  # fmt: skip
    np.testing.assert_array_equal(last(TrueRange(), **fields), [2, 5, 5, 2])


def test_macd__is_zero_for_a_constant_and_has_the_sign_of_the_trend():
    prices = np.column_stack([np.full(34, 5.0), np.arange(1.0, 35), np.arange(34.0, 0, -1)])
    flat, up, down = last(MACDSignal(), close=prices)
    assert flat == 0
    assert up == pytest.approx(-down)
    assert up > 0


def test_ewma__weighs_as_zipline_does():
    x = np.array([1.0, 4.0, 2.0, 8.0])
    weights = 0.7 ** np.arange(5, 1, -1)
    mean = np.average(x, weights=weights)
    assert last(EWMA([close], 4, decay_rate=0.7), close=x) == pytest.approx(mean)
    variance = np.average((x - mean) ** 2, weights=weights)
    variance *= weights.sum() ** 2 / (weights.sum() ** 2 - (weights**2).sum())
    assert last(EWMSTD([close], 4, decay_rate=0.7), close=x) == pytest.approx(variance**0.5)


@pytest.mark.parametrize("cls", [EWMA, EWMSTD])
def test_decay_rates(cls):
    assert cls.from_span(["x"], 30, span=15) is cls(["x"], 30, decay_rate=1 - 2 / 16)
    assert cls.from_center_of_mass(["x"], 30, center_of_mass=15) is cls(
        ["x"], 30, decay_rate=1 - 1 / 16
    )
    assert cls.from_halflife(["x"], 30, halflife=2).param("decay_rate") == pytest.approx(0.5**0.5)
    good = field("good", bool)
    assert cls.from_span(["x"], 30, span=15, mask=good).mask is good


# --- what zipline gets wrong --------------------------------------------------------------------


def test_max_drawdown__is_a_fraction_of_the_peak():
    """From 10 to 5 it lost half; from 104 to 98, the larger fall in dollars, 6 %."""
    prices = [[10, 1, _, 2], [5, 2, _, _], [104, 3, _, _], [98, 4, _, _]]
    np.testing.assert_allclose(last(MaxDrawdown([close], 4), close=prices), [0.5, 0, _, 0])


def test_missing_values__are_not_zeros():
    fields = {"close": [_, 10, 20], "volume": [5, 5, _]}
    assert last(AverageDollarVolume(window_length=3), **fields) == 50
    assert last(LinearWeightedMovingAverage([close], 3), **fields) == (2 * 10 + 3 * 20) / 5
    assert last(WeightedAverageValue(["close", "volume"], 3), **fields) == 10


def test_all_missing__is_missing():
    fields = dict.fromkeys(("close", "high", "low", "volume"), [_] * 3)
    for term in (SimpleMovingAverage([close], 3), VWAP(window_length=3), RSI(window_length=3),
                 AverageDollarVolume(window_length=3), MaxDrawdown([close], 3),
                 EWMA([close], 3, decay_rate=0.5), BollingerBands(window_length=3, k=2).upper,
                 Aroon(window_length=3).up, AnnualizedVolatility([field("close")], 3)):  # fmt: skip
        assert np.isnan(last(term, **fields)), term


def test_simple_beta__allows_the_share_it_says():
    """0.29 of 100 returns are 29, and not 28."""
    rng = np.random.default_rng(0)
    prices = np.exp(np.cumsum(rng.normal(0, 0.01, (101, 3)), axis=0))
    prices[1:30, 1] = _  # 30 returns with the one after
    prices[1:29, 2] = _
    got = last(SimpleBeta("A", 100, 0.29), close=prices)
    assert got[0] == pytest.approx(1)
    np.testing.assert_array_equal(np.isnan(got), [False, True, False])


# --- splits -------------------------------------------------------------------------------------

# Two for one between the second and third date: 40 becomes 20.
SPLIT = {
    "close": [36.0, 40.0, 20.0, 22.0],
    "high": [38.0, 44.0, 21.0, 23.0],
    "low": [34.0, 36.0, 19.0, 21.0],
    "adjusted_close": [9.0, 10.0, 10.0, 11.0],  # of a level that was split again, later
    "volume": [100.0, 100.0, 200.0, 200.0],
}


@pytest.mark.parametrize(
    ("term", "want"),
    [
        (SimpleMovingAverage([close], 4), (18 + 20 + 20 + 22) / 4),
        (SimpleMovingAverage([USEquityPricing.high], 4), (19 + 22 + 21 + 23) / 4),
        (SimpleMovingAverage([close], 1), 22),
        (VWAP(window_length=4), (18 * 200 + 20 * 200 + 20 * 200 + 22 * 200) / 800),
        (AverageDollarVolume(window_length=4), (3600 + 4000 + 4000 + 4400) / 4),
        (MaxDrawdown([close], 4), 0),
        (Returns(window_length=4), 22 / 18 - 1),
        (RateOfChangePercentage([close], 4), 100 * (22 / 18 - 1)),
        (RSI(window_length=4), 100),
        (BollingerBands(window_length=4, k=1).middle, 20),
        (BollingerBands(window_length=4, k=1).upper, 20 + 2**0.5),
    ],
)
def test_split__prices_of_a_window_are_on_the_basis_of_its_last_date(term, want):
    assert last(term, **SPLIT) == pytest.approx(want)


def test_split__true_range_and_ichimoku():
    day_of_the_split = {k: v[:3] for k, v in SPLIT.items()}
    assert last(TrueRange(), **day_of_the_split) == 2  # 21 - 19; 40 is 20 now
    lengths = {"tenkan_sen_length": 2, "kijun_sen_length": 3, "chikou_span_length": 4}
    lines = IchimokuKinkoHyo(window_length=4, **lengths)
    assert [float(last(line, **SPLIT)[0]) for line in lines] == [21, 20.5, 20.75, 20, 18]


class MeanClose(CustomFactor):
    inputs = (USEquityPricing.close,)
    window_length = 4

    def compute(self, today, assets, out, prices):
        out[:] = np.nanmean(prices, axis=0)


@pytest.mark.parametrize("term", [SimpleMovingAverage([close], 4), MeanClose()])
def test_split__on_a_day_without_a_close_the_last_level_holds(term):
    halted = {k: [*v[:3], _] for k, v in SPLIT.items()}
    assert last(term, **halted) == pytest.approx((18 + 20 + 20) / 3)


def test_weighted_by_a_price__is_not_in_units_of_price():
    term = WeightedAverageValue(["x", close], 2)
    fields = {"x": [1.0, 3.0], "close": [40.0, 20.0], "adjusted_close": [10.0, 10.0]}
    assert last(term, **fields) == 2


# --- events -------------------------------------------------------------------------------------


def test_business_days__over_a_weekend():
    """The 10th of January 2020 was a Friday."""
    days = ["2020-01-10", "2020-01-11", "2020-01-13", "NaT", "2020-01-03"]
    panel = xr.Dataset(
        {"day": (("date", "asset"), np.array([days, days], dtype="M8[ns]"))},
        {"date": pd.to_datetime(["2020-01-10", "2020-01-13"]), "asset": list("ABCDE")},
    )
    known = field("day", "datetime64[ns]")
    pipe = Pipeline({"since": BusinessDaysSincePreviousEvent([known]),
                     "until": BusinessDaysUntilNextEvent([known])})  # fmt: skip
    ds = pipe.to_dataset(panel)
    np.testing.assert_array_equal(ds["since"][1], [1, 0, 0, _, 6])
    np.testing.assert_array_equal(ds["until"][0], [0, 1, 1, _, -5])
    with pytest.raises(PanelError, match="holds float64; needed days"):
        Pipeline({"since": BusinessDaysSincePreviousEvent(["x"])}).to_dataset(panel_of(x=[1.0]))


# --- groups -------------------------------------------------------------------------------------


def test_peer_count__counts_within_the_mask():
    panel = panel_of(x=[[1.0, 2.0, 3.0, 4.0, 5.0]]).assign(
        sector=("asset", np.array([0, 0, 0, 1, -1], dtype=np.int16))
    )
    counts = PeerCount([field("sector", int)])
    ds = Pipeline({"all": counts, "big": PeerCount([field("sector", int)], mask=field("x") > 1)})
    ds = ds.to_dataset(panel)
    np.testing.assert_array_equal(ds["all"].values.ravel(), [3, 3, 3, 1, _])
    np.testing.assert_array_equal(ds["big"].values.ravel(), [_, 2, 2, 1, _])


def test_mask__holds_for_windows_of_one_date():
    panel = panel_of(x=[[1.0, 2.0, 3.0]])
    for term in (SimpleMovingAverage(["x"], 1, mask=field("x") > 1),
                 Clip(["x"], min_bound=0, max_bound=9, mask=field("x") > 1)):  # fmt: skip
        frame = run_pipeline(Pipeline({"it": term}), panel)
        assert frame["it"].tolist() == [2, 3]


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Returns(window_length=1), "window_length=1 was given; needed .* at least 2"),
        (lambda: SimpleMovingAverage(["x"]), "SimpleMovingAverage has no window_length"),
        (lambda: SimpleMovingAverage(window_length=3), "SimpleMovingAverage has no inputs"),
        (lambda: SimpleMovingAverage(["x", "y"], 3), "given 2 inputs; needed 1"),
        (lambda: VWAP(["x"], 3), "given 1 inputs; needed 2"),
        (lambda: EWMA(["x"], 3), "needs the parameter 'decay_rate'"),
        (lambda: EWMA(["x"], 3, decay_rate=1.5), "decay_rate=1.5 was given"),
        (lambda: EWMA(["x"], 3, decay_rate=0), "decay_rate=0.0 was given"),
        (lambda: EWMA.from_span(["x"], 3, span=1), "span=1 was given"),
        (lambda: EWMA.from_halflife(["x"], 3, halflife=0), "halflife=0 was given"),
        (lambda: EWMA.from_center_of_mass(["x"], 3, center_of_mass=-1), "center_of_mass=-1"),
        (lambda: AnnualizedVolatility(annualization_factor=-1), "annualization_factor=-1.0"),
        (lambda: Clip(["x"], min_bound=2, max_bound=1), "min_bound=2.0 and max_bound=1.0"),
        (lambda: PeerCount([field("s", int)], window_length=2), "PeerCount needs 1"),
        (lambda: PeerCount(["x"]), "PeerCount takes a Classifier; found x"),
        (lambda: SimpleMovingAverage([field("s", int)], 3), "takes a Factor; found s"),
        (lambda: BollingerBands(window_length=3), "needs the parameter 'k'"),
        (lambda: BollingerBands(window_length=3, k="two"), "k='two' was given"),
        (lambda: Aroon(window_length=1), "window_length=1 was given"),
        (lambda: IchimokuKinkoHyo(window_length=20), "kijun_sen_length=26 was given"),
        (lambda: IchimokuKinkoHyo(tenkan_sen_length=0), "tenkan_sen_length=0 was given"),
        (lambda: TrueRange(window_length=3), "TrueRange needs 2"),
        (lambda: MACDSignal(26, 12, 9), "fast_period=26 and slow_period=12"),
        (lambda: RollingPearson("x", "y", 1), "correlation_length=1 was given"),
        (lambda: RollingPearson(field("x")["A"], "y", 5), "given a series, .* a target per asset"),
        (lambda: RollingPearson("x", 3.0, 5), "terms or names of fields; found 3.0"),
        (lambda: SimpleBeta("A", 2), "regression_length=2 was given"),
        (lambda: SimpleBeta("A", 5, 1.5), "allowed_missing_percentage=1.5 was given"),
        (lambda: AtLeastN([field("g", bool)], 3, N=4), "N=4 was given with window_length=3"),
        (lambda: SimpleMovingAverage(["x"], 3, mask=field("x")), "mask .* takes a Filter"),
        (lambda: Returns(window_length=2, periods=3), "has no parameter 'periods'"),
    ],
)
def test_bad_parameters__are_told_in_one_line(make, text):
    with pytest.raises((PanelError, TypeError), match=text) as told:
        make()
    assert "\n" not in str(told.value)


def test_target__that_the_panel_does_not_have():
    with pytest.raises(PanelError, match="no asset 'SPY'"):
        last(SimpleBeta("SPY", 3), close=[1.0, 2.0, 3.0, 4.0])


def test_too_little_history__names_the_term():
    with pytest.raises(PanelError, match=r"MovingAverage\(window_length=9\) <- x needs 8 dates"):
        last(SimpleMovingAverage(["x"], 9), x=[1.0, 2.0])


def test_outputs__unpack_and_are_attributes():
    lower, middle, upper = bands = BollingerBands(window_length=3, k=2)
    assert (lower, middle, upper) == (bands.lower, bands.middle, bands.upper)
    with pytest.raises(AttributeError, match="no attribute 'width'"):
        bands.width  # noqa: B018
    for use in (lambda: bands + 1, bands.rank, lambda: SimpleMovingAverage([bands], 3)):
        with pytest.raises(PanelError, match=r"outputs lower, middle, upper; .* \.lower"):
            use()
    with pytest.raises(TypeError, match="has one output"):
        iter(SimpleMovingAverage(["x"], 3))
