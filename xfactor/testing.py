"""A test of your own functions of panels: that nothing in their results reads the future."""

from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from xfactor import _apply, panel

# Two runs on histories of different length may differ in the last bits.
_RTOL = 1e-9
# Roundings of a dtype that count as equal: a sum in another order, rounded to float32, may
# become its neighbour.
_ROUNDINGS = 8

_TRUNCATED = "truncated"
_MISSING = "set to missing"
_PERTURBED = "perturbed"


_REMEDY = (
    "Lag what is known later, and take statistics of rolling windows, not of the whole history."
)

Pair = tuple[xr.DataArray, xr.DataArray]


class LookaheadError(AssertionError):
    """A result moved though only later rows of the panel had changed."""


def check_no_lookahead(
    func: Callable[[Any], Any],
    data: xr.Dataset | xr.DataArray,
    *,
    cuts: int = 5,
    seed: int = 0,
    rtol: float = _RTOL,
    atol: float | None = None,
    dim: str = panel.DATE,
) -> None:
    """Raise unless what `func` gives for a date depends on the panel up to that date only.

    At some dates the history is cut. `func` runs on the panel that ends there, on one whose later
    rows are missing, and on one whose later rows hold other values: those of other assets, times
    a factor drawn for each date. What it gives up to the cut must be what it gave on the whole
    panel.

    Parameters
    ----------
    func
        Takes a panel, gives a DataArray, a Dataset, or a dict, tuple or list of them.
    data
        Panel: a Dataset or DataArray with the dimension `dim`, in memory or lazy.
    cuts
        How many dates to cut at: one in the first fifth, the second last, and some drawn between.
    seed
        Seed of what is drawn: the same check each time.
    rtol
        Relative difference of values that count as equal.
    atol
        Absolute difference that does; a thousandth of `rtol` times the largest value of the
        variable if not given, so that what cancels to 0 up to rounding is 0.
    dim
        Dimension of time.

    Raises
    ------
    LookaheadError
        An AssertionError of one line: which variable moved first, on which date and of which
        asset, where the history was cut, what had happened after it, and the value before and
        after. Also where the result has no dates: it is one value for the whole history.
    PanelError
        If the dates of the panel are not strictly increasing, or if some variable of the result
        is missing (a mask: False) on all dates up to the last cut, so that nothing was compared.

    Notes
    -----
    Values are compared up to rounding and not bit for bit, because a library may add up in an
    order that depends on the shape of an array. A value that is missing in one run and known in
    the other has moved. `func` must give the same each time it runs. On lazy panels each
    comparison reads the panel once, is reduced to one number a date before it is computed, and
    uses the scheduler that is active.

    It is a test and no proof: it sees what moves at the dates that it cuts at, for the data that
    it is given. A panel with all that your function has to do with, a year longer than its
    longest window, is worth more than many cuts.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=60, assets=8, seed=1)
    >>> def momentum(panel):
    ...     return xf.rank(xf.returns(panel.adjusted_close, 20))
    >>> xf.testing.check_no_lookahead(momentum, panel)
    >>> def from_the_mean(panel):
    ...     return panel.adjusted_close - panel.adjusted_close.mean("date")
    >>> xf.testing.check_no_lookahead(from_the_mean, panel)
    Traceback (most recent call last):
    xfactor.testing.LookaheadError: 'adjusted_close' moved on 2000-01-03 for asset 10001 when
    the rows after 2000-01-17 were truncated: from -1.35... to 0.04...; needed values that ...
    """
    _check_panel(func, data, dim)
    rtol = _tolerance("rtol", rtol)
    atol = None if atol is None else _tolerance("atol", atol)
    rng = np.random.default_rng(panel.positive("seed", seed, 0))
    positions = _cut_positions(data.sizes[dim], panel.positive("cuts", cuts, 2), rng)
    before = _results(func(data.copy(deep=False)), data, dim)  # func may add fields to its panel
    limits = _limits(before, rtol, atol)
    for cut in positions:
        for change, other in _changed(data, cut, dim, rng):
            when = f"when the rows after {_label(data, dim, cut)} were {change}"
            try:
                after = _results(func(other), data, dim)
            except Exception as reason:
                reason.add_note(f"func raised this in check_no_lookahead, {when}.")
                raise
            pasts = _pasts(before, after, data, cut, dim, when)
            _compare(pasts, limits, dim, when)
    _check_known(before, data, positions[-1], dim)


