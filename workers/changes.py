"""What a new state of a run means for who watches: what began in it, and what ended.

A sink gets the state alone, which the engine changes in place, so there is no old one to compare with. But what a
turn changes bears the turn's moment (`state.now`). Only turns of one moment, those of one workflow task, must be told
apart: `Told` remembers, for each run, what was told of its latest moment, and no more. So a run that comes from
another worker needs no memory, and nothing of a replay is told.

A query of a run that is not in memory may take in what no workflow task has taken in yet, and the SDK calls that no
replay. The task that comes then takes the same in once more, at another moment: so a turn is told by its number once.

A part of a run (a batch of a `foreach` that runs as a child) has steps of its own, but begins and ends no run.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from contracts.json import Json
from workflows.engine.events import Begun, Event, Resumed
from workflows.engine.state import State, StepRecord
from workflows.temporal.course import Move

MOST_RUNS: Final = 10_000
"""How many runs are remembered; of one that was forgotten, a step of the same millisecond might be told twice."""

UNDOING: Final = "/compensate"
_COMPENSATING = "compensating"
_ENDED = "ended"
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began."""


@dataclass(frozen=True, slots=True)
class RunCompensating:
    """A run began to undo what it did."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ended, as its status says."""

    status: str
    took: timedelta


@dataclass(frozen=True, slots=True)
class StepWaiting:
    """A step waits for people or a message."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step ended: completed, failed, skipped, cancelled, rejected ..."""

    path: str
    status: str
    took: timedelta
    detail: str

    @property
    def step(self) -> str:
        """Its id in the definition, with `/compensate` where it is the compensation of that step."""
        undoing = self.path.endswith(UNDOING)
        identity = _INDEX.sub("", self.path.removesuffix(UNDOING).rpartition("/")[2])
        return identity + UNDOING if undoing else identity


@dataclass(frozen=True, slots=True)
class MessagesRefused:
    """Messages came that could not be taken or kept: unreadable, or too many."""

    number: int


Change: TypeAlias = RunStarted | RunCompensating | RunEnded | StepWaiting | StepEnded | MessagesRefused
Taker: TypeAlias = Callable[[int, State, Change], None]
"""Takes the number of the event, the state (which it must neither keep nor change), and what changed with it."""


@dataclass(slots=True)
class Told:
    """What was told of a run's latest moment, and the number of its latest turn."""

    at: int = -1
    names: set[str] | None = None
    turn: int = 0

    def is_next(self, turn: int) -> bool:
        """Tell whether this turn was not told yet, and take it as told."""
        if turn <= self.turn:
            return False
        self.turn = turn
        return True

    def is_news(self, at: int, name: str) -> bool:
        """Tell whether this was not told yet, and take it as told."""
        if at != self.at or self.names is None:
            self.at, self.names = at, set()
        if name in self.names:
            return False
        self.names.add(name)
        return True


def changes(event: Event, state: State, told: Told) -> Iterator[Change]:
    """Yield what `event` led to, in the order: the run's start, its steps, its rollback, its end."""
    whole = state.slice is None
    if whole and isinstance(event, Begun | Resumed):
        yield RunStarted()
    if state.touched.refused:
        yield MessagesRefused(state.touched.refused)
    yield from _steps(state, told)
    if whole and _began_to_compensate(state) and told.is_news(state.now, _COMPENSATING):
        yield RunCompensating()
    if whole and state.phase == "ended" and told.is_news(state.now, _ENDED):
        yield RunEnded(state.status, _span(_started_at(state), state.now))


def _steps(state: State, told: Told) -> Iterator[Change]:
    now = state.now
    for record in state.records.values():
        if record.ended == now and told.is_news(now, f"{record.path} {record.status}"):
            yield _ended(record)
    for wait in state.waits.values():
        if wait.since == now and told.is_news(now, f"{wait.path} waits"):
            yield StepWaiting(wait.path, wait.title)


def _ended(record: StepRecord) -> StepEnded:
    return StepEnded(record.path, record.status, _span(record.started, record.ended or record.started), record.detail)


def _began_to_compensate(state: State) -> bool:
    """Tell whether the first compensations are of this moment; a run without any undoes nothing."""
    if state.status != _COMPENSATING and not (state.undone or state.left):
        return False
    undoing = [record.started for record in state.records.values() if record.path.endswith(UNDOING)]
    return bool(undoing) and min(undoing) == state.now


def _started_at(state: State) -> int:
    started = state.run.get("started_at")
    return started if isinstance(started, int) else state.now


def _span(start: int, end: int) -> timedelta:
    return timedelta(milliseconds=max(end - start, 0))


def text_of(state: State, name: str) -> str:
    """Return a text of what a run knows about itself; empty where it has none."""
    value: Json = state.run.get(name)
    return value if isinstance(value, str) else ""


class ChangeSink:
    """A sink that gives each change to takers. Workflow tasks run on many threads, so a lock holds the memory."""

    def __init__(self, *takers: Taker) -> None:
        """Give each change to all of `takers`, in their order."""
        self._takers = takers
        self._told: OrderedDict[str, Told] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, move: Move) -> None:
        """Take a new state."""
        told = self._memory(move.execution)
        if not told.is_next(move.state.sequence):
            return
        for change in changes(move.event, move.state, told):
            for take in self._takers:
                take(move.state.sequence, move.state, change)

    def _memory(self, run: str) -> Told:
        with self._lock:
            told = self._told.setdefault(run, Told())
            self._told.move_to_end(run)
            if len(self._told) > MOST_RUNS:
                self._told.popitem(last=False)
        return told
