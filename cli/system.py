"""The whole system in one process: stack, deployment, worker and bridge; what `saga up` and `saga demo` run.

Definitions are compiled before anything is started, so that a mistake in them starts nothing. Leaving the block
stops the parts in reverse order; each finishes what it has in hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client, Plugin

from bridge.bridge import Bridge
from bridge.metrics import Metrics
from bridge.outcomes import Outcome
from cli import connections
from cli.bridging import Services, bridged
from cli.bus import BusFiles, read_bus_files
from cli.deployment import Deployed, deploy, prepare_namespace
from cli.health import Health
from cli.rollouts import following_rollouts
from cli.serving import opened_resources, running_worker
from cli.settings import Settings
from cli.stack import stack
from cli.stack.events import Report
from cli.stack.folder import Addresses
from cli.stack.stack import StackSettings
from store.database import Database
from workflows.language.library import Library


@dataclass
class CurrentLibrary:
    """The definitions, and what is said about events, that worker and bridge use now; they ask each time."""

    library: Library
    bus: BusFiles

    def __call__(self) -> Library:
        """Return them."""
        return self.library


@dataclass(frozen=True)
class System:
    """A system that runs."""

    addresses: Addresses
    client: Client
    database: Database
    current: CurrentLibrary
    deployed: Deployed
    bridge: Bridge


@dataclass(frozen=True)
class Watchers:
    """Who is told what happens: to the parts of the stack, and to each event that the bridge took.

    `plugins` are the SDK's own for the Temporal client, such as tracing; `metrics` count what the bridge does; `health`
    is told what to ask when somebody wants to know how it is.
    """

    report: Report
    on_outcome: Callable[[Outcome], None]
    plugins: Sequence[Plugin] = ()
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)


@asynccontextmanager
async def running_system(
    settings: Settings,
    stack_settings: StackSettings,
    library: Library,
    definitions: Path,
    watchers: Watchers,
    *,
    abandon: bool = False,
) -> AsyncIterator[System]:
    """Run everything inside the block.

    Args:
        settings: The settings; their state folder is the stack's.
        stack_settings: How to run the stack.
        library: The definitions.
        definitions: Their folder, where `connections.yaml` is looked for.
        watchers: Who is told.
        abandon: Whether versions on which runs are open may be gone.

    Raises:
        SagaError: A part cannot be started or does not answer, or the deployment is refused.
    """
    bus = read_bus_files(definitions)
    async with AsyncExitStack() as parts:
        addresses = await parts.enter_async_context(stack.running(stack_settings, watchers.report))
        client = await parts.enter_async_context(connections.temporal(settings, watchers.plugins))
        await prepare_namespace(client)
        resources = await parts.enter_async_context(
            opened_resources(settings, definitions, addresses.database_url, addresses.amqp_url, bus, watchers.metrics)
        )
        database = resources.opened_database()
        current = CurrentLibrary(library, bus)
        deployed = await deploy(database, client, library, settings.task_queue, abandon=abandon)
        rolled = await parts.enter_async_context(following_rollouts(current, database))
        await parts.enter_async_context(running_worker(client, rolled, resources, settings, watchers.metrics))
        bridge = await parts.enter_async_context(
            bridged(
                Services(addresses.amqp_url, client, database),
                rolled,
                settings,
                lambda: current.bus,
                watchers.metrics,
                watchers.health,
                watchers.on_outcome,
            )
        )
        yield System(addresses, client, database, current, deployed, bridge)
