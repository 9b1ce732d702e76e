"""A picture of a pipeline: its terms, and what each is made of.

Importing this module imports matplotlib.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Polygon
from matplotlib.path import Path as Line
from matplotlib.textpath import TextPath

from xfactor import panel
from xfactor.pipeline._frame import evaluate, in_order, make_frame
from xfactor.pipeline._layout import Layout, lay_out
from xfactor.pipeline._operators import SIGNS
from xfactor.pipeline._term import CLASSIFIER, FACTOR, FILTER, Term
from xfactor.pipeline.data import Field
from xfactor.store import open_panel

DATA = "data"
SCREEN = "screen"
# Colours of Okabe and Ito (2008), light for the boxes; each kind has a shape of its own as well.
FACE = {DATA: "#FFFFFF", FACTOR: "#D6E9F5", FILTER: "#FBE3C0", CLASSIFIER: "#CFEBE1"}
EDGE = {DATA: "#555555", FACTOR: "#0072B2", FILTER: "#B36B00", CLASSIFIER: "#007A5A"}
GREY, MASK = "#666666", "#B36B00"
NAME, SMALL, TAG = 9.0, 7.0, 8.0  # sizes of type, in points
PAD, GAP, BETWEEN, MARGIN = 9.0, 12.0, 46.0, 14.0  # points
LINE = 1.35  # distance of lines, in sizes of type
# What would be a lone sign in a box.
WORDS = {"&": "and", "|": "or", "~": "not"} | {s: f"a {s} b" for s in SIGNS.values()}
LONGEST, DPI = 30, 120  # letters of a name in a box; dots per inch


@dataclass(frozen=True)
class Node:
    """A term in the picture."""

    name: str
    kind: str
    facts: str
    shown_as: tuple[str, ...]
    inputs: tuple[int, ...]
    mask: int | None

    @property
    def texts(self) -> list[tuple[str, float, str, str]]:
        """The lines in its box: text, size, weight, colour."""
        tags = [(f"▸ {t}", TAG, "bold", "black") for t in _wrapped(self.shown_as)]
        name, *more = _wrapped(self.name.split(" "), " ")
        first = [(name, NAME, "normal", "black"), *[(t, NAME, "normal", "black") for t in more]]
        return [*first, (self.facts, SMALL, "normal", GREY), *tags]

    @property
    def width(self) -> float:
        """Of its box, in points."""
        slanted = 2 * PAD if self.kind in (FILTER, CLASSIFIER) else 0.0
        return max(_width(*text) for text in self.texts) + 2 * PAD + slanted

    @property
    def height(self) -> float:
        """Of its box, in points."""
        return sum(LINE * size for _, size, _, _ in self.texts) + PAD


@dataclass(frozen=True)
class Picture:
    """The graph of a pipeline: shown by notebooks, saved to a file, or printed as a table."""

    nodes: tuple[Node, ...]
    format: str = "svg"

    def __repr__(self) -> str:
        rows = [("term", "kind", "made of", "mask", "shown as")]
        for node in self.nodes:
            made = ", ".join(self.nodes[i].name for i in node.inputs)
            mask = "" if node.mask is None else self.nodes[node.mask].name
            rows.append((node.name, node.facts, made, mask, ", ".join(node.shown_as)))
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = ("  ".join(t.ljust(w) for t, w in zip(r, widths, strict=True)) for r in rows)
        return "\n".join(line.rstrip() for line in lines)

    def _repr_svg_(self) -> str | None:
        return self._drawn("svg").decode() if self.format == "svg" else None

    def _repr_png_(self) -> bytes | None:
        return self._drawn("png") if self.format == "png" else None

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, in the format that its suffix says: svg, png or pdf."""
        kind = Path(path).suffix.removeprefix(".").lower()
        panel.choice("the suffix of the file", kind, ("svg", "png", "pdf"))
        Path(path).write_bytes(self._drawn(kind))

    def _drawn(self, kind: str) -> bytes:
        file, dated = (
            io.BytesIO(),
            {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}},
        )
        with mpl.rc_context({"svg.hashsalt": "xfactor", "font.family": "DejaVu Sans"}):
            self.figure.savefig(file, format=kind, dpi=DPI, metadata=dated[kind])
        return file.getvalue()

    @cached_property
    def figure(self) -> Figure:
        """The matplotlib figure."""
        return _figure(self.nodes)


