"""How tests look at a run from outside."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

Run = WorkflowHandle[Any, Any]


async def failure_of(handle: Run) -> ApplicationError:
    """Wait for the run to fail and return its error."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def waiting_approval(handle: Run) -> dict[str, Any]:
    """Return the first approval that waits, once there is one."""
    while True:
        waiting = await handle.query("approvals")
        if waiting:
            found: dict[str, Any] = waiting[0]
            return found


async def attributes_of(handle: Run) -> dict[str, str]:
    """Return the run's search attributes that are words."""
    found = (await handle.describe()).typed_search_attributes
    names = ("SagaDefinition", "SagaVersion", "SagaStatus", "SagaKey")
    values = {name: found.get(SearchAttributeKey.for_keyword(name)) for name in names}
    return {name: value for name, value in values.items() if value is not None}
