"""What the commands of `saga schedules` share: which schedule is meant, and how its times look.

A schedule is called by its definition where that has one, else by `definition/number`, the number counting the
definition's schedules from 1. Only those of this task queue are found: others are named as such and never touched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar, get_args
from zoneinfo import ZoneInfo

import click
from temporalio.client import Client

from cli import connections
from cli.calendars import zone_of
from cli.exits import BadInputError
from cli.logs import log_nothing
from cli.settings import Settings
from workers.scheduled import Scheduled, owned_schedules, schedule_named
from workers.schedules import PREFIX
from workflows.language.diagnostics import did_you_mean
from workflows.language.triggers import Overlap

F = TypeVar("F", bound=Callable[..., Any])

schedule_argument = click.argument("name", metavar="ID")


def overlap_option(text: str, default: Overlap | None = None) -> Callable[[F], F]:
    """Return the option `--overlap`, which says what becomes of a start while the run before goes on."""
    choice = click.Choice(get_args(Overlap))
    return click.option("--overlap", type=choice, default=default, show_default=default is not None, help=text)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """Connect to Temporal inside the block, and keep its log entries from the output."""
    log_nothing()
    async with connections.temporal(settings) as client:
        yield client


async def required(client: Client, task_queue: str, name: str) -> Scheduled:
    """Return the schedule that a name means.

    It is asked for by its id, not looked up in Temporal's list, which lags behind.

    Raises:
        BadInputError: There is none, there are several, or it is not of this task queue; the message names what fits.
    """
    definition, _, number = name.removeprefix(PREFIX).partition("/")
    first = await schedule_named(client, f"{PREFIX}{definition}/{number or 1}")
    if first is None:
        raise BadInputError(await _unknown(client, task_queue, name))
    if first.owner != task_queue:
        raise BadInputError(_foreign(first, task_queue))
    if not number and await schedule_named(client, f"{PREFIX}{definition}/2"):
        raise BadInputError(await _several(client, definition))
    return first


def in_zone(moment: datetime, schedule: Scheduled) -> str:
    """Return a moment for people, in the time zone of a schedule."""
    return f"{moment.astimezone(ZoneInfo(zone_of(schedule.spec))):%Y-%m-%d %H:%M:%S %Z}"


async def _several(client: Client, definition: str) -> str:
    names: list[str] = []
    while found := await schedule_named(client, f"{PREFIX}{definition}/{len(names) + 1}"):
        names.append(found.name)
    return f"{definition} has {len(names)} schedules; say which: {', '.join(names)}."


async def _unknown(client: Client, task_queue: str, name: str) -> str:
    known = await owned_schedules(client, task_queue)
    if not known:
        return f"Task queue {task_queue!r} has no schedules; `saga deploy` makes those that definitions name."
    names = [each.name for each in known] if "/" in name else [each.definition for each in known]
    return f"There is no schedule {name!r}; {did_you_mean(name.removeprefix(PREFIX), names)}"


def _foreign(schedule: Scheduled, task_queue: str) -> str:
    owner = "was not made by Sagawright" if schedule.owner is None else f"belongs to task queue {schedule.owner!r}"
    return f"Schedule {schedule.id} {owner}, and this is task queue {task_queue!r}: it is left alone."
