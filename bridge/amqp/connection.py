"""One plain connection to RabbitMQ, for as long as it holds.

aio-pika's robust connection restores channels and consumers behind one's back: it repeats a failing declaration for
ever and hides that a consumer is gone. Here whoever uses a connection learns that it is lost, and begins again from
the top, declarations included.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ConnectionNotAllowed
from pamqp.exceptions import PAMQPException

from bridge.amqp.tolerance import tolerate_unreadable_properties
from bridge.errors import BrokerRefusedError
from contracts.errors import ServiceUnreachableError

LOST: Final = (AMQPError, PAMQPException, ChannelInvalidStateError, OSError)
"""What aio-pika raises when a connection or a channel is not, or no longer, usable."""

_REFUSED = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed, InvalidFrameError)
"""The last is what aiormq makes of a virtual host that is not there or not ours."""

_CONNECT_SECONDS = 10
_CLOSE_SECONDS = 5
_HEARTBEAT_SECONDS = 15


def address(url: str) -> str:
    """Return host, port and virtual host of an AMQP URL, without user and password."""
    parts = urlsplit(url)
    port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
    return f"{parts.hostname or 'localhost'}:{port}{'' if parts.path in ('', '/') else parts.path}"


def unreachable(url: str, reason: object) -> ServiceUnreachableError:
    """Return the error for a broker that is away."""
    cure = f"start it, or correct SAGA_AMQP_URL ({str(reason) or type(reason).__name__})"
    return ServiceUnreachableError("RabbitMQ", address(url), cure)


async def connect(url: str, name: str) -> AbstractConnection:
    """Open a connection that shows up under `name` in RabbitMQ's own tools; whoever calls closes it.

    Raises:
        ServiceUnreachableError: Nothing answers there.
        BrokerRefusedError: The broker does not let us in.
    """
    tolerate_unreadable_properties()
    try:
        return await aio_pika.connect(_with_defaults(url, name), timeout=_CONNECT_SECONDS)
    except _REFUSED as error:
        raise BrokerRefusedError(f"It is at {address(url)}.") from error
    except (*LOST, AMQPConnectionError) as error:
        raise unreachable(url, error) from error


@asynccontextmanager
async def connected(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """Hold a connection inside the block; errors as for `connect`."""
    connection = await connect(url, name)
    try:
        yield connection
    finally:
        await close(connection)


async def close(connection: AbstractConnection) -> None:
    """Close a connection, but do not wait long for a broker that no longer answers."""
    with suppress(TimeoutError, *LOST):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


def _with_defaults(url: str, name: str) -> str:
    parts = urlsplit(url)
    query = {"heartbeat": str(_HEARTBEAT_SECONDS), "name": name} | dict(parse_qsl(parts.query))
    return urlunsplit(parts._replace(query=urlencode(query)))
