"""The Factors that come with the package, under the names that zipline gave them."""

from typing import Any

from xfactor import time_series
from xfactor.pipeline._rules import unnamed
from xfactor.pipeline._windowed import Windowed
from xfactor.pipeline.custom import CustomFactor as CustomFactor
from xfactor.pipeline.data import USEquityPricing
from xfactor.pipeline.factor import Factor as Factor


class Returns(Windowed, Factor):
    """Return over `window_length` - 1 sessions: newest over oldest price, less one.

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

    def _from(self, *values: Any) -> Any:
        return unnamed(time_series.returns(values[0], self.window_length - 1))


class Latest(Windowed, Factor):
    """The newest value of a field.

    Parameters
    ----------
    inputs
        One field.
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

    def _from(self, *values: Any) -> Any:
        return values[0]
