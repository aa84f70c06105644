"""What one attempt leaves for the next."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from temporalio.common import RetryPolicy
from temporalio.testing import ActivityEnvironment

from activities.attempts import Attempts
from contracts.steps import UNCOUNTED, Earlier


def attempts(number: int, *left: Any, local: bool = False) -> Attempts:
    """Return what an attempt reads of the one before."""
    info = ActivityEnvironment().info
    return Attempts.of(dataclasses.replace(info, attempt=number, heartbeat_details=list(left), is_local=local))


@pytest.mark.parametrize(
    ("number", "left", "tainted"),
    [
        (1, (), False),
        (2, (), True),
        (2, ({"certain": 1, "unknown": False},), False),
        (2, ({"certain": 1, "unknown": True},), True),
        (2, ({"certain": 0, "unknown": False, "progress": 5},), True),
        (3, ({"certain": 1, "unknown": False},), True),
        (3, ({"certain": 2, "unknown": False},), False),
        (2, ("something else",), True),
    ],
)
def test_attempts_read_the_last_word(number: int, left: tuple[Any, ...], tainted: bool) -> None:
    """Only a certain failure of the very attempt before keeps the step clean."""
    assert attempts(number, *left).tainted is tainted


def test_attempts_carry_the_taint_on() -> None:
    """Once unknown, always unknown."""
    first = attempts(1).ended(unknown=True)
    second = attempts(2, first).ended(unknown=False)
    assert attempts(3, second).tainted


def test_attempts_in_the_middle_are_not_ended() -> None:
    """A heartbeat of an attempt that then dies is no word of its failure."""
    assert attempts(3, attempts(2, attempts(1).ended(unknown=False)).alive()).tainted


def test_local_attempts_leave_nothing() -> None:
    """A local activity is repeated by the worker that saw it fail."""
    assert attempts(2, local=True) == Attempts(2, certain=0, tainted=False, recorded=False)


def test_attempts_that_were_none_are_not_counted() -> None:
    """Temporal counts deliveries; the limit is that of the step, the activity before this one included."""
    policy = RetryPolicy(maximum_attempts=UNCOUNTED + 3)
    info = dataclasses.replace(ActivityEnvironment().info, retry_policy=policy)
    earlier = Earlier(1, 2, unknown=True, scheduled_at="2026-03-01T12:00:00+00:00")
    first = Attempts.of(info, earlier)
    assert (first.count, first.tainted, first.patient) == (2, True, True)
    left = first.taken_back(unknown=False)
    second = Attempts.of(dataclasses.replace(info, attempt=2, heartbeat_details=[left]), earlier)
    assert (second.count, second.is_last) == (2, False)
    third = Attempts.of(dataclasses.replace(info, attempt=3, heartbeat_details=[second.ended(unknown=False)]), earlier)
    assert (third.count, third.is_last, third.is_one_too_many) == (3, True, False)
    silent = Attempts.of(dataclasses.replace(info, attempt=4, heartbeat_details=[third.alive()]), earlier)
    assert (silent.count, silent.tainted, silent.is_one_too_many) == (4, True, True)
    assert silent.handed_on(info.scheduled_time, unknown=False) == dataclasses.replace(
        earlier, attempts=3, deliveries=6
    )


@pytest.mark.parametrize(("maximum", "patient"), [(0, True), (1, False), (5, False), (UNCOUNTED + 1, True)])
def test_attempts_that_temporal_counts_are_left_to_it(maximum: int, patient: bool) -> None:
    """Unless there is no limit, or it is out of reach."""
    info = dataclasses.replace(ActivityEnvironment().info, retry_policy=RetryPolicy(maximum_attempts=maximum))
    assert Attempts.of(info).patient is patient
    assert Attempts.of(dataclasses.replace(info, is_local=True)).patient is False
