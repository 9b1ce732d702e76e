"""Rules that make a field of the records of an item: the newest report, or several of them.

The windows are counted in reports, each as it was known at the time: a restatement of an older
quarter changes a sum of four quarters from the day on which it became known.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xfactor import panel
from xfactor.ingest.records import History, Records
from xfactor.kernels.reports import quarter_versions, reports_back

YEAR_DAYS = 365.25
QUARTER_DAYS = 91
# Fiscal quarters of 12 to 16 weeks end at most three weeks beside the quarters of the calendar.
TOLERANCE_DAYS = 30
ANNUAL = 4
# Events that are laid out beside the reports before them at a time: bounds the memory.
AT_ONCE = 1 << 20
# A century of quarters: more is a slip, and would be laid out in memory before it shows nothing.
MOST_REPORTS = 400

RULE = re.compile(r"\s*(\w+)\s*\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?(?:,\s*(\w+)\s*)?\)\s*")
STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda v: v.mean(axis=1),
    "sum": lambda v: v.sum(axis=1),
    "std": lambda v: v.std(axis=1, ddof=1) if v.shape[1] > 1 else np.full(len(v), np.nan),
    "min": lambda v: v.min(axis=1),
    "max": lambda v: v.max(axis=1),
    "first": lambda v: v[:, -1],
}


def _growth(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = (new - old) / np.abs(old)
    return np.where(np.isfinite(change), change, np.nan)


def _four(v: np.ndarray) -> np.ndarray:
    return ((v[:, 0] + v[:, 1]) + v[:, 2]) + v[:, 3]


# Quarters back from the newest period, and what is made of the values there.
WINDOWS: dict[str, tuple[tuple[int, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "ttm": ((0, 1, 2, 3), _four),
    "yoy": ((0, 4), lambda v: _growth(v[:, 0], v[:, 1])),
    "change": ((0, 4), lambda v: v[:, 0] - v[:, 1]),
    "ttm_yoy": (tuple(range(8)), lambda v: _growth(_four(v[:, :4]), _four(v[:, 4:]))),
}
SINGLE = ("latest", "annual", "age", "carried")
NAMES = (*SINGLE, *WINDOWS, "last_n")


@dataclass(frozen=True)
class Rule:
    """How a field is made of the records of an item; its text is ``name(item, n, statistic)``.

    Parameters
    ----------
    name
        One of `NAMES`.
    item
        Whose records.
    n
        Reports of `last_n`; of `carried` the days after a period's end for which splits are in
        the report, 0 where they are in it until it is published.
    statistic
        What `last_n` makes of them.
    """

    name: str
    item: str
    n: int = 0
    statistic: str = ""

    def __str__(self) -> str:
        """Return the text that `parse_rule` reads."""
        parts = [self.item, *([str(self.n)] if self.n else []), *filter(None, [self.statistic])]
        return f"{self.name}({', '.join(parts)})"


def parse_rule(text: str) -> Rule:
    """Read the text of a rule.

    Parameters
    ----------
    text
        ``"latest(book_equity)"``, ``"annual(revenue)"``, ``"ttm(net_income)"``,
        ``"yoy(revenue)"``, ``"change(net_income)"``, ``"ttm_yoy(revenue)"``,
        ``"last_n(net_income, 8, std)"``, ``"age(book_equity)"``,
        ``"carried(shares_outstanding)"``; a bare item is its `latest`.

    Returns
    -------
    Rule
        What it says.

    Raises
    ------
    PanelError
        If it cannot be read.

    Examples
    --------
    >>> from xfactor.ingest.windows import parse_rule
    >>> parse_rule("last_n(net_income, 8)")
    Rule(name='last_n', item='net_income', n=8, statistic='mean')
    """
    if isinstance(text, str) and text.isidentifier():
        return Rule("latest", text)
    found = RULE.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1] not in NAMES:
        raise panel.error(
            f"the rule {panel.shown(text)} cannot be read",
            f"one of {', '.join(NAMES)} of an item",
            "Write e.g. ttm(net_income) or last_n(net_income, 8, mean)",
        )
    name, item, n, statistic = found.groups()
    if name == "last_n":
        statistic = statistic or "mean"
        panel.choice("the statistic of last_n", statistic, STATISTICS)
        reports = panel.positive("the reports of last_n", int(n or 0))
        if reports > MOST_REPORTS:
            raise panel.error(
                f"the rule {panel.shown(text)} asks for {reports:,} reports",
                f"at most {MOST_REPORTS}", "Ask for fewer",
            )  # fmt: skip
        return Rule(name, item, reports, statistic)
    if statistic or (n and name != "carried"):
        raise panel.error(
            f"the rule {text!r} has more than {name} takes", "an item", f"Write {name}({item})"
        )
    return Rule(name, item, int(n or 0))


@dataclass(frozen=True)
class Versions:
    """Versions of single reports: records, or differences of two of them.

    Parameters
    ----------
    records
        The versions as records of their own.
    plus, minus
        Position of the record that gives each, and of the one subtracted (-1 if none).
    """

    records: Records
    plus: np.ndarray
    minus: np.ndarray


def versions(records: Records, rule: Rule, assets: int) -> Versions:
    """Return the reports that a rule works on: years for `annual`, single quarters otherwise.

    Parameters
    ----------
    records
        As filed: values of quarters, of the year to date, or of points in time.
    rule
        The rule.
    assets
        Assets of the panel.

    Returns
    -------
    Versions
        In the order of `Records`.
    """
    there = np.arange(len(records.asset))
    if rule.name == "annual":
        there = np.flatnonzero(records.quarters == ANNUAL)
    elif (records.quarters > 1).any():
        return _quarters(records, assets)
    return Versions(records.keep(there), there, np.full(len(there), -1))


def _quarters(records: Records, assets: int) -> Versions:
    start, room = records.starts(assets), len(records.asset)
    while True:
        plus, minus, at = (np.empty(room, np.int64) for _ in range(3))
        found = quarter_versions(
            start, records.days(), records.quarters, QUARTER_DAYS, TOLERANCE_DAYS, plus, minus, at
        )
        if found <= room:
            break
        room = found
    plus, minus, at = plus[:found], minus[:found], at[:found]
    less = np.append(records.value, 0.0)[minus]
    made = Records(
        records.asset[at], records.known_at[at], records.period_end[plus],
        records.value[plus] - less, np.ones(found, np.int64), records.assumed[at], at,
    )  # fmt: skip
    return Versions(made, plus, minus)


def places(found: Records, rule: Rule, assets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the version of the newest report at each event, and those of the rule's window.

    Parameters
    ----------
    found
        Versions of reports.
    rule
        The rule.
    assets
        Assets of the panel.

    Returns
    -------
    tuple of numpy.ndarray
        int64 (events,) and (events, reports): positions, -1 where a report is missing.
    """
    if rule.name == "last_n":
        back, tolerance = np.arange(rule.n), -1
    else:
        quarters = np.array(WINDOWS.get(rule.name, ((0,),))[0])
        back = np.rint(quarters * (YEAR_DAYS / 4)).astype(np.int64)
        tolerance = TOLERANCE_DAYS
    return reports_back(found.starts(assets), found.days(), back, tolerance)


