"""A report as its readers find it: tables, sections, links."""

from html.parser import HTMLParser

import pandas as pd

VOID = {"meta", "link", "input", "br"}
SHORT = {"window": 40, "momentum": (40, 5), "horizons": (1, 5), "min_names": 3}


class Page(HTMLParser):
    """What a page holds: tables by caption, ids, links, and whether its tags match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.addresses = [], [], [], []
        self.tables, self.text, self.sections = {}, "", []
        self._rows, self._caption = [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        self.addresses += [found[k] for k in ("src", "href", "data", "action") if k in found]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        pass  # shapes of SVG

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data):
        if not self.open or self.open[-1] in ("script", "style"):
            return
        self.text += data + " "
        if self.open[-1] == "caption":
            self._caption += data
        elif self.open[-1] in ("td", "th"):
            self._rows[-1][-1] += data
        elif self.open[-1] == "h2":
            self.sections.append(data)

    def table(self, begin):
        (name,) = (k for k in self.tables if k.startswith(begin))
        head, *rows = self.tables[name]
        return pd.DataFrame([r[1:] for r in rows], [r[0] for r in rows], head[1:])


def value(text):
    """The number that a cell shows."""
    plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "").replace(" %", "e-2")
    return float(plain)
