"""One plain connection to RabbitMQ, for as long as it holds.

aio-pika's robust connection restores channels and consumers behind one's back: it repeats a failing declaration for
ever and hides that a consumer is gone. Here whoever uses a connection learns that it is lost, and begins again from
the top, declarations included.

A URL may be several, separated by commas: the nodes of a cluster. Each connection begins at one of them by chance, so
that many processes spread over the nodes, and goes on to the next while nothing answers.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
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

from bridge.amqp.tolerance import tolerate_unreadable_frames
from bridge.errors import BrokerRefusedError, SessionLostError
from contracts.errors import ServiceUnreachableError

LOST: Final = (AMQPError, PAMQPException, ChannelInvalidStateError, OSError)
"""What aio-pika raises when a connection or a channel is not, or no longer, usable."""

LOST_WHILE_OPENING: Final = (*LOST, RuntimeError)
"""The same while a channel is opened, where aiormq has yet another word for a connection that was lost."""

_REFUSED = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed, InvalidFrameError)
"""The last is what aiormq makes of a virtual host that is not there or not ours."""

_CLOSED = "The connection closed meanwhile."
_CONNECT_SECONDS = 10
_NEXT_NODE_SECONDS = 4
"""How long one node of several may take: less, so that a silent one does not hold up those that answer."""

_CLOSE_SECONDS = 5
_HEARTBEAT_SECONDS = 15
_SEPARATOR = re.compile(r"\s*,\s*(?=amqps?://)")
"""A password may have a comma in it."""


@contextmanager
def losing() -> Iterator[None]:
    """Say in our words that the connection was lost while a channel was opened or an answer awaited.

    aiormq has several words for it: a bare `Exception` for whoever waits for an answer when the connection closes
    without a reason, a `RuntimeError` for a channel on a closed one, and a cancellation that nobody asked for.

    Raises:
        SessionLostError: It was.
    """
    try:
        yield
    except LOST_WHILE_OPENING as error:
        raise SessionLostError(str(error)) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise SessionLostError(_CLOSED) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise SessionLostError(_CLOSED) from error


def nodes_of(url: str) -> tuple[str, ...]:
    """Return the URLs of the nodes in `url`: several are separated by commas."""
    return tuple(_SEPARATOR.split(url.strip()))


def address(url: str) -> str:
    """Return host, port and virtual host of an AMQP URL (of each, where they are several), without the account."""
    return ", ".join(_address(node) for node in nodes_of(url))


def _address(url: str) -> str:
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
        ServiceUnreachableError: Nothing answers there, at any of its nodes.
        BrokerRefusedError: The broker does not let us in.
    """
    tolerate_unreadable_frames()
    nodes = nodes_of(url)
    if len(nodes) == 1:
        return await _connect(url, name, _CONNECT_SECONDS)
    return await _connect_to_any(random.sample(nodes, len(nodes)), name)


async def _connect_to_any(nodes: Sequence[str], name: str) -> AbstractConnection:
    """A node that is starting refuses for a while, so a refusal counts only when no other node lets us in."""
    failures: list[ServiceUnreachableError | BrokerRefusedError] = []
    for node in nodes:
        try:
            return await _connect(node, name, _NEXT_NODE_SECONDS)
        except (ServiceUnreachableError, BrokerRefusedError) as error:
            failures.append(error)
    refusals = [error for error in failures if isinstance(error, BrokerRefusedError)]
    raise refusals[0] if refusals else unreachable(",".join(nodes), "no node answers") from failures[-1]


async def _connect(url: str, name: str, limit_seconds: float) -> AbstractConnection:
    try:
        return await aio_pika.connect(_with_defaults(url, name), timeout=limit_seconds)
    except _REFUSED as error:
        raise BrokerRefusedError(f"It is at {address(url)}.") from error
    except (*LOST, AMQPConnectionError) as error:
        raise unreachable(url, error) from error


def is_lost(connection: AbstractConnection) -> bool:
    """Tell whether a connection was closed or cut; aio-pika's own `is_closed` knows only of the former."""
    transport = connection.transport
    return connection.is_closed or transport is None or transport.connection.is_closed


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
