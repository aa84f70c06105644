"""The breaker: waits for a service that is away, asks with one probe at a time, and lets everything else through."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.backoff import delay_seconds
from bridge.breaker import Breaker
from contracts.errors import PermanentError, ServiceUnreachableError
from store.errors import ConnectionLostError

QUICK = timedelta(milliseconds=1)


class Service:
    """A service that is away for the first calls, and counts how many ask at once while it is."""

    def __init__(self, away_for: int) -> None:
        self.calls, self.away_for, self.at_once, self.most = 0, away_for, 0, 0

    async def ask(self) -> str:
        self.calls += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.calls <= self.away_for:
            raise ServiceUnreachableError("Temporal", "127.0.0.1:7233", "start it")
        return "answer"


async def _opened(breaker: Breaker) -> None:
    while not breaker.is_open:  # noqa: ASYNC110 - one turn of the loop, not time, is awaited
        await asyncio.sleep(0)


async def test_breaker_passes_calls_while_closed() -> None:
    """While the service answers, calls are made at once."""
    service, breaker = Service(away_for=0), Breaker("Temporal", QUICK)
    await asyncio.gather(*(breaker.protect(service.ask) for _ in range(5)))
    assert (service.calls, service.most) == (5, 5)


async def test_breaker_waits_for_the_service_and_loses_no_call() -> None:
    """Every call gets its answer, however long the service was away."""
    service, breaker = Service(away_for=8), Breaker("Temporal", QUICK)
    answers = await asyncio.gather(*(breaker.protect(service.ask) for _ in range(5)))
    assert answers == ["answer"] * 5
    assert not breaker.is_open


async def test_breaker_asks_with_one_probe_at_a_time_while_open() -> None:
    """What waits does not all ask."""
    service, breaker = Service(away_for=8), Breaker("Temporal", QUICK)
    first = asyncio.create_task(breaker.protect(service.ask))
    await _opened(breaker)
    await asyncio.gather(first, *(breaker.protect(service.ask) for _ in range(4)))
    assert service.calls == 8 + 5
    assert service.most <= 5


async def test_breaker_does_not_hold_up_others_for_a_request_that_always_fails() -> None:
    """A request that fails while others are answered comes back to its caller, who counts."""
    breaker, service = Breaker("Temporal", QUICK), Service(away_for=0)

    async def fail() -> None:
        raise ServiceUnreachableError("Temporal", "127.0.0.1:7233", "start it")

    failing = asyncio.create_task(breaker.protect(fail))
    await _opened(breaker)
    assert await breaker.protect(service.ask) == "answer"
    with pytest.raises(ServiceUnreachableError):
        await failing


async def test_breaker_closes_on_any_answer() -> None:
    """A refusal is an answer: the service is there."""
    breaker = Breaker("Temporal", QUICK)
    answers = iter([ServiceUnreachableError("Temporal", "there", "start it"), PermanentError()])

    async def ask() -> None:
        raise next(answers)

    with pytest.raises(PermanentError):
        await breaker.protect(ask)
    assert not breaker.is_open


async def test_breaker_says_how_it_stands() -> None:
    """Closed, open while it waits for the next probe, half open while the probe asks, closed again."""
    breaker, states = Breaker("Temporal", QUICK), list[str]()
    answers = iter([False, False, True])

    async def ask() -> str:
        states.append(breaker.state)
        if not next(answers):
            raise ServiceUnreachableError("Temporal", "127.0.0.1:7233", "start it")
        return "answer"

    asking = asyncio.create_task(breaker.protect(ask))
    await _opened(breaker)
    states.append(breaker.state)
    assert await asking == "answer"
    assert states == ["closed", "open", "half-open", "half-open"]
    assert not breaker.is_open


async def test_breaker_takes_other_errors_for_away_where_it_is_told_so() -> None:
    """A connection that is lost on the way is waited for as one that cannot be made."""
    breaker = Breaker("PostgreSQL", QUICK, (ServiceUnreachableError, ConnectionLostError))
    answers = iter([ConnectionLostError(), None])

    async def ask() -> str:
        if error := next(answers):
            raise error
        return "answer"

    assert await breaker.protect(ask) == "answer"


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_delay_grows_and_stays_below_its_limit(failures: int, fraction: float) -> None:
    """No delay is longer than the limit, none is shorter than an eighth of a second."""
    delay = delay_seconds(failures, timedelta(seconds=30), fraction)
    assert 0.125 <= delay <= 30
    assert delay <= delay_seconds(failures + 1, timedelta(seconds=30), fraction)
