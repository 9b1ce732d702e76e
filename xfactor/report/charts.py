"""Charts as inline SVG: lines and areas are drawn in SVG and stretched, texts are HTML.

So a chart fits any width without its letters growing or shrinking, takes its colours from the page
(light, dark or print), and is complete without a script; `report.js` adds values and ranges.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xfactor import panel
from xfactor.plot.reduced import thinned
from xfactor.report import scales
from xfactor.report.elements import element
from xfactor.report.scales import number

WIDE, HIGH = 10_000, 3_000  # whole numbers are fine enough, and short
COLOURS = 6
OWN = {"market": 0, "SMB": 1, "size": 1, "HML": 2, "value": 2, "MOM": 3, "momentum": 3,
       "intercept": 5}  # fmt: skip
BAND = 1.96  # standard errors that hold the truth 19 times in 20
# Points of a chart, of all its lines together: what a wide screen shows, and a phone can carry.
POINTS = 1000


@dataclass(frozen=True)
class Look:
    """How the values of a chart are written: its title, what they are, and their units."""

    title: str
    note: str
    percent: bool = False
    digits: int = 2
    growth: bool = False  # compound returns, that begin anew where a range begins
    zero: bool = True


def colours(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the numbers of a colour and of its dashes for each name.

    Parameters
    ----------
    names
        What is drawn in one chart.

    Returns
    -------
    list of tuple of int
        Colour 0 to 5, known factors always the same; dashes 0 to 2, for a colour's next use.
    """
    taken = {OWN[n] for n in names if n in OWN}
    free = [c for c in range(COLOURS) if c not in taken] or list(range(COLOURS))
    others = itertools.cycle(free)
    found: list[tuple[int, int]] = []
    for name in names:
        own = OWN[name] if name in OWN else next(others)
        found.append((own, min(sum(c == own for c, _ in found), 2)))
    return found


def line_chart(
    look: Look, x: xr.DataArray, band: tuple[xr.DataArray, xr.DataArray] | None = None
) -> str:
    """Return a chart of series over the dates.

    Parameters
    ----------
    look
        Its texts.
    x
        Values (date, factor), in memory.
    band
        Lower and upper ends of a band for each line, in the dims of `x`.

    Returns
    -------
    str
        HTML of a figure.
    """
    x = x.transpose(panel.DATE, panel.FACTOR)
    names = [str(name) for name in x[panel.FACTOR].values]
    rows = _rows(x)
    at = pd.DatetimeIndex(x[panel.DATE].values[rows])
    lines = x.values[rows].T
    ends = [e.transpose(panel.DATE, panel.FACTOR).values[rows].T for e in band or ()]
    low, high = scales.span([lines, *ends], zero=look.zero)
    px = _places(at)
    py = _heights(low, high)
    styles = colours(names)
    bands = "".join(
        f'<path class="band f{c}" d="{_ribbon(px, py(lo), py(hi))}"/>'
        for (c, _), lo, hi in zip(styles, *ends, strict=True)
    ) if ends else ""  # fmt: skip
    paths = "".join(
        f'<path class="line s{c} d{d}" d="{_path(px, py(v))}"/>'
        for (c, d), v in zip(styles, lines, strict=True)
    )
    rules, labels = _y_axis(low, high, look.percent)
    data = _data(look, at, lines, ends)
    legend = "".join(
        f'<span><svg viewBox="0 0 26 10" aria-hidden="true"><line class="s{c} d{d}" x1="0" x2="26" '
        f'y1="5" y2="5" stroke-width="3"/></svg>{escape(name)}<output></output></span>'
        for (c, d), name in zip(styles, names, strict=True)
    )
    marks = scales.dates(at[0], at[-1])
    spoken = (
        f"{look.title}, {at[0]:%Y-%m-%d} to {at[-1]:%Y-%m-%d}. "
        "Left and right arrow keys read the values."
    )
    return (
        f'<figure data-lines>{_caption(look)}<div class="legend" aria-live="polite">'
        f"{legend}<time></time></div>"
        f'<div class="plot" tabindex="0" role="group" aria-label="{escape(spoken)}">'
        f'{labels}<div class="area">{_svg(rules + bands + paths)}</div>{_x_axis(marks)}</div>'
        f'<script type="application/json">{data}</script></figure>'
    )


