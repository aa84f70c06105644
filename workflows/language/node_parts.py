"""What several nodes of the source form share: values with their places, how an action is carried out and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from workflows.language.tree import Position, Scalar, Tree

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Located(Generic[T_co]):
    """A value and where it stands."""

    value: T_co
    at: Position


@dataclass(frozen=True, slots=True)
class Condition:
    """Bare CEL: `condition`, `if`, `when`, `match`, `while`, `until`. `source` places a part of the text."""

    text: str
    source: Scalar

    @property
    def at(self) -> Position:
        """Where the expression stands."""
        return self.source.at


Text = Located[str]
Seconds = Located[float]


@dataclass(frozen=True, slots=True)
class Retry:
    """`retry`; seconds, whichever way they were written."""

    at: Position
    attempts: Located[int] | None = None
    backoff: Seconds | None = None
    factor: Located[float] | None = None
    max_backoff: Seconds | None = None
    jitter: Located[float] | None = None
    on: tuple[Text, ...] = ()
    not_on: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """How an action is carried out: the keys that action, emit and a compensation share."""

    retry: Retry | None = None
    timeout: Seconds | None = None
    attempt_timeout: Seconds | None = None
    heartbeat: Seconds | None = None
    run: Located[Literal["local", "remote"]] | None = None
    queue: Text | None = None
    priority: Located[int] | None = None


UNSAID = Acting()
"""No key that says how an action is carried out was given."""


@dataclass(frozen=True, slots=True)
class Undo:
    """`compensate`: either `step` (a step id) or `action` with `args` (None = the run's input)."""

    at: Position
    step: Text | None = None
    action: Text | None = None
    args: Tree | None = None
    acting: Acting = UNSAID


@dataclass(frozen=True, slots=True)
class Compensation:
    """One entry of the top-level `compensation` map: `step` is undone by the step `undo`."""

    step: Text
    undo: Text


@dataclass(frozen=True, slots=True)
class Handler:
    """One arm of `on_error`; `next` None = `continue`."""

    at: Position
    errors: tuple[Text, ...] = ()
    when: Condition | None = None
    next: Text | None = None
