"""Where the marks of an axis stand and what is written beside them."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
# Months between marks of a date axis.
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240)


def span(values: Sequence[np.ndarray], *, zero: bool) -> tuple[float, float]:
    """Return the ends of an axis that shows all finite values, with some air.

    Parameters
    ----------
    values
        Arrays.
    zero
        Whether 0 is shown in any case.

    Returns
    -------
    tuple of float
        Low and high, not equal.
    """
    joined = np.concatenate([np.ravel(v) for v in values] or [np.empty(0)])
    known = joined[np.isfinite(joined)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = 0.04 * ((high - low) or abs(high) or 1.0)
    return low - air, high + air


def steps(low: float, high: float) -> tuple[list[float], float]:
    """Return round numbers in a range, and the step between them.

    Parameters
    ----------
    low, high
        Ends, ``low < high``.

    Returns
    -------
    tuple
        About five multiples of the step, and the step: 1, 2, 2.5 or 5 times a power of ten.

    Examples
    --------
    >>> from xfactor.report.scales import steps
    >>> steps(-1.2, 9.1)
    ([0.0, 2.5, 5.0, 7.5], 2.5)
    """
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= 0.999 * raw)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)], step


def places(step: float) -> int:
    """Return the decimals that multiples of a step need.

    Parameters
    ----------
    step
        The step, above 0.

    Returns
    -------
    int
        0 to 6.

    Examples
    --------
    >>> from xfactor.report.scales import places
    >>> places(2.5), places(20.0), places(0.05)
    (1, 0, 2)
    """
    return next((d for d in range(6) if math.isclose(round(step, d), step, rel_tol=1e-6)), 6)


def number(value: float, form: str = ".2f") -> str:
    """Return a number for people: a real minus, a dash where there is none.

    Parameters
    ----------
    value
        The number.
    form
        Format; ``"%"`` at its end writes percent with a blank before the sign.

    Returns
    -------
    str
        Text.

    Examples
    --------
    >>> from xfactor.report.scales import number
    >>> number(0.0123, ".1%"), number(-0.001, ".2f")
    ('1.2 %', '0.00')
    """
    if not math.isfinite(value):
        return DASH
    shown = f"{value:{form}}".replace("%", " %")
    if shown.startswith("-") and not any(c in shown for c in "123456789"):
        shown = shown[1:]  # nothing is left of it after rounding
    return shown.replace("-", MINUS)


def dates(first: pd.Timestamp, last: pd.Timestamp) -> list[tuple[float, str]]:
    """Return marks of a date axis: places from 0 to 1, and texts.

    Parameters
    ----------
    first, last
        Ends of the axis.

    Returns
    -------
    list of tuple
        At most seven, at starts of months or years where the range is long enough.
    """
    whole = (last - first) / pd.Timedelta(days=1)
    if whole < 62:
        form = "%m-%d %H:%M" if whole < 2 else "%m-%d"
        at = [0.0, 0.33, 0.67, 1.0] if whole else [0.0]
        return [(s, (first + s * (last - first)).strftime(form)) for s in at]
    gap = next((m for m in MONTHS if whole / 30.44 / m <= 5), 600)
    month = first.year * 12 + first.month - 1 + (first.day > 1)
    marks = []
    for k in range(-(-month // gap) * gap, last.year * 12 + last.month, gap):
        t = pd.Timestamp(year=k // 12, month=k % 12 + 1, day=1)
        marks.append(((t - first) / (last - first), f"{t:%Y}" if gap >= 12 else f"{t:%Y-%m}"))
    return marks
