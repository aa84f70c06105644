"""`saga up`: everything on this machine, in one process, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
from temporalio.client import Plugin

from bridge.metrics import Metrics
from bridge.outcomes import Delayed, Dispatched, Duplicate, Expired, Outcome, Refused, Unrouted
from cli import loop
from cli.commands.deploy import schedule_lines
from cli.definitions import default_folder, load_library
from cli.health import Health
from cli.logs import log_to_file
from cli.metrics import serving_metrics
from cli.output import clean, counted
from cli.reloading import Look, look_at, reloading
from cli.settings import Settings, load_settings, stack_settings
from cli.startup import starting
from cli.system import System, Watchers, running_system
from cli.tracing import traced
from workflows.language.library import Library


@dataclass(frozen=True)
class _Choice:
    ui: bool
    abandon: bool
    seen: Look
    plugins: Sequence[Plugin]
    metrics: Metrics
    health: Health


@click.command("up")
@click.option(
    "--definitions",
    "-d",
    "folder",
    type=click.Path(path_type=Path),
    help="Where the definitions are. [default: ./definitions, else those that ship]",
)
@click.option("--abandon", is_flag=True, help="Begin without versions on which runs are open: those wait.")
@click.option("--ui/--no-ui", default=True, help="Whether the Temporal server that is started has its web interface.")
def command(folder: Path | None, abandon: bool, ui: bool) -> None:
    """Run everything on this machine, until Ctrl-C.

    What is set (TEMPORAL_ADDRESS, SAGA_DATABASE_URL, SAGA_AMQP_URL) is used, what runs on its usual port is reused, and
    what is missing is started, with its state in .saga/. A second `saga up` carries on where the first one was
    stopped or killed. Definitions that are changed meanwhile are checked, deployed and used at once.

    \b
    Examples:
      saga up
      saga up --definitions my-definitions/ --no-ui
    """
    settings = load_settings()
    place = folder or default_folder()
    seen, library = look_at(place), load_library([place])
    log = log_to_file(settings, settings.state_dir)
    click.echo(f"Log: {log}")
    health = Health()
    with traced() as plugins, serving_metrics(settings.metrics_host, settings.metrics_port, health) as metrics:
        loop.serve(_up(settings, library, place, _Choice(ui, abandon, seen, plugins, metrics, health)))
    click.echo("Stopped.")


async def _up(settings: Settings, library: Library, place: Path, choice: _Choice) -> None:
    async with AsyncExitStack() as parts:
        with starting() as startup:
            watchers = Watchers(startup.report, print_outcome, choice.plugins, choice.metrics, choice.health)
            stack = stack_settings(settings, ui=choice.ui)
            running = running_system(settings, stack, library, place, watchers, abandon=choice.abandon)
            system = await parts.enter_async_context(running)
        for line in summary(system, place):
            click.echo(line)
        await parts.enter_async_context(reloading(system, place, choice.seen, settings.task_queue, print_now))
        try:
            await system.bridge.ended()
        finally:
            click.echo("\nStopping ...")


def summary(system: System, place: Path) -> Iterator[str]:
    """Yield the lines that say where everything is."""
    addresses = system.addresses
    yield ""
    yield click.style("Sagawright is up; Ctrl-C stops it.", bold=True)
    if addresses.ui:
        yield f"  Temporal UI  {click.style(addresses.ui, underline=True)}"
    yield f"  Temporal     {addresses.temporal} (namespace {addresses.namespace})"
    yield f"  PostgreSQL   {without_password(addresses.database_url)}"
    yield f"  RabbitMQ     {without_password(addresses.amqp_url)}"
    yield f"  Definitions  {counted(len(system.current.library.all()), 'version')} in {place}"
    yield from schedule_lines(system.deployed.schedules)
    yield ""
    yield "In another terminal: saga run DEFINITION, saga list, saga doctor"


def print_outcome(outcome: Outcome) -> None:
    """Print what became of an event."""
    print_now(outcome_line(outcome))


def print_now(line: str) -> None:
    """Print a line with the time of day."""
    click.echo(f"{datetime.now():%H:%M:%S} {line}")  # the wall clock of who looks


def outcome_line(outcome: Outcome) -> str:
    """Return what became of an event as a line."""
    event = clean(outcome.event_type or "a message that is no event")
    match outcome.result:
        case Dispatched(effects=effects):
            what = ", ".join(f"{effect.kind} {clean(effect.workflow_id)}" for effect in effects)
        case Unrouted():
            what = "no trigger wants it"
        case Duplicate():
            what = "was here before"
        case Expired():
            what = click.style("came too late: its time is over", fg="yellow")
        case Delayed(reason=reason):
            what = click.style(f"will be tried again: {clean(reason)}", fg="yellow")
        case Refused(reason=reason):
            what = click.style(f"dead-lettered: {clean(reason)}", fg="red")
    return f"{click.style('event', fg='cyan')} {event}: {what}"


def without_password(url: str) -> str:
    """Return a service's address for people."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
