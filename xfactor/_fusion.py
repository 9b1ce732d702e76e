"""Few, big tasks: the tasks of one block of dates are drawn together for a cluster.

A scheduler that talks to workers pays for every task and every result, so blocks of several fields
are read, transformed and regressed within one task. Each task gets a *place* (its block of dates)
and a *stage*: how often the way to it has changed places. Tasks of one place and stage become one.
An arrow between two of these leads to a later stage or stays in one place and does not go back,
so there is no circle, and a block waits for no other block that it does not need. What would be too
large for one task is cut in parts, in an order in which none needs a later one.
"""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dask._task_spec import GraphNode, Task, TaskRef
from dask.array.core import Array
from dask.base import collections_to_expr, flatten
from dask.order import order

from xfactor import _nbytes

Graph = Mapping[Any, GraphNode]
Place = tuple[Any, ...]
Group = tuple[Place, int]  # a place and a stage

MOST = 2**28  # bytes of results that are drawn together
PARTS = 1000  # of one place and stage, at the most
SENT = 2**20  # bytes that take as long to send as a task to be looked after

WHOLE: Place = ("whole",)  # what is of no block of dates
OURS = re.compile(r"xfactor-(\w+)-")  # the public name of an operation, in the name of its tasks


@dataclass(frozen=True)
class Merged:
    """Tasks that run as one: they take results of others, and give back some of their own.

    Parameters
    ----------
    name
        Of no other, in this run or another.
    tasks
        In an order in which each comes after those that it needs.
    inputs
        For each argument of the call the keys of what it holds.
    wanted
        Keys of the results that are given back, as a tuple.
    last
        For each task the keys that nobody needs after it.
    """

    name: Any
    tasks: tuple[GraphNode, ...]
    inputs: tuple[tuple[Any, ...], ...]
    wanted: tuple[Any, ...]
    last: tuple[tuple[Any, ...], ...]

    def __dask_tokenize__(self) -> Any:
        return self.name  # a client names a graph by all that is in it, before anything is sent

    def __call__(self, *results: tuple[Any, ...]) -> tuple[Any, ...]:
        known: dict[Any, Any] = {}
        for keys, held in zip(self.inputs, results, strict=True):
            known.update({k: v for k, v in zip(keys, held, strict=True) if k is not None})
        del results
        for task, done in zip(self.tasks, self.last, strict=True):
            known[task.key] = task({k: known[k] for k in task.dependencies})
            for key in done:
                del known[key]
        return tuple(known[k] for k in self.wanted)


@dataclass(frozen=True)
class Drawn:
    """A graph of merged tasks, and where in their results each block of the arrays is."""

    graph: dict[Any, Task]
    found: dict[Any, tuple[Any, int]]  # key of a block: the merged task, the place in its result
    ranks: dict[Any, int]  # what is to run first has the highest
    names: tuple[str, ...]  # the operations in it


def low_level(arrays: Sequence[Array]) -> dict[Any, GraphNode]:
    """The tasks that dask would run for these arrays, after its own fusion."""
    if not arrays:
        return {}
    expr = collections_to_expr(arrays).optimize()
    return dict(expr.__dask_graph__())


def drawn_together(arrays: Sequence[Array]) -> Drawn:
    """Draw the tasks of each block of dates together."""
    graph = low_level(arrays)
    wanted = {k for a in arrays for k in flatten(a.__dask_keys__())}
    return merged(graph, wanted)


def merged(graph: Graph, wanted: Iterable[Any]) -> Drawn:
    """Merge the tasks of each place and stage."""
    wanted = set(wanted)
    ordered = _downwards(graph, sorted(graph, key=order(graph).__getitem__))
    groups = _groups(graph, ordered)
    flow = _Flow(graph, groups, _turns(graph, ordered, groups), wanted)
    run = uuid.uuid4().hex
    names = {g: (_title(g, groups.get(g, ()), run), i) for i, g in enumerate(flow.gives)}
    made = {}
    for g, gives in flow.gives.items():
        taken = flow.taken(g)
        tasks = tuple(graph[k] for k in groups.get(g, ()))
        inputs = tuple(
            tuple(k if k in keys else None for k in flow.gives[h]) for h, keys in taken.items()
        )
        call = Merged(names[g], tasks, inputs, tuple(gives), _last_uses(tasks, gives))
        made[names[g]] = Task(names[g], call, *(TaskRef(names[h]) for h in taken))
    found = {}
    for key in wanted:
        holder = flow.holders[key][-1]
        found[key] = (names[holder], flow.gives[holder].index(key))
    operations = dict.fromkeys(m for k in ordered for m in OURS.findall(_name(k)))
    return Drawn(made, found, {names[g]: _rank(g) for g in flow.gives}, tuple(operations))


