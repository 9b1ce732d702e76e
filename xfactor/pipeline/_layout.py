"""Places for the nodes of a graph that is drawn from left to right.

Nodes are numbers, each above those that it is made of. They go into layers by their longest way
from a source; links over several layers get a stop in each that they pass, and links of one node
share their stops; the order within a layer is that of the neighbours' means, which leaves few
crossings; heights are as near to the neighbours' as the sizes allow. All of it is deterministic.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Link = tuple[int, int]
SWEEPS = 12
STIFF = 8.0  # how much rather a long link is straight than a box beside its neighbours


@dataclass(frozen=True)
class Layout:
    """Nodes and stops by layers, from top to bottom, their heights, and the way of each link."""

    rows: list[list[int]]
    height: list[float]
    ways: list[list[int]]


def lay_out(
    n: int, links: Sequence[Link], kinds: Sequence[object], sizes: Sequence[float], gap: float
) -> Layout:
    """Place `n` nodes of some sizes; links of one node and kind share their stops."""
    layer = layers(n, links)
    layer, ways = with_stops(layer, links, kinds)
    steps = sorted({step for way in ways for step in pairwise(way)})
    rows = ordered(layer, steps)
    return Layout(rows, heights(rows, steps, sizes, gap), ways)


def layers(n: int, links: Sequence[Link]) -> list[int]:
    """The layer of each node: after all that it is made of, sources as late as possible."""
    layer = [0] * n
    for source, target in sorted(links, key=lambda link: link[1]):
        layer[target] = max(layer[target], layer[source] + 1)
    later = defaultdict(list)
    for source, target in links:
        later[source].append(layer[target])
    made = {target for _, target in links}
    return [min(later[k]) - 1 if k not in made and later[k] else own for k, own in enumerate(layer)]


def with_stops(
    layer: list[int], links: Sequence[Link], kinds: Sequence[object]
) -> tuple[list[int], list[list[int]]]:
    """The layers with those of the stops at the end, and the nodes that each link passes."""
    layer = list(layer)
    stops: dict[tuple[int, object, int], int] = {}
    ways = []
    for (source, target), kind in zip(links, kinds, strict=True):
        way = [source]
        for between in range(layer[source] + 1, layer[target]):
            key = (source, kind, between)
            if key not in stops:
                stops[key] = len(layer)
                layer.append(between)
            way.append(stops[key])
        ways.append([*way, target])
    return layer, ways


def ordered(layer: list[int], steps: Sequence[Link]) -> list[list[int]]:
    """The nodes of each layer in the order with the fewest crossings that was found."""
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for node, own in enumerate(layer):
        rows[own].append(node)
    before, after = neighbours(steps)
    best, fewest = [list(row) for row in rows], crossings(rows, steps)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        beside = before if forth else after
        for k in range(1, len(rows)) if forth else range(len(rows) - 2, -1, -1):
            place = {node: i for row in rows for i, node in enumerate(row)}
            mean = {
                node: float(np.mean([place[b] for b in beside[node]])) if beside[node] else own
                for own, node in enumerate(rows[k])
            }
            rows[k].sort(key=lambda node: mean[node])
        found = crossings(rows, steps)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def neighbours(steps: Sequence[Link]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Of each node those in the layer before, and those in the layer after."""
    before, after = defaultdict(list), defaultdict(list)
    for a, b in steps:
        before[b].append(a)
        after[a].append(b)
    return before, after


def crossings(rows: Sequence[Sequence[int]], steps: Sequence[Link]) -> int:
    """How often steps between the same two layers cross."""
    at = {node: (k, i) for k, row in enumerate(rows) for i, node in enumerate(row)}
    between: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for a, b in steps:
        between[at[a][0]].append((at[a][1], at[b][1]))
    total = 0
    for pairs in between.values():
        a, b = np.array(sorted(pairs)).T
        total += int(((a[:, None] < a) & (b[:, None] > b)).sum())
    return total


def heights(
    rows: Sequence[Sequence[int]], steps: Sequence[Link], sizes: Sequence[float], gap: float
) -> list[float]:
    """The height of each node's middle, downwards; the nodes beyond `sizes` are stops."""
    before, after = neighbours(steps)
    stops = range(len(sizes), sum(map(len, rows)))
    sizes, stiff = [*sizes, *[0.0] * len(stops)], [*[1.0] * len(sizes), *[STIFF] * len(stops)]
    height = [0.0] * len(sizes)
    for sweep in range(-1, SWEEPS):
        forth = sweep % 2 == 0
        for row in rows if forth else reversed(rows):
            wanted = []
            for node in row:
                near = before[node] + after[node]
                if sweep < SWEEPS - 2:
                    near = (before if forth else after)[node]
                near = [b for b in near if node in stops and b in stops] or near
                wanted.append(float(np.mean([height[b] for b in near])) if near else height[node])
            places = spaced(wanted, [sizes[k] for k in row], [stiff[k] for k in row], gap)
            for node, y in zip(row, places, strict=True):
                height[node] = y
    return height


def spaced(
    wanted: Sequence[float], sizes: Sequence[float], stiff: Sequence[float], gap: float
) -> list[float]:
    """Heights as near as possible to those wanted, in order, that leave room for the sizes.

    With the room taken off it is a weighted regression on an increasing sequence: neighbours out of
    order are pooled.
    """
    room = np.cumsum([0.0, *[(a + b) / 2 + gap for a, b in pairwise(sizes)]])
    pools: list[tuple[float, float, int]] = []
    for want, weight in zip(np.asarray(wanted) - room[: len(sizes)], stiff, strict=True):
        mean, w, n = float(want), weight, 1
        while pools and pools[-1][0] > mean:
            other, v, m = pools.pop()
            mean, w, n = (mean * w + other * v) / (w + v), w + v, n + m
        pools.append((mean, w, n))
    means = [mean for mean, _, n in pools for _ in range(n)]
    return [mean + float(r) for mean, r in zip(means, room, strict=True)]
