"""A pipeline: columns and a screen, run on a panel."""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import _apply, panel
from xfactor.pipeline._frame import Frame, evaluate, make_frame
from xfactor.pipeline._rules import full, present
from xfactor.pipeline._term import FILTER, Term, check_kind, is_term
from xfactor.pipeline.classifier import words_of
from xfactor.store import open_panel

if TYPE_CHECKING:
    from xfactor.pipeline.graph import Picture

SCREEN = "screen"
Panel = xr.Dataset | str | PathLike[str]


class Pipeline:
    """Named terms, and a filter that says which assets are shown.

    Parameters
    ----------
    columns
        Terms by name.
    screen
        Filter: only its assets are shown.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor.pipeline import Pipeline, field, run_pipeline
    >>> panel, truth = xf.simulate_panel(dates=20, assets=8, seed=1)
    >>> cap = field("market_cap")
    >>> pipe = Pipeline({"cap": cap, "rank": cap.rank()}, screen=cap.top(3))
    >>> pipe.add(cap.zscore(), "size")
    >>> run_pipeline(pipe, panel, "2000-01-05", "2000-01-07").shape
    (9, 3)
    """

    def __init__(
        self, columns: Mapping[str, Term] | None = None, screen: Term | None = None
    ) -> None:
        self._columns: dict[str, Term] = {}
        self._screen: Term | None = None
        for name, term in (columns or {}).items():
            self.add(term, name)
        if screen is not None:
            self.set_screen(screen)

    @property
    def columns(self) -> dict[str, Term]:
        """The terms by name: a copy."""
        return dict(self._columns)

    @property
    def screen(self) -> Term | None:
        """The filter, or None."""
        return self._screen

    def add(self, term: Any, name: str, overwrite: bool = False) -> None:
        """Add a column.

        Parameters
        ----------
        term
            What it shows: a number, truth or group per asset, or one per date for `to_dataset`.
        name
            Its name.
        overwrite
            Take the place of a column of this name.
        """
        if not is_term(term):
            raise TypeError(f"a column is a term; found {panel.shown(term)}.")
        if not isinstance(name, str) or name in (panel.DATE, panel.ASSET, SCREEN):
            raise panel.error(
                f"the name of a column is {panel.shown(name)}",
                "text, and neither 'date' nor 'asset' nor 'screen'",
                "Choose another one",
            )
        if getattr(term, "outputs", None):
            raise panel.error(
                f"{term} has the outputs {', '.join(term.outputs)}", "one of them",
                f"Add term.{term.outputs[0]}",
            )  # fmt: skip
        if name in self._columns and not overwrite:
            raise panel.error(
                f"the pipeline has a column {name!r}", "a new name", "Or pass overwrite=True"
            )
        self._columns[name] = term

    def remove(self, name: str) -> Term:
        """Remove a column, and return its term."""
        if name not in self._columns:
            listed = ", ".join(self._columns) or "none"
            raise panel.error(f"no column {name!r}", "one of the columns", f"There are: {listed}")
        return self._columns.pop(name)

    def set_screen(self, screen: Any, overwrite: bool = False) -> None:
        """Set the filter that says which assets are shown.

        Parameters
        ----------
        screen
            The filter.
        overwrite
            Take the place of the one there is.
        """
        check_kind(screen, FILTER, "set_screen")
        if self._screen is not None and not overwrite:
            raise panel.error(
                "the pipeline has a screen",
                "none yet",
                "Combine them with &, or pass overwrite=True",
            )
        self._screen = screen

    def to_dataset(
        self,
        data: Panel,
        start: Any = None,
        end: Any = None,
        *,
        label: Literal["close", "open"] = "close",
        universe: str | xr.DataArray | None = None,
    ) -> xr.Dataset:
        """The columns on a panel, lazily.

        Parameters
        ----------
        data
            The panel, or the path of its store.
        start, end, label, universe
            As in `run_pipeline`.

        Returns
        -------
        xarray.Dataset
            One variable (date, asset) per column, or (date,) if its term is one number per date,
            as ``returns.mean(mask=biggest)`` is; the screen, if there is one, is the coordinate
            ``screen``, so that ``ds.where(ds.screen)`` leaves what it shows.

        Examples
        --------
        >>> import xfactor as xf
        >>> from xfactor.pipeline import Pipeline, field
        >>> panel, truth = xf.simulate_panel(dates=20, assets=8, seed=1)
        >>> pipe = Pipeline({"rank": field("market_cap").rank()})
        >>> pipe.to_dataset(panel, "2000-01-05")["rank"].shape
        (18, 8)
        """
        frame = make_frame(_opened(data), start, end, label, universe)
        columns, shown = self._values(frame)
        coords = {} if self._screen is None else {SCREEN: shown}
        return xr.Dataset(columns, coords)

    def show_graph(
        self,
        format: Literal["svg", "png"] = "svg",
        data: Panel | None = None,
        start: Any = None,
        end: Any = None,
        *,
        label: Literal["close", "open"] = "close",
        universe: str | xr.DataArray | None = None,
    ) -> "Picture":
        """Draw what each term is made of: a picture in notebooks, a table when printed.

        Parameters
        ----------
        format
            What a notebook shows.
        data
            The panel, or the path of its store: terms then tell their dtypes and bytes.
        start, end, label, universe
            As in `run_pipeline`.

        Returns
        -------
        Picture
            With ``save(path)`` for files; see `xfactor.pipeline.graph.draw`.

        Examples
        --------
        >>> from xfactor.pipeline import Pipeline, field
        >>> Pipeline({"rank": field("market_cap").rank()}).show_graph("png")
        term        kind    made of     mask  shown as
        market_cap  data
        rank()      factor  market_cap        rank
        """
        from xfactor.pipeline.graph import draw  # imports matplotlib

        return draw(self, format, data=data, start=start, end=end, label=label, universe=universe)

    def _values(self, frame: Frame) -> tuple[dict[str, xr.DataArray], xr.DataArray | None]:
        """The columns, and the cells that are shown: screen and universe (None: all)."""
        terms = [*self._columns.values(), *([] if self._screen is None else [self._screen])]
        values = evaluate(terms, frame)
        like = _whole(frame)
        columns = {
            name: values[t] if t.per_date else full(values[t], like)
            for name, t in self._columns.items()
        }
        shown = frame.listed(0)
        if self._screen is not None:
            chosen = full(values[self._screen], like)
            shown = chosen if shown is None else chosen & full(shown, like)
        return columns, None if shown is None else full(shown, like)


