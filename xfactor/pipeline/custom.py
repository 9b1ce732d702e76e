"""Terms that the user computes: a class with a function of NumPy arrays."""

import uuid
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply, panel
from xfactor.pipeline._outputs import Several
from xfactor.pipeline._rules import full
from xfactor.pipeline._term import Term, Value
from xfactor.pipeline._windowed import Windowed
from xfactor.pipeline.classifier import Classifier, with_words
from xfactor.pipeline.factor import Factor
from xfactor.pipeline.filter import Filter

if TYPE_CHECKING:
    from xfactor.pipeline._frame import Step

# Bytes of windows that are laid out for `compute_block` at once, where a mask makes copies of them.
LAID_OUT = 2**25


class Custom(Several, Windowed):
    """What `CustomFactor`, `CustomFilter` and `CustomClassifier` share."""

    shrinks = True
    invents = True
    dtype: ClassVar[Any]

    def __new__(  # noqa: D102
        cls,
        inputs: Iterable[Any] | None = None,
        window_length: int | None = None,
        mask: Any = None,
        outputs: Iterable[str] | None = None,
        **params: Any,
    ) -> Self:
        term = super().__new__(cls, inputs, window_length, mask, **params)
        names = outputs if outputs is not None else cls.outputs
        if names is None:
            return term
        names = tuple(names)
        wrong = [n for n in names if not str(n).isidentifier() or hasattr(cls, n)]
        if wrong or len(set(names)) < len(names) or not names:
            raise panel.error(
                f"outputs={names!r} was given to {cls.__name__}",
                "different names that are no attributes of a term",
                "Rename the output",
            )
        options = dict(term._options) | {"outputs": names}
        return cls._of(term.inputs, term.mask, **options)

    def compute(self, today: Any, assets: Any, out: Any, *inputs: Any, **params: Any) -> None:
        """Write the values of one date to `out`.

        Parameters
        ----------
        today
            The date, a `pandas.Timestamp`.
        assets
            The labels of the assets, those of the mask and the universe only: a `pandas.Index`
            (n,).
        out
            Where the values go (n,); missing before. With several outputs an object that has one
            such array under each name.
        *inputs
            A NumPy array (window_length, n) for each of the inputs, the newest date last; of
            one series (window_length, 1). They are not to be changed.
        **params
            The parameters.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no compute(self, today, assets, out, *inputs)."
        )

    # Takes the place of `compute` where it is defined: (dates, assets, out, *inputs), for many
    # dates at once; out (dates, n), inputs (dates, window_length, n).
    compute_block: ClassVar[Any] = None

    def __dask_tokenize__(self) -> str:
        """A name for the graph of its own each time, for what `compute` reads may have changed.

        A token made of the pickled term would also load it again, and that gives a class of a
        notebook another `compute`, which sees the notebook's variables as they were then.
        """
        return uuid.uuid4().hex

    def _evaluate(self, values: list[Value], where: xr.DataArray | None, step: "Step") -> Value:
        level = values.pop() if self.priced else None
        level = None if level is None else self._last(level)
        like, cuts = _grid(step), _cuts(values)
        args = [_arg(v, like, cuts) for v in values]
        scaled = tuple(level is not None and _was_price(d) for d in self.dependencies[: len(args)])
        beside = {"level": level, "where": _cells(where, step, cuts)}
        kept = {k: v for k, v in beside.items() if v is not None}
        args += [_apply.Arg(_filled(v, like, cuts), (panel.ASSET,)) for v in kept.values()]
        kernel = partial(
            _run, self, len(values), scaled, tuple(kept), step.dates, step.frame.assets
        )
        outs = [_apply.Out((panel.ASSET,), self.dtype) for _ in self.outputs or ("",)]
        before, what = self.window_length - 1, type(self).__name__
        made = [self._named(m) for m in _apply.window(kernel, args, outs, before=before, what=what)]
        return dict(zip(self.outputs, made, strict=True)) if self.outputs else made[0]

    def _named(self, made: xr.DataArray) -> xr.DataArray:
        return made

    @property
    def missing(self) -> Any:
        """What an untouched cell holds."""
        return panel.missing(np.dtype(self.dtype))


class CustomFactor(Custom, Factor):
    """A Factor that you compute from the last dates of its inputs.

    Make a subclass with the attributes `inputs`, `window_length` and, if wanted, `mask`, `params`
    (names, or names with defaults) and `outputs` (names), and with a method `compute` that writes
    to `out`. All can be given anew when a term is made: ``Mine(window_length=5)``.

    Parameters
    ----------
    inputs
        Terms, or names of fields of numbers.
    window_length
        How many dates `compute` sees, the newest included.
    mask
        Filter: `compute` sees only its assets; the others are missing.
    outputs
        Names of several values per asset, each then an attribute of the term.
    **params
        Parameters that the class names; hashable.

    Notes
    -----
    `compute` is called once per date. Where that is too slow, define
    ``compute_block(self, dates, assets, out, *inputs)`` instead: `out` is (dates, n), each of the
    inputs (dates, window_length, n), all assets of the panel; cells outside the mask are missing
    in all of their window.

    What a window needs of dates before the first one wanted is loaded by itself.

    Examples
    --------
    >>> import numpy as np, xfactor as xf
    >>> from xfactor.pipeline import CustomFactor, Pipeline, run_pipeline
    >>> class Range(CustomFactor):
    ...     inputs = ["close"]
    ...     window_length = 3
    ...
    ...     def compute(self, today, assets, out, close):
    ...         out[:] = np.nanmax(close, axis=0) / np.nanmin(close, axis=0) - 1
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> frame = run_pipeline(Pipeline({"range": Range()}), panel, panel.date.values[2])
    >>> bool((frame["range"] >= 0).all())
    True
    """

    dtype = np.float64


class CustomFilter(Custom, Filter):
    """A Filter that you compute: `out` is bool. See `CustomFactor`."""

    dtype = np.bool_


class CustomClassifier(Custom, Classifier):
    """A Classifier that you compute: `out` is int32, -1 for no group. See `CustomFactor`.

    With the class attribute `categories`, names in the order of the codes, the groups have names.
    """

    dtype = np.int32
    categories: ClassVar[Any] = None

    def _named(self, made: xr.DataArray) -> xr.DataArray:
        names = self.categories
        return with_words(made, None if names is None else dict(enumerate(map(str, names))))


def _was_price(term: Term) -> bool:
    return type(term).__name__ == "Adjusted"


def _grid(step: "Step") -> xr.DataArray:
    """An array with the labels of the step, to lay others out on."""
    dates, assets = step.dates, step.frame.assets
    empty = np.broadcast_to(np.float64(0), (len(dates), len(assets)))
    return xr.DataArray(empty, {panel.DATE: dates, panel.ASSET: assets}, (panel.DATE, panel.ASSET))


def _cuts(values: list[Value]) -> dict[str, Any]:
    """How the inputs are cut along date, for what is made to fit beside them."""
    lazy = (v.chunksizes for v in values if panel.DATE in v.dims and v.chunks is not None)
    return {d: cut for d, cut in next(lazy, {}).items() if d == panel.DATE}


def _filled(x: xr.DataArray, like: xr.DataArray, cuts: dict[str, Any]) -> xr.DataArray:
    """`x` on all dates and assets; dates that it lacked are cut as the inputs are."""
    wide = full(x, like)
    return wide if panel.DATE in x.dims or x.chunks is None else wide.chunk(cuts)


def _arg(x: xr.DataArray, like: xr.DataArray, cuts: dict[str, Any]) -> _apply.Arg:
    if panel.DATE not in x.dims:
        x = _filled(x, like, cuts)
    return _apply.Arg(x, (panel.ASSET,) if panel.ASSET in x.dims else ())


def _cells(where: xr.DataArray | None, step: "Step", cuts: dict[str, Any]) -> xr.DataArray | None:
    """The mask and the universe on all rows of the inputs; nothing is chosen before the first."""
    if where is None:
        return step.universe
    lacking = len(step.dates) - where.sizes.get(panel.DATE, len(step.dates))
    if lacking:
        where = where.pad({panel.DATE: (lacking, 0)}, constant_values=False)
        where = where.assign_coords(date=step.dates)
        where = where.chunk(cuts) if where.chunks is not None else where
    return where if step.universe is None else where & step.universe


class Outs:
    """Several arrays to be written to, each under its name."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.__dict__.update(arrays)


