"""Portfolios of assets sorted by one characteristic, or by two or three at once."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from xfactor import cross_section, panel
from xfactor.portfolios import _buckets

BUCKET = "bucket"
CHARACTERISTIC = "characteristic"
MOST = int(np.iinfo(np.int16).max)  # buckets of all characteristics together
Bins = int | Sequence[float] | np.ndarray
Weights = Literal["equal", "value", "signal"]
Method = Literal["pivot", "ecdf", "rank"]


def quantile_portfolios(
    x: xr.DataArray,
    returns: xr.DataArray,
    bins: Bins = 10,
    *,
    weights: Weights = "equal",
    sizes: xr.DataArray | None = None,
    max_share: float | None = None,
    max_size: float | None = None,
    method: Method = "pivot",
    breakpoints_from: xr.DataArray | None = None,
    min_names: int = 1,
    lag: int = 1,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> xr.Dataset:
    """Returns of portfolios of the assets sorted by a characteristic, made anew on each date.

    Parameters
    ----------
    x
        Characteristic (date, asset); further dims, such as `signal`, give a sort each, in the same
        pass over the data. One chunk along `dim`.
    returns
        Returns (date, asset), decimal, each over (t-1, t].
    bins
        Number of buckets, or where to cut as fractions of the assets: (0.3, 0.7) and
        [0, 0.3, 0.7, 1] are the same.
    weights
        Of the names of a bucket: ``"equal"``; ``"value"``, in proportion to `sizes`; or
        ``"signal"``, in proportion to the distance of `x` from its mean on the date (in the
        group, with `by`).
    sizes
        Market cap, say (date, asset). A name without a positive one is not sorted either.
    max_share
        The largest share that a name may have of its bucket; what is above it goes to the others
        in proportion. A bucket of too few names for it has equal weights.
    max_size
        Sizes count up to this quantile of theirs on the date, among the breakpoint assets if
        given: 0.8 gives the capped value weights of Jensen, Kelly and Pedersen (2023).
    method, breakpoints_from
        As in `qcut`.
    min_names
        A bucket of fewer names with a return is missing.
    lag
        Dates by which memberships and weights are moved back: those known when the return
        began. 0 sorts by what is known at the return's end: **that looks ahead**.
    dim
        Dimension to sort along.
    where
        Universe mask, at the time of the sort.
    by
        Group codes: a sort in each group by itself, whose buckets are then held together (sector
        neutral). An asset without a group is not sorted.

    Returns
    -------
    xarray.Dataset
        ``returns`` (date, bucket), decimal, bucket 0 that of the smallest values; ``n_names``
        (date, bucket), the names with a return; ``spread`` (date,), the last bucket less the
        first, so of gross exposure 2; ``n_obs`` (date,), the names of all portfolios that have a
        return, and ``n_dropped`` (date, reason), those in none: together all assets. Their reason
        is the first of ``not_listed`` (neither a characteristic nor a return is known),
        ``masked`` (outside of `where`), ``missing`` (no characteristic,
        size, group or breakpoints),
        ``missing_return`` and ``thin`` (in a bucket of fewer than `min_names`). A name without
        a return leaves its weight to the others of the bucket.

    Raises
    ------
    PanelError
        If `weights` or `method` is unknown, `sizes` are given without ``weights="value"`` or
        not with it, `bins` are no number of buckets and no rising fractions, `breakpoints_from`
        is given with ``method="rank"``, `max_share` or `max_size` is outside of (0, 1] or has
        nothing to limit, or `lag` or `min_names` is no whole number (from 0 and 1); if an input
        has a dim `bucket` or `reason`; if a dim is missing or cut into chunks, labels or chunks
        differ, or dates are not in order (with a lag).
    TypeError
        If an array holds no numbers or is of another type, a mask is not bool, or `by` holds no
        integers.

    References
    ----------
    Jensen, T., Kelly, B. and Pedersen, L. (2023). Is there a replication crisis in finance?
    Journal of Finance 78, 2465-2518.

    Examples
    --------
    >>> import xarray as xr, xfactor as xf
    >>> x = xr.DataArray([[1.0, 2.0, 3.0, 4.0]] * 2, dims=("date", "asset"))
    >>> r = xr.DataArray([[0.0] * 4, [0.1, 0.3, float("nan"), 0.5]], dims=("date", "asset"))
    >>> sort = xf.quantile_portfolios(x, r, bins=2)
    >>> sort.returns.values
    array([[nan, nan],
           [0.2, 0.5]])
    >>> sort.spread.round(6).values
    array([nan, 0.3])
    >>> sort.n_dropped.sel(reason="missing_return").values
    array([0, 1], dtype=int32)
    """
    what = "quantile_portfolios"
    _check(x, returns, dim, what)
    _buckets.check_weights(weights, sizes, max_share, max_size)
    lag, min_names = panel.positive("lag", lag, 0), panel.positive("min_names", min_names)
    values, sizes = _sortable([x], sizes, dim, where)
    steps = _steps(bins)
    labels = cross_section.qcut(
        values[0], steps, method=method, breakpoints_from=breakpoints_from, dim=dim, where=where,
        by=by,
    )  # fmt: skip
    n = len(steps) - 1
    if weights == "signal":
        sizes = abs(cross_section.demean(values[0], dim=dim, where=where, by=by))
    elif sizes is not None:
        sizes = _buckets.limited(sizes, max_size, dim, where, breakpoints_from)
    if max_share is not None and sizes is not None:
        sizes = _buckets.share_limited(labels, sizes, max_share, n, dim, what)
    state = labels
    if any(a is not None for a in (where, by, breakpoints_from)):  # otherwise -1 says it all
        state = _buckets.states(labels, values[0], where, dim, what)
    options: dict[str, Any] = {"lag": lag, "min_names": min_names, "dim": dim, "what": what}
    result = _buckets.earned(state, returns, sizes, {BUCKET: range(n)}, **options)
    spread = result["returns"].isel({BUCKET: -1}, drop=True)
    result["spread"] = spread - result["returns"].isel({BUCKET: 0}, drop=True)
    result["spread"].attrs = {"long_name": "last bucket less the first", "units": "decimal"}
    return result


def double_sort(
    characteristics: xr.Dataset | Sequence[xr.DataArray],
    returns: xr.DataArray,
    bins: int | Sequence[Bins] = 5,
    *,
    dependent: bool = False,
    sizes: xr.DataArray | None = None,
    max_share: float | None = None,
    max_size: float | None = None,
    method: Method = "pivot",
    breakpoints_from: xr.DataArray | None = None,
    min_names: int = 1,
    lag: int = 1,
    dim: str = panel.ASSET,
    where: xr.DataArray | None = None,
    by: xr.DataArray | None = None,
) -> xr.Dataset:
    """Returns of portfolios of the assets sorted by two or three characteristics at once.

    Parameters
    ----------
    characteristics
        Two or three of them (date, asset): variables of a Dataset, or named arrays. Their names
        become the dims of the portfolios. One chunk along `dim`.
    returns
        Returns (date, asset), decimal, each over (t-1, t].
    bins
        For all, or for each in a list: the number of buckets, or where to cut as fractions of
        the assets: (0.3, 0.7) and [0, 0.3, 0.7, 1] are the same.
    dependent
        Cut the second characteristic within each bucket of the first, and a third within both;
        otherwise each is cut among all assets.
    sizes, max_share, max_size
        Weights in proportion to `sizes`, and their limits, as in `quantile_portfolios`; equal
        weights if not given.
    method, breakpoints_from
        As in `qcut`, for all characteristics.
    min_names
        A portfolio of fewer names with a return is missing.
    lag
        Dates by which memberships and weights are moved back: those known when the return
        began. 0 sorts by what is known at the return's end: **that looks ahead**.
    dim
        Dimension to sort along.
    where
        Universe mask, at the time of the sort.
    by
        Group codes: sorts in each group by itself, whose buckets are then held together.

    Returns
    -------
    xarray.Dataset
        ``returns`` and ``n_names``, dims date and one of each characteristic, bucket 0 that of
        the smallest values; ``spread`` (date, characteristic), the last bucket less the first,
        averaged over the buckets of the others and missing if one of these portfolios is;
        ``n_obs`` and ``n_dropped`` as in `quantile_portfolios`. An asset is sorted only if it has
        all characteristics, and, in an independent sort, cuts are taken from these assets.

    Raises
    ------
    PanelError
        If there are not two or three characteristics with names of their own, one is named as a
        dim, or `bins` has another length or makes more than 32,767 portfolios; and for any of
        the reasons of `quantile_portfolios`.
    TypeError
        If `characteristics` is no Dataset, list or tuple, an array holds no numbers or is of
        another type, a mask is not bool, or `by` holds no integers.

    References
    ----------
    Fama, E. and French, K. (1993). Common risk factors in the returns on stocks and bonds. Journal
    of Financial Economics 33, 3-56: independent sorts.

    Daniel, K., Grinblatt, M., Titman, S. and Wermers, R. (1997). Measuring mutual fund performance
    with characteristic-based benchmarks. Journal of Finance 52, 1035-1058: dependent ones.

    Examples
    --------
    >>> import xfactor as xf
    >>> panel, truth = xf.simulate_panel(dates=100, assets=200, seed=1)
    >>> fields = panel[["market_cap", "book_to_price"]]
    >>> sort = xf.double_sort(fields, panel.returns, [2, (0.3, 0.7)], sizes=panel.market_cap)
    >>> sort.returns.dims, sort.returns.shape
    (('date', 'market_cap', 'book_to_price'), (100, 2, 3))
    >>> smb = -sort.spread.sel(characteristic="market_cap")
    """
    what = "double_sort"
    given = _listed(characteristics, what)
    steps = [_steps(b) for b in _each(bins, len(given))]
    _check_product(steps)
    for x in given:
        _check(x, returns, dim, what)
        taken = (*x.dims, *returns.dims, CHARACTERISTIC, _buckets.REASON)
        if x.name in taken:
            raise panel.error(
                f"a characteristic and a dimension are both named {str(x.name)!r}",
                "a name of its own, for the dimension of its buckets",
                "Rename it, e.g. x.rename('by_size')",
            )
    panel.flag("dependent", dependent)
    _buckets.check_limits(sizes is not None, sizes, max_share, max_size)
    lag, min_names = panel.positive("lag", lag, 0), panel.positive("min_names", min_names)
    values, sizes = _sortable(given, sizes, dim, where)
    options: dict[str, Any] = {"method": method, "dim": dim, "where": where}
    options["breakpoints_from"] = breakpoints_from
    cells = _crossed(values, steps, by, dependent, options)
    if sizes is not None:
        sizes = _buckets.limited(sizes, max_size, dim, where, breakpoints_from)
    n = int(np.prod([len(s) - 1 for s in steps]))
    if max_share is not None and sizes is not None:
        sizes = _buckets.share_limited(cells, sizes, max_share, n, dim, what)
    state = _buckets.states(cells, values[-1], where, dim, what)
    names = [str(x.name) for x in given]
    dims = {name: range(len(s) - 1) for name, s in zip(names, steps, strict=True)}
    held: dict[str, Any] = {"lag": lag, "min_names": min_names, "dim": dim, "what": what}
    result = _buckets.earned(state, returns, sizes, dims, **held)
    result["spread"] = _spreads(result["returns"], names)
    return result


def _check(x: xr.DataArray, returns: xr.DataArray, dim: str, what: str) -> None:
    panel.one_array(x, what)
    panel.one_array(returns, what, "returns")
    panel.check_dim(x, dim, what)
    panel.check_dim(returns, dim, what)
    panel.check_same_labels(returns, x, names=("returns", str(x.name or "x")))


def _sortable(
    given: Sequence[xr.DataArray], sizes: xr.DataArray | None, dim: str, where: xr.DataArray | None
) -> tuple[list[xr.DataArray], xr.DataArray | None]:
    """Characteristics, missing where another or a positive size is missing; the sizes."""
    values = [panel.as_float(x) for x in given]
    for x, name in zip(values[1:], given[1:], strict=True):
        panel.check_beside(values[0], x, str(name.name))
    if where is not None:
        panel.check_mask(values[0], where, "where")
    known: list[xr.DataArray] = [xr.ufuncs.isfinite(x) for x in values]
    if sizes is not None:
        panel.check_numbers(values[0], sizes, "sizes")
        sizes = _buckets.positive_only(panel.bare(values[0], sizes))
        known.append(sizes.notnull())
    if len(known) > 1:
        every = known[0]
        for each in known[1:]:
            every = every & panel.bare(values[0], each)
        values = [x.where(every) for x in values]
    return values, sizes


def _crossed(
    values: list[xr.DataArray],
    steps: list[list[float]],
    by: xr.DataArray | None,
    dependent: bool,
    options: dict[str, Any],
) -> xr.DataArray:
    """Portfolio of each asset: buckets numbered through, those of the last running fastest."""
    cells: xr.DataArray | None = None
    for x, step in zip(values, steps, strict=True):
        groups = by
        if dependent and cells is not None:
            # Of 64 bits: the codes of the caller times the buckets so far.
            groups = cells if by is None else by.astype(np.int64) * MOST + cells
            groups = groups.where(cells >= 0, panel.MISSING_CODE)
            groups = groups if by is None else groups.where(by >= 0, panel.MISSING_CODE)
        labels = cross_section.qcut(x, step, by=groups, **options)
        if cells is None:
            cells = labels
            continue
        both = (cells >= 0) & (labels >= 0)
        cells = (cells * np.int16(len(step) - 1) + labels).where(both, np.int16(-1))
    assert cells is not None
    return cells


def _spreads(returns: xr.DataArray, names: list[str]) -> xr.DataArray:
    found = []
    for name in names:
        ends = returns.isel({name: -1}, drop=True) - returns.isel({name: 0}, drop=True)
        found.append(ends.mean([n for n in names if n != name], skipna=False))
    spread = xr.concat(found, dim=CHARACTERISTIC, coords="minimal", compat="override")
    spread = spread.assign_coords({CHARACTERISTIC: names})
    spread = spread.transpose(*[d for d in spread.dims if d != CHARACTERISTIC], CHARACTERISTIC)
    return spread.assign_attrs(long_name="last bucket less the first", units="decimal")


def _listed(characteristics: Any, what: str) -> list[xr.DataArray]:
    if isinstance(characteristics, xr.Dataset):
        characteristics = list(characteristics.data_vars.values())
    if isinstance(characteristics, xr.DataArray) or not isinstance(characteristics, list | tuple):
        raise TypeError(
            f"{what} takes two or three DataArrays, or a Dataset of them; found "
            f"{type(characteristics).__name__}. quantile_portfolios sorts by one."
        )
    names = [getattr(x, "name", None) for x in characteristics]
    if not 2 <= len(names) <= 3 or None in names or len(set(names)) < len(names):
        raise panel.error(
            f"characteristics named {', '.join(map(str, names)) or 'nothing'} were given",
            "two or three, each with a name of its own",
            "Use e.g. [cap.rename('size'), value.rename('value')]",
        )
    return list(characteristics)


def _several(bins: Any) -> bool:
    one = isinstance(bins, str | bytes) or not isinstance(bins, Iterable)
    return not one and getattr(bins, "ndim", 1) > 0


def _each(bins: Any, n: int) -> list[Any]:
    """The bins of each characteristic."""
    if not _several(bins):
        return [bins] * n
    bins = list(bins)
    if len(bins) != n:
        raise panel.error(
            f"bins={panel.shown(bins)} was given for {n} characteristics",
            "one number of buckets for all, or an entry for each",
            "Use e.g. bins=[2, (0.3, 0.7)]",
        )
    return bins


def _steps(bins: Any) -> list[Any]:
    """Edges of the buckets as fractions, those of 0 and 1 among them; `qcut` checks the rest."""
    if not _several(bins):
        n = panel.positive("bins", bins)
        return [k / n for k in range(n + 1)]
    steps = list(bins)
    numbers = [panel.number("bins", b) for b in steps]
    inner = bool(steps) and 0 < numbers[0] and numbers[-1] < 1
    return [0, *steps, 1] if inner else steps


def _check_product(steps: list[list[Any]]) -> None:
    n = int(np.prod([max(len(s) - 1, 1) for s in steps]))
    if n > MOST:
        raise panel.error(f"bins make {n} portfolios", f"at most {MOST}", "Use fewer buckets")