class _Flow:
    """Which group gives which results, and who takes them where.

    Results that are needed a turn later (or by the caller) wait for all blocks of dates. In one
    result with blocks of panels they would keep these as long: so the last task of their block
    that needs the others hands them on; where there is none, a task of their own keeps them.
    Results that only other blocks need, such as the last rows, have a task of their own too: who
    takes one of a group's results takes them all, from another worker as a rule.
    """

    def __init__(
        self,
        graph: Graph,
        groups: dict[Group, list[Any]],
        turns: dict[Group, int],
        wanted: set[Any],
    ) -> None:
        self.graph, self.groups, self.turns, self.wanted = graph, groups, turns, wanted
        self.where = {k: g for g, keys in groups.items() for k in keys}
        users: dict[Any, list[Group]] = {k: [] for k in graph}
        for key, task in graph.items():
            for d in task.dependencies:
                users[d].append(self.where[key])
        # For each result the groups that have it in turn: the one that makes it, those after.
        self.holders: dict[Any, list[Group]] = {k: [g] for k, g in self.where.items()}
        self.gives: dict[Group, list[Any]] = {
            g: [k for k in keys if k in wanted or any(u != g for u in users[k])]
            for g, keys in groups.items()
        }
        self.abroad: set[Any] = set()
        for g in sorted(groups, key=lambda g: g[1]):
            self._split(g, users)
            late = [
                k
                for k in self.gives[g]
                if k in wanted or any(turns[u] > turns[g] for u in users[k])
            ]
            if 0 < len(late) < len(self.gives[g]):
                after = self._after(g, users)
                for key in late:
                    self.holders[key].append(after)
                    self.gives.setdefault(after, []).append(key)

    def _split(self, g: Group, users: dict[Any, list[Group]]) -> None:
        """Give what only other blocks need of a group's results a task of its own, if it pays."""
        if not _is_block(g):
            return
        own = {k: k in self.wanted or any(u[0] == g[0] for u in users[k]) for k in self.gives[g]}
        edges = [
            k
            for k, home in own.items()
            if not home and all(_is_block(u) and self.turns[u] == self.turns[g] for u in users[k])
        ]
        if edges and sum(_size(k) for k in own if k not in edges) > SENT:
            post = (("edge", *g[0]), g[1])
            self.gives[post] = edges
            self.abroad.update(edges)
            for key in edges:
                self.holders[key].append(post)

    def _after(self, g: Group, users: dict[Any, list[Group]]) -> Group:
        """The group that holds late results longer than `g`: one of its place, or a new one."""
        place, stage = g
        same = {
            u
            for k in self.gives[g]
            for u in users[k]
            if u[0] == place and u[1] > stage and self.turns[u] == self.turns[g]
        }
        return max(same, key=lambda u: u[1], default=(("kept", *place), stage))

    def taken(self, g: Group) -> dict[Group, set[Any]]:
        """The results that a group takes, by the group that it takes them from."""
        found: dict[Group, set[Any]] = {}
        for key in self.groups.get(g, ()):
            for d in self.graph[key].dependencies:
                home = self.where[d]
                if home != g:
                    later = self.turns[g] > self.turns[home] or d in self.abroad
                    found.setdefault(self.holders[d][-1 if later else 0], set()).add(d)
        for key in self.gives[g]:
            chain = self.holders[key]
            at = chain.index(g)
            if at:
                found.setdefault(chain[at - 1], set()).add(key)
        return found


def _is_block(group: Group) -> bool:
    return all(isinstance(i, int) for i in group[0])


def _rank(group: Group) -> int:
    """Blocks of dates one after another, what can be finished of them first."""
    place, stage = group
    return -_last(place) * 1000 * PARTS + stage if _is_block(group) else 0


