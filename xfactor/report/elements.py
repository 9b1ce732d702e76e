"""Pieces of a page: every text is escaped here, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and a tint from -1 to 1, 0 for none."""

    text: str
    tint: float = 0.0


def element(tag: str, text: str, **attributes: str) -> str:
    """Return an element with a text.

    Parameters
    ----------
    tag
        Its tag.
    text
        Text, not HTML.
    **attributes
        Attributes; ``class_`` is ``class``.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> from xfactor.report.elements import element
    >>> element("p", "a < b", class_="soft")
    '<p class="soft">a &lt; b</p>'
    """
    given = "".join(f' {k.rstrip("_")}="{escape(v)}"' for k, v in attributes.items())
    return f"<{tag}{given}>{escape(text, quote=False)}</{tag}>"


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> str:
    """Return a table; the first cell of each row is its heading.

    Parameters
    ----------
    caption
        What it shows, and in which units.
    heads
        Headings of the columns.
    rows
        Cells.

    Returns
    -------
    str
        HTML: a region that scrolls by itself, also by keyboard, where it is wider than the page.
    """
    head = "".join(element("th", h, scope="col") for h in heads)
    body = "".join(
        "<tr>" + element("th", str(row[0]), scope="row") + "".join(map(_cell, row[1:])) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"{element('caption', caption)}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return element("td", cell)
    if not cell.tint:
        return element("td", cell.text)
    way = "up" if cell.tint > 0 else "down"
    return element("td", cell.text, class_=way, style=f"--v: {min(abs(cell.tint), 1.0):.2f}")


def tiles(values: Sequence[tuple[str, str]]) -> str:
    """Return headline numbers.

    Parameters
    ----------
    values
        Number and what it is, each.

    Returns
    -------
    str
        HTML.
    """
    items = "".join(f"<li>{element('b', v)}{element('span', what)}</li>" for v, what in values)
    return f'<ul class="tiles">{items}</ul>'


def terms(values: Sequence[tuple[str, str]]) -> str:
    """Return a list of names and what they are.

    Parameters
    ----------
    values
        Pairs.

    Returns
    -------
    str
        HTML.
    """
    return "<dl>" + "".join(element("dt", k) + element("dd", v) for k, v in values) + "</dl>"
