"""Events and signals: topic patterns can match, and the names of signals are free.

`approve` and `reject` belong to approvals. A trigger whose signal no `receive` waits for would fill mailboxes that
nobody empties; one that looks for a field that no `receive` publishes would never find a run.
"""

from __future__ import annotations

import re

from contracts.names import SIGNAL_APPROVE, SIGNAL_REJECT
from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.diagnostics import did_you_mean
from workflows.language.tree import Scalar, Table, Tree

_WORD = re.compile(r"[A-Za-z0-9_-]+|\*|#")
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_DECISIONS = (SIGNAL_APPROVE, SIGNAL_REJECT)
_LONGEST_TOPIC = 255
_HIGHEST_PRIORITY = 9


def _check(context: Context) -> None:
    for step in context.steps:
        if isinstance(step, nodes.Receive):
            _receive(context, step)
        elif isinstance(step, nodes.Emit):
            _topic(context, step.event)
            _priority(context, step.event_priority)
        elif isinstance(step, nodes.Approval) and step.remind is not None:
            _topic(context, Scalar(step.remind.emit.value, step.remind.emit.at))
    awaited = {
        step.signal.value for step in context.steps if isinstance(step, nodes.Receive) and step.signal is not None
    }
    takes_events = any(isinstance(step, nodes.Receive) and step.event is not None for step in context.steps)
    for trigger in context.definition.triggers:
        if isinstance(trigger, nodes.EventTrigger):
            _pattern(context, trigger.event)
            _published(context, trigger.does)
            if not takes_events:
                _awaited(context, trigger.does, awaited)


def _receive(context: Context, step: nodes.Receive) -> None:
    if step.event is not None:
        _pattern(context, step.event)
    if step.signal is not None and step.signal.value in _DECISIONS:
        message = f"the signal {step.signal.value!r} belongs to approvals"
        context.report.error(step.signal.at, "reserved-signal", message, "choose another name, or use `type: approval`")


def _priority(context: Context, tree: Tree | None) -> None:
    if not isinstance(tree, Scalar) or (isinstance(tree.value, str) and "${" in tree.value):
        return
    if type(tree.value) is not int or not 0 <= tree.value <= _HIGHEST_PRIORITY:
        message = f"the priority of an event is a whole number from 0 to {_HIGHEST_PRIORITY}, not {tree.value!r}"
        context.report.error(tree.at, "bad-event-priority", message, "0 is lowest, 9 highest")


def _pattern(context: Context, event: nodes.Text) -> None:
    if "${" in event.value:
        return
    words = event.value.split(".")
    wrong = [word for word in words if not _WORD.fullmatch(word)]
    if wrong or len(event.value) > _LONGEST_TOPIC:
        message = f"{event.value!r} is no topic pattern: words of letters, digits, - and _, with dots between them"
        hint = "`*` stands for exactly one word, `#` for any number of words: order.*, order.#"
        context.report.error(event.at, "bad-topic", message, hint)


def _topic(context: Context, event: Scalar) -> None:
    text = str(event.value)
    if "${" not in text and not _TOPIC.fullmatch(text):
        message = f"{text!r} is no event type: words of letters, digits, - and _, with dots between them"
        context.report.error(event.at, "bad-topic", message, "such as order.placed")


def _awaited(context: Context, does: nodes.Start | nodes.Signal | nodes.Cancel, awaited: set[str]) -> None:
    if isinstance(does, nodes.Signal) and does.name.value not in awaited | set(_DECISIONS):
        message = f"no `receive` step waits for the signal {does.name.value!r}"
        context.report.warning(does.name.at, "unawaited-signal", message, did_you_mean(does.name.value, awaited))


def _published(context: Context, does: nodes.Start | nodes.Signal | nodes.Cancel) -> None:
    if not isinstance(does, nodes.Signal) or does.correlate is None:
        return
    waiting = (step.correlate for step in context.steps if isinstance(step, nodes.Receive))
    fields = {entry.key for table in waiting if isinstance(table, Table) for entry in table.entries}
    for entry in does.correlate.entries:
        if entry.key not in fields:
            message = f"no `receive` step waits for the field {entry.key!r:.80}: this would never find a run"
            hint = did_you_mean(entry.key, fields) or "give the `receive` step the same `correlate`"
            context.report.error(entry.at, "unknown-correlation", message, hint)


RULE = Rule(
    _check,
    {
        "bad-topic": "An event type or topic pattern is not spelt as one.",
        "bad-event-priority": "The priority of an event is not between 0 and 9.",
        "reserved-signal": "A `receive` waits for a signal that belongs to approvals.",
        "unknown-correlation": "A trigger looks for a field that no `receive` step publishes.",
        "unawaited-signal": "A trigger sends a signal that no step waits for (warning).",
    },
)
