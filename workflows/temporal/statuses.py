"""How executions stand, also where the server knows a status that the SDK does not.

The SDK's enumeration has no member for `paused` and raises for it, so one paused run would hide every list that it is
in. A status that the SDK does not know becomes a member when it is first met, named as the API names it. Whatever is
not known to be closed counts as open: nothing is removed or taken for done because of a word that nobody knows.
"""

from __future__ import annotations

from typing import Final

from temporalio.api.enums.v1 import WorkflowExecutionStatus as ApiStatus
from temporalio.client import WorkflowExecutionStatus

OPEN: Final = "CloseTime IS NULL"
"""Open runs in Temporal's query language, whatever their status is called."""

_CLOSED: Final = frozenset(
    {
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.CONTINUED_AS_NEW,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)
_PREFIX: Final = "WORKFLOW_EXECUTION_STATUS_"


def is_open(status: int | None) -> bool:
    """Tell whether an execution with this status has not ended; takes the SDK's and the API's."""
    return status not in _CLOSED


def name_of(status: WorkflowExecutionStatus | None) -> str:
    """Return the word for a status, as in `timed-out`."""
    return "unknown" if status is None else status.name.lower().replace("_", "-")


def _unknown_to_the_sdk(cls: type[WorkflowExecutionStatus], value: object) -> WorkflowExecutionStatus | None:
    if not isinstance(value, int):
        return None
    known = {int(number): name.removeprefix(_PREFIX) for name, number in ApiStatus.items()}
    member = int.__new__(cls, value)
    member._name_, member._value_ = known.get(value, f"STATUS_{value}"), value
    return member


# Python asks this for a value that an enumeration does not have; only a subclass could define it otherwise.
WorkflowExecutionStatus._missing_ = classmethod(_unknown_to_the_sdk)  # type: ignore[method-assign, assignment]
