"""Indicators of technical analysis."""

from typing import Any, Self

import numpy as np
import xarray as xr

from xfactor import panel, time_series
from xfactor.pipeline._builtin import BuiltIn, finite, over
from xfactor.pipeline._rules import unnamed
from xfactor.pipeline._term import FACTOR, Term, Value
from xfactor.pipeline._windows import place_rows, windows_of
from xfactor.pipeline.data import USEquityPricing
from xfactor.pipeline.factor import Factor

CLOSE = (USEquityPricing.close,)


class RSI(BuiltIn, Factor):
    """Relative strength index: 100 times the share of rises in all moves of the window.

    From 0 to 100; moves from and to missing values do not count; missing where nothing moved.

    Parameters
    ----------
    inputs
        A price; ``USEquityPricing.close`` if not given.
    window_length
        Dates of the window, at least 2; 15 if not given.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import RSI
    >>> RSI()
    RSI(window_length=15) <- close
    """

    inputs = CLOSE
    window_length = 15
    least = 2

    def _from(self, *values: xr.DataArray) -> Value:
        moves = time_series.diff(values[0])
        span: dict[str, Any] = {"window": self.window_length - 1, "min_obs": 1}
        rises = time_series.rolling_sum(moves.clip(min=0), **span)
        return over(100 * rises, time_series.rolling_sum(abs(moves), **span))


class BollingerBands(BuiltIn, Factor):
    """Mean of the window, and `k` standard deviations (ddof 0) below and above it.

    Outputs ``lower``, ``middle`` and ``upper`` in the units of the input. Missing values do not
    count; a window without any value is missing.

    Parameters
    ----------
    inputs
        A price; ``USEquityPricing.close`` if not given.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.
    k
        How many standard deviations.

    Examples
    --------
    >>> from xfactor.pipeline.factors import BollingerBands
    >>> lower, middle, upper = BollingerBands(window_length=20, k=2)
    >>> upper
    .upper <- BollingerBands(window_length=20, k=2.0)
    """

    inputs = CLOSE
    outputs = ("lower", "middle", "upper")
    params = ("k",)
    in_price = True

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        return super()._checked(inputs, length, {"k": panel.number("k", params["k"])})

    def _from(self, *values: xr.DataArray) -> Value:
        span: dict[str, Any] = {"window": self.window_length, "min_obs": 1}
        middle = unnamed(time_series.rolling_mean(values[0], **span))
        width = self.param("k") * unnamed(time_series.rolling_std(values[0], ddof=0, **span))
        return {"lower": middle - width, "middle": middle, "upper": middle + width}


class Aroon(BuiltIn, Factor):
    """How recent the lowest low (``down``) and the highest high (``up``) of the window are.

    From 0, the oldest date of the window, to 100, the newest; the first of equal values counts.
    Missing values do not count; a window without any value is missing.

    Parameters
    ----------
    inputs
        Lows and highs; ``USEquityPricing.low`` and ``.high`` if not given.
    window_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import Aroon
    >>> down, up = Aroon(window_length=25)
    >>> up
    .up <- Aroon(window_length=25)
    """

    inputs = (USEquityPricing.low, USEquityPricing.high)
    takes = (FACTOR, FACTOR)
    outputs = ("down", "up")
    least = 2

    def _from(self, *values: xr.DataArray) -> Value:
        places = zip(self.outputs, values, (-1, 1), strict=True)
        return {
            name: windows_of(place_rows, [x], self.window_length, "Aroon", sign=sign)
            for name, x, sign in places
        }


class FastStochasticOscillator(BuiltIn, Factor):
    """Where the close lies between the lowest low (0) and the highest high (100) of the window.

    Missing lows and highs do not count; missing where the close is, or where no range is known or
    it is 0.

    Parameters
    ----------
    inputs
        Closes, lows and highs; those of ``USEquityPricing`` if not given.
    window_length
        Dates of the window; 14 if not given.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import FastStochasticOscillator
    >>> FastStochasticOscillator()
    FastStochasticOscillator(window_length=14) <- close, low, high
    """

    inputs = (USEquityPricing.close, USEquityPricing.low, USEquityPricing.high)
    takes = (FACTOR, FACTOR, FACTOR)
    window_length = 14

    def _from(self, *values: xr.DataArray) -> Value:
        close, low, high = values
        lowest = time_series.rolling_min(low, window=self.window_length, min_obs=1)
        highest = time_series.rolling_max(high, window=self.window_length, min_obs=1)
        return over(100 * (finite(close) - lowest), highest - lowest)


