"""`saga events replay`: events of the log, published again."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from bridge.amqp.publisher import Publisher
from bridge.replay import Replay, begin, resume
from bridge.selection import Criteria, Survey, survey
from cli import connections, loop
from cli.bar import progress_bar
from cli.bus import publishing
from cli.exits import BadInputError
from cli.logs import log_to_stderr
from cli.moments import MOMENT
from cli.output import clean, print_table
from cli.prompt import ask_yes_or_no
from cli.settings import Settings, load_settings
from contracts.envelope import in_words
from contracts.errors import TemporaryError
from store.database import open_database

_MAX_RATE = 100_000


@click.command("replay")
@click.option("--from", "start", type=MOMENT, help="From this moment on.")
@click.option("--to", "end", type=MOMENT, help="Before this moment.  [default: now]")
@click.option("--type", "pattern", default="#", show_default=True, help="Topic pattern of the types.")
@click.option("--filter", "condition", metavar="CEL", help="Only events for which this is true.")
@click.option("--again", is_flag=True, help="Do again what was done already, too.")
@click.option("--rate", type=click.FloatRange(0, _MAX_RATE, min_open=True), help="Events in a second at most.")
@click.option("--dry-run", is_flag=True, help="Say what would be published, and publish nothing.")
@click.option("--resume", "identity", type=click.UUID, metavar="ID", help="Go on with a replay that was stopped.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    start: datetime | None,
    end: datetime | None,
    rate: float | None,
    dry_run: bool,
    identity: UUID | None,
    yes: bool,
    **wanted: Any,
) -> None:
    """Publish events of the log again, in their order, with their ids.

    What an event did already is not done again, so it is safe to replay too much; --again says otherwise. A moment is
    2030-01-31T08:00:00Z, 2030-01-31, yesterday, or how long ago: 2h. A filter is what a trigger's `when` is.

    \b
    Examples:
      saga events replay --from 2h --type "order.#" --dry-run
      saga events replay --from 2030-01-31 --to 2030-02-01 --filter "event.data.total > 100" --rate 50
      saga events replay --resume 5f3c9a52-7c0e-4a53-9f0b-1f6f3f0e8f11
    """
    settings = load_settings()
    log_to_stderr(settings)
    if identity is not None:
        loop.run(_resume(settings, identity, rate))
        return
    criteria = _criteria(start, end, **wanted)
    if dry_run:
        _show(loop.run(_survey(settings, criteria)))
    else:
        loop.run(_begin(settings, criteria, rate, yes))


def _criteria(
    start: datetime | None, end: datetime | None, pattern: str, condition: str | None, again: bool
) -> Criteria:
    if start is None:
        raise BadInputError("--from says where to begin, such as --from 2h; --resume goes on with an earlier replay.")
    end = end or datetime.now(UTC)
    if start >= end:
        raise BadInputError(f"--from ({in_words(start)}) must be before --to ({in_words(end)}).")
    return Criteria(start, end, pattern, condition, again)


async def _survey(settings: Settings, criteria: Criteria) -> Survey:
    async with open_database(connections.require_database(settings)) as database:
        return await survey(database, criteria)


def _show(found: Survey) -> None:
    if not found.types:
        click.echo("No event would be published.")
        return
    types = sorted(found.types.items(), key=lambda item: (-item[1], item[0]))
    print_table(("TYPE", "EVENTS"), [(name, f"{count:,}") for name, count in types])
    click.echo(f"{sum(found.types.values()):,} events would be published. The first:")
    for event in found.first:
        click.echo(f"  {in_words(event.time)}  {clean(event.type)}  {clean(event.identity)}")


async def _begin(settings: Settings, criteria: Criteria, rate: float | None, yes: bool) -> None:
    way = publishing(settings)
    async with open_database(connections.require_database(settings)) as database:
        found = await survey(database, criteria, examples=0)
        count = sum(found.types.values())
        if not count:
            click.echo("No event fits; nothing was published.")
            return
        doing = "done again" if criteria.again else "published again; what was done already is not done twice"
        if not await ask_yes_or_no(f"{count:,} events are {doing}. Go on?", yes=yes):
            raise BadInputError("Nothing was published.")
        await _run(await begin(database, criteria), way, rate)


async def _resume(settings: Settings, identity: UUID, rate: float | None) -> None:
    way = publishing(settings)
    async with open_database(connections.require_database(settings)) as database:
        replay = await resume(database, identity)
        if replay.is_finished:
            click.echo(f"Replay {replay.id} is finished: {_counts(replay)}.")
        else:
            await _run(replay, way, rate)


async def _run(replay: Replay, way: AbstractAsyncContextManager[Publisher], rate: float | None) -> None:
    click.echo(f"Replay {replay.id}: {replay.total:,} events of the log.", err=True)
    try:
        async with way as publisher:
            with progress_bar("Replaying", replay.total, replay.reached.passed) as told:
                await replay.run(publisher, rate, told)
    except (asyncio.CancelledError, TemporaryError):
        click.echo(f"Stopped: {_counts(replay)}. To go on: saga events replay --resume {replay.id}", err=True)
        raise
    click.echo(f"Replay {replay.id} is finished: {_counts(replay)}.")


def _counts(replay: Replay) -> str:
    reached = replay.reached
    refused = f", {reached.refused:,} refused" if reached.refused else ""
    return f"{reached.passed:,} of {replay.total:,} passed, {reached.published:,} published{refused}"
