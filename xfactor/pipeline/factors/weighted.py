"""Exponentially weighted statistics of a window."""

import math
from typing import Any, Self

import xarray as xr

from xfactor import panel, time_series
from xfactor.pipeline._builtin import BuiltIn
from xfactor.pipeline._rules import unnamed
from xfactor.pipeline._term import Term, Value
from xfactor.pipeline.factor import Factor


class ExponentialWeighted(BuiltIn, Factor):
    """What both exponentially weighted Factors share: the ways to say how fast weights fall."""

    in_price = True
    params = ("decay_rate",)

    @classmethod
    def from_span(cls, inputs: Any, window_length: int, span: float, **options: Any) -> Self:
        """Make a term with a decay rate of 1 - 2 / (1 + span); `span` above 1."""
        span = _above("span", span, 1)
        return cls(inputs, window_length, decay_rate=1 - 2 / (1 + span), **options)

    @classmethod
    def from_halflife(
        cls, inputs: Any, window_length: int, halflife: float, **options: Any
    ) -> Self:
        """Make a term in which a value `halflife` dates back counts half; above 0."""
        halflife = _above("halflife", halflife, 0)
        return cls(inputs, window_length, decay_rate=0.5 ** (1 / halflife), **options)

    @classmethod
    def from_center_of_mass(
        cls, inputs: Any, window_length: int, center_of_mass: float, **options: Any
    ) -> Self:
        """Make a term with a decay rate of 1 - 1 / (1 + center_of_mass); above 0."""
        center = _above("center_of_mass", center_of_mass, 0)
        return cls(inputs, window_length, decay_rate=1 - 1 / (1 + center), **options)

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        rate = panel.number("decay_rate", params["decay_rate"])
        if not 0 < rate <= 1:
            raise panel.PanelError(
                f"decay_rate={rate!r} was given; needed a number above 0 and at most 1."
            )
        return super()._checked(inputs, length, {"decay_rate": rate})

    @property
    def _speed(self) -> dict[str, Any]:
        rate = self.param("decay_rate")
        return {"alpha": 1 - rate} if rate < 1 else {"halflife": math.inf}


def _above(name: str, value: Any, least: float) -> float:
    number = panel.number(name, value)
    if not least < number < math.inf:
        raise panel.PanelError(f"{name}={value!r} was given; needed a finite number above {least}.")
    return number


class ExponentialWeightedMovingAverage(ExponentialWeighted):
    """Mean of the window in which a value k dates back has the weight decay_rate^k.

    In the units of the input. Missing values do not count, and those that are known keep their
    weights by age; a window without any value is missing (zipline: with any missing value). Also
    made by `from_span`, `from_halflife` and `from_center_of_mass`; also named ``EWMA``.

    Parameters
    ----------
    inputs
        One Factor.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.
    decay_rate
        Above 0 and at most 1: 1 gives the plain mean.

    Examples
    --------
    >>> from xfactor.pipeline.factors import EWMA
    >>> EWMA.from_span(["close"], window_length=30, span=15)
    ExponentialWeightedMovingAverage(window_length=30, decay_rate=0.875) <- close
    """

    def _from(self, *values: xr.DataArray) -> Value:
        return unnamed(time_series.ewm_mean(values[0], window=self.window_length, **self._speed))


class ExponentialWeightedMovingStdDev(ExponentialWeighted):
    """Standard deviation of the window in which a value k dates back has the weight decay_rate^k.

    In the units of the input, without the bias of a weighted mean from the same values: with equal
    weights the divisor is n - 1. Missing values do not count; missing where fewer than two are
    known (zipline: with any missing value). Made like `ExponentialWeightedMovingAverage`; also
    named ``EWMSTD``.

    Parameters
    ----------
    inputs
        One Factor.
    window_length
        Dates of the window.
    mask
        Filter: others are missing.
    decay_rate
        Above 0 and at most 1: 1 gives the plain standard deviation.

    Examples
    --------
    >>> from xfactor.pipeline.factors import EWMSTD
    >>> EWMSTD.from_center_of_mass(["close"], window_length=30, center_of_mass=3)
    ExponentialWeightedMovingStdDev(window_length=30, decay_rate=0.75) <- close
    """

    def _from(self, *values: xr.DataArray) -> Value:
        return unnamed(time_series.ewm_std(values[0], window=self.window_length, **self._speed))


EWMA = ExponentialWeightedMovingAverage
EWMSTD = ExponentialWeightedMovingStdDev
