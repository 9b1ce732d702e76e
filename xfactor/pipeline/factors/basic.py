"""Averages, returns and other simple statistics of a window."""

from typing import TYPE_CHECKING, Any

import xarray as xr

from xfactor import panel, time_series
from xfactor.pipeline import _rules
from xfactor.pipeline._builtin import BuiltIn, finite, over
from xfactor.pipeline._term import CLASSIFIER, FACTOR, Term, Value
from xfactor.pipeline._windows import drawdown_rows, windows_of
from xfactor.pipeline.data import USEquityPricing
from xfactor.pipeline.factor import Factor

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Step

CLOSE_AND_VOLUME = (USEquityPricing.close, USEquityPricing.volume)


class Returns(BuiltIn, Factor):
    """Return over `window_length` - 1 sessions: newest over oldest price, less one.

    Decimal; missing where either price is, where the oldest is not positive or the newest is
    negative. Prices between them do not matter.

    Parameters
    ----------
    inputs
        A price; ``USEquityPricing.close`` if not given.
    window_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import Returns
    >>> Returns(window_length=2)
    Returns(window_length=2) <- close
    """

    inputs = (USEquityPricing.close,)
    least = 2

    def _from(self, *values: xr.DataArray) -> Value:
        return _rules.unnamed(time_series.returns(values[0], self.window_length - 1))


class DailyReturns(Returns):
    """Return over the last session: `Returns` of 2 dates.

    Parameters
    ----------
    inputs, window_length, mask
        As in `Returns`; 2 dates if not given.

    Examples
    --------
    >>> from xfactor.pipeline.factors import DailyReturns
    >>> DailyReturns()
    DailyReturns(window_length=2) <- close
    """

    window_length = 2


class PercentChange(BuiltIn, Factor):
    """Growth of what may be negative over `window_length` - 1 sessions: (new - old) / abs(old).

    Decimal, in spite of the name; missing where either value is, or where the old one is 0
    (zipline: infinite).

    Parameters
    ----------
    inputs
        One Factor.
    window_length
        Dates of the window, at least 2.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import PercentChange
    >>> PercentChange(["net_income"], window_length=253)
    PercentChange(window_length=253) <- net_income
    """

    least = 2

    def _from(self, *values: xr.DataArray) -> Value:
        return _rules.unnamed(time_series.growth(values[0], self.window_length - 1))


class SimpleMovingAverage(BuiltIn, Factor):
    """Mean of the window, in the units of the input.

    Missing values do not count; a window without any value is missing.

    Parameters
    ----------
    inputs
        One Factor.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline import USEquityPricing
    >>> from xfactor.pipeline.factors import SimpleMovingAverage
    >>> SimpleMovingAverage([USEquityPricing.close], window_length=20)
    SimpleMovingAverage(window_length=20) <- close
    """

    in_price = True

    def _from(self, *values: xr.DataArray) -> Value:
        mean = time_series.rolling_mean(values[0], window=self.window_length, min_obs=1)
        return _rules.unnamed(mean)


class WeightedAverageValue(BuiltIn, Factor):
    """Weighted mean of the window, in the units of the first input.

    Only dates with both a value and a weight count (zipline counts weights of missing values, as
    if these were 0); missing where there is none, or where the weights sum to 0.

    Parameters
    ----------
    inputs
        The Factor, and the weights.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import WeightedAverageValue
    >>> WeightedAverageValue(["spread", "volume"], window_length=5)
    WeightedAverageValue(window_length=5) <- spread, volume
    """

    takes = (FACTOR, FACTOR)
    in_price = True

    def _from(self, *values: xr.DataArray) -> Value:
        x, weight = (finite(v.astype(float)) for v in values)
        weighted = x * weight
        span: dict[str, Any] = {"window": self.window_length, "min_obs": 1}
        total = time_series.rolling_sum(weight.where(weighted.notnull()), **span)
        return over(time_series.rolling_sum(weighted, **span), total).astype(values[0].dtype)


class VWAP(WeightedAverageValue):
    """Volume-weighted average price, in units of price.

    As `WeightedAverageValue`. Where a split lies in the window, both prices and numbers of shares
    before it count on the basis after it, so that a day weighs by the dollars traded on it.

    Parameters
    ----------
    inputs
        A price and the shares traded; ``USEquityPricing.close`` and ``.volume`` if not given.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import VWAP
    >>> VWAP(window_length=10)
    VWAP(window_length=10) <- close, volume
    """

    inputs = CLOSE_AND_VOLUME

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        if self.priced and values[-1] is not None:
            price, shares, level = values
            values = [price, shares * level, level]
        return super()._evaluate(values, where, step)


class AverageDollarVolume(BuiltIn, Factor):
    """Mean of price times shares traded, in dollars per session.

    Of the prices at which they were traded, so that no split needs an adjustment. Days that lack
    price or volume do not count (zipline: as days without trade); missing where all do.

    Parameters
    ----------
    inputs
        A price and the shares traded; ``USEquityPricing.close`` and ``.volume`` if not given.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import AverageDollarVolume
    >>> AverageDollarVolume(window_length=30)
    AverageDollarVolume(window_length=30) <- close, volume
    """

    inputs = CLOSE_AND_VOLUME
    takes = (FACTOR, FACTOR)

    @property
    def priced(self) -> bool:
        """Never: dollars traded are those of the day."""
        return False

    def _from(self, *values: xr.DataArray) -> Value:
        price, shares = (finite(v.astype(float)) for v in values)
        mean = time_series.rolling_mean(price * shares, window=self.window_length, min_obs=1)
        return _rules.unnamed(mean).astype(values[0].dtype)


