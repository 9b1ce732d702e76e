"""What the terms that come with the package share."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.pipeline._outputs import Several
from xfactor.pipeline._rules import unnamed
from xfactor.pipeline._term import FACTOR, Term, Value, check_kind
from xfactor.pipeline._windowed import Windowed

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Step

ANY = "any"


class BuiltIn(Several, Windowed):
    """A term made by labelled functions of whole arrays, of inputs of given kinds."""

    takes: ClassVar[tuple[str, ...]] = (FACTOR,)

    @classmethod
    def _checked(cls, inputs: list[Term], length: int, params: dict[str, Any]) -> dict[str, Any]:
        if len(inputs) != len(cls.takes):
            raise panel.error(
                f"{cls.__name__} was given {len(inputs)} inputs",
                f"{len(cls.takes)}",
                "Pass them as a list, e.g. inputs=[USEquityPricing.close]",
            )
        for term, kind in zip(inputs, cls.takes, strict=True):
            if kind != ANY:
                check_kind(term, kind, cls.__name__)
        return params

    @property
    def invents(self) -> bool:
        """Earlier dates of the window may be in the universe when the last one is not."""
        return self.window_length > 1

    @property
    def per_date(self) -> bool:
        """Whether it is made of series only."""
        return all(i.per_date for i in self.inputs)

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        dated = [v if v is None else _dated(v, step) for v in values]
        return super()._evaluate(dated, where, step)


def _dated(x: xr.DataArray, step: "Step") -> xr.DataArray:
    """`x` on every date, also where it is one value per asset."""
    return x if panel.DATE in x.dims else x.expand_dims({panel.DATE: step.dates})


def finite(x: xr.DataArray) -> xr.DataArray:
    """Numbers, infinite ones missing."""
    return unnamed(x.where(np.isfinite(x)))


def over(part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    """A quotient, missing where the divisor is 0."""
    return unnamed(part / whole.where(whole != 0))
