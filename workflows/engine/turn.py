"""A turn: one call of `advance`, with what it reads, changes and asks for.

The rules of the language never call each other. Each puts what follows on the turn's agenda (enter a node, a step
succeeded, a path ended ...) and `advance` works it off in order; so there is no recursion, blocks of any depth cost
the same stack, and each rule is read by itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from contracts.json import Json
from contracts.problems import Problem, readable
from workflows.engine.commands import Cancel, Command, StartTimer
from workflows.engine.state import Frame, Operation, Scope, State, StepRecord
from workflows.language.plan import AnyNode, Plan

RECORD_LIMIT = 1000
LONGEST_DETAIL = 1000
"""Characters of a row's detail: a thousand rows are carried from execution to execution."""
_FORGOTTEN_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Enter:
    """The path goes on at a node, or ends (`node` None)."""

    frame: int
    node: str | None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The step at which the frame stands has succeeded; `detail` is told in its row."""

    frame: int
    output: Json
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Broke:
    """The step at which the frame stands has failed."""

    frame: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class Diverted:
    """The step at which the frame stands is over, and the path goes on elsewhere than at its successor."""

    frame: int
    status: str
    output: Json
    next: str | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PathEnded:
    """The path of a frame has come to its end."""

    frame: int


@dataclass(frozen=True, slots=True)
class PathBroke:
    """The path of a frame ends by a problem that none of its handlers took."""

    frame: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class PathSettled:
    """A cancelled path has nothing in flight any more."""

    frame: int


Task = Enter | Succeeded | Broke | Diverted | PathEnded | PathBroke | PathSettled


@dataclass(slots=True)
class Turn:
    """The plan and state of a run, the moment, and what this turn has led to so far."""

    plan: Plan
    state: State
    at: int
    commands: list[Command] = field(default_factory=list)
    agenda: deque[Task] = field(default_factory=deque)

    def node(self, frame: Frame) -> AnyNode:
        """Return the node at which the frame stands."""
        assert frame.node is not None
        return self.plan.nodes[frame.node]

    def open_scope(self, parent: int | None, names: dict[str, Json]) -> int:
        """Make a scope and return its number."""
        number = self.state.next_scope
        self.state.next_scope += 1
        self.state.scopes[number] = Scope(parent, {}, names)
        return number

    def open_frame(self, parent: Frame, role: str, label: str, scope: int, prefix: str) -> Frame:
        """Make a child frame of the block at which `parent` stands."""
        number = self.state.next_frame
        self.state.next_frame += 1
        frame = Frame(number, parent.id, role, label, prefix, scope)
        self.state.frames[number] = frame
        parent.children.append(number)
        return frame

    def close_frame(self, frame: Frame) -> None:
        """Forget a frame, and its scope where that was its own."""
        del self.state.frames[frame.id]
        if frame.parent is None:
            return
        parent = self.state.frames[frame.parent]
        parent.children.remove(frame.id)
        if frame.scope != parent.scope:
            del self.state.scopes[frame.scope]

    def start_timer(self, identity: str, frame: Frame, seconds: float, role: str, summary: str) -> None:
        """Start a timer for the step at which the frame stands."""
        assert frame.node is not None
        self.schedule(
            identity, Operation("timer", frame.id, frame.node, self.at + round(seconds * 1000), role), summary
        )

    def schedule(self, identity: str, timer: Operation, summary: str) -> None:
        """Ask for a timer that fires when `timer.due` has come."""
        assert timer.due is not None
        self.state.operations[identity] = timer
        self.commands.append(StartTimer(identity, max(0.0, (timer.due - self.at) / 1000), summary))

    def drop(self, identity: str) -> None:
        """Cancel a timer or a notice, if it is in flight, and forget it."""
        if self.state.operations.pop(identity, None) is not None:
            self.commands.append(Cancel(identity))

    def cancel(self, identity: str) -> bool:
        """Ask to cancel an activity or child once; return whether there is one, which will still answer."""
        operation = self.state.operations.get(identity)
        if operation is None or operation.kind not in ANSWERING_KINDS:
            return False
        if not operation.cancelled:
            operation.cancelled = True
            self.commands.append(Cancel(identity))
        return True

    def record(self, path: str, status: str, detail: str = "", problem: str = "") -> None:
        """Write a row of the live table of steps; `problem` is the type of the one that it failed with."""
        records = self.state.records
        row = records.get(path)
        if row is None:
            records[path] = row = StepRecord(path, status, self.at)
            _forget_oldest(records)
        self.state.touched.records[path] = row
        if problem:
            self.state.touched.problems[path] = problem
        row.status, row.detail = status, readable(detail, LONGEST_DETAIL)
        row.ended = None if status in OPEN_STATUSES else self.at


ANSWERING_KINDS = frozenset({"activity", "child"})
OPEN_STATUSES = frozenset({"running", "waiting", "compensating"})


def step_path(frame: Frame, node: str) -> str:
    """Return the path that names a step for good, such as `pack[3]/weigh`."""
    return frame.prefix + node


def scope_key(node: str) -> str:
    """Return the name by which expressions refer to a step: its id with underscores."""
    return node.replace("-", "_")


def _forget_oldest(records: dict[str, StepRecord]) -> None:
    """Drop the oldest rows that have ended, some at a time: to look for them past thousands that run takes its time."""
    if len(records) <= RECORD_LIMIT or len(records) % _FORGOTTEN_AT_ONCE:
        return
    ended = (path for path, row in records.items() if row.ended is not None)
    for path in list(islice(ended, len(records) - RECORD_LIMIT)):
        del records[path]
