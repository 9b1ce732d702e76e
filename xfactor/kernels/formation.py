"""Portfolios of size and a characteristic, formed on some dates and held until the next ones.

A scan carries what a formation needs from dates before it: rows of fields as they were then, the
growth of each of the last months, and the portfolios that are held.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from xfactor.kernels.buckets import Cuts
from xfactor.kernels.sorts import UNKNOWN, state_rows

MONTHS = 13  # of growth: momentum looks at those from 11 before to the last but one, alive before
HALVES, THIRDS = Cuts((1,), 2), Cuts((3, 7), 10)


class Rule(NamedTuple):
    """Where breakpoints lie and on which side of one a value equal to it is."""

    interpolated: bool  # quantiles of type 7; otherwise the smallest value v with F(v) >= q
    equal_is_above: bool
    least: int  # names needed for breakpoints


class Sort(NamedTuple):
    """One characteristic: when portfolios are formed, and from which rows of which fields."""

    value: str  # in `VALUES`
    forms: np.ndarray  # bool (date,)
    reads: tuple[tuple[str, np.ndarray], ...]  # field, and for each date the row it reads, or -1


class Plan(NamedTuple):
    """All that follows from the dates alone."""

    month: np.ndarray  # number of the month of each date
    closes: np.ndarray  # bool (date,): the last one of its month
    sorts: Mapping[str, Sort]


class State(NamedTuple):
    """What a block of dates hands to the next; nothing in it is changed in place."""

    rows: Mapping[tuple[str, int], np.ndarray]
    held: Mapping[str, np.ndarray]
    growth: np.ndarray  # (n, asset) of the month so far
    seen: np.ndarray  # whether there was a return in it
    months: np.ndarray  # (MONTHS, n, asset): growth of the last months, NaN without a return
    alive: np.ndarray  # the same shape: a market cap at its end or a return in it
    month: int


def breakpoints(x: np.ndarray, cuts: Cuts, rule: Rule) -> np.ndarray:
    """Quantiles (row, K) of what is valid in each row; places are whole numbers over a whole."""
    ordered = np.sort(np.where(np.isfinite(x), x, np.nan).astype(np.float64), axis=1)
    n = np.isfinite(ordered).sum(axis=1)[:, None]
    shares = np.array(cuts.shares)
    if ordered.shape[1] == 0:
        return np.full((len(x), len(shares)), np.nan)
    last = np.maximum(n - 1, 0)
    if rule.interpolated:
        low, rest = np.divmod(shares * last, cuts.whole)
        a, b = (np.take_along_axis(ordered, np.minimum(k, last), axis=1) for k in (low, low + 1))
        found = a + (b - a) * (rest / cuts.whole)
    else:
        place = np.maximum(-(-shares * n // cuts.whole) - 1, 0)
        found = np.take_along_axis(ordered, place, axis=1)
    return np.where(n >= max(rule.least, 1), found, np.nan)


def cut(x: np.ndarray, source: np.ndarray, cuts: Cuts, rule: Rule) -> np.ndarray:
    """Bucket of each value of a row between the breakpoints of `source`; -1 without them."""
    points = breakpoints(np.where(source, x, np.nan), cuts, rule)[:, None, :]
    values = x[:, :, None]
    above = values >= points if rule.equal_is_above else values > points
    known = np.isfinite(x) & np.isfinite(points).all(axis=2)
    return np.where(known, above.sum(axis=2), -1)


# --- characteristics, from the rows that a sort reads --------------------------------------------


def _positive(x: np.ndarray) -> np.ndarray:
    return np.where((x > 0) & np.isfinite(x), x, np.nan)


def _book_to_market(book: np.ndarray, cap: np.ndarray) -> np.ndarray:
    return _positive(book) / _positive(cap)


def _of_positive_book(profitability: np.ndarray, book: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(_positive(book)), profitability, np.nan)


def _growth(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    return now / _positive(before) - 1.0


def _itself(x: np.ndarray) -> np.ndarray:
    return x


VALUES: dict[str, Callable[..., np.ndarray]] = {
    "book_to_market": _book_to_market,
    "profitability": _of_positive_book,
    "growth": _growth,
    "itself": _itself,
}


def _momentum(months: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return over eleven months, without the last; it needs all of them and a name before them."""
    return np.where(alive[0], np.multiply.reduce(months[1:-1], axis=0) - 1.0, np.nan)


# --- the scan ------------------------------------------------------------------------------------