def bar_chart(
    look: Look, labels: Sequence[str], values: dict[str, np.ndarray], xlabel: str,
    errors: dict[str, np.ndarray] | None = None,
) -> str:  # fmt: skip
    """Return a chart of groups of bars.

    Parameters
    ----------
    look
        Its texts.
    labels
        One for each group.
    values
        Heights (group,) by name.
    xlabel
        What the groups are.
    errors
        Half the length of the bar of the error, likewise.

    Returns
    -------
    str
        HTML of a figure.
    """
    errors = errors or {}
    ends = [v for k, v in values.items()]
    ends += [values[k] + s * e for k, e in errors.items() for s in (-1, 1)]
    low, high = scales.span(ends, zero=True)
    py = _heights(low, high)
    slot = WIDE / len(labels)
    width = 0.76 * slot / len(values)
    drawn = []
    styles = colours(list(values))
    for k, ((name, heights), (c, _)) in enumerate(zip(values.items(), styles, strict=True)):
        for g, v in enumerate(heights):
            if not np.isfinite(v):
                continue
            left = g * slot + 0.12 * slot + k * width
            said = escape(f"{labels[g]}, {name}: {_written(v, look)}")
            drawn.append(
                f'<rect class="f{c}" x="{left:.1f}" y="{min(py(v), py(0)):.1f}" '
                f'width="{0.94 * width:.1f}" height="{abs(py(v) - py(0)):.1f}">'
                f"<title>{said}</title></rect>"
            )
            error = errors.get(name, np.full(len(heights), np.nan))[g]
            if np.isfinite(error):
                middle = left + 0.47 * width
                drawn.append(
                    f'<line class="error" x1="{middle:.1f}" x2="{middle:.1f}" '
                    f'y1="{py(v - error):.1f}" y2="{py(v + error):.1f}"/>'
                )
    marks = [((g + 0.5) / len(labels), text) for g, text in enumerate(labels)]
    return _still(look, list(values), low, high, "".join(drawn), marks, xlabel)


def bars_across(look: Look, names: Sequence[str], values: np.ndarray) -> str:
    """Return a chart of bars that lie: for many names, or long ones.

    Parameters
    ----------
    look
        Its texts.
    names
        Rows.
    values
        Lengths (row,).

    Returns
    -------
    str
        HTML of a figure.
    """
    low, high = scales.span([values], zero=True)

    def px(v: float) -> float:
        return WIDE * (v - low) / (high - low)

    row = HIGH / len(names)
    ticks, step = scales.steps(low, high)
    rules = "".join(
        f'<line class="{_kind(t, step)}" x1="{px(t):.0f}" x2="{px(t):.0f}" y1="0" y2="{HIGH}"/>'
        for t in ticks
    )
    bars = "".join(
        f'<rect class="f0" x="{min(px(v), px(0)):.0f}" y="{(i + 0.2) * row:.0f}" '
        f'width="{abs(px(v) - px(0)):.0f}" height="{0.6 * row:.0f}">'
        f"<title>{escape(name)}: {_written(v, look)}</title></rect>"
        for i, (name, v) in enumerate(zip(names, values, strict=True))
        if np.isfinite(v)
    )
    digits = scales.places(100 * step if look.percent else step)
    form = f".{digits}{'%' if look.percent else 'f'}"
    marks = [(px(t) / WIDE, number(t, form)) for t in ticks]
    return _listed(look, names, rules + bars, marks)


