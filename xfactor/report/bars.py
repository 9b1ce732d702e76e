"""Charts without dates: bars, histograms, and maps of shares."""

from collections.abc import Sequence
from html import escape

import numpy as np

from xfactor.report import scales
from xfactor.report.charts import (
    HIGH,
    WIDE,
    Look,
    caption,
    colours,
    heights,
    kind,
    svg,
    x_axis,
    y_axis,
)
from xfactor.report.elements import element
from xfactor.report.scales import number


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
    py = heights(low, high)
    slot = WIDE / len(labels)
    width = 0.76 * slot / len(values)
    drawn = []
    styles = colours(list(values))
    for k, ((name, tall), (c, _)) in enumerate(zip(values.items(), styles, strict=True)):
        for g, v in enumerate(tall):
            if not np.isfinite(v):
                continue
            left = g * slot + 0.12 * slot + k * width
            said = escape(f"{labels[g]}, {name}: {_written(v, look)}")
            drawn.append(
                f'<rect class="f{c}" x="{left:.1f}" y="{min(py(v), py(0)):.1f}" '
                f'width="{0.94 * width:.1f}" height="{abs(py(v) - py(0)):.1f}">'
                f"<title>{said}</title></rect>"
            )
            error = errors.get(name, np.full(len(tall), np.nan))[g]
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
        f'<line class="{kind(t, step)}" x1="{px(t):.0f}" x2="{px(t):.0f}" y1="0" y2="{HIGH}"/>'
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
    for k, tall in enumerate(shares.values()):
        top = HIGH * (high - tall) / high
        steps = "".join(f"V{y:.1f}H{x:.1f}" for x, y in zip(px[1:], top, strict=True))
        outline = f"M0 {HIGH}{steps}V{HIGH}"
        if k == 0:
            drawn.append(f'<path class="band f0" d="{outline}Z"/>')
        drawn.append(f'<path class="line s{k} d0" d="{outline}"/>')
    ticks, step = scales.steps(float(edges[0]), float(edges[-1]))
    form = f".{scales.places(step)}f"
    marks = [((t - edges[0]) / (edges[-1] - edges[0]), number(t, form)) for t in ticks]
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
    return _listed(look, names, cells, marks, "heat map")


def _still(
    look: Look, names: Sequence[str], low: float, high: float, drawn: str,
    marks: list[tuple[float, str]], xlabel: str,
) -> str:  # fmt: skip
    """A figure without dates."""
    rules, labels = y_axis(low, high, look.percent)
    legend = "".join(
        f'<span><svg viewBox="0 0 26 10" aria-hidden="true"><rect class="f{c}" width="26" '
        f'height="10"/></svg>{escape(name)}</span>'
        for name, (c, _) in zip(names, colours(names), strict=True)
    )
    return (
        f'<figure>{caption(look)}<div class="legend">{legend if len(names) > 1 else ""}</div>'
        f'<div class="plot" role="img" aria-label="{escape(look.title)}">{labels}'
        f'<div class="area">{svg(rules + drawn)}</div>{x_axis(marks)}'
        f"{element('div', xlabel, class_='xlabel')}</div></figure>"
    )


def _listed(
    look: Look, names: Sequence[str], drawn: str, marks: list[tuple[float, str]],
    place: str = "heat",
) -> str:  # fmt: skip
    """A figure with a name for each row."""
    labels = "".join(element("span", name) for name in names)
    return (
        f'<figure>{caption(look)}<div class="plot {place}" role="img" '
        f'aria-label="{escape(look.title)}" style="--rows: {len(names)}"><div class="y">{labels}'
        f'</div><div class="area">{svg(drawn)}</div>{x_axis(marks)}</div></figure>'
    )


def _written(v: float, look: Look) -> str:
    return number(v, f"+.{look.digits}{'%' if look.percent else 'f'}")
