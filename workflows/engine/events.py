"""Events: everything that can happen to a run, as plain data.

The shell turns what Temporal resolves (results, timers, signals, updates, cancellation) into these, in the order in
which Temporal delivers them, and gives each to `advance`. `at` is workflow time, milliseconds since the epoch, UTC;
it is the only clock of the engine. `id` of an operation's event is the id of the command that started it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.revision import FIRST


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run knows about itself from outside; constant for its life.

    Attributes:
        id: First execution run id of the workflow: the same through continue-as-new and reset.
        workflow_id: Temporal's workflow id.
        key: Business key; from the workflow id `<definition>/<key>`, or the workflow id itself.
        correlation_id: Of the event that started it, or None.
        depth: How many runs stand above it: each started the next as a step.
        engine: The revision of the engine that it began with.
    """

    id: str
    workflow_id: str
    key: str
    correlation_id: str | None = None
    depth: int = 0
    engine: int = FIRST


@dataclass(frozen=True, slots=True)
class Slice:
    """A batch of a `foreach` that runs as a child: the items of one slice, with what the parent's scope holds.

    Attributes:
        node: Id of the foreach.
        prefix: Path of the frame in which the parent runs it.
        offset: Index of the first item.
        items: The items of the slice.
        steps: The steps in scope, by underscore name, as expressions see them.
        names: The item and index names in scope (of loops around the foreach).
        variables: The parent's vars.
        run: What the parent's `run` holds: the items are a part of that run, however they are worked off.
    """

    node: str
    prefix: str
    offset: int
    items: list[Json]
    steps: dict[str, Json] = field(default_factory=dict)
    names: dict[str, Json] = field(default_factory=dict)
    variables: dict[str, Json] = field(default_factory=dict)
    run: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """The run begins; always the first event of a run (not of a continuation, which goes on from its state)."""

    at: int
    info: RunInfo
    input: Json
    slice: Slice | None = None


@dataclass(frozen=True, slots=True)
class Continued:
    """The run goes on in a new execution after continue-as-new; timers and waiting are armed again."""

    at: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that had ended goes on in a new run, from a state that `redriving` made of what had happened to it.

    Attributes:
        info: What the new run knows about itself; its key is the old one's.
        since: When the old run stood there, milliseconds; what timers had left then, they have again.
        landed: What had happened already and is not to happen again, in order: `landed_to_json` of each event.
    """

    at: int
    info: RunInfo
    since: int
    landed: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """An activity or child succeeded. A child that was only started gives `{"workflow_id", "run_id"}`.

    `armed`, `variables` and `whole` are what a slice told at its end (see `commands.Complete`).
    """

    at: int
    id: str
    output: Json
    armed: tuple[Json, ...] = ()
    variables: dict[str, Json] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """An activity or child failed for good or was cancelled; `problem.outcome` says how certain that is.

    `armed` is what a slice had done by then.
    """

    at: int
    id: str
    problem: Problem
    armed: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Fired:
    """A timer fired."""

    at: int
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """A signal came, or an event that the bridge delivers as a signal.

    Attributes:
        name: Signal name.
        data: Its payload (for an event: the event's data, or what the trigger made of it).
        event: The event's envelope, or None for a plain signal.
        message_id: For deduplication, or None.
    """

    at: int
    name: str
    data: Json
    event: dict[str, Json] | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A signal came that cannot be read; it is put on record, and the run goes on without it."""

    at: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody decided an approval (by the update, after `refusal` had nothing against it, or by a signal).

    Attributes:
        step: Step id or path of the approval.
        approved: True = approve, False = reject.
        approver: Such as `user:alice` or `alice`.
        roles: Roles that the approver acts in, such as `security`.
        via: How it came: `signal`, `update`, `event`.
    """

    at: int
    step: str
    approved: bool
    approver: str
    roles: tuple[str, ...] = ()
    comment: str = ""
    data: Json = None
    via: str = "signal"
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody asked to cancel the run."""

    at: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Migrated:
    """The run follows another version from here on; the shell gives it, and all that comes after, with that plan.

    Its state fits the new plan (`migration.misfits` found nothing); it continues as new at once.
    """

    at: int
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class StateTooLarge:
    """The run cannot go on in a new execution: `size` is that of what it would carry over, bytes as it is sent."""

    at: int
    size: int


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """The history has grown long: start nothing new, and continue as new once nothing is in flight."""

    at: int


Event = (
    Begun
    | Continued
    | Resumed
    | Migrated
    | DrainRequested
    | StateTooLarge
    | Done
    | Failed
    | Fired
    | Message
    | MessageRefused
    | Decision
    | CancelRequested
)
