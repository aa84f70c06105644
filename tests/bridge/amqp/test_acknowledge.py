"""The decision how a delivery ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.amqp.acknowledge import now_or_refused, outcome_of
from bridge.errors import TriggerFailedError
from bridge.outcomes import Refused, Result, Unrouted
from contracts.errors import TemporaryError

QUICK = timedelta(milliseconds=1)


class Failing:
    """Work that fails so many times before it succeeds."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.calls = error, times, 0

    async def work(self) -> Result:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return Unrouted()


@pytest.mark.parametrize("error", [TemporaryError("away", timedelta(0)), RuntimeError("a bug")])
async def test_outcome_comes_after_failures_that_pass(error: Exception) -> None:
    """What may pass is tried again, and the attempts are counted."""
    assert await outcome_of(Failing(error, 3).work, 5, QUICK) == (Unrouted(), 4)


@pytest.mark.parametrize("error", [TemporaryError("away"), RuntimeError("a bug")])
async def test_outcome_is_a_refusal_when_it_failed_too_often(error: Exception) -> None:
    """The attempts are bounded, and the reason tells the last failure."""
    result, attempts = await outcome_of(Failing(error, 99).work, 3, QUICK)
    assert attempts == 3
    assert isinstance(result, Refused)
    assert result.code == "gave-up"
    assert type(error).__name__ in result.reason


async def test_outcome_is_a_refusal_at_once_when_no_try_can_help() -> None:
    """A permanent error is not tried again, and keeps its code."""
    failing = Failing(TriggerFailedError("x.yaml, trigger 1"), 99)
    result, attempts = await outcome_of(failing.work, 3, QUICK)
    assert (attempts, failing.calls) == (1, 1)
    assert result == Refused("trigger-failed", str(failing.error))


def test_pure_work_that_fails_unexpectedly_is_a_refusal() -> None:
    """A bug in decoding or routing puts the event aside; it does not stop the queue."""
    refused = now_or_refused(lambda: {"here": 1}["absent"])
    assert isinstance(refused, Refused)
    assert "KeyError" in refused.reason
