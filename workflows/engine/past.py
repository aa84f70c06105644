"""The past of a run, walked through once more: what happened when, and how things stood before.

The engine is pure, so the events are all there is to keep: the state at any moment is the state at the beginning,
advanced over what came before. A run that resumed another one has a past of several segments, each with the plan that
it followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from contracts.json import Json
from workflows.engine.advance import advance, new_state
from workflows.engine.events import Done, Event, Failed
from workflows.engine.serial import state_from_json
from workflows.engine.state import Armed, Frame, State
from workflows.engine.turn import ANSWERING_KINDS
from workflows.language.plan import Plan


@dataclass(frozen=True, slots=True)
class Segment:
    """One run, with all its continuations.

    Attributes:
        plan: The version that it followed.
        events: All that happened, in order; the first is `Begun` or `Resumed`.
        begun_from: The state that it was resumed from, or None.
    """

    plan: Plan
    events: Sequence[Event]
    begun_from: dict[str, Json] | None = None

    def first_state(self) -> State:
        """Return the state before the first event."""
        # The engine changes what it is given, lists of the document included.
        return new_state(self.plan) if self.begun_from is None else state_from_json(deepcopy(self.begun_from))


@dataclass(frozen=True, slots=True)
class Moment:
    """One event. `troubled` = a block was waiting to fail when it came; `running` = the run was not unwinding."""

    segment: int
    index: int
    event: Event
    troubled: bool
    running: bool


@dataclass
class Survey:
    """What a walk through the past found; moments are counted over all segments.

    Attributes:
        last: The state at the end.
        answered: The moment of the last answer of each operation that acts, and of what slices armed.
        entered: The moment at which each step was last entered.
        standing: Paths whose effect may stand, unless it was undone, with the run id in their idempotency key.
        armed: The last compensation that was armed for each path.
        undone: The moment at which each path was last undone.
    """

    last: State
    moments: list[Moment] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    armed: dict[str, Armed] = field(default_factory=dict)
    undone: dict[str, int] = field(default_factory=dict)

    def unwound(self) -> int | None:
        """Return the moment at which the run began to unwind for the last time, or None: it never did."""
        running = [number for number, moment in enumerate(self.moments) if moment.running]
        if self.last.phase == "running" or not running:
            return None
        return running[-1]


def survey(past: Sequence[Segment]) -> Survey:
    """Walk through the past."""
    found = Survey(past[-1].first_state())
    for number, segment in enumerate(past):
        found.last = state = segment.first_state()
        for index, event in enumerate(segment.events):
            moment = Moment(number, index, event, is_troubled(state), state.phase == "running")
            _note_answer(found, state, event)
            rows = frozenset(state.records)
            state, _ = advance(segment.plan, state, event)
            found.last = state
            found.entered |= dict.fromkeys(state.records.keys() - rows, len(found.moments))
            _note_armed(found, state)
            found.moments.append(moment)
        # What was in flight when a run was terminated may have had its effect by then.
        found.answered |= dict.fromkeys(_acting(state), len(found.moments))
    for identity in _acting(found.last):
        found.standing[identity] = _key_run(found.last, identity)
    return found


def state_before(past: Sequence[Segment], moment: Moment) -> State:
    """Return how things stood before an event."""
    segment = past[moment.segment]
    state = segment.first_state()
    for event in segment.events[: moment.index]:
        state, _ = advance(segment.plan, state, event)
    return state


def is_troubled(state: State) -> bool:
    """Tell whether a block waits for its paths to settle and will then fail."""
    return any("problem" in frame.block for frame in state.frames.values())


def _note_answer(found: Survey, state: State, event: Event) -> None:
    if not isinstance(event, Done | Failed):
        return
    operation = state.operations.get(event.id)
    if operation is not None and operation.kind == "undo" and isinstance(event, Done):
        _note_undone(found, event.id.removesuffix("/compensate"))
    if operation is None or operation.kind not in ANSWERING_KINDS:
        return
    found.answered[event.id] = len(found.moments)
    for entry in event.armed:
        assert isinstance(entry, dict)
        found.answered[str(entry["path"])] = len(found.moments)
    certain = isinstance(event, Failed) and event.problem.outcome == "failed"
    if certain or _follows_failure(state, state.frames.get(operation.frame)):
        found.standing.pop(event.id, None)
    else:
        found.standing[event.id] = _key_run(state, event.id)


def _note_undone(found: Survey, path: str) -> None:
    found.undone[path] = len(found.moments)
    found.standing.pop(path, None)
    found.armed.pop(path, None)


def _follows_failure(state: State, frame: Frame | None) -> bool:
    """Tell whether a step belongs to how a failure was dealt with: done again, it must have its effect again."""
    while frame is not None:
        if frame.error is not None or frame.role in ("catch", "final"):
            return True
        frame = None if frame.parent is None else state.frames[frame.parent]
    return False


def _note_armed(found: Survey, state: State) -> None:
    for entry in reversed(state.armed):
        if found.armed.get(entry.path) is entry:
            return
        found.armed[entry.path] = entry


def _acting(state: State) -> Iterator[str]:
    for identity, operation in state.operations.items():
        if operation.kind in ANSWERING_KINDS:
            yield identity


def _key_run(state: State, path: str) -> str:
    return state.keys.get(path, str(state.run["id"]))
