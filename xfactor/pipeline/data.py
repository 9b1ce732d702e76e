"""Fields of a panel as terms, by name or as attributes of datasets of your own."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.pipeline import _rules
from xfactor.pipeline._frame import Step
from xfactor.pipeline._term import CLASSIFIER, FACTOR, FILTER, Term
from xfactor.pipeline.classifier import Classifier, with_words, words_of
from xfactor.pipeline.factor import Factor
from xfactor.pipeline.filter import Filter

# The field that adjusts prices backwards for splits and dividends, and the one that it adjusts.
ADJUSTED, TRADED = "adjusted_close", "close"


class Field(Term):
    """A field of the panel, or a coordinate of its assets."""

    name: str
    adjusted: bool

    def label(self) -> str:  # noqa: D102
        return self.name

    def _evaluate(self, values: list[Any], where: xr.DataArray | None, step: Step) -> Any:
        return _rules.masked(self._typed(step.read(self.name)), step.universe)

    def _typed(self, x: xr.DataArray) -> xr.DataArray:
        """The field in the dtype of its kind, or an error that tells the right one."""
        raise NotImplementedError


class FactorField(Field, Factor):
    """A field of numbers, or of days."""

    def _typed(self, x: xr.DataArray) -> xr.DataArray:
        if x.dtype.kind == "M":
            return x
        if x.dtype.kind not in "fiu":
            raise _other_kind(self.name, x.dtype, "float")
        return panel.as_float(x)


class FilterField(Field, Filter):
    """A field of truths."""

    def _typed(self, x: xr.DataArray) -> xr.DataArray:
        if x.dtype != np.bool_:
            raise _other_kind(self.name, x.dtype, "bool")
        return x


class ClassifierField(Field, Classifier):
    """A field of codes, or of words."""

    def _typed(self, x: xr.DataArray) -> xr.DataArray:
        if x.dtype.kind in "OUT":
            return self._coded(x)
        if x.dtype.kind not in "iu":
            raise _other_kind(self.name, x.dtype, "int")
        if not panel.is_codes(x.dtype):
            x = x.where((x >= 0) & (x < 2**31), panel.MISSING_CODE).astype(np.int32)
        return with_words(x, words_of(x))

    def _coded(self, x: xr.DataArray) -> xr.DataArray:
        if x.chunks is not None:
            raise panel.error(
                f"the field {self.name!r} is lazy text",
                "codes with flag_values and flag_meanings, as stores have them",
                "Number the words, e.g. with pandas.factorize",
            )
        codes, words = pd.factorize(x.values.ravel(), sort=True)
        codes = np.where(words[codes] == "", -1, codes) if len(words) else codes
        coded = x.copy(data=codes.reshape(x.shape).astype(np.int32))
        return with_words(coded, {i: str(w) for i, w in enumerate(words)})


def _other_kind(name: str, dtype: np.dtype, found: str) -> panel.PanelError:
    fit = {"b": "bool", "i": "int", "O": "str", "U": "str", "T": "str"}.get(dtype.kind, "float")
    return panel.error(
        f"the field {name!r} holds {dtype}",
        f"what fits dtype={found}",
        f"Declare it with dtype={fit}: field({name!r}, {fit}) or Column({fit})",
    )


FIELDS: dict[str, type[Field]] = {
    FACTOR: FactorField, FILTER: FilterField, CLASSIFIER: ClassifierField
}  # fmt: skip


def field(name: str, dtype: Any = float, *, adjusted: bool = False) -> Any:
    """A field of the panel as a term.

    Parameters
    ----------
    name
        Name of a field (date, asset), or of a coordinate of the assets (asset,).
    dtype
        What it holds: `float` or ``"datetime64[ns]"`` gives a Factor, `bool` a Filter, `int` or
        `str` a Classifier.
    adjusted
        The field is a price as it was traded. Windows of several dates then see earlier prices
        adjusted for the splits and dividends up to their last date, if the panel has the field
        ``adjusted_close`` beside ``close``: the newest price is as traded.

    Returns
    -------
    Factor, Filter or Classifier
        The value of the field on each date.

    Raises
    ------
    PanelError
        When it is evaluated: if the panel has no such field, or its dtype is of another kind.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor.pipeline import Pipeline, field, run_pipeline
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> big = field("market_cap").top(2)
    >>> frame = run_pipeline(Pipeline({"cap": field("market_cap")}, screen=big), panel)
    >>> len(frame)
    40
    """
    if not isinstance(name, str):
        raise TypeError(f"name of a field is text; found {panel.shown(name)}.")
    kind = _kind(dtype)
    return FIELDS[kind]._of(name=name, adjusted=panel.flag("adjusted", adjusted))


def _kind(dtype: Any) -> str:
    kinds = {"f": FACTOR, "M": FACTOR, "b": FILTER, "i": CLASSIFIER, "u": CLASSIFIER}
    kinds |= {"O": CLASSIFIER, "U": CLASSIFIER, "T": CLASSIFIER}
    try:
        return kinds[np.dtype(dtype).kind]
    except (TypeError, KeyError) as unknown:
        raise panel.error(
            f"dtype={panel.shown(dtype)} was given", "float, bool, int, str or 'datetime64[ns]'",
            "Numbers are float, groups int or str",
        ) from unknown  # fmt: skip


class Column:
    """A field of a `DataSet`: as an attribute of it, the term that `field` gives.

    Parameters
    ----------
    dtype
        As in `field`.
    name
        Name of the field in the panel; that of the attribute if not given.
    adjusted
        As in `field`.

    Examples
    --------
    >>> from xfactor.pipeline import Column, DataSet
    >>> class Fundamentals(DataSet):
    ...     market_cap = Column(float)
    ...     sector = Column(int)
    >>> Fundamentals.market_cap
    market_cap
    """

    def __init__(self, dtype: Any = float, name: str | None = None, *, adjusted: bool = False):
        _kind(dtype)
        self.dtype, self.name, self.adjusted = dtype, name, adjusted

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.name = self.name or attribute

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        assert self.name is not None
        return field(self.name, self.dtype, adjusted=self.adjusted)


class DataSet:
    """Fields of a panel under attributes, so that code written for other datasets runs.

    Examples
    --------
    >>> from xfactor.pipeline import Column, DataSet
    >>> class morningstar:
    ...     class valuation_ratios(DataSet):
    ...         pb_ratio = Column(float, "price_to_book")
    >>> morningstar.valuation_ratios.pb_ratio.latest
    price_to_book
    """

    def __new__(cls) -> Any:  # noqa: D102
        raise TypeError(f"{cls.__name__} is not called: use its attributes.")


class USEquityPricing(DataSet):
    """Prices as they were traded (see `field` for windows of them), and shares traded."""

    open = Column(float, adjusted=True)
    high = Column(float, adjusted=True)
    low = Column(float, adjusted=True)
    close = Column(float, adjusted=True)
    volume = Column(float)


class Adjusted(Factor):
    """A price, adjusted backwards for splits and dividends: for windows of it."""

    def _evaluate(self, values: list[Any], where: xr.DataArray | None, step: Step) -> Any:
        (traded,) = values
        if not has_adjustment(step):
            return traded
        if self.inputs[0].name == TRADED:
            return field(ADJUSTED)._evaluate([], None, step)
        return _rules.unnamed(traded * ratio(step))


class Ratio(Factor):
    """What brings an adjusted price back to the level that was traded; None if nothing is."""

    def _evaluate(self, values: list[Any], where: xr.DataArray | None, step: Step) -> Any:
        return 1 / ratio(step) if has_adjustment(step) else None


def has_adjustment(step: Step) -> bool:
    """Tell whether the panel knows adjusted prices."""
    fields = step.frame.panel
    return ADJUSTED in fields and TRADED in fields


def ratio(step: Step) -> xr.DataArray:
    """Adjusted over traded price, where both are prices."""
    return _rules.unnamed(_price(step.read(ADJUSTED)) / _price(step.read(TRADED)))


def _price(x: xr.DataArray) -> xr.DataArray:
    x = panel.as_float(x)
    return x.where((x > 0) & (x < np.inf))
