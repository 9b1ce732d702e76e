"""Tables of rows in a store, beside its fields: records, filings, histories of symbols."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from xfactor import panel as _panel
from xfactor.store import layout, values
from xfactor.store.backends import PathLike, backend_of
from xfactor.store.opening import stored_variable
from xfactor.store.rewriting import make_room
from xfactor.store.snapshots import BOOKS, Snapshot
from xfactor.store.transaction import Transaction, transaction

Columns = Mapping[str, np.ndarray]
ROW = "row"
ROWS = 262_144


def read_table(
    path: PathLike, name: str, columns: Sequence[str] | None = None, *, backend: str | None = None
) -> dict[str, np.ndarray]:
    """Read a table of a store.

    Parameters
    ----------
    path
        The store.
    name
        The table.
    columns
        Those wanted; all of them if not given.
    backend
        As in `write_panel`.

    Returns
    -------
    dict of numpy.ndarray
        Columns of one length; empty if there is no such table.

    Raises
    ------
    PanelError
        If there is no store, or no such column.

    Examples
    --------
    >>> import tempfile, numpy as np, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     split = {"asset": np.array([3]), "ratio": np.array([2.0])}
    ...     xf.store.append_table(path, "splits", split)
    ...     xf.store.read_table(path, "splits", ["ratio"])
    {'ratio': array([2.])}
    """
    snapshot = backend_of(path, backend).snapshot()
    there = table_columns(snapshot, name)
    wanted = _panel.names("columns", columns, there)
    unknown = [c for c in wanted if c not in there]
    if unknown and there:
        raise _panel.error(
            f"the table {name!r} has no column {unknown[0]!r}",
            "a column",
            f"It has: {', '.join(there)}",
        )
    return {
        c: stored_variable(snapshot, _address(name, c), lazy=False).values
        for c in wanted if c in there
    }  # fmt: skip


def append_table(
    path: PathLike, name: str, columns: Columns, *, backend: str | None = None
) -> None:
    """Append rows to a table of a store; the first ones make it.

    Parameters
    ----------
    path
        The store.
    name
        The table.
    columns
        Arrays (row,) of one length: numbers, dates or text; the columns and dtypes of what is
        there.
    backend
        As in `write_panel`.

    Raises
    ------
    PanelError
        Before anything is touched: if the columns differ in length, or from those of the table;
        or if another process is writing.

    Examples
    --------
    >>> import tempfile, numpy as np, xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=20, assets=5, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = xf.write_panel(panel, folder + "/panel.zarr")
    ...     for asset in (3, 4):
    ...         xf.store.append_table(path, "delisted", {"asset": np.array([asset])})
    ...     xf.panel_info(path).tables
    {'delisted': 2}
    """
    store = backend_of(path, backend)
    with store.locked("append_table"):
        check_rows(store.snapshot(), {name: columns})
        make_room(store, 0, False)
        with transaction(store, "append_table", held=True) as t:
            add_rows(t, {name: columns})
            t.write()
            t.publish(t.published.attrs, t.published.coords)


def table_names(snapshot: Snapshot) -> list[str]:
    """Return the names of the tables of a store."""
    return sorted({n.split("/")[1] for n in snapshot.arrays if n.startswith(f"{BOOKS}/")})


def table_columns(snapshot: Snapshot, name: str) -> list[str]:
    """Return the columns of a table, empty if it is not there."""
    prefix = _address(name, "")
    return [n.removeprefix(prefix) for n in snapshot.arrays if n.startswith(prefix)]


def add_rows(
    t: Transaction, tables: Mapping[str, Columns] | None, *, fresh: bool = False
) -> set[str]:  # fmt: skip
    """Append rows to tables in a transaction.

    Parameters
    ----------
    t
        The transaction.
    tables
        Columns by the table's name.
    fresh
        The tables begin with these rows, whatever the store has under their names.

    Returns
    -------
    set of str
        Addresses of the columns.
    """
    base = None if fresh else t.base
    check_rows(base, tables)
    made = set()
    for name, columns in (tables or {}).items():
        arrays = _arrays(name, columns)
        for column, array in arrays.items():
            if len(array):
                _add_column(t, base, _address(name, column), array)
                made.add(_address(name, column))
    return made


def check_rows(base: Snapshot | None, tables: Mapping[str, Columns] | None) -> None:
    """Raise unless rows fit the tables of a store."""
    if not hasattr(tables or {}, "items"):
        raise TypeError(f"tables are columns by table name; found {type(tables).__name__}.")
    for name, columns in (tables or {}).items():
        _check_columns(base, name, _arrays(name, columns))


def _arrays(name: str, columns: Columns) -> dict[str, np.ndarray]:
    """Columns as arrays, or an error that names the one that is none."""
    if not hasattr(columns, "items"):
        raise TypeError(f"a table is arrays by column name; found {type(columns).__name__}.")
    for word in (name, *columns):  # they become names of folders
        if not isinstance(word, str) or not word or "/" in word or word.startswith("."):
            raise _panel.error(
                f"a table or column is named {_panel.shown(word)}", "a plain name", "Rename it"
            )
    made = {}
    for column, given in columns.items():
        try:
            made[column] = np.asarray(given)
        except ValueError:  # rows of unlike lengths
            raise _panel.error(
                f"the rows of the column {column!r} of {name!r} differ in length",
                "one value in each row",
                "Make a row of each of them",
            ) from None
    return made


def _add_column(t: Transaction, base: Snapshot | None, address: str, array: np.ndarray) -> None:
    there = base.array(address) if base and address in base.arrays else None
    start, chunk = (there.shape[0], there.chunks[0]) if there is not None else (0, ROWS)
    shape = (start + len(array),)
    if there is None:
        metadata = values.array_metadata(xr.Variable((ROW,), array), (chunk,))
    else:
        metadata = {**there.metadata, "shape": list(shape)}
    blocks = layout.appended_blocks(start, shape[0], chunk)
    t.add(
        address, metadata, array, blocks, axis=0, restated=there is None,
        keep_old=there is not None,
    )  # fmt: skip


def _check_columns(base: Snapshot | None, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    lengths = {a.shape for a in arrays.values()}
    if len(lengths) != 1 or any(len(s) != 1 for s in lengths):
        raise _panel.error(
            f"the columns of {name!r} have the shapes {sorted(lengths)}", "one length", "Align them"
        )
    there = table_columns(base, name) if base is not None else []
    if there and set(there) != set(arrays):
        raise _panel.error(
            f"the rows have the columns {', '.join(sorted(arrays))}",
            f"those of the table {name!r}: {', '.join(there)}",
            "Give all of them and no other",
        )
    for column in there:
        stored = stored_variable(base, _address(name, column), lazy=True)  # type: ignore[arg-type]
        if not values.same_kind(stored.dtype, arrays[column].dtype):
            raise _panel.error(
                f"the column {column!r} of {name!r} is {arrays[column].dtype}",
                str(stored.dtype),
                "Convert it",
            )


def _address(table: str, column: str) -> str:
    return f"{BOOKS}/{table}/{column}"
