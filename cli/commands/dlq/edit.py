"""`saga dlq edit`: another body for a dead letter, which must be an event."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from bridge.amqp.letters import event_of
from bridge.errors import MalformedEventError
from cli import loop
from cli.exits import BadInputError
from cli.letters import body_text, opened_letters, required
from cli.output import print_json
from cli.settings import Settings, load_settings
from cli.topology import read_topology
from store.dead_letters import StoredLetter, edit


@click.command("edit")
@click.argument("identity", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@click.option("--body", "file", type=click.File("rb"), metavar="FILE|-", help="The new body, instead of an editor.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(identity: int, file: BinaryIO | None, as_json: bool) -> None:
    """Change the body of a dead letter, so that it can be retried.

    The editor is that of VISUAL or EDITOR. What is saved must be an event, else it is refused and nothing is changed.
    The letter is open afterwards; the body that came is kept beside it.

    \b
    Examples:
      saga dlq edit 7
      saga dlq show 7 --json | jq '.body | .data.total = 30' | saga dlq edit 7 --body -
    """
    settings = load_settings()
    letter = loop.run(_fetch(settings, identity))
    body = file.read() if file else _edited(letter)
    is_changed = body is not None and body != letter.body
    event_id = letter.event_id
    if body is not None and is_changed:
        event_id = event_of(letter, body, read_topology().plain).identity
        loop.run(_store(settings, identity, body))
    if as_json:
        print_json({"id": identity, "event_id": event_id, "changed": is_changed})
    else:
        _tell(letter, event_id, is_changed=is_changed)


async def _fetch(settings: Settings, identity: int) -> StoredLetter:
    async with opened_letters(settings) as database:
        return await required(database, identity)


async def _store(settings: Settings, identity: int, body: bytes) -> None:
    async with opened_letters(settings) as database:
        await edit(database, identity, body)


def _edited(letter: StoredLetter) -> bytes | None:
    """Let a person edit, again and again if they like, until it is an event; None where nothing was changed."""
    original = text = _editable(letter)
    plain = read_topology().plain
    while True:
        saved = click.edit(text, extension=".json")
        if saved is None or saved == original:
            return None
        text, body = saved, saved.encode()
        try:
            event_of(letter, body, plain)
        except MalformedEventError as error:
            if not sys.stdin.isatty():
                raise
            click.echo(str(error), err=True)
            if not click.confirm("Edit again?", default=True):
                return None
        else:
            return body


def _editable(letter: StoredLetter) -> str:
    try:
        letter.body.decode()
    except UnicodeDecodeError:
        raise BadInputError("Its body is no text; give the new one with --body FILE.") from None
    return f"{body_text(letter.body)}\n"


def _tell(letter: StoredLetter, event_id: str | None, *, is_changed: bool) -> None:
    if not is_changed:
        click.echo("Nothing was changed.")
        return
    click.echo(f"Changed dead letter {letter.id}. `saga dlq retry {letter.id}` publishes it.")
    if letter.event_id not in (None, event_id):
        click.echo(f"It has another event_id now: {event_id} is another event than {letter.event_id}.")
