"""`saga dlq show`: all that is known of one dead letter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import click

from cli import loop
from cli.commands.dlq.list import name_of
from cli.letters import body_document, body_text, moment, opened_letters, required
from cli.output import clean, print_json
from cli.settings import Settings, load_settings
from contracts.json import Json
from store.dead_letters import StoredLetter

_WIDTH = 12


@click.command("show")
@click.argument("identity", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(identity: int, as_json: bool) -> None:
    """Show one dead letter: why it is one, its headers and its body.

    \b
    Examples:
      saga dlq show 7
      saga dlq show 7 --json | jq .body.data
    """
    letter = loop.run(_fetch(load_settings(), identity))
    if as_json:
        print_json(document(letter))
    else:
        for line in _lines(letter):
            click.echo(line)


async def _fetch(settings: Settings, identity: int) -> StoredLetter:
    async with opened_letters(settings) as database:
        return await required(database, identity)


def _lines(letter: StoredLetter) -> Iterator[str]:
    yield click.style(f"Dead letter {letter.id}", bold=True) + f"  {letter.state}, {moment(letter.changed_at)}"
    facts = {
        "event": f"{letter.event_id or 'no id'}  {letter.event_type or ''}",
        "reason": letter.reason,
        "group": name_of(letter.code, letter.fingerprint),
        "published to": f"{letter.exchange or '(default exchange)'}, routing key {letter.routing_key}",
        "attempts": f"{letter.attempts}, the first {moment(letter.first_at)}, the last {moment(letter.last_at)}",
        "content type": letter.content_type or "",
    }
    if letter.state == "retried":
        facts["outcome"] = letter.outcome or "not known yet"
    for name, value in facts.items():
        yield f"  {name.ljust(_WIDTH)}  {clean(value)}".rstrip()
    yield from _table("properties", letter.properties)
    yield from _table("headers", letter.headers)
    yield f"  {'body, edited' if letter.edited else 'body'}:"
    yield from (f"    {clean(line)}" for line in body_text(letter.body).splitlines())


def _table(title: str, values: Mapping[str, Json]) -> Iterator[str]:
    if values:
        yield f"  {title}:"
    for name, value in sorted(values.items()):
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"    {clean(name)}: {clean(shown)}"


def document(letter: StoredLetter) -> dict[str, Json]:
    """Return a letter for scripts."""
    return {
        "id": letter.id,
        "state": str(letter.state),
        "changed_at": letter.changed_at.isoformat(),
        "edited": letter.edited,
        "outcome": letter.outcome,
        "letter_id": letter.letter_id,
        "event_id": letter.event_id,
        "event_type": letter.event_type,
        "code": letter.code,
        "reason": letter.reason,
        "group": name_of(letter.code, letter.fingerprint),
        "exchange": letter.exchange,
        "routing_key": letter.routing_key,
        "attempts": letter.attempts,
        "first_at": letter.first_at.isoformat(),
        "last_at": letter.last_at.isoformat(),
        "content_type": letter.content_type,
        "properties": dict(letter.properties),
        "headers": dict(letter.headers),
        **body_document(letter.body),
    }
