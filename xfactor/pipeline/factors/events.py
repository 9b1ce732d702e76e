"""How far away the days of events are."""

from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, panel
from xfactor.pipeline._builtin import BuiltIn
from xfactor.pipeline._term import Value
from xfactor.pipeline.factor import Factor


class BusinessDays(BuiltIn, Factor):
    """Days from Monday to Friday between the label of a row and the day of an event."""

    window_length = 1
    _kernel: Any

    def _from(self, *values: xr.DataArray) -> Value:
        (days,) = values
        if days.dtype.kind != "M":
            raise panel.error(
                f"{type(self).__name__} was given {self.inputs[0]}, which holds {days.dtype}",
                "days",
                "Declare it as field(name, 'datetime64[ns]')",
            )
        core = (panel.ASSET,) if panel.ASSET in days.dims else ()
        today = days[panel.DATE].reset_coords(drop=True).variable.to_base_variable()
        labels = xr.DataArray(today, {panel.DATE: days.indexes[panel.DATE]})
        args, outs = [_apply.Arg(days, core), _apply.Arg(labels)], [_apply.Out(core, np.float64)]
        return _apply.along(type(self)._kernel, args, outs, what=type(self).__name__)[0]


def days_since(event: np.ndarray, today: np.ndarray) -> np.ndarray:
    """Business days from the event to today; NaN without one."""
    event, today, known = _days(event, today)
    return np.where(known, np.busday_count(event, today), np.nan)


def days_until(event: np.ndarray, today: np.ndarray) -> np.ndarray:
    """Business days from today to the event; NaN without one."""
    event, today, known = _days(event, today)
    return np.where(known, np.busday_count(today, event), np.nan)


def _days(event: np.ndarray, today: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole days, those of a missing event taken to be today; which are known."""
    today = today.reshape(today.shape + (1,) * (event.ndim - 1)).astype("datetime64[D]")
    known = ~np.isnat(event)
    return np.where(known, event.astype("datetime64[D]"), today), today, known


class BusinessDaysSincePreviousEvent(BusinessDays):
    """Business days (Monday to Friday) since the last event: 0 on its day.

    Counted to the label of the row. Missing where no event is known; negative for a day to come.

    Parameters
    ----------
    inputs
        The days: a field of dtype ``"datetime64[ns]"``.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.factors import BusinessDaysSincePreviousEvent
    >>> recent = BusinessDaysSincePreviousEvent([field("filed", "datetime64[ns]")]) <= 5
    """

    _kernel = staticmethod(days_since)


class BusinessDaysUntilNextEvent(BusinessDays):
    """Business days (Monday to Friday) until the next event: 0 on its day.

    Counted from the label of the row. Missing where no event is known; negative for a day that has
    been.

    Parameters
    ----------
    inputs
        The days: a field of dtype ``"datetime64[ns]"``.
    mask
        Filter: others are missing.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.factors import BusinessDaysUntilNextEvent
    >>> soon = BusinessDaysUntilNextEvent([field("next_report", "datetime64[ns]")]) <= 5
    """

    _kernel = staticmethod(days_until)
