"""The picture of a pipeline: what it says, where it puts things, and that nothing is computed."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

import xfactor as xf
from tests.pipeline.test_core import Spread, drawn, good, sector, x
from tests.pipeline.test_lecture import make_later_pipeline, make_pipeline
from xfactor.pipeline import Pipeline, Returns, _layout
from xfactor.pipeline.graph import draw

FIRST = """
term                      kind    made of                    mask  shown as
shares_outstanding        data
close                     data
MarketCap()               factor  shares_outstanding, close        market_cap
pb_ratio                  data
BookToPrice()             factor  pb_ratio                         book_to_price
Returns(window_length=2)  factor  close                            returns
rank()                    factor  MarketCap()                      market_cap_rank
rank()                    factor  BookToPrice()                    book_to_price_rank
top(1000)                 filter  MarketCap()                      biggest
bottom(1000)              filter  MarketCap()                      smallest
top(1000)                 filter  BookToPrice()                    highpb
bottom(1000)              filter  BookToPrice()                    lowpb
or                        filter  top(1000), bottom(1000)
or                        filter  or, top(1000)
or                        filter  or, bottom(1000)                 screen
""".strip()


def test_picture__of_the_lecture_as_text():
    assert repr(make_pipeline(1000).show_graph("png")) == FIRST


def test_picture__names_masks_columns_and_the_screen():
    picture = draw(Pipeline({"a": x.rank(mask=good), "b": x.rank(mask=good)}, screen=good))
    known, number, rank = (
        next(n for n in picture.nodes if n.name == k) for k in ("good", "x", "rank()")
    )
    assert known.shown_as == ("screen",)
    assert rank.shown_as == ("a", "b")
    assert picture.nodes[rank.mask] is known
    assert [picture.nodes[i] for i in rank.inputs] == [number]


def test_picture__tells_dtypes_and_bytes_without_computing(raise_if_computes):
    panel = drawn(dates=20, assets=5).chunk(date=6)
    pipe = Pipeline({
        "top": x.top(2), "group": sector, "wide": Spread().wide, "away": x - x.mean(),
        "ret": Returns(window_length=2),
    })  # fmt: skip
    with raise_if_computes():
        picture = pipe.show_graph(data=panel, start=panel.date.values[10])
        assert picture._repr_svg_()
    facts = {n.name: n.facts for n in picture.nodes}
    assert facts["x"] == "data · float64 · 400 B"
    assert facts["top(2)"] == "filter · bool · 50 B"
    assert facts["sector"] == "data · int16 · 100 B"
    assert facts["Spread(window_length=2, times=1.0)"] == "factor · float64 · 800 B"  # two outputs
    assert facts["mean"] == "factor per date · float64 · 80 B"
    assert "close" in facts  # and not what adjusts it
    assert len(facts) == 10


def test_picture__is_shown_and_saved_in_its_format(tmp_path):
    pipe = make_later_pipeline(10)
    svg, png = draw(pipe), draw(pipe, "png")
    assert svg._repr_png_() is None
    assert png._repr_svg_() is None
    assert ET.fromstring(svg._repr_svg_()).tag.endswith("svg")
    assert png._repr_png_().startswith(b"\x89PNG")
    for suffix in ("svg", "png", "pdf"):
        svg.save(tmp_path / f"graph.{suffix}")
        assert (tmp_path / f"graph.{suffix}").stat().st_size > 5000
    assert imread(tmp_path / "graph.png").shape[1] > 1000
    with pytest.raises(xf.PanelError, match="suffix"):
        svg.save(tmp_path / "graph.doc")
    with pytest.raises(xf.PanelError, match="format"):
        draw(pipe, "jpg")
    with pytest.raises(xf.PanelError, match="empty"):
        draw(Pipeline())


def test_picture__is_the_same_each_time():
    assert draw(make_pipeline(10))._repr_svg_() == draw(make_pipeline(10))._repr_svg_()


@pytest.mark.parametrize("make", [make_pipeline, make_later_pipeline])
def test_boxes__hold_their_text_and_lie_apart(make):
    figure = draw(make(1000)).figure
    figure.canvas.draw()
    (ax,) = figure.axes
    boxes = [p.get_window_extent() for p in ax.patches if p.get_gid()]
    assert len(boxes) > 10
    for text in [t.get_window_extent() for t in ax.texts]:
        assert any(np.all(b.min <= text.min) and np.all(text.max <= b.max) for b in boxes)
    assert not [1 for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    legend = ax.get_legend().get_window_extent()
    assert not [1 for b in boxes if legend.overlaps(b)]


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 25))
    links = [(a, b) for b in range(1, n) for a in draw(st.sets(st.integers(0, b - 1), max_size=3))]
    kinds = [draw(st.booleans()) for _ in links]
    sizes = [draw(st.floats(5, 60)) for _ in range(n)]
    return n, links, kinds, sizes


@given(graph=graphs())
def test_layout__goes_from_left_to_right_and_leaves_room(graph):
    n, links, kinds, sizes = graph
    laid = _layout.lay_out(n, links, kinds, sizes, 10.0)
    layer = {node: k for k, row in enumerate(laid.rows) for node in row}
    assert sorted(layer) == list(range(len(laid.height)))
    for (a, b), way in zip(links, laid.ways, strict=True):
        assert (way[0], way[-1]) == (a, b)
        assert [layer[node] for node in way] == list(range(layer[a], layer[b] + 1))
        assert layer[a] < layer[b]
    everything = [*sizes, *[0.0] * (len(laid.height) - n)]
    for row in laid.rows:
        assert row
        for a, b in pairwise(row):
            least = (everything[a] + everything[b]) / 2 + 10.0
            assert laid.height[b] - laid.height[a] >= least - 1e-9
    assert laid == _layout.lay_out(n, links, kinds, sizes, 10.0)


def test_order__untangles_what_can_be_untangled():
    """Two ladders whose rungs are numbered crosswise."""
    links = [(0, 3), (1, 2), (2, 5), (3, 4), (4, 7), (5, 6)]
    laid = _layout.lay_out(8, links, [False] * 6, [10.0] * 8, 5.0)
    assert _layout.crossings(laid.rows, links) == 0


@given(
    wanted=st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    data=st.data(),
)
def test_spaced__is_the_nearest_there_is(wanted, data):
    n = len(wanted)
    sizes = data.draw(st.lists(st.floats(0, 50), min_size=n, max_size=n))
    stiff = data.draw(st.lists(st.sampled_from([1.0, 8.0]), min_size=n, max_size=n))
    y = np.array(_layout.spaced(wanted, sizes, stiff, 5.0))
    least = (np.array(sizes[1:]) + sizes[:-1]) / 2 + 5.0
    assert (np.diff(y) >= least - 1e-9).all()
    cost = stiff @ (y - wanted) ** 2
    rng = np.random.default_rng(0)
    for _ in range(50):  # no allowed place nearby is better
        other = y + rng.normal(scale=0.1, size=n)
        if (np.diff(other) >= least).all():
            assert stiff @ (other - wanted) ** 2 >= cost - 1e-9
