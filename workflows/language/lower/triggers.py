"""Triggers with their defaults filled in and their expressions compiled."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from workflows.language import nodes, triggers
from workflows.language.lower.compiling import NO_NAMES, optional_expression, optional_template, template
from workflows.language.triggers import Hold, IfMissing, IfRunning, Overlap


def lower_trigger(
    written: nodes.EventTrigger | nodes.ScheduleTrigger,
) -> triggers.EventTrigger | triggers.ScheduleTrigger:
    """Return the trigger that the bridge or the schedule reconciler works by."""
    match written:
        case nodes.EventTrigger():
            when = optional_expression(written.when, NO_NAMES)
            return triggers.EventTrigger(written.event.value, when, _doing(written.does))
        case nodes.ScheduleTrigger():
            return _schedule(written)


def _doing(does: nodes.Start | nodes.Signal | nodes.Cancel) -> triggers.Start | triggers.Signal | triggers.Cancel:
    match does:
        case nodes.Start():
            key, given = optional_template(does.key, NO_NAMES), optional_template(does.input, NO_NAMES)
            return triggers.Start(key, given, cast(IfRunning, does.if_running.value if does.if_running else "ignore"))
        case nodes.Signal():
            key, data = optional_template(does.key, NO_NAMES), optional_template(does.data, NO_NAMES)
            correlate = optional_template(does.correlate, NO_NAMES)
            default: IfMissing = "dead-letter" if correlate is None else Hold()
            missing = _if_missing(does.if_missing, default)
            return triggers.Signal(key, does.name.value, data, missing, correlate)
        case nodes.Cancel():
            return triggers.Cancel(template(does.key, NO_NAMES), _if_missing(does.if_missing, "drop"))


def _if_missing(written: nodes.Text | nodes.Seconds | None, default: IfMissing) -> IfMissing:
    if written is None:
        return default
    if isinstance(written.value, str):
        return cast(IfMissing, written.value)
    return Hold(timedelta(seconds=written.value))


def _schedule(written: nodes.ScheduleTrigger) -> triggers.ScheduleTrigger:
    default = triggers.ScheduleTrigger(written.cron.value)
    return triggers.ScheduleTrigger(
        cron=written.cron.value,
        timezone=written.timezone.value if written.timezone else default.timezone,
        overlap=cast(Overlap, written.overlap.value) if written.overlap else default.overlap,
        catch_up=written.catch_up.value if written.catch_up else default.catch_up,
        jitter=written.jitter.value if written.jitter else default.jitter,
        paused=written.paused.value if written.paused else default.paused,
        input=optional_template(written.input, NO_NAMES),
    )
