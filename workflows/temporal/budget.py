"""What one workflow task does at most.

Temporal gives a task two seconds and takes some megabytes of commands from it. What is sent to a run in a flood, or
started at once, is therefore spread over several tasks: a timer of a millisecond ends this one and brings the next. All
that is counted follows from the history, so a replay divides the work in the same way.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow

from contracts.sizes import PAYLOAD_LIMIT_BYTES
from workflows.engine.events import Decision, Event, Message, MessageRefused

MESSAGES: Final = 500
"""Signals that one task takes in."""

_PAUSE: Final = timedelta(milliseconds=1)


class TaskBudget:
    """What is left of the current workflow task."""

    def __init__(self) -> None:
        """Begin with a whole one."""
        self._history_length = 0
        self._messages = 0
        self._bytes = 0

    def is_full(self, event: Event) -> bool:
        """Count an event that is about to be taken in, or tell that it has to wait for the next task."""
        if not isinstance(event, Message | MessageRefused | Decision):
            return False
        self._look()
        if self._messages >= MESSAGES:
            return True
        self._messages += 1
        return False

    def takes(self, size: int) -> bool:
        """Count a command of `size` bytes, or tell that it has to wait. The first of a task goes, whatever its size."""
        self._look()
        if self._bytes and self._bytes + size > PAYLOAD_LIMIT_BYTES:
            return False
        self._bytes += size
        return True

    def spend(self, size: int) -> None:
        """Count bytes that this task sends beyond what was counted; less than nothing gives some back."""
        self._look()
        self._bytes = max(0, self._bytes + size)

    async def next(self) -> None:
        """Wait for the next task."""
        await workflow.sleep(_PAUSE, summary="A task is full: the rest follows")

    def _look(self) -> None:
        length = workflow.info().get_current_history_length()
        if length != self._history_length:
            self._history_length, self._messages, self._bytes = length, 0, 0
