"""What the event log says about a delivery, before anything is done for it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.outcomes import CONFLICT, Delayed, Duplicate, Expired, Refused, Result
from bridge.topology.names import RETRY_DELAYS
from contracts.envelope import Event
from store.event_log import Verdict

_BEHIND = "An event before it with the same key waits for its next try."


def judge(event: Event, verdict: Verdict, expires_at: datetime | None, now: datetime) -> Result | None:
    """Return how the event ends without being dispatched; None = it is to be dispatched.

    Args:
        event: The event.
        verdict: What recording it told.
        expires_at: The end of its time by its message; the event may name one too.
        now: The time.
    """
    if verdict.status == "conflict":
        return Refused(CONFLICT, _conflict(event))
    if verdict.status == "duplicate":
        return Duplicate()
    if event.is_expired(now) or (expires_at is not None and expires_at <= now):
        return Expired()
    if verdict.behind is not None:
        return Delayed(_level(verdict.behind), failed=False, reason=_BEHIND)
    return None


def _level(left: timedelta) -> int:
    """The longest delay that ends before those ahead are due: a queue behind a failure so dissolves by itself."""
    return max((level for level, delay in enumerate(RETRY_DELAYS) if delay <= left), default=0)


def _conflict(event: Event) -> str:
    return (
        f"Another event with the id {event.identity!r} was here before, with other contents. "
        "Two events must have two ids: correct the producer, then edit the id and retry, or drop it."
    )
