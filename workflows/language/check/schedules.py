"""Schedules: cron expression, time zone and overlap are what Temporal takes."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import get_args

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.cron import cron_complaint, restricts_both_days
from workflows.language.diagnostics import did_you_mean
from workflows.language.tree import Position
from workflows.language.triggers import Overlap


def _check(context: Context) -> None:
    for trigger in context.definition.triggers:
        if isinstance(trigger, nodes.ScheduleTrigger):
            _cron(context, trigger.cron)
            _timezone(context, trigger.timezone)
            _overlap(context, trigger.overlap)


def _cron(context: Context, cron: nodes.Text) -> None:
    complaint = cron_complaint(cron.value)
    if complaint is not None:
        at = _within(cron, complaint.offset, complaint.length)
        context.report.error(at, "bad-cron", complaint.message, complaint.hint or "")
    elif restricts_both_days(cron.value):
        message = "this runs only on days that fit both the day of the month and the day of the week"
        context.report.warning(cron.at, "cron-both-days", message, "for either of them write two schedules")


def _within(cron: nodes.Text, offset: int, length: int) -> Position:
    """The part of the text; exact where it stands in the file as it is, plain or between quotes."""
    quotes = cron.at.end_column - cron.at.column - len(cron.value)
    if quotes not in (0, 2):
        return cron.at
    start = cron.at.column + quotes // 2 + offset
    return Position(cron.at.line, start, start + max(length, 1))


def _timezone(context: Context, timezone: nodes.Text | None) -> None:
    if timezone is None:
        return
    known = _timezones()
    if timezone.value not in known:
        places = [*sorted(name for name in known if "/" in name), "UTC"]
        hint = did_you_mean(timezone.value, places)
        hint = hint if hint.startswith("did") else _same_city(timezone.value, places)
        context.report.error(timezone.at, "unknown-timezone", f"there is no time zone {timezone.value!r}", hint)


@cache
def _timezones() -> frozenset[str]:
    """The names that the time zone database holds; looking through it takes a while."""
    return frozenset(zoneinfo.available_timezones())


def _same_city(name: str, places: list[str]) -> str:
    wanted = name.replace(" ", "_").rpartition("/")[2].lower()
    found = next((place for place in places if place.rpartition("/")[2].lower() == wanted), None)
    return f"did you mean {found!r}?" if found else "a name of the IANA database, such as Europe/Berlin"


def _overlap(context: Context, overlap: nodes.Text | None) -> None:
    if overlap is not None and overlap.value not in get_args(Overlap):
        message = f"there is no overlap policy {overlap.value!r}"
        context.report.error(overlap.at, "unknown-overlap", message, did_you_mean(overlap.value, get_args(Overlap)))


RULE = Rule(
    _check,
    {
        "bad-cron": "A cron expression cannot be read.",
        "cron-both-days": "A cron expression restricts the day of the month and of the week: both must fit (warning).",
        "unknown-timezone": "A time zone does not exist.",
        "unknown-overlap": "An overlap policy does not exist.",
    },
)
