"""Faults at a crash point, for chosen events: an unexpected error in the middle of the handling.

A bridge's hooks are called in the task that handles an event: `check` notes which one it is, `reached` raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from contracts.envelope import Event

_HANDLED: ContextVar[str] = ContextVar("_HANDLED")


@dataclass
class FaultInjector:
    """Raises at `point`, for events that `wanted` picks, so many times each."""

    point: str
    wanted: Callable[[str], bool]
    times: int
    failed: Counter[str] = field(default_factory=Counter)

    def check(self, event: Event) -> None:
        """Note which event this task is about."""
        _HANDLED.set(event.id)

    def reached(self, name: str) -> None:
        """Raise, if this point and event were chosen."""
        identity = _HANDLED.get("")
        if name == self.point and self.wanted(identity) and self.failed[identity] < self.times:
            self.failed[identity] += 1
            raise RuntimeError(f"planned failure {self.failed[identity]} of {identity}")
