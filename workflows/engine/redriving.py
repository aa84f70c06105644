"""From where a run that failed goes on: pure, from what happened to it.

What happened is lived through once more without the failure. Everything before the event in which the trouble began
stays. Of what came after it, what the failure is made of is left out (the failed step, what was cancelled because of
it), and what is not (the results of other branches) is kept. What is then without an answer is started anew. An event
whose own step went well, and behind which something failed at once, is handed over to the new run: it happens there.

A run that was undone begins at the first step that was undone: what is undone must be done again. Where that
is not enough it is refused, with the reason; nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from contracts.errors import PermanentError
from contracts.json import Json
from contracts.problems import CANCELLED, Problem
from workflows.engine.advance import advance, new_state
from workflows.engine.events import Begun, Decision, Done, Event, Failed, Fired, Message, Resumed
from workflows.engine.landed import landed_to_json
from workflows.engine.past import Segment, Survey, is_troubled, state_before, survey
from workflows.engine.serial import copy_of
from workflows.engine.state import Operation, State
from workflows.engine.turn import ANSWERING_KINDS
from workflows.engine.waiting import find_approval
from workflows.language.plan import Foreach, Plan

_OF_A_WAIT = ("timeout", "remind", "escalate")
_OF_A_BATCH = "What it had done stands in its own history and is not undone: see to it by hand."
_SHOWN = 20


class CannotResumeError(PermanentError):
    """The run cannot go on from there: choose another step, or start a new run."""

    code = "cannot-resume"

    def __str__(self) -> str:
        """Return the detail alone: it is a full sentence."""
        return self.detail


@dataclass
class Resumption:
    """What a run goes on from.

    Attributes:
        state: The state; its phase is `running`, or `compensating` for a rollback.
        since: When the run stood there, milliseconds.
        landed: What is taken in at once, as `landed_to_json` wrote it.
        again: Paths of the steps that are entered anew, or of the compensations that are left to do.
    """

    state: State
    since: int
    landed: list[Json] = field(default_factory=list)
    again: tuple[str, ...] = ()


def redriven(past: Sequence[Segment], from_step: str | None = None) -> Resumption:
    """Return from where a run that has ended badly goes on.

    Args:
        past: All that happened, the oldest run first.
        from_step: Path or id of the step to begin at; None = the one that failed, or the first that was undone.

    Raises:
        CannotResumeError: It cannot, with the reason.
    """
    found = survey(past)
    _refuse(found.last)
    course = _Course(past, found)
    if from_step is not None:
        course.begin_with(course.entry_of(from_step))
    elif found.last.undone:
        course.begin_before(_settled(found, min(_undone_at(found))))
    else:
        course.leave_the_failure_out()
    return course.resumption()


def rolled_back(past: Sequence[Segment]) -> Resumption:
    """Return the state from which a rollback goes on that was incomplete, or that a terminated run never began.

    Raises:
        CannotResumeError: Nothing is left to undo.
    """
    plan, found = past[-1].plan, survey(past).last
    last = _answered(_undoing_all(plan), _stopped(found))
    state = copy_of(last)
    # What was begun is undone before what was not; each list is in the order in which it was made.
    state.armed = [*last.armed, *reversed(last.remaining)]
    if last.slice is not None or not state.armed:
        raise CannotResumeError(f"There is nothing left to undo: the run is {last.status}.")
    state.phase, state.cause = "compensating", "failure"
    state.left, state.remaining, state.operations = list(_batches(plan, found)), [], {}
    state.frames, state.scopes = {}, {}
    for entry in state.armed:
        state.records.pop(f"{entry.path}/compensate", None)
    return Resumption(state, last.now, again=tuple(entry.path for entry in reversed(state.armed)))


def _stopped(last: State) -> State:
    """Have a run that was terminated at work unwind: it settles, as far as it can."""
    if last.phase != "running":
        return last
    state = copy_of(last)
    problem = Problem(CANCELLED, "The run was terminated", 499, "Temporal ended it without asking it.")
    state.phase, state.cause, state.problem = "settling", "failure", problem.to_json()
    state.waits, state.held, state.draining, state.full = {}, [], False, False
    state.operations = {name: each for name, each in last.operations.items() if each.kind in ANSWERING_KINDS}
    return state


def _batches(plan: Plan, last: State) -> Iterator[dict[str, Json]]:
    """Yield the batches that were terminated with the run: what they had done, they had not told yet."""
    for identity, operation in last.operations.items():
        if isinstance(plan.nodes.get(operation.node), Foreach) and operation.kind == "child":
            problem = Problem(CANCELLED, "The batch was terminated", 499, _OF_A_BATCH, outcome="unknown")
            yield {"step": identity, "action": "foreach", "problem": problem.to_json()}


def _undoing_all(plan: Plan) -> Plan:
    """Who asks for a rollback wants it, whatever the definition says of failures."""
    return replace(plan, saga=replace(plan.saga, on=plan.saga.on | {"failure"}))


def _answered(plan: Plan, last: State) -> State:
    """Take what was in flight when a run was terminated while it settled for something of unknown outcome."""
    problem = Problem(CANCELLED, "Cancelled", 499, outcome="unknown")
    for identity, operation in tuple(last.operations.items()):
        if last.phase == "settling" and operation.kind in ANSWERING_KINDS:
            last, _ = advance(plan, last, Failed(last.now, identity, problem))
    return last


def _refuse(last: State) -> None:
    run = last.run.get("workflow_id")
    if last.slice is not None:
        raise CannotResumeError(f"{run} is a batch of another run: redrive that one.")
    if last.status in ("completed", "recovered"):
        raise CannotResumeError(f"{run} is {last.status}: there is nothing to do again.")
    if last.left or last.phase == "compensating":
        paths = ", ".join(str(entry["step"]) for entry in last.left) or "what it was undoing"
        raise CannotResumeError(
            f"The rollback of {run} is not complete ({paths}): finish it with `saga compensate {run}`, then redrive."
        )


def _undone_at(found: Survey) -> Iterator[int]:
    for path in found.last.undone:
        if path not in found.answered:
            raise CannotResumeError(f"It cannot be told when `{path}`, which was undone, had been done.")
        yield found.answered[path]


def _settled(found: Survey, number: int) -> int:
    """Return the last moment up to `number` at which the run was at work and no block was about to fail."""
    while number > 0 and (found.moments[number].troubled or not found.moments[number].running):
        number -= 1
    return number


class _Course:
    """The past, lived through in another way from one moment on."""

    def __init__(self, past: Sequence[Segment], found: Survey) -> None:
        self._past, self._found = past, found
        self._landed: list[Json] = []
        self._anew: list[list[Json]] = []
        self._begin_before(0)

    def entry_of(self, step: str) -> int:
        """Return the moment at which a step was entered."""
        entered = self._found.entered
        paths = [step] if step in entered else [path for path in entered if path.rpartition("/")[2] == step]
        if len(paths) == 1 and not paths[0].endswith("/compensate"):
            return entered[paths[0]]
        if len(paths) > 1:
            raise CannotResumeError(f"`{step}` was reached more than once: name one of {_listed(paths)}.")
        reached = [path for path in entered if not path.endswith("/compensate")]
        raise CannotResumeError(f"The run has not reached a step `{step}`. It has reached: {_listed(reached)}.")

    def begin_before(self, number: int) -> None:
        """Go on before an event; all results from there on are dropped, messages come again."""
        self._begin_before(number)
        self._hand_over_messages(number)

    def begin_with(self, number: int) -> None:
        """Go on with an event that entered a step."""
        self._begin_before(number)
        if self._moment.troubled:
            raise CannotResumeError("That step ran while a failure was being dealt with: begin at an earlier one.")
        event = self._moment.event
        done = {entry.path for entry in self._state.armed} | _done_by(event)
        gone = [path for path, when in self._found.undone.items() if when >= number and path in done]
        if gone:
            raise CannotResumeError(f"{_listed(gone)}, done before that step, was undone: begin there or earlier.")
        if isinstance(event, Resumed):
            self._landed += event.landed
        elif isinstance(event, Done | Failed | Fired | Message | Decision):
            self._landed.append(landed_to_json(event))
        self._hand_over_messages(number + 1)

    def leave_the_failure_out(self) -> None:
        """Live through what came since the trouble began, without it."""
        unwound = self._found.unwound()
        if unwound is None:
            self._begin_before(len(self._found.moments))
            return
        number = _settled(self._found, unwound)
        self._begin_before(number)
        for moment in self._found.moments[number:]:
            if isinstance(moment.event, Resumed) and moment.index == 0 and moment is self._moment:
                self._landed += moment.event.landed
            elif self._state.frames:
                self._live(moment.event)

    def resumption(self) -> Resumption:
        """Return the state, with what has no answer to be started anew."""
        self._settle_cancelled()
        state, last = self._state, self._found.last
        if state.phase != "running":
            raise CannotResumeError("What the run had done at that moment cannot be told: begin at an earlier step.")
        again = tuple(self._hold())
        self._keep_keys()
        state.draining = state.full = state.stays = False
        state.undone, state.left = [], []
        state.uuids, state.sequence = max(state.uuids, last.uuids), last.sequence
        landed = {document.get("message_id") for document in self._landed if isinstance(document, dict)}
        state.seen |= {name: None for name in last.seen if name not in landed}
        return Resumption(state, state.now, self._landed, again)

    def _begin_before(self, number: int) -> None:
        moments = self._found.moments
        self._number = number
        if number == len(moments):
            self._state, self._plan = copy_of(self._found.last), self._past[-1].plan
            return
        self._moment = moments[number]
        self._plan = self._past[self._moment.segment].plan
        self._state = state_before(self._past, self._moment)
        if isinstance(self._moment.event, Begun):
            self._state = new_state(self._plan)
            self._state.run, self._state.input = dict(self._found.last.run), self._moment.event.input

    def _hand_over_messages(self, number: int) -> None:
        self._landed += [
            landed_to_json(moment.event) for moment in self._found.moments[number:] if isinstance(moment.event, Message)
        ]

    def _live(self, event: Event) -> None:
        """Take an event in, unless it is part of the failure or leads to one at once."""
        if not self._concerns(event):
            return
        after, _ = advance(self._plan, copy_of(self._state), event)
        if after.phase == "running" and not (is_troubled(after) and not is_troubled(self._state)):
            self._state = after
        elif isinstance(event, Done | Message):
            self._landed.append(landed_to_json(event))
        elif isinstance(event, Decision | Fired):
            self._refuse_wait(event, after)

    def _concerns(self, event: Event) -> bool:
        match event:
            case Failed():
                operation = self._state.operations.get(event.id)
                return operation is not None and (operation.cancelled or event.problem.type != CANCELLED)
            case Done() | Fired():
                return event.id in self._state.operations
        return isinstance(event, Message | Decision)

    def _refuse_wait(self, event: Decision | Fired, after: State) -> None:
        """A decision or time-out that made its step fail: it is asked again; else the event is handed over."""
        path = event.id.rpartition("/")[0] if isinstance(event, Fired) else self._approval(event)
        wait = self._state.waits.get(path)
        row = after.records.get(path)
        if wait is not None and row is not None and row.status == "failed":
            del self._state.waits[path]
            self._drop(path)
            self._anew.append([wait.frame, wait.node])
        elif isinstance(event, Decision):
            self._landed.append(landed_to_json(event))

    def _approval(self, event: Decision) -> str:
        wait = find_approval(self._plan.nodes, self._state.waits, event.step)
        return "" if wait is None else wait.path

    def _settle_cancelled(self) -> None:
        """What was cancelled, and not because of the failure, is answered as it was."""
        answers = self._answers()
        while True:
            waiting = (name for name, operation in self._state.operations.items() if _is_cancelled(operation))
            identity = next(waiting, None)
            if identity is None:
                return
            problem = Problem(CANCELLED, "Cancelled", 499, outcome="unknown")
            answer = answers.get(identity, Failed(self._state.now, identity, problem))
            self._state, _ = advance(self._plan, self._state, answer)

    def _answers(self) -> dict[str, Done | Failed]:
        later = (moment.event for moment in self._found.moments[self._number :])
        return {event.id: event for event in later if isinstance(event, Done | Failed)}

    def _hold(self) -> Iterator[str]:
        """Have every step that has no answer entered anew."""
        state = self._state
        landed = {document.get("id") for document in self._landed if isinstance(document, dict)}
        for identity, operation in tuple(state.operations.items()):
            if operation.kind in ANSWERING_KINDS and identity not in landed:
                del state.operations[identity]
                self._drop(identity)
                self._anew.append([operation.frame, operation.node])
            elif operation.kind == "notice":
                del state.operations[identity]
        for number, node in (*state.held, *self._anew):
            assert isinstance(number, int)
            yield f"{state.frames[number].prefix}{node}"
        state.held += self._anew

    def _drop(self, path: str) -> None:
        self._state.records.pop(path, None)
        for role in _OF_A_WAIT:
            self._state.operations.pop(f"{path}/{role}", None)

    def _keep_keys(self) -> None:
        """Keep the keys, and what would undo them, of steps that may be done again although their effect stands."""
        state, found = self._state, self._found
        undone = {path for path, when in found.undone.items() if when >= self._number}
        known = {entry.path for entry in state.armed}
        state.keys = {path: run for path, run in state.keys.items() if path not in undone}
        for path, run in found.standing.items():
            if found.answered.get(path, self._number) >= self._number:
                state.keys[path] = run
        state.armed += [entry for path, entry in found.armed.items() if path in state.keys and path not in known]


def _done_by(event: Event) -> set[str]:
    if not isinstance(event, Done | Failed):
        return set()
    return {event.id, *(str(entry["path"]) for entry in event.armed if isinstance(entry, dict))}


def _is_cancelled(operation: Operation) -> bool:
    return operation.cancelled and operation.kind in ANSWERING_KINDS


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(f"`{path}`" for path in paths[:_SHOWN]) + more


def moved(resumption: Resumption, plan: Plan) -> None:
    """Have the run go on under another version; `resuming.misfits` says whether it can."""
    state = resumption.state
    state.definition, state.version, state.digest = plan.id, plan.version, plan.digest