def histogram(
    look: Look, edges: np.ndarray, counts: dict[str, np.ndarray], xlabel: str
) -> str:  # fmt: skip
    """Return a chart of counts as outlines over each other; the first is filled.

    Parameters
    ----------
    look
        Its texts.
    edges
        Where bars begin and end (bar + 1,).
    counts
        Counts (bar,) by name.
    xlabel
        What is counted.

    Returns
    -------
    str
        HTML of a figure.
    """
    totals = {k: max(int(c.sum()), 1) for k, c in counts.items()}
    shares = {k: c / totals[k] for k, c in counts.items()}
    _, high = scales.span(list(shares.values()), zero=True)
    px = WIDE * (edges - edges[0]) / (edges[-1] - edges[0])
    drawn = []
    for k, heights in enumerate(shares.values()):
        top = HIGH * (high - heights) / high
        steps = "".join(f"V{y:.1f}H{x:.1f}" for x, y in zip(px[1:], top, strict=True))
        outline = f"M0 {HIGH}{steps}V{HIGH}"
        if k == 0:
            drawn.append(f'<path class="band f0" d="{outline}Z"/>')
        drawn.append(f'<path class="line s{k} d0" d="{outline}"/>')
    ticks, _ = scales.steps(float(edges[0]), float(edges[-1]))
    marks = [((t - edges[0]) / (edges[-1] - edges[0]), number(t, ".0f")) for t in ticks]
    return _still(look, list(counts), 0.0, high, "".join(drawn), marks, xlabel)