def _whole(frame: Frame) -> xr.DataArray:
    """An array with the labels and the chunks of the result."""
    dates, assets = frame.dates(), frame.assets
    empty = xr.DataArray(
        np.broadcast_to(np.False_, (len(dates), len(assets))),
        {panel.DATE: dates, panel.ASSET: assets},
        (panel.DATE, panel.ASSET),
    )
    lazy = (v for v in frame.panel.data_vars.values() if v.chunks is not None)
    first = next((v for v in lazy if set(v.dims) >= {panel.DATE, panel.ASSET}), None)
    if first is None:
        return empty
    cut = frame._cut(first, 0)
    return empty.chunk({d: cut.chunksizes[d] for d in (panel.DATE, panel.ASSET)})


def _opened(data: Panel) -> xr.Dataset:
    return data if isinstance(data, xr.Dataset) else open_panel(data)


def run_pipeline(
    pipeline: Pipeline,
    data: Panel,
    start_date: Any = None,
    end_date: Any = None,
    *,
    label: Literal["close", "open"] = "close",
    universe: str | xr.DataArray | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Run a pipeline on a panel.

    Parameters
    ----------
    pipeline
        Columns and a screen.
    data
        The panel, or the path of its store.
    start_date, end_date
        First and last date shown, both included; those of the panel if not given. Earlier dates
        that windows need are loaded by themselves.
    label
        ``"close"``: the row of a date holds what was known at the end of that session, so
        the newest row that a window sees is that date's own. ``"open"``: it holds what was known
        before the session opened, so the newest row is the date before's (zipline's convention).
    universe
        Name of a bool field of the panel, or a mask (date, asset): other assets are unknown to
        all terms, and are not shown. The field ``listed`` if the panel has it.
    progress
        Show a bar on standard error.

    Returns
    -------
    pandas.DataFrame
        One row per date and asset that the screen shows, index (date, asset), in the order of the
        panel; one column per term: floats for Factors (missing: NaN), bool for Filters; groups
        with names are categories, others integers (missing: -1). Without screen and universe, rows
        on which every column is missing or False are left out.

    Raises
    ------
    PanelError
        If the pipeline has no columns, the panel lacks a field or has too little history before
        `start_date`: the message names the term and the dates.

    Examples
    --------
    >>> import xfactor as xf
    >>> from xfactor.pipeline import Pipeline, field, run_pipeline
    >>> panel, truth = xf.simulate_panel(dates=20, assets=8, seed=1)
    >>> cap = field("market_cap")
    >>> pipe = Pipeline({"rank": cap.rank()}, screen=cap.top(2))
    >>> run_pipeline(pipe, panel, "2000-01-05", "2000-01-06")["rank"].tolist()
    [6.0, 5.0, 6.0, 5.0]
    """
    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"run_pipeline takes a Pipeline; found {panel.shown(pipeline)}.")
    if not pipeline._columns:
        raise panel.error("the pipeline has no columns", "at least one", "Use pipe.add(term, name)")
    for name, term in pipeline._columns.items():
        if term.per_date:
            raise panel.error(
                f"the column {name!r} is one number per date",
                "a term with a value per asset",
                "Use pipe.to_dataset(...), or arithmetic such as factor - factor.mean()",
            )
    frame = make_frame(_opened(data), start_date, end_date, label, universe)
    columns, shown = pipeline._values(frame)
    shown = _known(columns) if shown is None else shown
    core = (panel.ASSET,)
    args = [_apply.Arg(v, core) for v in (shown, *columns.values())]
    blocks = _apply.collect(_picked, args, what="run_pipeline", progress=progress)
    return _table(frame, columns, blocks)


def _known(columns: Mapping[str, xr.DataArray]) -> xr.DataArray:
    cells = [c if c.dtype == np.bool_ else present(c) for c in columns.values()]
    known = cells[0]
    for cell in cells[1:]:
        known = known | cell
    return known


def _picked(shown: np.ndarray, *columns: np.ndarray) -> tuple[int, np.ndarray, list[np.ndarray]]:
    """How many dates a block has, the places of the cells shown, and their values."""
    places = np.flatnonzero(shown)
    return len(shown), places, [c.reshape(-1)[places] for c in columns]


def _table(frame: Frame, columns: Mapping[str, xr.DataArray], blocks: list[Any]) -> pd.DataFrame:
    dates, assets = frame.dates(), frame.assets
    starts = np.cumsum([0, *[n for n, _, _ in blocks]])
    width = max(len(assets), 1)
    rows = [p // width + s for s, (_, p, _) in zip(starts, blocks, strict=False)]
    codes = [np.concatenate(rows), np.concatenate([p % width for _, p, _ in blocks])]
    index = pd.MultiIndex(
        levels=[dates, assets], codes=codes, names=[panel.DATE, panel.ASSET], verify_integrity=False
    )
    values = {}
    for k, (name, column) in enumerate(columns.items()):
        joined = np.concatenate([b[2][k] for b in blocks])
        values[name] = _labelled(joined, column)
        for b in blocks:
            b[2][k] = None
    return pd.DataFrame(values, index=index, copy=False)


def _labelled(values: np.ndarray, column: xr.DataArray) -> Any:
    """Codes with names as categories; all else as it is."""
    words = words_of(column) if panel.is_codes(column.dtype) else None
    if words is None:
        return values
    place = {code: k for k, code in enumerate(words)}
    table = np.full(max(place, default=-1) + 2, -1)
    table[list(place)] = list(place.values())
    last = len(table) - 1
    codes = table[np.where((values >= 0) & (values < last), values, last)]
    return pd.Categorical.from_codes(codes, list(words.values()))
