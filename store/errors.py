"""What can go wrong with the database, in the product's own errors.

The driver's exceptions are wrapped once, in `translated`, where the driver is called; nothing outside `store` sees
them. The difference that matters to a saga is kept: a refused statement certainly had no effect (its transaction is
rolled back), a connection lost on the way may have had one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from contracts.errors import PermanentError, ServiceUnreachableError, TemporaryError

SERVICE: Final = "PostgreSQL"
CURE_START: Final = "start it, or set SAGA_DATABASE_URL to one that runs"
CURE_ACCESS: Final = "check the user, the password and the database's name in SAGA_DATABASE_URL"

_CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
_NO_ACCESS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_NOT_NOW = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""It is there and cannot: out of disk or memory, shutting down, a standby that is being promoted."""

_LOST = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, OSError, TimeoutError)


BROKEN: Final = (*_LOST, asyncpg.InterfaceError)
"""What the driver raises on a connection that is not, or no longer, usable."""


class AccessRefusedError(PermanentError):
    """PostgreSQL refused the connection."""

    code = "database-access"


class StatementRefusedError(PermanentError):
    """PostgreSQL refused a statement; nothing was changed."""

    code = "statement-refused"


class TransactionConflictError(TemporaryError):
    """Two transactions were in each other's way; nothing was changed, try again."""

    code = "transaction-conflict"


class ConnectionLostError(TemporaryError):
    """The connection to PostgreSQL broke while a statement was on its way; it may have been carried out."""

    code = "connection-lost"


class MigrationChangedError(PermanentError):
    """A migration that was applied is not the one in this release; install the release that matches the database."""

    code = "migration-changed"


@contextmanager
def connecting(address: str) -> Iterator[None]:
    """Turn what the driver raises while a connection is made into the product's errors.

    Raises:
        ServiceUnreachableError: Nothing answers, or the server takes no connections now.
        AccessRefusedError: User, password or database are wrong.
    """
    try:
        yield
    except _NO_ACCESS as error:
        raise AccessRefusedError(f"{address}: {error}. Cure: {CURE_ACCESS}.") from error
    except (*_NOT_NOW, *_LOST) as error:
        raise ServiceUnreachableError(SERVICE, address, CURE_START) from error


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn what the driver raises during statements into the product's errors.

    Raises:
        TransactionConflictError: Serialisation failure, deadlock, lock not free.
        ServiceUnreachableError: The server cannot serve now; nothing was changed.
        ConnectionLostError: The connection broke; the effect is unknown.
        StatementRefusedError: Everything else that the server refuses.
    """
    try:
        yield
    except _CONFLICTS as error:
        raise TransactionConflictError(str(error)) from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):  # an argument that the driver cannot encode
            raise StatementRefusedError(str(error)) from error
        raise ConnectionLostError(f"{address}: {error or type(error).__name__}") from error
    except _LOST as error:
        raise ConnectionLostError(f"{address}: {error or type(error).__name__}") from error
    except _NOT_NOW as error:
        raise ServiceUnreachableError(SERVICE, address, f"it cannot serve us now ({error})") from error
    except asyncpg.PostgresError as error:
        raise StatementRefusedError(f"{error} (SQLSTATE {error.sqlstate})") from error
