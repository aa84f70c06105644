"""Where the nodes of a plan stand in a picture: in layers, from the top to the bottom.

A node stands below all that leads to it (longest path), which makes every edge go down; in its layer it stands near
the middle of them. An edge that passes layers bends around their nodes at a place of its own there. Blocks with a
body (foreach, repeat, try) are nodes that lead to it, so that a picture of a loop is no loop. Plans have some dozens
of nodes: one sweep down is good enough, and it is the same in every process.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from workflows.language.plan import (
    AnyNode,
    Approval,
    Attempt,
    Decide,
    End,
    Foreach,
    Fork,
    Plan,
    Raise,
    Receive,
    Repeat,
)

NODE_WIDTH: Final = 200.0
NODE_HEIGHT: Final = 46.0
_BEND_WIDTH: Final = 20.0
_GAP_X: Final = 24.0
_GAP_Y: Final = 32.0
_MARGIN: Final = 8.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one node to another; one that only a failure takes is marked."""

    source: str
    target: str
    failure: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The picture: the upper left corner of each node, and the points of each edge from above to below."""

    width: float
    height: float
    nodes: dict[str, Point]
    edges: tuple[tuple[Edge, tuple[Point, ...]], ...]


def laid_out(plan: Plan) -> Layout:
    """Return where the nodes and the edges of a plan stand."""
    edges = edges_of(plan)
    layers = _layers(list(plan.nodes), edges)
    chains = {edge: _chain(edge, layers) for edge in edges}
    centres = _centres(layers, chains)
    left = min((x - _width(name) / 2 for name, x in centres.items()), default=0.0) - _MARGIN
    right = max((x + _width(name) / 2 for name, x in centres.items()), default=0.0) + _MARGIN
    nodes = {name: (centres[name] - NODE_WIDTH / 2 - left, _top(layers[name])) for name in plan.nodes}
    drawn = tuple((edge, tuple(_points(chain, centres, layers, left))) for edge, chain in chains.items())
    return Layout(right - left, _top(max(layers.values(), default=0)) + NODE_HEIGHT + _MARGIN, nodes, drawn)


def edges_of(plan: Plan) -> list[Edge]:
    """Return the ways of a plan, each once."""
    walk = _Walk(plan)
    walk.path(plan.entry, None)
    for name in plan.nodes:
        walk.path(name, None)
    return list(dict.fromkeys(walk.edges))


@dataclass
class _Walk:
    """Collects edges; `after` is always where a path that ends goes on, or None: the run ends."""

    plan: Plan
    edges: list[Edge] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def path(self, name: str | None, after: str | None) -> None:
        if name is None or name in self.seen:
            return
        self.seen.add(name)
        node = self.plan.nodes[name]
        for entry, then, failure in _ways(node, after):
            if entry is not None:
                self.edges.append(Edge(name, entry, failure))
                # What a path leads to at its end is not its own: it is walked where it belongs, with an end of its own.
                self.path(entry if entry != after else None, then)
        if isinstance(node, Attempt):
            self.path(node.final, node.next or after)
        self.path(node.next, after)


def _ways(node: AnyNode, after: str | None) -> Iterator[tuple[str | None, str | None, bool]]:
    """Yield where a node leads to, where that path goes on when it ends, and whether only a failure goes there."""
    then = node.next or after
    match node:
        case Decide():
            for entry in (*(case.next for case in node.cases), node.otherwise):
                yield entry or after, after, False
        case Fork():
            for branch in node.branches:
                yield branch.entry, then, False
        case Foreach() | Repeat():
            yield node.entry, then, False
        case Attempt():
            last = node.final or then
            yield node.entry, last, False
            for catch in node.catches:
                yield catch.entry, last, True
        case End() | Raise():
            pass
        case _:
            yield then, after, False
    for entry in _failure_ways(node):
        yield entry, after, True


def _failure_ways(node: AnyNode) -> Iterator[str | None]:
    yield from (handler.next for handler in node.handlers)
    if isinstance(node, Approval):
        yield node.on_reject
    if isinstance(node, Approval | Receive):
        yield node.timeout_next


def _layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    below: defaultdict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(names, 0)
    for edge in edges:
        below[edge.source].append(edge.target)
        waiting[edge.target] += 1
    layers = {name: 0 for name in names if not waiting[name]}
    ready = list(layers)
    for name in ready:
        for target in below[name]:
            layers[target] = max(layers.get(target, 0), layers[name] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return layers


Place = str | tuple[Edge, int]


def _chain(edge: Edge, layers: dict[str, int]) -> tuple[Place, ...]:
    """The places of an edge from its source to its target: one in each layer between them."""
    between = range(layers[edge.source] + 1, layers[edge.target])
    return (edge.source, *((edge, layer) for layer in between), edge.target)


def _centres(layers: dict[str, int], chains: dict[Edge, tuple[Place, ...]]) -> dict[Place, float]:
    above: defaultdict[Place, list[Place]] = defaultdict(list)
    rows: defaultdict[int, dict[Place, None]] = defaultdict(dict)
    for name, layer in layers.items():
        rows[layer][name] = None
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            above[lower].append(upper)
            if not isinstance(lower, str):
                rows[lower[1]][lower] = None
    centres: dict[Place, float] = {}
    for layer in sorted(rows):
        centres |= _row(list(rows[layer]), above, centres)
    return centres


def _row(places: list[Place], above: dict[Place, list[Place]], centres: dict[Place, float]) -> dict[Place, float]:
    """Put each place near the middle of what leads to it, without touching its neighbour."""
    wanted = {place: _middle([centres[upper] for upper in above[place]]) for place in places}
    ordered = sorted(places, key=lambda place: wanted[place])
    found: dict[Place, float] = {}
    right = float("-inf")
    for place in ordered:
        half = _width(place) / 2
        found[place] = max(wanted[place], right + _GAP_X + half)
        right = found[place] + half
    shift = _middle([wanted[place] - x for place, x in found.items()])
    return {place: x + shift for place, x in found.items()}


def _middle(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _width(place: Place) -> float:
    return NODE_WIDTH if isinstance(place, str) else _BEND_WIDTH


def _top(layer: int) -> float:
    return _MARGIN + layer * (NODE_HEIGHT + _GAP_Y)


def _points(
    chain: tuple[Place, ...], centres: dict[Place, float], layers: dict[str, int], left: float
) -> Iterator[Point]:
    source, *bends, target = chain
    assert isinstance(source, str)
    assert isinstance(target, str)
    yield centres[source] - left, _top(layers[source]) + NODE_HEIGHT
    for bend in bends:
        assert not isinstance(bend, str)
        x, top = centres[bend] - left, _top(bend[1])
        yield x, top
        yield x, top + NODE_HEIGHT
    yield centres[target] - left, _top(layers[target])
