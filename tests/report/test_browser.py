"""The report in a real browser: it fits, it can be read, and the keyboard reaches all of it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.report.browser import Browser, chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium is installed")

WIDTHS = (320, 390, 1280)
SCHEMES = ("light", "dark")
PROBES = Path(__file__).with_name("probes.js")


@pytest.fixture(scope="module")
def tab():
    with Browser() as opened:
        yield opened


def probe(tab, name):
    """The answer of one of the questions of `probes.js`."""
    tab.run(PROBES.read_text("utf-8"))
    return json.loads(tab.run(f"JSON.stringify(probes.{name}())"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_page__fits_and_can_be_read(tab, made, width, scheme):
    tab.open(made[1], width, scheme)
    assert tab.problems() == []
    own = made[1].resolve().as_uri()
    assert all(url == own or url.startswith("data:") for url in tab.requests())
    assert tab.run("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert probe(tab, "wider") == []
    assert probe(tab, "overlaps") == []
    found = probe(tab, "contrast")
    assert found["low"] == []
    assert found["texts"] > 300
    assert found["shapes"] > 40
    background = tab.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_contrast__is_measured(tab, made):
    """Grey on white must fail, or the test above says nothing."""
    tab.open(made[1], 390)
    tab.run("document.querySelector('h1').style.color = '#bbb'")
    tab.run("document.querySelector('.line').style.stroke = '#ddd'")
    assert len(probe(tab, "contrast")["low"]) == 2
    tab.run("document.querySelector('h1').style.width = '900px'")
    assert probe(tab, "wider")


def test_page__prints_dark_on_white(tab, made, tmp_path):
    tab.open(made[1], 1280, "dark")
    tab.look(700, "dark", media="print")
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.run("document.querySelector('.range').checkVisibility()")
    assert probe(tab, "contrast")["low"] == []
    assert probe(tab, "wider") == []
    tab.look(1280)
    tab.pdf(tmp_path / "page.pdf")
    printed = (tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 30


def test_keyboard__reaches_every_link_control_chart_and_table(tab, made):
    tab.open(made[1], 390)
    wanted = set(probe(tab, "reachable"))
    reached = set()
    for _ in range(3 * len(wanted)):  # a date has a stop for each of its parts
        tab.press("Tab")
        name, outline, wide = probe(tab, "active")
        if name in wanted:
            assert (outline, wide >= 2) == ("solid", True), name
            reached.add(name)
    assert reached == wanted
    assert len(wanted) > 30


def first_chart(tab):
    """Dates and values of the first chart, as the page holds them."""
    data = json.loads(tab.run("document.querySelector('figure[data-lines] script').textContent"))
    dates = pd.to_datetime(np.cumsum(data["t"]), unit="m")
    return dates, np.array([s["v"] for s in data["s"]], float)


def shown(tab):
    """What the legend of the first chart says: the date and the values."""
    figure = "document.querySelector('figure[data-lines] .legend')"
    day = tab.run(f"{figure}.querySelector('time').textContent")
    texts = json.loads(tab.run(
        f"JSON.stringify([...{figure}.querySelectorAll('output')].map((o) => o.textContent))"
    ))  # fmt: skip
    return day, [t.replace("\N{MINUS SIGN}", "-").strip() for t in texts]


def said(value):
    return "\N{EN DASH}" if np.isnan(value) else f"{100 * value:.1f} %".replace("-0.0 %", "0.0 %")


def test_chart__reads_its_values_by_keys_and_pointer(tab, made):
    tab.open(made[1], 1280)
    dates, values = first_chart(tab)
    tab.run("document.querySelector('figure[data-lines] .plot').focus()")
    for key, row in (("End", -1), ("ArrowLeft", -2), ("ArrowLeft", -3), ("Home", 0)):
        tab.press(key)
        day, texts = shown(tab)
        assert day == f"{dates[row]:%Y-%m-%d}"
        assert texts == [said(v) for v in values[:, row]]
    tab.press("Escape")
    assert shown(tab) == ("", [""] * len(values))
    box = json.loads(tab.run(
        "(() => { const a = document.querySelector('figure[data-lines] .area'); a.scrollIntoView();"
        "return JSON.stringify(a.getBoundingClientRect()); })()"
    ))  # fmt: skip
    tab.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    middle = dates[0] + (dates[-1] - dates[0]) / 2
    day, texts = shown(tab)
    assert abs(pd.Timestamp(day) - middle) <= pd.Timedelta(days=3)
    assert texts == [said(v) for v in values[:, dates.get_loc(pd.Timestamp(day))]]


def test_range__redraws_the_charts_and_compounds_from_its_start(tab, made):
    tab.open(made[1], 1280)
    dates, values = first_chart(tab)
    before = tab.run("document.querySelector('.line').getAttribute('d')")
    begin = dates[100]
    tab.run(f"""(() => {{ const [from] = document.querySelectorAll('.range input');
        from.value = '{begin:%Y-%m-%d}'; from.dispatchEvent(new Event('change')); }})()""")
    assert tab.run("document.querySelector('.line').getAttribute('d')") != before
    assert tab.run("document.querySelector('.range button').ariaPressed") == "false"
    tab.run("document.querySelector('figure[data-lines] .plot').focus()")
    tab.press("End")
    _, texts = shown(tab)
    want = (1 + values[:, -1]) / (1 + np.nan_to_num(values[:, 100])) - 1  # one begins later
    assert [float(t.split()[0]) for t in texts] == pytest.approx(100 * want, abs=0.11)
    assert probe(tab, "overlaps") == []
    tab.run("document.querySelector('.range button').click()")
    path = tab.run("document.querySelector('.line').getAttribute('d')")
    ends = [np.array(re.findall(r"-?\d+", p)[:2], int) for p in (before, path)]
    assert abs(ends[0] - ends[1]).max() <= 1  # written from its start again, in other words
    assert tab.problems() == []
