"""What can go wrong between us and the Temporal server, said once for the command line and the bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import PermanentError, ServiceUnreachableError

_UNREACHABLE = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)
_NO_ACCESS = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED})
_CURE = "see that it runs and answers there (`saga doctor` tells more), then try again"


class RunNotFoundError(PermanentError):
    """There is no such run, or it has ended: list the runs that there are with `saga list`."""

    code = "run-not-found"


class RunExistsError(PermanentError):
    """A run with this key is running already: give another key, or say with `if_running` what to do."""

    code = "run-exists"


class TemporalAccessError(PermanentError):
    """Temporal does not let us do this at all; check the namespace, the certificates and the permissions."""

    code = "temporal-access"


class RefusedByTemporalError(PermanentError):
    """Temporal refused the request: correct what it names."""

    code = "refused-by-temporal"


@contextmanager
def translated(client: Client, workflow_id: str) -> Iterator[None]:
    """Turn Temporal's errors about a run into the product's.

    Raises:
        RunNotFoundError: There is no such run, or it has ended.
        RunExistsError: It is running already.
        ServiceUnreachableError: The server does not answer, or cannot now.
        TemporalAccessError: The namespace, the account or the call itself is what it refuses, for whichever run.
        RefusedByTemporalError: Anything else; a retry cannot help.
    """
    try:
        yield
    except RPCError as error:
        raise _translation(client, workflow_id, error) from error


def _translation(client: Client, workflow_id: str, error: RPCError) -> PermanentError | ServiceUnreachableError:
    if error.status in _NO_ACCESS or _lacks_namespace(error):
        return TemporalAccessError(f"Namespace: {client.namespace}. It said: {error.message}")
    if error.status in _UNREACHABLE:
        address = client.service_client.config.target_host
        return ServiceUnreachableError("Temporal", address, f"{_CURE}. It said: {error.message}")
    if error.status is RPCStatusCode.NOT_FOUND:
        return RunNotFoundError(f"Run: {workflow_id}. Temporal said: {error.message}")
    if error.status is RPCStatusCode.ALREADY_EXISTS:
        return RunExistsError(f"Run: {workflow_id}.")
    return RefusedByTemporalError(f"Run: {workflow_id}. It said: {error.message}")


def _lacks_namespace(error: RPCError) -> bool:
    """The same status as for a run that is not there; the detail tells them apart."""
    return error.status is RPCStatusCode.NOT_FOUND and any(
        detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details
    )