class MaxDrawdown(BuiltIn, Factor):
    """Largest loss from a peak of the window to a later value of it: a fraction of the peak.

    From 0 (it never fell) to 1. Missing and negative values do not count; missing where none does.
    (zipline takes the largest fall in units of the input, and divides it by the trough.)

    Parameters
    ----------
    inputs
        One Factor: a price, for example.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline import USEquityPricing
    >>> from xfactor.pipeline.factors import MaxDrawdown
    >>> MaxDrawdown([USEquityPricing.close], window_length=252)
    MaxDrawdown(window_length=252) <- close
    """

    def _from(self, *values: xr.DataArray) -> Value:
        return windows_of(drawdown_rows, values, self.window_length, type(self).__name__)


class LinearWeightedMovingAverage(BuiltIn, Factor):
    """Mean of the window with weights that rise linearly to the newest date, in input units.

    Weights are divided by their sum over the values that are known (zipline: as if missing values
    were 0); a window without any value is missing. See `xfactor.decay_linear`.

    Parameters
    ----------
    inputs
        One Factor.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import LinearWeightedMovingAverage
    >>> LinearWeightedMovingAverage(["close"], window_length=10)
    LinearWeightedMovingAverage(window_length=10) <- close
    """

    in_price = True

    def _from(self, *values: xr.DataArray) -> Value:
        mean = time_series.decay_linear(values[0], window=self.window_length, min_obs=1)
        return _rules.unnamed(mean)


class AnnualizedVolatility(BuiltIn, Factor):
    """Standard deviation of daily returns (ddof 0) times the root of the days of a year.

    Decimal per root of a year. Missing values do not count; a window without any value is missing.

    Parameters
    ----------
    inputs
        Returns; ``Returns(window_length=2)`` if not given.
    window_length
        Dates of the window; 252 if not given.
    mask
        Filter: others are missing.
    annualization_factor
        Periods of a year, 252.0 if not given.

    Examples
    --------
    >>> from xfactor.pipeline.factors import AnnualizedVolatility
    >>> AnnualizedVolatility(window_length=60).inputs
    (Returns(window_length=2) <- close,)
    """

    inputs = (Returns(window_length=2),)
    window_length = 252
    params = {"annualization_factor": 252.0}  # noqa: RUF012

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        name = "annualization_factor"
        periods = panel.number(name, params[name])
        if not periods > 0:
            raise panel.PanelError(f"{name}={periods!r} was given; needed a number above 0.")
        return super()._checked(inputs, length, {name: periods})

    def _from(self, *values: xr.DataArray) -> Value:
        sd = time_series.rolling_std(values[0], window=self.window_length, min_obs=1, ddof=0)
        return _rules.unnamed(sd * self.param("annualization_factor") ** 0.5)


class Clip(BuiltIn, Factor):
    """Values pulled in to two bounds, in the units of the input; missing ones stay missing.

    Parameters
    ----------
    inputs
        One Factor.
    window_length
        1 if not given.
    mask
        Filter: others are missing.
    min_bound, max_bound
        The bounds; infinite ones limit nothing.

    Examples
    --------
    >>> from xfactor.pipeline.factors import Clip, Returns
    >>> Clip([Returns(window_length=2)], min_bound=-0.5, max_bound=0.5)
    Clip(min_bound=-0.5, max_bound=0.5) <- Returns(window_length=2)
    """

    window_length = 1
    params = ("min_bound", "max_bound")

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        low, high = (panel.number(name, params[name]) for name in cls.params)
        if low > high:
            found = f"min_bound={low!r} and max_bound={high!r} were given"
            raise panel.error(found, "min_bound <= max_bound", "Swap them")
        return super()._checked(inputs, length, {"min_bound": low, "max_bound": high})

    def _from(self, *values: xr.DataArray) -> Value:
        return _rules.Clip(self.param("min_bound"), self.param("max_bound"))(list(values), None)


class PeerCount(BuiltIn, Factor):
    """How many assets are in the group of each, itself among them; missing without a group.

    Parameters
    ----------
    inputs
        One Classifier.
    window_length
        1, and no other.
    mask
        Filter: others are missing, and are not counted.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.factors import PeerCount
    >>> PeerCount([field("sector", int)])
    PeerCount() <- sector
    """

    window_length = 1
    takes = (CLASSIFIER,)

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        if length != 1:
            raise panel.PanelError(f"window_length={length} was given; PeerCount needs 1.")
        return super()._checked(inputs, length, params)

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        return _rules.Peers()(values, where)


class Latest(BuiltIn, Factor):
    """The newest value of a Factor, in its units.

    Parameters
    ----------
    inputs
        One Factor.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.factors import Latest
    >>> Latest([field("close")])
    Latest() <- close
    """

    window_length = 1

    def _from(self, *values: xr.DataArray) -> Value:
        return values[0]