def draw(
    pipeline: Any,
    format: Literal["svg", "png"] = "svg",
    *,
    data: xr.Dataset | str | PathLike[str] | None = None,
    start: Any = None,
    end: Any = None,
    label: Literal["close", "open"] = "close",
    universe: str | xr.DataArray | None = None,
) -> Picture:
    """Draw what the columns and the screen of a pipeline are made of.

    Parameters
    ----------
    pipeline
        The pipeline.
    format
        What a notebook shows: ``"svg"`` or ``"png"``.
    data
        A panel, or the path of its store: each term then tells its dtype, and how many bytes its
        values would be. Nothing is computed.
    start, end, label, universe
        As in `xfactor.pipeline.run_pipeline`, with `data`.

    Returns
    -------
    Picture
        Notebooks show it; ``save("graph.png")`` writes it to a file; printed it is a table.

    Raises
    ------
    PanelError
        If the pipeline is empty, or, with `data`, as `run_pipeline` does.

    Examples
    --------
    >>> from xfactor.pipeline import Pipeline, field
    >>> from xfactor.pipeline.graph import draw
    >>> cap = field("market_cap")
    >>> draw(Pipeline({"big": cap.top(3)}, screen=cap.notnull()))
    term        kind    made of     mask  shown as
    market_cap  data
    top(3)      filter  market_cap        big
    notnull     filter  market_cap        screen
    """
    panel.choice("format", format, ("svg", "png"))
    shown: dict[Term, list[str]] = {}
    for name, term in pipeline.columns.items():
        shown.setdefault(term, []).append(name)
    if pipeline.screen is not None:
        shown.setdefault(pipeline.screen, []).append(SCREEN)
    if not shown:
        raise panel.error("the pipeline is empty", "a column or a screen", "Use pipe.add(...)")
    terms = [t for t in in_order(shown) if not _is_inner(t)]
    sizes = {}
    if data is not None:
        data = data if isinstance(data, xr.Dataset) else open_panel(data)
        values = evaluate(terms, make_frame(data, start, end, label, universe))
        sizes = {t: _size(v) for t, v in values.items()}
    at = {t: k for k, t in enumerate(terms)}
    nodes = (
        Node(
            name=_short(t.label()),
            kind=_kind(t),
            facts=" · ".join([_kind(t) + (" per date" if t.per_date else ""), *sizes.get(t, [])]),
            shown_as=tuple(shown.get(t, ())),
            inputs=tuple(dict.fromkeys(at[i] for i in t.inputs)),
            mask=None if t.mask is None else at[t.mask],
        )
        for t in terms
    )
    return Picture(tuple(nodes), format)


def _is_inner(term: Term) -> bool:
    """Made on the way to others and by no user: adjusted prices and their ratio."""
    return type(term).__name__ in ("Adjusted", "Ratio")


def _kind(term: Term) -> str:
    return DATA if isinstance(term, Field) else term.kind


def _size(value: Any) -> list[str]:
    arrays = list(value.values()) if isinstance(value, dict) else [value]
    return [str(arrays[0].dtype), _bytes(sum(a.nbytes for a in arrays))]


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"


def _short(name: str) -> str:
    name = WORDS.get(name, name)
    return name if len(name) <= 2 * LONGEST else f"{name[: 2 * LONGEST - 1]}…"


