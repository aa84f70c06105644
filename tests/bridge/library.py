"""Definitions by hand, for tests of routing: a plan that ends at once, and triggers."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.envelope import Event
from contracts.json import Json
from workflows.language.canonical import sealed
from workflows.language.expressions.cel import Expression, compile_expression
from workflows.language.expressions.template import Template, compile_template
from workflows.language.library import Library
from workflows.language.plan import End, Plan
from workflows.language.triggers import Cancel, Definition, EventTrigger, Signal, Start


def template(text: Json) -> Template:
    """Compile a template."""
    return compile_template(text)


def expression(text: str) -> Expression:
    """Compile an expression."""
    return compile_expression(text)


def on(event: str, does: Start | Signal | Cancel, when: str | None = None) -> EventTrigger:
    """Make a trigger."""
    return EventTrigger(event, None if when is None else expression(when), does)


def definition(
    identity: str, *triggers: EventTrigger, version: str = "1.0.0", key: Template | None = None
) -> Definition:
    """Make a definition with these triggers."""
    end = End(id="end", name="end")
    plan = sealed(Plan(identity, version, identity, {"end": end}, "end", key=key))
    return Definition(plan, triggers, f"definitions/{identity}.yaml")


def library(*definitions: Definition) -> Library:
    """Make a library."""
    return Library.of(definitions)


def event(
    kind: str = "order.placed", data: Json = None, identity: str = "evt-1", metadata: dict[str, Json] | None = None
) -> Event:
    """Make an event."""
    moment = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    return Event(identity, kind, "1.0", moment, "tests", data, metadata or {})
