"""The Filters that come with the package, under the names that zipline gave them."""

import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr

from xfactor import panel
from xfactor.pipeline._builtin import ANY, BuiltIn, finite
from xfactor.pipeline._rules import present
from xfactor.pipeline._term import FACTOR, FILTER, Term, Value, check_kind, is_term
from xfactor.pipeline._windows import count_rows, windows_of
from xfactor.pipeline.custom import CustomFilter
from xfactor.pipeline.filter import Filter

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Step

__all__ = [
    "All",
    "AllPresent",
    "Any",
    "AtLeastN",
    "CustomFilter",
    "Filter",
    "Latest",
    "MaximumFilter",
    "NotNullFilter",
    "NullFilter",
    "PercentileFilter",
    "SingleAsset",
    "StaticAssets",
    "StaticSids",
]


class Counted(BuiltIn, Filter):
    """What compares how many dates of a window are true with how many are needed."""

    takes = (FILTER,)

    @property
    def _needed(self) -> int:
        return self.window_length

    def _from(self, *values: xr.DataArray) -> Value:
        what = type(self).__name__
        options = {"least": self._needed, "dtype": np.bool_}
        return windows_of(count_rows, values, self.window_length, what, **options)


class All(Counted):
    """True where the Filter is on every date of the window.

    Parameters
    ----------
    inputs
        One Filter.
    window_length
        Dates of the window.
    mask
        Filter: others are False.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import All
    >>> All([field("close") > 5], window_length=20)
    All(window_length=20) <- > 5
    """


class Any(Counted):
    """True where the Filter is on some date of the window.

    Parameters
    ----------
    inputs
        One Filter.
    window_length
        Dates of the window.
    mask
        Filter: others are False.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import Any
    >>> Any([field("market_cap").top(500)], window_length=20)
    Any(window_length=20) <- top(500)
    """

    @property
    def _needed(self) -> int:
        return 1


class AtLeastN(Counted):
    """True where the Filter is on `N` dates of the window or more.

    Parameters
    ----------
    inputs
        One Filter.
    window_length
        Dates of the window.
    mask
        Filter: others are False.
    N
        Dates needed, from 1 to `window_length`.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import AtLeastN
    >>> AtLeastN([field("market_cap").top(500)], window_length=20, N=15)
    AtLeastN(window_length=20, N=15) <- top(500)
    """

    params = ("N",)

    @classmethod
    def _checked(
        cls, inputs: list[Term], length: int, params: dict[str, typing.Any]
    ) -> dict[str, typing.Any]:
        n = panel.positive("N", params["N"])
        if n > length:
            found = f"N={n} was given with window_length={length}"
            raise panel.error(found, "no more than the window has", "Lower it")
        return super()._checked(inputs, length, {"N": n})

    @property
    def _needed(self) -> int:
        return self.param("N")


class AllPresent(Counted):
    """True where the term has a value on every date of the window; infinite numbers are none.

    Parameters
    ----------
    inputs
        One Factor or Classifier.
    window_length
        Dates of the window.
    mask
        Filter: others are False.

    Examples
    --------
    >>> from xfactor.pipeline.filters import AllPresent
    >>> AllPresent(["close"], window_length=252)
    AllPresent(window_length=252) <- close
    """

    takes = (ANY,)

    @classmethod
    def _checked(
        cls, inputs: list[Term], length: int, params: dict[str, typing.Any]
    ) -> dict[str, typing.Any]:
        params = super()._checked(inputs, length, params)
        if inputs[0].kind == FILTER:
            raise TypeError(f"AllPresent takes a Factor or a Classifier; found {inputs[0]}.")
        return params

    def _from(self, *values: xr.DataArray) -> Value:
        (x,) = values
        return super()._from(finite(x).notnull() if x.dtype.kind == "f" else present(x))


class Latest(BuiltIn, Filter):
    """The newest value of a Filter.

    Parameters
    ----------
    inputs
        One Filter.
    mask
        Filter: others are False.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import Latest
    >>> Latest([field("tradable", bool)])
    Latest() <- tradable
    """

    window_length = 1
    takes = (FILTER,)

    def _from(self, *values: xr.DataArray) -> Value:
        return values[0]


class StaticAssets(Filter):
    """True for some assets, on all dates on which they are in the universe.

    Parameters
    ----------
    assets
        Their labels. Those that the panel does not have are passed over.

    Examples
    --------
    >>> from xfactor.pipeline.filters import StaticAssets
    >>> StaticAssets(["AAPL", "MSFT"])
    StaticAssets(assets=('AAPL', 'MSFT'))
    """

    invents = True
    assets: tuple[typing.Any, ...]

    def __new__(cls, assets: Iterable[typing.Any]) -> Self:  # noqa: D102
        if isinstance(assets, str | bytes) or not isinstance(assets, Iterable):
            raise TypeError(f"{cls.__name__} takes labels of assets; found {panel.shown(assets)}.")
        return cls._of(assets=tuple(sorted({_label(a) for a in assets}, key=repr)))

    def _evaluate(
        self, values: list[Value], where: xr.DataArray | None, step: "Step"
    ) -> xr.DataArray:
        index = step.frame.assets
        return xr.DataArray(index.isin(self.assets), {panel.ASSET: index}, (panel.ASSET,))


