"""Triggers as written: what starts, signals or cancels a run of the definition, and when."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.language.node_parts import Condition, Located, Seconds, Text
from workflows.language.tree import Position, Tree


@dataclass(frozen=True, slots=True)
class Start:
    """`start` of a trigger."""

    at: Position
    key: Tree | None = None
    input: Tree | None = None
    if_running: Text | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """`signal` of a trigger, with the trigger's `if_missing`."""

    at: Position
    key: Tree
    name: Text
    data: Tree | None = None
    if_missing: Text | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """`cancel` of a trigger, with the trigger's `if_missing`."""

    at: Position
    key: Tree
    if_missing: Text | None = None


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """A trigger with `event`."""

    at: Position
    event: Text
    does: Start | Signal | Cancel
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """A trigger with `schedule`."""

    at: Position
    cron: Text
    timezone: Text | None = None
    overlap: Text | None = None
    catch_up: Seconds | None = None
    jitter: Seconds | None = None
    paused: Located[bool] | None = None
    input: Tree | None = None
