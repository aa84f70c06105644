"""The ways through a plan: what can come after a node, what a block holds, and what is evaluated at a node."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from workflows.language.expressions.cel import Expression
from workflows.language.expressions.template import Template
from workflows.language.plan import AnyNode, Approval, Attempt, Decide, Foreach, Fork, Plan, Receive, Repeat


def successors(node: AnyNode) -> Iterator[str]:
    """Yield the nodes at which the path may go on after `node`, in its own body."""
    ways: list[str | None] = [node.next, *(handler.next for handler in node.handlers)]
    match node:
        case Decide():
            ways += [*(case.next for case in node.cases), node.otherwise]
        case Approval():
            ways += [node.on_reject, node.timeout_next]
        case Receive():
            ways.append(node.timeout_next)
    yield from (way for way in ways if way is not None)


def entries(node: AnyNode) -> Iterator[str]:
    """Yield the first node of each body of a block."""
    match node:
        case Fork():
            yield from (branch.entry for branch in node.branches)
        case Foreach() | Repeat():
            yield node.entry
        case Attempt():
            yield node.entry
            yield from (catch.entry for catch in node.catches)
            yield from () if node.final is None else (node.final,)


def reachable(plan: Plan, starts: Iterable[str], *, inside: bool, stop: str | None = None) -> frozenset[str]:
    """Return `starts` and what can come after them.

    Args:
        plan: The plan.
        starts: Where to begin.
        inside: Whether the bodies of blocks count too.
        stop: Where paths end: the join of a fork.
    """
    found: set[str] = set()
    open_ends = [start for start in starts if start != stop]
    while open_ends:
        name = open_ends.pop()
        if name in found or name == stop:
            continue
        found.add(name)
        node = plan.nodes[name]
        open_ends += [*successors(node), *(entries(node) if inside else ())]
    return frozenset(found)


def steps_read_by(value: object) -> frozenset[str]:
    """Return the underscore names of the steps whose results the expressions in a node, or in any part of it, read."""
    return frozenset(name for expression in _expressions(value) for name in expression.steps)


def _expressions(value: object) -> Iterator[Expression]:
    match value:
        case Expression():
            yield value
        case Template():
            yield from value.expressions
        case Mapping():
            for item in value.values():
                yield from _expressions(item)
        case tuple() | list():
            for item in value:
                yield from _expressions(item)
        case _ if dataclasses.is_dataclass(value):
            for entry in dataclasses.fields(value):
                yield from _expressions(getattr(value, entry.name))
