"""`saga demo`: a guided tour on real services, which leaves nothing behind."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from cli import loop
from cli.bus import publishing
from cli.definitions import default_folder, load_library, resolve
from cli.logs import log_to_file
from cli.settings import Settings, load_settings, stack_settings
from cli.stack import postgres, rabbitmq
from cli.stack.stack import StackSettings
from cli.startup import starting
from cli.system import Watchers, running_system
from cli.tour import DEFINITION, Arrivals, Tour
from workflows.language.library import Library

_EXAMPLE = '{"agent_id": "bob", "type": "analyst"}'


@dataclass(frozen=True)
class _Place:
    settings: Settings
    library: Library
    definitions: Path


@click.command("demo")
@click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")
@click.option("--unattended", is_flag=True, help="As --yes, and end after the tour; the exit code tells how it went.")
@click.option("--definitions", "-d", "folder", type=click.Path(path_type=Path), help="Where the definitions are.")
def command(yes: bool, unattended: bool, folder: Path | None) -> None:
    """A guided tour on real services: an event, an approval, a rollback.

    It starts a Temporal server, PostgreSQL and RabbitMQ of its own, with their state in .saga/demo, publishes events,
    asks you for an approval, and shows what happens. Afterwards everything stays up to play with, until Ctrl-C, which
    stops it and removes its state.

    \b
    Examples:
      saga demo
      saga demo --yes
      saga demo --unattended
    """
    settings = load_settings()
    settings = settings.model_copy(update={"state_dir": settings.state_dir / "demo"})
    definitions = folder or default_folder()
    library = load_library([definitions])
    resolve(library, DEFINITION)
    log_to_file(settings, settings.state_dir)
    run = loop.run if unattended else loop.serve
    with _removed_afterwards(settings.state_dir):
        run(_demo(_Place(settings, library, definitions), yes or unattended, unattended))
    click.echo("Stopped; nothing is left behind.")


async def _demo(place: _Place, yes: bool, unattended: bool) -> None:
    arrivals = Arrivals()
    click.echo(click.style("Sagawright: a guided tour on real services.\n", bold=True))
    async with AsyncExitStack() as parts:
        with starting() as startup:
            watchers = Watchers(startup.report, arrivals.take)
            stack = await _own_stack(place.settings)
            running = running_system(place.settings, stack, place.library, place.definitions, watchers)
            system = await parts.enter_async_context(running)
        publisher = await parts.enter_async_context(publishing(place.settings, place.definitions))
        if system.addresses.ui:
            click.echo(f"\nThe Temporal UI: {click.style(system.addresses.ui, underline=True)}")
        try:
            await Tour(system, publisher, arrivals, yes).tell()
            for line in _what_next(place.settings, unattended):
                click.echo(line)
            if not unattended:
                await system.bridge.ended()
        finally:
            click.echo("\nStopping ...")


def _what_next(settings: Settings, unattended: bool) -> Iterator[str]:
    """The commands to copy; an unattended demo is about to stop, so they begin with `saga up`."""
    saga = "saga" if shutil.which("saga") else os.path.relpath(sys.argv[0])
    yield f"\n{click.style('What to try next', bold=True)}{'' if unattended else ', in another terminal'}:\n"
    yield f"  cd {shlex.quote(str(Path.cwd()))}"
    if unattended:
        yield f"  {saga} up    # everything on this machine; what follows in another terminal"
    else:
        yield f"  export SAGA_STATE_DIR={shlex.quote(str(settings.state_dir))}"
    yield f"  {saga} run {DEFINITION} --detach --input '{_EXAMPLE}'"
    yield f"  {saga} approve {DEFINITION}/bob approve-agent"
    yield f"  {saga} show {DEFINITION}/bob"
    yield f"  {saga} list"
    yield f"  {saga} graph {DEFINITION}"
    if not unattended:
        yield "\nEverything stays up until Ctrl-C."


async def _own_stack(settings: Settings) -> StackSettings:
    """A stack that shares nothing, so that nothing is left behind; only a broker that is not installed is borrowed."""
    stack = replace(stack_settings(settings), usual_ports=False)
    if stack.amqp_url is not None or rabbitmq.SERVER.exists():
        return stack
    borrowed = await rabbitmq.reused()
    return stack if borrowed is None else replace(stack, amqp_url=borrowed.url)


@contextmanager
def _removed_afterwards(state: Path) -> Iterator[None]:
    """Remove the state when the block ended, or was ended by Ctrl-C; after an error it stays: the logs are in it."""
    try:
        yield
    except KeyboardInterrupt:
        _remove(state)
        raise
    _remove(state)


def _remove(state: Path) -> None:
    shutil.rmtree(state, ignore_errors=True)
    postgres.forget(state)
    with suppress(OSError):
        state.parent.rmdir()
