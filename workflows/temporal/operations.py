"""Operations in flight: the engine's commands as calls of the SDK, and their ends as events.

Each operation ends in exactly one event, except a cancelled timer, which ends in none. Activities and timers are
watched by a callback on their handle rather than by a task of their own, which keeps a waiting run small. A child
that is still being started is cancelled once it has started: before that, Temporal could not say how it ended.

An activity that ended with a delivery which was no attempt of its step (`contracts.steps.Earlier`) does not end the
operation: another activity goes on with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from contracts.json import Json, Unusable, encode
from contracts.names import short_id, workflow_id
from contracts.problems import RUNTIME, Problem
from contracts.steps import Earlier
from workflows.engine.commands import Cancel, StartActivity, StartChild, StartTimer
from workflows.engine.events import Done, Event, Failed, Fired
from workflows.language.library import Library
from workflows.temporal.arguments import slice_arguments
from workflows.temporal.attributes import key_of, starting_attributes
from workflows.temporal.budget import TaskBudget
from workflows.temporal.failures import armed_of, cancelled, problem_of, unattempted
from workflows.temporal.options import (
    going_on_options,
    local_options,
    priority,
    remote_options,
    summary,
    timer_duration,
)

MEMO_CORRELATION = "correlation_id"
MEMO_DEPTH = "depth"
MEMO_RESUMES = "resumes"
_OF_A_LOCAL_ANSWER = 32 * 1024  # bytes, until it is there
_OF_A_COMMAND = 1000  # bytes, about, without its values

Work = StartActivity | StartTimer | StartChild | Cancel
Handle = asyncio.Task[Any]
ChildHandle = workflow.ChildWorkflowHandle[Any, Any]


ACTIONS = "saga_actions"


class ActionNotLoadedError(RuntimeError):
    """This worker lacks an action, which is carried out inside a workflow task: another worker takes the task."""

    def __init__(self, action: str) -> None:
        """Name the action, for whoever looks why the task fails."""
        super().__init__(f"This worker has no action {action!r}.")


def has_action(name: str) -> bool:
    """Tell whether this worker can carry out an action; where nobody said what it can, it is believed to."""
    known: Callable[[str], bool] | None = workflow.extern_functions().get(ACTIONS)
    return known is None or known(name)


def now_ms() -> int:
    """Return workflow time, milliseconds since the epoch."""
    return workflow.time_ns() // 1_000_000


class Operations:
    """What one run has in flight.

    Args:
        deliver: Takes the event in which an operation ends.
        crash: Takes an error that is no failure of the operation, but of this code: the workflow task must fail.
        library: What is loaded, to pin children.
        memo: Is handed on to children.
        budget: Of the current workflow task; what it does not take waits for the next.
    """

    def __init__(
        self,
        deliver: Callable[[Event], None],
        crash: Callable[[BaseException], None],
        library: Callable[[], Library],
        memo: Mapping[str, Json],
        budget: TaskBudget,
    ) -> None:
        """Begin with nothing in flight."""
        self._deliver, self._crash, self._library = deliver, crash, library
        self._memo, self._budget = dict(memo), budget
        self._reserved: dict[str, int] = {}
        self._held: deque[tuple[StartActivity | StartChild, int]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._timers: dict[str, Handle] = {}
        self._work: dict[str, Handle] = {}
        self._earlier: dict[str, Earlier] = {}
        self._unwanted: set[str] = set()
        self._starting: dict[str, bool] = {}

    def carry_out(self, command: Work) -> None:
        """Start or cancel an operation."""
        match command:
            case StartActivity() | StartChild():
                self._hold(command)
                self._start_held()
            case StartTimer():
                self._start_timer(command)
            case Cancel():
                self._cancel(command.id)

    def _hold(self, command: StartActivity | StartChild) -> None:
        self._held.append((command, _size(command)))

    def _start_held(self) -> None:
        """Start what this workflow task still takes, in order, and see to it that another task comes for the rest."""
        while self._held:
            command, size = self._held[0]
            if not self._budget.takes(size, local=isinstance(command, StartActivity) and command.execution.local):
                break
            self._held.popleft()
            if isinstance(command, StartActivity):
                self._start_activity(command)
            else:
                self._start_child(command)
        if self._held and self._pump is None:
            self._pump = asyncio.create_task(self._budget.next())
            self._pump.add_done_callback(self._pumped)

    def _pumped(self, pump: asyncio.Task[None]) -> None:
        self._pump = None
        if not pump.cancelled():
            self._start_held()

    def _start_activity(self, command: StartActivity) -> None:
        args: list[Json] = [command.args, command.context.to_json()]
        rules, earlier = command.execution, self._earlier.pop(command.id, None)
        if rules.local and not has_action(command.action):
            self._crash(ActionNotLoadedError(command.action))
            return
        handle: Handle
        if rules.local:
            # Its summary would be paid for and shown nowhere.
            self._reserved[command.id] = _size(command)
            handle = workflow.start_local_activity(
                command.action, args=args, activity_id=short_id(command.id), **local_options(rules)
            )
        else:
            title, options = summary(command.summary), remote_options(rules)
            if earlier is not None:
                args.append(earlier.to_json())
                options = going_on_options(rules, earlier, workflow.now())
            handle = workflow.start_activity(
                command.action, args=args, activity_id=short_id(command.id), summary=title, **options
            )
        single = not rules.local and rules.retry.attempts == 1 and earlier is None
        self._work[command.id] = handle
        handle.add_done_callback(partial(self._activity_ended, command, partial(_output, single_attempt=single)))

    def _activity_ended(self, command: StartActivity, outcome: Callable[[str, Handle], Event], handle: Handle) -> None:
        error = None if handle.cancelled() else handle.exception()
        earlier = None if error is None or command.execution.local else unattempted(error)
        if earlier is None or command.id in self._unwanted:
            self._work_ended(command.id, outcome, handle)
            return
        del self._work[command.id]
        self._earlier[command.id] = earlier
        self._hold(command)
        self._start_held()

    def _start_timer(self, command: StartTimer) -> None:
        sleep = workflow.sleep(timer_duration(command.seconds), summary=summary(command.summary))
        self._timers[command.id] = timer = asyncio.create_task(sleep)
        timer.add_done_callback(partial(self._timer_ended, command.id))

    def _start_child(self, command: StartChild) -> None:
        self._starting[command.id] = False
        task = asyncio.create_task(self._begin_child(command))
        task.add_done_callback(partial(self._child_began, command))

    def _cancel(self, identity: str) -> None:
        waiting = next((held for held in self._held if held[0].id == identity), None)
        if waiting is not None:
            self._held.remove(waiting)
            earlier = self._earlier.pop(identity, None)
            self._deliver(Failed(now_ms(), identity, cancelled(started=earlier is not None and earlier.unknown)))
        elif identity in self._timers:
            self._timers.pop(identity).cancel()
        elif identity in self._work:
            self._unwanted.add(identity)
            self._work[identity].cancel()
        elif identity in self._starting:
            self._starting[identity] = True

    def _watch(self, identity: str, handle: Handle, outcome: Callable[[str, Handle], Event]) -> None:
        self._work[identity] = handle
        handle.add_done_callback(partial(self._work_ended, identity, outcome))

    def _work_ended(self, identity: str, outcome: Callable[[str, Handle], Event], handle: Handle) -> None:
        del self._work[identity]
        self._unwanted.discard(identity)
        self._count_local_answer(identity, handle)
        error = None if handle.cancelled() else handle.exception()
        if error is not None and not isinstance(error, FailureError):
            self._crash(error)
        else:
            self._deliver(outcome(identity, handle))

    def _count_local_answer(self, identity: str, handle: Handle) -> None:
        """A local activity sends its answer, not its arguments, and with the task in which it was given."""
        reserved = self._reserved.pop(identity, None)
        if reserved is None:
            return
        answered = not handle.cancelled() and handle.exception() is None
        self._budget.answered((len(encode(handle.result(), any_depth=True)) if answered else 0) - reserved)
        self._start_held()

    def _timer_ended(self, identity: str, timer: Handle) -> None:
        # A timer that was cancelled is forgotten already; its id may be in use again.
        if self._timers.get(identity) is timer:
            del self._timers[identity]
        if not timer.cancelled():
            self._deliver(Fired(now_ms(), identity))

    async def _begin_child(self, command: StartChild) -> ChildHandle:
        identity = command.workflow.partition("@")[0]
        key = command.key
        path = f"{workflow.info().workflow_id}/{command.id}"
        target = short_id(path) if key is None else workflow_id(identity, key)
        # May differ in a replay: what is in the history counts, and only type and id are compared with it.
        definition = self._library().choose(command.workflow, key_of(identity, target), command.input)
        args = [command.input] if command.slice is None else slice_arguments(command.input, command.slice)
        return await workflow.start_child_workflow(
            command.workflow,
            args=args,
            id=target,
            parent_close_policy=_close_policy(command),
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            search_attributes=starting_attributes(definition, key_of(identity, target)) if definition else None,
            memo=self._memo,
            static_summary=summary(command.summary),
            priority=priority(command.priority),
        )

    def _child_began(self, command: StartChild, task: asyncio.Task[ChildHandle]) -> None:
        unwanted = self._starting.pop(command.id)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or isinstance(error, FailureError):
            self._deliver(_output(command.id, task))
        elif error is not None:
            self._crash(error)
        elif command.wait:
            self._follow(command, task.result(), unwanted=unwanted)
        else:
            self._leave(command, task.result())

    def _follow(self, command: StartChild, child: ChildHandle, *, unwanted: bool) -> None:
        self._watch(command.id, child, _output if command.slice is None else _slice_output)
        if unwanted:
            child.cancel()

    def _leave(self, command: StartChild, child: ChildHandle) -> None:
        # Nobody waits for it; its failure must not be reported as an error that was never looked at.
        child.add_done_callback(lambda handle: handle.cancelled() or handle.exception())
        output: Json = {"workflow_id": child.id, "run_id": child.first_execution_run_id or ""}
        self._deliver(Done(now_ms(), command.id, output))


def _close_policy(command: StartChild) -> workflow.ParentClosePolicy:
    policy = workflow.ParentClosePolicy
    return policy.REQUEST_CANCEL if command.wait else policy.ABANDON


def _output(identity: str, handle: Handle, *, single_attempt: bool = False) -> Event:
    if handle.cancelled():
        return Failed(now_ms(), identity, cancelled(started=False))
    error = handle.exception()
    if error is not None:
        return Failed(now_ms(), identity, problem_of(error, single_attempt=single_attempt))
    result = handle.result()
    if isinstance(result, Unusable):
        detail = f"Its answer cannot be read: {result.reason}."
        return Failed(now_ms(), identity, Problem(RUNTIME, "The answer is unusable", 502, detail, outcome="unknown"))
    return Done(now_ms(), identity, result)


def _size(command: StartActivity | StartChild) -> int:
    """Return about how many bytes a command sends."""
    if isinstance(command, StartChild):
        return _OF_A_COMMAND + len(encode([command.input, command.slice], any_depth=True))
    size = _OF_A_COMMAND + len(encode(command.args, any_depth=True))
    return max(_OF_A_LOCAL_ANSWER, 2 * size) if command.execution.local else size


def _slice_output(identity: str, handle: Handle) -> Event:
    if handle.cancelled():
        return _output(identity, handle)
    error = handle.exception()
    if error is not None:
        return Failed(now_ms(), identity, problem_of(error), armed_of(error))
    answer = handle.result()
    variables, whole = answer.get("variables", {}), answer.get("whole", False)
    return Done(now_ms(), identity, answer["result"], tuple(answer["armed"]), variables, whole)
