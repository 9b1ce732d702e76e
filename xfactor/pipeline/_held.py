"""Terms held from the first session of a period to the next."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply
from xfactor.pipeline._term import CLASSIFIER, FACTOR, FILTER, Term
from xfactor.pipeline.classifier import Classifier
from xfactor.pipeline.factor import HELD, Factor
from xfactor.pipeline.filter import Filter

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Frame, Step

CODES = {"year_start": "Y", "quarter_start": "Q", "month_start": "M", "week_start": "W-SUN"}


class Held(Term):
    """The value of the first session of each period."""

    frequency: str

    def _before(self, frame: "Frame", rows: int) -> int:
        """Back to the start of the period of the first date wanted."""
        first = frame.first - rows
        if first <= 0:
            return 0
        dates = frame.panel.indexes["date"][: first + 1]
        return int(starts(dates, self.frequency)[-1])

    def _evaluate(self, values: list[Any], where: xr.DataArray | None, step: "Step") -> Any:
        (x,) = values
        ago = starts(step.dates, self.frequency)
        if "date" not in x.dims:
            return x
        kernel = partial(held_rows, ago=ago)
        before = int(ago.max(initial=0))
        (held,) = _apply.window(
            kernel, [_apply.Arg(x)], [_apply.Out((), x.dtype)], before=before, what="downsample"
        )
        return held.transpose(*x.dims).assign_attrs(x.attrs)

    def label(self) -> str:
        return f"downsample({self.frequency})"


def starts(dates: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    """How many dates ago the period of each date began; the first date begins one."""
    period = dates.to_period(CODES[frequency]).asi8
    begins = np.flatnonzero(np.diff(period, prepend=period[:1] - 1))
    place = np.arange(len(dates))
    return place - begins[np.searchsorted(begins, place, side="right") - 1]


def held_rows(x: np.ndarray, *, ago: np.ndarray, offset: int, start: int, stop: int) -> np.ndarray:
    """Each row's value of so many rows ago."""
    place = np.arange(start, stop)
    return x[place - ago[offset + place]]


class HeldFactor(Held, Factor):
    """Numbers."""


class HeldFilter(Held, Filter):
    """Truths."""


class HeldClassifier(Held, Classifier):
    """Groups."""


HELD |= {FACTOR: HeldFactor, FILTER: HeldFilter, CLASSIFIER: HeldClassifier}
