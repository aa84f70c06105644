"""`saga events publish`: events from a file, from stdin or from options, onto the bus."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from bridge.amqp.publisher import Publisher
from bridge.encoding import FORMS
from bridge.schemas.registry import SchemaRegistry
from cli import loop
from cli.bus import publishing
from cli.event_input import Defaults, Given, documents, event_of, in_background, now, opened
from cli.event_schemas import definitions_option, load_registry
from cli.exits import BadInputError, Exit
from cli.input import JSON
from cli.output import counted
from cli.settings import load_settings
from contracts.errors import PermanentError, TemporaryError
from contracts.json import Json
from workflows.language.durations import parse_duration


class _Duration(click.ParamType[timedelta]):
    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a duration such as 90s or 1h30m."""
        try:
            return timedelta(seconds=parse_duration(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Tally:
    """How far it is; `saga events publish` says so whatever ends it."""

    def __init__(self) -> None:
        self.published = self.refused = 0


@click.command("publish")
@click.argument("file", required=False, metavar="[FILE|-]")
@click.option("--type", "event_type", metavar="TYPE", help="The type of events that do not say theirs.")
@click.option("--data", type=JSON, help="The data of one event, instead of a file.")
@click.option("--event-version", metavar="VERSION", help="The version of the data. [default: 1.0]")
@click.option("--source", default="saga", show_default=True, help="Who publishes it.")
@click.option("--key", help="Events with one key keep their order.")
@click.option("--id", "identity", help="The id of one event. [default: a new one]")
@click.option("--priority", type=click.IntRange(0, 9), default=0, show_default=True, help="9 is the most urgent.")
@click.option("--expires-in", type=_Duration(), help="After this time nothing is done with it, such as 1h.")
@click.option("--form", type=click.Choice(FORMS), help="How it is written. [default: $SAGA_EVENT_FORM, else saga]")
@click.option("--dry-run", is_flag=True, help="Check only; publish nothing.")
@definitions_option
def command(file: str | None, folder: Path | None, data: Json, dry_run: bool, **options: Any) -> int:
    """Publish events from a file, from stdin or from options.

    A file holds one event, a list of events, or one on each line. Each is checked by the schema of its type, published
    and confirmed by the broker; then its id is printed. What an event leaves out (id, time, source) is filled in. An
    event that is refused does not stop the others; the exit code is then 2.

    \b
    Examples:
      saga events publish order.json
      saga events publish --type order.cancelled --data '{"order_id": "A1"}' --key A1
      jq -c '.[]' orders.json | saga events publish - --type order.placed
    """
    settings = load_settings()
    defaults = _defaults(options)
    if defaults.identity is not None and file is not None:
        raise BadInputError("--id is for one event, that of --data; events in a file have their own.")
    registry = load_registry(folder)
    with ExitStack() as stack:
        events = _given(file, data, stack)
        if dry_run:
            return _check_all(events, defaults, registry)
        way = publishing(settings, folder, options["form"])
        return loop.run(_publish_all(way, events, defaults, registry, options["priority"]))


def _defaults(options: dict[str, Any]) -> Defaults:
    return Defaults(
        type=options["event_type"],
        version=options["event_version"],
        source=options["source"],
        key=options["key"],
        identity=options["identity"],
        expires_in=options["expires_in"],
    )


def _given(file: str | None, data: Json, stack: ExitStack) -> Iterable[Given]:
    source = click.get_current_context().get_parameter_source("data")
    has_data = source is not None and source.name == "COMMANDLINE"
    if has_data == (file is not None):
        raise BadInputError("Name a file with events (- is stdin), or give --type and --data.")
    return [Given("--data", {"data": data})] if file is None else documents(stack.enter_context(opened(file)))


def _check_all(events: Iterable[Given], defaults: Defaults, registry: SchemaRegistry) -> int:
    tally = _Tally()
    for given in events:
        try:
            registry.check(event_of(given.document, defaults, now()))
        except PermanentError as error:
            _refuse(given, error, tally)
        else:
            tally.published += 1
    click.echo(f"{counted(tally.published, 'event')} could be published, {tally.refused} refused.", err=True)
    return Exit.BAD_INPUT if tally.refused else Exit.OK


async def _publish_all(
    way: AbstractAsyncContextManager[Publisher],
    events: Iterable[Given],
    defaults: Defaults,
    registry: SchemaRegistry,
    priority: int,
) -> int:
    """Publish one after the other, so that events with one key keep the order of the file."""
    tally = _Tally()
    try:
        async with way as publisher:
            async for given in in_background(events):
                await _publish(publisher, given, defaults, registry, priority, tally)
    except TemporaryError:
        if tally.published:
            click.echo(f"{counted(tally.published, 'event')} published before this:", err=True)
        raise
    if tally.published + tally.refused != 1:
        click.echo(f"{counted(tally.published, 'event')} published, {tally.refused} refused.", err=True)
    return Exit.BAD_INPUT if tally.refused else Exit.OK


async def _publish(
    publisher: Publisher, given: Given, defaults: Defaults, registry: SchemaRegistry, priority: int, tally: _Tally
) -> None:
    try:
        event = event_of(given.document, defaults, now())
        registry.check(event)
        await publisher.publish(event, priority=priority)
    except PermanentError as error:
        _refuse(given, error, tally)
    else:
        tally.published += 1
        click.echo(event.id)


def _refuse(given: Given, error: PermanentError, tally: _Tally) -> None:
    tally.refused += 1
    click.echo(f"{click.style('Refused', fg='red')} ({given.place}): {error}", err=True)
