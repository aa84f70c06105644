"""Texts that are taken as they stand hold no expressions.

An author who writes `queue: ${ input.queue }` would otherwise get a queue of that very name.
"""

from __future__ import annotations

from collections.abc import Iterator

from workflows.language import nodes
from workflows.language.check.context import Context, Rule, acting_parts


def _check(context: Context) -> None:
    for text, key in _texts(context):
        if text is not None and "${" in text.value.replace("$${", ""):
            message = f"`{key}` is taken as it stands: `${{ }}` is not evaluated there"
            context.report.error(text.at, "not-evaluated", message, "write the value itself")


def _texts(context: Context) -> Iterator[tuple[nodes.Text | None, str]]:
    yield context.definition.name, "name"
    for step in context.steps:
        yield step.name, "name"
        for acting in acting_parts(step):
            yield acting.queue, "queue"
        match step:
            case nodes.Action():
                yield step.action, "action"
            case nodes.Workflow():
                yield step.workflow, "workflow"
            case nodes.Receive():
                yield step.event, "event"
                yield step.signal, "signal"
            case nodes.Approval() if step.remind is not None:
                yield step.remind.emit, "emit"
    for trigger in context.definition.triggers:
        yield from _of_trigger(trigger)


def _of_trigger(trigger: nodes.EventTrigger | nodes.ScheduleTrigger) -> Iterator[tuple[nodes.Text | None, str]]:
    if isinstance(trigger, nodes.ScheduleTrigger):
        yield trigger.cron, "cron"
        yield trigger.timezone, "timezone"
        return
    yield trigger.event, "event"
    if isinstance(trigger.does, nodes.Signal):
        yield trigger.does.name, "name"


RULE = Rule(_check, {"not-evaluated": "A text that is taken as it stands holds `${ }`."})
