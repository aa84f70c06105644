"""Triggers as written: what starts, signals or cancels a run of the definition, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from workflows.language.node_parts import Condition, Located, Seconds, Text
from workflows.language.tree import Position, Table, Tree


@dataclass(frozen=True, slots=True)
class Start:
    """`start` of a trigger."""

    at: Position
    key: Tree | None = None
    input: Tree | None = None
    if_running: Text | None = None


IfMissing: TypeAlias = Text | Seconds | None
"""A word, or how long to hold."""


@dataclass(frozen=True, slots=True)
class Signal:
    """`signal` of a trigger, with the trigger's `if_missing`; it names its runs by `key` or by `correlate`."""

    at: Position
    key: Tree | None
    name: Text
    data: Tree | None = None
    if_missing: IfMissing = None
    correlate: Table | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """`cancel` of a trigger, with the trigger's `if_missing`."""

    at: Position
    key: Tree
    if_missing: IfMissing = None


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
