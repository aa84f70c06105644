"""The decision how a delivery ends."""

from __future__ import annotations

import pytest

from bridge.amqp.acknowledge import Tries, now_or_later, result_of
from bridge.errors import MalformedEventError, SessionLostError, TriggerFailedError
from bridge.outcomes import Delayed, Refused, Result, Unrouted
from contracts.errors import TemporaryError
from store.errors import AccessRefusedError, StatementRefusedError
from workflows.temporal.errors import TemporalAccessError


class Failing:
    """Work that fails, or does not."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.calls = error, 0

    async def work(self) -> Result:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Unrouted()


def _tries(before: int, most: int, alarms: list[str] | None = None) -> Tries:
    return Tries(before, most, ([] if alarms is None else alarms).append)


OURS = [StatementRefusedError("x"), AccessRefusedError("x"), TemporalAccessError("x"), RuntimeError("a bug")]


async def test_result_is_that_of_the_work() -> None:
    """It is carried out once."""
    failing = Failing(None)
    assert (await result_of(failing.work, _tries(0, 10)), failing.calls) == (Unrouted(), 1)


@pytest.mark.parametrize(("attempts", "level"), [(0, 0), (1, 1), (4, 4), (5, 4), (8, 4)])
@pytest.mark.parametrize("error", [TemporaryError("busy"), *OURS])
async def test_failure_that_is_not_the_event_s_is_delayed_longer_each_time(
    error: Exception, attempts: int, level: int
) -> None:
    """It was tried once and comes back after a delay that grows up to the last level."""
    result = await result_of(Failing(error).work, _tries(attempts, 10))
    assert isinstance(result, Delayed)
    assert (result.level, result.failed) == (level, True)
    assert type(error).__name__ in result.reason


@pytest.mark.parametrize("error", [TemporaryError("busy"), *OURS])
async def test_result_is_a_refusal_when_it_failed_too_often(error: Exception) -> None:
    """The attempts are bounded, and the letter tells whose failure it is, how many there were and the last of them."""
    result = await result_of(Failing(error).work, _tries(2, 3))
    assert isinstance(result, Refused)
    assert result.code == ("internal-error" if error in OURS else "gave-up")
    assert "Attempts: 3" in result.reason
    assert type(error).__name__ in result.reason


async def test_errors_of_ours_are_told_by_their_word_and_others_are_not() -> None:
    """The alarm is for what people have to mend: not for what is busy, nor for a bad event."""
    alarms: list[str] = []
    for error in (*OURS, TemporaryError("busy"), TriggerFailedError("x")):
        await result_of(Failing(error).work, _tries(0, 3, alarms))
    assert alarms == ["statement-refused", "database-access", "temporal-access", "bug"]


async def test_result_is_a_refusal_at_once_when_no_try_can_help() -> None:
    """A permanent error of the event's is not tried again, and keeps its code."""
    error = TriggerFailedError("x.yaml, trigger 1")
    assert await result_of(Failing(error).work, _tries(0, 3)) == Refused("trigger-failed", str(error))


async def test_delivery_that_is_not_ours_any_more_has_no_outcome() -> None:
    """Whoever has it now decides."""
    with pytest.raises(SessionLostError):
        await result_of(Failing(SessionLostError("gone")).work, _tries(0, 3))


def test_bug_in_reading_is_tried_again_and_then_put_aside_as_ours() -> None:
    """Another release, that a rolling upgrade brings, may read it; it does not stop the queue."""
    later = now_or_later(lambda: {"here": 1}["absent"], _tries(0, 2))
    assert isinstance(later, Delayed)
    refused = now_or_later(lambda: {"here": 1}["absent"], _tries(1, 2))
    assert isinstance(refused, Refused)
    assert (refused.code, "KeyError" in refused.reason) == ("internal-error", True)


def test_what_is_no_event_is_put_aside_at_once() -> None:
    """No release reads it better."""

    def refuse() -> None:
        raise MalformedEventError("no JSON")

    refused = now_or_later(refuse, _tries(0, 9))
    assert isinstance(refused, Refused)
    assert refused.code == "malformed-event"