def _wrapped(words: Sequence[str], between: str = ", ") -> list[str]:
    """Words in lines of some length."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(between) + len(word) <= LONGEST:
            lines[-1] += between + word
        else:
            lines.append(word)
    return lines


def _width(text: str, size: float, weight: str, _: str) -> float:
    font = FontProperties(family="DejaVu Sans", weight=weight)
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width)


# --- drawing ------------------------------------------------------------------------------------


def _figure(nodes: Sequence[Node]) -> Figure:
    links = [(i, k) for k, node in enumerate(nodes) for i in node.inputs]
    masks = [(node.mask, k) for k, node in enumerate(nodes) if node.mask is not None]
    dashed = [*[False] * len(links), *[True] * len(masks)]
    laid = lay_out(len(nodes), [*links, *masks], dashed, [n.height for n in nodes], GAP)
    columns = _columns(nodes, laid)
    legend = _legend_entries(nodes, bool(masks))
    top = min(laid.height[k] - n.height / 2 for k, n in enumerate(nodes)) - MARGIN
    bottom = max(laid.height[k] + n.height / 2 for k, n in enumerate(nodes)) + MARGIN + 22
    top, bottom = min(top, *laid.height), max(bottom, max(laid.height) + 22)
    width = max(columns[-1][1] + MARGIN, 90.0 * len(legend))
    figure = Figure(figsize=(width / 72, (bottom - top) / 72))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(bottom, top))
    ax.axis("off")
    for way, dash in zip(laid.ways, dashed, strict=True):
        _link(ax, way, dash, laid, columns, nodes)
    layer = {k: i for i, row in enumerate(laid.rows) for k in row}
    for k, node in enumerate(nodes):
        left, right = columns[layer[k]]
        _box(ax, node, (left + right) / 2, laid.height[k], f"term-{k}")
    ax.legend(
        handles=legend, loc="lower left", ncols=len(legend), frameon=False, fontsize=SMALL,
        bbox_to_anchor=(0, 0), borderaxespad=0.6, handlelength=2.2, columnspacing=1.6,
    )  # fmt: skip
    return figure


def _columns(nodes: Sequence[Node], laid: Layout) -> list[tuple[float, float]]:
    """From where to where each layer goes."""
    columns, x = [], MARGIN
    for row in laid.rows:
        width = max([nodes[k].width for k in row if k < len(nodes)], default=0.0)
        columns.append((x, x + width))
        x += width + BETWEEN
    return columns


def _link(
    ax: Any, way: list[int], dashed: bool, laid: Layout, columns: list[Any], nodes: Sequence[Node]
) -> None:
    """A line from box to box; straight where it passes a layer, curved between them."""
    layer = {k: i for i, row in enumerate(laid.rows) for k in row}
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    for k, node in enumerate(way):
        left, right = columns[layer[node]]
        if node < len(nodes):  # a box in the middle of its layer
            middle, half = (left + right) / 2, nodes[node].width / 2
            left, right = middle - half, middle + half
        y = laid.height[node]
        if k:
            x0, y0 = points[-1]
            bend = (left - x0) / 2
            points += [(x0 + bend, y0), (left - bend, y), (left, y)]
            codes += [int(Line.CURVE4)] * 3
        if k < len(way) - 1:
            points.append((right, y))
            codes.append(int(Line.LINETO if k else Line.MOVETO))
    colour, style = (MASK, (0, (4, 2.5))) if dashed else (GREY, "-")
    line = PathPatch(Line(points, codes), fill=False, edgecolor=colour, linestyle=style, lw=1.0)
    ax.add_patch(line)
    (x, y), size = points[-1], 4.0
    head = [(x, y), (x - 1.6 * size, y - size / 1.6), (x - 1.6 * size, y + size / 1.6)]
    ax.add_patch(Polygon(head, closed=True, facecolor=colour, edgecolor="none"))


def _box(ax: Any, node: Node, x: float, y: float, name: str) -> None:
    half, tall = node.width / 2, node.height / 2
    style: dict[str, Any] = {
        "facecolor": FACE[node.kind],
        "edgecolor": EDGE[node.kind],
        "gid": name,
    }
    style["linewidth"] = 2.0 if node.shown_as else 1.0
    ax.add_patch(_shape(node.kind, x, y, half, tall, **style))
    at = y - tall + PAD / 2
    for text, size, weight, colour in node.texts:
        ax.text(
            x, at + LINE * size / 2, text, size=size, weight=weight, color=colour, ha="center",
            va="center_baseline", family="DejaVu Sans", parse_math=False,
        )  # fmt: skip
        at += LINE * size


def _shape(kind: str, x: float, y: float, half: float, tall: float, **style: Any) -> Patch:
    """Square for data, rounded for factors, pointed for filters, with cut corners for groups."""
    if kind == FACTOR:
        box = f"round,pad=0,rounding_size={min(7.0, tall)}"
        return FancyBboxPatch((x - half, y - tall), 2 * half, 2 * tall, boxstyle=box, **style)
    return Polygon([(x + a * half, y + b * tall) for a, b in _corners(kind, half, tall)], **style)


def _corners(kind: str, half: float, tall: float) -> Iterator[tuple[float, float]]:
    """Of a box from -1 to 1."""
    a = 1 - PAD / half
    if kind == FILTER:
        yield from ((-1, 0), (-a, -1), (a, -1), (1, 0), (a, 1), (-a, 1))
    elif kind == CLASSIFIER:
        b = 1 - PAD / tall
        yield from ((-1, -b), (-a, -1), (a, -1), (1, -b), (1, b), (a, 1), (-a, 1), (-1, b))
    else:
        yield from ((-1, -1), (1, -1), (1, 1), (-1, 1))


def _legend_entries(nodes: Sequence[Node], masks: bool) -> list[Any]:
    kinds = [k for k in FACE if any(n.kind == k for n in nodes)]
    entries: list[Any] = [Patch(facecolor=FACE[k], edgecolor=EDGE[k], label=k) for k in kinds]
    if masks:
        line = mpl.lines.Line2D([], [], color=MASK, linestyle=(0, (4, 2.5)), label="mask")
        entries.append(line)
    return [
        *entries,
        Patch(facecolor="none", edgecolor="black", linewidth=2, label="▸ column or screen"),
    ]
