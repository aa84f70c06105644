"""Definitions that start each other in a circle, always: each run leads to another one, without end.

A step that starts a definition is a link, and so is an event that a step emits and on which a trigger starts runs. A
circle that something can end, an `if`, a decision, a trigger's `when`, may be just what its author wants; one that
nothing can end is told as a warning, since each start is a run of its own and no rule of the language forbids it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.topics import topic_matches
from workflows.language import nodes
from workflows.language.diagnostics import Diagnostic, Diagnostics
from workflows.language.tree import Position
from workflows.language.versions import is_version, version_key

CODES: Mapping[str, str] = {
    "endless-starts": "Each run of a definition leads to another one, for ever (warning).",
}
_HINT = "give a step of the circle an `if`, or the trigger a `when`, that ends it"


@dataclass(frozen=True)
class _Link:
    at: Position
    to: str


def check_circles(definitions: Sequence[nodes.Definition]) -> list[Diagnostic]:
    """Return a warning for each step that is a link of a circle."""
    newest: dict[str, nodes.Definition] = {}
    for definition in definitions:
        known = newest.get(definition.id.value)
        if known is None or _rank(known) < _rank(definition):
            newest[definition.id.value] = definition
    links = {name: tuple(_links(definition, newest.values())) for name, definition in newest.items()}
    found: list[Diagnostic] = []
    for name, definition in newest.items():
        report = Diagnostics(definition.file)
        for link in links[name]:
            way = _way(link.to, name, links)
            if way is not None:
                circle = " -> ".join((name, *way))
                report.warning(link.at, "endless-starts", f"every run leads to another one: {circle}", _HINT)
        found += report.found
    return found


def _rank(definition: nodes.Definition) -> tuple[bool, tuple[object, ...]]:
    version = definition.version.value
    return (True, (version_key(version),)) if is_version(version) else (False, ())


def _links(definition: nodes.Definition, loaded: Collection[nodes.Definition]) -> Iterator[_Link]:
    for step in _always(definition.steps):
        match step:
            case nodes.Workflow():
                yield _Link(step.workflow.at, step.workflow.value.partition("@")[0])
            case nodes.Emit() if isinstance(step.event.value, str) and "${" not in step.event.value:
                yield from (_Link(step.event.at, other) for other in _started_by(step.event.value, loaded))


def _always(steps: Sequence[nodes.AnyStep]) -> Iterator[nodes.AnyStep]:
    """Yield the steps that nothing in their own words keeps from being taken."""
    for step in steps:
        if step.condition is not None:
            continue
        yield step
        match step:
            case nodes.Parallel():
                for branch in step.branches:
                    yield from _always(branch.steps)
            case nodes.Try():
                yield from _always(step.steps)
            case nodes.Repeat() if step.before is None:
                yield from _always(step.steps)


def _started_by(event: str, loaded: Collection[nodes.Definition]) -> Iterator[str]:
    for definition in loaded:
        if any(_always_starts(trigger, event) for trigger in definition.triggers):
            yield definition.id.value


def _always_starts(trigger: nodes.EventTrigger | nodes.ScheduleTrigger, event: str) -> bool:
    if not isinstance(trigger, nodes.EventTrigger) or trigger.when is not None:
        return False
    return isinstance(trigger.does, nodes.Start) and topic_matches(trigger.event.value, event)


def _way(start: str, goal: str, links: Mapping[str, Sequence[_Link]]) -> tuple[str, ...] | None:
    """Return the shortest way from one definition to another, both included, or None."""
    ways, seen = list[tuple[str, ...]]([(start,)]), {start}
    for way in ways:
        if way[-1] == goal:
            return way
        following = [link.to for link in links.get(way[-1], ()) if link.to not in seen]
        seen.update(following)
        ways += [(*way, name) for name in dict.fromkeys(following)]
    return None
