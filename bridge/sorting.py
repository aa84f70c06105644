"""Where an event belongs: its key, which has one queue, and its class of priority. Pure.

The key is what the producer says; else what the operator's rule for its type gives; else the run that it is for, so
that without anybody's doing the events of one run stay in order. What is for no run has only itself to be in order
with.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.route import Routing
from bridge.topology.model import GroupRule, Topology
from contracts.envelope import Event
from contracts.json import Json
from contracts.topics import topic_matches
from workflows.language.expressions.model import ExpressionFailure

_MAX_KEY_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """The key and the class of an event."""

    key: str
    priority_class: str


def place(event: Event, priority: int, routing: Routing, topology: Topology) -> Place:
    """Return where `event` belongs.

    Args:
        event: The event.
        priority: Its AMQP priority, 0 to 9.
        routing: What it asks for.
        topology: The rules and the classes.
    """
    key = event.group_id or _by_rule(event, topology) or routing.first_key or event.identity
    return Place(_bounded(key), topology.class_of(priority))


def _by_rule(event: Event, topology: Topology) -> str | None:
    rule = next((rule for rule in topology.ordering if topic_matches(rule.event, event.type)), None)
    return None if rule is None else _key(rule, event)


def _key(rule: GroupRule, event: Event) -> str | None:
    """A rule that has nothing to say about this event leaves it to what comes after the rules."""
    try:
        value = rule.key.evaluate(_EventAlone(event))
    except ExpressionFailure:
        return None
    usable = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return str(value) if usable else None


def _bounded(key: str) -> str:
    """Long keys are cut: two that differ only beyond that share a queue, which costs nothing but parallelism."""
    return key.encode()[:_MAX_KEY_BYTES].decode(errors="ignore")


class _EventAlone:
    def __init__(self, event: Event) -> None:
        self._event = event

    def root(self, name: str) -> Json:
        if name != "event":
            raise KeyError(name)
        return self._event.as_binding()

    def step(self, name: str) -> Json:
        raise KeyError(name)

    def uuid(self) -> str:
        return self._event.identity