def history(records: Records, rule: Rule, assets: int) -> History:
    """Return what a field shows by its rule, event by event.

    Parameters
    ----------
    records
        Records of the rule's item.
    rule
        The rule.
    assets
        Assets of the panel.

    Returns
    -------
    History
        To be laid out along dates.
    """
    found = versions(records, rule, assets).records
    if rule.name in SINGLE:
        return found.latest()
    starts = found.starts(assets)
    values, newest = np.empty(len(found.asset)), np.empty(len(found.asset), np.int64)
    for low, high in _pieces(starts):
        events = slice(starts[low], starts[high])
        part = found.keep(np.arange(events.start, events.stop))
        shift = Records(part.asset - low, *list(vars(part).values())[1:])
        new, at = places(shift, rule, high - low)
        newest[events] = new + events.start
        values[events] = value_of(np.append(part.value, np.nan)[at], rule)
    return History(found.asset, found.known_at, found.period_end[newest], values)


def value_of(v: np.ndarray, rule: Rule) -> np.ndarray:
    """Return what a rule makes of the reports of its window.

    Parameters
    ----------
    v
        (events, reports), newest first; missing where there is none.
    rule
        The rule.

    Returns
    -------
    numpy.ndarray
        (events,); missing where a report is.
    """
    if rule.name == "last_n":
        return np.where(np.isnan(v).any(axis=1), np.nan, STATISTICS[rule.statistic](v))
    return WINDOWS[rule.name][1](v) if rule.name in WINDOWS else v[:, 0]


def _pieces(starts: np.ndarray) -> list[tuple[int, int]]:
    """Return ranges of assets with about `AT_ONCE` events each."""
    cuts = np.searchsorted(starts, np.arange(AT_ONCE, starts[-1], AT_ONCE))
    edges = np.unique([0, *cuts, len(starts) - 1]).tolist()
    return list(pairwise(edges))
