"""The built-in terms and what each is by its definition, one line a term."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.pipeline import oracles as o
from tests.pipeline.markets import TARGET
from xfactor.pipeline import USEquityPricing, classifiers, factors, field, filters

x, y, z, good = field("x"), field("y"), field("z"), field("good", bool)
sector, day = field("sector", int), field("day", "datetime64[ns]")
close = USEquityPricing.close


@dataclass(frozen=True)
class Case:
    """A term, and the value of it in a window of `rows` dates."""

    name: str
    term: Any
    oracle: Callable[[Any], float]
    rows: int = 1
    shifts: bool = True  # on label="open" it is that of the date before


def _outputs(name, term, rows, **oracles):
    return [Case(f"{name}.{k}", getattr(term, k), oracle, rows) for k, oracle in oracles.items()]


returns = factors.Returns(window_length=2)
spy = returns[TARGET]
fit = factors.RollingLinearRegression(y, x, 6)
of_returns = factors.RollingLinearRegressionOfReturns(TARGET, 2, 5)
bands = factors.BollingerBands(window_length=5, k=1.5)
ichimoku = factors.IchimokuKinkoHyo(
    window_length=8, tenkan_sen_length=3, kijun_sen_length=5, chikou_span_length=4
)

FACTORS = [
    Case("Returns", factors.Returns(window_length=4), lambda w: o.returns(w.close), 4),
    Case("DailyReturns", factors.DailyReturns(), lambda w: o.returns(w.close), 2),
    Case("PercentChange", factors.PercentChange([x], 4), lambda w: o.growth(w.x), 4),
    Case("SMA", factors.SimpleMovingAverage([close], 5), lambda w: o.mean(w.close), 5),
    Case("SMA of 1", factors.SimpleMovingAverage([close], 1), lambda w: o.mean(w.close), 1),
    Case("SMA of numbers", factors.SimpleMovingAverage([x], 5), lambda w: o.mean(w.x), 5),
    Case("WAV", factors.WeightedAverageValue([x, "volume"], 4),
         lambda w: o.weighted(w.x, w.volume), 4),
    Case("WAV by price", factors.WeightedAverageValue([x, close], 4),
         lambda w: o.weighted(w.x, w.close), 4),
    Case("VWAP", factors.VWAP(window_length=4), lambda w: o.weighted(w.close, w.shares), 4),
    Case("ADV", factors.AverageDollarVolume(window_length=4),
         lambda w: o.mean(w.raw * w.volume), 4),
    Case("MaxDrawdown", factors.MaxDrawdown([close], 7), lambda w: o.drawdown(w.close), 7),
    Case("MaxDrawdown of numbers", factors.MaxDrawdown([x], 4), lambda w: o.drawdown(w.x), 4),
    Case("LWMA", factors.LinearWeightedMovingAverage([close], 5),
         lambda w: o.weighted(w.close, np.arange(1.0, 6)), 5),
    Case("EWMA", factors.EWMA([close], 5, decay_rate=0.8), lambda w: o.ewma(w.close, 0.8), 5),
    Case("EWMA of equal weights", factors.EWMA([x], 5, decay_rate=1),
         lambda w: o.ewma(w.x, 1.0), 5),
    Case("EWMA.from_span", factors.EWMA.from_span([y], 5, span=4),
         lambda w: o.ewma(w.y, 1 - 2 / 5), 5),
    Case("EWMA.from_halflife", factors.EWMA.from_halflife([y], 5, halflife=2),
         lambda w: o.ewma(w.y, np.exp(np.log(0.5) / 2)), 5),
    Case("EWMSTD.from_center_of_mass", factors.EWMSTD.from_center_of_mass([y], 5, center_of_mass=3),
         lambda w: o.ewmstd(w.y, 0.75), 5),
    Case("EWMSTD", factors.EWMSTD([close], 4, decay_rate=1), lambda w: o.ewmstd(w.close, 1.0), 4),
    Case("AnnualizedVolatility", factors.AnnualizedVolatility(window_length=5),
         lambda w: o.std(w.ret[1:]) * np.sqrt(252), 6),
    Case("AnnualizedVolatility of months",
         factors.AnnualizedVolatility([y], 4, annualization_factor=12),
         lambda w: o.std(w.y) * np.sqrt(12), 4),
    Case("Clip", factors.Clip([z], min_bound=-0.5, max_bound=1),
         lambda w: np.clip(w.z[-1], -0.5, 1)),
    Case("Latest", factors.Latest([z]), lambda w: w.z[-1]),
    Case("RSI", factors.RSI(window_length=6), lambda w: o.rsi(w.close), 6),
    Case("RSI of 2", factors.RSI([x], 2), lambda w: o.rsi(w.x), 2),
    *_outputs("BollingerBands", bands, 5, middle=lambda w: o.mean(w.close),
              upper=lambda w: o.mean(w.close) + 1.5 * o.std(w.close),
              lower=lambda w: o.mean(w.close) - 1.5 * o.std(w.close)),
    *_outputs("Aroon", factors.Aroon(window_length=7), 7, up=lambda w: o.place(w.high, max),
              down=lambda w: o.place(w.low, min)),
    *_outputs("Aroon of ties", factors.Aroon([x, x], 6), 6, up=lambda w: o.place(w.x, max),
              down=lambda w: o.place(w.x, min)),
    Case("FastStochasticOscillator", factors.FastStochasticOscillator(window_length=5),
         lambda w: o.stochastic(w.close, w.low, w.high), 5),
    *_outputs("Ichimoku", ichimoku, 8,
              tenkan_sen=lambda w: o.middle(w.high[-3:], w.low[-3:]),
              kijun_sen=lambda w: o.middle(w.high[-5:], w.low[-5:]),
              senkou_span_a=lambda w: (o.middle(w.high[-3:], w.low[-3:])
                                       + o.middle(w.high[-5:], w.low[-5:])) / 2,
              senkou_span_b=lambda w: o.middle(w.high, w.low),
              chikou_span=lambda w: w.close[-4]),
    Case("RateOfChangePercentage", factors.RateOfChangePercentage([x], 3),
         lambda w: o.rate(w.x), 3),
    Case("TrueRange", factors.TrueRange(), lambda w: o.true_range(w.high, w.low, w.close), 2),
    Case("MACDSignal", factors.MACDSignal(3, 5, 4), lambda w: o.macd(w.close, 3, 5, 4), 8),
    Case("RollingPearson", factors.RollingPearson(x, y, 5), lambda w: o.pearson(w.x, w.y), 5),
    Case("RollingPearson with a series", y.pearsonr(spy, 4),
         lambda w: o.pearson(w.y[1:], w.spy[1:]), 5),
    Case("RollingPearsonOfReturns", factors.RollingPearsonOfReturns(TARGET, 2, 4),
         lambda w: o.pearson(w.ret[1:], w.spy[1:]), 5),
    Case("RollingSpearman", factors.RollingSpearman(x, y, 6), lambda w: o.spearman(w.x, w.y), 6),
    Case("RollingSpearman with a series", x.spearmanr(spy, 4),
         lambda w: o.spearman(w.x[1:], w.spy[1:]), 5),
    Case("RollingSpearmanOfReturns", factors.RollingSpearmanOfReturns(TARGET, 2, 4),
         lambda w: o.spearman(w.ret[1:], w.spy[1:]), 5),
    *[Case(f"RollingLinearRegression.{k}", getattr(fit, k),
           lambda w, k=k: o.regression(w.y, w.x, k), 6) for k in fit.outputs],
    *[Case(f"RollingLinearRegressionOfReturns.{k}", getattr(of_returns, k),
           lambda w, k=k: o.regression(w.ret[1:], w.spy[1:], k), 6) for k in ("alpha", "beta")],
    Case("a price on a number", close.linear_regression(y, 4).alpha,
         lambda w: o.regression(w.close, w.y, "alpha"), 4),
    Case("a number on a price", y.linear_regression(close, 4).beta,
         lambda w: o.regression(w.y, w.close, "beta"), 4),
    Case("SimpleBeta", factors.SimpleBeta(TARGET, 8), lambda w: o.beta(w.ret[1:], w.spy[1:], 0.25),
         9),
    Case("SimpleBeta of half", factors.SimpleBeta(TARGET, 6, 0.5),
         lambda w: o.beta(w.ret[1:], w.spy[1:], 0.5), 7),
    Case("BusinessDaysSince", factors.BusinessDaysSincePreviousEvent([day]),
         lambda w: o.business_days(w.day[0], w.today),
         shifts=False),
    Case("BusinessDaysUntil", factors.BusinessDaysUntilNextEvent([day]),
         lambda w: o.business_days(w.today, w.day[0]),
         shifts=False),
]  # fmt: skip

FILTERS = [
    Case("All", filters.All([good], 3), lambda w: w.good.all(), 3),
    Case("All of 1", filters.All([good], 1), lambda w: w.good.all(), 1),
    Case("Any", filters.Any([good], 4), lambda w: w.good.any(), 4),
    Case("AtLeastN", filters.AtLeastN([good], 5, N=3), lambda w: w.good.sum() >= 3, 5),
    Case("AllPresent", filters.AllPresent([x], 3), lambda w: not np.isnan(w.x).any(), 3),
    Case("AllPresent of groups", filters.AllPresent([sector], 3), lambda w: (w.sector >= 0).all(),
         3),
    Case("Latest", filters.Latest([good]), lambda w: w.good[-1]),
    Case("NullFilter", filters.NullFilter(sector), lambda w: w.sector[-1] < 0),
    Case("NotNullFilter", filters.NotNullFilter(z), lambda w: w.z[-1] == w.z[-1]),
]  # fmt: skip

CLASSIFIERS = [
    Case("Latest", classifiers.Latest([sector]), lambda w: w.sector[-1]),
    Case("Everything", classifiers.Everything(), lambda w: 0),
]