class IchimokuKinkoHyo(BuiltIn, Factor):
    """The lines of the Ichimoku cloud, in units of price.

    Outputs ``tenkan_sen`` and ``kijun_sen``, the means of the highest high and the lowest low of
    their lengths, ``senkou_span_a``, the mean of both, ``senkou_span_b``, the same of the whole
    window, and ``chikou_span``, the close `chikou_span_length` sessions back, today being the
    first. Missing values do not count (zipline: the line is missing); a length without any value
    gives none.

    Parameters
    ----------
    inputs
        Highs, lows and closes; those of ``USEquityPricing`` if not given.
    window_length
        Dates of the window; 52 if not given.
    mask
        Filter: others are missing.
    tenkan_sen_length, kijun_sen_length, chikou_span_length
        9, 26 and 26 if not given; from 1 to `window_length`.

    Notes
    -----
    zipline counts the lag of ``chikou_span`` from the oldest date of the window. For the default
    lengths this is the same date.

    Examples
    --------
    >>> from xfactor.pipeline.factors import IchimokuKinkoHyo
    >>> IchimokuKinkoHyo().kijun_sen.inputs[0].window_length
    52
    """

    inputs = (USEquityPricing.high, USEquityPricing.low, USEquityPricing.close)
    takes = (FACTOR, FACTOR, FACTOR)
    outputs = ("tenkan_sen", "kijun_sen", "senkou_span_a", "senkou_span_b", "chikou_span")
    window_length = 52
    params = {  # noqa: RUF012
        "tenkan_sen_length": 9, "kijun_sen_length": 26, "chikou_span_length": 26,
    }  # fmt: skip
    in_price = True

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        whole = {name: panel.positive(name, value) for name, value in params.items()}
        for name, value in whole.items():
            if value > length:
                found = f"{name}={value} was given with window_length={length}"
                raise panel.error(found, "no more than the window has", "Widen it")
        return super()._checked(inputs, length, whole)

    def _from(self, *values: xr.DataArray) -> Value:
        high, low, close = values

        def middle(length: int) -> xr.DataArray:
            highest = time_series.rolling_max(high, window=length, min_obs=1)
            lowest = time_series.rolling_min(low, window=length, min_obs=1)
            return unnamed(highest + lowest) / 2

        tenkan = middle(self.param("tenkan_sen_length"))
        kijun = middle(self.param("kijun_sen_length"))
        ago = self.param("chikou_span_length") - 1
        return {
            "tenkan_sen": tenkan,
            "kijun_sen": kijun,
            "senkou_span_a": (tenkan + kijun) / 2,
            "senkou_span_b": middle(self.window_length),
            "chikou_span": finite(time_series.lag(close, ago)),
        }


class RateOfChangePercentage(BuiltIn, Factor):
    """Change over `window_length` - 1 sessions, in percent of the old value.

    Missing where either value is, or where the old one is 0.

    Parameters
    ----------
    inputs
        One Factor: a price, for example.
    window_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import RateOfChangePercentage
    >>> RateOfChangePercentage(["close"], window_length=11)
    RateOfChangePercentage(window_length=11) <- close
    """

    least = 2

    def _from(self, *values: xr.DataArray) -> Value:
        ago = self.window_length - 1
        old = time_series.lag(values[0], ago)
        return over(100 * time_series.diff(values[0], ago), finite(old))


class TrueRange(BuiltIn, Factor):
    """Largest of high less low, and of the moves from the last close to the high and to the low.

    In units of price (Wilder 1978). What is missing does not count; missing where all three are.

    Parameters
    ----------
    inputs
        Highs, lows and closes; those of ``USEquityPricing`` if not given.
    window_length
        2, and no other.
    mask
        Filter: others are missing.

    References
    ----------
    Wilder, J. W. (1978). New Concepts in Technical Trading Systems. Trend Research.

    Examples
    --------
    >>> from xfactor.pipeline.factors import TrueRange
    >>> TrueRange()
    TrueRange(window_length=2) <- high, low, close
    """

    inputs = (USEquityPricing.high, USEquityPricing.low, USEquityPricing.close)
    takes = (FACTOR, FACTOR, FACTOR)
    window_length = 2
    in_price = True

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        if length != 2:
            raise panel.PanelError(f"window_length={length} was given; TrueRange needs 2.")
        return super()._checked(inputs, length, params)

    def _from(self, *values: xr.DataArray) -> Value:
        high, low, close = (finite(v) for v in values)
        last = time_series.lag(close)
        larger: Any = np.fmax  # typed as if it gave arrays without labels
        return unnamed(larger(larger(high - low, abs(high - last)), abs(low - last)))


class MovingAverageConvergenceDivergenceSignal(BuiltIn, Factor):
    """Signal line of Appel's MACD, in units of price; also named ``MACDSignal``.

    The exponential mean, over `signal_period` dates, of the difference of those over `fast_period`
    and `slow_period` dates. A mean over n dates sees these n, and a value k dates back has the
    weight (1 - 2 / (1 + n))^k. Missing values do not count, as in
    `ExponentialWeightedMovingAverage` (zipline: any missing value makes it missing).

    Parameters
    ----------
    fast_period, slow_period
        Dates of both means, 12 and 26 if not given; the fast one has fewer.
    signal_period
        Dates of the mean of the difference, 9 if not given.
    inputs
        A price; ``USEquityPricing.close`` if not given.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import MACDSignal
    >>> MACDSignal().window_length
    34
    """

    inputs = CLOSE
    params = ("fast_period", "slow_period", "signal_period")
    in_price = True

    def __new__(  # noqa: D102
        cls,
        fast_period: int = 12,
        slow_period: int = 26,
        signal_period: int = 9,
        inputs: Any = None,
        mask: Any = None,
    ) -> Self:
        fast = panel.positive("fast_period", fast_period)
        slow = panel.positive("slow_period", slow_period)
        signal = panel.positive("signal_period", signal_period)
        if not fast < slow:
            found = f"fast_period={fast_period} and slow_period={slow_period} were given"
            raise panel.error(found, "fast_period < slow_period", "Swap them")
        periods = {"fast_period": fast, "slow_period": slow, "signal_period": signal}
        return super().__new__(cls, inputs, slow + signal - 1, mask, **periods)

    def _from(self, *values: xr.DataArray) -> Value:
        def mean(x: xr.DataArray, name: str) -> xr.DataArray:
            n = self.param(name)
            return time_series.ewm_mean(x, span=n, window=n)

        macd = mean(values[0], "fast_period") - mean(values[0], "slow_period")
        return unnamed(mean(macd, "signal_period"))


MACDSignal = MovingAverageConvergenceDivergenceSignal
