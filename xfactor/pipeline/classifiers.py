"""The Classifiers that come with the package, under the names that zipline gave them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.pipeline._builtin import BuiltIn
from xfactor.pipeline._term import CLASSIFIER, FACTOR, Value, check_kind, is_term
from xfactor.pipeline.classifier import Classifier
from xfactor.pipeline.custom import CustomClassifier

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Step

__all__ = ["Classifier", "CustomClassifier", "Everything", "Latest", "Quantiles"]


class Everything(Classifier):
    """One group, 0, of all assets of the universe.

    Examples
    --------
    >>> from xfactor.pipeline.classifiers import Everything
    >>> Everything() is Everything()
    True
    """

    invents = True

    def __new__(cls) -> Self:  # noqa: D102
        return cls._of()

    def _evaluate(
        self, values: list[Value], where: xr.DataArray | None, step: "Step"
    ) -> xr.DataArray:
        index = step.frame.assets
        codes = np.zeros(len(index), dtype=np.int32)
        return xr.DataArray(codes, {panel.ASSET: index}, (panel.ASSET,))


class Latest(BuiltIn, Classifier):
    """The newest group.

    Parameters
    ----------
    inputs
        One Classifier.
    mask
        Filter: others are in no group.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.classifiers import Latest
    >>> Latest([field("sector", int)])
    Latest() <- sector
    """

    window_length = 1
    takes = (CLASSIFIER,)

    def _from(self, *values: xr.DataArray) -> Value:
        return values[0]


def Quantiles(inputs: Iterable[Any], bins: int, mask: Any = None, groupby: Any = None) -> Any:
    """Classifier: 0 for the lowest of `bins` buckets of each date, -1 for missing values.

    Parameters
    ----------
    inputs
        One Factor.
    bins
        How many buckets.
    mask
        Filter: others do not enter the quantiles, and are in no bucket.
    groupby
        Classifier: each of its groups has its own buckets.

    Returns
    -------
    Classifier
        The same as ``factor.quantiles(bins, mask, groupby)``: ties do not raise.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.classifiers import Quantiles
    >>> Quantiles([field("market_cap")], bins=5)
    quantiles(5) <- market_cap
    """
    given = [inputs] if is_term(inputs) else list(inputs)
    if len(given) != 1:
        raise panel.error(f"Quantiles was given {len(given)} inputs", "one Factor", "Pass [factor]")
    return check_kind(given[0], FACTOR, "Quantiles").quantiles(bins, mask, groupby)
