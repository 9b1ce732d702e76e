"""Reports as they become known: which record stands for which period, event by event.

Events are records in the order (asset, day known); `start[a]` to `start[a + 1]` are those of asset
a. After each event the newest version of every period is known, and nothing later is looked at.
A year has no whole number of days and fiscal quarters have 12 to 16 weeks, so a period some
quarters back is the known one that ends nearest to so many days before, within a tolerance.
"""

import numpy as np

from xfactor.kernels._compile import kernel

NONE = -1


@kernel
def reports_back(
    start: np.ndarray, end: np.ndarray, back: np.ndarray, tolerance: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the events that stand for the newest period and for those before it.

    Parameters
    ----------
    start
        int64 (assets + 1,).
    end
        int64 (events,), day on which the event's period ended.
    back
        int64 (n,): days before the newest period's end; or, if `tolerance` is below 0, how many
        known periods before the newest.
    tolerance
        Days by which a period may miss its place.

    Returns
    -------
    tuple of numpy.ndarray
        int64 (events,): the event of the newest period; int64 (events, n): that of each place, -1
        where no period known by then is there.
    """
    newest = np.empty(len(end), np.int64)
    found = np.empty((len(end), len(back)), np.int64)
    most = 0
    for a in range(len(start) - 1):
        most = max(most, start[a + 1] - start[a])
    ends, where = np.empty(most, np.int64), np.empty(most, np.int64)
    for a in range(len(start) - 1):
        count = 0
        for e in range(start[a], start[a + 1]):
            count = _enter(ends, where, count, end[e], e)
            newest[e] = where[count - 1]
            for j in range(len(back)):
                if tolerance < 0:
                    at = count - 1 - back[j]
                else:
                    at = _nearest(ends, count, ends[count - 1] - back[j], tolerance)
                found[e, j] = where[at] if at >= 0 else NONE
    return newest, found


@kernel
def _enter(ends: np.ndarray, where: np.ndarray, count: int, end: int, event: int) -> int:
    """Put an event in its place in the sorted list of periods; return the list's length."""
    i = count
    while i > 0 and ends[i - 1] > end:
        i -= 1
    if i > 0 and ends[i - 1] == end:
        where[i - 1] = event
        return count
    for k in range(count, i, -1):
        ends[k] = ends[k - 1]
        where[k] = where[k - 1]
    ends[i] = end
    where[i] = event
    return count + 1


@kernel
def _nearest(ends: np.ndarray, count: int, target: int, tolerance: int) -> int:
    """Return the place of the period that ends nearest to a day, of equal ones the later; or -1."""
    best, least = NONE, tolerance + 1
    for i in range(count - 1, -1, -1):
        distance = abs(ends[i] - target)
        if distance < least:
            best, least = i, distance
        if ends[i] < target - tolerance:
            break
    return best


@kernel
def quarter_versions(
    start: np.ndarray, end: np.ndarray, length: np.ndarray, quarter: int, tolerance: int,
    plus: np.ndarray, minus: np.ndarray, at: np.ndarray,
) -> int:  # fmt: skip
    """Find the value of single quarters among values of the year to date.

    A record of one quarter (or of a point in time) stands for itself. One of n quarters, less that
    of n - 1 quarters which ends a quarter earlier (the nearest to it, of equal ones the later),
    gives its last quarter, where no record of that quarter itself is known.

    Parameters
    ----------
    start, end
        As in `reports_back`.
    length
        int64 (events,): quarters that the value is of, 0 for a point in time.
    quarter, tolerance
        Days of a quarter, and by how many it may differ.
    plus, minus, at
        Written, as far as they reach: the event that gives a quarter, the event to subtract (-1
        if none), and the event that made this known.

    Returns
    -------
    int
        Number of versions found, which may be more than fit.
    """
    count, most = 0, 0
    for a in range(len(start) - 1):
        most = max(most, start[a + 1] - start[a])
    # What is known of an asset: an entry for each (period, length), and what was said of it last.
    known = np.empty(most, np.int64)
    said_plus, said_minus = np.empty(most, np.int64), np.empty(most, np.int64)
    for a in range(len(start) - 1):
        n = 0
        for e in range(start[a], start[a + 1]):
            i = 0
            while i < n and (end[known[i]] != end[e] or length[known[i]] != length[e]):
                i += 1
            known[i] = e
            if i == n:
                said_plus[i], said_minus[i] = NONE, NONE
                n += 1
            for k in range(n):
                near = abs(end[known[k]] - end[e] - quarter) <= tolerance
                if k == i or (length[e] >= 1 and near and length[known[k]] == length[e] + 1):
                    p, m = _quarter(known, n, end, length, known[k], quarter, tolerance)
                    first = 0
                    while end[known[first]] != end[known[k]]:
                        first += 1
                    if p >= 0 and (p != said_plus[first] or m != said_minus[first]):
                        said_plus[first], said_minus[first] = p, m
                        if count < len(plus):
                            plus[count], minus[count], at[count] = p, m, e
                        count += 1
    return count


@kernel
def _quarter(
    known: np.ndarray, n: int, end: np.ndarray, length: np.ndarray, of: int, quarter: int,
    tolerance: int,
) -> tuple[int, int]:  # fmt: skip
    """Return the events whose difference is the quarter that ends with the period of event `of`."""
    plus, minus = NONE, NONE
    for i in range(n):
        e = known[i]
        if end[e] != end[of] or (plus >= 0 and length[e] >= length[plus]):
            continue
        if length[e] <= 1:
            plus, minus = e, NONE
            continue
        least, last = tolerance + 1, 0
        for k in range(n):
            if length[known[k]] != length[e] - 1:
                continue
            ended = end[known[k]]
            distance = abs(end[e] - quarter - ended)
            if distance < least or (distance == least <= tolerance and ended > last):
                plus, minus, least, last = e, known[k], distance, ended
    return plus, minus
