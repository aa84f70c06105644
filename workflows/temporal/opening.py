"""What an execution of a run begins with: its arguments, its first event, and what it knows about itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow

from contracts.json import Json
from workflows.engine.events import Begun, Continued, Event, Resumed, RunInfo
from workflows.engine.revision import FIRST, REVISION
from workflows.engine.serial import state_from_json
from workflows.engine.state import State
from workflows.language.plan import Plan
from workflows.temporal.arguments import Arguments, ArgumentsRefusedError, read_arguments, unreadable_arguments
from workflows.temporal.attributes import business_key_of
from workflows.temporal.operations import MEMO_CORRELATION, MEMO_DEPTH, MEMO_RESUMES, now_ms
from workflows.temporal.pin import Beginning, VersionNotLoadedError


def given_to_run(values: Sequence[Any]) -> tuple[Arguments, State | None]:
    """Return what the run is started with, and the state that it goes on from.

    Raises:
        ArgumentsRefusedError: It cannot be read. What the run itself carried over can: a worker that cannot read it is
            the wrong one, and fails the task.
    """
    info = workflow.info()
    resumes = workflow.memo_value(MEMO_RESUMES, default=None) is not None
    continued = info.continued_run_id is not None
    try:
        given = read_arguments(values, continued=continued, child=info.parent is not None, resumes=resumes)
        return given, None if given.state is None else state_from_json(given.state | {"input": given.input})
    except (ArgumentsRefusedError, MemoryError):
        raise
    except Exception as error:
        if continued:
            raise
        raise unreadable_arguments(f"{type(error).__name__}: {error}") from error


def first_event(given: Arguments, about: RunInfo) -> Event:
    """Return the engine's first event of this execution."""
    if given.state is None:
        return Begun(now_ms(), about, given.input, given.slice)
    if given.resumption is None:
        return Continued(now_ms())
    return Resumed(now_ms(), about, given.resumption.since, given.resumption.landed)


def engine_of(carried: State | None, *, resumes: bool) -> int:
    """Return the revision of the engine that this execution follows, and put it on record where it begins.

    The first revision has no marker, so that it costs no history anything; a continued execution carries its own.

    Raises:
        VersionNotLoadedError: It is one that this worker does not have yet.
    """
    if carried is not None and not resumes:
        if carried.engine > REVISION:
            raise VersionNotLoadedError(f"The run follows revision {carried.engine} of the engine; here is {REVISION}.")
        return carried.engine
    if not workflow.unsafe.is_replaying():
        return REVISION if REVISION == FIRST or workflow.patched(_marker(REVISION)) else FIRST
    return next((each for each in range(REVISION, FIRST, -1) if workflow.patched(_marker(each))), FIRST)


def about_run(plan: Plan, engine: int) -> RunInfo:
    """Return what the run knows about itself from outside."""
    info = workflow.info()
    # A run that Temporal repeats by its own cron or retry has other effects, so other idempotency keys.
    identity = info.first_execution_run_id if info.continued_run_id is None else info.original_execution_run_id
    key = business_key_of(info.search_attributes, plan.id, info.workflow_id)
    correlation, depth = _memo_value(MEMO_CORRELATION), _memo_value(MEMO_DEPTH)
    return RunInfo(
        identity,
        info.workflow_id,
        key,
        correlation if isinstance(correlation, str) else None,
        depth if isinstance(depth, int) and info.parent is not None else 0,
        engine,
    )


def memo_of_children(about: RunInfo) -> dict[str, Json]:
    """Return what the children of this execution are told."""
    memo: dict[str, Json] = {} if about.correlation_id is None else {MEMO_CORRELATION: about.correlation_id}
    return memo | {MEMO_DEPTH: about.depth + 1}


def beginning_of(given: Arguments) -> Beginning:
    """Return what a rollout chooses by."""
    info = workflow.info()
    key = business_key_of(info.search_attributes, info.workflow_type.partition("@")[0], info.workflow_id)
    return Beginning(key, given.input)


def _marker(revision: int) -> str:
    return f"saga-engine-{revision}"


def _memo_value(name: str) -> object:
    value: object = workflow.memo_value(name, default=None)
    return value
