"""The decision how a delivery ends."""

from __future__ import annotations

import pytest

from bridge.amqp.acknowledge import now_or_refused, result_of
from bridge.errors import TriggerFailedError
from bridge.outcomes import Delayed, Refused, Result, Unrouted
from contracts.errors import TemporaryError


class Failing:
    """Work that fails, or does not."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.calls = error, 0

    async def work(self) -> Result:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Unrouted()


async def test_result_is_that_of_the_work() -> None:
    """It is carried out once."""
    failing = Failing(None)
    assert (await result_of(failing.work, 0, 10), failing.calls) == (Unrouted(), 1)


@pytest.mark.parametrize(("attempts", "level"), [(0, 0), (1, 1), (4, 4), (5, 4), (8, 4)])
@pytest.mark.parametrize("error", [TemporaryError("busy"), RuntimeError("a bug")])
async def test_failure_of_an_unclear_kind_is_delayed_longer_each_time(
    error: Exception, attempts: int, level: int
) -> None:
    """It was tried once and comes back after a delay that grows up to the last level."""
    result = await result_of(Failing(error).work, attempts, 10)
    assert isinstance(result, Delayed)
    assert (result.level, result.failed) == (level, True)
    assert type(error).__name__ in result.reason


@pytest.mark.parametrize("error", [TemporaryError("busy"), RuntimeError("a bug")])
async def test_result_is_a_refusal_when_it_failed_too_often(error: Exception) -> None:
    """The attempts are bounded, and the reason tells how many there were and the last failure."""
    result = await result_of(Failing(error).work, 2, 3)
    assert isinstance(result, Refused)
    assert result.code == "gave-up"
    assert "Attempts: 3" in result.reason
    assert type(error).__name__ in result.reason


async def test_result_is_a_refusal_at_once_when_no_try_can_help() -> None:
    """A permanent error is not tried again, and keeps its code."""
    error = TriggerFailedError("x.yaml, trigger 1")
    assert await result_of(Failing(error).work, 0, 3) == Refused("trigger-failed", str(error))


def test_pure_work_that_fails_unexpectedly_is_a_refusal() -> None:
    """A bug in decoding or routing puts the event aside; it does not stop the queue."""
    refused = now_or_refused(lambda: {"here": 1}["absent"])
    assert isinstance(refused, Refused)
    assert "KeyError" in refused.reason