def _run(
    term: Custom,
    n: int,
    scaled: tuple[bool, ...],
    beside: tuple[str, ...],
    dates: pd.DatetimeIndex,
    assets: pd.Index,
    *arrays: np.ndarray,
    offset: int,
    start: int,
    stop: int,
) -> Any:
    """The window kernel of a term: call what the user wrote, date by date or at once."""
    flat = [a.reshape(a.shape[:2]) for a in arrays]
    inputs, others = flat[:n], dict(zip(beside, flat[n:], strict=True))
    names = term.outputs or ("",)
    shape = (stop - start, len(assets))
    outs = [np.full(shape, term.missing, dtype=term.dtype) for _ in names]
    days = dates[offset + start : offset + stop]
    run = _by_date if term.compute_block is None else _by_block
    first = start - term.window_length + 1
    if first < 0:  # before the history: rows that are cut off again
        skip = min(-first, stop - start)
        outs_seen, days, first = [o[skip:] for o in outs], days[skip:], 0
    else:
        outs_seen = outs
    if len(days):
        seen = [_read_only(a[first:stop]) for a in inputs]
        others = {k: v[stop - len(days) : stop] for k, v in others.items()}
        run(term, days, assets, outs_seen, seen, scaled, others)
    done = tuple(o[..., None] for o in outs)
    return done if len(done) > 1 else done[0]


