"""`saga dlq retry`: dead letters back onto the bus."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import click

from bridge.amqp.letters import event_of, priority_of, retried
from bridge.amqp.publisher import Publisher
from bridge.errors import EventTooLargeError, MalformedEventError
from bridge.outcomes import CONFLICT
from cli import loop
from cli.bus import publishing
from cli.exits import BadInputError, Exit
from cli.letters import Which, letters_meant, opened_letters, which, which_options
from cli.output import clean, counted, print_json
from cli.settings import Settings, load_settings
from contracts.errors import SagaError
from contracts.json import Json
from contracts.ports import UnfitEventError
from store.database import Database
from store.dead_letters import StoredLetter, set_state


@dataclass
class _Tally:
    """What became of the letters; said whatever ends the command."""

    retried: list[int] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)


@click.command("retry")
@which_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(ids: tuple[int, ...], group: str | None, every: bool, as_json: bool) -> int:
    """Publish dead letters again, after what was wrong has been put right.

    An event keeps its id and comes as a replay: what it did the first time is not done again. What is no event, whose
    time is over, or whose id is that of another event, stays as it is, and the exit code is then 1; `saga dlq edit`
    changes it. An event that fails again is a new dead letter.

    \b
    Examples:
      saga dlq retry 7
      saga dlq retry --group run-not-found/3fa9c1d0
      saga dlq retry --all
    """
    wanted, tally = which(ids, group, every), _Tally()
    try:
        loop.run(_retry(load_settings(), wanted, tally))
    except SagaError:
        if tally.retried:
            _report(tally, as_json=as_json)
        raise
    _report(tally, as_json=as_json)
    return Exit.RUN_FAILED if tally.left else Exit.OK


async def _retry(settings: Settings, wanted: Which, tally: _Tally) -> None:
    way = publishing(settings)
    async with opened_letters(settings) as database, way as publisher:
        async for letter in letters_meant(database, wanted):
            try:
                await _publish(database, publisher, letter)
            except (MalformedEventError, EventTooLargeError, UnfitEventError, BadInputError) as error:
                tally.left[letter.id] = str(error)
            else:
                tally.retried.append(letter.id)


async def _publish(database: Database, publisher: Publisher, letter: StoredLetter) -> None:
    event = event_of(letter)
    if event.is_expired(datetime.now(UTC)):
        raise BadInputError(f"Its time is over since {event.expires_at}; edit `expires_at` first.")
    if letter.code == CONFLICT and event.identity == letter.event_id:
        # It would come as a replay of the event that had this id first, whose effects are on record, and do nothing.
        raise BadInputError(f"Another event has its id, {event.identity}: edit its event_id first.")
    await publisher.publish(retried(event), priority=priority_of(letter))
    await set_state(database, [letter.id], "retried")


def _report(tally: _Tally, *, as_json: bool) -> None:
    if as_json:
        left: list[Json] = [{"id": identity, "reason": reason} for identity, reason in tally.left.items()]
        print_json({"retried": list(tally.retried), "left": left})
        return
    left_open = f", {len(tally.left)} left" if tally.left else ""
    click.echo(f"{counted(len(tally.retried), 'dead letter')} published again{left_open}.")
    for identity, reason in tally.left.items():
        click.echo(f"  left {identity}: {clean(reason)} `saga dlq edit {identity}` changes it.")
