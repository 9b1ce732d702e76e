"""Naive twins of the sorts: plain Python over the names of one date, pandas over the months."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd

from tests import oracles

NAN = math.nan
REASONS = ("not_listed", "masked", "missing", "missing_return", "thin")


def by_group(function, values, groups, *more):
    """Run a function of lists on the members of each group; None for those of no group."""
    out = [None] * len(values)
    for g in {g for g in groups if g >= 0}:
        own = [j for j, h in enumerate(groups) if h == g]
        found = function([values[j] for j in own], *[[m[j] for j in own] for m in more])
        for j, v in zip(own, found, strict=True):
            out[j] = v
    return out


def labels(values, bins, method, breakpoints, groups, names):
    """Buckets of one date within groups, -1 where there is none."""

    def cut(own, chosen, own_names):
        place = [own_names] if method == "rank" else []
        marks = None if method == "rank" else chosen
        return oracles.qcut(own, *place, bins=bins, breakpoints=marks, method=method)

    found = by_group(cut, values, groups, breakpoints, names)
    return [-1 if k is None else k for k in found]


def limit_share(sizes, share):
    """Pull down the largest, one after the other, until none is above its share."""
    if len(sizes) * Fraction(share).limit_denominator(1000) <= 1:
        return [1.0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda j: -sizes[j])
    for held in range(len(sizes)):
        free = sum(sizes[j] for j in order[held:])
        level = share * free / (1 - share * held)
        if sizes[order[held]] <= level * (1 + 1e-12):
            return [min(s, level) if j in order[:held] else s for j, s in enumerate(sizes)]
    return [1.0] * len(sizes)


def buckets_return(cells, listed, inside, sizes, returns, n, least, share=None):
    """Returns, names, names that entered and losses by reason of one date's portfolios."""
    mean, names, dropped = [NAN] * n, [0] * n, dict.fromkeys(REASONS, 0)
    for k in range(n):
        own = [j for j, c in enumerate(cells) if c == k]
        weights = [sizes[j] for j in own]
        if share is not None and own:
            weights = limit_share(weights, share)
        known = [(w, returns[j]) for w, j in zip(weights, own, strict=True)
                 if math.isfinite(returns[j])]  # fmt: skip
        names[k] = len(known)
        dropped["missing_return"] += len(own) - len(known)
        if len(known) < least or sum(w for w, _ in known) == 0:
            dropped["thin"] += len(known)
        else:
            mean[k] = sum(w * r for w, r in known) / sum(w for w, _ in known)
    entered = sum(names) - dropped["thin"]
    for j, c in enumerate(cells):
        if c >= 0:
            continue
        if not listed[j] and not math.isfinite(returns[j]):
            dropped["not_listed"] += 1
        elif not inside[j]:
            dropped["masked"] += 1
        else:
            dropped["missing"] += 1
    return mean, names, entered, [dropped[reason] for reason in REASONS]


def sort_date(
    xs, returns, names, *, bins, method="pivot", dependent=False, breakpoints=None, inside=None,
    groups=None, sizes=None, signal=False, least=1, share=None,
):  # fmt: skip
    """One date of `quantile_portfolios` (one characteristic) or `double_sort`: lists in, lists out.

    `bins` are edges, or numbers of buckets.
    """
    m = len(returns)
    inside = [True] * m if inside is None else inside
    groups = [0] * m if groups is None else groups
    breakpoints = [True] * m if breakpoints is None else breakpoints
    valid = [all(math.isfinite(x[j]) for x in xs) for j in range(m)]
    if sizes is not None:
        valid = [v and math.isfinite(s) and s > 0 for v, s in zip(valid, sizes, strict=True)]
    use = [v and i for v, i in zip(valid, inside, strict=True)]
    cells = [0 if u and g >= 0 else -1 for u, g in zip(use, groups, strict=True)]
    n = 1
    for x, b in zip(xs, bins, strict=True):
        wide = b if isinstance(b, int) else len(b) - 1
        values = [v if u else NAN for v, u in zip(x, use, strict=True)]
        own = groups
        if dependent:
            own = [-1 if c < 0 else g * 10_000 + c for g, c in zip(groups, cells, strict=True)]
        found = labels(values, b, method, breakpoints, own, names)
        cells = [-1 if c < 0 or k < 0 else c * wide + k for c, k in zip(cells, found, strict=True)]
        n *= wide
    weights = [1.0] * m if sizes is None else sizes
    if signal:
        values = [v if u else NAN for v, u in zip(xs[0], use, strict=True)]
        weights = [0.0 if v is None or not math.isfinite(v) else abs(v)
                   for v in by_group(oracles.demean, values, groups)]  # fmt: skip
    return buckets_return(cells, valid, inside, weights, returns, n, least, share)


def lagged(rows, lag, blank):
    """Rows of `lag` dates before; `blank` at first."""
    return [blank] * min(lag, len(rows)) + list(rows[: max(len(rows) - lag, 0)])


# --- weights --------------------------------------------------------------------------------------


def factor_weights(values, groups, method="signal", demeaned=True):
    """Weights of one date, as alphalens makes them, in plain Python."""

    def group(own):
        known = [j for j, v in enumerate(own) if math.isfinite(v)]
        v = [own[j] for j in known]
        if method == "rank":
            v = [sum(a < b for a in v) + (sum(a == b for a in v) + 1) / 2 for b in v]
        if demeaned and v:
            centre = oracles.quantile(v, 0.5) if method == "equal" else sum(v) / len(v)
            flat = len(set(v)) == 1
            v = [0.0 if flat else a - centre for a in v]
        if method == "equal":
            up, down = sum(a > 0 for a in v), sum(a < 0 for a in v)
            up, down = (up, down) if demeaned else (1, 1)
            v = [0.0 if a == 0 else 1 / up if a > 0 else -1 / down for a in v]
        gross = sum(map(abs, v))
        out = [NAN] * len(own)
        for j, a in zip(known, v, strict=True):
            out[j] = a / gross if gross else NAN
        return out

    found = [NAN if v is None else v for v in by_group(group, values, groups)]
    gross = sum(abs(v) for v in found if v == v)
    return [v / gross if v == v else NAN for v in found]


