"""A run as the command line sees it: its state by query, its end, and how to wait for it.

The `state` query is answered by a worker, so it fails while none is up; that is told once and is no reason to stop
waiting, because the run itself is safe in Temporal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, cast

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, TimeoutError
from temporalio.service import RPCError, RPCStatusCode

from cli.exits import BadInputError
from cli.progress import Names, Progress, State, failed_step
from contracts.json import Json
from contracts.names import ATTRIBUTE_STATUS, QUERY_APPROVALS, QUERY_PLAN, QUERY_STATE
from contracts.problems import CANCELLED, RUNTIME, TIMEOUT, Problem
from workflows.temporal.statuses import is_open, name_of

_NO_WORKER = "No worker answers: start one with `saga worker` or `saga up`. The run is safe meanwhile."
PAUSED: Final = "is paused and answers nothing until `temporal workflow unpause` has it go on."
_POLL = timedelta(milliseconds=250)
_QUERY_TIMEOUT = timedelta(seconds=5)
_GOOD = frozenset({"completed", "recovered"})
_STATUS = SearchAttributeKey.for_keyword(ATTRIBUTE_STATUS)
_KEPT = frozenset(
    {
        WorkflowExecutionStatus.RUNNING,
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.CONTINUED_AS_NEW,
    }
)
"""With these the run itself said how it stands; with others Temporal did something to it without asking."""

_WITHOUT_DETAILS: Mapping[type[BaseException], Problem] = MappingProxyType(
    {
        CancelledError: Problem(CANCELLED, "The run was cancelled.", 499),
        TerminatedError: Problem(CANCELLED, "The run was terminated: Temporal stopped it and nothing was undone.", 499),
        TimeoutError: Problem(TIMEOUT, "Temporal's own time-out stopped the run and nothing was undone.", 504),
    }
)

_REFUSED: Mapping[str, Any] = MappingProxyType(
    {"status": "failed", "phase": "ended", "version": "none", "records": [], "waits": []}
)

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        status: As in the search attribute `SagaStatus`; `terminated` where Temporal ended the run without asking it.
        output: The result, where it ended well.
        problem: The problem document, where it did not.
        step: Path of the step that failed, where a worker told it.
    """

    status: str
    output: Json = None
    problem: Mapping[str, Json] | None = None
    step: str | None = None

    @property
    def is_good(self) -> bool:
        """Tell whether the run did what it was for, on its main path or by recovering."""
        return self.status in _GOOD

    def to_json(self, workflow_id: str, run_id: str) -> dict[str, Json]:
        """Return what `--json` prints."""
        document: dict[str, Json] = {"workflow_id": workflow_id, "run_id": run_id, "status": self.status}
        return document | ({"output": self.output} if self.problem is None else {"problem": dict(self.problem)})


def handle_of(client: Client, workflow_id: str) -> Handle:
    """Return the handle of the newest execution of a run."""
    return client.get_workflow_handle(workflow_id)


async def state_of(handle: Handle) -> State | None:
    """Return the state of a run, or None while no worker answers.

    Raises:
        RPCError: There is no such run, or Temporal is away.
    """
    document = await _queried(handle, QUERY_STATE)
    if document is None or "records" in document:
        return document
    # A run that was refused at its start has no state; what it answers is its problem.
    return {**_REFUSED, "problem": document}


async def names_of(handle: Handle) -> Names:
    """Return what the plan of a run calls its steps, where that is not the step's id; nothing while no worker answers.

    Raises:
        RPCError: There is no such run, or Temporal is away.
    """
    nodes: Mapping[str, Mapping[str, Any]] = (await _queried(handle, QUERY_PLAN) or {}).get("nodes", {})
    return {identity: node["name"] for identity, node in nodes.items() if node.get("name", identity) != identity}


async def ask(handle: Handle, query: str) -> Any:
    """Return what a run answers.

    Raises:
        BadInputError: It is paused.
        RPCError: There is no such run, no worker answers, or Temporal is away.
        WorkflowQueryFailedError: The run answers no such question.
    """
    try:
        return await handle.query(query, rpc_timeout=_QUERY_TIMEOUT)
    except WorkflowQueryRejectedError as error:
        raise BadInputError(f"{handle.id} {PAUSED}") from error


