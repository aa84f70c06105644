"""What actions may use: opened by the composition root, passed in, never global.

A worker without a database or a broker can still carry out the actions that need neither; the others then end with a
plain, temporary problem, since another worker of the same queue may have what this one lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from activities.connections import Connection
from contracts.errors import PermanentError, ServiceUnreachableError
from contracts.ports import EventPublisher
from store.database import Database

SecretResolver = Callable[[str], str]


class SecretsUnavailableError(PermanentError):
    """This worker resolves no secrets; start it through the command line, which passes a resolver."""

    code = "secrets-unavailable"


def no_secrets(reference: str) -> str:
    """Refuse to resolve `reference`: the resolver of a worker that was given none."""
    raise SecretsUnavailableError(reference)


@dataclass(frozen=True, slots=True)
class Resources:
    """What is open for the actions of one worker.

    Attributes:
        http: The guarded client (`activities.outbound.open_client`): the only way out.
        database: PostgreSQL, or None.
        publisher: The way to the event bus (the outbox where there is a database), or None.
        connections: Outside systems by name.
        secret: Turns a reference (`env:NAME`, `file:PATH`) into its value.
        source: `source` of the events that actions publish.
    """

    http: httpx.AsyncClient
    database: Database | None = None
    publisher: EventPublisher | None = None
    connections: Mapping[str, Connection] = field(default_factory=dict)
    secret: SecretResolver = no_secrets
    source: str = "sagawright"

    def opened_database(self) -> Database:
        """Return the database.

        Raises:
            ServiceUnreachableError: This worker was started without one.
        """
        if self.database is None:
            raise ServiceUnreachableError("PostgreSQL", "(not configured)", "set SAGA_DATABASE_URL for this worker")
        return self.database

    def opened_publisher(self) -> EventPublisher:
        """Return the publisher.

        Raises:
            ServiceUnreachableError: This worker was started without one.
        """
        if self.publisher is None:
            raise ServiceUnreachableError("RabbitMQ", "(not configured)", "set SAGA_AMQP_URL for this worker")
        return self.publisher
