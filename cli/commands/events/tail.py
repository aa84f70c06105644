"""`saga events tail`: events as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from cli import connections, loop
from cli.moments import LENGTH
from cli.output import clean, shortened
from cli.settings import Settings, load_settings
from contracts.envelope import in_words
from contracts.json import Json
from store.database import Database, open_database
from store.event_reader import Cursor, Filter, Logged, find, horizon, latest, read_after

_PAGE: Final = 200
_POLL_SECONDS: Final = 0.5
_PATIENCE: Final = timedelta(seconds=2)
"""So long a new event's line waits for its outcome, which comes a moment after the event."""
_COLOURS = {"dispatched": "green", "unrouted": "bright_black", "held": "yellow", "expired": "yellow"}
_NOT_YET = "in-hand"


@click.command("tail")
@click.option("--type", "patterns", multiple=True, metavar="PATTERN", help="Topic pattern; may be repeated.")
@click.option("--since", type=LENGTH, help="Begin with what came in this time, such as 10m.")
@click.option(
    "-n", "--lines", type=click.IntRange(0, 10_000), default=10, show_default=True, help="Begin with so many."
)
@click.option("--follow/--no-follow", default=True, show_default=True, help="Wait for what comes next.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document in each line.")
def command(patterns: tuple[str, ...], since: timedelta | None, lines: int, follow: bool, as_json: bool) -> None:
    """Show events as they come: when, what, which id and key, what became of it, and what it did.

    With --since, -n counts for nothing. Ctrl-C ends it.

    \b
    Examples:
      saga events tail --type "order.#"
      saga events tail --since 10m --no-follow --json | jq -r .event_id
    """
    start = datetime.now(UTC) - since if since is not None else None
    loop.serve(_tail(load_settings(), Filter(patterns, from_=start), lines, follow, as_json))


async def _tail(settings: Settings, where: Filter, lines: int, follow: bool, as_json: bool) -> None:
    async with (
        open_database(connections.require_database(settings)) as database,
        aclosing(_events(database, where, lines, follow)) as events,
    ):
        async for event in events:
            click.echo(json.dumps(_document(event), ensure_ascii=False) if as_json else _line(event))


async def _events(database: Database, where: Filter, lines: int, follow: bool) -> AsyncGenerator[Logged, None]:
    cursor = await horizon(database)
    if where.from_ is None:
        past = await latest(database, lines, where) if lines else []
        for event in past:
            cursor = max(cursor, event.cursor)
            yield event
    else:
        cursor = Cursor()
    async with aclosing(_after(database, where, cursor, follow)) as following:
        async for event in following:
            yield event


async def _after(database: Database, where: Filter, cursor: Cursor, follow: bool) -> AsyncGenerator[Logged, None]:
    while True:
        page = await read_after(database, cursor, _PAGE, where)
        for event in page:
            yield await _settled(database, event) if follow else event
        if page:
            cursor = page[-1].cursor
        elif not follow:
            return
        else:
            await asyncio.sleep(_POLL_SECONDS)


async def _settled(database: Database, event: Logged) -> Logged:
    """Wait a moment for the outcome of an event that has only just come."""
    while event.outcome is None and datetime.now(UTC) - event.recorded_at < _PATIENCE:
        await asyncio.sleep(_POLL_SECONDS / 5)
        event = _same(await find(database, event.event_id), event)
    return event


def _same(rows: Sequence[Logged], event: Logged) -> Logged:
    return next((row for row in rows if row.cursor == event.cursor), event)


def _line(event: Logged) -> str:
    moment = f"{event.recorded_at.astimezone():%H:%M:%S.%f}"[:-3]
    outcome = event.outcome or _NOT_YET
    shown = click.style(outcome.ljust(13), fg=_COLOURS.get(outcome, "red" if event.outcome else "cyan"))
    key = f" key={shortened(clean(event.group_key), 40)}" if event.group_key else ""
    return f"{moment}  {shown} {clean(event.event_type)}  {clean(event.event_id)}{key}{_what(event)}".rstrip()


def _what(event: Logged) -> str:
    effects = [_effect(effect) for effect in event.effects.values()]
    if effects:
        return f"  {', '.join(effects)}"
    return f"  {shortened(clean(event.reason), 100)}" if event.reason else ""


def _effect(effect: Json) -> str:
    if not isinstance(effect, dict):
        return clean(str(effect))
    return clean(f"{effect.get('kind', 'did')} {effect.get('workflow_id', '')}").rstrip()


def _document(event: Logged) -> dict[str, Json]:
    return {
        "recorded_at": in_words(event.recorded_at),
        "event_id": event.event_id,
        "event_type": event.event_type,
        "key": event.group_key,
        "priority": event.priority,
        "outcome": event.outcome,
        "reason": event.reason,
        "effects": dict(event.effects),
        "handled_at": in_words(event.handled_at) if event.handled_at else None,
        "envelope": dict(event.envelope),
    }
