"""What the definitions of fundamentals say, cell by cell and in plain Python."""

import datetime as dt

import numpy as np

QUARTER = 91
YEAR = 365.25
TOLERANCE = 30


def newest_versions(known):
    """(end, quarters) -> the record of that period known last; `known` are dicts."""
    kept = {}
    for r in sorted(known, key=lambda r: r["known_at"]):
        kept[(r["end"], r["quarters"])] = r
    return kept


def single_quarters(known):
    """End -> value of the quarter (or point in time) that ended then, as far as known."""
    kept = newest_versions(known)
    if not any(q > 1 for _, q in kept):
        return {end: r["value"] for (end, _), r in kept.items()}
    out = {}
    for end in {end for end, _ in kept}:
        own = [q for e, q in kept if e == end]
        for q in sorted(own):
            if q <= 1:
                out[end] = kept[(end, q)]["value"]
                break
            ends = [e for e, p in kept if p == q - 1]
            near = [(abs((end - e).days - QUARTER), -e.toordinal(), e) for e in ends]
            near = [n for n in near if n[0] <= TOLERANCE]
            if near:
                before = min(near)[2]
                out[end] = kept[(end, q)]["value"] - kept[(before, q - 1)]["value"]
                break
    return out


def back(reports, quarters):
    """The value of the period so many quarters before the newest; NaN if none is known."""
    newest = max(reports)
    days = round(quarters * YEAR / 4)
    near = [(abs((newest - e).days - days), -e.toordinal(), e) for e in reports]
    near = [n for n in near if n[0] <= TOLERANCE]
    return reports[min(near)[2]] if near else np.nan


def growth(new, old):
    return (new - old) / abs(old) if old else np.nan


def shown(known, rule, n=0):
    """(newest period's end, value) by a rule's definition, of the records known; None if none."""
    if rule == "annual":
        kept = newest_versions([r for r in known if r["quarters"] == 4])
        reports = {end: r["value"] for (end, _), r in kept.items()}
    else:
        reports = single_quarters(known)
    if not reports:
        return None
    newest = max(reports)
    if rule in ("latest", "annual"):
        return newest, reports[newest]
    if rule == "last_n":
        values = [reports[e] for e in sorted(reports)[-n:]]
        return newest, np.mean(values) if len(values) == n else np.nan
    q = [back(reports, k) for k in range(8)]
    return newest, {
        "ttm": sum(q[:4]),
        "yoy": growth(q[0], q[4]),
        "change": q[0] - q[4],
        "ttm_yoy": growth(sum(q[:4]), sum(q[4:])),
    }[rule]


def field(records, dates, assets, rule, max_age, n=0):
    """(date, asset): the definition for every cell.

    `records` are dicts of asset, end (a date), quarters, known_at (a datetime) and value.
    """
    out = np.full((len(dates), len(assets)), np.nan)
    for i, day in enumerate(dates):
        for j, asset in enumerate(assets):
            known = [r for r in records if r["asset"] == asset and r["known_at"] <= day]
            found = shown(known, rule, n)
            if found is not None and day.date() - found[0] <= dt.timedelta(days=max_age):
                out[i, j] = found[1]
    return out