def _read_only(view: np.ndarray) -> np.ndarray:
    """What `compute` sees may be the panel's own memory."""
    view.flags.writeable = False
    return view


def _by_date(
    term: Custom,
    days: pd.DatetimeIndex,
    assets: pd.Index,
    outs: list[np.ndarray],
    inputs: list[np.ndarray],
    scaled: tuple[bool, ...],
    others: dict[str, np.ndarray],
) -> None:
    params, length = dict(term.given), term.window_length
    where, level = others.get("where"), others.get("level")
    for t, today in enumerate(days):
        windows = [x[t : t + length] for x in inputs]
        if level is not None:
            windows = [w * level[t] if s else w for w, s in zip(windows, scaled, strict=True)]
        rows, shown, chosen = [o[t] for o in outs], assets, None
        if where is not None and not where[t].all():
            chosen = np.flatnonzero(where[t])
            if not len(chosen):  # nothing to write, and many a function fails on no values
                continue
            shown = assets[chosen]
            windows = [w if w.shape[1] != len(assets) else w[:, chosen] for w in windows]
            rows = [np.full(len(chosen), term.missing, dtype=term.dtype) for _ in outs]
        out = Outs(dict(zip(term.outputs, rows, strict=True))) if term.outputs else rows[0]
        try:
            term.compute(today, shown, out, *windows, **params)
        except Exception as failed:
            failed.add_note(f"in {type(term).__name__}.compute on {today:%Y-%m-%d}")
            raise
        if chosen is not None:
            for whole, part in zip(outs, rows, strict=True):
                whole[t, chosen] = part


def _by_block(
    term: Custom,
    days: pd.DatetimeIndex,
    assets: pd.Index,
    outs: list[np.ndarray],
    inputs: list[np.ndarray],
    scaled: tuple[bool, ...],
    others: dict[str, np.ndarray],
) -> None:
    params, length = dict(term.given), term.window_length
    where, level = others.get("where"), others.get("level")
    step = len(days)
    if others:
        step = max(1, min(step, LAID_OUT // max(1, 8 * length * len(assets))))
    for at in range(0, len(days), step):
        some = slice(at, min(at + step, len(days)))
        windows = [_windows(x[at : some.stop + length - 1], length) for x in inputs]
        if level is not None:
            own = level[some, None, :]
            windows = [w * own if s else w for w, s in zip(windows, scaled, strict=True)]
        if where is not None and not where[some].all():
            inside = where[some, None, :]
            windows = [_inside(w, inside) for w in windows]
        rows = [o[some] for o in outs]
        out = Outs(dict(zip(term.outputs, rows, strict=True))) if term.outputs else rows[0]
        term.compute_block(days[some], assets, out, *windows, **params)
        if where is not None:
            for row in rows:
                row[~where[some]] = term.missing


def _windows(x: np.ndarray, length: int) -> np.ndarray:
    """Rows (date, n) as windows (date, length, n), without a copy."""
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, length, axis=0), -1, 1)


def _inside(windows: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Windows of cells that are chosen on their last date; the others missing."""
    if windows.shape[-1] != inside.shape[-1]:
        return windows
    nothing = panel.missing(windows.dtype)
    return np.where(inside, windows, windows.dtype.type(0) if nothing is None else nothing)