async def _queried(handle: Handle, query: str) -> Mapping[str, Any] | None:
    try:
        return cast("Mapping[str, Any]", await ask(handle, query))
    except (BadInputError, WorkflowQueryFailedError):
        return None
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE}:
            raise
        return None


@dataclass
class Sight:
    """What a worker tells of one run; the names of its steps are asked for once."""

    handle: Handle
    names: Names | None = None

    async def look(self) -> State | None:
        """Return the state, or None while no worker answers.

        Raises:
            RPCError: There is no such run, or Temporal is away.
        """
        state = await state_of(self.handle)
        if state is not None and self.names is None:
            self.names = await names_of(self.handle)
        return state


async def pending_approvals(handle: Handle) -> list[dict[str, Any]]:
    """Return the approvals for which a run waits.

    Raises:
        BadInputError: It is paused.
        RPCError: There is no such run, no worker answers, or Temporal is away.
    """
    return cast("list[dict[str, Any]]", await ask(handle, QUERY_APPROVALS))


async def follow(handle: Handle, progress: Progress) -> Ended:
    """Wait for the end of a run, showing each state on the way.

    Args:
        handle: The run.
        progress: Shows each state that was seen, the last one included, and a sentence when no worker answers.
    """
    end, sight = asyncio.ensure_future(ended(handle)), Sight(handle)
    try:
        while not end.done():
            await _look(sight, progress)
            await asyncio.wait({end}, timeout=_POLL.total_seconds())
    finally:
        end.cancel()
    state = await _look(sight, progress)
    return _enriched(await end, state)


async def ended(handle: Handle) -> Ended:
    """Wait for the end of a run and return how it ended.

    Raises:
        RPCError: There is no such run, or Temporal is away.
    """
    try:
        output = await handle.result()
    except WorkflowFailureError as error:
        return _failed(error.cause)
    return Ended(status_of(await handle.describe()), output)


def status_of(run: WorkflowExecution) -> str:
    """Return the status for people: the one that the run keeps itself, unless Temporal stopped it without asking."""
    kept = run.typed_search_attributes.get(_STATUS) if run.status in _KEPT else None
    return kept or name_of(run.status)


async def is_running(handle: Handle) -> bool:
    """Tell whether a run is open.

    Raises:
        RPCError: There is no such run, or Temporal is away.
    """
    return is_open((await handle.describe()).status)


def problem_of(cause: BaseException) -> Problem:
    """Return the problem document that a failed execution carries, or one that says what Temporal says."""
    if isinstance(cause, ApplicationError | CancelledError):
        details = cause.details[0] if cause.details else None
        if isinstance(details, Mapping) and "type" in details:
            return Problem.from_json(details)
    for kind, problem in _WITHOUT_DETAILS.items():
        if isinstance(cause, kind):
            return problem
    return Problem(RUNTIME, "The run failed.", detail=str(cause))


def _failed(cause: BaseException) -> Ended:
    problem = problem_of(cause)
    return Ended(str(problem.extensions.get("saga_status") or _status_of_cause(cause)), problem=problem.to_json())


def _enriched(end: Ended, state: State | None) -> Ended:
    """Add what only the state knows: the failed step, and what a cancelled run undid (Temporal carries no details)."""
    if state is None or end.problem is None:
        return end
    kept = {name: state[name] for name in ("undone", "left") if state.get(name)}
    return replace(end, problem={**end.problem, **(state.get("problem") or {}), **kept}, step=failed_step(state))


def _status_of_cause(cause: BaseException) -> str:
    match cause:
        case TerminatedError():
            return "terminated"
        case CancelledError():
            return "cancelled"
        case TimeoutError():
            return "timed-out"
    return "failed"


async def _look(sight: Sight, progress: Progress) -> State | None:
    state = await sight.look()
    if state is None:
        paused = status_of(await sight.handle.describe()) == "paused"
        progress.note(f"The run {PAUSED}" if paused else _NO_WORKER)
    else:
        progress.show(state, sight.names or {})
    return state
