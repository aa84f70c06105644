"""Connections to Temporal, PostgreSQL and RabbitMQ, with plain errors.

Where a service is says `cli.settings`. Temporal's exceptions are wrapped here, once, for every command: a service
that is away names itself, its address and the cure; what Temporal refuses is said in its own words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Plugin
from temporalio.service import RPCError, RPCStatusCode

from cli.patience import patiently
from cli.settings import Settings, amqp_url, database_url, temporal_connect_config
from contracts.errors import ServiceUnreachableError, TemporaryError
from workers.converter import data_converter
from workflows.temporal.errors import RefusedByTemporalError, RunNotFoundError

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConnectConfig

CURE_TEMPORAL = "start it with `saga up`, or set TEMPORAL_ADDRESS to one that runs"
CURE_DATABASE = "start it with `saga up`, or set SAGA_DATABASE_URL to one that runs"
CURE_AMQP = "start it with `saga up`, or set SAGA_AMQP_URL to one that runs"
_CONNECT_SECONDS = 10
_AWAY = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})


class NoAddressError(TemporaryError):
    """It is not known where a service is."""

    code = "no-address"


@asynccontextmanager
async def temporal(settings: Settings, plugins: Sequence[Plugin] = ()) -> AsyncIterator[Client]:
    """Connect to Temporal; inside the block its exceptions become the product's.

    Args:
        settings: Where it is.
        plugins: The SDK's plugins for the client and the workers that use it, such as tracing.

    Raises:
        ServiceUnreachableError: Temporal does not answer.
        RunNotFoundError: The run does not exist.
        RefusedByTemporalError: Temporal refuses for another reason.
    """
    config = temporal_connect_config(settings)
    address = config.get("target_host", "")
    with temporal_errors(address):
        yield await _connect(config, address, plugins)


@asynccontextmanager
async def temporal_to_serve(settings: Settings, plugins: Sequence[Plugin] = ()) -> AsyncIterator[Client]:
    """The same for a process that serves: it waits until Temporal answers and has the namespace.

    Raises:
        RefusedByTemporalError: Temporal does not let us in.
    """
    async with patiently(lambda: _with_namespace(settings, plugins)) as client:
        yield client


@asynccontextmanager
async def _with_namespace(settings: Settings, plugins: Sequence[Plugin]) -> AsyncIterator[Client]:
    async with temporal(settings, plugins) as client:
        # A worker whose namespace cannot be described ends with an error of the SDK's that names neither.
        await _find_namespace(client)
        yield client


async def _find_namespace(client: Client) -> None:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=_CONNECT_SECONDS))
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        cure = f"make the namespace {client.namespace!r} there, or set TEMPORAL_NAMESPACE to one that there is"
        raise ServiceUnreachableError("Temporal", client.service_client.config.target_host, cure) from error


@contextmanager
def temporal_errors(address: str) -> Iterator[None]:
    """Turn what Temporal's client raises into the product's errors."""
    try:
        yield
    except RPCError as error:
        raise _translated(error, address) from error


def require_database(settings: Settings) -> str:
    """Return the URL of PostgreSQL.

    Raises:
        NoAddressError: None is set and no stack runs here.
    """
    url = database_url(settings)
    if url is None:
        raise NoAddressError(f"PostgreSQL: {CURE_DATABASE}.")
    return url


def require_broker(settings: Settings) -> str:
    """Return the URL of RabbitMQ.

    Raises:
        NoAddressError: None is set and no stack runs here.
    """
    url = amqp_url(settings)
    if url is None:
        raise NoAddressError(f"RabbitMQ: {CURE_AMQP}.")
    return url


async def _connect(config: ClientConnectConfig, address: str, plugins: Sequence[Plugin]) -> Client:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await Client.connect(**config, plugins=plugins, data_converter=data_converter())
    except (RuntimeError, TimeoutError) as error:
        raise ServiceUnreachableError("Temporal", address, CURE_TEMPORAL) from error


def _translated(error: RPCError, address: str) -> Exception:
    if error.status in _AWAY:
        return ServiceUnreachableError("Temporal", address, CURE_TEMPORAL)
    if error.status == RPCStatusCode.NOT_FOUND:
        return RunNotFoundError(f"Temporal said: {error.message}.")
    return RefusedByTemporalError(f"It said: {error.message}.")
