"""Behind one that failed: an event waits for what is left of that wait, so the queue behind it dissolves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.judging import judge
from bridge.outcomes import Delayed
from bridge.topology.names import RETRY_DELAYS
from store.event_log import Verdict
from tests.bridge.library import event

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def _delay(left: timedelta) -> timedelta:
    result = judge(event(), Verdict("new", left, {}), None, NOW)
    assert isinstance(result, Delayed)
    assert not result.failed
    return RETRY_DELAYS[result.level]


@pytest.mark.parametrize(
    ("left_seconds", "delay_seconds"), [(0, 1), (0.9, 1), (1, 1), (4.9, 1), (5, 5), (29, 5), (119, 30), (600, 600)]
)
def test_event_behind_waits_no_longer_than_those_ahead(left_seconds: float, delay_seconds: float) -> None:
    """By the longest delay that fits; only the shortest may be too long."""
    assert _delay(timedelta(seconds=left_seconds)) == timedelta(seconds=delay_seconds)


@given(st.lists(st.floats(0.01, 30), max_size=200), st.sampled_from(RETRY_DELAYS))
def test_queue_behind_a_failure_dissolves(gaps: list[float], first: timedelta) -> None:
    """However often events come: none waits for longer than for the one that failed, or the shortest delay."""
    due, now = first, timedelta(0)
    for gap in gaps:
        now += timedelta(seconds=gap)
        if now < due:
            due = max(due, now + _delay(due - now))
        assert due - now <= max(first - now, RETRY_DELAYS[0])


def test_event_behind_nobody_is_dispatched() -> None:
    """Nothing is in its way."""
    assert judge(event(), Verdict("new", None, {}), None, NOW) is None
