"""Tell what became of each event: a counter, a log line, and whoever watches.

The log holds ids, types and reasons, never an event's data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from bridge.outcomes import Dispatched, Effect, Outcome, Refused, Unrouted

_log = structlog.get_logger("bridge")


class Tally:
    """Counts outcomes by their word: dispatched, unrouted, dead-lettered."""

    def __init__(self, watcher: Callable[[Outcome], None] | None) -> None:
        """Begin at nothing; `watcher` is told each outcome too, and must not block."""
        self.counts: Counter[str] = Counter()
        self._watcher = watcher

    def tell(self, outcome: Outcome) -> None:
        """Record an outcome whose delivery was answered."""
        self.counts[outcome.word] += 1
        _write(outcome)
        if self._watcher is not None:
            self._watcher(outcome)


def _write(outcome: Outcome) -> None:
    log = _log.bind(event_id=outcome.event_id, event_type=outcome.event_type, attempts=outcome.attempts)
    match outcome.result:
        case Dispatched(effects=effects):
            log.info("event_dispatched", effects=_in_words(effects))
        case Unrouted():
            log.info("event_unrouted", routing_key=outcome.routing_key)
        case Refused(code=code, reason=reason, effects=effects):
            log.warning("event_dead_lettered", code=code, reason=reason, effects=_in_words(effects))


def _in_words(effects: Iterable[Effect]) -> list[str]:
    return [f"{effect.kind} {effect.workflow_id}" for effect in effects]