# --- Fama and French ------------------------------------------------------------------------------


def breakpoint(values, share, rule):
    """A quantile of type 7, or the smallest value with that share of them up to it."""
    ordered = sorted(values)
    share = Fraction(share).limit_denominator(100)
    if not ordered or (rule == "jkp" and len(ordered) < 10):
        return None
    if rule == "jkp":
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    if place == low:
        return ordered[low]
    return ordered[low] + (ordered[low + 1] - ordered[low]) * float(place - low)


def french_cells(cap, x, chosen, inside, rule):
    """Portfolio of each name by the rules for breakpoints and ties; -1 where there is none."""
    ok = [math.isfinite(c) and c > 0 and i for c, i in zip(cap, inside, strict=True)]
    both = [o and math.isfinite(v) for o, v in zip(ok, x, strict=True)]
    half = breakpoint([c for c, o, s in zip(cap, ok, chosen, strict=True) if o and s], 0.5, rule)
    low, high = (breakpoint([v for v, b, s in zip(x, both, chosen, strict=True) if b and s],
                            q, rule) for q in (0.3, 0.7))  # fmt: skip
    if half is None or low is None:
        return [-1] * len(cap)
    cells = []
    for c, v, b in zip(cap, x, both, strict=True):
        if not b:
            cells.append(-1)
        elif rule == "jkp":
            cells.append(3 * (c >= half) + (v >= low) + (v >= high))
        else:
            cells.append(3 * (not c <= half) + (not v <= low) + (not v <= high))
    return cells


def month_row(frame, month):
    """The last row of a frame up to the end of a month, NaN before the first."""
    rows = frame[frame.index.to_period("M") <= month]
    return rows.iloc[-1].tolist() if len(rows) else [NAN] * frame.shape[1]


def momentum_at(returns, cap, month):
    """Return over months m - 11 to m - 1 of each name, which was there in month m - 12."""
    monthly = returns.index.to_period("M")
    known = returns.where(np.isfinite(returns))
    growth, whole = pd.Series(1.0, returns.columns), pd.Series(True, returns.columns)
    for k in range(11, 0, -1):
        rows = known[monthly == month - k]
        whole &= rows.notna().any()
        growth *= (1 + rows.fillna(0)).clip(lower=0).prod()
    start = monthly == month - 12
    alive = known[start].notna().any()
    if start.any():
        alive |= cap[start].iloc[-1] > 0
    return (growth - 1).where(whole & alive).tolist()


def french(fields, source, inside, *, rule, june, accounting_lag, least):
    """Portfolio returns of each sort, date by date: {sort: (T, 6)}, from pandas frames."""
    cap, returns = fields["cap"], fields["returns"]
    dates = cap.index
    months = dates.to_period("M")
    sorts = ["book_to_market", "momentum"]
    sorts += ["profitability"] * ("profitability" in fields)
    sorts += ["investment"] * bool({"growth", "assets"} & set(fields))
    out = {s: np.full((len(dates), 6), NAN) for s in sorts}
    cells = {s: [-1] * cap.shape[1] for s in sorts}
    for t, date in enumerate(dates):
        if t:
            for s in sorts:
                weights = [w if w > 0 and math.isfinite(w) else NAN for w in cap.iloc[t - 1]]
                own = [c if w == w else -1 for c, w in zip(cells[s], weights, strict=True)]
                blank = [True] * len(own)
                out[s][t] = buckets_return(
                    own, blank, blank, weights, returns.iloc[t].tolist(), 6, least
                )[0]
        if t + 1 == len(dates) or months[t] == months[t + 1]:
            continue
        year_ends = (date.month <= 6) != (dates[t + 1].month <= 6) and date.month <= 6
        year_ends |= date.year != dates[t + 1].year and (date.month <= 6 or dates[t + 1].month > 6)
        for s in sorts:
            month = months[t]
            if june and s != "momentum":
                if not year_ends:
                    continue
                month = pd.Period(f"{date.year + (date.month > 6)}-06", "M")
            x = french_value(fields, s, month, accounting_lag, june)
            row = (cap.iloc[t].tolist(), x, source.iloc[t].tolist(), inside.iloc[t].tolist())
            cells[s] = french_cells(*row, rule)
    return out


def french_value(fields, sort, month, accounting_lag, june):
    then = month - accounting_lag
    if sort == "momentum":
        return momentum_at(fields["returns"], fields["cap"], month)
    book = month_row(fields["book"], then)
    if sort == "book_to_market":
        cap = month_row(fields["cap"], month - 6 if june else month)
        return [b / c if b > 0 and c > 0 else NAN for b, c in zip(book, cap, strict=True)]
    if sort == "profitability":
        own = month_row(fields["profitability"], then)
        return [p if b > 0 else NAN for p, b in zip(own, book, strict=True)]
    if "growth" in fields:
        return month_row(fields["growth"], then)
    now, before = month_row(fields["assets"], then), month_row(fields["assets"], then - 12)
    return [a / b - 1 if b > 0 else NAN for a, b in zip(now, before, strict=True)]


def two_by_three(r):
    """Small minus big and high minus low of six portfolio returns."""
    s = r.reshape(-1, 2, 3)
    return s[:, 0].mean(1) - s[:, 1].mean(1), s[:, :, 2].mean(1) - s[:, :, 0].mean(1)
