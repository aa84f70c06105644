"""The names that processes agree on: queues, search attributes, signals, updates, queries.

Everything that a workflow, a worker, the bridge and the command line must spell alike stands here, and nothing else.
"""

from __future__ import annotations

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

EXCHANGE_EVENTS: Final = "events"

ACTION_PUBLISH: Final = "event.publish"


def pin(version: str, digest: str) -> str:
    """Return the name of one immutable version, such as `1.0.0+0a1b2c3d` (the first 8 digits of the plan's digest)."""
    return f"{version}+{digest[:8]}"


def workflow_id(definition: str, key: str) -> str:
    """Return the workflow id of the run of `definition` with the business key `key`."""
    return f"{definition}/{key}"
