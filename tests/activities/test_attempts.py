"""What one attempt leaves for the next."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.attempts import Attempts


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
