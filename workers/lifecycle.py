"""Lifecycle events: what a run's definition asks to be told of it, as events on the bus.

They are made from the stream of new states, so that a run's history knows nothing of them. An event's id is fixed by
the run, the number of the engine's event, and what happened: a workflow task that is carried out again, or a write
whose outcome nobody knows, gives the same event once more, and not another one. They are told at most once where the
process dies between the state and the outbox, or the queue is full (`workers.telling`): who must not miss one emits
it by a step.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, assert_never
from uuid import UUID, uuid5

from contracts.envelope import Event
from contracts.json import Json
from contracts.names import pin
from workers.changes import (
    UNDOING,
    Change,
    MessagesRefused,
    RunCompensating,
    RunEnded,
    RunStarted,
    StepEnded,
    StepWaiting,
    text_of,
)
from workflows.engine.state import State
from workflows.language.triggers import Definition
from workflows.language.watching import MOMENTS, PREFIX, Moment
from workflows.temporal.run import LibrarySource

IDS: Final = UUID("6f2e9c0c-4f0e-5a51-8d1b-0b0d3a1d7f42")
"""The name space of the ids; changing it would tell again what was told."""

VERSION: Final = "1.0"
_MEMBERS: Final = ("type", "title", "status", "detail", "instance", "outcome")
_MOST_TEXT: Final = 2_000
_STEP_MOMENTS: Final[dict[str, Moment]] = {"completed": "step.completed", "failed": "step.failed"}


def moment_of(change: Change) -> Moment | None:
    """Return the moment that a change is, or None: it is none that can be told."""
    match change:
        case RunStarted():
            return "started"
        case RunCompensating():
            return "compensating"
        case StepWaiting():
            return "waiting"
        case StepEnded(status=status):
            return _STEP_MOMENTS.get(status)
        case RunEnded(status=status):
            return status if status in MOMENTS else None
        case MessagesRefused():
            return None
        case _:
            assert_never(change)


def lifecycle_event(sequence: int, state: State, change: Change, moment: Moment, source: str) -> Event:
    """Return the event that tells of `change`.

    Args:
        sequence: Number of the engine's event.
        state: The run's state after it.
        change: What changed.
        moment: What it is called.
        source: Who tells it.
    """
    event_type, run = f"{PREFIX}{moment}", text_of(state, "id")
    step = change.path if isinstance(change, StepEnded | StepWaiting) else None
    identity = str(uuid5(IDS, "/".join([run, str(sequence), event_type, *([] if step is None else [step])])))
    at = datetime.fromtimestamp(state.now / 1000, UTC)
    return Event(identity, event_type, VERSION, at, source, _data(state, change), metadata_of(state, identity))


def metadata_of(state: State, identity: str) -> dict[str, Json]:
    """Return what puts the events of a run in a row, and ties them to what the run came from."""
    return {
        "group_id": text_of(state, "key") or text_of(state, "workflow_id"),
        "correlation_id": text_of(state, "correlation_id") or identity,
    }


def _data(state: State, change: Change) -> dict[str, Json]:
    data: dict[str, Json] = {
        "definition": state.definition,
        "version": state.version,
        "run_id": text_of(state, "id"),
        "workflow_id": text_of(state, "workflow_id"),
        "key": text_of(state, "key"),
        "status": state.status,
    }
    return data | _details(state, change)


def _details(state: State, change: Change) -> dict[str, Json]:
    match change:
        case RunStarted() | MessagesRefused():
            return {}
        case RunCompensating():
            return {"problem": _problem(state)}
        case RunEnded(took=took):
            ended: dict[str, Json] = {"duration_ms": round(took.total_seconds() * 1000)}
            return ended | ({} if state.problem is None else {"problem": _problem(state)})
        case StepWaiting(path=path, title=title):
            return {"step": path, "title": title[:_MOST_TEXT]}
        case StepEnded(path=path, took=took, detail=detail):
            return {
                "step": path,
                "compensation": path.endswith(UNDOING),
                "duration_ms": round(took.total_seconds() * 1000),
                "detail": detail[:_MOST_TEXT],
            }
        case _:
            assert_never(change)


def _problem(state: State) -> Json:
    """The members that tell what went wrong, and not what it went wrong with: an event has a greatest size."""
    if state.problem is None:
        return None
    return {
        name: value[:_MOST_TEXT] if isinstance(value, str) else value
        for name, value in state.problem.items()
        if name in _MEMBERS
    }


class LifecycleTeller:
    """A taker of changes (`workers.changes.Taker`) that makes events of those that a definition asks for."""

    def __init__(self, library: LibrarySource, tell: Callable[[Event], None], source: str) -> None:
        """Tell `tell`, on the thread of the workflow task, of runs whose definition `library` gives."""
        self._library, self._tell, self._source = library, tell, source

    def changed(self, sequence: int, state: State, change: Change) -> None:
        """Make an event of a change, if it is asked for."""
        moment = moment_of(change)
        definition = None if moment is None else self._definition(state)
        if definition is not None and moment is not None and moment in definition.lifecycle:
            self._tell(lifecycle_event(sequence, state, change, moment, self._source))

    def _definition(self, state: State) -> Definition | None:
        return self._library().pinned(state.definition, pin(state.version, state.digest))