def heat_map(look: Look, names: Sequence[str], starts: Sequence[str], shares: np.ndarray) -> str:
    """Return a chart of shares as cells, the fuller the stronger.

    Parameters
    ----------
    look
        Its texts.
    names
        Rows.
    starts
        First date of each column.
    shares
        Shares (row, column), from 0 to 1.

    Returns
    -------
    str
        HTML of a figure.
    """
    n, m = shares.shape
    wide, high = WIDE / m, HIGH / n
    cells = "".join(
        f'<rect class="cell" fill-opacity="{v:.3f}" x="{j * wide:.1f}" '
        f'y="{(i + 0.05) * high:.1f}" '
        f'width="{wide:.1f}" height="{0.9 * high:.1f}">'
        f"<title>{escape(names[i])}, from {starts[j]}: {number(v, '.1%')}</title></rect>"
        for i in range(n)
        for j, v in enumerate(shares[i])
        if np.isfinite(v)
    )
    shown = sorted({0, m // 2, m - 1})
    marks = [((j + 0.5) / m, starts[j]) for j in shown]
    return _listed(look, names, cells, marks)


# --- parts of a chart ---------------------------------------------------------------------------


def _still(
    look: Look, names: Sequence[str], low: float, high: float, drawn: str,
    marks: list[tuple[float, str]], xlabel: str,
) -> str:  # fmt: skip
    """A figure without dates."""
    rules, labels = _y_axis(low, high, look.percent)
    legend = "".join(
        f'<span><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="f{c}" width="26" '
        f'height="10"/></svg>{escape(name)}</span>'
        for name, (c, _) in zip(names, colours(names), strict=True)
    )
    return (
        f'<figure>{_caption(look)}<div class="legend">{legend if len(names) > 1 else ""}</div>'
        f'<div class="plot" role="img" aria-label="{escape(look.title)}">{labels}'
        f'<div class="area">{_svg(rules + drawn)}</div>{_x_axis(marks)}'
        f"{element('div', xlabel, class_='xlabel')}</div></figure>"
    )


def _listed(look: Look, names: Sequence[str], drawn: str, marks: list[tuple[float, str]]) -> str:
    """A figure with a name for each row."""
    labels = "".join(element("span", name) for name in names)
    return (
        f'<figure>{_caption(look)}<div class="plot heat" role="img" '
        f'aria-label="{escape(look.title)}" style="--rows: {len(names)}"><div class="y">{labels}'
        f'</div><div class="area">{_svg(drawn)}</div>{_x_axis(marks)}</div></figure>'
    )


def _svg(inner: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" aria-hidden="true">'
        f"{inner}</svg>"
    )


def _caption(look: Look) -> str:
    return (
        f"<figcaption>{escape(look.title, quote=False)}{element('small', look.note)}</figcaption>"
    )


def _y_axis(low: float, high: float, percent: bool) -> tuple[str, str]:
    """Lines and texts of the vertical axis."""
    ticks, step = scales.steps(low, high)
    digits = scales.places(100 * step if percent else step)
    rules, texts = [], []
    for v in ticks:
        y = HIGH * (high - v) / (high - low)
        rules.append(
            f'<line class="{_kind(v, step)}" x1="0" x2="{WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        text = number(v, f".{digits}{'%' if percent else 'f'}")
        texts.append(f'<span style="top:{100 * y / HIGH:.2f}%">{text}</span>')
    return f'<g class="grids">{"".join(rules)}</g>', f'<div class="y">{"".join(texts)}</div>'


def _kind(v: float, step: float) -> str:
    return "zero" if abs(v) < step / 1e6 else "grid"


def _x_axis(marks: list[tuple[float, str]]) -> str:
    spans = []
    for share, text in marks:
        end = "first" if share < 0.06 else "last" if share > 0.94 else ""
        spans.append(f'<span class="{end}" style="left:{100 * share:.2f}%">{escape(text)}</span>')
    return f'<div class="x">{"".join(spans)}</div>'


def _written(v: float, look: Look) -> str:
    return number(v, f"+.{look.digits}{'%' if look.percent else 'f'}")


def _rows(x: xr.DataArray) -> np.ndarray:
    """Rows that are shown: all, or those that matter for the picture of any of the lines."""
    rows = x.sizes[panel.DATE]
    if rows <= POINTS:
        return np.arange(rows)
    each = max(POINTS // x.sizes[panel.FACTOR], 200)
    places = x.assign_coords({panel.DATE: np.arange(rows)})
    return np.unique(np.concatenate([at for at, _ in thinned(places, points=each)]))


def _heights(low: float, high: float) -> Callable[[Any], Any]:
    """Where values stand: from the top, in units of the drawing."""

    def placed(values: Any) -> Any:
        return HIGH * (high - values) / (high - low)

    return placed


def _places(at: pd.DatetimeIndex) -> np.ndarray:
    seconds = (at - at[0]).total_seconds().to_numpy()
    return WIDE * seconds / max(seconds[-1], 1.0)


def _path(px: np.ndarray, py: np.ndarray) -> str:
    """A line with gaps where values are missing."""
    known = np.isfinite(py)
    cuts = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
    runs = [r for r in np.split(np.arange(len(px)), cuts) if len(r) and known[r[0]]]
    return "".join(_run(px[r], py[r]) for r in runs)


def _run(px: np.ndarray, py: np.ndarray) -> str:
    """Known points joined: the first as it is, then whole steps, which are short to write."""
    points = np.rint(np.stack([px, py], axis=1)).astype(np.int64)
    steps = " ".join(f"{x} {y}" for x, y in np.diff(points, axis=0).tolist())
    x, y = points[0].tolist()
    return f"M{x} {y}l{steps or '0 0'}"


def _ribbon(px: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The area between two lines, in as many pieces as there are gaps."""
    known = np.isfinite(low) & np.isfinite(high)
    cuts = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
    runs = [r for r in np.split(np.arange(len(px)), cuts) if len(r) > 1 and known[r[0]]]
    return "".join(
        _run(np.concatenate([px[r], px[r[::-1]]]), np.concatenate([high[r], low[r[::-1]]])) + "Z"
        for r in runs
    )


def _data(look: Look, at: pd.DatetimeIndex, lines: np.ndarray, ends: Sequence[np.ndarray]) -> str:
    """What the script reads: minutes between dates, and values to five digits."""
    minutes = at.as_unit("ns").asi8 // 60_000_000_000
    series = [{"v": _short(v)} for v in lines]
    for s, *pair in zip(series, *ends, strict=True) if ends else ():
        s["l"], s["h"] = map(_short, pair)
    made = {
        "t": np.diff(minutes, prepend=0).tolist(),
        "s": series,
        "percent": look.percent,
        "digits": look.digits,
        "growth": look.growth,
        "zero": look.zero,
        "intraday": bool((at != at.normalize()).any()),
    }
    return json.dumps(made, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _short(values: np.ndarray) -> list[float | None]:
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]
