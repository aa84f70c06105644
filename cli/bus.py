"""What the folder of the definitions says about events: the topology, the schemas, the sources of webhooks.

They stand beside the definitions and count for whoever consumes and publishes; mistakes in them are shown with their
lines before anything is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from bridge.amqp.publisher import Publisher, open_publisher
from bridge.encoding import Form
from bridge.http.sources import FILE as SOURCES
from bridge.http.sources import Source
from bridge.schemas.files import FOLDER as SCHEMAS
from bridge.schemas.registry import SchemaRegistry
from bridge.settings import BridgeSettings
from bridge.topology.model import Topology
from cli import connections
from cli.definitions import default_folder
from cli.event_schemas import load_registry
from cli.settings import Settings
from cli.topology import FILE, read_topology
from cli.webhooks import load_sources


@dataclass(frozen=True)
class BusFiles:
    """What is said about events."""

    topology: Topology
    schemas: SchemaRegistry
    sources: Mapping[str, Source]


def read_bus_files(folder: Path) -> BusFiles:
    """Return what a folder of definitions says about events; what is not there counts as empty.

    Raises:
        ReportedError: One of the files has mistakes, which were shown.
        BadInputError: One of them cannot be read.
    """
    place = folder if folder.is_dir() else folder.parent
    return BusFiles(_topology_in(place), load_registry(place), load_sources(place))


def bus_files(folder: Path) -> tuple[Path, ...]:
    """Return the files that a running system reads again when they change; the topology is that of the start."""
    return (*(folder / SCHEMAS).rglob("*.yaml"), *folder.glob(SOURCES))


def bridge_settings(settings: Settings, topology: Topology) -> BridgeSettings:
    """Return how a bridge consumes and dispatches."""
    return BridgeSettings(
        topology,
        task_queue=settings.task_queue,
        prefetch=settings.prefetch,
        window=settings.dedup_window,
        event_retention=settings.event_retention,
        event_form=settings.event_form,
        dead_letter_retention=settings.dead_letter_retention,
    )


def publishing(
    settings: Settings, folder: Path | None = None, form: Form | None = None
) -> AbstractAsyncContextManager[Publisher]:
    """Return what opens a publisher that gives each event the class that the bridge would give it.

    With another class an event would go to another queue than those of its key before it, and could overtake them.

    Args:
        settings: Where the broker is, and how events are written.
        folder: The definitions, beside which the topology stands; None = the usual ones.
        form: How events are written, instead.

    Raises:
        NoAddressError: It is not known where the broker is.
        ReportedError: The topology has mistakes, which were shown.
    """
    topology = _topology_in(folder or default_folder())
    return open_publisher(connections.require_broker(settings), topology=topology, form=form or settings.event_form)


def _topology_in(folder: Path) -> Topology:
    file = folder / FILE
    return read_topology(file) if file.is_file() else Topology()