def _check_panel(func: Any, data: Any, dim: str) -> None:
    what = "check_no_lookahead"
    if not callable(func):
        raise TypeError(f"{what} takes a function, then a panel; found {type(func).__name__}.")
    if not isinstance(data, xr.Dataset | xr.DataArray):
        raise TypeError(f"{what} takes a Dataset or a DataArray; found {type(data).__name__}.")
    panel.check_dim(data, dim, what)
    panel.check_order(data, dim, what)
    if data.sizes[dim] < 3:
        raise panel.error(
            f"the panel has {data.sizes[dim]} dates", "3 or more", "Take a longer one"
        )


def _tolerance(name: str, value: Any) -> float:
    number = not isinstance(value, bool) and isinstance(value, Real)
    if not (number and value >= 0):
        raise panel.error(f"{name}={value!r} was given", "a number of at least 0", "Use e.g. 1e-9")
    return float(value)


def _check_known(before: dict[str, xr.DataArray], data: Any, cut: int, dim: str) -> None:
    """Refuse what is missing up to the last cut: comparing nothing, it would pass."""
    own = {name: v.data for name, v in _fields(data).items()}
    made = {name: x for name, x in before.items() if x.data is not own.get(name)}
    pasts = {name: _past(x, data, cut, dim) for name, x in made.items()}
    for name, known in zip(pasts, _apply.compute(*map(_any_known, pasts.values())), strict=True):
        if not known:
            raise panel.error(
                f"{name!r} is missing on every date up to {_label(data, dim, cut)}, so that "
                "nothing was compared",
                "values on some date",
                "Take a panel longer than the windows of func and what they may reach ahead",
            )


def _any_known(x: xr.DataArray) -> xr.DataArray:
    """Whether there is any value; that of a mask is True, of codes at least 0."""
    if x.dtype == np.bool_:
        return x.any()
    return (x != panel.MISSING_CODE if panel.is_codes(x.dtype) else x.notnull()).any()


