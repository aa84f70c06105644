"""A run as a Temporal workflow: the loop that gives the engine what happened and carries out what it asks for.

Nothing is decided here. The run begins when the workflow object is made, before any signal or update of the first
task is looked at, so `Begun` is always the engine's first event and a decision that comes with the start finds its
approval. Everything else lands in the inbox in the order in which the SDK resolves it. A cancel request reaches the
main coroutine alone, once; operations belong to tasks of their own, so compensation runs undisturbed afterwards.

Subclasses (see `classes`) add the decorated `run` and the definition's signals. A replay must take the same way: no
clock, no randomness, no iteration over sets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, NoReturn, TypeAlias

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import CancelledError

from contracts.json import Json, NotJsonError, encode
from contracts.names import (
    ATTRIBUTE_DEFINITION,
    ATTRIBUTE_STATUS,
    QUERY_APPROVALS,
    QUERY_MIGRATION,
    QUERY_PLAN,
    QUERY_STATE,
    SIGNAL_APPROVE,
    SIGNAL_REJECT,
    UPDATE_DECIDE,
    UPDATE_MIGRATE,
)
from contracts.names import pin as pin_name
from contracts.problems import Problem
from contracts.sizes import CARRIED_LIMIT_BYTES
from workflows.engine.advance import new_state
from workflows.engine.carrying import too_large
from workflows.engine.commands import (
    Cancel,
    CancelRun,
    Command,
    Complete,
    ContinueAsNew,
    Fail,
    StartActivity,
    StartChild,
    StartTimer,
    UpsertAttributes,
)
from workflows.engine.events import (
    CancelRequested,
    Decision,
    DrainRequested,
    Event,
    Migrated,
    StateTooLarge,
)
from workflows.language.library import Library
from workflows.language.triggers import Definition
from workflows.temporal import migrating
from workflows.temporal.arguments import (
    ArgumentsRefusedError,
    continuation,
    slice_result,
)
from workflows.temporal.attributes import changes, pinned_version
from workflows.temporal.budget import TaskBudget
from workflows.temporal.course import Course
from workflows.temporal.failures import failure_of
from workflows.temporal.messages import DecisionRefusedError, decided, signalled
from workflows.temporal.opening import about_run, beginning_of, engine_of, first_event, given_to_run, memo_of_children
from workflows.temporal.operations import Operations, now_ms
from workflows.temporal.pin import UnknownDefinitionError, VersionNotLoadedError, pinned_definition

LibrarySource: TypeAlias = Callable[[], Library]
End: TypeAlias = Complete | Fail | CancelRun | ContinueAsNew
MARKER_TOO_LARGE = "saga-state-too-large"
Answer: TypeAlias = "asyncio.Future[None]"


class SagaRun:
    """What the workflow classes of all definitions share.

    Attributes:
        source: Gives the definitions that are loaded now; asked when a run begins and when it starts a child.
        continue_after: Events in the history after which it continues as new; None = when the server suggests it.
    """

    source: ClassVar[LibrarySource]
    continue_after: ClassVar[int | None] = None

    def _open(self, arguments: Sequence[Any]) -> None:
        """Begin, or go on in a new execution; called once, when the object is made."""
        self._refused: Problem | None = None
        self._end: End | None = None
        self._error: BaseException | None = None  # of this code, not of the run: it fails the workflow task
        self._cancel_seen = False
        self._inbox: deque[tuple[Event, Answer | None]] = deque()
        self._wake = asyncio.Event()
        self._task = TaskBudget()
        try:
            self._begin(arguments)
        except (ArgumentsRefusedError, UnknownDefinitionError) as error:
            self._refused = error.problem
        except VersionNotLoadedError as error:
            # Raised by `_walk`, where it fails the workflow task: the SDK does not expect that of a constructor.
            self._error = error

    def _begin(self, values: Sequence[Any]) -> None:
        info = workflow.info()
        given, carried = given_to_run(values)
        pin = pinned_version(info.search_attributes) if carried is None else pin_name(carried.version, carried.digest)
        plan = pinned_definition(type(self).source(), info.workflow_type, pin, beginning_of(given)).plan
        about = about_run(plan, engine_of(carried, resumes=given.resumption is not None))
        self._operations = Operations(
            self._deliver, self._crash, type(self).source, memo_of_children(about), self._task
        )
        self._course = Course(plan, carried or new_state(plan))
        self._first: Sequence[Command] = self._course.take(first_event(given, about))

    async def _walk(self) -> Json:
        """Run to the end; the body of every subclass's `run`."""
        self._raise_error()
        if self._refused is not None:
            self._upsert(refused_run(workflow.info().workflow_type))
            raise failure_of(self._refused)
        self._carry_out(self._first)
        self._first = ()
        while True:
            if self._inbox and self._task.is_full(self._inbox[0][0]):
                await self._uncancelled(self._task.next())
            elif self._inbox:
                self._take(*self._inbox.popleft())
            elif self._end is None:
                await self._uncancelled(self._woken())
            elif not workflow.all_handlers_finished():
                await self._uncancelled(workflow.wait_condition(workflow.all_handlers_finished))
            elif isinstance(self._end, ContinueAsNew) and (size := self._excess_to_carry()):
                self._end = None
                self._take(StateTooLarge(now_ms(), size), None)
            else:
                return self._close(self._end)

    def _take(self, event: Event, answer: Answer | None) -> None:
        problem = None if answer is None else self._refusal(event)
        if problem is None:
            # An execution that was about to continue as new goes on, unless the engine says so again.
            self._end = None if isinstance(self._end, ContinueAsNew) else self._end
            self._carry_out(self._move(event) if isinstance(event, Migrated) else self._course.take(event))
            self._drain_if_long()
        if answer is not None:
            # Another decision may have come between the validator and this one.
            answer.set_result(None) if problem is None else answer.set_exception(failure_of(problem))

    def _refusal(self, event: Event) -> Problem | None:
        if isinstance(event, Decision):
            return self._course.refusal(event)
        if isinstance(event, Migrated):
            self._version(event)
            return migrating.refusal(type(self).source(), self._course.plan, self._course.state, event)
        return None

    def _version(self, event: Migrated) -> Definition:
        """Return the version to which the run moves; a worker without it must fail the task, not answer otherwise."""
        found = migrating.target(type(self).source(), self._course.plan, event)
        if found is None:
            raise VersionNotLoadedError(f"The run was moved to {event.version}+{event.digest}.")
        return found

    def _move(self, event: Migrated) -> list[Command]:
        return self._course.follow(self._version(event).plan, event)

    def _carry_out(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case StartActivity() | StartTimer() | StartChild() | Cancel():
                    self._operations.carry_out(command)
                case UpsertAttributes():
                    self._upsert(command)
                case _:
                    self._end = command

    def _upsert(self, command: UpsertAttributes) -> None:
        updates = changes(command.values, workflow.info().search_attributes)
        if updates:
            workflow.upsert_search_attributes(updates)

    def _drain_if_long(self) -> None:
        # Once cancelled, a run must not continue as new: the next execution could not end as cancelled.
        state = self._course.state
        if self._end is None and not (state.full or state.stays) and not self._cancel_seen and self._is_long():
            self._carry_out(self._course.take(DrainRequested(now_ms())))

    def _is_long(self) -> bool:
        info, limit = workflow.info(), type(self).continue_after
        return info.is_continue_as_new_suggested() if limit is None else info.get_current_history_length() > limit

    async def _woken(self) -> None:
        self._raise_error()
        self._wake.clear()
        await self._wake.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    async def _uncancelled(self, waiting: Awaitable[None]) -> None:
        """Wait; make an event of a cancel request. A cancellation without one is an eviction and goes through."""
        try:
            await waiting
        except asyncio.CancelledError:
            reason = workflow.cancellation_reason()
            if self._cancel_seen or reason is None:
                raise
            self._cancel_seen = True
            self._deliver(CancelRequested(now_ms(), reason))

    def _close(self, end: End) -> Json:
        if isinstance(end, ContinueAsNew):
            self._continue_as_new()
        if isinstance(end, Fail):
            raise failure_of(end.problem, end.armed)
        if isinstance(end, CancelRun):
            raise CancelledError(end.problem.detail or end.problem.title)
        return end.result if self._course.state.slice is None else slice_result(end)

    def _excess_to_carry(self) -> int | None:
        """Return the size of what the next execution would have to be given, bytes, where that is too much.

        How large a packed state is may differ between releases of zlib, so the history keeps what was found: a replay
        only asks for the marker.
        """
        if workflow.unsafe.is_replaying():
            return self._carried_size() if workflow.patched(MARKER_TOO_LARGE) else None
        size = self._carried_size()
        return size if size > CARRIED_LIMIT_BYTES and workflow.patched(MARKER_TOO_LARGE) else None

    def _carried_size(self) -> int:
        try:
            return sum(len(encode(value, any_depth=True)) for value in self._carried())
        except NotJsonError:
            return CARRIED_LIMIT_BYTES + 1  # not to be sent at all; nothing that got into a state is known to do that

    def _carried(self) -> list[Json]:
        state = self._course.state_document()
        return continuation(state.pop("input"), state)

    def _continue_as_new(self) -> NoReturn:
        identity, at, _ = (name := workflow.info().workflow_type).partition("@")
        # The name of a type that says a version says the one that the run follows, also after it moved.
        named = f"{identity}@{self._course.plan.version}" if at else name
        workflow.continue_as_new(args=self._carried(), workflow=named)

    def _deliver(self, event: Event, answer: Answer | None = None) -> None:
        self._inbox.append((event, answer))
        self._wake.set()

    def _crash(self, error: BaseException) -> None:
        self._error = error
        self._wake.set()

    def _signal(self, name: str, values: Sequence[Any]) -> None:
        self._deliver(signalled(name, values, now_ms()))

    def details(self) -> str:
        """Return the table of steps, as Markdown, for the run's page in the Temporal UI."""
        return self._course.details() if self._refused is None else self._refused.detail

    @workflow.signal(name=SIGNAL_APPROVE, description='Approve a step: {"step", "approver", "comment", "data"}')
    def approve(self, *values: Any) -> None:
        """Take an approval."""
        self._signal(SIGNAL_APPROVE, values)

    @workflow.signal(name=SIGNAL_REJECT, description='Reject a step: {"step", "approver", "comment", "data"}')
    def reject(self, *values: Any) -> None:
        """Take a rejection."""
        self._signal(SIGNAL_REJECT, values)

    @workflow.signal(dynamic=True, description="Any other signal; kept until a step waits for it")
    def other_signal(self, name: str, values: Sequence[RawValue]) -> None:
        """Take a signal that no step is known to wait for."""
        self._signal(name, decoded(values))

    @workflow.update(
        name=UPDATE_DECIDE,
        description='Decide an approval: {"step", "decision": "approve" | "reject", "approver", "comment", "data"}',
    )
    async def decide(self, *values: Any) -> Json:
        """Take a decision and say whether its step still waits."""
        decision = decided(values, now_ms())
        answer: Answer = asyncio.get_running_loop().create_future()
        self._deliver(decision, answer)
        await answer
        return {
            "step": decision.step,
            "approved": decision.approved,
            "waiting": self._course.waits_for(decision.step),
        }

    @decide.validator
    def _check_decision(self, *values: Any) -> None:
        self._raise_error()
        try:
            decision = decided(values, now_ms())
        except DecisionRefusedError as error:
            raise failure_of(error.problem) from error
        problem = self._refused or self._course.refusal(decision)
        if problem is not None:
            raise failure_of(problem)

    @workflow.update(name=UPDATE_MIGRATE, description='Go on with another version: {"to": "1.1.0+0a1b2c3d"}')
    async def migrate(self, *values: Any) -> Json:
        """Move to another version and say which one the run follows now."""
        answer: Answer = asyncio.get_running_loop().create_future()
        pin = migrating.wanted_pin(values)
        self._deliver(migrating.migrated(now_ms(), pin), answer)
        await answer
        return {"follows": pin}

    @migrate.validator
    def _check_migration(self, *values: Any) -> None:
        self._raise_error()
        if self._refused is not None:
            raise failure_of(self._refused)
        try:
            event = migrating.migrated(now_ms(), migrating.wanted_pin(values))
        except migrating.MigrationRefusedError as error:
            raise failure_of(error.problem) from error
        problem = migrating.refusal(type(self).source(), self._course.plan, self._course.state, event)
        if problem is None and (size := self._carried_size()) > CARRIED_LIMIT_BYTES:
            problem = too_large(self._course.state, size)
        if problem is not None:
            raise failure_of(problem)

    @workflow.query(name=QUERY_MIGRATION, description="For each loaded version, why the run could not move there")
    def migration(self) -> Json:
        """Return what does not fit, by version, or the problem of a run that was refused at its start."""
        if self._refused is not None:
            return self._refused.to_json()
        return migrating.outlook(type(self).source(), self._course.plan, self._course.state)

    @workflow.query(name=QUERY_STATE, description="The whole state of the run")
    def state(self) -> Json:
        """Return the state as JSON, or the problem of a run that was refused at its start."""
        return self._course.state_document() if self._refused is None else self._refused.to_json()

    @workflow.query(name=QUERY_PLAN, description="The plan that the run follows")
    def plan(self) -> Json:
        """Return the plan as JSON, or the problem of a run that was refused at its start."""
        return self._course.plan_document() if self._refused is None else self._refused.to_json()

    @workflow.query(name=QUERY_APPROVALS, description="The approvals that wait for a decision")
    def pending_approvals(self) -> Json:
        """Return the approvals that wait."""
        return self._course.approvals() if self._refused is None else []


def refused_run(workflow_type: str) -> UpsertAttributes:
    """Return what a run that was refused at its start is found by."""
    return UpsertAttributes({ATTRIBUTE_DEFINITION: workflow_type.partition("@")[0], ATTRIBUTE_STATUS: "failed"})


def decoded(values: Sequence[RawValue]) -> list[Any]:
    """Return raw payloads as Python values."""
    converter = workflow.payload_converter()
    return [converter.from_payload(value.payload) for value in values]
