"""Commands: what the engine asks of the shell, as plain data.

Each operation has an id (its step path, with a suffix where a step needs more than one) that is unique among the
operations in flight; the event that answers carries the same id.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.json import Json
from contracts.problems import Problem
from contracts.steps import StepContext
from workflows.language.plan import Execution


@dataclass(frozen=True, slots=True)
class StartActivity:
    """Start an action; answered by Done or Failed. `summary` names the step in the Temporal UI."""

    id: str
    action: str
    args: Json
    context: StepContext
    execution: Execution
    summary: str


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Start a durable timer; answered by Fired."""

    id: str
    seconds: float
    summary: str


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child workflow; answered by Done or Failed.

    Attributes:
        workflow: `id` or `id@version`; for a slice of a foreach the run's own, pinned.
        key: Business key, or None: `<parent workflow id>/<path>` is the workflow id.
        wait: False: answered once started, and the child is abandoned when the parent closes.
        slice: JSON of `events.Slice`, or None.
        priority: 1 to 5, or None.
    """

    id: str
    workflow: str
    input: Json
    key: str | None
    wait: bool
    summary: str
    slice: Json = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an operation. A timer is gone at once; an activity or child still answers, once it has settled."""

    id: str


@dataclass(frozen=True, slots=True)
class UpsertAttributes:
    """Set search attributes; only sent when a value changed."""

    values: dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class ContinueAsNew:
    """End this execution and go on in a new one with the state as it is."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The run has ended well; the rest is what a slice tells the run that it is a part of.

    Attributes:
        armed: What may have to be undone.
        variables: The variables that it has assigned.
        whole: Whether an `end` step has finished the whole run, with `result`.
    """

    result: Json
    armed: tuple[Json, ...] = ()
    variables: dict[str, Json] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """The run has failed; the problem holds the status and what is left to undo; `armed` as in `Complete`."""

    problem: Problem
    armed: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelRun:
    """The run ends as cancelled."""

    problem: Problem


Command = (
    StartActivity | StartTimer | StartChild | Cancel | UpsertAttributes | ContinueAsNew | Complete | Fail | CancelRun
)
