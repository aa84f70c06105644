"""The queue between runs and the projection: bounded, filled from the workflows' threads, emptied by one writer.

The sink must never keep a workflow task waiting and must never fail one. So the rows of a change are made at once,
when nothing else can change the state, and put into the queue if there is room; if there is none, the change is
dropped and counted, and its run is remembered for whoever mends the projection from the history.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from store.runs import AttemptRow
from workflows.engine.change import Change, change_of
from workflows.temporal.course import Move

CAPACITY = 50_000
REMEMBERED = 10_000

Entry: TypeAlias = Change | AttemptRow


@dataclass
class Missed:
    """Runs whose changes were dropped, by workflow id.

    Attributes:
        workflow_ids: Which runs.
        since: There are more than could be remembered: any run that has moved since then may be one.
    """

    workflow_ids: set[str] = field(default_factory=set)
    since: datetime | None = None

    def __or__(self, other: Missed) -> Missed:
        moments = [moment for moment in (self.since, other.since) if moment is not None]
        return Missed(self.workflow_ids | other.workflow_ids, min(moments, default=None))


class Snapshots:
    """Changes that wait to be written; `take` is the sink of workers.

    Attributes:
        taken: Entries that came.
        dropped: Entries for which there was no room, or which PostgreSQL refused.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Begin empty, with room for `capacity` entries."""
        self._capacity = capacity
        self._waiting: deque[Entry] = deque()
        self._lock = threading.Lock()
        self._missed = Missed()
        self.taken = self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, move: Move) -> None:
        """Take one event of a run; called in its thread."""
        self.put(change_of(move.plan, move.state, move.event, move.commands, move.execution))

    def put(self, entry: Entry) -> None:
        """Keep an entry for the writer, if there is room."""
        with self._lock:
            self.taken += 1
            if len(self._waiting) < self._capacity:
                self._waiting.append(entry)
            else:
                self._drop(entry)

    def drain(self, limit: int) -> list[Entry]:
        """Return the oldest entries, `limit` at most; they are the caller's now."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def miss(self, entry: Entry) -> None:
        """Count an entry that could not be written, and remember its run."""
        with self._lock:
            self._drop(entry)

    def missed(self) -> Missed:
        """Return the runs that miss something, and forget them: the caller mends them."""
        with self._lock:
            found, self._missed = self._missed, Missed()
            return found

    def remember(self, missed: Missed) -> None:
        """Remember again what could not be mended."""
        with self._lock:
            self._missed |= missed

    def _drop(self, entry: Entry) -> None:
        self.dropped += 1
        if isinstance(entry, Change):  # the history of an attempt is read with its run's
            if len(self._missed.workflow_ids) < REMEMBERED:
                self._missed.workflow_ids.add(entry.run.workflow_id)
            elif self._missed.since is None:
                self._missed.since = entry.run.changed_at