def _cut_positions(n: int, cuts: int, rng: np.random.Generator) -> list[int]:
    """Positions of the last rows kept: at least two dates before and one after."""
    early = int(rng.integers(1, max(2, n // 5)))
    between = np.arange(early + 1, n - 2)
    drawn = rng.choice(between, min(cuts - 2, len(between)), replace=False)
    return sorted({early, n - 2, *map(int, drawn)})


# --- results ------------------------------------------------------------------------------------


def _results(result: Any, data: Any, dim: str) -> dict[str, xr.DataArray]:
    """The arrays of a result by name, less the fields without dates that the panel has itself."""
    found = dict(_walk(result, ""))
    static = [k for k, v in _fields(data).items() if dim not in v.dims]
    found = {k: v for k, v in found.items() if k not in static or not v.equals(data[k])}
    if not found:
        raise TypeError("func gave no arrays; needed a DataArray or a Dataset.")
    for name, x in found.items():
        if dim not in x.dims:
            dims = ", ".join(repr(str(d)) for d in x.dims) or "none"
            raise LookaheadError(
                f"{name!r} has the dimensions {dims} and so one value for the whole history, "
                f"known at its end only; needed {dim!r}, a value for each date. Estimate it on a "
                "rolling window, e.g. with rolling_ols, or leave it out of the result."
            )
    return found


def _walk(result: Any, name: str) -> Iterator[tuple[str, xr.DataArray]]:
    if isinstance(result, xr.DataArray):
        yield name or str(result.name or "result"), result
    elif isinstance(result, Mapping | xr.Dataset):
        for key in result.data_vars if isinstance(result, xr.Dataset) else result:
            yield from _walk(result[key], f"{name}.{key}" if name else str(key))
    elif isinstance(result, tuple | list):
        for k, each in enumerate(result):
            yield from _walk(each, f"{name or 'result'}[{k}]")
    else:
        raise TypeError(
            f"func gave a {type(result).__name__}; needed a DataArray, a Dataset, or a dict or "
            "tuple of them."
        )


def _limits(
    before: dict[str, xr.DataArray], rtol: float, atol: float | None
) -> dict[str, tuple[float, float]]:
    """For each variable the relative and absolute difference that is none."""
    floats = {k: v for k, v in before.items() if v.dtype.kind == "f" and v.size}
    largest: Any = [abs(v.where(np.isfinite(v))).max() for v in floats.values()]
    if atol is None:
        largest = _apply.compute(*largest)
    limits = {name: (0.0, 0.0) for name in before}
    for (name, v), most in zip(floats.items(), largest, strict=True):
        relative = max(rtol, _ROUNDINGS * float(np.finfo(v.dtype).eps))
        size = float(np.nan_to_num(most)) if atol is None else 0.0
        limits[name] = (relative, relative * 1e-3 * size if atol is None else atol)
    return limits


# --- comparison ---------------------------------------------------------------------------------


def _pasts(
    before: dict[str, xr.DataArray],
    after: dict[str, xr.DataArray],
    data: xr.Dataset | xr.DataArray,
    cut: int,
    dim: str,
    when: str,
) -> dict[str, Pair]:
    """Each variable up to the cut, from both runs, with the same labels."""
    pairs = {}
    for name, x in before.items():
        if name not in after:
            raise LookaheadError(f"{name!r} is gone from the result {when}. {_REMEDY}")
        a, b = _past(x, data, cut, dim), _past(after[name], data, cut, dim)
        for d in dict.fromkeys([*a.dims, *b.dims]):
            if a.sizes.get(d) != b.sizes.get(d) or (
                d in a.indexes and not a.indexes[d].equals(b.indexes.get(d))
            ):
                raise LookaheadError(f"{name!r} has other labels along {d!r} {when}. {_REMEDY}")
        pairs[name] = (a, b.transpose(*a.dims))
    return pairs


def _past(x: xr.DataArray, data: xr.Dataset | xr.DataArray, cut: int, dim: str) -> xr.DataArray:
    """What `x` has up to the date of the cut; it need not have all dates of the panel."""
    if dim not in x.indexes or dim not in data.indexes:
        return x.isel({dim: slice(cut + 1)})
    early = x.indexes[dim] <= data.indexes[dim][cut]
    if x.indexes[dim].is_monotonic_increasing:
        return x.isel({dim: slice(int(early.sum()))})
    return x.isel({dim: np.flatnonzero(early)})


def _compare(
    pairs: dict[str, Pair], limits: dict[str, tuple[float, float]], dim: str, when: str
) -> None:
    """Raise for the first date on which a variable has moved, if there is one."""
    moved = {name: _moved(*pair, *limits[name]) for name, pair in pairs.items()}
    dates = [m.any([d for d in m.dims if d != dim]) for m in moved.values()]
    first: list[tuple[Any, int, str, int]] = []  # label, order, variable, position
    for name, on in zip(moved, _apply.compute(*dates), strict=True):
        for at in np.flatnonzero(on.values)[:1].tolist():
            place = on.indexes[dim][at] if dim in on.indexes else at
            first.append((place, len(first), name, at))
    if not first:
        return
    _, _, name, at = min(first)
    a, b, m = _apply.compute(*[v.isel({dim: at}) for v in (*pairs[name], moved[name])])
    cell = dict(zip(m.dims, np.unravel_index(int(m.values.argmax()), m.shape), strict=True))
    where = "".join(f" for {d} {_label(m, d, int(k))}" for d, k in cell.items())
    raise LookaheadError(
        f"{name!r} moved on {_label(pairs[name][0], dim, at)}{where} {when}: "
        f"from {a.isel(cell).item()} to {b.isel(cell).item()}; "
        f"needed values that use the panel up to their own date. {_REMEDY}"
    )


def _moved(a: xr.DataArray, b: xr.DataArray, rtol: float, atol: float) -> xr.DataArray:
    options = {"rtol": rtol, "atol": atol}
    return xr.apply_ufunc(
        _differ,
        a.drop_vars([k for k in a.coords if k not in a.indexes]),
        b.variable,
        kwargs=options,
        dask="parallelized",
        output_dtypes=[bool],
    )


def _differ(a: np.ndarray, b: np.ndarray, *, rtol: float, atol: float) -> np.ndarray:
    both_missing = (a != a) & (b != b)
    if a.dtype.kind != "f" or b.dtype.kind not in "fiub":
        return (a != b) & ~both_missing
    with np.errstate(invalid="ignore", over="ignore"):
        most = atol + rtol * np.maximum(np.abs(a), np.abs(b))
        close = (np.abs(a - b) <= most) & np.isfinite(most)
        return ~(close | (a == b) | both_missing)


def _label(x: Any, dim: Any, at: int) -> str:
    """A label as in an error message."""
    if dim not in x.indexes:
        return f"number {at}"
    label = x.indexes[dim][at]
    return repr(label) if isinstance(label, str) else str(label).removesuffix(" 00:00:00")


# --- panels with another future -----------------------------------------------------------------


def _changed(
    data: Any, cut: int, dim: str, rng: np.random.Generator
) -> Iterator[tuple[str, xr.Dataset | xr.DataArray]]:
    """The panel with its rows after `cut` left out, missing, and replaced."""
    yield _TRUNCATED, data.isel({dim: slice(cut + 1)})
    past = xr.DataArray(np.arange(data.sizes[dim]) <= cut, dims=dim)
    orders = {d: rng.permutation(n) for d, n in data.sizes.items() if d != dim}
    factor = xr.DataArray(rng.lognormal(0.0, 0.5, data.sizes[dim]), dims=dim)
    yield _MISSING, _over_fields(lambda v: _replaced(v, past, _missing(v.dtype)), data, dim)

    def perturbed(v: xr.DataArray) -> xr.DataArray:
        return _replaced(v, past, _other_values(v, orders, factor))

    yield _PERTURBED, _over_fields(perturbed, data, dim)


def _fields(data: Any) -> Mapping[Any, xr.DataArray]:
    return data.data_vars if isinstance(data, xr.Dataset) else {}


def _over_fields(func: Callable[[xr.DataArray], xr.DataArray], data: Any, dim: str) -> Any:
    if isinstance(data, xr.DataArray):
        return func(data)
    return data.assign({k: func(v) for k, v in _fields(data).items() if dim in v.dims})


def _replaced(v: xr.DataArray, past: xr.DataArray, other: Any) -> xr.DataArray:
    """`other` on the dates that are not past, cut into chunks as before."""
    new = v.where(past, other).transpose(*v.dims).astype(v.dtype)
    return new if v.chunks is None else new.chunk(v.chunksizes)


def _missing(dtype: np.dtype) -> Any:
    """What stands for a missing value in a field."""
    known = panel.missing(dtype)
    return np.array((None if dtype.kind == "O" else 0) if known is None else known, dtype=dtype)


def _other_values(
    v: xr.DataArray, orders: Mapping[Any, np.ndarray], factor: xr.DataArray
) -> xr.DataArray:
    """Values of other assets; floats times the date's factor, of others some dates missing."""
    moved = v.copy(data=v.variable.isel({d: orders[d] for d in v.dims if d in orders}).data)
    if v.dtype.kind == "f":
        return moved * factor.astype(v.dtype)
    if v.dtype == np.bool_:
        return moved ^ (factor < 1.0)
    if v.dtype.kind in "iu":
        return moved.where(factor < 1.0, _missing(v.dtype))
    return moved