def formation_scan(
    state: State | None,
    *arrays: np.ndarray,
    names: tuple[str, ...],
    plan: Plan,
    rule: Rule,
    offset: int,
) -> tuple[tuple[np.ndarray, ...], State]:
    """Portfolio of each asset on each date, for each sort, as formed on a date before.

    Arrays (date, asset, n) or (date, asset): ``cap``, ``returns``, masks ``source`` (of
    breakpoints) and ``inside`` (the universe) if given, and the fields that sorts read. Portfolios
    are numbered size * 3 + characteristic; others are the states of `sorts`.
    """
    given = dict(zip(names, arrays, strict=True))
    n_rows, n_assets = arrays[0].shape[:2]
    n = max(a.shape[2] if a.ndim == 3 else 1 for a in arrays)
    now = _start(plan, (n, n_assets)) if state is None else state
    out = {name: np.empty((n_rows, n, n_assets), dtype=np.int16) for name in plan.sorts}
    needed = _needed(plan, offset, n_rows)
    for t in range(n_rows):
        at = offset + t
        for name, held in now.held.items():
            out[name][t] = held
        row = {name: _row(a[t], n) for name, a in given.items()}
        now = _after(now, row, plan, at)
        for field in needed.get(at, ()):
            now = now._replace(rows={**now.rows, (field, at): row[field].astype(np.float64)})
        forming = [name for name, sort in plan.sorts.items() if sort.forms[at]]
        for name in forming:
            formed = _form(now, row, plan.sorts[name], at, rule)
            now = now._replace(held={**now.held, name: formed})
        if forming:
            now = now._replace(rows=_still_needed(now.rows, plan, at))
    return tuple(np.moveaxis(a, 1, 2) for a in out.values()), now


def _row(a: np.ndarray, n: int) -> np.ndarray:
    """One date of an array as (n, asset)."""
    return a.T if a.ndim == 2 else np.broadcast_to(a, (n, len(a)))


def _start(plan: Plan, shape: tuple[int, int]) -> State:
    nothing = np.full(shape, UNKNOWN, dtype=np.int16)
    return State(
        {},
        dict.fromkeys(plan.sorts, nothing),
        np.ones(shape),
        np.zeros(shape, dtype=bool),
        np.full((MONTHS, *shape), np.nan),
        np.zeros((MONTHS, *shape), dtype=bool),
        int(plan.month[0]) - 1 if len(plan.month) else 0,
    )


def _needed(plan: Plan, first: int, n: int) -> dict[int, set[str]]:
    """Fields to be kept of each of the `n` dates from `first` on."""
    found: dict[int, set[str]] = {}
    for sort in plan.sorts.values():
        for field, rows in sort.reads:
            wanted = np.unique(rows[sort.forms])
            for at in wanted[(wanted >= first) & (wanted < first + n)]:
                found.setdefault(int(at), set()).add(field)
    return found


def _still_needed(
    rows: Mapping[tuple[str, int], np.ndarray], plan: Plan, at: int
) -> dict[tuple[str, int], np.ndarray]:
    later = {
        (field, int(p))
        for sort in plan.sorts.values()
        for field, read in sort.reads
        for p in np.unique(read[at + 1 :][sort.forms[at + 1 :]])
    }
    return {key: row for key, row in rows.items() if key in later}


def _after(now: State, row: Mapping[str, np.ndarray], plan: Plan, at: int) -> State:
    """The state after the return of a date; at the end of a month its growth joins the others."""
    r = row["returns"]
    known = np.isfinite(r)
    step = np.where(known, np.maximum(1.0 + r.astype(np.float64), 0.0), 1.0)
    growth, seen = now.growth * step, now.seen | known
    if not plan.closes[at]:
        return now._replace(growth=growth, seen=seen)
    passed = min(int(plan.month[at]) - now.month, MONTHS)
    months, alive = np.full_like(now.months, np.nan), np.zeros_like(now.alive)
    months[: MONTHS - passed], alive[: MONTHS - passed] = now.months[passed:], now.alive[passed:]
    months[-1] = np.where(seen, growth, np.nan)
    alive[-1] = seen | np.isfinite(_positive(row["cap"]))
    fresh = np.ones_like(growth), np.zeros_like(seen)
    return State(now.rows, now.held, *fresh, months, alive, int(plan.month[at]))


def _form(now: State, row: Mapping[str, np.ndarray], sort: Sort, at: int, rule: Rule) -> np.ndarray:
    """Portfolios formed at the end of a date."""
    cap = _positive(row["cap"].astype(np.float64))
    if sort.value == "momentum":
        x = _momentum(now.months, now.alive)
    else:
        absent = np.full(cap.shape, np.nan)
        reads = [now.rows.get((field, int(rows[at])), absent) for field, rows in sort.reads]
        x = VALUES[sort.value](*reads)
    x = np.where(np.isfinite(x) & np.isfinite(cap), x, np.nan)
    inside = row.get("inside", np.ones(cap.shape, dtype=bool))
    source = row.get("source", inside) & inside
    size = cut(cap, source, HALVES, rule)
    third = cut(x, source, THIRDS, rule)
    formed = np.where((size >= 0) & (third >= 0), 3 * size + third, -1)
    return state_rows(formed, x, inside)