def _turns(graph: Graph, tasks: Sequence[Any], groups: dict[Group, list[Any]]) -> dict[Group, int]:
    """How often the way to a group went from blocks of dates to what is of all of them, or back."""
    where = {k: g for g, keys in groups.items() for k in keys}
    turns: dict[Any, int] = {}
    most: dict[Group, int] = {}
    for key in tasks:
        block = _is_block(where[key])
        needs = graph[key].dependencies
        turns[key] = max((turns[d] + (_is_block(where[d]) != block) for d in needs), default=0)
        most[where[key]] = max(most.get(where[key], 0), turns[key])
    return most


def _downwards(graph: Graph, ordered: Sequence[Any]) -> list[Any]:
    """The same tasks, each after those that it needs; in dask's order where there is a choice."""
    done: dict[Any, None] = {}
    for key in ordered:
        stack = [key]
        while stack:
            top = stack[-1]
            todo = [d for d in graph[top].dependencies if d not in done]
            if todo:
                stack.extend(todo)
            else:
                done.setdefault(stack.pop())
    return list(done)


def _groups(graph: Graph, tasks: Sequence[Any]) -> dict[Group, list[Any]]:
    places: dict[Any, Place] = {}
    stages: dict[Any, int] = {}
    groups: dict[Group, list[Any]] = {}
    for key in tasks:
        needs = graph[key].dependencies
        place = places[key] = _place(key, [places[d] for d in needs])
        stage = max((stages[d] + (places[d] != place) for d in needs), default=0)
        stages[key] = stage
        groups.setdefault((place, stage), []).append(key)
    return {
        (place, stage * PARTS + i): part
        for (place, stage), keys in groups.items()
        for i, part in enumerate(_parts(keys))
    }


def _parts(keys: Sequence[Any]) -> list[list[Any]]:
    """Cut a group where its results would be too large for one task: hundreds of fields, say."""
    parts: list[list[Any]] = [[]]
    held = 0.0
    for key in keys:
        size = _size(key)
        if held + size > MOST and parts[-1] and len(parts) < PARTS:
            parts.append([])
            held = 0.0
        parts[-1].append(key)
        held += size
    return parts


def _size(key: Any) -> float:
    """Bytes of a result, 0 where nobody has noted them."""
    known = _nbytes.KNOWN.get(key[0]) if isinstance(key, tuple) else None
    return 0.0 if known is None else known.nbytes([i for i in key[1:] if isinstance(i, int)])


def _place(key: Any, needs: Sequence[Place]) -> Place:
    """The block of dates that a task works on.

    Its key says which block of its array it is; all dims but the dates are one block, as a rule.
    What is made of blocks of which the last is another one joins them: a step of a sum, say.
    """
    if not isinstance(key, tuple):
        return WHOLE
    own = tuple(i for i in key[1:] if isinstance(i, int) and i)
    blocks = {p for p in needs if p != WHOLE}
    if own == ():  # the first block, or all that there is
        return WHOLE if blocks - {own} or (needs and not blocks) else own
    if len(blocks) > 1 and max(map(_last, blocks)) != _last(own):
        return ("joined", *own)
    return own


def _last(place: Place) -> int:
    return place[-1] if place else 0


def _last_uses(tasks: Sequence[GraphNode], wanted: Sequence[Any]) -> tuple[tuple[Any, ...], ...]:
    """For each task, what is needed by none after it."""
    last: dict[Any, int] = {}
    for i, task in enumerate(tasks):
        last[task.key] = i
        for d in task.dependencies:
            last[d] = i
    done: list[list[Any]] = [[] for _ in tasks]
    given = set(wanted)
    for key, i in last.items():
        if key not in given:
            done[i].append(key)
    return tuple(map(tuple, done))


def _name(key: Any) -> str:
    return str(key[0]) if isinstance(key, tuple) else str(key)


def _title(group: Group, keys: Sequence[Any], run: str) -> str:
    """A name that says on the dashboard, and in errors, what a task does."""
    operations = dict.fromkeys(m for k in keys for m in OURS.findall(_name(k)))
    names = dict.fromkeys(_name(k).split("-")[0] for k in keys)
    first = operations or [n for n in names if n != "edge"] or names
    title = "+".join(list(first)[:4]) + ("+..." if len(first) > 4 else "")
    return f"{title or group[0][0]}-{run}"  # without tasks: kept, or edge