class StaticSids(StaticAssets):
    """`StaticAssets` under its other name: an asset is its label here.

    Parameters
    ----------
    sids
        Labels of the assets.

    Examples
    --------
    >>> from xfactor.pipeline.filters import StaticSids
    >>> StaticSids([24, 8554])
    StaticSids(assets=(24, 8554))
    """

    def __new__(cls, sids: Iterable[typing.Any]) -> Self:  # noqa: D102
        return super().__new__(cls, sids)


class SingleAsset(StaticAssets):
    """True for one asset, on all dates on which it is in the universe.

    Parameters
    ----------
    asset
        Its label.

    Raises
    ------
    PanelError
        When it is evaluated: if the panel has no such asset.

    Examples
    --------
    >>> from xfactor.pipeline.filters import SingleAsset
    >>> SingleAsset("SPY")
    SingleAsset(assets=('SPY',))
    """

    def __new__(cls, asset: typing.Any) -> Self:  # noqa: D102
        return super().__new__(cls, [asset])

    def _evaluate(
        self, values: list[Value], where: xr.DataArray | None, step: "Step"
    ) -> xr.DataArray:
        found = super()._evaluate(values, where, step)
        if not found.values.any():
            raise panel.error(
                f"the panel has no asset {self.assets[0]!r}",
                "one of its labels",
                "Look it up, e.g. xf.symbols(panel)['AAPL']",
            )
        return found


def _label(asset: typing.Any) -> typing.Any:
    return asset.item() if isinstance(asset, np.generic) else asset


def PercentileFilter(
    factor: typing.Any,
    min_percentile: float,
    max_percentile: float,
    mask: typing.Any = None,
    groupby: typing.Any = None,
) -> typing.Any:
    """Filter: values between two percentiles of their date, both included.

    Parameters
    ----------
    factor
        The Factor.
    min_percentile, max_percentile
        From 0 to 100.
    mask
        Filter: others do not enter the percentiles, and are False.
    groupby
        Classifier: each of its groups has its own percentiles.

    Returns
    -------
    Filter
        The same as ``factor.percentile_between(...)``.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import PercentileFilter
    >>> PercentileFilter(field("market_cap"), 50, 100)
    percentile_between(50, 100) <- market_cap
    """
    check_kind(factor, FACTOR, "PercentileFilter")
    return factor.percentile_between(min_percentile, max_percentile, mask, groupby)


def MaximumFilter(
    factor: typing.Any, groupby: typing.Any = None, mask: typing.Any = None
) -> typing.Any:
    """Filter: the asset with the highest value of each date, or of each group of it.

    Of equal ones the last by label, as in ``factor.top(1)``; on a date without values none.
    (zipline compares the bits of numbers, and finds the lowest of negative ones.)

    Parameters
    ----------
    factor
        The Factor.
    groupby
        Classifier: each of its groups has a highest value.
    mask
        Filter: others are False.

    Returns
    -------
    Filter
        The same as ``factor.top(1, mask, groupby)``.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import MaximumFilter
    >>> MaximumFilter(field("market_cap"))
    top(1) <- market_cap
    """
    return check_kind(factor, FACTOR, "MaximumFilter").top(1, mask, groupby)


def NullFilter(term: typing.Any) -> typing.Any:
    """Filter: where a term has no value.

    Parameters
    ----------
    term
        A Factor or a Classifier.

    Returns
    -------
    Filter
        The same as ``term.isnull()``.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import NullFilter
    >>> NullFilter(field("book_equity"))
    isnull <- book_equity
    """
    return _with_values(term, "NullFilter").isnull()


def NotNullFilter(term: typing.Any) -> typing.Any:
    """Filter: where a term has a value.

    Parameters
    ----------
    term
        A Factor or a Classifier.

    Returns
    -------
    Filter
        The same as ``term.notnull()``.

    Examples
    --------
    >>> from xfactor.pipeline import field
    >>> from xfactor.pipeline.filters import NotNullFilter
    >>> NotNullFilter(field("book_equity"))
    notnull <- book_equity
    """
    return _with_values(term, "NotNullFilter").notnull()


def _with_values(term: typing.Any, what: str) -> typing.Any:
    if not is_term(term) or term.kind == FILTER:
        raise TypeError(f"{what} takes a Factor or a Classifier; found {panel.shown(term)}.")
    return term
