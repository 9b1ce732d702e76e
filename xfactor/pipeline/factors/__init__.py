"""The Factors that come with the package, under the names that zipline gave them."""

from xfactor.pipeline.custom import CustomFactor
from xfactor.pipeline.factor import Factor
from xfactor.pipeline.factors.basic import (
    VWAP,
    AnnualizedVolatility,
    AverageDollarVolume,
    Clip,
    DailyReturns,
    Latest,
    LinearWeightedMovingAverage,
    MaxDrawdown,
    PeerCount,
    PercentChange,
    Returns,
    SimpleMovingAverage,
    WeightedAverageValue,
)
from xfactor.pipeline.factors.events import (
    BusinessDaysSincePreviousEvent,
    BusinessDaysUntilNextEvent,
)
from xfactor.pipeline.factors.statistical import (
    RollingLinearRegression,
    RollingLinearRegressionOfReturns,
    RollingPearson,
    RollingPearsonOfReturns,
    RollingSpearman,
    RollingSpearmanOfReturns,
    SimpleBeta,
)
from xfactor.pipeline.factors.technical import (
    RSI,
    Aroon,
    BollingerBands,
    FastStochasticOscillator,
    IchimokuKinkoHyo,
    MACDSignal,
    MovingAverageConvergenceDivergenceSignal,
    RateOfChangePercentage,
    TrueRange,
)
from xfactor.pipeline.factors.weighted import (
    EWMA,
    EWMSTD,
    ExponentialWeightedMovingAverage,
    ExponentialWeightedMovingStdDev,
)

__all__ = [
    "EWMA",
    "EWMSTD",
    "RSI",
    "VWAP",
    "AnnualizedVolatility",
    "Aroon",
    "AverageDollarVolume",
    "BollingerBands",
    "BusinessDaysSincePreviousEvent",
    "BusinessDaysUntilNextEvent",
    "Clip",
    "CustomFactor",
    "DailyReturns",
    "ExponentialWeightedMovingAverage",
    "ExponentialWeightedMovingStdDev",
    "Factor",
    "FastStochasticOscillator",
    "IchimokuKinkoHyo",
    "Latest",
    "LinearWeightedMovingAverage",
    "MACDSignal",
    "MaxDrawdown",
    "MovingAverageConvergenceDivergenceSignal",
    "PeerCount",
    "PercentChange",
    "RateOfChangePercentage",
    "Returns",
    "RollingLinearRegression",
    "RollingLinearRegressionOfReturns",
    "RollingPearson",
    "RollingPearsonOfReturns",
    "RollingSpearman",
    "RollingSpearmanOfReturns",
    "SimpleBeta",
    "SimpleMovingAverage",
    "TrueRange",
    "WeightedAverageValue",
]
