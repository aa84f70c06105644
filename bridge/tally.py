"""Tell what became of each event: a counter, a log line, and whoever watches.

The log holds ids, types and reasons, never an event's data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import assert_never

import structlog

from bridge.metrics import Metrics
from bridge.outcomes import Delayed, Dispatched, Duplicate, Effect, Expired, Outcome, Refused, Unrouted

_log = structlog.get_logger("bridge")


class Tally:
    """Counts outcomes by their word."""

    def __init__(self, watcher: Callable[[Outcome], None] | None, metrics: Metrics) -> None:
        """Begin at nothing; `watcher` is told each outcome too, and must not block."""
        self.counts: Counter[str] = Counter()
        self._watcher, self._metrics = watcher, metrics

    def tell(self, outcome: Outcome) -> None:
        """Record an outcome whose delivery was answered."""
        self.counts[outcome.word] += 1
        self._metrics.handled(outcome.event_type, outcome.word)
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
        case Duplicate():
            log.info("event_repeated")
        case Expired():
            log.info("event_expired")
        case Delayed(level=level, failed=failed, reason=reason):
            log.info("event_delayed", level=level, failed=failed, reason=reason)
        case _:
            assert_never(outcome.result)


def _in_words(effects: Iterable[Effect]) -> list[str]:
    return [str(effect) for effect in effects]
