"""What one workflow task does at most.

Temporal gives a task two seconds and takes some megabytes of commands from it. What is sent to a run in a flood, or
started at once, is therefore spread over several tasks: a timer of a millisecond ends this one and brings the next. All
that is counted follows from the history, so a replay divides the work in the same way.

Local activities are carried out within a task, and a task that takes longer than the server waits (10 s) is begun
again from its start, with all of them. So a task takes a hundred, and a run with thousands gets on where all is slow.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow

from contracts.sizes import PAYLOAD_LIMIT_BYTES
from workflows.engine.events import Decision, Event, Message, MessageRefused

MESSAGES: Final = 500
"""Signals that one task takes in."""

LOCALS: Final = 100
"""Local activities that one task starts."""

MARKER_LOCALS: Final = "saga-local-budget"
"""In the history of an execution that counts them: those of older releases did not."""

_FEW: Final = 50  # local activities of an execution that need no marker; so many never fill a task
_PAUSE: Final = timedelta(milliseconds=1)


class TaskBudget:
    """What is left of the current workflow task."""

    def __init__(self) -> None:
        """Begin with a whole one."""
        self._history_length = 0
        self._messages = 0
        self._bytes = 0
        self._locals = 0
        self._locals_so_far = 0
        self._bounds_locals: bool | None = None

    def is_full(self, event: Event) -> bool:
        """Count an event that is about to be taken in, or tell that it has to wait for the next task."""
        if not isinstance(event, Message | MessageRefused | Decision):
            return False
        self._look()
        if self._messages >= MESSAGES:
            return True
        self._messages += 1
        return False

    def takes(self, size: int, *, local: bool = False) -> bool:
        """Count a command of `size` bytes, or tell that it has to wait. The first of a task goes, whatever its size."""
        self._look()
        if self._bytes and self._bytes + size > PAYLOAD_LIMIT_BYTES:
            return False
        if local and self._are_locals_bounded() and self._locals >= LOCALS:
            return False
        self._bytes += size
        self._locals += local
        self._locals_so_far += local
        return True

    def answered(self, size: int) -> None:
        """Count the bytes of a local activity's answer, beyond what was counted; less than nothing gives some back."""
        if self._bounds_locals:
            # A task that only told the server of life stands in the history before the local activities that it
            # interrupted: a replay sees no new task here, so this may not begin one.
            self._history_length = workflow.info().get_current_history_length()
        else:
            self._look()
        self._bytes = max(0, self._bytes + size)

    def _are_locals_bounded(self) -> bool:
        # Asked by number alone, never by history length: a replay must ask at the same place.
        if self._bounds_locals is None and self._locals_so_far >= _FEW:
            self._bounds_locals = workflow.patched(MARKER_LOCALS)
        return bool(self._bounds_locals)

    async def next(self) -> None:
        """Wait for the next task."""
        await workflow.sleep(_PAUSE, summary="A task is full: the rest follows")

    def _look(self) -> None:
        length = workflow.info().get_current_history_length()
        if length != self._history_length:
            self._history_length, self._messages, self._bytes, self._locals = length, 0, 0, 0
