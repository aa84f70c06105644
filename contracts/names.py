"""The names that processes agree on: queues, search attributes, signals, updates, queries.

Everything that a workflow, a worker, the bridge and the command line must spell alike stands here, and nothing else.
"""

from __future__ import annotations

import hashlib
from typing import Final

TASK_QUEUE: Final = "saga"

ATTRIBUTE_DEFINITION: Final = "SagaDefinition"
ATTRIBUTE_VERSION: Final = "SagaVersion"
ATTRIBUTE_STATUS: Final = "SagaStatus"
ATTRIBUTE_KEY: Final = "SagaKey"
ATTRIBUTE_CORRELATION: Final = "SagaCorrelation"

SIGNAL_APPROVE: Final = "approve"
SIGNAL_REJECT: Final = "reject"
UPDATE_DECIDE: Final = "decide"
UPDATE_MIGRATE: Final = "migrate"
QUERY_STATE: Final = "state"
QUERY_PLAN: Final = "plan"
QUERY_APPROVALS: Final = "approvals"
QUERY_MIGRATION: Final = "migration"

ID_LIMIT_BYTES: Final = 1000
"""Temporal's limit for the id of a workflow or an activity."""
ATTRIBUTE_LIMIT_BYTES: Final = 2048
"""Temporal's limit for the value of a search attribute, as JSON."""
_ID_PREFIX_BYTES = 900

EXCHANGE_EVENTS: Final = "events"

ACTION_PUBLISH: Final = "event.publish"


def pin(version: str, digest: str) -> str:
    """Return the name of one immutable version, such as `1.0.0+0a1b2c3d` (the first 8 digits of the plan's digest)."""
    return f"{version}+{digest[:8]}"


def workflow_id(definition: str, key: str) -> str:
    """Return the workflow id of the run of `definition` with the business key `key`."""
    return f"{definition}/{key}"


def fits_as_id(text: str) -> bool:
    """Tell whether Temporal takes `text` as an id."""
    return len(text.encode(errors="replace")) <= ID_LIMIT_BYTES


def short_id(text: str) -> str:
    """Return `text` as an id: where it is too long, its beginning and its digest, the same for the same text."""
    if fits_as_id(text):
        return text
    encoded = text.encode(errors="replace")
    return f"{encoded[:_ID_PREFIX_BYTES].decode(errors='ignore')}~{hashlib.sha256(encoded).hexdigest()[:32]}"
